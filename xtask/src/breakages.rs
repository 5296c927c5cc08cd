//! Breaks copies of the product on purpose and checks that the tests notice.
//!
//! A patch in `tests/breakages` begins with comment lines: `# breaks: …` says what it does, and each `# red: PACKAGE
//! TARGET FILTER…` names tests that must fail with it, as `cargo test` takes them (`# red: sendense-engine --lib
//! chain::`). A patch that no longer applies, does not build or leaves these tests green is a failure: either the patch
//! is stale or the tests miss the fault.
//!
//! A patch that takes a rule of the contract with deployed hubs away says which: `# rows: D8, H4`.
//!
//! The copies are built as quickly as can be, our own crates without optimisation. So that no test is red for being slow,
//! or for any reason but the patch, all of them run once in a copy that is whole, and must pass.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};

use crate::process::{program, quietly};
use crate::tally::Tally;
use crate::ui;
use crate::workspace::{self, cargo};

/// Our crates that patches change, or that are built again because of them. Without optimisation that takes less time
/// than their tests lose by it.
const UNOPTIMISED: [&str; 8] = [
    "sendense",
    "sendense-core",
    "sendense-desktop",
    "sendense-disk",
    "sendense-engine",
    "sendense-hub",
    "sendense-tests",
    "sendense-ui",
];

/// One patch, read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Breakage {
    /// What the patch does to the product.
    breaks: String,
    /// The rows of the contract whose rule it takes away, as a list such as `D8, H4`; empty where it is about others.
    pub(crate) rows: String,
    /// Arguments for `cargo test`, a list per line.
    red: Vec<Vec<String>>,
}

impl Breakage {
    /// Whether a test of this name, which says nothing of its module, is among those that must fail.
    pub(crate) fn makes_red(&self, test: &str) -> bool {
        let mut filters = self.red.iter().flat_map(|red| &red[n_binary_words(red)..]);
        filters.any(|filter| test.starts_with(filter.rsplit("::").next().unwrap_or(filter)))
    }
}

/// All breakages, by name.
///
/// # Errors
/// When one cannot be read.
pub(crate) fn all() -> Result<BTreeMap<String, Breakage>> {
    let patches = patches()?.into_iter();
    patches
        .map(|patch| {
            let name = name_of(&patch);
            let text = fs::read_to_string(&patch)?;
            let breakage = parse(&text).with_context(|| format!("{name}.patch"))?;
            Ok((name, breakage))
        })
        .collect()
}

/// Runs the breakages of these names, or all when none is given; each counts as one test.
pub(crate) fn run(tally: &mut Tally, names: &[String]) {
    match run_all(tally, names) {
        Ok(0) => tally.fail("breakages: there is no such patch in tests/breakages".to_owned()),
        Ok(_) => {}
        Err(error) => tally.step("breakages", Err(error)),
    }
}

/// As a task of its own.
///
/// # Errors
/// When one is not noticed.
pub(crate) fn run_named(names: &[String]) -> Result<()> {
    ui::run()?;
    let mut tally = Tally::default();
    run(&mut tally, names);
    println!("{}", tally.closing_line());
    ensure!(tally.failed.is_empty(), "not every breakage was noticed");
    Ok(())
}

fn run_all(tally: &mut Tally, names: &[String]) -> Result<usize> {
    let mut patches = patches()?;
    patches.retain(|patch| names.is_empty() || names.contains(&name_of(patch)));
    let text_of = |patch: &PathBuf| fs::read_to_string(patch).unwrap_or_default();
    patches.sort_by_cached_key(|patch| (rebuilt(&text_of(patch)), patch.clone()));
    let copy = workspace::target()?.join("breakages");
    let read = patches.iter().map(|patch| parse(&text_of(patch)));
    see_green(&read.filter_map(Result::ok).collect::<Vec<_>>(), &copy)?;
    for patch in &patches {
        let name = name_of(patch);
        let started = Instant::now();
        let outcome = see_red(patch, &copy);
        let seconds = started.elapsed().as_secs();
        match outcome {
            Ok(breaks) => {
                println!("noticed: {name}: {breaks} ({seconds} s)");
                tally.passed += 1;
            }
            Err(error) => {
                println!("{name}: {error:#}");
                tally.fail(format!(
                    "breakage {name}: {}",
                    error.to_string().lines().next().unwrap_or_default()
                ));
            }
        }
    }
    Ok(patches.len())
}

/// The patches there are.
fn patches() -> Result<Vec<PathBuf>> {
    let folder = workspace::root().join("tests/breakages");
    let mut patches: Vec<PathBuf> = fs::read_dir(&folder)
        .with_context(|| format!("cannot list {}", folder.display()))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    patches.retain(|path| path.extension().is_some_and(|kind| kind == "patch"));
    Ok(patches)
}

fn name_of(patch: &Path) -> String {
    let name = patch.file_stem().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// Runs the tests of all patches in a copy without any, which must pass.
fn see_green(breakages: &[Breakage], copy: &Path) -> Result<()> {
    refresh_copy(copy)?;
    let mut filters: BTreeMap<&[String], BTreeSet<&String>> = BTreeMap::new();
    for red in breakages.iter().flat_map(|breakage| &breakage.red) {
        let (binary, tests) = red.split_at(n_binary_words(red));
        filters.entry(binary).or_default().extend(tests);
    }
    for (binary, tests) in filters {
        for test in &tests {
            build_app_for(std::slice::from_ref(*test), copy)?;
        }
        // More than one filter goes to the test binary itself.
        let mut command = in_copy(copy);
        command.arg("test").args(binary).arg("--").args(tests);
        let output = quietly(&mut command).context("tests of breakages fail without any")?;
        let said = String::from_utf8_lossy(&output);
        ensure!(
            said.contains("test result: ok"),
            "{} has none of the tests of breakages",
            binary.join(" ")
        );
    }
    Ok(())
}

/// Applies one patch to a fresh copy and runs its tests, which must fail.
fn see_red(patch: &Path, copy: &Path) -> Result<String> {
    let text =
        fs::read_to_string(patch).with_context(|| format!("cannot read {}", patch.display()))?;
    let breakage = parse(&text)?;
    refresh_copy(copy)?;
    quietly(
        program("patch")
            .current_dir(copy)
            .args([
                "--strip=1",
                "--fuzz=0",
                "--no-backup-if-mismatch",
                "--input",
            ])
            .arg(patch),
    )
    .context("the patch does not apply any more")?;
    ui::write_page(&copy.join("src-ui"), &copy.join("target/ui/dist"))?;
    for red in &breakage.red {
        build_app_for(red, copy)?;
        quietly(in_copy(copy).arg("test").args(red).arg("--no-run"))
            .context("the broken copy does not build")?;
        let output = in_copy(copy)
            .arg("test")
            .args(red)
            .stderr(Stdio::null())
            .output()?;
        let said = String::from_utf8_lossy(&output.stdout);
        if output.status.success() {
            bail!(
                "the tests did not notice: {} (`cargo test {}`)\n{said}",
                breakage.breaks,
                red.join(" ")
            );
        }
        ensure!(
            said.contains("test result: FAILED"),
            "`cargo test {}` failed without a failing test:\n{said}",
            red.join(" ")
        );
    }
    Ok(breakage.breaks)
}

/// Builds the app anew where these words name tests of the window: they start a program that no test builds.
fn build_app_for(red: &[String], copy: &Path) -> Result<()> {
    if red.iter().any(|word| word.starts_with("window::")) {
        let mut build = in_copy(copy);
        build.args(["build", "--package", "sendense-desktop", "--bins"]);
        quietly(&mut build).context("the app of the copy does not build")?;
    }
    Ok(())
}

/// Cargo in the copy. It has a target folder of its own: in ours, cargo would take what was built of the
/// copy for what it has to build of the checkout.
fn in_copy(copy: &Path) -> Command {
    let mut command = cargo();
    command.current_dir(copy).arg("--quiet");
    for package in UNOPTIMISED {
        let setting = format!("profile.dev.package.{package}.opt-level=0");
        command.args(["--config", &setting]);
    }
    command.env("CARGO_TARGET_DIR", copy.with_extension("target"));
    let skips = copy.with_extension("skips");
    command
        .env("SENDENSE_SKIPS", skips)
        .env_remove("SENDENSE_BIN")
        .env_remove("SENDENSE_DESKTOP_BIN")
        // Nobody debugs it, and without this it builds sooner.
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .env("SENDENSE_LONG", "0");
    command
}

/// Makes the copy equal to the checkout, touching only what differs, lest cargo rebuild everything.
fn refresh_copy(copy: &Path) -> Result<()> {
    let files = workspace::files()?;
    for file in &files {
        let wanted = fs::read(workspace::root().join(file))?;
        let path = copy.join(file);
        if fs::read(&path).is_ok_and(|found| found == wanted) {
            continue;
        }
        let folder = path.parent().context("a file lies in a folder")?;
        fs::create_dir_all(folder)?;
        fs::write(&path, wanted).with_context(|| format!("cannot write {}", path.display()))?;
    }
    remove_others(copy, copy, &files)?;
    // The shell takes up the window's contents; patches of those are noticed without WebAssembly.
    let built = copy.join("target/ui/dist");
    fs::create_dir_all(&built)?;
    for entry in fs::read_dir(ui::dist())? {
        let entry = entry?;
        fs::copy(entry.path(), built.join(entry.file_name()))?;
    }
    Ok(())
}

/// Removes what earlier patches left behind.
fn remove_others(copy: &Path, folder: &Path, files: &[PathBuf]) -> Result<()> {
    for entry in
        fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?
    {
        let path = entry?.path();
        if path.is_dir() {
            remove_others(copy, &path, files)?;
        } else if !files.iter().any(|file| {
            path.strip_prefix(copy)
                .is_ok_and(|relative| relative == file)
        }) {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

/// What a patch has built anew: the test binary, and the crate that it changes. One patch after another of
/// the same kind spares building the others back and forth.
fn rebuilt(text: &str) -> (Vec<String>, String) {
    let red = parse(text)
        .ok()
        .and_then(|breakage| breakage.red.into_iter().next());
    let binary = red.map_or_else(Vec::new, |mut red| {
        red.truncate(n_binary_words(&red));
        red
    });
    let changed = text.lines().find_map(|line| line.strip_prefix("+++ b/"));
    let package = changed.and_then(|path| path.split('/').next());
    (binary, package.unwrap_or_default().to_owned())
}

/// How many of the words name the test binary: `--package`, its name, and `--lib` or `--test` with a name.
fn n_binary_words(red: &[String]) -> usize {
    let is_named = red.get(2).is_some_and(|target| target != "--lib");
    (if is_named { 4 } else { 3 }).min(red.len())
}

/// Reads the comment lines at the head of a patch.
///
/// # Errors
/// When they do not say what it breaks and who notices.
pub(crate) fn parse(text: &str) -> Result<Breakage> {
    let mut breakage = Breakage {
        breaks: String::new(),
        rows: String::new(),
        red: Vec::new(),
    };
    for line in text.lines().map_while(|line| line.strip_prefix('#')) {
        let line = line.trim();
        if let Some(breaks) = line.strip_prefix("breaks:") {
            breakage.breaks = breaks.trim().to_owned();
        } else if let Some(rows) = line.strip_prefix("rows:") {
            breakage.rows = rows.trim().to_owned();
        } else if let Some(red) = line.strip_prefix("red:") {
            let mut words: Vec<String> = red.split_whitespace().map(str::to_owned).collect();
            ensure!(
                words.len() >= 3,
                "`# red:` wants a package, a target and at least one test"
            );
            words.insert(0, "--package".to_owned());
            breakage.red.push(words);
        }
    }
    ensure!(
        !breakage.breaks.is_empty(),
        "the patch does not say `# breaks: …`"
    );
    ensure!(
        !breakage.red.is_empty(),
        "the patch does not say `# red: …`"
    );
    Ok(breakage)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_says_what_it_breaks_and_who_must_notice() {
        let breakage = parse(
            "# breaks: the length check\n# rows: D8, H4\n# red: sendense-hub --lib a::b\n--- a/x\n",
        )
        .unwrap();
        assert_eq!(breakage.breaks, "the length check");
        assert_eq!(breakage.rows, "D8, H4");
        assert!(breakage.makes_red("b_is_noticed"));
        assert!(!breakage.makes_red("is_b_noticed") && !breakage.makes_red("sendense-hub"));
        assert_eq!(
            breakage.red,
            [["--package", "sendense-hub", "--lib", "a::b"]]
        );
    }

    #[test]
    fn patches_of_one_kind_are_told_by_their_test_and_crate() {
        let text =
            "# breaks: x\n# red: sendense-hub --lib a::b\n--- a/src-hub/x\n+++ b/src-hub/x\n";
        let binary = ["--package", "sendense-hub", "--lib"].map(str::to_owned);
        assert_eq!(rebuilt(text), (binary.to_vec(), "src-hub".to_owned()));
        assert_eq!(rebuilt("nothing"), (Vec::new(), String::new()));
    }

    #[test]
    fn a_patch_without_tests_is_refused() {
        let error = parse("# breaks: something\n--- a/x\n").unwrap_err();
        assert!(error.to_string().contains("# red:"), "{error}");
    }
}
