//! Whether a recovery point can be restored, as far as can be told without reading it: verifying reads it.

use std::path::Path;

use sendense_disk::{AllowedRoots, Image};

use crate::{backup::Backup, chain::Chains};

/// Why one of these recovery points cannot be restored, in words.
pub(crate) fn problem<'b>(
    chains: &Chains<'b>,
    point: &'b Backup,
    repository: &Path,
) -> Option<String> {
    if !has_images(point) {
        return Some("an image of it is missing".to_owned());
    }
    let mut below = chains.lineage(point).skip(1);
    let lacking = below.find(|older| !has_images(older));
    let needed = lacking.map(|older| older.backup_id.as_str());
    // An incremental one may hold a disk in full, so the images have the last word.
    if let Some(needed) = needed.or_else(|| chains.unknown_parent(point))
        && !opens(point, repository)
    {
        return Some(format!(
            "an image that it needs is missing: it builds on {needed}"
        ));
    }
    point
        .is_damaged()
        .then(|| "it is damaged: it does not hold what was backed up".to_owned())
}

/// Somebody may have removed one behind the hub's back.
fn has_images(point: &Backup) -> bool {
    let mut images = point.disks.iter().map(|disk| disk.qcow2_path.as_ref());
    images.all(|image| image.is_some_and(|image| image.exists()))
}

/// Whether its images are there with all that they build on.
fn opens(point: &Backup, repository: &Path) -> bool {
    let allowed = AllowedRoots::new([repository.to_path_buf()]);
    let mut images = point.disks.iter().filter_map(|it| it.qcow2_path.as_ref());
    images.all(|image| Image::open(image, &allowed).is_ok())
}
