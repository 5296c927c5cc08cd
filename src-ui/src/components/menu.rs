//! What can be done with a thing beside its buttons: a menu below a button, or where the pointer is.

use web_sys::HtmlElement;
use yew::prelude::*;

use super::{Picture, icon};
use crate::dom;

/// One entry of a menu.
#[derive(Clone, PartialEq)]
pub(crate) struct MenuItem {
    pub(crate) text: AttrValue,
    /// The keys that do the same.
    keys: &'static str,
    /// Why it cannot be chosen; empty where it can.
    hindrance: AttrValue,
    on_choose: Callback<()>,
}

impl MenuItem {
    pub(crate) fn new(text: impl Into<AttrValue>, on_choose: Callback<()>) -> Self {
        Self {
            text: text.into(),
            keys: "",
            hindrance: AttrValue::default(),
            on_choose,
        }
    }

    /// Names the keys that do the same.
    pub(crate) fn with_keys(mut self, keys: &'static str) -> Self {
        self.keys = keys;
        self
    }

    /// Whether it cannot be chosen.
    pub(crate) fn is_off(&self) -> bool {
        !self.hindrance.is_empty()
    }

    /// Says why it cannot be chosen; with nothing to say it can.
    pub(crate) fn unless(mut self, hindrance: impl Into<AttrValue>) -> Self {
        self.hindrance = hindrance.into();
        self
    }
}

#[derive(Clone, PartialEq, Properties)]
pub(crate) struct MenuProps {
    /// What the button is for, for who does not see where it stands.
    pub(crate) label: AttrValue,
    pub(crate) items: Vec<MenuItem>,
}

/// A button that opens a menu below it.
#[component]
pub(crate) fn Menu(props: &MenuProps) -> Html {
    let place = use_state(|| None::<MenuPlace>);
    let button = use_node_ref();
    let toggle = {
        let (place, button) = (place.clone(), button.clone());
        Callback::from(move |_: MouseEvent| {
            let below = dom::bounds(&button).map(|(_, right, top, bottom)| MenuPlace {
                x: right,
                y: bottom + 4.0,
                above: top - 4.0,
                is_right_edge: true,
            });
            place.set(below.filter(|_| place.is_none()));
        })
    };
    let on_close = {
        let (place, button) = (place.clone(), button.clone());
        Callback::from(move |()| {
            place.set(None);
            dom::focus(&button);
        })
    };
    html! {
        <>
        <button
            ref={button} class="button is-quiet is-icon is-small" type="button" aria-label={props.label.clone()}
            aria-haspopup="menu" aria-expanded={place.is_some().to_string()} onclick={toggle}
        >
            { icon(Picture::More) }
        </button>
        if let Some(place) = *place {
            <OpenMenu label={props.label.clone()} items={props.items.clone()} {place} {on_close} />
        }
        </>
    }
}

/// Where a menu opens, in pixels of the window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct MenuPlace {
    pub(crate) x: f64,
    pub(crate) y: f64,
    /// Where it ends when there is no room below.
    pub(crate) above: f64,
    /// Whether `x` is its right edge.
    pub(crate) is_right_edge: bool,
}

impl MenuPlace {
    /// At the pointer.
    pub(crate) fn at(event: &MouseEvent) -> Self {
        let (x, y) = (f64::from(event.client_x()), f64::from(event.client_y()));
        Self {
            x,
            y,
            above: y,
            is_right_edge: false,
        }
    }

    /// The upper left corner of a menu of this size, so that all of it is in the window.
    fn corner(self, (width, height): (f64, f64), window: (f64, f64)) -> (f64, f64) {
        let left = if self.is_right_edge {
            self.x - width
        } else {
            self.x
        };
        let top = if self.y + height > window.1 {
            self.above - height
        } else {
            self.y
        };
        (
            left.min(window.0 - width).max(0.0),
            top.min(window.1 - height).max(0.0),
        )
    }
}

#[derive(Clone, PartialEq, Properties)]
pub(crate) struct OpenMenuProps {
    pub(crate) label: AttrValue,
    pub(crate) items: Vec<MenuItem>,
    pub(crate) place: MenuPlace,
    /// Something was chosen or nothing will be.
    pub(crate) on_close: Callback<()>,
}

/// A menu that is open. Arrows move in it; Esc, Tab and a click elsewhere close it.
#[component]
pub(crate) fn OpenMenu(props: &OpenMenuProps) -> Html {
    let node = use_node_ref();
    {
        let node = node.clone();
        use_effect_with(props.place, move |place| {
            if let Some((left, right, top, bottom)) = dom::bounds(&node) {
                let size = (right - left, bottom - top);
                dom::move_to(&node, place.corner(size, dom::window_size()), size);
            }
            if let Some(menu) = node.cast::<HtmlElement>() {
                dom::focus_child(&menu, dom::Step::First);
            }
        });
    }
    let onkeydown = {
        let (node, on_close) = (node.clone(), props.on_close.clone());
        Callback::from(move |event: KeyboardEvent| {
            // What lies below has keys of its own.
            event.stop_propagation();
            let Some(menu) = node.cast::<HtmlElement>() else {
                return;
            };
            match event.key().as_str() {
                "ArrowDown" => dom::focus_child(&menu, dom::Step::Next),
                "ArrowUp" => dom::focus_child(&menu, dom::Step::Previous),
                "Home" => dom::focus_child(&menu, dom::Step::First),
                "End" => dom::focus_child(&menu, dom::Step::Last),
                "Escape" | "Tab" => on_close.emit(()),
                _ => return,
            }
            event.prevent_default();
        })
    };
    let leave = props.on_close.reform(|event: MouseEvent| {
        event.prevent_default();
        event.stop_propagation();
    });
    html! {
        <>
        <div class="menu-backdrop" onclick={leave.clone()} oncontextmenu={leave}></div>
        <div class="menu" role="menu" aria-label={props.label.clone()} ref={node} {onkeydown}>
            for item in &props.items {
                { entry(item, &props.on_close) }
            }
        </div>
        </>
    }
}

/// What cannot be chosen stays where it is, and says why.
fn entry(item: &MenuItem, on_close: &Callback<()>) -> Html {
    let is_off = item.is_off();
    let onclick = {
        let (on_close, on_choose) = (on_close.clone(), item.on_choose.clone());
        Callback::from(move |event: MouseEvent| {
            event.stop_propagation();
            if !is_off {
                on_close.emit(());
                on_choose.emit(());
            }
        })
    };
    html! {
        <button
            key={item.text.to_string()} type="button" role="menuitem" tabindex="-1" aria-label={item.text.clone()} {onclick}
            aria-disabled={is_off.to_string()} aria-description={is_off.then(|| item.hindrance.clone())}
        >
            <span class="menu__text">
                { &item.text }
                if is_off {
                    <small>{ &item.hindrance }</small>
                }
            </span>
            if !item.keys.is_empty() {
                <kbd>{ item.keys }</kbd>
            }
        </button>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: (f64, f64) = (800.0, 560.0);

    #[test]
    fn a_menu_is_in_the_window_wherever_it_is_asked_for() {
        let below_button = MenuPlace {
            x: 300.0,
            y: 100.0,
            above: 70.0,
            is_right_edge: true,
        };
        assert_eq!(below_button.corner((200.0, 90.0), WINDOW), (100.0, 100.0));
        let at_bottom = MenuPlace {
            y: 540.0,
            above: 510.0,
            ..below_button
        };
        assert_eq!(at_bottom.corner((200.0, 90.0), WINDOW), (100.0, 420.0));
        let at_pointer = MenuPlace {
            x: 790.0,
            y: 20.0,
            above: 20.0,
            is_right_edge: false,
        };
        assert_eq!(at_pointer.corner((200.0, 90.0), WINDOW), (600.0, 20.0));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn what_cannot_be_chosen_says_why() {
        let html = yew::LocalServerRenderer::<OpenMenu>::with_props(OpenMenuProps {
            label: "More for pgtest1".into(),
            items: vec![
                MenuItem::new("Copy name", Callback::noop()).with_keys("Ctrl+C"),
                MenuItem::new("Restore latest…", Callback::noop())
                    .unless("There are no recovery points yet"),
            ],
            place: MenuPlace {
                x: 0.0,
                y: 0.0,
                above: 0.0,
                is_right_edge: false,
            },
            on_close: Callback::noop(),
        })
        .hydratable(false)
        .render()
        .await;
        insta::assert_snapshot!(html);
    }
}
