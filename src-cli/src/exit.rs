//! Exit codes, so that scripts can tell failures apart; `sendense --help` lists them.

use std::process::ExitCode;

use sendense_types::{AppError, ErrorKind};

/// What a shell reports for a program that Ctrl-C ended.
pub(crate) const CANCELLED: u8 = 130;

/// The exit code of a failure.
pub(crate) fn code(error: &AppError) -> ExitCode {
    ExitCode::from(number(error.kind))
}

/// 2 is clap's, for wrong arguments.
fn number(kind: ErrorKind) -> u8 {
    match kind {
        ErrorKind::NotFound | ErrorKind::Expired => 3,
        ErrorKind::Unauthorized | ErrorKind::Forbidden | ErrorKind::Untrusted => 4,
        ErrorKind::Offline | ErrorKind::OutcomeUnknown => 5,
        ErrorKind::Conflict | ErrorKind::NeedsFull => 6,
        ErrorKind::Full => 7,
        ErrorKind::Cancelled => CANCELLED,
        ErrorKind::Invalid
        | ErrorKind::Unsupported
        | ErrorKind::Corrupt
        | ErrorKind::Cut
        | ErrorKind::Internal => 1,
    }
}
