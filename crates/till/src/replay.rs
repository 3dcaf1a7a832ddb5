//! Replaying historic invoices through the real commands, so that history reads as if this till
//! had been there.
//!
//! A replay may be interrupted at any moment and started again, and files may overlap: what was
//! recorded before is left alone, because the id of every act follows from its invoice alone. What
//! depends on the moment (deliveries, shifts) is worked out from what the store holds by then.

mod act;
mod shortfall;

use std::collections::{HashMap, HashSet};
use std::io::Read;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use dcb::{EventStore, Query};
use pos::event::CustomerAdded;
use pos::{
    AddCustomers, AddProduct, AddProducts, BasisPoints, BusinessDay, Catalogue, CloseShift,
    CustomerFromElsewhere, DeliveryLine, MAX_LINES, MAX_PRODUCTS_AT_ONCE, Money, OpenShift,
    ProductId, Quantity, ReceiveStock, ShiftId, ShopSettings, TillId, UserId,
};
use serde::Serialize;

use crate::retail::{self, Described, is_service};
use crate::setup::{configure_if_new, settings_or_default};
use crate::{Clock, Rejected, Till, TillError};
use act::{Act, Deed};
use shortfall::shortfalls;

/// The till of a replay, and with it the series of its receipts.
const REPLAY_TILL: &str = "REPLAY";

/// Who replays.
const REPLAY_USER: &str = "replay";

/// What may be chosen about a replay.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReplayOptions {
    /// The tax rate of the products that are not in the catalogue yet.
    pub tax_rate: BasisPoints,
}

/// What a replay came to. Only what was newly recorded counts as sale, refund or adjustment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReplaySummary {
    /// The records of the file, without its header.
    pub lines: u64,
    /// The invoices that became a sale.
    pub sales: u64,
    /// The invoices that became a refund.
    pub refunds: u64,
    /// The records that became a stock adjustment.
    pub adjustments: u64,
    /// The sales, refunds and adjustments that were recorded before.
    pub already_there: u64,
    /// The records that were left out, in line order.
    pub rejected: Vec<Rejected>,
}

/// How far a replay is: how many of its sales, refunds and adjustments are done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Those done, refused ones among them.
    pub done: usize,
    /// Those that were to do.
    pub total: usize,
}

/// A replay that could not go on. Replaying again takes it up where it ended.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct Interrupted {
    /// What was done until then.
    pub summary: ReplaySummary,
    /// What stopped it.
    #[source]
    pub error: TillError,
}

/// The till at which invoices are replayed: no one's but the replay's.
pub fn replay_till(store: Arc<dyn EventStore>, clock: impl Clock + 'static) -> Till {
    let id = TillId::new(REPLAY_TILL).expect("the replay's till has a good id");
    let user = UserId::new(REPLAY_USER).expect("the replay's user has a good id");
    Till::open(store, clock, id, user)
}

/// Replays a file of invoices at `till`, and tells `progress` after each act.
///
/// A shop without settings gets those of the data set: pounds sterling, UTC, days from midnight to
/// midnight, prices with tax. A record or an act that is refused is left out and reported; a fault
/// stops the replay.
pub fn replay(
    till: &Till,
    input: impl Read,
    options: ReplayOptions,
    mut progress: impl FnMut(Progress),
) -> Result<ReplaySummary, Box<Interrupted>> {
    let mut summary = ReplaySummary::default();
    let outcome = replay_into(&mut summary, till, input, options, &mut progress);
    summary.rejected.sort_by_key(|rejected| rejected.line);
    match outcome {
        Ok(()) => Ok(summary),
        Err(error) => Err(Box::new(Interrupted { summary, error })),
    }
}

fn replay_into(
    summary: &mut ReplaySummary,
    till: &Till,
    input: impl Read,
    options: ReplayOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), TillError> {
    let settings = settings_or_default(till)?;
    let mut file = retail::read(input, settings.currency.decimals())?;
    summary.lines = file.records;
    summary.rejected.append(&mut file.rejected);
    configure_if_new(till, &settings)?;

    let (acts, refused) = act::acts_of(&file.invoices);
    summary.rejected.extend(refused);
    let mut to_do = Vec::new();
    let mut done = Vec::new();
    for act in acts {
        if !till.has_done(act.id)? {
            to_do.push(act);
            continue;
        }
        let recorded = act.lines_recorded(till)?;
        if recorded < act.lines() {
            summary.rejected.extend(act.rejected(&format!(
                "the invoice was recorded before with {recorded} lines, and here it has {}; what is \
                 recorded stays as it is",
                act.lines()
            )));
        }
        done.push(act);
    }
    summary.already_there = u64::try_from(done.len()).unwrap_or(u64::MAX);

    let shift = RunningShift::of(till, &settings, &done)?;
    if let Some(first) = to_do.first() {
        add_products(till, &to_do, &file.products, options.tax_rate, first.at)?;
        add_customers(till, &to_do, first.at)?;
    }
    let catalogue = till.catalogue()?;
    let short = shortfalls(till, &to_do)?;
    let mut replay = Replay { till, settings, catalogue, shift, short };
    for (index, act) in to_do.iter().enumerate() {
        replay.carry_out(act, summary)?;
        progress(Progress { done: index + 1, total: to_do.len() });
    }
    replay.close_shift()
}

/// Adds the products that the catalogue does not have yet, in the order in which they first move.
fn add_products(
    till: &Till,
    acts: &[Act<'_>],
    described: &HashMap<ProductId, Described>,
    tax_rate: BasisPoints,
    at: DateTime<Utc>,
) -> Result<(), TillError> {
    let catalogue = till.catalogue()?;
    let mut seen = HashSet::new();
    let mut missing = Vec::new();
    for (product, _) in acts.iter().flat_map(Act::movements) {
        if seen.insert(product) && catalogue.get(product).is_none() {
            let described = described.get(product);
            missing.push(AddProduct {
                sku: product.clone(),
                name: described.and_then(|d| d.name.clone()).unwrap_or_else(|| product.to_string()),
                category: "Imported".into(),
                price: described.and_then(|d| d.price).unwrap_or(Money::ZERO),
                cost: Money::ZERO,
                tax_rate,
                stocked: !is_service(product),
                barcode: None,
            });
        }
    }
    for batch in missing.chunks(MAX_PRODUCTS_AT_ONCE) {
        let command = AddProducts { products: batch.to_vec() };
        till.execute_at(&command, till.clock().fresh_id(), at)?;
    }
    Ok(())
}

/// Adds the customers that the shop does not have yet, in the order in which they first come. Nobody
/// knows what they are called, so each is called by the id.
fn add_customers(till: &Till, acts: &[Act<'_>], at: DateTime<Utc>) -> Result<(), TillError> {
    let mut seen = HashSet::new();
    let mut missing = Vec::new();
    for customer in acts.iter().filter_map(Act::customer) {
        let additions = Query::tagged([CustomerAdded::TYPE], customer.tag());
        if seen.insert(customer) && !till.store().exists(&additions)? {
            let name = customer.as_str().to_owned();
            missing.push(CustomerFromElsewhere { customer: customer.clone(), name });
        }
    }
    for batch in missing.chunks(MAX_LINES) {
        let command = AddCustomers { customers: batch.to_vec() };
        till.execute_at(&command, till.clock().fresh_id(), at)?;
    }
    Ok(())
}

/// A replay on its way.
struct Replay<'t> {
    till: &'t Till,
    settings: ShopSettings,
    catalogue: Arc<Catalogue>,
    shift: Option<RunningShift>,
    /// What still has to be delivered of each product before it first moves.
    short: HashMap<ProductId, Quantity>,
}

/// A shift of the replay's till that is open.
struct RunningShift {
    id: ShiftId,
    day: BusinessDay,
    /// When something last happened in it.
    last_at: DateTime<Utc>,
}

impl RunningShift {
    /// The till's open shift, if an earlier replay was interrupted in it.
    fn of(
        till: &Till,
        settings: &ShopSettings,
        done: &[Act<'_>],
    ) -> Result<Option<Self>, TillError> {
        let Some(shift) = till.current_shift()? else { return Ok(None) };
        let day = shift.business_day;
        let acts = done.iter().map(|act| act.at).filter(|at| settings.business_day(*at) == day);
        Ok(Some(Self { id: shift.shift, day, last_at: acts.fold(shift.opened_at, DateTime::max) }))
    }
}

impl Replay<'_> {
    /// Lets one act happen: in a shift of its business day, with goods enough.
    fn carry_out(&mut self, act: &Act<'_>, summary: &mut ReplaySummary) -> Result<(), TillError> {
        self.be_in_a_shift(act.at)?;
        self.deliver_for(act)?;
        match act.carry_out(self.till, &self.catalogue, &self.settings) {
            Ok(repeated) => {
                let count = match act.deed {
                    _ if repeated => &mut summary.already_there,
                    Deed::Sale(_) => &mut summary.sales,
                    Deed::Refund(_) => &mut summary.refunds,
                    Deed::Adjustment(_) => &mut summary.adjustments,
                };
                *count += 1;
                Ok(())
            }
            Err(refused) if refused.refusal().is_some() => {
                summary.rejected.extend(act.rejected(&refused.message));
                Ok(())
            }
            Err(fault) => Err(fault),
        }
    }

    fn be_in_a_shift(&mut self, at: DateTime<Utc>) -> Result<(), TillError> {
        let day = self.settings.business_day(at);
        if let Some(shift) = self.shift.as_mut().filter(|shift| shift.day == day) {
            shift.last_at = shift.last_at.max(at);
            return Ok(());
        }
        self.close_shift()?;
        let open = OpenShift { float: Money::ZERO };
        let opened = self.till.execute_at(&open, self.till.clock().fresh_id(), at)?;
        self.shift = Some(RunningShift { id: opened.answer.shift, day, last_at: at });
        Ok(())
    }

    /// Ends the shift with an empty drawer: it began so, and all was paid by card.
    fn close_shift(&mut self) -> Result<(), TillError> {
        if let Some(shift) = self.shift.take() {
            let close = CloseShift::counted(shift.id, Money::ZERO);
            self.till.execute_at(&close, self.till.clock().fresh_id(), shift.last_at)?;
        }
        Ok(())
    }

    /// Receives what the products of this act will fall short of, if they move for the first time.
    fn deliver_for(&mut self, act: &Act<'_>) -> Result<(), TillError> {
        let mut lines = Vec::new();
        for (product, _) in act.movements() {
            let mut short = self.short.remove(product).unwrap_or_default();
            while short > Quantity::ZERO {
                let quantity = short.min(Quantity::MAX_LINE);
                lines.push(DeliveryLine { product: product.clone(), quantity, cost: None });
                short = short.saturating_sub(quantity);
            }
        }
        for delivery in lines.chunks(MAX_LINES) {
            let delivery = ReceiveStock { lines: delivery.to_vec() };
            self.till.execute_at(&delivery, self.till.clock().fresh_id(), act.at)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
