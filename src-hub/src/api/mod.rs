//! The REST API: one module per resource, merged here and wrapped in what all of them share.
//!
//! From outside in: a panic becomes a 500, a body has a maximum size, a call needs a token.

mod backups;
mod copies;
mod discovery;
mod health;
mod login;
mod repositories;
mod request;
mod restore;
mod retention;
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
use tower_http::{catch_panic::CatchPanicLayer, timeout::RequestBodyTimeoutLayer};

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

/// Everything a hub answers.
pub(crate) fn router(hub: Hub) -> Router {
    let guarded = Router::new()
        .merge(vms::router())
        .merge(discovery::router())
        .merge(repositories::router())
        .merge(backups::router())
        .merge(copies::router())
        .merge(verify::router())
        .merge(retention::router())
        .merge(restore::router())
        .merge(login::guarded_router())
        .route_layer(middleware::from_fn_with_state(hub.clone(), require_token));
    let v1 = Router::new()
        .merge(health::router())
        .merge(login::router())
        .merge(guarded);
    let profile = hub.profile();
    let router = Router::new()
        .merge(health::router())
        .nest("/api/v1", v1)
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

/// Bytes as the contract's `…_gb`: units of 1024³.
fn gibibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 30)
}
