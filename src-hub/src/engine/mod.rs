//! The backup engine: disk images of this computer into QCOW2 images of a repository.
//!
//! ```text
//! row 'pending' with the places of the images
//!   -> open the sources, count what has to be read, check for room          (preparing)
//!   -> disk by disk: read || write into `…qcow2.partial`, fsync             (transferring)
//!   -> nobody wrote to the sources meanwhile? rename all, fsync the folders
//!   -> where it was asked for: read everything back                         (verifying)
//!   -> manifest, then row 'completed', all disks in one transaction         (committing)
//! ```
//! A failure or a kill at any point leaves the repository as it was: what a job that has no
//! `completed` row put there is removed, at once or by the next start.

mod chain_copy;
mod checks;
mod copy;
mod failure;
mod file_copy;
mod image;
mod in_use;
mod job;
mod manifest;
mod map;
mod merge;
mod moment;
mod places;
mod progress;
mod reconcile;
mod record;
mod removal;
mod rescan;
mod restorable;
mod retention;
mod scan;
mod source;
#[cfg(test)]
mod tests;
mod unrecorded;
mod upkeep;
mod verify;
mod write_through;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub(crate) use self::{
    chain_copy::ChainCopy,
    checks::Check,
    failure::Failure,
    places::try_folder,
    reconcile::Difference,
    rescan::Rescanned,
    restorable::problems,
    retention::{Fate, Policy},
};
use self::{
    chain_copy::CopyRun, job::Job, progress::Progress, unrecorded::Unrecorded, upkeep::RetentionRun,
};
use crate::{
    Clock,
    backup::{self, Backup, BackupType, Filter, Status, Verdict},
    chain::Chains,
    db::Db,
    error::{Error, Result},
    repository::{self, Repository},
    restore::Mounts,
    vm::{self, Disk, Vm},
};

/// More at the same time only make each other slower: disks are read and written one after another.
const CONCURRENT_BACKUPS: usize = 2;

/// A restore opens every image of a chain, and one that is lost takes all behind it along.
const LONGEST_CHAIN: usize = 60;

/// The backups that are running; cheap to clone.
#[derive(Clone)]
pub(crate) struct Jobs {
    inner: Arc<Inner>,
}

struct Inner {
    db: Db,
    clock: Clock,
    /// By backup id, from just before the row is written until just after it is final.
    running: Mutex<BTreeMap<String, Running>>,
    unrecorded: Unrecorded,
    /// By backup id; the newest of each backup.
    checks: Mutex<BTreeMap<String, Arc<Check>>>,
    /// VMs whose chains are being changed, with what is done to them.
    busy: Mutex<BTreeMap<String, &'static str>>,
    /// By VM id; the newest of each.
    retention_runs: Mutex<BTreeMap<String, RetentionRun>>,
    /// By the id of their row; the newest run of each.
    copies: Mutex<BTreeMap<i64, Arc<CopyRun>>>,
    /// What the last look at the repositories found.
    differences: Mutex<Vec<Difference>>,
    mounts: Mounts,
    places: Arc<Semaphore>,
    stopping: CancellationToken,
    tasks: TaskTracker,
}

/// A backup that runs.
#[derive(Clone)]
struct Running {
    progress: Arc<Progress>,
    cancel: CancellationToken,
}

/// A backup that has been written down and will run.
pub(crate) struct Started {
    pub(crate) backup_id: String,
    pub(crate) vm: Vm,
    pub(crate) disks: Vec<(Disk, PathBuf)>,
    pub(crate) backup_type: BackupType,
    /// Why it is a full one though an incremental one was asked for.
    pub(crate) full_reason: Option<String>,
    pub(crate) created_at: Timestamp,
}

impl Jobs {
    /// Ends what a hub that was killed left behind: its jobs failed, and their files go.
    pub(crate) fn recover(db: Db, clock: Clock, mounts: Mounts) -> rusqlite::Result<Self> {
        for backup_id in db.with(record::abandoned)? {
            let now = clock.now();
            db.transaction(|transaction| record::abandon(transaction, &backup_id, now))?;
            tracing::warn!(backup_id, "a backup was cut off when the hub was killed");
        }
        for repository in db.with(repository::list)? {
            if repository.connected().is_ok() {
                remove_partial_images(&repository.config.path);
            }
        }
        removal::remove_files(&db)?;
        db.with(chain_copy::abandon)?;
        let differences = reconcile::reconcile(&db)?;
        Ok(Self {
            inner: Arc::new(Inner {
                db,
                clock,
                running: Mutex::default(),
                unrecorded: Unrecorded::default(),
                checks: Mutex::default(),
                busy: Mutex::default(),
                retention_runs: Mutex::default(),
                copies: Mutex::default(),
                differences: Mutex::new(differences),
                mounts,
                places: Arc::new(Semaphore::new(CONCURRENT_BACKUPS)),
                stopping: CancellationToken::new(),
                tasks: TaskTracker::new(),
            }),
        })
    }

    /// Writes a backup down and lets it run; `verify` has everything read back before it counts as done.
    /// Returns at once; what can go wrong later ends up in the backup's row.
    pub(crate) fn start(
        &self,
        vm_name: &str,
        repository_id: &str,
        backup_type: BackupType,
        verify: bool,
    ) -> Result<Started> {
        if self.inner.stopping.is_cancelled() {
            return Err(Error::Stopping);
        }
        self.inner.unrecorded.try_again();
        let now = self.inner.clock.now();
        let mut announced = None;
        // Held until the row is there, which keeps others from changing the chains.
        let busy = self.busy();
        let begun = self.inner.db.transaction(|transaction| {
            let vm = vm::find_by_name(transaction, vm_name)?
                .ok_or_else(|| Error::VmNotFound(vm_name.to_owned()))?;
            let repository = repository::find(transaction, repository_id)?
                .ok_or_else(|| Error::RepositoryNotFound(repository_id.to_owned()))?;
            require_usable(&repository)?;
            let disks = vm::disks(transaction, &vm.context_id)?;
            if disks.is_empty() {
                return Err(Error::NoDisks(vm.vm_name));
            }
            if let Some(doing) = busy.get(&vm.context_id) {
                return Err(Error::VmBusy {
                    vm_name: vm.vm_name,
                    doing,
                });
            }
            if let Some(backup_id) = backup::running(transaction, &vm.context_id)? {
                return Err(Error::BackupRunning {
                    vm_name: vm.vm_name,
                    backup_id,
                });
            }
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
                db: self.inner.db.clone(),
                clock: self.inner.clock.clone(),
                stopping: self.inner.stopping.child_token(),
                progress: Arc::new(Progress::new(disks.len(), self.inner.clock.clone())),
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
        drop(busy);
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
        self.inner
            .tasks
            .spawn(self.clone().supervise(Arc::new(job)));
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
    pub(crate) fn list(&self, filter: &Filter) -> Result<Vec<Backup>> {
        // Before the rows: a job that ends in between is then seen as the row says, not as running
        // without any progress.
        let running = self.running().clone();
        let mut backups = self
            .inner
            .db
            .with(|connection| backup::list(connection, filter))?;
        for backup in &mut backups {
            if let Some(running) = running.get(&backup.backup_id)
                && !backup.status.is_over()
            {
                running.progress.show_in(backup);
            }
            self.inner.unrecorded.show_in(backup);
        }
        Ok(backups)
    }

    /// Ends a backup; nothing of it stays. Returns at once, the row tells when it has happened.
    ///
    /// # Errors
    /// When there is no such backup, or it is over.
    pub(crate) fn cancel(&self, backup_id: &str) -> Result<()> {
        if let Some(running) = self.running().get(backup_id) {
            running.cancel.cancel();
            return Ok(());
        }
        let backup_id = backup_id.to_owned();
        let is_known = self
            .inner
            .db
            .with(|connection| backup::exists(connection, &backup_id))?;
        Err(match is_known {
            true => Error::BackupOver(backup_id),
            false => Error::BackupNotFound(backup_id),
        })
    }

    /// Begins to verify a finished backup; one that is being verified goes on. Returns at once.
    ///
    /// # Errors
    /// When there is no such backup, or it is not complete.
    pub(crate) fn verify(&self, backup_id: &str) -> Result<()> {
        let filter = |backup_id: Option<&str>, like: Option<&Backup>| Filter {
            backup_id: backup_id.map(str::to_owned),
            vm_context_id: like.map(|backup| backup.vm_context_id.clone()),
            repository_id: like.map(|backup| backup.repository_id.clone()),
            status: like.map(|_| Status::Completed),
            ..Filter::default()
        };
        let (backup, all, repository) = self.inner.db.with(|connection| {
            let backup = backup::list(connection, &filter(Some(backup_id), None))?
                .pop()
                .ok_or_else(|| Error::BackupNotFound(backup_id.to_owned()))?;
            if backup.status != Status::Completed {
                return Err(Error::BackupNotComplete(backup.backup_id));
            }
            let repository = repository::find(connection, &backup.repository_id)?
                .ok_or_else(|| Error::RepositoryNotFound(backup.repository_id.clone()))?;
            require_connected(&repository)?;
            let all = backup::list(connection, &filter(None, Some(&backup)))?;
            Ok::<_, Error>((backup, all, repository))
        })?;
        let check = Arc::new(Check::of(&backup, self.inner.stopping.child_token()));
        {
            let busy = self.busy();
            if let Some(doing) = busy.get(&backup.vm_context_id) {
                return Err(Error::VmBusy {
                    vm_name: backup.vm_name,
                    doing,
                });
            }
            let mut checks = self.checks();
            let going_on = checks.get(backup_id).filter(|check| !check.state().is_over);
            if going_on.is_some() {
                return Ok(());
            }
            checks.insert(backup_id.to_owned(), Arc::clone(&check));
        }
        let jobs = self.clone();
        self.inner.tasks.spawn(async move {
            let Some(_place) = jobs.place(&check.stopping).await else {
                return check.never_began();
            };
            let running = Arc::clone(&check);
            let verified = tokio::task::spawn_blocking(move || {
                running.run(&backup, &all, &repository, |state| {
                    jobs.record_verdicts(&backup.backup_id, state);
                });
            });
            if let Err(error) = verified.await {
                tracing::error!(%error, "verifying a backup ended early");
                check.give_up();
            }
        });
        Ok(())
    }

    /// Ends the verification of a backup; what was on record about it stays. Returns at once.
    ///
    /// # Errors
    /// When it is not being verified.
    pub(crate) fn cancel_verification(&self, backup_id: &str) -> Result<()> {
        match self.checks().get(backup_id) {
            None => Err(Error::NotVerified(backup_id.to_owned())),
            Some(check) if check.state().is_over => Err(Error::VerificationOver),
            Some(check) => {
                check.stopping.cancel();
                Ok(())
            }
        }
    }

    /// Writes down what verifying has found about a backup, and about those that its damage breaks as well.
    fn record_verdicts(&self, backup_id: &str, state: &checks::State) {
        let now = self.inner.clock.now();
        let written = self.inner.db.transaction(|transaction| {
            if let Some(verdict) = state.verdict() {
                record::verified(transaction, backup_id, verdict, now)?;
            }
            for broken in &state.broken {
                record::verified(transaction, broken, Verdict::Damaged, now)?;
            }
            Ok::<_, rusqlite::Error>(())
        });
        if let Err(error) = written {
            // Whoever asked is told; it can be asked again.
            tracing::error!(backup_id, %error, "could not record what verifying found");
        }
    }

    /// The newest verification of a backup since the hub was started.
    pub(crate) fn check_of(&self, backup_id: &str) -> Option<Arc<Check>> {
        self.checks().get(backup_id).cloned()
    }

    fn checks(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Check>>> {
        // Nothing panics under this lock.
        self.inner
            .checks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn busy(&self) -> MutexGuard<'_, BTreeMap<String, &'static str>> {
        // Nothing panics under this lock. Taken before those of the database and the checks.
        self.inner
            .busy
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// What is not as the rows have it, as far as the hub has looked.
    pub(crate) fn differences(&self) -> Vec<Difference> {
        self.differences_lock().clone()
    }

    fn differences_lock(&self) -> MutexGuard<'_, Vec<Difference>> {
        // Nothing panics under this lock.
        self.inner
            .differences
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn copies(&self) -> MutexGuard<'_, BTreeMap<i64, Arc<CopyRun>>> {
        // Nothing panics under this lock. Taken after that of the VMs that are busy.
        self.inner
            .copies
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn retention_runs(&self) -> MutexGuard<'_, BTreeMap<String, RetentionRun>> {
        // Nothing panics under this lock.
        self.inner
            .retention_runs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends all backups and waits until they have; starts no more.
    pub(crate) async fn stop(&self) {
        self.inner.stopping.cancel();
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
    }

    /// Waits until no backup is running.
    #[cfg(test)]
    pub(crate) async fn idle(&self) {
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
        self.inner.tasks.reopen();
    }

    /// Waits for its turn among what reads and writes a lot; `None` when it is cancelled before that.
    async fn place(&self, cancel: &CancellationToken) -> Option<OwnedSemaphorePermit> {
        tokio::select! {
            () = cancel.cancelled() => None,
            place = Arc::clone(&self.inner.places).acquire_owned() => place.ok(),
        }
    }

    async fn supervise(self, job: Arc<Job>) {
        let outcome = match self.place(&job.stopping).await {
            None => Err(Failure::Stopped),
            Some(_place) => {
                let job = Arc::clone(&job);
                tokio::task::spawn_blocking(move || job.run())
                    .await
                    .unwrap_or(Err(Failure::Panicked))
            }
        };
        let outcome = match outcome {
            // Only one of them was asked to.
            Err(Failure::Stopped) if !self.inner.stopping.is_cancelled() => Err(Failure::Cancelled),
            outcome => outcome,
        };
        let backup_id = &job.record.backup_id;
        let is_complete = outcome.is_ok();
        match outcome {
            Ok(()) => tracing::info!(backup_id, "a backup is complete"),
            Err(failure) => {
                tracing::warn!(backup_id, error = ?failure, "a backup failed");
                self.inner.unrecorded.record(Arc::clone(&job), failure);
            }
        }
        self.running().remove(backup_id);
        if is_complete {
            let (jobs, job) = (self.clone(), Arc::clone(&job));
            let begun = tokio::task::spawn_blocking(move || {
                jobs.retain_after(&job.record.vm_context_id);
            });
            if let Err(error) = begun.await {
                tracing::error!(%error, "retention did not begin after a backup");
            }
        }
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<String, Running>> {
        // Nothing panics under this lock. Taken after that of the database.
        self.inner
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether backups can go to a repository now.
fn require_usable(repository: &Repository) -> Result<()> {
    if !repository.enabled {
        return Err(Error::RepositoryDisabled(repository.name.clone()));
    }
    require_connected(repository)
}

/// Whether what is in a repository can be read now.
fn require_connected(repository: &Repository) -> Result<()> {
    repository
        .connected()
        .map_err(|why| Error::RepositoryNotConnected {
            name: repository.name.clone(),
            why,
        })
}

/// What an incremental backup that was asked for becomes.
enum Next {
    /// It builds on the newest finished one of that repository.
    Onto(Box<Backup>),
    /// It is a full one; in words why.
    Full(String),
}

/// What the next incremental backup of a VM builds on.
///
/// # Errors
/// When there is nothing to build on.
fn newest_of_chain(
    connection: &rusqlite::Connection,
    vm: &Vm,
    repository: &Repository,
) -> Result<Next> {
    let filter = Filter {
        vm_context_id: Some(vm.context_id.clone()),
        repository_id: Some(repository.id.clone()),
        status: Some(Status::Completed),
        ..Filter::default()
    };
    let backups = backup::list(connection, &filter)?;
    let chains = Chains::of(&backups);
    let Some(newest) = chains.tip() else {
        return Err(Error::NoPreviousBackup {
            vm_name: vm.vm_name.clone(),
        });
    };
    Ok(if chains.sequence(newest) >= LONGEST_CHAIN {
        Next::Full(format!(
            "its chain has {LONGEST_CHAIN} backups, and a longer one would be slow to restore"
        ))
    } else if let Some(lost) = chains.unknown_parent(newest) {
        Next::Full(format!(
            "{} builds on {lost}, which is not on record",
            newest.backup_id
        ))
    } else if newest.is_damaged() {
        Next::Full(format!(
            "{} was found damaged, and nothing should build on it",
            newest.backup_id
        ))
    } else {
        Next::Onto(Box::new(newest.clone()))
    })
}

/// Removes images that were never finished, wherever in `<context>/disk-N` they lie. Only those: a
/// repository may hold files of other people.
fn remove_partial_images(repository: &Path) {
    for path in files_of_backups(repository)
        .into_iter()
        .chain([repository.join(format!("{}.partial", repository::MARKER))])
        .filter(|path| path.exists())
        .filter(|path| {
            let name = file_name(path);
            image::is_partial(&name) || name.starts_with(repository::MARKER)
        })
    {
        tracing::info!(path = %path.display(), "removing a file that was never finished");
        image::remove(&path);
    }
}

/// The files that lie where images, maps and manifests do.
fn files_of_backups(repository: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for context in folder_entries(repository) {
        if !file_name(&context).starts_with("ctx-") {
            continue;
        }
        for entry in folder_entries(&context) {
            match file_name(&entry) {
                name if name.starts_with("disk-") => files.extend(folder_entries(&entry)),
                name if name.starts_with("backup-") => files.push(entry),
                _ => {}
            }
        }
    }
    files
}

/// What lies in a folder; nothing where it cannot be read.
fn folder_entries(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}
