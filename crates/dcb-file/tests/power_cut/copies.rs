//! Copies of a store that the power, or a full disk, cuts short: they never pass for whole.

use std::io::ErrorKind;
use std::sync::Arc;

use dcb::StoreError;
use dcb_file::opossum::{ImportError, Layout, export, import};
use dcb_file::{FileStore, backup, delete_store, restore, verify};

use crate::disk::{Fault, PowerDisk};
use crate::{DIR, commits, options, workload};

const COPY: &str = "/backup";
const RESTORED: &str = "/restored";
const OPOSSUM: &str = "/opossum";
const IMPORTED: &str = "/imported";

/// A disk with a store of ten commits, closed.
fn disk_with_a_store() -> PowerDisk {
    let disk = PowerDisk::default();
    assert_eq!(workload(&disk, true).acknowledged.len(), 10);
    disk.after_kill()
}

/// Backs the store up and restores the backup.
fn copy_twice(disk: &PowerDisk) -> Result<(), StoreError> {
    backup(DIR, COPY, &options(disk, true))?;
    restore(COPY, RESTORED, &options(disk, true))?;
    Ok(())
}

fn operations_of_copying() -> u64 {
    let disk = disk_with_a_store();
    copy_twice(&disk).unwrap();
    disk.operations()
}

/// Every folder that looks like a store is one, with everything in it.
fn check(disk: &PowerDisk, done: bool, case: &str) {
    for path in [DIR, COPY, RESTORED] {
        match verify(path, Arc::new(disk.clone())) {
            Err(StoreError::NotAStore(_)) if path != DIR && !done => {}
            Err(error) => panic!("{case}: {path}: {error}"),
            Ok(report) => {
                assert!(report.damage.is_empty() && report.torn.is_none(), "{case}: {report:?}");
                assert_eq!(report.commits, 10, "{case}: {path}");
                let store = FileStore::open(path, options(disk, true)).unwrap();
                assert_eq!(commits(&store).len(), 10, "{case}: {path}");
            }
        }
    }
}

#[test]
fn a_power_cut_at_any_operation_of_a_backup_leaves_a_whole_one_or_none() {
    for cut in 0..=operations_of_copying() {
        for round in 0..3 {
            let disk = disk_with_a_store();
            disk.cut_after(cut);
            let done = copy_twice(&disk).is_ok();
            let mut random = fastrand::Rng::with_seed(cut * 1_000 + round);
            let case = format!("power cut after operation {cut}, round {round}");
            check(&disk.after_power_cut(&mut random), done, &case);
            check(&disk.after_kill(), done, &case);
        }
    }
}

#[test]
fn a_backup_that_a_refusing_disk_stops_leaves_nothing_and_can_be_made_again() {
    for kind in [ErrorKind::StorageFull, ErrorKind::Other] {
        for at in 1..=operations_of_copying() {
            let disk = disk_with_a_store();
            disk.fail(Fault { at, lasting: false, kind });
            let done = copy_twice(&disk).is_ok();
            let case = format!("{kind:?} at operation {at}");
            check(&disk, done, &case);
            for path in [COPY, RESTORED] {
                if verify(path, Arc::new(disk.clone())).is_ok() {
                    delete_store(path, &options(&disk, true)).unwrap();
                }
            }
            copy_twice(&disk).unwrap_or_else(|error| panic!("{case}: {error}"));
            check(&disk, true, &case);
        }
    }
}

/// A disk with the store, and its events as Opossum keeps them.
fn disk_with_an_export() -> PowerDisk {
    let disk = disk_with_a_store();
    export(DIR, OPOSSUM, Layout::Js, false, &options(&disk, true)).unwrap();
    disk.after_kill()
}

fn import_it(disk: &PowerDisk) -> Result<(), ImportError> {
    import(OPOSSUM, IMPORTED, false, &options(disk, true)).map(drop)
}

fn operations_of_an_import() -> u64 {
    let disk = disk_with_an_export();
    import_it(&disk).unwrap();
    disk.operations()
}

/// The imported store is whole, or there is none.
fn check_import(disk: &PowerDisk, done: bool, case: &str) {
    match FileStore::open(IMPORTED, options(disk, true)) {
        Err(StoreError::NotAStore(_)) if !done => {}
        Err(error) => panic!("{case}: {error}"),
        Ok(store) => {
            assert!(store.damage().is_empty() && store.recovery().is_none(), "{case}");
            assert_eq!(commits(&store).len(), 10, "{case}");
        }
    }
}

#[test]
fn an_unflushed_import_is_durable_when_it_is_done_and_not_there_before() {
    for cut in 0..=operations_of_an_import() {
        for round in 0..5 {
            let disk = disk_with_an_export();
            disk.cut_after(cut);
            let done = import_it(&disk).is_ok();
            let mut random = fastrand::Rng::with_seed(cut * 1_000 + round);
            let case = format!("power cut after operation {cut}, round {round}");
            check_import(&disk.after_power_cut(&mut random), done, &case);
            check_import(&disk.after_kill(), done, &case);
        }
    }
}

#[test]
fn an_import_that_a_refusing_disk_stops_can_be_made_again() {
    for kind in [ErrorKind::StorageFull, ErrorKind::Other] {
        for at in 1..=operations_of_an_import() {
            let disk = disk_with_an_export();
            disk.fail(Fault { at, lasting: false, kind });
            let done = import_it(&disk).is_ok();
            let case = format!("{kind:?} at operation {at}");
            check_import(&disk, done, &case);
            if FileStore::open(IMPORTED, options(&disk, true)).is_err() {
                import_it(&disk).unwrap_or_else(|error| panic!("{case}: {error}"));
            }
            check_import(&disk, true, &case);
        }
    }
}

#[test]
fn an_export_that_a_power_cut_stops_is_there_whole_or_not_at_all() {
    let operations = |disk: &PowerDisk| {
        let _ = export(DIR, OPOSSUM, Layout::Js, false, &options(disk, true));
        disk.operations()
    };
    for cut in 0..=operations(&disk_with_a_store()) {
        let disk = disk_with_a_store();
        disk.cut_after(cut);
        operations(&disk);
        let after = disk.after_power_cut(&mut fastrand::Rng::with_seed(cut));
        match import_it(&after) {
            Err(ImportError::Store(StoreError::NotAStore(_))) => {}
            Err(error) => panic!("power cut after operation {cut}: {error}"),
            Ok(()) => check_import(&after, true, &format!("power cut after operation {cut}")),
        }
    }
}
