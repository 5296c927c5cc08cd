//! `/restore/{mount_id}/nbd`: the disk of a mount as a read-only NBD export on loopback. Not in the contract.

use std::net::IpAddr;

use axum::{Json, extract::State, http::StatusCode};
use sendense_engine::restore::ServedDisk;
use serde::Serialize;

use super::super::{about::about, request::Path, routes::Routes};
use crate::{
    Hub,
    error::{Error, Result},
    profile::Profile,
};

/// The routes below `/api/v1`.
pub(super) fn routes() -> Routes {
    Routes::new()
        .post(
            "/restore/{mount_id}/nbd",
            serve,
            about("Serve the disk of a mount to programs of the hub's computer, read-only, over NBD")
                .notes(
                    "It listens on loopback only, and whoever does not know the name of the export learns nothing of \
                     it. It ends with the mount, which lasts as long as somebody reads. If it is served already, that \
                     is the answer.",
                )
                .refuses(&[
                    StatusCode::NOT_FOUND,
                    StatusCode::CONFLICT,
                    StatusCode::UNPROCESSABLE_ENTITY,
                    StatusCode::SERVICE_UNAVAILABLE,
                ]),
        )
        .delete(
            "/restore/{mount_id}/nbd",
            stop,
            about("Serve the disk of a mount no longer")
                .notes("Whoever reads it is cut off.")
                .refuses(&[StatusCode::NOT_FOUND]),
        )
}

/// A disk that is served over NBD.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct NbdExport {
    mount_id: String,
    /// Of the hub's computer, on its loopback.
    #[cfg_attr(test, schemars(with = "String"))]
    address: IpAddr,
    port: u16,
    /// What clients have to ask for. Nobody else knows it.
    export_name: String,
    /// All of this in the form that clients take: `nbd://ADDRESS:PORT/NAME`.
    uri: String,
    /// Of the disk.
    size_bytes: u64,
}

impl NbdExport {
    fn new(mount_id: String, served: ServedDisk) -> Self {
        Self {
            mount_id,
            uri: format!("nbd://{}/{}", served.address, served.export_name),
            address: served.address.ip(),
            port: served.address.port(),
            export_name: served.export_name,
            size_bytes: served.size_bytes,
        }
    }
}

async fn serve(State(hub): State<Hub>, Path(mount_id): Path<String>) -> Result<Json<NbdExport>> {
    require_offered(&hub, &mount_id)?;
    hub.blocking(move |hub| {
        let served = hub.engine().mounts().enter(&mount_id)?.serve()?;
        Ok(Json(NbdExport::new(mount_id, served)))
    })
    .await
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct NoLongerServed {
    message: &'static str,
    mount_id: String,
}

async fn stop(
    State(hub): State<Hub>,
    Path(mount_id): Path<String>,
) -> Result<Json<NoLongerServed>> {
    require_offered(&hub, &mount_id)?;
    hub.blocking(move |hub| {
        hub.engine().mounts().stop_serving(&mount_id)?;
        Ok(Json(NoLongerServed {
            message: "the disk is served no longer",
            mount_id,
        }))
    })
    .await
}

/// Deployed hubs have no such address.
fn require_offered(hub: &Hub, mount_id: &str) -> Result<()> {
    match hub.profile() {
        Profile::Default => Ok(()),
        Profile::Documented => Err(Error::UnknownPath(format!(
            "/api/v1/restore/{mount_id}/nbd"
        ))),
    }
}
