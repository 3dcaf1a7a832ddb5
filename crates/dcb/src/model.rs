//! Decision models: what a decision reads, and how that folds into what it decides on.

use std::any::TypeId;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Display;
use std::sync::Arc;

use crate::fold_cache::{AnyState, Fold, FoldKey, FoldName, Visit};
use crate::{
    AppendCondition, EventRef, EventStore, FoldCache, Query, QueryItem, ReadOptions, StoreError,
};

/// One question that a decision asks of history: which events it reads, how they fold into an
/// answer, and which new events would make the answer worthless.
pub struct DecisionProjection<S> {
    initial: S,
    query: Query,
    conflicts: Option<Query>,
    name: Option<FoldName>,
    step: Step<S>,
}

/// What an event does to the answer.
enum Step<S> {
    /// Changes it.
    Each(Apply<S>),
    /// Says all of it, unless it is odd.
    Last(Read<S>),
}

type Apply<S> = Box<dyn Fn(&mut S, &EventRef<'_>) + Send + Sync>;
type Read<S> = Box<dyn Fn(&EventRef<'_>) -> Option<S> + Send + Sync>;

impl<S: Clone + Send + Sync + 'static> DecisionProjection<S> {
    /// Starts at `initial` and folds each event that matches `query` with `apply`. What matches
    /// `query` also conflicts, unless [`DecisionProjection::conflicts_with`] says otherwise.
    ///
    /// `apply` must take any event: an odd one is skipped, never a panic.
    pub fn new(
        initial: S,
        query: Query,
        apply: impl Fn(&mut S, &EventRef<'_>) + Send + Sync + 'static,
    ) -> Self {
        Self::stepping(initial, query, Step::Each(Box::new(apply)))
    }

    /// Asks for the last event that matches `query` and can be read, so that it costs the same
    /// however many there are. `read` says what the answer is by an event; if it says `None`, the
    /// event is odd, and the one before it is asked. Before the first the answer is `initial`. What
    /// conflicts is as in [`DecisionProjection::new`].
    pub fn last(
        initial: S,
        query: Query,
        read: impl Fn(&EventRef<'_>) -> Option<S> + Send + Sync + 'static,
    ) -> Self {
        Self::stepping(initial, query, Step::Last(Box::new(read)))
    }

    fn stepping(initial: S, query: Query, step: Step<S>) -> Self {
        Self { initial, conflicts: Some(query.clone()), query, name: None, step }
    }

    /// Gives the fold a name, under which the store's [`FoldCache`] keeps its state: the next
    /// decision that asks the same reads only what is new. Without a name it is read from the start
    /// each time.
    ///
    /// Name, version and parameters stand for `initial` and what is done with each event. So the
    /// version goes up whenever either changes, and `parameters` hold whatever they depend on; the
    /// query is told apart by itself. The state should be small and cheap to clone.
    pub fn named(self, name: &'static str, version: u32, parameters: impl Display) -> Self {
        let name = Some(FoldName { name, version, parameters: parameters.to_string() });
        Self { name, ..self }
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
}

/// What a decision depends on: one [`DecisionProjection`], or a tuple or `Vec` of models. However
/// many parts it has, each part folds only its own events and one condition results.
pub trait DecisionModel {
    /// What history folds into.
    type State;

    /// Adds each part.
    fn collect_parts<'m>(&'m self, parts: &mut Vec<Part<'m>>);

    /// Puts together what the parts folded, in the order in which they were collected.
    fn assemble(&self, states: &mut PartStates) -> Self::State;
}

/// One [`DecisionProjection`] of a model, without the type of its state.
#[derive(Clone, Copy)]
pub struct Part<'m>(&'m dyn AnyProjection);

/// What the parts of a model folded.
pub struct PartStates(std::vec::IntoIter<AnyState>);

/// A [`DecisionProjection`] whatever its state is.
trait AnyProjection {
    fn query(&self) -> &Query;
    fn conflicts(&self) -> Option<&Query>;
    fn is_last_only(&self) -> bool;
    fn key(&self, tag_epoch: u64) -> Option<FoldKey>;
    fn initial(&self) -> AnyState;
    /// Folds an event, and tells whether it could.
    fn apply(&self, state: &mut AnyState, event: &EventRef<'_>) -> bool;
}

impl<S: Clone + Send + Sync + 'static> AnyProjection for DecisionProjection<S> {
    fn query(&self) -> &Query {
        &self.query
    }

    fn conflicts(&self) -> Option<&Query> {
        self.conflicts.as_ref()
    }

    fn is_last_only(&self) -> bool {
        matches!(self.step, Step::Last(_))
    }

    fn key(&self, tag_epoch: u64) -> Option<FoldKey> {
        Some(FoldKey {
            name: self.name.clone()?,
            query: self.query.clone(),
            last_only: self.is_last_only(),
            state_type: TypeId::of::<S>(),
            tag_epoch,
        })
    }

    fn initial(&self) -> AnyState {
        Arc::new(self.initial.clone())
    }

    fn apply(&self, state: &mut AnyState, event: &EventRef<'_>) -> bool {
        match &self.step {
            Step::Each(apply) => {
                if Arc::get_mut(state).is_none() {
                    // The cache keeps it, as it was, for other decisions.
                    *state = Arc::new(state.downcast_ref::<S>().expect(OWN_STATE).clone());
                }
                let state = Arc::get_mut(state).and_then(|state| state.downcast_mut());
                apply(state.expect(OWN_STATE), event);
                true
            }
            Step::Last(read) => {
                let answer = read(event);
                answer.map(|answer| *state = Arc::new(answer)).is_some()
            }
        }
    }
}

const OWN_STATE: &str = "a part gets back the state that it made";

impl<S: Clone + Send + Sync + 'static> DecisionModel for DecisionProjection<S> {
    type State = S;

    fn collect_parts<'m>(&'m self, parts: &mut Vec<Part<'m>>) {
        parts.push(Part(self));
    }

    fn assemble(&self, states: &mut PartStates) -> S {
        let state = states.0.next().and_then(|state| state.downcast().ok());
        Arc::unwrap_or_clone(state.expect(OWN_STATE))
    }
}

impl<M: DecisionModel> DecisionModel for Vec<M> {
    type State = Vec<M::State>;

    fn collect_parts<'m>(&'m self, parts: &mut Vec<Part<'m>>) {
        self.iter().for_each(|model| model.collect_parts(parts));
    }

    fn assemble(&self, states: &mut PartStates) -> Self::State {
        self.iter().map(|model| model.assemble(states)).collect()
    }
}

macro_rules! tuple_models {
    ($($model:ident $index:tt),+) => {
        impl<$($model: DecisionModel),+> DecisionModel for ($($model,)+) {
            type State = ($($model::State,)+);

            fn collect_parts<'m>(&'m self, parts: &mut Vec<Part<'m>>) {
                $(self.$index.collect_parts(parts);)+
            }

            fn assemble(&self, states: &mut PartStates) -> Self::State {
                ($(self.$index.assemble(states),)+)
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
    /// How many events were read; those that a kept fold had seen before are not among them.
    pub events_read: u64,
}

/// Reads what the model asks for and folds it, going on from what the store's [`FoldCache`] kept of
/// earlier decisions.
pub fn build_decision_model<M: DecisionModel>(
    store: &(impl EventStore + ?Sized),
    model: &M,
) -> Result<BuiltModel<M::State>, StoreError> {
    let visit = store.folds().map(FoldCache::visit);
    let (mut folding, head) = loop {
        let tag_epoch = store.tag_epoch();
        let begin = |part| Folding::begin(part, visit.as_ref(), tag_epoch);
        let folding: Vec<Folding<'_>> = parts_of(model).into_iter().map(begin).collect();
        // The head is asked for after the cache, so that nothing kept is ahead of it.
        let head = store.head()?;
        // With the head it comes to light that others have added tags to what is below it.
        if store.tag_epoch() == tag_epoch {
            break (folding, head);
        }
    };
    let events_read = read_on(store, &mut folding, head)?;

    let conflicts = folding.iter().filter_map(|folding| folding.part.conflicts());
    let condition = Query::union(conflicts)
        .map(|query| AppendCondition { fail_if_events_match: query, after: Some(head) });
    let mut states = Vec::with_capacity(folding.len());
    for Folding { key, state, .. } in folding {
        if let (Some(visit), Some(key)) = (&visit, key) {
            visit.keep(key, Fold { head, state: Arc::clone(&state) });
        }
        states.push(state);
    }
    let state = model.assemble(&mut PartStates(states.into_iter()));
    Ok(BuiltModel { state, condition, head, events_read })
}

/// What each part of a model reads.
pub(crate) fn queries_of(model: &impl DecisionModel) -> Vec<Query> {
    parts_of(model).iter().map(|part| part.0.query().clone()).collect()
}

fn parts_of(model: &impl DecisionModel) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    model.collect_parts(&mut parts);
    parts
}

/// A part on its way through history.
struct Folding<'m> {
    part: &'m dyn AnyProjection,
    /// Under what it is kept, if it is.
    key: Option<FoldKey>,
    /// The position up to which it has seen history.
    seen: u64,
    state: AnyState,
}

impl<'m> Folding<'m> {
    /// Begins where the cache knows the part to be in this tag epoch.
    fn begin(Part(part): Part<'m>, visit: Option<&Visit<'_>>, tag_epoch: u64) -> Self {
        let key = visit.and_then(|_| part.key(tag_epoch));
        let kept = visit.zip(key.as_ref()).and_then(|(visit, key)| visit.recall(key));
        let Fold { head: seen, state } =
            kept.unwrap_or_else(|| Fold { head: 0, state: part.initial() });
        Self { part, key, seen, state }
    }
}

/// How many positions a part that needs only its last event reads on through, rather than ask for
/// that event.
const FAR_BEHIND: u64 = 1_000;

/// Folds what each part has not seen yet, up to `head`, and returns how many events were read.
///
/// Parts that have seen history up to the same position share a read. Those that were left behind
/// read for themselves, so that they make no other part read again what it has seen.
fn read_on(
    store: &(impl EventStore + ?Sized),
    folding: &mut [Folding<'_>],
    head: u64,
) -> Result<u64, StoreError> {
    let mut events_read = 0;
    let mut together: BTreeMap<u64, Vec<&mut Folding<'_>>> = BTreeMap::new();
    for folding in folding {
        if folding.seen > head {
            // The store has gone back behind what was kept: nothing of it counts.
            (folding.seen, folding.state) = (0, folding.part.initial());
        }
        let is_far_behind = folding.seen == 0 || head - folding.seen > FAR_BEHIND;
        if !(folding.part.is_last_only() && is_far_behind) {
            together.entry(folding.seen).or_default().push(folding);
            continue;
        }
        events_read += read_last(store, folding, head)?;
    }
    together.remove(&head);
    for (seen, mut folding) in together {
        let queries: Vec<&Query> = folding.iter().map(|folding| folding.part.query()).collect();
        let Some(union) = Query::union(queries.iter().copied()) else { continue };
        let dispatch = Dispatch::new(&queries);
        let mut matched = Vec::new();
        let mut events = store.read(&union, ReadOptions::from(seen + 1))?;
        while let Some(event) = events.next_ref()?.filter(|event| event.position <= head) {
            events_read += 1;
            dispatch.parts_matched_by(&event, &mut matched);
            for &part in &matched {
                if let Some(folding) = folding.get_mut(part) {
                    folding.part.apply(&mut folding.state, &event);
                }
            }
        }
    }
    Ok(events_read)
}

/// Folds the last event that a part can read and has not seen, up to `head`, and returns how many
/// were looked at: nearly always one, which costs one look into the index.
fn read_last(
    store: &(impl EventStore + ?Sized),
    folding: &mut Folding<'_>,
    head: u64,
) -> Result<u64, StoreError> {
    let mut events_read = 0;
    let mut from = Some(head);
    for limit in [Some(1), None] {
        let options = ReadOptions { from, limit, ..ReadOptions::backwards() };
        let mut events = store.read(folding.part.query(), options)?;
        while let Some(event) = events.next_ref()?.filter(|event| event.position > folding.seen) {
            events_read += 1;
            if folding.part.apply(&mut folding.state, &event) {
                return Ok(events_read);
            }
            from = event.position.checked_sub(1);
        }
        if events_read == 0 {
            break;
        }
    }
    Ok(events_read)
}

/// Finds the parts that an event belongs to without asking each: every query item is filed under
/// its first tag or, without tags, under its types.
struct Dispatch<'m> {
    by_tag: HashMap<&'m str, Vec<(usize, &'m QueryItem)>>,
    by_type: HashMap<&'m str, Vec<usize>>,
    all: Vec<usize>,
}

impl<'m> Dispatch<'m> {
    fn new(queries: &[&'m Query]) -> Self {
        let mut dispatch =
            Self { by_tag: HashMap::new(), by_type: HashMap::new(), all: Vec::new() };
        for (index, query) in queries.iter().enumerate() {
            let Some(items) = query.items() else {
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{Event, MemoryStore, Retry, Tag, decide};

    fn tag(text: &str) -> Tag {
        text.parse().unwrap()
    }

    fn event(event_type: &str, tags: &[&str]) -> Event {
        Event::builder(event_type).tags(tags.iter().map(|t| tag(t))).build().unwrap()
    }

    fn count(query: Query) -> DecisionProjection<u64> {
        DecisionProjection::new(0, query, |n, _| *n += 1)
    }

    fn position_of_last(query: Query) -> DecisionProjection<u64> {
        DecisionProjection::last(0, query, |event| Some(event.position))
    }

    fn sold(product: &str) -> Query {
        Query::tagged(["Sold"], &tag(product))
    }

    fn events_read(store: &MemoryStore, model: &impl DecisionModel) -> u64 {
        build_decision_model(store, model).unwrap().events_read
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
            position_of_last(Query::tagged(["A", "B"], &tag("k:2"))),
        );
        let built = build_decision_model(&store, &model).unwrap();
        assert_eq!(built.state, (2, vec![2, 1], 4, 3));
        assert_eq!(built.head, 4);
    }

    #[test]
    fn a_named_fold_reads_only_what_is_new_however_long_its_history() {
        let store = MemoryStore::new();
        let sale = event("Sold", &["product:milk"]);
        for _ in 0..10 {
            store.append(&vec![sale.clone(); 10_000], None).unwrap();
        }
        let milk = || count(sold("product:milk")).named("sold", 1, "");
        assert_eq!(events_read(&store, &milk()), 100_000);
        assert_eq!(events_read(&store, &milk()), 0);
        store.append(&[sale, event("Sold", &["product:tea"])], None).unwrap();
        let built = build_decision_model(&store, &milk()).unwrap();
        assert_eq!((built.state, built.events_read, built.head), (100_001, 1, 100_002));
    }

    #[test]
    fn who_needs_only_the_last_event_reads_one_however_far_behind() {
        let store = MemoryStore::new();
        let last = position_of_last(Query::all()).named("last", 1, "");
        for (events, read) in [(1, 1), (2, 2), (5_000, 1), (0, 0)] {
            if events > 0 {
                store.append(&vec![event("A", &[]); events], None).unwrap();
            }
            let built = build_decision_model(&store, &last).unwrap();
            assert_eq!((built.state, built.events_read), (built.head, read));
        }
    }

    #[test]
    fn an_odd_event_is_skipped_for_the_last_that_can_be_read() {
        let store = MemoryStore::new();
        let good = |event: &EventRef<'_>| (event.event_type == "Good").then_some(event.position);
        let last = || DecisionProjection::last(0, Query::all(), good);
        let kept = last().named("last", 1, "");
        // So many good and odd events; how many are looked at by who knows nothing, and by who knows
        // what came before.
        for (good, odd, cold, warm) in
            [(0, 2, 2, 2), (1, 0, 1, 1), (0, 3, 4, 3), (2, 1, 2, 3), (0, 5_000, 5_002, 5_000)]
        {
            let new = [vec![event("Good", &[]); good], vec![event("Odd", &[]); odd]].concat();
            store.append(&new, None).unwrap();
            let good = Query::types(["Good"]).unwrap();
            let expected = store.read_last(&good).unwrap().map_or(0, |event| event.position);
            for (model, read) in [(&last(), cold), (&kept, warm)] {
                let built = build_decision_model(&store, model).unwrap();
                assert_eq!((built.state, built.events_read), (expected, read));
            }
        }
    }

    #[test]
    fn a_part_that_is_new_makes_no_other_read_again() {
        let store = MemoryStore::new();
        let sale_of = |product: &str| event("Sold", &[product]);
        store.append(&vec![sale_of("product:milk"); 100], None).unwrap();
        let named = |product: &str| count(sold(product)).named("sold", 1, "");
        events_read(&store, &named("product:milk"));
        store.append(&[sale_of("product:milk"), sale_of("product:tea")], None).unwrap();
        let cart = vec![named("product:milk"), named("product:tea"), named("product:jam")];
        let built = build_decision_model(&store, &cart).unwrap();
        assert_eq!((built.state, built.events_read), (vec![101, 1, 0], 2));
    }

    #[test]
    fn what_differs_in_anything_that_matters_is_another_fold() {
        let store = MemoryStore::new();
        store.append(&vec![event("Sold", &["product:milk"]); 3], None).unwrap();
        let all = || count(Query::all());
        let kept = all().named("n", 1, "");
        events_read(&store, &kept);
        assert_eq!(events_read(&store, &kept.conflicts_with_nothing()), 0);
        for other in [
            all(),
            all().named("m", 1, ""),
            all().named("n", 2, ""),
            all().named("n", 1, "x"),
            count(sold("product:milk")).named("n", 1, ""),
        ] {
            assert_eq!(events_read(&store, &other), 3);
        }
        assert_eq!(events_read(&store, &position_of_last(Query::all()).named("n", 1, "")), 1);
        let wider = DecisionProjection::new(0_u128, Query::all(), |n, _| *n += 1);
        assert_eq!(events_read(&store, &wider.named("n", 1, "")), 3);
    }

    #[test]
    fn threads_that_share_kept_folds_decide_on_what_is_there() {
        let store = MemoryStore::new();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let retry =
                            Retry::until(Duration::from_secs(60), Duration::from_micros(10));
                        let numbers = count(Query::all()).named("numbers", 1, "");
                        decide(&store, &numbers, retry, |taken| {
                            let number = Event::builder("Numbered").data(taken).build().unwrap();
                            Ok::<_, ()>(vec![number].into())
                        })
                        .unwrap();
                    }
                });
            }
        });
        let numbered = store.read(&Query::all(), ReadOptions::default()).unwrap();
        let numbers: Vec<u64> = numbered.map(|e| e.unwrap().event.data_as().unwrap()).collect();
        assert_eq!(numbers, (0..200).collect::<Vec<u64>>());
    }
}
