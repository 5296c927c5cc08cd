//! States in colour, shape and word.

use sendense_types::{BackupStatus, BackupType, VmState};
use yew::prelude::*;

use super::{Icon, Picture};

#[derive(Clone, PartialEq, Properties)]
pub(crate) struct BadgeProps {
    /// `is-ok`, `is-warn`, `is-bad`, `is-run`, `is-full` or `is-plain`.
    pub(crate) tone: &'static str,
    #[prop_or_default]
    pub(crate) picture: Option<Picture>,
    pub(crate) text: AttrValue,
}

/// A word in a coloured capsule.
#[component]
pub(crate) fn Badge(props: &BadgeProps) -> Html {
    html! {
        <span class={classes!("badge", props.tone)}>
            if let Some(picture) = props.picture {
                <Icon {picture} />
            }
            { &props.text }
        </span>
    }
}

#[derive(Clone, PartialEq, Properties)]
pub(crate) struct VmStateBadgeProps {
    pub(crate) state: VmState,
}

/// How well a machine is protected.
#[component]
pub(crate) fn VmStateBadge(props: &VmStateBadgeProps) -> Html {
    let (tone, picture, text) = match props.state {
        VmState::NeverBackedUp => ("is-plain", None, "Never backed up"),
        VmState::Protected => ("is-ok", Some(Picture::Check), "Protected"),
        VmState::Running => ("is-run", Some(Picture::Pulse), "Running"),
        VmState::LastBackupFailed => ("is-bad", Some(Picture::Cross), "Last backup failed"),
        VmState::LastBackupDamaged => ("is-bad", Some(Picture::Cross), "Last backup damaged"),
    };
    html! { <Badge {tone} {picture} {text} /> }
}

#[derive(Clone, PartialEq, Properties)]
pub(crate) struct StatusBadgeProps {
    pub(crate) status: BackupStatus,
}

/// How a backup stands.
#[component]
pub(crate) fn StatusBadge(props: &StatusBadgeProps) -> Html {
    let (tone, picture, text) = match props.status {
        BackupStatus::Completed => ("is-ok", Some(Picture::Check), "Completed"),
        BackupStatus::Failed => ("is-bad", Some(Picture::Cross), "Failed"),
        BackupStatus::Cancelled => ("is-plain", Some(Picture::Close), "Cancelled"),
        BackupStatus::Active => ("is-run", Some(Picture::Pulse), "Running"),
        BackupStatus::Unknown => ("is-plain", None, "Unknown"),
    };
    html! { <Badge {tone} {picture} {text} /> }
}

#[derive(Clone, PartialEq, Properties)]
pub(crate) struct BackupTypeBadgeProps {
    pub(crate) backup_type: BackupType,
}

/// Full or incremental.
#[component]
pub(crate) fn BackupTypeBadge(props: &BackupTypeBadgeProps) -> Html {
    let (tone, text) = match props.backup_type {
        BackupType::Full => ("is-full", "Full"),
        BackupType::Incremental => ("is-plain", "Incremental"),
        BackupType::Unknown => ("is-plain", "Other"),
    };
    html! { <Badge {tone} picture={None} {text} /> }
}
