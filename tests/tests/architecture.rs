//! Dependencies point one way: `{opossum-pos, cli} → till → {pos, dcb-file} → dcb`.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

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

/// The code of the domain: each file and what it says.
fn domain() -> Vec<(PathBuf, String)> {
    let metadata = MetadataCommand::new().no_deps().exec().unwrap();
    let pos = metadata.packages.iter().find(|package| package.name.as_str() == "pos").unwrap();
    let mut paths = vec![pos.manifest_path.parent().unwrap().join("src").into_std_path_buf()];
    let mut files = Vec::new();
    while let Some(path) = paths.pop() {
        if path.is_dir() {
            paths.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let code = std::fs::read_to_string(&path).unwrap();
        files.push((path, code));
    }
    files
}

#[test]
fn the_domain_does_no_io_and_has_no_clock() {
    for (path, code) in domain() {
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

/// Of these nothing is kept: no request comes twice but by mistake, and the history of a sale is
/// short while its state is as large as the sale.
const UNNAMED: [&str; 2] = ["first_event_of", "sale_so_far"];

#[test]
fn what_a_rule_of_the_shop_folds_has_a_name_so_that_the_store_keeps_it() {
    let mut unnamed = BTreeSet::new();
    let mut named = 0;
    for (path, code) in domain() {
        let made = ["DecisionProjection::new(", "DecisionProjection::last("];
        for (start, _) in made.iter().flat_map(|made| code.match_indices(made)) {
            let (before, after) = code.split_at(start);
            let end = ["\n}\n", "\n    }\n"].iter().filter_map(|end| after.find(end)).min();
            if after.get(..end.unwrap()).unwrap().contains(".named(") {
                named += 1;
                continue;
            }
            let (_, function) = before.rsplit_once("fn ").unwrap();
            let (function, _) = function.split_once('(').unwrap();
            assert!(UNNAMED.contains(&function), "{}: {function}", path.display());
            unnamed.insert(function.to_owned());
        }
    }
    assert_eq!(unnamed, UNNAMED.map(str::to_owned).into());
    assert!(named > 20, "they are found: {named}");
}
