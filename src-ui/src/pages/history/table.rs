//! The backups of one machine in one repository, as a table with their chain beside it.

use std::collections::BTreeMap;
use std::rc::Rc;

use sendense_types::{Backup, BackupCopy, BackupId, BackupStatus, BackupType, RepositoryId};
use yew::prelude::*;
use yew_router::prelude::*;

use crate::components::{BackupTypeBadge, Badge, Icon, Menu, MenuItem, Picture, Size, StatusBadge};
use crate::route::Route;
use crate::state::chain::{Hang, Standing, Trust};
use crate::{dom, format};

/// What can be done with a row.
#[derive(Clone, PartialEq)]
pub(super) struct RowActions {
    pub(super) on_verify: Callback<BackupId>,
    /// No longer to be verified.
    pub(super) on_cancel_verification: Callback<BackupId>,
    /// To be pinned, or no longer.
    pub(super) on_pin: Callback<(BackupId, bool)>,
    /// To be deleted, after a question.
    pub(super) on_delete: Callback<Backup>,
    /// To be copied elsewhere; where to is asked.
    pub(super) on_copy: Callback<Backup>,
    /// No longer to be copied there.
    pub(super) on_cancel_copy: Callback<(BackupId, RepositoryId)>,
}

#[derive(Clone, PartialEq, Properties)]
pub(super) struct BackupTableProps {
    /// Newest first.
    pub(super) backups: Rc<Vec<Backup>>,
    /// For each of them, how it hangs in its chain.
    pub(super) hung: Vec<Hang>,
    /// For each of them, how far it can be relied on.
    pub(super) standings: Rc<Vec<Standing>>,
    /// Copies that are under way or done, by what is copied.
    pub(super) copies: BTreeMap<BackupId, BackupCopy>,
    pub(super) actions: RowActions,
}

/// Chain, recovery point, type, size, duration, state.
#[component]
pub(super) fn BackupTable(props: &BackupTableProps) -> Html {
    let rows = props
        .backups
        .iter()
        .zip(&props.hung)
        .zip(props.standings.iter());
    html! {
        <table class="table">
            <thead><tr>
                <th class="chain"><span class="sr-only">{ "Chain" }</span></th><th>{ "Recovery point" }</th><th>{ "Type" }</th>
                <th class="is-right">{ "Size" }</th><th class="is-right is-wide-only">{ "Duration" }</th><th>{ "State" }</th>
                <th><span class="sr-only">{ "Actions" }</span></th>
            </tr></thead>
            <tbody>
                for ((backup, hang), standing) in rows {
                    <BackupRow
                        key={backup.backup_id.to_string()} backup={backup.clone()} hang={*hang} standing={standing.clone()}
                        copy={props.copies.get(&backup.backup_id).cloned()} actions={props.actions.clone()}
                    />
                }
            </tbody>
        </table>
    }
}

#[derive(Clone, PartialEq, Properties)]
struct BackupRowProps {
    backup: Backup,
    hang: Hang,
    standing: Standing,
    copy: Option<BackupCopy>,
    actions: RowActions,
}

/// One backup. Its mark hangs it into its chain: a disc begins one, a ring goes on.
#[component]
fn BackupRow(props: &BackupRowProps) -> Html {
    let navigator = use_navigator();
    let is_open = use_state(|| false);
    let backup = &props.backup;
    let trust = props.standing.trust;
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
    let copy = props.copy.as_ref().filter(|copy| !copy.status.is_over());
    let toggle = {
        let is_open = is_open.clone();
        Callback::from(move |_: MouseEvent| is_open.set(!*is_open))
    };
    let why = backup
        .error_message
        .clone()
        .unwrap_or_else(|| "The hub gives no reason.".to_owned());
    html! {
        <>
        <tr aria-label={format!("Backup of {time}")} class={classes!((!is_good).then_some("is-off"))}>
            <ChainMark backup={backup.clone()} hang={props.hang} is_broken={trust == Trust::Broken} />
            <td class="num">
                <strong title={backup.backup_id.to_string()}>{ &time }</strong>
                if backup.is_pinned == Some(true) {
                    <span class="pinned" title="Pinned: nothing deletes it"><Icon picture={Picture::Pin} />{ "Pinned" }</span>
                }
            </td>
            <td><BackupTypeBadge backup_type={backup.backup_type} /></td>
            <td class="is-right"><Size bytes={size_of(backup).filter(|_| is_good)} /></td>
            <td class="is-right num is-wide-only">{ duration_of(backup) }</td>
            <td>
                <span title={props.standing.note.clone()}><StandingBadge status={backup.status} {trust} /></span>
                if let Some(copy) = copy {
                    { " " }<Badge tone="is-run" picture={Picture::Stack} text={format!("Copying {:.0} %", copy.progress_percent)} />
                }
            </td>
            <td>
                <div class="actions">
                    if is_good {
                        <button class="button is-small" type="button" onclick={restore}>{ "Restore…" }</button>
                    } else if backup.status == BackupStatus::Failed {
                        <button class="button is-small" type="button" aria-expanded={is_open.to_string()} onclick={toggle}>{ "Why?" }</button>
                    }
                    <Menu label={format!("More for the backup of {time}")} items={menu_of(backup, trust, copy, &props.actions)} />
                </div>
            </td>
        </tr>
        if *is_open {
            <tr><td class="chain"></td><td colspan="6" class="table__why is-problem">{ why }</td></tr>
        }
        </>
    }
}

#[derive(Clone, PartialEq, Properties)]
struct ChainMarkProps {
    backup: Backup,
    hang: Hang,
    is_broken: bool,
}

/// The mark of a backup and the lines to those it belongs to.
#[component]
fn ChainMark(props: &ChainMarkProps) -> Html {
    let Hang {
        has_child,
        has_parent,
        is_passed,
    } = props.hang;
    let is_good = props.backup.status == BackupStatus::Completed;
    let (class, title) = match (is_good, props.is_broken, props.backup.backup_type) {
        (false, ..) if !props.backup.status.is_over() => ("is-failed", "Not finished yet"),
        (false, ..) => ("is-failed", "No recovery point"),
        (_, true, _) => ("is-broken", "Cannot be restored"),
        (_, _, BackupType::Full) => ("is-full", "Begins a chain"),
        _ => ("is-incremental", "Builds on the one below"),
    };
    html! {
        <td class={classes!(
            "chain", (has_child || is_passed).then_some("goes-up"), (has_parent || is_passed).then_some("goes-down"),
            is_passed.then_some("is-passed"),
        )}>
            <span class={classes!("chain__mark", class)} {title}></span>
        </td>
    }
}

#[derive(Clone, PartialEq, Properties)]
struct StandingBadgeProps {
    status: BackupStatus,
    trust: Trust,
}

/// How a backup stands, with what verifying says.
#[component]
fn StandingBadge(props: &StandingBadgeProps) -> Html {
    if props.status != BackupStatus::Completed {
        return html! { <StatusBadge status={props.status} /> };
    }
    match props.trust {
        Trust::Unknown => html! { <StatusBadge status={props.status} /> },
        Trust::Verifying(percent) => html! {
            <Badge tone="is-run" picture={Picture::Pulse} text={format!("Verifying {percent:.0} %")} />
        },
        Trust::Verified => {
            html! { <Badge tone="is-ok" picture={Picture::Shield} text="Verified" /> }
        }
        Trust::Flawed => {
            html! { <Badge tone="is-warn" picture={Picture::Warning} text="Flawed" /> }
        }
        Trust::Unproven => {
            html! { <Badge tone="is-warn" picture={Picture::Warning} text="Unproven" /> }
        }
        Trust::Broken => html! {
            <Badge tone="is-bad" picture={Picture::Cross} text="Cannot be restored" />
        },
    }
}

/// What can be done with a backup beside restoring it, and why not where the hub cannot.
fn menu_of(
    backup: &Backup,
    trust: Trust,
    copying: Option<&BackupCopy>,
    actions: &RowActions,
) -> Vec<MenuItem> {
    const CANNOT: &str = "This hub cannot do it";
    let copy = {
        let id = backup.backup_id.to_string();
        MenuItem::new("Copy id", Callback::from(move |()| dom::copy(&id)))
    };
    let is_able = backup.is_pinned.is_some();
    let is_pinned = backup.is_pinned == Some(true);
    let on_delete = {
        let backup = backup.clone();
        actions.on_delete.reform(move |()| backup.clone())
    };
    let delete = MenuItem::new("Delete…", on_delete).unless(match (is_able, is_pinned) {
        (false, _) => CANNOT,
        (true, true) => "It is pinned",
        (true, false) => "",
    });
    match backup.status {
        BackupStatus::Completed => {
            let id = backup.backup_id.clone();
            let verify = {
                let id = id.clone();
                match trust {
                    Trust::Verifying(_) => {
                        let on_cancel = actions.on_cancel_verification.reform(move |()| id.clone());
                        MenuItem::new("Cancel verifying", on_cancel)
                    }
                    _ => {
                        let on_verify = actions.on_verify.reform(move |()| id.clone());
                        MenuItem::new("Verify", on_verify).unless(if is_able { "" } else { CANNOT })
                    }
                }
            };
            let on_pin = actions.on_pin.reform(move |()| (id.clone(), !is_pinned));
            let pin = MenuItem::new(if is_pinned { "Unpin" } else { "Pin" }, on_pin)
                .unless(if is_able { "" } else { CANNOT });
            let elsewhere = match copying {
                Some(copying) => {
                    let what = (
                        copying.source_backup_id.clone(),
                        copying.repository_id.clone(),
                    );
                    let on_cancel = actions.on_cancel_copy.reform(move |()| what.clone());
                    MenuItem::new("Cancel copying", on_cancel)
                }
                None => {
                    let backup = backup.clone();
                    let on_copy = actions.on_copy.reform(move |()| backup.clone());
                    MenuItem::new("Copy to another repository…", on_copy).unless(if is_able {
                        ""
                    } else {
                        CANNOT
                    })
                }
            };
            vec![verify, pin, elsewhere, copy, delete]
        }
        BackupStatus::Failed | BackupStatus::Cancelled => vec![copy, delete],
        BackupStatus::Active | BackupStatus::Unknown => vec![copy],
    }
}

/// Room that a backup takes, as far as the hub tells.
pub(super) fn size_of(backup: &Backup) -> Option<u64> {
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

#[cfg(test)]
mod tests {
    use sendense_types::CopyStatus;

    use super::*;
    use crate::state::chain;

    fn backup(day: u32, backup_type: &str, status: &str) -> Backup {
        serde_json::from_value(serde_json::json!({
            "backup_id": format!("b{day}"), "vm_context_id": "vm", "vm_name": "pgtest1",
            "repository_id": "local", "backup_type": backup_type, "status": status,
            "hub_status": status, "disks": [], "disk_count": 1, "progress_percent": null,
            "bytes_transferred": null, "total_bytes": null, "stored_bytes": 57_671_680, "is_pinned": day == 4,
            "total_size_gb": null, "current_phase": null, "transfer_speed_bps": null,
            "error_message": null, "created_at": format!("2025-10-{day:02}T10:00:00Z"),
            "started_at": null, "completed_at": format!("2025-10-{day:02}T10:03:44Z"),
        }))
        .unwrap()
    }

    fn no_actions() -> RowActions {
        RowActions {
            on_verify: Callback::noop(),
            on_cancel_verification: Callback::noop(),
            on_pin: Callback::noop(),
            on_delete: Callback::noop(),
            on_copy: Callback::noop(),
            on_cancel_copy: Callback::noop(),
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_chain_shows_what_hangs_together_and_what_is_broken() {
        let backups = vec![
            backup(4, "full", "completed"),
            backup(3, "incremental", "completed"),
            backup(2, "incremental", "failed"),
            backup(1, "full", "completed"),
        ];
        let html = yew::LocalServerRenderer::<BackupTable>::with_props(BackupTableProps {
            copies: BTreeMap::new(),
            hung: chain::hang(&backups),
            standings: Rc::new(
                [
                    (Trust::Verified, "Verified 3 days ago"),
                    (Trust::Broken, "an image of it is missing"),
                    (Trust::Unknown, ""),
                    (Trust::Verifying(40.0), "It is read"),
                ]
                .map(|(trust, note)| Standing {
                    trust,
                    note: note.to_owned(),
                })
                .to_vec(),
            ),
            backups: Rc::new(backups),
            actions: no_actions(),
        })
        .hydratable(false)
        .render()
        .await;
        insta::assert_snapshot!(html.replace("<tr", "\n<tr"));
    }

    #[test]
    fn hubs_that_cannot_pin_or_delete_say_so_in_the_menu() {
        let actions = no_actions();
        let mut elsewhere = backup(1, "full", "completed");
        elsewhere.is_pinned = None;
        let off = |backup: &Backup| {
            let items = menu_of(backup, Trust::Unknown, None, &actions);
            items.iter().filter(|item| item.is_off()).count()
        };
        assert_eq!(off(&elsewhere), 4, "verify, pin, copy and delete");
        assert_eq!(off(&backup(1, "full", "completed")), 0);
        assert_eq!(off(&backup(4, "full", "completed")), 1, "pinned");
    }

    #[test]
    fn a_backup_that_is_being_verified_offers_to_end_that() {
        let backup = backup(1, "full", "completed");
        let offers = |trust: Trust| {
            let items = menu_of(&backup, trust, None, &no_actions());
            items.first().map(|item| item.text.to_string())
        };
        assert_eq!(offers(Trust::Verifying(40.0)).unwrap(), "Cancel verifying");
        assert_eq!(offers(Trust::Verified).unwrap(), "Verify");
    }

    #[test]
    fn a_backup_that_is_being_copied_offers_to_end_that() {
        let actions = no_actions();
        let copy = BackupCopy {
            id: 1,
            source_backup_id: BackupId::new("b1"),
            repository_id: RepositoryId::new("second"),
            backup_id: None,
            status: CopyStatus::Copying,
            progress_percent: 40.0,
            size_bytes: 1 << 20,
            error_message: None,
            error_code: None,
        };
        let backup = backup(1, "full", "completed");
        let offers = |copying: Option<&BackupCopy>, text: &str| {
            let items = menu_of(&backup, Trust::Unknown, copying, &actions);
            items.iter().any(|item| item.text == text)
        };
        assert!(offers(Some(&copy), "Cancel copying"));
        assert!(!offers(Some(&copy), "Copy to another repository…"));
        assert!(!offers(None, "Cancel copying"));
    }
}
