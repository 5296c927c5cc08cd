//! The entries of a folder. Only the rows that are to be seen are drawn.

use std::rc::Rc;

use sendense_types::{FileEntry, FileKind};
use yew::prelude::*;

use crate::components::{EmptyState, Icon, Picture, Size};
use crate::state::rows;
use crate::state::selection::{Held, Selection};
use crate::state::sort::{Column, Order};
use crate::{dom, format};

/// Pixels of a row; the style sheet says the same.
pub(super) const ROW_HEIGHT: f64 = 30.0;

#[derive(Clone, PartialEq, Properties)]
pub(super) struct FileTableProps {
    /// The element that scrolls and has the keys.
    pub(super) table: NodeRef,
    pub(super) files: Rc<Vec<FileEntry>>,
    pub(super) selection: Selection,
    pub(super) order: Order,
    pub(super) is_loading: bool,
    pub(super) is_filtered: bool,
    /// Something of the folder could not be read.
    pub(super) is_damaged: bool,
    pub(super) on_select: Callback<(usize, Held)>,
    pub(super) on_open: Callback<usize>,
    pub(super) on_order: Callback<Column>,
    /// A menu was asked for by the pointer.
    pub(super) on_menu: Callback<(usize, MouseEvent)>,
}

/// Name, size, modified, type.
#[component]
pub(super) fn FileTable(props: &FileTableProps) -> Html {
    let scroller = props.table.clone();
    let (above, below) = (use_node_ref(), use_node_ref());
    let place = use_state(|| (0.0, 1200.0));
    let n_rows = props.files.len();
    let range = rows::visible(n_rows, ROW_HEIGHT, place.0, place.1);
    {
        let (above, below) = (above.clone(), below.clone());
        use_effect_with((range.clone(), n_rows), move |(range, n_rows)| {
            dom::set_height(&above, range.start as f64 * ROW_HEIGHT);
            dom::set_height(&below, (n_rows - range.end) as f64 * ROW_HEIGHT);
        });
    }
    {
        // The keyboard's row stays in sight.
        let scroller = scroller.clone();
        use_effect_with(
            (props.selection.cursor, props.selection.len()),
            move |(cursor, n_selected)| {
                if let Some(element) = scroller
                    .cast::<web_sys::Element>()
                    .filter(|_| *n_selected > 0)
                {
                    let (top, height) = (
                        f64::from(element.scroll_top()),
                        f64::from(element.client_height()),
                    );
                    let row = *cursor as f64 * ROW_HEIGHT;
                    if row < top {
                        element.set_scroll_top(row as i32);
                    } else if row + 2.0 * ROW_HEIGHT > top + height {
                        element.set_scroll_top((row + 2.0 * ROW_HEIGHT - height) as i32);
                    }
                }
            },
        );
    }
    let onscroll = {
        let (scroller, place) = (scroller.clone(), place.clone());
        Callback::from(move |_: Event| {
            if let Some(element) = scroller.cast::<web_sys::Element>() {
                place.set((
                    f64::from(element.scroll_top()),
                    f64::from(element.client_height()),
                ));
            }
        })
    };
    let head = |column: Column, text: &'static str, class: &'static str| {
        let is_here = props.order.column == column;
        let sorted = match (is_here, props.order.is_descending) {
            (false, _) => "none",
            (true, false) => "ascending",
            (true, true) => "descending",
        };
        let arrow = match sorted {
            "ascending" => " ↑",
            "descending" => " ↓",
            _ => "",
        };
        html! {
            <span role="columnheader" aria-sort={sorted} {class}>
                <button type="button" onclick={props.on_order.reform(move |_: MouseEvent| column)}>{ text }{ arrow }</button>
            </span>
        }
    };
    html! {
        <div
            class="file-table" role="grid" aria-label="Files" tabindex="0" aria-multiselectable="true"
            aria-rowcount={(n_rows + 1).to_string()} aria-activedescendant={(n_rows > 0).then(|| row_id(props.selection.cursor))}
            ref={scroller} {onscroll}
        >
            <div class="file-table__head" role="row">
                { head(Column::Name, "Name", "") }
                { head(Column::Size, "Size", "is-right") }
                { head(Column::Modified, "Modified", "") }
                { head(Column::Type, "Type", "") }
            </div>
            if props.is_loading {
                <div class="skeleton" role="status" aria-label="Reading the folder"></div>
            } else if n_rows == 0 {
                <EmptyState
                    picture={Picture::Folder}
                    title={match (props.is_filtered, props.is_damaged) {
                        (true, _) => "Nothing matches",
                        (_, true) => "Nothing in this folder can be shown",
                        _ => "This folder is empty",
                    }}
                    text={if props.is_filtered { "No name here has this in it." } else { "" }}
                />
            }
            <div ref={above}></div>
            for row in range {
                <FileRow
                    key={props.files[row].path.clone()} {row} file={props.files[row].clone()}
                    is_selected={props.selection.contains(row)} is_cursor={props.selection.cursor == row}
                    on_select={props.on_select.clone()} on_open={props.on_open.clone()} on_menu={props.on_menu.clone()}
                />
            }
            <div ref={below}></div>
        </div>
    }
}

#[derive(Clone, PartialEq, Properties)]
struct FileRowProps {
    row: usize,
    file: FileEntry,
    is_selected: bool,
    /// The keyboard is here.
    is_cursor: bool,
    on_select: Callback<(usize, Held)>,
    on_open: Callback<usize>,
    on_menu: Callback<(usize, MouseEvent)>,
}

fn row_id(row: usize) -> String {
    format!("file-{row}")
}

#[component]
fn FileRow(props: &FileRowProps) -> Html {
    let file = &props.file;
    let row = props.row;
    let onclick = props.on_select.reform(move |event: MouseEvent| {
        let held = Held {
            ctrl: event.ctrl_key() || event.meta_key(),
            shift: event.shift_key(),
        };
        (row, held)
    });
    let oncontextmenu = props.on_menu.reform(move |event: MouseEvent| (row, event));
    let ondblclick = props.on_open.reform(move |_: MouseEvent| row);
    let is_folder = file.kind == FileKind::Directory;
    // Directly below the top are the volumes of the disk.
    let is_volume = is_folder && file.path.trim_matches('/').split('/').count() == 1;
    let picture = match (file.is_symlink, is_volume, is_folder) {
        (true, ..) => Picture::Link,
        (_, true, _) => Picture::Drive,
        (_, _, true) => Picture::Folder,
        _ => Picture::File,
    };
    let target = file
        .symlink_target
        .as_ref()
        .map(|target| format!(" → {target}"));
    html! {
        <div
            id={row_id(row)} class={classes!(
                "file-table__row", props.is_selected.then_some("is-selected"), props.is_cursor.then_some("is-cursor"),
                file.unreadable.is_some().then_some("is-off"), is_folder.then_some("is-folder"),
            )}
            role="row" aria-rowindex={(row + 2).to_string()} aria-selected={props.is_selected.to_string()}
            aria-label={file.name.clone()} {onclick} {ondblclick} {oncontextmenu}
        >
            <span role="gridcell" class="file-table__name" title={file.path.clone()}>
                <Icon {picture} />
                <span>{ &file.name }{ target.unwrap_or_default() }</span>
            </span>
            <span role="gridcell" class="is-right">
                if !is_folder {
                    <Size bytes={file.size.filter(|_| !file.is_symlink)} />
                }
            </span>
            <span role="gridcell" class="num">{ file.modified_time.map(format::date).unwrap_or_default() }</span>
            <span role="gridcell">{ format::kind_of(file) }</span>
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str) -> FileEntry {
        FileEntry {
            name: name.to_owned(),
            path: format!("/partition-1/{name}"),
            kind: FileKind::File,
            size: Some(1129),
            mode: None,
            modified_time: None,
            is_symlink: false,
            symlink_target: None,
            unreadable: None,
            streams: Vec::new(),
        }
    }

    async fn shown(files: Vec<FileEntry>) -> String {
        yew::LocalServerRenderer::<FileTable>::with_props(FileTableProps {
            table: NodeRef::default(),
            files: Rc::new(files),
            selection: Selection::default(),
            order: Order::default(),
            is_loading: false,
            is_filtered: false,
            is_damaged: false,
            on_select: Callback::noop(),
            on_open: Callback::noop(),
            on_order: Callback::noop(),
            on_menu: Callback::noop(),
        })
        .hydratable(false)
        .render()
        .await
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_hundred_thousand_files_draw_a_screenful_and_count_all() {
        let files = (0..100_000).map(|n| file(&format!("file{n}"))).collect();
        let html = shown(files).await;
        assert!(
            html.contains("aria-rowcount=\"100001\""),
            "{}",
            &html[..400]
        );
        let drawn = html.matches("role=\"row\"").count();
        assert!(drawn < 100, "{drawn} rows were drawn");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn hostile_names_are_text_and_links_show_where_they_lead() {
        let mut link = file("<img src=x>");
        link.is_symlink = true;
        link.symlink_target = Some("/etc/passwd".to_owned());
        let mut locked = file("Volume 2");
        locked.unreadable = Some("BitLocker, 80 GiB".to_owned());
        insta::assert_snapshot!(shown(vec![link, locked]).await);
    }
}
