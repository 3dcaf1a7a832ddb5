//! What happens when the power goes, the process is killed, or the disk refuses: at every single
//! operation of a small workload, with any part of what was not synced surviving.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail by panicking")]

mod archives;
mod copies;
mod disk;
mod tags;

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use dcb::{
    AppendCondition, DecisionProjection, Event, EventRef, EventStore, Query, ReadOptions,
    StoreError, build_decision_model,
};
use dcb_file::{Disk, FileStore, Options, verify};

use disk::{Fault, PowerDisk};

const DIR: &str = "/store";

fn options(disk: &PowerDisk, flush: bool) -> Options {
    Options {
        flush,
        segment_bytes: 1_500,
        write_protect: true,
        lock_timeout: Duration::from_millis(1),
        disk: Arc::new(disk.clone()),
    }
}

/// What the workload was told.
#[derive(Debug, Default)]
struct Told {
    created: bool,
    /// The numbers of the commits that were acknowledged.
    acknowledged: Vec<u32>,
    /// The commit whose append failed, if one did.
    failed: Option<u32>,
}

/// A commit whose every event names it and says how many there are.
fn commit(number: u32) -> Vec<Event> {
    let count = number % 3 + 1;
    let event = |_| {
        Event::builder("Happened")
            .tag("commit", number.to_string())
            .data(&(count, "x".repeat(usize::try_from(number * 67 % 400).unwrap())))
            .build()
            .unwrap()
    };
    (0..count).map(event).collect()
}

/// Creates a store, appends, closes, opens again and appends on, until the disk refuses.
fn workload(disk: &PowerDisk, flush: bool) -> Told {
    let mut told = Told::default();
    let _ = (|| {
        let mut number = 0;
        for round in 0..2 {
            let store = match round {
                0 => FileStore::create(DIR, options(disk, flush))?,
                _ => FileStore::open(DIR, options(disk, flush))?,
            };
            told.created = true;
            for _ in 0..5 {
                number += 1;
                told.failed = Some(number);
                store.append(&commit(number), None)?;
                told.failed = None;
                told.acknowledged.push(number);
            }
        }
        Ok::<_, StoreError>(())
    })();
    told
}

/// The numbers of the commits in a store, checking that each is whole and in its place.
fn commits(store: &FileStore) -> Vec<u32> {
    let events: Vec<_> = store
        .read(&Query::all(), ReadOptions::default())
        .unwrap()
        .map(|event| event.unwrap())
        .collect();
    let mut numbers = Vec::new();
    let mut rest = &events[..];
    while let Some(first) = rest.first() {
        assert_eq!(first.position, (events.len() - rest.len()) as u64 + 1, "positions have no gap");
        let number: u32 = first.event.tags[0].value().parse().unwrap();
        let whole = commit(number);
        assert!(rest.len() >= whole.len(), "commit {number} is there in part");
        for (got, sent) in rest.iter().zip(&whole) {
            assert_eq!((&got.event.tags, &got.event.data), (&sent.tags, &sent.data));
        }
        numbers.push(number);
        rest = &rest[whole.len()..];
    }
    numbers
}

/// Opens what is left, and checks it against what the workload was told.
fn check(disk: &PowerDisk, told: &Told, flushed: bool, case: &str) {
    let store = match FileStore::open(DIR, options(disk, true)) {
        Ok(store) => store,
        Err(StoreError::NotAStore(_)) if !told.created => return,
        Err(error) => panic!("{case}: the store does not open: {error}"),
    };
    assert!(store.damage().is_empty(), "{case}: {:?}", store.damage());
    let kept = commits(&store);
    let expected: Vec<u32> = (1..=u32::try_from(kept.len()).unwrap()).collect();
    assert_eq!(kept, expected, "{case}: a prefix of the commits, none twice");
    if flushed {
        let fewest = told.acknowledged.len();
        assert!(kept.len() >= fewest, "{case}: {fewest} were acknowledged, {} kept", kept.len());
    }
    assert!(kept.len() <= told.acknowledged.len() + 1, "{case}: only what was appended");
    // The store goes on as if nothing had been.
    let head = store.head().unwrap();
    let next = u32::try_from(kept.len()).unwrap() + 1;
    assert_eq!(store.append(&commit(next), None).unwrap()[0], head + 1, "{case}");
    drop(store);
    let report = verify(DIR, Arc::new(disk.clone())).unwrap();
    assert!(report.damage.is_empty() && report.torn.is_none(), "{case}: {report:?}");
    assert_eq!(report.commits, u64::from(next), "{case}");
    let again = FileStore::open(DIR, options(disk, true)).unwrap();
    assert_eq!(commits(&again).len(), kept.len() + 1, "{case}");
}

fn operations_of_the_workload(flush: bool) -> u64 {
    let disk = PowerDisk::default();
    let told = workload(&disk, flush);
    assert_eq!(told.acknowledged.len(), 10);
    disk.operations()
}

fn cut_at_every_operation(flush: bool, rounds: u64) {
    for cut in 0..=operations_of_the_workload(flush) {
        for round in 0..rounds {
            let disk = PowerDisk::default();
            disk.cut_after(cut);
            let told = workload(&disk, flush);
            let mut random = fastrand::Rng::with_seed(cut * 1_000 + round);
            let case = format!("power cut after operation {cut}, round {round}");
            check(&disk.after_power_cut(&mut random), &told, flush, &case);
        }
    }
}

#[test]
fn a_power_cut_at_any_operation_loses_nothing_acknowledged() {
    cut_at_every_operation(true, 20);
}

#[test]
fn a_power_cut_without_flush_keeps_a_whole_prefix() {
    cut_at_every_operation(false, 20);
}

#[test]
fn a_power_cut_during_recovery_loses_nothing_either() {
    for cut in 0..=operations_of_the_workload(true) {
        let disk = PowerDisk::default();
        disk.cut_after(cut);
        let told = workload(&disk, true);
        let mut random = fastrand::Rng::with_seed(cut);
        let survived = disk.after_power_cut(&mut random);
        for second_cut in 0..40 {
            let disk = survived.after_kill();
            disk.cut_after(second_cut);
            drop(FileStore::open(DIR, options(&disk, true)));
            let case = format!("power cut after operation {cut} and {second_cut} of recovery");
            check(&disk.after_power_cut(&mut random), &told, true, &case);
        }
    }
}

#[test]
fn a_process_killed_at_any_operation_loses_nothing_acknowledged() {
    for flush in [true, false] {
        for cut in 0..=operations_of_the_workload(flush) {
            let disk = PowerDisk::default();
            disk.cut_after(cut);
            let told = workload(&disk, flush);
            check(&disk.after_kill(), &told, true, &format!("killed after operation {cut}"));
        }
    }
}

#[test]
fn what_is_read_and_appended_after_a_kill_outlives_a_power_cut() {
    for flush in [true, false] {
        for cut in 0..=operations_of_the_workload(flush) {
            let disk = PowerDisk::default();
            disk.cut_after(cut);
            let mut told = workload(&disk, flush);
            let disk = disk.after_kill();
            let Ok(store) = FileStore::open_or_create(DIR, options(&disk, true)) else {
                panic!("killed after operation {cut}: the store does not open");
            };
            told.created = true;
            told.acknowledged = commits(&store);
            let appends = cut % 4;
            for _ in 0..appends {
                let next = u32::try_from(told.acknowledged.len()).unwrap() + 1;
                store.append(&commit(next), None).unwrap();
                told.acknowledged.push(next);
            }
            std::mem::forget(store);
            let case = format!("killed after operation {cut}, then a power cut, flush: {flush}");
            for seed in 0..5 {
                let mut random = fastrand::Rng::with_seed(seed);
                // Without a flush nothing was promised before the next append that has one.
                let flushed = flush || appends > 0;
                check(&disk.after_power_cut(&mut random), &told, flushed, &case);
            }
        }
    }
}

#[test]
fn a_refusing_disk_loses_nothing_acknowledged_and_poisons_only_this_process() {
    for kind in [ErrorKind::StorageFull, ErrorKind::Other] {
        for lasting in [false, true] {
            for at in 1..=operations_of_the_workload(true) {
                let disk = PowerDisk::default();
                disk.fail(Fault { at, lasting, kind });
                let told = workload(&disk, true);
                let case = format!("{kind:?} at operation {at}, lasting: {lasting}");
                check(&disk.after_kill(), &told, true, &case);
                let mut random = fastrand::Rng::with_seed(at);
                check(&disk.after_power_cut(&mut random), &told, true, &case);
            }
        }
    }
}

#[test]
fn no_later_sync_is_taken_for_one_that_failed() {
    for flush in [true, false] {
        for at in 1..=operations_of_the_workload(flush) {
            let disk = PowerDisk::default();
            disk.fail(Fault { at, lasting: false, kind: ErrorKind::Other });
            workload(&disk, flush);
            let disk = disk.after_kill();
            let store = FileStore::open_or_create(DIR, options(&disk, true)).unwrap();
            let mut acknowledged = commits(&store);
            let next = u32::try_from(acknowledged.len()).unwrap() + 1;
            store.append(&commit(next), None).unwrap();
            acknowledged.push(next);
            std::mem::forget(store);
            let told = Told { created: true, acknowledged, failed: None };
            for seed in 0..5 {
                let mut random = fastrand::Rng::with_seed(seed);
                let case = format!("an error at operation {at}, then a power cut, flush: {flush}");
                check(&disk.after_power_cut(&mut random), &told, true, &case);
            }
        }
    }
}

#[test]
fn a_store_whose_write_failed_refuses_writes_forgets_kept_folds_and_reads_on() {
    let everything = || {
        let count = |n: &mut u64, _: &EventRef<'_>| *n += 1;
        DecisionProjection::new(0, Query::all(), count).named("everything", 1, "")
    };
    let events_read =
        |store: &FileStore| build_decision_model(store, &everything()).unwrap().events_read;
    let mut poisoned = 0;
    for after in 1..10 {
        let disk = PowerDisk::default();
        let one_segment = Options { segment_bytes: 100_000, ..options(&disk, true) };
        let store = FileStore::create(DIR, one_segment).unwrap();
        store.append(&commit(1), None).unwrap();
        let first_read = events_read(&store);
        assert!(first_read > 0 && events_read(&store) == 0);
        let at = disk.operations() + after;
        disk.fail(Fault { at, lasting: false, kind: ErrorKind::Other });
        let _ = store.append(&commit(2), None);
        // Only if it was the write or the sync that failed does the store refuse the next one.
        let Err(StoreError::ReadOnly { reason }) = store.append(&commit(2), None) else { continue };
        poisoned += 1;
        assert!(reason.contains("opened again"), "{reason}");
        assert_eq!((commits(&store), events_read(&store)), (vec![1], first_read));
        let again = FileStore::open(DIR, options(&disk, true)).unwrap();
        let next = u32::try_from(commits(&again).len()).unwrap() + 1;
        again.append(&commit(next), None).unwrap();
        let head = again.head().unwrap();
        assert_eq!(store.head().unwrap(), head, "the poisoned process still follows the others");
    }
    assert_eq!(poisoned, 2, "the write and the sync");
}

#[test]
fn a_read_error_while_following_another_writer_doubles_no_event() {
    let disk = PowerDisk::default();
    let large = Options { segment_bytes: 10_000_000, ..options(&disk, true) };
    let writer = FileStore::create(DIR, large.clone()).unwrap();
    for after in 1..6 {
        let reader = FileStore::open(DIR, large.clone()).unwrap();
        // Larger than what is read at once, so that an error can come in the middle of it.
        let event = |_| Event::builder("Large").data(&"x".repeat(100_000)).build().unwrap();
        writer.append(&(0..5).map(event).collect::<Vec<_>>(), None).unwrap();
        let at = disk.operations() + after;
        disk.fail(Fault { at, lasting: false, kind: ErrorKind::Other });
        let _ = reader.head();
        disk.fail(Fault { at: 0, lasting: false, kind: ErrorKind::Other });
        let events = reader.read(&Query::all(), ReadOptions::default()).unwrap();
        let positions: Vec<u64> = events.map(|event| event.unwrap().position).collect();
        assert_eq!(positions, (1..=5 * after).collect::<Vec<_>>());
    }
}

#[test]
fn a_segment_that_was_made_and_not_written_is_seen_by_all_other_writers() {
    let unless_there = |number: u32| {
        let query = Query::tags([format!("commit:{number}").parse().unwrap()]).unwrap();
        Some(AppendCondition { fail_if_events_match: query, after: None })
    };
    let mut made = 0;
    for (after, is_dead) in (1..30).flat_map(|after| [(after, false), (after, true)]) {
        let disk = PowerDisk::default();
        let mut others = vec![FileStore::create(DIR, options(&disk, true)).unwrap()];
        others[0].append(&commit(3), None).unwrap();
        others.extend((0..3).map(|_| FileStore::open(DIR, options(&disk, true)).unwrap()));
        let store = others.pop().unwrap();
        // Too large for the first segment, so that it needs a second one.
        let large = [commit(5), commit(5)].concat();
        disk.fail(Fault { at: disk.operations() + after, lasting: false, kind: ErrorKind::Other });
        let is_kept = store.append(&large, None).is_ok();
        let mut numbers = vec![3];
        made += u32::from(disk.list(Path::new("/store/events")).unwrap().len() > 1);
        let rival = if is_dead { None } else { Some(&store) };
        // The first of them makes whole what was left, and does not write; the others know of it
        // only what the watermark tells, and small commits would fit into the first segment.
        let refused = others[0].append(&commit(3), unless_there(3).as_ref()).unwrap_err();
        assert!(matches!(refused, StoreError::ConditionFailed { .. }), "{after}: {refused}");
        for (store, number) in others[1..].iter().chain(rival).zip([6, 9, 12]) {
            match store.append(&commit(number), None) {
                Ok(_) => numbers.push(number),
                Err(StoreError::ReadOnly { .. }) if rival.is_some() => {}
                Err(error) => panic!("after {after} operations: {error}"),
            }
        }
        let report = verify(DIR, Arc::new(disk.clone())).unwrap();
        assert!(report.damage.is_empty() && report.torn.is_none(), "{after}: {report:?}");
        let again = FileStore::open(DIR, options(&disk, true)).unwrap();
        let (large, others): (Vec<u32>, Vec<u32>) = commits(&again).iter().partition(|n| **n == 5);
        assert!(
            others == numbers && (!is_kept || large.len() == 2),
            "{after}: {large:?}, {others:?}"
        );
    }
    assert!(made > 10, "it was made {made} times");
}

#[test]
fn an_import_that_fills_the_disk_does_not_make_later_damage_look_torn() {
    let large = |disk: &PowerDisk, flush| Options { segment_bytes: 10_000, ..options(disk, flush) };
    // It fails once the ledger says that unsynced events may follow.
    let filled = (1..60).find_map(|after| {
        let disk = PowerDisk::default();
        let store = FileStore::create(DIR, large(&disk, false)).unwrap();
        let at = disk.operations() + after;
        disk.fail(Fault { at, lasting: false, kind: ErrorKind::StorageFull });
        let full = store.append(&commit(1), None).err()?;
        full.to_string().contains("making room").then_some((disk, store))
    });
    let (disk, store) = filled.expect("the ledger says so");
    let flushing = FileStore::open(DIR, large(&disk, true)).unwrap();
    for number in 1..=4 {
        flushing.append(&commit(number), None).unwrap();
    }
    std::mem::forget((store, flushing));
    let after = disk.after_power_cut(&mut fastrand::Rng::with_seed(1));
    after.flip_a_bit_of("/store/events/0000000001.jsonl", 700);
    let report = verify(DIR, Arc::new(after)).unwrap();
    assert!(report.torn.is_none() && !report.damage.is_empty(), "{report:?}");
}
