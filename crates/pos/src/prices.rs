//! Prices: how they change, and for how long the price that a customer saw is still charged.

use chrono::{DateTime, TimeDelta, Utc};
use dcb::{DecisionProjection, Query};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::calendar::When;
use crate::catalogue::Product;
use crate::command::{Command, Context};
use crate::event::{PriceChanged, Recorded, ShopEvent};
use crate::ids::ProductId;
use crate::input;
use crate::money::Money;
use crate::permission::Permission;
use crate::refusal::{Evidence, NextAction, Refusal, RefusalCode};

/// Gives a product another price.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChangePrice {
    /// The product.
    pub product: ProductId,
    /// The price of one unit from now on.
    pub price: Money,
}

impl Command for ChangePrice {
    const NAME: &'static str = "change_price";
    const PERMISSION: Permission = Permission::ManageProducts;
    type Model = DecisionProjection<PriceState>;
    type Answer = ();

    fn model(&self, context: &Context<'_>) -> Result<Self::Model, Refusal> {
        context.catalogue.known(&self.product)?;
        input::price(self.price).map_err(|refusal| refusal.product(&self.product))?;
        Ok(price_of(&self.product))
    }

    fn decide(&self, state: &PriceState, context: &Context<'_>) -> Result<Vec<ShopEvent>, Refusal> {
        let Self { product, price } = self.clone();
        let previous = Some(state.current(context.catalogue.known(&product)?));
        Ok(vec![PriceChanged { product, price, previous }.into()])
    }

    fn answer(recorded: &[Recorded]) -> Option<()> {
        matches!(recorded, [Recorded { event: ShopEvent::PriceChanged(_), .. }]).then_some(())
    }
}

/// How a product's price was changed last, if it ever was.
#[derive(Clone, Debug, Default)]
pub struct PriceState {
    changed: Option<PriceChanged>,
    at: Option<DateTime<Utc>>,
    evidence: Evidence,
}

/// The price of a product: whatever changes it conflicts.
pub(crate) fn price_of(product: &ProductId) -> DecisionProjection<PriceState> {
    let query = Query::tagged([PriceChanged::TYPE], product.tag());
    DecisionProjection::last(PriceState::default(), query, |event| match ShopEvent::decode(event) {
        Some(ShopEvent::PriceChanged(e)) => Some(PriceState {
            changed: Some(e),
            at: When::of(event).map(|when| when.at),
            evidence: Evidence::only(event.position),
        }),
        _ => None,
    })
    .named("price", 1, product)
}

impl PriceState {
    /// The price now. One that never changed is the one the product came with.
    fn current(&self, product: &Product) -> Money {
        self.changed.as_ref().map_or(product.price, |changed| changed.price)
    }

    /// The price to charge for what was scanned at this price: that one, if it is the price now or
    /// was until a moment ago. Otherwise the customer has to be told the new one.
    pub(crate) fn offer(
        &self,
        product: &Product,
        scanned: Option<Money>,
        context: &Context<'_>,
    ) -> Result<Money, Refusal> {
        let current = self.current(product);
        let Some(scanned) = scanned.filter(|scanned| *scanned != current) else {
            return Ok(current);
        };
        let settings = context.settings()?;
        let grace = TimeDelta::minutes(settings.price_grace_minutes.into());
        let was_it = self.changed.as_ref().is_some_and(|c| c.previous == Some(scanned));
        let is_recent = self.at.is_some_and(|at| context.at.signed_duration_since(at) <= grace);
        if was_it && is_recent && grace > TimeDelta::zero() {
            return Ok(scanned);
        }
        let (name, currency) = (&product.name, settings.currency);
        let message = format!(
            "{name} costs {} by now, not {}. Tell the customer.",
            currency.format(current),
            currency.format(scanned)
        );
        Err(Refusal::new(RefusalCode::PriceChanged, message)
            .product(&product.id)
            .money_left(current)
            .action(NextAction::ConfirmPrice)
            .because(&self.evidence))
    }
}

#[cfg(test)]
mod tests {
    use dcb::MemoryStore;
    use dcb::testing::given;

    use super::*;
    use crate::event::ShopConfigured;
    use crate::payment::Tender;
    use crate::testing::{
        Actor, Interrupted, act, at, cart, happened, of_request, open_shop, open_shop_and, refusal,
        settings, sku, stored,
    };
    use crate::{Checkout, ShopSettings};

    /// Prices are honoured for ten minutes after they change.
    fn shop() -> MemoryStore {
        let settings = ShopSettings { price_grace_minutes: 10, ..settings() };
        stored(&open_shop_and([happened(ShopConfigured { settings })]))
    }

    fn change(id: &str, price: i64) -> ChangePrice {
        ChangePrice { product: sku(id), price: Money::new(price) }
    }

    fn scanned_at(price: i64) -> Checkout {
        let mut cart = cart(&[("A", 1)], &[(Tender::Cash, 900)]);
        cart.lines[0].scanned_price = Some(Money::new(price));
        cart
    }

    fn after(minutes: i64, request: u128) -> Actor {
        let actor = at("T1", request);
        Actor { at: actor.at + TimeDelta::minutes(minutes), ..actor }
    }

    #[test]
    fn a_change_says_what_the_price_was() {
        let event = |price, previous| PriceChanged {
            product: sku("A"),
            price: Money::new(price),
            previous: Some(Money::new(previous)),
        };
        given(open_shop())
            .when(act(change("A", 130)))
            .then_recorded(of_request([event(130, 120).into()]));
        let changed = open_shop_and([happened(event(130, 120))]);
        given(changed)
            .when(act(change("A", 140)))
            .then_recorded(of_request([event(140, 130).into()]));
    }

    #[test]
    fn a_price_is_changed_for_products_that_exist() {
        let refused = given(open_shop()).when(act(change("X", 7))).then_refused();
        assert_eq!(refusal(refused).code, RefusalCode::ProductUnknown);
        let refused = given(open_shop()).when(act(change("A", -1))).then_refused();
        assert_eq!(refusal(refused).code, RefusalCode::PriceOutOfBounds);
    }

    #[test]
    fn the_price_that_was_scanned_is_charged_for_a_while_after_it_changed() {
        let store = shop();
        at("T2", 1).act(&store, &change("A", 150)).unwrap();
        let receipt = after(10, 2).act(&store, &scanned_at(120)).unwrap().answer;
        assert_eq!(receipt.gross, Money::new(120));
        let refused = refusal(after(11, 3).act(&store, &scanned_at(120)).unwrap_err());
        assert_eq!(refused.code, RefusalCode::PriceChanged);
        assert_eq!(refused.message, "a costs 1.50 by now, not 1.20. Tell the customer.");
        let details = refused.details;
        assert_eq!((details.left, details.line), (Some(150), Some(1)));
        assert_eq!(details.because.positions(), [10]);
        let receipt = after(11, 4).act(&store, &scanned_at(150)).unwrap().answer;
        assert_eq!(receipt.gross, Money::new(150));
    }

    #[test]
    fn a_price_that_was_not_the_last_one_is_not_honoured() {
        let store = shop();
        let never = refusal(at("T1", 1).act(&store, &scanned_at(1)).unwrap_err());
        assert_eq!(never.code, RefusalCode::PriceChanged);
        at("T2", 2).act(&store, &change("A", 150)).unwrap();
        at("T2", 3).act(&store, &change("A", 160)).unwrap();
        let older = refusal(at("T1", 4).act(&store, &scanned_at(120)).unwrap_err());
        assert_eq!((older.code, older.details.left), (RefusalCode::PriceChanged, Some(160)));
        at("T1", 5).act(&store, &scanned_at(150)).unwrap();
    }

    #[test]
    fn without_a_time_of_grace_a_new_price_holds_at_once() {
        let store = stored(&open_shop());
        at("T2", 1).act(&store, &change("A", 150)).unwrap();
        let refused = refusal(at("T1", 2).act(&store, &scanned_at(120)).unwrap_err());
        assert_eq!(refused.code, RefusalCode::PriceChanged);
    }

    #[test]
    fn a_price_that_changes_meanwhile_is_decided_again_and_others_are_not() {
        let conflicts = |id: &str| {
            let store = shop();
            let rival = || drop(at("T2", 2).act(&store, &change(id, 150)).unwrap());
            let done = at("T1", 1).act(&store, &Interrupted::new(scanned_at(120), rival)).unwrap();
            (done.answer.gross.minor(), done.trace.conflicts())
        };
        assert_eq!((conflicts("A"), conflicts("B")), ((120, 1), (120, 0)));
    }
}
