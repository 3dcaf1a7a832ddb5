//! What a store must be able to do to be compared.

use std::error::Error;
use std::path::Path;

use crate::engines;

/// Every failure ends the run with its message: a benchmark has nobody to recover for.
pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// An event as the application has it, before it is handed to a store. Making the store's own form
/// of it (encoding, ids, checks) is part of what is timed.
#[derive(Clone)]
pub(crate) struct Draft {
    pub(crate) event_type: &'static str,
    pub(crate) tags: [String; 2],
    /// JSON text.
    pub(crate) data: String,
}

/// Which events are meant.
#[derive(Clone, Copy)]
pub(crate) enum Criteria<'a> {
    All,
    Type(&'a str),
    Tag(&'a str),
    TypeAndTag(&'a str, &'a str),
}

impl<'a> Criteria<'a> {
    /// The type and the tag that an event must have.
    pub(crate) fn parts(self) -> (Option<&'a str>, Option<&'a str>) {
        match self {
            Criteria::All => (None, None),
            Criteria::Type(event_type) => (Some(event_type), None),
            Criteria::Tag(tag) => (None, Some(tag)),
            Criteria::TypeAndTag(event_type, tag) => (Some(event_type), Some(tag)),
        }
    }

    pub(crate) fn matches(self, draft: &Draft) -> bool {
        let (event_type, tag) = self.parts();
        event_type.is_none_or(|wanted| wanted == draft.event_type)
            && tag.is_none_or(|wanted| draft.tags.iter().any(|tag| tag == wanted))
    }
}

/// The append fails if an event above position `after` matches; 0 looks at every event.
#[derive(Clone, Copy)]
pub(crate) struct Condition<'a> {
    pub(crate) fail_if: Criteria<'a>,
    pub(crate) after: u64,
}

/// How much of what matches is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    Every,
    /// Only the newest.
    Last,
}

/// A store under test.
pub(crate) trait Engine: Send + Sync {
    /// Appends one commit and returns its last position once `fdatasync` has returned for it. A
    /// condition that fails is an error: no workload here makes one fail.
    fn append(&self, drafts: &[Draft], condition: Option<Condition<'_>>) -> Result<u64>;

    /// Gives every event that is read to the tally, oldest first, and returns the head: the
    /// position up to which the read has seen everything.
    fn read(&self, criteria: Criteria<'_>, extent: Extent, tally: &mut Tally) -> Result<u64>;
}

/// The engines by the name of their column, in the order of the report.
pub(crate) const ENGINES: [Entry; 6] = [
    Entry { name: "ours", open: engines::ours::open },
    Entry { name: "tephra", open: engines::tephra::open },
    Entry { name: "sqlite", open: engines::sqlite::open },
    Entry { name: "umadb", open: engines::umadb::open },
    Entry { name: "redb", open: engines::redb::open },
    Entry { name: "fjall", open: engines::fjall::open },
];

/// An engine and how to open its store in a folder, which is made if it is missing.
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    pub(crate) open: fn(&Path) -> Result<Box<dyn Engine>>,
}

/// What came out of a read: how many events, and a sum over every byte of them, so that no engine
/// can get away with not reading. Two reads of the same events have equal tallies, in whatever
/// order the tags of an event come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) events: u64,
    sum: u64,
}

impl Tally {
    pub(crate) fn add<'a>(
        &mut self,
        position: u64,
        event_type: &str,
        tags: impl IntoIterator<Item = &'a str>,
        data: &[u8],
    ) {
        self.events += 1;
        let tags = tags.into_iter().map(|tag| sum(tag.as_bytes())).fold(0, u64::wrapping_add);
        let event = sum(event_type.as_bytes()) ^ tags.rotate_left(21) ^ sum(data).rotate_left(42);
        self.sum = self.sum.wrapping_add(event.wrapping_mul(position | 1));
    }
}

/// Cheap enough to add nanoseconds to an event, and different when any byte is: four sums side by
/// side, so that no word waits for the one before it.
fn sum(bytes: &[u8]) -> u64 {
    let mix = |sum: u64, word: &[u8; 8]| sum.rotate_left(5) ^ u64::from_le_bytes(*word);
    let (blocks, rest) = bytes.as_chunks::<32>();
    let mut sums = [1, 2, 3, 4];
    for block in blocks {
        let (words, _) = block.as_chunks::<8>();
        sums.iter_mut().zip(words).for_each(|(sum, word)| *sum = mix(*sum, word));
    }
    let (words, rest) = rest.as_chunks::<8>();
    let rest = rest.iter().fold(0, |sum, byte| (sum << 8) | u64::from(*byte));
    let rest = words.iter().fold(rest, mix);
    sums.iter().fold(rest, |sum, part| sum.rotate_left(13) ^ part)
}
