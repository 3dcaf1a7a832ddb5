//! What makes a sale cheaper: promotions, coupons, points.

use serde::{Deserialize, Serialize};

use super::about;
use crate::discounts::Discount;
use crate::ids::{CouponId, CustomerId, ProductId, PromotionId, RefundId, SaleId};
use crate::money::Money;
use crate::promotions::Promotion;

/// A promotion was defined, or defined anew.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PromotionDefined {
    /// The promotion.
    pub promotion: PromotionId,
    /// What holds from now on.
    pub terms: Promotion,
}

/// A promotion made a sale cheaper: one use of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PromotionApplied {
    /// The promotion.
    pub promotion: PromotionId,
    /// The sale.
    pub sale: SaleId,
    /// To whom, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerId>,
    /// The lines of the sale that it made cheaper, from 1.
    pub lines: Vec<u32>,
    /// By how much, altogether.
    pub amount: Money,
}

/// All that a promotion made cheaper came back, and so does its use.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PromotionReturned {
    /// The promotion.
    pub promotion: PromotionId,
    /// The sale.
    pub sale: SaleId,
    /// The refund.
    pub refund: RefundId,
    /// To whom, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerId>,
}

/// A coupon was handed out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CouponIssued {
    /// The coupon.
    pub coupon: CouponId,
    /// What it is worth.
    pub discount: Discount,
    /// For which product; for the whole sale if for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<ProductId>,
    /// The last business day on which it counts, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<crate::calendar::BusinessDay>,
}

/// A coupon made a sale cheaper, once and for all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CouponRedeemed {
    /// The coupon.
    pub coupon: CouponId,
    /// The sale.
    pub sale: SaleId,
    /// By how much.
    pub amount: Money,
}

/// A coupon was declared void.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CouponVoided {
    /// The coupon.
    pub coupon: CouponId,
    /// Why.
    pub reason: String,
}

/// A customer earned points by a sale.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PointsEarned {
    /// The customer.
    pub customer: CustomerId,
    /// The sale.
    pub sale: SaleId,
    /// How many.
    pub points: i64,
}

/// A customer paid a part of a sale with points.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PointsRedeemed {
    /// The customer.
    pub customer: CustomerId,
    /// The sale.
    pub sale: SaleId,
    /// How many.
    pub points: i64,
    /// What they were worth.
    pub amount: Money,
}

/// A refund took back points that its sale had earned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PointsReversed {
    /// The customer.
    pub customer: CustomerId,
    /// The sale.
    pub sale: SaleId,
    /// The refund.
    pub refund: RefundId,
    /// How many.
    pub points: i64,
}

/// A refund gave back points that its sale had cost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PointsReturned {
    /// The customer.
    pub customer: CustomerId,
    /// The sale.
    pub sale: SaleId,
    /// The refund.
    pub refund: RefundId,
    /// How many.
    pub points: i64,
}

about! {
    PromotionDefined { promotion }
    PromotionApplied { promotion, sale; customer }
    PromotionReturned { promotion, sale, refund; customer }
    CouponIssued { coupon }
    CouponRedeemed { coupon, sale }
    CouponVoided { coupon }
    PointsEarned { customer, sale }
    PointsRedeemed { customer, sale }
    PointsReversed { customer, sale, refund }
    PointsReturned { customer, sale, refund }
}
