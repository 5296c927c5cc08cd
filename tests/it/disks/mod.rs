//! Disks that real systems wrote, walked whole: every name, kind, size, time, mode, link target and hash, as the
//! system's own driver shows them and as we do.

mod aged;
mod census;
mod linux;
mod windows;

pub(crate) use aged::{Aged, Style};
pub(crate) use census::{assert_same, of_folder, of_image};
