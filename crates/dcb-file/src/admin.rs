//! What is done to a store as a whole: finding its folder by name, deleting it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use dcb::StoreError;

use crate::archive;
use crate::disk::{Access, Disk};
use crate::meta::{io_error, is_missing};
use crate::recovery::sync_parent;
use crate::store::{LockGuard, Options, paths, read_identity};
use crate::watermark::Watermark;

/// The longest store name, in bytes; what common file systems take.
const MAX_NAME_BYTES: usize = 255;

/// Names that mean devices on Windows, with and without an extension.
const DEVICES: [&str; 4] = ["CON", "PRN", "AUX", "NUL"];

/// Why a text cannot be the name of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidStoreName {
    name: String,
    reason: &'static str,
}

impl fmt::Display for InvalidStoreName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} cannot be the name of a store: {}", self.name, self.reason)
    }
}

impl std::error::Error for InvalidStoreName {}

/// The folder of the store `name` under `root`, which need not exist.
///
/// The name is one folder's name on every system: it never leads out of `root`, and what one system
/// refuses or reads differently is refused on all.
pub fn store_dir(root: impl AsRef<Path>, name: &str) -> Result<PathBuf, InvalidStoreName> {
    match why_no_name(name) {
        Some(reason) => Err(InvalidStoreName { name: name.into(), reason }),
        None => Ok(root.as_ref().join(name)),
    }
}

fn why_no_name(name: &str) -> Option<&'static str> {
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_ascii_uppercase();
    let numbered = |device| {
        let number = stem.strip_prefix(device).unwrap_or_default();
        matches!(number.as_bytes(), [b'1'..=b'9'])
    };
    if name.trim().is_empty() {
        Some("it is empty; give the name of a folder")
    } else if name.len() > MAX_NAME_BYTES {
        Some("it is longer than 255 bytes")
    } else if name == "." || name == ".." {
        Some("it leads to another folder; give a plain name")
    } else if name.contains(['/', '\\']) {
        Some("it has a path separator; give a plain name, and the path as the root")
    } else if name.contains([':', '*', '?', '"', '<', '>', '|']) {
        Some("it has one of the characters : * ? \" < > |")
    } else if name.chars().any(char::is_control) {
        Some("it has a control character")
    } else if name.ends_with(['.', ' ']) || name.starts_with(' ') {
        Some("it starts with a space, or ends with a space or a dot")
    } else if DEVICES.contains(&&*stem) || numbered("COM") || numbered("LPT") {
        Some("it means a device on Windows")
    } else {
        None
    }
}

/// Deletes the store in `dir`, for good.
///
/// Only what is the store's own goes: other files in its folder stay, and so then does the folder.
/// Whoever still has the store open gets an error from then on. A deletion that was cut short leaves
/// no readable store and can be done again.
///
/// [`StoreError::NotAStore`] if `dir` holds no store, [`StoreError::LockTimeout`] if a writer is at
/// work in it.
pub fn delete_store(dir: impl AsRef<Path>, options: &Options) -> Result<(), StoreError> {
    let (dir, disk) = (dir.as_ref(), &*options.disk);
    read_identity(disk, dir)?;
    let (store_file, lock_path, ledger_file, events) = paths(dir);
    let archive_path = dir.join(archive::LOCK);
    let open =
        |path: &Path| disk.open(path, Access::Create).map_err(|e| io_error("opening", path, e));
    let (archive_file, lock_file) = (open(&archive_path)?, open(&lock_path)?);
    let archiving = LockGuard::take_within(&*archive_file, &archive_path, options.lock_timeout)?;
    let lock = LockGuard::take_within(&*lock_file, &lock_path, options.lock_timeout)?;
    let gone = Watermark { deleted: true, ..Watermark::default() };
    gone.write(&*lock_file)
        .and_then(|()| lock_file.sync())
        .map_err(|e| io_error("writing", &lock_path, e))?;
    for folder in [events, dir.join("indices"), dir.join("torn")] {
        delete_own_files(disk, &folder).map_err(|e| io_error("deleting", &folder, e))?;
    }
    let projections = dir.join("projections");
    ignore_missing(disk.remove_tree(&projections))
        .map_err(|e| io_error("deleting", &projections, e))?;
    let others =
        [archive_path.clone(), ledger_file.with_extension("new"), store_file.with_extension("new")];
    // The identity last, so that what is left of a store can be deleted; the lock behind it.
    for file in others.into_iter().chain([ledger_file, store_file]) {
        ignore_missing(disk.remove_file(&file)).map_err(|e| io_error("deleting", &file, e))?;
    }
    // While it is locked: who makes a store here next must not lose its own lock file.
    ignore_missing(disk.remove_file(&lock_path))
        .map_err(|e| io_error("deleting", &lock_path, e))?;
    drop((lock, archiving));
    drop((lock_file, archive_file));
    remove_if_empty(disk, dir).map_err(|e| io_error("deleting", dir, e))?;
    sync_parent(disk, dir)
}

/// Deletes the files in a folder whose names a store gives, and the folder if nothing else is in it.
pub(crate) fn delete_own_files(disk: &dyn Disk, folder: &Path) -> io::Result<()> {
    let names = match disk.list(folder) {
        Err(error) if is_missing(&error) => return Ok(()),
        names => names?,
    };
    for name in names.iter().filter(|name| is_own(name)) {
        ignore_missing(disk.remove_file(&folder.join(name)))?;
    }
    remove_if_empty(disk, folder)
}

/// A store's files are named by a position of at least ten digits and by what they are.
fn is_own(name: &str) -> bool {
    let digits = name.bytes().take_while(u8::is_ascii_digit).count();
    let ends = [".jsonl", ".zst", ".idx", ".bytes", ".new"];
    digits >= 10 && ends.iter().any(|end| name.ends_with(end))
}

fn remove_if_empty(disk: &dyn Disk, dir: &Path) -> io::Result<()> {
    match disk.remove_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
        removed => ignore_missing(removed),
    }
}

fn ignore_missing(done: io::Result<()>) -> io::Result<()> {
    done.or_else(|error| if is_missing(&error) { Ok(()) } else { Err(error) })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use dcb::{Event, EventStore, Query, ReadOptions};
    use tempfile::TempDir;

    use super::*;
    use crate::FileStore;

    #[test]
    fn a_store_name_never_leads_out_of_its_root() {
        let long = "x".repeat(256);
        for name in [
            "", " ", ".", "..", "/", "/etc", "a/b", "../a", "a/..", "a\\b", "..\\a", "C:", "C:\\a",
            "a\0", "a\nb", "a*", "a?", "what|", "a.", "a ", " a", "con", "NUL.txt", "com1",
            "LPT9.a", &long,
        ] {
            let refused = store_dir("/data", name).unwrap_err();
            assert!(refused.to_string().contains("name of a store"), "{name:?}: {refused}");
        }
        for name in ["shop", "my-store", "Geschäft 2", "a.b", "..a", "console", "com10", "nul1"] {
            assert_eq!(store_dir("/data", name).unwrap(), Path::new("/data").join(name));
        }
    }

    fn store() -> (FileStore, TempDir, PathBuf) {
        let root = tempfile::tempdir().unwrap();
        let dir = store_dir(root.path(), "shop").unwrap();
        let store = FileStore::create(&dir, Options { segment_bytes: 1_000, ..Options::default() });
        let store = store.unwrap();
        for _ in 0..10 {
            store.append(&[Event::builder("Happened").build().unwrap()], None).unwrap();
        }
        (store, root, dir)
    }

    #[test]
    fn a_deleted_store_is_gone_for_good_and_its_folder_can_hold_a_new_one() {
        let (store, _root, dir) = store();
        drop(store);
        delete_store(&dir, &Options::default()).unwrap();
        assert!(!dir.exists());
        let again = delete_store(&dir, &Options::default());
        assert!(matches!(again, Err(StoreError::NotAStore(_))), "{again:?}");
        assert_eq!(FileStore::create(&dir, Options::default()).unwrap().head().unwrap(), 0);
    }

    #[test]
    fn whoever_still_has_a_deleted_store_open_is_told_so() {
        let (store, _root, dir) = store();
        delete_store(&dir, &Options::default()).unwrap();
        let refused = store.append(&[Event::builder("Lost").build().unwrap()], None).unwrap_err();
        assert!(refused.to_string().contains("was deleted"), "{refused}");
        assert!(store.read(&Query::all(), ReadOptions::default()).is_err());
        drop(store);
        assert!(!dir.exists());
    }

    #[test]
    fn a_store_made_where_a_deletion_was_cut_short_is_safe_from_who_has_the_old_one_open() {
        let (old, _root, dir) = store();
        let (identity, lock_path, ledger, events) = paths(&dir);
        let disk = crate::SystemDisk;
        let lock = disk.open(&lock_path, Access::Write).unwrap();
        Watermark { deleted: true, ..Watermark::default() }.write(&*lock).unwrap();
        delete_own_files(&disk, &events).unwrap();
        [identity, ledger].iter().for_each(|file| disk.remove_file(file).unwrap());
        let _ = disk.remove_tree(&dir.join("indices"));
        let new = FileStore::create(&dir, Options::default()).unwrap();
        let refused = old.append(&[Event::builder("Late").build().unwrap()], None).unwrap_err();
        assert!(refused.to_string().contains("was deleted"), "{refused}");
        assert_eq!(new.append(&[Event::builder("New").build().unwrap()], None).unwrap(), [1]);
    }

    #[test]
    fn a_store_made_beside_the_lock_file_of_another_begins_empty() {
        let (old, _root, dir) = store();
        std::mem::forget(old);
        let (identity, _, ledger, events) = paths(&dir);
        std::fs::remove_dir_all(&events).unwrap();
        [identity, ledger].iter().for_each(|file| std::fs::remove_file(file).unwrap());
        let _ = std::fs::remove_dir_all(dir.join("indices"));
        let new = FileStore::create(&dir, Options::default()).unwrap();
        assert_eq!(new.damage(), []);
        assert_eq!(new.append(&[Event::builder("New").build().unwrap()], None).unwrap(), [1]);
    }

    #[test]
    fn only_the_stores_own_files_are_deleted() {
        let (store, _root, dir) = store();
        drop(store);
        let others = [dir.join("note.txt"), dir.join("events/note.txt")];
        others.iter().for_each(|path| std::fs::write(path, "mine").unwrap());
        let linked = tempfile::tempdir().unwrap();
        std::fs::write(linked.path().join("kept"), "mine").unwrap();
        std::fs::create_dir(dir.join("projections")).unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(linked.path(), dir.join("projections/link")).unwrap();
        delete_store(&dir, &Options::default()).unwrap();
        assert!(others.iter().all(|path| path.exists()) && linked.path().join("kept").exists());
        let names = |dir: &Path| crate::SystemDisk.list(dir).unwrap().len();
        assert_eq!((names(&dir), names(&dir.join("events"))), (2, 1));
    }

    #[test]
    fn a_folder_that_is_no_store_is_not_deleted() {
        let dir = tempfile::tempdir().unwrap();
        let events = dir.path().join("events");
        std::fs::create_dir(&events).unwrap();
        std::fs::write(events.join("0000000001.jsonl"), "mine").unwrap();
        for path in [dir.path(), &events, &dir.path().join("missing")] {
            let refused = delete_store(path, &Options::default());
            assert!(matches!(refused, Err(StoreError::NotAStore(_))), "{refused:?}");
        }
        assert!(events.join("0000000001.jsonl").exists());
    }

    #[test]
    fn a_store_in_which_a_writer_is_at_work_is_not_deleted() {
        let (store, _root, dir) = store();
        let lock = std::fs::File::open(dir.join("store.lock")).unwrap();
        lock.lock().unwrap();
        let hasty = Options { lock_timeout: Duration::from_millis(20), ..Options::default() };
        let refused = delete_store(&dir, &hasty);
        assert!(matches!(refused, Err(StoreError::LockTimeout { .. })), "{refused:?}");
        lock.unlock().unwrap();
        assert_eq!(store.count(&Query::all()).unwrap(), 10);
    }

    #[test]
    fn a_deletion_that_was_cut_short_can_be_done_again() {
        let (store, _root, dir) = store();
        drop(store);
        let lock = crate::SystemDisk.open(&dir.join("store.lock"), Access::Write).unwrap();
        Watermark { deleted: true, ..Watermark::default() }.write(&*lock).unwrap();
        std::fs::remove_file(dir.join("events/0000000001.jsonl")).unwrap();
        let half = FileStore::open(&dir, Options::default()).unwrap_err();
        assert!(half.to_string().contains("delete it again"), "{half}");
        delete_store(&dir, &Options::default()).unwrap();
        assert!(!dir.exists());
    }
}
