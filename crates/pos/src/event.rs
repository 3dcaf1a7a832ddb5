//! The events of a shop: what they say, what they are about, and how they are written.
//!
//! Every act records one or more of these in one commit. Beside its own fields an event's data
//! holds `at` and `businessDay` (see [`When`]), which [`execute`](crate::execute) adds, so that no
//! act can forget them. Names of people stand only in `private` objects.

mod drawer;
mod staff;

use dcb::{Event, EventRef, Query, Tag};
use serde::{Deserialize, Serialize};

use crate::barcode::Gtin;
use crate::calendar::When;
use crate::ids::{
    CustomerId, ProductId, RefundId, SaleId, SeriesId, ShiftId, TillId, UserId, refused_tag,
};
use crate::money::{Amounts, BasisPoints, Money, Quantity, TaxMode};
use crate::permission::Role;
use crate::settings::ShopSettings;
use crate::staff::NameHash;

pub use drawer::{CashMove, CashMoved, Denomination, JournalMark};
pub use staff::{ActRefused, RoleChanged, StaffRemoved, StaffRoleSet};

macro_rules! shop_events {
    ($($(#[$doc:meta])* $name:ident,)+) => {
        /// Something that happened in the shop.
        #[derive(Clone, Debug, PartialEq)]
        pub enum ShopEvent {
            $($(#[$doc])* $name($name),)+
        }

        impl ShopEvent {
            /// The event's type, as it is recorded.
            pub fn event_type(&self) -> &'static str {
                match self {
                    $(Self::$name(_) => $name::TYPE,)+
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
    /// A refund was made; its lines and payment follow in the same commit.
    RefundCompleted,
    /// A line of a refund.
    ProductReturned,
    /// What was paid back.
    PaymentRefunded,
}

#[derive(Serialize)]
struct Dated<'a, T> {
    #[serde(flatten)]
    when: &'a When,
    #[serde(flatten)]
    data: &'a T,
}

impl ShopEvent {
    /// What the event is about: the tags by which decisions find it.
    pub fn tags(&self) -> Vec<Tag> {
        match self {
            Self::ShopConfigured(_) => Vec::new(),
            Self::ProductAdded(e) => vec![e.product.tag().clone()],
            Self::PriceChanged(e) => vec![e.product.tag().clone()],
            Self::BarcodeAssigned(e) => vec![e.barcode.tag().clone(), e.product.tag().clone()],
            Self::BarcodeReleased(e) => vec![e.barcode.tag().clone(), e.product.tag().clone()],
            Self::LimitSet(e) => vec![e.product.tag().clone()],
            Self::CustomerAdded(e) => vec![e.customer.tag().clone()],
            Self::StaffAdded(e) => staff_tags(&e.user, e.name_hash.as_ref()),
            Self::StaffRoleSet(e) => vec![e.user.tag().clone()],
            Self::StaffRemoved(e) => staff_tags(&e.user, e.name_hash.as_ref()),
            Self::RoleChanged(e) => vec![e.role.tag()],
            Self::ActRefused(e) => vec![refused_tag(e.request)],
            Self::StockReceived(e) => vec![e.product.tag().clone()],
            Self::StockAdjustedUp(e) => vec![e.product.tag().clone()],
            Self::StockAdjustedDown(e) => vec![e.product.tag().clone()],
            Self::StockCounted(e) => vec![e.product.tag().clone()],
            Self::ShiftOpened(e) => vec![e.till.tag().clone(), e.shift.tag().clone()],
            Self::ShiftClosed(e) => vec![e.till.tag().clone(), e.shift.tag().clone()],
            Self::CashMoved(e) => vec![e.till.tag().clone(), e.shift.tag().clone()],
            Self::SaleCompleted(e) => [e.sale.tag(), e.series.tag(), e.shift.tag()]
                .into_iter()
                .chain([e.series.receipt(e.number).tag()])
                .chain(e.customer.as_ref().map(CustomerId::tag))
                .cloned()
                .collect(),
            Self::ProductSold(e) => [e.product.tag(), e.sale.tag()]
                .into_iter()
                .chain(e.customer.as_ref().map(CustomerId::tag))
                .cloned()
                .collect(),
            Self::PaymentTaken(e) => vec![e.sale.tag().clone(), e.shift.tag().clone()],
            Self::RefundCompleted(e) => [e.refund.tag(), e.series.tag(), e.shift.tag()]
                .into_iter()
                .chain([e.series.receipt(e.number).tag()])
                .chain(e.customer.as_ref().map(CustomerId::tag))
                .cloned()
                .collect(),
            Self::ProductReturned(e) => vec![e.product.tag().clone(), e.refund.tag().clone()],
            Self::PaymentRefunded(e) => vec![e.refund.tag().clone(), e.shift.tag().clone()],
        }
    }
}

fn staff_tags(user: &UserId, name: Option<&NameHash>) -> Vec<Tag> {
    std::iter::once(user.tag().clone()).chain(name.and_then(NameHash::tag)).collect()
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

/// The shop got its settings, or other ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShopConfigured {
    /// The settings from now on.
    pub settings: ShopSettings,
}

/// A product came into the catalogue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProductAdded {
    /// Its SKU.
    pub product: ProductId,
    /// What it is called.
    pub name: String,
    /// Where it belongs; may be empty.
    pub category: String,
    /// The price of one unit.
    pub price: Money,
    /// What one unit costs the shop.
    pub cost: Money,
    /// The rate of its tax.
    pub tax_rate: BasisPoints,
    /// Whether it can run out; a service cannot.
    pub stocked: bool,
}

/// A product got another price.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PriceChanged {
    /// The product.
    pub product: ProductId,
    /// The price of one unit from now on.
    pub price: Money,
}

/// A product got a barcode.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BarcodeAssigned {
    /// The code.
    #[serde(rename = "gtin")]
    pub barcode: Gtin,
    /// Whose it is from now on.
    pub product: ProductId,
}

/// A product lost a barcode.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BarcodeReleased {
    /// The code.
    #[serde(rename = "gtin")]
    pub barcode: Gtin,
    /// Whose it was.
    pub product: ProductId,
}

/// A product's limits were set; a limit that is not named is lifted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LimitSet {
    /// The product.
    pub product: ProductId,
    /// The most that one receipt may have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_receipt: Option<Quantity>,
    /// The most that one customer may buy on one business day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_customer_day: Option<Quantity>,
}

/// What is personal about a customer or a member of staff.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Person {
    /// The name.
    pub name: String,
}

/// A customer was added.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CustomerAdded {
    /// The opaque id.
    pub customer: CustomerId,
    /// What is personal.
    pub private: Person,
}

/// Someone joined the staff.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StaffAdded {
    /// The opaque id.
    pub user: UserId,
    /// What the person may do.
    pub role: Role,
    /// The keyed hash of the name, by which no two are the same; the oldest events have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_hash: Option<NameHash>,
    /// What is personal.
    pub private: Person,
}

/// A product was delivered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StockReceived {
    /// The product.
    pub product: ProductId,
    /// How much.
    pub quantity: Quantity,
    /// What one unit cost, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<Money>,
}

/// There is more of a product than was thought.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StockAdjustedUp {
    /// The product.
    pub product: ProductId,
    /// How much more; positive.
    pub quantity: Quantity,
    /// Why; may be empty.
    pub reason: String,
}

/// There is less of a product than was thought.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StockAdjustedDown {
    /// The product.
    pub product: ProductId,
    /// How much less; positive.
    pub quantity: Quantity,
    /// Why; may be empty.
    pub reason: String,
}

/// A product was counted. It folds as the difference of the two figures, so that a delivery or a
/// sale recorded later but made earlier is not lost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StockCounted {
    /// The product.
    pub product: ProductId,
    /// What was found.
    pub counted: Quantity,
    /// What should have been there.
    pub expected: Quantity,
}

/// A till's shift began.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShiftOpened {
    /// The shift.
    pub shift: ShiftId,
    /// Its till.
    pub till: TillId,
    /// The cash in the drawer.
    pub float: Money,
}

/// A till's shift ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShiftClosed {
    /// The shift.
    pub shift: ShiftId,
    /// Its till.
    pub till: TillId,
    /// The cash found in the drawer.
    pub counted: Money,
    /// The cash that should have been there.
    pub expected: Money,
    /// The notes and coins that were found, if they were counted one by one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub denominations: Vec<Denomination>,
    /// The number of its Z report: 1 for a till's first, and never set back. The oldest events have
    /// none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub z: Option<u64>,
    /// What the journal was then, where the store can tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub journal: Option<JournalMark>,
}

/// A sale was made; its lines and payments follow in the same commit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SaleCompleted {
    /// The sale.
    pub sale: SaleId,
    /// The till's series of receipt numbers.
    pub series: SeriesId,
    /// The receipt's number in the series, from 1.
    pub number: u64,
    /// Where it was made.
    pub till: TillId,
    /// The shift in which it was made.
    pub shift: ShiftId,
    /// Who made it.
    pub cashier: UserId,
    /// To whom, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerId>,
    /// Whether the prices held their tax.
    pub tax_mode: TaxMode,
    /// How many lines follow.
    pub lines: u32,
    /// How many payments follow.
    pub payments: u32,
    /// The sum of the lines, with tax.
    pub gross: Money,
    /// The sum of the lines, without tax.
    pub net: Money,
    /// The sum of the lines' tax.
    pub tax: Money,
    /// What was given: at least `gross`.
    pub paid: Money,
    /// What was given back in cash: `paid - gross`.
    pub change: Money,
    /// What it is called elsewhere, such as an invoice number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// What the cashier noted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// A line of a sale.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProductSold {
    /// The sale.
    pub sale: SaleId,
    /// Which line of it, from 1.
    pub line: u32,
    /// The product.
    pub product: ProductId,
    /// To whom, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerId>,
    /// How much.
    pub quantity: Quantity,
    /// The price of one unit that was charged.
    pub unit_price: Money,
    /// The price of one unit in the catalogue.
    pub list_price: Money,
    /// With tax.
    pub gross: Money,
    /// Without tax.
    pub net: Money,
    /// The tax.
    pub tax: Money,
    /// Its rate.
    pub tax_rate: BasisPoints,
}

/// How something is paid.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ts_rs::TS,
)]
#[serde(rename_all = "snake_case")]
pub enum Tender {
    /// Notes and coins; the only one that gives change.
    Cash,
    /// A card at an external terminal.
    Card,
}

impl Tender {
    /// The tender as it is written in JSON and in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cash => "cash",
            Self::Card => "card",
        }
    }
}

/// A payment for a sale.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentTaken {
    /// The sale.
    pub sale: SaleId,
    /// The shift in which it was taken.
    pub shift: ShiftId,
    /// How it was paid.
    pub tender: Tender,
    /// What it covers of the sale.
    pub amount: Money,
    /// The cash that was given, if it was cash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given: Option<Money>,
    /// The change: `given - amount`, if it was cash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<Money>,
    /// What the terminal or the invoice calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

/// A refund was made; its lines and payment follow in the same commit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefundCompleted {
    /// The refund.
    pub refund: RefundId,
    /// The till's series of receipt numbers.
    pub series: SeriesId,
    /// The receipt's number in the series, from 1.
    pub number: u64,
    /// Where it was made.
    pub till: TillId,
    /// The shift in which it was made.
    pub shift: ShiftId,
    /// Who made it.
    pub cashier: UserId,
    /// To whom, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerId>,
    /// Whether the prices held their tax.
    pub tax_mode: TaxMode,
    /// How many lines follow.
    pub lines: u32,
    /// How many payments follow.
    pub payments: u32,
    /// The sum of the lines, with tax; positive.
    pub gross: Money,
    /// The sum of the lines, without tax; positive.
    pub net: Money,
    /// The sum of the lines' tax; positive.
    pub tax: Money,
    /// Why.
    pub reason: String,
    /// What it is called elsewhere, such as a credit note's number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

/// A line of a refund.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProductReturned {
    /// The refund.
    pub refund: RefundId,
    /// Which line of it, from 1.
    pub line: u32,
    /// The product.
    pub product: ProductId,
    /// How much; positive.
    pub quantity: Quantity,
    /// What was paid back for one unit.
    pub unit_price: Money,
    /// With tax; positive.
    pub gross: Money,
    /// Without tax; positive.
    pub net: Money,
    /// The tax; positive.
    pub tax: Money,
    /// Its rate.
    pub tax_rate: BasisPoints,
    /// Whether it went back on the shelf.
    pub restocked: bool,
}

/// What was paid back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentRefunded {
    /// The refund.
    pub refund: RefundId,
    /// The shift in which it was paid back.
    pub shift: ShiftId,
    /// How it was paid back.
    pub tender: Tender,
    /// How much; positive.
    pub amount: Money,
    /// What the terminal or the credit note calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

impl ProductSold {
    /// What the line comes to.
    pub fn amounts(&self) -> Amounts {
        Amounts { gross: self.gross, net: self.net, tax: self.tax }
    }
}

impl ProductReturned {
    /// What the line comes to; positive.
    pub fn amounts(&self) -> Amounts {
        Amounts { gross: self.gross, net: self.net, tax: self.tax }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
        let recorded = Recorded::decode(&event.as_ref(3)).unwrap();
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
            assert_eq!(ShopEvent::decode(&event.as_ref(1)), None);
            assert_eq!(Recorded::decode(&event.as_ref(1)), None);
        }
    }
}
