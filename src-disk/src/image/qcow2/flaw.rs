//! What is wrong with an image, and what stops the search for it.

use std::io;

/// Something in an image that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// What is wrong and at which byte of the file.
    pub what: String,
    /// Whether other programs refuse the image because of it. If not, it still has to be seen whether the
    /// disk reads as it should.
    pub is_refused: bool,
}

/// What ends a check.
pub(super) enum Trouble {
    Flaw(Flaw),
    Unreadable(io::Error),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Unreadable(error)
    }
}

/// A flaw that readers may pass by.
pub(super) fn flaw(what: String) -> Trouble {
    Trouble::Flaw(Flaw {
        what,
        is_refused: false,
    })
}
