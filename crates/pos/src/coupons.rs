//! Coupons: each makes one sale cheaper, once.

use std::collections::HashSet;

use dcb::{DecisionProjection, Query};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::calendar::BusinessDay;
use crate::command::{Command, Context};
use crate::discounts::Discount;
use crate::event::{CouponIssued, CouponRedeemed, CouponVoided, Recorded, ShopEvent};
use crate::ids::{CouponId, ProductId};
use crate::input;
use crate::permission::Permission;
use crate::refusal::{Evidence, NextAction, Refusal, RefusalCode};

/// Hands out coupons that are all worth the same: all of them, or none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IssueCoupons {
    /// Their codes, at most [`MAX_LINES`](crate::MAX_LINES).
    pub coupons: Vec<CouponId>,
    /// What each takes off.
    pub discount: Discount,
    /// The product they are for; without one they are for the whole sale.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub product: Option<ProductId>,
    /// The last business day on which they count, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub until: Option<BusinessDay>,
}

/// Declares a coupon void, because it was lost or copied.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VoidCoupon {
    /// Its code.
    pub coupon: CouponId,
    /// Why; may be empty.
    pub reason: String,
}

/// What is known of a coupon.
#[derive(Clone, Debug, Default)]
pub struct CouponState {
    issued: Option<CouponIssued>,
    /// Why it counts no more, if it does not.
    spent: Option<Spent>,
    evidence: Evidence,
}

#[derive(Clone, Copy, Debug)]
enum Spent {
    Redeemed,
    Voided,
}

/// A coupon to redeem or to void: what ends it conflicts, what issues it can only help.
pub(crate) fn coupon_of(coupon: &CouponId) -> DecisionProjection<CouponState> {
    whole_life_of(coupon)
        .conflicts_with(Query::tagged([CouponRedeemed::TYPE, CouponVoided::TYPE], coupon.tag()))
}

fn whole_life_of(coupon: &CouponId) -> DecisionProjection<CouponState> {
    let types = [CouponIssued::TYPE, CouponRedeemed::TYPE, CouponVoided::TYPE];
    let query = Query::tagged(types, coupon.tag());
    DecisionProjection::new(CouponState::default(), query, |state: &mut CouponState, event| {
        match ShopEvent::decode(event) {
            Some(ShopEvent::CouponIssued(e)) => state.issued = Some(e),
            Some(ShopEvent::CouponRedeemed(_)) => state.spent = Some(Spent::Redeemed),
            Some(ShopEvent::CouponVoided(_)) => state.spent = Some(Spent::Voided),
            _ => return,
        }
        state.evidence.push(event.position);
    })
    .named("coupon", 1, coupon)
}

impl CouponState {
    /// What was issued, if it still counts.
    pub(crate) fn allow(
        &self,
        coupon: &CouponId,
        today: BusinessDay,
    ) -> Result<&CouponIssued, Refusal> {
        let refused = |code, message: String| {
            let refusal = Refusal::new(code, message).because(&self.evidence);
            Err(refusal.left(0).action(NextAction::RemoveCoupon))
        };
        let Some(issued) = &self.issued else {
            let message = format!("There is no coupon {coupon}. Remove it.");
            return refused(RefusalCode::CouponUnknown, message);
        };
        match (self.spent, issued.until.filter(|until| today > *until)) {
            (Some(Spent::Redeemed), _) => {
                let message = format!("The coupon {coupon} was redeemed before. Remove it.");
                refused(RefusalCode::CouponSpent, message)
            }
            (Some(Spent::Voided), _) => {
                let message = format!("The coupon {coupon} was declared void. Remove it.");
                refused(RefusalCode::CouponSpent, message)
            }
            (None, Some(until)) => {
                let message = format!("The coupon {coupon} counted until {until}. Remove it.");
                refused(RefusalCode::CouponExpired, message)
            }
            (None, None) => Ok(issued),
        }
    }
}

impl Command for IssueCoupons {
    const NAME: &'static str = "issue_coupons";
    const PERMISSION: Permission = Permission::ManageProducts;
    type Model = Vec<DecisionProjection<CouponState>>;
    type Answer = ();

    fn model(&self, context: &Context<'_>) -> Result<Self::Model, Refusal> {
        input::lines(self.coupons.len())?;
        self.discount.check()?;
        self.product.as_ref().map_or(Ok(()), |id| context.catalogue.known(id).map(|_| ()))?;
        let mut seen = HashSet::new();
        if let Some(index) = self.coupons.iter().position(|coupon| !seen.insert(coupon)) {
            let message = "Another coupon here has the same code. Correct one of them.";
            return Err(input::invalid(message).line(input::line_number(index)));
        }
        Ok(self.coupons.iter().map(whole_life_of).collect())
    }

    fn decide(
        &self,
        states: &Vec<CouponState>,
        _context: &Context<'_>,
    ) -> Result<Vec<ShopEvent>, Refusal> {
        let coupons = self.coupons.iter().zip(states).enumerate();
        let issued = coupons.map(|(index, (coupon, state))| {
            if state.issued.is_some() {
                let message = format!("The coupon {coupon} was issued before. Use another code.");
                return Err(Refusal::new(RefusalCode::CouponTaken, message)
                    .line(input::line_number(index))
                    .action(NextAction::CorrectInput)
                    .because(&state.evidence));
            }
            let Self { discount, product, until, .. } = self.clone();
            Ok(CouponIssued { coupon: coupon.clone(), discount, product, until }.into())
        });
        issued.collect()
    }

    fn answer(recorded: &[Recorded]) -> Option<()> {
        matches!(recorded, [Recorded { event: ShopEvent::CouponIssued(_), .. }, ..]).then_some(())
    }
}

impl Command for VoidCoupon {
    const NAME: &'static str = "void_coupon";
    const PERMISSION: Permission = Permission::BlockValue;
    type Model = DecisionProjection<CouponState>;
    type Answer = ();

    fn model(&self, _context: &Context<'_>) -> Result<Self::Model, Refusal> {
        input::optional("reason", Some(&self.reason), input::MAX_TEXT_CHARS)?;
        Ok(coupon_of(&self.coupon))
    }

    fn decide(
        &self,
        state: &CouponState,
        context: &Context<'_>,
    ) -> Result<Vec<ShopEvent>, Refusal> {
        // One that has run out may still be voided: nobody relies on it any more.
        let today = state.issued.as_ref().and_then(|issued| issued.until);
        let today = today.unwrap_or(context.settings()?.business_day(context.at));
        state.allow(&self.coupon, today)?;
        let Self { coupon, reason } = self.clone();
        Ok(vec![CouponVoided { coupon, reason }.into()])
    }

    fn answer(recorded: &[Recorded]) -> Option<()> {
        matches!(recorded, [Recorded { event: ShopEvent::CouponVoided(_), .. }]).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use dcb::testing::given;
    use dcb::{Event, MemoryStore};

    use super::*;
    use crate::Checkout;
    use crate::money::{BasisPoints, Money};
    use crate::payment::Tender;
    use crate::testing::{
        Actor, Interrupted, act, at, cart, day, happened, of_request, open_shop, open_shop_and,
        refusal, stored,
    };

    fn code(code: &str) -> CouponId {
        CouponId::new(code).unwrap()
    }

    fn issued(coupon: &str) -> CouponIssued {
        CouponIssued {
            coupon: code(coupon),
            discount: Discount::Amount(Money::new(50)),
            product: None,
            until: Some(day("2026-03-02")),
        }
    }

    fn issue(coupons: &[&str]) -> IssueCoupons {
        let CouponIssued { discount, product, until, .. } = issued("X");
        IssueCoupons {
            coupons: coupons.iter().map(|c| code(c)).collect(),
            discount,
            product,
            until,
        }
    }

    fn void(coupon: &str) -> VoidCoupon {
        VoidCoupon { coupon: code(coupon), reason: "copied".into() }
    }

    fn shop() -> Vec<Event> {
        open_shop_and([happened(issued("C1")), happened(issued("C2"))])
    }

    fn buy(id: &str, coupons: &[&str]) -> Checkout {
        let coupons = coupons.iter().map(|coupon| code(coupon)).collect();
        Checkout { coupons, ..cart(&[(id, 1)], &[(Tender::Cash, 900)]) }
    }

    #[test]
    fn coupons_are_issued_all_or_none() {
        let events = [issued("C1").into(), issued("C2").into()];
        given(open_shop()).when(act(issue(&["c1", "C2"]))).then_recorded(of_request(events));
        for (coupons, code, line) in [
            (&[][..], RefusalCode::Empty, None),
            (&["C3", "C3"], RefusalCode::InvalidInput, Some(2)),
            (&["C3", "C1"], RefusalCode::CouponTaken, Some(2)),
        ] {
            let refusal = refusal(given(shop()).when(act(issue(coupons))).then_refused());
            assert_eq!((refusal.code, refusal.details.line), (code, line));
        }
    }

    #[test]
    fn a_coupon_makes_one_sale_cheaper_once() {
        let store = stored(&shop());
        let receipt = at("T1", 1).act(&store, &buy("A", &["C1"])).unwrap().answer;
        assert_eq!((receipt.gross.minor(), receipt.change.minor()), (70, 830));
        let refused = refusal(at("T2", 2).act(&store, &buy("B", &["C1"])).unwrap_err());
        assert_eq!(refused.code, RefusalCode::CouponSpent);
        assert_eq!(refused.message, "The coupon C1 was redeemed before. Remove it.");
        assert_eq!(refused.details.action, Some(NextAction::RemoveCoupon));
        assert_eq!(refused.details.because.positions().len(), 2);
        let receipt = at("T2", 3).act(&store, &buy("B", &["C2"])).unwrap().answer;
        assert_eq!(receipt.gross.minor(), 49);
    }

    #[test]
    fn coupons_take_no_more_than_there_is_and_each_only_once_a_sale() {
        let store = stored(&open_shop_and([
            happened(CouponIssued {
                discount: Discount::Percent(BasisPoints::new(10_000)),
                product: Some(crate::testing::sku("A")),
                ..issued("FREE")
            }),
            happened(issued("C1")),
        ]));
        let twice = refusal(at("T1", 1).act(&store, &buy("A", &["C1", "C1"])).unwrap_err());
        assert_eq!(twice.code, RefusalCode::InvalidInput);
        let useless = refusal(at("T1", 2).act(&store, &buy("B", &["FREE"])).unwrap_err());
        assert_eq!(useless.code, RefusalCode::NothingToReduce);
        let receipt = at("T1", 3).act(&store, &buy("A", &["FREE"])).unwrap().answer;
        assert_eq!((receipt.gross, receipt.change.minor()), (Money::ZERO, 900));
    }

    #[test]
    fn a_coupon_that_is_void_unknown_or_too_old_does_not_count() {
        let store = stored(&shop());
        at("T1", 1).act(&store, &void("C1")).unwrap();
        let refused = |actor: Actor, coupon| {
            refusal(actor.act(&store, &buy("A", &[coupon])).unwrap_err()).code
        };
        assert_eq!(refused(at("T1", 2), "C1"), RefusalCode::CouponSpent);
        assert_eq!(refused(at("T1", 3), "NONE"), RefusalCode::CouponUnknown);
        let late = Actor { at: "2026-03-03T10:00:00Z".parse().unwrap(), ..at("T1", 4) };
        assert_eq!(refused(late, "C2"), RefusalCode::CouponExpired);
        let again = refusal(at("T1", 5).act(&store, &void("C1")).unwrap_err());
        assert_eq!(again.code, RefusalCode::CouponSpent);
    }

    #[test]
    fn the_same_coupon_conflicts_and_others_do_not() {
        let conflicts = |rival: &dyn Fn(&MemoryStore)| {
            let store = stored(&shop());
            let mine = Interrupted::new(buy("A", &["C1"]), || rival(&store));
            let done = at("T1", 1).act(&store, &mine);
            done.map(|done| done.trace.conflicts()).map_err(|rejected| refusal(rejected).code)
        };
        let redeem = |coupon: &'static str| {
            move |store: &MemoryStore| {
                drop(at("T2", 2).act(store, &buy("B", &[coupon])).unwrap());
            }
        };
        assert_eq!(conflicts(&redeem("C1")), Err(RefusalCode::CouponSpent));
        assert_eq!(conflicts(&redeem("C2")), Ok(0));
        let void = |store: &MemoryStore| drop(at("T2", 2).act(store, &void("C1")).unwrap());
        assert_eq!(conflicts(&void), Err(RefusalCode::CouponSpent));
        let issue = |store: &MemoryStore| drop(at("T2", 2).act(store, &issue(&["C3"])).unwrap());
        assert_eq!(conflicts(&issue), Ok(0));
    }
}
