//! Who may work on which VM's backups: one table, behind one lock, says what may run at the same time and what may not.
//!
//! A claim is taken before anything is done and dropped before anybody can see that the work is over, so whoever sees
//! it end can start the next. No other lock is taken while holding this one.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// A kind of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A new recovery point is made.
    BackUp,
    /// A recovery point is read through.
    Verify,
    /// A chain is copied to a repository.
    Copy,
    /// Recovery points are deleted.
    Delete,
    /// Retention deletes and merges recovery points.
    ThinOut,
    /// A repository is taken off the record.
    GiveUp,
    /// Disks of a recovery point are written somewhere else.
    Restore,
}

/// A piece of work: what is done, to whose backups, and in which repository where that matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Work {
    kind: Kind,
    vm_context_id: Option<String>,
    /// Where something new comes to lie, or nothing may.
    repository_id: Option<String>,
}

/// What two kinds of work must not have in common to go on at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Apart {
    /// They never disturb each other.
    No,
    /// The VM.
    ByVm,
    /// The repository.
    ByRepository,
    /// Both of them.
    ByVmAndRepository,
}

/// The table.
fn apart(one: Kind, other: Kind) -> Apart {
    use Kind::{BackUp, Copy, Delete, GiveUp, Restore, ThinOut, Verify};
    match (one, other) {
        // The second would build on what is not there yet.
        (BackUp, BackUp) => Apart::ByVm,
        // Reading disturbs nobody.
        (Verify | Restore, BackUp | Verify | Copy | Restore)
        | (BackUp | Copy, Verify | Restore) => Apart::No,
        (BackUp, Copy) | (Copy, BackUp) => Apart::No,
        // Two chains of one VM may have points in common, and two copies of one file destroy each other.
        (Copy, Copy) => Apart::ByVmAndRepository,
        // Nobody reads, copies or builds on what is about to go.
        (Delete | ThinOut, BackUp | Verify | Copy | Restore | Delete | ThinOut)
        | (BackUp | Verify | Copy | Restore, Delete | ThinOut) => Apart::ByVm,
        // Nothing new may come to lie where nobody would find it.
        (GiveUp, BackUp | Copy | GiveUp) | (BackUp | Copy, GiveUp) => Apart::ByRepository,
        (GiveUp, Verify | Restore | Delete | ThinOut)
        | (Verify | Restore | Delete | ThinOut, GiveUp) => Apart::No,
    }
}

impl Kind {
    /// To be read after "backups of it are".
    pub(crate) fn doing(self) -> &'static str {
        match self {
            Self::BackUp => "being backed up",
            Self::Verify => "being verified",
            Self::Copy => "being copied",
            Self::Delete => "being deleted",
            Self::ThinOut => "being thinned out",
            Self::GiveUp => "being given up",
            Self::Restore => "being restored",
        }
    }
}

impl Work {
    /// A backup of a VM into a repository.
    pub(crate) fn backing_up(vm_context_id: &str, repository_id: &str) -> Self {
        Self::new(Kind::BackUp, Some(vm_context_id), Some(repository_id))
    }

    /// Verifying a backup of a VM.
    pub(crate) fn verifying(vm_context_id: &str) -> Self {
        Self::new(Kind::Verify, Some(vm_context_id), None)
    }

    /// Copying a chain of a VM to a repository.
    pub(crate) fn copying(vm_context_id: &str, repository_id: &str) -> Self {
        Self::new(Kind::Copy, Some(vm_context_id), Some(repository_id))
    }

    /// Deleting backups of a VM.
    pub(crate) fn deleting(vm_context_id: &str) -> Self {
        Self::new(Kind::Delete, Some(vm_context_id), None)
    }

    /// Retention of a VM's backups.
    pub(crate) fn thinning_out(vm_context_id: &str) -> Self {
        Self::new(Kind::ThinOut, Some(vm_context_id), None)
    }

    /// Giving up a repository.
    pub(crate) fn giving_up(repository_id: &str) -> Self {
        Self::new(Kind::GiveUp, None, Some(repository_id))
    }

    /// Writing disks of a recovery point of a VM somewhere else.
    pub(crate) fn restoring(vm_context_id: &str) -> Self {
        Self::new(Kind::Restore, Some(vm_context_id), None)
    }

    fn new(kind: Kind, vm_context_id: Option<&str>, repository_id: Option<&str>) -> Self {
        Self {
            kind,
            vm_context_id: vm_context_id.map(str::to_owned),
            repository_id: repository_id.map(str::to_owned),
        }
    }

    /// What is done.
    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    fn goes_with(&self, other: &Self) -> bool {
        let is_same_vm = self.vm_context_id.is_some() && self.vm_context_id == other.vm_context_id;
        let is_same_repository =
            self.repository_id.is_some() && self.repository_id == other.repository_id;
        !match apart(self.kind, other.kind) {
            Apart::No => false,
            Apart::ByVm => is_same_vm,
            Apart::ByRepository => is_same_repository,
            Apart::ByVmAndRepository => is_same_vm && is_same_repository,
        }
    }
}

/// All that is being done; cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Claims(Arc<Mutex<Held>>);

#[derive(Default)]
struct Held {
    n_taken: u64,
    works: BTreeMap<u64, Work>,
}

/// The right to do a piece of work, until it is dropped.
#[must_use]
pub(crate) struct Claim {
    claims: Claims,
    number: u64,
}

impl Claims {
    /// Takes the right to do something.
    ///
    /// # Errors
    /// What is being done already and does not go with it.
    pub(crate) fn claim(&self, work: Work) -> Result<Claim, Kind> {
        let mut held = self.held();
        if let Some(other) = held.works.values().find(|other| !work.goes_with(other)) {
            return Err(other.kind);
        }
        held.n_taken += 1;
        let number = held.n_taken;
        held.works.insert(number, work);
        Ok(Claim {
            claims: self.clone(),
            number,
        })
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // Nothing panics under this lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.claims.held().works.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All kinds of work on a VM and a repository.
    fn works(vm: &str, repository: &str) -> [Work; 7] {
        [
            Work::backing_up(vm, repository),
            Work::verifying(vm),
            Work::copying(vm, repository),
            Work::deleting(vm),
            Work::thinning_out(vm),
            Work::giving_up(repository),
            Work::restoring(vm),
        ]
    }

    /// Whether each kind can begin while each other one goes on: rows and columns as in [`works`].
    fn matrix(vm: &str, repository: &str) -> Vec<String> {
        let begins = |held: &Work, wanted: Work| {
            let claims = Claims::default();
            let _held = claims.claim(held.clone()).unwrap();
            claims.claim(wanted).is_ok()
        };
        let row = |held: &Work| {
            let cells = works(vm, repository).map(|wanted| match begins(held, wanted) {
                true => "yes",
                false => "no",
            });
            cells.join(" ")
        };
        works("vm", "repository").iter().map(row).collect()
    }

    #[test]
    fn what_goes_on_at_the_same_time_for_one_vm_in_one_repository() {
        let expected = [
            // backup verify copy delete thin, give up, restore
            "no yes yes no no no yes",
            "yes yes yes no no yes yes",
            "yes yes no no no no yes",
            "no no no no no yes no",
            "no no no no no yes no",
            "no yes no yes yes no yes",
            "yes yes yes no no yes yes",
        ];
        assert_eq!(matrix("vm", "repository"), expected);
    }

    #[test]
    fn what_goes_on_at_the_same_time_for_one_vm_in_two_repositories() {
        let expected = [
            "no yes yes no no yes yes",
            "yes yes yes no no yes yes",
            "yes yes yes no no yes yes",
            "no no no no no yes no",
            "no no no no no yes no",
            "yes yes yes yes yes yes yes",
            "yes yes yes no no yes yes",
        ];
        assert_eq!(matrix("vm", "another"), expected);
    }

    #[test]
    fn two_vms_share_nothing_but_a_repository_that_is_given_up() {
        let expected = [
            "yes yes yes yes yes no yes",
            "yes yes yes yes yes yes yes",
            "yes yes yes yes yes no yes",
            "yes yes yes yes yes yes yes",
            "yes yes yes yes yes yes yes",
            "no yes no yes yes no yes",
            "yes yes yes yes yes yes yes",
        ];
        assert_eq!(matrix("another", "repository"), expected);
    }

    #[test]
    fn the_end_of_one_piece_of_work_lets_the_next_begin() {
        let claims = Claims::default();
        let first = claims.claim(Work::deleting("vm")).unwrap();
        let refused = claims.claim(Work::verifying("vm")).err();
        assert_eq!(refused, Some(Kind::Delete));
        drop(first);
        assert!(claims.claim(Work::verifying("vm")).is_ok());
    }
}
