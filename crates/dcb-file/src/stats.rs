//! What a store holds, in numbers.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use dcb::{EventStore, Query, ReadOptions, StoreError};
use serde::Serialize;
use uuid::Uuid;

use crate::disk::Access;
use crate::meta::io_error;
use crate::store::{FileStore, paths};

/// What [`FileStore::stats`] found.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stats {
    /// The store's id.
    pub store_id: Uuid,
    /// How many events there are.
    pub events: u64,
    /// The position of the last event.
    pub head: u64,
    /// The hash of the last commit: it stands for all of history before it.
    pub hash: String,
    /// How many event files there are.
    pub segments: u64,
    /// How large they are together, in bytes, with the room made ahead in the last one.
    pub bytes: u64,
    /// When the first event was recorded.
    pub first_time: Option<DateTime<Utc>>,
    /// When the last event was recorded.
    pub last_time: Option<DateTime<Utc>>,
    /// How many events of each type there are.
    pub types: BTreeMap<String, u64>,
}

impl FileStore {
    /// Counts what is in the store; every event is looked at.
    ///
    /// [`StoreError::Damaged`] if it is damaged: then [`crate::verify`] tells what can be told.
    pub fn stats(&self) -> Result<Stats, StoreError> {
        let end = self.end()?;
        let (segments, bytes) = self.size_on_disk()?;
        let mut stats = Stats {
            store_id: self.store_id(),
            events: 0,
            head: end.head,
            hash: end.hash.as_str().into(),
            segments,
            bytes,
            first_time: self.time_of(ReadOptions::default())?,
            last_time: self.time_of(ReadOptions::backwards())?,
            types: BTreeMap::new(),
        };
        let mut events = self.read(&Query::all(), ReadOptions::default())?;
        while let Some(event) = events.next_ref()?.filter(|event| event.position <= end.head) {
            stats.events += 1;
            match stats.types.get_mut(event.event_type) {
                Some(count) => *count += 1,
                None => drop(stats.types.insert(event.event_type.into(), 1)),
            }
        }
        Ok(stats)
    }

    fn time_of(&self, options: ReadOptions) -> Result<Option<DateTime<Utc>>, StoreError> {
        let event = self.read(&Query::all(), options.limit(1))?.next().transpose()?;
        Ok(event.and_then(|event| event.event.metadata.timestamp))
    }

    /// How many event files there are, and how large they are together.
    fn size_on_disk(&self) -> Result<(u64, u64), StoreError> {
        let (disk, events) = (self.disk(), paths(self.dir()).3);
        let names = disk.list(&events).map_err(|error| io_error("listing", &events, error))?;
        let (mut files, mut bytes) = (0, 0);
        for name in names.iter().filter(|name| name.starts_with(|char: char| char.is_ascii_digit()))
        {
            let path = events.join(name);
            let size = disk.open(&path, Access::Read).and_then(|file| file.size());
            bytes += size.map_err(|error| io_error("reading", &path, error))?;
            files += 1;
        }
        Ok((files, bytes))
    }
}

#[cfg(test)]
mod tests {
    use dcb::Event;

    use super::*;
    use crate::Options;

    #[test]
    fn stats_count_what_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let options = Options { segment_bytes: 2_000, ..Options::default() };
        let store = FileStore::create(dir.path(), options).unwrap();
        let empty = store.stats().unwrap();
        assert_eq!((empty.events, empty.bytes, empty.first_time), (0, 0, None));
        for number in 0..20 {
            let event_type = if number % 4 == 0 { "Opened" } else { "Sold" };
            store.append(&[Event::builder(event_type).build().unwrap()], None).unwrap();
        }
        let stats = store.stats().unwrap();
        assert_eq!((stats.events, stats.head), (20, 20));
        assert!(stats.segments > 3 && stats.bytes > 20 * 200, "{stats:?}");
        assert!(stats.first_time < stats.last_time);
        let types: Vec<(&str, u64)> = stats.types.iter().map(|(t, n)| (t.as_str(), *n)).collect();
        assert_eq!(types, [("Opened", 5), ("Sold", 15)]);
        let report = crate::verify(dir.path(), std::sync::Arc::new(crate::SystemDisk)).unwrap();
        assert_eq!((report.hash, report.segments as u64), (stats.hash, stats.segments));
    }
}
