//! A real dialog: the focus stays in it, Esc closes it, Enter is the main action.

use sendense_words as words;
use web_sys::HtmlDialogElement;
use yew::prelude::*;

#[derive(Clone, PartialEq, Properties)]
pub(crate) struct DialogProps {
    pub(crate) title: AttrValue,
    /// The main button's word.
    pub(crate) action: AttrValue,
    /// The main button was pressed.
    pub(crate) on_action: Callback<()>,
    /// It was closed without.
    pub(crate) on_close: Callback<()>,
    /// The main button cannot be pressed, for a reason that is to be seen in the dialog.
    #[prop_or_default]
    pub(crate) is_blocked: bool,
    /// The main action runs.
    #[prop_or_default]
    pub(crate) is_busy: bool,
    /// The word of the button that closes.
    #[prop_or_else(|| words::common::cancel().into())]
    pub(crate) cancel: AttrValue,
    pub(crate) children: Html,
}

/// A dialog over the page.
#[component]
pub(crate) fn Dialog(props: &DialogProps) -> Html {
    let node = use_node_ref();
    {
        let node = node.clone();
        use_effect_with((), move |()| {
            let dialog = node.cast::<HtmlDialogElement>();
            if let Some(dialog) = &dialog {
                // It fails for a dialog that is open already, which is what was wanted.
                drop(dialog.show_modal());
            }
            move || {
                // Before it is taken away, so that the focus goes back to where it came from.
                if let Some(dialog) = dialog {
                    dialog.close();
                }
            }
        });
    }
    let onsubmit = {
        let on_action = props.on_action.clone();
        let is_open = !props.is_blocked && !props.is_busy;
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            if is_open {
                on_action.emit(());
            }
        })
    };
    let oncancel = {
        let on_close = props.on_close.clone();
        Callback::from(move |event: Event| {
            // The page takes it away; the browser must not.
            event.prevent_default();
            on_close.emit(());
        })
    };
    let onclick = props.on_close.reform(|_: MouseEvent| ());
    html! {
        <dialog class="dialog" ref={node} {oncancel} aria-label={props.title.clone()}>
            <form method="dialog" {onsubmit}>
                <h2>{ &props.title }</h2>
                <div class="dialog__body">{ props.children.clone() }</div>
                <footer>
                    <button class="button" type="button" {onclick}>{ &props.cancel }</button>
                    <button
                        class="button is-primary" type="submit"
                        disabled={props.is_blocked || props.is_busy} aria-busy={props.is_busy.to_string()}
                    >
                        { &props.action }
                    </button>
                </footer>
            </form>
        </dialog>
    }
}
