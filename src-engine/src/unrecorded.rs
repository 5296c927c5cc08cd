//! Jobs that failed while the database could not be written, for instance on a full disk: known here to be over, and
//! recorded as soon as writing works again.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::{
    Clock,
    removal::remove_files,
    store::{
        Reason, Store,
        backups::{Backup, Status},
        jobs,
    },
};

/// By backup id: what became of it and why. What is still here when the hub ends is found by its next start.
pub(crate) struct Unrecorded {
    store: Store,
    clock: Clock,
    failed: Mutex<BTreeMap<String, (Status, Reason)>>,
}

impl Unrecorded {
    pub(crate) fn new(store: Store, clock: Clock) -> Self {
        Self {
            store,
            clock,
            failed: Mutex::default(),
        }
    }

    /// Writes down that a job failed, or keeps it until that works. `over` is done before anybody can see it.
    pub(crate) fn record(&self, backup_id: &str, status: Status, reason: &Reason, over: impl Fn()) {
        if let Err(error) = self.write(backup_id, status, reason, &over) {
            tracing::error!(backup_id, %error, "could not record a failed backup");
            over();
            self.failed()
                .insert(backup_id.to_owned(), (status, reason.clone()));
        }
    }

    /// Leaves nothing of the backup behind but the reason why it failed. The files go once that is on record: a
    /// transaction whose end failed may all the same be what the next start finds.
    fn write(
        &self,
        backup_id: &str,
        status: Status,
        reason: &Reason,
        over: impl FnOnce(),
    ) -> rusqlite::Result<()> {
        let now = self.clock.now();
        self.store.transaction_and_then(
            |transaction| jobs::fail(transaction, backup_id, status, reason, now),
            over,
        )?;
        if let Err(error) = remove_files(&self.store) {
            // They are noted: the next start tries again.
            tracing::warn!(%error, "could not remove the files of a failed backup");
        }
        Ok(())
    }

    /// Tries again. To be called before a VM's rows are believed.
    pub(crate) fn try_again(&self) {
        let failed = std::mem::take(&mut *self.failed());
        for (backup_id, (status, reason)) in failed {
            self.record(&backup_id, status, &reason, || {});
        }
    }

    /// Makes a backup's row say what it would if it could be written.
    pub(crate) fn show_in(&self, backup: &mut Backup) {
        if let Some((status, reason)) = self.failed().get(&backup.backup_id) {
            backup.status = *status;
            backup.error_message = Some(reason.text.clone());
            backup.error_code = reason.code;
        }
    }

    fn failed(&self) -> MutexGuard<'_, BTreeMap<String, (Status, Reason)>> {
        // Nothing panics under this lock.
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
