//! Receipts: what a customer is handed, numbered without a gap in each till's own series.

use chrono::{DateTime, Utc};
use dcb::{DecisionProjection, Query};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::calendar::BusinessDay;
use crate::event::{
    PaymentRefunded, PaymentTaken, ProductReturned, ProductSold, Recorded, RefundCompleted,
    SaleCompleted, ShopEvent,
};
use crate::ids::{
    CouponId, CustomerId, GiftCardId, ProductId, PromotionId, ReceiptId, RefundId, SaleId,
    SeriesId, ShiftId, TillId, UserId,
};
use crate::money::{BasisPoints, Money, Quantity, TaxMode};
use crate::payment::Tender;

/// The number of the series' last receipt; 0 before the first. Sales and refunds share a series,
/// and only the same series conflicts: other tills never do.
pub(crate) fn last_number_in(series: &SeriesId) -> DecisionProjection<u64> {
    let query = Query::tagged([SaleCompleted::TYPE, RefundCompleted::TYPE], series.tag());
    DecisionProjection::last(0, query, |event| match ShopEvent::decode(event) {
        Some(ShopEvent::SaleCompleted(e)) => Some(e.number),
        Some(ShopEvent::RefundCompleted(e)) => Some(e.number),
        _ => None,
    })
    .named("last_number", 1, series)
}

/// What is told about a sale.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// The sale.
    pub sale: SaleId,
    /// What is printed to find it again: `<till>-<number>`.
    pub receipt: ReceiptId,
    /// Its number in the till's series, from 1.
    #[ts(type = "number")]
    pub number: u64,
    /// When it was made, in UTC.
    #[ts(type = "string")]
    pub at: DateTime<Utc>,
    /// The business day it counts for.
    pub business_day: BusinessDay,
    /// Where it was made.
    pub till: TillId,
    /// The shift in which it was made.
    pub shift: ShiftId,
    /// Who made it.
    pub cashier: UserId,
    /// To whom, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub customer: Option<CustomerId>,
    /// Whether the prices hold their tax.
    pub tax_mode: TaxMode,
    /// Its lines, in the order they were rung up.
    pub lines: Vec<ReceiptLine>,
    /// The sum of the lines, with tax.
    pub gross: Money,
    /// The sum of the lines, without tax.
    pub net: Money,
    /// The sum of the lines' tax.
    pub tax: Money,
    /// What made it cheaper, in this order; what it took off is in the lines already.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[ts(optional, as = "Option<Vec<Reduction>>")]
    pub reductions: Vec<Reduction>,
    /// What the cash part was rounded up by, or down if negative: a line of its own.
    #[serde(default, skip_serializing_if = "Money::is_zero")]
    #[ts(optional, as = "Option<Money>")]
    pub rounding: Money,
    /// What was given.
    pub paid: Money,
    /// What was given back in cash.
    pub change: Money,
    /// How it was paid.
    pub payments: Vec<ReceiptPayment>,
    /// The points that the customer earned by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional, type = "number")]
    pub points_earned: Option<i64>,
    /// The age that somebody made sure of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub age_checked: Option<u8>,
    /// What it is called elsewhere, such as an invoice number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub reference: Option<String>,
    /// What the cashier noted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub note: Option<String>,
}

/// A line of a [`Receipt`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ReceiptLine {
    /// Which line, from 1.
    pub line: u32,
    /// The product.
    pub product: ProductId,
    /// How much.
    pub quantity: Quantity,
    /// The price of one unit that was charged.
    pub unit_price: Money,
    /// The price of one unit in the catalogue.
    pub list_price: Money,
    /// What its label says that the line costs, if it does; else it is `unit_price` times `quantity`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub label_price: Option<Money>,
    /// What was taken off that.
    #[serde(default, skip_serializing_if = "Money::is_zero")]
    #[ts(optional, as = "Option<Money>")]
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

/// Something that made a sale cheaper.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Reduction {
    /// What it was.
    pub by: ReducedBy,
    /// The lines it was taken off, from 1; none if it was the whole sale.
    pub lines: Vec<u32>,
    /// By how much, altogether.
    pub amount: Money,
}

/// What made a sale cheaper.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum ReducedBy {
    /// Somebody gave a discount, for this reason.
    Discount(Option<String>),
    /// A promotion.
    Promotion(PromotionId),
    /// A coupon.
    Coupon(CouponId),
    /// So many of the customer's points.
    Points(#[ts(type = "number")] i64),
}

impl Reduction {
    /// What an event of a sale's commit tells of; `None` if it is something else.
    fn of(event: &ShopEvent) -> Option<Self> {
        let (by, lines, amount) = match event {
            ShopEvent::DiscountGiven(e) => {
                (ReducedBy::Discount(e.reason.clone()), e.line.into_iter().collect(), e.amount)
            }
            ShopEvent::PromotionApplied(e) => {
                (ReducedBy::Promotion(e.promotion.clone()), e.lines.clone(), e.amount)
            }
            ShopEvent::CouponRedeemed(e) => {
                (ReducedBy::Coupon(e.coupon.clone()), Vec::new(), e.amount)
            }
            ShopEvent::PointsRedeemed(e) => (ReducedBy::Points(e.points), Vec::new(), e.amount),
            _ => return None,
        };
        Some(Self { by, lines, amount })
    }
}

/// A payment on a [`Receipt`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ReceiptPayment {
    /// How it was paid.
    pub tender: Tender,
    /// What it covered.
    pub amount: Money,
    /// The gift card, if it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub card: Option<GiftCardId>,
    /// The cash that was given, if it was cash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub given: Option<Money>,
    /// The change, if it was cash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub change: Option<Money>,
    /// What the terminal or the invoice calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub reference: Option<String>,
}

impl Receipt {
    /// The receipt that the events of a sale's commit make; `None` if they are not those.
    pub fn of(recorded: &[Recorded]) -> Option<Self> {
        let (first, rest) = recorded.split_first()?;
        let ShopEvent::SaleCompleted(sale) = &first.event else { return None };
        let sale: SaleCompleted = sale.clone();
        let mut receipt = Self {
            receipt: sale.series.receipt(sale.number),
            sale: sale.sale,
            number: sale.number,
            at: first.when.at,
            business_day: first.when.business_day,
            till: sale.till,
            shift: sale.shift,
            cashier: sale.cashier,
            customer: sale.customer,
            tax_mode: sale.tax_mode,
            lines: Vec::new(),
            gross: sale.gross,
            net: sale.net,
            tax: sale.tax,
            reductions: Vec::new(),
            rounding: sale.rounding,
            paid: sale.paid,
            change: sale.change,
            payments: Vec::new(),
            points_earned: None,
            age_checked: None,
            reference: sale.reference,
            note: sale.note,
        };
        for recorded in rest {
            match &recorded.event {
                ShopEvent::ProductSold(line) => receipt.lines.push(line.into()),
                ShopEvent::PaymentTaken(payment) => receipt.payments.push(payment.into()),
                ShopEvent::PointsEarned(earned) => receipt.points_earned = Some(earned.points),
                ShopEvent::AgeChecked(checked) => receipt.age_checked = Some(checked.age),
                event => receipt.reductions.extend(Reduction::of(event)),
            }
        }
        Some(receipt)
    }

    /// The query that finds the commit of the sale or refund with this printed number: its first
    /// event, which the others follow.
    pub fn query(receipt: &ReceiptId) -> Query {
        Query::tagged([SaleCompleted::TYPE, RefundCompleted::TYPE], receipt.tag())
    }
}

impl From<&ProductSold> for ReceiptLine {
    fn from(sold: &ProductSold) -> Self {
        Self {
            line: sold.line,
            product: sold.product.clone(),
            quantity: sold.quantity,
            unit_price: sold.unit_price,
            list_price: sold.list_price,
            label_price: sold.label_price,
            discount: sold.discount,
            gross: sold.gross,
            net: sold.net,
            tax: sold.tax,
            tax_rate: sold.tax_rate,
        }
    }
}

impl From<&PaymentTaken> for ReceiptPayment {
    fn from(payment: &PaymentTaken) -> Self {
        Self {
            tender: payment.tender,
            amount: payment.amount,
            card: payment.card.clone(),
            given: payment.given,
            change: payment.change,
            reference: payment.reference.clone(),
        }
    }
}

/// What is told about a refund. All amounts are positive.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct RefundReceipt {
    /// The refund.
    pub refund: RefundId,
    /// What is printed to find it again: `<till>-<number>`.
    pub receipt: ReceiptId,
    /// Its number in the till's series, from 1.
    #[ts(type = "number")]
    pub number: u64,
    /// When it was made, in UTC.
    #[ts(type = "string")]
    pub at: DateTime<Utc>,
    /// The business day it counts for.
    pub business_day: BusinessDay,
    /// Where it was made.
    pub till: TillId,
    /// The shift in which it was made.
    pub shift: ShiftId,
    /// Who made it.
    pub cashier: UserId,
    /// To whom, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub customer: Option<CustomerId>,
    /// The sale whose receipt was shown; none without a receipt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub sale: Option<SaleId>,
    /// Whether the prices hold their tax.
    pub tax_mode: TaxMode,
    /// Its lines, in the order given.
    pub lines: Vec<RefundReceiptLine>,
    /// The sum of the lines, with tax: what was paid back, but for the rounding.
    pub gross: Money,
    /// The sum of the lines, without tax.
    pub net: Money,
    /// The sum of the lines' tax.
    pub tax: Money,
    /// What the cash paid back was rounded up by, or down if negative.
    #[serde(default, skip_serializing_if = "Money::is_zero")]
    #[ts(optional, as = "Option<Money>")]
    pub rounding: Money,
    /// How it was paid back.
    pub payments: Vec<ReceiptPayment>,
    /// Why.
    pub reason: String,
    /// What it is called elsewhere, such as a credit note's number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub reference: Option<String>,
}

/// A line of a [`RefundReceipt`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct RefundReceiptLine {
    /// Which line, from 1.
    pub line: u32,
    /// The product.
    pub product: ProductId,
    /// How much.
    pub quantity: Quantity,
    /// What was paid back for one unit.
    pub unit_price: Money,
    /// With tax.
    pub gross: Money,
    /// Without tax.
    pub net: Money,
    /// The tax.
    pub tax: Money,
    /// Its rate.
    pub tax_rate: BasisPoints,
    /// Whether it went back on the shelf.
    pub restocked: bool,
}

impl RefundReceipt {
    /// The receipt that the events of a refund's commit make; `None` if they are not those.
    pub fn of(recorded: &[Recorded]) -> Option<Self> {
        let (first, rest) = recorded.split_first()?;
        let ShopEvent::RefundCompleted(refund) = &first.event else { return None };
        let refund: RefundCompleted = refund.clone();
        let mut receipt = Self {
            receipt: refund.series.receipt(refund.number),
            refund: refund.refund,
            number: refund.number,
            at: first.when.at,
            business_day: first.when.business_day,
            till: refund.till,
            shift: refund.shift,
            cashier: refund.cashier,
            customer: refund.customer,
            sale: refund.sale,
            tax_mode: refund.tax_mode,
            lines: Vec::new(),
            gross: refund.gross,
            net: refund.net,
            tax: refund.tax,
            rounding: refund.rounding,
            payments: Vec::new(),
            reason: refund.reason,
            reference: refund.reference,
        };
        for recorded in rest {
            match &recorded.event {
                ShopEvent::ProductReturned(line) => receipt.lines.push(line.into()),
                ShopEvent::PaymentRefunded(payment) => receipt.payments.push(payment.into()),
                _ => {}
            }
        }
        Some(receipt)
    }
}

impl From<&ProductReturned> for RefundReceiptLine {
    fn from(returned: &ProductReturned) -> Self {
        Self {
            line: returned.line,
            product: returned.product.clone(),
            quantity: returned.quantity,
            unit_price: returned.unit_price,
            gross: returned.gross,
            net: returned.net,
            tax: returned.tax,
            tax_rate: returned.tax_rate,
            restocked: returned.restocked,
        }
    }
}

impl From<&PaymentRefunded> for ReceiptPayment {
    fn from(payment: &PaymentRefunded) -> Self {
        Self {
            tender: payment.tender,
            amount: payment.amount,
            card: payment.card.clone(),
            given: None,
            change: None,
            reference: payment.reference.clone(),
        }
    }
}
