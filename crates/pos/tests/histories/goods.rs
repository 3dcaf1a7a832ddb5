//! Shelf, drawer and receipts.

use std::collections::BTreeMap;

use dcb::{EventStore, Followed, MemoryStore, ReadOptions};
use pos::*;
use proptest::prelude::*;

use crate::shop::{Shop, TILLS, settings, sku};

const PRODUCTS: [(&str, i64, u32); 3] = [("A", 120, 2000), ("B", 99, 0), ("C", 333, 500)];

fn cash(amount: Money) -> Vec<Payment> {
    vec![Payment::new(Tender::Cash, amount)]
}

#[derive(Clone, Debug)]
enum Act {
    Receive(usize, i64),
    Adjust(usize, i64),
    Count(usize, i64),
    Sell(usize, Vec<(usize, i64)>),
    Refund(usize, usize, i64),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let (product, till) = (0..PRODUCTS.len(), 0..TILLS.len());
    let lines = prop::collection::vec((product.clone(), 1..4_000_i64), 1..4);
    prop::collection::vec(
        prop_oneof![
            (product.clone(), 1..9_000_i64).prop_map(|(p, n)| Act::Receive(p, n)),
            (product.clone(), -5_000..5_000_i64).prop_map(|(p, n)| Act::Adjust(p, n)),
            (product.clone(), 0..5_000_i64).prop_map(|(p, n)| Act::Count(p, n)),
            (till.clone(), lines).prop_map(|(t, lines)| Act::Sell(t, lines)),
            (till, product, 1..3_000_i64).prop_map(|(t, p, n)| Act::Refund(t, p, n)),
        ],
        1..40,
    )
}

/// What the shopkeeper knows: thousandths on the shelf, receipts and cash of each till.
#[derive(Debug, Default)]
struct Pencil {
    shelf: [i64; 3],
    receipts: [u64; 2],
    drawer: [i64; 2],
}

/// Does an act in the shop and by pencil, and asserts that both agree on it.
fn do_both(shop: &mut Shop, pencil: &mut Pencil, act: &Act) {
    match act {
        Act::Receive(product, quantity) => {
            let (product_id, quantity_in) = (sku(PRODUCTS[*product].0), Quantity::new(*quantity));
            let line = DeliveryLine { product: product_id, quantity: quantity_in, cost: None };
            shop.act("T1", &ReceiveStock { lines: vec![line] }).unwrap();
            pencil.shelf[*product] += quantity;
        }
        Act::Adjust(product, quantity) => {
            let adjusted = shop.act(
                "T1",
                &AdjustStock {
                    product: sku(PRODUCTS[*product].0),
                    quantity: Quantity::new(*quantity),
                    reason: String::new(),
                },
            );
            let left = pencil.shelf[*product] + quantity;
            let expected = match (quantity, left) {
                (0, _) => Err(RefusalCode::QuantityOutOfBounds),
                (..0, ..0) => Err(RefusalCode::OutOfStock),
                _ => Ok(()),
            };
            assert_eq!(adjusted, expected);
            if expected.is_ok() {
                pencil.shelf[*product] = left;
            }
        }
        Act::Count(product, found) => {
            let (product_id, counted) = (sku(PRODUCTS[*product].0), Quantity::new(*found));
            let result =
                shop.act("T2", &CountStock { product: product_id, counted, as_of: None }).unwrap();
            assert_eq!(result.expected.thousandths(), pencil.shelf[*product]);
            pencil.shelf[*product] = *found;
        }
        Act::Sell(till, lines) => {
            let mut left = pencil.shelf;
            lines.iter().for_each(|(product, quantity)| left[*product] -= quantity);
            let line = |(product, quantity): &(usize, i64)| {
                CheckoutLine::new(sku(PRODUCTS[*product].0), Quantity::new(*quantity))
            };
            let lines = lines.iter().map(line).collect();
            let payments = cash(Money::new(1_000_000));
            let checkout = Checkout { lines, payments, ..Checkout::default() };
            let sold = shop.act(TILLS[*till], &checkout);
            if left.iter().any(|left| *left < 0) {
                assert_eq!(sold, Err(RefusalCode::OutOfStock));
                return;
            }
            let receipt = sold.unwrap();
            pencil.shelf = left;
            pencil.receipts[*till] += 1;
            pencil.drawer[*till] += receipt.gross.minor();
            assert_eq!(receipt.number, pencil.receipts[*till]);
            assert_eq!(receipt.change.minor(), 1_000_000 - receipt.gross.minor());
        }
        Act::Refund(till, product, quantity) => {
            let line = RefundLine {
                product: sku(PRODUCTS[*product].0),
                quantity: Quantity::new(*quantity),
                price: Money::new(PRODUCTS[*product].1),
            };
            let refund = Refund {
                lines: vec![line],
                tender: Tender::Cash,
                reason: String::new(),
                customer: None,
                reference: None,
                restock: true,
            };
            let returned = shop.act(TILLS[*till], &refund);
            let price = i128::from(PRODUCTS[*product].1);
            if rounded(price * i128::from(*quantity), 1000) > i128::from(pencil.drawer[*till]) {
                assert_eq!(returned, Err(RefusalCode::NotEnoughCash));
                return;
            }
            let receipt = returned.unwrap();
            pencil.shelf[*product] += quantity;
            pencil.receipts[*till] += 1;
            pencil.drawer[*till] -= receipt.gross.minor();
            assert_eq!(receipt.number, pencil.receipts[*till]);
        }
    }
}

/// The numbers of all receipts, by series.
fn numbers(store: &MemoryStore) -> BTreeMap<String, Vec<u64>> {
    let mut numbers: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for event in store.read(&dcb::Query::all(), ReadOptions::default()).unwrap() {
        let event = event.unwrap();
        let (series, number) = match ShopEvent::decode(&event.as_event_ref()) {
            Some(ShopEvent::SaleCompleted(e)) => (e.series, e.number),
            Some(ShopEvent::RefundCompleted(e)) => (e.series, e.number),
            _ => continue,
        };
        numbers.entry(series.to_string()).or_default().push(number);
    }
    numbers
}

/// `n / d` rounded half away from zero, for positive numbers, by the schoolbook.
fn rounded(n: i128, d: i128) -> i128 {
    n / d + i128::from(n % d * 2 >= d)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn shelf_drawer_and_receipts_are_what_pencil_and_paper_say(acts in acts()) {
        let mut shop = Shop::new(settings(TaxMode::Included), &PRODUCTS);
        let mut pencil = Pencil::default();
        let mut stock = Followed::new(StockOnHand::default());
        for act in &acts {
            do_both(&mut shop, &mut pencil, act);
            let stock = stock.catch_up(&shop.store).unwrap();
            for ((id, ..), on_shelf) in PRODUCTS.iter().zip(pencil.shelf) {
                prop_assert!(on_shelf >= 0);
                prop_assert_eq!(stock.of(&sku(id)).thousandths(), on_shelf);
            }
        }
        for (till, numbers) in numbers(&shop.store) {
            let till = TILLS.iter().position(|id| *id == till).unwrap();
            let gapless: Vec<u64> = (1..=pencil.receipts[till]).collect();
            prop_assert_eq!(numbers, gapless);
        }
        let open: Vec<Shift> = shop.shifts.view().iter().cloned().collect();
        for (Shift { shift, till, .. }, drawer) in open.into_iter().zip(pencil.drawer) {
            let close = CloseShift::counted(shift, Money::ZERO);
            let result = shop.act(till.as_str(), &close).unwrap();
            prop_assert_eq!(result.expected.minor(), drawer);
        }
    }

    #[test]
    fn totals_add_up_and_agree_with_the_schoolbook(
        lines in prop::collection::vec((0..3_usize, 1..100_000_i64, prop::option::of(0..100_000_i64)), 1..30),
        included: bool,
    ) {
        let mode = if included { TaxMode::Included } else { TaxMode::Excluded };
        let mut shop = Shop::new(settings(mode), &PRODUCTS);
        let delivery = PRODUCTS.map(|(id, ..)| DeliveryLine {
            product: sku(id),
            quantity: Quantity::MAX_LINE,
            cost: None,
        });
        shop.act("T1", &ReceiveStock { lines: delivery.into() }).unwrap();
        let (mut gross, mut tax) = (0, 0);
        for (product, quantity, price) in &lines {
            let (_, list_price, rate) = PRODUCTS[*product];
            let price = i128::from(price.unwrap_or(list_price));
            let amount = rounded(price * i128::from(*quantity), 1000);
            let rate = i128::from(rate);
            let line_tax = if included {
                rounded(amount * rate, 10_000 + rate)
            } else {
                rounded(amount * rate, 10_000)
            };
            tax += line_tax;
            gross += if included { amount } else { amount + line_tax };
        }
        let cart = lines.iter().map(|(product, quantity, price)| CheckoutLine {
            price: price.map(Money::new),
            ..CheckoutLine::new(sku(PRODUCTS[*product].0), Quantity::new(*quantity))
        });
        let checkout = Checkout {
            lines: cart.collect(),
            payments: cash(Money::new(i64::try_from(gross).unwrap())),
            ..Checkout::default()
        };
        let receipt = shop.act("T1", &checkout).unwrap();
        prop_assert_eq!(i128::from(receipt.gross.minor()), gross);
        prop_assert_eq!(i128::from(receipt.tax.minor()), tax);
        prop_assert_eq!(receipt.gross.minor(), receipt.net.minor() + receipt.tax.minor());
        let sum = |of: fn(&ReceiptLine) -> Money| receipt.lines.iter().map(|l| of(l).minor()).sum::<i64>();
        prop_assert_eq!(sum(|line| line.gross), receipt.gross.minor());
        prop_assert_eq!(sum(|line| line.net), receipt.net.minor());
        prop_assert_eq!(sum(|line| line.tax), receipt.tax.minor());
    }
}
