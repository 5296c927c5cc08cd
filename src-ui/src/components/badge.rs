//! States in colour, shape and word.

use sendense_types::{BackupStatus, BackupType, VmState};
use sendense_words as words;
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
        VmState::NeverBackedUp => badge("is-plain", None, words::vms::never_backed_up()),
        VmState::Protected => badge("is-ok", Some(Picture::Check), words::vms::protected()),
        VmState::Running => badge("is-run", Some(Picture::Pulse), words::backups::running()),
        VmState::LastBackupFailed => {
            badge("is-bad", Some(Picture::Cross), words::vms::last_failed())
        }
        VmState::LastBackupDamaged => {
            badge("is-bad", Some(Picture::Cross), words::vms::last_damaged())
        }
        VmState::LastBackupUnconfirmed => badge(
            "is-warn",
            Some(Picture::Warning),
            words::vms::last_unconfirmed(),
        ),
        VmState::Unknown => badge("is-warn", Some(Picture::Warning), words::vms::unknown()),
    }
}

/// How a backup stands.
pub(crate) fn status_badge(status: BackupStatus) -> Html {
    match status {
        BackupStatus::Completed => {
            badge("is-ok", Some(Picture::Check), words::backups::completed())
        }
        BackupStatus::Unconfirmed => badge(
            "is-warn",
            Some(Picture::Warning),
            words::backups::unconfirmed(),
        ),
        BackupStatus::Failed => badge("is-bad", Some(Picture::Cross), words::backups::failed()),
        BackupStatus::Cancelled => badge(
            "is-plain",
            Some(Picture::Close),
            words::backups::cancelled(),
        ),
        BackupStatus::Active => badge("is-run", Some(Picture::Pulse), words::backups::running()),
        BackupStatus::Unknown => badge("is-plain", None, words::backups::unknown()),
    }
}

/// Full or incremental.
pub(crate) fn backup_type_badge(backup_type: BackupType) -> Html {
    match backup_type {
        BackupType::Full => badge("is-full", None, words::backups::full()),
        BackupType::Incremental => badge("is-plain", None, words::backups::incremental()),
        BackupType::Unknown => badge("is-plain", None, words::backups::other_type()),
    }
}
