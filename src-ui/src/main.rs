//! Starts the window's contents on the page.

/// What the shell puts behind the page's address for tests of its texts.
const PSEUDO_LOCALE: &str = "pseudo-locale";

fn main() {
    let query = gloo_utils::window().location().search();
    if query.is_ok_and(|query| query.contains(PSEUDO_LOCALE)) {
        sendense_words::use_pseudo_locale();
    }
    yew::Renderer::<sendense_ui::App>::new().render();
}
