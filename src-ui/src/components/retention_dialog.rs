//! How many recovery points of a VM are kept, and which of them the rules would remove.

use sendense_types::commands::{GetRetention, PreviewRetention, RunRetention, SetRetention};
use sendense_types::{
    Backup, BackupId, Retention, RetentionAction, RetentionPoint, RetentionPolicy, Vm,
};
use sendense_words as words;
use yew::prelude::*;

use super::{Dialog, Picture, badge, error_notice, error_notices};
use crate::hooks::{use_action, use_query};
use crate::state::app::{AppContext, Change};
use crate::{dom, format};

/// Nobody keeps more of one kind, although the hub would accept larger numbers.
const MOST: u32 = 999;
/// Proposed to a user who keeps everything so far: many recent ones, fewer of the older.
const PROPOSAL: RetentionPolicy = RetentionPolicy {
    keep_last: 7,
    keep_daily: 14,
    keep_weekly: 8,
    keep_monthly: 12,
};

#[derive(Clone, PartialEq, Properties)]
pub(crate) struct RetentionDialogProps {
    pub(crate) vm: Vm,
    /// All backups of the VM, to tell the times of those that would be removed.
    pub(crate) known: Vec<Backup>,
    pub(crate) on_close: Callback<()>,
}

/// Reads the rules, then lets them be changed.
#[component]
pub(crate) fn RetentionDialog(props: &RetentionDialogProps) -> Html {
    let retention = use_query(
        GetRetention {
            vm: props.vm.clone(),
        },
        0,
    );
    let title = words::retention::title(&props.vm.vm_name);
    match &retention.data {
        Some(retention) => html! {
            <Rules
                {title} vm={props.vm.clone()} retention={(**retention).clone()} known={props.known.clone()}
                on_close={props.on_close.clone()}
            />
        },
        None => html! {
            <Dialog {title} action={words::common::save()} on_action={Callback::noop()} on_close={props.on_close.clone()} is_blocked={true}>
                if let Some(error) = &retention.error {
                    { error_notice(error, Some(&retention.reload)) }
                } else {
                    <div class="skeleton" role="status" aria-label={words::common::loading()}></div>
                }
            </Dialog>
        },
    }
}

#[derive(Clone, PartialEq, Properties)]
struct RulesProps {
    title: String,
    vm: Vm,
    retention: Retention,
    known: Vec<Backup>,
    on_close: Callback<()>,
}

#[component]
fn Rules(props: &RulesProps) -> Html {
    let app = use_context::<AppContext>();
    let is_limited = use_state(|| props.retention.policy.is_some());
    let policy = use_state(|| props.retention.policy.unwrap_or(PROPOSAL));
    let wanted = is_limited.then_some(*policy);
    let keeps_nothing = wanted == Some(RetentionPolicy::default());
    let say = {
        let (app, on_close, name) = (app, props.on_close.clone(), props.vm.vm_name.clone());
        Callback::from(move |text: String| {
            if let Some(app) = &app {
                app.dispatch(Change::done(words::retention::title(&name), text));
                app.dispatch(Change::ListsChanged);
            }
            on_close.emit(());
        })
    };
    let run = use_action::<RunRetention>(say.reform(|points: Vec<RetentionPoint>| {
        let gone = points.iter().filter(|point| is_going(point)).count();
        words::retention::deleted(gone as u64)
    }));
    let save =
        use_action::<SetRetention>(say.reform(|_| words::retention::holds_next().to_owned()));
    let save_for_run = {
        let (run, vm) = (run.run.clone(), props.vm.clone());
        use_action::<SetRetention>(Callback::from(move |_| {
            run.emit(RunRetention { vm: vm.clone() });
        }))
    };
    let request = SetRetention {
        vm: props.vm.clone(),
        policy: wanted,
    };
    let on_action = {
        let request = request.clone();
        save.run.reform(move |()| request.clone())
    };
    let on_run = save_for_run.run.reform(move |()| request.clone());
    let choose = |value: bool| {
        let is_limited = is_limited.clone();
        Callback::from(move |_: Event| is_limited.set(value))
    };
    let number = |label: &'static str, value: u32, set: fn(&mut RetentionPolicy, u32)| {
        let policy = policy.clone();
        let oninput = Callback::from(move |event: InputEvent| {
            let mut changed = *policy;
            set(
                &mut changed,
                dom::value_of(&event).parse().unwrap_or(0).min(MOST),
            );
            policy.set(changed);
        });
        // None is shown as a placeholder, so that a digit typed there does not become one of ten.
        let value = match value {
            0 => String::new(),
            value => value.to_string(),
        };
        html! {
            <label class="field">
                <span>{ label }</span>
                <input type="number" min="0" max={MOST.to_string()} placeholder="0" aria-label={label} {value} {oninput} />
            </label>
        }
    };
    let is_busy = save.is_running || save_for_run.is_running || run.is_running;
    let errors = [&save.error, &save_for_run.error, &run.error];
    html! {
        <Dialog
            title={props.title.clone()} action={words::common::save()} {on_action} on_close={props.on_close.clone()}
            is_blocked={keeps_nothing} {is_busy}
        >
            <div class="choices" role="radiogroup" aria-label={words::retention::kept()}>
                <label class={classes!("choice", (!*is_limited).then_some("is-chosen"))}>
                    <input type="radio" name="kept" aria-label={words::retention::keep_all()} checked={!*is_limited} onchange={choose(false)} />
                    <span><strong>{ words::retention::keep_all() }</strong><small>{ words::retention::keep_all_hint() }</small></span>
                </label>
                <label class={classes!("choice", is_limited.then_some("is-chosen"))}>
                    <input type="radio" name="kept" aria-label={words::retention::keep_some()} checked={*is_limited} onchange={choose(true)} />
                    <span><strong>{ words::retention::keep_some() }</strong><small>{ words::retention::keep_some_hint() }</small></span>
                </label>
            </div>
            if *is_limited {
                <div class="number-fields">
                    { number(words::retention::last(), policy.keep_last, |policy, count| policy.keep_last = count) }
                    { number(words::retention::daily(), policy.keep_daily, |policy, count| policy.keep_daily = count) }
                    { number(words::retention::weekly(), policy.keep_weekly, |policy, count| policy.keep_weekly = count) }
                    { number(words::retention::monthly(), policy.keep_monthly, |policy, count| policy.keep_monthly = count) }
                </div>
                <p class="faint">
                    { words::retention::hint() }
                </p>
                if keeps_nothing {
                    <p class="is-problem" role="status">{ words::retention::keeps_nothing() }</p>
                } else {
                    <Preview vm={props.vm.clone()} policy={*policy} known={props.known.clone()} {is_busy} {on_run} />
                }
            }
            if let Some(why) = &props.retention.error_message {
                <p class="is-problem">{ words::retention::ended_early(why) }</p>
            }
            { error_notices(errors.into_iter().flatten(), None) }
        </Dialog>
    }
}

#[derive(Clone, PartialEq, Properties)]
struct PreviewProps {
    vm: Vm,
    policy: RetentionPolicy,
    known: Vec<Backup>,
    is_busy: bool,
    /// Saves the rules and applies them now, not only from the next backup on.
    on_run: Callback<()>,
}

/// What these rules would remove now.
#[component]
fn Preview(props: &PreviewProps) -> Html {
    let request = PreviewRetention {
        vm: props.vm.clone(),
        policy: props.policy,
    };
    let preview = use_query(request, 0);
    if let Some(error) = preview.error {
        return error_notice(&error, Some(&preview.reload));
    }
    let Some(points) = preview.data else {
        return html! { <p class="faint" role="status">{ words::retention::looking() }</p> };
    };
    fates(&points, &props.known, props.is_busy, &props.on_run)
}

/// What would become of the present recovery points.
fn fates(
    points: &[RetentionPoint],
    known: &[Backup],
    is_busy: bool,
    on_run: &Callback<()>,
) -> Html {
    let going: Vec<&RetentionPoint> = points.iter().filter(|point| is_going(point)).collect();
    let time_of = |id: &BackupId| {
        let known = known.iter().find(|known| known.backup_id == *id);
        known
            .and_then(|known| known.created_at)
            .map_or_else(|| id.to_string(), format::date)
    };
    if going.is_empty() {
        let text = match points.len() {
            0 => words::retention::none_yet().to_owned(),
            n => words::retention::all_stay(n as u64),
        };
        return html! { <p role="status">{ text }</p> };
    }
    let onclick = on_run.reform(|_: MouseEvent| ());
    html! {
        <div class="field">
            <span>{ words::retention::going_now(points.len() as u64, going.len()) }</span>
            <ul class="check-list" aria-label={words::retention::going()}>
                for point in &going {
                    <li class="check-list__line" key={point.backup_id.to_string()}>
                        <span class="check-list__name num">{ time_of(&point.backup_id) }</span>
                        if point.action == RetentionAction::Merge {
                            { badge("is-plain", Some(Picture::Link), words::retention::merged()) }
                        } else {
                            { badge("is-warn", Some(Picture::Cross), words::common::delete()) }
                        }
                    </li>
                }
            </ul>
            <div class="dialog__line">
                <button class="button" type="button" disabled={is_busy} {onclick}>
                    { if is_busy { words::retention::deleting() } else { words::retention::save_and_delete() } }
                </button>
            </div>
        </div>
    }
}

fn is_going(point: &RetentionPoint) -> bool {
    point.action != RetentionAction::Keep
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn point(day: u32, action: RetentionAction) -> RetentionPoint {
        RetentionPoint {
            backup_id: BackupId::new(format!("b{day}")),
            action,
            reason: String::new(),
        }
    }

    async fn fates(points: Vec<RetentionPoint>) -> String {
        testing::shown(super::fates(&points, &[], false, &Callback::noop())).await
    }

    #[tokio::test(flavor = "current_thread")]
    async fn what_goes_is_listed_and_what_stays_is_not() {
        let points = vec![
            point(1, RetentionAction::Delete),
            point(2, RetentionAction::Merge),
            point(3, RetentionAction::Keep),
        ];
        let html = fates(points).await;
        assert!(html.contains("2 of 3 recovery points"), "{html}");
        assert!(!html.contains("b3"), "{html}");
        insta::assert_snapshot!(html);
        let html = fates(vec![point(3, RetentionAction::Keep)]).await;
        assert!(html.contains("Nothing would be removed now"), "{html}");
    }
}
