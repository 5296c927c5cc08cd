//! Copying a recovery point, with everything it builds on, to another repository.
//!
//! Files are copied byte for byte under their own names, so what builds on what does not change and the cluster maps
//! stay valid. Each point becomes a backup in the other repository as soon as all its files are there and have been
//! read back; points that are already there are not copied again. A copy that is cut off keeps the unfinished file
//! under a temporary name, and the next one continues from there.

mod file_copy;

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use rusqlite::Connection;
use sendense_disk::{AllowedRoots, Image};
use tokio_util::sync::CancellationToken;

use self::file_copy::copy_file;
use crate::{
    claims::{Claim, Work},
    error::{Error, Result},
    failure::Failure,
    files, ids,
    image::map::map_path,
    repository::{manifest, require, require_connected, require_usable},
    shared::Shared,
    store::{
        Reason,
        backups::{self, Backup, BackupDisk, Status, Verdict},
        copies::{self, ChainCopy},
        jobs, removals,
        repositories::Repository,
        vms,
    },
    verify::Verifier,
};

/// Why a copy that a hub which is no more left unfinished is over.
pub(crate) const CUT_OFF: &str = "the hub stopped while this was copied; copy it again to go on";

/// All copies; cheap to clone.
#[derive(Clone)]
pub struct Copies {
    shared: Arc<Shared>,
    /// By the id of their row; the newest run of each.
    runs: Arc<Mutex<BTreeMap<i64, Arc<CopyRun>>>>,
}

/// A copy that runs or did.
#[derive(Debug)]
struct CopyRun {
    copied_bytes: AtomicU64,
    total_bytes: AtomicU64,
    is_over: AtomicBool,
    cancel: CancellationToken,
    phase: Mutex<&'static str>,
}

impl CopyRun {
    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    fn phase(&self) -> &'static str {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, phase: &'static str) {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner) = phase;
    }
}

impl Copies {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            runs: Arc::default(),
        }
    }

    /// Begins to copy a recovery point and all it builds on; gives the id of the copy. Returns at once.
    ///
    /// # Errors
    /// When the backup is not complete or not in another repository, when one of the repositories is not
    /// connected, and while its chain is being changed or copied there already.
    pub fn start(&self, backup_id: &str, repository_id: &str) -> Result<i64> {
        let shared = &self.shared;
        let backup = shared.backup(backup_id)?;
        if backup.status != Status::Completed {
            return Err(Error::BackupNotComplete(backup.backup_id));
        }
        if backup.repository_id == repository_id {
            return Err(Error::CopyInPlace(backup.backup_id));
        }
        let (source, target) = shared.store.with(|connection| {
            let source = require(connection, &backup.repository_id)?;
            require_connected(&source)?;
            let target = require(connection, repository_id)?;
            require_usable(&target)?;
            Ok::<_, Error>((source, target))
        })?;
        let work = Work::copying(&backup.vm_context_id, &target.id);
        let claim = shared.claim(work, &backup.vm_context_id, &backup.vm_name)?;
        let run = Arc::new(CopyRun {
            copied_bytes: AtomicU64::new(0),
            total_bytes: AtomicU64::new(0),
            is_over: AtomicBool::new(false),
            cancel: shared.stopping.child_token(),
            phase: Mutex::new("pending"),
        });
        let now = shared.clock.now();
        let id = shared
            .store
            .with(|connection| copies::begin(connection, &backup.backup_id, &target.id, now))?;
        self.runs().insert(id, Arc::clone(&run));
        let this = self.clone();
        shared.tasks.spawn(async move {
            let slot = this.shared.slot(&run.cancel).await;
            let ended = tokio::task::spawn_blocking(move || {
                let copying = Copying {
                    shared: &this.shared,
                    id,
                    run: &run,
                    source: &source,
                    target: &target,
                };
                let outcome = match slot {
                    None => Err(Failure::Stopped),
                    Some(_) => catch_unwind(AssertUnwindSafe(|| copying.run(&backup)))
                        .unwrap_or(Err(Failure::Panicked)),
                };
                this.end(id, &run, claim, outcome);
            });
            if let Err(error) = ended.await {
                tracing::error!(%error, "a copy ended without a word");
            }
        });
        Ok(id)
    }

    /// Writes down how a copy ended.
    fn end(&self, id: i64, run: &CopyRun, claim: Claim, outcome: Result<(), Failure>) {
        let now = self.shared.clock.now();
        let outcome = match outcome {
            Err(Failure::Stopped) if self.shared.stopping.is_cancelled() => {
                Err(Reason::of_text(CUT_OFF))
            }
            Err(Failure::Stopped) => Err(Reason::from(&Failure::Cancelled)),
            outcome => outcome.map_err(|failure| Reason::from(&failure)),
        };
        if let Err(why) = &outcome {
            tracing::warn!(id, why = why.text, "a copy ended early");
        }
        let written = self.shared.store.transaction_and_then(
            |transaction| copies::end(transaction, id, outcome.as_ref().err(), now),
            || drop(claim),
        );
        if let Err(error) = written {
            // The row still says that it runs: the next start ends it.
            tracing::error!(id, %error, "could not record the end of a copy");
        }
        run.is_over.store(true, Ordering::Relaxed);
    }

    /// The copies of a backup, oldest first.
    pub fn of_backup(&self, backup_id: &str) -> Result<Vec<ChainCopy>> {
        let mut copies = self
            .shared
            .store
            .with(|connection| copies::of_backup(connection, backup_id))?;
        let runs = self.runs();
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
    pub fn cancel(&self, backup_id: &str, id: i64) -> Result<()> {
        if !self.of_backup(backup_id)?.iter().any(|copy| copy.id == id) {
            return Err(Error::CopyNotFound(id));
        }
        match self.runs().get(&id).filter(|run| !run.is_over()) {
            Some(run) => {
                run.cancel.cancel();
                Ok(())
            }
            None => Err(Error::CopyNotRunning),
        }
    }

    fn runs(&self) -> MutexGuard<'_, BTreeMap<i64, Arc<CopyRun>>> {
        // Nothing panics under this lock.
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A copy at work.
struct Copying<'c> {
    shared: &'c Shared,
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
        self.shared
            .store
            .with(|connection| copies::set_size(connection, self.id, total_bytes))?;
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
        let now = self.shared.clock.now();
        self.shared
            .store
            .with(|connection| jobs::set_verified(connection, &copied.backup_id, verdict, now))?;
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
                        .shared
                        .store
                        .with(|connection| backups::find(connection, parent))?;
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
        Ok(self.shared.store.with(|connection| {
            backups::copy_in(connection, backup_id, &self.target.id)?
                .map_or(Ok(None), |id| backups::find(connection, &id))
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
            let owner = self
                .shared
                .store
                .with(|connection| backups::owner_of(connection, std::slice::from_ref(&target)))?;
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
            files::sync_names(&target, &self.target.config.path)
                .map_err(Failure::repository(&target))?;
            images.push(target);
        }
        let store = &self.shared.store;
        let now = self.shared.clock.now();
        let id = store.with(|connection| {
            ids::backup_id(&point.vm_name, now, |id| backups::exists(connection, id))
        })?;
        // Between its manifest and its row the hub may end. A manifest without a row would be taken for a
        // recovery point of its own one day, so it is noted down to go, until the row is there.
        let manifest = images
            .first()
            .and_then(|image| backups::manifest_path(image, &id));
        if let Some(manifest) = &manifest {
            store.with(|connection| removals::note(connection, manifest))?;
        }
        manifest::record(
            store,
            &id,
            |transaction| {
                self.take_on_record(transaction, &id, point, &images)?;
                if let Some(manifest) = &manifest {
                    removals::forget(transaction, manifest)?;
                }
                Ok(())
            },
            || {},
        )
    }

    /// Writes a copied point down as a backup of the other repository.
    fn take_on_record(
        &self,
        connection: &Connection,
        id: &str,
        point: &Backup,
        images: &[PathBuf],
    ) -> Result<(), Failure> {
        let vm = vms::find_by_id(connection, &point.vm_context_id)?
            .ok_or_else(|| record_lost(&point.backup_id))?;
        let now = self.shared.clock.now();
        let context_id = jobs::context(connection, &vm, &self.target.id, now)?;
        let parent_backup_id = match &point.parent_backup_id {
            Some(parent) => backups::copy_in(connection, parent, &self.target.id)?,
            None => None,
        };
        let disks = point.disks.iter().zip(images);
        let disks = disks.map(|(disk, image)| BackupDisk {
            qcow2_path: Some(image.clone()),
            ..disk.clone()
        });
        let copy = Backup {
            backup_id: id.to_owned(),
            repository_id: self.target.id.clone(),
            parent_backup_id,
            copied_from: Some(point.backup_id.clone()),
            is_pinned: false,
            verified: None,
            disks: disks.collect(),
            ..point.clone()
        };
        Ok(jobs::insert(connection, &context_id, &copy)?)
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
