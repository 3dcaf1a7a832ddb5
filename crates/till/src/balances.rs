//! Queries about what customers have: gift cards, accounts and points, promotions to use, and sales
//! to refund. They read only what their answer depends on.

use pos::{
    Account, CustomerId, GiftCard, GiftCardId, Points, Promotion, PromotionId, Refundable, SaleId,
};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::operations::Access;
use crate::queries::Query;
use crate::{Till, TillError};

/// Asks what can still be refunded of a sale.
#[derive(Clone, Debug, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct FindRefundable {
    /// The sale.
    pub sale: SaleId,
}

impl Query for FindRefundable {
    const NAME: &'static str = "refundable";
    const ACCESS: Access = Access::SignedIn;
    type Answer = Refundable;

    fn ask(&self, till: &Till) -> Result<Refundable, TillError> {
        let refundable = Refundable::find(till.store(), &self.sale)?;
        refundable.ok_or_else(|| TillError::not_found(format!("there is no sale {}", self.sale)))
    }
}

/// Looks up a gift card.
#[derive(Clone, Debug, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct FindGiftCard {
    /// The code printed on it.
    pub card: GiftCardId,
}

impl Query for FindGiftCard {
    const NAME: &'static str = "gift_card";
    const ACCESS: Access = Access::SignedIn;
    type Answer = GiftCard;

    fn ask(&self, till: &Till) -> Result<GiftCard, TillError> {
        let card = GiftCard::find(till.store(), &self.card)?;
        card.ok_or_else(|| TillError::not_found(format!("there is no gift card {}", self.card)))
    }
}

/// Asks what a customer owes and has.
#[derive(Clone, Debug, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct FindAccount {
    /// The customer.
    pub customer: CustomerId,
}

/// What a customer owes and has. All is zero of one who never had any of it.
#[derive(Clone, Debug, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    /// The account.
    #[serde(flatten)]
    pub account: Account,
    /// The points. Negative if a refund took back what was redeemed.
    #[ts(type = "number")]
    pub points: i64,
}

impl Query for FindAccount {
    const NAME: &'static str = "account";
    const ACCESS: Access = Access::SignedIn;
    type Answer = Standing;

    fn ask(&self, till: &Till) -> Result<Standing, TillError> {
        Ok(Standing {
            account: Account::find(till.store(), &self.customer)?,
            points: Points::balance(till.store(), &self.customer)?,
        })
    }
}

/// Asks which promotions there are.
#[derive(Clone, Debug, Default, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct ListPromotions {
    /// Whether to name also those that don't run today.
    #[serde(default)]
    #[ts(optional, as = "Option<bool>")]
    pub all: bool,
}

/// A promotion by its id.
#[derive(Clone, Debug, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct NamedPromotion {
    /// What it is called by.
    pub promotion: PromotionId,
    /// What it offers.
    pub terms: Promotion,
}

impl Query for ListPromotions {
    const NAME: &'static str = "promotions";
    const ACCESS: Access = Access::SignedIn;
    type Answer = Vec<NamedPromotion>;

    fn ask(&self, till: &Till) -> Result<Vec<NamedPromotion>, TillError> {
        let Some(settings) = till.settings()? else { return Ok(Vec::new()) };
        let today = settings.business_day(till.clock().now());
        let wanted = |terms: &Promotion| self.all || terms.runs_on(today);
        Ok(till.look_at_catalogue(|catalogue| {
            let promotions = catalogue.promotions().filter(|(_, terms)| wanted(terms));
            promotions
                .map(|(promotion, terms)| {
                    let (promotion, terms) = (promotion.clone(), terms.clone());
                    NamedPromotion { promotion, terms }
                })
                .collect()
        })?)
    }
}
