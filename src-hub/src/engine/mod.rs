//! The backup engine: disk images of this computer into QCOW2 images of a repository.
//!
//! ```text
//! row 'pending' with the places of the images
//!   -> open the sources, count what has to be read, check for room          (preparing)
//!   -> disk by disk: read || write into `…qcow2.partial`, fsync             (transferring)
//!   -> nobody wrote to the sources meanwhile? rename all, fsync the folders (committing)
//!   -> row 'completed', all disks in one transaction
//! ```
//! A failure or a kill at any point leaves the repository as it was: what a job that has no
//! `completed` row put there is removed, at once or by the next start.

mod copy;
mod failure;
mod image;
mod job;
mod progress;
mod record;
mod source;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::{failure::Failure, job::Job, progress::Progress};
use crate::{
    Clock,
    backup::{self, Backup, BackupType, Filter, Status},
    db::Db,
    error::{Error, Result},
    repository::{self, Repository},
    vm::{self, Disk, Vm},
};

/// More at the same time only make each other slower: disks are read and written one after another.
const CONCURRENT_BACKUPS: usize = 2;

/// The backups that are running; cheap to clone.
#[derive(Clone)]
pub(crate) struct Jobs {
    inner: Arc<Inner>,
}

struct Inner {
    db: Db,
    clock: Clock,
    /// By backup id, from just before the row is written until just after it is final.
    running: Mutex<BTreeMap<String, Arc<Progress>>>,
    places: Arc<Semaphore>,
    stopping: CancellationToken,
    tasks: TaskTracker,
}

/// A backup that has been written down and will run.
pub(crate) struct Started {
    pub(crate) backup_id: String,
    pub(crate) vm: Vm,
    pub(crate) disks: Vec<(Disk, PathBuf)>,
    pub(crate) backup_type: BackupType,
    pub(crate) created_at: Timestamp,
}

impl Jobs {
    /// Ends what a hub that was killed left behind: its jobs failed, and their files go.
    pub(crate) fn recover(db: Db, clock: Clock) -> rusqlite::Result<Self> {
        for (backup_id, images) in db.with(record::abandoned)? {
            for path in &images {
                image::remove(path);
                image::remove(&image::partial_name(path));
            }
            let now = clock.now();
            db.transaction(|transaction| record::abandon(transaction, &backup_id, now))?;
            tracing::warn!(backup_id, "a backup was cut off when the hub was killed");
        }
        for repository in db.with(repository::list)? {
            remove_partial_images(&repository.config.path);
        }
        Ok(Self {
            inner: Arc::new(Inner {
                db,
                clock,
                running: Mutex::default(),
                places: Arc::new(Semaphore::new(CONCURRENT_BACKUPS)),
                stopping: CancellationToken::new(),
                tasks: TaskTracker::new(),
            }),
        })
    }

    /// Writes a backup down and lets it run. Returns at once; what can go wrong later ends up in
    /// the backup's row.
    pub(crate) fn start(
        &self,
        vm_name: &str,
        repository_id: &str,
        backup_type: BackupType,
    ) -> Result<Started> {
        if self.inner.stopping.is_cancelled() {
            return Err(Error::Stopping);
        }
        let now = self.inner.clock.now();
        let (vm, disks, repository, record) = self.inner.db.transaction(|transaction| {
            let vm = vm::find_by_name(transaction, vm_name)?
                .ok_or_else(|| Error::VmNotFound(vm_name.to_owned()))?;
            let repository = repository::find(transaction, repository_id)?
                .ok_or_else(|| Error::RepositoryNotFound(repository_id.to_owned()))?;
            let disks = vm::disks(transaction, &vm.context_id)?;
            if disks.is_empty() {
                return Err(Error::NoDisks(vm.vm_name));
            }
            if backup_type == BackupType::Incremental {
                return Err(refuse_incremental(transaction, vm, &repository)?);
            }
            if let Some(backup_id) = backup::running(transaction, &vm.context_id)? {
                return Err(Error::BackupRunning {
                    vm_name: vm.vm_name,
                    backup_id,
                });
            }
            let record = record::begin(transaction, &vm, &disks, &repository, backup_type, now)?;
            Ok((vm, disks, repository, record))
        })?;
        let progress = Arc::new(Progress::new(disks.len(), self.inner.clock.clone()));
        self.running()
            .insert(record.backup_id.clone(), Arc::clone(&progress));
        let started = Started {
            backup_id: record.backup_id.clone(),
            disks: disks
                .iter()
                .cloned()
                .zip(record.images.iter().cloned())
                .collect(),
            backup_type,
            created_at: now,
            vm,
        };
        let job = Job {
            db: self.inner.db.clone(),
            clock: self.inner.clock.clone(),
            stopping: self.inner.stopping.clone(),
            progress,
            record,
            disks,
            source_folder: started.vm.source_folder.clone(),
            repository_folder: repository.config.path,
        };
        // On its own: a client that hangs up must not end the backup it asked for.
        self.inner
            .tasks
            .spawn(self.clone().supervise(Arc::new(job)));
        Ok(started)
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
            if let Some(progress) = running.get(&backup.backup_id)
                && !backup.status.is_over()
            {
                progress.show_in(backup);
            }
        }
        Ok(backups)
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

    async fn supervise(self, job: Arc<Job>) {
        let place = tokio::select! {
            () = self.inner.stopping.cancelled() => None,
            place = Arc::clone(&self.inner.places).acquire_owned() => place.ok(),
        };
        let outcome = match place {
            None => Err(Failure::Stopped),
            Some(_place) => {
                let job = Arc::clone(&job);
                tokio::task::spawn_blocking(move || job.run())
                    .await
                    .unwrap_or(Err(Failure::Panicked))
            }
        };
        let backup_id = &job.record.backup_id;
        match &outcome {
            Ok(()) => tracing::info!(backup_id, "a backup is complete"),
            Err(failure) => {
                tracing::warn!(backup_id, error = ?failure, "a backup failed");
                if let Err(error) = job.fail(failure) {
                    // The row still says that the job runs: the next start ends it.
                    tracing::error!(backup_id, %error, "could not record a failed backup");
                }
            }
        }
        self.running().remove(backup_id);
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Progress>>> {
        // Nothing panics under this lock.
        self.inner
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why an incremental backup is not possible: nothing to build on, or not written yet.
fn refuse_incremental(
    connection: &rusqlite::Connection,
    vm: Vm,
    repository: &Repository,
) -> rusqlite::Result<Error> {
    let filter = Filter {
        vm_context_id: Some(vm.context_id),
        repository_id: Some(repository.id.clone()),
        status: Some(Status::Completed),
        ..Filter::default()
    };
    Ok(match backup::list(connection, &filter)?.is_empty() {
        true => Error::NoPreviousBackup {
            vm_name: vm.vm_name,
        },
        false => Error::IncrementalNotOffered,
    })
}

/// Removes images that were never finished, wherever in `<context>/disk-N` they lie. Only those: a
/// repository may hold files of other people.
fn remove_partial_images(repository: &Path) {
    for image in folder_entries(repository)
        .filter(|context| file_name(context).starts_with("ctx-"))
        .flat_map(|context| folder_entries(&context))
        .filter(|disk| file_name(disk).starts_with("disk-"))
        .flat_map(|disk| folder_entries(&disk))
        .filter(|image| image::is_partial(&file_name(image)))
    {
        tracing::info!(path = %image.display(), "removing an image that was never finished");
        image::remove(&image);
    }
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
