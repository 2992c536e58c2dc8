//! What is read back from the disk at a start, or by `wader history`: the outbox, the history, what others said, what is
//! remembered. Nothing panics, a damaged file is an error, what was kept comes back as it was, and a search finds what it
//! should.
//!
//! An input's first byte chooses what the rest is.

#![no_main]

use std::{
    cell::OnceCell,
    fs,
    path::Path,
    time::{Duration, SystemTime},
};

use libfuzzer_sys::fuzz_target;
use rusqlite::Connection;
use wader::{
    app::fuzzing::remembered_again,
    store::{
        Query,
        feedback::kept,
        search,
        spool::{Row, Spool},
    },
};
use wader_fuzz::{folder, parts};

/// A history with one answer, as it is on the disk.
fn history(file: &Path) -> Connection {
    let connection = Connection::open(file).expect("a database");
    let tables = "PRAGMA user_version = 1; CREATE TABLE answers (id TEXT PRIMARY KEY, at INTEGER NOT NULL, \
        camera TEXT NOT NULL, prompt TEXT NOT NULL, ask TEXT NOT NULL, outcome TEXT NOT NULL, reason TEXT, value TEXT, \
        probability REAL, changed INTEGER NOT NULL, json BLOB NOT NULL) WITHOUT ROWID;
        INSERT INTO answers VALUES ('1', 1, 'door', 'person', '', 'answer', NULL, '', 0.5, 1, x'7b7d');";
    connection.execute_batch(tables).expect("a table");
    connection
}

fuzz_target!(|data: &[u8]| {
    thread_local! {
        static FOLDER: tempfile::TempDir = folder();
        static SEARCHED: OnceCell<Connection> = const { OnceCell::new() };
    }
    let Some((&what, data)) = data.split_first() else { return };
    FOLDER.with(|folder| {
        let folder = folder.path();
        match what % 6 {
            0 => {
                let file = folder.join("wader.db");
                fs::write(&file, data).expect("a file");
                let all = Query { limit: usize::MAX, ..Query::default() };
                _ = search(&file, &all);
                _ = search(&file, &Query { text: Some("a".to_owned()), changes: true, ..all });
                for beside in ["wader.db-wal", "wader.db-shm", "wader.db-journal"] {
                    fs::remove_file(folder.join(beside)).ok();
                }
            }
            1 => {
                fs::write(folder.join("wader.json"), data).expect("a file");
                _ = remembered_again(folder, "wader");
            }
            2 => {
                let place = folder.join("feedback/door/person/0190");
                fs::create_dir_all(&place).expect("a folder");
                fs::write(place.join("feedback.json"), data).expect("a file");
                let all = kept(&folder.join("feedback")).expect("what is no feedback is passed over");
                assert!(all.len() <= 1);
            }
            4 => {
                let file = folder.join("outbox.db");
                fs::write(&file, data).expect("a file");
                if let Ok(mut spool) = Spool::open(&file) {
                    _ = (spool.rows(), spool.keys(), spool.write(&[], &[1]));
                }
                for name in ["outbox.db", "outbox.db-wal", "outbox.db-journal"] {
                    fs::remove_file(folder.join(name)).ok();
                }
            }
            5 => {
                let [topic, class, payload] = parts(data).map(<[u8]>::to_vec);
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                let row = Row {
                    key: data.len() as u64,
                    since: SystemTime::UNIX_EPOCH + Duration::from_millis(data.len() as u64),
                    class: text(&class),
                    topic: text(&topic),
                    payload: payload.into(),
                    retain: data.len().is_multiple_of(2),
                    content: text(&class),
                    expiry: None,
                    correlation: Some(class.into()),
                };
                let file = folder.join("kept.db");
                let mut spool = Spool::open(&file).expect("a file of our own");
                spool.write(std::slice::from_ref(&row), &[]).expect("a row");
                assert_eq!(spool.rows().expect("rows"), std::slice::from_ref(&row));
                spool.write(&[], &[row.key]).expect("a row less");
            }
            _ => {
                let [wanted, value, ask] = parts(data).map(String::from_utf8_lossy);
                let file = folder.join("searched.db");
                SEARCHED.with(|searched| {
                    let connection = searched.get_or_init(|| history(&file));
                    connection.execute("UPDATE answers SET value = ?, ask = ?", [&*value, &*ask]).expect("an answer");
                });
                let query = Query { text: Some(wanted.to_string()), limit: 9, ..Query::default() };
                let found = search(&file, &query).expect("a search");
                // SQLite's own texts end at a zero byte, and it knows the case of ASCII only
                let hay = format!("{value} {ask}").to_ascii_lowercase();
                let is_there = hay.contains(&wanted.to_ascii_lowercase());
                if !data.contains(&0) {
                    assert_eq!(found.len(), usize::from(is_there), "{wanted:?} in {hay:?}");
                }
                for stored in found {
                    assert_eq!((stored.value.as_deref(), stored.ask.as_str()), (Some(&*value), &*ask));
                }
            }
        }
    });
});
