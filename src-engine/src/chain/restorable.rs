//! Whether a recovery point can be restored, as far as this can be told without reading it; verifying reads it.

use std::{
    collections::{HashMap, HashSet},
    path::Path,
};

use sendense_disk::{AllowedRoots, Image};

use super::Chains;
use crate::store::backups::Backup;

/// Why recovery points cannot be restored, in words, by their ids. Looks at each image once.
pub fn problems<'b>(chains: &Chains<'b>, repository: &Path) -> HashMap<&'b str, String> {
    let points = chains.points().iter();
    let lacking = points.clone().filter(|point| !has_images(point));
    let lacking: HashSet<&str> = lacking.map(|point| point.backup_id.as_str()).collect();
    let problems = points.filter_map(|point| {
        let problem = problem(chains, point, &lacking, repository)?;
        Some((point.backup_id.as_str(), problem))
    });
    problems.collect()
}

/// The same of one; those of `lacking` have lost an image.
fn problem<'b>(
    chains: &Chains<'b>,
    point: &'b Backup,
    lacking: &HashSet<&str>,
    repository: &Path,
) -> Option<String> {
    let mut lineage = chains.lineage(point).map(|older| older.backup_id.as_str());
    let lost = lineage.find(|id| lacking.contains(id));
    if lost == Some(point.backup_id.as_str()) {
        return Some("an image of it is missing".to_owned());
    }
    // An incremental one may hold a disk in full, so the images have the last word.
    if let Some(needed) = lost.or_else(|| chains.unknown_parent(point))
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
