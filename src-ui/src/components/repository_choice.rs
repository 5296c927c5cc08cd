//! Choosing a repository for backups.

use sendense_types::commands::ListRepositories;
use sendense_types::{AppError, ByteSize, ErrorKind, Repository, RepositoryId, Units};
use sendense_words as words;
use yew::prelude::*;

use crate::dom;
use crate::hooks::use_query;

/// The repositories to choose from, and the chosen one.
#[derive(Clone, PartialEq)]
pub(super) struct Target {
    /// Repositories that accept backups.
    usable: Vec<Repository>,
    /// The first of them until the user chooses another.
    pub(super) chosen: Option<Repository>,
    /// Whether the hub has listed them.
    pub(super) is_known: bool,
    /// The hub lists none, and the user has to know one.
    asks_for_id: bool,
    /// Why it could not.
    pub(super) error: Option<AppError>,
    pub(super) reload: Callback<()>,
    on_choice: Callback<RepositoryId>,
    units: Units,
}

impl Target {
    /// The hub has listed its repositories, and none is usable.
    pub(super) fn is_nowhere(&self) -> bool {
        self.is_known && self.usable.is_empty()
    }
}

/// Lists the hub's repositories except `but`, and remembers the chosen one.
#[hook]
pub(super) fn use_target(but: Option<RepositoryId>) -> Target {
    let repositories = use_query(ListRepositories {}, 0);
    let wanted = use_state(|| None::<RepositoryId>);
    let usable: Vec<Repository> = repositories
        .data
        .iter()
        .flat_map(|all| all.iter())
        .filter(|known| known.enabled && known.is_connected != Some(false))
        .filter(|known| but.as_ref() != Some(&known.id))
        .cloned()
        .collect();
    let (asks_for_id, error) = match repositories.error {
        Some(error) if error.kind == ErrorKind::Unsupported => (true, None),
        error => (false, error),
    };
    let chosen = match asks_for_id {
        true => wanted.as_ref().cloned().map(Repository::of_id),
        false => usable
            .iter()
            .find(|known| Some(&known.id) == wanted.as_ref())
            .or_else(|| usable.first())
            .cloned(),
    };
    Target {
        chosen,
        usable,
        is_known: repositories.data.is_some(),
        asks_for_id,
        error,
        reload: repositories.reload,
        on_choice: Callback::from(move |id: RepositoryId| {
            wanted.set(Some(id).filter(|id| !id.as_str().is_empty()));
        }),
        units: use_context::<Units>().unwrap_or_default(),
    }
}

/// A list of the repositories with their free space.
pub(super) fn repository_choice(target: &Target) -> Html {
    if target.asks_for_id {
        let on_choice = &target.on_choice;
        let oninput = on_choice
            .reform(|event: InputEvent| RepositoryId::new(dom::value_of(&event).trim().to_owned()));
        return html! {
            <label class="field">
                <span>{ words::repositories::id() }</span>
                <input type="text" aria-label={words::repositories::id()} {oninput} />
                <small>{ words::failures::repositories_not_listed() }{ " " }{ words::failures::repositories_not_listed_hint() }</small>
            </label>
        };
    }
    let units = target.units;
    let chosen = target.chosen.as_ref().map(|known| &known.id);
    let onchange = target
        .on_choice
        .reform(|event: Event| RepositoryId::new(dom::value_of(&event)));
    let line = |repository: &Repository| match (repository.available_bytes, repository.total_bytes)
    {
        (Some(free), Some(total)) => words::repositories::with_room(
            &repository.name,
            ByteSize(free).in_units(units),
            ByteSize(total).in_units(units),
        ),
        _ => repository.name.clone(),
    };
    html! {
        <>
        <label class="field">
            <span>{ words::repositories::repository() }</span>
            <select aria-label={words::repositories::repository()} {onchange}>
                for known in &target.usable {
                    <option
                        key={known.id.to_string()} value={known.id.to_string()}
                        selected={chosen == Some(&known.id)}
                    >
                        { line(known) }
                    </option>
                }
            </select>
        </label>
        if target.is_nowhere() {
            <p class="is-problem">{ words::repositories::none_usable() }</p>
        }
        </>
    }
}
