//! Sizes in a form people can read.

use std::fmt;

use crate::Units;

/// A number of bytes that shows itself in units of 1024, with three significant digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

const BINARY: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
const DECIMAL: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];

impl ByteSize {
    /// The size in the units the user wants, with three significant digits.
    pub fn in_units(self, units: Units) -> String {
        let (step, names) = match units {
            Units::Binary => (1024.0, BINARY),
            Units::Decimal => (1000.0, DECIMAL),
        };
        let mut size = self.0 as f64;
        if size < step {
            return format!("{} B", self.0);
        }
        size /= step;
        let mut unit = 0;
        // 1023.9 would be shown as 1024: then the next unit is the honest one.
        while size >= step - 0.5 && unit + 1 < names.len() {
            size /= step;
            unit += 1;
        }
        let decimals = match size {
            size if size < 9.995 => 2,
            size if size < 99.95 => 1,
            _ => 0,
        };
        format!("{size:.decimals$} {}", names[unit])
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.in_units(Units::Binary))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_three_digits_and_the_right_unit() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.00 KiB"),
            (1129, "1.10 KiB"),
            (10 * 1024, "10.0 KiB"),
            (1023 * 1024, "1023 KiB"),
            (1024 * 1024 - 1, "1.00 MiB"),
            (505_453_500, "482 MiB"),
            (107 << 30, "107 GiB"),
            (u64::MAX, "16.0 EiB"),
        ] {
            assert_eq!(ByteSize(bytes).to_string(), text, "{bytes}");
        }
    }

    #[test]
    fn decimal_units_have_decimal_steps() {
        for (bytes, text) in [
            (999, "999 B"),
            (1000, "1.00 kB"),
            (999_600, "1.00 MB"),
            (1 << 30, "1.07 GB"),
            (u64::MAX, "18.4 EB"),
        ] {
            assert_eq!(ByteSize(bytes).in_units(Units::Decimal), text, "{bytes}");
        }
    }
}
