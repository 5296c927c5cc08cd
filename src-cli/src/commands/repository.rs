//! `sendense repository` and `sendense hub rescan`: where backups are kept.

use std::path::Path;

use secrecy::ExposeSecret;
use sendense_core::HubClient;
use sendense_types::{
    AppError, BackupCopy, BackupId, ErrorKind, Mounting, Repository, RepositoryPlace,
    RepositoryProblem, RepositoryTest, Rescan, Retry, Secret, Tried,
};
use sendense_words as words;
use serde_json::json;

use super::backup::choose_repository;
use crate::args::{PlaceOptions, RepositoryCommand};
use crate::connection::{Connection, absolute};
use crate::output::{self, Output, printable};
use crate::progress::Line;
use crate::{Result, secrets};

pub(crate) async fn run(
    command: RepositoryCommand,
    connection: &Connection,
    output: &Output,
) -> Result<()> {
    let hub = &connection.client;
    match command {
        RepositoryCommand::List => {
            let repositories = hub.repositories().await?;
            output.show(&json!({ "repositories": repositories }), || {
                list(&repositories)
            })
        }
        RepositoryCommand::Add { name, place } => add(&name, &place, hub, output).await,
        RepositoryCommand::Test {
            repository: Some(repository),
            ..
        } => {
            let known = choose_repository(hub, Some(&repository)).await?;
            let test = hub.test_known_repository(&known.id).await?;
            if let Some(why) = test.message.as_ref().filter(|_| !test.is_usable) {
                let name = printable(&known.name);
                let message = words::terminal::repository_broken(name, printable(why));
                return Err(AppError::new(ErrorKind::Invalid, message, Retry::Manual));
            }
            tested(&test, &known.name, output)
        }
        RepositoryCommand::Test { place, .. } => {
            let place = place_of(&place, hub, output)?;
            let test = hub.test_repository(&place).await?;
            tested(&test, &called(&place), output)
        }
        RepositoryCommand::Delete { repository } => {
            let doomed = choose_repository(hub, Some(&repository)).await?;
            hub.delete_repository(&doomed.id).await?;
            output.show(&json!({ "id": doomed.id }), || {
                let name = printable(&doomed.name);
                match doomed.share {
                    None => words::terminal::repository_removed(name),
                    Some(_) => words::terminal::repository_given_up(name),
                }
            })
        }
        RepositoryCommand::Copy { backup, to } => {
            let target = choose_repository(hub, Some(&to)).await?;
            let copy = {
                let label = words::terminal::copying_to(printable(&target.name));
                let mut line = Line::new(*output, label);
                let id = BackupId::new(backup);
                hub.copy_backup(&id, &target.id, &mut |copy| {
                    line.percent(copy.progress_percent);
                })
                .await?
            };
            output.show(&copy, || copied(&copy, &target))
        }
        RepositoryCommand::CancelCopy { backup, to } => {
            let target = choose_repository(hub, Some(&to)).await?;
            let id = BackupId::new(backup);
            hub.cancel_copy(&id, &target.id).await?;
            let ended = json!({ "backup_id": id, "repository_id": target.id });
            output.show(&ended, || {
                words::terminal::cancelling_copy(printable(&target.name))
            })
        }
    }
}

async fn add(name: &str, place: &PlaceOptions, hub: &HubClient, output: &Output) -> Result<()> {
    let place = place_of(place, hub, output)?;
    let created = hub.create_repository(name, &place).await?;
    if created.share.is_some() && created.total_bytes.is_none() {
        // The hub mounts a share to say how much room is in it, and says nothing where that fails.
        output.note(words::terminal::repository_not_reached(&created.id));
    }
    output.show(&created, || {
        words::terminal::repository_added(printable(name), &created.id)
    })
}

/// The place that the options name. Asks for the password of a share.
fn place_of(options: &PlaceOptions, hub: &HubClient, output: &Output) -> Result<RepositoryPlace> {
    let mounting = Mounting {
        point: options.mount_point.clone().unwrap_or_default(),
        options: options.mount_options.clone().unwrap_or_default(),
    };
    if let Some(share) = &options.nfs {
        let (server, export_path) = nfs_share(share)
            .ok_or_else(|| bad_share(share).with_hint(words::terminal::nfs_form()))?;
        return Ok(RepositoryPlace::Nfs {
            server,
            export_path,
            mounting,
        });
    }
    if let Some(share) = &options.cifs {
        let (server, share_name) = cifs_share(share)
            .ok_or_else(|| bad_share(share).with_hint(words::terminal::cifs_form()))?;
        let username = options.share_user.clone().unwrap_or_default();
        if hub.is_readable_on_the_way() {
            output.note(words::repositories::password_unencrypted());
        }
        let from_stdin = options.share_password_stdin;
        let password = secrets::share_password(&username, share, from_stdin)?;
        return Ok(RepositoryPlace::Cifs {
            server,
            share_name,
            username,
            password: Secret::new(password.expose_secret()),
            domain: options.share_domain.clone().unwrap_or_default(),
            mounting,
        });
    }
    let dir = options.dir.clone().unwrap_or_default();
    Ok(RepositoryPlace::folder(text(&dir, hub)?))
}

/// `SERVER:/EXPORT`; the server may be an IPv6 address in brackets.
fn nfs_share(text: &str) -> Option<(String, String)> {
    let (server, export) = text.split_once(":/")?;
    (!server.is_empty()).then(|| (server.to_owned(), format!("/{export}")))
}

/// `//SERVER/SHARE`, also with the slashes of Windows.
fn cifs_share(text: &str) -> Option<(String, String)> {
    let text = text.replace('\\', "/");
    let (server, share) = text.strip_prefix("//")?.split_once('/')?;
    let share = share.trim_end_matches('/');
    (!server.is_empty() && !share.is_empty()).then(|| (server.to_owned(), share.to_owned()))
}

fn bad_share(text: &str) -> AppError {
    AppError::new(
        ErrorKind::Invalid,
        words::terminal::bad_share(printable(text)),
        Retry::Never,
    )
}

/// What a place is called in a sentence.
fn called(place: &RepositoryPlace) -> String {
    match place {
        RepositoryPlace::Folder { path } => path.clone(),
        RepositoryPlace::Nfs {
            server,
            export_path,
            ..
        } => format!("{server}:{export_path}"),
        RepositoryPlace::Cifs {
            server, share_name, ..
        } => format!("//{server}/{share_name}"),
    }
}

/// What a hub found out, or a failure where it cannot use the place.
fn tested(test: &RepositoryTest, name: &str, output: &Output) -> Result<()> {
    let name = printable(name);
    if !test.is_usable {
        let message = match &test.message {
            Some(why) => words::terminal::repository_unusable(name, printable(why)),
            None => words::repositories::unusable().to_owned() + ".",
        };
        return Err(AppError::new(ErrorKind::Invalid, message, Retry::Manual));
    }
    output.show(test, || match test.tried {
        Tried::Writing => words::terminal::repository_usable(name),
        Tried::Reaching => words::terminal::repository_reached(name),
        Tried::Nothing => words::terminal::repository_untested(name),
    })
}

/// Takes the recovery points of a folder on record.
pub(crate) async fn rescan(dir: &Path, connection: &Connection, output: &Output) -> Result<()> {
    let dir = text(dir, &connection.client)?;
    let found = connection.client.rescan_repository(&dir).await?;
    output.show(&found, || rescanned(&found))
}

/// A path that means the same to the hub, as text. What is elsewhere is named in full, as its own system writes it.
pub(crate) fn text(path: &Path, hub: &HubClient) -> Result<String> {
    let path = match path.to_str() {
        Some(text) if !hub.is_on_this_computer() => return whole_path(text),
        _ => absolute(path)?,
    };
    path.to_str().map(str::to_owned).ok_or_else(|| {
        AppError::new(
            ErrorKind::Invalid,
            words::terminal::not_unicode(path.display()),
            Retry::Never,
        )
    })
}

fn whole_path(text: &str) -> Result<String> {
    let has_drive = text
        .get(1..3)
        .is_some_and(|rest| matches!(rest, ":\\" | ":/"));
    if text.starts_with('/') || has_drive {
        return Ok(text.to_owned());
    }
    let message = words::terminal::whole_path(printable(text));
    Err(AppError::new(ErrorKind::Invalid, message, Retry::Never)
        .with_hint(words::terminal::whole_path_hint()))
}

fn list(repositories: &[Repository]) -> String {
    let rows = repositories.iter().map(|repository| {
        [
            repository.name.clone(),
            state(repository),
            output::size(repository.available_bytes),
            output::size(repository.used_bytes),
            output::size(repository.total_bytes),
            repository
                .backup_count
                .map_or_else(String::new, |n| n.to_string()),
            repository.id.to_string(),
            repository
                .path
                .clone()
                .or_else(|| repository.share.clone())
                .unwrap_or_default(),
        ]
    });
    let mut text = output::table(
        [
            words::common::name(),
            words::common::state(),
            words::terminal::free(),
            words::terminal::used(),
            words::backups::total(),
            words::activity::backups(),
            words::terminal::id(),
            words::common::folder(),
        ],
        &[2, 3, 4, 5],
        rows,
    );
    for repository in repositories {
        if let Some(why) = &repository.status_message {
            let what = words::terminal::about(printable(&repository.name), printable(why));
            text += &format!("\n\n{what}");
        }
        if !repository.problems.is_empty() {
            let head = words::terminal::problems_in(printable(&repository.name));
            text += &format!("\n\n{head}");
            text += &problems(&repository.problems);
        }
    }
    text
}

fn state(repository: &Repository) -> String {
    match (repository.is_connected, repository.enabled) {
        (Some(false), _) => words::terminal::not_connected(),
        (_, false) => words::terminal::not_in_use(),
        _ if !repository.problems.is_empty() => words::terminal::has_problems(),
        _ => words::terminal::ready(),
    }
    .to_owned()
}

fn copied(copy: &BackupCopy, target: &Repository) -> String {
    let id = copy.backup_id.as_ref().unwrap_or(&copy.source_backup_id);
    words::terminal::copied_to(printable(&target.name), id)
}

fn rescanned(found: &Rescan) -> String {
    let mut text = words::terminal::rescanned(
        found.adopted_backups.len() as u64,
        printable(&found.repository.name),
        found.known_backups,
    );
    if !found.problems.is_empty() {
        text += "\n";
        text += words::terminal::not_used();
        text += &problems(&found.problems);
    }
    text
}

fn problems(problems: &[RepositoryProblem]) -> String {
    problems
        .iter()
        .map(|problem| {
            format!(
                "\n  {}: {}",
                printable(&problem.path),
                printable(&problem.problem)
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(server: &str, rest: &str) -> Option<(String, String)> {
        Some((server.to_owned(), rest.to_owned()))
    }

    #[test]
    fn shares_are_written_as_mount_takes_them() {
        assert_eq!(nfs_share("nas:/exports/a"), pair("nas", "/exports/a"));
        assert_eq!(nfs_share("[fd00::1]:/a"), pair("[fd00::1]", "/a"));
        assert_eq!(nfs_share("nas/exports"), None);
        assert_eq!(nfs_share(":/exports"), None);
        assert_eq!(cifs_share("//nas/backups/"), pair("nas", "backups"));
        assert_eq!(cifs_share(r"\\nas\backups"), pair("nas", "backups"));
        assert_eq!(cifs_share("//nas"), None);
        assert_eq!(cifs_share("//nas/"), None);
    }

    #[test]
    fn a_hub_elsewhere_is_told_the_whole_path_as_its_system_writes_it() {
        let hub = HubClient::new("http://hub.example:8082", None).unwrap();
        let told = |path: &str| text(Path::new(path), &hub);
        assert_eq!(told("/backup").unwrap(), "/backup");
        assert_eq!(told(r"D:\backup").unwrap(), r"D:\backup");
        assert_eq!(told("backup").unwrap_err().kind, ErrorKind::Invalid);
    }
}
