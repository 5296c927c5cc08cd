//! A new backup, as it is recorded before anything is done.

use std::path::PathBuf;

use jiff::Timestamp;
use rusqlite::Connection;

use crate::{
    ids,
    repository::image_path,
    store::{
        backups::{self, Backup, BackupDisk, BackupType, Status},
        jobs,
        repositories::Repository,
        vms::{Disk, Vm},
    },
};

/// A job as it is written down before anything is done.
pub(crate) struct NewJob {
    pub(crate) backup_id: String,
    pub(crate) images: Vec<PathBuf>,
    /// The images to build on, disk by disk; none for a full backup and for disks that are new.
    pub(crate) parents: Vec<Option<PathBuf>>,
}

/// Writes a new job down with the places its images will have, so that whatever becomes of the
/// hub, the next start knows which files to remove.
pub(crate) fn begin(
    connection: &Connection,
    vm: &Vm,
    disks: &[Disk],
    repository: &Repository,
    parent: Option<&Backup>,
    now: Timestamp,
) -> rusqlite::Result<NewJob> {
    let context_id = jobs::context(connection, vm, &repository.id, now)?;
    let image_of = |backup_id: &str, disk: &Disk| {
        image_path(&repository.config.path, vm, backup_id, disk.disk_index, now)
    };
    // Names of files too: a repository holds copies of backups whose ids are free again, and what is
    // not on record at all.
    let backup_id = ids::backup_id(&vm.vm_name, now, |id| {
        let is_in_the_way = disks.iter().any(|disk| image_of(id, disk).exists());
        Ok::<_, rusqlite::Error>(is_in_the_way || backups::exists(connection, id)?)
    })?;
    let images: Vec<PathBuf> = disks
        .iter()
        .map(|disk| image_of(&backup_id, disk))
        .collect();
    let pending = disks.iter().zip(&images).map(|(disk, image)| BackupDisk {
        disk_index: disk.disk_index,
        vmware_disk_key: disk.vmware_disk_key(),
        status: Status::Pending,
        capacity_bytes: disk.capacity_bytes,
        bytes_transferred: 0,
        total_bytes: 0,
        stored_bytes: 0,
        qcow2_path: Some(image.clone()),
        change_id: None,
        error_message: None,
    });
    let backup = Backup {
        backup_id: backup_id.clone(),
        vm_context_id: vm.context_id.clone(),
        vm_name: vm.vm_name.clone(),
        repository_id: repository.id.clone(),
        backup_type: match parent {
            Some(_) => BackupType::Incremental,
            None => BackupType::Full,
        },
        status: Status::Pending,
        parent_backup_id: parent.map(|parent| parent.backup_id.clone()),
        copied_from: None,
        is_pinned: false,
        verified: None,
        bytes_transferred: 0,
        total_bytes: 0,
        error_message: None,
        error_code: None,
        current_phase: Status::Pending.as_str().to_owned(),
        transfer_speed_bps: 0,
        eta_seconds: None,
        last_telemetry_at: None,
        created_at: now,
        started_at: None,
        completed_at: None,
        disks: pending.collect(),
    };
    jobs::insert(connection, &context_id, &backup)?;
    let parents = disks
        .iter()
        .map(|disk| {
            let of_parent = parent?.disks.iter();
            of_parent
                .filter(|parent| parent.disk_index == disk.disk_index)
                .find_map(|parent| parent.qcow2_path.clone())
        })
        .collect();
    Ok(NewJob {
        backup_id,
        images,
        parents,
    })
}
