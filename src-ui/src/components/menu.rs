//! What can be done with a row beside its buttons.

use yew::prelude::*;

/// One entry of a menu.
#[derive(Clone, PartialEq)]
pub(crate) struct MenuItem {
    pub(crate) text: AttrValue,
    /// Why it cannot be chosen; empty where it can.
    pub(crate) hindrance: AttrValue,
    pub(crate) on_choose: Callback<()>,
}

#[derive(Clone, PartialEq, Properties)]
pub(crate) struct MenuProps {
    /// What the button is for, for who does not see where it stands.
    pub(crate) label: AttrValue,
    pub(crate) items: Vec<MenuItem>,
}

/// A button that opens a menu below it. Esc closes it, and so does a choice.
#[component]
pub(crate) fn Menu(props: &MenuProps) -> Html {
    let is_open = use_state(|| false);
    let toggle = {
        let is_open = is_open.clone();
        Callback::from(move |_: MouseEvent| is_open.set(!*is_open))
    };
    let onkeydown = {
        let is_open = is_open.clone();
        Callback::from(move |event: KeyboardEvent| {
            if event.key() == "Escape" {
                is_open.set(false);
            }
        })
    };
    let choose = |item: &MenuItem| {
        let (is_open, on_choose) = (is_open.clone(), item.on_choose.clone());
        Callback::from(move |_: MouseEvent| {
            is_open.set(false);
            on_choose.emit(());
        })
    };
    html! {
        <span class="menu-anchor" {onkeydown}>
            <button
                class="button is-quiet is-icon is-small" type="button" aria-label={props.label.clone()}
                aria-haspopup="menu" aria-expanded={is_open.to_string()} onclick={toggle}
            >
                { "…" }
            </button>
            if *is_open {
                <div class="menu" role="menu">
                    for item in &props.items {
                        <button
                            key={item.text.to_string()} type="button" role="menuitem" disabled={!item.hindrance.is_empty()}
                            title={item.hindrance.clone()} onclick={choose(item)}
                        >
                            { &item.text }
                        </button>
                    }
                </div>
            }
        </span>
    }
}
