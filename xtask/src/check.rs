//! The fast checks: formatting, house rules, lints, documentation, libraries.

use anyhow::Result;

use crate::process::{self, program};
use crate::tally::Skipped;
use crate::tools::Tool;
use crate::workspace::{cargo, root};
use crate::{tidy, ui};

/// Looks at the licences, sources and known faults of libraries.
const DENY: Tool = Tool {
    name: "cargo-deny",
    program: "cargo-deny",
    version: "0.20.2",
    purpose: "looks at the libraries' licences and known faults",
    is_optimised: false,
};

/// Finds libraries that nothing uses.
const MACHETE: Tool = Tool {
    name: "cargo-machete",
    program: "cargo-machete",
    version: "0.9.2",
    purpose: "finds libraries that nothing uses",
    is_optimised: false,
};

/// Runs all checks, stopping at the first that finds something.
pub(crate) fn run() -> Result<()> {
    format()?;
    tidy::run()?;
    lint()?;
    let for_wasm = lint_for_wasm()?;
    document()?;
    unused_libraries()?;
    let advisories = libraries()?;
    for skipped in [for_wasm, advisories].into_iter().flatten() {
        println!("skipped: {}: {}", skipped.what, skipped.reason);
    }
    Ok(())
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

/// Lints of what becomes WebAssembly, as such: code for the page only is seen by no other.
pub(crate) fn lint_for_wasm() -> Result<Option<Skipped>> {
    let Some(mut clippy) = ui::clippy()? else {
        return Ok(Some(Skipped {
            what: "lints for WebAssembly",
            reason: "Debian's compiler for it comes without clippy".to_owned(),
        }));
    };
    process::run(clippy.args(["--", "-D", "warnings"]))?;
    Ok(None)
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

/// No library that nothing uses.
pub(crate) fn unused_libraries() -> Result<()> {
    process::run(program(MACHETE.installed()?).current_dir(root()))
}

/// No library that `deny.toml` does not want. What is known against them comes from a database in the network; where
/// that cannot be had it is skipped, and nothing else.
pub(crate) fn libraries() -> Result<Option<Skipped>> {
    let deny = DENY.installed()?;
    let deny = || {
        let mut command = program(&deny);
        command.current_dir(root()).arg("--workspace");
        command
    };
    process::run(deny().args(["check", "licenses", "bans", "sources"]))?;
    if let Err(error) = process::quietly(deny().args(["fetch", "db"])) {
        return Ok(Some(Skipped {
            what: "known faults of libraries",
            reason: format!(
                "the database of advisories cannot be fetched: {}",
                process::last_line(&error)
            ),
        }));
    }
    process::run(deny().args(["check", "--disable-fetch", "advisories"]))?;
    Ok(None)
}
