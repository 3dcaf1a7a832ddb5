//! The catalogue: what is current about each product.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use dcb::{EventRef, Projection, Query};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::barcode::Gtin;
use crate::event::{
    AgeRuleSet, BarcodeAssigned, BarcodeReleased, KitDefined, LimitSet, PriceChanged, ProductAdded,
    PromotionDefined, ShopEvent, of_types,
};
use crate::ids::{ProductId, PromotionId};
use crate::kits::KitComponent;
use crate::limits::Limit;
use crate::money::{BasisPoints, Money};
use crate::promotions::Promotion;
use crate::refusal::{NextAction, Refusal, RefusalCode};

/// A product as it stands in the catalogue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Product {
    /// Its SKU.
    pub id: ProductId,
    /// What it is called.
    pub name: String,
    /// Where it belongs; may be empty.
    pub category: String,
    /// The price of one unit now.
    pub price: Money,
    /// What one unit costs the shop.
    pub cost: Money,
    /// The rate of its tax.
    pub tax_rate: BasisPoints,
    /// Whether it can run out; a service cannot.
    pub stocked: bool,
    /// Its barcodes, in the order they were assigned.
    pub barcodes: Vec<Gtin>,
    /// Its limits.
    pub limit: Limit,
    /// What one of it is made of, if it is a kit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[ts(optional, as = "Option<Vec<KitComponent>>")]
    pub components: Vec<KitComponent>,
    /// The least age of who may have it, if it, or what it is made of, is restricted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub minimum_age: Option<u8>,
}

/// A view of all products, with what is current about them.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    products: BTreeMap<ProductId, Product>,
    by_barcode: HashMap<Gtin, ProductId>,
    /// The products that are made of others.
    kits: BTreeSet<ProductId>,
    /// The age rule of each product by itself.
    ages: HashMap<ProductId, u8>,
    promotions: BTreeMap<PromotionId, Promotion>,
}

impl Catalogue {
    /// The product with this SKU.
    pub fn get(&self, product: &ProductId) -> Option<&Product> {
        self.products.get(product)
    }

    /// The product with this barcode.
    pub fn by_barcode(&self, barcode: &Gtin) -> Option<&Product> {
        self.get(self.by_barcode.get(barcode)?)
    }

    /// All products, by SKU.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Product> {
        self.products.values()
    }

    /// How many products there are.
    pub fn len(&self) -> usize {
        self.products.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.products.is_empty()
    }

    /// The terms of a promotion.
    pub fn promotion(&self, promotion: &PromotionId) -> Option<&Promotion> {
        self.promotions.get(promotion)
    }

    /// All promotions, whether they run or not, by id.
    pub fn promotions(&self) -> impl Iterator<Item = (&PromotionId, &Promotion)> {
        self.promotions.iter()
    }

    /// Shows with a product the strictest age rule of itself and of what it is made of.
    fn show_age(&mut self, product: &ProductId) {
        let Some(product) = self.products.get_mut(product) else { return };
        let parts = product.components.iter().map(|part| &part.product);
        let all = std::iter::once(&product.id).chain(parts);
        product.minimum_age = all.filter_map(|id| self.ages.get(id)).max().copied();
    }

    /// The kits that have this product in them.
    fn kits_of(&self, part: &ProductId) -> Vec<ProductId> {
        let has_it = |kit: &&Product| kit.components.iter().any(|c| c.product == *part);
        let kits = self.kits.iter().filter_map(|kit| self.get(kit)).filter(has_it);
        kits.map(|kit| kit.id.clone()).collect()
    }

    /// The product with this SKU, or the refusal that there is none. A product never leaves the
    /// catalogue, so what is found may be relied on.
    pub(crate) fn known(&self, product: &ProductId) -> Result<&Product, Refusal> {
        self.get(product).ok_or_else(|| {
            let message = format!("There is no product {product}. Add it, or correct the code.");
            Refusal::new(RefusalCode::ProductUnknown, message)
                .product(product)
                .action(NextAction::AddProduct)
        })
    }
}

impl Projection for Catalogue {
    fn query(&self) -> Query {
        of_types([
            ProductAdded::TYPE,
            PriceChanged::TYPE,
            BarcodeAssigned::TYPE,
            BarcodeReleased::TYPE,
            LimitSet::TYPE,
            KitDefined::TYPE,
            AgeRuleSet::TYPE,
            PromotionDefined::TYPE,
        ])
    }

    fn apply(&mut self, event: &EventRef<'_>) {
        match ShopEvent::decode(event) {
            Some(ShopEvent::ProductAdded(e)) => {
                let product = Product {
                    id: e.product.clone(),
                    name: e.name,
                    category: e.category,
                    price: e.price,
                    cost: e.cost,
                    tax_rate: e.tax_rate,
                    stocked: e.stocked,
                    barcodes: Vec::new(),
                    limit: Limit::default(),
                    components: Vec::new(),
                    minimum_age: None,
                };
                self.products.entry(e.product).or_insert(product);
            }
            Some(ShopEvent::KitDefined(e)) => {
                if let Some(product) = self.products.get_mut(&e.kit) {
                    match e.components.is_empty() {
                        true => self.kits.remove(&e.kit),
                        false => self.kits.insert(e.kit.clone()),
                    };
                    product.components = e.components;
                    self.show_age(&e.kit);
                }
            }
            Some(ShopEvent::AgeRuleSet(e)) => {
                match e.minimum_age {
                    Some(age) => self.ages.insert(e.product.clone(), age),
                    None => self.ages.remove(&e.product),
                };
                self.show_age(&e.product);
                self.kits_of(&e.product).iter().for_each(|kit| self.show_age(kit));
            }
            Some(ShopEvent::PromotionDefined(e)) => {
                self.promotions.insert(e.promotion, e.terms);
            }
            Some(ShopEvent::PriceChanged(e)) => {
                if let Some(product) = self.products.get_mut(&e.product) {
                    product.price = e.price;
                }
            }
            Some(ShopEvent::LimitSet(e)) => {
                if let Some(product) = self.products.get_mut(&e.product) {
                    product.limit = Limit::from(&e);
                }
            }
            Some(ShopEvent::BarcodeAssigned(e)) => {
                if let Some(product) = self.products.get_mut(&e.product) {
                    product.barcodes.push(e.barcode.clone());
                    self.by_barcode.insert(e.barcode, e.product);
                }
            }
            Some(ShopEvent::BarcodeReleased(e)) => {
                if let Some(product) = self.products.get_mut(&e.product) {
                    product.barcodes.retain(|barcode| *barcode != e.barcode);
                }
                self.by_barcode.remove(&e.barcode);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use dcb::{EventStore, MemoryStore};

    use super::*;
    use crate::testing::{added, happened, limited, seen, service_added, sku, stored, units};

    fn assigned(id: &str, barcode: u64) -> BarcodeAssigned {
        BarcodeAssigned { product: sku(id), barcode: Gtin::in_store(barcode).unwrap() }
    }

    #[test]
    fn the_catalogue_shows_what_is_current() {
        let store = MemoryStore::new();
        let BarcodeAssigned { barcode, product } = assigned("B", 1);
        let events = [
            added("B", 5),
            added("A", 6),
            happened(PriceChanged { product: sku("B"), price: Money::new(7), previous: None }),
            limited("A", 2, None),
            happened(assigned("B", 1)),
            happened(assigned("B", 2)),
            happened(BarcodeReleased { barcode, product }),
        ];
        store.append(&events, None).unwrap();
        let catalogue: Catalogue = seen(&store);
        let ids: Vec<&str> = catalogue.iter().map(|product| product.id.as_str()).collect();
        assert_eq!((ids, catalogue.len()), (vec!["A", "B"], 2));
        let product = catalogue.by_barcode(&Gtin::in_store(2).unwrap()).unwrap();
        assert_eq!((product.id.as_str(), product.price), ("B", Money::new(7)));
        assert_eq!(product.barcodes, [Gtin::in_store(2).unwrap()]);
        assert_eq!(catalogue.by_barcode(&Gtin::in_store(1).unwrap()), None);
        assert_eq!(catalogue.get(&sku("a")).unwrap().limit.per_receipt, Some(units(2)));
    }

    #[test]
    fn a_kit_shows_the_strictest_age_rule_of_itself_and_its_components() {
        let rule = |id: &str, minimum_age| happened(AgeRuleSet { product: sku(id), minimum_age });
        let basket = |components: &[&str]| {
            let part = |id: &&str| KitComponent { product: sku(id), quantity: units(1) };
            let components = components.iter().map(part).collect();
            happened(KitDefined { kit: sku("BASKET"), components })
        };
        let products = ["WINE", "GIN", "TEA"].map(|id| added(id, 5));
        let store = stored(&products);
        store.append(&[service_added("BASKET", 9)], None).unwrap();
        for (next, shown) in [
            (rule("WINE", Some(16)), None),
            (basket(&["WINE", "TEA"]), Some(16)),
            (rule("TEA", Some(12)), Some(16)),
            (rule("BASKET", Some(21)), Some(21)),
            (rule("BASKET", None), Some(16)),
            (rule("GIN", Some(18)), Some(16)),
            (rule("WINE", None), Some(12)),
            (basket(&["GIN"]), Some(18)),
            (basket(&[]), None),
            (rule("GIN", Some(19)), None),
        ] {
            store.append(std::slice::from_ref(&next), None).unwrap();
            let catalogue: Catalogue = seen(&store);
            assert_eq!(catalogue.get(&sku("BASKET")).unwrap().minimum_age, shown, "{next:?}");
        }
    }
}
