//! A folder of a mount as one archive on this computer.
//!
//! Deployed hubs end an archive as if it were whole after an error (contract H15). So it is read through, and its names and
//! sizes are compared with a listing taken before. What they put in the place of links is not the user's: it is taken out
//! again, and named. Where a hub ends the archive itself (H1) or never begins it (H17), the files of that listing are asked
//! for one by one.

use sendense_types::{AppError, DownloadProgress, ErrorKind, MountId, Retry};
use sendense_words as words;
use tokio_util::sync::CancellationToken;

use super::contents::{Contents, expected};
use super::one_by_one::Tree;
use super::part::PartFile;
use super::steps::ArchiveFormat;
use super::{
    Destination, Progress, SavedFolder, blocking, incomplete, keep, receive, require_folder, tar,
    unless_cancelled, zip,
};
use crate::hub::{Body, normal_path};
use crate::{HubClient, Result};

/// Saves a folder as an archive.
///
/// # Errors
/// As [`save_folder`](super::save_folder).
pub(super) async fn save(
    hub: &HubClient,
    mount_id: &MountId,
    path: &str,
    format: ArchiveFormat,
    destination: &Destination,
    report: &mut (dyn FnMut(DownloadProgress) + Send),
    cancel: &CancellationToken,
) -> Result<SavedFolder> {
    let path = normal_path(path)?;
    require_folder(hub, mount_id, &path, cancel).await?;
    let part = PartFile::create(destination)?;
    let listed = unless_cancelled(hub.list_tree(mount_id, &path), cancel).await;
    let listing = match listed {
        Err(error) if error.kind == ErrorKind::Cancelled => return Err(error),
        listed => listed,
    };
    let tree = listing.as_ref().ok().map(|listing| Tree {
        hub,
        mount_id,
        path: &path,
        listing,
    });
    if let Some(tree) = tree {
        hub.refuse_too_late(tree.size_bytes())?;
    }
    let goes_one_by_one = |tree: &Tree<'_>| {
        hub.refuse_too_large(tree.size_bytes()).is_err()
            || (format == ArchiveFormat::TarGz && tree.has_links_without_target())
    };
    let (part, tree) = match tree.filter(goes_one_by_one) {
        Some(tree) => (part, tree),
        None => {
            let name = match format {
                ArchiveFormat::Zip => "zip",
                ArchiveFormat::TarGz => "tar.gz",
            };
            let asked = hub.open_archive(mount_id, &path, name);
            let (error, tree) = match stream(asked, part, format, tree, report, cancel).await {
                Ok((part, contents)) => {
                    let unchecked = listing.err().or_else(|| unlisted(&contents));
                    let left_out = not_restored(&contents);
                    return archive(part, contents.n_files, left_out, unchecked).await;
                }
                Err(NotStreamed { error, by_hub }) => (error, tree.filter(|_| by_hub)),
            };
            let Some(tree) = tree else { return Err(error) };
            tracing::info!(%error, "the files of a folder are asked for one by one");
            (PartFile::create(destination)?, tree)
        }
    };
    let (part, outcome) = tree.save(part, format, report, cancel).await?;
    archive(part, outcome.n_files, outcome.problems, None).await
}

/// Why an archive did not arrive.
struct NotStreamed {
    error: AppError,
    /// The hub ended it, or never began: it would do so again.
    by_hub: bool,
}

impl From<AppError> for NotStreamed {
    fn from(error: AppError) -> Self {
        Self {
            error,
            by_hub: false,
        }
    }
}

/// Receives an archive, compares it with the listing, and leaves out what is not the user's.
async fn stream(
    asked: impl Future<Output = Result<Body>>,
    part: PartFile,
    format: ArchiveFormat,
    tree: Option<Tree<'_>>,
    report: &mut (dyn FnMut(DownloadProgress) + Send),
    cancel: &CancellationToken,
) -> std::result::Result<(PartFile, Contents), NotStreamed> {
    let expected = tree.map(|tree| expected(tree.path, &tree.listing.files));
    let mut progress = Progress::new(None);
    let arrived = async {
        let body = unless_cancelled(asked, cancel).await?;
        let announced = body.length();
        progress.total_bytes = announced;
        let (part, ended) = receive(body, part, &mut progress, report, cancel).await?;
        ended.map(|()| (part, announced))
    };
    let arrived: Result<(PartFile, Option<u64>)> = arrived.await;
    let received = progress.received_bytes;
    let (part, announced) = arrived.map_err(|error| NotStreamed {
        // A connection that breaks in the middle is another matter.
        by_hub: error.kind == ErrorKind::Cut && (error.retry == Retry::Never || received == 0),
        error,
    })?;
    if let Some(expected) = announced.filter(|expected| received != *expected) {
        return Err(incomplete(received, expected).into());
    }
    let read = blocking(move || {
        let mut part = part;
        let contents = match format {
            ArchiveFormat::Zip => zip::read_through(part.file(), expected.as_ref())?,
            ArchiveFormat::TarGz => tar::read_through(part.file(), expected.as_ref())?,
        };
        if !contents.foreign.is_empty() && format == ArchiveFormat::Zip {
            part.replace(|file, folder| zip::without(file, &contents.foreign, folder))?;
        }
        Ok((part, contents))
    });
    let (part, contents) = read.await?;
    match contents.foreign.values().next() {
        // Nothing is taken out of these again.
        Some(path) if format == ArchiveFormat::TarGz => Err(NotStreamed {
            error: foreign_link(path),
            by_hub: true,
        }),
        _ => Ok((part, contents)),
    }
}

/// Keeps a complete archive.
async fn archive(
    part: PartFile,
    n_files: usize,
    not_restored: Option<String>,
    unchecked: Option<AppError>,
) -> Result<SavedFolder> {
    let (path, size_bytes) = (part.wanted().to_path_buf(), part.size()?);
    keep(part, None).await?;
    Ok(SavedFolder {
        path,
        size_bytes,
        n_files,
        problems: not_restored,
        failed: Vec::new(),
        unchecked,
    })
}

fn foreign_link(path: &str) -> AppError {
    AppError::new(
        ErrorKind::Cut,
        words::downloads::foreign_link(format_args!("/{path}")),
        Retry::Never,
    )
}

/// What the hub says it left out, and what was left out here.
fn not_restored(contents: &Contents) -> Option<String> {
    let links = contents
        .foreign
        .values()
        .map(|path| words::downloads::foreign_link(format_args!("/{path}")));
    let lines: Vec<String> = contents.note.iter().cloned().chain(links).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// What nothing could be compared with.
fn unlisted(contents: &Contents) -> Option<AppError> {
    let example = contents.unlisted.first()?;
    let n_files = contents.unlisted.len() as u64;
    let message = words::failures::files_not_listed(n_files, example);
    Some(AppError::new(ErrorKind::Cut, message, Retry::Manual))
}
