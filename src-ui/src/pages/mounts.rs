//! The open mounts: how long they last, and the buttons to browse, keep and close them.

use sendense_types::commands::{CloseMount, GetMountSlots, KeepMountOpen, ListMounts, Remount};
use sendense_types::{Expiry, MountId, OpenMount};
use sendense_words as words;
use yew::prelude::*;
use yew_router::prelude::*;

use crate::components::{Picture, backup_type_badge, badge, empty_state, error_notices};
use crate::format;
use crate::hooks::{use_action, use_query};
use crate::route::Route;
use crate::state::app::{AppContext, Change};

/// The list of open mounts.
#[component]
pub(crate) fn Mounts() -> Html {
    let Some(app) = use_context::<AppContext>() else {
        return Html::default();
    };
    let navigator = use_navigator();
    let listed = use_query(ListMounts {}, app.version);
    let n_open = app.mounts.iter().filter(|mount| mount.is_open).count();
    let slots = use_query(GetMountSlots {}, n_open as u64);
    {
        let app = app.clone();
        use_effect_with(listed.data.clone(), move |listed| {
            if let Some(mounts) = listed {
                app.dispatch(Change::MountsRead((**mounts).clone()));
            }
        });
    }
    let keep = use_action::<KeepMountOpen>(Callback::noop());
    let close = use_action::<CloseMount>(Callback::noop());
    let remount = use_action::<Remount>(Callback::from(move |mount: OpenMount| {
        if let Some(navigator) = &navigator {
            navigator.push(&Route::Browser {
                mount_id: mount.mount_id.to_string(),
            });
        }
    }));
    let is_busy = close.is_running || remount.is_running;
    let actions = RowActions {
        on_keep: keep.run.reform(|mount_id| KeepMountOpen { mount_id }),
        on_close: close.run.reform(|mount_id| CloseMount { mount_id }),
        on_remount: remount.run.reform(|mount_id| Remount { mount_id }),
    };
    let errors = [&listed.error, &keep.error, &close.error, &remount.error];
    html! {
        <>
        <header class="page__head">
            <h1>{ words::mounts::title() }</h1>
            if let Some(slots) = slots.data.as_deref().copied().flatten() {
                <p class="faint num">{ words::mounts::slots(slots.used, slots.most) }</p>
            }
        </header>
        <div class="page__body">
            { error_notices(errors.into_iter().flatten(), Some(&listed.reload)) }
            if app.mounts.is_empty() && listed.data.is_some() {
                { empty_state(
                    Picture::Clock, words::mounts::none(),
                    words::mounts::none_hint(), Html::default(),
                ) }
            } else if listed.data.is_none() && listed.is_loading && app.mounts.is_empty() {
                <div class="skeleton" role="status" aria-label={words::common::loading()}></div>
            }
            <ul class="rows" aria-label={words::mounts::open()}>
                for mount in &app.mounts {
                    { mount_row(mount, is_busy, &actions) }
                }
            </ul>
        </div>
        </>
    }
}

/// The actions of a mount.
struct RowActions {
    on_keep: Callback<MountId>,
    on_close: Callback<MountId>,
    on_remount: Callback<MountId>,
}

fn mount_row(mount: &OpenMount, is_busy: bool, actions: &RowActions) -> Html {
    let with_id = |callback: &Callback<MountId>| {
        let id = mount.mount_id.clone();
        callback.reform(move |_: MouseEvent| id.clone())
    };
    let browse = Route::Browser {
        mount_id: mount.mount_id.to_string(),
    };
    let is_theirs = mount.is_somebody_elses();
    html! {
        <li class="row" key={mount.mount_id.to_string()} aria-label={format::mount_title(mount)}>
            <div class="row__text">
                <strong>{ format::mount_title(mount) }</strong>
                <small class="faint num">
                    { mount.backup_time.map(format::date).unwrap_or_default() }
                    { " " }
                    { mount.filesystem_type.as_deref().map(format::file_system).unwrap_or_default() }
                </small>
            </div>
            if let Some(backup_type) = mount.backup_type {
                { backup_type_badge(backup_type) }
            }
            if is_theirs && mount.vm_name.is_some() {
                { badge("is-plain", None, words::mounts::not_mine()) }
            }
            { lasts(mount) }
            if mount.is_open {
                <Link<Route> to={browse} classes="button is-small">{ words::common::browse() }</Link<Route>>
                <button
                    class="button is-small" type="button" disabled={why_not_kept(mount).is_some()} onclick={with_id(&actions.on_keep)}
                    title={why_not_kept(mount)}
                >
                    { words::mounts::keep_open() }
                </button>
                <button
                    class="button is-small" type="button" disabled={is_busy || is_theirs} onclick={with_id(&actions.on_close)}
                    title={is_theirs.then(words::mounts::not_ours)}
                >
                    { if is_busy { words::mounts::unmounting() } else { words::mounts::unmount() } }
                </button>
            } else {
                <button class="button is-small is-primary" type="button" onclick={with_id(&actions.on_remount)}>{ words::mounts::remount() }</button>
            }
        </li>
    }
}

/// Why a mount cannot be kept open; `None` where it can.
pub(crate) fn why_not_kept(mount: &OpenMount) -> Option<&'static str> {
    if mount.is_somebody_elses() {
        return Some(words::mounts::not_ours());
    }
    (mount.expiry == Expiry::Fixed).then(words::mounts::fixed_hint)
}

/// How long a mount lasts, or that it has expired.
fn lasts(mount: &OpenMount) -> Html {
    match (mount.is_open, mount.expires_at.map(format::minutes_until)) {
        (false, _) => badge("is-bad", Some(Picture::Cross), words::mounts::expired()),
        (true, Some(minutes)) => expiry_badge(minutes),
        (true, None) => Html::default(),
    }
}

/// "Expires in 52 min", as a warning if that is soon.
pub(crate) fn expiry_badge(minutes: u64) -> Html {
    let tone = if format::is_soon(minutes) {
        "is-warn"
    } else {
        "is-plain"
    };
    badge(tone, Some(Picture::Clock), format::expires_in(minutes))
}
