//! House rules that no other tool knows; every finding is shown with its location.

mod circles;
mod crates;
mod modules;
mod rooms;
mod text;
mod texts;

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::{Result, ensure};
use cargo_metadata::{Package, TargetKind};

use self::modules::Modules;
use crate::contract;
use crate::workspace::{self, Sources};

/// Checks everything and shows what it finds.
pub(crate) fn run() -> Result<()> {
    let files = workspace::files()?;
    let packages = workspace::packages()?;
    let mut findings = Vec::new();
    text::check(&files, &mut findings)?;
    let sources = workspace::sources(&files)?;
    texts::check(&sources, &mut findings)?;
    contract::check(&sources, &mut findings)?;
    crates::check(&packages, &mut findings)?;
    structure(&packages, &sources, &mut findings)?;
    for finding in &findings {
        println!("{finding}");
    }
    ensure!(findings.is_empty(), "tidy: {} findings", findings.len());
    println!("tidy: {} files, nothing to complain about", files.len());
    Ok(())
}

/// Rules about how the files of each crate hang together.
fn structure(packages: &[Package], sources: &Sources, findings: &mut Vec<String>) -> Result<()> {
    let root = workspace::root();
    let mut compiled = BTreeSet::new();
    for package in packages {
        let mut crates = Vec::new();
        for target in &package.targets {
            let file = target.src_path.as_std_path();
            let file = file.strip_prefix(&root).unwrap_or(file);
            let modules = Modules::read(file, sources)?;
            let files = modules.files().iter();
            compiled.extend(files.map(|file| file.path.clone()));
            let for_tests = [TargetKind::Test, TargetKind::Bench];
            if !target.kind.iter().any(|kind| for_tests.contains(kind)) {
                crates.push(modules);
            }
        }
        for modules in &crates {
            circles::check(modules, findings);
        }
        rooms::check(&package.name, &crates, findings);
    }
    uncompiled(sources, &compiled, findings);
    Ok(())
}

/// A file that no `mod` names is not compiled, and nothing else would say so.
fn uncompiled(sources: &Sources, compiled: &BTreeSet<PathBuf>, findings: &mut Vec<String>) {
    for file in sources.keys().filter(|file| !compiled.contains(*file)) {
        findings.push(format!(
            "{}: no `mod` names it, so it is not compiled",
            file.display()
        ));
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_file_that_nothing_compiles_is_found() {
        let sources: Sources = [("src/lib.rs", "mod a;"), ("src/a.rs", ""), ("src/b.rs", "")]
            .into_iter()
            .map(|(path, text)| (PathBuf::from(path), text.to_owned()))
            .collect();
        let modules =
            Modules::read(Path::new("src/lib.rs"), &sources).expect("all files are there");
        let compiled = modules.files().iter().map(|file| file.path.clone());
        let mut findings = Vec::new();
        uncompiled(&sources, &compiled.collect(), &mut findings);
        assert_eq!(
            findings,
            ["src/b.rs: no `mod` names it, so it is not compiled"]
        );
    }
}
