//! `opossum store`: look into an event store, append to it, check it, copy and move it.

use std::io::{BufRead, stdin};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Subcommand, ValueEnum};
use dcb::{AppendCondition, Event, EventStore, Query, ReadOptions};
use dcb_file::opossum::{self, ImportError, Layout};
use dcb_file::{FileStore, Options, SystemDisk};
use serde::de::DeserializeOwned;

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
    /// type may be left out. Prints {"first":1,"last":3}, the positions of the first and the last.
    Append {
        /// The store's folder
        dir: PathBuf,
        /// Append only if this holds: {"failIfEventsMatch":QUERY,"after":N}
        #[arg(long, value_name = "JSON", value_parser = json::<AppendCondition>)]
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
        #[arg(long, value_name = "JSON", value_parser = json::<Query>)]
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
    /// Delete a store for good; files in its folder that are not the store's stay
    Delete {
        /// The store's folder
        dir: PathBuf,
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
    /// It gets a store id of its own, so that nothing kept about the old one is mixed up with it.
    Restore {
        /// The backup
        src: PathBuf,
        /// The folder of the new store, new or empty
        dir: PathBuf,
    },
    /// Write a store's events as Opossum keeps them, one JSON file for each
    Export {
        /// The store's folder
        dir: PathBuf,
        /// The folder to write, new or empty
        out: PathBuf,
        /// Which Opossum is to read it
        #[arg(long, value_enum, default_value = "js")]
        layout: ExportLayout,
        /// Whether to wait until each file is safe from a power cut
        #[arg(long, value_enum, default_value = "on")]
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

/// Reads a JSON argument.
fn json<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
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
        StoreCommand::Delete { dir } => {
            dcb_file::delete_store(&dir, &Options::default())?;
            print_json(&serde_json::json!({ "deleted": dir }))
        }
        StoreCommand::Backup { dir, out } => {
            print_json(&dcb_file::backup(&dir, &out, &Options::default())?)
        }
        StoreCommand::Restore { src, dir } => {
            print_json(&dcb_file::restore(&src, &dir, &Options::default())?)
        }
        StoreCommand::Export { dir, out, layout, flush } => {
            print_json(&opossum::export(&dir, &out, layout.into(), &flush.into())?)
        }
        StoreCommand::Import { src, dir, skip_damaged } => import(&src, &dir, skip_damaged),
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
        let event = serde_json::from_slice(&line).map_err(|error| no_event(error.to_string()))?;
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
        for damage in store.damage() {
            let (first, last) = (damage.first_position, damage.last_position);
            eprintln!("opossum: skipped positions {first} to {last}: {damage}");
        }
    }
    Ok(())
}

fn verify(dir: &Path) -> Outcome {
    let report = dcb_file::verify(dir, Arc::new(SystemDisk))?;
    print_json(&report)?;
    for damage in &report.damage {
        eprintln!("opossum: damaged data in {damage}");
    }
    match report.damage.is_empty() {
        true => Ok(()),
        false => Err(Failure::Told(Status::Damaged)),
    }
}
