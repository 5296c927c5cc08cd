//! Everything a developer or CI runs: `cargo xtask TASK`; without a task it lists them all.

#![allow(clippy::print_stdout, reason = "this tool talks to people")]
#![allow(
    clippy::disallowed_methods,
    reason = "xtask exists to run other programs; the product itself runs none"
)]

mod bench;
mod breakages;
mod bundle;
mod check;
mod contract;
mod corpus;
mod fixtures;
mod icons;
mod journey;
mod openapi;
mod process;
mod requests;
mod setup;
mod suite;
mod tally;
mod tidy;
mod tools;
mod ui;
mod window;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use clap::{CommandFactory, Parser, Subcommand};

/// Everything a developer or CI runs.
#[derive(Parser)]
#[command(name = "cargo xtask", disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    task: Option<Task>,
}

#[derive(Subcommand)]
enum Task {
    /// Build the app and open it; without a display, walk through it in a virtual one
    Run {
        /// Walk through the app in a virtual display and leave pictures in target/tour
        #[arg(long)]
        tour: bool,
        /// Do the main job from the terminal: back up the sample VM, get a file back, compare it
        #[arg(long)]
        terminal: bool,
    },
    /// Do everything CI does, in CI's order
    Test {
        /// Also run the long tests, and see the suite turn red for every patch in tests/breakages
        #[arg(long)]
        long: bool,
    },
    /// Break copies of the product by patches of tests/breakages, and see its tests turn red
    Breakages {
        /// Names of patches; all when none is given
        names: Vec<String>,
    },
    /// Check formatting, lints, documentation and house rules: fast, before each commit
    Check,
    /// Check the house rules that no other tool knows
    Tidy,
    /// Write down which tests hold which row of the contract, in docs/contract-coverage.md
    Contract,
    /// Write the OpenAPI document of the hub, docs/openapi.json
    Openapi,
    /// Ask a running hub whatever its OpenAPI document allows and forbids, by schemathesis
    Requests(requests::Options),
    /// Build the window's contents
    Ui,
    /// Build packages to install, such as deb; all that this system can make when none is named
    Bundle {
        /// Kinds, such as deb or appimage
        kinds: Vec<String>,
    },
    /// Measure backing up, verifying and reading beside other tools, for docs/performance.md
    Bench(bench::Options),
    /// Put disks that other projects test with through the product, for docs/corpus.md
    Corpus(corpus::Options),
    /// Draw the app's icon in every size
    Icons,
    /// Rebuild the sample VM with the systems' own tools
    Fixtures,
}

fn main() -> ExitCode {
    let Err(error) = run(Arguments::parse().task) else {
        return ExitCode::SUCCESS;
    };
    // Not by returning it from main: that prints a stack, which says nothing about a failed tool.
    eprintln!("error: {error:#}");
    ExitCode::FAILURE
}

/// Does one task, or lists them all.
fn run(task: Option<Task>) -> Result<()> {
    match task {
        None => Ok(Arguments::command().print_help()?),
        Some(Task::Run { terminal: true, .. }) => journey::run(),
        Some(Task::Run { tour, .. }) => window::run(tour),
        Some(Task::Test { long }) => suite::run(long),
        Some(Task::Breakages { names }) => breakages::run_named(&names),
        Some(Task::Check) => {
            setup::rust_components()?;
            check::run()
        }
        Some(Task::Tidy) => tidy::run(),
        Some(Task::Contract) => contract::run(),
        Some(Task::Openapi) => openapi::run(),
        Some(Task::Requests(options)) => {
            if let Some(skipped) = requests::run(&options)? {
                println!("skipped: {}: {}", skipped.what, skipped.reason);
            }
            Ok(())
        }
        Some(Task::Ui) => ui::run(),
        Some(Task::Bundle { kinds }) => bundle::run(&kinds),
        Some(Task::Bench(options)) => bench::run(&options),
        Some(Task::Corpus(options)) => corpus::run(&options),
        Some(Task::Icons) => icons::run(),
        Some(Task::Fixtures) => fixtures::run(),
    }
}
