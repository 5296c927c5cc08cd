//! Sizes and times, short on the page and exact under the pointer.

use jiff::Timestamp;
use sendense_types::{ByteSize, Units};
use sendense_words as words;
use yew::prelude::*;

use crate::format;

#[derive(Clone, PartialEq, Properties)]
pub(crate) struct SizeProps {
    /// `None` is shown as a dash.
    pub(crate) bytes: Option<u64>,
}

/// A number of bytes in the units of the settings.
#[component]
pub(crate) fn Size(props: &SizeProps) -> Html {
    let units = use_context::<Units>().unwrap_or_default();
    match props.bytes {
        Some(bytes) => html! {
            <span class="num" title={words::browser::bytes(bytes)}>{ ByteSize(bytes).in_units(units) }</span>
        },
        None => html! { <span class="num">{ "–" }</span> },
    }
}

/// How long ago something was; `None` is shown as "never".
pub(crate) fn ago(time: Option<Timestamp>) -> Html {
    match time {
        Some(time) => html! {
            <span class="num" title={format::date(time)}>{ format::ago(time) }</span>
        },
        None => html! { <span>{ words::common::never() }</span> },
    }
}
