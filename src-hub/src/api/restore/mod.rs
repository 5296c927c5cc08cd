//! `/restore`: mounts, folders, downloads (contract 3.8).
//!
//! This reads requests and formats answers; what they mean is in [`sendense_engine::restore`].

mod disposition;
mod download;
mod live;
mod nbd;
mod range;
#[cfg(test)]
mod said;
#[cfg(test)]
mod tests;

use axum::{
    Json,
    body::Body,
    extract::State,
    http::{HeaderMap, Method, Response, StatusCode, header},
    response::IntoResponse,
};
use sendense_engine::restore::{
    self, ArchiveFormat, IDLE_TIMEOUT, MAX_MOUNTS, MountInUse, MountRow, REAP_INTERVAL,
    RequestPath, RowShape, Usage,
};
use serde::{Deserialize, Serialize};

use self::download::{Archive, Conditions, Download};
use super::{
    Time,
    about::{Parameter, Place, about},
    request::{JsonBody, Parameters, Path},
    routes::Routes,
};
use crate::{
    Hub,
    error::{Error, Result},
    profile::Profile,
};

/// The routes below `/api/v1`.
pub(crate) fn routes() -> Routes {
    const INSIDE: &[StatusCode] = &[
        StatusCode::NOT_FOUND,
        StatusCode::UNPROCESSABLE_ENTITY,
        StatusCode::SERVICE_UNAVAILABLE,
    ];
    let opened = about("Open a disk of a backup, read-only")
        .notes("The mount ends when it is closed, or after an hour in which nobody used it.")
        .refuses(&[
            StatusCode::NOT_FOUND,
            StatusCode::CONFLICT,
            StatusCode::UNPROCESSABLE_ENTITY,
            StatusCode::SERVICE_UNAVAILABLE,
        ]);
    let closed = about("Close a mount").refuses(&[StatusCode::NOT_FOUND]);
    let listed = about("List a folder inside a mount")
        .notes(
            "The root lists the volumes of the disk. A recursive listing is sent while it is read.",
        )
        .parameters(&[FOLDER, RECURSIVE])
        .refuses(INSIDE);
    let shown = about("Show one file or folder inside a mount")
        .parameters(&[PATH])
        .refuses(INSIDE);
    let file = about("Download a file")
        .notes("A folder is sent as a zip archive. One range of bytes may be asked for.")
        .parameters(&[PATH, STREAM, RANGE, IF_RANGE])
        .refuses(INSIDE);
    let folder = about("Download a folder as an archive")
        .notes("It is made while it is sent, so its length is not known before its end.")
        .parameters(&[PATH, FORMAT])
        .refuses(INSIDE);
    Routes::new()
        .post("/restore/mount", mount, opened)
        .get(
            "/restore/mounts",
            list_mounts,
            about("List the open mounts"),
        )
        .get(
            "/restore/resources",
            resources,
            about("Show how many mounts there are and may be"),
        )
        .get(
            "/restore/cleanup-status",
            cleanup_status,
            about("Show when mounts that nobody uses are closed"),
        )
        .delete("/restore/{mount_id}", unmount, closed)
        .merge(nbd::routes())
        .merge(live::routes())
        .get("/restore/{mount_id}/files", list_files, listed)
        .get("/restore/{mount_id}/file-info", file_info, shown)
        .get("/restore/{mount_id}/download", download, file)
        .get(
            "/restore/{mount_id}/download-directory",
            download_directory,
            folder,
        )
}

const PATH: Parameter = Parameter {
    name: "path",
    meaning: "Where it is inside the mount: `/VOLUME/FOLDER/NAME`, as listings give it. `..` is refused.",
    place: Place::Query,
    values: &[],
    is_required: true,
};
const FOLDER: Parameter = Parameter {
    meaning: "The folder, as listings give it; `/` where it is left out. `..` is refused.",
    is_required: false,
    ..PATH
};
const RECURSIVE: Parameter = Parameter {
    name: "recursive",
    meaning: "Whether to list what is in its folders too.",
    values: &["true", "false"],
    ..FOLDER
};
const STREAM: Parameter = Parameter {
    name: "stream",
    meaning: "An alternate data stream of the file, as listings name it.",
    ..FOLDER
};
const FORMAT: Parameter = Parameter {
    name: "format",
    meaning: "What kind of archive; a zip where it is left out.",
    values: &["zip", "tar.gz"],
    ..FOLDER
};
const RANGE: Parameter = Parameter {
    name: "Range",
    meaning: "One range, such as `bytes=0-1023`; anything else is answered with the whole file.",
    place: Place::Header,
    ..FOLDER
};
const IF_RANGE: Parameter = Parameter {
    name: "If-Range",
    meaning: "The `ETag` that the range belongs to; of another file, all is sent.",
    ..RANGE
};

#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "NewMount"))]
struct MountRequest {
    #[serde(default)]
    #[cfg_attr(test, schemars(!default, length(min = 1)))]
    backup_id: String,
    /// Missing or null means the first disk.
    #[serde(default)]
    disk_index: Option<u32>,
    /// Only this hub knows it: whether the disk is opened although there may be no files on it that could be read.
    #[serde(default)]
    for_bytes: bool,
}

/// An open mount.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Mount"))]
struct MountAnswer {
    mount_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(!skip_serializing_if, with = "String"))]
    backup_id: Option<String>,
    backup_disk_id: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(!skip_serializing_if, with = "u32"))]
    disk_index: Option<u32>,
    mount_path: String,
    nbd_device: String,
    filesystem_type: String,
    status: &'static str,
    created_at: Time,
    expires_at: Time,
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
            created_at: row.created_at.into(),
            expires_at: row.expires_at.into(),
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
        let mounts = hub.engine().mounts();
        let row = match request.for_bytes && hub.profile() == Profile::Default {
            true => mounts.mount_bytes(&request.backup_id, disk_index)?,
            false => mounts.mount(&request.backup_id, disk_index)?,
        };
        Ok(Json(MountAnswer::new(row)))
    })
    .await
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct MountList {
    count: usize,
    mounts: Vec<MountAnswer>,
}

async fn list_mounts(State(hub): State<Hub>) -> Result<Json<MountList>> {
    let rows = hub
        .blocking(|hub| Ok(hub.engine().mounts().list()?))
        .await?;
    let mounts: Vec<_> = rows
        .into_iter()
        .map(|row| MountAnswer::in_list(row, hub.profile()))
        .collect();
    Ok(Json(MountList {
        count: mounts.len(),
        mounts,
    }))
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Unmounted {
    message: &'static str,
    mount_id: String,
}

async fn unmount(State(hub): State<Hub>, Path(mount_id): Path<String>) -> Result<Json<Unmounted>> {
    hub.blocking(move |hub| {
        hub.engine().mounts().unmount(&mount_id)?;
        Ok(Json(Unmounted {
            message: "backup unmounted successfully",
            mount_id,
        }))
    })
    .await
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Listing"))]
struct ListingAnswer {
    mount_id: String,
    path: String,
    #[cfg_attr(test, schemars(with = "Vec<super::schema::File>"))]
    files: Vec<restore::FileRow>,
    total_count: usize,
    /// What of the folder could not be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    damage: Vec<String>,
    /// What is on the disk and was not followed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    passed_over: Vec<String>,
}

/// A listing, whole or on its way.
enum Listing {
    Whole(ListingAnswer),
    Streamed(Body),
}

impl IntoResponse for Listing {
    fn into_response(self) -> Response<Body> {
        match self {
            Self::Whole(answer) => Json(answer).into_response(),
            Self::Streamed(body) => {
                ([(header::CONTENT_TYPE, "application/json")], body).into_response()
            }
        }
    }
}

async fn list_files(
    State(hub): State<Hub>,
    Path(mount_id): Path<String>,
    query: Parameters,
) -> Result<Listing> {
    let is_recursive = match query.get(&RECURSIVE)?.as_deref() {
        Some("true") => true,
        Some("false") | None => false,
        Some(_) => return Err(Error::BadParameter("recursive must be true or false")),
    };
    let path_as_sent = query.get(&FOLDER)?.unwrap_or_else(|| "/".to_owned());
    let path = RequestPath::parse(&path_as_sent).map_err(restore::Error::from)?;
    let shape = row_shape(&hub);
    let mount = enter_mount(&hub, mount_id.clone()).await?;
    if is_recursive {
        let body = mount.list_recursively(path, path_as_sent, shape).await?;
        return Ok(Listing::Streamed(Body::from_stream(body)));
    }
    let listed = mount.list(path, shape).await?;
    Ok(Listing::Whole(ListingAnswer {
        mount_id,
        path: path_as_sent,
        total_count: listed.rows.len(),
        files: listed.rows,
        damage: listed.damage,
        passed_over: listed.passed_over,
    }))
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(inline))]
#[serde(transparent)]
struct FileAnswer(#[cfg_attr(test, schemars(with = "super::schema::File"))] restore::FileRow);

async fn file_info(
    State(hub): State<Hub>,
    Path(mount_id): Path<String>,
    query: Parameters,
) -> Result<Json<FileAnswer>> {
    let (mount, path) = enter(&hub, &mount_id, &query).await?;
    let row = mount.row_of(path, row_shape(&hub)).await?;
    Ok(Json(FileAnswer(row)))
}

async fn download(
    State(hub): State<Hub>,
    Path(mount_id): Path<String>,
    query: Parameters,
    method: Method,
    headers: HeaderMap,
) -> Result<Download> {
    let (mount, path) = enter(&hub, &mount_id, &query).await?;
    let conditions = Conditions::from_headers(&headers, method == Method::HEAD);
    Ok(download::download(&mount, path, query.get(&STREAM)?, &conditions).await?)
}

async fn download_directory(
    State(hub): State<Hub>,
    Path(mount_id): Path<String>,
    query: Parameters,
    method: Method,
    headers: HeaderMap,
) -> Result<Archive> {
    let format = match query.get(&FORMAT)? {
        None => ArchiveFormat::Zip,
        Some(text) => ArchiveFormat::from_query(&text).ok_or(Error::BadParameter(
            "unsupported archive type: zip and tar.gz are offered",
        ))?,
    };
    let (mount, path) = enter(&hub, &mount_id, &query).await?;
    let conditions = Conditions::from_headers(&headers, method == Method::HEAD);
    Ok(download::archive(&mount, path, format, &conditions).await?)
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Resources {
    active_mounts: usize,
    max_mounts: usize,
    available_slots: usize,
    allocated_devices: Vec<String>,
    available_devices: usize,
    device_utilization_percent: f64,
    #[serde(flatten)]
    #[cfg_attr(test, schemars(required))]
    deployed: Option<Downloads>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Downloads {
    active_downloads: usize,
}

async fn resources(State(hub): State<Hub>) -> Result<Json<Resources>> {
    let usage = usage(&hub).await?;
    let n_active = usage.devices.len();
    let n_free = MAX_MOUNTS.saturating_sub(n_active);
    Ok(Json(Resources {
        active_mounts: n_active,
        max_mounts: MAX_MOUNTS,
        available_slots: n_free,
        allocated_devices: usage.devices,
        available_devices: n_free,
        device_utilization_percent: 100.0 * n_active as f64 / MAX_MOUNTS as f64,
        deployed: hub.profile().deployed(|| Downloads {
            active_downloads: usage.n_downloads,
        }),
    }))
}

// Durations are integer nanoseconds here (contract 2.5).
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct CleanupStatus {
    running: bool,
    /// In nanoseconds.
    cleanup_interval: u64,
    /// In nanoseconds.
    idle_timeout: u64,
    active_mount_count: usize,
    expired_mount_count: usize,
}

async fn cleanup_status(State(hub): State<Hub>) -> Result<Json<CleanupStatus>> {
    let usage = usage(&hub).await?;
    Ok(Json(CleanupStatus {
        running: true,
        cleanup_interval: nanoseconds(REAP_INTERVAL.as_nanos()),
        idle_timeout: nanoseconds(IDLE_TIMEOUT.unsigned_abs().as_nanos()),
        active_mount_count: usage.devices.len(),
        expired_mount_count: usage.n_expired,
    }))
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
        .get(&PATH)?
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
