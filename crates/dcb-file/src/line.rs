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

use bytemuck::{Pod, Zeroable};
use chrono::{DateTime, SecondsFormat, Utc};
use dcb::{Event, EventRef, Metadata, MetadataRef, StoreError, Tag, Tags};
use memchr::{memchr, memchr2, memchr2_iter, memrchr2};
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

/// `{"id":"`, 36 characters, `","timestamp":"`: where in the metadata the timestamp stands.
const TIMESTAMP_OFFSET: usize = 7 + 36 + 15;

/// The SHA-256 of a commit, chained to the one before it; as the 64 lower-case hex digits that are
/// stored, because that is what the next commit's hash covers.
#[derive(Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(transparent)]
pub(crate) struct ChainHash([u8; 64]);

impl ChainHash {
    /// What the first commit is chained to.
    pub(crate) const START: Self = Self([b'0'; 64]);

    /// The hash of a commit: over the hash before it and the commit's bytes up to `,"hash"`.
    pub(crate) fn next(&self, commit_bytes: &[u8]) -> Self {
        let mut next = self.next_in_parts();
        next.add(commit_bytes);
        next.finish()
    }

    /// The same for a commit whose bytes come one behind the other.
    pub(crate) fn next_in_parts(&self) -> NextHash {
        NextHash(Sha256::new_with_prefix(self.0))
    }

    /// The 64 hex digits.
    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    pub(crate) fn parse(text: &[u8]) -> Option<&Self> {
        let hash: &Self = bytemuck::try_from_bytes(text).ok()?;
        hash.0.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')).then_some(hash)
    }
}

/// The hash of a commit of which not all bytes have come yet.
#[derive(Debug)]
pub(crate) struct NextHash(Sha256);

impl NextHash {
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(crate) fn finish(self) -> ChainHash {
        let mut digits = [0; 64];
        hex(&self.0.finalize(), &mut digits);
        ChainHash(digits)
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
        let timestamp_at = encode_metadata(&event.metadata, bodies)?;
        let body = start..bodies.len();
        Ok(Self { body, keys, timestamp_at, given: event.metadata.timestamp })
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

/// Writes the metadata of an event that is being recorded. Returns where its timestamp goes.
fn encode_metadata(metadata: &Metadata, out: &mut Vec<u8>) -> Result<usize, serde_json::Error> {
    let Metadata { id, timestamp: _, correlation_id, causation_id, operation_id, user_id, extra } =
        metadata;
    out.extend_from_slice(b"{\"id\":\"");
    out.extend_from_slice(id.hyphenated().encode_lower(&mut Uuid::encode_buffer()).as_bytes());
    out.extend_from_slice(b"\",\"timestamp\":\"");
    let timestamp_at = out.len();
    out.extend_from_slice(NO_TIMESTAMP.as_bytes());
    out.push(b'"');
    let fixed = [
        ("correlationId", correlation_id),
        ("causationId", causation_id),
        ("operationId", operation_id),
        ("userId", user_id),
    ];
    for (name, value) in fixed {
        value.as_ref().map_or(Ok(()), |value| encode_field(name, value, out))?;
    }
    for (name, value) in extra {
        encode_field(name, value, out)?;
    }
    out.push(b'}');
    Ok(timestamp_at)
}

fn encode_field(
    name: &str,
    value: &impl Serialize,
    out: &mut Vec<u8>,
) -> Result<(), serde_json::Error> {
    out.push(b',');
    serde_json::to_writer(&mut *out, name)?;
    out.push(b':');
    serde_json::to_writer(out, value)
}

/// What the last line of a commit says about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CommitMark<'a> {
    pub(crate) first: u64,
    pub(crate) group: u64,
    pub(crate) hash: &'a ChainHash,
}

/// A line whose checksum is right and whose shape is known.
#[derive(Debug)]
pub(crate) struct Line<'a> {
    pub(crate) event: EventRef<'a>,
    pub(crate) commit: Option<CommitMark<'a>>,
}

/// Takes in the type and the tags of a line that has escapes in them, or is otherwise uncommon.
#[derive(Debug, Default)]
pub(crate) struct Unescaped {
    event_type: String,
    tags: Vec<Tag>,
}

impl<'a> Line<'a> {
    /// Checks and splits a line, given without its newline. It is borrowed from the line's bytes and
    /// from `unescaped`, which takes in what had to be made from them. `None` means that it is not,
    /// byte for byte, a line that a store wrote.
    pub(crate) fn parse(line: &'a [u8], unescaped: &'a mut Unescaped) -> Option<Self> {
        let body = simdutf8::basic::from_utf8(unseal(line)?).ok()?;
        let (body, commit) = split_commit(body);
        let event = plain_event(body).or_else(|| any_event(body, unescaped))?;
        Some(Self { event, commit })
    }

    /// The recording time.
    pub(crate) fn timestamp(&self) -> Option<DateTime<Utc>> {
        let MetadataRef::Text(metadata) = self.event.metadata else { return None };
        metadata.get(TIMESTAMP_OFFSET..)?.split('"').next()?.parse().ok()
    }
}

/// The event of a line in the common case: no escapes in type and tags, and nothing nested in the
/// metadata. Nothing is parsed but what is looked for.
fn plain_event(body: &str) -> Option<EventRef<'_>> {
    let (position, rest) = leading_number(body.strip_prefix("{\"position\":")?)?;
    let rest = rest.strip_prefix(",\"type\":\"")?;
    let (event_type, rest) = rest.split_at_checked(memchr2(b'"', b'\\', rest.as_bytes())?)?;
    let (tags, rest) = split_tags(rest.strip_prefix("\",\"tags\":[")?)?;
    let (data, metadata) = split_metadata(rest)?;
    let (tags, metadata) = (Tags::from_plain_json(tags), MetadataRef::Text(metadata));
    Some(EventRef { position, event_type, tags, data, metadata })
}

/// The event of any line.
fn any_event<'a>(body: &'a str, unescaped: &'a mut Unescaped) -> Option<EventRef<'a>> {
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
    (unescaped.event_type, unescaped.tags) = (any.r#type, any.tags);
    Some(EventRef {
        position: any.position,
        event_type: &unescaped.event_type,
        tags: Tags::from_slice(&unescaped.tags),
        data: within(any.data)?,
        metadata: MetadataRef::Text(within(any.metadata)?),
    })
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
    for at in memchr2_iter(b']', b'\\', text.as_bytes()) {
        let (tags, rest) = text.split_at_checked(at)?;
        if let Some(rest) = rest.strip_prefix("],\"data\":") {
            return Some((tags, rest));
        }
        if rest.starts_with('\\') {
            return None;
        }
    }
    None
}

/// The data and the metadata, if no brace stands in that but its own: then they are the last two.
/// Those of a look-alike in the data would be followed by the one that closes the data.
fn split_metadata(text: &str) -> Option<(&str, &str)> {
    let last = memrchr2(b'{', b'}', text.strip_suffix('}')?.as_bytes())?;
    let (front, metadata) = text.split_at_checked(last)?;
    let data = front.strip_suffix(",\"metadata\":")?;
    metadata.starts_with('{').then_some((data, metadata))
}

/// Splits off the commit mark, where there is one. It ends in one brace, its own: inside the
/// metadata it would be followed by that of the metadata.
fn split_commit(body: &str) -> (&str, Option<CommitMark<'_>>) {
    let split = || {
        let (front, tail) = body.split_at_checked(body.len().checked_sub(HASH_TAIL_LEN)?)?;
        let hash = tail.strip_prefix(HASH_OPEN)?.strip_suffix("\"}")?;
        let at = front.rfind(",\"commit\":{\"first\":")?;
        let (event, mark) = front.split_at_checked(at)?;
        let (first, group) =
            mark.strip_prefix(",\"commit\":{\"first\":")?.split_once(",\"group\":")?;
        let (first, group) = (first.parse().ok()?, group.parse().ok()?);
        Some((event, CommitMark { first, group, hash: ChainHash::parse(hash.as_bytes())? }))
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
            Event::builder("T").metadata("brace", "{}").user_id("\"u\"").build().unwrap(),
            Event::builder("T")
                .metadata("metadata", serde_json::json!({"id":"0"}))
                .build()
                .unwrap(),
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
        assert_eq!(text.lines().count(), events.len());
        for (index, (line, sent)) in text.lines().zip(&events).enumerate() {
            let mut unescaped = Unescaped::default();
            let line = Line::parse(line.as_bytes(), &mut unescaped).expect(line);
            let mut got = line.event.to_sequenced().unwrap();
            assert_eq!(got.position, 7 + index as u64);
            assert_eq!(got.event.metadata.timestamp, line.timestamp());
            got.event.metadata.timestamp = None;
            assert_eq!(&got.event, sent);
            let is_last = index + 1 == events.len();
            let hash = ChainHash::START.next(&bytes[..bytes.len() - UNHASHED_TAIL_LEN]);
            let mark = CommitMark { first: 7, group: 7, hash: &hash };
            assert_eq!(line.commit, is_last.then_some(mark));
        }
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
            assert!(Line::parse(&flipped, &mut Unescaped::default()).is_none(), "bit {bit}");
        }
    }

    #[test]
    fn random_bytes_are_no_line() {
        let mut random = fastrand::Rng::with_seed(1);
        for length in 0..400 {
            let bytes: Vec<u8> = (0..length).map(|_| random.u8(..)).collect();
            assert!(Line::parse(&bytes, &mut Unescaped::default()).is_none());
        }
    }
}
