//! The backup engine: makes backups of disk images of this computer, keeps them in repositories, verifies them, and
//! reads files out of them again. It knows no HTTP: `sendense-hub` answers requests with it.
//!
//! [`Engine`] holds one part for each thing that can be done: [`Vms`] (what there is to back up), [`Backups`],
//! [`Verifications`], [`Copies`], [`Retention`], [`Repositories`], and [`restore::Mounts`] (browsing and downloads).
//! Each lives in the room of its name; what lies under them: `store` (all that is on record), `claims` (who may touch
//! which backups), `chain` (what builds on what), `image` (QCOW2 and cluster maps), `source` (disks that are read).
//!
//! Nothing half-done is visible: images get their name when they are complete and on the disk, and rows in the
//! database only after that.

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
mod ids;
mod image;
mod marker;
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
pub use failure::{Failure, InUse, NotConnected, Unclear};
pub use repository::{Difference, Problem, Repositories, Rescanned, Room, try_folder};
pub use retention::{Fate, Plan, Policy, Retention, RetentionRun, Step};
pub use store::{
    StoreError,
    backups::{Backup, BackupDisk, BackupType, Filter, Status, Verdict, Verified},
    copies::ChainCopy,
    repositories::{LOCAL, LocalConfig, Repository},
    vms::{Disk, LeftOut, Vm, vmware_disk_key},
};
pub use users::{User, Users};
pub use verify::{Finding, State, Verifications};
pub use vms::{Added, Vms};
