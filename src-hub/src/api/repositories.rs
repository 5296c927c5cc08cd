//! `/repositories`: places where backups are kept (contract 3.5).

use axum::{Json, Router, extract::State, routing::get};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    Hub,
    backup::{Filter, Status},
    error::Result,
    repository::{self, LocalConfig, Repository},
};

/// The routes below `/api/v1`.
pub(crate) fn router() -> Router<Hub> {
    Router::new().route("/repositories", get(list))
}

#[derive(Serialize)]
struct RepositoryRow {
    id: String,
    name: String,
    #[serde(rename = "type")]
    repository_type: String,
    enabled: bool,
    config: LocalConfig,
    is_immutable: bool,
    min_retention_days: u32,
    /// Left out where the folder cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    storage_info: Option<Storage>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

/// Sizes are those of the whole filesystem.
#[derive(Serialize)]
struct Storage {
    repository_id: String,
    total_bytes: u64,
    used_bytes: u64,
    available_bytes: u64,
    used_percent: f64,
    backup_count: usize,
    last_check_at: Timestamp,
}

async fn list(State(hub): State<Hub>) -> Result<Json<Value>> {
    hub.blocking(|hub| {
        let rows = hub
            .db()
            .with(repository::list)?
            .into_iter()
            .map(|repository| row(&hub, repository))
            .collect::<Result<Vec<_>>>()?;
        Ok(Json(json!({ "success": true, "repositories": rows })))
    })
    .await
}

fn row(hub: &Hub, repository: Repository) -> Result<RepositoryRow> {
    Ok(RepositoryRow {
        storage_info: storage_info(hub, &repository)?,
        id: repository.id,
        name: repository.name,
        repository_type: repository.repository_type,
        enabled: repository.enabled,
        config: repository.config,
        is_immutable: repository.is_immutable,
        min_retention_days: repository.min_retention_days,
        created_at: repository.created_at,
        updated_at: repository.updated_at,
    })
}

fn storage_info(hub: &Hub, repository: &Repository) -> Result<Option<Storage>> {
    let folder = &repository.config.path;
    let (Ok(total_bytes), Ok(available_bytes)) =
        (fs4::total_space(folder), fs4::available_space(folder))
    else {
        return Ok(None);
    };
    let backups = hub.jobs().list(&Filter {
        repository_id: Some(repository.id.clone()),
        status: Some(Status::Completed),
        ..Filter::default()
    })?;
    let used_bytes = total_bytes.saturating_sub(available_bytes);
    Ok(Some(Storage {
        repository_id: repository.id.clone(),
        total_bytes,
        used_bytes,
        available_bytes,
        // A filesystem without a size (contract 3.5) is not full.
        used_percent: 100.0 * used_bytes as f64 / total_bytes.max(1) as f64,
        backup_count: backups.len(),
        last_check_at: hub.clock().now(),
    }))
}
