//! Takes in what changes while the service runs: prompts that others add, and another configuration.
//!
//! A configuration is checked whole, with the model that runs, before anything of it is used. Only what it touches is begun
//! anew: a camera that it leaves alone misses no frame.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use tokio::{
    signal::unix::Signal,
    sync::{mpsc, oneshot},
    time::MissedTickBehavior,
};

use super::{
    STOP_WITHIN,
    answers::Input,
    assemble::{self, Watched},
    blocking,
    complain::complain,
    control::{self, Change},
    lessons::{self, Teacher},
    newcomers::{self, Newcomers},
    on_one_line, ports, prepare,
    shown::{Digests, digest, show},
    status::Status,
    watchers::Watchers,
    windows,
};
use crate::{
    config::{self, Config, Diff, Loaded, PromptConfig, Written},
    engine::Added,
    mqtt::{Arrival, Code, Complaint},
    name::{CameraName, PromptName},
    supervise::Stop,
    telemetry::{Event, chain},
};

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The files behind the configuration that runs.
pub(super) struct Files {
    /// What was read of them.
    pub(super) loaded: Loaded,
    /// The prompts that stand in them.
    pub(super) own: BTreeSet<PromptName>,
    /// Why they are not what runs, if so.
    pub(super) refused: Option<String>,
}

/// Everything the task knows.
pub(super) struct Changes {
    /// The configuration in use, prompts of others among its own.
    pub(super) config: Config,
    /// The same, as its files have it.
    pub(super) loaded: Loaded,
    /// How its files stood when they were last read.
    pub(super) written: Written,
    /// Why what they hold now is not what runs, if that is still to be told.
    pub(super) refused: Option<String>,
    pub(super) teacher: Teacher,
    pub(super) newcomers: Newcomers,
    pub(super) watchers: Watchers,
    pub(super) status: Status,
    /// Takes a configuration with which all must begin anew.
    pub(super) again: mpsc::Sender<Box<Anew>>,
}

/// A configuration with which all must begin anew.
pub(super) struct Anew {
    /// The one that runs until then.
    pub(super) before: Loaded,
    pub(super) now: Loaded,
}

/// A configuration that can be used, and what is ready of it.
struct Ready {
    /// As its files have it.
    loaded: Loaded,
    /// The same, prompts of others among its own.
    config: Config,
    /// The prompts that stand in its files.
    own: BTreeSet<PromptName>,
    diff: Diff,
    /// All cameras that it watches.
    watched: Vec<Watched>,
    /// The prompts that the engine was given: those that are new or different, and all of new cameras.
    asked: Vec<(CameraName, PromptConfig)>,
    /// What is shown with them.
    shown: Digests,
}

impl Ready {
    /// As if these prompts stood nowhere.
    fn leave_out(&mut self, prompts: &[PromptName]) {
        let stays = |prompt: &PromptConfig| !prompts.contains(&prompt.prompt.name);
        self.config.prompts.retain(stays);
        self.diff.added.retain(|(_, prompt)| stays(prompt));
        self.asked.retain(|(_, prompt)| stays(prompt));
        self.watched.iter_mut().for_each(|camera| camera.forget(prompts));
    }
}

impl Changes {
    /// Takes changes in until `stop` is given, then ends the cameras.
    pub(super) async fn run(mut self, mut arrivals: mpsc::Receiver<Arrival>, mut hangup: Signal, stop: Stop) {
        let mut looks = tokio::time::interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        if let Some(problem) = self.refused.take() {
            self.refuse(&problem);
        }
        let mut seen = None;
        loop {
            tokio::select! {
                () = stop.given() => break,
                Some(arrival) = arrivals.recv() => {
                    if let Some(name) = self.newcomers.take(&arrival, &mut self.config).await {
                        self.teach(&name).await;
                    }
                }
                _ = hangup.recv() => {
                    self.newcomers.outbox.connect_now();
                    self.written = self.written().await;
                    self.reload().await;
                }
                _ = looks.tick() => {
                    // whoever writes a file may not have written all of it: it has to look the same twice
                    let now = self.written().await;
                    if now == self.written {
                        seen = None;
                    } else if seen.replace(now.clone()) == Some(now.clone()) {
                        (self.written, seen) = (now, None);
                        self.reload().await;
                    }
                }
                ended = self.watchers.next_ended() => {
                    let why = ended.panic.unwrap_or_default();
                    Event::TaskEnded { task: &ended.name, why: &why }.emit();
                    return; // which ends the process: a camera's own faults never come here
                }
            }
        }
        for task in self.watchers.finish(STOP_WITHIN * 3 / 8).await {
            Event::StopLate { task: &task }.emit();
        }
    }

    /// What others said of the answers to a prompt that was added by others holds on.
    async fn teach(&self, name: &PromptName) {
        let config = self.config.clone();
        let said = Arc::new(blocking(move || Ok(lessons::said_or_told(&config))).await.unwrap_or_default());
        for camera in self.newcomers.roster.asked_by(name) {
            let prompts = self.newcomers.roster.prompts(&camera);
            let Some(prompt) = prompts.iter().find(|prompt| prompt.prompt.name == *name) else { continue };
            if let Err(problem) = self.teacher.teach(&camera, prompt, Arc::clone(&said)).await {
                Event::FeedbackProblem { problem: &problem }.emit();
            }
        }
    }

    async fn written(&self) -> Written {
        let sources = self.newcomers.sources.clone();
        blocking(move || Ok(sources.written())).await.unwrap_or_default()
    }

    /// Reads the configuration again, and uses it if it is good.
    async fn reload(&mut self) {
        let ready = match self.prepare().await {
            Ok(Some(ready)) => ready,
            Ok(None) => return, // the process is ending
            Err(problem) => return self.refuse(&problem),
        };
        for warning in ready.loaded.warnings.iter().filter(|warning| !self.loaded.warnings.contains(warning)) {
            Event::ConfigProblem { problem: &on_one_line(&warning.to_string()) }.emit();
        }
        if ready.diff.foundations.is_empty() {
            self.carry_out(ready).await;
            self.tell_control(Change::Refused(None)).await;
        } else {
            Event::Reloaded { what: &format!("all begins anew, with {}", ready.diff.foundations.join(", ")) }.emit();
            let anew = Anew { before: self.loaded.clone(), now: ready.loaded };
            self.again.send(Box::new(anew)).await.ok(); // or the end was asked for
        }
    }

    /// Says in every place where somebody may look that the files cannot be used.
    fn refuse(&self, problem: &str) {
        let message = format!("the changed configuration is not used: {}", on_one_line(problem));
        self.status.refused(&message);
        let newcomers = &self.newcomers;
        complain(&newcomers.outbox, &newcomers.topics, &Complaint::new(Code::BadConfiguration, message.clone()));
        // the task that says what runs here
        newcomers.control.try_send(Change::Refused(Some(message))).ok();
    }

    /// Reads, checks and prepares all that a configuration needs; nothing is different afterwards. Nothing comes when the
    /// engine is ending.
    async fn prepare(&self) -> Result<Option<Ready>, String> {
        let (before, manifest) = (self.config.clone(), self.teacher.manifest.clone());
        let sources = self.newcomers.sources.clone();
        let (mut ready, added) = blocking(move || {
            let loaded = config::load(&sources, &config::system_lookup).map_err(|report| report.to_string())?;
            let own = own_prompts(&loaded.config);
            let mut config = loaded.config.clone();
            config.prompts.extend(newcomers::remembered(&loaded));
            newcomers::drop_too_long(&mut config, &own, &manifest);
            let wrong = |error: super::Error| chain(&error);
            let diff = Diff::between(&before, &config);
            let (watched, asked, shown) = (Vec::new(), Vec::new(), Digests::new());
            let mut ready = Ready { loaded, own, config, diff, watched, asked, shown };
            if !ready.diff.foundations.is_empty() {
                ports::try_out(&before, &ready.config).map_err(wrong)?;
            }
            if ready.diff.foundations.contains(&"model") {
                // only to see that it can be; what others added is no reason against it
                prepare::whole(&ready.loaded.config, &[]).map_err(wrong)?;
                return Ok((ready, Vec::new()));
            }
            ready.watched = assemble::watched(&ready.config, &manifest).map_err(wrong)?;
            let begun = ready.watched.iter().filter(|camera| ready.diff.begun.contains(&camera.name));
            let fit = |(camera, prompt)| Ok((camera, windows::fit(prompt, &manifest)?));
            let more = ready.diff.added.iter().cloned().map(fit).collect::<Result<Vec<_>, _>>().map_err(wrong)?;
            ready.asked = more.into_iter().chain(begun.flat_map(Watched::asked)).collect();
            windows::tell_untrained(ready.asked.iter().map(|(_, prompt)| prompt), &manifest);
            let said = if ready.asked.is_empty() { Vec::new() } else { lessons::said_or_told(&ready.config) };
            let mut added = Vec::with_capacity(ready.asked.len());
            for (camera, prompt) in &ready.asked {
                let shown = show(prompt, &manifest).map_err(|problems| problems.join("\n"))?;
                if let Some(shown) = &shown {
                    ready.shown.insert((camera.clone(), prompt.prompt.name.clone()), digest(shown));
                }
                let taught = lessons::taught(camera, prompt, &manifest, &said).unwrap_or_default(); // told when it is taught
                added.push(Added { camera: camera.clone(), prompt: Arc::new(prompt.prompt.clone()), shown, taught });
            }
            Ok((ready, added))
        })
        .await?;
        let (own, others): (Vec<_>, Vec<_>) =
            added.into_iter().partition(|added| ready.own.contains(&added.prompt.name));
        let (engine, anew) = (&self.newcomers.engine, !ready.diff.foundations.is_empty());
        let prepared = if anew { engine.try_out(own) } else { engine.add(own) };
        match prepared.await {
            Ok(prepared) => prepared?,
            Err(_) => return Ok(None),
        }
        if anew {
            return Ok(Some(ready));
        }
        // as at a start: what others added and the model cannot be asked is left out, and is no reason against the rest
        let mut refused = Vec::new();
        for added in others {
            let name = added.prompt.name.clone();
            match engine.add(vec![added]).await {
                Ok(prepared) => refused.extend(prepared.err().map(|why| (name, why))),
                Err(_) => return Ok(None),
            }
        }
        ready.leave_out(&newcomers::tell_refused(refused));
        Ok(Some(ready))
    }

    /// Uses a configuration in the place of the other.
    async fn carry_out(&mut self, Ready { loaded, own, config, diff, mut watched, asked, shown }: Ready) {
        if self.config.log != config.log {
            Event::ConfigProblem { problem: "what is below `[log]` is used from the next start on" }.emit();
        }
        let cameras = watched.len();
        // first: a camera that is configured no more has not even a status
        self.tell_control(Change::Configured(control::known(&config))).await;
        for camera in &diff.ended {
            self.watchers.end_for_good(camera).await;
            for prompt in self.newcomers.roster.prompts(camera) {
                self.newcomers.engine.remove(camera, &prompt.prompt.name);
            }
            self.newcomers.roster.leave(camera);
            let (done, is_done) = oneshot::channel();
            self.newcomers.tell(Input::Left { camera: camera.clone(), done }).await;
            is_done.await.ok();
            self.tell_control(Change::Unwatched { camera: camera.clone() }).await;
            if config.camera(camera).is_some() {
                self.newcomers.tell(Input::SwitchedOff { camera: camera.clone() }).await; // disabled, and says so
            }
        }
        for (camera, prompt) in &diff.removed {
            self.newcomers.forget(camera, prompt).await;
        }
        for camera in &diff.begun {
            self.newcomers.roster.enter(camera);
            self.watchers.expect(camera);
            self.tell_control(Change::Watched { camera: camera.clone() }).await;
            self.newcomers.tell(Input::CameraDown { camera: camera.clone() }).await;
        }
        let said = if asked.is_empty() {
            Vec::new()
        } else {
            let config = config.clone();
            blocking(move || Ok(lessons::said_or_told(&config))).await.unwrap_or_default()
        };
        let said = Arc::new(said);
        for (camera, prompt) in asked {
            let shown = shown.get(&(camera.clone(), prompt.prompt.name.clone())).cloned();
            self.newcomers.begin(&camera, prompt.clone(), shown).await;
            // what others said before of its answers holds on
            if let Err(problem) = self.teacher.teach(&camera, &prompt, Arc::clone(&said)).await {
                Event::FeedbackProblem { problem: &problem }.emit();
            }
        }
        for camera in diff.moved.iter().chain(&diff.begun) {
            let Some(at) = watched.iter().position(|other| other.name == *camera) else { continue };
            if diff.moved.contains(camera) {
                self.watchers.end(camera).await;
                self.newcomers.tell(Input::CameraDown { camera: camera.clone() }).await;
            }
            self.watchers.begin(watched.swap_remove(at));
        }
        self.newcomers.own = own;
        (self.config, self.loaded) = (config, loaded);
        self.status.watching(cameras);
        Event::Reloaded { what: &words(&diff) }.emit();
    }

    async fn tell_control(&self, change: Change) {
        self.newcomers.control.send(change).await.ok(); // or the process is ending
    }
}

/// The prompts that stand in the files of a configuration.
pub(super) fn own_prompts(config: &Config) -> BTreeSet<PromptName> {
    config.prompts.iter().map(|prompt| prompt.prompt.name.clone()).collect()
}

/// A difference in words.
fn words(diff: &Diff) -> String {
    let cameras = |cameras: &[CameraName]| cameras.iter().map(|camera| format!("`{camera}`")).collect::<Vec<_>>();
    let about = |camera: &CameraName, prompt: &PromptName| format!("`{camera}/{prompt}`");
    let parts = [
        ("no more", cameras(&diff.ended)),
        ("new", cameras(&diff.begun)),
        ("received anew", cameras(&diff.moved)),
        ("asked anew", diff.added.iter().map(|(camera, prompt)| about(camera, &prompt.prompt.name)).collect()),
        ("asked no more", diff.removed.iter().map(|(camera, prompt)| about(camera, prompt)).collect()),
    ];
    let said = parts.into_iter().filter(|(_, all)| !all.is_empty());
    let words: Vec<String> = said.map(|(word, all)| format!("{word}: {}", all.join(", "))).collect();
    if words.is_empty() { "nothing is different".to_owned() } else { words.join("; ") }
}
