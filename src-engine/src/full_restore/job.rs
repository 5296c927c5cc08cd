//! A full restore at work.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    time::Instant,
};

use jiff::Timestamp;
use sendense_types::{FullRestoreStatus, ImageFormat, MachineDefinition};

use super::{
    Disk, Order, Run,
    definition::{Firmware, Machine},
    firmware::firmware_of,
    journal::part_path,
    layout::Identity,
};
use crate::{
    error::Result,
    failure::Failure,
    files::{self, remove},
    restore,
    shared::Shared,
    store::{
        backups::{Backup, BackupDisk},
        full_restores::{FullRestore, Outcome},
        vms,
    },
};

/// What a full restore is to make.
pub(super) struct Wanted {
    pub(super) backup: Backup,
    /// The folder of its repository.
    pub(super) repository: PathBuf,
    /// The disks, and the files that they become.
    pub(super) disks: Vec<(BackupDisk, PathBuf)>,
    pub(super) folder: PathBuf,
    pub(super) format: ImageFormat,
    pub(super) definition: MachineDefinition,
    pub(super) definition_file: Option<PathBuf>,
}

impl Wanted {
    /// The files that it makes.
    pub(super) fn targets(&self) -> Vec<PathBuf> {
        let disks = self.disks.iter().map(|(_, target)| target);
        disks.chain(&self.definition_file).cloned().collect()
    }

    /// Its row, before it has begun.
    pub(super) fn row(&self, id: &str, now: Timestamp) -> FullRestore {
        FullRestore {
            id: id.to_owned(),
            backup_id: self.backup.backup_id.clone(),
            vm_name: self.backup.vm_name.clone(),
            disk_indexes: self.disks.iter().map(|(disk, _)| disk.disk_index).collect(),
            folder: self.folder.clone(),
            format: self.format,
            definition: self.definition,
            status: FullRestoreStatus::Pending,
            outcome: Outcome::default(),
            bytes_per_second: None,
            error_message: None,
            error_code: None,
            created_at: now,
            completed_at: None,
        }
    }

    /// What its images will be. Blocks: the cluster maps are read.
    pub(super) fn plan_disks(&self) -> Result<Vec<Disk>> {
        let planned = self.disks.iter().map(|(disk, target)| {
            let disk_index = disk.disk_index;
            let Some(image) = &disk.qcow2_path else {
                return Err(restore::Error::DiskNotFound {
                    backup_id: self.backup.backup_id.clone(),
                    disk_index,
                    because: None,
                }
                .into());
            };
            if !image.exists() {
                return Err(restore::Error::ImageGone {
                    path: image.clone(),
                }
                .into());
            }
            let order = Order {
                disk_index,
                image,
                repository: &self.repository,
                target,
                format: self.format,
            };
            Ok(Disk::plan(&order)?)
        });
        planned.collect()
    }
}

/// One that runs.
pub(super) struct Job<'j> {
    shared: &'j Shared,
    run: &'j Run,
    wanted: &'j Wanted,
}

impl<'j> Job<'j> {
    pub(super) fn new(shared: &'j Shared, run: &'j Run, wanted: &'j Wanted) -> Self {
        Self {
            shared,
            run,
            wanted,
        }
    }

    /// Does all of it. Blocks.
    pub(super) fn run(&self) -> Result<(), Failure> {
        self.run.enter(FullRestoreStatus::Checking);
        let mut disks = self.wanted.plan_disks().map_err(|error| match error {
            crate::Error::Failed(failure) => failure,
            other => Failure::NotRestorable {
                why: other.to_string(),
            },
        })?;
        let outcome = self.write(&mut disks);
        match &outcome {
            Ok(()) => disks.iter().for_each(Disk::forget),
            // The next restore has use for it only where the backup is sound and nobody wanted it gone.
            Err(Failure::BackupDamaged { .. } | Failure::BackupUnreadable { .. }) => {
                disks.iter().for_each(Disk::give_up);
            }
            Err(Failure::Stopped) if !self.shared.stopping.is_cancelled() => {
                disks.iter().for_each(Disk::give_up);
            }
            Err(_) => {}
        }
        let synced = self.sync_folder();
        outcome.and(synced)
    }

    fn write(&self, disks: &mut [Disk]) -> Result<(), Failure> {
        let cancel = &self.run.cancel;
        let total_bytes = disks.iter().map(|disk| disk.layout.content_bytes()).sum();
        self.run
            .update(|state| state.outcome.total_bytes = total_bytes);
        let mut there = Vec::new();
        let mut checked_bytes = 0;
        for disk in disks.iter_mut() {
            let kept = disk.check(cancel, &mut |bytes| {
                checked_bytes += bytes;
                self.done(checked_bytes);
            })?;
            there.push(kept);
        }
        let resumed_bytes = there.iter().sum();
        self.run.update(|state| {
            state.outcome.resumed_bytes = resumed_bytes;
            state.outcome.done_bytes = resumed_bytes;
            state.outcome.remarks = disks.iter().flat_map(|disk| disk.remarks.clone()).collect();
            state.began = Some((Instant::now(), resumed_bytes));
        });
        self.require_room(disks, resumed_bytes)?;
        self.run.enter(FullRestoreStatus::Restoring);
        for number in 0..disks.len() {
            let disk = &mut disks[number];
            let others = there.iter().sum::<u64>() - there[number];
            disk.write(cancel, &mut |bytes| self.done(others + bytes))?;
            there[number] = disk.layout.content_bytes();
        }
        if cancel.is_cancelled() {
            return Err(Failure::Stopped);
        }
        self.run.enter(FullRestoreStatus::Finishing);
        for disk in disks.iter_mut() {
            disk.name()?;
            self.named(&disk.target);
        }
        if let Some(file) = &self.wanted.definition_file {
            let text = self.definition(disks)?;
            write_definition(file, &text)?;
            self.named(file);
        }
        // Names are on the disk before the journals, which vouch for them, go.
        self.sync_folder()
    }

    fn done(&self, bytes: u64) {
        self.run.update(|state| state.outcome.done_bytes = bytes);
    }

    fn named(&self, file: &Path) {
        let file = file.display().to_string();
        self.run.update(|state| state.outcome.files.push(file));
    }

    fn sync_folder(&self) -> Result<(), Failure> {
        files::sync_folder(&self.wanted.folder).map_err(Failure::target(&self.wanted.folder))
    }

    /// How much a compressed image takes shows only when it is written.
    fn require_room(&self, disks: &[Disk], there_bytes: u64) -> Result<(), Failure> {
        let placed = disks.iter().filter(|disk| disk.layout.has_places());
        let needed_bytes: u64 = placed.map(|disk| disk.layout.needed_bytes()).sum();
        let needed_bytes = needed_bytes.saturating_sub(there_bytes);
        let folder = &self.wanted.folder;
        let available_bytes = fs4::available_space(folder).map_err(Failure::target(folder))?;
        if needed_bytes > available_bytes {
            return Err(Failure::TargetNoRoom {
                folder: folder.clone(),
                needed_bytes,
                available_bytes,
            });
        }
        Ok(())
    }

    fn definition(&self, disks: &[Disk]) -> Result<String, Failure> {
        let backup = &self.wanted.backup;
        let vm = self
            .shared
            .store
            .with(|connection| vms::find_by_id(connection, &backup.vm_context_id))?;
        let first = disks.first();
        let identities: Vec<&Identity> = disks.iter().map(|disk| &disk.layout.identity).collect();
        let machine = Machine {
            name: &backup.vm_name,
            id: first.map_or_else(uuid::Uuid::nil, |disk| disk.layout.identity.id("machine")),
            cpu_count: vm.as_ref().and_then(|vm| vm.cpu_count),
            memory_mb: vm.as_ref().and_then(|vm| vm.memory_mb),
            os_type: vm.as_ref().and_then(|vm| vm.os_type.as_deref()),
            firmware: first.map_or(Firmware::Bios, |disk| firmware_of(disk.source())),
            format: self.wanted.format,
            disks: identities,
            folder: &self.wanted.folder.to_string_lossy(),
        };
        Ok(machine.described(self.wanted.definition))
    }
}

/// Writes the definition, where none is but the same one.
fn write_definition(file: &Path, text: &str) -> Result<(), Failure> {
    let part = part_path(file);
    let written = File::create(&part)
        .and_then(|mut part| {
            part.write_all(text.as_bytes())?;
            part.sync_all()
        })
        .and_then(|()| files::rename_new(&part, file));
    match written {
        Ok(()) => Ok(()),
        Err(error) => {
            remove(&part);
            match error.kind() {
                io::ErrorKind::AlreadyExists if is_same(file, text) => Ok(()),
                io::ErrorKind::AlreadyExists => Err(Failure::TargetThere {
                    path: file.to_path_buf(),
                }),
                _ => Err(Failure::target(file)(error)),
            }
        }
    }
}

fn is_same(file: &Path, text: &str) -> bool {
    fs::read(file).is_ok_and(|there| there == text.as_bytes())
}
