//! The demo shop: a few hundred real products with stock and limits, customers and staff.
//!
//! Where the products come from and what was changed about them stands in `demo/ATTRIBUTION.md`.

mod rules;

use pos::{
    AddCustomer, AddStaff, Command, ConfigureShop, Currency, CustomerId, CutOver, DeliveryLine,
    Loyalty, Money, ProductId, Quantity, ReceiveStock, RefusalCode, Role, SetLimit, ShopSettings,
    TaxMode, TillSettings, UserId, Zone,
};
use serde::Serialize;
use uuid::Uuid;

use crate::credentials::Pin;
use crate::decimal::scaled;
use crate::table::Table;
use crate::{ProductImport, Till, TillError};

/// The products, as a table.
const PRODUCTS: &str = include_str!("demo/products.csv");

/// How many of each there are, and how many of it one may have, as a table.
const STOCK: &str = include_str!("demo/stock.csv");

/// Each step of the demo has the same id everywhere, so that it happens once.
const NAMESPACE: Uuid = Uuid::from_u128(0x2f0d_5b8e_91c4_4a67_b3aa_7c36_d2e8_0f15);

const CUSTOMERS: [&str; 12] = [
    "Alice Hartley",
    "Ben Okafor",
    "Carmen Ruiz",
    "Dev Patel",
    "Elsie Whitcombe",
    "Farid Rahimi",
    "Grace Lin",
    "Hugo Lindqvist",
    "Imogen Clarke",
    "Jonas Weber",
    "Katya Morozova",
    "Liam Byrne",
];

/// Name, role and PIN, which the demo's sign-in shows to everybody.
const STAFF: [(&str, Role, &str); 4] = [
    ("Maya Thornton", Role::Manager, "1111"),
    ("Owen Price", Role::Supervisor, "2222"),
    ("Priya Nair", Role::Cashier, "3333"),
    ("Tom Ashby", Role::Cashier, "4444"),
];

/// What the demo added; all zero if it was there already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DemoSummary {
    /// Products new in the catalogue.
    pub products: u64,
    /// Products that were delivered.
    pub delivered: u64,
    /// Products that got limits.
    pub limits: u64,
    /// New customers.
    pub customers: u64,
    /// New staff.
    pub staff: u64,
    /// Steps to a kit, an age rule, cheese by weight, a promotion, coupons, credit and a gift card.
    pub rules: u64,
}

/// Makes the shop a demo shop. What it has already stays as it is, so that doing it twice, or
/// again after it was interrupted, adds only what is missing.
pub fn demo(till: &Till) -> Result<DemoSummary, TillError> {
    if till.settings()?.is_none() {
        till.execute(&ConfigureShop(settings()), till.clock().fresh_id())?;
    }
    let import = ProductImport::read(till, PRODUCTS.as_bytes())?;
    import.run(till)?;
    let mut summary = DemoSummary { products: count(&import.products), ..DemoSummary::default() };

    let shelves = shelves()?;
    let delivery = ReceiveStock { lines: shelves.iter().filter_map(Shelf::delivery).collect() };
    if once(till, "delivery", &delivery)? {
        summary.delivered = count(&delivery.lines);
    }
    for limit in shelves.into_iter().filter_map(Shelf::limit) {
        summary.limits += u64::from(once(till, &format!("limit {}", limit.product), &limit)?);
    }
    for name in CUSTOMERS {
        let customer = AddCustomer { name: name.into() };
        summary.customers += u64::from(once(till, &format!("customer {name}"), &customer)?);
    }
    let key = till.credentials().name_key()?;
    for (name, role, _) in STAFF {
        let person = AddStaff::new(name, role, &key);
        summary.staff += u64::from(once(till, &format!("staff {name}"), &person)?);
    }
    set_pins(till)?;
    let [first, ..] = CUSTOMERS;
    summary.rules = rules::make(till, &CustomerId::from(step_id(&format!("customer {first}"))))?;
    Ok(summary)
}

/// Gives the demo's staff PINs for everybody to see, but to nobody who has one.
fn set_pins(till: &Till) -> Result<(), TillError> {
    let have_one = till.credentials().who_has_one()?;
    for (name, _, digits) in STAFF {
        let user = UserId::from(step_id(&format!("staff {name}")));
        let pin = Pin::new(digits).map_err(|error| TillError::bad_request(error.to_string()))?;
        if !have_one.contains_key(&user) {
            till.credentials().set(&user, &pin, true)?;
        }
    }
    Ok(())
}

/// A shop in London that trades past midnight. A customer earns a point worth a penny with each
/// pound, and a price is honoured for ten minutes after it changed.
fn settings() -> ShopSettings {
    let settings = ShopSettings::new(
        "The Opossum Gift Shop",
        Currency::new("GBP").expect("pounds sterling are a currency"),
        Zone::new("Europe/London").expect("London has a time zone"),
        CutOver::new("04:00").expect("four o'clock is a time of day"),
        TaxMode::Included,
    );
    let tills = TillSettings { drawer_limit: Some(Money::new(30_000)), ..settings.tills };
    let loyalty = Loyalty { spend_per_point: Money::new(100), point_value: Money::new(1) };
    ShopSettings { tills, price_grace_minutes: 10, loyalty: Some(loyalty), ..settings }
}

/// Lets a step of the demo happen, unless it did before; one that an older demo did otherwise
/// stays as it is. Tells whether it happened now.
fn once<C: Command>(till: &Till, step: &str, command: &C) -> Result<bool, TillError> {
    match till.execute(command, step_id(step)) {
        Ok(done) => Ok(!done.repeated),
        Err(error) if error.refusal() == Some(RefusalCode::RequestReused) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The request of a step.
fn step_id(step: &str) -> Uuid {
    Uuid::new_v5(&NAMESPACE, step.as_bytes())
}

/// What the demo says about a product beyond the catalogue.
struct Shelf {
    product: ProductId,
    stock: Quantity,
    per_receipt: Option<Quantity>,
    per_customer_day: Option<Quantity>,
}

fn shelves() -> Result<Vec<Shelf>, TillError> {
    let columns = ["sku", "stock", "limit_per_receipt", "limit_per_customer_day"];
    let mut table = Table::open(STOCK.as_bytes(), columns, [])?;
    let mut shelves = Vec::new();
    while let Some(row) = table.next()? {
        let line = row.line;
        let [sku, stock, per_receipt, per_customer_day] = row.required;
        let pieces = |text: &str| scaled(text, 3).ok().map(Quantity::new);
        let (Ok(product), Some(stock)) = (ProductId::new(&sku), pieces(&stock)) else {
            return Err(TillError::bad_request(format!("line {line} of the demo has no stock")));
        };
        let (per_receipt, per_customer_day) = (pieces(&per_receipt), pieces(&per_customer_day));
        shelves.push(Shelf { product, stock, per_receipt, per_customer_day });
    }
    Ok(shelves)
}

impl Shelf {
    fn delivery(&self) -> Option<DeliveryLine> {
        let Self { product, stock, .. } = self;
        let line = DeliveryLine { product: product.clone(), quantity: *stock, cost: None };
        (*stock > Quantity::ZERO).then_some(line)
    }

    fn limit(self) -> Option<SetLimit> {
        let Self { product, per_receipt, per_customer_day, .. } = self;
        let is_limited = per_receipt.is_some() || per_customer_day.is_some();
        is_limited.then_some(SetLimit { product, per_receipt, per_customer_day })
    }
}

fn count<T>(things: &[T]) -> u64 {
    u64::try_from(things.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::testing::till;

    #[test]
    fn the_demo_makes_a_whole_shop_and_doing_it_twice_adds_nothing() {
        let till = till();
        let made = demo(&till).unwrap();
        assert_eq!((made.products, made.customers, made.staff), (300, 12, 4));
        assert_eq!((made.delivered, made.limits, made.rules), (299, 6, 13));
        let head = till.store().head().unwrap();
        assert_eq!(demo(&till).unwrap(), DemoSummary::default());
        assert_eq!(till.store().head().unwrap(), head);
    }

    #[test]
    fn every_demo_product_is_whole_and_one_is_out_of_stock() {
        let till = till();
        let import = ProductImport::read(&till, PRODUCTS.as_bytes()).unwrap();
        assert_eq!((import.lines, import.rejected.len()), (300, 0), "{:?}", import.rejected);
        let categories: HashSet<&str> =
            import.products.iter().map(|product| product.category.as_str()).collect();
        assert!((8..=12).contains(&categories.len()), "{categories:?}");
        for product in &import.products {
            let (price, cost) = (product.price.minor(), product.cost.minor());
            assert!(price > 0 && cost * 10 >= price * 3 && cost * 10 <= price * 7, "{product:?}");
            let barcode = product.barcode.as_ref().unwrap();
            assert!(barcode.as_str().starts_with("02"), "{product:?}");
        }
        demo(&till).unwrap();
        let stock = till.stock().unwrap();
        let sold_out: Vec<_> = import
            .products
            .iter()
            .filter(|product| stock.of(&product.sku) == Quantity::ZERO)
            .map(|product| product.name.as_str())
            .collect();
        assert_eq!(sold_out, ["Regency Cakestand 3 Tier"]);
    }
}
