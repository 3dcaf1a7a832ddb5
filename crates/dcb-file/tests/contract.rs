//! The store keeps the contract of every event store, with large and with tiny segments, synced and
//! unsynced, and however often it is opened again.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail by panicking")]

use std::sync::Arc;
use std::time::Duration;

use dcb::{
    AppendOptions, Cancel, Event, EventStore, Maintenance, Query, ReadOptions, StoreError, Tag,
};
use dcb_file::{FileStore, Options, SystemDisk, verify};
use tempfile::TempDir;

fn store_with(options: Options) -> (FileStore, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    (FileStore::create(dir.path(), options).unwrap(), dir)
}

fn tiny_segments() -> Options {
    Options { segment_bytes: 2_000, ..Options::default() }
}

mod as_it_is_used {
    dcb::conformance_tests!(|| super::store_with(dcb_file::Options::default()));
    dcb::maintenance_tests!(|| super::store_with(dcb_file::Options::default()));
}

mod with_tiny_segments {
    dcb::conformance_tests!(|| super::store_with(super::tiny_segments()));
    dcb::maintenance_tests!(|| super::store_with(super::tiny_segments()));
}

mod without_flush {
    dcb::conformance_tests!(|| {
        super::store_with(dcb_file::Options { flush: false, ..super::tiny_segments() })
    });
}

fn event(event_type: &str, tags: &[&str]) -> Event {
    let tags = tags.iter().map(|tag| tag.parse::<Tag>().unwrap());
    Event::builder(event_type).tags(tags).data(&tags_text(event_type)).build().unwrap()
}

fn tags_text(event_type: &str) -> String {
    format!("{event_type} é \u{1F600} \\ \"")
}

fn all(store: &impl EventStore) -> Vec<dcb::SequencedEvent> {
    store.read(&Query::all(), ReadOptions::default()).unwrap().map(Result::unwrap).collect()
}

#[test]
fn a_store_can_be_made_below_folders_that_are_not_there_yet() {
    let dir = tempfile::tempdir().unwrap();
    let below = dir.path().join("shops/of/today/store");
    let store = FileStore::create(&below, Options::default()).unwrap();
    store.append(&[event("A", &[])], None).unwrap();
    assert_eq!(all(&FileStore::open(&below, Options::default()).unwrap()).len(), 1);
    // Where a file stands in place of a folder, it is said which.
    std::fs::write(dir.path().join("file"), "").unwrap();
    let error = FileStore::create(dir.path().join("file/store"), Options::default()).unwrap_err();
    assert!(error.to_string().contains("file/store"), "{error}");
}

#[test]
fn a_store_opened_again_holds_what_was_appended() {
    let (store, dir) = store_with(tiny_segments());
    for round in 0..30 {
        store.append(&[event("A", &["k:1"]), event("B", &[&format!("k:{round}")])], None).unwrap();
    }
    let before = all(&store);
    assert_eq!(before.len(), 60);
    assert_eq!(before.last().unwrap().position, 60);
    drop(store);
    let store = FileStore::open(dir.path(), tiny_segments()).unwrap();
    assert_eq!(all(&store), before);
    assert!(store.recovery().is_none() && store.damage().is_empty());
    let report = verify(dir.path(), Arc::new(SystemDisk)).unwrap();
    assert_eq!((report.events, report.commits, report.head), (60, 30, 60));
    assert!(report.segments > 5 && report.damage.is_empty() && report.torn.is_none());
}

#[test]
fn two_handles_on_one_store_see_each_others_events_and_conditions() {
    let (one, dir) = store_with(tiny_segments());
    let two = FileStore::open(dir.path(), tiny_segments()).unwrap();
    for round in 0..20 {
        let (writer, reader) = if round % 2 == 0 { (&one, &two) } else { (&two, &one) };
        let positions = writer.append(&[event("A", &[]), event("A", &[])], None).unwrap();
        assert_eq!(positions, [2 * round + 1, 2 * round + 2]);
        assert_eq!(reader.head().unwrap(), 2 * round + 2);
        assert_eq!(reader.read_last(&Query::all()).unwrap().unwrap().position, 2 * round + 2);
    }
    assert_eq!(all(&one), all(&two));
}

#[test]
fn a_waiting_append_can_be_cancelled_and_gives_up_in_time() {
    let (store, dir) = store_with(Options::default());
    let lock = std::fs::File::options().write(true).open(dir.path().join("store.lock")).unwrap();
    fs4::FileExt::lock(&lock).unwrap();
    let hasty = Options { lock_timeout: Duration::from_millis(30), ..Options::default() };
    let hasty = FileStore::open(dir.path(), hasty).unwrap();
    let timeout = hasty.append(&[event("A", &[])], None).unwrap_err();
    assert!(matches!(timeout, StoreError::LockTimeout { waited } if waited.as_millis() >= 30));
    let cancel = Cancel::default();
    std::thread::scope(|scope| {
        let options = AppendOptions { cancel: Some(cancel.clone()), ..AppendOptions::default() };
        let waiting = scope.spawn(|| {
            let options = options;
            store.append_with(&[event("A", &[])], &options)
        });
        std::thread::sleep(Duration::from_millis(20));
        cancel.cancel();
        assert!(matches!(waiting.join().unwrap(), Err(StoreError::Cancelled)));
    });
    fs4::FileExt::unlock(&lock).unwrap();
    assert_eq!(store.append(&[event("A", &[])], None).unwrap(), [1]);
}

#[test]
fn appends_that_wait_together_are_written_as_one_group() {
    let (store, dir) = store_with(Options::default());
    let lock = std::fs::File::options().write(true).open(dir.path().join("store.lock")).unwrap();
    fs4::FileExt::lock(&lock).unwrap();
    let unique = dcb::AppendCondition {
        fail_if_events_match: Query::tags(["name:x".parse().unwrap()]).unwrap(),
        after: None,
    };
    let outcomes: Vec<bool> = std::thread::scope(|scope| {
        let appends: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| store.append(&[event("Taken", &["name:x"])], Some(&unique))))
            .collect();
        let others = (0..8).map(|_| scope.spawn(|| store.append(&[event("Other", &[])], None)));
        let others: Vec<_> = others.collect();
        // All of them are waiting by now, or join a later group, which the test allows for.
        std::thread::sleep(Duration::from_millis(200));
        fs4::FileExt::unlock(&lock).unwrap();
        others.into_iter().for_each(|append| assert!(append.join().unwrap().is_ok()));
        appends.into_iter().map(|append| append.join().unwrap().is_ok()).collect()
    });
    assert_eq!(
        outcomes.iter().filter(|won| **won).count(),
        1,
        "one takes the name, also in a group"
    );
    let text = std::fs::read_to_string(dir.path().join("events/0000000001.jsonl")).unwrap();
    let groups: std::collections::BTreeSet<u64> = text
        .lines()
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|line| line["commit"]["group"].as_u64().unwrap())
        .collect();
    assert!(groups.len() < 5, "9 commits in {groups:?}");
    assert!(verify(dir.path(), Arc::new(SystemDisk)).unwrap().damage.is_empty());
}

#[test]
fn only_a_store_is_opened_and_only_an_empty_folder_becomes_one() {
    let dir = tempfile::tempdir().unwrap();
    let open = |path: &std::path::Path| FileStore::open(path, Options::default());
    for path in [dir.path().to_owned(), dir.path().join("missing")] {
        let error = open(&path).unwrap_err();
        assert!(matches!(error, StoreError::NotAStore(_)), "{error}");
    }
    std::fs::write(dir.path().join("letter.txt"), "dear").unwrap();
    let other_files = FileStore::create(dir.path(), Options::default()).unwrap_err();
    assert!(other_files.to_string().contains("letter.txt"), "{other_files}");
    assert!(matches!(open(&dir.path().join("letter.txt")), Err(StoreError::NotAStore(_))));
    let (_store, dir) = store_with(Options::default());
    let twice = FileStore::create(dir.path(), Options::default()).unwrap_err();
    assert!(twice.to_string().contains("already a store"), "{twice}");
}

#[test]
fn every_line_is_plain_json_that_other_tools_can_read() {
    let (store, dir) = store_with(Options::default());
    store.append(&[event("A", &["k:1"]), event("B", &[])], None).unwrap();
    let text = std::fs::read_to_string(dir.path().join("events/0000000001.jsonl")).unwrap();
    let lines: Vec<serde_json::Value> = text
        .lines()
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["tags"][0], "k:1");
    assert_eq!(lines[1]["commit"]["first"], 1);
}

#[test]
fn tags_added_by_one_handle_are_seen_by_the_others_and_after_reopening() {
    let (one, dir) = store_with(tiny_segments());
    let two = FileStore::open(dir.path(), tiny_segments()).unwrap();
    for round in 0..30u32 {
        one.append(&[event("A", &[&format!("n:{round}")])], None).unwrap();
    }
    let before = two.head().unwrap();
    for (number, key) in (1..).zip(["first", "second"]) {
        let added = one.add_tags("A", &mut |_| vec![Tag::new(key, "x").unwrap()]).unwrap();
        assert_eq!((added.events, added.tags), (30, 30));
        assert_eq!((two.head().unwrap(), two.tag_epoch()), (before + number, number));
    }
    // So much that the commits that added tags lie in a segment of which only the index is read.
    let long = Event::builder("B").data(&"x".repeat(200_000)).build().unwrap();
    for _ in 0..50 {
        two.append(std::slice::from_ref(&long), None).unwrap();
    }
    let query = Query::tags(["first:x".parse().unwrap(), "second:x".parse().unwrap()]).unwrap();
    let all_seen = all(&one);
    drop(two);
    drop(one);
    for _ in 0..2 {
        let store = FileStore::open(dir.path(), tiny_segments()).unwrap();
        assert_eq!((store.tag_epoch(), store.count(&query).unwrap()), (2, 30));
        assert_eq!(all(&store), all_seen);
        assert_eq!(all(&store)[0].event.tags.len(), 3);
        let stale =
            dcb::AppendCondition { fail_if_events_match: query.clone(), after: Some(before) };
        let refused = store.append(&[event("C", &[])], Some(&stale));
        assert!(matches!(refused, Err(StoreError::ConditionFailed { .. })), "{refused:?}");
        drop(store);
        // Without index files the lines themselves are read.
        std::fs::remove_dir_all(dir.path().join("indices")).unwrap();
    }
    assert!(verify(dir.path(), Arc::new(SystemDisk)).unwrap().damage.is_empty());
}

#[test]
fn tags_are_added_to_every_event_also_while_others_append() {
    let (store, _dir) = store_with(tiny_segments());
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (store, done) = (&store, &done);
        for _ in 0..2 {
            scope.spawn(move || {
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    store.append(&[event("A", &[])], None).unwrap();
                    std::thread::sleep(Duration::from_micros(300));
                }
            });
        }
        for round in 1..=5u64 {
            let tag = Tag::new("round", round.to_string()).unwrap();
            let added = store.add_tags("A", &mut |_| vec![tag.clone()]).unwrap();
            let Some(position) = added.position else { continue };
            let events = all(store);
            let before = events.iter().filter(|event| event.position < position);
            assert!(before.into_iter().all(|event| event.event.tags.contains(&tag)));
            assert_eq!(store.count(&Query::tags([tag]).unwrap()).unwrap(), added.events);
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}

#[test]
fn full_segments_are_write_protected_if_that_is_asked_for() {
    for write_protect in [false, true] {
        let (store, dir) = store_with(Options { write_protect, ..tiny_segments() });
        for _ in 0..30 {
            store.append(&[event("A", &[])], None).unwrap();
        }
        drop(store);
        let events = std::fs::read_dir(dir.path().join("events")).unwrap();
        let mut files: Vec<_> = events.map(|entry| entry.unwrap()).collect();
        files.sort_by_key(std::fs::DirEntry::file_name);
        let last = files.pop().unwrap();
        let is_protected = |f: &std::fs::DirEntry| f.metadata().unwrap().permissions().readonly();
        assert!(files.len() > 3 && files.iter().all(|file| is_protected(file) == write_protect));
        assert!(!is_protected(&last));
        let store = FileStore::open(dir.path(), tiny_segments()).unwrap();
        assert_eq!(store.append(&[event("A", &[])], None).unwrap(), [31]);
        assert!(store.damage().is_empty());
        drop(store);
        dcb_file::delete_store(dir.path(), &Options::default()).unwrap();
    }
}
