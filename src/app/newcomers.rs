//! Standing prompts that others add over MQTT, and take away again, where the configuration allows it.
//!
//! Such a prompt is checked as if it stood in the configuration, kept as the JSON that came, and asked at once: its cameras
//! miss no frame.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::sync::{mpsc, oneshot};

use super::{
    Error,
    answers::Input,
    assemble::standing,
    blocking,
    complain::{complain, not_retained},
    control::Change,
    lessons, memory, on_one_line,
    roster::Roster,
    windows,
};
use crate::{
    config::{self, Config, Loaded, PromptConfig, Sources},
    engine::{Added, Engine},
    model::Manifest,
    mqtt::{Arrival, Code, Complaint, Handle, Topics, discovery::States},
    name::{CameraName, PromptName},
    telemetry::Event,
};

/// Prompts that wait to be taken in.
pub(super) const WAITING: usize = 16;
/// So many prompts of others are taken in, and so much may one say, in bytes.
const MOST: usize = 32;
const LONGEST: usize = 16 << 10;

/// Everything the task knows that takes prompts in.
pub(super) struct Newcomers {
    pub(super) allowed: bool,
    pub(super) sources: Sources,
    /// The prompts of the configuration.
    pub(super) own: BTreeSet<PromptName>,
    /// Where the others are kept; `None` where the system has no folder for it.
    pub(super) folder: Option<PathBuf>,
    pub(super) roster: Roster,
    pub(super) manifest: Manifest,
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
    let mut prompts = Vec::new();
    for file in folder.iter().flat_map(|folder| files(folder)) {
        match read(loaded, &file) {
            Ok(prompt) => prompts.push(prompt),
            Err(problem) => Event::ConfigProblem { problem: &problem }.emit(),
        }
    }
    prompts
}

/// The files that prompts are kept in, by name.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|file| file.extension().is_some_and(|ending| ending == "json"));
    files.sort();
    files
}

/// Leaves out the prompts of others that ask for more frames than this model takes.
pub(super) fn drop_too_long(config: &mut Config, own: &BTreeSet<PromptName>, manifest: &Manifest) {
    let most = manifest.resampler.max_frames;
    let taken = |prompt: &PromptConfig| manifest.window(prompt.window.frames, prompt.window.span).is_ok();
    let fits = |prompt: &PromptConfig| own.contains(&prompt.prompt.name) || taken(prompt);
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
    /// Takes in, or away, what somebody sent, and says what is wrong with it; the configuration in use is kept true. Gives the
    /// name of what was taken in.
    pub(super) async fn take(&self, arrival: &Arrival, config: &mut Config) -> Option<PromptName> {
        let name = self.topics.new_prompt_of(&arrival.topic).unwrap_or_default();
        self.hear(arrival, name, config).await.unwrap_or_else(|(code, message)| {
            let complaint = Complaint { prompt: Some(name.to_owned()), ..Complaint::new(code, message) };
            complain(&self.outbox, &self.topics, &complaint);
            None
        })
    }

    async fn hear(
        &self,
        arrival: &Arrival,
        name: &str,
        config: &mut Config,
    ) -> Result<Option<PromptName>, (Code, String)> {
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
        // one whose cameras are not watched at present is kept for when they are again
        let kept = self.kept().await.map_err(|problem| (Code::NotSaved, problem))?;
        let is_there = kept.contains(name.as_str()) || !self.roster.asked_by(&name).is_empty();
        if arrival.payload.is_empty() {
            if !is_there {
                return Err((Code::UnknownPrompt, format!("no prompt `{name}` was added")));
            }
            config.prompts.retain(|prompt| prompt.prompt.name != name);
            return self.remove(&name).await.map(|()| None);
        }
        if arrival.payload.len() > LONGEST {
            return Err(wrong(format!("a prompt has {LONGEST} bytes at most")));
        }
        if !is_there && kept.len() >= MOST {
            return Err(wrong(format!("{MOST} prompts were added already; take one away with an empty message")));
        }
        let added = self.add(name.clone(), arrival.payload.to_vec(), config).await?;
        config.prompts.retain(|prompt| prompt.prompt.name != name || added.is_none());
        let is_added = added.is_some();
        config.prompts.extend(added);
        Ok(is_added.then_some(name))
    }

    /// Takes a prompt in; gives it, unless the engine is ending.
    async fn add(
        &self,
        name: PromptName,
        json: Vec<u8>,
        config: &Config,
    ) -> Result<Option<PromptConfig>, (Code, String)> {
        let wrong = |message: String| (Code::BadPrompt, message);
        let (sources, named, text) = (self.sources.clone(), name.clone(), json.clone());
        let written = PathBuf::from(format!("prompts/{name}"));
        let prompt = blocking(move || {
            let added = config::added(&sources, &config::system_lookup, &named, &text, &written);
            added.map_err(|report| on_one_line(&report.to_string()))
        });
        let prompt = prompt.await.map_err(wrong)?;
        let cameras = self.roster.cameras().into_iter();
        let asked = cameras.filter_map(|camera| Some((camera.clone(), prompt.asked_of(&camera)?.clone())));
        let fitted = asked.map(|(camera, prompt)| Ok((camera, windows::fit(prompt, &self.manifest)?)));
        let about: Vec<(CameraName, PromptConfig)> =
            fitted.collect::<Result<_, Error>>().map_err(|error| wrong(error.to_string()))?;
        if about.is_empty() {
            let why = if prompt.enabled { "it asks about no camera that is watched" } else { "it is not enabled" };
            return Err(wrong(why.to_owned()));
        }
        windows::tell_untrained(about.iter().map(|(_, prompt)| prompt), &self.manifest);
        let (told, manifest, config) = (about.clone(), self.manifest.clone(), config.clone());
        let added = blocking(move || {
            let said = lessons::said_or_told(&config);
            let one = |(camera, prompt): &(CameraName, PromptConfig)| Added {
                camera: camera.clone(),
                prompt: Arc::new(prompt.prompt.clone()),
                shown: None,
                taught: lessons::taught(camera, prompt, &manifest, &said).unwrap_or_default(), // told when it is taught
            };
            Ok(told.iter().map(one).collect())
        });
        let added = added.await.map_err(wrong)?;
        // first: what cannot be kept is not asked
        let before = self.keep(&name, Some(json)).await.map_err(|problem| (Code::NotSaved, problem))?;
        match self.engine.add(added).await {
            Ok(Ok(())) => {}
            Ok(Err(problem)) => {
                self.keep(&name, before).await.map_err(|problem| (Code::NotSaved, problem))?;
                return Err(wrong(problem));
            }
            Err(_) => return Ok(None), // the engine is ending, and the next one is asked
        }
        let before = self.roster.asked_by(&name).into_iter();
        for camera in before.filter(|camera| !about.iter().any(|(other, _)| other == camera)) {
            self.forget(&camera, &name).await;
        }
        for (camera, prompt) in about {
            self.begin(&camera, prompt, None).await;
        }
        Ok(Some(prompt))
    }

    /// A camera's prompt is asked from now on, which the engine is ready for; `shown` names what it is shown.
    pub(super) async fn begin(&self, camera: &CameraName, prompt: PromptConfig, shown: Option<String>) {
        let name = prompt.prompt.name.clone();
        let before = self.roster.prompts(camera).into_iter().find(|before| before.prompt.name == name);
        if before.is_some_and(|before| States::of(&before.prompt.kind) != States::of(&prompt.prompt.kind)) {
            self.silence(camera, &name, false).await; // its topics are cleared, before anything of the other kind is said there
        }
        let standing = Box::new(standing(&prompt, shown.as_ref(), self.min_mass));
        self.tell(Input::Added { camera: camera.clone(), prompt: name.clone(), standing }).await;
        let known = Change::Added { camera: camera.clone(), prompt: prompt.prompt.clone(), image: prompt.image };
        self.control.send(known).await.ok(); // or the process is ending
        Event::PromptAdded { camera, prompt: &name }.emit();
        self.roster.ask(camera, prompt, shown);
    }

    async fn remove(&self, name: &PromptName) -> Result<(), (Code, String)> {
        for camera in self.roster.asked_by(name) {
            self.forget(&camera, name).await;
        }
        self.keep(name, None).await.map(drop).map_err(|problem| (Code::NotSaved, problem))
    }

    /// A camera's prompt is asked no more.
    pub(super) async fn forget(&self, camera: &CameraName, name: &PromptName) {
        self.silence(camera, name, true).await;
        self.engine.remove(camera, name);
        Event::PromptRemoved { camera, prompt: name }.emit();
    }

    /// Nothing is said of a camera's prompt any more, and its topics are cleared.
    async fn silence(&self, camera: &CameraName, name: &PromptName, for_good: bool) {
        self.roster.forget(camera, name);
        let (done, is_done) = oneshot::channel();
        self.tell(Input::Removed { camera: camera.clone(), prompt: name.clone(), done }).await;
        is_done.await.ok(); // only then
        let (done, is_done) = oneshot::channel();
        let removed = Change::Removed { camera: camera.clone(), prompt: name.clone(), for_good, done };
        self.control.send(removed).await.ok();
        is_done.await.ok();
    }

    pub(super) async fn tell(&self, input: Input) {
        self.answers.send(input).await.ok(); // or the process is ending
    }

    /// The names of all that are kept.
    async fn kept(&self) -> Result<BTreeSet<String>, String> {
        let Some(folder) = self.folder.clone() else { return Ok(BTreeSet::new()) };
        let stem = |path: PathBuf| Some(path.file_stem()?.to_string_lossy().into_owned());
        blocking(move || Ok(files(&folder).into_iter().filter_map(stem).collect())).await
    }

    /// Keeps a prompt for the next start, all of it or nothing, or keeps it no more; gives what was kept of its name before.
    async fn keep(&self, name: &PromptName, json: Option<Vec<u8>>) -> Result<Option<Vec<u8>>, String> {
        let file = self.folder.as_ref().ok_or(memory::NOWHERE)?.join(format!("{name}.json"));
        let replace = move || {
            let before = fs::read(&file).ok();
            let done = match &json {
                Some(json) => memory::put(&file, json),
                None if before.is_some() => fs::remove_file(&file),
                None => Ok(()),
            };
            done.map(|()| before).map_err(|error| format!("`{}`: {error}", file.display()))
        };
        blocking(replace).await
    }
}
