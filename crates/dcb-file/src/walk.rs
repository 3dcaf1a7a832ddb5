//! Checking the chain of hashes, every segment by itself and so on all cores at once.
//!
//! A segment needs of those before it only the hash of their last commit. So each is walked without
//! it, and what its first commit follows from is compared when all have been.

use std::num::NonZero;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use dcb::{StoreError, TAGS_ADDED};

use crate::line::{ChainHash, CommitMark, Line, NextHash, UNHASHED_TAIL_LEN, Unescaped};
use crate::log::Damage;
use crate::meta::Ledger;
use crate::scan::LineReader;
use crate::segment::{Segment, SegmentFile, parse};

/// After how many bytes the progress of a walk is told.
const TELL_BYTES: u64 = 1024 * 1024;

/// How far a check has come, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// How many have been checked.
    pub done: u64,
    /// How many there are.
    pub total: u64,
}

/// What is the same for all walks of a check.
pub(crate) struct Walker<'c> {
    pub(crate) ledger: &'c Ledger,
    /// The position behind which nothing is looked at.
    pub(crate) until: u64,
    /// Is told how many more bytes were checked.
    pub(crate) tell: &'c (dyn Fn(u64) + Sync),
}

/// Where a chain has come to: the position behind it, and the hash of its last commit, unless what
/// stands there cannot be read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link {
    pub(crate) next: u64,
    pub(crate) hash: Option<ChainHash>,
}

impl Link {
    /// What the first commit of a store follows from.
    pub(crate) const START: Self = Self { next: 1, hash: Some(ChainHash::START) };
}

/// What was found in one segment.
#[derive(Debug)]
pub(crate) struct Walk {
    /// Whether it is all whole commits, one behind the other, and each but the first is known to
    /// follow from the one before.
    pub(crate) is_sound: bool,
    /// How many whole commits there are.
    pub(crate) commits: u64,
    /// How many of the lines are no events, because they add tags.
    pub(crate) no_events: u64,
    /// Where the last whole commit ends.
    pub(crate) end: u64,
    /// The hash of the last commit.
    pub(crate) hash: Option<ChainHash>,
    /// The commit that the segment starts with, if it can be read.
    opening: Option<Opening>,
    /// To where the chain has come.
    link: Link,
    /// What does not fit.
    misfits: Vec<Damage>,
}

/// What the hash of a commit covers, while it is walked along.
#[derive(Debug)]
enum Hashed {
    /// It is known what the commit follows from.
    Following(NextHash),
    /// What it covers, for when that is known.
    Kept(Vec<u8>),
}

/// A commit of which it is not known yet what it follows from.
#[derive(Debug)]
struct Opening {
    first: u64,
    hashed: Vec<u8>,
    hash: ChainHash,
    /// What to say if it does not follow.
    misfit: Damage,
}

const BREAKS_CHAIN: &str = "the commit's hash does not follow from the history before it";
const NOT_OF_LEDGER: &str = "the commit's hash is not the one in ledger.json";

impl Walker<'_> {
    /// Walks along segments, of the first one from an offset on, where the line of a position stands;
    /// of the others from their start.
    pub(crate) fn walk_all(
        &self,
        segments: &[Segment],
        offset: u64,
        position: u64,
    ) -> Result<Vec<Walk>, StoreError> {
        let next = AtomicUsize::new(0);
        let walk_some = || {
            let mut done = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let Some(segment) = segments.get(number) else { return done };
                let walk = match number {
                    0 => self.walk(&segment.file, offset, position),
                    _ => self.walk(&segment.file, 0, segment.first),
                };
                done.push((number, walk));
            }
        };
        let threads = thread::available_parallelism().map_or(1, NonZero::get).min(segments.len());
        let mut walks = thread::scope(|scope| {
            // This thread does its part, too.
            let others: Vec<_> = (1..threads).map(|_| scope.spawn(walk_some)).collect();
            let mut walks = walk_some();
            for other in others {
                walks.extend(other.join().unwrap_or_else(|panic| resume_unwind(panic)));
            }
            walks
        });
        walks.sort_by_key(|(number, _)| *number);
        walks.into_iter().map(|(_, walk)| walk).collect()
    }

    /// Walks along one file. Behind a line that cannot be read the chain is taken up again at the
    /// next commit's own word.
    fn walk(&self, file: &SegmentFile, offset: u64, position: u64) -> Result<Walk, StoreError> {
        let mut walk = Walk {
            is_sound: true,
            commits: 0,
            no_events: 0,
            end: offset,
            hash: None,
            opening: None,
            link: Link { next: position, hash: None },
            misfits: Vec::new(),
        };
        let mut reader = LineReader::new(&**file, offset, u64::MAX);
        let mut commit = Hashed::Kept(Vec::new());
        let mut told = offset;
        let mut head = position - 1;
        let (mut is_whole, mut unescaped) = (true, Unescaped::default());
        while head < self.until {
            let raw = reader.next_line().map_err(|error| file.error("reading", error))?;
            let Some(raw) = raw else { break };
            let line = parse(&raw, &mut unescaped).filter(|l| l.event.position <= self.until);
            if line.as_ref().is_none_or(|line| line.event.position != walk.link.next) {
                (walk.is_sound, walk.link.hash) = (false, None);
                commit = Hashed::Kept(Vec::new());
            }
            let Some(Line { event, commit: mark }) = line else { continue };
            walk.link.next = event.position + 1;
            walk.no_events += u64::from(event.event_type == TAGS_ADDED);
            let unhashed = if mark.is_some() { UNHASHED_TAIL_LEN } else { 0 };
            let bytes = raw.bytes.get(..raw.bytes.len().saturating_sub(unhashed));
            match (&mut commit, bytes.unwrap_or_default()) {
                (Hashed::Following(next), bytes) => next.add(bytes),
                (Hashed::Kept(kept), bytes) => kept.extend_from_slice(bytes),
            }
            is_whole = mark.is_some();
            let Some(CommitMark { first, group, hash }) = mark else { continue };
            walk.is_sound &= first == head + 1 && group <= first;
            let misfit = |reason| file.damage(raw.offset, (first, event.position), reason);
            let before = std::mem::replace(&mut commit, Hashed::Following(hash.next_in_parts()));
            let (follows, hashed) = match before {
                Hashed::Following(next) => (next.finish() == *hash, Vec::new()),
                Hashed::Kept(bytes) => (true, bytes),
            };
            if !follows {
                walk.misfits.push(misfit(BREAKS_CHAIN));
            } else if event.position == self.ledger.head && !self.ledger.is_of(*hash) {
                walk.misfits.push(misfit(NOT_OF_LEDGER));
            } else if walk.commits == 0 && walk.is_sound {
                let misfit = misfit(BREAKS_CHAIN);
                walk.opening = Some(Opening { first, hashed, hash: *hash, misfit });
            }
            walk.commits += 1;
            walk.end = raw.end();
            (walk.hash, walk.link.hash) = (Some(*hash), Some(*hash));
            head = event.position;
            if walk.end - told > TELL_BYTES {
                (self.tell)(walk.end - told);
                told = walk.end;
            }
        }
        (self.tell)(walk.end - told);
        walk.is_sound &= is_whole && walk.misfits.is_empty();
        Ok(walk)
    }
}

impl Walk {
    /// Goes on from where the chain has come to, and says what does not fit.
    pub(crate) fn join(&mut self, link: &mut Link) -> Vec<Damage> {
        let mut misfits = std::mem::take(&mut self.misfits);
        if let Some(opening) = self.opening.take()
            && opening.first == link.next
            && link.hash.is_some_and(|previous| previous.next(&opening.hashed) != opening.hash)
        {
            self.is_sound = false;
            misfits.insert(0, opening.misfit);
        }
        if self.link.next > link.next || self.commits > 0 {
            *link = self.link;
        }
        misfits
    }
}
