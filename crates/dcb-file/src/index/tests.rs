//! Missing or garbage index files change nothing.

use std::path::{Path, PathBuf};

use dcb::{
    AppendCondition, Event, EventStore, MemoryStore, Query, QueryItem, ReadOptions, StoreError,
};
use tempfile::TempDir;

use crate::{FileStore, Options, reindex};

fn options() -> Options {
    Options { segment_bytes: 4_000, ..Options::default() }
}

/// A store of many segments whose index files are all there, and the same in memory. Beside it are
/// the index files that it had half way.
fn stores(seed: u64) -> (TempDir, MemoryStore, Vec<(PathBuf, Vec<u8>)>) {
    let dir = tempfile::tempdir().unwrap();
    let oracle = MemoryStore::new();
    let mut random = fastrand::Rng::with_seed(seed);
    let mut half_way = Vec::new();
    for half in 0..2 {
        let store = FileStore::open_or_create(dir.path(), options()).unwrap();
        for _ in 0..30 {
            let event = |random: &mut fastrand::Rng| {
                let event = Event::builder(["Sold", "Returned", "Counted"][random.usize(..3)]);
                let event = event.tag("product", random.u8(..6).to_string());
                event.tag("till", random.u8(..3).to_string()).build().unwrap()
            };
            let commit: Vec<Event> = (0..random.usize(1..4)).map(|_| event(&mut random)).collect();
            store.append(&commit, None).unwrap();
            oracle.append(&commit, None).unwrap();
        }
        drop(store);
        reindex(dir.path(), &options()).unwrap();
        if half == 0 {
            half_way = index_files(dir.path());
        }
    }
    assert!(index_files(dir.path()).len() > half_way.len() && half_way.len() > 3);
    (dir, oracle, half_way)
}

fn index_files(store: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = std::fs::read_dir(store.join("indices")).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
}

fn queries(seed: u64) -> Vec<Query> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut item = || {
        let types = ["Sold", "Returned", "Rare"];
        let types = types.into_iter().filter(|_| random.bool()).collect::<Vec<_>>();
        let product = format!("product:{}", random.u8(..8)).parse().unwrap();
        let till = format!("till:{}", random.u8(..4)).parse().unwrap();
        let tags = [product, till].into_iter().filter(|_| random.bool());
        QueryItem::new(types, tags).ok()
    };
    let items: Vec<QueryItem> = (0..24).filter_map(|_| item()).collect();
    let two = items.chunks(2).filter_map(|pair| Query::any_of(pair.to_vec()).ok());
    items.iter().cloned().map(Query::from).chain(two).chain([Query::all()]).collect()
}

/// What a store answers to a query: the positions that it reads forwards and backwards, how many
/// there are, and which one a condition fails at.
type Answer = (Vec<u64>, Vec<u64>, u64, bool, Option<u64>);

fn answers(store: &dyn EventStore, queries: &[Query]) -> Vec<Answer> {
    let read = |query: &Query, options| {
        let events = store.read(query, options).unwrap();
        events.map(|event| event.unwrap().position).collect::<Vec<u64>>()
    };
    let answer = |query: &Query| {
        let exists = store.exists(query).unwrap();
        // One that does not fail would append.
        let conflict = exists.then(|| {
            let condition = AppendCondition { fail_if_events_match: query.clone(), after: None };
            let event = Event::builder("Never").build().unwrap();
            match store.append(&[event], Some(&condition)) {
                Err(StoreError::ConditionFailed { conflict }) => conflict,
                other => panic!("{other:?}"),
            }
        });
        let backwards = read(query, ReadOptions::backwards().limit(7));
        let forwards = read(query, ReadOptions::from(5));
        (forwards, backwards, store.count(query).unwrap(), exists, conflict)
    };
    queries.iter().map(answer).collect()
}

/// Puts something else in the place of an index file and compares the answers.
fn assert_changes_nothing(dir: &Path, path: &Path, bytes: Option<&[u8]>, expected: &[Answer]) {
    match bytes {
        Some(bytes) => std::fs::write(path, bytes).unwrap(),
        None => std::fs::remove_file(path).unwrap(),
    }
    let store = FileStore::open(dir, options()).unwrap();
    let queries = queries(expected.len() as u64);
    let queries: Vec<Query> = queries.into_iter().take(expected.len()).collect();
    assert!(answers(&store, &queries) == expected, "{}", path.display());
    assert!(store.damage().is_empty(), "a damaged index is no damage");
}

/// The first answers of the oracle to the queries that belong to so many.
fn expected(oracle: &MemoryStore, count: usize) -> Vec<Answer> {
    let queries: Vec<Query> = queries(count as u64).into_iter().take(count).collect();
    assert_eq!(queries.len(), count);
    answers(oracle, &queries)
}

#[test]
fn missing_shortened_and_random_index_files_change_nothing() {
    let (dir, oracle, _) = stores(1);
    let expected = expected(&oracle, 20);
    let mut random = fastrand::Rng::with_seed(2);
    for (path, sound) in index_files(dir.path()) {
        let garbage: Vec<u8> = (0..sound.len()).map(|_| random.u8(..)).collect();
        let header_only = [&sound[..152], &garbage[152..]].concat();
        let shortened = &sound[..random.usize(1..sound.len())];
        for bytes in [None, Some(&[][..]), Some(shortened), Some(&garbage), Some(&header_only)] {
            assert_changes_nothing(dir.path(), &path, bytes, &expected);
        }
        std::fs::write(&path, sound).unwrap();
    }
}

#[test]
fn index_files_of_another_store_or_an_older_log_change_nothing() {
    let ((dir, oracle, half_way), (other, _, _)) = (stores(3), stores(4));
    let expected = expected(&oracle, 20);
    let sound = index_files(dir.path());
    for (path, bytes) in &half_way {
        assert_changes_nothing(dir.path(), path, Some(bytes), &expected);
    }
    for ((path, _), (_, bytes)) in sound.iter().zip(index_files(other.path())) {
        assert_changes_nothing(dir.path(), path, Some(&bytes), &expected);
    }
    // Nor does one segment's index in the place of another's.
    assert_changes_nothing(dir.path(), &sound[2].0, Some(&sound[1].1), &expected);
}

#[test]
fn a_flipped_bit_in_an_index_file_changes_nothing() {
    let (dir, oracle, _) = stores(5);
    let expected = expected(&oracle, 4);
    let (path, sound) = index_files(dir.path()).remove(1);
    // All of the header's, and some of what is behind it.
    let header = 152 * 8;
    for bit in (0..header).chain((header..sound.len() * 8).step_by(37)) {
        let mut flipped = sound.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert_changes_nothing(dir.path(), &path, Some(&flipped), &expected);
    }
}
