//! What the tests of the slices share: a small shop, and a way to act in it.

use std::cell::Cell;

use dcb::{DecisionModel, Event, EventStore, MemoryStore, Projection};
use serde::{Serialize, Serializer};
use uuid::Uuid;

use crate::event::{
    CustomerAdded, LimitSet, Person, ProductAdded, ShiftOpened, ShopConfigured, StaffAdded,
    StockReceived,
};
use crate::*;

pub(crate) fn when() -> When {
    When { at: "2026-03-02T10:00:00Z".parse().unwrap(), business_day: day("2026-03-02") }
}

pub(crate) fn day(text: &str) -> BusinessDay {
    text.parse().unwrap()
}

pub(crate) fn till(id: &str) -> TillId {
    TillId::new(id).unwrap()
}

pub(crate) fn sku(id: &str) -> ProductId {
    ProductId::new(id).unwrap()
}

pub(crate) fn customer(id: &str) -> CustomerId {
    CustomerId::new(id).unwrap()
}

/// So many whole units.
pub(crate) fn units(units: i64) -> Quantity {
    Quantity::units(units).unwrap()
}

pub(crate) fn settings() -> ShopSettings {
    ShopSettings::new(
        "Corner shop",
        Currency::new("GBP").unwrap(),
        Zone::new("Europe/London").unwrap(),
        CutOver::new("04:00").unwrap(),
        TaxMode::Included,
    )
}

/// An event of the past.
pub(crate) fn happened(event: impl Into<ShopEvent>) -> Event {
    event.into().encode(&when())
}

pub(crate) fn configured() -> Event {
    happened(ShopConfigured { settings: settings() })
}

/// Someone who joined the staff, of the same name as id.
pub(crate) fn hired(id: &str, role: Role) -> Event {
    let user = UserId::new(id).unwrap();
    let private = Person { name: id.to_owned() };
    happened(StaffAdded { user, role, name_hash: None, private })
}

/// A customer of the same name as id.
pub(crate) fn customer_added(id: &str) -> Event {
    let private = Person { name: id.to_owned() };
    happened(CustomerAdded { customer: customer(id), private })
}

/// What happened, and then customers 7, 8 and 9 were added.
pub(crate) fn with_customers(mut past: Vec<Event>) -> Vec<Event> {
    past.extend(["7", "8", "9"].map(customer_added));
    past
}

/// A product of that name at this price, 20 % of tax included.
pub(crate) fn added(id: &str, price: i64) -> Event {
    happened(product_added(id, price, true))
}

/// A product that holds no stock.
pub(crate) fn service_added(id: &str, price: i64) -> Event {
    happened(product_added(id, price, false))
}

pub(crate) fn product_added(id: &str, price: i64, stocked: bool) -> ProductAdded {
    ProductAdded {
        product: sku(id),
        name: id.to_lowercase(),
        category: "Food".into(),
        price: Money::new(price),
        cost: Money::ZERO,
        tax_rate: BasisPoints::new(2000),
        stocked,
    }
}

pub(crate) fn received(id: &str, quantity: i64) -> Event {
    happened(StockReceived { product: sku(id), quantity: units(quantity), cost: None })
}

pub(crate) fn limited(
    id: &str,
    per_receipt: impl Into<Option<i64>>,
    per_customer_day: impl Into<Option<i64>>,
) -> Event {
    happened(LimitSet {
        product: sku(id),
        per_receipt: per_receipt.into().map(units),
        per_customer_day: per_customer_day.into().map(units),
    })
}

/// The shift that [`opened`] opens.
pub(crate) fn shift_at(till: &str) -> ShiftId {
    ShiftId::new(&format!("shift-{till}")).unwrap()
}

pub(crate) fn opened(till_id: &str) -> Event {
    let (shift, till) = (shift_at(till_id), till(till_id));
    happened(ShiftOpened { shift, till, float: Money::new(5000) })
}

/// What is recorded of these events by the request of [`act`].
pub(crate) fn of_request(events: impl IntoIterator<Item = ShopEvent>) -> Vec<Event> {
    let mut events: Vec<Event> = events.into_iter().map(happened).collect();
    events[0].tags.push(ids::request_tag(Uuid::from_u128(1)));
    events
}

/// Who acts, where and when.
#[derive(Clone)]
pub(crate) struct Actor {
    pub(crate) request_id: Uuid,
    pub(crate) till: TillId,
    pub(crate) at: chrono::DateTime<chrono::Utc>,
    pub(crate) authority: Authority,
    pub(crate) journal: Option<event::JournalMark>,
}

/// Someone at till `T1` or another, with a request id made of this number.
pub(crate) fn at(till_id: &str, request: u128) -> Actor {
    Actor {
        request_id: Uuid::from_u128(request),
        till: till(till_id),
        at: when().at,
        authority: Authority::owner(),
        journal: None,
    }
}

impl Actor {
    /// Carries out a command with views that have seen all that is in the store.
    pub(crate) fn act<C: Command>(
        &self,
        store: &MemoryStore,
        command: &C,
    ) -> Result<Done<C::Answer>, Rejected> {
        self.act_knowing(store, command, &seen(store))
    }

    /// Carries out a command with a catalogue that may have missed something.
    pub(crate) fn act_knowing<C: Command>(
        &self,
        store: &MemoryStore,
        command: &C,
        catalogue: &Catalogue,
    ) -> Result<Done<C::Answer>, Rejected> {
        let settings: Settings = seen(store);
        let context = Context {
            request_id: self.request_id,
            at: self.at,
            till: self.till.clone(),
            user: UserId::new("ann").unwrap(),
            authority: self.authority.clone(),
            journal: self.journal.clone(),
            settings: settings.current(),
            catalogue,
            shift: seen::<OpenShifts>(store).at(&self.till).map(|open| open.shift.clone()),
        };
        execute(store, command, &context)
    }
}

/// The act of a test: at till `T1`, by the request that [`of_request`] means.
pub(crate) fn act<C: Command>(
    command: C,
) -> impl FnOnce(&MemoryStore) -> Result<Done<C::Answer>, Rejected> {
    move |store| at("T1", 1).act(store, &command)
}

/// A view that has seen all that is in the store.
pub(crate) fn seen<P: Projection + Default>(store: &MemoryStore) -> P {
    let mut view = P::default();
    let mut events = store.read(&view.query(), dcb::ReadOptions::default()).unwrap();
    while let Some(event) = events.next_ref().unwrap() {
        view.apply(&event);
    }
    view
}

pub(crate) fn refusal(rejected: Rejected) -> Refusal {
    match rejected {
        Rejected::Refused { refusal, .. } => refusal,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn cart(lines: &[(&str, i64)], payments: &[(Tender, i64)]) -> Checkout {
    let line = |(id, quantity): &(&str, i64)| CheckoutLine::new(sku(id), units(*quantity));
    let payment = |(tender, amount): &(Tender, i64)| Payment::new(*tender, Money::new(*amount));
    Checkout {
        lines: lines.iter().map(line).collect(),
        payments: payments.iter().map(payment).collect(),
        ..Checkout::default()
    }
}

/// Two tills are open; there are 5 of A at 1.20, 5 of B at 0.99, and a service at 3.00.
pub(crate) fn open_shop() -> Vec<Event> {
    vec![
        configured(),
        added("A", 120),
        added("B", 99),
        service_added("POST", 300),
        received("A", 5),
        received("B", 5),
        opened("T1"),
        opened("T2"),
    ]
}

/// [`open_shop`], and what happened then.
pub(crate) fn open_shop_and(more: impl IntoIterator<Item = Event>) -> Vec<Event> {
    open_shop().into_iter().chain(more).collect()
}

pub(crate) fn stored(events: &[Event]) -> MemoryStore {
    let store = MemoryStore::new();
    store.append(events, None).unwrap();
    store
}

/// A command during whose first decision something else happens.
pub(crate) struct Interrupted<C, F> {
    command: C,
    rival: Cell<Option<F>>,
}

impl<C, F: FnOnce()> Interrupted<C, F> {
    pub(crate) fn new(command: C, rival: F) -> Self {
        Self { command, rival: Cell::new(Some(rival)) }
    }
}

impl<C: Serialize, F> Serialize for Interrupted<C, F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.command.serialize(serializer)
    }
}

impl<C: Command, F: FnOnce()> Command for Interrupted<C, F> {
    const NAME: &'static str = C::NAME;
    const PERMISSION: Permission = C::PERMISSION;
    const RECORDS_JOURNAL: bool = C::RECORDS_JOURNAL;
    type Model = C::Model;
    type Answer = C::Answer;

    fn model(&self, context: &Context<'_>) -> Result<C::Model, Refusal> {
        self.command.model(context)
    }

    fn decide(
        &self,
        state: &<C::Model as DecisionModel>::State,
        context: &Context<'_>,
    ) -> Result<Vec<ShopEvent>, Refusal> {
        if let Some(rival) = self.rival.take() {
            rival();
        }
        self.command.decide(state, context)
    }

    fn answer(recorded: &[Recorded]) -> Option<C::Answer> {
        C::answer(recorded)
    }
}
