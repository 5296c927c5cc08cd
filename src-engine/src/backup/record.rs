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
    let pending = disks.iter().zip(&images).map(|(disk, image)| {
        let image = image.clone();
        BackupDisk::new(disk.disk_index, disk.capacity_bytes, image, Status::Pending)
    });
    let backup_type = match parent {
        Some(_) => BackupType::Incremental,
        None => BackupType::Full,
    };
    let id = backup_id.clone();
    let backup = Backup {
        parent_backup_id: parent.map(|parent| parent.backup_id.clone()),
        disks: pending.collect(),
        ..Backup::new(id, vm, repository, backup_type, Status::Pending, now)
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
