//! Stock: received, adjusted, counted, sold and returned, and never below zero.

use std::collections::HashMap;

use dcb::{DecisionProjection, EventRef, Projection, Query};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::catalogue::Product;
use crate::command::{Command, Context, NoHistory, no_history};
use crate::event::{
    ProductReturned, ProductSold, Recorded, ShopEvent, StockAdjustedDown, StockAdjustedUp,
    StockCounted, StockReceived, StockReturned, StockTaken, of_types,
};
use crate::ids::ProductId;
use crate::input;
use crate::money::{Money, Quantity};
use crate::permission::Permission;
use crate::refusal::{Evidence, NextAction, Refusal, RefusalCode};
use crate::totals::counted_since;

/// How an event moves stock: of which product, and by how much. The one place that knows.
fn movement(event: &ShopEvent) -> Option<(&ProductId, Quantity)> {
    let less = |quantity| Quantity::ZERO.saturating_sub(quantity);
    match event {
        ShopEvent::StockReceived(e) => Some((&e.product, e.quantity)),
        ShopEvent::StockAdjustedUp(e) => Some((&e.product, e.quantity)),
        ShopEvent::StockAdjustedDown(e) => Some((&e.product, less(e.quantity))),
        ShopEvent::StockCounted(e) => Some((&e.product, e.counted.saturating_sub(e.expected))),
        ShopEvent::ProductSold(e) => Some((&e.product, less(e.quantity))),
        ShopEvent::StockTaken(e) => Some((&e.product, less(e.quantity))),
        ShopEvent::StockReturned(e) => Some((&e.product, e.quantity)),
        ShopEvent::ProductReturned(e) if e.restocked => Some((&e.product, e.quantity)),
        _ => None,
    }
}

/// What can make stock less.
const LESS: [&str; 4] =
    [ProductSold::TYPE, StockTaken::TYPE, StockAdjustedDown::TYPE, StockCounted::TYPE];
/// What can only make it more.
const MORE: [&str; 4] =
    [StockReceived::TYPE, StockAdjustedUp::TYPE, ProductReturned::TYPE, StockReturned::TYPE];

/// What is on hand of a product.
#[derive(Clone, Debug, Default)]
pub struct Stock {
    pub(crate) on_hand: Quantity,
    pub(crate) evidence: Evidence,
}

/// What is on hand of a product, to take from it: only what makes it less conflicts.
pub(crate) fn stock_of(product: &ProductId) -> DecisionProjection<Stock> {
    exact_stock_of(product).conflicts_with(Query::tagged(LESS, product.tag()))
}

/// What is on hand of a product, to record the figure itself: whatever changes it conflicts.
fn exact_stock_of(product: &ProductId) -> DecisionProjection<Stock> {
    let moves = Query::tagged(LESS, product.tag()).or(Query::tagged(MORE, product.tag()));
    DecisionProjection::new(Stock::default(), moves, |stock: &mut Stock, event| {
        if let Some((_, change)) = ShopEvent::decode(event).as_ref().and_then(movement) {
            stock.on_hand = stock.on_hand.saturating_add(change);
            stock.evidence.push(event.position);
        }
    })
    .named("stock", 1, product)
}

impl Stock {
    /// Refuses to take more than there is.
    pub(crate) fn take(&self, product: &Product, quantity: Quantity) -> Result<(), Refusal> {
        if quantity <= self.on_hand {
            return Ok(());
        }
        let (left, name) = (self.on_hand.max(Quantity::ZERO), &product.name);
        let (message, action) = match left {
            Quantity::ZERO => (format!("Sold out: {name}. Remove it."), NextAction::RemoveLine),
            _ => {
                let over = quantity.saturating_sub(left);
                (format!("Only {left} left of {name}. Remove {over}."), NextAction::ReduceQuantity)
            }
        };
        Err(Refusal::new(RefusalCode::OutOfStock, message)
            .product(&product.id)
            .quantity_left(left)
            .action(action)
            .because(&self.evidence))
    }

    /// Refuses a count of the product that was made before it last moved.
    fn counted_at(&self, head: Option<u64>, product: &Product) -> Result<(), Refusal> {
        let last = self.evidence.positions().last().copied().unwrap_or_default();
        let name = &product.name;
        let message = format!("Some of {name} came or went after it was counted. Count it again.");
        counted_since(last, head, message).map_err(|refusal| refusal.product(&product.id))
    }
}

/// Receives a delivery.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReceiveStock {
    /// What came, at most [`MAX_LINES`](crate::MAX_LINES) lines.
    pub lines: Vec<DeliveryLine>,
}

/// A line of a delivery.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeliveryLine {
    /// The product; a service cannot be received.
    pub product: ProductId,
    /// How much came; positive.
    pub quantity: Quantity,
    /// What one unit cost, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub cost: Option<Money>,
}

impl Command for ReceiveStock {
    const NAME: &'static str = "receive_stock";
    const PERMISSION: Permission = Permission::ReceiveStock;
    type Model = NoHistory;
    type Answer = ();

    fn model(&self, context: &Context<'_>) -> Result<Self::Model, Refusal> {
        input::lines(self.lines.len())?;
        for (index, line) in self.lines.iter().enumerate() {
            input::moved(line.quantity)
                .and_then(|()| line.cost.map_or(Ok(()), input::price))
                .and_then(|()| context.catalogue.known(&line.product))
                .and_then(Product::holding_stock)
                .map(|_| ())
                .map_err(|refusal| {
                    refusal.product(&line.product).line(input::line_number(index))
                })?;
        }
        Ok(no_history())
    }

    fn decide(&self, _: &Vec<()>, _context: &Context<'_>) -> Result<Vec<ShopEvent>, Refusal> {
        let received = |line: &DeliveryLine| {
            let DeliveryLine { product, quantity, cost } = line.clone();
            StockReceived { product, quantity, cost }.into()
        };
        Ok(self.lines.iter().map(received).collect())
    }

    fn answer(recorded: &[Recorded]) -> Option<()> {
        matches!(recorded, [Recorded { event: ShopEvent::StockReceived(_), .. }, ..]).then_some(())
    }
}

/// Corrects what is on hand: something was found, or broke, or went back to its supplier. Of a
/// product that holds no stock it is only recorded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AdjustStock {
    /// The product.
    pub product: ProductId,
    /// How much more, or, if negative, how much less there is.
    pub quantity: Quantity,
    /// Why; may be empty.
    pub reason: String,
}

impl Command for AdjustStock {
    const NAME: &'static str = "adjust_stock";
    const PERMISSION: Permission = Permission::CorrectStock;
    /// What is on hand, if that can forbid it.
    type Model = Vec<DecisionProjection<Stock>>;
    type Answer = ();

    fn model(&self, context: &Context<'_>) -> Result<Self::Model, Refusal> {
        input::moved(self.magnitude()).map_err(|refusal| refusal.product(&self.product))?;
        input::optional("reason", Some(&self.reason), input::MAX_TEXT_CHARS)?;
        let product = context.catalogue.known(&self.product)?;
        let is_limited = product.stocked && self.quantity < Quantity::ZERO;
        Ok(is_limited.then(|| stock_of(&self.product)).into_iter().collect())
    }

    fn decide(
        &self,
        stocks: &Vec<Stock>,
        context: &Context<'_>,
    ) -> Result<Vec<ShopEvent>, Refusal> {
        let (product, quantity) = (self.product.clone(), self.magnitude());
        for stock in stocks {
            stock.take(context.catalogue.known(&product)?, quantity)?;
        }
        let reason = self.reason.clone();
        Ok(vec![match self.quantity < Quantity::ZERO {
            true => StockAdjustedDown { product, quantity, reason }.into(),
            false => StockAdjustedUp { product, quantity, reason }.into(),
        }])
    }

    fn answer(recorded: &[Recorded]) -> Option<()> {
        let [Recorded { event, .. }] = recorded else { return None };
        matches!(event, ShopEvent::StockAdjustedDown(_) | ShopEvent::StockAdjustedUp(_))
            .then_some(())
    }
}

impl AdjustStock {
    fn magnitude(&self) -> Quantity {
        match self.quantity < Quantity::ZERO {
            true => Quantity::ZERO.saturating_sub(self.quantity),
            false => self.quantity,
        }
    }
}

/// Records what was found of a product.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CountStock {
    /// The product; a service cannot be counted.
    pub product: ProductId,
    /// What was found; 0 or more.
    pub counted: Quantity,
    /// The head of the history when it was counted. What moved of the product since makes the count
    /// worthless; without it, it is taken to be of this moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional, type = "number")]
    pub as_of: Option<u64>,
}

/// What a count came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct CountResult {
    /// What was found.
    pub counted: Quantity,
    /// What should have been there when it was counted.
    pub expected: Quantity,
    /// `counted - expected`: positive if there was more.
    pub difference: Quantity,
}

impl Command for CountStock {
    const NAME: &'static str = "count_stock";
    const PERMISSION: Permission = Permission::CorrectStock;
    type Model = DecisionProjection<Stock>;
    type Answer = CountResult;

    fn model(&self, context: &Context<'_>) -> Result<Self::Model, Refusal> {
        input::counted(self.counted).map_err(|refusal| refusal.product(&self.product))?;
        context.catalogue.known(&self.product)?.holding_stock()?;
        Ok(exact_stock_of(&self.product))
    }

    fn decide(&self, stock: &Stock, context: &Context<'_>) -> Result<Vec<ShopEvent>, Refusal> {
        let (product, counted) = (self.product.clone(), self.counted);
        stock.counted_at(self.as_of, context.catalogue.known(&product)?)?;
        Ok(vec![StockCounted { product, counted, expected: stock.on_hand }.into()])
    }

    fn answer(recorded: &[Recorded]) -> Option<CountResult> {
        match recorded {
            [Recorded { event: ShopEvent::StockCounted(e), .. }] => Some(CountResult {
                counted: e.counted,
                expected: e.expected,
                difference: e.counted.saturating_sub(e.expected),
            }),
            _ => None,
        }
    }
}

impl Product {
    /// The product, or the refusal that it holds no stock.
    pub(crate) fn holding_stock(&self) -> Result<&Self, Refusal> {
        if self.stocked {
            return Ok(self);
        }
        let message = format!("{} is a service and holds no stock. Remove it.", self.name);
        Err(Refusal::new(RefusalCode::HoldsNoStock, message)
            .product(&self.id)
            .action(NextAction::RemoveLine))
    }
}

/// A view of what is on hand of each product that ever moved.
#[derive(Clone, Debug, Default)]
pub struct StockOnHand {
    quantities: HashMap<ProductId, Quantity>,
}

impl StockOnHand {
    /// What is on hand of a product; zero if it never moved. Of a service it is minus what was sold.
    pub fn of(&self, product: &ProductId) -> Quantity {
        self.quantities.get(product).copied().unwrap_or_default()
    }
}

impl Projection for StockOnHand {
    fn query(&self) -> Query {
        of_types(LESS).or(of_types(MORE))
    }

    fn apply(&mut self, event: &EventRef<'_>) {
        if let Some((product, change)) = ShopEvent::decode(event).as_ref().and_then(movement) {
            let quantity = self.quantities.entry(product.clone()).or_default();
            *quantity = quantity.saturating_add(change);
        }
    }
}

#[cfg(test)]
mod tests {
    use dcb::testing::given;
    use dcb::{Event, EventStore, MemoryStore};

    use super::*;
    use crate::testing::{
        Interrupted, act, added, at, configured, happened, of_request, received, refusal, seen,
        service_added, sku, units,
    };

    fn delivery(lines: &[(&str, i64)]) -> ReceiveStock {
        let line = |(id, quantity): &(&str, i64)| DeliveryLine {
            product: sku(id),
            quantity: units(*quantity),
            cost: None,
        };
        ReceiveStock { lines: lines.iter().map(line).collect() }
    }

    fn adjust(id: &str, quantity: i64) -> AdjustStock {
        AdjustStock { product: sku(id), quantity: units(quantity), reason: "damaged".into() }
    }

    fn count(counted: i64) -> CountStock {
        CountStock { product: sku("A"), counted: units(counted), as_of: None }
    }

    fn shop() -> Vec<Event> {
        vec![configured(), added("A", 100), service_added("POST", 500), received("A", 5)]
    }

    fn stored(events: &[Event]) -> MemoryStore {
        let store = MemoryStore::new();
        store.append(events, None).unwrap();
        store
    }

    #[test]
    fn a_delivery_records_each_of_its_lines() {
        let received = |n| StockReceived { product: sku("A"), quantity: units(n), cost: None };
        given(shop())
            .when(act(delivery(&[("A", 2), ("A", 3)])))
            .then_recorded(of_request([received(2).into(), received(3).into()]));
    }

    #[test]
    fn a_delivery_that_makes_no_sense_is_refused_with_its_line() {
        for (lines, code, line) in [
            (&[][..], RefusalCode::Empty, None),
            (&[("A", 1), ("A", 0)], RefusalCode::QuantityOutOfBounds, Some(2)),
            (&[("A", 1_000_001)], RefusalCode::QuantityOutOfBounds, Some(1)),
            (&[("B", 1)], RefusalCode::ProductUnknown, Some(1)),
            (&[("POST", 1)], RefusalCode::HoldsNoStock, Some(1)),
        ] {
            let refusal = refusal(given(shop()).when(act(delivery(lines))).then_refused());
            assert_eq!((refusal.code, refusal.details.line), (code, line));
        }
    }

    #[test]
    fn stock_is_adjusted_up_and_down_but_not_below_zero() {
        let (product, reason) = (sku("A"), "damaged".to_owned());
        let down = StockAdjustedDown { product, quantity: units(5), reason };
        given(shop()).when(act(adjust("A", -5))).then_recorded(of_request([down.into()]));
        given(shop()).when(act(adjust("A", 5))).then_accepted();
        let refusal = refusal(given(shop()).when(act(adjust("A", -6))).then_refused());
        assert_eq!(refusal.code, RefusalCode::OutOfStock);
        assert_eq!(refusal.details.left, Some(5000));
        assert_eq!(refusal.details.because.positions(), [4]);
        assert_eq!(refusal.message, "Only 5 left of a. Remove 1.");
    }

    #[test]
    fn adjusting_a_service_is_recorded_and_enforces_nothing() {
        given(shop()).when(act(adjust("POST", -7))).then_accepted();
    }

    #[test]
    fn an_adjustment_by_nothing_or_by_an_absurd_quantity_is_refused() {
        for quantity in [0, 1_000_001, -1_000_001, i64::MIN / 1000] {
            let refused = given(shop()).when(act(adjust("A", quantity))).then_refused();
            assert_eq!(refusal(refused).code, RefusalCode::QuantityOutOfBounds);
        }
    }

    #[test]
    fn a_count_tells_what_was_expected_and_sets_what_is_on_hand() {
        let store = stored(&shop());
        let done = at("T1", 1).act(&store, &count(3)).unwrap();
        let expected = CountResult { counted: units(3), expected: units(5), difference: units(-2) };
        assert_eq!(done.answer, expected);
        assert_eq!(seen::<StockOnHand>(&store).of(&sku("A")), units(3));
        let refused = at("T1", 2).act(&store, &adjust("A", -4)).unwrap_err();
        assert_eq!(refusal(refused).details.left, Some(3000));
    }

    #[test]
    fn a_delivery_during_a_count_is_counted_and_during_an_adjustment_ignored() {
        let store = stored(&shop());
        let deliver = |request| at("T2", request).act(&store, &delivery(&[("A", 2)])).unwrap();
        let counting = Interrupted::new(count(3), || drop(deliver(2)));
        let counted = at("T1", 1).act(&store, &counting).unwrap();
        assert_eq!((counted.answer.expected, counted.trace.conflicts()), (units(7), 1));
        let adjusting = Interrupted::new(adjust("A", -3), || drop(deliver(4)));
        assert_eq!(at("T1", 3).act(&store, &adjusting).unwrap().trace.conflicts(), 0);
    }

    #[test]
    fn a_count_that_the_product_moved_after_is_made_again() {
        let store = stored(&shop());
        at("T1", 1).act(&store, &adjust("A", -1)).unwrap();
        let count_now =
            |counted| CountStock { as_of: Some(store.head().unwrap()), ..count(counted) };
        for (request, quantity) in [(2, -1), (4, 1)] {
            let meanwhile = || drop(at("T2", request).act(&store, &adjust("A", quantity)));
            let late = Interrupted::new(count_now(4), meanwhile);
            let refusal = refusal(at("T1", request + 1).act(&store, &late).unwrap_err());
            assert_eq!(refusal.code, RefusalCode::CountOutdated);
            assert_eq!(refusal.details.action, Some(NextAction::CountAgain));
            assert_eq!(refusal.details.because.positions(), [store.head().unwrap()]);
        }
        let other = || drop(at("T2", 6).act(&store, &adjust("POST", -1)));
        let done = at("T1", 7).act(&store, &Interrupted::new(count_now(4), other)).unwrap();
        assert_eq!((done.answer.difference, done.trace.conflicts()), (Quantity::ZERO, 0));
    }

    #[test]
    fn services_and_impossible_figures_are_not_counted() {
        let post = CountStock { product: sku("POST"), ..count(1) };
        let refused = given(shop()).when(act(post)).then_refused();
        assert_eq!(refusal(refused).code, RefusalCode::HoldsNoStock);
        let refused = given(shop()).when(act(count(-1))).then_refused();
        assert_eq!(refusal(refused).code, RefusalCode::QuantityOutOfBounds);
    }

    #[test]
    fn what_is_not_restocked_stays_off_the_shelf() {
        let returned = |restocked| {
            happened(ProductReturned {
                refund: crate::RefundId::new("r").unwrap(),
                line: 1,
                product: sku("A"),
                quantity: units(1),
                unit_price: Money::ZERO,
                gross: Money::ZERO,
                net: Money::ZERO,
                tax: Money::ZERO,
                tax_rate: Default::default(),
                restocked,
                sale: None,
                sold_line: None,
                sold_on: None,
                customer: None,
            })
        };
        let store = stored(&[returned(false), returned(true)]);
        assert_eq!(seen::<StockOnHand>(&store).of(&sku("A")), units(1));
    }
}
