//! What the next incremental backup of a VM builds on.

use rusqlite::Connection;

use crate::{
    chain::Chains,
    error::{Error, Result},
    store::{
        backups::{self, Backup, Filter, Status},
        repositories::Repository,
        vms::Vm,
    },
};

/// A restore opens every image of a chain, and one that is lost takes all behind it along.
pub(crate) const LONGEST_CHAIN: usize = 60;

/// What an incremental backup that was asked for becomes.
pub(crate) enum Next {
    /// It builds on the newest finished one of that repository.
    Onto(Box<Backup>),
    /// It is a full one; in words why.
    Full(String),
}

/// What the next incremental backup of a VM builds on.
///
/// # Errors
/// When there is nothing to build on.
pub(crate) fn newest_of_chain(
    connection: &Connection,
    vm: &Vm,
    repository: &Repository,
) -> Result<Next> {
    let filter = Filter {
        vm_context_id: Some(vm.context_id.clone()),
        repository_id: Some(repository.id.clone()),
        status: Some(Status::Completed),
        ..Filter::default()
    };
    let backups = backups::list(connection, &filter)?;
    let chains = Chains::of(&backups);
    let Some(newest) = chains.tip() else {
        return Err(Error::NoPreviousBackup {
            vm_name: vm.vm_name.clone(),
        });
    };
    Ok(if chains.sequence(newest) >= LONGEST_CHAIN {
        Next::Full(format!(
            "its chain has {LONGEST_CHAIN} backups, and a longer one would be slow to restore"
        ))
    } else if let Some(lost) = chains.unknown_parent(newest) {
        Next::Full(format!(
            "{} builds on {lost}, which is not on record",
            newest.backup_id
        ))
    } else if newest.is_damaged() {
        Next::Full(format!(
            "{} was found damaged, and nothing should build on it",
            newest.backup_id
        ))
    } else {
        Next::Onto(Box::new(newest.clone()))
    })
}
