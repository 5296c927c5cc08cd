//! What is done to finished backups: they are deleted, pinned, and thinned out by retention.
//!
//! One thing at a time for each VM: while its chains change, no backup of it starts, and none is verified.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use rusqlite::{Connection, OptionalExtension};

use super::{
    Jobs, manifest,
    merge::merge,
    record,
    removal::{forget, remove_files, require_expendable},
    require_connected,
    retention::{self, Plan, Policy, Step},
};
use crate::{
    backup::{self, Backup, Filter, Status},
    chain::Chains,
    error::{Error, Result},
    repository::{self, Repository},
    vm::{self, Vm},
};

/// Where the newest run of retention for a VM stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RetentionRun {
    pub(crate) is_over: bool,
    /// Why it ended early. What it had done until then is done, and everything kept can be restored.
    pub(crate) error: Option<String>,
}

/// Holds a VM's chains while they change; dropped, it lets them go.
pub(super) struct Busy {
    jobs: Jobs,
    vm_context_id: String,
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.jobs.busy().remove(&self.vm_context_id);
    }
}

impl Jobs {
    /// Deletes a backup, and those that build on it when asked to; their mounts are closed. Gives the
    /// ids of what was deleted, youngest first. Blocks.
    ///
    /// # Errors
    /// When it does not exist or is not over, when others build on it, when one of them is pinned, and
    /// while something else is done to this VM's backups or files of theirs are downloaded.
    pub(crate) fn delete(&self, backup_id: &str, with_dependents: bool) -> Result<Vec<String>> {
        let backup = self.one(backup_id)?;
        if !backup.status.is_over() {
            return Err(Error::BackupNotOver(backup.backup_id));
        }
        let _busy = self.occupy(&backup.vm_context_id, &backup.vm_name, "being deleted")?;
        let mut doomed = self.dependents(&backup)?;
        if !doomed.is_empty() && !with_dependents {
            return Err(Error::HasDependents {
                backup_id: backup.backup_id,
                dependents: doomed.into_iter().map(|backup| backup.backup_id).collect(),
            });
        }
        doomed.push(backup);
        if let Some(pinned) = doomed.iter().find(|backup| backup.is_pinned) {
            return Err(Error::BackupPinned(pinned.backup_id.clone()));
        }
        let ids: Vec<String> = doomed
            .iter()
            .map(|backup| backup.backup_id.clone())
            .collect();
        self.inner.mounts.close_backups(&ids)?;
        self.inner.db.transaction(|transaction| {
            require_expendable(transaction, &doomed)?;
            forget(transaction, &doomed).map_err(Error::from)
        })?;
        remove_files(&self.inner.db)?;
        tracing::info!(?ids, "deleted backups");
        Ok(ids)
    }

    /// The backups that cannot be restored without this one, youngest first.
    pub(crate) fn dependents(&self, backup: &Backup) -> Result<Vec<Backup>> {
        let mut family = self.list(&Filter {
            vm_context_id: Some(backup.vm_context_id.clone()),
            repository_id: Some(backup.repository_id.clone()),
            ..Filter::default()
        })?;
        // One that failed has nothing left to lose.
        family.retain(|member| member.status == Status::Completed || !member.status.is_over());
        let chains = Chains::of(&family);
        let dependents = chains.dependents(&backup.backup_id);
        Ok(dependents.into_iter().cloned().collect())
    }

    /// Keeps a recovery point from being deleted, or no longer.
    ///
    /// # Errors
    /// When there is no such backup, or it is not complete.
    pub(crate) fn pin(&self, backup_id: &str, is_pinned: bool) -> Result<()> {
        let backup = self.one(backup_id)?;
        if backup.status != Status::Completed {
            return Err(Error::BackupNotComplete(backup.backup_id));
        }
        let repository = self.repository_of(&backup)?;
        require_connected(&repository)?;
        self.inner.db.transaction(|transaction| {
            let n_pinned = transaction.execute(
                "UPDATE backup_jobs SET is_pinned = ?2 WHERE id = ?1",
                (backup_id, is_pinned),
            )?;
            if n_pinned == 0 {
                return Err(Error::BackupNotFound(backup_id.to_owned()));
            }
            manifest::record(transaction, backup_id).map_err(Error::Failed)
        })
    }

    /// How many recovery points of a VM are kept; `None` where all are.
    pub(crate) fn policy(&self, vm: &Vm) -> Result<Option<Policy>> {
        Ok(self
            .inner
            .db
            .with(|connection| policy_of(connection, &vm.context_id))?)
    }

    /// Decides how many recovery points are kept from the next run on; `None` for all.
    ///
    /// # Errors
    /// When the policy would keep none.
    pub(crate) fn set_policy(&self, vm: &Vm, policy: Option<Policy>) -> Result<()> {
        if policy.is_some_and(Policy::keeps_nothing) {
            return Err(Error::KeepsNothing);
        }
        self.inner.db.with(|connection| match policy {
            None => connection.execute(
                "DELETE FROM retention_policies WHERE vm_context_id = ?1",
                [&vm.context_id],
            ),
            Some(policy) => connection.execute(
                "INSERT OR REPLACE INTO retention_policies
                    (vm_context_id, keep_last, keep_daily, keep_weekly, keep_monthly)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
                (
                    &vm.context_id,
                    policy.keep_last,
                    policy.keep_daily,
                    policy.keep_weekly,
                    policy.keep_monthly,
                ),
            ),
        })?;
        Ok(())
    }

    /// What retention would do now, repository by repository. Changes nothing.
    pub(crate) fn retention_plan(&self, vm: &Vm) -> Result<Vec<Plan>> {
        let Some(policy) = self.policy(vm)? else {
            return Err(Error::NoRetention(vm.vm_name.clone()));
        };
        self.retention_plan_under(vm, policy)
    }

    /// What retention would do under this policy, whatever is set. Changes nothing.
    ///
    /// # Errors
    /// When it keeps nothing.
    pub(crate) fn retention_plan_under(&self, vm: &Vm, policy: Policy) -> Result<Vec<Plan>> {
        if policy.keeps_nothing() {
            return Err(Error::KeepsNothing);
        }
        let zone = TimeZone::system();
        let plans = self
            .points_by_repository(vm)?
            .values()
            .map(|points| retention::plan(points, policy, &zone))
            .collect();
        Ok(plans)
    }

    /// Begins to do what [`retention_plan`](Self::retention_plan) says. Returns at once.
    ///
    /// # Errors
    /// When there is no policy, and while something else is done to this VM's backups.
    pub(crate) fn start_retention(&self, vm: &Vm) -> Result<()> {
        let busy = self.occupy(&vm.context_id, &vm.vm_name, "being thinned out")?;
        let plans = self.retention_plan(vm)?;
        self.retention_runs()
            .insert(vm.context_id.clone(), RetentionRun::default());
        let jobs = self.clone();
        let vm = vm.clone();
        self.inner.tasks.spawn_blocking(move || {
            // What one repository cannot do now, its disk being away for instance, keeps no other from it.
            let errors: Vec<String> = plans
                .into_iter()
                .filter_map(|plan| {
                    let mut steps = plan.steps.into_iter();
                    steps.try_for_each(|step| jobs.take_step(&vm, step)).err()
                })
                .collect();
            if !errors.is_empty() {
                tracing::warn!(vm = vm.vm_name, ?errors, "retention ended early");
            }
            jobs.retention_runs().insert(
                vm.context_id.clone(),
                RetentionRun {
                    is_over: true,
                    error: (!errors.is_empty()).then(|| errors.join("; ")),
                },
            );
            drop(busy);
        });
        Ok(())
    }

    /// Thins out a VM's recovery points after a backup, where that was asked for.
    pub(super) fn retain_after(&self, vm_context_id: &str) {
        let begun = self
            .inner
            .db
            .with(|connection| vm::find_by_id(connection, vm_context_id))
            .map_err(Error::from)
            .and_then(|vm| match vm {
                Some(vm) if self.policy(&vm)?.is_some() => self.start_retention(&vm),
                _ => Ok(()),
            });
        if let Err(error) = begun {
            tracing::warn!(vm_context_id, %error, "retention did not begin after a backup");
        }
    }

    /// The newest run of retention for a VM since the hub was started.
    pub(crate) fn retention_run(&self, vm: &Vm) -> Option<RetentionRun> {
        self.retention_runs().get(&vm.context_id).cloned()
    }

    /// Marks a VM's chains as changing.
    fn occupy(&self, vm_context_id: &str, vm_name: &str, doing: &'static str) -> Result<Busy> {
        self.inner.unrecorded.try_again();
        let mut busy = self.busy();
        let running = self
            .inner
            .db
            .with(|connection| backup::running(connection, vm_context_id))?;
        if let Some(backup_id) = running {
            return Err(Error::BackupRunning {
                vm_name: vm_name.to_owned(),
                backup_id,
            });
        }
        let is_verified = self
            .checks()
            .values()
            .any(|check| check.vm_context_id() == vm_context_id && !check.state().is_over);
        let is_copied = self
            .copies()
            .values()
            .any(|copy| copy.vm_context_id() == vm_context_id && !copy.is_over());
        let hindrance = match busy.get(vm_context_id) {
            Some(doing) => Some(*doing),
            None if is_copied => Some("being copied"),
            None => is_verified.then_some("being verified"),
        };
        if let Some(doing) = hindrance {
            return Err(Error::VmBusy {
                vm_name: vm_name.to_owned(),
                doing,
            });
        }
        busy.insert(vm_context_id.to_owned(), doing);
        Ok(Busy {
            jobs: self.clone(),
            vm_context_id: vm_context_id.to_owned(),
        })
    }

    /// Does one step; in words why it could not.
    fn take_step(&self, vm: &Vm, step: Step) -> Result<(), String> {
        let (expired, into) = match step {
            Step::Delete(expired) => (expired, None),
            Step::Merge { expired, into } => (expired, Some(into)),
        };
        let in_words = |error: &dyn std::fmt::Display| error.to_string();
        let backup = |id: &String| self.one(id).map_err(|error| in_words(&error));
        let doomed: Vec<Backup> = expired.iter().map(backup).collect::<Result<_, _>>()?;
        // A pin of this moment counts, whatever the plan says.
        if let Some(pinned) = doomed.iter().find(|backup| backup.is_pinned) {
            return Err(in_words(&Error::BackupPinned(pinned.backup_id.clone())));
        }
        self.inner
            .mounts
            .close_backups(&expired)
            .map_err(|error| in_words(&error))?;
        let merged = match into {
            None => None,
            Some(into) => {
                let into = backup(&into)?;
                let repository = self
                    .repository_of(&into)
                    .and_then(|repository| require_connected(&repository).map(|()| repository))
                    .map_err(|error| in_words(&error))?
                    .config
                    .path;
                let expired: Vec<&Backup> = doomed.iter().collect();
                let disks = merge(&expired, &into, &repository, &self.inner.stopping)
                    .map_err(|error| in_words(&error))?;
                Some((into, disks))
            }
        };
        self.inner
            .db
            .transaction(|transaction| {
                if let Some((into, disks)) = &merged {
                    let parent = doomed
                        .first()
                        .and_then(|oldest| oldest.parent_backup_id.as_deref());
                    record::merged(transaction, &into.backup_id, parent, disks)?;
                    manifest::record(transaction, &into.backup_id).map_err(Error::Failed)?;
                }
                require_expendable(transaction, &doomed)?;
                forget(transaction, &doomed).map_err(Error::from)
            })
            .map_err(|error| in_words(&error))?;
        remove_files(&self.inner.db).map_err(|error| in_words(&Error::from(error)))?;
        tracing::info!(vm = vm.vm_name, ?expired, "retention removed backups");
        Ok(())
    }

    pub(super) fn one(&self, backup_id: &str) -> Result<Backup> {
        let filter = Filter {
            backup_id: Some(backup_id.to_owned()),
            ..Filter::default()
        };
        self.list(&filter)?
            .pop()
            .ok_or_else(|| Error::BackupNotFound(backup_id.to_owned()))
    }

    pub(super) fn repository_of(&self, backup: &Backup) -> Result<Repository> {
        let id = &backup.repository_id;
        self.inner
            .db
            .with(|connection| repository::find(connection, id))?
            .ok_or_else(|| Error::RepositoryNotFound(id.clone()))
    }

    /// Finished backups of a VM, newest first.
    fn points_by_repository(&self, vm: &Vm) -> Result<BTreeMap<String, Vec<Backup>>> {
        let points = self.list(&Filter {
            vm_context_id: Some(vm.context_id.clone()),
            status: Some(Status::Completed),
            ..Filter::default()
        })?;
        let mut by_repository: BTreeMap<String, Vec<Backup>> = BTreeMap::new();
        for point in points {
            let id = point.repository_id.clone();
            by_repository.entry(id).or_default().push(point);
        }
        Ok(by_repository)
    }
}

fn policy_of(connection: &Connection, vm_context_id: &str) -> rusqlite::Result<Option<Policy>> {
    connection
        .query_row(
            "SELECT keep_last, keep_daily, keep_weekly, keep_monthly FROM retention_policies
             WHERE vm_context_id = ?1",
            [vm_context_id],
            |row| {
                Ok(Policy {
                    keep_last: row.get(0)?,
                    keep_daily: row.get(1)?,
                    keep_weekly: row.get(2)?,
                    keep_monthly: row.get(3)?,
                })
            },
        )
        .optional()
}
