//! The log of one store as one process knows it: its segments, their indexes, and where it ends.

mod damage;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};
use dcb::{Query, StoreError, TAGS_ADDED};

use crate::added_tags::{AddedTags, previous_of};
use crate::archive;
use crate::disk::{Access, Disk};
use crate::index::{Place, Search};
use crate::line::{ChainHash, CommitMark, Line, Unescaped};
use crate::meta::{io_error, is_missing};
use crate::scan::{LineReader, is_padding};
use crate::segment::{BAD_LINE, Segment, SegmentFile, parse, place_of};

pub(crate) use damage::Break;
pub use damage::Damage;

/// The end of the log that is read and checked whenever a store is opened, whatever index files know
/// of it; rounded down to whole segments. It takes some milliseconds. Unit tests have small stores.
const REREAD_BYTES: u64 = if cfg!(test) { 4 * 1024 } else { 2 * 1024 * 1024 };

/// The end of the log, where the next commit goes. It holds no borrow, so that nobody waits for the
/// log while a commit is written.
#[derive(Clone, Debug)]
pub(crate) struct End {
    pub(crate) head: u64,
    pub(crate) hash: ChainHash,
    pub(crate) last_time: DateTime<Utc>,
    /// The last segment, if there is one.
    pub(crate) segment: Option<LastSegment>,
}

/// The last segment and where it ends.
#[derive(Clone, Debug)]
pub(crate) struct LastSegment {
    pub(crate) first: u64,
    pub(crate) file: Arc<SegmentFile>,
    pub(crate) end: u64,
}

/// The log of a store.
#[derive(Debug)]
pub(crate) struct Log {
    dir: PathBuf,
    indices: PathBuf,
    /// From which size on a segment is followed by another.
    segment_bytes: u64,
    pub(crate) segments: Vec<Segment>,
    /// The position of the last event.
    pub(crate) head: u64,
    /// The hash of the last commit.
    pub(crate) hash: ChainHash,
    /// The recording time of the last event.
    pub(crate) last_time: DateTime<Utc>,
    /// The tags that were added to past events, also by what is only staged.
    added: Arc<AddedTags>,
    /// What is known not to be readable. A read may find some that nobody knew of.
    damage: Mutex<Vec<Damage>>,
    /// Whether the log could not be read to its end, so that where it goes on is not known.
    pub(crate) is_broken: bool,
    /// Whether there is a segment that this user may not write.
    pub(crate) protected: bool,
}

impl Log {
    /// The log of the store in a folder, of which nothing has been read yet.
    pub(crate) fn new(store: &Path, segment_bytes: u64) -> Self {
        Self {
            dir: store.join("events"),
            indices: store.join("indices"),
            segment_bytes,
            segments: Vec::new(),
            head: 0,
            hash: ChainHash::START,
            last_time: DateTime::UNIX_EPOCH,
            added: Arc::default(),
            damage: Mutex::default(),
            is_broken: false,
            protected: false,
        }
    }

    /// The path of the segment that starts at a position.
    pub(crate) fn segment_path(&self, first: u64) -> PathBuf {
        self.dir.join(format!("{first:010}.jsonl"))
    }

    /// The path of the index of the segment that starts at a position.
    pub(crate) fn index_path(&self, first: u64) -> PathBuf {
        self.indices.join(format!("{first:010}.idx"))
    }

    /// Reads on from where this log ends, until its head is `until` or the files end. Whole commits
    /// are taken in; at the first thing that is not one the reading stops and tells.
    ///
    /// Lines at or below `indexed` are not read where an index file knows them.
    pub(crate) fn read_on(
        &mut self,
        disk: &dyn Disk,
        until: u64,
        indexed: u64,
    ) -> Result<Option<Break>, StoreError> {
        let mut listed = false;
        let mut segment = self.segments.iter().rposition(|s| s.end > 0).unwrap_or(0);
        loop {
            if segment < self.segments.len() {
                match self.read_segment(disk, segment, until, indexed) {
                    Ok(None) => {
                        segment += 1;
                        // It is full, so somebody has written its index, or is about to.
                        if segment < self.segments.len() {
                            self.release(disk, segment - 1, indexed);
                        }
                    }
                    // Of a commit that was read in part nothing stays.
                    stopped => {
                        self.forget_above_head(segment);
                        return stopped;
                    }
                }
            }
            if self.head >= until {
                return Ok(None);
            }
            if segment == self.segments.len() {
                if listed {
                    return Ok(None);
                }
                self.find_segments(disk)?;
                listed = true;
                if segment == self.segments.len() {
                    return Ok(None);
                }
                if let Some(full) = segment.checked_sub(1) {
                    self.release(disk, full, indexed);
                }
            }
        }
    }

    fn forget_above_head(&mut self, from_segment: usize) {
        for segment in self.segments.iter_mut().skip(from_segment) {
            segment.recent.truncate_above(self.head);
        }
        if self.added.position() > self.head {
            Arc::make_mut(&mut self.added).truncate_above(self.head);
        }
    }

    /// Lets go of what is kept in memory about a segment, if an index file has it. Lines above
    /// `indexed` may not be what that file was made of.
    pub(crate) fn release(&mut self, disk: &dyn Disk, number: usize, indexed: u64) {
        let Some(segment) = self.segments.get(number) else { return };
        let path = self.index_path(segment.first);
        if let Some(segment) = self.segments.get_mut(number).filter(|s| !s.recent.is_empty()) {
            segment.adopt(disk, &path, indexed.min(self.head));
        }
    }

    /// Takes in what somebody else has read and found to be whole: of each of the first segments up
    /// to an end. None of it gets indexed.
    pub(crate) fn take_as_read(&mut self, ends: &[u64], head: u64, hash: ChainHash) {
        for (segment, end) in self.segments.iter_mut().zip(ends) {
            segment.end = *end;
        }
        (self.head, self.hash) = (head, hash);
    }

    /// Opens the segments that are not open yet. Files of other names are none of ours.
    pub(crate) fn find_segments(&mut self, disk: &dyn Disk) -> Result<(), StoreError> {
        let names = match disk.list(&self.dir) {
            Ok(names) => names,
            Err(error) if is_missing(&error) => Vec::new(),
            Err(error) => return Err(io_error("listing", &self.dir, error)),
        };
        let after = self.segments.last().map_or(0, |segment| segment.first);
        let mut firsts: Vec<u64> = names
            .iter()
            .filter_map(|name| archive::segment_of(name).filter(|first| *first > after))
            .collect();
        firsts.sort_unstable();
        firsts.dedup();
        let last = firsts.last().copied();
        for first in firsts {
            self.open_segment(disk, first, Some(first) == last)?;
        }
        // What damage there is, is most likely where was written last.
        let mut size = 0;
        for segment in self.segments.iter_mut().rev() {
            size += segment.file.size().map_err(|error| segment.file.error("reading", error))?;
            if size > REREAD_BYTES {
                break;
            }
            segment.is_reread = true;
        }
        Ok(())
    }

    /// Takes in a segment of which nothing has been read yet.
    pub(crate) fn begin_segment(&mut self, segment: &LastSegment) {
        self.segments.push(Segment::new(segment.first, Arc::clone(&segment.file)));
    }

    /// Makes the file of a new segment, without taking it in.
    pub(crate) fn create_segment(
        &self,
        disk: &dyn Disk,
        first: u64,
    ) -> Result<LastSegment, StoreError> {
        let path = self.segment_path(first);
        let file = disk.open(&path, Access::Create);
        let file = file.map_err(|error| io_error("creating", &path, error))?;
        let file = Arc::new(SegmentFile::new(path, file, self.segment_bytes));
        Ok(LastSegment { first, file, end: 0 })
    }

    fn open_segment(
        &mut self,
        disk: &dyn Disk,
        first: u64,
        is_last: bool,
    ) -> Result<(), StoreError> {
        let path = self.segment_path(first);
        // What cannot be written can still be read. Full segments may be protected; if the last one
        // is, so is the folder.
        let (path, file) = archive::open(disk, &path, Access::Write)
            .or_else(|error| {
                self.protected |= is_last;
                archive::open(disk, &path, Access::Read).map_err(|_| error)
            })
            .map_err(|error| io_error("opening", &path, error))?;
        let file = Arc::new(SegmentFile::new(path, file, self.segment_bytes));
        self.begin_segment(&LastSegment { first, file, end: 0 });
        Ok(())
    }

    fn read_segment(
        &mut self,
        disk: &dyn Disk,
        number: usize,
        until: u64,
        indexed: u64,
    ) -> Result<Option<Break>, StoreError> {
        let index_path = self.segments.get(number).map(|segment| self.index_path(segment.first));
        let (Some(segment), Some(index_path)) = (self.segments.get_mut(number), index_path) else {
            return Ok(None);
        };
        if segment.end == 0 {
            if segment.first != self.head + 1 {
                let reason = match segment.first > self.head {
                    true => {
                        format!("positions {} to {} are missing", self.head + 1, segment.first - 1)
                    }
                    false => "the file's name is not the position of its first event".into(),
                };
                let position = self.head + 1;
                return Ok(Some(Break {
                    segment: number,
                    position,
                    offset: 0,
                    shown_at: 0,
                    may_be_torn: false,
                    reason,
                }));
            }
            let indexed = if segment.is_reread { 0 } else { until.min(indexed) };
            if let Some(covered) = segment.adopt(disk, &index_path, indexed) {
                (self.head, self.hash) = (covered.head, covered.hash);
                self.last_time = self.last_time.max(covered.last_time);
                self.recall_added(covered.tags_added);
            }
        }
        let Some(segment) = self.segments.get_mut(number) else { return Ok(None) };
        let mut reader = LineReader::new(&**segment.file, segment.end, u64::MAX);
        let commit_break = |position, offset, shown_at, reason: &str| {
            let reason = reason.into();
            Some(Break { segment: number, position, offset, shown_at, may_be_torn: true, reason })
        };
        // The commit that is being read: where it starts and which position comes next.
        let mut commit_offset = None;
        let mut next = self.head + 1;
        let mut unescaped = Unescaped::default();
        while self.head < until {
            let raw = reader.next_line().map_err(|error| segment.file.error("reading", error))?;
            let Some(raw) = raw else { break };
            let offset = *commit_offset.get_or_insert(raw.offset);
            let Some(line) = parse(&raw, &mut unescaped) else {
                return Ok(commit_break(next, offset, raw.offset, BAD_LINE));
            };
            let event = line.event;
            if event.position != next {
                let reason = format!("position {} stands where {next} should", event.position);
                return Ok(commit_break(next, offset, raw.offset, &reason));
            }
            let place = place_of(&raw, event.position);
            segment.recent.push(event.event_type, event.tags.iter(), place);
            if event.event_type == TAGS_ADDED {
                Arc::make_mut(&mut self.added).push(event.position, event.data);
            }
            next += 1;
            if let Some(CommitMark { first, group, hash }) = line.commit {
                if first != self.head + 1 || group > first {
                    let reason = "the commit does not start where it says";
                    return Ok(commit_break(event.position, offset, raw.offset, reason));
                }
                self.head = event.position;
                self.hash = *hash;
                self.last_time = line.timestamp().unwrap_or(self.last_time).max(self.last_time);
                segment.end = raw.end();
                commit_offset = None;
            }
        }
        match commit_offset {
            Some(offset) => {
                let reason = "the file ends in the middle of a commit";
                Ok(commit_break(next, offset, reader.offset(), reason))
            }
            None => Ok(None),
        }
    }

    /// Whether something stands where the next commit goes, or that place is not the end: then the
    /// watermark is not of this log, or of one that this process has not seen all of, and the log
    /// has to be read to its very end. `segment` is the one in which the watermark says that it ends.
    pub(crate) fn goes_on_behind_its_end(&self, segment: u64) -> Result<bool, StoreError> {
        let Some(last) = self.segments.last() else { return Ok(segment > 0) };
        // It may have been made by a writer that came no further: nobody goes on in the one before.
        if last.first != segment || last.end == 0 && last.first != self.head + 1 {
            return Ok(true);
        }
        let next = last.file.peek::<16>(last.end);
        let next = next.map_err(|error| last.file.error("reading", error))?;
        Ok(next.iter().any(|byte| !is_padding(*byte)))
    }

    /// Where the next commit goes.
    pub(crate) fn end(&self) -> End {
        let segment = self.segments.last().map(|last| LastSegment {
            first: last.first,
            file: Arc::clone(&last.file),
            end: last.end,
        });
        End { head: self.head, hash: self.hash, last_time: self.last_time, segment }
    }

    /// The segments that hold positions between two, both included, in order.
    pub(crate) fn segments_between(&self, low: u64, high: u64) -> &[Segment] {
        let start = self.segments.partition_point(|segment| segment.first <= low);
        let end = self.segments.partition_point(|segment| segment.first <= high);
        self.segments.get(start.saturating_sub(1)..end).unwrap_or_default()
    }

    /// The first event that matches between two positions, both included; above the head also among
    /// those that are only staged.
    pub(crate) fn first_match(&self, search: &Search, low: u64, high: u64) -> Option<u64> {
        let mut found = self.first_line(search, low, high);
        if self.added.is_empty() {
            return found;
        }
        while let Some(line) = found.filter(|position| self.added.is_line(*position)) {
            found = self.first_line(search, line + 1, high);
        }
        let by_added = self.matches_by_added(&self.added, search, (low, high));
        found.into_iter().chain(by_added.first().copied()).min()
    }

    /// The first line that the indexes find between two positions.
    fn first_line(&self, search: &Search, low: u64, high: u64) -> Option<u64> {
        let mut found = Vec::new();
        for segment in self.segments_between(low, high) {
            for part in segment.parts(&mut |damage| self.note_damage(damage)) {
                part.find(search, (low, high), false, 1, &mut found);
                if let Some(place) = found.first() {
                    return Some(place.position);
                }
            }
        }
        None
    }

    /// How many events match between two positions, both included.
    pub(crate) fn count(&self, search: &Search, low: u64, high: u64) -> u64 {
        let segments = self.segments_between(low, high);
        let parts = segments.iter().flat_map(|s| s.parts(&mut |damage| self.note_damage(damage)));
        let lines: u64 = parts.map(|part| part.count(search, (low, high))).sum();
        if self.added.is_empty() {
            return lines;
        }
        let is_counted = |position: &u64| self.first_line(search, *position, *position).is_some();
        let no_events = self.added.lines_between(low, high).filter(is_counted).count() as u64;
        let by_added = self.matches_by_added(&self.added, search, (low, high));
        lines - no_events + by_added.iter().filter(|position| !is_counted(position)).count() as u64
    }

    /// The tags that were added to past events up to the head.
    pub(crate) fn added(&self) -> Arc<AddedTags> {
        let mut added = Arc::clone(&self.added);
        if added.position() > self.head {
            Arc::make_mut(&mut added).truncate_above(self.head);
        }
        added
    }

    /// The position of the last line that added tags, also if it is only staged.
    pub(crate) fn tags_added_at(&self) -> u64 {
        self.added.position()
    }

    /// The positions of the events between two, both included, that match by an added tag; in order.
    pub(crate) fn matches_by_added(
        &self,
        added: &AddedTags,
        search: &Search,
        positions: (u64, u64),
    ) -> Vec<u64> {
        added.matches(search.query(), positions, |position, tag| {
            let query = Query::tags([tag.clone()]);
            query.is_ok_and(|q| self.first_line(&Search::new(&q), position, position).is_some())
        })
    }

    /// Takes in lines that added tags and that nobody read, because an index file covers them: the
    /// last of them stands at a position, and each commit says where the one before it is.
    fn recall_added(&mut self, last: u64) {
        let mut commits = Vec::new();
        let mut at = last;
        while at > self.added.position() {
            let Some(lines) = self.commit_at(at) else {
                let segment = self.segments.partition_point(|segment| segment.first <= at);
                let damage =
                    self.damage_at(segment.saturating_sub(1), 0, (at, at), "it cannot be read");
                return self.note_damage(damage);
            };
            let previous = lines.first().map_or(0, |(_, data)| previous_of(data));
            at = previous.min(at - 1);
            commits.push(lines);
        }
        if !commits.is_empty() {
            let added = Arc::make_mut(&mut self.added);
            commits.iter().rev().flatten().for_each(|(position, data)| added.push(*position, data));
        }
    }

    /// Where the line at a position of a segment stands.
    pub(crate) fn place_in(&self, segment: &Segment, position: u64) -> Option<Place> {
        segment.place_of(position, &mut |damage| self.note_damage(damage))
    }

    /// The position and the data of each line of the commit that ends at a position.
    fn commit_at(&self, last: u64) -> Option<Vec<(u64, String)>> {
        let segment = self.segments_between(last, last).last()?;
        let read = |position| {
            let place = self.place_in(segment, position)?;
            let len = usize::try_from(place.end - place.offset).ok()?;
            let mut bytes = vec![0; len];
            let got = segment.file.read_at(place.offset, &mut bytes).ok()?;
            bytes.truncate(got);
            bytes.truncate(bytes.iter().rposition(|byte| !is_padding(*byte))? + 1);
            let mut unescaped = Unescaped::default();
            let Line { event, commit } = Line::parse(&bytes, &mut unescaped)?;
            let first = commit.map(|mark| mark.first);
            (event.position == position).then(|| (first, event.data.to_owned()))
        };
        let first = read(last)?.0?;
        (first..=last).map(|position| Some((position, read(position)?.1))).collect()
    }

    /// Indexes an event that is about to be written to the last segment, so that the conditions of
    /// those that follow in its group find it. Readers do not see it yet.
    pub(crate) fn stage<'t>(
        &mut self,
        event_type: &str,
        tags: impl Iterator<Item = &'t str>,
        place: Place,
    ) {
        if let Some(segment) = self.segments.last_mut() {
            segment.recent.push(event_type, tags, place);
        }
    }

    /// The same for what a line that adds tags to past events says.
    pub(crate) fn stage_added(&mut self, position: u64, data: &str) {
        Arc::make_mut(&mut self.added).push(position, data);
    }

    /// Lets readers see what was staged, now that it is written.
    pub(crate) fn publish(&mut self, end: &End) {
        (self.head, self.hash, self.last_time) = (end.head, end.hash, end.last_time);
        if let (Some(segment), Some(last)) = (self.segments.last_mut(), &end.segment) {
            segment.end = last.end;
        }
    }

    /// Forgets what was staged.
    pub(crate) fn unstage(&mut self) {
        self.forget_above_head(self.segments.len().saturating_sub(1));
    }

    /// The number of the last segment, and how many bytes of it no index file knows.
    pub(crate) fn unindexed_end(&self) -> (usize, u64) {
        let bytes = self.segments.last().map_or(0, |last| last.end - last.indexed_end());
        (self.segments.len().saturating_sub(1), bytes)
    }

    /// How many segments an index file knows whole.
    pub(crate) fn indexed_segments(&self) -> u64 {
        let is_indexed = |segment: &&Segment| segment.indexed_end() == segment.end;
        self.segments.iter().filter(|s| s.end > 0).filter(is_indexed).count() as u64
    }

    /// The numbers of those segments before the last that no index file knows whole.
    pub(crate) fn unindexed_segments(&self) -> Vec<usize> {
        let full = self.segments.len().saturating_sub(1);
        let segments = self.segments.iter().enumerate().take(full);
        segments.filter(|(_, s)| s.indexed_end() < s.end).map(|(number, _)| number).collect()
    }

    /// Writes the index of a segment to a file. One that cannot be written is made again from the
    /// log by whoever needs it.
    pub(crate) fn write_index(&self, disk: &dyn Disk, number: usize) -> Result<(), StoreError> {
        let Some(segment) = self.segments.get(number) else { return Ok(()) };
        disk.create_dir(&self.indices)
            .map_err(|error| io_error("creating", &self.indices, error))?;
        let note = &mut |damage| self.note_damage(damage);
        segment.write_index(disk, &self.index_path(segment.first), &self.added, note)
    }
}
