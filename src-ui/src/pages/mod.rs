//! The pages of the window, one for each entry of the sidebar and each view below one. Pages load data and show it
//! with components.

mod activity;
mod browser;
mod downloads;
mod history;
pub(crate) mod mounts;
mod repositories;
mod restore_options;
mod settings;
mod vms;

pub(crate) use self::activity::Activity;
pub(crate) use self::browser::Browser;
pub(crate) use self::downloads::{DownloadRow, Downloads, n_taken};
pub(crate) use self::history::History;
pub(crate) use self::mounts::Mounts;
pub(crate) use self::repositories::Repositories;
pub(crate) use self::restore_options::RestoreOptions;
pub(crate) use self::settings::Settings;
pub(crate) use self::vms::Vms;
