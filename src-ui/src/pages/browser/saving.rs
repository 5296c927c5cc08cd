//! Saving the selection: one file, several, or a folder as an archive. A large folder is asked about first.

use std::rc::Rc;

use sendense_types::commands::{MeasureFolder, SaveFile, SaveFiles, SaveFolderAsZip};
use sendense_types::{AppError, ByteSize, FileEntry, FileKind, FolderSize, MountId, Units};
use sendense_words as words;
use yew::prelude::*;

use crate::components::Dialog;
use crate::hooks::use_action;
use crate::ipc;

/// Folders larger than this are asked about before they are saved.
const LARGE_BYTES: u64 = 1 << 30;

/// A folder on the mount, and the name of its archive.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Folder {
    pub(super) path: String,
    pub(super) name: String,
}

/// The ways to save, and what became of them.
pub(super) struct Saving {
    /// Saves files, or one folder.
    pub(super) on_save: Callback<Vec<Rc<FileEntry>>>,
    pub(super) on_save_folder: Callback<Folder>,
    /// A folder is being measured.
    pub(super) is_counting: bool,
    pub(super) errors: Vec<AppError>,
    /// The dialog about a large folder, while it is open.
    pub(super) question: Html,
}

/// Saves from one mount; the shell asks where to.
#[hook]
pub(super) fn use_saving(mount_id: &MountId) -> Saving {
    let units = use_context::<Units>().unwrap_or_default();
    let save_file = use_action::<SaveFile>(Callback::noop());
    let save_files = use_action::<SaveFiles>(Callback::noop());
    let save_zip = use_action::<SaveFolderAsZip>(Callback::noop());
    let large = use_state(|| None::<(Folder, FolderSize)>);
    let is_counting = use_state(|| false);
    let count_error = use_state(|| None::<AppError>);

    let save_now = {
        let id = mount_id.clone();
        save_zip.run.reform(move |folder: Folder| SaveFolderAsZip {
            mount_id: id.clone(),
            path: folder.path,
            name: folder.name,
        })
    };
    let on_save_folder = {
        let (mount_id, save_now, large) = (mount_id.clone(), save_now.clone(), large.clone());
        let (is_counting, count_error) = (is_counting.clone(), count_error.clone());
        Callback::from(move |folder: Folder| {
            let request = MeasureFolder {
                mount_id: mount_id.clone(),
                path: folder.path.clone(),
            };
            let (save_now, large) = (save_now.clone(), large.clone());
            let (is_counting, count_error) = (is_counting.clone(), count_error.clone());
            is_counting.set(true);
            count_error.set(None);
            ipc::send(&request, move |size| {
                is_counting.set(false);
                match size {
                    Ok(size) if size.size_bytes > LARGE_BYTES || !size.warnings.is_empty() => {
                        large.set(Some((folder, size)));
                    }
                    Ok(_) => save_now.emit(folder),
                    Err(error) => count_error.set(Some(error)),
                }
            });
        })
    };
    let on_save = {
        let (one, many) = (save_file.run.clone(), save_files.run.clone());
        let (mount_id, on_save_folder) = (mount_id.clone(), on_save_folder.clone());
        Callback::from(move |files: Vec<Rc<FileEntry>>| match files.as_slice() {
            [] => {}
            [file] if file.kind == FileKind::Directory => on_save_folder.emit(Folder {
                path: file.path.clone(),
                name: file.name.clone(),
            }),
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
    let question = match (*large).clone() {
        Some((folder, size)) => {
            let close = {
                let large = large.clone();
                Callback::from(move |()| large.set(None))
            };
            let on_action = {
                let (folder, close) = (folder.clone(), close.clone());
                Callback::from(move |()| {
                    save_now.emit(folder.clone());
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
                        { words::browser::large_hint(size.n_files, &folder.name, ByteSize(size.size_bytes).in_units(units)) }
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
        &save_files.error,
        &save_zip.error,
        &*count_error,
    ];
    Saving {
        on_save,
        on_save_folder,
        is_counting: *is_counting,
        errors: errors.into_iter().flatten().cloned().collect(),
        question,
    }
}
