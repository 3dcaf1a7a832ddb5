//! Barcodes: one form for all GS1 codes, so that a product scanned as UPC or EAN is the same.

use std::fmt;

use dcb::Tag;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// A Global Trade Item Number in its 14-digit form, its check digit verified.
///
/// EAN-8, UPC-A (12 digits), EAN-13 and GTIN-14 are the same number with more or fewer leading
/// zeros; events about it carry the tag `barcode:<14 digits>`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, TS)]
#[serde(try_from = "String", into = "String")]
#[ts(type = "string")]
pub struct Gtin(Tag);

/// Why a text is not a [`Gtin`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidBarcode {
    /// It has another character than a digit.
    #[error("the barcode {0:?} has characters that are no digits")]
    NotDigits(String),
    /// It is none of the lengths that exist.
    #[error("the barcode {0} has {digits} digits; a code has 8, 12, 13 or 14", digits = .0.len())]
    Length(String),
    /// Its last digit doesn't follow from the others.
    #[error("the barcode {code} has a wrong check digit; the last digit should be {expected}")]
    CheckDigit {
        /// The code as it was given.
        code: String,
        /// What the last digit should be.
        expected: u8,
    },
}

impl Gtin {
    /// How many in-store codes [`Gtin::in_store`] can make.
    pub const MAX_IN_STORE: u64 = 10_000_000_000;

    /// Reads an EAN-8, UPC-A, EAN-13 or GTIN-14; surrounding space is left off.
    pub fn new(text: &str) -> Result<Self, InvalidBarcode> {
        let code = text.trim();
        if code.is_empty() || !code.bytes().all(|b| b.is_ascii_digit()) {
            return Err(InvalidBarcode::NotDigits(code.chars().take(40).collect()));
        }
        if !matches!(code.len(), 8 | 12 | 13 | 14) {
            return Err(InvalidBarcode::Length(code.chars().take(40).collect()));
        }
        let expected = check_digit(code.get(..code.len().saturating_sub(1)).unwrap_or_default());
        if code.bytes().last() != Some(expected.saturating_add(b'0')) {
            return Err(InvalidBarcode::CheckDigit { code: code.to_owned(), expected });
        }
        Ok(Self::from_digits(code))
    }

    /// The shop's own EAN-13 number `number`: it starts with 20, which GS1 leaves to shops and no
    /// scale prints; see [`ScaleCodes`](crate::ScaleCodes). `None` from [`Gtin::MAX_IN_STORE`] on.
    pub fn in_store(number: u64) -> Option<Self> {
        if number >= Self::MAX_IN_STORE {
            return None;
        }
        Some(Self::complete(&format!("20{number:010}")))
    }

    /// What an in-store EAN-13 is made of, if it is laid out like those of scales: its first two
    /// digits, the code with a value of 0, and the value, 0 to 99,999.
    pub(crate) fn in_store_parts(&self) -> Option<(u8, Self, i64)> {
        let digits = self.as_str().strip_prefix('0').filter(|digits| digits.starts_with('2'))?;
        let (first, number) = (digits.get(..2)?.parse().ok()?, digits.get(..7)?);
        let value = digits.get(7..12)?.parse().ok()?;
        Some((first, Self::complete(&format!("{number}00000")), value))
    }

    /// The 14 digits.
    pub fn as_str(&self) -> &str {
        self.0.value()
    }

    /// The tag that events about it carry.
    pub fn tag(&self) -> &Tag {
        &self.0
    }

    /// The code that begins with these digits and ends in their check digit.
    fn complete(digits: &str) -> Self {
        Self::from_digits(&format!("{digits}{}", check_digit(digits)))
    }

    fn from_digits(digits: &str) -> Self {
        Self(Tag::new("barcode", format!("{digits:0>14}")).expect("digits make a valid tag"))
    }
}

/// The GS1 check digit of the digits before it: from the right they weigh 3, 1, 3, …
#[allow(clippy::arithmetic_side_effects, reason = "13 digits weigh at most 13 × 27")]
fn check_digit(digits: &str) -> u8 {
    let weights = [3, 1].into_iter().cycle();
    let values = digits.bytes().rev().map(|digit| u32::from(digit.saturating_sub(b'0')));
    let sum: u32 = values.zip(weights).map(|(value, weight): (u32, u32)| value * weight).sum();
    u8::try_from((10 - sum % 10) % 10).unwrap_or_default()
}

impl TryFrom<String> for Gtin {
    type Error = InvalidBarcode;

    fn try_from(text: String) -> Result<Self, InvalidBarcode> {
        Self::new(&text)
    }
}

impl From<Gtin> for String {
    fn from(gtin: Gtin) -> Self {
        gtin.as_str().to_owned()
    }
}

impl fmt::Display for Gtin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Gtin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_code_as_upc_and_as_ean_is_one_number() {
        let upc = Gtin::new("036000291452").unwrap();
        assert_eq!(upc, Gtin::new(" 0036000291452 ").unwrap());
        assert_eq!(upc.as_str(), "00036000291452");
        assert_eq!(Gtin::new("96385074").unwrap().as_str(), "00000096385074");
        assert_eq!(Gtin::new("4006381333931").unwrap().tag().as_str(), "barcode:04006381333931");
    }

    #[test]
    fn a_wrong_check_digit_is_refused_and_the_right_one_named() {
        assert_eq!(
            Gtin::new("4006381333932"),
            Err(InvalidBarcode::CheckDigit { code: "4006381333932".into(), expected: 1 })
        );
    }

    #[test]
    fn what_is_no_code_is_refused_with_its_reason() {
        assert!(matches!(Gtin::new("12345678901"), Err(InvalidBarcode::Length(_))));
        assert!(matches!(Gtin::new("40063813339é1"), Err(InvalidBarcode::NotDigits(_))));
        assert!(matches!(Gtin::new(""), Err(InvalidBarcode::NotDigits(_))));
    }

    #[test]
    fn in_store_codes_start_with_20_and_verify() {
        for number in [0, 1, 42, Gtin::MAX_IN_STORE - 1] {
            let code = Gtin::in_store(number).unwrap();
            assert!(code.as_str().starts_with("020"), "{code}");
            assert_eq!(Gtin::new(code.as_str()), Ok(code));
        }
        assert_eq!(Gtin::in_store(Gtin::MAX_IN_STORE), None);
    }

    #[test]
    fn every_single_wrong_digit_is_noticed() {
        let good = "4006381333931";
        for at in 0..good.len() {
            for digit in '0'..='9' {
                let mut bad = good.to_owned();
                bad.replace_range(at..=at, &digit.to_string());
                assert_eq!(Gtin::new(&bad).is_ok(), bad == good, "{bad}");
            }
        }
    }
}
