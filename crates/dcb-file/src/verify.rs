//! Reading a whole store only to see that it is what was written.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use dcb::StoreError;
use serde::Serialize;
use uuid::Uuid;

use crate::disk::{Access, Disk};
use crate::line::{ChainHash, Line, UNHASHED_TAIL_LEN};
use crate::log::{Damage, Log};
use crate::meta::{Ledger, io_error};
use crate::recovery::{is_torn, read_ledger};
use crate::scan::LineReader;
use crate::store::{LockGuard, paths, read_identity, time_is_up};
use crate::watermark::Watermark;

/// How long the end of the log may be kept from its writers, and how long they may keep it.
const LOCK_TIMEOUT: Duration = Duration::from_secs(5);

/// What [`verify`] found.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The store's id.
    pub store_id: Uuid,
    /// How many events can be read.
    pub events: u64,
    /// How many whole commits there are.
    pub commits: u64,
    /// How many event files there are.
    pub segments: usize,
    /// The position of the last event.
    pub head: u64,
    /// The hash of the last commit: it stands for all of history before it.
    pub hash: String,
    /// What the next opening for writing will drop, if a writer died in the middle of a commit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub torn: Option<Torn>,
    /// What is not what was written; empty for a sound store.
    pub damage: Vec<Damage>,
}

/// The torn end of a store.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Torn {
    /// The file.
    pub file: PathBuf,
    /// The physical line in it, from 1.
    pub line: u64,
    /// The position that the torn commit would have had.
    pub position: u64,
}

/// Checks every line, every position and the whole chain of hashes of the store in `dir`. It
/// changes nothing, and tills can go on selling meanwhile, but for the moment in which its end is
/// looked at.
///
/// Damage is in the report; an error means that the check itself could not be made.
pub fn verify(dir: impl AsRef<Path>, disk: Arc<dyn Disk>) -> Result<Report, StoreError> {
    let dir = dir.as_ref();
    let identity = read_identity(&*disk, dir)?;
    let lock_path = paths(dir).1;
    let lock_file = disk.open(&lock_path, Access::Read).ok();
    let read_mark = || -> Result<Option<Watermark>, StoreError> {
        let Some(file) = &lock_file else { return Ok(None) };
        let mark = Watermark::read(&**file).map_err(|e| io_error("reading", &lock_path, e))?;
        Ok(mark.filter(|mark| Some(mark.boot) == disk.boot_id()))
    };
    let mut log = Log::new(dir, 0);
    // Most is read beside the writers; what stands behind the watermark is theirs, so the end is
    // looked at while they wait.
    let mut broken = match read_mark()? {
        Some(mark) => log.read_on(&*disk, mark.head, 0)?,
        None => None,
    };
    let lock = lock_file
        .as_deref()
        .map(|file| LockGuard::take(file, &lock_path, |since| time_is_up(since, LOCK_TIMEOUT)));
    let lock = lock.transpose()?;
    let ledger = read_ledger(&*disk, dir)?;
    let durable = ledger.head.max(read_mark()?.map_or(0, |mark| mark.head));
    if broken.is_none() {
        broken = log.read_on(&*disk, u64::MAX, 0)?;
    }
    let broken = broken.or_else(|| (log.head < durable).then(|| log.missing_end()));
    let mut torn = None;
    if let Some(broken) = broken {
        if is_torn(&log, &broken, durable, &ledger)? {
            let at = log.damage_at(broken.segment, broken.shown_at, (0, 0), "");
            torn = Some(Torn { file: at.file, line: at.line, position: log.head + 1 });
        } else {
            log.read_damaged(&broken, durable)?;
        }
    }
    drop(lock);
    let missing: u64 = log.damage().iter().map(|d| d.last_position + 1 - d.first_position).sum();
    let (commits, hash) = check_chain(&log, &ledger)?;
    Ok(Report {
        store_id: identity.store_id,
        events: log.head.saturating_sub(missing),
        commits,
        segments: log.segments.len(),
        head: log.head,
        hash: hash.as_str().into(),
        torn,
        damage: log.damage().clone(),
    })
}

/// Follows the chain of hashes through all whole commits and adds to the damage what does not fit.
/// Behind a line that cannot be read the chain is taken up again at the next commit's own word.
/// Returns how many commits there are and the hash of the last one.
fn check_chain(log: &Log, ledger: &Ledger) -> Result<(u64, ChainHash), StoreError> {
    let mut commits = 0;
    let mut last_hash = ChainHash::START;
    let mut previous = Some(ChainHash::START);
    let mut next = 1;
    let mut misfits = Vec::new();
    for segment in &log.segments {
        let mut reader = LineReader::new(&**segment.file, 0, u64::MAX);
        let mut commit = Vec::new();
        while let Some(raw) =
            reader.next_line().map_err(|error| segment.file.error("reading", error))?
        {
            let line = Line::parse(raw.bytes).filter(|line| line.position <= log.head);
            let Some(line) = line else {
                (previous, commit) = (None, Vec::new());
                continue;
            };
            if line.position != next {
                (previous, commit) = (None, Vec::new());
            }
            next = line.position + 1;
            commit.extend_from_slice(raw.bytes);
            commit.push(b'\n');
            let Some(mark) = line.commit else { continue };
            let hashed = commit.get(..commit.len().saturating_sub(UNHASHED_TAIL_LEN));
            let follows = previous.is_none_or(|p| p.next(hashed.unwrap_or_default()) == mark.hash);
            if !follows || (line.position == ledger.head && !ledger.is_of(mark.hash)) {
                let reason = match follows {
                    false => "the commit's hash does not follow from the history before it",
                    true => "the commit's hash is not the one in ledger.json",
                };
                let positions = (mark.first, line.position);
                misfits.push(segment.file.damage(raw.offset, positions, reason));
            }
            commits += 1;
            last_hash = mark.hash;
            previous = Some(mark.hash);
            commit.clear();
        }
    }
    misfits.into_iter().for_each(|misfit| log.note_damage(misfit));
    Ok((commits, last_hash))
}
