//! Saving a large file of a backup, compared with `curl` and a sync of what it wrote, from the same hub.
//!
//! Ours is what a user waits for: the file has its name, was hashed on the way and is on the disk.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::disk::Random;
use super::hub::Hub;
use super::measure::{Run, in_turns, timed};
use super::table::{Duel, Table};
use crate::process::{program, quietly};

/// What it is called on the disk.
const NAME: &str = "big.bin";
/// What of the hub's address leads to what it offers.
const API: &str = "/api/v1";

/// Measures saving a file of that size and adds it to the table.
pub(super) fn measure(
    folder: &Path,
    sendense: &Path,
    size_bytes: u64,
    n_pairs: u32,
    seed: u64,
    table: &mut Table,
) -> Result<()> {
    println!("making the disk, and backing it up");
    let original = make_disk(folder, size_bytes, seed)?;
    let hub = Hub::start(sendense, folder)?;
    hub.json(&["vm", "discover", "vms"])?;
    let backup = hub.json(&["backup", "start", "bench", "--wait"])?;
    let backup = backup["backup_id"]
        .as_str()
        .context("the backup has no id")?;
    let mount = hub.json(&["restore", "mount", backup])?;
    let mount = mount["mount_id"].as_str().context("the mount has no id")?;
    let address = format!("{}{API}/restore/{mount}/download?path=/{NAME}", hub.url());

    println!("\nsaving a file");
    let saved = folder.join("saved.bin");
    let run = |mut command: Command, and_then: fn(&Path) -> Result<()>| -> Result<Run> {
        command.arg(&saved);
        let run = timed(command, || and_then(&saved))?;
        quietly(program("cmp").arg(&original).arg(&saved))?;
        fs::remove_file(&saved)?;
        Ok(run)
    };
    let ours = || {
        let path = format!("/{NAME}");
        let get = hub.command(&["restore", "get", mount, &path, "--output"]);
        run(get, |_| Ok(()))
    };
    let curl = || {
        let mut curl = program("curl");
        curl.args(["--silent", "--show-error", "--fail"]);
        curl.args([&address, "--output"]);
        run(curl, |saved| Ok(File::open(saved)?.sync_all()?))
    };
    let what = format!("save a file of {} GiB", size_bytes >> 30);
    let mut duel = Duel::new(&what, "`curl -o F`, fsync", Some(1.05));
    for round in 0..n_pairs {
        let acts: [&dyn Fn() -> Result<Run>; 2] = [&ours, &curl];
        let [our, theirs] = in_turns(round, acts)?;
        duel.add(our, theirs);
        println!("  round {} of {n_pairs}", round + 1);
    }
    table.add(duel);
    println!("memory of the hub: {} MiB at most", hub.peak_bytes()? >> 20);
    Ok(())
}

/// A disk with one large file of data that does not compress; says where the file as it was is.
fn make_disk(folder: &Path, size_bytes: u64, seed: u64) -> Result<PathBuf> {
    let (tree, vm) = (folder.join("tree"), folder.join("vms/bench"));
    fs::create_dir_all(&tree)?;
    fs::create_dir_all(&vm)?;
    let original = tree.join(NAME);
    let mut file = File::create(&original)?;
    let mut random = Random::new(seed);
    let mut piece = vec![0; 1 << 20];
    ensure!(size_bytes.is_multiple_of(1 << 20), "whole MiB are written");
    for _ in 0..size_bytes >> 20 {
        random.fill(&mut piece);
        file.write_all(&piece)?;
    }
    file.sync_all()?;
    let mut make = program("mke2fs");
    make.args(["-q", "-t", "ext4", "-d"]).arg(&tree);
    let room = (size_bytes >> 20) + (size_bytes >> 24) + 256;
    quietly(make.arg(vm.join("disk.raw")).arg(format!("{room}M")))?;
    Ok(original)
}
