//! What hubs send, in both dialects, decoded once into the types of `sendense-types`.
//!
//! Nothing outside knows that there are two dialects. Serde's derive cannot do this: both spellings
//! of one field may be there at once, and the first one that says something counts (contract 8.6).

mod backups;
mod fields;
mod full_restores;
mod repositories;
mod restore;
mod vms;

pub(super) use self::backups::{
    BackupList, backup, backups, chain, deleted, retention, retention_points, started, verification,
};
pub(super) use self::fields::Fields;
pub(super) use self::full_restores::{full_restore, full_restore_plan, full_restores};
pub(super) use self::repositories::{
    copies, created_repository, folders_of_repositories, repositories, repository_test, rescan,
};
pub(super) use self::restore::{
    file, is_partition, is_partition_path, listing, live_machine, live_machines, mount,
    mount_slots, mounts, nbd_export, partition_of,
};
pub(super) use self::vms::{
    discovered, processed, times_of_vms, vcenter_credentials, vm_disks, vms,
};
