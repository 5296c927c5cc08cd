//! Signing in again by itself where a hub forgets who signed in (contract 6.1).
//!
//! Deployed hubs give everybody one session token for an appliance token, and know nobody after a restart. Whoever has
//! the appliance token can sign in again without asking; once for each time the hub forgot, and by one question at a
//! time, because a login that races with a check can bring such a hub down (contract H35).

use std::sync::{Mutex, MutexGuard, PoisonError};

use sendense_types::{AppError, ErrorKind};

use super::{HubClient, SignIn, Token};
use crate::Result;

/// An appliance token, and what it last got.
#[derive(Debug)]
pub(super) struct Renewal {
    appliance: Token,
    session: Mutex<Session>,
    /// Held while signing in.
    signing_in: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Session {
    token: Option<Token>,
    /// Which one it is. Tokens do not tell: a deployed hub issues the same one each time (contract 3.2).
    number: u64,
    /// The hub refused the appliance token, or the session that it had just issued: the user has to be asked.
    is_over: bool,
}

impl Renewal {
    pub(super) fn new(appliance: Token) -> Self {
        Self {
            appliance,
            session: Mutex::default(),
            signing_in: tokio::sync::Mutex::default(),
        }
    }

    /// The session token that counts now.
    pub(super) fn token(&self) -> Option<Token> {
        self.session().token.clone()
    }

    /// Which session counts now; the first one is number 1.
    pub(super) fn number(&self) -> u64 {
        self.session().number
    }

    /// Gets a new session in the place of the one that a question was refused with, unless another question has got one
    /// in the meantime.
    ///
    /// # Errors
    /// `Unauthorized` when the hub refuses the appliance token; it is not tried again then.
    pub(super) async fn renew(&self, hub: &HubClient, used: u64, refused: AppError) -> Result<()> {
        let _one_at_a_time = self.signing_in.lock().await;
        {
            let session = self.session();
            if session.is_over {
                return Err(refused);
            }
            if session.number != used {
                return Ok(());
            }
        }
        match hub.sign_in_with_appliance_token(&self.appliance).await {
            Ok(SignIn::Token { token, .. }) => {
                let mut session = self.session();
                session.token = Some(token);
                session.number += 1;
                tracing::info!("signed in with the appliance token");
                Ok(())
            }
            Ok(SignIn::NotNeeded) => Err(refused),
            Err(error) => {
                self.session().is_over = error.kind == ErrorKind::Unauthorized;
                Err(error)
            }
        }
    }

    /// Signs in no more: the hub refused the session that it had just issued, and would refuse the next one.
    pub(super) fn give_up(&self, used: u64) {
        let mut session = self.session();
        session.is_over |= session.number == used;
    }

    fn session(&self) -> MutexGuard<'_, Session> {
        // Nothing panics under this lock.
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use sendense_types::Retry;

    use super::*;
    use crate::testing::{FakeHub, json};

    const LOGIN: &str = "POST /api/v1/auth/login";

    /// A hub that knows nobody until somebody signs in, and how often that happened.
    async fn forgetful(accepts: bool) -> (FakeHub, Arc<AtomicBool>, Arc<AtomicUsize>) {
        let knows = Arc::new(AtomicBool::new(false));
        let logins = Arc::new(AtomicUsize::new(0));
        let (known, counted) = (Arc::clone(&knows), Arc::clone(&logins));
        let hub = FakeHub::start(move |line| match line {
            LOGIN if accepts => {
                counted.fetch_add(1, Ordering::Relaxed);
                known.store(true, Ordering::Relaxed);
                json(200, "", r#"{"success":true,"session_token":"constant"}"#)
            }
            LOGIN => {
                counted.fetch_add(1, Ordering::Relaxed);
                json(
                    401,
                    "",
                    r#"{"success":false,"error_message":"Invalid credentials"}"#,
                )
            }
            _ if known.load(Ordering::Relaxed) => json(200, "", r#"{"vm_contexts":[]}"#),
            _ => json(401, "", r#"{"error":"Invalid or expired token"}"#),
        })
        .await;
        (hub, knows, logins)
    }

    fn client(hub: &FakeHub) -> HubClient {
        let client = HubClient::new(&hub.address, None).unwrap();
        client.with_appliance_token(Token::new("secret-of-the-appliance"))
    }

    /// Contract H35, section 12.12.
    #[tokio::test]
    async fn a_hub_that_forgot_is_signed_in_to_again_once_whoever_asks() {
        let (hub, knows, logins) = forgetful(true).await;
        let client = client(&hub);
        let (a, b, c) = tokio::join!(client.vms(), client.vms(), client.vms());
        assert!(a.is_ok() && b.is_ok() && c.is_ok());
        assert_eq!(logins.load(Ordering::Relaxed), 1);
        client.vms().await.unwrap();
        assert_eq!(logins.load(Ordering::Relaxed), 1);

        // It restarts. The constant is the same, and it has to be got again all the same.
        knows.store(false, Ordering::Relaxed);
        client.clone().vms().await.unwrap();
        assert_eq!(logins.load(Ordering::Relaxed), 2);

        // It restarts while several questions are under way: what they were refused with looks like what is got.
        knows.store(false, Ordering::Relaxed);
        let (a, b, c) = tokio::join!(client.vms(), client.vms(), client.vms());
        assert!(a.is_ok() && b.is_ok() && c.is_ok());
        assert_eq!(logins.load(Ordering::Relaxed), 3);
    }

    /// Contract H35.
    #[tokio::test]
    async fn a_session_that_is_refused_at_once_is_not_got_again_and_again() {
        let hub = FakeHub::start(|line| match line {
            LOGIN => json(200, "", r#"{"success":true,"session_token":"constant"}"#),
            _ => json(401, "", r#"{"error":"Invalid or expired token"}"#),
        })
        .await;
        let client = client(&hub);
        for _ in 0..3 {
            let error = client.vms().await.unwrap_err();
            assert_eq!(error.kind, ErrorKind::Unauthorized);
            assert_eq!(error.retry, Retry::AfterSignIn);
        }
        let asked = hub.asked();
        let logins = asked.iter().filter(|line| *line == LOGIN).count();
        assert_eq!(logins, 1, "{asked:?}");
    }

    /// Contract H35.
    #[tokio::test]
    async fn a_refused_appliance_token_is_tried_once() {
        let (hub, _, logins) = forgetful(false).await;
        let client = client(&hub);
        for _ in 0..3 {
            let error = client.vms().await.unwrap_err();
            assert_eq!(error.kind, ErrorKind::Unauthorized);
            assert!(!format!("{error:?}").contains("secret"), "{error:?}");
        }
        assert_eq!(logins.load(Ordering::Relaxed), 1);
        assert!(!format!("{client:?}").contains("secret"));
    }
}
