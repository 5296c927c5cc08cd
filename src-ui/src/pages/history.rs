//! The backups of one machine, newest first, with what runs now.

mod table;

use std::collections::BTreeMap;
use std::rc::Rc;

use sendense_types::commands::{
    CancelBackup, CancelCopy, CancelVerification, GetChain, GetRetention, GetVm, ListBackups,
    ListRepositories, PinBackup, VerifyBackup,
};
use sendense_types::{
    Backup, BackupId, BackupStatus, BackupType, ChainLink, Repository, RepositoryId, Retention,
    RetentionPolicy, StartedBackup, Vm, VmId,
};
use yew::prelude::*;
use yew_router::prelude::*;

use self::table::{BackupTable, RowActions, size_of};
use crate::components::{
    BackupDialog, CopyDialog, DeleteBackupDialog, EmptyState, ErrorNotice, Icon, Picture,
    RetentionDialog, RunningPanel, Size,
};
use crate::hooks::{use_action, use_query};
use crate::route::Route;
use crate::state::app::{AppContext, Change};
use crate::state::chain;
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

/// What lies over the page.
#[derive(Clone, PartialEq)]
enum Over {
    BackUp,
    Retention,
    Delete(Backup),
    Copy(Backup),
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
    let repositories = use_query(ListRepositories {}, app.version);
    let retention = use_query(GetRetention { vm: vm.clone() }, app.version);
    let repository = use_state(|| None::<RepositoryId>);
    let over = use_state(|| None::<Over>);
    let cancel = use_action::<CancelBackup>(Callback::noop());
    let cancel_copy = use_action::<CancelCopy>(Callback::noop());
    let verify = use_action::<VerifyBackup>(Callback::noop());
    let cancel_verification = use_action::<CancelVerification>(Callback::noop());
    let pin = {
        let app = app.clone();
        use_action::<PinBackup>(Callback::from(move |()| app.dispatch(Change::ListsChanged)))
    };
    let set_over = {
        let over = over.clone();
        Callback::from(move |what: Option<Over>| over.set(what))
    };
    let actions = RowActions {
        on_verify: verify.run.reform(|backup_id| VerifyBackup { backup_id }),
        on_cancel_verification: cancel_verification
            .run
            .reform(|backup_id| CancelVerification { backup_id }),
        on_pin: pin.run.reform(|(backup_id, is_pinned)| PinBackup {
            backup_id,
            is_pinned,
        }),
        on_delete: set_over.reform(|backup| Some(Over::Delete(backup))),
        on_copy: set_over.reform(|backup| Some(Over::Copy(backup))),
        on_cancel_copy: cancel_copy
            .run
            .reform(|(backup_id, repository_id)| CancelCopy {
                backup_id,
                repository_id,
            }),
    };
    let close = set_over.reform(|()| None);
    let deleted = {
        let (app, close) = (app.clone(), close.clone());
        Callback::from(move |gone: Vec<BackupId>| {
            let text = format::count(gone.len().max(1) as u64, "recovery point");
            app.dispatch(Change::done("Deleted", text));
            app.dispatch(Change::ListsChanged);
            close.emit(());
        })
    };
    let on_cancel = cancel.run.reform(|backup_id| CancelBackup { backup_id });
    let started = {
        let (app, close) = (app.clone(), close.clone());
        Callback::from(move |backup: StartedBackup| {
            app.dispatch(Change::started(&backup));
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
    let places: Vec<Repository> = repositories
        .data
        .iter()
        .flat_map(|all| all.iter().cloned())
        .collect();
    let shown: Vec<Backup> = all
        .iter()
        .filter(|backup| repository.is_none() || backup.repository_id == *repository)
        .cloned()
        .collect();
    let finished = shown
        .iter()
        .filter(|backup| backup.status == BackupStatus::Completed);
    let total: u64 = finished.clone().filter_map(size_of).sum();
    let n_chains = finished
        .clone()
        .filter(|backup| backup.backup_type == BackupType::Full)
        .count();
    let n_finished = finished.count();
    let sections = by_repository(&shown);
    let has_titles = sections.len() > 1;
    let errors = [
        &backups.error,
        &cancel.error,
        &cancel_copy.error,
        &cancel_verification.error,
        &pin.error,
    ];
    let open = set_over.reform(|_: MouseEvent| Some(Over::BackUp));
    let open_retention = set_over.reform(|_: MouseEvent| Some(Over::Retention));
    let dialog = match (*over).clone() {
        Some(Over::BackUp) => html! {
            <BackupDialog vm={vm.clone()} on_started={started} on_close={close} />
        },
        Some(Over::Retention) => html! {
            <RetentionDialog vm={vm.clone()} known={all} on_close={close} />
        },
        Some(Over::Delete(backup)) => html! {
            <DeleteBackupDialog {backup} known={all} on_deleted={deleted} on_close={close} />
        },
        Some(Over::Copy(backup)) => html! { <CopyDialog {backup} on_close={close} /> },
        None => Html::default(),
    };
    html! {
        <>
        <header class="page__head">
            <Link<Route> to={Route::Vms} classes="button is-quiet is-icon">
                <Icon picture={Picture::Back} /><span class="sr-only">{ "Back to the list" }</span>
            </Link<Route>>
            <h1 title={vm.vm_name.clone()}>{ &vm.vm_name }</h1>
            <span class="faint page__aside">{ vm.os_type.clone().unwrap_or_default() }</span>
            <span class="page__space"></span>
            if places.len() > 1 {
                <select aria-label="Repository" onchange={on_repository}>
                    <option value="">{ "All repositories" }</option>
                    for known in &places {
                        <option key={known.id.to_string()} value={known.id.to_string()}>{ &known.name }</option>
                    }
                </select>
            }
            if retention.data.is_some() {
                <button class="button" type="button" onclick={open_retention}>{ "Retention…" }</button>
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
                }
                for (id, backups) in sections {
                    if has_titles {
                        <h2>{ name_of(&places, id.as_ref()) }</h2>
                    }
                    <Section
                        key={id.as_ref().map(ToString::to_string).unwrap_or_default()} vm={vm.clone()} repository_id={id.clone()}
                        is_connected={is_connected(&places, id.as_ref())} backups={Rc::new(backups)} actions={actions.clone()}
                    />
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
            <span>{ "Total: " }<Size bytes={Some(total)} />{ format!(" across {}", format::count(n_finished as u64, "recovery point")) }</span>
            <span>{ format::count(n_chains as u64, "chain") }</span>
            <span class="page__space"></span>
            if let Some(retention) = &retention.data {
                <span>{ kept(retention) }</span>
            }
        </footer>
        { dialog }
        </>
    }
}

#[derive(Clone, PartialEq, Properties)]
struct SectionProps {
    vm: Vm,
    repository_id: Option<RepositoryId>,
    /// What is on a disk that is away can be restored when it is back.
    is_connected: bool,
    backups: Rc<Vec<Backup>>,
    actions: RowActions,
}

/// The backups in one repository, with what the hub says of the images there.
#[component]
fn Section(props: &SectionProps) -> Html {
    let app = use_context::<AppContext>();
    let request = GetChain {
        vm: props.vm.clone(),
        repository_id: props
            .repository_id
            .clone()
            .unwrap_or_else(|| RepositoryId::new("")),
    };
    // Not all hubs tell; what they do not tell is taken for good.
    let chain = use_query(request, app.as_ref().map_or(0, |app| app.version));
    let links = chain.data.iter().flat_map(|chain| &chain.chain);
    let links: BTreeMap<&BackupId, &ChainLink> = links
        .filter(|_| props.is_connected)
        .map(|link| (&link.backup_id, link))
        .collect();
    let standings = props
        .backups
        .iter()
        .map(|backup| {
            let id = &backup.backup_id;
            let verifying = app.as_ref().and_then(|app| app.checks.get(id).copied());
            chain::standing(backup, links.get(id).copied(), verifying)
        })
        .collect();
    let copies = app
        .as_ref()
        .map(|app| app.copies.clone())
        .unwrap_or_default();
    html! {
        <>
        if !props.is_connected {
            <p class="is-away" role="status">
                <Icon picture={Picture::Warning} />
                { "This repository is not connected. Nothing in it is lost: connect its disk to restore from it." }
            </p>
        }
        <BackupTable
            {copies}
            hung={chain::hang(&props.backups)} backups={Rc::clone(&props.backups)} standings={Rc::<Vec<_>>::new(standings)}
            actions={props.actions.clone()}
        />
        </>
    }
}

fn is_connected(repositories: &[Repository], id: Option<&RepositoryId>) -> bool {
    let known = repositories.iter().find(|known| Some(&known.id) == id);
    known.is_none_or(|known| known.is_connected != Some(false))
}

/// The backups of each repository, in the order in which the repositories occur.
fn by_repository(backups: &[Backup]) -> Vec<(Option<RepositoryId>, Vec<Backup>)> {
    let mut sections: Vec<(Option<RepositoryId>, Vec<Backup>)> = Vec::new();
    for backup in backups {
        match sections
            .iter_mut()
            .find(|(id, _)| *id == backup.repository_id)
        {
            Some((_, section)) => section.push(backup.clone()),
            None => sections.push((backup.repository_id.clone(), vec![backup.clone()])),
        }
    }
    sections
}

fn name_of(repositories: &[Repository], id: Option<&RepositoryId>) -> String {
    let Some(id) = id else {
        return "Repository not known".to_owned();
    };
    repositories
        .iter()
        .find(|known| known.id == *id)
        .map_or_else(|| id.to_string(), |known| known.name.clone())
}

/// "Keeps the last 7, 14 daily, 8 weekly, 12 monthly"
fn kept(retention: &Retention) -> String {
    let Some(policy) = retention.policy else {
        return "Keeps all recovery points".to_owned();
    };
    let RetentionPolicy {
        keep_last,
        keep_daily,
        keep_weekly,
        keep_monthly,
    } = policy;
    let rules: Vec<String> = [
        (keep_last, format!("the last {keep_last}")),
        (keep_daily, format!("{keep_daily} daily")),
        (keep_weekly, format!("{keep_weekly} weekly")),
        (keep_monthly, format!("{keep_monthly} monthly")),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(_, rule)| rule)
    .collect();
    format!("Keeps {}", rules.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_said_in_few_words() {
        let retention = |policy| Retention {
            policy,
            status: sendense_types::RetentionStatus::Idle,
            error_message: None,
        };
        assert_eq!(kept(&retention(None)), "Keeps all recovery points");
        let policy = RetentionPolicy {
            keep_last: 7,
            keep_monthly: 12,
            ..RetentionPolicy::default()
        };
        assert_eq!(
            kept(&retention(Some(policy))),
            "Keeps the last 7, 12 monthly"
        );
    }
}
