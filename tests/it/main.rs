//! Everything that needs more than one crate, in one binary, with one module per subject.
//!
//! `cargo xtask test` sorts the modules into the groups `contract`, `engine`, `downloads` and `window`, and runs and
//! times each group (see docs/testing.md).

#![allow(
    clippy::disallowed_methods,
    reason = "tests run other programs as judges and may look at the clock"
)]
#![allow(
    clippy::unwrap_used,
    reason = "clippy allows it in test functions; the functions they share are tests as well"
)]

mod chain;
mod client;
mod contract;
mod disk;
mod disks;
mod durability;
mod fixtures;
mod full;
mod journey;
mod mutations;
mod pages;
mod restore;
mod window;
