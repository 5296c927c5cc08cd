//! Questions: whose they are, what is logged of them, and what they wait for.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};

use tracing_subscriber::fmt::MakeWriter;

use super::keeping::new_id;
use super::*;
use crate::MemorySecrets;
use crate::testing::{FakeHub, StoppedClock, json, settle};

fn session(hubs: Vec<SavedHub>) -> HubSession {
    let current = hubs
        .first()
        .map_or_else(HubId::this_computer, |hub| hub.id.clone());
    let secrets = Arc::new(MemorySecrets::default());
    HubSession::new(hubs, current, secrets, Events::new())
}

fn saved(address: &str) -> SavedHub {
    SavedHub {
        id: new_id(address),
        name: address.to_owned(),
        address: Some(address.to_owned()),
        username: None,
        sign_in: SignInKind::None,
        trust: Trust::System,
    }
}

fn offline() -> AppError {
    AppError::new(ErrorKind::Offline, "It does not answer.", Retry::Manual)
}

/// Everything that is logged while it lives.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for Log {
    type Writer = Self;

    fn make_writer(&'w self) -> Self {
        self.clone()
    }
}

impl Log {
    fn listen(&self) -> tracing::subscriber::DefaultGuard {
        let subscriber = tracing_subscriber::fmt()
            .with_writer(self.clone())
            .with_ansi(false)
            .with_env_filter("sendense_core=info")
            .finish();
        tracing::subscriber::set_default(subscriber)
    }

    fn lines(&self) -> Vec<String> {
        let bytes = self.0.lock().unwrap();
        String::from_utf8_lossy(&bytes)
            .lines()
            .map(str::to_owned)
            .collect()
    }
}

/// One hub fails every question, the other answers. However often one follows the other, the one
/// that answers is never taken for the one that does not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_counts_for_the_hub_it_was_put_to() {
    let session = session(Vec::new());
    let mut news = session.inner.events.subscribe();
    let [good, bad] = ["good", "bad"].map(|name| HubClient::new(name, None).unwrap());
    let is_over = Arc::new(AtomicBool::new(false));
    let switching = tokio::task::spawn_blocking({
        let (session, is_over) = (session.clone(), Arc::clone(&is_over));
        let good = good.clone();
        move || {
            for round in 0..50_000 {
                for hub in [&bad, &good] {
                    session.change(|state| {
                        state.session.current = new_id(hub.address());
                        state.begin(Some(hub.clone()));
                    });
                    // Now sooner, now later than the answer.
                    (0..round % 64 * 8).for_each(|_| std::hint::spin_loop());
                }
            }
            is_over.store(true, Ordering::Relaxed);
        }
    });
    while !is_over.load(Ordering::Relaxed) {
        let question = async |hub: HubClient| match hub.address() == good.address() {
            true => Ok(()),
            false => Err(offline()),
        };
        drop(session.ask(question).await);
        while let Ok(AppEvent::SessionChanged { session }) = news.try_recv() {
            assert!(
                session.current != new_id(good.address())
                    || !matches!(session.state, SessionState::Offline { .. }),
                "the hub that answers counts as away"
            );
        }
    }
    switching.await.unwrap();
}

/// Contract H34.
#[tokio::test]
async fn a_question_that_failed_is_in_the_log_once_with_what_was_asked_and_why() {
    let hub = FakeHub::start(|_| {
        json(
            500,
            "",
            r#"{"error":"disk on fire\nfor Bearer s3cret-token"}"#,
        )
    })
    .await;
    let session = session(vec![saved(&hub.address)]);
    let client = HubClient::new(&hub.address, Some(Token::new("s3cret-token"))).unwrap();
    session.change(|state| state.begin(Some(client)));
    let log = Log::default();
    let _listening = log.listen();
    let id = sendense_types::MountId::new("m1");
    let error = session
        .ask(async |hub| hub.list_files(&id, "/Users/ada").await)
        .await;
    assert_eq!(error.unwrap_err().kind, ErrorKind::Internal);
    let lines = log.lines();
    assert_eq!(lines.len(), 1, "{lines:?}");
    for part in [
        "ERROR",
        "GET /api/v1/restore/m1/files",
        "Server error",
        "on fire",
        "millis=",
    ] {
        assert!(lines[0].contains(part), "{part}: {lines:?}");
    }
    for secret in ["s3cret", "ada"] {
        assert!(!lines[0].contains(secret), "{secret}: {lines:?}");
    }
}

/// Contract H34.
#[tokio::test]
async fn a_password_is_not_logged_whatever_the_hub_answers() {
    let hub = FakeHub::start(|line| match line {
        "GET /health" => json(200, "", "{}"),
        _ => json(
            500,
            "",
            r#"{"error":"no user ada with password correct-horse"}"#,
        ),
    })
    .await;
    let log = Log::default();
    let _listening = log.listen();
    let session = session(Vec::new());
    let credentials = Credentials::Password {
        username: "ada".to_owned(),
        password: Secret::new("correct-horse"),
    };
    let added = session
        .add("", &hub.address, Trust::System, &credentials)
        .await;
    let error = added.unwrap_err();
    let lines = log.lines();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("POST /api/v1/auth/login"), "{lines:?}");
    assert!(
        !format!("{lines:?} {error:?}").contains("horse"),
        "{lines:?} {error:?}"
    );
}

#[tokio::test]
async fn what_a_user_did_is_no_error_and_a_hub_that_stays_away_is_one_once() {
    let session = session(Vec::new());
    let client = HubClient::new("http://127.0.0.1:1", None).unwrap();
    session.change(|state| state.begin(Some(client)));
    let log = Log::default();
    let _listening = log.listen();
    let fail = async |kind| {
        let error = AppError::new(kind, "No.", Retry::Manual);
        drop(session.ask(async |_| Err::<(), _>(error)).await);
    };
    fail(ErrorKind::Cancelled).await;
    assert_eq!(log.lines(), Vec::<String>::new());
    fail(ErrorKind::Conflict).await;
    assert!(log.lines()[0].contains("INFO"), "{:?}", log.lines());
    for _ in 0..3 {
        fail(ErrorKind::Offline).await;
    }
    let lines = log.lines();
    let errors = lines.iter().filter(|line| line.contains("ERROR"));
    assert_eq!((lines.len(), errors.count()), (2, 1), "{lines:?}");
}

#[tokio::test]
async fn a_question_waits_for_a_hub_that_is_being_reached() {
    let hub = FakeHub::start(|_| json(200, "", r#"{"vm_contexts":[]}"#)).await;
    let session = session(vec![saved(&hub.address)]);
    let id = new_id(&hub.address);
    let (asked, connected) = tokio::join!(
        session.ask(async |hub| hub.vms().await),
        session.connect(&id),
    );
    assert_eq!(asked.unwrap(), []);
    assert_eq!(connected.unwrap().state, SessionState::Connected);

    let _clock = StoppedClock::new();
    session.change(|state| state.begin(None));
    let asking = AbortOnDropHandle::new(tokio::spawn({
        let session = session.clone();
        async move { session.ask(async |hub| hub.vms().await).await }
    }));
    settle().await;
    assert!(!asking.is_finished());
    tokio::time::advance(BEING_REACHED * 2).await;
    let error = asking.await.unwrap().unwrap_err();
    assert_eq!(error.kind, ErrorKind::Offline);
}

/// A hub where somebody is signed in, and which answers signing out like this.
async fn signed_in(answer: String) -> (FakeHub, HubSession) {
    let hub = FakeHub::start(move |_| answer.clone()).await;
    let session = session(vec![saved(&hub.address)]);
    let client = HubClient::new(&hub.address, Some(Token::new("s3cret-token"))).unwrap();
    session.change(|state| {
        state.begin(Some(client));
        state.session.state = SessionState::Connected;
    });
    (hub, session)
}

#[tokio::test]
async fn signing_out_makes_the_token_worthless_where_the_hub_can_do_that() {
    for answer in [
        json(204, "", ""),
        json(404, "", r#"{"error":"no such address"}"#),
        json(401, "", r#"{"error":"Invalid or expired token"}"#),
    ] {
        let (hub, session) = signed_in(answer).await;
        let state = session.sign_out().await.unwrap().state;
        assert_eq!(state, SessionState::SignedOut { error: None });
        assert_eq!(hub.asked(), ["POST /api/v1/auth/logout"]);
        session.ask(async |hub| hub.vms().await).await.unwrap_err();
        assert_eq!(hub.asked().len(), 1, "nothing is asked with the old token");
    }
}

#[tokio::test]
async fn signing_out_waits_only_a_moment_for_a_hub_that_is_silent() {
    let hub = FakeHub::holding(|_| (String::new(), Duration::from_secs(3600))).await;
    let session = session(vec![saved(&hub.address)]);
    let client = HubClient::new(&hub.address, Some(Token::new("s3cret-token"))).unwrap();
    session.change(|state| state.begin(Some(client)));
    let _clock = StoppedClock::new();
    let signing_out = AbortOnDropHandle::new(tokio::spawn({
        let session = session.clone();
        async move { session.sign_out().await }
    }));
    hub.asked_times(1).await;
    tokio::time::advance(SIGNING_OUT * 2).await;
    let state = signing_out.await.unwrap().unwrap().state;
    assert_eq!(state, SessionState::SignedOut { error: None });
}

#[tokio::test]
async fn work_that_was_left_on_a_hub_asks_that_hub_as_long_as_it_is_saved() {
    let start = || FakeHub::start(|_| json(200, "", r#"{"vm_contexts":[]}"#));
    let (first, second, third) = (start().await, start().await, start().await);
    let [at_first, at_second, at_third] = [&first, &second, &third].map(|hub| new_id(&hub.address));
    let hubs = [&first, &second, &third].map(|hub| saved(&hub.address));
    let session = session(hubs.to_vec());
    session.connect(&at_first).await.unwrap();
    session.connect(&at_second).await.unwrap();
    let n_asked = second.asked().len();
    let ask = async |hub: &HubId| session.ask_at(hub, async |hub| hub.vms().await).await;
    assert_eq!(ask(&at_first).await.unwrap(), []);
    assert!(first.asked().last().unwrap().contains("/vm-contexts"));
    assert_eq!(second.asked().len(), n_asked);

    // One that was not connected to since the start would have to be chosen first.
    let error = ask(&at_third).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Conflict);
    assert!(error.message.contains(&third.address), "{error}");
    assert_eq!(third.asked(), Vec::<String>::new());

    session.remove(&at_first).await.unwrap();
    assert_eq!(session.state().current, at_second);
    assert_eq!(ask(&at_first).await.unwrap_err().kind, ErrorKind::Conflict);
    // The current one goes as well, and nothing of it is kept for later.
    session.set_local_hub(Err(offline()));
    session.remove(&at_second).await.unwrap();
    assert_eq!(ask(&at_second).await.unwrap_err().kind, ErrorKind::Conflict);
}

#[test]
fn what_happens_on_another_hub_is_news_with_its_name_or_none() {
    let [here, there] = ["http://here", "http://there"].map(saved);
    let session = session(vec![here.clone(), there.clone()]);
    let mut news = session.inner.events.subscribe();
    let lost = || AppEvent::BackupLost {
        backup_id: "b1".into(),
        vm_name: None,
        silent_for_seconds: None,
        error: offline(),
    };
    let mounts = || AppEvent::MountsChanged { mounts: Vec::new() };
    let strange = new_id("http://gone");
    for hub in [&here.id, &there.id, &strange] {
        session.tell(hub, lost());
        session.tell(hub, mounts());
    }
    let elsewhere = AppEvent::Elsewhere {
        hub_name: there.name,
        event: Box::new(lost()),
    };
    let told: Vec<AppEvent> = std::iter::from_fn(|| news.try_recv().ok()).collect();
    assert_eq!(told, [lost(), mounts(), elsewhere]);
}

#[test]
fn a_hub_that_was_saved_without_its_trust_is_trusted_as_the_system_does() {
    let mut kept = serde_json::to_value(saved("https://hub")).unwrap();
    assert!(kept.as_object_mut().unwrap().remove("trust").is_some());
    let hub: SavedHub = serde_json::from_value(kept).unwrap();
    assert_eq!(hub.trust, Trust::System);
}
