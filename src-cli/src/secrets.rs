//! Passwords and tokens: from standard input or a prompt that shows nothing, never from arguments,
//! which every user of the computer can read.

use std::io::{self, BufRead, IsTerminal};

use sendense_types::{AppError, ErrorKind, Retry};
use sendense_words as words;

use crate::Result;

/// More than any password or token; what pours in without end is something else.
const LONGEST: u64 = 64 * 1024;

/// The first line of standard input.
fn from_stdin(missing: &str) -> Result<String> {
    let mut line = String::new();
    let mut limited = io::Read::take(io::stdin().lock(), LONGEST);
    limited
        .read_line(&mut line)
        .map_err(|error| unreadable(missing).with_details(error.to_string()))?;
    let secret = line.trim_end_matches(['\r', '\n']);
    if secret.is_empty() {
        return Err(unreadable(missing));
    }
    Ok(secret.to_owned())
}

/// A token, from standard input.
pub(crate) fn token_from_stdin() -> Result<String> {
    from_stdin(words::terminal::no_token())
}

/// A password for that user: from a prompt where somebody sits at it, else from standard input.
pub(crate) fn password(user: &str, from_stdin_wanted: bool) -> Result<String> {
    if from_stdin_wanted || !io::stdin().is_terminal() {
        return from_stdin(words::terminal::no_password());
    }
    prompt(&words::terminal::password_for(user))
}

/// As [`password`], asked for twice, because nobody sees a slip.
pub(crate) fn new_password(user: &str) -> Result<String> {
    let password = password(user, false)?;
    if io::stdin().is_terminal() && prompt(words::terminal::password_again())? != password {
        return Err(AppError::new(
            ErrorKind::Invalid,
            words::terminal::passwords_differ(),
            Retry::Manual,
        )
        .with_hint(words::failures::nothing_changed()));
    }
    Ok(password)
}

fn prompt(question: &str) -> Result<String> {
    rpassword::prompt_password(format!("{question} "))
        .map_err(|error| unreadable(words::terminal::no_password()).with_details(error.to_string()))
}

fn unreadable(missing: &str) -> AppError {
    AppError::new(ErrorKind::Invalid, missing, Retry::Never).with_hint(words::terminal::one_line())
}
