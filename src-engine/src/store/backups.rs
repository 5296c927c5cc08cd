//! Backups on record: rows of `backup_jobs` and `backup_disks`.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params_from_iter};
use sendense_types::FailureCode;
use serde::{Deserialize, Serialize};

use super::{
    failure_code, optional_time,
    repositories::Repository,
    time,
    vms::{Vm, vmware_disk_key},
};

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
    /// The same for programs.
    pub error_code: Option<FailureCode>,
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
    /// A backup of that VM in that repository, of which nothing else is known.
    pub(crate) fn new(
        backup_id: String,
        vm: &Vm,
        repository: &Repository,
        backup_type: BackupType,
        status: Status,
        created_at: Timestamp,
    ) -> Self {
        Self {
            backup_id,
            vm_context_id: vm.context_id.clone(),
            vm_name: vm.vm_name.clone(),
            repository_id: repository.id.clone(),
            backup_type,
            status,
            parent_backup_id: None,
            copied_from: None,
            is_pinned: false,
            verified: None,
            bytes_transferred: 0,
            total_bytes: 0,
            error_message: None,
            error_code: None,
            current_phase: status.as_str().to_owned(),
            transfer_speed_bps: 0,
            eta_seconds: None,
            last_telemetry_at: None,
            created_at,
            started_at: None,
            completed_at: None,
            disks: Vec::new(),
        }
    }

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
            error_code: None,
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

impl BackupDisk {
    /// A disk of which nothing else is known than where its image lies, or will.
    pub(crate) fn new(
        disk_index: u32,
        capacity_bytes: u64,
        image: PathBuf,
        status: Status,
    ) -> Self {
        Self {
            disk_index,
            vmware_disk_key: vmware_disk_key(disk_index),
            status,
            capacity_bytes,
            bytes_transferred: 0,
            total_bytes: 0,
            stored_bytes: 0,
            qcow2_path: Some(image),
            change_id: None,
            error_message: None,
        }
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

/// Jobs that a hub which is no more left unfinished.
pub(crate) fn abandoned(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    connection
        .prepare("SELECT id FROM backup_jobs WHERE status IN ('pending', 'running')")?
        .query_map([], |row| row.get(0))?
        .collect()
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
        error_code: failure_code(row)?,
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
