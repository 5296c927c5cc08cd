//! The repositories of a hub and the room in each; adding, testing and removing them.

use sendense_types::commands::{DeleteRepository, FindBackups, ListRepositories, TestRepository};
use sendense_types::{ByteSize, Repository, RepositoryId, RepositoryTest, Rescan, Tried, Units};
use sendense_words as words;
use yew::prelude::*;

use crate::components::{
    AddRemoteRepositoryDialog, AddRepositoryDialog, Dialog, Menu, MenuItem, Picture, badge, bar,
    empty_state, error_notice, error_notices, icon,
};
use crate::hooks::{use_action, use_query};
use crate::state::app::{AppContext, Change, Tone};

/// The dialog over the page.
#[derive(Clone, PartialEq)]
enum Over {
    Add,
    Delete(Box<Repository>),
}

/// The list of repositories.
#[component]
pub(crate) fn Repositories() -> Html {
    let Some(app) = use_context::<AppContext>() else {
        return Html::default();
    };
    let repositories = use_query(ListRepositories {}, app.version);
    let over = use_state(|| None::<Over>);
    let set_over = {
        let over = over.clone();
        Callback::from(move |what: Option<Over>| over.set(what))
    };
    let close = set_over.reform(|()| None);
    let find = {
        let app = app.clone();
        use_action::<FindBackups>(Callback::from(move |found: Option<Rescan>| {
            if let Some(found) = found {
                app.dispatch(said(&found));
                app.dispatch(Change::ListsChanged);
            }
        }))
    };
    let test = {
        let app = app.clone();
        use_action::<TestRepository>(Callback::from(move |found: RepositoryTest| {
            app.dispatch(tested(found));
        }))
    };
    let added = {
        let (app, close) = (app.clone(), close.clone());
        Callback::from(move |added: Repository| {
            app.dispatch(said_added(added));
            app.dispatch(Change::ListsChanged);
            close.emit(());
        })
    };
    let is_local = app.is_local();
    let deleted = {
        let (app, close) = (app.clone(), close.clone());
        let what_stays = match is_local {
            true => words::repositories::folder_stays(),
            false => words::repositories::content_stays(),
        };
        Callback::from(move |()| {
            app.dispatch(Change::done(words::repositories::removed(), what_stays));
            app.dispatch(Change::ListsChanged);
            close.emit(());
        })
    };
    let on_test = test
        .run
        .reform(|repository_id| TestRepository { repository_id });
    let on_delete = set_over.reform(|repository| Some(Over::Delete(Box::new(repository))));
    let all: Vec<Repository> = repositories
        .data
        .iter()
        .flat_map(|all| all.iter().cloned())
        .collect();
    let dialog = match (*over).clone() {
        Some(Over::Add) if is_local => {
            html! { <AddRepositoryDialog on_added={added} on_close={close} /> }
        }
        Some(Over::Add) => html! {
            <AddRemoteRepositoryDialog
                is_readable_on_the_way={app.session.as_ref().is_some_and(|session| session.is_readable_on_the_way)} on_added={added}
                on_close={close}
            />
        },
        Some(Over::Delete(repository)) => html! {
            <DeleteDialog repository={*repository} {is_local} on_deleted={deleted} on_close={close} />
        },
        None => Html::default(),
    };
    let errors = [&repositories.error, &find.error, &test.error];
    html! {
        <>
        <header class="page__head">
            <h1>{ words::repositories::title() }</h1>
            <span class="page__space"></span>
            if is_local {
                <button
                    class="button" type="button" disabled={find.is_running} onclick={find.run.reform(|_: MouseEvent| FindBackups {})}
                    title={words::repositories::find_hint()}
                >
                    { if find.is_running { words::repositories::finding() } else { words::repositories::find() } }
                </button>
            }
            <button class="button is-primary" type="button" onclick={set_over.reform(|_: MouseEvent| Some(Over::Add))}>
                { icon(Picture::Plus) }{ words::repositories::add_title() }
            </button>
        </header>
        <div class="page__body">
            { error_notices(errors.into_iter().flatten(), Some(&repositories.reload)) }
            if repositories.data.is_none() && repositories.is_loading {
                <div class="skeleton" role="status" aria-label={words::common::loading()}></div>
            } else if repositories.data.is_some() && all.is_empty() {
                { empty_state(Picture::Stack, words::repositories::none(), words::repositories::none_hint(), Html::default()) }
            }
            <ul class="rows" aria-label={words::repositories::title()}>
                for repository in all {
                    { repository_row(&repository, app.settings.units, &on_test, &on_delete) }
                }
            </ul>
        </div>
        { dialog }
        </>
    }
}

/// One repository: its path, whether it is connected, and its free space.
fn repository_row(
    repository: &Repository,
    units: Units,
    on_test: &Callback<RepositoryId>,
    on_delete: &Callback<Repository>,
) -> Html {
    let is_away = repository.is_connected == Some(false);
    let place = repository.path.clone().or_else(|| repository.share.clone());
    let id = repository.id.clone();
    let on_delete = {
        let repository = repository.clone();
        on_delete.reform(move |()| repository.clone())
    };
    let items = vec![
        MenuItem::new(
            words::repositories::test(),
            on_test.reform(move |()| id.clone()),
        ),
        MenuItem::new(words::repositories::remove_asks(), on_delete),
    ];
    html! {
        <li class="row" key={repository.id.to_string()} aria-label={repository.name.clone()}>
            { icon(Picture::Stack) }
            <div class="row__text">
                <strong>{ &repository.name }</strong>
                <small class="faint row__path" title={place.clone()}>{ place.unwrap_or_default() }</small>
            </div>
            if !repository.enabled {
                { badge("is-warn", Some(Picture::Warning), words::repositories::not_in_use()) }
            }
            if is_away {
                { badge("is-warn", Some(Picture::Warning), words::repositories::not_connected()) }
            } else {
                { room(repository, units) }
            }
            <span class="num row__count">{ repository.backup_count.map(words::repositories::backups).unwrap_or_default() }</span>
            <Menu label={words::common::more_for(&repository.name)} {items} />
            if is_away {
                <small class="row__note is-sentence">
                    { repository.status_message.as_ref().map(|why| format!("{why}. ")).unwrap_or_default() }
                    { words::repositories::away_hint() }
                </small>
            }
            if !repository.problems.is_empty() {
                <details class="row__note is-problem">
                    <summary>{ words::repositories::differences(repository.problems.len() as u64) }</summary>
                    <ul>
                        for problem in &repository.problems {
                            <li>{ format!("{}: {}", problem.path, problem.problem) }</li>
                        }
                    </ul>
                </details>
            }
        </li>
    }
}

#[derive(Clone, PartialEq, Properties)]
struct DeleteDialogProps {
    repository: Repository,
    /// It is on the hub of this computer.
    is_local: bool,
    on_deleted: Callback<()>,
    on_close: Callback<()>,
}

/// Asks before a repository is taken off the list.
#[component]
fn DeleteDialog(props: &DeleteDialogProps) -> Html {
    let repository = &props.repository;
    let delete = use_action::<DeleteRepository>(props.on_deleted.clone());
    let on_action = {
        let repository_id = repository.id.clone();
        delete.run.reform(move |()| DeleteRepository {
            repository_id: repository_id.clone(),
        })
    };
    html! {
        <Dialog
            title={words::repositories::remove_question(&repository.name)} action={words::common::remove()} {on_action} on_close={props.on_close.clone()}
            is_busy={delete.is_running}
        >
            <p>{ if props.is_local { words::repositories::removal() } else { words::repositories::remote_removal() } }</p>
            if let Some(error) = &delete.error {
                { error_notice(error, None) }
            }
        </Dialog>
    }
}

fn used(repository: &Repository) -> Option<f64> {
    let total = repository.total_bytes.filter(|total| *total > 0)?;
    let rest = |free: u64| total.saturating_sub(free);
    let used = repository.used_bytes;
    let used = used.or_else(|| repository.available_bytes.map(rest))?;
    Some(used.min(total) as f64 * 100.0 / total as f64)
}

/// How full a repository is, as a bar and as text.
fn room(repository: &Repository, units: Units) -> Html {
    let used = used(repository);
    let (tone, warning) = fullness(used.unwrap_or(0.0));
    let text = match (repository.available_bytes, repository.total_bytes) {
        (Some(free), Some(total)) => words::repositories::room(
            ByteSize(free).in_units(units),
            ByteSize(total).in_units(units),
        ),
        _ => words::repositories::room_unknown().to_owned(),
    };
    let in_use = repository
        .used_bytes
        .map(|used| words::repositories::used(ByteSize(used).in_units(units)));
    let title = warning.map(str::to_owned).or(in_use);
    html! {
        <>
        { bar(used, words::repositories::room_used(&repository.name), tone) }
        <span class={classes!("num", "row__room", tone)} {title}>
            if warning.is_some() {
                { icon(Picture::Warning) }
            }
            { text }
        </span>
        </>
    }
}

/// Tone and warning at this percentage used; neither while there is enough space.
fn fullness(used: f64) -> (&'static str, Option<&'static str>) {
    match used {
        95.0.. => ("is-bad", Some(words::repositories::almost_full())),
        85.0.. => ("is-warn", Some(words::repositories::filling_up())),
        _ => ("", None),
    }
}

/// What was found in a folder.
fn said(found: &Rescan) -> Change {
    let text = match (found.adopted_backups.len() as u64, found.known_backups) {
        (0, 0) => words::repositories::nothing_found().to_owned(),
        (0, known) => words::repositories::known(known),
        (adopted, _) => words::repositories::found(adopted),
    };
    let problems = found.problems.len() as u64;
    Change::Say {
        tone: if problems == 0 {
            Tone::Good
        } else {
            Tone::Warning
        },
        title: found.repository.name.clone(),
        text: match problems {
            0 => text,
            n => format!("{text} {}", words::repositories::unusable_files(n)),
        },
        place: None,
    }
}

/// What was added. A hub mounts a share to say how much room is in it; without a word on that, it did not reach it.
fn said_added(added: Repository) -> Change {
    match added.share.is_some() && added.total_bytes.is_none() {
        false => Change::done(words::repositories::added(), added.name),
        true => Change::Say {
            tone: Tone::Warning,
            title: added.name,
            text: words::repositories::not_reached().to_owned(),
            place: None,
        },
    }
}

/// Whether a repository can be used, as far as the hub tried.
fn tested(found: RepositoryTest) -> Change {
    match (found.is_usable, found.tried) {
        (true, Tried::Writing) => Change::done(
            words::repositories::works(),
            words::repositories::works_hint(),
        ),
        (true, _) => Change::done(
            words::repositories::reaches(),
            words::repositories::reaches_hint(),
        ),
        (false, _) => Change::Say {
            tone: Tone::Bad,
            title: words::repositories::unusable().to_owned(),
            text: found.message.unwrap_or_default(),
            place: None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn repository(is_connected: Option<bool>) -> Repository {
        serde_json::from_value(serde_json::json!({
            "id": "repo-local-1", "name": "Archive", "type": "local", "enabled": true, "path": "/mnt/archive",
            "total_bytes": 4_000_000, "available_bytes": 1_000_000, "backup_count": 12,
            "is_connected": is_connected, "status_message": "the folder is not there",
            "problems": [{ "path": "ctx/disk-0/a.qcow2", "problem": "it is missing" }],
        }))
        .unwrap()
    }

    async fn row(is_connected: Option<bool>) -> String {
        shown(repository(is_connected)).await
    }

    async fn shown(repository: Repository) -> String {
        testing::shown(repository_row(
            &repository,
            Units::default(),
            &Callback::noop(),
            &Callback::noop(),
        ))
        .await
    }

    #[test]
    fn a_repository_warns_from_85_percent_on_and_alarms_from_95_on() {
        let tones = [0.0, 84.9, 85.0, 93.0, 94.9, 95.0, 100.0].map(|used| fullness(used).0);
        let (calm, warn, bad) = ("", "is-warn", "is-bad");
        assert_eq!(tones, [calm, calm, warn, warn, warn, bad, bad]);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_repository_93_percent_full_is_not_calm_about_it() {
        let mut filling = repository(Some(true));
        filling.available_bytes = Some(280_000);
        let html = shown(filling).await;
        assert!(html.contains("class=\"bar is-warn\""), "{html}");
        // Not by its colour alone.
        assert!(html.contains("title=\"Filling up\""), "{html}");
        let html = row(Some(true)).await;
        assert!(!html.contains("is-warn"), "{html}");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_repository_that_is_away_is_not_connected_and_nothing_is_lost() {
        let html = row(Some(false)).await;
        assert!(html.contains("Not connected"), "{html}");
        assert!(html.contains("Nothing is lost"), "{html}");
        assert!(!html.contains("progressbar"), "{html}");
        insta::assert_snapshot!(html);
        let html = row(Some(true)).await;
        assert!(!html.contains("Not connected"), "{html}");
        assert!(html.contains("progressbar"), "{html}");
    }
}
