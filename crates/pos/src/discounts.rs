//! Discounts: less than the price, on a line or on a whole sale, as far as a role may go.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::input::{self, MAX_TEXT_CHARS};
use crate::money::{BasisPoints, Money};
use crate::refusal::Refusal;

/// What is taken off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum Discount {
    /// A share in basis points: 10 % is 1000.
    Percent(BasisPoints),
    /// An amount in minor units, in the way prices are given.
    Amount(Money),
}

/// A discount that somebody gives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GivenDiscount {
    /// What is taken off.
    pub off: Discount,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub reason: Option<String>,
}

impl Discount {
    /// Refuses what is no discount: more than 0, at most 100 % or [`Money::MAX_PRICE`].
    pub(crate) fn check(self) -> Result<(), Refusal> {
        let makes_sense = match self {
            Self::Percent(share) => share > BasisPoints::ZERO && share <= BasisPoints::MAX,
            Self::Amount(amount) => amount > Money::ZERO && amount <= Money::MAX_PRICE,
        };
        match makes_sense {
            true => Ok(()),
            false => {
                Err(input::invalid("A discount is more than 0 and at most 100 %. Correct it."))
            }
        }
    }

    /// What it takes off an amount that is not negative: never more than that.
    pub(crate) fn taken_off(self, whole: Money) -> Option<Money> {
        match self {
            Self::Percent(share) => whole.share(share),
            Self::Amount(amount) => Some(amount.min(whole)),
        }
    }

    /// Which share of an amount it is, rounded up.
    fn share_of(self, whole: Money) -> BasisPoints {
        match self {
            Self::Percent(share) => share,
            Self::Amount(amount) => BasisPoints::ratio_rounded_up(amount.min(whole), whole),
        }
    }
}

impl GivenDiscount {
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        self.off.check()?;
        input::optional("reason", self.reason.as_deref(), MAX_TEXT_CHARS)
    }
}

/// Which share of its price a line gives away by the discount on itself and then by the one on the
/// whole sale, rounded up: what a role's limit is compared with. Promotions, coupons and points are
/// nobody's gift and don't count.
pub(crate) fn share_given(
    (line, of_line): (Option<Discount>, Money),
    (whole, of_whole): (Option<Discount>, Money),
) -> BasisPoints {
    let share = |discount: Option<Discount>, of| {
        discount.map_or(BasisPoints::ZERO, |discount| discount.share_of(of))
    };
    share(line, of_line).and_then_of_the_rest(share(whole, of_whole))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::refusal::RefusalCode;

    const fn percent(points: u32) -> Discount {
        Discount::Percent(BasisPoints::new(points))
    }

    const fn amount(minor: i64) -> Discount {
        Discount::Amount(Money::new(minor))
    }

    #[test]
    fn a_discount_takes_off_a_share_or_an_amount_but_never_more_than_there_is() {
        let off =
            |discount: Discount, whole| discount.taken_off(Money::new(whole)).unwrap().minor();
        assert_eq!((off(percent(1000), 995), off(percent(1000), 994)), (100, 99));
        assert_eq!((off(amount(50), 120), off(amount(500), 120)), (50, 120));
        assert_eq!((off(percent(10_000), 7), off(amount(1), 0)), (7, 0));
    }

    #[test]
    fn what_is_no_discount_is_refused() {
        for odd in [percent(0), percent(10_001), amount(0), amount(-1), amount(1_000_000_000)] {
            assert_eq!(odd.check().unwrap_err().code, RefusalCode::InvalidInput);
        }
    }

    #[test]
    fn discounts_on_a_line_and_on_the_sale_add_up_against_the_limit() {
        let hundred = Money::new(100);
        let share = |line, whole| share_given((line, hundred), (whole, Money::new(300))).points();
        assert_eq!(share(None, None), 0);
        assert_eq!(share(Some(percent(1000)), None), 1000);
        assert_eq!(share(Some(amount(1)), None), 100);
        assert_eq!(share(Some(percent(1000)), Some(percent(1000))), 1900);
        assert_eq!(share(None, Some(amount(100))), 3334); // a third, rounded up
        assert_eq!(share(Some(percent(10_000)), Some(percent(1))), 10_000);
    }

    #[test]
    fn a_discount_reads_as_a_person_would_say_it() {
        let text = r#"{"off":{"percent":1000},"reason":"damaged"}"#;
        let discount: GivenDiscount = serde_json::from_str(text).unwrap();
        assert_eq!(discount.off, percent(1000));
        assert_eq!(serde_json::to_string(&discount).unwrap(), text);
    }
}
