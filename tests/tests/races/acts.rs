//! What rivals do, and what a shop does before they meet.

use serde_json::{Value, json};
use tests::rivals::Act;
use uuid::Uuid;

use crate::Round;

pub(crate) fn act_at(till: impl Into<String>, command: &'static str, input: Value) -> Act {
    Act { till: till.into(), user: None, request: Uuid::now_v7(), command, input }
}

/// What the shop does at a desk of its own.
pub(crate) fn desk(command: &'static str, input: Value) -> Act {
    act_at("Desk", command, input)
}

/// What a rival does at its own till.
pub(crate) fn own(rival: usize, command: &'static str, input: Value) -> Act {
    act_at(format!("T{rival}"), command, input)
}

pub(crate) fn called(request: Uuid, act: Act) -> Act {
    Act { request, ..act }
}

/// What a rival does at its own till when the clerk is at it.
pub(crate) fn by_clerk(rival: usize, command: &'static str, input: Value) -> Act {
    Act { user: Some(CLERK.to_string()), ..own(rival, command, input) }
}

/// A cashier, who has no PIN.
pub(crate) const CLERK: Uuid = Uuid::from_u128(u64::MAX as u128 + 1);

/// The one of the staff that each rival has, who has no PIN either.
pub(crate) fn own_colleague(rival: usize) -> Uuid {
    Uuid::from_u128(CLERK.as_u128() + 1 + rival as u128)
}

pub(crate) fn role_of(rival: usize, role: &str) -> Value {
    json!({"user": own_colleague(rival), "role": role})
}

/// One piece for cash.
pub(crate) fn cart(product: &str) -> Value {
    json!({
        "lines": [{"product": product, "quantity": 1000}],
        "payments": [{"tender": "cash", "amount": 1000}],
    })
}

pub(crate) fn with(mut cart: Value, field: &str, value: Value) -> Value {
    cart[field] = value;
    cart
}

/// One piece of the rival's own product, which all have plenty of.
pub(crate) fn own_cart(rival: usize) -> Value {
    cart(&format!("P{rival}"))
}

pub(crate) fn paid_with(mut cart: Value, payment: Value) -> Value {
    cart["payments"] = json!([payment]);
    cart
}

pub(crate) fn product(sku: &str, stocked: bool) -> Act {
    desk("add_product", json!({"sku": sku, "name": sku, "price": 100, "stocked": stocked}))
}

pub(crate) fn hired(name: &str) -> Value {
    json!({"name": name, "role": "cashier"})
}

/// The rule that a product is for adults.
pub(crate) fn adults_only(product: &str) -> Value {
    json!({"product": product, "minimumAge": 18})
}

pub(crate) fn received(product: &str, pieces: u64) -> Value {
    json!({"lines": [{"product": product, "quantity": pieces * 1000}]})
}

pub(crate) fn kit(kit: &str, component: &str) -> [Act; 2] {
    let components = json!([{"product": component, "quantity": 1000}]);
    let define = json!({"kit": kit, "components": components});
    [product(kit, false), desk("define_kit", define)]
}

pub(crate) fn promotion(name: &str, uses: u64) -> Act {
    let terms = json!({
        "name": name, "discount": {"amount": 10}, "from": "2000-01-01", "until": "2100-01-01",
        "uses": uses,
    });
    desk("define_promotion", json!({"promotion": name, "terms": terms}))
}

pub(crate) fn coupon(code: &str) -> Act {
    desk("issue_coupons", json!({"coupons": [code], "discount": {"amount": 10}}))
}

pub(crate) fn customer(id: Uuid) -> Act {
    called(id, desk("add_customer", json!({"name": "Someone"})))
}

/// The customer that each rival has, beside the one of all.
pub(crate) fn own_customer(rival: usize) -> Uuid {
    Uuid::from_u128(1 + rival as u128)
}

/// The customer of all.
pub(crate) const COMMON: Uuid = Uuid::from_u128(u64::MAX as u128);

pub(crate) fn gift_card(card: &str) -> Act {
    desk("issue_gift_card", json!({"card": card, "paid": {"tender": "cash", "amount": 200}}))
}

/// Money that was put on a gift card by mistake.
pub(crate) fn cancelled(card: &str) -> Value {
    let paid_back = json!({"tender": "cash", "amount": 100});
    json!({"card": card, "paidBack": paid_back, "reason": "typed wrong"})
}

/// A customer who owed so much and paid it by card.
pub(crate) fn paid_by_card(id: Uuid, amount: u64) -> Vec<Act> {
    let mut cart = with(cart("Service"), "customer", json!(id));
    cart["lines"][0]["quantity"] = json!(amount * 10);
    let charged = json!({"tender": "account", "amount": amount});
    let paid = json!({"tender": "card", "amount": amount});
    vec![
        customer(id),
        desk("set_credit_limit", json!({"customer": id, "limit": amount})),
        desk("checkout", paid_with(cart, charged)),
        desk("pay_account", json!({"customer": id, "paid": paid})),
    ]
}

pub(crate) fn bounced(customer: Uuid) -> Value {
    json!({"customer": customer, "amount": 100, "reason": "no funds"})
}

pub(crate) fn barcode(number: u64) -> String {
    let digits = format!("{:012}", 100_000_000_000 + number);
    let weighted = digits.bytes().zip([1, 3].into_iter().cycle());
    let sum: u32 = weighted.map(|(digit, weight)| u32::from(digit - b'0') * weight).sum();
    format!("{digits}{}", (10 - sum % 10) % 10)
}

/// One piece of the rival's own product, a twentieth cheaper.
pub(crate) fn discounted(rival: usize) -> Value {
    let mut cart = own_cart(rival);
    cart["lines"][0]["discount"] = json!({"off": {"percent": 500}});
    cart
}

pub(crate) fn cashiers_discount(limit: u64) -> Value {
    json!({"role": "cashier", "permissions": ["sell"], "discountLimit": limit})
}

pub(crate) fn open_shift(till: &str, id: Uuid) -> Act {
    called(id, act_at(till, "open_shift", json!({"float": 200})))
}

pub(crate) fn nothing(_: &Round) -> Vec<Act> {
    Vec::new()
}

pub(crate) fn refund(sale: Uuid) -> Value {
    json!({"sale": sale, "lines": [{"line": 1, "quantity": 1000}], "reason": ""})
}
