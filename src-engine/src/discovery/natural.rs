//! Natural order: `disk2` before `disk10`.

use std::cmp::Ordering;

/// Compares runs of digits as numbers and all else without regard to case; ties by the exact text,
/// so that the order is total.
pub(crate) fn compare(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a, b);
    loop {
        let order = match (left.chars().next(), right.chars().next()) {
            (None, None) => return a.cmp(b),
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(x), Some(y)) if x.is_ascii_digit() && y.is_ascii_digit() => {
                let (x, rest_left) = split_digits(left);
                let (y, rest_right) = split_digits(right);
                (left, right) = (rest_left, rest_right);
                // Without leading zeros the longer number is the larger one, however long it is.
                let (x, y) = (x.trim_start_matches('0'), y.trim_start_matches('0'));
                x.len().cmp(&y.len()).then_with(|| x.cmp(y))
            }
            (Some(x), Some(y)) => {
                left = &left[x.len_utf8()..];
                right = &right[y.len_utf8()..];
                x.to_lowercase().cmp(y.to_lowercase())
            }
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

fn split_digits(text: &str) -> (&str, &str) {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_count_as_numbers() {
        let mut names = [
            "disk10", "Disk2", "disk1", "disk02", "data", "disk", "disk1a",
        ];
        names.sort_by(|a, b| compare(a, b));
        assert_eq!(
            names,
            [
                "data", "disk", "disk1", "disk1a", "Disk2", "disk02", "disk10"
            ]
        );
    }

    #[test]
    fn numbers_may_be_longer_than_any_integer() {
        let long = format!("v{}", "9".repeat(100));
        assert_eq!(compare(&long, "v1"), Ordering::Greater);
    }

    proptest! {
        #[test]
        fn the_order_is_total(a in "[a-bA-B0-2]{0,6}", b in "[a-bA-B0-2]{0,6}", c in "[a-bA-B0-2]{0,6}") {
            prop_assert_eq!(compare(&a, &b), compare(&b, &a).reverse());
            prop_assert_eq!(compare(&a, &b) == Ordering::Equal, a == b);
            if compare(&a, &b).is_le() && compare(&b, &c).is_le() {
                prop_assert!(compare(&a, &c).is_le());
            }
        }
    }
}
