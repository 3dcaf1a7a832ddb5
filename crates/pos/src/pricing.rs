//! Pricing: what a cart comes to, to the minor unit, whatever is taken off and however tax is
//! rounded.
//!
//! A line is its price times its quantity, rounded. Then reductions follow one another, each on
//! what the ones before have left: it is one amount for all lines it concerns, spread over them in
//! proportion. Tax comes last. Nothing is rounded twice, and lines always add up to the total.

use std::collections::BTreeMap;

use crate::discounts::Discount;
use crate::input;
use crate::money::{Amounts, BasisPoints, Money, Quantity, TaxMode, TaxRounding, spread};

/// The lines of a cart while they are priced.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pricing {
    lines: Vec<PricedLine>,
}

#[derive(Clone, Debug)]
struct PricedLine {
    rate: BasisPoints,
    /// Price times quantity.
    full: Money,
    /// What is left of it.
    left: Money,
}

/// What a reduction came to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Reduced {
    /// What it took off, over all lines.
    pub(crate) amount: Money,
    /// The lines that it was taken off, from 1.
    pub(crate) lines: Vec<u32>,
}

impl Pricing {
    /// Adds a line of the cart; `None` if it comes to more than [`Money::MAX`].
    pub(crate) fn push(
        &mut self,
        price: Money,
        quantity: Quantity,
        rate: BasisPoints,
    ) -> Option<()> {
        let full = price.times(quantity)?;
        self.lines.push(PricedLine { rate, full, left: full });
        Some(())
    }

    /// Price times quantity of a line, from 0.
    pub(crate) fn full(&self, index: usize) -> Money {
        self.lines.get(index).map_or(Money::ZERO, |line| line.full)
    }

    /// What is taken off a line by now.
    pub(crate) fn discount(&self, index: usize) -> Money {
        let line = self.lines.get(index);
        line.and_then(|line| line.full.checked_sub(line.left)).unwrap_or_default()
    }

    /// What is left of the lines that `concerns` picks by their index from 0.
    pub(crate) fn left(&self, concerns: impl Fn(usize) -> bool) -> Option<Money> {
        let lines = self.lines.iter().enumerate().filter(|(index, _)| concerns(*index));
        Money::checked_sum(lines.map(|(_, line)| line.left))
    }

    /// Takes a discount off the lines that `concerns` picks; `None` if a sum exceeds
    /// [`Money::MAX`].
    pub(crate) fn reduce(
        &mut self,
        concerns: impl Fn(usize) -> bool,
        discount: Discount,
    ) -> Option<Reduced> {
        let amount = discount.taken_off(self.left(&concerns)?)?;
        let weigh = |(index, line): (usize, &PricedLine)| match concerns(index) {
            true => line.left.minor(),
            false => 0,
        };
        let weights: Vec<i64> = self.lines.iter().enumerate().map(weigh).collect();
        let mut lines = Vec::new();
        for (index, share) in spread(amount.minor(), &weights).into_iter().enumerate() {
            if share == 0 {
                continue;
            }
            let line = self.lines.get_mut(index)?;
            line.left = line.left.checked_sub(Money::new(share))?;
            lines.push(input::line_number(index));
        }
        Some(Reduced { amount, lines })
    }

    /// What each line comes to; `None` if a sum exceeds [`Money::MAX`].
    pub(crate) fn amounts(&self, mode: TaxMode, rounding: TaxRounding) -> Option<Vec<Amounts>> {
        let taxes = match rounding {
            TaxRounding::Line => {
                let tax = |line: &PricedLine| Amounts::tax_on(line.left, line.rate, mode);
                self.lines.iter().map(tax).collect::<Option<Vec<Money>>>()?
            }
            TaxRounding::Receipt => self.taxes_by_rate(mode)?,
        };
        let lines = self.lines.iter().zip(taxes);
        lines.map(|(line, tax)| Amounts::of(line.left, tax, mode)).collect()
    }

    /// The tax of all lines of one rate together, spread over them.
    fn taxes_by_rate(&self, mode: TaxMode) -> Option<Vec<Money>> {
        let mut by_rate: BTreeMap<BasisPoints, Vec<(usize, i64)>> = BTreeMap::new();
        for (index, line) in self.lines.iter().enumerate() {
            by_rate.entry(line.rate).or_default().push((index, line.left.minor()));
        }
        let mut taxes = vec![Money::ZERO; self.lines.len()];
        for (rate, lines) in by_rate {
            let weights: Vec<i64> = lines.iter().map(|(_, left)| *left).collect();
            let sum = Money::checked_sum(weights.iter().copied().map(Money::new))?;
            let tax = Amounts::tax_on(sum, rate, mode)?;
            for ((index, _), share) in lines.into_iter().zip(spread(tax.minor(), &weights)) {
                *taxes.get_mut(index)? = Money::new(share);
            }
        }
        Some(taxes)
    }
}

impl Amounts {
    /// What a cart comes to if nothing is taken off: of each line its price of one unit, its
    /// quantity and its rate. `None` if a sum exceeds [`Money::MAX`].
    pub fn of_cart(
        lines: impl IntoIterator<Item = (Money, Quantity, BasisPoints)>,
        mode: TaxMode,
        rounding: TaxRounding,
    ) -> Option<Self> {
        let mut pricing = Pricing::default();
        for (price, quantity, rate) in lines {
            pricing.push(price, quantity, rate)?;
        }
        Self::checked_sum(pricing.amounts(mode, rounding)?)
    }
}

#[cfg(test)]
mod tests;
