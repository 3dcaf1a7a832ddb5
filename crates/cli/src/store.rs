//! `opossum store`: look into an event store, append to it, check it, copy and move it.

use std::io::{BufRead, IsTerminal, stderr, stdin};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::{Subcommand, ValueEnum};
use dcb::{AppendCondition, Event, EventStore, Maintenance, Query, ReadOptions, StoreError, Tag};
use dcb_file::opossum::{self, ImportError, Layout};
use dcb_file::{Damage, FileStore, Options, Progress, SystemDisk};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::Outcome;
use crate::failure::{Failure, Status};
use crate::output::{Output, print_json};

#[derive(Subcommand)]
pub(crate) enum StoreCommand {
    /// Make a store in a new or empty folder
    Create {
        /// The store's folder
        dir: PathBuf,
    },
    /// Append the events on standard input as one commit
    ///
    /// Each line is an event: {"type":"T","tags":["k:v"],"data":{…},"metadata":{…}}; all but the
    /// type may be left out. A commit has at most 10,000 events, an event at most 1 MiB. A
    /// "timestamp" in the metadata stays, but one in the future becomes now, and one before that of
    /// the last event becomes that. Prints {"first":1,"last":3}, the positions of the first and the
    /// last.
    Append {
        /// The store's folder
        dir: PathBuf,
        /// Append only if this holds: {"failIfEventsMatch":QUERY,"after":N}
        #[arg(long, value_name = "JSON", value_parser = condition)]
        condition: Option<AppendCondition>,
        /// Whether to wait until the events are safe from a power cut
        #[arg(long, value_enum, default_value = "on")]
        flush: Flush,
    },
    /// Print events, one to a line
    Read {
        /// The store's folder
        dir: PathBuf,
        /// Which events: {"all":true} or {"items":[{"types":["T"],"tags":["k:v"]}]}
        #[arg(long, value_name = "JSON", value_parser = query)]
        query: Option<Query>,
        /// The first position to print, or with --backwards the highest
        #[arg(long, value_name = "N")]
        from: Option<u64>,
        /// From the newest to the oldest
        #[arg(long)]
        backwards: bool,
        /// The most events to print
        #[arg(long, value_name = "N")]
        limit: Option<u64>,
        /// Go past damaged lines, and tell on standard error what is missing
        #[arg(long)]
        skip_damaged: bool,
    },
    /// Check every line and the whole chain of hashes; changes nothing
    ///
    /// Exit status 5 if anything is not what was written. A torn end, which a killed writer may
    /// leave and the next one drops, is reported but no damage.
    Verify {
        /// The store's folder
        dir: PathBuf,
    },
    /// Print what a store holds, in numbers
    Stats {
        /// The store's folder
        dir: PathBuf,
    },
    /// Make the index files of a store anew, from every line of its event files
    ///
    /// It is never needed for right answers: what is missing or garbage is made again by itself.
    /// Prints how many files, and up to which position they know the log.
    Reindex {
        /// The store's folder
        dir: PathBuf,
    },
    /// Compress the event files that are full, while tills sell
    ///
    /// They stay readable in place. Prints how many were compressed, and their sizes in bytes.
    Archive {
        /// The store's folder
        dir: PathBuf,
    },
    /// Delete a store for good; files in its folder that are not the store's stay
    Delete {
        /// The store's folder
        dir: PathBuf,
    },
    /// Add tags to all past events of a type, so that they are found by them
    ///
    /// History is not rewritten: the tags stand in a commit of their own. Events that lack the value,
    /// or have one that is no text or number, get no tag. Doing it again adds nothing.
    AddTags {
        /// The store's folder
        dir: PathBuf,
        /// The type of the events
        #[arg(long, value_name = "T")]
        r#type: String,
        /// A tag's key, and where in an event's data its value is: customer=/customer/id
        #[arg(long = "tag", value_name = "KEY=/JSON/POINTER", required = true, value_parser = tag_source)]
        tags: Vec<TagSource>,
    },
    /// Copy a store as it is now to a new or empty folder, while tills sell, and verify the copy
    Backup {
        /// The store's folder
        dir: PathBuf,
        /// The folder of the copy
        out: PathBuf,
    },
    /// Make a store of a backup, which is verified first
    ///
    /// Exit status 5, with nothing made, if the backup is damaged. The store gets a store id of its own, so that nothing kept about the old one is mixed up with it.
    Restore {
        /// The backup
        src: PathBuf,
        /// The folder of the new store, new or empty
        dir: PathBuf,
    },
    /// Write a store's events as Opossum keeps them, one JSON file for each
    ///
    /// Exit status 5, with nothing written, if the store is damaged.
    Export {
        /// The store's folder
        dir: PathBuf,
        /// The folder to write, new or empty
        out: PathBuf,
        /// Which Opossum is to read it
        #[arg(long, value_enum, default_value = "js")]
        layout: ExportLayout,
        /// Leave out what is damaged, and tell on standard error what is missing; the rest moves up
        #[arg(long)]
        skip_damaged: bool,
        /// Whether each file is safe from a power cut when this is done
        #[arg(
            long,
            value_enum,
            default_value = "on",
            hide_possible_values = true,
            value_name = "on|off"
        )]
        flush: Flush,
    },
    /// Make a store of a folder of Opossum for .NET or of opossum-js
    ///
    /// Exit status 5, with nothing imported, if files are missing or bad; all of them are named.
    Import {
        /// The folder of Opossum's
        src: PathBuf,
        /// The folder of the new store, new or empty
        dir: PathBuf,
        /// Leave out what is missing or bad, and import the rest
        #[arg(long)]
        skip_damaged: bool,
    },
}

/// Where the value of a tag comes from.
#[derive(Clone, Debug)]
pub(crate) struct TagSource {
    key: String,
    pointer: String,
}

/// Reads `key=/json/pointer`.
fn tag_source(text: &str) -> Result<TagSource, String> {
    let (key, pointer) = text.split_once('=').ok_or("write it as key=/json/pointer")?;
    if !pointer.is_empty() && !pointer.starts_with('/') {
        return Err("a JSON pointer starts with a slash: /customer/id".into());
    }
    // Any value does to see whether the key is good.
    Tag::new(key, "value").map_err(|error| error.to_string())?;
    Ok(TagSource { key: key.into(), pointer: pointer.into() })
}

impl TagSource {
    /// The tag for an event with this data, if its value makes one.
    fn tag(&self, data: &Value) -> Option<Tag> {
        let value = match data.pointer(&self.pointer)? {
            Value::String(text) => text.clone(),
            number @ (Value::Number(_) | Value::Bool(_)) => number.to_string(),
            _ => return None,
        };
        Tag::new(&self.key, value).ok()
    }
}

/// Whose names an export has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportLayout {
    /// opossum-js
    Js,
    /// Opossum for .NET
    #[value(name = "dotnet")]
    DotNet,
}

impl From<ExportLayout> for Layout {
    fn from(layout: ExportLayout) -> Self {
        match layout {
            ExportLayout::Js => Self::Js,
            ExportLayout::DotNet => Self::DotNet,
        }
    }
}

/// Whether an append waits for the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Flush {
    /// It returns when its events are durable
    On,
    /// A power cut may take the newest events; for imports that can be run again
    Off,
}

impl From<Flush> for Options {
    fn from(flush: Flush) -> Self {
        Self { flush: flush == Flush::On, ..Self::default() }
    }
}

fn query(text: &str) -> Result<Query, String> {
    json(text, r#"{"all":true} or {"items":[{"types":["T"],"tags":["k:v"]}]}"#)
}

fn condition(text: &str) -> Result<AppendCondition, String> {
    json(text, r#"{"failIfEventsMatch":{"items":[{"types":["T"],"tags":["k:v"]}]},"after":N}"#)
}

/// Reads a JSON argument that looks like `shape`.
fn json<T: DeserializeOwned>(text: &str, shape: &str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|error| format!("{}; write {shape}", in_one_line(&error)))
}

/// What is wrong with a JSON text of one line: where in it, but not that it is the first.
fn in_one_line(error: &serde_json::Error) -> String {
    let is_json = error.is_data() || error.is_io();
    let what = if is_json { "" } else { "this is no JSON: " };
    format!("{what}{error}").replace(" at line 1 column ", " at column ")
}

pub(crate) fn run(command: StoreCommand) -> Outcome {
    match command {
        StoreCommand::Create { dir } => {
            let store = FileStore::create(&dir, Options::default())?;
            print_json(&serde_json::json!({ "storeId": store.store_id() }))
        }
        StoreCommand::Append { dir, condition, flush } => {
            let store = open(&dir, flush.into())?;
            let positions = store.append(&events_on_stdin()?, condition.as_ref())?;
            store.close()?;
            print_json(&serde_json::json!({
                "first": positions.first(),
                "last": positions.last(),
            }))
        }
        StoreCommand::Read { dir, query, from, backwards, limit, skip_damaged } => {
            let options = ReadOptions { from, backwards, limit };
            read(&open(&dir, Options::default())?, query, options, skip_damaged)
        }
        StoreCommand::Verify { dir } => verify(&dir),
        StoreCommand::Stats { dir } => print_json(&open(&dir, Options::default())?.stats()?),
        StoreCommand::Reindex { dir } => print_json(&dcb_file::reindex(&dir, &Options::default())?),
        StoreCommand::Archive { dir } => print_json(&dcb_file::archive(&dir, &Options::default())?),
        StoreCommand::Delete { dir } => {
            dcb_file::delete_store(&dir, &Options::default())?;
            print_json(&serde_json::json!({ "deleted": dir }))
        }
        StoreCommand::AddTags { dir, r#type, tags } => add_tags(&dir, &r#type, &tags),
        StoreCommand::Backup { dir, out } => {
            print_json(&dcb_file::backup(&dir, &out, &Options::default())?)
        }
        StoreCommand::Restore { src, dir } => {
            let restored = dcb_file::restore(&src, &dir, &Options::default());
            print_json(&restored.map_err(|error| of_restoring(&src, error))?)
        }
        StoreCommand::Export { dir, out, layout, skip_damaged, flush } => {
            let options = flush.into();
            let exported = opossum::export(&dir, &out, layout.into(), skip_damaged, &options)?;
            tell_skipped(&exported.skipped);
            print_json(&exported)
        }
        StoreCommand::Import { src, dir, skip_damaged } => import(&src, &dir, skip_damaged),
    }
}

fn add_tags(dir: &Path, event_type: &str, sources: &[TagSource]) -> Outcome {
    let store = open(dir, Options::default())?;
    let added = store.add_tags(event_type, &mut |event| {
        let data: Value = event.data_as().unwrap_or_default();
        sources.iter().filter_map(|source| source.tag(&data)).collect()
    })?;
    print_json(&serde_json::json!({
        "events": added.events,
        "tags": added.tags,
        "position": added.position,
    }))
}

/// A backup that is damaged is not mended by restoring a backup.
fn of_restoring(src: &Path, error: StoreError) -> Failure {
    match &error {
        StoreError::Damaged { place, .. } if Path::new(place).starts_with(src) => {
            let message = format!(
                "{error}; this backup is damaged: take another one. `opossum store export \
                 --skip-damaged` saves what can be read of this one"
            );
            Failure::Message(Status::Damaged, message)
        }
        _ => error.into(),
    }
}

fn tell_skipped(damage: &[Damage]) {
    for damage in damage {
        let (first, last) = (damage.first_position, damage.last_position);
        eprintln!("opossum: skipped positions {first} to {last}: {damage}");
    }
}

fn import(src: &Path, dir: &Path, skip_damaged: bool) -> Outcome {
    let tell = |bad: &[opossum::BadFile]| {
        bad.iter().for_each(|bad| eprintln!("opossum: {bad}"));
    };
    match opossum::import(src, dir, skip_damaged, &Options::default()) {
        Ok(imported) => {
            tell(&imported.skipped);
            print_json(&imported)
        }
        Err(ImportError::Store(error)) => Err(error.into()),
        Err(ImportError::BadFiles(bad)) => {
            tell(&bad);
            let hint = "nothing was imported; --skip-damaged imports what is sound";
            Err(Failure::Message(Status::Damaged, hint.into()))
        }
    }
}

/// Opens a store, and tells what its recovery dropped.
pub(crate) fn open(dir: &Path, options: Options) -> Result<FileStore, Failure> {
    let store = FileStore::open(dir, options)?;
    if let Some(recovery) = store.recovery() {
        eprintln!(
            "opossum: a writer died in the middle of a commit; its {} bytes were dropped at position \
             {} and kept in {}",
            recovery.bytes,
            recovery.position,
            recovery.kept_in.display()
        );
    }
    Ok(store)
}

fn events_on_stdin() -> Result<Vec<Event>, Failure> {
    let mut events = Vec::new();
    for (line, number) in stdin().lock().split(b'\n').zip(1..) {
        let line = line.map_err(|error| {
            Failure::Message(Status::Io, format!("cannot read standard input: {error}"))
        })?;
        if line.trim_ascii().is_empty() {
            continue;
        }
        let no_event = |why: String| {
            Failure::bad_input(format!("line {number} of the input is no event: {why}"))
        };
        if !line.trim_ascii_start().starts_with(b"{") {
            return Err(no_event("it is no JSON object".into()));
        }
        let event = serde_json::from_slice(&line).map_err(|error| no_event(in_one_line(&error)))?;
        events.push(event);
    }
    Ok(events)
}

fn read(
    store: &FileStore,
    query: Option<Query>,
    options: ReadOptions,
    skip_damaged: bool,
) -> Outcome {
    let query = query.unwrap_or_else(Query::all);
    let events = match skip_damaged {
        true => store.read_skipping_damage(&query, options)?,
        false => store.read(&query, options)?,
    };
    let mut output = Output::open();
    for event in events {
        match event {
            Ok(event) => output.json(&event)?,
            Err(error) => {
                output.finish()?;
                return Err(error.into());
            }
        }
    }
    output.finish()?;
    if skip_damaged {
        tell_skipped(&store.damage());
    }
    Ok(())
}

fn verify(dir: &Path) -> Outcome {
    let show = stderr().is_terminal();
    let shown = Mutex::new(Instant::now());
    let progress = |Progress { done, total }| {
        let mut shown = shown.lock().unwrap_or_else(PoisonError::into_inner);
        if show && (done == total || shown.elapsed() > Duration::from_millis(100)) {
            *shown = Instant::now();
            eprint!("\r{} of {} MB", done / 1_000_000, total / 1_000_000);
        }
    };
    let report = dcb_file::verify_with_progress(dir, Arc::new(SystemDisk), &progress);
    if show {
        eprintln!();
    }
    let report = report?;
    print_json(&report)?;
    for damage in &report.damage {
        eprintln!("opossum: damaged data in {damage}");
    }
    match report.damage.is_empty() {
        true => Ok(()),
        false => Err(Failure::Told(Status::Damaged)),
    }
}
