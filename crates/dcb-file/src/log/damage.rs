//! What is wrong in a log: where it stops being whole, whether a dying writer or something else did
//! it, and which positions cannot be read.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, MutexGuard, PoisonError};

use dcb::{StoreError, TAGS_ADDED};
use serde::Serialize;

use super::Log;
use crate::line::{Line, Unescaped};
use crate::scan::LineReader;
use crate::segment::{BAD_LINE, parse, place_of};

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
    /// Where the line starts that shows it.
    pub(crate) shown_at: u64,
    /// Whether a dying writer may have left it so: by a line that is not whole, but not by a file
    /// that is missing or has the wrong name.
    pub(crate) may_be_torn: bool,
    pub(crate) reason: String,
}

impl Log {
    /// What is known not to be readable, in order of position.
    pub(crate) fn damage(&self) -> MutexGuard<'_, Vec<Damage>> {
        self.damage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what was found not to be readable.
    pub(crate) fn note_damage(&self, found: Damage) {
        let mut damage = self.damage();
        if !damage.contains(&found) {
            damage.push(found);
            damage.sort_by_key(|damage| damage.first_position);
        }
    }

    /// The break at the end of a log that should go on.
    pub(crate) fn missing_end(&self) -> Break {
        let offset = self.segments.last().map_or(0, |segment| segment.end);
        Break {
            segment: self.segments.len().saturating_sub(1),
            position: self.head + 1,
            offset,
            shown_at: offset,
            may_be_torn: false,
            reason: "events that were there are missing at the end".into(),
        }
    }

    /// The damage of a log that is whole but not the one that the ledger speaks of.
    pub(crate) fn other_history(&self) -> Damage {
        let reason = "the last commit's hash is not the one in ledger.json; files of another \
                      store, or of another time, were put here";
        let at = self.segments.last().map_or(0, |segment| segment.end.saturating_sub(1));
        self.damage_at(self.segments.len().saturating_sub(1), at, (self.head, self.head), reason)
    }

    /// What cannot be read from an offset of a segment on.
    pub(crate) fn damage_at(
        &self,
        segment: usize,
        at: u64,
        positions: (u64, u64),
        reason: &str,
    ) -> Damage {
        match self.segments.get(segment) {
            Some(segment) => segment.file.damage(at, positions, reason),
            None => Damage {
                file: self.dir.clone(),
                line: 1,
                first_position: positions.0,
                last_position: positions.1,
                reason: reason.into(),
            },
        }
    }

    /// Whether a whole commit of a later group stands behind a break. Then the group at the break
    /// had been synced before, and what is wrong there is damage.
    pub(crate) fn has_later_group(&self, broken: &Break) -> Result<bool, StoreError> {
        let segments = self.segments.iter().skip(broken.segment);
        let (mut offset, mut unescaped) = (broken.offset, Unescaped::default());
        for segment in segments {
            let mut reader = LineReader::new(&**segment.file, offset, u64::MAX);
            offset = 0;
            // The run of good lines with consecutive positions that ends at this line.
            let mut run: Option<(u64, u64)> = None;
            while let Some(raw) =
                reader.next_line().map_err(|error| segment.file.error("reading", error))?
            {
                let Some(Line { event, commit }) = parse(&raw, &mut unescaped) else {
                    run = None;
                    continue;
                };
                let first = match run {
                    Some((first, last)) if last + 1 == event.position => first,
                    _ => event.position,
                };
                run = Some((first, event.position));
                if let Some(mark) = commit
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
        self.is_broken = true;
        self.forget_above_head(broken.segment);
        let mut fault = Some((broken.segment, broken.shown_at, broken.reason.clone()));
        let mut found = Vec::new();
        let (mut head, mut unescaped) = (self.head, Unescaped::default());
        let mut offset = self.segments.get(broken.segment).map_or(0, |segment| segment.end);
        for (number, segment) in self.segments.iter_mut().enumerate().skip(broken.segment) {
            let file = Arc::clone(&segment.file);
            let mut reader = LineReader::new(&**file, offset, u64::MAX);
            offset = 0;
            while let Some(raw) =
                reader.next_line().map_err(|error| file.error("reading", error))?
            {
                let line = parse(&raw, &mut unescaped).filter(|line| line.event.position > head);
                let Some(Line { event, .. }) = line else {
                    fault.get_or_insert((number, raw.offset, BAD_LINE.into()));
                    continue;
                };
                let fault = fault.take();
                if event.position > head + 1 {
                    let missing = || (number, raw.offset, "events are missing before here".into());
                    found.push((fault.unwrap_or_else(missing), (head + 1, event.position - 1)));
                }
                let place = place_of(&raw, event.position);
                segment.recent.push(event.event_type, event.tags.iter(), place);
                if event.event_type == TAGS_ADDED {
                    Arc::make_mut(&mut self.added).push(event.position, event.data);
                }
                head = event.position;
            }
        }
        if fault.is_some() || head < durable {
            let last = durable.max(head + 1);
            let missing = || (broken.segment, broken.shown_at, broken.reason.clone());
            found.push((fault.unwrap_or_else(missing), (head + 1, last)));
            head = last;
        }
        self.head = head;
        for ((segment, at, reason), positions) in found {
            self.note_damage(self.damage_at(segment, at, positions, &reason));
        }
        Ok(())
    }
}
