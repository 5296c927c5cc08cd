//! `cargo xtask test`: everything CI does on Linux, in CI's order.
//!
//! A failure does not stop the run, so one run gives the whole picture. It ends with the lists of skipped and failed
//! tests and a line for scripts to parse: `N passed, N failed, N skipped`.

mod binary;

use std::process::Command;
use std::time::{Duration, Instant};
use std::{env, fs};

use anyhow::{Context, Result, ensure};

use self::binary::TestBinary;
use crate::process;
use crate::tally::Tally;
use crate::workspace::{self, cargo};
use crate::{breakages, check, corpus, requests, setup, tidy, ui};

/// Modules of the `it` binary per phase; what is named nowhere belongs to the engine.
const CONTRACT: &[&str] = &["contract", "client"];
const WINDOW: &str = "window";
const DOWNLOADS: &[&str] = &["downloads", "journey", "restore"];

/// How the run is going: what has been counted, and how long each phase took.
struct Suite {
    tally: Tally,
    times: Vec<(&'static str, Duration, Duration)>,
}

/// Runs everything; an error means that something failed, which was shown before.
pub(crate) fn run(long: bool) -> Result<()> {
    let folder = workspace::target()?.join("suite");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let skips = folder.join("skips.tsv");
    fs::write(&skips, "").with_context(|| format!("cannot write {}", skips.display()))?;
    let seed = env::var("SENDENSE_SEED").unwrap_or_else(|_| std::process::id().to_string());
    println!("SENDENSE_SEED={seed} repeats this run's random choices");
    let environment = |command: &mut Command| {
        command
            .env("SENDENSE_SKIPS", &skips)
            .env("SENDENSE_SEED", &seed);
        command.env("SENDENSE_LONG", if long { "1" } else { "0" });
    };

    let mut suite = Suite {
        tally: Tally::default(),
        times: Vec::new(),
    };
    suite.phase("set-up", 5, |tally| tally.step("set-up", setup::run()));
    let mut binaries = Vec::new();
    suite.phase("build and lint", 15, |tally| {
        tally.step("formatting", check::format());
        // The shell takes it up, so that nothing of the workspace builds without.
        tally.step("user interface", ui::run());
        tally.step("tidy", tidy::run());
        tally.step("lints", check::lint());
        tally.step_or_skip("lints for WebAssembly", check::lint_for_wasm());
        tally.step("documentation", check::document());
        // Their tools take as long to build as half of the product, and find nothing that cannot wait for a night.
        if long {
            tally.step("unused libraries", check::unused_libraries());
            tally.step_or_skip("libraries", check::libraries());
        }
        match binary::build() {
            Ok(built) => binaries = built,
            Err(error) => tally.step("build", Err(error)),
        }
    });
    let (integration, unit): (Vec<_>, Vec<_>) = binaries
        .into_iter()
        .partition(|binary| binary.package == "sendense-tests" && binary.name == "it");

    suite.phase("unit and view", 3, |tally| {
        for binary in &unit {
            tally.count(binary.run(&[], &environment));
        }
        let mut doc_tests = cargo();
        doc_tests.args(["test", "--quiet", "--workspace", "--doc"]);
        environment(&mut doc_tests);
        tally.step(
            "examples in the documentation",
            process::run(&mut doc_tests),
        );
    });
    suite.group("contract", 5, &integration, &environment, |module| {
        CONTRACT.contains(&module)
    });
    suite.group("engine", 6, &integration, &environment, |module| {
        module != WINDOW && !CONTRACT.contains(&module) && !DOWNLOADS.contains(&module)
    });
    suite.group("downloads", 5, &integration, &environment, |module| {
        DOWNLOADS.contains(&module)
    });
    suite.group("window", 6, &integration, &environment, |module| {
        module == WINDOW
    });
    if long {
        suite.phase("requests", 10, |tally| match requests::run_built() {
            Ok(None) => tally.passed += 1,
            outcome => tally.step_or_skip("requests", outcome),
        });
        suite.phase("corpus", 30, |tally| {
            tally.step("corpus", corpus::run_built());
        });
        suite.phase("breakages", 60, |tally| breakages::run(tally, &[]));
    }
    suite.close(&fs::read_to_string(&skips)?)
}

impl Suite {
    /// Runs one phase and notes its time beside its budget in minutes.
    fn phase(&mut self, name: &'static str, budget: u64, work: impl FnOnce(&mut Tally)) {
        println!("\n== {name} ==");
        let started = Instant::now();
        work(&mut self.tally);
        let taken = started.elapsed();
        println!(
            "-- {name}: {}",
            against_budget(taken, Duration::from_secs(budget * 60))
        );
        self.times
            .push((name, taken, Duration::from_secs(budget * 60)));
    }

    /// Runs those tests of the integration binary whose module is wanted.
    fn group(
        &mut self,
        name: &'static str,
        budget: u64,
        binaries: &[TestBinary],
        environment: &impl Fn(&mut Command),
        wanted: impl Fn(&str) -> bool,
    ) {
        self.phase(name, budget, |tally| {
            let Some(binary) = binaries.first() else {
                return tally.fail(format!("{name}: the integration tests were not built"));
            };
            let tests = match binary.tests() {
                Ok(tests) => tests,
                Err(error) => return tally.step(name, Err(error)),
            };
            let tests: Vec<String> = tests
                .into_iter()
                .filter(|test| wanted(test.split("::").next().unwrap_or_default()))
                .collect();
            if tests.is_empty() {
                return tally.fail(format!("{name}: there is no test in this group"));
            }
            tally.count(binary.run(&tests, environment));
        });
    }

    /// Shows the times, the skipped and the failed tests, and the closing line.
    fn close(mut self, skips: &str) -> Result<()> {
        self.tally.subtract_skips(skips);
        println!();
        for (name, taken, budget) in &self.times {
            println!("{name:>16}: {}", against_budget(*taken, *budget));
        }
        for (test, reason) in &self.tally.skipped {
            println!("skipped: {test}: {reason}");
        }
        for failure in &self.tally.failed {
            println!("FAILED: {failure}");
        }
        println!("\n{}", self.tally.closing_line());
        ensure!(
            self.tally.failed.is_empty(),
            "some tests failed; they are listed above"
        );
        ensure!(self.tally.passed > 0, "no test ran");
        Ok(())
    }
}

/// A time beside what it may be.
fn against_budget(taken: Duration, budget: Duration) -> String {
    let over = if taken > budget { ", OVER BUDGET" } else { "" };
    format!("{} of {}{over}", minutes(taken), minutes(budget))
}

/// Minutes and seconds.
fn minutes(time: Duration) -> String {
    format!("{}:{:02}", time.as_secs() / 60, time.as_secs() % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_over_its_budget_says_so() {
        let minute = Duration::from_secs(60);
        assert_eq!(against_budget(minute * 2, minute * 3), "2:00 of 3:00");
        assert_eq!(
            against_budget(Duration::from_secs(65), minute),
            "1:05 of 1:00, OVER BUDGET"
        );
    }
}
