//! One file of the log, and what is indexed of it.

use std::io;
use std::ops::{Deref, Range};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use dcb::StoreError;
use smallvec::{SmallVec, smallvec};

use crate::added_tags::AddedTags;
use crate::disk::{Disk, DiskFile, Mapping};
use crate::index::{Covered, IndexFile, MemoryIndex, Part, Place, write_index};
use crate::line::{Line, Unescaped};
use crate::log::Damage;
use crate::meta::io_error;
use crate::scan::{LineReader, RawLine, line_number_at};

/// What room is made of.
static ROOM: [u8; 64 * 1024] = [b'\n'; 64 * 1024];

pub(crate) const BAD_LINE: &str = "the line is not what was written";

/// An open event file. Its bytes can also be had without copying them.
#[derive(Debug)]
pub(crate) struct SegmentFile {
    pub(crate) path: PathBuf,
    file: Box<dyn DiskFile>,
    /// How long it may become.
    capacity: u64,
    mapping: OnceLock<Option<Box<dyn Mapping>>>,
    /// How long it is at least.
    allocated: AtomicU64,
}

impl SegmentFile {
    pub(crate) fn new(path: PathBuf, file: Box<dyn DiskFile>, capacity: u64) -> Self {
        Self { path, file, capacity, mapping: OnceLock::new(), allocated: AtomicU64::new(0) }
    }

    /// Makes sure that there is room up to an offset, so that what is written there only overwrites
    /// what is allocated, and its sync has no file size to record. It is filled with newlines. Says
    /// whether any was made, which is then to be synced.
    ///
    /// Only who holds the store's lock calls it. The system is asked for the length as seldom as
    /// possible: on Linux a file whose times were asked for gets new ones with the next write, of
    /// its own and no longer with the clock's tick, and without a journal the sync then has them to
    /// write, too.
    pub(crate) fn make_room(&self, up_to: u64, step: u64) -> io::Result<bool> {
        if up_to <= self.allocated.load(Ordering::Relaxed) {
            return Ok(false);
        }
        let before = self.file.size()?;
        let wanted = if before < up_to { up_to.next_multiple_of(step.max(1)) } else { before };
        let mut allocated = before;
        while allocated < wanted {
            let len = (wanted - allocated).min(ROOM.len() as u64);
            let fill = ROOM.get(..usize::try_from(len).unwrap_or_default());
            self.file.write_at(allocated, fill.unwrap_or(&ROOM))?;
            allocated += len;
        }
        self.allocated.store(allocated, Ordering::Relaxed);
        Ok(allocated > before)
    }

    /// Cuts off the room behind an offset.
    ///
    /// Only who holds the store's lock calls it.
    pub(crate) fn trim(&self, end: u64) -> io::Result<()> {
        // Less is known to be there before it is gone: nobody looks at a mapping behind its file.
        self.allocated.fetch_min(end, Ordering::Relaxed);
        self.file.set_len(end)
    }

    /// Reads a few bytes that are known to be there, or padding.
    pub(crate) fn peek<const N: usize>(&self, offset: u64) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        let end = offset + N as u64;
        if end <= self.allocated.load(Ordering::Relaxed)
            && let Some(mapped) = self.mapping().and_then(|mapping| mapping.bytes(offset..end))
        {
            bytes.copy_from_slice(mapped);
        } else {
            self.file.read_at(offset, &mut bytes)?;
        }
        Ok(bytes)
    }

    /// The file's bytes, where they can be had without copying. Only what is known to be whole may
    /// be looked at.
    pub(crate) fn mapping(&self) -> Option<&dyn Mapping> {
        let map = || self.file.map(self.capacity.max(self.file.size().ok()?));
        self.mapping.get_or_init(map).as_deref()
    }

    /// Lets go of memory that only shows the file.
    fn trim_memory(&self) {
        if let Some(Some(mapping)) = self.mapping.get() {
            mapping.release();
        }
    }

    /// The same as an error of the store.
    pub(crate) fn error(&self, doing: &str, error: io::Error) -> StoreError {
        io_error(doing, &self.path, error)
    }

    /// What cannot be read of this file.
    pub(crate) fn damage(&self, at: u64, positions: (u64, u64), reason: &str) -> Damage {
        Damage {
            file: self.path.clone(),
            // That it cannot be told does not matter beside what is told.
            line: line_number_at(&*self.file, at).unwrap_or_default(),
            first_position: positions.0,
            last_position: positions.1,
            reason: reason.into(),
        }
    }
}

impl Deref for SegmentFile {
    type Target = dyn DiskFile;

    fn deref(&self) -> &Self::Target {
        &*self.file
    }
}

/// A file of the log and what this process knows of it.
#[derive(Debug)]
pub(crate) struct Segment {
    /// The position of its first event; its name.
    pub(crate) first: u64,
    pub(crate) file: Arc<SegmentFile>,
    /// Where its last known commit ends; the next one starts there.
    pub(crate) end: u64,
    /// Whether its lines are read even where an index file knows them.
    pub(crate) is_reread: bool,
    /// What an index file knows.
    base: Option<Base>,
    /// What came behind that.
    pub(crate) recent: MemoryIndex,
}

/// The first events of a segment, as an index file has them.
#[derive(Debug)]
struct Base {
    file: IndexFile,
    /// The same, made again from the log, if the file turned out to be garbage.
    rebuilt: OnceLock<MemoryIndex>,
}

impl Segment {
    pub(crate) fn new(first: u64, file: Arc<SegmentFile>) -> Self {
        let recent = MemoryIndex::default();
        Self { first, file, end: 0, is_reread: false, base: None, recent }
    }

    /// Takes an index file in place of what is in memory and of reading the lines that it knows, if
    /// these are all at or below a position. Says up to where it knows them.
    ///
    /// The file is not believed without a look at the log: the last line that it knows must stand
    /// where it says, and end the commit that it says.
    pub(crate) fn adopt(&mut self, disk: &dyn Disk, path: &Path, trusted: u64) -> Option<Covered> {
        let file = IndexFile::open(disk, path)?;
        let covered = file.covered;
        let known = self.base.as_ref().map_or(0, |base| base.file.covered.head);
        let recent = self.recent.last().map_or(known, |place| place.position);
        if covered.first != self.first || covered.head > trusted || covered.head < recent {
            return None;
        }
        let in_log = self.covered_by(covered.last_offset..covered.end, covered.tags_added)?;
        if in_log != covered {
            return None;
        }
        self.recent = MemoryIndex::default();
        self.end = self.end.max(covered.end);
        self.base = Some(Base { file, rebuilt: OnceLock::new() });
        Some(covered)
    }

    /// What an index of everything up to a line covers; `None` if no commit ends with that line.
    fn covered_by(&self, last_line: Range<u64>, tags_added: u64) -> Option<Covered> {
        let len = last_line.end.checked_sub(last_line.start)?;
        let mut bytes = vec![0; usize::try_from(len).ok()?];
        let got = self.file.read_at(last_line.start, &mut bytes).ok()?;
        let mut unescaped = Unescaped::default();
        let line = Line::parse(bytes.get(..got)?.strip_suffix(b"\n")?, &mut unescaped)?;
        Some(Covered {
            first: self.first,
            head: line.event.position,
            end: last_line.end,
            last_offset: last_line.start,
            hash: *line.commit?.hash,
            last_time: line.timestamp()?,
            tags_added,
        })
    }

    /// Where the line at a position stands. What is found damaged on the way is noted.
    pub(crate) fn place_of(&self, position: u64, note: &mut dyn FnMut(Damage)) -> Option<Place> {
        self.parts(note).into_iter().find_map(|part| part.at(position))
    }

    /// Lets go of memory that only shows files.
    pub(crate) fn trim_memory(&self) {
        self.file.trim_memory();
        if let Some(base) = &self.base {
            base.file.trim_memory();
        }
    }

    /// Where the lines start that no index file knows.
    pub(crate) fn indexed_end(&self) -> u64 {
        self.base.as_ref().map_or(0, |base| base.file.covered.end)
    }

    /// Writes the index of all that is known of this segment to a file, unless there is nothing that
    /// the file does not know, or some of it is damaged; what is found so on the way is noted.
    pub(crate) fn write_index(
        &self,
        disk: &dyn Disk,
        path: &Path,
        added: &AddedTags,
        note: &mut dyn FnMut(Damage),
    ) -> Result<(), StoreError> {
        let covered = self.recent.last().and_then(|last| {
            self.covered_by(last.offset..last.end, added.position_up_to(last.position))
        });
        let Some(covered) = covered else { return Ok(()) };
        let parts = self.parts(note);
        let events: u64 = parts.iter().map(|part| u64::from(part.len())).sum();
        if covered.end != self.end || self.first + events != covered.head + 1 {
            return Ok(());
        }
        write_index(disk, path, &covered, &parts).map_err(|error| io_error("writing", path, error))
    }

    /// The parts of its index, in order of position. What is found damaged on the way is noted.
    pub(crate) fn parts(&self, note: &mut dyn FnMut(Damage)) -> SmallVec<[Part<'_>; 2]> {
        let mut parts = smallvec![];
        if let Some(base) = &self.base {
            parts.push(match base.file.body() {
                Some(body) => Part::File(body),
                None => Part::Memory(base.rebuilt.get_or_init(|| self.rebuild(&base.file, note))),
            });
        }
        if !self.recent.is_empty() {
            parts.push(Part::Memory(&self.recent));
        }
        parts
    }

    /// Indexes the lines of an index file that is garbage.
    fn rebuild(&self, garbage: &IndexFile, note: &mut dyn FnMut(Damage)) -> MemoryIndex {
        let covered = garbage.covered;
        tracing::warn!(segment = self.first, "an index file is garbage; the log is read instead");
        let mut index = MemoryIndex::default();
        let mut head = covered.first - 1;
        let mut reader = LineReader::new(&**self.file, 0, covered.end);
        let (mut gap, mut unescaped) = (None, Unescaped::default());
        loop {
            let raw = match reader.next_line() {
                Ok(Some(raw)) => raw,
                Ok(None) => break,
                Err(error) => {
                    let reason = format!("it cannot be read: {error}");
                    note(self.file.damage(0, (head + 1, covered.head), &reason));
                    return index;
                }
            };
            let line = parse(&raw, &mut unescaped).filter(|line| line.event.position > head);
            let Some(Line { event, .. }) = line else {
                gap.get_or_insert(raw.offset);
                continue;
            };
            if event.position > head + 1 {
                let at = gap.unwrap_or(raw.offset);
                note(self.file.damage(at, (head + 1, event.position - 1), BAD_LINE));
            }
            gap = None;
            head = event.position;
            index.push(event.event_type, event.tags.iter(), place_of(&raw, head));
        }
        if head < covered.head {
            let at = gap.unwrap_or(covered.end);
            note(self.file.damage(at, (head + 1, covered.head), BAD_LINE));
        }
        index
    }
}

/// A line, if it is whole.
pub(crate) fn parse<'a>(raw: &RawLine<'a>, unescaped: &'a mut Unescaped) -> Option<Line<'a>> {
    Line::parse(raw.bytes.strip_suffix(b"\n")?, unescaped)
}

pub(crate) fn place_of(raw: &RawLine<'_>, position: u64) -> Place {
    Place { offset: raw.offset, end: raw.end(), position }
}
