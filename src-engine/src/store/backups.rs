//! Backups on record: rows of `backup_jobs` and `backup_disks`.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, named_params, params_from_iter};
use serde::{Deserialize, Serialize};

use super::{optional_time, removals, time, time_text, vms::Vm};
use crate::ids;

/// What a backup holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BackupType {
    /// Everything, on its own.
    Full,
    /// What has changed since its parent.
    Incremental,
}

/// Where a job, or one of its disks, stands; the words are those of the deployed schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// In line.
    Pending,
    /// At work.
    Running,
    /// A recovery point.
    Completed,
    /// It came to nothing.
    Failed,
    /// Somebody ended it.
    Cancelled,
}

/// What verifying a backup says about it as a whole, from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Every cluster of its disks is what was backed up.
    Sound,
    /// Its disks are; its files have damage where that does not matter for them.
    Flawed,
    /// There is nothing to compare with.
    Unproven,
    /// It cannot be restored as it was.
    Damaged,
}

/// When a backup was verified last, and what that said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    /// What it said.
    pub verdict: Verdict,
    /// When.
    pub at: Timestamp,
}

/// A backup job and its result.
#[derive(Clone, Debug, PartialEq)]
pub struct Backup {
    /// Its id.
    pub backup_id: String,
    /// The VM that it is of.
    pub vm_context_id: String,
    /// What that VM is called.
    pub vm_name: String,
    /// Where it lies.
    pub repository_id: String,
    /// Whether it builds on another one.
    pub backup_type: BackupType,
    /// Where it stands.
    pub status: Status,
    /// What it builds on; `None` for a full one.
    pub parent_backup_id: Option<String>,
    /// The backup in another repository that this one is a copy of; it may be gone.
    pub copied_from: Option<String>,
    /// Deleted by nobody.
    pub is_pinned: bool,
    /// As its images are now.
    pub verified: Option<Verified>,
    /// Bytes of its disks that have been read.
    pub bytes_transferred: u64,
    /// Bytes of its disks that have to be read.
    pub total_bytes: u64,
    /// Why it failed, in words.
    pub error_message: Option<String>,
    /// What it is doing, in the hub's word.
    pub current_phase: String,
    /// Bytes read per second.
    pub transfer_speed_bps: u64,
    /// Only while it is being copied.
    pub eta_seconds: Option<u64>,
    /// When its progress was told last.
    pub last_telemetry_at: Option<Timestamp>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it began to copy.
    pub started_at: Option<Timestamp>,
    /// When it was over.
    pub completed_at: Option<Timestamp>,
    /// In order.
    pub disks: Vec<BackupDisk>,
}

/// One disk within a backup.
#[derive(Clone, Debug, PartialEq)]
pub struct BackupDisk {
    /// Which disk of the VM, from 0.
    pub disk_index: u32,
    /// What VMware would call it.
    pub vmware_disk_key: u32,
    /// Where it stands.
    pub status: Status,
    /// Size of the virtual disk.
    pub capacity_bytes: u64,
    /// Bytes of the source that had to be read.
    pub bytes_transferred: u64,
    /// Bytes of the source that have to be read.
    pub total_bytes: u64,
    /// Bytes of them that were not zero and take room in the repository.
    pub stored_bytes: u64,
    /// Where the image lies, or will lie while the job runs.
    pub qcow2_path: Option<PathBuf>,
    /// Names the cluster map of the image.
    pub change_id: Option<String>,
    /// Why it failed, in words.
    pub error_message: Option<String>,
}

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

/// Which backups are wanted; what is `None` does not matter.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// With this id.
    pub backup_id: Option<String>,
    /// Of this VM.
    pub vm_context_id: Option<String>,
    /// In this repository.
    pub repository_id: Option<String>,
    /// Of this type.
    pub backup_type: Option<BackupType>,
    /// That stand here.
    pub status: Option<Status>,
}

impl BackupType {
    /// The contract's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Incremental => "incremental",
        }
    }

    /// Understands the contract's word.
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "full" => Some(Self::Full),
            "incremental" => Some(Self::Incremental),
            _ => None,
        }
    }
}

impl Status {
    /// The schema's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The documented contract's word (contract D17).
    pub fn documented(self) -> &'static str {
        match self {
            Self::Pending => "started",
            Self::Running => "in_progress",
            _ => self.as_str(),
        }
    }

    /// Understands the words of both.
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "pending" | "started" => Some(Self::Pending),
            "running" | "in_progress" => Some(Self::Running),
            "completed" => Some(Self::Completed),
            "failed" => Some(Self::Failed),
            "cancelled" => Some(Self::Cancelled),
            _ => None,
        }
    }

    /// The job will not change any more.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

impl Verdict {
    /// The schema's word, and the hub's.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sound => "sound",
            Self::Flawed => "flawed",
            Self::Unproven => "unproven",
            Self::Damaged => "damaged",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        [Self::Sound, Self::Flawed, Self::Unproven, Self::Damaged]
            .into_iter()
            .find(|verdict| verdict.as_str() == word)
    }
}

impl Backup {
    /// A finished backup without disks, for rules to be tried on.
    #[cfg(test)]
    pub(crate) fn example() -> Self {
        Self {
            backup_id: "backup".to_owned(),
            vm_context_id: "ctx-vm".to_owned(),
            vm_name: "vm".to_owned(),
            repository_id: "repository".to_owned(),
            backup_type: BackupType::Full,
            status: Status::Completed,
            parent_backup_id: None,
            copied_from: None,
            is_pinned: false,
            verified: None,
            bytes_transferred: 0,
            total_bytes: 0,
            error_message: None,
            current_phase: String::new(),
            transfer_speed_bps: 0,
            eta_seconds: None,
            last_telemetry_at: None,
            created_at: Timestamp::UNIX_EPOCH,
            started_at: None,
            completed_at: None,
            disks: Vec::new(),
        }
    }

    /// A finished backup with that id and parent.
    #[cfg(test)]
    pub(crate) fn point(id: &str, parent: Option<&str>, created_at: &str) -> Self {
        Self {
            backup_id: id.to_owned(),
            parent_backup_id: parent.map(str::to_owned),
            backup_type: match parent {
                Some(_) => BackupType::Incremental,
                None => BackupType::Full,
            },
            created_at: created_at.parse().unwrap(),
            ..Self::example()
        }
    }

    /// Room that its images take.
    pub fn stored_bytes(&self) -> u64 {
        self.disks.iter().map(|disk| disk.stored_bytes).sum()
    }

    /// It was found damaged when it was last verified: what builds on it may be worth nothing.
    pub(crate) fn is_damaged(&self) -> bool {
        self.verified
            .is_some_and(|verified| verified.verdict == Verdict::Damaged)
    }

    /// Where its manifest lies; `None` where it has no images.
    pub(crate) fn manifest_path(&self) -> Option<PathBuf> {
        let image = self
            .disks
            .iter()
            .find_map(|disk| disk.qcow2_path.as_ref())?;
        manifest_path(image, &self.backup_id)
    }
}

/// Where the manifest of the backup with this image lies.
pub(crate) fn manifest_path(image: &Path, backup_id: &str) -> Option<PathBuf> {
    // <repository>/<context>/disk-N/<image>
    let context = image.parent()?.parent()?;
    Some(context.join(format!("{backup_id}.json")))
}

impl Filter {
    /// What has to hold, and the values in it. It names only what matters: SQLite uses no index for a condition
    /// that may also be none.
    fn conditions(&self) -> (String, Vec<&str>) {
        let (conditions, values): (Vec<_>, Vec<_>) = [
            ("id = ?", self.backup_id.as_deref()),
            ("vm_context_id = ?", self.vm_context_id.as_deref()),
            ("repository_id = ?", self.repository_id.as_deref()),
            ("backup_type = ?", self.backup_type.map(BackupType::as_str)),
            ("status = ?", self.status.map(Status::as_str)),
        ]
        .into_iter()
        .filter_map(|(condition, value)| Some((condition, value?)))
        .unzip();
        let wanted = match conditions.as_slice() {
            [] => String::new(),
            conditions => format!("WHERE {}", conditions.join(" AND ")),
        };
        (wanted, values)
    }
}

/// Matching backups, newest first.
pub(crate) fn list(connection: &Connection, filter: &Filter) -> rusqlite::Result<Vec<Backup>> {
    let (conditions, values) = filter.conditions();
    let mut disks: HashMap<String, Vec<BackupDisk>> = HashMap::new();
    let statement = format!(
        "SELECT * FROM backup_disks WHERE backup_job_id IN (SELECT id FROM backup_jobs {conditions})
         ORDER BY disk_index"
    );
    let mut statement = connection.prepare_cached(&statement)?;
    let mut rows = statement.query(params_from_iter(&values))?;
    while let Some(row) = rows.next()? {
        let backup_id = row.get("backup_job_id")?;
        disks.entry(backup_id).or_default().push(disk(row)?);
    }
    connection
        .prepare_cached(&select(&conditions))?
        .query_map(params_from_iter(&values), |row| {
            let mut backup = backup(row)?;
            backup.disks = disks.remove(&backup.backup_id).unwrap_or_default();
            Ok(backup)
        })?
        .collect()
}

/// The statement that finds backups, newest first.
fn select(conditions: &str) -> String {
    format!("SELECT * FROM backup_jobs {conditions} ORDER BY created_at DESC, rowid DESC")
}

/// How many matching backups there are.
pub(crate) fn count(connection: &Connection, filter: &Filter) -> rusqlite::Result<usize> {
    let (conditions, values) = filter.conditions();
    let statement = format!("SELECT count(*) FROM backup_jobs {conditions}");
    connection
        .prepare_cached(&statement)?
        .query_row(params_from_iter(values), |row| row.get(0))
}

/// One backup.
pub(crate) fn find(connection: &Connection, backup_id: &str) -> rusqlite::Result<Option<Backup>> {
    let filter = Filter {
        backup_id: Some(backup_id.to_owned()),
        ..Filter::default()
    };
    Ok(list(connection, &filter)?.pop())
}

/// The backup on record that has one of these images.
pub(crate) fn owner_of(
    connection: &Connection,
    images: &[PathBuf],
) -> rusqlite::Result<Option<String>> {
    for image in images {
        let owner = connection
            .query_row(
                "SELECT backup_job_id FROM backup_disks WHERE qcow2_path = ?1",
                [image.to_string_lossy()],
                |row| row.get(0),
            )
            .optional()?;
        if owner.is_some() {
            return Ok(owner);
        }
    }
    Ok(None)
}

/// Whether there is a backup with that id.
pub(crate) fn exists(connection: &Connection, backup_id: &str) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM backup_jobs WHERE id = ?1)")?
        .query_row([backup_id], |row| row.get(0))
}

/// The backup of that VM that is not over yet.
pub(crate) fn running(
    connection: &Connection,
    vm_context_id: &str,
) -> rusqlite::Result<Option<String>> {
    connection
        .query_row(
            "SELECT id FROM backup_jobs WHERE vm_context_id = ?1 AND status IN ('pending', 'running')",
            [vm_context_id],
            |row| row.get(0),
        )
        .optional()
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
    reason: &str,
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

/// Jobs that a hub which is no more left unfinished.
pub(crate) fn abandoned(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    connection
        .prepare("SELECT id FROM backup_jobs WHERE status IN ('pending', 'running')")?
        .query_map([], |row| row.get(0))?
        .collect()
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

/// The backups that name this one as their parent and have not failed.
pub(crate) fn children(connection: &Connection, backup_id: &str) -> rusqlite::Result<Vec<String>> {
    connection
        .prepare_cached(
            "SELECT id FROM backup_jobs
             WHERE parent_backup_id = ?1 AND status IN ('pending', 'running', 'completed')",
        )?
        .query_map([backup_id], |row| row.get(0))?
        .collect()
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

/// The finished backup of a repository that is a copy of another one, or what that one is a copy of, or another copy
/// of the same.
pub(crate) fn copy_in(
    connection: &Connection,
    backup_id: &str,
    repository_id: &str,
) -> rusqlite::Result<Option<String>> {
    connection
        .query_row(
            "WITH origin (id) AS (SELECT copied_from FROM backup_jobs WHERE id = ?1)
             SELECT backup_jobs.id FROM backup_jobs LEFT JOIN origin
             WHERE repository_id = ?2 AND status = 'completed'
               AND (copied_from IN (?1, origin.id) OR backup_jobs.id = origin.id)
             ORDER BY copied_from IS NOT ?1 LIMIT 1",
            (backup_id, repository_id),
            |row| row.get(0),
        )
        .optional()
}

/// Sizes of disks are whole GiB in the contract.
fn gibibytes_rounded_up(bytes: u64) -> u64 {
    bytes.div_ceil(1 << 30)
}

fn backup(row: &Row<'_>) -> rusqlite::Result<Backup> {
    Ok(Backup {
        backup_id: row.get("id")?,
        vm_context_id: row.get("vm_context_id")?,
        vm_name: row.get("vm_name")?,
        repository_id: row.get("repository_id")?,
        backup_type: match row.get::<_, String>("backup_type")?.as_str() {
            "incremental" => BackupType::Incremental,
            _ => BackupType::Full,
        },
        status: status(row)?,
        parent_backup_id: row.get("parent_backup_id")?,
        copied_from: row.get("copied_from")?,
        is_pinned: row.get("is_pinned")?,
        verified: verified(row)?,
        bytes_transferred: row.get("bytes_transferred")?,
        total_bytes: row.get("total_bytes")?,
        error_message: row.get("error_message")?,
        current_phase: row.get("current_phase")?,
        transfer_speed_bps: row.get("transfer_speed_bps")?,
        eta_seconds: None,
        last_telemetry_at: optional_time(row, "last_telemetry_at")?,
        created_at: time(row, "created_at")?,
        started_at: optional_time(row, "started_at")?,
        completed_at: optional_time(row, "completed_at")?,
        disks: Vec::new(),
    })
}

fn disk(row: &Row<'_>) -> rusqlite::Result<BackupDisk> {
    let bytes_transferred = row.get("bytes_transferred")?;
    Ok(BackupDisk {
        disk_index: row.get("disk_index")?,
        vmware_disk_key: row.get("vmware_disk_key")?,
        status: status(row)?,
        capacity_bytes: row.get("capacity_bytes")?,
        bytes_transferred,
        // A disk whose size is on record is complete: what had to be read has been read.
        total_bytes: bytes_transferred,
        stored_bytes: row.get("stored_bytes")?,
        qcow2_path: row
            .get::<_, Option<String>>("qcow2_path")?
            .map(PathBuf::from),
        change_id: row.get("disk_change_id")?,
        error_message: row.get("error_message")?,
    })
}

fn verified(row: &Row<'_>) -> rusqlite::Result<Option<Verified>> {
    let word: Option<String> = row.get("verification_status")?;
    let at = optional_time(row, "verified_at")?;
    word.zip(at)
        .map(|(word, at)| {
            let verdict = Verdict::from_word(&word).ok_or_else(|| unknown_word(&word))?;
            Ok(Verified { verdict, at })
        })
        .transpose()
}

fn status(row: &Row<'_>) -> rusqlite::Result<Status> {
    let word: String = row.get("status")?;
    Status::from_word(&word).ok_or_else(|| unknown_word(&word))
}

/// The table allows no other words, so an unknown one is a damaged database.
fn unknown_word(word: &str) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(
        0,
        rusqlite::types::Type::Text,
        format!("'{word}' is no status").into(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    #[test]
    fn one_backup_and_those_of_a_vm_are_found_without_reading_all() {
        let store = Store::in_memory().unwrap();
        let plan = |filter: &Filter| {
            let (conditions, values) = filter.conditions();
            let explain = format!("EXPLAIN QUERY PLAN {}", select(&conditions));
            let plan: String = store
                .with(|connection| {
                    connection
                        .query_row(&explain, params_from_iter(values), |row| row.get("detail"))
                })
                .unwrap();
            plan
        };
        let word = || Some("word".to_owned());
        let of_id = plan(&Filter {
            backup_id: word(),
            ..Filter::default()
        });
        assert!(
            of_id.starts_with("SEARCH") && of_id.contains("(id=?)"),
            "{of_id}"
        );
        let of_vm = plan(&Filter {
            vm_context_id: word(),
            repository_id: word(),
            status: Some(Status::Completed),
            ..Filter::default()
        });
        assert!(of_vm.contains("backup_jobs_by_vm"), "{of_vm}");
    }
}
