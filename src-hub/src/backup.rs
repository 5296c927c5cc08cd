//! Backups on record: rows of `backup_jobs` and `backup_disks`.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params_from_iter};
use serde::{Deserialize, Serialize};

use crate::db;

/// What a backup holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum BackupType {
    Full,
    Incremental,
}

/// Where a job, or one of its disks, stands; the words are those of the deployed schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Pending,
    Running,
    Completed,
    Failed,
    Cancelled,
}

/// What verifying a backup says about it as a whole, from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
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
pub(crate) struct Verified {
    pub(crate) verdict: Verdict,
    pub(crate) at: Timestamp,
}

/// A backup job and its result.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Backup {
    pub(crate) backup_id: String,
    pub(crate) vm_context_id: String,
    pub(crate) vm_name: String,
    pub(crate) repository_id: String,
    pub(crate) backup_type: BackupType,
    pub(crate) status: Status,
    pub(crate) parent_backup_id: Option<String>,
    /// The backup in another repository that this one is a copy of; it may be gone.
    pub(crate) copied_from: Option<String>,
    /// Deleted by nobody.
    pub(crate) is_pinned: bool,
    /// As its images are now.
    pub(crate) verified: Option<Verified>,
    pub(crate) bytes_transferred: u64,
    pub(crate) total_bytes: u64,
    pub(crate) error_message: Option<String>,
    pub(crate) current_phase: String,
    pub(crate) transfer_speed_bps: u64,
    /// Only while it is being copied.
    pub(crate) eta_seconds: Option<u64>,
    pub(crate) last_telemetry_at: Option<Timestamp>,
    pub(crate) created_at: Timestamp,
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) completed_at: Option<Timestamp>,
    /// In order.
    pub(crate) disks: Vec<BackupDisk>,
}

/// One disk within a backup.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct BackupDisk {
    pub(crate) disk_index: u32,
    pub(crate) vmware_disk_key: u32,
    pub(crate) status: Status,
    /// Size of the virtual disk.
    pub(crate) capacity_bytes: u64,
    /// Bytes of the source that had to be read.
    pub(crate) bytes_transferred: u64,
    pub(crate) total_bytes: u64,
    /// Bytes of them that were not zero and take room in the repository.
    pub(crate) stored_bytes: u64,
    /// Where the image lies, or will lie while the job runs.
    pub(crate) qcow2_path: Option<PathBuf>,
    /// Names the cluster map of the image.
    pub(crate) change_id: Option<String>,
    pub(crate) error_message: Option<String>,
}

/// Which backups are wanted; what is `None` does not matter.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    pub(crate) backup_id: Option<String>,
    pub(crate) vm_context_id: Option<String>,
    pub(crate) repository_id: Option<String>,
    pub(crate) backup_type: Option<BackupType>,
    pub(crate) status: Option<Status>,
}

impl BackupType {
    /// The contract's word.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Incremental => "incremental",
        }
    }

    pub(crate) fn from_word(word: &str) -> Option<Self> {
        match word {
            "full" => Some(Self::Full),
            "incremental" => Some(Self::Incremental),
            _ => None,
        }
    }
}

impl Status {
    /// The schema's word.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The documented contract's word (contract D17).
    pub(crate) fn documented(self) -> &'static str {
        match self {
            Self::Pending => "started",
            Self::Running => "in_progress",
            _ => self.as_str(),
        }
    }

    /// Understands the words of both.
    pub(crate) fn from_word(word: &str) -> Option<Self> {
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
    pub(crate) fn is_over(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

impl Verdict {
    /// The schema's word, and the hub's.
    pub(crate) fn as_str(self) -> &'static str {
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
    pub(crate) fn stored_bytes(&self) -> u64 {
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
    /// The statement that finds what is wanted, newest first, and its values. It names only what matters: SQLite
    /// uses no index for a condition that may also be none.
    fn statement(&self) -> (String, Vec<&str>) {
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
        let statement =
            format!("SELECT * FROM backup_jobs {wanted} ORDER BY created_at DESC, rowid DESC");
        (statement, values)
    }
}

/// Matching backups, newest first.
pub(crate) fn list(connection: &Connection, filter: &Filter) -> rusqlite::Result<Vec<Backup>> {
    let (statement, values) = filter.statement();
    let mut backups: Vec<Backup> = connection
        .prepare_cached(&statement)?
        .query_map(params_from_iter(values), backup)?
        .collect::<rusqlite::Result<_>>()?;
    let mut disks = connection.prepare_cached(
        "SELECT * FROM backup_disks WHERE backup_job_id = ?1 ORDER BY disk_index",
    )?;
    for backup in &mut backups {
        backup.disks = disks
            .query_map([&backup.backup_id], disk)?
            .collect::<rusqlite::Result<_>>()?;
    }
    Ok(backups)
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
        last_telemetry_at: db::optional_time(row, "last_telemetry_at")?,
        created_at: db::time(row, "created_at")?,
        started_at: db::optional_time(row, "started_at")?,
        completed_at: db::optional_time(row, "completed_at")?,
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
    let at = db::optional_time(row, "verified_at")?;
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
    use crate::db::Db;

    #[test]
    fn one_backup_and_those_of_a_vm_are_found_without_reading_all() {
        let db = Db::in_memory().unwrap();
        let plan = |filter: &Filter| {
            let (statement, values) = filter.statement();
            let explain = format!("EXPLAIN QUERY PLAN {statement}");
            let plan: String = db
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
