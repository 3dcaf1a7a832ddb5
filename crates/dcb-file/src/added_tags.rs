//! Tags that were added to past events: what the lines of the type [`TAGS_ADDED`] say.
//!
//! Such a line stands in the log like any other and is found like any other, but it is no event:
//! reads leave it out and show the events that it speaks of with the tags that it adds.

use std::collections::{BTreeMap, HashMap};

use dcb::{Event, InvalidEvent, Query, TAGS_ADDED, Tag};
use serde::{Deserialize, Serialize};

/// About how much text of tags one line holds, in bytes.
const LINE_BYTES: usize = 64 * 1024;

/// The data of a line. `docs/format.md` is its specification.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LineData {
    /// Of the events that get the tags.
    event_type: String,
    /// How many commits have added tags, with this one.
    epoch: u64,
    /// The position of the last line of the commit before that did, or 0.
    previous: u64,
    /// The position of each event, and what is added to it.
    tags: Vec<(u64, Vec<Tag>)>,
}

/// The lines of a commit that adds tags to events of a type, behind what was added before.
pub(crate) fn lines(
    event_type: &str,
    before: &AddedTags,
    tags: &[(u64, Vec<Tag>)],
) -> Result<Vec<Event>, InvalidEvent> {
    let mut lines = Vec::new();
    let mut tags = tags.iter().peekable();
    while tags.peek().is_some() {
        let mut bytes = 0;
        let mut of_line = Vec::new();
        while let Some(entry) = tags.next_if(|_| bytes < LINE_BYTES) {
            bytes += entry.1.iter().map(|tag| tag.as_str().len() + 3).sum::<usize>() + 10;
            of_line.push(entry.clone());
        }
        let data = LineData {
            event_type: event_type.into(),
            epoch: before.epoch() + 1,
            previous: before.position(),
            tags: of_line,
        };
        lines.push(Event::builder(TAGS_ADDED).data(&data).build()?);
    }
    Ok(lines)
}

/// All tags that were added, of one store.
#[derive(Clone, Debug, Default)]
pub(crate) struct AddedTags {
    lines: Vec<Line>,
    events: BTreeMap<u64, Tagged>,
    /// The positions of the events that a tag was added to, in their order.
    positions: HashMap<Tag, Vec<u64>>,
}

#[derive(Clone, Debug)]
struct Line {
    position: u64,
    epoch: u64,
    /// Which events it adds to, and how many tags.
    added: Vec<(u64, usize)>,
}

/// An event that got tags.
#[derive(Clone, Debug)]
struct Tagged {
    event_type: Box<str>,
    tags: Vec<Tag>,
}

/// Where a line says that the lines before it are.
pub(crate) fn previous_of(data: &str) -> u64 {
    serde_json::from_str::<LineData>(data).map_or(0, |data| data.previous)
}

impl AddedTags {
    /// Takes in the line at a position. Lines come in order.
    pub(crate) fn push(&mut self, position: u64, data: &str) {
        // It was written by `lines` and its checksum is right; anything else adds nothing.
        let Ok(LineData { event_type, epoch, tags, .. }) = serde_json::from_str(data) else {
            return;
        };
        let mut line = Line { position, epoch, added: Vec::with_capacity(tags.len()) };
        for (event, tags) in tags {
            line.added.push((event, tags.len()));
            for tag in &tags {
                let positions = self.positions.entry(tag.clone()).or_default();
                let at = positions.partition_point(|other| *other < event);
                if positions.get(at) != Some(&event) {
                    positions.insert(at, event);
                }
            }
            let new = || Tagged { event_type: event_type.as_str().into(), tags: Vec::new() };
            self.events.entry(event).or_insert_with(new).tags.extend(tags);
        }
        self.lines.push(line);
    }

    /// Forgets the lines above a position.
    pub(crate) fn truncate_above(&mut self, position: u64) {
        while let Some(line) = self.lines.pop_if(|line| line.position > position) {
            for (event, count) in line.added {
                let Some(tagged) = self.events.get_mut(&event) else { continue };
                for tag in tagged.tags.drain(tagged.tags.len().saturating_sub(count)..) {
                    if let Some(positions) = self.positions.get_mut(&tag) {
                        positions.retain(|other| *other != event);
                    }
                }
            }
        }
    }

    /// Whether no tags were ever added.
    pub(crate) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// How many commits have added tags.
    pub(crate) fn epoch(&self) -> u64 {
        self.lines.last().map_or(0, |line| line.epoch)
    }

    /// The position of the last line that added tags, or 0.
    pub(crate) fn position(&self) -> u64 {
        self.lines.last().map_or(0, |line| line.position)
    }

    /// The position of the last line that added tags, up to a head.
    pub(crate) fn position_up_to(&self, head: u64) -> u64 {
        let count = self.lines.partition_point(|line| line.position <= head);
        let last = count.checked_sub(1).and_then(|last| self.lines.get(last));
        last.map_or(0, |line| line.position)
    }

    /// The positions of the lines that added tags between two, both included.
    pub(crate) fn lines_between(&self, low: u64, high: u64) -> impl Iterator<Item = u64> {
        let start = self.lines.partition_point(|line| line.position < low);
        let lines = self.lines.iter().skip(start).map(|line| line.position);
        lines.take_while(move |position| *position <= high)
    }

    /// Whether a line that added tags stands at a position.
    pub(crate) fn is_line(&self, position: u64) -> bool {
        self.lines.binary_search_by_key(&position, |line| line.position).is_ok()
    }

    /// What was added to the event at a position.
    pub(crate) fn of(&self, position: u64) -> &[Tag] {
        self.events.get(&position).map_or(&[], |tagged| &tagged.tags)
    }

    /// The positions between two, both included, of events that match a query by an added tag; in
    /// order. `has_own` tells whether an event had a tag from the start.
    pub(crate) fn matches(
        &self,
        query: &Query,
        (low, high): (u64, u64),
        has_own: impl Fn(u64, &Tag) -> bool,
    ) -> Vec<u64> {
        let mut found = Vec::new();
        for item in query.items().unwrap_or_default() {
            for added in item.tags() {
                let positions = self.positions.get(added).map_or(&[][..], Vec::as_slice);
                let start = positions.partition_point(|position| *position < low);
                let inside = positions.iter().skip(start).take_while(|position| **position <= high);
                found.extend(inside.filter(|position| {
                    let Some(tagged) = self.events.get(*position) else { return false };
                    let types = item.types();
                    (types.is_empty() || types.iter().any(|name| **name == *tagged.event_type))
                        && item
                            .tags()
                            .iter()
                            .all(|tag| tagged.tags.contains(tag) || has_own(**position, tag))
                }));
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(text: &str) -> Tag {
        text.parse().unwrap()
    }

    fn added() -> AddedTags {
        let mut added = AddedTags::default();
        let first = vec![(2, vec![tag("a:1"), tag("b:1")]), (5, vec![tag("a:1")])];
        added.push(7, lines("Sold", &added, &first).unwrap()[0].data.as_str());
        let second = vec![(1, vec![tag("a:1")]), (3, vec![tag("c:1")])];
        added.push(9, lines("Opened", &added, &second).unwrap()[0].data.as_str());
        added
    }

    fn found(added: &AddedTags, query: &Query) -> Vec<u64> {
        added.matches(query, (0, 100), |_, own| own.key() == "own")
    }

    #[test]
    fn events_are_found_by_added_tags_together_with_their_own() {
        let added = added();
        let query = |types: &[&str], tags: &[&str]| -> Query {
            let tags = tags.iter().map(|text| tag(text));
            dcb::QueryItem::new(types.to_vec(), tags).unwrap().into()
        };
        assert_eq!(found(&added, &query(&[], &["a:1"])), [1, 2, 5]);
        assert_eq!(found(&added, &query(&["Sold"], &["a:1"])), [2, 5]);
        assert_eq!(found(&added, &query(&[], &["a:1", "b:1"])), [2]);
        assert_eq!(found(&added, &query(&[], &["own:1", "c:1"])), [3]);
        assert!(found(&added, &query(&[], &["own:1"])).is_empty(), "the index finds those");
        assert!(found(&added, &Query::all()).is_empty());
        assert_eq!(added.matches(&query(&[], &["a:1"]), (2, 4), |_, _| false), [2]);
    }

    #[test]
    fn lines_that_are_taken_back_leave_nothing() {
        let mut taken_back = added();
        assert_eq!((taken_back.epoch(), taken_back.position()), (2, 9));
        assert_eq!((taken_back.position_up_to(8), taken_back.is_line(8)), (7, false));
        taken_back.truncate_above(8);
        assert_eq!((taken_back.epoch(), taken_back.position()), (1, 7));
        assert_eq!(found(&taken_back, &Query::tags([tag("a:1")]).unwrap()), [2, 5]);
        assert!(taken_back.of(3).is_empty());
        assert_eq!(taken_back.of(2), [tag("a:1"), tag("b:1")]);
        taken_back.truncate_above(0);
        assert!(taken_back.is_empty() && taken_back.position_up_to(100) == 0);
    }

    #[test]
    fn many_tags_go_into_several_lines() {
        let many: Vec<(u64, Vec<Tag>)> =
            (1..=20_000).map(|n| (n, vec![tag(&format!("number:{n}"))])).collect();
        let lines = lines("Sold", &AddedTags::default(), &many).unwrap();
        assert!(lines.len() > 3 && lines.iter().all(|line| line.data.as_str().len() < 200_000));
        let mut added = AddedTags::default();
        for (position, line) in (20_001..).zip(&lines) {
            added.push(position, line.data.as_str());
        }
        assert_eq!((added.epoch(), added.position()), (1, 20_000 + lines.len() as u64));
        assert_eq!(added.of(20_000), [tag("number:20000")]);
    }
}
