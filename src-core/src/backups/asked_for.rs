//! Verifications and copies that somebody here waits for: what of them would end with the app.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sendense_types::HubId;

/// What was asked for here and goes on, by hub.
#[derive(Clone, Default)]
pub(super) struct AskedFor(Arc<Mutex<Vec<(HubId, Work)>>>);

/// What takes a while and is asked for by one who waits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    Verifying,
    Copying,
}

/// Counts for as long as it lives.
pub(super) struct Counted {
    asked_for: AskedFor,
    work: (HubId, Work),
}

impl AskedFor {
    pub(super) fn count(&self, hub: &HubId, work: Work) -> Counted {
        let work = (hub.clone(), work);
        self.lock().push(work.clone());
        let asked_for = self.clone();
        Counted { asked_for, work }
    }

    pub(super) fn of(&self, hub: &HubId, work: Work) -> usize {
        let is_it = |(at, what): &&(HubId, Work)| at == hub && *what == work;
        self.lock().iter().filter(is_it).count()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(HubId, Work)>> {
        // Nothing panics under this lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut all = self.asked_for.lock();
        if let Some(place) = all.iter().position(|work| *work == self.work) {
            all.swap_remove(place);
        }
    }
}
