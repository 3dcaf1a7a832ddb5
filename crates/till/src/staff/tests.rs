use std::sync::Arc;

use dcb::MemoryStore;
use pos::{OpenShift, Rights};
use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::demo::demo;
use crate::testing::{SetClock, till};
use crate::{ErrorCode, Fault, Kind, OPERATIONS, Operation};

/// The demo's staff by role, with the PINs that everybody may see.
fn shop() -> Till {
    let till = till();
    demo(&till).unwrap();
    till
}

fn colleague(till: &Till, role: Role) -> (UserId, Pin) {
    let staff = AboutStaff {}.ask(till).unwrap();
    let found = staff.into_iter().find(|colleague| colleague.member.role == role).unwrap();
    (found.member.user, Pin::new(&found.shown_pin.unwrap()).unwrap())
}

fn sign_in(till: &Till, role: Role) -> Person {
    let (user, pin) = colleague(till, role);
    till.sign_in(&user, &pin).unwrap()
}

fn call(till: &Till, name: &str, mut input: Value) -> Result<Value, TillError> {
    let operation = Operation::find(name).unwrap();
    if operation.kind == Kind::Command && input.get("requestId").is_none() {
        input["requestId"] = Uuid::now_v7().to_string().into();
    }
    let answer = operation.run(till, &input.to_string())?;
    Ok(serde_json::from_str(answer.as_str()).unwrap())
}

/// The rule that refused, if one did.
fn code(result: Result<Value, TillError>) -> Option<RefusalCode> {
    let error = result.err()?;
    assert_ne!(error.code, ErrorCode::Fault(Fault::BadRequest), "{error}");
    error.refusal()
}

/// Who may call what alone, and input that is understood. `None`: nobody need sign in.
fn table() -> Vec<(&'static str, Option<Role>, Value)> {
    use Role::{Cashier, Manager, Supervisor};
    let product = json!({"sku": "NEW", "name": "New", "price": 1});
    let settings = json!({"name": "S", "currency": "GBP", "zone": "UTC", "cutOver": "00:00", "taxMode": "included"});
    let cart = json!({"lines": [], "payments": []});
    let paid = json!({"tender": "cash", "amount": 0});
    let terms = json!({"name": " ", "discount": {"percent": 1_000}, "from": "2026-01-01", "until": "2026-01-01"});
    vec![
        ("staff", None, json!({})),
        ("sign_out", None, json!({})),
        ("attend", Some(Cashier), json!({})),
        ("shop", None, json!({})),
        ("sign_in", None, json!({"user": "nobody", "pin": "0000"})),
        ("set_pin", Some(Manager), json!({"user": "nobody", "pin": "0000"})),
        ("products", Some(Cashier), json!({})),
        ("product", Some(Cashier), json!({"code": "21071"})),
        ("search", Some(Cashier), json!({"text": ""})),
        ("scan", Some(Cashier), json!({"code": "21071"})),
        ("recently_sold", Some(Cashier), json!({})),
        ("shift", Some(Cashier), json!({})),
        ("cart", Some(Cashier), json!({})),
        ("save_cart", Some(Cashier), json!({"cart": {"id": Uuid::now_v7(), "lines": []}})),
        ("events", Some(Cashier), json!({"positions": [1]})),
        ("receipt", Some(Cashier), json!({"receipt": "T1-1"})),
        ("sales_report", Some(Supervisor), json!({"by": "day"})),
        ("store_health", Some(Supervisor), json!({})),
        ("refused_acts", Some(Supervisor), json!({})),
        ("roles", Some(Manager), json!({})),
        ("configure_shop", Some(Manager), settings),
        ("add_product", Some(Manager), product),
        ("add_products", Some(Manager), json!({"products": []})),
        ("change_price", Some(Manager), json!({"product": "21071", "price": 1})),
        ("assign_barcode", Some(Manager), json!({"product": "21071", "barcode": "4006381333931"})),
        ("release_barcode", Some(Manager), json!({"barcode": "4006381333931"})),
        ("set_limit", Some(Manager), json!({"product": "21071"})),
        ("add_customer", Some(Cashier), json!({"name": "Bo"})),
        ("add_customers", Some(Cashier), json!({"customers": []})),
        ("add_staff", Some(Manager), json!({"name": " ", "role": "cashier"})),
        ("set_staff_role", Some(Manager), json!({"user": "nobody", "role": "cashier"})),
        ("remove_staff", Some(Manager), json!({"user": "nobody"})),
        (
            "change_role",
            Some(Manager),
            json!({"role": "manager", "permissions": [], "discountLimit": 0}),
        ),
        ("receive_stock", Some(Supervisor), json!({"lines": []})),
        (
            "adjust_stock",
            Some(Supervisor),
            json!({"product": "21071", "quantity": 0, "reason": ""}),
        ),
        ("count_stock", Some(Supervisor), json!({"product": "21071", "counted": 1})),
        ("open_shift", Some(Cashier), json!({"float": 0})),
        ("close_shift", Some(Cashier), json!({"shift": "none", "countedCash": 0})),
        (
            "move_cash",
            Some(Supervisor),
            json!({"shift": "none", "way": "in", "amount": 0, "reason": ""}),
        ),
        ("drop_cash", Some(Cashier), json!({"shift": "none", "amount": 0})),
        ("x_report", Some(Supervisor), json!({})),
        ("z_report", Some(Supervisor), json!({})),
        ("checkout", Some(Cashier), cart),
        ("refund", Some(Supervisor), json!({"lines": [], "tender": "cash", "reason": ""})),
        ("refund_sale", Some(Cashier), json!({"sale": "none", "lines": [], "reason": ""})),
        ("refundable", Some(Cashier), json!({"sale": "none"})),
        ("define_kit", Some(Manager), json!({"kit": "21071", "components": []})),
        ("set_age_rule", Some(Manager), json!({"product": "21071"})),
        ("define_promotion", Some(Manager), json!({"promotion": "P", "terms": terms})),
        ("promotions", Some(Cashier), json!({})),
        ("issue_coupons", Some(Manager), json!({"coupons": [], "discount": {"percent": 1_000}})),
        ("void_coupon", Some(Supervisor), json!({"coupon": "none", "reason": ""})),
        ("set_credit_limit", Some(Manager), json!({"customer": "nobody", "limit": 0})),
        ("pay_account", Some(Cashier), json!({"customer": "nobody", "paid": paid})),
        (
            "bounce_account_payment",
            Some(Supervisor),
            json!({"customer": "nobody", "amount": 1, "reason": "x"}),
        ),
        ("account", Some(Cashier), json!({"customer": "nobody"})),
        ("issue_gift_card", Some(Cashier), json!({"card": "G", "paid": paid})),
        ("top_up_gift_card", Some(Cashier), json!({"card": "G", "paid": paid})),
        (
            "cancel_gift_card_top_up",
            Some(Supervisor),
            json!({"card": "G", "paidBack": paid, "reason": "x"}),
        ),
        ("block_gift_card", Some(Supervisor), json!({"card": "G", "reason": ""})),
        ("gift_card", Some(Cashier), json!({"card": "G"})),
    ]
}

#[test]
fn each_operation_is_refused_to_each_role_that_may_not_call_it_and_to_no_other() {
    let till = shop();
    let table = table();
    let mut listed: Vec<&str> = table.iter().map(|(name, ..)| *name).collect();
    let mut all: Vec<&str> = OPERATIONS.iter().map(|operation| operation.name).collect();
    listed.sort_unstable();
    all.sort_unstable();
    assert_eq!(listed, all, "every operation is in the table once");
    till.leave();
    for (name, least, input) in &table {
        let refused = code(call(&till, name, input.clone()));
        let is_signed_out = refused == Some(RefusalCode::SignedOut);
        assert_eq!(is_signed_out, least.is_some(), "{name}, signed out: {refused:?}");
    }
    for role in Role::ALL {
        for (name, least, input) in &table {
            sign_in(&till, role);
            let refused = code(call(&till, name, input.clone()));
            let is_refused = refused == Some(RefusalCode::NotPermitted);
            let may = least.is_none_or(|least| role >= least);
            assert_eq!(is_refused, !may, "{name} as {role:?}: {refused:?}");
        }
    }
}

#[test]
fn a_pin_signs_in_and_acts_carry_who_it_was() {
    let till = shop();
    let person = sign_in(&till, Role::Cashier);
    assert_eq!((person.name.as_str(), person.rights), ("Priya Nair", Rights::of(Role::Cashier)));
    call(&till, "open_shift", json!({"float": 0})).unwrap();
    let last = till.store().read_last(&dcb::Query::all()).unwrap().unwrap();
    assert_eq!(last.event.metadata.user_id.as_deref(), Some(person.user.as_str()));
    call(&till, "sign_out", json!({})).unwrap();
    assert_eq!(code(call(&till, "shift", json!({}))), Some(RefusalCode::SignedOut));
    assert_eq!(call(&till, "shop", json!({})).unwrap()["person"], Value::Null);
}

/// The demo shop at a till whose clock can be set, with a cashier signed in.
fn attended_till() -> (Till, SetClock) {
    let (store, clock) = (Arc::new(MemoryStore::new()), SetClock::new());
    let (id, owner) = (TillId::new("T1").unwrap(), UserId::new("ann").unwrap());
    let till = Till::open(store, clock.clone(), id, owner);
    demo(&till).unwrap();
    sign_in(&till, Role::Cashier);
    (till, clock)
}

#[test]
fn who_left_the_till_alone_for_too_long_is_signed_out_and_the_cart_stays() {
    let (till, clock) = attended_till();
    let cart = json!({"id": Uuid::now_v7(), "lines": []});
    call(&till, "save_cart", json!({"cart": cart})).unwrap();
    clock.pass(299);
    call(&till, "cart", json!({})).unwrap();
    clock.pass(1);
    assert_eq!(code(call(&till, "cart", json!({}))), Some(RefusalCode::SignedOut));
    assert_eq!(call(&till, "shop", json!({})).unwrap()["person"], Value::Null);
    for (name, input) in [("open_shift", json!({"float": 0})), ("attend", json!({}))] {
        assert_eq!(code(call(&till, name, input)), Some(RefusalCode::SignedOut), "{name}");
    }
    sign_in(&till, Role::Supervisor);
    assert_eq!(call(&till, "cart", json!({})).unwrap()["cart"], cart);
}

#[test]
fn acts_and_signs_of_life_keep_who_is_at_the_till_signed_in_and_questions_do_not() {
    let (till, clock) = attended_till();
    let input = |name: &str| match name {
        "open_shift" => json!({"float": 0}),
        "save_cart" => json!({"cart": {"id": Uuid::now_v7(), "lines": []}}),
        _ => json!({}),
    };
    for name in ["open_shift", "save_cart", "attend"] {
        clock.pass(299);
        call(&till, name, input(name)).unwrap();
    }
    clock.pass(200);
    call(&till, "products", json!({})).unwrap();
    clock.pass(100);
    assert_eq!(code(call(&till, "products", json!({}))), Some(RefusalCode::SignedOut));
}

#[test]
fn a_failed_sign_in_keeps_nobody_signed_in() {
    let (till, clock) = attended_till();
    clock.pass(299);
    let wrong = json!({"user": colleague(&till, Role::Manager).0, "pin": "0000"});
    assert_eq!(code(call(&till, "sign_in", wrong)), Some(RefusalCode::PinWrong));
    clock.pass(1);
    assert!(till.person().unwrap().is_none());
}

#[test]
fn the_settings_say_when_a_till_locks_and_the_owner_is_never_locked_out() {
    let (till, clock) = attended_till();
    let lock_after = |seconds: u32| {
        let at_till =
            till.at_till.write().unwrap().replace(AtTill::Owner(UserId::new("o").unwrap()));
        let mut settings = till.settings().unwrap().unwrap();
        settings.tills.auto_lock_seconds = seconds;
        till.execute(&pos::ConfigureShop(settings), Uuid::now_v7()).unwrap();
        *till.at_till.write().unwrap() = at_till;
    };
    lock_after(0);
    clock.pass(1_000_000);
    assert!(till.person().unwrap().is_some());
    lock_after(10);
    assert!(till.person().unwrap().is_none());
    lock_after(0);
    assert!(till.person().unwrap().is_none(), "who was signed out stays so");
    *till.at_till.write().unwrap() = Some(AtTill::Owner(UserId::new("o").unwrap()));
    lock_after(10);
    clock.pass(1_000_000);
    assert!(till.person().unwrap().is_some());
}

#[test]
fn an_approval_lets_the_same_request_go_on_and_its_pin_is_nowhere_in_the_log() {
    let till = shop();
    let (supervisor, pin) = colleague(&till, Role::Supervisor);
    sign_in(&till, Role::Cashier);
    let count = json!({"product": "21071", "counted": 5000, "requestId": Uuid::now_v7()});
    let refused = call(&till, "count_stock", count.clone()).unwrap_err();
    assert_eq!(refused.details.action, Some(NextAction::GetApproval));
    let approved = |pin: &str| {
        let mut count = count.clone();
        count["approval"] = json!({"user": supervisor, "pin": pin});
        call(&till, "count_stock", count)
    };
    assert_eq!(code(approved("0000")), Some(RefusalCode::PinWrong));
    let told = approved("2222").unwrap();
    assert_eq!(approved("2222").unwrap(), told, "sent again, it is the same act");
    assert_eq!(format!("{pin:?}"), "Pin(secret)");
    let events: Vec<_> = till
        .store()
        .read(&dcb::Query::all(), ReadOptions::default())
        .unwrap()
        .map(|event| event.unwrap().event)
        .collect();
    let last = events.last().unwrap();
    assert_eq!(last.metadata.extra["approvedBy"], supervisor.as_str());
    assert!(events.iter().all(|event| !event.data.as_str().contains("\"2222\"")));
    assert!(events.iter().all(|event| !format!("{:?}", event.metadata.extra).contains("\"2222\"")));
}

#[test]
fn an_approved_request_that_was_done_gets_its_answer_also_when_the_pin_is_locked_by_now() {
    let till = shop();
    let (supervisor, _) = colleague(&till, Role::Supervisor);
    sign_in(&till, Role::Cashier);
    let request = Uuid::now_v7();
    let approved = |counted: u32, request: Uuid| {
        let approval = json!({"user": supervisor, "pin": "2222"});
        let count = json!({
            "product": "21071", "counted": counted, "requestId": request, "approval": approval,
        });
        call(&till, "count_stock", count)
    };
    let told = approved(5000, request).unwrap();
    let wrong = Pin::new("0000").unwrap();
    (0..3).for_each(|_| drop(till.sign_in(&supervisor, &wrong).unwrap_err()));
    assert_eq!(approved(5000, request).unwrap(), told);
    assert_eq!(code(approved(6000, request)), Some(RefusalCode::RequestReused));
    assert_eq!(code(approved(5000, Uuid::now_v7())), Some(RefusalCode::PinLocked));
}

#[test]
fn what_was_refused_is_told_to_who_looks_after_the_shop() {
    let till = shop();
    sign_in(&till, Role::Cashier);
    let count = json!({"product": "21071", "counted": 5000, "requestId": Uuid::now_v7()});
    for _ in 0..3 {
        assert_eq!(
            code(call(&till, "count_stock", count.clone())),
            Some(RefusalCode::NotPermitted)
        );
    }
    let no_lines = json!({"lines": [], "payments": []});
    assert_eq!(code(call(&till, "checkout", no_lines)), Some(RefusalCode::Empty));
    sign_in(&till, Role::Manager);
    let told = call(&till, "refused_acts", json!({})).unwrap();
    let told: Vec<_> = told.as_array().unwrap().iter().collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(
        (&told[0]["command"], &told[0]["name"]),
        (&json!("count_stock"), &json!("Priya Nair"))
    );
    assert!(call(&till, "refused_acts", json!({"limit": 1001})).is_err());
}

#[test]
fn what_somebody_did_stays_under_their_name_when_they_have_left() {
    let till = shop();
    let cashier = sign_in(&till, Role::Cashier);
    call(&till, "open_shift", json!({"float": 0})).unwrap();
    let clock = json!({
        "lines": [{"product": "22726", "quantity": 1000}], // the demo has one of these
        "payments": [{"tender": "card", "amount": 375}],
    });
    let sold = call(&till, "checkout", clock.clone()).unwrap();
    assert_eq!(sold["cashierName"], "Priya Nair");
    let refused = call(&till, "checkout", clock).unwrap_err();
    sign_in(&till, Role::Manager);
    call(&till, "remove_staff", json!({"user": cashier.user})).unwrap();

    let receipt = call(&till, "receipt", json!({"receipt": "T1-1"})).unwrap();
    assert_eq!(receipt["cashierName"], "Priya Nair");
    let because = json!({"positions": refused.details.because});
    let told = call(&till, "events", because).unwrap();
    let last = told["events"].as_array().unwrap().last().unwrap();
    assert_eq!((&last["type"], &last["name"]), (&json!("ProductSold"), &json!("Priya Nair")));
    let acts = call(&till, "refused_acts", json!({})).unwrap();
    assert_eq!(acts[0]["name"], "Priya Nair");
}

#[test]
fn who_counts_the_drawer_is_not_told_what_it_should_hold() {
    let till = shop();
    sign_in(&till, Role::Cashier);
    let opened = call(&till, "open_shift", json!({"float": 5000})).unwrap();
    let drop_of = |amount| json!({"shift": opened["shift"], "amount": amount});
    call(&till, "drop_cash", drop_of(1000)).unwrap();
    let refused = call(&till, "drop_cash", drop_of(9000)).unwrap_err();
    assert_eq!(refused.details.left, None, "{refused:?}");
    let told = || {
        let positions: Vec<u64> = (1..=till.store().head().unwrap()).rev().take(2).collect();
        let told = call(&till, "events", json!({ "positions": positions })).unwrap().to_string();
        (told.contains("10.00 taken to the safe"), told.contains("Refused: "))
    };
    assert_eq!(told(), (false, false));
    sign_in(&till, Role::Supervisor);
    assert_eq!(told(), (true, true));
}

#[test]
fn who_lost_the_right_loses_it_while_signed_in() {
    let till = shop();
    let person = sign_in(&till, Role::Cashier);
    let by_owner = |name, input| {
        let owner = till.at_till.write().unwrap().replace(AtTill::Owner(UserId::new("o").unwrap()));
        call(&till, name, input).unwrap();
        *till.at_till.write().unwrap() = owner;
    };
    by_owner(
        "change_role",
        json!({"role": "cashier", "permissions": ["add_customers"], "discountLimit": 0}),
    );
    assert_eq!(
        code(call(&till, "open_shift", json!({"float": 0}))),
        Some(RefusalCode::NotPermitted)
    );
    by_owner("set_staff_role", json!({"user": person.user, "role": "supervisor"}));
    call(&till, "open_shift", json!({"float": 0})).unwrap();
    by_owner("remove_staff", json!({"user": person.user}));
    assert_eq!(code(call(&till, "shift", json!({}))), Some(RefusalCode::SignedOut));
    let refused = till.execute(&OpenShift { float: pos::Money::ZERO }, Uuid::now_v7());
    assert_eq!(refused.unwrap_err().refusal(), Some(RefusalCode::SignedOut));
}

#[test]
fn pins_are_set_by_managers_and_ones_own_with_the_one_before() {
    let till = shop();
    let (cashier, _) = colleague(&till, Role::Cashier);
    sign_in(&till, Role::Cashier);
    let set = |pin: &str, current: Option<&str>| {
        let mut input = json!({"user": cashier, "pin": pin});
        if let Some(current) = current {
            input["current"] = current.into();
        }
        call(&till, "set_pin", input)
    };
    assert_eq!(code(set("5555", None)), Some(RefusalCode::PinWrong));
    assert_eq!(code(set("5555", Some("0000"))), Some(RefusalCode::PinWrong));
    set("5555", Some("3333")).unwrap();
    till.sign_in(&cashier, &Pin::new("5555").unwrap()).unwrap();
    let staff = AboutStaff {}.ask(&till).unwrap();
    let own = staff.iter().find(|colleague| colleague.member.user == cashier).unwrap();
    assert_eq!((own.has_pin, &own.shown_pin), (true, &None));
    sign_in(&till, Role::Manager);
    set("6666", None).unwrap();
    till.sign_in(&cashier, &Pin::new("6666").unwrap()).unwrap();
}

#[test]
fn who_finds_a_manager_signed_in_cannot_replace_their_pin() {
    let till = shop();
    let (manager, pin) = colleague(&till, Role::Manager);
    sign_in(&till, Role::Manager);
    let set = |current: Value| {
        call(&till, "set_pin", json!({"user": manager, "pin": "5555", "current": current}))
    };
    assert_eq!(code(set(Value::Null)), Some(RefusalCode::PinWrong));
    assert_eq!(code(set(json!("0000"))), Some(RefusalCode::PinWrong));
    till.sign_in(&manager, &pin).unwrap();
}

#[test]
fn who_has_no_pin_yet_gets_one_from_who_may_change_the_staff() {
    let till = shop();
    let add = |role| call(&till, "add_staff", json!({"name": role, "role": role})).unwrap();
    for (role, refused) in
        [("cashier", Some(RefusalCode::NotPermitted)), ("manager", None::<RefusalCode>)]
    {
        let new = UserId::new(add(role)["user"].as_str().unwrap()).unwrap();
        let owner = till.at_till.write().unwrap().replace(till.attended_by(new.clone()));
        assert_eq!(code(call(&till, "set_pin", json!({"user": new, "pin": "5555"}))), refused);
        *till.at_till.write().unwrap() = owner;
    }
}

#[test]
fn a_command_line_is_entered_by_the_owner_or_by_staff_with_their_pin() {
    let enter = |who: &str, pin: &str| {
        let till = shop().entered_by(who, |_| Ok(Pin::new(pin).unwrap()))?;
        Ok::<_, TillError>(till.person()?.unwrap())
    };
    for owner in [OWNER, OWNER_BEFORE] {
        assert_eq!(enter(owner, "0000").unwrap().rights, Rights::all());
    }
    assert_eq!(enter("owen price", "2222").unwrap().role, Some(Role::Supervisor));
    let wrong = enter("Owen Price", "0000").unwrap_err();
    assert_eq!(wrong.refusal(), Some(RefusalCode::PinWrong));
    let unknown = enter("Nobody", "0000").unwrap_err();
    assert_eq!(unknown.code, ErrorCode::Fault(Fault::BadRequest));
    assert!(unknown.message.contains("Maya Thornton"), "{unknown}");
    let elsewhere = till().entered_by("ann", |_| panic!("there is no staff")).unwrap();
    assert_eq!(elsewhere.person().unwrap().unwrap().name, "ann");
}

#[test]
fn nobody_is_at_a_till_until_they_sign_in_if_anyone_can() {
    let opened = |till: Till| till.signed_out_if_anyone_can_sign_in().person().unwrap();
    assert!(opened(shop()).is_none());
    assert!(opened(till()).is_some());
}
