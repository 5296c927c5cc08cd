//! Which file a disk is right now: the VM may have moved to another since it was discovered.
//!
//! A snapshot freezes the known image, and the guest continues in a new one that builds on it. So each time a backup
//! starts, the description is read again, and the folder of each disk is searched for images that build on it. What is
//! clear is followed, everything else is refused: a backup of the frozen image would look right and contain nothing
//! new.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use sendense_disk::{ImageFormat, backing_name};

use super::{DescribedDisk, image, places, read_description, survey};
use crate::{
    store::vms::{Disk, Vm},
    unclear::{Change, Unclear},
};

/// Longer chains of snapshots are a circle.
const MAX_CHAIN: usize = 256;

/// Why a file is a disk that a description names.
pub(crate) const DESCRIBED: &str = "the description of the VM names it";

/// The disks of a VM with the files that hold them now. `images` are those of all VMs. Blocks.
///
/// # Errors
/// Where that is not clear.
pub(crate) fn disks(vm: &Vm, known: &[Disk], images: &[PathBuf]) -> Result<Vec<Disk>, Unclear> {
    let description = Path::new(&vm.vm_path);
    let is_described = survey::is_description(description);
    let mut disks = known.to_vec();
    if is_described {
        follow_description(description, vm, &mut disks)?;
    }
    let images: Vec<(&PathBuf, PathBuf)> = images
        .iter()
        .filter_map(|path| Some((path, path.canonicalize().ok()?)))
        .collect();
    for disk in &mut disks {
        let start = if is_described {
            &disk.path
        } else {
            &disk.discovered_path
        };
        let others: BTreeSet<PathBuf> = images
            .iter()
            .filter(|(image, _)| **image != disk.path && **image != disk.discovered_path)
            .map(|(_, canonical)| canonical.clone())
            .collect();
        let newest = newest_overlay(disk.disk_index, start, &others)?;
        if is_described && newest != disk.path {
            return Err(Unclear::NewerThanDescribed {
                disk_index: disk.disk_index,
                described: disk.path.clone(),
                newest,
            });
        }
        if is_described {
            continue;
        }
        refuse_newer_base(disk.disk_index, &newest, vm.updated_at)?;
        if newest != disk.path {
            disk.chosen_because = match overlaid(&newest) {
                Some(base) if newest != disk.discovered_path => format!(
                    "it builds on {} and is newer: a snapshot was taken",
                    base.display()
                ),
                _ => "it is newer than the snapshots that build on it".to_owned(),
            };
            disk.path = newest;
            disk.source_format = None;
        }
    }
    Ok(disks)
}

/// What a VM merged its disk into and goes on with is newer than the disk that was left behind.
fn refuse_newer_base(disk_index: u32, disk: &Path, discovered: Timestamp) -> Result<(), Unclear> {
    let changed = |path: &Path| {
        let at = fs::metadata(path).and_then(|file| file.modified());
        at.ok().and_then(|at| Timestamp::try_from(at).ok())
    };
    let mut image = disk.to_owned();
    for _ in 0..MAX_CHAIN {
        let Some(base) = overlaid(&image) else {
            return Ok(());
        };
        if let (Some(of_base), Some(of_disk)) = (changed(&base), changed(disk))
            && of_base > of_disk
            && of_base > discovered
        {
            return Err(Unclear::NewerBase {
                disk_index,
                base,
                disk: disk.to_owned(),
            });
        }
        image = base;
    }
    Ok(())
}

/// The file that an image builds on.
fn overlaid(image: &Path) -> Option<PathBuf> {
    image::snapshot_parent(image).or_else(|| {
        let name = backing_name(image).ok().flatten()?;
        let name = name.strip_prefix("file:").unwrap_or(&name);
        let named = image.parent().unwrap_or(Path::new("/")).join(name);
        named.canonicalize().ok()
    })
}

/// Takes files and formats from the description as it is now.
fn follow_description(path: &Path, vm: &Vm, disks: &mut [Disk]) -> Result<(), Unclear> {
    let changed = |change| Unclear::DescriptionChanged {
        path: path.to_owned(),
        change,
    };
    let described = read_description(path)?.ok_or_else(|| changed(Change::NoDescription))?;
    let folder = path.parent().unwrap_or(Path::new("/"));
    let is_left_out = |disk: &DescribedDisk| {
        let named = match disk {
            DescribedDisk::File { path, .. } => folder.join(path),
            DescribedDisk::Elsewhere(what) => PathBuf::from(what),
        };
        let named = named.display().to_string();
        vm.left_out.iter().any(|it| it.path == named)
    };
    let mut described = described.disks;
    described.retain(|disk| !is_left_out(disk));
    if described.len() != disks.len() {
        return Err(changed(Change::OtherDisks {
            n_named: described.len(),
            n_known: disks.len(),
        }));
    }
    let roots: Vec<PathBuf> = places::roots(&vm.source_folder)
        .into_iter()
        .map(|root| root.canonicalize().unwrap_or(root))
        .collect();
    for (disk, described) in disks.iter_mut().zip(described) {
        let disk_index = disk.disk_index;
        let DescribedDisk::File { path: file, format } = described else {
            return Err(changed(Change::NoFile { disk_index }));
        };
        disk.source_format = format
            .as_deref()
            .map(ImageFormat::named)
            .transpose()
            .map_err(|source| Unclear::Format {
                disk_index,
                file: file.clone(),
                source,
            })?;
        let file = folder.join(file);
        if file == disk.path {
            continue;
        }
        // Whoever can write the description must not be able to have any file of this computer backed up.
        let canonical = file.canonicalize();
        let is_outside = |canonical: PathBuf| !roots.iter().any(|root| canonical.starts_with(root));
        if canonical.is_ok_and(is_outside) {
            return Err(changed(Change::Outside { disk_index, file }));
        }
        disk.path = file;
        DESCRIBED.clone_into(&mut disk.chosen_because);
    }
    Ok(())
}

/// The last of the images that build on a file one after the other; the file itself where none does.
fn newest_overlay(
    disk_index: u32,
    start: &Path,
    others: &BTreeSet<PathBuf>,
) -> Result<PathBuf, Unclear> {
    let mut newest = start.to_owned();
    for _ in 0..MAX_CHAIN {
        // A disk that is gone is told about when it is opened.
        let Ok(canonical) = newest.canonicalize() else {
            return Ok(newest);
        };
        let mut overlays = match overlays_of(&canonical, others) {
            Ok(overlays) => overlays,
            Err(source) => {
                return Err(Unclear::FolderUnreadable {
                    disk_index,
                    disk: canonical,
                    source,
                });
            }
        };
        let Some(overlay) = overlays.pop() else {
            return Ok(newest);
        };
        if let Some(other) = overlays.pop() {
            return Err(Unclear::TwoOverlays {
                disk_index,
                overlays: [other, overlay],
                base: canonical,
            });
        }
        newest = overlay;
    }
    Err(Unclear::Circle { disk_index })
}

/// The images beside a disk that build on it and were written to no earlier than it: what is older was
/// merged into it or left behind.
fn overlays_of(disk: &Path, others: &BTreeSet<PathBuf>) -> io::Result<Vec<PathBuf>> {
    let changed = fs::metadata(disk)?.modified()?;
    let folder = disk.parent().unwrap_or(Path::new("/"));
    let mut overlays = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let is_newer = fs::metadata(&path)
            .is_ok_and(|file| file.is_file() && file.modified().is_ok_and(|at| at >= changed));
        if is_newer && path != disk && !others.contains(&path) && builds_on(&path, disk) {
            overlays.push(path);
        }
    }
    overlays.sort();
    Ok(overlays)
}

fn builds_on(image: &Path, disk: &Path) -> bool {
    // Such a name is not followed when the image is opened, which says so.
    let is_named_otherwise = || {
        let name = backing_name(image).ok().flatten();
        let file = disk.file_name().unwrap_or_default().to_string_lossy();
        name.is_some_and(|name| name.starts_with("json:") && name.contains(file.as_ref()))
    };
    overlaid(image).is_some_and(|base| base == disk) || is_named_otherwise()
}
