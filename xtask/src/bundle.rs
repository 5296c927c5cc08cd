//! `cargo xtask bundle`: what users install on this system, made by Tauri's own tool.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use crate::process::{self, program};
use crate::workspace::{self, cargo};
use crate::{setup, ui};

/// The tool's version; its configuration's schema follows it.
const TAURI_CLI: &str = "2.12.4";

/// Builds packages of these kinds, all that are made on this system when none is named.
pub(crate) fn run(kinds: &[String]) -> Result<()> {
    setup::run()?;
    ui::run()?;
    let tool = tool()?;
    let mut command = program(tool);
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

/// Tauri's command line in the target folder, built there the first time.
fn tool() -> Result<PathBuf> {
    let root = workspace::target()?.join("tools");
    let tool = root
        .join("bin")
        .join(format!("cargo-tauri{}", std::env::consts::EXE_SUFFIX));
    let is_there = || {
        program(&tool)
            .arg("--version")
            .output()
            .is_ok_and(|said| String::from_utf8_lossy(&said.stdout).contains(TAURI_CLI))
    };
    if !is_there() {
        println!(
            "building tauri-cli {TAURI_CLI}, which makes the packages; this takes some minutes"
        );
        process::run(
            cargo()
                .args(["install", "tauri-cli", "--locked", "--force", "--version"])
                .arg(TAURI_CLI)
                .arg("--root")
                .arg(&root),
        )
        .context("tauri-cli cannot be installed")?;
        ensure!(is_there(), "{} does not start", tool.display());
    }
    Ok(tool)
}
