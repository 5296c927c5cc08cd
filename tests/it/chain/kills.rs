//! Real kills: whatever the hub is doing, at its k-th call that writes, syncs, renames or removes, it dies.
//! The next start finds every recovery point that was there, byte for byte, and goes on.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use sendense_tests::{
    Outcome, long, qemu_img_check, qemu_img_compare, seed, sendense, skip, temp_dir, tool,
};
use serde_json::Value;

use super::{Random, cli, image_of, new_disk, scribble};

/// Calls after which a disk is not what it was before.
const CALLS: &str =
    "pwrite64,write,fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat,ftruncate";

const DISK_BYTES: u64 = (12 << 20) + 1536;

/// What is being done when the hub dies.
const WORK: [&[&str]; 4] = [
    &["backup", "start", "vm", "--wait"],
    &["backup", "start", "vm", "--type", "incremental", "--wait"],
    &["retention", "run", "vm"],
    &["backup", "delete", "OLDEST", "--with-dependents"],
];

/// A VM whose backups are interrupted, with the disks of all times.
struct Victim {
    folder: PathBuf,
    /// By backup id: a copy of the source of that time.
    sources: BTreeMap<String, PathBuf>,
}

impl Victim {
    fn run(&self, arguments: &[&str]) -> Value {
        cli(&self.folder, arguments).run().json()
    }

    /// Does this until one thread makes its `k`-th call.
    fn killed(&self, k: u64, arguments: &[&str]) -> Outcome {
        tool("strace")
            .args(["-f", "-qq", "-o", "/dev/null"])
            .args(["-e", &format!("trace={CALLS}")])
            .args(["-e", &format!("inject={CALLS}:signal=SIGKILL:when={k}")])
            .arg(sendense().program())
            .args(["--data", "data", "--json"])
            .args(arguments)
            .current_dir(&self.folder)
            .outcome()
    }

    /// The finished backups, newest first.
    fn points(&self) -> Vec<Value> {
        let list = self.run(&["backup", "list", "vm"]);
        let backups = list["backups"].as_array().unwrap();
        for backup in backups {
            assert_ne!(backup["status"], "active", "nothing runs after a start");
            if backup["status"] == "failed" {
                assert!(backup["error_message"].is_string(), "{backup}");
            }
        }
        backups
            .iter()
            .filter(|backup| backup["status"] == "completed")
            .map(|backup| self.run(&["backup", "show", backup["backup_id"].as_str().unwrap()]))
            .collect()
    }

    /// Every finished backup is the disk of its time; new ones are of this moment.
    fn check(&mut self, now: &Path) -> Vec<Value> {
        let points = self.points();
        // A deleted backup's id may be given again within its second.
        let known = ids(&points);
        self.sources.retain(|id, _| known.contains(id));
        for point in &points {
            let id = point["backup_id"].as_str().unwrap().to_owned();
            let source = self.sources.entry(id).or_insert_with(|| now.to_path_buf());
            let image = image_of(point);
            qemu_img_check(&image);
            qemu_img_compare(source, "raw", &image, "qcow2");
        }
        points
    }
}

#[test]
fn chain_a_hub_that_is_killed_anywhere_loses_no_recovery_point() {
    if tool("strace").args(["-qq", "true"]).outcome().code != Some(0) {
        skip("this system does not allow strace");
        return;
    }
    let mut random = Random(seed() | 1);
    let folder = temp_dir();
    let (source, disk) = new_disk(folder.path());
    disk.set_len(DISK_BYTES).unwrap();
    let mut victim = Victim {
        folder: folder.path().to_path_buf(),
        sources: BTreeMap::new(),
    };
    victim.run(&["vm", "discover", "vms"]);
    victim.run(&["retention", "set", "vm", "--last", "3"]);
    let n_rounds = if long() { 100 } else { 10 };
    let mut n_killed = 0;
    for round in 0..n_rounds {
        scribble(&disk, &mut random);
        let kept = folder.path().join(format!("kept-{round}"));
        tool("cp")
            .args(["--sparse=always", "--reflink=auto"])
            .args([&source, &kept])
            .run();
        // Something to lose, and something to build on.
        victim.run(&["backup", "start", "vm", "--wait"]);
        let before: Vec<String> = ids(&victim.check(&kept));

        scribble(&disk, &mut random);
        let later = folder.path().join(format!("later-{round}"));
        tool("cp")
            .args(["--sparse=always", "--reflink=auto"])
            .args([&source, &later])
            .run();
        if random.below(2) == 0 {
            victim.run(&["backup", "start", "vm", "--type", "incremental", "--wait"]);
            victim.check(&later);
        }
        let oldest = ids(&victim.points()).pop().unwrap();
        let work = WORK[round % WORK.len()];
        let work: Vec<&str> = work
            .iter()
            .map(|word| if *word == "OLDEST" { &oldest } else { *word })
            .collect();
        let k = 1 + random.below(40);
        let outcome = victim.killed(k, &work);
        let was_killed = outcome.code.is_none();
        n_killed += u32::from(was_killed);
        println!("round {round}: {work:?} at call {k}, killed: {was_killed}");
        let after = ids(&victim.check(&later));
        // Retention after a backup that was not cut off, and deleting, take points away on purpose.
        if work[0] == "backup" && work[1] == "start" && was_killed {
            let newest = before.first().unwrap();
            assert!(after.contains(newest), "{newest} is gone: {after:?}");
        }
        let left: Vec<_> = partial_files(&folder.path().join("data/repository"));
        assert_eq!(left, [""; 0], "leftovers of round {round}");
        let kind = if after.is_empty() {
            "full"
        } else {
            "incremental"
        };
        victim.run(&["backup", "start", "vm", "--type", kind, "--wait"]);
        victim.check(&later);
    }
    assert!(
        n_killed * 2 >= u32::try_from(n_rounds).unwrap(),
        "only {n_killed} of {n_rounds} were killed: the calls have changed"
    );
}

fn ids(points: &[Value]) -> Vec<String> {
    points
        .iter()
        .map(|point| point["backup_id"].as_str().unwrap().to_owned())
        .collect()
}

fn partial_files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(partial_files(&path));
        } else if path.extension().is_some_and(|end| end == "partial") {
            found.push(path.display().to_string());
        }
    }
    found
}
