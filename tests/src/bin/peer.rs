//! A process of its own that writes or reads a store until it is killed; for the test of processes.
//!
//! `peer write STORE NAME FLUSH`: appends without end, and tells `FIRST LAST ID` of each commit once
//! it is acknowledged. `peer read STORE`: reads on from the start, and tells `POSITION POSITION ID` of
//! what it sees; it panics when what it sees cannot be.

#![allow(clippy::expect_used, reason = "it serves tests, which may fail by panicking")]

use std::io::{Write, stdout};
use std::time::Duration;

use dcb::{AppendCondition, Event, EventStore, Query, ReadOptions, StoreError, Tag};
use dcb_file::FileStore;
use serde_json::json;
use tests::processes::{Written, options};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match *words.as_slice() {
        ["write", dir, name, flush] => write(&open(dir, flush == "true"), name),
        ["read", dir] => read(&open(dir, true)),
        _ => panic!("no such act: {words:?}"),
    }
}

fn open(dir: &str, flush: bool) -> FileStore {
    FileStore::open(dir, options(flush)).expect("the store opens")
}

/// Three kinds of commits, at random: the next number of a counter that all share, a name that only
/// one may take, and some events that belong together.
fn write(store: &FileStore, name: &str) {
    for commit in 0u64.. {
        let id = format!("{name}-{commit}");
        let long =
            if fastrand::u8(..) < 20 { "x".repeat(fastrand::usize(..20_000)) } else { "".into() };
        let event = |event_type: &str, tag: Tag, written: &Written| {
            let data = json!({"written": written, "filling": long});
            Event::builder(event_type).tags([tag]).data(&data).build().expect("it is a good event")
        };
        let (events, condition) = match fastrand::u8(0..3) {
            0 => {
                let query = Query::types(["Counted"]).expect("it is a good query");
                let read = store.read(&query, ReadOptions::backwards().limit(1));
                let mut read = read.expect("it can be read");
                let after = Some(read.head());
                let last = read.next().transpose().expect("it can be read");
                let number = last.map_or(0, |last| Written::of(&last).number) + 1;
                let counted = event(
                    "Counted",
                    tag("counter", "all"),
                    &Written { id: id.clone(), number, of: 1 },
                );
                (vec![counted], Some(AppendCondition { fail_if_events_match: query, after }))
            }
            1 => {
                let name = tag("name", &fastrand::u32(..2_000).to_string());
                let query = Query::tags([name.clone()]).expect("it is a good query");
                let taken = event("Taken", name, &Written { id: id.clone(), number: 1, of: 1 });
                (vec![taken], Some(AppendCondition { fail_if_events_match: query, after: None }))
            }
            _ => {
                let of = fastrand::u64(2..6);
                let part = |number| {
                    event("Part", tag("whole", &id), &Written { id: id.clone(), number, of })
                };
                ((1..=of).map(part).collect(), None)
            }
        };
        match store.append(&events, condition.as_ref()) {
            Ok(positions) => tell(positions.iter().min(), positions.iter().max(), &id),
            Err(StoreError::ConditionFailed { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

/// Reads on and on: without gaps, and a commit whole or not at all.
fn read(store: &FileStore) {
    let mut next = 1;
    loop {
        let mut missing = 0;
        let read = store.read(&Query::all(), ReadOptions::from(next)).expect("it can be read");
        let head = read.head();
        for event in read {
            let event = event.expect("it can be read");
            let Written { id, number, of } = Written::of(&event);
            assert_eq!(event.position, next, "there is a gap");
            missing = if event.event.event_type == "Part" { of - number } else { 0 };
            tell(Some(&next), Some(&next), &id);
            next += 1;
        }
        assert_eq!((missing, next), (0, head + 1), "a commit was seen in part");
        store.wait_for(next, Duration::from_secs(1)).expect("it can be waited for");
    }
}

fn tag(key: &str, value: &str) -> Tag {
    Tag::new(key, value).expect("it is a good tag")
}

/// One line in one write, so that it is told whole or not at all.
fn tell(first: Option<&u64>, last: Option<&u64>, id: &str) {
    let (first, last) = (first.expect("an event"), last.expect("an event"));
    stdout().write_all(format!("{first} {last} {id}\n").as_bytes()).expect("somebody listens");
}
