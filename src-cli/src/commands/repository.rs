//! `sendense repository` and `sendense hub rescan`: where backups are kept.

use std::path::Path;

use sendense_types::{
    AppError, BackupCopy, BackupId, ErrorKind, Repository, RepositoryProblem, Rescan, Retry,
};
use serde_json::json;

use super::backup::choose_repository;
use crate::Result;
use crate::args::RepositoryCommand;
use crate::connection::{Connection, absolute};
use crate::output::{self, Output, printable};
use crate::progress::Line;

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
        RepositoryCommand::Add { name, dir } => {
            let created = hub.create_repository(&name, &text(&dir)?).await?;
            output.show(&created, || {
                format!("{} is a repository now: {}", printable(&name), created.id)
            })
        }
        RepositoryCommand::Test { dir } => {
            let dir = text(&dir)?;
            let test = hub.test_repository(&dir).await?;
            if let Some(why) = &test.message {
                return Err(AppError::new(
                    ErrorKind::Invalid,
                    format!("{} cannot be a repository: {why}.", printable(&dir)),
                    Retry::Manual,
                ));
            }
            output.show(&test, || {
                format!("Backups could be kept in {}.", printable(&dir))
            })
        }
        RepositoryCommand::Delete { repository } => {
            let doomed = choose_repository(hub, Some(&repository)).await?;
            hub.delete_repository(&doomed.id).await?;
            output.show(&json!({ "id": doomed.id }), || {
                format!(
                    "{} is no repository any more; its folder is as it was.",
                    printable(&doomed.name)
                )
            })
        }
        RepositoryCommand::Copy { backup, to } => {
            let target = choose_repository(hub, Some(&to)).await?;
            let copy = {
                let label = format!("Copying to {}", printable(&target.name));
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
                let name = printable(&target.name);
                format!(
                    "The copy to {name} is being cancelled; copied again, it goes on from there."
                )
            })
        }
    }
}

/// Takes the recovery points of a folder on record.
pub(crate) async fn rescan(dir: &Path, connection: &Connection, output: &Output) -> Result<()> {
    let found = connection.client.rescan_repository(&text(dir)?).await?;
    output.show(&found, || rescanned(&found))
}

/// A path that means the same to the hub, as text.
fn text(path: &Path) -> Result<String> {
    let path = absolute(path)?;
    path.to_str().map(str::to_owned).ok_or_else(|| {
        AppError::new(
            ErrorKind::Invalid,
            format!("'{}' is not valid Unicode text.", path.display()),
            Retry::Never,
        )
    })
}

fn list(repositories: &[Repository]) -> String {
    let rows = repositories.iter().map(|repository| {
        [
            repository.name.clone(),
            state(repository),
            output::size(repository.available_bytes),
            output::size(repository.total_bytes),
            repository
                .backup_count
                .map_or_else(String::new, |n| n.to_string()),
            repository.id.to_string(),
            repository.path.clone().unwrap_or_default(),
        ]
    });
    let mut text = output::table(
        ["name", "state", "free", "of", "backups", "id", "folder"],
        &[2, 3, 4],
        rows,
    );
    for repository in repositories {
        if let Some(why) = &repository.status_message {
            text += &format!("\n\n{}: {}.", printable(&repository.name), printable(why));
        }
        if !repository.problems.is_empty() {
            text += &format!("\n\nIn {}:", printable(&repository.name));
            text += &problems(&repository.problems);
        }
    }
    text
}

fn state(repository: &Repository) -> String {
    match (repository.is_connected, repository.enabled) {
        (Some(false), _) => "not connected",
        (_, false) => "not in use",
        _ if !repository.problems.is_empty() => "has problems",
        _ => "ready",
    }
    .to_owned()
}

fn copied(copy: &BackupCopy, target: &Repository) -> String {
    let id = copy.backup_id.as_ref().unwrap_or(&copy.source_backup_id);
    format!(
        "Copied to {} and verified there: {id}",
        printable(&target.name)
    )
}

fn rescanned(found: &Rescan) -> String {
    let mut text = format!(
        "{}: {} recovery points found that were not on record, {} that were.",
        printable(&found.repository.name),
        found.adopted_backups.len(),
        found.known_backups,
    );
    if !found.problems.is_empty() {
        text += "\nNot used:";
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
