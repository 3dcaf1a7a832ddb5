//! The contract of an event store.

use std::fmt;
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Counters, Event, EventRef, FoldCache, Metadata, Query, SequencedEvent, TAGS_ADDED};

/// The most bytes an event may have: the UTF-8 lengths of its type, tags, data and metadata.
pub const MAX_EVENT_BYTES: usize = 1024 * 1024;

/// The most events one commit may have.
pub const MAX_COMMIT_EVENTS: usize = 10_000;

/// A store of events in one order, with conditions on append.
///
/// Every implementation passes the suite in [`crate::conformance`]. Positions increase, and none
/// ever appears below one that could already be read; that they start at 1 or have no gaps is not
/// promised here. All methods block; call them off the main thread.
pub trait EventStore: Send + Sync {
    /// Reads the events that match, lazily. The result also tells the head at which the read was
    /// fixed: what is appended afterwards is not seen.
    fn read(&self, query: &Query, options: ReadOptions) -> Result<Events<'_>, StoreError>;

    /// Appends events as one commit, all or nothing, and returns the position of each. It returns
    /// when they are as durable as the store was opened for.
    ///
    /// Checked before anything is written: [`StoreError::Invalid`] for an empty batch, a blank type
    /// or a limit, [`StoreError::ConditionFailed`] if an event matches the condition.
    fn append_with(
        &self,
        events: &[Event],
        options: &AppendOptions,
    ) -> Result<Vec<u64>, StoreError>;

    /// The highest durable position; 0 when the store is empty.
    fn head(&self) -> Result<u64, StoreError>;

    /// Waits until the head is at least `position`, also by the doing of other processes, and
    /// returns the head then; `None` if `timeout` passes first. [`Subscription`](crate::Subscription)
    /// reads what came.
    fn wait_for(&self, position: u64, timeout: Duration) -> Result<Option<u64>, StoreError>;

    /// The id that this store got when it was made. What is kept elsewhere about positions in it
    /// carries this id.
    fn store_id(&self) -> Uuid;

    /// How often tags were added to history. A condition, cached fold or checkpoint made in an
    /// older epoch may miss events and is made again.
    fn tag_epoch(&self) -> u64 {
        0
    }

    /// Where decisions on this store keep what they folded; without one each reads from the start.
    fn folds(&self) -> Option<&FoldCache> {
        None
    }

    /// The hash of the last commit, in lower-case hex, and its last position, if this store chains
    /// its commits and has any: any change to what came before shows in it.
    fn commit_hash(&self) -> Result<Option<(u64, String)>, StoreError> {
        Ok(None)
    }

    /// When the newest event was recorded that this process has seen, as it saw the head last: it
    /// costs no read. `None` before the first, or if this store does not bear it in mind.
    fn last_recorded_at(&self) -> Option<DateTime<Utc>> {
        None
    }

    /// What this process has done with the store since it opened it, if this store counts it.
    fn counters(&self) -> Option<Counters> {
        None
    }

    /// Lets go of memory that only makes reads faster, for whoever has just read much and will read
    /// little from now on. Nothing that is read changes.
    fn trim_memory(&self) {}

    /// [`EventStore::append_with`] a condition and nothing else.
    fn append(
        &self,
        events: &[Event],
        condition: Option<&AppendCondition>,
    ) -> Result<Vec<u64>, StoreError> {
        let options = AppendOptions { condition: condition.cloned(), ..AppendOptions::default() };
        self.append_with(events, &options)
    }

    /// The last event that matches.
    fn read_last(&self, query: &Query) -> Result<Option<SequencedEvent>, StoreError> {
        self.read(query, ReadOptions::backwards().limit(1))?.next().transpose()
    }

    /// How many events match.
    fn count(&self, query: &Query) -> Result<u64, StoreError> {
        let mut events = self.read(query, ReadOptions::default())?;
        let mut count = 0;
        while events.next_ref()?.is_some() {
            count += 1;
        }
        Ok(count)
    }

    /// Whether any event matches.
    fn exists(&self, query: &Query) -> Result<bool, StoreError> {
        let mut events = self.read(query, ReadOptions::default().limit(1))?;
        Ok(events.next_ref()?.is_some())
    }
}

/// A pointer to a store is that store.
macro_rules! is_the_store_behind {
    ($($pointer:ty),*) => {$(
        impl<S: EventStore + ?Sized> EventStore for $pointer {
            fn read(&self, query: &Query, options: ReadOptions) -> Result<Events<'_>, StoreError> {
                (**self).read(query, options)
            }

            fn append_with(
                &self,
                events: &[Event],
                options: &AppendOptions,
            ) -> Result<Vec<u64>, StoreError> {
                (**self).append_with(events, options)
            }

            fn head(&self) -> Result<u64, StoreError> {
                (**self).head()
            }

            fn wait_for(
                &self,
                position: u64,
                timeout: Duration,
            ) -> Result<Option<u64>, StoreError> {
                (**self).wait_for(position, timeout)
            }

            fn store_id(&self) -> Uuid {
                (**self).store_id()
            }

            fn tag_epoch(&self) -> u64 {
                (**self).tag_epoch()
            }

            fn folds(&self) -> Option<&FoldCache> {
                (**self).folds()
            }

            fn commit_hash(&self) -> Result<Option<(u64, String)>, StoreError> {
                (**self).commit_hash()
            }

            fn last_recorded_at(&self) -> Option<DateTime<Utc>> {
                (**self).last_recorded_at()
            }

            fn counters(&self) -> Option<Counters> {
                (**self).counters()
            }

            fn trim_memory(&self) {
                (**self).trim_memory();
            }

            fn append(
                &self,
                events: &[Event],
                condition: Option<&AppendCondition>,
            ) -> Result<Vec<u64>, StoreError> {
                (**self).append(events, condition)
            }

            fn read_last(&self, query: &Query) -> Result<Option<SequencedEvent>, StoreError> {
                (**self).read_last(query)
            }

            fn count(&self, query: &Query) -> Result<u64, StoreError> {
                (**self).count(query)
            }

            fn exists(&self, query: &Query) -> Result<bool, StoreError> {
                (**self).exists(query)
            }
        }
    )*};
}

is_the_store_behind!(&S, Box<S>, Arc<S>);

/// What must not have happened for an append to go ahead.
///
/// In JSON: `{"failIfEventsMatch":QUERY,"after":N}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AppendCondition {
    /// The append fails if an event matches this…
    pub fail_if_events_match: Query,
    /// …at a position above this one; without it, at any position. It also fails if tags were added
    /// to past events above it: see [`Maintenance`](crate::Maintenance).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
}

/// How to append.
#[derive(Clone, Debug, Default)]
pub struct AppendOptions {
    /// What must not have happened.
    pub condition: Option<AppendCondition>,
    /// Gives up waiting when it is cancelled. A commit that has begun is finished all the same.
    pub cancel: Option<Cancel>,
}

/// A flag with which one thread asks another to give up waiting.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Asks to give up.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether it was asked.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// Which part of the matching events to read, and in which direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// The first position to look at, included; when reading backwards, the highest.
    pub from: Option<u64>,
    /// From the newest to the oldest.
    pub backwards: bool,
    /// The most events to yield.
    pub limit: Option<u64>,
}

impl ReadOptions {
    /// From this position on.
    pub fn from(position: u64) -> Self {
        Self { from: Some(position), ..Self::default() }
    }

    /// From the newest to the oldest.
    pub fn backwards() -> Self {
        Self { backwards: true, ..Self::default() }
    }

    /// At most this many events.
    pub fn limit(self, limit: u64) -> Self {
        Self { limit: Some(limit), ..self }
    }

    /// Whether these options leave this position in.
    pub fn admit(&self, position: u64) -> bool {
        self.from
            .is_none_or(|from| if self.backwards { position <= from } else { position >= from })
    }
}

/// The events of one read, yielded lazily, and the head at which the read was fixed.
///
/// As an iterator it yields owned events and ends at the first error; [`Events::next_ref`] lends
/// each without a copy.
pub struct Events<'s> {
    head: u64,
    cursor: Option<Box<dyn Cursor + 's>>,
}

/// What an engine implements to yield the events of a read.
pub trait Cursor: Send {
    /// Lends the next event, or `None` at the end; not called again after an error.
    fn next(&mut self) -> Result<Option<EventRef<'_>>, StoreError>;
}

impl<'s> Events<'s> {
    /// Used by engines: a read fixed at `head`.
    pub fn new(head: u64, cursor: impl Cursor + 's) -> Self {
        Self { head, cursor: Some(Box::new(cursor)) }
    }

    /// The durable head, fixed before the first event was read: also for reads that find nothing,
    /// stop early or go backwards. It is what goes into [`AppendCondition::after`]; 0 when the
    /// store was empty.
    pub fn head(&self) -> u64 {
        self.head
    }

    /// Lends the next event, or `None` at the end. After an error the read is over.
    pub fn next_ref(&mut self) -> Result<Option<EventRef<'_>>, StoreError> {
        match &mut self.cursor {
            Some(cursor) => cursor.next(),
            None => Ok(None),
        }
    }
}

impl fmt::Debug for Events<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("head", &self.head).finish_non_exhaustive()
    }
}

impl Iterator for Events<'_> {
    type Item = Result<SequencedEvent, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let owned = match self.next_ref() {
            Ok(None) => return None,
            Ok(Some(event)) => event.to_sequenced().map_err(|error| StoreError::Damaged {
                place: format!("position {}", event.position),
                reason: format!("its metadata cannot be read: {error}"),
            }),
            Err(error) => Err(error),
        };
        if owned.is_err() {
            self.cursor = None;
        }
        Some(owned)
    }
}

/// Why a store did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The request itself is wrong; nothing was written.
    #[error(transparent)]
    Invalid(#[from] InvalidAppend),
    /// An event matches the append condition; nothing was written. Read again and decide again.
    #[error("the append condition failed: the event at position {conflict} matches it")]
    ConditionFailed {
        /// The first position that matches.
        conflict: u64,
    },
    /// Another writer held the lock for too long; nothing was written. Try again.
    #[error("another writer held the store's lock for {} ms; try again", waited.as_millis())]
    LockTimeout {
        /// How long was waited.
        waited: Duration,
    },
    /// The caller cancelled while waiting; nothing was written.
    #[error("the append was cancelled while it waited for the store's lock; nothing was written")]
    Cancelled,
    /// The store refuses writes, and why; reads still work.
    #[error("the store is read-only: {reason}")]
    ReadOnly {
        /// Why, and what to do.
        reason: String,
    },
    /// Stored data is not what was written.
    #[error("damaged data in {place}: {reason}")]
    Damaged {
        /// File and line.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The folder is not a store, or one of another format.
    #[error("{0}")]
    NotAStore(String),
    /// The system refused. After a failed write or sync the outcome is unknown until the store is
    /// opened again.
    #[error("{action}: {source}{}", next_step(source))]
    Io {
        /// What was being done, with the path.
        action: String,
        /// What the system said.
        source: std::io::Error,
    },
}

/// What people can do about an error of the system, to be put behind its message; empty if that is
/// not known. A full disk takes nothing away: what was stored before stays, and what was not stored
/// whole is dropped.
pub fn next_step(error: &std::io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            "; free some space and do it again: nothing that was stored is lost"
        }
        _ => "",
    }
}

/// Why a batch of events cannot be appended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidAppend {
    /// There is no event.
    #[error("there is nothing to append; give at least one event")]
    Empty,
    /// There are more than [`MAX_COMMIT_EVENTS`].
    #[error(
        "{count} events are too many for one commit; split the input, the most is {MAX_COMMIT_EVENTS}"
    )]
    TooManyEvents {
        /// How many there are.
        count: usize,
    },
    /// An event's type is blank.
    #[error("event {} of the batch has a blank type", index + 1)]
    BlankType {
        /// Which event, from 0.
        index: usize,
    },
    /// An event's type is one that stores keep for themselves.
    #[error("event {} of the batch has the type {TAGS_ADDED}, which stores keep for themselves", index + 1)]
    ReservedType {
        /// Which event, from 0.
        index: usize,
    },
    /// A free metadata field has the name of a fixed one.
    #[error("event {} of the batch has a free metadata field {name:?}; that name is taken", index + 1)]
    ReservedMetadata {
        /// Which event, from 0.
        index: usize,
        /// The field's name.
        name: &'static str,
    },
    /// An event has more than [`MAX_EVENT_BYTES`].
    #[error("event {} of the batch has {bytes} bytes; the most is {MAX_EVENT_BYTES}", index + 1)]
    TooLarge {
        /// Which event, from 0.
        index: usize,
        /// How large it is.
        bytes: usize,
    },
}

/// What every store checks before it writes a byte.
pub fn check_append(events: &[Event]) -> Result<(), InvalidAppend> {
    if events.is_empty() {
        return Err(InvalidAppend::Empty);
    }
    if events.len() > MAX_COMMIT_EVENTS {
        return Err(InvalidAppend::TooManyEvents { count: events.len() });
    }
    for (index, event) in events.iter().enumerate() {
        if event.event_type.trim().is_empty() {
            return Err(InvalidAppend::BlankType { index });
        }
        if event.event_type == TAGS_ADDED {
            return Err(InvalidAppend::ReservedType { index });
        }
        let extra = &event.metadata.extra;
        if let Some(name) = Metadata::FIXED.into_iter().find(|name| extra.contains_key(*name)) {
            return Err(InvalidAppend::ReservedMetadata { index, name });
        }
        let bytes = size_of_event(event);
        if bytes > MAX_EVENT_BYTES {
            return Err(InvalidAppend::TooLarge { index, bytes });
        }
    }
    Ok(())
}

fn size_of_event(event: &Event) -> usize {
    let metadata = &event.metadata;
    let ids = [
        &metadata.correlation_id,
        &metadata.causation_id,
        &metadata.operation_id,
        &metadata.user_id,
    ];
    let extra = match metadata.extra.is_empty() {
        true => 0,
        false => serde_json::to_string(&metadata.extra).map_or(0, |text| text.len()),
    };
    event.event_type.len()
        + event.tags.iter().map(|tag| tag.as_str().len()).sum::<usize>()
        + event.data.as_str().len()
        + ids.iter().filter_map(|id| id.as_ref()).map(String::len).sum::<usize>()
        + extra
}
