//! Rules that need no page.

pub(crate) mod app;
pub(crate) mod chain;
pub(crate) mod order;
pub(crate) mod rows;
pub(crate) mod selection;
pub(crate) mod sort;
pub(crate) mod type_ahead;
pub(crate) mod vms;
