//! Starting backups of several machines at once.

use std::cell::RefCell;
use std::rc::Rc;

use sendense_types::commands::StartBackup;
use sendense_types::{AppError, BackupType, ErrorKind, RepositoryId, Vm};
use sendense_words as words;
use yew::prelude::*;

use super::repository_choice::{repository_choice, use_target};
use super::{Dialog, Picture, error_notice, icon};
use crate::ipc;

#[derive(Clone, PartialEq, Properties)]
pub(crate) struct BackupSeveralDialogProps {
    pub(crate) vms: Vec<Vm>,
    /// So many were started, and none of the others is waiting any more.
    pub(crate) on_done: Callback<usize>,
    pub(crate) on_close: Callback<()>,
}

/// Machines that could not be started, and why.
type Refusals = Vec<(String, AppError)>;

/// Asks once for all of them what kind of backup goes where.
#[component]
pub(crate) fn BackupSeveralDialog(props: &BackupSeveralDialogProps) -> Html {
    let target = use_target(None);
    let is_incremental = use_state(|| true);
    let is_busy = use_state(|| false);
    let refusals = use_state(Refusals::new);
    let chosen = target.chosen.as_ref().map(|known| known.id.clone());
    let on_action = {
        let (chosen, vms, is_incremental) = (chosen.clone(), props.vms.clone(), *is_incremental);
        let (is_busy, refusals, on_done) =
            (is_busy.clone(), refusals.clone(), props.on_done.clone());
        let has_begun = !refusals.is_empty();
        Callback::from(move |()| {
            let Some(repository_id) = chosen.clone() else {
                return;
            };
            if has_begun {
                // The others are running; there is nothing left to start.
                return on_done.emit(0);
            }
            is_busy.set(true);
            let (is_busy, refusals, on_done) = (is_busy.clone(), refusals.clone(), on_done.clone());
            start_all(
                &vms,
                &repository_id,
                is_incremental,
                move |refused, n_started| {
                    is_busy.set(false);
                    if refused.is_empty() {
                        on_done.emit(n_started);
                    } else {
                        refusals.set(refused);
                    }
                },
            );
        })
    };
    let choose = |value: bool| {
        let is_incremental = is_incremental.clone();
        Callback::from(move |_: Event| is_incremental.set(value))
    };
    let action = match (*is_busy, refusals.is_empty()) {
        (true, _) => words::backups::starting().to_owned(),
        (false, true) => words::backups::start_several(props.vms.len() as u64),
        (false, false) => words::common::done().to_owned(),
    };
    html! {
        <Dialog
            title={words::backups::several_title(props.vms.len() as u64)} {action} {on_action}
            on_close={props.on_close.clone()} is_blocked={chosen.is_none()} is_busy={*is_busy}
        >
            <div class="choices" role="radiogroup" aria-label={words::common::kind()}>
                <label class={classes!("choice", (!*is_incremental).then_some("is-chosen"))}>
                    <input type="radio" name="type" aria-label={words::backups::full()} checked={!*is_incremental} onchange={choose(false)} />
                    <span><strong>{ words::backups::full() }</strong><small>{ words::backups::full_hint() }</small></span>
                </label>
                <label class={classes!("choice", is_incremental.then_some("is-chosen"))}>
                    <input type="radio" name="type" aria-label={words::backups::incremental()} checked={*is_incremental} onchange={choose(true)} />
                    <span><strong>{ words::backups::incremental() }</strong><small>{ words::backups::incremental_or_full_hint() }</small></span>
                </label>
            </div>
            { repository_choice(&target) }
            <ul class="check-list" aria-label={words::vms::title()}>
                for vm in &props.vms {
                    <li class="check-list__line" key={vm.context_id.to_string()}>
                        { icon(Picture::Machine) }
                        <span class="check-list__name">{ &vm.vm_name }</span>
                        if let Some((_, error)) = refusals.iter().find(|(name, _)| *name == vm.vm_name) {
                            <small class="is-problem">{ error.to_string() }</small>
                        }
                    </li>
                }
            </ul>
            if !refusals.is_empty() {
                <p role="status">{ words::backups::others_started() }</p>
            }
            if let Some(error) = &target.error {
                { error_notice(error, Some(&target.reload)) }
            }
        </Dialog>
    }
}

/// Starts all of them; hands over, once all have been answered, whom the hub refused and how many began.
fn start_all(
    vms: &[Vm],
    repository_id: &RepositoryId,
    is_incremental: bool,
    then: impl FnOnce(Refusals, usize) + 'static,
) {
    let mut then = Some(then);
    let n_all = vms.len();
    let answers = Rc::new(RefCell::new((Refusals::new(), 0_usize)));
    let told = {
        let answers = Rc::clone(&answers);
        Rc::new(RefCell::new(
            move |name: String, answer: Result<(), AppError>| {
                let mut answers = answers.borrow_mut();
                match answer {
                    Ok(()) => answers.1 += 1,
                    Err(error) => answers.0.push((name, error)),
                }
                if answers.0.len() + answers.1 == n_all
                    && let Some(then) = then.take()
                {
                    then(std::mem::take(&mut answers.0), answers.1);
                }
            },
        ))
    };
    for vm in vms {
        let request = StartBackup {
            vm: vm.clone(),
            backup_type: match is_incremental {
                true => BackupType::Incremental,
                false => BackupType::Full,
            },
            repository_id: repository_id.clone(),
            verify: false,
        };
        let told = Rc::clone(&told);
        let again = StartBackup {
            backup_type: BackupType::Full,
            ..request.clone()
        };
        ipc::send(&request, move |answer| match answer {
            Err(error) if error.kind == ErrorKind::NeedsFull => {
                let name = again.vm.vm_name.clone();
                ipc::send(&again, move |answer| {
                    (told.borrow_mut())(name, answer.map(drop));
                });
            }
            answer => (told.borrow_mut())(again.vm.vm_name, answer.map(drop)),
        });
    }
}
