//! The files that are selected, and what can be done with them.

use std::rc::Rc;

use sendense_types::{FileEntry, FileKind};
use sendense_words as words;
use yew::prelude::*;

use super::saving::Wanted;
use crate::components::MenuItem;
use crate::state::selection::Selection;

/// The files that are selected, in the order of the list.
pub(super) fn chosen(files: &[Rc<FileEntry>], selection: &Selection) -> Vec<Rc<FileEntry>> {
    let rows = selection.rows();
    rows.filter_map(|row| files.get(row).cloned()).collect()
}

/// The size of the selected files.
pub(super) fn size_of(chosen: &[Rc<FileEntry>]) -> u64 {
    let files = chosen.iter().filter(|file| file.kind == FileKind::File);
    files.filter_map(|file| file.size).sum()
}

/// Why these cannot be saved; empty if they can.
pub(super) fn why_not(chosen: &[Rc<FileEntry>]) -> &'static str {
    let has_unreadable = chosen.iter().any(|file| file.unreadable.is_some());
    match (chosen.is_empty(), has_unreadable) {
        (true, _) => words::browser::select_file(),
        (_, true) => words::browser::some_unreadable(),
        _ => "",
    }
}

/// The selected folder, if nothing else is selected.
pub(super) fn chosen_folder(chosen: &[Rc<FileEntry>]) -> Option<Wanted> {
    match chosen {
        [file] if file.kind == FileKind::Directory && file.unreadable.is_none() => {
            Some(Wanted::Folder(file.path.clone(), file.name.clone()))
        }
        _ => None,
    }
}

/// What can be done with the selection.
#[derive(Clone, PartialEq)]
pub(super) struct Deeds {
    pub(super) on_open: Callback<()>,
    pub(super) on_save: Callback<()>,
    pub(super) on_copy_paths: Callback<()>,
    pub(super) on_select_all: Callback<()>,
}

/// The same as a menu.
pub(super) fn menu_of(chosen: &[Rc<FileEntry>], deeds: &Deeds) -> Vec<MenuItem> {
    let not_one_folder = match chosen_folder(chosen) {
        Some(_) => "",
        None => words::browser::select_one_folder(),
    };
    vec![
        MenuItem::new(words::common::open(), deeds.on_open.clone())
            .with_keys("Enter")
            .unless(not_one_folder),
        MenuItem::new(words::browser::download(), deeds.on_save.clone())
            .with_keys("Ctrl+S")
            .unless(why_not(chosen)),
        MenuItem::new(words::browser::copy_path(), deeds.on_copy_paths.clone()).with_keys("Ctrl+C"),
        MenuItem::new(words::common::select_all(), deeds.on_select_all.clone()).with_keys("Ctrl+A"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn entry(name: &str, kind: FileKind) -> Rc<FileEntry> {
        Rc::new(testing::file(name, kind))
    }

    #[test]
    fn a_folder_is_opened_and_saved_alone() {
        let (file, folder) = (entry("a", FileKind::File), entry("b", FileKind::Directory));
        let off = |chosen: &[Rc<FileEntry>]| {
            let deeds = Deeds {
                on_open: Callback::noop(),
                on_save: Callback::noop(),
                on_copy_paths: Callback::noop(),
                on_select_all: Callback::noop(),
            };
            let items = menu_of(chosen, &deeds);
            let off = items.iter().filter(|item| item.is_off());
            off.map(|item| item.text.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(off(&[]), ["Open", "Download…"]);
        assert_eq!(off(&[Rc::clone(&file)]), ["Open"]);
        assert_eq!(off(&[Rc::clone(&folder)]), [""; 0]);
        assert_eq!(off(&[Rc::clone(&file), Rc::clone(&folder)]), ["Open"]);
        assert_eq!(
            size_of(&[file, folder]),
            1129,
            "a folder's size is not known"
        );
    }

    #[test]
    fn what_cannot_be_read_is_neither_opened_nor_saved() {
        let mut locked = (*entry("a", FileKind::Directory)).clone();
        locked.unreadable = Some("BitLocker".to_owned());
        let locked = [Rc::new(locked)];
        assert_eq!(chosen_folder(&locked), None);
        assert_eq!(
            why_not(&locked),
            "Some of the selected items cannot be read"
        );
    }
}
