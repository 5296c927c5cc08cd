//! The backups of one VM in one repository, as a table with their chain beside it.

use sendense_types::{Backup, BackupCopy, BackupId, BackupStatus, BackupType, RepositoryId};
use sendense_words as words;
use yew::prelude::*;
use yew_router::prelude::*;

use crate::components::{
    Menu, MenuItem, Picture, Size, backup_type_badge, badge, icon, status_badge,
};
use crate::route::Route;
use crate::state::chain::{Hang, Standing, Trust};
use crate::{dom, format};

/// The actions of a row.
#[derive(Clone, PartialEq)]
pub(super) struct RowActions {
    pub(super) on_verify: Callback<BackupId>,
    /// Stops verifying.
    pub(super) on_cancel_verification: Callback<BackupId>,
    /// Pins (`true`) or unpins.
    pub(super) on_pin: Callback<(BackupId, bool)>,
    /// Asks, then deletes.
    pub(super) on_delete: Callback<Backup>,
    /// Asks for a repository, then copies there.
    pub(super) on_copy: Callback<Backup>,
    /// Stops copying to that repository.
    pub(super) on_cancel_copy: Callback<(BackupId, RepositoryId)>,
}

/// A backup, and what else is known about it.
#[derive(Clone, PartialEq, Properties)]
pub(super) struct Row {
    pub(super) backup: Backup,
    /// How it is connected to its chain.
    pub(super) hang: Hang,
    /// How far it can be relied on.
    pub(super) standing: Standing,
    /// The copy that runs, or the last one.
    pub(super) copy: Option<BackupCopy>,
}

/// Chain, recovery point, type, size, duration, state: one table for all repositories, so that their columns
/// line up.
pub(super) fn backup_table(sections: Html) -> Html {
    html! {
        <table class="table">
            <thead><tr>
                <th class="chain"><span class="sr-only">{ words::history::chain() }</span></th><th>{ words::history::recovery_point() }</th><th>{ words::common::kind() }</th>
                <th class="is-right">{ words::common::size() }</th><th class="is-right is-wide-only">{ words::history::duration() }</th><th>{ words::common::state() }</th>
                <th><span class="sr-only">{ words::common::actions() }</span></th>
            </tr></thead>
            { sections }
        </table>
    }
}

/// The rows of one repository, newest first, below its name if it has a title row.
pub(super) fn backup_rows(
    title: Option<&str>,
    is_connected: bool,
    rows: impl Iterator<Item = Row>,
    actions: &RowActions,
) -> Html {
    html! {
        <tbody>
            if let Some(title) = title {
                <tr><th class="table__title" colspan="7" scope="rowgroup"><h2>{ title.to_owned() }</h2></th></tr>
            }
            if !is_connected {
                <tr><td class="table__note" colspan="7">
                    <p class="is-away" role="status">
                        { icon(Picture::Warning) }
                        { words::history::away_hint() }
                    </p>
                </td></tr>
            }
            for row in rows {
                <BackupRow key={row.backup.backup_id.to_string()} row={row.clone()} actions={actions.clone()} />
            }
        </tbody>
    }
}

#[derive(Clone, PartialEq, Properties)]
struct BackupRowProps {
    row: Row,
    actions: RowActions,
}

/// One backup. Its mark shows its place in the chain: a disc starts one, a ring continues it.
#[component]
fn BackupRow(props: &BackupRowProps) -> Html {
    let navigator = use_navigator();
    let is_open = use_state(|| false);
    let Row {
        backup,
        hang,
        standing,
        copy,
    } = &props.row;
    let trust = standing.trust;
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
    let copy = copy.as_ref().filter(|copy| !copy.status.is_over());
    let toggle = {
        let is_open = is_open.clone();
        Callback::from(move |_: MouseEvent| is_open.set(!*is_open))
    };
    let why = backup
        .error_message
        .clone()
        .unwrap_or_else(|| words::history::no_reason().to_owned());
    html! {
        <>
        <tr aria-label={words::history::backup_from(&time)} class={classes!((!is_good).then_some("is-off"))}>
            { chain_mark(backup, *hang, trust == Trust::Broken) }
            <td class="num">
                <strong title={backup.backup_id.to_string()}>{ &time }</strong>
                if backup.is_pinned == Some(true) {
                    <span class="pinned" title={words::history::pinned_hint()}>{ icon(Picture::Pin) }{ words::history::pinned() }</span>
                }
            </td>
            <td>{ backup_type_badge(backup.backup_type) }</td>
            <td class="is-right"><Size bytes={size_of(backup).filter(|_| is_good)} /></td>
            <td class="is-right num is-wide-only">{ duration_of(backup) }</td>
            <td>
                <span title={standing.note.clone()}>{ standing_badge(backup.status, trust) }</span>
                if let Some(copy) = copy {
                    { " " }{ badge("is-run", Some(Picture::Stack), words::history::copying(format_args!("{:.0}", copy.progress_percent))) }
                }
            </td>
            <td>
                <div class="actions">
                    if is_good || backup.status == BackupStatus::Unconfirmed {
                        <button class="button is-small" type="button" onclick={restore}>{ words::history::restore() }</button>
                    } else if backup.status == BackupStatus::Failed {
                        <button class="button is-small" type="button" aria-expanded={is_open.to_string()} onclick={toggle}>{ words::history::why() }</button>
                    }
                    <Menu label={words::history::more_for(&time)} items={menu_of(backup, trust, copy, &props.actions)} />
                </div>
            </td>
        </tr>
        if *is_open {
            <tr><td class="chain"></td><td colspan="6" class="table__why is-problem">{ why }</td></tr>
        }
        </>
    }
}

/// The mark of a backup and the lines to its parent and children.
fn chain_mark(backup: &Backup, hang: Hang, is_broken: bool) -> Html {
    let Hang {
        goes_up,
        goes_down,
        is_passed,
    } = hang;
    let is_good = backup.status == BackupStatus::Completed;
    let (class, title) = match (is_good, is_broken, backup.backup_type) {
        (false, ..) if !backup.status.is_over() => ("is-failed", words::history::not_finished()),
        (false, ..) => ("is-failed", words::history::no_point()),
        (_, true, _) => ("is-broken", words::history::cannot_restore()),
        (_, _, BackupType::Full) => ("is-full", words::history::begins_chain()),
        _ => ("is-incremental", words::history::builds_below()),
    };
    html! {
        <td class={classes!(
            "chain", (goes_up || is_passed).then_some("goes-up"), (goes_down || is_passed).then_some("goes-down"),
            is_passed.then_some("is-passed"),
        )}>
            <span class={classes!("chain__mark", class)} {title}></span>
        </td>
    }
}

/// The status of a backup, or what verifying found.
fn standing_badge(status: BackupStatus, trust: Trust) -> Html {
    if status != BackupStatus::Completed {
        return status_badge(status);
    }
    match trust {
        Trust::Unknown => status_badge(status),
        Trust::Verifying(percent) => badge(
            "is-run",
            Some(Picture::Pulse),
            words::history::verifying(format_args!("{percent:.0}")),
        ),
        Trust::Verified => badge("is-ok", Some(Picture::Shield), words::history::verified()),
        Trust::Flawed => badge("is-warn", Some(Picture::Warning), words::history::flawed()),
        Trust::Unproven => badge(
            "is-warn",
            Some(Picture::Warning),
            words::history::unproven(),
        ),
        Trust::Broken => badge(
            "is-bad",
            Some(Picture::Cross),
            words::history::cannot_restore(),
        ),
    }
}

/// The actions besides restoring; those that are off say why.
fn menu_of(
    backup: &Backup,
    trust: Trust,
    copying: Option<&BackupCopy>,
    actions: &RowActions,
) -> Vec<MenuItem> {
    let cannot = words::common::not_offered();
    let copy = {
        let id = backup.backup_id.to_string();
        MenuItem::new(
            words::history::copy_id(),
            Callback::from(move |()| dom::copy(&id)),
        )
    };
    let is_able = backup.is_pinned.is_some();
    let is_pinned = backup.is_pinned == Some(true);
    let on_delete = {
        let backup = backup.clone();
        actions.on_delete.reform(move |()| backup.clone())
    };
    let delete = MenuItem::new(words::history::delete_asks(), on_delete).unless(
        match (is_able, is_pinned) {
            (false, _) => cannot,
            (true, true) => words::history::is_pinned(),
            (true, false) => "",
        },
    );
    match backup.status {
        BackupStatus::Completed => {
            let id = backup.backup_id.clone();
            let verify = {
                let id = id.clone();
                match trust {
                    Trust::Verifying(_) => {
                        let on_cancel = actions.on_cancel_verification.reform(move |()| id.clone());
                        MenuItem::new(words::history::cancel_verifying(), on_cancel)
                    }
                    _ => {
                        let on_verify = actions.on_verify.reform(move |()| id.clone());
                        MenuItem::new(words::history::verify(), on_verify).unless(if is_able {
                            ""
                        } else {
                            cannot
                        })
                    }
                }
            };
            let on_pin = actions.on_pin.reform(move |()| (id.clone(), !is_pinned));
            let pin = MenuItem::new(
                if is_pinned {
                    words::history::unpin()
                } else {
                    words::history::pin()
                },
                on_pin,
            )
            .unless(if is_able { "" } else { cannot });
            let elsewhere = match copying {
                Some(copying) => {
                    let what = (
                        copying.source_backup_id.clone(),
                        copying.repository_id.clone(),
                    );
                    let on_cancel = actions.on_cancel_copy.reform(move |()| what.clone());
                    MenuItem::new(words::history::cancel_copying(), on_cancel)
                }
                None => {
                    let backup = backup.clone();
                    let on_copy = actions.on_copy.reform(move |()| backup.clone());
                    MenuItem::new(words::history::copy_asks(), on_copy).unless(if is_able {
                        ""
                    } else {
                        cannot
                    })
                }
            };
            vec![verify, pin, elsewhere, copy, delete]
        }
        BackupStatus::Failed | BackupStatus::Cancelled => vec![copy, delete],
        BackupStatus::Active | BackupStatus::Unconfirmed | BackupStatus::Unknown => vec![copy],
    }
}

/// The space that a backup takes, if the hub reports it.
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
    use crate::testing;

    fn backup(day: u32, backup_type: &str, status: &str) -> Backup {
        serde_json::from_value(serde_json::json!({
            "backup_id": format!("b{day}"), "parent_backup_id": (backup_type == "incremental").then_some("b1"), "vm_context_id": "vm", "vm_name": "pgtest1",
            "repository_id": "local", "backup_type": backup_type, "status": status,
            "hub_status": status, "disks": [], "disk_count": 1, "progress_percent": null,
            "bytes_transferred": null, "total_bytes": null, "stored_bytes": 57_671_680, "is_pinned": day == 4,
            "total_size_gb": null, "current_phase": null, "transfer_speed_bps": null,
            "error_message": null, "created_at": format!("2025-10-{day:02}T10:00:00Z"),
            "started_at": null, "completed_at": format!("2025-10-{day:02}T10:03:44Z"),
        }))
        .unwrap()
    }

    /// Contract D25.
    #[test]
    fn a_size_in_gb_is_shown_where_a_hub_says_no_bytes() {
        let mut backup = backup(1, "full", "completed");
        assert_eq!(size_of(&backup), Some(57_671_680));
        backup.stored_bytes = None;
        assert_eq!(size_of(&backup), None);
        backup.total_size_gb = Some(0.5);
        assert_eq!(size_of(&backup), Some(1 << 29));
        backup.total_bytes = Some(1000);
        assert_eq!(size_of(&backup), Some(1000));
    }

    fn rows(backups: &[Backup]) -> Vec<Row> {
        let hung = chain::hang(backups);
        let rows = backups.iter().zip(hung).map(|(backup, hang)| Row {
            backup: backup.clone(),
            hang,
            standing: chain::standing(backup, None, None),
            copy: None,
        });
        rows.collect()
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
        let standings = [
            (Trust::Verified, "Verified 3 days ago"),
            (Trust::Broken, "an image of it is missing"),
            (Trust::Unknown, ""),
            (Trust::Verifying(40.0), "It is read"),
        ];
        let rows = rows(&backups).into_iter().zip(standings);
        let rows = rows.map(|(row, (trust, note))| Row {
            standing: Standing {
                trust,
                note: note.to_owned(),
            },
            ..row
        });
        let html = testing::shown(backup_table(backup_rows(None, true, rows, &no_actions()))).await;
        insta::assert_snapshot!(html.replace("<tr", "\n<tr"));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn two_repositories_share_their_columns_and_each_has_its_name() {
        let (first, second) = (
            rows(&[backup(2, "full", "completed")]),
            rows(&[backup(1, "full", "completed")]),
        );
        let actions = no_actions();
        let html = testing::shown(backup_table(html! {
            <>
            { backup_rows(Some("Local"), true, first.into_iter(), &actions) }
            { backup_rows(Some("Archive"), false, second.into_iter(), &actions) }
            </>
        }))
        .await;
        assert_eq!(html.matches("<table").count(), 1, "{html}");
        assert_eq!(html.matches("<thead").count(), 1, "{html}");
        let (local, archive) = (html.find("Local").unwrap(), html.find("Archive").unwrap());
        let away = html.find("Nothing is lost").unwrap();
        assert!(local < archive && archive < away, "{html}");
    }

    /// Contract D35, D64, H12, H38.
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
        assert_eq!(offers(Trust::Verifying(40.0)).unwrap(), "Stop verifying");
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
        assert!(offers(Some(&copy), "Stop copying"));
        assert!(!offers(Some(&copy), "Copy to another repository…"));
        assert!(!offers(None, "Stop copying"));
    }
}
