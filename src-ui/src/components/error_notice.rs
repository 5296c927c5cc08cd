//! An error as the user reads it: what happened, what to do, the other side's words in a fold.

use sendense_types::{AppError, Retry};
use sendense_words as words;
use yew::prelude::*;

use super::{Picture, icon};

/// An error, wherever one is shown; with a way to try again where that makes sense.
pub(crate) fn error_notice(error: &AppError, on_retry: Option<&Callback<()>>) -> Html {
    let retry = on_retry.filter(|_| error.retry != Retry::Never);
    let button = retry.map(|retry| {
        let onclick = retry.reform(|_: MouseEvent| ());
        html! { <button class="button" type="button" {onclick}>{ words::common::retry() }</button> }
    });
    error_notice_with(error, button.unwrap_or_default())
}

/// An error with a button of its own.
pub(crate) fn error_notice_with(error: &AppError, button: Html) -> Html {
    html! {
        <div class="error-notice" role="alert">
            { icon(Picture::Warning) }
            <div class="error-notice__text">
                <strong>{ &error.message }</strong>
                if let Some(hint) = &error.hint {
                    <p>{ hint }</p>
                }
                if let Some(details) = &error.details {
                    <details>
                        <summary>{ words::common::details() }</summary>
                        <pre>{ details }</pre>
                    </details>
                }
            </div>
            { button }
        </div>
    }
}

/// Several, one below the other.
pub(crate) fn error_notices<'a>(
    errors: impl IntoIterator<Item = &'a AppError>,
    on_retry: Option<&Callback<()>>,
) -> Html {
    let notices = errors
        .into_iter()
        .map(|error| error_notice(error, on_retry));
    notices.collect()
}

#[cfg(test)]
mod tests {
    use sendense_types::ErrorKind;

    use super::*;
    use crate::testing;

    async fn shown(error: AppError) -> String {
        testing::shown(error_notice(&error, Some(&Callback::noop()))).await
    }

    #[tokio::test(flavor = "current_thread")]
    async fn an_error_says_what_to_do_and_keeps_the_hubs_words_in_a_fold() {
        let error = AppError::new(
            ErrorKind::Offline,
            "The hub cannot be reached.",
            Retry::Manual,
        )
        .with_hint("Check that it is running.")
        .with_details("connection refused <b>");
        insta::assert_snapshot!(shown(error).await);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn no_retry_is_offered_where_it_would_fail_again() {
        let error = AppError::new(
            ErrorKind::Unsupported,
            "This hub cannot do that.",
            Retry::Never,
        );
        assert!(!shown(error).await.contains("Retry"));
    }
}
