//! Chains: to qemu-img, every recovery point in every history is the disk of its time.

mod active;
mod damage;
mod full_disk;
mod kills;
mod large;
mod moment;
mod replay;
mod repositories;
mod sources;
mod victim;
mod write_errors;

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sendense_hub::{Auth, Config, LocalHub};
use sendense_tests::{
    Api, Random, empty_disk, long, qemu_img_check, qemu_img_compare, seed, sendense, temp_dir,
    tool, until,
};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use self::moment::Machine;
use self::sources::Source;

/// A VM with one disk, and a hub that backs it up.
struct Bench {
    hub: LocalHub,
    runtime: Runtime,
    api: Api,
    vm: String,
    folder: PathBuf,
}

impl Bench {
    fn new(folder: &Path, vm: &str) -> Self {
        let mut config = Config::new(folder.join("data"));
        config.auth = Auth::Off;
        let runtime = Runtime::new().unwrap();
        let hub = runtime.block_on(LocalHub::start(config)).unwrap();
        let api = Api::new(hub.url());
        api.post(
            "/discovery/add-vms",
            &json!({ "vm_names": [vm], "source": { "folder": folder.join("vms") } }),
        )
        .ok();
        Self {
            hub,
            runtime,
            api,
            vm: vm.to_owned(),
            folder: folder.to_path_buf(),
        }
    }

    /// Backs the VM up and gives the finished backup.
    #[track_caller]
    fn back_up(&self, backup_type: &str) -> Value {
        let repository = &self.api.get("/repositories").ok()["repositories"][0]["id"];
        let order =
            json!({ "vm_name": self.vm, "repository_id": repository, "backup_type": backup_type });
        let id = self.api.post("/backups", &order).ok()["backup_id"].clone();
        let id = id.as_str().unwrap().to_owned();
        until("the backup to finish", Duration::from_secs(60), || {
            let detail = self.api.get(&format!("/backups/{id}")).ok();
            assert_ne!(detail["status"], "failed", "{detail}");
            (detail["status"] == "completed").then_some(detail)
        })
    }

    /// Keeps the source of this moment, for the comparison at the end.
    fn keep_source(&self, source: &Path, number: usize) -> PathBuf {
        let kept = self.folder.join(format!("kept-{number}"));
        tool("cp")
            .args(["--sparse=always", "--reflink=auto"])
            .args([source, &kept])
            .run();
        kept
    }

    /// Verifies a backup and gives what was found.
    #[track_caller]
    fn verify(&self, id: &str) -> Value {
        let path = format!("/backups/{id}/verify");
        self.api.post(&path, &json!({})).ok();
        until("verifying to end", Duration::from_secs(60), || {
            let found = self.api.get(&path).ok();
            (found["status"] != "running").then_some(found)
        })
    }

    fn stop(self) {
        self.runtime.block_on(self.hub.stop());
    }
}

fn image_of(backup: &Value) -> PathBuf {
    PathBuf::from(backup["disks"][0]["qcow2_path"].as_str().unwrap())
}

/// The only disk of `vms/vm` in that folder, empty.
fn new_disk(folder: &Path) -> (PathBuf, File) {
    let vm = folder.join("vms/vm");
    fs::create_dir_all(&vm).unwrap();
    let source = vm.join("disk.raw");
    let disk = File::options()
        .create_new(true)
        .read(true)
        .write(true)
        .open(&source)
        .unwrap();
    (source, disk)
}

/// A disk of 1 MiB to 2 GiB, whose size is no multiple of a cluster, mostly holes.
fn random_size(random: &mut Random) -> u64 {
    let largest = 20 << random.below(8);
    (1 << 20) + random.below(largest << 16) / 512 * 512 + 512
}

/// Some writes: data, repeated data and zeros, long and short, anywhere.
fn scribble(disk: &File, random: &mut Random) {
    let size = disk.metadata().unwrap().len();
    for _ in 0..random.below(12) {
        let at = random.below(size);
        let longest = if random.below(4) == 0 { 1 << 20 } else { 5000 };
        let len = random.below(longest).min(size - at);
        let byte = random.below(6) as u8;
        let mut bytes = vec![byte; usize::try_from(len).unwrap()];
        if byte > 2 {
            bytes.fill_with(|| random.below(256) as u8);
        }
        disk.write_all_at(&bytes, at).unwrap();
    }
}

#[test]
fn chain_every_point_of_random_histories_is_identical_for_qemu_img() {
    let mut random = Random(seed() | 1);
    let n_histories = if long() { 400 } else { 40 };
    for history in 0..n_histories {
        let folder = temp_dir();
        let mut source = Source::random(folder.path(), &mut random);
        println!("history {history}: {}", source.name());
        let bench = Bench::new(folder.path(), "vm");
        let mut points = Vec::new();
        let n_points = 4 + usize::try_from(random.below(2)).unwrap();
        let resized_at = 1 + usize::try_from(random.below(3)).unwrap();
        for number in 0..n_points {
            if number == resized_at {
                source.resize(folder.path(), &mut random);
                println!("resized to {}", source.name());
            }
            if number > 0 {
                source.change(&mut random);
            }
            let kind = if number == 0 { "full" } else { "incremental" };
            let kept = folder.path().join(format!("kept-{number}"));
            source.keep(&kept);
            points.push((bench.back_up(kind), kept));
        }
        for (number, (backup, kept)) in points.iter().enumerate() {
            println!("point {number}: {}", backup["backup_id"]);
            let image = image_of(backup);
            qemu_img_check(&image);
            qemu_img_compare(kept, "raw", &image, "qcow2");
            let found = bench.verify(backup["backup_id"].as_str().unwrap());
            assert_eq!(found["status"], "sound", "{found}");
        }
        let parents: Vec<&Value> = points
            .iter()
            .map(|(backup, _)| &backup["backup_type"])
            .collect();
        assert_eq!(parents[0], "full");
        assert!(
            parents[1..].iter().all(|kind| *kind == "incremental"),
            "{parents:?}"
        );
        bench.stop();
    }
}

/// Runs `sendense` on the hub of that folder.
fn cli(folder: &Path, args: &[&str]) -> sendense_tests::Tool {
    sendense()
        .args(["--data", "data", "--json"])
        .args(args)
        .current_dir(folder)
}

#[test]
fn chain_every_point_that_retention_keeps_is_identical_for_qemu_img() {
    let mut random = Random(seed() | 1);
    let n_histories = if long() { 60 } else { 6 };
    for history in 0..n_histories {
        let folder = temp_dir();
        let (source, disk) = new_disk(folder.path());
        disk.set_len(random_size(&mut random)).unwrap();
        let bench = Bench::new(folder.path(), "vm");
        let mut points = Vec::new();
        for number in 0..7_usize {
            if random.below(3) == 0 {
                disk.set_len(random_size(&mut random)).unwrap();
            }
            scribble(&disk, &mut random);
            let kind = if number == 0 || random.below(5) == 0 {
                "full"
            } else {
                "incremental"
            };
            points.push((bench.back_up(kind), bench.keep_source(&source, number)));
        }
        let run = |args: &[&str]| cli(folder.path(), args).run().json();
        for _ in 0..2 {
            let pinned = usize::try_from(random.below(7)).unwrap();
            run(&[
                "backup",
                "pin",
                points[pinned].0["backup_id"].as_str().unwrap(),
            ]);
        }
        let last = (1 + random.below(3)).to_string();
        run(&["retention", "set", "vm", "--last", &last]);
        let planned = run(&["retention", "run", "vm", "--dry-run"])["points"].clone();
        let done = run(&["retention", "run", "vm"])["points"].clone();
        assert_eq!(planned, done, "a dry run says what is done");
        println!("history {history}: {done}");
        for (backup, kept) in &points {
            let is_kept = done.as_array().unwrap().iter().any(|point| {
                point["backup_id"] == backup["backup_id"] && point["action"] == "keep"
            });
            let image = image_of(backup);
            assert_eq!(image.exists(), is_kept, "{}", image.display());
            if is_kept {
                qemu_img_check(&image);
                qemu_img_compare(kept, "raw", &image, "qcow2");
                let found = bench.verify(backup["backup_id"].as_str().unwrap());
                assert_eq!(found["status"], "sound", "{found}");
            }
        }
        disk.write_all_at(&[9; 9], 0).unwrap();
        let next = bench.back_up("incremental");
        qemu_img_compare(&source, "raw", &image_of(&next), "qcow2");
        bench.stop();
    }
}

#[test]
fn chain_a_disk_that_a_running_machine_writes_to_is_refused_until_it_ends() {
    // In memory, whose filesystem cannot copy at once.
    let memory = tempfile::tempdir_in("/dev/shm").unwrap();
    let folder = temp_dir();
    let vms = memory.path().to_path_buf();
    let vms_text = vms.to_str().unwrap();
    let disk = vms.join("vm.qcow2");
    empty_disk(&disk, "8M");
    cli(folder.path(), &["vm", "discover", vms_text]).run();
    let machine = Machine::run(&disk, "qcow2");
    let backup = ["backup", "start", "vm", "--wait"];
    let refused = cli(folder.path(), &backup).outcome();
    let words = refused.error_text();
    assert!(
        refused.code != Some(0)
            && words.contains("open for writing")
            && words.contains("as Btrfs and XFS can"),
        "{refused}"
    );
    drop(machine);
    let lock = vms.join("vm.qcow2.lck");
    fs::create_dir(&lock).unwrap();
    fs::write(lock.join("M1.lck"), "").unwrap();
    let refused = cli(folder.path(), &backup).outcome();
    assert!(refused.error_text().contains("vm.qcow2.lck"), "{refused}");
    fs::remove_dir_all(&lock).unwrap();
    cli(folder.path(), &backup).run();
}

#[test]
fn chain_deleting_what_others_build_on_is_refused_with_their_names() {
    let folder = temp_dir();
    let vm = folder.path().join("vms/vm");
    fs::create_dir_all(&vm).unwrap();
    let source = vm.join("disk.raw");
    fs::write(&source, vec![5; 3 << 20]).unwrap();
    let run = |args: &[&str]| cli(folder.path(), args).run().json();
    run(&["vm", "discover", "vms"]);
    let full = run(&["backup", "start", "vm", "--wait"]);
    let next = run(&["backup", "start", "vm", "--type", "incremental", "--wait"]);
    let id = |backup: &Value| backup["backup_id"].as_str().unwrap().to_owned();
    let shown = run(&["backup", "show", &id(&full)]);
    assert_eq!(shown["dependents"], json!([next["backup_id"]]));

    let refused = cli(folder.path(), &["backup", "delete", &id(&full)]).outcome();
    assert_eq!(refused.code, Some(6), "{refused}");
    assert!(refused.error_text().contains(&id(&next)), "{refused}");
    qemu_img_compare(&source, "raw", &image_of(&next), "qcow2");

    let deleted = run(&["backup", "delete", &id(&full), "--with-dependents"]);
    assert_eq!(
        deleted["deleted_backups"],
        json!([next["backup_id"], full["backup_id"]])
    );
    assert!(!image_of(&full).exists() && !image_of(&next).exists());
    let gone = cli(folder.path(), &["backup", "show", &id(&full)]).outcome();
    assert_eq!(gone.code, Some(3), "{gone}");
}

#[test]
fn chain_incremental_backups_of_qcow2_sources_with_backing_files_are_identical() {
    let folder = temp_dir();
    let vm = folder.path().join("vms/vm");
    fs::create_dir_all(&vm).unwrap();
    let scratch = folder.path().join("content.raw");
    let content = File::options()
        .create_new(true)
        .read(true)
        .write(true)
        .open(&scratch)
        .unwrap();
    content.set_len(40 << 20).unwrap();
    let mut random = Random(seed() | 1);
    scribble(&content, &mut random);
    scribble(&content, &mut random);
    let base = vm.join("base.qcow2");
    let convert = |args: &[&str], target: &Path| {
        tool("qemu-img")
            .args(["convert", "-O", "qcow2"])
            .args(args)
            .args([&scratch, target])
            .current_dir(&vm)
            .run();
    };
    convert(&["-c"], &base);
    scribble(&content, &mut random);
    let overlay = vm.join("overlay.qcow2");
    convert(&["-F", "qcow2", "-B", "base.qcow2"], &overlay);
    let bench = Bench::new(folder.path(), "vm");
    let full = bench.back_up("full");
    qemu_img_compare(&overlay, "qcow2", &image_of(&full), "qcow2");

    scribble(&content, &mut random);
    fs::remove_file(&overlay).unwrap();
    convert(&["-F", "qcow2", "-B", "base.qcow2"], &overlay);
    let incremental = bench.back_up("incremental");
    qemu_img_check(&image_of(&incremental));
    qemu_img_compare(&overlay, "qcow2", &image_of(&incremental), "qcow2");
    bench.stop();
}

#[test]
fn chain_a_damaged_backup_is_told_by_the_command_and_its_exit_code() {
    let folder = temp_dir();
    let vm = folder.path().join("vms/vm");
    fs::create_dir_all(&vm).unwrap();
    fs::write(vm.join("disk.raw"), vec![5; 3 << 20]).unwrap();
    let run = |args: &[&str]| {
        sendense()
            .args(["--data", "data", "--json"])
            .args(args)
            .current_dir(folder.path())
    };
    run(&["vm", "discover", "vms"]).run();
    let backup = run(&["backup", "start", "vm", "--wait"]).run().json();
    let id = backup["backup_id"].as_str().unwrap();
    let verified = run(&["backup", "verify", id]).run().json();
    assert_eq!(verified["status"], "sound");
    // The hub that verified it has ended with its command.
    let cancelled = run(&["backup", "cancel-verify", id]).outcome();
    assert_eq!(cancelled.code, Some(3), "{cancelled}");

    let map = image_of(&backup).with_extension("map");
    fs::rename(&map, folder.path().join("map")).unwrap();
    let unproven = run(&["backup", "verify", id]).outcome();
    assert_eq!(unproven.code, Some(1), "{unproven}");
    let words = unproven.error_text();
    assert!(words.contains("could not be verified"), "{words}");
    fs::rename(folder.path().join("map"), &map).unwrap();

    let image = File::options().write(true).open(image_of(&backup)).unwrap();
    let length = image.metadata().unwrap().len();
    image.write_all_at(&[6], length - 1000).unwrap();
    let outcome = run(&["backup", "verify", id]).outcome();
    assert_eq!(outcome.code, Some(1), "{outcome}");
    let words = outcome.error_text();
    assert!(words.contains("damaged") && words.contains(id), "{words}");
}
