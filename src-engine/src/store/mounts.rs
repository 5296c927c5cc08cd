//! Rows of `restore_mounts`, and the disks that can be mounted.
//!
//! A mount is a row: without one it does not exist, whatever is still open in memory. So mounts survive a restart of
//! the hub, and deleting a backup also deletes its mounts by cascade.

use std::path::PathBuf;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, named_params};

use super::{time, time_text};

/// One row of `restore_mounts`, with what the joined tables say about its disk.
#[derive(Clone, Debug, PartialEq)]
pub struct MountRow {
    /// Its id.
    pub mount_id: String,
    /// The backup.
    pub backup_id: String,
    /// The row of the disk in that backup.
    pub backup_disk_id: i64,
    /// Which disk of the VM, from 0.
    pub disk_index: u32,
    /// Where a kernel mount would be; nothing is there.
    pub mount_path: String,
    /// The number of its slot, as a device that is not there.
    pub nbd_device: String,
    /// That of the largest volume that can be read.
    pub filesystem_type: String,
    /// When it was mounted.
    pub created_at: Timestamp,
    /// When it was used last.
    pub last_accessed_at: Timestamp,
    /// When it ends, if nobody uses it before.
    pub expires_at: Timestamp,
}

/// What is on record about a disk of a backup.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DiskRow {
    pub(crate) backup_disk_id: i64,
    pub(crate) disk_status: String,
    pub(crate) backup_status: String,
    /// The image, once it is in the repository.
    pub(crate) qcow2_path: Option<PathBuf>,
    /// What the image and all it builds on must lie in.
    pub(crate) repository_id: String,
}

const SELECT_MOUNTS: &str = "
    SELECT m.id, d.backup_job_id, m.backup_disk_id, d.disk_index, m.mount_path, m.nbd_device,
           m.filesystem_type, m.created_at, m.last_accessed_at, m.expires_at
    FROM restore_mounts m JOIN backup_disks d ON d.id = m.backup_disk_id";

/// All mounts, newest first.
pub(crate) fn mounts(connection: &Connection) -> rusqlite::Result<Vec<MountRow>> {
    connection
        .prepare_cached(&format!("{SELECT_MOUNTS} ORDER BY m.created_at DESC, m.id"))?
        .query_map([], mount_row)?
        .collect()
}

/// One mount.
pub(crate) fn mount(connection: &Connection, mount_id: &str) -> rusqlite::Result<Option<MountRow>> {
    connection
        .prepare_cached(&format!("{SELECT_MOUNTS} WHERE m.id = ?1"))?
        .query_row([mount_id], mount_row)
        .optional()
}

/// Records a new mount; `false` when its disk is no longer on record.
pub(crate) fn insert(connection: &Connection, row: &MountRow) -> rusqlite::Result<bool> {
    let n_inserted = connection.execute(
        "INSERT INTO restore_mounts (id, backup_disk_id, mount_path, nbd_device, filesystem_type,
            mount_mode, status, created_at, last_accessed_at, expires_at)
         SELECT :id, id, :mount_path, :nbd_device, :filesystem_type,
            'read-only', 'mounted', :created_at, :last_accessed_at, :expires_at
         FROM backup_disks WHERE id = :disk",
        named_params! {
            ":id": row.mount_id,
            ":disk": row.backup_disk_id,
            ":mount_path": row.mount_path,
            ":nbd_device": row.nbd_device,
            ":filesystem_type": row.filesystem_type,
            ":created_at": time_text(row.created_at),
            ":last_accessed_at": time_text(row.last_accessed_at),
            ":expires_at": time_text(row.expires_at),
        },
    )?;
    Ok(n_inserted > 0)
}

/// Records that a mount was used.
pub(crate) fn renew(
    connection: &Connection,
    mount_id: &str,
    last_accessed_at: Timestamp,
    expires_at: Timestamp,
) -> rusqlite::Result<()> {
    connection.execute(
        "UPDATE restore_mounts SET last_accessed_at = :used, expires_at = :expires WHERE id = :id",
        named_params! {
            ":id": mount_id,
            ":used": time_text(last_accessed_at),
            ":expires": time_text(expires_at),
        },
    )?;
    Ok(())
}

/// Forgets a mount; says whether there was one.
pub(crate) fn delete(connection: &Connection, mount_id: &str) -> rusqlite::Result<bool> {
    let n_rows = connection.execute("DELETE FROM restore_mounts WHERE id = ?1", [mount_id])?;
    Ok(n_rows > 0)
}

/// A disk of a backup, finished or not.
pub(crate) fn disk(
    connection: &Connection,
    backup_id: &str,
    disk_index: u32,
) -> rusqlite::Result<Option<DiskRow>> {
    connection
        .query_row(
            "SELECT d.id, d.status, j.status, d.qcow2_path, j.repository_id
             FROM backup_disks d
             JOIN backup_jobs j ON j.id = d.backup_job_id
             WHERE j.id = ?1 AND d.disk_index = ?2",
            (backup_id, disk_index),
            |row| {
                Ok(DiskRow {
                    backup_disk_id: row.get(0)?,
                    disk_status: row.get(1)?,
                    backup_status: row.get(2)?,
                    qcow2_path: row.get::<_, Option<String>>(3)?.map(PathBuf::from),
                    repository_id: row.get(4)?,
                })
            },
        )
        .optional()
}

fn mount_row(row: &Row<'_>) -> rusqlite::Result<MountRow> {
    Ok(MountRow {
        mount_id: row.get(0)?,
        backup_id: row.get(1)?,
        backup_disk_id: row.get(2)?,
        disk_index: row.get(3)?,
        mount_path: row.get(4)?,
        nbd_device: row.get(5)?,
        filesystem_type: row.get::<_, Option<String>>(6)?.unwrap_or_default(),
        created_at: time(row, "created_at")?,
        last_accessed_at: time(row, "last_accessed_at")?,
        expires_at: time(row, "expires_at")?,
    })
}
