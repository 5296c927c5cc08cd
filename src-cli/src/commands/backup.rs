//! `sendense backup`: starting backups and looking at them.

use sendense_core::{HubClient, watch_backup};
use sendense_types::{
    AppError, Backup, BackupId, BackupStatus, BackupType, Chain, ErrorKind, Repository, Retry,
    Verification, VerificationStatus,
};
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
            let started = hub
                .start_backup(&vm, &repository.id, backup_type, verify)
                .await?;
            if let Some(why) = &started.full_reason {
                output.note(format!("This is a full backup: {}.", printable(why)));
            }
            if !wait && !connection.ends_with_command {
                return output.show(&started, || {
                    format!(
                        "Backup of {} started: {}",
                        printable(&vm.vm_name),
                        started.backup_id
                    )
                });
            }
            if !wait {
                output.note(
                    "No hub is running here, so this command waits until the backup is done.",
                );
            }
            let finished = {
                let mut line = Line::new(*output, format!("Backing up {}", printable(&vm.vm_name)));
                watch_backup(hub, &started.backup_id, &mut |event| line.backup(&event)).await?
            };
            if connection.ends_with_command
                && let Err(error) = hub.settle_retention(&vm).await
            {
                output.note(format!(
                    "The backup is done, but {}",
                    printable(&error.message)
                ));
            }
            output.show(&finished, || {
                format!(
                    "Backup of {} is done: {}\n\n{}",
                    printable(&vm.vm_name),
                    finished.backup_id,
                    show(&finished)
                )
            })
        }
        BackupCommand::List { vm } => {
            let vm = hub.find_vm(&vm).await?;
            let backups = hub.backups(&vm).await?;
            output.show(&json!({ "backups": backups }), || {
                list(&vm.vm_name, &backups)
            })
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
                let mut line = Line::new(*output, format!("Verifying {}", printable(&id)));
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
                let id = &verification.backup_id;
                format!("{id} is sound: every cluster is what was backed up.")
            })
        }
        BackupCommand::CancelVerify { id } => {
            let id = BackupId::new(id);
            hub.cancel_verification(&id).await?;
            output.show(&json!({ "backup_id": id }), || {
                format!("Verifying {id} is being cancelled; what was known about it before holds.")
            })
        }
        BackupCommand::Cancel { id } => {
            let id = BackupId::new(id);
            hub.cancel_backup(&id).await?;
            output.show(&json!({ "backup_id": id }), || {
                format!("{id} is being cancelled; nothing of it will stay.")
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
                format!("Deleted: {}", ids.join(", "))
            })
        }
    }
}

async fn pin(hub: &HubClient, id: String, is_pinned: bool, output: &Output) -> Result<()> {
    let id = BackupId::new(id);
    hub.pin_backup(&id, is_pinned).await?;
    output.show(
        &json!({ "backup_id": id, "is_pinned": is_pinned }),
        || match is_pinned {
            true => format!("{id} is pinned: nothing deletes it."),
            false => format!("{id} is not pinned any more."),
        },
    )
}

/// The repository that is named by id or name, or the only one there is.
pub(crate) async fn choose_repository(hub: &HubClient, named: Option<&str>) -> Result<Repository> {
    let mut repositories = hub.repositories().await?;
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
            None => Err(AppError::new(
                ErrorKind::NotFound,
                format!("The hub knows no repository called '{named}'."),
                Retry::Never,
            )
            .with_hint(format!("It has: {names}."))),
        };
    }
    repositories.retain(|repository| repository.enabled);
    if repositories.len() > 1 {
        return Err(AppError::new(
            ErrorKind::Invalid,
            "The hub has several repositories.",
            Retry::Never,
        )
        .with_hint(format!("Choose one with --repository: {names}.")));
    }
    repositories.pop().ok_or_else(|| {
        AppError::new(
            ErrorKind::NotFound,
            "The hub has no repository to back up into.",
            Retry::Never,
        )
    })
}

fn list(vm_name: &str, backups: &[Backup]) -> String {
    if backups.is_empty() {
        return format!("{} was never backed up.", printable(vm_name));
    }
    let rows = backups.iter().map(|backup| {
        [
            output::time(backup.created_at),
            backup.backup_type.as_str().to_owned(),
            status(backup),
            size(backup),
            backup.backup_id.to_string(),
        ]
    });
    output::table(["started", "type", "status", "size", "id"], &[3], rows)
}

fn show(backup: &Backup) -> String {
    let sheet = output::sheet(&[
        ("Id", Some(backup.backup_id.to_string())),
        ("VM", Some(backup.vm_name.clone())),
        ("Type", Some(backup.backup_type.as_str().to_owned())),
        ("Status", Some(status(backup))),
        ("Reason", backup.error_message.clone()),
        (
            "Repository",
            backup.repository_id.as_ref().map(ToString::to_string),
        ),
        ("Size", Some(size(backup))),
        ("Started", Some(output::time(backup.created_at))),
        ("Ended", Some(output::time(backup.completed_at))),
        (
            "Pinned",
            backup.is_pinned.filter(|is| *is).map(|_| "yes".to_owned()),
        ),
        ("Verified", last_verified(backup)),
        (
            "Copy of",
            backup.copied_from.as_ref().map(ToString::to_string),
        ),
        ("Lost with it", dependents(backup)),
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
    sheet + "\n" + &output::table(["disk", "status", "size", "image"], &[0, 2], rows)
}

/// What verifying found last, and when.
fn last_verified(backup: &Backup) -> Option<String> {
    let found = match backup.verification? {
        VerificationStatus::Sound => "sound",
        VerificationStatus::Flawed => "its disks are sound, its files have damage",
        VerificationStatus::Damaged => "damaged: it cannot be restored as it was",
        VerificationStatus::Unproven
        | VerificationStatus::Running
        | VerificationStatus::Cancelled => "could not be proven",
    };
    Some(format!("{found} ({})", output::time(backup.verified_at)))
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
            format!("Verifying {id} was cancelled."),
            Retry::Manual,
        )),
        VerificationStatus::Unproven | VerificationStatus::Running => Some(
            AppError::new(
                ErrorKind::Unsupported,
                format!("{id} could not be proven: {}.", problems(verification)),
                Retry::Never,
            )
            .with_hint("Its images may be sound all the same. Run a full backup to have one that can be verified."),
        ),
    }
}

fn damaged(verification: &Verification) -> AppError {
    let list = |ids: &[BackupId]| {
        let ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
        ids.join(", ")
    };
    let (broken, intact) = (&verification.broken_backups, &verification.intact_backups);
    let mut hint = String::new();
    if !broken.is_empty() {
        hint += &format!("These cannot be restored as they were: {}. ", list(broken));
    }
    if !intact.is_empty() {
        hint += &format!("These can be restored: {}. ", list(intact));
    }
    AppError::new(
        ErrorKind::Corrupt,
        format!(
            "{} is damaged: {}.",
            verification.backup_id,
            problems(verification)
        ),
        Retry::Never,
    )
    .with_hint(hint + "Run a full backup.")
}

fn problems(verification: &Verification) -> String {
    let problems: Vec<_> = verification
        .problems
        .iter()
        .map(|(disk, problem)| format!("disk {disk}: {problem}"))
        .collect();
    problems.join("; ")
}

/// Incremental backups are indented below the full one that they build on.
fn show_chain(chain: &Chain) -> String {
    if chain.chain.is_empty() {
        return format!("{} has no recovery point here.", printable(&chain.vm_name));
    }
    let rows = chain.chain.iter().map(|link| {
        let indent = match link.backup_type {
            BackupType::Incremental => "  ",
            BackupType::Full | BackupType::Unknown => "",
        };
        let restorable = match (link.is_restorable, &link.problem) {
            (Some(true), _) => String::new(),
            (Some(false), None) => "not restorable".to_owned(),
            (Some(false), Some(why)) => format!("not restorable: {why}"),
            (None, _) => "unknown".to_owned(),
        };
        [
            output::time(link.created_at),
            format!("{indent}{}", link.backup_type.as_str()),
            link.size_gb.map_or_else(String::new, gibibytes),
            link.backup_id.to_string(),
            restorable,
        ]
    });
    output::table(["taken", "type", "size", "id", ""], &[2], rows)
}

/// Ours first, with how far it is; the hub's own word where it says more.
fn status(backup: &Backup) -> String {
    match (backup.status, backup.progress_percent) {
        (BackupStatus::Active, Some(percent)) => format!("running, {percent:.0} %"),
        (BackupStatus::Unknown, _) => backup.hub_status.clone(),
        (status, _) => word(status).to_owned(),
    }
}

fn word(status: BackupStatus) -> &'static str {
    match status {
        BackupStatus::Active => "running",
        BackupStatus::Completed => "completed",
        BackupStatus::Failed => "failed",
        BackupStatus::Cancelled => "cancelled",
        BackupStatus::Unknown => "unknown",
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
