//! What tests of views share: views as text, rendered as a server would, without a page; and a file.

use sendense_types::{FileEntry, FileKind};
use yew::prelude::*;

/// A file of a volume, as far as a test does not say otherwise.
pub(crate) fn file(name: &str, kind: FileKind) -> FileEntry {
    FileEntry {
        name: name.to_owned(),
        path: format!("/partition-1/{name}"),
        kind,
        size: Some(1129),
        mode: None,
        modified_time: None,
        is_symlink: false,
        symlink_target: None,
        unreadable: None,
        streams: Vec::new(),
    }
}

#[derive(Clone, PartialEq, Properties)]
struct ShownProps {
    view: Html,
}

#[component]
fn Shown(props: &ShownProps) -> Html {
    props.view.clone()
}

/// A view as it stands in the page.
pub(crate) async fn shown(view: Html) -> String {
    yew::LocalServerRenderer::<Shown>::with_props(ShownProps { view })
        .hydratable(false)
        .render()
        .await
}
