//! Sending requests and reading answers, and what it means when there is none.

use std::error::Error as _;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::{Client, Method, RequestBuilder, Response, Url, redirect};
use sendense_types::{AppError, ErrorKind, Retry};
use serde::Serialize;
use serde_json::Value;

use super::{HubClient, address, error};
use crate::Result;

/// Deployed hubs work on while a client waits (contract H1), so only silence ends a request.
const SILENCE: Duration = Duration::from_secs(90);
const CONNECT: Duration = Duration::from_secs(10);
/// Deployed hubs close idle connections after a minute; one that is stale looks like a crash of the
/// hub (contract 2.1).
const POOL_IDLE: Duration = Duration::from_secs(30);
/// Folders with a million entries fit; a hub that never stops talking does not.
const LARGEST_JSON_BYTES: usize = 512 * 1024 * 1024;

/// HTTP writes its dates as mail does.
const DATE: DateTimeParser = DateTimeParser::new();

/// The HTTP client for one hub.
pub(super) fn http_client(base: &Url) -> Result<Client> {
    let mut builder = Client::builder()
        .user_agent(concat!("sendense/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT)
        .read_timeout(SILENCE)
        .pool_idle_timeout(POOL_IDLE)
        .tcp_nodelay(true)
        .http1_only()
        // Hubs do not redirect; following one would send the token to who knows where.
        .redirect(redirect::Policy::none());
    if address::is_loopback(base) {
        builder = builder.no_proxy();
    }
    builder.build().map_err(|error| {
        AppError::new(
            ErrorKind::Internal,
            "This computer's network or certificate settings cannot be used.",
            Retry::Never,
        )
        .with_details(chain(&error))
    })
}

/// What a request does on the hub, which decides what a missing answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// It only reads, or does the same when done twice: it is tried once more when the connection breaks.
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
        json(self.send(request, Effect::Repeatable).await?).await
    }

    /// Sends JSON, for an answer in JSON.
    pub(super) async fn post(
        &self,
        url: Url,
        body: &impl Serialize,
        effect: Effect,
    ) -> Result<Value> {
        let request = self.request(Method::POST, url).json(body);
        json(self.send(request, effect).await?).await
    }

    /// Puts JSON in a place, where twice is the same as once.
    pub(super) async fn put(&self, url: Url, body: &impl Serialize) -> Result<Value> {
        let request = self.request(Method::PUT, url).json(body);
        json(self.send(request, Effect::Repeatable).await?).await
    }

    /// Asks for the end of something once, for an answer in JSON.
    pub(super) async fn delete_for_answer(&self, url: Url) -> Result<Value> {
        let request = self.request(Method::DELETE, url);
        json(self.send(request, Effect::Once).await?).await
    }

    /// Asks for the end of something; deleting what is gone is an error of the hub's choice.
    pub(super) async fn delete(&self, url: Url) -> Result<()> {
        let request = self.request(Method::DELETE, url);
        self.send(request, Effect::Repeatable).await.map(drop)
    }

    /// A request with the token, where there is one; also where a hub does not look (contract 8.2).
    pub(super) fn request(&self, method: Method, url: Url) -> RequestBuilder {
        let request = self.http.request(method, url);
        match &self.token {
            Some(token) => request.bearer_auth(token.reveal()),
            None => request,
        }
    }

    /// Sends a request and takes a good status for an answer, anything else for a failure.
    pub(super) async fn send(&self, request: RequestBuilder, effect: Effect) -> Result<Response> {
        let again = request.try_clone();
        let sent = match (request.send().await, again) {
            (Err(error), Some(again))
                if effect == Effect::Repeatable && !error.is_timeout() && !error.is_builder() =>
            {
                tracing::debug!(error = %chain(&error), "asking once more");
                again.send().await
            }
            (sent, _) => sent,
        };
        let response = sent.map_err(|error| self.no_answer(&error, effect))?;
        self.hear_time(&response);
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let body = whole(response).await.unwrap_or_default();
        Err(error::of_answer(status, &body))
    }

    /// Notes what the hub's clock says.
    fn hear_time(&self, response: &Response) {
        let said = response
            .headers()
            .get(reqwest::header::DATE)
            .and_then(|date| date.to_str().ok())
            .and_then(|date| DATE.parse_timestamp(date).ok());
        if let Some(said) = said {
            *self.time.lock().unwrap_or_else(PoisonError::into_inner) =
                Some((Instant::now(), said));
        }
    }

    /// Why there is no answer, and what that means for what was asked.
    fn no_answer(&self, failure: &reqwest::Error, effect: Effect) -> AppError {
        let details = chain(failure);
        let address = self.address();
        let lower = details.to_lowercase();
        let error = if failure.is_builder() {
            AppError::new(
                ErrorKind::Invalid,
                "This request cannot be sent to a hub.",
                Retry::Never,
            )
        } else if lower.contains("certificate") {
            AppError::new(
                ErrorKind::Untrusted,
                format!("The certificate of the hub at {address} is not trusted."),
                Retry::Never,
            )
            .with_hint("Ask who runs the hub for the certificate of its authority.")
        } else if failure.is_connect() {
            AppError::new(
                ErrorKind::Offline,
                format!("The hub at {address} cannot be reached."),
                Retry::Manual,
            )
            .with_hint("Check that it is running and that the address is right.")
        } else if effect == Effect::Once {
            AppError::new(
                ErrorKind::OutcomeUnknown,
                "The hub closed the connection before it answered.",
                Retry::Never,
            )
            .with_hint("It may have done what it was asked: look before you try again.")
        } else {
            AppError::new(
                ErrorKind::Offline,
                format!("The hub at {address} does not answer."),
                Retry::Manual,
            )
            .with_hint("Nothing was changed.")
        };
        error.with_details(details)
    }
}

/// Reads an answer that is due to be JSON.
async fn json(response: Response) -> Result<Value> {
    let body = whole(response).await?;
    if body.is_empty() {
        // Deployed hubs do that when they cannot encode an answer (contract H18).
        return Err(AppError::new(
            ErrorKind::Internal,
            "The hub sent an empty answer.",
            Retry::Manual,
        )
        .with_hint("It may be unable to put this into words; other folders may work."));
    }
    let value: Value = serde_json::from_slice(&body).map_err(|error| {
        AppError::new(
            ErrorKind::Internal,
            "This does not answer like a hub.",
            Retry::Never,
        )
        .with_details(error.to_string())
    })?;
    // Deployed hubs tell some failures with a good status (contract 8.5).
    if value["success"] == Value::Bool(false) {
        return Err(error::of_answer(
            reqwest::StatusCode::INTERNAL_SERVER_ERROR,
            &body,
        ));
    }
    Ok(value)
}

/// Reads a body to its end, if it has one.
async fn whole(mut response: Response) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| cut(&error))? {
        body.extend_from_slice(&chunk);
        if body.len() > LARGEST_JSON_BYTES {
            return Err(AppError::new(
                ErrorKind::Unsupported,
                "The hub's answer is too large.",
                Retry::Never,
            ));
        }
    }
    Ok(body)
}

/// The connection broke in the middle of an answer.
pub(crate) fn cut(error: &reqwest::Error) -> AppError {
    AppError::new(
        ErrorKind::Cut,
        "The connection to the hub broke before everything had arrived.",
        Retry::Manual,
    )
    .with_hint("What arrived is incomplete and was not kept.")
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
