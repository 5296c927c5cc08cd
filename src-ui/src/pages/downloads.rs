//! The downloads that run and those that are over, and full restores.

mod full_restores;

use jiff::Timestamp;
use sendense_types::commands::{
    CancelDownload, DecideDownload, ForgetDownload, OpenDownload, PauseDownload, RetryDownload,
    RetryFailedFiles, ShowDownload,
};
use sendense_types::{
    ByteSize, Download, DownloadKind, DownloadState, FolderFormat, Occupant, OnConflict, Units,
};
use sendense_words as words;
use yew::prelude::*;

use self::full_restores::FullRestores;
use crate::components::{Picture, badge, bar, empty_state, error_notice, error_notices};
use crate::format;
use crate::hooks::use_action;
use crate::state::app::AppContext;

/// All downloads since the app was started.
#[component]
pub(crate) fn Downloads() -> Html {
    let Some(app) = use_context::<AppContext>() else {
        return Html::default();
    };
    html! {
        <>
        <header class="page__head"><h1>{ words::downloads::title() }</h1></header>
        <div class="page__body">
            <FullRestores />
            if app.downloads.is_empty() {
                { empty_state(
                    Picture::Download, words::downloads::none(),
                    words::downloads::none_hint(), Html::default(),
                ) }
            }
            <ul class="rows" aria-label={words::downloads::title()}>
                for download in app.downloads.clone() {
                    <DownloadRow key={download.download_id.0} download={download.clone()} n_taken={n_taken(&app.downloads)} />
                }
            </ul>
        </div>
        </>
    }
}

#[derive(Clone, PartialEq, Properties)]
pub(crate) struct DownloadRowProps {
    pub(crate) download: Download,
    /// Downloads that wait for a decision, as this one may.
    pub(crate) n_taken: usize,
}

/// One download with its actions.
#[component]
pub(crate) fn DownloadRow(props: &DownloadRowProps) -> Html {
    let units = use_context::<Units>().unwrap_or_default();
    let download = &props.download;
    let id = download.download_id;
    let cancel = use_action::<CancelDownload>(Callback::noop());
    let pause = use_action::<PauseDownload>(Callback::noop());
    let retry = use_action::<RetryDownload>(Callback::noop());
    let forget = use_action::<ForgetDownload>(Callback::noop());
    let open = use_action::<OpenDownload>(Callback::noop());
    let show = use_action::<ShowDownload>(Callback::noop());
    let decide = use_action::<DecideDownload>(Callback::noop());
    let again = use_action::<RetryFailedFiles>(Callback::noop());
    let for_all = use_state(|| false);
    let on_cancel = cancel
        .run
        .reform(move |_: MouseEvent| CancelDownload { download_id: id });
    let on_pause = pause
        .run
        .reform(move |_: MouseEvent| PauseDownload { download_id: id });
    let on_retry = retry
        .run
        .reform(move |_: MouseEvent| RetryDownload { download_id: id });
    let on_forget = forget
        .run
        .reform(move |_: MouseEvent| ForgetDownload { download_id: id });
    let on_open = open
        .run
        .reform(move |_: MouseEvent| OpenDownload { download_id: id });
    let on_show = show
        .run
        .reform(move |_: MouseEvent| ShowDownload { download_id: id });
    let on_again = again
        .run
        .reform(move |_: MouseEvent| RetryFailedFiles { download_id: id });
    let failures = [
        &cancel.error,
        &pause.error,
        &retry.error,
        &forget.error,
        &open.error,
        &show.error,
        &decide.error,
        &again.error,
    ];
    let source = download.vm_name.clone().unwrap_or_default();
    let state = match &download.state {
        DownloadState::Queued | DownloadState::Running => html! {
            <>
            { bar(percent(download), words::downloads::saving(&download.name), "") }
            <span class="num">{ progress_line(download, units) }</span>
            if can_go_on(download.kind) {
                <button class="button is-small" type="button" onclick={on_pause}>{ words::downloads::pause() }</button>
            }
            <button class="button is-small" type="button" onclick={on_cancel}>{ words::common::cancel() }</button>
            </>
        },
        DownloadState::Done {
            size_bytes,
            n_files,
            notes,
            n_failed,
        } => html! {
            <>
            if notes.is_empty() {
                { badge("is-ok", Some(Picture::Check), words::downloads::saved()) }
            } else {
                { badge("is-warn", Some(Picture::Warning), words::downloads::saved()) }
            }
            <span class="num">
                { ByteSize(*size_bytes).in_units(units) }
                { n_files.map(|n| format!(" · {}", words::common::files(n as u64))).unwrap_or_default() }
            </span>
            if *n_failed > 0 {
                <button class="button is-small" type="button" onclick={on_again}>{ words::downloads::try_again(*n_failed as u64) }</button>
            }
            <button class="button is-small" type="button" onclick={on_show}>{ words::downloads::show_in_folder() }</button>
            if can_go_on(download.kind) {
                <button class="button is-small" type="button" onclick={on_open}>{ words::common::open() }</button>
            }
            <button class="button is-small is-quiet" type="button" onclick={on_forget}>{ words::downloads::forget() }</button>
            </>
        },
        DownloadState::Taken { there } => {
            let is_for_all = *for_all;
            let button = |name: &'static str, decision: OnConflict| {
                let onclick = decide.run.reform(move |_: MouseEvent| DecideDownload {
                    download_id: id,
                    decision,
                    for_all: is_for_all,
                });
                html! { <button class="button is-small" type="button" {onclick}>{ name }</button> }
            };
            html! {
                <>
                { badge("is-warn", Some(Picture::Warning), words::downloads::name_taken()) }
                if props.n_taken > 1 {
                    <label class="check">
                        <input
                            type="checkbox" checked={is_for_all}
                            onchange={let for_all = for_all.clone(); move |_: Event| for_all.set(!is_for_all)}
                        />
                        { words::downloads::for_all(props.n_taken as u64) }
                    </label>
                }
                if there.may_be_replaced {
                    { button(words::downloads::replace(), OnConflict::Replace) }
                }
                { button(words::downloads::keep_both(), OnConflict::KeepBoth) }
                { button(words::downloads::skip(), OnConflict::Skip) }
                </>
            }
        }
        DownloadState::Failed { .. } | DownloadState::Paused | DownloadState::Cancelled => html! {
            <>
            { match &download.state {
                DownloadState::Paused => badge("is-plain", None, words::downloads::paused()),
                DownloadState::Cancelled => {
                    badge("is-plain", Some(Picture::Close), words::backups::cancelled())
                }
                _ => badge("is-bad", Some(Picture::Cross), words::backups::failed()),
            } }
            if download.state == DownloadState::Paused {
                <span class="num">{ progress_line(download, units) }</span>
                <button class="button is-small" type="button" onclick={on_retry}>{ words::downloads::resume() }</button>
            } else {
                <button class="button is-small" type="button" onclick={on_retry}>{ words::common::retry() }</button>
            }
            <button class="button is-small is-quiet" type="button" onclick={on_forget}>{ words::downloads::forget() }</button>
            </>
        },
    };
    let notes = match &download.state {
        DownloadState::Done { notes, .. } => notes.clone(),
        DownloadState::Taken { there } => vec![compared(download, there, units)],
        _ => Vec::new(),
    };
    html! {
        <li class="row" aria-label={download.name.clone()}>
            <div class="row__text">
                <strong>{ &download.name }</strong>
                <small class="faint" title={download.path.clone()}>{ format!("{source} → {}", download.folder) }</small>
                for note in notes {
                    <small class="is-problem">{ note }</small>
                }
            </div>
            { state }
            if let DownloadState::Failed { error } = &download.state {
                { error_notice(error, None) }
            }
            { error_notices(failures.into_iter().flatten(), None) }
        </li>
    }
}

/// Downloads whose names are taken.
pub(crate) fn n_taken(downloads: &[Download]) -> usize {
    let waits = |download: &&Download| matches!(download.state, DownloadState::Taken { .. });
    downloads.iter().filter(waits).count()
}

/// Whether what has arrived of it is of use later; of an archive it is not.
fn can_go_on(kind: DownloadKind) -> bool {
    matches!(
        kind,
        DownloadKind::File | DownloadKind::Folder(FolderFormat::Files)
    )
}

/// "There: 12 KiB, 8 Oct 2025 19:24. In the backup: 14 KiB, 9 Oct 2025 20:03."
fn compared(download: &Download, there: &Occupant, units: Units) -> String {
    let facts = |size: Option<u64>, time: Option<Timestamp>| {
        let size = size.map(|size| ByteSize(size).in_units(units));
        let facts: Vec<String> = size.into_iter().chain(time.map(format::date)).collect();
        facts.join(", ")
    };
    let here = facts(there.size_bytes, there.modified_time);
    if there.size_bytes.is_none() || download.size_bytes.is_none() {
        return words::downloads::there(here);
    }
    let ours = facts(download.size_bytes, download.modified_time);
    words::downloads::compared(here, ours)
}

fn percent(download: &Download) -> Option<f64> {
    let progress = download.progress.as_ref()?;
    let total = progress.total_bytes.filter(|total| *total > 0)?;
    Some(progress.received_bytes as f64 * 100.0 / total as f64)
}

/// "308 MiB of 482 MiB · 96 MiB/s · 2 s left"
fn progress_line(download: &Download, units: Units) -> String {
    if download.state == DownloadState::Queued {
        return words::downloads::waiting().to_owned();
    }
    let Some(progress) = &download.progress else {
        return match download.state {
            DownloadState::Paused => String::new(),
            _ => words::downloads::beginning().to_owned(),
        };
    };
    let size = |bytes| ByteSize(bytes).in_units(units);
    let mut parts = vec![match progress.total_bytes {
        Some(total) => words::common::part_of(size(progress.received_bytes), size(total)),
        None => size(progress.received_bytes),
    }];
    parts.extend(format::pace(
        progress.speed_bps,
        progress.eta_seconds,
        units,
    ));
    parts.join(" · ")
}
