//! Finding the recovery points of a repository again by their manifests: when the database is lost, or
//! when the repository comes from another computer.
//!
//! Images, not manifests, say what builds on what: a merge that was cut off leaves an image that builds
//! on an older one than its manifest knows.

use std::{
    cmp::Reverse,
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use rusqlite::{Connection, named_params};
use sendense_disk::{AllowedRoots, Image};

use super::{
    Jobs, file_name, files_of_backups,
    image::SECTOR_BYTES,
    manifest::{Manifest, ManifestDisk},
    reconcile::reconcile,
    record,
};
use crate::{
    backup::{self, Status},
    db::time_text,
    error::{Error, Result},
    repository::{self, Marker, Repository},
    vm::{self, Vm},
};

/// What was found in a repository.
#[derive(Debug)]
pub(crate) struct Rescanned {
    pub(crate) repository: Repository,
    /// Backups that were not on record, oldest first.
    pub(crate) adopted: Vec<String>,
    /// How many were on record already.
    pub(crate) n_known: usize,
    pub(crate) problems: Vec<Problem>,
}

/// A file that could not be used, and why.
pub(crate) type Problem = (PathBuf, String);

/// A recovery point that can be taken on record.
struct Found {
    manifest: Manifest,
    images: Vec<PathBuf>,
    /// The names of all images that its images build on, those of its parent first, each with how long the chain
    /// is that ends there. All, because the manifest of the parent may be damaged.
    backing: Vec<(usize, String)>,
}

impl Found {
    /// How many images its longest chain has below it.
    fn depth(&self) -> usize {
        self.backing
            .iter()
            .map(|(depth, _)| *depth)
            .max()
            .unwrap_or(0)
    }
}

impl Jobs {
    /// Takes the recovery points of a folder on record that are not. The folder becomes a repository of
    /// this hub where it is none yet. Blocks; changes nothing in the folder but the file that names it.
    ///
    /// # Errors
    /// When no repository lies there, or the same one is connected at another place.
    pub(crate) fn rescan(&self, folder: &Path) -> Result<Rescanned> {
        if !folder.is_absolute() {
            return Err(Error::FolderNotAbsolute(folder.to_path_buf()));
        }
        let (manifests, mut problems) = read_manifests(folder);
        let repository = self.register(folder, &manifests)?;
        let mut rescanned = Rescanned {
            repository: repository.clone(),
            adopted: Vec::new(),
            n_known: 0,
            problems: Vec::new(),
        };
        let mut owners: BTreeMap<String, String> = BTreeMap::new();
        let mut unknown = Vec::new();
        for (path, manifest) in manifests {
            for disk in &manifest.disks {
                if let Some(image) = disk.image_in(folder) {
                    owners.insert(file_name(&image), manifest.backup_id.clone());
                }
            }
            let known = self
                .inner
                .db
                .with(|connection| backup::find(connection, &manifest.backup_id))?;
            if let Some(known) = known {
                if known.repository_id == repository.id {
                    rescanned.n_known += 1;
                } else {
                    let problem = format!("another backup is called {} here", known.backup_id);
                    problems.push((path, problem));
                }
                continue;
            }
            match inspect(manifest, folder) {
                Ok(found) => unknown.push((path, found)),
                Err(problem) => problems.push((path, problem)),
            }
        }
        // What others build on comes first, whatever the clock said when it was made.
        unknown.sort_by_key(|(_, found)| found.depth());
        for (path, found) in unknown {
            if let Some(owner) = self
                .inner
                .db
                .with(|connection| backup::owner_of(connection, &found.images))?
            {
                problems.push((path, format!("its images are those of {owner}")));
                continue;
            }
            let now = self.inner.clock.now();
            self.inner
                .db
                .transaction(|transaction| adopt(transaction, &found, &repository, &owners, now))?;
            rescanned.adopted.push(found.manifest.backup_id);
        }
        tracing::info!(
            name = repository.name,
            adopted = rescanned.adopted.len(),
            "rescanned a repository"
        );
        rescanned.problems = problems;
        *self.differences_lock() = reconcile(&self.inner.db)?;
        Ok(rescanned)
    }

    /// The repository that lies in a folder, on record from now on.
    fn register(&self, folder: &Path, manifests: &[(PathBuf, Manifest)]) -> Result<Repository> {
        let marker = Marker::read(folder).map_err(|source| Error::FolderUnreadable {
            path: folder.join(repository::MARKER),
            source,
        })?;
        let (id, name) = match (marker, manifests.first()) {
            (Some(marker), _) => (marker.repository_id, marker.name),
            (None, Some((_, manifest))) => (manifest.repository_id.clone(), file_name(folder)),
            (None, None) => return Err(Error::NoRepositoryThere(folder.to_path_buf())),
        };
        let now = self.inner.clock.now();
        let found = self.inner.db.transaction(|transaction| {
            match repository::find(transaction, &id)? {
                Some(known) if known.config.path == folder => {}
                Some(known) if known.connected().is_ok() => {
                    return Err(Error::RepositoryElsewhere {
                        name: known.name,
                        path: known.config.path,
                    });
                }
                Some(known) => repository::relocate(transaction, &known, folder, now)?,
                None => {
                    let taken = repository::list(transaction)?;
                    let is_taken = |name: &String| taken.iter().any(|other| other.name == *name);
                    let free_name = (2..)
                        .map(|number| format!("{name} {number}"))
                        .find(|name| !is_taken(name));
                    let name = if is_taken(&name) {
                        free_name.unwrap_or_default()
                    } else {
                        name
                    };
                    repository::insert(transaction, &id, &name, folder, now)?;
                }
            }
            repository::find(transaction, &id)?.ok_or(Error::RepositoryNotFound(id))
        })?;
        if found.connected().is_err() {
            found.mark().map_err(|source| Error::FolderUnwritable {
                path: folder.to_path_buf(),
                source,
            })?;
        }
        Ok(found)
    }
}

/// The manifests of a folder, oldest recovery point first, and what could not be read.
fn read_manifests(folder: &Path) -> (Vec<(PathBuf, Manifest)>, Vec<Problem>) {
    let mut manifests = Vec::new();
    let mut problems = Vec::new();
    for path in files_of_backups(folder) {
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        match Manifest::read(&path) {
            Ok(manifest) => manifests.push((path, manifest)),
            Err(error) => problems.push((path, error.to_string())),
        }
    }
    manifests
        .sort_by(|(_, a), (_, b)| (a.created_at, &a.backup_id).cmp(&(b.created_at, &b.backup_id)));
    (manifests, problems)
}

/// Looks whether all disks of a recovery point are there; in words why it cannot be restored.
fn inspect(manifest: Manifest, folder: &Path) -> Result<Found, String> {
    let allowed = AllowedRoots::new([folder.to_path_buf()]);
    let mut images = Vec::new();
    let mut backing = Vec::new();
    for disk in &manifest.disks {
        let image = image_of(disk, folder)?;
        let opened = Image::open(&image, &allowed).map_err(|error| {
            format!(
                "{} cannot be restored: disk {}: {error}",
                manifest.backup_id, disk.disk_index
            )
        })?;
        if opened.size_bytes() != disk.capacity_bytes.next_multiple_of(SECTOR_BYTES) {
            return Err(format!(
                "{} cannot be restored: the image of disk {} is of another size",
                manifest.backup_id, disk.disk_index
            ));
        }
        let below = opened.files().iter().skip(1);
        let n_below = below.len();
        backing.extend(
            (0..)
                .zip(below)
                .map(|(number, file)| (n_below - number, file_name(file))),
        );
        images.push(image);
    }
    backing.sort_by_key(|(depth, _)| Reverse(*depth));
    Ok(Found {
        manifest,
        images,
        backing,
    })
}

fn image_of(disk: &ManifestDisk, folder: &Path) -> Result<PathBuf, String> {
    disk.image_in(folder)
        .ok_or_else(|| format!("it names a file outside the repository: {}", disk.image))
}

/// Writes a recovery point down, and its machine where that is not known.
fn adopt(
    connection: &Connection,
    found: &Found,
    repository: &Repository,
    owners: &BTreeMap<String, String>,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let manifest = &found.manifest;
    let vm = machine(connection, manifest, now)?;
    let context_id = record::backup_context(connection, &vm, &repository.id, now)?;
    let parents = found
        .backing
        .iter()
        .filter_map(|(_, image)| owners.get(image))
        .chain(&manifest.parent_backup_id);
    let parent = first_on_record(connection, parents, &repository.id)?;
    let read_bytes: u64 = manifest
        .disks
        .iter()
        .map(|disk| disk.bytes_transferred)
        .sum();
    let time = |time: Option<Timestamp>| time.map(time_text);
    connection.execute(
        "INSERT INTO backup_jobs (id, vm_backup_context_id, vm_context_id, vm_name, repository_id,
            backup_type, parent_backup_id, copied_from, is_pinned, status, current_phase,
            progress_percent, bytes_transferred, total_bytes, created_at, started_at, completed_at,
            last_telemetry_at)
         VALUES (:id, :context, :vm, :vm_name, :repository, :type, :parent, :copied_from, :pinned,
            'completed', 'completed', 100, :read, :read, :created, :started, :completed, :completed)",
        named_params! {
            ":id": manifest.backup_id,
            ":context": context_id,
            ":vm": vm.context_id,
            ":vm_name": vm.vm_name,
            ":repository": repository.id,
            ":type": manifest.backup_type.as_str(),
            ":parent": parent,
            ":copied_from": manifest.copied_from,
            ":pinned": manifest.is_pinned,
            ":read": read_bytes,
            ":created": time_text(manifest.created_at),
            ":started": time(manifest.started_at),
            ":completed": time(manifest.completed_at),
        },
    )?;
    for (disk, image) in manifest.disks.iter().zip(&found.images) {
        connection.execute(
            "INSERT INTO backup_disks (vm_backup_context_id, backup_job_id, disk_index,
                vmware_disk_key, unit_number, size_gb, capacity_bytes, bytes_transferred, stored_bytes,
                disk_change_id, qcow2_path, progress_percent, status, created_at, completed_at)
             VALUES (:context, :id, :index, :key, :index, :size_gb, :capacity, :read, :stored,
                :change_id, :path, 100, 'completed', :created, :completed)",
            named_params! {
                ":context": context_id,
                ":id": manifest.backup_id,
                ":index": disk.disk_index,
                ":key": vm::vmware_disk_key(disk.disk_index),
                ":size_gb": record::gibibytes_rounded_up(disk.capacity_bytes),
                ":capacity": disk.capacity_bytes,
                ":read": disk.bytes_transferred,
                ":stored": disk.stored_bytes,
                ":change_id": disk.change_id,
                ":path": image.to_string_lossy(),
                ":created": time_text(manifest.created_at),
                ":completed": time(manifest.completed_at),
            },
        )?;
    }
    Ok(())
}

/// The machine of a recovery point: the one with its id, place or name that is known, else a new one.
fn machine(connection: &Connection, manifest: &Manifest, now: Timestamp) -> rusqlite::Result<Vm> {
    let known = match vm::find_by_id(connection, &manifest.vm.context_id)? {
        None => match vm::find_by_path(connection, &manifest.vm.vm_path)? {
            None => vm::find_by_name(connection, &manifest.vm.vm_name)?,
            known => known,
        },
        known => known,
    };
    if let Some(known) = known {
        return Ok(known);
    }
    let vm = &manifest.vm;
    connection.execute(
        "INSERT INTO vm_replication_contexts (context_id, vm_name, vmware_vm_id, vm_path,
            source_folder, cpu_count, memory_mb, os_type, created_at, updated_at)
         VALUES (:id, :name, :path, :path, :source, :cpus, :memory, :os, :now, :now)",
        named_params! {
            ":id": vm.context_id,
            ":name": vm.vm_name,
            ":path": vm.vm_path,
            ":source": vm.source_folder.to_string_lossy(),
            ":cpus": vm.cpu_count,
            ":memory": vm.memory_mb,
            ":os": vm.os_type,
            ":now": time_text(now),
        },
    )?;
    let disks = vm.disks.iter().map(|disk| vm::NewDisk {
        label: disk.label.clone(),
        path: disk.path.to_string_lossy().into_owned(),
        capacity_bytes: disk.capacity_bytes,
        // Its description says it again when a backup starts.
        source_format: None,
        chosen_because: "the repository says so".to_owned(),
    });
    vm::replace_disks(
        connection,
        &vm.context_id,
        &vm.source_folder.to_string_lossy(),
        disks,
    )?;
    vm::find_by_id(connection, &vm.context_id)?.ok_or(rusqlite::Error::QueryReturnedNoRows)
}

/// The first of these that is a recovery point of the repository.
fn first_on_record<'i>(
    connection: &Connection,
    ids: impl Iterator<Item = &'i String>,
    repository_id: &str,
) -> rusqlite::Result<Option<String>> {
    for id in ids {
        let is_on_record = backup::find(connection, id)?.is_some_and(|backup| {
            backup.repository_id == repository_id && backup.status == Status::Completed
        });
        if is_on_record {
            return Ok(Some(id.clone()));
        }
    }
    Ok(None)
}
