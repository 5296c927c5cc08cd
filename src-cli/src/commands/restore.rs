//! `sendense restore`: opening disks, looking around and saving files.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use sendense_core::download::{
    Destination, Existing, SavedArchive, save_file, save_folder, save_stream, save_zip,
};
use sendense_core::{KnownMount, Platform, local_name};
use sendense_types::{
    AppError, BackupId, BackupType, ByteSize, ErrorKind, FileEntry, FileKind, Listing, Mount,
    MountId, Opener, Retry, VmId,
};
use sendense_words as words;
use serde::Serialize;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::Result;
use crate::args::{Format, RestoreCommand, Target};
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
            let destination = destination(&target, &path, &extension.unwrap_or_default());
            let mut line = Line::new(*output, words::downloads::saving(printable(&path)));
            let mount = MountId::new(mount);
            let report = &mut |progress| line.download(&progress);
            let saved = match stream {
                None => save_file(hub, &mount, &path, &destination, report, cancel).await?,
                Some(stream) => {
                    let of = (path.as_str(), stream.as_str());
                    save_stream(hub, &mount, of, &destination, report, cancel).await?
                }
            };
            drop(line);
            let document = json!({
                "path": saved.path,
                "size_bytes": saved.size_bytes,
                "sha256": saved.sha256,
            });
            output.show(&document, || {
                words::terminal::saved(saved.path.display(), ByteSize(saved.size_bytes))
            })
        }
        RestoreCommand::GetDir {
            mount,
            path,
            target,
            format: Format::Zip,
        } => {
            let destination = destination(&target, &path, ".zip");
            let mut line = Line::new(*output, words::downloads::saving(printable(&path)));
            let archive = save_zip(
                hub,
                &MountId::new(mount),
                &path,
                &destination,
                &mut |progress| line.download(&progress),
                cancel,
            )
            .await?;
            drop(line);
            if let Some(error) = &archive.unchecked {
                let problem = words::failures::archive_unchecked(
                    ByteSize(archive.saved.size_bytes),
                    printable(&error.message),
                );
                output::say(words::terminal::warning(problem));
            }
            let SavedArchive {
                saved,
                n_files,
                not_restored,
                ..
            } = archive;
            show_saved(
                output,
                (&saved.path, saved.size_bytes),
                n_files,
                not_restored,
            )
        }
        RestoreCommand::GetDir {
            mount,
            path,
            target,
            format: Format::Files,
        } => {
            let destination = destination(&target, &path, "");
            let mut line = Line::new(*output, words::downloads::saving(printable(&path)));
            let mount = MountId::new(mount);
            let report = &mut |progress| line.download(&progress);
            let saved = save_folder(hub, &mount, &path, &destination, report, cancel).await?;
            drop(line);
            let place = (saved.path.as_path(), saved.size_bytes);
            show_saved(output, place, saved.n_files, saved.problems)
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

/// Says what became of a folder, with a line for each thing that is not in it.
fn show_saved(
    output: &Output,
    (path, size_bytes): (&Path, u64),
    n_files: usize,
    not_restored: Option<String>,
) -> Result<()> {
    if let Some(note) = &not_restored {
        output::say(words::terminal::warning(words::terminal::not_all_restored()));
        note.lines().for_each(|line| output::say(printable(line)));
    }
    let document = json!({
        "path": path,
        "size_bytes": size_bytes,
        "file_count": n_files,
        "not_restored": not_restored,
    });
    output.show(&document, || {
        let size = ByteSize(size_bytes);
        words::terminal::saved_archive(n_files as u64, path.display(), size)
    })
}

/// Where to save: the file that was named, else a file called as on the disk in the folder that was.
fn destination(target: &Target, path: &str, extension: &str) -> Destination {
    let name = match path.trim_end_matches('/').rsplit('/').next() {
        None | Some("") => "disk",
        Some(name) => name,
    };
    let name = local_name(&format!("{name}{extension}"), Platform::current());
    let path = match &target.output {
        Some(folder) if folder.is_dir() => folder.join(name),
        Some(file) => file.clone(),
        None => PathBuf::from(name),
    };
    Destination {
        path,
        existing: if target.force {
            Existing::Replace
        } else {
            Existing::Keep
        },
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
            force: false,
        }
    }

    #[test]
    fn a_file_is_saved_under_its_own_name_unless_one_is_given() {
        let folder = std::env::temp_dir();
        let folder_text = folder.to_str();
        assert_eq!(
            destination(&target(None), "/a/b.txt", "").path,
            PathBuf::from("b.txt")
        );
        assert_eq!(
            destination(&target(Some("x")), "/a/b.txt", "").path,
            PathBuf::from("x")
        );
        assert_eq!(
            destination(&target(folder_text), "/a/b/", ".zip").path,
            folder.join("b.zip")
        );
        assert_eq!(
            destination(&target(None), "/", ".zip").path,
            PathBuf::from("disk.zip")
        );
    }
}
