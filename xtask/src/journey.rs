//! `cargo xtask run --terminal`, and `cargo xtask run` without a display: the main job once, before the reader's eyes,
//! with the command lines to repeat it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use sendense_fixtures::{
    Manifest, SAMPLE_VM, carve, sample_folder, sha256, sha256_file, unpack_sample,
};
use serde_json::Value;

use crate::process::{self, program, quietly, shown};
use crate::{setup, workspace};

/// The disk that is opened, and where on it the file lies.
const DISK: usize = 0;
const FOLDER: &str = "Recovery/WindowsRE";
const FILE: &str = "ReAgent.xml";

/// Does the journey and compares the restored file with the original.
pub(crate) fn run() -> Result<()> {
    let started = Instant::now();
    let target = workspace::target()?;
    let place = target.join("run");
    step("set-up: what building and testing need", setup::run)?;
    step(
        "build: the debug profile, whose libraries are optimised; a release build starts minutes later",
        || workspace::build(&["sendense"]).map(drop),
    )?;
    step("sample: unpack the VM pgtest1", || unpack(&target, &place))?;

    let journey = Journey {
        sendense: target.join("debug/sendense"),
        place,
    };
    step("discover the VMs in a folder of disk images", || {
        journey.say(&["vm", "discover", "vms"])
    })?;
    let backup = step("back up all disks of the VM", || {
        journey.ask(&["backup", "start", SAMPLE_VM, "--wait"], "backup_id")
    })?;
    let disk = DISK.to_string();
    let mount = step("open a disk of the backup", || {
        journey.ask(&["restore", "mount", &backup, "--disk", &disk], "mount_id")
    })?;
    let folder = step("find the volume with Windows on it", || {
        journey.find_folder(&mount)
    })?;
    step("list a folder", || {
        journey.say(&["restore", "ls", &mount, &folder])
    })?;
    let file = format!("{folder}/{FILE}");
    step("save a file", || {
        journey.say(&["restore", "get", &mount, &file, "-o", FILE])
    })?;
    step("save a folder as a zip archive", || {
        journey.say(&[
            "restore",
            "get-dir",
            &mount,
            &folder,
            "-o",
            "WindowsRE.zip",
            "--format",
            "zip",
        ])
    })?;
    step("close the disk", || {
        journey.say(&["restore", "unmount", &mount])
    })?;
    step("compare the file with the original", || journey.compare())?;
    println!(
        "\nEverything is in {}; the whole run took {:.1} s.",
        journey.place.display(),
        started.elapsed().as_secs_f64()
    );
    Ok(())
}

/// Announces a step, does it and says how long it took.
fn step<T>(what: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    println!("\n== {what}");
    let started = Instant::now();
    let result = work().with_context(|| format!("this step failed: {what}"))?;
    println!("-- {:.2} s", started.elapsed().as_secs_f64());
    Ok(result)
}

/// Puts a fresh sample into the folder of the run.
fn unpack(target: &Path, place: &Path) -> Result<()> {
    if place.exists() {
        fs::remove_dir_all(place)
            .with_context(|| format!("cannot remove the last run in {}", place.display()))?;
    }
    let vms = place.join("vms");
    fs::create_dir_all(&vms)?;
    let unpacked = unpack_sample(&target.join("fixtures"))?;
    process::run(
        program("cp")
            .args(["-R", "--sparse=always", "--reflink=auto"])
            .args([&unpacked, &vms.join(SAMPLE_VM)]),
    )?;
    println!("  {}", vms.join(SAMPLE_VM).display());
    Ok(())
}

/// The command line and the folder it runs in.
struct Journey {
    sendense: PathBuf,
    place: PathBuf,
}

impl Journey {
    /// One `sendense` command on the data directory of this run.
    fn command(&self, args: &[&str]) -> Command {
        let mut command = program(&self.sendense);
        command
            .current_dir(&self.place)
            .args(["--data", "data"])
            .args(args);
        command
    }

    /// Prints the command as a newcomer would type it.
    fn announce(&self, command: &Command) {
        let line = shown(command);
        let line = line.replacen(
            &process::quoted(&self.sendense.to_string_lossy()),
            "sendense",
            1,
        );
        println!("  $ {line}");
    }

    /// Runs a command whose answer is for the reader.
    fn say(&self, args: &[&str]) -> Result<()> {
        let mut command = self.command(args);
        self.announce(&command);
        process::run(&mut command)
    }

    /// Runs a command, with its answer in JSON, and takes one field out of it.
    fn ask(&self, args: &[&str], field: &str) -> Result<String> {
        let answer = self.json(args)?;
        let value = answer[field]
            .as_str()
            .with_context(|| format!("the answer has no {field}: {answer}"))?;
        println!("  {field}: {value}");
        Ok(value.to_owned())
    }

    /// Runs a command with its answer in JSON.
    fn json(&self, args: &[&str]) -> Result<Value> {
        let mut command = self.command(args);
        command.arg("--json");
        self.announce(&command);
        let answer = quietly(&mut command)?;
        serde_json::from_slice(&answer).context("the answer is no JSON")
    }

    /// The wanted folder inside the mounted disk, whose volumes appear as folders of their own.
    fn find_folder(&self, mount: &str) -> Result<String> {
        let top = self.json(&["restore", "ls", mount, "/"])?;
        let first = FOLDER.split('/').next().unwrap_or_default();
        for volume in top["files"].as_array().into_iter().flatten() {
            let path = volume["path"].as_str().unwrap_or_default();
            if path.trim_matches('/') == first {
                return Ok(format!("/{FOLDER}"));
            }
            if volume["type"] == "directory" {
                let inside = self.json(&["restore", "ls", mount, path])?;
                let found = inside["files"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .any(|file| file["name"] == first);
                if found {
                    println!("  {path}/{FOLDER}");
                    return Ok(format!("{path}/{FOLDER}"));
                }
            }
        }
        bail!("no volume of the disk has a folder {first}")
    }

    /// Compares the restored file with what ntfscat reads from the source image.
    fn compare(&self) -> Result<()> {
        let manifest = Manifest::load(&sample_folder())?;
        let disk = &manifest.disks[DISK];
        let volume = disk
            .volumes
            .iter()
            .find(|volume| volume.filesystem == "ntfs");
        let volume = volume.context("the sample has no NTFS volume")?;
        let carved = self.place.join("ntfs-volume.img");
        carve(
            &self.place.join("vms").join(SAMPLE_VM).join(&disk.file),
            volume.start,
            volume.size_bytes,
            &carved,
        )?;
        let mut ntfscat = program("ntfscat");
        ntfscat
            .current_dir(&self.place)
            .arg("ntfs-volume.img")
            .arg(format!("/{FOLDER}/{FILE}"));
        println!("  $ {}", shown(&ntfscat));
        let original = sha256(&mut quietly(&mut ntfscat)?.as_slice())?;
        let restored = sha256_file(&self.place.join(FILE))?;
        println!("  SHA-256 of the restored file: {restored}");
        println!("  SHA-256 that ntfscat gives:   {original}");
        ensure!(
            restored == original,
            "the restored file differs from the original"
        );
        println!("  equal, byte for byte");
        Ok(())
    }
}
