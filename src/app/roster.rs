//! The cameras that are watched now, what is asked about each, and what each shows. Clones share one list.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

use crate::{
    answer::BlindReason,
    config::PromptConfig,
    name::{CameraName, PromptName},
    window::Window,
};

/// What a camera shows at the moment.
#[derive(Debug, Clone, Default)]
pub(super) struct View {
    /// A window of its newest frames; none while it is not connected.
    pub(super) window: Option<Window>,
    /// Why they show nothing, if so.
    pub(super) blind: Option<BlindReason>,
}

/// What belongs to one camera.
#[derive(Debug, Default)]
struct Entry {
    prompts: watch::Sender<Vec<PromptConfig>>,
    view: watch::Sender<View>,
    /// What is shown with its prompts, hashed; nothing for those that are put into words.
    shown: BTreeMap<PromptName, String>,
}

/// The list.
#[derive(Debug, Clone, Default)]
pub(super) struct Roster(Arc<Mutex<BTreeMap<CameraName, Entry>>>);

impl Roster {
    fn entries(&self) -> MutexGuard<'_, BTreeMap<CameraName, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A camera is watched from now on, and nothing is asked about it yet. One that is here already stays as it is.
    pub(super) fn enter(&self, camera: &CameraName) {
        self.entries().entry(camera.clone()).or_default();
    }

    /// It is watched no more.
    pub(super) fn leave(&self, camera: &CameraName) {
        self.entries().remove(camera);
    }

    /// It shows nothing for now.
    pub(super) fn hide(&self, camera: &CameraName) {
        if let Some(entry) = self.entries().get(camera) {
            entry.view.send_replace(View::default());
        }
    }

    /// What its task follows, and where it leaves what it shows.
    pub(super) fn of_task(&self, camera: &CameraName) -> (watch::Receiver<Vec<PromptConfig>>, watch::Sender<View>) {
        let mut entries = self.entries();
        let entry = entries.entry(camera.clone()).or_default();
        (entry.prompts.subscribe(), entry.view.clone())
    }

    /// All cameras.
    pub(super) fn cameras(&self) -> Vec<CameraName> {
        self.entries().keys().cloned().collect()
    }

    /// A prompt is asked about a camera from now on, in the place of one of its name; `shown` names what is shown with it.
    pub(super) fn ask(&self, camera: &CameraName, prompt: PromptConfig, shown: Option<String>) {
        let mut entries = self.entries();
        let Some(entry) = entries.get_mut(camera) else { return };
        let name = prompt.prompt.name.clone();
        match shown {
            Some(shown) => _ = entry.shown.insert(name.clone(), shown),
            None => _ = entry.shown.remove(&name),
        }
        entry.prompts.send_modify(|prompts| {
            prompts.retain(|other| other.prompt.name != name);
            prompts.push(prompt);
            prompts.sort_by(|a, b| a.prompt.name.cmp(&b.prompt.name)); // as a start would have them
        });
    }

    /// It is asked about it no more.
    pub(super) fn forget(&self, camera: &CameraName, prompt: &PromptName) {
        if let Some(entry) = self.entries().get_mut(camera) {
            entry.shown.remove(prompt);
            entry.prompts.send_modify(|prompts| prompts.retain(|other| other.prompt.name != *prompt));
        }
    }

    /// The prompts about a camera.
    pub(super) fn prompts(&self, camera: &CameraName) -> Vec<PromptConfig> {
        self.entries().get(camera).map(|entry| entry.prompts.borrow().clone()).unwrap_or_default()
    }

    /// The cameras that a prompt is asked about.
    pub(super) fn asked_by(&self, prompt: &PromptName) -> Vec<CameraName> {
        let asks = |entry: &Entry| entry.prompts.borrow().iter().any(|other| other.prompt.name == *prompt);
        self.entries().iter().filter(|(_, entry)| asks(entry)).map(|(camera, _)| camera.clone()).collect()
    }

    /// What is shown with a prompt, hashed.
    pub(super) fn shown(&self, camera: &CameraName, prompt: &PromptName) -> Option<String> {
        self.entries().get(camera)?.shown.get(prompt).cloned()
    }

    /// The camera of this name.
    pub(super) fn find(&self, name: &str) -> Option<CameraName> {
        self.entries().keys().find(|camera| camera.as_str() == name).cloned()
    }

    /// What a camera shows.
    pub(super) fn view(&self, camera: &CameraName) -> View {
        self.entries().get(camera).map(|entry| entry.view.borrow().clone()).unwrap_or_default()
    }
}
