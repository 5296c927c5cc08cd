//! What stands between the format readers and an image that somebody wrote to harm them.
//!
//! The libraries are good, but none of them promises not to panic on damage or to notice structures that form a loop.
//! Panics end at [`guarded`], loops when a [`Budget`] is spent.

use std::{
    cell::Cell,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
};

use crate::{Error, Result};

/// The boundary past which no panic of a format library goes.
pub(crate) fn guarded<T>(read: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(read))
        .unwrap_or_else(|_| Err(Error::corrupt("its structures contradict each other")))
}

/// Even a read of a few bytes takes time, so it counts as this many.
const SMALLEST_READ_BYTES: u64 = 16;

/// How many bytes may still be read for what is being done. Shared by whoever sets the limit and the
/// reader that a library owns.
#[derive(Clone)]
pub(crate) struct Budget(Rc<Cell<u64>>);

impl Budget {
    /// No limit, until one is set.
    pub(crate) fn unlimited() -> Self {
        Self(Rc::new(Cell::new(u64::MAX)))
    }

    /// Sets the limit anew.
    pub(crate) fn allow(&self, n_bytes: u64) {
        self.0.set(n_bytes);
    }

    /// Counts a read before it is made.
    pub(crate) fn spend(&self, n_bytes: u64) -> io::Result<()> {
        let left = self.0.get().checked_sub(n_bytes.max(SMALLEST_READ_BYTES));
        self.0
            .set(left.ok_or_else(|| io::Error::other("its structures run in a circle"))?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_damage() {
        let caught = guarded::<()>(|| panic!("a library gave up"));
        assert!(matches!(caught, Err(Error::Corrupt { .. })));
    }

    #[test]
    fn reads_end_when_the_budget_is_spent() {
        let budget = Budget::unlimited();
        assert!(budget.spend(1 << 40).is_ok());
        budget.allow(100);
        assert!(budget.clone().spend(60).is_ok(), "clones share a budget");
        assert!(budget.spend(50).is_err());
        budget.allow(32);
        assert!(budget.spend(1).is_ok());
        assert!(budget.spend(1).is_ok());
        assert!(budget.spend(1).is_err(), "small reads are not free");
    }
}
