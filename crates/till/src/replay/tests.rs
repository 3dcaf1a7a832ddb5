use std::sync::atomic::{AtomicUsize, Ordering};

use dcb::{AppendOptions, Event, Events, MemoryStore, Query, ReadOptions, StoreError};
use pos::{CustomerId, SalesBy, SalesRow};
use uuid::Uuid;

use super::*;
use crate::testing::{StoppedClock, till_on};

const HEADER: &str =
    "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n";

/// Three days with a bit of everything: identical records, an invoice in two places, services,
/// corrections up and down, credit notes, and a record that means nothing.
const FILE: &str = "\
1,A1,MUG,6,2010-12-01 08:26,2.55,17850,UK
1,A1,MUG,6,2010-12-01 08:26,2.55,17850,UK
1,POST,POSTAGE,1,2010-12-01 08:26,18.00,17850,UK
C2,A1,MUG,-2,2010-12-01 09:00,2.55,17850,UK
3,B2,,4,2010-12-02 10:00,0.85,,UK
4,A1,damages,-3,2010-12-02 11:00,0,,UK
4,A1,damages,-3,2010-12-02 11:00,0,,UK
5,B2,CUP,-1,2010-12-02 12:00,0.85,,UK
6,B2,found,5,2010-12-02 13:00,0,,UK
7,B2,CUP,7,2010-12-03 10:00,0.95,12583,FR
3,m,Manual,0.5,2010-12-02 10:01,1.25,,UK
C8,D,Discount,-1,2010-12-03 11:00,27.50,12583,FR
";

fn replay_on(
    store: &Arc<dyn EventStore>,
    records: &str,
) -> Result<ReplaySummary, Box<Interrupted>> {
    let till = replay_till(Arc::clone(store), StoppedClock);
    let file = format!("{HEADER}{records}");
    replay(&till, file.as_bytes(), ReplayOptions::default(), |_| {})
}

fn memory() -> Arc<dyn EventStore> {
    Arc::new(MemoryStore::new())
}

fn head(store: &Arc<dyn EventStore>) -> u64 {
    store.head().unwrap()
}

fn report(store: &Arc<dyn EventStore>, by: SalesBy) -> pos::SalesReport {
    till_on(Arc::clone(store), "T1").sales().unwrap().report(by, None, None)
}

/// Each row as key, receipts, items, gross and refunds.
fn rows(store: &Arc<dyn EventStore>, by: SalesBy) -> Vec<(String, u64, i64, i64, i64)> {
    let row = |row: SalesRow| {
        let SalesRow { key, receipts, items, gross, refunds, .. } = row;
        (key, receipts, items.thousandths(), gross.minor(), refunds.minor())
    };
    report(store, by).rows.into_iter().map(row).collect()
}

fn on_hand(store: &Arc<dyn EventStore>, product: &str) -> i64 {
    let stock = till_on(Arc::clone(store), "T1").stock().unwrap();
    stock.of(&ProductId::new(product).unwrap()).thousandths()
}

fn open_shifts(store: &Arc<dyn EventStore>) -> usize {
    usize::from(replay_till(Arc::clone(store), StoppedClock).current_shift().unwrap().is_some())
}

#[test]
fn every_record_becomes_part_of_a_sale_a_refund_or_an_adjustment() {
    let store = memory();
    let summary = replay_on(&store, FILE).unwrap();
    assert_eq!(
        summary,
        ReplaySummary {
            lines: 12,
            sales: 3,
            refunds: 2,
            adjustments: 3,
            already_there: 0,
            rejected: vec![Rejected {
                line: 9,
                reason: "the quantity is negative, but 5 is no credit note".into(),
            }],
        }
    );
    // 12 × 2.55 + 18.00 = 48.60; 4 × 0.85 + half of 1.25 = 4.03; 7 × 0.95 = 6.65
    assert_eq!(
        rows(&store, SalesBy::Day),
        [
            ("2010-12-01".into(), 2, 11_000, 4860, 510),
            ("2010-12-02".into(), 1, 4_500, 403, 0),
            ("2010-12-03".into(), 2, 6_000, 665, 2750),
        ]
    );
    assert_eq!(
        rows(&store, SalesBy::Product),
        [
            ("A1".into(), 2, 10_000, 3060, 510),
            ("B2".into(), 2, 11_000, 1005, 0),
            ("D".into(), 1, -1_000, 0, 2750),
            ("M".into(), 1, 500, 63, 0),
            ("POST".into(), 1, 1_000, 1800, 0),
        ]
    );
    assert_eq!(rows(&store, SalesBy::Tender), [("card".into(), 5, 21_500, 5928, 3260)]);
    assert_eq!(rows(&store, SalesBy::Customer)[0].0, "");
    assert_eq!(report(&store, SalesBy::Cashier).rows[0].key, "replay");
    assert_eq!(open_shifts(&store), 0);
}

#[test]
fn a_product_is_called_by_its_first_description_and_services_hold_no_stock() {
    let store = memory();
    replay_on(&store, FILE).unwrap();
    let catalogue = till_on(Arc::clone(&store), "T1").catalogue().unwrap();
    let told: Vec<_> = catalogue
        .iter()
        .map(|p| (p.id.as_str(), p.name.as_str(), p.price.minor(), p.stocked))
        .collect();
    assert_eq!(
        told,
        [
            ("A1", "MUG", 255, true),
            ("B2", "CUP", 85, true),
            ("D", "Discount", 2750, false),
            ("M", "Manual", 125, false),
            ("POST", "POSTAGE", 1800, false),
        ]
    );
}

#[test]
fn a_product_receives_just_what_it_falls_short_of() {
    let store = memory();
    replay_on(&store, FILE).unwrap();
    // A1: 12 sold, 2 back, 6 damaged: 16 short at worst. B2: 4 sold, 5 found, 7 sold: 6 short.
    let delivered = |product: &str| {
        let tag = ProductId::new(product).unwrap().tag().clone();
        let deliveries = Query::tagged(["StockReceived"], &tag);
        let deliveries = store.read(&deliveries, ReadOptions::default()).unwrap();
        let quantity = |event: dcb::SequencedEvent| {
            let data: serde_json::Value = serde_json::from_str(event.event.data.as_str()).unwrap();
            data["quantity"].as_i64().unwrap()
        };
        deliveries.map(|event| quantity(event.unwrap())).collect::<Vec<_>>()
    };
    assert_eq!((delivered("A1"), delivered("B2")), (vec![16_000], vec![6_000]));
    assert_eq!((delivered("POST"), delivered("D")), (vec![], vec![]));
    assert_eq!((on_hand(&store, "A1"), on_hand(&store, "B2")), (0, 0));
}

#[test]
fn goods_that_came_after_the_files_time_stay_on_the_shelf() {
    let store = memory();
    replay_on(&store, FILE).unwrap();
    let lines = vec![DeliveryLine {
        product: ProductId::new("A1").unwrap(),
        quantity: Quantity::new(9_000),
        cost: None,
    }];
    let today = till_on(Arc::clone(&store), "T1");
    today.execute(&ReceiveStock { lines }, Uuid::from_u128(1)).unwrap();
    replay_on(&store, "9,A1,MUG,4,2010-12-01 08:00,2.55,,UK\n").unwrap();
    assert_eq!(on_hand(&store, "A1"), 9_000);
}

#[test]
fn replaying_again_adds_nothing() {
    let store = memory();
    let first = replay_on(&store, FILE).unwrap();
    let before = head(&store);
    let again = replay_on(&store, FILE).unwrap();
    assert_eq!(head(&store), before);
    let rejected = first.rejected;
    assert_eq!(
        again,
        ReplaySummary { lines: 12, already_there: 8, rejected, ..Default::default() }
    );
}

#[test]
fn a_file_that_overlaps_adds_only_what_is_new() {
    let (first, second) = (&FILE[..FILE.find("C2,").unwrap()], FILE);
    let (whole, parts) = (memory(), memory());
    replay_on(&whole, FILE).unwrap();
    replay_on(&parts, first).unwrap();
    let summary = replay_on(&parts, second).unwrap();
    assert_eq!((summary.sales, summary.already_there), (2, 1));
    for by in [SalesBy::Day, SalesBy::Product, SalesBy::Customer] {
        assert_eq!(report(&parts, by), report(&whole, by));
    }
    assert_eq!((on_hand(&parts, "A1"), on_hand(&parts, "B2")), (0, 0));
}

#[test]
fn an_invoice_that_has_more_lines_than_when_it_was_recorded_is_told() {
    let store = memory();
    let line = "1,A1,MUG,2,2010-12-01 08:00,2.55,7,UK\n";
    replay_on(&store, line).unwrap();
    let more = replay_on(&store, &format!("{line}{}", line.replace("A1", "A2"))).unwrap();
    assert_eq!((more.sales, more.already_there), (0, 1));
    let lines: Vec<u64> = more.rejected.iter().map(|rejected| rejected.line).collect();
    assert_eq!(lines, [2, 3]);
    assert!(more.rejected[0].reason.contains("with 1 lines"), "{}", more.rejected[0].reason);
}

/// A store whose disk fills up after so many appends. With `writes_all_the_same` the append
/// that fails first is recorded, as when power goes between the write and its answer.
struct FillingStore {
    inner: Arc<dyn EventStore>,
    appends_left: AtomicUsize,
    writes_all_the_same: bool,
}

impl EventStore for FillingStore {
    fn read(&self, query: &Query, options: ReadOptions) -> Result<Events<'_>, StoreError> {
        self.inner.read(query, options)
    }

    fn append_with(
        &self,
        events: &[Event],
        options: &AppendOptions,
    ) -> Result<Vec<u64>, StoreError> {
        let left = self.appends_left.load(Ordering::SeqCst);
        if left > 0 {
            self.appends_left.store(left - 1, Ordering::SeqCst);
            return self.inner.append_with(events, options);
        }
        if self.writes_all_the_same {
            self.inner.append_with(events, options)?;
        }
        let source = std::io::ErrorKind::StorageFull.into();
        Err(StoreError::Io { action: "cannot append".into(), source })
    }

    fn head(&self) -> Result<u64, StoreError> {
        self.inner.head()
    }

    fn wait_for(
        &self,
        position: u64,
        timeout: std::time::Duration,
    ) -> Result<Option<u64>, StoreError> {
        self.inner.wait_for(position, timeout)
    }

    fn store_id(&self) -> Uuid {
        self.inner.store_id()
    }
}

#[test]
fn a_replay_interrupted_anywhere_is_taken_up_where_it_ended() {
    let whole = memory();
    let uninterrupted = replay_on(&whole, FILE).unwrap();
    for writes_all_the_same in [false, true] {
        let mut interruptions = 0;
        for appends in 0.. {
            let inner = memory();
            let filling: Arc<dyn EventStore> = Arc::new(FillingStore {
                inner: Arc::clone(&inner),
                appends_left: appends.into(),
                writes_all_the_same,
            });
            let Err(interrupted) = replay_on(&filling, FILE) else { break };
            interruptions += 1;
            assert_eq!(interrupted.error.code, crate::ErrorCode::Fault(crate::Fault::DiskFull));
            let resumed = replay_on(&inner, FILE).unwrap();

            let (before, after) = (&interrupted.summary, &resumed);
            let done = |s: &ReplaySummary| s.sales + s.refunds + s.adjustments;
            assert_eq!(done(after) + after.already_there, done(&uninterrupted));
            assert!(after.already_there - done(before) <= u64::from(writes_all_the_same));
            for by in [SalesBy::Day, SalesBy::Hour, SalesBy::Product, SalesBy::Cashier] {
                assert_eq!(report(&inner, by), report(&whole, by), "after {appends} appends");
            }
            assert_eq!((on_hand(&inner, "A1"), on_hand(&inner, "B2")), (0, 0));
            assert_eq!(open_shifts(&inner), 0);
            let end = head(&inner);
            replay_on(&inner, FILE).unwrap();
            assert_eq!(head(&inner), end);
        }
        assert!(interruptions > 15, "{interruptions}");
    }
}

#[test]
fn an_act_that_is_refused_is_rejected_with_its_reason_and_the_rest_goes_on() {
    let store = memory();
    replay_on(&store, FILE).unwrap();
    let limit = pos::SetLimit {
        product: ProductId::new("A1").unwrap(),
        per_receipt: Some(Quantity::UNIT),
        per_customer_day: None,
    };
    till_on(Arc::clone(&store), "T1").execute(&limit, Uuid::from_u128(1)).unwrap();
    let more = "\
9,A1,MUG,2,2010-12-04 10:00,2.55,,UK
9,B2,CUP,1,2010-12-04 10:00,0.85,,UK
10,B2,CUP,1,2010-12-04 11:00,0.85,,UK
";
    let summary = replay_on(&store, more).unwrap();
    assert_eq!(summary.sales, 1);
    let reason = "At most 1 of MUG to a receipt. Remove 1.".to_owned();
    assert_eq!(summary.rejected, [2, 3].map(|line| Rejected { line, reason: reason.clone() }));
}

#[test]
fn what_no_act_can_hold_is_rejected_before_anything_is_recorded() {
    let store = memory();
    let mut records = "1,A1,MUG,1,2010-12-01 08:26,1,,UK\n".repeat(MAX_LINES + 1);
    records += &"2,A1,MUG,1000000,2010-12-01 08:26,9999999.99,,UK\n".repeat(5);
    let summary = replay_on(&store, &records).unwrap();
    assert_eq!(summary.rejected.len(), MAX_LINES + 6);
    assert_eq!(summary.rejected[0].reason, "the invoice has 9900 lines; 9899 can be handled");
    assert_eq!(
        summary.rejected.last(),
        Some(&Rejected {
            line: u64::try_from(MAX_LINES).unwrap() + 7,
            reason: "the invoice's total is too large".into(),
        })
    );
    assert_eq!(store.count(&Query::types(["ShopConfigured"]).unwrap()).unwrap(), head(&store));
}

#[test]
fn a_shop_with_tax_on_top_of_its_prices_and_days_of_its_own_can_be_replayed_into() {
    let store = memory();
    let settings = ShopSettings::new(
        "Shop",
        pos::Currency::new("GBP").unwrap(),
        pos::Zone::new("Europe/London").unwrap(),
        pos::CutOver::new("08:30").unwrap(),
        pos::TaxMode::Excluded,
    );
    let till = replay_till(Arc::clone(&store), StoppedClock);
    till.execute(&pos::ConfigureShop(settings), Uuid::from_u128(1)).unwrap();
    let options = ReplayOptions { tax_rate: BasisPoints::new(2000) };
    let file = format!("{HEADER}{FILE}");
    replay(&till, file.as_bytes(), options, |_| {}).unwrap();
    let days = rows(&store, SalesBy::Day);
    assert_eq!(days[0].0, "2010-11-30");
    assert_eq!(days[0].3, 3060 + 612 + 1800 + 360);
    let total = report(&store, SalesBy::Day).total;
    assert_eq!(total.net.minor(), 4860 + 403 + 665 - 510 - 2750);
}

#[test]
fn a_sale_knows_its_customer_and_its_invoice() {
    let store = memory();
    replay_on(&store, FILE).unwrap();
    let customer = CustomerId::new("12583").unwrap();
    let sales = Query::tagged(["SaleCompleted"], customer.tag());
    let sale = store.read_last(&sales).unwrap().unwrap();
    assert!(sale.event.data.as_str().contains(r#""reference":"7""#), "{:?}", sale.event.data);
    assert!(sale.event.data.as_str().contains(r#""at":"2010-12-03T10:00:00Z""#));
}

#[test]
fn progress_is_told_after_each_act() {
    let till = replay_till(memory(), StoppedClock);
    let mut told = Vec::new();
    let file = format!("{HEADER}{FILE}");
    replay(&till, file.as_bytes(), ReplayOptions::default(), |progress| told.push(progress))
        .unwrap();
    assert_eq!(told.len(), 8);
    assert_eq!(told.last(), Some(&Progress { done: 8, total: 8 }));
}

#[test]
fn the_same_invoices_written_otherwise_add_nothing() {
    let store = memory();
    replay_on(&store, FILE).unwrap();
    let before = head(&store);
    let mut otherwise = String::from(
        "\u{feff}Country, unitprice ,INVOICEDATE,CustomerID,Extra,Quantity,Description,StockCode,InvoiceNo\r\n",
    );
    for record in FILE.lines() {
        let fields: Vec<&str> = record.split(',').collect();
        let [number, code, description, quantity, date, price, customer, country] = fields[..]
        else {
            panic!("{record}");
        };
        let (day, time) = (&date[8..10], &date[11..]);
        otherwise += &format!(
            "{country},\"{price}\",12/{}/2010 {time},{customer},, {quantity} ,\"{description}\r\nor so\",{},{number}\r\n\r\n",
            day.trim_start_matches('0'),
            code.to_lowercase(),
        );
    }
    let till = replay_till(Arc::clone(&store), StoppedClock);
    let again = replay(&till, otherwise.as_bytes(), ReplayOptions::default(), |_| {}).unwrap();
    assert_eq!((again.lines, again.already_there), (12, 8));
    // Each record has three lines of its own, and the ninth is the eighth behind the header.
    assert_eq!(again.rejected.iter().map(|r| r.line).collect::<Vec<_>>(), [2 + 7 * 3]);
    assert_eq!(head(&store), before);
}
