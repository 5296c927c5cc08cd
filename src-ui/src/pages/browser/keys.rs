//! What the keys do in the file browser: the same as in other file managers.

use std::rc::Rc;

use sendense_types::FileEntry;
use yew::prelude::*;

use super::chosen::Deeds;
use super::navigation::Go;
use super::table::ROW_HEIGHT;
use crate::components::MenuPlace;
use crate::dom;
use crate::state::selection::{Held, Select};
use crate::state::type_ahead::TypeAhead;

/// Rows that Page Up and Page Down move by.
const PAGE: isize = 15;

/// A key that was pressed, and what its meaning depends on.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Press<'a> {
    /// As the web view names it.
    pub(super) key: &'a str,
    pub(super) held: Held,
    pub(super) alt: bool,
    /// A button has the focus.
    pub(super) on_button: bool,
    /// A name is being typed.
    pub(super) in_word: bool,
}

/// What a key does.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Deed {
    Go(Go),
    /// Moves by this many rows.
    Step(isize),
    Open,
    SelectAll,
    Save,
    CopyPaths,
    Refresh,
    /// Focuses the filter.
    Filter,
    Menu,
    /// Goes to the next name that starts with what was typed.
    Type(String),
}

/// What a key does in a folder of `n_rows` rows; `None` leaves it to the web view.
pub(super) fn deed_of(press: Press<'_>, n_rows: usize) -> Option<Deed> {
    let all = isize::try_from(n_rows).unwrap_or(isize::MAX);
    Some(match (press.key, press.held.ctrl, press.alt) {
        ("ArrowUp", _, true) | ("Backspace", ..) => Deed::Go(Go::Up),
        ("ArrowLeft", _, true) => Deed::Go(Go::Back),
        ("ArrowRight", _, true) => Deed::Go(Go::Forward),
        ("ArrowDown", ..) => Deed::Step(1),
        ("ArrowUp", ..) => Deed::Step(-1),
        ("PageDown", ..) => Deed::Step(PAGE),
        ("PageUp", ..) => Deed::Step(-PAGE),
        ("Home", ..) => Deed::Step(-all),
        ("End", ..) => Deed::Step(all),
        // On a button it is the button's.
        ("Enter", ..) if !press.on_button => Deed::Open,
        ("a", true, _) => Deed::SelectAll,
        ("s", true, _) => Deed::Save,
        ("c", true, _) => Deed::CopyPaths,
        ("F5", ..) | ("r", true, _) => Deed::Refresh,
        ("f", true, _) | ("/", false, false) => Deed::Filter,
        ("ContextMenu", ..) => Deed::Menu,
        ("F10", ..) if press.held.shift => Deed::Menu,
        (" ", ..) if !press.in_word => return None,
        (key, false, false) if key.chars().count() == 1 => Deed::Type(key.to_owned()),
        _ => return None,
    })
}

/// What the keys act on.
pub(super) struct Keys {
    pub(super) files: Rc<Vec<Rc<FileEntry>>>,
    pub(super) cursor: usize,
    pub(super) go: Callback<Go>,
    pub(super) select: Callback<Select>,
    pub(super) deeds: Deeds,
    pub(super) on_refresh: Callback<()>,
    pub(super) on_menu: UseStateSetter<Option<MenuPlace>>,
    pub(super) filter_field: NodeRef,
    pub(super) table: NodeRef,
}

/// Handles the keys of a folder.
#[hook]
pub(super) fn use_keys(keys: Keys) -> Callback<KeyboardEvent> {
    let typed = use_mut_ref(TypeAhead::default);
    Callback::from(move |event: KeyboardEvent| {
        if dom::is_typing(&event) {
            return;
        }
        let (key, now, n_rows) = (event.key(), dom::now_ms(), keys.files.len());
        let held = Held {
            ctrl: event.ctrl_key() || event.meta_key(),
            shift: event.shift_key(),
        };
        let press = Press {
            key: &key,
            held,
            alt: event.alt_key(),
            on_button: dom::is_on_button(&event),
            in_word: typed.borrow().is_in_word(now),
        };
        match deed_of(press, n_rows) {
            Some(Deed::Go(way)) => keys.go.emit(way),
            Some(Deed::Step(by)) => keys.select.emit(Select::Step { by, n_rows, held }),
            Some(Deed::Open) => keys.deeds.on_open.emit(()),
            Some(Deed::SelectAll) => keys.deeds.on_select_all.emit(()),
            Some(Deed::Save) => keys.deeds.on_save.emit(()),
            Some(Deed::CopyPaths) => keys.deeds.on_copy_paths.emit(()),
            Some(Deed::Refresh) => keys.on_refresh.emit(()),
            Some(Deed::Filter) => dom::focus(&keys.filter_field),
            Some(Deed::Menu) => keys.on_menu.set(place_of_row(&keys.table, keys.cursor)),
            Some(Deed::Type(letter)) => {
                let names = keys.files.iter().map(|file| file.name.as_str());
                let found = typed.borrow_mut().press(&letter, now, names, keys.cursor);
                let Some(row) = found else { return };
                keys.select.emit(Select::One(row));
            }
            None => return,
        }
        event.prevent_default();
    })
}

/// Below the row with the focus, for a menu opened by a key.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(key: &str) -> Press<'_> {
        Press {
            key,
            ..Press::default()
        }
    }

    fn with_ctrl(key: &str) -> Press<'_> {
        Press {
            held: Held {
                ctrl: true,
                shift: false,
            },
            ..plain(key)
        }
    }

    fn with_alt(key: &str) -> Press<'_> {
        Press {
            alt: true,
            ..plain(key)
        }
    }

    fn does(press: Press<'_>) -> Option<Deed> {
        deed_of(press, 100)
    }

    #[test]
    fn arrows_move_and_with_alt_they_lead_elsewhere() {
        assert_eq!(does(plain("ArrowUp")), Some(Deed::Step(-1)));
        assert_eq!(does(with_alt("ArrowUp")), Some(Deed::Go(Go::Up)));
        assert_eq!(does(plain("Backspace")), Some(Deed::Go(Go::Up)));
        assert_eq!(does(with_alt("ArrowLeft")), Some(Deed::Go(Go::Back)));
        assert_eq!(does(with_alt("ArrowRight")), Some(Deed::Go(Go::Forward)));
        assert_eq!(does(plain("ArrowLeft")), None);
        assert_eq!(does(plain("End")), Some(Deed::Step(100)));
        assert_eq!(does(plain("PageUp")), Some(Deed::Step(-PAGE)));
    }

    #[test]
    fn letters_are_names_and_with_ctrl_they_are_commands() {
        assert_eq!(does(plain("s")), Some(Deed::Type("s".to_owned())));
        assert_eq!(does(with_ctrl("s")), Some(Deed::Save));
        assert_eq!(does(with_ctrl("a")), Some(Deed::SelectAll));
        assert_eq!(does(with_ctrl("c")), Some(Deed::CopyPaths));
        assert_eq!(does(with_ctrl("r")), Some(Deed::Refresh));
        assert_eq!(does(with_ctrl("f")), Some(Deed::Filter));
        assert_eq!(does(plain("/")), Some(Deed::Filter));
        assert_eq!(does(with_ctrl("x")), None);
        assert_eq!(does(with_alt("x")), None);
        assert_eq!(does(plain("Shift")), None);
    }

    #[test]
    fn enter_on_a_button_and_a_space_outside_a_name_are_left_alone() {
        assert_eq!(does(plain("Enter")), Some(Deed::Open));
        let on_button = Press {
            on_button: true,
            ..plain("Enter")
        };
        assert_eq!(does(on_button), None);
        assert_eq!(does(plain(" ")), None);
        let in_word = Press {
            in_word: true,
            ..plain(" ")
        };
        assert_eq!(does(in_word), Some(Deed::Type(" ".to_owned())));
    }

    #[test]
    fn the_menu_has_two_keys() {
        let with_shift = Press {
            held: Held {
                ctrl: false,
                shift: true,
            },
            ..plain("F10")
        };
        assert_eq!(does(with_shift), Some(Deed::Menu));
        assert_eq!(does(plain("ContextMenu")), Some(Deed::Menu));
        assert_eq!(does(plain("F10")), None);
    }
}
