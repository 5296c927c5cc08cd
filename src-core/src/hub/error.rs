//! What the failures of hubs mean: one reader for the five shapes of error bodies (contract 2.4 and
//! 8.5), over the table in [`meanings`](super::meanings). A hub's `code` decides; without one, its text is
//! searched for tokens.

use reqwest::StatusCode;
use sendense_types::{AppError, ErrorKind, FailureCode, Retry};
use sendense_words as words;
use serde::Deserialize;
use serde_json::Value;

use super::meanings::{MEANINGS, Meaning};
use super::redaction::without_passwords;

/// What a failed answer means.
pub(super) fn of_answer(status: StatusCode, body: &[u8]) -> AppError {
    let said = Said::read(body);
    let error = said.meaning().unwrap_or_else(|| of_status(status));
    match said.in_full() {
        Some(text) => error.with_details(without_passwords(text)),
        None => error.with_details(format!("HTTP {status}")),
    }
}

/// The meaning of a failure that a hub reports with a good status, such as `"success": false` or the
/// reason of a failed backup; `None` where neither code nor text is known.
pub(super) fn of_failure(code: Option<FailureCode>, text: &str) -> Option<AppError> {
    let by_code = code.and_then(|code| MEANINGS.iter().find(|row| row.code == Some(code)));
    let meaning = by_code.or_else(|| by_text(text))?;
    let mut error = AppError::new(meaning.kind, (meaning.message)(), meaning.retry);
    error.hint = meaning.hint.map(|hint| hint().to_owned());
    Some(error.with_details(text))
}

fn by_text(text: &str) -> Option<&'static Meaning> {
    let lower = text.to_lowercase();
    MEANINGS.iter().find(|row| lower.contains(row.token))
}

/// A failure without a known token, by its status alone.
fn of_status(status: StatusCode) -> AppError {
    let (kind, retry, message) = match status.as_u16() {
        401 => (
            ErrorKind::Unauthorized,
            Retry::AfterSignIn,
            words::failures::sign_in_required(),
        ),
        403 => (
            ErrorKind::Forbidden,
            Retry::Never,
            words::failures::forbidden(),
        ),
        404 => (
            ErrorKind::NotFound,
            Retry::Never,
            words::failures::not_found(),
        ),
        405 | 501 => (
            ErrorKind::Unsupported,
            Retry::Never,
            words::failures::not_offered(),
        ),
        409 => (
            ErrorKind::Conflict,
            Retry::Manual,
            words::failures::in_the_way(),
        ),
        429 | 503 => (
            ErrorKind::Internal,
            Retry::AfterSeconds(10),
            words::failures::hub_busy(),
        ),
        400..=499 => (
            ErrorKind::Invalid,
            Retry::Never,
            words::failures::not_accepted(),
        ),
        500..=599 => (
            ErrorKind::Internal,
            Retry::Manual,
            words::failures::server_error(),
        ),
        _ => (
            ErrorKind::Internal,
            Retry::Never,
            words::failures::not_a_hub(),
        ),
    };
    let error = AppError::new(kind, message, retry);
    match kind {
        ErrorKind::Unauthorized => error.with_hint(words::failures::sign_in_and_retry()),
        _ => error,
    }
}

/// The words of an error body.
#[derive(Debug, PartialEq)]
struct Said {
    code: Option<FailureCode>,
    message: Option<String>,
    details: Option<String>,
}

/// Texts are for a fold in a window; a hub that sends a whole page instead gets its beginning shown.
const LONGEST_TEXT: usize = 2000;

impl Said {
    fn read(body: &[u8]) -> Self {
        if let Ok(Value::Object(fields)) = serde_json::from_slice(body) {
            let first = |keys: &[&str]| {
                keys.iter()
                    .filter_map(|key| fields.get(*key)?.as_str())
                    .map(str::trim)
                    .find(|text| !text.is_empty())
                    .map(str::to_owned)
            };
            return Self {
                code: fields
                    .get("code")
                    .and_then(|code| FailureCode::deserialize(code).ok()),
                message: first(&["error", "error_message", "message"]),
                details: first(&["details", "error_details"]),
            };
        }
        let text = String::from_utf8_lossy(body);
        let text: String = text.trim().chars().take(LONGEST_TEXT).collect();
        Self {
            code: None,
            message: (!text.is_empty()).then_some(text),
            details: None,
        }
    }

    fn in_full(&self) -> Option<String> {
        match (&self.message, &self.details) {
            (Some(message), Some(details)) if message != details => {
                Some(format!("{message}: {details}"))
            }
            (Some(text), _) | (None, Some(text)) => Some(text.clone()),
            (None, None) => None,
        }
    }

    /// The details often hold the more telling token (contract 5), the message the operation.
    fn meaning(&self) -> Option<AppError> {
        of_failure(self.code, &self.in_full().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The texts of contract 5 as hubs chain them, and what they are to the user.
    const CATALOGUE: &[(u16, &str, ErrorKind)] = &[
        (
            401,
            r#"{"error":"Missing authorization header","details":"","timestamp":"2025-10-10T14:00:00+01:00"}"#,
            ErrorKind::Unauthorized,
        ),
        (
            401,
            r#"{"error":"Invalid authorization format"}"#,
            ErrorKind::Unauthorized,
        ),
        (
            401,
            r#"{"error":"Invalid or expired token","details":""}"#,
            ErrorKind::Unauthorized,
        ),
        (
            401,
            r#"{"success":false,"error_message":"Invalid credentials"}"#,
            ErrorKind::Unauthorized,
        ),
        (
            429,
            r#"{"error":"too many failed sign-ins for this user; try again in 30 s"}"#,
            ErrorKind::Unauthorized,
        ),
        (
            500,
            r#"{"error":"failed to list files: mount not found: record not found"}"#,
            ErrorKind::Expired,
        ),
        (
            500,
            r#"{"error":"mount not ready: status=mounting"}"#,
            ErrorKind::Conflict,
        ),
        (
            500,
            r#"{"error":"mount not ready: status=failed"}"#,
            ErrorKind::Expired,
        ),
        (
            500,
            r#"{"error":"failed to mount: disk not found: backup_id=b, disk_index=5: record not found"}"#,
            ErrorKind::NotFound,
        ),
        (
            500,
            r#"{"error":"QCOW2 file does not exist: /x.qcow2"}"#,
            ErrorKind::NotFound,
        ),
        (
            500,
            r#"{"error":"maximum concurrent mounts reached (8)"}"#,
            ErrorKind::Full,
        ),
        (
            500,
            r#"{"error":"no available NBD devices"}"#,
            ErrorKind::Full,
        ),
        (
            500,
            r#"{"error":"failed to create mount record: Error 1062: Duplicate entry '/dev/nbd0'"}"#,
            ErrorKind::Conflict,
        ),
        (
            500,
            r#"{"error":"qemu-nbd failed: exit status 1: Failed to get shared \"write\" lock"}"#,
            ErrorKind::Conflict,
        ),
        (
            500,
            r#"{"error":"timeout waiting for NBD device"}"#,
            ErrorKind::Internal,
        ),
        (
            500,
            r#"{"error":"no mountable partitions found"}"#,
            ErrorKind::Unsupported,
        ),
        (
            500,
            r#"{"error":"path does not exist: /x"}"#,
            ErrorKind::NotFound,
        ),
        (
            500,
            r#"{"error":"path is not a directory: /x"}"#,
            ErrorKind::Invalid,
        ),
        (
            500,
            r#"{"error":"readdirent /x: not a directory"}"#,
            ErrorKind::Invalid,
        ),
        (
            500,
            r#"{"error":"open /x: permission denied"}"#,
            ErrorKind::Internal,
        ),
        (
            500,
            r#"{"error":"read /x: input/output error"}"#,
            ErrorKind::Corrupt,
        ),
        (
            500,
            r#"{"error":"cannot write to the repository: /x: Input/output error (os error 5)"}"#,
            ErrorKind::Internal,
        ),
        (
            500,
            r#"{"error":"invalid partition path: partition-x"}"#,
            ErrorKind::NotFound,
        ),
        (
            500,
            r#"{"error":"not a regular file: /dev/null"}"#,
            ErrorKind::Unsupported,
        ),
        (
            500,
            r#"{"error":"unsupported archive type: rar"}"#,
            ErrorKind::Unsupported,
        ),
        (
            400,
            r#"{"error":"invalid path: '..' leads out of the disk"}"#,
            ErrorKind::Invalid,
        ),
        (
            400,
            r#"{"error":"vm_name is required","details":"","timestamp":""}"#,
            ErrorKind::Invalid,
        ),
        (
            404,
            r#"{"error":"No disks found for VM","details":"","timestamp":""}"#,
            ErrorKind::NotFound,
        ),
        (
            500,
            r#"{"error":"failed to create backup context","details":"a foreign key constraint fails","timestamp":""}"#,
            ErrorKind::NotFound,
        ),
        (
            500,
            r#"{"error":"failed to prepare backup disk 0","details":"repository not found: 7","timestamp":""}"#,
            ErrorKind::NotFound,
        ),
        (
            500,
            r#"{"error":"failed to create parent backup job","details":"Duplicate entry 'backup-x-1'","timestamp":""}"#,
            ErrorKind::Conflict,
        ),
        (
            400,
            r#"{"error":"no previous backup found for incremental","details":"","timestamp":""}"#,
            ErrorKind::NeedsFull,
        ),
        (
            500,
            r#"{"error":"failed to prepare backup disk 0","details":"backup chain not found","timestamp":""}"#,
            ErrorKind::NeedsFull,
        ),
        (
            500,
            r#"{"error":"failed to prepare backup disk 0","details":"no parent backup found","timestamp":""}"#,
            ErrorKind::NeedsFull,
        ),
        (
            500,
            r#"{"error":"failed to prepare backup disk 0","details":"parent backup not found: x","timestamp":""}"#,
            ErrorKind::NeedsFull,
        ),
        (
            500,
            r#"{"error":"failed to prepare backup disk 0","details":"total_bytes must be greater than 0","timestamp":""}"#,
            ErrorKind::Unsupported,
        ),
        (
            500,
            r#"{"error":"failed to prepare backup disk 0","details":"qemu-img create failed","timestamp":""}"#,
            ErrorKind::Internal,
        ),
        (
            500,
            r#"{"error":"failed to allocate","details":"no available ports","timestamp":""}"#,
            ErrorKind::Full,
        ),
        (
            400,
            r#"{"error":"missing credential_id","details":"","timestamp":""}"#,
            ErrorKind::Invalid,
        ),
        (
            500,
            r#"{"error":"failed to get VMware credentials","details":"","timestamp":""}"#,
            ErrorKind::Invalid,
        ),
        (
            500,
            r#"{"error":"failed to call SNA API","details":"connection refused","timestamp":""}"#,
            ErrorKind::Offline,
        ),
        (
            500,
            r#"{"error":"SNA API error","details":"","timestamp":""}"#,
            ErrorKind::Internal,
        ),
        (
            404,
            r#"{"error":"backup not found","details":"","timestamp":""}"#,
            ErrorKind::NotFound,
        ),
        (
            409,
            r#"{"error":"a backup of x is already running: backup-x-1"}"#,
            ErrorKind::Conflict,
        ),
        (
            500,
            r#"{"success":false,"error":"cannot delete repository with 3 existing backups"}"#,
            ErrorKind::Conflict,
        ),
        (
            500,
            r#"{"success":false,"error":"Failed to register repository: path is not writable"}"#,
            ErrorKind::Forbidden,
        ),
        (
            500,
            r#"{"success":false,"error":"Failed to register repository: Duplicate entry 'x'"}"#,
            ErrorKind::Conflict,
        ),
        (
            500,
            r#"{"error":"VM discovery failed: timeout","timestamp":"2025-10-10T14:00:00Z"}"#,
            ErrorKind::Internal,
        ),
        (
            404,
            r#"{"error":"VM context not found for: x","timestamp":"2025-10-10T14:00:00Z"}"#,
            ErrorKind::NotFound,
        ),
        (
            409,
            r#"{"error":"this copy is over and cannot be cancelled"}"#,
            ErrorKind::Conflict,
        ),
        (404, "404 page not found\n", ErrorKind::Unsupported),
        (405, "", ErrorKind::Unsupported),
        (500, "Failed to list credentials\n", ErrorKind::Internal),
        (
            502,
            "<html><body>Bad Gateway</body></html>",
            ErrorKind::Internal,
        ),
        (
            503,
            r#"{"error":"the hub is stopping and starts no more backups"}"#,
            ErrorKind::Offline,
        ),
    ];

    /// Contract D6, D7, D41, D58, D60, section 12.1.
    #[test]
    fn every_failure_of_the_catalogue_is_understood() {
        for (status, body, kind) in CATALOGUE {
            let status = StatusCode::from_u16(*status).unwrap();
            let error = of_answer(status, body.as_bytes());
            assert_eq!(error.kind, *kind, "{status} {body} became {error:?}");
        }
    }

    #[test]
    fn every_row_of_the_table_is_reached_by_its_own_token() {
        for meaning in MEANINGS {
            let error = of_failure(None, &meaning.token.to_uppercase()).unwrap();
            assert_eq!(error.message, (meaning.message)(), "{}", meaning.token);
            assert!(error.message.ends_with('.'), "{}", error.message);
        }
    }

    #[test]
    fn every_code_has_one_row() {
        for code in FailureCode::ALL {
            let rows = MEANINGS.iter().filter(|row| row.code == Some(*code));
            assert_eq!(rows.count(), 1, "{code:?}");
        }
    }

    #[test]
    fn a_code_counts_before_the_text_and_the_text_before_the_status() {
        let of = |body: &str| of_answer(StatusCode::INTERNAL_SERVER_ERROR, body.as_bytes());
        let error = of(r#"{"error":"nothing there: mount not found","code":"no_previous_backup"}"#);
        assert_eq!(error.kind, ErrorKind::NeedsFull);
        let details = error.details.as_deref();
        assert_eq!(details, Some("nothing there: mount not found"));
        assert_eq!(of(r#"{"code":"backup_pinned"}"#).kind, ErrorKind::Conflict);
        // Without a code that is known, the text.
        for code in [r#""moon_in_the_way""#, "7", "null"] {
            let error = of(&format!(
                r#"{{"error":"mount not found: m1","code":{code}}}"#
            ));
            assert_eq!(error.kind, ErrorKind::Expired, "{code}");
        }
        let error = of(r#"{"error":"it rains","code":"moon_in_the_way"}"#);
        assert_eq!(error.kind, ErrorKind::Internal);
    }

    /// Contract D6, H28.
    #[test]
    fn the_hubs_own_words_are_kept() {
        let body = br#"{"error":"failed to prepare backup disk 0","details":"qemu-img: \u003cno space\u003e"}"#;
        let error = of_answer(StatusCode::INTERNAL_SERVER_ERROR, body);
        assert_eq!(
            error.details.as_deref(),
            Some("failed to prepare backup disk 0: qemu-img: <no space>")
        );
        let error = of_answer(StatusCode::INTERNAL_SERVER_ERROR, b"  plain text \n");
        assert_eq!(error.message, "Server error, please try again.");
        assert_eq!(error.details.as_deref(), Some("plain text"));
    }

    /// Contract D6.
    #[test]
    fn an_unknown_body_is_no_reason_to_fail() {
        for body in [
            &b""[..],
            b"\xff\xfe",
            b"[]",
            b"{}",
            b"{\"error\":7}",
            b"null",
        ] {
            let error = of_answer(StatusCode::INTERNAL_SERVER_ERROR, body);
            assert_eq!(error.kind, ErrorKind::Internal);
        }
    }
}
