//! Which hub a command asks: the one that is named, saved or not, else the one that runs on the data directory,
//! else one that is started for the command.

use std::path::{Path, PathBuf};

use secrecy::ExposeSecret;
use sendense_core::{BackupRecord, HubClient, MountRecord, SignIn, Token, trust_ca_file};
use sendense_hub::{Config, LocalHub, ServeError, default_data_dir, find_running};
use sendense_types::{AppError, ErrorKind, Retry, SavedHub, SignInKind, Trust};
use sendense_words as words;
use tokio_util::sync::CancellationToken;

use crate::args::Global;
use crate::output::Output;
use crate::{Result, hubs, secrets};

/// A hub to ask, and whether it ends with the command.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) client: HubClient,
    /// What was mounted here, by the window as well.
    pub(crate) mounts: MountRecord,
    /// Work that is not done when the command ends is lost.
    pub(crate) ends_with_command: bool,
}

/// Runs a command against the hub that is meant; Ctrl-C ends it.
pub(crate) async fn with<T>(
    global: &Global,
    cancel: &CancellationToken,
    command: impl AsyncFnOnce(&Connection) -> Result<T>,
) -> Result<T> {
    let (connection, own_hub) = open(global).await?;
    let outcome = tokio::select! {
        outcome = command(&connection) => outcome,
        // Commands that have something to clean up look at the token themselves, and end first.
        () = long_after(cancel) => Err(stopped()),
    };
    if let Some(hub) = own_hub {
        hub.stop().await;
    }
    outcome
}

/// Only names the hub, for `login`.
pub(crate) async fn open(global: &Global) -> Result<(Connection, Option<LocalHub>)> {
    if let Some(named) = &global.hub {
        let client = match hubs::find(named)? {
            Some(saved) => client_of(&saved, global).await?,
            None => sign_in(elsewhere(named, global)?, global).await?,
        };
        // A hub elsewhere needs no folder here, so neither does what is asked of it.
        let data_dir = data_dir(global).ok();
        let backups = BackupRecord::in_folder(data_dir.as_deref());
        let connection = Connection {
            client: client.with_backup_record(backups),
            mounts: MountRecord::in_folder(data_dir.as_deref()),
            ends_with_command: false,
        };
        return Ok((connection, None));
    }
    let data_dir = data_dir(global)?;
    let mounts = MountRecord::in_folder(Some(&data_dir));
    if let Some(running) = find_running(&data_dir).await.map_err(refused)? {
        let backups = BackupRecord::in_folder(Some(&data_dir));
        let connection = Connection {
            client: HubClient::new(&running.url, Some(Token::new(running.key)))?
                .of_this_computer()
                .with_backup_record(backups),
            mounts,
            ends_with_command: false,
        };
        return Ok((connection, None));
    }
    let hub = LocalHub::start(Config::new(data_dir))
        .await
        .map_err(refused)?;
    let connection = Connection {
        // What such a hub does ends with it, so nobody has to remember that.
        client: HubClient::new(hub.url(), Some(Token::new(hub.key())))?.of_this_computer(),
        mounts,
        ends_with_command: true,
    };
    Ok((connection, Some(hub)))
}

/// The hub at an address, trusted as the options say. Says before anything is sent that others can read it.
pub(crate) fn elsewhere(address: &str, global: &Global) -> Result<HubClient> {
    let trust = trust(global)?.unwrap_or_default();
    let client = HubClient::trusting(address, &trust).map_err(|error| match error.kind {
        ErrorKind::Invalid if !address.contains([':', '.']) => {
            error.with_hint(words::terminal::list_hubs())
        }
        _ => error,
    })?;
    warn_if_readable(&client, global);
    Ok(client)
}

/// A saved hub, with what is kept for it unless the options say otherwise.
pub(crate) async fn client_of(saved: &SavedHub, global: &Global) -> Result<HubClient> {
    let saved = as_wanted(saved.clone(), global)?;
    let is_signing_in = global.user.is_some() || global.token_stdin || global.appliance_token_stdin;
    let address = saved.address.as_deref().unwrap_or_default();
    let client = match is_signing_in || saved.sign_in == SignInKind::None {
        true => HubClient::trusting(address, &saved.trust)?,
        // The keychain may ask its user, so it is left alone where nothing is kept in it.
        false => {
            hubs::session(saved.id.clone())
                .await?
                .client_for(&saved)
                .await?
        }
    };
    warn_if_readable(&client, global);
    sign_in(client, global).await
}

/// A saved hub, trusted as the options say for this once.
pub(crate) fn as_wanted(saved: SavedHub, global: &Global) -> Result<SavedHub> {
    Ok(match trust(global)? {
        Some(trust) => SavedHub { trust, ..saved },
        None => saved,
    })
}

/// How the options say that the certificate of a hub is trusted.
pub(crate) fn trust(global: &Global) -> Result<Option<Trust>> {
    Ok(match (&global.fingerprint, &global.ca) {
        (Some(fingerprint), _) => Some(Trust::Pinned(fingerprint.clone())),
        (None, Some(file)) => Some(trust_ca_file(file)?),
        (None, None) => None,
    })
}

pub(crate) fn warn_if_readable(client: &HubClient, global: &Global) {
    if client.is_readable_on_the_way() {
        Output::new(global.json).note(words::hubs::unencrypted());
    }
}

/// With what the options give; without any, as nobody.
async fn sign_in(client: HubClient, global: &Global) -> Result<HubClient> {
    if global.token_stdin {
        return Ok(client.with_token(Token::new(secrets::token()?)));
    }
    if global.appliance_token_stdin {
        let token = secrets::token()?;
        return Ok(client.with_appliance_token(Token::new(token)));
    }
    let Some(user) = &global.user else {
        return Ok(client);
    };
    let password = secrets::password(user, global.password_stdin)?;
    Ok(
        match client.sign_in(user, password.expose_secret()).await? {
            SignIn::Token { token, .. } => client.with_token(token),
            SignIn::NotNeeded => {
                // It lets everybody in, so the command goes on as nobody (contract 8.2).
                Output::new(global.json).note(words::terminal::needs_no_sign_in(client.address()));
                client
            }
        },
    )
}

/// Where the hub of this computer keeps its data.
pub(crate) fn data_dir(global: &Global) -> Result<PathBuf> {
    let chosen = match &global.data {
        Some(chosen) => chosen.clone(),
        None => default_data_dir().ok_or_else(|| {
            AppError::new(ErrorKind::Invalid, words::terminal::no_home(), Retry::Never)
                .with_hint(words::terminal::give_data_dir())
        })?,
    };
    absolute(&chosen)
}

/// A path that means the same to a hub, which runs elsewhere.
pub(crate) fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).map_err(|error| {
        AppError::new(
            ErrorKind::Invalid,
            words::terminal::bad_path(path.display()),
            Retry::Never,
        )
        .with_details(error.to_string())
    })
}

/// A hub of this computer that cannot start.
pub(crate) fn refused(error: ServeError) -> AppError {
    let (kind, message, hint, details) = match &error {
        ServeError::DataDirInUse(folder) => (
            ErrorKind::Conflict,
            words::terminal::data_dir_in_use(folder.display()),
            words::terminal::choose_free_data_dir(),
            None,
        ),
        ServeError::NoAuthNeedsLoopback(address) => (
            ErrorKind::Invalid,
            words::terminal::loopback_only(address),
            words::terminal::create_user(),
            None,
        ),
        ServeError::DataDir { path, source } => (
            ErrorKind::Forbidden,
            words::terminal::bad_data_dir(path.display()),
            words::terminal::choose_data_dir(),
            Some(source.to_string()),
        ),
        ServeError::Listen { address, source } => (
            ErrorKind::Conflict,
            words::terminal::not_listening(address),
            words::terminal::choose_address(),
            Some(source.to_string()),
        ),
        ServeError::Tls { file, why } => (
            ErrorKind::Invalid,
            words::terminal::no_certificate(file.display()),
            words::terminal::give_certificate(),
            Some(why.clone()),
        ),
        ServeError::Engine(_) | ServeError::Users(_) => (
            ErrorKind::Corrupt,
            words::failures::local_hub_not_started().to_owned(),
            words::terminal::database_unreadable(),
            Some(error.to_string()),
        ),
        ServeError::Password(_) => (
            ErrorKind::Invalid,
            words::terminal::bad_password().to_owned(),
            words::terminal::choose_password(),
            Some(error.to_string()),
        ),
    };
    let mut refusal = AppError::new(kind, message, Retry::Manual).with_hint(hint);
    refusal.details = details;
    refusal
}

/// Downloads and the like remove their unfinished files first.
async fn long_after(cancel: &CancellationToken) {
    cancel.cancelled().await;
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
}

pub(crate) fn stopped() -> AppError {
    AppError::new(
        ErrorKind::Cancelled,
        words::terminal::stopped(),
        Retry::Manual,
    )
}
