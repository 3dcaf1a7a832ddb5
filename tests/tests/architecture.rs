//! Dependencies point one way: `{opossum-pos, cli} → till → {pos, dcb-file} → dcb`.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, MetadataCommand};

/// What each crate may build on. A new edge is a decision: make it here, knowingly.
const ALLOWED: [(&str, &[&str]); 8] = [
    ("dcb", &[]),
    ("dcb-file", &["dcb"]),
    ("pos", &["dcb"]),
    ("till", &["dcb", "pos"]),
    ("cli", &["dcb", "dcb-file", "pos", "till"]),
    ("bench", &["dcb", "dcb-file"]),
    ("opossum-pos", &["dcb", "dcb-file", "pos", "till"]),
    ("tests", &["dcb", "dcb-file", "pos", "till"]),
];

#[test]
fn crates_depend_only_on_those_below_them() {
    let metadata = MetadataCommand::new().no_deps().exec().unwrap();
    let members: BTreeSet<String> =
        metadata.packages.iter().map(|package| package.name.to_string()).collect();
    let allowed: BTreeMap<&str, &[&str]> = ALLOWED.into_iter().collect();
    assert_eq!(members, allowed.keys().map(|name| (*name).to_owned()).collect());
    for package in &metadata.packages {
        let own = package.dependencies.iter().filter(|d| d.kind != DependencyKind::Development);
        for dependency in own.filter(|d| members.contains(&d.name)) {
            let allowed = allowed.get(package.name.as_str()).unwrap();
            assert!(
                allowed.contains(&dependency.name.as_str()),
                "{} may not depend on {}",
                package.name,
                dependency.name
            );
        }
    }
}

#[test]
fn the_domain_does_no_io_and_has_no_clock() {
    let metadata = MetadataCommand::new().no_deps().exec().unwrap();
    let pos = metadata.packages.iter().find(|package| package.name.as_str() == "pos").unwrap();
    let mut paths = vec![pos.manifest_path.parent().unwrap().join("src").into_std_path_buf()];
    while let Some(path) = paths.pop() {
        if path.is_dir() {
            paths.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let code = std::fs::read_to_string(&path).unwrap();
        for word in [
            "std::fs",
            "std::net",
            "std::process",
            "Instant",
            "SystemTime",
            "Utc::now",
            "f64",
            "f32",
        ] {
            assert!(!code.contains(word), "{}: {word}", path.display());
        }
    }
}
