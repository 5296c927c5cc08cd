//! What commands print: text for people, or one JSON document with the contract's field names.

use std::fmt::Display;
use std::io::{self, ErrorKind as Io, Write};

use comfy_table::{CellAlignment, Table, presets};
use jiff::{Timestamp, tz::TimeZone};
use sendense_types::{AppError, ByteSize, Certificate, ErrorKind, Retry};
use sendense_words as words;
use serde::Serialize;

use crate::Result;

/// Where results go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    is_json: bool,
}

impl Output {
    pub(crate) fn new(is_json: bool) -> Self {
        Self { is_json }
    }

    pub(crate) fn is_json(self) -> bool {
        self.is_json
    }

    /// Prints a result: the value as JSON, or the text.
    pub(crate) fn show(self, value: &impl Serialize, text: impl FnOnce() -> String) -> Result<()> {
        let text = if self.is_json {
            serde_json::to_string_pretty(value).map_err(|error| {
                AppError::new(
                    ErrorKind::Internal,
                    words::terminal::not_json(),
                    Retry::Never,
                )
                .with_details(error.to_string())
            })?
        } else {
            text()
        };
        let mut stdout = io::stdout().lock();
        match writeln!(stdout, "{}", text.trim_end()).and_then(|()| stdout.flush()) {
            // Whoever reads has seen enough (`| head`).
            Err(error) if error.kind() == Io::BrokenPipe => Ok(()),
            Err(error) => Err(AppError::new(
                ErrorKind::Internal,
                words::terminal::not_printed(),
                Retry::Never,
            )
            .with_details(error.to_string())),
            Ok(()) => Ok(()),
        }
    }

    /// Says something beside the result; only to people.
    pub(crate) fn note(self, text: impl Display) {
        if !self.is_json {
            say(text);
        }
    }
}

/// Prints a failure in the words that the app shows.
pub(crate) fn print_error(error: &AppError) {
    say(words::terminal::error(printable(&error.message)));
    if let Some(hint) = &error.hint {
        say(format_args!("       {}", printable(hint)));
    }
    if let Some(details) = &error.details {
        say(format_args!("       ({})", printable(details)));
    }
    if let Some(certificate) = &error.certificate {
        print_certificate(certificate);
    }
}

/// Shows a certificate that was refused, and how to trust it.
fn print_certificate(certificate: &Certificate) {
    let some = |text: &str| Some(text.to_owned());
    let pinned = certificate.pinned.as_ref().map(ToString::to_string);
    let rows = [
        (words::hubs::subject(), some(&certificate.subject)),
        (words::hubs::issuer(), some(&certificate.issuer)),
        (
            words::hubs::valid_from(),
            Some(time(certificate.valid_from)),
        ),
        (
            words::hubs::valid_until(),
            Some(time(certificate.valid_until)),
        ),
        (
            words::hubs::fingerprint(),
            some(&certificate.fingerprint.to_string()),
        ),
        (words::hubs::fingerprint_trusted(), pinned),
    ];
    say(sheet(&rows).trim_end());
    if certificate.may_be_pinned() {
        say(words::terminal::trust_with(&certificate.fingerprint));
    }
}

/// Says something on standard error, where nobody may be listening.
pub(crate) fn say(text: impl Display) {
    drop(writeln!(io::stderr(), "{text}"));
}

/// A text from a hub or a disk, made harmless: control characters could rewrite the terminal.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .map(|c| {
            let is_harmful = c.is_control()
                || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}');
            if is_harmful { '\u{fffd}' } else { c }
        })
        .collect()
}

/// Rows below a head, columns as wide as they need.
pub(crate) fn table<const N: usize>(
    head: [&str; N],
    right_aligned: &[usize],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(head.map(str::to_uppercase));
    for row in rows {
        table.add_row(row.map(|cell| printable(&cell)));
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if right_aligned.contains(&index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.trim_fmt()
}

/// Names and values below each other; what is not known is left out.
pub(crate) fn sheet(rows: &[(&str, Option<String>)]) -> String {
    let width = rows
        .iter()
        .map(|(name, _)| name.chars().count())
        .max()
        .unwrap_or(0)
        + 2;
    rows.iter()
        .filter_map(|(name, value)| {
            let value = value.as_deref().filter(|value| !value.is_empty())?;
            Some(format!("{name:<width$}{}\n", printable(value)))
        })
        .collect()
}

/// A time as the clock on the wall shows it.
pub(crate) fn time(time: Option<Timestamp>) -> String {
    time.map_or_else(String::new, |time| {
        TimeZone::system()
            .to_datetime(time)
            .strftime("%Y-%m-%d %H:%M:%S")
            .to_string()
    })
}

/// A size for people.
pub(crate) fn size(bytes: Option<u64>) -> String {
    bytes.map_or_else(String::new, |bytes| ByteSize(bytes).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_rewrite_the_terminal() {
        assert_eq!(
            printable("a\x1b[2J\nb\u{202e}c"),
            "a\u{fffd}[2J\u{fffd}b\u{fffd}c"
        );
        assert_eq!(printable("Übersicht 漢字 😀"), "Übersicht 漢字 😀");
    }

    #[test]
    fn columns_are_aligned_and_lines_have_no_trailing_blanks() {
        let text = table(
            ["name", "size"],
            &[1],
            [
                ["漢字".to_owned(), "1 B".to_owned()],
                ["a".to_owned(), "10 B".to_owned()],
            ],
        );
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines, ["NAME  SIZE", "漢字   1 B", "a     10 B"]);
    }

    #[test]
    fn a_sheet_leaves_out_what_is_not_known() {
        let text = sheet(&[
            ("name", Some("x".to_owned())),
            ("cpus", None),
            ("memory", Some(String::new())),
        ]);
        assert_eq!(text, "name    x\n");
    }
}
