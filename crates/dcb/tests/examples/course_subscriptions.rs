//! A course has room for so many students, and a student takes at most five courses. Neither the
//! course nor the student could keep that rule alone; one condition guards both.
//! <https://dcb.events/examples/course-subscriptions/>

use dcb::testing::given;
use dcb::{
    DecideError, Decided, DecisionProjection, Event, EventStore, Query, QueryItem, Retry, Tag,
    decide,
};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
enum School {
    CourseDefined { capacity: u32 },
    CourseCapacityChanged { capacity: u32 },
    StudentSubscribed {},
}

impl School {
    fn about<const N: usize>(self, tags: [&Tag; N]) -> Event {
        Event::from_typed(&self, tags.map(Tag::clone)).expect("it can be written as JSON")
    }
}

#[derive(Debug, PartialEq)]
enum Refusal {
    CourseExists,
    NoSuchCourse,
    CapacityUnchanged,
    CourseFull,
    AlreadySubscribed,
    StudentHasEnough,
}

type Outcome = Result<Decided<()>, DecideError<Refusal>>;

/// The course's capacity; `None` if there is no such course. Only the last event counts.
fn capacity(course: &Tag) -> DecisionProjection<Option<u32>> {
    let query = Query::tagged(["CourseDefined", "CourseCapacityChanged"], course);
    DecisionProjection::last(None, query, |event| match event.typed() {
        Ok(School::CourseDefined { capacity } | School::CourseCapacityChanged { capacity }) => {
            Some(Some(capacity))
        }
        _ => None,
    })
}

/// How many subscriptions there are of a course, or of a student.
fn subscriptions(of: &Tag) -> DecisionProjection<u32> {
    let query = Query::tagged(["StudentSubscribed"], of);
    DecisionProjection::new(0, query, |count, _| *count += 1)
}

fn is_subscribed(student: &Tag, course: &Tag) -> DecisionProjection<bool> {
    let both = QueryItem::new(["StudentSubscribed"], [student.clone(), course.clone()]);
    let query = both.expect("an item with a type is valid").into();
    DecisionProjection::new(false, query, |subscribed, _| *subscribed = true)
}

fn define_course(store: &impl EventStore, course: &Tag, capacity_wanted: u32) -> Outcome {
    decide(store, &capacity(course), Retry::default(), |capacity| match capacity {
        Some(_) => Err(Refusal::CourseExists),
        None => {
            Ok(vec![School::CourseDefined { capacity: capacity_wanted }.about([course])].into())
        }
    })
}

fn change_capacity(store: &impl EventStore, course: &Tag, to: u32) -> Outcome {
    decide(store, &capacity(course), Retry::default(), |capacity| match capacity {
        None => Err(Refusal::NoSuchCourse),
        Some(capacity) if *capacity == to => Err(Refusal::CapacityUnchanged),
        Some(_) => Ok(vec![School::CourseCapacityChanged { capacity: to }.about([course])].into()),
    })
}

fn subscribe(store: &impl EventStore, student: &Tag, course: &Tag) -> Outcome {
    let model = (
        capacity(course),
        subscriptions(course),
        subscriptions(student),
        is_subscribed(student, course),
    );
    decide(store, &model, Retry::default(), |(capacity, in_course, of_student, already)| {
        let Some(capacity) = capacity else { return Err(Refusal::NoSuchCourse) };
        if in_course >= capacity {
            return Err(Refusal::CourseFull);
        }
        if *already {
            return Err(Refusal::AlreadySubscribed);
        }
        if *of_student >= 5 {
            return Err(Refusal::StudentHasEnough);
        }
        Ok(vec![School::StudentSubscribed {}.about([student, course])].into())
    })
}

fn tag(text: &str) -> Tag {
    text.parse().expect("a good tag")
}

fn defined(course: &str, capacity: u32) -> Event {
    School::CourseDefined { capacity }.about([&tag(course)])
}

fn subscribed(student: &str, course: &str) -> Event {
    School::StudentSubscribed {}.about([&tag(student), &tag(course)])
}

#[test]
fn a_course_is_defined_once() {
    given([])
        .when(|store| define_course(store, &tag("course:c1"), 10))
        .then_recorded([defined("course:c1", 10)]);
    given([defined("course:c1", 10)])
        .when(|store| define_course(store, &tag("course:c1"), 15))
        .then_refused_with(Refusal::CourseExists);
}

#[test]
fn the_capacity_of_a_course_that_exists_can_change() {
    given([])
        .when(|store| change_capacity(store, &tag("course:c0"), 15))
        .then_refused_with(Refusal::NoSuchCourse);
    given([defined("course:c1", 12)])
        .when(|store| change_capacity(store, &tag("course:c1"), 12))
        .then_refused_with(Refusal::CapacityUnchanged);
    given([defined("course:c1", 12)])
        .when(|store| change_capacity(store, &tag("course:c1"), 15))
        .then_recorded([School::CourseCapacityChanged { capacity: 15 }.about([&tag("course:c1")])]);
}

#[test]
fn a_student_subscribes_to_a_course_with_room() {
    given([defined("course:c1", 1)])
        .when(|store| subscribe(store, &tag("student:s1"), &tag("course:c1")))
        .then_recorded([subscribed("student:s1", "course:c1")]);
}

#[test]
fn nobody_subscribes_to_a_course_that_does_not_exist_or_is_full() {
    given([])
        .when(|store| subscribe(store, &tag("student:s1"), &tag("course:c0")))
        .then_refused_with(Refusal::NoSuchCourse);
    given([defined("course:c1", 1), subscribed("student:s1", "course:c1")])
        .when(|store| subscribe(store, &tag("student:s2"), &tag("course:c1")))
        .then_refused_with(Refusal::CourseFull);
}

#[test]
fn a_student_takes_a_course_once_and_at_most_five() {
    given([defined("course:c1", 10), subscribed("student:s1", "course:c1")])
        .when(|store| subscribe(store, &tag("student:s1"), &tag("course:c1")))
        .then_refused_with(Refusal::AlreadySubscribed);
    let taken = ["course:c1", "course:c2", "course:c3", "course:c4", "course:c5"];
    let past = taken.map(|course| subscribed("student:s1", course));
    given([defined("course:c6", 10)].into_iter().chain(past))
        .when(|store| subscribe(store, &tag("student:s1"), &tag("course:c6")))
        .then_refused_with(Refusal::StudentHasEnough);
}
