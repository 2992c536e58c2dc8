//! Where the history of answers is, and beginning to write it.

use std::path::PathBuf;

use super::memory;
use crate::{
    config::Config,
    store::{History, Limits},
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
    match History::start(&file, Limits { age: kept.max_age, bytes: kept.max_bytes }) {
        Ok(history) => Some(history),
        Err(error) => {
            Event::HistoryProblem { problem: &format!("answers are not kept: {error}") }.emit();
            None
        }
    }
}
