//! Counting what this process does with a store.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use dcb::Counters;

/// [`Counters`] while they are counted.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    commits: AtomicU64,
    events: AtomicU64,
    bytes: AtomicU64,
    conflicts: AtomicU64,
    groups: AtomicU64,
    largest_group: AtomicU64,
    syncs: AtomicU64,
    sync_us: AtomicU64,
    longest_sync_us: AtomicU64,
    lock_waits: AtomicU64,
    lock_wait_us: AtomicU64,
}

impl Tally {
    /// A group was written.
    pub(crate) fn wrote(&self, commits: u64, events: u64, bytes: u64) {
        add(&self.commits, commits);
        add(&self.events, events);
        add(&self.bytes, bytes);
        add(&self.groups, 1);
        self.largest_group.fetch_max(commits, Ordering::Relaxed);
    }

    /// Conditions failed.
    pub(crate) fn refused(&self, conflicts: u64) {
        add(&self.conflicts, conflicts);
    }

    /// An event file was synced.
    pub(crate) fn synced(&self, took: Duration) {
        add(&self.syncs, 1);
        add(&self.sync_us, micros(took));
        self.longest_sync_us.fetch_max(micros(took), Ordering::Relaxed);
    }

    /// The lock was not free at once.
    pub(crate) fn waited(&self, took: Duration) {
        add(&self.lock_waits, 1);
        add(&self.lock_wait_us, micros(took));
    }

    pub(crate) fn counters(&self) -> Counters {
        let read = |number: &AtomicU64| number.load(Ordering::Relaxed);
        Counters {
            commits: read(&self.commits),
            events: read(&self.events),
            bytes: read(&self.bytes),
            conflicts: read(&self.conflicts),
            groups: read(&self.groups),
            largest_group: read(&self.largest_group),
            syncs: read(&self.syncs),
            sync_us: read(&self.sync_us),
            longest_sync_us: read(&self.longest_sync_us),
            lock_waits: read(&self.lock_waits),
            lock_wait_us: read(&self.lock_wait_us),
        }
    }
}

fn add(number: &AtomicU64, more: u64) {
    number.fetch_add(more, Ordering::Relaxed);
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
