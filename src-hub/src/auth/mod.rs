//! Who may use the hub: the bearer token of every call, and signing in.
//!
//! Two kinds of tokens are accepted: the key of this run, stored in the data directory for the hub's own user, and
//! tokens that a user got by signing in, until they expire. The hub itself keeps only hashes of both.

mod users;

use std::{net::IpAddr, sync::Arc};

use axum::http::{HeaderMap, header, uri::Authority};
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;

use sendense_engine::{Clock, Users};

use crate::{
    NewUser, ServeError,
    error::{Error, Result},
    secret::{self, Secret, SecretHash},
};

/// A working day; the documented hub's tokens live some hours too.
const TOKEN_LIFETIME: SignedDuration = SignedDuration::from_hours(12);

/// Each check of a password takes 19 MiB and a core: a storm of sign-ins waits in line.
const PASSWORD_CHECKS: usize = 2;

/// Decides who comes in; cheap to clone.
#[derive(Clone)]
pub(crate) struct Gate {
    inner: Arc<Inner>,
}

struct Inner {
    users: Users,
    clock: Clock,
    policy: Policy,
    password_checks: Semaphore,
}

enum Policy {
    Open,
    Guarded { key: SecretHash },
}

/// What a user gets for a name and a password.
pub(crate) struct SignedIn {
    pub(crate) token: Secret,
    pub(crate) expires_at: Timestamp,
}

impl Gate {
    /// Everybody comes in, and nobody can sign in.
    pub(crate) fn open(users: Users, clock: Clock) -> Self {
        Self::new(users, clock, Policy::Open)
    }

    /// Only who has the key or a token comes in. Creates or updates the given users.
    pub(crate) fn guarded(
        users: Users,
        clock: Clock,
        key: SecretHash,
        new: Vec<NewUser>,
    ) -> Result<Self, ServeError> {
        for user in &new {
            users::ensure(&users, user)?;
        }
        Ok(Self::new(users, clock, Policy::Guarded { key }))
    }

    fn new(users: Users, clock: Clock, policy: Policy) -> Self {
        Self {
            inner: Arc::new(Inner {
                users,
                clock,
                policy,
                password_checks: Semaphore::new(PASSWORD_CHECKS),
            }),
        }
    }

    /// Checks the token of a call.
    pub(crate) async fn check(&self, headers: &HeaderMap) -> Result<()> {
        let Policy::Guarded { key } = &self.inner.policy else {
            return refuse_web_pages(headers);
        };
        let hash = secret::hash(token_of(headers)?);
        // Equality of hashes: how long it takes depends on nothing an attacker can steer.
        if hash == *key {
            return Ok(());
        }
        let gate = self.clone();
        match tokio::task::spawn_blocking(move || gate.inner.users.has_token(&hash)).await?? {
            true => Ok(()),
            false => Err(Error::BadToken),
        }
    }

    /// Forgets the token of a call. The key of this run stays good: whoever has it can read it again.
    pub(crate) async fn sign_out(&self, headers: &HeaderMap) -> Result<()> {
        if matches!(self.inner.policy, Policy::Open) {
            return Ok(());
        }
        let hash = secret::hash(token_of(headers)?);
        let gate = self.clone();
        tokio::task::spawn_blocking(move || Ok(gate.inner.users.remove_token(&hash)?)).await?
    }

    /// Gives a token for a name and a password.
    pub(crate) async fn sign_in(
        &self,
        username: String,
        password: SecretString,
    ) -> Result<SignedIn> {
        if matches!(self.inner.policy, Policy::Open) {
            return Err(Error::BadCredentials);
        }
        let _in_line = self.inner.password_checks.acquire().await;
        let gate = self.clone();
        // Argon2 is made to take long: not on a thread that answers requests.
        tokio::task::spawn_blocking(move || {
            let Inner { users, clock, .. } = &*gate.inner;
            let now = clock.now();
            let password = password.expose_secret().as_bytes();
            let user_id = users::check(users, now, &username, password)?;
            let token = Secret::random();
            let expires_at = now.saturating_add(TOKEN_LIFETIME).unwrap_or(Timestamp::MAX);
            users.add_token(&token.hash(), user_id, expires_at)?;
            Ok(SignedIn { token, expires_at })
        })
        .await?
    }
}

fn token_of(headers: &HeaderMap) -> Result<&str> {
    headers
        .get(header::AUTHORIZATION)
        .ok_or(Error::NoAuthorization)?
        .to_str()
        .ok()
        .and_then(|text| text.strip_prefix("Bearer "))
        .ok_or(Error::BadAuthorization)
}

/// A web page that the user happens to visit can reach this computer's loopback address as well, under a
/// name of its own that leads there. Without sign-in, that would be enough to read every backup.
fn refuse_web_pages(headers: &HeaderMap) -> Result<()> {
    let named_here = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok()?.parse::<Authority>().ok())
        .is_some_and(|host| {
            let name = host.host().trim_matches(['[', ']']);
            name.eq_ignore_ascii_case("localhost")
                || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
        });
    if !named_here || headers.contains_key(header::ORIGIN) {
        return Err(Error::WebPage);
    }
    Ok(())
}
