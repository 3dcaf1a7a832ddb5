//! Backups are whole, made while others sell, and become stores again.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail by panicking")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use dcb::{Event, EventStore, Query, ReadOptions, SequencedEvent, StoreError};
use dcb_file::{FileStore, Options, SystemDisk, backup, restore, verify};
use tempfile::TempDir;

fn options() -> Options {
    Options { segment_bytes: 5_000, ..Options::default() }
}

fn event(number: u32) -> Event {
    Event::builder("Happened").tag("n", number.to_string()).data(&number).build().unwrap()
}

fn all(store: &FileStore) -> Vec<SequencedEvent> {
    store.read(&Query::all(), ReadOptions::default()).unwrap().map(Result::unwrap).collect()
}

/// A closed store of many segments in the folder `shop`.
fn shop() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let store = FileStore::create(dir.path().join("shop"), options()).unwrap();
    for number in 0..60 {
        store.append(&[event(number), event(number)], None).unwrap();
    }
    dir
}

fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_slash_behind_the_name_of_a_folder_changes_nothing() {
    let dir = shop();
    let path = |name: &str| format!("{}/{name}", dir.path().display());
    backup(path("shop/"), path("copy/"), &options()).unwrap();
    restore(path("copy/"), path("again/"), &options()).unwrap();
    assert_eq!(names(dir.path()), ["again", "copy", "shop"]);
    let no_name = backup(path("shop"), path("shop/.."), &options()).unwrap_err();
    assert!(matches!(&no_name, StoreError::NotAStore(why) if why.contains("no name")), "{no_name}");
}

#[test]
fn nothing_is_written_to_the_backup_that_is_restored() {
    let dir = shop();
    let (copy, again) = (dir.path().join("copy"), dir.path().join("again"));
    backup(dir.path().join("shop"), &copy, &options()).unwrap();
    let before = (names(&copy), names(&copy.join("events")));
    restore(&copy, &again, &options()).unwrap();
    assert_eq!((names(&copy), names(&copy.join("events"))), before);
    let modified = |path: &Path| std::fs::metadata(path).unwrap().modified().unwrap();
    for name in &before.1 {
        let (source, made) = (copy.join("events").join(name), again.join("events").join(name));
        assert!(modified(&source) < modified(&made), "{name}");
    }
}

#[test]
fn a_backup_made_while_tills_sell_is_a_whole_prefix() {
    let dir = shop();
    let store = FileStore::open(dir.path().join("shop"), options()).unwrap();
    let enough = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for till in 0..2 {
            let (store, enough) = (&store, &enough);
            scope.spawn(move || {
                while !enough.load(Ordering::Relaxed) {
                    store.append(&[event(till), event(till)], None).unwrap();
                }
            });
        }
        for round in 0..10 {
            let out = dir.path().join(format!("backups/{round}"));
            let before = store.head().unwrap();
            let report = backup(store.dir(), &out, &options()).unwrap();
            assert!(report.head >= before && report.damage.is_empty(), "{report:?}");
            assert_eq!((report.store_id, report.head % 2), (store.store_id(), 0));
        }
        enough.store(true, Ordering::Relaxed);
    });
    let events = all(&store);
    for round in 0..10 {
        let copy = FileStore::open(dir.path().join(format!("backups/{round}")), options()).unwrap();
        let kept = all(&copy);
        assert_eq!(kept, events[..kept.len()]);
    }
    assert_eq!(names(&dir.path().join("backups")).len(), 10, "nothing unfinished is left");
}

#[test]
fn a_restored_store_has_the_same_history_and_an_id_of_its_own() {
    let dir = shop();
    let [shop, copy, restored] = ["shop", "copy", "restored"].map(|name| dir.path().join(name));
    let made = backup(&shop, &copy, &options()).unwrap();
    // An empty folder that was made for it will do.
    std::fs::create_dir(&restored).unwrap();
    let report = restore(&copy, &restored, &options()).unwrap();
    assert_eq!((report.head, &report.hash, report.commits), (made.head, &made.hash, made.commits));
    let old = FileStore::open(&shop, options()).unwrap();
    let new = FileStore::open(&restored, options()).unwrap();
    assert_eq!(all(&new), all(&old));
    assert_eq!(report.store_id, new.store_id());
    assert_ne!(new.store_id(), old.store_id());
    assert_eq!(FileStore::open(&copy, options()).unwrap().store_id(), old.store_id());
    let identity = std::fs::read_to_string(restored.join("store.json")).unwrap();
    assert!(identity.contains(&old.store_id().to_string()) && identity.contains(&made.hash));
    assert_eq!(new.append(&[event(1)], None).unwrap(), [made.head + 1]);
    drop(new);
    let report = verify(&restored, Arc::new(SystemDisk)).unwrap();
    assert!(report.damage.is_empty() && report.head == made.head + 1, "{report:?}");
}

#[test]
fn an_empty_store_is_backed_up_and_restored_too() {
    let dir = tempfile::tempdir().unwrap();
    let [shop, copy, restored] = ["shop", "copy", "restored"].map(|name| dir.path().join(name));
    drop(FileStore::create(&shop, options()).unwrap());
    assert_eq!(backup(&shop, &copy, &options()).unwrap().head, 0);
    assert_eq!(restore(&copy, &restored, &options()).unwrap().head, 0);
    let store = FileStore::open(&restored, options()).unwrap();
    assert_eq!(store.append(&[event(1)], None).unwrap(), [1]);
}

#[test]
fn a_folder_with_files_in_it_is_not_written_to() {
    let dir = shop();
    let [shop, copy, file] = ["shop", "copy", "file"].map(|name| dir.path().join(name));
    backup(&shop, &copy, &options()).unwrap();
    std::fs::write(&file, "mine").unwrap();
    for out in [&shop, &copy, &file] {
        let refused = backup(&shop, out, &options()).unwrap_err();
        assert!(matches!(refused, StoreError::NotAStore(_)), "{refused}");
        let refused = restore(&copy, out, &options()).unwrap_err();
        assert!(refused.to_string().contains("empty"), "{refused}");
    }
    let missing = backup(dir.path().join("none"), dir.path().join("out"), &options());
    assert!(matches!(missing, Err(StoreError::NotAStore(_))), "{missing:?}");
    assert_eq!(names(dir.path()), ["copy", "file", "shop"]);
}

#[test]
fn a_folder_within_the_one_that_is_copied_is_refused() {
    let dir = shop();
    let [shop, copy] = ["shop", "copy"].map(|name| dir.path().join(name));
    let refused = backup(&shop, shop.join("events/../copies/today"), &options()).unwrap_err();
    assert!(matches!(&refused, StoreError::NotAStore(_)), "{refused}");
    assert!(refused.to_string().contains("lies within"), "{refused}");
    backup(&shop, &copy, &options()).unwrap();
    let refused = restore(&copy, copy.join("again"), &options()).unwrap_err();
    assert!(refused.to_string().contains("lies within"), "{refused}");
    assert_eq!(names(dir.path()), ["copy", "shop"]);
}

#[test]
fn what_is_damaged_is_neither_backed_up_nor_restored() {
    let dir = shop();
    let [shop, copy] = ["shop", "copy"].map(|name| dir.path().join(name));
    backup(&shop, &copy, &options()).unwrap();
    for store in [&shop, &copy] {
        let events = store.join("events");
        for name in [&names(&events)[0], names(&events).last().unwrap()] {
            let sound = std::fs::read_to_string(events.join(name)).unwrap();
            let changed = sound.replacen("Happened", "Happenet", 1);
            std::fs::write(events.join(name), changed).unwrap();
            for refused in [
                backup(store, dir.path().join("out"), &options()),
                restore(store, dir.path().join("out"), &options()),
            ] {
                let error = refused.unwrap_err();
                assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
            }
            std::fs::write(events.join(name), sound).unwrap();
        }
    }
    assert_eq!(names(dir.path()), ["copy", "shop"], "nothing is left of what was refused");
}
