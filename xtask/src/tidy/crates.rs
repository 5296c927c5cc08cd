//! Rules about crates: which may depend on which, and why each library is there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use anyhow::{Context, Result};
use cargo_metadata::{DependencyKind, Package};

use crate::workspace::root;

/// Which crates of ours each crate may use. Dependencies go one way, from what people see down to the formats.
const DIRECTION: &[(&str, &[&str])] = &[
    ("sendense-types", &[]),
    ("sendense-disk", &[]),
    ("sendense-words", &[]),
    ("sendense-core", &["sendense-types", "sendense-words"]),
    ("sendense-engine", &["sendense-types", "sendense-disk"]),
    (
        "sendense-hub",
        &["sendense-types", "sendense-disk", "sendense-engine"],
    ),
    (
        "sendense",
        &[
            "sendense-types",
            "sendense-words",
            "sendense-core",
            "sendense-hub",
        ],
    ),
    (
        "sendense-desktop",
        &[
            "sendense-types",
            "sendense-words",
            "sendense-core",
            "sendense-hub",
            "sendense-fixtures",
        ],
    ),
    ("sendense-ui", &["sendense-types", "sendense-words"]),
    ("sendense-fixtures", &[]),
    (
        "sendense-tests",
        &[
            "sendense-types",
            "sendense-core",
            "sendense-disk",
            "sendense-hub",
            "sendense-fixtures",
        ],
    ),
    ("sendense-fuzz", &["sendense-disk"]),
    ("xtask", &["sendense-fixtures"]),
    ("xtask-bindgen", &[]),
];

/// What the tests of any crate may use besides: it depends on nothing of ours.
const FOR_TESTS: &[&str] = &["sendense-fixtures"];

/// Libraries a crate must stay free of: disk is synchronous and knows no network, types build for the browser, the window asks the shell only.
const NEVER: &[(&str, &[&str])] = &[
    (
        "sendense-disk",
        &["tokio", "futures", "reqwest", "axum", "hyper", "http"],
    ),
    ("sendense-types", &["tokio", "reqwest", "axum", "rusqlite"]),
    ("sendense-words", &["tokio", "reqwest", "serde"]),
    ("sendense-engine", &["axum", "hyper", "tower", "http"]),
    ("sendense-hub", &["rusqlite", "imago"]),
    ("sendense-core", &["axum", "rusqlite", "imago", "tauri"]),
    ("sendense-ui", &["tokio", "reqwest", "tauri"]),
];

/// Checks all crates, adding to `findings`.
pub(super) fn check(packages: &[Package], findings: &mut Vec<String>) -> Result<()> {
    let ours: BTreeSet<&str> = packages
        .iter()
        .map(|package| package.name.as_str())
        .collect();
    let readme = fs::read_to_string(root().join("README.md")).context("cannot read README.md")?;
    minimum_rust(packages, &readme, findings);
    let mut users: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for package in packages {
        let name = package.name.as_str();
        let Some((_, allowed)) = DIRECTION.iter().find(|(known, _)| *known == name) else {
            findings.push(format!(
                "{name}: which crates may it use? Say so in xtask/src/tidy/crates.rs"
            ));
            continue;
        };
        let never = NEVER
            .iter()
            .find(|(known, _)| *known == name)
            .map_or(&[][..], |(_, never)| never);
        for dependency in &package.dependencies {
            let used = dependency.name.as_str();
            if ours.contains(used) {
                let is_for_tests =
                    dependency.kind == DependencyKind::Development && FOR_TESTS.contains(&used);
                if !allowed.contains(&used) && !is_for_tests {
                    findings.push(format!("{name} must not depend on {used}"));
                }
            } else {
                users.entry(used).or_default().insert(name);
            }
            if never.contains(&used) && dependency.kind != DependencyKind::Development {
                findings.push(format!("{name} must stay free of {used}"));
            }
        }
    }
    documented(&users, findings)
}

/// The README names the oldest Rust that the workspace builds with, which is the same for all of it.
fn minimum_rust(packages: &[Package], readme: &str, findings: &mut Vec<String>) {
    let versions: BTreeSet<_> = packages
        .iter()
        .map(|package| package.rust_version.as_ref())
        .collect();
    match versions.into_iter().collect::<Vec<_>>().as_slice() {
        [Some(version)] => {
            let words = format!("Rust {}.{} or newer", version.major, version.minor);
            if !readme.contains(&words) {
                findings.push(format!(
                    "README.md: does not say \"{words}\", as Cargo.toml does by rust-version"
                ));
            }
        }
        _ => findings.push("the crates differ in rust-version, or lack it".to_owned()),
    }
}

/// Every library has a row in docs/dependencies.md that says why, and every row has a library.
fn documented(users: &BTreeMap<&str, BTreeSet<&str>>, findings: &mut Vec<String>) -> Result<()> {
    let path = root().join("docs/dependencies.md");
    let table = fs::read_to_string(&path).context("cannot read docs/dependencies.md")?;
    let rows: Vec<&str> = table.lines().filter_map(first_cell).collect();
    let known: BTreeSet<&str> = rows.iter().copied().collect();
    for (name, users) in users {
        if !known.contains(name) {
            let users: Vec<&str> = users.iter().copied().collect();
            findings.push(format!(
                "docs/dependencies.md: why do {} need {name}?",
                users.join(", ")
            ));
        }
    }
    for name in &known {
        if !users.contains_key(*name) {
            findings.push(format!("docs/dependencies.md: nothing uses {name}"));
        }
    }
    if !rows.is_sorted() {
        findings.push("docs/dependencies.md: the rows are not in alphabetical order".to_owned());
    }
    if rows.len() != known.len() {
        findings.push("docs/dependencies.md: a crate has two rows".to_owned());
    }
    Ok(())
}

/// The crate's name in a row of the table; nothing for its head and for other lines.
fn first_cell(line: &str) -> Option<&str> {
    let cell = line
        .strip_prefix('|')?
        .split('|')
        .next()?
        .trim()
        .trim_matches('`');
    let is_crate = cell
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    (is_crate && cell != "crate" && cell.contains(|c: char| c.is_ascii_alphanumeric()))
        .then_some(cell)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_rows_of_crates_count() {
        assert_eq!(first_cell("| `axum` | hub | REST |"), Some("axum"));
        assert_eq!(
            first_cell("| tokio-util | core | streams |"),
            Some("tokio-util")
        );
        assert_eq!(first_cell("| crate | used by | why |"), None);
        assert_eq!(first_cell("| --- | --- | --- |"), None);
        assert_eq!(first_cell("Some text | with a bar"), None);
    }

    #[test]
    fn the_readme_names_the_oldest_rust() {
        let package = |version: &str| {
            serde_json::from_value::<Package>(serde_json::json!({
                "name": "shop", "version": "1.0.0", "id": "shop", "dependencies": [], "targets": [],
                "features": {}, "manifest_path": "/shop/Cargo.toml", "rust_version": version,
            }))
            .expect("cargo writes this")
        };
        let findings = |versions: &[&str], readme: &str| {
            let packages: Vec<Package> = versions.iter().map(|version| package(version)).collect();
            let mut findings = Vec::new();
            minimum_rust(&packages, readme, &mut findings);
            findings
        };
        let readme = "You need Rust 1.95 or newer.";
        assert_eq!(findings(&["1.95.0", "1.95.0"], readme), [""; 0]);
        assert!(findings(&["1.96.0"], readme)[0].starts_with("README.md"));
        assert!(findings(&["1.95.0", "1.96.0"], readme)[0].contains("differ"));
    }
}
