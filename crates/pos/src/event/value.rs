//! Money that is owed: by customers on account, to the holders of gift cards.

use serde::{Deserialize, Serialize};

use super::about;
use crate::ids::{CustomerId, GiftCardId, RefundId, SaleId, ShiftId};
use crate::money::Money;
use crate::payment::Tender;

/// What a customer may owe was set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreditLimitSet {
    /// The customer.
    pub customer: CustomerId,
    /// The most that may be owed; 0 ends it.
    pub limit: Money,
}

/// A sale was paid on account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountCharged {
    /// The customer.
    pub customer: CustomerId,
    /// The sale.
    pub sale: SaleId,
    /// How much.
    pub amount: Money,
}

/// A customer paid what was owed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountPaid {
    /// The customer.
    pub customer: CustomerId,
    /// The shift in which it was taken.
    pub shift: ShiftId,
    /// How it was paid.
    pub tender: Tender,
    /// How much.
    pub amount: Money,
    /// What the terminal calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

/// A customer's payment by card did not arrive after all, so it is owed again. Of the shift that
/// took it nothing changes: its drawer never had it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountPaymentBounced {
    /// The customer.
    pub customer: CustomerId,
    /// How much.
    pub amount: Money,
    /// What the bank or the terminal calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Why.
    pub reason: String,
}

/// A refund lowered what a customer owes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountCredited {
    /// The customer.
    pub customer: CustomerId,
    /// The sale.
    pub sale: SaleId,
    /// The refund.
    pub refund: RefundId,
    /// How much.
    pub amount: Money,
}

/// A gift card was sold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GiftCardIssued {
    /// The gift card.
    pub card: GiftCardId,
    /// What is on it.
    pub amount: Money,
    /// The shift in which it was paid.
    pub shift: ShiftId,
    /// How it was paid.
    pub tender: Tender,
    /// What the terminal calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

/// More money was put on a gift card.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GiftCardToppedUp {
    /// The gift card.
    pub card: GiftCardId,
    /// How much.
    pub amount: Money,
    /// The shift in which it was paid.
    pub shift: ShiftId,
    /// How it was paid.
    pub tender: Tender,
    /// What the terminal calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

/// Money that was put on a gift card was paid back, the way it was paid.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GiftCardTopUpCancelled {
    /// The gift card.
    pub card: GiftCardId,
    /// How much.
    pub amount: Money,
    /// The shift in which it was paid back.
    pub shift: ShiftId,
    /// How it was paid back.
    pub tender: Tender,
    /// What the terminal calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Why.
    pub reason: String,
}

/// A sale was paid with a gift card.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GiftCardRedeemed {
    /// The gift card.
    pub card: GiftCardId,
    /// The sale.
    pub sale: SaleId,
    /// How much.
    pub amount: Money,
}

/// A refund put money back on a gift card.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GiftCardCredited {
    /// The gift card.
    pub card: GiftCardId,
    /// The sale.
    pub sale: SaleId,
    /// The refund.
    pub refund: RefundId,
    /// How much.
    pub amount: Money,
}

/// A gift card was blocked: nothing more is paid with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GiftCardBlocked {
    /// The gift card.
    pub card: GiftCardId,
    /// Why.
    pub reason: String,
}

about! {
    CreditLimitSet { customer }
    AccountCharged { customer, sale }
    AccountPaid { customer, shift }
    AccountPaymentBounced { customer }
    AccountCredited { customer, sale, refund }
    GiftCardIssued { card, shift }
    GiftCardToppedUp { card, shift }
    GiftCardTopUpCancelled { card, shift }
    GiftCardRedeemed { card, sale }
    GiftCardCredited { card, sale, refund }
    GiftCardBlocked { card }
}
