//! `cargo xtask bundle`: installable packages for this system, made by Tauri's own tool.

use anyhow::Result;

use crate::process::{self, program};
use crate::tools::Tool;
use crate::{setup, ui, workspace};

/// Tauri's command line; its configuration's schema follows its version.
const TAURI_CLI: Tool = Tool {
    name: "tauri-cli",
    program: "cargo-tauri",
    version: "2.12.4",
    purpose: "makes the packages",
    is_optimised: true,
};

/// Builds packages of these kinds, all that are made on this system when none is named.
pub(crate) fn run(kinds: &[String]) -> Result<()> {
    setup::run()?;
    ui::run()?;
    let mut command = program(TAURI_CLI.installed()?);
    command
        .current_dir(workspace::root().join("src-tauri"))
        .args(["build", "--ci"])
        .env("CARGO_TARGET_DIR", workspace::target()?)
        // Debug information is four fifths of the program, and no user of a package reads it.
        .env("CARGO_PROFILE_RELEASE_DEBUG", "false")
        .env("CARGO_PROFILE_RELEASE_STRIP", "symbols");
    if !kinds.is_empty() {
        command.arg("--bundles").arg(kinds.join(","));
    }
    process::run(&mut command)?;
    println!(
        "packages are in {}",
        workspace::target()?.join("release/bundle").display()
    );
    Ok(())
}
