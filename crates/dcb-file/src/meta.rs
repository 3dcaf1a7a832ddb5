//! The two small files beside the log: `store.json`, which says what the folder is, and
//! `ledger.json`, which says up to where the log is known to be durable. Each is one sealed line.

use std::io;
use std::path::Path;

use chrono::{DateTime, Utc};
use dcb::StoreError;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::disk::{Access, Disk, parent_of};
use crate::line::{ChainHash, seal, unseal};

/// The version of the on-disk format that this code writes and reads.
pub(crate) const FORMAT: u32 = 1;

/// A file of this size is no `store.json` or `ledger.json`.
const MAX_META_BYTES: u64 = 64 * 1024;

/// `store.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StoreFile {
    pub(crate) format: u32,
    pub(crate) store_id: Uuid,
    pub(crate) created: DateTime<Utc>,
    /// What it was restored from, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) restored_from: Option<RestoredFrom>,
}

/// The store whose events a restored one starts with, and up to where.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RestoredFrom {
    pub(crate) store_id: Uuid,
    pub(crate) head: u64,
    pub(crate) hash: String,
}

/// `ledger.json`: written at clean close, when a segment is full, and around unsynced writing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Ledger {
    /// Every event up to this position is durable: a bad line at or below it is damage.
    pub(crate) head: u64,
    /// The hash of the last commit up to there.
    pub(crate) hash: String,
    /// From this position on events were written without a sync: recovery after a power cut may
    /// find any part of them, and keeps the longest whole prefix.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) unsynced_from: Option<u64>,
}

impl Ledger {
    /// Whether a commit's hash is the one recorded, as far as one is.
    pub(crate) fn is_of(&self, hash: ChainHash) -> bool {
        self.hash.is_empty() || self.hash == hash.as_str()
    }
}

/// What a sealed file holds.
pub(crate) enum Sealed<T> {
    /// There is no such file.
    Missing,
    /// It is not what was written.
    Garbage,
    /// What was written.
    Value(T),
}

/// Reads a file of one sealed line.
pub(crate) fn read_sealed<T: DeserializeOwned>(
    disk: &dyn Disk,
    path: &Path,
) -> Result<Sealed<T>, StoreError> {
    let bytes = match read_file(disk, path, MAX_META_BYTES) {
        Ok(bytes) => bytes,
        Err(error) if is_missing(&error) => return Ok(Sealed::Missing),
        Err(error) => return Err(io_error("reading", path, error)),
    };
    let value = unseal(bytes.strip_suffix(b"\n").unwrap_or(&bytes)).and_then(|body| {
        let mut closed = body.to_vec();
        closed.push(b'}');
        serde_json::from_slice(&closed).ok()
    });
    Ok(value.map_or(Sealed::Garbage, Sealed::Value))
}

/// Replaces a file by one sealed line, so that it is either the old or the new one whenever the
/// power goes.
pub(crate) fn write_sealed<T: Serialize>(
    disk: &dyn Disk,
    path: &Path,
    value: &T,
) -> Result<(), StoreError> {
    let mut bytes =
        serde_json::to_vec(value).map_err(|e| io_error("encoding", path, io::Error::other(e)))?;
    bytes.pop();
    seal(&mut bytes, 0);
    let new = path.with_extension("new");
    let write = || {
        write_file(disk, &new, &bytes, true)?;
        disk.rename(&new, path)?;
        disk.sync_dir(parent_of(path))
    };
    write().map_err(|error| io_error("writing", path, error))
}

/// Writes a file that holds these bytes and nothing else.
pub(crate) fn write_file(
    disk: &dyn Disk,
    path: &Path,
    bytes: &[u8],
    flush: bool,
) -> io::Result<()> {
    let file = disk.open(path, Access::Create)?;
    file.set_len(0)?;
    file.write_at(0, bytes)?;
    if flush { file.sync() } else { Ok(()) }
}

/// The bytes of a file, but no more than `most`.
pub(crate) fn read_file(disk: &dyn Disk, path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let file = disk.open(path, Access::Read)?;
    let len = file.size()?.min(most);
    let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
    let got = file.read_at(0, &mut bytes)?;
    bytes.truncate(got);
    Ok(bytes)
}

/// Whether there is no such file, also because what should be its folder is none.
pub(crate) fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// An error of the system, with what was being done to which path.
pub(crate) fn io_error(doing: &str, path: &Path, source: io::Error) -> StoreError {
    StoreError::Io { action: format!("{doing} {}", path.display()), source }
}
