//! Saved hubs, the current one, and how we stand with it (contract 8.1 and 8.2).
//!
//! Every question to a hub goes through [`HubSession::ask`], which notes when the hub stops
//! answering or wants somebody to sign in, and logs why a question failed: the one place where that is
//! done. A hub that stopped answering is asked again, less and less often, until it is back.
//!
//! Whoever turns to another hub leaves work behind on the last one: backups that are watched, mounts, downloads. They go
//! on asking theirs, by [`HubSession::ask_at`], and what becomes of them is told by [`HubSession::tell`].

mod keeping;
mod logged;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sendense_types::commands::Credentials;
use sendense_types::{
    AppError, AppEvent, DiscoveredVm, ErrorKind, HubCheck, HubId, Retry, SavedHub, Secret, Session,
    SessionState, SignInKind, Trust, VmSource,
};
use sendense_words as words;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use self::logged::logged;
use crate::{BackupRecord, Events, HubClient, Result, SavedHubs, Secrets, SignIn, Token};

/// Pauses between two attempts to reach a hub that is offline.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// So long a question waits for a hub that is being reached.
const BEING_REACHED: Duration = Duration::from_secs(5);

/// So long a hub may take to forget a token.
const SIGNING_OUT: Duration = Duration::from_secs(3);

/// How we stand with hubs. Cheap to clone.
#[derive(Clone)]
pub struct HubSession {
    inner: Arc<Inner>,
}

struct Inner {
    state: Mutex<State>,
    secrets: Arc<dyn Secrets>,
    events: Events,
    /// One connection attempt at a time: the second would only overtake the first.
    connecting: tokio::sync::Mutex<()>,
    /// The current hub is another one, or it is known where it is.
    changed: Notify,
}

/// A number for each time a hub became the current one.
pub(crate) type Generation = u64;

struct State {
    session: Session,
    /// For the current hub; with a token once there is one.
    client: Option<HubClient>,
    /// For those that were current before, as they were left.
    left: BTreeMap<HubId, (HubClient, Generation)>,
    /// So that an answer of the last hub changes nothing.
    generation: Generation,
    /// Where the hub of this computer is, or why it did not start; `None` while it starts.
    local: Option<Result<(String, Token)>>,
    /// Where the list of hubs is kept, where it is.
    saved_hubs: Option<SavedHubs>,
    /// What ran on hubs, from one start of the app to the next.
    backup_record: BackupRecord,
    /// Ends the search for VMs that runs, if one does.
    search: CancellationToken,
    /// Waits for an offline hub to come back.
    waiting: Option<AbortOnDropHandle<()>>,
}

impl HubSession {
    /// Knows these hubs, and this computer in any case; asks none of them yet.
    pub fn new(
        mut saved: Vec<SavedHub>,
        current: HubId,
        secrets: Arc<dyn Secrets>,
        events: Events,
    ) -> Self {
        saved.retain(|hub| hub.id != HubId::this_computer());
        saved.insert(0, this_computer());
        let current = if saved.iter().any(|hub| hub.id == current) {
            current
        } else {
            HubId::this_computer()
        };
        let session = Session {
            hubs: saved,
            current,
            state: SessionState::Connecting,
            keychain: secrets.kind(),
            is_readable_on_the_way: false,
        };
        Self {
            inner: Arc::new(Inner {
                state: Mutex::new(State {
                    session,
                    client: None,
                    left: BTreeMap::new(),
                    generation: 0,
                    local: None,
                    saved_hubs: None,
                    backup_record: BackupRecord::in_folder(None),
                    search: CancellationToken::new(),
                    waiting: None,
                }),
                secrets,
                events,
                connecting: tokio::sync::Mutex::default(),
                changed: Notify::new(),
            }),
        }
    }

    /// The same, which remembers in this record what runs on hubs.
    #[must_use]
    pub fn remembering(self, record: BackupRecord) -> Self {
        self.lock().backup_record = record;
        self
    }

    /// How we stand now.
    pub fn state(&self) -> Session {
        self.lock().session.clone()
    }

    /// Says where the hub of this computer is, or why it did not start. Connect to use it.
    pub fn set_local_hub(&self, place: Result<(String, Token)>) {
        let mut state = self.lock();
        state.left.remove(&HubId::this_computer());
        state.local = Some(place);
    }

    /// Looks at an address without saving it.
    ///
    /// # Errors
    /// When nothing answers there, or what answers is no hub.
    pub async fn test(&self, address: &str, trust: &Trust) -> Result<HubCheck> {
        let client = HubClient::trusting(address, trust)?;
        logged(client, false, async |client| {
            client.health().await?;
            Ok(HubCheck {
                needs_sign_in: client.wants_sign_in().await?,
                address: client.address().to_owned(),
            })
        })
        .await
    }

    /// Saves a hub, signs in and makes it the current one.
    ///
    /// # Errors
    /// When it cannot be reached, does not let us in, or cannot be kept; nothing is saved then.
    pub async fn add(
        &self,
        name: &str,
        address: &str,
        trust: Trust,
        credentials: &Credentials,
    ) -> Result<Session> {
        let _one_at_a_time = self.inner.connecting.lock().await;
        let (client, mut hub) = self.new_hub(name, address, trust).await?;
        let entered = enter(&client, credentials).await?;
        hub.username = entered.username;
        hub.sign_in = entered.kind;
        if let Some(secret) = &entered.secret {
            self.keep(&hub.id, secret).await?;
        }
        if let Err(error) = self.save(&hub).await {
            self.forget(&hub.id).await?;
            return Err(error);
        }
        self.change(|state| {
            state.leave_for(&hub.id);
            state.put(hub);
            state.begin(Some(entered.client));
            state.session.state = SessionState::Connected;
        });
        Ok(self.state())
    }

    /// Makes a saved hub the current one and asks it, with the token that is kept for it. That it does
    /// not answer, or wants somebody to sign in, is in the session's state.
    ///
    /// # Errors
    /// When no such hub is saved.
    pub async fn connect(&self, hub_id: &HubId) -> Result<Session> {
        let _one_at_a_time = self.inner.connecting.lock().await;
        let hub = self.saved(hub_id)?;
        self.change(|state| {
            state.leave_for(&hub.id);
            state.begin(None);
        });
        let client = match self.client_for(&hub).await {
            Ok(client) => client,
            Err(error) => {
                self.change(|state| state.session.state = SessionState::Offline { error });
                return Ok(self.state());
            }
        };
        let generation = {
            let mut state = self.lock();
            state.turn_to(Some(client.clone()));
            state.generation
        };
        self.inner.changed.notify_waiters();
        let outcome = logged(client, false, async |hub| hub.check_sign_in().await).await;
        self.note(generation, outcome.as_ref().err());
        Ok(self.state())
    }

    /// Signs in at the current hub.
    ///
    /// # Errors
    /// When it does not let us in, cannot be reached, or that somebody signed in cannot be kept.
    pub async fn sign_in(&self, credentials: &Credentials) -> Result<Session> {
        let _one_at_a_time = self.inner.connecting.lock().await;
        let hub = self.saved(&self.state().current)?;
        let Some(address) = &hub.address else {
            return Err(AppError::new(
                ErrorKind::Invalid,
                words::failures::needs_no_sign_in(),
                Retry::Never,
            ));
        };
        let client = HubClient::trusting(address, &hub.trust)?;
        let entered = enter(&client, credentials).await?;
        match &entered.secret {
            Some(secret) => self.keep(&hub.id, secret).await?,
            // What was kept is for another kind of sign-in, and must not be sent as something else.
            None => self.forget(&hub.id).await?,
        }
        let hub = SavedHub {
            username: entered.username,
            sign_in: entered.kind,
            ..hub
        };
        self.save(&hub).await?;
        self.change(|state| {
            state.put(hub);
            state.begin(Some(entered.client));
            state.session.state = SessionState::Connected;
        });
        Ok(self.state())
    }

    /// Trusts the certificate of a saved hub in another way, because its user has decided so, and connects to it.
    ///
    /// # Errors
    /// For this computer, when there is no CA in what is trusted, and when it cannot be kept; nothing is changed then.
    pub async fn trust(&self, hub_id: &HubId, trust: Trust) -> Result<Session> {
        let hub = self.saved(hub_id)?;
        let Some(address) = &hub.address else {
            return Err(not_this_computer());
        };
        HubClient::trusting(address, &trust)?;
        let hub = SavedHub { trust, ..hub };
        self.save(&hub).await?;
        self.change(|state| state.put(hub));
        self.connect(hub_id).await
    }

    /// Forgets the token of the current hub, and has the hub forget it where it can.
    ///
    /// # Errors
    /// When it cannot be removed from the keychain, or the hub is this computer.
    pub async fn sign_out(&self) -> Result<Session> {
        let _one_at_a_time = self.inner.connecting.lock().await;
        let hub = self.saved(&self.state().current)?;
        if hub.is_this_computer() {
            return Err(not_this_computer());
        }
        self.forget(&hub.id).await?;
        if let Ok((client, _)) = self.current() {
            let told = tokio::time::timeout(SIGNING_OUT, client.sign_out()).await;
            if !matches!(told, Ok(Ok(()))) {
                // Who signs out must not have to wait for a hub; the token will expire there.
                tracing::debug!(?told, "the hub did not sign us out");
            }
        }
        self.change(|state| {
            state.begin(None);
            state.session.state = SessionState::SignedOut { error: None };
        });
        Ok(self.state())
    }

    /// Forgets a hub and its token. After the current one, this computer is the current one.
    ///
    /// # Errors
    /// For this computer, when the token cannot be removed from the keychain, or the hub from the settings.
    pub async fn remove(&self, hub_id: &HubId) -> Result<Session> {
        let hub = self.saved(hub_id)?;
        if hub.is_this_computer() {
            return Err(not_this_computer());
        }
        // First, so that no secret is left of which nobody knows.
        self.forget(&hub.id).await?;
        self.unsave(&hub.id).await?;
        let was_current = self.state().current == hub.id;
        self.change(|state| state.keep_hubs(|known| known.id != hub.id));
        if was_current {
            return self.connect(&HubId::this_computer()).await;
        }
        Ok(self.state())
    }

    /// The current hub, to be asked, and its number.
    ///
    /// # Errors
    /// When it is not known where it is, or it wants somebody to sign in first.
    pub(crate) fn current(&self) -> Result<(HubClient, Generation)> {
        self.reach(None)
    }

    /// A hub to be asked, the current one unless another is named, and its number.
    ///
    /// Both under one lock: between two, another hub could become the current one, and the answer of
    /// one would count for the other.
    ///
    /// # Errors
    /// As for the current one; and when the other one was not connected to since the start.
    pub(crate) fn reach(&self, hub: Option<&HubId>) -> Result<(HubClient, Generation)> {
        let state = self.lock();
        if let Some(hub) = hub.filter(|hub| state.session.current != **hub) {
            let left = state.left.get(hub).cloned();
            return left.ok_or_else(|| state.not_connected(hub));
        }
        match (&state.session.state, &state.client) {
            (SessionState::SignedOut { error }, _) => Err(error.clone().unwrap_or_else(|| {
                AppError::new(
                    ErrorKind::Unauthorized,
                    words::failures::not_signed_in(),
                    Retry::AfterSignIn,
                )
                .with_hint(words::failures::sign_in_to_continue())
            })),
            (_, Some(client)) => Ok((client.clone(), state.generation)),
            (SessionState::Offline { error }, None) => Err(error.clone()),
            (_, None) => Err(AppError::new(
                ErrorKind::Offline,
                words::failures::connecting(),
                Retry::AfterSeconds(1),
            )),
        }
    }

    /// Asks the current hub, and notes when it does not answer or wants somebody to sign in.
    ///
    /// # Errors
    /// Those of the question; and when it is not known where the hub is, or nobody is signed in.
    pub async fn ask<T>(&self, question: impl AsyncFnOnce(HubClient) -> Result<T>) -> Result<T> {
        let (_, answer) = self.ask_which(None, question).await?;
        Ok(answer)
    }

    /// As [`ask`](Self::ask), for what only a hub elsewhere is asked: folders of this computer are named by its user in
    /// the system's dialog, and by nothing else.
    ///
    /// # Errors
    /// As [`ask`](Self::ask), and when the hub of this computer would be asked.
    pub async fn ask_elsewhere<T>(
        &self,
        question: impl AsyncFnOnce(HubClient) -> Result<T>,
    ) -> Result<T> {
        self.ask(async |hub| match self.is_local(&hub) {
            true => Err(local_folders_are_chosen()),
            false => question(hub).await,
        })
        .await
    }

    /// Whether a hub is the one of this computer, under whatever name it is asked.
    fn is_local(&self, hub: &HubClient) -> bool {
        let state = self.lock();
        let local = state.local.as_ref().and_then(|place| place.as_ref().ok());
        local.is_some_and(|(url, _)| hub.is_at(url))
    }

    /// Asks this hub, whether it is the current one or was left.
    ///
    /// # Errors
    /// Those of the question; and when it is not known where the hub is, or nobody is signed in.
    pub(crate) async fn ask_at<T>(
        &self,
        hub: &HubId,
        question: impl AsyncFnOnce(HubClient) -> Result<T>,
    ) -> Result<T> {
        let (_, answer) = self.ask_which(Some(hub), question).await?;
        Ok(answer)
    }

    /// Asks a hub, the current one unless another is named, and says as which one it was connected to.
    ///
    /// # Errors
    /// As [`ask_at`](Self::ask_at).
    pub(crate) async fn ask_which<T>(
        &self,
        hub: Option<&HubId>,
        question: impl AsyncFnOnce(HubClient) -> Result<T>,
    ) -> Result<(Generation, T)> {
        let (client, generation) = self.within_reach(hub).await?;
        let is_away = self.is_known_to_be_away(generation);
        let outcome = logged(client, is_away, question).await;
        self.note(generation, outcome.as_ref().err());
        outcome.map(|answer| (generation, answer))
    }

    /// Looks for VMs until [`cancel_discovery`](Self::cancel_discovery) or the next search; hubs end theirs when nobody
    /// listens any longer.
    ///
    /// # Errors
    /// `Cancelled` then; else those of [`HubClient::discover_vms`].
    pub async fn discover_vms(&self, source: &VmSource) -> Result<Vec<DiscoveredVm>> {
        let cancel = CancellationToken::new();
        std::mem::replace(&mut self.lock().search, cancel.clone()).cancel();
        let search = self.ask(async |hub| hub.discover_vms(source).await);
        let found = cancel.run_until_cancelled(search).await;
        found.unwrap_or_else(|| {
            let message = words::discovery::cancelled();
            Err(AppError::new(ErrorKind::Cancelled, message, Retry::Manual))
        })
    }

    /// Ends looking for VMs, if somebody does.
    pub fn cancel_discovery(&self) {
        self.lock().search.cancel();
    }

    /// Publishes what happened on a hub. Of one that is not the current one only what somebody waits for is news, and it
    /// carries the name of its hub: what the window shows are the things of the current one.
    pub(crate) fn tell(&self, hub: &HubId, event: AppEvent) {
        // Under the lock, so that no other hub becomes the current one between the look and the news.
        let state = self.lock();
        let event = match state.session.current == *hub {
            true => event,
            false => {
                let Some(hub) = state.hub(hub) else {
                    return;
                };
                let is_awaited = matches!(
                    event,
                    AppEvent::BackupProgressed(_)
                        | AppEvent::BackupFinished { .. }
                        | AppEvent::BackupLost { .. }
                        | AppEvent::BackupVerified { .. }
                        | AppEvent::VerificationFailed { .. }
                        | AppEvent::BackupCopied { .. }
                        | AppEvent::CopyFailed { .. }
                        | AppEvent::FullRestoreChanged { .. }
                );
                if !is_awaited {
                    return;
                }
                AppEvent::Elsewhere {
                    hub_name: hub.name.clone(),
                    event: Box::new(event),
                }
            }
        };
        self.inner.events.publish(event);
    }

    /// A hub, the current one unless another is named, once it is known where it is.
    async fn within_reach(&self, hub: Option<&HubId>) -> Result<(HubClient, Generation)> {
        let give_up = Instant::now() + BEING_REACHED;
        loop {
            let mut changed = pin!(self.inner.changed.notified());
            // From here on no change is missed.
            changed.as_mut().enable();
            let error = match self.reach(hub) {
                Err(error) if matches!(error.retry, Retry::AfterSeconds(_)) => error,
                outcome => return outcome,
            };
            if timeout_at(give_up, changed).await.is_err() {
                return Err(error);
            }
        }
    }

    fn is_known_to_be_away(&self, generation: Generation) -> bool {
        let state = self.lock();
        state.generation == generation
            && matches!(state.session.state, SessionState::Offline { .. })
    }

    /// Changes the state by how a question to the hub went.
    fn note(&self, generation: Generation, failure: Option<&AppError>) {
        let mut state = self.lock();
        if state.generation != generation {
            return;
        }
        let next = match failure.map(|error| (error.kind, error)) {
            Some((ErrorKind::Offline | ErrorKind::Untrusted, error)) => SessionState::Offline {
                error: error.clone(),
            },
            Some((ErrorKind::Unauthorized, error)) => SessionState::SignedOut {
                error: Some(error.clone()),
            },
            // Any other failure is an answer, too.
            _ => SessionState::Connected,
        };
        let is_offline = matches!(next, SessionState::Offline { .. });
        if !is_offline {
            state.waiting = None;
        } else if state.waiting.is_none() {
            state.waiting = Some(self.wait_for_return(generation));
        }
        if state.session.state != next {
            if !is_offline && matches!(state.session.state, SessionState::Offline { .. }) {
                tracing::info!("the hub answers again");
            }
            state.session.state = next;
            self.publish(&state);
        }
    }

    /// Asks an offline hub again and again until it answers.
    fn wait_for_return(&self, generation: Generation) -> AbortOnDropHandle<()> {
        let inner = Arc::downgrade(&self.inner);
        AbortOnDropHandle::new(tokio::spawn(async move {
            let mut pause = FIRST_PAUSE;
            loop {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
                let Some(inner) = inner.upgrade() else {
                    return;
                };
                let session = Self { inner };
                let Some(client) = session.lock().client.clone() else {
                    return;
                };
                let outcome = client.check_sign_in().await;
                // Ends this task, too, once the hub has answered.
                session.note(generation, outcome.as_ref().err());
            }
        }))
    }

    fn saved(&self, hub_id: &HubId) -> Result<SavedHub> {
        self.lock().hub(hub_id).cloned().ok_or_else(|| {
            AppError::new(
                ErrorKind::NotFound,
                words::failures::hub_unknown(),
                Retry::Never,
            )
        })
    }

    /// A client for a saved hub, with the secret that is kept for it.
    ///
    /// # Errors
    /// When its address or what is trusted makes no sense, the keychain cannot be read, or it is this computer and not
    /// known where.
    pub async fn client_for(&self, hub: &SavedHub) -> Result<HubClient> {
        let Some(address) = &hub.address else {
            let local = self.lock().local.clone();
            let (url, key) = local.unwrap_or_else(|| {
                Err(AppError::new(
                    ErrorKind::Offline,
                    words::failures::local_hub_starting(),
                    Retry::AfterSeconds(1),
                ))
            })?;
            return Ok(HubClient::new(&url, Some(key))?.of_this_computer());
        };
        let client = HubClient::trusting(address, &hub.trust)?;
        let secrets = Arc::clone(&self.inner.secrets);
        let hub_id = hub.id.clone();
        let secret = blocking(move || secrets.load(&hub_id)).await?;
        Ok(with_secret(client, hub.sign_in, secret))
    }

    async fn keep(&self, hub_id: &HubId, token: &Token) -> Result<()> {
        let (secrets, hub_id, token) = (
            Arc::clone(&self.inner.secrets),
            hub_id.clone(),
            token.clone(),
        );
        blocking(move || secrets.store(&hub_id, &token)).await
    }

    async fn forget(&self, hub_id: &HubId) -> Result<()> {
        let (secrets, hub_id) = (Arc::clone(&self.inner.secrets), hub_id.clone());
        blocking(move || secrets.forget(&hub_id)).await
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        change(&mut state);
        self.publish(&state);
    }

    fn publish(&self, state: &State) {
        self.inner.events.publish(AppEvent::SessionChanged {
            session: Box::new(state.session.clone()),
        });
        self.inner.changed.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics under this lock.
        self.inner
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Another hub becomes the current one; work on the last one goes on.
    fn leave_for(&mut self, hub: &HubId) {
        let is_let_in = !matches!(self.session.state, SessionState::SignedOut { .. });
        let last = &self.session.current;
        if last != hub
            && is_let_in
            && self.hub(last).is_some()
            && let Some(client) = self.client.take()
        {
            self.left.insert(last.clone(), (client, self.generation));
        }
        self.left.remove(hub);
        self.session.current = hub.clone();
    }

    fn hub(&self, id: &HubId) -> Option<&SavedHub> {
        self.session.hubs.iter().find(|hub| hub.id == *id)
    }

    /// Forgets saved hubs. Work on those ends when it asks them next.
    fn keep_hubs(&mut self, keeps: impl Fn(&SavedHub) -> bool) {
        self.session.hubs.retain(keeps);
        let hubs = &self.session.hubs;
        self.left
            .retain(|id, _| hubs.iter().any(|hub| hub.id == *id));
    }

    /// Why a hub that is not the current one cannot be asked.
    fn not_connected(&self, hub: &HubId) -> AppError {
        let (message, hint) = match self.hub(hub) {
            Some(hub) => (
                words::failures::of_another_hub(&hub.name),
                words::failures::choose_hub_and_retry(),
            ),
            None => (
                words::failures::of_removed_hub().to_owned(),
                words::failures::add_hub_and_retry(),
            ),
        };
        AppError::new(ErrorKind::Conflict, message, Retry::Manual).with_hint(hint)
    }

    /// A hub that is saved, or what is known of one has changed.
    fn put(&mut self, hub: SavedHub) {
        let mut hubs = self.session.hubs.iter_mut();
        match hubs.find(|known| known.id == hub.id) {
            Some(known) => *known = hub,
            None => self.session.hubs.push(hub),
        }
    }

    /// Another hub, or the same one again: late answers of the last one no longer count.
    fn begin(&mut self, client: Option<HubClient>) {
        self.generation += 1;
        self.waiting = None;
        self.turn_to(client);
        self.session.state = SessionState::Connecting;
    }

    /// From now on this is who is asked.
    fn turn_to(&mut self, client: Option<HubClient>) {
        let is_readable = client.as_ref().is_some_and(|c| c.is_readable_on_the_way());
        self.session.is_readable_on_the_way = is_readable;
        self.client = client.map(|client| client.with_backup_record(self.backup_record.clone()));
    }
}

/// What came of signing in.
struct Entered {
    kind: SignInKind,
    username: Option<String>,
    /// What is kept for the next time.
    secret: Option<Token>,
    /// Who was let in: with an appliance token it holds a session, and need not sign in again.
    client: HubClient,
}

/// Signs in with what is given; checks that nothing is needed where nothing is.
async fn enter(client: &HubClient, credentials: &Credentials) -> Result<Entered> {
    logged(client.clone(), false, async |client| {
        let entered = |kind, username: Option<&str>, secret: Option<Token>| Entered {
            kind,
            username: username.map(str::to_owned),
            client: with_secret(client.clone(), kind, secret.clone()),
            secret,
        };
        let check = async |kind, token: &Secret| {
            // What is pasted often brings a line end along.
            let token = Token::new(token.reveal().trim());
            let entered = entered(kind, None, Some(token));
            entered.client.check_token().await?;
            Ok(entered)
        };
        match credentials {
            Credentials::Password { username, password } if !username.trim().is_empty() => {
                let username = username.trim();
                let secret = match client.sign_in(username, password.reveal()).await? {
                    SignIn::Token { token, .. } => Some(token),
                    SignIn::NotNeeded => None,
                };
                Ok(entered(SignInKind::Password, Some(username), secret))
            }
            Credentials::None | Credentials::Password { .. } => {
                client.check_sign_in().await?;
                Ok(entered(SignInKind::None, None, None))
            }
            Credentials::Appliance { token } => check(SignInKind::Appliance, token).await,
            Credentials::Bearer { token } => check(SignInKind::Bearer, token).await,
        }
    })
    .await
}

/// A client with what is kept for its hub.
fn with_secret(client: HubClient, kind: SignInKind, secret: Option<Token>) -> HubClient {
    match (secret, kind) {
        (None, _) | (_, SignInKind::None) => client,
        (Some(secret), SignInKind::Appliance) => client.with_appliance_token(secret),
        (Some(secret), _) => client.with_token(secret),
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|died| {
        AppError::new(
            ErrorKind::Internal,
            words::failures::keychain_died(),
            Retry::Manual,
        )
        .with_details(died.to_string())
    })?
}

fn this_computer() -> SavedHub {
    SavedHub {
        id: HubId::this_computer(),
        name: words::common::this_computer().to_owned(),
        address: None,
        username: None,
        sign_in: SignInKind::None,
        trust: Trust::System,
    }
}

fn not_this_computer() -> AppError {
    AppError::new(
        ErrorKind::Invalid,
        words::failures::local_hub_fixed(),
        Retry::Never,
    )
}

fn local_folders_are_chosen() -> AppError {
    AppError::new(
        ErrorKind::Invalid,
        words::failures::no_folder_chosen(),
        Retry::Never,
    )
    .with_hint(words::failures::choose_first())
}
