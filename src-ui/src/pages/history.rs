//! The backups of one machine, newest first, with what runs now.

use sendense_types::commands::{
    CancelBackup, GetVm, ListBackups, ListRepositories, PinBackup, VerifyBackup,
};
use sendense_types::{
    Backup, BackupId, BackupStatus, BackupType, RepositoryId, StartedBackup, Verification,
    VerificationStatus, Vm, VmId,
};
use yew::prelude::*;
use yew_router::prelude::*;

use crate::app::AppContext;
use crate::components::{
    BackupDialog, BackupTypeBadge, DeleteBackupDialog, EmptyState, ErrorNotice, Icon, Menu,
    MenuItem, Picture, RunningPanel, Size, StatusBadge,
};
use crate::hooks::{use_action, use_query};
use crate::route::Route;
use crate::state::app::Change;
use crate::{dom, format};

#[derive(Clone, PartialEq, Properties)]
pub(crate) struct HistoryProps {
    pub(crate) vm_id: AttrValue,
}

/// Finds the machine, then shows its backups.
#[component]
pub(crate) fn History(props: &HistoryProps) -> Html {
    let version = use_context::<AppContext>().map_or(0, |app| app.version);
    let request = GetVm {
        vm_id: VmId::new(props.vm_id.as_str()),
    };
    let vm = use_query(request, version);
    match (&vm.data, vm.error) {
        (Some(vm), _) => html! { <Backups vm={(**vm).clone()} /> },
        (None, Some(error)) => html! {
            <div class="page__body"><ErrorNotice {error} on_retry={vm.reload} /></div>
        },
        (None, None) => html! { <div class="skeleton" role="status" aria-label="Loading"></div> },
    }
}

#[derive(Clone, PartialEq, Properties)]
struct BackupsProps {
    vm: Vm,
}

#[component]
fn Backups(props: &BackupsProps) -> Html {
    let Some(app) = use_context::<AppContext>() else {
        return Html::default();
    };
    let vm = &props.vm;
    let backups = use_query(ListBackups { vm: vm.clone() }, app.version);
    let repositories = use_query(ListRepositories {}, 0);
    let repository = use_state(|| None::<RepositoryId>);
    let is_backing_up = use_state(|| false);
    let cancel = use_action::<CancelBackup>(Callback::noop());
    let verify = {
        let app = app.clone();
        use_action::<VerifyBackup>(Callback::from(move |found: Verification| {
            app.dispatch(verified(&found));
        }))
    };
    let pin = {
        let app = app.clone();
        use_action::<PinBackup>(Callback::from(move |()| app.dispatch(Change::ListsChanged)))
    };
    let doomed = use_state(|| None::<Backup>);
    let on_pin = pin.run.reform(|(backup_id, is_pinned)| PinBackup {
        backup_id,
        is_pinned,
    });
    let on_delete = {
        let doomed = doomed.clone();
        Callback::from(move |backup: Backup| doomed.set(Some(backup)))
    };
    let keep = {
        let doomed = doomed.clone();
        Callback::from(move |()| doomed.set(None))
    };
    let deleted = {
        let (app, keep) = (app.clone(), keep.clone());
        Callback::from(move |gone: Vec<BackupId>| {
            let text = format::count(gone.len().max(1) as u64, "recovery point");
            app.dispatch(Change::done("Deleted", text));
            app.dispatch(Change::ListsChanged);
            keep.emit(());
        })
    };
    let on_cancel = cancel.run.reform(|backup_id| CancelBackup { backup_id });
    let on_verify = verify.run.reform(|backup_id| VerifyBackup { backup_id });
    let flag = |value: bool| {
        let is_backing_up = is_backing_up.clone();
        Callback::from(move |()| is_backing_up.set(value))
    };
    let started = {
        let (app, close) = (app.clone(), flag(false));
        Callback::from(move |backup: StartedBackup| {
            let text = format!(
                "{}: you can leave this page or close the window.",
                backup.vm_name
            );
            app.dispatch(Change::done("Backup started", text));
            app.dispatch(Change::ListsChanged);
            close.emit(());
        })
    };
    let on_repository = {
        let repository = repository.clone();
        Callback::from(move |event: Event| {
            let id = dom::value_of(&event);
            repository.set(Some(id).filter(|id| !id.is_empty()).map(RepositoryId::from));
        })
    };
    let running: Vec<_> = app
        .running
        .values()
        .filter(|running| running.progress.backup.vm_context_id.as_ref() == Some(&vm.context_id))
        .cloned()
        .collect();
    let all: Vec<Backup> = backups
        .data
        .iter()
        .flat_map(|all| all.iter().cloned())
        .collect();
    let shown: Vec<Backup> = all
        .iter()
        .filter(|backup| repository.is_none() || backup.repository_id == *repository)
        .cloned()
        .collect();
    let n_repositories = repositories.data.as_ref().map_or(0, |all| all.len());
    let total: u64 = shown
        .iter()
        .filter(|backup| backup.status == BackupStatus::Completed)
        .filter_map(size_of)
        .sum();
    let chains = shown
        .iter()
        .filter(|backup| {
            backup.backup_type == BackupType::Full && backup.status == BackupStatus::Completed
        })
        .count();
    let errors = [&backups.error, &cancel.error, &verify.error, &pin.error];
    let is_verifying = verify.is_running;
    let open = flag(true).reform(|_: MouseEvent| ());
    html! {
        <>
        <header class="page__head">
            <Link<Route> to={Route::Vms} classes="button is-quiet is-icon">
                <Icon picture={Picture::Back} /><span class="sr-only">{ "Back to the list" }</span>
            </Link<Route>>
            <h1>{ &vm.vm_name }</h1>
            <span class="faint">{ vm.os_type.clone().unwrap_or_default() }</span>
            <span class="page__space"></span>
            if n_repositories > 1 {
                <select aria-label="Repository" onchange={on_repository}>
                    <option value="">{ "All repositories" }</option>
                    for known in repositories.data.iter().flat_map(|all| all.iter()) {
                        <option key={known.id.to_string()} value={known.id.to_string()}>{ &known.name }</option>
                    }
                </select>
            }
            <button
                class="button is-primary" type="button" onclick={open} disabled={!running.is_empty()}
                title={if running.is_empty() { "" } else { "A backup of this machine is running" }}
            >
                { "Back up now" }
            </button>
        </header>
        <div class="page__body history">
            <div class="history__list">
                for error in errors.into_iter().flatten() {
                    <ErrorNotice error={error.clone()} on_retry={backups.reload.clone()} />
                }
                if backups.data.is_none() && backups.is_loading {
                    <div class="skeleton" role="status" aria-label="Loading the backups"></div>
                } else if shown.is_empty() && backups.data.is_some() {
                    <EmptyState
                        picture={Picture::Clock} title="No backups yet"
                        text="The first backup saves everything that is in use; later ones only what has changed."
                    />
                } else {
                    <table class="table">
                        <thead><tr>
                            <th><span class="sr-only">{ "Chain" }</span></th><th>{ "Recovery point" }</th><th>{ "Type" }</th>
                            <th class="is-right">{ "Size" }</th><th class="is-right">{ "Duration" }</th><th>{ "State" }</th><th></th>
                        </tr></thead>
                        <tbody>
                            for backup in shown {
                                <BackupRow
                                    key={backup.backup_id.to_string()} backup={backup.clone()} {is_verifying} on_verify={on_verify.clone()}
                                    on_pin={on_pin.clone()} on_delete={on_delete.clone()}
                                />
                            }
                        </tbody>
                    </table>
                }
            </div>
            if !running.is_empty() {
                <aside class="history__side">
                    for running in running {
                        <RunningPanel {running} on_cancel={on_cancel.clone()} />
                    }
                </aside>
            }
        </div>
        <footer class="page__status num">
            <span>{ "Total: " }<Size bytes={Some(total)} />{ format!(" across {}", format::count(backups.data.as_ref().map_or(0, |all| all.len()) as u64, "backup")) }</span>
            <span>{ format::count(chains as u64, "chain") }</span>
        </footer>
        if *is_backing_up {
            <BackupDialog vm={vm.clone()} on_started={started} on_close={flag(false)} />
        }
        if let Some(backup) = (*doomed).clone() {
            <DeleteBackupDialog {backup} known={all} on_deleted={deleted} on_close={keep} />
        }
        </>
    }
}

#[derive(Clone, PartialEq, Properties)]
struct BackupRowProps {
    backup: Backup,
    is_verifying: bool,
    on_verify: Callback<BackupId>,
    /// To be pinned, or no longer.
    on_pin: Callback<(BackupId, bool)>,
    /// To be deleted, after a question.
    on_delete: Callback<Backup>,
}

/// One backup. Its mark hangs it into its chain: a disc begins one, a ring goes on.
#[component]
fn BackupRow(props: &BackupRowProps) -> Html {
    let navigator = use_navigator();
    let is_open = use_state(|| false);
    let backup = &props.backup;
    let is_good = backup.status == BackupStatus::Completed;
    let time = backup
        .created_at
        .map(format::date)
        .unwrap_or_else(|| backup.backup_id.to_string());
    let restore = {
        let backup_id = backup.backup_id.to_string();
        Callback::from(move |_: MouseEvent| {
            if let Some(navigator) = &navigator {
                navigator.push(&Route::RestoreOptions {
                    backup_id: backup_id.clone(),
                });
            }
        })
    };
    let verify = {
        let (on_verify, id) = (props.on_verify.clone(), backup.backup_id.clone());
        Callback::from(move |_: MouseEvent| on_verify.emit(id.clone()))
    };
    let toggle = {
        let is_open = is_open.clone();
        Callback::from(move |_: MouseEvent| is_open.set(!*is_open))
    };
    let items = menu_of(backup, &props.on_pin, &props.on_delete);
    let mark = match (is_good, backup.backup_type) {
        (true, BackupType::Full) => "chain-mark is-full",
        (true, _) => "chain-mark is-incremental",
        (false, _) => "chain-mark is-broken",
    };
    let why = backup
        .error_message
        .clone()
        .unwrap_or_else(|| "The hub gives no reason.".to_owned());
    html! {
        <>
        <tr aria-label={format!("Backup of {time}")}>
            <td><span class={mark}></span></td>
            <td class="num">
                <strong>{ &time }</strong>
                if backup.is_pinned == Some(true) {
                    <span class="pinned" title="Pinned: nothing deletes it"><Icon picture={Picture::Lock} />{ "Pinned" }</span>
                }
            </td>
            <td><BackupTypeBadge backup_type={backup.backup_type} /></td>
            <td class="is-right"><Size bytes={size_of(backup).filter(|_| is_good)} /></td>
            <td class="is-right num">{ duration_of(backup) }</td>
            <td><StatusBadge status={backup.status} /></td>
            <td class="actions">
                if is_good {
                    <button class="button is-small" type="button" onclick={restore}>{ "Restore…" }</button>
                    <button
                        class="button is-small" type="button" onclick={verify} disabled={props.is_verifying}
                        title="Read everything again and compare it with what was backed up"
                    >
                        { if props.is_verifying { "Verifying…" } else { "Verify" } }
                    </button>
                } else if backup.status == BackupStatus::Failed {
                    <button class="button is-small" type="button" aria-expanded={is_open.to_string()} onclick={toggle}>{ "Why?" }</button>
                }
                if !items.is_empty() {
                    <Menu label={format!("More for the backup of {time}")} {items} />
                }
            </td>
        </tr>
        if *is_open {
            <tr><td></td><td colspan="6" class="is-problem">{ why }</td></tr>
        }
        </>
    }
}

/// What can be done with a backup beside restoring it; nothing on hubs that cannot do it safely.
fn menu_of(
    backup: &Backup,
    on_pin: &Callback<(BackupId, bool)>,
    on_delete: &Callback<Backup>,
) -> Vec<MenuItem> {
    let Some(is_pinned) = backup.is_pinned.filter(|_| backup.status.is_over()) else {
        return Vec::new();
    };
    let pin = MenuItem {
        text: if is_pinned { "Unpin" } else { "Pin" }.into(),
        hindrance: AttrValue::default(),
        on_choose: on_pin.reform({
            let id = backup.backup_id.clone();
            move |()| (id.clone(), !is_pinned)
        }),
    };
    let delete = MenuItem {
        text: "Delete…".into(),
        hindrance: if is_pinned { "It is pinned" } else { "" }.into(),
        on_choose: on_delete.reform({
            let backup = backup.clone();
            move |()| backup.clone()
        }),
    };
    match backup.status {
        BackupStatus::Completed => vec![pin, delete],
        _ => vec![delete],
    }
}

fn size_of(backup: &Backup) -> Option<u64> {
    let gib = |size: f64| (size * 1024.0 * 1024.0 * 1024.0) as u64;
    backup
        .stored_bytes
        .or(backup.bytes_transferred.filter(|bytes| *bytes > 0))
        .or(backup.total_bytes)
        .or_else(|| backup.total_size_gb.map(gib))
}

fn duration_of(backup: &Backup) -> String {
    match (backup.started_at.or(backup.created_at), backup.completed_at) {
        (Some(began), Some(ended)) => {
            let seconds = ended.duration_since(began).as_secs();
            format::span(u64::try_from(seconds).unwrap_or(0))
        }
        _ => "–".to_owned(),
    }
}

fn verified(found: &Verification) -> Change {
    let error = |message: &str| {
        sendense_types::AppError::new(
            sendense_types::ErrorKind::Corrupt,
            message,
            sendense_types::Retry::Never,
        )
    };
    match found.status {
        VerificationStatus::Sound => Change::done(
            "The backup is sound",
            "Every cluster is what it was when it was backed up.",
        ),
        VerificationStatus::Damaged => {
            let problems: Vec<_> = found
                .problems
                .iter()
                .map(|(disk, problem)| format!("Disk {disk}: {problem}."))
                .collect();
            let broken = match found.broken_backups.len() as u64 {
                0 => "It can still be restored".to_owned(),
                n => format!("{} cannot be restored", format::count(n, "recovery point")),
            };
            Change::failed(&error("The backup is damaged.").with_hint(format!(
                "{} {broken}. Take a full backup now.",
                problems.join(" ")
            )))
        }
        _ => Change::failed(
            &error("It cannot be proven whether the backup is sound.")
                .with_hint("There is nothing left to compare it with."),
        ),
    }
}
