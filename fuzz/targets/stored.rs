//! What is read back from the disk at a start, or by `wader history`: the history, what others said, what is remembered.
//! Nothing panics, a damaged file is an error, what was remembered is remembered again, and a search finds what it should.
//!
//! The outbox is kept in memory today; when it is kept on disk, its reader belongs here.
//!
//! An input's first byte chooses what the rest is.

#![no_main]

use std::{fs, time::Duration};

use libfuzzer_sys::fuzz_target;
use wader::{
    app::fuzzing::remembered_again,
    store::{Entry, History, Limits, Query, feedback::kept, search},
};
use wader_fuzz::{folder, parts};

fn entry(id: &str, value: &str, ask: &str) -> Entry {
    Entry {
        id: id.to_owned(),
        at: i64::MAX / 2,
        camera: "door".to_owned(),
        prompt: "person".to_owned(),
        ask: ask.to_owned(),
        outcome: "answer",
        reason: None,
        value: Some(value.to_owned()),
        probability: Some(0.5),
        changed: true,
        json: value.as_bytes().to_vec(),
    }
}

fuzz_target!(|data: &[u8]| {
    thread_local! { static FOLDER: tempfile::TempDir = folder(); }
    let Some((&what, data)) = data.split_first() else { return };
    FOLDER.with(|folder| {
        let folder = folder.path();
        match what % 4 {
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
            _ => {
                let [wanted, value, ask] = parts(data).map(String::from_utf8_lossy);
                let file = folder.join("searched.db");
                let limits = Limits { bytes: 1 << 20, age: Duration::from_secs(3600) };
                let history = History::start(&file, limits).expect("a history");
                history.offer(entry("1", &value, &ask));
                drop(history);
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
