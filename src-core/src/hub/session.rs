//! Reaching a hub and signing in (contract 8.1 and 8.2).

use jiff::Timestamp;
use reqwest::{Method, Response};
use sendense_types::{AppError, ErrorKind, Retry};
use sendense_words as words;
use serde_json::{Value, json};

use super::{HubClient, Token, address, redaction::without, request::Effect, wire::Fields};
use crate::Result;

/// What came of signing in.
#[derive(Clone, Debug)]
pub enum SignIn {
    /// The hub issued a token.
    Token {
        /// For every further request.
        token: Token,
        /// When it ends, where the hub says.
        expires_at: Option<Timestamp>,
    },
    /// The hub knows no sign-in: everybody who reaches it may use it.
    NotNeeded,
}

impl HubClient {
    /// Whether there is a hub at this address: deployed ones have `/health`, documented ones
    /// `/api/v1/health` (contract D1).
    ///
    /// # Errors
    /// When nothing answers, or what answers is no hub.
    pub async fn health(&self) -> Result<()> {
        self.ask_for_health().await.map(drop)
    }

    /// As [`health`](Self::health), with what it answers.
    pub(super) async fn ask_for_health(&self) -> Result<Response> {
        let deployed = address::below(&self.base, &["health"])?;
        let documented = self.v1(&["health"])?;
        for url in [deployed, documented] {
            let request = self.request(Method::GET, url);
            match self.send(request, Effect::Repeatable).await {
                Ok(answer) => return Ok(answer),
                Err(error) if is_missing(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Err(AppError::new(
            ErrorKind::Unsupported,
            words::failures::no_hub_at(self.address()),
            Retry::Never,
        )
        .with_hint(words::failures::something_else_answers()))
    }

    /// Whether the token, or its absence, is good: not every call of a deployed hub looks at it, this
    /// one does (contract 2.3).
    ///
    /// # Errors
    /// `Unauthorized` when it is not.
    pub async fn check_sign_in(&self) -> Result<()> {
        self.get(self.v1(&["vm-contexts"])?).await.map(drop)
    }

    /// Whether somebody has to sign in, or sign in again: the hub refuses the token, or its absence.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn wants_sign_in(&self) -> Result<bool> {
        match self.check_sign_in().await {
            Ok(()) => Ok(false),
            Err(error) if error.kind == ErrorKind::Unauthorized => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Signs in with a name and a password.
    ///
    /// A hub that knows no sign-in refuses them too, so a refusal is checked without any (contract 8.2).
    ///
    /// # Errors
    /// When the hub does not accept them.
    pub async fn sign_in(&self, username: &str, password: &str) -> Result<SignIn> {
        let body = json!({ "username": username, "password": password });
        self.log_in(&body, password).await
    }

    /// Signs in with the token of an appliance, as deployed hubs want it (contract D2). It is refused like a password.
    ///
    /// # Errors
    /// When the hub does not accept it.
    pub async fn sign_in_with_appliance_token(&self, token: &Token) -> Result<SignIn> {
        let body = json!({
            "appliance_id": "sendense-desktop",
            "token": token.reveal(),
            "version": env!("CARGO_PKG_VERSION"),
        });
        let signed_in = self.log_in(&body, token.reveal()).await;
        signed_in.map_err(token_refused)
    }

    /// Whether a bearer token is good.
    ///
    /// # Errors
    /// `Unauthorized` when it is not.
    pub async fn check_token(&self) -> Result<()> {
        self.check_sign_in().await.map_err(token_refused)
    }

    /// Makes the token worthless, on hubs that can do that; on others it stays good until it expires.
    ///
    /// # Errors
    /// When the hub has no way to sign out, does not answer, or does not know the token any more.
    pub async fn sign_out(&self) -> Result<()> {
        if self.renewal.is_some() || self.token().is_none() {
            // The session of an appliance is everybody's (contract 12), and without a token there is none.
            return Ok(());
        }
        let request = self.request(Method::POST, self.v1(&["auth", "logout"])?);
        self.have_done(request).await
    }

    async fn log_in(&self, body: &Value, secret: &str) -> Result<SignIn> {
        let url = self.v1(&["auth", "login"])?;
        let answer = self.post_as_nobody(url, body).await;
        let answer = match answer.map_err(|error| without(secret, error)) {
            Ok(answer) => answer,
            Err(refused) if refused.kind == ErrorKind::Unauthorized => {
                return match self.get_as_nobody(self.v1(&["vm-contexts"])?).await {
                    Ok(_) => Ok(SignIn::NotNeeded),
                    Err(_) => Err(refused),
                };
            }
            Err(error) => return Err(error),
        };
        let fields = Fields::of(&answer)?;
        let token = fields
            .text(&["token", "session_token", "access_token"])
            .ok_or_else(|| {
                AppError::new(
                    ErrorKind::Internal,
                    words::failures::no_token_given(),
                    Retry::Manual,
                )
                .with_hint(words::failures::answer_not_understood_hint())
            })?;
        Ok(SignIn::Token {
            token: Token::new(token),
            expires_at: fields.time("expires_at"),
        })
    }
}

/// A refusal in the words of whoever gave a token, where the hub's are about names and passwords.
fn token_refused(error: AppError) -> AppError {
    if error.kind != ErrorKind::Unauthorized {
        return error;
    }
    AppError {
        message: words::failures::token_refused().to_owned(),
        hint: Some(words::failures::token_refused_hint().to_owned()),
        ..error
    }
}

/// Whether the hub does not have what was asked for, as opposed to having failed.
pub(super) fn is_missing(error: &AppError) -> bool {
    matches!(error.kind, ErrorKind::Unsupported | ErrorKind::NotFound)
}
