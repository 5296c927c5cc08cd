//! `sendense`: the core from a terminal, for scripts and computers without a display.
//!
//! Results go to standard output, everything else to standard error. Reading order: [`args`] (what
//! can be asked), [`connection`] (of which hub), [`hubs`] (those that are saved), [`commands`] (a file for each subject), [`output`]
//! (for people or as one JSON document), [`exit`] (what scripts learn).

mod args;
mod commands;
mod connection;
mod exit;
mod hubs;
mod output;
mod progress;
mod secrets;

use std::process::ExitCode;

use clap::Parser;
use sendense_types::AppError;
use sendense_words as words;
use tokio_util::sync::CancellationToken;

use crate::args::{Arguments, Command, HubCommand};
use crate::output::Output;

/// Shorthand for results: what the user reads is decided where a failure is understood.
type Result<T, E = AppError> = std::result::Result<T, E>;

#[tokio::main]
async fn main() -> ExitCode {
    if std::env::var_os("SENDENSE_PSEUDO_LOCALE").is_some_and(|on| on == "1") {
        words::use_pseudo_locale();
    }
    let arguments = Arguments::parse();
    log_to_stderr();
    match run(arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::print_error(&error);
            exit::code(&error)
        }
    }
}

async fn run(arguments: Arguments) -> Result<()> {
    let Arguments { global, command } = arguments;
    let output = Output::new(global.json);
    let cancel = cancelled_by_ctrl_c();
    match command {
        Command::Hub(HubCommand::Serve(how)) => commands::hub::serve(how, global, &output).await,
        Command::Hub(HubCommand::Add { address, name }) => {
            commands::hubs::add(&address, name.as_deref(), &global, &output).await
        }
        Command::Hub(HubCommand::List) => commands::hubs::list(&output),
        Command::Hub(HubCommand::Test { hub }) => {
            commands::hubs::test(hub.as_deref(), &global, &output).await
        }
        Command::Hub(HubCommand::Trust { hub }) => {
            commands::hubs::trust(&hub, &global, &output).await
        }
        Command::Hub(HubCommand::Remove { hub }) => commands::hubs::remove(&hub, &output).await,
        Command::Hub(HubCommand::Rescan { dir }) => {
            connection::with(&global, &cancel, async |hub| {
                commands::repository::rescan(&dir, hub, &output).await
            })
            .await
        }
        Command::Repository(command) => {
            connection::with(&global, &cancel, async |hub| {
                commands::repository::run(command, hub, &output).await
            })
            .await
        }
        Command::Diagnostics { file } => {
            commands::diagnostics::run(file, now(), &global, &output).await
        }
        Command::Completions { shell } => commands::reference::complete(shell, &output),
        Command::Manual { dir } => commands::reference::write_manual(&dir),
        Command::Login { print_token } => commands::login::run(print_token, &global, &output).await,
        Command::Logout => commands::login::leave(&global, &output).await,
        Command::Vm(command) => {
            connection::with(&global, &cancel, async |hub| {
                commands::vm::run(command, hub, &output).await
            })
            .await
        }
        Command::Backup(command) => {
            connection::with(&global, &cancel, async |hub| {
                commands::backup::run(command, hub, &output).await
            })
            .await
        }
        Command::Retention(command) => {
            connection::with(&global, &cancel, async |hub| {
                commands::retention::run(command, hub, &output).await
            })
            .await
        }
        Command::Restore(command) => {
            connection::with(&global, &cancel, async |hub| {
                commands::restore::run(command, hub, &output, &cancel).await
            })
            .await
        }
    }
}

/// Errors by default, `SENDENSE_LOG=debug` and the like for more. Why a certificate is not trusted, the command says itself.
fn log_to_stderr() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("SENDENSE_LOG").unwrap_or_else(|_| {
        // A question that failed is the failure of the command, which says it in words.
        tracing_subscriber::EnvFilter::new(
            "error,rustls_platform_verifier=off,sendense_core::session=off",
        )
    });
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
}

/// The clock, which nothing else looks at.
#[allow(clippy::disallowed_methods, reason = "here the clock comes from")]
fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// Ctrl-C ends work in an orderly way; a second one ends the program at once.
fn cancelled_by_ctrl_c() -> CancellationToken {
    let cancel = CancellationToken::new();
    let cancelled = cancel.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            cancelled.cancel();
        }
        if tokio::signal::ctrl_c().await.is_ok() {
            std::process::exit(exit::CANCELLED.into());
        }
    });
    cancel
}
