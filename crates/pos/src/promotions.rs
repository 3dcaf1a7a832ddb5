//! Promotions: a discount that runs for some days, so many times in all and for each customer.

use dcb::{DecisionProjection, Query, QueryItem};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::calendar::BusinessDay;
use crate::command::{Command, Context, NoHistory, no_history};
use crate::discounts::Discount;
use crate::event::{PromotionApplied, PromotionDefined, PromotionReturned, Recorded, ShopEvent};
use crate::ids::{CustomerId, ProductId, PromotionId};
use crate::input;
use crate::permission::Permission;
use crate::refusal::{Evidence, NextAction, Refusal, RefusalCode};

/// What a promotion offers, and to whom how often.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Promotion {
    /// What it is called, as printed on receipts.
    pub name: String,
    /// What it takes off: of an amount, once a sale.
    pub discount: Discount,
    /// The product it is for; without one it is for the whole sale.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub product: Option<ProductId>,
    /// The first business day on which it counts.
    pub from: BusinessDay,
    /// The last business day on which it counts.
    pub until: BusinessDay,
    /// In how many sales it counts, if that is limited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub uses: Option<u32>,
    /// In how many sales of one customer it counts, if that is limited. Then the customer must be
    /// known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub uses_per_customer: Option<u32>,
}

impl Promotion {
    /// Whether it counts on a business day.
    pub fn runs_on(&self, day: BusinessDay) -> bool {
        (self.from..=self.until).contains(&day)
    }
}

/// Defines a promotion, or defines it anew: what was used of it still counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DefinePromotion {
    /// What it is called by.
    pub promotion: PromotionId,
    /// What holds from now on.
    pub terms: Promotion,
}

impl Command for DefinePromotion {
    const NAME: &'static str = "define_promotion";
    const PERMISSION: Permission = Permission::ManageProducts;
    type Model = NoHistory;
    type Answer = ();

    fn model(&self, context: &Context<'_>) -> Result<Self::Model, Refusal> {
        let Promotion { name, discount, product, from, until, uses, uses_per_customer } =
            &self.terms;
        input::name("name", name)?;
        discount.check()?;
        product.as_ref().map_or(Ok(()), |id| context.catalogue.known(id).map(|_| ()))?;
        if from > until {
            return Err(input::invalid(format!("{from} comes after {until}. Correct the days.")));
        }
        if *uses == Some(0) || *uses_per_customer == Some(0) {
            return Err(input::invalid("A promotion is used at least once. Correct the number."));
        }
        Ok(no_history())
    }

    fn decide(&self, _: &Vec<()>, _context: &Context<'_>) -> Result<Vec<ShopEvent>, Refusal> {
        let Self { promotion, terms } = self.clone();
        Ok(vec![PromotionDefined { promotion, terms }.into()])
    }

    fn answer(recorded: &[Recorded]) -> Option<()> {
        matches!(recorded, [Recorded { event: ShopEvent::PromotionDefined(_), .. }]).then_some(())
    }
}

/// What a sale must know of a promotion: its terms, how often it was used, and how often by this
/// customer. The uses are asked for only if they are limited.
pub(crate) type PromotionModel =
    (DecisionProjection<Terms>, Vec<DecisionProjection<Uses>>, Vec<DecisionProjection<Uses>>);
pub(crate) type PromotionState = (Terms, Vec<Uses>, Vec<Uses>);

/// The terms of a promotion as they were last defined.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    promotion: Option<Promotion>,
    evidence: Evidence,
}

/// How often a promotion was used.
#[derive(Clone, Debug, Default)]
pub struct Uses {
    count: u32,
    evidence: Evidence,
}

/// What must be known of a promotion, as far as the catalogue knows its terms.
pub(crate) fn promotion_model(
    promotion: &PromotionId,
    customer: Option<&CustomerId>,
    context: &Context<'_>,
) -> PromotionModel {
    let known = context.catalogue.promotion(promotion);
    let is_counted = known.is_some_and(|terms| terms.uses.is_some());
    let is_counted_by_customer = known.is_some_and(|terms| terms.uses_per_customer.is_some());
    let customer = customer.filter(|_| is_counted_by_customer);
    (
        terms_of(promotion),
        is_counted.then(|| uses_of(&[promotion.tag()])).into_iter().collect(),
        customer.map(|id| uses_of(&[promotion.tag(), id.tag()])).into_iter().collect(),
    )
}

fn terms_of(promotion: &PromotionId) -> DecisionProjection<Terms> {
    let query = Query::tagged([PromotionDefined::TYPE], promotion.tag());
    DecisionProjection::last(Terms::default(), query, |event| match ShopEvent::decode(event) {
        Some(ShopEvent::PromotionDefined(e)) => {
            Some(Terms { promotion: Some(e.terms), evidence: Evidence::only(event.position) })
        }
        _ => None,
    })
    .named("promotion_terms", 1, promotion)
}

/// Uses conflict, and what gives one back does not: it can only make more possible.
fn uses_of(tags: &[&dcb::Tag]) -> DecisionProjection<Uses> {
    let about = |types: &[&str]| {
        let tags = tags.iter().map(|&tag| tag.clone());
        Query::from(
            QueryItem::new(types.iter().copied(), tags).expect("an item with types is valid"),
        )
    };
    let query = about(&[PromotionApplied::TYPE, PromotionReturned::TYPE]);
    DecisionProjection::new(Uses::default(), query, |uses: &mut Uses, event| {
        uses.count = match event.event_type {
            PromotionApplied::TYPE => uses.count.saturating_add(1),
            _ => uses.count.saturating_sub(1),
        };
        uses.evidence.push(event.position);
    })
    .named("promotion_uses", 1, "")
    .conflicts_with(about(&[PromotionApplied::TYPE]))
}

/// The terms of a promotion that may be used in this sale, or why it may not.
pub(crate) fn allow<'s>(
    id: &PromotionId,
    (terms, uses, by_customer): &'s PromotionState,
    customer: Option<&CustomerId>,
    today: BusinessDay,
    context: &Context<'_>,
) -> Result<&'s Promotion, Refusal> {
    let refused = |code, message: String| {
        Refusal::new(code, message).action(NextAction::RemovePromotion).because(&terms.evidence)
    };
    let Some(promotion) = &terms.promotion else {
        let message = format!("There is no promotion {id}. Remove it.");
        return Err(refused(RefusalCode::PromotionUnknown, message));
    };
    let Promotion { name, from, until, .. } = promotion;
    if context.catalogue.promotion(id) != Some(promotion) {
        let message = format!("The promotion {name} changed just now. Try again.");
        return Err(refused(RefusalCode::PromotionChanged, message).action(NextAction::TryAgain));
    }
    if !promotion.runs_on(today) {
        let message = format!("{name} runs from {from} until {until}. Remove it.");
        return Err(refused(RefusalCode::PromotionNotRunning, message));
    }
    if promotion.uses_per_customer.is_some() && customer.is_none() {
        let message = format!("{name} is counted by customer. Say who it is, or remove it.");
        return Err(
            refused(RefusalCode::CustomerNeeded, message).action(NextAction::ChooseCustomer)
        );
    }
    for (most, used, whose) in [
        (promotion.uses, uses, "in all"),
        (promotion.uses_per_customer, by_customer, "by this customer"),
    ] {
        let (Some(most), [used]) = (most, used.as_slice()) else { continue };
        if used.count >= most {
            let message =
                format!("{name} was used {} of {most} times {whose}. Remove it.", used.count);
            return Err(refused(RefusalCode::PromotionUsedUp, message)
                .left(0)
                .because(&used.evidence));
        }
    }
    Ok(promotion)
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
        Actor, Interrupted, act, at, cart, customer, day, happened, of_request, open_shop,
        open_shop_and, refusal, sku, stored, with_customers,
    };

    fn terms() -> Promotion {
        Promotion {
            name: "Spring".into(),
            discount: Discount::Percent(BasisPoints::new(1000)),
            product: Some(sku("A")),
            from: day("2026-03-01"),
            until: day("2026-03-02"),
            uses: None,
            uses_per_customer: None,
        }
    }

    fn spring() -> PromotionId {
        PromotionId::new("SPRING").unwrap()
    }

    fn defined(terms: Promotion) -> Event {
        happened(PromotionDefined { promotion: spring(), terms })
    }

    /// One of A and one of B, with the promotion.
    fn buy(who: Option<&str>) -> Checkout {
        Checkout {
            customer: who.map(customer),
            promotions: vec![spring()],
            ..cart(&[("A", 1), ("B", 1)], &[(Tender::Cash, 900)])
        }
    }

    #[test]
    fn a_promotion_is_defined() {
        let event = PromotionDefined { promotion: spring(), terms: terms() };
        let define = |terms| DefinePromotion { promotion: spring(), terms };
        given(open_shop()).when(act(define(terms()))).then_recorded(of_request([event.into()]));
        for odd in [
            Promotion { name: " ".into(), ..terms() },
            Promotion { until: day("2026-02-28"), ..terms() },
            Promotion { uses: Some(0), ..terms() },
            Promotion { discount: Discount::Amount(Money::ZERO), ..terms() },
        ] {
            let refused = given(open_shop()).when(act(define(odd))).then_refused();
            assert_eq!(refusal(refused).code, RefusalCode::InvalidInput);
        }
    }

    #[test]
    fn a_promotion_makes_its_product_cheaper_and_says_so() {
        let store = stored(&open_shop_and([defined(terms())]));
        let receipt = at("T1", 1).act(&store, &buy(None)).unwrap().answer;
        let off: Vec<i64> = receipt.lines.iter().map(|line| line.discount.minor()).collect();
        assert_eq!((off, receipt.gross.minor()), (vec![12, 0], 120 - 12 + 99));
        let told = &receipt.reductions[0];
        assert_eq!((told.amount, told.lines.as_slice()), (Money::new(12), &[1][..]));
    }

    #[test]
    fn a_promotion_counts_only_on_its_days() {
        let store = stored(&open_shop_and([defined(terms())]));
        let late = Actor { at: "2026-03-03T10:00:00Z".parse().unwrap(), ..at("T1", 1) };
        let refused = refusal(late.act(&store, &buy(None)).unwrap_err());
        assert_eq!(refused.code, RefusalCode::PromotionNotRunning);
        assert_eq!(refused.details.action, Some(NextAction::RemovePromotion));
        assert_eq!(refused.details.because.positions(), [9]);
        let unknown = refusal(given(open_shop()).when(act(buy(None))).then_refused());
        assert_eq!(unknown.code, RefusalCode::PromotionUnknown);
    }

    #[test]
    fn a_promotion_is_used_so_often_and_no_more() {
        let past = open_shop_and([defined(Promotion { uses: Some(2), ..terms() })]);
        let store = stored(&with_customers(past));
        at("T1", 1).act(&store, &buy(Some("7"))).unwrap();
        at("T2", 2).act(&store, &buy(None)).unwrap();
        let refused = refusal(at("T1", 3).act(&store, &buy(Some("8"))).unwrap_err());
        assert_eq!(refused.code, RefusalCode::PromotionUsedUp);
        assert_eq!(refused.message, "Spring was used 2 of 2 times in all. Remove it.");
        assert_eq!((refused.details.left, refused.details.because.positions().len()), (Some(0), 3));
    }

    #[test]
    fn a_customer_uses_a_promotion_so_often_and_no_more() {
        let terms = Promotion { uses_per_customer: Some(1), ..terms() };
        let store = stored(&with_customers(open_shop_and([defined(terms)])));
        at("T1", 1).act(&store, &buy(Some("7"))).unwrap();
        let refused = refusal(at("T1", 2).act(&store, &buy(Some("7"))).unwrap_err());
        assert_eq!(refused.code, RefusalCode::PromotionUsedUp);
        at("T1", 3).act(&store, &buy(Some("8"))).unwrap();
        let refused = refusal(at("T1", 4).act(&store, &buy(None)).unwrap_err());
        assert_eq!(refused.code, RefusalCode::CustomerNeeded);
    }

    #[test]
    fn a_promotion_is_used_once_a_sale() {
        let twice = Checkout { promotions: vec![spring(), spring()], ..buy(None) };
        let past = open_shop_and([defined(terms())]);
        let refused = refusal(given(past).when(act(twice)).then_refused());
        assert_eq!(refused.code, RefusalCode::InvalidInput);
    }

    /// How often a sale with the promotion is decided again if this happens meanwhile.
    fn conflicts(terms: Promotion, rival: impl FnOnce(&MemoryStore)) -> Result<usize, Refusal> {
        let store = stored(&with_customers(open_shop_and([defined(terms)])));
        let mine = Checkout { lines: cart(&[("B", 1)], &[]).lines, ..buy(Some("7")) };
        let done = at("T1", 1).act(&store, &Interrupted::new(mine, || rival(&store)));
        done.map(|done| done.trace.conflicts()).map_err(refusal)
    }

    #[test]
    fn the_last_use_is_used_once_and_sales_without_it_never_conflict() {
        let counted = |uses| Promotion { uses: Some(uses), product: None, ..terms() };
        let theirs = || Checkout { lines: cart(&[("A", 1)], &[]).lines, ..buy(Some("8")) };
        let use_it = |store: &MemoryStore| drop(at("T2", 2).act(store, &theirs()).unwrap());
        assert_eq!(conflicts(counted(2), use_it), Ok(1));
        assert_eq!(conflicts(counted(1), use_it).unwrap_err().code, RefusalCode::PromotionUsedUp);
        let without = |store: &MemoryStore| {
            let theirs = Checkout { promotions: Vec::new(), ..theirs() };
            drop(at("T2", 2).act(store, &theirs).unwrap());
        };
        assert_eq!(conflicts(counted(1), without), Ok(0));
    }

    #[test]
    fn uses_that_are_not_limited_never_conflict_nor_do_those_of_other_customers() {
        let theirs = || Checkout { lines: cart(&[("A", 1)], &[]).lines, ..buy(Some("8")) };
        let use_it = |store: &MemoryStore| drop(at("T2", 2).act(store, &theirs()).unwrap());
        let free = Promotion { product: None, ..terms() };
        assert_eq!(conflicts(free.clone(), use_it), Ok(0));
        let by_customer = Promotion { uses_per_customer: Some(1), ..free };
        assert_eq!(conflicts(by_customer, use_it), Ok(0));
    }

    #[test]
    fn a_promotion_that_changes_meanwhile_is_decided_again() {
        let end_it = |store: &MemoryStore| {
            let terms = Promotion { until: day("2026-03-01"), ..terms() };
            let define = DefinePromotion { promotion: spring(), terms };
            drop(at("T2", 2).act(store, &define).unwrap());
        };
        let refused = conflicts(Promotion { product: None, ..terms() }, end_it).unwrap_err();
        assert_eq!(refused.code, RefusalCode::PromotionChanged);
    }
}
