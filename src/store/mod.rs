//! What outlives the moment: the history of answers, what others said of some, and what waits for the broker. Knows no
//! broker and no topic.
//!
//! A thread of its own writes the history: whoever hands an answer over never waits for the disk.

pub mod feedback;
mod history;
mod search;
pub mod spool;

use std::path::PathBuf;

use rusqlite::ErrorCode;

pub use history::{Disk, Entry, History, Limits, Lost};
pub use search::{Found, Query, search};

/// The version of the tables; a file of another is left alone.
const VERSION: i64 = 1;

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
    #[error("the history `{file}` cannot be used: {source}{}", if is_damage(source) { "; move it away to begin another" } else { "" })]
    Database {
        /// The database.
        file: PathBuf,
        /// Why not.
        source: rusqlite::Error,
    },
    /// It was written by another version of wader.
    #[error("the history `{file}` has version {found} and this wader writes {VERSION}; move it away to begin another")]
    Version {
        /// The database.
        file: PathBuf,
        /// Its version.
        found: i64,
    },
    /// There is none.
    #[error(
        "there is no history at `{0}`; `wader run` writes it below `state` of `[paths]`, else below the $STATE_DIRECTORY that \
         its service manager gives it: name the configuration, or set the variable, by which it runs"
    )]
    Absent(PathBuf),
    /// This user may not look.
    #[error("the history `{file}` cannot be looked at: {source}; ask as the user that runs wader, or as root")]
    Hidden {
        /// The database.
        file: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The thread did not start.
    #[error("cannot start the history's thread: {0}")]
    Thread(std::io::Error),
}

impl Error {
    /// Whether a person must move the file away: what it holds is no history, or another wader's.
    fn is_of_the_file(&self) -> bool {
        match self {
            Self::Database { source, .. } => is_damage(source),
            Self::Version { .. } => true,
            _ => false,
        }
    }
}

/// Whether what a file holds is no database any more, or not what was written.
fn is_damage(error: &rusqlite::Error) -> bool {
    use rusqlite::Error::{FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType, Utf8Error};
    let no_database = matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase));
    let of_a_row = matches!(
        error,
        FromSqlConversionFailure(..) | IntegralValueOutOfRange(..) | InvalidColumnType(..) | Utf8Error(..)
    );
    no_database || of_a_row
}
