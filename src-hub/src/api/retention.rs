//! `/vm-contexts/{vm}/retention`: how many recovery points of a VM are kept. Not in the contract.

use axum::{Json, extract::State, http::StatusCode};
use sendense_engine::{Fate, Policy, Vm};
use serde::{Deserialize, Serialize};

use super::{
    about::about,
    request::{JsonBody, Path},
    routes::Routes,
};
use crate::{Hub, error::Result};

/// The routes below `/api/v1`.
pub(crate) fn routes() -> Routes {
    Routes::new()
        .get(
            "/vm-contexts/{vm}/retention",
            show,
            about("Show how many recovery points of a VM are kept")
                .refuses(&[StatusCode::NOT_FOUND]),
        )
        .put(
            "/vm-contexts/{vm}/retention",
            set,
            about("Set how many recovery points of a VM are kept")
                .notes("It counts from the next backup on; `retention/run` does it at once.")
                .refuses(&[StatusCode::NOT_FOUND]),
        )
        .post(
            "/vm-contexts/{vm}/retention/run",
            run,
            about("Delete and merge what is not kept any more")
                .notes(
                    "Answers what becomes of each recovery point, and goes on in the background.",
                )
                .refuses(&[
                    StatusCode::NOT_FOUND,
                    StatusCode::CONFLICT,
                    StatusCode::SERVICE_UNAVAILABLE,
                ]),
        )
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Retention {
    vm_name: String,
    /// `null`: all recovery points are kept.
    #[cfg_attr(test, schemars(with = "Option<super::schema::RetentionPolicy>"))]
    policy: Option<Policy>,
    /// `running`, `done`, `failed`, or `idle` when it has not run since the hub was started.
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_message: Option<String>,
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "SetRetention"))]
struct SetRequest {
    /// `null` ends retention. That it is left out is no reason to.
    #[serde(deserialize_with = "Option::deserialize")]
    #[cfg_attr(test, schemars(with = "super::schema::PolicyOrNull"))]
    policy: Option<Policy>,
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "RunRetention"))]
struct RunRequest {
    #[serde(default)]
    dry_run: bool,
    /// For a dry run: other rules than those that are set.
    #[cfg_attr(test, schemars(with = "Option<super::schema::WantedRetentionPolicy>"))]
    policy: Option<Policy>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "RetentionPlan"))]
struct RunAnswer {
    vm_name: String,
    dry_run: bool,
    /// Oldest first, repository by repository.
    points: Vec<PointRow>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "PlannedPoint"))]
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
