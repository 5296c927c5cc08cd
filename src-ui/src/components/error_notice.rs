//! An error as the user reads it: what happened, what to do, the other side's words in a fold.

use sendense_types::{AppError, Retry};
use yew::prelude::*;

use super::{Icon, Picture};

#[derive(Clone, PartialEq, Properties)]
pub(crate) struct ErrorNoticeProps {
    pub(crate) error: AppError,
    /// Tries again, where that makes sense.
    #[prop_or_default]
    pub(crate) on_retry: Option<Callback<()>>,
    /// Further buttons.
    #[prop_or_default]
    pub(crate) children: Html,
}

/// An error, wherever one is shown.
#[component]
pub(crate) fn ErrorNotice(props: &ErrorNoticeProps) -> Html {
    let ErrorNoticeProps {
        error,
        on_retry,
        children,
    } = props;
    let retry = on_retry
        .as_ref()
        .filter(|_| error.retry != Retry::Never)
        .map(|retry| retry.reform(|_: MouseEvent| ()));
    html! {
        <div class="error-notice" role="alert">
            <Icon picture={Picture::Warning} />
            <div class="error-notice__text">
                <strong>{ &error.message }</strong>
                if let Some(hint) = &error.hint {
                    <p>{ hint }</p>
                }
                if let Some(details) = &error.details {
                    <details>
                        <summary>{ "Details" }</summary>
                        <pre>{ details }</pre>
                    </details>
                }
            </div>
            if let Some(onclick) = retry {
                <button class="button" type="button" {onclick}>{ "Retry" }</button>
            }
            { children.clone() }
        </div>
    }
}

#[cfg(test)]
mod tests {
    use sendense_types::ErrorKind;

    use super::*;

    async fn shown(error: AppError) -> String {
        yew::LocalServerRenderer::<ErrorNotice>::with_props(ErrorNoticeProps {
            error,
            on_retry: Some(Callback::noop()),
            children: Html::default(),
        })
        .hydratable(false)
        .render()
        .await
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
