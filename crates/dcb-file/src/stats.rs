//! What a store holds, in numbers.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use dcb::{EventStore, Query, ReadOptions, StoreError};
use serde::Serialize;
use uuid::Uuid;

use crate::archive::{EXTENSION, segment_of};
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
    /// How many of these are archived.
    pub archived: u64,
    /// How many of them an index file knows whole; the others are indexed in memory.
    pub indexed: u64,
    /// How large the event files are together, in bytes, with the room made ahead in the last one.
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
        let Files { segments, archived, bytes } = self.files()?;
        let mut stats = Stats {
            store_id: self.store_id(),
            events: 0,
            head: end.head,
            hash: end.hash.as_str().into(),
            segments,
            archived,
            indexed: self.indexed_segments(),
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

    fn files(&self) -> Result<Files, StoreError> {
        let (disk, events) = (self.disk(), paths(self.dir()).3);
        let names = disk.list(&events).map_err(|error| io_error("listing", &events, error))?;
        let mut files = Files::default();
        for name in names.iter().filter(|name| segment_of(name).is_some()) {
            let path = events.join(name);
            let size = disk.open(&path, Access::Read).and_then(|file| file.size());
            files.bytes += size.map_err(|error| io_error("reading", &path, error))?;
            files.segments += 1;
            files.archived += u64::from(name.ends_with(EXTENSION));
        }
        Ok(files)
    }
}

/// The event files as they lie there.
#[derive(Debug, Default)]
struct Files {
    segments: u64,
    archived: u64,
    bytes: u64,
}

#[cfg(test)]
mod tests {
    use dcb::Event;

    use super::*;
    use crate::Options;

    #[test]
    fn stats_count_what_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let options = Options { segment_bytes: 1_000, ..Options::default() };
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
        assert_eq!((stats.archived, stats.indexed), (0, stats.segments - 1));
        let types: Vec<(&str, u64)> = stats.types.iter().map(|(t, n)| (t.as_str(), *n)).collect();
        assert_eq!(types, [("Opened", 5), ("Sold", 15)]);
        let report = crate::verify(dir.path(), std::sync::Arc::new(crate::SystemDisk)).unwrap();
        assert_eq!((&report.hash, report.segments as u64), (&stats.hash, stats.segments));
        crate::archive(dir.path(), &Options::default()).unwrap();
        let packed = store.stats().unwrap();
        assert_eq!((packed.archived, packed.segments), (stats.segments - 1, stats.segments));
        assert!(packed.bytes < stats.bytes && packed.types == stats.types, "{packed:?}");
    }
}
