//! Jobs that failed while the database could not be written, on a full disk for instance: known to be over
//! here, and written down as soon as that works.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{failure::Failure, job::Job};
use crate::backup::{Backup, Status};

/// By backup id. What is still here when the hub ends is found by its next start.
#[derive(Default)]
pub(super) struct Unrecorded(Mutex<BTreeMap<String, (Arc<Job>, Failure)>>);

impl Unrecorded {
    /// Writes down that a job failed, or keeps it until that works.
    pub(super) fn record(&self, job: Arc<Job>, failure: Failure) {
        let backup_id = job.record.backup_id.clone();
        if let Err(error) = job.fail(&failure) {
            tracing::error!(backup_id, %error, "could not record a failed backup");
            self.jobs().insert(backup_id, (job, failure));
        }
    }

    /// Tries again. To be called before a VM is taken for busy.
    pub(super) fn try_again(&self) {
        let jobs = std::mem::take(&mut *self.jobs());
        for (job, failure) in jobs.into_values() {
            self.record(job, failure);
        }
    }

    /// Makes a backup's row say what it would if it could be written.
    pub(super) fn show_in(&self, backup: &mut Backup) {
        if let Some((_, failure)) = self.jobs().get(&backup.backup_id) {
            backup.status = Status::Failed;
            backup.error_message = Some(failure.to_string());
        }
    }

    fn jobs(&self) -> MutexGuard<'_, BTreeMap<String, (Arc<Job>, Failure)>> {
        // Nothing panics under this lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
