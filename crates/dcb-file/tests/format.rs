//! `docs/format.md` is enough to check a store: the Python program that stands in it does.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail by panicking")]

use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use dcb::{Event, EventStore};
use dcb_file::{FileStore, Options, SystemDisk, verify};
use tempfile::TempDir;

/// The program, as it stands in the page.
fn program() -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/format.md");
    let page = std::fs::read_to_string(page).unwrap();
    page.split("```python\n").nth(1).unwrap().split("```").next().unwrap().to_owned()
}

fn run_the_page(store: &Path) -> Output {
    let python = Command::new("python3").arg("-c").arg(program()).arg(store).output();
    python.expect("python3 is needed to check docs/format.md; install it: apt-get install python3")
}

/// A closed store of several segments, with texts that are awkward to split.
fn store() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { segment_bytes: 4_000, ..Options::default() };
    let store = FileStore::create(dir.path(), options).unwrap();
    for number in 0..40u32 {
        let event = |n: u32| {
            Event::builder("Sold \"é\"")
                .tag("product", format!("{n}"))
                .tag("text", "a\\b\",\"hash\":\"c")
                .data_text(r#"{"commit":{"first":1,"group":1,"hash":"0"},"price":1.50}"#)
                .user_id("ann")
                .build()
                .unwrap()
        };
        let events: Vec<Event> = (0..=number % 3).map(event).collect();
        store.append(&events, None).unwrap();
    }
    dir
}

#[test]
fn the_program_in_the_format_page_agrees_with_verify() {
    let dir = store();
    let report = verify(dir.path(), Arc::new(SystemDisk)).unwrap();
    assert!(report.segments > 3, "{report:?}");
    let checked = run_the_page(dir.path());
    let told = String::from_utf8(checked.stdout).unwrap();
    assert_eq!(told, format!("{} {}\n", report.head, report.hash), "{:?}", checked.stderr);
}

#[test]
fn the_program_in_the_format_page_finds_what_was_changed() {
    for (from, to) in [
        (r#""price":1.50"#, r#""price":0.50"#),
        (r#""userId":"ann""#, r#""userId":"bob""#),
        (r#"{"position":2,"#, r#"{"position":9,"#),
    ] {
        let dir = store();
        let file = dir.path().join("events/0000000001.jsonl");
        let content = std::fs::read_to_string(&file).unwrap();
        assert!(content.contains(from));
        std::fs::write(&file, content.replacen(from, to, 1)).unwrap();
        assert!(!run_the_page(dir.path()).status.success(), "{from}");
        // With a checksum that fits, the chain of hashes still tells.
        let forged: Vec<u8> =
            content.replacen(from, to, 1).lines().flat_map(sealed_again).collect();
        std::fs::write(&file, forged).unwrap();
        assert!(!run_the_page(dir.path()).status.success(), "{from}");
    }
}

/// A line with the checksum that its bytes now have.
fn sealed_again(line: &str) -> Vec<u8> {
    let body = line.len().checked_sub(18).map_or("", |end| &line[..end]);
    match body {
        "" => b"\n".to_vec(),
        _ => {
            format!("{body},\"crc\":\"{:08x}\"}}\n", crc32fast::hash(body.as_bytes())).into_bytes()
        }
    }
}

#[test]
fn the_program_in_the_format_page_is_short() {
    assert!(program().lines().count() <= 30);
}
