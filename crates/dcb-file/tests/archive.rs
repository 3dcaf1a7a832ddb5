//! Archived event files read, verify and copy like any other, and damage in them is told.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail by panicking")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use dcb::{Event, EventStore, Query, ReadOptions, SequencedEvent, StoreError};
use dcb_file::opossum::{Layout, export};
use dcb_file::{FileStore, Options, Report, SystemDisk, archive, backup, restore, verify};
use tempfile::TempDir;

/// Larger than what one frame of an archive holds.
fn options() -> Options {
    Options { segment_bytes: 150_000, ..Options::default() }
}

fn event(number: u64) -> Event {
    let text = format!("{number:x}").repeat(200);
    Event::builder("Happened").tag("n", (number % 7).to_string()).data(&text).build().unwrap()
}

fn append(store: &FileStore, commits: u64) {
    for _ in 0..commits {
        let next = store.head().unwrap() + 1;
        store.append(&[event(next), event(next + 1)], None).unwrap();
    }
}

/// A closed store of several segments in the folder `shop`, and what is in it.
fn shop() -> (TempDir, PathBuf, Vec<SequencedEvent>) {
    let dir = tempfile::tempdir().unwrap();
    let shop = dir.path().join("shop");
    let store = FileStore::create(&shop, options()).unwrap();
    append(&store, 400);
    let written = all(&store);
    drop(store);
    assert!(files(&shop).len() > 3);
    (dir, shop, written)
}

fn all(store: &FileStore) -> Vec<SequencedEvent> {
    store.read(&Query::all(), ReadOptions::default()).unwrap().map(Result::unwrap).collect()
}

fn files(store: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(store.join("events")).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn is_archive(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "zst")
}

fn check(store: &Path) -> Report {
    verify(store, Arc::new(SystemDisk)).unwrap()
}

fn without_indexes(store: &Path) {
    // Of a damaged store nobody writes any.
    let _ = std::fs::remove_dir_all(store.join("indices"));
}

#[test]
fn an_archived_store_reads_verifies_and_grows_as_before() {
    let (_dir, shop, written) = shop();
    let before = check(&shop);
    let done = archive(&shop, &options()).unwrap();
    assert_eq!(usize::try_from(done.segments).unwrap(), files(&shop).len() - 1);
    assert!(done.bytes_after * 2 < done.bytes_before, "{done:?}");
    assert_eq!(files(&shop).iter().filter(|path| is_archive(path)).count() as u64, done.segments);
    assert_eq!(check(&shop), before);
    for indexed in [true, false] {
        if !indexed {
            without_indexes(&shop);
        }
        let store = FileStore::open(&shop, options()).unwrap();
        assert_eq!(all(&store), written);
        let backwards = store.read(&Query::all(), ReadOptions::backwards()).unwrap();
        assert!(backwards.map(Result::unwrap).eq(written.iter().rev().cloned()));
        let tagged = Query::tags(["n:3".parse().unwrap()]).unwrap();
        let found = store.read(&tagged, ReadOptions::from(100).limit(50)).unwrap();
        let expected = written.iter().skip(99).filter(|e| e.event.tags[0].value() == "3");
        assert!(found.map(Result::unwrap).eq(expected.take(50).cloned()));
    }
    let store = FileStore::open(&shop, options()).unwrap();
    append(&store, 200);
    assert_eq!(all(&store)[..written.len()], written);
    drop(store);
    assert!(archive(&shop, &options()).unwrap().segments > 0, "what has become full since");
    assert_eq!(archive(&shop, &options()).unwrap().segments, 0);
    let report = check(&shop);
    assert_eq!((report.events, report.damage.len()), (1_200, 0));
}

#[test]
fn any_zstd_tool_unpacks_an_archive_to_the_file_that_was_packed() {
    let (_dir, shop, _) = shop();
    let before: Vec<Vec<u8>> =
        files(&shop).iter().map(|path| std::fs::read(path).unwrap()).collect();
    archive(&shop, &options()).unwrap();
    for (path, plain) in files(&shop).iter().zip(before).filter(|(path, _)| is_archive(path)) {
        let packed = std::fs::File::open(path).unwrap();
        assert_eq!(zstd::decode_all(packed).unwrap(), plain);
    }
}

#[test]
fn an_archived_store_is_backed_up_restored_and_exported() {
    let (dir, shop, written) = shop();
    archive(&shop, &options()).unwrap();
    let [copy, again, out] = ["copy", "again", "out"].map(|name| dir.path().join(name));
    // What an archiving that was killed left behind is no part of the store.
    std::fs::write(shop.join("events/0000000001.jsonl.zst.new"), "half").unwrap();
    assert_eq!(backup(&shop, &copy, &options()).unwrap().events, 800);
    assert_eq!(files(&copy).len(), files(&shop).len() - 1);
    restore(&copy, &again, &options()).unwrap();
    assert_eq!(all(&FileStore::open(&again, options()).unwrap()), written);
    let unsynced = Options { flush: false, ..options() };
    export(&shop, &out, Layout::Js, false, &unsynced).unwrap();
    assert_eq!(std::fs::read_dir(out.join("events")).unwrap().count(), 800);
}

#[test]
fn readers_and_writers_that_have_the_store_open_see_nothing_of_it() {
    let (_dir, shop, written) = shop();
    let store = FileStore::open(&shop, options()).unwrap();
    let mut reading = store.read(&Query::all(), ReadOptions::default()).unwrap();
    let first = reading.next().unwrap().unwrap();
    assert_eq!(first, written[0]);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            append(&store, 150);
            done.store(true, Ordering::Release);
        });
        // Those that open the store meanwhile find each file in one form or the other.
        scope.spawn(|| {
            while !done.load(Ordering::Acquire) {
                let other = FileStore::open(&shop, options()).unwrap();
                assert_eq!(all(&other)[..written.len()], written);
            }
        });
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::Acquire) {
                    archive(&shop, &options()).unwrap();
                }
            });
        }
    });
    assert!(reading.map(Result::unwrap).eq(written[1..].iter().cloned()));
    archive(&shop, &options()).unwrap();
    assert!(files(&shop).iter().rev().skip(1).all(|path| is_archive(path)));
    let report = check(&shop);
    assert_eq!((report.events, report.damage.len()), (1_100, 0));
}

#[test]
fn where_both_forms_lie_after_a_kill_they_are_one_file_and_the_next_archiving_ends_it() {
    let (_dir, shop, written) = shop();
    let before = check(&shop);
    let plain = files(&shop)[0].clone();
    let content = std::fs::read(&plain).unwrap();
    archive(&shop, &options()).unwrap();
    std::fs::write(&plain, content).unwrap();
    assert_eq!(check(&shop), before);
    assert_eq!(all(&FileStore::open(&shop, options()).unwrap()), written);
    assert_eq!(archive(&shop, &options()).unwrap().segments, 1);
    assert!(!plain.exists());
    assert_eq!(check(&shop), before);
}

#[test]
fn no_changed_value_is_read_from_a_damaged_archive_and_the_damage_is_told() {
    let (_dir, shop, written) = shop();
    archive(&shop, &options()).unwrap();
    let path = files(&shop)[1].clone();
    let sound = std::fs::read(&path).unwrap();
    let mut random = fastrand::Rng::with_seed(5);
    for round in 0..90 {
        let mut changed = sound.clone();
        let at = match round % 3 {
            // The table of frames and its footer are the last bytes.
            0 => sound.len() - 1 - random.usize(..40),
            _ => random.usize(..sound.len()),
        };
        match round % 5 {
            0 => changed.truncate(at),
            1 => changed[at..].fill_with(|| random.u8(..)),
            2 => changed.splice(at..at, [0; 3]).for_each(drop),
            _ => changed[at] ^= 1 << random.u8(..8),
        }
        std::fs::write(&path, &changed).unwrap();
        let case = format!("round {round}, byte {at}");
        let report = check(&shop);
        // Not every bit of a compressed file counts for what is in it.
        let is_same = zstd_agrees(&changed, &sound);
        assert!(is_same || !report.damage.is_empty(), "{case}");
        assert!(
            report.damage.iter().all(|damage| damage.file == path && damage.line > 0),
            "{case}"
        );
        if round % 5 < 2 {
            without_indexes(&shop);
        }
        let store = FileStore::open(&shop, options()).unwrap();
        let skipping = store.read_skipping_damage(&Query::all(), ReadOptions::default()).unwrap();
        let read: Vec<SequencedEvent> = skipping.map(Result::unwrap).collect();
        assert!(
            read.iter()
                .all(|event| written[usize::try_from(event.position).unwrap() - 1] == *event),
            "{case}"
        );
        let missing = written.len() - read.len();
        assert_eq!(missing > 0, !report.damage.is_empty(), "{case}: {missing}");
        let strict = store.read(&Query::all(), ReadOptions::default()).unwrap();
        let failed = strict.map(|event| event.map(drop)).find_map(Result::err);
        match failed {
            Some(StoreError::Damaged { place, .. }) => {
                assert!(place.starts_with(path.to_str().unwrap()), "{case}: {place}");
            }
            other => assert!(other.is_none() && missing == 0, "{case}: {other:?}"),
        }
        drop(store);
        std::fs::write(&path, &sound).unwrap();
        assert!(FileStore::open(&shop, options()).unwrap().damage().is_empty(), "{case}");
    }
}

/// Whether two archives unpack to the same bytes.
fn zstd_agrees(one: &[u8], other: &[u8]) -> bool {
    let unpack = |bytes: &[u8]| zstd::decode_all(bytes).ok();
    unpack(one) == unpack(other)
}

#[test]
fn random_bytes_for_an_archive_are_damage_and_never_a_panic() {
    let (_dir, shop, written) = shop();
    archive(&shop, &options()).unwrap();
    let path = files(&shop)[0].clone();
    let sound = std::fs::read(&path).unwrap();
    let footer = &sound[sound.len() - 9..];
    let mut random = fastrand::Rng::with_seed(6);
    for length in [0, 1, 8, 9, 17, 64, 5_000] {
        for with_footer in [false, true] {
            let mut bytes: Vec<u8> = (0..length).map(|_| random.u8(..)).collect();
            if with_footer {
                bytes.extend_from_slice(footer);
            }
            std::fs::write(&path, &bytes).unwrap();
            let report = check(&shop);
            assert_eq!((&report.damage[0].file, report.damage[0].line), (&path, 1), "{length}");
            without_indexes(&shop);
            let store = FileStore::open(&shop, options()).unwrap();
            let skipping = store.read_skipping_damage(&Query::all(), ReadOptions::default());
            let rest: Vec<SequencedEvent> = skipping.unwrap().map(Result::unwrap).collect();
            assert_eq!(rest, written[written.len() - rest.len()..]);
            let refused = archive(&shop, &options()).unwrap_err();
            assert!(matches!(refused, StoreError::Damaged { .. }), "{refused}");
        }
    }
}

#[test]
fn two_do_not_archive_a_store_at_once() {
    let (_dir, shop, _) = shop();
    let lock = std::fs::File::create(shop.join("archive.lock")).unwrap();
    lock.lock().unwrap();
    let hasty = Options { lock_timeout: Duration::from_millis(20), ..options() };
    let refused = archive(&shop, &hasty).unwrap_err();
    assert!(matches!(refused, StoreError::LockTimeout { .. }), "{refused}");
    lock.unlock().unwrap();
    assert!(archive(&shop, &hasty).unwrap().segments > 0);
}

#[cfg(unix)]
#[test]
fn write_protected_files_are_archived_and_their_archives_are_protected() {
    let dir = tempfile::tempdir().unwrap();
    let protect = Options { write_protect: true, ..options() };
    let store = FileStore::create(dir.path(), protect.clone()).unwrap();
    append(&store, 300);
    let written = all(&store);
    drop(store);
    archive(dir.path(), &protect).unwrap();
    for path in files(dir.path()).iter().filter(|path| is_archive(path)) {
        assert!(std::fs::metadata(path).unwrap().permissions().readonly());
    }
    let store = FileStore::open(dir.path(), protect).unwrap();
    append(&store, 1);
    assert_eq!(all(&store)[..written.len()], written);
}
