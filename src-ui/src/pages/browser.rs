//! The file browser: one folder of a mount, the selection in it, and the ways to save that.

mod chosen;
mod foot;
mod head;
mod keys;
mod navigation;
mod remarks;
mod saving;
mod table;
mod toolbar;
mod trouble;

use std::rc::Rc;

use sendense_types::commands::{BrowseFolder, ListFiles, ListMounts, Remount, SaveSettings};
use sendense_types::{
    AppError, ErrorKind, FileEntry, FileKind, Listing, MountId, OpenMount, Settings,
};
use sendense_words as words;
use yew::prelude::*;
use yew_router::prelude::*;

use self::chosen::{Deeds, chosen, chosen_folder, menu_of, why_not};
use self::foot::{Saved, drawer, status};
use self::head::Head;
use self::keys::{Keys, use_keys};
use self::navigation::{Go, Navigation};
use self::remarks::remarks;
use self::saving::{Wanted, use_saving};
use self::table::{Emptiness, FileTable, RowActions, file_table};
use self::toolbar::{Toolbar, toolbar};
use self::trouble::trouble;
use crate::components::{MenuPlace, OpenMenu, error_notice, error_notices};
use crate::hooks::{use_action, use_query, use_stable};
use crate::route::Route;
use crate::state::app::AppContext;
use crate::state::order::Order;
use crate::state::selection::{Select, Selection};
use crate::state::sort::{self, Column};
use crate::{dom, format, ipc};

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
            <div class="page__body">{ error_notice(&error, Some(&listed.reload)) }</div>
        },
        (None, None, Some(_)) => html! {
            <div class="page__body">{ error_notice(&unmounted(), None) }</div>
        },
        (None, None, None) => {
            html! { <div class="skeleton" role="status" aria-label={words::common::loading()}></div> }
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
    let navigator = use_navigator();
    let mount = &props.mount;
    let mount_id = &mount.mount_id;
    let here = use_reducer(|| Navigation::at(&mount.folder));
    let selection = use_reducer(Selection::default);
    let order = use_state(Order::<Column>::default);
    let menu = use_state(|| None::<MenuPlace>);
    let (filter_field, table) = (use_node_ref(), use_node_ref());
    let list = |path: &str| ListFiles {
        mount_id: mount_id.clone(),
        path: path.to_owned(),
    };
    let listing = use_query(list(&here.path), 0);
    let top = use_query(list("/"), 0);
    let saving = use_saving(mount_id);
    let settings = use_action::<SaveSettings>(Callback::noop());
    let remount = use_action::<Remount>(Callback::from(move |mount: OpenMount| {
        if let Some(navigator) = &navigator {
            navigator.replace(&Route::Browser {
                mount_id: mount.mount_id.to_string(),
            });
        }
    }));
    use_keep_open(mount_id, &here.path);
    {
        // The keys work without a click first.
        let table = table.clone();
        use_effect_with((), move |()| dom::focus(&table));
    }
    let files = use_memo(
        (listing.data.clone(), *order, here.filter.clone()),
        |(listing, order, filter)| {
            let files = listing.as_ref().map_or(&[][..], |listing| &listing.files);
            arranged(files, *order, filter)
        },
    );
    {
        let selection = selection.dispatcher();
        use_effect_with(Rc::clone(&files), move |_| {
            selection.dispatch(Select::Nothing);
        });
    }

    let chosen = chosen(&files, &selection);
    let go = dispatching(&here);
    let select = dispatching(&selection);
    let on_save_items = saving.on_save.reform(Wanted::Items);
    let on_open = opening(&files, &go, &on_save_items);
    let deeds = Deeds {
        on_open: {
            let cursor = selection.cursor;
            on_open.reform(move |()| cursor)
        },
        on_save: on_save(&chosen, &on_save_items),
        on_copy_paths: on_copy_paths(&chosen),
        on_select_all: {
            let n_rows = files.len();
            select.reform(move |()| Select::All(n_rows))
        },
    };
    let onkeydown = use_keys(Keys {
        files: Rc::clone(&files),
        cursor: selection.cursor,
        go: go.clone(),
        select: select.clone(),
        deeds: deeds.clone(),
        on_refresh: listing.reload.clone(),
        on_menu: menu.setter(),
        filter_field: filter_field.clone(),
        table: table.clone(),
    });
    let actions = RowActions {
        on_select: use_stable(select.reform(|(row, held)| Select::Click(row, held))),
        on_open: use_stable(on_open),
        on_menu: use_stable(pointed_at(&select, menu.setter())),
    };
    let is_expired = |error: &AppError| error.kind == ErrorKind::Expired;
    let is_gone = !mount.is_open || listing.error.as_ref().is_some_and(is_expired);
    let emptiness = emptiness(listing.data.as_deref(), listing.is_loading, &here.filter);
    let on_folder = {
        let folder = chosen_folder(&chosen)
            .unwrap_or_else(|| Wanted::Folder(here.path.clone(), name_of(&here.path, mount)));
        saving.on_save.reform(move |_: MouseEvent| folder.clone())
    };
    let on_format = {
        let settings_now = app.settings.clone();
        settings.run.reform(move |folder_format| SaveSettings {
            settings: Settings {
                folder_format,
                ..settings_now.clone()
            },
        })
    };
    html! {
        <div class="browser" {onkeydown}>
        <Head mount={mount.clone()} {is_gone} />
        { toolbar(&Toolbar {
            here: &here, top: top.data.as_deref(), filter_field: &filter_field, table: &table, on_go: &go,
            on_refresh: &listing.reload, is_loading: listing.is_loading,
        }) }
        { trouble(mount_id, is_gone, &listing, &remount) }
        if let Some(folder) = &listing.data {
            { remarks(&folder.damage, &folder.passed_over) }
        }
        { error_notices(saving.errors.iter().chain(&remount.error).chain(&settings.error), None) }
        { file_table(FileTable {
            table: table.clone(), files: Rc::clone(&files), selection: Rc::new((*selection).clone()), order: *order,
            on_order: on_order(&order), emptiness, actions,
        }) }
        if let Some(place) = *menu {
            <OpenMenu
                label={words::browser::selected()} items={menu_of(&chosen, &deeds)} {place}
                on_close={closing(menu.setter(), &table)}
            />
        }
        { drawer(&app.downloads, mount_id) }
        { status(files.len(), &chosen, &deeds.on_save, Saved { on_folder, is_counting: saving.is_counting, is_gone, format: app.settings.folder_format, on_format }, app.settings.units) }
        { saving.question.clone() }
        </div>
    }
}

/// What to say if there are no rows.
fn emptiness(listing: Option<&Listing>, is_loading: bool, filter: &str) -> Emptiness {
    match listing {
        None if is_loading => Emptiness::Loading,
        _ if !filter.is_empty() => Emptiness::Filtered,
        Some(listing) if !listing.damage.is_empty() => Emptiness::Damaged,
        _ => Emptiness::Empty,
    }
}

/// The files whose names contain the filter, in order.
fn arranged(files: &[FileEntry], order: Order<Column>, filter: &str) -> Vec<Rc<FileEntry>> {
    let needle = filter.to_lowercase();
    let mut files: Vec<Rc<FileEntry>> = files
        .iter()
        .filter(|file| needle.is_empty() || file.name.to_lowercase().contains(&needle))
        .map(|file| Rc::new(file.clone()))
        .collect();
    sort::sort(&mut files, order);
    files
}

/// A callback that dispatches actions to this state.
fn dispatching<T: Reducible + 'static>(state: &UseReducerHandle<T>) -> Callback<T::Action> {
    let state = state.dispatcher();
    Callback::from(move |action| state.dispatch(action))
}

/// Opens the folder or saves the file in a row.
fn opening(
    files: &Rc<Vec<Rc<FileEntry>>>,
    go: &Callback<Go>,
    save: &Callback<Vec<Rc<FileEntry>>>,
) -> Callback<usize> {
    let (files, go, save) = (Rc::clone(files), go.clone(), save.clone());
    Callback::from(move |row: usize| match files.get(row) {
        Some(file) if file.unreadable.is_some() => {}
        Some(file) if file.kind == FileKind::Directory => go.emit(Go::To(file.path.clone())),
        Some(file) => save.emit(vec![Rc::clone(file)]),
        None => {}
    })
}

/// Saves the selection, if it can be saved.
fn on_save(chosen: &[Rc<FileEntry>], save: &Callback<Vec<Rc<FileEntry>>>) -> Callback<()> {
    let files = match why_not(chosen) {
        "" => chosen.to_vec(),
        _ => Vec::new(),
    };
    save.reform(move |()| files.clone())
}

fn on_copy_paths(chosen: &[Rc<FileEntry>]) -> Callback<()> {
    let chosen = chosen.to_vec();
    Callback::from(move |()| {
        let paths: Vec<_> = chosen.iter().map(|file| file.path.as_str()).collect();
        dom::copy(&paths.join("\n"));
    })
}

fn on_order(order: &UseStateHandle<Order<Column>>) -> Callback<Column> {
    let order = order.clone();
    Callback::from(move |column| order.set(order.clicked(column)))
}

/// Opens the menu at the pointer.
fn pointed_at(
    select: &Callback<Select>,
    menu: UseStateSetter<Option<MenuPlace>>,
) -> Callback<(usize, MouseEvent)> {
    let select = select.clone();
    Callback::from(move |(row, event): (usize, MouseEvent)| {
        event.prevent_default();
        menu.set(Some(MenuPlace::at(&event)));
        select.emit(Select::Menu(row));
    })
}

/// Closes the menu and gives the focus back to the table.
fn closing(menu: UseStateSetter<Option<MenuPlace>>, table: &NodeRef) -> Callback<()> {
    let table = table.clone();
    Callback::from(move |()| {
        menu.set(None);
        dom::focus(&table);
    })
}

/// Tells the core which folder is being browsed, and at the end that none is any more.
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

/// The name for an archive of a folder.
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

fn unmounted() -> AppError {
    AppError::new(
        ErrorKind::Expired,
        words::mounts::closed(),
        sendense_types::Retry::Never,
    )
    .with_hint(words::mounts::closed_hint())
}
