//! The one error type that reaches a user, in the window and in the terminal.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Certificate;

/// What happened, what it means and what to do, in words for a person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AppError {
    /// What to do differently for it.
    pub kind: ErrorKind,
    /// One sentence: what happened. Capital letter, full stop, no type names, no chain.
    pub message: String,
    /// One sentence: what it means for the data, or what to do.
    pub hint: Option<String>,
    /// Whether trying again makes sense.
    pub retry: Retry,
    /// The hub's or the system's own words, for the fold "Details". Never holds a secret.
    pub details: Option<String>,
    /// The certificate that was refused, where that is what happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Box<Certificate>>,
}

/// Kinds of failure that an app or a script treats differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The hub could not be reached.
    Offline,
    /// The hub's certificate is not trusted.
    Untrusted,
    /// Sign in (again).
    Unauthorized,
    /// Signed in, but not allowed.
    Forbidden,
    /// The thing is not there.
    NotFound,
    /// A mount is gone: remount.
    Expired,
    /// Something else is in the way: a running job, an existing file, dependents.
    Conflict,
    /// An incremental backup has nothing to build on: take a full one.
    NeedsFull,
    /// The request makes no sense as it is.
    Invalid,
    /// This hub, disk or filesystem cannot do that.
    Unsupported,
    /// The data is damaged.
    Corrupt,
    /// No room left on the disk, or no free mount slot.
    Full,
    /// The connection broke in mid-transfer: what arrived is incomplete.
    Cut,
    /// The connection broke before an answer: it is not known whether the hub did it.
    OutcomeUnknown,
    /// The user stopped it.
    Cancelled,
    /// The hub or this program failed.
    Internal,
}

/// Whether trying again makes sense, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Retry {
    /// It would fail the same way.
    Never,
    /// When the user asks for it.
    Manual,
    /// By itself, after so many seconds.
    AfterSeconds(u32),
    /// After signing in.
    AfterSignIn,
}

impl AppError {
    /// An error without hint or details.
    pub fn new(kind: ErrorKind, message: impl Into<String>, retry: Retry) -> Self {
        Self {
            kind,
            message: message.into(),
            hint: None,
            retry,
            details: None,
            certificate: None,
        }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the other side's own words.
    #[must_use]
    pub fn with_details(mut self, details: impl Into<String>) -> Self {
        self.details = Some(details.into());
        self
    }
}

impl fmt::Display for AppError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(hint) = &self.hint {
            write!(f, " {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for AppError {}
