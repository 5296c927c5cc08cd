//! `/restore/live-machines`: machines that boot from a recovery point at once. Not in the contract.

use std::path::PathBuf;

use axum::{Json, extract::State, http::StatusCode};
use sendense_engine::{DefinitionKind, LiveMachine};
use serde::{Deserialize, Serialize};

use super::super::{
    Time,
    about::{Parameter, Place, about},
    request::{Created, JsonBody, Parameters, Path},
    routes::Routes,
};
use crate::{
    Hub,
    error::{Error, Result},
    profile::Profile,
};

/// The routes below `/api/v1`.
pub(super) fn routes() -> Routes {
    Routes::new()
        .get(
            "/restore/live-machines",
            list,
            about("List the machines that run from a recovery point")
                .notes("Newest first. Each holds its recovery point, and all that this builds on.")
                .refuses(&[StatusCode::NOT_FOUND]),
        )
        .post(
            "/restore/live-machines",
            start,
            about("Make a machine that boots from a recovery point while nothing is copied")
                .notes(
                    "What it writes goes to overlays in a folder of the hub's computer; the repository stays as it is.",
                )
                .refuses(&[
                    StatusCode::NOT_FOUND,
                    StatusCode::CONFLICT,
                    StatusCode::UNPROCESSABLE_ENTITY,
                ]),
        )
        .delete(
            "/restore/live-machines/{id}",
            stop,
            about("Let go of the recovery point of a machine")
                .notes("While QEMU holds one of its disks, it cannot be.")
                .parameters(&[DISCARD])
                .refuses(&[StatusCode::NOT_FOUND, StatusCode::CONFLICT]),
        )
}

const DISCARD: Parameter = Parameter {
    name: "discard",
    meaning: "Whether what the machine wrote is deleted; it stays where it is otherwise.",
    place: Place::Query,
    values: &["true", "false"],
    is_required: false,
};

/// A machine that runs from a recovery point.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "LiveMachine"))]
struct Answer {
    id: String,
    backup_id: String,
    vm_name: String,
    /// Where its overlays are.
    folder: String,
    /// The file that boots it.
    definition: String,
    created_at: Time,
    /// After its start: what nobody knows of it and was assumed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    assumed: Vec<String>,
}

impl Answer {
    fn new(machine: LiveMachine, assumed: Vec<String>) -> Self {
        let definition = machine.folder.join(&machine.definition);
        Self {
            id: machine.id,
            backup_id: machine.backup_id,
            vm_name: machine.vm_name,
            folder: machine.folder.display().to_string(),
            definition: definition.display().to_string(),
            created_at: machine.created_at.into(),
            assumed,
        }
    }
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct LiveMachineList {
    machines: Vec<Answer>,
}

async fn list(State(hub): State<Hub>) -> Result<Json<LiveMachineList>> {
    require_offered(&hub)?;
    hub.blocking(|hub| {
        let machines = hub.engine().live_machines().list()?.into_iter();
        Ok(Json(LiveMachineList {
            machines: machines.map(|one| Answer::new(one, Vec::new())).collect(),
        }))
    })
    .await
}

#[derive(Deserialize)]
#[cfg_attr(
    test,
    derive(schemars::JsonSchema),
    schemars(rename = "NewLiveMachine")
)]
struct StartRequest {
    #[serde(default)]
    #[cfg_attr(test, schemars(!default, length(min = 1)))]
    backup_id: String,
    /// Of the hub's computer; it has to be empty, or is made.
    #[serde(default)]
    #[cfg_attr(test, schemars(!default, length(min = 1)))]
    folder: String,
    /// What boots it: `qemu`, a script, or `libvirt`, a domain. A script where it is left out.
    #[serde(default)]
    definition: Option<String>,
}

async fn start(
    State(hub): State<Hub>,
    JsonBody(request): JsonBody<StartRequest>,
) -> Result<Created<Answer>> {
    require_offered(&hub)?;
    if request.backup_id.is_empty() {
        return Err(Error::Required("backup_id"));
    }
    if request.folder.is_empty() {
        return Err(Error::Required("folder"));
    }
    let kind = match &request.definition {
        None => DefinitionKind::Qemu,
        Some(name) => DefinitionKind::named(name)
            .ok_or(Error::BadParameter("definition must be qemu or libvirt"))?,
    };
    hub.blocking(move |hub| {
        let folder = PathBuf::from(request.folder);
        let machines = hub.engine().live_machines();
        let started = machines.start(&request.backup_id, &folder, kind)?;
        Ok(Created(Answer::new(started.machine, started.assumed)))
    })
    .await
}

async fn stop(
    State(hub): State<Hub>,
    Path(id): Path<String>,
    query: Parameters,
) -> Result<Json<Answer>> {
    require_offered(&hub)?;
    let is_discarded = match query.get(&DISCARD)?.as_deref() {
        Some("true") => true,
        Some("false") | None => false,
        Some(_) => return Err(Error::BadParameter("discard must be true or false")),
    };
    hub.blocking(move |hub| {
        let stopped = hub.engine().live_machines().stop(&id, is_discarded)?;
        Ok(Json(Answer::new(stopped, Vec::new())))
    })
    .await
}

/// Deployed hubs have no such address.
fn require_offered(hub: &Hub) -> Result<()> {
    match hub.profile() {
        Profile::Default => Ok(()),
        Profile::Documented => Err(Error::UnknownPath(
            "/api/v1/restore/live-machines".to_owned(),
        )),
    }
}
