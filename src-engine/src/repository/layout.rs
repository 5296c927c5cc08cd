//! Where things are in a repository.
//!
//! ```text
//! sendense-repository.json             names it
//! <context>/<backup>.json              the manifest of a recovery point
//! <context>/disk-N/<backup>….qcow2     an image, with its cluster map beside it
//! ```

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::{
    files::{self, MARKER},
    ids, image,
    store::vms::Vm,
};

/// `<repository>/<context>/disk-N/<backup>-diskN-<time>.qcow2`
pub(crate) fn image_path(
    repository: &Path,
    vm: &Vm,
    backup_id: &str,
    disk_index: u32,
    now: Timestamp,
) -> PathBuf {
    repository
        .join(&vm.context_id)
        .join(format!("disk-{disk_index}"))
        .join(format!(
            "{backup_id}-disk{disk_index}-{}.qcow2",
            ids::compact(now)
        ))
}

/// Removes images that were never finished, wherever in `<context>/disk-N` they lie. Only those: a
/// repository may hold files of other people.
pub(crate) fn remove_partial_images(repository: &Path) {
    for path in files_of_backups(repository)
        .into_iter()
        .chain([repository.join(format!("{MARKER}.partial"))])
        .filter(|path| path.exists())
        .filter(|path| {
            let name = file_name(path);
            image::is_partial(&name) || name.starts_with(MARKER)
        })
    {
        tracing::info!(path = %path.display(), "removing a file that was never finished");
        files::remove(&path);
    }
}

/// The files that lie where images, maps and manifests do.
pub(crate) fn files_of_backups(repository: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for context in folder_entries(repository) {
        if !file_name(&context).starts_with("ctx-") {
            continue;
        }
        for entry in folder_entries(&context) {
            match file_name(&entry) {
                name if name.starts_with("disk-") => files.extend(folder_entries(&entry)),
                name if name.starts_with("backup-") => files.push(entry),
                _ => {}
            }
        }
    }
    files
}

/// What lies in a folder; nothing where it cannot be read.
pub(crate) fn folder_entries(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
}

pub(crate) fn file_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}
