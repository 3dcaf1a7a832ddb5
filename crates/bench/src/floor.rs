//! The floor: what the disk alone makes possible. A file of zeros is overwritten from front to back,
//! so that `fdatasync` has nothing but data to write.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::engine::Result;

/// About what an event of this benchmark takes in a binary encoding.
pub(crate) const RECORD_BYTES: usize = 256;

const FILE_BYTES: u64 = 64 << 20;

pub(crate) struct Floor {
    group: Mutex<Group>,
    /// Told when a group is durable.
    written: Condvar,
}

/// The group of records that waits while the one before it is written.
struct Group {
    /// `None` while a leader writes with it.
    file: Option<Preallocated>,
    waiting: Vec<u8>,
    /// The number of the group that waits.
    number: u64,
    /// The number of the last group that is durable.
    durable: u64,
}

struct Preallocated {
    file: File,
    offset: u64,
}

impl Floor {
    pub(crate) fn new(path: &Path) -> Result<Self> {
        let mut file = File::create(path)?;
        let zeros = vec![0; 1 << 20];
        while file.stream_position()? < FILE_BYTES {
            file.write_all(&zeros)?;
        }
        file.sync_all()?;
        let file = Some(Preallocated { file, offset: FILE_BYTES });
        let group = Group { file, waiting: Vec::new(), number: 1, durable: 0 };
        Ok(Self { group: Mutex::new(group), written: Condvar::new() })
    }

    /// Returns when the bytes are durable, together with those of every other thread that came
    /// while the group before was being written: whoever finds nobody writing writes for all.
    pub(crate) fn write(&self, bytes: &[u8]) -> Result<()> {
        let mut group = self.lock();
        group.waiting.extend_from_slice(bytes);
        let own = group.number;
        while group.durable < own {
            let Some(mut file) = group.file.take() else {
                group = self.written.wait(group).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let bytes = std::mem::take(&mut group.waiting);
            let number = group.number;
            group.number += 1;
            drop(group);
            let outcome = file.write(&bytes);
            group = self.lock();
            group.file = Some(file);
            self.written.notify_all();
            outcome?;
            group.durable = number;
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Group> {
        self.group.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Preallocated {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let bytes_len = bytes.len() as u64;
        if self.offset + bytes_len > FILE_BYTES {
            self.offset = self.file.seek(SeekFrom::Start(0))?;
        }
        self.file.write_all(bytes)?;
        self.offset += bytes_len;
        Ok(self.file.sync_data()?)
    }
}
