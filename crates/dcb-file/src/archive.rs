//! Compressed segments: event files that are full take a fraction of their space and stay readable
//! in place.
//!
//! An archived segment is a file in the zstd seekable format: frames that can be decompressed each
//! by itself, and a table of them at the end. Any zstd tool unpacks it. Here it is a [`DiskFile`]
//! like every other, so that nothing else in this crate knows of it.

use std::io;
use std::num::TryFromIntError;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use dcb::StoreError;
use serde::Serialize;

use crate::disk::{Access, Disk, DiskFile, parent_of};
use crate::meta::{io_error, is_missing};
use crate::scan::CHUNK;
use crate::store::{FileStore, LockGuard, Options, paths};

/// What is behind the name of an archived segment, in place of `.jsonl`.
pub(crate) const EXTENSION: &str = ".jsonl.zst";

/// The file that whoever archives has locked.
pub(crate) const LOCK: &str = "archive.lock";

/// How much of a segment one frame holds: what is read for one line.
const FRAME_BYTES: usize = 64 * 1024;

/// Slower ones gain little on lines like these.
const LEVEL: i32 = 9;

/// Frames that were read last, because the next line is mostly in the same one.
const FRAMES_KEPT: usize = 4;

/// The table of frames is a frame of its own that every zstd tool skips.
/// See the seekable format in zstd's `contrib/seekable_format`.
const SKIPPABLE_MAGIC: u32 = 0x184D_2A5E;
const SEEKABLE_MAGIC: u32 = 0x8F92_EAB1;
const SKIPPABLE_BYTES: u64 = 8;
const FOOTER_BYTES: usize = 9;
const ENTRY_BYTES: usize = 8;

/// What [`archive`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Archived {
    /// How many event files were compressed.
    pub segments: u64,
    /// How many bytes they had.
    pub bytes_before: u64,
    /// How many bytes they have.
    pub bytes_after: u64,
}

/// Compresses every full event file of the store in `dir` that is not compressed yet. Others may go
/// on reading and appending meanwhile.
///
/// A file is replaced when its archive is durable and was read back, so that no moment is without
/// one of them. [`StoreError::Damaged`] if the store is known to be damaged: what is wrong is not
/// made harder to see. [`StoreError::LockTimeout`] if somebody else is archiving it.
pub fn archive(dir: impl AsRef<Path>, options: &Options) -> Result<Archived, StoreError> {
    let dir = dir.as_ref();
    let store = FileStore::open(dir, options.clone())?;
    let disk = store.disk();
    let mut done = Archived::default();
    // Two that pack the same file would write the same archive.
    let lock_path = dir.join(LOCK);
    let lock_file = disk.open(&lock_path, Access::Create);
    let lock_file = lock_file.map_err(|error| io_error("opening", &lock_path, error))?;
    let _lock = LockGuard::take_within(&*lock_file, &lock_path, options.lock_timeout)?;
    let Some(last) = store.end()?.segment else { return Ok(done) };
    let events = paths(dir).3;
    for name in disk.list(&events).map_err(|error| io_error("listing", &events, error))? {
        if name.ends_with(EXTENSION) || segment_of(&name).is_none_or(|first| first >= last.first) {
            continue;
        }
        let path = events.join(&name);
        let (before, after) = pack(disk, &path, options.write_protect)
            .map_err(|error| io_error("archiving", &path, error))?;
        done.segments += 1;
        done.bytes_before += before;
        done.bytes_after += after;
    }
    Ok(done)
}

/// The position of the first event in an event file of this name, archived or not; `None` if it is
/// none.
pub(crate) fn segment_of(name: &str) -> Option<u64> {
    let stem = name.strip_suffix(EXTENSION).or_else(|| name.strip_suffix(".jsonl"))?;
    let first = stem.parse().ok()?;
    (format!("{first:010}") == stem).then_some(first)
}

/// Where the archive of an event file is.
fn packed_path(path: &Path) -> PathBuf {
    let mut packed = path.with_extension("").into_os_string();
    packed.push(EXTENSION);
    packed.into()
}

/// Puts an archive in the place of a file. Returns the sizes of both.
fn pack(disk: &dyn Disk, path: &Path, protect: bool) -> io::Result<(u64, u64)> {
    let packed = packed_path(path);
    let new = packed.with_extension("zst.new");
    let source = disk.open(path, Access::Read)?;
    let written = write_archive(disk, &*source, &new).inspect_err(|_| {
        // What is left of it is removed by the next try.
        let _ = disk.remove_file(&new);
    })?;
    disk.rename(&new, &packed)?;
    if protect {
        disk.write_protect(&packed)?;
    }
    let dir = parent_of(&packed);
    disk.sync_dir(dir)?;
    disk.remove_file(path)?;
    disk.sync_dir(dir)?;
    Ok((source.size()?, written))
}

/// Writes the archive of a file, syncs it and reads it back. Returns its size.
fn write_archive(disk: &dyn Disk, source: &dyn DiskFile, new: &Path) -> io::Result<u64> {
    // What an earlier try left behind may be write-protected already.
    match disk.remove_file(new) {
        Err(error) if !is_missing(&error) => return Err(error),
        _ => {}
    }
    let target = disk.open(new, Access::Create)?;
    let written = write_frames(source, &*target)?;
    target.sync()?;
    check_same(source, &ArchivedFile::open(target)?)?;
    Ok(written)
}

fn write_frames(source: &dyn DiskFile, target: &dyn DiskFile) -> io::Result<u64> {
    let mut compressor = zstd::bulk::Compressor::new(LEVEL)?;
    let mut buffer = vec![0; FRAME_BYTES];
    let (mut read, mut written, mut table) = (0, 0, Vec::new());
    loop {
        let got = source.read_at(read, &mut buffer)?;
        if got == 0 {
            break;
        }
        let frame = compressor.compress(buffer.get(..got).unwrap_or_default())?;
        target.write_at(written, &frame)?;
        for len in [frame.len(), got] {
            table.extend_from_slice(&u32::try_from(len).map_err(io::Error::other)?.to_le_bytes());
        }
        read += got as u64;
        written += frame.len() as u64;
    }
    let frames = u32::try_from(table.len() / ENTRY_BYTES).map_err(io::Error::other)?;
    let mut tail = skippable_head(table.len()).map_err(io::Error::other)?.to_vec();
    tail.extend_from_slice(&table);
    tail.extend_from_slice(&frames.to_le_bytes());
    // The entries have no checksums of their own: every line has one.
    tail.push(0);
    tail.extend_from_slice(&SEEKABLE_MAGIC.to_le_bytes());
    target.write_at(written, &tail)?;
    Ok(written + tail.len() as u64)
}

/// What the frame that holds a table of so many bytes starts with.
fn skippable_head(table_len: usize) -> Result<[u8; 8], TryFromIntError> {
    let content = u32::try_from(table_len + FOOTER_BYTES)?;
    let mut head = [0; 8];
    let (magic, len) = head.split_at_mut(4);
    magic.copy_from_slice(&SKIPPABLE_MAGIC.to_le_bytes());
    len.copy_from_slice(&content.to_le_bytes());
    Ok(head)
}

fn check_same(one: &dyn DiskFile, other: &dyn DiskFile) -> io::Result<()> {
    let (mut at, mut these, mut those) = (0, vec![0; CHUNK], vec![0; CHUNK]);
    loop {
        let (got, same) = (one.read_at(at, &mut these)?, other.read_at(at, &mut those)?);
        if got != same || these.get(..got) != those.get(..got) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it did not read back alike"));
        }
        if got == 0 {
            return Ok(());
        }
        at += got as u64;
    }
}

/// Opens the event file at a path, or its archive, which can only be read.
pub(crate) fn open(
    disk: &dyn Disk,
    path: &Path,
    access: Access,
) -> io::Result<(PathBuf, Box<dyn DiskFile>)> {
    match disk.open(path, access) {
        Err(error) if is_missing(&error) => {
            let packed = packed_path(path);
            let file = disk.open(&packed, Access::Read).map_err(|_| error)?;
            match access {
                Access::Read => Ok((packed, Box::new(ArchivedFile::open(file)?))),
                Access::Write | Access::Create => Err(read_only()),
            }
        }
        opened => Ok((path.to_owned(), opened?)),
    }
}

/// An archive, read as if it were the file that was packed. Where it is damaged, what cannot be
/// unpacked reads as bytes that no line has.
#[derive(Debug)]
struct ArchivedFile {
    packed: Box<dyn DiskFile>,
    frames: Vec<Frame>,
    /// The frames that were used last, the last one first.
    kept: Mutex<Vec<(usize, Vec<u8>)>>,
}

/// Where a frame starts in the archive and in the file that was packed, and how long it is there.
#[derive(Clone, Copy, Debug)]
struct Frame {
    packed_at: u64,
    packed_len: usize,
    at: u64,
    len: usize,
}

const UNREADABLE: u8 = 0xFF;

impl ArchivedFile {
    /// Without a whole table nothing of it can be found: then it reads as one bad line.
    fn open(packed: Box<dyn DiskFile>) -> io::Result<Self> {
        let nothing = Frame { packed_at: 0, packed_len: 0, at: 0, len: 1 };
        let frames = read_table(&*packed)?.unwrap_or_else(|| vec![nothing]);
        Ok(Self { packed, frames, kept: Mutex::default() })
    }

    fn unpack(&self, frame: Frame) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; frame.packed_len];
        let got = self.packed.read_at(frame.packed_at, &mut bytes)?;
        let content = zstd::bulk::decompress(bytes.get(..got).unwrap_or_default(), frame.len);
        let content = content.ok().filter(|content| content.len() == frame.len);
        Ok(content.unwrap_or_else(|| vec![UNREADABLE; frame.len]))
    }

    /// Does something with what a frame holds.
    fn with_frame<T>(
        &self,
        number: usize,
        frame: Frame,
        look: impl FnOnce(&[u8]) -> T,
    ) -> io::Result<T> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let known = kept.iter().position(|(other, _)| *other == number);
        let entry = match known {
            Some(index) => kept.remove(index),
            None => (number, self.unpack(frame)?),
        };
        let answer = look(&entry.1);
        kept.insert(0, entry);
        kept.truncate(FRAMES_KEPT);
        Ok(answer)
    }
}

/// Where the frames are; `None` if there is no table that was written here.
fn read_table(packed: &dyn DiskFile) -> io::Result<Option<Vec<Frame>>> {
    let size = packed.size()?;
    let mut footer = [0; FOOTER_BYTES];
    let Some(footer_at) = size.checked_sub(FOOTER_BYTES as u64) else { return Ok(None) };
    packed.read_at(footer_at, &mut footer)?;
    let [c0, c1, c2, c3, descriptor, magic @ ..] = footer;
    let table_len = u64::from(u32::from_le_bytes([c0, c1, c2, c3])) * ENTRY_BYTES as u64;
    let is_ours = u32::from_le_bytes(magic) == SEEKABLE_MAGIC && descriptor == 0;
    let Some(table_at) = footer_at.checked_sub(table_len).filter(|_| is_ours) else {
        return Ok(None);
    };
    let Some(head_at) = table_at.checked_sub(SKIPPABLE_BYTES) else { return Ok(None) };
    let mut head = [0; 8];
    packed.read_at(head_at, &mut head)?;
    let mut table = vec![0; usize::try_from(table_len).map_err(io::Error::other)?];
    packed.read_at(table_at, &mut table)?;
    // Other tools go by this head: without it they take what follows for a broken frame.
    let is_whole = skippable_head(table.len()).is_ok_and(|whole| whole == head);
    Ok(frames_of(&table, table_at).filter(|_| is_whole))
}

fn frames_of(table: &[u8], table_at: u64) -> Option<Vec<Frame>> {
    let (mut packed_at, mut at) = (0, 0);
    let mut frames = Vec::with_capacity(table.len() / ENTRY_BYTES);
    for entry in table.chunks_exact(ENTRY_BYTES) {
        let (packed_len, rest) = entry.split_first_chunk::<4>()?;
        let (packed_len, len) = (u32::from_le_bytes(*packed_len), rest.first_chunk::<4>()?);
        let len = u32::from_le_bytes(*len);
        let frame = Frame {
            packed_at,
            packed_len: usize::try_from(packed_len).ok()?,
            at,
            len: usize::try_from(len).ok().filter(|len| (1..=FRAME_BYTES).contains(len))?,
        };
        frames.push(frame);
        packed_at += u64::from(packed_len);
        at += u64::from(len);
    }
    // Behind the frames comes only the head of the frame that the table is in.
    (packed_at + SKIPPABLE_BYTES == table_at).then_some(frames)
}

impl DiskFile for ArchivedFile {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        let first = self.frames.partition_point(|frame| frame.at + frame.len as u64 <= offset);
        for (number, frame) in self.frames.iter().enumerate().skip(first) {
            let rest = buffer.get_mut(filled..).unwrap_or_default();
            if rest.is_empty() {
                break;
            }
            let within = (offset + filled as u64).saturating_sub(frame.at);
            filled += self.with_frame(number, *frame, |content| {
                let within = usize::try_from(within).unwrap_or(usize::MAX);
                let content = content.get(within..).unwrap_or_default();
                let len = content.len().min(rest.len());
                if let (Some(to), Some(from)) = (rest.get_mut(..len), content.get(..len)) {
                    to.copy_from_slice(from);
                }
                len
            })?;
        }
        Ok(filled)
    }

    fn write_at(&self, _offset: u64, _bytes: &[u8]) -> io::Result<()> {
        Err(read_only())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn set_len(&self, _len: u64) -> io::Result<()> {
        Err(read_only())
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.frames.last().map_or(0, |last| last.at + last.len as u64))
    }

    fn try_lock(&self) -> io::Result<bool> {
        self.packed.try_lock()
    }

    fn unlock(&self) -> io::Result<()> {
        self.packed.unlock()
    }
}

fn read_only() -> io::Error {
    io::Error::new(io::ErrorKind::ReadOnlyFilesystem, "an archived segment is not written any more")
}
