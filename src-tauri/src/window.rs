//! The one window.

use sendense_words as words;
use tauri::webview::Url;
use tauri::{AppHandle, Manager, Runtime, WebviewUrl, WebviewWindowBuilder, WindowEvent};

/// The window's name in the capability file.
pub(crate) const LABEL: &str = "main";

/// Opens the window. Closing it is a wish, which `on_close` grants or not.
pub(crate) fn create<R: Runtime>(
    app: &AppHandle<R>,
    on_close: impl Fn(&AppHandle<R>) + Send + 'static,
) -> tauri::Result<()> {
    let page = if words::is_pseudo_locale() {
        WebviewUrl::App("index.html?pseudo-locale".into())
    } else {
        WebviewUrl::default()
    };
    let window = WebviewWindowBuilder::new(app, LABEL, page)
        .title("Sendense")
        .inner_size(1280.0, 800.0)
        .min_inner_size(800.0, 560.0)
        .on_navigation(is_own)
        .build()?;
    let handle = app.clone();
    window.on_window_event(move |event| {
        if let WindowEvent::CloseRequested { api, .. } = event {
            api.prevent_close();
            on_close(&handle);
        }
    });
    Ok(())
}

/// Brings the window to the front, wherever it is.
pub(crate) fn show<R: Runtime>(app: &AppHandle<R>) {
    let Some(window) = app.get_webview_window(LABEL) else {
        return;
    };
    let shown = window
        .show()
        .and_then(|()| window.unminimize())
        .and_then(|()| window.set_focus());
    if let Err(error) = shown {
        tracing::warn!(%error, "could not bring the window to the front");
    }
}

/// Only the app's own pages: a link in a hub's text must not replace the window.
fn is_own(url: &Url) -> bool {
    let host = url.host_str();
    match url.scheme() {
        "tauri" => host == Some("localhost"),
        "http" | "https" => host == Some("tauri.localhost"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_goes_nowhere_else() {
        for own in [
            "tauri://localhost/",
            "tauri://localhost/index.html#/vm/1",
            "http://tauri.localhost/",
        ] {
            assert!(is_own(&own.parse().unwrap()), "{own}");
        }
        for foreign in [
            "https://example.com/",
            "http://127.0.0.1:8082/",
            "tauri://example.com/",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "data:text/html,hello",
            "https://tauri.localhost.example.com/",
        ] {
            assert!(!is_own(&foreign.parse().unwrap()), "{foreign}");
        }
    }
}
