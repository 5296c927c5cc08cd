//! Merging expired incremental backups into the next kept one in their chain.
//!
//! The kept image is rewritten, with the backing file of the oldest expired one: the same content, without the expired
//! ones. A rename puts it in place, so at every moment the name stands for an image that holds the same disk, and its
//! cluster map stays valid. The hash of what was read proves that, and what was written is read back before the rename.

use std::{fs::File, path::Path};

use sendense_disk::{AllowedRoots, Image};
use tokio_util::sync::CancellationToken;

use crate::{
    failure::{Failure, Unmergeable},
    files::{forget_cached, sync_folder},
    image::{
        FinishedImage, ImageWriter,
        map::{MapReader, MapWriter},
    },
    source::Source,
    store::{
        backups::{Backup, BackupDisk},
        jobs::MergedDisk,
    },
    transfer::{Target, transfer},
    verify::{Finding, Verifier},
};

/// Makes all disks of `into` independent of the `expired` backups. Blocks. What fails leaves all images
/// as they were, or some of them merged already: the content is the same.
pub(crate) fn merge(
    expired: &[&Backup],
    into: &Backup,
    repository: &Path,
    stopping: &CancellationToken,
) -> Result<Vec<MergedDisk>, Failure> {
    let mut written = Vec::new();
    for disk in &into.disks {
        written.extend(rewrite(expired, disk, repository, stopping)?);
    }
    let mut merged = Vec::new();
    for (image, path, disk) in written {
        image.publish().map_err(Failure::repository(&path))?;
        if let Some(folder) = path.parent() {
            sync_folder(folder).map_err(Failure::repository(folder))?;
        }
        merged.push(disk);
    }
    Ok(merged)
}

/// Writes one image anew, under its temporary name; nothing where it does not build on an expired one.
fn rewrite(
    expired: &[&Backup],
    disk: &BackupDisk,
    repository: &Path,
    stopping: &CancellationToken,
) -> Result<Option<(FinishedImage, std::path::PathBuf, MergedDisk)>, Failure> {
    let disk_index = disk.disk_index;
    let unmergeable = |why: Unmergeable| Failure::Unmergeable { disk_index, why };
    let Some(path) = disk.qcow2_path.clone() else {
        return Err(unmergeable(Unmergeable::NoImage));
    };
    let allowed = AllowedRoots::new([repository.to_path_buf()]);
    let image = Image::open(&path, &allowed).map_err(|error| unmergeable(error.into()))?;
    // All images of a disk lie in one folder: their names tell them apart.
    let is_expired = |file: &Path| {
        expired
            .iter()
            .flat_map(|backup| &backup.disks)
            .filter_map(|disk| disk.qcow2_path.as_deref())
            .any(|expired| expired.file_name() == file.file_name())
    };
    let mut backing = image.files().iter().skip(1);
    if !backing.clone().next().is_some_and(|file| is_expired(file)) {
        return Ok(None);
    }
    let base = backing.find(|file| !is_expired(file)).cloned();
    let base_map = base
        .as_deref()
        .map(MapReader::open)
        .transpose()
        .map_err(|error| unmergeable(Unmergeable::MapBelow(error)))?;
    let base_name = base
        .as_deref()
        .and_then(|base| base.file_name())
        .map(|name| name.to_string_lossy().into_owned());
    let source = Source::of_image(image, &path, disk_index);
    let failed = |error| Failure::repository(&path)(error);
    let mut writer =
        ImageWriter::create(&path, source.size_bytes(), base_name.as_deref()).map_err(failed)?;
    let mut map = MapWriter::create(&path, disk.capacity_bytes).map_err(failed)?;
    let mut stored_bytes = 0;
    let target = Target {
        image: &mut writer,
        map: &mut map,
        parent: base_map,
    };
    transfer(&source, target, stopping, |_, stored| {
        stored_bytes += stored;
    })?;
    let finished = writer.finish().map_err(failed)?;
    // The map stays as it is: dropped, the new one is gone again.
    let found = map.finish().map_err(failed)?.change_id.clone();
    if disk.change_id.as_ref().is_some_and(|known| *known != found) {
        return Err(unmergeable(Unmergeable::Changed));
    }
    // The old images go, so the new one is read back, through what it builds on from now on: that may have been
    // damaged where the expired ones had their own.
    File::open(finished.path())
        .map(|file| forget_cached(&file))
        .map_err(Failure::repository(&path))?;
    let mut verifier = Verifier::new(repository, stopping);
    match verifier.verify_with_map_of(finished.path(), &path, &mut |_| {}) {
        // Without a map there is nothing to compare with, and was nothing before.
        Finding::Sound | Finding::Flawed(_) | Finding::Unproven(_) => {}
        Finding::Stopped => return Err(Failure::Stopped),
        Finding::Damaged(reason) => return Err(unmergeable(Unmergeable::DamagedBelow(reason))),
    }
    let merged = MergedDisk {
        disk_index,
        stored_bytes,
    };
    Ok(Some((finished, path, merged)))
}
