//! Decisions: read what one depends on, decide, and append on the condition that nothing it depends
//! on has changed meanwhile.

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::model::queries_of;
use crate::{
    AppendCondition, DecisionModel, Event, EventStore, Query, StoreError, build_decision_model,
};

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
    /// The most retries. With a deadline they don't count.
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
        Self { delay, deadline: Some(deadline), ..Self::default() }
    }

    /// How long to wait before another try, so many retries and so much time after the first one;
    /// `None` when it is time to give up.
    fn pause(&self, retries: u32, elapsed: Duration) -> Option<Duration> {
        let full = self.delay.saturating_mul(1 << retries.min(10)).min(Duration::from_secs(1));
        let pause = full.mul_f64(1.0 - fastrand::f64() / 2.0);
        match self.deadline {
            None => (retries < self.retries_max).then_some(pause),
            Some(deadline) => {
                let left = deadline.saturating_sub(elapsed);
                (!left.is_zero()).then_some(pause.min(left))
            }
        }
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
    #[error("refused: {refusal}")]
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
    let mut trace = Trace { queries: queries_of(model), ..Trace::default() };
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
        match retry.pause(retries, started.elapsed()) {
            Some(pause) => std::thread::sleep(pause),
            None => break,
        }
    }
    Err(DecideError::Contended { trace })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DecisionProjection, MemoryStore};

    fn event(event_type: &str) -> Event {
        Event::builder(event_type).build().unwrap()
    }

    fn count(query: Query) -> DecisionProjection<u64> {
        DecisionProjection::new(0, query, |n, _| *n += 1)
    }

    #[test]
    fn a_decision_is_made_again_after_a_conflict_and_its_trace_tells() {
        let store = MemoryStore::new();
        let model = count(Query::types(["Taken"]).unwrap());
        let mut rival = Some(event("Taken"));
        let retry = Retry { delay: Duration::from_millis(1), ..Retry::default() };
        let decided = decide(&store, &model, retry, |taken| {
            if let Some(rival) = rival.take() {
                store.append(&[rival], None).unwrap();
            }
            Ok::<_, ()>(Decision { events: vec![event("Taken")], outcome: *taken })
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
            store.append(&[event("Received")], None).unwrap();
            Ok::<_, ()>(vec![event("Sold")].into())
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
            store.append(&[event("Rival")], None).unwrap();
            Ok::<_, ()>(vec![event("Mine")].into())
        });
        let Err(DecideError::Contended { trace }) = contended else { panic!("{contended:?}") };
        assert_eq!(trace.attempts.len(), 3);
        assert_eq!(store.count(&Query::types(["Mine"]).unwrap()).unwrap(), 0);
    }

    #[test]
    fn a_deadline_ends_the_retrying_and_the_number_of_retries_does_not() {
        let retry = Retry { deadline: Some(Duration::from_secs(5)), ..Retry::default() };
        let after = |seconds| retry.pause(1_000, Duration::from_secs_f64(seconds));
        assert!(after(4.0).is_some_and(|pause| pause >= Duration::from_millis(500)));
        assert!(after(4.99).is_some_and(|pause| pause <= Duration::from_millis(10)));
        assert_eq!(after(5.0), None);
        assert_eq!(Retry::never().pause(0, Duration::ZERO), None);
    }
}
