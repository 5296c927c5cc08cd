//! One backup from its first look at the sources to its row, or to nothing at all.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use tokio_util::sync::CancellationToken;

use super::{
    copy::copy,
    failure::Failure,
    image::{self, CLUSTER_BYTES, FinishedImage, ImageWriter},
    progress::{Phase, Progress},
    record::{self, NewJob, StoredDisk},
    source::Source,
};
use crate::{Clock, db::Db, vm::Disk};

/// Room that is left free: a filesystem filled to the last byte breaks more than a backup.
const ROOM_TO_LEAVE: u64 = 64 * 1024 * 1024;

/// A backup with all it needs.
pub(super) struct Job {
    pub(super) db: Db,
    pub(super) clock: Clock,
    pub(super) stopping: CancellationToken,
    pub(super) progress: Arc<Progress>,
    pub(super) record: NewJob,
    pub(super) disks: Vec<Disk>,
    pub(super) source_folder: PathBuf,
    pub(super) repository_folder: PathBuf,
}

impl Job {
    /// Backs all disks up. Blocks as long as that takes. Who gets a failure calls
    /// [`fail`](Self::fail).
    pub(super) fn run(&self) -> Result<(), Failure> {
        let started = Instant::now();
        let now = self.clock.now();
        self.db
            .with(|connection| record::running(connection, &self.record.backup_id, now))?;
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

        self.progress.enter(Phase::Committing);
        self.publish(finished)?;
        let disks: Vec<_> = sources
            .iter()
            .enumerate()
            .map(|(index, source)| {
                let (read_bytes, stored_bytes) = self.progress.disk_bytes(index);
                StoredDisk {
                    capacity_bytes: source.size_bytes(),
                    read_bytes,
                    stored_bytes,
                }
            })
            .collect();
        let speed = self.progress.read_bytes() as f64 / transfer_seconds.max(0.001);
        let now = self.clock.now();
        self.db.transaction(|transaction| {
            record::completed(transaction, &self.record, &disks, speed as u64, now)
        })?;
        Ok(())
    }

    fn open_sources(&self) -> Result<Vec<Source>, Failure> {
        self.disks
            .iter()
            .map(|disk| Source::open(disk, &self.source_folder))
            .collect()
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
    ) -> Result<FinishedImage, Failure> {
        self.progress.begin(index);
        if let Some(folder) = target.parent() {
            std::fs::create_dir_all(folder).map_err(Failure::repository(folder))?;
        }
        let image = ImageWriter::create(target, source.size_bytes())
            .map_err(Failure::repository(target))?;
        copy(
            source,
            &image,
            &self.stopping,
            |read_bytes, stored_bytes| {
                self.progress.copied(index, read_bytes, stored_bytes);
            },
        )?;
        let finished = image.finish().map_err(Failure::repository(target))?;
        self.progress.end(index);
        Ok(finished)
    }

    /// Gives all images their names, and makes those names survive a power cut.
    fn publish(&self, finished: Vec<FinishedImage>) -> Result<(), Failure> {
        if self.stopping.is_cancelled() {
            return Err(Failure::Stopped);
        }
        for (finished, target) in finished.into_iter().zip(&self.record.images) {
            finished.publish().map_err(Failure::repository(target))?;
            // The image's folder, the VM's folder, the repository: the first backup made them all.
            for folder in target.ancestors().skip(1) {
                image::sync_folder(folder).map_err(Failure::repository(folder))?;
                if folder == self.repository_folder {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Leaves nothing of the backup behind but the reason why it failed.
    pub(super) fn fail(&self, failure: &Failure) -> rusqlite::Result<()> {
        // Unfinished images went when their writers were dropped; these had their names already.
        for image in &self.record.images {
            image::remove(image);
        }
        let now = self.clock.now();
        self.db.transaction(|transaction| {
            record::failed(
                transaction,
                &self.record.backup_id,
                &failure.to_string(),
                now,
            )
        })
    }
}
