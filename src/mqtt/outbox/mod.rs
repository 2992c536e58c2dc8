//! What waits for the broker, bounded in bytes and age, and what goes first when there is no room.
//!
//! Without clock or network: it is told the time, hands out messages, and is told which ones arrived. Messages leave
//! in the order in which they came. Of a state or status only the newest waits. Every loss is counted (`loss`). What is to
//! outlive the process is noted for whoever writes it to the disk (`journal`).

mod journal;
mod loss;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use super::{Class, Message};
use crate::frame::Stamp;
use journal::{Change, Journal};
pub use loss::{Loss, Losses};

/// How much may wait, and how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of all waiting messages, an estimate of their bookkeeping included.
    pub bytes: usize,
    /// The age at which answers and events are no longer worth sending; states and statuses have none.
    pub age: Duration,
    /// Messages handed out and not yet acknowledged; also the most that can arrive twice after a lost connection.
    pub in_flight: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 64 << 20, age: Duration::from_secs(24 * 3600), in_flight: 100 }
    }
}

/// Names a message that was handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(u64);

#[cfg(test)]
impl Ticket {
    /// One of this number.
    pub(super) const fn of(key: u64) -> Self {
        Self(key)
    }
}

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Send this, then say what became of the ticket.
    Send(Ticket, Message),
    /// This was given up, being larger than the broker takes; ask again for the next.
    TooLarge {
        /// Its topic.
        topic: Arc<str>,
        /// The bytes of its packet.
        size: usize,
    },
}

/// A message as it is kept on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    /// Its place in the order of all.
    pub key: u64,
    /// The message.
    pub message: Message,
    /// How long it has waited.
    pub age: Duration,
}

/// What the disk is to be told next.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    /// These are to be there, in place of any of the same key.
    pub put: Vec<Saved>,
    /// These are not.
    pub gone: Vec<u64>,
}

#[derive(Debug)]
struct Entry {
    message: Message,
    since: Stamp,
    /// How long it had waited before, in another process.
    before: Duration,
}

impl Entry {
    const fn new(message: Message, since: Stamp) -> Self {
        Self { message, since, before: Duration::ZERO }
    }

    const fn age(&self, now: Stamp) -> Duration {
        self.before.saturating_add(now.since(self.since))
    }

    fn bytes(&self) -> usize {
        // The bookkeeping of one entry, so that a million empty messages are not free.
        const BOOKKEEPING: usize = 200;
        let correlation = self.message.correlation.as_ref().map_or(0, |data| data.len());
        self.message.topic.len() + self.message.payload.len() + correlation + BOOKKEEPING
    }

    /// The message with what is left of its time, if anything is.
    fn still_of_use(&self, now: Stamp) -> Option<Message> {
        let message = self.message.clone();
        let Some(expiry) = message.expiry else { return Some(message) };
        let left = expiry.checked_sub(self.age(now)).filter(|left| !left.is_zero())?;
        Some(Message { expiry: Some(left), ..message })
    }
}

/// The messages that wait, those under way, and the last retained ones.
#[derive(Debug)]
pub struct Outbox {
    limits: Limits,
    /// Waiting, by arrival; an entry that comes back after a lost connection takes its old place.
    waiting: BTreeMap<u64, Entry>,
    /// The keys of `waiting`, by class.
    by_class: [BTreeSet<u64>; Class::ALL.len()],
    /// The keys of waiting states and statuses, by topic.
    newest: HashMap<Arc<str>, u64>,
    under_way: BTreeMap<u64, Entry>,
    /// The last retained message of each topic, for a broker that forgot. As many as there are topics.
    retained: BTreeMap<Arc<str>, Entry>,
    /// Topics of which a retained message was given up, perhaps the last one: the broker may hold an older one.
    outdated: HashSet<Arc<str>>,
    bytes: usize,
    arrivals: u64,
    losses: Losses,
    /// What the disk does not know yet, where there is one.
    journal: Option<Journal>,
}

impl Outbox {
    /// An empty outbox.
    pub fn new(limits: Limits) -> Self {
        Self {
            journal: None,
            limits,
            waiting: BTreeMap::new(),
            by_class: Default::default(),
            newest: HashMap::new(),
            under_way: BTreeMap::new(),
            retained: BTreeMap::new(),
            outdated: HashSet::new(),
            bytes: 0,
            arrivals: 0,
            losses: Losses::default(),
        }
    }

    /// An empty outbox whose messages are kept on the disk, too; whoever keeps them takes what is
    /// [unsaved](Self::take_unsaved).
    pub fn journaled(limits: Limits) -> Self {
        Self { journal: Some(Journal::default()), ..Self::new(limits) }
    }

    /// New messages come after this key: those on the disk are older.
    pub fn begin_after(&mut self, key: u64) {
        self.arrivals = self.arrivals.max(key);
    }

    /// Takes a message in, giving up the least worthy where there is no room; that can be this one.
    pub fn offer(&mut self, message: Message, now: Stamp) {
        if message.retain {
            if message.payload.is_empty() {
                self.retained.remove(&message.topic);
            } else {
                let entry = Entry::new(message.clone(), now);
                self.retained.insert(Arc::clone(&message.topic), entry);
            }
        }
        self.enqueue(message, now);
    }

    fn enqueue(&mut self, message: Message, now: Stamp) {
        let entry = Entry::new(message, now);
        if entry.bytes() > self.limits.bytes {
            // Or all others would be given up for it, in vain.
            self.losses.count(Loss::Full, entry.message.class);
            return;
        }
        let message = &entry.message;
        // what empties a topic comes after all that filled it, other classes' messages among them
        let clears = message.retain && message.payload.is_empty();
        let replaced = message.class.newest_only().then(|| self.newest.get(&message.topic).copied()).flatten();
        let replaced = replaced.and_then(|key| Some((key, self.take_waiting(key)?)));
        if let Some((key, before)) = &replaced {
            self.lose(Loss::Replaced, *key, before);
        }
        // In the old place: a state that changes all the time must not wait for ever.
        let key = replaced.filter(|_| !clears).map_or_else(|| self.arrivals + 1, |(key, _)| key);
        self.arrivals = self.arrivals.max(key);
        self.bytes += entry.bytes();
        self.note(key, entry.message.class, Change::Put);
        self.put_waiting(key, entry);
        self.give_up_old(now);
        self.make_room();
    }

    /// Hands out the next message, unless as many as may be are under way. `largest`: the broker's largest packet.
    pub fn next(&mut self, now: Stamp, largest: usize) -> Option<Next> {
        self.give_up_old(now);
        if self.under_way.len() >= self.limits.in_flight {
            return None;
        }
        let key = *self.waiting.first_key_value()?.0;
        let entry = self.take_waiting(key)?;
        let size = entry.message.packet_size();
        if size > largest {
            let topic = Arc::clone(&entry.message.topic);
            // Or it would come back after each reconnect.
            self.retained.remove(&topic);
            self.lose(Loss::TooLarge, key, &entry);
            return Some(Next::TooLarge { topic, size });
        }
        let message = entry.message.clone();
        self.under_way.insert(key, entry);
        Some(Next::Send(Ticket(key), message))
    }

    /// The broker has it.
    pub fn arrived(&mut self, ticket: Ticket) {
        if let Some(entry) = self.under_way.remove(&ticket.0) {
            self.bytes -= entry.bytes();
            self.note(ticket.0, entry.message.class, Change::Gone);
        }
    }

    /// The broker will not have it, now or later; says on which topic it was.
    pub fn refused(&mut self, ticket: Ticket) -> Option<Arc<str>> {
        let entry = self.under_way.remove(&ticket.0)?;
        let topic = Arc::clone(&entry.message.topic);
        self.retained.remove(&topic);
        self.lose(Loss::Refused, ticket.0, &entry);
        Some(topic)
    }

    /// The broker ended the connection because of a packet's size, without a word about which: gives up the largest.
    pub fn give_up_largest(&mut self) -> Option<Arc<str>> {
        let (&key, _) = self.under_way.iter().max_by_key(|(_, entry)| entry.bytes())?;
        let entry = self.under_way.remove(&key)?;
        let topic = Arc::clone(&entry.message.topic);
        self.retained.remove(&topic);
        self.lose(Loss::TooLarge, key, &entry);
        Some(topic)
    }

    /// The connection is lost: what was under way waits again, before all that came later. But for replies: the topic of one
    /// is an asker's choice, and may be what the broker ended the connection for.
    pub fn connection_lost(&mut self) {
        // the newest first, so that of two states under way it is the one that waits again
        for (key, entry) in std::mem::take(&mut self.under_way).into_iter().rev() {
            let newer = entry.message.class.newest_only() && self.newest.contains_key(&entry.message.topic);
            if newer {
                self.lose(Loss::Replaced, key, &entry);
            } else if entry.message.is_reply() {
                self.lose(Loss::Refused, key, &entry);
            } else {
                self.put_waiting(key, entry);
            }
        }
    }

    /// A new connection: states and statuses are sent again, and whatever else is retained where one was given up, or the
    /// broker forgot this client.
    pub fn connected(&mut self, broker_forgot: bool, now: Stamp) {
        let waiting: HashSet<Arc<str>> = self.waiting.values().map(|entry| Arc::clone(&entry.message.topic)).collect();
        let outdated = std::mem::take(&mut self.outdated);
        let again = self.retained.values().filter(|Entry { message, .. }| {
            let is_due = broker_forgot || message.class.newest_only() || outdated.contains(&message.topic);
            is_due && !waiting.contains(&message.topic)
        });
        for message in again.filter_map(|entry| entry.still_of_use(now)).collect::<Vec<_>>() {
            self.enqueue(message, now);
        }
    }

    /// The last message of each retained topic, by topic.
    pub fn retained(&self) -> impl Iterator<Item = &Message> {
        self.retained.values().map(|entry| &entry.message)
    }

    /// Whether nothing waits and nothing is under way.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.under_way.is_empty()
    }
    /// Messages waiting or under way.
    pub fn len(&self) -> usize {
        self.waiting.len() + self.under_way.len()
    }
    /// Bytes waiting or under way.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }
    /// What was given up since the start.
    pub const fn losses(&self) -> Losses {
        self.losses
    }

    fn put_waiting(&mut self, key: u64, entry: Entry) {
        self.by_class[entry.message.class as usize].insert(key);
        if entry.message.class.newest_only() {
            self.newest.insert(Arc::clone(&entry.message.topic), key);
        }
        self.waiting.insert(key, entry);
    }

    fn take_waiting(&mut self, key: u64) -> Option<Entry> {
        let entry = self.waiting.remove(&key)?;
        self.by_class[entry.message.class as usize].remove(&key);
        if entry.message.class.newest_only() {
            self.newest.remove(&entry.message.topic);
        }
        Some(entry)
    }

    fn lose(&mut self, loss: Loss, key: u64, entry: &Entry) {
        self.bytes -= entry.bytes();
        self.note(key, entry.message.class, Change::Gone);
        self.losses.count(loss, entry.message.class);
        if entry.message.retain && matches!(loss, Loss::Full | Loss::TooOld) {
            self.outdated.insert(Arc::clone(&entry.message.topic));
        }
    }

    fn give_up_old(&mut self, now: Stamp) {
        for class in Class::ALL.into_iter().filter(|class| !class.newest_only()) {
            while let Some(&key) = self.by_class[class as usize].first() {
                if self.waiting.get(&key).is_none_or(|entry| entry.age(now) <= self.limits.age) {
                    break;
                }
                if let Some(entry) = self.take_waiting(key) {
                    self.lose(Loss::TooOld, key, &entry);
                }
            }
        }
    }

    fn make_room(&mut self) {
        while self.bytes > self.limits.bytes {
            let Some(key) = self.by_class.iter().find_map(|keys| keys.first().copied()) else { return };
            if let Some(entry) = self.take_waiting(key) {
                self.lose(Loss::Full, key, &entry);
            }
        }
    }
}

#[cfg(test)]
mod tests;
