//! Making the index files of a store anew.

use std::path::Path;

use dcb::StoreError;
use serde::Serialize;

use crate::admin::delete_own_files;
use crate::log::Log;
use crate::meta::io_error;
use crate::store::{FileStore, Options};

/// What [`reindex`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reindexed {
    /// How many index files were written.
    pub segments: u64,
    /// Up to which position they know the log.
    pub head: u64,
}

/// Deletes the index files of the store in `dir` and makes them anew from its event files, every
/// line of which is read. Others may go on reading and appending meanwhile.
///
/// A store needs this never to be right, only to be fast again at once: an index file that is
/// missing or garbage is made again by whoever needs it. [`StoreError::Damaged`] at the first line
/// that is not what was written; what stands behind it then has no index file.
pub fn reindex(dir: impl AsRef<Path>, options: &Options) -> Result<Reindexed, StoreError> {
    let dir = dir.as_ref();
    let store = FileStore::open(dir, options.clone())?;
    let (disk, head) = (store.disk(), store.end()?.head);
    let indices = dir.join("indices");
    delete_own_files(disk, &indices).map_err(|error| io_error("deleting", &indices, error))?;
    let mut log = Log::new(dir, options.segment_bytes);
    log.find_segments(disk)?;
    // One after the other, so that only one is in memory.
    for number in 0..log.segments.len() {
        let next = log.segments.get(number + 1).map(|next| next.first.saturating_sub(1));
        let until = next.unwrap_or(head).min(head);
        if let Some(broken) = log.read_on(disk, until, 0)? {
            let positions = (broken.position, until.max(broken.position));
            let damage = log.damage_at(broken.segment, broken.shown_at, positions, &broken.reason);
            return Err((&damage).into());
        }
        log.write_index(disk, number)?;
        log.release(disk, number, u64::MAX);
    }
    Ok(Reindexed { segments: log.indexed_segments(), head: log.head })
}
