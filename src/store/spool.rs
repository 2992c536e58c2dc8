//! The file of what the broker has not acknowledged: rows by key, each transaction on the disk before it is said to be.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use rusqlite::{Connection, params};

use super::history::{millis, version};

/// The version of the table; a file of another is left alone.
const VERSION: i64 = 1;
/// How long another process may hold the file that is just about to end.
const BUSY: Duration = Duration::from_millis(200);
/// Pages that nothing is in are given back where there are so many.
const SPARE_PAGES: i64 = 256;

/// What is wrong with the file.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The folder cannot be made.
    #[error("cannot make the folder of `{file}`: {source}")]
    Folder {
        /// The database.
        file: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// SQLite says no.
    #[error("`{file}`: {source}")]
    Database {
        /// The database.
        file: PathBuf,
        /// Why not.
        source: rusqlite::Error,
    },
    /// It was written by another version of wader.
    #[error("the outbox `{file}` has version {found} and this wader writes {VERSION}; move it away to begin another")]
    Version {
        /// The database.
        file: PathBuf,
        /// Its version.
        found: i64,
    },
}

impl Error {
    /// Whether what the file holds is no database any more.
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Database { source, .. } if super::is_damage(source))
    }
}

/// A message as it stands in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its place in the order of all.
    pub key: u64,
    /// Since when it waits; whole milliseconds are kept.
    pub since: SystemTime,
    /// What it is worth, in a word.
    pub class: String,
    /// Where to.
    pub topic: String,
    /// What.
    pub payload: Bytes,
    /// Whether the broker is to keep it.
    pub retain: bool,
    /// What kind of bytes, in a word.
    pub content: String,
    /// How long it is of use, once the broker has it.
    pub expiry: Option<Duration>,
    /// What an asker knows it by.
    pub correlation: Option<Bytes>,
}

/// The open file. Nobody else can open it.
#[derive(Debug)]
pub struct Spool {
    connection: Connection,
    file: PathBuf,
}

impl Spool {
    /// Opens or makes the file. What a process that was killed left half written is undone, what it had committed is
    /// there.
    pub fn open(file: &Path) -> Result<Self, Error> {
        let folder = file.parent().unwrap_or(Path::new(""));
        std::fs::create_dir_all(folder).map_err(|source| Error::Folder { file: file.to_owned(), source })?;
        let failed = |source| Error::Database { file: file.to_owned(), source };
        let connection = Connection::open(file).map_err(failed)?;
        connection.busy_timeout(BUSY).map_err(failed)?;
        // without shared memory, which on a full disk cannot grow; and a commit is on the disk when it returns
        let prepare = "PRAGMA locking_mode = EXCLUSIVE; PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL;
                       PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY; PRAGMA wal_autocheckpoint = 64;
                       PRAGMA journal_size_limit = 262144;";
        connection.execute_batch(prepare).map_err(failed)?;
        let found = version(&connection).map_err(failed)?;
        if found != 0 && found != VERSION {
            return Err(Error::Version { file: file.to_owned(), found });
        }
        if found == 0 {
            connection.execute_batch(TABLE).map_err(failed)?;
            connection.pragma_update(None, "user_version", VERSION).map_err(failed)?;
        }
        Ok(Self { connection, file: file.to_owned() })
    }

    /// The keys of all rows.
    pub fn keys(&self) -> Result<Vec<u64>, Error> {
        let read = || {
            let mut select = self.connection.prepare("SELECT key FROM waiting")?;
            let keys = select.query_map([], |row| row.get::<_, i64>(0))?;
            keys.map(|key| key.map(i64::cast_unsigned)).collect::<Result<_, _>>()
        };
        read().map_err(|source| self.failed(source))
    }

    /// All rows, the oldest first.
    pub fn rows(&self) -> Result<Vec<Row>, Error> {
        let read = || {
            let mut select = self.connection.prepare(
                "SELECT key, since, class, topic, payload, retain, content, expiry, correlation
                 FROM waiting ORDER BY key",
            )?;
            let rows = select.query_map([], |row| {
                Ok(Row {
                    key: row.get::<_, i64>(0)?.cast_unsigned(),
                    since: SystemTime::UNIX_EPOCH + Duration::from_millis(row.get::<_, i64>(1)?.max(0).cast_unsigned()),
                    class: row.get(2)?,
                    topic: row.get(3)?,
                    payload: row.get::<_, Vec<u8>>(4)?.into(),
                    retain: row.get(5)?,
                    content: row.get(6)?,
                    expiry: row
                        .get::<_, Option<i64>>(7)?
                        .map(|millis| Duration::from_millis(millis.max(0).cast_unsigned())),
                    correlation: row.get::<_, Option<Vec<u8>>>(8)?.map(Bytes::from),
                })
            })?;
            rows.collect::<Result<_, _>>()
        };
        read().map_err(|source| self.failed(source))
    }

    /// Adds rows, in place of those with the same keys, and takes others away: all or nothing, and on the disk once it
    /// returns.
    pub fn write(&mut self, put: &[Row], gone: &[u64]) -> Result<(), Error> {
        self.transact(put, gone).map_err(|source| self.failed(source))?;
        if !gone.is_empty() {
            // what cannot be given back now is used again
            self.give_back().ok();
        }
        Ok(())
    }

    /// Whether the disk takes something again, and not only the little for which even a full one has room: 64 KiB, which are
    /// taken away at once.
    pub fn probe(&mut self) -> Result<(), Error> {
        let written = self.connection.execute_batch("INSERT INTO room VALUES (zeroblob(65536)); DELETE FROM room;");
        written.map_err(|source| self.failed(source))
    }

    fn transact(&mut self, put: &[Row], gone: &[u64]) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        {
            let mut delete = transaction.prepare("DELETE FROM waiting WHERE key = ?")?;
            for key in gone {
                delete.execute([key.cast_signed()])?;
            }
            let mut insert = transaction.prepare(
                "INSERT OR REPLACE INTO waiting
                 (key, since, class, topic, payload, retain, content, expiry, correlation)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            )?;
            for row in put {
                let expiry = row.expiry.map(|expiry| i64::try_from(expiry.as_millis()).unwrap_or(i64::MAX));
                insert.execute(params![
                    row.key.cast_signed(),
                    millis(row.since),
                    row.class,
                    row.topic,
                    &row.payload[..],
                    row.retain,
                    row.content,
                    expiry,
                    row.correlation.as_deref(),
                ])?;
            }
        }
        transaction.commit()
    }

    fn give_back(&self) -> rusqlite::Result<()> {
        let spare: i64 = self.connection.pragma_query_value(None, "freelist_count", |row| row.get(0))?;
        if spare >= SPARE_PAGES {
            // it answers with a row for each page
            let mut vacuum = self.connection.prepare("PRAGMA incremental_vacuum")?;
            let mut pages = vacuum.query([])?;
            while pages.next()?.is_some() {}
        }
        Ok(())
    }

    fn failed(&self, source: rusqlite::Error) -> Error {
        Error::Database { file: self.file.clone(), source }
    }
}

/// Renames a damaged file, in place of one that was renamed before; says to what.
pub fn move_away(file: &Path) -> std::io::Result<PathBuf> {
    let beside = |end: &str| {
        let mut name = OsString::from(file);
        name.push(end);
        PathBuf::from(name)
    };
    let moved = beside(".damaged");
    std::fs::rename(file, &moved)?;
    // its last transactions; there may be none
    std::fs::rename(beside("-wal"), beside(".damaged-wal")).ok();
    Ok(moved)
}

const TABLE: &str = "
    CREATE TABLE IF NOT EXISTS waiting (
        key INTEGER PRIMARY KEY,
        since INTEGER NOT NULL,
        class TEXT NOT NULL,
        topic TEXT NOT NULL,
        payload BLOB NOT NULL,
        retain INTEGER NOT NULL,
        content TEXT NOT NULL,
        expiry INTEGER,
        correlation BLOB
    );
    CREATE TABLE IF NOT EXISTS room (filler BLOB);
";

#[cfg(test)]
mod tests {
    use super::*;

    fn row(key: u64, payload: &str) -> Row {
        Row {
            key,
            since: SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_123),
            class: "event".to_owned(),
            topic: "wader/door/person/event".to_owned(),
            payload: payload.to_owned().into(),
            retain: false,
            content: "json".to_owned(),
            expiry: Some(Duration::from_secs(6)),
            correlation: key.is_multiple_of(2).then(|| Bytes::from_static(b"\0asked")),
        }
    }

    #[test]
    fn rows_come_back_as_they_were_and_in_their_order() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("deep/outbox.db");
        let mut spool = Spool::open(&file).unwrap();
        spool.write(&[row(3, "c"), row(1, "a"), row(2, "b")], &[]).unwrap();
        spool.write(&[row(4, "d"), row(3, "c again")], &[1]).unwrap();
        drop(spool);
        let mut spool = Spool::open(&file).unwrap();
        assert_eq!(spool.rows().unwrap(), [row(2, "b"), row(3, "c again"), row(4, "d")]);
        assert_eq!(spool.keys().unwrap(), [2, 3, 4]);
        spool.probe().unwrap();
        spool.write(&[], &[2, 3, 4, 5]).unwrap();
        assert_eq!(spool.keys().unwrap(), [0_u64; 0]);
    }

    #[test]
    fn a_row_that_is_not_as_it_was_written_is_damage() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = Spool::open(&folder.path().join("outbox.db")).unwrap();
        spool.write(&[row(1, "a")], &[]).unwrap();
        spool.connection.execute("UPDATE waiting SET topic = CAST(X'ff' AS TEXT)", []).unwrap();
        assert!(spool.rows().unwrap_err().is_damage());
    }

    #[test]
    fn a_file_that_was_full_becomes_small_again() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("outbox.db");
        let mut spool = Spool::open(&file).unwrap();
        let keys: Vec<u64> = (0..4000).collect();
        for keys in keys.chunks(256) {
            spool.write(&keys.iter().map(|key| row(*key, &"x".repeat(1000))).collect::<Vec<_>>(), &[]).unwrap();
        }
        let size = |name: &str| std::fs::metadata(folder.path().join(name)).map_or(0, |file| file.len());
        assert!(size("outbox.db") > 4_000_000);
        for keys in keys.chunks(256) {
            spool.write(&[], keys).unwrap();
        }
        drop(spool);
        assert!(size("outbox.db") < 2_000_000, "{}", size("outbox.db"));
        assert_eq!(size("outbox.db-wal"), 0);
    }

    #[test]
    fn a_torn_last_transaction_is_undone_and_what_is_no_database_is_moved_away() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("outbox.db");
        let mut spool = Spool::open(&file).unwrap();
        spool.write(&[row(1, "a")], &[]).unwrap();
        // as a process leaves it that is killed: the file and its log, the last transaction in part
        let killed = folder.path().join("killed.db");
        std::fs::copy(&file, &killed).unwrap();
        let whole = std::fs::read(folder.path().join("outbox.db-wal")).unwrap();
        spool.write(&[row(2, "b")], &[1]).unwrap();
        let longer = std::fs::read(folder.path().join("outbox.db-wal")).unwrap();
        assert!(longer.len() > whole.len());
        for cut in [whole.len(), whole.len() + 100, longer.len() - 1] {
            std::fs::write(folder.path().join("killed.db-wal"), &longer[..cut]).unwrap();
            assert_eq!(Spool::open(&killed).unwrap().rows().unwrap(), [row(1, "a")], "cut at {cut}");
            std::fs::copy(&file, &killed).unwrap();
        }
        std::fs::write(&killed, "a diary, and no database at all").unwrap();
        assert!(Spool::open(&killed).unwrap_err().is_damage());
        let moved = move_away(&killed).unwrap();
        assert_eq!(std::fs::read(moved).unwrap(), b"a diary, and no database at all");
        assert_eq!(Spool::open(&killed).unwrap().keys().unwrap(), [0_u64; 0]);
    }
}
