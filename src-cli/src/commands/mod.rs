//! The commands, a file for each subject.

pub(crate) mod backup;
pub(crate) mod diagnostics;
pub(crate) mod full_restore;
pub(crate) mod hub;
pub(crate) mod hubs;
pub(crate) mod live;
pub(crate) mod login;
pub(crate) mod reference;
pub(crate) mod repository;
pub(crate) mod restore;
pub(crate) mod retention;
pub(crate) mod serve;
pub(crate) mod vm;
