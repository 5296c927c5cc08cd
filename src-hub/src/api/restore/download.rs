//! Answers with a body: one file, or a folder as an archive.

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, Response, StatusCode, header},
    response::IntoResponse,
};
use jiff::{Timestamp, tz::Offset};
use sendense_engine::restore::{ArchiveFormat, FileHead, MountInUse, RequestPath, Result, Target};

use super::{disposition::attachment, range::Wanted};

/// A file, a part of it, or a folder as an archive.
pub(super) struct Download(pub(super) Response<Body>);

/// A folder as an archive.
pub(super) struct Archive(pub(super) Response<Body>);

impl IntoResponse for Download {
    fn into_response(self) -> Response<Body> {
        self.0
    }
}

impl IntoResponse for Archive {
    fn into_response(self) -> Response<Body> {
        self.0
    }
}

/// What a client asks of a download beside the path.
#[derive(Clone, Debug, Default)]
pub(super) struct Conditions {
    range: Option<String>,
    if_range: Option<String>,
    /// A `HEAD` request: everything but the body.
    is_head: bool,
}

impl Conditions {
    /// Reads `Range` and `If-Range`. RFC 9110 gives ranges a meaning for `GET` only.
    pub(super) fn from_headers(headers: &HeaderMap, is_head: bool) -> Self {
        let text = |name| {
            headers
                .get(name)
                .and_then(|value: &HeaderValue| value.to_str().ok())
                .map(str::to_owned)
        };
        Self {
            range: text(header::RANGE).filter(|_| !is_head),
            if_range: text(header::IF_RANGE),
            is_head,
        }
    }

    /// The part that is wanted. A part of something that has changed since is of no use, so then
    /// it is all of it.
    fn wanted(&self, size_bytes: u64, etag: &str) -> Wanted {
        match (&self.range, &self.if_range) {
            (None, _) => Wanted::Whole,
            (Some(_), Some(condition)) if condition.trim() != etag => Wanted::Whole,
            (Some(range), _) => Wanted::from_header(range, size_bytes),
        }
    }
}

/// Sends a file or one of its streams, or the part of it that is asked for. A folder is answered with
/// a zip, as on deployed hubs (contract D50).
pub(super) async fn download(
    mount: &MountInUse,
    path: RequestPath,
    stream: Option<String>,
    conditions: &Conditions,
) -> Result<Download> {
    let answer = match mount.target(path.clone(), stream).await? {
        Target::File(head) => send_file(mount, path, head, conditions).await?,
        Target::Folder => {
            archive(mount, path, ArchiveFormat::Zip, conditions)
                .await?
                .0
        }
    };
    Ok(Download(answer))
}

async fn send_file(
    mount: &MountInUse,
    path: RequestPath,
    head: FileHead,
    conditions: &Conditions,
) -> Result<Response<Body>> {
    let etag = format!("\"{}\"", mount.tag(&head));
    let wanted = conditions.wanted(head.size_bytes, &etag);
    let (start, length) = wanted.extent(head.size_bytes);
    let mut answer = Response::builder()
        .header(header::ACCEPT_RANGES, "bytes")
        .header(header::ETAG, &etag)
        .header(header::CONTENT_DISPOSITION, attachment(&head.name))
        .header(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
        .header(header::CACHE_CONTROL, "no-store")
        .header(header::CONTENT_LENGTH, length);
    if let Some(modified) = head.modified.and_then(http_date) {
        answer = answer.header(header::LAST_MODIFIED, modified);
    }
    answer = match wanted {
        Wanted::Whole => answer.status(StatusCode::OK),
        Wanted::Part { first, last } => answer.status(StatusCode::PARTIAL_CONTENT).header(
            header::CONTENT_RANGE,
            format!("bytes {first}-{last}/{}", head.size_bytes),
        ),
        Wanted::Unsatisfiable => answer.status(StatusCode::RANGE_NOT_SATISFIABLE).header(
            header::CONTENT_RANGE,
            format!("bytes */{}", head.size_bytes),
        ),
    };
    if wanted != Wanted::Unsatisfiable {
        let content_type = mime_guess::from_path(&head.name).first_or_octet_stream();
        answer = answer.header(header::CONTENT_TYPE, content_type.essence_str());
    }
    let body = if conditions.is_head || length == 0 {
        Body::empty()
    } else {
        Body::from_stream(mount.read(head, path, start..start + length).await?)
    };
    Ok(built(answer.body(body)))
}

/// Sends a folder as an archive, without a length: nobody knows it before the end.
pub(super) async fn archive(
    mount: &MountInUse,
    path: RequestPath,
    format: ArchiveFormat,
    conditions: &Conditions,
) -> Result<Archive> {
    let name = mount.archive_name(&path, format);
    let body = if conditions.is_head {
        mount.require_folder(path).await?;
        Body::empty()
    } else {
        Body::from_stream(mount.archive(path, format).await?)
    };
    let content_type = match format {
        ArchiveFormat::Zip => "application/zip",
        ArchiveFormat::TarGz => "application/gzip",
    };
    let answer = Response::builder()
        .header(header::CONTENT_TYPE, content_type)
        .header(header::CONTENT_DISPOSITION, attachment(&name))
        .header(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
        .header(header::CACHE_CONTROL, "no-store");
    Ok(Archive(built(answer.body(body))))
}

/// `Tue, 02 Sep 2025 06:21:20 GMT`, for years that the format has room for.
fn http_date(time: Timestamp) -> Option<String> {
    let year = Offset::UTC.to_datetime(time).year();
    (1970..=9999)
        .contains(&year)
        .then(|| time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string())
}

fn built(response: axum::http::Result<Response<Body>>) -> Response<Body> {
    response.expect("every header was made from visible ASCII")
}
