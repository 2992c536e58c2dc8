//! Where the history of answers is, and beginning to write it.

use std::path::PathBuf;

use super::memory;
use crate::{
    config::Config,
    store::{Disk, History, Limits},
    telemetry::Event,
};

/// The file in which the answers of a service are kept; `None` where the system has no folder for it.
pub fn history_file(config: &Config) -> Option<PathBuf> {
    memory::file(config.state.as_deref(), &config.mqtt.client_id, "history.db")
}

/// Begins to keep answers. A history that cannot be kept is told of, and is no reason not to watch. Blocks.
pub(super) fn begin(config: &Config) -> Option<History> {
    let kept = config.history;
    if !kept.enabled {
        return None;
    }
    let Some(file) = history_file(config) else {
        let problem = "answers are not kept: there is no folder for what outlives a restart; name one as `state` below \
                       `[paths]`, or say `enabled = false` below `[history]`";
        Event::HistoryProblem { problem }.emit();
        return None;
    };
    match History::start(&file, Limits { age: kept.max_age, bytes: kept.max_bytes }, tell) {
        Ok(history) => Some(history),
        Err(error) => {
            Event::HistoryProblem { problem: &format!("answers are not kept: {error}") }.emit();
            None
        }
    }
}

/// Logs what becomes of the disk.
fn tell(disk: Disk) {
    let problem = match disk {
        Disk::Failing { error } => {
            format!("answers are not kept: {error}; is there room on the disk? They go to the broker as ever")
        }
        Disk::Back { lost } => format!("answers are kept again; {lost} are missing in the history"),
    };
    Event::HistoryProblem { problem: &problem }.emit();
}
