//! Backups: disk images on this computer become QCOW2 images in a repository.
//!
//! ```text
//! row 'pending' with the paths of the images
//!   -> open the sources, count what has to be read, check for room          (preparing)
//!   -> disk by disk: read || write into `…qcow2.partial`, fsync             (transferring)
//!   -> nobody wrote to the sources meanwhile? rename all, fsync the folders
//!   -> if asked for: read everything back                                   (verifying)
//!   -> manifest, then row 'completed', all disks in one transaction         (committing)
//! ```
//!
//! A failure or a kill at any point leaves the repository as it was: whatever a job without a `completed` row put there
//! is removed, immediately or at the next start.

mod delete;
mod job;
pub(crate) mod next;
mod progress;
mod record;

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use self::{
    job::Job,
    next::{Next, newest_of_chain},
    progress::Progress,
};
use crate::{
    claims::Work,
    error::{Error, Result},
    failure::Failure,
    repository::{require, require_usable},
    retention::Retention,
    shared::Shared,
    store::{
        Reason,
        backups::{self, Backup, BackupType, Filter, Status},
        vms::{self, Disk, Vm},
    },
};

/// All backups; cheap to clone.
#[derive(Clone)]
pub struct Backups {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    retention: Retention,
    /// By backup id, from just before the row can be seen until just after it is final.
    running: Mutex<BTreeMap<String, Running>>,
}

/// A backup that runs.
#[derive(Clone)]
pub(crate) struct Running {
    progress: Arc<Progress>,
    cancel: CancellationToken,
}

/// A backup that has been written down and will run.
#[derive(Debug)]
pub struct Started {
    /// Its id.
    pub backup_id: String,
    /// The VM.
    pub vm: Vm,
    /// Its disks, with the images that they will have.
    pub disks: Vec<(Disk, PathBuf)>,
    /// What it is, whatever was asked for.
    pub backup_type: BackupType,
    /// Why it is a full one though an incremental one was asked for.
    pub full_reason: Option<String>,
    /// When it was started.
    pub created_at: Timestamp,
}

impl Backups {
    pub(crate) fn new(shared: Arc<Shared>, retention: Retention) -> Self {
        Self {
            inner: Arc::new(Inner {
                shared,
                retention,
                running: Mutex::default(),
            }),
        }
    }

    /// Writes a backup down and lets it run; `verify` has everything read back before it counts as done.
    /// Returns at once; what can go wrong later ends up in the backup's row.
    ///
    /// # Errors
    /// When the VM, its disks or the repository are not there, when there is nothing that an incremental one could
    /// build on, and while the VM's backups are being changed.
    pub fn start(
        &self,
        vm_name: &str,
        repository_id: &str,
        backup_type: BackupType,
        verify: bool,
    ) -> Result<Started> {
        let shared = &self.inner.shared;
        if shared.stopping.is_cancelled() {
            return Err(Error::Stopping);
        }
        let now = shared.clock.now();
        let vm = shared
            .store
            .with(|connection| vms::find_by_name(connection, vm_name))?
            .ok_or_else(|| Error::VmNotFound(vm_name.to_owned()))?;
        let work = Work::backing_up(&vm.context_id, repository_id);
        // Asked for later, so that a repository or disks that are not there are told first.
        let claim = shared.claim(work, &vm.context_id, &vm.vm_name);
        let mut announced = None;
        let begun = shared.store.transaction(|transaction| {
            let repository = require(transaction, repository_id)?;
            require_usable(&repository)?;
            let disks = vms::disks(transaction, &vm.context_id)?;
            if disks.is_empty() {
                return Err(Error::NoDisks(vm.vm_name.clone()));
            }
            let claim = claim?;
            let (parent, full_reason) = match backup_type {
                BackupType::Full => (None, None),
                BackupType::Incremental => match newest_of_chain(transaction, &vm, &repository)? {
                    Next::Onto(newest) => (Some(*newest), None),
                    Next::Full(why) => (None, Some(why)),
                },
            };
            let record =
                record::begin(transaction, &vm, &disks, &repository, parent.as_ref(), now)?;
            let backup_type = match parent {
                Some(_) => BackupType::Incremental,
                None => BackupType::Full,
            };
            let job = Job {
                shared: Arc::clone(shared),
                claim: Mutex::new(Some(claim)),
                stopping: shared.stopping.child_token(),
                progress: Arc::new(Progress::new(disks.len(), shared.clock.clone())),
                record,
                disks,
                vm,
                repository_folder: repository.config.path,
                verify,
            };
            // Before anybody can see the row: who sees it may cancel the backup.
            announced = Some(job.record.backup_id.clone());
            self.announce(&job);
            Ok((job, backup_type, full_reason))
        });
        if begun.is_err()
            && let Some(backup_id) = announced
        {
            self.running().remove(&backup_id);
        }
        let (job, backup_type, full_reason) = begun?;
        let disks = job.disks.iter().cloned();
        let started = Started {
            backup_id: job.record.backup_id.clone(),
            vm: job.vm.clone(),
            disks: disks.zip(job.record.images.iter().cloned()).collect(),
            backup_type,
            full_reason,
            created_at: now,
        };
        // On its own: a client that hangs up must not end the backup it asked for.
        shared.tasks.spawn(self.clone().supervise(Arc::new(job)));
        Ok(started)
    }

    /// From now on a backup can be cancelled, and tells its progress.
    fn announce(&self, job: &Job) {
        let running = Running {
            progress: Arc::clone(&job.progress),
            cancel: job.stopping.clone(),
        };
        self.running().insert(job.record.backup_id.clone(), running);
    }

    /// Matching backups, newest first, those that run with their progress of this moment.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn list(&self, filter: &Filter) -> Result<Vec<Backup>> {
        // Before the rows: a job that ends in between is then seen as the row says, not as running
        // without any progress.
        let running = self.running().clone();
        let shared = &self.inner.shared;
        let mut backups = shared
            .store
            .with(|connection| backups::list(connection, filter))?;
        for backup in &mut backups {
            if let Some(running) = running.get(&backup.backup_id)
                && !backup.status.is_over()
            {
                running.progress.show_in(backup);
            }
            shared.unrecorded.show_in(backup);
        }
        Ok(backups)
    }

    /// One of them.
    ///
    /// # Errors
    /// When there is no such backup.
    pub fn find(&self, backup_id: &str) -> Result<Backup> {
        let filter = Filter {
            backup_id: Some(backup_id.to_owned()),
            ..Filter::default()
        };
        self.list(&filter)?
            .pop()
            .ok_or_else(|| Error::BackupNotFound(backup_id.to_owned()))
    }

    /// Ends a backup; nothing of it stays. Returns at once, the row tells when it has happened.
    ///
    /// # Errors
    /// When there is no such backup, or it is over.
    pub fn cancel(&self, backup_id: &str) -> Result<()> {
        if let Some(running) = self.running().get(backup_id) {
            running.cancel.cancel();
            return Ok(());
        }
        let is_known = self
            .inner
            .shared
            .store
            .with(|connection| backups::exists(connection, backup_id))?;
        Err(match is_known {
            true => Error::BackupOver(backup_id.to_owned()),
            false => Error::BackupNotFound(backup_id.to_owned()),
        })
    }

    async fn supervise(self, job: Arc<Job>) {
        let shared = &self.inner.shared;
        let outcome = match shared.slot(&job.stopping).await {
            None => Err(Failure::Stopped),
            Some(_slot) => {
                let job = Arc::clone(&job);
                tokio::task::spawn_blocking(move || job.run())
                    .await
                    .unwrap_or(Err(Failure::Panicked))
            }
        };
        let outcome = match outcome {
            // Only one of them was asked to.
            Err(Failure::Stopped) if !shared.stopping.is_cancelled() => Err(Failure::Cancelled),
            outcome => outcome,
        };
        let after = tokio::task::spawn_blocking(move || self.end(&job, outcome));
        if let Err(error) = after.await {
            tracing::error!(%error, "what has to follow a backup was not done");
        }
    }

    /// What follows a backup. Blocks.
    fn end(&self, job: &Job, outcome: Result<(), Failure>) {
        let backup_id = &job.record.backup_id;
        let is_complete = outcome.is_ok();
        match outcome {
            Ok(()) => tracing::info!(backup_id, "a backup is complete"),
            Err(failure) => {
                tracing::warn!(backup_id, error = ?failure, "a backup failed");
                let status = match failure {
                    Failure::Cancelled => Status::Cancelled,
                    _ => Status::Failed,
                };
                let reason = Reason::from(&failure);
                let unrecorded = &self.inner.shared.unrecorded;
                unrecorded.record(backup_id, status, &reason, || job.let_go());
            }
        }
        self.running().remove(backup_id);
        if is_complete {
            self.inner.retention.after_a_backup(&job.vm.context_id);
        }
    }

    pub(crate) fn running(&self) -> MutexGuard<'_, BTreeMap<String, Running>> {
        // Nothing panics under this lock. Taken after that of the database.
        self.inner
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
