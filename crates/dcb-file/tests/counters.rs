//! A store counts what it does.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use dcb::{AppendCondition, Counters, Event, EventStore, Query};
use dcb_file::{FileStore, Options};

fn event() -> Event {
    Event::builder("Happened").tag("name", "x").build().unwrap()
}

/// One that fails as soon as there is an event.
fn if_first() -> AppendCondition {
    AppendCondition { fail_if_events_match: Query::all(), after: None }
}

#[test]
fn counters_tell_what_a_store_has_done_in_this_process() {
    let dir = tempfile::tempdir().unwrap();
    let store = FileStore::create(dir.path(), Options::default()).unwrap();
    assert_eq!(store.counters().unwrap(), Counters::default());
    store.append(&[event(), event()], Some(&if_first())).unwrap();
    let one = store.counters().unwrap();
    store.append(&[event()], Some(&if_first())).unwrap_err();
    store.append(&[event()], None).unwrap();
    let all = store.counters().unwrap();
    assert_eq!((one.commits, one.events, one.conflicts, one.groups), (1, 2, 0, 1));
    assert_eq!((all.commits, all.events, all.conflicts, all.groups), (2, 3, 1, 2));
    // One more for the room that the first was written to.
    assert_eq!((all.syncs, all.largest_group, all.lock_waits), (3, 1, 0));
    assert!(all.sync_us >= all.longest_sync_us && all.bytes > one.bytes);
    let told = all.to_string();
    assert!(told.starts_with("2 commits of 3 events in 2 groups of up to 1; 3 syncs"), "{told}");
    let other = FileStore::open(dir.path(), Options::default()).unwrap();
    assert_eq!(other.counters().unwrap(), Counters::default(), "it has done nothing yet");
}

#[test]
fn a_lock_that_others_hold_is_counted_once_and_appends_that_wait_share_a_group() {
    let dir = tempfile::tempdir().unwrap();
    let store = FileStore::create(dir.path(), Options::default()).unwrap();
    let lock = std::fs::File::options().write(true).open(dir.path().join("store.lock")).unwrap();
    fs4::FileExt::lock(&lock).unwrap();
    std::thread::scope(|scope| {
        let append = || scope.spawn(|| store.append(&[event()], None).unwrap());
        let appends: Vec<_> = (0..4).map(|_| append()).collect();
        std::thread::sleep(std::time::Duration::from_millis(50));
        fs4::FileExt::unlock(&lock).unwrap();
        appends.into_iter().for_each(|append| assert_eq!(append.join().unwrap().len(), 1));
    });
    let counters = store.counters().unwrap();
    assert_eq!((counters.commits, counters.lock_waits), (4, 1));
    assert!(counters.lock_wait_us > 0 && counters.groups <= 4);
    assert!(counters.largest_group >= 4 / counters.groups);
}
