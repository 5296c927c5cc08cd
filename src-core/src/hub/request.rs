//! Sending requests and reading answers, and what it means when there is none.

use std::error::Error as _;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use reqwest::header::{AUTHORIZATION, DATE, HeaderValue, LOCATION};
use reqwest::{Client, Method, Request, RequestBuilder, Response, StatusCode, Url, redirect};
use sendense_types::{AppError, ErrorKind, Retry, Trust};
use sendense_words as words;
use serde::Serialize;
use serde_json::Value;

use super::patience::{self, Patience};
use super::redaction::without;
use super::{HubClient, address, certificate, error, tls};
use crate::Result;

/// Deployed hubs work on while a client waits (contract H1), so only silence ends a request.
const SILENCE: Duration = Duration::from_secs(90);
const CONNECT: Duration = Duration::from_secs(10);
/// Deployed hubs close idle connections after a minute; one that is stale looks like a crash of the
/// hub (contract 2.1).
const POOL_IDLE: Duration = Duration::from_secs(30);
/// Folders with a million entries fit; a hub that never stops talking does not.
const LARGEST_JSON_BYTES: usize = 512 * 1024 * 1024;

/// A failure takes a few lines; a page of a proxy fits as well.
const LONGEST_FAILURE: usize = 1024 * 1024;

/// The HTTP client for one hub whose certificate is trusted in this way. It takes the system's proxy.
pub(super) fn http_client(base: &Url, trust: &Trust) -> Result<Client> {
    let mut builder = Client::builder()
        .user_agent(concat!("sendense/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT)
        .read_timeout(SILENCE)
        .pool_idle_timeout(POOL_IDLE)
        .tcp_nodelay(true)
        .http1_only()
        .tls_backend_preconfigured(tls::config(trust)?)
        // Hubs do not redirect; following one would send the token to who knows where.
        .redirect(redirect::Policy::none());
    if address::is_loopback(base) {
        builder = builder.no_proxy();
    }
    builder.build().map_err(|error| {
        AppError::new(
            ErrorKind::Internal,
            words::failures::network_settings(),
            Retry::Never,
        )
        .with_details(chain(&error))
    })
}

/// What a request does on the hub, which decides what a missing answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// It only reads, or does the same when done twice: it is tried once more when the connection breaks,
    /// and again when the hub says how long it is busy.
    Repeatable,
    /// Doing it twice is not the same as once.
    Once,
}

impl HubClient {
    /// The address of something below `/api/v1`.
    pub(super) fn v1(&self, segments: &[&str]) -> Result<Url> {
        let mut all = vec!["api", "v1"];
        all.extend(segments);
        address::below(&self.base, &all)
    }

    /// Asks a question whose answer is JSON.
    pub(super) async fn get(&self, url: Url) -> Result<Value> {
        let request = self.request(Method::GET, url);
        json(self.send(request, Effect::Repeatable).await?, Awaited::News).await
    }

    /// Sends JSON, for an answer in JSON.
    pub(super) async fn post(
        &self,
        url: Url,
        body: &impl Serialize,
        effect: Effect,
    ) -> Result<Value> {
        let request = self.request(Method::POST, url).json(body);
        json(self.send(request, effect).await?, Awaited::Change).await
    }

    /// As [`post`](Self::post), for a question whose answer may be no: `success: false` is an answer then.
    pub(super) async fn post_for_verdict(&self, url: Url, body: &impl Serialize) -> Result<Value> {
        let request = self.request(Method::POST, url).json(body);
        let response = self.send(request, Effect::Repeatable).await?;
        any_json(&answer(response, Awaited::News).await?)
    }

    /// Puts JSON in a place, where twice is the same as once.
    pub(super) async fn put(&self, url: Url, body: &impl Serialize) -> Result<Value> {
        let request = self.request(Method::PUT, url).json(body);
        json(
            self.send(request, Effect::Repeatable).await?,
            Awaited::Change,
        )
        .await
    }

    /// Asks for the end of something once, for an answer in JSON.
    pub(super) async fn delete_for_answer(&self, url: Url) -> Result<Value> {
        let request = self.request(Method::DELETE, url);
        json(self.send(request, Effect::Once).await?, Awaited::Change).await
    }

    /// Asks for the end of something; deleting what is gone is an error of the hub's choice.
    pub(super) async fn delete(&self, url: Url) -> Result<()> {
        self.have_done(self.request(Method::DELETE, url)).await
    }

    /// Asks for something that is the same when it is done twice. A hub that has done it need not say more.
    pub(super) async fn have_done(&self, request: RequestBuilder) -> Result<()> {
        let response = self.send(request, Effect::Repeatable).await?;
        if response.status() == StatusCode::NO_CONTENT {
            return Ok(());
        }
        json(response, Awaited::Change).await.map(drop)
    }

    /// A request with the token, where there is one; also where a hub does not look (contract 8.2).
    pub(super) fn request(&self, method: Method, url: Url) -> RequestBuilder {
        let request = self.http.request(method, url);
        match self.token() {
            Some(token) => request.bearer_auth(token.reveal()),
            None => request,
        }
    }

    /// Sends a request and takes a good status for an answer, anything else for a failure. A hub that has forgotten who
    /// signed in is signed in to again, once, where there are the means; what it refused it did not do.
    pub(super) async fn send(&self, request: RequestBuilder, effect: Effect) -> Result<Response> {
        let request = request
            .build()
            .map_err(|error| self.no_answer(&error, effect))?;
        let used = self.renewal.as_ref().map(|renewal| renewal.number());
        let again = used.and_then(|_| request.try_clone());
        let refused = match self.send_patiently(request, effect).await {
            Err(error) if error.kind == ErrorKind::Unauthorized => error,
            outcome => return outcome,
        };
        let (Some(renewal), Some(used), Some(mut again)) = (&self.renewal, used, again) else {
            return Err(refused);
        };
        renewal.renew(self, used, refused).await?;
        let used = renewal.number();
        if let Some(token) = self.token() {
            let bearer = format!("Bearer {}", token.reveal());
            let mut bearer = HeaderValue::try_from(bearer).map_err(|_| unusable_token())?;
            bearer.set_sensitive(true);
            again.headers_mut().insert(AUTHORIZATION, bearer);
        }
        let outcome = self.send_patiently(again, effect).await;
        if matches!(&outcome, Err(error) if error.kind == ErrorKind::Unauthorized) {
            renewal.give_up(used);
        }
        outcome
    }

    /// A hub that is busy and says for how long is waited for, where asking again is safe.
    async fn send_patiently(&self, mut request: Request, effect: Effect) -> Result<Response> {
        let mut patience = Patience::new();
        loop {
            let again = match effect {
                Effect::Repeatable => request.try_clone(),
                Effect::Once => None,
            };
            let error = match self.send_now(request, effect).await {
                Ok(response) => return Ok(response),
                Err(error) => error,
            };
            request = match again {
                Some(again) if patience.wait(error.retry).await => again,
                _ => return Err(error),
            };
        }
    }

    /// As [`post`](Self::post), as nobody: for signing in.
    pub(super) async fn post_as_nobody(&self, url: Url, body: &impl Serialize) -> Result<Value> {
        let request = self.http.post(url).json(body).build();
        let request = request.map_err(|error| self.no_answer(&error, Effect::Once))?;
        json(
            self.send_patiently(request, Effect::Once).await?,
            Awaited::News,
        )
        .await
    }

    /// As [`get`](Self::get), as nobody: whether the hub wants a sign-in at all.
    pub(super) async fn get_as_nobody(&self, url: Url) -> Result<Value> {
        let request = self.http.get(url).build();
        let request = request.map_err(|error| self.no_answer(&error, Effect::Repeatable))?;
        json(
            self.send_patiently(request, Effect::Repeatable).await?,
            Awaited::News,
        )
        .await
    }

    async fn send_now(&self, request: Request, effect: Effect) -> Result<Response> {
        let asked = format!("{} {}", request.method(), request.url().path());
        // Of what changes something, also if twice is the same as once, it is not known then whether it did.
        let when_lost = match *request.method() {
            Method::GET => effect,
            _ => Effect::Once,
        };
        self.note(&asked);
        let again = request.try_clone();
        let sent = match (self.http.execute(request).await, again) {
            (Err(error), Some(again))
                if effect == Effect::Repeatable
                    && !error.is_timeout()
                    && !error.is_builder()
                    && !certificate::is_refused(&error) =>
            {
                tracing::debug!(error = %chain(&error), "asking once more");
                self.http.execute(again).await
            }
            (sent, _) => sent,
        };
        let response = match sent {
            Ok(response) if response.status().is_success() => {
                self.hear_time(&response);
                return Ok(response);
            }
            sent => sent,
        };
        // Of several that are asked at the same time, the one that failed is worth knowing.
        self.note(&asked);
        let response = response.map_err(|error| self.no_answer(&error, when_lost))?;
        self.hear_time(&response);
        let status = response.status();
        if status.is_redirection() {
            return Err(redirected(&response));
        }
        let told = match status {
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                patience::seconds_told(response.headers())
            }
            _ => None,
        };
        // A failure that is longer than that is not told in words.
        let body = at_most(LONGEST_FAILURE, response).await;
        let body = body.ok().flatten().unwrap_or_default();
        let mut error = error::of_answer(status, &body);
        let proxy = self.proxy.as_ref();
        if let Some(said) = proxy.and_then(|proxy| proxy.answered(self.address(), status, &body)) {
            error = AppError {
                details: error.details,
                ..said
            };
        }
        if let Some(seconds) = told {
            error.retry = Retry::AfterSeconds(seconds);
        }
        if let Some(token) = self.token() {
            error = without(token.reveal(), error);
        }
        Err(error)
    }

    /// Notes what is asked, for the log.
    fn note(&self, asked: &str) {
        let mut last = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some(asked.to_owned());
    }

    /// Notes what the hub's clock says.
    fn hear_time(&self, response: &Response) {
        if let Some(said) = patience::date(response.headers(), DATE) {
            *self.time.lock().unwrap_or_else(PoisonError::into_inner) =
                Some((Instant::now(), said));
        }
    }

    /// Why there is no answer, and what that means for what was asked.
    fn no_answer(&self, failure: &reqwest::Error, effect: Effect) -> AppError {
        let details = chain(failure);
        let address = self.address();
        if let Some(error) = certificate::failure(failure, address) {
            return error;
        }
        let by_proxy = || {
            let proxy = self.proxy.as_ref().filter(|_| failure.is_connect());
            proxy.and_then(|proxy| proxy.no_connection(address, &details))
        };
        let error = if failure.is_builder() {
            AppError::new(
                ErrorKind::Invalid,
                words::failures::request_not_sent(),
                Retry::Never,
            )
        } else if let Some(error) = by_proxy() {
            error
        } else if failure.is_connect() {
            AppError::new(
                ErrorKind::Offline,
                words::failures::unreachable(address),
                Retry::Manual,
            )
            .with_hint(words::failures::unreachable_hint())
        } else if effect == Effect::Once {
            return outcome_unknown(details);
        } else {
            AppError::new(
                ErrorKind::Offline,
                words::failures::no_answer(address),
                Retry::Manual,
            )
            .with_hint(words::failures::nothing_changed())
        };
        error.with_details(details)
    }
}

/// An answer that points elsewhere, where nobody goes. Only the host is named: the rest may hold what is asked for.
fn redirected(response: &Response) -> AppError {
    let target = response.headers().get(LOCATION);
    let target = target.and_then(|target| response.url().join(target.to_str().ok()?).ok());
    let message = match target.as_ref().map(|target| target.origin()) {
        Some(origin) if origin.is_tuple() => {
            words::failures::redirected_to(origin.ascii_serialization())
        }
        _ => words::failures::redirected().to_owned(),
    };
    AppError::new(ErrorKind::Invalid, message, Retry::Never)
        .with_hint(words::failures::redirected_hint())
        .with_details(format!("HTTP {}", response.status()))
}

fn unusable_token() -> AppError {
    AppError::new(
        ErrorKind::Unauthorized,
        words::failures::token_unusable(),
        Retry::AfterSignIn,
    )
}

/// Whether an answer was awaited to know something, or to know that something was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaited {
    News,
    Change,
}

/// Reads an answer that is due to be JSON and to be good news.
async fn json(response: Response, awaited: Awaited) -> Result<Value> {
    let body = answer(response, awaited).await?;
    let value = any_json(&body)?;
    // Deployed hubs tell some failures with a good status (contract 8.5).
    if value["success"] == Value::Bool(false) {
        return Err(error::of_answer(StatusCode::INTERNAL_SERVER_ERROR, &body));
    }
    Ok(value)
}

fn any_json(body: &[u8]) -> Result<Value> {
    serde_json::from_slice(body).map_err(|error| {
        AppError::new(
            ErrorKind::Internal,
            words::failures::not_a_hub(),
            Retry::Never,
        )
        .with_details(error.to_string())
    })
}

/// Reads an answer that has something in it to its end. Where that fails after a change, nobody knows whether it was
/// made.
async fn answer(response: Response, awaited: Awaited) -> Result<Vec<u8>> {
    let body = whole(response).await;
    match (body, awaited) {
        (Err(error), Awaited::Change) if error.kind == ErrorKind::Cut => {
            Err(outcome_unknown(error.details.unwrap_or_default()))
        }
        // Deployed hubs do that when they cannot encode an answer (contract H18).
        (Ok(body), Awaited::News) if body.is_empty() => Err(AppError::new(
            ErrorKind::Internal,
            words::failures::answer_empty(),
            Retry::Manual,
        )
        .with_hint(words::failures::answer_empty_hint())),
        (Ok(body), Awaited::Change) if body.is_empty() => {
            Err(outcome_unknown(words::failures::answer_empty()))
        }
        (body, _) => body,
    }
}

/// A change was asked for, and what came of it could not be looked up.
pub(super) fn unseen(error: &AppError) -> AppError {
    outcome_unknown(error.details.as_deref().unwrap_or(&error.message))
}

fn outcome_unknown(details: impl Into<String>) -> AppError {
    AppError::new(
        ErrorKind::OutcomeUnknown,
        words::failures::outcome_unknown(),
        Retry::Never,
    )
    .with_hint(words::failures::outcome_unknown_hint())
    .with_details(details)
}

/// Reads a body to its end, if it has one.
async fn whole(response: Response) -> Result<Vec<u8>> {
    at_most(LARGEST_JSON_BYTES, response).await?.ok_or_else(|| {
        AppError::new(
            ErrorKind::Unsupported,
            words::failures::answer_too_large(),
            Retry::Never,
        )
    })
}

/// Reads a body that is not longer than that.
async fn at_most(limit: usize, mut response: Response) -> Result<Option<Vec<u8>>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| cut(&error))? {
        body.extend_from_slice(&chunk);
        if body.len() > limit {
            return Ok(None);
        }
    }
    Ok(Some(body))
}

/// The connection broke in the middle of an answer.
pub(crate) fn cut(error: &reqwest::Error) -> AppError {
    AppError::new(
        ErrorKind::Cut,
        words::failures::connection_cut(),
        Retry::Manual,
    )
    .with_hint(words::failures::connection_cut_hint())
    .with_details(chain(error))
}

/// An error with its reasons, without the address, which may hold file names.
pub(super) fn chain(error: &reqwest::Error) -> String {
    let mut text = String::new();
    let mut source = error.source();
    while let Some(reason) = source {
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&reason.to_string());
        source = reason.source();
    }
    if text.is_empty() {
        error.to_string()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use sendense_types::RepositoryPlace;
    use tokio::time::{Instant, advance};
    use tokio_util::task::AbortOnDropHandle;

    use super::*;
    use crate::testing::{FakeHub, StoppedClock, json, settle};

    const BUSY: &str = r#"{"error":"too many downloads are running on this hub"}"#;
    const NO_VMS: &str = r#"{"vm_contexts":[]}"#;

    /// A hub that is busy for so many questions and says until when.
    async fn busy(mut times: u32, status: u16, retry_after: &'static str) -> (FakeHub, HubClient) {
        let hub = FakeHub::start(move |_| {
            if times == 0 {
                return json(200, "", NO_VMS);
            }
            times -= 1;
            json(status, retry_after, BUSY)
        })
        .await;
        let client = HubClient::new(&hub.address, None).unwrap();
        (hub, client)
    }

    fn ask_for_vms(client: &HubClient) -> AbortOnDropHandle<Result<Vec<sendense_types::Vm>>> {
        let client = client.clone();
        AbortOnDropHandle::new(tokio::spawn(async move { client.vms().await }))
    }

    #[tokio::test]
    async fn a_busy_hub_is_asked_again_when_it_says_and_not_before() {
        for status in [429, 503] {
            let clock = StoppedClock::new();
            let (hub, client) = busy(1, status, "retry-after: 7\r\n").await;
            let began = Instant::now();
            let asking = ask_for_vms(&client);
            hub.asked_times(1).await;
            settle().await;
            advance(Duration::from_millis(6_900)).await;
            settle().await;
            assert_eq!(hub.asked().len(), 1, "it said 7 seconds");
            advance(Duration::from_millis(200)).await;
            assert_eq!(asking.await.unwrap().unwrap(), []);
            assert_eq!(hub.asked().len(), 2);
            assert!(began.elapsed() < Duration::from_secs(8));
            drop(clock);
            tokio::time::resume();
        }
    }

    #[tokio::test]
    async fn a_hub_that_stays_busy_is_given_up_with_its_number() {
        let _clock = StoppedClock::new();
        let (hub, client) = busy(100, 503, "retry-after: 2\r\n").await;
        let asking = ask_for_vms(&client);
        for times in 1..=4 {
            hub.asked_times(times).await;
            settle().await;
            // Timers are rounded up to a millisecond.
            advance(Duration::from_millis(2_100)).await;
        }
        let error = asking.await.unwrap().unwrap_err();
        assert_eq!(hub.asked().len(), 4);
        assert_eq!(error.retry, Retry::AfterSeconds(2), "{error:?}");
    }

    #[tokio::test]
    async fn what_is_too_long_to_wait_for_is_left_to_the_user() {
        let (hub, client) = busy(1, 503, "retry-after: 3600\r\n").await;
        let error = client.vms().await.unwrap_err();
        assert_eq!(error.retry, Retry::AfterSeconds(3600), "{error:?}");
        assert_eq!(hub.asked().len(), 1);
    }

    #[tokio::test]
    async fn what_changes_something_is_not_repeated_but_says_when() {
        let (hub, client) = busy(1, 429, "retry-after: 1\r\n").await;
        let place = RepositoryPlace::folder("/x");
        let error = client.create_repository("x", &place).await.unwrap_err();
        assert_eq!(error.retry, Retry::AfterSeconds(1), "{error:?}");
        let error = client.sign_in("ada", "horse").await.unwrap_err();
        assert_eq!(hub.asked().len(), 2, "{error:?}");
    }

    #[tokio::test]
    async fn nobody_asks_again_for_one_who_has_gone() {
        let _clock = StoppedClock::new();
        let (hub, client) = busy(1, 503, "retry-after: 7\r\n").await;
        let asking = ask_for_vms(&client);
        hub.asked_times(1).await;
        settle().await;
        drop(asking);
        advance(Duration::from_secs(60)).await;
        settle().await;
        assert_eq!(hub.asked().len(), 1);
    }
}
