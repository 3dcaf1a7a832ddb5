//! redb with immediate durability, its default: an application's table of events and two indexes.

use std::path::Path;

use redb::{Database, Durability, ReadableDatabase, ReadableTable, TableDefinition};

use crate::engine::{Condition, Criteria, Draft, Engine, Extent, Result, Tally};
use crate::engines::rows;

const EVENTS: TableDefinition<u64, &[u8]> = TableDefinition::new("events");
const TAGS: TableDefinition<&[u8], &str> = TableDefinition::new("tags");
const TYPES: TableDefinition<&[u8], ()> = TableDefinition::new("types");

struct Redb(Database);

pub(crate) fn open(dir: &Path) -> Result<Box<dyn Engine>> {
    std::fs::create_dir_all(dir)?;
    let database = Database::create(dir.join("events.redb"))?;
    if database.begin_read()?.list_tables()?.next().is_none() {
        let transaction = database.begin_write()?;
        transaction.open_table(EVENTS)?;
        transaction.open_table(TAGS)?;
        transaction.open_table(TYPES)?;
        transaction.commit()?;
    }
    Ok(Box::new(Redb(database)))
}

impl Engine for Redb {
    fn append(&self, drafts: &[Draft], condition: Option<Condition<'_>>) -> Result<u64> {
        let mut transaction = self.0.begin_write()?;
        transaction.set_durability(Durability::Immediate)?;
        let mut position;
        {
            let mut events = transaction.open_table(EVENTS)?;
            let mut tags = transaction.open_table(TAGS)?;
            let mut types = transaction.open_table(TYPES)?;
            position = last_position(&events)?;
            if let Some(Condition { fail_if, after }) = condition
                && let Some(conflict) = positions(fail_if, &events, &tags, &types, after)?.next()
            {
                return Err(format!("the condition failed at position {}", conflict?).into());
            }
            for draft in drafts {
                position += 1;
                events.insert(position, rows::encode(draft).as_slice())?;
                for tag in &draft.tags {
                    tags.insert(rows::index_key(tag, position).as_slice(), draft.event_type)?;
                }
                types.insert(rows::index_key(draft.event_type, position).as_slice(), ())?;
            }
        }
        transaction.commit()?;
        Ok(position)
    }

    fn read(&self, criteria: Criteria<'_>, extent: Extent, tally: &mut Tally) -> Result<u64> {
        let transaction = self.0.begin_read()?;
        let events = transaction.open_table(EVENTS)?;
        let head = last_position(&events)?;
        if let Criteria::All = criteria {
            let from = match extent {
                Extent::Every => 0,
                Extent::Last => head,
            };
            for entry in events.range(from..)? {
                let (position, bytes) = entry?;
                rows::decode(position.value(), bytes.value(), tally)?;
            }
            return Ok(head);
        }
        let (tags, types) = (transaction.open_table(TAGS)?, transaction.open_table(TYPES)?);
        let mut positions = positions(criteria, &events, &tags, &types, 0)?;
        let mut add = |position: u64| -> Result<()> {
            let bytes = events.get(position)?.ok_or("an index names no event")?;
            rows::decode(position, bytes.value(), tally)
        };
        match extent {
            Extent::Every => positions.try_for_each(|position| add(position?))?,
            Extent::Last => positions.next_back().into_iter().try_for_each(|last| add(last?))?,
        }
        Ok(head)
    }
}

fn last_position(events: &impl ReadableTable<u64, &'static [u8]>) -> Result<u64> {
    Ok(events.last()?.map_or(0, |(position, _)| position.value()))
}

/// The positions of what matches above a position.
fn positions<'t>(
    criteria: Criteria<'t>,
    events: &'t impl ReadableTable<u64, &'static [u8]>,
    tags: &'t impl ReadableTable<&'static [u8], &'static str>,
    types: &'t impl ReadableTable<&'static [u8], ()>,
    after: u64,
) -> Result<Box<dyn DoubleEndedIterator<Item = Result<u64>> + 't>> {
    Ok(match criteria.parts() {
        (None, None) => Box::new(events.range(after + 1..)?.map(|entry| Ok(entry?.0.value()))),
        (Some(event_type), None) => {
            let (from, to) = rows::index_range(event_type, after).into_inner();
            let entries = types.range(from.as_slice()..=to.as_slice())?;
            Box::new(entries.map(|entry| rows::position_of(entry?.0.value())))
        }
        (event_type, Some(tag)) => {
            let (from, to) = rows::index_range(tag, after).into_inner();
            let entries = tags.range(from.as_slice()..=to.as_slice())?;
            Box::new(entries.filter_map(move |entry| match entry {
                Ok((_, found)) if event_type.is_some_and(|wanted| wanted != found.value()) => None,
                Ok((key, _)) => Some(rows::position_of(key.value())),
                Err(error) => Some(Err(error.into())),
            }))
        }
    })
}
