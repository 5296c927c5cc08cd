//! Everything that needs more than one crate, in one binary; a module per subject.
//!
//! The first part of a test's name is its group: `cargo xtask test` runs and times the groups
//! `contract`, `engine` and `downloads` (see docs/testing.md).

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
mod journey;
mod mutations;
mod pages;
mod restore;
mod window;
