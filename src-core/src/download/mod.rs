//! Saving files and folders of a mount onto this computer.
//!
//! A file under the wanted name is complete: everything arrives under `NAME.part`, is checked, written
//! through to the disk and only then renamed. A download that fails or is stopped leaves nothing behind, unless it is a
//! file that its hub can send the rest of later. Memory does not grow with the size of a file; for an archive it grows with
//! the number of files in it.

mod archive;
mod arrival;
mod contents;
mod measure;
mod one_by_one;
mod part;
mod plain;
mod queue;
mod record;
mod steps;
mod tar;
mod zip;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytes::Bytes;
use sendense_types::{
    AppError, ByteSize, DownloadProgress, ErrorKind, FileKind, FolderFormat, MountId, Retry,
};
use sendense_words as words;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use self::arrival::{Arrival, Origin};
pub use self::measure::free_name;
use self::part::PartFile;
pub use self::queue::{Downloads, NewDownload, name_for};
pub use self::record::DownloadRecord;
use self::steps::ArchiveFormat;
use crate::hub::{Body, normal_path, why_not_a_file};
use crate::speed::Speed;
use crate::{HubClient, Result};

/// At most ten reports a second, and the last one always.
const REPORT_EVERY: Duration = Duration::from_millis(100);
/// Pieces on their way from the network to the disk: enough for both to be busy, little memory.
const PIECES_IN_FLIGHT: usize = 16;
/// Seconds before each try to go on with a file that broke off. The first is made at once: if it was a damaged place, and
/// not the connection, the hub says so then. They begin anew whenever something has arrived.
const PAUSES: [u64; 8] = [0, 1, 2, 4, 8, 15, 15, 15];

/// What to do when the wanted name is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Existing {
    /// Leave it as it is, and fail.
    #[default]
    Keep,
    /// Replace it once the new one is complete.
    Replace,
}

/// Where something is saved.
#[derive(Clone, Debug)]
pub struct Destination {
    /// The file to write.
    pub path: PathBuf,
    /// What to do when it is there.
    pub existing: Existing,
}

/// What was saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    /// The file that was written.
    pub path: PathBuf,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// Of a file, its SHA-256 in hexadecimal digits, of the bytes as they arrived.
    pub sha256: Option<String>,
}

/// A folder that was saved.
#[derive(Clone, Debug, PartialEq)]
pub struct SavedFolder {
    /// The folder, or the archive that was made of it.
    pub path: PathBuf,
    /// Bytes in its files, or of the archive.
    pub size_bytes: u64,
    /// Files in it.
    pub n_files: usize,
    /// What is not in it, or not as it was: in the words of the hub that left it out, and in ours for the rest.
    pub problems: Option<String>,
    /// Of a folder as it is, the files that could not be had, and may be asked for again.
    pub failed: Vec<FailedFile>,
    /// Why it is not known whether everything is in the archive and whole: the hub could not list the folder, or not
    /// all of it.
    pub unchecked: Option<AppError>,
}

/// A file of a folder that could not be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedFile {
    /// Its path on the mount.
    pub path: String,
    /// Its place within the folder on this computer.
    pub inside: PathBuf,
}

/// Saves something that is made here, as whole and as careful with names as a download.
///
/// # Errors
/// `Conflict` when the name is taken and to be kept; when the file cannot be written. Nothing is left then.
pub(crate) fn save_made(
    destination: &Destination,
    make: impl FnOnce(&File) -> io::Result<()>,
) -> Result<()> {
    let mut part = PartFile::create(destination)?;
    part.fill(make)?;
    part.keep(None)
}

/// Saves one file.
///
/// `report` is called at most ten times a second and once at the end. Where the hub can send the rest of a file, one that
/// breaks off is gone on with, for a minute without news at most; what has arrived by then stays for the next time that it
/// is saved under that name.
///
/// # Errors
/// `Invalid` for a folder, `Unsupported` for links and what cannot be read, `Conflict` when the name
/// is taken, `Full` without room, `Cut` when the connection breaks or less arrives than was announced, `Expired` when it
/// would take longer than the mount lasts, `Cancelled` after `cancel`.
pub async fn save_file(
    hub: &HubClient,
    mount_id: &MountId,
    path: &str,
    destination: &Destination,
    report: &mut (dyn FnMut(DownloadProgress) + Send),
    cancel: &CancellationToken,
) -> Result<Saved> {
    let path = normal_path(path)?;
    // A hub answers a folder with an archive (contract D50), so what it is has to be known before.
    let entry = unless_cancelled(hub.file(mount_id, &path), cancel).await?;
    if let Some(why) = why_not_a_file(&entry) {
        return Err(why);
    }
    let content = Content {
        hub,
        mount_id,
        path: &path,
        stream: None,
        size: entry.size,
        modified: entry.modified_time,
    };
    content.save(destination, report, cancel).await
}

/// Saves an alternate data stream of a file or folder as a file.
///
/// # Errors
/// As [`save_file`]; `NotFound` where the file has no stream of that name.
pub async fn save_stream(
    hub: &HubClient,
    mount_id: &MountId,
    (path, stream): (&str, &str),
    destination: &Destination,
    report: &mut (dyn FnMut(DownloadProgress) + Send),
    cancel: &CancellationToken,
) -> Result<Saved> {
    let path = normal_path(path)?;
    let entry = unless_cancelled(hub.file(mount_id, &path), cancel).await?;
    // A hub that knows no streams would answer with the file itself.
    let Some(found) = entry.streams.iter().find(|it| it.name == stream) else {
        return Err(AppError::new(
            ErrorKind::NotFound,
            words::failures::no_stream(&path, stream),
            Retry::Never,
        ));
    };
    if let Some(reason) = &found.unreadable {
        return Err(AppError::new(
            ErrorKind::Unsupported,
            words::failures::stream_unreadable(&path, stream, reason),
            Retry::Never,
        ));
    }
    let content = Content {
        hub,
        mount_id,
        path: &path,
        stream: Some(stream),
        size: found.size,
        modified: entry.modified_time,
    };
    content.save(destination, report, cancel).await
}

/// The content of a file, or of one of its streams.
#[derive(Clone, Copy)]
struct Content<'c> {
    hub: &'c HubClient,
    mount_id: &'c MountId,
    path: &'c str,
    stream: Option<&'c str>,
    /// Its size in bytes and its time, as its folder says.
    size: Option<u64>,
    modified: Option<jiff::Timestamp>,
}

impl Content<'_> {
    async fn save(
        self,
        destination: &Destination,
        report: &mut (dyn FnMut(DownloadProgress) + Send),
        cancel: &CancellationToken,
    ) -> Result<Saved> {
        let size_bytes = self.size.unwrap_or_default();
        self.hub.refuse_too_large(size_bytes)?;
        self.hub.refuse_too_late(size_bytes)?;
        let destination = destination.clone();
        let origin = Origin {
            path: self.path.to_owned(),
            stream: self.stream.map(str::to_owned),
            size_bytes: self.size,
        };
        let arrival = blocking(move || Arrival::begin(&destination, origin)).await?;
        let arrival = self.receive(arrival, report, cancel).await?;
        let modified = self.modified;
        blocking(move || arrival.keep(modified)).await
    }

    /// Receives it to its announced end, and no byte less than its folder says.
    async fn receive(
        self,
        mut arrival: Arrival,
        report: &mut (dyn FnMut(DownloadProgress) + Send),
        cancel: &CancellationToken,
    ) -> Result<Arrival> {
        let mut progress = Progress::new(self.size);
        // Whoever asks for what cannot be had is told at once.
        let mut pauses = [].iter();
        while !(arrival.received_bytes() > 0 && arrival.is_whole()) {
            let before = arrival.received_bytes();
            let ended;
            (arrival, ended) = self.once(arrival, &mut progress, report, cancel).await?;
            let Err(error) = ended else { break };
            if arrival.received_bytes() > before {
                pauses = PAUSES.iter();
            }
            let goes_on = arrival.rest().is_some() && is_of_the_connection(&error);
            let Some(pause) = pauses.next().filter(|_| goes_on) else {
                return Err(self::leave(arrival, error).await);
            };
            tracing::info!(%error, bytes = arrival.received_bytes(), "a download is gone on with");
            let pausing = async {
                tokio::time::sleep(Duration::from_secs(*pause)).await;
                Ok(())
            };
            if let Err(stopped) = unless_cancelled(pausing, cancel).await {
                return Err(self::leave(arrival, stopped).await);
            }
        }
        Ok(arrival)
    }

    /// Receives what is still wanted of it, and says why it ended early, if it did.
    ///
    /// # Errors
    /// What leaves nothing to go on with.
    async fn once(
        self,
        mut arrival: Arrival,
        progress: &mut Progress,
        report: &mut (dyn FnMut(DownloadProgress) + Send),
        cancel: &CancellationToken,
    ) -> Result<(Arrival, Result<()>)> {
        let opened = self
            .hub
            .open_file(self.mount_id, self.path, self.stream, arrival.rest());
        let opened = unless_cancelled(opened, cancel).await;
        let (begins_at, body) = match opened.and_then(|body| Ok((body.begins_at()?, body))) {
            Ok(opened) => opened,
            Err(error) => return Ok((arrival, Err(error))),
        };
        if begins_at != arrival.received_bytes() {
            // It is another file by now. Of which a hub sends all of it, or what nobody asked for.
            tracing::info!(
                begins_at,
                "a download begins anew, because the file has changed"
            );
            arrival.restart()?;
            if begins_at > 0 {
                return Err(incomplete(0, begins_at));
            }
        }
        arrival.is_called(body.validator());
        let announced = body.length().map(|length| length.saturating_add(begins_at));
        progress.begin_at(begins_at, announced.or(self.size));
        let (mut arrival, ended) = receive(body, arrival, progress, report, cancel).await?;
        let received = arrival.received_bytes();
        let expected = [announced, self.size].into_iter().flatten();
        for expected in expected {
            if received > expected {
                // Whatever it is, it is not the file.
                arrival.is_called(None);
            }
            if ended.is_ok() && received != expected {
                return Ok((arrival, Err(incomplete(received, expected))));
            }
        }
        Ok((arrival, ended))
    }
}

/// Whether another try may get past a failure: neither the file nor the hub is at fault.
fn is_of_the_connection(error: &AppError) -> bool {
    match error.kind {
        ErrorKind::Cut => error.retry != Retry::Never,
        ErrorKind::Offline => true,
        _ => false,
    }
}

/// What is left of a file that failed for a while stays here, and the failure says so.
async fn leave(arrival: Arrival, error: AppError) -> AppError {
    let may_pass = is_of_the_connection(&error)
        || matches!(
            error.kind,
            ErrorKind::Cancelled
                | ErrorKind::Expired
                | ErrorKind::Unauthorized
                | ErrorKind::Untrusted
                | ErrorKind::Internal
        );
    if !may_pass {
        return error;
    }
    match blocking(move || Ok(arrival.leave())).await {
        Ok(Some(bytes)) => error.with_hint(words::failures::beginning_kept(ByteSize(bytes))),
        _ => error,
    }
}

/// Saves a folder, as it is or as an archive.
///
/// Of a folder as it is, what has been saved by the time that this ends early stays in `NAME.part`, and is gone on with when
/// the same folder is saved under that name again.
///
/// # Errors
/// `Invalid` for a file, `Conflict` when the name is taken, `Full` without room for all of it, `Cancelled` after `cancel`,
/// `Cut` when an archive is damaged or files are missing in it; what ends all of it, as a hub or a mount that is gone. Where
/// not one file could be had, why the first could not.
pub async fn save_folder(
    hub: &HubClient,
    mount_id: &MountId,
    path: &str,
    format: FolderFormat,
    destination: &Destination,
    report: &mut (dyn FnMut(DownloadProgress) + Send),
    cancel: &CancellationToken,
) -> Result<SavedFolder> {
    let format = match format {
        FolderFormat::Files => {
            return plain::save(hub, mount_id, path, destination, report, cancel).await;
        }
        FolderFormat::Zip => ArchiveFormat::Zip,
        FolderFormat::TarGz => ArchiveFormat::TarGz,
    };
    archive::save(hub, mount_id, path, format, destination, report, cancel).await
}

/// Refuses what is no folder; the root always is one.
async fn require_folder(
    hub: &HubClient,
    mount_id: &MountId,
    path: &str,
    cancel: &CancellationToken,
) -> Result<()> {
    if path == "/" {
        return Ok(());
    }
    let entry = unless_cancelled(hub.file(mount_id, path), cancel).await?;
    match entry.kind {
        FileKind::Directory => Ok(()),
        _ => Err(AppError::new(
            ErrorKind::Invalid,
            words::failures::is_a_file(path),
            Retry::Never,
        )
        .with_hint(words::failures::save_as_file())),
    }
}

/// What takes in what arrives.
trait Sink: Send + 'static {
    /// Appends.
    fn write(&mut self, bytes: &[u8]) -> Result<()>;
}

/// Writes a body into a file; reading and writing go on at the same time. Says why the body ended early, if it did.
///
/// # Errors
/// When it cannot be written.
async fn receive<S: Sink>(
    mut body: Body,
    mut sink: S,
    progress: &mut Progress,
    report: &mut (dyn FnMut(DownloadProgress) + Send),
    cancel: &CancellationToken,
) -> Result<(S, Result<()>)> {
    let (pieces, mut arriving) = mpsc::channel::<Bytes>(PIECES_IN_FLIGHT);
    let writer = tokio::task::spawn_blocking(move || {
        while let Some(piece) = arriving.blocking_recv() {
            sink.write(&piece)?;
        }
        Ok(sink)
    });
    let ended = loop {
        let piece = tokio::select! {
            biased;
            () = cancel.cancelled() => break Err(cancelled()),
            piece = body.next() => piece,
        };
        match piece {
            Err(error) => break Err(error),
            Ok(None) => break Ok(()),
            Ok(Some(piece)) => {
                let length = piece.len() as u64;
                // The writer only ends early when it failed; its own error says why.
                if pieces.send(piece).await.is_err() {
                    break Ok(());
                }
                progress.add(length, report);
            }
        }
    };
    drop(pieces);
    let written: Result<S> = writer.await.map_err(|died| stopped(&died))?;
    let sink = written?;
    if ended.is_ok() {
        report(progress.now());
    }
    Ok((sink, ended))
}

/// Gives a complete file its name.
async fn keep(part: PartFile, modified: Option<jiff::Timestamp>) -> Result<()> {
    blocking(move || part.keep(modified)).await
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|died| stopped(&died))?
}

async fn unless_cancelled<T>(
    work: impl Future<Output = Result<T>>,
    cancel: &CancellationToken,
) -> Result<T> {
    tokio::select! {
        biased;
        () = cancel.cancelled() => Err(cancelled()),
        outcome = work => outcome,
    }
}

/// How far one download is.
struct Progress {
    received_bytes: u64,
    total_bytes: Option<u64>,
    speed: Speed,
    reported: Option<Instant>,
}

impl Progress {
    fn new(total_bytes: Option<u64>) -> Self {
        Self {
            received_bytes: 0,
            total_bytes,
            speed: Speed::default(),
            reported: None,
        }
    }

    /// So much is here, and the rest begins to arrive.
    fn begin_at(&mut self, received_bytes: u64, total_bytes: Option<u64>) {
        self.received_bytes = received_bytes;
        self.total_bytes = total_bytes;
        self.speed = Speed::default();
    }

    fn add(&mut self, bytes: u64, report: &mut (dyn FnMut(DownloadProgress) + Send)) {
        self.received_bytes += bytes;
        let now = Instant::now();
        if self
            .reported
            .is_none_or(|last| now.duration_since(last) >= REPORT_EVERY)
        {
            self.reported = Some(now);
            self.speed.sample(now, self.received_bytes);
            report(self.now());
        }
    }

    fn now(&self) -> DownloadProgress {
        DownloadProgress {
            received_bytes: self.received_bytes,
            total_bytes: self.total_bytes,
            speed_bps: self.speed.bytes_per_second(),
            eta_seconds: self
                .total_bytes
                .and_then(|total_bytes| self.speed.seconds_left(total_bytes)),
        }
    }
}

fn incomplete(received: u64, expected: u64) -> AppError {
    AppError::new(
        ErrorKind::Cut,
        words::failures::incomplete(received, expected),
        Retry::Manual,
    )
    .with_hint(words::failures::not_kept())
}

fn cancelled() -> AppError {
    AppError::new(
        ErrorKind::Cancelled,
        words::failures::download_cancelled(),
        Retry::Manual,
    )
    .with_hint(words::failures::nothing_kept())
}

fn stopped(died: &tokio::task::JoinError) -> AppError {
    AppError::new(
        ErrorKind::Internal,
        words::failures::download_died(),
        Retry::Manual,
    )
    .with_details(died.to_string())
}

/// A failure to write to this computer.
fn local_failure(path: &Path, error: &std::io::Error) -> AppError {
    use std::io::ErrorKind as Io;
    let shown = path.display();
    let (kind, message, hint) = match error.kind() {
        Io::StorageFull | Io::QuotaExceeded => (
            ErrorKind::Full,
            words::failures::disk_full(shown),
            words::failures::disk_full_hint(),
        ),
        Io::FileTooLarge => (
            ErrorKind::Full,
            words::failures::file_too_large(shown),
            words::failures::save_to_another_disk(),
        ),
        Io::NotFound => (
            ErrorKind::NotFound,
            words::failures::no_folder_for(shown),
            words::failures::create_folder(),
        ),
        Io::PermissionDenied | Io::ReadOnlyFilesystem => (
            ErrorKind::Forbidden,
            words::failures::write_forbidden(shown),
            words::failures::save_elsewhere(),
        ),
        _ => (
            ErrorKind::Internal,
            words::failures::not_written(shown),
            words::failures::save_elsewhere_nothing_kept(),
        ),
    };
    AppError::new(kind, message, Retry::Manual)
        .with_hint(hint)
        .with_details(error.to_string())
}

#[cfg(test)]
mod tests;
