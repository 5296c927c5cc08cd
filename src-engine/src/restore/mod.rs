//! File-level restore: disks of finished backups, opened read-only, browsed and downloaded (contract 3.8, 6.2 to 6.4,
//! 8.9).
//!
//! Nothing is mounted in the kernel and nothing needs root. A mount is a row in `restore_mounts` and, while it is in
//! use, a `session::Session`: a thread that owns the image's readers. The contract's formats ask for two things that do
//! not exist here and are therefore names only: `mount_path` (where a kernel mount would be) and `nbd_device` (the
//! number of the slot).
//!
//! Reading order: `mounts` (life of a mount), `session` (threads), `tree` (image to entries), `download` (bytes of
//! files and folders).

mod archive;
mod download;
mod entry;
mod error;
mod lease;
mod listing;
mod mounts;
mod path;
mod session;
mod stream;
mod tree;

pub use archive::ArchiveFormat;
pub use download::{FileHead, Target};
pub use entry::{FileRow, RowShape, StreamRow};
pub use error::{Error, Result};
pub use lease::IDLE_TIMEOUT;
pub use mounts::{MAX_MOUNTS, MountInUse, Mounts, REAP_INTERVAL, ServedDisk, Usage};
pub use path::{PathRefusal, RequestPath, RootLayout};
pub use stream::Chunks;
pub use tree::Rows;

pub use crate::store::mounts::MountRow;

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;
