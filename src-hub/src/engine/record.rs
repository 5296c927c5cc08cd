//! What the engine writes down about its jobs.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, named_params};

use super::{failure::HUB_STOPPED, merge::MergedDisk, removal};
use crate::{
    backup::{self, Backup, BackupType, Status, Verdict},
    db::time_text,
    ids,
    repository::Repository,
    vm::{Disk, Vm},
};

/// A job as it is written down before anything is done.
pub(super) struct NewJob {
    pub(super) backup_id: String,
    pub(super) backup_context_id: String,
    pub(super) vm_context_id: String,
    pub(super) images: Vec<PathBuf>,
    /// The images to build on, disk by disk; none for a full backup and for disks that are new.
    pub(super) parents: Vec<Option<PathBuf>>,
}

/// What a job left in the repository, disk by disk.
pub(super) struct StoredDisk {
    pub(super) capacity_bytes: u64,
    pub(super) read_bytes: u64,
    pub(super) stored_bytes: u64,
    /// Names the cluster map.
    pub(super) change_id: String,
}

/// Writes a new job down with the places its images will have, so that whatever becomes of the
/// hub, the next start knows which files to remove.
pub(super) fn begin(
    connection: &Connection,
    vm: &Vm,
    disks: &[Disk],
    repository: &Repository,
    parent: Option<&Backup>,
    now: Timestamp,
) -> rusqlite::Result<NewJob> {
    let created_at = time_text(now);
    let backup_context_id = backup_context(connection, vm, &repository.id, now)?;
    let image_of = |backup_id: &str, disk: &Disk| {
        image_path(&repository.config.path, vm, backup_id, disk.disk_index, now)
    };
    // Names of files too: a repository holds copies of backups whose ids are free again, and what is
    // not on record at all.
    let backup_id = ids::backup_id(&vm.vm_name, now, |id| {
        let is_in_the_way = disks.iter().any(|disk| image_of(id, disk).exists());
        Ok::<_, rusqlite::Error>(is_in_the_way || backup::exists(connection, id)?)
    })?;
    connection.execute(
        "INSERT INTO backup_jobs (id, vm_backup_context_id, vm_context_id, vm_name, repository_id,
            backup_type, parent_backup_id, status, current_phase, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'pending', 'pending', ?8)",
        (
            &backup_id,
            &backup_context_id,
            &vm.context_id,
            &vm.vm_name,
            &repository.id,
            match parent {
                Some(_) => BackupType::Incremental.as_str(),
                None => BackupType::Full.as_str(),
            },
            parent.map(|parent| &parent.backup_id),
            &created_at,
        ),
    )?;
    let mut images = Vec::with_capacity(disks.len());
    for disk in disks {
        let image = image_of(&backup_id, disk);
        connection.execute(
            "INSERT INTO backup_disks (vm_backup_context_id, backup_job_id, disk_index,
                vmware_disk_key, unit_number, size_gb, capacity_bytes, qcow2_path, status, created_at)
             VALUES (?1, ?2, ?3, ?4, ?3, ?5, ?6, ?7, 'pending', ?8)",
            (
                &backup_context_id,
                &backup_id,
                disk.disk_index,
                disk.vmware_disk_key(),
                gibibytes_rounded_up(disk.capacity_bytes),
                disk.capacity_bytes,
                image.to_string_lossy(),
                &created_at,
            ),
        )?;
        images.push(image);
    }
    let parents = disks
        .iter()
        .map(|disk| {
            let of_parent = parent?.disks.iter();
            of_parent
                .filter(|parent| parent.disk_index == disk.disk_index)
                .find_map(|parent| parent.qcow2_path.clone())
        })
        .collect();
    Ok(NewJob {
        backup_id,
        backup_context_id,
        vm_context_id: vm.context_id.clone(),
        images,
        parents,
    })
}

/// `<repository>/<context>/disk-N/<backup>-diskN-<time>.qcow2`
fn image_path(
    repository: &Path,
    vm: &Vm,
    backup_id: &str,
    disk_index: u32,
    now: Timestamp,
) -> PathBuf {
    repository
        .join(&vm.context_id)
        .join(format!("disk-{disk_index}"))
        .join(format!(
            "{backup_id}-disk{disk_index}-{}.qcow2",
            ids::compact(now)
        ))
}

/// What this VM's chains in this repository hang on; made by its first backup there.
pub(super) fn backup_context(
    connection: &Connection,
    vm: &Vm,
    repository_id: &str,
    now: Timestamp,
) -> rusqlite::Result<String> {
    let known = connection
        .query_row(
            "SELECT context_id FROM vm_backup_contexts WHERE vm_name = ?1 AND repository_id = ?2",
            (&vm.vm_name, repository_id),
            |row| row.get(0),
        )
        .optional()?;
    if let Some(known) = known {
        return Ok(known);
    }
    let id = ids::backup_context_id(&vm.vm_name, now, |id| {
        connection.query_row(
            "SELECT EXISTS (SELECT 1 FROM vm_backup_contexts WHERE context_id = ?1)",
            [id],
            |row| row.get(0),
        )
    })?;
    connection.execute(
        "INSERT INTO vm_backup_contexts (context_id, vm_name, repository_id, created_at, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?4)",
        (&id, &vm.vm_name, repository_id, time_text(now)),
    )?;
    Ok(id)
}

/// The job begins to copy.
pub(super) fn running(
    connection: &Connection,
    backup_id: &str,
    now: Timestamp,
) -> rusqlite::Result<()> {
    connection.execute(
        "UPDATE backup_jobs SET status = 'running', started_at = ?2 WHERE id = ?1",
        (backup_id, time_text(now)),
    )?;
    Ok(())
}

/// Every image is in its place: from now on the backup can be restored.
pub(super) fn completed(
    connection: &Connection,
    job: &NewJob,
    disks: &[StoredDisk],
    speed_bps: u64,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let completed_at = time_text(now);
    for (index, disk) in (0_u32..).zip(disks) {
        connection.execute(
            "UPDATE backup_disks SET status = 'completed', progress_percent = 100,
                bytes_transferred = :read, stored_bytes = :stored, capacity_bytes = :capacity,
                size_gb = :size_gb, disk_change_id = :change_id, completed_at = :now
             WHERE backup_job_id = :job AND disk_index = :index",
            named_params! {
                ":read": disk.read_bytes,
                ":stored": disk.stored_bytes,
                ":capacity": disk.capacity_bytes,
                ":size_gb": gibibytes_rounded_up(disk.capacity_bytes),
                ":change_id": disk.change_id,
                ":now": completed_at,
                ":job": job.backup_id,
                ":index": index,
            },
        )?;
    }
    let read_bytes: u64 = disks.iter().map(|disk| disk.read_bytes).sum();
    connection.execute(
        "UPDATE backup_jobs SET status = 'completed', current_phase = 'completed',
            progress_percent = 100, bytes_transferred = :read, total_bytes = :read,
            transfer_speed_bps = :speed, last_telemetry_at = :now, completed_at = :now
         WHERE id = :job",
        named_params! {
            ":read": read_bytes,
            ":speed": speed_bps,
            ":now": completed_at,
            ":job": job.backup_id,
        },
    )?;
    connection.execute(
        "UPDATE vm_backup_contexts SET total_backups_run = total_backups_run + 1,
            successful_backups = successful_backups + 1, last_backup_id = job.id,
            last_backup_type = job.backup_type, last_backup_at = :now, updated_at = :now
         FROM (SELECT id, backup_type FROM backup_jobs WHERE id = :job) AS job
         WHERE context_id = :context",
        named_params! {
            ":now": completed_at,
            ":job": job.backup_id,
            ":context": job.backup_context_id,
        },
    )?;
    Ok(())
}

/// The job is over, failed or cancelled. What it left in the repository is noted down to be removed.
pub(super) fn failed(
    connection: &Connection,
    backup_id: &str,
    status: Status,
    reason: &str,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let completed_at = time_text(now);
    // Noted down with the row: whatever happens next, somebody removes them.
    if let Some(backup) = backup::find(connection, backup_id)? {
        removal::note_files(connection, &backup)?;
    }
    connection.execute(
        "UPDATE backup_disks SET status = 'failed', qcow2_path = NULL, error_message = ?2,
            completed_at = ?3
         WHERE backup_job_id = ?1",
        (backup_id, reason, &completed_at),
    )?;
    connection.execute(
        "UPDATE backup_jobs SET status = ?2, current_phase = ?2, error_message = ?3,
            completed_at = ?4
         WHERE id = ?1",
        (backup_id, status.as_str(), reason, &completed_at),
    )?;
    connection.execute(
        "UPDATE vm_backup_contexts SET total_backups_run = total_backups_run + 1,
            failed_backups = failed_backups + 1, updated_at = ?2
         WHERE context_id = (SELECT vm_backup_context_id FROM backup_jobs WHERE id = ?1)",
        (backup_id, &completed_at),
    )?;
    Ok(())
}

/// A backup was verified.
pub(super) fn verified(
    connection: &Connection,
    backup_id: &str,
    verdict: Verdict,
    now: Timestamp,
) -> rusqlite::Result<()> {
    connection.execute(
        "UPDATE backup_jobs SET verification_status = ?2, verified_at = ?3 WHERE id = ?1",
        (backup_id, verdict.as_str(), time_text(now)),
    )?;
    Ok(())
}

/// The backup has what its expired parents held, and builds on what they built on.
pub(super) fn merged(
    connection: &Connection,
    backup_id: &str,
    parent: Option<&str>,
    disks: &[MergedDisk],
) -> rusqlite::Result<()> {
    for disk in disks {
        connection.execute(
            "UPDATE backup_disks SET stored_bytes = ?3 WHERE backup_job_id = ?1 AND disk_index = ?2",
            (backup_id, disk.disk_index, disk.stored_bytes),
        )?;
    }
    connection.execute(
        "UPDATE backup_jobs SET parent_backup_id = ?2 WHERE id = ?1",
        (backup_id, parent),
    )?;
    // Its images are new, and so is what others build on.
    connection.execute(
        "WITH RECURSIVE anew (id) AS (
            SELECT ?1 UNION SELECT job.id FROM backup_jobs AS job JOIN anew ON job.parent_backup_id = anew.id
         )
         UPDATE backup_jobs SET verification_status = NULL, verified_at = NULL WHERE id IN anew",
        [backup_id],
    )?;
    Ok(())
}

/// Jobs that a hub which is no more left unfinished.
pub(super) fn abandoned(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    connection
        .prepare("SELECT id FROM backup_jobs WHERE status IN ('pending', 'running')")?
        .query_map([], |row| row.get(0))?
        .collect()
}

/// Ends a job that a hub which is no more left unfinished.
pub(super) fn abandon(
    connection: &Connection,
    backup_id: &str,
    now: Timestamp,
) -> rusqlite::Result<()> {
    failed(connection, backup_id, Status::Failed, HUB_STOPPED, now)
}

/// Sizes of disks are whole GiB in the contract.
pub(super) fn gibibytes_rounded_up(bytes: u64) -> u64 {
    bytes.div_ceil(1 << 30)
}
