//! `opossum` as scripts and people call it: what goes in, what comes out, and what it says when
//! something is wrong.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail by panicking")]

use std::path::{Path, PathBuf};
use std::process::Command;

use dcb::{Event, EventStore};
use dcb_file::{FileStore, Options};
use serde_json::{Value, json};
use tempfile::TempDir;
use tests::{Called, call, call_with_input, text};

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// A store with three events in two commits.
fn small_store() -> (TempDir, String) {
    let dir = folder();
    let store = format!("{}/store", text(dir.path()));
    assert_eq!(call(&["store", "create", &store]).status, 0);
    let first = br#"{"type":"Opened","tags":["till:1"],"data":{"float":100.50}}
{"type":"Sold","tags":["till:1","product:7"],"metadata":{"userId":"ann"}}
"#;
    assert_eq!(append(&store, first).json(), json!({"first": 1, "last": 2}));
    assert_eq!(append(&store, br#"{"type":"Sold","tags":["product:8"]}"#).json()["first"], 3);
    (dir, store)
}

fn append(store: &str, events: &[u8]) -> Called {
    call_with_input(&["store", "append", store], events)
}

fn positions(read: &Called) -> Vec<u64> {
    assert_eq!(read.status, 0, "{read:?}");
    let line = |line: &str| serde_json::from_str::<Value>(line).unwrap()["position"].as_u64();
    read.out.lines().map(|text| line(text).unwrap()).collect()
}

#[test]
fn what_is_appended_is_read_back_line_by_line() {
    let (_dir, store) = small_store();
    let read = call(&["store", "read", &store]);
    let first: Value = serde_json::from_str(read.out.lines().next().unwrap()).unwrap();
    assert_eq!((&first["position"], &first["type"]), (&json!(1), &json!("Opened")));
    assert_eq!(first["tags"], json!(["till:1"]));
    assert!(read.out.contains(r#""data":{"float":100.50}"#), "data keeps its digits");
    assert!(first["metadata"]["id"].is_string() && first["metadata"]["timestamp"].is_string());

    let read =
        |arguments: &[&str]| positions(&call(&[&["store", "read", &store], arguments].concat()));
    assert_eq!(read(&[]), [1, 2, 3]);
    assert_eq!(read(&["--from", "2", "--limit", "1"]), [2]);
    assert_eq!(read(&["--backwards", "--from", "2"]), [2, 1]);
    assert_eq!(read(&["--query", r#"{"items":[{"types":["Sold"],"tags":["till:1"]}]}"#]), [2]);
    assert_eq!(read(&["--query", r#"{"all":true}"#, "--limit", "0"]), Vec::<u64>::new());
}

#[test]
fn a_failed_condition_is_status_3_and_appends_nothing() {
    let (_dir, store) = small_store();
    let unless_sold = |after: &str| {
        let condition =
            format!(r#"{{"failIfEventsMatch":{{"items":[{{"types":["Sold"]}}]}}{after}}}"#);
        call_with_input(
            &["store", "append", &store, "--condition", &condition],
            br#"{"type":"Sold"}"#,
        )
    };
    unless_sold("").assert_failed(3, &["position 2"]);
    unless_sold(r#","after":2"#).assert_failed(3, &["position 3"]);
    assert_eq!(unless_sold(r#","after":3"#).json(), json!({"first": 4, "last": 4}));
}

#[test]
fn bad_usage_and_bad_input_are_status_2_and_say_what_to_do() {
    let (dir, store) = small_store();
    let nothing = text(dir.path()).to_owned();
    append(&store, b"").assert_failed(2, &["at least one event"]);
    append(&store, b"{\"type\":\"A\"}\nnonsense").assert_failed(2, &["line 2"]);
    append(&store, b"\xff\xfe").assert_failed(2, &["line 1"]);
    let second = append(&store, b"{\"type\":\"A\"}\n{\"type\":}");
    second.assert_failed(2, &["line 2 of the input", "at column 9"]);
    assert!(!second.err.contains("line 1"), "one line is named: {second:?}");
    append(&store, "{\"type\":\"A\"}\n".repeat(10_001).as_bytes())
        .assert_failed(2, &["split the input", "10000"]);
    append(&store, br#"{"type":"A","tags":["nocolon"]}"#).assert_failed(2, &["key:value"]);
    append(&store, br#"{"type":" "}"#).assert_failed(2, &["blank type"]);
    append(&store, br#"{"tpe":"A"}"#).assert_failed(2, &["line 1", "tpe"]);
    let large = format!(r#"{{"type":"A","data":"{}"}}"#, "x".repeat(1 << 20));
    append(&store, large.as_bytes()).assert_failed(2, &["1048576"]);
    assert_eq!(positions(&call(&["store", "read", &store])), [1, 2, 3], "nothing was appended");

    call(&["store", "read", &store, "--query", "{}"]).assert_failed(2, &["query"]);
    call(&["store", "append", &store, "--condition", "nonsense"])
        .assert_failed(2, &["this is no JSON", r#"write {"failIfEventsMatch":"#]);
    call(&["till", "report", "sales", "--from", "2010"]).assert_failed(2, &["2010-12-01"]);
    call(&["till", "report", "sales", "--by", "foo"]).assert_failed(2, &["foo", "cashier"]);
    call(&["store", "read", &store, "--from", "minus"]).assert_failed(2, &["--from"]);
    call(&["store", "read", &nothing]).assert_failed(2, &["not a store"]);
    call(&["store", "verify", "/no/such/folder"]).assert_failed(2, &["not a store"]);
    call(&["store", "create", &store]).assert_failed(2, &["already a store"]);
    call(&["store", "create", &nothing]).assert_failed(2, &["other files"]);
    call(&["shop"]).assert_failed(2, &["shop"]);
    let call_name =
        |name: &str, input: &str| call(&["till", "--data", &nothing, "call", name, input]);
    call_name("chekout", "{}").assert_failed(2, &["bad_request", "checkout"]);
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

#[test]
fn damage_is_status_5_with_file_and_line_and_can_be_read_around() {
    let (_dir, store) = small_store();
    let file = Path::new(&store).join("events/0000000001.jsonl");
    let damaged = std::fs::read_to_string(&file).unwrap().replacen("product:7", "product:9", 1);
    std::fs::write(&file, damaged).unwrap();
    let verify = call(&["store", "verify", &store]);
    verify.assert_failed(5, &["0000000001.jsonl:2"]);
    let report: Value = serde_json::from_str(&verify.out).unwrap();
    assert_eq!(
        (&report["damage"][0]["line"], &report["damage"][0]["firstPosition"]),
        (&json!(2), &json!(2))
    );
    let read = call(&["store", "read", &store]);
    read.assert_failed(5, &["0000000001.jsonl:2"]);
    assert_eq!(read.out.lines().count(), 1, "what comes before the damage is read");
    let skipping = call(&["store", "read", &store, "--skip-damaged"]);
    assert_eq!(positions(&skipping), [1, 3]);
    assert!(skipping.err.contains("positions 2 to 2"), "{skipping:?}");
    append(&store, br#"{"type":"A"}"#).assert_failed(5, &["backup", "store restore"]);

    let stats = call(&["store", "stats", &store]);
    stats.assert_failed(5, &["store restore", "export --skip-damaged"]);
    assert!(!stats.err.contains("refuses writes"), "it would write nothing: {stats:?}");
    let out = format!("{store}-out");
    call(&["store", "export", &store, &out]).assert_failed(5, &["0000000001.jsonl:2"]);
    assert!(!Path::new(&out).exists());
    let saved = call(&["store", "export", &store, &out, "--skip-damaged"]);
    assert_eq!(saved.json()["events"], 2);
    assert!(saved.err.contains("positions 2 to 2"), "{saved:?}");
}

#[test]
fn a_torn_end_is_reported_by_verify_and_mended_by_the_next_writer() {
    let (_dir, store) = small_store();
    let file = Path::new(&store).join("events/0000000001.jsonl");
    let mut content = std::fs::read(&file).unwrap();
    let end = content.iter().rposition(|b| *b != b'\n').unwrap() + 2;
    content[end..end + 15].copy_from_slice(b"{\"position\":4,\"");
    std::fs::write(&file, content).unwrap();
    std::fs::write(Path::new(&store).join("store.lock"), "").unwrap();
    let verify = call(&["store", "verify", &store]).json();
    assert_eq!(verify["torn"]["position"], 4);
    let mended = append(&store, br#"{"type":"A"}"#);
    assert_eq!(mended.json(), json!({"first": 4, "last": 4}));
    assert!(mended.err.contains("torn"), "{mended:?}");
    assert!(call(&["store", "verify", &store]).json().get("torn").is_none());
}

#[test]
fn a_lock_held_too_long_is_status_4() {
    let (_dir, store) = small_store();
    let lock = std::fs::File::open(Path::new(&store).join("store.lock")).unwrap();
    lock.lock().unwrap();
    append(&store, br#"{"type":"A"}"#).assert_failed(4, &["try again"]);
    lock.unlock().unwrap();
    assert_eq!(append(&store, br#"{"type":"A"}"#).json()["first"], 4);
}

#[test]
fn a_store_is_backed_up_restored_and_deleted() {
    let (dir, store) = small_store();
    let path = |name: &str| text(&dir.path().join(name)).to_owned();
    let [copy, restored] = ["copy", "restored"].map(path);
    let report = call(&["store", "backup", &store, &copy]).json();
    assert_eq!((&report["head"], &report["damage"]), (&json!(3), &json!([])));
    call(&["store", "backup", &store, &copy]).assert_failed(2, &["empty"]);
    append(&store, br#"{"type":"A"}"#).json();
    assert_eq!(call(&["store", "restore", &copy, &restored]).json()["hash"], report["hash"]);
    assert_eq!(positions(&call(&["store", "read", &restored])), [1, 2, 3]);

    let stats = call(&["store", "stats", &store]).json();
    assert_eq!(
        (&stats["head"], &stats["types"]),
        (&json!(4), &json!({"A": 1, "Opened": 1, "Sold": 2}))
    );
    call(&["store", "delete", &store]).json();
    assert!(!Path::new(&store).exists());
    call(&["store", "delete", &store]).assert_failed(2, &["not a store"]);
    call(&["store", "delete", text(dir.path())]).assert_failed(2, &["not a store"]);
    assert_eq!(positions(&call(&["store", "read", &restored])), [1, 2, 3]);

    let file = Path::new(&copy).join("events/0000000001.jsonl");
    let damaged = std::fs::read_to_string(&file).unwrap().replacen("product:7", "product:9", 1);
    std::fs::write(&file, damaged).unwrap();
    let other = path("other");
    let restored = call(&["store", "restore", &copy, &other]);
    restored.assert_failed(5, &["0000000001.jsonl:2", "this backup is damaged: take another one"]);
    assert!(!restored.err.contains("store restore"), "that would be to go in a circle");
    call(&["store", "backup", &copy, &other]).assert_failed(5, &["0000000001.jsonl:2"]);
    assert!(!Path::new(&other).exists());
}

/// A closed store of 60 events in several event files, and the output of reading it.
fn store_of_many_files() -> (TempDir, String, String) {
    let dir = folder();
    let store = format!("{}/store", text(dir.path()));
    let options = Options { segment_bytes: 4_000, ..Options::default() };
    let made = FileStore::create(&store, options).unwrap();
    for number in 0..60u32 {
        let event = Event::builder("Sold").tag("product", (number % 5).to_string());
        made.append(&[event.data(&number).build().unwrap()], None).unwrap();
    }
    drop(made);
    let all = call(&["store", "read", &store]);
    assert_eq!(positions(&all), (1..=60).collect::<Vec<_>>());
    (dir, store, all.out)
}

#[test]
fn an_archived_store_reads_verifies_and_goes_on_as_before() {
    let (_dir, store, all) = store_of_many_files();
    let before = call(&["store", "verify", &store]).json();
    let archived = call(&["store", "archive", &store]).json();
    assert_eq!(archived["segments"].as_u64(), before["segments"].as_u64().map(|all| all - 1));
    assert!(archived["bytesAfter"].as_u64() < archived["bytesBefore"].as_u64(), "{archived}");
    assert_eq!(call(&["store", "archive", &store]).json()["segments"], 0, "there is no more to do");

    assert_eq!(call(&["store", "verify", &store]).json(), before);
    assert_eq!(call(&["store", "read", &store]).out, all);
    let query = r#"{"items":[{"tags":["product:2"]}]}"#;
    let read = ["store", "read", &store, "--query", query, "--backwards", "--limit", "12"];
    let expected: Vec<u64> = (0..12).rev().map(|nth| 5 * nth + 3).collect();
    assert_eq!(positions(&call(&read)), expected);
    assert_eq!(call(&["store", "stats", &store]).json()["archived"], archived["segments"]);
    assert_eq!(append(&store, br#"{"type":"Sold"}"#).json(), json!({"first": 61, "last": 61}));
    assert_eq!(call(&["store", "verify", &store]).json()["head"], 61);
}

#[test]
fn a_damaged_archive_is_status_5_and_is_read_around() {
    let (_dir, store, _) = store_of_many_files();
    call(&["store", "archive", &store]).json();
    let file = Path::new(&store).join("events/0000000001.jsonl.zst");
    let mut packed = std::fs::read(&file).unwrap();
    packed[100] ^= 1;
    std::fs::write(&file, packed).unwrap();
    call(&["store", "verify", &store]).assert_failed(5, &["0000000001.jsonl.zst:"]);
    call(&["store", "read", &store]).assert_failed(5, &["0000000001.jsonl.zst:"]);
    let rest = positions(&call(&["store", "read", &store, "--skip-damaged"]));
    assert!(rest.len() < 60 && rest.last() == Some(&60), "{rest:?}");
    append(&store, br#"{"type":"Sold"}"#).assert_failed(5, &["backup"]);
    call(&["store", "archive", &store]).assert_failed(5, &["0000000001.jsonl.zst:"]);
    call(&["store", "reindex", &store]).assert_failed(5, &["0000000001.jsonl.zst:"]);
    call(&["store", "archive", "/no/such/folder"]).assert_failed(2, &["not a store"]);
}

#[test]
fn index_files_that_are_gone_or_garbage_are_made_anew() {
    let (_dir, store, all) = store_of_many_files();
    let indices = Path::new(&store).join("indices");
    let files = || -> Vec<(PathBuf, Vec<u8>)> {
        let paths = std::fs::read_dir(&indices).unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<_> =
            paths.map(|path| (path.clone(), std::fs::read(path).unwrap())).collect();
        files.sort();
        files
    };
    call(&["store", "reindex", &store]).json();
    let sound = files();
    assert!(sound.len() > 2, "{sound:?}");
    std::fs::remove_file(&sound[0].0).unwrap();
    std::fs::write(&sound[1].0, "garbage").unwrap();
    assert_eq!(call(&["store", "read", &store]).out, all, "reads do not need them");
    let made = call(&["store", "reindex", &store]).json();
    assert_eq!(made["head"], 60, "{made}");
    assert_eq!(files(), sound);
    call(&["store", "reindex", "/no/such/folder"]).assert_failed(2, &["not a store"]);
}

#[test]
fn tags_are_added_to_past_events_from_their_data() {
    let (_dir, store) = small_store();
    let sold = br#"{"type":"Sold","data":{"customer":{"id":"c 7"},"n":3,"list":[1]}}
{"type":"Sold","data":{"customer":{"id":""},"n":4}}"#;
    append(&store, sold).json();
    let add =
        |tags: &[&str]| call(&[&["store", "add-tags", &store, "--type", "Sold"], tags].concat());
    let tags = ["--tag", "customer=/customer/id", "--tag", "n=/n", "--tag", "list=/list"];
    assert_eq!(add(&tags).json(), json!({"events": 4, "tags": 3, "position": 6}));
    assert_eq!(add(&tags).json(), json!({"events": 4, "tags": 0, "position": null}));
    let found = |tag: &str| {
        let query = format!(r#"{{"items":[{{"tags":["{tag}"]}}]}}"#);
        positions(&call(&["store", "read", &store, "--query", &query]))
    };
    assert_eq!((found("customer:c 7"), found("n:4")), (vec![4], vec![5]));
    assert_eq!(positions(&call(&["store", "read", &store])), [1, 2, 3, 4, 5]);
    assert_eq!(append(&store, br#"{"type":"A"}"#).json()["first"], 7);
    assert_eq!(call(&["store", "verify", &store]).json()["damage"], json!([]));

    add(&["--tag", "a b=/n"]).assert_failed(2, &["bad key"]);
    add(&["--tag", "n"]).assert_failed(2, &["key=/json/pointer"]);
    add(&["--tag", "n=n"]).assert_failed(2, &["slash"]);
    append(&store, br#"{"type":"$TagsAdded"}"#).assert_failed(2, &["$TagsAdded"]);
}

#[test]
fn a_store_goes_to_opossum_and_comes_back() {
    let (dir, store) = small_store();
    let path = |name: &str| text(&dir.path().join(name)).to_owned();
    let [out, net, back] = ["out", "net", "back"].map(path);
    assert_eq!(call(&["store", "export", &store, &out]).json(), json!({"events": 3}));
    call(&["store", "export", &store, &out]).assert_failed(2, &["empty"]);
    let within = format!("{store}/events/out");
    call(&["store", "export", &store, &within]).assert_failed(2, &["lies within"]);
    call(&["store", "export", &store, &net, "--layout", "dotnet", "--flush", "off"]).json();
    assert!(Path::new(&out).join("events/000000003.json").exists());
    assert!(Path::new(&net).join("events/0000000003.json").exists());
    assert_eq!(call(&["store", "import", &out, &back]).json()["head"], 3);
    let lines = |store: &str| call(&["store", "read", store]).out;
    assert_eq!(lines(&back), lines(&store));

    std::fs::remove_file(Path::new(&out).join("events/000000002.json")).unwrap();
    let again = path("again");
    let refused = call(&["store", "import", &out, &again]);
    refused.assert_failed(5, &["000000002.json: it is missing", "--skip-damaged"]);
    assert!(!Path::new(&again).exists());
    let skipped = call(&["store", "import", &out, &again, "--skip-damaged"]);
    assert_eq!(skipped.json()["skipped"].as_array().unwrap().len(), 1);
    assert!(skipped.err.contains("000000002.json"), "{skipped:?}");
    assert_eq!(positions(&call(&["store", "read", &again])), [1, 2]);
    call(&["store", "import", text(dir.path()), &path("none")]).assert_failed(2, &["Opossum"]);
}

/// A small file system of its own, if this user may mount one.
struct SmallDisk(TempDir);

impl SmallDisk {
    fn mount(bytes: usize) -> Option<Self> {
        let dir = folder();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={bytes}"), "tmpfs", text(dir.path())])
            .status();
        mounted.is_ok_and(|status| status.success()).then(|| Self(dir))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn remount(&self, how: &str) {
        let options = format!("remount,{how}");
        assert!(
            Command::new("mount")
                .args(["-o", &options, text(self.0.path())])
                .status()
                .unwrap()
                .success()
        );
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_is_status_6_and_loses_nothing() {
    let Some(disk) = SmallDisk::mount(3 * 1024 * 1024) else {
        return eprintln!("skipped: only root may mount a small disk");
    };
    let path = disk.path("store");
    let store = text(&path);
    call(&["store", "create", store]);
    let event = format!(r#"{{"type":"A","data":"{}"}}"#, "x".repeat(400_000));
    let mut appended = 0;
    let full = loop {
        match append(store, event.as_bytes()) {
            done if done.status == 0 => appended += 1,
            failed => break failed,
        }
    };
    full.assert_failed(6, &["free some space and do it again"]);
    assert!(appended >= 2);
    assert_eq!(positions(&call(&["store", "read", store])).len(), appended);
    assert_eq!(call(&["store", "verify", store]).json()["head"], appended);
    disk.remount("size=20m");
    assert_eq!(
        append(store, event.as_bytes()).json()["first"],
        appended + 1,
        "with room it goes on"
    );
}

#[test]
fn a_read_only_folder_is_read_but_not_written() {
    let Some(disk) = SmallDisk::mount(4 * 1024 * 1024) else {
        return eprintln!("skipped: only root may mount a small disk");
    };
    let path = disk.path("store");
    let store = text(&path);
    call(&["store", "create", store]);
    append(store, br#"{"type":"A"}"#).json();
    std::fs::remove_file(path.join("store.lock")).unwrap();
    disk.remount("ro");
    assert_eq!(positions(&call(&["store", "read", store])), [1]);
    assert_eq!(call(&["store", "verify", store]).json()["events"], 1);
    append(store, br#"{"type":"A"}"#).assert_failed(6, &["write"]);
    let other = disk.path("other");
    call(&["store", "create", text(&other)]).assert_failed(6, &["other"]);
    disk.remount("rw");
    assert_eq!(append(store, br#"{"type":"A"}"#).json()["first"], 2);
}

#[test]
fn closing_the_output_early_is_no_error() {
    let (_dir, store) = small_store();
    let head = format!("{} store read {store} | head -n 1", tests::opossum().display());
    let read = Command::new("bash").args(["-o", "pipefail", "-c", &head]).output().unwrap();
    assert!(read.status.success() && read.stderr.is_empty(), "{read:?}");
}
