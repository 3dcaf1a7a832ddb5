//! What happens to the end of the log when a writer was killed, lost power, or failed.
//!
//! Whole commits behind the watermark are made durable and kept: whether their writer was told of
//! them or not, they happened. What is torn is dropped and kept aside. Everything else is damage,
//! and is left exactly as it is.

use std::path::{Path, PathBuf};

use dcb::StoreError;

use crate::disk::{Access, Disk, DiskFile, parent_of};
use crate::log::{Break, Log};
use crate::meta::{Ledger, Sealed, io_error, read_sealed, write_sealed};
use crate::scan::is_padding;
use crate::segment::Segment;
use crate::watermark::Watermark;

/// What recovery dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// The position that the first event of the torn commit would have had. Nobody was told that
    /// it had been appended, unless it was written without flush.
    pub position: u64,
    /// How many bytes were dropped.
    pub bytes: u64,
    /// Where they are kept.
    pub kept_in: PathBuf,
}

/// The store that is recovered.
pub(crate) struct Scope<'s> {
    pub(crate) disk: &'s dyn Disk,
    pub(crate) dir: &'s Path,
    /// Where the watermark goes.
    pub(crate) lock_file: Option<&'s dyn DiskFile>,
    /// Nothing can be written: the log is only taken in as far as it is whole.
    pub(crate) protected: bool,
}

/// Takes in the log up to its end, under the lock. `known` is the watermark found, of whatever
/// boot.
pub(crate) fn recover(
    scope: Scope<'_>,
    log: &mut Log,
    known: Option<Watermark>,
) -> Result<Option<Recovery>, StoreError> {
    let boot = scope.disk.boot_id();
    let same_boot = known.filter(|mark| Some(mark.boot) == boot);
    let ledger = read_ledger(scope.disk, scope.dir)?;
    let durable = ledger.head.max(same_boot.map_or(0, |mark| mark.head));

    // What was not synced may be in an index file and not in the log.
    let indexed = match &ledger {
        Ledger { hash, .. } if hash.is_empty() => 0,
        Ledger { unsynced_from: Some(from), .. } => from.saturating_sub(1),
        _ => u64::MAX,
    };
    let broken = log.read_on(scope.disk, u64::MAX, indexed)?;
    let torn = match broken {
        None if log.head >= durable => None,
        None => {
            log.read_damaged(&log.missing_end(), durable)?;
            return Ok(None);
        }
        Some(broken) if is_torn(log, &broken, durable, &ledger)? => Some(broken),
        Some(broken) => {
            log.read_damaged(&broken, durable)?;
            return Ok(None);
        }
    };
    if scope.protected || log.protected {
        return Ok(None);
    }
    let dropped = torn.map(|broken| drop_torn(&scope, log, &broken)).transpose()?.flatten();
    remove_unfinished(&scope);
    // After a restart of the machine what was read is on disk. Within the same run of it, it may
    // be in the caches only, and if its writer's sync has failed, syncing again would not help:
    // so it is written again.
    let restarted = known.is_some() && boot.is_some() && same_boot.is_none();
    if !restarted {
        // What was appended without a flush may be unsynced from far before the watermark on.
        write_again(log, same_boot.filter(|_| ledger.unsynced_from.is_none()))?;
    }
    if known.is_none() {
        sync_names(scope.disk, scope.dir)?;
    }
    if ledger.unsynced_from.is_some() {
        let settled =
            Ledger { head: log.head, hash: log.hash.as_str().into(), unsynced_from: None };
        write_sealed(scope.disk, &scope.dir.join("ledger.json"), &settled)?;
    }
    let last = log.segments.last();
    let mark = Watermark {
        boot: boot.unwrap_or_default(),
        head: log.head,
        segment: last.map_or(0, |segment| segment.first),
        end: last.map_or(0, |segment| segment.end),
        unsynced_from: 0,
        writing: false,
        deleted: false,
    };
    let lock_path = scope.dir.join("store.lock");
    if let Some(file) = scope.lock_file {
        mark.write(file).map_err(|error| io_error("writing", &lock_path, error))?;
    }
    Ok(dropped)
}

/// Makes the names of the store's files and of its folder durable. Whoever made the store may have
/// died before it did.
pub(crate) fn sync_names(disk: &dyn Disk, dir: &Path) -> Result<(), StoreError> {
    disk.sync_dir(dir).map_err(|error| io_error("syncing", dir, error))?;
    sync_parent(disk, dir)
}

/// Makes the name of a folder durable.
pub(crate) fn sync_parent(disk: &dyn Disk, dir: &Path) -> Result<(), StoreError> {
    let parent = parent_of(dir);
    disk.sync_dir(parent).map_err(|error| io_error("syncing", parent, error))
}

/// The ledger. One that cannot be read says nothing: then only the log itself can show damage.
pub(crate) fn read_ledger(disk: &dyn Disk, dir: &Path) -> Result<Ledger, StoreError> {
    Ok(match read_sealed(disk, &dir.join("ledger.json"))? {
        Sealed::Value(ledger) => ledger,
        Sealed::Missing | Sealed::Garbage => Ledger::default(),
    })
}

/// The rule that tells a torn commit from damage. Only the last group can be torn: groups are
/// written one after the other, each when the one before is synced.
pub(crate) fn is_torn(
    log: &Log,
    broken: &Break,
    durable: u64,
    ledger: &Ledger,
) -> Result<bool, StoreError> {
    let in_last_segment = broken.segment + 1 >= log.segments.len();
    if !broken.may_be_torn || broken.position <= durable || !in_last_segment {
        return Ok(false);
    }
    let unsynced = ledger.unsynced_from.is_some_and(|from| broken.position >= from);
    Ok(unsynced || !log.has_later_group(broken)?)
}

/// Keeps the bytes behind the last whole commit aside and puts padding in their place. The file
/// keeps its length, because another process may be reading it.
fn drop_torn(scope: &Scope<'_>, log: &Log, broken: &Break) -> Result<Option<Recovery>, StoreError> {
    let Some(segment) = log.segments.get(broken.segment) else { return Ok(None) };
    let mut torn = read_to_end(segment)?;
    torn.truncate(torn.iter().rposition(|b| !is_padding(*b)).map_or(0, |last| last + 1));
    if torn.is_empty() {
        return Ok(None);
    }
    let kept_in = keep_aside(scope, log.head + 1, &torn)?;
    segment
        .file
        .write_at(segment.end, &vec![b'\n'; torn.len()])
        .and_then(|()| segment.file.sync())
        .map_err(|error| segment.file.error("clearing the torn end of", error))?;
    Ok(Some(Recovery { position: log.head + 1, bytes: torn.len() as u64, kept_in }))
}

/// Removes index files whose writer died before they were whole. One that cannot be removed only
/// takes up room, and one that is still being written is written again when it is missed.
fn remove_unfinished(scope: &Scope<'_>) {
    let indices = scope.dir.join("indices");
    let names = scope.disk.list(&indices).unwrap_or_default();
    for name in names.iter().filter(|name| name.ends_with(".new")) {
        let _ = scope.disk.remove_file(&indices.join(name));
    }
}

fn read_to_end(segment: &Segment) -> Result<Vec<u8>, StoreError> {
    let read = || {
        let len = segment.file.size()?.saturating_sub(segment.end);
        let mut bytes = vec![0; usize::try_from(len).unwrap_or(usize::MAX)];
        let got = segment.file.read_at(segment.end, &mut bytes)?;
        bytes.truncate(got);
        Ok(bytes)
    };
    read().map_err(|error| segment.file.error("reading", error))
}

/// Writes torn bytes to a new file in the folder `torn`.
fn keep_aside(scope: &Scope<'_>, position: u64, torn: &[u8]) -> Result<PathBuf, StoreError> {
    let dir = scope.dir.join("torn");
    let keep = || {
        scope.disk.create_dir(&dir)?;
        let taken = scope.disk.list(&dir)?;
        let name = (1..)
            .map(|number: u32| format!("{position:010}-{number}.bytes"))
            .find(|name| !taken.contains(name))
            .unwrap_or_default();
        let path = dir.join(name);
        let file = scope.disk.open(&path, Access::Create)?;
        file.write_at(0, torn)?;
        file.sync()?;
        scope.disk.sync_dir(&dir)?;
        scope.disk.sync_dir(scope.dir)?;
        Ok(path)
    };
    keep().map_err(|error| io_error("keeping torn bytes in", &dir, error))
}

/// Writes and syncs once more what stands behind the watermark; without one, the last segment.
fn write_again(log: &Log, known: Option<Watermark>) -> Result<(), StoreError> {
    let from_segment = match known {
        Some(mark) => mark.segment,
        None => log.segments.last().map_or(0, |segment| segment.first),
    };
    for segment in log.segments.iter().filter(|segment| segment.first >= from_segment) {
        let start = known.filter(|mark| mark.segment == segment.first).map_or(0, |mark| mark.end);
        let again = || {
            let len = usize::try_from(segment.end.saturating_sub(start)).unwrap_or(usize::MAX);
            if len == 0 {
                // A full segment, which may be write-protected.
                return Ok(());
            }
            let mut bytes = vec![0; len];
            segment.file.read_at(start, &mut bytes)?;
            segment.file.write_at(start, &bytes)?;
            segment.file.sync()
        };
        again().map_err(|error| segment.file.error("writing again", error))?;
    }
    Ok(())
}
