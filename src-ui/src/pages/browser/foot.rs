//! Below the rows: running downloads, the size of the selection, and the download buttons.

use std::rc::Rc;

use sendense_types::{ByteSize, Download, DownloadState, FileEntry, FolderFormat, MountId, Units};
use sendense_words as words;
use yew::prelude::*;

use super::chosen::{size_of, why_not};
use super::saving::format_choice;
use crate::components::{Picture, icon};
use crate::pages::{DownloadRow, n_taken};

/// The downloads from this mount that run, are paused, or wait for a decision.
pub(super) fn drawer(downloads: &[Download], mount_id: &MountId) -> Html {
    let is_running = |download: &&Download| {
        let state = &download.state;
        matches!(
            state,
            DownloadState::Running
                | DownloadState::Queued
                | DownloadState::Paused
                | DownloadState::Taken { .. }
        )
    };
    let of_mount = downloads
        .iter()
        .filter(|download| download.mount_id == *mount_id);
    let running: Vec<&Download> = of_mount.filter(is_running).collect();
    if running.is_empty() {
        return Html::default();
    }
    html! {
        <ul class="rows drawer" aria-label={words::browser::running()}>
            for download in running {
                <DownloadRow key={download.download_id.0} download={download.clone()} n_taken={n_taken(downloads)} />
            }
        </ul>
    }
}

/// What the button for a folder needs.
pub(super) struct Saved {
    pub(super) on_folder: Callback<MouseEvent>,
    pub(super) is_counting: bool,
    pub(super) is_gone: bool,
    pub(super) format: FolderFormat,
    pub(super) on_format: Callback<FolderFormat>,
}

/// The number of items, the selection, and the download buttons.
pub(super) fn status(
    n_files: usize,
    chosen: &[Rc<FileEntry>],
    on_save: &Callback<()>,
    saved: Saved,
    units: Units,
) -> Html {
    let (size, why_not) = (size_of(chosen), why_not(chosen));
    html! {
        <footer class="page__status num">
            <span>{ words::browser::items(n_files as u64) }</span>
            if !chosen.is_empty() {
                <span title={words::browser::bytes(size)}>{ words::browser::selected_size(chosen.len(), ByteSize(size).in_units(units)) }</span>
            }
            <span class="page__space"></span>
            { format_choice(saved.format, &saved.on_format) }
            <button
                class="button is-small" type="button" onclick={saved.on_folder} disabled={saved.is_counting || saved.is_gone}
                title={words::browser::download_folder_hint()}
            >
                { if saved.is_counting { words::browser::counting() } else { words::browser::download_folder() } }
            </button>
            <button
                class="button is-small is-primary" type="button" disabled={!why_not.is_empty() || saved.is_gone} title={why_not}
                onclick={on_save.reform(|_: MouseEvent| ())}
            >
                { icon(Picture::Download) }{ words::browser::download_selected() }
            </button>
        </footer>
    }
}
