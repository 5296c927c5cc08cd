//! Small disks with known content, and recorded backups of them, for tests.

use std::path::{Path, PathBuf};

use futures::TryStreamExt;
use jiff::Timestamp;
use tempfile::TempDir;

use super::{ArchiveFormat, Chunks, Error, Mounts, RequestPath, RootLayout, RowShape, Target};
use crate::{
    clock::Clock,
    store::{Store, repositories, time_text},
};

/// The beginning of a LUKS2 header: enough to be known for what it is.
pub(crate) const LUKS_MAGIC: &[u8] = b"LUKS\xba\xbe\x00\x02";

/// A repository with backups, and the mounts of a hub over it.
pub(crate) struct Fixture {
    pub(crate) folder: TempDir,
    pub(crate) clock: Clock,
    pub(crate) store: Store,
    pub(crate) mounts: Mounts,
}

pub(crate) fn at(text: &str) -> Timestamp {
    format!("2026-11-24T{text}Z").parse().unwrap()
}

pub(crate) fn path(text: &str) -> RequestPath {
    RequestPath::parse(text).unwrap()
}

pub(crate) fn big_content() -> Vec<u8> {
    (0..3_000_000u32)
        .flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes())
        .take(3_000_000)
        .collect()
}

/// A disk that is one FAT filesystem.
pub(crate) fn fat_image() -> Vec<u8> {
    sendense_fixtures::fat_disk(&[
        ("Recovery/", b""),
        ("Recovery/leer/", b""),
        ("Recovery/ReAgent.xml", b"<xml/>"),
        ("Übersicht 漢.txt", b"hello"),
        ("big.bin", &big_content()),
        ("empty.txt", b""),
    ])
    .unwrap()
}

/// An MBR with these partitions, each 1 MiB after the one before, in megabytes-aligned places.
pub(crate) fn partitioned(partitions: &[(u8, &[u8])]) -> Vec<u8> {
    let mut disk = vec![0; 1 << 20];
    for (slot, (kind, content)) in partitions.iter().enumerate() {
        let start = disk.len();
        disk.extend_from_slice(content);
        disk.resize(disk.len().next_multiple_of(1 << 20), 0);
        let entry = &mut disk[446 + 16 * slot..][..16];
        entry[4] = *kind;
        entry[8..12].copy_from_slice(&((start / 512) as u32).to_le_bytes());
        entry[12..16].copy_from_slice(&((content.len() / 512) as u32).to_le_bytes());
    }
    disk[510..512].copy_from_slice(&[0x55, 0xaa]);
    disk
}

impl Fixture {
    pub(crate) fn new() -> Self {
        Self::with_layout(RootLayout::Volumes)
    }

    pub(crate) fn with_layout(layout: RootLayout) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::fixed(at("10:00:00"));
        let store = Store::in_memory().unwrap();
        let repository = serde_json::json!({ "path": folder.path() }).to_string();
        store
            .with(|connection| {
                connection.execute(
                    "INSERT INTO backup_repositories
                    (id, name, repository_type, config, created_at, updated_at)
                 VALUES ('repo', 'repo', 'local', ?1, ?2, ?2)",
                    (repository, time_text(at("09:00:00"))),
                )?;
                connection.execute(
                "INSERT INTO vm_replication_contexts (context_id, vm_name, vmware_vm_id, vm_path,
                    vcenter_host, datacenter, current_status, created_at, updated_at)
                 VALUES ('ctx', 'vm', 'vm', '/vm', '', '', 'discovered', ?1, ?1)",
                [time_text(at("09:00:00"))],
            )?;
                connection.execute(
                    "INSERT INTO vm_backup_contexts
                    (context_id, vm_name, repository_id, created_at, updated_at)
                 VALUES ('bctx', 'vm', 'repo', ?1, ?1)",
                    [time_text(at("09:00:00"))],
                )
            })
            .unwrap();
        let repository = store.with(repositories::list).unwrap().remove(0);
        repository.mark().unwrap();
        let mounts = Mounts::new(store.clone(), clock.clone(), layout);
        Self {
            folder,
            clock,
            store,
            mounts,
        }
    }

    /// Puts an image into the repository as the only disk of a finished backup.
    pub(crate) fn back_up(&self, backup_id: &str, image: &[u8]) -> PathBuf {
        let image_path = self.folder.path().join(format!("{backup_id}.raw"));
        std::fs::write(&image_path, image).unwrap();
        self.record(backup_id, "completed", Some(&image_path));
        image_path
    }

    pub(crate) fn record(&self, backup_id: &str, status: &str, image_path: Option<&Path>) {
        let now = time_text(at("09:30:00"));
        self.store
            .with(|connection| {
                connection.execute(
                    "INSERT INTO backup_jobs (id, vm_backup_context_id, vm_context_id, vm_name,
                        repository_id, backup_type, status, created_at)
                     VALUES (?1, 'bctx', 'ctx', 'vm', 'repo', 'full', ?2, ?3)",
                    (backup_id, status, &now),
                )?;
                connection.execute(
                    "INSERT INTO backup_disks (vm_backup_context_id, backup_job_id, disk_index,
                        size_gb, status, qcow2_path, created_at)
                     VALUES ('bctx', ?1, 0, 1, ?2, ?3, ?4)",
                    (
                        backup_id,
                        status,
                        image_path.map(|path| path.display().to_string()),
                        &now,
                    ),
                )
            })
            .unwrap();
    }

    /// The hub after a restart: the same rows, nothing in memory.
    pub(crate) fn restarted(self) -> Self {
        let mounts = Mounts::new(self.store.clone(), self.clock.clone(), RootLayout::Volumes);
        Self { mounts, ..self }
    }

    pub(crate) fn mount(&self, backup_id: &str) -> String {
        self.mounts.mount(backup_id, 0).unwrap().mount_id
    }

    pub(crate) async fn names(&self, mount_id: &str, folder: &str) -> Vec<String> {
        let mount = self.mounts.enter(mount_id).unwrap();
        let rows = mount.list(path(folder), RowShape::Extended).await.unwrap();
        rows.rows.into_iter().map(|row| row.name).collect()
    }

    /// A file, or a folder as a zip archive.
    pub(crate) async fn download(&self, mount_id: &str, file: &str) -> Result<Chunks, Error> {
        let mount = self.mounts.enter(mount_id)?;
        match mount.target(path(file), None).await? {
            Target::File(head) => {
                let whole = 0..head.size_bytes;
                mount.read(head, path(file), whole).await
            }
            Target::Folder => mount.archive(path(file), ArchiveFormat::Zip).await,
        }
    }
}

/// All that is read, which must end without an error.
pub(crate) async fn bytes(chunks: Chunks) -> Vec<u8> {
    try_bytes(chunks).await.unwrap()
}

pub(crate) async fn try_bytes(chunks: Chunks) -> std::io::Result<Vec<u8>> {
    chunks
        .try_fold(Vec::new(), async |mut all, chunk| {
            all.extend_from_slice(&chunk);
            Ok(all)
        })
        .await
}
