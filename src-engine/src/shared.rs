//! What everything that works on backups shares.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    Clock,
    claims::{Claim, Claims, Kind, Work},
    error::{Error, Result},
    restore::Mounts,
    store::{
        Store,
        backups::{self, Backup},
    },
    unrecorded::Unrecorded,
};

/// More at the same time only make each other slower: disks are read and written one after another.
const CONCURRENT_RUNS: usize = 2;

/// What all that works on backups shares.
pub(crate) struct Shared {
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) mounts: Mounts,
    pub(crate) claims: Claims,
    pub(crate) unrecorded: Unrecorded,
    /// Everything that was begun and is not over.
    pub(crate) tasks: TaskTracker,
    /// The end of it all.
    pub(crate) stopping: CancellationToken,
    pub(crate) slots: Arc<Semaphore>,
}

impl Shared {
    pub(crate) fn new(store: Store, clock: Clock, mounts: Mounts) -> Self {
        Self {
            unrecorded: Unrecorded::new(store.clone(), clock.clone()),
            store,
            clock,
            mounts,
            claims: Claims::default(),
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
            slots: Arc::new(Semaphore::new(CONCURRENT_RUNS)),
        }
    }

    /// Waits for its turn among what reads and writes a lot; `None` when it is cancelled before that.
    pub(crate) async fn slot(&self, cancel: &CancellationToken) -> Option<OwnedSemaphorePermit> {
        tokio::select! {
            () = cancel.cancelled() => None,
            slot = Arc::clone(&self.slots).acquire_owned() => slot.ok(),
        }
    }

    /// Takes the right to do something with the backups of a VM.
    ///
    /// # Errors
    /// While something is done that does not go with it.
    pub(crate) fn claim(&self, work: Work, vm_context_id: &str, vm_name: &str) -> Result<Claim> {
        self.unrecorded.try_again();
        let wanted = work.kind();
        let kind = match self.claims.claim(work) {
            Ok(claim) => return Ok(claim),
            Err(Kind::Copy) if wanted == Kind::Copy => {
                return Err(Error::CopyRunning(vm_name.to_owned()));
            }
            Err(kind) => kind,
        };
        if kind == Kind::BackUp
            && let Some(backup_id) = self
                .store
                .with(|connection| backups::running(connection, vm_context_id))?
        {
            return Err(Error::BackupRunning {
                vm_name: vm_name.to_owned(),
                backup_id,
            });
        }
        Err(Error::VmBusy {
            vm_name: vm_name.to_owned(),
            doing: kind.doing(),
        })
    }

    /// The backup with that id, as its row has it.
    pub(crate) fn backup(&self, backup_id: &str) -> Result<Backup> {
        let mut backup = self
            .store
            .with(|connection| backups::find(connection, backup_id))?
            .ok_or_else(|| Error::BackupNotFound(backup_id.to_owned()))?;
        self.unrecorded.show_in(&mut backup);
        Ok(backup)
    }
}
