//! `/vm-contexts/{vm}/retention`: how many recovery points of a VM are kept. Not in the contract.

use axum::{
    Json, Router,
    extract::{Path, State},
    routing::{get, post},
};
use sendense_engine::{Fate, Policy, Vm};
use serde::{Deserialize, Serialize};

use super::request::JsonBody;
use crate::{Hub, error::Result};

/// The routes below `/api/v1`.
pub(crate) fn router() -> Router<Hub> {
    Router::new()
        .route("/vm-contexts/{vm}/retention", get(show).put(set))
        .route("/vm-contexts/{vm}/retention/run", post(run))
}

#[derive(Serialize)]
struct Retention {
    vm_name: String,
    /// `null`: all recovery points are kept.
    policy: Option<Policy>,
    /// `running`, `done`, `failed`, or `idle` when it has not run since the hub was started.
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_message: Option<String>,
}

#[derive(Deserialize)]
struct SetRequest {
    /// `null` ends retention. That it is left out is no reason to.
    #[serde(deserialize_with = "Option::deserialize")]
    policy: Option<Policy>,
}

#[derive(Deserialize)]
struct RunRequest {
    #[serde(default)]
    dry_run: bool,
    /// For a dry run: other rules than those that are set.
    policy: Option<Policy>,
}

#[derive(Serialize)]
struct RunAnswer {
    vm_name: String,
    dry_run: bool,
    /// Oldest first, repository by repository.
    points: Vec<PointRow>,
}

#[derive(Serialize)]
struct PointRow {
    backup_id: String,
    /// `keep`, `delete` or `merge`.
    action: &'static str,
    /// Why, in words.
    reason: String,
}

async fn show(State(hub): State<Hub>, Path(vm): Path<String>) -> Result<Json<Retention>> {
    hub.blocking(move |hub| answer(&hub, &hub.engine().vms().find(&vm)?))
        .await
}

async fn set(
    State(hub): State<Hub>,
    Path(vm): Path<String>,
    JsonBody(request): JsonBody<SetRequest>,
) -> Result<Json<Retention>> {
    hub.blocking(move |hub| {
        let vm = hub.engine().vms().find(&vm)?;
        hub.engine().retention().set_policy(&vm, request.policy)?;
        answer(&hub, &vm)
    })
    .await
}

/// Says what is done, and begins it unless it is only asked for.
async fn run(
    State(hub): State<Hub>,
    Path(vm): Path<String>,
    JsonBody(request): JsonBody<RunRequest>,
) -> Result<Json<RunAnswer>> {
    hub.blocking(move |hub| {
        let vm = hub.engine().vms().find(&vm)?;
        let plans = match request.policy.filter(|_| request.dry_run) {
            Some(policy) => hub.engine().retention().plan_under(&vm, policy)?,
            None => hub.engine().retention().plan(&vm)?,
        };
        if !request.dry_run {
            hub.engine().retention().start(&vm)?;
        }
        Ok(Json(RunAnswer {
            vm_name: vm.vm_name,
            dry_run: request.dry_run,
            points: plans
                .into_iter()
                .flat_map(|plan| plan.fates)
                .map(|(backup_id, fate)| PointRow::new(backup_id, fate))
                .collect(),
        }))
    })
    .await
}

impl PointRow {
    fn new(backup_id: String, fate: Fate) -> Self {
        let (action, reason) = match fate {
            Fate::Kept(reasons) => ("keep", reasons.join(", ")),
            Fate::NeededBy(other) => ("keep", format!("{other} builds on it")),
            Fate::MergedInto(other) => ("merge", format!("expired; goes into {other}")),
            Fate::Deleted => ("delete", "expired".to_owned()),
        };
        Self {
            backup_id,
            action,
            reason,
        }
    }
}

fn answer(hub: &Hub, vm: &Vm) -> Result<Json<Retention>> {
    let run = hub.engine().retention().run_of(vm);
    let status = match &run {
        None => "idle",
        Some(run) if !run.is_over => "running",
        Some(run) if run.error.is_some() => "failed",
        Some(_) => "done",
    };
    Ok(Json(Retention {
        vm_name: vm.vm_name.clone(),
        policy: hub.engine().retention().policy(vm)?,
        status,
        error_message: run.and_then(|run| run.error),
    }))
}
