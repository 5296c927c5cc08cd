//! The backups of one VM, newest first, and those that run now.

mod table;

use std::collections::BTreeMap;
use std::rc::Rc;

use sendense_types::commands::{
    CancelBackup, CancelCopy, CancelVerification, GetChain, GetRetention, GetVm, ListBackups,
    ListRepositories, PinBackup, VerifyBackup,
};
use sendense_types::{
    AppError, Backup, BackupId, BackupStatus, BackupType, ByteSize, ChainLink, Repository,
    RepositoryId, Retention, RetentionPolicy, StartedBackup, Units, Vm, VmId,
};
use sendense_words as words;
use yew::prelude::*;
use yew_router::prelude::*;

use self::table::{Row, RowActions, backup_rows, backup_table, size_of};
use crate::components::{
    BackupDialog, CopyDialog, DeleteBackupDialog, Picture, RetentionDialog, empty_state,
    error_notice, error_notices, icon, running_panel,
};
use crate::dom;
use crate::hooks::{use_action, use_query, use_same_vm};
use crate::route::Route;
use crate::state::app::{AppContext, Change, Running};
use crate::state::chain;

#[derive(Clone, PartialEq, Properties)]
pub(crate) struct HistoryProps {
    pub(crate) vm_id: AttrValue,
}

/// Finds the VM, then shows its backups.
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
            <div class="page__body">{ error_notice(&error, Some(&vm.reload)) }</div>
        },
        (None, None) => {
            html! { <div class="skeleton" role="status" aria-label={words::common::loading()}></div> }
        }
    }
}

/// The dialog over the page.
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
    let same = use_same_vm(vm);
    let asked = || (*same).clone();
    let backups = use_query(ListBackups { vm: asked() }, app.version);
    let repositories = use_query(ListRepositories {}, app.version);
    let retention = use_query(GetRetention { vm: asked() }, app.version);
    let repository = use_state(|| None::<RepositoryId>);
    let over = use_state(|| None::<Over>);
    let set_over = {
        let over = over.clone();
        Callback::from(move |what: Option<Over>| over.set(what))
    };
    let cancel = use_action::<CancelBackup>(Callback::noop());
    let on_cancel = cancel.run.reform(|backup_id| CancelBackup { backup_id });
    let upkeep = use_upkeep(&app, &set_over);
    let on_repository = {
        let repository = repository.clone();
        Callback::from(move |event: Event| {
            let id = dom::value_of(&event);
            repository.set(Some(id).filter(|id| !id.is_empty()).map(RepositoryId::from));
        })
    };
    let running: Vec<&Running> = app
        .running
        .values()
        .filter(|running| running.progress.backup.vm_context_id.as_ref() == Some(&vm.context_id))
        .map(|running| &**running)
        .collect();
    let all: &[Backup] = backups.data.as_ref().map_or(&[], |known| &known.backups);
    let places: &[Repository] = repositories.data.as_ref().map_or(&[], |all| all.as_slice());
    let shown: Vec<&Backup> = all
        .iter()
        .filter(|backup| repository.is_none() || backup.repository_id == *repository)
        .collect();
    let errors = [&backups.error, &cancel.error].into_iter().flatten();
    html! {
        <>
        <header class="page__head">
            { title(vm) }
            if places.len() > 1 {
                { choice(places, on_repository) }
            }
            if retention.data.is_some() {
                <button class="button" type="button" onclick={set_over.reform(|_: MouseEvent| Some(Over::Retention))}>
                    { words::history::retention() }
                </button>
            }
            <button
                class="button is-primary" type="button" disabled={!running.is_empty()}
                title={if running.is_empty() { "" } else { words::history::vm_busy() }}
                onclick={set_over.reform(|_: MouseEvent| Some(Over::BackUp))}
            >
                { words::backups::back_up_now() }
            </button>
        </header>
        <div class="page__body history">
            <div class="history__list">
                { error_notices(errors.chain(&upkeep.errors), Some(&backups.reload)) }
                if backups.data.is_none() && backups.is_loading {
                    <div class="skeleton" role="status" aria-label={words::history::loading()}></div>
                }
                if backups.data.as_ref().is_some_and(|known| known.is_partial) {
                    <p class="is-problem">{ words::history::partial() }</p>
                }
                if shown.is_empty() && backups.data.is_some() {
                    { empty_state(
                        Picture::Clock, words::history::none_yet(),
                        words::history::none_yet_hint(), Html::default(),
                    ) }
                } else if !shown.is_empty() {
                    { backup_table(sections(&same, &shown, places, &upkeep.actions)) }
                }
            </div>
            if !running.is_empty() {
                <aside class="history__side">
                    for running in running {
                        { running_panel(words::backups::running_now(), running, app.settings.units, &on_cancel) }
                    }
                </aside>
            }
        </div>
        { status(&shown, retention.data.as_deref(), app.settings.units) }
        { dialog(&app, over.as_ref(), vm, all, set_over.reform(|()| None)) }
        </>
    }
}

/// The actions of the rows, and which of them failed.
struct Upkeep {
    actions: RowActions,
    errors: Vec<AppError>,
}

#[hook]
fn use_upkeep(app: &AppContext, set_over: &Callback<Option<Over>>) -> Upkeep {
    let verify = use_action::<VerifyBackup>(Callback::noop());
    let cancel_verification = use_action::<CancelVerification>(Callback::noop());
    let cancel_copy = use_action::<CancelCopy>(Callback::noop());
    let pin = {
        let app = app.clone();
        use_action::<PinBackup>(Callback::from(move |()| app.dispatch(Change::ListsChanged)))
    };
    let errors = [&cancel_copy.error, &cancel_verification.error, &pin.error];
    Upkeep {
        errors: errors.into_iter().flatten().cloned().collect(),
        actions: RowActions {
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
        },
    }
}

/// A link back to the list, and the name of the VM.
fn title(vm: &Vm) -> Html {
    html! {
        <>
        <Link<Route> to={Route::Vms} classes="button is-quiet is-icon">
            { icon(Picture::Back) }<span class="sr-only">{ words::history::back() }</span>
        </Link<Route>>
        <h1 title={vm.vm_name.clone()}>{ &vm.vm_name }</h1>
        <span class="faint page__aside">{ vm.os_type.clone().unwrap_or_default() }</span>
        <span class="page__space"></span>
        </>
    }
}

/// Chooses one repository, or all.
fn choice(places: &[Repository], onchange: Callback<Event>) -> Html {
    html! {
        <select aria-label={words::repositories::repository()} {onchange}>
            <option value="">{ words::history::all_repositories() }</option>
            for known in places {
                <option key={known.id.to_string()} value={known.id.to_string()}>{ &known.name }</option>
            }
        </select>
    }
}

/// The backups of each repository, below its name if there are several.
fn sections(vm: &Vm, shown: &[&Backup], places: &[Repository], actions: &RowActions) -> Html {
    let sections = by_repository(shown);
    let has_titles = sections.len() > 1;
    html! {
        for (id, backups) in sections {
            <Section
                key={id.as_ref().map(ToString::to_string).unwrap_or_default()} vm={vm.clone()} repository_id={id.clone()}
                title={has_titles.then(|| name_of(places, id.as_ref()))} is_connected={is_connected(places, id.as_ref())}
                backups={Rc::new(backups)} actions={actions.clone()}
            />
        }
    }
}

/// How much there is, and how much the retention keeps.
fn status(shown: &[&Backup], retention: Option<&Retention>, units: Units) -> Html {
    let finished = || {
        let is_finished = |backup: &&Backup| backup.status == BackupStatus::Completed;
        shown.iter().copied().filter(is_finished)
    };
    // Hubs that count the last disk only tell no size of some.
    let total: Option<u64> = finished().map(size_of).sum();
    let is_full = |backup: &&Backup| backup.backup_type == BackupType::Full;
    let n_chains = finished().filter(is_full).count();
    let n_points = finished().count() as u64;
    html! {
        <footer class="page__status num">
            if let Some(total) = total {
                <span title={words::browser::bytes(total)}>{ words::history::total(n_points, ByteSize(total).in_units(units)) }</span>
            } else {
                <span>{ words::common::recovery_points(n_points) }</span>
            }
            <span>{ words::history::chains(n_chains as u64) }</span>
            <span class="page__space"></span>
            if let Some(retention) = retention {
                <span>{ kept(retention) }</span>
            }
        </footer>
    }
}

/// The open dialog, if there is one; `known` are all backups of the VM.
fn dialog(
    app: &AppContext,
    over: Option<&Over>,
    vm: &Vm,
    known: &[Backup],
    on_close: Callback<()>,
) -> Html {
    // Says something, looks again, and closes.
    let say = {
        let (app, on_close) = (app.dispatcher(), on_close.clone());
        Callback::from(move |change: Change| {
            app.dispatch(change);
            app.dispatch(Change::ListsChanged);
            on_close.emit(());
        })
    };
    let vm = vm.clone();
    match over.cloned() {
        Some(Over::BackUp) => {
            let on_started = say.reform(|backup: StartedBackup| Change::started(&backup));
            html! { <BackupDialog {vm} {on_started} {on_close} /> }
        }
        Some(Over::Retention) => html! {
            <RetentionDialog {vm} known={known.to_vec()} {on_close} />
        },
        Some(Over::Delete(backup)) => {
            let on_deleted = say.reform(|gone: Vec<BackupId>| {
                let text = words::common::recovery_points(gone.len().max(1) as u64);
                Change::done(words::history::deleted(), text)
            });
            html! {
                <DeleteBackupDialog {backup} known={known.to_vec()} {on_deleted} {on_close} />
            }
        }
        Some(Over::Copy(backup)) => html! { <CopyDialog {backup} {on_close} /> },
        None => Html::default(),
    }
}

#[derive(Clone, PartialEq, Properties)]
struct SectionProps {
    vm: Vm,
    repository_id: Option<RepositoryId>,
    /// Its name, if there are several.
    title: Option<String>,
    /// Whether its disk is there. If not, its backups can be restored once it is connected again.
    is_connected: bool,
    backups: Rc<Vec<Backup>>,
    actions: RowActions,
}

/// The backups in one repository, with what the hub says about the images there.
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
    let mut links = BTreeMap::<&BackupId, &ChainLink>::new();
    let told = chain.data.iter().filter(|_| props.is_connected);
    for link in told.flat_map(|chain| &chain.chain) {
        links.insert(&link.backup_id, link);
    }
    let hung = chain::hang(&props.backups);
    let rows = props.backups.iter().zip(hung).map(|(backup, hang)| {
        let id = &backup.backup_id;
        let verifying = app.as_ref().and_then(|app| app.checks.get(id).copied());
        Row {
            backup: backup.clone(),
            hang,
            standing: chain::standing(backup, links.get(id).copied(), verifying),
            copy: app.as_ref().and_then(|app| app.copies.get(id).cloned()),
        }
    });
    backup_rows(
        props.title.as_deref(),
        props.is_connected,
        rows,
        &props.actions,
    )
}

fn is_connected(repositories: &[Repository], id: Option<&RepositoryId>) -> bool {
    let known = repositories.iter().find(|known| Some(&known.id) == id);
    known.is_none_or(|known| known.is_connected != Some(false))
}

/// The backups grouped by repository, in order of first appearance.
fn by_repository(backups: &[&Backup]) -> Vec<(Option<RepositoryId>, Vec<Backup>)> {
    let mut sections: Vec<(Option<RepositoryId>, Vec<Backup>)> = Vec::new();
    for backup in backups {
        match sections
            .iter_mut()
            .find(|(id, _)| *id == backup.repository_id)
        {
            Some((_, section)) => section.push((*backup).clone()),
            None => sections.push((backup.repository_id.clone(), vec![(*backup).clone()])),
        }
    }
    sections
}

fn name_of(repositories: &[Repository], id: Option<&RepositoryId>) -> String {
    let Some(id) = id else {
        return words::history::repository_unknown().to_owned();
    };
    repositories
        .iter()
        .find(|known| known.id == *id)
        .map_or_else(|| id.to_string(), |known| known.name.clone())
}

/// "Keeps the last 7, 14 daily, 8 weekly, 12 monthly"
fn kept(retention: &Retention) -> String {
    let Some(policy) = retention.policy else {
        return words::history::keeps_all().to_owned();
    };
    let RetentionPolicy {
        keep_last,
        keep_daily,
        keep_weekly,
        keep_monthly,
    } = policy;
    let rules = words::retention::rules(keep_last, keep_daily, keep_weekly, keep_monthly);
    words::history::keeps(rules)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Contract H24.
    #[test]
    fn a_repository_that_the_hub_does_not_list_is_called_by_its_id() {
        let repository = Repository {
            name: "Vault".to_owned(),
            ..Repository::of_id(RepositoryId::from("r1"))
        };
        let name = |id: &str| {
            name_of(
                std::slice::from_ref(&repository),
                Some(&RepositoryId::from(id)),
            )
        };
        assert_eq!(name("r1"), "Vault");
        assert_eq!(name("repo-7"), "repo-7");
    }

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
