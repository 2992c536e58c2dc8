//! Where the other stages leave their messages, and see how the connection stands. No network here.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::{Notify, watch};

use super::{
    Message,
    outbox::{Limits, Losses, Outbox},
};
use crate::frame::Stamp;

/// How the connection stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Link {
    /// The first connection is being made.
    Connecting,
    /// Connected.
    Connected,
    /// Not connected; the next try comes after this wait.
    Away {
        /// Why not.
        error: String,
        /// How long until the next try.
        retry_in: Duration,
    },
    /// Ended, as asked.
    Stopped,
}

/// What the handle and the publisher share.
#[derive(Debug)]
pub(super) struct Shared {
    outbox: Mutex<Outbox>,
    /// Told after each offer.
    pub(super) offered: Notify,
    pub(super) link: watch::Sender<Link>,
}

impl Shared {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            outbox: Mutex::new(Outbox::new(limits)),
            offered: Notify::new(),
            link: watch::Sender::new(Link::Connecting),
        }
    }

    pub(super) fn outbox(&self) -> MutexGuard<'_, Outbox> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where the other stages leave their messages.
#[derive(Debug, Clone)]
pub struct Handle(pub(super) Arc<Shared>);

impl Handle {
    /// Leaves a message in the outbox; never waits, whatever the broker does.
    pub fn offer(&self, message: Message) {
        self.0.outbox().offer(message, Stamp::now());
        self.0.offered.notify_one();
    }

    /// Empties retained topics, such as those of a camera or prompt that is gone ([`Topics::retained_of_prompt`]).
    pub fn clear(&self, topics: impl IntoIterator<Item = String>) {
        topics.into_iter().for_each(|topic| self.offer(Message::cleared(topic)));
    }

    /// What was given up since the start.
    pub fn losses(&self) -> Losses {
        self.0.outbox().losses()
    }

    /// Messages and bytes that wait or are under way.
    pub fn waiting(&self) -> (usize, usize) {
        let outbox = self.0.outbox();
        (outbox.len(), outbox.bytes())
    }

    /// Follows how the connection stands.
    pub fn link(&self) -> watch::Receiver<Link> {
        self.0.link.subscribe()
    }
}
