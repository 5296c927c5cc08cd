//! The fast checks: formatting, lints, documentation, house rules.

use anyhow::Result;

use crate::process;
use crate::tidy;
use crate::workspace::cargo;

/// Runs all checks, stopping at the first that finds something.
pub(crate) fn run() -> Result<()> {
    format()?;
    tidy::run()?;
    lint()?;
    document()
}

/// Formatting.
pub(crate) fn format() -> Result<()> {
    process::run(cargo().args(["fmt", "--all", "--check"]))
}

/// Lints, warnings denied.
pub(crate) fn lint() -> Result<()> {
    process::run(cargo().args([
        "clippy",
        "--quiet",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]))
}

/// Documentation, warnings denied.
pub(crate) fn document() -> Result<()> {
    process::run(
        cargo()
            .args([
                "doc",
                "--quiet",
                "--workspace",
                "--no-deps",
                "--document-private-items",
            ])
            .env("RUSTDOCFLAGS", "-D warnings"),
    )
}
