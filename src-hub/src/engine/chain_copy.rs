//! Copying a recovery point, with everything it builds on, to another repository.
//!
//! Files are copied byte for byte under their own names: what builds on what stays as it is, and the
//! cluster maps stay right. Each point becomes a backup of the other repository as soon as all its files
//! are there and were read back; points that are there already are not copied again. A copy that is cut
//! off leaves what it has of a file under a temporary name, and the next one goes on from there.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, named_params};
use sendense_disk::{AllowedRoots, Image};
use tokio_util::sync::CancellationToken;

use super::{
    Jobs,
    failure::Failure,
    file_copy::{self, copy_file},
    image::sync_names,
    manifest,
    map::map_path,
    record, removal, require_connected, require_usable,
    verify::Verifier,
};
use crate::{
    backup::{self, Backup, Status, Verdict},
    db::{self, time_text},
    error::{Error, Result},
    ids,
    repository::{self, Repository},
    vm,
};
pub(super) use file_copy::is_unfinished;

/// Why a copy that a hub which is no more left unfinished is over.
const CUT_OFF: &str = "the hub stopped while this was copied; copy it again to go on";

/// A copy that was asked for, as it is on record.
#[derive(Clone, Debug)]
pub(crate) struct ChainCopy {
    pub(crate) id: i64,
    pub(crate) source_backup_id: String,
    pub(crate) repository_id: String,
    pub(crate) status: String,
    /// Of all files that had to be copied.
    pub(crate) size_bytes: u64,
    pub(crate) copy_started_at: Option<Timestamp>,
    pub(crate) copy_completed_at: Option<Timestamp>,
    pub(crate) verified_at: Option<Timestamp>,
    pub(crate) verification_status: String,
    pub(crate) error_message: Option<String>,
    pub(crate) created_at: Timestamp,
    /// The backup that it became.
    pub(crate) backup_id: Option<String>,
    /// Of a running one.
    pub(crate) copied_bytes: u64,
}

/// A copy that runs or did.
#[derive(Debug)]
pub(super) struct CopyRun {
    vm_context_id: String,
    repository_id: String,
    copied_bytes: AtomicU64,
    total_bytes: AtomicU64,
    is_over: AtomicBool,
    cancel: CancellationToken,
    phase: Mutex<&'static str>,
}

impl CopyRun {
    /// The VM whose backups are copied.
    pub(super) fn vm_context_id(&self) -> &str {
        &self.vm_context_id
    }

    /// Where they are copied to.
    pub(super) fn repository_id(&self) -> &str {
        &self.repository_id
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    fn phase(&self) -> &'static str {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, phase: &'static str) {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner) = phase;
    }
}

impl Jobs {
    /// Begins to copy a recovery point and all it builds on; gives the id of the copy. Returns at once.
    ///
    /// # Errors
    /// When the backup is not complete or not in another repository, when one of the repositories is not
    /// connected, and while its chain is being changed or copied there already.
    pub(crate) fn copy_chain(&self, backup_id: &str, repository_id: &str) -> Result<i64> {
        let backup = self.one(backup_id)?;
        if backup.status != Status::Completed {
            return Err(Error::BackupNotComplete(backup.backup_id));
        }
        if backup.repository_id == repository_id {
            return Err(Error::CopyInPlace(backup.backup_id));
        }
        let source = self.repository_of(&backup)?;
        require_connected(&source)?;
        let target = self
            .inner
            .db
            .with(|connection| repository::find(connection, repository_id))?
            .ok_or_else(|| Error::RepositoryNotFound(repository_id.to_owned()))?;
        require_usable(&target)?;
        let run = Arc::new(CopyRun {
            vm_context_id: backup.vm_context_id.clone(),
            repository_id: target.id.clone(),
            copied_bytes: AtomicU64::new(0),
            total_bytes: AtomicU64::new(0),
            is_over: AtomicBool::new(false),
            cancel: self.inner.stopping.child_token(),
            phase: Mutex::new("pending"),
        });
        let now = self.inner.clock.now();
        let id = {
            let busy = self.busy();
            if let Some(doing) = busy.get(&backup.vm_context_id) {
                return Err(Error::VmBusy {
                    vm_name: backup.vm_name,
                    doing,
                });
            }
            let mut copies = self.copies();
            // Two chains of one VM may have points in common, and two copies of one file destroy each other.
            let is_running = copies.values().any(|running| {
                !running.is_over()
                    && running.vm_context_id == run.vm_context_id
                    && running.repository_id == run.repository_id
            });
            if is_running {
                return Err(Error::CopyRunning(backup.vm_name));
            }
            let id = self
                .inner
                .db
                .with(|connection| begin(connection, &backup.backup_id, &target.id, now))?;
            copies.insert(id, Arc::clone(&run));
            id
        };
        let jobs = self.clone();
        self.inner.tasks.spawn(async move {
            let outcome = match jobs.place(&run.cancel).await {
                None => Err(Failure::Stopped),
                Some(_place) => {
                    let (jobs, run) = (jobs.clone(), Arc::clone(&run));
                    tokio::task::spawn_blocking(move || {
                        Copying {
                            jobs: &jobs,
                            id,
                            run: &run,
                            source: &source,
                            target: &target,
                        }
                        .run(&backup)
                    })
                    .await
                    .unwrap_or(Err(Failure::Panicked))
                }
            };
            jobs.end_copy(id, &run, outcome);
        });
        Ok(id)
    }

    fn end_copy(&self, id: i64, run: &CopyRun, outcome: Result<(), Failure>) {
        let now = self.inner.clock.now();
        let outcome = match outcome {
            Err(Failure::Stopped) if self.inner.stopping.is_cancelled() => Err(CUT_OFF.to_owned()),
            Err(Failure::Stopped) => Err(Failure::Cancelled.to_string()),
            outcome => outcome.map_err(|failure| failure.to_string()),
        };
        if let Err(why) = &outcome {
            tracing::warn!(id, why, "a copy ended early");
        }
        let written = self
            .inner
            .db
            .with(|connection| end(connection, id, outcome.err().as_deref(), now));
        if let Err(error) = written {
            // The row still says that it runs: the next start ends it.
            tracing::error!(id, %error, "could not record the end of a copy");
        }
        run.is_over.store(true, Ordering::Relaxed);
    }

    /// The copies of a backup, oldest first.
    pub(crate) fn copies_of(&self, backup_id: &str) -> Result<Vec<ChainCopy>> {
        let mut copies = self
            .inner
            .db
            .with(|connection| copies_of(connection, backup_id))?;
        let runs = self.copies();
        for copy in &mut copies {
            if let Some(run) = runs.get(&copy.id).filter(|run| !run.is_over()) {
                run.phase().clone_into(&mut copy.status);
                copy.size_bytes = run.total_bytes.load(Ordering::Relaxed);
                copy.copied_bytes = run.copied_bytes.load(Ordering::Relaxed);
            }
        }
        Ok(copies)
    }

    /// Ends a copy. What it has copied stays, for the next one to go on. Returns at once.
    ///
    /// # Errors
    /// When there is no such copy, or it is over.
    pub(crate) fn cancel_copy(&self, backup_id: &str, id: i64) -> Result<()> {
        if !self.copies_of(backup_id)?.iter().any(|copy| copy.id == id) {
            return Err(Error::CopyNotFound(id));
        }
        match self.copies().get(&id).filter(|run| !run.is_over()) {
            Some(run) => {
                run.cancel.cancel();
                Ok(())
            }
            None => Err(Error::CopyNotRunning),
        }
    }
}

/// A copy at work.
struct Copying<'c> {
    jobs: &'c Jobs,
    id: i64,
    run: &'c CopyRun,
    source: &'c Repository,
    target: &'c Repository,
}

impl Copying<'_> {
    fn run(&self, backup: &Backup) -> Result<(), Failure> {
        let mut missing = self.missing(backup)?;
        let total_bytes = missing.iter().map(size_on_disk).sum();
        self.run.total_bytes.store(total_bytes, Ordering::Relaxed);
        self.jobs.inner.db.with(|connection| {
            connection.execute(
                "UPDATE backup_copies SET size_bytes = ?2 WHERE id = ?1",
                (self.id, total_bytes),
            )
        })?;
        let available_bytes = fs4::available_space(&self.target.config.path)
            .map_err(Failure::repository(&self.target.config.path))?;
        if total_bytes > available_bytes {
            return Err(Failure::NoRoom {
                needed_bytes: total_bytes,
                available_bytes,
            });
        }
        self.run.enter("copying");
        // The full backup first: nothing is ever on record whose parent is not.
        missing.reverse();
        for point in &missing {
            self.copy_point(point)?;
        }
        self.run.enter("verifying");
        let copied = self
            .copy_of(&backup.backup_id)?
            .ok_or_else(|| record_lost(&backup.backup_id))?;
        let mut verifier = Verifier::new(&self.target.config.path, &self.run.cancel);
        let mut verdict = Verdict::Sound;
        let mut outcome = Ok(());
        for disk in &copied.disks {
            let Some(image) = &disk.qcow2_path else {
                return Err(record_lost(&copied.backup_id));
            };
            let finding = verifier.verify(image, &mut |_| {});
            let (found, why) = finding.judged().ok_or(Failure::Stopped)?;
            if let Some(reason) = why {
                verdict = found;
                outcome = Err(Failure::CopyDamaged {
                    disk_index: disk.disk_index,
                    reason: reason.to_owned(),
                });
                break;
            }
        }
        let now = self.jobs.inner.clock.now();
        self.jobs
            .inner
            .db
            .with(|connection| record::verified(connection, &copied.backup_id, verdict, now))?;
        outcome
    }

    /// The point and what it builds on, youngest first, as far as it is not in the other repository.
    fn missing(&self, backup: &Backup) -> Result<Vec<Backup>, Failure> {
        let mut missing = Vec::new();
        let mut next = Some(backup.clone());
        while let Some(point) = next.take() {
            if self.copy_of(&point.backup_id)?.is_some() {
                break;
            }
            match &point.parent_backup_id {
                None => self.require_alone(&point)?,
                Some(parent) => {
                    let parent = self
                        .jobs
                        .inner
                        .db
                        .with(|connection| backup::find(connection, parent))?;
                    next = Some(parent.ok_or_else(|| record_lost(&point.backup_id))?);
                }
            }
            missing.push(point);
        }
        Ok(missing)
    }

    /// Makes sure that the images of the oldest point build on nothing: what they build on would be left
    /// behind, and the copy could not be restored.
    fn require_alone(&self, point: &Backup) -> Result<(), Failure> {
        let allowed = AllowedRoots::new([self.source.config.path.clone()]);
        for disk in &point.disks {
            let is_alone = disk.qcow2_path.as_ref().is_some_and(|image| {
                Image::open(image, &allowed).is_ok_and(|image| image.files().len() == 1)
            });
            if !is_alone {
                return Err(record_lost(&point.backup_id));
            }
        }
        Ok(())
    }

    /// The backup in the other repository that is a copy of this one.
    fn copy_of(&self, backup_id: &str) -> Result<Option<Backup>, Failure> {
        Ok(self.jobs.inner.db.with(|connection| {
            copy_in(connection, backup_id, &self.target.id)?
                .map_or(Ok(None), |id| backup::find(connection, &id))
        })?)
    }

    /// Copies the files of one point, and takes it on record.
    fn copy_point(&self, point: &Backup) -> Result<(), Failure> {
        let mut images = Vec::new();
        for disk in &point.disks {
            let Some(image) = disk.qcow2_path.as_deref() else {
                return Err(record_lost(&point.backup_id));
            };
            let below = image
                .strip_prefix(&self.source.config.path)
                .map_err(|_| record_lost(&point.backup_id))?;
            let target = self.target.config.path.join(below);
            // Under its name may lie what another recovery point needs: only what nobody has is written over.
            let owner =
                self.jobs.inner.db.with(|connection| {
                    backup::owner_of(connection, std::slice::from_ref(&target))
                })?;
            if let Some(owner) = owner {
                return Err(Failure::CopyInTheWay {
                    path: target,
                    owner,
                });
            }
            for (from, to) in [
                (map_path(image), map_path(&target)),
                (image.to_path_buf(), target.clone()),
            ] {
                copy_file(&from, &to, &self.run.cancel, &mut |bytes| {
                    self.run.copied_bytes.fetch_add(bytes, Ordering::Relaxed);
                })?;
            }
            sync_names(&target, &self.target.config.path).map_err(Failure::repository(&target))?;
            images.push(target);
        }
        let db = &self.jobs.inner.db;
        let now = self.jobs.inner.clock.now();
        let id = db.with(|connection| {
            ids::backup_id(&point.vm_name, now, |id| backup::exists(connection, id))
        })?;
        // Between its manifest and its row the hub may end. A manifest without a row would be taken for a
        // recovery point of its own one day, so it is noted down to go, until the row is there.
        let manifest = images
            .first()
            .and_then(|image| backup::manifest_path(image, &id));
        if let Some(manifest) = &manifest {
            db.with(|connection| removal::note(connection, manifest))?;
        }
        db.transaction(|transaction| {
            take_on_record(transaction, &id, point, self.target, &images, now)?;
            if let Some(manifest) = &manifest {
                removal::keep(transaction, manifest)?;
            }
            manifest::record(transaction, &id)
        })
    }
}

fn record_lost(backup_id: &str) -> Failure {
    Failure::Incomplete {
        backup_id: backup_id.to_owned(),
    }
}

fn size_on_disk(backup: &Backup) -> u64 {
    let size = |path: &Path| std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    backup
        .disks
        .iter()
        .filter_map(|disk| disk.qcow2_path.as_deref())
        .map(|image| size(image) + size(&map_path(image)))
        .sum()
}

/// Writes a copied point down as a backup of the other repository.
fn take_on_record(
    connection: &Connection,
    id: &str,
    point: &Backup,
    target: &Repository,
    images: &[PathBuf],
    now: Timestamp,
) -> Result<(), Failure> {
    let vm = vm::find_by_id(connection, &point.vm_context_id)?
        .ok_or_else(|| record_lost(&point.backup_id))?;
    let context_id = record::backup_context(connection, &vm, &target.id, now)?;
    let parent = match &point.parent_backup_id {
        Some(parent) => copy_in(connection, parent, &target.id)?,
        None => None,
    };
    connection.execute(
        "INSERT INTO backup_jobs (id, vm_backup_context_id, vm_context_id, vm_name, repository_id,
            backup_type, parent_backup_id, copied_from, is_pinned, status, current_phase,
            progress_percent, bytes_transferred, total_bytes, transfer_speed_bps, created_at, started_at,
            completed_at, last_telemetry_at)
         SELECT :id, :context, vm_context_id, vm_name, :repository, backup_type, :parent, id, 0, status,
            current_phase, progress_percent, bytes_transferred, total_bytes, transfer_speed_bps,
            created_at, started_at, completed_at, last_telemetry_at
         FROM backup_jobs WHERE id = :source",
        named_params! {
            ":id": id,
            ":context": context_id,
            ":repository": target.id,
            ":parent": parent,
            ":source": point.backup_id,
        },
    )?;
    for (disk, image) in point.disks.iter().zip(images) {
        connection.execute(
            "INSERT INTO backup_disks (vm_backup_context_id, backup_job_id, disk_index,
                vmware_disk_key, unit_number, size_gb, capacity_bytes, bytes_transferred, stored_bytes,
                disk_change_id, qcow2_path, progress_percent, status, created_at, completed_at)
             SELECT :context, :id, disk_index, vmware_disk_key, unit_number, size_gb, capacity_bytes,
                bytes_transferred, stored_bytes, disk_change_id, :path, progress_percent, status,
                created_at, completed_at
             FROM backup_disks WHERE backup_job_id = :source AND disk_index = :index",
            named_params! {
                ":context": context_id,
                ":id": id,
                ":path": image.to_string_lossy(),
                ":source": point.backup_id,
                ":index": disk.disk_index,
            },
        )?;
    }
    Ok(())
}

/// The finished backup of a repository that is a copy of another one, or what that one is a copy of, or another copy
/// of the same.
fn copy_in(
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

/// Writes a copy down, or an older one of the same anew.
fn begin(
    connection: &Connection,
    backup_id: &str,
    repository_id: &str,
    now: Timestamp,
) -> rusqlite::Result<i64> {
    connection.query_row(
        "INSERT INTO backup_copies (source_backup_id, repository_id, status, copy_started_at, created_at)
         VALUES (?1, ?2, 'copying', ?3, ?3)
         ON CONFLICT (source_backup_id, repository_id) DO UPDATE SET status = 'copying',
            copy_started_at = ?3, copy_completed_at = NULL, verified_at = NULL,
            verification_status = 'pending', error_message = NULL
         RETURNING id",
        (backup_id, repository_id, time_text(now)),
        |row| row.get(0),
    )
}

/// Writes down how a copy ended.
fn end(
    connection: &Connection,
    id: i64,
    error: Option<&str>,
    now: Timestamp,
) -> rusqlite::Result<()> {
    connection.execute(
        "UPDATE backup_copies SET status = iif(?2 IS NULL, 'completed', 'failed'), error_message = ?2,
            copy_completed_at = iif(?2 IS NULL, ?3, NULL), verified_at = iif(?2 IS NULL, ?3, NULL),
            verification_status = iif(?2 IS NULL, 'passed', verification_status)
         WHERE id = ?1",
        (id, error, time_text(now)),
    )?;
    Ok(())
}

/// Ends copies that a hub which is no more left unfinished.
pub(super) fn abandon(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute(
        "UPDATE backup_copies SET status = 'failed', error_message = ?1
         WHERE status NOT IN ('completed', 'failed')",
        [CUT_OFF],
    )?;
    Ok(())
}

fn copies_of(connection: &Connection, backup_id: &str) -> rusqlite::Result<Vec<ChainCopy>> {
    connection
        .prepare_cached(
            "SELECT backup_copies.*, (SELECT job.id FROM backup_jobs AS job
                WHERE job.copied_from = source_backup_id
                  AND job.repository_id = backup_copies.repository_id) AS backup_id
             FROM backup_copies WHERE source_backup_id = ?1 ORDER BY created_at, id",
        )?
        .query_map([backup_id], chain_copy)?
        .collect()
}

fn chain_copy(row: &Row<'_>) -> rusqlite::Result<ChainCopy> {
    Ok(ChainCopy {
        id: row.get("id")?,
        source_backup_id: row.get("source_backup_id")?,
        repository_id: row.get("repository_id")?,
        status: row.get("status")?,
        size_bytes: row.get("size_bytes")?,
        copy_started_at: db::optional_time(row, "copy_started_at")?,
        copy_completed_at: db::optional_time(row, "copy_completed_at")?,
        verified_at: db::optional_time(row, "verified_at")?,
        verification_status: row.get("verification_status")?,
        error_message: row.get("error_message")?,
        created_at: db::time(row, "created_at")?,
        backup_id: row.get("backup_id")?,
        copied_bytes: 0,
    })
}
