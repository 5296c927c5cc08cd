//! The way to every page, and the hub that is asked.

use sendense_types::{DownloadState, HubId, Session, SessionState};
use yew::prelude::*;
use yew_router::prelude::*;

use super::{Icon, Picture};
use crate::format;
use crate::route::Route;
use crate::state::app::AppState;

#[derive(Clone, PartialEq, Properties)]
pub(crate) struct SidebarProps {
    pub(crate) state: AppState,
    pub(crate) on_connect: Callback<HubId>,
    pub(crate) on_add_hub: Callback<()>,
}

/// The left edge of the window.
#[component]
pub(crate) fn Sidebar(props: &SidebarProps) -> Html {
    let here = use_route::<Route>();
    let navigator = use_navigator();
    let state = &props.state;
    let n_downloads = state
        .downloads
        .iter()
        .filter(|download| {
            matches!(
                download.state,
                DownloadState::Queued | DownloadState::Running
            )
        })
        .count();
    let open = state.mounts.iter().filter(|mount| mount.is_open).count();
    let entry = |route: Route, picture: Picture, text: &'static str, count: usize| {
        let is_here = match (&here, &route) {
            (Some(Route::History { .. }), Route::Vms) => true,
            (Some(Route::Browser { .. } | Route::RestoreOptions { .. }), Route::Mounts) => true,
            (Some(here), route) => here == route,
            (None, _) => false,
        };
        // The router's own link cannot say `aria-current`.
        let href = format!("#{}", route.to_path());
        let onclick = {
            let navigator = navigator.clone();
            Callback::from(move |event: MouseEvent| {
                event.prevent_default();
                if let Some(navigator) = &navigator {
                    navigator.push(&route);
                }
            })
        };
        html! {
            <a
                {href} {onclick} class={classes!("sidebar__entry", is_here.then_some("is-here"))}
                aria-current={is_here.then_some("page")} title={text}
            >
                <Icon {picture} />
                <span class="sidebar__text">{ text }</span>
                if count > 0 {
                    <span class="sidebar__count num">{ count }</span>
                }
            </a>
        }
    };
    html! {
        <nav class="sidebar" aria-label="Main">
            <div class="sidebar__brand"><Icon picture={Picture::Shield} /><span class="sidebar__text">{ "Sendense" }</span></div>
            { entry(Route::Vms, Picture::Machine, "Virtual machines", 0) }
            { entry(Route::Activity, Picture::Pulse, "Activity", state.running.len()) }
            { entry(Route::Mounts, Picture::Clock, "Restore", open) }
            <div class="sidebar__mounts">
                for mount in state.mounts.iter().filter(|mount| mount.is_open) {
                    <Link<Route>
                        key={mount.mount_id.to_string()}
                        to={Route::Browser { mount_id: mount.mount_id.to_string() }}
                        classes="sidebar__mount"
                    >
                        <span>{ crate::pages::mounts::title(mount) }</span>
                        if let Some(end) = mount.expires_at {
                            <span class="num">{ format!("{} min", format::minutes_until(end)) }</span>
                        }
                    </Link<Route>>
                }
            </div>
            { entry(Route::Downloads, Picture::Download, "Downloads", n_downloads) }
            { entry(Route::Repositories, Picture::Stack, "Repositories", 0) }
            { entry(Route::Settings, Picture::Gear, "Settings", 0) }
            if let Some(session) = &state.session {
                <HubChip
                    session={session.clone()} on_connect={props.on_connect.clone()}
                    on_add_hub={props.on_add_hub.clone()}
                />
            }
        </nav>
    }
}

#[derive(Clone, PartialEq, Properties)]
struct HubChipProps {
    session: Session,
    on_connect: Callback<HubId>,
    on_add_hub: Callback<()>,
}

/// The hub that is asked, and the list of the others.
#[component]
fn HubChip(props: &HubChipProps) -> Html {
    let is_open = use_state(|| false);
    let session = &props.session;
    let Some(hub) = session.current_hub() else {
        return Html::default();
    };
    let (tone, words) = match &session.state {
        SessionState::Connecting => ("is-run", "connecting…"),
        SessionState::Connected if hub.is_this_computer() => ("is-ok", "local hub · running"),
        SessionState::Connected => ("is-ok", "connected"),
        SessionState::SignedOut { .. } => ("is-warn", "signed out"),
        SessionState::Offline { .. } => ("is-bad", "not reachable"),
    };
    let user = hub
        .username
        .as_ref()
        .map(|user| format!(" as {user}"))
        .unwrap_or_default();
    let toggle = {
        let is_open = is_open.clone();
        Callback::from(move |_: MouseEvent| is_open.set(!*is_open))
    };
    let onkeydown = {
        let is_open = is_open.clone();
        Callback::from(move |event: KeyboardEvent| {
            if event.key() == "Escape" {
                is_open.set(false);
            }
        })
    };
    let choose = |id: HubId| {
        let (is_open, on_connect) = (is_open.clone(), props.on_connect.clone());
        Callback::from(move |_: MouseEvent| {
            is_open.set(false);
            on_connect.emit(id.clone());
        })
    };
    let add = {
        let (is_open, on_add_hub) = (is_open.clone(), props.on_add_hub.clone());
        Callback::from(move |_: MouseEvent| {
            is_open.set(false);
            on_add_hub.emit(());
        })
    };
    html! {
        <div class="hub-chip" {onkeydown}>
            if *is_open {
                <div class="hub-chip__menu" role="menu" aria-label="Hubs">
                    for known in &session.hubs {
                        <button
                            key={known.id.0.clone()} type="button" role="menuitemradio"
                            aria-checked={(known.id == session.current).to_string()}
                            onclick={choose(known.id.clone())}
                        >
                            { &known.name }
                        </button>
                    }
                    <button type="button" role="menuitem" onclick={add}>{ "Add hub…" }</button>
                </div>
            }
            <button
                class="hub-chip__button" type="button" onclick={toggle}
                aria-haspopup="menu" aria-expanded={is_open.to_string()}
                aria-label={format!("Hub: {}, {words}{user}", hub.name)}
            >
                <span class={classes!("hub-chip__dot", tone)}></span>
                <span class="sidebar__text">
                    <strong>{ &hub.name }</strong>
                    <small>{ words }{ user.clone() }</small>
                </span>
            </button>
        </div>
    }
}
