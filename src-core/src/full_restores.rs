//! Full restores that were asked for here, followed until they are over.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sendense_types::{
    AppEvent, ErrorKind, FullRestore, FullRestoreId, FullRestoreOrder, FullRestorePlan, HubId,
};
use tokio::runtime::Handle;

use crate::{HubClient, HubSession, Result};

/// So often a hub is asked how far one is.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// So often in a row a hub may fail to answer: ten minutes.
const MOST_SILENCES: u32 = 600;

/// Who has named the folder of a full restore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FolderFrom {
    /// The user, in the system's dialog: it may be one of this computer.
    Dialog,
    /// The window: it is never one of this computer.
    Window,
}

/// The full restores of the current hub, and those on others that were begun from here. Cheap to clone.
#[derive(Clone)]
pub struct FullRestores {
    session: HubSession,
    followed: Arc<Mutex<BTreeSet<(HubId, FullRestoreId)>>>,
    /// Where they are followed; whoever begins one may be on a thread without a runtime.
    runtime: Handle,
}

impl FullRestores {
    /// Follows none yet. Needs a tokio runtime.
    pub fn new(session: HubSession) -> Self {
        Self {
            session,
            followed: Arc::default(),
            runtime: Handle::current(),
        }
    }

    /// Those that the current hub has on record, newest first; `None` where it does not offer them. What runs is followed
    /// from now on.
    ///
    /// # Errors
    /// When the hub does not answer.
    pub async fn list(&self) -> Result<Option<Vec<FullRestore>>> {
        let hub = self.session.state().current;
        let listed = self
            .session
            .ask_at(&hub, async |hub| hub.offered_full_restores().await);
        let restores = listed.await?;
        for restore in restores.iter().flatten() {
            if !restore.status.is_over() {
                self.follow(&hub, &restore.restore_id);
            }
        }
        Ok(restores)
    }

    /// What a full restore would write, and how much room there is.
    ///
    /// # Errors
    /// As [`HubClient::plan_full_restore`](crate::HubClient::plan_full_restore).
    pub async fn plan(
        &self,
        order: &FullRestoreOrder,
        folder: FolderFrom,
    ) -> Result<FullRestorePlan> {
        let ask = async |hub: HubClient| hub.plan_full_restore(order).await;
        match folder {
            FolderFrom::Dialog => self.session.ask(ask).await,
            FolderFrom::Window => self.session.ask_elsewhere(ask).await,
        }
    }

    /// Begins a full restore on the current hub.
    ///
    /// # Errors
    /// As [`HubClient::start_full_restore`](crate::HubClient::start_full_restore).
    pub async fn start(&self, order: &FullRestoreOrder, folder: FolderFrom) -> Result<FullRestore> {
        let hub = self.session.state().current;
        let ask = async |hub: HubClient| hub.start_full_restore(order).await;
        let restore = match folder {
            FolderFrom::Dialog => self.session.ask_at(&hub, ask).await?,
            FolderFrom::Window => self.session.ask_elsewhere(ask).await?,
        };
        self.follow(&hub, &restore.restore_id);
        self.tell(&hub, restore.clone());
        Ok(restore)
    }

    /// Ends a full restore of the current hub, which removes what it has written.
    ///
    /// # Errors
    /// When the hub has none of that id, or it is over.
    pub async fn cancel(&self, id: &FullRestoreId) -> Result<()> {
        self.session
            .ask(async |hub| hub.cancel_full_restore(id).await)
            .await
    }

    /// A full restore of the current hub as it is now.
    ///
    /// # Errors
    /// When the hub has none of that id.
    pub async fn find(&self, id: &FullRestoreId) -> Result<FullRestore> {
        self.session
            .ask(async |hub| hub.full_restore(id).await)
            .await
    }

    /// How many run on that hub, as far as they are followed.
    pub fn running_at(&self, hub: &HubId) -> usize {
        let followed = self.followed();
        followed.iter().filter(|(at, _)| at == hub).count()
    }

    /// Asks how far it is until it is over, or its hub stays silent.
    fn follow(&self, hub: &HubId, id: &FullRestoreId) {
        let key = (hub.clone(), id.clone());
        if !self.followed().insert(key.clone()) {
            return;
        }
        let this = self.clone();
        self.runtime.spawn(async move {
            let (hub, id) = &key;
            let mut n_silences = 0;
            while n_silences < MOST_SILENCES {
                tokio::time::sleep(ASK_EVERY).await;
                let asked = this
                    .session
                    .ask_at(hub, async |hub| hub.full_restore(id).await);
                match asked.await {
                    Ok(restore) => {
                        n_silences = 0;
                        let is_over = restore.status.is_over();
                        if is_over {
                            // Who hears of its end counts it no longer.
                            this.followed().remove(&key);
                        }
                        this.tell(hub, restore);
                        if is_over {
                            return;
                        }
                    }
                    Err(error) if error.kind == ErrorKind::NotFound => break,
                    Err(error) => {
                        tracing::debug!(%error, "it is not known how far a full restore is");
                        n_silences += 1;
                    }
                }
            }
            this.followed().remove(&key);
        });
    }

    fn tell(&self, hub: &HubId, restore: FullRestore) {
        let restore = Box::new(restore);
        self.session
            .tell(hub, AppEvent::FullRestoreChanged { restore });
    }

    fn followed(&self) -> MutexGuard<'_, BTreeSet<(HubId, FullRestoreId)>> {
        // Nothing panics under this lock.
        self.followed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
