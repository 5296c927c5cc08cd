//! `sendense hub add`, `list`, `test`, `trust` and `remove`: the hubs that are saved, for the window as well.

use std::io::{self, BufRead, IsTerminal, Write};

use sendense_core::{Admission, HubClient, HubHealth, Offer, Offered};
use sendense_types::{
    AppError, ErrorKind, Fingerprint, HubId, Keychain, Retry, SavedHub, SignInKind, Trust,
};
use sendense_words as words;
use serde_json::{Map, Value, json};

use super::login;
use crate::args::Global;
use crate::output::{self, Output};
use crate::{Result, connection, hubs};

/// Saves a hub, and signs in where the options say with what.
pub(crate) async fn add(
    address: &str,
    name: Option<&str>,
    global: &Global,
    output: &Output,
) -> Result<()> {
    let name = name.unwrap_or_default().trim();
    if let Some(known) = hubs::saved()?
        .list()
        .iter()
        .find(|hub| !name.is_empty() && hub.name.to_lowercase() == name.to_lowercase())
    {
        return Err(AppError::new(
            ErrorKind::Conflict,
            words::terminal::hub_name_taken(&known.name),
            Retry::Never,
        ));
    }
    let (client, trust) = trusted(address, connection::trust(global)?, output).await?;
    connection::warn_if_readable(&client, global);
    let credentials = match client.wants_sign_in().await? {
        true => login::wanted(global),
        // It takes any token for good, and none needs to be kept.
        false => None,
    };
    let hub = match credentials {
        None => {
            let session = hubs::session_without_keychain()?;
            session.add_signed_out(name, address, trust).await?
        }
        Some(wanted) => {
            let session = hubs::session(HubId::this_computer()).await?;
            hubs::needs_keychain(&session)?;
            let credentials = wanted.read()?;
            let added = session.add(name, address, trust, &credentials).await?;
            added.current_hub().cloned().ok_or_else(hub_lost)?
        }
    };
    output.show(&as_json(&hub), || {
        words::terminal::hub_saved(&hub.name, hub.address.as_deref().unwrap_or_default())
    })?;
    match (hub.sign_in, &hub.username) {
        (SignInKind::None, _) => output.note(words::hubs::without_sign_in_hint()),
        (SignInKind::Password, None) => output.note(words::terminal::sign_in_later(&hub.name)),
        _ => {}
    }
    Ok(())
}

/// A hub that was saved and is not in the list: another program has removed it at the same moment.
fn hub_lost() -> AppError {
    AppError::new(
        ErrorKind::NotFound,
        words::failures::hub_unknown(),
        Retry::Never,
    )
}

/// A client for the hub at an address, once somebody has decided how its certificate is trusted: by an option, or by
/// comparing the fingerprint at a terminal.
async fn trusted(
    address: &str,
    decided: Option<Trust>,
    output: &Output,
) -> Result<(HubClient, Trust)> {
    let is_decided = decided.is_some();
    let trust = decided.unwrap_or_default();
    let client = HubClient::trusting(address, &trust)?;
    let Err(error) = client.health().await else {
        return Ok((client, trust));
    };
    if is_decided {
        return Err(error);
    }
    let trust = Trust::Pinned(ask_to_trust(error, output)?);
    // Whoever answers by now may show another one, which is refused then.
    let client = HubClient::trusting(address, &trust)?;
    client.health().await?;
    Ok((client, trust))
}

/// Shows the certificate that was refused, and asks whether it is the right one.
///
/// # Errors
/// The failure itself, where it is another one or nobody sits at a terminal; and that the answer was no.
fn ask_to_trust(error: AppError, output: &Output) -> Result<Fingerprint> {
    let pinnable = error.certificate.as_deref();
    let pinnable = pinnable.filter(|certificate| certificate.may_be_pinned());
    let is_at_terminal = io::stdin().is_terminal() && io::stderr().is_terminal();
    let (Some(certificate), true, false) = (pinnable, is_at_terminal, output.is_json()) else {
        return Err(error);
    };
    let fingerprint = certificate.fingerprint.clone();
    output::print_error(&error);
    // Where nobody can read the question, nobody answers it.
    drop(write!(io::stderr(), "{} ", words::terminal::trust_asks()));
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    if read.is_ok() && answer.trim().eq_ignore_ascii_case(words::terminal::yes()) {
        return Ok(fingerprint);
    }
    Err(AppError::new(
        ErrorKind::Untrusted,
        words::terminal::not_trusted(),
        Retry::Manual,
    )
    .with_hint(words::failures::nothing_changed()))
}

/// Lists the saved hubs. Secrets are not looked at.
pub(crate) fn list(output: &Output) -> Result<()> {
    let saved = hubs::saved()?.list();
    let rows: Vec<Value> = saved.iter().map(as_json).collect();
    output.show(&json!({ "hubs": rows }), || {
        if saved.is_empty() {
            return words::terminal::no_hubs().to_owned();
        }
        let head = [
            words::common::name(),
            words::hubs::address(),
            words::terminal::sign_in(),
            words::terminal::certificate(),
        ];
        let rows = saved.iter().map(|hub| {
            [
                hub.name.clone(),
                hub.address.clone().unwrap_or_default(),
                hub.username
                    .clone()
                    .unwrap_or_else(|| kind(hub.sign_in).to_owned()),
                match hub.address.as_deref() {
                    Some(address) if address.starts_with("https:") => trusted_by(&hub.trust),
                    // There is none.
                    _ => "",
                }
                .to_owned(),
            ]
        });
        output::table(head, &[], rows)
    })
}

/// Changes how the certificate of a saved hub is trusted, as the options say or by asking.
pub(crate) async fn trust(hub: &str, global: &Global, output: &Output) -> Result<()> {
    let hub = hubs::find_saved(hub)?;
    let address = hub.address.as_deref().unwrap_or_default();
    let trust = match connection::trust(global)? {
        Some(trust) => trusted(address, Some(trust), output).await?.1,
        None => {
            let client = HubClient::trusting(address, &hub.trust)?;
            match client.health().await {
                Ok(()) => hub.trust.clone(),
                Err(error) => Trust::Pinned(ask_to_trust(error, output)?),
            }
        }
    };
    let hub = SavedHub { trust, ..hub };
    let session = hubs::session_without_keychain()?;
    session.trust(&hub.id, hub.trust.clone()).await?;
    output.show(&as_json(&hub), || {
        words::terminal::hub_trusted(&hub.name, trusted_by(&hub.trust))
    })
}

/// Forgets a hub and its sign-in.
pub(crate) async fn remove(hub: &str, output: &Output) -> Result<()> {
    let hub = hubs::find_saved(hub)?;
    let session = hubs::session(HubId::this_computer()).await?;
    session.remove(&hub.id).await?;
    let has_keychain = session.state().keychain == Keychain::System;
    output.show(&json!({ "removed": hub.name }), || {
        words::terminal::hub_removed(&hub.name)
    })?;
    if !has_keychain && hub.sign_in != SignInKind::None {
        output.note(words::terminal::keychain_not_seen());
    }
    Ok(())
}

/// Says what answers there, whether it lets us in, and what it offers; fails where it does not let us in.
pub(crate) async fn test(hub: Option<&str>, global: &Global, output: &Output) -> Result<()> {
    let global = Global {
        hub: hub.map(str::to_owned).or_else(|| global.hub.clone()),
        ..global.clone()
    };
    let saved = match &global.hub {
        Some(named) => hubs::find(named)?,
        None => None,
    };
    let (connection, own_hub) = connection::open(&global).await?;
    let tested = test_client(&connection.client, saved.as_ref(), &global, output).await;
    if let Some(hub) = own_hub {
        hub.stop().await;
    }
    tested
}

async fn test_client(
    client: &HubClient,
    saved: Option<&SavedHub>,
    global: &Global,
    output: &Output,
) -> Result<()> {
    let health = client.ask_health().await?;
    let admission = client.admission().await?;
    let offers = match &admission {
        // Deployed hubs answer some questions of strangers (contract 2.3): what that says of the others is nothing.
        Admission::Refused(_) => Vec::new(),
        Admission::NotNeeded | Admission::SignedIn => client.offers().await,
    };
    let user = global
        .user
        .as_deref()
        .or(saved.and_then(|hub| hub.username.as_deref()));
    let name = saved.map(|hub| hub.name.as_str());
    let HubHealth {
        service,
        version,
        status,
        database,
    } = &health;
    let answer = json!({
        "name": name,
        "address": client.address(),
        "reachable": true,
        "service": service,
        "version": version,
        "status": status,
        "database": database,
        "sign_in_needed": admission != Admission::NotNeeded,
        "signed_in": admission == Admission::SignedIn,
        "user": user.filter(|_| admission == Admission::SignedIn),
        "offers": offers.iter().map(offer_as_json).collect::<Map<_, _>>(),
    });
    let some = |text: &str| Some(text.to_owned());
    output.show(&answer, || {
        let mut rows = vec![
            (words::common::name(), name.map(str::to_owned)),
            (words::hubs::address(), some(client.address())),
            (words::terminal::answers(), service.clone()),
            (words::terminal::version(), version.clone()),
            (words::terminal::status(), status.clone()),
            (words::terminal::database(), database.clone()),
            (words::terminal::sign_in(), Some(admitted(&admission, user))),
        ];
        rows.extend(
            offers
                .iter()
                .map(|(offer, offered)| (offer_name(*offer), Some(shown(offered)))),
        );
        output::sheet(&rows)
    })?;
    match admission {
        Admission::NotNeeded | Admission::SignedIn => Ok(()),
        Admission::Refused(error) => Err(match saved {
            Some(hub) => error.with_hint(words::terminal::sign_in_later(&hub.name)),
            None => error.with_hint(words::terminal::give_user_or_token()),
        }),
    }
}

fn admitted(admission: &Admission, user: Option<&str>) -> String {
    match (admission, user) {
        (Admission::NotNeeded, _) => words::terminal::not_needed().to_owned(),
        (Admission::SignedIn, Some(user)) => words::terminal::signed_in_as(user),
        (Admission::SignedIn, None) => words::terminal::token_accepted().to_owned(),
        (Admission::Refused(_), _) => words::terminal::needed().to_owned(),
    }
}

fn offer_name(offer: Offer) -> &'static str {
    match offer {
        Offer::Vms => words::vms::title(),
        Offer::Repositories => words::repositories::title(),
        Offer::Mounts => words::terminal::open_mounts(),
        Offer::VcenterSignIns => words::terminal::vcenter_sign_ins(),
        Offer::Retention => words::terminal::retention(),
        Offer::FullRestores => words::terminal::full_restores(),
    }
}

fn shown(offered: &Offered) -> String {
    match offered {
        Offered::Yes(Some(count)) => count.to_string(),
        Offered::Yes(None) => words::terminal::yes().to_owned(),
        Offered::No => words::terminal::not_offered().to_owned(),
        Offered::Unknown(Some(error)) => error.message.clone(),
        Offered::Unknown(None) => words::terminal::unknown().to_owned(),
    }
}

fn offer_as_json((offer, offered): &(Offer, Offered)) -> (String, Value) {
    let name = match offer {
        Offer::Vms => "vms",
        Offer::Repositories => "repositories",
        Offer::Mounts => "mounts",
        Offer::VcenterSignIns => "vcenter_sign_ins",
        Offer::Retention => "retention",
        Offer::FullRestores => "full_restores",
    };
    let value = match offered {
        Offered::Yes(count) => json!({ "offered": true, "count": count }),
        Offered::No => json!({ "offered": false }),
        Offered::Unknown(error) => {
            json!({ "offered": null, "error": error.as_ref().map(|error| &error.message) })
        }
    };
    (name.to_owned(), value)
}

fn as_json(hub: &SavedHub) -> Value {
    json!({
        "name": hub.name,
        "address": hub.address,
        "user": hub.username,
        "sign_in": hub.sign_in,
        "trust": hub.trust,
    })
}

fn kind(sign_in: SignInKind) -> &'static str {
    match sign_in {
        SignInKind::None => words::terminal::not_needed(),
        SignInKind::Password => words::terminal::not_signed_in(),
        SignInKind::Appliance => words::hubs::with_appliance_token(),
        SignInKind::Bearer => words::hubs::with_bearer_token(),
    }
}

fn trusted_by(trust: &Trust) -> &'static str {
    match trust {
        Trust::System => words::terminal::by_system(),
        Trust::Ca(_) => words::terminal::by_ca(),
        Trust::Pinned(_) => words::terminal::by_fingerprint(),
    }
}
