//! `/auth/login`: a token for a user name and password. `/auth/logout`: its end, before it expires.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::NoContent,
};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::{Time, about::about, request::JsonBody, routes::Routes};
use crate::{
    Hub,
    error::{Error, Result},
};

/// Signing in, below `/api/v1`, for which nobody needs a token.
pub(crate) fn routes() -> Routes {
    let sign_in = about("Sign in")
        .notes(
            "Answers a token for `Authorization: Bearer …`. After several failed sign-ins of a user, further ones \
             are refused for a while, which `Retry-After` tells in seconds.",
        )
        .refuses(&[StatusCode::UNAUTHORIZED, StatusCode::TOO_MANY_REQUESTS]);
    Routes::new().post("/auth/login", login, sign_in)
}

/// What only those who are signed in can ask for.
pub(crate) fn guarded_routes() -> Routes {
    let sign_out = about("Sign out").notes("The token of this call is worth nothing from then on.");
    Routes::new().post("/auth/logout", logout, sign_out)
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "SignIn"))]
struct Login {
    #[serde(default)]
    #[cfg_attr(test, schemars(!default, length(min = 1)))]
    username: String,
    #[serde(default)]
    #[cfg_attr(test, schemars(!default, with = "String"))]
    password: SecretString,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "SignedIn"))]
struct LoggedIn {
    token: String,
    expires_at: Time,
}

async fn login(State(hub): State<Hub>, JsonBody(login): JsonBody<Login>) -> Result<Json<LoggedIn>> {
    if login.username.is_empty() {
        return Err(Error::Required("username"));
    }
    let signed_in = hub.gate().sign_in(login.username, login.password).await?;
    Ok(Json(LoggedIn {
        // On its way to the one who signed in.
        token: signed_in.token.as_str().to_owned(),
        expires_at: signed_in.expires_at.into(),
    }))
}

async fn logout(State(hub): State<Hub>, headers: HeaderMap) -> Result<NoContent> {
    hub.gate().sign_out(&headers).await?;
    Ok(NoContent)
}
