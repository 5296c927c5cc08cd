//! The checkout: where it is, what crates it has and which files git knows.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::process::{cargo, program, quietly};

/// The root of the checkout.
pub(crate) fn root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask).to_path_buf()
}

/// Cargo's target folder.
pub(crate) fn target() -> Result<PathBuf> {
    let folder = metadata()?["target_directory"].as_str().map(PathBuf::from);
    folder.context("`cargo metadata` names no target folder")
}

/// What `cargo metadata` says about the workspace's own crates.
pub(crate) fn metadata() -> Result<Value> {
    let json = quietly(cargo().args(["metadata", "--no-deps", "--format-version", "1"]))?;
    serde_json::from_slice(&json).context("`cargo metadata` wrote no JSON")
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
