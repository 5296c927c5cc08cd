//! `/backups/{backup_id}/verify`: whether a backup still contains what was backed up. Not in the contract.

use axum::{Json, extract::State, http::StatusCode};
use sendense_engine::Error;
use serde::Serialize;

use super::{about::about, request::Path, routes::Routes};
use crate::{Hub, error::Result};

/// The routes below `/api/v1`.
pub(crate) fn routes() -> Routes {
    Routes::new()
        .get(
            "/backups/{backup_id}/verify",
            show,
            about("Show what verifying a recovery point has found so far")
                .refuses(&[StatusCode::NOT_FOUND]),
        )
        .post(
            "/backups/{backup_id}/verify",
            start,
            about("Begin to verify a recovery point, or go on").refuses(&[
                StatusCode::NOT_FOUND,
                StatusCode::CONFLICT,
                StatusCode::SERVICE_UNAVAILABLE,
            ]),
        )
        .post(
            "/backups/{backup_id}/verify/cancel",
            cancel,
            about("Stop verifying a recovery point")
                .refuses(&[StatusCode::NOT_FOUND, StatusCode::CONFLICT]),
        )
}

/// What a verification is that was ended before it was through.
const CANCELLED: &str = "cancelled";

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Verification"))]
struct Answer {
    backup_id: String,
    /// `running`, `cancelled`, `sound`, `flawed` (its disks are sound), `unproven` or `damaged`.
    status: &'static str,
    progress_percent: f64,
    disks: Vec<DiskRow>,
    /// After damage: what cannot be restored, and what can, of this VM in this repository.
    broken_backups: Vec<String>,
    intact_backups: Vec<String>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "VerifiedDisk"))]
struct DiskRow {
    disk_index: u32,
    status: &'static str,
    /// What is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    error_message: Option<String>,
}

/// Begins, or goes on.
async fn start(State(hub): State<Hub>, Path(backup_id): Path<String>) -> Result<Json<Answer>> {
    hub.blocking(move |hub| {
        hub.engine().verifications().start(&backup_id)?;
        answer(&hub, backup_id)
    })
    .await
}

async fn show(State(hub): State<Hub>, Path(backup_id): Path<String>) -> Result<Json<Answer>> {
    hub.blocking(move |hub| answer(&hub, backup_id)).await
}

/// Ends it; it may go on for a moment.
async fn cancel(State(hub): State<Hub>, Path(backup_id): Path<String>) -> Result<Json<Answer>> {
    hub.blocking(move |hub| {
        hub.engine().verifications().cancel(&backup_id)?;
        answer(&hub, backup_id)
    })
    .await
}

fn answer(hub: &Hub, backup_id: String) -> Result<Json<Answer>> {
    let state = hub.engine().verifications().state_of(&backup_id);
    let state = state.ok_or_else(|| Error::NotVerified(backup_id.clone()))?;
    let verdict = state.verdict();
    let disks: Vec<DiskRow> = state
        .findings
        .into_iter()
        .map(|(disk_index, finding)| {
            let (status, error_message) = match finding.judged() {
                Some((verdict, why)) => (verdict.as_str(), why.map(str::to_owned)),
                None => (CANCELLED, None),
            };
            DiskRow {
                disk_index,
                status,
                error_message,
            }
        })
        .collect();
    let status = match (state.is_over, verdict) {
        (false, _) => "running",
        (true, Some(verdict)) => verdict.as_str(),
        (true, None) => CANCELLED,
    };
    let share = state.checked_bytes as f64 / state.total_bytes.max(1) as f64;
    Ok(Json(Answer {
        backup_id,
        status,
        progress_percent: if state.is_over {
            100.0
        } else {
            (100.0 * share).min(99.9)
        },
        disks,
        broken_backups: state.broken,
        intact_backups: state.intact,
    }))
}
