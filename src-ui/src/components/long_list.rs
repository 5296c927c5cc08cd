//! A list that may be long: only the rows that are to be seen are drawn.

use yew::prelude::*;

use crate::dom;
use crate::state::rows;

#[derive(Clone, PartialEq, Properties)]
pub(crate) struct LongListProps {
    pub(crate) class: &'static str,
    /// Stays above the rows.
    pub(crate) head: Html,
    pub(crate) n_rows: usize,
    /// Pixels of a row; the style sheet says the same.
    pub(crate) row_height: f64,
    /// Draws one row. It has a key.
    pub(crate) row: Callback<usize, Html>,
    pub(crate) kind: ListKind,
    /// Said between the head and the rows.
    #[prop_or_default]
    pub(crate) children: Html,
}

/// What a list is to those who do not see it.
#[derive(Clone, PartialEq)]
pub(crate) enum ListKind {
    /// One thing below the other.
    List { name: &'static str },
    /// Rows of cells that are walked with the keys.
    Grid {
        name: &'static str,
        /// The element that scrolls and has the keys.
        node: NodeRef,
        /// The row with the focus, and its id. It stays in sight once something is selected.
        cursor: usize,
        cursor_id: Option<String>,
        n_selected: usize,
    },
}

/// A head, and as many rows as fit below it.
#[component]
pub(crate) fn LongList(props: &LongListProps) -> Html {
    let (own, above, below) = (use_node_ref(), use_node_ref(), use_node_ref());
    let place = use_state(|| (0.0, 1200.0));
    let (n_rows, row_height) = (props.n_rows, props.row_height);
    let range = rows::visible(n_rows, row_height, place.0, place.1);
    let (scroller, cursor) = match &props.kind {
        ListKind::List { .. } => (own, None),
        ListKind::Grid {
            node,
            cursor,
            n_selected,
            ..
        } => (
            node.clone(),
            (*n_selected > 0).then_some((*cursor, *n_selected)),
        ),
    };
    {
        let (above, below) = (above.clone(), below.clone());
        use_effect_with((range.clone(), n_rows), move |(range, n_rows)| {
            dom::set_height(&above, range.start as f64 * row_height);
            dom::set_height(&below, (n_rows - range.end) as f64 * row_height);
        });
    }
    {
        let scroller = scroller.clone();
        use_effect_with(cursor, move |cursor| {
            if let Some((cursor, _)) = cursor {
                dom::keep_in_sight(&scroller, *cursor, row_height);
            }
        });
    }
    let onscroll = {
        let (scroller, place) = (scroller.clone(), place.setter());
        Callback::from(move |_: Event| {
            if let Some(now) = dom::scrolled(&scroller) {
                place.set(now);
            }
        })
    };
    let rows = html! {
        for row in range {
            { props.row.emit(row) }
        }
    };
    let spacer = |node: NodeRef| html! { <div ref={node}></div> };
    match &props.kind {
        ListKind::List { name } => html! {
            <div class={props.class} ref={scroller} {onscroll}>
                { props.head.clone() }
                { props.children.clone() }
                { spacer(above) }
                <ul aria-label={*name}>{ rows }</ul>
                { spacer(below) }
            </div>
        },
        ListKind::Grid {
            name, cursor_id, ..
        } => html! {
            <div
                class={props.class} role="grid" aria-label={*name} tabindex="0" aria-multiselectable="true"
                aria-rowcount={(n_rows + 1).to_string()} aria-activedescendant={cursor_id.clone()}
                ref={scroller} {onscroll}
            >
                { props.head.clone() }
                { props.children.clone() }
                { spacer(above) }
                <div role="rowgroup">{ rows }</div>
                { spacer(below) }
            </div>
        },
    }
}
