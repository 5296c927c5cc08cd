//! The way to every page.

use sendense_types::{DownloadState, HubId};
use sendense_words as words;
use yew::prelude::*;
use yew_router::prelude::*;

use super::{HubChip, Picture, icon};
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
                { icon(picture) }
                <span class="sidebar__text">{ text }</span>
                if count > 0 {
                    <span class="sidebar__count num">{ count }</span>
                }
            </a>
        }
    };
    html! {
        <nav class="sidebar" aria-label={words::frame::main()}>
            <div class="sidebar__brand">{ icon(Picture::Shield) }<span class="sidebar__text">{ words::common::app_name() }</span></div>
            { entry(Route::Vms, Picture::Machine, words::vms::title(), 0) }
            { entry(Route::Activity, Picture::Pulse, words::activity::title(), state.running.len()) }
            { entry(Route::Mounts, Picture::Clock, words::mounts::title(), open) }
            <div class="sidebar__mounts">
                for mount in state.mounts.iter().filter(|mount| mount.is_open) {
                    <Link<Route>
                        key={mount.mount_id.to_string()}
                        to={Route::Browser { mount_id: mount.mount_id.to_string() }}
                        classes="sidebar__mount"
                    >
                        <span title={format::mount_title(mount)}>{ format::mount_title(mount) }</span>
                        if let Some(minutes) = mount.expires_at.map(format::minutes_until) {
                            <span class={classes!("num", format::is_soon(minutes).then_some("is-soon"))}>{ words::common::minutes_short(minutes) }</span>
                        }
                    </Link<Route>>
                }
            </div>
            { entry(Route::Downloads, Picture::Download, words::downloads::title(), n_downloads) }
            { entry(Route::Repositories, Picture::Stack, words::repositories::title(), 0) }
            { entry(Route::Settings, Picture::Gear, words::settings::title(), 0) }
            if let Some(session) = &state.session {
                <HubChip
                    session={session.clone()} on_connect={props.on_connect.clone()}
                    on_add_hub={props.on_add_hub.clone()}
                />
            }
        </nav>
    }
}
