//! Tags that are added to past events while the power goes or the disk refuses: all of a call or none.

use std::io::ErrorKind;
use std::sync::Arc;

use dcb::{EventStore, Maintenance, Query, ReadOptions, StoreError, Tag};
use dcb_file::{FileStore, verify};

use crate::disk::{Fault, PowerDisk};
use crate::{DIR, commit, options};

/// Appends and adds a tag to everything, three times, until the disk refuses. Returns how many
/// appends, and how many calls that add tags, were acknowledged.
fn workload(disk: &PowerDisk) -> (u32, u32) {
    let (mut appended, mut added) = (0, 0);
    let _ = (|| {
        let store = FileStore::create(DIR, options(disk, true))?;
        for round in 1..=3 {
            for _ in 0..3 {
                store.append(&commit(appended + 1), None)?;
                appended += 1;
            }
            store.add_tags("Happened", &mut |_| vec![tag(round)])?;
            added += 1;
        }
        Ok::<_, StoreError>(())
    })();
    (appended, added)
}

fn tag(round: u32) -> Tag {
    Tag::new("round", round.to_string()).unwrap()
}

/// Opens what is left and checks it against what the workload was told.
fn check(disk: &PowerDisk, (appended, added): (u32, u32), case: &str) {
    let store = match FileStore::open(DIR, options(disk, true)) {
        Ok(store) => store,
        Err(StoreError::NotAStore(_)) if appended == 0 => return,
        Err(error) => panic!("{case}: {error}"),
    };
    assert!(store.damage().is_empty(), "{case}: {:?}", store.damage());
    let events = store.read(&Query::all(), ReadOptions::default()).unwrap();
    let events: Vec<_> = events.map(Result::unwrap).collect();
    let commits = events.last().map_or(0, |event| event.event.tags[0].value().parse().unwrap());
    let epoch = u32::try_from(store.tag_epoch()).unwrap();
    assert!((appended..=appended + 1).contains(&commits), "{case}: {commits} of {appended}");
    assert!((added..=added + 1).contains(&epoch), "{case}: {epoch} of {added}");
    for round in 1..=3 {
        let tagged = events.iter().filter(|event| event.event.tags.contains(&tag(round))).count();
        let whole: usize = (1..=3 * round).map(|number| commit(number).len()).sum();
        let expected = if round <= epoch { whole } else { 0 };
        assert_eq!(tagged, expected, "{case}: round {round}");
        let query = Query::tags([tag(round)]).unwrap();
        assert_eq!(store.count(&query).unwrap(), expected as u64, "{case}: round {round}");
    }
    let again = store.add_tags("Happened", &mut |_| vec![tag(9)]).unwrap();
    assert_eq!((again.events, again.tags), (events.len() as u64, events.len() as u64), "{case}");
    drop(store);
    let report = verify(DIR, Arc::new(disk.clone())).unwrap();
    assert!(report.damage.is_empty() && report.torn.is_none(), "{case}: {report:?}");
}

fn operations_of_the_workload() -> u64 {
    let disk = PowerDisk::default();
    assert_eq!(workload(&disk), (9, 3));
    disk.operations()
}

#[test]
fn a_power_cut_adds_all_tags_of_a_call_or_none() {
    for cut in 0..=operations_of_the_workload() {
        for round in 0..5 {
            let disk = PowerDisk::default();
            disk.cut_after(cut);
            let told = workload(&disk);
            let mut random = fastrand::Rng::with_seed(cut * 1_000 + round);
            let case = format!("power cut after operation {cut}, round {round}");
            check(&disk.after_power_cut(&mut random), told, &case);
            check(&disk.after_kill(), told, &format!("killed after operation {cut}"));
        }
    }
}

#[test]
fn a_refusing_disk_adds_all_tags_of_a_call_or_none() {
    for kind in [ErrorKind::StorageFull, ErrorKind::Other] {
        for at in 1..=operations_of_the_workload() {
            let disk = PowerDisk::default();
            disk.fail(Fault { at, lasting: true, kind });
            let told = workload(&disk);
            check(&disk.after_kill(), told, &format!("{kind:?} from operation {at} on"));
        }
    }
}
