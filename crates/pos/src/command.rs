//! Commands: the one way in which anything happens in the shop.
//!
//! A command says what it must know, what it decides and what it tells; [`execute`] does the rest
//! for all of them: it asks history, retries when others interfere, records who did what when, and
//! makes a request that is sent twice happen once.

use std::time::Duration;

use chrono::{DateTime, Utc};
use dcb::{
    AppendCondition, DecideError, Decision, DecisionModel, DecisionProjection, Event, EventStore,
    MAX_COMMIT_EVENTS, Query, ReadOptions, Retry, StoreError, Trace, decide,
};
use serde::Serialize;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::calendar::When;
use crate::catalogue::Catalogue;
use crate::event::{ActRefused, JournalMark, Recorded, ShopEvent};
use crate::ids::{ShiftId, TillId, UserId, refused_tag, request_tag};
use crate::permission::{Authority, Permission};
use crate::refusal::{Evidence, NextAction, Refusal, RefusalCode};
use crate::settings::ShopSettings;

/// An act: what it must know, what it decides, and what it tells.
///
/// It is written as JSON to recognise a request that is sent twice, so its JSON form must hold all
/// that it decides on but for the [`Context`].
pub trait Command: Serialize {
    /// What it is called: `checkout`.
    const NAME: &'static str;
    /// What who does it must be allowed to. It has no default, so that no command forgets it.
    const PERMISSION: Permission;
    /// Whether it records what the journal is just now, so that the store must be asked.
    const RECORDS_JOURNAL: bool = false;
    /// What it must know.
    type Model: DecisionModel;
    /// What it tells: rebuilt from what was recorded, now or by an earlier sending.
    type Answer;

    /// What it must know. Input that makes no sense is refused here or in [`Command::decide`].
    fn model(&self, context: &Context<'_>) -> Result<Self::Model, Refusal>;

    /// What is to be recorded, at least one event; or why not. More than [`MAX_COMMIT_EVENTS`] are
    /// refused for it. It may be asked again after a conflict, so it has no effects of its own.
    fn decide(
        &self,
        state: &<Self::Model as DecisionModel>::State,
        context: &Context<'_>,
    ) -> Result<Vec<ShopEvent>, Refusal>;

    /// What to tell about the events it recorded; `None` if they are not of this command.
    fn answer(recorded: &[Recorded]) -> Option<Self::Answer>;

    /// The settings under which it happens; without any it is refused.
    fn settings<'a>(&'a self, context: &Context<'a>) -> Option<&'a ShopSettings> {
        context.settings
    }
}

/// Who acts where and when, and what the shop looks like to them.
#[derive(Clone, Debug)]
pub struct Context<'a> {
    /// The client's id of this request. The same request again has the same id, and what a request
    /// makes (a sale, a customer) is called by it.
    pub request_id: Uuid,
    /// When it happens.
    pub at: DateTime<Utc>,
    /// Where.
    pub till: TillId,
    /// Who acts.
    pub user: UserId,
    /// With what right.
    pub authority: Authority,
    /// What the journal is just now, where the store can tell; see [`execute`], which looks.
    pub journal: Option<JournalMark>,
    /// The shop's settings, as far as known; see [`Settings`](crate::Settings).
    pub settings: Option<&'a ShopSettings>,
    /// The shop's products, as far as known. Only what never changes is taken from here on trust;
    /// prices and limits are read again with every decision.
    pub catalogue: &'a Catalogue,
    /// The till's open shift, as far as known: which drawer an act is about. Whether it is open is
    /// read again.
    pub shift: Option<ShiftId>,
}

impl<'a> Context<'a> {
    /// The shop's settings, or the refusal that there are none.
    pub fn settings(&self) -> Result<&'a ShopSettings, Refusal> {
        self.settings.ok_or_else(not_configured)
    }
}

/// A command that was carried out, now or before.
#[derive(Clone, Debug, PartialEq)]
pub struct Done<A> {
    /// What it tells.
    pub answer: A,
    /// Where its events stand.
    pub positions: Vec<u64>,
    /// Whether it was carried out before, by an earlier sending of the same request. Then nothing
    /// was recorded now.
    pub repeated: bool,
    /// How the decision came about.
    pub trace: Trace,
}

/// Why a command was not carried out. Nothing was recorded, unless the store's error says that it
/// cannot know; then send the same request again.
#[derive(Debug, thiserror::Error)]
pub enum Rejected {
    /// A rule said no.
    #[error("{refusal}")]
    Refused {
        /// Which rule, and what to do.
        refusal: Refusal,
        /// How the decision came about; empty if the shop has no settings.
        trace: Box<Trace>,
    },
    /// Others kept changing what this depends on until the time was up.
    #[error("the shop is too busy; send the same request again")]
    Contended {
        /// How often it was tried.
        trace: Box<Trace>,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Refusal> for Rejected {
    fn from(refusal: Refusal) -> Self {
        Self::Refused { refusal, trace: Box::default() }
    }
}

/// A till renumbers its receipts and reads its stock again for this long before it gives up.
const DEADLINE: Duration = Duration::from_secs(5);
const FIRST_DELAY: Duration = Duration::from_millis(1);

/// The metadata field that tells two payloads of one request apart.
const PAYLOAD: &str = "payload";

/// The metadata field that names who approved.
const APPROVED_BY: &str = "approvedBy";

/// Carries out a command once: reads what it must know, lets it decide, and records what it
/// decided on the condition that nothing it depends on has changed.
///
/// The same request again, also at the same moment from elsewhere, gets the first answer and
/// records nothing; the same id with another payload is refused.
pub fn execute<C: Command>(
    store: &(impl EventStore + ?Sized),
    command: &C,
    context: &Context<'_>,
) -> Result<Done<C::Answer>, Rejected> {
    let settings = command.settings(context).ok_or_else(not_configured)?;
    let when = When { at: context.at, business_day: settings.business_day(context.at) };
    let payload = fingerprint(command);
    // Even a refusal of the input waits for what history says about the request: it may have been
    // carried out by a till that knew more than this one.
    let (own, refused) = match command.model(context) {
        Ok(model) => (vec![model], None),
        Err(refusal) => (Vec::new(), Some(refusal)),
    };
    let model = (first_event_of(context.request_id), context.authority.model(), own);
    let retry = Retry::until(DEADLINE, FIRST_DELAY);
    let decided = decide(store, &model, retry, |(first, authority, own)| {
        if let Some(first) = first {
            return Err(Stop::Repeated(first.clone()));
        }
        let authority = context.authority.confirmed(authority).map_err(Stop::Refused)?;
        let mut context = Context { authority, ..context.clone() };
        if C::RECORDS_JOURNAL {
            context.journal = journal_of(store).or(context.journal);
        }
        let context = &context;
        context.permit(C::PERMISSION).map_err(Stop::Refused)?;
        if let Some(refusal) = &refused {
            return Err(Stop::Refused(refusal.clone()));
        }
        let mut decided = Vec::new();
        for state in own {
            decided.extend(command.decide(state, context).map_err(Stop::Refused)?);
        }
        if decided.len() > MAX_COMMIT_EVENTS {
            return Err(Stop::Refused(too_much()));
        }
        let events = sign(&decided, &when, &payload, context);
        Ok(Decision { events, outcome: decided })
    });
    match decided {
        Ok(decided) => {
            let recorded = decided.positions.iter().zip(decided.outcome);
            let recorded: Vec<Recorded> =
                recorded.map(|(&position, event)| Recorded { position, when, event }).collect();
            done::<C>(&recorded, false, decided.trace)
        }
        Err(DecideError::Refused { refusal: Stop::Repeated(first), trace }) => {
            if first.payload.as_ref() != Some(&payload) {
                return Err(Rejected::Refused { refusal: reused(&first), trace: Box::new(trace) });
            }
            done::<C>(&read_commit(store, &first, context.request_id)?, true, trace)
        }
        Err(DecideError::Refused { refusal: Stop::Refused(refusal), trace }) => {
            Err(Rejected::Refused { refusal, trace: Box::new(trace) })
        }
        Err(DecideError::Contended { trace }) => {
            Err(Rejected::Contended { trace: Box::new(trace) })
        }
        Err(DecideError::Store(error)) => Err(error.into()),
    }
}

/// Records that a rule refused a request, so that who looks after the shop sees it. A request is
/// recorded once, however often it is sent, and what only its input was to blame for is not.
/// Returns whether it was recorded now.
pub fn record_refusal(
    store: &(impl EventStore + ?Sized),
    command: &str,
    refusal: &Refusal,
    context: &Context<'_>,
) -> Result<bool, StoreError> {
    let Some(settings) = context.settings.filter(|_| !refusal.code.is_of_input()) else {
        return Ok(false);
    };
    let when = When { at: context.at, business_day: settings.business_day(context.at) };
    let refused = ActRefused {
        request: context.request_id,
        command: command.to_owned(),
        till: context.till.clone(),
        code: refusal.code,
        message: refusal.message.clone(),
        product: refusal.details.product.clone(),
    };
    let mut event = ShopEvent::from(refused).encode(&when);
    event.metadata.user_id = Some(context.user.as_str().to_owned());
    let fail_if_events_match = Query::tagged([ActRefused::TYPE], &refused_tag(context.request_id));
    let once = AppendCondition { fail_if_events_match, after: None };
    match store.append(&[event], Some(&once)) {
        Ok(_) => Ok(true),
        Err(StoreError::ConditionFailed { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// What the journal is just now. That it cannot be told is no reason to refuse an act.
fn journal_of(store: &(impl EventStore + ?Sized)) -> Option<JournalMark> {
    let (position, hash) = store.commit_hash().ok().flatten()?;
    Some(JournalMark { position, hash })
}

/// Why a decision ends without events.
enum Stop {
    Repeated(FirstEvent),
    Refused(Refusal),
}

/// The first event that a request recorded.
#[derive(Clone, Debug)]
struct FirstEvent {
    position: u64,
    payload: Option<String>,
}

/// Every request happens once: this is its rule, and it is part of every decision.
fn first_event_of(request_id: Uuid) -> DecisionProjection<Option<FirstEvent>> {
    let query = Query::tagged([], &request_tag(request_id));
    DecisionProjection::last(None, query, |event| {
        let payload = event.metadata().ok().and_then(|metadata| {
            metadata.extra.get(PAYLOAD).and_then(|hash| hash.as_str().map(str::to_owned))
        });
        Some(Some(FirstEvent { position: event.position, payload }))
    })
}

/// SHA-256 of the command's name and payload, in hex.
fn fingerprint<C: Command>(command: &C) -> String {
    let payload = serde_json::to_string(command).expect("a command can be written as JSON");
    let hash = Sha256::digest(format!("{} {payload}", C::NAME));
    hex(&hash)
}

/// Bytes in lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(nibble.into(), 16);
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).filter_map(digit).collect()
}

/// The events as a store takes them, with who did it in which request.
fn sign(decided: &[ShopEvent], when: &When, payload: &str, context: &Context<'_>) -> Vec<Event> {
    let mut events: Vec<Event> = decided.iter().map(|event| event.encode(when)).collect();
    for event in &mut events {
        event.metadata.operation_id = Some(context.request_id.to_string());
        event.metadata.user_id = Some(context.user.as_str().to_owned());
        if let Some(approver) = context.authority.approver() {
            event.metadata.extra.insert(APPROVED_BY.into(), approver.as_str().into());
        }
    }
    if let Some(first) = events.first_mut() {
        first.tags.push(request_tag(context.request_id));
        first.metadata.extra.insert(PAYLOAD.into(), payload.into());
    }
    events
}

/// The events of an earlier commit: those that follow its first with the same request.
fn read_commit(
    store: &(impl EventStore + ?Sized),
    first: &FirstEvent,
    request_id: Uuid,
) -> Result<Vec<Recorded>, StoreError> {
    let most = ReadOptions::from(first.position).limit(MAX_COMMIT_EVENTS as u64);
    let mut events = store.read(&Query::all(), most)?;
    let request_id = Some(request_id.to_string());
    let mut recorded = Vec::new();
    while let Some(event) = events.next_ref()? {
        if !event.metadata().is_ok_and(|metadata| metadata.operation_id == request_id) {
            break;
        }
        recorded.extend(Recorded::decode(&event));
    }
    Ok(recorded)
}

fn done<C: Command>(
    recorded: &[Recorded],
    repeated: bool,
    trace: Trace,
) -> Result<Done<C::Answer>, Rejected> {
    let positions: Vec<u64> = recorded.iter().map(|event| event.position).collect();
    let answer = C::answer(recorded).ok_or_else(|| StoreError::Damaged {
        place: format!("positions {positions:?}"),
        reason: format!("these are not the events of {}", C::NAME),
    })?;
    Ok(Done { answer, positions, repeated, trace })
}

fn not_configured() -> Refusal {
    let message = "The shop has no settings yet. Configure it first.";
    Refusal::new(RefusalCode::ShopNotConfigured, message).action(NextAction::ConfigureShop)
}

fn too_much() -> Refusal {
    let message = "This is more than can be recorded at once. Split it.";
    Refusal::new(RefusalCode::TooManyLines, message).action(NextAction::CorrectInput)
}

fn reused(first: &FirstEvent) -> Refusal {
    let message = "This request's id was used before, for something else. Send it with a new one.";
    Refusal::new(RefusalCode::RequestReused, message)
        .action(NextAction::UseNewRequest)
        .because(&Evidence::only(first.position))
}

/// The model of a command that depends on nothing that happened.
pub(crate) type NoHistory = Vec<DecisionProjection<()>>;

/// The model of a command that depends on nothing that happened.
pub(crate) fn no_history() -> NoHistory {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use dcb::testing::given;
    use dcb::{EventStore, MemoryStore};

    use super::*;
    use crate::event::{CustomerAdded, Person};
    use crate::ids::CustomerId;
    use crate::money::Money;
    use crate::people::AddCustomer;
    use crate::prices::ChangePrice;
    use crate::testing::{act, added, at, configured, of_request, refusal, sku};

    fn add(name: &str) -> AddCustomer {
        AddCustomer { name: name.into() }
    }

    fn shop() -> MemoryStore {
        let store = MemoryStore::new();
        store.append(&[configured()], None).unwrap();
        store
    }

    #[test]
    fn every_event_says_who_did_it_when_and_in_which_request() {
        let recorded = given([configured()]).when(act(add("Ann"))).then_accepted();
        let [event] = recorded.as_slice() else { panic!("{recorded:?}") };
        assert!(event.tags.contains(&request_tag(Uuid::from_u128(1))));
        let metadata = &event.metadata;
        assert_eq!(metadata.operation_id.as_deref(), Some(Uuid::from_u128(1).to_string().as_str()));
        assert_eq!(metadata.user_id.as_deref(), Some("ann"));
        let data: serde_json::Value = serde_json::from_str(event.data.as_str()).unwrap();
        assert_eq!(data["at"], "2026-03-02T10:00:00Z");
        assert_eq!(data["businessDay"], "2026-03-02");
    }

    #[test]
    fn names_of_people_stand_only_in_private_data() {
        let customer = CustomerId::from(Uuid::from_u128(1));
        let private = Person { name: "Ann".into() };
        let done = given([configured()])
            .when(act(add("Ann")))
            .then_recorded(of_request([CustomerAdded { customer, private }.into()]));
        assert_eq!(done.answer.customer.as_str(), Uuid::from_u128(1).to_string());
    }

    #[test]
    fn the_same_request_again_gets_the_first_answer_and_records_nothing() {
        let store = shop();
        let first = at("T1", 7).act(&store, &add("Ann")).unwrap();
        at("T1", 8).act(&store, &add("Ben")).unwrap();
        let again = at("T2", 7).act(&store, &add("Ann")).unwrap();
        assert!(again.repeated && !first.repeated);
        assert_eq!((again.answer, again.positions), (first.answer, first.positions));
        assert_eq!(store.head().unwrap(), 3);
    }

    #[test]
    fn the_same_request_with_another_payload_is_refused() {
        let store = shop();
        at("T1", 7).act(&store, &add("Ann")).unwrap();
        let refusal = refusal(at("T1", 7).act(&store, &add("Ben")).unwrap_err());
        assert_eq!(refusal.code, RefusalCode::RequestReused);
        assert_eq!(refusal.details.because.positions(), [2]);
        assert_eq!(store.head().unwrap(), 2);
    }

    #[test]
    fn a_request_that_was_carried_out_is_recognised_whatever_comes_with_it() {
        let store = shop();
        at("T1", 7).act(&store, &add("Ann")).unwrap();
        let refusal = refusal(at("T1", 7).act(&store, &add(" ")).unwrap_err());
        assert_eq!(refusal.code, RefusalCode::RequestReused);
    }

    #[test]
    fn a_till_that_lags_behind_gives_the_first_answer_too() {
        let store = shop();
        let lagging = Catalogue::default();
        store.append(&[added("A", 5)], None).unwrap();
        let change = ChangePrice { product: sku("A"), price: Money::new(7) };
        at("T1", 7).act(&store, &change).unwrap();
        assert!(at("T2", 7).act_knowing(&store, &change, &lagging).unwrap().repeated);
    }

    #[test]
    fn the_same_request_at_the_same_moment_happens_once() {
        let store = shop();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| at("T1", 7).act(&store, &add("Ann")).unwrap());
            }
        });
        assert_eq!(store.head().unwrap(), 2);
    }

    /// What a till knows when it records a refusal.
    fn refuse(store: &MemoryStore, request: u128, code: RefusalCode) -> bool {
        let (settings, catalogue) = (crate::testing::settings(), Catalogue::default());
        let context = Context {
            request_id: Uuid::from_u128(request),
            at: crate::testing::when().at,
            till: crate::testing::till("T1"),
            user: UserId::new("ann").unwrap(),
            authority: Authority::owner(),
            journal: None,
            settings: Some(&settings),
            catalogue: &catalogue,
            shift: None,
        };
        let refusal = Refusal::new(code, "No.").product(&sku("A"));
        record_refusal(store, "checkout", &refusal, &context).unwrap()
    }

    #[test]
    fn a_refused_act_is_recorded_once_and_can_still_be_done() {
        let store = shop();
        assert!(refuse(&store, 7, RefusalCode::OutOfStock));
        assert!(!refuse(&store, 7, RefusalCode::LimitPerReceipt));
        assert!(refuse(&store, 8, RefusalCode::OutOfStock));
        let refused = store.read_last(&Query::all()).unwrap().unwrap();
        assert_eq!(refused.event.metadata.user_id.as_deref(), Some("ann"));
        let Some(ShopEvent::ActRefused(told)) = ShopEvent::decode(&refused.event.at(3)) else {
            panic!("{refused:?}")
        };
        assert_eq!((told.code, told.product), (RefusalCode::OutOfStock, Some(sku("A"))));
        assert!(!at("T1", 7).act(&store, &add("Ann")).unwrap().repeated);
    }

    #[test]
    fn what_only_the_input_is_to_blame_for_is_not_recorded() {
        let store = shop();
        assert!(!refuse(&store, 7, RefusalCode::InvalidInput));
        assert_eq!(store.head().unwrap(), 1);
    }

    #[test]
    fn a_refusal_that_is_recorded_conflicts_with_nothing() {
        let store = shop();
        let meanwhile = || assert!(refuse(&store, 7, RefusalCode::OutOfStock));
        let adding = crate::testing::Interrupted::new(add("Ann"), meanwhile);
        assert_eq!(at("T1", 7).act(&store, &adding).unwrap().trace.conflicts(), 0);
    }

    #[test]
    fn nothing_happens_in_a_shop_without_settings() {
        let refusal = refusal(given([]).when(act(add("Ann"))).then_refused());
        assert_eq!(refusal.code, RefusalCode::ShopNotConfigured);
        assert_eq!(refusal.details.action, Some(NextAction::ConfigureShop));
    }
}
