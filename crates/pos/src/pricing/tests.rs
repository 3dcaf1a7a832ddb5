use std::collections::BTreeSet;

use serde::Deserialize;

use super::*;
use crate::money::SmallestCoin;
use crate::payment::{self, Payment, Tender};
use crate::settings::ShopSettings;
use crate::testing::settings;

const ALL: fn(usize) -> bool = |_| true;

fn pricing(lines: &[(i64, i64, u32)]) -> Pricing {
    let mut pricing = Pricing::default();
    for &(price, thousandths, rate) in lines {
        let (price, quantity) = (Money::new(price), Quantity::new(thousandths));
        pricing.push(price, quantity, BasisPoints::new(rate)).unwrap();
    }
    pricing
}

fn taxes(pricing: &Pricing, rounding: TaxRounding) -> Vec<i64> {
    let amounts = pricing.amounts(TaxMode::Included, rounding).unwrap();
    amounts.iter().map(|line| line.tax.minor()).collect()
}

#[test]
fn tax_is_rounded_on_each_line_or_on_all_of_a_rate_together() {
    let lines = [(99, 1000, 2000); 3]; // of each 0.165 is tax, of all 0.495
    assert_eq!(taxes(&pricing(&lines), TaxRounding::Line), [17, 17, 17]);
    assert_eq!(taxes(&pricing(&lines), TaxRounding::Receipt), [17, 17, 16]);
}

#[test]
fn each_rate_has_a_tax_of_its_own() {
    let cart = pricing(&[(99, 1000, 2000), (105, 1000, 500), (99, 1000, 2000), (7, 1000, 0)]);
    assert_eq!(taxes(&cart, TaxRounding::Receipt), [17, 5, 16, 0]);
}

#[test]
fn a_reduction_is_spread_over_what_it_concerns_in_proportion() {
    let mut cart = pricing(&[(100, 1000, 0), (200, 1000, 0), (50, 1000, 0)]);
    let reduced = cart.reduce(|index| index < 2, Discount::Amount(Money::new(100))).unwrap();
    assert_eq!(reduced, Reduced { amount: Money::new(100), lines: vec![1, 2] });
    let left: Vec<i64> = (0..3).map(|index| cart.discount(index).minor()).collect();
    assert_eq!(left, [33, 67, 0]);
}

#[test]
fn reductions_follow_one_another_and_never_take_more_than_there_is() {
    let mut cart = pricing(&[(1000, 1000, 0)]);
    let tenth = Discount::Percent(BasisPoints::new(1000));
    assert_eq!(cart.reduce(ALL, tenth).unwrap().amount, Money::new(100));
    assert_eq!(cart.reduce(ALL, tenth).unwrap().amount, Money::new(90));
    let rest = cart.reduce(ALL, Discount::Amount(Money::new(5000))).unwrap();
    assert_eq!((rest.amount, cart.left(ALL)), (Money::new(810), Some(Money::ZERO)));
    assert_eq!(cart.reduce(ALL, tenth).unwrap(), Reduced { amount: Money::ZERO, lines: vec![] });
}

/// An exact number, `n / d`, with nothing of the code under test in it.
#[derive(Clone, Copy)]
struct Exact {
    n: i128,
    d: i128,
}

impl Exact {
    fn new(n: i128, d: i128) -> Self {
        Self { n, d }
    }

    /// The whole number that is nearest, away from zero if two are: by the definition, not by a
    /// formula. All numbers here are positive.
    fn rounded(self) -> i128 {
        let below = self.n / self.d;
        let to_below = self.n - below * self.d;
        let to_above = (below + 1) * self.d - self.n;
        if to_above <= to_below { below + 1 } else { below }
    }

    fn less_than(self, other: Self) -> bool {
        self.n * other.d < other.n * self.d
    }

    fn minus(self, whole: i128) -> Self {
        Self { n: self.n - whole * self.d, d: self.d }
    }
}

/// Whole numbers that add up to `sum`, given the exact shares of it: the schoolbook's method, one
/// unit after the other to the share that has lost most.
fn largest_remainders(sum: i128, exact: &[Exact]) -> Vec<i128> {
    let mut given: Vec<i128> = exact.iter().map(|share| share.n / share.d).collect();
    for _ in 0..sum - given.iter().sum::<i128>() {
        let mut neediest = 0;
        for index in 1..exact.len() {
            let lost = |index: usize| exact[index].minus(given[index]);
            if lost(neediest).less_than(lost(index)) {
                neediest = index;
            }
        }
        given[neediest] += 1;
    }
    given
}

#[derive(Clone, Debug)]
struct Cart {
    lines: Vec<(i64, i64, u32)>,
    /// The lines from the first number on, up to the second, and what is taken off them.
    reductions: Vec<(usize, usize, Discount)>,
    mode: TaxMode,
    rounding: TaxRounding,
}

/// A cart at random: small and large prices, whole and odd quantities, usual and odd rates.
fn random_cart(random: &mut fastrand::Rng) -> Cart {
    let price = |random: &mut fastrand::Rng| match random.bool() {
        true => random.i64(0..200),
        false => random.i64(0..100_000),
    };
    let quantity = |random: &mut fastrand::Rng| match random.bool() {
        true => random.i64(1..20) * 1000,
        false => random.i64(1..9_999),
    };
    let rate = |random: &mut fastrand::Rng| {
        let odd = random.u32(0..10_000);
        *random.choice(&[0, 500, 1900, 2000, odd]).unwrap()
    };
    let discount = |random: &mut fastrand::Rng| match random.bool() {
        true => Discount::Percent(BasisPoints::new(random.u32(1..=10_000))),
        false => Discount::Amount(Money::new(random.i64(1..5_000))),
    };
    let lines = (0..random.usize(1..7)).map(|_| (price(random), quantity(random), rate(random)));
    let lines = lines.collect();
    let reductions = (0..random.usize(0..4))
        .map(|_| (random.usize(0..6), random.usize(1..7), discount(random)))
        .collect();
    let mode = if random.bool() { TaxMode::Included } else { TaxMode::Excluded };
    let rounding = if random.bool() { TaxRounding::Line } else { TaxRounding::Receipt };
    Cart { lines, reductions, mode, rounding }
}

/// Gross and tax of each line, worked out with exact numbers.
fn worked_out(cart: &Cart) -> Vec<(i128, i128)> {
    let full = |&(price, quantity, _): &(i64, i64, u32)| {
        Exact::new(i128::from(price) * i128::from(quantity), 1000).rounded()
    };
    let mut left: Vec<i128> = cart.lines.iter().map(full).collect();
    for &(from, count, discount) in &cart.reductions {
        let from = from.min(left.len());
        let end = (from + count).min(left.len());
        let concerned: i128 = left[from..end].iter().sum();
        let off = match discount {
            Discount::Percent(share) => {
                Exact::new(concerned * i128::from(share.points()), 10_000).rounded()
            }
            Discount::Amount(amount) => i128::from(amount.minor()).min(concerned),
        };
        if off > 0 {
            let shares: Vec<Exact> =
                left[from..end].iter().map(|left| Exact::new(off * left, concerned)).collect();
            for (left, share) in left[from..end].iter_mut().zip(largest_remainders(off, &shares)) {
                *left -= share;
            }
        }
    }
    let tax = |amount: i128, rate: u32| match cart.mode {
        TaxMode::Included => Exact::new(amount * i128::from(rate), 10_000 + i128::from(rate)),
        TaxMode::Excluded => Exact::new(amount * i128::from(rate), 10_000),
    };
    let mut taxes = vec![0; left.len()];
    for index in 0..left.len() {
        let rate = cart.lines[index].2;
        if cart.rounding == TaxRounding::Line {
            taxes[index] = tax(left[index], rate).rounded();
            continue;
        }
        let same: Vec<usize> = (0..left.len()).filter(|i| cart.lines[*i].2 == rate).collect();
        let sum: i128 = same.iter().map(|i| left[*i]).sum();
        let total = tax(sum, rate).rounded();
        let share = |i: &usize| Exact::new(total * left[*i], sum.max(1));
        let shares: Vec<Exact> = same.iter().map(share).collect();
        for (i, share) in same.iter().zip(largest_remainders(total, &shares)) {
            taxes[*i] = share;
        }
    }
    let gross = |(left, tax): (i128, i128)| match cart.mode {
        TaxMode::Included => (left, tax),
        TaxMode::Excluded => (left + tax, tax),
    };
    left.into_iter().zip(taxes).map(gross).collect()
}

#[test]
fn a_hundred_thousand_carts_come_to_what_exact_numbers_say() {
    let mut random = fastrand::Rng::with_seed(20_260_302);
    for _ in 0..100_000 {
        let cart = random_cart(&mut random);
        let mut priced = pricing(&cart.lines);
        for &(from, count, discount) in &cart.reductions {
            let concerned = |index| (from..from + count).contains(&index);
            priced.reduce(concerned, discount).unwrap();
        }
        let amounts = priced.amounts(cart.mode, cart.rounding).unwrap();
        let told: Vec<(i128, i128)> = amounts
            .iter()
            .map(|line| (i128::from(line.gross.minor()), i128::from(line.tax.minor())))
            .collect();
        assert_eq!(told, worked_out(&cart), "{cart:?}");
        assert!(amounts.iter().all(|line| line.gross >= Money::ZERO), "{cart:?}");
        assert!(amounts.iter().all(|l| l.gross == l.net.checked_add(l.tax).unwrap()), "{cart:?}");
    }
}

/// A cart by the rules of a shop, and what it comes to. The screen works that out too, and its tests
/// read the same table.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Case {
    tax_mode: TaxMode,
    tax_rounding: TaxRounding,
    smallest_coin: SmallestCoin,
    /// Of each line its price, its quantity and its rate.
    lines: Vec<(Money, Quantity, BasisPoints)>,
    gross: Money,
    net: Money,
    tax: Money,
    /// What is paid if all of it is paid in cash.
    cash: Money,
}

#[test]
fn a_cart_comes_to_what_the_screen_says_and_is_paid_by_just_that() {
    let table = include_str!("../../tests/fixtures/carts.jsonl");
    let mut rules = BTreeSet::new();
    for text in table.lines() {
        let case: Case = serde_json::from_str(text).unwrap();
        let Case { tax_mode, tax_rounding, smallest_coin, gross, net, tax, cash, .. } = case;
        let total = Amounts::of_cart(case.lines, tax_mode, tax_rounding).unwrap();
        assert_eq!(total, Amounts { gross, net, tax }, "{text}");
        let settings = ShopSettings { tax_mode, tax_rounding, smallest_coin, ..settings() };
        for (tender, amount) in [(Tender::Cash, cash), (Tender::Card, gross)] {
            let payments = [Payment::new(tender, amount)];
            let settled = payment::settle(&payments, gross, &settings).unwrap();
            assert_eq!((settled.paid, settled.change), (amount, Money::ZERO), "{text}");
            assert_eq!(settled.rounding, amount.checked_sub(gross).unwrap(), "{text}");
        }
        rules.insert(format!("{tax_mode:?} {tax_rounding:?} {smallest_coin:?}"));
    }
    assert_eq!(rules.len(), 12, "the table has carts by all rules there are");
}
