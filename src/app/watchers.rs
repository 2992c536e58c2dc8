//! Owns the tasks of the cameras: begins them, and ends one, or all of them.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use jiff::tz::TimeZone;
use tokio::{sync::mpsc, task::Id};

use super::{answers::Input, assemble::Watched, roster::Roster, switches::Switches};
use crate::{
    camera::Logins,
    engine::Engine,
    name::CameraName,
    supervise::{Ended, Stop, Tasks, Turns},
};

/// How long a camera may take to end before another takes its place.
const END_WITHIN: Duration = Duration::from_secs(2);

/// The cameras' tasks.
pub(super) struct Watchers {
    tasks: Tasks,
    /// The task of each camera.
    of_cameras: BTreeMap<CameraName, Id>,
    /// What ends each task, those of cameras that were left behind among them.
    stops: HashMap<Id, Stop>,
    /// Those that ended by themselves while another was waited for.
    unasked: Vec<Ended>,
    roster: Roster,
    engine: Arc<Engine>,
    answers: mpsc::Sender<Input>,
    switches: Switches,
    /// Cameras begin in turns.
    turns: Turns,
    logins: Logins,
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
        let (of_cameras, stops, unasked) = (BTreeMap::new(), HashMap::new(), Vec::new());
        let (tasks, logins) = (Tasks::new(), Logins::default());
        Self { tasks, of_cameras, stops, unasked, roster, engine, answers, switches, turns, logins, zone }
    }

    /// A camera that is new has switches from now on, before anybody hears of it who may turn them.
    pub(super) fn expect(&self, camera: &CameraName) {
        self.switches.add(camera);
    }

    /// Begins to watch a camera, as the roster has it.
    pub(super) fn begin(&mut self, camera: Watched) {
        let (name, stop) = (camera.name.clone(), Stop::new());
        let (prompts, view) = self.roster.of_task(&name);
        let (engine, answers, zone) = (self.engine.clone(), self.answers.clone(), self.zone.clone());
        let watch = camera.watch(engine, answers, (&self.switches, &self.turns, &self.logins), zone, (prompts, view));
        let id = self.tasks.start(format!("camera {name}"), watch.run(stop.clone()));
        self.of_cameras.insert(name, id);
        self.stops.insert(id, stop);
    }

    /// Ends one, and waits until it has ended; one that does not is left behind, stopped, and can say nothing more that
    /// anybody would take for another's.
    pub(super) async fn end(&mut self, camera: &CameraName) {
        let Some(id) = self.of_cameras.remove(camera) else { return };
        if let Some(stop) = self.stops.get(&id) {
            stop.give();
        }
        let ended = async {
            while let Some(ended) = self.tasks.next_ended().await {
                let asked = self.stops.remove(&ended.id).is_some_and(|stop| stop.is_given());
                if ended.id == id {
                    return;
                }
                self.unasked.extend(Some(ended).filter(|_| !asked));
            }
        };
        tokio::time::timeout(END_WITHIN, ended).await.ok();
        // what it shows is asked about no more, before the next one of its name counts its frames from nothing
        self.roster.hide(camera);
        self.engine.replaced(camera);
    }

    /// Ends one that is watched no more, and forgets its switches.
    pub(super) async fn end_for_good(&mut self, camera: &CameraName) {
        self.end(camera).await;
        self.switches.remove(camera);
    }

    /// Waits for one that ends by itself, which none should.
    pub(super) async fn next_ended(&mut self) -> Ended {
        loop {
            if let Some(ended) = self.unasked.pop() {
                return ended;
            }
            let Some(ended) = self.tasks.next_ended().await else { return std::future::pending().await };
            if !self.stops.remove(&ended.id).is_some_and(|stop| stop.is_given()) {
                return ended;
            }
        }
    }

    /// Ends all of them; gives the names of those that needed longer.
    pub(super) async fn finish(mut self, within: Duration) -> Vec<String> {
        self.stops.values().for_each(Stop::give);
        self.tasks.finish(within).await
    }
}
