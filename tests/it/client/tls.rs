//! Which certificates of hubs are trusted, and what is sent before that is decided: nothing.

use std::sync::Arc;

use sendense_core::{Events, HubClient, HubSession, MemorySecrets, trust_ca_file};
use sendense_hub::{Config, LocalHub, Tls};
use sendense_tests::{Ca, Identity, LOCALHOST, TlsFront, Validity, sendense, temp_dir};
use sendense_types::commands::Credentials;
use sendense_types::{
    AppError, Certificate, CertificateProblem, ErrorKind, Fingerprint, HubId, SavedHub, Secret,
    Session, SessionState, Trust,
};
use tempfile::TempDir;

const PASSWORD: &str = "correct horse";

/// A hub with sign-in behind TLS.
struct Site {
    front: TlsFront,
    _hub: LocalHub,
    folder: TempDir,
}

impl Site {
    async fn showing(identity: &Identity) -> Self {
        let folder = temp_dir();
        let mut config = Config::new(folder.path().join("data"));
        config.auth = super::one_user();
        let hub = LocalHub::start(config).await.unwrap();
        Self {
            front: TlsFront::before(hub.url(), identity).await,
            _hub: hub,
            folder,
        }
    }

    /// Adds it to a session, with the right password.
    async fn add_to(&self, session: &HubSession, trust: Trust) -> Session {
        let url = self.front.url();
        session.add("", &url, trust, &operator()).await.unwrap()
    }

    /// Why its certificate is refused. Also holds that nobody said anything to it.
    async fn refusal(&self, trust: &Trust) -> (AppError, Certificate) {
        let session = session(Vec::new());
        let url = self.front.url();
        let tested = session.test(&url, trust).await.unwrap_err();
        let added = session.add("", &url, trust.clone(), &operator()).await;
        assert_eq!(added.unwrap_err(), tested);
        assert_eq!(tested.kind, ErrorKind::Untrusted, "{tested:?}");
        assert!(self.front.handshakes() >= 2);
        assert_eq!(self.front.bytes_read(), 0, "something was sent");
        assert_eq!(session.state().hubs.len(), 1, "it was saved");
        let certificate = tested.certificate.as_deref().unwrap().clone();
        (tested, certificate)
    }
}

fn session(hubs: Vec<SavedHub>) -> HubSession {
    let secrets = Arc::new(MemorySecrets::default());
    HubSession::new(hubs, HubId::this_computer(), secrets, Events::new())
}

fn operator() -> Credentials {
    Credentials::Password {
        username: "operator".to_owned(),
        password: Secret::new(PASSWORD),
    }
}

fn fingerprint(identity: &Identity) -> Fingerprint {
    Fingerprint::parse(&identity.fingerprint()).unwrap()
}

fn pin(identity: &Identity) -> Trust {
    Trust::Pinned(fingerprint(identity))
}

/// Trust in a CA whose file is gone afterwards.
fn in_file_of(ca: &Ca) -> Trust {
    let folder = temp_dir();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, ca.pem()).unwrap();
    trust_ca_file(&file).unwrap()
}

#[tokio::test]
async fn a_self_signed_certificate_is_shown_before_anything_is_sent() {
    let shown = Identity::self_signed(LOCALHOST, Validity::Now);
    let site = Site::showing(&shown).await;
    let (error, certificate) = site.refusal(&Trust::System).await;
    assert!(error.message.contains("is self-signed"), "{error:?}");
    assert_eq!(certificate.problem, CertificateProblem::SelfSigned);
    assert_eq!(certificate.fingerprint, fingerprint(&shown));
    assert_eq!(certificate.subject, "CN=localhost");
    assert_eq!(certificate.issuer, "CN=localhost");
    let (from, until) = (certificate.valid_from, certificate.valid_until);
    assert!(from < until && from.is_some(), "{from:?} {until:?}");
}

#[tokio::test]
async fn a_certificate_of_an_unknown_ca_is_refused_as_that() {
    let shown = Ca::new("Cellar CA").issue(LOCALHOST, Validity::Now);
    let site = Site::showing(&shown).await;
    for trust in [
        Trust::System,
        in_file_of(&Ca::new("Attic CA")),
        in_file_of(&Ca::new("Cellar CA")),
    ] {
        let (error, certificate) = site.refusal(&trust).await;
        assert_eq!(certificate.problem, CertificateProblem::UnknownIssuer);
        assert!(
            error.message.contains("a CA that is not trusted"),
            "{error}"
        );
        assert_eq!(certificate.issuer, "CN=Cellar CA");
    }
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused_as_that() {
    let ca = Ca::new("Cellar CA");
    let site = Site::showing(&ca.issue("attic.example", Validity::Now)).await;
    let (error, certificate) = site.refusal(&in_file_of(&ca)).await;
    assert_eq!(certificate.problem, CertificateProblem::WrongName);
    assert!(error.message.contains("for another name"), "{error}");
    assert!(error.details.unwrap().contains("attic.example"));
}

#[tokio::test]
async fn a_certificate_out_of_its_time_is_refused_as_that() {
    let ca = Ca::new("Cellar CA");
    for (validity, problem, words) in [
        (Validity::Over, CertificateProblem::Expired, "has expired"),
        (
            Validity::ToCome,
            CertificateProblem::NotValidYet,
            "not valid yet",
        ),
    ] {
        let site = Site::showing(&ca.issue(LOCALHOST, validity)).await;
        let (error, certificate) = site.refusal(&in_file_of(&ca)).await;
        assert_eq!(certificate.problem, problem);
        assert!(error.message.contains(words), "{error}");
    }
}

#[tokio::test]
async fn a_hub_is_trusted_by_the_ca_of_a_file_that_is_gone_since() {
    let ca = Ca::new("Cellar CA");
    let site = Site::showing(&ca.issue(LOCALHOST, Validity::Now)).await;
    let before = session(Vec::new());
    let added = site.add_to(&before, in_file_of(&ca)).await;
    assert_eq!(added.state, SessionState::Connected);
    // As the settings keep it.
    let kept = serde_json::to_string(&added.hubs).unwrap();
    let after = session(serde_json::from_str(&kept).unwrap());
    let connected = after.connect(&added.current).await.unwrap();
    assert!(
        matches!(connected.state, SessionState::SignedOut { .. }),
        "it was asked: {connected:?}"
    );
}

#[test]
fn of_a_ca_file_the_certificates_are_kept_and_nothing_else() {
    let folder = temp_dir();
    let file = folder.path().join("ca.pem");
    let (one, two) = (Ca::new("One"), Ca::new("Two"));
    let key = one.issue(LOCALHOST, Validity::Now).key_pem();
    std::fs::write(&file, format!("Ours:\n{}{key}{}", one.pem(), two.pem())).unwrap();
    let Trust::Ca(pem) = trust_ca_file(&file).unwrap() else {
        panic!("these are CAs");
    };
    assert_eq!(pem.matches("BEGIN CERTIFICATE").count(), 2);
    assert!(!pem.contains("PRIVATE") && !pem.contains("Ours"), "{pem}");
    let broken = one.pem().replace("MI", "!!");
    for text in ["", "no certificate", &key, &broken] {
        std::fs::write(&file, text).unwrap();
        let error = trust_ca_file(&file).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Invalid, "{text}: {error:?}");
        assert!(error.message.contains("no CA certificate"), "{error}");
    }
    // In the other format, and endless.
    std::fs::write(&file, [0x30, 0x82, 0xff]).unwrap();
    for file in [&file, std::path::Path::new("/dev/zero")] {
        let error = trust_ca_file(file).unwrap_err();
        assert!(error.message.contains("no CA certificate"), "{error}");
    }
    let missing = trust_ca_file(&folder.path().join("missing")).unwrap_err();
    assert!(missing.message.contains("cannot be read"), "{missing}");
}

#[tokio::test]
async fn a_pinned_certificate_is_trusted_whatever_its_name_and_dates_are() {
    let shown = Identity::self_signed("attic.example", Validity::Over);
    let site = Site::showing(&shown).await;
    let session = session(Vec::new());
    let added = site.add_to(&session, pin(&shown)).await;
    assert_eq!(added.state, SessionState::Connected);
}

#[tokio::test]
async fn a_pinned_certificate_in_the_hands_of_another_is_refused() {
    let pinned = Identity::self_signed(LOCALHOST, Validity::Now);
    let site = Site::showing(&pinned.without_its_key()).await;
    let hub = HubClient::trusting(&site.front.url(), &pin(&pinned)).unwrap();
    let error = hub.sign_in("operator", PASSWORD).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Untrusted, "{error:?}");
    assert!(error.to_string().contains("cannot prove"), "{error}");
    assert_eq!(site.front.bytes_read(), 0);
}

#[tokio::test]
async fn a_changed_certificate_is_refused_until_its_user_trusts_it() {
    let [first, second] = [(); 2].map(|()| Identity::self_signed(LOCALHOST, Validity::Now));
    let site = Site::showing(&first).await;
    let session = session(Vec::new());
    let hub_id = site.add_to(&session, pin(&first)).await.current;
    session.ask(async |hub| hub.vms().await).await.unwrap();

    site.front.show(&second);
    let said = site.front.bytes_read();
    let asked = session.ask(async |hub| hub.vms().await).await.unwrap_err();
    let connected = session.connect(&hub_id).await.unwrap();
    let signed_in = session.sign_in(&operator()).await.unwrap_err();
    let SessionState::Offline { error } = connected.state else {
        panic!("{connected:?}");
    };
    for error in [asked, error, signed_in] {
        assert_eq!(error.kind, ErrorKind::Untrusted, "{error:?}");
        assert!(
            error
                .message
                .contains("certificate of this hub has changed"),
            "{error}"
        );
        let certificate = error.certificate.unwrap();
        assert_eq!(certificate.fingerprint, fingerprint(&second));
        assert_eq!(certificate.problem, CertificateProblem::Changed);
        assert_eq!(certificate.pinned, Some(fingerprint(&first)));
    }
    assert_eq!(site.front.bytes_read(), said, "something was sent");
    let kept = |session: &HubSession| session.state().current_hub().unwrap().trust.clone();
    assert_eq!(kept(&session), pin(&first));

    let trusted = session.trust(&hub_id, pin(&second)).await.unwrap();
    assert_eq!(trusted.state, SessionState::Connected);
    assert_eq!(kept(&session), pin(&second));
}

#[tokio::test]
async fn what_is_no_ca_does_not_replace_what_is_trusted() {
    let shown = Identity::self_signed(LOCALHOST, Validity::Now);
    let site = Site::showing(&shown).await;
    let session = session(Vec::new());
    let hub_id = site.add_to(&session, pin(&shown)).await.current;
    let nothing = Trust::Ca(String::new());
    session.trust(&hub_id, nothing).await.unwrap_err();
    assert_eq!(session.state().current_hub().unwrap().trust, pin(&shown));
    assert!(
        session
            .trust(&HubId::this_computer(), pin(&shown))
            .await
            .is_err()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_terminal_shows_a_certificate_and_how_to_trust_it() {
    let ca = Ca::new("Cellar CA");
    let shown = ca.issue(LOCALHOST, Validity::Now);
    let site = Site::showing(&shown).await;
    let file = site.folder.path().join("ca.pem");
    std::fs::write(&file, ca.pem()).unwrap();
    let url = site.front.url();
    let login = || {
        let login = sendense().args(["--hub", &url, "login", "--user", "operator"]);
        login.arg("--password-stdin").stdin(PASSWORD)
    };
    let refused = login().outcome();
    assert_eq!(refused.code, Some(4), "{refused:?}");
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    let pairs = fingerprint(&shown).to_string();
    for part in [
        &format!("--fingerprint {pairs}"),
        "CN=Cellar CA",
        "Valid until",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert_eq!(site.front.bytes_read(), 0);

    login().args(["--fingerprint", &pairs.to_lowercase()]).run();
    login().arg("--ca").arg(&file).run();
    // On Linux, this is what the system trusts.
    login().env("SSL_CERT_FILE", &file).run();
    let other = fingerprint(&Identity::self_signed(LOCALHOST, Validity::Now));
    let changed = login()
        .args(["--fingerprint", &other.to_string()])
        .outcome();
    let said = String::from_utf8_lossy(&changed.stderr).into_owned();
    assert!(said.contains("has changed"), "{said}");
    for pairs in [pairs, other.to_string()] {
        assert!(said.contains(&pairs), "{pairs}: {said}");
    }
    let mistyped = login().args(["--fingerprint", "AB:CD"]).outcome();
    assert_eq!(mistyped.code, Some(2), "{mistyped:?}");
}

/// Our own hub with a certificate, judged by curl. Programs of its computer find it as before.
#[tokio::test(flavor = "multi_thread")]
async fn our_own_hub_proves_itself_and_encrypts() {
    let (folder, ca) = (temp_dir(), Ca::new("Cellar CA"));
    let shown = ca.issue(LOCALHOST, Validity::Now);
    let (certificate, key) = shown.write_pem(folder.path());
    let data = folder.path().join("data");
    let mut config = Config::new(&data);
    config.auth = super::one_user();
    let tls = Tls::read(certificate, key).unwrap();
    assert_eq!(tls.fingerprint(), fingerprint(&shown));
    config.tls = Some(tls);
    let listener = sendense_hub::listen("127.0.0.1:0".parse().unwrap()).unwrap();
    let port = listener.local_addr().unwrap().port();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(sendense_hub::serve(listener, config, async {
        drop(stopped.await);
    }));
    let url = format!("https://{LOCALHOST}:{port}");

    for trust in [in_file_of(&ca), pin(&shown)] {
        let session = session(Vec::new());
        let added = session.add("", &url, trust, &operator()).await.unwrap();
        assert_eq!(added.state, SessionState::Connected);
        assert!(!added.is_readable_on_the_way);
        assert_eq!(session.ask(async |hub| hub.vms().await).await.unwrap(), []);
    }
    let untrusted = session(Vec::new()).test(&url, &Trust::System).await;
    assert_eq!(untrusted.unwrap_err().kind, ErrorKind::Untrusted);

    let ca_file = folder.path().join("ca.pem");
    std::fs::write(&ca_file, ca.pem()).unwrap();
    let curl = || sendense_tests::tool("curl").args(["--silent", "--show-error", "--noproxy", "*"]);
    let health = curl().arg("--cacert").arg(&ca_file);
    let health = health.arg(format!("{url}/health")).run().json();
    assert_eq!(health["status"], "healthy");
    // Whoever speaks without encryption is not understood.
    let plain = curl().arg(format!("http://{LOCALHOST}:{port}/health"));
    assert_ne!(plain.outcome().code, Some(0));

    let running = sendense_hub::find_running(&data).await.unwrap().unwrap();
    assert!(
        running.url.starts_with("http://127.0.0.1:"),
        "{}",
        running.url
    );
    sendense().args(["vm", "list", "--data"]).arg(&data).run();

    // A client that never agrees on anything keeps no place, and holds nobody up when the hub ends.
    let _silent = tokio::net::TcpStream::connect(("127.0.0.1", port))
        .await
        .unwrap();
    drop(stop);
    serving.await.unwrap().unwrap();
}

#[test]
fn what_a_hub_cannot_prove_itself_with_is_named() {
    let folder = temp_dir();
    let identity = Identity::self_signed(LOCALHOST, Validity::Now);
    let (certificate, key) = identity.write_pem(folder.path());
    let other = folder.path().join("other.pem");
    std::fs::write(
        &other,
        Identity::self_signed(LOCALHOST, Validity::Now).key_pem(),
    )
    .unwrap();
    let missing = folder.path().join("missing.pem");
    for (certificate, key, named, why) in [
        (&missing, &key, &missing, "there is no such file"),
        (&certificate, &missing, &missing, "there is no such file"),
        (&key, &key, &key, "holds no certificate"),
        (
            &certificate,
            &certificate,
            &certificate,
            "holds nothing of that kind",
        ),
        (&certificate, &other, &other, "KeyMismatch"),
    ] {
        let serve = sendense().args(["hub", "serve", "--listen", "127.0.0.1:0", "--data"]);
        let serve = serve.arg(folder.path().join("data"));
        let serve = serve.arg("--tls-certificate").arg(certificate);
        let refused = serve.arg("--tls-key").arg(key).outcome();
        assert_ne!(refused.code, Some(0), "{refused}");
        let said = refused.error_text();
        let file = named.display().to_string();
        assert!(said.contains(&file) && said.contains(why), "{why}: {said}");
    }
}
