//! Real invoices, replayed through the real commands, add up to the penny.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value, json};
use tests::{call, most_invoices, text, three_days};

/// What the report should say about a key, summed up from the file alone.
#[derive(Debug, Default, PartialEq)]
struct Sums {
    receipts: BTreeSet<String>,
    items: i64,
    gross: i64,
    refunds: i64,
}

/// The sums of a file by one of its columns, or by what is made of it.
fn sums(file: &Path, key: impl Fn(&csv::StringRecord) -> String) -> BTreeMap<String, Sums> {
    let mut sums: BTreeMap<String, Sums> = BTreeMap::new();
    for record in csv::Reader::from_path(file).unwrap().records() {
        let record = record.unwrap();
        let quantity: i64 = record[3].parse().unwrap();
        let (pounds, pence) = record[5].split_once('.').unwrap_or((&record[5], ""));
        let price: i64 = format!("{pounds}{pence:0<2}").parse().unwrap();
        if price == 0 {
            continue;
        }
        let sum = sums.entry(key(&record)).or_default();
        sum.receipts.insert(record[0].to_owned());
        sum.items += 1000 * quantity;
        match quantity > 0 {
            true => sum.gross += quantity * price,
            false => sum.refunds -= quantity * price,
        }
    }
    sums
}

fn report(data: &str, by: &str) -> Value {
    call(&["till", "--data", data, "report", "sales", "--by", by, "--format", "json"]).json()
}

fn assert_report(data: &str, by: &str, expected: &BTreeMap<String, Sums>) {
    let report = report(data, by);
    let rows: Vec<Value> = expected
        .iter()
        .map(|(key, sum)| {
            json!({
                "key": key,
                "receipts": sum.receipts.len(),
                "items": sum.items,
                "gross": sum.gross,
                "refunds": sum.refunds,
                "net": sum.gross - sum.refunds,
                "tax": 0,
            })
        })
        .collect();
    assert_eq!(report["rows"].as_array().unwrap(), &rows, "by {by}");
    let total = |field: fn(&Sums) -> i64| expected.values().map(field).sum::<i64>();
    assert_eq!(report["total"]["gross"], total(|sum| sum.gross));
    assert_eq!(report["total"]["refunds"], total(|sum| sum.refunds));
    assert_eq!(report["total"]["items"], total(|sum| sum.items));
}

#[test]
fn the_reports_of_a_replay_equal_sums_made_from_the_file_alone() {
    let dir = tempfile::tempdir().unwrap();
    let data = text(dir.path());
    let file = most_invoices();
    let replay =
        |flush| call(&["till", "--data", data, "replay", text(&file), "--flush", flush]).json();
    let first = replay("off");

    let records: Vec<csv::StringRecord> =
        csv::Reader::from_path(&file).unwrap().records().map(Result::unwrap).collect();
    let priced = records.iter().filter(|r| r[5].parse::<f64>().unwrap() > 0.0);
    let invoices: BTreeSet<&str> = priced.map(|record| record.get(0).unwrap()).collect();
    let refunds = invoices.iter().filter(|invoice| invoice.starts_with('C')).count();
    let adjustments = records.iter().filter(|r| r[5].parse::<f64>().unwrap() == 0.0).count();
    assert_eq!(
        first,
        json!({
            "lines": records.len(),
            "sales": invoices.len() - refunds,
            "refunds": refunds,
            "adjustments": adjustments,
            "alreadyThere": 0,
            "rejected": [],
        })
    );

    assert_report(data, "day", &sums(&file, |r| r[4][..10].to_owned()));
    assert_report(data, "hour", &sums(&file, |r| r[4][..13].replace(' ', "T")));
    assert_report(data, "product", &sums(&file, |r| r[1].trim().to_uppercase()));
    assert_report(data, "customer", &sums(&file, |r| r[6].to_owned()));

    let verified = call(&["store", "verify", &format!("{data}/store")]).json();
    let again = replay("on");
    assert_eq!(again["alreadyThere"], invoices.len() + adjustments);
    assert_eq!(
        (&again["sales"], &again["refunds"], &again["adjustments"]),
        (&json!(0), &json!(0), &json!(0))
    );
    let events = |report: &Value| (report["head"].clone(), report["hash"].clone());
    let after = call(&["store", "verify", &format!("{data}/store")]).json();
    assert_eq!(events(&after), events(&verified), "a second replay adds nothing");
}

#[test]
fn tax_inside_the_prices_is_taken_out_of_each_line() {
    let dir = tempfile::tempdir().unwrap();
    let data = text(dir.path());
    let file = three_days();
    let replay =
        ["till", "--data", data, "replay", text(&file), "--flush", "off", "--tax-rate", "2000"];
    call(&replay).json();
    let mut tax = 0;
    for record in csv::Reader::from_path(&file).unwrap().records() {
        let record = record.unwrap();
        let quantity: i64 = record[3].parse().unwrap();
        let (pounds, pence) = record[5].split_once('.').unwrap_or((&record[5], ""));
        let gross = quantity * format!("{pounds}{pence:0<2}").parse::<i64>().unwrap();
        // gross × 20 / 120, half away from zero.
        tax += (2 * gross.abs() + 6) / 12 * gross.signum();
    }
    let total = report(data, "tax")["total"].clone();
    assert_eq!(total["tax"], tax);
    let field = |name: &str| total[name].as_i64().unwrap();
    assert_eq!(field("net"), field("gross") - field("refunds") - field("tax"));

    let table = |by: &str| call(&["till", "--data", data, "report", "sales", "--by", by]).out;
    assert!(table("tax").contains("20 %"), "people write percent");
    assert!(table("customer").contains(" none "), "who is not known");
    assert!(table("product").contains("name"), "{}", table("product"));
    assert!(!table("day").contains("name"), "a day is called what it is");
}

#[test]
fn the_demo_shop_sells_refuses_and_replays() {
    let dir = tempfile::tempdir().unwrap();
    let data = text(dir.path());
    let till = |rest: &[&str]| call(&[&["till", "--data", data], rest].concat());
    assert!(till(&["demo"]).json()["products"].as_u64().unwrap() >= 200);
    assert_eq!(till(&["demo"]).json()["products"], 0, "a second demo adds nothing");

    let products = till(&["call", "products", "{}"]).json();
    let on_hand = |product: &&Value| product["onHand"].as_i64().unwrap() > 1000;
    let product = products["products"].as_array().unwrap().iter().find(on_hand).unwrap();
    let sku = product["id"].as_str().unwrap();
    let price = product["price"].as_i64().unwrap();
    let id = uuid::Uuid::now_v7();
    let cart = |quantity: i64, id: uuid::Uuid| {
        json!({
            "requestId": id,
            "lines": [{"product": sku, "quantity": quantity}],
            "payments": [{"tender": "cash", "amount": price * quantity / 1000 + 500}],
        })
        .to_string()
    };
    till(&["call", "checkout", &cart(1000, id)]).assert_failed(1, &["shift_closed"]);
    let open = json!({"requestId": uuid::Uuid::now_v7(), "float": 10_000}).to_string();
    till(&["call", "open_shift", &open]).json();
    let receipt = till(&["call", "checkout", &cart(1000, id)]).json();
    assert_eq!((&receipt["number"], &receipt["change"]), (&json!(1), &json!(500)));
    assert_eq!(
        till(&["call", "checkout", &cart(1000, id)]).json(),
        receipt,
        "the first answer again"
    );
    till(&["call", "checkout", &cart(2000, id)]).assert_failed(1, &["request_reused"]);
    till(&["call", "checkout", &cart(900_000_000, uuid::Uuid::now_v7())])
        .assert_failed(1, &["out_of_stock", "\"left\":", "\"because\":["]);
    till(&["replay", text(&three_days())]).json();
}
