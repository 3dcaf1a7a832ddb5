//! A refund: its total, its lines and what is paid back.

use serde::{Deserialize, Serialize};

use dcb::Tag;

use super::{About, about};
use crate::calendar::BusinessDay;
use crate::ids::{
    CustomerId, GiftCardId, ProductId, RefundId, SaleId, SeriesId, ShiftId, TillId, UserId,
};
use crate::money::{Amounts, BasisPoints, Money, Quantity, TaxMode};
use crate::payment::Tender;

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
    /// The sale whose receipt was shown; none without a receipt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sale: Option<SaleId>,
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
    /// What the cash paid back was rounded up by, or down if negative.
    #[serde(default, skip_serializing_if = "Money::is_zero")]
    pub rounding: Money,
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
    /// The sale it was sold in, if its receipt was shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sale: Option<SaleId>,
    /// Which line of that sale.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sold_line: Option<u32>,
    /// On which business day it was sold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sold_on: Option<BusinessDay>,
    /// To whom it was sold, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerId>,
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
    /// The sale it was taken for, if its receipt was shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sale: Option<SaleId>,
    /// Which payment of that sale, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment: Option<u32>,
    /// The gift card, if it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<GiftCardId>,
    /// What the terminal or the credit note calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

about! {
    PaymentRefunded { refund, shift; sale }
    ProductReturned { product, refund; sale; customer }
}

impl About for RefundCompleted {
    fn tags(&self) -> Vec<Tag> {
        let receipt = self.series.receipt(self.number);
        [self.refund.tag(), self.series.tag(), self.shift.tag(), receipt.tag()]
            .into_iter()
            .chain(self.customer.as_ref().map(CustomerId::tag))
            .chain(self.sale.as_ref().map(SaleId::tag))
            .cloned()
            .collect()
    }
}

impl ProductReturned {
    /// What the line comes to; positive.
    pub fn amounts(&self) -> Amounts {
        Amounts { gross: self.gross, net: self.net, tax: self.tax }
    }
}
