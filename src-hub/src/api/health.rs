//! `/health`: whether the hub is running and can read its database. Needs no token.

use std::time::Duration;

use axum::{Json, extract::State};
use serde::Serialize;

use super::{Time, about::about, routes::Routes};
use crate::{Hub, error::Result};

/// The route, which exists with and without `/api/v1` (contract D1).
pub(crate) fn routes() -> Routes {
    let health_of = about("Tell whether the hub is running and can read its database")
        .notes("The same with and without `/api/v1`; needs no token.");
    Routes::new().get("/health", health, health_of)
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Health {
    service: &'static str,
    /// `healthy`, or `degraded` while the database takes long to answer.
    status: &'static str,
    timestamp: Time,
    version: &'static str,
    /// `connected` or `busy`.
    database: &'static str,
}

/// A disk that needs longer than that is slow; who asks is told so, and need not wait for it.
const PATIENCE: Duration = Duration::from_millis(20);

/// Asks the database too: a hub that cannot is not healthy (contract H40).
async fn health(State(hub): State<Hub>) -> Result<Json<Health>> {
    let timestamp = hub.clock().now();
    let asked = hub.blocking(|hub| Ok(hub.engine().check()?));
    let has_answered = match tokio::time::timeout(PATIENCE, asked).await {
        Ok(answer) => answer?,
        Err(_) => false,
    };
    let (status, database) = match has_answered {
        true => ("healthy", "connected"),
        false => ("degraded", "busy"),
    };
    Ok(Json(Health {
        service: "Sendense local hub",
        status,
        timestamp: timestamp.into(),
        version: env!("CARGO_PKG_VERSION"),
        database,
    }))
}
