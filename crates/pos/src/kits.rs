//! Kits: a product that is put together of others, has one price, and takes its parts off the
//! shelf.

use std::collections::HashSet;

use dcb::{DecisionProjection, Query};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::catalogue::Product;
use crate::command::{Command, Context, NoHistory, no_history};
use crate::event::{KitDefined, Recorded, ShopEvent};
use crate::ids::ProductId;
use crate::input;
use crate::money::Quantity;
use crate::permission::Permission;
use crate::refusal::{Evidence, NextAction, Refusal, RefusalCode};

/// The most components a kit may have.
pub const MAX_COMPONENTS: usize = 50;

/// A part of a kit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KitComponent {
    /// The product; it holds stock.
    pub product: ProductId,
    /// How much of it is in one kit; positive.
    pub quantity: Quantity,
}

/// Makes a product a kit, changes what it is made of, or, without components, makes it a service
/// again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DefineKit {
    /// The product that is sold. It holds no stock of its own, and it has its own price and tax.
    pub kit: ProductId,
    /// What one of it is made of: at most [`MAX_COMPONENTS`] products, each once.
    pub components: Vec<KitComponent>,
}

impl Command for DefineKit {
    const NAME: &'static str = "define_kit";
    const PERMISSION: Permission = Permission::ManageProducts;
    /// Nothing: whether a product holds stock never changes.
    type Model = NoHistory;
    type Answer = ();

    fn model(&self, context: &Context<'_>) -> Result<Self::Model, Refusal> {
        let kit = context.catalogue.known(&self.kit)?;
        if kit.stocked {
            let message = format!("{} holds stock of its own. Make the kit a service.", kit.name);
            return Err(input::invalid(message).product(&kit.id));
        }
        if self.components.len() > MAX_COMPONENTS {
            let message = format!("A kit has at most {MAX_COMPONENTS} components. Remove some.");
            return Err(input::invalid(message));
        }
        let mut seen = HashSet::new();
        for (index, component) in self.components.iter().enumerate() {
            let checked = match seen.insert(&component.product) {
                false => Err(input::invalid("A component is in a kit once. Add up its lines.")),
                true => input::moved(component.quantity)
                    .and_then(|()| context.catalogue.known(&component.product))
                    .and_then(Product::holding_stock),
            };
            checked.map_err(|r| r.product(&component.product).line(input::line_number(index)))?;
        }
        Ok(no_history())
    }

    fn decide(&self, _: &Vec<()>, _context: &Context<'_>) -> Result<Vec<ShopEvent>, Refusal> {
        let Self { kit, components } = self.clone();
        Ok(vec![KitDefined { kit, components }.into()])
    }

    fn answer(recorded: &[Recorded]) -> Option<()> {
        matches!(recorded, [Recorded { event: ShopEvent::KitDefined(_), .. }]).then_some(())
    }
}

/// What a kit is made of, as it was last defined.
#[derive(Clone, Debug, Default)]
pub struct KitState {
    components: Vec<KitComponent>,
    evidence: Evidence,
}

/// What a product is made of: only defining this kit again conflicts.
pub(crate) fn kit_of(product: &ProductId) -> DecisionProjection<KitState> {
    let query = Query::tagged([KitDefined::TYPE], product.tag());
    DecisionProjection::last(KitState::default(), query, |event| match ShopEvent::decode(event) {
        Some(ShopEvent::KitDefined(e)) => {
            let evidence = Evidence::only(event.position);
            Some(KitState { components: e.components, evidence })
        }
        _ => None,
    })
    .named("kit", 1, product)
}

impl KitState {
    /// Refuses a kit that is made of something else than the till knew when it asked for the stock
    /// of its components: then it must ask again.
    pub(crate) fn allow(&self, product: &Product) -> Result<(), Refusal> {
        if self.components == product.components {
            return Ok(());
        }
        let message = format!("What {} is made of changed just now. Try again.", product.name);
        Err(Refusal::new(RefusalCode::KitChanged, message)
            .product(&product.id)
            .action(NextAction::TryAgain)
            .because(&self.evidence))
    }
}

/// What so many kits need of each component: nothing, if it is no kit. Only whole kits are sold.
pub(crate) fn parts_of(
    product: &Product,
    kits: Quantity,
) -> Result<Vec<(&ProductId, Quantity)>, Refusal> {
    if product.components.is_empty() {
        return Ok(Vec::new());
    }
    let Some(count) = kits.whole_units() else {
        let message = format!("{} is sold whole. Correct the quantity.", product.name);
        return Err(Refusal::new(RefusalCode::QuantityOutOfBounds, message)
            .product(&product.id)
            .action(NextAction::CorrectInput));
    };
    let part = |component: &'_ KitComponent| component.quantity.thousandths().checked_mul(count);
    let parts = product.components.iter().map(|component| {
        let quantity = part(component).ok_or_else(input::overflow)?;
        Ok((&component.product, Quantity::new(quantity)))
    });
    parts.collect()
}

#[cfg(test)]
mod tests {
    use dcb::testing::given;
    use dcb::{Event, EventStore, MemoryStore};

    use super::*;
    use crate::event::{ProductSold, StockTaken};
    use crate::payment::Tender;
    use crate::testing::{
        Interrupted, act, at, cart, happened, of_request, open_shop, open_shop_and, refusal, seen,
        service_added, sku, stored, units,
    };
    use crate::{Checkout, StockOnHand};

    fn component(id: &str, quantity: i64) -> KitComponent {
        KitComponent { product: sku(id), quantity: units(quantity) }
    }

    fn define(kit: &str, components: &[(&str, i64)]) -> DefineKit {
        let components = components.iter().map(|(id, quantity)| component(id, *quantity));
        DefineKit { kit: sku(kit), components: components.collect() }
    }

    /// A basket of two of A and one of B at 3.00; there are 5 of each.
    fn shop() -> Vec<Event> {
        let basket = KitDefined {
            kit: sku("BASKET"),
            components: vec![component("A", 2), component("B", 1)],
        };
        open_shop_and([service_added("BASKET", 300), happened(basket)])
    }

    fn baskets(quantity: i64) -> Checkout {
        cart(&[("BASKET", quantity)], &[(Tender::Cash, 9_000)])
    }

    fn on_hand(store: &MemoryStore, id: &str) -> Quantity {
        seen::<StockOnHand>(store).of(&sku(id))
    }

    #[test]
    fn a_kit_is_defined_of_products_that_hold_stock() {
        let past = || open_shop_and([service_added("BASKET", 300)]);
        let defined = KitDefined {
            kit: sku("BASKET"),
            components: vec![component("A", 2), component("B", 1)],
        };
        given(past())
            .when(act(define("BASKET", &[("A", 2), ("B", 1)])))
            .then_recorded(of_request([defined.into()]));
        for (odd, code, line) in [
            (define("A", &[("B", 1)]), RefusalCode::InvalidInput, None),
            (define("BASKET", &[("A", 1), ("A", 1)]), RefusalCode::InvalidInput, Some(2)),
            (define("BASKET", &[("POST", 1)]), RefusalCode::HoldsNoStock, Some(1)),
            (define("BASKET", &[("A", 0)]), RefusalCode::QuantityOutOfBounds, Some(1)),
            (define("BASKET", &[("X", 1)]), RefusalCode::ProductUnknown, Some(1)),
            (define("BASKET", &[("A", 1); 51]), RefusalCode::InvalidInput, None),
        ] {
            let refusal = refusal(given(past()).when(act(odd)).then_refused());
            assert_eq!((refusal.code, refusal.details.line), (code, line));
        }
    }

    #[test]
    fn a_kit_is_one_priced_line_and_takes_its_parts_off_the_shelf() {
        let store = stored(&shop());
        let done = at("T1", 1).act(&store, &baskets(2)).unwrap();
        assert_eq!((done.answer.lines.len(), done.answer.gross.minor()), (1, 600));
        assert_eq!((on_hand(&store, "A"), on_hand(&store, "B")), (units(1), units(3)));
        let recorded = given(shop()).when(act(baskets(2))).then_accepted();
        let types: Vec<&str> = recorded.iter().map(|event| event.event_type.as_str()).collect();
        let taken = StockTaken::TYPE;
        assert_eq!(types[1..4], [ProductSold::TYPE, taken, taken]);
    }

    #[test]
    fn a_kit_is_sold_only_while_every_part_is_there() {
        let refused = refusal(given(shop()).when(act(baskets(3))).then_refused());
        assert_eq!(refused.code, RefusalCode::OutOfStock);
        let details = refused.details;
        assert_eq!((details.product, details.left), (Some(sku("A")), Some(5000)));
        assert_eq!(details.line, Some(1));
        let both = cart(&[("BASKET", 2), ("A", 2)], &[(Tender::Cash, 9_000)]);
        let refused = refusal(given(shop()).when(act(both)).then_refused());
        assert_eq!((refused.code, refused.details.line), (RefusalCode::OutOfStock, Some(2)));
    }

    #[test]
    fn half_a_kit_is_not_sold_but_half_a_service_is() {
        let mut hours = cart(&[("POST", 1)], &[(Tender::Cash, 900)]);
        hours.lines[0].quantity = Quantity::new(500);
        given(shop()).when(act(hours)).then_accepted();
        let mut half = baskets(1);
        half.lines[0].quantity = Quantity::new(500);
        let refused = refusal(given(shop()).when(act(half)).then_refused());
        assert_eq!(refused.code, RefusalCode::QuantityOutOfBounds);
    }

    #[test]
    fn a_till_that_missed_what_a_kit_is_made_of_asks_again() {
        let store = stored(&open_shop_and([service_added("BASKET", 300)]));
        let stale = seen(&store);
        at("T2", 1).act(&store, &define("BASKET", &[("A", 1)])).unwrap();
        let refused = at("T1", 2).act_knowing(&store, &baskets(1), &stale).unwrap_err();
        let refused = refusal(refused);
        assert_eq!(refused.code, RefusalCode::KitChanged);
        assert_eq!(refused.details.action, Some(NextAction::TryAgain));
    }

    #[test]
    fn a_components_sale_conflicts_and_what_has_nothing_in_common_does_not() {
        let conflicts = |rival: Checkout| {
            let more = [service_added("OTHER", 5), crate::testing::added("C", 5)];
            let components = vec![component("C", 1)];
            let other = happened(KitDefined { kit: sku("OTHER"), components });
            let store = stored(
                &[shop(), more.into(), vec![other, crate::testing::received("C", 9)]].concat(),
            );
            let rival = || drop(at("T2", 2).act(&store, &rival).unwrap());
            let done = at("T1", 1).act(&store, &Interrupted::new(baskets(1), rival));
            done.unwrap().trace.conflicts()
        };
        let sale = |id| cart(&[(id, 1)], &[(Tender::Cash, 900)]);
        assert_eq!((conflicts(sale("A")), conflicts(sale("BASKET"))), (1, 1));
        assert_eq!((conflicts(sale("OTHER")), conflicts(sale("POST"))), (0, 0));
    }

    #[test]
    fn the_last_part_is_sold_once_alone_or_in_a_kit() {
        let store = stored(&open_shop());
        at("T1", 1).act(&store, &cart(&[("A", 4)], &[(Tender::Cash, 900)])).unwrap();
        store.append(&[service_added("ONE", 100)], None).unwrap();
        at("T1", 2).act(&store, &define("ONE", &[("A", 1)])).unwrap();
        let rival = || drop(at("T2", 3).act(&store, &cart(&[("A", 1)], &[(Tender::Cash, 900)])));
        let kit = Interrupted::new(cart(&[("ONE", 1)], &[(Tender::Cash, 900)]), rival);
        let refused = refusal(at("T1", 4).act(&store, &kit).unwrap_err());
        assert_eq!(refused.code, RefusalCode::OutOfStock);
        assert_eq!(on_hand(&store, "A"), Quantity::ZERO);
    }
}
