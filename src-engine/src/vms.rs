//! VMs: found in folders on this computer, and remembered from then on.

use std::{path::Path, sync::Arc};

use rusqlite::Connection;

use crate::{
    discovery::{self, FoundVm},
    error::{Error, Result},
    shared::Shared,
    store::vms::{self, Disk, NewDisk, NewVm, Vm},
};

/// All VMs; cheap to clone.
#[derive(Clone)]
pub struct Vms {
    shared: Arc<Shared>,
}

/// What became of a VM that was to be added.
#[derive(Debug)]
pub struct Added {
    /// The name that was asked for.
    pub vm_name: String,
    /// Its id from now on, or why it was not added.
    pub outcome: Result<String, NotAdded>,
}

/// Why a VM was not added.
#[derive(Debug, thiserror::Error)]
pub enum NotAdded {
    /// No VM of that name lies there.
    #[error("it was not found in this folder")]
    NotFound,
    /// It cannot be backed up as it is; in words why.
    #[error("{0}")]
    Problem(String),
}

impl Vms {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// All VMs that are known, by name.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn list(&self) -> Result<Vec<Vm>> {
        Ok(self.shared.store.with(vms::list)?)
    }

    /// The VM of that name; failing that the one whose name differs only in case, as on deployed hubs.
    ///
    /// # Errors
    /// When there is none.
    pub fn named(&self, name: &str) -> Result<Vm> {
        self.shared
            .store
            .with(|connection| vms::find_by_name(connection, name))?
            .ok_or_else(|| Error::VmNotFound(name.to_owned()))
    }

    /// The VM with that id, else that name (contract D12).
    ///
    /// # Errors
    /// When there is none.
    pub fn find(&self, id_or_name: &str) -> Result<Vm> {
        let found = self
            .shared
            .store
            .with(|connection| vms::find_by_id(connection, id_or_name))?;
        found.map_or_else(|| self.named(id_or_name), Ok)
    }

    /// The disks of a VM, in order.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn disks(&self, vm: &Vm) -> Result<Vec<Disk>> {
        Ok(self
            .shared
            .store
            .with(|connection| vms::disks(connection, &vm.context_id))?)
    }

    /// Finds the VMs in a folder, each with its id where it is known already; `own_folder` is the hub's and never
    /// searched. Blocks.
    ///
    /// # Errors
    /// When the folder is not there, is none, or cannot be listed. Trouble below it is told VM by VM.
    pub fn discover(
        &self,
        folder: &Path,
        own_folder: &Path,
    ) -> Result<Vec<(FoundVm, Option<String>)>> {
        let found = discovery::discover(folder, own_folder)?;
        Ok(self.shared.store.with(|connection| {
            let with_id = found.into_iter().map(|found| {
                let known = vms::find_by_path(connection, &found.path_text())?;
                Ok((found, known.map(|vm| vm.context_id)))
            });
            with_id.collect::<rusqlite::Result<_>>()
        })?)
    }

    /// Adds those VMs of a folder that are named, or brings them up to date; says of each what became of it. Blocks.
    ///
    /// # Errors
    /// As [`discover`](Self::discover).
    pub fn add(
        &self,
        folder: &Path,
        own_folder: &Path,
        vm_names: Vec<String>,
    ) -> Result<Vec<Added>> {
        let found = discovery::discover(folder, own_folder)?;
        let source_folder = folder.display().to_string();
        Ok(self.shared.store.transaction(|transaction| {
            let added = vm_names.into_iter().map(|vm_name| {
                let found = found.iter().find(|found| found.name == vm_name);
                let outcome = match found {
                    None => Err(NotAdded::NotFound),
                    Some(FoundVm {
                        problem: Some(problem),
                        ..
                    }) => Err(NotAdded::Problem(problem.clone())),
                    Some(found) => Ok(self.save(transaction, found, &source_folder)?),
                };
                Ok(Added { vm_name, outcome })
            });
            added.collect::<rusqlite::Result<_>>()
        })?)
    }

    fn save(
        &self,
        connection: &Connection,
        found: &FoundVm,
        source_folder: &str,
    ) -> rusqlite::Result<String> {
        let vm_name = free_name(connection, found)?;
        let new = as_on_record(found, vm_name, source_folder);
        vms::save(connection, new, self.shared.clock.now())
    }
}

/// Backups are started by name, so a VM whose name another one has already gets its place put behind it.
fn free_name(connection: &Connection, found: &FoundVm) -> rusqlite::Result<String> {
    match vms::find_by_name(connection, &found.name)? {
        Some(other) if other.vm_path != found.path_text() => {
            Ok(format!("{} ({})", found.name, found.path_text()))
        }
        _ => Ok(found.name.clone()),
    }
}

/// A VM that was found, as it is written down.
pub(crate) fn as_on_record(found: &FoundVm, vm_name: String, source_folder: &str) -> NewVm {
    let disks = found.disks.iter().map(|disk| NewDisk {
        label: disk.label.clone(),
        path: disk.path_text(),
        capacity_bytes: disk.capacity_bytes.unwrap_or(0),
        source_format: disk.format,
        chosen_because: disk.chosen_because.to_owned(),
    });
    NewVm {
        vm_name,
        vmware_vm_id: found.id.clone(),
        vm_path: found.path_text(),
        source_folder: source_folder.to_owned(),
        cpu_count: found.num_cpu,
        memory_mb: found.memory_mb,
        os_type: found.guest_os.clone(),
        power_state: found.power_state.clone(),
        disks: disks.collect(),
        left_out: found.left_out.clone(),
    }
}
