//! Answers with a body: one file, or a folder as an archive, or a recursive listing.

use std::io::{self, Write};

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, Response, StatusCode, header},
};
use jiff::{Timestamp, tz::Offset};
use sendense_disk::{DataStream, Entry, EntryKind, FileReader, FsPath, Name};

use super::{
    Error, Result,
    archive::{ArchiveFormat, ArchiveSource, write_archive},
    disposition::attachment,
    entry::why_unreadable,
    mounts::MountInUse,
    path::RequestPath,
    range::Wanted,
    tree::{Folder, Found, Readers},
};

/// What is read at once: large enough for the disk, small enough to notice a client that left.
const BLOCK_BYTES: usize = 256 * 1024;

/// What a client asks of a download beside the path.
#[derive(Clone, Debug, Default)]
pub(crate) struct Conditions {
    range: Option<String>,
    if_range: Option<String>,
    /// A `HEAD` request: everything but the body.
    is_head: bool,
}

impl Conditions {
    /// Reads `Range` and `If-Range`. RFC 9110 gives ranges a meaning for `GET` only.
    pub(crate) fn from_headers(headers: &HeaderMap, is_head: bool) -> Self {
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

/// A file that can be downloaded.
struct FileHead {
    volume: u32,
    path: FsPath,
    /// An alternate data stream instead of the content.
    stream: Option<Name>,
    size_bytes: u64,
    name: String,
    modified: Option<Timestamp>,
}

impl FileHead {
    fn open(&self, readers: &mut Readers) -> Result<FileReader> {
        let filesystem = readers.filesystem(self.volume)?;
        let opened = match &self.stream {
            Some(stream) => filesystem.open_stream(&self.path, stream),
            None => filesystem.open(&self.path),
        };
        Ok(opened?)
    }
}

/// What a download path leads to.
enum Target {
    File(FileHead),
    Folder,
}

impl MountInUse {
    /// Sends a file or one of its streams, or the part of it that is asked for. A folder is answered with
    /// a zip, as on deployed hubs (contract D50).
    pub(crate) async fn download(
        &self,
        path: RequestPath,
        stream: Option<String>,
        conditions: &Conditions,
    ) -> Result<Response<Body>> {
        let asked = path.clone();
        let target = self
            .session()
            .ask(move |readers| match stream {
                Some(stream) => stream_target(readers, &asked, &stream),
                None => target(readers, &asked),
            })
            .await?;
        match target {
            Target::File(head) => self.send_file(path, head, conditions).await,
            Target::Folder => self.archive(path, ArchiveFormat::Zip, conditions).await,
        }
    }

    async fn send_file(
        &self,
        path: RequestPath,
        head: FileHead,
        conditions: &Conditions,
    ) -> Result<Response<Body>> {
        let row = self.row();
        let etag = etag(&row.backup_id, row.disk_index, &head);
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
            let guard = self.hold().await?;
            self.session()
                .stream(
                    guard,
                    // The beginning is read while a failure can still be answered in words.
                    move |readers| Part::open(readers, &head, &path, start, length),
                    move |readers, part, sink| part.copy(readers, sink),
                )
                .await?
        };
        Ok(built(answer.body(body)))
    }

    /// Sends a folder as an archive, without a length: nobody knows it before the end.
    pub(crate) async fn archive(
        &self,
        path: RequestPath,
        format: ArchiveFormat,
        conditions: &Conditions,
    ) -> Result<Response<Body>> {
        let row = self.row();
        let base = match path.file_name() {
            Some(name) => name.to_owned(),
            None => format!("{}-disk{}", row.backup_id, row.disk_index),
        };
        let now = self.now();
        let body = if conditions.is_head {
            self.session()
                .ask(move |readers| readers.find_folder(&path).map(drop))
                .await?;
            Body::empty()
        } else {
            let guard = self.hold().await?;
            self.session()
                .stream(
                    guard,
                    move |readers| ArchiveSource::open(readers, &path),
                    move |readers, source, sink| write_archive(sink, format, readers, source, now),
                )
                .await?
        };
        let name = format!("{base}.{}", format.extension());
        let answer = Response::builder()
            .header(header::CONTENT_TYPE, format.content_type())
            .header(header::CONTENT_DISPOSITION, attachment(&name))
            .header(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
            .header(header::CACHE_CONTROL, "no-store");
        Ok(built(answer.body(body)))
    }
}

/// A stretch of a file, of which the beginning has been read.
struct Part {
    volume: u32,
    file: FileReader,
    /// Where to go on, and where it ends.
    offset: u64,
    end: u64,
    beginning: Vec<u8>,
}

impl Part {
    fn open(
        readers: &mut Readers,
        head: &FileHead,
        path: &RequestPath,
        start: u64,
        length: u64,
    ) -> Result<Self> {
        let mut file = head.open(readers)?;
        let filesystem = readers.filesystem(head.volume)?;
        let mut beginning = vec![0; length.min(BLOCK_BYTES as u64) as usize];
        let mut n_read = 0;
        while n_read < beginning.len() {
            let read = file.read(filesystem, start + n_read as u64, &mut beginning[n_read..]);
            n_read += read.map_err(|error| Error::ContentUnreadable {
                path: path.to_string(),
                reason: error.to_string(),
            })?;
        }
        Ok(Self {
            volume: head.volume,
            file,
            offset: start + n_read as u64,
            end: start + length,
            beginning,
        })
    }

    fn copy(mut self, readers: &mut Readers, out: &mut impl Write) -> io::Result<()> {
        let filesystem = readers.filesystem(self.volume).map_err(io::Error::other)?;
        out.write_all(&self.beginning)?;
        let mut block = vec![0; BLOCK_BYTES];
        while self.offset < self.end {
            let n_wanted_bytes = (self.end - self.offset).min(BLOCK_BYTES as u64) as usize;
            let n_bytes = self
                .file
                .read(filesystem, self.offset, &mut block[..n_wanted_bytes])
                .map_err(io::Error::other)?;
            out.write_all(&block[..n_bytes])?;
            self.offset += n_bytes as u64;
        }
        Ok(())
    }
}

fn target(readers: &mut Readers, path: &RequestPath) -> Result<Target> {
    let (volume, fs_path, entry) = match readers.find(path)? {
        Found::Folder(_) => return Ok(Target::Folder),
        Found::Entry {
            volume,
            path: fs_path,
            entry,
        } => (volume, fs_path, entry),
    };
    if let Some(why) = why_not_sent(readers, volume, path, &fs_path, &entry)? {
        return Err(why);
    }
    Ok(Target::File(FileHead {
        volume,
        path: fs_path,
        stream: None,
        size_bytes: entry.size_bytes,
        name: entry.name.display(),
        modified: entry.modified,
    }))
}

/// A stream of a file, a folder or a link, named as listings name it.
fn stream_target(readers: &mut Readers, path: &RequestPath, stream: &str) -> Result<Target> {
    let (volume, fs_path) = match readers.find(path)? {
        Found::Folder(Folder::OnVolume { volume, path }) => (volume, path),
        Found::Entry { volume, path, .. } => (volume, path),
        Found::Folder(Folder::Disk) => {
            return Err(Error::PathMissing {
                path: format!("{path}:{stream}"),
            });
        }
    };
    let entry = readers.filesystem(volume)?.entry(&fs_path)?;
    let wanted = Name::from_path_text(stream);
    let found = entry.streams.into_iter().find(|it| it.name == wanted);
    let DataStream {
        name,
        size_bytes,
        unreadable,
    } = found.ok_or_else(|| Error::PathMissing {
        path: format!("{path}:{stream}"),
    })?;
    if let Some(reason) = unreadable {
        return Err(Error::ContentUnreadable {
            path: format!("{path}:{stream}"),
            reason,
        });
    }
    Ok(Target::File(FileHead {
        volume,
        path: fs_path,
        size_bytes,
        name: format!("{}.{}", entry.name.display(), name.display()),
        stream: Some(name),
        modified: entry.modified,
    }))
}

/// Links are never followed: the user is told where they lead and can go there.
fn why_not_sent(
    readers: &mut Readers,
    volume: u32,
    path: &RequestPath,
    fs_path: &FsPath,
    entry: &Entry,
) -> Result<Option<Error>> {
    let path = path.to_string();
    if let Some(reason) = &entry.unreadable {
        let reason = reason.clone();
        return Ok(Some(Error::ContentUnreadable { path, reason }));
    }
    let what = match entry.kind {
        EntryKind::Symlink => match readers.filesystem(volume)?.read_link(fs_path) {
            Ok(target) => Some(format!("it is a link to {}", target.display())),
            Err(error) => Some(format!("it is a link whose target cannot be read: {error}")),
        },
        _ => why_unreadable(entry),
    };
    Ok(what.map(|what| Error::NotAFile { path, what }))
}

/// The same file of the same backup has the same tag in every mount, so that a download can be
/// resumed after a remount.
fn etag(backup_id: &str, disk_index: u32, head: &FileHead) -> String {
    let modified = head.modified.map(|time| time.to_string());
    let identity = serde_json::json!([
        backup_id,
        disk_index,
        head.volume,
        head.path.to_string(),
        head.stream.as_ref().map(Name::to_path_text),
        head.size_bytes,
        modified
    ]);
    let hash = blake3::hash(identity.to_string().as_bytes()).to_hex();
    format!("\"{}\"", &hash[..32])
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
