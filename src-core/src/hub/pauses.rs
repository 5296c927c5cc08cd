//! How often the work of a hub is looked at.

use std::time::Duration;

use tokio::time::Instant;

/// Much is done in a moment.
const SHORTEST: Duration = Duration::from_millis(25);
const LONGEST: Duration = Duration::from_secs(2);
/// A pause is that part of the time which has passed: the end is noticed in step with how long it took.
const PART_OF_THE_TIME: u32 = 16;

/// The pauses between looks at running work.
pub(super) struct Pauses {
    began: Instant,
}

impl Pauses {
    /// From now on.
    pub(super) fn begin() -> Self {
        Self {
            began: Instant::now(),
        }
    }

    /// Waits until it is time for another look.
    pub(super) async fn wait(&self) {
        let pause = self.began.elapsed() / PART_OF_THE_TIME;
        tokio::time::sleep(pause.clamp(SHORTEST, LONGEST)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_longer_it_takes_the_longer_are_the_pauses() {
        let pauses = Pauses::begin();
        pauses.wait().await;
        assert_eq!(pauses.began.elapsed(), SHORTEST);
        tokio::time::advance(Duration::from_secs(16)).await;
        let before = pauses.began.elapsed();
        pauses.wait().await;
        let pause = pauses.began.elapsed() - before;
        assert!(
            pause >= Duration::from_secs(1) && pause < Duration::from_millis(1100),
            "{pause:?}"
        );
        tokio::time::advance(Duration::from_secs(3600)).await;
        let before = pauses.began.elapsed();
        pauses.wait().await;
        assert_eq!(pauses.began.elapsed() - before, LONGEST);
    }
}
