//! Money, quantities and tax: whole numbers only, every step checked, rounded half away from zero.

use std::fmt;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// An amount in minor units of the shop's currency (pence, cents).
///
/// Sums stay within ±[`Money::MAX`], so that every reader of JSON holds them exactly.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, TS,
)]
#[serde(transparent)]
#[ts(type = "number")]
pub struct Money(i64);

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The largest amount a sum may reach: 2⁵³ − 1 minor units.
    pub const MAX: Self = Self(9_007_199_254_740_991);
    /// The highest price of one unit: 9,999,999.99 in a currency with two decimals.
    pub const MAX_PRICE: Self = Self(999_999_999);

    /// The most cash that one act brings into a drawer or takes out of it: so far below
    /// [`Money::MAX`] that what is in the drawer can be counted after any shift.
    pub const MAX_CASH: Self = Self(999_999_999_999);

    /// An amount in minor units.
    pub const fn new(minor: i64) -> Self {
        Self(minor)
    }

    /// The amount in minor units.
    pub const fn minor(self) -> i64 {
        self.0
    }

    /// The sum; `None` beyond ±[`Money::MAX`].
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self).filter(|sum| sum.is_exact())
    }

    /// The difference; `None` beyond ±[`Money::MAX`].
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self).filter(|difference| difference.is_exact())
    }

    /// The sum of all of them; `None` beyond ±[`Money::MAX`].
    pub fn checked_sum(amounts: impl IntoIterator<Item = Self>) -> Option<Self> {
        amounts.into_iter().try_fold(Self::ZERO, Self::checked_add)
    }

    /// What `quantity` costs at this price of one unit, rounded half away from zero to the minor
    /// unit; `None` beyond ±[`Money::MAX`].
    pub fn times(self, quantity: Quantity) -> Option<Self> {
        scaled(self.0, quantity.0, Quantity::UNIT.0).map(Self).filter(|amount| amount.is_exact())
    }

    /// How much it buys at this price of one unit, rounded half away from zero to a thousandth;
    /// `None` at a price of 0 or if that is too much to hold.
    pub(crate) fn buys_at(self, price: Self) -> Option<Quantity> {
        scaled(self.0, Quantity::UNIT.0, price.0).map(Quantity)
    }

    /// This share of it, rounded half away from zero to the minor unit; `None` beyond
    /// ±[`Money::MAX`].
    pub fn share(self, share: BasisPoints) -> Option<Self> {
        let (share, whole) = (i64::from(share.0), i64::from(BasisPoints::MAX.0));
        scaled(self.0, share, whole).map(Self).filter(|amount| amount.is_exact())
    }

    /// It in `count` of `whole` equal parts, rounded half away from zero to the minor unit; `None`
    /// beyond ±[`Money::MAX`] or if there are no parts.
    pub(crate) fn parts(self, count: i64, whole: i64) -> Option<Self> {
        scaled(self.0, count, whole).map(Self).filter(|amount| amount.is_exact())
    }

    /// Whether it is nothing.
    pub fn is_zero(&self) -> bool {
        *self == Self::ZERO
    }

    fn is_exact(self) -> bool {
        self.0.unsigned_abs() <= Self::MAX.0.unsigned_abs()
    }
}

/// How much of a product, in thousandths: a piece is 1000, and so is a kilogram.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, TS,
)]
#[serde(transparent)]
#[ts(type = "number")]
pub struct Quantity(i64);

impl Quantity {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// One piece, or one kilogram.
    pub const UNIT: Self = Self(1000);
    /// The most that one line may move: 1,000,000 units.
    pub const MAX_LINE: Self = Self(1_000_000_000);

    /// A quantity in thousandths.
    pub const fn new(thousandths: i64) -> Self {
        Self(thousandths)
    }

    /// So many whole units; `None` if they are too many to hold.
    pub fn units(units: i64) -> Option<Self> {
        units.checked_mul(Self::UNIT.0).map(Self)
    }

    /// How many whole units it is; `None` if it is not whole.
    pub(crate) fn whole_units(self) -> Option<i64> {
        let is_whole = self.0.checked_rem(Self::UNIT.0) == Some(0);
        self.0.checked_div(Self::UNIT.0).filter(|_| is_whole)
    }

    /// The quantity in thousandths.
    pub const fn thousandths(self) -> i64 {
        self.0
    }

    /// The sum; `None` if it is too large to hold.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// The sum, or the nearest that can be held: for folds, which never fail.
    pub fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference, or the nearest that can be held: for folds, which never fail.
    pub fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

/// As a person writes it: `3`, `1.5`, `-0.25`.
impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = decimal(self.0, 3);
        f.write_str(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

/// A rate in hundredths of a percent: 20 % is 2000.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, TS,
)]
#[serde(transparent)]
#[ts(type = "number")]
pub struct BasisPoints(u32);

impl BasisPoints {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The highest rate there may be: 100 %.
    pub const MAX: Self = Self(10_000);

    /// A rate in hundredths of a percent.
    pub const fn new(points: u32) -> Self {
        Self(points)
    }

    /// The rate in hundredths of a percent.
    pub const fn points(self) -> u32 {
        self.0
    }

    /// Which share one amount is of another, rounded up; 100 % of nothing. Both are not negative.
    pub(crate) fn ratio_rounded_up(part: Money, whole: Money) -> Self {
        let (part, whole) = (i128::from(part.0), i128::from(whole.0));
        let up = whole.saturating_sub(1);
        let points = part.saturating_mul(Self::MAX.0.into()).saturating_add(up).checked_div(whole);
        let points = points.and_then(|points| u32::try_from(points).ok());
        points.map_or(Self::MAX, |points| Self(points.min(Self::MAX.0)))
    }

    /// The share that this one and then `next` of what it leaves are together, rounded up.
    pub(crate) fn and_then_of_the_rest(self, next: Self) -> Self {
        let whole = u64::from(Self::MAX.0);
        let left = |share: Self| whole.saturating_sub(share.0.into());
        let left = left(self).saturating_mul(left(next)).checked_div(whole).unwrap_or_default();
        Self(u32::try_from(whole.saturating_sub(left)).unwrap_or(Self::MAX.0))
    }
}

/// As a person writes it, in percent: `20`, `7.5`.
impl fmt::Display for BasisPoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = decimal(self.0.into(), 2);
        f.write_str(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

/// Whether prices hold their tax or tax comes on top.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum TaxMode {
    /// The price on the shelf is what the customer pays.
    Included,
    /// Tax is added to the price on the shelf.
    Excluded,
}

/// What tax is rounded on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum TaxRounding {
    /// Each line; the tax of a receipt is their sum.
    #[default]
    Line,
    /// All lines of one rate on a receipt together. Each line gets its part of that tax, so that
    /// lines still add up to it.
    Receipt,
}

impl TaxRounding {
    pub(crate) fn is_per_line(&self) -> bool {
        *self == Self::Line
    }
}

/// The smallest coin: what is paid in cash is a multiple of it. 1, 5 or 10 minor units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(try_from = "u8", into = "u8")]
#[ts(type = "1 | 5 | 10")]
pub struct SmallestCoin(u8);

/// Why a number is no [`SmallestCoin`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the smallest coin is 1, 5 or 10 minor units, not {0}")]
pub struct InvalidCoin(u8);

impl SmallestCoin {
    /// A coin of 1, 5 or 10 minor units.
    pub fn new(minor: u8) -> Result<Self, InvalidCoin> {
        match minor {
            1 | 5 | 10 => Ok(Self(minor)),
            _ => Err(InvalidCoin(minor)),
        }
    }

    /// The nearest amount that can be paid in cash, rounded half away from zero; `None` beyond
    /// ±[`Money::MAX`].
    pub fn round(self, amount: Money) -> Option<Money> {
        let coins = scaled(amount.0, 1, self.0.into())?;
        coins.checked_mul(self.0.into()).map(Money).filter(|rounded| rounded.is_exact())
    }

    pub(crate) fn is_one(&self) -> bool {
        self.0 == 1
    }
}

impl Default for SmallestCoin {
    /// One minor unit: nothing is rounded.
    fn default() -> Self {
        Self(1)
    }
}

impl TryFrom<u8> for SmallestCoin {
    type Error = InvalidCoin;

    fn try_from(minor: u8) -> Result<Self, InvalidCoin> {
        Self::new(minor)
    }
}

impl From<SmallestCoin> for u8 {
    fn from(coin: SmallestCoin) -> Self {
        coin.0
    }
}

/// What a line or a receipt comes to. `gross = net + tax`, always.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amounts {
    /// With tax: what is paid.
    pub gross: Money,
    /// Without tax.
    pub net: Money,
    /// The tax.
    pub tax: Money,
}

impl Amounts {
    /// The tax in an amount, or on it, rounded half away from zero to the minor unit.
    pub(crate) fn tax_on(amount: Money, rate: BasisPoints, mode: TaxMode) -> Option<Money> {
        let (rate, whole) = (i64::from(rate.0), i64::from(BasisPoints::MAX.0));
        let whole = match mode {
            TaxMode::Included => whole.checked_add(rate)?,
            TaxMode::Excluded => whole,
        };
        scaled(amount.0, rate, whole).map(Money)
    }

    /// What an amount in the way prices are given comes to, if this is its tax.
    pub(crate) fn of(amount: Money, tax: Money, mode: TaxMode) -> Option<Self> {
        match mode {
            TaxMode::Included => Some(Self { gross: amount, net: amount.checked_sub(tax)?, tax }),
            TaxMode::Excluded => Some(Self { gross: amount.checked_add(tax)?, net: amount, tax }),
        }
    }

    /// What all of them come to; `None` beyond ±[`Money::MAX`].
    pub fn checked_sum(amounts: impl IntoIterator<Item = Self>) -> Option<Self> {
        amounts.into_iter().try_fold(Self::default(), Self::checked_add)
    }

    /// The sum; `None` beyond ±[`Money::MAX`].
    pub fn checked_add(self, other: Self) -> Option<Self> {
        Some(Self {
            gross: self.gross.checked_add(other.gross)?,
            net: self.net.checked_add(other.net)?,
            tax: self.tax.checked_add(other.tax)?,
        })
    }

    /// The difference; `None` beyond ±[`Money::MAX`].
    pub(crate) fn checked_sub(self, other: Self) -> Option<Self> {
        Some(Self {
            gross: self.gross.checked_sub(other.gross)?,
            net: self.net.checked_sub(other.net)?,
            tax: self.tax.checked_sub(other.tax)?,
        })
    }
}

/// A currency by its ISO 4217 code, such as `GBP`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(try_from = "String", into = "String")]
#[ts(type = "string")]
pub struct Currency([u8; 3]);

/// Why a text is not a [`Currency`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no currency; write its three capital letters, such as GBP")]
pub struct InvalidCurrency(String);

impl Currency {
    /// Reads a code of three capital letters. Whether it is a currency's is told by
    /// [`Currency::is_known`], so that what was recorded is read whatever ISO 4217 says by then.
    pub fn new(code: &str) -> Result<Self, InvalidCurrency> {
        match <[u8; 3]>::try_from(code.as_bytes()) {
            Ok(letters) if letters.iter().all(u8::is_ascii_uppercase) => Ok(Self(letters)),
            _ => Err(InvalidCurrency(code.to_owned())),
        }
    }

    /// The three letters.
    pub fn code(&self) -> &str {
        // Only capital letters get in, so this is always text.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Whether ISO 4217 lists it as a currency in which amounts are written: gold is none, and
    /// neither is a code for testing.
    pub fn is_known(&self) -> bool {
        self.listed_decimals().is_some()
    }

    /// How many decimals an amount is written with, as ISO 4217 lists it; 2 if it does not.
    pub fn decimals(&self) -> u32 {
        self.listed_decimals().unwrap_or(2)
    }

    fn listed_decimals(&self) -> Option<u32> {
        iso_currency::Currency::from_code(self.code())?.exponent().map(u32::from)
    }

    /// The most change that a till gives. Nobody gives more cash too much than the largest note is
    /// worth: that is at most 10,000.00, or 10,000,000 where notes of 10,000 and more are common.
    pub fn most_change(&self) -> Money {
        let whole: i64 = match self.code() {
            "ALL" | "AMD" | "AOA" | "ARS" | "BIF" | "CDF" | "CLP" | "COP" | "CRC" | "DJF"
            | "GNF" | "HUF" | "IDR" | "IQD" | "IRR" | "ISK" | "JPY" | "KHR" | "KMF" | "KRW"
            | "KZT" | "LAK" | "LBP" | "MGA" | "MMK" | "MNT" | "PYG" | "RWF" | "SLL" | "SOS"
            | "SSP" | "SYP" | "TZS" | "UGX" | "UZS" | "VES" | "VND" | "VUV" | "XAF" | "XOF"
            | "XPF" | "YER" => 10_000_000,
            _ => 10_000,
        };
        Money(whole.saturating_mul(10_i64.saturating_pow(self.decimals())))
    }

    /// An amount as a person writes it, without the currency's sign: `12.50`.
    pub fn format(&self, amount: Money) -> String {
        decimal(amount.0, self.decimals())
    }
}

impl TryFrom<String> for Currency {
    type Error = InvalidCurrency;

    fn try_from(code: String) -> Result<Self, InvalidCurrency> {
        Self::new(&code)
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.code().to_owned()
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// `value × numerator ÷ denominator`, rounded half away from zero; `None` if the denominator is
/// not positive or the result too large.
fn scaled(value: i64, numerator: i64, denominator: i64) -> Option<i64> {
    let denominator = i128::from(u64::try_from(denominator).ok()?);
    let product = i128::from(value).checked_mul(i128::from(numerator))?;
    // Truncating (2p ± d) / 2d is rounding p / d half away from zero.
    let half = product.signum().checked_mul(denominator)?;
    let half_added = product.checked_mul(2)?.checked_add(half)?;
    i64::try_from(half_added.checked_div(denominator.checked_mul(2)?)?).ok()
}

/// `value` in proportion to the weights, which are not negative: each gets its share rounded towards
/// zero, and what is left over goes, one by one, to those from whom rounding took most, the first
/// if it took the same. So the shares always add up to `value`. Without any weight the first takes
/// it all.
pub(crate) fn spread(value: i64, weights: &[i64]) -> Vec<i64> {
    let whole = weights.iter().fold(0_i128, |sum, weight| sum.saturating_add((*weight).into()));
    let (mut shares, mut lost) = (Vec::with_capacity(weights.len()), Vec::new());
    for (index, weight) in weights.iter().enumerate() {
        let product = i128::from(value).saturating_mul((*weight).into());
        let share = product.checked_div(whole).and_then(|share| i64::try_from(share).ok());
        shares.push(share.unwrap_or_default());
        lost.push((product.checked_rem(whole).unwrap_or_default().saturating_abs(), index));
    }
    let shared = shares.iter().fold(0_i64, |sum, share| sum.saturating_add(*share));
    let mut left_over = value.saturating_sub(shared);
    if whole == 0 {
        if let Some(first) = shares.first_mut() {
            *first = value;
        }
        return shares;
    }
    lost.sort_by_key(|&(lost, index)| (std::cmp::Reverse(lost), index));
    for (_, index) in lost {
        let one = left_over.signum();
        if let Some(share) = shares.get_mut(index) {
            *share = share.saturating_add(one);
        }
        left_over = left_over.saturating_sub(one);
    }
    shares
}

/// A whole number written with its last `decimals` digits behind a dot.
fn decimal(value: i64, decimals: u32) -> String {
    let sign = if value < 0 { "-" } else { "" };
    let unit = 10_u64.saturating_pow(decimals);
    let magnitude = value.unsigned_abs();
    let whole = magnitude.checked_div(unit).unwrap_or(magnitude);
    match magnitude.checked_rem(unit) {
        Some(rest) if decimals > 0 => {
            format!("{sign}{whole}.{rest:0width$}", width = decimals as usize)
        }
        _ => format!("{sign}{whole}"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(price: i64, thousandths: i64, rate: u32, mode: TaxMode) -> (i64, i64, i64) {
        let line = (Money::new(price), Quantity::new(thousandths), BasisPoints::new(rate));
        let line = Amounts::of_cart([line], mode, TaxRounding::Line).unwrap();
        (line.gross.minor(), line.net.minor(), line.tax.minor())
    }

    #[test]
    fn a_line_is_rounded_half_away_from_zero() {
        assert_eq!(Money::new(3).times(Quantity::new(500)), Some(Money::new(2)));
        assert_eq!(Money::new(-3).times(Quantity::new(500)), Some(Money::new(-2)));
        assert_eq!(Money::new(3).times(Quantity::new(499)), Some(Money::new(1)));
        assert_eq!(Money::new(255).times(Quantity::new(6000)), Some(Money::new(1530)));
    }

    #[test]
    fn tax_is_inside_the_price_or_on_top_of_it() {
        assert_eq!(line(120, 1000, 2000, TaxMode::Included), (120, 100, 20));
        assert_eq!(line(100, 1000, 2000, TaxMode::Excluded), (120, 100, 20));
        assert_eq!(line(99, 1000, 2000, TaxMode::Included), (99, 82, 17)); // 16.5 rounds up
        assert_eq!(line(99, 1000, 0, TaxMode::Included), (99, 99, 0));
    }

    #[test]
    fn what_is_too_large_is_none_and_never_wraps() {
        assert_eq!(Money::MAX.checked_add(Money::new(1)), None);
        assert_eq!(Money::new(i64::MIN).checked_sub(Money::new(1)), None);
        assert_eq!(Money::new(i64::MAX).times(Quantity::new(i64::MAX)), None);
        assert!(Money::MAX_PRICE.times(Quantity::MAX_LINE).is_some());
        assert_eq!(Quantity::units(i64::MAX), None);
    }

    #[test]
    fn numbers_read_as_people_write_them() {
        let texts: Vec<String> = [3000, 1500, -250, 0].map(|n| Quantity::new(n).to_string()).into();
        assert_eq!(texts, ["3", "1.5", "-0.25", "0"]);
        let pounds = Currency::new("GBP").unwrap();
        assert_eq!(pounds.format(Money::new(-5)), "-0.05");
        assert_eq!(Currency::new("JPY").unwrap().format(Money::new(1200)), "1200");
        assert!(Currency::new("gbp").is_err());
        let decimals = |code| Currency::new(code).unwrap().decimals();
        assert_eq!(["GBP", "JPY", "KWD", "CLF", "XYZ"].map(decimals), [2, 0, 3, 4, 2]);
    }

    #[test]
    fn cash_is_rounded_to_the_smallest_coin_half_away_from_zero() {
        let round = |coin, minor| SmallestCoin::new(coin).unwrap().round(Money::new(minor));
        for (coin, minor, rounded) in
            [(1, 103, 103), (5, 102, 100), (5, 103, 105), (10, 105, 110), (10, -105, -110)]
        {
            assert_eq!(round(coin, minor), Some(Money::new(rounded)));
        }
        assert_eq!(SmallestCoin::new(2), Err(InvalidCoin(2)));
    }

    #[test]
    fn what_is_left_over_goes_to_whom_rounding_took_most() {
        assert_eq!(spread(100, &[1, 1, 1]), [34, 33, 33]);
        assert_eq!(spread(10, &[65, 25, 10]), [7, 2, 1]); // 6.5, 2.5, 1: the first of two halves
        assert_eq!(spread(-100, &[1, 1, 1]), [-34, -33, -33]);
        assert_eq!((spread(7, &[0, 0]), spread(0, &[])), (vec![7, 0], vec![]));
    }

    proptest! {
        #[test]
        fn shares_add_up_and_each_is_within_one_of_its_part(
            value in -1_000_000_i64..1_000_000,
            weights in prop::collection::vec(0_i64..1_000, 1..6),
        ) {
            let shares = spread(value, &weights);
            prop_assert_eq!(shares.iter().sum::<i64>(), value);
            let sum: i64 = weights.iter().sum();
            for (share, weight) in shares.iter().zip(&weights).filter(|_| sum > 0) {
                prop_assert!((share * sum - value * weight).abs() < sum);
            }
        }

        #[test]
        fn a_line_adds_up_and_is_within_half_a_unit_of_the_exact_value(
            price in 0..=Money::MAX_PRICE.minor(),
            thousandths in 0..=Quantity::MAX_LINE.thousandths(),
            rate in 0..=10_000_u32,
            included: bool,
        ) {
            let mode = if included { TaxMode::Included } else { TaxMode::Excluded };
            let (gross, net, tax) = line(price, thousandths, rate, mode);
            prop_assert_eq!(gross, net + tax);
            let amount = if included { gross } else { net };
            let off = i128::from(price) * i128::from(thousandths) - i128::from(amount) * 1000;
            prop_assert!(off.abs() <= 500);
            let whole = if included { 10_000 + i128::from(rate) } else { 10_000 };
            let off = i128::from(amount) * i128::from(rate) - i128::from(tax) * whole;
            prop_assert!(off.abs() * 2 <= whole);
        }
    }
}
