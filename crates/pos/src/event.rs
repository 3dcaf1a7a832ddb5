//! The events of a shop: what they say, what they are about, and how they are written.
//!
//! Every act records one or more of these in one commit. Beside its own fields an event's data
//! holds `at` and `businessDay` (see [`When`]), which [`execute`](crate::execute) adds, so that no
//! act can forget them. Names of people stand only in `private` objects.

mod catalogue;
mod drawer;
mod offers;
mod refund;
mod sale;
mod shift;
mod shop;
mod staff;
mod stock;
mod value;

use dcb::{Event, EventRef, Query, Tag};
use serde::Serialize;

use crate::calendar::When;

pub use catalogue::{
    AgeRuleSet, BarcodeAssigned, BarcodeReleased, KitDefined, LimitSet, PriceChanged, ProductAdded,
};
pub use drawer::{CashMove, CashMoved, Denomination, JournalMark};
pub use offers::{
    CouponIssued, CouponRedeemed, CouponVoided, PointsEarned, PointsRedeemed, PointsReturned,
    PointsReversed, PromotionApplied, PromotionDefined, PromotionReturned,
};
pub use refund::{PaymentRefunded, ProductReturned, RefundCompleted};
pub use sale::{AgeChecked, DiscountGiven, PaymentTaken, ProductSold, SaleCompleted};
pub use shift::{ShiftClosed, ShiftOpened};
pub use shop::{CustomerAdded, Person, ShopConfigured, StaffAdded};
pub use staff::{ActRefused, RoleChanged, StaffRemoved, StaffRoleSet};
pub use stock::{
    StockAdjustedDown, StockAdjustedUp, StockCounted, StockOverridden, StockReceived,
    StockReturned, StockTaken,
};
pub use value::{
    AccountCharged, AccountCredited, AccountPaid, AccountPaymentBounced, CreditLimitSet,
    GiftCardBlocked, GiftCardCredited, GiftCardIssued, GiftCardRedeemed, GiftCardTopUpCancelled,
    GiftCardToppedUp,
};

/// What an event is about: the tags by which decisions find it.
trait About {
    fn tags(&self) -> Vec<Tag>;
}

/// Says which ids of an event are its tags; those that it need not have stand behind a `;`.
macro_rules! about {
    ($($name:ident { $($id:ident),* $(; $optional:ident)* })+) => {$(
        impl super::About for $name {
            fn tags(&self) -> Vec<dcb::Tag> {
                let tags: &[&dcb::Tag] = &[$(self.$id.tag()),*];
                let tags = tags.iter().copied();
                $(let tags = tags.chain(self.$optional.as_ref().map(|id| id.tag()));)*
                tags.cloned().collect()
            }
        }
    )+};
}
use about;

macro_rules! shop_events {
    ($($(#[$doc:meta])* $name:ident,)+) => {
        /// Something that happened in the shop.
        #[derive(Clone, Debug, PartialEq)]
        pub enum ShopEvent {
            $($(#[$doc])* $name($name),)+
        }

        impl ShopEvent {
            /// The types of all events of a shop.
            pub const TYPES: &[&str] = &[$($name::TYPE,)+];

            /// The event's type, as it is recorded.
            pub fn event_type(&self) -> &'static str {
                match self {
                    $(Self::$name(_) => $name::TYPE,)+
                }
            }

            /// What the event is about: the tags by which decisions find it.
            pub fn tags(&self) -> Vec<Tag> {
                match self {
                    $(Self::$name(event) => event.tags(),)+
                }
            }

            /// Reads a recorded event; `None` if it is none of the shop's, or odd.
            ///
            /// This is the one place where data is read, and so the one where data written by an
            /// older version is brought up to date. Data without a `version` is version 1.
            pub fn decode(event: &EventRef<'_>) -> Option<Self> {
                match event.event_type {
                    $($name::TYPE => event.data_as().ok().map(Self::$name),)+
                    _ => None,
                }
            }

            /// The event as a store takes it.
            pub fn encode(&self, when: &When) -> Event {
                let event = Event::builder(self.event_type()).tags(self.tags());
                match self {
                    $(Self::$name(data) => event.data(&Dated { when, data }),)+
                }
                .build()
                .expect("texts and whole numbers can be written as JSON")
            }
        }

        $(
            impl $name {
                /// The event's type, as it is recorded.
                pub const TYPE: &'static str = stringify!($name);
            }

            impl From<$name> for ShopEvent {
                fn from(data: $name) -> Self {
                    Self::$name(data)
                }
            }
        )+
    };
}

shop_events! {
    /// The shop got its settings, or other ones.
    ShopConfigured,
    /// A product came into the catalogue.
    ProductAdded,
    /// A product got another price.
    PriceChanged,
    /// A product got a barcode.
    BarcodeAssigned,
    /// A product lost a barcode.
    BarcodeReleased,
    /// A product's limits were set.
    LimitSet,
    /// A product was put together of others.
    KitDefined,
    /// A product may be sold only to who is old enough.
    AgeRuleSet,
    /// A customer was added.
    CustomerAdded,
    /// Someone joined the staff.
    StaffAdded,
    /// Someone of the staff got another role.
    StaffRoleSet,
    /// Someone left the staff.
    StaffRemoved,
    /// A role got other rights.
    RoleChanged,
    /// A rule said no.
    ActRefused,
    /// A product was delivered.
    StockReceived,
    /// There is more of a product than was thought.
    StockAdjustedUp,
    /// There is less of a product than was thought.
    StockAdjustedDown,
    /// A product was counted.
    StockCounted,
    /// A product left the shelf as a part of a kit that was sold.
    StockTaken,
    /// A product came back to the shelf as a part of a kit.
    StockReturned,
    /// More of a product was sold than was known to be on hand.
    StockOverridden,
    /// A till's shift began.
    ShiftOpened,
    /// A till's shift ended.
    ShiftClosed,
    /// Cash went into a drawer or out of it.
    CashMoved,
    /// A sale was made; its lines and payments follow in the same commit.
    SaleCompleted,
    /// A line of a sale.
    ProductSold,
    /// A payment for a sale.
    PaymentTaken,
    /// Somebody gave a discount on a sale.
    DiscountGiven,
    /// Somebody made sure that a customer is old enough.
    AgeChecked,
    /// A refund was made; its lines and payment follow in the same commit.
    RefundCompleted,
    /// A line of a refund.
    ProductReturned,
    /// What was paid back.
    PaymentRefunded,
    /// A promotion was defined, or defined anew.
    PromotionDefined,
    /// A promotion made a sale cheaper.
    PromotionApplied,
    /// The use of a promotion was given back by a refund.
    PromotionReturned,
    /// A coupon was handed out.
    CouponIssued,
    /// A coupon made a sale cheaper.
    CouponRedeemed,
    /// A coupon was declared void.
    CouponVoided,
    /// A customer earned points.
    PointsEarned,
    /// A customer paid a part of a sale with points.
    PointsRedeemed,
    /// A refund took back points that its sale had earned.
    PointsReversed,
    /// A refund gave back points that its sale had cost.
    PointsReturned,
    /// What a customer may owe was set.
    CreditLimitSet,
    /// A sale was paid on account.
    AccountCharged,
    /// A customer paid what was owed.
    AccountPaid,
    /// What a customer paid did not arrive, so it is owed again.
    AccountPaymentBounced,
    /// A refund lowered what a customer owes.
    AccountCredited,
    /// A gift card was sold.
    GiftCardIssued,
    /// More money was put on a gift card.
    GiftCardToppedUp,
    /// Money that was put on a gift card was paid back.
    GiftCardTopUpCancelled,
    /// A sale was paid with a gift card.
    GiftCardRedeemed,
    /// A refund put money back on a gift card.
    GiftCardCredited,
    /// A gift card was blocked.
    GiftCardBlocked,
}

#[derive(Serialize)]
struct Dated<'a, T> {
    #[serde(flatten)]
    when: &'a When,
    #[serde(flatten)]
    data: &'a T,
}

/// A shop's event as it stands in the store.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// Where it stands.
    pub position: u64,
    /// When it happened.
    pub when: When,
    /// What happened.
    pub event: ShopEvent,
}

impl Recorded {
    /// Reads a recorded event; `None` if it is none of the shop's, or odd.
    pub fn decode(event: &EventRef<'_>) -> Option<Self> {
        Some(Self {
            position: event.position,
            when: When::of(event)?,
            event: ShopEvent::decode(event)?,
        })
    }
}

/// Events of these types, whatever they are about. The types are those of this module.
pub(crate) fn of_types<const N: usize>(types: [&str; N]) -> Query {
    Query::types(types).expect("the types of this module are not blank")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{SaleId, ShiftId};
    use crate::money::{BasisPoints, Money};
    use crate::testing::{customer, day, happened, sku, till, units};

    fn sold() -> ProductSold {
        ProductSold {
            sale: SaleId::new("s").unwrap(),
            line: 1,
            product: sku("A"),
            customer: Some(customer("7")),
            quantity: units(2),
            unit_price: Money::new(120),
            list_price: Money::new(120),
            label_price: None,
            discount: Money::ZERO,
            gross: Money::new(240),
            net: Money::new(200),
            tax: Money::new(40),
            tax_rate: BasisPoints::new(2000),
        }
    }

    #[test]
    fn an_event_is_written_flat_with_its_time_and_read_back() {
        let event = happened(sold());
        let data: serde_json::Value = serde_json::from_str(event.data.as_str()).unwrap();
        let expected = serde_json::json!({
            "at": "2026-03-02T10:00:00Z", "businessDay": "2026-03-02",
            "sale": "s", "line": 1, "product": "A", "customer": "7", "quantity": 2000,
            "unitPrice": 120, "listPrice": 120, "gross": 240, "net": 200, "tax": 40,
            "taxRate": 2000
        });
        assert_eq!((event.event_type.as_str(), data), ("ProductSold", expected));
        let recorded = Recorded::decode(&event.at(3)).unwrap();
        assert_eq!(recorded.event, sold().into());
        assert_eq!((recorded.position, recorded.when.business_day), (3, day("2026-03-02")));
    }

    #[test]
    fn an_event_is_tagged_with_all_it_is_about() {
        let tags = |event: ShopEvent| -> Vec<String> {
            event.tags().iter().map(|tag| tag.as_str().to_owned()).collect()
        };
        assert_eq!(tags(sold().into()), ["product:A", "sale:s", "customer:7"]);
        let opened =
            ShiftOpened { shift: ShiftId::new("x").unwrap(), till: till("T1"), float: Money::ZERO };
        assert_eq!(tags(opened.into()), ["till:T1", "shift:x"]);
    }

    #[test]
    fn an_odd_event_is_none_of_the_shops() {
        let foreign = Event::builder("Foreign").build().unwrap();
        let broken = Event::builder(ProductSold::TYPE).data(&"text").build().unwrap();
        for event in [foreign, broken] {
            assert_eq!(ShopEvent::decode(&event.at(1)), None);
            assert_eq!(Recorded::decode(&event.at(1)), None);
        }
    }
}
