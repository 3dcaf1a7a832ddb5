//! Rivals act at the same moment on one shop: eight on threads, four in processes of their own.
//! What they fight over never breaks a rule; where there is nothing to fight over, nobody decides
//! twice.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail by panicking")]

use std::sync::Arc;

use dcb::EventStore;
use dcb_file::{FileStore, Options};
use serde_json::{Value, json};
use tempfile::TempDir;
use tests::rivals::{Act, Rival, till};
use till::Operation;
use uuid::Uuid;

/// What comes of a round.
enum End {
    /// So many get what they wanted; a rule refuses all others.
    Won(usize, &'static str),
    /// All get it, and nobody was in anybody's way.
    Unhindered,
    /// All get it, each with the next number.
    Numbered,
    /// It happens once, and all are told so.
    Once,
}
use End::{Numbered, Once, Unhindered, Won};

/// Acts of rivals at the same moment.
struct Scenario {
    name: &'static str,
    /// What happened before.
    before: fn(&Round) -> Vec<Act>,
    /// What a rival does.
    act: fn(&Round, usize) -> Act,
    end: End,
}

/// One time that rivals meet.
struct Round {
    number: u64,
    rivals: usize,
}

impl Round {
    /// A name that no other round has.
    fn name(&self, kind: &str) -> String {
        format!("{kind}{}", self.number)
    }

    /// An id that no other round has, for the request that makes something.
    fn id(&self, which: usize) -> Uuid {
        Uuid::from_u128(u128::from(self.number) << 64 | which as u128)
    }

    /// Something for each rival.
    fn each(&self, act: impl Fn(usize) -> Act) -> Vec<Act> {
        (0..self.rivals).map(act).collect()
    }
}

fn act_at(till: impl Into<String>, command: &'static str, input: Value) -> Act {
    Act { till: till.into(), request: Uuid::now_v7(), command, input }
}

/// What the shop does at a desk of its own.
fn desk(command: &'static str, input: Value) -> Act {
    act_at("Desk", command, input)
}

/// What a rival does at its own till.
fn own(rival: usize, command: &'static str, input: Value) -> Act {
    act_at(format!("T{rival}"), command, input)
}

fn called(request: Uuid, act: Act) -> Act {
    Act { request, ..act }
}

/// One piece for cash.
fn cart(product: &str) -> Value {
    json!({
        "lines": [{"product": product, "quantity": 1000}],
        "payments": [{"tender": "cash", "amount": 1000}],
    })
}

fn with(mut cart: Value, field: &str, value: Value) -> Value {
    cart[field] = value;
    cart
}

/// One piece of the rival's own product, which all have plenty of.
fn own_cart(rival: usize) -> Value {
    cart(&format!("P{rival}"))
}

fn paid_with(mut cart: Value, payment: Value) -> Value {
    cart["payments"] = json!([payment]);
    cart
}

fn product(sku: &str, stocked: bool) -> Act {
    desk("add_product", json!({"sku": sku, "name": sku, "price": 100, "stocked": stocked}))
}

fn received(product: &str, pieces: u64) -> Value {
    json!({"lines": [{"product": product, "quantity": pieces * 1000}]})
}

fn kit(kit: &str, component: &str) -> [Act; 2] {
    let components = json!([{"product": component, "quantity": 1000}]);
    let define = json!({"kit": kit, "components": components});
    [product(kit, false), desk("define_kit", define)]
}

fn promotion(name: &str, uses: u64) -> Act {
    let terms = json!({
        "name": name, "discount": {"amount": 10}, "from": "2000-01-01", "until": "2100-01-01",
        "uses": uses,
    });
    desk("define_promotion", json!({"promotion": name, "terms": terms}))
}

fn coupon(code: &str) -> Act {
    desk("issue_coupons", json!({"coupons": [code], "discount": {"amount": 10}}))
}

fn customer(id: Uuid) -> Act {
    called(id, desk("add_customer", json!({"name": "Someone"})))
}

/// The customer that each rival has, beside the one of all.
fn own_customer(rival: usize) -> Uuid {
    Uuid::from_u128(1 + rival as u128)
}

/// The customer of all.
const COMMON: Uuid = Uuid::from_u128(u64::MAX as u128);

fn gift_card(card: &str) -> Act {
    desk("issue_gift_card", json!({"card": card, "paid": {"tender": "cash", "amount": 200}}))
}

/// Money that was put on a gift card by mistake.
fn cancelled(card: &str) -> Value {
    let paid_back = json!({"tender": "cash", "amount": 100});
    json!({"card": card, "paidBack": paid_back, "reason": "typed wrong"})
}

/// A customer who owed so much and paid it by card.
fn paid_by_card(id: Uuid, amount: u64) -> Vec<Act> {
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

fn bounced(customer: Uuid) -> Value {
    json!({"customer": customer, "amount": 100, "reason": "no funds"})
}

fn barcode(number: u64) -> String {
    let digits = format!("{:012}", 100_000_000_000 + number);
    let weighted = digits.bytes().zip([1, 3].into_iter().cycle());
    let sum: u32 = weighted.map(|(digit, weight)| u32::from(digit - b'0') * weight).sum();
    format!("{digits}{}", (10 - sum % 10) % 10)
}

fn open_shift(till: &str, id: Uuid) -> Act {
    called(id, act_at(till, "open_shift", json!({"float": 200})))
}

fn nothing(_: &Round) -> Vec<Act> {
    Vec::new()
}

const FOUGHT_OVER: [Scenario; 17] = [
    Scenario {
        name: "the last piece",
        before: |round| {
            let last = round.name("Last");
            vec![product(&last, true), desk("receive_stock", received(&last, 1))]
        },
        act: |round, rival| own(rival, "checkout", cart(&round.name("Last"))),
        end: Won(1, "out_of_stock"),
    },
    Scenario {
        name: "the last component of two kits",
        before: |round| {
            let part = round.name("Part");
            let stock = [product(&part, true), desk("receive_stock", received(&part, 1))];
            let kits = ["Kit0-", "Kit1-"].map(|name| kit(&round.name(name), &part));
            stock.into_iter().chain(kits.into_iter().flatten()).collect()
        },
        act: |round, rival| {
            own(rival, "checkout", cart(&round.name(&format!("Kit{}-", rival % 2))))
        },
        end: Won(1, "out_of_stock"),
    },
    Scenario {
        name: "what a customer may still buy today",
        before: |round| {
            let limited = round.name("Limited");
            let limit = json!({"product": limited, "perCustomerDay": 2000});
            vec![product(&limited, false), desk("set_limit", limit)]
        },
        act: |round, rival| {
            let cart = cart(&round.name("Limited"));
            own(rival, "checkout", with(cart, "customer", json!(COMMON)))
        },
        end: Won(2, "limit_per_customer_day"),
    },
    Scenario {
        name: "the last uses of a promotion",
        before: |round| vec![promotion(&round.name("Offer"), 2)],
        act: |round, rival| {
            let cart = with(own_cart(rival), "promotions", json!([round.name("Offer")]));
            own(rival, "checkout", cart)
        },
        end: Won(2, "promotion_used_up"),
    },
    Scenario {
        name: "a coupon",
        before: |round| vec![coupon(&round.name("C"))],
        act: |round, rival| {
            own(rival, "checkout", with(own_cart(rival), "coupons", json!([round.name("C")])))
        },
        end: Won(1, "coupon_spent"),
    },
    Scenario {
        name: "what a customer may still owe",
        before: |round| {
            let limit = json!({"customer": round.id(0), "limit": 200});
            vec![customer(round.id(0)), desk("set_credit_limit", limit)]
        },
        act: |round, rival| {
            let cart = with(own_cart(rival), "customer", json!(round.id(0)));
            own(rival, "checkout", paid_with(cart, json!({"tender": "account", "amount": 100})))
        },
        end: Won(2, "credit_exceeded"),
    },
    Scenario {
        name: "what is left on a gift card",
        before: |round| vec![gift_card(&round.name("G"))],
        act: |round, rival| {
            let payment = json!({"tender": "gift_card", "amount": 100, "card": round.name("G")});
            own(rival, "checkout", paid_with(own_cart(rival), payment))
        },
        end: Won(2, "gift_card_too_low"),
    },
    Scenario {
        name: "what was put on a gift card, to be spent or paid back",
        before: |round| {
            let card = round.name("G");
            let paid = json!({"tender": "cash", "amount": 1000});
            let mut ten = cart("Service");
            ten["lines"][0]["quantity"] = json!(10_000);
            let spent = json!({"tender": "gift_card", "amount": 1000, "card": card});
            vec![
                gift_card(&card),
                desk("top_up_gift_card", json!({"card": card, "paid": paid})),
                desk("checkout", paid_with(ten, spent)),
            ]
        },
        act: |round, rival| {
            let card = round.name("G");
            let spend = json!({"tender": "gift_card", "amount": 100, "card": card});
            match rival % 2 {
                0 => own(rival, "checkout", paid_with(own_cart(rival), spend)),
                _ => own(rival, "cancel_gift_card_top_up", cancelled(&card)),
            }
        },
        end: Won(2, "gift_card_too_low"),
    },
    Scenario {
        name: "what a customer paid, to bounce",
        before: |round| paid_by_card(round.id(0), 200),
        act: |round, rival| own(rival, "bounce_account_payment", bounced(round.id(0))),
        end: Won(2, "not_paid"),
    },
    Scenario {
        name: "a customer's points",
        before: |round| {
            // A point for each 1.00, so two.
            let mut cart = with(cart("Service"), "customer", json!(round.id(0)));
            cart["lines"][0]["quantity"] = json!(2000);
            vec![customer(round.id(0)), desk("checkout", cart)]
        },
        act: |round, rival| {
            // It earns none: a point takes off what would earn it.
            let cart = with(own_cart(rival), "customer", json!(round.id(0)));
            own(rival, "checkout", with(cart, "redeemPoints", json!(1)))
        },
        end: Won(2, "not_enough_points"),
    },
    Scenario {
        name: "the refund of a sale",
        before: |round| vec![called(round.id(0), desk("checkout", cart("Service")))],
        act: |round, rival| own(rival, "refund_sale", refund(round.id(0))),
        end: Won(1, "refund_exceeds_sale"),
    },
    Scenario {
        name: "a barcode",
        before: nothing,
        act: |round, rival| {
            let barcode = barcode(round.number * 100);
            let product = format!("P{rival}");
            own(rival, "assign_barcode", json!({"product": product, "barcode": barcode}))
        },
        end: Won(1, "barcode_taken"),
    },
    Scenario {
        name: "opening a till's shift",
        before: nothing,
        act: |round, _| open_shift(&round.name("X"), Uuid::now_v7()),
        end: Won(1, "shift_open"),
    },
    Scenario {
        name: "closing a till's shift",
        before: |round| vec![open_shift(&round.name("X"), round.id(0))],
        act: |round, _| {
            let close = json!({"shift": round.id(0), "countedCash": 200});
            act_at(round.name("X"), "close_shift", close)
        },
        end: Won(1, "shift_closed"),
    },
    Scenario {
        name: "the cash in a drawer",
        before: |round| vec![open_shift(&round.name("X"), round.id(0))],
        act: |round, _| {
            let drop = json!({"shift": round.id(0), "amount": 100});
            act_at(round.name("X"), "drop_cash", drop)
        },
        end: Won(2, "not_enough_cash"),
    },
    Scenario {
        name: "the next number of a till's receipts",
        before: nothing,
        act: |_, rival| act_at("T0", "checkout", own_cart(rival)),
        end: Numbered,
    },
    Scenario {
        name: "one request sent by all",
        before: nothing,
        act: |round, _| called(round.id(0), act_at("T0", "checkout", cart("P0"))),
        end: Once,
    },
];

fn refund(sale: Uuid) -> Value {
    json!({"sale": sale, "lines": [{"line": 1, "quantity": 1000}], "reason": ""})
}

const NOT_FOUGHT_OVER: [Scenario; 15] = [
    Scenario {
        name: "different products at different tills",
        before: nothing,
        act: |_, rival| own(rival, "checkout", own_cart(rival)),
        end: Unhindered,
    },
    Scenario {
        name: "a delivery of what is sold",
        before: nothing,
        act: |_, rival| match rival % 2 {
            0 => own(rival, "checkout", own_cart(rival)),
            _ => own(rival, "receive_stock", received(&format!("P{}", rival - 1), 1)),
        },
        end: Unhindered,
    },
    Scenario {
        name: "different kits",
        before: |round| {
            let kits = (0..round.rivals)
                .flat_map(|rival| kit(&round.name(&format!("K{rival}-")), &format!("P{rival}")));
            kits.collect()
        },
        act: |round, rival| own(rival, "checkout", cart(&round.name(&format!("K{rival}-")))),
        end: Unhindered,
    },
    Scenario {
        name: "a limited product, to different customers",
        before: |round| {
            let limited = round.name("Limited");
            let limit = json!({"product": limited, "perCustomerDay": 1000});
            vec![product(&limited, false), desk("set_limit", limit)]
        },
        act: |round, rival| {
            let cart = cart(&round.name("Limited"));
            own(rival, "checkout", with(cart, "customer", json!(own_customer(rival))))
        },
        end: Unhindered,
    },
    Scenario {
        name: "different promotions, and none",
        before: |round| round.each(|rival| promotion(&round.name(&format!("O{rival}-")), 1)),
        act: |round, rival| {
            let promotions = match rival % 2 {
                0 => json!([round.name(&format!("O{rival}-"))]),
                _ => json!([]),
            };
            own(rival, "checkout", with(own_cart(rival), "promotions", promotions))
        },
        end: Unhindered,
    },
    Scenario {
        name: "different coupons",
        before: |round| round.each(|rival| coupon(&round.name(&format!("C{rival}-")))),
        act: |round, rival| {
            let coupons = json!([round.name(&format!("C{rival}-"))]);
            own(rival, "checkout", with(own_cart(rival), "coupons", coupons))
        },
        end: Unhindered,
    },
    Scenario {
        name: "one customer charges the account, pays it off, and pays cash",
        before: |round| {
            let limit = json!({"customer": round.id(0), "limit": 1000});
            let cart = with(cart("Service"), "customer", json!(round.id(0)));
            let charge = paid_with(cart, json!({"tender": "account", "amount": 100}));
            vec![customer(round.id(0)), desk("set_credit_limit", limit), desk("checkout", charge)]
        },
        act: |round, rival| {
            let cart = with(own_cart(rival), "customer", json!(round.id(0)));
            let account = json!({"tender": "account", "amount": 100});
            let paid = json!({"tender": "cash", "amount": 100});
            match rival {
                0 => own(rival, "checkout", paid_with(cart, account)),
                1 => own(rival, "pay_account", json!({"customer": round.id(0), "paid": paid})),
                _ => own(rival, "checkout", cart),
            }
        },
        end: Unhindered,
    },
    Scenario {
        name: "different gift cards, and money put on them",
        before: |round| round.each(|rival| gift_card(&round.name(&format!("G{rival}-")))),
        act: |round, rival| {
            let card = round.name(&format!("G{}-", rival / 2));
            let redeem = json!({"tender": "gift_card", "amount": 100, "card": card});
            let paid = json!({"tender": "card", "amount": 100});
            match rival % 2 {
                0 => own(rival, "checkout", paid_with(own_cart(rival), redeem)),
                _ => own(rival, "top_up_gift_card", json!({"card": card, "paid": paid})),
            }
        },
        end: Unhindered,
    },
    Scenario {
        name: "payments that bounce and top-ups that are cancelled, of others",
        before: |round| {
            let before = (0..round.rivals).flat_map(|rival| match rival % 3 {
                0 => vec![],
                1 => paid_by_card(round.id(rival), 100),
                _ => {
                    let card = round.name(&format!("G{rival}-"));
                    let paid = json!({"tender": "card", "amount": 100});
                    let top_up = json!({"card": card, "paid": paid});
                    vec![gift_card(&card), desk("top_up_gift_card", top_up)]
                }
            });
            before.collect()
        },
        act: |round, rival| match rival % 3 {
            0 => own(rival, "checkout", with(own_cart(rival), "customer", json!(COMMON))),
            1 => own(rival, "bounce_account_payment", bounced(round.id(rival))),
            _ => {
                let card = round.name(&format!("G{rival}-"));
                let paid = json!({"tender": "card", "amount": 100});
                own(rival, "cancel_gift_card_top_up", with(cancelled(&card), "paidBack", paid))
            }
        },
        end: Unhindered,
    },
    Scenario {
        name: "one customer earns points everywhere",
        before: nothing,
        act: |_, rival| own(rival, "checkout", with(own_cart(rival), "customer", json!(COMMON))),
        end: Unhindered,
    },
    Scenario {
        name: "refunds of different sales, and a sale",
        before: |round| {
            round.each(|rival| called(round.id(rival), desk("checkout", own_cart(rival))))
        },
        act: |round, rival| match rival {
            0 => own(rival, "checkout", own_cart(1)),
            _ => own(rival, "refund_sale", refund(round.id(rival))),
        },
        end: Unhindered,
    },
    Scenario {
        name: "shifts of different tills",
        before: nothing,
        act: |round, rival| open_shift(&round.name(&format!("X{rival}-")), Uuid::now_v7()),
        end: Unhindered,
    },
    Scenario {
        name: "different barcodes",
        before: nothing,
        act: |round, rival| {
            let barcode = barcode(round.number * 100 + rival as u64);
            own(rival, "assign_barcode", json!({"product": "Service", "barcode": barcode}))
        },
        end: Unhindered,
    },
    Scenario {
        name: "cash to the safe while a card pays",
        before: |round| {
            let shift = |rival| open_shift(&round.name(&format!("X{rival}-")), round.id(rival));
            round.each(shift)
        },
        act: |round, rival| {
            let till = round.name(&format!("X{}-", rival / 2));
            let card = json!({"tender": "card", "amount": 100});
            let drop = json!({"shift": round.id(rival / 2), "amount": 100});
            match rival % 2 {
                0 => act_at(till, "checkout", paid_with(own_cart(rival), card)),
                _ => act_at(till, "drop_cash", drop),
            }
        },
        end: Unhindered,
    },
    Scenario {
        name: "a product with a limit, an age rule and a new price, at a discount",
        before: |round| {
            let gin = round.name("Gin");
            vec![
                product(&gin, false),
                desk("set_limit", json!({"product": gin, "perReceipt": 1000})),
                desk("set_age_rule", json!({"product": gin, "minimumAge": 18})),
                desk("change_price", json!({"product": gin, "price": 200})),
            ]
        },
        act: |round, rival| {
            let mut cart = with(cart(&round.name("Gin")), "ageChecked", json!(18));
            cart["lines"][0]["scannedPrice"] = json!(200);
            cart["lines"][0]["discount"] = json!({"off": {"percent": 500}});
            own(rival, "checkout", cart)
        },
        end: Unhindered,
    },
];

/// A shop in a folder of its own, with what every scenario needs.
struct Shop {
    dir: TempDir,
    store: Arc<dyn EventStore>,
}

impl Shop {
    fn new(rivals: usize, options: Options) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store: Arc<dyn EventStore> =
            Arc::new(FileStore::create(dir.path().join("store"), options).unwrap());
        let shop = Self { dir, store };
        let settings = json!({
            "name": "Shop", "currency": "GBP", "zone": "UTC", "cutOver": "00:00",
            "taxMode": "included", "loyalty": {"spendPerPoint": 100, "pointValue": 100},
        });
        shop.happens(&desk("configure_shop", settings));
        shop.happens(&open_shift("Desk", Uuid::now_v7()));
        shop.happens(&product("Service", false));
        shop.happens(&customer(COMMON));
        for rival in 0..rivals {
            let sku = format!("P{rival}");
            shop.happens(&product(&sku, true));
            shop.happens(&desk("receive_stock", received(&sku, 10_000)));
            shop.happens(&open_shift(&format!("T{rival}"), Uuid::now_v7()));
            shop.happens(&customer(own_customer(rival)));
        }
        shop
    }

    /// Something happens with nobody in the way.
    fn happens(&self, act: &Act) {
        let mut input = act.input.clone();
        input["requestId"] = json!(act.request);
        let operation = Operation::find(act.command).unwrap();
        let done = operation.run(&till(&self.store, &act.till), &input.to_string());
        assert!(done.is_ok(), "{act:?}: {done:?}");
    }

    /// Lets these rivals meet in every scenario, so many times.
    fn race(&self, rivals: &mut [Rival], rounds: u64) {
        let scenarios = FOUGHT_OVER.iter().chain(&NOT_FOUGHT_OVER);
        for (scenario, first) in scenarios.zip((1..).step_by(1000)) {
            for number in first..first + rounds {
                let round = Round { number, rivals: rivals.len() };
                (scenario.before)(&round).iter().for_each(|act| self.happens(act));
                let acts: Vec<Act> =
                    (0..rivals.len()).map(|rival| (scenario.act)(&round, rival)).collect();
                rivals.iter_mut().zip(&acts).for_each(|(rival, act)| rival.ask(act));
                let answers: Vec<Value> = rivals.iter_mut().map(Rival::answer).collect();
                assert!(scenario.end.is(&answers), "{}: {answers:#?}", scenario.name);
            }
        }
    }
}

impl End {
    fn is(&self, answers: &[Value]) -> bool {
        let done = || answers.iter().filter(|answer| answer.get("answer").is_some());
        let all_done = done().count() == answers.len();
        match *self {
            Won(most, code) => {
                let refused = answers.iter().filter(|answer| answer["refused"] == code).count();
                done().count() == most && refused == answers.len() - most
            }
            Unhindered => all_done && answers.iter().all(|answer| answer["conflicts"] == 0),
            Numbered => {
                let number = |answer: &Value| answer["answer"]["number"].as_u64().unwrap();
                let mut numbers: Vec<u64> = done().map(number).collect();
                numbers.sort_unstable();
                all_done && numbers.windows(2).all(|pair| pair[1] == pair[0] + 1)
            }
            Once => all_done && done().all(|answer| answer["answer"] == answers[0]["answer"]),
        }
    }
}

#[test]
fn eight_tills_on_threads_break_no_rule_and_are_in_nobodys_way() {
    let shop = Shop::new(8, Options { flush: false, ..Options::default() });
    let mut rivals: Vec<Rival> = (0..8).map(|_| Rival::on_thread(&shop.store)).collect();
    shop.race(&mut rivals, 10);
}

#[test]
fn four_tills_in_processes_break_no_rule_and_are_in_nobodys_way() {
    let shop = Shop::new(4, Options::default());
    let rival = |_| Rival::in_process(env!("CARGO_BIN_EXE_rival"), shop.dir.path());
    let mut rivals: Vec<Rival> = (0..4).map(rival).collect();
    shop.race(&mut rivals, 10);
}
