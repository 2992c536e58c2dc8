//! What a fault's test measured, against its target: printed, and kept in a file of `target/faults` for each row of the
//! matrix, out of which `tests/faults.md` is made.

use std::{fmt::Display, fs, path::PathBuf, time::Duration};

use serde_json::json;

use super::config::root;

/// Where the rows are kept.
pub(crate) fn folder() -> PathBuf {
    root().join("target/faults")
}

/// Whether faults last as long as in the field: minutes instead of seconds.
pub(crate) fn long() -> bool {
    std::env::var("WADER_FAULTS").is_ok_and(|length| length == "long")
}

/// Chance that can be repeated: drawn anew for each run and printed, or that of `WADER_FAULTS_SEED`.
pub(crate) fn chance() -> (fastrand::Rng, u64) {
    let given = std::env::var("WADER_FAULTS_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(|| fastrand::u64(..1 << 32));
    say(&format!("WADER_FAULTS_SEED={seed}"));
    (fastrand::Rng::with_seed(seed), seed)
}

/// One row of the matrix and what came of it. Texts, as a person reads them; an empty one is "does not apply".
#[derive(Debug, Clone, Default)]
pub(crate) struct Row<'a> {
    /// Its number.
    pub(crate) row: u32,
    /// What was done.
    pub(crate) fault: &'a str,
    /// What is wanted.
    pub(crate) target: &'a str,
    /// The filter of its test, or the command.
    pub(crate) run: &'a str,
    /// How long until it was noticed.
    pub(crate) detection: String,
    /// How long until all was well again, from when it could be.
    pub(crate) recovery: String,
    /// What was accepted, and nobody got and nobody was told of.
    pub(crate) lost: String,
    /// What came twice.
    pub(crate) duplicated: String,
    /// What was given up on purpose, and counted.
    pub(crate) dropped: String,
    /// What cameras without a fault noticed.
    pub(crate) effect: String,
    /// Whether the target was met.
    pub(crate) met: bool,
}

/// Prints and keeps a row.
pub(crate) fn record(row: &Row<'_>) {
    let Row { row: number, fault, target, run, detection, recovery, lost, duplicated, dropped, effect, met } = row;
    let row_of_table = json!({
        "row": number,
        "fault": fault,
        "target": target,
        "detection": detection,
        "recovery": recovery,
        "lost": lost,
        "duplicated": duplicated,
        "dropped_on_purpose": dropped,
        "effect_on_healthy_cameras": effect,
        "met": met,
        "how_to_run": if run.starts_with("./x") { (*run).to_owned() } else { format!("cargo nextest run {run}") },
    });
    say(&format!("fault {number}: {row_of_table:#}"));
    fs::create_dir_all(folder()).unwrap();
    fs::write(folder().join(format!("{number}.json")), format!("{row_of_table:#}\n")).unwrap();
}

/// Prints and keeps a row, and fails the test where its target was not met.
pub(crate) fn keep(row: &Row<'_>) {
    record(row);
    assert!(row.met, "row {} misses its target: {row:?}", row.row);
}

/// What whoever runs the test is to see.
#[expect(clippy::print_stdout, reason = "the figures of a run belong to its output")]
pub(crate) fn say(what: &str) {
    println!("{what}");
}

/// A length of time as it is read in the table.
pub(crate) fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

/// A count, of all of them.
pub(crate) fn of(count: impl Display, all: impl Display) -> String {
    format!("{count} of {all}")
}
