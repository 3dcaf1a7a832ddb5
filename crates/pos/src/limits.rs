//! Purchase limits: how much of a product one receipt, or one customer on one business day, may
//! have.

use dcb::{DecisionProjection, Query, QueryItem};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::calendar::{BusinessDay, When};
use crate::catalogue::Product;
use crate::command::{Command, Context, NoHistory, no_history};
use crate::event::{LimitSet, ProductReturned, ProductSold, Recorded, ShopEvent};
use crate::ids::{CustomerId, ProductId};
use crate::input;
use crate::money::Quantity;
use crate::permission::Permission;
use crate::refusal::{Evidence, NextAction, Refusal, RefusalCode};

/// The limits of a product.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Limit {
    /// The most that one receipt may have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub per_receipt: Option<Quantity>,
    /// The most that one customer may buy on one business day. Who is not known is not counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub per_customer_day: Option<Quantity>,
}

/// Sets a product's limits; one that is not given is lifted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SetLimit {
    /// The product.
    pub product: ProductId,
    /// The most that one receipt may have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub per_receipt: Option<Quantity>,
    /// The most that one customer may buy on one business day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub per_customer_day: Option<Quantity>,
}

impl Command for SetLimit {
    const NAME: &'static str = "set_limit";
    const PERMISSION: Permission = Permission::ManageProducts;
    type Model = NoHistory;
    type Answer = ();

    fn model(&self, context: &Context<'_>) -> Result<Self::Model, Refusal> {
        context.catalogue.known(&self.product)?;
        for limit in [self.per_receipt, self.per_customer_day].into_iter().flatten() {
            input::moved(limit).map_err(|refusal| refusal.product(&self.product))?;
        }
        Ok(no_history())
    }

    fn decide(&self, _: &Vec<()>, _context: &Context<'_>) -> Result<Vec<ShopEvent>, Refusal> {
        Ok(vec![
            LimitSet {
                product: self.product.clone(),
                per_receipt: self.per_receipt,
                per_customer_day: self.per_customer_day,
            }
            .into(),
        ])
    }

    fn answer(recorded: &[Recorded]) -> Option<()> {
        matches!(recorded, [Recorded { event: ShopEvent::LimitSet(_), .. }]).then_some(())
    }
}

/// A product's limits as they were last set.
#[derive(Clone, Debug, Default)]
pub struct LimitState {
    pub(crate) limit: Limit,
    pub(crate) evidence: Evidence,
}

impl LimitState {
    /// Refuses more on one receipt than it may have.
    pub(crate) fn allow_on_receipt(
        &self,
        product: &Product,
        quantity: Quantity,
    ) -> Result<(), Refusal> {
        let Some(most) = self.limit.per_receipt.filter(|most| quantity > *most) else {
            return Ok(());
        };
        let (name, over) = (&product.name, quantity.saturating_sub(most));
        let message = format!("At most {most} of {name} to a receipt. Remove {over}.");
        Err(Refusal::new(RefusalCode::LimitPerReceipt, message)
            .product(&product.id)
            .quantity_left(most)
            .action(NextAction::ReduceQuantity)
            .because(&self.evidence))
    }

    /// Refuses a customer more than one business day allows. What was bought today is missing if
    /// nobody knew of a limit when history was asked: then it must be asked again.
    pub(crate) fn allow_today(
        &self,
        product: &Product,
        quantity: Quantity,
        bought: Option<&Bought>,
    ) -> Result<(), Refusal> {
        let Some(most) = self.limit.per_customer_day else { return Ok(()) };
        let name = &product.name;
        let Some(Bought { quantity: had, evidence }) = bought else {
            let message = format!("A limit on {name} was set just now. Try again.");
            return Err(Refusal::new(RefusalCode::LimitChanged, message)
                .product(&product.id)
                .action(NextAction::TryAgain)
                .because(&self.evidence));
        };
        let left = most.saturating_sub(*had).max(Quantity::ZERO);
        if quantity <= left {
            return Ok(());
        }
        let (remove, action) = match left {
            Quantity::ZERO => ("it".to_owned(), NextAction::RemoveLine),
            _ => (quantity.saturating_sub(left).to_string(), NextAction::ReduceQuantity),
        };
        let message =
            format!("This customer has had {had} of {most} {name} today. Remove {remove}.");
        Err(Refusal::new(RefusalCode::LimitPerCustomerDay, message)
            .product(&product.id)
            .quantity_left(left)
            .action(action)
            .because(&self.evidence)
            .because(evidence))
    }
}

/// The limits of a product, to decide on: whatever sets them conflicts.
pub(crate) fn limit_of(product: &ProductId) -> DecisionProjection<LimitState> {
    let query = Query::tagged([LimitSet::TYPE], product.tag());
    DecisionProjection::last(LimitState::default(), query, |event| match ShopEvent::decode(event) {
        Some(ShopEvent::LimitSet(e)) => {
            Some(LimitState { limit: Limit::from(&e), evidence: Evidence::only(event.position) })
        }
        _ => None,
    })
    .named("limit", 1, product)
}

impl From<&LimitSet> for Limit {
    fn from(set: &LimitSet) -> Self {
        Self { per_receipt: set.per_receipt, per_customer_day: set.per_customer_day }
    }
}

/// What a customer bought of a product on a business day.
#[derive(Clone, Debug, Default)]
pub struct Bought {
    pub(crate) quantity: Quantity,
    pub(crate) evidence: Evidence,
}

/// Only the same customer buying the same product conflicts. A refund with a receipt gives back what
/// was bought on the day it was bought. Without one it gives nothing back: nobody knows that it was
/// this customer who bought.
pub(crate) fn bought_on(
    day: BusinessDay,
    customer: &CustomerId,
    product: &ProductId,
) -> DecisionProjection<Bought> {
    let about = |event_type: &str| {
        let tags = [product.tag().clone(), customer.tag().clone()];
        Query::from(QueryItem::new([event_type], tags).expect("an item with a type is valid"))
    };
    let query = about(ProductSold::TYPE).or(about(ProductReturned::TYPE));
    DecisionProjection::new(Bought::default(), query, move |bought: &mut Bought, event| {
        match ShopEvent::decode(event) {
            Some(ShopEvent::ProductSold(e))
                if When::of(event).is_some_and(|when| when.business_day == day) =>
            {
                bought.quantity = bought.quantity.saturating_add(e.quantity);
            }
            Some(ShopEvent::ProductReturned(e)) if e.sold_on == Some(day) => {
                bought.quantity = bought.quantity.saturating_sub(e.quantity);
            }
            _ => return,
        }
        bought.evidence.push(event.position);
    })
    .conflicts_with(about(ProductSold::TYPE))
    .named("bought", 1, day)
}

#[cfg(test)]
mod tests {
    use dcb::testing::given;

    use super::*;
    use crate::testing::{act, added, configured, of_request, refusal, sku, units};

    fn set(per_receipt: Option<Quantity>) -> SetLimit {
        SetLimit { product: sku("A"), per_receipt, per_customer_day: None }
    }

    #[test]
    fn a_limit_is_set_and_lifted() {
        for per_receipt in [Some(units(2)), None] {
            let expected = LimitSet { product: sku("A"), per_receipt, per_customer_day: None };
            given([configured(), added("A", 5)])
                .when(act(set(per_receipt)))
                .then_recorded(of_request([expected.into()]));
        }
    }

    #[test]
    fn a_limit_needs_a_product_and_is_more_than_nothing() {
        let refused = given([configured()]).when(act(set(None))).then_refused();
        assert_eq!(refusal(refused).code, RefusalCode::ProductUnknown);
        let past = [configured(), added("A", 5)];
        let refused = given(past).when(act(set(Some(Quantity::ZERO)))).then_refused();
        assert_eq!(refusal(refused).code, RefusalCode::QuantityOutOfBounds);
    }
}
