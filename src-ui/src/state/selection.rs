//! Selecting rows by mouse and keyboard, as file managers do. Rows are named by their place in the
//! list, so that a list that is sorted anew starts with nothing selected.

use std::collections::BTreeSet;
use std::rc::Rc;

use yew::Reducible;

/// The selected rows and where the keyboard is.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Selection {
    rows: BTreeSet<usize>,
    /// Where a range begins.
    anchor: usize,
    /// The row with the focus.
    pub(crate) cursor: usize,
}

/// Which keys are held.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Held {
    pub(crate) ctrl: bool,
    pub(crate) shift: bool,
}

/// What changes a selection.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Select {
    /// A row was clicked.
    Click(usize, Held),
    /// A menu is asked for on a row: it is for what is selected, if that row is.
    Menu(usize),
    /// Moves by so many rows of so many.
    Step {
        by: isize,
        n_rows: usize,
        held: Held,
    },
    /// This row and no other.
    One(usize),
    /// All of so many.
    All(usize),
    /// Another list is shown.
    Nothing,
}

impl Reducible for Selection {
    type Action = Select;

    fn reduce(self: Rc<Self>, change: Select) -> Rc<Self> {
        let mut selection = Rc::unwrap_or_clone(self);
        match change {
            Select::Click(row, held) => selection.click(row, held),
            Select::Menu(row) if selection.contains(row) => {}
            Select::Menu(row) | Select::One(row) => selection.select_one(row),
            Select::Step { by, n_rows, held } => selection.step(by, n_rows, held),
            Select::All(n_rows) => selection.rows.extend(0..n_rows),
            Select::Nothing => selection = Self::default(),
        }
        Rc::new(selection)
    }
}

impl Selection {
    pub(crate) fn contains(&self, row: usize) -> bool {
        self.rows.contains(&row)
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = usize> + '_ {
        self.rows.iter().copied()
    }

    /// A click: alone it selects one row, with Ctrl it adds or takes away, with Shift it selects a range.
    fn click(&mut self, row: usize, held: Held) {
        self.cursor = row;
        if held.shift {
            self.select_range();
        } else if held.ctrl {
            self.anchor = row;
            if !self.rows.remove(&row) {
                self.rows.insert(row);
            }
        } else {
            self.select_one(row);
        }
    }

    /// An arrow or page key: moves by so many rows, with Shift extending, with Ctrl only moving.
    fn step(&mut self, by: isize, n_rows: usize, held: Held) {
        let Some(last) = n_rows.checked_sub(1) else {
            return;
        };
        let row = if self.rows.is_empty() && by.abs() == 1 && self.cursor == 0 {
            0
        } else {
            self.cursor.saturating_add_signed(by).min(last)
        };
        self.cursor = row;
        if held.shift {
            self.select_range();
        } else if !held.ctrl {
            self.select_one(row);
        }
    }

    fn select_one(&mut self, row: usize) {
        self.rows = BTreeSet::from([row]);
        self.anchor = row;
        self.cursor = row;
    }

    fn select_range(&mut self) {
        let (from, to) = (self.anchor.min(self.cursor), self.anchor.max(self.cursor));
        self.rows.clear();
        self.rows.extend(from..=to);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Held = Held {
        ctrl: false,
        shift: false,
    };
    const CTRL: Held = Held {
        ctrl: true,
        shift: false,
    };
    const SHIFT: Held = Held {
        ctrl: false,
        shift: true,
    };

    fn rows(selection: &Selection) -> Vec<usize> {
        selection.rows().collect()
    }

    #[test]
    fn clicks_select_one_more_or_a_range() {
        let mut selection = Selection::default();
        selection.click(2, PLAIN);
        assert_eq!(rows(&selection), [2]);
        selection.click(5, SHIFT);
        assert_eq!(rows(&selection), [2, 3, 4, 5]);
        selection.click(1, SHIFT);
        assert_eq!(
            rows(&selection),
            [1, 2],
            "the range turns around its anchor"
        );
        selection.click(7, CTRL);
        assert_eq!(rows(&selection), [1, 2, 7]);
        selection.click(1, CTRL);
        assert_eq!(rows(&selection), [2, 7]);
        selection.click(4, PLAIN);
        assert_eq!(rows(&selection), [4]);
    }

    #[test]
    fn a_menu_is_for_what_is_selected_or_else_for_the_row_it_is_asked_for_on() {
        let three = Rc::new(Selection::default()).reduce(Select::All(3));
        assert_eq!(rows(&three.clone().reduce(Select::Menu(1))), [0, 1, 2]);
        assert_eq!(rows(&three.clone().reduce(Select::Menu(7))), [7]);
        assert_eq!(rows(&three.reduce(Select::Nothing)), [0; 0]);
    }

    #[test]
    fn arrows_move_and_shift_extends_within_the_list() {
        let mut selection = Selection::default();
        selection.step(1, 3, PLAIN);
        assert_eq!(rows(&selection), [0], "the first arrow takes the first row");
        selection.step(1, 3, PLAIN);
        selection.step(10, 3, SHIFT);
        assert_eq!(rows(&selection), [1, 2]);
        selection.step(-100, 3, PLAIN);
        assert_eq!(rows(&selection), [0]);
        selection.step(1, 0, PLAIN);
        assert_eq!(
            rows(&selection),
            [0],
            "an empty list has nothing to move to"
        );
    }
}
