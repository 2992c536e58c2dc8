//! Standing prompts that others add over MQTT, and take away again, where the configuration allows it.
//!
//! Such a prompt is checked as if it stood in the configuration, kept as the JSON that came, and asked at once: its cameras
//! miss no frame.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::sync::{mpsc, watch};

use super::{
    answers::Input,
    assemble::standing,
    blocking,
    complain::{complain, not_retained},
    control::Change,
    memory,
};
use crate::{
    config::{self, Config, Loaded, PromptConfig, Sources},
    engine::Engine,
    mqtt::{Arrival, Code, Complaint, Handle, Topics},
    name::{CameraName, PromptName},
    supervise::Stop,
    telemetry::Event,
};

/// Prompts that wait to be taken in.
pub(super) const WAITING: usize = 16;
/// So many prompts of others are taken in, and so much may one say, in bytes.
const MOST: usize = 32;
const LONGEST: usize = 16 << 10;

/// The prompts that ask about each camera, as they are now.
pub(super) type Asking = BTreeMap<CameraName, watch::Sender<Vec<PromptConfig>>>;

/// Everything the task knows that takes prompts in.
pub(super) struct Newcomers {
    pub(super) allowed: bool,
    pub(super) sources: Sources,
    /// The prompts of the configuration.
    pub(super) own: BTreeSet<PromptName>,
    /// Where the others are kept; `None` where the system has no folder for it.
    pub(super) folder: Option<PathBuf>,
    pub(super) asking: Asking,
    /// The most frames of a window that the model takes.
    pub(super) max_frames: usize,
    pub(super) min_mass: Option<f64>,
    pub(super) engine: Arc<Engine>,
    pub(super) answers: mpsc::Sender<Input>,
    pub(super) control: mpsc::Sender<Change>,
    pub(super) topics: Topics,
    pub(super) outbox: Handle,
}

/// The folder of the prompts that others added to a service.
pub(super) fn folder(config: &Config) -> Option<PathBuf> {
    memory::file(config.state.as_deref(), &config.mqtt.client_id, "prompts")
}

/// The prompts that others added before, as they are checked now. What does not fit any more is told of, and kept. Blocks.
pub(super) fn remembered(loaded: &Loaded) -> Vec<PromptConfig> {
    let folder = folder(&loaded.config).filter(|_| loaded.config.mqtt.new_prompts);
    let entries = folder.and_then(|folder| fs::read_dir(folder).ok()).into_iter().flatten();
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.sort();
    let mut prompts = Vec::new();
    for file in files.iter().filter(|file| file.extension().is_some_and(|ending| ending == "json")) {
        match read(loaded, file) {
            Ok(prompt) => prompts.push(prompt),
            Err(problem) => Event::ConfigProblem { problem: &problem }.emit(),
        }
    }
    prompts
}

/// Leaves out the prompts of others that ask for more frames than this model takes.
pub(super) fn drop_too_long(config: &mut Config, own: &BTreeSet<PromptName>, most: usize) {
    let fits = |prompt: &PromptConfig| own.contains(&prompt.prompt.name) || prompt.frames <= most;
    let too_long = config.prompts.iter().filter(|prompt| !fits(prompt));
    let why = |prompt: &PromptConfig| (prompt.prompt.name.clone(), format!("the model takes {most} frames at most"));
    tell_refused(too_long.map(why).collect());
    config.prompts.retain(fits);
}

/// Logs which prompts of others cannot be asked, and why; gives their names.
pub(super) fn tell_refused(refused: Vec<(PromptName, String)>) -> Vec<PromptName> {
    let tell = |(name, why): (PromptName, String)| {
        let problem = format!("prompt `{name}`, which was added over MQTT, is left out: {why}");
        Event::ConfigProblem { problem: &problem }.emit();
        name
    };
    refused.into_iter().map(tell).collect()
}

fn read(loaded: &Loaded, file: &Path) -> Result<PromptConfig, String> {
    let at = |problem: &dyn std::fmt::Display| {
        format!("a prompt that was added over MQTT is left out: {}: {problem}", file.display())
    };
    let name = file.file_stem().unwrap_or_default().to_string_lossy();
    let name = PromptName::new(&name).map_err(|error| at(&error))?;
    if loaded.config.prompt(&name).is_some() {
        return Err(at(&"the configuration has a prompt of this name now"));
    }
    let json = fs::read(file).map_err(|error| at(&error))?;
    config::added(&loaded.sources, &config::system_lookup, &name, &json, file).map_err(|report| at(&report))
}

impl Newcomers {
    /// Takes prompts in until `stop` is given.
    pub(super) async fn run(self, mut arrivals: mpsc::Receiver<Arrival>, stop: Stop) {
        loop {
            tokio::select! {
                () = stop.given() => return,
                Some(arrival) = arrivals.recv() => {
                    let name = self.topics.new_prompt_of(&arrival.topic).unwrap_or_default();
                    if let Err((code, message)) = self.hear(&arrival, name).await {
                        let complaint = Complaint { prompt: Some(name.to_owned()), ..Complaint::new(code, message) };
                        complain(&self.outbox, &self.topics, &complaint);
                    }
                }
            }
        }
    }

    async fn hear(&self, arrival: &Arrival, name: &str) -> Result<(), (Code, String)> {
        not_retained(arrival, "the prompt")?;
        let wrong = |message: String| (Code::BadPrompt, message);
        if !self.allowed {
            let message = "the configuration allows no new prompts: `new_prompts = true` below `[mqtt]` does";
            return Err((Code::NotAllowed, message.to_owned()));
        }
        let name = PromptName::new(name).map_err(|error| wrong(error.to_string()))?;
        if self.own.contains(&name) {
            return Err(wrong(format!("prompt `{name}` stands in the configuration, which only people change")));
        }
        let is_there = self.asks(&name).next().is_some();
        if arrival.payload.is_empty() {
            if !is_there {
                return Err((Code::UnknownPrompt, format!("no prompt `{name}` was added")));
            }
            return self.remove(&name).await;
        }
        if arrival.payload.len() > LONGEST {
            return Err(wrong(format!("a prompt has {LONGEST} bytes at most")));
        }
        if !is_there && self.added().len() >= MOST {
            return Err(wrong(format!("{MOST} prompts were added already; take one away with an empty message")));
        }
        self.add(name, arrival.payload.to_vec()).await
    }

    /// The cameras that a prompt asks about.
    fn asks<'a>(&'a self, name: &'a PromptName) -> impl Iterator<Item = &'a CameraName> {
        let has = |prompts: &watch::Sender<Vec<PromptConfig>>| prompts.borrow().iter().any(|p| p.prompt.name == *name);
        self.asking.iter().filter(move |(_, prompts)| has(prompts)).map(|(camera, _)| camera)
    }

    /// The prompts that others added.
    fn added(&self) -> BTreeSet<PromptName> {
        let all = self
            .asking
            .values()
            .flat_map(|prompts| prompts.borrow().iter().map(|prompt| prompt.prompt.name.clone()).collect::<Vec<_>>());
        all.filter(|name| !self.own.contains(name)).collect()
    }

    async fn add(&self, name: PromptName, json: Vec<u8>) -> Result<(), (Code, String)> {
        let wrong = |message: String| (Code::BadPrompt, message);
        let (sources, named, text) = (self.sources.clone(), name.clone(), json.clone());
        let written = PathBuf::from(format!("prompts/{name}"));
        let prompt = blocking(move || {
            let added = config::added(&sources, &config::system_lookup, &named, &text, &written);
            added.map_err(|report| report.to_string().replace('\n', " "))
        });
        let prompt = prompt.await.map_err(wrong)?;
        let of = |camera: &CameraName| prompt.asked_of(camera).cloned();
        let about: Vec<(CameraName, PromptConfig)> =
            self.asking.keys().filter_map(|camera| Some((camera.clone(), of(camera)?))).collect();
        if about.is_empty() {
            return Err(wrong("it asks about no camera that is watched".to_owned()));
        }
        for (camera, prompt) in &about {
            if prompt.frames > self.max_frames {
                let most = self.max_frames;
                return Err(wrong(format!("it asks for {} frames; the model takes {most} at most", prompt.frames)));
            }
            let added = self.engine.add(camera.clone(), Arc::new(prompt.prompt.clone())).await;
            let Ok(added) = added else { return Ok(()) }; // the engine is ending
            added.map_err(wrong)?;
        }
        self.keep(&name, json).await.map_err(|problem| (Code::NotSaved, problem))?;
        let before: Vec<CameraName> = self.asks(&name).cloned().collect();
        for camera in before.iter().filter(|camera| !about.iter().any(|(other, _)| other == *camera)) {
            self.forget(camera, &name).await;
        }
        for (camera, prompt) in about {
            let standing = Box::new(standing(&prompt, None, self.min_mass));
            self.tell(Input::Added { camera: camera.clone(), prompt: name.clone(), standing }).await;
            let known = Change::Added { camera: camera.clone(), prompt: prompt.prompt.clone(), image: prompt.image };
            self.control.send(known).await.ok(); // or the process is ending
            Event::PromptAdded { camera: &camera, prompt: &name }.emit();
            if let Some(asking) = self.asking.get(&camera) {
                asking.send_modify(|prompts| {
                    prompts.retain(|other| other.prompt.name != name);
                    prompts.push(prompt);
                });
            }
        }
        Ok(())
    }

    async fn remove(&self, name: &PromptName) -> Result<(), (Code, String)> {
        let cameras: Vec<CameraName> = self.asks(name).cloned().collect();
        for camera in &cameras {
            self.forget(camera, name).await;
        }
        let Some(file) = self.folder.as_ref().map(|folder| folder.join(format!("{name}.json"))) else { return Ok(()) };
        let removed =
            blocking(move || fs::remove_file(&file).map_err(|error| format!("`{}`: {error}", file.display())));
        removed.await.map_err(|problem| (Code::NotSaved, problem))
    }

    /// A camera's prompt is asked no more.
    async fn forget(&self, camera: &CameraName, name: &PromptName) {
        if let Some(asking) = self.asking.get(camera) {
            asking.send_modify(|prompts| prompts.retain(|prompt| prompt.prompt.name != *name));
        }
        self.tell(Input::Removed { camera: camera.clone(), prompt: name.clone() }).await;
        self.control.send(Change::Removed { camera: camera.clone(), prompt: name.clone() }).await.ok();
        Event::PromptRemoved { camera, prompt: name }.emit();
    }

    async fn tell(&self, input: Input) {
        self.answers.send(input).await.ok(); // or the process is ending
    }

    /// Keeps a prompt for the next start, all of it or nothing.
    async fn keep(&self, name: &PromptName, json: Vec<u8>) -> Result<(), String> {
        let file = self.folder.as_ref().ok_or(memory::NOWHERE)?.join(format!("{name}.json"));
        blocking(move || memory::put(&file, &json).map_err(|error| format!("`{}`: {error}", file.display()))).await
    }
}
