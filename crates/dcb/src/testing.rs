//! Given / when / then: tests of decisions as sentences.
//!
//! ```
//! use dcb::testing::given;
//! use dcb::{DecisionProjection, Event, Query, Retry, decide};
//!
//! let taken = || Event::builder("SeatTaken").build().unwrap();
//! let take_the_only_seat = |store: &dcb::MemoryStore| {
//!     let seats = DecisionProjection::new(0, Query::all(), |n: &mut u32, _| *n += 1);
//!     decide(store, &seats, Retry::never(), |n| {
//!         if *n == 0 { Ok(vec![taken()].into()) } else { Err("full") }
//!     })
//! };
//! given([]).when(take_the_only_seat).then_recorded([taken()]);
//! given([taken()]).when(take_the_only_seat).then_refused_with("full");
//! ```

use std::fmt::Debug;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{
    AppendOptions, DecideError, Event, EventStore, Events, MemoryStore, Query, ReadOptions,
    StoreError,
};

/// A store that counts how often it is asked for events.
#[derive(Debug, Default)]
pub struct CountingStore {
    store: MemoryStore,
    asked: AtomicUsize,
}

impl CountingStore {
    /// How often it was read or waited for.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

impl EventStore for CountingStore {
    fn read(&self, query: &Query, options: ReadOptions) -> Result<Events<'_>, StoreError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.store.read(query, options)
    }

    fn append_with(
        &self,
        events: &[Event],
        options: &AppendOptions,
    ) -> Result<Vec<u64>, StoreError> {
        self.store.append_with(events, options)
    }

    fn head(&self) -> Result<u64, StoreError> {
        self.store.head()
    }

    fn wait_for(&self, position: u64, timeout: Duration) -> Result<Option<u64>, StoreError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.store.wait_for(position, timeout)
    }

    fn store_id(&self) -> Uuid {
        self.store.store_id()
    }

    fn last_recorded_at(&self) -> Option<DateTime<Utc>> {
        self.store.last_recorded_at()
    }
}

/// A store with a past.
pub fn given(past: impl IntoIterator<Item = Event>) -> Given {
    let store = MemoryStore::new();
    let past: Vec<Event> = past.into_iter().collect();
    if !past.is_empty() {
        store.append(&past, None).expect("the given events can be appended");
    }
    Given { store }
}

/// What [`given`] makes: a past, waiting for an act.
#[derive(Debug)]
pub struct Given {
    store: MemoryStore,
}

impl Given {
    /// Lets the act under test happen.
    pub fn when<T, E>(self, act: impl FnOnce(&MemoryStore) -> Result<T, E>) -> Outcome<T, E> {
        let head = self.store.head().expect("a store in memory has a head");
        let result = act(&self.store);
        let recorded = self
            .store
            .read(&Query::all(), ReadOptions::from(head + 1))
            .expect("a store in memory can be read")
            .map(|event| event.expect("a store in memory can be read").event)
            .collect();
        Outcome { result, recorded }
    }
}

/// What an act came to.
#[derive(Debug)]
pub struct Outcome<T, E> {
    result: Result<T, E>,
    recorded: Vec<Event>,
}

impl<T: Debug, E: Debug> Outcome<T, E> {
    /// Asserts that the act went through and recorded exactly these events: type, tags in any
    /// order, and data as JSON values. Returns what the act returned.
    pub fn then_recorded(self, expected: impl IntoIterator<Item = Event>) -> T {
        let told = match self.result {
            Ok(told) => told,
            Err(error) => panic!("the act was refused: {error:?}"),
        };
        let recorded: Vec<_> = self.recorded.iter().map(essence).collect();
        let expected: Vec<_> = expected.into_iter().map(|event| essence(&event)).collect();
        assert_eq!(recorded, expected, "what was recorded (left) is not what was expected");
        told
    }

    /// Asserts that the act went through, and returns what it recorded.
    pub fn then_accepted(self) -> Vec<Event> {
        match self.result {
            Ok(_) => self.recorded,
            Err(error) => panic!("the act was refused: {error:?}"),
        }
    }

    /// Asserts that the act was refused and recorded nothing. Returns the refusal.
    pub fn then_refused(self) -> E {
        match self.result {
            Err(refusal) => {
                assert!(self.recorded.is_empty(), "a refused act recorded {:?}", self.recorded);
                refusal
            }
            Ok(told) => panic!("the act went through: {told:?}, recorded {:?}", self.recorded),
        }
    }
}

impl<T: Debug, R: Debug + PartialEq> Outcome<T, DecideError<R>> {
    /// Asserts that the decision was refused by this very rule, and recorded nothing.
    pub fn then_refused_with(self, expected: R) {
        match self.then_refused() {
            DecideError::Refused { refusal, .. } => assert_eq!(refusal, expected),
            other => panic!("no rule refused: {other:?}"),
        }
    }
}

fn essence(event: &Event) -> (String, Vec<String>, serde_json::Value) {
    let mut tags: Vec<String> = event.tags.iter().map(|tag| tag.as_str().to_owned()).collect();
    tags.sort();
    let data = serde_json::from_str(event.data.as_str()).expect("an event's data is JSON");
    (event.event_type.clone(), tags, data)
}
