//! Saving the selection: one file, several files and folders, or one folder. What is large, or will not arrive as it is, is
//! asked about first.

use std::rc::Rc;

use sendense_types::commands::{MeasureFolders, SaveFile, SaveFolder, SaveItem, SaveItems};
use sendense_types::{AppError, ByteSize, FileEntry, FileKind, FolderFormat, FolderSize, MountId};
use sendense_words as words;
use yew::prelude::*;

use crate::components::Dialog;
use crate::hooks::use_action;
use crate::ipc;
use crate::state::app::AppContext;

/// What holds more than this is asked about before it is saved.
const LARGE_BYTES: u64 = 1 << 30;

/// What somebody wants to save.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Wanted {
    /// A folder on the mount, and its name.
    Folder(String, String),
    /// Files and folders that are selected.
    Items(Vec<Rc<FileEntry>>),
}

/// The ways to save, and what became of them.
pub(super) struct Saving {
    pub(super) on_save: Callback<Wanted>,
    /// Folders are being measured.
    pub(super) is_counting: bool,
    pub(super) errors: Vec<AppError>,
    /// The dialog about what was found, while it is open.
    pub(super) question: Html,
}

/// Saves from one mount; the shell asks where to.
#[hook]
pub(super) fn use_saving(mount_id: &MountId) -> Saving {
    let app = use_context::<AppContext>();
    let settings = app.map(|app| app.settings.clone()).unwrap_or_default();
    let (units, format) = (settings.units, settings.folder_format);
    let save_file = use_action::<SaveFile>(Callback::noop());
    let save_folder = use_action::<SaveFolder>(Callback::noop());
    let save_items = use_action::<SaveItems>(Callback::noop());
    let found = use_state(|| None::<(Wanted, FolderSize)>);
    let is_counting = use_state(|| false);
    let count_error = use_state(|| None::<AppError>);

    let save_now = {
        let mount_id = mount_id.clone();
        let (file, folder) = (save_file.run.clone(), save_folder.run.clone());
        let items = save_items.run.clone();
        Callback::from(move |wanted: Wanted| {
            let mount_id = mount_id.clone();
            match alone(wanted) {
                Wanted::Folder(path, name) => folder.emit(SaveFolder {
                    mount_id,
                    path,
                    name,
                    format,
                }),
                Wanted::Items(files) => match files.as_slice() {
                    [one] => file.emit(SaveFile {
                        mount_id,
                        path: one.path.clone(),
                        name: one.name.clone(),
                    }),
                    files => items.emit(SaveItems {
                        mount_id,
                        items: files.iter().map(|file| item(file)).collect(),
                        format,
                    }),
                },
            }
        })
    };
    let on_save = {
        let (mount_id, save_now, found) = (mount_id.clone(), save_now.clone(), found.clone());
        let (is_counting, count_error) = (is_counting.clone(), count_error.clone());
        Callback::from(move |wanted: Wanted| {
            let paths = folders_of(&wanted);
            if paths.is_empty() {
                return save_now.emit(wanted);
            }
            let request = MeasureFolders {
                mount_id: mount_id.clone(),
                paths,
                format,
            };
            let (save_now, found) = (save_now.clone(), found.clone());
            let (is_counting, count_error) = (is_counting.clone(), count_error.clone());
            is_counting.set(true);
            count_error.set(None);
            ipc::send(&request, move |size| {
                is_counting.set(false);
                match size {
                    Ok(size) if size.size_bytes > LARGE_BYTES || !size.warnings.is_empty() => {
                        found.set(Some((wanted, size)));
                    }
                    Ok(_) => save_now.emit(wanted),
                    Err(error) => count_error.set(Some(error)),
                }
            });
        })
    };
    let question = match (*found).clone() {
        Some((wanted, size)) => {
            let close = {
                let found = found.clone();
                Callback::from(move |()| found.set(None))
            };
            let name = match &wanted {
                Wanted::Folder(_, name) => name.clone(),
                Wanted::Items(files) => words::browser::of_selection(files.len() as u64),
            };
            let on_action = {
                let close = close.clone();
                Callback::from(move |()| {
                    save_now.emit(wanted.clone());
                    close.emit(());
                })
            };
            let title = match size.warnings.is_empty() {
                true => words::browser::large(),
                false => words::browser::will_be_incomplete(),
            };
            html! {
                <Dialog {title} action={words::browser::save_anyway()} {on_action} on_close={close}>
                    <p>
                        { words::browser::large_hint(size.n_files, name, ByteSize(size.size_bytes).in_units(units)) }
                    </p>
                    for warning in &size.warnings {
                        <p class="is-problem">{ warning }</p>
                    }
                </Dialog>
            }
        }
        None => Html::default(),
    };
    let errors = [
        &save_file.error,
        &save_folder.error,
        &save_items.error,
        &*count_error,
    ];
    Saving {
        on_save,
        is_counting: *is_counting,
        errors: errors.into_iter().flatten().cloned().collect(),
        question,
    }
}

/// One folder that is selected alone gets a name of its own, as the folder that is shown does.
fn alone(wanted: Wanted) -> Wanted {
    match wanted {
        Wanted::Items(files) => match files.as_slice() {
            [file] if file.kind == FileKind::Directory => {
                Wanted::Folder(file.path.clone(), file.name.clone())
            }
            _ => Wanted::Items(files),
        },
        folder => folder,
    }
}

/// The paths of the folders in it.
fn folders_of(wanted: &Wanted) -> Vec<String> {
    match wanted {
        Wanted::Folder(path, _) => vec![path.clone()],
        Wanted::Items(files) => files
            .iter()
            .filter(|file| file.kind == FileKind::Directory)
            .map(|file| file.path.clone())
            .collect(),
    }
}

fn item(file: &FileEntry) -> SaveItem {
    SaveItem {
        path: file.path.clone(),
        name: file.name.clone(),
        is_folder: file.kind == FileKind::Directory,
        size_bytes: file.size,
        modified_ms: file.modified_time.map(|time| time.as_millisecond()),
    }
}

/// Chooses what folders are saved as.
pub(super) fn format_choice(format: FolderFormat, on_format: &Callback<FolderFormat>) -> Html {
    const FORMATS: [FolderFormat; 3] =
        [FolderFormat::Files, FolderFormat::Zip, FolderFormat::TarGz];
    let onchange = on_format.reform(|event: Event| {
        let row = crate::dom::value_of(&event).parse::<usize>().unwrap_or(0);
        FORMATS.get(row).copied().unwrap_or_default()
    });
    let name = |format| match format {
        FolderFormat::Files => words::browser::as_files(),
        FolderFormat::Zip => "ZIP",
        FolderFormat::TarGz => "TAR.GZ",
    };
    html! {
        <select class="is-small" aria-label={words::browser::format()} {onchange}>
            for (row, one) in FORMATS.into_iter().enumerate() {
                <option value={row.to_string()} selected={one == format}>{ name(one) }</option>
            }
        </select>
    }
}
