//! `/restore/full`: disks of recovery points written as images into folders of the hub's computer. Not in the contract.

use std::path::PathBuf;

use axum::{Json, extract::State, http::StatusCode};
use sendense_engine::{FullRestore, FullRestoreOrder, FullRestorePlan};
use sendense_types::{FailureCode, FullRestoreStatus, ImageFormat, MachineDefinition};
use serde::{Deserialize, Serialize};

use super::{
    Time,
    about::about,
    request::{Created, JsonBody, Path},
    routes::Routes,
};
use crate::{
    Hub,
    error::{Error, Result},
};

/// The routes below `/api/v1`.
pub(crate) fn routes() -> Routes {
    const REFUSALS: &[StatusCode] = &[
        StatusCode::NOT_FOUND,
        StatusCode::CONFLICT,
        StatusCode::UNPROCESSABLE_ENTITY,
        StatusCode::SERVICE_UNAVAILABLE,
    ];
    Routes::new()
        .get(
            "/restore/full",
            list,
            about("List the full restores")
                .notes("Newest first. The last hundred that are over stay on record."),
        )
        .post(
            "/restore/full",
            start,
            about("Begin to write disks of a recovery point as images into a folder")
                .notes(
                    "Everything is compared with what was backed up while it is written, and nothing has its name \
                     before it is whole. What a full restore that broke off has left is gone on with. Until it is over, \
                     the recovery points of the VM cannot be deleted.",
                )
                .refuses(REFUSALS),
        )
        .post(
            "/restore/full/plan",
            plan,
            about("Find out what a full restore would write").refuses(REFUSALS),
        )
        .get(
            "/restore/full/{restore_id}",
            show,
            about("Show a full restore").refuses(&[StatusCode::NOT_FOUND]),
        )
        .post(
            "/restore/full/{restore_id}/cancel",
            cancel,
            about("Cancel a full restore, and remove what it has written")
                .refuses(&[StatusCode::NOT_FOUND, StatusCode::CONFLICT]),
        )
}

#[derive(Deserialize)]
#[cfg_attr(
    test,
    derive(schemars::JsonSchema),
    schemars(rename = "NewFullRestore")
)]
struct FullRestoreRequest {
    /// The recovery point.
    #[serde(default)]
    #[cfg_attr(test, schemars(!default, length(min = 1)))]
    backup_id: String,
    /// The disks within it; all where it is left out or empty.
    #[serde(default)]
    disk_indexes: Option<Vec<u32>>,
    /// An absolute folder of the hub's computer, which is there.
    #[serde(default)]
    #[cfg_attr(test, schemars(!default, length(min = 1)))]
    folder: String,
    /// What the disks become.
    #[serde(default)]
    #[cfg_attr(test, schemars(!default, schema_with = "super::schema::image_format"))]
    format: String,
    /// What is written beside them; nothing where it is left out.
    #[serde(default)]
    #[cfg_attr(test, schemars(schema_with = "super::schema::machine_definition"))]
    definition: Option<String>,
}

impl FullRestoreRequest {
    fn order(self) -> Result<FullRestoreOrder> {
        if self.backup_id.is_empty() {
            return Err(Error::Required("backup_id"));
        }
        if self.folder.is_empty() {
            return Err(Error::Required("folder"));
        }
        let definition = self.definition.as_deref().unwrap_or("none");
        Ok(FullRestoreOrder {
            backup_id: self.backup_id,
            disk_indexes: self.disk_indexes.unwrap_or_default(),
            folder: PathBuf::from(self.folder),
            format: ImageFormat::from_word(&self.format).ok_or(Error::ImageFormat(self.format))?,
            definition: MachineDefinition::from_word(definition)
                .ok_or_else(|| Error::MachineDefinition(definition.to_owned()))?,
        })
    }
}

/// Disks of a recovery point, written as images into a folder.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "FullRestore"))]
struct FullRestoreAnswer {
    restore_id: String,
    backup_id: String,
    vm_name: String,
    disk_indexes: Vec<u32>,
    folder: String,
    #[cfg_attr(test, schemars(schema_with = "super::schema::image_format"))]
    format: ImageFormat,
    #[cfg_attr(test, schemars(schema_with = "super::schema::machine_definition"))]
    definition: MachineDefinition,
    #[cfg_attr(test, schemars(schema_with = "super::schema::full_restore_status"))]
    status: FullRestoreStatus,
    /// Bytes of the disks that are written, those that were there already among them.
    done_bytes: u64,
    /// Bytes of the disks that have to be written; 0 while that is not known.
    total_bytes: u64,
    /// At the moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes_per_second: Option<u64>,
    /// Bytes that an earlier one left there.
    resumed_bytes: u64,
    /// The files that have their names.
    files: Vec<String>,
    /// What there is to know beside that, a sentence each.
    remarks: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_message: Option<String>,
    /// The same for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<super::schema::Code>"))]
    error_code: Option<FailureCode>,
    created_at: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    completed_at: Option<Time>,
}

impl From<FullRestore> for FullRestoreAnswer {
    fn from(restore: FullRestore) -> Self {
        Self {
            restore_id: restore.id,
            backup_id: restore.backup_id,
            vm_name: restore.vm_name,
            disk_indexes: restore.disk_indexes,
            folder: restore.folder.display().to_string(),
            format: restore.format,
            definition: restore.definition,
            status: restore.status,
            done_bytes: restore.outcome.done_bytes,
            total_bytes: restore.outcome.total_bytes,
            bytes_per_second: restore.bytes_per_second,
            resumed_bytes: restore.outcome.resumed_bytes,
            files: restore.outcome.files,
            remarks: restore.outcome.remarks,
            error_message: restore.error_message,
            error_code: restore.error_code,
            created_at: restore.created_at.into(),
            completed_at: restore.completed_at.map(Time),
        }
    }
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct FullRestoreList {
    restores: Vec<FullRestoreAnswer>,
}

async fn list(State(hub): State<Hub>) -> Result<Json<FullRestoreList>> {
    hub.blocking(|hub| {
        let restores = hub.engine().full_restores().list()?;
        Ok(Json(FullRestoreList {
            restores: restores.into_iter().map(Into::into).collect(),
        }))
    })
    .await
}

async fn start(
    State(hub): State<Hub>,
    JsonBody(request): JsonBody<FullRestoreRequest>,
) -> Result<Created<FullRestoreAnswer>> {
    let order = request.order()?;
    hub.blocking(move |hub| {
        let restores = hub.engine().full_restores();
        let id = restores.start(&order, hub.data_dir())?;
        Ok(Created(restores.find(&id)?.into()))
    })
    .await
}

/// What a full restore would write.
#[derive(Serialize)]
#[cfg_attr(
    test,
    derive(schemars::JsonSchema),
    schemars(rename = "FullRestorePlan")
)]
struct PlanAnswer {
    /// The files.
    files: Vec<String>,
    /// Room that they take, in bytes; at most, where they are compressed.
    needed_bytes: u64,
    /// Room that there is in the folder, in bytes.
    available_bytes: u64,
    /// Bytes of the disks that an earlier one left there.
    resumable_bytes: u64,
}

impl From<FullRestorePlan> for PlanAnswer {
    fn from(plan: FullRestorePlan) -> Self {
        let files = plan.files.iter().map(|file| file.display().to_string());
        Self {
            files: files.collect(),
            needed_bytes: plan.needed_bytes,
            available_bytes: plan.available_bytes,
            resumable_bytes: plan.resumable_bytes,
        }
    }
}

async fn plan(
    State(hub): State<Hub>,
    JsonBody(request): JsonBody<FullRestoreRequest>,
) -> Result<Json<PlanAnswer>> {
    let order = request.order()?;
    hub.blocking(move |hub| {
        let plan = hub.engine().full_restores().plan(&order, hub.data_dir())?;
        Ok(Json(plan.into()))
    })
    .await
}

async fn show(
    State(hub): State<Hub>,
    Path(restore_id): Path<String>,
) -> Result<Json<FullRestoreAnswer>> {
    hub.blocking(move |hub| {
        let restore = hub.engine().full_restores().find(&restore_id)?;
        Ok(Json(restore.into()))
    })
    .await
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct CancelledFullRestore {
    message: &'static str,
    restore_id: String,
}

async fn cancel(
    State(hub): State<Hub>,
    Path(restore_id): Path<String>,
) -> Result<Json<CancelledFullRestore>> {
    hub.blocking(move |hub| {
        hub.engine().full_restores().cancel(&restore_id)?;
        Ok(Json(CancelledFullRestore {
            message: "the full restore is being cancelled; what it has written goes",
            restore_id,
        }))
    })
    .await
}
