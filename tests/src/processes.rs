//! What the processes that share a store in a test agree on.

use dcb::SequencedEvent;
use dcb_file::Options;
use serde::{Deserialize, Serialize};

/// What every event says of the commit that it is part of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// Which commit it is: the name of its writer, and its number there.
    pub id: String,
    /// The counter's value, or which part of the commit this is, from 1.
    pub number: u64,
    /// How many events the commit has.
    pub of: u64,
}

impl Written {
    /// What an event says.
    pub fn of(event: &SequencedEvent) -> Self {
        #[derive(Deserialize)]
        struct Data {
            written: Written,
        }
        let data: Data = serde_json::from_str(event.event.data.as_str()).expect("data as written");
        data.written
    }
}

/// How every process opens the store: with segments that are soon full.
pub fn options(flush: bool) -> Options {
    Options { flush, segment_bytes: 256 * 1024, ..Options::default() }
}
