//! Stock: what came, went and was found.

use serde::{Deserialize, Serialize};

use super::about;
use crate::ids::{ProductId, RefundId, SaleId};
use crate::money::{Money, Quantity};

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

/// There is less of a product than was thought: it broke, was stolen, or went back to its supplier.
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

/// A product was counted. It folds as the difference of the two figures, so that whatever else moves
/// the product counts in full.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StockCounted {
    /// The product.
    pub product: ProductId,
    /// What was found.
    pub counted: Quantity,
    /// What should have been there when it was counted.
    pub expected: Quantity,
}

/// A product left the shelf as a part of a kit that was sold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StockTaken {
    /// The sale.
    pub sale: SaleId,
    /// The line of the kit, from 1.
    pub line: u32,
    /// The product: a component.
    pub product: ProductId,
    /// How much, for all of the line.
    pub quantity: Quantity,
}

/// A product came back to the shelf as a part of a kit that was refunded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StockReturned {
    /// The refund.
    pub refund: RefundId,
    /// The line of the kit in the refund, from 1.
    pub line: u32,
    /// The product: a component.
    pub product: ProductId,
    /// How much, for all of the line.
    pub quantity: Quantity,
}

/// More of a product was sold than was known to be on hand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StockOverridden {
    /// The sale.
    pub sale: SaleId,
    /// The product.
    pub product: ProductId,
    /// What was known to be on hand: a delivery of that moment may be missing, for none stands in the
    /// way of a sale.
    pub on_hand: Quantity,
    /// What was sold.
    pub sold: Quantity,
}

about! {
    StockReceived { product }
    StockAdjustedUp { product }
    StockAdjustedDown { product }
    StockCounted { product }
    StockTaken { product, sale }
    StockReturned { product, refund }
    StockOverridden { product, sale }
}
