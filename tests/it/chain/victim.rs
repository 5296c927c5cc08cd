//! A VM whose backups are interrupted, and its disks at all times to compare with.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use sendense_tests::{
    Outcome, Random, qemu_img_check, qemu_img_compare, seed, sendense, temp_dir, tool,
};
use serde_json::Value;
use tempfile::TempDir;

use super::{cli, image_of, new_disk, scribble};

const DISK_BYTES: u64 = (12 << 20) + 1536;

pub(super) struct Victim {
    folder: TempDir,
    pub(super) random: Random,
    source: PathBuf,
    disk: File,
    /// By backup id: a copy of the source of that time.
    sources: BTreeMap<String, PathBuf>,
    /// A copy of the source as it is now.
    now: PathBuf,
    n_copies: u32,
}

impl Victim {
    /// A VM that the hub knows and has not backed up.
    pub(super) fn new() -> Self {
        let folder = temp_dir();
        let (source, disk) = new_disk(folder.path());
        disk.set_len(DISK_BYTES).unwrap();
        let victim = Self {
            random: Random(seed() | 1),
            now: source.clone(),
            source,
            disk,
            sources: BTreeMap::new(),
            n_copies: 0,
            folder,
        };
        victim.run(&["vm", "discover", "vms"]);
        victim
    }

    pub(super) fn run(&self, arguments: &[&str]) -> Value {
        cli(self.folder.path(), arguments).run().json()
    }

    /// Does this with what strace shall do to its calls; strace says nothing itself.
    pub(super) fn injected(&self, calls: &str, fault: &str, arguments: &[&str]) -> Outcome {
        tool("strace")
            .args(["-f", "-qq", "-o", "/dev/null"])
            .args(["-e", &format!("trace={calls}")])
            .args(["-e", &format!("inject={calls}:{fault}")])
            .arg(sendense().program())
            .args(["--data", "data", "--json"])
            .args(arguments)
            .current_dir(self.folder.path())
            .outcome()
    }

    /// Something happens on the disk.
    pub(super) fn change(&mut self) {
        scribble(&self.disk, &mut self.random);
        self.n_copies += 1;
        self.now = self.folder.path().join(format!("kept-{}", self.n_copies));
        tool("cp")
            .args(["--sparse=always", "--reflink=auto"])
            .args([&self.source, &self.now])
            .run();
    }

    /// The finished backups, newest first.
    pub(super) fn points(&self) -> Vec<Value> {
        let list = self.run(&["backup", "list", "vm"]);
        let backups = list["backups"].as_array().unwrap();
        for backup in backups {
            assert_ne!(backup["status"], "active", "nothing runs after a start");
            if backup["status"] == "failed" {
                let reason = backup["error_message"].as_str().unwrap();
                assert!(reason.split(' ').count() > 2, "{backup}");
            }
        }
        backups
            .iter()
            .filter(|backup| backup["status"] == "completed")
            .map(|backup| self.run(&["backup", "show", backup["backup_id"].as_str().unwrap()]))
            .collect()
    }

    /// Every finished backup is the disk of its time, new ones that of this moment; gives their ids, newest
    /// first.
    pub(super) fn check(&mut self) -> Vec<String> {
        let points = self.points();
        // A deleted backup's id may be given again within its second.
        let known = ids(&points);
        self.sources.retain(|id, _| known.contains(id));
        for point in &points {
            let id = point["backup_id"].as_str().unwrap().to_owned();
            let source = self.sources.entry(id).or_insert_with(|| self.now.clone());
            let image = image_of(point);
            qemu_img_check(&image);
            qemu_img_compare(source, "raw", &image, "qcow2");
        }
        known
    }

    /// There is no image and no map that was not finished.
    #[track_caller]
    pub(super) fn assert_nothing_unfinished(&self) {
        let mut found = Vec::new();
        partial_files(&self.folder.path().join("data/repository"), &mut found);
        assert_eq!(found, [""; 0]);
    }

    /// Nothing unfinished is left, and the next backup, onto these recovery points, is right.
    #[track_caller]
    pub(super) fn go_on(&mut self, points: &[String]) {
        self.assert_nothing_unfinished();
        let kind = match points {
            [] => "full",
            _ => "incremental",
        };
        self.run(&["backup", "start", "vm", "--type", kind, "--wait"]);
        self.check();
    }
}

/// What to do, with that recovery point where it says `OLDEST`.
pub(super) fn with_oldest<'w>(work: &[&'w str], oldest: &'w str) -> Vec<&'w str> {
    let named = |word: &&'w str| if *word == "OLDEST" { oldest } else { *word };
    work.iter().map(named).collect()
}

fn ids(points: &[Value]) -> Vec<String> {
    points
        .iter()
        .map(|point| point["backup_id"].as_str().unwrap().to_owned())
        .collect()
}

fn partial_files(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            partial_files(&path, found);
        } else if path.extension().is_some_and(|end| end == "partial") {
            found.push(path.display().to_string());
        }
    }
}
