//! `/health`: whether the hub is running and can read its database. Needs no token.

use std::time::Duration;

use axum::{Json, Router, extract::State, routing::get};
use jiff::Timestamp;
use serde::Serialize;

use crate::{Hub, error::Result};

/// The route, which exists with and without `/api/v1` (contract D1).
pub(crate) fn router() -> Router<Hub> {
    Router::new().route("/health", get(health))
}

#[derive(Serialize)]
struct Health {
    service: &'static str,
    status: &'static str,
    timestamp: Timestamp,
    version: &'static str,
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
        timestamp,
        version: env!("CARGO_PKG_VERSION"),
        database,
    }))
}
