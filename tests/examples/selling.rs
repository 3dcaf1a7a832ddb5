//! Measures selling: whether a long history slows a sale down, and what deciding costs beside
//! appending.
//!
//! ```text
//! cargo run --release --package tests --example selling -- [FOLDER] [PAST_SALES]
//! ```
//!
//! The stores are made in the folder, on the disk to be measured; without one in `target`. Only
//! ratios of one run count. `durable` waits for the disk with every sale; `in memory` does not, so
//! that nothing hides behind the disk.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "it is a measurement, which may fail by panicking"
)]

use std::path::{Path, PathBuf};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use dcb::{AppendCondition, Event, EventStore, MAX_COMMIT_EVENTS, Query, ReadOptions};
use dcb_file::{FileStore, Options};
use pos::{Checkout, Recorded, SaleId, ShopEvent, request_tag};
use serde_json::{Value, json};
use tempfile::TempDir;
use tests::rivals::till;
use till::{Operation, Till};
use uuid::Uuid;

const TILLS: usize = 8;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().map_or_else(|| PathBuf::from("target"), PathBuf::from);
    let past: u64 = arguments.next().map_or(1_000_000, |sales| sales.parse().unwrap());
    for (name, flush) in [("durable", true), ("in memory", false)] {
        let (first, late) = after_a_long_history(&folder, flush, past);
        println!(
            "{name}: a sale takes {first:.0?} in a new shop and {late:.0?} after {past} sales of \
             the product: {:.2} ×",
            late.as_secs_f64() / first.as_secs_f64()
        );
        let (sold, appended) = beside_appending(&folder, flush);
        println!(
            "{name}: {TILLS} tills sell {sold:.0} carts a second, {TILLS} threads append the same \
             events {appended:.0} times: {:.2} of it",
            sold / appended
        );
    }
}

/// A shop in a folder of its own. Every till has its own product.
struct Shop {
    _dir: TempDir,
    store: Arc<dyn EventStore>,
    tills: Vec<Till>,
}

impl Shop {
    fn new(folder: &Path, flush: bool) -> Self {
        let dir = tempfile::tempdir_in(folder).unwrap();
        let options = Options { flush, ..Options::default() };
        let store: Arc<dyn EventStore> =
            Arc::new(FileStore::create(dir.path().join("store"), options).unwrap());
        let tills = (0..TILLS).map(|n| till(&store, &format!("T{n}"))).collect();
        let shop = Self { _dir: dir, store, tills };
        let settings = json!({
            "name": "Shop", "currency": "GBP", "zone": "UTC", "cutOver": "00:00",
            "taxMode": "included",
        });
        shop.happens(0, "configure_shop", settings);
        for n in 0..TILLS {
            let sku = format!("P{n}");
            shop.happens(n, "add_product", json!({"sku": sku, "name": sku, "price": 100}));
            for _ in 0..10 {
                let lines = json!([{"product": sku, "quantity": 1_000_000_000}]);
                shop.happens(n, "receive_stock", json!({"lines": lines}));
            }
            shop.happens(n, "open_shift", json!({"float": 0}));
        }
        shop
    }

    fn happens(&self, till: usize, command: &str, mut input: Value) {
        input["requestId"] = json!(Uuid::now_v7());
        let operation = Operation::find(command).unwrap();
        operation.run(&self.tills[till], &input.to_string()).unwrap();
    }

    /// Sells a piece of the till's product, and returns where its events stand and under which
    /// condition they were appended.
    fn sell(&self, till: usize) -> (Vec<u64>, Query) {
        let done = self.tills[till].execute(&cart(till), Uuid::now_v7()).unwrap();
        assert_eq!(done.trace.conflicts(), 0);
        (done.positions, done.trace.condition.unwrap().fail_if_events_match)
    }

    fn read(&self, positions: &[u64]) -> Vec<dcb::SequencedEvent> {
        let from = ReadOptions::from(positions[0]).limit(positions.len() as u64);
        self.store.read(&Query::all(), from).unwrap().map(Result::unwrap).collect()
    }
}

fn cart(product: usize) -> Checkout {
    serde_json::from_value(json!({
        "lines": [{"product": format!("P{product}"), "quantity": 1000}],
        "payments": [{"tender": "cash", "amount": 100}],
    }))
    .unwrap()
}

/// The median times of a sale in a new shop, and in one that sold the product so many times. They
/// take turns, so that both meet the same disk.
fn after_a_long_history(folder: &Path, flush: bool, past: u64) -> (Duration, Duration) {
    let (new, old) = (Shop::new(folder, flush), Shop::new(folder, flush));
    sell_in_the_past(&old, past);
    // The first sale reads the whole past, once.
    let mut times = [&new, &old].map(|shop| {
        shop.sell(0);
        (shop, Vec::new())
    });
    for _ in 0..500 {
        for (shop, times) in &mut times {
            let started = Instant::now();
            shop.sell(0);
            times.push(started.elapsed());
        }
    }
    let [first, late] = times.map(|(_, mut times)| {
        times.sort_unstable();
        times[times.len() / 2]
    });
    (first, late)
}

/// Records the same sale over and over, each as a sale of its own.
fn sell_in_the_past(shop: &Shop, sales: u64) {
    let (positions, _) = shop.sell(0);
    let sale = shop.read(&positions);
    let sale: Vec<Recorded> =
        sale.iter().map(|e| Recorded::decode(&e.as_event_ref()).unwrap()).collect();
    let again = |n: u64| {
        let request = Uuid::from_u128(n.into());
        let mut events: Vec<Event> = sale
            .iter()
            .map(|recorded| {
                let mut event = recorded.event.clone();
                let id = SaleId::from(request);
                match &mut event {
                    ShopEvent::SaleCompleted(e) => (e.sale, e.number) = (id, n),
                    ShopEvent::ProductSold(e) => e.sale = id,
                    ShopEvent::PaymentTaken(e) => e.sale = id,
                    other => panic!("{other:?}"),
                }
                event.encode(&recorded.when)
            })
            .collect();
        events[0].tags.push(request_tag(request));
        events
    };
    let mut commit = Vec::new();
    for n in 2..sales + 1 {
        commit.extend(again(n));
        if commit.len() + sale.len() > MAX_COMMIT_EVENTS || n == sales {
            shop.store.append(&commit, None).unwrap();
            commit.clear();
        }
    }
}

/// How many carts a second all tills sell together, and how often as many threads append just what
/// they recorded, under the same conditions; medians.
fn beside_appending(folder: &Path, flush: bool) -> (f64, f64) {
    const EACH: usize = 200;
    let (selling, appending) = (Shop::new(folder, flush), Shop::new(folder, flush));
    let (mut sold, mut appended) = (Vec::new(), Vec::new());
    for _ in 0..9 {
        let mut recorded = Vec::new();
        sold.push(per_second(EACH, &mut recorded, |till| {
            (0..EACH).map(|_| selling.sell(till)).collect::<Vec<_>>()
        }));
        let prebuilt: Vec<Vec<(Vec<Event>, Query)>> = recorded
            .into_iter()
            .map(|sales| {
                let sale = |(positions, query): (Vec<u64>, Query)| {
                    let events = selling.read(&positions).into_iter();
                    (events.map(|e| e.event).collect(), query)
                };
                sales.into_iter().map(sale).collect()
            })
            .collect();
        appended.push(per_second(EACH, &mut Vec::new(), |till| {
            for (events, query) in &prebuilt[till] {
                let after = Some(appending.store.head().unwrap());
                let condition = AppendCondition { fail_if_events_match: query.clone(), after };
                appending.store.append(events, Some(&condition)).unwrap();
            }
        }));
    }
    let median = |mut rates: Vec<f64>| {
        rates.sort_by(f64::total_cmp);
        rates[rates.len() / 2]
    };
    (median(sold), median(appended))
}

/// How often a second something is done that every till does so many times at once.
fn per_second<T: Send>(each: usize, done: &mut Vec<T>, act: impl Fn(usize) -> T + Sync) -> f64 {
    let start = Barrier::new(TILLS + 1);
    let elapsed = std::thread::scope(|scope| {
        let (act, start) = (&act, &start);
        let acting: Vec<_> = (0..TILLS)
            .map(|till| {
                scope.spawn(move || {
                    start.wait();
                    act(till)
                })
            })
            .collect();
        start.wait();
        let started = Instant::now();
        done.extend(acting.into_iter().map(|acting| acting.join().unwrap()));
        started.elapsed()
    });
    (TILLS * each) as f64 / elapsed.as_secs_f64()
}
