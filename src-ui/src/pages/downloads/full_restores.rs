//! The full restores of the hub: those that run, and those that are over.

use sendense_types::commands::{CancelFullRestore, ListFullRestores, ShowFullRestore};
use sendense_types::{ByteSize, FullRestore, FullRestoreStatus, HubId, Units};
use sendense_words as words;
use yew::prelude::*;

use crate::components::{Picture, badge, bar, error_notices, name_of};
use crate::format;
use crate::hooks::{use_action, use_query};
use crate::state::app::AppContext;

/// All of them, newest first; nothing where there are none.
#[component]
pub(crate) fn FullRestores() -> Html {
    let app = use_context::<AppContext>();
    let version = app.as_ref().map_or(0, |app| app.version);
    let listed = use_query(ListFullRestores {}, version);
    let Some(app) = app else {
        return Html::default();
    };
    let known = listed
        .data
        .iter()
        .filter_map(|listed| listed.as_ref().clone())
        .flatten();
    let known: Vec<FullRestore> = known.collect();
    let is_new = |restore: &&FullRestore| {
        let mut known = known.iter();
        !known.any(|known| known.restore_id == restore.restore_id)
    };
    let mut restores: Vec<FullRestore> =
        app.full_restores.values().filter(is_new).cloned().collect();
    restores.extend(known.iter().map(|known| {
        // News are newer than the list.
        app.full_restores
            .get(&known.restore_id)
            .unwrap_or(known)
            .clone()
    }));
    if restores.is_empty() {
        return Html::default();
    }
    let session = app.session.as_ref();
    let is_here = session.is_some_and(|session| session.current == HubId::this_computer());
    html! {
        <>
        <h2>{ words::full_restores::title() }</h2>
        <ul class="rows" aria-label={words::full_restores::title()}>
            for restore in restores {
                <Row key={restore.restore_id.to_string()} restore={restore.clone()} {is_here} />
            }
        </ul>
        </>
    }
}

#[derive(Clone, PartialEq, Properties)]
struct RowProps {
    restore: FullRestore,
    /// Whether its files are on this computer.
    is_here: bool,
}

#[component]
fn Row(props: &RowProps) -> Html {
    let units = use_context::<Units>().unwrap_or_default();
    let restore = &props.restore;
    let cancel = use_action::<CancelFullRestore>(Callback::noop());
    let show = use_action::<ShowFullRestore>(Callback::noop());
    let on_cancel = {
        let id = restore.restore_id.clone();
        cancel.run.reform(move |_: MouseEvent| CancelFullRestore {
            restore_id: id.clone(),
        })
    };
    let on_show = {
        let id = restore.restore_id.clone();
        show.run.reform(move |_: MouseEvent| ShowFullRestore {
            restore_id: id.clone(),
        })
    };
    let name = words::full_restores::name(&restore.vm_name, name_of(restore.format));
    let mut notes = restore.remarks.clone();
    if restore.status == FullRestoreStatus::Failed {
        notes.extend(restore.error_message.clone());
        notes.push(words::full_restores::goes_on_later().to_owned());
    }
    let state = match restore.status {
        FullRestoreStatus::Completed => html! {
            <>
            { badge("is-ok", Some(Picture::Check), words::full_restores::completed()) }
            <span class="num">{ ByteSize(restore.total_bytes).in_units(units) }</span>
            if props.is_here {
                <button class="button is-small" type="button" onclick={on_show}>{ words::downloads::show_in_folder() }</button>
            }
            </>
        },
        FullRestoreStatus::Failed => {
            badge("is-bad", Some(Picture::Cross), words::backups::failed())
        }
        FullRestoreStatus::Cancelled => badge(
            "is-plain",
            Some(Picture::Close),
            words::backups::cancelled(),
        ),
        _ => html! {
            <>
            { bar(percent(restore), name.clone(), "") }
            <span class="num">{ line(restore, units) }</span>
            <button class="button is-small" type="button" onclick={on_cancel} disabled={cancel.is_running}>
                { words::common::cancel() }
            </button>
            </>
        },
    };
    html! {
        <li class="row" aria-label={name.clone()}>
            <div class="row__text">
                <strong>{ name }</strong>
                <small class="faint">{ format!("→ {}", restore.folder) }</small>
                for note in notes {
                    <small class="is-problem">{ note }</small>
                }
            </div>
            { state }
            { error_notices([&cancel.error, &show.error].into_iter().flatten(), None) }
        </li>
    }
}

fn percent(restore: &FullRestore) -> Option<f64> {
    (restore.total_bytes > 0)
        .then(|| restore.done_bytes as f64 * 100.0 / restore.total_bytes as f64)
}

/// "Restoring · 3.1 GiB of 12 GiB · 400 MiB/s · 23 s left"
fn line(restore: &FullRestore, units: Units) -> String {
    let phase = match restore.status {
        FullRestoreStatus::Checking => words::full_restores::checking(),
        FullRestoreStatus::Restoring => words::full_restores::restoring(),
        FullRestoreStatus::Finishing => words::full_restores::finishing(),
        _ => words::full_restores::pending(),
    };
    let size = |bytes| ByteSize(bytes).in_units(units);
    let mut parts = vec![phase.to_owned()];
    if restore.total_bytes > 0 {
        let (done, total) = (size(restore.done_bytes), size(restore.total_bytes));
        parts.push(words::common::part_of(done, total));
    }
    let left = restore.total_bytes.saturating_sub(restore.done_bytes);
    let speed = restore.bytes_per_second.filter(|speed| *speed > 0);
    parts.extend(format::pace(speed, speed.map(|speed| left / speed), units));
    parts.join(" · ")
}
