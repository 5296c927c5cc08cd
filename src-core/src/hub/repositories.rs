//! Repositories (contract 3.5), and recovery points copied between them (contract 3.7).

use std::collections::BTreeSet;

use sendense_types::{
    AppError, BackupCopy, BackupId, ErrorKind, Repository, RepositoryId, RepositoryPlace,
    RepositoryTest, Rescan, Retry, Tried,
};
use sendense_words as words;
use serde_json::json;

use super::redaction::{without, without_secret};
use super::{
    HubClient, error, pauses::Pauses, places, refusals, request::Effect, session::is_missing, wire,
};
use crate::Result;

impl HubClient {
    /// The places where backups are kept, by name. Of a hub that does not list them, those that hold backups: what was
    /// documented has no such list (contract 3.5).
    ///
    /// # Errors
    /// `Unsupported` where no list names any; backups can go to one whose id is known.
    pub async fn repositories(&self) -> Result<Vec<Repository>> {
        match self.get(self.v1(&["repositories"])?).await {
            Err(error) if is_missing(&error) => self.repositories_of_backups().await,
            answer => wire::repositories(&answer?),
        }
    }

    async fn repositories_of_backups(&self) -> Result<Vec<Repository>> {
        let backups = match self.all_backups().await? {
            Some(backups) => backups,
            None => {
                let histories = self.backups_of_each(self.vms().await?).await?;
                let known = histories.into_iter().filter_map(|(_, known)| known);
                known.flat_map(|(_, backups)| backups).collect()
            }
        };
        let ids: BTreeSet<RepositoryId> = backups
            .into_iter()
            .filter_map(|backup| backup.repository_id)
            .collect();
        if ids.is_empty() {
            return Err(AppError::new(
                ErrorKind::Unsupported,
                words::failures::repositories_not_listed(),
                Retry::Never,
            )
            .with_hint(words::failures::repositories_not_listed_hint()));
        }
        Ok(ids.into_iter().map(Repository::of_id).collect())
    }

    /// Makes a place a repository: a folder of the hub's computer, or a share that it mounts.
    ///
    /// # Errors
    /// `Conflict` when the name is taken or one lies there, `Invalid` when the folder cannot be used, `Unsupported` on
    /// hubs that keep no backups in shares. None repeats the password of a share.
    pub async fn create_repository(
        &self,
        name: &str,
        place: &RepositoryPlace,
    ) -> Result<Repository> {
        let url = self.v1(&["repositories"])?;
        let taken = match place {
            RepositoryPlace::Folder { .. } => BTreeSet::new(),
            RepositoryPlace::Nfs { .. } | RepositoryPlace::Cifs { .. } => {
                wire::folders_of_repositories(&self.get(url.clone()).await?)?
            }
        };
        let mounted = places::mounted(place, name, &taken)?;
        let (kind, config) = places::settings(&mounted)?;
        // Deployed hubs take what is left out for "no" (contract H33).
        let body = json!({
            "name": name,
            "type": kind,
            "enabled": true,
            "is_immutable": false,
            "min_retention_days": 0,
            "config": config,
        });
        let answer = self.post(url, &body, Effect::Once).await;
        let answer = answer.map_err(|error| without(places::secret(place), error));
        wire::created_repository(&answer.map_err(refusals::not_added)?)
    }

    /// Tries whether backups could go to a place. Makes a folder where it is not there; a share is not tried by any hub
    /// that is known.
    ///
    /// # Errors
    /// `Unsupported` on hubs that cannot try it. None repeats the password of a share.
    pub async fn test_repository(&self, place: &RepositoryPlace) -> Result<RepositoryTest> {
        let secret = places::secret(place);
        let mounted = places::mounted(place, "test", &BTreeSet::new())?;
        let (kind, config) = places::settings(&mounted)?;
        let body = json!({ "type": kind, "config": config });
        let url = self.v1(&["repositories", "test"])?;
        let answer = self.post_for_verdict(url, &body).await;
        let answer = answer.map_err(|error| refusals::not_tried(without(secret, error)))?;
        let mut test = wire::repository_test(&answer)?;
        test.message = test.message.map(|text| without_secret(secret, text));
        test.tried = match place {
            RepositoryPlace::Folder { .. } => Tried::Writing,
            // Deployed hubs say yes to whatever could be a share (contract 3.5).
            RepositoryPlace::Nfs { .. } | RepositoryPlace::Cifs { .. } => Tried::Nothing,
        };
        Ok(test)
    }

    /// Tries whether a repository that the hub has can be used: writes to its folder, or reads how much room is in its
    /// share, for which the hub mounts it.
    ///
    /// # Errors
    /// `NotFound` when the hub has no such repository.
    pub async fn test_known_repository(&self, id: &RepositoryId) -> Result<RepositoryTest> {
        let known = self.repositories().await?;
        let known = known.into_iter().find(|known| known.id == *id);
        let known = known.ok_or_else(|| {
            AppError::new(
                ErrorKind::NotFound,
                words::failures::repository_gone(),
                Retry::Manual,
            )
        })?;
        if let Some(path) = known.path {
            return self.test_repository(&RepositoryPlace::folder(path)).await;
        }
        let url = self.v1(&["repositories", id.as_str(), "storage"])?;
        let reached = |message: Option<String>| RepositoryTest {
            is_usable: message.is_none(),
            tried: Tried::Reaching,
            message,
        };
        match self.get(url).await {
            Ok(_) => Ok(reached(None)),
            // That it could not mount a share is an answer, not a failure of the hub.
            Err(error) => match refusals::not_reached(&error) {
                Some(why) => Ok(reached(Some(why))),
                None => Err(error),
            },
        }
    }

    /// Gives up a repository without backups. What is in it stays.
    ///
    /// # Errors
    /// `Conflict` when there are backups in it, or where the hub keeps records of some that were.
    pub async fn delete_repository(&self, id: &RepositoryId) -> Result<()> {
        let url = self.v1(&["repositories", id.as_str()])?;
        self.delete(url).await.map_err(refusals::not_removed)
    }

    /// Takes the recovery points in a folder of the hub's computer on record that are not.
    ///
    /// # Errors
    /// `NotFound` when no repository lies there, `Unsupported` on hubs that cannot.
    pub async fn rescan_repository(&self, path: &str) -> Result<Rescan> {
        let url = self.v1(&["repositories", "rescan"])?;
        let body = json!({ "path": path });
        wire::rescan(&self.post(url, &body, Effect::Repeatable).await?)
    }

    /// Begins to copy a recovery point, with all it builds on, to another repository.
    ///
    /// # Errors
    /// `Conflict` when it is there, or while its backups are being changed; `Unsupported` on hubs that cannot.
    pub async fn start_copy(&self, id: &BackupId, to: &RepositoryId) -> Result<()> {
        // The engine that does the work is never started on deployed hubs (contract 3.7).
        if self.backup(id).await?.is_pinned.is_none() {
            return Err(AppError::new(
                ErrorKind::Unsupported,
                words::failures::no_copying(),
                Retry::Never,
            ));
        }
        let url = self.v1(&["backups", id.as_str(), "copy"])?;
        let body = json!({ "repository_id": to });
        self.post(url, &body, Effect::Once).await.map(drop)
    }

    /// The copies of a recovery point, as they are now.
    pub async fn copies(&self, id: &BackupId) -> Result<Vec<BackupCopy>> {
        let url = self.v1(&["backups", id.as_str(), "copies"])?;
        wire::copies(&self.get(url).await?)
    }

    /// Cancels the copy of a recovery point to a repository; copied again, it continues from there.
    ///
    /// # Errors
    /// `NotFound` when there was none, `Conflict` when it is over.
    pub async fn cancel_copy(&self, id: &BackupId, to: &RepositoryId) -> Result<()> {
        let copy_id = self.copy_to(id, to).await?.id.to_string();
        let url = self.v1(&["backups", id.as_str(), "copies", &copy_id, "cancel"])?;
        self.post(url, &json!({}), Effect::Repeatable)
            .await
            .map(drop)
    }

    /// The copy of a recovery point to a repository; there is at most one.
    async fn copy_to(&self, id: &BackupId, to: &RepositoryId) -> Result<BackupCopy> {
        let copies = self.copies(id).await?;
        copies
            .into_iter()
            .find(|copy| copy.repository_id == *to)
            .ok_or_else(|| {
                AppError::new(
                    ErrorKind::NotFound,
                    words::failures::copy_unknown(),
                    Retry::Manual,
                )
            })
    }

    /// Copies a recovery point, with all it builds on, and waits until it is there and verified; reports
    /// how far it is.
    ///
    /// # Errors
    /// As [`start_copy`](Self::start_copy), and the hub's reason when it ended early.
    pub async fn copy_backup(
        &self,
        id: &BackupId,
        to: &RepositoryId,
        report: &mut (dyn FnMut(&BackupCopy) + Send),
    ) -> Result<BackupCopy> {
        self.start_copy(id, to).await?;
        let pauses = Pauses::begin();
        loop {
            let copy = self.copy_to(id, to).await?;
            report(&copy);
            if let Some(why) = copy
                .error_message
                .as_ref()
                .filter(|_| copy.status.is_over())
            {
                // The contract has no status of its own for what was cancelled.
                let known = error::of_failure(copy.error_code, why);
                let (kind, message) = match known.map(|known| known.kind) {
                    Some(ErrorKind::Cancelled) => (
                        ErrorKind::Cancelled,
                        words::failures::copy_cancelled().to_owned(),
                    ),
                    _ => (ErrorKind::Conflict, words::failures::copy_failed(why)),
                };
                return Err(AppError::new(kind, message, Retry::Manual)
                    .with_hint(words::failures::copy_resumes()));
            }
            if copy.status.is_over() {
                return Ok(copy);
            }
            pauses.wait().await;
        }
    }
}
