//! What a live machine keeps: its recovery point and all that this builds on.

use crate::{
    chain::Chains,
    error::{Error, Result},
    store::{Store, backups::Backup, live as table},
};

/// Whether no live machine needs one of these backups, which are some of a `family`: all of a VM in a repository.
///
/// # Errors
/// [`Error::HeldByLiveMachine`] names the machine that does.
pub(crate) fn require_released(
    store: &Store,
    family: &[Backup],
    backup_ids: &[String],
) -> Result<()> {
    let chains = Chains::of(family);
    for machine in store.with(table::list)? {
        let point = family.iter().find(|one| one.backup_id == machine.backup_id);
        let mut needed = point.into_iter().flat_map(|point| chains.lineage(point));
        if let Some(held) = needed.find(|one| backup_ids.contains(&one.backup_id)) {
            return Err(Error::HeldByLiveMachine {
                backup_id: held.backup_id.clone(),
                id: machine.id,
                folder: machine.folder,
            });
        }
    }
    Ok(())
}
