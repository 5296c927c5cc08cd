//! Which mount is open, how long it lasts, and the buttons to keep it open and to close it.

use sendense_types::commands::{CloseMount, KeepMountOpen};
use sendense_types::{BackupType, OpenMount};
use sendense_words as words;
use yew::prelude::*;
use yew_router::prelude::*;

use crate::components::{Picture, error_notices, icon};
use crate::format;
use crate::hooks::use_action;
use crate::pages::mounts::{expiry_badge, why_not_kept};
use crate::route::Route;
use crate::state::app::{AppContext, Change};

#[derive(Clone, PartialEq, Properties)]
pub(super) struct HeadProps {
    pub(super) mount: OpenMount,
    pub(super) is_gone: bool,
}

/// Title, countdown, Keep open, Close.
#[component]
pub(super) fn Head(props: &HeadProps) -> Html {
    let app = use_context::<AppContext>();
    let navigator = use_navigator();
    let mount = &props.mount;
    let keep = use_action::<KeepMountOpen>(Callback::from(move |_: OpenMount| {
        if let Some(app) = &app {
            app.dispatch(Change::done(
                words::mounts::kept_open(),
                words::mounts::kept_open_hint(),
            ));
        }
    }));
    let leave = Callback::from(move |()| {
        if let Some(navigator) = &navigator {
            navigator.replace(&Route::Mounts);
        }
    });
    let close = use_action::<CloseMount>(leave.clone());
    let on_keep = {
        let id = mount.mount_id.clone();
        keep.run.reform(move |_: MouseEvent| KeepMountOpen {
            mount_id: id.clone(),
        })
    };
    let on_close = if mount.is_somebody_elses() {
        // It stays open for whoever opened it.
        leave.reform(|_: MouseEvent| ())
    } else {
        let id = mount.mount_id.clone();
        close.run.reform(move |_: MouseEvent| CloseMount {
            mount_id: id.clone(),
        })
    };
    let why_not_kept = why_not_kept(mount);
    let minutes = mount
        .expires_at
        .filter(|_| !props.is_gone)
        .map(format::minutes_until);
    let errors = [&keep.error, &close.error];
    html! {
        <>
        <header class="page__head">
            <div class="page__title">
                <h1 title={format::mount_title(mount)}>{ format::mount_title(mount) }</h1>
                <small class="faint">{ subtitle(mount) }</small>
            </div>
            <span class="page__space"></span>
            if let Some(minutes) = minutes {
                { expiry_badge(minutes) }
            }
            <button
                class="button" type="button" onclick={on_keep} disabled={why_not_kept.is_some() || props.is_gone || keep.is_running}
                title={why_not_kept}
            >
                { words::mounts::keep_open() }
            </button>
            <button class="button" type="button" onclick={on_close} disabled={close.is_running}>
                { icon(Picture::Close) }
                { if close.is_running { words::mounts::unmounting() } else { words::common::close() } }
            </button>
        </header>
        { error_notices(errors.into_iter().flatten(), None) }
        </>
    }
}

/// "8 Oct 2025 19:24 · Full · NTFS · read-only"
fn subtitle(mount: &OpenMount) -> String {
    let kind = mount.backup_type.map(|backup_type| match backup_type {
        BackupType::Full => words::backups::full(),
        BackupType::Incremental => words::backups::incremental(),
        BackupType::Unknown => words::backups::other_type(),
    });
    let parts = [
        mount.backup_time.map(format::date),
        kind.map(str::to_owned),
        mount.filesystem_type.as_deref().map(format::file_system),
        Some(words::mounts::read_only().to_owned()),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
}
