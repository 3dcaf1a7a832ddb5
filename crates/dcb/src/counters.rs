//! What a store has done in this process, in numbers.

use std::fmt;

use serde::Serialize;

/// What [`EventStore::counters`](crate::EventStore::counters) tells: what this process has done since
/// it opened the store. Other processes count for themselves.
///
/// Each number is exact; they are read one after the other, so one may be ahead of another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
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
