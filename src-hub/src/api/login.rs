//! `/auth/login`: a token for a user name and password. Needs no token itself.

use axum::{Json, Router, extract::State, routing::post};
use jiff::Timestamp;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::request::JsonBody;
use crate::{
    Hub,
    error::{Error, Result},
};

/// The route below `/api/v1`.
pub(crate) fn router() -> Router<Hub> {
    Router::new().route("/auth/login", post(login))
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
