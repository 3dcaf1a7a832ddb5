//! Tags of Opossum, whose keys and values are any texts, as tags of ours and back.
//!
//! What is a tag here stays as it is. What is none becomes one with the key `x--` and the key's
//! bytes, those outside `[A-Za-z0-9_.]` as `-` and two hex digits, and the value `=` and the value,
//! its control characters and `%` as `%` and the two hex digits of each byte; or `-` where there is
//! no value. A tag of Opossum that already looks so is encoded once more. So both ways are one to one.

use std::fmt::Write as _;

use dcb::Tag;
use serde::{Deserialize, Serialize};

/// What the key of an encoded tag begins with.
const PREFIX: &str = "x--";

/// A tag as Opossum keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ForeignTag {
    pub(super) key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) value: Option<String>,
}

impl ForeignTag {
    /// The tag of ours that stands for it; `None` for none, because every one has one.
    pub(super) fn to_tag(&self) -> Option<Tag> {
        match self.as_plain() {
            Some(tag) if decode(tag.as_str()).is_none() => Some(tag),
            _ => self.encode(),
        }
    }

    /// The tag of Opossum that a tag of ours stands for.
    pub(super) fn of(tag: &str) -> Self {
        decode(tag).unwrap_or_else(|| {
            let (key, value) = tag.split_once(':').unwrap_or((tag, ""));
            Self { key: key.into(), value: Some(value.into()) }
        })
    }

    /// The same key and value as a tag of ours, if they are one.
    fn as_plain(&self) -> Option<Tag> {
        Tag::new(&self.key, self.value.as_ref()?).ok()
    }

    fn encode(&self) -> Option<Tag> {
        let mut key = String::from(PREFIX);
        for byte in self.key.bytes() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.' => key.push(char::from(byte)),
                _ => drop(write!(key, "-{byte:02x}")),
            }
        }
        let mut value = String::from(if self.value.is_some() { "=" } else { "-" });
        for char in self.value.as_deref().unwrap_or_default().chars() {
            match char.is_control() || char == '%' {
                true => escape(char, &mut value),
                false => value.push(char),
            }
        }
        Tag::new(key, value).ok()
    }
}

fn escape(char: char, out: &mut String) {
    for byte in char.encode_utf8(&mut [0; 4]).bytes() {
        // Writing to a String cannot fail.
        let _ = write!(out, "%{byte:02x}");
    }
}

/// The tag of Opossum that was encoded as this one, if one was.
fn decode(tag: &str) -> Option<ForeignTag> {
    let (key, value) = tag.strip_prefix(PREFIX)?.split_once(':')?;
    let value = match value.strip_prefix('=') {
        Some(value) => Some(unescape(value, '%')?),
        None => None,
    };
    let foreign = ForeignTag { key: unescape(key, '-')?, value };
    let needs_encoding = match foreign.as_plain() {
        None => true,
        Some(plain) => decode(plain.as_str()).is_some(),
    };
    let is_its_encoding = foreign.encode().is_some_and(|encoded| encoded.as_str() == tag);
    (needs_encoding && is_its_encoding).then_some(foreign)
}

/// Turns each `mark` and the two hex digits behind it back into a byte.
fn unescape(text: &str, mark: char) -> Option<String> {
    let mut pieces = text.split(mark);
    let mut bytes = pieces.next()?.as_bytes().to_vec();
    for piece in pieces {
        let (hex, rest) = piece.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(hex, 16).ok()?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn foreign(key: &str, value: Option<&str>) -> ForeignTag {
        ForeignTag { key: key.into(), value: value.map(Into::into) }
    }

    #[test]
    fn any_tag_of_opossum_becomes_one_of_ours_and_comes_back() {
        let texts =
            ["", " ", "a", "course id", "é:x", "a\nb", "\0", "x--a", "x---2d", "50%", "%0a"];
        let mut random = fastrand::Rng::with_seed(7);
        let alphabet: Vec<char> = "ax-=%0123f:. é\n\u{85}".chars().collect();
        let random_text = |random: &mut fastrand::Rng| -> String {
            (0..random.usize(0..8)).map(|_| *random.choice(&alphabet).unwrap()).collect()
        };
        let mut all: Vec<ForeignTag> = Vec::new();
        for key in texts {
            all.push(foreign(key, None));
            all.extend(texts.iter().map(|value| foreign(key, Some(value))));
        }
        for _ in 0..20_000 {
            all.push(foreign(&random_text(&mut random), Some(&random_text(&mut random))));
        }
        // What already looks like an encoded tag, and what looks like that encoded.
        for round in 0..2 {
            let encoded: Vec<Tag> = all.iter().map(|tag| tag.to_tag().unwrap()).collect();
            assert!(
                encoded.iter().zip(&all).all(|(ours, tag)| ForeignTag::of(ours.as_str()) == *tag)
            );
            let look_alike = |tag: &Tag| foreign(tag.key(), Some(tag.value()));
            if round == 0 {
                all.extend(encoded.iter().map(look_alike).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn any_tag_of_ours_goes_to_opossum_and_comes_back() {
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..20_000 {
            let pick = |random: &mut fastrand::Rng, from: &[&str]| -> String {
                (0..random.usize(1..6)).map(|_| *random.choice(from).unwrap()).collect()
            };
            let key = pick(&mut random, &["x--", "-2d", "-", "a", "-c3-a9", "."]);
            let value = pick(&mut random, &["=", "-", "%0a", "%", "a", ":", "é"]);
            let tag = Tag::new(&key, &value).unwrap();
            assert_eq!(ForeignTag::of(tag.as_str()).to_tag(), Some(tag));
        }
    }

    #[test]
    fn what_is_a_tag_in_both_stays_as_it_is() {
        let tag = foreign("courseId", Some("a:b c%"));
        assert_eq!(tag.to_tag().unwrap().as_str(), "courseId:a:b c%");
        let odd = foreign("course id", Some("1"));
        assert_eq!(odd.to_tag().unwrap().as_str(), "x--course-20id:=1");
    }
}
