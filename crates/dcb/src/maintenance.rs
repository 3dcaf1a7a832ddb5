//! Changing how history can be found, without changing history.

use crate::{EventRef, EventStore, StoreError, Tag};

/// The type of the lines with which a store records added tags; no event can have it.
pub const TAGS_ADDED: &str = "$TagsAdded";

/// What stores can do for those who look after them.
pub trait Maintenance: EventStore {
    /// Adds tags to all events of a type that the store has, as one commit: all or nothing. For each
    /// event `factory` names the tags it should have; those that it has already are left out, so that
    /// doing it again adds nothing.
    ///
    /// From then on reads, queries and conditions find the events by those tags too. The commit takes
    /// a position, at which nothing is read, and begins a new tag epoch
    /// ([`EventStore::tag_epoch`]): an append whose condition has an `after` below it fails with
    /// [`StoreError::ConditionFailed`], because what its decision read may lack events.
    fn add_tags(
        &self,
        event_type: &str,
        factory: &mut dyn FnMut(&EventRef<'_>) -> Vec<Tag>,
    ) -> Result<TagsAdded, StoreError>;
}

/// What [`Maintenance::add_tags`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TagsAdded {
    /// How many events of the type there are.
    pub events: u64,
    /// How many tags were added.
    pub tags: u64,
    /// The position of the commit that added them; `None` if there was nothing to add.
    pub position: Option<u64>,
}

/// The tags that an event should have and does not have yet, each once.
pub fn missing_tags(event: &EventRef<'_>, wanted: Vec<Tag>) -> Vec<Tag> {
    let mut missing: Vec<Tag> = Vec::new();
    for tag in wanted {
        if !event.tags.contains(&tag) && !missing.contains(&tag) {
            missing.push(tag);
        }
    }
    missing
}
