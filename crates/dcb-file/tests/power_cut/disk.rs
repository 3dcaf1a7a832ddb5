//! A disk whose power can be cut: what was not synced survives only by chance.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use dcb_file::{Access, Disk, DiskFile};

/// The unit that a disk writes whole: an unsynced write survives sector by sector.
const SECTOR: usize = 512;

/// A file system in memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct PowerDisk(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    boot: u128,
    inodes: Vec<Inode>,
    /// The names as the running system sees them.
    names: BTreeMap<PathBuf, usize>,
    /// The names on disk, and the changes to them that are not synced yet.
    durable_names: BTreeMap<PathBuf, usize>,
    name_changes: Vec<NameChange>,
    dirs: BTreeSet<PathBuf>,
    /// How many operations have been done, and after how many the power goes.
    operations: u64,
    cut_after: Option<u64>,
    /// From which operation on a fault is injected, which, and for how many operations.
    fault: Option<Fault>,
}

/// An error that the disk gives instead of doing what it is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    /// The operation that fails, counted from 1.
    pub(crate) at: u64,
    /// Whether all operations after it fail as well.
    pub(crate) lasting: bool,
    /// What the system says.
    pub(crate) kind: io::ErrorKind,
}

#[derive(Clone, Debug, Default)]
struct Inode {
    /// What the running system sees.
    content: Vec<u8>,
    /// What is on disk for sure.
    durable: Vec<u8>,
    /// What was done since the last sync.
    unsynced: Vec<Change>,
    locked: bool,
    /// Nobody may open it for writing.
    protected: bool,
}

#[derive(Clone, Debug)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    SetLen(usize),
}

#[derive(Clone, Debug)]
enum NameChange {
    Link(PathBuf, usize),
    /// Of a file, or of a folder with all that is in it.
    Rename {
        from: PathBuf,
        to: PathBuf,
    },
    /// Of a file, or of a folder with all that is in it.
    Remove(PathBuf),
}

impl Change {
    fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Change::Write { offset, bytes } => {
                let end = offset + bytes.len();
                if content.len() < end {
                    content.resize(end, 0);
                }
                content[*offset..end].copy_from_slice(bytes);
            }
            Change::SetLen(len) => content.resize(*len, 0),
        }
    }

    /// The parts of a write that reach the disk or don't, each by itself.
    fn sectors(&self) -> Vec<Change> {
        let Change::Write { offset, bytes } = self else { return vec![self.clone()] };
        let mut parts = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            let to = ((offset + at) / SECTOR + 1) * SECTOR - offset;
            let to = to.min(bytes.len());
            parts.push(Change::Write { offset: offset + at, bytes: bytes[at..to].to_vec() });
            at = to;
        }
        parts
    }
}

impl NameChange {
    fn apply(&self, names: &mut BTreeMap<PathBuf, usize>) {
        match self {
            NameChange::Link(path, inode) => {
                names.insert(path.clone(), *inode);
            }
            NameChange::Rename { from, to } => {
                let inside: Vec<PathBuf> =
                    names.keys().filter(|path| path.starts_with(from)).cloned().collect();
                for path in inside {
                    let inode = names.remove(&path).unwrap();
                    names.insert(renamed(&path, from, to), inode);
                }
            }
            NameChange::Remove(path) => names.retain(|name, _| !name.starts_with(path)),
        }
    }

    fn dir(&self) -> Option<&Path> {
        match self {
            NameChange::Link(path, _)
            | NameChange::Rename { to: path, .. }
            | NameChange::Remove(path) => path.parent(),
        }
    }
}

/// What a path is called once a file, or a folder above it, was renamed.
fn renamed(path: &Path, from: &Path, to: &Path) -> PathBuf {
    match path.strip_prefix(from).unwrap() {
        rest if rest.as_os_str().is_empty() => to.to_owned(),
        rest => to.join(rest),
    }
}

impl State {
    fn change_name(&mut self, change: NameChange) {
        change.apply(&mut self.names);
        self.name_changes.push(change);
    }
}

impl PowerDisk {
    /// Lets the power go after so many operations.
    pub(crate) fn cut_after(&self, operations: u64) {
        self.state().cut_after = Some(operations);
    }

    /// Lets an operation fail.
    pub(crate) fn fail(&self, fault: Fault) {
        self.state().fault = Some(fault);
    }

    /// How many operations have been done.
    pub(crate) fn operations(&self) -> u64 {
        self.state().operations
    }

    /// What is left after the power went, when any part of what was not synced may have survived.
    pub(crate) fn after_power_cut(&self, random: &mut fastrand::Rng) -> PowerDisk {
        let state = self.state();
        let mut names = state.durable_names.clone();
        // A journaling file system keeps changes to names in their order: a prefix survives.
        let survive = random.usize(0..=state.name_changes.len());
        state.name_changes[..survive].iter().for_each(|change| change.apply(&mut names));
        let share = random.f64();
        let inodes: Vec<Inode> = state
            .inodes
            .iter()
            .map(|inode| {
                let mut content = inode.durable.clone();
                for part in inode.unsynced.iter().flat_map(Change::sectors) {
                    if random.f64() < share {
                        part.apply(&mut content);
                    }
                }
                let protected = inode.protected;
                Inode { durable: content.clone(), content, protected, ..Inode::default() }
            })
            .collect();
        PowerDisk(Arc::new(Mutex::new(State {
            boot: state.boot + 1,
            inodes,
            durable_names: names.clone(),
            names,
            dirs: state.dirs.clone(),
            ..State::default()
        })))
    }

    /// What is left after the process was killed: everything it did.
    pub(crate) fn after_kill(&self) -> PowerDisk {
        let state = self.state();
        let mut inodes = state.inodes.clone();
        inodes.iter_mut().for_each(|inode| inode.locked = false);
        PowerDisk(Arc::new(Mutex::new(State {
            boot: state.boot,
            inodes,
            names: state.names.clone(),
            durable_names: state.durable_names.clone(),
            name_changes: state.name_changes.clone(),
            dirs: state.dirs.clone(),
            ..State::default()
        })))
    }

    /// Changes a bit on the disk, as rot does.
    pub(crate) fn flip_a_bit_of(&self, path: &str, byte: usize) {
        let mut state = self.state();
        let inode = state.names[Path::new(path)];
        state.inodes[inode].content[byte] ^= 1;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Counts an operation; an error if the power is gone or a fault is due.
    fn operate(&self) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.state();
        state.operations += 1;
        let number = state.operations;
        if state.cut_after.is_some_and(|after| number > after) {
            return Err(io::Error::other("the power is gone"));
        }
        match state.fault {
            Some(Fault { at, lasting, kind }) if number == at || (lasting && number > at) => {
                Err(kind.into())
            }
            _ => Ok(state),
        }
    }
}

impl Disk for PowerDisk {
    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.operate()?;
        let inode = match state.names.get(path) {
            Some(inode) => *inode,
            None if access == Access::Create => {
                state.inodes.push(Inode::default());
                let inode = state.inodes.len() - 1;
                state.change_name(NameChange::Link(path.to_owned(), inode));
                inode
            }
            None => return Err(io::ErrorKind::NotFound.into()),
        };
        if access != Access::Read && state.inodes[inode].protected {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        Ok(Box::new(PowerFile { disk: self.clone(), inode, writable: access != Access::Read }))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let state = self.operate()?;
        if !state.dirs.contains(dir) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let entries = state.names.keys().chain(&state.dirs);
        let inside = entries.filter(|path| path.parent() == Some(dir));
        Ok(inside.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect())
    }

    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.operate()?;
        state.dirs.extend(dir.ancestors().map(Path::to_owned));
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.operate()?;
        // Folders are durable at once: what is in them decides what they are worth.
        let moved: Vec<PathBuf> =
            state.dirs.iter().filter(|dir| dir.starts_with(from)).cloned().collect();
        for dir in moved {
            state.dirs.insert(renamed(&dir, from, to));
        }
        state.change_name(NameChange::Rename { from: from.to_owned(), to: to.to_owned() });
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut state = self.operate()?;
        if !state.names.contains_key(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        state.change_name(NameChange::Remove(path.to_owned()));
        Ok(())
    }

    fn remove_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.operate()?;
        let entries = state.names.keys().chain(&state.dirs);
        if entries.into_iter().any(|path| path.parent() == Some(dir)) {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        state.dirs.remove(dir).then_some(()).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn remove_tree(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.operate()?;
        if !state.dirs.contains(dir) {
            return Err(io::ErrorKind::NotFound.into());
        }
        state.dirs.retain(|path| !path.starts_with(dir));
        state.change_name(NameChange::Remove(dir.to_owned()));
        Ok(())
    }

    /// It is part of what the file is, and durable at once.
    fn write_protect(&self, path: &Path) -> io::Result<()> {
        let mut state = self.operate()?;
        let inode = *state.names.get(path).ok_or(io::ErrorKind::NotFound)?;
        state.inodes[inode].protected = true;
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.operate()?;
        let changes = std::mem::take(&mut state.name_changes);
        for change in changes {
            match change.dir() == Some(dir) {
                true => change.apply(&mut state.durable_names),
                false => state.name_changes.push(change),
            }
        }
        Ok(())
    }

    fn boot_id(&self) -> Option<u128> {
        Some(self.state().boot)
    }
}

#[derive(Debug)]
struct PowerFile {
    disk: PowerDisk,
    inode: usize,
    writable: bool,
}

impl PowerFile {
    fn change(&self, change: Change) -> io::Result<()> {
        assert!(self.writable, "a file that was opened for reading is written to");
        let mut state = match self.disk.operate() {
            Ok(state) => state,
            Err(error) => {
                // A write that fails, or that the power interrupts, may be there in part.
                let mut state = self.disk.state();
                if let Some(part) = change.sectors().first() {
                    let inode = &mut state.inodes[self.inode];
                    part.apply(&mut inode.content);
                    inode.unsynced.push(part.clone());
                }
                return Err(error);
            }
        };
        let inode = &mut state.inodes[self.inode];
        change.apply(&mut inode.content);
        inode.unsynced.push(change);
        Ok(())
    }
}

impl DiskFile for PowerFile {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let state = self.disk.operate()?;
        let content = &state.inodes[self.inode].content;
        let from = usize::try_from(offset).unwrap().min(content.len());
        let count = buffer.len().min(content.len() - from);
        buffer[..count].copy_from_slice(&content[from..from + count]);
        Ok(count)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let offset = usize::try_from(offset).unwrap();
        self.change(Change::Write { offset, bytes: bytes.to_vec() })
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = match self.disk.operate() {
            Ok(state) => state,
            Err(error) => {
                let mut state = self.disk.state();
                // The system forgets what it could not write: it still shows it, and no later sync
                // writes it.
                if state.cut_after.is_none() {
                    let unsynced = &mut state.inodes[self.inode].unsynced;
                    unsynced.retain(|change| matches!(change, Change::SetLen(_)));
                }
                return Err(error);
            }
        };
        let Inode { durable, unsynced, .. } = &mut state.inodes[self.inode];
        unsynced.drain(..).for_each(|change| change.apply(durable));
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.change(Change::SetLen(usize::try_from(len).unwrap()))
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.disk.operate()?.inodes[self.inode].content.len() as u64)
    }

    fn try_lock(&self) -> io::Result<bool> {
        let mut state = self.disk.operate()?;
        let inode = &mut state.inodes[self.inode];
        Ok(!std::mem::replace(&mut inode.locked, true))
    }

    fn unlock(&self) -> io::Result<()> {
        // The lock falls with the process, also when the power is gone.
        self.disk.state().inodes[self.inode].locked = false;
        Ok(())
    }
}
