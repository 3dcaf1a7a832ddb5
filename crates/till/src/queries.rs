//! Queries: what can be asked of a till. They change nothing.

use std::collections::BTreeSet;

use dcb::Counters;
use pos::{
    BasisPoints, BusinessDay, Money, Permission, Product, ProductId, Quantity, SalesBy,
    SalesReport, ShopSettings, StockOnHand, TillId,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::operations::Access;
use crate::staff::Person;
use crate::{Till, TillError};

/// A question to a till; its fields are what the question names.
pub trait Query: DeserializeOwned {
    /// What it is called: `products`.
    const NAME: &'static str;
    /// Who may ask it. It has no default, so that no query forgets it.
    const ACCESS: Access;
    /// What it tells.
    type Answer;

    /// Answers it as of now, whoever asks; see [`Till::ask`].
    fn ask(&self, till: &Till) -> Result<Self::Answer, TillError>;
}

/// Asks what shop this is.
#[derive(Clone, Debug, Default, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct AboutShop {}

/// What shop this is, and who looks at it from where.
#[derive(Clone, Debug, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Shop {
    /// Its settings; `null` until it is configured.
    pub settings: Option<ShopSettings>,
    /// The most change that is given: more cash than that beyond what is due is a mistake; `null`
    /// until the shop is configured.
    pub most_change: Option<Money>,
    /// This till.
    pub till: TillId,
    /// Who is at it; `null` while nobody is signed in.
    pub person: Option<Person>,
    /// How many products the catalogue has.
    #[ts(type = "number")]
    pub products: usize,
    /// The categories that products are in, sorted.
    pub categories: BTreeSet<String>,
}

impl Query for AboutShop {
    const NAME: &'static str = "shop";
    const ACCESS: Access = Access::Anyone;
    type Answer = Shop;

    fn ask(&self, till: &Till) -> Result<Shop, TillError> {
        let (products, categories) = till.look_at_catalogue(|catalogue| {
            let categories = catalogue.iter().map(|product| product.category.as_str());
            let named: BTreeSet<&str> = categories.filter(|name| !name.is_empty()).collect();
            (catalogue.len(), named.into_iter().map(str::to_owned).collect())
        })?;
        let settings = till.settings()?;
        Ok(Shop {
            most_change: settings.as_ref().map(|settings| settings.currency.most_change()),
            settings,
            till: till.id().clone(),
            person: till.person()?,
            products,
            categories,
        })
    }
}

/// Asks how the shop's store is doing.
#[derive(Clone, Debug, Default, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct AboutStore {}

/// How the shop's store is doing.
#[derive(Clone, Debug, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct StoreHealth {
    /// The position of the last event; 0 before the first.
    #[ts(type = "number")]
    pub head: u64,
    /// The hash of the last commit, in hex, which stands for all of history before it; `null` in an
    /// empty store, and in one that has no hashes.
    pub hash: Option<String>,
    /// What this process has done with the store since it opened it; `null` in one that does not
    /// count.
    pub counters: Option<Counters>,
}

impl Query for AboutStore {
    const NAME: &'static str = "store_health";
    const ACCESS: Access = Access::Permitted(Permission::SeeReports);
    type Answer = StoreHealth;

    fn ask(&self, till: &Till) -> Result<StoreHealth, TillError> {
        let store = till.store();
        let (head, hash) = match store.commit_hash()? {
            Some((head, hash)) => (head, Some(hash)),
            None => (store.head()?, None),
        };
        Ok(StoreHealth { head, hash, counters: store.counters() })
    }
}

/// The most products on one page.
pub const MAX_PAGE_SIZE: u32 = 500;

/// Looks for products, page by page, by SKU.
#[derive(Clone, Debug, Default, Deserialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FindProducts {
    /// Words that all stand in the name, the SKU or a barcode, in either case.
    #[serde(default)]
    #[ts(optional, as = "Option<String>")]
    pub search: String,
    /// The category they are in.
    #[ts(optional)]
    pub category: Option<String>,
    /// Which page, from 1; the first unless told otherwise.
    #[ts(optional)]
    pub page: Option<u32>,
    /// How many on a page, at most [`MAX_PAGE_SIZE`]; 50 unless told otherwise.
    #[ts(optional)]
    pub page_size: Option<u32>,
}

/// A page of the products that were found.
#[derive(Clone, Debug, Serialize, TS)]
pub struct ProductPage {
    /// The products of this page.
    pub products: Vec<ProductOnHand>,
    /// How many were found on all pages.
    #[ts(type = "number")]
    pub total: usize,
    /// The head of the history: what a count of these products that begins now is as of.
    #[ts(type = "number")]
    pub head: u64,
}

/// A product, and what is on hand of it.
#[derive(Clone, Debug, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ProductOnHand {
    /// The product.
    #[serde(flatten)]
    pub product: Product,
    /// What is on hand; `null` for what holds no stock.
    pub on_hand: Option<Quantity>,
}

impl ProductOnHand {
    /// The product with what is on hand of it now.
    pub(crate) fn of(product: Product, till: &Till) -> Result<Self, TillError> {
        Ok(till.look_at_stock(|stock| Self::in_stock(product, stock))?)
    }

    /// The products with what is on hand of them now.
    pub(crate) fn all_of(products: Vec<Product>, till: &Till) -> Result<Vec<Self>, TillError> {
        Ok(till.look_at_stock(|stock| {
            products.into_iter().map(|product| Self::in_stock(product, stock)).collect()
        })?)
    }

    fn in_stock(product: Product, stock: &StockOnHand) -> Self {
        let on_hand = product.stocked.then(|| stock.of(&product.id));
        Self { product, on_hand }
    }
}

impl Query for FindProducts {
    const NAME: &'static str = "products";
    const ACCESS: Access = Access::SignedIn;
    type Answer = ProductPage;

    fn ask(&self, till: &Till) -> Result<ProductPage, TillError> {
        let page_size = self.page_size.unwrap_or(50);
        let page = self.page.unwrap_or(1);
        if !(1..=MAX_PAGE_SIZE).contains(&page_size) || page == 0 {
            let message =
                format!("pages are counted from 1 and have 1 to {MAX_PAGE_SIZE} products");
            return Err(TillError::bad_request(message));
        }
        let words: Vec<String> = self.search.split_whitespace().map(str::to_lowercase).collect();
        let skipped = u64::from(page - 1) * u64::from(page_size);
        let skipped = usize::try_from(skipped).unwrap_or(usize::MAX);
        let page_size = usize::try_from(page_size).unwrap_or(usize::MAX);
        let head = till.store().head()?;
        let (total, on_page) = till.look_at_catalogue(|catalogue| {
            let found: Vec<&Product> =
                catalogue.iter().filter(|product| self.admits(&words, product)).collect();
            let on_page = found.iter().skip(skipped).take(page_size).copied().cloned().collect();
            (found.len(), on_page)
        })?;
        Ok(ProductPage { products: ProductOnHand::all_of(on_page, till)?, total, head })
    }
}

impl FindProducts {
    fn admits(&self, words: &[String], product: &Product) -> bool {
        let has = |word: &String| {
            product.name.to_lowercase().contains(word)
                || product.id.as_str().to_lowercase().contains(word)
                || product.barcodes.iter().any(|barcode| barcode.as_str().contains(word))
        };
        self.category.as_ref().is_none_or(|category| *category == product.category)
            && words.iter().all(has)
    }
}

/// Looks up one product.
#[derive(Clone, Debug, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct FindProduct {
    /// One of its barcodes as scanned, the code on the label of a scale, or its SKU.
    pub code: String,
}

impl Query for FindProduct {
    const NAME: &'static str = "product";
    const ACCESS: Access = Access::SignedIn;
    type Answer = ProductOnHand;

    fn ask(&self, till: &Till) -> Result<ProductOnHand, TillError> {
        let (product, _) = till.product_of(&self.code)?.ok_or_else(|| {
            TillError::not_found(format!("no product has the SKU or barcode {:?}", self.code))
        })?;
        ProductOnHand::of(product, till)
    }
}

/// Asks what was sold and refunded.
#[derive(Clone, Debug, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct ReportSales {
    /// What the rows stand for.
    pub by: SalesBy,
    /// The first business day that counts; without it, from the beginning.
    #[ts(optional)]
    pub from: Option<BusinessDay>,
    /// The last business day that counts; without it, until now.
    #[ts(optional)]
    pub to: Option<BusinessDay>,
}

impl ReportSales {
    /// What people call that for which the row with this key stands, where they don't call it by its
    /// key: the name of a product or cashier, `20 %`, or `none`.
    pub fn name_of(&self, key: &str, till: &Till) -> Result<Option<String>, TillError> {
        if key.is_empty() {
            return Ok(Some("none".into()));
        }
        Ok(match self.by {
            SalesBy::Product => ProductId::new(key).ok().map_or(Ok(None), |id| {
                till.look_at_catalogue(|catalogue| Some(catalogue.get(&id)?.name.clone()))
            })?,
            SalesBy::Cashier => Some(till.name_of(key)?),
            SalesBy::Tax => {
                key.parse().ok().map(|points| format!("{} %", BasisPoints::new(points)))
            }
            _ => None,
        })
    }
}

impl Query for ReportSales {
    const NAME: &'static str = "sales_report";
    const ACCESS: Access = Access::Permitted(Permission::SeeReports);
    type Answer = SalesReport;

    fn ask(&self, till: &Till) -> Result<SalesReport, TillError> {
        if let (Some(from), Some(to)) = (self.from, self.to)
            && from > to
        {
            return Err(TillError::bad_request(format!("{from} comes after {to}")));
        }
        Ok(till.sales()?.report(self.by, self.from, self.to))
    }
}
