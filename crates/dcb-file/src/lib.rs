//! The event store in a folder: readable lines, one write and one fdatasync per commit, any number
//! of processes, no server.
//!
//! ```
//! use dcb::{Event, EventStore, Query, ReadOptions};
//! use dcb_file::{FileStore, Options};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let dir = folder.path().join("shop");
//! let store = FileStore::create(&dir, Options::default())?;
//! let sold = Event::builder("ProductSold").tag("product", "22423").data(&"one").build()?;
//! let positions = store.append(&[sold], None)?; // durable when it returns
//! assert_eq!(positions, [1]);
//!
//! let milk = Query::tags(["product:22423".parse()?])?;
//! let mut events = store.read(&milk, ReadOptions::default())?;
//! assert_eq!(events.next().transpose()?.map(|event| event.position), Some(1));
//! # Ok(())
//! # }
//! ```
//!
//! The folder is the interface: `docs/format.md` says what every byte in it means, and any line of
//! it can be read with `grep` and `jq`. Beyond the contract of [`dcb::EventStore`] this store
//! promises that positions start at 1 and have no gaps.
//!
//! # Watching it
//!
//! [`counters`](dcb::EventStore::counters) tells what this process has done. With a `tracing` subscriber there are
//! spans for a group (`append`), its `sync`, `recovery`, `index_load` and `index_write`, and events
//! for reads and for waiting for the lock; at the levels debug and trace, but for recovery (info) and
//! what went wrong (warn). Without one they cost a comparison each.
//!
//! # What is deliberately absent
//!
//! No background threads: appends run on the callers' threads. No repair: a torn end is dropped
//! and kept aside ([`FileStore::recovery`]), damage is told and left alone
//! ([`FileStore::damage`], [`verify`]).

mod added_tags;
mod admin;
mod archive;
mod copy;
mod counters;
mod cursor;
mod disk;
#[cfg(feature = "fuzz")]
#[doc(hidden)]
pub mod fuzz;
mod index;
mod line;
mod log;
mod meta;
pub mod opossum;
mod recovery;
mod reindex;
mod scan;
mod segment;
mod staging;
mod stats;
mod store;
mod verify;
mod walk;
mod watermark;

pub use admin::{InvalidStoreName, delete_store, store_dir};
pub use archive::{Archived, archive};
pub use copy::{backup, restore};
pub use disk::{Access, Disk, DiskFile, Mapping, SystemDisk};
pub use log::Damage;
pub use recovery::Recovery;
pub use reindex::{Reindexed, reindex};
pub use stats::Stats;
pub use store::{FileStore, Options};
pub use verify::{Report, Torn, verify, verify_with_progress};
pub use walk::Progress;
