//! `cargo xtask bench`: the engine's time and memory, compared with other people's tools.
//!
//! Both sides do the same work on the same disk image in turns, so that whatever else the computer does affects both;
//! what counts is the median of the ratios. For backups we measure what a user waits for: the command from start to
//! end, against a running hub. For filesystems we measure the reading alone. Put the result into docs/performance.md.

mod disk;
mod hub;
mod measure;
mod peers;
mod reading;
mod restoring;
mod table;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};

use self::disk::TestDisk;
pub(crate) use self::hub::Hub;
use self::measure::{Run, in_turns};
use self::peers::{Borg, Restic};
use self::table::{Duel, Table};
use crate::process::{self, program, quietly};
use crate::setup;
use crate::workspace::{self, cargo};

/// What is measured.
#[derive(Args)]
pub(crate) struct Options {
    /// Only this; everything when it is left out
    what: Option<Subject>,
    /// Size of the virtual disk, half of which holds data, and of the file that is saved
    #[arg(long, value_name = "GIB", default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=64))]
    size: u64,
    /// How often each is done
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=99))]
    pairs: u32,
    /// What the disk's content is made from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The example `read_disk` of another build, to measure reading beside it
    #[arg(long, value_name = "PROGRAM")]
    before: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Subject {
    /// Backing up and verifying
    Backups,
    /// Listing, walking and reading filesystems
    Reading,
    /// Saving a file of a backup
    Restoring,
}

/// Where everything lies, and what is measured on it.
struct Bench {
    folder: PathBuf,
    disk: TestDisk,
    hub: Hub,
    pairs: u32,
    table: Table,
}

/// Measures what is wanted and prints the tables.
pub(crate) fn run(options: &Options) -> Result<()> {
    setup::bench()?;
    let is_wanted = |subject| options.what.is_none_or(|what| what == subject);
    if is_wanted(Subject::Backups) {
        backups(options)?;
    }
    if is_wanted(Subject::Reading) {
        reading(options)?;
    }
    if is_wanted(Subject::Restoring) {
        restoring(options)?;
    }
    Ok(())
}

fn restoring(options: &Options) -> Result<()> {
    let sendense = released()?;
    let folder = fresh_folder("bench-restoring")?;
    let mut table = Table::default();
    let (size, pairs, seed) = (options.size << 30, options.pairs, options.seed);
    restoring::measure(&folder, &sendense, size, pairs, seed, &mut table)?;
    println!("\n{}", table.to_markdown());
    fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))
}

/// Our program as users have it.
fn released() -> Result<PathBuf> {
    println!("building `sendense` as it is released; this takes some minutes the first time");
    process::run(cargo().args(["build", "--release", "--package", "sendense"]))?;
    Ok(workspace::target()?.join("release/sendense"))
}

fn reading(options: &Options) -> Result<()> {
    let folder = fresh_folder("bench-reading")?;
    let mut table = Table::default();
    let before = options.before.as_deref();
    reading::measure(&folder, before, options.pairs, options.seed, &mut table)?;
    println!("\n{}", table.to_markdown());
    fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))
}

/// A folder below the target folder, with nothing in it that the last run has left.
fn fresh_folder(name: &str) -> Result<PathBuf> {
    let folder = workspace::target()?.join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder)
            .with_context(|| format!("cannot remove the last run in {}", folder.display()))?;
    }
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

fn backups(options: &Options) -> Result<()> {
    let sendense = released()?;
    let folder = fresh_folder("bench")?;
    let image = folder.join("vms/bench/disk.raw");
    let disk = TestDisk::create(&image, options.size << 30, options.seed)?;
    println!("the disk: {}", disk.describe());
    let hub = Hub::start(&sendense, &folder)?;
    hub.json(&["vm", "discover", "vms"])?;
    let mut bench = Bench {
        folder,
        disk,
        hub,
        pairs: options.pairs,
        table: Table::default(),
    };
    bench.full()?;
    let newest = bench.incremental()?;
    bench.verify(&newest)?;
    let Bench {
        folder, hub, table, ..
    } = bench;
    drop(hub);
    println!("\n{}", peers::versions()?);
    println!("{}", table.to_markdown());
    fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))
}

/// A finished backup.
struct Backup {
    id: String,
    image: PathBuf,
}

impl Bench {
    /// Full backups beside `qemu-img convert` with each of the ways to write that it has: carefully, as
    /// fast as it can and then all at once through to the disk, and not through to the disk at all.
    fn full(&mut self) -> Result<()> {
        println!("\nfull backups");
        let ours = |bench: &Self| {
            let (run, backup) = bench.back_up("full")?;
            judge(&bench.disk, &backup)?;
            bench.hub.json(&["backup", "delete", &backup.id])?;
            Ok(run)
        };
        let careful = |bench: &Self| bench.convert("writeback", true);
        let at_once = |bench: &Self| bench.convert("unsafe", true);
        let not_durable = |bench: &Self| bench.convert("unsafe", false);
        let mut duels = [
            ("`qemu-img convert -t writeback`, fsync", Some(1.0)),
            ("`qemu-img convert -t unsafe`, fsync", Some(1.0)),
            ("`qemu-img convert -t unsafe`, no fsync", None),
        ]
        .map(|(peer, aim)| Duel::new("full backup", peer, aim));
        for round in 0..self.pairs {
            let [our, peers @ ..] = self.round(round, [&ours, &careful, &at_once, &not_durable])?;
            for (duel, peer) in duels.iter_mut().zip(peers) {
                duel.add(our, peer);
            }
        }
        for duel in duels {
            self.table.add(duel);
        }
        Ok(())
    }

    /// Backups after a hundredth of the data changed, beside those of restic and borg, which have seen
    /// the disk before like we have. Gives our newest.
    fn incremental(&mut self) -> Result<Backup> {
        println!("\nfirst backups, to build on");
        let restic = Restic::create(&self.folder)?;
        let borg = Borg::create(&self.folder)?;
        self.back_up("full")?;
        restic.back_up(self.disk.path())?;
        borg.back_up(self.disk.path(), "first")?;

        println!("incremental backups");
        let mut beside_restic = Duel::new("incremental after 1 %", "`restic backup`", Some(0.3));
        let mut beside_borg = Duel::new("incremental after 1 %", "`borg create`", Some(0.3));
        let mut newest = None;
        for round in 0..self.pairs {
            self.disk.change(100)?;
            let ours = |bench: &Self| bench.back_up("incremental");
            let peers: [&Act<'_, (Run, Option<Backup>)>; 3] = [
                &|bench| ours(bench).map(|(run, backup)| (run, Some(backup))),
                &|bench| Ok((restic.back_up(bench.disk.path())?, None)),
                &|bench| {
                    let name = format!("round-{round}");
                    Ok((borg.back_up(bench.disk.path(), &name)?, None))
                },
            ];
            let [(our, backup), (restics, _), (borgs, _)] = self.round(round, peers)?;
            beside_restic.add(our, restics);
            beside_borg.add(our, borgs);
            newest = backup;
        }
        self.table.add(beside_restic);
        self.table.add(beside_borg);
        newest.context("no round was measured")
    }

    /// Verifying the newest of a chain beside `qemu-img compare` of it and the disk.
    fn verify(&mut self, backup: &Backup) -> Result<()> {
        println!("\nverifying");
        let mut duel = Duel::new("verify", "`qemu-img compare`", Some(0.7));
        for round in 0..self.pairs {
            let ours = |bench: &Self| {
                let command = bench.hub.command(&["backup", "verify", &backup.id]);
                let (run, said) = bench.hub.timed(command)?;
                ensure!(said["status"] == "sound", "the backup is not sound: {said}");
                Ok(run)
            };
            let peer = |bench: &Self| {
                let mut compare = program("qemu-img");
                compare.args(["compare", "-f", "raw", "-F", "qcow2"]);
                compare.arg(bench.disk.path()).arg(&backup.image);
                measure::timed(compare, || Ok(()))
            };
            let [our, theirs] = self.round(round, [&ours, &peer])?;
            duel.add(our, theirs);
        }
        self.table.add(duel);
        Ok(())
    }

    fn round<T, const N: usize>(&self, round: u32, acts: [&Act<'_, T>; N]) -> Result<[T; N]> {
        let results = in_turns(round, acts.map(|act| || act(self)))?;
        println!("  round {} of {}", round + 1, self.pairs);
        Ok(results)
    }

    /// `sendense backup start --wait`.
    fn back_up(&self, kind: &str) -> Result<(Run, Backup)> {
        let args = ["backup", "start", "bench", "--type", kind, "--wait"];
        let (run, said) = self.hub.timed(self.hub.command(&args))?;
        ensure!(said["backup_type"] == kind, "not {kind}: {said}");
        let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
        let id = text(&said["backup_id"]).context("the backup has no id")?;
        let image = text(&said["disks"][0]["qcow2_path"]).context("the backup has no image")?;
        let image = PathBuf::from(image);
        Ok((run, Backup { id, image }))
    }

    /// `qemu-img convert` into an image that is removed again.
    fn convert(&self, cache: &str, is_durable: bool) -> Result<Run> {
        let image = self.folder.join("converted.qcow2");
        let mut convert = program("qemu-img");
        convert.args(["convert", "-f", "raw", "-O", "qcow2", "-t", cache]);
        convert.arg(self.disk.path()).arg(&image);
        let run = measure::timed(convert, || {
            if is_durable {
                fs::File::open(&image)?.sync_all()?;
                fs::File::open(&self.folder)?.sync_all()?;
            }
            Ok(())
        })?;
        fs::remove_file(&image)?;
        Ok(run)
    }
}

/// One side of a round.
type Act<'a, T> = dyn Fn(&Bench) -> Result<T> + 'a;

/// A fast backup of something else would be easy: the image holds the disk, says somebody else.
fn judge(disk: &TestDisk, backup: &Backup) -> Result<()> {
    let image: &Path = &backup.image;
    quietly(program("qemu-img").args(["check", "-q"]).arg(image))?;
    let mut compare = program("qemu-img");
    compare.args(["compare", "-q", "-f", "raw", "-F", "qcow2"]);
    quietly(compare.arg(disk.path()).arg(image)).map(drop)
}
