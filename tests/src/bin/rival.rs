//! A process of its own for the tests of races and kills, on a shop that others have open too. It
//! tells every answer at once on standard output.
//!
//! `rival act DATA`: carries out what each line of standard input asks for; see [`tests::rivals`].
//!
//! `rival replay DATA FILE`: replays invoices, and tells after each how many acts are done.

#![allow(clippy::expect_used, reason = "it serves tests, which may fail by panicking")]

use std::fs::File;
use std::io::{Write, stdin, stdout};
use std::path::Path;
use std::sync::Arc;

use dcb::EventStore;
use dcb_file::{FileStore, Options};
use tests::rivals::serve;
use till::SystemClock;
use till::replay::{ReplayOptions, replay, replay_till};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match *arguments {
        ["act", data] => serve(&store(data), stdin().lock(), stdout()),
        ["replay", data, file] => {
            let file = File::open(file).expect("the file opens");
            let store = store(data);
            let till = replay_till(Arc::clone(&store), SystemClock::beside(store));
            replay(&till, file, ReplayOptions::default(), |progress| {
                let mut out = stdout().lock();
                writeln!(out, "{}", progress.done)
                    .and_then(|()| out.flush())
                    .expect("somebody listens");
            })
            .expect("the replay goes through");
        }
        _ => panic!("act DATA or replay DATA FILE, please"),
    }
}

fn store(data: &str) -> Arc<dyn EventStore> {
    let store = FileStore::open_or_create(Path::new(data).join("store"), Options::default());
    Arc::new(store.expect("the store opens"))
}
