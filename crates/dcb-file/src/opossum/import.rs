//! Reading a folder of Opossum into a new store.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use dcb::{Event, EventStore, StoreError, check_append};
use serde::Serialize;
use serde_json::Value;

use super::envelope;
use crate::disk::Disk;
use crate::meta::{io_error, is_missing, read_file};
use crate::staging::build_aside;
use crate::store::{FileStore, Options};
use crate::verify::{Report, verify};

/// The most bytes of an event file: as an event is at most a MiB, and layout some more.
const MAX_FILE_BYTES: u64 = 8 * 1024 * 1024;

/// How many events, and bytes in them, are appended at once.
const BATCH_EVENTS: usize = 1_000;
const BATCH_BYTES: usize = 4 * 1024 * 1024;

/// What [`import`] did.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Imported {
    /// The new store, as its verification found it.
    #[serde(flatten)]
    pub report: Report,
    /// The files that were left out, if that was asked for.
    pub skipped: Vec<BadFile>,
}

/// A file that cannot be imported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BadFile {
    /// The file.
    pub file: PathBuf,
    /// What is wrong with it.
    pub reason: String,
}

impl BadFile {
    fn new(file: PathBuf, reason: impl Into<String>) -> Self {
        Self { file, reason: reason.into() }
    }
}

impl fmt::Display for BadFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file.display(), self.reason)
    }
}

/// Why nothing was imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// Files are missing or not what Opossum writes; all of them, in order of position.
    #[error(
        "{} of Opossum's files are bad; nothing was imported. The first is {}",
        .0.len(),
        .0.first().map(ToString::to_string).unwrap_or_default()
    )]
    BadFiles(Vec<BadFile>),
    /// The folder is none of Opossum's, or the new store could not be made.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Makes a store in `dir`, which is missing or empty, of the events in the folder `src` of opossum-js
/// or of Opossum for .NET.
///
/// Events keep their positions, order, data and metadata; their times as far as those never
/// decrease. Nothing is changed in `src`, and its indices are not needed. If any file is missing or bad
/// nothing is imported; with `skip_bad` the rest is, and moves up.
///
/// The new store is durable and verified when this returns, and not there before.
pub fn import(
    src: impl AsRef<Path>,
    dir: impl AsRef<Path>,
    skip_bad: bool,
    options: &Options,
) -> Result<Imported, ImportError> {
    let disk = &*options.disk;
    let source = Source::find(disk, src.as_ref())?;
    build_aside(disk, src.as_ref(), dir.as_ref(), |aside| {
        // One sync at the end is enough for what nobody sees before.
        let unflushed = Options { flush: false, ..options.clone() };
        let store = FileStore::create(aside, unflushed)?;
        let bad = source.append_to(&store, disk, skip_bad)?;
        if !bad.is_empty() && !skip_bad {
            return Err(ImportError::BadFiles(bad));
        }
        store.close()?;
        let report = verify(aside, Arc::clone(&options.disk))?;
        match report.damage.first() {
            Some(damage) => Err(StoreError::from(damage).into()),
            None => Ok(Imported { report, skipped: bad }),
        }
    })
}

/// A folder of Opossum's.
struct Source {
    events: PathBuf,
    /// The names of the event files by the positions in them.
    files: BTreeMap<u64, String>,
    /// Up to where appends were finished, if there is a ledger that tells.
    ledger: Option<u64>,
    /// What is wrong with the folder as a whole.
    bad: Vec<BadFile>,
}

impl Source {
    fn find(disk: &dyn Disk, src: &Path) -> Result<Self, StoreError> {
        let refuse = |why| Err(StoreError::NotAStore(format!("{} {why}", src.display())));
        let list = |dir: &Path| match disk.list(dir) {
            Ok(names) => Ok(Some(names)),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(io_error("listing", dir, error)),
        };
        let Some(top) = list(src)? else { return refuse("is not a folder") };
        if top.iter().any(|name| name == "store.json") {
            return refuse("is a store of this program; restore it instead of importing it");
        }
        let is_events = |name: &&String| matches!(name.as_str(), "events" | "Events");
        let Some(events) = top.iter().find(is_events).map(|name| src.join(name)) else {
            return refuse("is no folder of Opossum's: there is no folder events in it");
        };
        let mut source = Self { events, files: BTreeMap::new(), ledger: None, bad: Vec::new() };
        let mut names = list(&source.events)?.unwrap_or_default();
        names.sort_unstable();
        for name in names {
            let digits =
                name.strip_suffix(".json").filter(|stem| stem.bytes().all(|b| b.is_ascii_digit()));
            // What has another name is none of the events: an unfinished write, say.
            let Some(position) = digits.and_then(|digits| digits.parse().ok()) else { continue };
            let path = source.events.join(&name);
            if position == 0 {
                source.bad.push(BadFile::new(path, "positions start at 1"));
            } else if let Some(other) = source.files.get(&position) {
                source.bad.push(BadFile::new(path, format!("{other} has the same position")));
            } else {
                source.files.insert(position, name);
            }
        }
        let ledgers = ["ledger.json", ".ledger"].into_iter().filter(|n| top.iter().any(|t| t == n));
        if source.files.is_empty() && ledgers.clone().next().is_none() {
            return refuse(
                "is no folder of Opossum's: there are no event files and no ledger in it",
            );
        }
        for name in ledgers {
            let path = src.join(name);
            let bytes = read_file(disk, &path, MAX_FILE_BYTES);
            let bytes = bytes.map_err(|error| io_error("reading", &path, error))?;
            match serde_json::from_slice(&bytes) {
                Ok(value) => source.ledger = last_position(&value),
                // As Opossum for .NET makes it, before the first event.
                Err(_) if bytes.trim_ascii().is_empty() && source.files.is_empty() => {}
                Err(error) => {
                    source.bad.push(BadFile::new(path, format!("it cannot be read: {error}")))
                }
            }
        }
        Ok(source)
    }

    /// Appends all events and returns the files that are bad. Behind the first of them events are
    /// looked at but not appended, unless it is skipped.
    fn append_to(
        &self,
        store: &FileStore,
        disk: &dyn Disk,
        skip_bad: bool,
    ) -> Result<Vec<BadFile>, StoreError> {
        let mut bad = self.bad.clone();
        let mut batch = Batch { store, events: Vec::new(), bytes: 0 };
        let mut last_time = DateTime::UNIX_EPOCH;
        let mut next = 1;
        for (&position, name) in &self.files {
            bad.extend(self.missing(next, position - 1));
            next = position + 1;
            match self.read(disk, position, name, last_time)? {
                Err(reason) => bad.push(BadFile::new(self.events.join(name), reason)),
                Ok(_) if !bad.is_empty() && !skip_bad => {}
                Ok(event) => {
                    last_time = event.metadata.timestamp.unwrap_or(last_time).max(last_time);
                    batch.push(event)?;
                }
            }
        }
        bad.extend(self.missing(next, self.ledger.unwrap_or(0)));
        batch.append()?;
        Ok(bad)
    }

    /// The files from one position to another, if that is not below the first: they are missing.
    fn missing(&self, first: u64, last: u64) -> Option<BadFile> {
        let width = self.files.values().next().map_or(9, |name| name.len() - ".json".len());
        let name = |position: u64| format!("{position:0width$}.json");
        let reason = match first.cmp(&last) {
            std::cmp::Ordering::Greater => return None,
            std::cmp::Ordering::Equal => "it is missing".into(),
            std::cmp::Ordering::Less => {
                format!("it and the others up to {} are missing", name(last))
            }
        };
        Some(BadFile::new(self.events.join(name(first)), reason))
    }

    /// The event in a file, or why there is none.
    fn read(
        &self,
        disk: &dyn Disk,
        position: u64,
        name: &str,
        last_time: DateTime<Utc>,
    ) -> Result<Result<Event, String>, StoreError> {
        if let Some(ledger) = self.ledger.filter(|ledger| position > *ledger) {
            return Ok(Err(format!(
                "it is above the ledger's last position, {ledger}: its append was not finished"
            )));
        }
        let path = self.events.join(name);
        let bytes = match read_file(disk, &path, MAX_FILE_BYTES) {
            Err(error) if is_missing(&error) => return Ok(Err("it is missing".into())),
            bytes => bytes.map_err(|error| io_error("reading", &path, error))?,
        };
        let event = || {
            let text = std::str::from_utf8(&bytes).map_err(|error| error.to_string())?;
            let text = text.strip_prefix('\u{feff}').unwrap_or(text);
            let event = envelope::read(text, position, last_time)?;
            check_append(std::slice::from_ref(&event)).map_err(|error| error.to_string())?;
            Ok(event)
        };
        Ok(event())
    }
}

/// What a ledger says: a number, or the field that is called so. How opossum-js calls it is not
/// documented; what is not understood tells nothing.
fn last_position(ledger: &Value) -> Option<u64> {
    const NAMES: [&str; 4] =
        ["lastsequenceposition", "lastposition", "sequenceposition", "position"];
    let is_position = |name: &str| NAMES.contains(&name.to_ascii_lowercase().as_str());
    match ledger {
        Value::Object(fields) => fields.iter().find(|(name, _)| is_position(name))?.1.as_u64(),
        other => other.as_u64(),
    }
}

/// Events that are appended together.
struct Batch<'s> {
    store: &'s FileStore,
    events: Vec<Event>,
    bytes: usize,
}

impl Batch<'_> {
    fn push(&mut self, event: Event) -> Result<(), StoreError> {
        self.bytes += event.data.as_str().len();
        self.events.push(event);
        match self.events.len() >= BATCH_EVENTS || self.bytes >= BATCH_BYTES {
            true => self.append(),
            false => Ok(()),
        }
    }

    fn append(&mut self) -> Result<(), StoreError> {
        if !self.events.is_empty() {
            self.store.append(&self.events, None)?;
        }
        self.events.clear();
        self.bytes = 0;
        Ok(())
    }
}
