//! Disks written by real systems, walked completely: every name, kind, size, time, mode, link target and hash, as the
//! system's own driver shows them and as we do.

mod aged;
mod census;
mod debian;
mod fat;
mod linux;
mod packed;
mod windows;

pub(crate) use aged::{Aged, Style};
pub(crate) use census::{
    Census, Row, assert_same, in_whole_seconds, of_folder, of_image, stream_row, without_modes,
    without_times,
};
