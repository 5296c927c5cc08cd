//! Full repositories: backups, retention and the database itself run out of room, and continue when there is some
//! again.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sendense_tests::{Outcome, Recording, SmallDisk, sendense, skip, temp_dir, tool, until};
use serde_json::Value;
use tempfile::TempDir;

use super::new_disk;

const MIB: u64 = 1 << 20;

/// A VM whose disk lies elsewhere, and a hub whose data lies on a small disk.
struct Bench {
    small: SmallDisk,
    folder: TempDir,
    disk: File,
    /// By backup id: the disk of that time.
    kept: Vec<(String, PathBuf)>,
}

impl Bench {
    fn new(size: &str, disk_bytes: u64) -> Option<Self> {
        let small = SmallDisk::new(size)?;
        let folder = temp_dir();
        let (_, disk) = new_disk(folder.path());
        disk.set_len(disk_bytes).unwrap();
        let bench = Self {
            small,
            folder,
            disk,
            kept: Vec::new(),
        };
        let vms = bench.folder.path().join("vms");
        bench.run(&["vm", "discover", &vms.to_string_lossy()]);
        Some(bench)
    }

    fn outcome(&self, args: &[&str]) -> Outcome {
        let hub = self.small.tool(sendense().program());
        hub.args(["--data", "data", "--json"]).args(args).outcome()
    }

    fn run(&self, args: &[&str]) -> Value {
        let outcome = self.outcome(args);
        assert_eq!(outcome.code, Some(0), "{outcome}");
        outcome.json()
    }

    /// So many MiB of the disk, from that one on, hold this from now on.
    fn write(&self, from: u64, n: u64, byte: u8) {
        for at in from..from + n {
            let bytes = vec![byte; 1 << 20];
            self.disk.write_all_at(&bytes, at * MIB).unwrap();
        }
    }

    /// Backs the VM up and remembers what it held.
    fn back_up(&mut self, kind: &str) -> String {
        let backup = self.run(&["backup", "start", "vm", "--type", kind, "--wait"]);
        let id = backup["backup_id"].as_str().unwrap().to_owned();
        let copy = self.folder.path().join(&id);
        tool("cp")
            .args(["--sparse=always", "--reflink=auto", "vms/vm/disk.raw"])
            .arg(&copy)
            .current_dir(self.folder.path())
            .run();
        self.kept.push((id.clone(), copy));
        id
    }

    /// Every recovery point that is on record is what it was; gives their number.
    fn check(&self) -> usize {
        let list = self.run(&["backup", "list", "vm"]);
        let backups = list["backups"].as_array().unwrap();
        let finished = backups
            .iter()
            .filter(|backup| backup["status"] == "completed");
        let mut n_points = 0;
        for backup in finished {
            let id = backup["backup_id"].as_str().unwrap();
            let image = self.run(&["backup", "show", id])["disks"][0]["qcow2_path"].clone();
            let image = Path::new(image.as_str().unwrap());
            let (_, kept) = self.kept.iter().find(|(known, _)| known == id).unwrap();
            let qemu_img = || self.small.tool("qemu-img");
            qemu_img().arg("check").arg(image).run();
            let compare = qemu_img().args(["compare", "-f", "raw", "-F", "qcow2"]);
            compare.args([kept, image]).run();
            n_points += 1;
        }
        let files = self.small.tool("find").args(["data", "-name", "*.partial"]);
        assert_eq!(files.run().text(), "", "left behind");
        n_points
    }

    /// The newest backup failed, and this is why.
    fn why_it_failed(&self) -> String {
        let list = self.run(&["backup", "list", "vm"]);
        let newest = &list["backups"][0];
        assert_eq!(newest["status"], "failed", "{newest}");
        newest["error_message"].as_str().unwrap().to_owned()
    }
}

#[test]
fn chain_an_incremental_backup_that_runs_out_of_room_leaves_nothing_and_the_next_one_works() {
    let Some(mut bench) = Bench::new("100m", 100 * MIB + 512) else {
        return skip("this system allows no tmpfs in a user namespace");
    };
    bench.write(0, 8, 1);
    bench.back_up("full");
    // More than there is room for, which shows only while it is written.
    bench.write(0, 100, 2);
    let outcome = bench.outcome(&["backup", "start", "vm", "--type", "incremental", "--wait"]);
    assert!(!matches!(outcome.code, Some(0 | 101) | None), "{outcome}");
    assert_eq!(bench.why_it_failed(), "the repository is full");
    assert_eq!(bench.check(), 1);

    bench.disk.set_len(0).unwrap();
    bench.disk.set_len(100 * MIB + 512).unwrap();
    bench.write(3, 8, 3);
    bench.back_up("incremental");
    assert_eq!(bench.check(), 2);
}

#[test]
fn chain_a_full_backup_that_runs_out_of_room_leaves_nothing_and_the_next_one_works() {
    let Some(mut bench) = Bench::new("100m", 20 * MIB) else {
        return skip("this system allows no tmpfs in a user namespace");
    };
    if !Recording::is_possible() {
        return skip("this system does not allow strace");
    }
    bench.write(0, 5, 1);
    bench.back_up("full");
    // There is room when it begins, and somebody else takes it in the midst of it.
    bench.write(0, 20, 2);
    let log = bench.folder.path().join("strace.log");
    let hub = bench.small.tool("strace").arg("-f").arg("-o").arg(&log);
    let hub = hub.args(["-e", "trace=pwritev"]);
    let hub = hub.args(["-e", "inject=pwritev:signal=SIGSTOP:when=6"]);
    let hub = hub.arg(sendense().program());
    let args = ["--data", "data", "backup", "start", "vm", "--wait"];
    let hub = hub.args(args).spawn();
    let thread = until("the hub to be stopped", Duration::from_secs(60), || {
        let said = fs::read_to_string(&log).ok()?;
        let stopped = said
            .lines()
            .find(|line| line.contains("stopped by SIGSTOP"))?;
        stopped.split_whitespace().next().map(str::to_owned)
    });
    bench.small.fill(0);
    tool("kill").args(["-CONT", &thread]).run();
    let outcome = hub.wait_with_output().unwrap();
    assert!(!matches!(outcome.status.code(), Some(0 | 101) | None));
    bench.small.empty();
    assert_eq!(bench.why_it_failed(), "the repository is full");
    assert_eq!(bench.check(), 1);
    bench.back_up("full");
    assert_eq!(bench.check(), 2);
}

#[test]
fn chain_a_hub_without_any_room_says_so_and_goes_on_when_there_is_some() {
    let Some(mut bench) = Bench::new("100m", 8 * MIB) else {
        return skip("this system allows no tmpfs in a user namespace");
    };
    bench.write(0, 4, 1);
    bench.back_up("full");
    bench.write(1, 2, 2);
    for left in [0, 4096, 16 * 1024, 48 * 1024, 128 * 1024] {
        bench.small.fill(left);
        let outcome = bench.outcome(&["backup", "start", "vm", "--type", "incremental", "--wait"]);
        assert!(!matches!(outcome.code, Some(0 | 101) | None), "{outcome}");
        let words = outcome.error_text().to_lowercase();
        let said = ["full", "space", "room"];
        assert!(said.iter().any(|said| words.contains(said)), "{outcome}");
        bench.small.empty();
        assert_eq!(bench.check(), 1, "with {left} bytes left");
    }
    bench.back_up("incremental");
    assert_eq!(bench.check(), 2);
}

#[test]
fn chain_retention_that_runs_out_of_room_says_so_and_everything_can_be_restored() {
    let Some(mut bench) = Bench::new("200m", 80 * MIB) else {
        return skip("this system allows no tmpfs in a user namespace");
    };
    bench.write(0, 4, 1);
    bench.back_up("full");
    bench.write(4, 30, 2);
    bench.back_up("incremental");
    bench.write(40, 30, 3);
    bench.back_up("incremental");
    bench.write(75, 1, 4);
    bench.back_up("incremental");
    bench.run(&["retention", "set", "vm", "--last", "2"]);
    // The merged image takes sixty.
    bench.small.fill(40 * MIB);
    let outcome = bench.outcome(&["retention", "run", "vm"]);
    assert!(!matches!(outcome.code, Some(0 | 101) | None), "{outcome}");
    assert!(
        outcome.error_text().contains("the repository is full"),
        "{outcome}"
    );
    assert_eq!(bench.check(), 4);

    bench.small.empty();
    bench.run(&["retention", "run", "vm"]);
    assert_eq!(
        bench.check(),
        3,
        "the full one stays below the two that are kept"
    );
}
