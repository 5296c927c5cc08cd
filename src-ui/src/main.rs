//! Starts the window's contents on the page.

fn main() {
    yew::Renderer::<sendense_ui::App>::new().render();
}
