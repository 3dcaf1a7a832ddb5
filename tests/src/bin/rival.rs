//! A process of its own for the tests of races and kills. It sells on a shop that others have open
//! too, and tells every answer at once on standard output.
//!
//! `rival sell DATA TILL`: each line of standard input is `REQUEST_ID PRODUCT`; sells one piece of
//! it for cash, and answers `sold NUMBER CONFLICTS` or `refused CODE`.
//!
//! `rival replay DATA FILE`: replays invoices, and tells after each how many acts are done.

#![allow(clippy::expect_used, reason = "it serves tests, which may fail by panicking")]

use std::fs::File;
use std::io::{Write, stdin, stdout};
use std::path::Path;
use std::sync::Arc;

use dcb_file::{FileStore, Options};
use pos::{Checkout, TillId, UserId};
use serde_json::json;
use till::replay::{ReplayOptions, replay, replay_till};
use till::{SystemClock, Till};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [act, data, what] = arguments.as_slice() else { panic!("three arguments, please") };
    let store = FileStore::open_or_create(Path::new(data).join("store"), Options::default());
    let store = Arc::new(store.expect("the store opens"));
    match act.as_str() {
        "sell" => {
            let till = TillId::new(what).expect("a good till id");
            let user = UserId::new("rival").expect("a good user id");
            sell(&Till::open(store, SystemClock, till, user));
        }
        "replay" => {
            let file = File::open(what).expect("the file opens");
            let till = replay_till(store, SystemClock);
            replay(&till, file, ReplayOptions::default(), |progress| {
                tell(&progress.done.to_string())
            })
            .expect("the replay goes through");
        }
        other => panic!("no such act: {other}"),
    }
}

fn sell(till: &Till) {
    tell("ready");
    for line in stdin().lines() {
        let line = line.expect("a line of input");
        let (request_id, product) = line.split_once(' ').expect("a request id and a product");
        let checkout: Checkout = serde_json::from_value(json!({
            "lines": [{"product": product, "quantity": 1000}],
            "payments": [{"tender": "cash", "amount": 100_000}],
        }))
        .expect("a good checkout");
        let done = till.execute(&checkout, request_id.parse().expect("a request id"));
        tell(&match done {
            Ok(done) => format!("sold {} {}", done.answer.number, done.trace.conflicts()),
            Err(error) => format!("refused {}", json!(error.code).as_str().unwrap_or_default()),
        });
    }
}

fn tell(line: &str) {
    let mut out = stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).expect("somebody listens");
}
