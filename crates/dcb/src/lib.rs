//! Dynamic Consistency Boundaries: rules that hold across entities, enforced by an event store.
//!
//! An event says what happened and carries tags that say what it is about. A decision reads the
//! events its rule depends on, whichever entities they belong to, and appends on the condition
//! that no event of that kind was added meanwhile. The set of those events is the boundary; each
//! decision draws its own. See <https://dcb.events> for the idea and its specification.
//!
//! This crate is the vocabulary and the contract. It does no I/O; `dcb-file` is the store on disk,
//! [`MemoryStore`] the one in memory that every other is compared with.
//!
//! # A rule across two entities
//!
//! A course has room for twenty, and a student takes at most five courses. With one stream per entity
//! neither could enforce both; here one condition guards them. It is one of the seven examples of
//! dcb.events, which stand in full in `tests/examples` and, in these pages, in the module `examples`.
//!
//! ```
//! use dcb::{
//!     DecideError, Decided, DecisionProjection, Event, EventStore, MemoryStore, Query, Retry, Tag,
//!     decide,
//! };
//!
//! /// How many subscriptions there are of a course, or of a student.
//! fn subscriptions(of: &Tag) -> DecisionProjection<u32> {
//!     let query = Query::tagged(["StudentSubscribed"], of);
//!     DecisionProjection::new(0, query, |count, _| *count += 1).named("subscriptions", 1, of)
//! }
//!
//! fn subscribe(
//!     store: &impl EventStore,
//!     student: &Tag,
//!     course: &Tag,
//! ) -> Result<Decided<()>, DecideError<&'static str>> {
//!     let model = (subscriptions(course), subscriptions(student));
//!     decide(store, &model, Retry::default(), |(in_course, of_student)| {
//!         if *in_course >= 20 {
//!             return Err("the course is full");
//!         }
//!         if *of_student >= 5 {
//!             return Err("the student has enough courses");
//!         }
//!         let tags = [student.clone(), course.clone()];
//!         let subscribed = Event::builder("StudentSubscribed").tags(tags).build();
//!         Ok(vec![subscribed.expect("nothing is wrong with it")].into())
//!     })
//! }
//!
//! let store = MemoryStore::new();
//! let [ann, maths] = ["student:ann", "course:maths"].map(|tag| tag.parse().unwrap());
//! assert_eq!(subscribe(&store, &ann, &maths).unwrap().positions, [1]);
//! ```
//!
//! [`decide`] reads, makes the condition and appends on it. By hand it is two steps: what was read
//! tells at which [head](Events::head) it was fixed, and that goes into the condition.
//!
//! ```
//! # use dcb::{
//! #     AppendCondition, Event, EventStore, MemoryStore, Query, ReadOptions, StoreError, Tag,
//! # };
//! let store = MemoryStore::new();
//! let name: Tag = "username:ann".parse()?;
//! let taken = Query::tagged(["AccountRegistered"], &name);
//!
//! let mut events = store.read(&taken, ReadOptions::default())?;
//! assert!(events.next().is_none(), "nobody has the name");
//! let unless_taken =
//!     AppendCondition { fail_if_events_match: taken, after: Some(events.head()) };
//!
//! let registered = Event::builder("AccountRegistered").tags([name]).build()?;
//! store.append(&[registered.clone()], Some(&unless_taken))?;
//! let refused = store.append(&[registered], Some(&unless_taken)).unwrap_err();
//! assert!(matches!(refused, StoreError::ConditionFailed { conflict: 1 }));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is deliberately absent
//!
//! No snapshots, no streams, no aggregates: a query takes their place. No async: an append is disk
//! I/O, and who has a runtime calls it on a blocking thread. No clock but for the recording time:
//! business time belongs into the data.

mod counters;
mod decision;
mod event;
#[cfg(all(doc, not(doctest)))]
pub mod examples;
mod fold_cache;
mod maintenance;
mod memory;
mod model;
mod projection;
mod query;
mod store;
mod subscription;
mod tag;

#[cfg(feature = "testing")]
#[allow(
    missing_docs,
    clippy::indexing_slicing,
    clippy::expect_used,
    reason = "these are tests for others to run, each named as the sentence it proves"
)]
pub mod conformance;
#[cfg(feature = "testing")]
pub mod testing;

pub use counters::Counters;
pub use decision::{Attempt, DecideError, Decided, Decision, Retry, Trace, decide};
pub use event::{
    Event, EventBuilder, EventRef, InvalidEvent, Json, Metadata, MetadataRef, SequencedEvent, Tags,
    recording_time,
};
pub use fold_cache::FoldCache;
pub use maintenance::{Maintenance, TAGS_ADDED, TagsAdded, missing_tags};
pub use memory::MemoryStore;
pub use model::{
    BuiltModel, DecisionModel, DecisionProjection, Part, PartStates, build_decision_model,
};
pub use projection::{Followed, Projection};
pub use query::{InvalidQuery, Query, QueryItem};
pub use store::{
    AppendCondition, AppendOptions, Cancel, Cursor, EventStore, Events, InvalidAppend,
    MAX_COMMIT_EVENTS, MAX_EVENT_BYTES, ReadOptions, StoreError, check_append, next_step,
};
pub use subscription::Subscription;
pub use tag::{InvalidTag, Tag};
