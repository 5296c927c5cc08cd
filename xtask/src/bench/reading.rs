//! Reading filesystems, compared with dissect, which does the same in Python, and with another build of ours.
//!
//! We measure the work itself, from the opened filesystem to the end: neither side pays for its start. We check that
//! both saw the same entries and bytes; whether these are right is for the tests.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::disk::Random;
use super::measure::{Run, in_turns, timed_with_output};
use super::table::{Duel, Table};
use crate::process::{self, program, quietly};
use crate::workspace::{self, cargo};

const DISSECT: &str = "dissect";
/// Its packages, pinned: the next versions may be faster.
const DISSECT_PACKAGES: [&str; 2] = ["dissect.extfs==3.15", "dissect.ntfs==3.16"];
const DISSECT_PROGRAM: &str = include_str!("read_disk.py");

const DISK_BYTES: u64 = 1 << 30;
const BIG_FILE_BYTES: usize = 512 << 20;
const N_NAMES: usize = 20_000;
/// The tree: folders in folders, with files in each.
const N_OUTER: usize = 20;
const N_INNER: usize = 25;
const N_FILES: usize = 40;

/// What is done: the word for it, where, and the ratio to dissect that is wanted. One large file is copied out
/// of the system's cache by both, as fast as memory is.
const TASKS: [(&str, &str, Option<f64>); 4] = [
    ("list", "/list", Some(0.3)),
    ("walk", "/tree", Some(0.3)),
    ("read", "/tree", Some(0.8)),
    ("read", "/big", None),
];

/// Programs that do the same, and where.
struct Readers {
    folder: PathBuf,
    ours: PathBuf,
    before: Option<PathBuf>,
}

/// Measures everything and adds it to the table. `before` is the example `read_disk` of another build.
pub(super) fn measure(
    folder: &Path,
    before: Option<&Path>,
    n_pairs: u32,
    seed: u64,
    table: &mut Table,
) -> Result<()> {
    println!("building the example `read_disk`");
    let example = ["--package", "sendense-disk", "--example", "read_disk"];
    process::run(cargo().args(["build", "--release"]).args(example))?;
    let packages = folder.join("packages");
    let mut pip = program("pip");
    pip.args(["install", "--quiet", "--target"]);
    quietly(pip.arg(&packages).args(DISSECT_PACKAGES)).context("cannot fetch dissect")?;
    fs::write(folder.join("peer.py"), DISSECT_PROGRAM)?;
    println!("making the disks");
    make_disks(folder, seed)?;

    let readers = Readers {
        folder: folder.to_path_buf(),
        ours: workspace::target()?.join("release/examples/read_disk"),
        before: before.map(Path::to_path_buf),
    };
    for kind in ["ext4", "ntfs"] {
        for (task, path, aim) in TASKS {
            readers.compare(kind, task, path, aim, n_pairs, table)?;
        }
    }
    Ok(())
}

impl Readers {
    fn compare(
        &self,
        kind: &str,
        task: &str,
        path: &str,
        aim: Option<f64>,
        n_pairs: u32,
        table: &mut Table,
    ) -> Result<()> {
        let what = format!("{kind}: {task} {path}");
        let mut beside_dissect = Duel::new(&what, DISSECT, aim);
        let mut beside_before = Duel::new(&what, "before", Some(1.05));
        for round in 0..n_pairs {
            let ours = || self.ours(&self.ours, kind, task, path);
            let dissect = || self.dissect(kind, task, path);
            add_round(&mut beside_dissect, round, [&ours, &dissect])?;
            if let Some(before) = &self.before {
                let before = || self.ours(before, kind, task, path);
                add_round(&mut beside_before, round, [&ours, &before])?;
            }
        }
        table.add(beside_dissect);
        if self.before.is_some() {
            table.add(beside_before);
        }
        Ok(())
    }

    fn ours(&self, reader: &Path, kind: &str, task: &str, path: &str) -> Result<(Run, String)> {
        let mut command = program(reader);
        command.arg(task).arg(self.disk(kind)).arg(path);
        own_seconds(command)
    }

    fn dissect(&self, kind: &str, task: &str, path: &str) -> Result<(Run, String)> {
        let mut command = program("python3");
        command
            .env("PYTHONPATH", self.folder.join("packages"))
            .arg(self.folder.join("peer.py"))
            .args([kind, task])
            .arg(self.disk(kind))
            .arg(path);
        own_seconds(command)
    }

    fn disk(&self, kind: &str) -> PathBuf {
        self.folder.join(format!("{kind}.img"))
    }
}

/// Has two readers do the same, and makes sure that they saw the same.
fn add_round(
    duel: &mut Duel,
    round: u32,
    readers: [&dyn Fn() -> Result<(Run, String)>; 2],
) -> Result<()> {
    let [(ours, seen), (theirs, they_saw)] = in_turns(round, readers)?;
    ensure!(seen == they_saw, "we saw {seen}, and they {they_saw}");
    duel.add(ours, theirs);
    Ok(())
}

/// Runs one of the readers: the seconds are those it counted itself; the text is what it saw.
fn own_seconds(command: Command) -> Result<(Run, String)> {
    let (run, said) = timed_with_output(command, || Ok(()))?;
    let said = String::from_utf8(said).context("the reader says no text")?;
    let (seconds, seen) = said
        .trim()
        .split_once(' ')
        .context("the reader says no seconds")?;
    let seconds = seconds.parse().context("the reader says no seconds")?;
    Ok((Run { seconds, ..run }, seen.to_owned()))
}

/// One tree of files in an ext4 and an NTFS volume.
fn make_disks(folder: &Path, seed: u64) -> Result<()> {
    let files = folder.join("files");
    write_files(&files, seed)?;
    let image = |kind: &str| -> Result<PathBuf> {
        let path = folder.join(format!("{kind}.img"));
        File::create(&path)?.set_len(DISK_BYTES)?;
        Ok(path)
    };
    let ext4 = image("ext4")?;
    let mut format = program("mke2fs");
    format.args(["-q", "-F", "-t", "ext4", "-N", "60000", "-d"]);
    quietly(format.arg(&files).arg(ext4))?;

    let ntfs = image("ntfs")?;
    quietly(program("mkntfs").args(["-q", "-F", "-f"]).arg(&ntfs))?;
    let mounted = folder.join("mounted");
    fs::create_dir_all(&mounted)?;
    quietly(program("ntfs-3g").arg(&ntfs).arg(&mounted))?;
    let copied = quietly(program("cp").arg("-r").arg(files.join(".")).arg(&mounted));
    quietly(program("umount").arg(&mounted))?;
    copied.map(drop)
}

fn write_files(files: &Path, seed: u64) -> Result<()> {
    let list = files.join("list");
    fs::create_dir_all(&list)?;
    for number in 0..N_NAMES {
        fs::write(
            list.join(format!("name-{number:05}")),
            vec![b'x'; number % 50 * 100],
        )?;
    }
    for outer in 0..N_OUTER {
        for inner in 0..N_INNER {
            let folder = files.join(format!("tree/{outer}/{inner}"));
            fs::create_dir_all(&folder)?;
            for number in 0..N_FILES {
                let content = vec![b'y'; number * 250];
                fs::write(folder.join(format!("file-{number}")), content)?;
            }
        }
    }
    let mut big = File::create(files.join("big"))?;
    let mut random = Random::new(seed);
    let mut buffer = vec![0; 1 << 20];
    for _ in 0..BIG_FILE_BYTES / buffer.len() {
        random.fill(&mut buffer);
        big.write_all(&buffer)?;
    }
    // What is still on its way to the disk would be measured along.
    big.sync_all().map_err(Into::into)
}
