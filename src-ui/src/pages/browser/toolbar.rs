//! Where one is, and the ways elsewhere.

use std::rc::Rc;

use sendense_types::Listing;
use yew::prelude::*;

use crate::components::{Icon, Picture};
use crate::dom;

#[derive(Clone, PartialEq, Properties)]
pub(super) struct ToolbarProps {
    pub(super) path: String,
    /// The top of the mount, which knows the names of its volumes.
    pub(super) top: Option<Rc<Listing>>,
    pub(super) filter: UseStateHandle<String>,
    pub(super) filter_field: NodeRef,
    /// Where the keyboard goes from the filter.
    pub(super) table: NodeRef,
    pub(super) on_go: Callback<String>,
    pub(super) on_up: Callback<()>,
    pub(super) on_refresh: Callback<()>,
    pub(super) is_loading: bool,
}

/// Up, Root, Refresh, the path, the filter.
#[component]
pub(super) fn Toolbar(props: &ToolbarProps) -> Html {
    let is_top = props.path.trim_end_matches('/').is_empty();
    let root = props.on_go.reform(|_: MouseEvent| "/".to_owned());
    let oninput = {
        let filter = props.filter.clone();
        Callback::from(move |event: InputEvent| filter.set(dom::value_of(&event)))
    };
    let onkeydown = {
        let (filter, table) = (props.filter.clone(), props.table.clone());
        Callback::from(move |event: KeyboardEvent| match event.key().as_str() {
            "Escape" => {
                filter.set(String::new());
                dom::focus(&table);
            }
            "Enter" | "ArrowDown" => {
                event.prevent_default();
                dom::focus(&table);
            }
            _ => {}
        })
    };
    let crumbs = crumbs(&props.path, props.top.as_deref());
    let n_crumbs = crumbs.len();
    html! {
        <div class="toolbar">
            <button class="button is-quiet" type="button" disabled={is_top} onclick={props.on_up.reform(|_: MouseEvent| ())}>
                <Icon picture={Picture::Up} />{ "Up" }
            </button>
            <button class="button is-quiet" type="button" disabled={is_top} onclick={root}>
                <Icon picture={Picture::Home} />{ "Root" }
            </button>
            <button class="button is-quiet" type="button" aria-busy={props.is_loading.to_string()} onclick={props.on_refresh.reform(|_: MouseEvent| ())}>
                <Icon picture={Picture::Refresh} />{ "Refresh" }
            </button>
            <nav class="crumbs" aria-label="Path">
                for (n, (name, path)) in crumbs.into_iter().enumerate() {
                    if n > 0 {
                        <span aria-hidden="true">{ "›" }</span>
                    }
                    <button
                        key={path.clone()} type="button" title={name.clone()} aria-current={(n + 1 == n_crumbs).then_some("location")}
                        onclick={props.on_go.reform(move |_: MouseEvent| path.clone())}
                    >
                        { name }
                    </button>
                }
            </nav>
            <span class="page__space"></span>
            <input
                ref={props.filter_field.clone()} class="search" type="search" aria-label="Filter" placeholder="Filter"
                value={(*props.filter).clone()} {oninput} {onkeydown}
            />
        </div>
    }
}

/// Names and paths from the top to here. The volume has the name that the top gives it.
fn crumbs(path: &str, top: Option<&Listing>) -> Vec<(String, String)> {
    let mut crumbs = vec![("Disk".to_owned(), "/".to_owned())];
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
