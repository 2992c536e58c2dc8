//! What a row of the fault matrix measured: printed, and kept as JSON for the table.

use std::{fs, time::Duration};

use super::config::root;

/// One row of the matrix and what came of it. Texts, as a person reads them.
#[derive(Debug, Default, serde::Serialize)]
pub(crate) struct Row {
    /// Its number.
    pub(crate) row: u32,
    /// What was done.
    pub(crate) fault: &'static str,
    /// What is wanted.
    pub(crate) target: &'static str,
    /// How long until it was noticed.
    pub(crate) detection: String,
    /// How long until all was well again.
    pub(crate) recovery: String,
    /// What nobody got and nobody was told of.
    pub(crate) lost: String,
    /// What came twice.
    pub(crate) duplicated: String,
    /// What was left out on purpose.
    pub(crate) dropped: String,
    /// What others noticed.
    pub(crate) effect: String,
    /// Whether the target was met.
    pub(crate) met: bool,
    /// How to run it.
    pub(crate) run: &'static str,
}

/// Keeps a row, and fails the test where its target was not met.
#[expect(clippy::print_stdout, reason = "whoever runs a row wants to see it")]
pub(crate) fn record(row: &Row) {
    let folder = root().join("target/faults");
    fs::create_dir_all(&folder).unwrap();
    let text = serde_json::to_string_pretty(row).unwrap();
    fs::write(folder.join(format!("{}.json", row.row)), &text).unwrap();
    println!("{text}");
    assert!(row.met, "row {} misses its target: {text}", row.row);
}

/// A length of time as the table has it.
pub(crate) fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}
