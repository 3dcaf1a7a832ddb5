//! `docs/format.md` is enough to check a store: its own Python program does.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::path::Path;
use std::process::{Command, Output};

use tests::{call, text, three_days};

/// Runs the program that stands in the page; `None` where there is no Python.
fn run_the_page(store: &str) -> Option<Output> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/format.md");
    let page = std::fs::read_to_string(page).unwrap();
    let program = page.split("```python\n").nth(1).unwrap().split("```").next().unwrap();
    Command::new("python3").args(["-c", program, store]).output().ok()
}

#[test]
fn the_program_in_the_format_page_agrees_with_verify() {
    let dir = tempfile::tempdir().unwrap();
    let store = format!("{}/store", text(dir.path()));
    call(&["till", "--data", text(dir.path()), "replay", text(&three_days()), "--flush", "off"])
        .json();
    let report = call(&["store", "verify", &store]).json();
    let Some(checked) = run_the_page(&store) else {
        return eprintln!("skipped: there is no python3");
    };
    let expected = format!("{} {}\n", report["head"], report["hash"].as_str().unwrap());
    assert_eq!(String::from_utf8(checked.stdout).unwrap(), expected);

    let file = format!("{store}/events/0000000001.jsonl");
    let forged = std::fs::read_to_string(&file).unwrap().replacen(
        "\"quantity\":6000",
        "\"quantity\":5000",
        1,
    );
    std::fs::write(&file, forged).unwrap();
    assert!(!run_the_page(&store).unwrap().status.success());
    assert_eq!(call(&["store", "verify", &store]).status, 5);
}
