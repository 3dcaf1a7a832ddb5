//! Ids: what things are called in events, tags and requests.
//!
//! Each id holds the very [`Tag`] that events about the thing carry, so that asking history about
//! it cannot fail. In JSON an id is a plain string.

use std::fmt;

use dcb::Tag;
use serde::{Deserialize, Serialize};
use ts_rs::TS;
use uuid::Uuid;

/// The most characters an id may have.
pub const MAX_ID_CHARS: usize = 100;
/// The most characters a till's id may have: with a number behind it, it is still an id.
pub const MAX_TILL_CHARS: usize = 60;

/// Why a text is not an id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no {kind} id; write 1 to {most} characters without control characters")]
pub struct InvalidId {
    kind: &'static str,
    most: usize,
    text: String,
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident($key:literal, $most:ident, $normalise:expr);)+) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, TS)]
        #[serde(try_from = "String", into = "String")]
        #[ts(type = "string")]
        pub struct $name(Tag);

        impl $name {
            #[doc = concat!(
                "Reads an id: surrounding space is left off; 1 to [`", stringify!($most),
                "`] characters must be left, none of them a control character."
            )]
            pub fn new(text: &str) -> Result<Self, InvalidId> {
                let normalise: fn(&str) -> String = $normalise;
                tag($key, $most, &normalise(text.trim())).map(Self)
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                self.0.value()
            }

            /// The tag that events about it carry.
            pub fn tag(&self) -> &Tag {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                Self::new(&text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.as_str().to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.0.as_str())
            }
        }
    )+};
}

ids! {
    /// A product by its stock keeping unit, in capital letters: `85123A`.
    ProductId("product", MAX_ID_CHARS, str::to_uppercase);
    /// A customer: an opaque id, never a name.
    CustomerId("customer", MAX_ID_CHARS, str::to_owned);
    /// Who works at the till: an opaque id, never a name.
    UserId("staff", MAX_ID_CHARS, str::to_owned);
    /// A till.
    TillId("till", MAX_TILL_CHARS, str::to_owned);
    /// A shift: from opening a till to closing it.
    ShiftId("shift", MAX_ID_CHARS, str::to_owned);
    /// A sale.
    SaleId("sale", MAX_ID_CHARS, str::to_owned);
    /// A refund.
    RefundId("refund", MAX_ID_CHARS, str::to_owned);
    /// A series of receipt numbers; each till has its own, of the same name.
    SeriesId("series", MAX_TILL_CHARS, str::to_owned);
    /// A promotion, in capital letters: `3FOR2`.
    PromotionId("promotion", MAX_ID_CHARS, str::to_uppercase);
    /// A coupon by the code printed on it, in capital letters.
    CouponId("coupon", MAX_ID_CHARS, str::to_uppercase);
    /// A gift card by the code printed on it, in capital letters.
    GiftCardId("card", MAX_ID_CHARS, str::to_uppercase);
    /// What is printed on a receipt to find it again: `<till>-<number>`.
    ReceiptId("receipt", MAX_ID_CHARS, str::to_owned);
}

/// Things made by a request are called by the request's id.
macro_rules! made_by_request {
    ($($name:ident)+) => {$(
        impl From<Uuid> for $name {
            fn from(request_id: Uuid) -> Self {
                Self(always_valid(Self::new(&request_id.to_string())).0)
            }
        }
    )+};
}

made_by_request!(CustomerId UserId ShiftId SaleId RefundId);

impl From<&TillId> for SeriesId {
    fn from(till: &TillId) -> Self {
        always_valid(Self::new(till.as_str()))
    }
}

impl SeriesId {
    /// What is printed on the receipt with this number.
    pub fn receipt(&self, number: u64) -> ReceiptId {
        always_valid(ReceiptId::new(&format!("{self}-{number}")))
    }
}

/// The tag of the first event that a request recorded.
pub fn request_tag(request_id: Uuid) -> Tag {
    always_valid(Tag::new("request", request_id.to_string()))
}

/// The tag of the refusal of a request.
pub(crate) fn refused_tag(request_id: Uuid) -> Tag {
    always_valid(Tag::new("refused", request_id.to_string()))
}

fn tag(kind: &'static str, most: usize, text: &str) -> Result<Tag, InvalidId> {
    let invalid = || InvalidId { kind, most, text: text.chars().take(most).collect() };
    if text.chars().count() > most {
        return Err(invalid());
    }
    Tag::new(kind, text).map_err(|_| invalid())
}

/// For ids made of parts that were checked before.
fn always_valid<T, E: fmt::Debug>(id: Result<T, E>) -> T {
    id.expect("an id made of a UUID or of another id is valid")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::{BasisPoints, Money, Quantity};

    #[test]
    fn a_stock_code_is_the_same_in_either_case_and_with_space_around_it() {
        let id = ProductId::new(" 85123a ").unwrap();
        assert_eq!((id.as_str(), id.tag().as_str()), ("85123A", "product:85123A"));
        assert_eq!(id, serde_json::from_str("\"85123A\"").unwrap());
        assert_eq!(serde_json::to_string(&id).unwrap(), "\"85123A\"");
    }

    #[test]
    fn in_typescript_ids_are_strings_and_amounts_numbers() {
        let config = ts_rs::Config::default();
        assert_eq!(ProductId::inline(&config), "string");
        let amounts =
            [Money::inline(&config), Quantity::inline(&config), BasisPoints::inline(&config)];
        assert_eq!(amounts, ["number"; 3]);
    }

    #[test]
    fn what_cannot_be_a_tag_is_no_id() {
        assert!(ProductId::new("  ").is_err());
        assert!(CustomerId::new("a\nb").is_err());
        assert!(ProductId::new(&"x".repeat(MAX_ID_CHARS)).is_ok());
        assert!(ProductId::new(&"x".repeat(MAX_ID_CHARS + 1)).is_err());
        assert_eq!(ProductId::new("ß").unwrap().as_str(), "SS");
    }

    #[test]
    fn a_receipt_is_called_by_its_till_and_number() {
        let till = TillId::new(&"x".repeat(MAX_TILL_CHARS)).unwrap();
        let receipt = SeriesId::from(&till).receipt(u64::MAX);
        assert!(receipt.as_str().ends_with("-18446744073709551615"));
        let series = SeriesId::from(&TillId::new("T1").unwrap());
        assert_eq!(series.receipt(42), ReceiptId::new("T1-42").unwrap());
    }
}
