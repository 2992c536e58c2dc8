//! What of the outbox the disk does not know yet, and what it is told of messages that it kept before.
//!
//! Changes of one message that the disk has not heard of become one, or none: what was acknowledged before it was written
//! is never written.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use super::{Batch, Class, Entry, Loss, Message, Outbox, Saved};
use crate::frame::Stamp;

/// What happened to a message since the disk heard of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// It came, or is another.
    Put,
    /// It arrived, or was given up.
    Gone,
}

/// What the disk does not know, and what it may hold.
#[derive(Debug, Default)]
pub(super) struct Journal {
    unsaved: BTreeMap<u64, Change>,
    /// What is being written.
    under_way: usize,
    /// All that the disk holds, and what it may hold because it is being written.
    on_disk: BTreeSet<u64>,
}

impl Journal {
    fn note(&mut self, key: u64, change: Change) {
        if change == Change::Put || self.on_disk.contains(&key) {
            self.unsaved.insert(key, change);
        } else {
            self.unsaved.remove(&key);
        }
    }
}

/// Messages of one transaction, and their bytes.
const BATCH: (usize, usize) = (256, 256 << 10);

impl Class {
    /// Whether a message is worth being kept across a restart: what is said anew at each start is not, nor is a picture.
    pub const fn outlives(self) -> bool {
        matches!(self, Self::Error | Self::Caption | Self::Answer | Self::State | Self::Event)
    }
}

impl Outbox {
    pub(super) fn note(&mut self, key: u64, class: Class, change: Change) {
        if let Some(journal) = self.journal.as_mut().filter(|_| class.outlives()) {
            journal.note(key, change);
        }
    }

    /// How many changes the disk does not know, those included that it is being told.
    pub fn unsaved(&self) -> usize {
        self.journal.as_ref().map_or(0, |journal| journal.unsaved.len() + journal.under_way)
    }

    /// Whether so much is unsaved that it should not wait for more.
    pub fn has_a_full_batch(&self) -> bool {
        self.journal.as_ref().is_some_and(|journal| journal.unsaved.len() >= BATCH.0)
    }

    /// How many of the messages that wait or are under way are on the disk.
    pub fn kept(&self) -> usize {
        let Some(journal) = &self.journal else { return 0 };
        let known = |key: &&u64| journal.unsaved.get(*key) != Some(&Change::Put) && self.live(**key).is_some();
        journal.on_disk.iter().filter(known).count()
    }

    /// Hands out the oldest changes that the disk does not know, to say of them [that they are saved](Self::saved) or
    /// [not](Self::not_saved).
    pub fn take_unsaved(&mut self, now: Stamp) -> Batch {
        let (mut batch, mut bytes) = (Batch::default(), 0);
        while let Some((&key, &change)) = self.journal.as_ref().and_then(|journal| journal.unsaved.first_key_value()) {
            let entry = self.live(key).map(|entry| (entry.message.clone(), entry.age(now), entry.bytes()));
            let full = batch.put.len() + batch.gone.len() >= BATCH.0 || bytes >= BATCH.1;
            let Some(journal) = self.journal.as_mut().filter(|_| !full) else { break };
            journal.unsaved.remove(&key);
            journal.under_way += 1;
            match (change, entry) {
                (Change::Put, Some((message, age, size))) => {
                    bytes += size;
                    journal.on_disk.insert(key);
                    batch.put.push(Saved { key, message, age });
                }
                _ => batch.gone.push(key),
            }
        }
        batch
    }

    /// The disk has these.
    pub fn saved(&mut self, batch: &Batch) {
        let Some(journal) = &mut self.journal else { return };
        journal.under_way = 0;
        for key in &batch.gone {
            journal.on_disk.remove(key);
        }
    }

    /// The disk may have all, some or none of these: they are unsaved again.
    pub fn not_saved(&mut self, batch: &Batch) {
        let Some(journal) = &mut self.journal else { return };
        journal.under_way = 0;
        for (key, change) in batch
            .put
            .iter()
            .map(|saved| (saved.key, Change::Put))
            .chain(batch.gone.iter().map(|key| (*key, Change::Gone)))
        {
            // what happened since is newer
            journal.unsaved.entry(key).or_insert(change);
        }
    }

    /// The disk, after it failed, holds exactly these keys: what else is to be there is unsaved, and what is not is to go.
    pub fn disk_holds(&mut self, keys: impl IntoIterator<Item = u64>) {
        let on_disk: BTreeSet<u64> = keys.into_iter().collect();
        let live = self.waiting.iter().chain(&self.under_way).filter(|(_, entry)| entry.message.class.outlives());
        let live: BTreeSet<u64> = live.map(|(key, _)| *key).collect();
        let Some(journal) = &mut self.journal else { return };
        journal.unsaved.retain(|key, change| *change == Change::Put && live.contains(key));
        journal.unsaved.extend(live.difference(&on_disk).map(|key| (*key, Change::Put)));
        journal.unsaved.extend(on_disk.difference(&live).map(|key| (*key, Change::Gone)));
        journal.on_disk = on_disk;
    }

    /// Takes in what the disk kept of an earlier process: all of it older than what came since, and none of it a loss
    /// unless it is too old, too much, or there is a newer state by now.
    pub fn restore(&mut self, mut saved: Vec<Saved>, now: Stamp) {
        saved.sort_by_key(|saved| saved.key);
        let waits: BTreeSet<&Arc<str>> = self.waiting.values().map(|entry| &entry.message.topic).collect();
        // what left in this process is newer than the disk's, which will be behind it
        let left: BTreeSet<Arc<str>> =
            self.retained.keys().filter(|topic| !waits.contains(topic)).map(Arc::clone).collect();
        let mut overtaken = BTreeSet::new();
        for Saved { message, age, .. } in saved.iter().rev().filter(|saved| saved.message.retain) {
            let retained = Entry { before: *age, ..Entry::new(message.clone(), now) };
            self.retained.entry(Arc::clone(&message.topic)).or_insert(retained);
        }
        for Saved { key, message, age } in saved {
            let taken = self.live(key).is_some();
            if let Some(journal) = &mut self.journal {
                journal.on_disk.insert(key);
            }
            // only where the clock went back, so that this process began before that one
            let key = if taken {
                self.arrivals += 1;
                self.arrivals
            } else {
                key
            };
            self.arrivals = self.arrivals.max(key);
            if message.retain && left.contains(&message.topic) {
                overtaken.insert(Arc::clone(&message.topic));
            }
            self.put_back(key, message, age, now);
            if taken {
                self.note(key, Class::Event, Change::Put);
            }
        }
        self.give_up_old(now);
        self.make_room();
        // the broker keeps what comes last
        let last = overtaken.iter().filter_map(|topic| self.retained.get(topic)?.still_of_use(now)).collect::<Vec<_>>();
        last.into_iter().for_each(|message| self.enqueue(message, now));
    }

    fn put_back(&mut self, key: u64, message: Message, age: Duration, now: Stamp) {
        let entry = Entry { before: age, ..Entry::new(message, now) };
        self.bytes += entry.bytes();
        if entry.message.class.newest_only()
            && let Some(&other) = self.newest.get(&entry.message.topic)
        {
            if other > key {
                self.lose(Loss::Replaced, key, &entry);
                return;
            }
            if let Some(older) = self.take_waiting(other) {
                self.lose(Loss::Replaced, other, &older);
            }
        }
        self.put_waiting(key, entry);
    }

    fn live(&self, key: u64) -> Option<&Entry> {
        self.waiting.get(&key).or_else(|| self.under_way.get(&key))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::mqtt::outbox::{
        Limits, Next, Ticket,
        tests::{at, message},
    };

    /// What is on the disk, by key.
    type Pages = BTreeMap<u64, Saved>;

    fn apply(disk: &mut Pages, batch: &Batch) {
        batch.gone.iter().for_each(|key| _ = disk.remove(key));
        disk.extend(batch.put.iter().map(|saved| (saved.key, saved.clone())));
    }

    fn flush(outbox: &mut Outbox, disk: &mut Pages, now: Stamp) {
        while outbox.unsaved() > 0 {
            let batch = outbox.take_unsaved(now);
            apply(disk, &batch);
            outbox.saved(&batch);
        }
    }

    fn texts(disk: &Pages) -> Vec<String> {
        disk.values().map(|saved| String::from_utf8(saved.message.payload.to_vec()).unwrap()).collect()
    }

    #[test]
    fn what_arrives_before_it_is_written_is_never_written() {
        let (mut outbox, mut disk) = (Outbox::journaled(Limits::default()), Pages::new());
        outbox.offer(message(Class::Event, "e", "e1"), at(0));
        outbox.offer(message(Class::Status, "s/status", "online"), at(0));
        let Some(Next::Send(ticket, _)) = outbox.next(at(0), usize::MAX) else { panic!("nothing is sent") };
        assert_eq!(outbox.unsaved(), 1, "a status is said anew at each start");
        outbox.arrived(ticket);
        assert_eq!(outbox.unsaved(), 0);
        outbox.offer(message(Class::State, "s", "yes"), at(0));
        flush(&mut outbox, &mut disk, at(0));
        outbox.offer(message(Class::State, "s", "no"), at(1));
        flush(&mut outbox, &mut disk, at(1));
        assert_eq!(
            (texts(&disk), outbox.kept()),
            (vec!["no".to_owned()], 1),
            "a newer state is in the place of the older"
        );
    }

    #[test]
    fn what_comes_back_is_before_all_else_and_as_old_as_it_is() {
        let mut outbox = Outbox::journaled(Limits { age: Duration::from_secs(60), ..Limits::default() });
        outbox.begin_after(1000);
        outbox.offer(message(Class::State, "s", "new"), at(0));
        outbox.offer(message(Class::Event, "e", "e3"), at(0));
        let saved = |key, class, topic, payload, age| Saved {
            key,
            message: message(class, topic, payload),
            age: Duration::from_secs(age),
        };
        let left = vec![
            saved(7, Class::Event, "e", "e2", 30),
            saved(5, Class::Event, "e", "e1", 50),
            saved(3, Class::Event, "e", "e0", 61),
            saved(6, Class::State, "s", "old", 40),
            saved(1002, Class::Event, "e", "of a clock that went back", 1),
        ];
        let mut disk: Pages = left.iter().map(|saved| (saved.key, saved.clone())).collect();
        outbox.restore(left, at(0));
        assert_eq!((outbox.losses().by(Loss::TooOld), outbox.losses().by(Loss::Replaced)), (1, 1));
        flush(&mut outbox, &mut disk, at(0));
        assert_eq!(texts(&disk), ["e1", "e2", "new", "e3", "of a clock that went back"]);
        let mut sent = Vec::new();
        while let Some(Next::Send(_, message)) = outbox.next(at(11), usize::MAX) {
            sent.push(String::from_utf8(message.payload.to_vec()).unwrap());
        }
        assert_eq!(sent.join(" "), "e2 new e3 of a clock that went back", "e1 is too old by now");
    }

    #[test]
    fn what_comes_back_late_is_not_the_last_that_the_broker_keeps() {
        let mut outbox = Outbox::journaled(Limits::default());
        outbox.begin_after(1000);
        for (class, topic) in [(Class::State, "s"), (Class::Answer, "a")] {
            outbox.offer(message(class, topic, "new"), at(0));
            let Some(Next::Send(ticket, _)) = outbox.next(at(0), usize::MAX) else { panic!("nothing is sent") };
            outbox.arrived(ticket);
        }
        let saved = [(3, Class::State, "s"), (4, Class::Answer, "a"), (5, Class::Answer, "b")];
        let saved = saved.map(|(key, class, topic)| Saved {
            key,
            message: message(class, topic, "old"),
            age: Duration::from_secs(9),
        });
        outbox.restore(saved.to_vec(), at(1));
        let mut sent = Vec::new();
        while let Some(Next::Send(_, message)) = outbox.next(at(1), usize::MAX) {
            sent.push(format!("{} {}", message.topic, String::from_utf8(message.payload.to_vec()).unwrap()));
        }
        assert_eq!(sent, ["s new", "a old", "b old", "a new"]);
    }

    #[test]
    fn a_disk_that_lost_everything_is_told_everything() {
        let (mut outbox, mut disk) = (Outbox::journaled(Limits::default()), Pages::new());
        for n in 0..600 {
            outbox.offer(message(Class::Event, "e", &n.to_string()), at(0));
        }
        assert!(outbox.has_a_full_batch());
        flush(&mut outbox, &mut disk, at(0));
        assert_eq!((disk.len(), outbox.kept()), (600, 600));
        disk.clear();
        outbox.disk_holds([]);
        flush(&mut outbox, &mut disk, at(0));
        assert_eq!(disk.len(), 600);
    }

    #[derive(Debug, Clone)]
    enum Step {
        Offer(usize, usize),
        Send,
        Arrive,
        LoseConnection,
        Save,
        /// The disk says that it failed; it has the batch, or not.
        FailToSave(bool),
        /// It was opened again.
        Reopen,
        Kill,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            8 => (0..Class::ALL.len(), 0..3_usize).prop_map(|(class, topic)| Step::Offer(class, topic)),
            4 => Just(Step::Send),
            3 => Just(Step::Arrive),
            1 => Just(Step::LoseConnection),
            3 => Just(Step::Save),
            1 => any::<bool>().prop_map(Step::FailToSave),
            1 => Just(Step::Reopen),
            1 => Just(Step::Kill),
        ];
        prop::collection::vec(step, 1..150)
    }

    proptest! {
        /// Whatever happens: what was saved and did not arrive is there after a kill, and at the end the disk holds what
        /// memory holds, no less and no more.
        #[test]
        fn the_disk_holds_what_did_not_arrive(steps in steps()) {
            let limits = Limits { bytes: 6000, age: Duration::from_secs(60), in_flight: 4 };
            let (mut outbox, mut disk) = (Outbox::journaled(limits), Pages::new());
            let mut under_way: Vec<(Ticket, String)> = Vec::new();
            for (second, step) in steps.into_iter().enumerate() {
                let now = at(second as u64);
                match step {
                    Step::Offer(class, topic) => {
                        let class = Class::ALL[class];
                        outbox.offer(message(class, &format!("{class:?}/{topic}"), &format!("{second:04}")), now);
                    }
                    Step::Send => if let Some(Next::Send(ticket, message)) = outbox.next(now, usize::MAX) {
                        under_way.push((ticket, String::from_utf8(message.payload.to_vec()).unwrap()));
                    },
                    Step::Arrive => if let Some((ticket, _)) = under_way.pop() {
                        outbox.arrived(ticket);
                    },
                    Step::LoseConnection => {
                        outbox.connection_lost();
                        under_way.clear();
                    }
                    Step::Save => {
                        let batch = outbox.take_unsaved(now);
                        apply(&mut disk, &batch);
                        outbox.saved(&batch);
                    }
                    Step::FailToSave(written) => {
                        let batch = outbox.take_unsaved(now);
                        if written {
                            apply(&mut disk, &batch);
                        }
                        outbox.not_saved(&batch);
                    }
                    Step::Reopen => outbox.disk_holds(disk.keys().copied()),
                    Step::Kill => {
                        under_way.clear();
                        let before = disk.len();
                        outbox = Outbox::journaled(limits);
                        outbox.restore(disk.values().cloned().collect(), now);
                        let lost: u64 = Loss::ALL.into_iter().map(|loss| outbox.losses().by(loss)).sum();
                        prop_assert_eq!(before as u64, outbox.len() as u64 + lost);
                    }
                }
            }
            flush(&mut outbox, &mut disk, at(0));
            outbox.connection_lost();
            flush(&mut outbox, &mut disk, at(0));
            let live = outbox.waiting.iter().filter(|(_, entry)| entry.message.class.outlives());
            let live: Vec<(u64, &Message)> = live.map(|(key, entry)| (*key, &entry.message)).collect();
            let held: Vec<(u64, &Message)> = disk.values().map(|saved| (saved.key, &saved.message)).collect();
            prop_assert_eq!(held, live);
            prop_assert_eq!(outbox.kept(), disk.len());
        }
    }
}
