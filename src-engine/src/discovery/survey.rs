//! What is in a folder: descriptions and images, folder by folder, in natural order.
//!
//! Links to folders are not followed, so there are no loops. Depth and number of files are limited, so choosing a home
//! directory by mistake ends in a message and not in an hour of waiting.

use std::{
    fs, io,
    io::Read,
    path::{Path, PathBuf},
};

use super::{extension::extension, image, natural, other};
use crate::{
    error::{Error, Result},
    unclear::{BadDescription, permission_remedy},
};

const MAX_DEPTH: usize = 8;
const MAX_ENTRIES: usize = 200_000;
/// Descriptions are a few kilobytes.
const MAX_DESCRIPTION_BYTES: u64 = 4 * 1024 * 1024;

/// Everything found below a folder.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    /// The folder itself first; each with at least one description or image.
    pub(crate) folders: Vec<Folder>,
    /// Folders that could not be listed, with the reason and the remedy.
    pub(crate) unreadable: Vec<(PathBuf, String)>,
    n_entries: usize,
}

/// One folder with something in it.
#[derive(Debug)]
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
    pub(crate) descriptions: Vec<PathBuf>,
    pub(crate) images: Vec<PathBuf>,
    /// Other files that are large enough for a disk.
    pub(crate) others: Vec<PathBuf>,
}

/// The folder with its links resolved.
pub(crate) fn canonical_folder(folder: &Path) -> Result<PathBuf> {
    let unreadable = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => Error::FolderMissing(folder.to_path_buf()),
        _ => Error::FolderUnreadable {
            path: folder.to_path_buf(),
            source,
        },
    };
    let canonical = folder.canonicalize().map_err(unreadable)?;
    if !fs::metadata(&canonical).map_err(unreadable)?.is_dir() {
        return Err(Error::NotAFolder(folder.to_path_buf()));
    }
    Ok(canonical)
}

impl Survey {
    /// Looks through a folder.
    ///
    /// # Errors
    /// When the folder itself cannot be listed, or holds too much.
    pub(crate) fn of(folder: &Path, own_folder: &Path) -> Result<Self> {
        let own_folder = own_folder.canonicalize().unwrap_or_default();
        let mut survey = Self::default();
        survey
            .visit(folder, folder, &own_folder, 0)?
            .map_err(|source| Error::FolderUnreadable {
                path: folder.to_path_buf(),
                source,
            })?;
        Ok(survey)
    }

    /// The inner result is about this folder only.
    fn visit(
        &mut self,
        root: &Path,
        path: &Path,
        own_folder: &Path,
        depth: usize,
    ) -> Result<io::Result<()>> {
        let mut entries = match list(path) {
            Ok(entries) => entries,
            Err(error) => return Ok(Err(error)),
        };
        self.n_entries += entries.len();
        if self.n_entries > MAX_ENTRIES {
            return Err(Error::FolderTooLarge { limit: MAX_ENTRIES });
        }
        entries.sort_by(|(a, _), (b, _)| natural::compare(a, b));

        let mut folder = Folder {
            path: path.to_path_buf(),
            descriptions: Vec::new(),
            images: Vec::new(),
            others: Vec::new(),
        };
        let mut below = Vec::new();
        for (name, entry) in entries {
            // What is hidden is nobody's VM: trash, thumbnails, version control.
            if name.starts_with('.') {
                continue;
            }
            let Ok(kind) = entry.file_type() else {
                continue;
            };
            let path = entry.path();
            if kind.is_dir() {
                below.push(path);
            } else if kind.is_file() || (kind.is_symlink() && path.is_file()) {
                if is_description(&path) {
                    // libvirt links what it starts by itself (`autostart`): the VM is there once.
                    if !(kind.is_symlink() && leads_below(&path, root)) {
                        folder.descriptions.push(path);
                    }
                } else if image::is_image(&path) {
                    folder.images.push(path);
                } else if fs::metadata(&path).is_ok_and(|file| file.len() >= other::LEAST_BYTES) {
                    folder.others.push(path);
                }
            }
        }
        let has_files = !folder.images.is_empty() || !folder.others.is_empty();
        if !folder.descriptions.is_empty() || has_files {
            self.folders.push(folder);
        }
        if depth < MAX_DEPTH {
            for path in below.into_iter().filter(|path| path != own_folder) {
                if let Err(error) = self.visit(root, &path, own_folder, depth + 1)? {
                    let problem = format!(
                        "the folder cannot be listed: {error}; {}",
                        permission_remedy(&path)
                    );
                    self.unreadable.push((path, problem));
                }
            }
        }
        Ok(Ok(()))
    }
}

/// Whether a link leads to a file of the folder that is searched, which finds it there.
fn leads_below(link: &Path, root: &Path) -> bool {
    link.canonicalize()
        .is_ok_and(|target| target.starts_with(root))
}

fn list(path: &Path) -> io::Result<Vec<(String, fs::DirEntry)>> {
    fs::read_dir(path)?
        .map(|entry| entry.map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry)))
        .collect()
}

/// Whether a file may be the description of a VM, by its name.
pub(crate) fn is_description(path: &Path) -> bool {
    matches!(extension(path).as_str(), "xml" | "vbox" | "vmx")
}

/// A description as text; what is not UTF-8 was written by old VMware versions and is close enough
/// to Latin 1.
pub(crate) fn read_text(path: &Path) -> Result<String, BadDescription> {
    let read = || -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        fs::File::open(path)?
            .take(MAX_DESCRIPTION_BYTES)
            .read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().map_err(|source| BadDescription::Unreadable {
        path: path.to_path_buf(),
        source,
    })?;
    Ok(String::from_utf8(bytes)
        .unwrap_or_else(|error| error.into_bytes().into_iter().map(char::from).collect()))
}
