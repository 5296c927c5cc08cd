//! The path of the current folder, and the ways to others.

use sendense_types::Listing;
use sendense_words as words;
use yew::prelude::*;

use super::navigation::{Go, Navigation};
use crate::components::{Picture, icon};
use crate::dom;

/// What the bar above a folder shows and does.
pub(super) struct Toolbar<'a> {
    pub(super) here: &'a Navigation,
    /// The top folder of the mount, which holds the names of its volumes.
    pub(super) top: Option<&'a Listing>,
    pub(super) filter_field: &'a NodeRef,
    /// Gets the focus when the filter loses it.
    pub(super) table: &'a NodeRef,
    pub(super) on_go: &'a Callback<Go>,
    pub(super) on_refresh: &'a Callback<()>,
    pub(super) is_loading: bool,
}

/// Up, Root, Refresh, the path, the filter.
pub(super) fn toolbar(bar: &Toolbar<'_>) -> Html {
    let is_top = bar.here.path.trim_end_matches('/').is_empty();
    let go_to = |folder: String| {
        bar.on_go
            .reform(move |_: MouseEvent| Go::To(folder.clone()))
    };
    let oninput = bar
        .on_go
        .reform(|event: InputEvent| Go::Filter(dom::value_of(&event)));
    let onkeydown = {
        let (on_go, table) = (bar.on_go.clone(), bar.table.clone());
        Callback::from(move |event: KeyboardEvent| match event.key().as_str() {
            "Escape" => {
                on_go.emit(Go::Filter(String::new()));
                dom::focus(&table);
            }
            "Enter" | "ArrowDown" => {
                event.prevent_default();
                dom::focus(&table);
            }
            _ => {}
        })
    };
    let crumbs = crumbs(&bar.here.path, bar.top);
    let n_crumbs = crumbs.len();
    html! {
        <div class="toolbar">
            <button class="button is-quiet" type="button" disabled={is_top} onclick={bar.on_go.reform(|_: MouseEvent| Go::Up)}>
                { icon(Picture::Up) }{ words::browser::up() }
            </button>
            <button class="button is-quiet" type="button" disabled={is_top} onclick={go_to("/".to_owned())}>
                { icon(Picture::Home) }{ words::browser::root() }
            </button>
            <button class="button is-quiet" type="button" aria-busy={bar.is_loading.to_string()} onclick={bar.on_refresh.reform(|_: MouseEvent| ())}>
                { icon(Picture::Refresh) }{ words::browser::refresh() }
            </button>
            <nav class="crumbs" aria-label={words::browser::path()}>
                for (n, (name, path)) in crumbs.into_iter().enumerate() {
                    if n > 0 {
                        <span aria-hidden="true">{ "›" }</span>
                    }
                    <button
                        key={path.clone()} type="button" title={name.clone()} aria-current={(n + 1 == n_crumbs).then_some("location")}
                        onclick={go_to(path)}
                    >
                        { name }
                    </button>
                }
            </nav>
            <span class="page__space"></span>
            <input
                ref={bar.filter_field.clone()} class="search" type="search" aria-label={words::browser::filter()} placeholder={words::browser::filter()}
                value={bar.here.filter.clone()} {oninput} {onkeydown}
            />
        </div>
    }
}

/// Names and paths from the top to here. A volume is named as in the listing of the top.
fn crumbs(path: &str, top: Option<&Listing>) -> Vec<(String, String)> {
    let mut crumbs = vec![(words::mounts::disk().to_owned(), "/".to_owned())];
    let mut so_far = String::new();
    for part in path.split('/').filter(|part| !part.is_empty()) {
        so_far.push('/');
        so_far.push_str(part);
        let known = top.and_then(|top| top.files.iter().find(|file| file.path == so_far));
        let name = known.map_or(part, |file| file.name.as_str());
        crumbs.push((name.to_owned(), so_far.clone()));
    }
    crumbs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_crumb_leads_to_its_folder() {
        assert_eq!(
            crumbs("/partition-1/Recovery/", None),
            [
                ("Disk".to_owned(), "/".to_owned()),
                ("partition-1".to_owned(), "/partition-1".to_owned()),
                ("Recovery".to_owned(), "/partition-1/Recovery".to_owned()),
            ]
        );
        assert_eq!(crumbs("/", None).len(), 1);
    }
}
