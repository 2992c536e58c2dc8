//! Feeds the service manager's watchdog on proof of progress, and ends a process in which a stage hangs.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval},
};

use crate::{
    engine::{Engine, Replied},
    supervise::{Progress, Pulse},
    systemd::Notify,
    telemetry::Event,
};

/// A stage that hangs for so long ends the process, where no service manager says how long it would wait.
const USUAL: Duration = Duration::from_secs(60);

/// The stages that all cameras and prompts need.
pub(super) struct Watchdog {
    pub(super) notify: Notify,
    pub(super) engine: Arc<Engine>,
    /// What waits for the answer task.
    pub(super) replies: mpsc::WeakSender<Replied>,
    /// What it has done.
    pub(super) judged: Arc<AtomicU64>,
}

impl Watchdog {
    /// Feeds until a stage has hung for as long as the service manager would wait; gives its name.
    ///
    /// Reads the stages eight times in that while, and stops feeding once one has kept still for a quarter of it, so that
    /// the manager's own clock begins to run long before it has to act.
    pub(super) async fn run(self) -> &'static str {
        let timeout = self.notify.watchdog_timeout().unwrap_or(USUAL);
        let mut progress = Progress::new(timeout / 4, timeout);
        let mut reading = interval((timeout / 8).max(Duration::from_millis(1)));
        reading.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let begun = Instant::now(); // which stands still while the machine sleeps: no stage can move then
        let mut told = None;
        loop {
            reading.tick().await;
            let now = begun.elapsed();
            let still = |(stage, pulse)| Some((progress.still(now, stage, pulse)?, stage));
            let Some((still, stage)) = self.pulses().into_iter().filter_map(still).max() else {
                self.notify.watchdog();
                told = None;
                continue;
            };
            if told.replace(stage) != Some(stage) {
                Event::StageStill { stage, still }.emit();
            }
            if still >= timeout {
                return stage;
            }
        }
    }

    fn pulses(&self) -> [(&'static str, Pulse); 2] {
        let waiting = self.replies.upgrade().map_or(0, |replies| replies.max_capacity() - replies.capacity());
        let judging = Pulse { moved: self.judged.load(Ordering::Relaxed), busy: waiting > 0 };
        [("engine", self.engine.pulse()), ("answers", judging)]
    }
}
