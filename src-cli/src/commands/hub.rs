//! `sendense hub`: a hub of one's own.

use secrecy::ExposeSecret;
use sendense_hub::{Auth, Config, NewUser, Password, Tls};
use sendense_words as words;
use serde_json::json;

use crate::args::{Global, Serve};
use crate::output::{self, Output};
use crate::{Result, connection, secrets};

pub(crate) async fn serve(how: Serve, global: Global, output: &Output) -> Result<()> {
    let Serve {
        listen,
        no_auth,
        tls_certificate,
        tls_key,
    } = how;
    let mut config = Config::new(connection::data_dir(&global)?);
    if no_auth {
        config.auth = Auth::Off;
    } else if let Some(username) = global.user {
        let password = secrets::new_password(&username)?;
        config.auth = Auth::Users(vec![NewUser {
            username,
            password: Password::new(password.expose_secret()),
        }]);
    }
    if let (Some(certificate), Some(key)) = (tls_certificate, tls_key) {
        config.tls = Some(Tls::read(certificate, key).map_err(connection::refused)?);
    }
    let fingerprint = config.tls.as_ref().map(Tls::fingerprint);
    let listener = sendense_hub::listen(listen).map_err(connection::refused)?;
    let address = listener.local_addr().unwrap_or(listen);
    let data = config.data_dir.display().to_string();
    let output = *output;
    // Polled only when the hub is ready to answer.
    let until_told = async move {
        let scheme = if fingerprint.is_some() {
            "https"
        } else {
            "http"
        };
        let url = format!("{scheme}://{address}");
        let told = json!({ "url": url, "data": data, "fingerprint": fingerprint });
        let shown = output.show(&told, || words::terminal::ready_on(&url, &data));
        if let Err(error) = shown {
            output::print_error(&error);
        }
        match fingerprint {
            Some(fingerprint) => output.note(words::terminal::shows_certificate(fingerprint)),
            None if !address.ip().is_loopback() => output.note(words::terminal::hub_readable()),
            None => {}
        }
        output.note(words::terminal::ctrl_c());
        told_to_stop().await;
    };
    sendense_hub::serve(listener, config, until_told)
        .await
        .map_err(connection::refused)
}

/// Ctrl-C, or what a service manager sends.
async fn told_to_stop() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
            return;
        }
    }
    // Without signals there is nothing to wait for: the hub runs until it is killed.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
