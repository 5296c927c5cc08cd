//! What a user has to know about a folder besides its rows: what is damaged in it, and what else is on the disk.

use sendense_words as words;
use yew::prelude::*;

use crate::components::{Picture, icon};

/// What could not be read in a folder, and what is on the disk but not shown, one sentence each.
pub(super) fn remarks(damage: &[String], passed_over: &[String]) -> Html {
    html! {
        <>
        if !damage.is_empty() {
            <div class="error-notice" role="alert">
                { icon(Picture::Warning) }
                <div class="error-notice__text">
                    <strong>{ words::browser::damaged() }</strong>
                    { sentences(damage) }
                    <p>{ words::browser::damaged_hint() }</p>
                </div>
            </div>
        }
        if !passed_over.is_empty() {
            <details class="remarks">
                <summary>{ words::browser::passed_over() }</summary>
                { sentences(passed_over) }
            </details>
        }
        </>
    }
}

fn sentences(sentences: &[String]) -> Html {
    html! {
        <ul>{ for sentences.iter().map(|sentence| html! { <li>{ sentence }</li> }) }</ul>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    async fn shown(damage: &[&str], passed_over: &[&str]) -> String {
        let owned = |sentences: &[&str]| -> Vec<String> {
            sentences.iter().map(|&it| it.to_owned()).collect()
        };
        testing::shown(remarks(&owned(damage), &owned(passed_over))).await
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_sound_folder_has_no_remarks() {
        assert!(!shown(&[], &[]).await.contains("class"));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn damage_is_an_alert_and_what_was_passed_over_is_not() {
        let damaged = shown(&["two names are missing"], &[]).await;
        assert!(
            damaged.contains("role=\"alert\"") && damaged.contains("two names are missing"),
            "{damaged}"
        );
        let other = shown(&[], &["an older GPT"]).await;
        assert!(
            !other.contains("alert") && other.contains("an older GPT"),
            "{other}"
        );
    }
}
