//! A subscriber of `tracing` sees what a store does, and cannot harm it. Its tests stand alone, because
//! a subscriber is the whole process's.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dcb::{Event, EventStore, Query, ReadOptions, StoreError};
use dcb_file::{FileStore, Options};
use tracing::span::{Attributes, Id, Record};
use tracing::{Metadata, Subscriber};

/// Is told the name of each span.
struct OnSpan<F>(F);

impl<F: Fn(&'static str) + Send + Sync + 'static> Subscriber for OnSpan<F> {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, span: &Attributes<'_>) -> Id {
        (self.0)(span.metadata().name());
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &tracing::Event<'_>) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[test]
fn a_writer_that_panics_leaves_nobody_waiting_and_nothing_half_done() {
    let dir = tempfile::tempdir().unwrap();
    let store = FileStore::create(dir.path(), Options::default()).unwrap();
    let event = Event::builder("Happened").build().unwrap();
    let append = || store.append(std::slice::from_ref(&event), None);
    append().unwrap();
    let lock = std::fs::File::options().write(true).open(dir.path().join("store.lock")).unwrap();
    fs4::FileExt::lock(&lock).unwrap();
    let panicking = || OnSpan(|name| assert_ne!(name, "append"));
    let breaking = || tracing::subscriber::with_default(panicking(), append);
    std::thread::scope(|scope| {
        let leader = scope.spawn(|| catch_unwind(AssertUnwindSafe(breaking)));
        std::thread::sleep(Duration::from_millis(30));
        let follower = scope.spawn(append);
        std::thread::sleep(Duration::from_millis(30));
        fs4::FileExt::unlock(&lock).unwrap();
        assert!(leader.join().unwrap().is_err(), "the leader panicked");
        let told = follower.join().unwrap().unwrap_err();
        assert!(matches!(told, StoreError::ReadOnly { .. }), "{told}");
    });
    assert_eq!(store.head().unwrap(), 1);
    let again = FileStore::open(dir.path(), Options::default()).unwrap();
    assert_eq!(again.append(&[event], None).unwrap(), [2]);
}

#[test]
fn a_subscriber_sees_what_takes_time() {
    let seen = Arc::new(Mutex::new(BTreeSet::new()));
    let names = Arc::clone(&seen);
    let watcher = OnSpan(move |name| {
        names.lock().unwrap().insert(name);
    });
    tracing::subscriber::set_global_default(watcher).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let options = Options { segment_bytes: 2_000, ..Options::default() };
    let store = FileStore::create(dir.path(), options.clone()).unwrap();
    let event = Event::builder("Happened").build().unwrap();
    for _ in 0..20 {
        store.append(std::slice::from_ref(&event), None).unwrap();
    }
    drop(store);
    let store = FileStore::open(dir.path(), options).unwrap();
    assert_eq!(store.read(&Query::all(), ReadOptions::default()).unwrap().count(), 20);
    let wanted = ["append", "index_load", "index_write", "recovery", "sync"];
    assert_eq!(*seen.lock().unwrap(), BTreeSet::from(wanted));
}
