use dcb::testing::given;
use dcb::{Event, EventStore, MemoryStore};
use uuid::Uuid;

use super::*;
use crate::catalogue::Catalogue;
use crate::discounts::Discount;
use crate::event::{
    AgeRuleSet, PaymentTaken, PriceChanged, RoleChanged, ShiftClosed, ShopConfigured,
};
use crate::limits::SetLimit;
use crate::money::{BasisPoints, SmallestCoin, TaxMode, TaxRounding};
use crate::payment::Tender;
use crate::prices::ChangePrice;
use crate::refund::{Refund, RefundLine};
use crate::refusal::{NextAction, RefusalCode};
use crate::shift::CloseShift;
use crate::stock::{AdjustStock, CountStock, DeliveryLine, ReceiveStock};
use crate::testing::{
    Actor, Interrupted, act, added, at, cart, configured, customer, customer_added, happened,
    hired, limited, of_request, open_shop, open_shop_and, opened, refusal, seen, settings,
    shift_at, sku, stored, till, units, when, with_customers,
};
use crate::{Authority, ReceiptId, ReducedBy, Rights, Role, Sales, SalesBy, ShopSettings, UserId};

const CASH: Tender = Tender::Cash;
const CARD: Tender = Tender::Card;

fn refused(past: Vec<Event>, cart: Checkout) -> Refusal {
    refusal(given(past).when(act(cart)).then_refused())
}

fn for_customer(id: &str, cart: Checkout) -> Checkout {
    Checkout { customer: Some(customer(id)), ..cart }
}

#[test]
fn a_sale_records_its_total_its_lines_and_its_payments() {
    let sale = SaleId::from(Uuid::from_u128(1));
    let line = |line, id: &str, quantity, price, gross, net| ProductSold {
        sale: sale.clone(),
        line,
        product: sku(id),
        customer: None,
        quantity: units(quantity),
        unit_price: Money::new(price),
        list_price: Money::new(price),
        label_price: None,
        discount: Money::ZERO,
        gross: Money::new(gross),
        net: Money::new(net),
        tax: Money::new(gross - net),
        tax_rate: BasisPoints::new(2000),
    };
    let completed = SaleCompleted {
        sale: sale.clone(),
        series: SeriesId::from(&till("T1")),
        number: 1,
        till: till("T1"),
        shift: shift_at("T1"),
        cashier: UserId::new("ann").unwrap(),
        customer: None,
        tax_mode: TaxMode::Included,
        tax_rounding: TaxRounding::Line,
        lines: 2,
        payments: 1,
        gross: Money::new(339),
        net: Money::new(282),
        tax: Money::new(57),
        rounding: Money::ZERO,
        paid: Money::new(500),
        change: Money::new(161),
        reference: None,
        note: None,
    };
    let paid = PaymentTaken {
        sale: sale.clone(),
        shift: shift_at("T1"),
        tender: CASH,
        amount: Money::new(339),
        given: Some(Money::new(500)),
        change: Some(Money::new(161)),
        card: None,
        reference: None,
    };
    let expected = of_request([
        completed.into(),
        line(1, "A", 2, 120, 240, 200).into(),
        line(2, "B", 1, 99, 99, 82).into(),
        paid.into(),
    ]);
    let done = given(open_shop())
        .when(act(cart(&[("A", 2), ("B", 1)], &[(CASH, 500)])))
        .then_recorded(expected);
    let receipt = done.answer;
    assert_eq!(receipt.receipt, ReceiptId::new("T1-1").unwrap());
    assert_eq!((receipt.lines.len(), receipt.payments.len()), (2, 1));
    assert_eq!((receipt.at, receipt.business_day), (when().at, when().business_day));
}

#[test]
fn the_same_checkout_again_gets_the_same_receipt() {
    let store = stored(&open_shop());
    let wanted = cart(&[("A", 5)], &[(CARD, 600)]);
    let first = at("T1", 1).act(&store, &wanted).unwrap();
    let again = at("T1", 1).act(&store, &wanted).unwrap();
    assert!(again.repeated);
    assert_eq!((again.answer, again.positions), (first.answer, first.positions));
    let other = cart(&[("A", 1)], &[(CARD, 120)]);
    let refused = refusal(at("T1", 1).act(&store, &other).unwrap_err());
    assert_eq!(refused.code, RefusalCode::RequestReused);
}

#[test]
fn without_an_open_shift_nothing_is_sold() {
    let wanted = || cart(&[("A", 1)], &[(CASH, 120)]);
    let (shift, till) = (shift_at("T1"), till("T1"));
    let (counted, expected) = (Money::ZERO, Money::ZERO);
    let closed = happened(ShiftClosed {
        shift,
        till,
        counted,
        expected,
        denominations: vec![],
        z: None,
        journal: None,
    });
    let refusal = refused(open_shop_and([closed]), wanted());
    assert_eq!(refusal.code, RefusalCode::ShiftClosed);
    assert_eq!(refusal.details.action, Some(NextAction::OpenShift));
    assert_eq!(refusal.details.because.positions(), [9]);
    let refusal = refused(vec![configured(), added("A", 120), opened("T2")], wanted());
    assert_eq!(refusal.code, RefusalCode::ShiftClosed);
}

#[test]
fn no_more_is_sold_than_is_left() {
    let refusal = refused(open_shop(), cart(&[("A", 7)], &[(CASH, 900)]));
    assert_eq!(refusal.code, RefusalCode::OutOfStock);
    assert_eq!(refusal.message, "Only 5 left of a. Remove 2.");
    let details = refusal.details;
    assert_eq!((details.product, details.line), (Some(sku("A")), Some(1)));
    assert_eq!((details.left, details.action), (Some(5000), Some(NextAction::ReduceQuantity)));
    assert_eq!(details.because.positions(), [5]);
}

#[test]
fn the_same_product_on_several_lines_is_added_up() {
    let lines = [("A", 3), ("B", 1), ("A", 3)];
    let refusal = refused(open_shop(), cart(&lines, &[(CASH, 900)]));
    assert_eq!((refusal.code, refusal.details.line), (RefusalCode::OutOfStock, Some(3)));
    let refusal = refused(
        open_shop_and([limited("A", 2, None)]),
        cart(&[("A", 1), ("A", 2)], &[(CASH, 900)]),
    );
    assert_eq!((refusal.code, refusal.details.line), (RefusalCode::LimitPerReceipt, Some(2)));
}

#[test]
fn lines_that_are_alike_are_kept_apart_and_in_order() {
    let wanted = cart(&[("A", 1), ("B", 1), ("A", 1)], &[(CASH, 900)]);
    let receipt = at("T1", 1).act(&stored(&open_shop()), &wanted).unwrap().answer;
    let lines: Vec<_> = receipt.lines.iter().map(|l| (l.line, l.product.as_str())).collect();
    assert_eq!(lines, [(1, "A"), (2, "B"), (3, "A")]);
}

#[test]
fn a_service_is_sold_without_stock() {
    given(open_shop()).when(act(cart(&[("POST", 900)], &[(CARD, 270_000)]))).then_accepted();
}

#[test]
fn a_receipt_has_no_more_than_its_limit() {
    let past = || open_shop_and([limited("A", 2, None)]);
    let refusal = refused(past(), cart(&[("A", 3)], &[(CASH, 900)]));
    assert_eq!(refusal.code, RefusalCode::LimitPerReceipt);
    assert_eq!(refusal.details.left, Some(2000));
    assert_eq!(refusal.details.because.positions(), [9]);
    given(past()).when(act(cart(&[("A", 2)], &[(CASH, 240)]))).then_accepted();
    let lifted = past().into_iter().chain([limited("A", None, None)]);
    given(lifted).when(act(cart(&[("A", 3)], &[(CASH, 360)]))).then_accepted();
}

#[test]
fn a_customer_gets_no_more_than_the_limit_of_a_business_day() {
    let store = stored(&with_customers(open_shop_and([limited("A", None, 3)])));
    let buy = |actor: Actor, who: &str, quantity| {
        let cart = for_customer(who, cart(&[("A", quantity)], &[(CASH, 900)]));
        actor.act(&store, &cart)
    };
    buy(at("T1", 1), "7", 2).unwrap();
    let refusal = refusal(buy(at("T2", 2), "7", 2).unwrap_err());
    assert_eq!(refusal.code, RefusalCode::LimitPerCustomerDay);
    assert_eq!(refusal.message, "This customer has had 2 of 3 a today. Remove 1.");
    assert_eq!(refusal.details.left, Some(1000));
    assert_eq!(refusal.details.because.positions(), [9, 14]);
    buy(at("T2", 3), "8", 1).unwrap();
    let next_day = Actor { at: "2026-03-03T04:00:00Z".parse().unwrap(), ..at("T1", 4) };
    buy(next_day, "7", 2).unwrap();
}

#[test]
fn who_is_not_known_is_not_counted() {
    let past = open_shop_and([limited("A", None, 1)]);
    given(past).when(act(cart(&[("A", 2)], &[(CASH, 240)]))).then_accepted();
}

#[test]
fn a_limit_that_the_catalogue_missed_is_not_overlooked() {
    let store = stored(&with_customers(open_shop()));
    let stale: Catalogue = seen(&store);
    store.append(&[limited("A", None, 1)], None).unwrap();
    let wanted = for_customer("7", cart(&[("A", 2)], &[(CASH, 240)]));
    let refused = at("T1", 1).act_knowing(&store, &wanted, &stale).unwrap_err();
    let refusal = refusal(refused);
    assert_eq!(refusal.code, RefusalCode::LimitChanged);
    assert_eq!(refusal.details.action, Some(NextAction::TryAgain));
}

/// An event about the same, of which nothing can be read.
fn odd(event: &Event) -> Event {
    let Event { event_type, tags, .. } = event.clone();
    Event::builder(event_type).tags(tags).data(&"?").build().unwrap()
}

#[test]
fn an_event_that_cannot_be_read_undoes_nothing_that_came_before_it() {
    let store = stored(&open_shop());
    let one = || cart(&[("A", 1)], &[(CASH, 900)]);
    assert_eq!(at("T1", 1).act(&store, &one()).unwrap().answer.number, 1);
    let sales = dcb::Query::types([SaleCompleted::TYPE]).unwrap();
    let sale = store.read_last(&sales).unwrap().unwrap().event;
    let rule = happened(AgeRuleSet { product: sku("A"), minimum_age: Some(18) });
    let price =
        happened(PriceChanged { product: sku("A"), price: Money::new(130), previous: None });
    let limit = limited("A", 2, None);
    let closed = happened(ShiftClosed {
        shift: shift_at("T1"),
        till: till("T1"),
        counted: Money::ZERO,
        expected: Money::ZERO,
        denominations: vec![],
        z: None,
        journal: None,
    });
    let odd = [&sale, &rule, &price, &limit, &closed].map(odd);
    store.append(&[&[rule, price, limit][..], &odd].concat(), None).unwrap();
    let adult =
        |quantity| Checkout { age_checked: Some(18), ..cart(&[("A", quantity)], &[(CASH, 900)]) };
    // First by who knows what came before, then by who knows nothing of it.
    for number in [2, 3] {
        let request = 10 * u128::from(number);
        let code = |n, cart| refusal(at("T1", request + n).act(&store, &cart).unwrap_err()).code;
        assert_eq!(code(1, one()), RefusalCode::AgeCheckNeeded);
        assert_eq!(code(2, adult(3)), RefusalCode::LimitPerReceipt);
        let receipt = at("T1", request).act(&store, &adult(1)).unwrap().answer;
        assert_eq!((receipt.number, receipt.gross.minor()), (number, 130));
        store.append(&odd, None).unwrap();
        store.folds().unwrap().clear();
    }
}

#[test]
fn what_is_sold_to_someone_is_sold_to_a_customer_there_is() {
    let wanted = || for_customer("7", cart(&[("A", 1)], &[(CASH, 120)]));
    let refused = refused(open_shop(), wanted());
    assert_eq!(refused.code, RefusalCode::CustomerUnknown);
    assert_eq!(refused.details.action, Some(NextAction::ChooseCustomer));
    let store = stored(&with_customers(open_shop()));
    let rival = || drop(store.append(&[customer_added("10")], None));
    assert_eq!(conflicts_of(&store, wanted(), rival), Ok(0));
}

#[test]
fn a_price_that_the_catalogue_missed_is_charged() {
    let store = stored(&open_shop());
    let stale: Catalogue = seen(&store);
    let changed = PriceChanged { product: sku("A"), price: Money::new(200), previous: None };
    store.append(&[happened(changed)], None).unwrap();
    let wanted = cart(&[("A", 1)], &[(CASH, 200)]);
    let done = at("T1", 1).act_knowing(&store, &wanted, &stale).unwrap();
    assert_eq!(done.answer.gross, Money::new(200));
}

#[test]
fn another_price_can_be_charged_and_the_list_price_is_kept() {
    let mut wanted = cart(&[("A", 1)], &[(CARD, 50)]);
    wanted.lines[0].price = Some(Money::new(50));
    let receipt = at("T1", 1).act(&stored(&open_shop()), &wanted).unwrap().answer;
    let line = &receipt.lines[0];
    assert_eq!((line.unit_price, line.list_price), (Money::new(50), Money::new(120)));
    assert_eq!(receipt.gross, Money::new(50));
}

#[test]
fn input_that_makes_no_sense_is_refused() {
    let with = |change: fn(&mut Checkout)| {
        let mut cart = cart(&[("B", 1), ("A", 1)], &[(CASH, 900)]);
        change(&mut cart);
        refused(open_shop(), cart)
    };
    let line = |refusal: Refusal| (refusal.code, refusal.details.line);
    assert_eq!(with(|cart| cart.lines.clear()).code, RefusalCode::Empty);
    for quantity in [0, -1, Quantity::MAX_LINE.thousandths() + 1] {
        let mut cart = cart(&[("B", 1), ("A", 1)], &[(CASH, 900)]);
        cart.lines[1].quantity = Quantity::new(quantity);
        let expected = (RefusalCode::QuantityOutOfBounds, Some(2));
        assert_eq!(line(refused(open_shop(), cart)), expected);
    }
    for price in [-1, Money::MAX_PRICE.minor() + 1] {
        let mut cart = cart(&[("A", 1)], &[(CASH, 900)]);
        cart.lines[0].price = Some(Money::new(price));
        assert_eq!(line(refused(open_shop(), cart)), (RefusalCode::PriceOutOfBounds, Some(1)));
    }
    let unknown = with(|cart| cart.lines[1].product = sku("C"));
    assert_eq!(line(unknown), (RefusalCode::ProductUnknown, Some(2)));
    let too_long = with(|cart| cart.note = Some("x".repeat(MAX_NOTE_CHARS + 1)));
    assert_eq!(too_long.code, RefusalCode::InvalidInput);
    let many = cart(&vec![("POST", 1); crate::MAX_LINES + 1], &[(CASH, 900)]);
    assert_eq!(refused(open_shop(), many).code, RefusalCode::TooManyLines);
}

#[test]
fn a_sum_too_large_to_be_exact_is_refused() {
    let mut wanted = cart(&[("POST", 1_000_000); 10], &[(CARD, 1)]);
    wanted.lines.iter_mut().for_each(|line| line.price = Some(Money::MAX_PRICE));
    assert_eq!(refused(open_shop(), wanted).code, RefusalCode::AmountOverflow);
    let payments = [(CARD, Money::MAX.minor()), (CARD, 1)];
    let refusal = refused(open_shop(), cart(&[("A", 1)], &payments));
    assert_eq!(refusal.code, RefusalCode::AmountOverflow);
}

#[test]
fn what_costs_nothing_needs_no_payment() {
    let mut wanted = cart(&[("A", 1)], &[]);
    wanted.lines[0].price = Some(Money::ZERO);
    given(open_shop()).when(act(wanted)).then_accepted();
}

/// Sells at T1 while something else happens, and tells how often that made it decide again.
fn conflicts_of(
    store: &MemoryStore,
    cart: Checkout,
    rival: impl FnOnce(),
) -> Result<usize, Refusal> {
    let done = at("T1", 1).act(store, &Interrupted::new(cart, rival));
    done.map(|done| done.trace.conflicts()).map_err(refusal)
}

#[test]
fn tills_that_sell_different_products_never_wait_for_each_other() {
    let store = stored(&with_customers(open_shop_and([limited("A", 3, 3), limited("B", 3, 3)])));
    let mine = for_customer("7", cart(&[("A", 1), ("POST", 1)], &[(CASH, 900)]));
    let other = for_customer("7", cart(&[("B", 1), ("POST", 1)], &[(CASH, 900)]));
    let rival = || drop(at("T2", 2).act(&store, &other).unwrap());
    assert_eq!(conflicts_of(&store, mine, rival), Ok(0));
}

#[test]
fn the_last_piece_is_sold_once() {
    let store = stored(&open_shop());
    let wanted = || cart(&[("A", 3)], &[(CASH, 900)]);
    let rival = || drop(at("T2", 2).act(&store, &wanted()).unwrap());
    let refusal = conflicts_of(&store, wanted(), rival).unwrap_err();
    assert_eq!((refusal.code, refusal.details.left), (RefusalCode::OutOfStock, Some(2000)));
}

#[test]
fn what_can_turn_yes_into_no_conflicts() {
    let rivals: [fn(&MemoryStore); 5] = [
        |store| {
            let sell = for_customer("8", cart(&[("A", 1)], &[(CASH, 900)]));
            drop(at("T2", 2).act(store, &sell).unwrap());
        },
        |store| {
            let count = CountStock { product: sku("A"), counted: units(4), as_of: None };
            drop(at("T2", 2).act(store, &count).unwrap());
        },
        |store| {
            let (product, reason) = (sku("A"), "back to its supplier".to_owned());
            let adjust = AdjustStock { product, quantity: units(-1), reason };
            at("T2", 2).act(store, &adjust).unwrap();
        },
        |store| {
            let change = ChangePrice { product: sku("A"), price: Money::new(130) };
            at("T2", 2).act(store, &change).unwrap();
        },
        |store| {
            let (product, per_receipt) = (sku("A"), Some(units(2)));
            let set = SetLimit { product, per_receipt, per_customer_day: None };
            at("T2", 2).act(store, &set).unwrap();
        },
    ];
    for (index, rival) in rivals.iter().enumerate() {
        let store = stored(&with_customers(open_shop()));
        let wanted = cart(&[("A", 1)], &[(CASH, 900)]);
        let conflicts = conflicts_of(&store, wanted, || rival(&store));
        assert_eq!(conflicts, Ok(1), "rival {index}");
    }
}

#[test]
fn what_only_makes_more_possible_never_conflicts() {
    let deliver = || {
        let line = DeliveryLine { product: sku("A"), quantity: units(1), cost: None };
        ReceiveStock { lines: vec![line] }
    };
    let give_back = || Refund {
        lines: vec![RefundLine { product: sku("A"), quantity: units(1), price: Money::new(120) }],
        tender: CASH,
        reason: String::new(),
        customer: None,
        reference: None,
        restock: true,
    };
    let wanted = || cart(&[("A", 1)], &[(CASH, 900)]);
    let store = stored(&open_shop());
    let rival = || drop(at("T2", 2).act(&store, &deliver()).unwrap());
    assert_eq!(conflicts_of(&store, wanted(), rival), Ok(0));
    let store = stored(&open_shop());
    let rival = || drop(at("T2", 2).act(&store, &give_back()).unwrap());
    assert_eq!(conflicts_of(&store, wanted(), rival), Ok(0));
}

#[test]
fn a_customer_at_two_tills_gets_no_more_than_the_limit() {
    let past = || with_customers(open_shop_and([limited("POST", None, 1)]));
    let buy = |who| for_customer(who, cart(&[("POST", 1)], &[(CASH, 300)]));
    let store = stored(&past());
    let rival = || drop(at("T2", 2).act(&store, &buy("7")).unwrap());
    let refusal = conflicts_of(&store, buy("7"), rival).unwrap_err();
    assert_eq!(refusal.code, RefusalCode::LimitPerCustomerDay);
    let store = stored(&past());
    let rival = || drop(at("T2", 2).act(&store, &buy("8")).unwrap());
    assert_eq!(conflicts_of(&store, buy("7"), rival), Ok(0));
}

#[test]
fn a_sale_is_refused_if_its_shift_closes_meanwhile() {
    let store = stored(&open_shop());
    let close = |till| CloseShift::counted(shift_at(till), Money::ZERO);
    let wanted = || cart(&[("A", 1)], &[(CASH, 900)]);
    let elsewhere = || drop(at("T2", 2).act(&store, &close("T2")).unwrap());
    assert_eq!(conflicts_of(&store, wanted(), elsewhere), Ok(0));
    let here = || drop(at("T1", 3).act(&store, &close("T1")).unwrap());
    let refused = at("T1", 4).act(&store, &Interrupted::new(wanted(), here)).unwrap_err();
    assert_eq!(refusal(refused).code, RefusalCode::ShiftClosed);
}

#[test]
fn two_sales_at_one_till_get_different_numbers() {
    let store = stored(&open_shop());
    let other = cart(&[("B", 1)], &[(CASH, 900)]);
    let rival = || drop(at("T1", 2).act(&store, &other).unwrap());
    let mine = Interrupted::new(cart(&[("A", 1)], &[(CASH, 900)]), rival);
    let done = at("T1", 1).act(&store, &mine).unwrap();
    assert_eq!((done.answer.number, done.trace.conflicts()), (2, 1));
}

#[test]
fn what_lies_on_the_counter_can_be_sold_although_none_should_be_left() {
    let store = stored(&open_shop());
    let wanted = Checkout { override_stock: true, ..cart(&[("A", 7), ("B", 1)], &[(CASH, 939)]) };
    at("T1", 1).act(&store, &wanted).unwrap();
    let told = store.read_last(&dcb::Query::types(["StockOverridden"]).unwrap()).unwrap().unwrap();
    let Some(ShopEvent::StockOverridden(told)) = ShopEvent::decode(&told.as_event_ref()) else {
        panic!("{told:?}")
    };
    assert_eq!((told.product, told.on_hand, told.sold), (sku("A"), units(5), units(7)));
    let refused = at("T1", 2).act(&store, &cart(&[("A", 1)], &[(CASH, 120)])).unwrap_err();
    assert_eq!(refusal(refused).details.left, Some(0));
}

/// A discount of this share in percent.
fn percent(share: u32) -> Option<GivenDiscount> {
    let off = Discount::Percent(BasisPoints::new(share * 100));
    Some(GivenDiscount { off, reason: Some("damaged".into()) })
}

fn amount_off(minor: i64) -> Option<GivenDiscount> {
    Some(GivenDiscount { off: Discount::Amount(Money::new(minor)), reason: None })
}

#[test]
fn discounts_on_lines_and_on_the_whole_are_taken_off_in_turn_and_told() {
    let mut wanted = cart(&[("A", 2), ("B", 1)], &[(CARD, 284)]);
    wanted.lines[0].discount = percent(10); // 24 of 240
    wanted.discount = amount_off(31); // of 216 and 99: 21.26 and 9.74
    let receipt = at("T1", 1).act(&stored(&open_shop()), &wanted).unwrap().answer;
    let lines: Vec<_> =
        receipt.lines.iter().map(|l| (l.discount.minor(), l.gross.minor())).collect();
    assert_eq!(lines, [(24 + 21, 195), (10, 89)]);
    let told: Vec<_> =
        receipt.reductions.iter().map(|r| (r.amount.minor(), r.lines.clone())).collect();
    assert_eq!(told, [(24, vec![1]), (31, vec![])]);
    assert_eq!(receipt.reductions[0].by, ReducedBy::Discount(Some("damaged".into())));
}

#[test]
fn a_discount_is_no_more_than_there_is_to_pay() {
    let mut on_line = cart(&[("B", 1), ("A", 1)], &[(CARD, 99)]);
    on_line.lines[1].discount = amount_off(121);
    let refusal = refused(open_shop(), on_line);
    assert_eq!((refusal.code, refusal.details.left), (RefusalCode::NothingToReduce, Some(120)));
    let details = refusal.details;
    assert_eq!((details.line, details.action), (Some(2), Some(NextAction::ReduceDiscount)));
    let on_all = Checkout { discount: amount_off(100), ..cart(&[("B", 1)], &[(CARD, 1)]) };
    assert_eq!(refused(open_shop(), on_all).code, RefusalCode::NothingToReduce);
    let free = Checkout { discount: percent(100), ..cart(&[("B", 1)], &[]) };
    given(open_shop()).when(act(free)).then_accepted();
    let odd = Checkout { discount: percent(101), ..cart(&[("B", 1)], &[]) };
    assert_eq!(refused(open_shop(), odd).code, RefusalCode::InvalidInput);
}

#[test]
fn cash_is_rounded_and_tax_is_summed_up_as_the_shop_says() {
    let smallest_coin = SmallestCoin::new(5).unwrap();
    let tax_rounding = TaxRounding::Receipt;
    let settings = ShopSettings { smallest_coin, tax_rounding, ..settings() };
    let store = stored(&open_shop_and([happened(ShopConfigured { settings })]));
    let wanted = cart(&[("B", 1), ("B", 1), ("B", 1)], &[(CASH, 300)]);
    let receipt = at("T1", 1).act(&store, &wanted).unwrap().answer;
    let (gross, tax) = (receipt.gross.minor(), receipt.tax.minor());
    assert_eq!((gross, tax, receipt.rounding.minor(), receipt.change.minor()), (297, 50, -2, 5));
    let taxes: Vec<i64> = receipt.lines.iter().map(|line| line.tax.minor()).collect();
    assert_eq!(taxes, [17, 17, 16]);
    let report = seen::<Sales>(&store).report(SalesBy::Tender, None, None);
    assert_eq!((report.total.gross.minor(), report.rounding.minor()), (297, -2));
    let close = CloseShift::counted(shift_at("T1"), Money::new(5_295));
    assert_eq!(at("T1", 2).act(&store, &close).unwrap().answer.variance, Money::ZERO);
}

#[test]
fn a_discount_goes_as_far_as_the_role_or_who_approves() {
    let store =
        stored(&open_shop_and([hired("ann", Role::Cashier), hired("sue", Role::Supervisor)]));
    let (ann, sue) = (UserId::new("ann").unwrap(), UserId::new("sue").unwrap());
    let cashier = Authority::staff(&ann, Role::Cashier); // up to 5 %
    let act = |request, authority: &Authority, discount, total| {
        let wanted = Checkout { discount, ..cart(&[("A", 1)], &[(CARD, total)]) };
        Actor { authority: authority.clone(), ..at("T1", request) }.act(&store, &wanted)
    };
    act(1, &cashier, percent(5), 114).unwrap();
    let refusal = refusal(act(2, &cashier, percent(10), 108).unwrap_err());
    assert_eq!((refusal.code, refusal.details.left), (RefusalCode::DiscountOverLimit, Some(500)));
    assert_eq!(refusal.details.action, Some(NextAction::GetApproval));
    let approved = cashier.clone().approved_by(&sue, Role::Supervisor);
    act(2, &approved, percent(10), 108).unwrap();
    let mut another_price = cart(&[("A", 1)], &[(CARD, 1)]);
    another_price.lines[0].price = Some(Money::new(1));
    let refused = Actor { authority: cashier, ..at("T1", 3) }.act(&store, &another_price);
    assert_eq!(crate::testing::refusal(refused.unwrap_err()).code, RefusalCode::NotPermitted);
}

#[test]
fn a_limit_that_is_lowered_meanwhile_conflicts_and_another_roles_does_not() {
    let lower = |role| {
        let (permissions, discount_limit) = (Rights::of(role).permissions, BasisPoints::new(1));
        happened(RoleChanged { role, permissions, discount_limit })
    };
    let sell = |role| {
        let store = stored(&open_shop_and([hired("ann", Role::Cashier)]));
        let authority = Authority::staff(&UserId::new("ann").unwrap(), Role::Cashier);
        let wanted = Checkout { discount: percent(5), ..cart(&[("A", 1)], &[(CARD, 114)]) };
        let rival = || drop(store.append(&[lower(role)], None).unwrap());
        Actor { authority, ..at("T1", 1) }.act(&store, &Interrupted::new(wanted, rival))
    };
    let refused = refusal(sell(Role::Cashier).unwrap_err());
    assert_eq!(refused.code, RefusalCode::DiscountOverLimit);
    assert_eq!(sell(Role::Manager).unwrap().trace.conflicts(), 0);
}
