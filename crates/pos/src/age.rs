//! Age checks: what may be sold only to who is old enough, and that somebody made sure of it.

use dcb::{DecisionProjection, Query};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::catalogue::Product;
use crate::command::{Command, Context, NoHistory, no_history};
use crate::event::{AgeRuleSet, Recorded, ShopEvent};
use crate::ids::ProductId;
use crate::input;
use crate::permission::Permission;
use crate::refusal::{Evidence, NextAction, Refusal, RefusalCode};

/// The highest age that can be asked for.
pub const MAX_AGE: u8 = 120;

/// Restricts a product to who is old enough; without an age everybody may have it again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SetAgeRule {
    /// The product.
    pub product: ProductId,
    /// The least age in years: 1 to [`MAX_AGE`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub minimum_age: Option<u8>,
}

impl Command for SetAgeRule {
    const NAME: &'static str = "set_age_rule";
    const PERMISSION: Permission = Permission::ManageProducts;
    type Model = NoHistory;
    type Answer = ();

    fn model(&self, context: &Context<'_>) -> Result<Self::Model, Refusal> {
        context.catalogue.known(&self.product)?;
        self.minimum_age.map_or(Ok(()), check).map_err(|r| r.product(&self.product))?;
        Ok(no_history())
    }

    fn decide(&self, _: &Vec<()>, _context: &Context<'_>) -> Result<Vec<ShopEvent>, Refusal> {
        let Self { product, minimum_age } = self.clone();
        Ok(vec![AgeRuleSet { product, minimum_age }.into()])
    }

    fn answer(recorded: &[Recorded]) -> Option<()> {
        matches!(recorded, [Recorded { event: ShopEvent::AgeRuleSet(_), .. }]).then_some(())
    }
}

/// Refuses what is no age.
pub(crate) fn check(age: u8) -> Result<(), Refusal> {
    match age {
        1..=MAX_AGE => Ok(()),
        _ => Err(input::invalid(format!("An age is 1 to {MAX_AGE} years, not {age}. Correct it."))),
    }
}

/// A product's age rule as it was last set.
#[derive(Clone, Debug, Default)]
pub struct AgeRule {
    minimum: Option<u8>,
    evidence: Evidence,
}

/// The age rule of a product: only another rule for it conflicts.
pub(crate) fn age_rule_of(product: &ProductId) -> DecisionProjection<AgeRule> {
    let query = Query::tagged([AgeRuleSet::TYPE], product.tag());
    DecisionProjection::last(AgeRule::default(), query, |event| match ShopEvent::decode(event) {
        Some(ShopEvent::AgeRuleSet(e)) => {
            Some(AgeRule { minimum: e.minimum_age, evidence: Evidence::only(event.position) })
        }
        _ => None,
    })
    .named("age_rule", 1, product)
}

impl AgeRule {
    /// Refuses a product to a customer of whom nobody made sure that they are old enough.
    pub(crate) fn allow(&self, product: &Product, checked: Option<u8>) -> Result<(), Refusal> {
        let Some(minimum) = self.minimum.filter(|minimum| checked.is_none_or(|a| a < *minimum))
        else {
            return Ok(());
        };
        let name = &product.name;
        let message = format!("{name} is only for {minimum} years and over. Check the age.");
        Err(Refusal::new(RefusalCode::AgeCheckNeeded, message)
            .product(&product.id)
            .left(minimum)
            .action(NextAction::CheckAge)
            .because(&self.evidence))
    }
}

#[cfg(test)]
mod tests {
    use dcb::testing::given;

    use super::*;
    use crate::event::{AgeChecked, KitDefined};
    use crate::payment::Tender;
    use crate::testing::{
        Interrupted, act, added, at, cart, happened, of_request, open_shop, open_shop_and, refusal,
        service_added, sku, stored, units,
    };
    use crate::{Checkout, KitComponent, SaleId};

    fn rule(id: &str, minimum_age: Option<u8>) -> SetAgeRule {
        SetAgeRule { product: sku(id), minimum_age }
    }

    fn restricted(id: &str, minimum_age: u8) -> dcb::Event {
        happened(AgeRuleSet { product: sku(id), minimum_age: Some(minimum_age) })
    }

    fn buy(age_checked: Option<u8>) -> Checkout {
        Checkout { age_checked, ..cart(&[("A", 1)], &[(Tender::Card, 120)]) }
    }

    #[test]
    fn a_rule_is_set_and_lifted() {
        for minimum_age in [Some(18), None] {
            let set = AgeRuleSet { product: sku("A"), minimum_age };
            given(open_shop())
                .when(act(rule("A", minimum_age)))
                .then_recorded(of_request([set.into()]));
        }
        for (odd, code) in [
            (rule("A", Some(0)), RefusalCode::InvalidInput),
            (rule("A", Some(MAX_AGE + 1)), RefusalCode::InvalidInput),
            (rule("X", Some(18)), RefusalCode::ProductUnknown),
        ] {
            assert_eq!(refusal(given(open_shop()).when(act(odd)).then_refused()).code, code);
        }
    }

    #[test]
    fn what_is_restricted_needs_a_check_in_this_checkout() {
        let past = || open_shop_and([restricted("A", 18)]);
        for checked in [None, Some(16)] {
            let refusal = refusal(given(past()).when(act(buy(checked))).then_refused());
            assert_eq!(refusal.code, RefusalCode::AgeCheckNeeded);
            assert_eq!(refusal.message, "a is only for 18 years and over. Check the age.");
            let details = refusal.details;
            assert_eq!((details.left, details.line), (Some(18), Some(1)));
            assert_eq!(details.because.positions(), [9]);
        }
        let recorded = given(past()).when(act(buy(Some(18)))).then_accepted();
        let checked = AgeChecked { sale: SaleId::from(uuid::Uuid::from_u128(1)), age: 18 };
        assert!(recorded.iter().any(|event| event.data == happened(checked.clone()).data));
    }

    /// A basket of one of A.
    fn basket() -> [dcb::Event; 2] {
        let components = vec![KitComponent { product: sku("A"), quantity: units(1) }];
        let kit = sku("BASKET");
        [service_added("BASKET", 300), happened(KitDefined { kit, components })]
    }

    #[test]
    fn a_kit_needs_the_check_that_its_parts_need() {
        let past = open_shop_and(basket().into_iter().chain([restricted("A", 18)]));
        let baskets = |age_checked| Checkout {
            age_checked,
            ..cart(&[("B", 1), ("BASKET", 1)], &[(Tender::Card, 399)])
        };
        let refused = given(past.clone()).when(act(baskets(Some(16)))).then_refused();
        let refusal = refusal(refused);
        assert_eq!(refusal.code, RefusalCode::AgeCheckNeeded);
        let details = refusal.details;
        assert_eq!((details.product, details.line), (Some(sku("A")), Some(2)));
        given(past).when(act(baskets(Some(18)))).then_accepted();
    }

    #[test]
    fn a_rule_that_is_set_meanwhile_conflicts_and_another_products_rule_does_not() {
        let sell = |id: &str| {
            let store = stored(&open_shop_and([added("Z", 1)]));
            let rival = || drop(at("T2", 2).act(&store, &rule(id, Some(18))).unwrap());
            at("T1", 1).act(&store, &Interrupted::new(buy(None), rival))
        };
        assert_eq!(refusal(sell("A").unwrap_err()).code, RefusalCode::AgeCheckNeeded);
        assert_eq!(sell("Z").unwrap().trace.conflicts(), 0);
        let store = stored(&open_shop_and(basket()));
        let rival = || drop(at("T2", 2).act(&store, &rule("A", Some(18))).unwrap());
        let kit = Interrupted::new(cart(&[("BASKET", 1)], &[(Tender::Card, 300)]), rival);
        let refused = at("T1", 1).act(&store, &kit).unwrap_err();
        assert_eq!(refusal(refused).code, RefusalCode::AgeCheckNeeded);
    }
}
