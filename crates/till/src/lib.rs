//! The application: a till on a shop's history, and everything that can be done at it.
//!
//! [`Till`] carries out the commands of [`pos`] and keeps the views that queries look at.
//! [`OPERATIONS`] declares each command and query once, by name, from JSON to JSON: the desktop
//! shell, the web host and the command line call nothing else. [`mod@demo`], [`ProductImport`] and
//! [`mod@replay`] fill a shop through the same commands.
//!
//! ```
//! use std::sync::Arc;
//! use till::{Operation, SystemClock, Till};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let store = Arc::new(dcb::MemoryStore::new());
//! let clock = SystemClock::beside(store.clone());
//! let till = Till::open(store, clock, pos::TillId::new("T1")?, pos::UserId::new("ann")?);
//! till::demo::demo(&till)?;
//!
//! let call = |name: &str, input: &str| Operation::find(name)?.run(&till, input);
//! call("open_shift", r#"{"requestId":"018f3c5e-0000-7000-8000-000000000001","float":5000}"#)?;
//! let umbrella = r#"{
//!     "requestId": "018f3c5e-0000-7000-8000-000000000002",
//!     "lines": [{"product": "85014B", "quantity": 1000}],
//!     "payments": [{"tender": "cash", "amount": 1000}]
//! }"#;
//! let receipt = call("checkout", umbrella)?;
//! assert!(receipt.as_str().contains(r#""receipt":"T1-1""#));
//! assert!(receipt.as_str().contains(r#""change":405"#));
//! assert_eq!(call("checkout", umbrella)?, receipt); // sent twice, sold once
//!
//! let three = r#"{
//!     "requestId": "018f3c5e-0000-7000-8000-000000000003",
//!     "lines": [{"product": "85014B", "quantity": 3000}],
//!     "payments": [{"tender": "card", "amount": 1785}]
//! }"#;
//! let refused = call("checkout", three).err().ok_or("there is only one left")?;
//! assert_eq!(refused.to_string(), "Only 1 left of Red Retrospot Umbrella. Remove 2.");
//! # Ok(())
//! # }
//! ```
//!
//! # What is deliberately absent
//!
//! No printing, no scanner, no window: a host brings those. No async: a host that has a runtime
//! calls a till on a blocking thread. No time of its own: it comes from a [`Clock`].

pub mod balances;
pub mod carts;
mod credentials;
mod decimal;
pub mod demo;
mod error;
mod folder;
mod import;
mod lease;
mod nearest;
mod operations;
pub mod queries;
pub mod reasons;
pub mod receipts;
pub mod recent;
pub mod replay;
pub mod retail;
pub mod search;
mod setup;
pub mod shifts;
pub mod staff;
mod table;
#[cfg(test)]
mod testing;
mod till;
mod typescript;
mod view;

pub use credentials::{InvalidPin, MAX_PIN_DIGITS, MIN_PIN_DIGITS, Pin};
pub use error::{ErrorCode, Fault, TillError};
pub use folder::data_folder;
pub use import::ProductImport;
pub use lease::Lease;
pub use operations::{Access, Description, Draft, Kind, OPERATIONS, Operation, typescript};
pub use table::{Rejected, TableError};
pub use till::{Clock, SystemClock, Till};
