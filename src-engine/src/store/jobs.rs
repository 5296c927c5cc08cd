//! What becomes of backups, as recorded in their rows.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, named_params};

use super::{
    Reason,
    backups::{Backup, Status, Verdict, find},
    removals, time_text,
    vms::Vm,
};
use crate::ids;

/// What a job has left of a disk in the repository.
pub(crate) struct StoredDisk {
    pub(crate) capacity_bytes: u64,
    pub(crate) read_bytes: u64,
    pub(crate) stored_bytes: u64,
    /// Names the cluster map.
    pub(crate) change_id: String,
}

/// A disk whose image was written anew.
pub(crate) struct MergedDisk {
    pub(crate) disk_index: u32,
    pub(crate) stored_bytes: u64,
}

/// Writes a backup down with its disks, whatever became of it. `context_id` is that of its chains (see [`context`]).
pub(crate) fn insert(
    connection: &Connection,
    context_id: &str,
    backup: &Backup,
) -> rusqlite::Result<()> {
    let optional = |time: Option<Timestamp>| time.map(time_text);
    connection.execute(
        "INSERT INTO backup_jobs (id, vm_backup_context_id, vm_context_id, vm_name, repository_id,
            backup_type, parent_backup_id, copied_from, is_pinned, status, current_phase,
            progress_percent, bytes_transferred, total_bytes, transfer_speed_bps, created_at, started_at,
            completed_at, last_telemetry_at)
         VALUES (:id, :context, :vm, :vm_name, :repository, :type, :parent, :copied_from, :pinned, :status,
            :phase, :percent, :read, :total, :speed, :created, :started, :completed, :telemetry)",
        named_params! {
            ":id": backup.backup_id,
            ":context": context_id,
            ":vm": backup.vm_context_id,
            ":vm_name": backup.vm_name,
            ":repository": backup.repository_id,
            ":type": backup.backup_type.as_str(),
            ":parent": backup.parent_backup_id,
            ":copied_from": backup.copied_from,
            ":pinned": backup.is_pinned,
            ":status": backup.status.as_str(),
            ":phase": backup.current_phase,
            ":percent": percent(backup.status),
            ":read": backup.bytes_transferred,
            ":total": backup.total_bytes,
            ":speed": backup.transfer_speed_bps,
            ":created": time_text(backup.created_at),
            ":started": optional(backup.started_at),
            ":completed": optional(backup.completed_at),
            ":telemetry": optional(backup.last_telemetry_at),
        },
    )?;
    for disk in &backup.disks {
        connection.execute(
            "INSERT INTO backup_disks (vm_backup_context_id, backup_job_id, disk_index,
                vmware_disk_key, unit_number, size_gb, capacity_bytes, bytes_transferred, stored_bytes,
                disk_change_id, qcow2_path, progress_percent, status, created_at, completed_at)
             VALUES (:context, :id, :index, :key, :index, :size_gb, :capacity, :read, :stored,
                :change_id, :path, :percent, :status, :created, :completed)",
            named_params! {
                ":context": context_id,
                ":id": backup.backup_id,
                ":index": disk.disk_index,
                ":key": disk.vmware_disk_key,
                ":size_gb": gibibytes_rounded_up(disk.capacity_bytes),
                ":capacity": disk.capacity_bytes,
                ":read": disk.bytes_transferred,
                ":stored": disk.stored_bytes,
                ":change_id": disk.change_id,
                ":path": disk.qcow2_path.as_ref().map(|path| path.to_string_lossy()),
                ":percent": percent(disk.status),
                ":status": disk.status.as_str(),
                ":created": time_text(backup.created_at),
                ":completed": optional(backup.completed_at),
            },
        )?;
    }
    Ok(())
}

/// Of a row: how far a backup that runs is, is kept in memory.
fn percent(status: Status) -> f64 {
    match status {
        Status::Completed => 100.0,
        _ => 0.0,
    }
}

/// What this VM's chains in this repository hang on; made by its first backup there.
pub(crate) fn context(
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
pub(crate) fn begin_to_copy(
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
pub(crate) fn complete(
    connection: &Connection,
    backup_id: &str,
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
                ":job": backup_id,
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
            ":job": backup_id,
        },
    )?;
    connection.execute(
        "UPDATE vm_backup_contexts SET total_backups_run = total_backups_run + 1,
            successful_backups = successful_backups + 1, last_backup_id = job.id,
            last_backup_type = job.backup_type, last_backup_at = :now, updated_at = :now
         FROM (SELECT id, backup_type, vm_backup_context_id FROM backup_jobs WHERE id = :job) AS job
         WHERE context_id = job.vm_backup_context_id",
        named_params! {
            ":now": completed_at,
            ":job": backup_id,
        },
    )?;
    Ok(())
}

/// The job is over, failed or cancelled. What it left in the repository is noted down to be removed.
pub(crate) fn fail(
    connection: &Connection,
    backup_id: &str,
    status: Status,
    reason: &Reason,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let completed_at = time_text(now);
    // Noted down with the row: whatever happens next, somebody removes them.
    if let Some(backup) = find(connection, backup_id)? {
        removals::note_files(connection, &backup)?;
    }
    connection.execute(
        "UPDATE backup_disks SET status = 'failed', qcow2_path = NULL, error_message = ?2,
            completed_at = ?3
         WHERE backup_job_id = ?1",
        (backup_id, &reason.text, &completed_at),
    )?;
    connection.execute(
        "UPDATE backup_jobs SET status = :status, current_phase = :status, error_message = :text,
            error_code = :code, completed_at = :now
         WHERE id = :job",
        named_params! {
            ":status": status.as_str(),
            ":text": reason.text,
            ":code": reason.code_text(),
            ":now": completed_at,
            ":job": backup_id,
        },
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
pub(crate) fn set_verified(
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
pub(crate) fn merged(
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

/// Takes backups off the record, and notes down that their files have to go. What stays must not build on them.
pub(crate) fn forget<'b>(
    connection: &Connection,
    backups: impl IntoIterator<Item = &'b Backup>,
) -> rusqlite::Result<()> {
    for backup in backups {
        removals::note_files(connection, backup)?;
        connection.execute(
            "UPDATE vm_backup_contexts SET last_backup_id = NULL, last_backup_type = NULL
             WHERE last_backup_id = ?1",
            [&backup.backup_id],
        )?;
        connection.execute("DELETE FROM backup_jobs WHERE id = ?1", [&backup.backup_id])?;
    }
    Ok(())
}

/// Pins a backup, or no longer; says whether there is such a backup.
pub(crate) fn set_pinned(
    connection: &Connection,
    backup_id: &str,
    is_pinned: bool,
) -> rusqlite::Result<bool> {
    let n_rows = connection.execute(
        "UPDATE backup_jobs SET is_pinned = ?2 WHERE id = ?1",
        (backup_id, is_pinned),
    )?;
    Ok(n_rows > 0)
}

/// Sizes of disks are whole GiB in the contract.
fn gibibytes_rounded_up(bytes: u64) -> u64 {
    bytes.div_ceil(1 << 30)
}
