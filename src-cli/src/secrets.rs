//! Passwords and tokens: from standard input or a prompt that shows nothing, never from arguments,
//! which every user of the computer can read.

use std::io::{self, BufRead, IsTerminal};

use secrecy::{ExposeSecret, SecretString};
use sendense_types::{AppError, ErrorKind, Retry};
use sendense_words as words;

use crate::Result;

/// More than any password or token; what pours in without end is something else.
const LONGEST: u64 = 64 * 1024;

/// The first line of standard input.
fn from_stdin(missing: &str) -> Result<SecretString> {
    let mut line = String::new();
    let mut limited = io::Read::take(io::stdin().lock(), LONGEST);
    limited
        .read_line(&mut line)
        .map_err(|error| unreadable(missing).with_details(error.to_string()))?;
    line.truncate(line.trim_end_matches(['\r', '\n']).len());
    if line.is_empty() {
        return Err(unreadable(missing));
    }
    Ok(line.into())
}

/// A token: from a prompt where somebody sits at it, because a terminal would show it; else from standard input.
pub(crate) fn token() -> Result<SecretString> {
    let missing = words::terminal::no_token();
    if !io::stdin().is_terminal() {
        return from_stdin(missing);
    }
    let token = prompt(words::terminal::token_asked(), missing)?;
    match token.expose_secret().trim() {
        "" => Err(unreadable(missing)),
        token => Ok(token.into()),
    }
}

/// A password for that user: from a prompt where somebody sits at it, else from standard input.
pub(crate) fn password(user: &str, from_stdin_wanted: bool) -> Result<SecretString> {
    if from_stdin_wanted || !io::stdin().is_terminal() {
        return from_stdin(words::terminal::no_password());
    }
    let missing = words::terminal::no_password();
    prompt(&words::terminal::password_for(user), missing)
}

/// The password of a user of a share, as [`password`]; in standard input it stands behind that of the sign-in.
pub(crate) fn share_password(
    user: &str,
    share: &str,
    from_stdin_wanted: bool,
) -> Result<SecretString> {
    if from_stdin_wanted || !io::stdin().is_terminal() {
        return from_stdin(words::terminal::no_password());
    }
    prompt(
        &words::terminal::share_password_for(user, share),
        words::terminal::no_password(),
    )
}

/// As [`password`], asked for twice, because nobody sees a slip.
pub(crate) fn new_password(user: &str) -> Result<SecretString> {
    let password = password(user, false)?;
    if io::stdin().is_terminal() {
        let again = prompt(
            words::terminal::password_again(),
            words::terminal::no_password(),
        )?;
        if again.expose_secret() != password.expose_secret() {
            return Err(AppError::new(
                ErrorKind::Invalid,
                words::terminal::passwords_differ(),
                Retry::Manual,
            )
            .with_hint(words::failures::nothing_changed()));
        }
    }
    Ok(password)
}

fn prompt(question: &str, missing: &str) -> Result<SecretString> {
    rpassword::prompt_password(format!("{question} "))
        .map(SecretString::from)
        .map_err(|error| unreadable(missing).with_details(error.to_string()))
}

fn unreadable(missing: &str) -> AppError {
    AppError::new(ErrorKind::Invalid, missing, Retry::Never).with_hint(words::terminal::one_line())
}
