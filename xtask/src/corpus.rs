//! `cargo xtask corpus`: other projects' test disks, put through the product and compared with a judge each.
//!
//! They come in packages: Debian's sources, Python's and Rust's. The packages' own clients download them to
//! `target/corpus`; they are never part of this repository. Each disk is treated like a user's: discover, back up,
//! mount, list every folder, get every file. Then a judge that shares no code with us says what is on it. `--write`
//! puts the verdicts into docs/corpus.md.

mod compare;
mod images;
mod judge;
mod packages;
mod product;
mod report;
mod tree;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, anyhow, ensure};
use clap::Args;

use self::compare::Verdict;
use self::judge::Judge;
use self::packages::{PACKAGES, Package};
use self::product::Product;
use self::report::{Line, Report};
use crate::{setup, workspace};

/// Most of the time is spent waiting for other programs to start and end.
const WORKERS: usize = 4;

/// What is judged.
#[derive(Args, Default)]
pub(crate) struct Options {
    /// Keep the table in docs/corpus.md
    #[arg(long)]
    write: bool,
    /// Only images whose package or name contains this
    #[arg(long, value_name = "TEXT", conflicts_with = "write")]
    only: Option<String>,
    /// Judge this `sendense` and build none
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
}

/// Judges the `sendense` that was built before.
pub(crate) fn run_built() -> Result<()> {
    let options = Options {
        program: Some(workspace::target()?.join("debug/sendense")),
        ..Options::default()
    };
    run(&options)
}

/// Fetches and judges, prints the table, and fails when something is wrong, missing, or no longer right.
pub(crate) fn run(options: &Options) -> Result<()> {
    setup::corpus()?;
    let target = workspace::target()?;
    let sendense = match &options.program {
        Some(program) => program.canonicalize().context("there is no such program")?,
        None => {
            println!("building `sendense`");
            workspace::build(&["sendense"])?.join("sendense")
        }
    };
    let folder = target.join("corpus");
    let mut report = Report::default();
    let mut images = Vec::new();
    for package in PACKAGES {
        match images::of(package, &folder) {
            Ok(found) => images.extend(found.into_iter().map(|image| (package, image))),
            Err(error) => {
                println!("{package}: not to be had: {error:#}");
                report.absent(package);
            }
        }
    }
    if let Some(only) = &options.only {
        images.retain(|(package, image)| {
            package.to_string().contains(only) || image.to_string_lossy().contains(only)
        });
    }
    println!("{} images", images.len());
    let work = folder.join("work");
    if work.exists() {
        judge::unmount_below(&work)?;
        fs::remove_dir_all(&work)
            .with_context(|| format!("cannot remove the last run in {}", work.display()))?;
    }
    fs::create_dir_all(&work)?;
    for line in judge_all(&images, &sendense, &work)? {
        report.add(line);
    }
    report.save(&folder.join("report.tsv"))?;
    println!("\n{}", report.to_markdown());
    let kept = workspace::root().join("docs/corpus.md");
    if options.write {
        fs::write(&kept, report.to_markdown())
            .with_context(|| format!("cannot write {}", kept.display()))?;
    }
    let floor = match &options.only {
        Some(_) => 0,
        None => report::right_in(&fs::read_to_string(&kept).unwrap_or_default()),
    };
    report.hold(floor)
}

/// Everything, in the order of `images`.
fn judge_all(images: &[(&Package, PathBuf)], sendense: &Path, work: &Path) -> Result<Vec<Line>> {
    let judge = Judge::new(work)?;
    let next = AtomicUsize::new(0);
    let worker = |number: usize| -> Result<Vec<(usize, Line)>> {
        let product = Product::start(sendense, &work.join(format!("worker-{number}")))?;
        let mut lines = Vec::new();
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some((package, image)) = images.get(place) else {
                return Ok(lines);
            };
            let started = Instant::now();
            let line = judged(package, image, &product, &judge);
            println!("{:.1} s\t{line}", started.elapsed().as_secs_f64());
            lines.push((place, line));
        }
    };
    let mut lines = Vec::new();
    thread::scope(|scope| -> Result<()> {
        let worker = &worker;
        let workers: Vec<_> = (0..WORKERS)
            .map(|number| scope.spawn(move || worker(number)))
            .collect();
        for worker in workers {
            lines.extend(worker.join().map_err(|_| anyhow!("a worker panicked"))??);
        }
        Ok(())
    })?;
    lines.sort_by_key(|(place, _)| *place);
    Ok(lines.into_iter().map(|(_, line)| line).collect())
}

fn judged(package: &Package, image: &Path, product: &Product, judge: &Judge) -> Line {
    let name = images::name(image);
    let outcome = product
        .read(image)
        .and_then(|seen| Ok(compare::verdict(&judge.judge(image)?, &seen)));
    let (verdict, reason) = outcome.unwrap_or_else(|error| {
        let reason = format!("could not be judged: {error:#}");
        (Verdict::Unjudged, reason)
    });
    // Where this machine keeps it is nobody's business.
    let place = image.parent().unwrap_or(image).display().to_string();
    let words: Vec<&str> = reason.split_whitespace().collect();
    let reason = words.join(" ").replace(&place, "…");
    Line {
        package: package.to_string(),
        name,
        verdict,
        reason,
    }
}

/// A folder that is gone with what it holds when it is dropped.
fn scratch(parent: &Path) -> Result<tempfile::TempDir> {
    tempfile::tempdir_in(parent).context("cannot make a folder to work in")
}

/// The one file of that kind in a folder.
fn only_file(folder: &Path, wanted: impl Fn(&str) -> bool) -> Result<PathBuf> {
    let files: Vec<PathBuf> = fs::read_dir(folder)?
        .map(|file| Ok(file?.path()))
        .collect::<Result<_>>()?;
    let mut files = files.into_iter().filter(|file| wanted(&images::name(file)));
    let file = files.next();
    let file = file.with_context(|| format!("{} does not hold it", folder.display()))?;
    ensure!(files.next().is_none(), "{} holds several", folder.display());
    Ok(file)
}
