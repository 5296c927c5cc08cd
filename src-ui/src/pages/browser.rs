//! The file browser: one mount, one folder, what is selected, and the ways to save it.

mod table;
mod toolbar;

use std::rc::Rc;

use sendense_types::commands::{
    BrowseFolder, CloseMount, KeepMountOpen, ListFiles, ListMounts, MeasureFolder, Remount,
    SaveFile, SaveFiles, SaveFolderAsZip,
};
use sendense_types::{
    AppError, ByteSize, DownloadState, ErrorKind, Expiry, FileEntry, FileKind, FolderSize, MountId,
    OpenMount, Units,
};
use yew::prelude::*;
use yew_router::prelude::*;

use self::table::FileTable;
use self::toolbar::Toolbar;
use super::{DownloadRow, mounts};
use crate::app::AppContext;
use crate::components::{Badge, Dialog, ErrorNotice, Icon, Picture};
use crate::hooks::{use_action, use_query};
use crate::route::Route;
use crate::state::selection::{Held, Selection};
use crate::state::sort::{self, Order};
use crate::{dom, format, ipc};

/// Above this a folder is measured and asked about before it is saved.
const LARGE_BYTES: u64 = 1 << 30;
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

/// What a large folder is measured for.
#[derive(Clone, PartialEq)]
struct Measured {
    path: String,
    name: String,
    size: FolderSize,
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
    let measured = use_state(|| None::<Measured>);
    let filter_field = use_node_ref();
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
    use_keep_open(&mount_id, &path);

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

    let said = {
        let app = app.clone();
        Callback::from(move |change| app.dispatch(change))
    };
    let save_file = use_action::<SaveFile>(Callback::noop());
    let save_files = use_action::<SaveFiles>(Callback::noop());
    let save_zip = use_action::<SaveFolderAsZip>(Callback::noop());
    let keep = use_action::<KeepMountOpen>(Callback::from({
        let said = said.clone();
        move |_: OpenMount| {
            said.emit(crate::state::app::Change::done(
                "Kept open",
                "The time starts anew.",
            ));
        }
    }));
    let close = {
        let navigator = navigator.clone();
        use_action::<CloseMount>(Callback::from(move |()| {
            if let Some(navigator) = &navigator {
                navigator.replace(&Route::Mounts);
            }
        }))
    };
    let remount = {
        let navigator = navigator.clone();
        use_action::<Remount>(Callback::from(move |mount: OpenMount| {
            if let Some(navigator) = &navigator {
                navigator.replace(&Route::Browser {
                    mount_id: mount.mount_id.to_string(),
                });
            }
        }))
    };
    let measure = {
        let (run, measured, mount_id) = (save_zip.run.clone(), measured.clone(), mount_id.clone());
        Callback::from(move |(path, name, size): (String, String, FolderSize)| {
            if size.size_bytes > LARGE_BYTES {
                measured.set(Some(Measured { path, name, size }));
            } else {
                run.emit(SaveFolderAsZip {
                    mount_id: mount_id.clone(),
                    path,
                    name,
                });
            }
        })
    };
    let is_measuring = use_state(|| false);
    let measure_error = use_state(|| None::<AppError>);
    let download_folder = {
        let (mount_id, is_measuring, measure_error) = (
            mount_id.clone(),
            is_measuring.clone(),
            measure_error.clone(),
        );
        Callback::from(move |(path, name): (String, String)| {
            let request = MeasureFolder {
                mount_id: mount_id.clone(),
                path: path.clone(),
            };
            let (is_measuring, measure_error, measure) =
                (is_measuring.clone(), measure_error.clone(), measure.clone());
            is_measuring.set(true);
            measure_error.set(None);
            ipc::send(&request, move |size| {
                is_measuring.set(false);
                match size {
                    Ok(size) => measure.emit((path, name, size)),
                    Err(error) => measure_error.set(Some(error)),
                }
            });
        })
    };
    let chosen: Vec<FileEntry> = selection
        .rows()
        .filter_map(|row| files.get(row).cloned())
        .collect();
    let save_chosen = {
        let (mount_id, chosen) = (mount_id.clone(), chosen.clone());
        let (one, many, folder) = (
            save_file.run.clone(),
            save_files.run.clone(),
            download_folder.clone(),
        );
        Callback::from(move |()| match chosen.as_slice() {
            [] => {}
            [file] if file.kind == FileKind::Directory => {
                folder.emit((file.path.clone(), file.name.clone()));
            }
            [file] => one.emit(SaveFile {
                mount_id: mount_id.clone(),
                path: file.path.clone(),
                name: file.name.clone(),
            }),
            files => many.emit(SaveFiles {
                mount_id: mount_id.clone(),
                files: files
                    .iter()
                    .map(|file| (file.path.clone(), file.name.clone()))
                    .collect(),
            }),
        })
    };
    let open = {
        let (go_to, one, mount_id, files) = (
            go_to.clone(),
            save_file.run.clone(),
            mount_id.clone(),
            Rc::clone(&files),
        );
        Callback::from(move |row: usize| {
            let Some(file) = files.get(row) else { return };
            if file.unreadable.is_some() {
                return;
            }
            if file.kind == FileKind::Directory {
                go_to.emit(file.path.clone());
            } else {
                one.emit(SaveFile {
                    mount_id: mount_id.clone(),
                    path: file.path.clone(),
                    name: file.name.clone(),
                });
            }
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
    let onkeydown = {
        let (selection, files, open, up) = (
            selection.clone(),
            Rc::clone(&files),
            open.clone(),
            up.clone(),
        );
        let (save_chosen, reload, chosen) =
            (save_chosen.clone(), listing.reload.clone(), chosen.clone());
        let filter_field = filter_field.clone();
        Callback::from(move |event: KeyboardEvent| {
            if dom::is_typing(&event) {
                return;
            }
            let held = Held {
                ctrl: event.ctrl_key() || event.meta_key(),
                shift: event.shift_key(),
            };
            let step = |by| {
                let mut changed = (*selection).clone();
                changed.step(by, files.len(), held);
                selection.set(changed);
            };
            let all = isize::try_from(files.len()).unwrap_or(isize::MAX);
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
                ("Enter", ..) => open.emit(selection.cursor),
                ("a", true, _) => {
                    let mut changed = (*selection).clone();
                    changed.select_all(files.len());
                    selection.set(changed);
                }
                ("s", true, _) => save_chosen.emit(()),
                ("c", true, _) => {
                    let paths: Vec<_> = chosen.iter().map(|file| file.path.as_str()).collect();
                    dom::copy(&paths.join("\n"));
                }
                ("F5", ..) | ("r", true, _) => reload.emit(()),
                ("f", true, _) | ("/", false, false) => dom::focus(&filter_field),
                (key, false, false) if key.chars().count() == 1 => {
                    let key = key.to_lowercase();
                    let found = (1..=files.len())
                        .map(|n| (selection.cursor + n) % files.len())
                        .find(|row| files[*row].name.to_lowercase().starts_with(&key));
                    let Some(row) = found else { return };
                    let mut changed = (*selection).clone();
                    changed.select_one(row);
                    selection.set(changed);
                }
                _ => return,
            }
            event.prevent_default();
        })
    };
    let on_select = {
        let selection = selection.clone();
        Callback::from(move |(row, held): (usize, Held)| {
            let mut changed = (*selection).clone();
            changed.click(row, held);
            selection.set(changed);
        })
    };
    let on_order = {
        let order = order.clone();
        Callback::from(move |column| order.set(order.clicked(column)))
    };
    let on_folder = {
        let (folder, path) = (download_folder.clone(), (*path).clone());
        let chosen_folder = chosen
            .first()
            .filter(|file| chosen.len() == 1 && file.kind == FileKind::Directory)
            .map(|file| (file.path.clone(), file.name.clone()));
        let name = name_of(&path, mount);
        folder.reform(move |_: MouseEvent| {
            chosen_folder
                .clone()
                .unwrap_or_else(|| (path.clone(), name.clone()))
        })
    };
    let on_keep = {
        let id = mount_id.clone();
        keep.run.reform(move |_: MouseEvent| KeepMountOpen {
            mount_id: id.clone(),
        })
    };
    let on_close = {
        let id = mount_id.clone();
        close.run.reform(move |_: MouseEvent| CloseMount {
            mount_id: id.clone(),
        })
    };
    let on_remount = {
        let id = mount_id.clone();
        remount.run.reform(move |_: MouseEvent| Remount {
            mount_id: id.clone(),
        })
    };
    let has_folders =
        chosen.len() > 1 && chosen.iter().any(|file| file.kind == FileKind::Directory);
    let has_unreadable = chosen.iter().any(|file| file.unreadable.is_some());
    let why_not = match (chosen.is_empty(), has_folders, has_unreadable) {
        (true, ..) => "Select a file first",
        (_, true, _) => "Folders are saved one at a time, as an archive",
        (_, _, true) => "Some of what is selected cannot be read",
        _ => "",
    };
    let is_gone = !mount.is_open
        || listing
            .error
            .as_ref()
            .is_some_and(|error| error.kind == ErrorKind::Expired);
    let minutes = mount.expires_at.map(format::minutes_until);
    let errors = [
        &save_file.error,
        &save_files.error,
        &save_zip.error,
        &keep.error,
        &close.error,
        &remount.error,
        &*measure_error,
    ];
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
    let close_warning = {
        let measured = measured.clone();
        Callback::from(move |()| measured.set(None))
    };
    let save_anyway = {
        let (run, measured, mount_id) = (save_zip.run.clone(), measured.clone(), mount_id.clone());
        Callback::from(move |()| {
            if let Some(folder) = &*measured {
                run.emit(SaveFolderAsZip {
                    mount_id: mount_id.clone(),
                    path: folder.path.clone(),
                    name: folder.name.clone(),
                });
            }
            measured.set(None);
        })
    };
    let is_fixed = mount.expiry == Expiry::Fixed;
    html! {
        <div class="browser" {onkeydown}>
        <header class="page__head">
            <div>
                <h1>{ mounts::title(mount) }</h1>
                <small class="faint">{ subtitle(mount) }</small>
            </div>
            <span class="page__space"></span>
            if let Some(minutes) = minutes {
                <Badge
                    tone={if minutes <= 10 { "is-warn" } else { "is-plain" }} picture={Some(Picture::Clock)}
                    text={format!("expires in {minutes} min")}
                />
            }
            <button
                class="button" type="button" onclick={on_keep} disabled={is_fixed || is_gone || keep.is_running}
                title={if is_fixed { "This hub ends mounts at a fixed time; remount to get more" } else { "" }}
            >
                { "Keep open" }
            </button>
            <button class="button" type="button" onclick={on_close} disabled={close.is_running}>
                <Icon picture={Picture::Close} />
                { if close.is_running { "Unmounting…" } else { "Close" } }
            </button>
        </header>
        <Toolbar
            path={(*path).clone()} top={top.data.clone()} filter={filter.clone()} filter_field={filter_field.clone()}
            on_go={go_to} on_up={up} on_refresh={listing.reload.clone()} is_loading={listing.is_loading}
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
        for error in errors.into_iter().flatten() {
            <ErrorNotice error={error.clone()} />
        }
        <FileTable
            files={Rc::clone(&files)} selection={(*selection).clone()} order={*order} {on_select} on_open={open} {on_order}
            is_loading={listing.data.is_none() && listing.is_loading} is_filtered={!filter.is_empty()}
        />
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
                <span>{ format!("{} selected, {}", chosen.len(), ByteSize(size).in_units(units)) }</span>
            }
            <span class="page__space"></span>
            <button class="button is-small" type="button" onclick={on_folder} disabled={*is_measuring || is_gone}>
                { if *is_measuring { "Counting…" } else { "Download folder" } }
            </button>
            <button
                class="button is-small is-primary" type="button" disabled={!why_not.is_empty() || is_gone} title={why_not}
                onclick={save_chosen.reform(|_: MouseEvent| ())}
            >
                <Icon picture={Picture::Download} />{ "Download selected" }
            </button>
        </footer>
        if let Some(folder) = &*measured {
            <Dialog
                title="Save a large folder?" action="Save anyway" on_action={save_anyway} on_close={close_warning}
            >
                <p>
                    { format!(
                        "{} holds {} in {}. Saving it takes a while and as much room on this computer.",
                        folder.name, ByteSize(folder.size.size_bytes).in_units(units), format::count(folder.size.n_files, "file"),
                    ) }
                </p>
            </Dialog>
        }
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

/// "8 Oct 2025 19:24 · Full · ntfs · read-only"
fn subtitle(mount: &OpenMount) -> String {
    let kind = mount.backup_type.map(|backup_type| match backup_type {
        sendense_types::BackupType::Full => "Full",
        sendense_types::BackupType::Incremental => "Incremental",
        sendense_types::BackupType::Unknown => "Other",
    });
    let parts = [
        mount.backup_time.map(format::date),
        kind.map(str::to_owned),
        mount.filesystem_type.as_deref().map(format::file_system),
        Some("read-only".to_owned()),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
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
        mounts::title(mount).replace(" · ", " ")
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
