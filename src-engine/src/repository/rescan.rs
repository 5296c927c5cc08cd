//! Finding a repository's recovery points again from their manifests: when the database is lost, or when the repository
//! comes from another computer.
//!
//! Images, not manifests, say what builds on what: an interrupted merge leaves an image that builds on an older one
//! than its manifest knows.

use std::{
    cmp::Reverse,
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use rusqlite::Connection;
use sendense_disk::{AllowedRoots, Image};

use super::{
    Repositories,
    layout::{file_name, files_of_backups},
    manifest::{Manifest, ManifestDisk, Unusable},
    reconcile::reconcile,
};
use crate::{
    error::{Error, Result},
    files::MARKER,
    image::SECTOR_BYTES,
    marker::Marker,
    store::{
        backups::{self, Backup, BackupDisk, Status},
        jobs,
        repositories::{self, Repository},
        vms::{self, NewDisk, NewVm, Vm},
    },
};

/// What was found in a repository.
#[derive(Debug)]
pub struct Rescanned {
    /// The one that lies there.
    pub repository: Repository,
    /// Backups that were not on record, oldest first.
    pub adopted: Vec<String>,
    /// How many were on record already.
    pub n_known: usize,
    /// What could not be used.
    pub problems: Vec<Problem>,
}

/// A file that could not be used, and why.
pub type Problem = (PathBuf, NotAdopted);

/// Why a recovery point was not taken on record.
#[derive(Debug, thiserror::Error)]
pub enum NotAdopted {
    /// Its manifest says nothing.
    #[error(transparent)]
    Manifest(#[from] Unusable),
    /// Ids are of one backup, in whichever repository.
    #[error("another backup is called {backup_id} here")]
    IdTaken {
        /// Its id.
        backup_id: String,
    },
    /// Nothing outside is opened.
    #[error("it names a file outside the repository: {image}")]
    Outside {
        /// As the manifest has it.
        image: String,
    },
    /// A disk is lost.
    #[error("{backup_id} cannot be restored: disk {disk_index}: {source}")]
    ImageUnreadable {
        /// The backup.
        backup_id: String,
        /// The disk.
        disk_index: u32,
        /// Why its image cannot be opened.
        source: sendense_disk::Error,
    },
    /// The image is not what was written.
    #[error("{backup_id} cannot be restored: the image of disk {disk_index} is of another size")]
    OtherSize {
        /// The backup.
        backup_id: String,
        /// The disk.
        disk_index: u32,
    },
    /// Two backups cannot share their own files.
    #[error("its images are those of {owner}")]
    ImagesTaken {
        /// The backup that has them.
        owner: String,
    },
}

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

impl Repositories {
    /// Takes the recovery points of a folder on record that are not. The folder becomes a repository of
    /// this hub where it is none yet. Blocks; changes nothing in the folder but the file that names it.
    ///
    /// # Errors
    /// When no repository lies there, or the same one is connected at another place.
    pub fn rescan(&self, folder: &Path) -> Result<Rescanned> {
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
                .shared
                .store
                .with(|connection| backups::find(connection, &manifest.backup_id))?;
            if let Some(known) = known {
                if known.repository_id == repository.id {
                    rescanned.n_known += 1;
                } else {
                    let backup_id = known.backup_id;
                    problems.push((path, NotAdopted::IdTaken { backup_id }));
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
                .shared
                .store
                .with(|connection| backups::owner_of(connection, &found.images))?
            {
                problems.push((path, NotAdopted::ImagesTaken { owner }));
                continue;
            }
            let now = self.shared.clock.now();
            self.shared
                .store
                .transaction(|transaction| adopt(transaction, &found, &repository, &owners, now))?;
            rescanned.adopted.push(found.manifest.backup_id);
        }
        tracing::info!(
            name = repository.name,
            adopted = rescanned.adopted.len(),
            "rescanned a repository"
        );
        rescanned.problems = problems;
        *self.differences_lock() = reconcile(&self.shared.store)?;
        Ok(rescanned)
    }

    /// The repository that lies in a folder, on record from now on.
    fn register(&self, folder: &Path, manifests: &[(PathBuf, Manifest)]) -> Result<Repository> {
        let marker = Marker::read(folder).map_err(|source| Error::FolderUnreadable {
            path: folder.join(MARKER),
            source,
        })?;
        let (id, name) = match (marker, manifests.first()) {
            (Some(marker), _) => (marker.repository_id, marker.name),
            (None, Some((_, manifest))) => (manifest.repository_id.clone(), file_name(folder)),
            (None, None) => return Err(Error::NoRepositoryThere(folder.to_path_buf())),
        };
        let now = self.shared.clock.now();
        let found = self.shared.store.transaction(|transaction| {
            match repositories::find(transaction, &id)? {
                Some(known) if known.config.path == folder => {}
                Some(known) if known.connected().is_ok() => {
                    return Err(Error::RepositoryElsewhere {
                        name: known.name,
                        path: known.config.path,
                    });
                }
                Some(known) => repositories::relocate(transaction, &known, folder, now)?,
                None => {
                    let taken = repositories::list(transaction)?;
                    let is_taken = |name: &String| taken.iter().any(|other| other.name == *name);
                    let free_name = (2..)
                        .map(|number| format!("{name} {number}"))
                        .find(|name| !is_taken(name));
                    let name = if is_taken(&name) {
                        free_name.unwrap_or_default()
                    } else {
                        name
                    };
                    repositories::insert(transaction, &id, &name, folder, now)?;
                }
            }
            repositories::find(transaction, &id)?.ok_or(Error::RepositoryNotFound(id))
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
            Err(error) => problems.push((path, error.into())),
        }
    }
    manifests
        .sort_by(|(_, a), (_, b)| (a.created_at, &a.backup_id).cmp(&(b.created_at, &b.backup_id)));
    (manifests, problems)
}

/// Looks whether all disks of a recovery point are there.
fn inspect(manifest: Manifest, folder: &Path) -> Result<Found, NotAdopted> {
    let allowed = AllowedRoots::new([folder.to_path_buf()]);
    let mut images = Vec::new();
    let mut backing = Vec::new();
    for disk in &manifest.disks {
        let image = image_of(disk, folder)?;
        let opened =
            Image::open(&image, &allowed).map_err(|source| NotAdopted::ImageUnreadable {
                backup_id: manifest.backup_id.clone(),
                disk_index: disk.disk_index,
                source,
            })?;
        if opened.size_bytes() != disk.capacity_bytes.next_multiple_of(SECTOR_BYTES) {
            return Err(NotAdopted::OtherSize {
                backup_id: manifest.backup_id,
                disk_index: disk.disk_index,
            });
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

fn image_of(disk: &ManifestDisk, folder: &Path) -> Result<PathBuf, NotAdopted> {
    disk.image_in(folder).ok_or_else(|| NotAdopted::Outside {
        image: disk.image.clone(),
    })
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
    let context_id = jobs::context(connection, &vm, &repository.id, now)?;
    let parents = found
        .backing
        .iter()
        .filter_map(|(_, image)| owners.get(image))
        .chain(&manifest.parent_backup_id);
    let parent_backup_id = first_on_record(connection, parents, &repository.id)?;
    let disks = manifest.disks.iter().zip(&found.images);
    let disks: Vec<BackupDisk> = disks
        .map(|(disk, image)| BackupDisk {
            bytes_transferred: disk.bytes_transferred,
            total_bytes: disk.bytes_transferred,
            stored_bytes: disk.stored_bytes,
            change_id: disk.change_id.clone(),
            ..BackupDisk::new(
                disk.disk_index,
                disk.capacity_bytes,
                image.clone(),
                Status::Completed,
            )
        })
        .collect();
    let read_bytes = disks.iter().map(|disk| disk.bytes_transferred).sum();
    let backup = Backup {
        parent_backup_id,
        copied_from: manifest.copied_from.clone(),
        is_pinned: manifest.is_pinned,
        bytes_transferred: read_bytes,
        total_bytes: read_bytes,
        last_telemetry_at: manifest.completed_at,
        started_at: manifest.started_at,
        completed_at: manifest.completed_at,
        disks,
        ..Backup::new(
            manifest.backup_id.clone(),
            &vm,
            repository,
            manifest.backup_type,
            Status::Completed,
            manifest.created_at,
        )
    };
    jobs::insert(connection, &context_id, &backup)
}

/// The machine of a recovery point: the one with its id, place or name that is known, else a new one.
fn machine(connection: &Connection, manifest: &Manifest, now: Timestamp) -> rusqlite::Result<Vm> {
    let known = match vms::find_by_id(connection, &manifest.vm.context_id)? {
        None => match vms::find_by_path(connection, &manifest.vm.vm_path)? {
            None => vms::find_by_name(connection, &manifest.vm.vm_name)?,
            known => known,
        },
        known => known,
    };
    if let Some(known) = known {
        return Ok(known);
    }
    let vm = &manifest.vm;
    let disks = vm.disks.iter().map(|disk| NewDisk {
        label: disk.label.clone(),
        path: disk.path.to_string_lossy().into_owned(),
        capacity_bytes: disk.capacity_bytes,
        // Its description says it again when a backup starts.
        source_format: None,
        chosen_because: "the repository says so".to_owned(),
    });
    let new = NewVm {
        vm_name: vm.vm_name.clone(),
        vmware_vm_id: vm.vm_path.clone(),
        vm_path: vm.vm_path.clone(),
        source_folder: vm.source_folder.to_string_lossy().into_owned(),
        cpu_count: vm.cpu_count,
        memory_mb: vm.memory_mb,
        os_type: vm.os_type.clone(),
        power_state: None,
        disks: disks.collect(),
        left_out: Vec::new(),
    };
    vms::save_as(connection, &vm.context_id, new, now)?;
    vms::find_by_id(connection, &vm.context_id)?.ok_or(rusqlite::Error::QueryReturnedNoRows)
}

/// The first of these that is a recovery point of the repository.
fn first_on_record<'i>(
    connection: &Connection,
    ids: impl Iterator<Item = &'i String>,
    repository_id: &str,
) -> rusqlite::Result<Option<String>> {
    for id in ids {
        let is_on_record = backups::find(connection, id)?.is_some_and(|backup| {
            backup.repository_id == repository_id && backup.status == Status::Completed
        });
        if is_on_record {
            return Ok(Some(id.clone()));
        }
    }
    Ok(None)
}
