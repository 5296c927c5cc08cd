//! The window's contents.
//!
//! Pages (`pages/`) load, components (`components/`) show. What several pages need and what must follow
//! the core's news lives in one reducer (`state/app.rs`); everything else is asked for by the page that
//! shows it (`hooks.rs`). The shell is reached through `ipc.rs` alone, the page's own window through
//! `dom.rs` alone. Rules that need no page (selection, sorting, visible rows) are plain functions in
//! `state/`.

mod app;
mod components;
mod dom;
mod format;
mod hooks;
mod ipc;
mod pages;
mod route;
mod state;
#[cfg(test)]
mod testing;

pub use app::App;
