//! Start now: a machine that boots from a recovery point at once, while nothing is copied.
//!
//! Each disk gets an overlay, an image that builds on the recovery point's own and takes what the machine writes. QEMU
//! opens what an image builds on for reading only, so the repository stays as it is. The row of a machine holds the
//! recovery point and all it builds on against deletion and retention, also after a restart of the hub: the overlays are
//! worth nothing without them.
//!
//! A live machine is a row. Whether QEMU runs at this moment is asked of the overlays' locks where it matters.

mod definition;
mod hold;

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use sendense_disk::{AllowedRoots, Image};

pub use self::definition::DefinitionKind;
use self::definition::{Machine, OverlayDisk, is_efi};
pub(crate) use self::hold::require_released;
use crate::{
    claims::Work,
    error::{Error, Result},
    files,
    image::ImageWriter,
    repository::{require, require_connected},
    shared::Shared,
    source::in_use::in_use,
    store::{
        backups::{Backup, Status},
        live::{self as table, LiveMachine},
        vms,
    },
};

/// All live machines; cheap to clone.
#[derive(Clone)]
pub struct LiveMachines {
    shared: Arc<Shared>,
}

/// A machine that can be booted now.
#[derive(Clone, Debug)]
pub struct StartedNow {
    /// The machine, as it is on record.
    pub machine: LiveMachine,
    /// What nobody knows of it and was assumed, a sentence each.
    pub assumed: Vec<String>,
}

impl LiveMachines {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// All of them, newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn list(&self) -> Result<Vec<LiveMachine>> {
        Ok(self.shared.store.with(table::list)?)
    }

    /// Makes overlays of all disks of a recovery point, and what boots them, in a folder that is empty or not there.
    /// Blocks.
    ///
    /// # Errors
    /// When there is no such recovery point, its repository is not connected, or the folder cannot be used.
    pub fn start(
        &self,
        backup_id: &str,
        folder: &Path,
        kind: DefinitionKind,
    ) -> Result<StartedNow> {
        let shared = &self.shared;
        let backup = shared.backup(backup_id)?;
        if backup.status != Status::Completed {
            return Err(Error::BackupNotComplete(backup.backup_id));
        }
        // Until the row holds it, this does: nothing is deleted that is being read.
        let work = Work::verifying(&backup.vm_context_id);
        let _claim = shared.claim(work, &backup.vm_context_id, &backup.vm_name)?;
        let repository = shared
            .store
            .with(|connection| require(connection, &backup.repository_id))?;
        require_connected(&repository)?;
        prepare(folder, &repository.config.path)?;
        let machine = LiveMachine {
            id: uuid::Uuid::new_v4().to_string(),
            backup_id: backup.backup_id.clone(),
            vm_name: backup.vm_name.clone(),
            folder: folder.to_path_buf(),
            definition: kind.file_name().to_owned(),
            created_at: shared.clock.now(),
        };
        shared
            .store
            .with(|connection| table::insert(connection, &machine))?;
        let made = self.make(&backup, folder, &repository.config.path, kind);
        match made {
            Ok(assumed) => {
                let id = &machine.id;
                tracing::info!(id, backup_id, folder = %folder.display(), "started a machine");
                Ok(StartedNow { machine, assumed })
            }
            Err(error) => {
                discard(&machine);
                let forget = |connection: &_| table::delete(connection, &machine.id);
                shared.store.with(forget)?;
                Err(error)
            }
        }
    }

    fn make(
        &self,
        backup: &Backup,
        folder: &Path,
        repository: &Path,
        kind: DefinitionKind,
    ) -> Result<Vec<String>> {
        let refused = |why: String| Error::LiveFolder {
            path: folder.to_path_buf(),
            why,
        };
        let allowed = AllowedRoots::new([repository.to_path_buf()]);
        let mut disks = Vec::new();
        let mut has_efi = false;
        for disk in &backup.disks {
            let path = disk
                .qcow2_path
                .as_deref()
                .ok_or_else(|| Error::BackupNotComplete(backup.backup_id.clone()))?;
            let path = path
                .canonicalize()
                .map_err(|error| refused(error.to_string()))?;
            let image = Image::open(&path, &allowed).map_err(crate::restore::Error::from)?;
            has_efi |= is_efi(&image);
            let backing = path.to_str().ok_or_else(|| {
                refused("the name of the recovery point's image is no text".to_owned())
            })?;
            let overlay = OverlayDisk {
                file: folder.join(overlay_name(disk.disk_index)),
            };
            ImageWriter::create(&overlay.file, image.size_bytes(), Some(backing))
                .and_then(ImageWriter::finish)
                .and_then(|finished| finished.publish())
                .map_err(|error| refused(error.to_string()))?;
            disks.push(overlay);
        }
        let vm = self
            .shared
            .store
            .with(|connection| vms::find_by_id(connection, &backup.vm_context_id))?;
        let machine = Machine::new(backup, vm.as_ref(), disks, has_efi);
        let path = folder.join(kind.file_name());
        write(&path, &machine.definition(kind), kind)
            .map_err(|error| refused(error.to_string()))?;
        Ok(machine.assumed())
    }

    /// Lets a recovery point go. What the machine wrote stays where it is, or goes with its definition. Blocks.
    ///
    /// # Errors
    /// When there is no such machine, and while QEMU holds one of its disks.
    pub fn stop(&self, id: &str, is_discarded: bool) -> Result<LiveMachine> {
        let store = &self.shared.store;
        let machine = store
            .with(|connection| table::find(connection, id))?
            .ok_or_else(|| Error::LiveMachineNotFound(id.to_owned()))?;
        for file in overlays(&machine.folder) {
            if in_use(&file).is_some() {
                return Err(Error::LiveMachineRuns {
                    id: id.to_owned(),
                    disk: file,
                });
            }
        }
        store.with(|connection| table::delete(connection, id))?;
        if is_discarded {
            discard(&machine);
        }
        tracing::info!(id, is_discarded, "stopped a machine");
        Ok(machine)
    }
}

/// A folder of its own, so that nothing of anybody else is ever written over or removed.
fn prepare(folder: &Path, repository: &Path) -> Result<()> {
    let refused = |why: String| Error::LiveFolder {
        path: folder.to_path_buf(),
        why,
    };
    if !folder.is_absolute() {
        return Err(refused("it must be an absolute path".to_owned()));
    }
    if folder.to_str().is_none() {
        return Err(refused("its name is no text".to_owned()));
    }
    files::create_folders(folder).map_err(|error| refused(error.to_string()))?;
    let real = folder
        .canonicalize()
        .map_err(|error| refused(error.to_string()))?;
    let repository = repository
        .canonicalize()
        .unwrap_or(repository.to_path_buf());
    if real.starts_with(&repository) {
        return Err(refused(
            "it lies in the repository, which stays as it is".to_owned(),
        ));
    }
    let mut entries = fs::read_dir(folder).map_err(|error| refused(error.to_string()))?;
    match entries.next() {
        None => Ok(()),
        Some(_) => Err(refused("it is not empty".to_owned())),
    }
}

fn overlay_name(disk_index: u32) -> String {
    format!("disk{disk_index}.qcow2")
}

/// The overlays that are in a folder.
fn overlays(folder: &Path) -> Vec<PathBuf> {
    // Disks are numbered without gaps from 0, but one may have been left out.
    const MOST_DISKS: u32 = 256;
    (0..MOST_DISKS)
        .map(|disk_index| folder.join(overlay_name(disk_index)))
        .filter(|file| file.exists())
        .collect()
}

/// Removes what [`LiveMachines::start`] made, and the folder if nothing else is in it.
fn discard(machine: &LiveMachine) {
    for file in overlays(&machine.folder) {
        files::remove(&file);
    }
    files::remove(&machine.folder.join(&machine.definition));
    if let Err(error) = fs::remove_dir(&machine.folder) {
        tracing::debug!(folder = %machine.folder.display(), %error, "a folder stays");
    }
}

fn write(path: &Path, text: &str, kind: DefinitionKind) -> io::Result<()> {
    files::replace(path, text.as_bytes())?;
    #[cfg(unix)]
    if kind == DefinitionKind::Qemu {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}
