//! `/backups`: starting backups, and what is known about them (contract 3.6).

use std::collections::HashMap;

use axum::{Json, extract::State, http::StatusCode};
use sendense_engine::{
    self as engine, Backup, BackupDisk, BackupType, Chains, Filter, Started, Status,
};
use sendense_types::FailureCode;
use serde::{Deserialize, Serialize};

use super::{
    Time,
    about::about,
    gibibytes,
    request::{JsonBody, Path, Query},
    routes::Routes,
};
use crate::{
    Hub, Profile,
    error::{Error, Result},
};

/// The routes below `/api/v1`.
pub(crate) fn routes() -> Routes {
    const OF_ONE: &[StatusCode] = &[StatusCode::NOT_FOUND, StatusCode::CONFLICT];
    let started = about("Begin a backup of a VM")
        .notes(
            "It goes on in the background. An incremental backup that has nothing to build on becomes a full one, \
             and `full_reason` says why.",
        )
        .refuses(&[
            StatusCode::NOT_FOUND,
            StatusCode::CONFLICT,
            StatusCode::SERVICE_UNAVAILABLE,
        ]);
    let listed = about("List backups")
        .notes(
            "Newest first. A parameter that is empty does not matter; all that is given must hold.",
        )
        .refuses(&[StatusCode::NOT_FOUND]);
    let chained = about("List the recovery points of a VM in a repository")
        .notes("Oldest first, each with whether it can be restored.")
        .refuses(&[StatusCode::NOT_FOUND]);
    let changed = about("Name the newest state of a disk that is in a finished backup")
        .refuses(&[StatusCode::NOT_FOUND]);
    let shown = about("Show a backup").refuses(&[StatusCode::NOT_FOUND]);
    let deleted = about("Delete a backup and its files")
        .notes(
            "Refused where others build on it, unless `with_dependents` deletes them too. A pinned one is never \
             deleted.",
        )
        .refuses(OF_ONE);
    let cancelled = about("Cancel a backup that runs").refuses(OF_ONE);
    let pinned = about("Pin a recovery point")
        .notes("Nobody deletes it, and retention neither.")
        .refuses(OF_ONE);
    let unpinned = about("Unpin a recovery point").refuses(OF_ONE);
    Routes::new()
        .get("/backups", list, listed)
        .post("/backups", start, started)
        .get("/backups/chain", chain, chained)
        .get("/backups/changeid", change_id, changed)
        .get("/backups/{backup_id}", detail, shown)
        .delete("/backups/{backup_id}", delete, deleted)
        .post("/backups/{backup_id}/cancel", cancel, cancelled)
        .put("/backups/{backup_id}/pin", pin, pinned)
        .delete("/backups/{backup_id}/pin", unpin, unpinned)
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "NewBackup"))]
struct StartRequest {
    /// Its name or its `context_id`.
    #[serde(default)]
    #[cfg_attr(test, schemars(!default, length(min = 1)))]
    vm_name: String,
    #[serde(default)]
    #[cfg_attr(test, schemars(!default, length(min = 1)))]
    repository_id: String,
    #[serde(default)]
    #[cfg_attr(test, schemars(!default, schema_with = "super::schema::backup_type"))]
    backup_type: String,
    /// Only this hub knows it: read everything back before the backup counts as completed.
    #[serde(default)]
    verify: bool,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "StartedBackup"))]
struct StartAnswer {
    backup_id: String,
    vm_context_id: String,
    vm_name: String,
    disk_results: Vec<StartedDisk>,
    #[cfg_attr(test, schemars(schema_with = "super::schema::backup_type"))]
    backup_type: &'static str,
    #[cfg_attr(test, schemars(schema_with = "super::schema::backup_status"))]
    status: &'static str,
    created_at: Time,
    #[serde(flatten)]
    #[cfg_attr(test, schemars(required))]
    deployed: Option<DeployedStart>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct DeployedStart {
    repository_id: String,
    /// Only this hub says it: why it is a full one though an incremental one was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    full_reason: Option<String>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct StartedDisk {
    disk_id: u32,
    disk_index: u32,
    vmware_disk_key: u32,
    /// 0: this hub reads images itself and opens no port.
    nbd_port: u16,
    qcow2_path: String,
    status: &'static str,
}

impl StartAnswer {
    fn new(started: Started, repository_id: String, profile: Profile) -> Self {
        let status = match profile {
            Profile::Default => "prepared",
            Profile::Documented => "qemu_started",
        };
        Self {
            backup_id: started.backup_id,
            vm_context_id: started.vm.context_id,
            vm_name: started.vm.vm_name,
            disk_results: started
                .disks
                .into_iter()
                .map(|(disk, image)| StartedDisk {
                    disk_id: disk.disk_index,
                    disk_index: disk.disk_index,
                    vmware_disk_key: disk.vmware_disk_key(),
                    nbd_port: 0,
                    qcow2_path: image.display().to_string(),
                    status,
                })
                .collect(),
            backup_type: started.backup_type.as_str(),
            status: Status::Pending.documented(),
            created_at: started.created_at.into(),
            deployed: profile.deployed(|| DeployedStart {
                repository_id,
                full_reason: started.full_reason,
            }),
        }
    }
}

async fn start(
    State(hub): State<Hub>,
    JsonBody(request): JsonBody<StartRequest>,
) -> Result<Json<StartAnswer>> {
    for (field, value) in [
        ("vm_name", &request.vm_name),
        ("repository_id", &request.repository_id),
        ("backup_type", &request.backup_type),
    ] {
        if value.is_empty() {
            return Err(Error::Required(field));
        }
    }
    let Some(backup_type) = BackupType::from_word(&request.backup_type) else {
        return Err(Error::BackupType(request.backup_type));
    };
    hub.blocking(move |hub| {
        let repository_id = request.repository_id;
        let started = hub.engine().backups().start(
            &request.vm_name,
            &repository_id,
            backup_type,
            request.verify,
        )?;
        Ok(Json(StartAnswer::new(
            started,
            repository_id,
            hub.profile(),
        )))
    })
    .await
}

/// What is empty does not matter; all that is given must hold.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ListQuery {
    #[serde(default)]
    vm_context_id: String,
    #[serde(default)]
    vm_name: String,
    #[serde(default)]
    repository_id: String,
    #[serde(default)]
    #[cfg_attr(test, schemars(schema_with = "super::schema::backup_type_filter"))]
    backup_type: String,
    #[serde(default)]
    #[cfg_attr(test, schemars(schema_with = "super::schema::backup_status_filter"))]
    status: String,
}

impl ListQuery {
    fn into_filter(self, hub: &Hub) -> Result<Filter> {
        let backup_type = given(self.backup_type)
            .map(|word| BackupType::from_word(&word).ok_or(Error::BackupType(word)))
            .transpose()?;
        let status = given(self.status)
            .map(|word| Status::from_word(&word).ok_or(Error::StatusFilter(word)))
            .transpose()?;
        // The id wins, as on deployed hubs (contract 3.6).
        let vm_context_id = match (given(self.vm_context_id), given(self.vm_name)) {
            (Some(id), _) => Some(id),
            (None, Some(name)) => Some(vm_id(hub, &name)?),
            (None, None) => None,
        };
        Ok(Filter {
            backup_id: None,
            vm_context_id,
            repository_id: given(self.repository_id),
            backup_type,
            status,
        })
    }
}

fn given(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

fn vm_id(hub: &Hub, name: &str) -> Result<String> {
    Ok(hub.engine().vms().named(name)?.context_id)
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct BackupList {
    backups: Vec<ListRow>,
    total_count: usize,
    #[serde(flatten)]
    #[cfg_attr(test, schemars(required))]
    deployed: Option<DeployedList>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct DeployedList {
    total: usize,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "BackupSummary"))]
struct ListRow {
    backup_id: String,
    vm_name: String,
    #[cfg_attr(test, schemars(schema_with = "super::schema::backup_type"))]
    backup_type: &'static str,
    #[cfg_attr(test, schemars(schema_with = "super::schema::backup_status"))]
    status: &'static str,
    total_size_gb: f64,
    disk_count: usize,
    created_at: Time,
    completed_at: Option<Time>,
    #[serde(flatten)]
    #[cfg_attr(test, schemars(required))]
    deployed: Option<DeployedListRow>,
}

// What deployed hubs say in lists beside what they say in details.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct DeployedListRow {
    disks_count: usize,
    progress_percent: f64,
    bytes_transferred: u64,
    total_bytes: u64,
    #[serde(flatten)]
    #[cfg_attr(test, schemars(required))]
    common: Deployed,
}

// What deployed hubs say of a backup wherever they show it.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Deployed {
    vm_context_id: String,
    repository_id: String,
    current_phase: String,
    transfer_speed_bps: u64,
    /// Only this hub says it: seconds until all is copied, while that can be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    eta_seconds: Option<u64>,
    /// Only this hub says it: room that the images take.
    stored_bytes: u64,
    /// Only this hub says it: this one deletes no pinned backup.
    is_pinned: bool,
    /// Only this hub says it: what verifying found last, as in `/verify`, and when.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(schema_with = "super::schema::verdict"))]
    verification_status: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verified_at: Option<Time>,
    /// Only this hub says it: the backup in another repository that this one is a copy of.
    #[serde(skip_serializing_if = "Option::is_none")]
    copied_from: Option<String>,
    /// Only this hub says it in lists: what an incremental backup builds on; `null` for one that builds on nothing.
    parent_backup_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_message: Option<String>,
    /// Only this hub says it: the same for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<super::schema::Code>"))]
    error_code: Option<FailureCode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_telemetry_at: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<Time>,
}

impl ListRow {
    fn new(backup: Backup, profile: Profile) -> Self {
        Self {
            total_size_gb: gibibytes(backup.stored_bytes()),
            disk_count: backup.disks.len(),
            backup_type: backup.backup_type.as_str(),
            status: backup.status.documented(),
            created_at: backup.created_at.into(),
            completed_at: backup.completed_at.map(Time),
            deployed: profile.deployed(|| DeployedListRow {
                disks_count: backup.disks.len(),
                progress_percent: overall_percent(&backup),
                bytes_transferred: backup.bytes_transferred,
                total_bytes: backup.total_bytes,
                common: Deployed::of(&backup),
            }),
            backup_id: backup.backup_id,
            vm_name: backup.vm_name,
        }
    }
}

impl Deployed {
    fn of(backup: &Backup) -> Self {
        Self {
            vm_context_id: backup.vm_context_id.clone(),
            repository_id: backup.repository_id.clone(),
            current_phase: backup.current_phase.clone(),
            transfer_speed_bps: backup.transfer_speed_bps,
            eta_seconds: backup.eta_seconds,
            stored_bytes: backup.stored_bytes(),
            is_pinned: backup.is_pinned,
            verification_status: backup.verified.map(|verified| verified.verdict.as_str()),
            verified_at: backup.verified.map(|verified| verified.at.into()),
            copied_from: backup.copied_from.clone(),
            parent_backup_id: backup.parent_backup_id.clone(),
            error_message: backup.error_message.clone(),
            error_code: backup.error_code,
            last_telemetry_at: backup.last_telemetry_at.map(Time),
            started_at: backup.started_at.map(Time),
        }
    }
}

async fn list(State(hub): State<Hub>, Query(query): Query<ListQuery>) -> Result<Json<BackupList>> {
    hub.blocking(move |hub| {
        let filter = query.into_filter(&hub)?;
        let profile = hub.profile();
        let backups: Vec<_> = hub
            .engine()
            .backups()
            .list(&filter)?
            .into_iter()
            .map(|backup| ListRow::new(backup, profile))
            .collect();
        Ok(Json(BackupList {
            total_count: backups.len(),
            deployed: profile.deployed(|| DeployedList {
                total: backups.len(),
            }),
            backups,
        }))
    })
    .await
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Backup"))]
struct Detail {
    backup_id: String,
    vm_name: String,
    #[cfg_attr(test, schemars(schema_with = "super::schema::backup_status"))]
    status: &'static str,
    #[cfg_attr(test, schemars(schema_with = "super::schema::backup_type"))]
    backup_type: &'static str,
    disks: Vec<DiskRow>,
    progress_percent: f64,
    bytes_transferred: u64,
    total_bytes: u64,
    created_at: Time,
    completed_at: Option<Time>,
    #[serde(flatten)]
    #[cfg_attr(test, schemars(required))]
    deployed: Option<DeployedDetail>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct DeployedDetail {
    disks_count: usize,
    /// Only this hub says it: backups that are lost with this one, youngest first.
    dependents: Vec<String>,
    #[serde(flatten)]
    #[cfg_attr(test, schemars(required))]
    common: Deployed,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "BackupDisk"))]
struct DiskRow {
    disk_index: u32,
    #[cfg_attr(test, schemars(schema_with = "super::schema::backup_status"))]
    status: &'static str,
    size_gb: f64,
    /// Only where there is an image.
    #[serde(skip_serializing_if = "Option::is_none")]
    qcow2_path: Option<String>,
    #[serde(flatten)]
    #[cfg_attr(test, schemars(required))]
    deployed: Option<DeployedDisk>,
}

// No other hub has these; what a bar for each disk needs.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct DeployedDisk {
    vmware_disk_key: u32,
    capacity_bytes: u64,
    progress_percent: f64,
    bytes_transferred: u64,
    total_bytes: u64,
    stored_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_message: Option<String>,
}

impl Detail {
    fn new(backup: Backup, dependents: &[Backup], profile: Profile) -> Self {
        Self {
            progress_percent: overall_percent(&backup),
            status: backup.status.documented(),
            backup_type: backup.backup_type.as_str(),
            bytes_transferred: backup.bytes_transferred,
            total_bytes: backup.total_bytes,
            created_at: backup.created_at.into(),
            completed_at: backup.completed_at.map(Time),
            deployed: profile.deployed(|| DeployedDetail {
                disks_count: backup.disks.len(),
                dependents: dependents
                    .iter()
                    .map(|backup| backup.backup_id.clone())
                    .collect(),
                common: Deployed::of(&backup),
            }),
            backup_id: backup.backup_id,
            vm_name: backup.vm_name,
            disks: backup
                .disks
                .into_iter()
                .map(|disk| DiskRow::new(disk, profile))
                .collect(),
        }
    }
}

impl DiskRow {
    fn new(disk: BackupDisk, profile: Profile) -> Self {
        let has_image = disk.status == Status::Completed;
        Self {
            disk_index: disk.disk_index,
            status: disk.status.documented(),
            size_gb: gibibytes(disk.capacity_bytes),
            qcow2_path: disk
                .qcow2_path
                .filter(|_| has_image)
                .map(|path| path.display().to_string()),
            deployed: profile.deployed(|| DeployedDisk {
                vmware_disk_key: disk.vmware_disk_key,
                capacity_bytes: disk.capacity_bytes,
                progress_percent: percent(disk.status, disk.bytes_transferred, disk.total_bytes),
                bytes_transferred: disk.bytes_transferred,
                total_bytes: disk.total_bytes,
                stored_bytes: disk.stored_bytes,
                error_message: disk.error_message,
            }),
        }
    }
}

/// Of a backup or one of its disks: 100 only when it is complete.
fn percent(status: Status, done_bytes: u64, total_bytes: u64) -> f64 {
    match status {
        Status::Completed => 100.0,
        _ if total_bytes == 0 => 0.0,
        _ => (100.0 * done_bytes as f64 / total_bytes as f64).min(99.9),
    }
}

fn overall_percent(backup: &Backup) -> f64 {
    percent(backup.status, backup.bytes_transferred, backup.total_bytes)
}

async fn detail(State(hub): State<Hub>, Path(backup_id): Path<String>) -> Result<Json<Detail>> {
    hub.blocking(move |hub| {
        let backups = hub.engine().backups();
        let backup = backups.find(&backup_id)?;
        let dependents = backups.dependents(&backup)?;
        Ok(Json(Detail::new(backup, &dependents, hub.profile())))
    })
    .await
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct CancelledBackup {
    message: &'static str,
    backup_id: String,
}

/// Not in the contract: deployed hubs cannot end a backup (contract D36).
async fn cancel(
    State(hub): State<Hub>,
    Path(backup_id): Path<String>,
) -> Result<Json<CancelledBackup>> {
    hub.blocking(move |hub| {
        hub.engine().backups().cancel(&backup_id)?;
        Ok(Json(CancelledBackup {
            message: "the backup is being cancelled",
            backup_id,
        }))
    })
    .await
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct DeleteQuery {
    /// Only this hub knows it: delete the backups that build on it as well.
    #[serde(default)]
    with_dependents: bool,
}

#[derive(Serialize)]
#[cfg_attr(
    test,
    derive(schemars::JsonSchema),
    schemars(rename = "DeletedBackups")
)]
struct DeleteAnswer {
    message: &'static str,
    backup_id: String,
    /// Only this hub says it: all that is gone, youngest first.
    deleted_backups: Vec<String>,
}

/// Deletes rows and files. Deployed hubs do not ask who builds on a backup; this one does (contract D64).
async fn delete(
    State(hub): State<Hub>,
    Path(backup_id): Path<String>,
    Query(query): Query<DeleteQuery>,
) -> Result<Json<DeleteAnswer>> {
    hub.blocking(move |hub| {
        let deleted_backups = hub
            .engine()
            .backups()
            .delete(&backup_id, query.with_dependents)?;
        Ok(Json(DeleteAnswer {
            message: "backup deleted successfully",
            backup_id,
            deleted_backups,
        }))
    })
    .await
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Pinned {
    backup_id: String,
    is_pinned: bool,
}

/// Not in the contract.
async fn pin(State(hub): State<Hub>, Path(backup_id): Path<String>) -> Result<Json<Pinned>> {
    set_pin(hub, backup_id, true).await
}

/// Not in the contract.
async fn unpin(State(hub): State<Hub>, Path(backup_id): Path<String>) -> Result<Json<Pinned>> {
    set_pin(hub, backup_id, false).await
}

async fn set_pin(hub: Hub, backup_id: String, is_pinned: bool) -> Result<Json<Pinned>> {
    hub.blocking(move |hub| {
        hub.engine().backups().pin(&backup_id, is_pinned)?;
        Ok(Json(Pinned {
            backup_id,
            is_pinned,
        }))
    })
    .await
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ChangeIdQuery {
    #[serde(default)]
    #[cfg_attr(test, schemars(!default, length(min = 1)))]
    vm_name: String,
    /// Its `disk_index`.
    #[serde(default)]
    disk_id: u32,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "ChangeId"))]
struct ChangeIdAnswer {
    vm_name: String,
    disk_id: String,
    /// Empty where no backup of the disk has finished.
    change_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    backup_job_id: Option<String>,
    message: &'static str,
}

/// The newest state of a disk that is in a finished backup (contract 3.6).
async fn change_id(
    State(hub): State<Hub>,
    Query(query): Query<ChangeIdQuery>,
) -> Result<Json<ChangeIdAnswer>> {
    let vm_name = given(query.vm_name).ok_or(Error::Required("vm_name"))?;
    hub.blocking(move |hub| {
        let filter = Filter {
            vm_context_id: Some(vm_id(&hub, &vm_name)?),
            status: Some(Status::Completed),
            ..Filter::default()
        };
        let newest = hub
            .engine()
            .backups()
            .list(&filter)?
            .into_iter()
            .find_map(|backup| {
                let disk = backup
                    .disks
                    .into_iter()
                    .find(|disk| disk.disk_index == query.disk_id)?;
                Some((disk.change_id?, backup.backup_id))
            });
        let (change_id, backup_job_id) = newest.unzip();
        Ok(Json(ChangeIdAnswer {
            vm_name,
            disk_id: query.disk_id.to_string(),
            message: match backup_job_id {
                Some(_) => "change id found",
                None => "no finished backup of this disk",
            },
            change_id: change_id.unwrap_or_default(),
            backup_job_id,
        }))
    })
    .await
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ChainQuery {
    #[serde(default)]
    #[cfg_attr(test, schemars(!default, length(min = 1)))]
    vm_name: String,
    #[serde(default)]
    #[cfg_attr(test, schemars(!default, length(min = 1)))]
    repository_id: String,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Chain {
    vm_name: String,
    repository_id: String,
    chain: Vec<Link>,
    total_backups: usize,
    chain_size_gb: f64,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "ChainLink"))]
struct Link {
    backup_id: String,
    #[cfg_attr(test, schemars(schema_with = "super::schema::backup_type"))]
    backup_type: &'static str,
    /// Counted from the full backup, which is 1.
    sequence_number: usize,
    created_at: Time,
    size_gb: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_backup_id: Option<String>,
    is_restorable: bool,
    /// Only this hub says it: why it cannot be restored.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

/// The recovery points of a VM in a repository, oldest first.
async fn chain(State(hub): State<Hub>, Query(query): Query<ChainQuery>) -> Result<Json<Chain>> {
    let vm_name = given(query.vm_name).ok_or(Error::Required("vm_name"))?;
    let repository_id = given(query.repository_id).ok_or(Error::Required("repository_id"))?;
    hub.blocking(move |hub| {
        let known = hub.engine().repositories().find(&repository_id)?;
        let not_connected = known.connected().err().map(|why| why.to_string());
        let filter = Filter {
            vm_context_id: Some(vm_id(&hub, &vm_name)?),
            repository_id: Some(repository_id.clone()),
            status: Some(Status::Completed),
            ..Filter::default()
        };
        let backups = hub.engine().backups().list(&filter)?;
        let chains = Chains::of(&backups);
        let mut problems = match &not_connected {
            Some(_) => HashMap::new(),
            None => engine::problems(&chains, &known.config.path),
        };
        let oldest_first = chains.newest_first().into_iter().rev();
        let chain: Vec<_> = oldest_first
            .map(|backup| {
                let problem = problems.remove(backup.backup_id.as_str());
                let problem = not_connected.clone().or(problem);
                link(backup.clone(), chains.sequence(backup), problem)
            })
            .collect();
        let stored_bytes = backups.iter().map(Backup::stored_bytes).sum();
        Ok(Json(Chain {
            vm_name,
            repository_id,
            total_backups: chain.len(),
            chain,
            chain_size_gb: gibibytes(stored_bytes),
        }))
    })
    .await
}

fn link(backup: Backup, sequence_number: usize, problem: Option<String>) -> Link {
    Link {
        backup_type: backup.backup_type.as_str(),
        sequence_number,
        created_at: backup.created_at.into(),
        size_gb: gibibytes(backup.stored_bytes()),
        is_restorable: problem.is_none(),
        problem,
        parent_backup_id: backup.parent_backup_id,
        backup_id: backup.backup_id,
    }
}
