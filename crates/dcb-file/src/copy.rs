//! Backup and restore: a store's copy, verified before it counts as one.

use std::path::Path;
use std::sync::Arc;

use dcb::{StoreError, recording_time};
use uuid::Uuid;

use crate::archive::segment_of;
use crate::disk::{Access, Disk, DiskFile};
use crate::line::ChainHash;
use crate::log::LastSegment;
use crate::meta::{Ledger, RestoredFrom, StoreFile, io_error, is_missing, write_sealed};
use crate::recovery::sync_names;
use crate::staging::build_aside;
use crate::store::{FileStore, Options, paths, read_identity};
use crate::verify::{Report, verify};

/// How much is copied at once.
const BLOCK_BYTES: usize = 1024 * 1024;

/// How often the event files are listed again because one was replaced meanwhile.
const LIST_TRIES: u32 = 10;

/// Copies the store in `dir` as it is at this moment to `out`, which is missing or empty and not
/// within `dir`, while others go on appending, and verifies the copy.
///
/// The copy is durable and whole when this returns; one that was cut short does not have the name
/// `out`. It holds all events up to the head that its report tells, and no indexes or projections,
/// which can be made again. [`restore`] makes a store of it.
///
/// [`StoreError::Damaged`] if the store is damaged, or the copy is not what was written.
pub fn backup(
    dir: impl AsRef<Path>,
    out: impl AsRef<Path>,
    options: &Options,
) -> Result<Report, StoreError> {
    let store = FileStore::open(dir, options.clone())?;
    copy(&store, out.as_ref(), options, |identity, _| identity)
}

/// Makes a store in `dir`, which is missing or empty and not within `src`, of the backup in `src`,
/// verified before it counts as one.
///
/// It gets a store id of its own: what was kept elsewhere about positions of the store that was
/// backed up may be about events that the backup does not have. Nothing is written to the backup.
///
/// [`StoreError::Damaged`] if the backup is damaged, or the copy is not what was written.
pub fn restore(
    src: impl AsRef<Path>,
    dir: impl AsRef<Path>,
    options: &Options,
) -> Result<Report, StoreError> {
    let store = FileStore::open_protected(src.as_ref(), options.clone())?;
    copy(&store, dir.as_ref(), options, |identity, ledger| StoreFile {
        store_id: Uuid::now_v7(),
        created: recording_time(),
        restored_from: Some(RestoredFrom {
            store_id: identity.store_id,
            head: ledger.head,
            hash: ledger.hash.clone(),
        }),
        ..identity
    })
}

fn copy(
    store: &FileStore,
    to: &Path,
    options: &Options,
    identify: impl FnOnce(StoreFile, &Ledger) -> StoreFile,
) -> Result<Report, StoreError> {
    let (from, disk) = (store.dir(), &*options.disk);
    let end = store.end()?;
    build_aside(disk, from, to, |aside| {
        let (store_file, _, ledger_file, events) = paths(aside);
        disk.create_dir(&events).map_err(|e| io_error("creating", &events, e))?;
        if let Some(last) = &end.segment {
            copy_segments(disk, &paths(from).3, &events, last)?;
        }
        disk.sync_dir(&events).map_err(|e| io_error("syncing", &events, e))?;
        let ledger = Ledger { head: end.head, hash: end.hash.as_str().into(), unsynced_from: None };
        write_sealed(disk, &ledger_file, &ledger)?;
        let identity = identify(read_identity(disk, from)?, &ledger);
        write_sealed(disk, &store_file, &identity)?;
        sync_names(disk, aside)?;
        check_copy(aside, options, end.head, end.hash)
    })
}

/// Copies the full segments, whatever form they have, and of the last one what was there at the
/// moment of the copy.
fn copy_segments(
    disk: &dyn Disk,
    from: &Path,
    to: &Path,
    last: &LastSegment,
) -> Result<(), StoreError> {
    let copy_all = || {
        let names = disk.list(from).map_err(|error| io_error("listing", from, error))?;
        for name in names {
            if segment_of(&name).is_some_and(|first| first < last.first) {
                copy_file(disk, &from.join(&name), &to.join(&name))?;
            }
        }
        Ok(())
    };
    let mut tries = 1;
    while let Err(error) = copy_all() {
        // A full segment may be replaced by its archived form at any time.
        let replaced = matches!(&error, StoreError::Io { source, .. } if is_missing(source));
        if !replaced || tries == LIST_TRIES {
            return Err(error);
        }
        tries += 1;
        for name in disk.list(to).map_err(|error| io_error("listing", to, error))? {
            let path = to.join(name);
            disk.remove_file(&path).map_err(|error| io_error("removing", &path, error))?;
        }
    }
    let path = &last.file.path;
    let name = path.file_name().unwrap_or_default();
    copy_bytes(disk, &**last.file, last.end, path, &to.join(name))
}

fn copy_file(disk: &dyn Disk, from: &Path, to: &Path) -> Result<(), StoreError> {
    let open = || {
        let file = disk.open(from, Access::Read)?;
        let size = file.size()?;
        Ok((file, size))
    };
    let (file, size) = open().map_err(|error| io_error("opening", from, error))?;
    copy_bytes(disk, &*file, size, from, to)
}

/// Writes the first bytes of a file to a new one and makes them durable.
fn copy_bytes(
    disk: &dyn Disk,
    file: &dyn DiskFile,
    size: u64,
    from: &Path,
    to: &Path,
) -> Result<(), StoreError> {
    let writing = |error| io_error("writing", to, error);
    let copy = disk.open(to, Access::Create).map_err(writing)?;
    let mut block = vec![0; BLOCK_BYTES];
    let mut done = 0;
    while done < size {
        let wanted = usize::try_from(size - done).unwrap_or(BLOCK_BYTES).min(BLOCK_BYTES);
        let space = block.get_mut(..wanted).unwrap_or_default();
        let got = file.read_at(done, space).map_err(|error| io_error("reading", from, error))?;
        if got == 0 {
            // What is missing is found by the verification.
            break;
        }
        copy.write_at(done, space.get(..got).unwrap_or_default()).map_err(writing)?;
        done += got as u64;
    }
    copy.sync().map_err(writing)
}

fn check_copy(
    copy: &Path,
    options: &Options,
    head: u64,
    hash: ChainHash,
) -> Result<Report, StoreError> {
    let report = verify(copy, Arc::clone(&options.disk))?;
    if let Some(damage) = report.damage.first() {
        return Err(damage.into());
    }
    if report.torn.is_some() || report.head != head || report.hash != hash.as_str() {
        let reason = format!(
            "it ends at position {} and not at {head}, or with another hash; try again, with another \
             disk if that does not help",
            report.head
        );
        return Err(StoreError::Damaged { place: copy.display().to_string(), reason });
    }
    Ok(report)
}
