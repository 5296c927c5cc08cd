//! `sendense backup`: starting backups and looking at them.

use sendense_core::{HubClient, watch_backup};
use sendense_types::{
    AppError, Backup, BackupId, BackupStatus, BackupType, Chain, ErrorKind, Repository, Retry,
    Verification, VerificationStatus,
};
use sendense_words as words;
use serde_json::json;

use crate::Result;
use crate::args::{BackupCommand, Kind};
use crate::connection::Connection;
use crate::output::{self, Output, printable};
use crate::progress::Line;

pub(crate) async fn run(
    command: BackupCommand,
    connection: &Connection,
    output: &Output,
) -> Result<()> {
    let hub = &connection.client;
    match command {
        BackupCommand::Start {
            vm,
            kind,
            repository,
            verify,
            wait,
        } => {
            let vm = hub.find_vm(&vm).await?;
            let repository = choose_repository(hub, repository.as_deref()).await?;
            let backup_type = match kind {
                Kind::Full => BackupType::Full,
                Kind::Incremental => BackupType::Incremental,
            };
            if !hub.lists_backups_of(&vm).await? {
                output.note(words::terminal::warning(words::backups::unlisted()));
            }
            let started = hub
                .start_backup(&vm, &repository.id, backup_type, verify)
                .await?;
            if let Some(why) = &started.full_reason {
                output.note(words::terminal::full_because(printable(why)));
            }
            if !wait && !connection.ends_with_command {
                return output.show(&started, || {
                    words::terminal::backup_started(printable(&vm.vm_name), &started.backup_id)
                });
            }
            if !wait {
                output.note(words::terminal::waiting_for_backup());
            }
            let finished = watch(hub, &started.backup_id, &vm.vm_name, output).await?;
            if connection.ends_with_command
                && let Err(error) = hub.settle_retention(&vm).await
            {
                output.note(words::terminal::retention_failed(printable(&error.message)));
            }
            output.show(&finished, || {
                let done =
                    words::terminal::backup_done(printable(&vm.vm_name), &finished.backup_id);
                format!("{done}\n\n{}", show(&finished))
            })
        }
        BackupCommand::Watch { id } => {
            let id = BackupId::new(id);
            let backup = hub.backup(&id).await?;
            let finished = watch(hub, &id, &backup.vm_name, output).await?;
            output.show(&finished, || show(&finished))
        }
        BackupCommand::List { vm } => {
            let vm = hub.find_vm(&vm).await?;
            let history = hub.history(&vm).await?;
            if history.is_partial {
                output::say(words::terminal::warning(words::history::partial()));
            }
            output.show(&history, || list(&vm.vm_name, &history.backups))
        }
        BackupCommand::Show { id } => {
            let backup = hub.backup(&BackupId::new(id)).await?;
            output.show(&backup, || show(&backup))
        }
        BackupCommand::Chain { vm, repository } => {
            let vm = hub.find_vm(&vm).await?;
            let repository = choose_repository(hub, repository.as_deref()).await?;
            let chain = hub.chain(&vm, &repository.id).await?;
            output.show(&chain, || show_chain(&chain))
        }
        BackupCommand::Verify { id } => {
            let verification = {
                let mut line = Line::new(*output, words::terminal::verifying(printable(&id)));
                let id = BackupId::new(id);
                hub.verify_backup(&id, &mut |state| {
                    line.percent(state.progress_percent);
                })
                .await?
            };
            if let Some(failure) = not_sound(&verification) {
                return Err(failure);
            }
            output.show(&verification, || {
                words::terminal::sound(&verification.backup_id)
            })
        }
        BackupCommand::CancelVerify { id } => {
            let id = BackupId::new(id);
            hub.cancel_verification(&id).await?;
            output.show(&json!({ "backup_id": id }), || {
                words::terminal::cancelling_verification(&id)
            })
        }
        BackupCommand::Cancel { id } => {
            let id = BackupId::new(id);
            hub.cancel_backup(&id).await?;
            output.show(&json!({ "backup_id": id }), || {
                words::terminal::cancelling_backup(&id)
            })
        }
        BackupCommand::Pin { id } => pin(hub, id, true, output).await,
        BackupCommand::Unpin { id } => pin(hub, id, false, output).await,
        BackupCommand::Delete {
            id,
            with_dependents,
        } => {
            let deleted = hub
                .delete_backup(&BackupId::new(id), with_dependents)
                .await?;
            output.show(&json!({ "deleted_backups": deleted }), || {
                let ids: Vec<_> = deleted.iter().map(ToString::to_string).collect();
                words::terminal::deleted(ids.join(", "))
            })
        }
    }
}

/// Waits for the end of a backup and shows how far it is meanwhile.
async fn watch(hub: &HubClient, id: &BackupId, vm_name: &str, output: &Output) -> Result<Backup> {
    let mut line = Line::new(*output, words::backups::backing_up(printable(vm_name)));
    watch_backup(hub, id, &mut |event| line.backup(&event)).await
}

async fn pin(hub: &HubClient, id: String, is_pinned: bool, output: &Output) -> Result<()> {
    let id = BackupId::new(id);
    hub.pin_backup(&id, is_pinned).await?;
    output.show(
        &json!({ "backup_id": id, "is_pinned": is_pinned }),
        || match is_pinned {
            true => words::terminal::pinned(&id),
            false => words::terminal::unpinned(&id),
        },
    )
}

/// The repository that is named by id or name, or the only one there is.
pub(crate) async fn choose_repository(hub: &HubClient, named: Option<&str>) -> Result<Repository> {
    let mut repositories = match (hub.repositories().await, named) {
        // Of a hub that lists none, only its administrator knows.
        (Err(error), Some(id)) if error.kind == ErrorKind::Unsupported => {
            return Ok(Repository::of_id(id.into()));
        }
        (repositories, _) => repositories?,
    };
    let names = repositories
        .iter()
        .map(|repository| format!("{} ({})", repository.name, repository.id))
        .collect::<Vec<_>>()
        .join(", ");
    if let Some(named) = named {
        let by_id = repositories
            .iter()
            .position(|repository| repository.id.as_str() == named);
        let by_name = || {
            repositories
                .iter()
                .position(|repository| repository.name == named)
        };
        return match by_id.or_else(by_name) {
            Some(position) => Ok(repositories.swap_remove(position)),
            None => {
                let message = words::terminal::no_repository_called(named);
                let error = AppError::new(ErrorKind::NotFound, message, Retry::Never);
                Err(match repositories.is_empty() {
                    true => error,
                    false => error.with_hint(words::terminal::repositories(names)),
                })
            }
        };
    }
    repositories.retain(|repository| repository.enabled);
    if repositories.len() > 1 {
        return Err(AppError::new(
            ErrorKind::Invalid,
            words::terminal::several_repositories(),
            Retry::Never,
        )
        .with_hint(words::terminal::choose_repository(names)));
    }
    repositories.pop().ok_or_else(|| {
        AppError::new(
            ErrorKind::NotFound,
            words::terminal::no_repository(),
            Retry::Never,
        )
    })
}

fn list(vm_name: &str, backups: &[Backup]) -> String {
    if backups.is_empty() {
        return words::terminal::never_backed_up(printable(vm_name));
    }
    let rows = backups.iter().map(|backup| {
        [
            output::time(backup.created_at),
            kind(backup.backup_type).to_owned(),
            status(backup),
            size(backup),
            backup.backup_id.to_string(),
        ]
    });
    output::table(
        [
            words::terminal::started(),
            words::common::kind(),
            words::terminal::status(),
            words::common::size(),
            words::terminal::id(),
        ],
        &[3],
        rows,
    )
}

fn show(backup: &Backup) -> String {
    let sheet = output::sheet(&[
        (words::terminal::id(), Some(backup.backup_id.to_string())),
        (words::activity::vm(), Some(backup.vm_name.clone())),
        (
            words::common::kind(),
            Some(kind(backup.backup_type).to_owned()),
        ),
        (words::terminal::status(), Some(status(backup))),
        (words::terminal::reason(), backup.error_message.clone()),
        (
            words::repositories::repository(),
            backup.repository_id.as_ref().map(ToString::to_string),
        ),
        (words::common::size(), Some(size(backup))),
        (
            words::terminal::started(),
            Some(output::time(backup.created_at)),
        ),
        (
            words::terminal::ended(),
            Some(output::time(backup.completed_at)),
        ),
        (
            words::history::pinned(),
            backup
                .is_pinned
                .filter(|is| *is)
                .map(|_| words::terminal::yes().to_owned()),
        ),
        (words::history::verified(), last_verified(backup)),
        (
            words::terminal::copy_of(),
            backup.copied_from.as_ref().map(ToString::to_string),
        ),
        (words::terminal::lost_with_it(), dependents(backup)),
    ]);
    if backup.disks.is_empty() {
        return sheet;
    }
    let rows = backup.disks.iter().map(|disk| {
        [
            disk.disk_index.to_string(),
            word(disk.status).to_owned(),
            disk.size_gb.map_or_else(String::new, gibibytes),
            disk.qcow2_path.clone().unwrap_or_default(),
        ]
    });
    sheet
        + "\n"
        + &output::table(
            [
                words::mounts::disk(),
                words::terminal::status(),
                words::common::size(),
                words::terminal::image(),
            ],
            &[0, 2],
            rows,
        )
}

/// What verifying found last, and when.
fn last_verified(backup: &Backup) -> Option<String> {
    let time = output::time(backup.verified_at);
    Some(match backup.verification? {
        VerificationStatus::Sound => words::terminal::verified_sound(time),
        VerificationStatus::Flawed => words::terminal::verified_flawed(time),
        VerificationStatus::Damaged => words::terminal::verified_damaged(time),
        VerificationStatus::Unproven
        | VerificationStatus::Running
        | VerificationStatus::Cancelled => words::terminal::verified_unproven(time),
    })
}

/// What cannot be restored without it.
fn dependents(backup: &Backup) -> Option<String> {
    let ids: Vec<_> = backup.dependents.iter().map(ToString::to_string).collect();
    (!ids.is_empty()).then(|| ids.join(", "))
}

/// All but a proof is a failure, so that scripts notice.
fn not_sound(verification: &Verification) -> Option<AppError> {
    let id = &verification.backup_id;
    match verification.status {
        VerificationStatus::Sound => None,
        VerificationStatus::Damaged | VerificationStatus::Flawed => Some(damaged(verification)),
        VerificationStatus::Cancelled => Some(AppError::new(
            ErrorKind::Cancelled,
            words::terminal::verification_cancelled(id),
            Retry::Manual,
        )),
        VerificationStatus::Unproven | VerificationStatus::Running => Some(
            AppError::new(
                ErrorKind::Unsupported,
                words::terminal::unproven(id, problems(verification)),
                Retry::Never,
            )
            .with_hint(words::terminal::unproven_hint()),
        ),
    }
}

fn damaged(verification: &Verification) -> AppError {
    let list = |ids: &[BackupId]| {
        let ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
        ids.join(", ")
    };
    let (broken, intact) = (&verification.broken_backups, &verification.intact_backups);
    let mut hints = Vec::new();
    if !broken.is_empty() {
        hints.push(words::terminal::broken(list(broken)));
    }
    if !intact.is_empty() {
        hints.push(words::terminal::intact(list(intact)));
    }
    hints.push(words::failures::run_full().to_owned());
    AppError::new(
        ErrorKind::Corrupt,
        words::terminal::damaged(&verification.backup_id, problems(verification)),
        Retry::Never,
    )
    .with_hint(hints.join(" "))
}

fn problems(verification: &Verification) -> String {
    let problems: Vec<_> = verification
        .problems
        .iter()
        .map(|(disk, problem)| words::terminal::disk_problem(disk, problem))
        .collect();
    problems.join("; ")
}

/// Incremental backups are indented below the full one that they build on.
fn show_chain(chain: &Chain) -> String {
    if chain.chain.is_empty() {
        return words::terminal::no_points(printable(&chain.vm_name));
    }
    let rows = chain.chain.iter().map(|link| {
        let indent = match link.backup_type {
            BackupType::Incremental => "  ",
            BackupType::Full | BackupType::Unknown => "",
        };
        let restorable = match (link.is_restorable, &link.problem) {
            (Some(true), _) => String::new(),
            (Some(false), None) => words::terminal::not_restorable().to_owned(),
            (Some(false), Some(why)) => words::terminal::not_restorable_because(why),
            (None, _) => words::terminal::unknown().to_owned(),
        };
        [
            output::time(link.created_at),
            format!("{indent}{}", kind(link.backup_type)),
            link.size_gb.map_or_else(String::new, gibibytes),
            link.backup_id.to_string(),
            restorable,
        ]
    });
    output::table(
        [
            words::terminal::taken(),
            words::common::kind(),
            words::common::size(),
            words::terminal::id(),
            "",
        ],
        &[2],
        rows,
    )
}

/// Ours first, with how far it is; the hub's own word where it says more.
fn status(backup: &Backup) -> String {
    match (backup.status, backup.progress_percent) {
        (BackupStatus::Active, Some(percent)) => {
            words::terminal::running_at(format_args!("{percent:.0}"))
        }
        (BackupStatus::Unknown, _) => backup.hub_status.clone(),
        (status, _) => word(status).to_owned(),
    }
}

fn kind(kind: BackupType) -> &'static str {
    match kind {
        BackupType::Full => words::terminal::full(),
        BackupType::Incremental => words::terminal::incremental(),
        BackupType::Unknown => words::terminal::unknown(),
    }
}

fn word(status: BackupStatus) -> &'static str {
    match status {
        BackupStatus::Active => words::terminal::running(),
        BackupStatus::Completed => words::terminal::completed(),
        BackupStatus::Unconfirmed => words::terminal::unconfirmed(),
        BackupStatus::Failed => words::terminal::failed(),
        BackupStatus::Cancelled => words::terminal::cancelled(),
        BackupStatus::Unknown => words::terminal::unknown(),
    }
}

fn size(backup: &Backup) -> String {
    match (backup.stored_bytes, backup.total_size_gb) {
        (Some(bytes), _) => output::size(Some(bytes)),
        (None, Some(gib)) => gibibytes(gib),
        (None, None) => output::size(backup.bytes_transferred),
    }
}

fn gibibytes(gib: f64) -> String {
    output::size(Some((gib * f64::from(1 << 30)) as u64))
}
