//! Decision models: read what a decision depends on, decide, and append on the condition that
//! nothing it depends on has changed meanwhile.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::{
    AppendCondition, Event, EventRef, EventStore, Query, QueryItem, ReadOptions, StoreError,
};

/// One question that a decision asks of history: which events it reads, how they fold into an
/// answer, and which new events would make the answer worthless.
pub struct DecisionProjection<S> {
    initial: S,
    query: Query,
    conflicts: Option<Query>,
    last_only: bool,
    apply: Apply<S>,
}

type Apply<S> = Box<dyn Fn(&mut S, &EventRef<'_>) + Send + Sync>;

impl<S: Clone> DecisionProjection<S> {
    /// Starts at `initial` and folds each event that matches `query` with `apply`. What matches
    /// `query` also conflicts, unless [`DecisionProjection::conflicts_with`] says otherwise.
    ///
    /// `apply` must take any event: an odd one is skipped, never a panic.
    pub fn new(
        initial: S,
        query: Query,
        apply: impl Fn(&mut S, &EventRef<'_>) + Send + Sync + 'static,
    ) -> Self {
        Self {
            initial,
            conflicts: Some(query.clone()),
            query,
            last_only: false,
            apply: Box::new(apply),
        }
    }

    /// Narrows what conflicts. A type may be left out only if no such event can turn an accepted
    /// decision into a refusal or change what was appended: a delivery never makes a sale
    /// impossible.
    pub fn conflicts_with(self, conflicts: Query) -> Self {
        Self { conflicts: Some(conflicts), ..self }
    }

    /// Lets nothing conflict: for what is read to be shown, not to be decided on.
    pub fn conflicts_with_nothing(self) -> Self {
        Self { conflicts: None, ..self }
    }

    /// Folds only the last event that matches, so that the read costs the same however many there
    /// are.
    pub fn last_only(self) -> Self {
        Self { last_only: true, ..self }
    }
}

/// What a decision depends on: one [`DecisionProjection`], or a tuple or `Vec` of models. However
/// many parts it has, each part folds only its own events and one condition results.
pub trait DecisionModel {
    /// What history folds into.
    type State;

    /// The state before any event.
    fn initial(&self) -> Self::State;

    /// How many parts there are; parts are numbered from 0 in the order of [`Self::collect_parts`].
    fn part_count(&self) -> usize;

    /// Adds what each part reads and what conflicts with it.
    fn collect_parts<'m>(&'m self, parts: &mut Vec<Part<'m>>);

    /// Folds an event that matches part `part` into its share of the state.
    fn apply(&self, part: usize, state: &mut Self::State, event: &EventRef<'_>);
}

/// What one part of a model reads, and what conflicts with it.
#[derive(Clone, Copy, Debug)]
pub struct Part<'m> {
    query: &'m Query,
    conflicts: Option<&'m Query>,
    last_only: bool,
}

impl<S: Clone> DecisionModel for DecisionProjection<S> {
    type State = S;

    fn initial(&self) -> S {
        self.initial.clone()
    }

    fn part_count(&self) -> usize {
        1
    }

    fn collect_parts<'m>(&'m self, parts: &mut Vec<Part<'m>>) {
        parts.push(Part {
            query: &self.query,
            conflicts: self.conflicts.as_ref(),
            last_only: self.last_only,
        });
    }

    fn apply(&self, _part: usize, state: &mut S, event: &EventRef<'_>) {
        (self.apply)(state, event);
    }
}

impl<M: DecisionModel> DecisionModel for Vec<M> {
    type State = Vec<M::State>;

    fn initial(&self) -> Self::State {
        self.iter().map(M::initial).collect()
    }

    fn part_count(&self) -> usize {
        self.iter().map(M::part_count).sum()
    }

    fn collect_parts<'m>(&'m self, parts: &mut Vec<Part<'m>>) {
        self.iter().for_each(|model| model.collect_parts(parts));
    }

    fn apply(&self, mut part: usize, state: &mut Self::State, event: &EventRef<'_>) {
        for (model, state) in self.iter().zip(state) {
            let count = model.part_count();
            if part < count {
                return model.apply(part, state, event);
            }
            part -= count;
        }
    }
}

macro_rules! tuple_models {
    ($($model:ident $index:tt),+) => {
        impl<$($model: DecisionModel),+> DecisionModel for ($($model,)+) {
            type State = ($($model::State,)+);

            fn initial(&self) -> Self::State {
                ($(self.$index.initial(),)+)
            }

            fn part_count(&self) -> usize {
                0 $(+ self.$index.part_count())+
            }

            fn collect_parts<'m>(&'m self, parts: &mut Vec<Part<'m>>) {
                $(self.$index.collect_parts(parts);)+
            }

            fn apply(&self, part: usize, state: &mut Self::State, event: &EventRef<'_>) {
                let mut part = part;
                $(
                    let count = self.$index.part_count();
                    if part < count {
                        return self.$index.apply(part, &mut state.$index, event);
                    }
                    part -= count;
                )+
                let _ = part;
            }
        }
    };
}

tuple_models!(A 0);
tuple_models!(A 0, B 1);
tuple_models!(A 0, B 1, C 2);
tuple_models!(A 0, B 1, C 2, D 3);
tuple_models!(A 0, B 1, C 2, D 3, E 4);
tuple_models!(A 0, B 1, C 2, D 3, E 4, F 5);
tuple_models!(A 0, B 1, C 2, D 3, E 4, F 5, G 6);
tuple_models!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);

/// A model's answer at one moment, and the condition under which it still holds.
#[derive(Debug)]
pub struct BuiltModel<S> {
    /// What history folds into.
    pub state: S,
    /// What must hold for an append that rests on this state; `None` if nothing can conflict.
    pub condition: Option<AppendCondition>,
    /// The position up to which history was read.
    pub head: u64,
    /// How many events were read.
    pub events_read: u64,
}

/// Reads what the model asks for and folds it.
pub fn build_decision_model<M: DecisionModel>(
    store: &(impl EventStore + ?Sized),
    model: &M,
) -> Result<BuiltModel<M::State>, StoreError> {
    let mut parts = Vec::with_capacity(model.part_count());
    model.collect_parts(&mut parts);
    let mut state = model.initial();
    let mut events_read = 0;

    let streamed = Query::union(parts.iter().filter(|p| !p.last_only).map(|p| p.query));
    let head = match streamed {
        None => store.head()?,
        Some(query) => {
            let dispatch = Dispatch::new(&parts);
            let mut matched = Vec::new();
            let mut events = store.read(&query, ReadOptions::default())?;
            let head = events.head();
            while let Some(event) = events.next_ref()? {
                events_read += 1;
                dispatch.parts_matched_by(&event, &mut matched);
                for &part in &matched {
                    model.apply(part, &mut state, &event);
                }
            }
            head
        }
    };
    // The parts that need only their last event see history up to the same head.
    for (index, part) in parts.iter().enumerate().filter(|(_, p)| p.last_only && head > 0) {
        let last = ReadOptions { from: Some(head), ..ReadOptions::backwards().limit(1) };
        if let Some(event) = store.read(part.query, last)?.next_ref()? {
            events_read += 1;
            model.apply(index, &mut state, &event);
        }
    }

    let condition = Query::union(parts.iter().filter_map(|p| p.conflicts))
        .map(|query| AppendCondition { fail_if_events_match: query, after: Some(head) });
    Ok(BuiltModel { state, condition, head, events_read })
}

/// Finds the parts that an event belongs to without asking each: every query item is filed under
/// its first tag or, without tags, under its types.
struct Dispatch<'m> {
    by_tag: HashMap<&'m str, Vec<(usize, &'m QueryItem)>>,
    by_type: HashMap<&'m str, Vec<usize>>,
    all: Vec<usize>,
}

impl<'m> Dispatch<'m> {
    fn new(parts: &[Part<'m>]) -> Self {
        let mut dispatch =
            Self { by_tag: HashMap::new(), by_type: HashMap::new(), all: Vec::new() };
        for (index, part) in parts.iter().enumerate().filter(|(_, part)| !part.last_only) {
            let Some(items) = part.query.items() else {
                dispatch.all.push(index);
                continue;
            };
            for item in items {
                if let Some(tag) = item.tags().first() {
                    dispatch.by_tag.entry(tag.as_str()).or_default().push((index, item));
                } else {
                    for event_type in item.types() {
                        dispatch.by_type.entry(event_type).or_default().push(index);
                    }
                }
            }
        }
        dispatch
    }

    fn parts_matched_by(&self, event: &EventRef<'_>, matched: &mut Vec<usize>) {
        matched.clear();
        matched.extend(&self.all);
        matched.extend(self.by_type.get(event.event_type).into_iter().flatten());
        for tag in event.tags.iter() {
            let filed = self.by_tag.get(tag).into_iter().flatten();
            matched.extend(filed.filter(|(_, item)| item.matches(event)).map(|(part, _)| *part));
        }
        matched.sort_unstable();
        matched.dedup();
    }
}

/// What a decision comes to when it does not refuse: the events to append, and what to tell the
/// caller. Without events nothing is appended, and nothing can conflict.
#[derive(Debug)]
pub struct Decision<T> {
    /// What to append, as one commit.
    pub events: Vec<Event>,
    /// What to tell the caller once it is appended.
    pub outcome: T,
}

impl From<Vec<Event>> for Decision<()> {
    fn from(events: Vec<Event>) -> Self {
        Self { events, outcome: () }
    }
}

/// How often and how long a decision is tried again after a conflict.
#[derive(Clone, Copy, Debug)]
pub struct Retry {
    /// The most retries. With a deadline, it and not this ends the retrying.
    pub retries_max: u32,
    /// How long to wait before the first retry; it doubles with each, up to one second, and a
    /// random share of up to half of it is left off, so that rivals part.
    pub delay: Duration,
    /// Retry until this long after the start, however often.
    pub deadline: Option<Duration>,
}

impl Default for Retry {
    /// Three retries, 50 ms.
    fn default() -> Self {
        Self { retries_max: 3, delay: Duration::from_millis(50), deadline: None }
    }
}

impl Retry {
    /// No retry: the first conflict is told.
    pub fn never() -> Self {
        Self { retries_max: 0, ..Self::default() }
    }

    /// Retry until this long after the start, first after `delay`.
    pub fn until(deadline: Duration, delay: Duration) -> Self {
        Self { retries_max: u32::MAX, delay, deadline: Some(deadline) }
    }

    fn pause(&self, retries: u32, started: Instant) -> Option<Duration> {
        if retries >= self.retries_max {
            return None;
        }
        let full = self.delay.saturating_mul(1 << retries.min(10)).min(Duration::from_secs(1));
        let pause = full.mul_f64(1.0 - fastrand::f64() / 2.0);
        let in_time = self.deadline.is_none_or(|deadline| started.elapsed() + pause < deadline);
        in_time.then_some(pause)
    }
}

/// How a decision came about.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Trace {
    /// What each part of the model read.
    pub queries: Vec<Query>,
    /// What had to hold; `after` is the last attempt's. `None` if nothing could conflict.
    pub condition: Option<AppendCondition>,
    /// Each attempt, in order.
    pub attempts: Vec<Attempt>,
}

/// One read, decide and append.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// The position up to which history was read.
    pub head: u64,
    /// How many events were read.
    pub events_read: u64,
    /// The first position that made the append fail.
    pub conflict: Option<u64>,
    /// How long the attempt took, in microseconds.
    pub elapsed_us: u64,
}

impl Trace {
    /// How many attempts failed because of a conflict.
    pub fn conflicts(&self) -> usize {
        self.attempts.iter().filter(|attempt| attempt.conflict.is_some()).count()
    }
}

/// A decision that was made and, if it has events, appended.
#[derive(Debug)]
pub struct Decided<T> {
    /// What the decision told.
    pub outcome: T,
    /// The positions of the events appended.
    pub positions: Vec<u64>,
    /// How it came about.
    pub trace: Trace,
}

/// Why a decision was not made.
#[derive(Debug, thiserror::Error)]
pub enum DecideError<R> {
    /// A rule refused.
    #[error("refused")]
    Refused {
        /// The rule's own words.
        refusal: R,
        /// How it came about.
        trace: Trace,
    },
    /// Others kept changing what the decision depends on, until the retries were used up.
    #[error("others kept changing what this depends on ({} attempts); try again", trace.attempts.len())]
    Contended {
        /// How it came about.
        trace: Trace,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Reads what `model` asks for, lets `decision` decide, and appends what it decides on the
/// condition that nothing it depends on has changed. After a conflict it reads and decides again,
/// as often as `retry` allows; `decision` must therefore have no effects of its own.
pub fn decide<M: DecisionModel, T, R>(
    store: &(impl EventStore + ?Sized),
    model: &M,
    retry: Retry,
    mut decision: impl FnMut(&M::State) -> Result<Decision<T>, R>,
) -> Result<Decided<T>, DecideError<R>> {
    let mut parts = Vec::new();
    model.collect_parts(&mut parts);
    let queries = parts.iter().map(|part| part.query.clone()).collect();
    let mut trace = Trace { queries, ..Trace::default() };
    let started = Instant::now();
    for retries in 0.. {
        let attempt_started = Instant::now();
        let built = build_decision_model(store, model)?;
        let decided = decision(&built.state);
        trace.condition = built.condition;
        let appended = match &decided {
            Ok(Decision { events, .. }) if !events.is_empty() => {
                store.append(events, trace.condition.as_ref())
            }
            _ => Ok(Vec::new()),
        };
        let conflict = match &appended {
            Err(StoreError::ConditionFailed { conflict }) => Some(*conflict),
            _ => None,
        };
        trace.attempts.push(Attempt {
            head: built.head,
            events_read: built.events_read,
            conflict,
            elapsed_us: u64::try_from(attempt_started.elapsed().as_micros()).unwrap_or(u64::MAX),
        });
        match (decided, appended) {
            (Err(refusal), _) => return Err(DecideError::Refused { refusal, trace }),
            (Ok(decision), Ok(positions)) => {
                return Ok(Decided { outcome: decision.outcome, positions, trace });
            }
            (Ok(_), Err(StoreError::ConditionFailed { .. })) => {}
            (Ok(_), Err(error)) => return Err(error.into()),
        }
        match retry.pause(retries, started) {
            Some(pause) => std::thread::sleep(pause),
            None => break,
        }
    }
    Err(DecideError::Contended { trace })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MemoryStore, Tag};

    fn tag(text: &str) -> Tag {
        text.parse().unwrap()
    }

    fn event(event_type: &str, tags: &[&str]) -> Event {
        Event::builder(event_type).tags(tags.iter().map(|t| tag(t))).build().unwrap()
    }

    fn count(query: Query) -> DecisionProjection<u64> {
        DecisionProjection::new(0, query, |n, _| *n += 1)
    }

    #[test]
    fn each_part_of_a_model_folds_only_its_own_events() {
        let store = MemoryStore::new();
        let events = [
            event("A", &["k:1"]),
            event("B", &["k:1", "k:2"]),
            event("A", &["k:2"]),
            event("C", &[]),
        ];
        store.append(&events, None).unwrap();
        let model = (
            count(Query::types(["A"]).unwrap()),
            vec![
                count(Query::tags([tag("k:1")]).unwrap()),
                count(Query::tagged(["B"], &tag("k:2"))),
            ],
            count(Query::all()),
            count(Query::tagged(["A", "B"], &tag("k:2"))).last_only(),
        );
        let built = build_decision_model(&store, &model).unwrap();
        assert_eq!(built.state, (2, vec![2, 1], 4, 1));
        assert_eq!(built.head, 4);
    }

    #[test]
    fn a_decision_is_made_again_after_a_conflict_and_its_trace_tells() {
        let store = MemoryStore::new();
        let model = count(Query::types(["Taken"]).unwrap());
        let mut rival = Some(event("Taken", &[]));
        let retry = Retry { delay: Duration::from_millis(1), ..Retry::default() };
        let decided = decide(&store, &model, retry, |taken| {
            if let Some(rival) = rival.take() {
                store.append(&[rival], None).unwrap();
            }
            Ok::<_, ()>(Decision { events: vec![event("Taken", &[])], outcome: *taken })
        })
        .unwrap();
        assert_eq!((decided.outcome, decided.positions), (1, vec![2]));
        assert_eq!(decided.trace.conflicts(), 1);
        assert_eq!(decided.trace.attempts[0].conflict, Some(1));
    }

    #[test]
    fn what_is_read_but_does_not_conflict_causes_no_retry() {
        let store = MemoryStore::new();
        let stock = Query::types(["Sold", "Received"]).unwrap();
        let model = count(stock).conflicts_with(Query::types(["Sold"]).unwrap());
        let decided = decide(&store, &model, Retry::never(), |_| {
            store.append(&[event("Received", &[])], None).unwrap();
            Ok::<_, ()>(vec![event("Sold", &[])].into())
        })
        .unwrap();
        assert_eq!(decided.trace.conflicts(), 0);
    }

    #[test]
    fn a_refusal_appends_nothing_and_retries_end() {
        let store = MemoryStore::new();
        let model = count(Query::all());
        let refused = decide(&store, &model, Retry::never(), |_| Err::<Decision<()>, _>("no"));
        assert!(matches!(refused, Err(DecideError::Refused { refusal: "no", .. })));
        let retry = Retry { retries_max: 2, delay: Duration::from_micros(10), deadline: None };
        let contended = decide(&store, &model, retry, |_| {
            store.append(&[event("Rival", &[])], None).unwrap();
            Ok::<_, ()>(vec![event("Mine", &[])].into())
        });
        let Err(DecideError::Contended { trace }) = contended else { panic!("{contended:?}") };
        assert_eq!(trace.attempts.len(), 3);
        assert_eq!(store.count(&Query::types(["Mine"]).unwrap()).unwrap(), 0);
    }
}
