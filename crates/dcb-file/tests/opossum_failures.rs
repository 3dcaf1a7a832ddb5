//! What goes wrong in Opossum, this store's predecessor, and does not go wrong here.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail by panicking")]

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use dcb::{AppendCondition, Event, EventStore, Query, ReadOptions, StoreError, Tag};
use dcb_file::{Access, Disk, DiskFile, FileStore, Options, SystemDisk, store_dir};

/// The file system of this machine, which counts what is done to it and can fail in a write.
#[derive(Clone, Debug, Default)]
struct CountingDisk(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    written_bytes: AtomicU64,
    read_bytes: AtomicU64,
    syncs: AtomicU64,
    /// The next large write gets half of its bytes done and fails.
    fails: AtomicBool,
}

impl CountingDisk {
    fn options(&self) -> Options {
        Options { disk: Arc::new(self.clone()), segment_bytes: 16_000, ..Options::default() }
    }

    /// Bytes written, bytes read and syncs since the last call.
    fn take(&self) -> (u64, u64, u64) {
        let take = |count: &AtomicU64| count.swap(0, Ordering::Relaxed);
        (take(&self.0.written_bytes), take(&self.0.read_bytes), take(&self.0.syncs))
    }
}

impl Disk for CountingDisk {
    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn DiskFile>> {
        let inner = SystemDisk.open(path, access)?;
        Ok(Box::new(CountingFile { inner, counts: Arc::clone(&self.0) }))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        SystemDisk.list(dir)
    }

    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        SystemDisk.create_dir(dir)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        SystemDisk.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        SystemDisk.remove_file(path)
    }

    fn remove_dir(&self, dir: &Path) -> io::Result<()> {
        SystemDisk.remove_dir(dir)
    }

    fn remove_tree(&self, dir: &Path) -> io::Result<()> {
        SystemDisk.remove_tree(dir)
    }

    fn write_protect(&self, path: &Path) -> io::Result<()> {
        SystemDisk.write_protect(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.0.syncs.fetch_add(1, Ordering::Relaxed);
        SystemDisk.sync_dir(dir)
    }

    fn boot_id(&self) -> Option<u128> {
        SystemDisk.boot_id()
    }
}

#[derive(Debug)]
struct CountingFile {
    inner: Box<dyn DiskFile>,
    counts: Arc<Counts>,
}

impl DiskFile for CountingFile {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.inner.read_at(offset, buffer)?;
        self.counts.read_bytes.fetch_add(got as u64, Ordering::Relaxed);
        Ok(got)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.counts.written_bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        // What is large and no room made ahead is a commit.
        let is_commit = bytes.len() > 100 && bytes[0] == b'{';
        if is_commit && self.counts.fails.swap(false, Ordering::Relaxed) {
            self.inner.write_at(offset, &bytes[..bytes.len() / 2])?;
            return Err(io::Error::other("the cable came off"));
        }
        self.inner.write_at(offset, bytes)
    }

    fn sync(&self) -> io::Result<()> {
        self.counts.syncs.fetch_add(1, Ordering::Relaxed);
        self.inner.sync()
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.inner.set_len(len)
    }

    fn size(&self) -> io::Result<u64> {
        self.inner.size()
    }

    fn try_lock(&self) -> io::Result<bool> {
        self.inner.try_lock()
    }

    fn unlock(&self) -> io::Result<()> {
        self.inner.unlock()
    }
}

fn event(number: u64) -> Event {
    let number = number.to_string();
    Event::builder("Happened").tag("n", &number).tag("kind", "test").build().unwrap()
}

fn numbers(store: &FileStore) -> Vec<u64> {
    let events = store.read(&Query::all(), ReadOptions::default()).unwrap();
    events.map(|event| event.unwrap().event.tags[0].value().parse().unwrap()).collect()
}

fn tagged(tag: &str) -> Query {
    Query::tags([tag.parse().unwrap()]).unwrap()
}

fn unless(query: Query) -> AppendCondition {
    AppendCondition { fail_if_events_match: query, after: None }
}

#[test]
fn an_append_that_fails_half_way_leaves_nothing_for_the_next_one_to_vanish_into() {
    let dir = tempfile::tempdir().unwrap();
    let disk = CountingDisk::default();
    let store = FileStore::create(dir.path(), disk.options()).unwrap();
    store.append(&[event(1)], None).unwrap();
    disk.0.fails.store(true, Ordering::Relaxed);
    let failed = store.append(&[event(2), event(3)], None);
    assert!(matches!(failed, Err(StoreError::Io { .. })), "{failed:?}");
    assert_eq!(numbers(&store), [1], "not even the half that was written is seen");
    // Neither in this process, which refuses, nor in another one is an append swallowed.
    assert!(matches!(store.append(&[event(4)], None), Err(StoreError::ReadOnly { .. })));
    let other = FileStore::open(dir.path(), disk.options()).unwrap();
    assert_eq!(other.append(&[event(5)], None).unwrap(), [2]);
    assert_eq!(numbers(&other), [1, 5]);
    assert_eq!(numbers(&store), [1, 5]);
}

#[test]
fn a_bad_tag_is_refused_before_anything_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let store = FileStore::create(dir.path(), Options::default()).unwrap();
    assert!(Event::builder("Happened").tag("", "1").build().is_err());
    assert!("".parse::<Tag>().is_err() && ":1".parse::<Tag>().is_err());
    let blank = Event { event_type: " ".into(), ..Event::builder("A").build().unwrap() };
    assert!(matches!(store.append(&[event(1), blank], None), Err(StoreError::Invalid(_))));
    assert_eq!(store.append(&[event(2)], None).unwrap(), [1]);
    assert_eq!(numbers(&store), [2]);
}

#[test]
fn a_batch_is_there_whole_or_not_at_all_after_its_writer_died_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let disk = CountingDisk::default();
    let store = FileStore::create(dir.path(), disk.options()).unwrap();
    store.append(&[event(1)], None).unwrap();
    disk.0.fails.store(true, Ordering::Relaxed);
    let batch: Vec<Event> = (2..=9).map(event).collect();
    store.append(&batch, None).unwrap_err();
    // As a process that was killed: nothing is closed.
    std::mem::forget(store);
    let again = FileStore::open(dir.path(), Options::default()).unwrap();
    assert_eq!(numbers(&again), [1]);
    assert_eq!(again.append(&batch, None).unwrap(), (2..=9).collect::<Vec<_>>());
}

#[test]
fn a_truncated_index_lets_no_unique_name_be_taken_twice() {
    for keep in [0, 1, 100, 1_000] {
        let dir = tempfile::tempdir().unwrap();
        let disk = CountingDisk::default();
        let store = FileStore::create(dir.path(), disk.options()).unwrap();
        for number in 1..=200 {
            store.append(&[event(number)], None).unwrap();
        }
        drop(store);
        let index_files = files_in(&dir.path().join("indices"));
        for file in &index_files {
            std::fs::File::options().write(true).open(file).unwrap().set_len(keep).unwrap();
        }
        let store = FileStore::open(dir.path(), disk.options()).unwrap();
        for number in [1, 77, 200] {
            let taken =
                store.append(&[event(number)], Some(&unless(tagged(&format!("n:{number}")))));
            let conflict = StoreError::ConditionFailed { conflict: number };
            assert_eq!(taken.unwrap_err().to_string(), conflict.to_string());
            assert_eq!(store.count(&tagged(&format!("n:{number}"))).unwrap(), 1);
        }
        assert_eq!(store.count(&tagged("kind:test")).unwrap(), 200);
    }
}

/// The files in a folder, none if there is no such folder.
fn files_in(dir: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(dir)
        .map_or(Vec::new(), |entries| entries.map(|e| e.unwrap().path()).collect())
}

#[test]
fn a_condition_on_all_events_is_checked_like_every_other() {
    let dir = tempfile::tempdir().unwrap();
    let store = FileStore::create(dir.path(), Options::default()).unwrap();
    let first = unless(Query::all());
    assert_eq!(store.append(&[event(1)], Some(&first)).unwrap(), [1]);
    let refused = store.append(&[event(2)], Some(&first));
    assert!(matches!(refused, Err(StoreError::ConditionFailed { conflict: 1 })), "{refused:?}");
    let nothing_since = AppendCondition { after: Some(1), ..first };
    assert_eq!(store.append(&[event(2)], Some(&nothing_since)).unwrap(), [2]);
}

#[test]
fn tags_that_shared_an_index_file_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let store = FileStore::create(dir.path(), Options::default()).unwrap();
    let tags = [("a_b", "c"), ("a", "b_c"), ("a", "b/c"), ("a", "b:c"), ("A", "b_c")];
    for (key, value) in tags {
        let event = Event::builder("Happened").tag(key, value).build().unwrap();
        let unique = unless(Query::tags([Tag::new(key, value).unwrap()]).unwrap());
        store.append(&[event], Some(&unique)).unwrap();
    }
    drop(store);
    let store = FileStore::open(dir.path(), Options::default()).unwrap();
    for ((key, value), position) in tags.into_iter().zip(1..) {
        let query = Query::tags([Tag::new(key, value).unwrap()]).unwrap();
        let found = store.read(&query, ReadOptions::default()).unwrap();
        let positions: Vec<u64> = found.map(|event| event.unwrap().position).collect();
        assert_eq!(positions, [position], "{key}:{value}");
    }
}

#[test]
fn a_store_name_cannot_lead_out_of_the_root() {
    for name in ["..", ".", "../other", "a/../../b", "/etc", "a\\b", ""] {
        assert!(store_dir("root", name).is_err(), "{name:?}");
    }
}

#[test]
fn one_missing_file_stops_only_the_reads_that_need_it() {
    let dir = tempfile::tempdir().unwrap();
    let options = || Options { segment_bytes: 2_000, ..Options::default() };
    let store = FileStore::create(dir.path(), options()).unwrap();
    for number in 1..=40 {
        store.append(&[event(number)], None).unwrap();
    }
    drop(store);
    let mut files = files_in(&dir.path().join("events"));
    files.sort();
    let missing = &files[1];
    let first: u64 = missing.file_stem().unwrap().to_str().unwrap().parse().unwrap();
    let behind: u64 = files[2].file_stem().unwrap().to_str().unwrap().parse().unwrap();
    std::fs::remove_file(missing).unwrap();
    let store = FileStore::open(dir.path(), options()).unwrap();
    let read = |options| store.read(&Query::all(), options).unwrap();
    let before: Vec<_> = read(ReadOptions::default()).map_while(Result::ok).collect();
    assert_eq!(before.len() as u64, first - 1, "what comes before it is read");
    let error = read(ReadOptions::default()).find_map(Result::err).unwrap();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    let later: Vec<u64> =
        read(ReadOptions::from(behind)).map(|event| event.unwrap().position).collect();
    assert_eq!(later, (behind..=40).collect::<Vec<_>>(), "what comes behind it is read");
    let skipping = store.read_skipping_damage(&Query::all(), ReadOptions::default()).unwrap();
    assert_eq!(skipping.map(Result::unwrap).count() as u64, 40 - (behind - first));
    assert_eq!(
        (store.damage()[0].first_position, store.damage()[0].last_position),
        (first, behind - 1)
    );
}

#[test]
fn an_append_writes_and_reads_as_little_in_a_large_store_as_in_an_empty_one() {
    let dir = tempfile::tempdir().unwrap();
    let disk = CountingDisk::default();
    let options = Options { segment_bytes: 64_000_000, ..disk.options() };
    let store = FileStore::create(dir.path(), options).unwrap();
    let batch: Vec<Event> = (0..1_000).map(event).collect();
    store.append(&batch, None).unwrap();
    let unique = |number| unless(tagged(&format!("n:{number}")));
    let cost = |number: u64| {
        // Of several, the one for which no room had to be made.
        (0..5)
            .map(|extra| {
                disk.take();
                let number = number + extra;
                store.append(&[event(number)], Some(&unique(number))).unwrap();
                let (written, read, _) = disk.take();
                (written, read)
            })
            .min()
            .unwrap()
    };
    let (written, read) = cost(1_000_000);
    for _ in 0..30 {
        store.append(&batch, None).unwrap();
    }
    let (written_later, read_later) = cost(2_000_000);
    assert!(written_later <= written + 16, "{written} bytes, then {written_later}");
    assert!(read_later <= read + 16, "{read} bytes, then {read_later}");
    assert!(written_later < 1_000, "{written_later} bytes for one event");
}

#[test]
fn an_append_returns_the_position_of_each_event() {
    let dir = tempfile::tempdir().unwrap();
    let store = FileStore::create(dir.path(), Options::default()).unwrap();
    assert_eq!(store.append(&[event(1), event(2)], None).unwrap(), [1, 2]);
    assert_eq!(store.append(&[event(3)], None).unwrap(), [3]);
    for (position, event) in (1..).zip(store.read(&Query::all(), ReadOptions::default()).unwrap()) {
        assert_eq!(event.unwrap().position, position);
    }
}

#[test]
fn an_event_with_two_tags_costs_one_sync() {
    let dir = tempfile::tempdir().unwrap();
    let disk = CountingDisk::default();
    let store = FileStore::create(dir.path(), disk.options()).unwrap();
    store.append(&[event(1)], None).unwrap();
    let syncs: Vec<u64> = (2..=20)
        .map(|number| {
            disk.take();
            store.append(&[event(number)], None).unwrap();
            disk.take().2
        })
        .collect();
    assert_eq!(syncs, vec![1; syncs.len()]);
}
