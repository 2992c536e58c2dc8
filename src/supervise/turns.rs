//! Turns: many may want to begin at once, few do.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

/// Gives out so many turns at a time, in the order in which they are asked for.
#[derive(Debug, Clone)]
pub struct Turns {
    free: Arc<Semaphore>,
    longest: Duration,
}

/// One's turn; it ends when this is dropped.
#[derive(Debug)]
pub struct Turn {
    permit: Option<OwnedSemaphorePermit>,
    until: Instant,
}

impl Turns {
    /// This many at a time, at least one. None is to be held for more than `longest`.
    pub fn new(at_a_time: usize, longest: Duration) -> Self {
        Self { free: Arc::new(Semaphore::new(at_a_time.max(1))), longest }
    }

    /// Waits for a turn.
    pub async fn next(&self) -> Turn {
        // Nobody closes it; if somebody did, nobody should wait.
        let permit = Arc::clone(&self.free).acquire_owned().await.ok();
        Turn { permit, until: Instant::now() + self.longest }
    }
}

impl Turn {
    /// Ends the turn.
    pub fn end(&mut self) {
        self.permit = None;
    }

    /// Ends the turn when it has been held for long enough; does nothing, for ever, once it has ended.
    pub async fn grow_old(&mut self) {
        if self.permit.is_none() {
            return std::future::pending().await;
        }
        tokio::time::sleep_until(self.until).await;
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_turn_passes_on_when_it_ends_and_when_it_is_held_too_long() {
        let turns = Turns::new(2, Duration::from_secs(2));
        let (mut first, mut second) = (turns.next().await, turns.next().await);
        let mut third = {
            let third = turns.next();
            tokio::pin!(third);
            assert!(tokio::time::timeout(Duration::from_secs(60), &mut third).await.is_err(), "two have it");
            first.end();
            third.await
        };
        second.grow_old().await;
        let mut fourth = turns.next().await;
        let one = Duration::from_millis(1001);
        assert!(tokio::time::timeout(one, fourth.grow_old()).await.is_err());
        assert!(
            tokio::time::timeout(one, fourth.grow_old()).await.is_ok(),
            "who waits for it may look away in between"
        );
        third.end();
        let ended = tokio::time::timeout(Duration::from_secs(60), third.grow_old()).await;
        assert!(ended.is_err(), "what has ended does not grow old");
    }
}
