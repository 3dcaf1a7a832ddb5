//! To Opossum and back, and from Opossum and back, nothing is lost.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail by panicking")]

use std::path::{Path, PathBuf};

use dcb::{Event, EventStore, Maintenance, Query, ReadOptions, SequencedEvent};
use dcb_file::opossum::{ImportError, Layout, export, import};
use dcb_file::{FileStore, Options};
use serde_json::{Value, json};
use tempfile::TempDir;

fn all(store: &FileStore) -> Vec<SequencedEvent> {
    store.read(&Query::all(), ReadOptions::default()).unwrap().map(Result::unwrap).collect()
}

fn options() -> Options {
    Options { segment_bytes: 4_000, ..Options::default() }
}

fn json_of(path: &Path) -> Value {
    let text = std::fs::read_to_string(path);
    let text = text.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Events that are awkward in one way or another.
fn awkward() -> Vec<Event> {
    let build = |builder: dcb::EventBuilder| builder.build().unwrap();
    vec![
        build(
            Event::builder("ItemAdded")
                .tag("item", "1")
                .tag("item", "2")
                .data_text(
                    r#"{ "price": 1.50,  "id":12345678901234567890123, "é":"\u00e9 \n", "é":[ ]}"#,
                )
                .correlation_id("c")
                .causation_id("b")
                .operation_id("o")
                .user_id("u")
                .metadata("till", 7)
                .metadata("nested", json!({"z": [1, null], "a": {}})),
        ),
        build(Event::builder("a/b \"c\" ..").tag("x--a-2d", "=b").tag("k", "a/b:c\\ %0a")),
        build(Event::builder("Text").data("only a text")),
        build(Event::builder("Nothing").data_text("null").metadata("opossum", "mine")),
        build(Event::builder("Wide").tag("k", "v".repeat(400)).data_text("{\"a\":\n[1,\n2]}")),
    ]
}

#[test]
fn from_here_to_opossum_and_back_nothing_changes() {
    for layout in [Layout::Js, Layout::DotNet] {
        let dir = tempfile::tempdir().unwrap();
        let [shop, out, back] = ["shop", "out", "back"].map(|name| dir.path().join(name));
        let store = FileStore::create(&shop, options()).unwrap();
        for _ in 0..20 {
            store.append(&awkward(), None).unwrap();
        }
        assert_eq!(export(&shop, &out, layout, false, &options()).unwrap().events, 100);
        let imported = import(&out, &back, false, &options()).unwrap();
        assert_eq!((imported.report.head, imported.skipped.len()), (100, 0));
        let copy = FileStore::open(&back, options()).unwrap();
        assert_eq!(all(&copy), all(&store), "{layout:?}");
        assert_ne!(copy.store_id(), store.store_id());
        assert_eq!(copy.append(&awkward(), None).unwrap()[0], 101);
    }
}

#[test]
fn added_tags_go_to_opossum_and_the_commits_that_added_them_do_not() {
    let dir = tempfile::tempdir().unwrap();
    let [shop, out, back] = ["shop", "out", "back"].map(|name| dir.path().join(name));
    let store = FileStore::create(&shop, options()).unwrap();
    store.append(&awkward(), None).unwrap();
    store.add_tags("ItemAdded", &mut |_| vec!["added:1".parse().unwrap()]).unwrap();
    assert_eq!(store.append(&awkward(), None).unwrap()[0], 7);
    assert_eq!(export(&shop, &out, Layout::Js, false, &options()).unwrap().events, 10);
    assert_eq!(json_of(&out.join("indices/tags/added_1.json"))["positions"], json!([1]));
    import(&out, &back, false, &options()).unwrap();
    let (theirs, ours) = (all(&FileStore::open(&back, options()).unwrap()), all(&store));
    let events = |events: Vec<SequencedEvent>| events.into_iter().map(|event| event.event);
    assert!(theirs.iter().map(|event| event.position).eq(1..=10));
    assert!(events(theirs).eq(events(ours)));
}

/// A folder as opossum-js documents it, laid out as `JSON.stringify(event, null, 2)` does.
fn js_folder() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let src = dir.path().join("my-store");
    std::fs::create_dir_all(src.join("events")).unwrap();
    let events = [
        json!({
            "event": {
                "eventType": "ItemAdded",
                "event": {"itemId": "item-1", "name": "Widget", "price": 9.99},
                "tags": [{"key": "itemId", "value": "item-1"}, {"key": "item id", "value": ""}],
            },
            "position": 1,
            "metadata": {"timestamp": "2024-03-01T10:00:00.123Z", "correlationId": "req-abc"},
        }),
        json!({
            "event": {"eventType": "ItemAdded", "event": {}, "tags": []},
            "position": 2,
            "metadata": {"timestamp": "2024-03-01T10:00:01+02:00", "userId": 7, "source": {"a": [1]}},
        }),
        json!({
            "event": {"eventType": "ItemRemoved", "event": {"deep": {"er": [{}]}}, "tags": [], "v": 2},
            "position": 3,
            "metadata": {},
            "checksum": "abc",
        }),
    ];
    for (event, position) in events.iter().zip(1..) {
        let text = serde_json::to_string_pretty(event).unwrap();
        std::fs::write(src.join(format!("events/{position:09}.json")), text).unwrap();
    }
    std::fs::write(src.join("ledger.json"), r#"{"lastSequencePosition":3}"#).unwrap();
    (dir, src)
}

#[test]
fn from_opossum_js_to_here_and_back_nothing_changes() {
    let (dir, src) = js_folder();
    let [shop, out] = ["shop", "out"].map(|name| dir.path().join(name));
    import(&src, &shop, false, &options()).unwrap();
    let store = FileStore::open(&shop, options()).unwrap();
    let events = all(&store);
    let first = &events[0].event;
    assert_eq!(first.data.as_str(), r#"{"itemId":"item-1","name":"Widget","price":9.99}"#);
    assert_eq!(first.metadata.correlation_id.as_deref(), Some("req-abc"));
    let time = |number: usize| events[number].event.metadata.timestamp.unwrap().to_rfc3339();
    assert_eq!(time(0), "2024-03-01T10:00:00.123+00:00");
    assert_eq!(time(1), time(0), "a time that goes back is raised");
    assert_eq!(time(2), time(0), "and one that is not known is that of the event before");
    let tag: dcb::Tag = "itemId:item-1".parse().unwrap();
    assert_eq!(store.count(&Query::tags([tag]).unwrap()).unwrap(), 1);

    export(&shop, &out, Layout::Js, false, &options()).unwrap();
    for position in 1..=3 {
        let file = format!("events/{position:09}.json");
        assert_eq!(json_of(&out.join(&file)), json_of(&src.join(&file)));
    }
    assert_eq!(json_of(&out.join("ledger.json"))["lastSequencePosition"], 3);
}

/// A file as Opossum for .NET writes it.
const DOT_NET: &str = r#"{
  "event": {
    "eventType": "StudentRegisteredEvent",
    "event": {
      "$type": "Courses.StudentRegisteredEvent, Courses, Version=1.0.0.0, Culture=neutral, PublicKeyToken=null",
      "studentId": "7b0c8a4e-0000-4000-8000-000000000001",
      "fee": 12.50,
      "name": "Zo\u00EB"
    },
    "tags": [
      {
        "key": "studentId",
        "value": "7b0c8a4e-0000-4000-8000-000000000001"
      },
      {
        "key": "no value"
      }
    ]
  },
  "position": 1,
  "metadata": {
    "timestamp": "2024-01-15T10:30:00.1234567+01:00",
    "correlationId": "7b0c8a4e-0000-4000-8000-000000000002"
  }
}"#;

#[test]
fn from_opossum_for_dot_net_to_here_and_back_nothing_changes() {
    for newline in ["\n", "\r\n"] {
        let dir = tempfile::tempdir().unwrap();
        let [src, shop, out] = ["src", "shop", "out"].map(|name| dir.path().join(name));
        std::fs::create_dir_all(src.join("Events")).unwrap();
        let text = format!("\u{feff}{}", DOT_NET.replace('\n', newline));
        std::fs::write(src.join("Events/0000000001.json"), text).unwrap();
        std::fs::write(src.join("Events/0000000002.json.tmp.5f"), "{").unwrap();
        std::fs::write(src.join(".ledger"), r#"{"LastSequencePosition": 1, "EventCount": 1}"#)
            .unwrap();
        import(&src, &shop, false, &options()).unwrap();
        let data = all(&FileStore::open(&shop, options()).unwrap())[0].event.data.clone();
        assert!(data.as_str().contains(r#""fee":12.50,"name":"Zo\u00EB""#), "{data:?}");

        export(&shop, &out, Layout::DotNet, false, &options()).unwrap();
        let file = out.join("events/0000000001.json");
        assert_eq!(json_of(&file), serde_json::from_str::<Value>(DOT_NET).unwrap());
        assert!(
            std::fs::read_to_string(file).unwrap().contains(r#""fee":12.50,"name":"Zo\u00EB""#)
        );
        let ledger = json_of(&out.join(".ledger"));
        assert_eq!(ledger, json!({"LastSequencePosition": 1, "EventCount": 1}));
        let index = out.join("Indices/EventType/StudentRegisteredEvent.json");
        assert_eq!(json_of(&index), json!({"Positions": [1]}));
        assert!(out.join("Indices/Tags/no value_null.json").exists());
    }
}

#[test]
fn an_export_has_the_documented_folders_and_indices() {
    let dir = tempfile::tempdir().unwrap();
    let [shop, out] = ["shop", "out"].map(|name| dir.path().join(name));
    let store = FileStore::create(&shop, options()).unwrap();
    store.append(&awkward(), None).unwrap();
    store.append(&awkward(), None).unwrap();
    export(&shop, &out, Layout::Js, false, &options()).unwrap();
    let index = |name: &str| json_of(&out.join("indices").join(name))["positions"].clone();
    assert_eq!(index("event-types/ItemAdded.json"), json!([1, 6]));
    assert_eq!(index("tags/item_1.json"), json!([1, 6]));
    assert_eq!(index("positions/all.json"), json!((1..=10).collect::<Vec<_>>()));
    #[cfg(unix)]
    assert_eq!(index("event-types/a_b \"c\" ...json"), json!([2, 7]));
    let file = json_of(&out.join("events/000000001.json"));
    assert_eq!(file["event"]["eventType"], "ItemAdded");
    assert_eq!(file["event"]["tags"][1], json!({"key": "item", "value": "2"}));
    assert_eq!(file["metadata"]["userId"], "u");
    let text = std::fs::read_to_string(out.join("events/000000001.json")).unwrap();
    assert!(text.contains(r#"{ "price": 1.50,  "id":12345678901234567890123,"#), "{text}");
    assert!(
        export(&shop, &out, Layout::Js, false, &options())
            .unwrap_err()
            .to_string()
            .contains("empty")
    );
}

/// Imports a folder in which something is wrong; the messages about its files, and what is left when
/// those are skipped.
fn bad_files(damage: impl Fn(&Path)) -> (Vec<String>, Vec<String>) {
    let (dir, src) = js_folder();
    let shop = dir.path().join("shop");
    damage(&src);
    let error = import(&src, &shop, false, &options()).unwrap_err();
    let ImportError::BadFiles(bad) = &error else { panic!("{error}") };
    assert!(error.to_string().contains(&bad[0].to_string()), "{error}");
    assert!(
        !shop.exists() && std::fs::read_dir(dir.path()).unwrap().count() == 1,
        "nothing is left"
    );
    let imported = import(&src, &shop, true, &options()).unwrap();
    assert_eq!(&imported.skipped, bad);
    let events = all(&FileStore::open(&shop, options()).unwrap());
    assert_eq!(imported.report.events, events.len() as u64);
    let messages = bad.iter().map(|bad| {
        let file = bad.file.strip_prefix(&src).unwrap();
        format!("{}: {}", file.display(), bad.reason)
    });
    (messages.collect(), events.into_iter().map(|event| event.event.event_type).collect())
}

#[test]
fn a_damaged_folder_is_refused_with_the_names_of_its_bad_files() {
    let write = |src: &Path, name: &str, text: &str| std::fs::write(src.join(name), text).unwrap();
    let remove = |src: &Path, name: &str| std::fs::remove_file(src.join(name)).unwrap();

    let (bad, left) = bad_files(|src| remove(src, "events/000000002.json"));
    assert_eq!(bad, ["events/000000002.json: it is missing"]);
    assert_eq!(left, ["ItemAdded", "ItemRemoved"]);

    let (bad, left) = bad_files(|src| {
        remove(src, "events/000000003.json");
        remove(src, "events/000000001.json");
        write(src, "ledger.json", r#"{"lastSequencePosition":9}"#);
    });
    assert_eq!(bad[0], "events/000000001.json: it is missing");
    assert!(bad[1].contains("000000003.json") && bad[1].contains("000000009.json"), "{bad:?}");
    assert_eq!(left, ["ItemAdded"]);

    // An append that was not finished: its file is there, the ledger does not know it.
    let (bad, left) = bad_files(|src| write(src, "ledger.json", r#"{"lastSequencePosition":2}"#));
    assert!(
        bad[0].starts_with("events/000000003.json") && bad[0].contains("not finished"),
        "{bad:?}"
    );
    assert_eq!(left, ["ItemAdded", "ItemAdded"]);

    for (text, why) in [
        ("", "cannot be read"),
        ("{\"event\":{\"eventType\":\"T\"", "cannot be read"),
        ("{}", "no position"),
        (r#"{"position":3}"#, "position 3"),
        (r#"{"position":2}"#, "no event"),
        (r#"{"position":2,"event":{"event":{}}}"#, "no eventType"),
        (r#"{"position":2,"event":{"eventType":" ","event":{}}}"#, "blank type"),
        (r#"{"position":2,"event":{"eventType":"T"}}"#, "has no event"),
        (r#"{"position":2,"event":{"eventType":"T","event":{},"tags":[1]}}"#, "tags"),
        (r#"{"position":2,"event":{"eventType":"T","event":{}},"metadata":1}"#, "metadata"),
    ] {
        let (bad, left) = bad_files(|src| write(src, "events/000000002.json", text));
        assert_eq!(bad.len(), 1, "{bad:?}");
        assert!(
            bad[0].starts_with("events/000000002.json") && bad[0].contains(why),
            "{why}: {bad:?}"
        );
        assert_eq!(left, ["ItemAdded", "ItemRemoved"]);
    }

    let (bad, _) = bad_files(|src| write(src, "ledger.json", "{"));
    assert!(bad[0].starts_with("ledger.json"), "{bad:?}");
    let (bad, left) = bad_files(|src| write(src, "events/2.json", "{}"));
    assert!(bad[0].contains("same position"), "{bad:?}");
    assert_eq!(left.len(), 3);
}

#[test]
fn what_is_no_folder_of_opossum_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let shop = dir.path().join("shop");
    FileStore::create(&shop, options()).unwrap();
    for (src, why) in
        [(dir.path(), "events"), (&shop, "restore"), (&dir.path().join("no"), "folder")]
    {
        let error = import(src, dir.path().join("out"), true, &options()).unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
    }
    let (_dir, src) = js_folder();
    let error = import(&src, &shop, false, &options()).unwrap_err();
    assert!(error.to_string().contains("empty"), "{error}");
}
