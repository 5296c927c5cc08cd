//! File-level restore: disks of finished backups opened read-only, browsed, downloaded
//! (contract 3.8, 6.2 to 6.4, 8.9).
//!
//! Nothing is mounted in the kernel and nothing needs root. A mount is a row of `restore_mounts`
//! and, while it is used, a [`session::Session`]: a thread that owns the readers of the image. The
//! shapes of the contract ask for two things that do not exist here and are therefore names only:
//! `mount_path` (where a kernel mount would be) and `nbd_device` (the number of the slot).
//!
//! Reading order: [`mounts`] (life of a mount), [`session`] (threads), [`tree`] (image to entries),
//! [`download`] (answers with a body).

mod archive;
mod disposition;
mod download;
mod entry;
mod error;
mod lease;
mod listing;
mod mounts;
mod path;
mod range;
mod session;
mod stream;
mod table;
mod tree;

pub(crate) use archive::ArchiveFormat;
pub(crate) use download::Conditions;
pub(crate) use entry::{FileRow, RowShape};
pub(crate) use error::{Error, Result};
pub(crate) use lease::IDLE_TIMEOUT;
pub(crate) use mounts::{MAX_MOUNTS, MountInUse, Mounts, REAP_INTERVAL};
pub(crate) use path::{RequestPath, RootLayout};
pub(crate) use table::MountRow;

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;
