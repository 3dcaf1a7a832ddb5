//! Invoices are numbered without a gap. Only the last one has to be read, however many there are.
//! <https://dcb.events/examples/invoice-number/>

use std::convert::Infallible;
use std::thread;
use std::time::Duration;

use dcb::testing::given;
use dcb::{
    DecideError, Decided, Decision, DecisionProjection, Event, EventStore, MemoryStore, Query,
    Retry, decide,
};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
enum Accounting {
    InvoiceCreated { number: u64, amount: u64 },
}

fn created(number: u64, amount: u64) -> Event {
    Event::from_typed(&Accounting::InvoiceCreated { number, amount }, [])
        .expect("it can be written as JSON")
}

fn next_number() -> DecisionProjection<u64> {
    let query = Query::types(["InvoiceCreated"]).expect("it names a type");
    DecisionProjection::last(1, query, |event| {
        let Accounting::InvoiceCreated { number, .. } = event.typed().ok()?;
        Some(number + 1)
    })
}

/// Creates an invoice and tells its number. Whoever comes second with a number decides again.
fn create_invoice(
    store: &impl EventStore,
    amount: u64,
) -> Result<Decided<u64>, DecideError<Infallible>> {
    let retry = Retry::until(Duration::from_secs(30), Duration::from_millis(1));
    decide(store, &next_number(), retry, |&number| {
        Ok(Decision { events: vec![created(number, amount)], outcome: number })
    })
}

#[test]
fn the_first_invoice_has_number_1() {
    given([]).when(|store| create_invoice(store, 50)).then_recorded([created(1, 50)]);
}

#[test]
fn the_next_has_the_next_number() {
    given([created(1, 50), created(2, 10)])
        .when(|store| create_invoice(store, 30))
        .then_recorded([created(3, 30)]);
}

#[test]
fn numbers_have_no_gap_and_none_twice_whoever_races_for_them() {
    let store = MemoryStore::new();
    let mut numbers: Vec<u64> = thread::scope(|scope| {
        let create = || create_invoice(&store, 50).expect("it has time enough").outcome;
        let racing: Vec<_> = (0..8).map(|_| scope.spawn(create)).collect();
        racing.into_iter().map(|racer| racer.join().expect("no panic")).collect()
    });
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 7, 8]);
}
