//! The two ways in which Windows compresses the files of its own ("Compact OS", WIM), chunk by chunk.
//!
//! Each chunk stands for itself, and its decompressed length is known beforehand. Nothing in a chunk
//! tells damage from content, so whatever a compressor would not have written is called damage.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "symbols have few bits and chunks few bytes, so nothing is cut off"
)]

mod bits;
mod lzx;
#[cfg(test)]
mod tests;
mod xpress;

pub(crate) use lzx::lzx;
pub(crate) use xpress::xpress;
