//! What a list is sorted by, and in which direction.

use std::cmp::Ordering;

/// A column and a direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Order<C> {
    pub(crate) column: C,
    pub(crate) is_descending: bool,
}

impl<C: Copy + PartialEq> Order<C> {
    /// A click on a column's head: sorts by it, or turns the order round.
    pub(crate) fn clicked(self, column: C) -> Self {
        Self {
            column,
            is_descending: self.column == column && !self.is_descending,
        }
    }

    /// How two entries compare that compare so in the column.
    pub(crate) fn of(self, ascending: Ordering) -> Ordering {
        match self.is_descending {
            true => ascending.reverse(),
            false => ascending,
        }
    }

    /// What stands behind the head of a column.
    pub(crate) fn arrow(self, column: C) -> &'static str {
        match (self.column == column, self.is_descending) {
            (false, _) => "",
            (true, false) => " ↑",
            (true, true) => " ↓",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_click_turns_the_order_round_and_another_column_begins_anew() {
        let order = Order::<char>::default().clicked('a');
        assert_eq!((order.arrow('a'), order.arrow('b')), (" ↑", ""));
        assert_eq!(order.of(Ordering::Less), Ordering::Less);
        let order = order.clicked('a');
        assert_eq!(order.arrow('a'), " ↓");
        assert_eq!(order.of(Ordering::Less), Ordering::Greater);
        assert_eq!(order.clicked('b').arrow('b'), " ↑");
    }
}
