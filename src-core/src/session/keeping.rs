//! The list of hubs on its way to the settings file, and what other programs of this user change in it.

use std::sync::Arc;
use std::time::Duration;

use sendense_types::{
    AppError, ErrorKind, HubId, Retry, SavedHub, SessionState, SignInKind, Trust,
};
use sendense_words as words;

use super::logged::logged;
use super::{HubSession, blocking, this_computer};
use crate::{HubClient, Result, SavedHubs, Token};

/// So often it is looked whether another program has changed the list.
const LOOK_EVERY: Duration = Duration::from_secs(2);

impl HubSession {
    /// The same, which keeps its list of hubs in the settings.
    #[must_use]
    pub fn keeping(self, saved_hubs: SavedHubs) -> Self {
        self.lock().saved_hubs = Some(saved_hubs);
        self
    }

    /// Saves a hub, without signing in and without making it the current one.
    ///
    /// # Errors
    /// When it cannot be reached, is saved already, or cannot be kept.
    pub async fn add_signed_out(
        &self,
        name: &str,
        address: &str,
        trust: Trust,
    ) -> Result<SavedHub> {
        let _one_at_a_time = self.inner.connecting.lock().await;
        let (client, mut hub) = self.new_hub(name, address, trust).await?;
        hub.sign_in = match client.wants_sign_in().await? {
            true => SignInKind::default(),
            false => SignInKind::None,
        };
        self.save(&hub).await?;
        self.change(|state| state.put(hub.clone()));
        Ok(hub)
    }

    /// A hub that answers and is not saved yet, as it would be saved.
    pub(super) async fn new_hub(
        &self,
        name: &str,
        address: &str,
        trust: Trust,
    ) -> Result<(HubClient, SavedHub)> {
        let client = HubClient::trusting(address, &trust)?;
        logged(client.clone(), false, async |hub| hub.health().await).await?;
        self.read_again().await?;
        let address = client.address().to_owned();
        let hubs = self.state().hubs;
        let mut known = hubs.iter();
        if let Some(known) = known.find(|hub| hub.address.as_ref() == Some(&address)) {
            return Err(AppError::new(
                ErrorKind::Conflict,
                words::failures::hub_saved_already(&known.name),
                Retry::Never,
            )
            .with_hint(words::failures::choose_saved_hub()));
        }
        let name = match name.trim() {
            "" => address
                .trim_start_matches("http://")
                .trim_start_matches("https://"),
            name => name,
        };
        let hub = SavedHub {
            id: new_id(&address),
            name: name.to_owned(),
            address: Some(address),
            username: None,
            sign_in: SignInKind::None,
            trust,
        };
        Ok((client, hub))
    }

    /// Takes over, as long as it is polled, what other programs change in the list of hubs. After a current hub that was
    /// removed elsewhere, this computer is the current one; one that was not in use is connected to again, because
    /// somebody may have signed in to it.
    pub async fn follow_saved_hubs(&self) {
        let mut looks = tokio::time::interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            if let Err(error) = self.look_at_saved_hubs().await {
                tracing::warn!(%error, "could not follow the list of hubs");
            }
        }
    }

    async fn look_at_saved_hubs(&self) -> Result<()> {
        let Some(saved) = self.saved_hubs() else {
            return Ok(());
        };
        if !blocking(move || Ok(saved.are_changed_by_others())).await? {
            return Ok(());
        }
        self.read_again().await?;
        let session = self.state();
        match session.current_hub() {
            None => {
                self.connect(&HubId::this_computer()).await?;
            }
            Some(hub) if hub.is_this_computer() || session.state == SessionState::Connected => {}
            Some(hub) => {
                self.connect(&hub.id).await?;
            }
        }
        Ok(())
    }

    /// The list as it is in the file by now.
    async fn read_again(&self) -> Result<()> {
        let Some(saved) = self.saved_hubs() else {
            return Ok(());
        };
        // What cannot be read at the moment is no reason to forget what is known.
        let Ok(mut hubs) = blocking(move || Ok(saved.read())).await? else {
            return Ok(());
        };
        hubs.insert(0, this_computer());
        if self.state().hubs != hubs {
            self.change(|state| {
                state.session.hubs = hubs;
                state.keep_hubs(|_| true);
            });
        }
        Ok(())
    }

    /// The secrets that are kept for the saved hubs and that of this computer, for what has to be free of them. What the
    /// keychain does not give is not among them.
    pub async fn known_secrets(&self) -> Vec<Token> {
        let local = self.lock().local.clone();
        let mut known: Vec<Token> = local.into_iter().flatten().map(|(_, key)| key).collect();
        let hubs = self.state().hubs.into_iter();
        for hub in hubs.filter(|hub| hub.sign_in != SignInKind::None) {
            let secrets = Arc::clone(&self.inner.secrets);
            match blocking(move || secrets.load(&hub.id)).await {
                Ok(secret) => known.extend(secret),
                Err(error) => tracing::warn!(%error, "a secret is not known"),
            }
        }
        known
    }

    pub(super) async fn save(&self, hub: &SavedHub) -> Result<()> {
        let (saved, hub) = (self.saved_hubs(), hub.clone());
        blocking(move || saved.map_or(Ok(()), |saved| saved.save(&hub))).await
    }

    pub(super) async fn unsave(&self, hub_id: &HubId) -> Result<()> {
        let (saved, hub_id) = (self.saved_hubs(), hub_id.clone());
        blocking(move || saved.map_or(Ok(()), |saved| saved.remove(&hub_id))).await
    }

    fn saved_hubs(&self) -> Option<SavedHubs> {
        self.lock().saved_hubs.clone()
    }
}

/// An address is saved once, so it names its hub; and a hub that is saved again finds its token.
pub(super) fn new_id(address: &str) -> HubId {
    HubId(address.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{FakeHub, json};
    use crate::{Events, MemorySecrets, Secrets, SettingsFile};
    use sendense_types::Secret;
    use sendense_types::commands::Credentials;

    #[tokio::test]
    async fn of_a_hub_that_cannot_be_saved_no_sign_in_is_kept() {
        let hub = FakeHub::start(|_| json(200, "", r#"{"vm_contexts":[],"count":0}"#)).await;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("settings.json");
        let saved = SavedHubs::new(SettingsFile::new(&file));
        std::fs::create_dir(&file).unwrap();
        let secrets = Arc::new(MemorySecrets::default());
        let here = HubId::this_computer();
        let session = HubSession::new(Vec::new(), here, secrets.clone(), Events::new());
        let session = session.keeping(saved);
        let token = Secret::new("a token");
        let by_token = Credentials::Bearer { token };
        let added = session.add("", &hub.address, Trust::System, &by_token);
        added.await.unwrap_err();
        assert_eq!(session.state().hubs.len(), 1);
        assert!(secrets.load(&new_id(&hub.address)).unwrap().is_none());
    }
}
