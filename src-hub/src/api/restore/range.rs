//! Which part of a file a download asks for: the `Range` header (RFC 9110, 14).
//!
//! One range of bytes is served. Several at once, other units and anything malformed are answered with the whole file,
//! as the RFC allows: no download manager needs more.

/// What to send of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All of it: 200.
    Whole,
    /// From `first` to `last`, both included: 206.
    Part {
        /// The first byte.
        first: u64,
        /// The last byte.
        last: u64,
    },
    /// The range starts behind the end: 416.
    Unsatisfiable,
}

impl Wanted {
    /// Reads a `Range` header for a file of `size_bytes`.
    pub(super) fn from_header(header: &str, size_bytes: u64) -> Self {
        let Some(range) = header.trim().strip_prefix("bytes=") else {
            return Self::Whole;
        };
        let Some((first, last)) = range.split_once('-') else {
            return Self::Whole;
        };
        match (position(first), position(last)) {
            (Position::Number(first), Position::Open) => {
                Self::part(first, size_bytes.saturating_sub(1), size_bytes)
            }
            (Position::Number(first), Position::Number(last)) if first <= last => {
                Self::part(first, last, size_bytes)
            }
            (Position::Open, Position::Number(0)) => Self::Unsatisfiable,
            (Position::Open, Position::Number(n_last_bytes)) => Self::part(
                size_bytes.saturating_sub(n_last_bytes),
                size_bytes.saturating_sub(1),
                size_bytes,
            ),
            _ => Self::Whole,
        }
    }

    fn part(first: u64, last: u64, size_bytes: u64) -> Self {
        if first >= size_bytes {
            return Self::Unsatisfiable;
        }
        Self::Part {
            first,
            last: last.min(size_bytes - 1),
        }
    }

    /// The bytes to send: where they start and how many there are.
    pub(super) fn extent(self, size_bytes: u64) -> (u64, u64) {
        match self {
            Self::Whole => (0, size_bytes),
            Self::Part { first, last } => (first, last - first + 1),
            Self::Unsatisfiable => (0, 0),
        }
    }
}

enum Position {
    Number(u64),
    Open,
    Malformed,
}

/// `u64::from_str` would take a sign, which the grammar does not.
fn position(text: &str) -> Position {
    let text = text.trim();
    if text.is_empty() {
        return Position::Open;
    }
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Position::Malformed;
    }
    // More digits than fit name a place behind the end of any file.
    Position::Number(text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(first: u64, last: u64) -> Wanted {
        Wanted::Part { first, last }
    }

    #[test]
    fn one_range_is_served_and_cut_to_the_file() {
        assert_eq!(Wanted::from_header("bytes=0-99", 1000), part(0, 99));
        assert_eq!(Wanted::from_header("bytes=500-", 1000), part(500, 999));
        assert_eq!(Wanted::from_header("bytes=-10", 1000), part(990, 999));
        assert_eq!(Wanted::from_header("bytes=-5000", 1000), part(0, 999));
        assert_eq!(Wanted::from_header("bytes=900-5000", 1000), part(900, 999));
        assert_eq!(
            Wanted::from_header("bytes=0-99999999999999999999999", 10),
            part(0, 9)
        );
        assert_eq!(Wanted::from_header(" bytes= 1 - 2 ", 10), part(1, 2));
    }

    #[test]
    fn a_start_behind_the_end_is_unsatisfiable() {
        for header in [
            "bytes=1000-",
            "bytes=1000-1001",
            "bytes=-0",
            "bytes=99999999999999999999-",
        ] {
            assert_eq!(
                Wanted::from_header(header, 1000),
                Wanted::Unsatisfiable,
                "{header}"
            );
        }
        assert_eq!(
            Wanted::from_header("bytes=0-", 0),
            Wanted::Unsatisfiable,
            "an empty file has no first byte"
        );
    }

    #[test]
    fn what_is_not_one_range_of_bytes_gets_the_whole_file() {
        for header in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=a-b",
            "bytes=5-2",
            "bytes=0-1,4-5",
            "lines=0-1",
            "bytes=+1-2",
        ] {
            assert_eq!(Wanted::from_header(header, 1000), Wanted::Whole, "{header}");
        }
    }

    #[test]
    fn extents_count_both_ends() {
        assert_eq!(part(10, 19).extent(100), (10, 10));
        assert_eq!(Wanted::Whole.extent(100), (0, 100));
    }
}
