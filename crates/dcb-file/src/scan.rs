//! Walking along an event file, line by line.

use std::io;

use crate::disk::DiskFile;

/// How much is read at once.
pub(crate) const CHUNK: usize = 256 * 1024;

/// Padding stands where no line has been written yet: newlines from preallocation, zeros where the
/// system lengthened the file.
pub(crate) fn is_padding(byte: u8) -> bool {
    byte == b'\n' || byte == 0
}

/// Reads the lines of a file from an offset to an end, skipping padding between them.
pub(crate) struct LineReader<'f> {
    file: &'f dyn DiskFile,
    end: u64,
    /// File offset of `buffer[0]`.
    base: u64,
    buffer: Vec<u8>,
    /// How much of `buffer` was read.
    filled: usize,
    /// Where in `buffer` the next line is looked for.
    next: usize,
}

/// One physical line.
#[derive(Debug)]
pub(crate) struct RawLine<'b> {
    /// Where it starts in the file.
    pub(crate) offset: u64,
    /// With its newline, if one ends it.
    pub(crate) bytes: &'b [u8],
}

impl RawLine<'_> {
    /// Where the next line can start.
    pub(crate) fn end(&self) -> u64 {
        self.offset + self.bytes.len() as u64
    }
}

impl<'f> LineReader<'f> {
    /// Reads from `offset` up to `end`, or the file's end if that comes first.
    pub(crate) fn new(file: &'f dyn DiskFile, offset: u64, end: u64) -> Self {
        Self { file, end, base: offset, buffer: vec![0; CHUNK], filled: 0, next: 0 }
    }

    /// The next line that is not padding.
    pub(crate) fn next_line(&mut self) -> io::Result<Option<RawLine<'_>>> {
        loop {
            let rest = self.unread();
            let padding = rest.iter().position(|b| !is_padding(*b)).unwrap_or(rest.len());
            self.next += padding;
            if self.next < self.filled || !self.fill()? {
                break;
            }
        }
        let mut searched = 0;
        let length = loop {
            let rest = self.unread();
            let found = memchr::memchr(b'\n', rest.get(searched..).unwrap_or_default());
            if let Some(at) = found {
                break searched + at + 1;
            }
            searched = rest.len();
            if !self.fill()? {
                break searched;
            }
        };
        let start = self.next;
        self.next += length;
        let bytes = self.buffer.get(start..self.next).unwrap_or_default();
        let line = RawLine { offset: self.base + start as u64, bytes };
        Ok((length > 0).then_some(line))
    }

    /// From where on the next line is looked for.
    pub(crate) fn offset(&self) -> u64 {
        self.base + self.next as u64
    }

    fn unread(&self) -> &[u8] {
        self.buffer.get(self.next..self.filled).unwrap_or_default()
    }

    /// Drops the lines that were yielded and reads on; false at the end.
    fn fill(&mut self) -> io::Result<bool> {
        self.buffer.copy_within(self.next..self.filled, 0);
        self.base += self.next as u64;
        self.filled -= self.next;
        self.next = 0;
        if self.buffer.len() < self.filled + CHUNK {
            self.buffer.resize((self.filled + CHUNK).next_power_of_two(), 0);
        }
        let read_to = self.base + self.filled as u64;
        let left = usize::try_from(self.end.saturating_sub(read_to)).unwrap_or(CHUNK);
        let space = self.filled..self.filled + left.min(CHUNK);
        let got = self.file.read_at(read_to, self.buffer.get_mut(space).unwrap_or_default())?;
        self.filled += got;
        Ok(got > 0)
    }
}

/// Which line of a file an offset is on, from 1, as an editor counts: also the newlines of padding.
pub(crate) fn line_number_at(file: &dyn DiskFile, offset: u64) -> io::Result<u64> {
    let (mut number, mut at) = (1, 0);
    let mut chunk = vec![0; usize::try_from(offset).unwrap_or(CHUNK).min(CHUNK)];
    while at < offset {
        let left = usize::try_from(offset - at).unwrap_or(CHUNK).min(CHUNK);
        let got = file.read_at(at, chunk.get_mut(..left).unwrap_or_default())?;
        if got == 0 {
            break;
        }
        let newlines = memchr::memchr_iter(b'\n', chunk.get(..got).unwrap_or_default()).count();
        number += newlines as u64;
        at += got as u64;
    }
    Ok(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::{Access, Disk, SystemDisk};

    fn lines(content: &[u8]) -> Vec<(u64, u64, Vec<u8>)> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        std::fs::write(&path, content).unwrap();
        let file = SystemDisk.open(&path, Access::Read).unwrap();
        let mut reader = LineReader::new(&*file, 0, u64::MAX);
        let mut lines = Vec::new();
        while let Some(line) = reader.next_line().unwrap() {
            let number = line_number_at(&*file, line.offset).unwrap();
            lines.push((line.offset, number, line.bytes.to_vec()));
        }
        lines
    }

    #[test]
    fn padding_is_skipped_and_lines_are_numbered_as_an_editor_does() {
        let found = lines(b"one\n\n\0\0\ntwo\nthree");
        let expected: [(u64, u64, &[u8]); 3] =
            [(0, 1, b"one\n"), (8, 4, b"two\n"), (12, 5, b"three")];
        let expected: Vec<_> = expected.into_iter().map(|(o, n, b)| (o, n, b.to_vec())).collect();
        assert_eq!(found, expected);
        assert!(lines(b"").is_empty());
        assert!(lines(&[b'\n'; 3 * CHUNK]).is_empty());
    }

    #[test]
    fn lines_longer_than_a_chunk_come_whole() {
        let mut content = vec![b'x'; CHUNK + 17];
        content.extend_from_slice(b"\nlast\n");
        let found = lines(&content);
        assert_eq!(found[0].2.len(), CHUNK + 18);
        assert_eq!((found[1].0, found[1].1), (CHUNK as u64 + 18, 2));
    }
}
