//! `sendense login`: a token for scripts, or whether one is good.

use secrecy::ExposeSecret;
use sendense_core::{HubClient, SignIn, Token};
use sendense_types::{AppError, ErrorKind, Retry};
use sendense_words as words;
use serde_json::json;

use crate::args::Global;
use crate::output::{self, Output};
use crate::{Result, connection, secrets};

pub(crate) async fn run(global: &Global, output: &Output) -> Result<()> {
    let Some(address) = &global.hub else {
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
    let client = connection::elsewhere(address, global)?;
    client.health().await?;
    if global.token_stdin {
        let as_nobody = client.check_sign_in().await;
        if as_nobody.is_ok() {
            // Such a hub takes any token for good.
            return not_needed(&client, output);
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
        return show(&client, signed_in, None, output);
    }
    let Some(user) = &global.user else {
        return match client.check_sign_in().await {
            Ok(()) => not_needed(&client, output),
            Err(error) if error.kind == ErrorKind::Unauthorized => Err(AppError::new(
                ErrorKind::Unauthorized,
                words::failures::sign_in_required(),
                Retry::AfterSignIn,
            )
            .with_hint(words::terminal::give_user_or_token())),
            Err(error) => Err(error),
        };
    };
    let password = secrets::password(user, global.password_stdin)?;
    let signed_in = client.sign_in(user, password.expose_secret()).await?;
    show(&client, signed_in, Some(user), output)
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
