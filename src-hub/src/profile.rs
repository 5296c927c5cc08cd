//! Which dialect of the contract a hub speaks (contract 8.9).

/// Shapes and words of a hub's answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// What users get: documented names and statuses, with the fields that only deployed hubs have
    /// beside them.
    #[default]
    Default,
    /// Exactly the keys, types and statuses of the documentation. A superset hides missing-field
    /// bugs of clients, so their contract tests run against this.
    Documented,
}

impl Profile {
    /// A part of a reply that only deployed hubs know; left out of the pure dialect.
    pub(crate) fn deployed<T>(self, part: impl FnOnce() -> T) -> Option<T> {
        match self {
            Self::Default => Some(part()),
            Self::Documented => None,
        }
    }
}
