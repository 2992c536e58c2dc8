//! Finds answers of the past, also while they are being written.

use std::{io, path::Path, time::SystemTime};

use rusqlite::{Connection, OpenFlags, types::Value};

use super::{
    Error, VERSION,
    history::{millis, version},
};

/// Which answers are wanted; what is not said does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// Of this camera.
    pub camera: Option<String>,
    /// Of this prompt.
    pub prompt: Option<String>,
    /// Of this outcome: `answer`, `unsure`, ….
    pub outcome: Option<String>,
    /// Not before.
    pub since: Option<SystemTime>,
    /// Before.
    pub until: Option<SystemTime>,
    /// Whose answer or question holds these words, whatever their case.
    pub text: Option<String>,
    /// Only those that changed a state.
    pub changes: bool,
    /// The newest so many.
    pub limit: usize,
}

/// An answer of the past.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Its name.
    pub id: String,
    /// When it was answered, in milliseconds since 1970.
    pub at: i64,
    /// The camera.
    pub camera: String,
    /// The prompt.
    pub prompt: String,
    /// The question.
    pub ask: String,
    /// The outcome's word.
    pub outcome: String,
    /// Why it is no answer.
    pub reason: Option<String>,
    /// The answer's state.
    pub value: Option<String>,
    /// Its probability.
    pub probability: Option<f64>,
    /// Whether it changed its prompt's state.
    pub changed: bool,
    /// The whole answer as it was published, JSON.
    pub json: Vec<u8>,
}

/// Finds answers, the newest first. Blocks.
pub fn search(file: &Path, query: &Query) -> Result<Vec<Found>, Error> {
    match file.metadata() {
        Ok(found) if found.is_file() => {}
        Err(source) if source.kind() == io::ErrorKind::PermissionDenied => {
            return Err(Error::Hidden { file: file.to_owned(), source });
        }
        _ => return Err(Error::Absent(file.to_owned())),
    }
    let failed = |source| Error::Database { file: file.to_owned(), source };
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    // a log that was not written back yet can only be read by who may write it; without that right the rest can be
    let connection = Connection::open_with_flags(file, flags)
        .or_else(|_| Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY))
        .map_err(failed)?;
    let found = version(&connection).map_err(failed)?;
    if found != VERSION {
        return Err(Error::Version { file: file.to_owned(), found });
    }
    select(&connection, query).map_err(failed)
}

fn select(connection: &Connection, query: &Query) -> rusqlite::Result<Vec<Found>> {
    let mut wanted: Vec<(&str, Value)> = Vec::new();
    let texts = [("camera = ?", &query.camera), ("prompt = ?", &query.prompt), ("outcome = ?", &query.outcome)];
    wanted.extend(texts.into_iter().filter_map(|(what, text)| Some((what, Value::Text(text.clone()?)))));
    let times = [("at >= ?", query.since), ("at < ?", query.until)];
    wanted.extend(times.into_iter().filter_map(|(what, time)| Some((what, Value::Integer(millis(time?))))));
    if let Some(text) = &query.text {
        let pattern = format!("%{}%", text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_"));
        wanted.push((r"(coalesce(value, '') || ' ' || ask) LIKE ? ESCAPE '\'", Value::Text(pattern)));
    }
    if query.changes {
        wanted.push(("changed = ?", Value::Integer(1)));
    }
    let mut text =
        "SELECT id, at, camera, prompt, ask, outcome, reason, value, probability, changed, json FROM answers"
            .to_owned();
    for (number, (what, _)) in wanted.iter().enumerate() {
        text.push_str(if number == 0 { " WHERE " } else { " AND " });
        text.push_str(what);
    }
    text.push_str(" ORDER BY id DESC LIMIT ?");
    let limit = Value::Integer(i64::try_from(query.limit).unwrap_or(i64::MAX));
    let values = wanted.into_iter().map(|(_, value)| value).chain([limit]);
    let mut statement = connection.prepare(&text)?;
    let rows = statement.query_map(rusqlite::params_from_iter(values), |row| {
        Ok(Found {
            id: row.get(0)?,
            at: row.get(1)?,
            camera: row.get(2)?,
            prompt: row.get(3)?,
            ask: row.get(4)?,
            outcome: row.get(5)?,
            reason: row.get(6)?,
            value: row.get(7)?,
            probability: row.get(8)?,
            changed: row.get(9)?,
            json: row.get(10)?,
        })
    })?;
    rows.collect()
}
