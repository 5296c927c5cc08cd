//! Where backups go, and how much room is left there.

use sendense_types::commands::ListRepositories;
use sendense_types::{ByteSize, Repository, Units};
use yew::prelude::*;

use crate::app::AppContext;
use crate::components::{Badge, Bar, EmptyState, ErrorNotice, Picture};
use crate::format;
use crate::hooks::use_query;

/// The list of repositories.
#[component]
pub(crate) fn Repositories() -> Html {
    let version = use_context::<AppContext>().map_or(0, |app| app.version);
    let units = use_context::<Units>().unwrap_or_default();
    let repositories = use_query(ListRepositories {}, version);
    let all: Vec<Repository> = repositories
        .data
        .as_ref()
        .map(|all| (**all).clone())
        .unwrap_or_default();
    html! {
        <>
        <header class="page__head"><h1>{ "Repositories" }</h1></header>
        <div class="page__body">
            if let Some(error) = repositories.error.clone() {
                <ErrorNotice {error} on_retry={repositories.reload.clone()} />
            }
            if repositories.data.is_none() && repositories.is_loading {
                <div class="skeleton" role="status" aria-label="Loading"></div>
            } else if repositories.data.is_some() && all.is_empty() {
                <EmptyState picture={Picture::Stack} title="No repository" text="This hub has no place for backups yet." />
            }
            <ul class="rows" aria-label="Repositories">
                for repository in all {
                    <li class="row" key={repository.id.to_string()} aria-label={repository.name.clone()}>
                        <div class="row__text">
                            <strong>{ &repository.name }</strong>
                            <small class="faint">{ repository.path.clone().unwrap_or_default() }</small>
                        </div>
                        <Badge tone="is-plain" picture={None} text={repository.repository_type.clone()} />
                        if !repository.enabled {
                            <Badge tone="is-warn" picture={Some(Picture::Warning)} text="Not in use" />
                        }
                        <Bar percent={used(&repository)} label={format!("Room used in {}", repository.name)} />
                        <span class="num">{ room(&repository, units) }</span>
                        <span class="num">{ repository.backup_count.map(|n| format::count(n, "backup")).unwrap_or_default() }</span>
                    </li>
                }
            </ul>
        </div>
        </>
    }
}

fn used(repository: &Repository) -> Option<f64> {
    let total = repository.total_bytes.filter(|total| *total > 0)?;
    let free = repository.available_bytes?;
    Some(100.0 - free.min(total) as f64 * 100.0 / total as f64)
}

fn room(repository: &Repository, units: Units) -> String {
    match (repository.available_bytes, repository.total_bytes) {
        (Some(free), Some(total)) => format!(
            "{} of {} free",
            ByteSize(free).in_units(units),
            ByteSize(total).in_units(units)
        ),
        _ => "room not known".to_owned(),
    }
}
