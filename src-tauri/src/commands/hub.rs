//! Hubs: which there are, and how we stand with the current one.

use sendense_core::HubSession;
use sendense_types::SessionState;
use sendense_types::commands::{
    AddHub, ConnectHub, GetSession, RemoveHub, Reply, SignIn, SignOut, TestHub,
};
use tauri::{AppHandle, Manager, Runtime, State, command};

use crate::Result;
use crate::local_hub::OwnHub;

#[command]
pub(crate) fn get_session(
    session: State<'_, HubSession>,
    request: GetSession,
) -> Reply<GetSession> {
    let GetSession {} = request;
    session.state()
}

#[command]
pub(crate) async fn test_hub(
    session: State<'_, HubSession>,
    request: TestHub,
) -> Result<Reply<TestHub>> {
    session.test(&request.address).await
}

#[command]
pub(crate) async fn add_hub(
    session: State<'_, HubSession>,
    request: AddHub,
) -> Result<Reply<AddHub>> {
    let AddHub {
        name,
        address,
        credentials,
    } = request;
    session.add(&name, &address, &credentials).await
}

#[command]
pub(crate) async fn connect_hub<R: Runtime>(
    app: AppHandle<R>,
    session: State<'_, HubSession>,
    request: ConnectHub,
) -> Result<Reply<ConnectHub>> {
    // A hub of this computer that could not start is started again.
    let own = app.state::<OwnHub>();
    let is_down = matches!(session.state().state, SessionState::Offline { .. });
    if request.hub_id == sendense_types::HubId::this_computer() && is_down && !own.is_running() {
        session.set_local_hub(own.start().await);
    }
    session.connect(&request.hub_id).await
}

#[command]
pub(crate) async fn sign_in(
    session: State<'_, HubSession>,
    request: SignIn,
) -> Result<Reply<SignIn>> {
    session.sign_in(&request.credentials).await
}

#[command]
pub(crate) async fn sign_out(
    session: State<'_, HubSession>,
    request: SignOut,
) -> Result<Reply<SignOut>> {
    let SignOut {} = request;
    session.sign_out().await
}

#[command]
pub(crate) async fn remove_hub(
    session: State<'_, HubSession>,
    request: RemoveHub,
) -> Result<Reply<RemoveHub>> {
    session.remove(&request.hub_id).await
}
