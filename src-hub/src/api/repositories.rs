//! `/repositories`: where backups are kept (contract 3.5).

use std::path::PathBuf;

use axum::{Json, extract::State, http::StatusCode};
use sendense_engine::{
    self as engine, Difference, LOCAL, LocalConfig, Repository, Rescanned, Room, try_folder,
};
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
    const TO_A_FOLDER: &[StatusCode] = &[StatusCode::NOT_FOUND, StatusCode::CONFLICT];
    Routes::new()
        .get("/repositories", list, about("List the repositories"))
        .post(
            "/repositories",
            create,
            about("Make a folder a repository")
                .notes("The folder is on the hub's computer, and is made where it is missing.")
                .refuses(TO_A_FOLDER),
        )
        .post(
            "/repositories/test",
            test,
            about("Try whether a folder can be a repository")
                .notes("A folder that cannot is an answer with `success: false`, not a failure."),
        )
        .post(
            "/repositories/refresh-storage",
            refresh,
            about("Count the repositories whose sizes can be read")
                .notes("Sizes are read whenever they are asked for."),
        )
        .post(
            "/repositories/rescan",
            rescan,
            about("Put the recovery points of a folder on record")
                .notes("Finds them by the manifests beside their images.")
                .refuses(TO_A_FOLDER),
        )
        .delete(
            "/repositories/{id}",
            delete,
            about("Remove a repository")
                .notes("Only one without backups, and never the first. Its folder stays.")
                .refuses(TO_A_FOLDER),
        )
        .get(
            "/repositories/{id}/storage",
            storage,
            about("Show how much room a repository has").refuses(TO_A_FOLDER),
        )
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Repository"))]
struct RepositoryRow {
    id: String,
    name: String,
    #[serde(rename = "type")]
    repository_type: String,
    enabled: bool,
    #[cfg_attr(test, schemars(with = "super::schema::LocalConfig"))]
    config: LocalConfig,
    is_immutable: bool,
    min_retention_days: u32,
    /// Left out where the folder cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    storage_info: Option<Storage>,
    created_at: Time,
    updated_at: Time,
    #[serde(flatten)]
    #[cfg_attr(test, schemars(required))]
    deployed: Option<Condition>,
}

// No other hub says whether the repository is where it should be, and all that should be in it.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Condition {
    is_connected: bool,
    /// Why it is not connected.
    #[serde(skip_serializing_if = "Option::is_none")]
    status_message: Option<String>,
    /// What is not as the hub has it on record.
    problems: Vec<Problem>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Problem {
    path: String,
    problem: String,
}

/// Sizes are those of the whole filesystem.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Storage {
    repository_id: String,
    total_bytes: u64,
    used_bytes: u64,
    available_bytes: u64,
    used_percent: f64,
    backup_count: usize,
    last_check_at: Time,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct RepositoryList {
    success: bool,
    repositories: Vec<RepositoryRow>,
}

async fn list(State(hub): State<Hub>) -> Result<Json<RepositoryList>> {
    hub.blocking(|hub| {
        let repositories = hub.engine().repositories().list()?;
        Ok(Json(RepositoryList {
            success: true,
            repositories: repositories
                .into_iter()
                .map(|repository| row(&hub, repository))
                .collect::<Result<_>>()?,
        }))
    })
    .await
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "NewRepository"))]
struct CreateRequest {
    #[serde(default)]
    #[cfg_attr(test, schemars(!default, length(min = 1)))]
    name: String,
    /// `local`: a folder.
    #[serde(default, rename = "type")]
    #[cfg_attr(test, schemars(!default, schema_with = "local"))]
    repository_type: String,
    #[serde(default)]
    #[cfg_attr(test, schemars(!default, required))]
    config: Option<FolderConfig>,
}

#[derive(Deserialize)]
#[cfg_attr(
    test,
    derive(schemars::JsonSchema),
    schemars(rename = "TriedRepository")
)]
struct TestRequest {
    /// `local`: a folder.
    #[serde(default, rename = "type")]
    #[cfg_attr(test, schemars(!default, schema_with = "local"))]
    repository_type: String,
    #[serde(default)]
    #[cfg_attr(test, schemars(!default, required))]
    config: Option<FolderConfig>,
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct FolderConfig {
    #[serde(default)]
    #[cfg_attr(test, schemars(!default, length(min = 1)))]
    path: PathBuf,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct CreatedRepository {
    success: bool,
    repository: RepositoryRow,
}

async fn create(
    State(hub): State<Hub>,
    JsonBody(request): JsonBody<CreateRequest>,
) -> Result<Created<CreatedRepository>> {
    let name = request.name.trim().to_owned();
    if name.is_empty() {
        return Err(Error::Required("Repository name"));
    }
    let folder = folder(&request.repository_type, request.config)?;
    hub.blocking(move |hub| {
        let created = hub.engine().repositories().create(&name, &folder)?;
        Ok(Created(CreatedRepository {
            success: true,
            repository: row(&hub, created)?,
        }))
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

#[cfg(test)]
fn local(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    super::schema::one_of(&[LOCAL])
}

#[derive(Serialize)]
#[cfg_attr(
    test,
    derive(schemars::JsonSchema),
    schemars(rename = "RepositoryTrial")
)]
struct Tried {
    success: bool,
    message: &'static str,
    /// Why it cannot be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    error_details: Option<String>,
}

/// A folder that cannot be used is an answer, not a failure (contract 3.5).
async fn test(
    State(hub): State<Hub>,
    JsonBody(request): JsonBody<TestRequest>,
) -> Result<Json<Tried>> {
    let folder = folder(&request.repository_type, request.config)?;
    hub.blocking(move |_| {
        let refusal = try_folder(&folder).err();
        Ok(Json(Tried {
            success: refusal.is_none(),
            message: match refusal {
                None => "Repository test successful",
                Some(_) => "Repository test failed",
            },
            error_details: refusal.map(|why| why.to_string()),
        }))
    })
    .await
}

#[derive(Serialize)]
#[cfg_attr(
    test,
    derive(schemars::JsonSchema),
    schemars(rename = "RemovedRepository")
)]
struct Removed {
    success: bool,
    message: &'static str,
    id: String,
}

async fn delete(State(hub): State<Hub>, Path(id): Path<String>) -> Result<Json<Removed>> {
    hub.blocking(move |hub| {
        hub.engine().repositories().delete(&id)?;
        Ok(Json(Removed {
            success: true,
            message: "Repository deleted successfully",
            id,
        }))
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

#[derive(Serialize)]
#[cfg_attr(
    test,
    derive(schemars::JsonSchema),
    schemars(rename = "RefreshedStorage")
)]
struct Refreshed {
    success: bool,
    message: &'static str,
    refreshed_count: usize,
    failed_count: usize,
}

/// Sizes are read whenever they are asked for; this says for how many that works.
async fn refresh(State(hub): State<Hub>) -> Result<Json<Refreshed>> {
    hub.blocking(|hub| {
        let repositories = hub.engine().repositories().list()?;
        let n_all = repositories.len();
        let n_read = repositories
            .into_iter()
            .filter(|repository| repository.connected().is_ok())
            .count();
        Ok(Json(Refreshed {
            success: true,
            message: "storage information is read whenever it is asked for",
            refreshed_count: n_read,
            failed_count: n_all - n_read,
        }))
    })
    .await
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Rescan"))]
struct RescanRequest {
    #[serde(default)]
    #[cfg_attr(test, schemars(!default, length(min = 1)))]
    path: PathBuf,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Rescanned"))]
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
        created_at: repository.created_at.into(),
        updated_at: repository.updated_at.into(),
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
        last_check_at: hub.clock().now().into(),
    }))
}
