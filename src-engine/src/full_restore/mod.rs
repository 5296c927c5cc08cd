//! Full restores: disks of a recovery point written as images into a folder, with a machine definition.
//!
//! Every cluster is compared with the cluster map while it is on its way, so a file has its name only when it holds
//! exactly what was backed up. Files are written under other names, with a journal beside each (`journal.rs`): a restore
//! that broke off is gone on with by the next one into the same folder, after what is there was compared with the
//! backup. What an image will be is known before it is written (`layout.rs`, `format/`).

mod definition;
mod disk;
mod expected;
mod firmware;
mod format;
mod job;
mod journal;
mod layout;
mod occupancy;
mod target;

use std::{
    collections::{BTreeMap, BTreeSet},
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use sendense_types::{FullRestoreStatus, ImageFormat, MachineDefinition};
use tokio_util::sync::CancellationToken;

use self::{
    disk::{Disk, Order},
    job::{Job, Wanted},
    journal::journal_path,
    target::{definition_name, image_name, is_taken, require_folder, stem},
};
use crate::{
    claims::{Claim, Work},
    error::{Error, Result},
    failure::Failure,
    ids,
    repository::{require, require_connected},
    restore,
    shared::Shared,
    store::{
        Reason,
        backups::{Backup, BackupDisk, Status},
        full_restores::{self, FullRestore, Outcome},
    },
};

/// Why a full restore that a hub which is no more left unfinished is over.
pub(crate) const CUT_OFF: &str =
    "the hub stopped while this was restored; restore it again into the same folder to go on";

/// All full restores; cheap to clone.
#[derive(Clone)]
pub struct FullRestores {
    shared: Arc<Shared>,
    /// By the id of their row.
    runs: Arc<Mutex<BTreeMap<String, Arc<Run>>>>,
}

/// What is to be restored, and to where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FullRestoreOrder {
    /// The recovery point.
    pub backup_id: String,
    /// The disks within it; empty for all.
    pub disk_indexes: Vec<u32>,
    /// An absolute folder, which is there.
    pub folder: PathBuf,
    /// What the disks become.
    pub format: ImageFormat,
    /// What is written beside them.
    pub definition: MachineDefinition,
}

/// What a full restore would write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FullRestorePlan {
    /// The files.
    pub files: Vec<PathBuf>,
    /// Room that they take; at most, where they are compressed.
    pub needed_bytes: u64,
    /// Room that there is.
    pub available_bytes: u64,
    /// Bytes of the disks that an earlier one left.
    pub resumable_bytes: u64,
}

/// A full restore that runs or did.
#[derive(Debug)]
struct Run {
    cancel: CancellationToken,
    /// The files that it writes.
    targets: BTreeSet<PathBuf>,
    state: Mutex<State>,
}

/// Where it stands.
#[derive(Clone, Debug)]
struct State {
    status: FullRestoreStatus,
    outcome: Outcome,
    /// When it began to write, and how much was there.
    began: Option<(Instant, u64)>,
    is_over: bool,
}

impl Run {
    fn update<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        // Nothing panics under this lock.
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn is_over(&self) -> bool {
        self.update(|state| state.is_over)
    }

    fn enter(&self, status: FullRestoreStatus) {
        self.update(|state| state.status = status);
    }
}

impl FullRestores {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            runs: Arc::default(),
        }
    }

    /// Finds out what a full restore would write. `own_folder` is the hub's. Blocks: the cluster maps are read.
    ///
    /// # Errors
    /// As [`start`](Self::start), and where the recovery point cannot be restored.
    pub fn plan(&self, order: &FullRestoreOrder, own_folder: &Path) -> Result<FullRestorePlan> {
        let wanted = self.wanted(order, own_folder)?;
        let mut plan = FullRestorePlan {
            files: wanted.targets(),
            needed_bytes: 0,
            available_bytes: fs4::available_space(&wanted.folder)
                .map_err(Failure::target(&wanted.folder))?,
            resumable_bytes: 0,
        };
        for disk in wanted.plan_disks()? {
            plan.needed_bytes += disk.layout.needed_bytes();
            plan.resumable_bytes += disk.resumable_bytes();
        }
        Ok(plan)
    }

    /// Begins a full restore; gives its id. `own_folder` is the hub's. Returns soon.
    ///
    /// # Errors
    /// When the backup is not complete or has no such disk, its repository is not connected or its chain is being
    /// changed; when the folder is not there or may not be written to, or the files are there already; and when the
    /// machine could not run from the format.
    pub fn start(&self, order: &FullRestoreOrder, own_folder: &Path) -> Result<String> {
        let shared = &self.shared;
        let wanted = self.wanted(order, own_folder)?;
        let work = Work::restoring(&wanted.backup.vm_context_id);
        let (vm_id, vm_name) = (&wanted.backup.vm_context_id, &wanted.backup.vm_name);
        let claim = shared.claim(work, vm_id, vm_name)?;
        let run = Arc::new(Run {
            cancel: shared.stopping.child_token(),
            targets: wanted.targets().into_iter().collect(),
            state: Mutex::new(State {
                status: FullRestoreStatus::Pending,
                outcome: Outcome::default(),
                began: None,
                is_over: false,
            }),
        });
        let now = shared.clock.now();
        let id = {
            let mut runs = self.runs();
            let mut others = runs.values().filter(|other| !other.is_over());
            let shared_file =
                others.find_map(|other| other.targets.intersection(&run.targets).next());
            if let Some(file) = shared_file {
                return Err(Error::FullRestoreRunning(file.clone()));
            }
            let id = shared.store.transaction(|transaction| {
                let id = ids::full_restore_id(vm_name, now, |id| {
                    full_restores::exists(transaction, id)
                })?;
                full_restores::begin(transaction, &wanted.row(&id, now))?;
                Ok::<_, Error>(id)
            })?;
            runs.insert(id.clone(), Arc::clone(&run));
            id
        };
        let (this, name) = (self.clone(), id.clone());
        shared.tasks.spawn(async move {
            let slot = this.shared.slot(&run.cancel).await;
            let ended = tokio::task::spawn_blocking(move || {
                let job = Job::new(&this.shared, &run, &wanted);
                let outcome = match slot {
                    None => Err(Failure::Stopped),
                    Some(_) => catch_unwind(AssertUnwindSafe(|| job.run()))
                        .unwrap_or(Err(Failure::Panicked)),
                };
                this.end(&name, &run, claim, outcome);
            });
            if let Err(error) = ended.await {
                tracing::error!(%error, "a full restore ended without a word");
            }
        });
        Ok(id)
    }

    /// Writes down how one ended.
    fn end(&self, id: &str, run: &Run, claim: Claim, outcome: Result<(), Failure>) {
        let now = self.shared.clock.now();
        let (status, why) = match outcome {
            Ok(()) => (FullRestoreStatus::Completed, None),
            Err(Failure::Stopped) if self.shared.stopping.is_cancelled() => {
                (FullRestoreStatus::Failed, Some(Reason::of_text(CUT_OFF)))
            }
            Err(Failure::Stopped) => {
                let reason = Reason::from(&Failure::Cancelled);
                (FullRestoreStatus::Cancelled, Some(reason))
            }
            Err(failure) => (FullRestoreStatus::Failed, Some(Reason::from(&failure))),
        };
        if let Some(why) = &why {
            tracing::warn!(id, why = why.text, "a full restore ended early");
        }
        let come_to = run.update(|state| state.outcome.clone());
        let written = self.shared.store.transaction_and_then(
            |transaction| full_restores::end(transaction, id, status, &come_to, why.as_ref(), now),
            || drop(claim),
        );
        if let Err(error) = written {
            // The row still says that it runs: the next start ends it.
            tracing::error!(id, %error, "could not record the end of a full restore");
        }
        run.update(|state| {
            state.status = status;
            state.is_over = true;
        });
    }

    /// All full restores that are on record, newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn list(&self) -> Result<Vec<FullRestore>> {
        let mut all = self.shared.store.with(full_restores::list)?;
        let runs = self.runs();
        for restore in &mut all {
            show_run(&runs, restore);
        }
        Ok(all)
    }

    /// The full restore with that id.
    ///
    /// # Errors
    /// When there is none.
    pub fn find(&self, id: &str) -> Result<FullRestore> {
        let mut restore = self
            .shared
            .store
            .with(|connection| full_restores::find(connection, id))?
            .ok_or_else(|| Error::FullRestoreNotFound(id.to_owned()))?;
        show_run(&self.runs(), &mut restore);
        Ok(restore)
    }

    /// Ends a full restore, and removes what it has written. Returns at once.
    ///
    /// # Errors
    /// When there is no such one, or it is over.
    pub fn cancel(&self, id: &str) -> Result<()> {
        self.find(id)?;
        match self.runs().get(id).filter(|run| !run.is_over()) {
            Some(run) => {
                run.cancel.cancel();
                Ok(())
            }
            None => Err(Error::FullRestoreOver),
        }
    }

    fn runs(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Run>>> {
        // Nothing panics under this lock.
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What an order comes down to, looked at without reading a disk.
    fn wanted(&self, order: &FullRestoreOrder, own_folder: &Path) -> Result<Wanted> {
        let backup = self.shared.backup(&order.backup_id)?;
        if backup.status != Status::Completed {
            return Err(Error::BackupNotComplete(backup.backup_id));
        }
        if !order.definition.runs_from(order.format) {
            return Err(Error::DefinitionUnsuited {
                definition: order.definition,
                format: order.format,
            });
        }
        let folder = require_folder(&order.folder, own_folder, &self.shared.store)?;
        let repository = self.shared.store.with(|connection| {
            let repository = require(connection, &backup.repository_id)?;
            require_connected(&repository)?;
            Ok::<_, Error>(repository)
        })?;
        let stem = stem(&backup.vm_name);
        let n_disks = backup.disks.len();
        let disks = chosen(&backup, &order.disk_indexes)?
            .into_iter()
            .map(|disk| {
                let name = image_name(&stem, disk.disk_index, n_disks, order.format);
                (disk, folder.join(name))
            });
        let disks: Vec<_> = disks.collect();
        let definition_file =
            definition_name(&stem, order.definition).map(|name| folder.join(name));
        // One that is unfinished may have given names to some of its files.
        let is_begun = disks
            .iter()
            .any(|(_, target)| is_taken(&journal_path(target)));
        let all = disks
            .iter()
            .map(|(_, target)| target)
            .chain(&definition_file);
        if !is_begun && let Some(there) = all.into_iter().find(|path| is_taken(path)) {
            return Err(Error::TargetExists(there.clone()));
        }
        Ok(Wanted {
            backup,
            repository: repository.config.path,
            disks,
            folder,
            format: order.format,
            definition: order.definition,
            definition_file,
        })
    }
}

/// The disks of a backup that are wanted, in order.
fn chosen(backup: &Backup, disk_indexes: &[u32]) -> Result<Vec<BackupDisk>> {
    for wanted in disk_indexes {
        if !backup.disks.iter().any(|disk| disk.disk_index == *wanted) {
            return Err(restore::Error::DiskNotFound {
                backup_id: backup.backup_id.clone(),
                disk_index: *wanted,
                because: None,
            }
            .into());
        }
    }
    let is_wanted =
        |disk: &&BackupDisk| disk_indexes.is_empty() || disk_indexes.contains(&disk.disk_index);
    Ok(backup.disks.iter().filter(is_wanted).cloned().collect())
}

/// What is known of a running one beyond its row.
fn show_run(runs: &BTreeMap<String, Arc<Run>>, restore: &mut FullRestore) {
    let Some(run) = runs.get(&restore.id).filter(|run| !run.is_over()) else {
        return;
    };
    let state = run.update(|state| state.clone());
    restore.status = state.status;
    restore.bytes_per_second = state.began.and_then(|(began, there)| {
        let written = state.outcome.done_bytes.saturating_sub(there);
        let seconds = began.elapsed().as_secs_f64();
        (written > 0 && seconds > 0.0).then(|| (written as f64 / seconds) as u64)
    });
    restore.outcome = state.outcome;
}
