//! Refusals: a rule says no, and tells the cashier what is left and what can be done.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{Money, ProductId, Quantity};

/// Which rule refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum RefusalCode {
    /// The shop has no settings yet.
    ShopNotConfigured,
    /// All recorded amounts are in the shop's currency, so it cannot change.
    CurrencyFixed,
    /// The request's id was used before, for something else.
    RequestReused,
    /// A text is empty or too long, or a number makes no sense here.
    InvalidInput,
    /// No product has this id.
    ProductUnknown,
    /// A product with this id is there already.
    ProductExists,
    /// The barcode belongs to a product already.
    BarcodeTaken,
    /// The barcode belongs to no product.
    BarcodeUnknown,
    /// The label of a scale has no weight or price, or not the one that is to be sold.
    LabelUnusable,
    /// More lines than one act may have.
    TooManyLines,
    /// There is nothing in the cart, or nothing to do.
    Empty,
    /// A quantity is zero, negative where it must not be, or absurdly large.
    QuantityOutOfBounds,
    /// A price is negative or absurdly large.
    PriceOutOfBounds,
    /// A sum is too large to be held exactly.
    AmountOverflow,
    /// There is less on hand than asked for.
    OutOfStock,
    /// The product is a service: it is neither received nor counted.
    HoldsNoStock,
    /// More than one receipt may have of the product.
    LimitPerReceipt,
    /// More than one customer may buy of the product on one business day.
    LimitPerCustomerDay,
    /// A limit was set a moment ago, and this act didn't know of it.
    LimitChanged,
    /// The till has no open shift.
    ShiftClosed,
    /// The till has an open shift already.
    ShiftOpen,
    /// The payments don't cover the total.
    NotEnoughPaid,
    /// More is charged to cards, or taken in vouchers and the like, than the total; only cash gives
    /// change.
    CardOverpaid,
    /// A payment is zero, negative or absurdly large, or its change is.
    PaymentOutOfBounds,
    /// A product is made of other parts since a moment ago, and this act didn't know of it.
    KitChanged,
    /// Nobody made sure that the customer is old enough.
    AgeCheckNeeded,
    /// The price changed since it was scanned, and too long ago to be honoured.
    PriceChanged,
    /// A discount, promotion or coupon takes nothing off, or more than there is.
    NothingToReduce,
    /// No promotion has this id.
    PromotionUnknown,
    /// A promotion changed a moment ago, and this act didn't know of it.
    PromotionChanged,
    /// The promotion does not count on this business day.
    PromotionNotRunning,
    /// The promotion was used as often as it may be.
    PromotionUsedUp,
    /// No coupon has this code.
    CouponUnknown,
    /// The coupon was redeemed or declared void.
    CouponSpent,
    /// The coupon counts no more.
    CouponExpired,
    /// A coupon has this code already.
    CouponTaken,
    /// It must be known whose sale this is.
    CustomerNeeded,
    /// No customer has this id.
    CustomerUnknown,
    /// A customer with this id is there already.
    CustomerExists,
    /// The customer has fewer points.
    NotEnoughPoints,
    /// No gift card has this code.
    GiftCardUnknown,
    /// The gift card is blocked.
    GiftCardBlocked,
    /// There is less on the gift card.
    GiftCardTooLow,
    /// A gift card has this code already.
    GiftCardTaken,
    /// The customer would owe more than the limit.
    CreditExceeded,
    /// The customer owes less than is to be paid.
    NotOwed,
    /// Less was paid like this than is to be taken back.
    NotPaid,
    /// There is no such sale.
    SaleUnknown,
    /// More is to be refunded of a line than was sold and not refunded yet.
    RefundExceedsSale,
    /// Who acts may not do this, and nobody who may has approved it.
    NotPermitted,
    /// More discount than who acts, or who approved it, may give.
    DiscountOverLimit,
    /// There is less cash in the drawer.
    NotEnoughCash,
    /// Something happened to what was counted after it was counted: to a drawer, or to what is on
    /// hand of a product.
    CountOutdated,
    /// Nobody of the staff has this id.
    StaffUnknown,
    /// Someone of the staff has this name already.
    NameTaken,
    /// Nobody else of the staff is a manager, and there must be one.
    LastManager,
    /// Someone's role was changed a moment ago, and this act didn't know of it.
    RoleJustChanged,
    /// Nobody is signed in at this till.
    SignedOut,
    /// The PIN is wrong, or the person has none.
    PinWrong,
    /// The PIN was wrong too often; nobody may try it for a while.
    PinLocked,
}

impl RefusalCode {
    /// Whether only what was sent is to blame: then there is nothing in it for who looks after the
    /// shop.
    pub fn is_of_input(self) -> bool {
        match self {
            Self::ShopNotConfigured
            | Self::CurrencyFixed
            | Self::RequestReused
            | Self::InvalidInput
            | Self::ProductUnknown
            | Self::ProductExists
            | Self::BarcodeTaken
            | Self::BarcodeUnknown
            | Self::LabelUnusable
            | Self::TooManyLines
            | Self::Empty
            | Self::QuantityOutOfBounds
            | Self::PriceOutOfBounds
            | Self::AmountOverflow
            | Self::HoldsNoStock
            | Self::LimitChanged
            | Self::ShiftOpen
            | Self::NotEnoughPaid
            | Self::CardOverpaid
            | Self::PaymentOutOfBounds
            | Self::StaffUnknown
            | Self::NameTaken
            | Self::LastManager
            | Self::RoleJustChanged
            | Self::SignedOut
            | Self::PinWrong
            | Self::KitChanged
            | Self::PriceChanged
            | Self::NothingToReduce
            | Self::PromotionUnknown
            | Self::PromotionChanged
            | Self::CouponUnknown
            | Self::CouponTaken
            | Self::CustomerNeeded
            | Self::CustomerUnknown
            | Self::CustomerExists
            | Self::GiftCardUnknown
            | Self::GiftCardTaken
            | Self::NotOwed
            | Self::NotPaid
            | Self::SaleUnknown
            | Self::PinLocked => true,
            Self::OutOfStock
            | Self::LimitPerReceipt
            | Self::LimitPerCustomerDay
            | Self::ShiftClosed
            | Self::NotEnoughCash
            | Self::CountOutdated
            | Self::NotPermitted
            | Self::AgeCheckNeeded
            | Self::PromotionNotRunning
            | Self::PromotionUsedUp
            | Self::CouponSpent
            | Self::CouponExpired
            | Self::NotEnoughPoints
            | Self::GiftCardBlocked
            | Self::GiftCardTooLow
            | Self::CreditExceeded
            | Self::RefundExceedsSale
            | Self::DiscountOverLimit => false,
        }
    }
}

/// What can be done about a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum NextAction {
    /// Give the shop its settings.
    ConfigureShop,
    /// Open a shift at this till.
    OpenShift,
    /// Close the till's shift.
    CloseShift,
    /// Add the product to the catalogue.
    AddProduct,
    /// Take less of the product.
    ReduceQuantity,
    /// Leave the product out.
    RemoveLine,
    /// Take a further payment.
    TakePayment,
    /// Correct what was entered.
    CorrectInput,
    /// Send the same request again.
    TryAgain,
    /// Send it as a new request.
    UseNewRequest,
    /// Make sure of the customer's age, and record it.
    CheckAge,
    /// Tell the customer the new price, and charge that.
    ConfirmPrice,
    /// Leave the discount out, or lower it.
    ReduceDiscount,
    /// Leave the promotion out.
    RemovePromotion,
    /// Leave the coupon out.
    RemoveCoupon,
    /// Redeem fewer points.
    ReducePoints,
    /// Say which customer it is.
    ChooseCustomer,
    /// Let somebody approve it who may.
    GetApproval,
    /// Count it again.
    CountAgain,
    /// Sign in at this till.
    SignIn,
    /// Wait until it may be tried again.
    Wait,
}

/// A rule's no.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, thiserror::Error)]
#[serde(rename_all = "camelCase")]
#[error("{message}")]
pub struct Refusal {
    /// Which rule refused.
    pub code: RefusalCode,
    /// A sentence for the cashier that says what to do.
    pub message: String,
    /// What the sentence is made of, for programs.
    pub details: Box<RefusalDetails>,
}

/// What a [`Refusal`] is about.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct RefusalDetails {
    /// The product in question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub product: Option<ProductId>,
    /// The line in question, counted from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub line: Option<u32>,
    /// What is left, by what the code is about: thousandths of a product, minor units of money,
    /// basis points of discount, points, uses, tries, seconds to wait, or years of age.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional, type = "number")]
    pub left: Option<i64>,
    /// What can be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub action: Option<NextAction>,
    /// The positions of the events that decided, the newest last, at most [`Evidence::MOST`].
    #[ts(type = "number[]")]
    pub because: Evidence,
}

impl Refusal {
    /// A refusal with a sentence that says what to do. Details follow.
    pub fn new(code: RefusalCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), details: Box::default() }
    }

    /// Names the product in question.
    pub fn product(mut self, product: &ProductId) -> Self {
        self.details.product = Some(product.clone());
        self
    }

    /// Names the line in question, counted from 1.
    pub fn line(mut self, line: u32) -> Self {
        self.details.line = Some(line);
        self
    }

    /// Says how much of the product is left.
    pub fn quantity_left(mut self, left: Quantity) -> Self {
        self.details.left = Some(left.thousandths());
        self
    }

    /// Says how much is still to be paid.
    pub fn money_left(mut self, left: Money) -> Self {
        self.details.left = Some(left.minor());
        self
    }

    /// Says how much is left of something else: points, uses, tries, seconds, years.
    pub fn left(mut self, left: impl Into<i64>) -> Self {
        self.details.left = Some(left.into());
        self
    }

    /// Says what can be done.
    pub fn action(mut self, action: NextAction) -> Self {
        self.details.action = Some(action);
        self
    }

    /// Names the events that decided.
    pub fn because(mut self, evidence: &Evidence) -> Self {
        self.details.because.extend(evidence);
        self
    }
}

/// The positions of the events that decided something: the newest [`Evidence::MOST`], in order.
///
/// It is folded beside the state, so it must not grow with history.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Evidence(Vec<u64>);

impl Evidence {
    /// The most positions that are kept.
    pub const MOST: usize = 16;

    /// Adds a position and drops the oldest if there are too many.
    pub fn push(&mut self, position: u64) {
        if self.0.len() >= Self::MOST {
            self.0.remove(0);
        }
        self.0.push(position);
    }

    /// Only this position.
    pub fn only(position: u64) -> Self {
        Self(vec![position])
    }

    /// Takes in the positions of another, keeping the newest of both.
    pub fn extend(&mut self, other: &Self) {
        self.0.extend(&other.0);
        self.0.sort_unstable();
        self.0.dedup();
        self.0.drain(..self.0.len().saturating_sub(Self::MOST));
    }

    /// The positions, the newest last.
    pub fn positions(&self) -> &[u64] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_keeps_the_newest_events_and_stays_small() {
        let mut evidence = Evidence::default();
        (1..=40).for_each(|position| evidence.push(position));
        assert_eq!(evidence.positions(), (25..=40).collect::<Vec<u64>>());
        let mut other = Evidence::only(33);
        other.extend(&evidence);
        assert_eq!(other, evidence);
        other.extend(&Evidence::only(41));
        assert_eq!(other.positions(), (26..=41).collect::<Vec<u64>>());
    }

    #[test]
    fn a_refusal_reads_as_code_message_and_details() {
        let refusal = Refusal::new(RefusalCode::OutOfStock, "Only 1 left.")
            .product(&ProductId::new("a").unwrap())
            .line(2)
            .quantity_left(Quantity::UNIT)
            .action(NextAction::ReduceQuantity)
            .because(&Evidence::only(7));
        let json = serde_json::to_value(&refusal).unwrap();
        let expected = serde_json::json!({
            "code": "out_of_stock",
            "message": "Only 1 left.",
            "details": {
                "product": "A", "line": 2, "left": 1000, "action": "reduce_quantity", "because": [7]
            }
        });
        assert_eq!(json, expected);
    }
}
