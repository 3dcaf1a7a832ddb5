//! An archiving that the power, a kill or a full disk cuts short: every event stays, in one form or
//! the other.

use std::io::ErrorKind;
use std::sync::Arc;

use dcb_file::{FileStore, archive, verify};

use crate::disk::{Fault, PowerDisk};
use crate::{DIR, commits, options, workload};

/// A disk with a closed store of ten commits in several segments.
fn disk_with_a_store() -> PowerDisk {
    let disk = PowerDisk::default();
    assert_eq!(workload(&disk, true).acknowledged.len(), 10);
    disk.after_kill()
}

fn operations_of_archiving() -> u64 {
    let disk = disk_with_a_store();
    assert!(archive(DIR, &options(&disk, true)).unwrap().segments > 1);
    disk.operations()
}

fn check(disk: &PowerDisk, case: &str) {
    let report = verify(DIR, Arc::new(disk.clone())).unwrap();
    assert!(report.damage.is_empty() && report.torn.is_none(), "{case}: {report:?}");
    assert_eq!(report.commits, 10, "{case}");
    archive(DIR, &options(disk, true)).unwrap();
    let store = FileStore::open(DIR, options(disk, true)).unwrap();
    assert_eq!(commits(&store), (1..=10).collect::<Vec<_>>(), "{case}");
    let stats = store.stats().unwrap();
    assert_eq!(stats.archived, stats.segments - 1, "{case}: the next archiving ends it");
}

#[test]
fn a_power_cut_at_any_operation_of_archiving_costs_no_event() {
    for cut in 0..=operations_of_archiving() {
        let disk = disk_with_a_store();
        disk.cut_after(cut);
        let _ = archive(DIR, &options(&disk, true));
        check(&disk.after_kill(), &format!("killed after operation {cut}"));
        for seed in 0..5 {
            let mut random = fastrand::Rng::with_seed(cut * 1_000 + seed);
            let case = format!("power cut after operation {cut}, round {seed}");
            check(&disk.after_power_cut(&mut random), &case);
        }
    }
}

#[test]
fn a_refusing_disk_costs_no_event_when_archiving() {
    for kind in [ErrorKind::StorageFull, ErrorKind::Other] {
        for at in 1..=operations_of_archiving() {
            let disk = disk_with_a_store();
            disk.fail(Fault { at, lasting: false, kind });
            let _ = archive(DIR, &options(&disk, true));
            check(&disk.after_kill(), &format!("{kind:?} at operation {at}"));
        }
    }
}
