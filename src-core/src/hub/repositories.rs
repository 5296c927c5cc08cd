//! Repositories (contract 3.5).

use sendense_types::Repository;

use super::{HubClient, wire};
use crate::Result;

impl HubClient {
    /// The places where backups are kept, by name.
    pub async fn repositories(&self) -> Result<Vec<Repository>> {
        wire::repositories(&self.get(self.v1(&["repositories"])?).await?)
    }
}
