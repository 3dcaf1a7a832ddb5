//! Loyalty: customers earn points by what they pay, and pay with points.

use dcb::{DecisionProjection, EventStore, Query, StoreError, build_decision_model};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::event::{PointsEarned, PointsRedeemed, PointsReturned, PointsReversed, ShopEvent};
use crate::ids::CustomerId;
use crate::input;
use crate::money::Money;
use crate::refusal::{Evidence, NextAction, Refusal, RefusalCode};

/// How customers earn points, and what a point is worth.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Loyalty {
    /// For each of these amounts that a sale comes to there is a point; what is less is not
    /// counted.
    pub spend_per_point: Money,
    /// What a point takes off a sale, in the way prices are given.
    pub point_value: Money,
}

impl Loyalty {
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        let makes_sense = |amount: Money| amount > Money::ZERO && amount <= Money::MAX_PRICE;
        match makes_sense(self.spend_per_point) && makes_sense(self.point_value) {
            true => Ok(()),
            false => Err(input::invalid("Points are earned and worth more than 0. Correct it.")),
        }
    }

    /// The points that a sale of this total earns.
    pub(crate) fn earned_by(&self, total: Money) -> i64 {
        total.minor().checked_div(self.spend_per_point.minor()).unwrap_or_default().max(0)
    }

    /// What points are worth; `None` beyond [`Money::MAX`].
    pub(crate) fn worth(&self, points: i64) -> Option<Money> {
        let minor = self.point_value.minor().checked_mul(points)?;
        Some(Money::new(minor)).filter(|worth| *worth <= Money::MAX)
    }
}

/// A customer's points.
#[derive(Clone, Debug, Default)]
pub struct Points {
    balance: i64,
    evidence: Evidence,
}

/// What a customer may redeem: redeeming, and taking back by a refund, conflict; earning, and
/// giving back by a refund, can only help.
pub(crate) fn points_of(customer: &CustomerId) -> DecisionProjection<Points> {
    let less = Query::tagged([PointsRedeemed::TYPE, PointsReversed::TYPE], customer.tag());
    let more = Query::tagged([PointsEarned::TYPE, PointsReturned::TYPE], customer.tag());
    let query = less.clone().or(more);
    DecisionProjection::new(Points::default(), query, |points: &mut Points, event| {
        let change = match ShopEvent::decode(event) {
            Some(ShopEvent::PointsEarned(e)) => e.points,
            Some(ShopEvent::PointsReturned(e)) => e.points,
            Some(ShopEvent::PointsRedeemed(e)) => e.points.saturating_neg(),
            Some(ShopEvent::PointsReversed(e)) => e.points.saturating_neg(),
            _ => return,
        };
        points.balance = points.balance.saturating_add(change);
        points.evidence.push(event.position);
    })
    .named("points", 1, customer)
    .conflicts_with(less)
}

impl Points {
    /// The points that a customer has now. Negative if a refund took back what was redeemed.
    pub fn balance(
        store: &(impl EventStore + ?Sized),
        customer: &CustomerId,
    ) -> Result<i64, StoreError> {
        Ok(build_decision_model(store, &points_of(customer))?.state.balance)
    }

    /// Refuses to redeem more points than there are.
    pub(crate) fn allow(&self, points: i64) -> Result<(), Refusal> {
        if points <= self.balance {
            return Ok(());
        }
        let left = self.balance.max(0);
        let message = format!("This customer has {left} points. Redeem no more.");
        Err(Refusal::new(RefusalCode::NotEnoughPoints, message)
            .left(left)
            .action(NextAction::ReducePoints)
            .because(&self.evidence))
    }
}

#[cfg(test)]
mod tests {
    use dcb::{Event, EventStore, MemoryStore};

    use super::*;
    use crate::event::ShopConfigured;
    use crate::ids::SaleId;
    use crate::payment::Tender;
    use crate::testing::{
        Interrupted, at, cart, customer, happened, open_shop_and, refusal, settings, stored,
        with_customers,
    };
    use crate::{Checkout, ShopSettings};

    const POUND: Loyalty = Loyalty { spend_per_point: Money::new(100), point_value: Money::new(2) };

    fn earned(who: &str, points: i64) -> Event {
        let sale = SaleId::new("old").unwrap();
        happened(PointsEarned { customer: customer(who), sale, points })
    }

    /// A point for each pound, worth 2p; customer 7 has 30 of them.
    fn shop() -> MemoryStore {
        let settings = ShopSettings { loyalty: Some(POUND), ..settings() };
        let past = open_shop_and([happened(ShopConfigured { settings }), earned("7", 30)]);
        stored(&with_customers(past))
    }

    fn buy(who: &str, line: (&str, i64), points: i64) -> Checkout {
        Checkout {
            customer: Some(customer(who)),
            redeem_points: points,
            ..cart(&[line], &[(Tender::Cash, 9_000)])
        }
    }

    #[test]
    fn a_customer_earns_a_point_for_each_whole_amount() {
        let store = shop();
        at("T1", 1).act(&store, &buy("8", ("A", 4), 0)).unwrap(); // 4.80
        assert_eq!(Points::balance(&store, &customer("8")).unwrap(), 4);
        at("T1", 2).act(&store, &buy("8", ("B", 1), 0)).unwrap(); // 0.99
        assert_eq!(Points::balance(&store, &customer("8")).unwrap(), 4);
        at("T1", 3).act(&store, &cart(&[("A", 1)], &[(Tender::Cash, 900)])).unwrap();
    }

    #[test]
    fn points_are_paid_with_as_long_as_there_are_any() {
        let store = shop();
        let receipt = at("T1", 1).act(&store, &buy("7", ("A", 1), 20)).unwrap().answer;
        assert_eq!(receipt.gross.minor(), 120 - 40);
        let refused = refusal(at("T1", 2).act(&store, &buy("7", ("A", 1), 11)).unwrap_err());
        assert_eq!(refused.code, RefusalCode::NotEnoughPoints);
        assert_eq!(refused.message, "This customer has 10 points. Redeem no more.");
        assert_eq!(
            (refused.details.left, refused.details.because.positions().len()),
            (Some(10), 2)
        );
        at("T1", 3).act(&store, &buy("7", ("A", 1), 10)).unwrap();
    }

    #[test]
    fn points_that_make_no_sense_are_refused() {
        let store = shop();
        let code = |checkout| refusal(at("T1", 1).act(&store, &checkout).unwrap_err()).code;
        assert_eq!(code(buy("7", ("A", 1), -1)), RefusalCode::InvalidInput);
        assert_eq!(
            code(Checkout { customer: None, ..buy("7", ("A", 1), 1) }),
            RefusalCode::CustomerNeeded
        );
        let more_than_the_sale =
            refusal(at("T1", 1).act(&store, &buy("7", ("B", 1), 50)).unwrap_err());
        assert_eq!(more_than_the_sale.code, RefusalCode::NotEnoughPoints);
        store.append(&[earned("7", 99)], None).unwrap();
        assert_eq!(code(buy("7", ("B", 1), 51)), RefusalCode::NothingToReduce);
    }

    #[test]
    fn two_redemptions_conflict_and_earning_does_not() {
        let conflicts = |rival: Checkout| {
            let store = shop();
            let rival = || drop(at("T2", 2).act(&store, &rival).unwrap());
            let mine = Interrupted::new(buy("7", ("A", 1), 20), rival);
            let done = at("T1", 1).act(&store, &mine);
            done.map(|done| done.trace.conflicts()).map_err(|rejected| refusal(rejected).code)
        };
        assert_eq!(conflicts(buy("7", ("B", 1), 10)), Ok(1));
        assert_eq!(conflicts(buy("7", ("B", 1), 11)), Err(RefusalCode::NotEnoughPoints));
        assert_eq!(conflicts(buy("7", ("B", 3), 0)), Ok(0));
        assert_eq!(conflicts(buy("8", ("B", 3), 0)), Ok(0));
    }
}
