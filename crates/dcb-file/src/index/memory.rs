//! The part of an index that is in memory, because it grows.

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use smallvec::SmallVec;

use super::{Place, Posting, hash_of};

/// The index of events that follow each other. Positions increase; there may be gaps where lines
/// are damaged.
#[derive(Debug, Default)]
pub(crate) struct MemoryIndex {
    places: Vec<Place>,
    types: Vec<Type>,
    type_ids: HashTable<u32>,
    tags: Vec<Tag>,
    tag_ids: HashTable<u32>,
}

#[derive(Debug)]
pub(super) struct Type {
    pub(super) name: Box<str>,
    pub(super) slots: Vec<u32>,
}

#[derive(Debug)]
pub(super) struct Tag {
    hash: u64,
    pub(super) text: Box<str>,
    pub(super) postings: SmallVec<[Posting; 1]>,
}

impl MemoryIndex {
    /// Adds the next event.
    pub(crate) fn push<'t>(
        &mut self,
        event_type: &str,
        tags: impl Iterator<Item = &'t str>,
        place: Place,
    ) {
        let slot = self.len();
        self.places.push(place);
        let type_id = self.type_id_or_new(event_type);
        if let Some(of_type) = self.types.get_mut(type_id as usize) {
            of_type.slots.push(slot);
        }
        for text in tags {
            let Some(tag) = self.tag_or_new(text) else { continue };
            // A tag that an event carries twice is posted once.
            if tag.postings.last().is_none_or(|last| last.slot != slot) {
                tag.postings.push(Posting { slot, type_id });
            }
        }
    }

    fn type_id_or_new(&mut self, name: &str) -> u32 {
        let Self { types, type_ids, .. } = self;
        let named = |id: &u32| types.get(*id as usize).map_or("", |known| &known.name);
        let same = |id: &u32| named(id) == name;
        match type_ids.entry(hash_of(name), same, |id| hash_of(named(id))) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(vacant) => {
                let id = next_id(types.len());
                vacant.insert(id);
                types.push(Type { name: name.into(), slots: Vec::new() });
                id
            }
        }
    }

    fn tag_or_new(&mut self, text: &str) -> Option<&mut Tag> {
        let Self { tags, tag_ids, .. } = self;
        let hash = hash_of(text);
        let known = |id: &u32| tags.get(*id as usize);
        let same = |id: &u32| known(id).is_some_and(|tag| tag.hash == hash && *tag.text == *text);
        let id = match tag_ids.entry(hash, same, |id| known(id).map_or(0, |tag| tag.hash)) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(vacant) => {
                let id = next_id(tags.len());
                vacant.insert(id);
                tags.push(Tag { hash, text: text.into(), postings: SmallVec::new() });
                id
            }
        };
        tags.get_mut(id as usize)
    }

    /// Forgets the events above a position.
    pub(crate) fn truncate_above(&mut self, position: u64) {
        let keep = self.slot_from(position.saturating_add(1));
        if keep == self.len() {
            return;
        }
        self.places.truncate(keep as usize);
        for of_type in &mut self.types {
            of_type.slots.truncate(of_type.slots.partition_point(|slot| *slot < keep));
        }
        for tag in &mut self.tags {
            let kept = tag.postings.partition_point(|posting| posting.slot < keep);
            tag.postings.truncate(kept);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The place of the last event.
    pub(crate) fn last(&self) -> Option<Place> {
        self.places.last().copied()
    }

    pub(super) fn len(&self) -> u32 {
        u32::try_from(self.places.len()).unwrap_or(u32::MAX)
    }

    pub(super) fn slot_from(&self, position: u64) -> u32 {
        let slot = self.places.partition_point(|place| place.position < position);
        u32::try_from(slot).unwrap_or(u32::MAX)
    }

    pub(super) fn type_id(&self, name: &str) -> Option<u32> {
        let same = |id: &u32| self.types.get(*id as usize).is_some_and(|t| *t.name == *name);
        self.type_ids.find(hash_of(name), same).copied()
    }

    pub(super) fn slots_of_type(&self, id: u32) -> &[u32] {
        self.types.get(id as usize).map_or(&[], |of_type| &of_type.slots)
    }

    pub(super) fn postings_of_tag(&self, hash: u64, text: &str) -> &[Posting] {
        let tag = |id: &u32| self.tags.get(*id as usize);
        let same = |id: &u32| tag(id).is_some_and(|tag| tag.hash == hash && *tag.text == *text);
        self.tag_ids.find(hash, same).and_then(tag).map_or(&[], |tag| &tag.postings)
    }

    pub(super) fn places(&self) -> &[Place] {
        &self.places
    }

    pub(super) fn types(&self) -> &[Type] {
        &self.types
    }

    pub(super) fn tags(&self) -> &[Tag] {
        &self.tags
    }
}

/// A segment of fewer than 2³² events has fewer types and tags than that, at most a few an event.
fn next_id(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
