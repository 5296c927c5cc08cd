//! Every text a user reads, in one place: the window, the terminal and the core take their words from here, so that
//! one thing has one name wherever it is met, and a translation has one file to start from.
//!
//! A text is a function, because a [pseudo-locale](use_pseudo_locale) can stand in for all of them at once. What is
//! put into a text (names, numbers, times) is formatted by the caller and never changed here.
//!
//! The style: plain, short, native English; sentence case; a full stop behind whole sentences only; "VM", "recovery
//! point", "repository", "mount" and "hub" for what they are, and no second word for any of them; `…` on a button that
//! asks before it acts; no blank before `%`.
//!
//! Not here: what a hub says in its own words (shown as details), names of file systems and units, and the help of
//! the command line, which clap takes from the definition of each argument.

mod text;

#[cfg(test)]
mod tests;

pub use text::{is_pseudo_locale, use_pseudo_locale};

use text::words;

/// Declares the rooms of the catalogue, and for the tests the list of all of them.
macro_rules! rooms {
    ($($(#[$meta:meta])* $room:ident)*) => {
        $($(#[$meta])* pub mod $room;)*

        /// Every room with its texts.
        #[cfg(test)]
        const ROOMS: &[(&str, &[text::Entry])] = &[$((stringify!($room), $room::ALL)),*];
    };
}

rooms! {
    /// What many screens say: buttons, counts, waiting.
    common
    /// The list of VMs, a VM's state and its disks.
    vms
    /// Finding VMs in a folder of this computer.
    discovery
    /// Starting a backup, and one that is running.
    backups
    /// The recovery points of a VM: the list, verifying, pinning, deleting.
    history
    /// What a retention keeps and removes.
    retention
    /// All backups of all VMs.
    activity
    /// Repositories, and copying recovery points between them.
    repositories
    /// Mounts: opening one, how long it lasts, closing it.
    mounts
    /// The files of a mounted disk.
    browser
    /// Files and folders on their way to this computer.
    downloads
    /// Hubs: connecting, signing in, being offline.
    hubs
    /// Settings of the app.
    settings
    /// The window's frame: menus, sidebar, messages that come and go, tray and notifications.
    frame
    /// What went wrong, what it means and what to do.
    failures
    /// What only the terminal says.
    terminal
}
