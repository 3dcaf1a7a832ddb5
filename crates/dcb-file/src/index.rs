//! Which events of a segment carry which types and tags, and where their lines are.
//!
//! The index is derived from the log and can always be made again from it. Each segment has its
//! own, so that those of sealed segments can come from files and be loaded when first asked.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use dcb::{EventRef, Query, QueryItem};

/// Where a line stands in its segment's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Of its first byte.
    pub(crate) offset: u64,
    /// Without the newline.
    pub(crate) len: u32,
    /// Of the physical line, from 1.
    pub(crate) line_number: u64,
    pub(crate) position: u64,
}

/// The events of one segment by slot: their number in the segment, from 0, in order of position.
#[derive(Debug, Default)]
pub(crate) struct SegmentIndex {
    places: Vec<Place>,
    type_ids: HashMap<Box<str>, u32>,
    types: Vec<Vec<u32>>,
    tag_ids: HashMap<Box<str>, usize>,
    tags: Vec<Vec<Posting>>,
}

/// An event that carries a tag: its slot, and its type, so that a query for both looks at no event
/// in vain.
#[derive(Clone, Copy, Debug)]
struct Posting {
    slot: u32,
    type_id: u32,
}

impl SegmentIndex {
    /// Adds the next event.
    pub(crate) fn push(&mut self, event: &EventRef<'_>, place: Place) {
        let slot = u32::try_from(self.places.len()).unwrap_or(u32::MAX);
        self.places.push(place);
        let type_id = match self.type_ids.get(event.event_type) {
            Some(id) => *id,
            None => {
                let id = u32::try_from(self.types.len()).unwrap_or(u32::MAX);
                self.type_ids.insert(event.event_type.into(), id);
                self.types.push(Vec::new());
                id
            }
        };
        if let Some(slots) = self.types.get_mut(type_id as usize) {
            slots.push(slot);
        }
        for tag in event.tags.iter() {
            let id = match self.tag_ids.get(tag) {
                Some(id) => *id,
                None => {
                    self.tag_ids.insert(tag.into(), self.tags.len());
                    self.tags.push(Vec::new());
                    self.tags.len() - 1
                }
            };
            let Some(postings) = self.tags.get_mut(id) else { continue };
            // A tag that an event carries twice is posted once.
            if postings.last().is_none_or(|last| last.slot != slot) {
                postings.push(Posting { slot, type_id });
            }
        }
    }

    /// Forgets the events above a position.
    pub(crate) fn truncate_above(&mut self, position: u64) {
        let keep = self.slot_from(position.saturating_add(1));
        self.places.truncate(keep as usize);
        for slots in &mut self.types {
            slots.truncate(slots.partition_point(|slot| *slot < keep));
        }
        for postings in &mut self.tags {
            postings.truncate(postings.partition_point(|posting| posting.slot < keep));
        }
    }

    fn place(&self, slot: u32) -> Option<Place> {
        self.places.get(slot as usize).copied()
    }

    /// The slot of the first event at or above a position.
    pub(crate) fn slot_from(&self, position: u64) -> u32 {
        let slot = self.places.partition_point(|place| place.position < position);
        u32::try_from(slot).unwrap_or(u32::MAX)
    }

    /// Starts to look for matches among the slots from `low` up to but not including `high`.
    pub(crate) fn matches(
        &self,
        query: &Query,
        (low, high): (u32, u32),
        backwards: bool,
    ) -> Matches {
        let mut matches =
            Matches { walks: Vec::new(), heap: BinaryHeap::new(), low, high, backwards };
        match query.items() {
            None => matches.walks.push(Walk::everything(if backwards { high } else { low })),
            Some(items) => {
                for item in items {
                    self.start_walks(item, &mut matches);
                }
            }
        }
        for walk in 0..matches.walks.len() {
            self.advance(&mut matches, walk);
        }
        matches
    }

    /// Starts what finds the events of one query item: a walk along the postings of its rarest tag,
    /// or, without tags, one along each of its types.
    fn start_walks(&self, item: &QueryItem, matches: &mut Matches) {
        let type_ids: Vec<u32> =
            item.types().iter().filter_map(|t| self.type_ids.get(t.as_str()).copied()).collect();
        if !item.types().is_empty() && type_ids.is_empty() {
            return;
        }
        let (low, high, backwards) = (matches.low, matches.high, matches.backwards);
        let boundary = if backwards { high } else { low };
        if item.tags().is_empty() {
            for id in type_ids {
                let slots = self.types.get(id as usize).map_or(&[][..], Vec::as_slice);
                let at = slots.partition_point(|slot| *slot < boundary);
                matches.walks.push(Walk { list: List::Type(id), at });
            }
            return;
        }
        let tag_ids: Option<Vec<usize>> =
            item.tags().iter().map(|tag| self.tag_ids.get(tag.as_str()).copied()).collect();
        let Some(mut tag_ids) = tag_ids else { return };
        tag_ids.sort_by_key(|id| self.tags.get(*id).map_or(0, Vec::len));
        let Some((&rarest, others)) = tag_ids.split_first() else { return };
        let at = self.postings(rarest).partition_point(|posting| posting.slot < boundary);
        let list = List::Tag { id: rarest, others: others.to_vec(), type_ids };
        matches.walks.push(Walk { list, at });
    }

    /// Appends the places of the next matches, at most `most` of them.
    pub(crate) fn collect(&self, matches: &mut Matches, most: usize, places: &mut Vec<Place>) {
        let wanted = places.len() + most;
        while places.len() < wanted {
            let Some(&Reverse((key, _))) = matches.heap.peek() else { break };
            // Several items may match the same event: all walks that stand at it go on.
            while let Some(&Reverse((same, walk))) = matches.heap.peek() {
                if same != key {
                    break;
                }
                matches.heap.pop();
                self.advance(matches, walk);
            }
            let slot = if matches.backwards { u32::MAX - key } else { key };
            places.extend(self.place(slot));
        }
    }

    /// Moves a walk to its next match and files it in the heap.
    fn advance(&self, matches: &mut Matches, index: usize) {
        let (low, high, backwards) = (matches.low, matches.high, matches.backwards);
        let Some(walk) = matches.walks.get_mut(index) else { return };
        let slot = match backwards {
            false => self.next_forward(walk).filter(|slot| *slot < high),
            true => self.next_backward(walk).filter(|slot| *slot >= low),
        };
        if let Some(slot) = slot {
            let key = if backwards { u32::MAX - slot } else { slot };
            matches.heap.push(Reverse((key, index)));
        }
    }

    fn next_forward(&self, walk: &mut Walk) -> Option<u32> {
        loop {
            let slot = self.candidate(&walk.list, walk.at)?;
            walk.at += 1;
            if let Some(slot) = slot {
                return Some(slot);
            }
        }
    }

    fn next_backward(&self, walk: &mut Walk) -> Option<u32> {
        loop {
            walk.at = walk.at.checked_sub(1)?;
            if let Some(slot) = self.candidate(&walk.list, walk.at)? {
                return Some(slot);
            }
        }
    }

    /// The entry of a list: `None` behind its end, `Some(None)` if it does not match.
    fn candidate(&self, list: &List, at: usize) -> Option<Option<u32>> {
        match list {
            List::Everything => {
                self.places.get(at)?;
                Some(u32::try_from(at).ok())
            }
            List::Type(id) => {
                Some(self.types.get(*id as usize)?.get(at).copied()).filter(Option::is_some)
            }
            List::Tag { id, others, type_ids } => {
                let posting = self.postings(*id).get(at)?;
                let type_fits = type_ids.is_empty() || type_ids.contains(&posting.type_id);
                let fits = type_fits
                    && others.iter().all(|other| {
                        self.postings(*other)
                            .binary_search_by_key(&posting.slot, |p| p.slot)
                            .is_ok()
                    });
                Some(fits.then_some(posting.slot))
            }
        }
    }

    fn postings(&self, tag_id: usize) -> &[Posting] {
        self.tags.get(tag_id).map_or(&[], Vec::as_slice)
    }
}

/// A search under way in one [`SegmentIndex`]. It holds no borrow: the index may grow meanwhile.
#[derive(Debug)]
pub(crate) struct Matches {
    walks: Vec<Walk>,
    /// The next match of each walk, nearest first. Backwards the key is the slot's complement.
    heap: BinaryHeap<Reverse<(u32, usize)>>,
    low: u32,
    high: u32,
    backwards: bool,
}

/// A walk along one list. Forwards, `at` is the next entry to look at; backwards, the last one
/// looked at.
#[derive(Debug)]
struct Walk {
    list: List,
    at: usize,
}

#[derive(Debug)]
enum List {
    Everything,
    Type(u32),
    Tag { id: usize, others: Vec<usize>, type_ids: Vec<u32> },
}

impl Walk {
    fn everything(at: u32) -> Self {
        Self { list: List::Everything, at: at as usize }
    }
}
