//! Which events of a segment carry which types and tags, and where their lines are.
//!
//! The index is derived from the log and can always be made again from it. What a process has just
//! appended or followed is indexed in memory ([`MemoryIndex`]); what lies behind that comes from a
//! file for each segment ([`IndexFile`]), of which nothing is read before it is asked for. Both
//! answer through [`Part`], and one way of searching serves both.

mod file;
mod memory;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;

use bytemuck::{Pod, Zeroable};
use dcb::Query;
use smallvec::SmallVec;
use xxhash_rust::xxh3::xxh3_64;

#[cfg(feature = "fuzz")]
pub(crate) use file::seal_index;
pub(crate) use file::{Covered, IndexFile, write_index};
pub(crate) use memory::MemoryIndex;

/// Where a line stands in its segment's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Of its first byte.
    pub(crate) offset: u64,
    /// Up to where it reaches at most: its newline, and padding if some follows.
    pub(crate) end: u64,
    pub(crate) position: u64,
}

/// An event that carries a tag: its slot, and its type, so that a query for both looks at no event
/// in vain. A slot is the number of an event within its part, from 0, in order of position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
struct Posting {
    slot: u32,
    type_id: u32,
}

/// By which types and tags are filed. It is part of the format of index files.
pub(crate) fn hash_of(text: &str) -> u64 {
    xxh3_64(text.as_bytes())
}

/// A query made ready to be looked up in any number of parts.
#[derive(Clone, Debug)]
pub(crate) struct Search {
    query: Query,
    /// The hashes of the tags of each item, one item after the other.
    tag_hashes: Vec<u64>,
}

impl Search {
    pub(crate) fn new(query: &Query) -> Self {
        let items = query.items().unwrap_or_default();
        let tags = items.iter().flat_map(|item| item.tags());
        let tag_hashes = tags.map(|tag| hash_of(tag.as_str())).collect();
        Self { query: query.clone(), tag_hashes }
    }

    pub(crate) fn query(&self) -> &Query {
        &self.query
    }
}

/// Where the lines of a part stand.
#[derive(Clone, Copy, Debug)]
enum Places<'i> {
    Memory(&'i [Place]),
    /// The position of the first, where each starts, and where the last one ends.
    File(u64, &'i [u64], u64),
}

impl Places<'_> {
    /// The place of the line in a slot.
    fn of(self, slot: u32) -> Option<Place> {
        match self {
            Self::Memory(places) => places.get(slot as usize).copied(),
            Self::File(first, offsets, last_end) => {
                let offset = *offsets.get(slot as usize)?;
                let end = offsets.get(slot as usize + 1).copied().unwrap_or(last_end);
                Some(Place { offset, end, position: first + u64::from(slot) })
            }
        }
    }
}

/// One part of a segment's index.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Part<'i> {
    Memory(&'i MemoryIndex),
    File(&'i file::Body),
}

impl<'i> Part<'i> {
    /// How many events it holds.
    pub(crate) fn len(self) -> u32 {
        match self {
            Self::Memory(index) => index.len(),
            Self::File(index) => index.len(),
        }
    }

    /// The slot of the first event at or above a position.
    pub(crate) fn slot_from(self, position: u64) -> u32 {
        match self {
            Self::Memory(index) => index.slot_from(position),
            Self::File(index) => index.slot_from(position),
        }
    }

    /// The place of the line at a position.
    pub(crate) fn at(self, position: u64) -> Option<Place> {
        self.places().of(self.slot_from(position)).filter(|place| place.position == position)
    }

    fn places(self) -> Places<'i> {
        match self {
            Self::Memory(index) => Places::Memory(index.places()),
            Self::File(index) => index.places(),
        }
    }

    fn type_id(self, name: &str) -> Option<u32> {
        match self {
            Self::Memory(index) => index.type_id(name),
            Self::File(index) => index.type_id(name),
        }
    }

    fn slots_of_type(self, id: u32) -> &'i [u32] {
        match self {
            Self::Memory(index) => index.slots_of_type(id),
            Self::File(index) => index.slots_of_type(id),
        }
    }

    fn postings_of_tag(self, hash: u64, tag: &str) -> &'i [Posting] {
        match self {
            Self::Memory(index) => index.postings_of_tag(hash, tag),
            Self::File(index) => index.postings_of_tag(hash, tag),
        }
    }

    /// Adds the places of the first matches between two positions, both included, in the direction
    /// of the search, until there are `most` in the list.
    pub(crate) fn find(
        self,
        search: &Search,
        positions: (u64, u64),
        backwards: bool,
        most: usize,
        places: &mut Vec<Place>,
    ) {
        let (low, high) = positions;
        let slots = self.slot_from(low)..self.slot_from(high.saturating_add(1));
        if slots.is_empty() || places.len() >= most {
            return;
        }
        let all = self.places();
        let mut walks = self.walks(search, &slots, backwards);
        if let [walk] = walks.as_mut_slice() {
            while let (true, Some(slot)) = (places.len() < most, walk.next(&slots, backwards)) {
                places.extend(all.of(slot));
            }
            return;
        }
        // The next match of each walk, nearest first. Backwards the key is the slot's complement.
        let key = |slot: u32| if backwards { u32::MAX - slot } else { slot };
        let mut nearest = BinaryHeap::with_capacity(walks.len());
        for (number, walk) in walks.iter_mut().enumerate() {
            nearest.extend(walk.next(&slots, backwards).map(|slot| Reverse((key(slot), number))));
        }
        while places.len() < most {
            let Some(&Reverse((found, _))) = nearest.peek() else { break };
            places.extend(all.of(key(found)));
            // Several items may match the same event: all walks that stand at it go on.
            while let Some(&Reverse((same, number))) = nearest.peek() {
                if same != found {
                    break;
                }
                nearest.pop();
                let next = walks.get_mut(number).and_then(|walk| walk.next(&slots, backwards));
                nearest.extend(next.map(|slot| Reverse((key(slot), number))));
            }
        }
    }

    /// How many events match between two positions, both included.
    pub(crate) fn count(self, search: &Search, positions: (u64, u64)) -> u64 {
        let (low, high) = positions;
        let slots = self.slot_from(low)..self.slot_from(high.saturating_add(1));
        match self.walks(search, &slots, false).as_slice() {
            [] => 0,
            [walk] => walk.clone().count(&slots),
            _ => {
                let mut places = Vec::new();
                self.find(search, positions, false, usize::MAX, &mut places);
                places.len() as u64
            }
        }
    }

    /// What finds the events of a query: for each item a walk along the postings of its rarest tag
    /// or, without tags, one along each of its types.
    fn walks(
        self,
        search: &Search,
        slots: &Range<u32>,
        backwards: bool,
    ) -> SmallVec<[Walk<'i>; 2]> {
        let boundary = if backwards { slots.end } else { slots.start };
        let mut walks = SmallVec::new();
        let Some(items) = search.query.items() else {
            walks.push(Walk { list: List::Everything, at: boundary as usize });
            return walks;
        };
        let mut hashes = search.tag_hashes.iter().copied();
        for item in items {
            let type_ids: SmallVec<[u32; 8]> =
                item.types().iter().filter_map(|name| self.type_id(name)).collect();
            let mut lists: SmallVec<[&[Posting]; 2]> = item
                .tags()
                .iter()
                .zip(hashes.by_ref())
                .map(|(tag, hash)| self.postings_of_tag(hash, tag.as_str()))
                .collect();
            if !item.types().is_empty() && type_ids.is_empty() {
                continue;
            }
            if item.tags().is_empty() {
                for id in type_ids {
                    let list = self.slots_of_type(id);
                    let at = list.partition_point(|slot| *slot < boundary);
                    walks.push(Walk { list: List::Type(list), at });
                }
                continue;
            }
            lists.sort_by_key(|list| list.len());
            let rarest = lists.remove(0);
            if !rarest.is_empty() {
                let at = rarest.partition_point(|posting| posting.slot < boundary);
                walks.push(Walk { list: List::Tag { rarest, others: lists, type_ids }, at });
            }
        }
        walks
    }
}

/// A walk along one list. Forwards, `at` is the next entry to look at; backwards, the last one
/// looked at.
#[derive(Clone, Debug)]
struct Walk<'i> {
    list: List<'i>,
    at: usize,
}

#[derive(Clone, Debug)]
enum List<'i> {
    Everything,
    Type(&'i [u32]),
    Tag {
        rarest: &'i [Posting],
        /// Those of the item's other tags.
        others: SmallVec<[&'i [Posting]; 2]>,
        /// Of which the event's must be one, unless there are none.
        type_ids: SmallVec<[u32; 8]>,
    },
}

impl Walk<'_> {
    /// The next match within the slots.
    fn next(&mut self, slots: &Range<u32>, backwards: bool) -> Option<u32> {
        loop {
            if backwards {
                self.at = self.at.checked_sub(1)?;
            }
            let (slot, fits) = self.list.entry(self.at)?;
            if !slots.contains(&slot) {
                return None;
            }
            if !backwards {
                self.at += 1;
            }
            if fits {
                return Some(slot);
            }
        }
    }

    /// How many matches there are from here within the slots.
    fn count(mut self, slots: &Range<u32>) -> u64 {
        let known = match &self.list {
            List::Everything => Some(slots.len()),
            List::Type(list) => {
                Some(list.partition_point(|slot| *slot < slots.end).saturating_sub(self.at))
            }
            List::Tag { rarest, others, type_ids } if others.is_empty() && type_ids.is_empty() => {
                let end = rarest.partition_point(|posting| posting.slot < slots.end);
                Some(end.saturating_sub(self.at))
            }
            List::Tag { .. } => None,
        };
        known.map_or_else(
            || std::iter::from_fn(|| self.next(slots, false)).count() as u64,
            |count| count as u64,
        )
    }
}

impl List<'_> {
    /// An entry, and whether it matches; `None` behind the end.
    fn entry(&self, at: usize) -> Option<(u32, bool)> {
        match self {
            Self::Everything => Some((u32::try_from(at).ok()?, true)),
            Self::Type(slots) => Some((*slots.get(at)?, true)),
            Self::Tag { rarest, others, type_ids } => {
                let posting = rarest.get(at)?;
                let fits = (type_ids.is_empty() || type_ids.contains(&posting.type_id))
                    && others.iter().all(|other| {
                        other.binary_search_by_key(&posting.slot, |other| other.slot).is_ok()
                    });
                Some((posting.slot, fits))
            }
        }
    }
}
