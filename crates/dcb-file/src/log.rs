//! The log of one store as one process knows it: its segments, their indexes, and where it ends.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use dcb::{Query, StoreError};
use serde::Serialize;

use crate::disk::{Access, Disk, DiskFile};
use crate::index::{Place, SegmentIndex};
use crate::line::{ChainHash, CommitMark, Line};
use crate::meta::{io_error, is_missing};
use crate::scan::{LineReader, RawLine, is_padding};

/// A file of the log and what this process knows of it.
#[derive(Debug)]
pub(crate) struct Segment {
    /// The position of its first event; its name.
    pub(crate) first: u64,
    pub(crate) path: Arc<Path>,
    pub(crate) file: Arc<dyn DiskFile>,
    /// Where its last known commit ends; the next one starts there.
    pub(crate) end: u64,
    /// The number of the physical line at `end`.
    end_line: u64,
    /// The same behind what is staged.
    next_line: u64,
    pub(crate) index: SegmentIndex,
}

/// A stretch of the log that is not what was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Damage {
    /// The file.
    pub file: PathBuf,
    /// The physical line in it, from 1.
    pub line: u64,
    /// The first position that cannot be read.
    pub first_position: u64,
    /// The last position that cannot be read.
    pub last_position: u64,
    /// What is wrong.
    pub reason: String,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file.display(), self.line, self.reason)
    }
}

impl From<&Damage> for StoreError {
    fn from(damage: &Damage) -> Self {
        let positions = match damage.last_position - damage.first_position {
            0 => format!("position {}", damage.first_position),
            _ => format!("positions {} to {}", damage.first_position, damage.last_position),
        };
        StoreError::Damaged {
            place: format!("{}:{}", damage.file.display(), damage.line),
            reason: format!("{} ({positions})", damage.reason),
        }
    }
}

/// Where the log stops being whole: behind the last whole commit, before the end of the file.
#[derive(Debug)]
pub(crate) struct Break {
    /// The number of the segment, from 0.
    pub(crate) segment: usize,
    /// The position that the line there should have.
    pub(crate) position: u64,
    /// Where the commit that is not whole starts.
    pub(crate) offset: u64,
    /// The physical line that shows it.
    pub(crate) line: u64,
    /// Whether a dying writer may have left it so: by a line that is not whole, but not by a file
    /// that is missing or has the wrong name.
    pub(crate) may_be_torn: bool,
    pub(crate) reason: String,
}

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
    pub(crate) path: Arc<Path>,
    pub(crate) file: Arc<dyn DiskFile>,
    pub(crate) end: u64,
}

/// The log of a store.
#[derive(Debug)]
pub(crate) struct Log {
    dir: PathBuf,
    pub(crate) segments: Vec<Segment>,
    /// The position of the last event.
    pub(crate) head: u64,
    /// The hash of the last commit.
    pub(crate) hash: ChainHash,
    /// The recording time of the last event.
    pub(crate) last_time: DateTime<Utc>,
    /// What cannot be read, in order of position.
    pub(crate) damage: Vec<Damage>,
    /// Whether there is a segment that this user may not write.
    pub(crate) protected: bool,
}

impl Log {
    /// A log of which nothing has been read yet.
    pub(crate) fn new(dir: PathBuf) -> Self {
        Self {
            dir,
            segments: Vec::new(),
            head: 0,
            hash: ChainHash::START,
            last_time: DateTime::UNIX_EPOCH,
            damage: Vec::new(),
            protected: false,
        }
    }

    /// The name of the segment that starts at a position.
    pub(crate) fn segment_path(dir: &Path, first: u64) -> PathBuf {
        dir.join(segment_name(first))
    }

    /// Reads on from where this log ends, until its head is `until` or the files end. Whole commits
    /// are taken in; at the first thing that is not one the reading stops and tells.
    pub(crate) fn read_on(
        &mut self,
        disk: &dyn Disk,
        until: u64,
    ) -> Result<Option<Break>, StoreError> {
        let mut listed = false;
        let mut segment = self.segments.len().saturating_sub(1);
        loop {
            if segment < self.segments.len() {
                match self.read_segment(segment, until) {
                    Ok(None) => segment += 1,
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
            }
        }
    }

    fn forget_above_head(&mut self, from_segment: usize) {
        for segment in self.segments.iter_mut().skip(from_segment) {
            segment.index.truncate_above(self.head);
        }
    }

    /// Opens the segments that are not open yet. Files of other names are none of ours.
    fn find_segments(&mut self, disk: &dyn Disk) -> Result<(), StoreError> {
        let names = match disk.list(&self.dir) {
            Ok(names) => names,
            Err(error) if is_missing(&error) => Vec::new(),
            Err(error) => return Err(io_error("listing", &self.dir, error)),
        };
        let after = self.segments.last().map_or(0, |segment| segment.first);
        let mut firsts: Vec<u64> = names
            .iter()
            .filter_map(|name| {
                let first = name.strip_suffix(".jsonl")?.parse().ok()?;
                (segment_name(first) == *name && first > after).then_some(first)
            })
            .collect();
        firsts.sort_unstable();
        for first in firsts {
            self.open_segment(disk, first)?;
        }
        Ok(())
    }

    /// Takes in a segment of which nothing has been read yet.
    pub(crate) fn begin_segment(&mut self, segment: &LastSegment) {
        let LastSegment { first, path, file, .. } = segment.clone();
        let index = SegmentIndex::default();
        self.segments.push(Segment { first, path, file, end: 0, end_line: 1, next_line: 1, index });
    }

    fn open_segment(&mut self, disk: &dyn Disk, first: u64) -> Result<(), StoreError> {
        let path = Self::segment_path(&self.dir, first);
        // What cannot be written, because the folder is protected, can still be read.
        let file = disk
            .open(&path, Access::Write)
            .or_else(|error| {
                self.protected = true;
                disk.open(&path, Access::Read).map_err(|_| error)
            })
            .map_err(|error| io_error("opening", &path, error))?;
        self.begin_segment(&LastSegment { first, path: path.into(), file: file.into(), end: 0 });
        Ok(())
    }

    fn read_segment(&mut self, number: usize, until: u64) -> Result<Option<Break>, StoreError> {
        let Some(segment) = self.segments.get_mut(number) else { return Ok(None) };
        if segment.end == 0 && segment.first != self.head + 1 {
            let reason = match segment.first > self.head {
                true => format!("positions {} to {} are missing", self.head + 1, segment.first - 1),
                false => "the file's name is not the position of its first event".into(),
            };
            let position = self.head + 1;
            return Ok(Some(Break {
                segment: number,
                position,
                offset: 0,
                line: 1,
                may_be_torn: false,
                reason,
            }));
        }
        let (start, start_line) = (segment.end, segment.end_line);
        let mut reader = LineReader::new(&*segment.file, start, start_line, u64::MAX);
        let commit_break = |position, offset, line, reason: &str| {
            let reason = reason.into();
            Some(Break { segment: number, position, offset, line, may_be_torn: true, reason })
        };
        // The commit that is being read: where it starts and which position comes next.
        let mut commit_offset = None;
        let mut next = self.head + 1;
        while self.head < until {
            let raw =
                reader.next_line().map_err(|error| io_error("reading", &segment.path, error))?;
            let Some(raw) = raw else { break };
            let offset = *commit_offset.get_or_insert(raw.offset);
            let Some(line) = parse(&raw) else {
                return Ok(commit_break(next, offset, raw.number, BAD_LINE));
            };
            if line.position != next {
                let reason = format!("position {} stands where {next} should", line.position);
                return Ok(commit_break(next, offset, raw.number, &reason));
            }
            segment.index.push(&line.event(), place_of(&raw, line.position));
            next += 1;
            if let Some(CommitMark { first, group, hash }) = line.commit {
                if first != self.head + 1 || group > first {
                    let reason = "the commit does not start where it says";
                    return Ok(commit_break(line.position, offset, raw.number, reason));
                }
                self.head = line.position;
                self.hash = hash;
                self.last_time = line.timestamp().unwrap_or(self.last_time).max(self.last_time);
                segment.end = raw.end();
                segment.end_line = raw.number + 1;
                segment.next_line = segment.end_line;
                commit_offset = None;
            }
        }
        match commit_offset {
            Some(offset) => {
                let reason = "the file ends in the middle of a commit";
                Ok(commit_break(next, offset, reader.line_number(), reason))
            }
            None => Ok(None),
        }
    }

    /// Whether something stands where the next commit goes, or that place is not the end: then the
    /// watermark is not of this log, and the log has to be read to its very end.
    pub(crate) fn goes_on_behind_its_end(&self) -> Result<bool, StoreError> {
        let Some(last) = self.segments.last() else { return Ok(false) };
        if last.end == 0 && last.first != self.head + 1 {
            return Ok(true);
        }
        let mut next = [0; 16];
        let got = last
            .file
            .read_at(last.end, &mut next)
            .map_err(|error| io_error("reading", &last.path, error))?;
        Ok(next.iter().take(got).any(|byte| !is_padding(*byte)))
    }

    /// Where the next commit goes.
    pub(crate) fn end(&self) -> End {
        let segment = self.segments.last().map(|last| LastSegment {
            first: last.first,
            path: Arc::clone(&last.path),
            file: Arc::clone(&last.file),
            end: last.end,
        });
        End { head: self.head, hash: self.hash, last_time: self.last_time, segment }
    }

    /// The break at the end of a log that should go on.
    pub(crate) fn missing_end(&self) -> Break {
        let last = self.segments.last();
        Break {
            segment: self.segments.len().saturating_sub(1),
            position: self.head + 1,
            offset: last.map_or(0, |segment| segment.end),
            line: last.map_or(1, |segment| segment.end_line),
            may_be_torn: false,
            reason: "events that were there are missing at the end".into(),
        }
    }

    /// The damage of a log that is whole but not the one that the ledger speaks of.
    pub(crate) fn other_history(&self) -> Damage {
        let last = self.segments.last();
        Damage {
            file: last.map_or_else(|| self.dir.clone(), |segment| segment.path.to_path_buf()),
            line: last.map_or(1, |segment| segment.end_line.saturating_sub(1)),
            first_position: self.head,
            last_position: self.head,
            reason:
                "the last commit's hash is not the one in ledger.json; files of another store, \
                     or of another time, were put here"
                    .into(),
        }
    }

    /// Whether a whole commit of a later group stands behind a break. Then the group at the break
    /// had been synced before, and what is wrong there is damage.
    pub(crate) fn has_later_group(&self, broken: &Break) -> Result<bool, StoreError> {
        let segments = self.segments.iter().skip(broken.segment);
        let mut offset = broken.offset;
        for segment in segments {
            let mut reader = LineReader::new(&*segment.file, offset, 1, u64::MAX);
            offset = 0;
            // The run of good lines with consecutive positions that ends at this line.
            let mut run: Option<(u64, u64)> = None;
            while let Some(raw) =
                reader.next_line().map_err(|error| io_error("reading", &segment.path, error))?
            {
                let Some(line) = parse(&raw) else {
                    run = None;
                    continue;
                };
                let first = match run {
                    Some((first, last)) if last + 1 == line.position => first,
                    _ => line.position,
                };
                run = Some((first, line.position));
                if let Some(mark) = line.commit
                    && mark.first >= first
                    && mark.group > broken.position
                {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Takes in every good line from a break on and notes what cannot be read. `durable` is the
    /// position up to which the log is known to have been written.
    pub(crate) fn read_damaged(&mut self, broken: &Break, durable: u64) -> Result<(), StoreError> {
        self.forget_above_head(broken.segment);
        let mut fault: Option<(usize, u64, String)> =
            Some((broken.segment, broken.line, broken.reason.clone()));
        let mut damage = Vec::new();
        let mut head = self.head;
        let mut offset = self.segments.get(broken.segment).map_or(0, |segment| segment.end);
        let mut line_number =
            self.segments.get(broken.segment).map_or(1, |segment| segment.end_line);
        let dir = self.dir.clone();
        let paths: Vec<PathBuf> = self.segments.iter().map(|s| s.path.to_path_buf()).collect();
        let mut note = |fault: &mut Option<(usize, u64, String)>, at, line, first, last| {
            let (segment, line, reason) =
                fault.take().unwrap_or_else(|| (at, line, "events are missing before here".into()));
            let file = paths.get(segment).unwrap_or(&dir).clone();
            damage.push(Damage { file, line, first_position: first, last_position: last, reason });
        };
        for (number, segment) in self.segments.iter_mut().enumerate().skip(broken.segment) {
            let mut reader = LineReader::new(&*segment.file, offset, line_number, u64::MAX);
            (offset, line_number) = (0, 1);
            while let Some(raw) =
                reader.next_line().map_err(|error| io_error("reading", &segment.path, error))?
            {
                let Some(line) = parse(&raw).filter(|line| line.position > head) else {
                    fault.get_or_insert((number, raw.number, BAD_LINE.into()));
                    continue;
                };
                if line.position > head + 1 {
                    note(&mut fault, number, raw.number, head + 1, line.position - 1);
                }
                fault = None;
                segment.index.push(&line.event(), place_of(&raw, line.position));
                head = line.position;
            }
        }
        if fault.is_some() || head < durable {
            let last = durable.max(head + 1);
            note(&mut fault, broken.segment, broken.line, head + 1, last);
            head = last;
        }
        self.head = head;
        self.damage = damage;
        Ok(())
    }

    /// The first event above a position that matches.
    pub(crate) fn first_match_after(&self, query: &Query, after: u64) -> Option<u64> {
        let mut found = Vec::new();
        let from = after.saturating_add(1);
        // Only segments that reach above `after` are looked at: mostly the last one alone.
        let start = self.segments.partition_point(|s| s.first <= from).saturating_sub(1);
        for segment in self.segments.iter().skip(start) {
            let range = (segment.index.slot_from(from), segment.index.slot_from(u64::MAX));
            let mut matches = segment.index.matches(query, range, false);
            segment.index.collect(&mut matches, 1, &mut found);
            if let Some(place) = found.first() {
                return Some(place.position);
            }
        }
        None
    }

    /// Indexes a commit that is about to be written at an offset of the last segment, so that the
    /// conditions of those that follow it in its group find it. Readers do not see it yet.
    pub(crate) fn stage(&mut self, mut offset: u64, bytes: &[u8]) {
        let Some(segment) = self.segments.last_mut() else { return };
        for line in bytes.split_inclusive(|b| *b == b'\n') {
            let bytes = line.strip_suffix(b"\n").unwrap_or(line);
            let raw = RawLine { offset, number: segment.next_line, bytes, terminated: true };
            // It was encoded here a moment ago, so it parses.
            let Some(line) = parse(&raw) else { continue };
            segment.index.push(&line.event(), place_of(&raw, line.position));
            offset = raw.end();
            segment.next_line += 1;
        }
    }

    /// Lets readers see what was staged, now that it is written.
    pub(crate) fn publish(&mut self, end: &End) {
        (self.head, self.hash, self.last_time) = (end.head, end.hash, end.last_time);
        if let (Some(segment), Some(last)) = (self.segments.last_mut(), &end.segment) {
            (segment.end, segment.end_line) = (last.end, segment.next_line);
        }
    }

    /// Forgets what was staged.
    pub(crate) fn unstage(&mut self) {
        if let Some(segment) = self.segments.last_mut() {
            segment.index.truncate_above(self.head);
            segment.next_line = segment.end_line;
        }
    }
}

fn segment_name(first: u64) -> String {
    format!("{first:010}.jsonl")
}

const BAD_LINE: &str = "the line is not what was written";

fn parse<'a>(raw: &RawLine<'a>) -> Option<Line<'a>> {
    raw.terminated.then(|| Line::parse(raw.bytes)).flatten()
}

fn place_of(raw: &RawLine<'_>, position: u64) -> Place {
    // A line is at most a few MiB: see MAX_EVENT_BYTES.
    let len = u32::try_from(raw.bytes.len()).unwrap_or(u32::MAX);
    Place { offset: raw.offset, len, line_number: raw.number, position }
}
