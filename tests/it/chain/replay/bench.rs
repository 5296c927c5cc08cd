//! A VM with two small disks, and the recording of everything done with its backups.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use sendense_tests::{Random, Recording, seed, temp_dir};
use serde_json::Value;
use tempfile::TempDir;

/// Small, so that there are not many writes to replay, and no whole number of clusters.
const DISK_BYTES: [u64; 2] = [(6 << 16) + 1536, (3 << 16) + 512];

/// The contents of all disks at one time.
pub(super) type Disks = Vec<Vec<u8>>;

pub(super) struct Bench {
    pub(super) folder: TempDir,
    /// Of the data directory.
    pub(super) recording: Recording,
    /// By backup id: the disks of that time.
    pub(super) known: BTreeMap<String, Disks>,
    pub(super) seed: u64,
    sources: Vec<File>,
    random: Random,
}

impl Bench {
    /// A VM that the hub knows and has not backed up; nothing where the system lets nobody watch.
    pub(super) fn new() -> Option<Self> {
        if !Recording::is_possible() {
            return None;
        }
        let seed = seed();
        let folder = temp_dir();
        let vm = folder.path().join("vms/vm");
        fs::create_dir_all(&vm).unwrap();
        let sources = DISK_BYTES.iter().enumerate().map(|(index, bytes)| {
            let source = vm.join(format!("disk{index}.raw"));
            let options = File::options()
                .create_new(true)
                .read(true)
                .write(true)
                .open(source);
            let disk = options.unwrap();
            disk.set_len(*bytes).unwrap();
            disk
        });
        let sources = sources.collect();
        let recording = Recording::below(&folder.path().join("watched"));
        let mut bench = Self {
            folder,
            recording,
            known: BTreeMap::new(),
            seed,
            sources,
            random: Random::new(seed),
        };
        bench.run(&["vm", "discover", "vms"]);
        Some(bench)
    }

    pub(super) fn data(&self) -> PathBuf {
        self.recording.root().join("data")
    }

    /// Runs `sendense` and adds what it does to the record.
    pub(super) fn run(&mut self, args: &[&str]) -> Value {
        let args = [&["--data", "watched/data", "--json"], args].concat();
        let outcome = self.recording.run(&args);
        assert_eq!(outcome.code, Some(0), "{outcome}");
        outcome.json()
    }

    /// Backs the VM up after something has changed on its disks.
    pub(super) fn back_up(&mut self, kind: &str) {
        self.scribble();
        let backup = self.run(&[
            "backup",
            "start",
            "vm",
            "--repository",
            "local",
            "--type",
            kind,
            "--wait",
        ]);
        assert_eq!(backup["backup_type"], kind);
        let id = backup["backup_id"].as_str().unwrap().to_owned();
        self.known.insert(id, self.disks());
    }

    /// Changes a few clusters of each disk: new bytes, and zeros.
    pub(super) fn scribble(&mut self) {
        for disk in &self.sources {
            let n_clusters = disk.metadata().unwrap().len() >> 16;
            for byte in [0, 1 + self.random.below(255) as u8] {
                let cluster = self.random.below(n_clusters);
                let mut bytes = vec![byte; 1 << 16];
                if byte > 0 {
                    bytes[..5000].fill_with(|| self.random.below(256) as u8);
                }
                disk.write_all_at(&bytes, cluster << 16).unwrap();
            }
        }
    }

    /// What is on the disks now.
    pub(super) fn disks(&self) -> Disks {
        let read = |disk: &File| {
            let mut bytes = vec![0; usize::try_from(disk.metadata().unwrap().len()).unwrap()];
            disk.read_exact_at(&mut bytes, 0).unwrap();
            bytes
        };
        self.sources.iter().map(read).collect()
    }

    /// The ids of the finished backups, oldest first.
    pub(super) fn points(&mut self) -> Vec<String> {
        let list = self.run(&["backup", "list", "vm"]);
        let backups = list["backups"].as_array().unwrap().iter().rev();
        backups
            .filter(|backup| backup["status"] == "completed")
            .map(|backup| backup["backup_id"].as_str().unwrap().to_owned())
            .collect()
    }
}
