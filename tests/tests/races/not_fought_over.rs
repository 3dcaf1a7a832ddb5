//! What rivals do side by side, and nobody decides twice.

use serde_json::json;
use tests::rivals::Act;
use uuid::Uuid;

use crate::End::Unhindered;
use crate::Scenario;
use crate::acts::*;

/// What all can have at once.
pub(crate) const NOT_FOUGHT_OVER: &[Scenario] = &[
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
        name: "different SKUs, and names of the staff",
        before: nothing,
        act: |round, rival| {
            let name = round.name(&format!("New{rival}-"));
            match rival % 2 {
                0 => Act { till: format!("T{rival}"), ..product(&name, true) },
                _ => own(rival, "add_staff", hired(&name)),
            }
        },
        end: Unhindered,
    },
    Scenario {
        name: "sales at a discount while another role, price, age rule and shift change",
        before: |round| {
            vec![
                desk("change_role", cashiers_discount(1_000)),
                product(&round.name("Gin"), false),
                open_shift(&round.name("X"), round.id(0)),
            ]
        },
        act: |round, rival| match rival {
            1 => {
                let role = json!({"role": "supervisor", "permissions": [], "discountLimit": 0});
                own(rival, "change_role", role)
            }
            2 => {
                let rule = json!({"product": round.name("Gin"), "minimumAge": 18});
                own(rival, "set_age_rule", rule)
            }
            3 => {
                let close = json!({"shift": round.id(0), "countedCash": 200});
                act_at(round.name("X"), "close_shift", close)
            }
            4 => own(rival, "change_price", json!({"product": round.name("Gin"), "price": 200})),
            _ => by_clerk(rival, "checkout", discounted(rival)),
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
