//! Passwords and tokens: from standard input or a prompt that shows nothing, never from arguments,
//! which every user of the computer can read.

use std::io::{self, BufRead, IsTerminal};

use secrecy::{ExposeSecret, SecretString};
use sendense_types::{AppError, ErrorKind, Retry};

use crate::Result;

/// More than any password or token; what pours in without end is something else.
const LONGEST: u64 = 64 * 1024;

/// The first line of standard input.
pub(crate) fn from_stdin(what: &str) -> Result<SecretString> {
    let mut line = String::new();
    let mut limited = io::Read::take(io::stdin().lock(), LONGEST);
    limited
        .read_line(&mut line)
        .map_err(|error| unreadable(what).with_details(error.to_string()))?;
    line.truncate(line.trim_end_matches(['\r', '\n']).len());
    if line.is_empty() {
        return Err(unreadable(what));
    }
    Ok(line.into())
}

/// A password for that user: from a prompt where somebody sits at it, else from standard input.
pub(crate) fn password(user: &str, from_stdin_wanted: bool) -> Result<SecretString> {
    if from_stdin_wanted || !io::stdin().is_terminal() {
        return from_stdin("password");
    }
    let prompt = format!("Password of {user}: ");
    rpassword::prompt_password(prompt)
        .map(SecretString::from)
        .map_err(|error| unreadable("password").with_details(error.to_string()))
}

/// As [`password`], asked for twice, because nobody sees a slip.
pub(crate) fn new_password(user: &str) -> Result<SecretString> {
    let password = password(user, false)?;
    if io::stdin().is_terminal() {
        let again = rpassword::prompt_password("The same again: ")
            .map(SecretString::from)
            .map_err(|error| unreadable("password").with_details(error.to_string()))?;
        if again.expose_secret() != password.expose_secret() {
            return Err(AppError::new(
                ErrorKind::Invalid,
                "The two passwords differ.",
                Retry::Manual,
            )
            .with_hint("Nothing was changed."));
        }
    }
    Ok(password)
}

fn unreadable(what: &str) -> AppError {
    AppError::new(
        ErrorKind::Invalid,
        format!("There is no {what} on standard input."),
        Retry::Never,
    )
    .with_hint("Give it as one line.")
}
