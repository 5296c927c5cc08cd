//! What pages are made of. Components show what they are given.

mod backup_dialog;
mod badge;
mod bar;
mod connect_dialog;
mod delete_backup_dialog;
mod dialog;
mod discover_dialog;
mod empty_state;
mod error_notice;
mod icon;
mod menu;
mod running_panel;
mod sidebar;
mod text;
mod toasts;

pub(crate) use self::backup_dialog::BackupDialog;
pub(crate) use self::badge::{BackupTypeBadge, Badge, StatusBadge, VmStateBadge};
pub(crate) use self::bar::Bar;
pub(crate) use self::connect_dialog::{AddHubDialog, SignInDialog};
pub(crate) use self::delete_backup_dialog::DeleteBackupDialog;
pub(crate) use self::dialog::Dialog;
pub(crate) use self::discover_dialog::DiscoverDialog;
pub(crate) use self::empty_state::EmptyState;
pub(crate) use self::error_notice::ErrorNotice;
pub(crate) use self::icon::{Icon, Picture};
pub(crate) use self::menu::{Menu, MenuItem};
pub(crate) use self::running_panel::{RunningLine, RunningPanel};
pub(crate) use self::sidebar::Sidebar;
pub(crate) use self::text::{Ago, Size};
pub(crate) use self::toasts::Toasts;
