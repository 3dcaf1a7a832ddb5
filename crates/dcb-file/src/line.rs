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
use std::ops::Range;
use std::sync::LazyLock;

use chrono::{DateTime, SecondsFormat, Utc};
use dcb::{Event, EventRef, MetadataRef, StoreError, Tag, Tags};
use memchr::memmem::Finder;
use memchr::{memchr, memchr_iter, memchr2};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use uuid::Uuid;

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

static METADATA_START: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(METADATA_OPEN));

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
        let mut digits = [0; 64];
        hex(&digest, &mut digits);
        Self(digits)
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
    hex(&crc.to_be_bytes(), &mut digits);
    digits
}

/// Writes each byte as two lower-case digits.
fn hex(bytes: &[u8], digits: &mut [u8]) {
    #[allow(clippy::indexing_slicing, reason = "it is evaluated by the compiler")]
    const PAIRS: [[u8; 2]; 256] = {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut pairs = [[0; 2]; 256];
        let mut byte = 0;
        while byte < 256 {
            pairs[byte] = [DIGITS[byte >> 4], DIGITS[byte & 15]];
            byte += 1;
        }
        pairs
    };
    for (pair, byte) in digits.chunks_exact_mut(2).zip(bytes) {
        pair.copy_from_slice(PAIRS.get(usize::from(*byte)).unwrap_or(&[0; 2]));
    }
}

/// Events encoded before the lock is taken: all but position, time, commit and checksum.
#[derive(Debug)]
pub(crate) struct Encoded {
    /// Of each event from `,"type"` to the closing brace of the metadata, one behind the other.
    bodies: Vec<u8>,
    events: Vec<EncodedEvent>,
}

/// All places are places in the bodies.
#[derive(Debug)]
struct EncodedEvent {
    body: Range<usize>,
    keys: Keys,
    /// Where the timestamp's text starts.
    timestamp_at: usize,
    /// The recording time that the caller suggests.
    given: Option<DateTime<Utc>>,
}

/// By what an event is found.
#[derive(Debug)]
enum Keys {
    /// Where the text of the type and the inside of the array of tags stand.
    Plain { event_type: Range<usize>, tags: Range<usize> },
    /// They have escapes in the body.
    Escaped { event_type: String, tags: Vec<Tag> },
}

/// The metadata of an event that is being recorded: the timestamp is written over.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EncodedMetadata<'a> {
    id: &'a Uuid,
    timestamp: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation_id: &'a Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    causation_id: &'a Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    operation_id: &'a Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: &'a Option<String>,
    #[serde(flatten)]
    extra: &'a serde_json::Map<String, serde_json::Value>,
}

/// About how much of an event's body is not its data.
const TYPICAL_BYTES: usize = 256;

/// As long as every timestamp is.
const NO_TIMESTAMP: &str = "0000-00-00T00:00:00.000000Z";

/// Where the next commit goes, and what it needs to know about what was recorded before it.
#[derive(Clone, Debug)]
pub(crate) struct CommitContext {
    /// The position of the commit's first event.
    pub(crate) next: u64,
    /// The position of the first event of the group that is written with it.
    pub(crate) group: u64,
    /// The hash of the commit before.
    pub(crate) hash: ChainHash,
    /// The time now.
    pub(crate) now: DateTime<Utc>,
    /// The recording time of the event before.
    pub(crate) last_time: DateTime<Utc>,
}

impl Encoded {
    /// Encodes what does not depend on where the events will stand.
    pub(crate) fn new(events: &[Event]) -> Result<Self, serde_json::Error> {
        let data: usize = events.iter().map(|event| event.data.as_str().len()).sum();
        let mut bodies = Vec::with_capacity(data + events.len() * TYPICAL_BYTES);
        let events: Result<_, serde_json::Error> =
            events.iter().map(|event| EncodedEvent::new(event, &mut bodies)).collect();
        Ok(Self { events: events?, bodies })
    }

    /// At least so many bytes the commit will have, and not many more.
    pub(crate) fn size(&self) -> usize {
        self.bodies.len() + self.events.len() * 64 + 160
    }

    /// Appends the commit's lines to a group, and brings the context up to date. Times are raised to
    /// that of the event before and lowered to now. Where each line stands in the group is told with
    /// its position, type and tags.
    pub(crate) fn commit(
        &self,
        context: &mut CommitContext,
        bytes: &mut Vec<u8>,
        mut line: impl FnMut(u64, Range<usize>, &str, Tags<'_>),
    ) {
        let (commit_start, first) = (bytes.len(), context.next);
        let mut timestamp = (context.last_time, timestamp_text(context.last_time));
        for (index, event) in self.events.iter().enumerate() {
            let start = bytes.len();
            bytes.extend_from_slice(b"{\"position\":");
            bytes.extend_from_slice(itoa::Buffer::new().format(context.next).as_bytes());
            let body_at = bytes.len();
            bytes.extend_from_slice(self.bodies.get(event.body.clone()).unwrap_or_default());
            let given = event.given.map_or(context.now, |given| given.min(context.now));
            context.last_time = context.last_time.max(given);
            if timestamp.0 != context.last_time {
                timestamp = (context.last_time, timestamp_text(context.last_time));
            }
            let at = body_at + event.timestamp_at - event.body.start;
            if let Some(place) = bytes.get_mut(at..at + timestamp.1.len()) {
                place.copy_from_slice(timestamp.1.as_bytes());
            }
            if index + 1 == self.events.len() {
                let group = context.group;
                // Writing to a Vec cannot fail.
                let _ = write!(bytes, ",\"commit\":{{\"first\":{first},\"group\":{group}");
                let hashed = bytes.get(commit_start..).unwrap_or_default();
                context.hash = context.hash.next(hashed);
                bytes.extend_from_slice(HASH_OPEN.as_bytes());
                bytes.extend_from_slice(&context.hash.0);
                bytes.extend_from_slice(b"\"}");
            }
            seal(bytes, start);
            let (event_type, tags) = event.keys(&self.bodies);
            line(context.next, start..bytes.len(), event_type, tags);
            context.next += 1;
        }
    }
}

fn timestamp_text(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}

impl EncodedEvent {
    fn new(event: &Event, bodies: &mut Vec<u8>) -> Result<Self, serde_json::Error> {
        let start = bodies.len();
        bodies.extend_from_slice(b",\"type\":");
        let type_at = bodies.len();
        serde_json::to_writer(&mut *bodies, &event.event_type)?;
        let event_type = type_at + 1..bodies.len() - 1;
        bodies.extend_from_slice(b",\"tags\":");
        let tags_at = bodies.len();
        serde_json::to_writer(&mut *bodies, &event.tags)?;
        let tags = tags_at + 1..bodies.len() - 1;
        let keys = match memchr(b'\\', bodies.get(start..).unwrap_or_default()) {
            None => Keys::Plain { event_type, tags },
            Some(_) => {
                Keys::Escaped { event_type: event.event_type.clone(), tags: event.tags.clone() }
            }
        };
        bodies.extend_from_slice(b",\"data\":");
        bodies.extend_from_slice(event.data.as_str().as_bytes());
        bodies.extend_from_slice(b",\"metadata\":");
        let timestamp_at = bodies.len() + TIMESTAMP_OFFSET;
        let metadata = &event.metadata;
        let encoded = EncodedMetadata {
            id: &metadata.id,
            timestamp: NO_TIMESTAMP,
            correlation_id: &metadata.correlation_id,
            causation_id: &metadata.causation_id,
            operation_id: &metadata.operation_id,
            user_id: &metadata.user_id,
            extra: &metadata.extra,
        };
        serde_json::to_writer(&mut *bodies, &encoded)?;
        let body = start..bodies.len();
        Ok(Self { body, keys, timestamp_at, given: metadata.timestamp })
    }

    fn keys<'e>(&'e self, bodies: &'e [u8]) -> (&'e str, Tags<'e>) {
        let text = |range: &Range<usize>| {
            let bytes = bodies.get(range.clone()).unwrap_or_default();
            std::str::from_utf8(bytes).unwrap_or_default()
        };
        match &self.keys {
            Keys::Plain { event_type, tags } => {
                (text(event_type), Tags::from_plain_json(text(tags)))
            }
            Keys::Escaped { event_type, tags } => (event_type, Tags::from_slice(tags)),
        }
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
        let body = simdutf8::basic::from_utf8(unseal(line)?).ok()?;
        let (body, commit) = split_commit(body);
        Self::parse_plain(body, commit).or_else(|| Self::parse_any(body, commit))
    }

    /// The common case: no escapes in type and tags, and no look-alike of the metadata's start.
    /// Nothing is parsed but what is looked for.
    fn parse_plain(body: &'a str, commit: Option<CommitMark>) -> Option<Self> {
        let rest = body.strip_prefix("{\"position\":")?;
        let (position, rest) = leading_number(rest)?;
        let rest = rest.strip_prefix(",\"type\":\"")?;
        let (event_type, rest) = rest.split_at_checked(memchr2(b'"', b'\\', rest.as_bytes())?)?;
        let rest = rest.strip_prefix("\",\"tags\":[")?;
        let (tags, rest) = split_tags(rest)?;
        let mut starts = METADATA_START.find_iter(rest.as_bytes());
        let metadata_at = starts.next()?;
        if starts.next().is_some() {
            return None;
        }
        let (data, metadata) = rest.split_at_checked(metadata_at)?;
        Some(Self {
            position,
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

/// The number at the start of a text, and what follows it.
fn leading_number(text: &str) -> Option<(u64, &str)> {
    let mut number: u64 = 0;
    let mut len = 0;
    for digit in text.bytes().take_while(u8::is_ascii_digit) {
        number = number.checked_mul(10)?.checked_add(u64::from(digit - b'0'))?;
        len += 1;
    }
    Some((number, text.split_at_checked(len).filter(|_| len > 0)?.1))
}

/// The inside of the array of tags, if there is no escape in it, and what follows `"data":`.
fn split_tags(text: &str) -> Option<(&str, &str)> {
    // Without escapes no quote stands inside a tag, so this end is none inside one either.
    for bracket in memchr_iter(b']', text.as_bytes()) {
        let (tags, rest) = text.split_at_checked(bracket)?;
        if let Some(rest) = rest.strip_prefix("],\"data\":") {
            return memchr(b'\\', tags.as_bytes()).is_none().then_some((tags, rest));
        }
    }
    None
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
            next: 7,
            group: 7,
            hash: ChainHash::START,
            now: dcb::recording_time(),
            last_time: DateTime::UNIX_EPOCH,
        }
    }

    fn lines(events: &[Event]) -> Vec<u8> {
        let mut bytes = Vec::new();
        Encoded::new(events).unwrap().commit(&mut context(), &mut bytes, |_, _, _, _| {});
        bytes
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
            let mut got = line.event().to_sequenced().unwrap();
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
