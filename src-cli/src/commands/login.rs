//! `sendense login` and `logout`: a sign-in that is kept for a saved hub; for any other, a token for scripts, or whether
//! one is good.

use secrecy::ExposeSecret;
use sendense_core::{HubClient, SignIn, Token};
use sendense_types::commands::Credentials;
use sendense_types::{AppError, ErrorKind, Retry, SavedHub, Secret, SignInKind};
use sendense_words as words;
use serde_json::json;

use crate::args::Global;
use crate::output::{self, Output};
use crate::{Result, connection, hubs, secrets};

/// With what somebody wants to sign in; the secret itself is not read yet.
pub(super) enum Wanted {
    Password { username: String, from_stdin: bool },
    Appliance,
    Bearer,
}

/// What the options say; nothing where they say nothing.
pub(super) fn wanted(global: &Global) -> Option<Wanted> {
    if global.token_stdin {
        return Some(Wanted::Bearer);
    }
    if global.appliance_token_stdin {
        return Some(Wanted::Appliance);
    }
    let username = global.user.clone()?;
    Some(Wanted::Password {
        username,
        from_stdin: global.password_stdin,
    })
}

/// As the last time, where the options say nothing.
fn as_before(hub: &SavedHub) -> Option<Wanted> {
    match hub.sign_in {
        SignInKind::None => None,
        SignInKind::Password => Some(Wanted::Password {
            username: hub.username.clone()?,
            from_stdin: false,
        }),
        SignInKind::Appliance => Some(Wanted::Appliance),
        SignInKind::Bearer => Some(Wanted::Bearer),
    }
}

impl Wanted {
    /// Reads the secret.
    pub(super) fn read(self) -> Result<Credentials> {
        Ok(match self {
            Self::Password {
                username,
                from_stdin,
            } => {
                let password = secrets::password(&username, from_stdin)?;
                let password = Secret::new(password.expose_secret());
                Credentials::Password { username, password }
            }
            Self::Appliance => Credentials::Appliance {
                token: Secret::new(secrets::token()?.expose_secret()),
            },
            Self::Bearer => Credentials::Bearer {
                token: Secret::new(secrets::token()?.expose_secret()),
            },
        })
    }
}

pub(crate) async fn run(print_token: bool, global: &Global, output: &Output) -> Result<()> {
    let Some(named) = &global.hub else {
        // The hub of this computer lets its user in by a key that lies in the data directory.
        let (local, own_hub) = connection::open(global).await?;
        let checked = local.client.check_sign_in().await;
        if let Some(hub) = own_hub {
            hub.stop().await;
        }
        checked?;
        return output.show(&json!({ "signed_in": true }), || {
            words::failures::needs_no_sign_in().to_owned()
        });
    };
    let client = match hubs::find(named)? {
        Some(saved) if !print_token => return keep(&saved, global, output).await,
        Some(saved) => {
            let saved = connection::as_wanted(saved, global)?;
            let address = saved.address.as_deref().unwrap_or_default();
            let client = HubClient::trusting(address, &saved.trust)?;
            connection::warn_if_readable(&client, global);
            client
        }
        None => connection::elsewhere(named, global)?,
    };
    print(&client, global, output).await
}

/// Signs in to a saved hub, and keeps that in the keychain.
async fn keep(hub: &SavedHub, global: &Global, output: &Output) -> Result<()> {
    if connection::trust(global)?.is_some_and(|trust| trust != hub.trust) {
        // What is saved was somebody's decision, and is not changed in passing.
        output.note(words::terminal::saved_trust_counts(&hub.name));
    }
    let client = HubClient::trusting(hub.address.as_deref().unwrap_or_default(), &hub.trust)?;
    connection::warn_if_readable(&client, global);
    client.health().await?;
    if !client.wants_sign_in().await? {
        return not_needed(&client, output);
    }
    let session = hubs::session(hub.id.clone()).await?;
    hubs::needs_keychain(&session)?;
    let Some(wanted) = wanted(global).or_else(|| as_before(hub)) else {
        return Err(sign_in_required());
    };
    let signed_in = session.sign_in(&wanted.read()?).await?;
    let user = signed_in.current_hub().and_then(|hub| hub.username.clone());
    let answer = json!({ "signed_in": true, "hub": hub.name, "user": user, "kept": true });
    output.show(&answer, || match &user {
        Some(user) => words::terminal::sign_in_kept(&hub.name, user),
        None => words::terminal::token_kept(&hub.name),
    })
}

/// Ends the session on a saved hub, where the hub can do that, and forgets what is kept for it.
pub(crate) async fn leave(global: &Global, output: &Output) -> Result<()> {
    let Some(named) = &global.hub else {
        return Err(AppError::new(
            ErrorKind::Invalid,
            words::failures::needs_no_sign_in(),
            Retry::Never,
        )
        .with_hint(words::terminal::name_a_hub()));
    };
    let hub = hubs::find_saved(named)?;
    let session = hubs::session(hub.id.clone()).await?;
    hubs::needs_keychain(&session)?;
    // With what is kept, so that the hub can be told whose session it is to end.
    session.connect(&hub.id).await?;
    session.sign_out().await?;
    output.show(&json!({ "signed_out": hub.name }), || {
        words::terminal::signed_out(&hub.name)
    })
}

/// Signs in to a hub that is not saved: whoever asked gets the token.
async fn print(client: &HubClient, global: &Global, output: &Output) -> Result<()> {
    client.health().await?;
    if global.token_stdin {
        let as_nobody = client.check_sign_in().await;
        if as_nobody.is_ok() {
            // Such a hub takes any token for good.
            return not_needed(client, output);
        }
        let token = Token::new(secrets::token()?);
        client.clone().with_token(token).check_token().await?;
        return output.show(&json!({ "signed_in": true }), || {
            words::terminal::token_good(client.address())
        });
    }
    if global.appliance_token_stdin {
        let token = Token::new(secrets::token()?);
        let signed_in = client.sign_in_with_appliance_token(&token).await?;
        return show(client, signed_in, None, output);
    }
    let Some(user) = &global.user else {
        return match client.check_sign_in().await {
            Ok(()) => not_needed(client, output),
            Err(error) if error.kind == ErrorKind::Unauthorized => Err(sign_in_required()),
            Err(error) => Err(error),
        };
    };
    let password = secrets::password(user, global.password_stdin)?;
    let signed_in = client.sign_in(user, password.expose_secret()).await?;
    show(client, signed_in, Some(user), output)
}

fn sign_in_required() -> AppError {
    AppError::new(
        ErrorKind::Unauthorized,
        words::failures::sign_in_required(),
        Retry::AfterSignIn,
    )
    .with_hint(words::terminal::give_user_or_token())
}

/// The token that was issued, alone on standard output.
fn show(client: &HubClient, signed_in: SignIn, user: Option<&str>, output: &Output) -> Result<()> {
    let (token, expires_at) = match signed_in {
        SignIn::NotNeeded => return not_needed(client, output),
        SignIn::Token { token, expires_at } => (token, expires_at),
    };
    let until = output::time(expires_at);
    if !until.is_empty() {
        output.note(match user {
            Some(user) => words::terminal::signed_in(user, until),
            None => words::terminal::session_until(until),
        });
    }
    output.show(
        &json!({ "token": token.reveal(), "expires_at": expires_at }),
        || token.reveal().to_owned(),
    )
}

fn not_needed(client: &HubClient, output: &Output) -> Result<()> {
    output.show(&json!({ "signed_in": true }), || {
        words::terminal::needs_no_sign_in(client.address())
    })?;
    output.note(words::hubs::without_sign_in_hint());
    Ok(())
}
