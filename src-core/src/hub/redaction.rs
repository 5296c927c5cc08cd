//! Taking secrets out of what hubs say: their words are shown under "Details" and written to the log.

use sendense_types::AppError;

/// What stands for a secret.
const GONE: &str = "…";
/// What stands before a password in the settings of a share, as deployed hubs write and pass them (contract H34).
const PASSWORD_FIELDS: [&str; 3] = ["password_secret", "PasswordSecret", "password="];

/// A failure without a secret that the other side may have repeated in its words.
pub(super) fn without(secret: &str, mut error: AppError) -> AppError {
    error.details = error.details.map(|details| without_secret(secret, details));
    error
}

/// A text without a secret that is known, also as JSON spells it.
pub(crate) fn without_secret(secret: &str, text: String) -> String {
    if secret.is_empty() {
        return text;
    }
    let in_json = serde_json::Value::from(secret).to_string();
    text.replace(secret, GONE)
        .replace(in_json.trim_matches('"'), GONE)
}

/// A text without the passwords of shares that are not known here: hubs keep them readable, and may quote the settings
/// of a share in a failure.
pub(crate) fn without_passwords(mut text: String) -> String {
    for field in PASSWORD_FIELDS {
        let mut from = 0;
        while let Some(at) = text.get(from..).and_then(|rest| rest.find(field)) {
            let value = from + at + field.len();
            let rest = &text[value..];
            let begin = rest
                .find(|c: char| !matches!(c, ' ' | ':' | '=' | '"' | '\\'))
                .unwrap_or(rest.len());
            let end = begin + length(&rest[..begin], &rest[begin..]);
            if begin < end {
                text.replace_range(value + begin..value + end, GONE);
            }
            from = value;
        }
    }
    text
}

/// How long the value is at the beginning of a text, by what opened it: a quotation mark, one inside of another
/// quotation, or none.
fn length(opened_by: &str, text: &str) -> usize {
    let mark = match opened_by {
        quoted if quoted.ends_with("\\\"") => "\\\"",
        quoted if quoted.ends_with('"') => "\"",
        _ => {
            let ends = |c: char| c.is_whitespace() || matches!(c, ',' | '"' | '}' | '\\');
            return text.find(ends).unwrap_or(text.len());
        }
    };
    // A mark that is part of the value has a backslash before it.
    let mut marks = text.match_indices(mark).map(|(at, _)| at);
    marks
        .find(|at| !text[..*at].ends_with('\\'))
        .unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_secret_is_taken_out_however_it_is_spelled() {
        let secret = "hor\"se";
        let text = r#"mount failed: hor"se ({"password":"hor\"se"})"#.to_owned();
        assert_eq!(
            without_secret(secret, text),
            r#"mount failed: … ({"password":"…"})"#
        );
        assert_eq!(without_secret("", "as it was".to_owned()), "as it was");
    }

    #[test]
    fn the_password_of_a_share_is_taken_out_although_it_is_not_known() {
        for (text, clean) in [
            (
                r#"bad config {"password_secret":"horse","domain":"x"}"#,
                r#"bad config {"password_secret":"…","domain":"x"}"#,
            ),
            (
                r#"bad config "{\"password_secret\": \"horse\"}""#,
                r#"bad config "{\"password_secret\": \"…\"}""#,
            ),
            (
                r#"{"password_secret":"hor\"se, it is","domain":"x"}"#,
                r#"{"password_secret":"…","domain":"x"}"#,
            ),
            (
                "mount -o username=ada,password=horse,vers=3.0 //nas/b",
                "mount -o username=ada,password=…,vers=3.0 //nas/b",
            ),
            (
                "{Server:nas PasswordSecret:horse Domain:}",
                "{Server:nas PasswordSecret:… Domain:}",
            ),
            ("password=horse", "password=…"),
            ("password_secret", "password_secret"),
            ("the password is wrong", "the password is wrong"),
        ] {
            assert_eq!(without_passwords(text.to_owned()), clean);
        }
    }
}
