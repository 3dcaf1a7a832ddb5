//! An event file of Opossum: reading one as an event of ours, and writing one.
//!
//! ```text
//! {"event":{"eventType":"T","event":{…},"tags":[{"key":"k","value":"v"}]},"position":1,"metadata":{…}}
//! ```

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use dcb::{Event, EventRef, Json, Metadata, MetadataRef};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::tag::ForeignTag;

/// The free metadata field that keeps, as JSON text, what Opossum's file said and ours cannot.
const KEPT: &str = "opossum";

/// What the ids of events that came without one are made from.
const NAMESPACE: Uuid = Uuid::from_u128(0x8d0f_2c1e_5b0a_4f2e_9a57_6f70_6f73_7375);

type Fields<'a> = BTreeMap<String, &'a RawValue>;

/// What is kept in [`KEPT`].
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kept {
    /// The metadata, unless ours says the very same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    metadata: Option<Box<RawValue>>,
    /// Fields that Opossum does not document, beside `event`, `position` and `metadata`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    fields: BTreeMap<String, Box<RawValue>>,
    /// The same beside `eventType`, `event` and `tags`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    event_fields: BTreeMap<String, Box<RawValue>>,
}

/// Reads an event file. The event's time is that of the event before it, `last_time`, where the file
/// tells none.
///
/// The error says why it is no event file of the event at `position`.
pub(super) fn read(text: &str, position: u64, last_time: DateTime<Utc>) -> Result<Event, String> {
    let mut fields = fields_of(text)?;
    let told: u64 = take(&mut fields, "position")?.ok_or("it has no position")?;
    if told != position {
        return Err(format!("it says that it is the event at position {told}"));
    }
    let metadata = fields.remove("metadata").map_or("{}", RawValue::get);
    let event = fields.remove("event").ok_or("it has no event")?;
    let mut event_fields = fields_of(event.get())?;
    let event_type: String = take(&mut event_fields, "eventType")?.ok_or("it has no eventType")?;
    let payload = event_fields.remove("event").ok_or("its event has no event")?;
    let tags: Option<Vec<ForeignTag>> = take(&mut event_fields, "tags")?;
    let tags = tags.unwrap_or_default();

    let data = match payload.get() {
        laid_out if laid_out.contains(['\n', '\r']) => Json::parse(&compact(laid_out)),
        as_it_is => Json::parse(as_it_is),
    };
    let data = data.map_err(|error| error.to_string())?;
    let metadata_text = compact(metadata);
    let mut metadata = read_metadata(&metadata_text)?;
    let is_ours = metadata.timestamp.is_some()
        && serde_json::to_string(&metadata).is_ok_and(|ours| ours == metadata_text);
    if metadata.id.is_nil() {
        let name = format!("{position}\n{event_type}\n{}\n{metadata_text}", data.as_str());
        metadata.id = Uuid::new_v5(&NAMESPACE, name.as_bytes());
    }
    metadata.timestamp.get_or_insert(last_time);
    let kept = Kept {
        metadata: (!is_ours).then(|| RawValue::from_string(metadata_text).ok()).flatten(),
        fields: owned(&fields),
        event_fields: owned(&event_fields),
    };
    if !is_ours || !fields.is_empty() || !event_fields.is_empty() {
        let kept = serde_json::to_string(&kept).map_err(|error| error.to_string())?;
        metadata.extra.insert(KEPT.into(), kept.into());
    }
    let tags = tags.iter().filter_map(ForeignTag::to_tag).collect();
    Ok(Event { event_type, tags, data, metadata })
}

fn fields_of(text: &str) -> Result<Fields<'_>, String> {
    serde_json::from_str(text).map_err(|error| format!("it cannot be read: {error}"))
}

fn take<'a, T: Deserialize<'a>>(fields: &mut Fields<'a>, name: &str) -> Result<Option<T>, String> {
    let value = fields.remove(name).map(|raw| serde_json::from_str(raw.get()));
    value.transpose().map_err(|error| format!("its {name} cannot be read: {error}"))
}

fn owned(fields: &Fields<'_>) -> BTreeMap<String, Box<RawValue>> {
    fields.iter().map(|(name, raw)| (name.clone(), (*raw).to_owned())).collect()
}

/// What ours can say of Opossum's metadata; the id is nil if there is none.
fn read_metadata(text: &str) -> Result<Metadata, String> {
    let values: Option<serde_json::Map<String, Value>> =
        serde_json::from_str(text).map_err(|e| format!("its metadata cannot be read: {e}"))?;
    let mut metadata = Metadata { id: Uuid::nil(), ..Metadata::default() };
    for (name, value) in values.unwrap_or_default() {
        let text = value.as_str();
        let own = || text.map(str::to_owned);
        match name.as_str() {
            "id" => metadata.id = text.and_then(|id| id.parse().ok()).unwrap_or(metadata.id),
            "timestamp" => metadata.timestamp = read_time(&value),
            "correlationId" => metadata.correlation_id = own(),
            "causationId" => metadata.causation_id = own(),
            "operationId" => metadata.operation_id = own(),
            "userId" => metadata.user_id = own(),
            _ => drop(metadata.extra.insert(name, value)),
        }
    }
    Ok(metadata)
}

/// A time as text, or in milliseconds since 1970.
fn read_time(value: &Value) -> Option<DateTime<Utc>> {
    match value {
        Value::String(text) => text.parse().ok(),
        other => DateTime::from_timestamp_millis(other.as_i64()?),
    }
}

/// A JSON text without the space between its tokens.
fn compact(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut in_string, mut escaped) = (false, false);
    for char in text.chars() {
        if in_string || !char.is_ascii_whitespace() {
            out.push(char);
        }
        match char {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => in_string = !in_string,
            _ => {}
        }
    }
    out
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct File<'a> {
    event: DomainEvent<'a>,
    position: u64,
    metadata: &'a RawValue,
    #[serde(flatten)]
    fields: BTreeMap<String, Box<RawValue>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DomainEvent<'a> {
    event_type: &'a str,
    event: &'a RawValue,
    tags: &'a [ForeignTag],
    #[serde(flatten)]
    fields: BTreeMap<String, Box<RawValue>>,
}

/// The event file of an event, and its tags as Opossum has them. The error means that what was
/// recorded cannot be read.
pub(super) fn write(event: &EventRef<'_>) -> serde_json::Result<(String, Vec<ForeignTag>)> {
    let text = match event.metadata {
        MetadataRef::Text(text) => text.to_owned(),
        MetadataRef::Parsed(metadata) => serde_json::to_string(metadata)?,
    };
    let kept = kept_in(&text);
    let tags: Vec<ForeignTag> = event.tags.iter().map(ForeignTag::of).collect();
    let file = File {
        event: DomainEvent {
            event_type: event.event_type,
            event: serde_json::from_str(event.data)?,
            tags: &tags,
            fields: kept.event_fields,
        },
        position: event.position,
        metadata: match &kept.metadata {
            Some(metadata) => metadata,
            None => serde_json::from_str(&text)?,
        },
        fields: kept.fields,
    };
    Ok((serde_json::to_string_pretty(&file)?, tags))
}

fn kept_in(metadata: &str) -> Kept {
    #[derive(Deserialize)]
    struct Marked {
        opossum: String,
    }
    // Anything else of that name is an ordinary free field.
    let marked: Option<Marked> = serde_json::from_str(metadata).ok();
    marked.and_then(|marked| serde_json::from_str(&marked.opossum).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn space_between_tokens_goes_and_texts_stay() {
        let laid_out = "{\n  \"a b\": [ 1.50,\t2 ],\r\n  \"q\\\" c\": \"\\\\\" }";
        assert_eq!(compact(laid_out), r#"{"a b":[1.50,2],"q\" c":"\\"}"#);
    }

    #[test]
    fn the_same_file_gives_the_same_id_again() {
        let text = r#"{"event":{"eventType":"T","event":{},"tags":[]},"position":3,"metadata":{}}"#;
        let read = || read(text, 3, DateTime::UNIX_EPOCH).unwrap().metadata.id;
        assert_eq!(read(), read());
        assert_eq!(read().get_version_num(), 5);
    }
}
