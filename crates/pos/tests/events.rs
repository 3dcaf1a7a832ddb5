//! Events of every version ever written still load, and say what they said.
//!
//! `fixtures/events-N.jsonl` are events as version N of the shop wrote them, one line for each form
//! that an event had. A file is never changed: a new form comes as a new line of the newest file,
//! or in a new one.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail by panicking")]

use std::collections::BTreeSet;

use dcb::{Event, Json, Tag};
use pos::{Recorded, ShopEvent};
use serde_json::Value;

const FIXTURES: [&str; 2] =
    [include_str!("fixtures/events-1.jsonl"), include_str!("fixtures/events-2.jsonl")];

/// The lines of all fixtures.
fn fixtures() -> impl Iterator<Item = Value> {
    FIXTURES.iter().flat_map(|file| file.lines()).map(|line| serde_json::from_str(line).unwrap())
}

fn event(fixture: &Value) -> Event {
    let tags = fixture["tags"].as_array().unwrap().iter();
    let tags: Vec<Tag> = tags.map(|tag| tag.as_str().unwrap().parse().unwrap()).collect();
    let data = Json::of(&fixture["data"]).unwrap();
    let name = fixture["type"].as_str().unwrap();
    Event { data, ..Event::builder(name).tags(tags).build().unwrap() }
}

#[test]
fn every_event_ever_written_loads_and_says_what_it_said() {
    for fixture in fixtures() {
        let written = event(&fixture);
        let Some(Recorded { when, event, .. }) = Recorded::decode(&written.at(1)) else {
            panic!("{fixture} does not load")
        };
        let today = event.encode(&when);
        assert_eq!(today.event_type, written.event_type);
        assert_eq!(today.tags, written.tags, "{fixture}");
        let data: Value = serde_json::from_str(today.data.as_str()).unwrap();
        assert_eq!(data, fixture["data"], "{fixture}");
    }
}

#[test]
fn there_is_a_fixture_of_every_event() {
    let fixed: BTreeSet<String> =
        fixtures().map(|fixture| fixture["type"].as_str().unwrap().to_owned()).collect();
    let all: BTreeSet<String> = ShopEvent::TYPES.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(fixed, all);
}
