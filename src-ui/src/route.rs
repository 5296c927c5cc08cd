//! Places in the window.

use yew_router::prelude::*;

/// A place in the window, as its address says it.
#[derive(Clone, Debug, PartialEq, Routable)]
pub(crate) enum Route {
    /// The virtual machines.
    #[at("/")]
    Vms,
    /// The backups of one of them.
    #[at("/vm/:id")]
    History { id: String },
    /// What of a backup is opened.
    #[at("/restore/:backup_id")]
    RestoreOptions { backup_id: String },
    /// The file browser.
    #[at("/mount/:mount_id")]
    Browser { mount_id: String },
    /// The open mounts.
    #[at("/mounts")]
    Mounts,
    /// What is saved and was saved.
    #[at("/downloads")]
    Downloads,
    /// What runs and what ran.
    #[at("/activity")]
    Activity,
    /// Where backups go.
    #[at("/repositories")]
    Repositories,
    /// The settings.
    #[at("/settings")]
    Settings,
    /// Anything else leads home.
    #[not_found]
    #[at("/nowhere")]
    Nowhere,
}
