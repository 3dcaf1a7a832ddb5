//! Nothing that was changed, cut off or taken away passes for what was written.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail by panicking")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use dcb::{Event, EventStore, Query, ReadOptions, SequencedEvent, StoreError};
use dcb_file::{FileStore, Options, Report, SystemDisk, verify};
use tempfile::TempDir;

/// A closed store of three commits in two segments, and what is in it.
fn small_store() -> (TempDir, Vec<SequencedEvent>) {
    // In memory where the system has such a place: writing a file anew, some thousand times, waits
    // for the disk otherwise.
    let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let store = FileStore::create(dir.path(), options()).unwrap();
    for commit in 0..3u32 {
        let event = |n: u32| {
            Event::builder("Happened").tag("n", n.to_string()).data(&commit).build().unwrap()
        };
        store.append(&[event(2 * commit), event(2 * commit + 1)], None).unwrap();
    }
    let events = store.read(&Query::all(), ReadOptions::default()).unwrap();
    let events = events.map(Result::unwrap).collect();
    (dir, events)
}

fn options() -> Options {
    Options { segment_bytes: 1_100, ..Options::default() }
}

fn segments(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(dir.join("events")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn check(dir: &Path) -> Report {
    verify(dir, Arc::new(SystemDisk)).unwrap()
}

/// Reads everything that can be read, and asserts that it is what was written.
fn assert_no_changed_value(dir: &Path, written: &[SequencedEvent], case: &str) {
    let store = FileStore::open(dir, options()).unwrap();
    let read = store.read(&Query::all(), ReadOptions::default()).unwrap();
    for event in read.map_while(Result::ok) {
        assert!(written.contains(&event), "{case}: {event:?}");
    }
    let skipping = store.read_skipping_damage(&Query::all(), ReadOptions::default()).unwrap();
    for event in skipping {
        assert!(written.contains(&event.unwrap()), "{case}");
    }
}

#[test]
fn any_flipped_bit_is_found_and_no_changed_value_is_read() {
    let (dir, written) = small_store();
    for path in segments(dir.path()) {
        let sound = std::fs::read(&path).unwrap();
        for bit in 0..sound.len() * 8 {
            let mut flipped = sound.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            std::fs::write(&path, &flipped).unwrap();
            let case = format!("{} bit {bit}", path.display());
            let report = check(dir.path());
            if let Some(torn) = &report.torn {
                assert_eq!(torn.file, path, "{case}");
                assert_eq!(report.head, 6, "{case}: only what is behind the ledger's head is torn");
            } else {
                assert!(!report.damage.is_empty(), "{case}");
                let line = flipped[..bit / 8].iter().filter(|b| **b == b'\n').count() as u64 + 1;
                let found = &report.damage[0];
                assert_eq!(found.file, path, "{case}");
                assert!(found.line.abs_diff(line) <= 1, "{case}: line {line}, {found:?}");
            }
            // Opening is slower, so it is done for some of the bits.
            if bit % 37 == 0 {
                assert_no_changed_value(dir.path(), &written, &case);
            }
            std::fs::write(&path, &sound).unwrap();
        }
    }
    assert!(check(dir.path()).damage.is_empty());
}

#[test]
fn a_damaged_store_reads_around_the_damage_and_refuses_writes() {
    let (dir, written) = small_store();
    let path = &segments(dir.path())[0];
    let text = std::fs::read_to_string(path).unwrap();
    let second = text.match_indices("\"n:1\"").next().unwrap().0;
    let mut bytes = text.into_bytes();
    bytes[second + 3] = b'7';
    std::fs::write(path, &bytes).unwrap();

    let store = FileStore::open(dir.path(), options()).unwrap();
    assert_eq!(store.damage()[0].line, 2);
    let refused = store.append(&[written[0].event.clone()], None).unwrap_err();
    assert!(matches!(&refused, StoreError::Damaged { place, .. } if place.ends_with(".jsonl:2")));
    let read = |options| -> Vec<Result<u64, String>> {
        let events = store.read(&Query::all(), options).unwrap();
        events.map(|e| e.map(|e| e.position).map_err(|e| e.to_string())).collect()
    };
    let forwards = read(ReadOptions::default());
    assert_eq!(forwards[0], Ok(1));
    assert!(
        forwards[1].as_ref().is_err_and(|e| e.contains(".jsonl:2") && e.contains("position 2"))
    );
    assert_eq!(forwards.len(), 2, "nothing is read past the error");
    assert_eq!(read(ReadOptions::from(3)), [Ok(3), Ok(4), Ok(5), Ok(6)]);
    assert_eq!(read(ReadOptions::default().limit(1)), [Ok(1)]);
    assert_eq!(read(ReadOptions::backwards().limit(4)), [Ok(6), Ok(5), Ok(4), Ok(3)]);
    assert!(read(ReadOptions::backwards())[4].is_err());
    // A query that finds nothing may have missed what stood there.
    let rare = Query::types(["Rare"]).unwrap();
    assert!(store.read(&rare, ReadOptions::default()).unwrap().next().unwrap().is_err());
    let skipping = store.read_skipping_damage(&Query::all(), ReadOptions::default()).unwrap();
    let positions: Vec<u64> = skipping.map(|event| event.unwrap().position).collect();
    assert_eq!(positions, [1, 3, 4, 5, 6]);
}

#[test]
fn a_line_that_changes_under_an_open_store_is_not_read() {
    let (dir, _) = small_store();
    let store = FileStore::open(dir.path(), options()).unwrap();
    let path = &segments(dir.path())[0];
    let mut bytes = std::fs::read(path).unwrap();
    bytes[20] ^= 1;
    std::fs::write(path, &bytes).unwrap();
    let first = store.read(&Query::all(), ReadOptions::default()).unwrap().next().unwrap();
    assert!(
        matches!(&first, Err(StoreError::Damaged { place, .. }) if place.ends_with(".jsonl:1"))
    );
}

#[test]
fn a_missing_or_shortened_file_is_damage() {
    for victim in 0..2 {
        let (dir, _) = small_store();
        std::fs::remove_file(&segments(dir.path())[victim]).unwrap();
        let report = check(dir.path());
        assert!(!report.damage.is_empty() && report.torn.is_none(), "{report:?}");
        let store = FileStore::open(dir.path(), options()).unwrap();
        assert!(matches!(
            store.append(&[Event::builder("T").build().unwrap()], None),
            Err(StoreError::Damaged { .. })
        ));
        let all = store.read(&Query::all(), ReadOptions::default()).unwrap();
        assert!(all.into_iter().any(|event| event.is_err()));
    }
    let (dir, _) = small_store();
    let last = segments(dir.path()).pop().unwrap();
    let text = std::fs::read_to_string(&last).unwrap();
    std::fs::write(&last, &text.trim_end()[..text.trim_end().len() / 2]).unwrap();
    let report = check(dir.path());
    assert!(!report.damage.is_empty() && report.torn.is_none(), "{report:?}");
}

#[test]
fn a_commit_cut_short_by_a_dying_writer_is_dropped_kept_aside_and_told() {
    let (dir, written) = small_store();
    let last = segments(dir.path()).pop().unwrap();
    let mut bytes = std::fs::read(&last).unwrap();
    let end = bytes.iter().rposition(|b| *b != b'\n').unwrap() + 2;
    let torn = br#"{"position":7,"type":"Happened","tags":["n:7"],"da"#;
    bytes[end..end + torn.len()].copy_from_slice(torn);
    std::fs::write(&last, &bytes).unwrap();
    // As after a restart of the machine: what processes told each other is gone.
    std::fs::write(dir.path().join("store.lock"), "").unwrap();

    let report = check(dir.path());
    assert!(report.damage.is_empty());
    assert_eq!(report.torn.unwrap().position, 7);
    let store = FileStore::open(dir.path(), options()).unwrap();
    let recovery = store.recovery().unwrap();
    assert_eq!((recovery.position, recovery.bytes), (7, torn.len() as u64));
    assert_eq!(std::fs::read(&recovery.kept_in).unwrap(), torn);
    let events = store.read(&Query::all(), ReadOptions::default()).unwrap();
    assert_eq!(events.map(Result::unwrap).collect::<Vec<_>>(), written);
    assert_eq!(store.append(&[written[0].event.clone()], None).unwrap(), [7]);
    drop(store);
    let report = check(dir.path());
    assert!(report.torn.is_none() && report.damage.is_empty(), "{report:?}");
}

#[test]
fn a_rewritten_history_with_right_checksums_breaks_the_chain() {
    let (dir, _) = small_store();
    let path = &segments(dir.path())[0];
    let text = std::fs::read_to_string(path).unwrap();
    let first = text.lines().next().unwrap();
    let body = first[..first.len() - 18].replace("\"n:0\"", "\"n:9\"");
    let forged = format!("{body},\"crc\":\"{:08x}\"}}", crc32fast::hash(body.as_bytes()));
    std::fs::write(path, text.replacen(first, &forged, 1)).unwrap();
    let report = check(dir.path());
    assert_eq!(report.damage.len(), 1, "{report:?}");
    assert!(report.damage[0].reason.contains("hash"));
    assert_eq!((report.damage[0].first_position, report.damage[0].last_position), (1, 2));
}

/// Three events in one segment, closed.
fn three_events() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let store = FileStore::create(dir.path(), Options::default()).unwrap();
    for n in 1..=3 {
        store.append(&[numbered(n)], None).unwrap();
    }
    dir
}

fn numbered(n: u64) -> Event {
    Event::builder("Numbered").tag("n", n.to_string()).build().unwrap()
}

fn numbers(store: &FileStore) -> Vec<u64> {
    let events = store.read(&Query::all(), ReadOptions::default()).unwrap();
    events.map(|event| event.unwrap().event.tags[0].value().parse().unwrap()).collect()
}

#[test]
fn files_of_other_names_beside_the_log_change_nothing() {
    for lock_is_lost in [false, true] {
        let dir = three_events();
        for name in ["1.jsonl", "+1.jsonl", "note.txt", "0000000002.jsonl.bak"] {
            std::fs::write(dir.path().join("events").join(name), "").unwrap();
        }
        if lock_is_lost {
            std::fs::remove_file(dir.path().join("store.lock")).unwrap();
        }
        let store = FileStore::open(dir.path(), Options::default()).unwrap();
        assert_eq!(store.append(&[numbered(4)], None).unwrap(), [4]);
        assert_eq!(numbers(&store), [1, 2, 3, 4]);
    }
}

#[test]
fn a_segment_that_does_not_belong_there_stops_writing_before_anything_is_written() {
    let first = |dir: &TempDir| std::fs::read(dir.path().join("events/0000000001.jsonl")).unwrap();
    for (name, is_copy) in
        [("0000000050.jsonl", false), ("0000000002.jsonl", false), ("0000000009.jsonl", true)]
    {
        let dir = three_events();
        let content = if is_copy { first(&dir) } else { Vec::new() };
        let before = first(&dir);
        std::fs::write(dir.path().join("events").join(name), &content).unwrap();
        let store = FileStore::open(dir.path(), Options::default()).unwrap();
        let refused = store.append(&[numbered(4)], None);
        assert!(matches!(refused, Err(StoreError::Damaged { .. })), "{name}: {refused:?}");
        assert_eq!(first(&dir), before, "{name}");
        assert!(!check(dir.path()).damage.is_empty(), "{name}");
        let events = store.read(&Query::all(), ReadOptions::default().limit(3)).unwrap();
        assert!(events.map(Result::unwrap).is_sorted_by_key(|event| event.position));
    }
}

#[test]
fn a_watermark_older_than_the_log_costs_no_event() {
    for with_ledger in [true, false] {
        let dir = three_events();
        let old_mark = std::fs::read(dir.path().join("store.lock")).unwrap();
        let old_ledger = std::fs::read(dir.path().join("ledger.json")).unwrap();
        let store = FileStore::open(dir.path(), Options::default()).unwrap();
        for n in 4..=8 {
            store.append(&[numbered(n)], None).unwrap();
        }
        drop(store);
        std::fs::write(dir.path().join("store.lock"), &old_mark).unwrap();
        if !with_ledger {
            std::fs::write(dir.path().join("ledger.json"), &old_ledger).unwrap();
        }
        let store = FileStore::open(dir.path(), Options::default()).unwrap();
        assert_eq!(store.append(&[numbered(9)], None).unwrap(), [9]);
        assert_eq!(numbers(&store), (1..=9).collect::<Vec<_>>());
    }
}

#[test]
fn event_files_of_another_store_are_not_taken_for_this_ones() {
    let (one, other) = (three_events(), three_events());
    let name = "events/0000000001.jsonl";
    std::fs::copy(other.path().join(name), one.path().join(name)).unwrap();
    let store = FileStore::open(one.path(), Options::default()).unwrap();
    let refused = store.append(&[numbered(4)], None).unwrap_err();
    assert!(refused.to_string().contains("ledger.json"), "{refused}");
    assert_eq!(check(one.path()).damage.len(), 1);
}

#[test]
fn a_store_without_its_identity_or_its_events_is_not_made_anew() {
    let dir = three_events();
    std::fs::remove_file(dir.path().join("store.json")).unwrap();
    let refused = FileStore::open_or_create(dir.path(), Options::default()).unwrap_err();
    assert!(matches!(refused, StoreError::NotAStore(_)), "{refused}");
    let dir = three_events();
    std::fs::remove_dir_all(dir.path().join("events")).unwrap();
    let store = FileStore::open(dir.path(), Options::default()).unwrap();
    let refused = store.append(&[numbered(4)], None);
    assert!(matches!(refused, Err(StoreError::Damaged { .. })), "{refused:?}");
}

#[test]
fn of_many_creators_one_makes_the_store_and_the_others_find_it() {
    for _ in 0..20 {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store");
        let create = || FileStore::create(&path, Options::default()).map(|store| store.store_id());
        let ids: Vec<_> = std::thread::scope(|scope| {
            let creators: Vec<_> = (0..4).map(|_| scope.spawn(create)).collect();
            creators.into_iter().map(|creator| creator.join().unwrap()).collect()
        });
        assert_eq!(ids.iter().filter(|made| made.is_ok()).count(), 1);
        let lost = ids.iter().filter_map(|made| made.as_ref().err());
        assert!(lost.into_iter().all(|error| matches!(error, StoreError::NotAStore(_))));
    }
}
