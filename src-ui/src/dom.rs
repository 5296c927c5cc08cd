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

/// Moves the focus.
pub(crate) fn focus(node: &NodeRef) {
    if let Some(element) = node.cast::<HtmlElement>() {
        // An element that has gone meanwhile needs no focus.
        drop(element.focus());
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
