//! A till: where someone acts, on the shop's one history.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread;
use std::time::Instant;

use chrono::{DateTime, SubsecRound, Utc};
use dcb::{EventRef, EventStore, Projection, StoreError};
use pos::{
    Authority, Catalogue, Command, Context, Done, OpenShifts, Rejected, Sales, Settings, Shift,
    ShopSettings, Staff, StockOnHand, TillId, UserId, event,
};
use uuid::Uuid;

use crate::carts::Carts;
use crate::credentials::Credentials;
use crate::lease::Lease;
use crate::operations::{Access, Draft};
use crate::queries::Query;
use crate::search::SearchIndex;
use crate::staff::{Approval, AtTill, Person};
use crate::view::View;
use crate::{Fault, TillError};

/// What a till takes from the world around it: the time, and ids that nobody else has.
pub trait Clock: Send + Sync {
    /// The time now. It never goes back.
    fn now(&self) -> DateTime<Utc>;

    /// An id for a request that the till makes by itself.
    fn fresh_id(&self) -> Uuid {
        Uuid::now_v7()
    }
}

/// The clock of the machine, as it is read beside a store: never behind its newest event, and never
/// going back. While the machine's clock is behind what was shown last, time passes from there on.
pub struct SystemClock {
    store: Arc<dyn EventStore>,
    /// What it showed last, and when that was by a clock that nobody can set.
    shown: Mutex<(DateTime<Utc>, Instant)>,
}

impl SystemClock {
    /// The clock beside this store.
    pub fn beside(store: Arc<dyn EventStore>) -> Self {
        Self { store, shown: Mutex::new((DateTime::UNIX_EPOCH, Instant::now())) }
    }

    /// What it shows when the machine's clock shows this.
    fn show(&self, machine: DateTime<Utc>) -> DateTime<Utc> {
        // It is replaced as a whole, so a panic elsewhere leaves no half of it.
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let (last, at) = *shown;
        let passed = if machine < last { last + at.elapsed() } else { machine };
        let now = self.store.last_recorded_at().map_or(passed, |newest| newest.max(passed));
        *shown = (now, Instant::now());
        now
    }
}

impl Clock for SystemClock {
    fn now(&self) -> DateTime<Utc> {
        self.show(dcb::recording_time()).trunc_subsecs(6)
    }
}

/// A till with somebody at it.
///
/// It may be shared by threads: queries run side by side, commands queue, so that receipt numbers
/// of one till are not fought over in its own process.
pub struct Till {
    store: Arc<dyn EventStore>,
    clock: Box<dyn Clock>,
    id: TillId,
    pub(crate) at_till: RwLock<Option<AtTill>>,
    acting: Mutex<()>,
    carts: Carts,
    credentials: Credentials,
    _lease: Option<Lease>,
    staff: View<Staff>,
    shop: View<KnownShop>,
    stock: View<StockOnHand>,
    sales: View<Sales>,
    search: View<SearchIndex>,
}

impl Till {
    /// Opens a till on a store, with the owner of the shop at it, who may do everything; see
    /// [`Till::signed_out`]. Views are built when they are first looked at. Its cart, and the PINs
    /// of the staff, live as long as it does; see [`Till::in_folder`].
    pub fn open(
        store: Arc<dyn EventStore>,
        clock: impl Clock + 'static,
        id: TillId,
        owner: UserId,
    ) -> Self {
        Self {
            store,
            clock: Box::new(clock),
            id,
            at_till: RwLock::new(Some(AtTill::Owner(owner))),
            acting: Mutex::default(),
            carts: Carts::default(),
            credentials: Credentials::default(),
            _lease: None,
            staff: View::default(),
            shop: View::default(),
            stock: View::default(),
            sales: View::default(),
            search: View::default(),
        }
    }

    /// Keeps the till's cart and the staff's PINs in the shop's folder, beside the store, where
    /// they survive a crash. It is for programs that come and go: only the till's host should
    /// change the cart; see [`Till::hosted_in`].
    pub fn in_folder(self, data: &Path) -> Self {
        let carts = Carts::in_folder(data, &self.id);
        Self { carts, credentials: Credentials::in_folder(data), ..self }
    }

    /// [`Till::in_folder`], for as long as this process is the till's host: the till keeps its
    /// [`Lease`]. [`Fault::TillInUse`] if another process is the host.
    pub fn hosted_in(self, data: &Path) -> Result<Self, TillError> {
        let lease = Lease::take(data, &self.id)?;
        Ok(Self { _lease: Some(lease), ..self.in_folder(data) })
    }

    /// Builds the views that a sell screen looks at first, side by side, so that it need not wait for
    /// one after the other: a host does this while the screen is loaded. For that all history is
    /// read, once, which leaves nothing of it in memory. What goes wrong here goes wrong again, and
    /// is told, when somebody asks.
    pub fn get_ready(&self) {
        thread::scope(|scope| {
            scope.spawn(|| self.look_up(|_| ()));
            scope.spawn(|| self.look_at_stock(|_| ()));
            let _ = self.look_at_catalogue(|_| ());
        });
        self.store().trim_memory();
    }

    /// Carries out a command, now. The same request again gets the first answer.
    pub fn execute<C: Command>(
        &self,
        command: &C,
        request_id: Uuid,
    ) -> Result<Done<C::Answer>, TillError> {
        self.act(command, request_id, None, None)
    }

    /// Carries out a command that happens, or happened, at a given time.
    pub fn execute_at<C: Command>(
        &self,
        command: &C,
        request_id: Uuid,
        at: DateTime<Utc>,
    ) -> Result<Done<C::Answer>, TillError> {
        self.act(command, request_id, Some(at), None)
    }

    /// Carries out a command, now, with the approval of someone else if there is one. An approval
    /// that is none is refused before anything is decided. A request that was carried out before gets
    /// its first answer without.
    pub fn execute_approved<C: Command>(
        &self,
        command: &C,
        request_id: Uuid,
        approval: Option<Approval>,
    ) -> Result<Done<C::Answer>, TillError> {
        self.act(command, request_id, None, approval)
    }

    fn act<C: Command>(
        &self,
        command: &C,
        request_id: Uuid,
        at: Option<DateTime<Utc>>,
        approval: Option<Approval>,
    ) -> Result<Done<C::Answer>, TillError> {
        let Person { user, role, .. } = self.acting()?;
        self.attended();
        let own = role.map_or_else(Authority::owner, |role| Authority::staff(&user, role));
        let authority = match approval {
            // It decides nothing any more, and its PIN may be locked by now.
            Some(_) if self.has_done(request_id)? => own,
            Some(approval) => approval.add_to(own, self)?,
            None => own,
        };
        // The lock guards no data, only an order: a panic of an earlier act leaves nothing behind.
        let _queue = self.acting.lock().unwrap_or_else(PoisonError::into_inner);
        let shop = self.shop.now(self.store())?;
        let context = Context {
            request_id,
            // Asked for now that the newest event is known: nothing happens before it.
            at: at.unwrap_or_else(|| self.clock.now()),
            till: self.id.clone(),
            user,
            authority,
            journal: None,
            settings: shop.settings.current(),
            catalogue: &shop.catalogue,
            shift: shop.shifts.at(&self.id).map(|open| open.shift.clone()),
        };
        pos::execute(self.store(), command, &context).map_err(|rejected| match rejected {
            Rejected::Refused { refusal, .. } => {
                // That it could not be recorded is no reason to hide why it was refused.
                let _ = pos::record_refusal(self.store(), C::NAME, &refusal, &context);
                refusal.into()
            }
            Rejected::Store(error) => error.into(),
            Rejected::Contended { .. } => TillError::new(Fault::Contended, rejected.to_string()),
        })
    }

    /// Answers a query, if who is at the till may ask it.
    pub fn ask<Q: Query>(&self, query: &Q) -> Result<Q::Answer, TillError> {
        self.admit(Q::ACCESS)?;
        query.ask(self)
    }

    /// Keeps something beside the history, if who is at the till may.
    pub fn keep<D: Draft>(&self, draft: &D) -> Result<D::Answer, TillError> {
        self.admit(D::ACCESS)?;
        if D::ACCESS != Access::Anyone {
            self.attended();
        }
        draft.keep(self)
    }

    /// Whether a request was carried out before.
    pub fn has_done(&self, request_id: Uuid) -> Result<bool, StoreError> {
        self.store.exists(&dcb::Query::tagged([], &pos::request_tag(request_id)))
    }

    /// The till's id.
    pub fn id(&self) -> &TillId {
        &self.id
    }

    /// The store on which the till works.
    pub fn store(&self) -> &dyn EventStore {
        &*self.store
    }

    /// The till's clock.
    pub fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// The shop's settings, if it has any.
    pub fn settings(&self) -> Result<Option<ShopSettings>, StoreError> {
        self.shop.look(self.store(), |shop| shop.settings.current().cloned())
    }

    /// The shop's products, as they are now.
    pub fn catalogue(&self) -> Result<Arc<Catalogue>, StoreError> {
        self.shop.look(self.store(), |shop| Arc::clone(&shop.catalogue))
    }

    /// Looks at the shop's products, as they are now.
    pub(crate) fn look_at_catalogue<T>(
        &self,
        look: impl FnOnce(&Catalogue) -> T,
    ) -> Result<T, StoreError> {
        self.shop.look(self.store(), |shop| look(&shop.catalogue))
    }

    /// The shift that is open at this till.
    pub fn current_shift(&self) -> Result<Option<Shift>, StoreError> {
        self.shop.look(self.store(), |shop| shop.shifts.at(&self.id).cloned())
    }

    /// What is on hand, as it is now.
    pub fn stock(&self) -> Result<Arc<StockOnHand>, StoreError> {
        self.stock.now(self.store())
    }

    /// Looks at what is on hand, as it is now.
    pub(crate) fn look_at_stock<T>(
        &self,
        look: impl FnOnce(&StockOnHand) -> T,
    ) -> Result<T, StoreError> {
        self.stock.look(self.store(), look)
    }

    /// Looks at the words by which products are found.
    pub(crate) fn look_up<T>(&self, look: impl FnOnce(&SearchIndex) -> T) -> Result<T, StoreError> {
        self.search.look(self.store(), look)
    }

    /// Looks at the staff, as it is now.
    pub(crate) fn look_at_staff<T>(&self, look: impl FnOnce(&Staff) -> T) -> Result<T, StoreError> {
        self.staff.look(self.store(), look)
    }

    /// What a user is called, who may have left the staff since. Others, such as the owner, are
    /// called by their id.
    pub(crate) fn name_of(&self, user: &str) -> Result<String, StoreError> {
        let id = UserId::new(user).ok();
        self.look_at_staff(|staff| {
            id.and_then(|id| staff.name_of(&id).map(str::to_owned)).unwrap_or_else(|| user.into())
        })
    }

    /// The PINs of the staff.
    pub(crate) fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// The cart that the till is at.
    pub(crate) fn carts(&self) -> &Carts {
        &self.carts
    }

    /// What was sold and refunded, up to now.
    pub fn sales(&self) -> Result<Arc<Sales>, StoreError> {
        self.sales.now(self.store())
    }
}

/// What every act is given to know, in one view, so that it is brought up to date by one read.
#[derive(Clone, Default)]
struct KnownShop {
    settings: Settings,
    /// Copied only if it changes while somebody keeps it, not with every shift.
    catalogue: Arc<Catalogue>,
    shifts: OpenShifts,
}

impl Projection for KnownShop {
    fn query(&self) -> dcb::Query {
        self.settings.query().or(self.catalogue.query()).or(self.shifts.query())
    }

    fn apply(&mut self, event: &EventRef<'_>) {
        match event.event_type {
            event::ShopConfigured::TYPE => self.settings.apply(event),
            event::ShiftOpened::TYPE | event::ShiftClosed::TYPE => self.shifts.apply(event),
            _ => Arc::make_mut(&mut self.catalogue).apply(event),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::TimeDelta;
    use dcb::MemoryStore;
    use dcb::testing::CountingStore;
    use pos::{
        Checkout, CheckoutLine, OpenShift, Payment, ProductId, Quantity, RefusalCode, SalesBy,
        Tender,
    };

    use super::*;
    use crate::demo::demo;
    use crate::search::Search;
    use crate::testing::{StoppedClock, till_on};

    /// Two tills of one demo shop, both with an open shift.
    fn two_tills() -> [Till; 2] {
        let store: Arc<dyn EventStore> = Arc::new(MemoryStore::new());
        let tills = ["T1", "T2"].map(|id| till_on(Arc::clone(&store), id));
        demo(&tills[0]).unwrap();
        for till in &tills {
            till.execute(&OpenShift { float: pos::Money::ZERO }, Uuid::now_v7()).unwrap();
        }
        tills
    }

    fn one_of(sku: &str, pence: i64) -> Checkout {
        let product = ProductId::new(sku).unwrap();
        let amount = pos::Money::new(pence);
        Checkout {
            lines: vec![CheckoutLine::new(product, Quantity::UNIT)],
            payments: vec![Payment::new(Tender::Card, amount)],
            ..Checkout::default()
        }
    }

    #[test]
    fn a_clock_that_is_set_back_goes_on_from_where_it_was() {
        let store: Arc<dyn EventStore> = Arc::new(MemoryStore::new());
        let clock = SystemClock::beside(Arc::clone(&store));
        let (noon, hour) = (StoppedClock.now(), TimeDelta::hours(1));
        assert_eq!(clock.show(noon), noon);
        thread::sleep(Duration::from_millis(2));
        let later = clock.show(noon - hour);
        let passed = later - noon;
        assert!(passed >= TimeDelta::milliseconds(2) && passed < hour, "{passed}");
        assert_eq!(clock.show(later + hour), later + hour);
    }

    #[test]
    fn nothing_happens_before_the_newest_event_whatever_the_machines_clock_shows() {
        let store: Arc<dyn EventStore> = Arc::new(MemoryStore::new());
        demo(&till_on(Arc::clone(&store), "T1")).unwrap();
        let newest = store.last_recorded_at().unwrap();
        let clock = SystemClock::beside(Arc::clone(&store));
        assert_eq!(clock.show(newest - TimeDelta::days(1)), newest);
        // Somebody else, whose clock is ahead, acts.
        till_on(Arc::clone(&store), "T2")
            .execute(&OpenShift { float: pos::Money::ZERO }, Uuid::now_v7())
            .unwrap();
        let newest = store.last_recorded_at().unwrap();
        assert!(clock.show(newest - TimeDelta::days(1)) >= newest);
    }

    #[test]
    fn a_till_that_got_ready_reads_nothing_to_show_its_products() {
        let store = Arc::new(CountingStore::default());
        demo(&till_on(Arc::clone(&store) as _, "T1")).unwrap();
        let till = till_on(Arc::clone(&store) as _, "T1");
        till.get_ready();
        let before = store.asked();
        assert!(!till.ask(&Search::default()).unwrap().products.is_empty());
        assert_eq!((store.asked(), till.current_shift().unwrap()), (before, None));
    }

    #[test]
    fn the_last_piece_is_sold_once_however_many_tills_want_it() {
        let tills = two_tills();
        let clock = &one_of("22726", 375); // the demo has one of these
        let outcomes = thread::scope(|scope| {
            let sell = |till| scope.spawn(move || Till::execute(till, clock, Uuid::now_v7()));
            let racing: Vec<_> = tills.iter().map(sell).collect();
            racing.into_iter().map(|racer| racer.join().unwrap()).collect::<Vec<_>>()
        });
        let refused: Vec<_> = outcomes.iter().filter_map(|o| o.as_ref().err()).collect();
        assert_eq!(refused.len(), 1);
        assert_eq!(refused[0].refusal(), Some(RefusalCode::OutOfStock));
    }

    #[test]
    fn tills_that_sell_different_products_never_wait_for_each_other() {
        let tills = two_tills();
        let carts = [one_of("21071", 106), one_of("22727", 375)];
        let traces = thread::scope(|scope| {
            let sell =
                |(till, cart)| scope.spawn(move || Till::execute(till, cart, Uuid::now_v7()));
            let selling: Vec<_> = tills.iter().zip(&carts).map(sell).collect();
            selling.into_iter().map(|s| s.join().unwrap().unwrap().trace).collect::<Vec<_>>()
        });
        assert!(traces.iter().all(|trace| trace.conflicts() == 0), "{traces:?}");
    }

    #[test]
    fn a_sale_reads_only_what_is_new_however_much_was_sold_before() {
        let [till, _] = two_tills();
        let read_by_sale = |_| {
            let sold = till.execute(&one_of("21071", 106), Uuid::now_v7()).unwrap();
            sold.trace.attempts.iter().map(|attempt| attempt.events_read).sum::<u64>()
        };
        let read: Vec<u64> = (0..30).map(read_by_sale).collect();
        assert!(read[1..].iter().all(|later| *later == read[1]), "{read:?}");
    }

    #[test]
    fn one_request_sent_from_many_threads_at_once_is_one_sale() {
        let [till, _] = two_tills();
        let (mug, request) = (one_of("21071", 106), Uuid::now_v7());
        let receipts = thread::scope(|scope| {
            let sell = |_| scope.spawn(|| till.execute(&mug, request).unwrap().answer.receipt);
            let racing: Vec<_> = (0..8).map(sell).collect();
            racing.into_iter().map(|racer| racer.join().unwrap()).collect::<Vec<_>>()
        });
        assert!(receipts.iter().all(|receipt| receipt.as_str() == "T1-1"), "{receipts:?}");
        assert_eq!(till.sales().unwrap().report(SalesBy::Day, None, None).total.receipts, 1);
    }
}
