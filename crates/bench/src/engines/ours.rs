//! `dcb-file`, through its public interface.

use std::path::Path;

use dcb::{AppendCondition, Event, EventStore, Query, ReadOptions};
use dcb_file::{FileStore, Options};

use crate::engine::{Condition, Criteria, Draft, Engine, Extent, Result, Tally};

struct Ours(FileStore);

pub(crate) fn open(dir: &Path) -> Result<Box<dyn Engine>> {
    Ok(Box::new(Ours(FileStore::open_or_create(dir, Options::default())?)))
}

impl Engine for Ours {
    fn append(&self, drafts: &[Draft], condition: Option<Condition<'_>>) -> Result<u64> {
        let events = drafts.iter().map(event).collect::<Result<Vec<_>>>()?;
        let condition = match condition {
            None => None,
            Some(Condition { fail_if, after }) => Some(AppendCondition {
                fail_if_events_match: query(fail_if)?,
                after: (after > 0).then_some(after),
            }),
        };
        let positions = self.0.append(&events, condition.as_ref())?;
        Ok(positions.last().copied().unwrap_or_default())
    }

    fn read(&self, criteria: Criteria<'_>, extent: Extent, tally: &mut Tally) -> Result<u64> {
        let options = match extent {
            Extent::Every => ReadOptions::default(),
            Extent::Last => ReadOptions::backwards().limit(1),
        };
        let mut events = self.0.read(&query(criteria)?, options)?;
        while let Some(event) = events.next_ref()? {
            tally.add(event.position, event.event_type, event.tags.iter(), event.data.as_bytes());
        }
        Ok(events.head())
    }
}

fn event(draft: &Draft) -> Result<Event> {
    let mut builder = Event::builder(draft.event_type);
    for tag in &draft.tags {
        let (key, value) = tag.split_once(':').ok_or("a tag without a colon")?;
        builder = builder.tag(key, value);
    }
    Ok(builder.data_text(&draft.data).build()?)
}

fn query(criteria: Criteria<'_>) -> Result<Query> {
    Ok(match criteria {
        Criteria::All => Query::all(),
        Criteria::Type(event_type) => Query::types([event_type])?,
        Criteria::Tag(tag) => Query::tags([tag.parse()?])?,
        Criteria::TypeAndTag(event_type, tag) => Query::tagged([event_type], &tag.parse()?),
    })
}
