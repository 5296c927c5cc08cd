//! The VMs as rows; only visible rows are rendered and queried.

use std::rc::Rc;

use sendense_words as words;
use yew::prelude::*;

use super::row::VmItem;
use super::rows::Rows;
use crate::components::{ListKind, LongList};
use crate::state::order::Order;
use crate::state::vms::Column;

/// Height of a row in pixels, as in the style sheet.
const ROW_HEIGHT: f64 = 60.0;

/// Name, hardware, state, last backup and actions.
pub(super) fn vm_table(
    rows: &Rc<Rows>,
    order: Order<Column>,
    on_order: &Callback<Column>,
    on_toggle_all: &Callback<()>,
) -> Html {
    let head = |column: Column, text: &'static str| {
        let arrow = order.arrow(column);
        let label = match arrow {
            "" => words::common::sort_by(text),
            _ => words::common::sort_by_reversed(text),
        };
        let onclick = on_order.reform(move |_: MouseEvent| column);
        html! { <button type="button" aria-label={label} {onclick}>{ text }{ arrow }</button> }
    };
    let onchange = on_toggle_all.reform(|_: Event| ());
    let head = html! {
        <div class="vm-table__head">
            <input type="checkbox" aria-label={words::common::select_all()} checked={rows.are_all_chosen()} {onchange} />
            { head(Column::Name, words::common::name()) }<span>{ words::vms::hardware() }</span>{ head(Column::State, words::common::state()) }
            { head(Column::LastBackup, words::vms::last_backup()) }<span></span>
        </div>
    };
    let row = {
        let rows = Rc::clone(rows);
        Callback::from(move |n: usize| {
            let row = rows.row(n);
            let key = row.vm.context_id.to_string();
            html! { <VmItem {key} ..row /> }
        })
    };
    html! {
        <LongList
            class="vm-table" {head} n_rows={rows.len()} row_height={ROW_HEIGHT} {row}
            kind={ListKind::List { name: words::vms::title() }}
        />
    }
}
