//! The backup engine: makes backups of disk images on this computer, keeps them in repositories, verifies them, and
//! reads files from them again. It knows no HTTP: `sendense-hub` uses it to answer requests.
//!
//! [`Engine`] holds one part for each thing it can do: [`Vms`] (what there is to back up), [`Backups`],
//! [`Verifications`], [`Copies`], [`FullRestores`], [`Retention`], [`Repositories`], [`restore::Mounts`] (browsing and downloads) and
//! [`Users`] (who may ask). Each is in a module of its own. Under them: `store` (all that is on record), `claims`
//! (which work may run at the same time), `chain` (what builds on what), `image` (QCOW2 and cluster maps), `source`
//! (disks being read).
//!
//! Nothing unfinished is visible: images get their names when they are complete and on the disk, and only then does the
//! database get its rows.

mod backup;
mod chain;
mod claims;
mod clock;
mod code;
mod copy;
mod discovery;
mod engine;
mod error;
mod failure;
pub mod files;
mod full_restore;
mod ids;
mod image;
mod live;
mod marker;
mod nbd;
mod removal;
mod repository;
pub mod restore;
mod retention;
mod shared;
mod source;
mod store;
#[cfg(test)]
mod tests;
mod transfer;
mod unclear;
mod unrecorded;
mod users;
mod verify;
mod vms;

pub use backup::{Backups, Started};
pub use chain::{Chain, Chains, problems};
pub use clock::Clock;
pub use copy::Copies;
pub use discovery::{FoundDisk, FoundVm};
pub use engine::{Config, Engine};
pub use error::{Error, OpenError, Result};
pub use failure::{Failure, InUse, NotConnected, Uncopyable, Unmergeable};
pub use full_restore::{FullRestoreOrder, FullRestorePlan, FullRestores};
pub use live::{DefinitionKind, LiveMachines, StartedNow};
pub use repository::{
    Difference, NotAdopted, Problem, Repositories, Rescanned, Room, Unusable, try_folder,
};
pub use retention::{Fate, Plan, Policy, Retention, RetentionRun, Step};
pub use store::{
    StoreError,
    backups::{Backup, BackupDisk, BackupType, Filter, Status, Verdict, Verified},
    copies::ChainCopy,
    full_restores::{FullRestore, Outcome},
    live::LiveMachine,
    repositories::{LOCAL, LocalConfig, Repository},
    vms::{Disk, LeftOut, Vm, vmware_disk_key},
};
pub use unclear::{BadDescription, Change, NotXml, Unclear};
pub use users::{User, Users};
pub use verify::{Finding, State, Verifications};
pub use vms::{Added, NotAdded, Vms};
