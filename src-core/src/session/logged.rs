//! Why a question to a hub failed, in the log: the one place where that is written.

use sendense_types::ErrorKind;
use tokio::time::Instant;

use crate::{HubClient, Result};

/// Puts a question to a hub and logs why it failed: what was asked, the reasons, how long it took.
///
/// That a hub does not answer is in the log already where it `is_away`: every open page asks again.
pub(super) async fn logged<T>(
    client: HubClient,
    is_away: bool,
    question: impl AsyncFnOnce(HubClient) -> Result<T>,
) -> Result<T> {
    let client = client.noting_what_is_asked();
    let began = Instant::now();
    let outcome = question(client.clone()).await;
    if let Err(error) = &outcome {
        let asked = client.asked();
        let asked = asked.as_deref().unwrap_or("nothing");
        let (kind, reason) = (error.kind, error.message.as_str());
        let details = error.details.as_deref().unwrap_or_default();
        let millis = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        macro_rules! log {
            ($level:ident, $what:literal) => {
                tracing::$level!(asked, ?kind, reason, details, millis, $what)
            };
        }
        match kind {
            ErrorKind::Cancelled => log!(debug, "a question was given up"),
            ErrorKind::Offline if is_away => log!(debug, "the hub is still away"),
            // The hub works, and said no to what it was asked for.
            ErrorKind::Unauthorized
            | ErrorKind::Forbidden
            | ErrorKind::NotFound
            | ErrorKind::Expired
            | ErrorKind::Conflict
            | ErrorKind::NeedsFull
            | ErrorKind::Invalid
            | ErrorKind::Unsupported => log!(info, "a question was refused"),
            ErrorKind::Offline
            | ErrorKind::Untrusted
            | ErrorKind::Corrupt
            | ErrorKind::Full
            | ErrorKind::Cut
            | ErrorKind::OutcomeUnknown
            | ErrorKind::Internal => log!(error, "a question failed"),
        }
    }
    outcome
}
