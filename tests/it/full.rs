//! Full restores: to qemu-img, every image in every format is the disk of its time, whatever happened on the way.

mod definitions;
mod formats;
mod kills;
mod refusals;

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use sendense_tests::{
    Hub, Outcome, Random, Tool, qemu_img_check, qemu_img_compare, seed, sendense, temp_dir, tool,
};
use serde_json::Value;
use tempfile::TempDir;

const CLUSTER: u64 = 64 * 1024;

/// The formats, and what qemu-img calls them.
const FORMATS: [(&str, &str, &str); 6] = [
    ("raw", "raw", "raw"),
    ("qcow2", "qcow2", "qcow2"),
    ("vmdk", "vmdk", "vmdk"),
    ("vmdk-stream", "vmdk", "vmdk"),
    ("vdi", "vdi", "vdi"),
    ("vhdx", "vhdx", "vhdx"),
];

/// A VM with one raw disk and some recovery points of it, and the disk of each time.
struct Kept {
    folder: TempDir,
    random: Random,
    disk: File,
    /// Backup id and a copy of the disk, oldest first.
    points: Vec<(String, PathBuf)>,
}

impl Kept {
    /// A disk of that size, not backed up yet.
    fn new(disk_bytes: u64) -> Self {
        let folder = temp_dir();
        let vm = folder.path().join("vms/vm");
        fs::create_dir_all(&vm).unwrap();
        let disk = File::options()
            .create_new(true)
            .read(true)
            .write(true)
            .open(vm.join("disk.raw"))
            .unwrap();
        disk.set_len(disk_bytes).unwrap();
        let kept = Self {
            folder,
            random: Random::new(seed()),
            disk,
            points: Vec::new(),
        };
        kept.run(&["vm", "discover", "vms"]);
        kept
    }

    /// The same with as many recovery points, each of which changed something.
    fn with_points(disk_bytes: u64, n_points: usize) -> Self {
        let mut kept = Self::new(disk_bytes);
        for _ in 0..n_points {
            kept.change();
            kept.back_up();
        }
        kept
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, args: &[&str]) -> Tool {
        sendense()
            .args(["--data", "data", "--json"])
            .args(args)
            .current_dir(self.folder.path())
    }

    fn run(&self, args: &[&str]) -> Value {
        self.command(args).run().json()
    }

    /// Asks a hub that runs for that only.
    fn run_in_hub(&self, path: &str) -> Value {
        let hub = Hub::start(&self.path("data"));
        let answer = hub.api().get(path).ok();
        hub.stop();
        answer
    }

    /// Data that looks random, all of one byte, and zeros, anywhere, and at the very end.
    fn change(&mut self) {
        let size = self.disk.metadata().unwrap().len();
        for number in 0..10 {
            let len = 1 + self.random.below(3 * CLUSTER).min(size - 1);
            let at = match number {
                0 => size - len,
                _ => self.random.below(size - len + 1),
            };
            let byte = self.random.below(4) as u8;
            let mut bytes = vec![byte; usize::try_from(len).unwrap()];
            if byte > 1 {
                bytes.fill_with(|| self.random.below(256) as u8);
            }
            self.disk.write_all_at(&bytes, at).unwrap();
        }
    }

    /// So many MiB from that one on are full of what cannot be compressed.
    fn fill(&mut self, from: u64, n: u64) {
        for at in from..from + n {
            let mut bytes = vec![0; 1 << 20];
            for eight in bytes.chunks_mut(8) {
                eight.copy_from_slice(&self.random.below(u64::MAX).to_le_bytes());
            }
            self.disk.write_all_at(&bytes, at << 20).unwrap();
        }
    }

    fn back_up(&mut self) -> String {
        let kind = match self.points.len() {
            0 => "full",
            _ => "incremental",
        };
        let backup = self.run(&["backup", "start", "vm", "--type", kind, "--wait"]);
        let id = backup["backup_id"].as_str().unwrap().to_owned();
        let copy = self.path(&format!("kept-{}", self.points.len()));
        tool("cp")
            .args(["--sparse=always", "--reflink=auto", "vms/vm/disk.raw"])
            .arg(&copy)
            .current_dir(self.folder.path())
            .run();
        self.points.push((id.clone(), copy));
        id
    }

    /// A new, empty folder to restore to.
    fn target(&self, name: &str) -> PathBuf {
        let target = self.path(name);
        fs::create_dir(&target).unwrap();
        target
    }

    /// The image of a recovery point in the repository.
    fn image(&self, id: &str) -> PathBuf {
        let shown = self.run(&["backup", "show", id]);
        PathBuf::from(shown["disks"][0]["qcow2_path"].as_str().unwrap())
    }
}

/// The names in a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// An image is the disk, sound, and takes no more room than it has to.
#[track_caller]
fn assert_restored(image: &Path, format: &str, source: &Path) {
    qemu_img_compare(source, "raw", image, format);
    if format != "raw" {
        qemu_img_check(image);
    }
    let used = fs::metadata(image).unwrap().blocks() * 512;
    let most = allocated(source) * 102 / 100 + 256 * 1024;
    assert!(used <= most, "{}: {used} > {most}", image.display());
}

/// Bytes of the clusters of a disk that are not all zeros.
fn allocated(disk: &Path) -> u64 {
    let bytes = fs::read(disk).unwrap();
    let clusters = bytes.chunks(CLUSTER as usize);
    let n_data = clusters
        .filter(|cluster| cluster.iter().any(|byte| *byte != 0))
        .count();
    n_data as u64 * CLUSTER
}

/// What went wrong, in words.
fn words(outcome: &Outcome) -> String {
    assert!(!matches!(outcome.code, Some(0 | 101) | None), "{outcome}");
    outcome.error_text()
}
