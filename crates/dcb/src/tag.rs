//! Tags: what an event is about.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};

/// A `key:value` pair that says what an event is about, such as `product:22423`.
///
/// The key is one or more of `A-Z a-z 0-9 _ . -`; the value is any non-empty text without control
/// characters and may itself hold colons. Several tags of an event may share a key.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Tag {
    /// `key:value`; kept as one text because that is how it is stored, compared and looked up. It is
    /// shared, because ids, events and the queries of every decision hold copies of one tag.
    text: Arc<str>,
}

/// Why a text is not a [`Tag`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTag {
    /// There is no colon to split key and value at.
    #[error("the tag {0:?} has no colon; write it as key:value")]
    NoColon(String),
    /// The key is empty or has a character outside `[A-Za-z0-9_.-]`.
    #[error("the tag {0:?} has a bad key; a key is letters, digits, '_', '.' and '-'")]
    BadKey(String),
    /// The value is empty or has a control character.
    #[error("the tag {0:?} has a bad value; a value is not empty and has no control characters")]
    BadValue(String),
}

impl Tag {
    /// Makes a tag of a key and a value.
    pub fn new(key: impl AsRef<str>, value: impl AsRef<str>) -> Result<Self, InvalidTag> {
        let (key, value) = (key.as_ref(), value.as_ref());
        Self::checked(key, value, || [key, ":", value].concat().into())
    }

    fn checked(
        key: &str,
        value: &str,
        text: impl FnOnce() -> Arc<str>,
    ) -> Result<Self, InvalidTag> {
        let key_is_good = !key.is_empty()
            && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'));
        if !key_is_good {
            return Err(InvalidTag::BadKey(text().as_ref().into()));
        }
        if value.is_empty() || value.chars().any(char::is_control) {
            return Err(InvalidTag::BadValue(text().as_ref().into()));
        }
        Ok(Self { text: text() })
    }

    /// The part before the first colon.
    pub fn key(&self) -> &str {
        self.split().0
    }

    /// The part behind the first colon.
    pub fn value(&self) -> &str {
        self.split().1
    }

    /// The whole `key:value`.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    fn split(&self) -> (&str, &str) {
        self.text.split_once(':').unwrap_or((&self.text, ""))
    }
}

impl FromStr for Tag {
    type Err = InvalidTag;

    /// Reads `key:value`, split at the first colon.
    fn from_str(text: &str) -> Result<Self, InvalidTag> {
        let (key, value) = text.split_once(':').ok_or_else(|| InvalidTag::NoColon(text.into()))?;
        Self::checked(key, value, || text.into())
    }
}

impl TryFrom<String> for Tag {
    type Error = InvalidTag;

    fn try_from(text: String) -> Result<Self, InvalidTag> {
        text.parse()
    }
}

impl Serialize for Tag {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tag({})", self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_split_at_its_first_colon() {
        let tag: Tag = "receipt:T1:42".parse().unwrap();
        assert_eq!((tag.key(), tag.value(), tag.as_str()), ("receipt", "T1:42", "receipt:T1:42"));
    }

    #[test]
    fn bad_tags_are_refused_with_their_reason() {
        assert_eq!("nocolon".parse::<Tag>(), Err(InvalidTag::NoColon("nocolon".into())));
        assert_eq!(":x".parse::<Tag>(), Err(InvalidTag::BadKey(":x".into())));
        assert_eq!("a b:x".parse::<Tag>(), Err(InvalidTag::BadKey("a b:x".into())));
        assert_eq!("é:x".parse::<Tag>(), Err(InvalidTag::BadKey("é:x".into())));
        assert_eq!("a:".parse::<Tag>(), Err(InvalidTag::BadValue("a:".into())));
        assert_eq!("a:x\ny".parse::<Tag>(), Err(InvalidTag::BadValue("a:x\ny".into())));
    }

    #[test]
    fn tags_that_once_shared_an_index_file_are_different() {
        let tags: std::collections::HashSet<Tag> =
            ["k:a_b=c", "k:a=b_c", "k:a=b/c"].iter().map(|t| t.parse().unwrap()).collect();
        assert_eq!(tags.len(), 3);
    }
}
