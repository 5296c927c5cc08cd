//! Starting a backup: type, repository, disks.

use sendense_types::commands::{GetIncrementalBases, ListVmDisks, StartBackup};
use sendense_types::{
    Backup, BackupType, ByteSize, IncrementalBase, Repository, StartedBackup, Units, Vm, VmDisk,
};
use sendense_words as words;
use yew::prelude::*;

use super::repository_choice::{repository_choice, use_target};
use super::{Dialog, Picture, Size, error_notice, icon};
use crate::hooks::{use_action, use_query};
use crate::{dom, format};

#[derive(Clone, PartialEq, Properties)]
pub(crate) struct BackupDialogProps {
    pub(crate) vm: Vm,
    pub(crate) on_started: Callback<StartedBackup>,
    pub(crate) on_close: Callback<()>,
}

/// Asks what kind of backup goes where, and starts it.
#[component]
pub(crate) fn BackupDialog(props: &BackupDialogProps) -> Html {
    let vm = &props.vm;
    let target = use_target(None);
    let bases = use_query(GetIncrementalBases { vm: vm.clone() }, 0);
    let disks = use_query(ListVmDisks { vm: vm.clone() }, 0);
    let wanted_type = use_state(|| None::<BackupType>);
    let verify = use_state(|| false);
    let start = use_action::<StartBackup>(props.on_started.clone());

    let repository = target.chosen.as_ref();
    let base = repository.zip(bases.data.as_ref());
    let base = base.and_then(|(repository, known)| base_in(&known.bases, repository));
    let (parent, why_not) = base.map_or_else(Default::default, |base| {
        (base.parent.clone(), base.why_not.clone())
    });
    let backup_type = match (*wanted_type, &parent) {
        (Some(BackupType::Full), _) | (_, None) => BackupType::Full,
        _ => BackupType::Incremental,
    };
    let total: Option<u64> = disks
        .data
        .as_ref()
        .and_then(|disks| disks.iter().map(VmDisk::size_bytes).sum());
    let is_rounded = disks
        .data
        .iter()
        .flat_map(|disks| disks.iter())
        .any(VmDisk::is_rounded);

    let on_action = {
        let (run, vm) = (start.run.clone(), vm.clone());
        let repository_id = repository.map(|repository| repository.id.clone());
        let verify = *verify;
        Callback::from(move |()| {
            if let Some(repository_id) = repository_id.clone() {
                run.emit(StartBackup {
                    vm: vm.clone(),
                    backup_type,
                    repository_id,
                    verify,
                });
            }
        })
    };
    let on_type = {
        let wanted_type = wanted_type.clone();
        Callback::from(move |chosen| wanted_type.set(Some(chosen)))
    };
    let can_verify = repository.is_some_and(|repository| repository.is_connected.is_some());
    let on_verify = {
        let verify = verify.clone();
        Callback::from(move |_: Event| verify.set(!*verify))
    };
    let does_not_fit = does_not_fit(total.filter(|_| !is_rounded), repository);
    let error = [&target.error, &bases.error, &disks.error, &start.error]
        .into_iter()
        .find_map(Clone::clone);
    html! {
        <Dialog
            title={words::backups::title(&vm.vm_name)} action={words::backups::start()} {on_action}
            on_close={props.on_close.clone()} is_blocked={repository.is_none() || bases.data.is_none()}
            is_busy={start.is_running}
        >
            <TypeChoice {backup_type} {parent} {why_not} {total} {is_rounded} on_choice={on_type} />
            { repository_choice(&target) }
            if bases.data.as_ref().is_some_and(|known| known.is_partial) {
                <p class="is-problem" role="status">{ words::backups::unlisted() }</p>
            }
            if does_not_fit {
                <p class="is-problem" role="status">
                    { words::backups::may_not_fit() }
                </p>
            }
            <div class="field">
                <span>{ words::backups::disks() }{ " " }<small class="faint">{ words::backups::disks_hint() }</small></span>
                <ul class="check-list">
                    for disk in disks.data.iter().flat_map(|disks| disks.iter()) {
                        <li key={disk.disk_index}>
                            <label>
                                <input type="checkbox" checked={true} disabled={true} />
                                <span class="check-list__name">{ format::disk(disk.disk_index, &disk.label) }</span>
                                { icon(Picture::Lock) }
                                <Size bytes={disk.size_bytes()} is_rounded={disk.is_rounded()} />
                            </label>
                        </li>
                    }
                </ul>
            </div>
            if can_verify {
                <label class="check">
                    <input type="checkbox" aria-label={words::backups::verify()} checked={*verify} onchange={on_verify} />
                    <span>{ words::backups::verify() }<small class="faint dialog__note">{ words::backups::verify_hint() }</small></span>
                </label>
            }
            <div class="dialog__total"><strong>{ words::backups::total() }</strong><strong><Size bytes={total} {is_rounded} /></strong></div>
            if let Some(error) = &error {
                { error_notice(error, None) }
            }
        </Dialog>
    }
}

#[derive(Clone, PartialEq, Properties)]
struct TypeChoiceProps {
    backup_type: BackupType,
    /// What an incremental one would build on.
    parent: Option<Backup>,
    /// Why there can be none, where that is known.
    why_not: Option<String>,
    total: Option<u64>,
    is_rounded: bool,
    on_choice: Callback<BackupType>,
}

/// Full or incremental, each with what it means.
#[component]
fn TypeChoice(props: &TypeChoiceProps) -> Html {
    let units = use_context::<Units>().unwrap_or_default();
    let full = match props.total {
        Some(total) => {
            let size = ByteSize(total).in_units(units);
            match props.is_rounded {
                true => words::backups::full_up_to(words::common::about(size)),
                false => words::backups::full_up_to(size),
            }
        }
        None => words::backups::full_hint().to_owned(),
    };
    let incremental = match &props.parent {
        Some(parent) => match parent.created_at {
            Some(time) => words::backups::incremental_since(format::ago(time)),
            None => words::backups::incremental_hint().to_owned(),
        },
        None => {
            let why_not = props.why_not.clone();
            why_not.unwrap_or_else(|| words::backups::incremental_not_yet().to_owned())
        }
    };
    // The dialog opens before the backups are known, and its focus then stands on what was chosen so far.
    let group = use_node_ref();
    {
        let group = group.clone();
        use_effect_with(props.backup_type, move |_| dom::focus_checked(&group));
    }
    let card = |value: BackupType, title: &'static str, text: String, is_possible: bool| {
        let is_chosen = props.backup_type == value;
        let onchange = props.on_choice.reform(move |_: Event| value);
        html! {
            <label class={classes!("choice", is_chosen.then_some("is-chosen"), (!is_possible).then_some("is-off"))}>
                <input
                    type="radio" name="type" aria-label={title} checked={is_chosen}
                    disabled={!is_possible} {onchange} aria-description={text.clone()}
                />
                <span><strong>{ title }</strong><small>{ text }</small></span>
            </label>
        }
    };
    html! {
        <div class="choices" role="radiogroup" aria-label={words::common::kind()} ref={group}>
            { card(BackupType::Full, words::backups::full(), full, true) }
            { card(BackupType::Incremental, words::backups::incremental(), incremental, props.parent.is_some()) }
        </div>
    }
}

/// What an incremental backup into a repository would build on; a base whose repository the hub does not say may be
/// anywhere.
fn base_in<'a>(
    bases: &'a [IncrementalBase],
    repository: &Repository,
) -> Option<&'a IncrementalBase> {
    bases.iter().find(|base| {
        let id = base.repository_id.as_ref();
        id.is_none_or(|id| *id == repository.id)
    })
}

fn does_not_fit(total: Option<u64>, repository: Option<&Repository>) -> bool {
    let free = repository.and_then(|repository| repository.available_bytes);
    matches!((total, free), (Some(total), Some(free)) if total > free)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn choice(parent: Option<Backup>, why_not: Option<&str>) -> String {
        yew::LocalServerRenderer::<TypeChoice>::with_props(TypeChoiceProps {
            backup_type: BackupType::Full,
            parent,
            why_not: why_not.map(str::to_owned),
            total: Some(107 << 30),
            is_rounded: false,
            on_choice: Callback::noop(),
        })
        .hydratable(false)
        .render()
        .await
    }

    #[tokio::test(flavor = "current_thread")]
    async fn what_an_incremental_backup_holds_is_said_in_a_sentence() {
        let mut parent: Backup = serde_json::from_value(serde_json::json!({
            "backup_id": "b1", "vm_context_id": "vm", "vm_name": "pgtest1", "repository_id": "local",
            "backup_type": "full", "status": "completed", "hub_status": "completed", "disks": [],
            "disk_count": 1, "progress_percent": null, "bytes_transferred": null, "total_bytes": null,
            "total_size_gb": null, "current_phase": null, "transfer_speed_bps": null,
            "error_message": null, "created_at": null, "started_at": null, "completed_at": null,
        }))
        .unwrap();
        parent.created_at = jiff::Timestamp::from_millisecond(dom::now_ms() as i64).ok();
        let html = choice(Some(parent), None).await;
        assert!(html.contains("since the last backup, just now"), "{html}");
    }

    /// Contract D60.
    #[tokio::test(flavor = "current_thread")]
    async fn without_a_backup_to_build_on_incremental_says_why_it_is_off() {
        let html = choice(None, None).await;
        assert!(html.contains("no completed backup to build on"), "{html}");
        assert!(html.contains("up to 107 GiB"), "{html}");
        insta::assert_snapshot!(html);
    }

    /// Contract H41.
    #[tokio::test(flavor = "current_thread")]
    async fn where_the_hub_would_lose_changes_incremental_is_off_and_says_so() {
        let html = choice(None, Some(words::backups::incremental_elsewhere())).await;
        assert!(html.contains("in another repository"), "{html}");
        assert_eq!(html.matches("disabled=").count(), 1, "{html}");
    }
}
