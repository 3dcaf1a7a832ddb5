//! What `fuzz/` and the tests feed with any bytes. Checksums are made right first, because no luck
//! gets past them, and what stands behind them must hold all the same.

use std::io;

use dcb::{Query, Tag};

use crate::disk::DiskFile;
use crate::index::{IndexFile, Part, Search, seal_index};
use crate::line::{Line, Unescaped, seal};

/// As a line: if it is one, its event is whole.
pub fn line(bytes: &[u8]) {
    look_at_line(bytes);
    let mut sealed = bytes.to_vec();
    seal(&mut sealed, 0);
    look_at_line(sealed.strip_suffix(b"\n").unwrap_or(&sealed));
}

fn look_at_line(bytes: &[u8]) {
    let mut unescaped = Unescaped::default();
    let Some(line) = Line::parse(bytes, &mut unescaped) else { return };
    let _ = line.timestamp();
    let _ = line.event.tags.iter().count();
    // Its metadata may mean nothing; then that is an error.
    let _ = line.event.to_owned();
}

/// As an index file: whatever it says, to ask it is safe, and what it answers is in order.
pub fn index(bytes: &[u8]) {
    look_at_index(bytes);
    let mut sealed = bytes.to_vec();
    seal_index(&mut sealed);
    look_at_index(&sealed);
}

fn look_at_index(bytes: &[u8]) {
    let Some(file) = IndexFile::of(Box::new(Bytes(bytes.to_vec()))) else { return };
    let Some(body) = file.body() else { return };
    let part = Part::File(body);
    let tags = ["a:1", "b:2"].map(|tag| tag.parse::<Tag>());
    let [Ok(one), Ok(two)] = tags else { return };
    let queries = [
        Some(Query::all()),
        Query::types(["A", "B"]).ok(),
        Query::tags([one.clone(), two]).ok(),
        Some(Query::tagged(["A"], &one)),
    ];
    for query in queries.into_iter().flatten() {
        let search = Search::new(&query);
        for backwards in [false, true] {
            let mut found = Vec::new();
            part.find(&search, (0, u64::MAX), backwards, 100, &mut found);
            assert!(found.len() <= 100, "no more than was asked for");
        }
        let _ = part.at(file.covered.head);
    }
}

/// A file of these bytes.
#[derive(Debug)]
struct Bytes(Vec<u8>);

impl DiskFile for Bytes {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|at| self.0.get(at..)).unwrap_or_default();
        let len = rest.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..len), rest.get(..len)) {
            to.copy_from_slice(from);
        }
        Ok(len)
    }

    fn write_at(&self, _offset: u64, _bytes: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn set_len(&self, _len: u64) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.0.len() as u64)
    }

    fn try_lock(&self) -> io::Result<bool> {
        Ok(true)
    }

    fn unlock(&self) -> io::Result<()> {
        Ok(())
    }
}
