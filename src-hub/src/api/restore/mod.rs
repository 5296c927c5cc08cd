//! `/restore`: mounts, folders, downloads (contract 3.8).
//!
//! This reads requests and formats answers; what they mean is in [`sendense_engine::restore`].

mod disposition;
mod download;
mod range;
#[cfg(test)]
mod tests;

use axum::{
    Json, Router,
    body::Body,
    extract::{Path, RawQuery, State},
    http::{HeaderMap, Method, Response, header},
    response::IntoResponse,
    routing::{delete, get, post},
};
use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use sendense_engine::restore::{
    self, ArchiveFormat, IDLE_TIMEOUT, MAX_MOUNTS, MountInUse, MountRow, REAP_INTERVAL,
    RequestPath, RowShape, Usage,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use self::download::Conditions;
use super::request::JsonBody;
use crate::{
    Hub,
    error::{Error, Result},
    profile::Profile,
};

/// The routes below `/api/v1`.
pub(crate) fn router() -> Router<Hub> {
    Router::new()
        .route("/restore/mount", post(mount))
        .route("/restore/mounts", get(list_mounts))
        .route("/restore/resources", get(resources))
        .route("/restore/cleanup-status", get(cleanup_status))
        .route("/restore/{mount_id}", delete(unmount))
        .route("/restore/{mount_id}/files", get(list_files))
        .route("/restore/{mount_id}/file-info", get(file_info))
        .route("/restore/{mount_id}/download", get(download))
        .route(
            "/restore/{mount_id}/download-directory",
            get(download_directory),
        )
}

#[derive(Deserialize)]
struct MountRequest {
    #[serde(default)]
    backup_id: String,
    /// Missing or null means the first disk.
    #[serde(default)]
    disk_index: Option<u32>,
}

/// A mount as documented; the list leaves the last three keys of a POST out.
#[derive(Serialize)]
struct MountAnswer {
    mount_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    backup_id: Option<String>,
    backup_disk_id: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    disk_index: Option<u32>,
    mount_path: String,
    nbd_device: String,
    filesystem_type: String,
    status: &'static str,
    created_at: Timestamp,
    expires_at: Timestamp,
}

impl MountAnswer {
    fn new(row: MountRow) -> Self {
        Self {
            mount_id: row.mount_id,
            backup_id: Some(row.backup_id),
            backup_disk_id: row.backup_disk_id,
            disk_index: Some(row.disk_index),
            mount_path: row.mount_path,
            nbd_device: row.nbd_device,
            filesystem_type: row.filesystem_type,
            status: "mounted",
            created_at: row.created_at,
            expires_at: row.expires_at,
        }
    }

    /// Documented lists do not say which disk a mount is of (contract D42).
    fn in_list(row: MountRow, profile: Profile) -> Self {
        let answer = Self::new(row);
        match profile {
            Profile::Documented => Self {
                backup_id: None,
                disk_index: None,
                ..answer
            },
            Profile::Default => answer,
        }
    }
}

async fn mount(
    State(hub): State<Hub>,
    JsonBody(request): JsonBody<MountRequest>,
) -> Result<Json<MountAnswer>> {
    if request.backup_id.is_empty() {
        return Err(Error::Required("backup_id"));
    }
    hub.blocking(move |hub| {
        let disk_index = request.disk_index.unwrap_or(0);
        let row = hub
            .engine()
            .mounts()
            .mount(&request.backup_id, disk_index)?;
        Ok(Json(MountAnswer::new(row)))
    })
    .await
}

async fn list_mounts(State(hub): State<Hub>) -> Result<impl IntoResponse> {
    let rows = hub
        .blocking(|hub| Ok(hub.engine().mounts().list()?))
        .await?;
    let mounts: Vec<_> = rows
        .into_iter()
        .map(|row| MountAnswer::in_list(row, hub.profile()))
        .collect();
    Ok(Json(json!({ "count": mounts.len(), "mounts": mounts })))
}

async fn unmount(
    State(hub): State<Hub>,
    Path(mount_id): Path<String>,
) -> Result<impl IntoResponse> {
    hub.blocking(move |hub| {
        hub.engine().mounts().unmount(&mount_id)?;
        Ok(Json(
            json!({ "message": "backup unmounted successfully", "mount_id": mount_id }),
        ))
    })
    .await
}

#[derive(Serialize)]
struct ListingAnswer {
    mount_id: String,
    path: String,
    files: Vec<restore::FileRow>,
    total_count: usize,
    /// What of the folder could not be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    damage: Vec<String>,
    /// What is on the disk and was not followed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    passed_over: Vec<String>,
}

async fn list_files(
    State(hub): State<Hub>,
    Path(mount_id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>> {
    let query = Parameters::parse(query)?;
    let path_as_sent = query.get("path")?.unwrap_or_else(|| "/".to_owned());
    let path = RequestPath::parse(&path_as_sent).map_err(restore::Error::from)?;
    let shape = row_shape(&hub);
    let mount = enter_mount(&hub, mount_id.clone()).await?;
    if query.get("recursive")?.is_some_and(|value| value == "true") {
        let body = mount.list_recursively(path, path_as_sent, shape).await?;
        let body = Body::from_stream(body);
        return Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response());
    }
    let listed = mount.list(path, shape).await?;
    let answer = ListingAnswer {
        mount_id,
        path: path_as_sent,
        total_count: listed.rows.len(),
        files: listed.rows,
        damage: listed.damage,
        passed_over: listed.passed_over,
    };
    Ok(Json(answer).into_response())
}

async fn file_info(
    State(hub): State<Hub>,
    Path(mount_id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<impl IntoResponse> {
    let (mount, path) = enter(&hub, &mount_id, &Parameters::parse(query)?).await?;
    Ok(Json(mount.row_of(path, row_shape(&hub)).await?))
}

async fn download(
    State(hub): State<Hub>,
    Path(mount_id): Path<String>,
    RawQuery(query): RawQuery,
    method: Method,
    headers: HeaderMap,
) -> Result<Response<Body>> {
    let query = Parameters::parse(query)?;
    let (mount, path) = enter(&hub, &mount_id, &query).await?;
    let conditions = Conditions::from_headers(&headers, method == Method::HEAD);
    Ok(download::download(&mount, path, query.get("stream")?, &conditions).await?)
}

async fn download_directory(
    State(hub): State<Hub>,
    Path(mount_id): Path<String>,
    RawQuery(query): RawQuery,
    method: Method,
    headers: HeaderMap,
) -> Result<Response<Body>> {
    let query = Parameters::parse(query)?;
    let format = match query.get("format")? {
        None => ArchiveFormat::Zip,
        Some(text) => ArchiveFormat::from_query(&text).ok_or(Error::BadParameter(
            "unsupported archive type: zip and tar.gz are offered",
        ))?,
    };
    let (mount, path) = enter(&hub, &mount_id, &query).await?;
    let conditions = Conditions::from_headers(&headers, method == Method::HEAD);
    Ok(download::archive(&mount, path, format, &conditions).await?)
}

async fn resources(State(hub): State<Hub>) -> Result<impl IntoResponse> {
    let usage = usage(&hub).await?;
    let n_active = usage.devices.len();
    let n_free = MAX_MOUNTS.saturating_sub(n_active);
    let mut answer = json!({
        "active_mounts": n_active,
        "max_mounts": MAX_MOUNTS,
        "available_slots": n_free,
        "allocated_devices": usage.devices,
        "available_devices": n_free,
        "device_utilization_percent": 100.0 * n_active as f64 / MAX_MOUNTS as f64,
    });
    if hub.profile() == Profile::Default {
        answer["active_downloads"] = json!(usage.n_downloads);
    }
    Ok(Json(answer))
}

/// Durations are integer nanoseconds here (contract 2.5).
async fn cleanup_status(State(hub): State<Hub>) -> Result<impl IntoResponse> {
    let usage = usage(&hub).await?;
    Ok(Json(json!({
        "running": true,
        "cleanup_interval": nanoseconds(REAP_INTERVAL.as_nanos()),
        "idle_timeout": nanoseconds(IDLE_TIMEOUT.unsigned_abs().as_nanos()),
        "active_mount_count": usage.devices.len(),
        "expired_mount_count": usage.n_expired,
    })))
}

fn nanoseconds(n: u128) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

fn row_shape(hub: &Hub) -> RowShape {
    match hub.profile() {
        Profile::Documented => RowShape::Documented,
        Profile::Default => RowShape::Extended,
    }
}

/// Enters a mount with the path that the request names.
async fn enter(hub: &Hub, mount_id: &str, query: &Parameters) -> Result<(MountInUse, RequestPath)> {
    let path = query
        .get("path")?
        .ok_or(Error::BadParameter("path query parameter is required"))?;
    let path = RequestPath::parse(&path).map_err(restore::Error::from)?;
    Ok((enter_mount(hub, mount_id.to_owned()).await?, path))
}

async fn enter_mount(hub: &Hub, mount_id: String) -> Result<MountInUse> {
    hub.blocking(move |hub| Ok(hub.engine().mounts().enter(&mount_id)?))
        .await
}

async fn usage(hub: &Hub) -> Result<Usage> {
    hub.blocking(|hub| Ok(hub.engine().mounts().usage()?)).await
}

/// A query string, decoded once and strictly: bytes that are no UTF-8 are refused instead of
/// becoming U+FFFD and leading to `path does not exist`.
struct Parameters {
    pairs: Vec<(String, String)>,
}

impl Parameters {
    fn parse(raw: Option<String>) -> Result<Self> {
        let pairs = raw
            .unwrap_or_default()
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                Ok((decode(key)?, decode(value)?))
            })
            .collect::<Result<_>>()?;
        Ok(Self { pairs })
    }

    /// The value of a parameter, which may be given once.
    fn get(&self, key: &str) -> Result<Option<String>> {
        let mut values = self.pairs.iter().filter(|(k, _)| k == key);
        let value = values.next().map(|(_, value)| value.clone());
        if values.next().is_some() {
            return Err(Error::BadParameter("a query parameter is given twice"));
        }
        Ok(value)
    }
}

fn decode(text: &str) -> Result<String> {
    percent_decode_str(&text.replace('+', " "))
        .decode_utf8()
        .map(|text| text.into_owned())
        .map_err(|_| Error::BadParameter("the query is not valid UTF-8"))
}
