//! Until when what was said of each prompt holds.
//!
//! An answer that says the same again need not be published, and what was published goes on to hold: only the answer task
//! knows for how long.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use crate::name::{CameraName, PromptName};

/// By camera and prompt.
type Until = HashMap<(String, String), SystemTime>;

/// All of them; clones are the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Holds(Arc<Mutex<Until>>);

impl Holds {
    fn lock(&self) -> MutexGuard<'_, Until> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was said last, or was said again, holds until then.
    pub(super) fn set(&self, camera: &CameraName, prompt: &PromptName, until: SystemTime) {
        self.lock().insert((camera.to_string(), prompt.to_string()), until);
    }

    /// Nothing is said of it any more.
    pub(super) fn forget(&self, camera: &CameraName, prompt: &PromptName) {
        self.lock().remove(&(camera.to_string(), prompt.to_string()));
    }

    /// Until when what was said of a prompt about a camera holds, both by name; `None` before anything was.
    pub(super) fn until(&self, camera: &str, prompt: &str) -> Option<SystemTime> {
        self.lock().get(&(camera.to_owned(), prompt.to_owned())).copied()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_forgotten_holds_no_more() {
        let (camera, prompt) = (CameraName::new("yard").unwrap(), PromptName::new("gate").unwrap());
        let (holds, at) = (Holds::default(), |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        holds.set(&camera, &prompt, at(1));
        holds.set(&camera, &prompt, at(2));
        assert_eq!(holds.clone().until("yard", "gate"), Some(at(2)));
        assert_eq!((holds.until("yard", "light"), holds.until("door", "gate")), (None, None));
        holds.forget(&camera, &prompt);
        assert_eq!(holds.until("yard", "gate"), None);
    }
}
