//! Gift cards, accounts, points, coupons, a promotion, a limit and a kit, and refunds that give all
//! of it back. There is no tax here, and all quantities are whole: of that see `goods`.

use std::collections::BTreeSet;

use dcb::Followed;
use pos::*;
use proptest::prelude::*;

use crate::shop::{Shop, TILLS, product, settings, sku};

/// What is sold: A and B from the shelf, and a kit of two A and one B.
const PRODUCTS: [(&str, i64); 3] = [("A", 100), ("B", 250), ("KIT", 399)];
/// A customer gets so many of A a day.
const MOST_OF_A: i64 = 6;
/// The promotion takes a tenth off everything, so often in all and for each customer.
const USES: u32 = 3;
const USES_PER_CUSTOMER: u32 = 2;
/// What a coupon takes off.
/// The cash that each drawer begins with.
const PLENTY: i64 = 1_000_000_000;
const COUPON: i64 = 50;
/// For each of these there is a point, worth a penny.
const SPEND_PER_POINT: i64 = 10;

#[derive(Clone, Debug)]
enum Act {
    Receive(usize, i64),
    TopUp(usize, i64),
    CancelTopUp(usize, i64),
    Block(usize),
    SetLimit(usize, i64),
    PayAccount(usize, i64, Tender),
    Bounce(usize, i64),
    Sell(Basket),
    Refund { sale: usize, line: usize, quantity: i64 },
}

#[derive(Clone, Debug)]
struct Basket {
    customer: Option<usize>,
    lines: Vec<(usize, i64)>,
    promotion: bool,
    coupon: Option<usize>,
    points: i64,
    pay: Pay,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Pay {
    Cash,
    Card(usize),
    Account,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let who = prop::option::weighted(0.8, 0..2_usize);
    let lines = prop::collection::vec((0..3_usize, 1..4_i64), 1..4);
    let pay = prop_oneof![Just(Pay::Cash), (0..2_usize).prop_map(Pay::Card), Just(Pay::Account)];
    let coupon = prop::option::weighted(0.3, 0..3_usize);
    let points = prop_oneof![3 => Just(0), 1 => 1..80_i64];
    let basket = (who, lines, prop::bool::weighted(0.3), coupon, points, pay).prop_map(
        |(customer, lines, promotion, coupon, points, pay)| Basket {
            customer,
            lines,
            promotion,
            coupon,
            points,
            pay,
        },
    );
    let act = prop_oneof![
        2 => (0..2_usize, 1..20_i64).prop_map(|(p, n)| Act::Receive(p, n)),
        2 => (0..2_usize, 1..3_000_i64).prop_map(|(c, n)| Act::TopUp(c, n)),
        1 => (0..2_usize, 1..3_000_i64).prop_map(|(c, n)| Act::CancelTopUp(c, n)),
        1 => (0..2_usize, 0..20_u8).prop_filter_map("seldom", |(c, n)| {
            (n == 0).then_some(Act::Block(c))
        }),
        1 => (0..2_usize, 0..3_000_i64).prop_map(|(c, n)| Act::SetLimit(c, n)),
        1 => (0..2_usize, 1..1_000_i64, prop_oneof![Just(Tender::Cash), Just(Tender::Card)])
            .prop_map(|(c, n, tender)| Act::PayAccount(c, n, tender)),
        1 => (0..2_usize, 1..500_i64).prop_map(|(c, n)| Act::Bounce(c, n)),
        8 => basket.prop_map(Act::Sell),
        4 => (0..8_usize, 0..3_usize, 1..4_i64)
            .prop_map(|(sale, line, quantity)| Act::Refund { sale, line, quantity }),
    ];
    prop::collection::vec(act, 1..50)
}

/// What the shopkeeper has written down.
#[derive(Debug, Default)]
struct Pencil {
    shelf: [i64; 2],
    cards: [i64; 2],
    topped_up: [i64; 2],
    blocked: [bool; 2],
    limits: [i64; 2],
    owed: [i64; 2],
    paid_by_card: [i64; 2],
    points: [i64; 2],
    had_of_a: [i64; 2],
    coupons_spent: BTreeSet<usize>,
    uses: Vec<Option<usize>>,
    drawer: i64,
    sales: Vec<Sale>,
}

#[derive(Debug)]
struct Sale {
    id: SaleId,
    basket: Basket,
    /// Of each line how much is left, and what that came to.
    left: Vec<(i64, i64)>,
    gross: i64,
    refunded: i64,
    earned: i64,
    /// Points that were taken back and given back by now.
    undone: [i64; 2],
}

/// What a product takes off the shelf.
fn parts(product: usize) -> [i64; 2] {
    [[1, 0], [0, 1], [2, 1]][product]
}

impl Pencil {
    /// What a basket comes to, and every rule that it breaks.
    fn judge(&self, basket: &Basket) -> (i64, Vec<RefusalCode>) {
        let mut broken = Vec::new();
        let mut refuse = |is_broken, code| {
            if is_broken {
                broken.push(code);
            }
        };
        let Basket { customer, lines, promotion, coupon, points, pay } = basket;
        for (shelf, on_shelf) in self.shelf.iter().enumerate() {
            let taken: i64 = lines.iter().map(|(p, n)| parts(*p)[shelf] * n).sum();
            refuse(taken > *on_shelf, RefusalCode::OutOfStock);
        }
        if let Some(who) = *customer {
            let of_a: i64 = lines.iter().filter(|(p, _)| *p == 0).map(|(_, n)| n).sum();
            let too_many = of_a > 0 && self.had_of_a[who] + of_a > MOST_OF_A;
            refuse(too_many, RefusalCode::LimitPerCustomerDay);
        }
        let mut total: i64 = lines.iter().map(|(p, n)| PRODUCTS[*p].1 * n).sum();
        if *promotion {
            refuse(customer.is_none(), RefusalCode::CustomerNeeded);
            let by_customer = self.uses.iter().filter(|who| *who == customer).count();
            let used_up = self.uses.len() >= USES as usize
                || customer.is_some() && by_customer >= USES_PER_CUSTOMER as usize;
            refuse(used_up, RefusalCode::PromotionUsedUp);
            total -= (total + 5) / 10;
        }
        if let Some(coupon) = coupon {
            refuse(self.coupons_spent.contains(coupon), RefusalCode::CouponSpent);
            total -= COUPON.min(total);
        }
        if *points > 0 {
            refuse(customer.is_none(), RefusalCode::CustomerNeeded);
            let has = customer.map_or(0, |who| self.points[who]);
            refuse(*points > has, RefusalCode::NotEnoughPoints);
            refuse(*points > total, RefusalCode::NothingToReduce);
            total -= (*points).min(total);
        }
        match *pay {
            Pay::Cash => {}
            Pay::Card(card) => {
                refuse(total > 0 && self.blocked[card], RefusalCode::GiftCardBlocked);
                refuse(total > self.cards[card], RefusalCode::GiftCardTooLow);
            }
            Pay::Account => {
                refuse(total > 0 && customer.is_none(), RefusalCode::CustomerNeeded);
                let left = customer.map_or(0, |who| self.limits[who] - self.owed[who]);
                refuse(total > left.max(0), RefusalCode::CreditExceeded);
            }
        }
        (total, broken)
    }

    /// Moves money to or, if negative, back from where a basket is paid.
    fn pay(&mut self, basket: &Basket, amount: i64) {
        match (basket.pay, basket.customer) {
            (Pay::Cash, _) => self.drawer += amount,
            (Pay::Card(card), _) => self.cards[card] -= amount,
            (Pay::Account, Some(who)) => self.owed[who] += amount,
            (Pay::Account, None) => assert_eq!(amount, 0),
        }
    }
}

fn card(card: usize) -> GiftCardId {
    GiftCardId::new(["G1", "G2"][card]).unwrap()
}

fn coupon(coupon: usize) -> CouponId {
    CouponId::new(["C1", "C2", "C3"][coupon]).unwrap()
}

fn promotion() -> PromotionId {
    PromotionId::new("TENTH").unwrap()
}

fn paid_in(amount: i64) -> PaidIn {
    PaidIn { tender: Tender::Cash, amount: Money::new(amount), reference: None }
}

/// A shop with all of it, and two customers. Their ids are those that the pencil uses.
fn shop() -> (Shop, [CustomerId; 2]) {
    let loyalty =
        Loyalty { spend_per_point: Money::new(SPEND_PER_POINT), point_value: Money::new(1) };
    let settings = ShopSettings { loyalty: Some(loyalty), ..settings(TaxMode::Included) };
    let mut shop = Shop::new(settings, &[("A", PRODUCTS[0].1, 0), ("B", PRODUCTS[1].1, 0)]);
    let kit = AddProduct { stocked: false, ..product("KIT", PRODUCTS[2].1, 0) };
    shop.act("T1", &kit).unwrap();
    let part =
        |id, units| KitComponent { product: sku(id), quantity: Quantity::units(units).unwrap() };
    let components = vec![part("A", 2), part("B", 1)];
    shop.act("T1", &DefineKit { kit: sku("KIT"), components }).unwrap();
    let most = Some(Quantity::units(MOST_OF_A).unwrap());
    let limit = SetLimit { product: sku("A"), per_receipt: None, per_customer_day: most };
    shop.act("T1", &limit).unwrap();
    let terms = Promotion {
        name: "A tenth".into(),
        discount: Discount::Percent(BasisPoints::new(1_000)),
        product: None,
        from: "2026-03-01".parse().unwrap(),
        until: "2026-03-31".parse().unwrap(),
        uses: Some(USES),
        uses_per_customer: Some(USES_PER_CUSTOMER),
    };
    shop.act("T1", &DefinePromotion { promotion: promotion(), terms }).unwrap();
    let discount = Discount::Amount(Money::new(COUPON));
    let coupons = (0..3).map(coupon).collect();
    shop.act("T1", &IssueCoupons { coupons, discount, product: None, until: None }).unwrap();
    // No drawer is ever short of cash: that it may be is told in `goods`.
    for till in TILLS {
        let shift = shop.shifts.view().at(&TillId::new(till).unwrap()).unwrap().shift.clone();
        let (amount, reason) = (Money::new(PLENTY), "change".into());
        shop.act(till, &MoveCash { shift, way: CashWay::In, amount, reason }).unwrap();
    }
    for n in 0..2 {
        shop.act("T1", &IssueGiftCard { card: card(n), paid: paid_in(1) }).unwrap();
    }
    let customers =
        [(); 2].map(|()| shop.act("T1", &AddCustomer { name: "Ann".into() }).unwrap().customer);
    (shop, customers)
}

/// Does an act in the shop and by pencil, and asserts that both agree on it.
fn do_both(shop: &mut Shop, customers: &[CustomerId; 2], pencil: &mut Pencil, act: &Act) {
    match act {
        Act::Receive(product, units) => {
            let line = DeliveryLine {
                product: sku(PRODUCTS[*product].0),
                quantity: Quantity::units(*units).unwrap(),
                cost: None,
            };
            shop.act("T1", &ReceiveStock { lines: vec![line] }).unwrap();
            pencil.shelf[*product] += units;
        }
        Act::TopUp(n, amount) => {
            let topped = shop.act("T1", &TopUpGiftCard { card: card(*n), paid: paid_in(*amount) });
            if pencil.blocked[*n] {
                assert_eq!(topped, Err(RefusalCode::GiftCardBlocked));
                return;
            }
            topped.unwrap();
            pencil.cards[*n] += amount;
            pencil.topped_up[*n] += amount;
            pencil.drawer += amount;
        }
        Act::CancelTopUp(n, amount) => {
            let (card, paid_back, reason) = (card(*n), paid_in(*amount), "typed wrong".into());
            let cancelled = shop.act("T1", &CancelGiftCardTopUp { card, paid_back, reason });
            let refused = [
                (pencil.blocked[*n], RefusalCode::GiftCardBlocked),
                (*amount > pencil.cards[*n], RefusalCode::GiftCardTooLow),
                (*amount > pencil.topped_up[*n], RefusalCode::NotPaid),
            ];
            if let Some((_, code)) = refused.into_iter().find(|(is_broken, _)| *is_broken) {
                assert_eq!(cancelled, Err(code));
                return;
            }
            cancelled.unwrap();
            pencil.cards[*n] -= amount;
            pencil.topped_up[*n] -= amount;
            pencil.drawer -= amount;
        }
        Act::Block(n) => {
            let blocked = shop.act("T1", &BlockGiftCard { card: card(*n), reason: String::new() });
            assert_eq!(blocked.is_ok(), !pencil.blocked[*n]);
            pencil.blocked[*n] = true;
        }
        Act::SetLimit(n, limit) => {
            let (customer, limit) = (customers[*n].clone(), Money::new(*limit));
            shop.act("T1", &SetCreditLimit { customer, limit }).unwrap();
            pencil.limits[*n] = limit.minor();
        }
        Act::PayAccount(n, amount, tender) => {
            let customer = customers[*n].clone();
            let paid = PaidIn { tender: *tender, ..paid_in(*amount) };
            let paid = shop.act("T1", &PayAccount { customer, paid });
            if *amount > pencil.owed[*n] {
                assert_eq!(paid, Err(RefusalCode::NotOwed));
                return;
            }
            paid.unwrap();
            pencil.owed[*n] -= amount;
            match tender {
                Tender::Card => pencil.paid_by_card[*n] += amount,
                _ => pencil.drawer += amount,
            }
        }
        Act::Bounce(n, amount) => {
            let bounce = BounceAccountPayment {
                customer: customers[*n].clone(),
                amount: Money::new(*amount),
                reference: None,
                reason: "no funds".into(),
            };
            let bounced = shop.act("T1", &bounce);
            if *amount > pencil.paid_by_card[*n] {
                assert_eq!(bounced, Err(RefusalCode::NotPaid));
                return;
            }
            bounced.unwrap();
            pencil.owed[*n] += amount;
            pencil.paid_by_card[*n] -= amount;
        }
        Act::Sell(basket) => sell(shop, customers, pencil, basket),
        Act::Refund { sale, line, quantity } => refund(shop, pencil, *sale, *line, *quantity),
    }
}

fn sell(shop: &mut Shop, customers: &[CustomerId; 2], pencil: &mut Pencil, basket: &Basket) {
    let (total, broken) = pencil.judge(basket);
    let payment = Payment {
        card: match basket.pay {
            Pay::Card(n) => Some(card(n)),
            _ => None,
        },
        ..Payment::new(
            match basket.pay {
                Pay::Cash => Tender::Cash,
                Pay::Card(_) => Tender::GiftCard,
                Pay::Account => Tender::Account,
            },
            Money::new(total),
        )
    };
    let line = |(product, units): &(usize, i64)| {
        CheckoutLine::new(sku(PRODUCTS[*product].0), Quantity::units(*units).unwrap())
    };
    let checkout = Checkout {
        lines: basket.lines.iter().map(line).collect(),
        customer: basket.customer.map(|n| customers[n].clone()),
        promotions: basket.promotion.then(promotion).into_iter().collect(),
        coupons: basket.coupon.map(coupon).into_iter().collect(),
        redeem_points: basket.points,
        payments: Some(payment).filter(|payment| !payment.amount.is_zero()).into_iter().collect(),
        ..Checkout::default()
    };
    let receipt = match shop.act("T1", &checkout) {
        Ok(receipt) => receipt,
        Err(code) => {
            assert!(broken.contains(&code), "{code:?} is not among {broken:?}");
            return;
        }
    };
    assert_eq!(broken, [], "{basket:?} was sold");
    assert_eq!(receipt.gross.minor(), total);
    assert_eq!(receipt.lines.iter().map(|line| line.gross.minor()).sum::<i64>(), total);
    for (shelf, on_shelf) in pencil.shelf.iter_mut().enumerate() {
        *on_shelf -= basket.lines.iter().map(|(p, n)| parts(*p)[shelf] * n).sum::<i64>();
    }
    pencil.pay(basket, total);
    let earned = basket.customer.map_or(0, |_| total / SPEND_PER_POINT);
    if let Some(who) = basket.customer {
        pencil.points[who] += earned - basket.points;
        let of_a = basket.lines.iter().filter(|(p, _)| *p == 0);
        pencil.had_of_a[who] += of_a.map(|(_, n)| n).sum::<i64>();
    }
    pencil.coupons_spent.extend(basket.coupon);
    if basket.promotion {
        pencil.uses.push(basket.customer);
    }
    let left = receipt.lines.iter().map(|l| (l.quantity.thousandths() / 1000, l.gross.minor()));
    pencil.sales.push(Sale {
        id: receipt.sale,
        basket: basket.clone(),
        left: left.collect(),
        gross: total,
        refunded: 0,
        earned,
        undone: [0, 0],
    });
}

fn refund(shop: &mut Shop, pencil: &mut Pencil, sale: usize, line: usize, units: i64) {
    if sale >= pencil.sales.len() || line >= pencil.sales[sale].left.len() {
        return;
    }
    let returned = LineReturned {
        line: u32::try_from(line).unwrap() + 1,
        quantity: Quantity::units(units).unwrap(),
        restock: true,
    };
    let id = pencil.sales[sale].id.clone();
    let command =
        RefundSale { sale: id, lines: vec![returned], reason: String::new(), reference: None };
    let refunded = shop.act("T2", &command);
    let written = &mut pencil.sales[sale];
    let (quantity, gross) = written.left[line];
    if units > quantity {
        assert_eq!(refunded.unwrap_err(), RefusalCode::RefundExceedsSale);
        return;
    }
    // The part of what is left, rounded half up.
    let back = (2 * gross * units + quantity) / (2 * quantity);
    if let Pay::Card(card) = written.basket.pay
        && pencil.blocked[card]
        && back > 0
    {
        assert_eq!(refunded.unwrap_err(), RefusalCode::GiftCardBlocked);
        return;
    }
    let receipt = refunded.unwrap();
    assert_eq!(receipt.gross.minor(), back);
    assert_eq!(receipt.payments.iter().map(|p| p.amount.minor()).sum::<i64>(), back);
    written.left[line] = (quantity - units, gross - back);
    written.refunded += back;
    let is_all = written.left.iter().all(|(quantity, _)| *quantity == 0);
    let basket = written.basket.clone();
    if let Some(who) = basket.customer {
        for (index, all) in [written.earned, basket.points].into_iter().enumerate() {
            let share = if written.gross > 0 { all * written.refunded / written.gross } else { 0 };
            let undo = (if is_all { all } else { share } - written.undone[index]).max(0);
            written.undone[index] += undo;
            pencil.points[who] += if index == 0 { -undo } else { undo };
        }
        if basket.lines[line].0 == 0 {
            pencil.had_of_a[who] -= units;
        }
    }
    if is_all && basket.promotion {
        let used = pencil.uses.iter().position(|who| *who == basket.customer).unwrap();
        pencil.uses.remove(used);
    }
    for (shelf, on_shelf) in pencil.shelf.iter_mut().enumerate() {
        *on_shelf += parts(basket.lines[line].0)[shelf] * units;
    }
    pencil.pay(&basket, -back);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn cards_accounts_points_and_offers_are_what_pencil_and_paper_say(acts in acts()) {
        let (mut shop, customers) = shop();
        let mut pencil = Pencil { cards: [1, 1], drawer: 2 * PLENTY + 2, ..Pencil::default() };
        for act in &acts {
            do_both(&mut shop, &customers, &mut pencil, act);
        }
        let mut stock = Followed::new(StockOnHand::default());
        let stock = stock.catch_up(&shop.store).unwrap();
        for n in 0..2 {
            let on_shelf = stock.of(&sku(PRODUCTS[n].0)).thousandths();
            prop_assert_eq!(on_shelf, pencil.shelf[n] * 1000);
            let card = GiftCard::find(&shop.store, &card(n)).unwrap().unwrap();
            prop_assert_eq!((card.balance.minor(), card.blocked), (pencil.cards[n], pencil.blocked[n]));
            let account = Account::find(&shop.store, &customers[n]).unwrap();
            prop_assert_eq!(account.owed.minor(), pencil.owed[n]);
            prop_assert_eq!(Points::balance(&shop.store, &customers[n]).unwrap(), pencil.points[n]);
        }
        let mut sales = Followed::new(Sales::default());
        let sales = sales.catch_up(&shop.store).unwrap();
        let gross: i64 = pencil.sales.iter().map(|sale| sale.gross).sum();
        let refunded: i64 = pencil.sales.iter().map(|sale| sale.refunded).sum();
        for by in [SalesBy::Day, SalesBy::Product, SalesBy::Tender, SalesBy::Customer, SalesBy::Tax] {
            let SalesReport { rows, total, .. } = sales.report(by, None, None);
            prop_assert_eq!((total.gross.minor(), total.refunds.minor()), (gross, refunded));
            prop_assert_eq!(rows.iter().map(|row| row.gross.minor()).sum::<i64>(), gross);
            prop_assert_eq!(rows.iter().map(|row| row.refunds.minor()).sum::<i64>(), refunded);
        }
        let open: Vec<Shift> = shop.shifts.view().iter().cloned().collect();
        let mut expected = 0;
        for (Shift { shift, till, .. }, _) in open.into_iter().zip(TILLS) {
            let close = CloseShift::counted(shift, Money::ZERO);
            expected += shop.act(till.as_str(), &close).unwrap().expected.minor();
        }
        prop_assert_eq!(expected, pencil.drawer);
    }
}
