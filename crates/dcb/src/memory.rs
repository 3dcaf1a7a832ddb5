//! An event store in memory: the shortest true implementation of the contract, and so the oracle
//! that the others are compared with.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::store::check_append;
use crate::{
    AppendOptions, Cursor, Event, EventRef, EventStore, Events, FoldCache, Query, ReadOptions,
    SequencedEvent, StoreError, recording_time,
};

/// An [`EventStore`] that keeps its events in memory and finds them by looking at each.
///
/// Nothing outlives it: it is for tests, examples and what-if runs.
#[derive(Debug)]
pub struct MemoryStore {
    store_id: Uuid,
    events: Mutex<Vec<SequencedEvent>>,
    appended: Condvar,
    folds: FoldCache,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self {
            store_id: Uuid::now_v7(),
            events: Mutex::default(),
            appended: Condvar::new(),
            folds: FoldCache::default(),
        }
    }

    fn events(&self) -> MutexGuard<'_, Vec<SequencedEvent>> {
        // Events are only pushed whole, so a panic elsewhere leaves them usable.
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl EventStore for MemoryStore {
    fn read(&self, query: &Query, options: ReadOptions) -> Result<Events<'_>, StoreError> {
        let events = self.events();
        let found = events
            .iter()
            .filter(|e| options.admit(e.position) && query.matches(&e.event.as_ref(e.position)));
        let limit = options.limit.map_or(usize::MAX, |n| usize::try_from(n).unwrap_or(usize::MAX));
        let found: Vec<SequencedEvent> = match options.backwards {
            false => found.take(limit).cloned().collect(),
            true => found.rev().take(limit).cloned().collect(),
        };
        Ok(Events::new(head_of(&events), Found { events: found, next: 0 }))
    }

    fn append_with(&self, new: &[Event], options: &AppendOptions) -> Result<Vec<u64>, StoreError> {
        check_append(new)?;
        let mut events = self.events();
        if let Some(condition) = &options.condition {
            let after = condition.after.unwrap_or(0);
            let conflict = events.iter().find(|e| {
                e.position > after
                    && condition.fail_if_events_match.matches(&e.event.as_ref(e.position))
            });
            if let Some(conflict) = conflict {
                return Err(StoreError::ConditionFailed { conflict: conflict.position });
            }
        }
        let now = recording_time();
        let mut last = events.last().and_then(|e| e.event.metadata.timestamp).unwrap_or_default();
        let mut positions = Vec::with_capacity(new.len());
        for event in new {
            let mut event = event.clone();
            last = last.max(event.metadata.timestamp.map_or(now, |given| given.min(now)));
            event.metadata.timestamp = Some(last);
            let position = head_of(&events) + 1;
            events.push(SequencedEvent { position, event });
            positions.push(position);
        }
        self.appended.notify_all();
        Ok(positions)
    }

    fn head(&self) -> Result<u64, StoreError> {
        Ok(head_of(&self.events()))
    }

    fn wait_for(&self, position: u64, timeout: Duration) -> Result<Option<u64>, StoreError> {
        let deadline = Instant::now() + timeout;
        let mut events = self.events();
        while head_of(&events) < position {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            events = self
                .appended
                .wait_timeout(events, left)
                .map_or_else(|poisoned| poisoned.into_inner().0, |(guard, _)| guard);
        }
        Ok(Some(head_of(&events)))
    }

    fn store_id(&self) -> Uuid {
        self.store_id
    }

    fn folds(&self) -> Option<&FoldCache> {
        Some(&self.folds)
    }
}

fn head_of(events: &[SequencedEvent]) -> u64 {
    events.last().map_or(0, |event| event.position)
}

struct Found {
    events: Vec<SequencedEvent>,
    next: usize,
}

impl Cursor for Found {
    fn next(&mut self) -> Result<Option<EventRef<'_>>, StoreError> {
        let event = self.events.get(self.next);
        self.next += 1;
        Ok(event.map(|e| e.event.as_ref(e.position)))
    }
}

#[cfg(test)]
mod tests {
    crate::conformance_tests!(|| (crate::MemoryStore::new(), ()));
}
