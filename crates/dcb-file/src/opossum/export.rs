//! Writing a store's events as Opossum keeps them.

use std::collections::BTreeMap;
use std::path::Path;

use dcb::{EventRef, EventStore, Query, ReadOptions, StoreError};
use serde::Serialize;

use super::Layout;
use super::envelope;
use super::tag::ForeignTag;
use crate::disk::Disk;
use crate::log::Damage;
use crate::meta::{io_error, write_file};
use crate::recovery::sync_names;
use crate::staging::build_aside;
use crate::store::{FileStore, Options};

/// The longest file name that common file systems take, in bytes.
const MAX_NAME_BYTES: usize = 255;

/// What [`export`] wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Exported {
    /// How many events.
    pub events: u64,
    /// What was left out because it cannot be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<Damage>,
}

/// Writes the events that the store in `dir` has at this moment to `out`, which is missing or empty,
/// as Opossum keeps them: one file for each event, its indices, its ledger. A store that is damaged
/// is not exported; with `skip_damaged` what can be read of it is, and moves up.
///
/// With [`Options::flush`] each file is durable when this returns.
pub fn export(
    dir: impl AsRef<Path>,
    out: impl AsRef<Path>,
    layout: Layout,
    skip_damaged: bool,
    options: &Options,
) -> Result<Exported, StoreError> {
    let store = FileStore::open(dir.as_ref(), options.clone())?;
    let (all, from_the_first) = (Query::all(), ReadOptions::default());
    let mut events = match skip_damaged {
        true => store.read_skipping_damage(&all, from_the_first)?,
        false => store.read(&all, from_the_first)?,
    };
    build_aside(&*options.disk, dir.as_ref(), out.as_ref(), |aside| {
        let folder = Folder { path: aside, disk: &*options.disk, flush: options.flush, layout };
        let mut index = Index::new(layout);
        folder.create("events")?;
        // The same as here, but that Opossum knows no commits that add tags and no gaps.
        let mut position = 0;
        while let Some(event) = events.next_ref()? {
            let recorded = event.position;
            position += 1;
            let event = EventRef { position, ..event };
            let (text, tags) = envelope::write(&event).map_err(|error| StoreError::Damaged {
                place: format!("position {recorded}"),
                reason: format!("what was recorded is no JSON: {error}"),
            })?;
            folder.write(&format!("events/{}", layout.event_file(position)), &text)?;
            index.add(position, event.event_type, &tags);
        }
        folder.write_index(&index)?;
        folder.write(layout.ledger_file(), &layout.ledger(position))?;
        sync_names(folder.disk, &folder.path.join("events"))?;
        Ok(Exported { events: position, skipped: store.damage() })
    })
}

/// The folder that is written.
struct Folder<'f> {
    path: &'f Path,
    disk: &'f dyn Disk,
    flush: bool,
    layout: Layout,
}

impl Folder<'_> {
    fn create(&self, name: &str) -> Result<(), StoreError> {
        let dir = self.path.join(name);
        self.disk.create_dir(&dir).map_err(|error| io_error("creating", &dir, error))
    }

    fn write(&self, name: &str, text: &str) -> Result<(), StoreError> {
        let path = self.path.join(name);
        write_file(self.disk, &path, text.as_bytes(), self.flush)
            .map_err(|error| io_error("writing", &path, error))
    }

    fn write_index(&self, index: &Index) -> Result<(), StoreError> {
        for folder in [
            Some(self.layout.types_folder()),
            Some(self.layout.tags_folder()),
            self.layout.positions_folder(),
        ] {
            folder.map_or(Ok(()), |folder| self.create(folder))?;
        }
        for (file, positions) in &index.files {
            self.write(file, &self.layout.index(positions))?;
        }
        Ok(())
    }
}

/// Which positions stand in which index file. As in Opossum, what differs only in characters that no
/// file name can have shares a file.
struct Index {
    layout: Layout,
    files: BTreeMap<String, Vec<u64>>,
}

impl Index {
    fn new(layout: Layout) -> Self {
        Self { layout, files: BTreeMap::new() }
    }

    fn add(&mut self, position: u64, event_type: &str, tags: &[ForeignTag]) {
        self.post(self.layout.types_folder(), &file_name(event_type), position);
        for tag in tags {
            let value = tag.value.as_deref().unwrap_or("null");
            let name = format!("{}_{}", file_name(&tag.key), file_name(value));
            self.post(self.layout.tags_folder(), &name, position);
        }
        if let Some(folder) = self.layout.positions_folder() {
            self.post(folder, "all", position);
        }
    }

    fn post(&mut self, folder: &str, name: &str, position: u64) {
        let name = format!("{name}.json");
        // Opossum could not have such a file either.
        if name.len() > MAX_NAME_BYTES {
            return;
        }
        let positions = self.files.entry(format!("{folder}/{name}")).or_default();
        if positions.last() != Some(&position) {
            positions.push(position);
        }
    }
}

/// A text as Opossum makes it part of a file's name on this system.
fn file_name(text: &str) -> String {
    let is_bad = |char: char| match cfg!(windows) {
        true => char.is_control() || "\"<>|:*?\\/".contains(char),
        false => matches!(char, '\0' | '/'),
    };
    let parts: Vec<&str> = text.split(is_bad).filter(|part| !part.is_empty()).collect();
    parts.join("_")
}
