//! Asking the shell from a component.

use std::cell::Cell;
use std::rc::Rc;

use sendense_types::commands::Command;
use sendense_types::{AppError, ErrorKind, SessionState};
use yew::prelude::*;

use crate::ipc;
use crate::state::app::AppContext;

/// A question and its newest answer. A failure leaves the last good answer in place.
pub(crate) struct Query<T> {
    pub(crate) data: Option<Rc<T>>,
    pub(crate) error: Option<AppError>,
    pub(crate) is_loading: bool,
    /// Asks again.
    pub(crate) reload: Callback<()>,
}

/// Asks once the component is there, and again whenever the request or `version` changes.
///
/// Only the newest question counts, and nothing reaches a component that is gone.
#[hook]
pub(crate) fn use_query<C>(request: C, version: u64) -> Query<C::Reply>
where
    C: Command + Clone + PartialEq + 'static,
    C::Reply: 'static,
{
    let data = use_state(|| None::<(C, Rc<C::Reply>)>);
    let error = use_state(|| None);
    let is_loading = use_state(|| true);
    let times = use_state(|| 0_u64);
    {
        let (data, error, is_loading) = (data.clone(), error.clone(), is_loading.clone());
        use_effect_with(
            (request.clone(), version, *times),
            move |(request, _, _)| {
                let is_wanted = Rc::new(Cell::new(true));
                let still = Rc::clone(&is_wanted);
                let asked = request.clone();
                is_loading.set(true);
                ipc::send(request, move |answer| {
                    if !still.get() {
                        return;
                    }
                    match answer {
                        Ok(reply) => {
                            data.set(Some((asked, Rc::new(reply))));
                            error.set(None);
                        }
                        Err(failure) => error.set(Some(failure)),
                    }
                    is_loading.set(false);
                });
                move || is_wanted.set(false)
            },
        );
    }
    let is_offline = use_context::<AppContext>()
        .and_then(|app| app.session.as_ref().map(|session| session.state.clone()))
        .is_some_and(|state| matches!(state, SessionState::Offline { .. }));
    let reload = use_callback((), move |(), ()| times.set(*times + 1));
    Query {
        // An answer to another question is none.
        data: data
            .as_ref()
            .filter(|(asked, _)| *asked == request)
            .map(|(_, reply)| Rc::clone(reply)),
        // That the hub does not answer is said once, above all pages.
        error: (*error)
            .clone()
            .filter(|error: &AppError| !(is_offline && error.kind == ErrorKind::Offline)),
        is_loading: *is_loading,
        reload,
    }
}

/// Something the user does. While it runs, its button is disabled.
pub(crate) struct Action<C> {
    pub(crate) run: Callback<C>,
    pub(crate) is_running: bool,
    pub(crate) error: Option<AppError>,
}

/// Asks when `run` is called, and hands a good answer to `done`.
#[hook]
pub(crate) fn use_action<C>(done: Callback<C::Reply>) -> Action<C>
where
    C: Command + 'static,
    C::Reply: 'static,
{
    let is_running = use_state(|| false);
    let error = use_state(|| None);
    let is_here = use_mut_ref(|| true);
    {
        let is_here = Rc::clone(&is_here);
        use_effect_with((), move |()| move || *is_here.borrow_mut() = false);
    }
    let run = {
        let (is_running, error) = (is_running.clone(), error.clone());
        Callback::from(move |request: C| {
            let (is_running, error, done) = (is_running.clone(), error.clone(), done.clone());
            let is_here = Rc::clone(&is_here);
            is_running.set(true);
            error.set(None);
            ipc::send(&request, move |answer| {
                if !*is_here.borrow() {
                    return;
                }
                is_running.set(false);
                match answer {
                    Ok(reply) => done.emit(reply),
                    Err(failure) => error.set(Some(failure)),
                }
            });
        })
    };
    Action {
        run,
        is_running: *is_running,
        error: (*error).clone(),
    }
}
