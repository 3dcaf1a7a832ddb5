//! What a till sold last: a cashier often sells the same again.

use dcb::ReadOptions;
use pos::event::{ProductSold, SaleCompleted};
use pos::{ProductId, SeriesId, ShopEvent};
use serde::Deserialize;
use ts_rs::TS;

use crate::operations::Access;
use crate::queries::{ProductOnHand, Query};
use crate::{Till, TillError};

/// The most products that are told to be sold last.
pub const MAX_RECENT: usize = 3;

/// How many sales are looked at for them: a till that sold one thing all day tells that one.
const MAX_SALES: u64 = 16;

/// Asks what this till sold last: each product once, the newest first, at most [`MAX_RECENT`].
///
/// It is about what goes over this counter, so what other tills sell is left out. A refund brings
/// nothing back into it, nor does it take anything away. What has run out stays, and says so: only
/// a sale at this till moves anything under the cashier's finger. Only this till's last sales are
/// read, however many there were.
#[derive(Clone, Debug, Default, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct RecentlySold {}

impl Query for RecentlySold {
    const NAME: &'static str = "recently_sold";
    const ACCESS: Access = Access::SignedIn;
    type Answer = Vec<ProductOnHand>;

    fn ask(&self, till: &Till) -> Result<Vec<ProductOnHand>, TillError> {
        let recent = sold_last(till)?;
        let products = till.look_at_catalogue(|catalogue| {
            recent.iter().filter_map(|id| catalogue.get(id).cloned()).collect()
        })?;
        ProductOnHand::all_of(products, till)
    }
}

fn sold_last(till: &Till) -> Result<Vec<ProductId>, TillError> {
    let series = SeriesId::from(till.id());
    let sales = dcb::Query::tagged([SaleCompleted::TYPE], series.tag());
    let mut sales = till.store().read(&sales, ReadOptions::backwards().limit(MAX_SALES))?;
    let mut recent = Vec::new();
    while let Some(event) = sales.next_ref()? {
        let Some(ShopEvent::SaleCompleted(sale)) = ShopEvent::decode(&event) else { continue };
        let lines = dcb::Query::tagged([ProductSold::TYPE], sale.sale.tag());
        let mut lines = till.store().read(&lines, ReadOptions::backwards())?;
        while let Some(event) = lines.next_ref()? {
            let Some(ShopEvent::ProductSold(line)) = ShopEvent::decode(&event) else { continue };
            if !recent.contains(&line.product) {
                recent.push(line.product);
            }
            if recent.len() == MAX_RECENT {
                return Ok(recent);
            }
        }
    }
    Ok(recent)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use dcb::MemoryStore;
    use pos::{
        AddProduct, BasisPoints, ChangePrice, Checkout, CheckoutLine, DeliveryLine, Money,
        OpenShift, Payment, Quantity, ReceiveStock, Refund, RefundLine, Tender,
    };
    use uuid::Uuid;

    use super::*;
    use crate::setup::{configure_if_new, settings_or_default};
    use crate::testing::till_on;

    const PRICE: Money = Money::new(100);

    fn sku(id: &str) -> ProductId {
        ProductId::new(id).unwrap()
    }

    /// Tills T1 and T2 of a shop with five services, and two jars of honey; both have a shift open.
    fn tills() -> (Till, Till) {
        let store = Arc::new(MemoryStore::new());
        let till = till_on(store.clone(), "T1");
        configure_if_new(&till, &settings_or_default(&till).unwrap()).unwrap();
        for id in ["A", "B", "C", "D", "E", "HONEY"] {
            let product = AddProduct {
                sku: sku(id),
                name: id.to_lowercase(),
                category: String::new(),
                price: PRICE,
                cost: Money::ZERO,
                tax_rate: BasisPoints::default(),
                stocked: id == "HONEY",
                barcode: None,
            };
            till.execute(&product, Uuid::now_v7()).unwrap();
        }
        let lines = vec![DeliveryLine {
            product: sku("HONEY"),
            quantity: Quantity::units(2).unwrap(),
            cost: None,
        }];
        till.execute(&ReceiveStock { lines }, Uuid::now_v7()).unwrap();
        let other = till_on(store, "T2");
        for till in [&till, &other] {
            till.execute(&OpenShift { float: PRICE }, Uuid::now_v7()).unwrap();
        }
        (till, other)
    }

    fn sell(till: &Till, products: &[&str]) {
        let lines = products.iter().map(|id| CheckoutLine::new(sku(id), Quantity::UNIT));
        let amount = Money::checked_sum(products.iter().map(|_| PRICE)).unwrap();
        let checkout = Checkout {
            lines: lines.collect(),
            payments: vec![Payment::new(Tender::Cash, amount)],
            ..Checkout::default()
        };
        till.execute(&checkout, Uuid::now_v7()).unwrap();
    }

    fn recent(till: &Till) -> Vec<String> {
        let products = till.ask(&RecentlySold {}).unwrap().into_iter();
        products.map(|found| found.product.id.as_str().to_owned()).collect()
    }

    #[test]
    fn each_product_is_told_once_and_the_last_one_first() {
        let (till, _) = tills();
        assert_eq!(recent(&till), Vec::<String>::new());
        sell(&till, &["A", "B"]);
        assert_eq!(recent(&till), ["B", "A"]);
        sell(&till, &["C"]);
        sell(&till, &["A"]);
        assert_eq!(recent(&till), ["A", "C", "B"]);
        sell(&till, &["B", "C", "D", "E"]);
        assert_eq!(recent(&till), ["E", "D", "C"]);
    }

    #[test]
    fn neither_a_refund_nor_another_tills_sale_changes_it() {
        let (till, other) = tills();
        sell(&till, &["A"]);
        sell(&other, &["B"]);
        let lines = vec![RefundLine { product: sku("C"), quantity: Quantity::UNIT, price: PRICE }];
        let refund = Refund {
            lines,
            tender: Tender::Cash,
            reason: String::new(),
            customer: None,
            reference: None,
            restock: true,
        };
        till.execute(&refund, Uuid::now_v7()).unwrap();
        assert_eq!(recent(&till), ["A"]);
        assert_eq!(recent(&other), ["B"]);
    }

    #[test]
    fn what_has_run_out_stays_and_all_is_told_as_it_is_now() {
        let (till, other) = tills();
        sell(&till, &["HONEY"]);
        sell(&other, &["HONEY"]);
        let price = Money::new(120);
        till.execute(&ChangePrice { product: sku("HONEY"), price }, Uuid::now_v7()).unwrap();
        let told = till.ask(&RecentlySold {}).unwrap();
        let [honey] = told.as_slice() else { panic!("{told:?}") };
        assert_eq!((honey.product.price, honey.on_hand), (price, Some(Quantity::ZERO)));
    }

    #[test]
    fn only_the_last_sales_are_looked_at() {
        let (till, _) = tills();
        sell(&till, &["A"]);
        for _ in 1..MAX_SALES {
            sell(&till, &["B"]);
        }
        assert_eq!(recent(&till), ["B", "A"]);
        sell(&till, &["B"]);
        assert_eq!(recent(&till), ["B"]);
    }
}
