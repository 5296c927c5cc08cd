//! What to do where there is nothing yet.

use yew::prelude::*;

use super::{Icon, Picture};

#[derive(Clone, PartialEq, Properties)]
pub(crate) struct EmptyStateProps {
    pub(crate) picture: Picture,
    pub(crate) title: AttrValue,
    pub(crate) text: AttrValue,
    /// Buttons.
    #[prop_or_default]
    pub(crate) children: Html,
}

/// A calm page that says why it is empty and what comes next.
#[component]
pub(crate) fn EmptyState(props: &EmptyStateProps) -> Html {
    html! {
        <section class="empty-state">
            <span class="empty-state__picture"><Icon picture={props.picture} /></span>
            <h2>{ &props.title }</h2>
            <p>{ &props.text }</p>
            <div class="empty-state__actions">{ props.children.clone() }</div>
        </section>
    }
}
