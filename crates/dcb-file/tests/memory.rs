//! What a store takes of the machine's memory. The only test of its process, because all of it counts.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use dcb::{Event, EventStore, Query, ReadOptions};
use dcb_file::{FileStore, Options};

/// How much of the files that this process looks at is in its memory, in bytes.
fn mapped() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssFile:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() * 1024
}

#[test]
fn history_that_was_read_once_leaves_the_memory_when_asked_and_reads_as_before() {
    const EVENTS: usize = 20_000;
    let dir = tempfile::tempdir().unwrap();
    let options = Options { flush: false, segment_bytes: 4 * 1024 * 1024, ..Options::default() };
    let store = FileStore::create(dir.path().join("store"), options).unwrap();
    let text = "x".repeat(400);
    let noted = Event::builder("Noted").data(&text).build().unwrap();
    for _ in 0..EVENTS / 1000 {
        store.append(&vec![noted.clone(); 1000], None).unwrap();
    }
    let before = mapped();
    let all: Vec<_> = store.read(&Query::all(), ReadOptions::default()).unwrap().collect();
    let after_reading = mapped();
    assert!(after_reading > before + 8_000_000, "{before} {after_reading}");

    let mut reading = store.read(&Query::all(), ReadOptions::default()).unwrap();
    let first = reading.next_ref().unwrap().unwrap();
    store.trim_memory();
    // What was lent before is still there.
    assert_eq!(first.position, 1);
    assert_eq!(first.data, serde_json::to_string(&text).unwrap());
    assert!(mapped() < before + 2_000_000, "{before} {} {}", after_reading, mapped());

    assert_eq!(reading.count(), EVENTS - 1);
    let again: Vec<_> = store.read(&Query::all(), ReadOptions::default()).unwrap().collect();
    assert!(all.iter().zip(&again).all(|(a, b)| a.as_ref().unwrap() == b.as_ref().unwrap()));
}
