//! Writes answers, and forgets those that are too old or too many.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel},
    },
    thread::JoinHandle,
    time::{Duration, SystemTime},
};

use rusqlite::{Connection, params};

use super::{Error, VERSION};
use crate::{
    answer::{Answer, wire},
    frame::Stamp,
};

/// What is kept, at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Answers older than this are forgotten.
    pub age: Duration,
    /// Where the file would hold more bytes, the oldest are forgotten.
    pub bytes: u64,
}

/// An answer to be kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    id: String,
    /// Milliseconds since 1970, as all times in the file.
    at: i64,
    camera: String,
    prompt: String,
    ask: String,
    outcome: &'static str,
    reason: Option<&'static str>,
    value: Option<String>,
    probability: Option<f64>,
    changed: bool,
    json: Vec<u8>,
}

impl Entry {
    /// What is kept of an answer; `changed` where it moved its prompt's state.
    pub fn of(answer: &Answer, changed: bool) -> Self {
        Self {
            id: answer.id.to_string(),
            at: millis(answer.answered),
            camera: answer.camera.to_string(),
            prompt: answer.prompt.to_string(),
            ask: answer.ask.clone(),
            outcome: answer.outcome.word(),
            reason: answer.outcome.reason(),
            value: answer.outcome.value().map(crate::answer::Value::state),
            probability: answer.scores.as_ref().map(|scores| scores.probability),
            changed,
            json: wire::answer(answer),
        }
    }
}

pub(super) fn millis(wall: SystemTime) -> i64 {
    let since = wall.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Entries that wait for the disk; a disk that is slower for longer loses some, counted.
const WAITING: usize = 1024;
/// Entries of one transaction.
const BATCH: usize = 256;
/// How long the first entry of a batch waits for others.
const GATHER: Duration = Duration::from_millis(500);
/// How often what is too old or too much is looked for.
const TIDY: Duration = Duration::from_secs(600);
/// What is forgotten at a time where the file is too large, as a part of all entries.
const PART: i64 = 20;

/// Entries that were not written, as the disk was too slow, or did not take them; clones count the same.
#[derive(Debug, Clone, Default)]
pub struct Lost(Arc<AtomicU64>);

impl Lost {
    /// How many so far.
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn add(&self, entries: usize) {
        self.0.fetch_add(entries as u64, Ordering::Relaxed);
    }
}

/// What becomes of the disk.
#[derive(Debug)]
pub enum Disk {
    /// It takes no entries any more.
    Failing {
        /// What it says.
        error: Error,
    },
    /// It takes them again.
    Back {
        /// Those that are lost since the last that it took.
        lost: u64,
    },
}

/// The handle of the thread that writes; joined when dropped, after what waits is written.
#[derive(Debug)]
pub struct History {
    entries: Option<SyncSender<Entry>>,
    lost: Lost,
    thread: Option<JoinHandle<()>>,
}

impl History {
    /// Opens or makes the file and starts the thread, which says what becomes of the disk: once that it fails, from the start on or
    /// later, and once that it is back. A file that a person must move away is an error. Blocks.
    pub fn start(file: &Path, limits: Limits, tell: impl Fn(Disk) + Send + 'static) -> Result<Self, Error> {
        let mut ledger = Ledger { file: file.to_owned(), limits, writer: None };
        let opened = match ledger.writer().map(drop) {
            Err(error) if error.is_of_the_file() => return Err(error),
            opened => opened,
        };
        let (entries, waiting) = sync_channel(WAITING);
        let lost = Lost::default();
        let mut outage = Outage { lost: lost.clone(), before: 0, failing: false, tell };
        outage.wrote(0, opened);
        let thread = std::thread::Builder::new().name("history".to_owned());
        let thread = thread.spawn(move || write(ledger, &waiting, outage)).map_err(Error::Thread)?;
        Ok(Self { entries: Some(entries), lost, thread: Some(thread) })
    }

    /// Hands an entry over; never waits.
    pub fn offer(&self, entry: Entry) {
        let taken = self.entries.as_ref().is_some_and(|entries| entries.try_send(entry).is_ok());
        if !taken {
            self.lost.add(1);
        }
    }

    /// The count of entries that are not written.
    pub fn lost(&self) -> Lost {
        self.lost.clone()
    }
}

/// What is told of the disk.
struct Outage<F: Fn(Disk)> {
    lost: Lost,
    /// How many were lost before it began.
    before: u64,
    failing: bool,
    tell: F,
}

impl<F: Fn(Disk)> Outage<F> {
    /// Takes in what came of writing some entries.
    fn wrote(&mut self, entries: usize, written: Result<(), Error>) {
        match written {
            Ok(()) if self.failing => (self.tell)(Disk::Back { lost: self.lost.count() - self.before }),
            Ok(()) => {}
            Err(error) => {
                self.lost.add(entries);
                if !self.failing {
                    (self.tell)(Disk::Failing { error });
                }
                self.failing = true;
                return;
            }
        }
        (self.failing, self.before) = (false, self.lost.count());
    }
}

impl Drop for History {
    fn drop(&mut self) {
        self.entries = None;
        if let Some(thread) = self.thread.take() {
            // a panic was reported where it happened; the history is not worth the process
            drop(thread.join());
        }
    }
}

fn write(mut ledger: Ledger, waiting: &Receiver<Entry>, mut outage: Outage<impl Fn(Disk)>) {
    let mut batch = Vec::new();
    let mut tidied: Option<Stamp> = None;
    loop {
        match waiting.recv_timeout(TIDY) {
            Ok(entry) => batch.push(entry),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        gather(waiting, &mut batch);
        if !batch.is_empty() {
            outage.wrote(batch.len(), ledger.add(&batch));
            batch.clear();
        }
        let now = Stamp::now();
        if tidied.is_none_or(|last| now.since(last) >= TIDY) {
            tidied = Some(now);
            // what cannot be forgotten now is forgotten next time
            if let Some(writer) = &mut ledger.writer {
                writer.tidy(SystemTime::now()).ok();
            }
        }
    }
}

/// Adds to the batch what comes soon, so that the disk is asked once.
fn gather(waiting: &Receiver<Entry>, batch: &mut Vec<Entry>) {
    let until = Stamp::now().later_by(GATHER);
    while !batch.is_empty() && batch.len() < BATCH {
        let left = until.since(Stamp::now());
        let next = if left.is_zero() {
            waiting.try_recv().map_err(|error| error == TryRecvError::Disconnected)
        } else {
            waiting.recv_timeout(left).map_err(|_| true)
        };
        match next {
            Ok(entry) => batch.push(entry),
            Err(_) => return,
        }
    }
}

/// The file, opened as soon as the disk lets it: a full one may not even show what is in it.
struct Ledger {
    file: PathBuf,
    limits: Limits,
    writer: Option<Writer>,
}

impl Ledger {
    fn writer(&mut self) -> Result<&mut Writer, Error> {
        match &mut self.writer {
            Some(writer) => Ok(writer),
            none => Ok(none.insert(Writer::open(&self.file, self.limits)?)),
        }
    }

    fn add(&mut self, entries: &[Entry]) -> Result<(), Error> {
        let written = self.writer()?.add(entries);
        written.map_err(|source| Error::Database { file: self.file.clone(), source })
    }
}

/// The open file.
struct Writer {
    connection: Connection,
    limits: Limits,
}

impl Writer {
    fn open(file: &Path, limits: Limits) -> Result<Self, Error> {
        let folder = file.parent().unwrap_or(Path::new(""));
        std::fs::create_dir_all(folder).map_err(|source| Error::Folder { file: file.to_owned(), source })?;
        let failed = |source| Error::Database { file: file.to_owned(), source };
        let connection = Connection::open(file).map_err(failed)?;
        let found = version(&connection).map_err(failed)?;
        if found != 0 && found != VERSION {
            return Err(Error::Version { file: PathBuf::from(file), found });
        }
        // the size can shrink only where this is said before the first table
        let prepare = "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;";
        connection.execute_batch(prepare).map_err(failed)?;
        if found == 0 {
            connection.execute_batch(TABLES).map_err(failed)?;
            connection.pragma_update(None, "user_version", VERSION).map_err(failed)?;
        }
        Ok(Self { connection, limits })
    }

    fn add(&mut self, entries: &[Entry]) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        {
            let mut insert = transaction.prepare(
                "INSERT OR REPLACE INTO answers
                 (id, at, camera, prompt, ask, outcome, reason, value, probability, changed, json)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            )?;
            for e in entries {
                insert.execute(params![
                    e.id,
                    e.at,
                    e.camera,
                    e.prompt,
                    e.ask,
                    e.outcome,
                    e.reason,
                    e.value,
                    e.probability,
                    e.changed,
                    e.json
                ])?;
            }
        }
        transaction.commit()
    }

    /// Forgets what is too old, and the oldest while there is too much.
    fn tidy(&mut self, now: SystemTime) -> rusqlite::Result<()> {
        let oldest = millis(now).saturating_sub(i64::try_from(self.limits.age.as_millis()).unwrap_or(i64::MAX));
        self.connection.execute("DELETE FROM answers WHERE at < ?", [oldest])?;
        let most = i64::try_from(self.limits.bytes).unwrap_or(i64::MAX);
        while self.used()? > most {
            let count: i64 = self.connection.query_row("SELECT count(*) FROM answers", [], |row| row.get(0))?;
            if count == 0 {
                break;
            }
            self.connection.execute(
                "DELETE FROM answers WHERE id IN (SELECT id FROM answers ORDER BY id LIMIT ?)",
                [count / PART + 1],
            )?;
        }
        // gives the freed pages back; it answers with a row for each
        let mut vacuum = self.connection.prepare("PRAGMA incremental_vacuum")?;
        let mut pages = vacuum.query([])?;
        while pages.next()?.is_some() {}
        Ok(())
    }

    /// Bytes that hold entries.
    fn used(&self) -> rusqlite::Result<i64> {
        let number = |name| self.connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        Ok((number("page_count")? - number("freelist_count")?) * number("page_size")?)
    }
}

pub(super) fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Names of answers sort by time: their order is the table's.
const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS answers (
        id TEXT PRIMARY KEY,
        at INTEGER NOT NULL,
        camera TEXT NOT NULL,
        prompt TEXT NOT NULL,
        ask TEXT NOT NULL,
        outcome TEXT NOT NULL,
        reason TEXT,
        value TEXT,
        probability REAL,
        changed INTEGER NOT NULL,
        json BLOB NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS of_prompt ON answers (camera, prompt, id);
";

#[cfg(test)]
mod tests {
    use super::{
        super::{Query, search},
        *,
    };

    fn entry(number: u32, prompt: &str, at: i64) -> Entry {
        Entry {
            id: format!("{number:08}"),
            at,
            camera: "door".to_owned(),
            prompt: prompt.to_owned(),
            ask: "Is anybody there?".to_owned(),
            outcome: "answer",
            reason: None,
            value: Some(format!("two people and {number} dogs")),
            probability: Some(0.9),
            changed: number.is_multiple_of(2),
            json: vec![b'x'; 900],
        }
    }

    fn all(file: &Path) -> usize {
        search(file, &Query { limit: usize::MAX, ..Query::default() }).unwrap().len()
    }

    const DAY: i64 = 86_400_000;

    #[test]
    fn what_is_handed_over_is_there_after_the_end_and_twice_is_once() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("deep/history.db");
        let limits = Limits { age: Duration::from_secs(3600), bytes: 1 << 30 };
        let now = millis(SystemTime::now());
        for _ in 0..2 {
            let history = History::start(&file, limits, |disk| panic!("{disk:?}")).unwrap();
            for number in 0..600 {
                history.offer(entry(number, "person", now));
            }
            assert_eq!(history.lost().count(), 0);
        }
        assert_eq!(all(&file), 600);
    }

    /// Where it stands, no entry is written.
    const FULL: &str = "CREATE TRIGGER full BEFORE INSERT ON answers BEGIN SELECT RAISE(ABORT, 'it is full'); END";

    #[test]
    fn what_the_disk_does_not_take_is_told_and_counted() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("history.db");
        let (tell, told) = std::sync::mpsc::channel();
        let limits = Limits { age: Duration::from_secs(3600), bytes: 1 << 30 };
        let history = History::start(&file, limits, move |disk| tell.send(disk).unwrap()).unwrap();
        let next = || told.recv_timeout(Duration::from_secs(10)).unwrap();
        let (disk, now) = (Connection::open(&file).unwrap(), millis(SystemTime::now()));
        disk.execute_batch(FULL).unwrap();
        history.offer(entry(0, "person", now));
        let Disk::Failing { error } = next() else { panic!("it is back") };
        assert!(error.to_string().contains("it is full"), "{error}");
        disk.execute_batch("DROP TRIGGER full").unwrap();
        history.offer(entry(1, "person", now));
        let Disk::Back { lost } = next() else { panic!("it still fails") };
        assert_eq!((lost, history.lost().count()), (1, 1));
        drop(history);
        assert_eq!(all(&file), 1);
    }

    #[test]
    fn a_disk_that_fails_from_the_start_is_told_and_tried_again() {
        let folder = tempfile::tempdir().unwrap();
        let (in_the_way, file) = (folder.path().join("state"), folder.path().join("state/history.db"));
        std::fs::write(&in_the_way, "no folder").unwrap();
        let (tell, told) = std::sync::mpsc::channel();
        let limits = Limits { age: Duration::from_secs(3600), bytes: 1 << 30 };
        let history = History::start(&file, limits, move |disk| tell.send(disk).unwrap()).unwrap();
        let next = || told.recv_timeout(Duration::from_secs(10)).unwrap();
        let Disk::Failing { error } = next() else { panic!("it is back") };
        assert!(error.to_string().contains("cannot make the folder"), "{error}");
        history.offer(entry(0, "person", millis(SystemTime::now())));
        let until = Stamp::now().later_by(Duration::from_secs(10));
        while history.lost().count() == 0 && Stamp::now() < until {
            std::thread::yield_now();
        }
        std::fs::remove_file(&in_the_way).unwrap();
        history.offer(entry(1, "person", millis(SystemTime::now())));
        let Disk::Back { lost } = next() else { panic!("it still fails") };
        assert_eq!((lost, history.lost().count()), (1, 1));
        drop(history);
        assert_eq!(all(&file), 1);
    }

    #[test]
    fn an_outage_of_the_disk_is_told_once_at_each_of_its_ends() {
        let told = std::cell::RefCell::new(Vec::new());
        let (lost, tell) = (Lost::default(), |disk| told.borrow_mut().push(format!("{disk:?}")));
        let mut outage = Outage { lost: lost.clone(), before: 0, failing: false, tell };
        let full = || Err(Error::Absent(PathBuf::from("f")));
        for written in [Ok(()), full(), full(), Ok(()), Ok(()), full(), Ok(())] {
            outage.wrote(3, written);
        }
        let (failing, back) = ("Failing { error: Absent(\"f\") }", |lost| format!("Back {{ lost: {lost} }}"));
        assert_eq!(*told.borrow(), [failing, &back(6), failing, &back(3)]);
        assert_eq!(lost.count(), 9);
    }

    #[test]
    fn the_old_and_the_too_many_are_forgotten_and_the_file_shrinks() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("history.db");
        let limits = Limits { age: Duration::from_secs(30 * 86_400), bytes: 600_000 };
        let mut writer = Writer::open(&file, limits).unwrap();
        let entries: Vec<Entry> =
            (0..1000).map(|number| entry(number, "person", i64::from(number) * DAY / 10)).collect();
        writer.add(&entries).unwrap();
        let before = writer.used().unwrap();
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(100 * 86_400);
        writer.tidy(now).unwrap();
        assert!(before > 1_000_000 && writer.used().unwrap() <= 600_000, "{before}");
        let left = search(&file, &Query { limit: usize::MAX, ..Query::default() }).unwrap();
        assert!((200..301).contains(&left.len()), "{}", left.len());
        assert_eq!(left[0].id, "00000999", "the newest stay");
        drop(writer);
        let size = std::fs::metadata(&file).unwrap().len();
        assert!(size < 700_000, "{size}");
    }

    #[test]
    fn a_file_that_is_none_of_ours_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("history.db");
        let limits = Limits { age: Duration::from_secs(1), bytes: 1 };
        std::fs::write(&file, "a diary, and no database at all").unwrap();
        let error = History::start(&file, limits, |_| {}).unwrap_err().to_string();
        assert!(error.contains("history.db` cannot be used") && error.contains("move it away"), "{error}");
        assert_eq!(std::fs::read(&file).unwrap(), b"a diary, and no database at all");
        std::fs::remove_file(&file).unwrap();
        Connection::open(&file).unwrap().pragma_update(None, "user_version", 7).unwrap();
        let error = History::start(&file, limits, |_| {}).unwrap_err().to_string();
        assert!(error.contains("has version 7 and this wader writes 1"), "{error}");
    }
}
