//! Deleting backups, and protecting them from deletion.

use super::Backups;
use crate::{
    chain::Chains,
    claims::Work,
    error::{Error, Result},
    live::require_released,
    removal::{self, remove_files},
    repository::{manifest, require, require_connected},
    store::{
        backups::{Backup, Filter, Status},
        jobs,
    },
};

impl Backups {
    /// Deletes a backup, and those that build on it when asked to; their mounts are closed. Gives the
    /// ids of what was deleted, youngest first. Blocks.
    ///
    /// # Errors
    /// When it does not exist or is not over, when others build on it, when one of them is pinned, and
    /// while something else is done to this VM's backups or files of theirs are downloaded.
    pub fn delete(&self, backup_id: &str, with_dependents: bool) -> Result<Vec<String>> {
        let backup = self.find(backup_id)?;
        if !backup.status.is_over() {
            return Err(Error::BackupNotOver(backup.backup_id));
        }
        let work = Work::deleting(&backup.vm_context_id);
        let shared = &self.inner.shared;
        let _claim = shared.claim(work, &backup.vm_context_id, &backup.vm_name)?;
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
        require_released(&shared.store, &self.family(&doomed)?, &ids)?;
        shared.mounts.close_backups(&ids)?;
        removal::forget(&shared.store, &doomed)?;
        remove_files(&shared.store)?;
        tracing::info!(?ids, "deleted backups");
        Ok(ids)
    }

    /// All backups of the VM of these in their repository.
    fn family(&self, backups: &[Backup]) -> Result<Vec<Backup>> {
        let Some(one) = backups.first() else {
            return Ok(Vec::new());
        };
        self.list(&Filter {
            vm_context_id: Some(one.vm_context_id.clone()),
            repository_id: Some(one.repository_id.clone()),
            ..Filter::default()
        })
    }

    /// The backups that cannot be restored without this one, youngest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn dependents(&self, backup: &Backup) -> Result<Vec<Backup>> {
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
    pub fn pin(&self, backup_id: &str, is_pinned: bool) -> Result<()> {
        let backup = self.find(backup_id)?;
        if backup.status != Status::Completed {
            return Err(Error::BackupNotComplete(backup.backup_id));
        }
        let store = &self.inner.shared.store;
        let repository = store.with(|connection| require(connection, &backup.repository_id))?;
        require_connected(&repository)?;
        manifest::record(
            store,
            backup_id,
            |transaction| match jobs::set_pinned(transaction, backup_id, is_pinned)? {
                true => Ok(()),
                false => Err(Error::BackupNotFound(backup_id.to_owned())),
            },
            || {},
        )
    }
}
