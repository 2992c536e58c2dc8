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
    lessons,
    newcomers::{self, Newcomers},
    shown::{digest, show},
    watchers::Watchers,
};
use crate::{
    config::{self, Config, Diff, Loaded, PromptConfig},
    engine::Added,
    model::Manifest,
    mqtt::{Arrival, Code, Complaint},
    name::{CameraName, PromptName},
    supervise::Stop,
    systemd::Notify,
    telemetry::Event,
};

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Everything the task knows.
pub(super) struct Changes {
    /// The configuration in use, prompts of others among its own.
    pub(super) config: Config,
    pub(super) manifest: Manifest,
    pub(super) newcomers: Newcomers,
    pub(super) watchers: Watchers,
    pub(super) notify: Notify,
    /// What is done, in a line, for the service manager.
    pub(super) status: String,
    /// Takes a configuration with which all must begin anew.
    pub(super) again: mpsc::Sender<Box<Loaded>>,
}

/// A configuration that can be used, and what is ready of it.
struct Ready {
    loaded: Loaded,
    /// The prompts that stand in its files.
    own: BTreeSet<PromptName>,
    diff: Diff,
    /// All cameras that it watches.
    watched: Vec<Watched>,
    /// The prompts that the engine is given.
    added: Vec<Added>,
}

impl Changes {
    /// Takes changes in until `stop` is given, then ends the cameras.
    pub(super) async fn run(mut self, mut arrivals: mpsc::Receiver<Arrival>, mut hangup: Signal, stop: Stop) {
        let mut looks = tokio::time::interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut read, mut seen) = (self.written().await, None);
        loop {
            tokio::select! {
                () = stop.given() => break,
                Some(arrival) = arrivals.recv() => self.newcomers.take(&arrival, &mut self.config).await,
                _ = hangup.recv() => {
                    read = self.written().await;
                    self.reload().await;
                }
                _ = looks.tick() => {
                    // whoever writes a file may not have written all of it: it has to look the same twice
                    let now = self.written().await;
                    if now == read {
                        seen = None;
                    } else if seen.replace(now.clone()) == Some(now.clone()) {
                        (read, seen) = (now, None);
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

    async fn written(&self) -> config::Written {
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
        if ready.diff.foundations.is_empty() {
            self.carry_out(ready).await;
            self.notify.status(&self.status);
            self.tell_control(Change::Refused(None)).await;
        } else {
            Event::Reloaded { what: &format!("all begins anew, with {}", ready.diff.foundations.join(", ")) }.emit();
            self.again.send(Box::new(ready.loaded)).await.ok(); // or the end was asked for
        }
    }

    /// Says in every place where somebody may look that the files cannot be used.
    fn refuse(&self, problem: &str) {
        let message = format!("the changed configuration is not used: {}", problem.trim().replace('\n', " "));
        self.notify.status(&format!("{}; {message}", self.status));
        let newcomers = &self.newcomers;
        complain(&newcomers.outbox, &newcomers.topics, &Complaint::new(Code::BadConfiguration, message.clone()));
        // the task that says what runs here
        newcomers.control.try_send(Change::Refused(Some(message))).ok();
    }

    /// Reads, checks and prepares all that a configuration needs; nothing is different afterwards. Nothing comes when the
    /// engine is ending.
    async fn prepare(&self) -> Result<Option<Ready>, String> {
        let (before, manifest) = (self.config.clone(), self.manifest.clone());
        let sources = self.newcomers.sources.clone();
        let (loaded, own, diff, watched, mut added) = blocking(move || {
            let mut loaded = config::load(&sources, &config::system_lookup).map_err(|report| report.to_string())?;
            let own = own_prompts(&loaded.config);
            let others = newcomers::remembered(&loaded);
            loaded.config.prompts.extend(others);
            let wrong = |error: super::Error| error.to_string();
            let diff = Diff::between(&before, &loaded.config);
            if diff.foundations.contains(&"model") {
                assemble::load_model(&loaded.config).map_err(wrong)?; // only to see that it can be
                return Ok((loaded, own, diff, Vec::new(), Vec::new()));
            }
            let watched = assemble::watched(&loaded.config, &manifest).map_err(wrong)?;
            let added = asked_anew(&diff, &watched);
            let added = added.into_iter().map(|(camera, prompt)| {
                let shown = show(&prompt, &manifest).map_err(|problems| problems.join("\n"))?;
                Ok(Added { camera, prompt: Arc::new(prompt.prompt), shown })
            });
            let added = added.collect::<Result<Vec<_>, String>>()?;
            Ok((loaded, own, diff, watched, added))
        })
        .await?;
        if diff.foundations.is_empty() && !added.is_empty() {
            match self.newcomers.engine.add(added.clone()).await {
                Ok(prepared) => prepared?,
                Err(_) => return Ok(None),
            }
        }
        added.retain(|added| added.shown.is_some());
        Ok(Some(Ready { loaded, own, diff, watched, added }))
    }

    /// Uses a configuration in the place of the other.
    async fn carry_out(&mut self, Ready { loaded, own, diff, mut watched, added }: Ready) {
        let nothing = diff.is_empty();
        if self.config.log != loaded.config.log {
            Event::ConfigProblem { problem: "what is below `[log]` is used from the next start on" }.emit();
        }
        // first: a camera that is configured no more has not even a status
        self.tell_control(Change::Configured(control::known(&loaded.config))).await;
        for camera in &diff.ended {
            self.watchers.end(camera).await;
            self.newcomers.roster.leave(camera);
            let (done, is_done) = oneshot::channel();
            self.newcomers.tell(Input::Left { camera: camera.clone(), done }).await;
            is_done.await.ok();
            self.tell_control(Change::Unwatched { camera: camera.clone() }).await;
            if loaded.config.camera(camera).is_some() {
                self.newcomers.tell(Input::SwitchedOff { camera: camera.clone() }).await; // disabled, and says so
            }
        }
        for (camera, prompt) in &diff.removed {
            self.newcomers.forget(camera, prompt).await;
        }
        for camera in &diff.begun {
            self.newcomers.roster.enter(camera);
            self.tell_control(Change::Watched { camera: camera.clone() }).await;
            self.newcomers.tell(Input::CameraDown { camera: camera.clone() }).await;
        }
        let about: Vec<_> = asked_anew(&diff, &watched);
        for (camera, prompt) in about {
            let shown = added.iter().find(|a| a.camera == camera && a.prompt.name == prompt.prompt.name);
            let shown = shown.and_then(|added| added.shown.as_ref()).map(digest);
            self.newcomers.begin(&camera, prompt.clone(), shown).await;
            self.teach(&camera, &prompt).await;
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
        self.config = loaded.config;
        let what = if nothing { "nothing is different".to_owned() } else { words(&diff) };
        Event::Reloaded { what: &what }.emit();
    }

    /// What others said before of a prompt's answers holds on.
    async fn teach(&self, camera: &CameraName, prompt: &PromptConfig) {
        let (about, asked) = (camera.clone(), prompt.clone());
        let (manifest, config) = (self.manifest.clone(), self.config.clone());
        let shown = blocking(move || {
            lessons::taught(&about, &asked, &manifest, &lessons::said(&config)).map_err(|wrong| wrong.join("; "))
        });
        let Ok(Some(shown)) = shown.await else { return };
        let digest = digest(&shown);
        let learnt = self.newcomers.engine.teach(camera.clone(), Arc::new(prompt.prompt.clone()), shown).await;
        let Ok(Ok(lesson)) = learnt else { return };
        super::feedback::tell(&lesson);
        if lesson.is_learnt() {
            let hash = assemble::standing_hash(prompt, Some(&digest));
            let (camera, prompt) = (camera.clone(), prompt.prompt.name.clone());
            self.newcomers.tell(Input::Taught { camera, prompt, hash }).await;
        }
    }

    async fn tell_control(&self, change: Change) {
        self.newcomers.control.send(change).await.ok(); // or the process is ending
    }
}

/// The prompts that stand in the files of a configuration.
pub(super) fn own_prompts(config: &Config) -> BTreeSet<PromptName> {
    config.prompts.iter().map(|prompt| prompt.prompt.name.clone()).collect()
}

/// The prompts that have to be prepared: those that are new or different, and all of new cameras.
fn asked_anew(diff: &Diff, watched: &[Watched]) -> Vec<(CameraName, PromptConfig)> {
    let begun = watched.iter().filter(|camera| diff.begun.contains(&camera.name));
    diff.added.iter().cloned().chain(begun.flat_map(Watched::asked)).collect()
}

/// A difference in words.
fn words(diff: &Diff) -> String {
    let names = |names: &[CameraName]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let cameras = [("no more: ", &diff.ended), ("new: ", &diff.begun), ("received anew: ", &diff.moved)];
    let mut words: Vec<String> = cameras
        .into_iter()
        .filter(|(_, cameras)| !cameras.is_empty())
        .map(|(word, cameras)| format!("{word}{}", names(cameras)))
        .collect();
    let prompts = [
        (
            "asked anew: ",
            diff.added.iter().map(|(camera, p)| format!("`{camera}/{}`", p.prompt.name)).collect::<Vec<_>>(),
        ),
        ("asked no more: ", diff.removed.iter().map(|(camera, prompt)| format!("`{camera}/{prompt}`")).collect()),
    ];
    words.extend(
        prompts.into_iter().filter(|(_, all)| !all.is_empty()).map(|(word, all)| format!("{word}{}", all.join(", "))),
    );
    words.join("; ")
}
