//! What was counted: passed, failed and skipped tests, from libtest's output and our own steps.

use anyhow::Error;

/// The count so far.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Tests that passed.
    pub(crate) passed: usize,
    /// Tests and steps that failed, each with where it was.
    pub(crate) failed: Vec<String>,
    /// Tests that could not run here, with the reason they gave.
    pub(crate) skipped: Vec<(String, String)>,
}

/// A check that could not be made here.
pub(crate) struct Skipped {
    /// What was not checked.
    pub(crate) what: &'static str,
    /// Why.
    pub(crate) reason: String,
}

/// What one test binary said.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Report {
    /// The binary, for messages.
    pub(crate) name: String,
    /// Number of tests that passed.
    pub(crate) passed: usize,
    /// Names of tests that failed.
    pub(crate) failed: Vec<String>,
    /// Names of tests that libtest ignored.
    pub(crate) ignored: Vec<String>,
    /// Whether libtest came to its closing line.
    pub(crate) closed: bool,
    /// Whether the process ended with success.
    pub(crate) success: bool,
}

impl Report {
    /// Takes in one line of libtest's output.
    pub(crate) fn read_line(&mut self, line: &str) {
        if let Some(summary) = line.strip_prefix("test result: ") {
            self.closed = true;
            // "ok. 3 passed; 0 failed; …": the sum is libtest's own, as a test's line can be torn by its output.
            let passed = summary
                .split(['.', ';'])
                .find_map(|part| part.trim().strip_suffix(" passed"));
            self.passed = passed.and_then(|number| number.parse().ok()).unwrap_or(0);
        } else if let Some((name, outcome)) = line
            .strip_prefix("test ")
            .and_then(|line| line.rsplit_once(" ... "))
        {
            if outcome.starts_with("FAILED") {
                self.failed.push(name.to_owned());
            } else if outcome.starts_with("ignored") {
                self.ignored.push(name.to_owned());
            }
        }
    }
}

impl Tally {
    /// Notes a step that is no test: it counts only when it fails.
    pub(crate) fn step(&mut self, name: &str, outcome: Result<(), Error>) {
        if let Err(error) = outcome {
            println!("{name}: {error:#}");
            let first_line = format!("{error:#}")
                .lines()
                .next()
                .unwrap_or_default()
                .to_owned();
            self.fail(format!("{name}: {first_line}"));
        }
    }

    /// Notes a step that cannot be taken everywhere.
    pub(crate) fn step_or_skip(&mut self, name: &str, outcome: Result<Option<Skipped>, Error>) {
        match outcome {
            Ok(Some(Skipped { what, reason })) => self.skipped.push((what.to_owned(), reason)),
            other => self.step(name, other.map(drop)),
        }
    }

    /// Notes a failure.
    pub(crate) fn fail(&mut self, what: String) {
        self.failed.push(what);
    }

    /// Adds what a test binary said.
    pub(crate) fn count(&mut self, report: Result<Report, Error>) {
        let report = match report {
            Ok(report) => report,
            Err(error) => return self.step("tests", Err(error)),
        };
        self.passed += report.passed;
        for test in &report.failed {
            self.fail(format!("{} {test}", report.name));
        }
        for test in report.ignored {
            self.skipped
                .push((format!("{} {test}", report.name), "ignored".to_owned()));
        }
        if !report.closed {
            self.fail(format!("{}: the tests ended in the middle", report.name));
        } else if !report.success && report.failed.is_empty() {
            self.fail(format!("{}: failed without naming a test", report.name));
        }
    }

    /// Takes the tests that recorded a skip out of those that passed: to libtest they look alike.
    pub(crate) fn subtract_skips(&mut self, list: &str) {
        for line in list.lines() {
            let (test, reason) = line.split_once('\t').unwrap_or((line, "no reason given"));
            let known = self.skipped.iter().any(|(skipped, _)| skipped == test);
            let failed = self.failed.iter().any(|failed| failed.ends_with(test));
            if !known && !failed {
                self.skipped.push((test.to_owned(), reason.to_owned()));
                self.passed = self.passed.saturating_sub(1);
            }
        }
    }

    /// The line that says how it went, in the form that machines read.
    pub(crate) fn closing_line(&self) -> String {
        format!(
            "{} passed, {} failed, {} skipped",
            self.passed,
            self.failed.len(),
            self.skipped.len()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(output: &str) -> Report {
        let mut report = Report {
            name: "it".to_owned(),
            ..Report::default()
        };
        output.lines().for_each(|line| report.read_line(line));
        report
    }

    #[test]
    fn passed_failed_and_ignored_tests_are_told_apart() {
        let report = read(
            "running 4 tests\ntest a::b ... ok\ntest a::c ... FAILED\ntest a::d ... ignored, slow\n\
             test a::e ... ok\n\ntest result: FAILED. 2 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out",
        );
        assert_eq!((report.passed, report.closed), (2, true));
        assert_eq!(report.failed, ["a::c"]);
        assert_eq!(report.ignored, ["a::d"]);
    }

    #[test]
    fn a_binary_that_dies_in_the_middle_is_a_failure() {
        let mut tally = Tally::default();
        tally.count(Ok(read("running 2 tests\ntest a ... ok")));
        assert_eq!(tally.failed, ["it: the tests ended in the middle"]);
    }

    #[test]
    fn a_test_that_recorded_a_skip_did_not_pass() {
        let mut tally = Tally {
            passed: 3,
            ..Tally::default()
        };
        tally.fail("it journey::b".to_owned());
        tally.subtract_skips("journey::a\tno tmpfs\njourney::a\tno tmpfs\njourney::b\tno tmpfs\n");
        assert_eq!(tally.closing_line(), "2 passed, 1 failed, 1 skipped");
    }

    #[test]
    fn a_step_that_cannot_be_taken_is_counted_with_its_reason() {
        let mut tally = Tally::default();
        let reason = "there is no network".to_owned();
        tally.step_or_skip(
            "libraries",
            Ok(Some(Skipped {
                what: "faults",
                reason,
            })),
        );
        tally.step_or_skip("libraries", Ok(None));
        tally.step_or_skip("libraries", Err(anyhow::anyhow!("one is denied")));
        assert_eq!(tally.closing_line(), "0 passed, 1 failed, 1 skipped");
        assert_eq!(tally.failed, ["libraries: one is denied"]);
    }
}
