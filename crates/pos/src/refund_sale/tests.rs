use dcb::testing::given;
use dcb::{Event, EventStore, MemoryStore};

use super::*;
use crate::discounts::{Discount, GivenDiscount};
use crate::event::{CreditLimitSet, GiftCardIssued, KitDefined, PromotionDefined, ShopConfigured};
use crate::kits::KitComponent;
use crate::loyalty::Loyalty;
use crate::money::{BasisPoints, SmallestCoin};
use crate::payment::Payment;
use crate::promotions::Promotion;
use crate::testing::{
    Actor, Interrupted, act, added, at, cart, customer, day, happened, limited, open_shop,
    open_shop_and, refusal, seen, service_added, settings, shift_at, sku, stored, units,
    with_customers,
};
use crate::{
    Account, BlockGiftCard, Checkout, CloseShift, GiftCard, GiftCardId, Points, Sales, SalesBy,
    ShopSettings, StockOnHand,
};

const CASH: Tender = Tender::Cash;
const CARD: Tender = Tender::Card;

fn back(sale: &SaleId, lines: &[(u32, i64)]) -> RefundSale {
    let line = |(line, quantity): &(u32, i64)| LineReturned {
        line: *line,
        quantity: units(*quantity),
        restock: true,
    };
    RefundSale {
        sale: sale.clone(),
        lines: lines.iter().map(line).collect(),
        reason: "unwanted".into(),
        reference: None,
    }
}

fn sell(store: &MemoryStore, request: u128, checkout: &Checkout) -> SaleId {
    at("T1", request).act(store, checkout).unwrap().answer.sale
}

fn refund(store: &MemoryStore, request: u128, refund: &RefundSale) -> RefundReceipt {
    at("T2", request).act(store, refund).unwrap().answer
}

/// Tenders and what was paid back to them.
fn paid(receipt: &RefundReceipt) -> Vec<(Tender, i64)> {
    receipt.payments.iter().map(|payment| (payment.tender, payment.amount.minor())).collect()
}

#[test]
fn what_was_sold_comes_back_at_any_till_to_where_the_money_came_from() {
    let store = stored(&open_shop());
    let sale = sell(&store, 1, &cart(&[("A", 3), ("B", 1)], &[(CASH, 500), (CARD, 100)]));
    let receipt = refund(&store, 2, &back(&sale, &[(1, 1), (2, 1)]));
    assert_eq!((receipt.receipt.as_str(), receipt.sale.as_ref()), ("T2-1", Some(&sale)));
    assert_eq!((receipt.gross.minor(), receipt.tax.minor()), (219, 37));
    assert_eq!(paid(&receipt), [(CARD, 100), (CASH, 119)]);
    let stock: StockOnHand = seen(&store);
    assert_eq!((stock.of(&sku("A")), stock.of(&sku("B"))), (units(3), units(5)));
    let close = CloseShift::counted(shift_at("T2"), Money::new(5_000 - 119));
    assert_eq!(at("T2", 3).act(&store, &close).unwrap().answer.variance, Money::ZERO);
}

#[test]
fn no_more_of_a_line_is_refunded_than_was_sold() {
    let store = stored(&open_shop());
    let sale = sell(&store, 1, &cart(&[("A", 3), ("A", 1)], &[(CARD, 480)]));
    refund(&store, 2, &back(&sale, &[(1, 2)]));
    let refused = refusal(at("T1", 3).act(&store, &back(&sale, &[(1, 2)])).unwrap_err());
    assert_eq!(refused.code, RefusalCode::RefundExceedsSale);
    assert_eq!(refused.message, "Only 1 of a can still be refunded.");
    let details = refused.details;
    assert_eq!((details.line, details.left), (Some(1), Some(1000)));
    assert_eq!(details.action, Some(NextAction::ReduceQuantity));
    assert_eq!(details.because.positions(), [9, 13]);
    let left = Refundable::find(&store, &sale).unwrap().unwrap();
    let left: Vec<_> = left.lines.iter().map(|l| (l.quantity, l.gross.minor())).collect();
    assert_eq!(left, [(units(1), 120), (units(1), 120)]);
    refund(&store, 4, &back(&sale, &[(1, 1), (2, 1)]));
    let refused = refusal(at("T1", 5).act(&store, &back(&sale, &[(2, 1)])).unwrap_err());
    assert_eq!(refused.message, "All a was refunded before.");
}

#[test]
fn what_makes_no_sense_is_refused() {
    let store = stored(&open_shop());
    let sale = sell(&store, 1, &cart(&[("A", 3)], &[(CARD, 360)]));
    let nothing = SaleId::new("nothing").unwrap();
    for (refund, code) in [
        (back(&nothing, &[(1, 1)]), RefusalCode::SaleUnknown),
        (back(&sale, &[]), RefusalCode::Empty),
        (back(&sale, &[(2, 1)]), RefusalCode::InvalidInput),
        (back(&sale, &[(1, 1), (1, 1)]), RefusalCode::InvalidInput),
        (back(&sale, &[(1, 0)]), RefusalCode::QuantityOutOfBounds),
    ] {
        assert_eq!(refusal(at("T1", 2).act(&store, &refund).unwrap_err()).code, code);
    }
    assert_eq!(Refundable::find(&store, &nothing).unwrap(), None);
}

#[test]
fn parts_of_a_discounted_line_come_to_exactly_what_was_paid() {
    let store = stored(&open_shop());
    let mut sale = cart(&[("A", 3), ("B", 1)], &[(CARD, 359)]);
    let off = Discount::Amount(Money::new(100));
    sale.discount = Some(GivenDiscount { off, reason: None });
    let sale = sell(&store, 1, &sale);
    let mut total = Amounts::default();
    for (request, lines) in [(2, [(1, 1)]), (3, [(1, 1)]), (4, [(1, 1)]), (5, [(2, 1)])] {
        let RefundReceipt { gross, net, tax, .. } = refund(&store, request, &back(&sale, &lines));
        total = total.checked_add(Amounts { gross, net, tax }).unwrap();
    }
    assert_eq!(total.gross.minor(), 359);
    let report = seen::<Sales>(&store).report(SalesBy::Product, None, None);
    assert!(report.rows.iter().all(|row| (row.net, row.tax) == (Money::ZERO, Money::ZERO)));
}

#[test]
fn cash_is_rounded_and_comes_back_to_the_coin() {
    let smallest_coin = SmallestCoin::new(5).unwrap();
    let settings = ShopSettings { smallest_coin, ..settings() };
    let configured = happened(ShopConfigured { settings });
    let store = stored(&open_shop_and([configured, added("C", 51)]));
    store.append(&[crate::testing::received("C", 9)], None).unwrap();
    let receipt = at("T1", 1).act(&store, &cart(&[("C", 2)], &[(CASH, 100)])).unwrap().answer;
    assert_eq!((receipt.gross.minor(), receipt.rounding.minor()), (102, -2));
    let first = refund(&store, 2, &back(&receipt.sale, &[(1, 1)]));
    let last = refund(&store, 3, &back(&receipt.sale, &[(1, 1)]));
    assert_eq!((paid(&first), first.rounding.minor()), (vec![(CASH, 50)], -1));
    assert_eq!((paid(&last), last.rounding.minor()), (vec![(CASH, 50)], -1));
    let report = seen::<Sales>(&store).report(SalesBy::Tender, None, None);
    assert_eq!((report.total.net, report.rounding), (Money::ZERO, Money::ZERO));
}

#[test]
fn gift_cards_and_accounts_get_their_money_back() {
    let card = GiftCardId::new("G1").unwrap();
    let issued = happened(GiftCardIssued {
        card: card.clone(),
        amount: Money::new(500),
        shift: shift_at("T1"),
        tender: CARD,
        reference: None,
    });
    let credit = happened(CreditLimitSet { customer: customer("7"), limit: Money::new(500) });
    let store = stored(&with_customers(open_shop_and([issued, credit])));
    let payments = vec![
        Payment { card: Some(card.clone()), ..Payment::new(Tender::GiftCard, Money::new(150)) },
        Payment::new(Tender::Account, Money::new(90)),
    ];
    let sale = Checkout { customer: Some(customer("7")), payments, ..cart(&[("A", 2)], &[]) };
    let sale = sell(&store, 1, &sale);
    let first = refund(&store, 2, &back(&sale, &[(1, 1)]));
    assert_eq!(paid(&first), [(Tender::GiftCard, 120)]);
    let last = refund(&store, 3, &back(&sale, &[(1, 1)]));
    assert_eq!(paid(&last), [(Tender::GiftCard, 30), (Tender::Account, 90)]);
    assert_eq!(GiftCard::find(&store, &card).unwrap().unwrap().balance.minor(), 500);
    assert_eq!(Account::find(&store, &customer("7")).unwrap().owed, Money::ZERO);
}

#[test]
fn a_blocked_gift_card_takes_nothing_back() {
    let card = GiftCardId::new("G1").unwrap();
    let issued = |card: &GiftCardId| {
        let (card, shift, amount) = (card.clone(), shift_at("T1"), Money::new(200));
        happened(GiftCardIssued { card, amount, shift, tender: CASH, reference: None })
    };
    let other = GiftCardId::new("G2").unwrap();
    let store = stored(&open_shop_and([issued(&card), issued(&other)]));
    let mut split = cart(&[("A", 2)], &[(Tender::GiftCard, 200), (CASH, 40)]);
    split.payments[0].card = Some(card.clone());
    let sale = sell(&store, 1, &split);
    let block = |request, card: &GiftCardId| {
        let block = BlockGiftCard { card: card.clone(), reason: "lost".into() };
        at("T1", request).act(&store, &block).unwrap()
    };
    block(2, &other);
    refund(&store, 3, &back(&sale, &[(1, 1)]));
    let all = Interrupted::new(back(&sale, &[(1, 1)]), || drop(block(4, &card)));
    let refused = refusal(at("T2", 5).act(&store, &all).unwrap_err());
    assert_eq!(refused.code, RefusalCode::GiftCardBlocked);
    assert_eq!(refused.details.because.positions(), [store.head().unwrap()]);
    assert_eq!(
        refused.message,
        "The gift card G1 that paid is blocked and takes nothing back. Refund without receipt."
    );
    assert_eq!(GiftCard::find(&store, &card).unwrap().unwrap().balance.minor(), 120);
}

#[test]
fn a_kit_puts_its_parts_back_on_the_shelf_as_they_were_sold() {
    let component = |id| KitComponent { product: sku(id), quantity: units(2) };
    let kit = |components| happened(KitDefined { kit: sku("KIT"), components });
    let store = stored(&open_shop_and([service_added("KIT", 300), kit(vec![component("A")])]));
    let sale = sell(&store, 1, &cart(&[("KIT", 2)], &[(CARD, 600)]));
    store.append(&[kit(vec![component("B")])], None).unwrap();
    let mut half = back(&sale, &[(1, 1)]);
    half.lines[0].quantity = Quantity::new(500);
    let refused = refusal(at("T1", 2).act(&store, &half).unwrap_err());
    assert_eq!(refused.code, RefusalCode::QuantityOutOfBounds);
    refund(&store, 3, &back(&sale, &[(1, 1)]));
    let stock: StockOnHand = seen(&store);
    assert_eq!((stock.of(&sku("A")), stock.of(&sku("B"))), (units(3), units(5)));
    let mut broken = back(&sale, &[(1, 1)]);
    broken.lines[0].restock = false;
    refund(&store, 4, &broken);
    assert_eq!(seen::<StockOnHand>(&store).of(&sku("A")), units(3));
}

#[test]
fn points_come_back_and_go_with_what_they_were_for() {
    let loyalty = Loyalty { spend_per_point: Money::new(10), point_value: Money::new(1) };
    let settings = ShopSettings { loyalty: Some(loyalty), ..settings() };
    let store = stored(&with_customers(open_shop_and([happened(ShopConfigured { settings })])));
    let buy = |points, line, total| Checkout {
        customer: Some(customer("7")),
        redeem_points: points,
        ..cart(&[line], &[(CARD, total)])
    };
    let balance = || Points::balance(&store, &customer("7")).unwrap();
    let first = sell(&store, 1, &buy(0, ("A", 2), 240));
    let second = sell(&store, 2, &buy(20, ("A", 2), 220));
    assert_eq!(balance(), 24 - 20 + 22);
    refund(&store, 3, &back(&second, &[(1, 1)]));
    assert_eq!(balance(), 24 - 10 + 11);
    refund(&store, 4, &back(&second, &[(1, 1)]));
    assert_eq!(balance(), 24);
    refund(&store, 5, &back(&first, &[(1, 2)]));
    assert_eq!(balance(), 0);
}

#[test]
fn limits_and_promotions_come_back_with_a_receipt() {
    let spring = crate::PromotionId::new("SPRING").unwrap();
    let terms = Promotion {
        name: "Spring".into(),
        discount: Discount::Percent(BasisPoints::new(5000)),
        product: None,
        from: day("2026-03-01"),
        until: day("2026-03-31"),
        uses: Some(1),
        uses_per_customer: Some(1),
    };
    let defined = PromotionDefined { promotion: spring.clone(), terms };
    let past = open_shop_and([limited("A", None, 2), happened(defined)]);
    let store = stored(&with_customers(past));
    let buy = || Checkout {
        customer: Some(customer("7")),
        promotions: vec![spring.clone()],
        ..cart(&[("A", 2)], &[(CARD, 120)])
    };
    let sale = sell(&store, 1, &buy());
    let code = |request| refusal(at("T1", request).act(&store, &buy()).unwrap_err()).code;
    assert_eq!(code(2), RefusalCode::LimitPerCustomerDay);
    refund(&store, 3, &back(&sale, &[(1, 1)]));
    let one = Checkout { promotions: Vec::new(), ..buy() };
    let one = Checkout { lines: cart(&[("A", 1)], &[]).lines, ..one };
    sell(&store, 4, &one);
    refund(&store, 5, &back(&sale, &[(1, 1)]));
    let other = Checkout { lines: cart(&[("B", 1)], &[]).lines, ..buy() };
    at("T1", 6)
        .act(&store, &Checkout { payments: vec![Payment::new(CARD, Money::new(49))], ..other })
        .unwrap();
    assert_eq!(code(7), RefusalCode::LimitPerCustomerDay);
}

#[test]
fn what_was_bought_on_another_day_gives_nothing_back_today() {
    let store = stored(&with_customers(open_shop_and([limited("A", None, 1)])));
    let buy = Checkout { customer: Some(customer("7")), ..cart(&[("A", 1)], &[(CARD, 120)]) };
    let sale = sell(&store, 1, &buy);
    let tomorrow =
        |till, request| Actor { at: "2026-03-03T10:00:00Z".parse().unwrap(), ..at(till, request) };
    tomorrow("T1", 2).act(&store, &buy).unwrap();
    tomorrow("T2", 3).act(&store, &back(&sale, &[(1, 1)])).unwrap();
    let refused = refusal(tomorrow("T1", 4).act(&store, &buy).unwrap_err());
    assert_eq!(refused.code, RefusalCode::LimitPerCustomerDay);
}

#[test]
fn a_second_refund_of_the_sale_conflicts_and_new_sales_do_not() {
    let conflicts = |rival: &dyn Fn(&MemoryStore, &SaleId)| {
        let store = stored(&open_shop());
        let sale = sell(&store, 1, &cart(&[("A", 2)], &[(CARD, 240)]));
        sell(&store, 2, &cart(&[("A", 1)], &[(CARD, 120)]));
        let mine = Interrupted::new(back(&sale, &[(1, 2)]), || rival(&store, &sale));
        let done = at("T2", 3).act(&store, &mine);
        done.map(|done| done.trace.conflicts()).map_err(|rejected| refusal(rejected).code)
    };
    let again = |store: &MemoryStore, sale: &SaleId| {
        drop(at("T1", 4).act(store, &back(sale, &[(1, 1)])).unwrap());
    };
    assert_eq!(conflicts(&again), Err(RefusalCode::RefundExceedsSale));
    let sale = |store: &MemoryStore, _: &SaleId| {
        sell(store, 5, &cart(&[("A", 1)], &[(CARD, 120)]));
    };
    assert_eq!(conflicts(&sale), Ok(0));
    let other = |store: &MemoryStore, _: &SaleId| {
        let sale = SaleId::from(uuid::Uuid::from_u128(2));
        drop(at("T1", 6).act(store, &back(&sale, &[(1, 1)])).unwrap());
    };
    assert_eq!(conflicts(&other), Ok(0));
}

#[test]
fn without_an_open_shift_nothing_is_paid_back() {
    let past: Vec<Event> = open_shop();
    let store = stored(&past);
    let sale = sell(&store, 1, &cart(&[("A", 1)], &[(CARD, 120)]));
    let refused = refusal(at("T3", 2).act(&store, &back(&sale, &[(1, 1)])).unwrap_err());
    assert_eq!(refused.code, RefusalCode::ShiftClosed);
    let nothing = SaleId::new("s").unwrap();
    let refused = given(past).when(act(back(&nothing, &[(1, 1)]))).then_refused();
    assert_eq!(refusal(refused).code, RefusalCode::SaleUnknown);
}
