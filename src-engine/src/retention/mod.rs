//! Retention: recovery points that a VM's policy no longer keeps are deleted, or merged into what builds on them.

pub(crate) mod merge;
pub(crate) mod rules;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::tz::TimeZone;
use rusqlite::Transaction;

use self::merge::merge;
pub use self::rules::{Fate, Plan, Step};
pub use crate::store::retention::Policy;
use crate::{
    claims::Work,
    error::{Error, Result},
    live::require_released,
    removal::{self, remove_files, require_expendable},
    repository::{manifest, require, require_connected},
    shared::Shared,
    store::{
        backups::{self, Backup, Filter, Status},
        jobs, retention,
        vms::{self, Vm},
    },
};

/// Retention of all VMs; cheap to clone.
#[derive(Clone)]
pub struct Retention {
    shared: Arc<Shared>,
    /// By VM id; the newest of each.
    runs: Arc<Mutex<BTreeMap<String, RetentionRun>>>,
}

/// Where the newest run of retention for a VM stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RetentionRun {
    /// It has ended, one way or the other.
    pub is_over: bool,
    /// Why it ended early. What it had done until then is done, and everything kept can be restored.
    pub error: Option<String>,
}

impl Retention {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            runs: Arc::default(),
        }
    }

    /// How many recovery points of a VM are kept; `None` where all are.
    pub fn policy(&self, vm: &Vm) -> Result<Option<Policy>> {
        Ok(self
            .shared
            .store
            .with(|connection| retention::policy(connection, &vm.context_id))?)
    }

    /// Decides how many recovery points are kept from the next run on; `None` for all.
    ///
    /// # Errors
    /// When the policy would keep none.
    pub fn set_policy(&self, vm: &Vm, policy: Option<Policy>) -> Result<()> {
        if policy.is_some_and(Policy::keeps_nothing) {
            return Err(Error::KeepsNothing);
        }
        self.shared
            .store
            .with(|connection| retention::set_policy(connection, &vm.context_id, policy))?;
        Ok(())
    }

    /// What retention would do now, repository by repository. Changes nothing.
    pub fn plan(&self, vm: &Vm) -> Result<Vec<Plan>> {
        let Some(policy) = self.policy(vm)? else {
            return Err(Error::NoRetention(vm.vm_name.clone()));
        };
        self.plan_under(vm, policy)
    }

    /// What retention would do under this policy, whatever is set. Changes nothing.
    ///
    /// # Errors
    /// When it keeps nothing.
    pub fn plan_under(&self, vm: &Vm, policy: Policy) -> Result<Vec<Plan>> {
        if policy.keeps_nothing() {
            return Err(Error::KeepsNothing);
        }
        let zone = TimeZone::system();
        let plans = self
            .points_by_repository(vm)?
            .values()
            .map(|points| rules::plan(points, policy, &zone))
            .collect();
        Ok(plans)
    }

    /// Begins to do what [`plan`](Self::plan) says. Returns at once.
    ///
    /// # Errors
    /// When there is no policy, and while something else is done to this VM's backups.
    pub fn start(&self, vm: &Vm) -> Result<()> {
        let work = Work::thinning_out(&vm.context_id);
        let claim = self.shared.claim(work, &vm.context_id, &vm.vm_name)?;
        let plans = self.plan(vm)?;
        self.runs()
            .insert(vm.context_id.clone(), RetentionRun::default());
        let this = self.clone();
        let vm = vm.clone();
        self.shared.tasks.spawn_blocking(move || {
            // What one repository cannot do now, its disk being away for instance, keeps no other from it.
            let errors: Vec<String> = plans
                .into_iter()
                .filter_map(|plan| {
                    let mut steps = plan.steps.into_iter();
                    let failed = steps.try_for_each(|step| this.take_step(&vm, step)).err();
                    failed.map(|error| error.to_string())
                })
                .collect();
            if !errors.is_empty() {
                tracing::warn!(vm = vm.vm_name, ?errors, "retention ended early");
            }
            // First: who sees that it is over may start what comes next.
            drop(claim);
            this.runs().insert(
                vm.context_id.clone(),
                RetentionRun {
                    is_over: true,
                    error: (!errors.is_empty()).then(|| errors.join("; ")),
                },
            );
        });
        Ok(())
    }

    /// Thins out a VM's recovery points after a backup, where that was asked for.
    pub(crate) fn after_a_backup(&self, vm_context_id: &str) {
        let begun = self
            .shared
            .store
            .with(|connection| vms::find_by_id(connection, vm_context_id))
            .map_err(Error::from)
            .and_then(|vm| match vm {
                Some(vm) if self.policy(&vm)?.is_some() => self.start(&vm),
                _ => Ok(()),
            });
        if let Err(error) = begun {
            tracing::warn!(vm_context_id, %error, "retention did not begin after a backup");
        }
    }

    /// The newest run of retention for a VM since the hub was started.
    pub fn run_of(&self, vm: &Vm) -> Option<RetentionRun> {
        self.runs().get(&vm.context_id).cloned()
    }

    /// Does one step.
    fn take_step(&self, vm: &Vm, step: Step) -> Result<()> {
        let (expired, into) = match step {
            Step::Delete(expired) => (expired, None),
            Step::Merge { expired, into } => (expired, Some(into)),
        };
        let Shared { store, mounts, .. } = &*self.shared;
        let doomed = expired.iter().map(|id| self.shared.backup(id));
        let doomed: Vec<Backup> = doomed.collect::<Result<_>>()?;
        // A pin of this moment counts, whatever the plan says.
        if let Some(pinned) = doomed.iter().find(|backup| backup.is_pinned) {
            return Err(Error::BackupPinned(pinned.backup_id.clone()));
        }
        let family: Vec<Backup> = self
            .points_by_repository(vm)?
            .into_values()
            .flatten()
            .collect();
        require_released(store, &family, &expired)?;
        mounts.close_backups(&expired)?;
        let merged = match into {
            None => None,
            Some(into) => {
                let into = self.shared.backup(&into)?;
                let repository =
                    store.with(|connection| require(connection, &into.repository_id))?;
                require_connected(&repository)?;
                let expired: Vec<&Backup> = doomed.iter().collect();
                let folder = &repository.config.path;
                let disks =
                    merge(&expired, &into, folder, &self.shared.stopping).map_err(Error::Failed)?;
                Some((into, disks))
            }
        };
        match &merged {
            None => removal::forget(store, &doomed)?,
            Some((into, disks)) => {
                let oldest = doomed.first();
                let parent = oldest.and_then(|oldest| oldest.parent_backup_id.as_deref());
                let work = |transaction: &Transaction<'_>| {
                    jobs::merged(transaction, &into.backup_id, parent, disks)?;
                    require_expendable(transaction, &doomed)?;
                    jobs::forget(transaction, &doomed).map_err(Error::from)
                };
                manifest::record(store, &into.backup_id, work, || {})?;
            }
        }
        remove_files(store)?;
        tracing::info!(vm = vm.vm_name, ?expired, "retention removed backups");
        Ok(())
    }

    /// Finished backups of a VM, newest first.
    fn points_by_repository(&self, vm: &Vm) -> Result<BTreeMap<String, Vec<Backup>>> {
        let completed = Filter {
            vm_context_id: Some(vm.context_id.clone()),
            status: Some(Status::Completed),
            ..Filter::default()
        };
        let points = self
            .shared
            .store
            .with(|connection| backups::list(connection, &completed))?;
        let mut by_repository: BTreeMap<String, Vec<Backup>> = BTreeMap::new();
        for point in points {
            let id = point.repository_id.clone();
            by_repository.entry(id).or_default().push(point);
        }
        Ok(by_repository)
    }

    fn runs(&self) -> MutexGuard<'_, BTreeMap<String, RetentionRun>> {
        // Nothing panics under this lock.
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
