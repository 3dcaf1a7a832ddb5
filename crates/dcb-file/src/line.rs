//! A line of an event file: how it is written, checked and read. `docs/format.md` is its
//! specification.
//!
//! ```text
//! {"position":17,"type":"T","tags":["k:v"],"data":{…},"metadata":{…},"crc":"9f3a11c2"}
//! ```
//!
//! The last line of a commit also carries `"commit":{"first":…,"group":…,"hash":"…"}` before `crc`.

use std::fmt;
use std::io::Write as _;

use chrono::{DateTime, SecondsFormat, Utc};
use dcb::{Event, EventRef, MetadataRef, StoreError, Tag, Tags};
use memchr::memmem;
use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

/// `,"crc":"` and `"}` around eight hex digits end every sealed line.
const CRC_OPEN: &str = ",\"crc\":\"";
const CRC_TAIL_LEN: usize = CRC_OPEN.len() + 8 + 2;

/// `,"hash":"`, 64 hex digits and `"}`: what of a commit's last line stands between the bytes that
/// the hash covers and the crc.
const HASH_OPEN: &str = ",\"hash\":\"";
const HASH_TAIL_LEN: usize = HASH_OPEN.len() + 64 + 2;

/// Where a recorded event's metadata begins. The id always comes first, so this text can stand
/// elsewhere in a line only by the will of its writer; then the line is read the slow way.
const METADATA_OPEN: &str = ",\"metadata\":{\"id\":\"";

/// `{"id":"`, 36 characters, `","timestamp":"`: where in the metadata the timestamp stands.
const TIMESTAMP_OFFSET: usize = 7 + 36 + 15;

/// The SHA-256 of a commit, chained to the one before it; as the 64 lower-case hex digits that are
/// stored, because that is what the next commit's hash covers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct ChainHash([u8; 64]);

impl ChainHash {
    /// What the first commit is chained to.
    pub(crate) const START: Self = Self([b'0'; 64]);

    /// The hash of a commit: over the hash before it and the commit's bytes up to `,"hash"`.
    pub(crate) fn next(&self, commit_bytes: &[u8]) -> Self {
        let digest = Sha256::new().chain_update(self.0).chain_update(commit_bytes).finalize();
        let mut hex = [0; 64];
        for (pair, byte) in hex.chunks_exact_mut(2).zip(digest) {
            pair.copy_from_slice(&[hex_digit(byte >> 4), hex_digit(byte & 15)]);
        }
        Self(hex)
    }

    /// The 64 hex digits.
    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let hex: [u8; 64] = text.as_bytes().try_into().ok()?;
        hex.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')).then_some(Self(hex))
    }
}

impl fmt::Debug for ChainHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Ends a JSON object that is still open with the checksum of its bytes from `start`, and a newline.
pub(crate) fn seal(out: &mut Vec<u8>, start: usize) {
    let crc = crc32fast::hash(out.get(start..).unwrap_or_default());
    out.extend_from_slice(CRC_OPEN.as_bytes());
    out.extend_from_slice(&hex8(crc));
    out.extend_from_slice(b"\"}\n");
}

/// The bytes in front of a sealed line's checksum (an object still open), if the checksum is
/// right. `line` is without its newline.
pub(crate) fn unseal(line: &[u8]) -> Option<&[u8]> {
    let (body, tail) = line.split_at_checked(line.len().checked_sub(CRC_TAIL_LEN)?)?;
    let stored = tail.strip_prefix(CRC_OPEN.as_bytes())?.strip_suffix(b"\"}")?;
    (stored == hex8(crc32fast::hash(body))).then_some(body)
}

fn hex8(crc: u32) -> [u8; 8] {
    let mut digits = [0; 8];
    for (index, digit) in digits.iter_mut().rev().enumerate() {
        let [nibble, ..] = (crc >> (4 * index)).to_le_bytes();
        *digit = hex_digit(nibble & 15);
    }
    digits
}

fn hex_digit(nibble: u8) -> u8 {
    match nibble {
        0..10 => b'0' + nibble,
        _ => b'a' + (nibble - 10),
    }
}

/// Events encoded before the lock is taken: all but position, time, commit and checksum.
#[derive(Debug)]
pub(crate) struct Encoded {
    events: Vec<EncodedEvent>,
}

#[derive(Debug)]
struct EncodedEvent {
    /// From `,"type"` to the closing brace of the metadata.
    body: Vec<u8>,
    /// Where in `body` the timestamp's text starts.
    timestamp_at: usize,
    /// The recording time that the caller suggests.
    given: Option<DateTime<Utc>>,
}

/// What a commit needs to know about what was recorded before it.
pub(crate) struct CommitContext {
    /// The position of the commit's first event.
    pub(crate) first: u64,
    /// The position of the first event of the group that is written with it.
    pub(crate) group: u64,
    /// The hash of the commit before.
    pub(crate) previous: ChainHash,
    /// The time now.
    pub(crate) now: DateTime<Utc>,
    /// The recording time of the event before.
    pub(crate) last_time: DateTime<Utc>,
}

/// A commit as it is written, and what the next one needs to know about it.
pub(crate) struct CommitBytes {
    pub(crate) bytes: Vec<u8>,
    pub(crate) hash: ChainHash,
    pub(crate) last_time: DateTime<Utc>,
}

impl Encoded {
    /// Encodes what does not depend on where the events will stand.
    pub(crate) fn new(events: &[Event]) -> Result<Self, serde_json::Error> {
        let events: Result<_, serde_json::Error> = events.iter().map(EncodedEvent::new).collect();
        Ok(Self { events: events? })
    }

    /// How many events there are.
    pub(crate) fn len(&self) -> u64 {
        self.events.len() as u64
    }

    /// The commit's lines. Times are raised to that of the event before and lowered to now.
    pub(crate) fn commit(&self, context: &CommitContext) -> CommitBytes {
        let size: usize = self.events.iter().map(|event| event.body.len() + 64).sum();
        let mut bytes = Vec::with_capacity(size + 160);
        let mut time = context.last_time;
        let mut hash = context.previous;
        for (position, (index, event)) in (context.first..).zip(self.events.iter().enumerate()) {
            let start = bytes.len();
            // Writing to a Vec cannot fail.
            let _ = write!(bytes, "{{\"position\":{position}");
            let body_at = bytes.len();
            bytes.extend_from_slice(&event.body);
            time = time.max(event.given.map_or(context.now, |given| given.min(context.now)));
            let text = time.to_rfc3339_opts(SecondsFormat::Micros, true);
            let at = body_at + event.timestamp_at;
            if let Some(place) = bytes.get_mut(at..at + text.len()) {
                place.copy_from_slice(text.as_bytes());
            }
            if index + 1 == self.events.len() {
                let (first, group) = (context.first, context.group);
                let _ = write!(bytes, ",\"commit\":{{\"first\":{first},\"group\":{group}");
                hash = context.previous.next(&bytes);
                let _ = write!(bytes, "{HASH_OPEN}{}\"}}", hash.as_str());
            }
            seal(&mut bytes, start);
        }
        CommitBytes { bytes, hash, last_time: time }
    }
}

impl EncodedEvent {
    fn new(event: &Event) -> Result<Self, serde_json::Error> {
        let mut body = Vec::with_capacity(320 + event.data.as_str().len());
        body.extend_from_slice(b",\"type\":");
        serde_json::to_writer(&mut body, &event.event_type)?;
        body.extend_from_slice(b",\"tags\":");
        serde_json::to_writer(&mut body, &event.tags)?;
        body.extend_from_slice(b",\"data\":");
        body.extend_from_slice(event.data.as_str().as_bytes());
        body.extend_from_slice(b",\"metadata\":");
        let timestamp_at = body.len() + TIMESTAMP_OFFSET;
        let mut metadata = event.metadata.clone();
        let given = metadata.timestamp.replace(DateTime::UNIX_EPOCH);
        serde_json::to_writer(&mut body, &metadata)?;
        Ok(Self { body, timestamp_at, given })
    }
}

/// What the last line of a commit says about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CommitMark {
    pub(crate) first: u64,
    pub(crate) group: u64,
    pub(crate) hash: ChainHash,
}

/// A line whose checksum is right and whose shape is known.
#[derive(Debug)]
pub(crate) struct Line<'a> {
    pub(crate) position: u64,
    event_type: Text<'a>,
    tags: TagText<'a>,
    data: &'a str,
    pub(crate) metadata: &'a str,
    pub(crate) commit: Option<CommitMark>,
}

#[derive(Debug)]
enum Text<'a> {
    Plain(&'a str),
    Unescaped(String),
}

#[derive(Debug)]
enum TagText<'a> {
    Plain(&'a str),
    Parsed(Vec<Tag>),
}

/// Type and tags of a line that has escapes in them.
#[derive(Debug, Default)]
pub(crate) struct Unescaped {
    event_type: String,
    tags: Vec<Tag>,
}

impl<'a> Line<'a> {
    /// Checks and splits a line, given without its newline. `None` means that it is not, byte for
    /// byte, a line that a store wrote.
    pub(crate) fn parse(line: &'a [u8]) -> Option<Self> {
        let body = std::str::from_utf8(unseal(line)?).ok()?;
        let (body, commit) = split_commit(body);
        Self::parse_plain(body, commit).or_else(|| Self::parse_any(body, commit))
    }

    /// The common case: no escapes in type and tags, and no look-alike of the metadata's start.
    /// Nothing is parsed but what is looked for.
    fn parse_plain(body: &'a str, commit: Option<CommitMark>) -> Option<Self> {
        let rest = body.strip_prefix("{\"position\":")?;
        let (position, rest) = rest.split_once(",\"type\":\"")?;
        let (event_type, rest) = rest.split_once("\",\"tags\":[")?;
        let (tags, rest) = rest.split_once("],\"data\":")?;
        if event_type.contains(['\\', '"']) || tags.contains('\\') {
            return None;
        }
        let mut starts = memmem::find_iter(rest.as_bytes(), METADATA_OPEN);
        let metadata_at = starts.next()?;
        if starts.next().is_some() {
            return None;
        }
        let (data, metadata) = rest.split_at_checked(metadata_at)?;
        Some(Self {
            position: position.parse().ok()?,
            event_type: Text::Plain(event_type),
            tags: TagText::Plain(tags),
            data,
            metadata: metadata.strip_prefix(",\"metadata\":")?,
            commit,
        })
    }

    fn parse_any(body: &'a str, commit: Option<CommitMark>) -> Option<Self> {
        #[derive(Deserialize)]
        struct Any<'a> {
            position: u64,
            r#type: String,
            tags: Vec<Tag>,
            #[serde(borrow)]
            data: &'a RawValue,
            #[serde(borrow)]
            metadata: &'a RawValue,
        }
        // The body is an object whose closing brace stands behind the checksum.
        let mut closed = String::with_capacity(body.len() + 1);
        closed.push_str(body);
        closed.push('}');
        let any: Any<'_> = serde_json::from_str(&closed).ok()?;
        let within = |part: &RawValue| {
            let at = part.get().as_ptr() as usize - closed.as_ptr() as usize;
            body.get(at..at + part.get().len())
        };
        Some(Self {
            position: any.position,
            data: within(any.data)?,
            metadata: within(any.metadata)?,
            event_type: Text::Unescaped(any.r#type),
            tags: TagText::Parsed(any.tags),
            commit,
        })
    }

    /// The event, borrowed from the line's bytes and from `unescaped`, which takes in what had to be
    /// made from them.
    pub(crate) fn into_event<'e>(self, unescaped: &'e mut Unescaped) -> EventRef<'e>
    where
        'a: 'e,
    {
        let event_type = match self.event_type {
            Text::Plain(text) => text,
            Text::Unescaped(text) => {
                unescaped.event_type = text;
                &unescaped.event_type
            }
        };
        let tags = match self.tags {
            TagText::Plain(inside) => Tags::from_plain_json(inside),
            TagText::Parsed(tags) => {
                unescaped.tags = tags;
                Tags::from_slice(&unescaped.tags)
            }
        };
        let metadata = MetadataRef::Text(self.metadata);
        EventRef { position: self.position, event_type, tags, data: self.data, metadata }
    }

    /// The event, borrowed from the line.
    pub(crate) fn event(&self) -> EventRef<'_> {
        EventRef {
            position: self.position,
            event_type: match &self.event_type {
                Text::Plain(text) => text,
                Text::Unescaped(text) => text,
            },
            tags: match &self.tags {
                TagText::Plain(inside) => Tags::from_plain_json(inside),
                TagText::Parsed(tags) => Tags::from_slice(tags),
            },
            data: self.data,
            metadata: MetadataRef::Text(self.metadata),
        }
    }

    /// The recording time.
    pub(crate) fn timestamp(&self) -> Option<DateTime<Utc>> {
        let text = self.metadata.get(TIMESTAMP_OFFSET..)?.split('"').next()?;
        text.parse().ok()
    }
}

/// Splits off the commit mark, where there is one. It ends in one brace, its own: inside the
/// metadata it would be followed by that of the metadata.
fn split_commit(body: &str) -> (&str, Option<CommitMark>) {
    let split = || {
        let (front, tail) = body.split_at_checked(body.len().checked_sub(HASH_TAIL_LEN)?)?;
        let hash = tail.strip_prefix(HASH_OPEN)?.strip_suffix("\"}")?;
        let at = front.rfind(",\"commit\":{\"first\":")?;
        let (event, mark) = front.split_at_checked(at)?;
        let (first, group) =
            mark.strip_prefix(",\"commit\":{\"first\":")?.split_once(",\"group\":")?;
        let (first, group) = (first.parse().ok()?, group.parse().ok()?);
        Some((event, CommitMark { first, group, hash: ChainHash::parse(hash)? }))
    };
    match split() {
        Some((event, mark)) => (event, Some(mark)),
        None => (body, None),
    }
}

/// How many bytes of a commit's last line, newline included, its hash does not cover.
pub(crate) const UNHASHED_TAIL_LEN: usize = HASH_TAIL_LEN + CRC_TAIL_LEN + 1;

/// The error for an event that serde cannot write.
pub(crate) fn unwritable(error: &serde_json::Error) -> StoreError {
    StoreError::Io {
        action: "encoding an event as JSON".into(),
        source: std::io::Error::other(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context() -> CommitContext {
        CommitContext {
            first: 7,
            group: 7,
            previous: ChainHash::START,
            now: dcb::recording_time(),
            last_time: DateTime::UNIX_EPOCH,
        }
    }

    fn lines(events: &[Event]) -> Vec<u8> {
        Encoded::new(events).unwrap().commit(&context()).bytes
    }

    fn awkward_events() -> Vec<Event> {
        let look_alike =
            r#"{"x":{"a":1,"metadata":{"id":"0"}},"commit":{"first":1,"group":1,"hash":"0"}}"#;
        vec![
            Event::builder("Plain").tag("k", "v").tag("k", "w").data(&[1, 2]).build().unwrap(),
            Event::builder("Quote\"d").tag("k", "a\"],\"data\":b").build().unwrap(),
            Event::builder("T").tag("k", "back\\slash").data_text(look_alike).build().unwrap(),
            Event::builder("T")
                .metadata("commit", serde_json::json!({"first":1,"group":1,"hash":"0".repeat(64)}))
                .build()
                .unwrap(),
        ]
    }

    #[test]
    fn a_commit_reads_back_as_it_was_written() {
        let events = awkward_events();
        let bytes = lines(&events);
        let text = std::str::from_utf8(&bytes).unwrap();
        let parsed: Vec<Line<'_>> =
            text.lines().map(|line| Line::parse(line.as_bytes()).expect(line)).collect();
        assert_eq!(parsed.len(), events.len());
        for (index, (line, sent)) in parsed.iter().zip(&events).enumerate() {
            let mut got = line.event().to_owned().unwrap();
            assert_eq!(got.position, 7 + index as u64);
            assert_eq!(got.event.metadata.timestamp, line.timestamp());
            got.event.metadata.timestamp = None;
            assert_eq!(&got.event, sent);
            assert_eq!(line.commit.is_some(), index + 1 == events.len());
        }
        let mark = parsed.last().unwrap().commit.unwrap();
        assert_eq!((mark.first, mark.group), (7, 7));
        assert_eq!(mark.hash, ChainHash::START.next(&bytes[..bytes.len() - UNHASHED_TAIL_LEN]));
    }

    #[test]
    fn a_line_is_json_and_its_fields_come_in_the_written_order() {
        let bytes = lines(&awkward_events()[..1]);
        let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(value["position"], 7);
        assert_eq!(value["tags"][1], "k:w");
        assert!(bytes.starts_with(
            br#"{"position":7,"type":"Plain","tags":["k:v","k:w"],"data":[1,2],"metadata":{"id":""#
        ));
        assert!(bytes.ends_with(b"\"}\n"));
    }

    #[test]
    fn no_single_flipped_bit_is_taken_for_a_line() {
        let bytes = lines(&awkward_events()[..1]);
        let line = &bytes[..bytes.len() - 1];
        for bit in 0..line.len() * 8 {
            let mut flipped = line.to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(Line::parse(&flipped).is_none(), "bit {bit}");
        }
    }

    #[test]
    fn random_bytes_are_no_line() {
        let mut random = fastrand::Rng::with_seed(1);
        for length in 0..400 {
            let bytes: Vec<u8> = (0..length).map(|_| random.u8(..)).collect();
            assert!(Line::parse(&bytes).is_none());
        }
    }
}
