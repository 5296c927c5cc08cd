//! The two ways in which Windows compresses the files of its own ("Compact OS", WIM), chunk by chunk.
//!
//! Each chunk stands for itself, and its decompressed length is known beforehand. Nothing in a chunk
//! tells damage from content, so whatever a compressor would not have written is called damage.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "symbols have few bits and chunks few bytes, so nothing is cut off: a place grows by little more \
              than 64 KiB before the output is asked whether it reaches there. These loops are what reading takes"
)]

mod bits;
mod lzx;
#[cfg(test)]
mod tests;
mod xpress;

pub(crate) use lzx::lzx;
pub(crate) use xpress::xpress;
