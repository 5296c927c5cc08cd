//! `/backups/{backup_id}/copies`: copies of recovery points in other repositories (contract 3.7).

use axum::{Json, extract::State, http::StatusCode};
use sendense_engine::ChainCopy;
use sendense_types::FailureCode;
use serde::{Deserialize, Serialize};

use super::{
    Time,
    about::about,
    request::{Created, JsonBody, Path},
    routes::Routes,
};
use crate::{
    Hub, Profile,
    error::{Error, Result},
};

/// The routes below `/api/v1`.
pub(crate) fn routes() -> Routes {
    Routes::new()
        .get(
            "/backups/{backup_id}/copies",
            list,
            about("List the copies of a recovery point")
                .notes("Oldest first. A recovery point that the hub does not know has none."),
        )
        .post(
            "/backups/{backup_id}/copy",
            start,
            about("Begin to copy a recovery point and all it builds on to another repository")
                .notes("What is there already is not copied again.")
                .refuses(&[
                    StatusCode::NOT_FOUND,
                    StatusCode::CONFLICT,
                    StatusCode::SERVICE_UNAVAILABLE,
                ]),
        )
        .post(
            "/backups/{backup_id}/copies/{copy_id}/cancel",
            cancel,
            about("Cancel a copy")
                .notes("What is copied stays for the next one.")
                .refuses(&[StatusCode::NOT_FOUND, StatusCode::CONFLICT]),
        )
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Copy"))]
struct CopyRow {
    id: i64,
    source_backup_id: String,
    repository_id: String,
    /// `pending`, `copying`, `verifying`, `completed` or `failed`.
    status: String,
    /// Of the first disk's image; empty before it is there.
    file_path: String,
    size_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    copy_started_at: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    copy_completed_at: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verified_at: Option<Time>,
    verification_status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_message: Option<String>,
    /// Only this hub says it: the same for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<super::schema::Code>"))]
    error_code: Option<FailureCode>,
    created_at: Time,
    /// Only this hub says it: the backup that it became.
    #[serde(skip_serializing_if = "Option::is_none")]
    backup_id: Option<String>,
    /// Only this hub says it: how far it is.
    progress_percent: f64,
}

async fn list(State(hub): State<Hub>, Path(backup_id): Path<String>) -> Result<Json<Vec<CopyRow>>> {
    hub.blocking(move |hub| {
        let rows = hub.engine().copies().of_backup(&backup_id)?;
        rows.into_iter()
            .map(|copy| row(&hub, copy))
            .collect::<Result<_>>()
            .map(Json)
    })
    .await
}

fn row(hub: &Hub, copy: ChainCopy) -> Result<CopyRow> {
    // It may have been deleted since.
    let became = copy.backup_id.as_deref();
    let became = became.and_then(|id| hub.engine().backups().find(id).ok());
    let image = became
        .and_then(|backup| backup.disks.into_iter().next())
        .and_then(|disk| disk.qcow2_path);
    let share = copy.copied_bytes as f64 / copy.size_bytes.max(1) as f64;
    Ok(CopyRow {
        file_path: image.map_or_else(String::new, |path| path.display().to_string()),
        progress_percent: match copy.status.as_str() {
            "completed" => 100.0,
            _ => (100.0 * share).min(99.9),
        },
        id: copy.id,
        source_backup_id: copy.source_backup_id,
        repository_id: copy.repository_id,
        status: copy.status,
        size_bytes: copy.size_bytes,
        copy_started_at: copy.copy_started_at.map(Time),
        copy_completed_at: copy.copy_completed_at.map(Time),
        verified_at: copy.verified_at.map(Time),
        verification_status: copy.verification_status,
        error_message: copy.error_message,
        error_code: copy
            .error_code
            .filter(|_| hub.profile() == Profile::Default),
        created_at: copy.created_at.into(),
        backup_id: copy.backup_id,
    })
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "NewCopy"))]
struct CopyRequest {
    /// Where to.
    #[serde(default)]
    #[cfg_attr(test, schemars(!default, length(min = 1)))]
    repository_id: String,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct StartedCopy {
    message: &'static str,
    copy_id: i64,
    status: &'static str,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct CancelledCopy {
    message: &'static str,
    copy_id: i64,
}

async fn start(
    State(hub): State<Hub>,
    Path(backup_id): Path<String>,
    JsonBody(request): JsonBody<CopyRequest>,
) -> Result<Created<StartedCopy>> {
    if request.repository_id.is_empty() {
        return Err(Error::Required("repository_id"));
    }
    hub.blocking(move |hub| {
        let copy_id = hub
            .engine()
            .copies()
            .start(&backup_id, &request.repository_id)?;
        Ok(Created(StartedCopy {
            message: "the recovery point and all it builds on are being copied",
            copy_id,
            status: "pending",
        }))
    })
    .await
}

/// Not in the contract.
async fn cancel(
    State(hub): State<Hub>,
    Path((backup_id, copy_id)): Path<(String, i64)>,
) -> Result<Json<CancelledCopy>> {
    hub.blocking(move |hub| {
        hub.engine().copies().cancel(&backup_id, copy_id)?;
        Ok(Json(CancelledCopy {
            message: "the copy is being cancelled; what is copied stays for the next one",
            copy_id,
        }))
    })
    .await
}
