//! `opossum till` as scripts and people call it: what goes in, what comes out, and what it says when
//! something is wrong.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail by panicking")]

use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;
use tests::{Called, call, call_with_input, text};

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn bad_usage_is_status_2_and_says_what_to_do() {
    let dir = folder();
    call(&["till", "report", "sales", "--from", "2010"]).assert_failed(2, &["2010-12-01"]);
    call(&["till", "report", "sales", "--by", "foo"]).assert_failed(2, &["foo", "cashier"]);
    call(&["till", "--data", text(dir.path()), "call", "chekout", "{}"])
        .assert_failed(2, &["bad_request", "checkout"]);
    call(&["till", "--data", "/no/shop/here", "report", "sales"]).assert_failed(2, &["demo"]);
}

#[test]
fn the_input_of_a_command_is_checked_field_by_field() {
    let dir = folder();
    let till =
        |arguments: &[&str]| call(&[&["till", "--data", text(dir.path())], arguments].concat());
    till(&["demo"]).json();
    let refused = |input: &str| till(&["call", "open_shift", input]);
    refused("not json").assert_failed(2, &["bad_request"]);
    refused(r#"{"float":1}"#).assert_failed(2, &["requestId"]);
    let id = uuid::Uuid::now_v7();
    refused(&format!(r#"{{"requestId":"{id}","float":1,"flaot":2}}"#)).assert_failed(2, &["flaot"]);
    refused(&format!(r#"{{"requestId":"{id}","float":"ten"}}"#)).assert_failed(2, &["bad_request"]);
    refused(&format!(r#"{{"requestId":"{id}","float":-1}}"#)).assert_failed(1, &["message"]);
    till(&["call", "product", r#"{"code":"NONE"}"#]).assert_failed(1, &["not_found"]);

    let table = call(&["till", "call", "--list"]);
    assert!(table.out.contains("checkout") && table.out.contains("Sell a cart"), "{table:?}");
    assert!(!table.out.contains("requestId"), "the shapes are told one at a time");
    let checkout = call(&["till", "call", "--list", "checkout"]);
    for words in ["who may sell", "{ requestId: string", "PrintedReceipt", "type CheckoutLine = "] {
        assert!(checkout.out.contains(words), "{words} is not said: {checkout:?}");
    }
    call(&["till", "call", "--list", "chekout"]).assert_failed(2, &["checkout"]);
    let list = call(&["till", "call", "--list", "--format", "json"]);
    let names: Vec<Value> =
        list.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(names.iter().any(|operation| operation["name"] == "checkout"));
    for operation in &names {
        assert!(!operation["types"].as_str().unwrap().is_empty(), "{operation}");
    }
}

#[test]
fn who_is_named_shows_a_pin_and_has_the_rights_of_their_role() {
    let dir = folder();
    let data = text(dir.path());
    call(&["till", "--data", data, "demo"]).json();
    let as_user = |user: &str, pin: &str, name: &str, input: &str| {
        let till = ["till", "--data", data, "--user", user, "call", name, input];
        call_with_input(&till, format!("{pin}\n").as_bytes())
    };
    let delivery = |id: uuid::Uuid| {
        format!(r#"{{"requestId":"{id}","lines":[{{"product":"21071","quantity":1000}}]}}"#)
    };
    let id = uuid::Uuid::now_v7();
    let hers = as_user("Priya Nair", "3333", "receive_stock", &delivery(id));
    hers.assert_failed(1, &["not_permitted", "get_approval"]);
    as_user("Owen Price", "2222", "receive_stock", &delivery(id)).json();
    as_user("Owen Price", "0000", "shift", "{}").assert_failed(1, &["not the PIN"]);
    as_user("Owen Price", "", "shift", "{}").assert_failed(2, &["needs a PIN"]);
    as_user("Nobody", "1111", "shift", "{}").assert_failed(2, &["Owen Price"]);
    let refused = as_user("owner", "", "refused_acts", "{}").json();
    assert_eq!(refused.as_array().map(Vec::len), Some(1), "{refused}");
    assert_eq!(
        (&refused[0]["name"], &refused[0]["code"]),
        (&json!("Priya Nair"), &json!("not_permitted"))
    );
    let act = |name: &str, mut input: Value| {
        input["requestId"] = json!(uuid::Uuid::now_v7());
        as_user("Owen Price", "2222", name, &input.to_string()).json()
    };
    act("open_shift", json!({"float": 0}));
    let lines = json!([{"product": "21071", "quantity": 1000}]);
    let paid = json!([{"tender": "cash", "amount": 5000}]);
    act("checkout", json!({"lines": lines, "payments": paid}));
    let report = call(&["till", "--data", data, "report", "sales", "--by", "cashier"]);
    assert!(report.out.contains("Owen Price"), "{report:?}");

    let log = call(&["store", "read", &format!("{data}/store")]).out;
    assert!(!log.contains("argon2") && !log.contains("\"3333\""), "no PIN is in the log");
}

/// Imports a table of products into the shop in `dir`.
fn import(dir: &TempDir, table: &str) -> Called {
    let file = dir.path().join("products.csv");
    std::fs::write(&file, table).unwrap();
    call(&["till", "--data", text(dir.path()), "import", "products", text(&file)])
}

#[test]
fn a_record_that_cannot_be_used_is_status_1_and_the_others_are_in() {
    let dir = folder();
    let table = "sku,name,price,barcode\nA,Apple,0.50,4006381333932\nB,Bread,2,4006381333931\n";
    let imported = import(&dir, table);
    imported.assert_failed(1, &["1 of 2 records"]);
    let told: Value = serde_json::from_str(&imported.out).unwrap();
    assert_eq!((&told["added"], &told["rejected"][0]["line"]), (&json!(1), &json!(2)));
    let reason = told["rejected"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("check digit") && reason.contains('1'), "{reason}");

    let mended = import(&dir, &table.replace("33932", "33948")).json();
    assert_eq!((&mended["added"], &mended["existing"]), (&json!(1), &json!(["B"])), "{mended}");
}

#[test]
fn a_misspelt_column_of_products_is_refused_before_any_is_in() {
    let dir = folder();
    let refused = import(&dir, "sku,name,price,Tax Rate\nA,Apple,0.50,20\n");
    refused.assert_failed(2, &["\"Tax Rate\"", "did you mean tax_rate?", "barcode"]);
    let head = call(&["store", "stats", &format!("{}/store", text(dir.path()))]).json();
    assert_eq!(head["events"], 0);
}

#[test]
fn a_shop_begins_with_settings_of_its_own_or_is_told_which_it_got() {
    let dir = folder();
    let data = text(&dir.path().join("shop")).to_owned();
    let till = |rest: &[&str]| call(&[&["till", "--data", &data], rest].concat());
    till(&["call", "shop"]).assert_failed(2, &["call configure_shop", "demo"]);
    assert!(!Path::new(&data).exists());
    let settings = json!({
        "requestId": uuid::Uuid::now_v7(),
        "name": "Ecke", "currency": "EUR", "zone": "Europe/Berlin", "cutOver": "04:00",
        "taxMode": "included",
    });
    till(&["call", "configure_shop", &settings.to_string()]).json();
    let file = dir.path().join("own.csv");
    std::fs::write(&file, "sku,name,price\nA,Apfel,0.50\n").unwrap();
    let imported = till(&["import", "products", text(&file)]);
    assert_eq!((&imported.json()["added"], imported.err.as_str()), (&json!(1), ""));

    let of_nobodys_choice = import(&dir, "sku,name,price\nA,Apple,0.50\n");
    assert_eq!(of_nobodys_choice.json()["added"], 1);
    for word in ["\"My shop\"", "GBP", "UTC", "configure_shop"] {
        assert!(of_nobodys_choice.err.contains(word), "{of_nobodys_choice:?}");
    }
}

#[test]
fn an_untidy_file_of_invoices_is_replayed_as_far_as_it_makes_sense() {
    let dir = folder();
    let file = dir.path().join("invoices.csv");
    let mut content = b"\xEF\xBB\xBFInvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\r\n".to_vec();
    for line in [
        &b"1,A,\"Two\r\nlines\",2,2010-12-01 10:00,1.50,7,UK"[..],
        b"1,a ,Caf\xe9,1,2010-12-01 10:00,1.50,7,UK",
        b",A,no invoice,1,2010-12-01 10:00,1.50,7,UK",
        b"2,A,zero,0,2010-12-01 10:00,1.50,7,UK",
        b"2,A,disagrees,-1,2010-12-01 10:00,1.50,7,UK",
        b"2,A,negative,1,2010-12-01 10:00,-1.50,7,UK",
        b"2,A,fractions,1,2010-12-01 10:00,1.505,7,UK",
        b"2,A,absurd,1,2010-12-01 10:00,99999999999999999999,7,UK",
        b"2,A,not a number,1,2010-12-01 10:00,NaN,7,UK",
        b"2,A,bad date,1,2010-13-01 10:00,1.50,7,UK",
        b"2,A,short",
        b"C3,A,returned,-1,2010-12-02 11:00,1.50,,UK",
        b"4,A,?,-1,2010-12-02 12:00,0,,UK",
    ] {
        content.extend_from_slice(line);
        content.extend_from_slice(b"\r\n");
    }
    std::fs::write(&file, content).unwrap();
    let data = text(dir.path());
    let replayed = call(&["till", "--data", data, "replay", text(&file), "--verbose"]);
    for words in ["the store wrote", "0 conflicts", "9 of 13 records", "configure_shop"] {
        assert!(replayed.err.contains(words), "{replayed:?}");
    }
    let summary = replayed.json();
    let lines: Vec<u64> = summary["rejected"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rejected| rejected["line"].as_u64().unwrap())
        .collect();
    assert_eq!(lines, [5, 6, 7, 8, 9, 10, 11, 12, 13], "{summary}");
    let counts =
        ["lines", "sales", "refunds", "adjustments"].map(|name| summary[name].as_u64().unwrap());
    assert_eq!(counts, [13, 1, 1, 1]);
    let total =
        call(&["till", "--data", data, "report", "sales", "--format", "json"]).json()["total"]
            .clone();
    assert_eq!((&total["gross"], &total["refunds"]), (&json!(450), &json!(150)));

    let columns = dir.path().join("columns.csv");
    std::fs::write(&columns, "InvoiceNo,Quantity\n1,2\n").unwrap();
    let missing = call(&["till", "--data", data, "replay", text(&columns)]);
    missing.assert_failed(2, &["StockCode", "UnitPrice"]);
    assert_eq!(missing.out, "", "nothing was begun, so there is nothing to count");
    call(&["till", "--data", data, "replay", "/no/such.csv"]).assert_failed(2, &["/no/such.csv"]);
}
