//! The one channel of news: whoever wants to hear subscribes, and nobody has to.

use sendense_types::AppEvent;
use tokio::sync::broadcast;

/// News that a listener may fall behind before it misses some.
const CAPACITY: usize = 1024;

/// Where the core publishes what happens. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Events(broadcast::Sender<AppEvent>);

impl Events {
    /// A channel without listeners.
    pub fn new() -> Self {
        Self(broadcast::Sender::new(CAPACITY))
    }

    /// Tells everybody who listens.
    pub fn publish(&self, event: AppEvent) {
        // Without listeners there is nobody to tell, which is no failure.
        drop(self.0.send(event));
    }

    /// Hears what is published from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<AppEvent> {
        self.0.subscribe()
    }
}

impl Default for Events {
    fn default() -> Self {
        Self::new()
    }
}
