//! A hub's state, shared by all its requests and jobs.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use sendense_engine::{Clock, Engine};

use crate::{Config, Profile, ServeError, auth::Gate, config::Auth, secret::Secret};

/// A hub's state; cheap to clone.
#[derive(Clone)]
pub(crate) struct Hub {
    inner: Arc<Inner>,
}

struct Inner {
    data_dir: PathBuf,
    profile: Profile,
    gate: Gate,
    engine: Engine,
}

impl Hub {
    /// Lets in whoever the configuration says. Blocks: hashing passwords takes its time.
    pub(crate) fn new(engine: Engine, config: Config, key: &Secret) -> Result<Self, ServeError> {
        let (users, clock) = (engine.users().clone(), engine.clock().clone());
        let gate = match config.auth {
            Auth::Off => Gate::open(users, clock),
            Auth::Users(new) => Gate::guarded(users, clock, key.hash(), new)?,
        };
        Ok(Self {
            inner: Arc::new(Inner {
                data_dir: config.data_dir,
                profile: config.profile,
                gate,
                engine,
            }),
        })
    }

    /// The hub's own folder, in which no VMs are looked for.
    pub(crate) fn data_dir(&self) -> &Path {
        &self.inner.data_dir
    }

    /// What does all that is asked for.
    pub(crate) fn engine(&self) -> &Engine {
        &self.inner.engine
    }

    /// The time.
    pub(crate) fn clock(&self) -> &Clock {
        self.inner.engine.clock()
    }

    /// The dialect it speaks.
    pub(crate) fn profile(&self) -> Profile {
        self.inner.profile
    }

    /// Who may come in.
    pub(crate) fn gate(&self) -> &Gate {
        &self.inner.gate
    }

    /// Runs work that blocks (disks, the database, passwords) beside the threads that answer.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(Self) -> crate::error::Result<T> + Send + 'static,
    ) -> crate::error::Result<T> {
        let hub = self.clone();
        tokio::task::spawn_blocking(move || work(hub)).await?
    }
}
