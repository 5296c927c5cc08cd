//! One backup, from its first look at the sources to its row, or to nothing at all.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use sendense_disk::{AllowedRoots, Image};
use tokio_util::sync::CancellationToken;

use super::{
    progress::{Phase, Progress},
    record::NewJob,
};
use crate::{
    claims::Claim,
    discovery::active,
    failure::Failure,
    files,
    image::{
        CLUSTER_BYTES, FinishedImage, ImageWriter,
        map::{FinishedMap, MapReader, MapWriter},
    },
    repository::manifest,
    shared::Shared,
    source::Source,
    store::{
        backups::Verdict,
        jobs::{self, StoredDisk},
        vms::{self, Disk, Vm},
    },
    transfer::{Target, transfer},
    verify::Verifier,
};

/// Room that is left free: a filesystem filled to the last byte breaks more than a backup.
const ROOM_TO_LEAVE: u64 = 64 * 1024 * 1024;

/// A disk that is complete, but has no names yet.
struct FinishedDisk {
    image: FinishedImage,
    map: FinishedMap,
}

/// A backup with all it needs.
pub(crate) struct Job {
    pub(crate) shared: Arc<Shared>,
    /// Let go when the end is on record.
    pub(crate) claim: Mutex<Option<Claim>>,
    pub(crate) stopping: CancellationToken,
    pub(crate) progress: Arc<Progress>,
    pub(crate) record: NewJob,
    pub(crate) disks: Vec<Disk>,
    pub(crate) vm: Vm,
    pub(crate) repository_folder: PathBuf,
    /// Read everything back before the backup counts as done.
    pub(crate) verify: bool,
}

impl Job {
    /// Backs all disks up. Blocks as long as that takes. Who gets a failure writes it down.
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let started = Instant::now();
        let now = self.shared.clock.now();
        self.shared
            .store
            .with(|connection| jobs::begin_to_copy(connection, &self.record.backup_id, now))?;
        self.progress.enter(Phase::Preparing);
        let sources = self.open_sources()?;
        self.check_room(&sources)?;

        self.progress.enter(Phase::Transferring);
        let mut finished = Vec::with_capacity(sources.len());
        for (index, (source, image)) in sources.iter().zip(&self.record.images).enumerate() {
            finished.push(self.copy_disk(index, source, image)?);
        }
        // After the last disk and for all of them: a backup is of one moment or it is none.
        for source in &sources {
            source.check_unchanged()?;
        }
        let transfer_seconds = started.elapsed().as_secs_f64();

        let change_ids: Vec<String> = finished
            .iter()
            .map(|disk| disk.map.change_id.clone())
            .collect();
        self.publish(finished)?;
        if self.verify {
            self.progress.enter(Phase::Verifying);
            self.read_back()?;
        }
        self.progress.enter(Phase::Committing);
        let disks: Vec<_> = sources
            .iter()
            .zip(change_ids)
            .enumerate()
            .map(|(index, (source, change_id))| {
                let (read_bytes, stored_bytes) = self.progress.disk_bytes(index);
                StoredDisk {
                    capacity_bytes: source.size_bytes(),
                    read_bytes,
                    stored_bytes,
                    change_id,
                }
            })
            .collect();
        let speed = self.progress.read_bytes() as f64 / transfer_seconds.max(0.001);
        let now = self.shared.clock.now();
        let backup_id = &self.record.backup_id;
        manifest::record(
            &self.shared.store,
            backup_id,
            |transaction| {
                jobs::complete(transaction, backup_id, &disks, speed as u64, now)?;
                if self.verify {
                    jobs::set_verified(transaction, backup_id, Verdict::Sound, now)?;
                }
                Ok(())
            },
            || self.let_go(),
        )
    }

    /// Lets others work on the VM's backups.
    pub(crate) fn let_go(&self) {
        let claim = self
            .claim
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        drop(claim);
    }

    fn open_sources(&self) -> Result<Vec<Source>, Failure> {
        let images = self.shared.store.with(vms::images)?;
        let disks = active::disks(&self.vm, &self.disks, &images)?;
        let sources = Source::open_all(&disks, &self.vm.source_folder)?;
        for (disk, known) in disks.iter().zip(&self.disks) {
            if disk.path != known.path {
                tracing::info!(
                    vm = self.vm.vm_name,
                    "disk {} is {} now: {}",
                    disk.disk_index,
                    disk.path.display(),
                    disk.chosen_because
                );
                self.shared
                    .store
                    .with(|connection| vms::follow_image(connection, &self.vm.context_id, disk))?;
            }
        }
        Ok(sources)
    }

    /// Counts what has to be read, and refuses to begin what cannot end well.
    fn check_room(&self, sources: &[Source]) -> Result<(), Failure> {
        let mut data_bytes = 0_u64;
        let mut metadata_bytes = 0_u64;
        for (index, source) in sources.iter().enumerate() {
            let mut disk_bytes = 0_u64;
            for range in source.data() {
                if self.stopping.is_cancelled() {
                    return Err(Failure::Stopped);
                }
                let range = range?;
                disk_bytes += range.end.min(source.size_bytes()) - range.start;
            }
            self.progress.expect(index, disk_bytes);
            data_bytes += disk_bytes;
            // Eight bytes for each cluster of the disk, two for each of the image, and headers.
            metadata_bytes += source.size_bytes().div_ceil(CLUSTER_BYTES) * 10 + 16 * CLUSTER_BYTES;
        }
        // How much of it changed is only known at the end.
        let is_incremental = self.record.parents.iter().any(Option::is_some);
        let data_bytes = if is_incremental { 0 } else { data_bytes };
        let needed_bytes = data_bytes + metadata_bytes + ROOM_TO_LEAVE;
        let available_bytes = fs4::available_space(&self.repository_folder)
            .map_err(Failure::repository(&self.repository_folder))?;
        if needed_bytes > available_bytes {
            return Err(Failure::NoRoom {
                needed_bytes,
                available_bytes,
            });
        }
        Ok(())
    }

    fn copy_disk(
        &self,
        index: usize,
        source: &Source,
        target: &Path,
    ) -> Result<FinishedDisk, Failure> {
        self.progress.begin(index);
        if let Some(folder) = target.parent() {
            std::fs::create_dir_all(folder).map_err(Failure::repository(folder))?;
        }
        let failed = |error| Failure::repository(target)(error);
        let parent = self.parent(index);
        let backing = parent.as_ref().map(|(name, _)| name.as_str());
        let mut image =
            ImageWriter::create(target, source.size_bytes(), backing).map_err(failed)?;
        let mut map = MapWriter::create(target, source.size_bytes()).map_err(failed)?;
        transfer(
            source,
            Target {
                image: &mut image,
                map: &mut map,
                parent: parent.map(|(_, map)| map),
            },
            &self.stopping,
            |read_bytes, stored_bytes| {
                self.progress.copied(index, read_bytes, stored_bytes);
            },
        )?;
        let finished = FinishedDisk {
            image: image.finish().map_err(failed)?,
            map: map.finish().map_err(failed)?,
        };
        self.progress.end(index);
        Ok(finished)
    }

    /// The image that this disk builds on, by its name beside the new one, and its map. Where either
    /// cannot be used the disk is written in full: that takes room, and is right.
    fn parent(&self, index: usize) -> Option<(String, MapReader)> {
        let image = self.record.parents.get(index)?.as_ref()?;
        let target = self.record.images.get(index)?;
        let name = image.file_name()?.to_str()?.to_owned();
        let is_beside = image.parent() == target.parent();
        let allowed = AllowedRoots::new([self.repository_folder.clone()]);
        let opened = Image::open(image, &allowed);
        match opened.and_then(|_| Ok(MapReader::open(image)?)) {
            Ok(map) if is_beside => Some((name, map)),
            Ok(_) => None,
            Err(error) => {
                tracing::warn!(image = %image.display(), %error, "a disk is written in full: its last image cannot be built on");
                None
            }
        }
    }

    /// Gives all images their names, and makes those names survive a power cut.
    fn publish(&self, finished: Vec<FinishedDisk>) -> Result<(), Failure> {
        if self.stopping.is_cancelled() {
            return Err(Failure::Stopped);
        }
        for (finished, target) in finished.into_iter().zip(&self.record.images) {
            // A rename would replace it, and with it whatever builds on it.
            if target.exists() {
                let error = std::io::ErrorKind::AlreadyExists.into();
                return Err(Failure::repository(target)(error));
            }
            finished
                .map
                .publish()
                .map_err(Failure::repository(target))?;
            finished
                .image
                .publish()
                .map_err(Failure::repository(target))?;
            // The image's folder, the VM's folder, the repository: the first backup made them all.
            files::sync_names(target, &self.repository_folder)
                .map_err(Failure::repository(target))?;
        }
        Ok(())
    }

    /// Compares the images, as the disk has them now, with what was read from the sources.
    fn read_back(&self) -> Result<(), Failure> {
        let mut verifier = Verifier::new(&self.repository_folder, &self.stopping);
        for (disk_index, image) in (0_u32..).zip(&self.record.images) {
            let finding = verifier.verify(image, &mut |_| {});
            let (_, why) = finding.judged().ok_or(Failure::Stopped)?;
            if let Some(reason) = why {
                let reason = reason.to_owned();
                return Err(Failure::NotProven { disk_index, reason });
            }
        }
        Ok(())
    }
}
