//! What can be wrong with an image, a volume or a path inside it.

use std::{io, path::PathBuf};

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something on a disk could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nothing has that path.
    #[error("{path} does not exist on this disk")]
    NotFound {
        /// The path, as it was asked for.
        path: String,
    },
    /// A folder was needed, something else is there.
    #[error("{path} is not a folder")]
    NotADirectory {
        /// The path, as it was asked for.
        path: String,
    },
    /// A regular file was needed, something else is there.
    #[error("{path} is not a regular file")]
    NotAFile {
        /// The path, as it was asked for.
        path: String,
    },
    /// The path cannot exist on any disk, or tries to leave it.
    #[error("{path} is not a valid path: it must not contain '..' or a NUL character")]
    InvalidPath {
        /// The path, as it was asked for.
        path: String,
    },
    /// Sound, but not readable by this version.
    #[error("{what}")]
    Unsupported {
        /// A sentence that names the format or feature.
        what: String,
    },
    /// Damaged, or not what it claims to be.
    #[error("the disk is damaged: {what}")]
    Corrupt {
        /// What was found.
        what: String,
        /// Where on the disk or image, in bytes, where known.
        offset: Option<u64>,
    },
    /// An image names a backing file that it may not open.
    #[error("the image builds on {}, which is outside the folders that may be read", path.display())]
    BackingFileOutside {
        /// The backing file.
        path: PathBuf,
    },
    /// The operating system could not read the image.
    #[error("the image could not be read: {0}")]
    Io(#[from] io::Error),
}

impl Error {
    /// A sentence about damage at no known place.
    pub(crate) fn corrupt(what: impl Into<String>) -> Self {
        Self::Corrupt {
            what: what.into(),
            offset: None,
        }
    }

    /// A format or feature by name.
    pub(crate) fn unsupported(what: impl Into<String>) -> Self {
        Self::Unsupported { what: what.into() }
    }
}
