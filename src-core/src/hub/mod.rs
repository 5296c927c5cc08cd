//! One hub: its address, a token, and a method for each question it answers.
//!
//! A file for each resource; `request` sends and reads, `wire` decodes, `error` translates failures.

mod address;
mod backups;
mod ca;
mod certificate;
mod discovery;
mod error;
mod full_restores;
mod inspection;
mod live;
mod meanings;
mod patience;
mod pauses;
mod places;
mod proxy;
mod redaction;
mod refusals;
mod renewal;
mod repositories;
mod request;
mod restore;
mod retention;
mod sending;
mod session;
#[cfg(test)]
mod tests;
mod tls;
mod vms;
mod wire;
mod zone;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use jiff::Timestamp;
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use sendense_types::{HubId, Trust, VmId};

pub(crate) use self::backups::{Proof, failure_of};
pub use self::ca::trust_ca_file;
pub use self::inspection::{Admission, HubHealth, Offer, Offered};
use self::proxy::Proxy;
pub(crate) use self::redaction::{without_passwords, without_secret};
use self::renewal::Renewal;
pub(crate) use self::restore::{Purpose, normal_path, why_not_a_file};
use self::sending::Sending;
pub(crate) use self::sending::{Body, Rest};
pub use self::session::SignIn;
use self::zone::Zone;
use crate::{BackupRecord, Result};

/// A hub that can be asked. Cheap to clone; clones share their connections.
#[derive(Clone, Debug)]
pub struct HubClient {
    http: reqwest::Client,
    /// What lies between.
    proxy: Option<Proxy>,
    /// Ends with a slash and holds no `/api/v1`.
    base: Url,
    /// Under which it is remembered.
    id: HubId,
    token: Option<Token>,
    /// Gets tokens by itself, where somebody gave the means.
    renewal: Option<Arc<Renewal>>,
    /// The hub's clock, with the moment at which it was heard.
    time: Arc<Mutex<Option<(Instant, Timestamp)>>>,
    /// How it sends what is downloaded.
    sending: Arc<Mutex<Sending>>,
    /// When the mount ends that it is asked about, where that is known and final.
    mount_ends: Option<tokio::time::Instant>,
    /// The hub's time zone, as far as it was heard.
    zone: Arc<Mutex<Zone>>,
    /// The VMs of which it refused an incremental backup right beside a full one (contract H9).
    unchained: Arc<Mutex<BTreeSet<VmId>>>,
    /// The backups that were started here or seen running.
    backup_record: BackupRecord,
    /// What was asked last: method and path. The query is left out, because it names files of the user.
    asked: Arc<Mutex<Option<String>>>,
}

/// A bearer token; shows itself to nobody, and is wiped from memory after use.
#[derive(Clone, Debug)]
pub struct Token(SecretString);

impl HubClient {
    /// A client for the hub at `http://host:port`; scheme, trailing slash and `/api/v1` may be there
    /// or not. Hubs without sign-in need no token (contract D5).
    ///
    /// # Errors
    /// When the address makes no sense.
    pub fn new(address: &str, token: Option<Token>) -> Result<Self> {
        let hub = Self::trusting(address, &Trust::System)?;
        Ok(Self { token, ..hub })
    }

    /// As [`new`](Self::new), without a token, for a hub whose certificate is trusted in this way.
    ///
    /// # Errors
    /// When the address makes no sense, or there is no CA in what is trusted.
    pub fn trusting(address: &str, trust: &Trust) -> Result<Self> {
        let base = address::parse(address)?;
        Ok(Self {
            http: request::http_client(&base, trust)?,
            proxy: Proxy::before(&base),
            id: HubId(shown(&base).to_owned()),
            base,
            token: None,
            renewal: None,
            time: Arc::default(),
            sending: Arc::default(),
            mount_ends: None,
            zone: Arc::default(),
            unchained: Arc::default(),
            backup_record: BackupRecord::in_folder(None),
            asked: Arc::default(),
        })
    }

    /// The same hub, which is that of this computer: its address changes with every start.
    #[must_use]
    pub fn of_this_computer(mut self) -> Self {
        self.id = HubId::this_computer();
        self
    }

    /// The same hub, whose backups are remembered here.
    #[must_use]
    pub fn with_backup_record(mut self, record: BackupRecord) -> Self {
        self.backup_record = record;
        self
    }

    /// What the hub is remembered by: its address, so that it is the same one whoever asks it.
    pub(crate) fn id(&self) -> &HubId {
        &self.id
    }

    /// The same hub, asked with this token.
    #[must_use]
    pub fn with_token(mut self, token: Token) -> Self {
        self.token = Some(token);
        self
    }

    /// The same hub, to which the client signs in by itself with the token of an appliance, whenever it has to.
    #[must_use]
    pub fn with_appliance_token(mut self, token: Token) -> Self {
        self.token = None;
        self.renewal = Some(Arc::new(Renewal::new(token)));
        self
    }

    /// The token that counts now.
    fn token(&self) -> Option<Token> {
        match &self.renewal {
            Some(renewal) => renewal.token(),
            None => self.token.clone(),
        }
    }

    /// The time by the hub's clock, which its deadlines go by: that of its last answer, moved on.
    /// `None` before the first answer, or where answers have no date.
    pub(crate) fn time(&self) -> Option<Timestamp> {
        let (heard, said) = (*self.time.lock().unwrap_or_else(PoisonError::into_inner))?;
        said.checked_add(jiff::SignedDuration::try_from(heard.elapsed()).ok()?)
            .ok()
    }

    /// The same hub, with a note of its own of what it is asked.
    pub(crate) fn noting_what_is_asked(mut self) -> Self {
        self.asked = Arc::default();
        self
    }

    /// What was asked last, for the log: method and path.
    pub(crate) fn asked(&self) -> Option<String> {
        self.asked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Whether others on the network can read what is sent: the hub is another computer, and nothing is encrypted.
    pub fn is_readable_on_the_way(&self) -> bool {
        sendense_types::is_readable_on_the_way(self.address())
    }

    /// Whether the hub's computer is this one, so that a path means the same on both.
    pub fn is_on_this_computer(&self) -> bool {
        address::is_loopback(&self.base)
    }

    /// Whether this address, in whatever spelling, leads to it.
    pub(crate) fn is_at(&self, address: &str) -> bool {
        address::parse(address).is_ok_and(|base| base == self.base)
    }

    /// `http://host:port`, as it is shown.
    pub fn address(&self) -> &str {
        shown(&self.base)
    }
}

/// Whether two addresses, in whatever spelling, lead to the same hub.
pub(crate) fn is_same_address(one: &str, other: &str) -> bool {
    let (one, other) = (address::parse(one), address::parse(other));
    one.is_ok_and(|one| other.is_ok_and(|other| one == other))
}

fn shown(base: &Url) -> &str {
    base.as_str().trim_end_matches('/')
}

impl Token {
    /// Takes a token as it was issued.
    pub fn new(text: impl Into<SecretString>) -> Self {
        Self(text.into())
    }

    /// The secret itself, for whoever asked for it.
    pub fn reveal(&self) -> &str {
        self.0.expose_secret()
    }
}
