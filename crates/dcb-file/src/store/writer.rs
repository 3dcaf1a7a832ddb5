//! What whoever holds the store's lock does: brings this process up to date, makes room, syncs,
//! and keeps the ledger.

use std::cell::Cell;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use dcb::{Cancel, StoreError};

use super::{FileStore, ReadOnly, paths};
use crate::disk::DiskFile;
use crate::log::{End, LastSegment};
use crate::meta::{Ledger, io_error, write_sealed};
use crate::watermark::Watermark;

/// How much room is made at the end of a segment at once, so that an append only overwrites what
/// is already allocated and its sync has no file size to record.
const ALLOCATION_BYTES: u64 = 1024 * 1024;

/// How far the log grows before the index of its last segment is written anew.
const INDEX_BYTES: u64 = 8 * 1024 * 1024;

/// How much must have been appended since for the index to be written once more at a clean close.
/// Less is as soon read as an index is written.
const INDEX_AT_CLOSE_BYTES: u64 = 1024 * 1024;

/// The store's lock, while it is held.
pub(crate) struct LockGuard<'s> {
    file: &'s dyn DiskFile,
}

impl<'s> LockGuard<'s> {
    /// Takes the lock, polling ever more slowly up to once a millisecond, until `give_up` says with
    /// which error to end. It is told since when.
    pub(crate) fn take(
        file: &'s dyn DiskFile,
        path: &Path,
        give_up: impl Fn(Instant) -> Result<(), StoreError>,
    ) -> Result<Self, StoreError> {
        let started = Instant::now();
        let mut pause = Duration::ZERO;
        while !file.try_lock().map_err(|error| io_error("locking", path, error))? {
            give_up(started)?;
            std::thread::sleep(pause);
            pause = (pause * 2).clamp(Duration::from_micros(20), Duration::from_millis(1));
        }
        Ok(Self { file })
    }

    /// The same, for so long.
    pub(crate) fn take_within(
        file: &'s dyn DiskFile,
        path: &Path,
        timeout: Duration,
    ) -> Result<Self, StoreError> {
        Self::take(file, path, |since| time_is_up(since, timeout))
    }
}

/// The error with which a wait for the lock ends that took too long.
fn time_is_up(since: Instant, timeout: Duration) -> Result<(), StoreError> {
    let waited = since.elapsed();
    match waited >= timeout {
        true => Err(StoreError::LockTimeout { waited }),
        false => Ok(()),
    }
}

impl Drop for LockGuard<'_> {
    fn drop(&mut self) {
        // If it fails, the lock falls when the file is closed.
        let _ = self.file.unlock();
    }
}

impl FileStore {
    /// Takes the lock that one writer of all processes can have.
    pub(super) fn lock(&self, cancel: Option<&Cancel>) -> Result<LockGuard<'_>, StoreError> {
        let waiting_since = Cell::new(None);
        let lock = LockGuard::take(self.lock_file()?, &paths(&self.dir).1, |started| {
            waiting_since.set(Some(started));
            self.give_up_waiting(started, cancel)
        });
        if let Some(waited) = waiting_since.get().map(|since| since.elapsed()) {
            self.tally.waited(waited);
            tracing::debug!(?waited, got_it = lock.is_ok(), "the lock was waited for");
        }
        lock
    }

    /// The error with which a wait ends that was cancelled or took too long.
    pub(super) fn give_up_waiting(
        &self,
        since: Instant,
        cancel: Option<&Cancel>,
    ) -> Result<(), StoreError> {
        if cancel.is_some_and(Cancel::is_cancelled) {
            return Err(StoreError::Cancelled);
        }
        time_is_up(since, self.options.lock_timeout)
    }

    /// Brings this process up to date, and makes whole what a writer that died left behind.
    pub(super) fn catch_up_as_writer(&self) -> Result<Watermark, StoreError> {
        // What a process failed to write is not for it to make whole.
        self.check_writable()?;
        match self.read_watermark()? {
            Some(mark) if !mark.writing => {
                self.follow_to(&mark)?;
                self.check_writable()?;
                if !self.log().goes_on_behind_its_end(mark.segment)? {
                    return Ok(mark);
                }
            }
            _ => {}
        }
        self.recover(false)?;
        self.check_writable()?;
        let boot = self.options.disk.boot_id().unwrap_or_default();
        Ok(self.read_watermark()?.unwrap_or(Watermark { boot, ..Watermark::default() }))
    }

    /// Whether a commit of so many bytes goes behind an offset of a segment. A commit too large for
    /// any segment gets one of its own.
    pub(super) fn fits(&self, offset: u64, len: u64) -> bool {
        offset == 0 || offset + len <= self.options.segment_bytes
    }

    /// The segment for a commit of so many bytes: the last one, or a new one if it is full.
    pub(super) fn segment_for(
        &self,
        end: &End,
        len: u64,
        mark: &Watermark,
    ) -> Result<LastSegment, StoreError> {
        let segment = match &end.segment {
            Some(last) if last.end > 0 && self.fits(last.end, len) => return Ok(last.clone()),
            // Made by a writer that died before it came to write.
            Some(empty) if empty.end == 0 => empty.clone(),
            full => {
                // Should this writer come no further, the next one has to see that the last file may
                // be shorter and that there may be another: it would go on in the one it knows.
                self.write_watermark(&Watermark { writing: true, ..*mark })?;
                if let Some(full) = full {
                    self.seal(full, end, mark)?;
                }
                let segment = self.log().create_segment(&*self.options.disk, end.head + 1)?;
                self.log_mut().begin_segment(&segment);
                segment
            }
        };
        // Before the first byte is in it, its name is durable.
        let events = paths(&self.dir).3;
        self.options.disk.sync_dir(&events).map_err(|e| io_error("syncing", &events, e))?;
        // Not before there is another one: the last segment must be writable.
        if let Some(full) = end.segment.as_ref().filter(|full| full.end > 0)
            && self.options.write_protect
            && let Err(error) = self.options.disk.write_protect(&full.file.path)
        {
            tracing::warn!(segment = full.first, %error, "a full segment cannot be write-protected");
        }
        Ok(segment)
    }

    /// Ends a segment for good: nothing is written to it any more.
    fn seal(&self, full: &LastSegment, end: &End, mark: &Watermark) -> Result<(), StoreError> {
        self.sync_segment(full, mark)?;
        full.file.trim(full.end).map_err(|e| full.file.error("trimming", e))?;
        self.write_ledger(end, (!self.options.flush).then_some(end.head + 1))?;
        let last = self.log().segments.len().saturating_sub(1);
        self.write_index(last);
        Ok(())
    }

    /// Writes the index of a segment to a file and lets go of what is in memory. If it cannot be
    /// written, whoever needs it reads the log.
    fn write_index(&self, segment: usize) {
        let _span = tracing::debug_span!("index_write", segment).entered();
        let disk = &*self.options.disk;
        let written = self.log().write_index(disk, segment);
        match written {
            Ok(()) => self.log_mut().release(disk, segment, u64::MAX),
            Err(error) => tracing::warn!(%error, "an index could not be written"),
        }
    }

    /// Writes the index of the last segment anew when it has grown by much, so that whoever opens
    /// the store after a crash has little to read.
    pub(super) fn index_what_grew(&self) {
        let (last, bytes) = self.log().unindexed_end();
        if bytes >= INDEX_BYTES {
            self.write_index(last);
        }
    }

    /// Writes the index of each segment that has none, or an incomplete one.
    pub(super) fn index_what_is_missing(&self) {
        let missing = self.log().unindexed_segments();
        missing.into_iter().for_each(|segment| self.write_index(segment));
    }

    /// Makes sure that a segment's file has room up to an offset. Nothing of a commit is written
    /// yet, so a full disk costs nothing.
    pub(super) fn make_room(
        &self,
        segment: &LastSegment,
        up_to: u64,
        mark: &Watermark,
    ) -> Result<(), StoreError> {
        let step = ALLOCATION_BYTES.min(self.options.segment_bytes);
        let made = segment.file.make_room(up_to, step);
        match made.map_err(|error| segment.file.error("making room in", error))? {
            true => self.sync_segment(segment, mark),
            false => Ok(()),
        }
    }

    /// Before the first unsynced write, the ledger says from where on events may be lost; before
    /// the first synced one after that, everything is synced and the ledger says so.
    pub(super) fn settle_flush(&self, end: &End, mark: &mut Watermark) -> Result<(), StoreError> {
        match (self.options.flush, mark.unsynced_from) {
            (false, 0) => {
                mark.unsynced_from = end.head + 1;
                // Should the ledger not come to say it, the next writer recovers, and begins anew.
                self.write_watermark(&Watermark { writing: true, ..*mark })?;
                self.write_ledger(end, Some(end.head + 1))?;
            }
            (true, from) if from > 0 => {
                self.settle(end, mark)?;
                mark.unsynced_from = 0;
            }
            _ => {}
        }
        Ok(())
    }

    /// Makes everything durable, and the ledger say so.
    pub(super) fn settle(&self, end: &End, mark: &Watermark) -> Result<(), StoreError> {
        end.segment.as_ref().map_or(Ok(()), |last| self.sync_segment(last, mark))?;
        self.write_ledger(end, None)
    }

    fn write_ledger(&self, end: &End, unsynced_from: Option<u64>) -> Result<(), StoreError> {
        let ledger = Ledger { head: end.head, hash: end.hash.as_str().into(), unsynced_from };
        write_sealed(&*self.options.disk, &paths(&self.dir).2, &ledger)
    }

    /// Writes at the end of the log, and syncs if that is asked for. If it fails the watermark goes
    /// on saying that a writer is at work, so that the next one recovers.
    pub(super) fn write(
        &self,
        segment: &LastSegment,
        bytes: &[u8],
        mark: &Watermark,
    ) -> Result<(), StoreError> {
        self.write_watermark(&Watermark { writing: true, ..*mark })?;
        let written = segment.file.write_at(segment.end, bytes);
        written.map_err(|error| self.poisoned_by(segment.file.error("writing to", error), mark))?;
        match self.options.flush {
            true => self.sync_segment(segment, mark),
            false => Ok(()),
        }
    }

    /// Syncs a segment. After a failure nobody knows what is on disk, and asking again would not
    /// tell: the system may have dropped what it could not write.
    fn sync_segment(&self, segment: &LastSegment, mark: &Watermark) -> Result<(), StoreError> {
        let _span = tracing::debug_span!("sync", segment = segment.first).entered();
        let started = Instant::now();
        let synced = segment.file.sync();
        self.tally.synced(started.elapsed());
        synced.map_err(|error| self.poisoned_by(segment.file.error("syncing", error), mark))
    }

    /// Makes this process refuse all further writes, and the next writer recover: it must not take
    /// a sync of its own for one of what failed here.
    fn poisoned_by(&self, error: StoreError, mark: &Watermark) -> StoreError {
        let _ = self.write_watermark(&Watermark { writing: true, ..*mark });
        let reason = format!(
            "an earlier write failed ({error}); whether its events were kept is found out when the \
             store is opened again"
        );
        self.poison(reason);
        error
    }

    /// Makes this process refuse all further writes, and forget what it folded.
    pub(super) fn poison(&self, reason: String) {
        *self.read_only() = Some(ReadOnly::Poisoned(reason));
        self.folds.clear();
    }

    /// Makes everything durable that any process appended, and has the store's ledger say so: any
    /// bad line found later is then known to be damage, and not the trace of a power cut.
    ///
    /// It is what a store opened with `flush: false` does for its last appends before they count as
    /// safe. [`FileStore::close`] does it, too. An error leaves everything readable; what was
    /// durable before stays so. Without appends of this process since the last time it does nothing.
    pub fn sync(&self) -> Result<(), StoreError> {
        if !self.ledger_is_behind.load(Ordering::Acquire) {
            return Ok(());
        }
        self.check_writable()?;
        let _lock = self.lock(None)?;
        let mark = self.catch_up_as_writer()?;
        self.settle(&self.log().end(), &mark)?;
        let (last, bytes) = self.log().unindexed_end();
        if bytes >= INDEX_AT_CLOSE_BYTES {
            self.write_index(last);
        }
        self.write_watermark(&Watermark { unsynced_from: 0, ..mark })?;
        self.ledger_is_behind.store(false, Ordering::Release);
        Ok(())
    }

    /// [`FileStore::sync`], and the end of this handle. Dropping it does the same but cannot tell
    /// whether it went well.
    pub fn close(self) -> Result<(), StoreError> {
        self.sync()
    }
}
