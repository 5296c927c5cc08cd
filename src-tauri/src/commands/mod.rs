//! One function for each line of the table of commands. Each takes its request, asks the core and
//! returns; none of them decides anything.

// What the shell's macro needs beside each function is made by `#[tauri::command]` and found by glob.
mod app;
mod backups;
mod downloads;
mod full_restores;
mod hub;
mod mounts;
mod repositories;
mod vms;

pub(crate) use self::app::*;
pub(crate) use self::backups::*;
pub(crate) use self::downloads::*;
pub(crate) use self::full_restores::*;
pub(crate) use self::hub::*;
pub(crate) use self::mounts::*;
pub(crate) use self::repositories::*;
pub(crate) use self::vms::*;
