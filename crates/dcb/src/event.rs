//! Events: what happened, as it is handed to a store and as it comes back.

use std::borrow::Cow;
use std::fmt;

use chrono::{DateTime, SubsecRound, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::{InvalidTag, Tag};

/// A JSON value, kept as the text it came in: numbers keep their digits, objects their order.
///
/// Only line breaks between tokens are replaced by spaces, so that the text is one line.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Json {
    text: Cow<'static, str>,
}

impl Json {
    /// Reads a JSON text. The error says where it stops being JSON.
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        let raw: &RawValue = serde_json::from_str(text)?;
        Ok(Self::from_valid(raw.get()))
    }

    /// The JSON form of any value that serde can write.
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Result<Self, serde_json::Error> {
        Ok(Self { text: serde_json::to_string(value)?.into() })
    }

    /// The text, without line breaks.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Raw line breaks can only stand between tokens: inside a string JSON wants them escaped.
    fn from_valid(text: &str) -> Self {
        let text = match memchr::memchr2(b'\n', b'\r', text.as_bytes()) {
            Some(_) => text.replace(['\n', '\r'], " "),
            None => text.to_owned(),
        };
        Self { text: text.into() }
    }
}

impl Default for Json {
    /// An empty object.
    fn default() -> Self {
        Self { text: Cow::Borrowed("{}") }
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for Json {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue = serde_json::from_str(&self.text).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Ok(Self::from_valid(raw.get()))
    }
}

/// What is known about an event besides what it says: who, when, because of what.
///
/// Nothing personal belongs here or in types and tags: use opaque ids, and put personal fields into
/// the `private` object of the event's data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    /// The event's own id, a UUID v7 made with the event. What is kept outside the store refers to
    /// events by it.
    #[serde(default = "Uuid::now_v7")]
    pub id: Uuid,
    /// When the event was recorded, in UTC to the microsecond. A store sets it on append and never
    /// lets it decrease; one given before is kept where it lies between the last recorded event
    /// and now, so that imports keep their times.
    #[serde(default, with = "timestamp", skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<DateTime<Utc>>,
    /// The conversation this event belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    /// The event or message that caused this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub causation_id: Option<String>,
    /// The command or request that recorded this event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation_id: Option<String>,
    /// Who did it: an opaque id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// Anything else, under names that the fields above do not have.
    #[serde(flatten)]
    pub extra: serde_json::Map<String, serde_json::Value>,
}

impl Metadata {
    /// The names of the fields that are not free.
    pub(crate) const FIXED: [&'static str; 6] =
        ["id", "timestamp", "correlationId", "causationId", "operationId", "userId"];
}

impl Default for Metadata {
    /// A fresh id and nothing else.
    fn default() -> Self {
        Self {
            id: Uuid::now_v7(),
            timestamp: None,
            correlation_id: None,
            causation_id: None,
            operation_id: None,
            user_id: None,
            extra: serde_json::Map::new(),
        }
    }
}

/// Timestamps are written with exactly six decimals and `Z`, so that a store can set one in place.
mod timestamp {
    use chrono::{DateTime, SecondsFormat, Utc};
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        value: &Option<DateTime<Utc>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match value {
            Some(time) => {
                serializer.serialize_str(&time.to_rfc3339_opts(SecondsFormat::Micros, true))
            }
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<DateTime<Utc>>, D::Error> {
        Option::<DateTime<Utc>>::deserialize(deserializer)
    }
}

/// The time now, in the precision in which stores record it (microseconds).
pub fn recording_time() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(6)
}

/// Something that happened. It has no position until a store has recorded it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// What kind of thing happened, in the past tense: `ProductSold`. Not blank.
    #[serde(rename = "type")]
    pub event_type: String,
    /// What it is about.
    #[serde(default)]
    pub tags: Vec<Tag>,
    /// What happened in detail.
    #[serde(default)]
    pub data: Json,
    /// Who, when, because of what.
    #[serde(default)]
    pub metadata: Metadata,
}

/// An [`Event`] with the position at which a store recorded it.
///
/// In JSON: `{"position":17,"type":"T","tags":["k:v"],"data":{…},"metadata":{…}}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "FlatEvent")]
pub struct SequencedEvent {
    /// Where the event stands in the store's order; at least 1.
    pub position: u64,
    /// The event; its metadata has a timestamp.
    #[serde(flatten)]
    pub event: Event,
}

/// How a [`SequencedEvent`] is read: flattening would not keep the text of the data.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FlatEvent {
    position: u64,
    r#type: String,
    tags: Vec<Tag>,
    data: Json,
    metadata: Metadata,
}

impl From<FlatEvent> for SequencedEvent {
    fn from(flat: FlatEvent) -> Self {
        let FlatEvent { position, r#type: event_type, tags, data, metadata } = flat;
        Self { position, event: Event { event_type, tags, data, metadata } }
    }
}

impl SequencedEvent {
    /// Reads type and data as [`EventRef::typed`] does.
    pub fn typed<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        self.as_event_ref().typed()
    }

    /// The same, borrowed.
    pub fn as_event_ref(&self) -> EventRef<'_> {
        self.event.at(self.position)
    }
}

impl Event {
    /// Starts an event of this type; tags, data and metadata follow.
    pub fn builder(event_type: impl Into<String>) -> EventBuilder {
        EventBuilder {
            event: Self {
                event_type: event_type.into(),
                tags: Vec::new(),
                data: Json::default(),
                metadata: Metadata::default(),
            },
            error: None,
        }
    }

    /// Makes an event of a value whose serde form is `{"type": …, "data": …}`: an enum with
    /// `#[serde(tag = "type", content = "data")]` whose variants all have data.
    /// [`EventRef::typed`] is the way back.
    pub fn from_typed<T: Serialize>(
        value: &T,
        tags: impl IntoIterator<Item = Tag>,
    ) -> Result<Self, InvalidEvent> {
        #[derive(Deserialize)]
        struct Typed<'a> {
            r#type: String,
            #[serde(borrow)]
            data: &'a RawValue,
        }
        let text = serde_json::to_string(value)?;
        let typed: Typed<'_> = serde_json::from_str(&text)?;
        Ok(Self {
            event_type: typed.r#type,
            tags: tags.into_iter().collect(),
            data: Json::from_valid(typed.data.get()),
            metadata: Metadata::default(),
        })
    }

    /// Reads the data as `T`. The error says where it does not fit.
    pub fn data_as<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.data.as_str())
    }

    /// This event as a reader sees it who finds it at `position`.
    pub fn at(&self, position: u64) -> EventRef<'_> {
        EventRef {
            position,
            event_type: &self.event_type,
            tags: Tags::from_slice(&self.tags),
            data: self.data.as_str(),
            metadata: MetadataRef::Parsed(&self.metadata),
        }
    }
}

/// Builds an [`Event`]. The first mistake is kept and told by [`EventBuilder::build`].
#[derive(Debug)]
pub struct EventBuilder {
    event: Event,
    error: Option<InvalidEvent>,
}

/// Why something is not an [`Event`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidEvent {
    /// The type is blank.
    #[error("the event's type is blank; name what happened, such as ProductSold")]
    BlankType,
    /// A tag is malformed.
    #[error(transparent)]
    Tag(#[from] InvalidTag),
    /// The data is no JSON, or cannot be written as JSON.
    #[error("the event's data is not JSON: {0}")]
    Data(#[from] serde_json::Error),
}

impl EventBuilder {
    /// Adds a tag.
    pub fn tag(mut self, key: impl AsRef<str>, value: impl AsRef<str>) -> Self {
        match Tag::new(key, value) {
            Ok(tag) => self.event.tags.push(tag),
            Err(error) => self.fail(error.into()),
        }
        self
    }

    /// Adds tags that are already made.
    pub fn tags(mut self, tags: impl IntoIterator<Item = Tag>) -> Self {
        self.event.tags.extend(tags);
        self
    }

    /// Sets the data to the JSON form of a value; without it the data is `{}`.
    pub fn data<T: Serialize + ?Sized>(mut self, data: &T) -> Self {
        match Json::of(data) {
            Ok(json) => self.event.data = json,
            Err(error) => self.fail(error.into()),
        }
        self
    }

    /// Sets the data to a JSON text, kept as it is.
    pub fn data_text(mut self, text: &str) -> Self {
        match Json::parse(text) {
            Ok(json) => self.event.data = json,
            Err(error) => self.fail(error.into()),
        }
        self
    }

    /// Sets the conversation this event belongs to.
    pub fn correlation_id(mut self, id: impl Into<String>) -> Self {
        self.event.metadata.correlation_id = Some(id.into());
        self
    }

    /// Sets the event or message that caused this one.
    pub fn causation_id(mut self, id: impl Into<String>) -> Self {
        self.event.metadata.causation_id = Some(id.into());
        self
    }

    /// Sets the command or request that records this event.
    pub fn operation_id(mut self, id: impl Into<String>) -> Self {
        self.event.metadata.operation_id = Some(id.into());
        self
    }

    /// Sets who did it: an opaque id.
    pub fn user_id(mut self, id: impl Into<String>) -> Self {
        self.event.metadata.user_id = Some(id.into());
        self
    }

    /// Suggests the recording time; see [`Metadata::timestamp`].
    pub fn timestamp(mut self, time: DateTime<Utc>) -> Self {
        self.event.metadata.timestamp = Some(time);
        self
    }

    /// Adds a free metadata field.
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<serde_json::Value>) -> Self {
        self.event.metadata.extra.insert(key.into(), value.into());
        self
    }

    /// The event, or the first mistake made on the way.
    pub fn build(self) -> Result<Event, InvalidEvent> {
        match self.error {
            None if self.event.event_type.trim().is_empty() => Err(InvalidEvent::BlankType),
            None => Ok(self.event),
            Some(error) => Err(error),
        }
    }

    fn fail(&mut self, error: InvalidEvent) {
        self.error.get_or_insert(error);
    }
}

/// A recorded event, borrowed from the reader that found it: nothing is copied, and metadata is
/// parsed only when asked for.
#[derive(Clone, Copy, Debug)]
pub struct EventRef<'a> {
    /// Where the event stands in the store's order; at least 1.
    pub position: u64,
    /// What kind of thing happened.
    pub event_type: &'a str,
    /// What it is about.
    pub tags: Tags<'a>,
    /// What happened in detail, as JSON text.
    pub data: &'a str,
    /// Who, when, because of what; see [`EventRef::metadata`].
    pub metadata: MetadataRef<'a>,
}

/// The metadata of an [`EventRef`]: parsed already, or still JSON text.
#[derive(Clone, Copy, Debug)]
pub enum MetadataRef<'a> {
    /// Parsed already.
    Parsed(&'a Metadata),
    /// JSON text.
    Text(&'a str),
}

impl EventRef<'_> {
    /// Reads the data as `T`. The error says where it does not fit.
    pub fn data_as<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.data)
    }

    /// Reads type and data as a value whose serde form is `{"type": …, "data": …}`; the way back of
    /// [`Event::from_typed`].
    pub fn typed<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        let event_type = serde_json::to_string(self.event_type)?;
        serde_json::from_str(&format!(r#"{{"type":{event_type},"data":{}}}"#, self.data))
    }

    /// Who, when, because of what. The error means that the recorded text is no metadata.
    pub fn metadata(&self) -> Result<Metadata, serde_json::Error> {
        match self.metadata {
            MetadataRef::Parsed(metadata) => Ok(metadata.clone()),
            MetadataRef::Text(text) => serde_json::from_str(text),
        }
    }

    /// An owned copy. The error means that the recorded text is no metadata.
    pub fn to_sequenced(&self) -> Result<SequencedEvent, serde_json::Error> {
        Ok(SequencedEvent {
            position: self.position,
            event: Event {
                event_type: self.event_type.to_owned(),
                tags: self.tags.iter().filter_map(|tag| tag.parse().ok()).collect(),
                data: Json { text: self.data.to_owned().into() },
                metadata: self.metadata()?,
            },
        })
    }
}

/// Walks along the inside of a JSON array of strings without escapes, in which a quote can only open
/// or close a string.
struct PlainTags<'a>(&'a str);

impl<'a> Iterator for PlainTags<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let opened = self.0.strip_prefix(',').unwrap_or(self.0).strip_prefix('"')?;
        let end = memchr::memchr(b'"', opened.as_bytes())?;
        self.0 = opened.get(end + 1..)?;
        opened.get(..end)
    }
}

/// The tags of a recorded event.
#[derive(Clone, Copy)]
pub struct Tags<'a> {
    source: TagSource<'a>,
}

#[derive(Clone, Copy)]
enum TagSource<'a> {
    Slice(&'a [Tag]),
    /// The inside of a JSON array of strings without escapes: `"a:1","b:2"`.
    Plain(&'a str),
}

impl<'a> Tags<'a> {
    /// Tags that are already parsed.
    pub fn from_slice(tags: &'a [Tag]) -> Self {
        Self { source: TagSource::Slice(tags) }
    }

    /// Tags that are still JSON text: what stands between the brackets of an array of strings, with
    /// no space outside and no backslash inside the strings (`"a:1","b:2"`). An engine that finds
    /// escapes parses them and uses [`Tags::from_slice`].
    pub fn from_plain_json(inside: &'a str) -> Self {
        Self { source: TagSource::Plain(inside) }
    }

    /// Each tag as `key:value`, in the order recorded.
    pub fn iter(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let (slice, plain) = match self.source {
            TagSource::Slice(tags) => (tags, ""),
            TagSource::Plain(text) => (&[][..], text),
        };
        slice.iter().map(Tag::as_str).chain(PlainTags(plain))
    }

    /// Whether this very tag is among them.
    pub fn contains(&self, tag: &Tag) -> bool {
        self.iter().any(|text| text == tag.as_str())
    }

    /// The value of the first tag with this key.
    pub fn value_of(&self, key: &str) -> Option<&'a str> {
        self.iter().find_map(|tag| tag.strip_prefix(key)?.strip_prefix(':'))
    }
}

impl fmt::Debug for Tags<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_kept_as_the_text_that_came_in() {
        let text = r#"{"b":1.50,"a":12345678901234567890123,"b":"\u00e9"}"#;
        assert_eq!(Json::parse(text).unwrap().as_str(), text);
        assert_eq!(Json::parse("{\r\n \"a\": 1\n}").unwrap().as_str(), "{   \"a\": 1 }");
        assert!(Json::parse("{a:1}").is_err());
        assert!(Json::parse("{} {}").is_err());
    }

    #[test]
    fn a_builder_tells_its_first_mistake() {
        let error = Event::builder("T").tag("a b", "1").data_text("nonsense").build().unwrap_err();
        assert!(matches!(error, InvalidEvent::Tag(InvalidTag::BadKey(_))), "{error}");
    }

    #[test]
    fn an_event_of_no_type_is_not_built() {
        for blank in ["", " \t"] {
            let error = Event::builder(blank).build().unwrap_err();
            assert!(matches!(error, InvalidEvent::BlankType), "{error}");
        }
    }

    #[test]
    fn typed_events_convert_both_ways() {
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "type", content = "data")]
        enum Course {
            Defined { capacity: u32 },
            Renamed { name: String },
        }
        for value in [Course::Defined { capacity: 3 }, Course::Renamed { name: "é\"\n".into() }] {
            let event = Event::from_typed(&value, []).unwrap();
            assert_eq!(event.at(1).typed::<Course>().unwrap(), value);
            let recorded = SequencedEvent { position: 1, event };
            assert_eq!(recorded.typed::<Course>().unwrap(), value);
        }
    }

    #[test]
    fn a_recorded_event_is_read_back_from_its_json_with_the_text_of_its_data() {
        let event = Event::builder("T").tag("a", "1").data_text(r#"{"n":1.50}"#);
        let recorded = SequencedEvent { position: 7, event: event.user_id("u1").build().unwrap() };
        let text = serde_json::to_string(&recorded).unwrap();
        assert_eq!(serde_json::from_str::<SequencedEvent>(&text).unwrap(), recorded, "{text}");
        assert_eq!(recorded.as_event_ref().to_sequenced().unwrap(), recorded);
    }

    #[test]
    fn tags_read_the_same_from_json_text_as_from_a_list() {
        let list: Vec<Tag> =
            ["a:1", "b:x,y:[z]", "a:2"].iter().map(|t| t.parse().unwrap()).collect();
        let plain = Tags::from_plain_json(r#""a:1","b:x,y:[z]","a:2""#);
        let slice = Tags::from_slice(&list);
        assert_eq!(plain.iter().collect::<Vec<_>>(), slice.iter().collect::<Vec<_>>());
        assert!(plain.contains(&list[1]));
        assert_eq!(plain.value_of("a"), Some("1"));
        assert_eq!(plain.value_of("c"), None);
        assert_eq!(Tags::from_plain_json("").iter().count(), 0);
    }

    #[test]
    fn metadata_keeps_free_fields_and_six_decimals() {
        let event: Event = serde_json::from_str(
            r#"{"type":"T","metadata":{"userId":"u1","timestamp":"2026-01-02T03:04:05Z","x":1}}"#,
        )
        .unwrap();
        let text = serde_json::to_string(&event.metadata).unwrap();
        assert!(text.contains(r#""timestamp":"2026-01-02T03:04:05.000000Z""#), "{text}");
        assert!(text.contains(r#""userId":"u1""#) && text.contains(r#""x":1"#), "{text}");
    }
}
