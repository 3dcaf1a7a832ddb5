//! The store itself: opening, reading, and following what other processes append. How it appends
//! stands in the rooms below.

mod append;
mod arrivals;
mod maintenance;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use dcb::{
    AppendOptions, Counters, Event, EventStore, Events, FoldCache, Query, ReadOptions, StoreError,
    check_append, recording_time,
};
use uuid::Uuid;

use crate::counters::Tally;
use crate::cursor::FileCursor;
use crate::disk::{Access, Disk, DiskFile, SystemDisk};
use crate::index::Search;
use crate::line::ChainHash;
use crate::log::{Damage, End, Log};
use crate::meta::{
    FORMAT, Ledger, Sealed, StoreFile, io_error, is_missing, read_sealed, write_sealed,
};
use crate::recovery::{self, Recovery};
use crate::segment::Segment;
use crate::watermark::Watermark;
use append::Queue;
use arrivals::Arrivals;
pub(crate) use writer::LockGuard;

/// How often who waits for events looks whether another process has appended some: that is a read of
/// 64 bytes that are in memory.
const FOLLOW_POLL: Duration = Duration::from_millis(10);

/// How to open a store.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whether an append returns only when its events are synced to disk; `true` by default.
    /// Without it, a power cut may take the newest events (never a part of a commit); meant for
    /// imports that can be run again.
    pub flush: bool,
    /// How long an append waits for other writers; 5 seconds by default.
    pub lock_timeout: Duration,
    /// From which size on a new segment file is begun, in bytes; 64 MiB by default.
    pub segment_bytes: u64,
    /// Whether event files that are full are write-protected, so that nobody changes one by mistake;
    /// `false` by default.
    pub write_protect: bool,
    /// The file system; that of this machine by default.
    pub disk: Arc<dyn Disk>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            flush: true,
            lock_timeout: Duration::from_secs(5),
            segment_bytes: 64 * 1024 * 1024,
            write_protect: false,
            disk: Arc::new(SystemDisk),
        }
    }
}

/// An [`EventStore`] in a folder. Any number of processes may have it open.
#[derive(Debug)]
pub struct FileStore {
    dir: PathBuf,
    options: Options,
    store_id: Uuid,
    /// The file whose lock a writer holds; it also carries the [`Watermark`].
    /// Missing only where it cannot be made either.
    lock_file: Option<Box<dyn DiskFile>>,
    /// What this process knows of the log. Nobody holds it while waiting for the disk to write.
    log: RwLock<Log>,
    /// The appends of this process.
    queue: Queue,
    /// Those who wait for them.
    arrivals: Arrivals,
    tally: Tally,
    /// Why this store refuses writes, if it does.
    read_only: Mutex<Option<ReadOnly>>,
    /// Whether this process has appended since the ledger was last written.
    ledger_is_behind: AtomicBool,
    recovery: Mutex<Option<Recovery>>,
    /// What decisions keep; cleared by a recovery and a failed write.
    folds: FoldCache,
}

#[derive(Clone, Debug)]
enum ReadOnly {
    /// The folder or its files cannot be written.
    Protected,
    /// A write or sync of this process failed.
    Poisoned(String),
}

/// What `dir` holds, told apart before anything is done to it.
pub(crate) fn paths(dir: &Path) -> (PathBuf, PathBuf, PathBuf, PathBuf) {
    (dir.join("store.json"), dir.join("store.lock"), dir.join("ledger.json"), dir.join("events"))
}

impl FileStore {
    /// Makes a store in `dir`, which may not exist yet or must be empty, and opens it.
    pub fn create(dir: impl AsRef<Path>, options: Options) -> Result<Self, StoreError> {
        let dir = dir.as_ref();
        while !Self::make(dir, &options)? {}
        Self::open(dir, options)
    }

    /// Makes a store in `dir`; false if its lock file was of a store that was deleted, and is gone
    /// now: whoever still has that open has to go on seeing that, so it is not used again.
    fn make(dir: &Path, options: &Options) -> Result<bool, StoreError> {
        let disk = &*options.disk;
        let (store_file, lock_path, ledger_file, events) = paths(dir);
        check_vacant(disk, dir)?;
        disk.create_dir(&events).map_err(|e| io_error("creating", &events, e))?;
        let lock_file = disk.open(&lock_path, Access::Create);
        let lock_file = lock_file.map_err(|e| io_error("creating", &lock_path, e))?;
        let _lock = LockGuard::take_within(&*lock_file, &lock_path, options.lock_timeout)?;
        let mark = Watermark::read(&*lock_file).map_err(|e| io_error("reading", &lock_path, e))?;
        if mark.is_some_and(|mark| mark.deleted) {
            // The name may be that of another file by now, which is not locked from here.
            let is_named = |file: Box<dyn DiskFile>| matches!(file.try_lock(), Ok(false));
            if disk.open(&lock_path, Access::Write).is_ok_and(is_named) {
                disk.remove_file(&lock_path).map_err(|e| io_error("deleting", &lock_path, e))?;
            }
            return Ok(false);
        }
        // Somebody else may have made it while this process waited.
        check_vacant(disk, dir)?;
        // It may be left of a store whose other files were removed by hand.
        lock_file.set_len(0).map_err(|e| io_error("clearing", &lock_path, e))?;
        let ledger = Ledger { hash: ChainHash::START.as_str().into(), ..Ledger::default() };
        write_sealed(disk, &ledger_file, &ledger)?;
        // The store exists once this file does: it comes last.
        let created = recording_time();
        let store_id = Uuid::now_v7();
        let identity = StoreFile { format: FORMAT, store_id, created, restored_from: None };
        write_sealed(disk, &store_file, &identity)?;
        recovery::sync_names(disk, dir)?;
        Ok(true)
    }

    /// Opens the store in `dir`, and first recovers it if its last writer was killed or lost power.
    ///
    /// [`StoreError::NotAStore`] if `dir` holds none. A damaged store opens, but refuses writes:
    /// see [`FileStore::damage`].
    pub fn open(dir: impl AsRef<Path>, options: Options) -> Result<Self, StoreError> {
        Self::open_as(dir.as_ref(), options, false)
    }

    /// Opens the store in `dir` and changes nothing in it, as if it could not be written.
    pub(crate) fn open_protected(dir: &Path, options: Options) -> Result<Self, StoreError> {
        Self::open_as(dir, options, true)
    }

    fn open_as(dir: &Path, options: Options, protected: bool) -> Result<Self, StoreError> {
        let dir = dir.to_owned();
        let disk = Arc::clone(&options.disk);
        let identity = read_identity(&*disk, &dir)?;
        let lock_path = paths(&dir).1;
        let open = |access| disk.open(&lock_path, access).ok();
        let writable = if protected { None } else { open(Access::Create) };
        let read_only = writable.is_none().then_some(ReadOnly::Protected);
        let lock_file = writable.or_else(|| open(Access::Read));
        let log = RwLock::new(Log::new(&dir, options.segment_bytes));
        let store = Self {
            dir,
            options,
            store_id: identity.store_id,
            lock_file,
            log,
            queue: Queue::default(),
            arrivals: Arrivals::default(),
            tally: Tally::default(),
            read_only: Mutex::new(read_only),
            ledger_is_behind: AtomicBool::new(false),
            recovery: Mutex::new(None),
            folds: FoldCache::default(),
        };
        store.load()?;
        Ok(store)
    }

    /// Opens the store in `dir`, or makes it if there is none.
    pub fn open_or_create(dir: impl AsRef<Path>, options: Options) -> Result<Self, StoreError> {
        let dir = dir.as_ref();
        match Self::open(dir, options.clone()) {
            Err(StoreError::NotAStore(_)) => match Self::create(dir, options.clone()) {
                // Another process was faster, or the folder holds something else.
                Err(StoreError::NotAStore(why)) => match Self::open(dir, options) {
                    Err(StoreError::NotAStore(_)) => Err(StoreError::NotAStore(why)),
                    opened => opened,
                },
                created => created,
            },
            opened => opened,
        }
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The file system that the store is on.
    pub(crate) fn disk(&self) -> &dyn Disk {
        &*self.options.disk
    }

    /// What this process dropped when it last recovered the store, if anything was torn: when it
    /// opened it, or when it found on an append that another writer had died.
    pub fn recovery(&self) -> Option<Recovery> {
        self.recovery.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What cannot be read, in order of position. A store with damage refuses writes; reads that
    /// come across it fail there.
    pub fn damage(&self) -> Vec<Damage> {
        self.log().damage().clone()
    }

    /// Like [`EventStore::read`], but goes past damage. What is then missing from the answer may
    /// be anything that [`FileStore::damage`] names.
    pub fn read_skipping_damage(
        &self,
        query: &Query,
        options: ReadOptions,
    ) -> Result<Events<'_>, StoreError> {
        self.read_as(query, options, true)
    }

    fn read_as(
        &self,
        query: &Query,
        options: ReadOptions,
        skip_damage: bool,
    ) -> Result<Events<'_>, StoreError> {
        self.follow()?;
        let log = self.log();
        let seen = (log.head, log.added());
        tracing::trace!(head = log.head, ?query, ?options, "read");
        Ok(Events::new(log.head, FileCursor::new(&self.log, query, options, seen, skip_damage)))
    }

    /// Takes in the log for the first time: up to the watermark, if it can be relied on, or with a
    /// recovery under the lock.
    fn load(&self) -> Result<(), StoreError> {
        let boot = self.options.disk.boot_id();
        let ledger = recovery::read_ledger(&*self.options.disk, &self.dir)?;
        // One that is behind the ledger is not of this log: somebody has copied files.
        let reliable =
            |mark: &Watermark| Some(mark.boot) == boot && !mark.writing && mark.head >= ledger.head;
        let protected = self.read_only().is_some();
        let mut mark = self.read_watermark()?.filter(reliable);
        let mut _lock = None;
        if mark.is_none() && !protected {
            _lock = Some(self.lock(None)?);
            // Somebody else may have recovered it while this process waited.
            mark = self.read_watermark()?.filter(reliable);
        }
        match mark {
            Some(mark) => self.read_on_to(&mut self.log_mut(), mark.head)?,
            None => self.recover(protected)?,
        }
        let log = self.log();
        let is_other_history = !log.is_broken && log.head == ledger.head && !ledger.is_of(log.hash);
        if is_other_history {
            log.note_damage(log.other_history());
        }
        if log.protected {
            self.read_only().get_or_insert(ReadOnly::Protected);
        }
        drop(log);
        if self.check_writable().is_ok() {
            self.index_what_is_missing();
        }
        Ok(())
    }

    /// Takes in the log up to its very end, and makes whole what a dead writer left behind; under
    /// the lock, unless the store is protected.
    fn recover(&self, protected: bool) -> Result<(), StoreError> {
        let _span = tracing::info_span!("recovery", store = %self.dir.display()).entered();
        let scope = recovery::Scope {
            disk: &*self.options.disk,
            dir: &self.dir,
            lock_file: self.lock_file.as_deref(),
            protected,
        };
        let known = self.read_watermark()?;
        let mut log = self.log_mut();
        let dropped = recovery::recover(scope, &mut log, known)?;
        tracing::info!(head = log.head, "the log was read to its end");
        if let Some(dropped) = dropped {
            let (position, bytes) = (dropped.position, dropped.bytes);
            tracing::warn!(position, bytes, kept_in = %dropped.kept_in.display(), "a torn commit was dropped");
            *self.recovery.lock().unwrap_or_else(PoisonError::into_inner) = Some(dropped);
        }
        self.folds.clear();
        Ok(())
    }

    /// Takes in what other processes have appended.
    pub(crate) fn follow(&self) -> Result<(), StoreError> {
        self.read_watermark()?.map_or(Ok(()), |mark| self.follow_to(&mark))
    }

    fn follow_to(&self, mark: &Watermark) -> Result<(), StoreError> {
        let log = self.log();
        if mark.head <= log.head || log.is_broken {
            return Ok(());
        }
        drop(log);
        self.read_on_to(&mut self.log_mut(), mark.head)
    }

    /// Reads on to a head that is known to be there: what is not whole before it is damage.
    fn read_on_to(&self, log: &mut Log, head: u64) -> Result<(), StoreError> {
        let broken = log.read_on(&*self.options.disk, head, u64::MAX)?;
        if broken.is_some() || log.head < head {
            let broken = broken.unwrap_or_else(|| log.missing_end());
            log.read_damaged(&broken, head)?;
        }
        Ok(())
    }

    /// Asks the index alone about the events that match. Where lines are damaged it cannot know.
    fn ask_index<T>(
        &self,
        query: &Query,
        ask: impl FnOnce(&Log, &Search) -> T,
    ) -> Result<T, StoreError> {
        self.follow()?;
        let log = self.log();
        let answer = ask(&log, &Search::new(query));
        let damage = log.damage();
        damage.first().map_or(Ok(answer), |damage| Err(damage.into()))
    }

    fn log(&self) -> RwLockReadGuard<'_, Log> {
        self.log.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn log_mut(&self) -> RwLockWriteGuard<'_, Log> {
        self.log.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn read_only(&self) -> MutexGuard<'_, Option<ReadOnly>> {
        self.read_only.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read_watermark(&self) -> Result<Option<Watermark>, StoreError> {
        let Some(file) = &self.lock_file else { return Ok(None) };
        let mark = Watermark::read(&**file);
        let mark = mark.map_err(|e| io_error("reading", &paths(&self.dir).1, e))?;
        match mark {
            Some(mark) if mark.deleted => Err(StoreError::NotAStore(format!(
                "{} was deleted; if anything is left of it, delete it again",
                self.dir.display()
            ))),
            mark => Ok(mark),
        }
    }

    fn write_watermark(&self, mark: &Watermark) -> Result<(), StoreError> {
        mark.write(self.lock_file()?).map_err(|e| io_error("writing", &paths(&self.dir).1, e))
    }

    /// The lock file, for whoever writes.
    fn lock_file(&self) -> Result<&dyn DiskFile, StoreError> {
        self.lock_file.as_deref().ok_or_else(|| self.protected_error())
    }

    fn protected_error(&self) -> StoreError {
        let dir = self.dir.display();
        let reason = format!("{dir} is write-protected; give this user the right to write there");
        StoreError::ReadOnly { reason }
    }

    /// The end of the log, with what other processes have appended; an error if it is damaged.
    pub(crate) fn end(&self) -> Result<End, StoreError> {
        self.follow()?;
        let log = self.log();
        if let Some(damage) = log.damage().first() {
            return Err(damage.into());
        }
        Ok(log.end())
    }

    /// How many event files have an index file that knows them whole.
    pub(crate) fn indexed_segments(&self) -> u64 {
        self.log().indexed_segments()
    }

    /// Says why writes are refused, if they are.
    fn check_writable(&self) -> Result<(), StoreError> {
        if let Some(damage) = self.log().damage().first() {
            let place = format!("{}:{}", damage.file.display(), damage.line);
            let reason = format!(
                "{}; the store refuses writes until it is restored from a backup",
                damage.reason
            );
            return Err(StoreError::Damaged { place, reason });
        }
        match &*self.read_only() {
            None => Ok(()),
            Some(ReadOnly::Protected) => Err(self.protected_error()),
            Some(ReadOnly::Poisoned(reason)) => {
                Err(StoreError::ReadOnly { reason: reason.clone() })
            }
        }
    }
}

impl Drop for FileStore {
    fn drop(&mut self) {
        // Whoever opens the store next recovers what this could not finish.
        let _ = self.sync();
    }
}

/// Whether a store can be made in `dir`: it is missing, empty, or holds what a creation that was cut
/// short left behind.
fn check_vacant(disk: &dyn Disk, dir: &Path) -> Result<(), StoreError> {
    let refuse = |why: String| Err(StoreError::NotAStore(format!("{} {why}", dir.display())));
    let names = match disk.list(dir) {
        Ok(names) => names,
        Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => {
            return refuse("is a file; give an empty or a new folder".into());
        }
        Err(error) if is_missing(&error) => return Ok(()),
        Err(error) => return Err(io_error("listing", dir, error)),
    };
    if names.iter().any(|name| name == "store.json") {
        return refuse("is already a store; open it instead".into());
    }
    let ours = ["events", "store.lock", "ledger.json", "ledger.new", "store.new"];
    if let Some(other) = names.iter().find(|name| !ours.contains(&name.as_str())) {
        return refuse(format!("holds other files ({other}); give an empty or a new folder"));
    }
    match disk.list(&dir.join("events")) {
        Ok(events) if !events.is_empty() => refuse(
            "holds events but no store.json; restore that file, or give an empty or a new folder"
                .into(),
        ),
        Err(error) if !is_missing(&error) => Err(io_error("listing", dir, error)),
        _ => Ok(()),
    }
}

/// What `store.json` says, or why `dir` is no store.
pub(crate) fn read_identity(disk: &dyn Disk, dir: &Path) -> Result<StoreFile, StoreError> {
    let path = paths(dir).0;
    match read_sealed::<StoreFile>(disk, &path)? {
        Sealed::Value(identity) if identity.format == FORMAT => Ok(identity),
        Sealed::Value(identity) => Err(StoreError::NotAStore(format!(
            "{} is a store of format {}; this program reads format {FORMAT}",
            dir.display(),
            identity.format
        ))),
        Sealed::Missing => Err(StoreError::NotAStore(format!(
            "{} is not a store: it has no store.json",
            dir.display()
        ))),
        Sealed::Garbage => Err(StoreError::Damaged {
            place: format!("{}:1", path.display()),
            reason: "it is not what was written; restore it from a backup".into(),
        }),
    }
}

impl EventStore for FileStore {
    fn read(&self, query: &Query, options: ReadOptions) -> Result<Events<'_>, StoreError> {
        self.read_as(query, options, false)
    }

    fn append_with(
        &self,
        events: &[Event],
        options: &AppendOptions,
    ) -> Result<Vec<u64>, StoreError> {
        check_append(events)?;
        Ok(self.append_in_group(events, options)?.collect())
    }

    fn head(&self) -> Result<u64, StoreError> {
        self.follow()?;
        Ok(self.log().head)
    }

    fn wait_for(&self, position: u64, timeout: Duration) -> Result<Option<u64>, StoreError> {
        // One that no clock reaches is none.
        let deadline = Instant::now().checked_add(timeout);
        let mut pause = Duration::from_millis(1);
        loop {
            let head = self.head()?;
            if head >= position {
                return Ok(Some(head));
            }
            let left = deadline.map(|end| end.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Ok(None);
            }
            let most = left.map_or(pause, |left| pause.min(left));
            self.arrivals.wait(most, || self.log().head >= position);
            pause = (pause * 2).min(FOLLOW_POLL);
        }
    }

    fn store_id(&self) -> Uuid {
        self.store_id
    }

    fn count(&self, query: &Query) -> Result<u64, StoreError> {
        self.ask_index(query, |log, search| log.count(search, 0, log.head))
    }

    fn exists(&self, query: &Query) -> Result<bool, StoreError> {
        self.ask_index(query, |log, search| log.first_match(search, 0, log.head).is_some())
    }

    fn tag_epoch(&self) -> u64 {
        self.log().added().epoch()
    }

    fn folds(&self) -> Option<&FoldCache> {
        Some(&self.folds)
    }

    fn counters(&self) -> Option<Counters> {
        Some(self.tally.counters())
    }

    fn last_recorded_at(&self) -> Option<DateTime<Utc>> {
        let log = self.log();
        (log.head > 0).then_some(log.last_time)
    }

    fn commit_hash(&self) -> Result<Option<(u64, String)>, StoreError> {
        self.follow()?;
        let log = self.log();
        Ok((log.head > 0).then(|| (log.head, log.hash.as_str().to_owned())))
    }

    /// The event files and their indexes are mapped into memory: what a long read has looked at
    /// counts as the process's memory until then.
    fn trim_memory(&self) {
        self.log().segments.iter().for_each(Segment::trim_memory);
    }
}
