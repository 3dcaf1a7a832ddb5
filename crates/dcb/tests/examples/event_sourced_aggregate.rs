//! An aggregate of old: an entity that is loaded whole, changed and saved. It works on such a store
//! too, with a boundary that is simply everything that carries the entity's tag.
//! <https://dcb.events/examples/event-sourced-aggregate/>

use dcb::{
    AppendCondition, DecisionProjection, Event, EventRef, EventStore, MemoryStore, Query,
    StoreError, Tag, build_decision_model,
};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
enum CourseEvent {
    CourseDefined { title: String, capacity: u32 },
    CourseCapacityChanged { capacity: u32 },
    StudentSubscribed { student: Tag },
}

#[derive(Debug, PartialEq)]
enum Refusal {
    CapacityUnchanged,
    CapacityBelowSubscriptions,
    CourseFull,
}

/// The aggregate: its state, and what was recorded since it was loaded.
#[derive(Clone, Default)]
struct Course {
    title: String,
    capacity: u32,
    subscriptions: u32,
    recorded: Vec<Event>,
}

impl Course {
    fn define(id: &Tag, title: &str, capacity: u32) -> Self {
        let mut course = Self::default();
        course.record(id, CourseEvent::CourseDefined { title: title.into(), capacity });
        course
    }

    fn change_capacity(&mut self, id: &Tag, capacity: u32) -> Result<(), Refusal> {
        if capacity == self.capacity {
            return Err(Refusal::CapacityUnchanged);
        }
        if capacity < self.subscriptions {
            return Err(Refusal::CapacityBelowSubscriptions);
        }
        self.record(id, CourseEvent::CourseCapacityChanged { capacity });
        Ok(())
    }

    fn subscribe(&mut self, id: &Tag, student: &Tag) -> Result<(), Refusal> {
        if self.subscriptions >= self.capacity {
            return Err(Refusal::CourseFull);
        }
        self.record(id, CourseEvent::StudentSubscribed { student: student.clone() });
        Ok(())
    }

    fn record(&mut self, id: &Tag, happened: CourseEvent) {
        let event = Event::from_typed(&happened, [id.clone()]);
        self.recorded.push(event.expect("it can be written as JSON"));
        self.apply(happened);
    }

    fn apply(&mut self, happened: CourseEvent) {
        match happened {
            CourseEvent::CourseDefined { title, capacity } => {
                (self.title, self.capacity) = (title, capacity);
            }
            CourseEvent::CourseCapacityChanged { capacity } => self.capacity = capacity,
            CourseEvent::StudentSubscribed { .. } => self.subscriptions += 1,
        }
    }
}

/// Where courses are kept. In place of a version it remembers the condition under which what was
/// loaded still holds. The fold is named, so that a course with a long history loads as fast as a
/// new one.
struct Courses<'s>(&'s MemoryStore);

impl Courses<'_> {
    fn load(&self, id: &Tag) -> Result<(Course, Option<AppendCondition>), StoreError> {
        let query = Query::tagged([], id);
        let apply = |course: &mut Course, event: &EventRef<'_>| {
            if let Ok(happened) = event.typed() {
                course.apply(happened);
            }
        };
        let course =
            DecisionProjection::new(Course::default(), query, apply).named("course", 1, id);
        let built = build_decision_model(self.0, &course)?;
        Ok((built.state, built.condition))
    }

    fn add(&self, id: &Tag, course: Course) -> Result<(), StoreError> {
        let must_be_new =
            AppendCondition { fail_if_events_match: Query::tagged([], id), after: None };
        self.save(course, Some(must_be_new))
    }

    fn save(&self, course: Course, condition: Option<AppendCondition>) -> Result<(), StoreError> {
        self.0.append(&course.recorded, condition.as_ref())?;
        Ok(())
    }
}

fn tag(text: &str) -> Tag {
    text.parse().expect("a good tag")
}

#[test]
fn a_course_is_loaded_as_it_was_saved() {
    let (store, id) = (MemoryStore::new(), tag("course:c1"));
    let courses = Courses(&store);
    courses.add(&id, Course::define(&id, "Maths", 10)).unwrap();
    let (mut course, condition) = courses.load(&id).unwrap();
    course.change_capacity(&id, 2).unwrap();
    course.subscribe(&id, &tag("student:s1")).unwrap();
    courses.save(course, condition).unwrap();
    let (course, _) = courses.load(&id).unwrap();
    assert_eq!((&*course.title, course.capacity, course.subscriptions), ("Maths", 2, 1));
    assert!(course.recorded.is_empty());
}

#[test]
fn its_rules_are_its_own() {
    let id = tag("course:c1");
    let mut course = Course::define(&id, "Maths", 1);
    assert_eq!(course.change_capacity(&id, 1), Err(Refusal::CapacityUnchanged));
    course.subscribe(&id, &tag("student:s1")).unwrap();
    assert_eq!(course.subscribe(&id, &tag("student:s2")), Err(Refusal::CourseFull));
    assert_eq!(course.change_capacity(&id, 0), Err(Refusal::CapacityBelowSubscriptions));
}

#[test]
fn of_two_who_change_a_course_at_once_the_second_loads_it_again() {
    let (store, maths, art) = (MemoryStore::new(), tag("course:maths"), tag("course:art"));
    let courses = Courses(&store);
    courses.add(&maths, Course::define(&maths, "Maths", 10)).unwrap();
    courses.add(&art, Course::define(&art, "Art", 10)).unwrap();
    let [mut first, mut second, mut other] =
        [&maths, &maths, &art].map(|id| courses.load(id).unwrap());
    first.0.change_capacity(&maths, 11).unwrap();
    second.0.change_capacity(&maths, 12).unwrap();
    other.0.change_capacity(&art, 13).unwrap();
    courses.save(first.0, first.1).unwrap();
    let conflict = courses.save(second.0, second.1);
    assert!(matches!(conflict, Err(StoreError::ConditionFailed { .. })), "{conflict:?}");
    courses.save(other.0, other.1).unwrap();
}

#[test]
fn a_course_is_added_once() {
    let (store, id) = (MemoryStore::new(), tag("course:c1"));
    let courses = Courses(&store);
    courses.add(&id, Course::define(&id, "Maths", 10)).unwrap();
    let again = courses.add(&id, Course::define(&id, "Maths", 10));
    assert!(matches!(again, Err(StoreError::ConditionFailed { .. })), "{again:?}");
}
