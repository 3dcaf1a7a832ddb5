//! How an event lies in a key-value store: the event under its position, and an entry for each tag
//! and for the type. Used by redb and fjall.
//!
//! An index key is the tag or type, a zero byte, and the position in big-endian order, so that a
//! range of keys is the history of one tag. A tag's entry has the type as its value: what is asked
//! by type and tag touches no other events.

use std::ops::RangeInclusive;

use crate::engine::{Draft, Result, Tally};

/// The key of an index entry.
pub(crate) fn index_key(name: &str, position: u64) -> Vec<u8> {
    let mut key = Vec::with_capacity(name.len() + 9);
    key.extend_from_slice(name.as_bytes());
    key.push(0);
    key.extend_from_slice(&position.to_be_bytes());
    key
}

/// The keys of a name's entries above a position.
pub(crate) fn index_range(name: &str, after: u64) -> RangeInclusive<Vec<u8>> {
    index_key(name, after.saturating_add(1))..=index_key(name, u64::MAX)
}

/// The position at the end of an index key.
pub(crate) fn position_of(key: &[u8]) -> Result<u64> {
    let position = key.last_chunk().ok_or("an index key is too short")?;
    Ok(u64::from_be_bytes(*position))
}

/// Type and tags, each ended by a zero byte, another zero byte, and the data.
pub(crate) fn encode(draft: &Draft) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(256);
    for text in [draft.event_type].into_iter().chain(draft.tags.iter().map(String::as_str)) {
        bytes.extend_from_slice(text.as_bytes());
        bytes.push(0);
    }
    bytes.push(0);
    bytes.extend_from_slice(draft.data.as_bytes());
    bytes
}

/// Gives an encoded event to the tally.
pub(crate) fn decode(position: u64, bytes: &[u8], tally: &mut Tally) -> Result<()> {
    let end = bytes.windows(2).position(|pair| pair == [0, 0]).ok_or("an event has no data")?;
    let (head, data) = (bytes.get(..end), bytes.get(end + 2..));
    let (Some(head), Some(data)) = (head, data) else { return Err("an event is cut off".into()) };
    let mut texts = std::str::from_utf8(head)?.split('\0');
    let event_type = texts.next().unwrap_or_default();
    tally.add(position, event_type, texts, data);
    Ok(())
}
