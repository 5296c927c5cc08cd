//! Messages in the corner: good ones go by themselves, failures stay until they are dismissed.

use gloo_timers::callback::Timeout;
use sendense_types::Place;
use sendense_words as words;
use yew::prelude::*;

use super::{Picture, icon};
use crate::dom;
use crate::state::app::{Toast, Tone};

/// How long a good message stays.
const GOOD_FOR_MS: u32 = 6_000;

#[derive(Clone, PartialEq, Properties)]
pub(crate) struct ToastsProps {
    pub(crate) toasts: Vec<Toast>,
    pub(crate) on_dismiss: Callback<u32>,
    pub(crate) on_show: Callback<Place>,
}

/// All messages, newest last.
#[component]
pub(crate) fn Toasts(props: &ToastsProps) -> Html {
    let node = use_node_ref();
    {
        let node = node.clone();
        use_effect_with(props.toasts.clone(), move |toasts| {
            dom::set_covered(&node, toasts.is_empty());
        });
    }
    html! {
        <div class="toasts" role="status" aria-live="polite" ref={node}>
            for toast in props.toasts.clone() {
                <OneToast
                    key={toast.id} toast={toast.clone()}
                    on_dismiss={props.on_dismiss.clone()} on_show={props.on_show.clone()}
                />
            }
        </div>
    }
}

#[derive(Clone, PartialEq, Properties)]
struct OneToastProps {
    toast: Toast,
    on_dismiss: Callback<u32>,
    on_show: Callback<Place>,
}

#[component]
fn OneToast(props: &OneToastProps) -> Html {
    let Toast {
        id,
        tone,
        title,
        text,
        place,
    } = &props.toast;
    {
        let (id, tone, on_dismiss) = (*id, *tone, props.on_dismiss.clone());
        use_effect_with((), move |()| {
            let timer = (tone == Tone::Good)
                .then(|| Timeout::new(GOOD_FOR_MS, move || on_dismiss.emit(id)));
            move || drop(timer)
        });
    }
    let (class, picture) = match tone {
        Tone::Good => ("is-ok", Picture::Check),
        Tone::Warning => ("is-warn", Picture::Warning),
        Tone::Bad => ("is-bad", Picture::Cross),
    };
    let dismiss = {
        let (id, on_dismiss) = (*id, props.on_dismiss.clone());
        Callback::from(move |_: MouseEvent| on_dismiss.emit(id))
    };
    let button = place.clone().map(|(word, place)| {
        let (id, on_show, on_dismiss) = (*id, props.on_show.clone(), props.on_dismiss.clone());
        let onclick = Callback::from(move |_: MouseEvent| {
            on_show.emit(place.clone());
            on_dismiss.emit(id);
        });
        html! { <button class="button is-small" type="button" {onclick}>{ word }</button> }
    });
    html! {
        <div class={classes!("toast", class)}>
            { icon(picture) }
            <div class="toast__text">
                <strong>{ title }</strong>
                if !text.is_empty() {
                    <p>{ text }</p>
                }
                { button }
            </div>
            <button class="button is-quiet is-icon" type="button" aria-label={words::frame::dismiss()} onclick={dismiss}>
                { icon(Picture::Close) }
            </button>
        </div>
    }
}
