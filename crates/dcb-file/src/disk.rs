//! The one door to the file system.
//!
//! Everything the store does to files goes through [`Disk`], so that tests can cut the power at
//! every operation, lose any unsynced write, or return any error.

use std::fmt::Debug;
use std::fs::{File, OpenOptions};
use std::io;
use std::ops::Range;
use std::path::Path;

use fs4::FileExt;

/// A file system, as far as a store needs one.
pub trait Disk: Debug + Send + Sync {
    /// Opens a file. With [`Access::Create`] it is made if it is missing.
    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn DiskFile>>;

    /// The names in a folder, in no particular order.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;

    /// Makes a folder and those above it, and their names durable; it is no error if it is there.
    fn create_dir(&self, dir: &Path) -> io::Result<()>;

    /// Gives a file another name, replacing the file that had it; or a folder with all that is in
    /// it, if nothing has that name or an empty folder.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file, or the link to one, also if it is write-protected.
    fn remove_file(&self, path: &Path) -> io::Result<()>;

    /// Removes a folder if it is empty.
    fn remove_dir(&self, dir: &Path) -> io::Result<()>;

    /// Removes a folder and all that is in it; links are removed, not followed.
    fn remove_tree(&self, dir: &Path) -> io::Result<()>;

    /// Takes the right to write a file away from everybody, so that none is changed by mistake.
    fn write_protect(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in a folder durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// A number that changes with every start of the machine, or `None` where none is known. What
    /// was written but not synced outlives a process, but not the machine.
    fn boot_id(&self) -> Option<u128>;
}

/// What a file is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reading.
    Read,
    /// Reading and writing; the file must be there.
    Write,
    /// Reading and writing; the file is made if it is missing.
    Create,
}

/// An open file.
pub trait DiskFile: Debug + Send + Sync {
    /// Reads up to `buffer.len()` bytes at an offset; fewer only at the end of the file.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;

    /// Writes all the bytes at an offset. After an error any part of them may be there.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Makes the bytes and the length durable.
    fn sync(&self) -> io::Result<()>;

    /// Cuts the file off or lengthens it with zeros.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// How long the file is, in bytes.
    fn size(&self) -> io::Result<u64>;

    /// Shows the first `len` bytes of the file, also those that are only going to be there, without
    /// copying them; `None` where that is not to be had, and they are read instead.
    fn map(&self, len: u64) -> Option<Box<dyn Mapping>> {
        let _ = len;
        None
    }

    /// Takes the exclusive lock if nobody else has it, also no other process; says whether it did.
    /// It falls when the file is closed, also by the end of the process.
    fn try_lock(&self) -> io::Result<bool>;

    /// Gives the lock back.
    fn unlock(&self) -> io::Result<()>;
}

/// A file's bytes, shown where the system keeps them.
pub trait Mapping: Debug + Send + Sync {
    /// The bytes of a range that is within the file and is not written any more, as long as the
    /// file is not cut off before its end; `None` if the mapping does not reach that far.
    fn bytes(&self, range: Range<u64>) -> Option<&[u8]>;

    /// Tells the system that a range is going to be read, so that it fetches it meanwhile.
    fn will_need(&self, range: Range<u64>);

    /// Tells the system that none of the bytes will be read soon: they count no longer as memory of
    /// this process. Whoever reads them all the same has them as before, a little later.
    fn release(&self);
}

/// The folder in which a path's last name stands.
pub(crate) fn parent_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The file system of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemDisk;

impl Disk for SystemDisk {
    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn DiskFile>> {
        let write = access != Access::Read;
        let create = access == Access::Create;
        let file = OpenOptions::new().read(true).write(write).create(create).open(path)?;
        Ok(Box::new(SystemFile(file)))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        std::fs::read_dir(dir)?
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect()
    }

    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        if dir.is_dir() {
            return Ok(());
        }
        let parent = parent_of(dir);
        self.create_dir(parent)?;
        match std::fs::create_dir(dir) {
            // Somebody else was faster, and may not have come to the sync.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && dir.is_dir() => {}
            made => made?,
        }
        self.sync_dir(parent)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        // Only Windows minds what the file itself allows.
        #[cfg(windows)]
        if let Ok(metadata) = std::fs::symlink_metadata(path) {
            let mut permissions = metadata.permissions();
            permissions.set_readonly(false);
            std::fs::set_permissions(path, permissions)?;
        }
        std::fs::remove_file(path)
    }

    fn remove_dir(&self, dir: &Path) -> io::Result<()> {
        std::fs::remove_dir(dir)
    }

    fn remove_tree(&self, dir: &Path) -> io::Result<()> {
        std::fs::remove_dir_all(dir)
    }

    fn write_protect(&self, path: &Path) -> io::Result<()> {
        let mut permissions = std::fs::metadata(path)?.permissions();
        permissions.set_readonly(true);
        std::fs::set_permissions(path, permissions)
    }

    #[cfg(unix)]
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }

    /// Windows has no sync of a folder; NTFS journals its names.
    #[cfg(not(unix))]
    fn sync_dir(&self, _dir: &Path) -> io::Result<()> {
        Ok(())
    }

    fn boot_id(&self) -> Option<u128> {
        let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        u128::from_str_radix(&text.trim().replace('-', ""), 16).ok()
    }
}

#[derive(Debug)]
struct SystemFile(File);

impl DiskFile for SystemFile {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match positioned::read(&self.0, rest, offset + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        positioned::write_all(&self.0, bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    /// Elsewhere a mapping cannot reach beyond the end of a file that is going to grow.
    #[cfg(unix)]
    fn map(&self, len: u64) -> Option<Box<dyn Mapping>> {
        let len = usize::try_from(len).ok()?;
        let map = memmap2::MmapOptions::new().len(len).map_raw_read_only(&self.0).ok()?;
        Some(Box::new(SystemMapping(map)))
    }

    fn try_lock(&self) -> io::Result<bool> {
        match FileExt::try_lock(&self.0) {
            Ok(()) => Ok(true),
            Err(fs4::TryLockError::WouldBlock) => Ok(false),
            Err(fs4::TryLockError::Error(error)) => Err(error),
        }
    }

    fn unlock(&self) -> io::Result<()> {
        FileExt::unlock(&self.0)
    }
}

#[cfg(unix)]
#[derive(Debug)]
struct SystemMapping(memmap2::MmapRaw);

#[cfg(unix)]
impl Mapping for SystemMapping {
    /// A slice is made only of the bytes that are asked for, because others in the same mapping may
    /// be written at the same moment.
    #[allow(unsafe_code, reason = "bytes of a mapping can only be had by their address")]
    fn bytes(&self, range: Range<u64>) -> Option<&[u8]> {
        let (start, end) = (usize::try_from(range.start).ok()?, usize::try_from(range.end).ok()?);
        if start > end || end > self.0.len() {
            return None;
        }
        // SAFETY: the range is within the mapping, which lives as long as `self`. That it is within
        // the file and not written any more is the caller's promise: event files only grow, behind
        // what was read before, and index files are replaced, never changed. If somebody else cuts
        // the file off all the same, the system ends the process, as it does when the disk fails
        // under a mapping.
        Some(unsafe { std::slice::from_raw_parts(self.0.as_ptr().add(start), end - start) })
    }

    fn will_need(&self, range: Range<u64>) {
        let (Ok(start), Ok(end)) = (usize::try_from(range.start), usize::try_from(range.end))
        else {
            return;
        };
        // It is only a hint.
        let _ = self.0.advise_range(memmap2::Advice::WillNeed, start, end.saturating_sub(start));
    }

    #[allow(unsafe_code, reason = "of memory that is not a file's, this would take the contents")]
    fn release(&self) {
        // SAFETY: the mapping shows a file and is never written through, so that the same bytes come
        // back from the file when they are looked at again, also through slices that are lent now.
        let _ = unsafe { self.0.unchecked_advise(memmap2::UncheckedAdvice::DontNeed) };
    }
}

#[cfg(unix)]
mod positioned {
    use std::fs::File;
    use std::io;
    use std::os::unix::fs::FileExt;

    pub(super) fn read(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        file.read_at(buffer, offset)
    }

    pub(super) fn write_all(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
        file.write_all_at(bytes, offset)
    }
}

#[cfg(windows)]
mod positioned {
    use std::fs::File;
    use std::io;
    use std::os::windows::fs::FileExt;

    pub(super) fn read(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        file.seek_read(buffer, offset)
    }

    pub(super) fn write_all(file: &File, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
        while !bytes.is_empty() {
            match file.seek_write(bytes, offset)? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                count => {
                    bytes = bytes.get(count..).unwrap_or_default();
                    offset += count as u64;
                }
            }
        }
        Ok(())
    }
}
