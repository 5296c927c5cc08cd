//! The REST API: one module per resource, merged here and wrapped in what all of them share.
//!
//! From outside in: a panic becomes a 500, a body has a maximum size, a call needs a token.

mod about;
mod backups;
mod copies;
mod described;
mod discovery;
mod full_restores;
mod health;
mod login;
#[cfg(test)]
mod openapi;
mod repositories;
mod request;
mod restore;
mod retention;
mod routes;
#[cfg(test)]
mod schema;
mod verify;
mod vms;

use std::{any::Any, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{DefaultBodyLimit, Request, State},
    http::{Response, Uri},
    middleware::{self, Next},
    response::IntoResponse,
};
use jiff::Timestamp;
use serde::Serialize;
use tower_http::{catch_panic::CatchPanicLayer, timeout::RequestBodyTimeoutLayer};

use self::routes::Routes;
use crate::{
    Hub,
    connections::Client,
    error::{Error, Result, as_documented},
    profile::Profile,
};

/// Bodies are short JSON texts; nothing is uploaded to a hub.
const MAX_BODY_BYTES: usize = 1024 * 1024;

/// A client that sends nothing of its body for so long has gone.
const BODY_PAUSE: Duration = Duration::from_secs(30);

/// Every route that a hub has.
fn table(hub: &Hub) -> Routes {
    let guarded = Routes::new()
        .merge(vms::routes())
        .merge(discovery::routes())
        .merge(repositories::routes())
        .merge(backups::routes())
        .merge(copies::routes())
        .merge(verify::routes())
        .merge(retention::routes())
        .merge(restore::routes())
        .merge(login::guarded_routes())
        .merge(match hub.profile() {
            Profile::Default => full_restores::routes(),
            // Deployed hubs have none.
            Profile::Documented => Routes::new(),
        })
        .guarded(hub, require_token);
    let v1 = Routes::new()
        .merge(health::routes())
        .merge(login::routes())
        .merge(guarded);
    Routes::new()
        .merge(health::routes())
        .merge(v1.below("/api/v1"))
}

/// Everything a hub answers.
pub(crate) fn router(hub: Hub) -> Router {
    let profile = hub.profile();
    let router = table(&hub)
        .into_router()
        .fallback(unknown_path)
        .method_not_allowed_fallback(async || Error::WrongMethod)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(RequestBodyTimeoutLayer::new(BODY_PAUSE))
        .layer(CatchPanicLayer::custom(panicked))
        .with_state(hub);
    match profile {
        Profile::Default => router,
        Profile::Documented => router.layer(middleware::map_response(as_documented)),
    }
}

/// Lets a call through when its token is good.
async fn require_token(
    State(hub): State<Hub>,
    request: Request,
    next: Next,
) -> Result<Response<Body>> {
    hub.gate().check(request.headers()).await?;
    if let Some(client) = request.extensions().get::<Client>() {
        client.is_a_user();
    }
    Ok(next.run(request).await)
}

async fn unknown_path(uri: Uri) -> Error {
    Error::UnknownPath(uri.path().to_owned())
}

/// The panic's own text goes to the log by the panic hook; the client learns that it happened.
fn panicked(_: Box<dyn Any + Send>) -> Response<Body> {
    Error::Panicked.into_response()
}

/// A time in an answer: UTC, as in RFC 3339.
#[derive(Clone, Copy, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(inline))]
struct Time(#[cfg_attr(test, schemars(with = "String", extend("format" = "date-time")))] Timestamp);

impl From<Timestamp> for Time {
    fn from(time: Timestamp) -> Self {
        Self(time)
    }
}

/// Bytes as the contract's `…_gb`: units of 1024³.
fn gibibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 30)
}
