//! What the OpenAPI document says of a route that its handler's types do not: what it does, what else may be asked, and
//! how it refuses.

use axum::http::StatusCode;

/// What is said of a route, written beside it in the table of routes.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(test), expect(dead_code, reason = "read for the document only"))]
pub(crate) struct About {
    /// What it does, in one line.
    pub(crate) summary: &'static str,
    /// What else there is to know.
    pub(crate) notes: &'static str,
    /// Further parameters, which the handler reads by itself.
    pub(crate) parameters: &'static [Parameter],
    /// With what it refuses, beside the ways in which all routes of its kind do.
    pub(crate) refusals: &'static [StatusCode],
}

/// A parameter that a handler reads by itself, as text.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(test), expect(dead_code, reason = "read for the document only"))]
pub(crate) struct Parameter {
    /// What it is called.
    pub(crate) name: &'static str,
    /// What it means.
    pub(crate) meaning: &'static str,
    /// Where it is.
    pub(crate) place: Place,
    /// What it may be; empty where that is any text.
    pub(crate) values: &'static [&'static str],
    /// Whether it has to be there.
    pub(crate) is_required: bool,
}

/// Where a parameter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the query string.
    Query,
    /// Among the headers.
    Header,
}

/// Begins what is said of a route.
pub(crate) const fn about(summary: &'static str) -> About {
    About {
        summary,
        notes: "",
        parameters: &[],
        refusals: &[],
    }
}

impl About {
    /// What else there is to know.
    pub(crate) const fn notes(self, notes: &'static str) -> Self {
        Self { notes, ..self }
    }

    /// Further parameters, which the handler reads by itself.
    pub(crate) const fn parameters(self, parameters: &'static [Parameter]) -> Self {
        Self { parameters, ..self }
    }

    /// With what it refuses, beside the ways in which all routes of its kind do.
    pub(crate) const fn refuses(self, refusals: &'static [StatusCode]) -> Self {
        Self { refusals, ..self }
    }
}
