//! The conformance suite: what every [`EventStore`] promises, as tests.
//!
//! An engine runs all of it with [`conformance_tests!`](crate::conformance_tests). Positions are
//! never compared with fixed numbers, because the contract promises only that they increase.

use std::sync::Barrier;
use std::time::{Duration, Instant};

use crate::{
    AppendCondition, Cancel, DecisionProjection, Event, EventRef, EventStore, InvalidAppend, Json,
    MAX_COMMIT_EVENTS, MAX_EVENT_BYTES, Maintenance, Query, QueryItem, ReadOptions, SequencedEvent,
    StoreError, Subscription, TAGS_ADDED, Tag, TagsAdded, build_decision_model,
};

/// Makes a `#[test]` of every case of the suite. The argument is a closure that makes an empty
/// store and whatever must outlive it: `|| (MemoryStore::new(), ())`.
#[macro_export]
macro_rules! conformance_tests {
    ($make:expr) => {
        $crate::conformance_tests! { $make =>
            an_empty_store_reads_nothing_at_head_zero
            events_come_back_as_they_went_in
            positions_increase_and_are_returned
            the_head_is_fixed_before_the_first_event_is_read
            reads_start_stop_and_turn_where_they_are_told
            read_last_count_and_exists_agree_with_read
            a_query_finds_exactly_what_matches
            a_condition_fails_on_a_match_after_its_position
            a_condition_without_after_fails_on_any_match
            a_condition_on_all_events_is_checked_like_every_other
            a_failed_condition_names_the_first_conflict_and_writes_nothing
            bad_batches_are_refused_and_write_nothing
            limits_are_kept
            recording_times_never_decrease
            given_recording_times_are_kept_between_the_last_and_now
            of_many_rivals_exactly_one_wins
            appends_of_many_threads_lose_nothing
            waiting_ends_when_the_position_is_there_or_the_time_is_up
            decisions_with_and_without_kept_folds_agree
            a_subscription_yields_every_event_once_in_order_as_it_comes
            a_subscription_waits_no_longer_than_told_and_ends_when_cancelled
        }
    };
    ($make:expr => $($case:ident)+) => {
        $(
            #[test]
            fn $case() {
                let (store, _outlives) = $make();
                $crate::conformance::$case(&store);
            }
        )+
    };
}

/// The same for stores that implement [`Maintenance`].
#[macro_export]
macro_rules! maintenance_tests {
    ($make:expr) => {
        $crate::conformance_tests! { $make =>
            added_tags_are_read_queried_counted_and_conflict
            adding_tags_again_adds_nothing
            adding_tags_takes_a_position_at_which_nothing_is_read
            a_condition_from_before_tags_were_added_fails
            the_reserved_type_cannot_be_appended
        }
    };
}

const NOTHING: [u64; 0] = [];

fn tag(text: &str) -> Tag {
    text.parse().expect("a good tag")
}

fn event(event_type: &str, tags: &[&str]) -> Event {
    let tags = tags.iter().map(|text| tag(text));
    Event::builder(event_type).tags(tags).build().expect("a good event")
}

fn item(types: &[&str], tags: &[&str]) -> QueryItem {
    QueryItem::new(types.to_vec(), tags.iter().map(|t| tag(t))).expect("a good item")
}

fn append(store: &dyn EventStore, events: &[Event]) -> Vec<u64> {
    store.append(events, None).expect("an append without a condition succeeds")
}

fn read(store: &dyn EventStore, query: &Query, options: ReadOptions) -> Vec<SequencedEvent> {
    let events = store.read(query, options).expect("a read starts");
    events.collect::<Result<_, _>>().expect("every event can be read")
}

fn positions(store: &dyn EventStore, query: &Query, options: ReadOptions) -> Vec<u64> {
    read(store, query, options).iter().map(|event| event.position).collect()
}

fn fail_if(query: Query, after: impl Into<Option<u64>>) -> AppendCondition {
    AppendCondition { fail_if_events_match: query, after: after.into() }
}

pub fn an_empty_store_reads_nothing_at_head_zero(store: &dyn EventStore) {
    let mut events = store.read(&Query::all(), ReadOptions::default()).expect("a read starts");
    assert_eq!(events.head(), 0);
    assert!(events.next().is_none());
    assert_eq!(store.head().expect("a head"), 0);
    assert!(!store.exists(&Query::all()).expect("an answer"));
}

pub fn events_come_back_as_they_went_in(store: &dyn EventStore) {
    let odd = Event::builder("Odd \"type\" \\ with\n\u{1}é…\u{2028}")
        .tags([tag("k:\"quoted\",[x]"), tag("k:back\\slash"), tag("k:é:𝄞")])
        .data_text(r#"{"n":1.50,"big":123456789012345678901234567890,"n":"\u00e9\n\ud83d\ude00"}"#)
        .correlation_id("c")
        .causation_id("\"")
        .operation_id("o")
        .user_id("u")
        .metadata("free", serde_json::json!({"a": [1, null, "x"]}))
        .build()
        .expect("a good event");
    let plain = event("Plain", &["a:1", "a:2"]);
    let empty_data = Event::builder("T").data_text(" [ ] ").build().expect("a good event");
    let sent = [odd, plain, empty_data];
    append(store, &sent);
    let got = read(store, &Query::all(), ReadOptions::default());
    assert_eq!(got.len(), sent.len());
    for (got, sent) in got.iter().zip(&sent) {
        assert!(got.event.metadata.timestamp.is_some());
        let mut got = got.event.clone();
        got.metadata.timestamp = None;
        assert_eq!(&got, sent);
    }
}

pub fn positions_increase_and_are_returned(store: &dyn EventStore) {
    let mut told = append(store, &[event("A", &[]), event("B", &[])]);
    told.extend(append(store, &[event("C", &[])]));
    assert!(told.windows(2).all(|pair| matches!(pair, [a, b] if a < b)), "{told:?}");
    assert!(told.first().is_some_and(|first| *first >= 1));
    assert_eq!(positions(store, &Query::all(), ReadOptions::default()), told);
    assert_eq!(store.head().expect("a head"), *told.last().expect("a position"));
}

pub fn the_head_is_fixed_before_the_first_event_is_read(store: &dyn EventStore) {
    let told = append(store, &[event("A", &["k:1"]), event("B", &[])]);
    let head = told.last().copied().expect("a position");
    let nothing = Query::types(["Nothing"]).expect("a good query");
    for (query, options) in [
        (&Query::all(), ReadOptions::default()),
        (&nothing, ReadOptions::default()),
        (&Query::all(), ReadOptions::default().limit(1)),
        (&Query::all(), ReadOptions::default().limit(0)),
        (&Query::all(), ReadOptions::backwards().limit(1)),
        (&Query::all(), ReadOptions::from(head + 100)),
    ] {
        assert_eq!(store.read(query, options).expect("a read starts").head(), head, "{options:?}");
    }
    let mut events = store.read(&Query::all(), ReadOptions::default()).expect("a read starts");
    append(store, &[event("C", &[])]);
    assert_eq!(events.head(), head);
    assert_eq!(events.by_ref().count(), 2, "what came after the head is not seen");
    append(store, &[event("D", &[])]);
}

pub fn reads_start_stop_and_turn_where_they_are_told(store: &dyn EventStore) {
    let told: Vec<u64> = (0..10).flat_map(|_| append(store, &[event("A", &[])])).collect();
    let all = |options| positions(store, &Query::all(), options);
    let (third, last) = (told[2], told[9]);
    assert_eq!(all(ReadOptions::from(0)), told);
    assert_eq!(all(ReadOptions::from(third)), told[2..]);
    assert_eq!(all(ReadOptions::from(third).limit(2)), told[2..4]);
    assert_eq!(all(ReadOptions::from(last + 1)), NOTHING);
    assert_eq!(all(ReadOptions::from(u64::MAX)), NOTHING);
    assert_eq!(all(ReadOptions::default().limit(0)), NOTHING);
    let reversed: Vec<u64> = told.iter().rev().copied().collect();
    assert_eq!(all(ReadOptions::backwards()), reversed);
    assert_eq!(all(ReadOptions::backwards().limit(3)), reversed[..3]);
    let down = |from| ReadOptions { from: Some(from), ..ReadOptions::backwards() };
    assert_eq!(all(down(third)), reversed[7..]);
    assert_eq!(all(down(third).limit(1)), [third]);
    assert_eq!(all(down(u64::MAX)), reversed);
    assert_eq!(all(down(0)), NOTHING);
}

pub fn read_last_count_and_exists_agree_with_read(store: &dyn EventStore) {
    append(store, &[event("A", &["k:1"]), event("B", &["k:1"]), event("A", &["k:2"])]);
    for query in [
        Query::all(),
        Query::types(["A"]).expect("a good query"),
        Query::tags([tag("k:1")]).expect("a good query"),
        Query::types(["C"]).expect("a good query"),
        Query::tagged(["A"], &tag("k:3")),
    ] {
        let read = read(store, &query, ReadOptions::default());
        assert_eq!(store.read_last(&query).expect("an answer").as_ref(), read.last(), "{query:?}");
        assert_eq!(store.count(&query).expect("an answer"), read.len() as u64);
        assert_eq!(store.exists(&query).expect("an answer"), !read.is_empty());
    }
}

pub fn a_query_finds_exactly_what_matches(store: &dyn EventStore) {
    let kinds = ["A", "B", "C"];
    let tags = ["k:1", "k:2", "j:1", "k:a_b=c", "k:a=b_c"];
    let mut random = fastrand::Rng::with_seed(7);
    let mut some = |of: &[&'static str], most: usize| -> Vec<&'static str> {
        (0..random.usize(0..=most)).filter_map(|_| random.choice(of).copied()).collect()
    };
    let mut appended = Vec::new();
    for round in 0..60 {
        let kind = kinds[round % 3];
        let new = event(kind, &some(&tags, 3));
        appended.push((append(store, std::slice::from_ref(&new))[0], new));
    }
    for _ in 0..300 {
        let items: Vec<QueryItem> = (0..3)
            .filter_map(|_| {
                let tags: Vec<Tag> = some(&tags, 2).into_iter().map(tag).collect();
                QueryItem::new(some(&kinds, 2), tags).ok()
            })
            .collect();
        let Ok(query) = Query::any_of(items) else { continue };
        let expected: Vec<u64> = appended
            .iter()
            .filter(|(position, event)| query.matches(&event.at(*position)))
            .map(|(position, _)| *position)
            .collect();
        assert_eq!(positions(store, &query, ReadOptions::default()), expected, "{query:?}");
        let backwards: Vec<u64> = expected.iter().rev().copied().collect();
        assert_eq!(positions(store, &query, ReadOptions::backwards()), backwards, "{query:?}");
    }
}

pub fn a_condition_fails_on_a_match_after_its_position(store: &dyn EventStore) {
    let told = append(store, &[event("A", &["k:1"]), event("B", &["k:2"]), event("C", &["k:1"])]);
    let k1 = || Query::tags([tag("k:1")]).expect("a good query");
    let try_append = |condition| store.append(&[event("New", &[])], Some(&condition));
    for (query, after, fails) in [
        (k1(), 0, true),
        (k1(), told[1], true),
        (k1(), told[2], false),
        (Query::tagged(["A"], &tag("k:1")), 0, true),
        (Query::tagged(["A"], &tag("k:1")), told[0], false),
        (Query::tagged(["B"], &tag("k:1")), 0, false),
        (item(&["B"], &["k:2"]).into(), told[0], true),
        (item(&[], &["k:1", "k:2"]).into(), 0, false),
        (k1().or(Query::types(["B"]).expect("a good query")), told[0], true),
        (k1(), u64::MAX, false),
    ] {
        let result = try_append(fail_if(query.clone(), after));
        let failed = matches!(result, Err(StoreError::ConditionFailed { .. }));
        assert_eq!(failed, fails, "{query:?} after {after}: {result:?}");
    }
}

pub fn a_condition_without_after_fails_on_any_match(store: &dyn EventStore) {
    let unique = || fail_if(Query::tags([tag("name:x")]).expect("a good query"), None);
    let taken = [event("NameTaken", &["name:x"])];
    store.append(&taken, Some(&unique())).expect("the first takes the name");
    append(store, &[event("Other", &[])]);
    let second = store.append(&taken, Some(&unique()));
    assert!(matches!(second, Err(StoreError::ConditionFailed { .. })), "{second:?}");
}

pub fn a_condition_on_all_events_is_checked_like_every_other(store: &dyn EventStore) {
    let first = store.append(&[event("A", &[])], Some(&fail_if(Query::all(), None)));
    let head = first.expect("an empty store has nothing that matches")[0];
    let stale = store.append(&[event("B", &[])], Some(&fail_if(Query::all(), 0)));
    assert!(matches!(stale, Err(StoreError::ConditionFailed { conflict }) if conflict == head));
    store.append(&[event("B", &[])], Some(&fail_if(Query::all(), head))).expect("nothing is newer");
}

pub fn a_failed_condition_names_the_first_conflict_and_writes_nothing(store: &dyn EventStore) {
    let told = append(store, &[event("A", &[]), event("B", &[]), event("A", &[]), event("A", &[])]);
    let condition = fail_if(Query::types(["A"]).expect("a good query"), told[0]);
    let batch = [event("New", &[]), event("New", &[])];
    let error = store.append(&batch, Some(&condition)).expect_err("an A came later");
    assert!(matches!(error, StoreError::ConditionFailed { conflict } if conflict == told[2]));
    assert_eq!(store.count(&Query::all()).expect("a count"), 4);
    append(store, &[event("After", &[])]);
    assert_eq!(store.count(&Query::all()).expect("a count"), 5, "the store goes on as before");
}

pub fn bad_batches_are_refused_and_write_nothing(store: &dyn EventStore) {
    let blank = |event_type: &str| Event { event_type: event_type.into(), ..event("A", &[]) };
    let refused = |batch: &[Event]| match store.append(batch, None) {
        Err(StoreError::Invalid(reason)) => reason,
        other => panic!("a bad batch came to {other:?}"),
    };
    assert_eq!(refused(&[]), InvalidAppend::Empty);
    assert_eq!(refused(&[blank("A"), blank(" \t")]), InvalidAppend::BlankType { index: 1 });
    assert_eq!(refused(&[blank("")]), InvalidAppend::BlankType { index: 0 });
    let twice = Event::builder("T").metadata("userId", "ann").build().expect("a good event");
    let reserved = InvalidAppend::ReservedMetadata { index: 0, name: "userId" };
    assert_eq!(refused(&[twice]), reserved);
    assert_eq!(store.head().expect("a head"), 0);
}

pub fn limits_are_kept(store: &dyn EventStore) {
    let sized = |bytes: usize| Event {
        data: Json::of(&"x".repeat(bytes)).expect("JSON"),
        ..event("T", &[])
    };
    let fits = sized(MAX_EVENT_BYTES - 1 - 2);
    let too_large = store.append(&[sized(MAX_EVENT_BYTES)], None);
    assert!(
        matches!(too_large, Err(StoreError::Invalid(InvalidAppend::TooLarge { index: 0, .. }))),
        "{too_large:?}"
    );
    let many = vec![event("T", &[]); MAX_COMMIT_EVENTS + 1];
    let too_many = store.append(&many, None);
    assert!(matches!(too_many, Err(StoreError::Invalid(InvalidAppend::TooManyEvents { .. }))));
    assert_eq!(store.head().expect("a head"), 0);
    append(store, std::slice::from_ref(&fits));
    assert_eq!(append(store, &many[1..]).len(), MAX_COMMIT_EVENTS);
    assert_eq!(
        read(store, &Query::all(), ReadOptions::default().limit(1))[0].event.data,
        fits.data
    );
}

fn times(store: &dyn EventStore) -> Vec<chrono::DateTime<chrono::Utc>> {
    read(store, &Query::all(), ReadOptions::default())
        .iter()
        .map(|event| event.event.metadata.timestamp.expect("a recorded event has a time"))
        .collect()
}

pub fn recording_times_never_decrease(store: &dyn EventStore) {
    assert_eq!(store.last_recorded_at(), None);
    for _ in 0..20 {
        append(store, &[event("A", &[]), event("B", &[])]);
        let borne_in_mind = store.last_recorded_at();
        assert!(borne_in_mind.is_none_or(|time| times(store).last() == Some(&time)));
    }
    assert!(times(store).is_sorted());
}

pub fn given_recording_times_are_kept_between_the_last_and_now(store: &dyn EventStore) {
    let at = |text: &str| Event::builder("T").timestamp(text.parse().expect("a time")).build();
    let batch = ["2020-01-01T00:00:00Z", "2019-01-01T00:00:00Z", "2999-01-01T00:00:00Z"];
    append(store, &batch.map(|text| at(text).expect("a good event")));
    let times = times(store);
    assert_eq!(times[0].to_rfc3339(), "2020-01-01T00:00:00+00:00");
    assert_eq!(times[1], times[0], "an earlier time becomes that of the last event");
    assert!(times[2] <= chrono::Utc::now(), "a later time becomes now");
}

pub fn of_many_rivals_exactly_one_wins(store: &dyn EventStore) {
    for round in 0..20 {
        let seat = tag(&format!("seat:{round}"));
        let condition = fail_if(Query::tags([seat.clone()]).expect("a good query"), None);
        let barrier = Barrier::new(4);
        let rival = || {
            barrier.wait();
            let taken = event("SeatTaken", &[seat.as_str()]);
            match store.append(&[taken], Some(&condition)) {
                Ok(_) => 1,
                Err(StoreError::ConditionFailed { .. }) => 0,
                Err(error) => panic!("{error}"),
            }
        };
        let wins: i32 = std::thread::scope(|scope| {
            let rivals: Vec<_> = (0..4).map(|_| scope.spawn(rival)).collect();
            rivals.into_iter().map(|r| r.join().expect("a rival does not panic")).sum()
        });
        assert_eq!(wins, 1);
    }
}

pub fn appends_of_many_threads_lose_nothing(store: &dyn EventStore) {
    std::thread::scope(|scope| {
        for thread in 0..4 {
            scope.spawn(move || {
                let mine = format!("thread:{thread}");
                for _ in 0..25 {
                    append(store, &[event("A", &[&mine]), event("B", &[&mine])]);
                }
            });
        }
    });
    let all = read(store, &Query::all(), ReadOptions::default());
    assert_eq!(all.len(), 200);
    assert!(all.is_sorted_by_key(|event| event.position));
    for pair in all.chunks(2) {
        assert_eq!(pair[0].event.tags, pair[1].event.tags, "a commit's events stand together");
    }
}

pub fn waiting_ends_when_the_position_is_there_or_the_time_is_up(store: &dyn EventStore) {
    let wait =
        |position, ms| store.wait_for(position, Duration::from_millis(ms)).expect("no error");
    assert_eq!(wait(0, 0), Some(0));
    let started = Instant::now();
    assert_eq!(wait(1, 30), None);
    assert!(started.elapsed() >= Duration::from_millis(30));
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| wait(1, 10_000));
        std::thread::sleep(Duration::from_millis(10));
        append(store, &[event("A", &[])]);
        let head = waiting.join().expect("the waiting thread does not panic");
        assert!(head.is_some_and(|head| head >= 1), "{head:?}");
    });
}

pub fn decisions_with_and_without_kept_folds_agree(store: &dyn EventStore) {
    let seen = |query: &Query| {
        let push = |seen: &mut Vec<u64>, event: &EventRef<'_>| seen.push(event.position);
        DecisionProjection::new(Vec::new(), query.clone(), push)
    };
    // Every other event is odd to it.
    let last = |query: &Query| {
        let even = |event: &EventRef<'_>| Some(event.position).filter(|n| n.is_multiple_of(2));
        DecisionProjection::last(0, query.clone(), even)
    };
    let of_k1 = Query::tagged(["A", "B"], &tag("k:1"));
    let of_c = Query::types(["C"]).expect("a good query");
    for batch in [&["A", "B", "C"][..], &["A"], &["C", "C"], &["B", "A", "B"]] {
        let batch: Vec<Event> = batch.iter().map(|t| event(t, &["k:1", "k:2"])).collect();
        append(store, &batch);
        let kept = (seen(&of_k1).named("seen", 1, ""), last(&of_c).named("last", 1, ""));
        let kept = build_decision_model(store, &kept).expect("it can be read");
        let fresh = (seen(&of_k1), last(&of_c));
        let fresh = build_decision_model(store, &fresh).expect("it can be read");
        assert_eq!((kept.state, kept.condition), (fresh.state, fresh.condition));
    }
}

pub fn a_subscription_yields_every_event_once_in_order_as_it_comes(store: &dyn EventStore) {
    append(store, &[event("Wanted", &["k:1"]), event("Other", &[])]);
    let wanted = Query::tagged(["Wanted"], &tag("k:1"));
    let told = std::thread::scope(|scope| {
        let subscriber = scope.spawn(|| {
            let events = Subscription::new(store, wanted.clone(), 0).take(1 + 4 * 20);
            events.map(|event| event.expect("it can be read").position).collect::<Vec<u64>>()
        });
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..20 {
                    append(store, &[event("Other", &["k:1"]), event("Wanted", &["k:1"])]);
                }
            });
        }
        subscriber.join().expect("the subscriber does not panic")
    });
    assert_eq!(told, positions(store, &wanted, ReadOptions::default()));
}

pub fn a_subscription_waits_no_longer_than_told_and_ends_when_cancelled(store: &dyn EventStore) {
    append(store, &[event("A", &[]), event("B", &[])]);
    let cancel = Cancel::default();
    let of_a = Query::types(["A"]).expect("a good query");
    let mut subscription = Subscription::new(store, of_a, 0).until(&cancel);
    let mut within = |ms| subscription.next_within(Duration::from_millis(ms)).expect("no error");
    assert!(within(0).is_some(), "what is there needs no waiting");
    let started = Instant::now();
    assert!(within(30).is_none());
    assert!(started.elapsed() >= Duration::from_millis(30));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(10));
            cancel.cancel();
        });
        assert!(subscription.next().is_none(), "it ends while it waits");
    });
    append(store, &[event("A", &[])]);
    assert!(subscription.next().is_none(), "it has ended for good");
}

/// Two sales, between them something else, and a tag for the sales.
fn sales_with_added_tags(store: &dyn Maintenance) -> (Vec<u64>, u64) {
    let events = [event("Sold", &["n:1"]), event("Opened", &["n:1"]), event("Sold", &["n:2"])];
    let positions = append(store, &events);
    let added = store.add_tags("Sold", &mut |event| {
        let number = event.tags.value_of("n").unwrap_or_default();
        vec![tag("n:1"), tag(&format!("sale:{number}")), tag("kind:sale"), tag("kind:sale")]
    });
    let TagsAdded { events, tags, position } = added.expect("tags can be added");
    assert_eq!((events, tags), (2, 5), "those that an event has already are left out");
    (positions, position.expect("there was something to add"))
}

pub fn added_tags_are_read_queried_counted_and_conflict(store: &dyn Maintenance) {
    let (at, _) = sales_with_added_tags(store);
    let tags_of = |position| {
        let event = read(store, &Query::all(), ReadOptions::from(position).limit(1)).remove(0);
        event.event.tags.iter().map(|tag| tag.as_str().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(tags_of(at[0]), ["n:1", "sale:1", "kind:sale"], "behind its own");
    assert_eq!(tags_of(at[1]), ["n:1"]);
    assert_eq!(tags_of(at[2]), ["n:2", "n:1", "sale:2", "kind:sale"]);

    let of = |types: &[&str], tags: &[&str]| Query::from(item(types, tags));
    for (query, expected) in [
        (of(&[], &["kind:sale"]), &[at[0], at[2]][..]),
        (of(&["Sold"], &["kind:sale", "sale:2"]), &[at[2]]),
        (of(&[], &["n:1"]), &[at[0], at[1], at[2]]),
        (of(&[], &["n:2", "kind:sale"]), &[at[2]]),
        (of(&["Opened"], &["kind:sale"]), &[]),
        (of(&[], &["sale:3"]), &[]),
        (of(&["Opened"], &[]).or(of(&[], &["sale:2"])), &[at[1], at[2]]),
    ] {
        assert_eq!(positions(store, &query, ReadOptions::default()), expected, "{query:?}");
        let backwards: Vec<u64> = expected.iter().rev().copied().collect();
        assert_eq!(positions(store, &query, ReadOptions::backwards()), backwards, "{query:?}");
        let first = ReadOptions::default().limit(1);
        assert_eq!(positions(store, &query, first), expected[..expected.len().min(1)]);
        assert_eq!(store.count(&query).expect("it counts"), expected.len() as u64);
        assert_eq!(store.exists(&query).expect("it looks"), !expected.is_empty());
        let refused = store.append(&[event("A", &[])], Some(&fail_if(query.clone(), None)));
        match expected.first() {
            Some(first) => assert_conflict(refused, *first),
            None => drop(refused.expect("nothing matches")),
        }
    }
    // What comes later is found beside what was found before.
    let later = append(store, &[event("Sold", &["kind:sale"])]);
    let query = of(&[], &["kind:sale"]);
    assert_eq!(positions(store, &query, ReadOptions::default()), [at[0], at[2], later[0]]);
    assert_eq!(positions(store, &query, ReadOptions::from(at[1])), [at[2], later[0]]);
}

fn assert_conflict(refused: Result<Vec<u64>, StoreError>, expected: u64) {
    match refused {
        Err(StoreError::ConditionFailed { conflict }) => assert_eq!(conflict, expected),
        other => panic!("{other:?}"),
    }
}

pub fn adding_tags_again_adds_nothing(store: &dyn Maintenance) {
    sales_with_added_tags(store);
    let (head, epoch) = (store.head().expect("a head"), store.tag_epoch());
    for (event_type, events) in [("Sold", 2), ("Closed", 0)] {
        let again = store.add_tags(event_type, &mut |_| vec![tag("kind:sale")]);
        let nothing = TagsAdded { events, tags: 0, position: None };
        assert_eq!(again.expect("nothing is no error"), nothing);
    }
    assert_eq!((store.head().expect("a head"), store.tag_epoch()), (head, epoch));
    let more = store.add_tags("Opened", &mut |_| vec![tag("kind:shift")]).expect("tags are added");
    assert_eq!((more.tags, store.tag_epoch()), (1, epoch + 1));
    let kinds = |kind| store.count(&Query::tags([tag(kind)]).expect("a query")).expect("it counts");
    assert_eq!((kinds("kind:sale"), kinds("kind:shift")), (2, 1));
}

pub fn adding_tags_takes_a_position_at_which_nothing_is_read(store: &dyn Maintenance) {
    assert_eq!(store.tag_epoch(), 0);
    let (at, tags_at) = sales_with_added_tags(store);
    assert_eq!(store.tag_epoch(), 1);
    assert!(tags_at > at[2]);
    assert_eq!(store.head().expect("a head"), tags_at);
    assert_eq!(positions(store, &Query::all(), ReadOptions::default()), at);
    assert_eq!(positions(store, &Query::all(), ReadOptions::backwards().limit(1)), [at[2]]);
    assert_eq!(positions(store, &Query::all(), ReadOptions::from(tags_at)), NOTHING);
    assert_eq!(store.count(&Query::all()).expect("it counts"), 3);
    let query = Query::types([TAGS_ADDED]).expect("a query");
    assert_eq!(positions(store, &query, ReadOptions::default()), NOTHING);
    let unless_any = fail_if(Query::all(), tags_at);
    let next = store.append(&[event("A", &[])], Some(&unless_any)).expect("nothing came since");
    assert!(next[0] > tags_at);
}

pub fn a_condition_from_before_tags_were_added_fails(store: &dyn Maintenance) {
    let before = append(store, &[event("Before", &[])])[0];
    // It asks for what nobody has yet, so only the added tags can make it fail.
    let by_tag = Query::tags([tag("sale:1")]).expect("a query");
    let by_type = Query::types(["Closed"]).expect("a query");
    let (_, tags_at) = sales_with_added_tags(store);
    for query in [&by_tag, &by_type] {
        let stale = store.append(&[event("A", &[])], Some(&fail_if(query.clone(), before)));
        let first_match = store
            .read(query, ReadOptions::from(before + 1).limit(1))
            .expect("a read starts")
            .next()
            .map(|event| event.expect("it can be read").position);
        assert_conflict(stale, first_match.unwrap_or(tags_at));
        let fresh = fail_if(query.clone(), store.head().expect("a head"));
        store.append(&[event("A", &[])], Some(&fresh)).expect("decided again it goes through");
    }
    store
        .append(&[event("A", &[])], Some(&fail_if(by_type, None)))
        .expect("it asks for all history");
}

pub fn the_reserved_type_cannot_be_appended(store: &dyn Maintenance) {
    let refused = store.append(&[event("A", &[]), event(TAGS_ADDED, &[])], None);
    let expected = InvalidAppend::ReservedType { index: 1 };
    assert!(matches!(refused, Err(StoreError::Invalid(why)) if why == expected));
    assert_eq!(store.head().expect("a head"), 0);
}
