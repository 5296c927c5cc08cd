//! What to do where there is nothing yet.

use yew::prelude::*;

use super::{Picture, icon};

/// A calm page that says why it is empty, and with which buttons it goes on.
pub(crate) fn empty_state(
    picture: Picture,
    title: &'static str,
    text: &'static str,
    buttons: Html,
) -> Html {
    html! {
        <section class="empty-state">
            <span class="empty-state__picture">{ icon(picture) }</span>
            <h2>{ title }</h2>
            <p>{ text }</p>
            <div class="empty-state__actions">{ buttons }</div>
        </section>
    }
}
