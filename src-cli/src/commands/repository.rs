//! `sendense repository` and `sendense hub rescan`: where backups are kept.

use std::path::Path;

use sendense_types::{
    AppError, BackupCopy, BackupId, ErrorKind, Repository, RepositoryPlace, RepositoryProblem,
    Rescan, Retry,
};
use sendense_words as words;
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
            let created = hub
                .create_repository(&name, &RepositoryPlace::folder(text(&dir)?))
                .await?;
            output.show(&created, || {
                words::terminal::repository_added(printable(&name), &created.id)
            })
        }
        RepositoryCommand::Test { dir } => {
            let dir = text(&dir)?;
            let test = hub
                .test_repository(&RepositoryPlace::folder(dir.clone()))
                .await?;
            if let Some(why) = &test.message {
                return Err(AppError::new(
                    ErrorKind::Invalid,
                    words::terminal::repository_unusable(printable(&dir), why),
                    Retry::Manual,
                ));
            }
            output.show(&test, || {
                words::terminal::repository_usable(printable(&dir))
            })
        }
        RepositoryCommand::Delete { repository } => {
            let doomed = choose_repository(hub, Some(&repository)).await?;
            hub.delete_repository(&doomed.id).await?;
            output.show(&json!({ "id": doomed.id }), || {
                words::terminal::repository_removed(printable(&doomed.name))
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
            words::terminal::not_unicode(path.display()),
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
        [
            words::common::name(),
            words::common::state(),
            words::terminal::free(),
            words::backups::total(),
            words::activity::backups(),
            words::terminal::id(),
            words::common::folder(),
        ],
        &[2, 3, 4],
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
