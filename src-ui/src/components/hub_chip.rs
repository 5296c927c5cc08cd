//! The hub that is asked, at the foot of the sidebar, and the list of the others.

use sendense_types::commands::{RemoveHub, SignOut};
use sendense_types::{ErrorKind, HubId, SavedHub, Session, SessionState};
use sendense_words as words;
use yew::prelude::*;

use super::{Dialog, Picture, error_notice, icon};
use crate::dom;
use crate::hooks::use_action;
use crate::state::app::{AppContext, Change};

#[derive(Clone, PartialEq, Properties)]
pub(crate) struct HubChipProps {
    pub(crate) session: Session,
    pub(crate) on_connect: Callback<HubId>,
    pub(crate) on_add_hub: Callback<()>,
}

/// Name and state of the hub; a click opens what can be done about it.
#[component]
pub(crate) fn HubChip(props: &HubChipProps) -> Html {
    let is_open = use_state(|| false);
    let doomed = use_state(|| None::<SavedHub>);
    let (button, menu) = (use_node_ref(), use_node_ref());
    let app = use_context::<AppContext>();
    let sign_out = use_action::<SignOut>(Callback::from(move |session| {
        if let Some(app) = &app {
            app.dispatch(Change::SessionRead(session));
        }
    }));
    {
        let menu = menu.clone();
        use_effect_with(*is_open, move |is_open| {
            if let (true, Some(menu)) = (is_open, menu.cast()) {
                dom::focus_child(&menu, dom::Step::First);
            }
        });
    }
    let session = &props.session;
    let Some(hub) = session.current_hub() else {
        return Html::default();
    };
    let (tone, state) = standing(session, hub);
    let state = match &hub.username {
        Some(user) => words::hubs::state_as(state, user),
        None => state.to_owned(),
    };
    let close = {
        let (is_open, button) = (is_open.clone(), button.clone());
        Callback::from(move |()| {
            is_open.set(false);
            dom::focus(&button);
        })
    };
    let toggle = {
        let is_open = is_open.clone();
        Callback::from(move |_: MouseEvent| is_open.set(!*is_open))
    };
    let onkeydown = {
        let (close, menu) = (close.clone(), menu.clone());
        Callback::from(move |event: KeyboardEvent| {
            let Some(menu) = menu.cast() else { return };
            match event.key().as_str() {
                "ArrowDown" => dom::focus_child(&menu, dom::Step::Next),
                "ArrowUp" => dom::focus_child(&menu, dom::Step::Previous),
                "Escape" | "Tab" => close.emit(()),
                _ => return,
            }
            event.prevent_default();
        })
    };
    let then_close = |callback: Callback<()>| {
        let close = close.clone();
        Callback::from(move |_: MouseEvent| {
            close.emit(());
            callback.emit(());
        })
    };
    let connect = |id: &HubId| {
        let id = id.clone();
        then_close(props.on_connect.reform(move |()| id.clone()))
    };
    let ask_to_remove = {
        let (doomed, hub) = (doomed.clone(), hub.clone());
        Callback::from(move |()| doomed.set(Some(hub.clone())))
    };
    let keep = {
        let doomed = doomed.clone();
        Callback::from(move |()| doomed.set(None))
    };
    let has_signed_in = hub.username.is_some() && session.state == SessionState::Connected;
    html! {
        <div class="hub-chip" {onkeydown}>
            if *is_open {
                <div class="menu-backdrop" onclick={close.reform(|_: MouseEvent| ())}></div>
                <div class="menu hub-chip__menu" role="menu" aria-label={words::hubs::menu()} ref={menu}>
                    for known in &session.hubs {
                        <button
                            key={known.id.0.clone()} type="button" role="menuitemradio"
                            aria-checked={(known.id == session.current).to_string()}
                            onclick={connect(&known.id)}
                        >
                            <span class="menu__text">{ &known.name }<small>{ address_of(known) }</small></span>
                        </button>
                    }
                    <button class="menu__first" type="button" role="menuitem" onclick={then_close(props.on_add_hub.clone())}>{ words::hubs::add() }</button>
                    if has_signed_in {
                        <button type="button" role="menuitem" onclick={then_close(sign_out.run.reform(|()| SignOut {}))}>{ words::hubs::sign_out() }</button>
                    }
                    if !hub.is_this_computer() {
                        <button type="button" role="menuitem" onclick={then_close(ask_to_remove)}>{ words::hubs::remove_asks(&hub.name) }</button>
                    }
                </div>
            }
            <button
                class="hub-chip__button" type="button" onclick={toggle} ref={button}
                aria-haspopup="menu" aria-expanded={is_open.to_string()}
                aria-label={words::hubs::chip(&hub.name, &state)}
            >
                <span class={classes!("hub-chip__dot", tone)}></span>
                <span class="sidebar__text">
                    <strong>{ &hub.name }</strong>
                    <small>{ &state }</small>
                </span>
                <span class="hub-chip__more">{ icon(Picture::Chevron) }</span>
            </button>
            if let Some(hub) = (*doomed).clone() {
                <RemoveHubDialog {hub} on_close={keep} />
            }
        </div>
    }
}

#[derive(Clone, PartialEq, Properties)]
struct RemoveHubDialogProps {
    hub: SavedHub,
    on_close: Callback<()>,
}

/// Asks before a hub is forgotten.
#[component]
fn RemoveHubDialog(props: &RemoveHubDialogProps) -> Html {
    let app = use_context::<AppContext>();
    let hub = &props.hub;
    let remove = {
        let on_close = props.on_close.clone();
        use_action::<RemoveHub>(Callback::from(move |session| {
            on_close.emit(());
            if let Some(app) = &app {
                app.dispatch(Change::SessionRead(session));
            }
        }))
    };
    let on_action = {
        let hub_id = hub.id.clone();
        remove.run.reform(move |()| RemoveHub {
            hub_id: hub_id.clone(),
        })
    };
    html! {
        <Dialog
            title={words::hubs::remove_question(&hub.name)} action={words::common::remove()} {on_action} on_close={props.on_close.clone()}
            is_busy={remove.is_running}
        >
            <p>{ words::hubs::removal() }</p>
            if let Some(error) = &remove.error {
                { error_notice(error, None) }
            }
        </Dialog>
    }
}

/// The colour of the dot, and the same in words.
fn standing(session: &Session, hub: &SavedHub) -> (&'static str, &'static str) {
    match &session.state {
        SessionState::Connecting => ("is-run", words::hubs::connecting()),
        SessionState::Connected if hub.is_this_computer() => ("is-ok", words::hubs::running_here()),
        SessionState::Connected => ("is-ok", words::hubs::connected()),
        SessionState::SignedOut { .. } => ("is-warn", words::hubs::signed_out_state()),
        SessionState::Offline { error } if error.kind == ErrorKind::Untrusted => {
            ("is-bad", words::hubs::not_trusted())
        }
        SessionState::Offline { .. } => ("is-bad", words::hubs::not_reachable()),
    }
}

fn address_of(hub: &SavedHub) -> String {
    hub.address
        .clone()
        .unwrap_or_else(|| words::hubs::inside().to_owned())
}
