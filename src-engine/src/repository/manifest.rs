//! The manifest of a recovery point: what a repository knows about it without any database.
//!
//! It is beside the images, as `<repository>/<context>/<backup>.json`, and is written before the row that makes the
//! backup a recovery point. The hub works from the rows: where a manifest differs from them, they win, and the next
//! start rewrites it. It is for the day when the rows are lost.
//!
//! Its bytes are exactly what this version would write for its content, checksum included, so that not one of them can
//! change unnoticed.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use rusqlite::{Connection, Transaction};
use serde::{Deserialize, Serialize};

use crate::{
    failure::Failure,
    files,
    store::{
        Store,
        backups::{self, Backup, BackupType},
        repositories,
        vms::{self, Disk, Vm},
    },
};

const FORMAT: &str = "sendense-recovery-point";
/// Of the format. One that is newer is refused: it may mean something else.
const VERSION: u32 = 1;
/// Far more than any VM needs; what is longer is no manifest.
const LONGEST_BYTES: u64 = 4 * 1024 * 1024;

/// A recovery point as its repository knows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub(crate) backup_id: String,
    pub(crate) repository_id: String,
    pub(crate) backup_type: BackupType,
    /// What it was made to build on; the images say what they build on now.
    pub(crate) parent_backup_id: Option<String>,
    /// The backup in another repository that this one is a copy of.
    pub(crate) copied_from: Option<String>,
    pub(crate) is_pinned: bool,
    pub(crate) created_at: Timestamp,
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) completed_at: Option<Timestamp>,
    pub(crate) disks: Vec<ManifestDisk>,
    pub(crate) vm: ManifestVm,
}

/// One disk of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ManifestDisk {
    pub(crate) disk_index: u32,
    /// Below the folder of the repository, with `/` on every system.
    pub(crate) image: String,
    /// Names the cluster map, which lies beside the image.
    pub(crate) change_id: Option<String>,
    pub(crate) capacity_bytes: u64,
    pub(crate) bytes_transferred: u64,
    pub(crate) stored_bytes: u64,
}

/// The machine it is of, as it was then: enough to know it again, and to back it up again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ManifestVm {
    pub(crate) context_id: String,
    pub(crate) vm_name: String,
    pub(crate) vm_path: String,
    pub(crate) source_folder: PathBuf,
    pub(crate) cpu_count: Option<u32>,
    pub(crate) memory_mb: Option<u64>,
    pub(crate) os_type: Option<String>,
    pub(crate) disks: Vec<ManifestSource>,
}

/// A disk of the machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ManifestSource {
    pub(crate) label: String,
    pub(crate) path: PathBuf,
    pub(crate) capacity_bytes: u64,
}

/// The file.
#[derive(Serialize, Deserialize)]
struct Document {
    format: String,
    version: u32,
    /// BLAKE3 of the recovery point as compact JSON, in hexadecimal digits.
    checksum: String,
    recovery_point: Manifest,
}

/// Why a manifest is no use.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// The system does not hand it out.
    #[error("it cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    /// It is not JSON, or lacks something.
    #[error("it is damaged: {0}")]
    Damaged(#[source] serde_json::Error),
    /// No manifest is as long.
    #[error("it is damaged: it is far too long")]
    TooLong,
    /// Its bytes are not those that its content was written as.
    #[error("it is damaged: it is not what was written")]
    Changed,
    /// What it means is not known.
    #[error("a newer version of the hub wrote it (format {0})")]
    Newer(u32),
}

impl Manifest {
    /// What a finished backup's rows say. `None` where an image lies outside the repository.
    fn of(backup: &Backup, vm: &Vm, sources: &[Disk], repository: &Path) -> Option<Self> {
        let disks = backup
            .disks
            .iter()
            .map(|disk| {
                Some(ManifestDisk {
                    disk_index: disk.disk_index,
                    image: portable(disk.qcow2_path.as_deref()?.strip_prefix(repository).ok()?)?,
                    change_id: disk.change_id.clone(),
                    capacity_bytes: disk.capacity_bytes,
                    bytes_transferred: disk.bytes_transferred,
                    stored_bytes: disk.stored_bytes,
                })
            })
            .collect::<Option<_>>()?;
        Some(Self {
            backup_id: backup.backup_id.clone(),
            repository_id: backup.repository_id.clone(),
            backup_type: backup.backup_type,
            parent_backup_id: backup.parent_backup_id.clone(),
            copied_from: backup.copied_from.clone(),
            is_pinned: backup.is_pinned,
            created_at: backup.created_at,
            started_at: backup.started_at,
            completed_at: backup.completed_at,
            disks,
            vm: ManifestVm {
                context_id: vm.context_id.clone(),
                vm_name: vm.vm_name.clone(),
                vm_path: vm.vm_path.clone(),
                source_folder: vm.source_folder.clone(),
                cpu_count: vm.cpu_count,
                memory_mb: vm.memory_mb,
                os_type: vm.os_type.clone(),
                disks: sources
                    .iter()
                    .map(|disk| ManifestSource {
                        label: disk.label.clone(),
                        path: disk.path.clone(),
                        capacity_bytes: disk.capacity_bytes,
                    })
                    .collect(),
            },
        })
    }

    /// Reads a manifest.
    pub(crate) fn read(path: &Path) -> Result<Self, Unusable> {
        if fs::metadata(path)?.len() > LONGEST_BYTES {
            return Err(Unusable::TooLong);
        }
        let bytes = fs::read(path)?;
        let document: Document = serde_json::from_slice(&bytes).map_err(|error| {
            // What a newer version means is not for this one to judge.
            match serde_json::from_slice::<Versioned>(&bytes) {
                Ok(found) if found.version > VERSION => Unusable::Newer(found.version),
                _ => Unusable::Damaged(error),
            }
        })?;
        if document.version > VERSION {
            return Err(Unusable::Newer(document.version));
        }
        let manifest = document.recovery_point;
        if manifest.to_bytes()? != bytes {
            return Err(Unusable::Changed);
        }
        Ok(manifest)
    }

    /// Puts the manifest beside the images, in place of an older one, so that it survives a power cut.
    fn write(&self, path: &Path) -> io::Result<()> {
        files::replace(path, &self.to_bytes()?)
    }

    /// Whether two say the same of the recovery point itself. The machine may have changed since.
    pub(crate) fn is_of_the_same_rows(&self, other: &Self) -> bool {
        let without_machine = |manifest: &Self| Self {
            vm: other.vm.clone(),
            ..manifest.clone()
        };
        without_machine(self) == without_machine(other)
    }

    fn to_bytes(&self) -> io::Result<Vec<u8>> {
        let checksum = blake3::hash(&serde_json::to_vec(self)?)
            .to_hex()
            .to_string();
        let mut bytes = serde_json::to_vec_pretty(&Document {
            format: FORMAT.to_owned(),
            version: VERSION,
            checksum,
            recovery_point: self.clone(),
        })?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}

impl ManifestDisk {
    /// Where the image lies; `None` where the manifest would have it outside the repository, or
    /// elsewhere than images lie.
    pub(crate) fn image_in(&self, repository: &Path) -> Option<PathBuf> {
        let parts: Vec<&str> = self.image.split('/').collect();
        let is_plain =
            |part: &&str| !matches!(*part, "" | "." | "..") && !part.contains(['\\', ':', '\0']);
        (parts.len() == 3 && parts.iter().all(is_plain)).then(|| {
            parts
                .iter()
                .fold(repository.to_path_buf(), |path, part| path.join(part))
        })
    }
}

/// The part of a manifest that every version understands.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

/// Does `work`, which changes what is on record about a backup, and writes the same down beside its images: the
/// manifest is there before the rows are, or neither. Then does one thing more, before anybody can see it.
///
/// `work` runs twice: once to see what the manifest has to say, which is then written while others use the database.
///
/// # Errors
/// Those of `work`, or when the manifest cannot be written. Then nothing is on record.
pub(crate) fn record<T, E: From<Failure> + From<rusqlite::Error>>(
    store: &Store,
    backup_id: &str,
    work: impl Fn(&Transaction<'_>) -> Result<T, E>,
    recorded: impl FnOnce(),
) -> Result<T, E> {
    let _one_at_a_time = store.recording();
    let planned = store.rehearse(|transaction| {
        work(transaction)?;
        Ok::<_, E>(of_rows(transaction, backup_id)?)
    })?;
    write(planned.as_ref())?;
    store.transaction_and_then(
        |transaction| {
            let outcome = work(transaction)?;
            // The VM may have been discovered anew meanwhile.
            let now = of_rows(transaction, backup_id)?;
            if now != planned {
                write(now.as_ref())?;
            }
            Ok(outcome)
        },
        recorded,
    )
}

/// Writes a manifest where it belongs.
pub(crate) fn write(manifest: Option<&(PathBuf, Manifest)>) -> Result<(), Failure> {
    match manifest {
        Some((path, manifest)) => manifest.write(path).map_err(Failure::repository(path)),
        None => Ok(()),
    }
}

/// Where the manifest of a backup belongs and what it should say; `None` for a backup without images.
pub(crate) fn of_rows(
    connection: &Connection,
    backup_id: &str,
) -> rusqlite::Result<Option<(PathBuf, Manifest)>> {
    let Some(backup) = backups::find(connection, backup_id)? else {
        return Ok(None);
    };
    let Some(vm) = vms::find_by_id(connection, &backup.vm_context_id)? else {
        return Ok(None);
    };
    let Some(repository) = repositories::find(connection, &backup.repository_id)? else {
        return Ok(None);
    };
    let sources = vms::disks(connection, &vm.context_id)?;
    let path = backup.manifest_path();
    Ok(path.zip(Manifest::of(
        &backup,
        &vm,
        &sources,
        &repository.config.path,
    )))
}

fn portable(path: &Path) -> Option<String> {
    let parts: Option<Vec<&str>> = path.iter().map(|part| part.to_str()).collect();
    Some(parts?.join("/"))
}
