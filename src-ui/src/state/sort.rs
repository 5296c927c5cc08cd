//! The order of a folder's entries: folders first, numbers by their value.

use std::cmp::Ordering;
use std::rc::Rc;

use sendense_types::{FileEntry, FileKind};

use super::order::Order;
use crate::format::kind_of;

/// What a list is sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Column {
    #[default]
    Name,
    Size,
    Modified,
    Type,
}

/// Sorts in place; names decide between equals.
pub(crate) fn sort(files: &mut [Rc<FileEntry>], order: Order<Column>) {
    files.sort_by(|a, b| {
        let is_folder = |file: &FileEntry| file.kind == FileKind::Directory;
        let by_column = match order.column {
            Column::Name => natural(&a.name, &b.name),
            Column::Size => a.size.cmp(&b.size),
            Column::Modified => a.modified_time.cmp(&b.modified_time),
            Column::Type => kind_of(a).cmp(&kind_of(b)),
        };
        is_folder(b)
            .cmp(&is_folder(a))
            .then(order.of(by_column))
            .then_with(|| natural(&a.name, &b.name))
    });
}

/// "file2" before "file10", without regard to case; equal names in different case stay apart.
pub(crate) fn natural(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a.chars().peekable(), b.chars().peekable());
    loop {
        let order = match (left.peek().copied(), right.peek().copied()) {
            (None, None) => return a.cmp(b),
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(x), Some(y)) if x.is_ascii_digit() && y.is_ascii_digit() => {
                let (x, y) = (number(&mut left), number(&mut right));
                x.len().cmp(&y.len()).then_with(|| x.cmp(&y))
            }
            (Some(x), Some(y)) => {
                left.next();
                right.next();
                x.to_lowercase().cmp(y.to_lowercase())
            }
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

/// The digits that come next, without leading zeros: longer means larger.
fn number(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> String {
    let mut digits = String::new();
    while let Some(digit) = chars.next_if(char::is_ascii_digit) {
        if !(digits.is_empty() && digit == '0') {
            digits.push(digit);
        }
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn entry(name: &str, kind: FileKind, size: u64) -> Rc<FileEntry> {
        Rc::new(FileEntry {
            size: Some(size),
            ..testing::file(name, kind)
        })
    }

    fn names(files: &[Rc<FileEntry>]) -> Vec<&str> {
        files.iter().map(|file| file.name.as_str()).collect()
    }

    #[test]
    fn numbers_in_names_count_as_numbers() {
        let mut names = vec![
            "file10", "File2", "file1", "file02", "file", "älter", "10", "9",
        ];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(
            names,
            [
                "9", "10", "file", "file1", "File2", "file02", "file10", "älter"
            ]
        );
    }

    #[test]
    fn folders_come_first_in_both_directions() {
        let mut files = vec![
            entry("b.txt", FileKind::File, 1),
            entry("a.txt", FileKind::File, 2),
            entry("z", FileKind::Directory, 0),
        ];
        sort(&mut files, Order::default());
        assert_eq!(names(&files), ["z", "a.txt", "b.txt"]);
        let order = Order::default().clicked(Column::Name);
        sort(&mut files, order);
        assert_eq!(names(&files), ["z", "b.txt", "a.txt"]);
        sort(&mut files, order.clicked(Column::Size));
        assert_eq!(names(&files), ["z", "b.txt", "a.txt"]);
    }
}
