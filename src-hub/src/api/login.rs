//! `/auth/login`: a token for a user name and password. `/auth/logout`: its end, before it expires.

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use jiff::Timestamp;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::request::JsonBody;
use crate::{
    Hub,
    error::{Error, Result},
};

/// Signing in, below `/api/v1`, for which nobody needs a token.
pub(crate) fn router() -> Router<Hub> {
    Router::new().route("/auth/login", post(login))
}

/// What only those who are signed in can ask for.
pub(crate) fn guarded_router() -> Router<Hub> {
    Router::new().route("/auth/logout", post(logout))
}

#[derive(Deserialize)]
struct Login {
    #[serde(default)]
    username: String,
    #[serde(default)]
    password: SecretString,
}

#[derive(Serialize)]
struct LoggedIn {
    token: String,
    expires_at: Timestamp,
}

async fn login(State(hub): State<Hub>, JsonBody(login): JsonBody<Login>) -> Result<Json<LoggedIn>> {
    if login.username.is_empty() {
        return Err(Error::Required("username"));
    }
    let signed_in = hub.gate().sign_in(login.username, login.password).await?;
    Ok(Json(LoggedIn {
        // On its way to the one who signed in.
        token: signed_in.token.as_str().to_owned(),
        expires_at: signed_in.expires_at,
    }))
}

async fn logout(State(hub): State<Hub>, headers: HeaderMap) -> Result<StatusCode> {
    hub.gate().sign_out(&headers).await?;
    Ok(StatusCode::NO_CONTENT)
}
