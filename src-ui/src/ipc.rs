//! The way to the shell: typed questions, and one event for news.

use sendense_types::commands::Command;
use sendense_types::{AppError, AppEvent, ErrorKind, Retry};
use sendense_words as words;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;

/// The event the shell sends.
const EVENT: &str = "app-event";

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(catch, js_namespace = ["window", "__TAURI__", "core"])]
    async fn invoke(command: &str, arguments: JsValue) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(catch, js_namespace = ["window", "__TAURI__", "event"])]
    async fn listen(event: &str, handler: &JsValue) -> Result<JsValue, JsValue>;
}

/// A request as it goes over to the shell, whatever its type: what is done with all of them is there only once,
/// or it would be a fifth of the module.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Question {
    command: &'static str,
    /// In JSON.
    request: Result<String, AppError>,
}

impl Question {
    pub(crate) fn new<C: Command>(request: &C) -> Self {
        Self {
            command: C::NAME,
            request: serde_json::to_string(request).map_err(|error| misunderstood(C::NAME, &error)),
        }
    }
}

/// Asks the shell and hands the answer to `then`, in JSON.
pub(crate) fn ask(question: Question, then: Box<dyn FnOnce(Result<String, AppError>)>) {
    spawn_local(async move {
        then(match question.request {
            Ok(request) => invoke_text(question.command, request).await,
            Err(error) => Err(error),
        });
    });
}

/// What an answer in JSON says.
pub(crate) fn read<C: Command>(answer: &str) -> Result<C::Reply, AppError> {
    serde_json::from_str(answer).map_err(|error| misunderstood(C::NAME, &error))
}

/// Asks the shell and hands the answer to `then`.
pub(crate) fn send<C: Command>(
    request: &C,
    then: impl FnOnce(Result<C::Reply, AppError>) + 'static,
) {
    let then =
        move |answer: Result<String, AppError>| then(answer.and_then(|text| read::<C>(&text)));
    ask(Question::new(request), Box::new(then));
}

/// Asks in JSON text both ways.
async fn invoke_text(command: &'static str, request: String) -> Result<String, AppError> {
    let arguments = js_sys::JSON::parse(&format!("{{\"request\":{request}}}"))
        .map_err(|error| misunderstood(command, &format!("{error:?}")))?;
    match invoke(command, arguments).await {
        Ok(reply) => Ok(text_of(&reply)),
        Err(refusal) => Err(serde_json::from_str(&text_of(&refusal))
            .unwrap_or_else(|_| misunderstood(command, &text_of(&refusal)))),
    }
}

/// A value of the page as JSON text; what has none is nothing.
fn text_of(value: &JsValue) -> String {
    let text = js_sys::JSON::stringify(value).ok();
    text.and_then(|text| text.as_string())
        .unwrap_or_else(|| "null".to_owned())
}

/// Hears the core's news as long as the page lives; `then` learns when that has begun.
pub(crate) fn follow_news(
    mut told: impl FnMut(AppEvent) + 'static,
    then: impl FnOnce(Result<(), AppError>) + 'static,
) {
    let heard = Closure::<dyn FnMut(JsValue)>::new(move |message: JsValue| {
        let payload = js_sys::Reflect::get(&message, &JsValue::from_str("payload"));
        let event = payload.map(|payload| serde_json::from_str(&text_of(&payload)));
        if let Ok(Ok(event)) = event {
            told(event);
        }
    });
    // The page and its news end together, so that nobody has to take the closure back.
    let heard = heard.into_js_value();
    spawn_local(async move {
        let listening = listen(EVENT, &heard).await;
        then(
            listening
                .map(drop)
                .map_err(|error| misunderstood(EVENT, &format!("{error:?}"))),
        );
    });
}

/// A failure of the way itself, which no user can mend.
fn misunderstood(what: &str, details: &dyn std::fmt::Display) -> AppError {
    AppError::new(
        ErrorKind::Internal,
        words::frame::versions_differ(),
        Retry::Manual,
    )
    .with_hint(words::frame::versions_differ_hint())
    .with_details(format!("{what}: {details}"))
}
