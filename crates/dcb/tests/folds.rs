//! Random histories decided on with and without kept folds: both must come to the same, whatever
//! happens to the store and to the cache meanwhile.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail by panicking")]

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use dcb::{
    AppendOptions, DecideError, Decision, DecisionProjection, Event, EventRef, EventStore, Events,
    FoldCache, MemoryStore, Query, QueryItem, ReadOptions, Retry, StoreError, Tag,
    build_decision_model, decide,
};
use proptest::prelude::*;
use uuid::Uuid;

/// A store whose past changes as that of a real one may: tags are added to it, a backup is restored.
struct Shop {
    store: MemoryStore,
    /// How often tags were added, and how often as far as this process has noticed.
    tag_epoch: u64,
    noticed: AtomicU64,
    folds: FoldCache,
    /// Whether the cache has room for all that this test asks.
    keeps_all: bool,
}

impl EventStore for Shop {
    fn read(&self, query: &Query, options: ReadOptions) -> Result<Events<'_>, StoreError> {
        self.store.read(query, options)
    }

    fn append_with(&self, new: &[Event], options: &AppendOptions) -> Result<Vec<u64>, StoreError> {
        self.store.append_with(new, options)
    }

    fn head(&self) -> Result<u64, StoreError> {
        self.noticed.store(self.tag_epoch, Ordering::Relaxed);
        self.store.head()
    }

    fn wait_for(&self, position: u64, timeout: Duration) -> Result<Option<u64>, StoreError> {
        self.store.wait_for(position, timeout)
    }

    fn store_id(&self) -> Uuid {
        self.store.store_id()
    }

    fn tag_epoch(&self) -> u64 {
        self.noticed.load(Ordering::Relaxed)
    }

    fn folds(&self) -> Option<&FoldCache> {
        Some(&self.folds)
    }
}

impl Shop {
    fn history(&self) -> Vec<Event> {
        let all = self.store.read(&Query::all(), ReadOptions::default()).unwrap();
        all.map(|event| event.unwrap().event).collect()
    }

    fn replace_history(&mut self, events: &[Event]) {
        self.store = MemoryStore::new();
        if !events.is_empty() {
            self.store.append(events, None).unwrap();
        }
    }
}

#[derive(Clone, Debug)]
enum Act {
    /// Somebody else appends.
    Append(Vec<Event>),
    /// A decision that asks these questions, during which a rival may append, and which may refuse.
    Decide { questions: Vec<usize>, rival: Vec<Event>, refuses: bool },
    /// Another process gives every event of type `A` other tags.
    AddTags,
    /// The store goes back to so many events.
    Restore(usize),
}

fn event() -> impl Strategy<Value = Event> {
    let tags = prop::sample::subsequence(vec!["k:1", "k:2", "k:3"], 0..=2);
    (prop::sample::select(vec!["A", "B", "C"]), tags).prop_map(|(event_type, tags)| {
        let tags = tags.into_iter().map(|tag| tag.parse().unwrap());
        Event::builder(event_type).tags(tags).build().unwrap()
    })
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let questions = prop::collection::vec(0..QUESTIONS, 0..5);
    let decide = (questions, prop::collection::vec(event(), 0..2), any::<bool>());
    let act = prop_oneof![
        4 => prop::collection::vec(event(), 1..6).prop_map(Act::Append),
        8 => decide.prop_map(|(questions, rival, refuses)| Act::Decide { questions, rival, refuses }),
        1 => Just(Act::AddTags),
        1 => (0..20_usize).prop_map(Act::Restore),
    ];
    prop::collection::vec(act, 1..40)
}

const QUESTIONS: usize = 8;

/// A question whose answer tells every event that it has seen, and in which order.
fn question(index: usize) -> DecisionProjection<Vec<u64>> {
    let tag = |text: &str| text.parse::<Tag>().unwrap();
    let item = |types: &[&str], tags: &[&str]| -> Query {
        QueryItem::new(types.to_vec(), tags.iter().map(|t| tag(t))).unwrap().into()
    };
    let query = match index {
        0 | 1 => item(&["A"], &[]),
        2 => item(&[], &["k:1"]),
        3 => item(&["A", "B"], &["k:2", "k:3"]),
        4 => item(&["C"], &["k:1"]).or(item(&["B"], &[])),
        5 | 6 => item(&["B", "C"], &["k:3"]),
        _ => Query::all(),
    };
    let of_each = 1 + index as u64 % 2;
    let is_odd = move |event: &EventRef<'_>| !event.position.is_multiple_of(of_each);
    if matches!(index, 4 | 5) {
        let only = move |event: &EventRef<'_>| (!is_odd(event)).then(|| vec![event.position]);
        return DecisionProjection::last(Vec::new(), query, only);
    }
    DecisionProjection::new(Vec::new(), query, move |seen: &mut Vec<u64>, event| {
        if !is_odd(event) {
            seen.push(event.position);
        }
    })
}

fn decide_both_ways(shop: &Shop, questions: &[usize], mut rival: Vec<Event>, refuses: bool) {
    let plain: Vec<_> = questions.iter().map(|index| question(*index)).collect();
    let named: Vec<_> =
        questions.iter().map(|index| question(*index).named("seen", 1, index % 2)).collect();
    let retry = Retry { delay: Duration::ZERO, ..Retry::default() };
    let decided = decide(shop, &named, retry, |state| {
        let uncached = build_decision_model(shop, &plain).unwrap();
        assert_eq!(state, &uncached.state);
        if let Some(rival) = rival.pop() {
            shop.append(&[rival], None).unwrap();
        }
        if refuses {
            return Err("no");
        }
        Ok(Decision { events: vec![Event::builder("A").build().unwrap()], outcome: () })
    });
    match decided {
        Err(DecideError::Refused { .. }) => assert!(refuses),
        Ok(decided) => assert_eq!(decided.positions, [shop.head().unwrap()]),
        Err(other) => panic!("{other:?}"),
    }
    let (kept, fresh) = (build_decision_model(shop, &named), build_decision_model(shop, &plain));
    let (kept, fresh) = (kept.unwrap(), fresh.unwrap());
    assert_eq!((kept.state, kept.condition), (fresh.state, fresh.condition));
    if shop.keeps_all {
        assert_eq!(build_decision_model(shop, &named).unwrap().events_read, 0);
    }
}

proptest! {
    #[test]
    fn kept_folds_and_fresh_ones_agree_in_every_history(
        acts in acts(),
        bytes_max in prop::sample::select(vec![0, 1_500, 1_000_000]),
    ) {
        let mut shop = Shop {
            store: MemoryStore::new(),
            tag_epoch: 0,
            noticed: AtomicU64::new(0),
            folds: FoldCache::new(bytes_max),
            keeps_all: bytes_max == 1_000_000,
        };
        for act in acts {
            match act {
                Act::Append(events) => {
                    shop.append(&events, None).unwrap();
                }
                Act::Decide { questions, rival, refuses } => {
                    decide_both_ways(&shop, &questions, rival, refuses);
                }
                Act::AddTags => {
                    let mut history = shop.history();
                    for event in history.iter_mut().filter(|event| event.event_type == "A") {
                        event.tags = vec!["k:1".parse().unwrap(), "k:3".parse().unwrap()];
                    }
                    shop.replace_history(&history);
                    shop.tag_epoch += 1;
                }
                Act::Restore(events) => {
                    let mut history = shop.history();
                    history.truncate(events);
                    shop.replace_history(&history);
                    shop.folds.clear();
                }
            }
        }
    }
}
