//! A read under way.

use std::sync::{PoisonError, RwLock};

use dcb::{Cursor, EventRef, Query, ReadOptions, StoreError};

use crate::index::{Matches, Place};
use crate::line::{Line, Unescaped};
use crate::log::{Damage, Log, Segment};
use crate::meta::io_error;

/// The most matches that are looked up at once.
const BLOCK: usize = 1024;
/// The most bytes that are read at once.
const WINDOW_BYTES: u64 = 256 * 1024;
/// Lines no farther apart than this are read together.
const GAP_BYTES: u64 = 4 * 1024;

/// Yields the events of a read. It takes the log's lock only to look up the next block of matches
/// and to read the next window of bytes, so that a slow reader holds up nobody.
pub(crate) struct FileCursor<'s> {
    log: &'s RwLock<Log>,
    query: Query,
    backwards: bool,
    /// The positions still to be looked at: from the first to the last, both included.
    low: u64,
    high: u64,
    left: u64,
    skip_damage: bool,
    /// The segment that is being searched and the search in it.
    segment: usize,
    matches: Option<Matches>,
    started: bool,
    block: Vec<Place>,
    /// How many of `block` were yielded.
    yielded: usize,
    block_size: usize,
    /// Bytes of the segment's file, and where they start.
    window: Vec<u8>,
    window_start: u64,
    unescaped: Unescaped,
}

impl<'s> FileCursor<'s> {
    pub(crate) fn new(
        log: &'s RwLock<Log>,
        query: &Query,
        options: ReadOptions,
        head: u64,
        skip_damage: bool,
    ) -> Self {
        let (low, high) = match (options.backwards, options.from) {
            (false, from) => (from.unwrap_or(0), head),
            (true, from) => (0, from.map_or(head, |from| from.min(head))),
        };
        let left = options.limit.unwrap_or(u64::MAX);
        Self {
            log,
            query: query.clone(),
            backwards: options.backwards,
            low,
            high,
            left,
            skip_damage,
            segment: 0,
            matches: None,
            started: false,
            block: Vec::new(),
            yielded: 0,
            block_size: usize::try_from(left.min(16)).unwrap_or(16),
            window: Vec::new(),
            window_start: 0,
            unescaped: Unescaped::default(),
        }
    }

    /// Looks up the next block of matches; false if there are none left.
    fn next_block(&mut self, log: &Log) -> bool {
        self.block.clear();
        self.yielded = 0;
        if self.low > self.high {
            return false;
        }
        loop {
            if self.matches.is_none() && !self.next_segment(log) {
                return false;
            }
            let (Some(matches), Some(segment)) =
                (self.matches.as_mut(), log.segments.get(self.segment))
            else {
                return false;
            };
            segment.index.collect(matches, self.block_size, &mut self.block);
            if !self.block.is_empty() {
                // The first block is small, for reads that want little; then they grow.
                self.block_size = (self.block_size * 4).min(BLOCK);
                return true;
            }
            self.matches = None;
        }
    }

    /// Goes to the next segment that reaches into the range, in the direction of the read.
    fn next_segment(&mut self, log: &Log) -> bool {
        let inside = |segment: &Segment, position| segment.first <= position;
        let next = match (self.started, self.backwards) {
            (false, false) => log.segments.partition_point(|s| inside(s, self.low)).checked_sub(1),
            (false, true) => log.segments.partition_point(|s| inside(s, self.high)).checked_sub(1),
            (true, false) => Some(self.segment + 1),
            (true, true) => self.segment.checked_sub(1),
        };
        // A range that begins before the first segment begins in it.
        let next = match (next, self.started, self.backwards) {
            (None, false, false) => 0,
            (None, ..) => return false,
            (Some(next), ..) => next,
        };
        self.started = true;
        let Some(segment) = log.segments.get(next) else { return false };
        let range = (
            segment.index.slot_from(self.low),
            segment.index.slot_from(self.high.saturating_add(1)),
        );
        self.segment = next;
        self.window.clear();
        self.matches = Some(segment.index.matches(&self.query, range, self.backwards));
        true
    }

    /// Makes sure that the bytes of a line are in the window.
    fn load(&mut self, log: &Log, place: Place) -> Result<(), StoreError> {
        let end = place.offset + u64::from(place.len);
        let window_end = self.window_start + self.window.len() as u64;
        if !self.window.is_empty() && place.offset >= self.window_start && end <= window_end {
            return Ok(());
        }
        // With the line come those that follow it in this block and lie close to it.
        let (mut low, mut high) = (place.offset, end);
        for next in self.block.iter().skip(self.yielded) {
            let next_end = next.offset + u64::from(next.len);
            let near = next.offset < high + GAP_BYTES && next_end + GAP_BYTES > low;
            let (new_low, new_high) = (low.min(next.offset), high.max(next_end));
            if !near || new_high - new_low > WINDOW_BYTES {
                break;
            }
            (low, high) = (new_low, new_high);
        }
        let Some(segment) = log.segments.get(self.segment) else { return Ok(()) };
        self.window.resize(usize::try_from(high - low).unwrap_or(0), 0);
        self.window_start = low;
        let got = segment
            .file
            .read_at(low, &mut self.window)
            .map_err(|error| io_error("reading", &segment.path, error))?;
        self.window.truncate(got);
        Ok(())
    }

    /// The first damage between what was yielded and `position`, in the direction of the read.
    fn damage_before<'l>(&self, log: &'l Log, position: u64) -> Option<&'l Damage> {
        if self.skip_damage || log.damage.is_empty() {
            return None;
        }
        let (from, to) = match self.backwards {
            false => (self.low, position),
            true => (position, self.high),
        };
        log.damage.iter().find(|d| d.first_position <= to && d.last_position >= from)
    }
}

impl Cursor for FileCursor<'_> {
    fn next(&mut self) -> Result<Option<EventRef<'_>>, StoreError> {
        if self.left == 0 {
            return Ok(None);
        }
        let lock = self.log;
        let log = lock.read().unwrap_or_else(PoisonError::into_inner);
        if self.yielded >= self.block.len() && !self.next_block(&log) {
            let end = if self.backwards { self.low } else { self.high };
            let damage = (self.low <= self.high).then(|| self.damage_before(&log, end)).flatten();
            self.left = 0;
            return damage.map_or(Ok(None), |damage| Err(damage.into()));
        }
        let Some(place) = self.block.get(self.yielded).copied() else { return Ok(None) };
        if let Some(damage) = self.damage_before(&log, place.position) {
            self.left = 0;
            return Err(damage.into());
        }
        self.load(&log, place)?;
        self.yielded += 1;
        self.left -= 1;
        match self.backwards {
            false => self.low = place.position + 1,
            true => self.high = place.position - 1,
        }
        let start = usize::try_from(place.offset - self.window_start).unwrap_or(usize::MAX);
        let bytes = self.window.get(start..).and_then(|rest| rest.get(..place.len as usize));
        match bytes.and_then(Line::parse).filter(|line| line.position == place.position) {
            Some(line) => Ok(Some(line.into_event(&mut self.unescaped))),
            None => {
                self.left = 0;
                Err((&changed_since_opened(&log, self.segment, place)).into())
            }
        }
    }
}

/// What was whole when it was indexed and is not any more.
fn changed_since_opened(log: &Log, segment: usize, place: Place) -> Damage {
    Damage {
        file: log.segments.get(segment).map(|s| s.path.to_path_buf()).unwrap_or_default(),
        line: place.line_number,
        first_position: place.position,
        last_position: place.position,
        reason: "the line is not what was written".into(),
    }
}
