//! A sale: its total, its lines and its payments.

use serde::{Deserialize, Serialize};

use dcb::Tag;

use super::{About, about};
use crate::discounts::Discount;
use crate::ids::{CustomerId, GiftCardId, ProductId, SaleId, SeriesId, ShiftId, TillId, UserId};
use crate::money::{Amounts, BasisPoints, Money, Quantity, TaxMode, TaxRounding};
use crate::payment::Tender;

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
    /// What tax was rounded on: in the earliest events each line.
    #[serde(default, skip_serializing_if = "TaxRounding::is_per_line")]
    pub tax_rounding: TaxRounding,
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
    /// What the cash part was rounded up by, or down if negative.
    #[serde(default, skip_serializing_if = "Money::is_zero")]
    pub rounding: Money,
    /// What was given: at least `gross + rounding`.
    pub paid: Money,
    /// What was given back in cash: `paid - gross - rounding`.
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
    /// What its label says that the line costs, if it does; else it is `unit_price` times `quantity`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label_price: Option<Money>,
    /// What all discounts, promotions, coupons and points took off that.
    #[serde(default, skip_serializing_if = "Money::is_zero")]
    pub discount: Money,
    /// With tax.
    pub gross: Money,
    /// Without tax.
    pub net: Money,
    /// The tax.
    pub tax: Money,
    /// Its rate.
    pub tax_rate: BasisPoints,
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
    /// What it covers of the sale; of cash, as it was rounded.
    pub amount: Money,
    /// The cash that was given, if it was cash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given: Option<Money>,
    /// The change: `given - amount`, if it was cash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<Money>,
    /// The gift card, if it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<GiftCardId>,
    /// What the terminal or the invoice calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

/// Somebody gave a discount on a sale.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DiscountGiven {
    /// The sale.
    pub sale: SaleId,
    /// On which line of it, from 1; on the whole sale if on none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// What was given.
    pub discount: Discount,
    /// What it came to.
    pub amount: Money,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Somebody made sure that a customer is old enough for what was sold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AgeChecked {
    /// The sale.
    pub sale: SaleId,
    /// The age in years that the customer has at least.
    pub age: u8,
}

about! {
    ProductSold { product, sale; customer }
    PaymentTaken { sale, shift }
    DiscountGiven { sale }
    AgeChecked { sale }
}

impl About for SaleCompleted {
    fn tags(&self) -> Vec<Tag> {
        let receipt = self.series.receipt(self.number);
        [self.sale.tag(), self.series.tag(), self.shift.tag(), receipt.tag()]
            .into_iter()
            .chain(self.customer.as_ref().map(CustomerId::tag))
            .cloned()
            .collect()
    }
}

impl ProductSold {
    /// What the line comes to.
    pub fn amounts(&self) -> Amounts {
        Amounts { gross: self.gross, net: self.net, tax: self.tax }
    }
}
