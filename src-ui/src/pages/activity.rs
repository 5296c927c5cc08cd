//! What runs and what ran since the window was opened, newest first.

use sendense_types::commands::CancelBackup;
use yew::prelude::*;

use crate::app::AppContext;
use crate::components::{
    Ago, BackupTypeBadge, EmptyState, ErrorNotice, Picture, RunningPanel, StatusBadge,
};
use crate::hooks::use_action;
use crate::pages::DownloadRow;

/// Running and past work.
#[component]
pub(crate) fn Activity() -> Html {
    let Some(app) = use_context::<AppContext>() else {
        return Html::default();
    };
    let cancel = use_action::<CancelBackup>(Callback::noop());
    let on_cancel = cancel.run.reform(|backup_id| CancelBackup { backup_id });
    let is_empty = app.running.is_empty() && app.finished.is_empty() && app.downloads.is_empty();
    html! {
        <>
        <header class="page__head"><h1>{ "Activity" }</h1></header>
        <div class="page__body">
            if let Some(error) = cancel.error.clone() {
                <ErrorNotice {error} />
            }
            if is_empty {
                <EmptyState
                    picture={Picture::Pulse} title="Nothing has happened yet"
                    text="Backups and downloads of this session are listed here. Older backups are with their machines."
                />
            }
            for running in app.running.values().cloned() {
                <h2>{ &running.progress.backup.vm_name }</h2>
                <RunningPanel {running} on_cancel={on_cancel.clone()} />
            }
            <ul class="rows" aria-label="Finished backups">
                for backup in app.finished.iter().rev().cloned() {
                    <li class="row" key={backup.backup_id.to_string()} aria-label={format!("Backup of {}", backup.vm_name)}>
                        <div class="row__text">
                            <strong>{ format!("Backup of {}", backup.vm_name) }</strong>
                            <small class="faint">{ backup.error_message.clone().unwrap_or_default() }</small>
                        </div>
                        <BackupTypeBadge backup_type={backup.backup_type} />
                        <StatusBadge status={backup.status} />
                        <Ago time={backup.completed_at.or(backup.created_at)} />
                    </li>
                }
            </ul>
            <ul class="rows" aria-label="Downloads">
                for download in app.downloads.clone() {
                    <DownloadRow key={download.download_id.0} download={download.clone()} />
                }
            </ul>
        </div>
        </>
    }
}
