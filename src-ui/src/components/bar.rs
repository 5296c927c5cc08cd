//! A progress bar. Drawn as SVG, because its width may not be a style attribute here.

use yew::prelude::*;

/// How far something is, 0 to 100; `None` while nobody knows. The tone is empty, `is-done`, `is-warn` or `is-bad`.
pub(crate) fn bar(percent: Option<f64>, label: impl Into<AttrValue>, tone: &'static str) -> Html {
    let percent = percent.map(|percent| percent.clamp(0.0, 100.0));
    let vague = percent.is_none().then_some("is-vague");
    html! {
        <svg
            class={classes!("bar", Some(tone).filter(|tone| !tone.is_empty()), vague)} viewBox="0 0 100 6"
            preserveAspectRatio="none" role="progressbar" aria-label={label.into()} aria-valuemin="0" aria-valuemax="100"
            aria-valuenow={percent.map(|percent| format!("{percent:.0}"))}
        >
            <rect class="bar__done" x="0" y="0" height="6" width={format!("{:.2}", percent.unwrap_or(0.0))} />
        </svg>
    }
}
