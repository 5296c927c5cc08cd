//! The two ways in which Windows compresses its own files ("Compact OS", WIM), chunk by chunk.
//!
//! Each chunk is independent, and its decompressed length is known in advance. Nothing in a chunk distinguishes damage
//! from content, so anything a compressor would not have written counts as damage.

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
