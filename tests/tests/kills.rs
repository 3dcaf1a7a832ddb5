//! A replay that is killed at any moment loses nothing it told, doubles nothing, and can go on.
//!
//! `make soak` kills it 50 times, with `OPOSSUM_KILLS=50`.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail by panicking")]

use std::collections::HashSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use dcb::{EventStore, Query, ReadOptions};
use dcb_file::{FileStore, Options};
use serde_json::Value;
use tests::{call, text, three_days};

/// Replays until the process is killed, a while after it has told so many acts; returns how many it
/// had told by then, and whether it came to the end.
fn replay_and_kill(data: &Path, acts: usize, after: Duration) -> (usize, bool) {
    let mut process = Command::new(env!("CARGO_BIN_EXE_rival"))
        .args(["replay", text(data), text(&three_days())])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let mut told = lines.map_while(Result::ok).filter_map(|line| line.parse().ok());
    let first_told = if acts > 0 { told.find(|told| *told >= acts) } else { Some(0) };
    std::thread::sleep(after);
    process.kill().unwrap();
    process.wait().unwrap();
    (told.max().max(first_told).unwrap_or(0), first_told.is_none())
}

/// The sales, refunds and adjustments that are recorded, checking that none is there twice and
/// that receipt numbers have no gap.
fn recorded_acts(data: &Path) -> usize {
    let store = FileStore::open(data.join("store"), Options::default()).unwrap();
    let of_types = |types: &[&str]| -> Vec<Value> {
        let query = Query::types(types.to_vec()).unwrap();
        let events = store.read(&query, ReadOptions::default()).unwrap();
        events.map(|e| serde_json::from_str(e.unwrap().event.data.as_str()).unwrap()).collect()
    };
    let receipts = of_types(&["SaleCompleted", "RefundCompleted"]);
    let numbers: Vec<u64> = receipts.iter().map(|r| r["number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=receipts.len() as u64).collect::<Vec<_>>());
    let references: HashSet<&str> =
        receipts.iter().map(|receipt| receipt["reference"].as_str().unwrap()).collect();
    assert_eq!(references.len(), receipts.len(), "an invoice is there twice");
    receipts.len() + of_types(&["StockAdjustedUp", "StockAdjustedDown"]).len()
}

#[test]
fn a_replay_killed_at_random_moments_loses_and_doubles_nothing() {
    let kills: u64 = std::env::var("OPOSSUM_KILLS").map_or(5, |kills| kills.parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    let store = format!("{}/store", text(data));
    let mut random = fastrand::Rng::new();
    let mut recorded = 0;
    for kill in 0..kills {
        let after = Duration::from_millis(random.u64(0..100));
        let (told, ended) = replay_and_kill(data, random.usize(0..100), after);
        let verified = call(&["store", "verify", &store]);
        // Killed before the store was made, there is none.
        if told == 0 && !data.join("store/store.json").exists() {
            continue;
        }
        assert_eq!(verified.json()["damage"], serde_json::json!([]), "kill {kill}");
        let now = recorded_acts(data);
        assert!(now >= recorded + told, "{told} told after {recorded}, but {now} are there");
        recorded = now;
        if ended {
            // Nothing is left to be killed: begin anew.
            std::fs::remove_dir_all(data.join("store")).unwrap();
            recorded = 0;
        }
    }
    let replay = |data: &str| {
        call(&["till", "--data", data, "replay", text(&three_days()), "--flush", "off"]).json();
        call(&["till", "--data", data, "report", "sales", "--by", "product", "--format", "json"])
            .json()
    };
    let undisturbed = tempfile::tempdir().unwrap();
    assert_eq!(replay(text(data)), replay(text(undisturbed.path())));
}
