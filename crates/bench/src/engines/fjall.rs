//! fjall with `fdatasync` on every commit. One writer at a time, under a lock of ours, is how its
//! documentation has an application serialize writes without its transactional wrapper.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode, Readable};

use crate::engine::{Condition, Criteria, Draft, Engine, Extent, Result, Tally};
use crate::engines::rows;

const CACHE_BYTES: u64 = 256 << 20;

struct Fjall {
    database: Database,
    events: Keyspace,
    tags: Keyspace,
    types: Keyspace,
    /// The last position.
    writer: Mutex<u64>,
}

pub(crate) fn open(dir: &Path) -> Result<Box<dyn Engine>> {
    let database = Database::builder(dir).cache_size(CACHE_BYTES).open()?;
    let keyspace = |name| database.keyspace(name, KeyspaceCreateOptions::default);
    let (events, tags, types) = (keyspace("events")?, keyspace("tags")?, keyspace("types")?);
    let last = last_position(&database.snapshot(), &events)?;
    Ok(Box::new(Fjall { events, tags, types, database, writer: Mutex::new(last) }))
}

impl Fjall {
    /// The positions of what matches above a position.
    fn positions<'a>(
        &self,
        snapshot: &impl Readable,
        criteria: Criteria<'a>,
        after: u64,
    ) -> Box<dyn DoubleEndedIterator<Item = Result<u64>> + 'a> {
        match criteria.parts() {
            (None, None) => {
                let entries = snapshot.range(&self.events, (after + 1).to_be_bytes()..);
                Box::new(entries.map(|entry| rows::position_of(&entry.key()?)))
            }
            (Some(event_type), None) => {
                let entries = snapshot.range(&self.types, rows::index_range(event_type, after));
                Box::new(entries.map(|entry| rows::position_of(&entry.key()?)))
            }
            (event_type, Some(tag)) => {
                let entries = snapshot.range(&self.tags, rows::index_range(tag, after));
                Box::new(entries.filter_map(move |entry| match entry.into_inner() {
                    Ok((_, found)) if event_type.is_some_and(|t| t.as_bytes() != &*found) => None,
                    Ok((key, _)) => Some(rows::position_of(&key)),
                    Err(error) => Some(Err(error.into())),
                }))
            }
        }
    }
}

impl Engine for Fjall {
    fn append(&self, drafts: &[Draft], condition: Option<Condition<'_>>) -> Result<u64> {
        let mut last = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Condition { fail_if, after }) = condition {
            let snapshot = self.database.snapshot();
            if let Some(conflict) = self.positions(&snapshot, fail_if, after).next() {
                return Err(format!("the condition failed at position {}", conflict?).into());
            }
        }
        let mut batch = self.database.batch().durability(Some(PersistMode::SyncData));
        let mut position = *last;
        for draft in drafts {
            position += 1;
            batch.insert(&self.events, position.to_be_bytes(), rows::encode(draft));
            for tag in &draft.tags {
                batch.insert(&self.tags, rows::index_key(tag, position), draft.event_type);
            }
            batch.insert(&self.types, rows::index_key(draft.event_type, position), "");
        }
        batch.commit()?;
        *last = position;
        Ok(position)
    }

    fn read(&self, criteria: Criteria<'_>, extent: Extent, tally: &mut Tally) -> Result<u64> {
        let snapshot = self.database.snapshot();
        let head = last_position(&snapshot, &self.events)?;
        if let Criteria::All = criteria {
            let from = match extent {
                Extent::Every => 0,
                Extent::Last => head,
            };
            for entry in snapshot.range(&self.events, from.to_be_bytes()..) {
                let (key, bytes) = entry.into_inner()?;
                rows::decode(rows::position_of(&key)?, &bytes, tally)?;
            }
            return Ok(head);
        }
        let mut positions = self.positions(&snapshot, criteria, 0);
        let mut add = |position: u64| -> Result<()> {
            let bytes = snapshot.get(&self.events, position.to_be_bytes())?;
            rows::decode(position, &bytes.ok_or("an index names no event")?, tally)
        };
        match extent {
            Extent::Every => positions.try_for_each(|position| add(position?))?,
            Extent::Last => positions.next_back().into_iter().try_for_each(|last| add(last?))?,
        }
        Ok(head)
    }
}

fn last_position(snapshot: &impl Readable, events: &Keyspace) -> Result<u64> {
    match snapshot.last_key_value(events) {
        Some(entry) => rows::position_of(&entry.key()?),
        None => Ok(0),
    }
}
