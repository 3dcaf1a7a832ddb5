//! Tills for tests: on a store in memory, with a clock that stands still.

use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};
use dcb::{EventStore, MemoryStore};
use pos::{TillId, UserId};

use crate::{Clock, Till};

/// A clock that always shows 10 o'clock on 1 June 2026.
pub(crate) struct StoppedClock;

impl Clock for StoppedClock {
    fn now(&self) -> DateTime<Utc> {
        "2026-06-01T10:00:00Z".parse().unwrap()
    }
}

/// A clock that a test sets: it starts like [`StoppedClock`].
#[derive(Clone)]
pub(crate) struct SetClock(Arc<Mutex<DateTime<Utc>>>);

impl SetClock {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(StoppedClock.now())))
    }

    pub(crate) fn pass(&self, seconds: i64) {
        *self.0.lock().unwrap() += TimeDelta::seconds(seconds);
    }
}

impl Clock for SetClock {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().unwrap()
    }
}

/// Till T1 with Ann at it, on a new store.
pub(crate) fn till() -> Till {
    till_on(Arc::new(MemoryStore::new()), "T1")
}

/// A till with Ann at it, on this store.
pub(crate) fn till_on(store: Arc<dyn EventStore>, id: &str) -> Till {
    Till::open(store, StoppedClock, TillId::new(id).unwrap(), UserId::new("ann").unwrap())
}
