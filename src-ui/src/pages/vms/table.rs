//! The machines as rows; only those that are to be seen are drawn and asked about.

use yew::prelude::*;

use super::row::{VmRow, VmRowProps};
use crate::dom;
use crate::state::rows;
use crate::state::vms::{Column, Order};

/// Pixels of a row; the style sheet says the same.
const ROW_HEIGHT: f64 = 60.0;

#[derive(Clone, PartialEq, Properties)]
pub(super) struct VmTableProps {
    pub(super) rows: Vec<VmRowProps>,
    pub(super) order: Order,
    pub(super) on_order: Callback<Column>,
    pub(super) is_all_chosen: bool,
    pub(super) on_toggle_all: Callback<()>,
}

/// Name, hardware, state, last backup, and what to do.
#[component]
pub(super) fn VmTable(props: &VmTableProps) -> Html {
    let scroller = use_node_ref();
    let (above, below) = (use_node_ref(), use_node_ref());
    let place = use_state(|| (0.0, 1200.0));
    let range = rows::visible(props.rows.len(), ROW_HEIGHT, place.0, place.1);
    {
        let (above, below) = (above.clone(), below.clone());
        let n_rows = props.rows.len();
        use_effect_with((range.clone(), n_rows), move |(range, n_rows)| {
            dom::set_height(&above, range.start as f64 * ROW_HEIGHT);
            dom::set_height(&below, (n_rows - range.end) as f64 * ROW_HEIGHT);
        });
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
    let head = |column: Column, text: &'static str| {
        let arrow = match (props.order.column == column, props.order.is_descending) {
            (false, _) => "",
            (true, false) => " ↑",
            (true, true) => " ↓",
        };
        let label = match arrow {
            "" => format!("Sort by {text}"),
            _ => format!("Sort by {text}, the other way round"),
        };
        let onclick = props.on_order.reform(move |_: MouseEvent| column);
        html! { <button type="button" aria-label={label} {onclick}>{ text }{ arrow }</button> }
    };
    let onchange = props.on_toggle_all.reform(|_: Event| ());
    html! {
        <div class="vm-table" ref={scroller} {onscroll}>
            <div class="vm-table__head">
                <input type="checkbox" aria-label="Select all" checked={props.is_all_chosen} {onchange} />
                { head(Column::Name, "Name") }<span>{ "Hardware" }</span>{ head(Column::State, "State") }
                { head(Column::LastBackup, "Last backup") }<span></span>
            </div>
            <div ref={above}></div>
            <ul aria-label="Virtual machines">
                for row in &props.rows[range] {
                    <VmRow key={row.vm.context_id.to_string()} ..row.clone() />
                }
            </ul>
            <div ref={below}></div>
        </div>
    }
}
