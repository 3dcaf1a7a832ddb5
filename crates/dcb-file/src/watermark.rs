//! What the processes that have a store open tell each other: how far the log may be read.
//!
//! It is a record at the start of `store.lock`, written only by who holds the lock and read by
//! everybody without it. It describes what the running system has in its caches as well as on
//! disk, so it means nothing after a restart of the machine.

use std::io;

use crate::disk::DiskFile;

/// `OPOSSUM1`, boot id (16), head (8), segment (8), end (8), unsynced (8), writing (1), deleted
/// (1), zeros (2), CRC-32 of all before (4); numbers are little-endian.
const LEN: usize = 64;
const MAGIC: &[u8; 8] = b"OPOSSUM1";

/// A reader that meets a record half written tries again so often.
const READ_TRIES: u32 = 100;

/// How far the log may be read, and whether a writer is at work behind that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Watermark {
    /// The machine's start in which this was written; 0 where none is known.
    pub(crate) boot: u128,
    /// The highest position that may be read.
    pub(crate) head: u64,
    /// The first position of the segment in which the log ends; 0 while there is none.
    pub(crate) segment: u64,
    /// Where in that segment's file the log ends.
    pub(crate) end: u64,
    /// The first position that was written without a sync, or 0.
    pub(crate) unsynced_from: u64,
    /// A writer is at work behind the end. Who finds this while holding the lock knows that the
    /// writer died or failed.
    pub(crate) writing: bool,
    /// The store was deleted: whoever still has it open must not go on writing into files that
    /// have no name any more.
    pub(crate) deleted: bool,
}

impl Watermark {
    /// The record in a lock file, or `None` if there is no whole one.
    pub(crate) fn read(file: &dyn DiskFile) -> io::Result<Option<Self>> {
        for _ in 0..READ_TRIES {
            let mut bytes = [0; LEN];
            if file.read_at(0, &mut bytes)? < LEN {
                return Ok(None);
            }
            if let Some(watermark) = Self::decode(&bytes) {
                return Ok(Some(watermark));
            }
            std::thread::yield_now();
        }
        Ok(None)
    }

    /// Writes the record; only for who holds the lock.
    pub(crate) fn write(&self, file: &dyn DiskFile) -> io::Result<()> {
        file.write_at(0, &self.encode())
    }

    fn encode(&self) -> [u8; LEN] {
        let mut bytes = Vec::with_capacity(LEN);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&self.boot.to_le_bytes());
        for number in [self.head, self.segment, self.end, self.unsynced_from] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes.extend_from_slice(&[u8::from(self.writing), u8::from(self.deleted), 0, 0]);
        bytes.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
        bytes.try_into().unwrap_or([0; LEN])
    }

    fn decode(bytes: &[u8; LEN]) -> Option<Self> {
        let (body, crc) = bytes.split_last_chunk::<4>()?;
        if crc32fast::hash(body) != u32::from_le_bytes(*crc) {
            return None;
        }
        let (boot, rest) = body.strip_prefix(MAGIC)?.split_first_chunk::<16>()?;
        let (head, rest) = rest.split_first_chunk::<8>()?;
        let (segment, rest) = rest.split_first_chunk::<8>()?;
        let (end, rest) = rest.split_first_chunk::<8>()?;
        let (unsynced_from, rest) = rest.split_first_chunk::<8>()?;
        Some(Self {
            boot: u128::from_le_bytes(*boot),
            head: u64::from_le_bytes(*head),
            segment: u64::from_le_bytes(*segment),
            end: u64::from_le_bytes(*end),
            unsynced_from: u64::from_le_bytes(*unsynced_from),
            writing: *rest.first()? != 0,
            deleted: *rest.get(1)? != 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_reads_back_and_no_flipped_bit_passes() {
        let watermark = Watermark {
            boot: u128::MAX - 1,
            head: 17,
            segment: 1,
            end: 4711,
            unsynced_from: 3,
            writing: true,
            deleted: false,
        };
        let bytes = watermark.encode();
        assert_eq!(Watermark::decode(&bytes), Some(watermark));
        for bit in 0..LEN * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Watermark::decode(&flipped), None, "bit {bit}");
        }
    }
}
