//! What is watched and asked changes while the service runs: what is said of it, and what is cleared.

use std::collections::BTreeMap;

use tokio::sync::oneshot;

use super::{Control, Images, VERSION, gone};
use crate::{
    config::{CameraConfig, Config},
    mqtt::{CameraStatus, Message},
    name::{CameraName, PromptName},
    prompt::Prompt,
};

/// A camera and its prompts as configured.
pub(in crate::app) struct Known {
    pub(super) enabled: bool,
    pub(super) prompts: BTreeMap<PromptName, bool>,
}

/// All cameras of a configuration, and whether it enables them and the prompts about them.
pub(in crate::app) fn known(config: &Config) -> BTreeMap<CameraName, Known> {
    let prompts = |camera: &CameraName| {
        let about = config.prompts.iter().filter(|prompt| prompt.cameras.contains(camera));
        about.map(|prompt| (prompt.prompt.name.clone(), prompt.on.get(camera).unwrap_or(prompt).enabled)).collect()
    };
    let known = |camera: &CameraConfig| Known { enabled: camera.enabled, prompts: prompts(&camera.name) };
    config.cameras.iter().map(|camera| (camera.name.clone(), known(camera))).collect()
}

/// A change of what is asked.
pub(in crate::app) enum Change {
    /// One more prompt about a camera, or another of this name.
    Added { camera: CameraName, prompt: Prompt, image: bool },
    /// One less; for good, unless another of its name comes at once. `done` is told when its topics are on their way to being
    /// cleared.
    Removed { camera: CameraName, prompt: PromptName, for_good: bool, done: oneshot::Sender<()> },
    /// A camera is watched from now on.
    Watched { camera: CameraName },
    /// It is watched no more.
    Unwatched { camera: CameraName },
    /// Another configuration is in use.
    Configured(BTreeMap<CameraName, Known>),
    /// The files hold one that is not used, for this reason; or they hold the one that is.
    Refused(Option<String>),
}

impl Control {
    /// Says what is asked now, and clears what is not asked any more.
    pub(super) fn change(&mut self, change: Change) {
        let (before, seen) = (self.published(), self.images.clone());
        let mut is_done = None;
        let added = match change {
            Change::Added { camera, prompt, image } => {
                let key = (camera.clone(), prompt.name.clone());
                if image {
                    _ = self.images.insert(key)
                } else {
                    _ = self.images.remove(&key)
                }
                if let Some(known) = self.known.get_mut(&camera) {
                    known.prompts.insert(prompt.name.clone(), true);
                }
                let asked = self.watched.entry(camera.clone()).or_default();
                asked.retain(|other| other.name != prompt.name);
                let name = prompt.name.clone();
                asked.push(prompt);
                asked.sort_by(|a, b| a.name.cmp(&b.name)); // as a start would have them
                Some((camera, name))
            }
            Change::Removed { camera, prompt, for_good, done } => {
                is_done = Some(done);
                if for_good {
                    self.switches.turn(&camera, Some(&prompt), true); // whoever adds one of this name begins anew
                }
                self.images.remove(&(camera.clone(), prompt.clone()));
                if let Some(known) = self.known.get_mut(&camera)
                    && known.prompts.get(&prompt) == Some(&true)
                {
                    known.prompts.remove(&prompt); // one that the configuration disables is known, and cannot be switched
                }
                if let Some(asked) = self.watched.get_mut(&camera) {
                    asked.retain(|other| other.name != prompt);
                }
                None
            }
            Change::Watched { camera } => {
                self.outbox.offer(Message::camera_enabled(&self.topics, &camera, true));
                self.watched.entry(camera).or_default();
                None
            }
            Change::Unwatched { camera } => {
                self.images.retain(|(other, _)| *other != camera);
                self.watched.remove(&camera);
                None
            }
            Change::Configured(known) => {
                let disabled = self.disabled();
                let before = std::mem::replace(&mut self.known, known);
                let now = self.disabled();
                for camera in now.iter().filter(|camera| !before.contains_key(*camera)) {
                    self.outbox.offer(Message::camera_status(&self.topics, camera, CameraStatus::Disabled));
                }
                // with those of before, whose clearing may still wait for the broker
                self.remembered.disabled.extend(disabled.iter().cloned());
                self.remembered.disabled.extend(now);
                self.save();
                self.clear_status_of(&disabled);
                return;
            }
            Change::Refused(problem) => {
                self.outbox.offer(Message::about(&self.topics, VERSION, &self.model, problem.as_deref()));
                return;
            }
        };
        let now = self.published();
        let (cleared, unseen): (_, Images) = (gone(&before, &now), seen.difference(&self.images).cloned().collect());
        // an announcement takes the place of one that waits, so it says all that is gone since one arrived
        let taken_away = (gone(&self.remembered.published, &now), &self.remembered.images - &self.images);
        // as at the start: what is to be cleared is remembered until it is, what is to be published before it is
        for (camera, prompts) in now {
            let remembered = self.remembered.published.entry(camera).or_default();
            for (prompt, states) in prompts {
                remembered.entry(prompt).or_insert(states);
            }
        }
        self.remembered.images.extend(self.images.iter().cloned());
        self.remembered.off = self.switches.off();
        self.save();
        self.outbox.clear(self.to_clear(&cleared, &unseen));
        self.announce(&taken_away.0, &taken_away.1);
        if let Some((camera, prompt)) = added {
            // its own switch, whatever the camera's says
            let on = !self.switches.of(&camera).borrow().prompts.contains(&prompt);
            self.outbox.offer(Message::enabled(&self.topics, &camera, &prompt, on));
        }
        if let Some(done) = is_done {
            done.send(()).ok(); // or nobody waits for it
        }
    }
}
