//! States in colour, shape and word.

use sendense_types::{BackupStatus, BackupType, VmState};
use yew::prelude::*;

use super::{Picture, icon};

/// A word in a coloured capsule: `is-ok`, `is-warn`, `is-bad`, `is-run`, `is-full` or `is-plain`.
pub(crate) fn badge(
    tone: &'static str,
    picture: Option<Picture>,
    text: impl Into<AttrValue>,
) -> Html {
    html! {
        <span class={classes!("badge", tone)}>{ picture.map(icon) }{ text.into() }</span>
    }
}

/// How well a VM is protected.
pub(crate) fn vm_state_badge(state: VmState) -> Html {
    match state {
        VmState::NeverBackedUp => badge("is-plain", None, "Never backed up"),
        VmState::Protected => badge("is-ok", Some(Picture::Check), "Protected"),
        VmState::Running => badge("is-run", Some(Picture::Pulse), "Running"),
        VmState::LastBackupFailed => badge("is-bad", Some(Picture::Cross), "Last backup failed"),
        VmState::LastBackupDamaged => badge("is-bad", Some(Picture::Cross), "Last backup damaged"),
    }
}

/// How a backup stands.
pub(crate) fn status_badge(status: BackupStatus) -> Html {
    match status {
        BackupStatus::Completed => badge("is-ok", Some(Picture::Check), "Completed"),
        BackupStatus::Failed => badge("is-bad", Some(Picture::Cross), "Failed"),
        BackupStatus::Cancelled => badge("is-plain", Some(Picture::Close), "Cancelled"),
        BackupStatus::Active => badge("is-run", Some(Picture::Pulse), "Running"),
        BackupStatus::Unknown => badge("is-plain", None, "Unknown"),
    }
}

/// Full or incremental.
pub(crate) fn backup_type_badge(backup_type: BackupType) -> Html {
    match backup_type {
        BackupType::Full => badge("is-full", None, "Full"),
        BackupType::Incremental => badge("is-plain", None, "Incremental"),
        BackupType::Unknown => badge("is-plain", None, "Other"),
    }
}
