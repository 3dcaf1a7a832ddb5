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
//! A course has room for so many students, and a student may take so many courses
//! (<https://dcb.events/examples/course-subscriptions/>). With one stream per entity neither the
//! course nor the student alone could enforce this; here one condition guards both.
//!
//! ```
//! use dcb::{
//!     DecideError, DecisionProjection, Event, EventStore, MemoryStore, Query, Retry, Tag, decide,
//! };
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize)]
//! #[serde(tag = "type", content = "data")]
//! enum School {
//!     CourseDefined { capacity: u32 },
//!     StudentSubscribed {},
//! }
//!
//! #[derive(Debug, PartialEq)]
//! enum Refusal { NoSuchCourse, CourseFull, StudentHasEnough, AlreadySubscribed }
//!
//! /// The course's capacity, or `None` if it is not defined. Only the last definition counts.
//! fn capacity(course: &Tag) -> DecisionProjection<Option<u32>> {
//!     let query = Query::tagged(["CourseDefined"], course);
//!     DecisionProjection::new(None, query, |capacity, event| {
//!         if let Ok(School::CourseDefined { capacity: defined }) = event.typed() {
//!             *capacity = Some(defined);
//!         }
//!     })
//!     .last_only()
//! }
//!
//! /// How many subscriptions carry this tag: of a course, or of a student.
//! fn subscriptions(of: &Tag) -> DecisionProjection<u32> {
//!     let query = Query::tagged(["StudentSubscribed"], of);
//!     DecisionProjection::new(0, query, |count, _| *count += 1)
//! }
//!
//! fn already(student: &Tag, course: &Tag) -> DecisionProjection<bool> {
//!     let item = dcb::QueryItem::new(["StudentSubscribed"], [student.clone(), course.clone()]);
//!     let query = item.expect("an item with a type is valid").into();
//!     DecisionProjection::new(false, query, |subscribed, _| *subscribed = true)
//! }
//!
//! fn subscribe(store: &MemoryStore, student: &Tag, course: &Tag) -> Result<(), DecideError<Refusal>> {
//!     let model =
//!         (capacity(course), subscriptions(course), subscriptions(student), already(student, course));
//!     decide(store, &model, Retry::default(), |(capacity, in_course, of_student, already)| {
//!         let Some(capacity) = capacity else { return Err(Refusal::NoSuchCourse) };
//!         if *already { return Err(Refusal::AlreadySubscribed) }
//!         if in_course >= capacity { return Err(Refusal::CourseFull) }
//!         if *of_student >= 2 { return Err(Refusal::StudentHasEnough) }
//!         let tags = [student.clone(), course.clone()];
//!         let subscribed = Event::from_typed(&School::StudentSubscribed {}, tags);
//!         Ok(vec![subscribed.expect("it can be written as JSON")].into())
//!     })?;
//!     Ok(())
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let store = MemoryStore::new();
//! let [ann, ben, maths, art, logic] =
//!     ["student:ann", "student:ben", "course:maths", "course:art", "course:logic"].map(|t| t.parse::<Tag>().unwrap());
//! for course in [&maths, &art, &logic] {
//!     let capacity = if course == &maths { 1 } else { 20 };
//!     store.append(&[Event::from_typed(&School::CourseDefined { capacity }, [course.clone()])?], None)?;
//! }
//! let refusal = |result| match result {
//!     Err(DecideError::Refused { refusal, .. }) => refusal,
//!     other => panic!("{other:?}"),
//! };
//! subscribe(&store, &ann, &maths).unwrap();
//! assert_eq!(refusal(subscribe(&store, &ann, &maths)), Refusal::AlreadySubscribed);
//! assert_eq!(refusal(subscribe(&store, &ben, &maths)), Refusal::CourseFull);
//! subscribe(&store, &ann, &art).unwrap();
//! assert_eq!(refusal(subscribe(&store, &ann, &logic)), Refusal::StudentHasEnough);
//! # Ok(())
//! # }
//! ```
//!
//! # What is deliberately absent
//!
//! No snapshots, no streams, no aggregates: a query takes their place. No async: an append is disk
//! I/O, and who has a runtime calls it on a blocking thread. No clock but for the recording time:
//! business time belongs into the data.

mod decision;
mod event;
mod fold_cache;
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

pub use decision::{Attempt, DecideError, Decided, Decision, Retry, Trace, decide};
pub use event::{
    Event, EventBuilder, EventRef, InvalidEvent, Json, Metadata, MetadataRef, SequencedEvent, Tags,
    recording_time,
};
pub use fold_cache::FoldCache;
pub use memory::MemoryStore;
pub use model::{
    BuiltModel, DecisionModel, DecisionProjection, Part, PartStates, build_decision_model,
};
pub use projection::{Followed, Projection};
pub use query::{InvalidQuery, Query, QueryItem};
pub use store::{
    AppendCondition, AppendOptions, Cancel, Cursor, EventStore, Events, InvalidAppend,
    MAX_COMMIT_EVENTS, MAX_EVENT_BYTES, ReadOptions, StoreError, check_append,
};
pub use subscription::Subscription;
pub use tag::{InvalidTag, Tag};
