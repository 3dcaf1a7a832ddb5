//! Four writers and two readers share a store, and each is killed again and again.
//!
//! `make soak` does so for minutes, with `OPOSSUM_KILLING_SECONDS=180`.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail by panicking")]

use std::collections::{HashMap, HashSet};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use dcb::{Event, EventStore, Query, ReadOptions, SequencedEvent, Subscription};
use dcb_file::{FileStore, SystemDisk, archive, verify};
use tests::processes::{Written, options};
use tests::text;

/// A process that tells of commits, and what it has told.
struct Peer {
    process: Child,
    told: JoinHandle<Vec<Told>>,
}

/// What a process knows: that these positions hold a commit, or a part of it.
struct Told {
    first: u64,
    last: u64,
    id: String,
}

impl Peer {
    fn start(arguments: &[&str]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_peer"))
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let parse = |line: String| {
            let words: Vec<&str> = line.split(' ').collect();
            let (first, last) = (words[0].parse().unwrap(), words[1].parse().unwrap());
            Told { first, last, id: words[2].to_owned() }
        };
        let told = std::thread::spawn(move || lines.map(|line| parse(line.unwrap())).collect());
        Self { process, told }
    }

    /// Kills it; it must have been at work until then.
    fn kill(mut self) -> Vec<Told> {
        assert_eq!(self.process.try_wait().unwrap(), None, "it should have gone on");
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        self.told.join().unwrap()
    }
}

/// What none of the processes may have broken, whatever was killed when.
fn check(dir: &Path, told: &[Told]) {
    let report = verify(dir, Arc::new(SystemDisk)).unwrap();
    assert!(report.damage.is_empty() && report.torn.is_none(), "{report:?}");
    let store = FileStore::open(dir, options(true)).unwrap();
    let events: Vec<SequencedEvent> =
        store.read(&Query::all(), ReadOptions::default()).unwrap().map(Result::unwrap).collect();
    let positions: Vec<u64> = events.iter().map(|event| event.position).collect();
    assert_eq!(positions, (1..=events.len() as u64).collect::<Vec<_>>(), "there is a gap");

    let mut commits: HashMap<String, Vec<u64>> = HashMap::new();
    let (mut counter, mut names) = (0, HashSet::new());
    for event in &events {
        let written = Written::of(event);
        match event.event.event_type.as_str() {
            "Counted" => {
                counter += 1;
                assert_eq!(written.number, counter, "two counted alike");
            }
            "Taken" => {
                let name = event.event.tags[0].clone();
                assert!(names.insert(name.clone()), "{name} was taken twice");
            }
            _ => {}
        }
        let commit = commits.entry(written.id).or_default();
        commit.push(event.position);
        assert!(commit.len() as u64 <= written.of, "a commit is there twice");
    }
    for event in &events {
        let Written { id, of, .. } = Written::of(event);
        assert_eq!(commits[&id].len() as u64, of, "{id} is there in part");
    }
    for Told { first, last, id } in told {
        let there = commits.get(id).unwrap_or_else(|| panic!("{id} at {first} was lost"));
        assert!(there.contains(first) && there.contains(last), "{id} moved from {first}");
    }
    assert!(counter > 0 && !names.is_empty() && told.len() > 100, "too little was done");
}

#[test]
fn killed_writers_and_readers_leave_no_gap_no_loss_no_double_and_no_broken_condition() {
    let seconds =
        std::env::var("OPOSSUM_KILLING_SECONDS").map_or(8, |seconds| seconds.parse().unwrap());
    let shop = tempfile::tempdir().unwrap();
    let dir = shop.path().join("store");
    drop(FileStore::create(&dir, options(true)).unwrap());
    let mut starts = 0;
    let mut start = |place: usize| {
        starts += 1;
        let name = format!("{place}.{starts}");
        // One of the writers does not sync: the end of a process takes nothing of what it wrote.
        let flush = if place == 0 { "false" } else { "true" };
        match place {
            0..4 => Peer::start(&["write", text(&dir), &name, flush]),
            _ => Peer::start(&["read", text(&dir)]),
        }
    };
    let mut peers: Vec<Peer> = (0..6).map(&mut start).collect();
    let mut told = Vec::new();
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(seconds) {
        std::thread::sleep(Duration::from_millis(fastrand::u64(20..200)));
        let place = fastrand::usize(0..6);
        let killed = std::mem::replace(&mut peers[place], start(place));
        told.extend(killed.kill());
        if fastrand::u8(0..10) == 0 {
            archive(&dir, &options(true)).unwrap();
        }
    }
    peers.into_iter().for_each(|peer| told.extend(peer.kill()));
    check(&dir, &told);
}

#[test]
fn events_of_another_process_arrive_by_themselves() {
    let shop = tempfile::tempdir().unwrap();
    let dir = shop.path().join("store");
    let store = FileStore::create(&dir, options(true)).unwrap();
    let writer = Peer::start(&["write", text(&dir), "other", "true"]);
    let mut subscription = Subscription::new(&store, Query::all(), 1);
    for position in 1..=50 {
        let event = subscription.next_within(Duration::from_secs(30)).unwrap().unwrap();
        assert_eq!(event.position, position);
        assert!(Written::of(&event).id.starts_with("other-"));
    }
    assert!(store.wait_for(100, Duration::from_secs(30)).unwrap().is_some());
    writer.kill();
    // And those of this process, when nobody else writes.
    let head = store.head().unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| store.wait_for(head + 1, Duration::MAX).unwrap());
        store.append(&[Event::builder("Own").build().unwrap()], None).unwrap();
        assert!(waiting.join().unwrap() >= Some(head + 1));
    });
}
