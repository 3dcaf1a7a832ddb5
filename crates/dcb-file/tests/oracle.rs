//! Random programs come to the same in a folder as in memory, whatever the folder goes through.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail by panicking")]

use std::path::Path;
use std::sync::Arc;

use dcb::{
    AppendCondition, Event, EventRef, EventStore, Maintenance, MemoryStore, Query, QueryItem,
    ReadOptions, SequencedEvent, Tag,
};
use dcb_file::{FileStore, Options, SystemDisk, archive, verify};
use fastrand::Rng;

const TYPES: [&str; 4] = ["A", "B", "with \"quotes\"", "never recorded"];
const TAGS: [&str; 6] = ["k:1", "k:2", "j:x\"y", "j:é", "late:1", "none:at all"];

fn options(random: &mut Rng) -> Options {
    let segment_bytes = *random.choice(&[1_000, 3_000, 20_000]).unwrap();
    Options {
        segment_bytes,
        flush: random.u8(..) < 230,
        write_protect: random.u8(..) < 30,
        ..Options::default()
    }
}

fn some<T: Copy>(random: &mut Rng, of: &[T], most: usize) -> Vec<T> {
    let count = random.usize(0..=most);
    random.choose_multiple(of.iter().copied(), count)
}

fn tags(random: &mut Rng, most: usize) -> Vec<Tag> {
    some(random, &TAGS, most).into_iter().map(|tag| tag.parse().unwrap()).collect()
}

fn query(random: &mut Rng) -> Query {
    let mut items = Vec::new();
    for _ in 0..random.usize(0..4) {
        // An item without types and tags is none.
        items.extend(QueryItem::new(some(random, &TYPES, 2), tags(random, 2)));
    }
    Query::any_of(items).unwrap_or_else(|_| Query::all())
}

fn event(random: &mut Rng) -> Event {
    // No event has the last type or the last tags from the start.
    let event_type = TYPES[random.usize(..3)];
    let tags: Vec<Tag> =
        some(random, &TAGS[..4], 3).into_iter().map(|tag| tag.parse().unwrap()).collect();
    let data = "é \u{1F600} \\ \" \n".repeat(random.usize(..8));
    Event::builder(event_type).tags(tags).data(&data).build().unwrap()
}

/// All that a read tells, but for the recording times.
fn read(store: &dyn EventStore, query: &Query, options: ReadOptions) -> (u64, Vec<SequencedEvent>) {
    let events = store.read(query, options).unwrap();
    (events.head(), events.map(|event| timeless(event.unwrap())).collect())
}

fn timeless(mut event: SequencedEvent) -> SequencedEvent {
    event.event.metadata.timestamp = None;
    event
}

/// In memory where the system has such a place: there a sync takes no time.
fn place() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// A store in a folder, with as many handles as there are, and the same in memory.
struct Pair {
    dir: tempfile::TempDir,
    handles: Vec<FileStore>,
    /// Those that were left open and are not used any more.
    killed: Vec<FileStore>,
    oracle: MemoryStore,
    random: Rng,
}

impl Pair {
    fn new(seed: u64) -> Self {
        let mut random = Rng::with_seed(seed);
        let dir = place();
        let handles = vec![FileStore::create(dir.path(), options(&mut random)).unwrap()];
        Self { dir, handles, killed: Vec::new(), oracle: MemoryStore::new(), random }
    }

    fn open(&mut self) {
        let opened = FileStore::open(self.dir.path(), options(&mut self.random)).unwrap();
        assert!(opened.damage().is_empty() && opened.recovery().is_none());
        self.handles.push(opened);
    }

    fn step(&mut self) {
        match self.random.u8(0..100) {
            0..45 => self.append(),
            45..85 => self.ask(),
            85..88 => self.add_tags(),
            88..91 if self.handles.len() < 3 => self.open(),
            91..96 => self.lose_a_handle(),
            96 => drop(archive(self.dir.path(), &options(&mut self.random)).unwrap()),
            97 => drop(std::fs::remove_dir_all(self.dir.path().join("indices"))),
            98 => spoil_an_index(self.dir.path(), &mut self.random),
            _ => self.lose_the_watermark(),
        }
    }

    fn store(&mut self) -> usize {
        self.random.usize(..self.handles.len())
    }

    fn append(&mut self) {
        let (store, random) = (self.store(), &mut self.random);
        let events: Vec<Event> = (0..random.usize(0..5)).map(|_| event(random)).collect();
        let head = self.oracle.head().unwrap();
        let condition = random.bool().then(|| AppendCondition {
            fail_if_events_match: query(random),
            after: random.bool().then(|| random.u64(head / 2..=head + 1)),
        });
        let ours = self.handles[store].append(&events, condition.as_ref());
        let theirs = self.oracle.append(&events, condition.as_ref());
        assert_eq!(format!("{ours:?}"), format!("{theirs:?}"));
    }

    fn ask(&mut self) {
        let (store, random) = (self.store(), &mut self.random);
        let (query, head) = (query(random), self.oracle.head().unwrap());
        let options = ReadOptions {
            from: random.bool().then(|| random.u64(0..=head + 2)),
            backwards: random.bool(),
            limit: random.bool().then(|| random.u64(0..20)),
        };
        let (ours, theirs) = (&self.handles[store], &self.oracle);
        assert_eq!(
            read(ours, &query, options),
            read(theirs, &query, options),
            "{query:?} {options:?}"
        );
        assert_eq!(ours.count(&query).unwrap(), theirs.count(&query).unwrap(), "{query:?}");
        assert_eq!(ours.exists(&query).unwrap(), theirs.exists(&query).unwrap(), "{query:?}");
        let last = |store: &dyn EventStore| store.read_last(&query).unwrap().map(timeless);
        assert_eq!(last(ours), last(theirs), "{query:?}");
        assert_eq!(ours.head().unwrap(), theirs.head().unwrap());
        assert_eq!(ours.tag_epoch(), theirs.tag_epoch());
    }

    fn add_tags(&mut self) {
        let (store, random) = (self.store(), &mut self.random);
        let (event_type, wanted) = (*random.choice(&TYPES).unwrap(), tags(random, 2));
        let every = random.u64(1..4);
        let mut factory = |event: &EventRef<'_>| match event.position.is_multiple_of(every) {
            true => wanted.clone(),
            false => Vec::new(),
        };
        let ours = self.handles[store].add_tags(event_type, &mut factory).unwrap();
        assert_eq!(ours, self.oracle.add_tags(event_type, &mut factory).unwrap());
    }

    /// Closes a handle, or leaves it as a process that is killed does.
    fn lose_a_handle(&mut self) {
        let store = self.store();
        let lost = self.handles.swap_remove(store);
        if self.random.bool() {
            self.killed.push(lost);
        }
        if self.handles.is_empty() {
            self.open();
        }
    }

    /// As after a restart of the machine: whoever opens the store next reads all of the log again.
    fn lose_the_watermark(&mut self) {
        self.handles.clear();
        std::fs::write(self.dir.path().join("store.lock"), "").unwrap();
        self.open();
    }
}

/// Changes a byte of an index file, which must be noticed and cost nothing but time.
fn spoil_an_index(dir: &Path, random: &mut Rng) {
    let Ok(files) = std::fs::read_dir(dir.join("indices")) else { return };
    let files: Vec<_> = files.map(|entry| entry.unwrap().path()).collect();
    let Some(path) = random.choice(&files) else { return };
    let mut bytes = std::fs::read(path).unwrap();
    let at = random.usize(..bytes.len());
    bytes[at] ^= 1 << random.u8(..8);
    // Replaced as the store does: those who have the old file mapped keep it.
    let new = dir.join("spoiled");
    std::fs::write(&new, bytes).unwrap();
    std::fs::rename(new, path).unwrap();
}

#[test]
fn random_programs_come_to_the_same_as_in_memory() {
    let programs = std::env::var("OPOSSUM_PROGRAMS").map_or(60, |number| number.parse().unwrap());
    for seed in 0..programs {
        let told = std::panic::catch_unwind(|| {
            let mut pair = Pair::new(seed);
            (0..120).for_each(|_| pair.step());
            drop(pair.handles);
            let report = verify(pair.dir.path(), Arc::new(SystemDisk)).unwrap();
            assert!(report.damage.is_empty() && report.torn.is_none(), "{report:?}");
            assert_eq!(report.head, pair.oracle.head().unwrap());
        });
        assert!(told.is_ok(), "program {seed} came to something else");
    }
}
