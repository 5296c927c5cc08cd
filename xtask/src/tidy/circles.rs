//! No circles of files inside a crate: what two files need from each other belongs in one of them, or below both.
//!
//! A module and its own children may name each other. To their parent, each child stands for everything below it, so
//! two children form a circle even if only some of their files do.

use std::collections::{BTreeMap, VecDeque};

use super::modules::{Modules, Naming};

/// Which children of one parent name which, each with a place that shows it.
type Neighbours<'a> = BTreeMap<usize, BTreeMap<usize, &'a Naming>>;

/// Adds the circles of a crate to `findings`.
pub(super) fn check(modules: &Modules, findings: &mut Vec<String>) {
    let namings = modules.namings();
    // By parent, because a circle goes through children of one parent.
    let mut families: BTreeMap<usize, Neighbours> = BTreeMap::new();
    for naming in &namings {
        let (from, to) = (modules.ancestry(naming.from), modules.ancestry(naming.to));
        let common = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
        // Where one holds the other, nothing is left of its line.
        if let (Some(&a), Some(&b)) = (from.get(common), to.get(common)) {
            let family = families.entry(from[common - 1]).or_default();
            family.entry(a).or_default().entry(b).or_insert(naming);
        }
    }
    for neighbours in families.values() {
        let mut told = Vec::new();
        for &start in neighbours.keys() {
            if told.contains(&start) {
                continue;
            }
            if let Some(circle) = shortest_circle(start, neighbours) {
                findings.push(describe(&circle, neighbours, modules));
                told.extend(circle);
            }
        }
    }
}

/// The shortest way from a child back to itself.
fn shortest_circle(start: usize, neighbours: &Neighbours) -> Option<Vec<usize>> {
    let mut reached_from = BTreeMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(at) = queue.pop_front() {
        for &next in neighbours.get(&at).into_iter().flat_map(BTreeMap::keys) {
            if next == start {
                let back = std::iter::successors(Some(at), |at| reached_from.get(at).copied());
                let mut circle: Vec<usize> = back.collect();
                circle.reverse();
                return Some(circle);
            }
            if let std::collections::btree_map::Entry::Vacant(entry) = reached_from.entry(next) {
                entry.insert(at);
                queue.push_back(next);
            }
        }
    }
    None
}

fn describe(circle: &[usize], neighbours: &Neighbours, modules: &Modules) -> String {
    let files = modules.files();
    let mut text = "a circle:".to_owned();
    for (&at, next) in circle.iter().zip(circle.iter().cycle().skip(1)) {
        let naming = neighbours[&at][next];
        text += &format!(
            "\n    {} needs {}: {}:{} names {}",
            files[at].name,
            files[*next].name,
            files[naming.from].path.display(),
            naming.line,
            naming.path
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;

    fn circles(files: &[(&str, &str)]) -> Vec<String> {
        let sources = files
            .iter()
            .map(|(path, text)| (PathBuf::from(path), (*text).to_owned()))
            .collect();
        let modules =
            Modules::read(Path::new("src/lib.rs"), &sources).expect("the files are right");
        let mut findings = Vec::new();
        check(&modules, &mut findings);
        findings
    }

    #[test]
    fn siblings_that_name_each_other_are_found_with_their_lines() {
        let found = circles(&[
            ("src/lib.rs", "mod a; mod b; mod c;"),
            ("src/a.rs", "pub struct A;\nuse crate::b::B;"),
            ("src/b.rs", "pub struct B;\n\nfn f() { crate::c::C; }"),
            ("src/c.rs", "pub struct C; type Back = super::a::A;"),
        ]);
        assert_eq!(
            found,
            ["a circle:\
              \n    crate::a needs crate::b: src/a.rs:2 names crate::b::B\
              \n    crate::b needs crate::c: src/b.rs:3 names crate::c::C\
              \n    crate::c needs crate::a: src/c.rs:1 names super::a::A"]
        );
    }

    #[test]
    fn subtrees_are_a_circle_though_their_files_are_none() {
        let found = circles(&[
            ("src/lib.rs", "mod a; mod b;"),
            ("src/a.rs", "pub mod below;"),
            ("src/a/below.rs", "use crate::b::first::F;"),
            ("src/b.rs", "pub mod first; mod second;"),
            ("src/b/first.rs", "pub struct F;"),
            ("src/b/second.rs", "use crate::a::A;"),
        ]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0].contains("src/a/below.rs:1 names crate::b::first::F"),
            "{found:?}"
        );
        assert!(
            found[0].contains("src/b/second.rs:1 names crate::a::A"),
            "{found:?}"
        );
    }

    #[test]
    fn siblings_far_below_are_found_as_well() {
        let found = circles(&[
            ("src/lib.rs", "mod a;"),
            ("src/a.rs", "mod x; mod y;"),
            ("src/a/x.rs", "use super::y::Y; pub struct X;"),
            ("src/a/y.rs", "use super::x::X; pub struct Y;"),
        ]);
        assert_eq!(found.len(), 1, "{found:?}");
    }

    #[test]
    fn a_module_and_its_own_children_may_name_each_other() {
        let found = circles(&[
            (
                "src/lib.rs",
                "mod a; mod b; pub use b::Clock; pub struct Top;",
            ),
            (
                "src/a.rs",
                "mod x; pub struct A; fn f() { x::work(); crate::Clock; }",
            ),
            (
                "src/a/x.rs",
                "use super::A; use crate::{Clock, Top}; pub fn work() {}",
            ),
            ("src/b.rs", "pub struct Clock; use crate::Top;"),
        ]);
        assert_eq!(found, [""; 0]);
    }

    #[test]
    fn what_only_tests_name_makes_no_circle() {
        let found = circles(&[
            ("src/lib.rs", "mod a; mod b;"),
            ("src/a.rs", "pub struct A; use crate::b::B;"),
            (
                "src/b.rs",
                "pub struct B; #[cfg(test)] mod tests { use crate::a::A; }",
            ),
        ]);
        assert_eq!(found, [""; 0]);
    }
}
