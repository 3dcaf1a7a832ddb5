//! What a store has done in this process, in numbers.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;

/// What [`FileStore::counters`](crate::FileStore::counters) tells: what this process has done since
/// it opened the store. Other processes count for themselves.
///
/// Each number is exact; they are read one after the other, so one may be ahead of another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counters {
    /// Appends that were written.
    pub commits: u64,
    /// Events in them.
    pub events: u64,
    /// Bytes of their lines.
    pub bytes: u64,
    /// Appends that were refused because an event matched their condition.
    pub conflicts: u64,
    /// Groups in which the commits were written, each with one write and at most one sync;
    /// `commits / groups` is how many shared one.
    pub groups: u64,
    /// The most commits that one group had.
    pub largest_group: u64,
    /// Syncs of event files.
    pub syncs: u64,
    /// How long they took together, in microseconds.
    pub sync_us: u64,
    /// How long the longest took, in microseconds.
    pub longest_sync_us: u64,
    /// How often the store's lock was not free at once, because another process, or another handle
    /// of this one, was writing.
    pub lock_waits: u64,
    /// How long it was waited for together, in microseconds.
    pub lock_wait_us: u64,
}

/// In one sentence without a full stop, for people.
impl fmt::Display for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { commits, events, conflicts, groups, largest_group, syncs, .. } = self;
        let [sync_ms, longest_ms, wait_ms] =
            [self.sync_us, self.longest_sync_us, self.lock_wait_us].map(|us| us.div_ceil(1000));
        write!(
            f,
            "{commits} commits of {events} events in {groups} groups of up to {largest_group}; \
             {syncs} syncs took {sync_ms} ms, the longest {longest_ms} ms; {conflicts} conflicts; \
             the lock was waited for {wait_ms} ms"
        )
    }
}

/// The same while it is counted.
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
