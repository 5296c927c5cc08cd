//! From an image file to the bytes of a file inside it, read-only: images, volumes, filesystems.
//!
//! ```text
//! Image (raw, QCOW2 with backing files, flat VMDK) -> volumes() -> Volume::open() -> FileSystem -> FileReader
//! ```
//!
//! Everything is synchronous and belongs to one thread, except [`Image`], a cheap handle that threads may share. Images
//! are hostile input: what is read from them is checked, a panic while reading one becomes [`Error::Corrupt`], and
//! loops are stopped (`guard.rs`).

// A number from a disk that does not fit is damage; a cast would make another number of it, and counting on
// past its end would do the same or panic.
#![cfg_attr(
    not(test),
    warn(
        clippy::arithmetic_side_effects,
        clippy::cast_possible_truncation,
        clippy::cast_possible_wrap,
        clippy::cast_sign_loss
    )
)]

mod entry;
mod error;
mod filesystem;
mod formats;
mod guard;
mod image;
mod path;
pub mod reading;
mod slice;
mod volume;

pub use entry::{DataStream, Entry, EntryKind, FsKind, Listing};
pub use error::{Error, Result};
pub use filesystem::{FileReader, FileSystem};
pub use image::{
    AllowedRoots, Extent, ExtentKind, Flaw, Image, ImageFormat, backing_name, find_flaw,
};
pub use path::{FsPath, Name};
pub use slice::Slice;
pub use volume::{Content, Layout, Unreadable, Volume, volumes};
