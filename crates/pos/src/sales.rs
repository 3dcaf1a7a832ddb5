//! The sales report: what was sold and refunded, by day, hour, product and more.
//!
//! The view keeps sums, not lines: one bucket for each business day and each key that occurs on
//! it. A receipt is booked when its last event has been seen, so that no report shows half of one.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use dcb::{EventRef, Projection, Query, Tag};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::calendar::{BusinessDay, When, Zone};
use crate::event::{
    PaymentRefunded, PaymentTaken, ProductAdded, ProductReturned, ProductSold, RefundCompleted,
    SaleCompleted, ShopConfigured, ShopEvent, of_types,
};
use crate::ids::{CustomerId, ProductId, TillId, UserId};
use crate::money::{Amounts, BasisPoints, Money, Quantity, spread};
use crate::payment::Tender;

/// What the rows of a sales report stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum SalesBy {
    /// Business days: `2010-12-01`.
    Day,
    /// Hours on the shop's clock: `2010-12-01T08`.
    Hour,
    /// Products, by SKU.
    Product,
    /// Categories, as the catalogue names them.
    Category,
    /// Customers; who is not known has an empty key.
    Customer,
    /// Who made the sale or the refund.
    Cashier,
    /// Tills.
    Till,
    /// How it was paid: `cash`, `card`. A receipt paid by several is spread in proportion. What
    /// cost nothing has an empty key.
    Tender,
    /// Tax rates in basis points: `2000`.
    Tax,
}

/// A row of a sales report, or its total.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct SalesRow {
    /// What the row stands for; empty for the total.
    pub key: String,
    /// How many sales and refunds it has a part in.
    #[ts(type = "number")]
    pub receipts: u64,
    /// What was sold less what was refunded.
    pub items: Quantity,
    /// Sales, with tax.
    pub gross: Money,
    /// Refunds, positive and with tax.
    pub refunds: Money,
    /// `gross - refunds - tax`.
    pub net: Money,
    /// Tax of sales less tax of refunds.
    pub tax: Money,
}

/// A sales report.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct SalesReport {
    /// The rows, by key.
    pub rows: Vec<SalesRow>,
    /// What the rows add up to; but each receipt counts once.
    pub total: SalesRow,
    /// What rounding cash to coins brought in, or cost if negative: `gross - refunds` and this is
    /// what was paid.
    #[serde(default, skip_serializing_if = "Money::is_zero")]
    #[ts(optional, as = "Option<Money>")]
    pub rounding: Money,
}

/// A view of all sales and refunds, summed up by business day.
#[derive(Clone, Debug, Default)]
pub struct Sales {
    days: BTreeMap<BusinessDay, Buckets>,
    keys: Keys,
    categories: HashMap<ProductId, u32>,
    zone: Option<Zone>,
    unbooked: Option<Unbooked>,
}

/// Sums by what they are of. Keys are numbered, because the same ones occur day after day.
type Buckets = HashMap<(SalesBy, u32), Figures>;

impl Sales {
    /// The report over the business days `from` to `to`, both included.
    pub fn report(
        &self,
        by: SalesBy,
        from: Option<BusinessDay>,
        to: Option<BusinessDay>,
    ) -> SalesReport {
        let is_asked_for =
            |day: &BusinessDay| from.is_none_or(|f| *day >= f) && to.is_none_or(|t| *day <= t);
        let days = self.days.iter().filter(|(day, _)| is_asked_for(day));
        let mut rows: BTreeMap<&str, Figures> = BTreeMap::new();
        let mut total = Figures::default();
        for ((dimension, key), figures) in days.flat_map(|(_, buckets)| buckets) {
            if *dimension == by {
                rows.entry(self.keys.text(*key)).or_default().add(figures);
            }
            if *dimension == SalesBy::Day {
                total.add(figures);
            }
        }
        let rows = rows.into_iter().map(|(key, figures)| figures.row(key)).collect();
        SalesReport { rows, total: total.row(""), rounding: Money::new(total.rounding) }
    }

    /// Takes in a line of the receipt that was begun.
    fn take_line(
        &mut self,
        receipt: &Tag,
        product: &ProductId,
        rate: BasisPoints,
        quantity: Quantity,
        amounts: Amounts,
    ) {
        let Some(unbooked) = self.unbooked.as_mut().filter(|r| r.id == *receipt) else { return };
        let figures = Figures::of_line(unbooked.is_refund, quantity, amounts);
        unbooked.total.add(&figures);
        unbooked.lines_left = unbooked.lines_left.saturating_sub(1);
        let category = match self.categories.get(product) {
            Some(category) => *category,
            None => self.keys.number(""),
        };
        for key in [
            (SalesBy::Product, self.keys.number(product.as_str())),
            (SalesBy::Category, category),
            (SalesBy::Tax, self.keys.number(&rate.points().to_string())),
        ] {
            unbooked.buckets.entry(key).or_insert_with(Figures::of_receipt).add(&figures);
        }
        self.book_if_complete();
    }

    /// Takes in a payment of the receipt that was begun.
    fn take_payment(&mut self, receipt: &Tag, tender: Tender, amount: Money) {
        let Some(unbooked) = self.unbooked.as_mut().filter(|r| r.id == *receipt) else { return };
        let paid = unbooked.tenders.entry(tender).or_default();
        *paid = paid.saturating_add(amount.minor());
        unbooked.payments_left = unbooked.payments_left.saturating_sub(1);
        self.book_if_complete();
    }

    fn book_if_complete(&mut self) {
        let is_complete = |r: &mut Unbooked| r.lines_left == 0 && r.payments_left == 0;
        let Some(receipt) = self.unbooked.take_if(is_complete) else { return };
        let hour = self.zone.unwrap_or(Zone::UTC).hour(receipt.when.at);
        let day = receipt.when.business_day;
        let customer = receipt.customer.as_ref().map_or("", CustomerId::as_str);
        let buckets = self.days.entry(day).or_default();
        let mut book = |by, key: &str, figures: &Figures| {
            let bucket = buckets.entry((by, self.keys.number(key))).or_default();
            bucket.add(figures);
            bucket.receipts = bucket.receipts.saturating_add(1);
        };
        book(SalesBy::Day, &day.to_string(), &receipt.total);
        book(SalesBy::Hour, &hour, &receipt.total);
        book(SalesBy::Customer, customer, &receipt.total);
        book(SalesBy::Cashier, receipt.cashier.as_str(), &receipt.total);
        book(SalesBy::Till, receipt.till.as_str(), &receipt.total);
        if receipt.tenders.is_empty() {
            book(SalesBy::Tender, "", &receipt.total);
        }
        let weights: Vec<i64> = receipt.tenders.values().copied().collect();
        for (tender, share) in receipt.tenders.keys().zip(receipt.total.spread(&weights)) {
            book(SalesBy::Tender, tender.as_str(), &share);
        }
        for (key, figures) in receipt.buckets {
            buckets.entry(key).or_default().add(&figures);
        }
    }
}

impl Projection for Sales {
    fn query(&self) -> Query {
        of_types([
            ShopConfigured::TYPE,
            ProductAdded::TYPE,
            SaleCompleted::TYPE,
            ProductSold::TYPE,
            PaymentTaken::TYPE,
            RefundCompleted::TYPE,
            ProductReturned::TYPE,
            PaymentRefunded::TYPE,
        ])
    }

    fn apply(&mut self, event: &EventRef<'_>) {
        match ShopEvent::decode(event) {
            Some(ShopEvent::ShopConfigured(e)) => self.zone = Some(e.settings.zone),
            Some(ShopEvent::ProductAdded(e)) => {
                let category = self.keys.number(&e.category);
                self.categories.entry(e.product).or_insert(category);
            }
            Some(ShopEvent::SaleCompleted(e)) => {
                self.unbooked = When::of(event).map(|when| Unbooked::sale(e, when));
            }
            Some(ShopEvent::ProductSold(e)) => {
                self.take_line(e.sale.tag(), &e.product, e.tax_rate, e.quantity, e.amounts());
            }
            Some(ShopEvent::PaymentTaken(e)) => {
                self.take_payment(e.sale.tag(), e.tender, e.amount);
            }
            Some(ShopEvent::RefundCompleted(e)) => {
                self.unbooked = When::of(event).map(|when| Unbooked::refund(e, when));
            }
            Some(ShopEvent::ProductReturned(e)) => {
                self.take_line(e.refund.tag(), &e.product, e.tax_rate, e.quantity, e.amounts());
            }
            Some(ShopEvent::PaymentRefunded(e)) => {
                self.take_payment(e.refund.tag(), e.tender, e.amount);
            }
            _ => {}
        }
    }
}

/// A receipt of which not all events have been seen yet.
#[derive(Clone, Debug)]
struct Unbooked {
    id: Tag,
    is_refund: bool,
    when: When,
    customer: Option<CustomerId>,
    cashier: UserId,
    till: TillId,
    lines_left: u32,
    payments_left: u32,
    total: Figures,
    /// The sums by what differs from line to line; each counts the receipt once.
    buckets: Buckets,
    /// What was paid by each tender, in minor units.
    tenders: BTreeMap<Tender, i64>,
}

impl Unbooked {
    fn sale(sale: SaleCompleted, when: When) -> Self {
        Self {
            id: sale.sale.tag().clone(),
            is_refund: false,
            when,
            customer: sale.customer,
            cashier: sale.cashier,
            till: sale.till,
            lines_left: sale.lines,
            payments_left: sale.payments,
            total: Figures { rounding: sale.rounding.minor(), ..Figures::default() },
            buckets: Buckets::new(),
            tenders: BTreeMap::new(),
        }
    }

    fn refund(refund: RefundCompleted, when: When) -> Self {
        Self {
            id: refund.refund.tag().clone(),
            is_refund: true,
            when,
            customer: refund.customer,
            cashier: refund.cashier,
            till: refund.till,
            lines_left: refund.lines,
            payments_left: refund.payments,
            total: Figures {
                rounding: refund.rounding.minor().saturating_neg(),
                ..Figures::default()
            },
            buckets: Buckets::new(),
            tenders: BTreeMap::new(),
        }
    }
}

/// Sums of a bucket: thousandths and minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Figures {
    receipts: u64,
    items: i64,
    gross: i64,
    refunds: i64,
    tax: i64,
    rounding: i64,
}

impl Figures {
    /// Nothing yet, of one receipt.
    fn of_receipt() -> Self {
        Self { receipts: 1, ..Self::default() }
    }

    fn of_line(is_refund: bool, quantity: Quantity, amounts: Amounts) -> Self {
        let (items, gross, tax) =
            (quantity.thousandths(), amounts.gross.minor(), amounts.tax.minor());
        match is_refund {
            false => Self { items, gross, tax, ..Self::default() },
            true => Self {
                items: items.saturating_neg(),
                refunds: gross,
                tax: tax.saturating_neg(),
                ..Self::default()
            },
        }
    }

    fn add(&mut self, other: &Self) {
        self.receipts = self.receipts.saturating_add(other.receipts);
        self.items = self.items.saturating_add(other.items);
        self.gross = self.gross.saturating_add(other.gross);
        self.refunds = self.refunds.saturating_add(other.refunds);
        self.tax = self.tax.saturating_add(other.tax);
        self.rounding = self.rounding.saturating_add(other.rounding);
    }

    /// The shares of each weight, which add up to the whole again.
    fn spread(&self, weights: &[i64]) -> Vec<Self> {
        let items = spread(self.items, weights);
        let gross = spread(self.gross, weights);
        let refunds = spread(self.refunds, weights);
        let tax = spread(self.tax, weights);
        let shares = items.into_iter().zip(gross).zip(refunds).zip(tax);
        shares
            .map(|(((items, gross), refunds), tax)| Self {
                receipts: 0,
                items,
                gross,
                refunds,
                tax,
                rounding: 0,
            })
            .collect()
    }

    fn row(self, key: &str) -> SalesRow {
        let net = self.gross.saturating_sub(self.refunds).saturating_sub(self.tax);
        SalesRow {
            key: key.to_owned(),
            receipts: self.receipts,
            items: Quantity::new(self.items),
            gross: Money::new(self.gross),
            refunds: Money::new(self.refunds),
            net: Money::new(net),
            tax: Money::new(self.tax),
        }
    }
}

/// Every key once, numbered as they come.
#[derive(Clone, Debug, Default)]
struct Keys {
    texts: Vec<Arc<str>>,
    numbers: HashMap<Arc<str>, u32>,
}

impl Keys {
    fn number(&mut self, text: &str) -> u32 {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let number = u32::try_from(self.texts.len()).unwrap_or(u32::MAX);
        let text: Arc<str> = text.into();
        self.texts.push(Arc::clone(&text));
        self.numbers.insert(text, number);
        number
    }

    fn text(&self, number: u32) -> &str {
        let index = usize::try_from(number).ok();
        index.and_then(|index| self.texts.get(index)).map_or("", |text| text)
    }
}

#[cfg(test)]
mod tests {
    use dcb::{EventStore, MemoryStore};

    use super::*;
    use crate::testing::{
        Actor, added, at, cart, configured, customer, day, opened, received, seen, sku, units,
        with_customers,
    };
    use crate::{Checkout, Refund, RefundLine};

    const ALL: [SalesBy; 9] = [
        SalesBy::Day,
        SalesBy::Hour,
        SalesBy::Product,
        SalesBy::Category,
        SalesBy::Customer,
        SalesBy::Cashier,
        SalesBy::Till,
        SalesBy::Tender,
        SalesBy::Tax,
    ];

    fn at_time(request: u128, time: &str) -> Actor {
        Actor { at: time.parse().unwrap(), ..at("T1", request) }
    }

    /// Two sales on one business day, the second after midnight and split over two tenders; on
    /// the next day a refund.
    fn history() -> MemoryStore {
        let store = MemoryStore::new();
        let (a, b) = (added("A", 120), added("B", 99));
        let shop = [configured(), a, b, received("A", 9), received("B", 9), opened("T1")];
        store.append(&with_customers(shop.to_vec()), None).unwrap();
        let first = Checkout {
            customer: Some(customer("7")),
            ..cart(&[("A", 1), ("A", 1), ("B", 1)], &[(Tender::Cash, 400)])
        };
        at_time(1, "2026-03-02T10:30:00Z").act(&store, &first).unwrap();
        let second = cart(&[("A", 1)], &[(Tender::Card, 41), (Tender::Cash, 100)]);
        at_time(2, "2026-03-03T03:30:00Z").act(&store, &second).unwrap();
        let refund = Refund {
            lines: vec![RefundLine {
                product: sku("B"),
                quantity: units(1),
                price: Money::new(60),
            }],
            tender: Tender::Cash,
            reason: String::new(),
            customer: None,
            reference: None,
            restock: true,
        };
        at_time(3, "2026-03-03T11:00:00Z").act(&store, &refund).unwrap();
        store
    }

    fn rows(report: &SalesReport) -> Vec<(&str, u64, i64, i64, i64, i64, i64)> {
        let row = |row: &SalesRow| {
            let (items, net) = (row.items.thousandths(), row.net.minor());
            let (gross, refunds, tax) = (row.gross.minor(), row.refunds.minor(), row.tax.minor());
            (row.receipts, items, gross, refunds, net, tax)
        };
        let keyed = |r| {
            let (receipts, items, gross, refunds, net, tax) = row(r);
            (r.key.as_str(), receipts, items, gross, refunds, net, tax)
        };
        report.rows.iter().map(keyed).collect()
    }

    #[test]
    fn days_are_business_days_and_refunds_lower_net_and_tax() {
        let sales: Sales = seen(&history());
        let report = sales.report(SalesBy::Day, None, None);
        assert_eq!(
            rows(&report),
            [("2026-03-02", 2, 4000, 459, 0, 382, 77), ("2026-03-03", 1, -1000, 0, 60, -50, -10)]
        );
        assert_eq!((report.total.receipts, report.total.net), (3, Money::new(332)));
    }

    #[test]
    fn hours_are_those_on_the_shops_clock() {
        let report = seen::<Sales>(&history()).report(SalesBy::Hour, None, None);
        let hours: Vec<&str> = report.rows.iter().map(|row| row.key.as_str()).collect();
        assert_eq!(hours, ["2026-03-02T10", "2026-03-03T03", "2026-03-03T11"]);
    }

    #[test]
    fn a_receipt_counts_once_for_a_product_that_is_on_several_lines() {
        let report = seen::<Sales>(&history()).report(SalesBy::Product, None, None);
        let expected = [("A", 2, 3000, 360, 0, 300, 60), ("B", 2, 0, 99, 60, 32, 7)];
        assert_eq!(rows(&report), expected);
        assert_eq!(report.total.receipts, 3);
    }

    #[test]
    fn several_tenders_share_a_receipt_in_proportion() {
        let report = seen::<Sales>(&history()).report(SalesBy::Tender, None, None);
        // Of 1.20 with 0.20 tax the card has 0.41, and of the tax 0.0683; the rest is cash.
        let expected = [("card", 1, 342, 41, 0, 34, 7), ("cash", 3, 2658, 418, 60, 298, 60)];
        assert_eq!(rows(&report), expected);
    }

    #[test]
    fn who_is_not_known_has_an_empty_key() {
        let report = seen::<Sales>(&history()).report(SalesBy::Customer, None, None);
        let keys: Vec<_> = report.rows.iter().map(|r| (r.key.as_str(), r.receipts)).collect();
        assert_eq!(keys, [("", 2), ("7", 1)]);
    }

    #[test]
    fn a_report_includes_its_first_and_its_last_day() {
        let sales: Sales = seen(&history());
        let receipts = |from, to| sales.report(SalesBy::Till, from, to).total.receipts;
        let (first, second) = (Some(day("2026-03-02")), Some(day("2026-03-03")));
        assert_eq!(receipts(first, second), 3);
        assert_eq!((receipts(first, first), receipts(second, None)), (2, 1));
        assert_eq!((receipts(second, first), receipts(None, Some(day("2026-03-01")))), (0, 0));
    }

    #[test]
    fn every_grouping_adds_up_to_the_same_total() {
        let sales: Sales = seen(&history());
        for by in ALL {
            let report = sales.report(by, None, None);
            let mut sum = Figures::default();
            for row in &report.rows {
                sum.add(&Figures {
                    receipts: 0,
                    items: row.items.thousandths(),
                    gross: row.gross.minor(),
                    refunds: row.refunds.minor(),
                    tax: row.tax.minor(),
                    rounding: 0,
                });
            }
            let total = SalesRow { receipts: 0, ..report.total.clone() };
            assert_eq!(sum.row(""), total, "{by:?}");
        }
    }

    #[test]
    fn half_a_receipt_is_in_no_report() {
        let store = history();
        let mut sales = Sales::default();
        for event in store.read(&sales.query(), dcb::ReadOptions::default()).unwrap() {
            let event = event.unwrap();
            sales.apply(&event.as_event_ref());
            let report = sales.report(SalesBy::Day, None, None);
            assert!([0, 339, 459].contains(&report.total.gross.minor()));
        }
    }
}
