//! An event store in memory: the shortest true implementation of the contract, and so the oracle
//! that the others are compared with.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::store::check_append;
use crate::{
    AppendOptions, Cursor, Event, EventRef, EventStore, Events, FoldCache, Maintenance, Query,
    ReadOptions, SequencedEvent, StoreError, Tag, TagsAdded, missing_tags, recording_time,
};

/// An [`EventStore`] that keeps its events in memory and finds them by looking at each.
///
/// Nothing outlives it: it is for tests, examples and what-if runs.
#[derive(Debug)]
pub struct MemoryStore {
    store_id: Uuid,
    log: Mutex<Log>,
    appended: Condvar,
    folds: FoldCache,
}

#[derive(Debug, Default)]
struct Log {
    events: Vec<SequencedEvent>,
    head: u64,
    /// How often tags were added, and the position at which they last were.
    tag_epoch: u64,
    tags_added_at: u64,
}

impl Log {
    fn last_recorded_at(&self) -> Option<DateTime<Utc>> {
        self.events.last()?.event.metadata.timestamp
    }
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self {
            store_id: Uuid::now_v7(),
            log: Mutex::default(),
            appended: Condvar::new(),
            folds: FoldCache::default(),
        }
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        // Events are only pushed whole, so a panic elsewhere leaves them usable.
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl EventStore for MemoryStore {
    fn read(&self, query: &Query, options: ReadOptions) -> Result<Events<'_>, StoreError> {
        let log = self.log();
        let found = log
            .events
            .iter()
            .filter(|e| options.admit(e.position) && query.matches(&e.as_event_ref()));
        let limit = options.limit.map_or(usize::MAX, |n| usize::try_from(n).unwrap_or(usize::MAX));
        let found: Vec<SequencedEvent> = match options.backwards {
            false => found.take(limit).cloned().collect(),
            true => found.rev().take(limit).cloned().collect(),
        };
        Ok(Events::new(log.head, Found { events: found, next: 0 }))
    }

    fn append_with(&self, new: &[Event], options: &AppendOptions) -> Result<Vec<u64>, StoreError> {
        check_append(new)?;
        let mut log = self.log();
        if let Some(condition) = &options.condition {
            let after = condition.after.unwrap_or(0);
            let is_of_older_epoch = condition.after.is_some_and(|after| after < log.tags_added_at);
            let conflict = log.events.iter().find(|e| {
                e.position > after && condition.fail_if_events_match.matches(&e.as_event_ref())
            });
            let tags_added = is_of_older_epoch.then_some(log.tags_added_at);
            let conflicts = conflict.map(|event| event.position).into_iter().chain(tags_added);
            if let Some(conflict) = conflicts.min() {
                return Err(StoreError::ConditionFailed { conflict });
            }
        }
        let now = recording_time();
        let mut last = log.last_recorded_at().unwrap_or_default();
        let mut positions = Vec::with_capacity(new.len());
        for event in new {
            let mut event = event.clone();
            last = last.max(event.metadata.timestamp.map_or(now, |given| given.min(now)));
            event.metadata.timestamp = Some(last);
            log.head += 1;
            let position = log.head;
            log.events.push(SequencedEvent { position, event });
            positions.push(position);
        }
        self.appended.notify_all();
        Ok(positions)
    }

    fn head(&self) -> Result<u64, StoreError> {
        Ok(self.log().head)
    }

    fn last_recorded_at(&self) -> Option<DateTime<Utc>> {
        self.log().last_recorded_at()
    }

    fn wait_for(&self, position: u64, timeout: Duration) -> Result<Option<u64>, StoreError> {
        // One that no clock reaches is none.
        let deadline = Instant::now().checked_add(timeout);
        let mut log = self.log();
        while log.head < position {
            let left =
                deadline.map_or(Duration::MAX, |end| end.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return Ok(None);
            }
            log = self
                .appended
                .wait_timeout(log, left)
                .map_or_else(|poisoned| poisoned.into_inner().0, |(guard, _)| guard);
        }
        Ok(Some(log.head))
    }

    fn store_id(&self) -> Uuid {
        self.store_id
    }

    fn tag_epoch(&self) -> u64 {
        self.log().tag_epoch
    }

    fn folds(&self) -> Option<&FoldCache> {
        Some(&self.folds)
    }
}

impl Maintenance for MemoryStore {
    fn add_tags(
        &self,
        event_type: &str,
        factory: &mut dyn FnMut(&EventRef<'_>) -> Vec<Tag>,
    ) -> Result<TagsAdded, StoreError> {
        let mut log = self.log();
        let mut added = TagsAdded { events: 0, tags: 0, position: None };
        for SequencedEvent { position, event } in &mut log.events {
            if event.event_type != event_type {
                continue;
            }
            let seen = event.at(*position);
            let new = missing_tags(&seen, factory(&seen));
            added.events += 1;
            added.tags += new.len() as u64;
            event.tags.extend(new);
        }
        if added.tags > 0 {
            log.head += 1;
            log.tag_epoch += 1;
            log.tags_added_at = log.head;
            added.position = Some(log.head);
            self.appended.notify_all();
        }
        Ok(added)
    }
}

struct Found {
    events: Vec<SequencedEvent>,
    next: usize,
}

impl Cursor for Found {
    fn next(&mut self) -> Result<Option<EventRef<'_>>, StoreError> {
        let event = self.events.get(self.next);
        self.next += 1;
        Ok(event.map(|e| e.as_event_ref()))
    }
}

#[cfg(test)]
mod tests {
    crate::conformance_tests!(|| (crate::MemoryStore::new(), ()));
    crate::maintenance_tests!(|| (crate::MemoryStore::new(), ()));
}
