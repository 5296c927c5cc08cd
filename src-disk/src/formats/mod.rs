//! One file per filesystem, each over the library that knows its format.

pub(crate) mod ext;
pub(crate) mod fat;
pub(crate) mod ntfs;
