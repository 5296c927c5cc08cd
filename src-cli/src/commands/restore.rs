//! `sendense restore`: opening disks, looking around and saving files.

use std::path::PathBuf;

use sendense_core::download::{Destination, Existing, save_file, save_stream, save_zip};
use sendense_core::{Platform, local_name};
use sendense_types::{
    AppError, BackupId, ByteSize, ErrorKind, FileEntry, FileKind, Listing, Mount, MountId, Retry,
};
use sendense_words as words;
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
    let hub = &connection.client;
    match command {
        RestoreCommand::Mount { backup, disk } => {
            let mount = hub.mount(&BackupId::new(backup), disk).await?;
            output.show(&mount, || opened(&mount))
        }
        RestoreCommand::Mounts => {
            let mounts = hub.mounts().await?;
            output.show(&json!({ "mounts": mounts }), || list_mounts(&mounts))
        }
        RestoreCommand::Ls { mount, path } => {
            let listing = hub.list_files(&MountId::new(mount), &path).await?;
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
            let document = json!({ "path": saved.path, "size_bytes": saved.size_bytes });
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
            if let Some(note) = &archive.not_restored {
                output::say(words::terminal::warning(words::terminal::not_all_restored()));
                note.lines().for_each(|line| output::say(printable(line)));
            }
            let saved = &archive.saved;
            let document = json!({
                "path": saved.path,
                "size_bytes": saved.size_bytes,
                "file_count": archive.n_files,
                "not_restored": archive.not_restored,
            });
            output.show(&document, || {
                words::terminal::saved_archive(
                    archive.n_files as u64,
                    saved.path.display(),
                    ByteSize(saved.size_bytes),
                )
            })
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
            hub.unmount(&mount).await?;
            output.show(&json!({ "mount_id": mount }), || {
                words::terminal::mount_closed(&mount)
            })
        }
    }
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

fn opened(mount: &Mount) -> String {
    output::sheet(&[
        (words::terminal::mount(), Some(mount.mount_id.to_string())),
        (
            words::terminal::backup(),
            mount.backup_id.as_ref().map(ToString::to_string),
        ),
        (
            words::mounts::disk(),
            mount.disk_index.map(|index| index.to_string()),
        ),
        (words::terminal::filesystem(), mount.filesystem_type.clone()),
        (
            words::terminal::expires(),
            Some(output::time(mount.expires_at)),
        ),
    ])
}

fn list_mounts(mounts: &[Mount]) -> String {
    if mounts.is_empty() {
        return words::terminal::none_mounted().to_owned();
    }
    let rows = mounts.iter().map(|mount| {
        [
            mount.mount_id.to_string(),
            mount
                .backup_id
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
            mount
                .disk_index
                .map_or_else(String::new, |index| index.to_string()),
            mount.filesystem_type.clone().unwrap_or_default(),
            output::time(mount.expires_at),
        ]
    });
    output::table(
        [
            words::terminal::mount(),
            words::terminal::backup(),
            words::mounts::disk(),
            words::terminal::filesystem(),
            words::terminal::expires(),
        ],
        &[2],
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
