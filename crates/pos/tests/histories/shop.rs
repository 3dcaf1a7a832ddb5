//! A shop on a store in memory, with its views.

use chrono::{DateTime, Utc};
use dcb::{Followed, MemoryStore};
use pos::*;
use uuid::Uuid;

pub(crate) const TILLS: [&str; 2] = ["T1", "T2"];

/// A store with its views, and the requests made so far.
pub(crate) struct Shop {
    pub(crate) store: MemoryStore,
    catalogue: Followed<Catalogue>,
    settings: Followed<Settings>,
    pub(crate) shifts: Followed<OpenShifts>,
    requests: u128,
}

impl Shop {
    /// Configured, with these products (their id, price and tax rate) and an open shift at every
    /// till.
    pub(crate) fn new(settings: ShopSettings, products: &[(&str, i64, u32)]) -> Self {
        let mut shop = Self {
            store: MemoryStore::new(),
            catalogue: Followed::default(),
            settings: Followed::default(),
            shifts: Followed::default(),
            requests: 0,
        };
        shop.act("T1", &ConfigureShop(settings)).unwrap();
        let products = products.iter().map(|&(id, price, rate)| product(id, price, rate));
        shop.act("T1", &AddProducts { products: products.collect() }).unwrap();
        for till in TILLS {
            shop.act(till, &OpenShift { float: Money::ZERO }).unwrap();
        }
        shop
    }

    pub(crate) fn act<C: Command>(
        &mut self,
        till: &str,
        command: &C,
    ) -> Result<C::Answer, RefusalCode> {
        self.requests += 1;
        self.catalogue.catch_up(&self.store).unwrap();
        self.settings.catch_up(&self.store).unwrap();
        self.shifts.catch_up(&self.store).unwrap();
        let till = TillId::new(till).unwrap();
        let context = Context {
            request_id: Uuid::from_u128(self.requests),
            at: "2026-03-02T10:00:00Z".parse::<DateTime<Utc>>().unwrap(),
            shift: self.shifts.view().at(&till).map(|open| open.shift.clone()),
            till,
            user: UserId::new("ann").unwrap(),
            authority: Authority::owner(),
            journal: None,
            settings: self.settings.view().current(),
            catalogue: self.catalogue.view(),
        };
        match execute(&self.store, command, &context) {
            Ok(done) => Ok(done.answer),
            Err(Rejected::Refused { refusal, .. }) => Err(refusal.code),
            Err(other) => panic!("{other}"),
        }
    }
}

pub(crate) fn settings(tax_mode: TaxMode) -> ShopSettings {
    let currency = Currency::new("GBP").unwrap();
    ShopSettings::new("Corner shop", currency, Zone::UTC, CutOver::MIDNIGHT, tax_mode)
}

/// A product that holds stock.
pub(crate) fn product(id: &str, price: i64, rate: u32) -> AddProduct {
    AddProduct {
        sku: sku(id),
        name: id.into(),
        category: String::new(),
        price: Money::new(price),
        cost: Money::ZERO,
        tax_rate: BasisPoints::new(rate),
        stocked: true,
        barcode: None,
    }
}

pub(crate) fn sku(id: &str) -> ProductId {
    ProductId::new(id).unwrap()
}
