//! The checkout: where it is, which crates it has, which files git knows, and how to run cargo in it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use cargo_metadata::{Metadata, MetadataCommand, Package};

use crate::process::{self, program, quietly};

/// The text of every Rust file, by its path from the root of the checkout.
pub(crate) type Sources = BTreeMap<PathBuf, String>;

/// The root of the checkout.
pub(crate) fn root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask).to_path_buf()
}

/// Cargo, the one that runs this tool, in the checkout.
pub(crate) fn cargo() -> Command {
    let mut command = program(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// Builds programs of the workspace in the debug profile and returns the folder they are in.
///
/// They are built with the features that libraries have when everything is built, tests included, so that running,
/// testing and packing the window's contents share one build. Cargo counts what tests ask for only where something of
/// theirs is built: the example is there for that, and small.
pub(crate) fn build(programs: &[&str]) -> Result<PathBuf> {
    let mut command = cargo();
    command.args(["build", "--workspace", "--example", "read_disk"]);
    for program in programs {
        command.args(["--bin", program]);
    }
    process::run(&mut command)?;
    Ok(target()?.join("debug"))
}

/// Cargo's target folder.
pub(crate) fn target() -> Result<PathBuf> {
    Ok(metadata()?.target_directory.into())
}

/// All crates of the checkout: those of the workspace, and the fuzz targets, which are a workspace of their own.
pub(crate) fn packages() -> Result<Vec<Package>> {
    let mut packages = metadata()?.packages;
    packages.extend(ours_of("fuzz/Cargo.toml")?.packages);
    Ok(packages)
}

/// The folders that hold the sources of the libraries we use on a target: cargo has one for each registry.
pub(crate) fn folders_of_libraries(target: &str) -> Result<BTreeSet<PathBuf>> {
    let all = metadata_of("Cargo.toml", &["--filter-platform", target])?.packages;
    let libraries = all.iter().filter(|package| package.source.is_some());
    let folders = libraries.filter_map(|package| package.manifest_path.parent()?.parent());
    Ok(folders.map(PathBuf::from).collect())
}

fn metadata() -> Result<Metadata> {
    ours_of("Cargo.toml")
}

/// What cargo says about a workspace, without what others wrote.
fn ours_of(manifest: &str) -> Result<Metadata> {
    metadata_of(manifest, &["--no-deps"])
}

fn metadata_of(manifest: &str, settings: &[&str]) -> Result<Metadata> {
    let json = quietly(
        cargo()
            .args(["metadata", "--format-version", "1"])
            .args(["--manifest-path", manifest])
            .args(settings),
    )?;
    let json = String::from_utf8(json).context("`cargo metadata` wrote no UTF-8")?;
    MetadataCommand::parse(json).context("`cargo metadata` wrote something else")
}

/// All files of the checkout that git tracks or would track, relative to the root.
pub(crate) fn files() -> Result<Vec<PathBuf>> {
    let list = quietly(program("git").current_dir(root()).args([
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]))?;
    let list = String::from_utf8(list).context("git lists a file whose name is not UTF-8")?;
    let files = list.split_terminator('\0').map(PathBuf::from);
    // A file that is deleted but not yet committed is still in git's list.
    Ok(files.filter(|file| root().join(file).is_file()).collect())
}

/// The text of those of these files that are Rust.
pub(crate) fn sources(files: &[PathBuf]) -> Result<Sources> {
    files
        .iter()
        .filter(|file| file.extension().is_some_and(|kind| kind == "rs"))
        .map(|file| {
            let text = std::fs::read_to_string(root().join(file))
                .with_context(|| format!("cannot read {}", file.display()))?;
            Ok((file.clone(), text))
        })
        .collect()
}
