//! What an archive is made of, as it is made here.

use bytes::Bytes;
use jiff::Timestamp;
use sendense_types::FileEntry;

/// A kind of archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ArchiveFormat {
    /// Opens everywhere.
    Zip,
    /// Keeps names, links and permissions as they are.
    TarGz,
}

/// What goes to the archive, in this order.
pub(super) enum Step {
    Folder(String, Attributes),
    Link(String, String, Attributes),
    /// A file begins, whose size is known or not.
    File(String, Option<u64>, Attributes),
    Piece(Bytes),
    /// What has begun is taken back.
    Abandon,
}

/// What an entry has beside its content.
#[derive(Clone, Copy)]
pub(super) struct Attributes {
    pub(super) mode: Option<u32>,
    pub(super) modified: Option<Timestamp>,
}

impl Attributes {
    pub(super) fn of(entry: &FileEntry) -> Self {
        let mode = entry.mode.as_deref();
        Self {
            mode: mode.and_then(|mode| u32::from_str_radix(mode, 8).ok()),
            modified: entry.modified_time,
        }
    }
}
