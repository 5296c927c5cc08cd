//! Rules about crates: who may depend on whom, and why each library is there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use anyhow::{Context, Result};
use cargo_metadata::{DependencyKind, Package};

use super::modules::Sources;
use crate::workspace::root;

/// Which crates of ours each crate may use. Dependencies go one way, from what people see down to the formats.
const DIRECTION: &[(&str, &[&str])] = &[
    ("sendense-types", &[]),
    ("sendense-disk", &[]),
    ("sendense-core", &["sendense-types"]),
    ("sendense-engine", &["sendense-types", "sendense-disk"]),
    ("sendense-hub", &["sendense-disk", "sendense-engine"]),
    (
        "sendense",
        &["sendense-types", "sendense-core", "sendense-hub"],
    ),
    (
        "sendense-desktop",
        &[
            "sendense-types",
            "sendense-core",
            "sendense-hub",
            "sendense-fixtures",
        ],
    ),
    ("sendense-ui", &["sendense-types"]),
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
    ("xtask", &["sendense-fixtures"]),
    ("xtask-bindgen", &[]),
];

/// Libraries a crate must stay free of: disk is synchronous and knows no network, types build for the browser, the window asks the shell only.
const NEVER: &[(&str, &[&str])] = &[
    (
        "sendense-disk",
        &["tokio", "futures", "reqwest", "axum", "hyper", "http"],
    ),
    ("sendense-types", &["tokio", "reqwest", "axum", "rusqlite"]),
    ("sendense-engine", &["axum", "hyper", "tower", "http"]),
    ("sendense-hub", &["rusqlite", "imago"]),
    ("sendense-core", &["axum", "rusqlite", "imago", "tauri"]),
    ("sendense-ui", &["tokio", "reqwest", "tauri"]),
];

/// Checks all crates, adding to `findings`.
pub(super) fn check(
    packages: &[Package],
    sources: &Sources,
    findings: &mut Vec<String>,
) -> Result<()> {
    let ours: BTreeSet<&str> = packages
        .iter()
        .map(|package| package.name.as_str())
        .collect();
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
        let text = source_text(package, sources)?;
        for dependency in &package.dependencies {
            let used = dependency.name.as_str();
            if ours.contains(used) {
                if !allowed.contains(&used) {
                    findings.push(format!("{name} must not depend on {used}"));
                }
            } else {
                users.entry(used).or_default().insert(name);
            }
            if never.contains(&used) && dependency.kind != DependencyKind::Development {
                findings.push(format!("{name} must stay free of {used}"));
            }
            if !text.contains(&used.replace('-', "_")) {
                findings.push(format!("{name} depends on {used} and never names it"));
            }
        }
    }
    documented(&users, findings)
}

/// All Rust source of a package, and its build script.
fn source_text(package: &Package, sources: &Sources) -> Result<String> {
    let folder = package.manifest_path.parent();
    let folder = folder.context("a manifest without folder")?;
    let text = sources
        .iter()
        .filter(|(file, _)| root().join(file).starts_with(folder));
    Ok(text.map(|(_, text)| text.as_str()).collect())
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
}
