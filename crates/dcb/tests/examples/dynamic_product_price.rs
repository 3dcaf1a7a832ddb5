//! A customer pays the price that they were shown, if it is the product's price or was until some
//! minutes ago. A cart of several products is one decision on all of their prices.
//! <https://dcb.events/examples/dynamic-product-price/>

use chrono::{DateTime, TimeDelta, Utc};
use dcb::testing::given;
use dcb::{DecideError, Decided, DecisionProjection, Event, EventStore, Query, Retry, Tag, decide};
use serde::{Deserialize, Serialize};

/// For so long after a change the old price may still be paid.
const GRACE: TimeDelta = TimeDelta::minutes(10);

#[derive(Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
enum Shop {
    ProductDefined { price: u32 },
    ProductPriceChanged { price: u32 },
    ProductsOrdered { items: Vec<Item> },
}

/// A product in a cart, with the price at which it was shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Item {
    product: Tag,
    price: u32,
}

#[derive(Debug, PartialEq)]
struct InvalidPrice {
    of: Tag,
}

/// The prices that a product has had.
#[derive(Clone, Default)]
struct Prices {
    current: Option<u32>,
    /// Each earlier price, and until when it was the current one.
    earlier: Vec<(u32, DateTime<Utc>)>,
}

impl Prices {
    fn allow(&self, price: u32, now: DateTime<Utc>) -> bool {
        self.current == Some(price)
            || self.earlier.iter().any(|(earlier, until)| *earlier == price && now - until <= GRACE)
    }
}

fn prices(product: &Tag) -> DecisionProjection<Prices> {
    let query = Query::tagged(["ProductDefined", "ProductPriceChanged"], product);
    DecisionProjection::new(Prices::default(), query, |prices: &mut Prices, event| {
        let at = event.metadata().ok().and_then(|metadata| metadata.timestamp).unwrap_or_default();
        if let Ok(Shop::ProductDefined { price } | Shop::ProductPriceChanged { price }) =
            event.typed()
            && let Some(replaced) = prices.current.replace(price)
        {
            prices.earlier.push((replaced, at));
        }
    })
}

/// Orders what is in the cart. The model is a list: one question for each product in it.
fn order(
    store: &impl EventStore,
    cart: &[Item],
    now: DateTime<Utc>,
) -> Result<Decided<()>, DecideError<InvalidPrice>> {
    let model: Vec<_> = cart.iter().map(|item| prices(&item.product)).collect();
    decide(store, &model, Retry::default(), |of_each| {
        for (item, prices) in cart.iter().zip(of_each) {
            if !prices.allow(item.price, now) {
                return Err(InvalidPrice { of: item.product.clone() });
            }
        }
        Ok(vec![ordered(cart)].into())
    })
}

fn ordered(cart: &[Item]) -> Event {
    let tags = cart.iter().map(|item| item.product.clone());
    Event::from_typed(&Shop::ProductsOrdered { items: cart.to_vec() }, tags)
        .expect("it can be written as JSON")
}

fn item(product: &str, price: u32) -> Item {
    Item { product: product.parse().expect("a good tag"), price }
}

fn minutes_ago(minutes: i64, product: &str, happened: Shop) -> Event {
    let tag: Tag = product.parse().expect("a good tag");
    let mut event = Event::from_typed(&happened, [tag]).expect("it can be written as JSON");
    event.metadata.timestamp = Some(Utc::now() - TimeDelta::minutes(minutes));
    event
}

fn defined(product: &str, price: u32) -> Event {
    minutes_ago(60, product, Shop::ProductDefined { price })
}

fn changed(minutes: i64, product: &str, price: u32) -> Event {
    minutes_ago(minutes, product, Shop::ProductPriceChanged { price })
}

#[test]
fn the_current_price_is_accepted_and_another_is_not() {
    let cart = [item("product:p1", 123)];
    given([defined("product:p1", 123)])
        .when(|store| order(store, &cart, Utc::now()))
        .then_recorded([ordered(&cart)]);
    let wrong = [item("product:p1", 100)];
    given([defined("product:p1", 123)])
        .when(|store| order(store, &wrong, Utc::now()))
        .then_refused_with(InvalidPrice { of: wrong[0].product.clone() });
}

#[test]
fn a_price_that_was_changed_minutes_ago_is_still_accepted() {
    for price in [123, 134] {
        let cart = [item("product:p1", price)];
        given([defined("product:p1", 123), changed(9, "product:p1", 134)])
            .when(|store| order(store, &cart, Utc::now()))
            .then_recorded([ordered(&cart)]);
    }
}

#[test]
fn a_price_that_was_changed_long_ago_is_not() {
    let cart = [item("product:p1", 123)];
    given([defined("product:p1", 123), changed(20, "product:p1", 134)])
        .when(|store| order(store, &cart, Utc::now()))
        .then_refused_with(InvalidPrice { of: cart[0].product.clone() });
}

#[test]
fn one_wrong_price_refuses_the_whole_cart() {
    let past = || [defined("product:p1", 123), defined("product:p2", 321)];
    let cart = [item("product:p1", 123), item("product:p2", 321)];
    given(past()).when(|store| order(store, &cart, Utc::now())).then_recorded([ordered(&cart)]);
    let wrong = [item("product:p1", 123), item("product:p2", 320)];
    given(past())
        .when(|store| order(store, &wrong, Utc::now()))
        .then_refused_with(InvalidPrice { of: wrong[1].product.clone() });
}
