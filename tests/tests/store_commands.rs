//! `opossum store` as scripts and people call it: what goes in, what comes out, and what it says when
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
    call(&["store", "read", &store, "--from", "minus"]).assert_failed(2, &["--from"]);
    call(&["store", "read", &nothing]).assert_failed(2, &["not a store"]);
    call(&["store", "verify", "/no/such/folder"]).assert_failed(2, &["not a store"]);
    call(&["store", "create", &store]).assert_failed(2, &["already a store"]);
    call(&["store", "create", &nothing]).assert_failed(2, &["other files"]);
    call(&["shop"]).assert_failed(2, &["shop"]);
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
