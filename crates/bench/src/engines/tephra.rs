//! Tephra with its own defaults and segments of 256 MiB, as its documentation shows it.

use std::path::Path;

use tephra::{
    AppendCondition, Event, EventType, Position, Query, QueryItem, SegmentConfig, SegmentSet, Tag,
    Tags, WriteCoordinator, WriteHandle, WriterConfig,
};

use crate::engine::{Condition, Criteria, Draft, Engine, Extent, Result, Tally};

const SEGMENT_BYTES: usize = 256 << 20;

struct Tephra {
    handle: WriteHandle,
    /// Ends the writer thread when it is dropped.
    _coordinator: WriteCoordinator,
}

pub(crate) fn open(dir: &Path) -> Result<Box<dyn Engine>> {
    std::fs::create_dir_all(dir)?;
    let segments = SegmentSet::open(dir, SegmentConfig::new(SEGMENT_BYTES))?;
    let (coordinator, handle) = WriteCoordinator::start(segments, WriterConfig::default())?;
    Ok(Box::new(Tephra { handle, _coordinator: coordinator }))
}

impl Engine for Tephra {
    fn append(&self, drafts: &[Draft], condition: Option<Condition<'_>>) -> Result<u64> {
        let events = drafts.iter().map(event).collect::<Result<Vec<_>>>()?;
        let condition = match condition {
            None => None,
            Some(Condition { fail_if, after }) => {
                Some(AppendCondition::new(query(fail_if)?).after(Position::new(after)))
            }
        };
        Ok(self.handle.append(events, condition)?.last.get())
    }

    fn read(&self, criteria: Criteria<'_>, extent: Extent, tally: &mut Tally) -> Result<u64> {
        let query = query(criteria)?;
        let mut events = match extent {
            Extent::Every => self.handle.read(&query, Position::ZERO, None),
            Extent::Last => self.handle.read_back(&query, Position::MAX, Some(1)),
        };
        while let Some(sequenced) = events.next() {
            let sequenced = sequenced?;
            let event = sequenced.event;
            tally.add(sequenced.position.get(), event.event_type(), event.tags(), event.data());
        }
        Ok(events.watermark().get())
    }
}

fn event(draft: &Draft) -> Result<Event> {
    let tags = draft.tags.iter().map(|tag| Tag::new(tag.as_str()));
    let tags = Tags::new(tags.collect::<std::result::Result<Vec<_>, _>>()?)?;
    Ok(Event::new(&EventType::new(draft.event_type)?, &tags, draft.data.as_bytes())?)
}

fn query(criteria: Criteria<'_>) -> Result<Query> {
    let (event_type, tag) = criteria.parts();
    if event_type.is_none() && tag.is_none() {
        return Ok(Query::all());
    }
    let types = event_type.map(EventType::new).transpose()?.into_iter().collect();
    let tags = Tags::new(tag.map(Tag::new).transpose()?)?;
    Ok(Query::item(QueryItem::new(types, tags)))
}
