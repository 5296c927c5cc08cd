//! Hubs: which there are, and how we stand with the current one.

use sendense_core::{HubSession, trust_ca_file};
use sendense_types::SessionState;
use sendense_types::commands::{
    AddHub, ChooseCaFile, ConnectHub, GetSession, RemoveHub, Reply, SignIn, SignOut, TestHub,
    TrustHub,
};
use sendense_words as words;
use tauri::{AppHandle, Manager, Runtime, State, command};

use crate::local_hub::OwnHub;
use crate::{Result, dialogs};

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
    session.test(&request.address, &request.trust).await
}

#[command]
pub(crate) async fn add_hub(
    session: State<'_, HubSession>,
    request: AddHub,
) -> Result<Reply<AddHub>> {
    let AddHub {
        name,
        address,
        trust,
        credentials,
    } = request;
    session.add(&name, &address, trust, &credentials).await
}

#[command]
pub(crate) async fn choose_ca_file<R: Runtime>(
    app: AppHandle<R>,
    request: ChooseCaFile,
) -> Result<Reply<ChooseCaFile>> {
    let ChooseCaFile {} = request;
    let title = words::frame::choose_ca_file();
    let chosen = dialogs::choose_file_to_read(&app, title).await?;
    chosen.map(|file| trust_ca_file(&file)).transpose()
}

#[command]
pub(crate) async fn trust_hub(
    session: State<'_, HubSession>,
    request: TrustHub,
) -> Result<Reply<TrustHub>> {
    session.trust(&request.hub_id, request.trust).await
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
