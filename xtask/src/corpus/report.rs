//! The verdicts: one line each in `target/corpus/report.tsv`, and the tables in docs/corpus.md.

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::compare::Verdict;
use super::packages::Package;

/// Reasons are cut to this many characters in the document.
const MAX_REASON: usize = 200;

/// The verdict on one image.
pub(super) struct Line {
    pub(super) package: String,
    pub(super) name: String,
    pub(super) verdict: Verdict,
    pub(super) reason: String,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            package,
            name,
            verdict,
            reason,
        } = self;
        write!(f, "{verdict}\t{package}\t{name}\t{reason}")
    }
}

/// All verdicts.
#[derive(Default)]
pub(super) struct Report {
    lines: Vec<Line>,
    absent: Vec<String>,
}

impl Report {
    pub(super) fn add(&mut self, line: Line) {
        self.lines.push(line);
    }

    /// A package that could not be had.
    pub(super) fn absent(&mut self, package: &Package) {
        self.absent.push(package.to_string());
    }

    pub(super) fn save(&self, file: &Path) -> Result<()> {
        let lines: String = self.lines.iter().map(|line| format!("{line}\n")).collect();
        fs::write(file, lines).with_context(|| format!("cannot write {}", file.display()))
    }

    fn count(&self, verdict: Verdict) -> usize {
        let lines = self.lines.iter();
        lines.filter(|line| line.verdict == verdict).count()
    }

    /// Fails when something is wrong or missing, or less is right than was kept.
    pub(super) fn hold(&self, floor: usize) -> Result<()> {
        let [wrong, missing] = [Verdict::Wrong, Verdict::Missing].map(|kind| self.count(kind));
        let right = self.count(Verdict::Right);
        ensure!(
            wrong + missing == 0,
            "{wrong} images are shown wrongly and {missing} in part, without a word"
        );
        ensure!(
            right >= floor,
            "{right} images are right, and {floor} were when docs/corpus.md was written"
        );
        Ok(())
    }

    /// docs/corpus.md.
    pub(super) fn to_markdown(&self) -> String {
        let mut text = INTRODUCTION.to_owned();
        let mut packages: BTreeMap<&str, Vec<&Line>> = BTreeMap::new();
        for line in &self.lines {
            packages.entry(&line.package).or_default().push(line);
        }
        for (package, lines) in &packages {
            row(&mut text, package, lines.iter().copied());
        }
        for package in &self.absent {
            writeln!(text, "| {package} | not to be had | | | | | |").ok();
        }
        row(&mut text, "**all**", self.lines.iter());
        text.push_str("\n## What is not right\n\n| verdict | image | why |\n| --- | --- | --- |\n");
        let mut lines: Vec<&Line> = self.lines.iter().collect();
        lines.sort_by_key(|line| (std::cmp::Reverse(line.verdict), &line.package, &line.name));
        for line in lines {
            if line.verdict != Verdict::Right {
                let reason: String = line.reason.chars().take(MAX_REASON).collect();
                let reason = reason.replace('|', "\\|").replace('<', "&lt;");
                writeln!(text, "| {} | {} | {reason} |", line.verdict, line.name).ok();
            }
        }
        text
    }
}

const INTRODUCTION: &str = "# Disks of other projects

`cargo xtask corpus --write` writes this page. It downloads packages with images that other projects use for testing,
puts each image through discovery, backup, mount, listing and restore, and compares with a judge that shares no code
with the product.

- **right**: the backup equals the image, and every name, size, file time, link target and SHA-256 matches the judge.
  For ext, the judge is the kernel's mount of a copy. Damaged filesystems are first repaired on that copy by
  `e2fsck -fy`; because a repair removes things, a name may also match what `debugfs` shows without the repair. The
  judge for NTFS is ntfs-3g, for FAT mtools, for partition tables `partx`, for image formats `qemu-img compare`.
- **refused**: whatever is not shown or restored is reported, with its kind (as blkid names it) or the reason.
- **missing**, **wrong**: something is absent or different, and nothing says so. Either one fails the run.
- **unjudged**: the judge itself has no answer.

A run also fails if fewer images are right than this page says.

| package | images | right | refused | unjudged | missing | wrong |
| --- | --- | --- | --- | --- | --- | --- |
";

fn row<'a>(text: &mut String, name: &str, lines: impl Iterator<Item = &'a Line>) {
    let lines: Vec<&Line> = lines.collect();
    let count = |verdict| lines.iter().filter(|line| line.verdict == verdict).count();
    writeln!(
        text,
        "| {name} | {} | {} | {} | {} | {} | {} |",
        lines.len(),
        count(Verdict::Right),
        count(Verdict::Refused),
        count(Verdict::Unjudged),
        count(Verdict::Missing),
        count(Verdict::Wrong)
    )
    .ok();
}

/// How many images are right, by a page written before.
pub(super) fn right_in(page: &str) -> usize {
    let all = page.lines().find(|line| line.starts_with("| **all** |"));
    let right = all.and_then(|line| line.split('|').nth(3));
    right
        .and_then(|right| right.trim().parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fewer_right_images_than_the_page_says_are_a_failure() {
        let mut report = Report::default();
        report.add(Line {
            package: "Debian some".to_owned(),
            name: "some-image".to_owned(),
            verdict: Verdict::Right,
            reason: String::new(),
        });
        assert_eq!(right_in(&report.to_markdown()), 1);
        report.hold(1).unwrap();
        report.hold(2).unwrap_err();
    }

    #[test]
    fn anything_wrong_or_missing_is_a_failure() {
        for verdict in [Verdict::Missing, Verdict::Wrong] {
            let mut report = Report::default();
            report.add(Line {
                package: String::new(),
                name: String::new(),
                verdict,
                reason: String::new(),
            });
            report.hold(0).unwrap_err();
        }
    }
}
