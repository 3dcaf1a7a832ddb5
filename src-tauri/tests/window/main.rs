//! The till in its real window, on a screen that nobody sees.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail by panicking")]

mod desk;

use std::sync::Arc;
use std::time::Instant;

use dcb::EventStore;
use dcb_file::{FileStore, Options};
use fantoccini::Locator;
use fantoccini::key::Key;
use pos::{Money, OpenShift, TillId, UserId};
use serde_json::json;
use till::{Lease, SystemClock, Till};
use uuid::Uuid;

use desk::{Desk, MOMENT, PATIENCE, Window};

/// A product of the demo shop.
const BOWLS: Product = Product { code: "2000000000152", sku: "20914", pence: 295 };
const SPONGE: Product = Product { code: "2000000000169", sku: "20961", pence: 125 };

struct Product {
    code: &'static str,
    sku: &'static str,
    pence: u64,
}

impl Product {
    /// Its line in the cart.
    fn line(&self) -> String {
        format!("[data-line='{}']", self.sku)
    }
}

const OPEN_SHIFT: Locator = Locator::XPath("//button[contains(., 'Open shift')]");
const CART: Locator = Locator::XPath("//h1[. = 'Cart']");
const RECEIPT: Locator = Locator::Css("section[aria-label='Receipt']");

/// Opens the shift with a drawer of £100.
async fn open_shift(window: &Window) {
    window.sees(OPEN_SHIFT).await;
    window.type_all(['1', '0', '0', char::from(Key::Enter)]).await;
    window.sees(CART).await;
}

#[tokio::test]
async fn one_scan_and_one_key_sell_and_the_next_scan_starts_the_next_sale() {
    let desk = Desk::new();
    let window = desk.open_window().await;
    open_shift(&window).await;
    window.scan(BOWLS.code).await;
    window.sees(Locator::Css(&BOWLS.line())).await;
    window.press(Key::F12).await;
    let receipt = window.sees(RECEIPT).await;
    assert!(receipt.contains("T1-1"), "{receipt}");
    let sold = window.call("receipt", json!({"receipt": "T1-1"})).await.unwrap();
    assert_eq!(sold["gross"], BOWLS.pence);
    window.scan(SPONGE.code).await;
    window.sees(Locator::Css(&SPONGE.line())).await;
    window.close().await;
}

#[test]
fn without_a_display_it_says_what_to_start_instead() {
    let desk = Desk::new();
    let started = desk.app().env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY").output().unwrap();
    let said = String::from_utf8_lossy(&started.stderr);
    assert_eq!(started.status.code(), Some(1), "{said}");
    assert!(said.contains("`opossum serve`") && said.lines().count() == 1, "{said}");
    assert!(!desk.shop().exists());
}

#[tokio::test]
async fn a_cashier_signs_in_with_a_pin_before_anything_can_be_done() {
    let desk = Desk::new();
    let window = desk.open_signed_out().await;
    window.sees(Locator::XPath("//h1[. = 'Who is at the till?']")).await;
    let refused = window.call("shift", json!({})).await.unwrap_err();
    assert_eq!(refused["code"], "signed_out", "{refused}");
    let staff = window.call("staff", json!({})).await.unwrap();
    let person = &staff.as_array().unwrap()[0];
    let (name, pin) = (person["name"].as_str().unwrap(), person["shownPin"].as_str().unwrap());
    window.click(Locator::XPath(&format!("//button[contains(., '{name}')]"))).await;
    window.type_all(pin.chars()).await;
    window.click(Locator::XPath("//button[normalize-space() = 'Sign in']")).await;
    window.sees(OPEN_SHIFT).await;
    window.close().await;
}

#[tokio::test]
async fn a_till_that_was_killed_comes_back_with_its_cart() {
    let desk = Desk::new();
    let window = desk.open_window().await;
    open_shift(&window).await;
    window.scan(BOWLS.code).await;
    window.sees(Locator::Css(&BOWLS.line())).await;
    window.scan(SPONGE.code).await;
    window.sees(Locator::Css(&SPONGE.line())).await;
    let scanned = Instant::now();
    while window.call("cart", json!({})).await.unwrap()["cart"]["lines"][1].is_null() {
        assert!(scanned.elapsed() < PATIENCE, "the cart was not kept");
    }
    window.kill().await;

    let window = desk.open_window().await;
    window.sees(Locator::Css(&BOWLS.line())).await;
    window.sees(Locator::Css(&SPONGE.line())).await;
    window.press(Key::F12).await;
    window.sees(RECEIPT).await;
    let sold = window.call("receipt", json!({"receipt": "T1-1"})).await.unwrap();
    assert_eq!(sold["gross"], BOWLS.pence + SPONGE.pence);
    window.close().await;
}

#[tokio::test]
async fn the_page_may_call_the_till_and_hear_of_changes_and_nothing_else() {
    let desk = Desk::new();
    let window = desk.open_window().await;
    assert_eq!(window.call("shop", json!({})).await.unwrap()["products"], 303);
    for (command, input) in [
        ("plugin:window|set_title", json!({"label": "main", "value": "Hello"})),
        ("plugin:event|emit", json!({"event": "changes", "payload": {"head": 0}})),
        ("plugin:log|log", json!({"level": 1, "message": "Hello"})),
        ("plugin:path|resolve_directory", json!({"directory": 1})),
        ("plugin:window-state|save_window_state", json!({"flags": 1})),
    ] {
        let refused = window.invoke(command, input).await.unwrap_err();
        assert!(refused.to_string().contains("not allowed"), "{command}: {refused}");
    }
    for (act, directive) in [
        ("fetch('http://127.0.0.1:9').catch(() => {})", "connect-src"),
        ("document.head.append(script)", "script-src-elem"),
    ] {
        let violation = format!(
            "const script = Object.assign(document.createElement('script'), {{ text: 'let x' }});
            addEventListener('securitypolicyviolation', (event) => done(event.effectiveDirective));
            {act}"
        );
        assert_eq!(window.run(&violation, vec![]).await, directive);
    }
    window.close().await;
}

#[tokio::test]
async fn the_window_hears_at_once_of_what_another_process_does() {
    let desk = Desk::new();
    let window = desk.open_window().await;
    window.call("shop", json!({})).await.unwrap();
    let listen = "window.heads = [];
        const handler = __TAURI_INTERNALS__.transformCallback(
            (event) => window.heads.push(event.payload.head));
        __TAURI_INTERNALS__.invoke(
            'plugin:event|listen', { event: 'changes', target: { kind: 'Any' }, handler },
        ).then(done)";
    window.run(listen, vec![]).await;

    let store = FileStore::open(desk.shop().join("store"), Options::default()).unwrap();
    let (till, user) = (TillId::new("T2").unwrap(), UserId::new("ann").unwrap());
    let store: Arc<dyn EventStore> = Arc::new(store);
    let till = Till::open(Arc::clone(&store), SystemClock::beside(store), till, user);
    till.execute(&OpenShift { float: Money::ZERO }, Uuid::now_v7()).unwrap();
    let head = till.store().head().unwrap();
    let changed = Instant::now();
    while !window.run("done(window.heads)", vec![]).await.as_array().unwrap().contains(&head.into())
    {
        assert!(changed.elapsed() < PATIENCE, "the change was not told");
    }
    window.close().await;
}

#[tokio::test]
async fn a_second_start_on_the_same_shop_leaves_the_window_to_the_first() {
    let desk = Desk::new();
    let window = desk.open_window().await;
    let mut second = desk.app().spawn().unwrap();
    let started = Instant::now();
    let status = loop {
        match second.try_wait().unwrap() {
            Some(status) => break status,
            None if started.elapsed() < PATIENCE => tokio::time::sleep(MOMENT).await,
            None => {
                second.kill().unwrap();
                panic!("the second start goes on");
            }
        }
    };
    assert!(status.success());
    window.call("shop", json!({})).await.unwrap();
    window.close().await;
}

#[tokio::test]
async fn a_till_that_another_process_has_is_told_in_the_window_and_opens_when_it_is_free() {
    let desk = Desk::new();
    let lease = Lease::take(&desk.shop(), &TillId::new("T1").unwrap()).unwrap();
    let window = desk.open_window().await;
    window.sees(Locator::XPath("//*[contains(text(), 'Till T1 is open already')]")).await;
    drop(lease);
    assert_eq!(window.call("shop", json!({})).await.unwrap()["products"], 303);
    window.close().await;
    let logs = desk.logs();
    assert!(logs.contains("T1 is open already"), "{logs}");
    assert!(logs.contains("till T1 is open on"), "{logs}");
}
