//! Waiting as long as a hub asks for (`Retry-After`, contract 5), and how much of that a question puts up with.

use std::time::Duration;

use jiff::{Timestamp, fmt::rfc2822::DateTimeParser};
use reqwest::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};
use sendense_types::Retry;
use tokio::time::sleep;

/// A question is asked again so often.
const REPEATS: u32 = 3;
/// And waits no longer than that in all: somebody sits in front of the window.
const LONGEST_IN_ALL: Duration = Duration::from_secs(30);
/// A hub that says "at once" was busy all the same.
const SHORTEST: Duration = Duration::from_secs(1);

/// HTTP writes its dates as mail does.
const HTTP_DATE: DateTimeParser = DateTimeParser::new();

/// What is left of the patience with one question.
pub(super) struct Patience {
    repeats: u32,
    waiting: Duration,
}

impl Patience {
    /// With a new question.
    pub(super) fn new() -> Self {
        Self {
            repeats: REPEATS,
            waiting: LONGEST_IN_ALL,
        }
    }

    /// Waits as told, if the question may be asked again by itself. Never less than told: where that is
    /// too long, the user is told instead.
    pub(super) async fn wait(&mut self, retry: Retry) -> bool {
        let Retry::AfterSeconds(seconds) = retry else {
            return false;
        };
        let pause = Duration::from_secs(seconds.into()).max(SHORTEST);
        let (Some(repeats), Some(waiting)) =
            (self.repeats.checked_sub(1), self.waiting.checked_sub(pause))
        else {
            return false;
        };
        (self.repeats, self.waiting) = (repeats, waiting);
        tracing::debug!(seconds, "the hub wants to be asked again later");
        sleep(pause).await;
        true
    }
}

/// After how many seconds a hub wants to be asked again; it says either a number or a date by its clock.
pub(super) fn seconds_told(headers: &HeaderMap) -> Option<u32> {
    let told = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = told.parse() {
        return Some(seconds);
    }
    let until = HTTP_DATE.parse_timestamp(told).ok()?;
    let left = until.duration_since(date(headers, DATE)?);
    // What has passed already is now.
    u32::try_from(left.as_secs().max(0)).ok()
}

/// The time in a header.
pub(super) fn date(headers: &HeaderMap, name: HeaderName) -> Option<Timestamp> {
    let text = headers.get(name)?.to_str().ok()?;
    HTTP_DATE.parse_timestamp(text).ok()
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;
    use tokio::time::Instant;

    use super::*;

    fn told(retry_after: &'static str, date: Option<&'static str>) -> Option<u32> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_static(retry_after));
        if let Some(date) = date {
            headers.insert(DATE, HeaderValue::from_static(date));
        }
        seconds_told(&headers)
    }

    /// Contract H36.
    #[test]
    fn a_hub_says_seconds_or_a_date_by_its_own_clock() {
        let now = Some("Fri, 27 Nov 2026 10:00:00 GMT");
        assert_eq!(told("7", None), Some(7));
        assert_eq!(told(" 0 ", None), Some(0));
        assert_eq!(told("Fri, 27 Nov 2026 10:00:20 GMT", now), Some(20));
        assert_eq!(told("Fri, 27 Nov 2026 09:00:00 GMT", now), Some(0));
        assert_eq!(
            told("Fri, 27 Nov 2026 10:00:20 GMT", None),
            None,
            "our clock may differ from the hub's"
        );
        assert_eq!(told("soon", now), None);
        assert_eq!(told("-1", now), None);
        assert_eq!(seconds_told(&HeaderMap::new()), None);
    }

    /// How long a hub is waited for that always says this.
    async fn waited(seconds: u32) -> (u32, Duration) {
        let (mut patience, mut times, began) = (Patience::new(), 0, Instant::now());
        while patience.wait(Retry::AfterSeconds(seconds)).await {
            times += 1;
        }
        (times, began.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn patience_has_an_end_and_is_never_shorter_than_told() {
        assert_eq!(waited(0).await, (3, Duration::from_secs(3)));
        assert_eq!(waited(10).await, (3, Duration::from_secs(30)));
        assert_eq!(waited(20).await, (1, Duration::from_secs(20)));
        assert_eq!(waited(31).await, (0, Duration::ZERO));
        assert!(!Patience::new().wait(Retry::Manual).await);
    }
}
