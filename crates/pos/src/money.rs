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
    /// The amounts of a line: `quantity` at `price`, of which or on which `rate` is tax. The line
    /// is rounded, then its tax; `None` beyond ±[`Money::MAX`].
    pub fn of_line(
        price: Money,
        quantity: Quantity,
        rate: BasisPoints,
        mode: TaxMode,
    ) -> Option<Self> {
        let amount = price.times(quantity)?;
        let (rate, whole) = (i64::from(rate.0), i64::from(BasisPoints::MAX.0));
        match mode {
            TaxMode::Included => {
                let tax = Money(scaled(amount.0, rate, whole.checked_add(rate)?)?);
                Some(Self { gross: amount, net: amount.checked_sub(tax)?, tax })
            }
            TaxMode::Excluded => {
                let tax = Money(scaled(amount.0, rate, whole)?);
                Some(Self { gross: amount.checked_add(tax)?, net: amount, tax })
            }
        }
    }

    /// The sum; `None` beyond ±[`Money::MAX`].
    pub fn checked_add(self, other: Self) -> Option<Self> {
        Some(Self {
            gross: self.gross.checked_add(other.gross)?,
            net: self.net.checked_add(other.net)?,
            tax: self.tax.checked_add(other.tax)?,
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
    /// Reads a code of three capital letters. That it is in use is not checked.
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

    /// How many decimals an amount is written with: 2, but for the currencies that ISO 4217 gives
    /// another number.
    pub fn decimals(&self) -> u32 {
        match self.code() {
            "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF"
            | "UGX" | "UYI" | "VND" | "VUV" | "XAF" | "XOF" | "XPF" => 0,
            "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
            "CLF" | "UYW" => 4,
            _ => 2,
        }
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
        let (price, quantity) = (Money::new(price), Quantity::new(thousandths));
        let line = Amounts::of_line(price, quantity, BasisPoints::new(rate), mode).unwrap();
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
    }

    proptest! {
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
