//! A progress bar. Drawn as SVG, because its width may not be a style attribute here.

use yew::prelude::*;

#[derive(Clone, PartialEq, Properties)]
pub(crate) struct BarProps {
    /// 0 to 100; `None` while nobody knows.
    pub(crate) percent: Option<f64>,
    /// What is progressing.
    pub(crate) label: AttrValue,
    #[prop_or_default]
    pub(crate) is_done: bool,
}

/// How far something is.
#[component]
pub(crate) fn Bar(props: &BarProps) -> Html {
    let percent = props.percent.map(|percent| percent.clamp(0.0, 100.0));
    let width = percent.unwrap_or(0.0);
    html! {
        <svg
            class={classes!("bar", props.is_done.then_some("is-done"), percent.is_none().then_some("is-vague"))}
            viewBox="0 0 100 6" preserveAspectRatio="none" role="progressbar"
            aria-label={props.label.clone()} aria-valuemin="0" aria-valuemax="100"
            aria-valuenow={percent.map(|percent| format!("{percent:.0}"))}
        >
            <rect class="bar__done" x="0" y="0" height="6" width={format!("{width:.2}")} />
        </svg>
    }
}
