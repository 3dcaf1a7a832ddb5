//! Any bytes, in any file: never a panic, and never an event that was not written. What `fuzz/` does
//! for hours is done here with its corpus and some random bytes.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail by panicking")]

#[path = "../fuzz/folder.rs"]
mod folder;

use std::path::Path;

use dcb_file::fuzz::{index, line};
use fastrand::Rng;
use folder::folder;

fn corpus(of: &str) -> Vec<Vec<u8>> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(of);
    let files = std::fs::read_dir(dir).unwrap();
    files.map(|entry| std::fs::read(entry.unwrap().path()).unwrap()).collect()
}

/// What is in the corpus, and the same changed, cut off and run together; `OPOSSUM_MUTATIONS` says how
/// many times as often as usual.
fn try_all(target: fn(&[u8]), name: &str, mutations: u32) {
    let times = std::env::var("OPOSSUM_MUTATIONS").map_or(1, |times| times.parse().unwrap());
    let corpus = corpus(name);
    assert!(corpus.len() > 1, "there is nothing to begin with");
    corpus.iter().for_each(|bytes| target(bytes));
    let mut random = Rng::with_seed(7);
    for _ in 0..mutations * times {
        let mut bytes = random.choice(&corpus).unwrap().clone();
        for _ in 0..random.usize(1..5) {
            let at = random.usize(..=bytes.len());
            match random.u8(0..5) {
                0 => bytes.truncate(at),
                1 => bytes.splice(at..at, random.choice(&corpus).unwrap().clone()).for_each(drop),
                2 => bytes.extend((0..random.usize(..100)).map(|_| random.u8(..))),
                _ => {
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte = if random.bool() { random.u8(..) } else { 0xFF };
                    }
                }
            }
        }
        target(&bytes);
    }
}

#[test]
fn as_a_line() {
    try_all(line, "line", 50_000);
}

#[test]
fn as_an_index_file() {
    try_all(index, "index", 20_000);
}

#[test]
fn as_any_file_of_a_store() {
    try_all(folder, "folder", 300);
}

#[test]
fn random_bytes_in_place_of_any_file() {
    let mut random = Rng::with_seed(11);
    for archived in [0, 0x80] {
        for file in 0..8 {
            for length in [0, 1, 64, 5_000] {
                let mut bytes = vec![archived | file];
                bytes.extend((0..length).map(|_| random.u8(..)));
                folder(&bytes);
            }
        }
    }
}
