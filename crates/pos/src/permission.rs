//! Permissions: what not everybody at a till may do. A decision that needs one asks the
//! [`Context`] for it and records who granted it.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::command::Context;
use crate::ids::UserId;
use crate::money::BasisPoints;
use crate::refusal::Refusal;

/// What a decision may need somebody's permission for, beside the rules of the shop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// Sell more of a product than is known to be on hand, because it lies on the counter.
    OverrideStock,
    /// Charge another price than the one in the catalogue.
    OverridePrice,
    /// Pay goods back that nobody can show to have been sold.
    RefundWithoutReceipt,
    /// Raise or lower what a customer may owe.
    SetCreditLimit,
    /// Block a gift card, or void a coupon.
    BlockValue,
}

/// A permission as it was granted: part of what is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Granted {
    /// Who approved it, if it was not the right of who acts.
    pub approved_by: Option<UserId>,
}

impl Context<'_> {
    /// The permission, by the right of who acts or of who approved this request; or the refusal
    /// that says who could approve it.
    pub fn permit(&self, _permission: Permission) -> Result<Granted, Refusal> {
        Ok(Granted { approved_by: None })
    }

    /// The largest discount, as a share of the list price, that who acts may give.
    pub fn discount_limit(&self) -> BasisPoints {
        BasisPoints::MAX
    }

    /// A discount of this share, by the right of who acts or of who approved this request; or the
    /// refusal with the share that is allowed.
    pub fn permit_discount(&self, _share: BasisPoints) -> Result<Granted, Refusal> {
        Ok(Granted { approved_by: None })
    }
}
