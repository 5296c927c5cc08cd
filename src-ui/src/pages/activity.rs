//! Running and past work on this hub, newest first.

use sendense_types::commands::{CancelBackup, ListRecentBackups};
use sendense_types::{Backup, Download};
use sendense_words as words;
use yew::prelude::*;
use yew_router::prelude::*;

use crate::components::{
    Picture, ago, backup_type_badge, empty_state, error_notices, icon, running_panel, status_badge,
};
use crate::dom;
use crate::hooks::{use_action, use_query};
use crate::pages::DownloadRow;
use crate::route::Route;
use crate::state::app::AppContext;

/// Which work is shown.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    All,
    Backups,
    Downloads,
}

/// Running and past work.
#[component]
pub(crate) fn Activity() -> Html {
    let Some(app) = use_context::<AppContext>() else {
        return Html::default();
    };
    let kind = use_state(|| Kind::All);
    let search = use_state(String::new);
    let recent = use_query(ListRecentBackups {}, app.version);
    let cancel = use_action::<CancelBackup>(Callback::noop());
    let on_cancel = cancel.run.reform(|backup_id| CancelBackup { backup_id });
    let on_kind = {
        let kind = kind.clone();
        Callback::from(move |event: Event| {
            kind.set(match dom::value_of(&event).as_str() {
                "backups" => Kind::Backups,
                "downloads" => Kind::Downloads,
                _ => Kind::All,
            });
        })
    };
    let on_search = {
        let search = search.clone();
        Callback::from(move |event: InputEvent| search.set(dom::value_of(&event)))
    };
    let needle = search.trim().to_lowercase();
    let is_of = |vm_name: &str| vm_name.to_lowercase().contains(&needle);
    let running: Vec<_> = app
        .running
        .values()
        .filter(|running| *kind != Kind::Downloads && is_of(&running.progress.backup.vm_name))
        .cloned()
        .collect();
    let backups: Vec<Backup> = recent
        .data
        .iter()
        .flat_map(|recent| recent.backups.iter())
        .filter(|backup| *kind != Kind::Downloads && backup.status.is_over())
        .filter(|backup| is_of(&backup.vm_name))
        .cloned()
        .collect();
    let downloads: Vec<Download> = app
        .downloads
        .iter()
        .filter(|_| *kind != Kind::Backups)
        .filter(|download| is_of(download.vm_name.as_deref().unwrap_or_default()))
        .cloned()
        .collect();
    let is_empty = running.is_empty() && backups.is_empty() && downloads.is_empty();
    let is_everything = *kind == Kind::All && needle.is_empty();
    let errors = [&recent.error, &cancel.error];
    html! {
        <>
        <header class="page__head">
            <h1>{ words::activity::title() }</h1>
            <span class="page__space"></span>
            <input
                class="search" type="search" aria-label={words::vms::search()} placeholder={words::activity::vm()}
                value={(*search).clone()} oninput={on_search}
            />
            <select aria-label={words::activity::kind()} onchange={on_kind}>
                <option value="all">{ words::activity::all_kinds() }</option>
                <option value="backups">{ words::activity::backups() }</option>
                <option value="downloads">{ words::downloads::title() }</option>
            </select>
        </header>
        <div class="page__body">
            { error_notices(errors.into_iter().flatten(), Some(&recent.reload)) }
            if let Some(text) = recent.data.as_ref().and_then(|recent| missing(&recent.unread)) {
                <p class="is-away" role="status">{ icon(Picture::Warning) }{ text }</p>
            }
            if recent.data.is_none() && recent.is_loading {
                <div class="skeleton" role="status" aria-label={words::common::loading()}></div>
            } else if is_empty && is_everything {
                { empty_state(
                    Picture::Pulse, words::activity::nothing_yet(),
                    words::activity::nothing_yet_hint(), Html::default(),
                ) }
            } else if is_empty {
                { empty_state(Picture::Search, words::common::nothing_matches(), words::activity::nothing_matches_hint(), Html::default()) }
            }
            for running in running {
                { running_panel(&running.progress.backup.vm_name, &running, app.settings.units, &on_cancel) }
            }
            if !downloads.is_empty() {
                <h2>{ words::downloads::title() }</h2>
                <ul class="rows" aria-label={words::downloads::title()}>
                    for download in downloads {
                        <DownloadRow key={download.download_id.0} download={download.clone()} n_taken={super::n_taken(&app.downloads)} />
                    }
                </ul>
            }
            if !backups.is_empty() {
                <h2>{ words::activity::backups() }</h2>
                <ul class="rows" aria-label={words::activity::finished()}>
                    for backup in backups {
                        { backup_entry(&backup) }
                    }
                </ul>
            }
        </div>
        </>
    }
}

/// Which VMs the list says nothing of.
fn missing(unread: &[String]) -> Option<String> {
    let first = unread.first()?;
    Some(words::activity::unread(unread.len() as u64, first))
}

/// One backup that is over; its name leads to the backups of its VM.
fn backup_entry(backup: &Backup) -> Html {
    let title = words::activity::backup_of(&backup.vm_name);
    let title_or_link = match &backup.vm_context_id {
        Some(id) => {
            let to = Route::History { id: id.to_string() };
            html! { <Link<Route> {to} classes="link">{ title.clone() }</Link<Route>> }
        }
        None => html! { { &title } },
    };
    html! {
        <li class="row" key={backup.backup_id.to_string()} aria-label={title.clone()}>
            { icon(Picture::Machine) }
            <div class="row__text">
                <strong>{ title_or_link }</strong>
                if let Some(why) = &backup.error_message {
                    <small class="faint">{ why }</small>
                }
            </div>
            { backup_type_badge(backup.backup_type) }
            { status_badge(backup.status) }
            <span class="row__time">{ ago(backup.completed_at.or(backup.created_at)) }</span>
        </li>
    }
}
