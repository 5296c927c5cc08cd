//! `/repositories`: where backups are kept (contract 3.5).

use std::path::PathBuf;

use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    routing::{get, post},
};
use jiff::Timestamp;
use sendense_engine::{
    self as engine, Difference, LOCAL, LocalConfig, Repository, Rescanned, Room, try_folder,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::request::JsonBody;
use crate::{
    Hub, Profile,
    error::{Error, Result},
};

/// The routes below `/api/v1`.
pub(crate) fn router() -> Router<Hub> {
    Router::new()
        .route("/repositories", get(list).post(create))
        .route("/repositories/test", post(test))
        .route("/repositories/refresh-storage", post(refresh))
        .route("/repositories/rescan", post(rescan))
        .route("/repositories/{id}", axum::routing::delete(delete))
        .route("/repositories/{id}/storage", get(storage))
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
    #[serde(flatten)]
    deployed: Option<Condition>,
}

/// No hub has it: whether the repository is where it should be, and all that should be in it.
#[derive(Serialize)]
struct Condition {
    is_connected: bool,
    /// Why it is not connected.
    #[serde(skip_serializing_if = "Option::is_none")]
    status_message: Option<String>,
    /// What is not as the hub has it on record.
    problems: Vec<Problem>,
}

#[derive(Serialize)]
struct Problem {
    path: String,
    problem: String,
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
            .engine()
            .repositories()
            .list()?
            .into_iter()
            .map(|repository| row(&hub, repository))
            .collect::<Result<Vec<_>>>()?;
        Ok(Json(json!({ "success": true, "repositories": rows })))
    })
    .await
}

#[derive(Deserialize)]
struct CreateRequest {
    #[serde(default)]
    name: String,
    #[serde(default, rename = "type")]
    repository_type: String,
    #[serde(default)]
    config: Option<FolderConfig>,
}

#[derive(Deserialize)]
struct TestRequest {
    #[serde(default, rename = "type")]
    repository_type: String,
    #[serde(default)]
    config: Option<FolderConfig>,
}

#[derive(Deserialize)]
struct FolderConfig {
    #[serde(default)]
    path: PathBuf,
}

async fn create(
    State(hub): State<Hub>,
    JsonBody(request): JsonBody<CreateRequest>,
) -> Result<(StatusCode, Json<Value>)> {
    let name = request.name.trim().to_owned();
    if name.is_empty() {
        return Err(Error::Required("Repository name"));
    }
    let folder = folder(&request.repository_type, request.config)?;
    hub.blocking(move |hub| {
        let created = hub.engine().repositories().create(&name, &folder)?;
        let row = row(&hub, created)?;
        Ok((
            StatusCode::CREATED,
            Json(json!({ "success": true, "repository": row })),
        ))
    })
    .await
}

fn folder(repository_type: &str, config: Option<FolderConfig>) -> Result<PathBuf> {
    match repository_type {
        "" => Err(Error::Required("Repository type")),
        LOCAL => match config {
            Some(config) if !config.path.as_os_str().is_empty() => Ok(config.path),
            _ => Err(engine::Error::RepositoryConfig("path is required".to_owned()).into()),
        },
        other => Err(Error::RepositoryType(other.to_owned())),
    }
}

/// A folder that cannot be used is an answer, not a failure (contract 3.5).
async fn test(
    State(hub): State<Hub>,
    JsonBody(request): JsonBody<TestRequest>,
) -> Result<Json<Value>> {
    let folder = folder(&request.repository_type, request.config)?;
    hub.blocking(move |_| {
        Ok(Json(match try_folder(&folder) {
            Ok(()) => json!({ "success": true, "message": "Repository test successful" }),
            Err(error) => json!({
                "success": false,
                "message": "Repository test failed",
                "error_details": error.to_string(),
            }),
        }))
    })
    .await
}

async fn delete(State(hub): State<Hub>, Path(id): Path<String>) -> Result<Json<Value>> {
    hub.blocking(move |hub| {
        hub.engine().repositories().delete(&id)?;
        Ok(Json(json!({
            "success": true,
            "message": "Repository deleted successfully",
            "id": id,
        })))
    })
    .await
}

async fn storage(State(hub): State<Hub>, Path(id): Path<String>) -> Result<Json<Storage>> {
    hub.blocking(move |hub| {
        let repository = hub.engine().repositories().find(&id)?;
        if let Err(why) = repository.connected() {
            let name = repository.name;
            return Err(engine::Error::RepositoryNotConnected { name, why }.into());
        }
        let storage = storage_info(&hub, &repository)?;
        Ok(storage.ok_or(engine::Error::RepositoryNotFound(id))?)
    })
    .await
    .map(Json)
}

/// Sizes are read whenever they are asked for; this says for how many that works.
async fn refresh(State(hub): State<Hub>) -> Result<Json<Value>> {
    hub.blocking(|hub| {
        let repositories = hub.engine().repositories().list()?;
        let n_all = repositories.len();
        let n_read = repositories
            .into_iter()
            .filter(|repository| repository.connected().is_ok())
            .count();
        Ok(Json(json!({
            "success": true,
            "message": "storage information is read whenever it is asked for",
            "refreshed_count": n_read,
            "failed_count": n_all - n_read,
        })))
    })
    .await
}

#[derive(Deserialize)]
struct RescanRequest {
    #[serde(default)]
    path: PathBuf,
}

#[derive(Serialize)]
struct RescanAnswer {
    repository: RepositoryRow,
    /// Taken on record, oldest first.
    adopted_backups: Vec<String>,
    known_backups: usize,
    problems: Vec<Problem>,
}

/// Not in the contract: finds the recovery points of a folder by what lies beside them.
async fn rescan(
    State(hub): State<Hub>,
    JsonBody(request): JsonBody<RescanRequest>,
) -> Result<Json<RescanAnswer>> {
    if request.path.as_os_str().is_empty() {
        return Err(Error::Required("path"));
    }
    hub.blocking(move |hub| {
        let Rescanned {
            repository,
            adopted,
            n_known,
            problems,
        } = hub.engine().repositories().rescan(&request.path)?;
        Ok(Json(RescanAnswer {
            repository: row(&hub, repository)?,
            adopted_backups: adopted,
            known_backups: n_known,
            problems: problems
                .into_iter()
                .map(|(path, why)| Problem {
                    path: path.display().to_string(),
                    problem: why.to_string(),
                })
                .collect(),
        }))
    })
    .await
}

fn row(hub: &Hub, repository: Repository) -> Result<RepositoryRow> {
    Ok(RepositoryRow {
        storage_info: storage_info(hub, &repository)?,
        deployed: match hub.profile() {
            Profile::Documented => None,
            Profile::Default => Some(condition(hub, &repository)),
        },
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

fn condition(hub: &Hub, repository: &Repository) -> Condition {
    let not_connected = repository.connected().err();
    Condition {
        is_connected: not_connected.is_none(),
        // What is on a disk that is not there is not missing.
        problems: match not_connected {
            Some(_) => Vec::new(),
            None => hub
                .engine()
                .repositories()
                .differences()
                .into_iter()
                .filter(|difference| difference.repository_id == repository.id)
                .map(|Difference { path, problem, .. }| Problem {
                    path: path.display().to_string(),
                    problem,
                })
                .collect(),
        },
        status_message: not_connected.map(|why| why.to_string()),
    }
}

fn storage_info(hub: &Hub, repository: &Repository) -> Result<Option<Storage>> {
    let Some(Room {
        total_bytes,
        available_bytes,
        n_backups,
    }) = hub.engine().repositories().room(repository)?
    else {
        return Ok(None);
    };
    let used_bytes = total_bytes.saturating_sub(available_bytes);
    Ok(Some(Storage {
        repository_id: repository.id.clone(),
        total_bytes,
        used_bytes,
        available_bytes,
        // A filesystem without a size (contract 3.5) is not full.
        used_percent: 100.0 * used_bytes as f64 / total_bytes.max(1) as f64,
        backup_count: n_backups,
        last_check_at: hub.clock().now(),
    }))
}
