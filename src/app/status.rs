//! One line about the whole, for the service manager: what is watched, and what is wrong.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::systemd::Notify;

/// All of it; clones are the same.
#[derive(Clone)]
pub(super) struct Status {
    notify: Notify,
    line: Arc<Mutex<Line>>,
}

#[derive(Default)]
struct Line {
    cameras: usize,
    /// What the model runs on.
    runs_on: String,
    /// Why the configuration in the files is not used.
    refused: Option<String>,
    /// What no longer is as it began.
    degraded: Option<String>,
}

impl Status {
    pub(super) fn new(notify: Notify, cameras: usize, runs_on: String) -> Self {
        Self { notify, line: Arc::new(Mutex::new(Line { cameras, runs_on, ..Line::default() })) }
    }

    /// So many cameras are watched, with the configuration that is in the files.
    pub(super) fn watching(&self, cameras: usize) {
        self.change(|line| (line.cameras, line.refused) = (cameras, None));
    }

    /// The configuration in the files is not used.
    pub(super) fn refused(&self, why: &str) {
        self.change(|line| line.refused = Some(why.to_owned()));
    }

    /// Something is not as it began, and will not be again before the next start.
    pub(super) fn degraded(&self, how: &str) {
        self.change(|line| line.degraded = Some(how.to_owned()));
    }

    /// What is degraded, if anything is.
    pub(super) fn trouble(&self) -> Option<String> {
        self.line().degraded.clone()
    }

    /// Tells the service manager.
    pub(super) fn tell(&self) {
        self.change(|_| {});
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Line)) {
        let mut line = self.line();
        change(&mut line);
        self.notify.status(&line.text());
    }
}

impl Line {
    fn text(&self) -> String {
        let watching = format!("watching {} cameras, on {}", self.cameras, self.runs_on);
        let degraded = self.degraded.as_ref().map(|how| format!("degraded: {how}"));
        [Some(watching), degraded, self.refused.clone()].into_iter().flatten().collect::<Vec<_>>().join("; ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_said_until_it_is_mended() {
        let status = Status::new(Notify, 2, "cpu".to_owned());
        let says = || status.line().text();
        assert_eq!(says(), "watching 2 cameras, on cpu");
        status.refused("`aks` is unknown");
        status.degraded("on the processor");
        assert_eq!(says(), "watching 2 cameras, on cpu; degraded: on the processor; `aks` is unknown");
        status.watching(3);
        assert_eq!(says(), "watching 3 cameras, on cpu; degraded: on the processor");
    }
}
