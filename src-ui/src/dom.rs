//! The page's own window: time, clipboard, focus, theme. Nobody else touches it.

use wasm_bindgen::JsCast;
use web_sys::{HtmlElement, HtmlInputElement};
use yew::{NodeRef, TargetCast};

/// Milliseconds since 1970, UTC.
pub(crate) fn now_ms() -> f64 {
    #[cfg(target_arch = "wasm32")]
    return js_sys::Date::now();
    // Views are rendered without a page in tests, at a time that does not move.
    #[cfg(not(target_arch = "wasm32"))]
    return 1_760_000_000_000.0;
}

/// Day, month from 0, year, hours, minutes by this computer's zone.
pub(crate) fn local(ms: f64) -> (u32, u32, u32, u32, u32) {
    #[cfg(target_arch = "wasm32")]
    {
        let date = js_sys::Date::new(&ms.into());
        (
            date.get_date(),
            date.get_month(),
            date.get_full_year(),
            date.get_hours(),
            date.get_minutes(),
        )
    }
    #[cfg(not(target_arch = "wasm32"))]
    {
        // "2025-10-09T08:53:20Z"
        let text = jiff::Timestamp::from_millisecond(ms as i64)
            .unwrap_or(jiff::Timestamp::UNIX_EPOCH)
            .to_string();
        let number = |range: std::ops::Range<usize>| {
            text.get(range)
                .and_then(|digits| digits.parse::<u32>().ok())
                .unwrap_or(0)
        };
        (
            number(8..10),
            number(5..7).saturating_sub(1),
            number(0..4),
            number(11..13),
            number(14..16),
        )
    }
}

/// Puts text on the clipboard.
pub(crate) fn copy(text: &str) {
    let clipboard = gloo_utils::window().navigator().clipboard();
    drop(clipboard.write_text(text));
}

/// Applies a theme; `None` follows the system.
pub(crate) fn set_theme(theme: Option<&str>) {
    let root = gloo_utils::document_element();
    let outcome = match theme {
        Some(theme) => root.set_attribute("data-theme", theme),
        None => root.remove_attribute("data-theme"),
    };
    // Only a malformed attribute name fails, and these two are fine.
    drop(outcome);
}

/// The text of the field an event came from.
pub(crate) fn value_of<E: TargetCast>(event: &E) -> String {
    event
        .target_dyn_into::<HtmlInputElement>()
        .map(|input| input.value())
        .or_else(|| {
            event
                .target_dyn_into::<web_sys::HtmlSelectElement>()
                .map(|select| select.value())
        })
        .unwrap_or_default()
}

/// Whether a key was meant for a text field.
pub(crate) fn is_typing(event: &yew::KeyboardEvent) -> bool {
    let target = event.target();
    target.is_some_and(|target| {
        target
            .dyn_ref::<HtmlInputElement>()
            .is_some_and(|input| !matches!(input.type_().as_str(), "checkbox" | "radio"))
            || target.dyn_ref::<web_sys::HtmlSelectElement>().is_some()
    })
}

/// Whether a key was meant for a button.
pub(crate) fn is_on_button(event: &yew::KeyboardEvent) -> bool {
    event
        .target_dyn_into::<HtmlElement>()
        .is_some_and(|element| element.tag_name().eq_ignore_ascii_case("button"))
}

/// Moves the focus.
pub(crate) fn focus(node: &NodeRef) {
    if let Some(element) = node.cast::<HtmlElement>() {
        // An element that has gone meanwhile needs no focus.
        drop(element.focus());
    }
}

/// Moves the focus to what is chosen of a group, if it is in that group at all.
pub(crate) fn focus_checked(group: &NodeRef) {
    let Some(group) = group.cast::<HtmlElement>() else {
        return;
    };
    let focused = gloo_utils::document().active_element();
    if focused.is_some_and(|focused| group.contains(Some(&focused))) {
        let checked = group.query_selector(":checked").ok().flatten();
        if let Some(checked) = checked.and_then(|checked| checked.dyn_into::<HtmlElement>().ok()) {
            drop(checked.focus());
        }
    }
}

/// Left, right, top and bottom edge of an element in the window.
pub(crate) fn bounds(node: &NodeRef) -> Option<(f64, f64, f64, f64)> {
    let bounds = node.cast::<HtmlElement>()?.get_bounding_client_rect();
    Some((bounds.left(), bounds.right(), bounds.top(), bounds.bottom()))
}

/// Width and height of the window's contents.
pub(crate) fn window_size() -> (f64, f64) {
    let root = gloo_utils::document_element();
    (
        f64::from(root.client_width()),
        f64::from(root.client_height()),
    )
}

/// How far an element is scrolled down, and how much of it is to be seen.
pub(crate) fn scrolled(node: &NodeRef) -> Option<(f64, f64)> {
    let element = node.cast::<HtmlElement>()?;
    Some((
        f64::from(element.scroll_top()),
        f64::from(element.client_height()),
    ))
}

/// Scrolls until a row is to be seen, below a head that is as high as a row.
pub(crate) fn keep_in_sight(node: &NodeRef, row: usize, row_height: f64) {
    let (Some(element), Some((top, height))) = (node.cast::<HtmlElement>(), scrolled(node)) else {
        return;
    };
    let (row_top, row_end) = (row as f64 * row_height, (row as f64 + 2.0) * row_height);
    if row_top < top {
        element.set_scroll_top(row_top as i32);
    } else if row_end > top + height {
        element.set_scroll_top((row_end - height) as i32);
    }
}

/// Puts an element with a fixed place there; all of it stays in the window when that gets smaller.
pub(crate) fn move_to(node: &NodeRef, (left, top): (f64, f64), (width, height): (f64, f64)) {
    if let Some(element) = node.cast::<HtmlElement>() {
        let style = element.style();
        let left = format!("min({left}px, calc(100vw - {width}px - 8px))");
        let top = format!("min({top}px, calc(100vh - {height}px - 8px))");
        drop(style.set_property("left", &left));
        drop(style.set_property("top", &top));
    }
}

/// Which child of an element gets the focus.
#[derive(Clone, Copy)]
pub(crate) enum Step {
    First,
    Last,
    Next,
    Previous,
}

/// Moves the focus among the children of an element; after the last comes the first.
pub(crate) fn focus_child(parent: &HtmlElement, step: Step) {
    let focused = gloo_utils::document()
        .active_element()
        .filter(|focused| parent.contains(Some(focused)));
    let next = match step {
        Step::First => None,
        Step::Last => parent.last_element_child(),
        Step::Next => focused.and_then(|focused| focused.next_element_sibling()),
        Step::Previous => focused
            .and_then(|focused| focused.previous_element_sibling())
            .or_else(|| parent.last_element_child()),
    };
    let child = next.or_else(|| parent.first_element_child());
    if let Some(child) = child.and_then(|child| child.dyn_into::<HtmlElement>().ok()) {
        drop(child.focus());
    }
}

/// How much of the window's lower end messages cover, for the lists that end there.
pub(crate) fn set_covered(messages: &NodeRef, is_empty: bool) {
    let covered = match bounds(messages) {
        Some((.., top, _)) if !is_empty => (window_size().1 - top).max(0.0),
        _ => 0.0,
    };
    if let Ok(root) = gloo_utils::document_element().dyn_into::<HtmlElement>() {
        drop(
            root.style()
                .set_property("--covered", &format!("{covered}px")),
        );
    }
}

/// Gives an element a height in pixels, by the object model: the policy allows no style attributes.
pub(crate) fn set_height(node: &NodeRef, pixels: f64) {
    if let Some(element) = node.cast::<HtmlElement>() {
        drop(
            element
                .style()
                .set_property("height", &format!("{pixels}px")),
        );
    }
}
