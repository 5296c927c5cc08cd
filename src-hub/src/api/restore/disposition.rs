//! The name under which a download is offered: `Content-Disposition` (RFC 6266, RFC 8187).
//!
//! Names come from inside an image and may contain anything but `/` and NUL. Two forms are sent: a plain `filename`
//! that no parser can trip over, and `filename*` with the exact name if the plain one lost something.

use axum::http::HeaderValue;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Everything but RFC 8187's `attr-char`.
const NOT_ATTR_CHAR: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// Offers a body as a file of that name.
pub(super) fn attachment(name: &str) -> HeaderValue {
    let plain: String = name.chars().map(plain_char).collect();
    let mut header = format!("attachment; filename=\"{plain}\"");
    if plain != name {
        header.push_str("; filename*=UTF-8''");
        header.extend(utf8_percent_encode(name, NOT_ATTR_CHAR));
    }
    HeaderValue::try_from(header).expect("only visible ASCII is left by now")
}

/// Quotes and backslashes would need escapes that parsers disagree on, percent signs are decoded
/// by some, and slashes could be taken for folders.
fn plain_char(c: char) -> char {
    match c {
        '"' | '\\' | '%' | '/' => '_',
        ' '..='~' => c,
        _ => '_',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(name: &str) -> String {
        attachment(name).to_str().unwrap().to_owned()
    }

    #[test]
    fn a_plain_name_needs_one_form() {
        assert_eq!(
            header("ReAgent.xml"),
            "attachment; filename=\"ReAgent.xml\""
        );
        assert_eq!(
            header("My Report (2).txt"),
            "attachment; filename=\"My Report (2).txt\""
        );
    }

    #[test]
    fn other_names_are_sent_exactly_beside_a_safe_one() {
        assert_eq!(
            header("Übersicht 漢😀.txt"),
            "attachment; filename=\"_bersicht __.txt\"; \
             filename*=UTF-8''%C3%9Cbersicht%20%E6%BC%A2%F0%9F%98%80.txt"
        );
        assert_eq!(
            header("a\"b\\c%41.txt"),
            "attachment; filename=\"a_b_c_41.txt\"; filename*=UTF-8''a%22b%5Cc%2541.txt"
        );
    }

    #[test]
    fn line_breaks_cannot_leave_the_header() {
        let header = header("a\r\nSet-Cookie: x=1\u{7f}");
        assert!(!header.contains(['\r', '\n', '\u{7f}']), "{header}");
        assert!(header.ends_with("filename*=UTF-8''a%0D%0ASet-Cookie%3A%20x%3D1%7F"));
    }
}
