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

/// What was measured. Empty is "does not apply".
#[derive(Debug, Default)]
pub(crate) struct Figures {
    /// Until the fault was noticed.
    pub(crate) detection: String,
    /// Until all was well, from when it could be.
    pub(crate) recovery: String,
    /// Answers that were accepted and never arrived.
    pub(crate) lost: String,
    /// Answers that arrived more than once.
    pub(crate) duplicated: String,
    /// What a policy gave up, and counted.
    pub(crate) dropped: String,
    /// What cameras without a fault noticed.
    pub(crate) healthy: String,
    /// Whether the target is met.
    pub(crate) met: bool,
}

/// Prints and keeps a row; `run` is the filter of its test.
pub(crate) fn record(row: u32, fault: &str, target: &str, run: &str, figures: &Figures) {
    let Figures { detection, recovery, lost, duplicated, dropped, healthy, met } = figures;
    let row_of_table = json!({
        "row": row,
        "fault": fault,
        "target": target,
        "detection": detection,
        "recovery": recovery,
        "lost": lost,
        "duplicated": duplicated,
        "dropped_on_purpose": dropped,
        "effect_on_healthy_cameras": healthy,
        "met": met,
        "how_to_run": if run.starts_with("./x") { run.to_owned() } else { format!("cargo nextest run {run}") },
    });
    say(&format!("fault {row}: {row_of_table:#}"));
    fs::create_dir_all(folder()).unwrap();
    fs::write(folder().join(format!("{row}.json")), format!("{row_of_table:#}\n")).unwrap();
}

/// One row of the matrix and what came of it. Texts, as a person reads them.
#[derive(Debug, Default)]
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
    /// The filter of its test, or the command.
    pub(crate) run: &'static str,
}

/// Prints and keeps a row, and fails the test where its target was not met.
pub(crate) fn keep(row: &Row) {
    let Row { row: number, fault, target, run, .. } = *row;
    let figures = Figures {
        detection: row.detection.clone(),
        recovery: row.recovery.clone(),
        lost: row.lost.clone(),
        duplicated: row.duplicated.clone(),
        dropped: row.dropped.clone(),
        healthy: row.effect.clone(),
        met: row.met,
    };
    record(number, fault, target, run, &figures);
    assert!(row.met, "row {number} misses its target: {row:?}");
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
