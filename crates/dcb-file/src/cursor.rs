//! A read under way.

use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use dcb::{Cursor, EventRef, Query, ReadOptions, StoreError, Tag, Tags};

use crate::added_tags::AddedTags;
use crate::index::{Place, Search};
use crate::line::{Line, Unescaped};
use crate::log::{Damage, Log};
use crate::scan::is_padding;
use crate::segment::{BAD_LINE, Segment, SegmentFile};

/// How many matches are looked up at first, for reads that want little, and at most.
const BLOCK: Range<usize> = 16..1024;
/// The most bytes that are read at once.
const WINDOW_BYTES: u64 = 256 * 1024;
/// Lines no farther apart than this are read together.
const GAP_BYTES: u64 = 4 * 1024;
/// How many scattered lines are fetched before they are looked at.
const FETCHED_AHEAD: usize = 64;
/// What comes from memory at once.
const CACHE_LINE: usize = 64;
/// A look at a mapped line that takes longer than this waited for the disk.
const FROM_MEMORY: Duration = Duration::from_micros(30);

/// Yields the events of a read. It takes the log's lock only to look up the next block of matches,
/// so that a slow reader holds up nobody.
pub(crate) struct FileCursor<'s> {
    log: &'s RwLock<Log>,
    search: Search,
    backwards: bool,
    /// The positions that are asked for, both included.
    bounds: (u64, u64),
    /// Those in which the next block is looked for.
    low: u64,
    high: u64,
    left: u64,
    /// Whether lines that cannot be read are left out.
    skip_damage: bool,
    /// The first position that was neither yielded nor known not to match.
    passed: u64,
    damage: Vec<Damage>,
    /// Matches in one file, and how many of them were yielded.
    block: Vec<Place>,
    yielded: usize,
    block_size: usize,
    file: Option<Arc<SegmentFile>>,
    /// Whether the whole block is mapped, so that nothing has to be read.
    is_mapped: bool,
    window: Window,
    unescaped: Unescaped,
    /// The tags that were added to past events when the read began.
    added: Arc<AddedTags>,
    /// The tags of an event that got some.
    tags: Vec<Tag>,
}

impl<'s> FileCursor<'s> {
    pub(crate) fn new(
        log: &'s RwLock<Log>,
        query: &Query,
        options: ReadOptions,
        (head, added): (u64, Arc<AddedTags>),
        skip_damage: bool,
    ) -> Self {
        let (low, high) = match (options.backwards, options.from) {
            (false, from) => (from.unwrap_or(0), head),
            (true, from) => (0, from.map_or(head, |from| from.min(head))),
        };
        let left = options.limit.unwrap_or(u64::MAX);
        Self {
            log,
            search: Search::new(query),
            backwards: options.backwards,
            bounds: (low, high),
            low,
            high,
            left,
            skip_damage,
            passed: if options.backwards { high } else { low },
            damage: Vec::new(),
            block: Vec::new(),
            yielded: 0,
            block_size: usize::try_from(left).unwrap_or(usize::MAX).min(BLOCK.start),
            file: None,
            is_mapped: false,
            window: Window::default(),
            unescaped: Unescaped::default(),
            added,
            tags: Vec::new(),
        }
    }

    /// Looks up the next block of matches; false if there are none left.
    fn next_block(&mut self) -> bool {
        self.block.clear();
        self.yielded = 0;
        let log = self.log.read().unwrap_or_else(PoisonError::into_inner);
        while self.low <= self.high {
            let segments = log.segments_between(self.low, self.high);
            let segment = if self.backwards { segments.last() } else { segments.first() };
            let Some(segment) = segment else { break };
            let mut parts = segment.parts(&mut |damage| log.note_damage(damage));
            if self.backwards {
                parts.reverse();
            }
            let positions = (self.low, self.high);
            for part in parts {
                let (search, size) = (&self.search, self.block_size);
                part.find(search, positions, self.backwards, size, &mut self.block);
            }
            // Where the next block goes on: behind this one or, if that is not full, this segment.
            let last = self.block.last().filter(|_| self.block.len() >= self.block_size);
            match (self.backwards, last.map(|place| place.position)) {
                (false, Some(last)) => self.low = last + 1,
                (true, Some(last)) => self.high = last.saturating_sub(1),
                (false, None) => match segments.get(1) {
                    Some(next) => self.low = next.first,
                    None => self.low = self.high + 1,
                },
                (true, None) => self.high = segment.first.saturating_sub(1),
            }
            if !self.added.is_empty() {
                let range = match self.backwards {
                    false => (positions.0, self.low.saturating_sub(1)),
                    true => (positions.0.max(self.high.saturating_add(1)), positions.1),
                };
                merge_added(&log, segment, &self.added, &self.search, range, &mut self.block);
                if self.backwards {
                    self.block.reverse();
                }
            }
            if !self.block.is_empty() {
                self.file = Some(Arc::clone(&segment.file));
                self.window.bytes.clear();
                let end = self.block.iter().map(|place| place.end).max().unwrap_or_default();
                let mapping = segment.file.mapping();
                self.is_mapped = mapping.is_some_and(|mapping| mapping.bytes(0..end).is_some());
                break;
            }
            if self.high == 0 {
                break;
            }
        }
        // The next block is larger: who reads on wants much.
        self.block_size = (self.block_size * 4).min(BLOCK.end);
        self.damage = log.damage().clone();
        drop(log);
        !self.block.is_empty()
    }

    /// Has the lines that come next at hand, where they are not one behind the other: fetched all at
    /// once they come together, from memory as from the disk, instead of one after the other.
    fn fetch_ahead(&self) {
        let ahead = self.block.get(self.yielded..).unwrap_or_default();
        let ahead = ahead.get(..ahead.len().min(FETCHED_AHEAD)).unwrap_or_default();
        let Some(mapping) = self.file.as_ref().and_then(|file| file.mapping()) else { return };
        if ahead.windows(2).all(|pair| matches!(pair, [a, b] if a.end == b.offset)) {
            return;
        }
        let touch = |place: &Place| {
            let line = mapping.bytes(place.offset..place.end).unwrap_or_default();
            line.iter().step_by(CACHE_LINE).fold(0, |all, byte| all ^ byte)
        };
        // If the first has to come from the disk, so have the others.
        let started = Instant::now();
        std::hint::black_box(ahead.first().map(touch));
        if started.elapsed() > FROM_MEMORY {
            ahead.iter().for_each(|place| mapping.will_need(place.offset..place.end));
        }
        std::hint::black_box(ahead.iter().map(touch).fold(0, |all, line| all ^ line));
    }

    /// Goes to the next line that is to be yielded, and has its bytes at hand.
    fn advance(&mut self) -> Result<Option<Place>, StoreError> {
        while self.left > 0 {
            if self.yielded >= self.block.len() && !self.next_block() {
                self.left = 0;
                let (low, high) = self.bounds;
                let end = if self.backwards { low } else { high };
                return self.damage_up_to(end).map_or(Ok(None), |damage| Err(damage.into()));
            }
            let Some(place) = self.block.get(self.yielded).copied() else { break };
            if let Some(damage) = self.damage_up_to(place.position) {
                let error = damage.into();
                self.left = 0;
                return Err(error);
            }
            if self.yielded.is_multiple_of(FETCHED_AHEAD) {
                self.fetch_ahead();
            }
            self.load(place)?;
            self.yielded += 1;
            self.passed = match self.backwards {
                false => place.position + 1,
                true => place.position - 1,
            };
            if self.skip_damage
                && let Some(file) = &self.file
                && event_at(file, &self.window, place, &mut self.unescaped).is_none()
            {
                note_damage(self.log, file, place);
                continue;
            }
            self.left -= 1;
            return Ok(Some(place));
        }
        Ok(None)
    }

    /// Makes sure that the bytes of a line can be had: mapped, or read.
    fn load(&mut self, place: Place) -> Result<(), StoreError> {
        let Some(file) = self.file.as_ref().filter(|_| !self.is_mapped) else { return Ok(()) };
        if bytes_at(file, &self.window, place).is_some() {
            return Ok(());
        }
        // With the line come those that follow it in this block and lie close to it.
        let (mut low, mut high) = (place.offset, place.end);
        for next in self.block.iter().skip(self.yielded) {
            let near = next.offset < high + GAP_BYTES && next.end + GAP_BYTES > low;
            let (new_low, new_high) = (low.min(next.offset), high.max(next.end));
            if !near || new_high - new_low > WINDOW_BYTES {
                break;
            }
            (low, high) = (new_low, new_high);
        }
        let Window { bytes, start } = &mut self.window;
        bytes.resize(usize::try_from(high - low).unwrap_or(0), 0);
        *start = low;
        let got = file.read_at(low, bytes).map_err(|error| file.error("reading", error))?;
        bytes.truncate(got);
        Ok(())
    }

    /// The first damage between what the read has passed and a position.
    fn damage_up_to(&self, position: u64) -> Option<&Damage> {
        if self.skip_damage {
            return None;
        }
        let (from, to) = match self.backwards {
            false => (self.passed, position),
            true => (position, self.passed),
        };
        let touches = |d: &&Damage| d.first_position <= to && d.last_position >= from;
        self.damage.iter().find(touches).filter(|_| from <= to)
    }
}

impl Cursor for FileCursor<'_> {
    fn next(&mut self) -> Result<Option<EventRef<'_>>, StoreError> {
        let Some(place) = self.advance()? else { return Ok(None) };
        let Self { log, file: Some(file), window, unescaped, added, tags, .. } = self else {
            return Ok(None);
        };
        let Some(event) = event_at(file, window, place, unescaped) else {
            return Err((&note_damage(log, file, place)).into());
        };
        let more = added.of(event.position);
        if more.is_empty() {
            return Ok(Some(event));
        }
        tags.clear();
        tags.extend(event.tags.iter().filter_map(|tag| tag.parse::<Tag>().ok()));
        tags.extend_from_slice(more);
        Ok(Some(EventRef { tags: Tags::from_slice(tags), ..event }))
    }
}

/// Makes a block of what the index found in a range of a segment complete: with the events that
/// match by a tag that was added, and without the lines that added them. In order of position.
fn merge_added(
    log: &Log,
    segment: &Segment,
    added: &AddedTags,
    search: &Search,
    range: (u64, u64),
    block: &mut Vec<Place>,
) {
    let by_added = log.matches_by_added(added, search, range);
    block.extend(by_added.into_iter().filter_map(|position| log.place_in(segment, position)));
    block.retain(|place| !added.is_line(place.position));
    block.sort_unstable_by_key(|place| place.position);
    block.dedup();
}

/// Bytes of a file that could not be mapped, and where they start.
#[derive(Debug, Default)]
struct Window {
    bytes: Vec<u8>,
    start: u64,
}

/// The bytes of a line and of the padding behind it, mapped or in the window.
fn bytes_at<'b>(file: &'b SegmentFile, window: &'b Window, place: Place) -> Option<&'b [u8]> {
    let mapped = file.mapping().and_then(|mapping| mapping.bytes(place.offset..place.end));
    mapped.or_else(|| {
        let start = usize::try_from(place.offset.checked_sub(window.start)?).ok()?;
        let len = usize::try_from(place.end - place.offset).ok()?;
        window.bytes.get(start..start.checked_add(len)?)
    })
}

/// The event whose line stands there, if that is what was written.
fn event_at<'b>(
    file: &'b SegmentFile,
    window: &'b Window,
    place: Place,
    unescaped: &'b mut Unescaped,
) -> Option<EventRef<'b>> {
    let mut line = bytes_at(file, window, place)?;
    while let [rest @ .., last] = line
        && is_padding(*last)
    {
        line = rest;
    }
    let event = Line::parse(line, unescaped)?.event;
    (event.position == place.position).then_some(event)
}

/// Notes that a line was whole when it was indexed and is not any more.
fn note_damage(log: &RwLock<Log>, file: &SegmentFile, place: Place) -> Damage {
    let damage = file.damage(place.offset, (place.position, place.position), BAD_LINE);
    log.read().unwrap_or_else(PoisonError::into_inner).note_damage(damage.clone());
    damage
}
