//! Rules that need no page.

pub(crate) mod app;
pub(crate) mod rows;
pub(crate) mod selection;
pub(crate) mod sort;
