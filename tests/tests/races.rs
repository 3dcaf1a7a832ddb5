//! Tills in processes of their own, on one shop.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail by panicking")]

use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::json;
use tempfile::TempDir;
use tests::{call, text};
use uuid::Uuid;

/// A till in a process of its own.
struct Rival {
    process: Child,
    input: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Rival {
    fn start(shop: &TempDir, till: &str) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_rival"))
            .args(["sell", text(shop.path()), till])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = process.stdin.take().unwrap();
        let answers = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut rival = Self { process, input, answers };
        assert_eq!(rival.answer(), "ready");
        rival
    }

    fn ask(&mut self, request: Uuid, product: &str) {
        writeln!(self.input, "{request} {product}").unwrap();
    }

    fn answer(&mut self) -> String {
        self.answers.next().unwrap().unwrap()
    }
}

impl Drop for Rival {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn command(shop: &TempDir, till: &str, name: &str, mut input: serde_json::Value) {
    input["requestId"] = json!(Uuid::now_v7());
    call(&["till", "--data", text(shop.path()), "--till", till, "call", name, &input.to_string()])
        .json();
}

/// A shop of so many products with `pieces` of each, and open shifts at these tills.
fn shop(products: usize, pieces: i64, tills: &[&str]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let skus: Vec<String> = (0..products).map(|n| format!("P{n}")).collect();
    let mut table = String::from("sku,name,price\n");
    skus.iter().for_each(|sku| table.push_str(&format!("{sku},Product {sku},1.00\n")));
    let file = dir.path().join("products.csv");
    std::fs::write(&file, table).unwrap();
    call(&["till", "--data", text(dir.path()), "import", "products", text(&file)]).json();
    let lines: Vec<_> =
        skus.iter().map(|sku| json!({"product": sku, "quantity": pieces * 1000})).collect();
    command(&dir, tills[0], "receive_stock", json!({"lines": lines}));
    for till in tills {
        command(&dir, till, "open_shift", json!({"float": 0}));
    }
    dir
}

fn sold(answer: &str) -> bool {
    answer.starts_with("sold ")
}

#[test]
fn the_last_piece_is_sold_exactly_once() {
    const ROUNDS: usize = 200;
    let shop = shop(ROUNDS, 1, &["A", "B"]);
    let (mut a, mut b) = (Rival::start(&shop, "A"), Rival::start(&shop, "B"));
    for round in 0..ROUNDS {
        let product = format!("P{round}");
        a.ask(Uuid::now_v7(), &product);
        b.ask(Uuid::now_v7(), &product);
        let answers = [a.answer(), b.answer()];
        assert_eq!(answers.iter().filter(|a| sold(a)).count(), 1, "{answers:?}");
        assert!(answers.iter().any(|a| a == "refused out_of_stock"), "{answers:?}");
    }
}

#[test]
fn tills_that_sell_different_products_never_conflict() {
    const ROUNDS: usize = 200;
    let shop = shop(2, 1_000, &["A", "B"]);
    let (mut a, mut b) = (Rival::start(&shop, "A"), Rival::start(&shop, "B"));
    for round in 1..=ROUNDS {
        a.ask(Uuid::now_v7(), "P0");
        b.ask(Uuid::now_v7(), "P1");
        assert_eq!(a.answer(), format!("sold {round} 0"), "its own numbers, no conflicts");
        assert_eq!(b.answer(), format!("sold {round} 0"));
    }
}

#[test]
fn one_request_sent_by_two_processes_at_once_is_one_receipt() {
    const ROUNDS: usize = 100;
    let shop = shop(1, 10_000, &["A"]);
    let (mut one, mut two) = (Rival::start(&shop, "A"), Rival::start(&shop, "A"));
    for round in 1..=ROUNDS {
        let request = Uuid::now_v7();
        one.ask(request, "P0");
        two.ask(request, "P0");
        let number = |answer: String| answer.split(' ').nth(1).unwrap().to_owned();
        let numbers = [number(one.answer()), number(two.answer())];
        assert_eq!(numbers, [round.to_string(), round.to_string()]);
    }
    let report = ["till", "--data", text(shop.path()), "report", "sales", "--format", "json"];
    assert_eq!(call(&report).json()["total"]["receipts"], ROUNDS);
}

#[test]
fn two_processes_of_one_till_number_their_receipts_without_a_gap() {
    const ROUNDS: usize = 100;
    let shop = shop(2, 1_000, &["A"]);
    let (mut one, mut two) = (Rival::start(&shop, "A"), Rival::start(&shop, "A"));
    let mut numbers = Vec::new();
    for _ in 0..ROUNDS {
        one.ask(Uuid::now_v7(), "P0");
        two.ask(Uuid::now_v7(), "P1");
        for answer in [one.answer(), two.answer()] {
            let number: usize = answer.split(' ').nth(1).unwrap().parse().unwrap();
            numbers.push(number);
        }
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=2 * ROUNDS).collect::<Vec<_>>());
}
