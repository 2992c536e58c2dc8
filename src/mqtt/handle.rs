//! Where the other stages leave their messages, and see how the connection stands. No network here.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::sync::{Notify, watch};

use super::{
    Message,
    outbox::{Limits, Losses, Outbox, Ticket},
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
    /// Told when nothing waits any more.
    pub(super) emptied: Notify,
    pub(super) link: watch::Sender<Link>,
    unheard: AtomicU64,
}

impl Shared {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            outbox: Mutex::new(Outbox::new(limits)),
            offered: Notify::new(),
            emptied: Notify::new(),
            link: watch::Sender::new(Link::Connecting),
            unheard: AtomicU64::new(0),
        }
    }

    /// The broker has this message.
    pub(super) fn arrived(&self, ticket: Ticket) {
        let mut outbox = self.outbox();
        outbox.arrived(ticket);
        if outbox.is_empty() {
            self.emptied.notify_waiters();
        }
    }

    /// Counts an arrival that nobody had room for; says how many there were.
    pub(super) fn count_unheard(&self) -> u64 {
        self.unheard.fetch_add(1, Ordering::Relaxed) + 1
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

    /// Says again all that is retained: to someone who was not there when it was said.
    pub fn repeat(&self) {
        self.0.outbox().connected(true, Stamp::now());
        self.0.offered.notify_one();
    }

    /// Waits until nothing waits: until the broker has all that was offered before, or it was given up.
    pub async fn emptied(&self) {
        loop {
            let emptied = self.0.emptied.notified();
            if self.0.outbox().is_empty() {
                return;
            }
            emptied.await;
        }
    }

    /// What was given up since the start.
    pub fn losses(&self) -> Losses {
        self.0.outbox().losses()
    }

    /// Messages of others that were dropped because too many came at once.
    pub fn unheard(&self) -> u64 {
        self.0.unheard.load(Ordering::Relaxed)
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
