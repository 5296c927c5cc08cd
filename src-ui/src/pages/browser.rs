//! The file browser: one mount, one folder, what is selected, and the ways to save it.

mod head;
mod remarks;
mod saving;
mod table;
mod toolbar;

use std::rc::Rc;

use sendense_types::commands::{BrowseFolder, ListFiles, ListMounts, Remount};
use sendense_types::{
    AppError, ByteSize, DownloadState, ErrorKind, FileEntry, FileKind, MountId, OpenMount, Units,
};
use yew::prelude::*;
use yew_router::prelude::*;

use self::head::Head;
use self::remarks::Remarks;
use self::saving::{Folder as SavedFolder, use_saving, why_not};
use self::table::{FileTable, ROW_HEIGHT};
use self::toolbar::Toolbar;
use super::DownloadRow;
use crate::components::{ErrorNotice, Icon, MenuItem, MenuPlace, OpenMenu, Picture};
use crate::hooks::{use_action, use_query};
use crate::route::Route;
use crate::state::app::AppContext;
use crate::state::selection::{Held, Selection};
use crate::state::sort::{self, Order};
use crate::state::type_ahead::TypeAhead;
use crate::{dom, format, ipc};

/// Rows that PgUp and PgDn move by.
const PAGE: isize = 15;

#[derive(Clone, PartialEq, Properties)]
pub(crate) struct BrowserProps {
    pub(crate) mount_id: AttrValue,
}

/// Looks the mount up, then shows its folders.
#[component]
pub(crate) fn Browser(props: &BrowserProps) -> Html {
    let app = use_context::<AppContext>();
    let mount_id = MountId::new(props.mount_id.as_str());
    let listed = use_query(ListMounts {}, 0);
    let find = |mounts: &[OpenMount]| {
        mounts
            .iter()
            .find(|mount| mount.mount_id == mount_id)
            .cloned()
    };
    let mount = app
        .as_ref()
        .and_then(|app| find(&app.mounts))
        .or_else(|| listed.data.as_ref().and_then(|mounts| find(mounts)));
    match (mount, listed.error, listed.data) {
        (Some(mount), _, _) => html! { <Folder {mount} /> },
        (None, Some(error), _) => html! {
            <div class="page__body"><ErrorNotice {error} on_retry={listed.reload} /></div>
        },
        (None, None, Some(_)) => html! {
            <div class="page__body"><ErrorNotice error={unmounted()} /></div>
        },
        (None, None, None) => {
            html! { <div class="skeleton" role="status" aria-label="Loading"></div> }
        }
    }
}

#[derive(Clone, PartialEq, Properties)]
struct FolderProps {
    mount: OpenMount,
}

#[component]
fn Folder(props: &FolderProps) -> Html {
    let Some(app) = use_context::<AppContext>() else {
        return Html::default();
    };
    let units = use_context::<Units>().unwrap_or_default();
    let navigator = use_navigator();
    let mount = &props.mount;
    let mount_id = mount.mount_id.clone();
    let path = use_state(|| mount.folder.clone());
    let past = use_state(Vec::<String>::new);
    let future = use_state(Vec::<String>::new);
    let selection = use_state(Selection::default);
    let order = use_state(Order::default);
    let filter = use_state(String::new);
    let menu = use_state(|| None::<MenuPlace>);
    let typed = use_mut_ref(TypeAhead::default);
    let (filter_field, table) = (use_node_ref(), use_node_ref());
    let listing = use_query(
        ListFiles {
            mount_id: mount_id.clone(),
            path: (*path).clone(),
        },
        0,
    );
    let top = use_query(
        ListFiles {
            mount_id: mount_id.clone(),
            path: "/".to_owned(),
        },
        0,
    );
    let saving = use_saving(&mount_id);
    use_keep_open(&mount_id, &path);
    {
        // The keys work without a click first.
        let table = table.clone();
        use_effect_with((), move |()| dom::focus(&table));
    }

    let files: Rc<Vec<FileEntry>> = use_memo(
        (listing.data.clone(), *order, (*filter).clone()),
        |(listing, order, filter)| {
            let needle = filter.to_lowercase();
            let mut files: Vec<FileEntry> = listing
                .iter()
                .flat_map(|listing| listing.files.iter())
                .filter(|file| needle.is_empty() || file.name.to_lowercase().contains(&needle))
                .cloned()
                .collect();
            sort::sort(&mut files, *order);
            files
        },
    );
    {
        let selection = selection.clone();
        use_effect_with(Rc::clone(&files), move |_| {
            selection.set(Selection::default());
        });
    }

    let go_to = {
        let (path, past, future, filter) =
            (path.clone(), past.clone(), future.clone(), filter.clone());
        Callback::from(move |folder: String| {
            if *path != folder {
                let mut visited = (*past).clone();
                visited.push((*path).clone());
                past.set(visited);
                future.set(Vec::new());
                filter.set(String::new());
                path.set(folder);
            }
        })
    };
    let travel = |from: &UseStateHandle<Vec<String>>, to: &UseStateHandle<Vec<String>>| {
        let (path, from, to) = (path.clone(), from.clone(), to.clone());
        Callback::from(move |()| {
            let mut places = (*from).clone();
            if let Some(place) = places.pop() {
                let mut others = (*to).clone();
                others.push((*path).clone());
                from.set(places);
                to.set(others);
                path.set(place);
            }
        })
    };
    let (back, forward) = (travel(&past, &future), travel(&future, &past));
    let remount = use_action::<Remount>(Callback::from(move |mount: OpenMount| {
        if let Some(navigator) = &navigator {
            navigator.replace(&Route::Browser {
                mount_id: mount.mount_id.to_string(),
            });
        }
    }));
    let chosen: Rc<Vec<FileEntry>> = Rc::new(
        selection
            .rows()
            .filter_map(|row| files.get(row).cloned())
            .collect(),
    );
    let why_not = why_not(&chosen);
    let save_chosen = {
        let chosen = Rc::clone(&chosen);
        let files = if why_not.is_empty() {
            chosen
        } else {
            Rc::default()
        };
        saving.on_save.reform(move |()| (*files).clone())
    };
    let copy_paths = {
        let chosen = Rc::clone(&chosen);
        Callback::from(move |()| {
            let paths: Vec<_> = chosen.iter().map(|file| file.path.as_str()).collect();
            dom::copy(&paths.join("\n"));
        })
    };
    let open = {
        let (go_to, save, files) = (go_to.clone(), saving.on_save.clone(), Rc::clone(&files));
        Callback::from(move |row: usize| match files.get(row) {
            Some(file) if file.unreadable.is_some() => {}
            Some(file) if file.kind == FileKind::Directory => go_to.emit(file.path.clone()),
            Some(file) => save.emit(vec![file.clone()]),
            None => {}
        })
    };
    let up = {
        let (go_to, path) = (go_to.clone(), path.clone());
        Callback::from(move |()| {
            if let Some(parent) = parent_of(&path) {
                go_to.emit(parent);
            }
        })
    };
    let change_selection = {
        let selection = selection.clone();
        Callback::from(move |change: Box<dyn FnOnce(&mut Selection)>| {
            let mut changed = (*selection).clone();
            change(&mut changed);
            selection.set(changed);
        })
    };
    let select_all = {
        let n_rows = files.len();
        change_selection.reform(move |()| -> Box<dyn FnOnce(&mut Selection)> {
            Box::new(move |selection| selection.select_all(n_rows))
        })
    };
    let on_menu = {
        let (menu, change_selection) = (menu.clone(), change_selection.clone());
        Callback::from(move |(row, event): (usize, MouseEvent)| {
            event.prevent_default();
            menu.set(Some(MenuPlace::at(&event)));
            change_selection.emit(Box::new(move |selection| {
                if !selection.contains(row) {
                    selection.select_one(row);
                }
            }));
        })
    };
    let onkeydown = {
        let (selection, files, open, up, table) = (
            selection.clone(),
            Rc::clone(&files),
            open.clone(),
            up.clone(),
            table.clone(),
        );
        let (save_chosen, copy_paths, select_all) =
            (save_chosen.clone(), copy_paths.clone(), select_all.clone());
        let (reload, menu, typed) = (listing.reload.clone(), menu.clone(), typed.clone());
        let (filter_field, change_selection) = (filter_field.clone(), change_selection.clone());
        Callback::from(move |event: KeyboardEvent| {
            if dom::is_typing(&event) {
                return;
            }
            let held = Held {
                ctrl: event.ctrl_key() || event.meta_key(),
                shift: event.shift_key(),
            };
            let n_rows = files.len();
            let step = |by| {
                change_selection.emit(Box::new(move |selection| {
                    selection.step(by, n_rows, held);
                }));
            };
            let now = dom::now_ms();
            let all = isize::try_from(n_rows).unwrap_or(isize::MAX);
            match (event.key().as_str(), held.ctrl, event.alt_key()) {
                ("ArrowUp", _, true) | ("Backspace", ..) => up.emit(()),
                ("ArrowLeft", _, true) => back.emit(()),
                ("ArrowRight", _, true) => forward.emit(()),
                ("ArrowDown", ..) => step(1),
                ("ArrowUp", ..) => step(-1),
                ("PageDown", ..) => step(PAGE),
                ("PageUp", ..) => step(-PAGE),
                ("Home", ..) => step(-all),
                ("End", ..) => step(all),
                // On a button it is the button's.
                ("Enter", ..) if !dom::is_on_button(&event) => open.emit(selection.cursor),
                ("a", true, _) => select_all.emit(()),
                ("s", true, _) => save_chosen.emit(()),
                ("c", true, _) => copy_paths.emit(()),
                ("F5", ..) | ("r", true, _) => reload.emit(()),
                ("f", true, _) | ("/", false, false) => dom::focus(&filter_field),
                ("ContextMenu", ..) | ("F10", _, _)
                    if event.key() == "ContextMenu" || held.shift =>
                {
                    menu.set(place_of_row(&table, selection.cursor));
                }
                (" ", ..) if !typed.borrow().is_in_word(now) => return,
                (key, false, false) if key.chars().count() == 1 => {
                    let names = files.iter().map(|file| file.name.as_str());
                    let found = typed.borrow_mut().press(key, now, names, selection.cursor);
                    let Some(row) = found else { return };
                    change_selection.emit(Box::new(move |selection| selection.select_one(row)));
                }
                _ => return,
            }
            event.prevent_default();
        })
    };
    let on_select = change_selection.reform(
        |(row, held): (usize, Held)| -> Box<dyn FnOnce(&mut Selection)> {
            Box::new(move |selection| selection.click(row, held))
        },
    );
    let on_order = {
        let order = order.clone();
        Callback::from(move |column| order.set(order.clicked(column)))
    };
    let on_folder = {
        let folder = chosen_folder(&chosen).unwrap_or_else(|| SavedFolder {
            path: (*path).clone(),
            name: name_of(&path, mount),
        });
        saving.on_save_folder.reform(move |()| folder.clone())
    };
    let on_remount = {
        let id = mount_id.clone();
        remount.run.reform(move |_: MouseEvent| Remount {
            mount_id: id.clone(),
        })
    };
    let is_gone = !mount.is_open
        || listing
            .error
            .as_ref()
            .is_some_and(|error| error.kind == ErrorKind::Expired);
    let size: u64 = chosen
        .iter()
        .filter(|file| file.kind == FileKind::File)
        .filter_map(|file| file.size)
        .sum();
    let running: Vec<_> = app
        .downloads
        .iter()
        .filter(|download| download.mount_id == mount_id)
        .filter(|download| {
            matches!(
                download.state,
                DownloadState::Running | DownloadState::Queued
            )
        })
        .cloned()
        .collect();
    let close_menu = {
        let (menu, table) = (menu.clone(), table.clone());
        Callback::from(move |()| {
            menu.set(None);
            dom::focus(&table);
        })
    };
    let items = {
        let (open, cursor) = (open.clone(), selection.cursor);
        let not_one_folder = match chosen_folder(&chosen) {
            Some(_) => "",
            None => "Select one folder",
        };
        vec![
            MenuItem::new("Open", open.reform(move |()| cursor))
                .with_keys("Enter")
                .unless(not_one_folder),
            MenuItem::new("Download…", save_chosen.clone())
                .with_keys("Ctrl+S")
                .unless(why_not),
            MenuItem::new("Copy path", copy_paths).with_keys("Ctrl+C"),
            MenuItem::new("Select all", select_all).with_keys("Ctrl+A"),
        ]
    };
    html! {
        <div class="browser" {onkeydown}>
        <Head mount={mount.clone()} {is_gone} />
        <Toolbar
            path={(*path).clone()} top={top.data.clone()} filter={filter.clone()} filter_field={filter_field.clone()}
            table={table.clone()} on_go={go_to} on_up={up} on_refresh={listing.reload.clone()} is_loading={listing.is_loading}
        />
        if is_gone {
            <ErrorNotice error={expired()}>
                <button class="button is-primary" type="button" onclick={on_remount} disabled={remount.is_running}>
                    { if remount.is_running { "Mounting backup…" } else { "Remount" } }
                </button>
            </ErrorNotice>
        } else if let Some(error) = listing.error.clone() {
            <ErrorNotice {error} on_retry={listing.reload.clone()} />
        }
        if let Some(folder) = &listing.data {
            <Remarks damage={folder.damage.clone()} passed_over={folder.passed_over.clone()} />
        }
        for error in saving.errors.iter().chain(&remount.error) {
            <ErrorNotice error={error.clone()} />
        }
        <FileTable
            {table} files={Rc::clone(&files)} selection={(*selection).clone()} order={*order} {on_select} on_open={open} {on_order}
            {on_menu} is_loading={listing.data.is_none() && listing.is_loading} is_filtered={!filter.is_empty()}
            is_damaged={listing.data.as_ref().is_some_and(|listing| !listing.damage.is_empty())}
        />
        if let Some(place) = *menu {
            <OpenMenu label="What is selected" {items} {place} on_close={close_menu} />
        }
        if !running.is_empty() {
            <ul class="rows drawer" aria-label="Running downloads">
                for download in running {
                    <DownloadRow key={download.download_id.0} download={download.clone()} />
                }
            </ul>
        }
        <footer class="page__status num">
            <span>{ format::count(files.len() as u64, "item") }</span>
            if !chosen.is_empty() {
                <span title={format!("{size} bytes")}>{ format!("{} selected, {}", chosen.len(), ByteSize(size).in_units(units)) }</span>
            }
            <span class="page__space"></span>
            <button
                class="button is-small" type="button" onclick={on_folder.reform(|_: MouseEvent| ())} disabled={saving.is_counting || is_gone}
                title="The selected folder, or else the one that is shown, as a ZIP archive"
            >
                { if saving.is_counting { "Counting…" } else { "Download folder" } }
            </button>
            <button
                class="button is-small is-primary" type="button" disabled={!why_not.is_empty() || is_gone} title={why_not}
                onclick={save_chosen.reform(|_: MouseEvent| ())}
            >
                <Icon picture={Picture::Download} />{ "Download selected" }
            </button>
        </footer>
        { saving.question.clone() }
        </div>
    }
}

/// Tells the core which folder is looked at, and that nobody looks any more at the end.
#[hook]
fn use_keep_open(mount_id: &MountId, path: &str) {
    let tell = |mount_id: MountId, path: Option<String>| {
        // A mount that is gone says so when it is listed.
        ipc::send(&BrowseFolder { mount_id, path }, drop);
    };
    use_effect_with(
        (mount_id.clone(), path.to_owned()),
        move |(mount_id, path)| {
            tell(mount_id.clone(), Some(path.clone()));
        },
    );
    use_effect_with(mount_id.clone(), move |mount_id| {
        let mount_id = mount_id.clone();
        move || tell(mount_id, None)
    });
}

/// Below the row with the focus, for a menu that was asked for by key.
fn place_of_row(table: &NodeRef, row: usize) -> Option<MenuPlace> {
    let (left, _, top, bottom) = dom::bounds(table)?;
    let scrolled = table.cast::<web_sys::Element>()?.scroll_top();
    // The head of the table is as high as a row.
    let y = top + (row as f64 + 2.0) * ROW_HEIGHT - f64::from(scrolled);
    Some(MenuPlace {
        x: left + ROW_HEIGHT,
        y: y.clamp(top, bottom),
        above: y - ROW_HEIGHT,
        is_right_edge: false,
    })
}

/// The folder that is selected, when it is the only thing.
fn chosen_folder(chosen: &[FileEntry]) -> Option<SavedFolder> {
    match chosen {
        [file] if file.kind == FileKind::Directory && file.unreadable.is_none() => {
            Some(SavedFolder {
                path: file.path.clone(),
                name: file.name.clone(),
            })
        }
        _ => None,
    }
}

/// The folder above, by the path that the hub gave; `None` at the top.
fn parent_of(path: &str) -> Option<String> {
    let path = path.trim_end_matches('/');
    let (parent, _) = path.rsplit_once('/')?;
    Some(if parent.is_empty() {
        "/".to_owned()
    } else {
        parent.to_owned()
    })
}

/// What an archive of a folder is called.
fn name_of(path: &str, mount: &OpenMount) -> String {
    let last = path
        .trim_end_matches('/')
        .rsplit('/')
        .next()
        .unwrap_or_default();
    if last.is_empty() {
        format::mount_title(mount).replace(" · ", " ")
    } else {
        last.to_owned()
    }
}

fn expired() -> AppError {
    AppError::new(
        ErrorKind::Expired,
        "Mount expired, please remount.",
        sendense_types::Retry::Never,
    )
    .with_hint("The backup is not touched. You come back to this folder.")
}

fn unmounted() -> AppError {
    AppError::new(
        ErrorKind::Expired,
        "This mount is closed.",
        sendense_types::Retry::Never,
    )
    .with_hint("Open the backup again from the history of its machine.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn up_leads_to_the_folder_above_and_stops_at_the_top() {
        assert_eq!(
            parent_of("/partition-1/Users").as_deref(),
            Some("/partition-1")
        );
        assert_eq!(parent_of("/partition-1").as_deref(), Some("/"));
        assert_eq!(parent_of("/partition-1/").as_deref(), Some("/"));
        assert_eq!(parent_of("/"), None);
    }
}
