//! A form that is sent twice places one order. The client makes a token when it shows the form and
//! sends it along; the order's id stays the server's own.
//! <https://dcb.events/examples/prevent-record-duplication/>

use std::thread;

use dcb::testing::given;
use dcb::{
    DecideError, Decided, DecisionProjection, Event, EventStore, MemoryStore, Query, Retry, Tag,
    decide,
};

#[derive(Debug, PartialEq)]
struct Resubmission;

fn idempotency_tag(token: &str) -> Tag {
    Tag::new("idempotency", token).expect("a token is a tag's value")
}

fn token_was_used(token: &str) -> DecisionProjection<bool> {
    let query = Query::tagged(["OrderPlaced"], &idempotency_tag(token));
    DecisionProjection::new(false, query, |was_used, _| *was_used = true)
}

fn place_order(
    store: &impl EventStore,
    order: &str,
    token: &str,
) -> Result<Decided<()>, DecideError<Resubmission>> {
    decide(store, &token_was_used(token), Retry::default(), |was_used| match was_used {
        true => Err(Resubmission),
        false => Ok(vec![placed(order, token)].into()),
    })
}

fn placed(order: &str, token: &str) -> Event {
    let tags = [idempotency_tag(token)];
    let event = Event::builder("OrderPlaced").tag("order", order).tags(tags).build();
    event.expect("an order's id is a tag's value")
}

#[test]
fn an_order_with_a_new_token_is_placed() {
    given([placed("o12345", "11111")])
        .when(|store| place_order(store, "o54321", "22222"))
        .then_recorded([placed("o54321", "22222")]);
}

#[test]
fn an_order_with_a_used_token_is_not_placed_again() {
    given([placed("o12345", "11111")])
        .when(|store| place_order(store, "o54321", "11111"))
        .then_refused_with(Resubmission);
}

#[test]
fn a_form_sent_many_times_at_once_places_one_order() {
    let store = MemoryStore::new();
    thread::scope(|scope| {
        for n in 0..8 {
            let store = &store;
            scope.spawn(move || place_order(store, &format!("o{n}"), "11111"));
        }
    });
    assert_eq!(store.count(&Query::all()).expect("it can be read"), 1);
}
