//! What rivals fight over.

use pos::ShopEvent;
use serde_json::json;
use tests::rivals::Act;
use uuid::Uuid;

use crate::End::{Kept, Lost, Numbered, Once, Won};
use crate::Scenario;
use crate::acts::*;

/// What not all can have.
pub(crate) const FOUGHT_OVER: &[Scenario] = &[
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
        name: "what is on hand, to be counted and sold",
        before: |round| {
            let tea = round.name("Tea");
            vec![product(&tea, true), desk("receive_stock", received(&tea, 100))]
        },
        act: |round, rival| match rival {
            0 => {
                let tea = round.name("Tea");
                let count = json!({"product": tea, "counted": 50_000, "asOf": round.head});
                own(rival, "count_stock", count)
            }
            _ => own(rival, "checkout", cart(&round.name("Tea"))),
        },
        end: Kept(Some("count_outdated"), |events| {
            let is_sale = |event: &ShopEvent| matches!(event, ShopEvent::ProductSold(_));
            let mut counted = events.iter().skip_while(|event| !is_sale(event));
            !counted.any(|event| matches!(event, ShopEvent::StockCounted(_)))
        }),
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
        name: "a SKU",
        before: nothing,
        act: |round, rival| Act { till: format!("T{rival}"), ..product(&round.name("New"), true) },
        end: Won(1, "product_exists"),
    },
    Scenario {
        name: "the name of someone of the staff",
        before: nothing,
        act: |round, rival| own(rival, "add_staff", hired(&round.name("Ann"))),
        end: Won(1, "name_taken"),
    },
    Scenario {
        name: "who of the managers stays one",
        before: |round| round.each(|rival| desk("set_staff_role", role_of(rival, "manager"))),
        act: |_, rival| {
            let demote = own(rival, "set_staff_role", role_of(rival, "supervisor"));
            Act { user: Some(own_colleague(rival).to_string()), ..demote }
        },
        end: Lost(1, "last_manager"),
    },
    Scenario {
        name: "a sale in a shift that is closed",
        before: |round| vec![open_shift(&round.name("X"), round.id(0))],
        act: |round, rival| match rival {
            0 => {
                let close = json!({"shift": round.id(0), "countedCash": 200});
                act_at(round.name("X"), "close_shift", close)
            }
            _ => act_at(round.name("X"), "checkout", own_cart(rival)),
        },
        end: Kept(Some("shift_closed"), |events| {
            let is_close = |event: &ShopEvent| matches!(event, ShopEvent::ShiftClosed(_));
            let sold = |events: &[ShopEvent]| {
                let sales = events.iter().filter(|e| matches!(e, ShopEvent::SaleCompleted(_)));
                sales.count() as i64
            };
            let Some(close) = events.iter().position(is_close) else { return false };
            let ShopEvent::ShiftClosed(closed) = &events[close] else { return false };
            let before = sold(&events[..close]);
            closed.expected.minor() == 200 + 100 * before && sold(&events[close..]) == 0
        }),
    },
    Scenario {
        name: "a sale at a price that changes, as it was scanned",
        before: |round| vec![product(&round.name("Gin"), false)],
        act: |round, rival| match rival {
            0 => own(rival, "change_price", json!({"product": round.name("Gin"), "price": 200})),
            _ => {
                let mut cart = cart(&round.name("Gin"));
                cart["lines"][0]["scannedPrice"] = json!(100);
                own(rival, "checkout", cart)
            }
        },
        end: Kept(None, |events| {
            let is_honoured = |event: &ShopEvent| match event {
                ShopEvent::ProductSold(e) => e.unit_price.minor() == 100,
                _ => true,
            };
            events.iter().all(is_honoured)
        }),
    },
    Scenario {
        name: "a sale at a price that changes, as it is by then",
        before: |round| vec![product(&round.name("Gin"), false)],
        act: |round, rival| match rival {
            0 => own(rival, "change_price", json!({"product": round.name("Gin"), "price": 200})),
            _ => own(rival, "checkout", cart(&round.name("Gin"))),
        },
        end: Kept(None, |events| {
            let mut price = 100;
            let mut is_right = |event: &ShopEvent| match event {
                ShopEvent::PriceChanged(e) => {
                    price = e.price.minor();
                    true
                }
                ShopEvent::ProductSold(e) => e.unit_price.minor() == price,
                _ => true,
            };
            events.iter().all(&mut is_right)
        }),
    },
    Scenario {
        name: "a sale of what one must be old enough for by then",
        before: |round| vec![product(&round.name("Gin"), false)],
        act: |round, rival| match rival {
            0 => own(rival, "set_age_rule", adults_only(&round.name("Gin"))),
            _ => own(rival, "checkout", cart(&round.name("Gin"))),
        },
        end: Kept(Some("age_check_needed"), no_sale_after_the_age_rule),
    },
    Scenario {
        name: "a sale of a kit with a part that one must be old enough for by then",
        before: |round| {
            let gin = round.name("Gin");
            let stock = [product(&gin, true), desk("receive_stock", received(&gin, 100))];
            stock.into_iter().chain(kit(&round.name("Basket"), &gin)).collect()
        },
        act: |round, rival| match rival {
            0 => own(rival, "set_age_rule", adults_only(&round.name("Gin"))),
            _ => own(rival, "checkout", cart(&round.name("Basket"))),
        },
        end: Kept(Some("age_check_needed"), no_sale_after_the_age_rule),
    },
    Scenario {
        name: "a discount that a role may not give by then",
        before: |_| vec![desk("change_role", cashiers_discount(1_000))],
        act: |_, rival| match rival {
            0 => own(rival, "change_role", cashiers_discount(100)),
            _ => by_clerk(rival, "checkout", discounted(rival)),
        },
        end: Kept(Some("discount_over_limit"), |events| {
            let is_change = |event: &&ShopEvent| matches!(event, ShopEvent::RoleChanged(_));
            let is_discount = |event: &ShopEvent| matches!(event, ShopEvent::DiscountGiven(_));
            !events.iter().skip_while(|event| !is_change(event)).any(is_discount)
        }),
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

fn no_sale_after_the_age_rule(events: &[ShopEvent]) -> bool {
    let is_rule = |event: &&ShopEvent| matches!(event, ShopEvent::AgeRuleSet(_));
    let is_sale = |event: &ShopEvent| matches!(event, ShopEvent::ProductSold(_));
    !events.iter().skip_while(|event| !is_rule(event)).any(is_sale)
}
