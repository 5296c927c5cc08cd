//! TLS before a hub, with certificates made on the spot.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_util::task::AbortOnDropHandle;

use crate::tool;

/// The name by which tests reach what listens on loopback.
pub const LOCALHOST: &str = "localhost";

/// A CA that no computer trusts by itself.
pub struct Ca(CertifiedIssuer<'static, KeyPair>);

/// What a server shows, and the key with which it proves that it is its own.
#[derive(Clone)]
pub struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: Arc<KeyPair>,
}

/// When a certificate counts.
#[derive(Clone, Copy, PartialEq)]
pub enum Validity {
    /// Now.
    Now,
    /// Until 2020.
    Over,
    /// From 3000 on.
    ToCome,
}

fn new_key() -> KeyPair {
    KeyPair::generate().expect("keys can be made")
}

fn params(name: &str, common_name: &str, validity: Validity) -> CertificateParams {
    let mut params = CertificateParams::new([name.to_owned()]).expect("this is a name");
    let subject = &mut params.distinguished_name;
    subject.push(DnType::CommonName, common_name);
    match validity {
        Validity::Now => {}
        Validity::Over => params.not_after = date_time_ymd(2020, 1, 1),
        Validity::ToCome => params.not_before = date_time_ymd(3000, 1, 1),
    }
    params
}

impl Ca {
    /// One of this name.
    ///
    /// # Panics
    /// When there cannot be one.
    pub fn new(name: &str) -> Self {
        let mut params = params("ca.example", name, Validity::Now);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, new_key()).expect("a CA can be made"))
    }

    /// Its certificate.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate of it for a host.
    ///
    /// # Panics
    /// When there cannot be one.
    pub fn issue(&self, host: &str, validity: Validity) -> Identity {
        let key = new_key();
        let issued = params(host, host, validity).signed_by(&key, &self.0);
        Identity {
            chain: vec![issued.expect("the CA issues it").der().clone()],
            key: Arc::new(key),
        }
    }
}

impl Identity {
    /// One that nobody but itself vouches for.
    ///
    /// # Panics
    /// When there cannot be one.
    pub fn self_signed(host: &str, validity: Validity) -> Self {
        let key = new_key();
        let made = params(host, host, validity).self_signed(&key);
        Self {
            chain: vec![made.expect("it signs itself").der().clone()],
            key: Arc::new(key),
        }
    }

    /// What somebody shows who has copied the certificate, but not its key.
    #[must_use]
    pub fn without_its_key(&self) -> Self {
        Self {
            chain: self.chain.clone(),
            key: Arc::new(new_key()),
        }
    }

    /// The key in PEM.
    pub fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    /// Writes the certificate, in the PEM that openssl makes of it, and its key into a folder, and says where they are.
    ///
    /// # Panics
    /// When they cannot be written.
    #[track_caller]
    pub fn write_pem(&self, folder: &Path) -> (PathBuf, PathBuf) {
        let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
        let pem = tool("openssl").args(["x509", "-inform", "DER"]);
        let pem = pem.stdin(self.chain[0].as_ref()).run();
        std::fs::write(&certificate, pem.text()).expect("the folder can be written to");
        std::fs::write(&key, self.key_pem()).expect("the folder can be written to");
        (certificate, key)
    }

    /// What openssl says it is known by.
    #[track_caller]
    pub fn fingerprint(&self) -> String {
        let said = tool("openssl")
            .args([
                "x509",
                "-inform",
                "DER",
                "-noout",
                "-fingerprint",
                "-sha256",
            ])
            .stdin(self.chain[0].as_ref())
            .run();
        let said = said.text();
        said.trim()
            .rsplit('=')
            .next()
            .unwrap_or_default()
            .to_owned()
    }

    fn config(&self) -> Arc<ServerConfig> {
        let key = PrivateKeyDer::try_from(self.key.serialize_der()).expect("this is a key");
        let key = aws_lc_rs::sign::any_supported_type(&key).expect("it can sign");
        // Not checked against each other, so that a liar can be played.
        let shown = Shown(Arc::new(CertifiedKey::new(self.chain.clone(), key)));
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the usual versions")
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(shown));
        Arc::new(config)
    }
}

#[derive(Debug)]
struct Shown(Arc<CertifiedKey>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

/// Speaks TLS with whoever comes, and passes on to a hub what they say. Ends with this value.
pub struct TlsFront {
    address: SocketAddr,
    shared: Arc<Shared>,
    _listener: AbortOnDropHandle<()>,
}

struct Shared {
    hub: String,
    config: Mutex<Arc<ServerConfig>>,
    connections: Mutex<Vec<AbortOnDropHandle<()>>>,
    n_handshakes: AtomicU64,
    n_bytes: AtomicU64,
}

impl TlsFront {
    /// Before the hub at an `http` address.
    ///
    /// # Panics
    /// When loopback has no free port.
    pub async fn before(hub_url: &str, identity: &Identity) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("loopback has a free port");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let shared = Arc::new(Shared {
            hub: hub_url.trim_start_matches("http://").to_owned(),
            config: Mutex::new(identity.config()),
            connections: Mutex::default(),
            n_handshakes: AtomicU64::new(0),
            n_bytes: AtomicU64::new(0),
        });
        let of_listener = Arc::clone(&shared);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let shared = Arc::clone(&of_listener);
                let serving = tokio::spawn(async move { shared.serve(client).await });
                let mut connections = of_listener.connections();
                connections.push(AbortOnDropHandle::new(serving));
            }
        });
        Self {
            address,
            shared,
            _listener: AbortOnDropHandle::new(task),
        }
    }

    /// `https://localhost:port`.
    pub fn url(&self) -> String {
        format!("https://{LOCALHOST}:{}", self.address.port())
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Shows something else from now on, and hangs up on everybody.
    pub fn show(&self, identity: &Identity) {
        *self.shared.config() = identity.config();
        self.shared.connections().clear();
    }

    /// How many connections began, whatever came of them.
    pub fn handshakes(&self) -> u64 {
        self.shared.n_handshakes.load(Ordering::SeqCst)
    }

    /// How many bytes it was told, beside what belongs to TLS itself.
    pub fn bytes_read(&self) -> u64 {
        self.shared.n_bytes.load(Ordering::SeqCst)
    }
}

impl Shared {
    fn config(&self) -> std::sync::MutexGuard<'_, Arc<ServerConfig>> {
        self.config.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn connections(&self) -> std::sync::MutexGuard<'_, Vec<AbortOnDropHandle<()>>> {
        self.connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    async fn serve(&self, client: TcpStream) {
        self.n_handshakes.fetch_add(1, Ordering::SeqCst);
        let acceptor = TlsAcceptor::from(Arc::clone(&self.config()));
        // Those who do not trust the certificate go.
        let Ok(client) = acceptor.accept(client).await else {
            return;
        };
        let Ok(hub) = TcpStream::connect(&self.hub).await else {
            return;
        };
        let (mut from_client, mut to_client) = tokio::io::split(client);
        let (mut from_hub, mut to_hub) = hub.into_split();
        let questions = async {
            let mut piece = vec![0; 16 << 10];
            while let Ok(length) = from_client.read(&mut piece).await {
                self.n_bytes.fetch_add(length as u64, Ordering::SeqCst);
                if length == 0 || to_hub.write_all(&piece[..length]).await.is_err() {
                    return;
                }
            }
        };
        let answers = async {
            drop(tokio::io::copy(&mut from_hub, &mut to_client).await);
            drop(to_client.shutdown().await);
        };
        tokio::select! {
            () = questions => {}
            () = answers => {}
        }
    }
}
