//! The frame around every page: sidebar, messages, the hub's state; and the core's news.

use sendense_types::commands::{
    Command, ConnectHub, GetSession, GetSettings, ListDownloads, ListMounts, ListRunningBackups,
};
use sendense_types::{HubId, Place, SessionState, Theme, Units};
use yew::prelude::*;
use yew_router::prelude::*;

use crate::components::{AddHubDialog, Sidebar, SignInDialog, Toasts, use_hub_trouble};
use crate::hooks::{IsOffline, use_action};
use crate::route::Route;
use crate::state::app::{AppContext, AppState, Change};
use crate::{dom, ipc, pages};

/// Countdowns and "2 hours ago" are drawn anew so often.
const TICK_MS: u32 = 20_000;

/// The window's contents.
#[component]
pub fn App() -> Html {
    html! {
        <HashRouter>
            <Frame />
        </HashRouter>
    }
}

#[component]
fn Frame() -> Html {
    let state = use_reducer(AppState::default);
    let navigator = use_navigator();
    let is_adding = use_state(|| false);
    let is_signing_in = use_state(|| false);
    use_core(&state);
    use_tick();

    {
        let theme = state.settings.theme;
        use_effect_with(theme, |theme| {
            dom::set_theme(match theme {
                Theme::System => None,
                Theme::Light => Some("light"),
                Theme::Dark => Some("dark"),
            });
        });
    }
    let on_show = Callback::from(move |place: Place| {
        if let Some(navigator) = &navigator {
            navigator.push(&route_to(place));
        }
    });
    {
        let (state, on_show) = (state.clone(), on_show.clone());
        use_effect_with(state.wanted.clone(), move |wanted| {
            if let Some(place) = wanted.clone() {
                on_show.emit(place);
                state.dispatch(Change::Arrived);
            }
        });
    }
    let hub_id = state
        .session
        .as_ref()
        .map(|session| session.current.clone());
    use_first_page(hub_id.clone());
    let connect = {
        let state = state.clone();
        use_action::<ConnectHub>(Callback::from(move |session| {
            state.dispatch(Change::SessionRead(session));
        }))
    };
    let on_connect = connect.run.reform(|hub_id| ConnectHub { hub_id });
    let set_flag = |flag: &UseStateHandle<bool>, value: bool| {
        let flag = flag.clone();
        Callback::from(move |()| flag.set(value))
    };
    let on_session = {
        let (state, is_adding, is_signing_in) =
            (state.clone(), is_adding.clone(), is_signing_in.clone());
        Callback::from(move |session| {
            state.dispatch(Change::SessionRead(session));
            is_adding.set(false);
            is_signing_in.set(false);
        })
    };
    let on_dismiss = {
        let state = state.clone();
        Callback::from(move |id| state.dispatch(Change::Dismiss(id)))
    };
    let session = state.session.as_ref();
    let trouble = use_hub_trouble(
        session,
        &on_connect,
        set_flag(&is_signing_in, true),
        &on_session,
    );
    let hub = session.and_then(|session| session.current_hub().cloned());
    let session_state = session.map(|session| &session.state);
    let is_offline = IsOffline(matches!(session_state, Some(SessionState::Offline { .. })));
    html! {
        <ContextProvider<AppContext> context={state.clone()}>
        <ContextProvider<Units> context={state.settings.units}>
        <ContextProvider<IsOffline> context={is_offline}>
            <div class="frame">
                <Sidebar
                    state={(*state).clone()} {on_connect} on_add_hub={set_flag(&is_adding, true)}
                />
                <main class="page">
                    { trouble.notice }
                    <div class="page__content" key={hub_id.map(|id| id.0).unwrap_or_default()}>
                        <Switch<Route> render={switch} />
                    </div>
                </main>
                <Toasts toasts={state.toasts.clone()} {on_dismiss} {on_show} />
                if *is_adding {
                    <AddHubDialog on_added={on_session.clone()} on_close={set_flag(&is_adding, false)} />
                }
                { trouble.dialog }
                if *is_signing_in {
                    if let Some(hub) = hub {
                        <SignInDialog
                            {hub} on_trust={trouble.on_trust} on_signed_in={on_session}
                            on_close={set_flag(&is_signing_in, false)}
                        />
                    }
                }
            </div>
        </ContextProvider<IsOffline>>
        </ContextProvider<Units>>
        </ContextProvider<AppContext>>
    }
}

/// Begins on the list of VMs when the hub is another: what a page shows belongs to the hub it was asked for.
#[hook]
fn use_first_page(hub_id: Option<HubId>) {
    let navigator = use_navigator();
    let last = use_mut_ref(|| None::<HubId>);
    use_effect_with(hub_id, move |hub_id| {
        let before = last.replace(hub_id.clone());
        if let (Some(navigator), true) = (navigator, before.is_some() && before != *hub_id) {
            navigator.push(&Route::Vms);
        }
    });
}

/// Reads how things are once, and then follows the news.
#[hook]
fn use_core(state: &AppContext) {
    let dispatcher = state.dispatcher();
    use_effect_with((), move |()| {
        let news = dispatcher.clone();
        // First the news, so that nothing is missed between the two.
        ipc::follow_news(
            move |event| news.dispatch(Change::News(event)),
            move |followed| {
                if let Err(error) = followed {
                    dispatcher.dispatch(Change::failed(&error));
                }
                read(&dispatcher, &GetSettings {}, Change::SettingsRead);
                read(&dispatcher, &GetSession {}, Change::SessionRead);
                read(&dispatcher, &ListDownloads {}, Change::DownloadsRead);
                read(&dispatcher, &ListRunningBackups {}, Change::RunningRead);
                read(&dispatcher, &ListMounts {}, Change::MountsRead);
            },
        );
    });
}

/// Asks for the state of something; a hub that does not answer is said by the session.
fn read<C: Command>(
    dispatcher: &UseReducerDispatcher<AppState>,
    request: &C,
    change: fn(C::Reply) -> Change,
) where
    C::Reply: 'static,
{
    let dispatcher = dispatcher.clone();
    ipc::send(request, move |reply| {
        if let Ok(reply) = reply {
            dispatcher.dispatch(change(reply));
        }
    });
}

/// Draws the page anew from time to time.
#[hook]
fn use_tick() {
    let tick = use_force_update();
    use_effect_with((), move |()| {
        let interval = gloo_timers::callback::Interval::new(TICK_MS, move || tick.force_update());
        move || drop(interval)
    });
}

fn route_to(place: Place) -> Route {
    match place {
        Place::Backup { vm_id } => Route::History {
            id: vm_id.to_string(),
        },
        Place::Mount { mount_id } => Route::Browser {
            mount_id: mount_id.to_string(),
        },
        Place::Downloads => Route::Downloads,
    }
}

fn switch(route: Route) -> Html {
    match route {
        Route::Vms => html! { <pages::Vms /> },
        Route::History { id } => html! { <pages::History key={id.clone()} vm_id={id.clone()} /> },
        Route::RestoreOptions { backup_id } => html! { <pages::RestoreOptions {backup_id} /> },
        Route::Browser { mount_id } => {
            html! { <pages::Browser key={mount_id.clone()} mount_id={mount_id.clone()} /> }
        }
        Route::Mounts => html! { <pages::Mounts /> },
        Route::Downloads => html! { <pages::Downloads /> },
        Route::Activity => html! { <pages::Activity /> },
        Route::Repositories => html! { <pages::Repositories /> },
        Route::Settings => html! { <pages::Settings /> },
        Route::Nowhere => html! { <Redirect<Route> to={Route::Vms} /> },
    }
}
