//! Owns the tasks of the cameras: begins them, and ends one, or all of them.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::tz::TimeZone;
use tokio::sync::mpsc;

use super::{answers::Input, assemble::Watched, roster::Roster, switches::Switches};
use crate::{
    engine::Engine,
    name::CameraName,
    supervise::{Ended, Stop, Tasks, Turns},
};

/// How long a camera may take to end before another takes its place.
const END_WITHIN: Duration = Duration::from_secs(2);

/// The cameras' tasks.
pub(super) struct Watchers {
    tasks: Tasks,
    stops: BTreeMap<CameraName, Stop>,
    roster: Roster,
    engine: Arc<Engine>,
    answers: mpsc::Sender<Input>,
    switches: Switches,
    /// Cameras begin in turns.
    turns: Turns,
    zone: TimeZone,
}

impl Watchers {
    /// No task yet.
    pub(super) fn new(
        roster: Roster,
        engine: Arc<Engine>,
        answers: mpsc::Sender<Input>,
        (switches, turns): (Switches, Turns),
        zone: TimeZone,
    ) -> Self {
        Self { tasks: Tasks::new(), stops: BTreeMap::new(), roster, engine, answers, switches, turns, zone }
    }

    /// Begins to watch a camera, as the roster has it.
    pub(super) fn begin(&mut self, camera: Watched) {
        let (name, stop) = (camera.name.clone(), Stop::new());
        let (prompts, view) = self.roster.of_task(&name);
        let (engine, answers, zone) = (self.engine.clone(), self.answers.clone(), self.zone.clone());
        let watch = camera.watch(engine, answers, (&self.switches, &self.turns), zone, (prompts, view));
        self.tasks.start(task_name(&name), watch.run(stop.clone()));
        self.stops.insert(name, stop);
    }

    /// Ends one, and waits until it has ended; one that does not is left behind, stopped, and can say nothing more that
    /// anybody would take for another's.
    pub(super) async fn end(&mut self, camera: &CameraName) {
        let Some(stop) = self.stops.remove(camera) else { return };
        stop.give();
        let name = task_name(camera);
        let ended = async { while self.tasks.next_ended().await.is_some_and(|ended| ended.name != name) {} };
        tokio::time::timeout(END_WITHIN, ended).await.ok();
        self.engine.replaced(camera);
    }

    /// Waits for one that ends by itself, which none should.
    pub(super) async fn next_ended(&mut self) -> Ended {
        match self.tasks.next_ended().await {
            Some(ended) => ended,
            None => std::future::pending().await,
        }
    }

    /// Ends all of them; gives the names of those that needed longer.
    pub(super) async fn finish(mut self, within: Duration) -> Vec<String> {
        self.stops.values().for_each(Stop::give);
        self.tasks.finish(within).await
    }
}

fn task_name(camera: &CameraName) -> String {
    format!("camera {camera}")
}
