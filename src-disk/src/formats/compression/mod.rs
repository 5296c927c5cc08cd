//! The two ways in which Windows compresses its own files ("Compact OS", WIM), chunk by chunk.
//!
//! Each chunk is independent, and its decompressed length is known in advance. Nothing in a chunk distinguishes damage
//! from content, so anything a compressor would not have written counts as damage.

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
