//! Which cameras are watched and which of their prompts asked: what others can switch while the service runs.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

use crate::{
    answer::StaleReason,
    name::{CameraName, PromptName},
};

/// What of one camera is switched off.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Off {
    /// The camera itself.
    pub(super) camera: bool,
    /// Prompts about it.
    pub(super) prompts: BTreeSet<PromptName>,
}

/// The switches of all cameras that the configuration enables. Clones are the same switches.
#[derive(Debug, Clone)]
pub(super) struct Switches(Arc<Mutex<BTreeMap<CameraName, watch::Sender<Off>>>>);

impl Switches {
    /// Switches for these cameras, as they stood at the last stop; what is not said there is on.
    pub(super) fn new(cameras: impl IntoIterator<Item = CameraName>, off: &BTreeMap<CameraName, Off>) -> Self {
        let switch = |camera: CameraName| {
            let off = off.get(&camera).cloned().unwrap_or_default();
            (camera, watch::Sender::new(off))
        };
        Self(Arc::new(Mutex::new(cameras.into_iter().map(switch).collect())))
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<CameraName, watch::Sender<Off>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A camera that is watched from now on has switches, all on; those that it has already stay as they are.
    pub(super) fn add(&self, camera: &CameraName) {
        self.all().entry(camera.clone()).or_default();
    }

    /// One that is watched no more has none.
    pub(super) fn remove(&self, camera: &CameraName) {
        self.all().remove(camera);
    }

    /// Follows a camera's switches; those of a camera that has none are on for good.
    pub(super) fn of(&self, camera: &CameraName) -> watch::Receiver<Off> {
        self.all().get(camera).map_or_else(|| watch::Sender::new(Off::default()).subscribe(), watch::Sender::subscribe)
    }

    /// Why a camera that shows nothing does so.
    pub(super) fn why_away(&self, camera: &CameraName) -> StaleReason {
        if self.of(camera).borrow().camera { StaleReason::CameraDisabled } else { StaleReason::CameraOffline }
    }

    /// Whether this prompt is to be asked about this camera now.
    pub(super) fn asks(&self, camera: &CameraName, prompt: &PromptName) -> bool {
        self.all().get(camera).is_none_or(|switch| {
            let off = switch.borrow();
            !off.camera && !off.prompts.contains(prompt)
        })
    }

    /// Turns a camera on or off, or one prompt about it.
    pub(super) fn turn(&self, camera: &CameraName, prompt: Option<&PromptName>, on: bool) {
        let all = self.all();
        let Some(switch) = all.get(camera) else { return };
        switch.send_if_modified(|off| match (prompt, on) {
            (None, _) => std::mem::replace(&mut off.camera, !on) == on,
            (Some(prompt), true) => off.prompts.remove(prompt),
            (Some(prompt), false) => off.prompts.insert(prompt.clone()),
        });
    }

    /// All that is off, by camera.
    pub(super) fn off(&self) -> BTreeMap<CameraName, Off> {
        let all = self.all();
        let all = all.iter().map(|(camera, switch)| (camera.clone(), switch.borrow().clone()));
        all.filter(|(_, off)| *off != Off::default()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_switch_is_heard_once_and_remembered() {
        let (door, yard) = (CameraName::new("door").unwrap(), CameraName::new("yard").unwrap());
        let person = PromptName::new("person").unwrap();
        let switches = Switches::new([door.clone(), yard.clone()], &BTreeMap::new());
        let mut heard = switches.of(&door);
        switches.turn(&door, None, true);
        assert!(!heard.has_changed().unwrap() && switches.asks(&door, &person), "on it was");
        switches.turn(&door, Some(&person), false);
        assert!(heard.borrow_and_update().prompts.contains(&person) && !switches.asks(&door, &person));
        switches.turn(&yard, None, false);
        assert!(!heard.has_changed().unwrap() && !switches.asks(&yard, &person), "that was another camera's");
        let again = Switches::new([door.clone(), yard], &switches.off());
        assert_eq!(again.off(), switches.off());
        again.turn(&door, Some(&person), true);
        assert_eq!(again.off().len(), 1);
    }
}
