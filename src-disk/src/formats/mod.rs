//! One file per filesystem, and what they share.

use crate::{Error, FsPath};

pub(crate) mod bytes;
pub(crate) mod compression;
pub(crate) mod ext;
pub(crate) mod fat;
mod kept;
pub(crate) mod ntfs;

/// Folders with more entries are not listed: they would take more memory than a hub has.
const MAX_ENTRIES: usize = 1 << 20;

fn too_many_entries(path: &FsPath) -> Error {
    Error::unsupported(format!(
        "{path} holds more than {MAX_ENTRIES} entries, which is too many to list"
    ))
}
