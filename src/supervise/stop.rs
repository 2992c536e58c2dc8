//! The signal that asks tasks to end.

use tokio_util::sync::CancellationToken;

/// Asks every holder to end; children end with their parent, never the other way round.
#[derive(Debug, Clone, Default)]
pub struct Stop(CancellationToken);

impl Stop {
    /// A signal that nobody has given yet.
    pub fn new() -> Self {
        Self::default()
    }
    /// A signal of its own that is also given when this one is.
    pub fn child(&self) -> Self {
        Self(self.0.child_token())
    }
    /// Gives the signal.
    pub fn give(&self) {
        self.0.cancel();
    }
    /// Whether it was given.
    pub fn is_given(&self) -> bool {
        self.0.is_cancelled()
    }
    /// Waits until it is given.
    pub async fn given(&self) {
        self.0.cancelled().await;
    }
}
