//! A mailbox for one thing, where the newest wins: live input never waits.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use tokio::sync::Notify;

/// Holds the newest value offered; an older one that nobody took is replaced and counted.
#[derive(Debug)]
pub struct Latest<T> {
    place: Mutex<Option<T>>,
    filled: Notify,
    replaced: AtomicU64,
}

impl<T> Default for Latest<T> {
    fn default() -> Self {
        Self { place: Mutex::new(None), filled: Notify::new(), replaced: AtomicU64::new(0) }
    }
}

impl<T> Latest<T> {
    /// An empty mailbox.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a value in, replacing one that was not taken; never blocks.
    pub fn offer(&self, value: T) {
        let before = self.place.lock().unwrap_or_else(PoisonError::into_inner).replace(value);
        if before.is_some() {
            self.replaced.fetch_add(1, Ordering::Relaxed);
        }
        self.filled.notify_one();
    }

    /// Takes the newest value, waiting for one if there is none. One taker at a time.
    pub async fn take(&self) -> T {
        loop {
            let value = self.place.lock().unwrap_or_else(PoisonError::into_inner).take();
            match value {
                Some(value) => return value,
                None => self.filled.notified().await,
            }
        }
    }

    /// How many values were replaced before anybody took them.
    pub fn replaced(&self) -> u64 {
        self.replaced.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_newest_wins_and_the_loss_is_counted() {
        let latest = Latest::new();
        for n in 1..=3 {
            latest.offer(n);
        }
        assert_eq!(latest.take().await, 3);
        assert_eq!(latest.replaced(), 2);
    }
}
