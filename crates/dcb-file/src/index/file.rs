//! An index file: the index of the first events of one segment, as it lies in `indices/`.
//!
//! It is written whole and replaced whole, and read in place: opening it reads its header, and the
//! rest is checked and mapped when it is first asked for. Checksums cover every byte, so that
//! garbage is known as such. `docs/format.md` gives the bytes.

use std::io;
use std::mem::size_of;
use std::ops::Range;
use std::path::Path;
use std::sync::OnceLock;

use bytemuck::{Pod, Zeroable, bytes_of, cast_slice, try_cast_slice};
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Part, Places, Posting, hash_of};
use crate::disk::{Access, Disk, DiskFile, Mapping};
use crate::line::ChainHash;

const MAGIC: [u8; 8] = *b"OPOSIDX1";

/// How much is read at once to check it.
const CHUNK: usize = 256 * 1024;

/// What an index file starts with. All numbers are little-endian.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct Header {
    magic: [u8; 8],
    /// The position of the first event.
    first: u64,
    /// How many events there are.
    events: u64,
    /// Where in the segment the first event's line starts that is not in here.
    end: u64,
    /// Where the last event's line starts.
    last_offset: u64,
    /// The recording time of the last event, in microseconds since 1970.
    last_time: i64,
    /// The position of the last line, here or before, that added tags to past events; 0 for none.
    tags_added: u64,
    /// The hash of the last commit.
    hash: [u8; 64],
    types: u32,
    tags: u32,
    /// How long the hash table is; a power of two.
    buckets: u32,
    postings: u32,
    text_bytes: u32,
    /// The CRC-32 of everything behind the header.
    body_crc: u32,
    zero: u32,
    /// The CRC-32 of everything before it.
    crc: u32,
}

/// A type or a tag: its text, and the stretch of the list of slots or postings that is about it.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct Name {
    text_at: u32,
    text_len: u32,
    list_at: u32,
    list_len: u32,
}

/// An entry of the hash table: the upper half of a name's hash, and its number counted from 1; zeros
/// where there is none. A name stands in the first free bucket from the one that the lower half of
/// its hash says.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct Bucket {
    fingerprint: u32,
    number: u32,
}

/// Types and tags of the same text are different names.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Type,
    Tag,
}

impl Kind {
    fn hash(self, hash: u64) -> u64 {
        match self {
            Self::Type => !hash,
            Self::Tag => hash,
        }
    }
}

/// What an index file says about the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Covered {
    /// The position of the first event in it.
    pub(crate) first: u64,
    /// The position of the last event in it.
    pub(crate) head: u64,
    /// Where in the segment the next line starts.
    pub(crate) end: u64,
    /// Where the last line starts.
    pub(crate) last_offset: u64,
    /// The hash of the last commit.
    pub(crate) hash: ChainHash,
    /// The recording time of the last event.
    pub(crate) last_time: DateTime<Utc>,
    /// The position of the last line, up to there, that added tags to past events; 0 for none.
    pub(crate) tags_added: u64,
}

/// An open index file.
#[derive(Debug)]
pub(crate) struct IndexFile {
    pub(crate) covered: Covered,
    header: Header,
    file: Box<dyn DiskFile>,
    body: OnceLock<Option<Body>>,
}

impl IndexFile {
    /// Opens an index file and reads its header; `None` if there is none, or it is garbage.
    pub(crate) fn open(disk: &dyn Disk, path: &Path) -> Option<Self> {
        Self::of(disk.open(path, Access::Read).ok()?)
    }

    /// The same of a file that is open.
    pub(crate) fn of(file: Box<dyn DiskFile>) -> Option<Self> {
        let mut bytes = [0; size_of::<Header>()];
        if file.read_at(0, &mut bytes).ok()? < bytes.len() {
            return None;
        }
        let header: Header = bytemuck::pod_read_unaligned(&bytes);
        let crc = crc32fast::hash(bytes.get(..bytes.len() - 4)?);
        // Its numbers are read in place, so a machine of the other byte order has no index files.
        let is_ours = cfg!(target_endian = "little") && header.magic == MAGIC && header.crc == crc;
        if !is_ours || header.events == 0 {
            return None;
        }
        let covered = Covered {
            first: header.first,
            head: header.first.checked_add(header.events)?.checked_sub(1)?,
            end: header.end,
            last_offset: header.last_offset,
            hash: *ChainHash::parse(&header.hash)?,
            last_time: DateTime::from_timestamp_micros(header.last_time)?,
            tags_added: header.tags_added,
        };
        Some(Self { covered, header, file, body: OnceLock::new() })
    }

    /// Lets go of memory that only shows the file.
    pub(crate) fn trim_memory(&self) {
        if let Some(Some(body)) = self.body.get() {
            body.bytes.release();
        }
    }

    /// The index itself, checked when it is first asked for; `None` if it is garbage.
    pub(crate) fn body(&self) -> Option<&Body> {
        self.body.get_or_init(|| Body::load(&self.header, &*self.file)).as_ref()
    }
}

/// Where the parts of an index file lie behind its header, in this order.
#[derive(Debug)]
struct Layout {
    offsets: Range<u64>,
    names: Range<u64>,
    buckets: Range<u64>,
    slots: Range<u64>,
    postings: Range<u64>,
    text: Range<u64>,
}

impl Layout {
    fn of(header: &Header) -> Option<Self> {
        let names = u64::from(header.types) + u64::from(header.tags);
        let mut at = size_of::<Header>() as u64;
        let mut next = |count: u64, size: usize| {
            let start = at;
            at = at.checked_add(count.checked_mul(size as u64)?)?;
            Some(start..at)
        };
        Some(Self {
            offsets: next(header.events, size_of::<u64>())?,
            names: next(names, size_of::<Name>())?,
            buckets: next(u64::from(header.buckets), size_of::<Bucket>())?,
            postings: next(u64::from(header.postings), size_of::<Posting>())?,
            slots: next(header.events, size_of::<u32>())?,
            text: next(u64::from(header.text_bytes), 1)?,
        })
    }
}

/// What stands behind the header, known to be what was written.
#[derive(Debug)]
pub(crate) struct Body {
    first: u64,
    end: u64,
    types: u32,
    layout: Layout,
    bytes: Box<dyn Mapping>,
}

impl Body {
    fn load(header: &Header, file: &dyn DiskFile) -> Option<Self> {
        let _span = tracing::debug_span!("index_load", segment = header.first).entered();
        let layout = Layout::of(header)?;
        if file.size().ok()? != layout.text.end || !header.buckets.is_power_of_two() {
            return None;
        }
        let start = layout.offsets.start;
        // Checked by reading, so that the pages that are mapped are only those that are used.
        let mut crc = crc32fast::Hasher::new();
        let mut chunk = vec![0; CHUNK];
        let mut at = start;
        while at < layout.text.end {
            let got = file.read_at(at, &mut chunk).ok().filter(|got| *got > 0)?;
            crc.update(chunk.get(..got)?);
            at += got as u64;
        }
        if crc.finalize() != header.body_crc {
            return None;
        }
        let bytes = match file.map(layout.text.end) {
            Some(mapped) => mapped,
            None => Box::new(Copied::read(file, layout.text.end).ok()?),
        };
        Some(Self { first: header.first, end: header.end, types: header.types, layout, bytes })
    }

    fn section<T: Pod>(&self, range: &Range<u64>) -> &[T] {
        let bytes = self.bytes.bytes(range.clone()).unwrap_or_default();
        try_cast_slice(bytes).unwrap_or_default()
    }

    fn offsets(&self) -> &[u64] {
        self.section(&self.layout.offsets)
    }

    fn names(&self) -> &[Name] {
        self.section(&self.layout.names)
    }

    fn text(&self, name: &Name) -> &str {
        let start = self.layout.text.start + u64::from(name.text_at);
        let bytes = self.bytes.bytes(start..start + u64::from(name.text_len));
        bytes.and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    }

    /// The number of a name among all, from 0, and what is known of it.
    fn find(&self, kind: Kind, hash: u64, text: &str) -> Option<(u32, Name)> {
        let buckets: &[Bucket] = self.section(&self.layout.buckets);
        let names = self.names();
        for (fingerprint, place) in probe(kind.hash(hash), buckets.len()) {
            let bucket = buckets.get(place)?;
            let number = bucket.number.checked_sub(1)?;
            if bucket.fingerprint != fingerprint {
                continue;
            }
            let name = names.get(number as usize)?;
            let found = if number < self.types { Kind::Type } else { Kind::Tag };
            if found == kind && self.text(name) == text {
                return Some((number, *name));
            }
        }
        None
    }

    fn list<T: Pod>(&self, section: &Range<u64>, name: &Name) -> &[T] {
        let size = size_of::<T>() as u64;
        let start = section.start + u64::from(name.list_at) * size;
        let end = start + u64::from(name.list_len) * size;
        if end <= section.end { self.section(&(start..end)) } else { &[] }
    }

    pub(super) fn len(&self) -> u32 {
        u32::try_from(self.offsets().len()).unwrap_or(u32::MAX)
    }

    pub(super) fn slot_from(&self, position: u64) -> u32 {
        let slot = position.saturating_sub(self.first);
        u32::try_from(slot).unwrap_or(u32::MAX).min(self.len())
    }

    pub(super) fn places(&self) -> Places<'_> {
        Places::File(self.first, self.offsets(), self.end)
    }

    pub(super) fn type_id(&self, name: &str) -> Option<u32> {
        Some(self.find(Kind::Type, hash_of(name), name)?.0)
    }

    pub(super) fn slots_of_type(&self, id: u32) -> &[u32] {
        let name = self.names().get(id as usize);
        name.map_or(&[], |name| self.list(&self.layout.slots, name))
    }

    pub(super) fn postings_of_tag(&self, hash: u64, text: &str) -> &[Posting] {
        let found = self.find(Kind::Tag, hash, text);
        found.map_or(&[], |(_, name)| self.list(&self.layout.postings, &name))
    }
}

/// The fingerprint of a hash and the buckets in which it is looked for, one after the other.
fn probe(hash: u64, buckets: usize) -> impl Iterator<Item = (u32, usize)> {
    let (low, high) = (hash & u64::from(u32::MAX), hash >> 32);
    let fingerprint = u32::try_from(high).unwrap_or_default();
    let start = usize::try_from(low).unwrap_or_default();
    (0..buckets).map(move |step| (fingerprint, (start + step) & (buckets - 1)))
}

/// The bytes of a file where it cannot be mapped, aligned as if it were.
#[derive(Debug)]
struct Copied(Vec<u64>);

impl Copied {
    fn read(file: &dyn DiskFile, len: u64) -> io::Result<Self> {
        let words = usize::try_from(len.div_ceil(8)).map_err(io::Error::other)?;
        let mut copy = vec![0u64; words];
        file.read_at(0, bytemuck::cast_slice_mut(&mut copy))?;
        Ok(Self(copy))
    }
}

impl Mapping for Copied {
    fn bytes(&self, range: Range<u64>) -> Option<&[u8]> {
        let (start, end) = (usize::try_from(range.start).ok()?, usize::try_from(range.end).ok()?);
        cast_slice::<u64, u8>(&self.0).get(start..end)
    }

    fn will_need(&self, _range: Range<u64>) {}

    fn release(&self) {}
}

/// Writes the index file of a segment's first events, which are in these parts, one behind the
/// other. It is not synced: after a power cut it may be garbage, and then it is made again.
pub(crate) fn write_index(
    disk: &dyn Disk,
    path: &Path,
    covered: &Covered,
    parts: &[Part<'_>],
) -> io::Result<()> {
    let too_large = || io::Error::new(io::ErrorKind::FileTooLarge, "too much for an index file");
    let bytes = encode(covered, parts).ok_or_else(too_large)?;
    // Others may be writing the same file, and who maps it must never see it change: until it is
    // whole it has a name of its own.
    let new = path.with_extension(format!("{}.new", Uuid::now_v7().simple()));
    let file = disk.open(&new, Access::Create)?;
    let written = file.set_len(0).and_then(|()| file.write_at(0, &bytes));
    drop(file);
    written.and_then(|()| disk.rename(&new, path)).inspect_err(|_| {
        // What is left of it, or of one whose writer was killed, the next recovery removes.
        let _ = disk.remove_file(&new);
    })
}

/// A name on its way into the file.
struct NewName<'p> {
    text: &'p str,
    kind: Kind,
}

fn encode(covered: &Covered, parts: &[Part<'_>]) -> Option<Vec<u8>> {
    let events = parts.iter().map(|part| part.len() as usize).sum();
    let mut offsets: Vec<u64> = Vec::with_capacity(events);
    // Where the slots of each part start among all.
    let mut shifts = Vec::new();
    for part in parts {
        shifts.push(u32::try_from(offsets.len()).ok()?);
        match part {
            Part::Memory(index) => offsets.extend(index.places().iter().map(|p| p.offset)),
            Part::File(index) => offsets.extend(index.offsets()),
        }
    }
    let (types, tags) = (collect(parts, Kind::Type), collect(parts, Kind::Tag));
    let mut names = Vec::with_capacity(types.len() + tags.len());
    let (mut text, mut slots, mut postings) =
        (Vec::new(), Vec::with_capacity(events), Vec::with_capacity(events));
    // The id of each type in each part, and which one it gets.
    let mut new_ids: Vec<Vec<u32>> = parts.iter().map(|part| vec![0; type_count(*part)]).collect();
    for (id, name) in types.iter().enumerate() {
        let start = slots.len();
        for ((part, shift), ids) in parts.iter().zip(&shifts).zip(&mut new_ids) {
            let Some(old) = part.type_id(name.text) else { continue };
            *ids.get_mut(old as usize)? = u32::try_from(id).ok()?;
            slots.extend(part.slots_of_type(old).iter().map(|slot| slot + shift));
        }
        names.push(entry(&mut text, name, start..slots.len())?);
    }
    for name in &tags {
        let (start, hash) = (postings.len(), hash_of(name.text));
        for ((part, shift), ids) in parts.iter().zip(&shifts).zip(&new_ids) {
            for Posting { slot, type_id } in part.postings_of_tag(hash, name.text) {
                let type_id = *ids.get(*type_id as usize)?;
                postings.push(Posting { slot: slot + shift, type_id });
            }
        }
        names.push(entry(&mut text, name, start..postings.len())?);
    }
    let buckets = hash_table(types.iter().chain(&tags))?;
    let body: [&[u8]; 6] = [
        cast_slice(&offsets),
        cast_slice(&names),
        cast_slice(&buckets),
        cast_slice(&postings),
        cast_slice(&slots),
        &text,
    ];
    let mut body_crc = crc32fast::Hasher::new();
    body.iter().for_each(|section| body_crc.update(section));
    let mut header = Header {
        magic: MAGIC,
        first: covered.first,
        events: offsets.len() as u64,
        end: covered.end,
        last_offset: *offsets.last()?,
        last_time: covered.last_time.timestamp_micros(),
        tags_added: covered.tags_added,
        hash: covered.hash.as_str().as_bytes().try_into().ok()?,
        types: u32::try_from(types.len()).ok()?,
        tags: u32::try_from(tags.len()).ok()?,
        buckets: u32::try_from(buckets.len()).ok()?,
        postings: u32::try_from(postings.len()).ok()?,
        text_bytes: u32::try_from(text.len()).ok()?,
        body_crc: body_crc.finalize(),
        zero: 0,
        crc: 0,
    };
    header.crc = crc32fast::hash(bytes_of(&header).get(..size_of::<Header>() - 4)?);
    let len = body.iter().map(|section| section.len()).sum::<usize>();
    let mut bytes = Vec::with_capacity(size_of::<Header>() + len);
    bytes.extend_from_slice(bytes_of(&header));
    body.iter().for_each(|section| bytes.extend_from_slice(section));
    Some(bytes)
}

/// Makes the checksums of what may be an index file right, where there is room for them.
#[cfg(feature = "fuzz")]
pub(crate) fn seal_index(bytes: &mut [u8]) {
    let Some((header, body)) = bytes.split_first_chunk_mut::<{ size_of::<Header>() }>() else {
        return;
    };
    let mut sealed: Header = bytemuck::pod_read_unaligned(header);
    (sealed.magic, sealed.body_crc) = (MAGIC, crc32fast::hash(body));
    let before = bytes_of(&sealed).get(..size_of::<Header>() - 4);
    sealed.crc = crc32fast::hash(before.unwrap_or_default());
    header.copy_from_slice(bytes_of(&sealed));
}

fn type_count(part: Part<'_>) -> usize {
    match part {
        Part::Memory(index) => index.types().len(),
        Part::File(index) => index.types as usize,
    }
}

/// The types or the tags of all parts, each once, in the order in which they first appear.
fn collect<'p>(parts: &[Part<'p>], kind: Kind) -> Vec<NewName<'p>> {
    let mut names: Vec<NewName<'p>> = Vec::new();
    for (number, part) in parts.iter().enumerate() {
        let earlier = parts.get(..number).unwrap_or_default();
        let is_new = |text: &str| {
            !earlier.iter().any(|part| match kind {
                Kind::Type => part.type_id(text).is_some(),
                Kind::Tag => !part.postings_of_tag(hash_of(text), text).is_empty(),
            })
        };
        let mut take = |text: &'p str| {
            if is_new(text) {
                names.push(NewName { text, kind });
            }
        };
        match (*part, kind) {
            (Part::Memory(index), Kind::Type) => index.types().iter().for_each(|t| take(&t.name)),
            // One that was only staged, and withdrawn, has no postings.
            (Part::Memory(index), Kind::Tag) => {
                let tags = index.tags().iter().filter(|tag| !tag.postings.is_empty());
                tags.for_each(|tag| take(&tag.text));
            }
            (Part::File(index), kind) => {
                let (types, tags) = index.names().split_at(index.types as usize);
                let names = if kind == Kind::Type { types } else { tags };
                names.iter().for_each(|name| take(index.text(name)));
            }
        }
    }
    names
}

fn entry(text: &mut Vec<u8>, name: &NewName<'_>, list: Range<usize>) -> Option<Name> {
    let text_at = u32::try_from(text.len()).ok()?;
    text.extend_from_slice(name.text.as_bytes());
    Some(Name {
        text_at,
        text_len: u32::try_from(name.text.len()).ok()?,
        list_at: u32::try_from(list.start).ok()?,
        list_len: u32::try_from(list.len()).ok()?,
    })
}

fn hash_table<'n>(names: impl Iterator<Item = &'n NewName<'n>> + Clone) -> Option<Vec<Bucket>> {
    // Half of it stays empty, so that what is not there is soon known not to be.
    let size = (names.clone().count() * 2).next_power_of_two();
    let mut buckets = vec![Bucket::zeroed(); size];
    for (number, name) in names.enumerate() {
        let hash = name.kind.hash(hash_of(name.text));
        let free = |place: &usize| buckets.get(*place).is_some_and(|bucket| bucket.number == 0);
        let (fingerprint, place) = probe(hash, size).find(|(_, place)| free(place))?;
        *buckets.get_mut(place)? = Bucket { fingerprint, number: u32::try_from(number + 1).ok()? };
    }
    Some(buckets)
}
