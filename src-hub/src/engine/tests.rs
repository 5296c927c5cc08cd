//! Backups from start to row, and what a killed hub leaves, on small raw images.

use std::{
    fs,
    path::{Path, PathBuf},
};

use sendense_disk::{AllowedRoots, Image};

use super::*;
use crate::{
    discovery::{FoundDisk, FoundVm},
    repository::ensure_local,
};

struct Bench {
    folder: tempfile::TempDir,
    db: Db,
    clock: Clock,
    jobs: Jobs,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::in_memory().unwrap();
        let clock = Clock::fixed("2026-11-24T10:00:00Z".parse().unwrap());
        ensure_local(&db, &clock, &folder.path().join("repository")).unwrap();
        let jobs = Jobs::recover(db.clone(), clock.clone()).unwrap();
        Self {
            folder,
            db,
            clock,
            jobs,
        }
    }

    /// The hub after a kill: the same rows and files, nothing in memory.
    fn restarted(self) -> Self {
        let jobs = Jobs::recover(self.db.clone(), self.clock.clone()).unwrap();
        Self { jobs, ..self }
    }

    /// A VM with these disks.
    fn add_vm(&self, disks: &[&[u8]]) -> Vec<PathBuf> {
        let images: Vec<PathBuf> = (0..)
            .zip(disks)
            .map(|(index, content)| {
                let image = self.folder.path().join(format!("disk{index}.raw"));
                fs::write(&image, content).unwrap();
                image
            })
            .collect();
        let found = FoundVm {
            id: "vm".to_owned(),
            name: "vm".to_owned(),
            path: self.folder.path().to_path_buf(),
            num_cpu: None,
            memory_mb: None,
            guest_os: None,
            power_state: None,
            disks: images
                .iter()
                .map(|path| FoundDisk {
                    label: String::new(),
                    path: path.clone(),
                    capacity_bytes: Some(1),
                    problem: None,
                })
                .collect(),
            problem: None,
        };
        let source = self.folder.path().display().to_string();
        self.db
            .with(|connection| vm::save(connection, &found, &source, self.clock.now()))
            .unwrap();
        images
    }

    fn start(&self) -> Result<Started> {
        self.jobs
            .start("vm", &self.repository().id, BackupType::Full)
    }

    fn repository(&self) -> Repository {
        self.db.with(repository::list).unwrap().remove(0)
    }

    /// Backs the VM up and waits until that is over.
    async fn back_up(&self) -> Backup {
        let started = self.start().unwrap();
        self.jobs.idle().await;
        self.backup(&started.backup_id)
    }

    fn backup(&self, backup_id: &str) -> Backup {
        let filter = Filter {
            backup_id: Some(backup_id.to_owned()),
            ..Filter::default()
        };
        self.jobs.list(&filter).unwrap().pop().unwrap()
    }

    /// Every file of the repository.
    fn files(&self) -> Vec<PathBuf> {
        fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
            for path in folder_entries(folder) {
                if path.is_dir() {
                    walk(&path, files);
                } else {
                    files.push(path);
                }
            }
        }
        let mut files = Vec::new();
        walk(&self.repository().config.path, &mut files);
        files.sort();
        files
    }
}

/// Content in some clusters, zeros in others, and an end within a cluster.
fn disk_content(seed: u8) -> Vec<u8> {
    let mut content = vec![0; 20 * 64 * 1024 + 1536];
    for cluster in [0, 1, 7, 8, 9, 19, 20] {
        let start = cluster * 64 * 1024;
        for (index, byte) in content[start..].iter_mut().take(1000).enumerate() {
            *byte = seed.wrapping_add(index as u8) | 1;
        }
    }
    content
}

#[tokio::test]
async fn every_disk_becomes_an_image_with_the_same_content() {
    let bench = Bench::new();
    let contents = [disk_content(1), disk_content(2)];
    bench.add_vm(&[&contents[0], &contents[1]]);
    let backup = bench.back_up().await;
    assert_eq!(backup.status, Status::Completed, "{backup:?}");
    assert_eq!(bench.files().len(), 2, "{:?}", bench.files());
    let allowed = AllowedRoots::new([bench.folder.path().to_path_buf()]);
    for (disk, content) in backup.disks.iter().zip(&contents) {
        assert_eq!(disk.status, Status::Completed);
        assert_eq!(disk.capacity_bytes, content.len() as u64);
        assert_eq!(disk.stored_bytes, 7 * 64 * 1024 - (64 * 1024 - 1536));
        let image = Image::open(disk.qcow2_path.as_ref().unwrap(), &allowed).unwrap();
        let mut stored = vec![0; content.len()];
        image.read_at(0, &mut stored).unwrap();
        assert!(stored == *content, "disk {}", disk.disk_index);
    }
}

#[tokio::test]
async fn a_second_backup_of_one_vm_is_refused_while_the_first_runs() {
    let bench = Bench::new();
    bench.add_vm(&[&disk_content(1)]);
    let first = bench.start().unwrap();
    let refused = bench.start().err().unwrap();
    assert!(
        matches!(&refused, Error::BackupRunning { backup_id, .. } if *backup_id == first.backup_id),
        "{refused}"
    );
    bench.jobs.idle().await;
    let second = bench.back_up().await;
    assert_eq!(second.status, Status::Completed);
    assert_ne!(second.backup_id, first.backup_id, "in the same second");
    assert_eq!(bench.files().len(), 2);
}

#[tokio::test]
async fn a_disk_that_is_gone_fails_the_whole_backup_and_leaves_no_image() {
    let bench = Bench::new();
    let images = bench.add_vm(&[&disk_content(1), &disk_content(2)]);
    fs::remove_file(&images[1]).unwrap();
    let backup = bench.back_up().await;
    assert_eq!(backup.status, Status::Failed);
    let reason = backup.error_message.unwrap();
    assert!(reason.contains("disk1.raw"), "{reason}");
    assert_eq!(bench.files(), [] as [PathBuf; 0]);
    assert!(backup.disks.iter().all(|disk| disk.qcow2_path.is_none()));
}

#[tokio::test]
async fn a_hub_that_stops_ends_its_backups_as_failed() {
    let bench = Bench::new();
    bench.add_vm(&[&disk_content(1)]);
    let started = bench.start().unwrap();
    bench.jobs.stop().await;
    let backup = bench.backup(&started.backup_id);
    // It may have been faster than the stop; half of one is never left.
    match backup.status {
        Status::Failed => assert_eq!(bench.files(), [] as [PathBuf; 0]),
        status => assert_eq!(status, Status::Completed),
    }
    assert!(matches!(bench.start().err(), Some(Error::Stopping)));
}

#[tokio::test]
async fn what_a_killed_hub_left_is_ended_and_removed_by_the_next_start() {
    let bench = Bench::new();
    bench.add_vm(&[&disk_content(1)]);
    let kept = bench.back_up().await;
    let lost = bench.back_up().await;
    // As if the kill had come after the renames and before the last transaction.
    bench
        .db
        .with(|connection| {
            connection.execute(
                "UPDATE backup_jobs SET status = 'running' WHERE id = ?1",
                [&lost.backup_id],
            )
        })
        .unwrap();
    let image = lost.disks[0].qcow2_path.clone().unwrap();
    let folder = image.parent().unwrap();
    fs::write(image::partial_name(&image), "half").unwrap();
    fs::write(folder.join("backup-older-1-disk0.qcow2.partial"), "half").unwrap();
    fs::write(folder.join("somebody's notes.txt"), "mine").unwrap();

    let bench = bench.restarted();
    let ended = bench.backup(&lost.backup_id);
    assert_eq!(ended.status, Status::Failed);
    assert_eq!(ended.error_message.as_deref(), Some(failure::HUB_STOPPED));
    let mut left = vec![
        kept.disks[0].qcow2_path.clone().unwrap(),
        folder.join("somebody's notes.txt"),
    ];
    left.sort();
    assert_eq!(bench.files(), left);
    assert_eq!(bench.backup(&kept.backup_id).status, Status::Completed);
    assert_eq!(
        bench.back_up().await.status,
        Status::Completed,
        "the VM is free again"
    );
}

#[tokio::test]
async fn an_incremental_backup_wants_a_full_one_first() {
    let bench = Bench::new();
    bench.add_vm(&[&disk_content(1)]);
    let repository = bench.repository().id;
    let incremental = || {
        bench
            .jobs
            .start("vm", &repository, BackupType::Incremental)
            .err()
    };
    assert!(matches!(
        incremental(),
        Some(Error::NoPreviousBackup { .. })
    ));
    bench.back_up().await;
    assert!(matches!(incremental(), Some(Error::IncrementalNotOffered)));
}
