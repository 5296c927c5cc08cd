//! What shells and `man` know of this command, made from its arguments.

use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;
use sendense_types::{AppError, ErrorKind, Retry};
use sendense_words as words;
use serde_json::json;

use crate::Result;
use crate::args::Arguments;
use crate::output::Output;

/// Prints the script that a shell completes by.
pub(crate) fn complete(shell: Shell, output: &Output) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "sendense", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    output.show(&json!({ "script": script }), || script.clone())
}

/// Writes a page for each command.
pub(crate) fn write_manual(folder: &Path) -> Result<()> {
    clap_mangen::generate_to(Arguments::command(), folder).map_err(|error| {
        AppError::new(
            ErrorKind::Forbidden,
            words::terminal::manual_not_written(folder.display()),
            Retry::Manual,
        )
        .with_details(error.to_string())
    })
}
