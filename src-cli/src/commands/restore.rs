//! `sendense restore`: opening disks, looking around and saving files.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use sendense_core::download::{
    Destination, Existing, Saved, SavedFolder, free_name, save_file, save_folder, save_stream,
};
use sendense_core::{HubClient, KnownMount, Platform, local_name};
use sendense_types::{
    AppError, BackupId, BackupType, ByteSize, ErrorKind, FileEntry, FileKind, FolderFormat,
    Listing, MachineDefinition, Mount, MountId, Opener, Retry, VmId,
};
use sendense_words as words;
use serde::Serialize;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{live, serve};
use crate::Result;
use crate::args::{Conflict, RestoreCommand, Target};
use crate::commands::full_restore;
use crate::connection::Connection;
use crate::output::{self, Output, printable};
use crate::progress::Line;

pub(crate) async fn run(
    command: RestoreCommand,
    connection: &Connection,
    output: &Output,
    cancel: &CancellationToken,
) -> Result<()> {
    let (hub, record) = (&connection.client, &connection.mounts);
    match command {
        RestoreCommand::Mount { backup, disk } => {
            let backup = BackupId::new(backup);
            let mount = record.open(hub, &backup, disk, Opener::Terminal).await?;
            let mount = Shown::from(mount);
            output.show(&mount, || opened(&mount))
        }
        RestoreCommand::Mounts => {
            let mounts = record.list(hub, Opener::Terminal).await?.open.into_iter();
            let mounts: Vec<Shown> = mounts.map(Shown::from).collect();
            output.show(&json!({ "mounts": mounts }), || list_mounts(&mounts))
        }
        RestoreCommand::Ls { mount, path } => {
            let mount = MountId::new(mount);
            let listing = hub.list_files(&mount, &path).await?;
            // The window begins where somebody looked last.
            record.note_folders(hub, vec![(mount, path)]).await;
            for sentence in listing.damage.iter().chain(&listing.passed_over) {
                output::say(words::terminal::warning(printable(sentence)));
            }
            output.show(&listing, || list_files(&listing))
        }
        RestoreCommand::Get {
            mount,
            path,
            stream,
            target,
        } => {
            let extension = stream.as_ref().map(|stream| format!(".{stream}"));
            let Some(destination) =
                destination(&target, &path, &extension.unwrap_or_default(), output)?
            else {
                return Ok(());
            };
            let mount = MountId::new(mount);
            let saved = match stream {
                None => get(hub, &mount, &path, &destination, output, cancel).await?,
                Some(stream) => {
                    let mut line = Line::new(*output, words::downloads::saving(printable(&path)));
                    let report = &mut |progress| line.download(&progress);
                    let of = (path.as_str(), stream.as_str());
                    save_stream(hub, &mount, of, &destination, report, cancel).await?
                }
            };
            show_file(output, &saved)
        }
        RestoreCommand::GetDir {
            mount,
            path,
            target,
            format,
        } => {
            let format = format.map_or_else(|| format_of(&target), FolderFormat::from);
            let Some(destination) = destination(&target, &path, format.ending(), output)? else {
                return Ok(());
            };
            let of = (&MountId::new(mount), path.as_str());
            let saved = get_dir(hub, of, format, &destination, output, cancel).await?;
            show_folder(output, &saved)
        }
        RestoreCommand::GetMany {
            mount,
            paths,
            output: folder,
            format,
            on_conflict,
        } => {
            let many = Many {
                mount: MountId::new(mount),
                target: Target {
                    output: Some(folder.unwrap_or_default()),
                    on_conflict,
                    force: false,
                },
                format: format.into(),
            };
            many.get(hub, paths, output, cancel).await
        }
        RestoreCommand::Serve { backup, disk } => {
            serve::run(&BackupId::new(backup), disk, connection, output, cancel).await
        }
        RestoreCommand::Start {
            backup,
            output: folder,
            definition,
        } => live::start(backup, &folder, definition, hub, output).await,
        RestoreCommand::Live => live::list(hub, output).await,
        RestoreCommand::Stop { id, discard } => live::stop(id, discard, hub, output).await,
        RestoreCommand::Disk {
            backup,
            disk,
            target,
        } => {
            let what = (BackupId::new(backup), vec![disk]);
            let definition = MachineDefinition::None;
            full_restore::run(what, &target, definition, connection, output, cancel).await
        }
        RestoreCommand::Vm {
            backup,
            target,
            definition,
        } => {
            let what = (BackupId::new(backup), Vec::new());
            full_restore::run(what, &target, definition.into(), connection, output, cancel).await
        }
        RestoreCommand::Unmount { mount } => {
            let mount = MountId::new(mount);
            // Closing what is closed is no failure; a name that was mistyped is one.
            if !hub
                .mounts()
                .await?
                .iter()
                .any(|open| open.mount_id == mount)
            {
                return Err(AppError::new(
                    ErrorKind::NotFound,
                    words::terminal::no_mount(&mount),
                    Retry::Never,
                )
                .with_hint(words::terminal::list_mounts()));
            }
            record.close(hub, &mount).await?;
            output.show(&json!({ "mount_id": mount }), || {
                words::terminal::mount_closed(&mount)
            })
        }
    }
}

/// Several files and folders that go to one folder.
struct Many {
    mount: MountId,
    target: Target,
    format: FolderFormat,
}

impl Many {
    /// Saves one after another. One that cannot be had does not keep the others from being saved.
    async fn get(
        self,
        hub: &HubClient,
        paths: Vec<String>,
        output: &Output,
        cancel: &CancellationToken,
    ) -> Result<()> {
        if let Some(folder) = self.target.output.as_deref()
            && !folder.as_os_str().is_empty()
            && !folder.is_dir()
        {
            return Err(AppError::new(
                ErrorKind::NotFound,
                words::terminal::no_folder(folder.display()),
                Retry::Never,
            ));
        }
        let n_paths = paths.len() as u64;
        let (mut saved, mut lines, mut failures) = (Vec::new(), Vec::new(), Vec::new());
        for path in paths {
            match self.one(hub, &path, output, cancel).await {
                Ok(None) => {}
                Ok(Some((document, line))) => {
                    saved.push(document);
                    lines.push(line);
                }
                Err(error) if error.kind == ErrorKind::Cancelled => return Err(error),
                Err(error) => {
                    output::say(words::downloads::not_in_archive(
                        printable(&path),
                        printable(&error.message),
                    ));
                    failures.push((path, error));
                }
            }
        }
        let failed = failures
            .iter()
            .map(|(path, error)| json!({ "path": path, "message": error.message }));
        let document = json!({ "saved": saved, "failed": failed.collect::<Vec<_>>() });
        output.show(&document, || lines.join("\n"))?;
        let n_failed = failures.len() as u64;
        match failures.into_iter().next() {
            None => Ok(()),
            Some((_, first)) => {
                let message = words::terminal::some_not_saved(n_failed, n_paths);
                Err(AppError::new(first.kind, message, first.retry))
            }
        }
    }

    /// Saves one; gives what is said of it, to programs and people. Nothing where it is skipped.
    async fn one(
        &self,
        hub: &HubClient,
        path: &str,
        output: &Output,
        cancel: &CancellationToken,
    ) -> Result<Option<(Value, String)>> {
        let is_root = path.trim_matches('/').is_empty();
        let is_folder = is_root || hub.file(&self.mount, path).await?.kind == FileKind::Directory;
        let ending = match is_folder {
            true => self.format.ending(),
            false => "",
        };
        let Some(destination) = destination(&self.target, path, ending, output)? else {
            return Ok(None);
        };
        if is_folder {
            let of = (&self.mount, path);
            let saved = get_dir(hub, of, self.format, &destination, output, cancel).await?;
            return Ok(Some((of_folder(&saved), line_of_folder(&saved))));
        }
        let saved = get(hub, &self.mount, path, &destination, output, cancel).await?;
        Ok(Some((of_file(&saved), line_of_file(&saved))))
    }
}

async fn get(
    hub: &HubClient,
    mount: &MountId,
    path: &str,
    destination: &Destination,
    output: &Output,
    cancel: &CancellationToken,
) -> Result<Saved> {
    let mut line = Line::new(*output, words::downloads::saving(printable(path)));
    let report = &mut |progress| line.download(&progress);
    save_file(hub, mount, path, destination, report, cancel).await
}

/// Saves a folder, and warns of what is not in it.
async fn get_dir(
    hub: &HubClient,
    (mount, path): (&MountId, &str),
    format: FolderFormat,
    destination: &Destination,
    output: &Output,
    cancel: &CancellationToken,
) -> Result<SavedFolder> {
    let mut line = Line::new(*output, words::downloads::saving(printable(path)));
    let report = &mut |progress| line.download(&progress);
    let saved = save_folder(hub, mount, path, format, destination, report, cancel).await?;
    drop(line);
    if let Some(error) = &saved.unchecked {
        let size = ByteSize(saved.size_bytes);
        let problem = words::failures::archive_unchecked(size, printable(&error.message));
        output::say(words::terminal::warning(problem));
    }
    if let Some(problems) = &saved.problems {
        output::say(words::terminal::warning(words::terminal::not_all_restored()));
        problems
            .lines()
            .for_each(|line| output::say(printable(line)));
    }
    Ok(saved)
}

fn of_file(saved: &Saved) -> Value {
    json!({
        "path": saved.path,
        "size_bytes": saved.size_bytes,
        "sha256": saved.sha256,
    })
}

fn of_folder(saved: &SavedFolder) -> Value {
    json!({
        "path": saved.path,
        "size_bytes": saved.size_bytes,
        "file_count": saved.n_files,
        "not_restored": saved.problems,
    })
}

fn show_file(output: &Output, saved: &Saved) -> Result<()> {
    output.show(&of_file(saved), || line_of_file(saved))
}

fn line_of_file(saved: &Saved) -> String {
    words::terminal::saved(saved.path.display(), ByteSize(saved.size_bytes))
}

fn show_folder(output: &Output, saved: &SavedFolder) -> Result<()> {
    output.show(&of_folder(saved), || line_of_folder(saved))
}

fn line_of_folder(saved: &SavedFolder) -> String {
    let size = ByteSize(saved.size_bytes);
    words::terminal::saved_archive(saved.n_files as u64, saved.path.display(), size)
}

/// What the name that was given for a folder says it shall be.
fn format_of(target: &Target) -> FolderFormat {
    let name = target.output.as_deref().and_then(Path::file_name);
    let name = name.unwrap_or_default().to_string_lossy().to_lowercase();
    match name {
        name if name.ends_with(".zip") => FolderFormat::Zip,
        name if name.ends_with(".tar.gz") || name.ends_with(".tgz") => FolderFormat::TarGz,
        _ => FolderFormat::Files,
    }
}

/// Where to save: the file that was named, else a file called as on the disk in the folder that was. Nowhere, if that name
/// is taken and to be skipped, which is said.
fn destination(
    target: &Target,
    path: &str,
    extension: &str,
    output: &Output,
) -> Result<Option<Destination>> {
    let place = place(target, path, extension);
    let is_taken = || place.symlink_metadata().is_ok();
    let (path, existing) = match target.on_conflict {
        _ if target.force => (place, Existing::Replace),
        Conflict::Fail => (place, Existing::Keep),
        Conflict::Replace => (place, Existing::Replace),
        Conflict::KeepBoth => (free_name(&place, &[]), Existing::Keep),
        Conflict::Skip if is_taken() => {
            output.note(words::terminal::skipped(place.display()));
            return Ok(None);
        }
        Conflict::Skip => (place, Existing::Keep),
    };
    Ok(Some(Destination { path, existing }))
}

fn place(target: &Target, path: &str, extension: &str) -> PathBuf {
    let name = match path.trim_end_matches('/').rsplit('/').next() {
        None | Some("") => "disk",
        Some(name) => name,
    };
    let name = local_name(&format!("{name}{extension}"), Platform::current());
    match &target.output {
        Some(folder) if folder.is_dir() => folder.join(name),
        Some(folder) if folder.as_os_str().is_empty() => PathBuf::from(name),
        Some(file) => file.clone(),
        None => PathBuf::from(name),
    }
}

/// A mount as it is printed: what the hub says, then what is known of it here.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    mount: Mount,
    vm_context_id: Option<VmId>,
    vm_name: Option<String>,
    backup_time: Option<Timestamp>,
    backup_type: Option<BackupType>,
    opened_by: Opener,
    folder: Option<String>,
}

impl From<KnownMount> for Shown {
    fn from(mount: KnownMount) -> Self {
        let opened_by = mount.opened_by();
        let known = mount.known;
        Self {
            mount: mount.mount,
            vm_context_id: known.as_ref().and_then(|known| known.vm_id.clone()),
            vm_name: known.as_ref().and_then(|known| known.vm_name.clone()),
            backup_time: known.as_ref().and_then(|known| known.backup_time),
            backup_type: known.as_ref().and_then(|known| known.backup_type),
            opened_by,
            folder: known.map(|known| known.folder),
        }
    }
}

impl Shown {
    /// Its index in the backup; where nobody knows that, the hub's own number of it.
    fn disk(&self) -> Option<String> {
        let number = self.mount.backup_disk_id;
        let index = self.mount.disk_index.map(|index| index.to_string());
        index.or_else(|| number.map(words::mounts::hubs_disk))
    }

    fn backup(&self) -> Option<String> {
        self.mount.backup_id.as_ref().map(ToString::to_string)
    }

    fn opener(&self) -> &'static str {
        match self.opened_by {
            Opener::SomebodyElse => words::terminal::somebody_else(),
            Opener::Window | Opener::Terminal => words::terminal::this_computer(),
        }
    }
}

fn opened(shown: &Shown) -> String {
    let mount = &shown.mount;
    output::sheet(&[
        (words::terminal::mount(), Some(mount.mount_id.to_string())),
        (words::activity::vm(), shown.vm_name.clone()),
        (words::terminal::backup(), shown.backup()),
        (
            words::terminal::taken(),
            shown.backup_time.map(|taken| output::time(Some(taken))),
        ),
        (words::mounts::disk(), shown.disk()),
        (words::terminal::filesystem(), mount.filesystem_type.clone()),
        (
            words::terminal::expires(),
            Some(output::time(mount.expires_at)),
        ),
        (
            words::terminal::opened_by(),
            Some(shown.opener().to_owned()),
        ),
    ])
}

fn list_mounts(mounts: &[Shown]) -> String {
    if mounts.is_empty() {
        return words::terminal::none_mounted().to_owned();
    }
    let rows = mounts.iter().map(|shown| {
        let mount = &shown.mount;
        let vm = shown.vm_name.clone().or_else(|| shown.backup());
        [
            mount.mount_id.to_string(),
            vm.unwrap_or_default(),
            output::time(shown.backup_time),
            shown.disk().unwrap_or_default(),
            mount.filesystem_type.clone().unwrap_or_default(),
            output::time(mount.expires_at),
            shown.opener().to_owned(),
        ]
    });
    output::table(
        [
            words::terminal::mount(),
            words::activity::vm(),
            words::terminal::taken(),
            words::mounts::disk(),
            words::terminal::filesystem(),
            words::terminal::expires(),
            words::terminal::opened_by(),
        ],
        &[],
        rows,
    )
}

fn list_files(listing: &Listing) -> String {
    if listing.files.is_empty() {
        return match listing.damage.is_empty() {
            true => words::terminal::folder_empty().to_owned(),
            false => words::terminal::nothing_shown().to_owned(),
        };
    }
    let rows = listing.files.iter().map(|file| {
        [
            output::time(file.modified_time),
            output::size(file.size),
            shown_name(file),
            remark(file),
        ]
    });
    output::table(
        [
            words::browser::modified(),
            words::common::size(),
            words::common::name(),
            "",
        ],
        &[1],
        rows,
    )
}

/// Folders end with a slash. Where a name is for the eye only, the path says what to ask for.
fn shown_name(file: &FileEntry) -> String {
    let slash = if file.kind == FileKind::Directory {
        "/"
    } else {
        ""
    };
    if file.path.rsplit('/').next() == Some(file.name.as_str()) {
        format!("{}{slash}", file.name)
    } else {
        format!("{}{slash}  {}", file.path, file.name)
    }
}

fn remark(file: &FileEntry) -> String {
    let mut remarks: Vec<String> = match (&file.unreadable, &file.symlink_target, file.is_symlink) {
        (Some(reason), _, _) => vec![reason.clone()],
        (None, Some(target), _) => vec![format!("-> {target}")],
        (None, None, true) => vec![words::terminal::link().to_owned()],
        (None, None, false) => Vec::new(),
    };
    remarks.extend(
        file.streams
            .iter()
            .map(|stream| words::terminal::stream(&stream.name, output::size(stream.size))),
    );
    remarks.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(output: Option<&str>) -> Target {
        Target {
            output: output.map(PathBuf::from),
            on_conflict: Conflict::Fail,
            force: false,
        }
    }

    #[test]
    fn a_file_is_saved_under_its_own_name_unless_one_is_given() {
        let folder = std::env::temp_dir();
        let folder_text = folder.to_str();
        assert_eq!(place(&target(None), "/a/b.txt", ""), PathBuf::from("b.txt"));
        assert_eq!(
            place(&target(Some("x")), "/a/b.txt", ""),
            PathBuf::from("x")
        );
        assert_eq!(
            place(&target(folder_text), "/a/b/", ".zip"),
            folder.join("b.zip")
        );
        assert_eq!(place(&target(None), "/", ".zip"), PathBuf::from("disk.zip"));
    }

    #[test]
    fn the_ending_of_the_output_says_what_a_folder_becomes() {
        let format = |output| format_of(&target(output));
        assert_eq!(format(Some("a/b.ZIP")), FolderFormat::Zip);
        assert_eq!(format(Some("b.tar.gz")), FolderFormat::TarGz);
        assert_eq!(format(Some("b.tgz")), FolderFormat::TarGz);
        assert_eq!(format(Some("zip")), FolderFormat::Files);
        assert_eq!(format(None), FolderFormat::Files);
    }
}
