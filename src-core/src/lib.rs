//! The core that app and terminal share: it speaks to a hub, saves files and watches backups.
//!
//! It knows no window, no hub internals and no disks; a hub is an address that answers HTTP, whether
//! it is a remote appliance or the local hub of this computer. Reading order: [`HubClient`] (one
//! method per question), `hub/wire` (what hubs really send, decoded once), `hub/error` (what their
//! failures mean), [`download`] (files and archives onto a disk), [`watch_backup`], [`local_name`].

mod backup_record;
mod backups;
pub mod diagnostics;
pub mod download;
mod events;
mod folders;
mod full_restores;
mod hub;
mod keychain;
mod mounts;
mod names;
mod record;
mod saved_hubs;
mod secrets;
mod session;
mod settings_file;
mod shared_file;
mod speed;
#[cfg(test)]
mod testing;
mod watch;

pub use backup_record::BackupRecord;
pub use backups::Backups;
pub use download::{DownloadRecord, Downloads};
pub use events::Events;
pub use folders::UserFolders;
pub use full_restores::{FolderFrom, FullRestores};
pub use hub::{Admission, HubClient, HubHealth, Offer, Offered, SignIn, Token, trust_ca_file};
pub use keychain::open_keychain;
pub use mounts::{Hold, KnownMount, Listed, MountRecord, Mounts, Recorded, WallClock};
pub use names::{Platform, local_name};
pub use saved_hubs::{SavedHubs, find_hub};
pub use secrets::{MemorySecrets, Secrets};
pub use session::HubSession;
pub use settings_file::SettingsFile;
pub use watch::watch_backup;

/// Shorthand for results: what a user reads is decided where a failure is understood.
pub type Result<T, E = sendense_types::AppError> = std::result::Result<T, E>;
