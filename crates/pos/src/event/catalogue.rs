//! Products: what they are, and on what terms they are sold.

use serde::{Deserialize, Serialize};

use super::about;
use crate::barcode::Gtin;
use crate::ids::ProductId;
use crate::kits::KitComponent;
use crate::money::{BasisPoints, Money, Quantity};

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
    /// What it was until then; unknown in the earliest events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Money>,
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

/// A product was put together of others, or is no longer if there are none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KitDefined {
    /// The product that is sold; it holds no stock of its own.
    pub kit: ProductId,
    /// What one of it is made of.
    pub components: Vec<KitComponent>,
}

/// A product may be sold only to who is old enough, or to everybody again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AgeRuleSet {
    /// The product.
    pub product: ProductId,
    /// The least age in years; none if everybody may have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_age: Option<u8>,
}

about! {
    ProductAdded { product }
    PriceChanged { product }
    BarcodeAssigned { barcode, product }
    BarcodeReleased { barcode, product }
    LimitSet { product }
    KitDefined { kit }
    AgeRuleSet { product }
}
