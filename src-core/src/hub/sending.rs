//! How a hub sends what is downloaded: piece by piece, whether it ends long answers, and how fast it is.

use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{ACCEPT_RANGES, CONTENT_RANGE, ETAG, HeaderName};
use reqwest::{RequestBuilder, Response, StatusCode};
use sendense_types::{AppError, ByteSize, ErrorKind, Retry};
use sendense_words as words;
use tokio::time::{Instant, timeout};

use super::{
    HubClient,
    request::{Effect, chain, cut},
};
use crate::Result;

/// Deployed hubs end every answer that is still being sent after 15 seconds, and seem to do so a little later (contract
/// section 12). What ends then was ended by that.
const WRITE_TIMEOUT: RangeInclusive<Duration> = Duration::from_secs(14)..=Duration::from_secs(18);
/// What they let through is what arrives in this time.
const SENT_FOR: Duration = Duration::from_secs(15);
/// A hub that archives a folder with a pipe in it never sends a byte (contract H17).
const STREAM_SILENCE: Duration = Duration::from_secs(30);
/// Speeds vary: what is a little larger than what once did not arrive may arrive the next time.
const TOO_LARGE: u64 = 2;
/// What was over sooner says little about the next one.
const MEASURED_AFTER: Duration = Duration::from_secs(1);

/// What was seen of how a hub sends.
#[derive(Debug, Default)]
pub(super) struct Sending {
    limit: AnswerLimit,
    /// How the last transfer went that took long enough.
    pace: Option<Pace>,
}

/// Whether a hub ends what it sends after 15 seconds (contract H1).
#[derive(Clone, Copy, Debug, Default)]
enum AnswerLimit {
    #[default]
    Unknown,
    /// Something ended then; this is the most that had arrived by then.
    Ends { most_bytes: u64 },
    /// Something went on for longer. What ends then has another reason.
    None,
}

/// So many bytes in so much time.
#[derive(Clone, Copy, Debug)]
struct Pace {
    bytes: u64,
    taken: Duration,
}

impl Pace {
    /// How much arrives in this time, in bytes.
    fn bytes_within(self, time: Duration) -> u64 {
        (self.bytes as f64 * time.as_secs_f64() / self.taken.as_secs_f64()) as u64
    }

    /// How long so much takes; `None` for longer than anybody waits.
    fn time_for(self, bytes: u64) -> Option<Duration> {
        let seconds = self.taken.as_secs_f64() * bytes as f64 / self.bytes as f64;
        Duration::try_from_secs_f64(seconds).ok()
    }
}

impl Sending {
    /// The most that arrives before the hub ends an answer, in bytes; `None` as long as none was seen to end.
    fn most_bytes(&self) -> Option<u64> {
        let AnswerLimit::Ends { most_bytes } = self.limit else {
            return None;
        };
        let expected = self.pace.map_or(0, |pace| pace.bytes_within(SENT_FOR));
        Some(most_bytes.max(expected))
    }
}

impl HubClient {
    /// The same hub, asked about a mount that it ends so much later, whatever happens.
    #[must_use]
    pub(crate) fn for_as_long_as(mut self, mount_lasts: Option<Duration>) -> Self {
        self.mount_ends = mount_lasts.map(|lasts| Instant::now() + lasts);
        self
    }

    /// Refuses what is much larger than what this hub sends in one answer before it ends it, by its size and the
    /// measured speed (contract H1).
    ///
    /// # Errors
    /// `Unsupported` then.
    pub(crate) fn refuse_too_large(&self, size_bytes: u64) -> Result<()> {
        let most_bytes = sending(&self.sending).most_bytes();
        match most_bytes {
            Some(most_bytes) if size_bytes > most_bytes.saturating_mul(TOO_LARGE) => {
                Err(AppError::new(
                    ErrorKind::Unsupported,
                    words::failures::too_large_for_hub(ByteSize(size_bytes), ByteSize(most_bytes)),
                    Retry::Never,
                )
                .with_hint(words::failures::answer_limit_hint()))
            }
            _ => Ok(()),
        }
    }

    /// Refuses what takes longer, at the measured speed, than the mount lasts from which it comes (contract H14).
    ///
    /// # Errors
    /// `Expired` then.
    pub(crate) fn refuse_too_late(&self, size_bytes: u64) -> Result<()> {
        let pace = sending(&self.sending).pace;
        let (Some(ends), Some(pace)) = (self.mount_ends, pace) else {
            return Ok(());
        };
        let left = ends.saturating_duration_since(Instant::now());
        let takes = pace.time_for(size_bytes).unwrap_or(Duration::MAX);
        if takes <= left {
            return Ok(());
        }
        let minutes = |time: Duration| time.as_secs().div_ceil(60);
        Err(AppError::new(
            ErrorKind::Expired,
            words::failures::mount_ends_too_soon(
                ByteSize(size_bytes),
                minutes(takes),
                minutes(left),
            ),
            Retry::Manual,
        )
        .with_hint(words::failures::remount_and_retry()))
    }

    /// Asks for a body; `when_silent` is what it means when nothing comes.
    pub(super) async fn open(
        &self,
        request: RequestBuilder,
        when_silent: fn() -> &'static str,
    ) -> Result<Body> {
        let began = Instant::now();
        let sent = timeout(STREAM_SILENCE, self.send(request, Effect::Repeatable)).await;
        let response = sent.map_err(|_| silent(when_silent))??;
        Ok(Body {
            response,
            began,
            received_bytes: 0,
            when_silent,
            sending: Arc::clone(&self.sending),
        })
    }
}

/// What is wanted of a file whose beginning is here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rest {
    /// From which byte on.
    pub(crate) offset: u64,
    /// What the hub has called the file; of one that it calls otherwise by now, all of it is wanted.
    pub(crate) validator: String,
}

/// The body of a download, piece by piece.
pub(crate) struct Body {
    response: Response,
    /// When it was asked for.
    began: Instant,
    received_bytes: u64,
    when_silent: fn() -> &'static str,
    sending: Arc<Mutex<Sending>>,
}

impl Body {
    /// Its length, where the hub says it.
    pub(crate) fn length(&self) -> Option<u64> {
        self.response.content_length()
    }

    /// From which byte of the file on it comes: from the first, unless the hub sends the rest that it was asked for.
    ///
    /// # Errors
    /// `Internal` where the hub sends a part and does not say which.
    pub(crate) fn begins_at(&self) -> Result<u64> {
        if self.response.status() != StatusCode::PARTIAL_CONTENT {
            return Ok(0);
        }
        let said = self.text_of(CONTENT_RANGE);
        let range = said.as_deref().and_then(|said| said.strip_prefix("bytes "));
        let first = range.and_then(|range| range.split_once('-')?.0.trim().parse().ok());
        first.ok_or_else(|| {
            AppError::new(
                ErrorKind::Internal,
                words::failures::answer_not_understood(),
                Retry::Manual,
            )
            .with_hint(words::failures::answer_not_understood_hint())
            .with_details(format!("Content-Range: {}", said.unwrap_or_default()))
        })
    }

    /// What the hub calls the file, where it can send the rest of it later: a weak name does not tell two contents apart
    /// (RFC 9110, 13.1.5).
    pub(crate) fn validator(&self) -> Option<String> {
        let sends_parts = self.text_of(ACCEPT_RANGES)? == "bytes";
        let tag = self.text_of(ETAG)?;
        (sends_parts && tag.starts_with('"')).then_some(tag)
    }

    fn text_of(&self, name: HeaderName) -> Option<String> {
        let value = self.response.headers().get(name)?;
        value.to_str().ok().map(str::to_owned)
    }

    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// `Cut` when the connection breaks before the end, or nothing comes for half a minute.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>> {
        let piece = timeout(STREAM_SILENCE, self.response.chunk()).await;
        match piece.map_err(|_| silent(self.when_silent))? {
            Ok(piece) => {
                let length = piece.as_ref().map_or(0, |piece| piece.len() as u64);
                self.received_bytes = self.received_bytes.saturating_add(length);
                if self.began.elapsed() > *WRITE_TIMEOUT.end() {
                    sending(&self.sending).limit = AnswerLimit::None;
                }
                if piece.is_none() {
                    self.measure();
                }
                Ok(piece)
            }
            Err(error) => Err(self.ended(&error)),
        }
    }

    /// Why it broke off.
    fn ended(&self, error: &reqwest::Error) -> AppError {
        self.measure();
        let mut sending = sending(&self.sending);
        let known = match sending.limit {
            AnswerLimit::None => return cut(error),
            AnswerLimit::Ends { most_bytes } => most_bytes,
            AnswerLimit::Unknown => 0,
        };
        if !WRITE_TIMEOUT.contains(&self.began.elapsed()) {
            return cut(error);
        }
        sending.limit = AnswerLimit::Ends {
            most_bytes: known.max(self.received_bytes),
        };
        AppError::new(
            ErrorKind::Cut,
            words::failures::answer_limit(ByteSize(self.received_bytes)),
            // It would end in the same way.
            Retry::Never,
        )
        .with_hint(words::failures::answer_limit_hint())
        .with_details(chain(error))
    }

    /// Notes how fast it was.
    fn measure(&self) {
        let taken = self.began.elapsed();
        if taken >= MEASURED_AFTER && self.received_bytes > 0 {
            sending(&self.sending).pace = Some(Pace {
                bytes: self.received_bytes,
                taken,
            });
        }
    }
}

fn sending(shared: &Mutex<Sending>) -> MutexGuard<'_, Sending> {
    // Nothing panics under this lock.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Nothing comes, and nothing says why.
fn silent(meaning: fn() -> &'static str) -> AppError {
    AppError::new(ErrorKind::Cut, words::failures::silent(), Retry::Manual).with_hint(meaning())
}

#[cfg(test)]
mod tests {
    use futures::{StreamExt, stream};

    use super::*;

    /// A hub, and a body of it that gives one piece and then, after so many seconds, breaks off.
    fn breaking_body(after: u64) -> (HubClient, Body) {
        let hub = HubClient::new("http://127.0.0.1:1", None).unwrap();
        let body = body_of(&hub, after);
        (hub, body)
    }

    fn body_of(hub: &HubClient, after: u64) -> Body {
        body(hub, b"four", after, false)
    }

    /// One piece, and so many seconds later the end, or a break.
    fn body(hub: &HubClient, piece: &'static [u8], after: u64, is_whole: bool) -> Body {
        let end = stream::once(async move {
            tokio::time::sleep(Duration::from_secs(after)).await;
            let broken = std::io::Error::other("unexpected EOF");
            (!is_whole).then_some(Err(broken))
        });
        let pieces = stream::once(async move { Ok(Bytes::from_static(piece)) })
            .chain(end.filter_map(std::future::ready));
        Body {
            response: http::Response::new(reqwest::Body::wrap_stream(pieces)).into(),
            began: Instant::now(),
            received_bytes: 0,
            when_silent: words::failures::silent_folder,
            sending: Arc::clone(&hub.sending),
        }
    }

    /// Contract D53, H1, section 12.2.
    #[tokio::test(start_paused = true)]
    async fn an_answer_that_ends_after_fifteen_seconds_was_ended_by_the_hubs_limit() {
        for (after, is_limit) in [(5, false), (15, true), (16, true), (25, false)] {
            let (hub, mut body) = breaking_body(after);
            assert_eq!(body.next().await.unwrap().unwrap().len(), 4);
            let error = body.next().await.unwrap_err();
            assert_eq!(error.kind, ErrorKind::Cut);
            assert_eq!(error.retry == Retry::Never, is_limit, "{after}: {error}");
            assert!(hub.refuse_too_large(8).is_ok());
            assert_eq!(hub.clone().refuse_too_large(9).is_err(), is_limit);
        }
    }

    /// Contract H1.
    #[tokio::test(start_paused = true)]
    async fn what_is_too_large_goes_by_the_speed_that_was_measured_last() {
        let (hub, mut broken) = breaking_body(15);
        broken.next().await.unwrap();
        broken.next().await.unwrap_err();
        assert!(hub.refuse_too_large(9).is_err());
        // Ten bytes a second: 150 in the time that the hub gives.
        let mut faster = body(&hub, b"twenty bytes of text", 2, true);
        faster.next().await.unwrap();
        assert_eq!(faster.next().await.unwrap(), None);
        assert!(hub.refuse_too_large(300).is_ok());
        let error = hub.refuse_too_large(301).unwrap_err();
        assert!(error.message.contains("150 B"), "{error}");
    }

    /// Contract H14.
    #[tokio::test(start_paused = true)]
    async fn what_takes_longer_than_its_mount_lasts_is_not_begun() {
        let minutes = |minutes: u64| Some(Duration::from_secs(60 * minutes));
        let hub = HubClient::new("http://127.0.0.1:1", None).unwrap();
        let ending = hub.clone().for_as_long_as(minutes(10));
        assert!(
            ending.refuse_too_late(u64::MAX).is_ok(),
            "no speed was measured"
        );
        let mut transfer = body(&hub, b"twenty bytes of text", 2, true);
        transfer.next().await.unwrap();
        transfer.next().await.unwrap();
        let ending = hub.clone().for_as_long_as(minutes(10));
        assert!(ending.refuse_too_late(6000).is_ok());
        let error = ending.refuse_too_late(12_000).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Expired);
        let message = words::failures::mount_ends_too_soon(ByteSize(12_000), 20, 10);
        assert_eq!(error.message, message);
        assert!(hub.refuse_too_late(12_000).is_ok(), "it does not end");
        tokio::time::advance(Duration::from_secs(500)).await;
        assert!(ending.refuse_too_late(1000).is_ok());
        assert!(ending.refuse_too_late(1001).is_err());
    }

    /// Contract D53.
    #[tokio::test(start_paused = true)]
    async fn a_hub_that_once_sent_for_longer_has_no_limit() {
        let (hub, mut broken) = breaking_body(15);
        broken.next().await.unwrap();
        broken.next().await.unwrap_err();
        assert!(hub.refuse_too_large(9).is_err());
        let mut long = body_of(&hub, 15);
        tokio::time::sleep(Duration::from_secs(20)).await;
        long.next().await.unwrap();
        assert!(hub.refuse_too_large(9).is_ok());
        let mut broken = body_of(&hub, 15);
        broken.next().await.unwrap();
        let error = broken.next().await.unwrap_err();
        assert_ne!(error.retry, Retry::Never);
        assert!(hub.refuse_too_large(9).is_ok());
    }

    /// Contract H17, section 12.2.
    #[tokio::test(start_paused = true)]
    async fn a_body_without_a_byte_for_half_a_minute_ends_with_what_that_means() {
        let (_, mut body) = breaking_body(3600);
        body.next().await.unwrap();
        let began = Instant::now();
        let error = body.next().await.unwrap_err();
        assert_eq!(began.elapsed().as_secs(), 30);
        assert!(error.hint.unwrap().contains("pipe"));
    }
}
