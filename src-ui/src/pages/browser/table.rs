//! The entries of a folder. Only visible rows are rendered.

use std::rc::Rc;

use sendense_types::{FileEntry, FileKind};
use sendense_words as words;
use yew::prelude::*;

use crate::components::{ListKind, LongList, Picture, Size, empty_state, icon};
use crate::format;
use crate::state::order::Order;
use crate::state::selection::{Held, Selection};
use crate::state::sort::Column;

/// Height of a row in pixels, as in the style sheet.
pub(super) const ROW_HEIGHT: f64 = 30.0;

/// The files of a folder, how they are shown, and their actions.
#[derive(Clone)]
pub(super) struct FileTable {
    /// The element that scrolls and takes the keys.
    pub(super) table: NodeRef,
    pub(super) files: Rc<Vec<Rc<FileEntry>>>,
    pub(super) selection: Rc<Selection>,
    pub(super) order: Order<Column>,
    pub(super) on_order: Callback<Column>,
    /// What is shown when there are no rows.
    pub(super) emptiness: Emptiness,
    pub(super) actions: RowActions,
}

/// Why a folder may have no rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Emptiness {
    /// They are being read.
    Loading,
    /// No name matches the filter.
    Filtered,
    /// Some of it could not be read.
    Damaged,
    Empty,
}

/// The actions of a row. They stay the same across renders.
#[derive(Clone, PartialEq)]
pub(super) struct RowActions {
    pub(super) on_select: Callback<(usize, Held)>,
    pub(super) on_open: Callback<usize>,
    /// The context menu was opened with the pointer.
    pub(super) on_menu: Callback<(usize, MouseEvent)>,
}

/// Name, size, modified, type. Only visible rows are rendered.
pub(super) fn file_table(shown: FileTable) -> Html {
    let head = html! {
        <div class="file-table__head" role="row">
            { column_head(&shown, Column::Name, words::common::name(), "") }
            { column_head(&shown, Column::Size, words::common::size(), "is-right") }
            { column_head(&shown, Column::Modified, words::browser::modified(), "") }
            { column_head(&shown, Column::Type, words::common::kind(), "") }
        </div>
    };
    let n_rows = shown.files.len();
    let kind = ListKind::Grid {
        name: words::browser::files(),
        node: shown.table.clone(),
        cursor: shown.selection.cursor,
        cursor_id: (n_rows > 0).then(|| row_id(shown.selection.cursor)),
        n_selected: shown.selection.len(),
    };
    let emptiness = shown.emptiness;
    let row = Callback::from(move |row: usize| {
        let file = Rc::clone(&shown.files[row]);
        html! {
            <FileRow
                key={shown.files[row].path.clone()} {row} is_selected={shown.selection.contains(row)}
                is_cursor={shown.selection.cursor == row} actions={shown.actions.clone()} {file}
            />
        }
    });
    html! {
        <LongList class="file-table" {head} {n_rows} row_height={ROW_HEIGHT} {row} {kind}>
            if n_rows == 0 {
                { no_rows(emptiness) }
            }
        </LongList>
    }
}

fn column_head(shown: &FileTable, column: Column, text: &'static str, class: &'static str) -> Html {
    let arrow = shown.order.arrow(column);
    let sorted = match arrow {
        "" => "none",
        _ if shown.order.is_descending => "descending",
        _ => "ascending",
    };
    let onclick = shown.on_order.reform(move |_: MouseEvent| column);
    html! {
        <span role="columnheader" aria-sort={sorted} {class}>
            <button type="button" {onclick}>{ text }{ arrow }</button>
        </span>
    }
}

fn no_rows(emptiness: Emptiness) -> Html {
    let (title, text) = match emptiness {
        Emptiness::Loading => {
            return html! {
                <div class="skeleton" role="status" aria-label={words::browser::reading()}></div>
            };
        }
        Emptiness::Filtered => (
            words::common::nothing_matches(),
            words::browser::filter_nothing(),
        ),
        Emptiness::Damaged => (words::browser::nothing_shown(), ""),
        Emptiness::Empty => (words::browser::empty(), ""),
    };
    empty_state(Picture::Folder, title, text, Html::default())
}

#[derive(Clone, PartialEq, Properties)]
struct FileRowProps {
    row: usize,
    file: Rc<FileEntry>,
    is_selected: bool,
    /// It has the keyboard's focus.
    is_cursor: bool,
    actions: RowActions,
}

fn row_id(row: usize) -> String {
    format!("file-{row}")
}

#[component]
fn FileRow(props: &FileRowProps) -> Html {
    let FileRowProps {
        row, file, actions, ..
    } = props;
    let row = *row;
    let onclick = actions.on_select.reform(move |event: MouseEvent| {
        let held = Held {
            ctrl: event.ctrl_key() || event.meta_key(),
            shift: event.shift_key(),
        };
        (row, held)
    });
    let oncontextmenu = actions
        .on_menu
        .reform(move |event: MouseEvent| (row, event));
    let ondblclick = actions.on_open.reform(move |_: MouseEvent| row);
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
                { icon(picture) }
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
    use crate::testing;

    fn file(name: &str) -> FileEntry {
        testing::file(name, FileKind::File)
    }

    async fn shown(files: Vec<FileEntry>) -> String {
        testing::shown(file_table(FileTable {
            table: NodeRef::default(),
            files: Rc::new(files.into_iter().map(Rc::new).collect()),
            selection: Rc::default(),
            order: Order::default(),
            on_order: Callback::noop(),
            emptiness: Emptiness::Empty,
            actions: RowActions {
                on_select: Callback::noop(),
                on_open: Callback::noop(),
                on_menu: Callback::noop(),
            },
        }))
        .await
    }

    /// Contract H31.
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

    /// Contract H21.
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
