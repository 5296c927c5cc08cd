//! Verifications: whether backups still contain what was backed up.

pub(crate) mod check;
mod verifier;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use self::check::Check;
pub(crate) use self::verifier::Verifier;
pub use self::{check::State, verifier::Finding};
use crate::{
    claims::Work,
    error::{Error, Result},
    repository::{require, require_connected},
    shared::Shared,
    store::{
        backups::{self, Filter, Status, Verdict},
        jobs,
    },
};

/// All verifications since the hub was started; cheap to clone.
#[derive(Clone)]
pub struct Verifications {
    shared: Arc<Shared>,
    /// By backup id; the newest of each backup.
    checks: Arc<Mutex<BTreeMap<String, Arc<Check>>>>,
}

impl Verifications {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            checks: Arc::default(),
        }
    }

    /// Begins to verify a finished backup; one that is being verified goes on. Returns at once.
    ///
    /// # Errors
    /// When there is no such backup, or it is not complete, and while its chain is being changed.
    pub fn start(&self, backup_id: &str) -> Result<()> {
        let backup = self.shared.backup(backup_id)?;
        if backup.status != Status::Completed {
            return Err(Error::BackupNotComplete(backup.backup_id));
        }
        let of_the_same_vm = Filter {
            vm_context_id: Some(backup.vm_context_id.clone()),
            repository_id: Some(backup.repository_id.clone()),
            status: Some(Status::Completed),
            ..Filter::default()
        };
        let (all, repository) = self.shared.store.with(|connection| {
            let repository = require(connection, &backup.repository_id)?;
            require_connected(&repository)?;
            let all = backups::list(connection, &of_the_same_vm)?;
            Ok::<_, Error>((all, repository))
        })?;
        let work = Work::verifying(&backup.vm_context_id);
        let claim = self
            .shared
            .claim(work, &backup.vm_context_id, &backup.vm_name)?;
        let check = Arc::new(Check::of(&backup, self.shared.stopping.child_token()));
        {
            let mut checks = self.checks();
            let going_on = checks.get(backup_id).filter(|check| !check.state().is_over);
            if going_on.is_some() {
                return Ok(());
            }
            checks.insert(backup_id.to_owned(), Arc::clone(&check));
        }
        let this = self.clone();
        self.shared.tasks.spawn(async move {
            let Some(_slot) = this.shared.slot(&check.stopping).await else {
                drop(claim);
                return check.never_began();
            };
            let running = Arc::clone(&check);
            let verified = tokio::task::spawn_blocking(move || {
                running.run(&backup, &all, &repository, |state| {
                    this.record(&backup.backup_id, state);
                    // Whoever sees that it is over may change the chain.
                    drop(claim);
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
    pub fn cancel(&self, backup_id: &str) -> Result<()> {
        match self.checks().get(backup_id) {
            None => Err(Error::NotVerified(backup_id.to_owned())),
            Some(check) if check.state().is_over => Err(Error::VerificationOver),
            Some(check) => {
                check.stopping.cancel();
                Ok(())
            }
        }
    }

    /// Where the newest verification of a backup since the hub was started stands; `None` where there was none.
    pub fn state_of(&self, backup_id: &str) -> Option<State> {
        self.checks().get(backup_id).map(|check| check.state())
    }

    /// Writes down what verifying has found about a backup, and about those that its damage breaks as well.
    fn record(&self, backup_id: &str, state: &State) {
        let now = self.shared.clock.now();
        let written = self.shared.store.transaction(|transaction| {
            if let Some(verdict) = state.verdict() {
                jobs::set_verified(transaction, backup_id, verdict, now)?;
            }
            for broken in &state.broken {
                jobs::set_verified(transaction, broken, Verdict::Damaged, now)?;
            }
            Ok::<_, rusqlite::Error>(())
        });
        if let Err(error) = written {
            // Whoever asked is told; it can be asked again.
            tracing::error!(backup_id, %error, "could not record what verifying found");
        }
    }

    fn checks(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Check>>> {
        // Nothing panics under this lock.
        self.checks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
