//! Reading a whole store only to see that it is what was written.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use dcb::StoreError;
use serde::Serialize;
use uuid::Uuid;

use crate::disk::{Access, Disk};
use crate::line::ChainHash;
use crate::log::{Damage, Log};
use crate::meta::{Ledger, io_error};
use crate::recovery::{is_torn, read_ledger};
use crate::store::{LockGuard, paths, read_identity};
use crate::walk::{Link, Progress, Walk, Walker};
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
    verify_with_progress(dir, disk, &|_| {})
}

/// Does what [`verify`] does and tells how far it has come about once for every MiB, from several
/// threads, and at the end.
pub fn verify_with_progress(
    dir: impl AsRef<Path>,
    disk: Arc<dyn Disk>,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Report, StoreError> {
    let dir = dir.as_ref();
    let identity = read_identity(&*disk, dir)?;
    let lock_path = paths(dir).1;
    let lock_file = disk.open(&lock_path, Access::Read).ok();
    let read_mark = || -> Result<Option<Watermark>, StoreError> {
        let Some(file) = &lock_file else { return Ok(None) };
        let mark = Watermark::read(&**file).map_err(|e| io_error("reading", &lock_path, e))?;
        Ok(mark.filter(|mark| Some(mark.boot) == disk.boot_id()))
    };
    let durable = || -> Result<(Ledger, u64), StoreError> {
        let ledger = read_ledger(&*disk, dir)?;
        let head = ledger.head.max(read_mark()?.map_or(0, |mark| mark.head));
        Ok((ledger, head))
    };
    let mut log = Log::new(dir, 0);
    // Most is read beside the writers; what stands behind what is known to be durable is theirs, so
    // the end is looked at while they wait.
    let (ledger, known) = durable()?;
    let mut tally = check_sound(&*disk, &mut log, &ledger, known, progress)?;
    let mut broken = log.read_on(&*disk, known, 0)?;
    let lock =
        lock_file.as_deref().map(|file| LockGuard::take_within(file, &lock_path, LOCK_TIMEOUT));
    let lock = lock.transpose()?;
    let (ledger, durable) = durable()?;
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
    tally.check_rest(&log, &ledger)?;
    Ok(Report {
        store_id: identity.store_id,
        events: log.head.saturating_sub(missing + tally.no_events),
        commits: tally.commits,
        segments: log.segments.len(),
        head: log.head,
        hash: tally.hash.as_str().into(),
        torn,
        damage: log.damage().clone(),
    })
}

/// What was found so far, and where: up to an offset of a segment.
struct Tally {
    commits: u64,
    no_events: u64,
    /// The hash of the last commit.
    hash: ChainHash,
    segment: usize,
    offset: u64,
    link: Link,
}

impl Tally {
    fn add(&mut self, walk: &Walk) {
        self.commits += walk.commits;
        self.no_events += walk.no_events;
        self.hash = walk.hash.unwrap_or(self.hash);
    }

    /// Checks what stands behind, up to the end of a log that has been read, and notes in it what
    /// does not fit.
    fn check_rest(&mut self, log: &Log, ledger: &Ledger) -> Result<(), StoreError> {
        let rest = log.segments.get(self.segment..).unwrap_or_default();
        let walker = Walker { ledger, until: log.head, tell: &|_| {} };
        let mut walks = walker.walk_all(rest, self.offset, self.link.next)?;
        for walk in &mut walks {
            walk.join(&mut self.link).into_iter().for_each(|misfit| log.note_damage(misfit));
            self.add(walk);
        }
        Ok(())
    }
}

/// Checks the log up to a head, and takes it in as far as it is sound. Most are to their end; what
/// is wrong with one that is not is found out by reading on.
fn check_sound(
    disk: &dyn Disk,
    log: &mut Log,
    ledger: &Ledger,
    until: u64,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Tally, StoreError> {
    log.find_segments(disk)?;
    let mut total = 0;
    for segment in &log.segments {
        total += segment.file.size().map_err(|error| segment.file.error("reading", error))?;
    }
    let done = AtomicU64::new(0);
    let tell = |bytes| {
        let done = done.fetch_add(bytes, Ordering::Relaxed) + bytes;
        progress(Progress { done: done.min(total), total });
    };
    let walks = Walker { ledger, until, tell: &tell }.walk_all(&log.segments, 0, 1)?;
    let mut tally = Tally {
        commits: 0,
        no_events: 0,
        hash: ChainHash::START,
        segment: 0,
        offset: 0,
        link: Link::START,
    };
    let mut ends = Vec::new();
    for (segment, mut walk) in log.segments.iter().zip(walks) {
        let mut link = tally.link;
        if segment.first != link.next || !walk.join(&mut link).is_empty() || !walk.is_sound {
            break;
        }
        tally.add(&walk);
        (tally.link, tally.segment, tally.offset) = (link, ends.len(), walk.end);
        ends.push(walk.end);
    }
    log.take_as_read(&ends, tally.link.next - 1, tally.hash);
    progress(Progress { done: total, total });
    Ok(tally)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use dcb::{Event, EventStore, Maintenance, Tag};
    use tempfile::TempDir;

    use super::*;
    use crate::{FileStore, Options, SystemDisk};

    /// A store of 40 commits of two events each, in many segments.
    fn store() -> (FileStore, TempDir) {
        let dir = tempfile::tempdir().unwrap();
        let options = Options { segment_bytes: 1_500, ..Options::default() };
        let store = FileStore::create(dir.path(), options).unwrap();
        for _ in 0..40 {
            let event = || Event::builder("Happened").build().unwrap();
            store.append(&[event(), event()], None).unwrap();
        }
        (store, dir)
    }

    fn check(dir: &TempDir) -> Report {
        verify(dir.path(), Arc::new(SystemDisk)).unwrap()
    }

    #[test]
    fn lines_that_add_tags_are_no_events() {
        let (store, dir) = store();
        store.add_tags("Happened", &mut |_| vec!["k:v".parse::<Tag>().unwrap()]).unwrap();
        let report = check(&dir);
        assert_eq!((report.events, report.head, report.commits), (80, 81, 41));
        assert_eq!(report.events, store.stats().unwrap().events);
    }

    #[test]
    fn a_segment_of_another_history_breaks_the_chain_where_it_starts() {
        let ((one, dir), (other, other_dir)) = (store(), store());
        drop((one, other));
        let count = check(&dir).segments;
        assert!(count > 10);
        let name = |first: u64| format!("events/{first:010}.jsonl");
        let firsts: Vec<u64> =
            (1..=80).filter(|first| dir.path().join(name(*first)).exists()).collect();
        let [first, next] = firsts[4..6] else { panic!("{firsts:?}") };
        std::fs::copy(other_dir.path().join(name(first)), dir.path().join(name(first))).unwrap();
        let report = check(&dir);
        let found: Vec<(u64, u64)> =
            report.damage.iter().map(|d| (d.first_position, d.last_position)).collect();
        assert_eq!(found, [(first, first + 1), (next, next + 1)], "{report:?}");
        assert!(report.damage.iter().all(|damage| damage.reason.contains("does not follow")));
        assert_eq!((report.commits, report.segments), (40, count));
    }

    #[test]
    fn the_progress_grows_up_to_all_there_is() {
        let (store, dir) = store();
        drop(store);
        let told = Mutex::new(Vec::new());
        let tell = |progress: Progress| told.lock().unwrap().push(progress);
        verify_with_progress(dir.path(), Arc::new(SystemDisk), &tell).unwrap();
        let told = told.into_inner().unwrap();
        let size = told[0].total;
        assert!(size > 40 * 200 && told.iter().all(|p| p.total == size && p.done <= size));
        assert_eq!(told.last().map(|progress| progress.done), Some(size));
    }
}
