//! The thread that keeps the outbox on the disk. Nobody waits for it: it takes what the disk does not know, some at a time.
//!
//! A message is safe once the disk or the broker has it. It is on its way to both at the same time, and what the broker
//! acknowledges first is never written.

use std::{
    io,
    path::PathBuf,
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, SystemTime},
};

use super::{
    Class, Content, Message,
    handle::{Disk, Shared},
    outbox::{Batch, Saved},
};
use crate::{
    frame::Stamp,
    store::spool::{self, Row, Spool},
    telemetry::Event,
};

/// How long the first change of a transaction waits for others: a disk is asked ten times a second at most.
const GATHER: Duration = Duration::from_millis(100);
/// How long a disk that fails is left alone.
const RETRY: Duration = Duration::from_millis(250);

/// The handle of the thread; joined when dropped, after what is unsaved is written.
#[derive(Debug)]
pub(super) struct Durable {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Durable {
    /// Puts what the file holds into the outbox, and starts the thread. A file that cannot be used is told of, and tried
    /// again. Blocks.
    pub(super) fn start(path: PathBuf, shared: Arc<Shared>) -> io::Result<Self> {
        let mut file = File { path, spool: None, restored: false };
        // those of an earlier process come first, also where the file is readable only later
        shared.outbox().begin_after(micros(SystemTime::now()));
        let opened = file.opened(&shared).map(|_| ());
        match opened {
            Ok(()) => _ = shared.disk.send_replace(Disk::Well),
            Err(error) => {
                file.failed(&error);
                fail(&shared, &error);
            }
        }
        let writing = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("outbox".to_owned()).spawn(move || write(file, &writing))?;
        Ok(Self { shared, thread: Some(thread) })
    }
}

impl Drop for Durable {
    fn drop(&mut self) {
        self.shared.end();
        if let Some(thread) = self.thread.take() {
            // a panic was reported where it happened; answers go on without a disk
            drop(thread.join());
        }
    }
}

fn micros(wall: SystemTime) -> u64 {
    let since = wall.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_micros()).unwrap_or(0)
}

/// Tells once that the disk fails.
fn fail(shared: &Shared, error: &spool::Error) {
    let problem = error.to_string();
    shared.disk.send_if_modified(|disk| {
        let before = matches!(disk, Disk::Failing(_));
        if !before {
            Event::OutboxProblem { problem: &format!("what waits for the broker is in memory only: {problem}") }.emit();
            *disk = Disk::Failing(problem);
        }
        !before
    });
}

fn write(mut file: File, shared: &Shared) {
    loop {
        if matches!(*shared.disk.borrow(), Disk::Failing(_)) && !recover(&mut file, shared) {
            return;
        }
        let Some(batch) = shared.next_batch(GATHER) else { return };
        if let Err(error) = file.take(shared, &batch) {
            file.failed(&error);
            fail(shared, &error);
        }
    }
}

/// Tries until the disk has all that waits, and only then says so: a full disk may well take a little. Whether it has,
/// before the end.
fn recover(file: &mut File, shared: &Shared) -> bool {
    loop {
        let ended = shared.pause(RETRY);
        match file.catch_up(shared) {
            Ok(messages) => {
                Event::OutboxDiskBack { messages: messages as u64 }.emit();
                shared.disk.send_replace(Disk::Well);
                return true;
            }
            Err(error) => file.failed(&error),
        }
        if ended {
            return false;
        }
    }
}

/// The file, open or to be opened (again).
struct File {
    path: PathBuf,
    spool: Option<Spool>,
    /// Whether what an earlier process left in it is in the outbox.
    restored: bool,
}

impl File {
    fn opened(&mut self, shared: &Shared) -> Result<&mut Spool, spool::Error> {
        let spool = match self.spool.take() {
            Some(spool) => spool,
            None => self.open(shared)?,
        };
        Ok(self.spool.insert(spool))
    }

    fn take(&mut self, shared: &Shared, batch: &Batch) -> Result<(), spool::Error> {
        let written = self.opened(shared).and_then(|spool| spool.write(&rows(batch), &batch.gone));
        match written {
            Ok(()) => shared.outbox().saved(batch),
            Err(_) => shared.outbox().not_saved(batch),
        }
        written
    }

    /// Writes all that the disk does not know; says how many messages.
    fn catch_up(&mut self, shared: &Shared) -> Result<usize, spool::Error> {
        self.opened(shared)?.probe()?;
        let mut messages = 0;
        loop {
            let batch = shared.outbox().take_unsaved(Stamp::now());
            if batch == Batch::default() {
                return Ok(messages);
            }
            self.take(shared, &batch)?;
            messages += batch.put.len();
        }
    }

    fn open(&mut self, shared: &Shared) -> Result<Spool, spool::Error> {
        let spool = Spool::open(&self.path)?;
        if self.restored {
            let keys = spool.keys()?;
            shared.outbox().disk_holds(keys);
            return Ok(spool);
        }
        let rows = spool.rows()?;
        let (all, now) = (rows.len(), SystemTime::now());
        let saved: Vec<Saved> = rows.into_iter().filter_map(|row| saved(row, now)).collect();
        if saved.len() < all {
            let problem = format!("{} messages of another version of wader cannot be read", all - saved.len());
            Event::OutboxProblem { problem: &problem }.emit();
        }
        if !saved.is_empty() {
            Event::OutboxRestored { messages: saved.len() as u64 }.emit();
        }
        shared.outbox().restore(saved, Stamp::now());
        shared.offered.notify_one();
        self.restored = true;
        Ok(spool)
    }

    /// What failed is opened anew, and what is no database any more begun anew: all that waits is in memory, too.
    fn failed(&mut self, error: &spool::Error) {
        self.spool = None;
        if error.is_damage()
            && let Ok(moved) = spool::move_away(&self.path)
        {
            let problem = format!("`{}` is damaged; it is kept as `{}`", self.path.display(), moved.display());
            Event::OutboxProblem { problem: &problem }.emit();
        }
    }
}

const CLASSES: [(Class, &str); 5] = [
    (Class::Error, "error"),
    (Class::Caption, "caption"),
    (Class::Answer, "answer"),
    (Class::State, "state"),
    (Class::Event, "event"),
];

const CONTENTS: [(Content, &str); 4] =
    [(Content::Text, "text"), (Content::Json, "json"), (Content::Jpeg, "jpeg"), (Content::Nothing, "nothing")];

fn word<T: PartialEq>(words: &[(T, &'static str)], value: &T) -> &'static str {
    words.iter().find(|(known, _)| known == value).map_or("", |(_, word)| word)
}

fn rows(batch: &Batch) -> Vec<Row> {
    let now = SystemTime::now();
    let row = |Saved { key, message, age }: &Saved| Row {
        key: *key,
        since: now.checked_sub(*age).unwrap_or(SystemTime::UNIX_EPOCH),
        class: word(&CLASSES, &message.class).to_owned(),
        topic: message.topic.to_string(),
        payload: message.payload.clone(),
        retain: message.retain,
        content: word(&CONTENTS, &message.content).to_owned(),
        expiry: message.expiry,
        correlation: message.correlation.clone(),
    };
    batch.put.iter().map(row).collect()
}

/// The message of a row, unless it is of a kind that is not known here.
fn saved(row: Row, now: SystemTime) -> Option<Saved> {
    let (class, _) = *CLASSES.iter().find(|(_, word)| *word == row.class)?;
    let (content, _) = *CONTENTS.iter().find(|(_, word)| *word == row.content)?;
    let message = Message {
        topic: row.topic.into(),
        payload: row.payload,
        class,
        retain: row.retain,
        content,
        expiry: row.expiry,
        correlation: row.correlation,
    };
    // a clock that went back makes nothing older
    let age = now.duration_since(row.since).unwrap_or(Duration::ZERO);
    Some(Saved { key: row.key, message, age })
}
