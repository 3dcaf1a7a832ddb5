//! A store in which one file is not what it was.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use dcb::{Event, EventStore, Query, ReadOptions};
use dcb_file::{FileStore, Options, SystemDisk, archive, verify};

/// Makes a small store, changes one of its files as the bytes say, and looks at it in every way. The
/// first byte chooses the file and what is done to it: the others take its place, or are laid over it
/// (exclusive or) from the offset that the next two say. Whatever comes of that, no event is read
/// that was never written.
pub(crate) fn folder(bytes: &[u8]) {
    let Some((&choice, bytes)) = bytes.split_first() else { return };
    let folder = place();
    let dir = folder.path();
    let options = Options { segment_bytes: 1_100, flush: false, ..Options::default() };
    let store = FileStore::create(dir, options.clone()).unwrap();
    let event =
        |n: u32| Event::builder("Happened").tag("n", n.to_string()).data(&n).build().unwrap();
    for n in 0..3 {
        store.append(&[event(2 * n), event(2 * n + 1)], None).unwrap();
    }
    let all = || store.read(&Query::all(), ReadOptions::default()).unwrap();
    let written: Vec<_> = all().map(Result::unwrap).collect();
    drop(store);
    if choice & 0x80 != 0 {
        archive(dir, &options).unwrap();
    }
    let files = files(dir);
    change(&files[usize::from(choice & 0x3F) % files.len()], choice & 0x40 != 0, bytes);

    let is_sound = verify(dir, Arc::new(SystemDisk)).is_ok_and(|report| report.damage.is_empty());
    let Ok(store) = FileStore::open(dir, options) else { return };
    let tagged = Query::tags(["n:3".parse().unwrap()]).unwrap();
    for query in [Query::all(), tagged] {
        for options in [ReadOptions::default(), ReadOptions::backwards()] {
            let read = store.read(&query, options).unwrap().map_while(Result::ok);
            let skipping = store.read_skipping_damage(&query, options).unwrap();
            for event in read.chain(skipping.map_while(Result::ok)) {
                // Who forges a checksum is found out by the chain of hashes.
                assert!(written.contains(&event) || !is_sound, "{event:?}");
            }
        }
        let _ = (store.count(&query), store.exists(&query), store.stats());
    }
    if let Ok(positions) = store.append(&[event(7)], None) {
        assert_eq!(store.head().unwrap(), positions[0]);
    }
}

/// In memory where the system has such a place: there a sync takes no time.
fn place() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// Every file of the store, in the order of their names.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(self::files(&path)) } else { files.push(path) }
    }
    files.sort();
    files
}

fn change(path: &Path, in_place: bool, bytes: &[u8]) {
    if !in_place {
        return std::fs::write(path, bytes).unwrap();
    }
    let Some((offset, mask)) = bytes.split_first_chunk::<2>() else { return };
    let mut content = std::fs::read(path).unwrap();
    let at = usize::from(u16::from_le_bytes(*offset));
    content.iter_mut().skip(at).zip(mask).for_each(|(byte, mask)| *byte ^= mask);
    std::fs::write(path, content).unwrap();
}
