//! What historic acts will fall short of: nobody recorded the deliveries of that time.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use dcb::{EventRef, Followed, Projection, Query};
use pos::{ProductId, Quantity, StockOnHand, When};

use super::act::Act;
use crate::{Till, TillError};

/// How much each product will fall short of in the course of these acts, which stand in the order
/// of their times.
pub(super) fn shortfalls(
    till: &Till,
    acts: &[Act<'_>],
) -> Result<HashMap<ProductId, Quantity>, TillError> {
    let Some(last) = acts.last() else { return Ok(HashMap::new()) };
    let (catalogue, shelves) = (till.catalogue()?, Shelves::at_end_of(till, last.at)?);
    let holds_stock = |id: &ProductId| catalogue.get(id).is_some_and(|product| product.stocked);
    let mut balances: HashMap<&ProductId, (Quantity, Quantity)> = HashMap::new();
    for (product, change) in acts.iter().flat_map(Act::movements).filter(|(p, _)| holds_stock(p)) {
        let (balance, lowest) =
            balances.entry(product).or_insert_with(|| (shelves.of(product), Quantity::ZERO));
        *balance = balance.saturating_add(change);
        *lowest = (*lowest).min(*balance);
    }
    let short = balances.into_iter().filter(|(_, (_, lowest))| *lowest < Quantity::ZERO);
    Ok(short.map(|(id, (_, lowest))| (id.clone(), Quantity::ZERO.saturating_sub(lowest))).collect())
}

/// What is there for historic acts to take from.
struct Shelves {
    now: Arc<StockOnHand>,
    then: Followed<StockUntil>,
}

impl Shelves {
    /// The shelves for acts of which the last happens at `end`.
    fn at_end_of(till: &Till, end: DateTime<Utc>) -> Result<Self, TillError> {
        let mut then = Followed::new(StockUntil { end, stock: StockOnHand::default() });
        then.catch_up(till.store())?;
        Ok(Self { now: till.stock()?, then })
    }

    /// What is there of a product: what is on hand, but for goods that came only after the end.
    /// Yesterday's sale does not take what was delivered today.
    fn of(&self, product: &ProductId) -> Quantity {
        self.now.of(product).min(self.then.view().stock.of(product))
    }
}

/// What is on hand by all that happened until some moment.
#[derive(Clone)]
struct StockUntil {
    end: DateTime<Utc>,
    stock: StockOnHand,
}

impl Projection for StockUntil {
    fn query(&self) -> Query {
        self.stock.query()
    }

    fn apply(&mut self, event: &EventRef<'_>) {
        if When::of(event).is_some_and(|when| when.at <= self.end) {
            self.stock.apply(event);
        }
    }
}
