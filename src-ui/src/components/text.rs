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
    /// Whether it is known only about.
    #[prop_or_default]
    pub(crate) is_rounded: bool,
}

/// A number of bytes in the units of the settings.
#[component]
pub(crate) fn Size(props: &SizeProps) -> Html {
    let units = use_context::<Units>().unwrap_or_default();
    match props.bytes {
        Some(bytes) if props.is_rounded => html! {
            <span class="num">{ words::common::about(ByteSize(bytes).in_units(units)) }</span>
        },
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Contract H27.
    #[tokio::test]
    async fn a_size_that_a_hub_has_rounded_is_not_shown_as_if_it_were_exact() {
        let shown = async |is_rounded| {
            let bytes = Some(5 << 30);
            let props = SizeProps { bytes, is_rounded };
            let shown = yew::LocalServerRenderer::<Size>::with_props(props);
            shown.hydratable(false).render().await
        };
        assert_eq!(
            shown(true).await,
            r#"<span class="num">about 5.00 GiB</span>"#
        );
        assert!(shown(false).await.contains("5368709120 bytes"));
    }
}
