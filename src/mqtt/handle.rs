//! Where the other stages leave their messages, and see how the connection stands. No network here.

use std::{
    ops::{Deref, DerefMut},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::sync::{Notify, watch};

use super::{
    Code, Message,
    flood::Flood,
    outbox::{Batch, Limits, Losses, Outbox},
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

/// How the file stands that keeps what waits across restarts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disk {
    /// There is none: what waits is in memory only.
    None,
    /// It takes what it is given.
    Well,
    /// It does not; what waits is in memory only, until it does again.
    Failing(String),
}

/// What the handle and the publisher share.
#[derive(Debug)]
pub(super) struct Shared {
    outbox: Mutex<Filled>,
    flood: Mutex<Flood>,
    /// Told when there is something for the disk, or nothing more will be.
    unsaved: Condvar,
    pub(super) disk: watch::Sender<Disk>,
    /// Told after each offer.
    pub(super) offered: Notify,
    /// Told when nothing waits any more.
    pub(super) emptied: Notify,
    /// Told when whoever waits for the next try may try at once.
    pub(super) hurried: Notify,
    pub(super) link: watch::Sender<Link>,
    unheard: AtomicU64,
}

/// The outbox, and whether it is filled any more.
#[derive(Debug)]
struct Filled {
    outbox: Outbox,
    ended: bool,
}

/// The outbox while it is changed. Afterwards those are told who wait for what became of it.
pub(super) struct Changing<'a> {
    filled: MutexGuard<'a, Filled>,
    shared: &'a Shared,
    /// Whether the disk knew everything before.
    saved: bool,
}

impl Deref for Changing<'_> {
    type Target = Outbox;
    fn deref(&self) -> &Outbox {
        &self.filled.outbox
    }
}

impl DerefMut for Changing<'_> {
    fn deref_mut(&mut self) -> &mut Outbox {
        &mut self.filled.outbox
    }
}

impl Drop for Changing<'_> {
    fn drop(&mut self) {
        let outbox = &self.filled.outbox;
        if (self.saved && outbox.unsaved() > 0) || outbox.has_a_full_batch() {
            self.shared.unsaved.notify_one();
        }
        if outbox.is_empty() {
            self.shared.emptied.notify_waiters();
        }
    }
}

impl Shared {
    /// `durable`: whether the messages are kept on the disk, too.
    pub(super) fn new(limits: Limits, durable: bool) -> Self {
        let outbox = if durable { Outbox::journaled(limits) } else { Outbox::new(limits) };
        Self {
            outbox: Mutex::new(Filled { outbox, ended: false }),
            flood: Mutex::default(),
            unsaved: Condvar::new(),
            disk: watch::Sender::new(Disk::None),
            offered: Notify::new(),
            emptied: Notify::new(),
            hurried: Notify::new(),
            link: watch::Sender::new(Link::Connecting),
            unheard: AtomicU64::new(0),
        }
    }

    /// Counts an arrival that nobody had room for; says how many there were.
    pub(super) fn count_unheard(&self) -> u64 {
        self.unheard.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(super) fn outbox(&self) -> Changing<'_> {
        let filled = self.filled();
        let saved = filled.outbox.unsaved() == 0;
        Changing { filled, shared: self, saved }
    }

    fn filled(&self) -> MutexGuard<'_, Filled> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing more will be left for the disk.
    pub(super) fn end(&self) {
        self.filled().ended = true;
        self.unsaved.notify_one();
    }

    /// Waits until there is something for the disk, and then for what comes soon after; `None` once the end is given and
    /// nothing is left. Blocks.
    pub(super) fn next_batch(&self, gather: Duration) -> Option<Batch> {
        let idle = |filled: &mut Filled| filled.outbox.unsaved() == 0 && !filled.ended;
        loop {
            let filled = self.unsaved.wait_while(self.filled(), idle).unwrap_or_else(PoisonError::into_inner);
            let few = |filled: &mut Filled| !filled.outbox.has_a_full_batch() && !filled.ended;
            let gathered = self.unsaved.wait_timeout_while(filled, gather, few);
            let mut filled = gathered.unwrap_or_else(PoisonError::into_inner).0;
            let batch = filled.outbox.take_unsaved(Stamp::now());
            if !batch.put.is_empty() || !batch.gone.is_empty() {
                return Some(batch);
            }
            if filled.ended {
                return None;
            }
        }
    }

    /// Lets some time pass, or less where the end is given; says whether it is. Blocks.
    pub(super) fn pause(&self, wait: Duration) -> bool {
        let waited = self.unsaved.wait_timeout_while(self.filled(), wait, |filled| !filled.ended);
        waited.unwrap_or_else(PoisonError::into_inner).0.ended
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

    /// Whether a complaint of this kind is told now, and then how many of its kind were not since the last that was.
    pub fn may_complain(&self, code: Code) -> Option<u64> {
        self.flood().tell(code, Stamp::now())
    }

    /// Of which kinds there are no more complaints, and how many of each were never told.
    pub fn untold_complaints(&self) -> Vec<(Code, u64)> {
        self.flood().over(Stamp::now())
    }

    fn flood(&self) -> MutexGuard<'_, Flood> {
        self.0.flood.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// The last message of each retained topic: what stands, whether or not the broker has it.
    pub fn retained(&self) -> Vec<Message> {
        self.0.outbox().retained().cloned().collect()
    }

    /// Connects at once where the next try was to come later: somebody may have mended what was wrong.
    pub fn connect_now(&self) {
        self.0.hurried.notify_waiters();
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

    /// Changes of the outbox that the disk does not know yet; none where there is no disk.
    pub fn unsaved(&self) -> usize {
        self.0.outbox().unsaved()
    }

    /// Follows how the disk stands.
    pub fn disk(&self) -> watch::Receiver<Disk> {
        self.0.disk.subscribe()
    }

    /// Follows how the connection stands.
    pub fn link(&self) -> watch::Receiver<Link> {
        self.0.link.subscribe()
    }
}
