//! The answers that somebody may still judge, with their pictures: the newest of each prompt about each camera, and the
//! last ones that changed a state.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{
    frame::Frame,
    name::{CameraName, PromptName},
};

/// So much memory do pictures of answers take that changed a state; the oldest answers go first.
const MOST_BYTES: usize = 64 << 20;

/// An answer, and what it was about.
#[derive(Debug, Clone)]
pub(super) struct Judgeable {
    pub(super) id: String,
    pub(super) camera: CameraName,
    pub(super) prompt: PromptName,
    /// What was asked.
    pub(super) ask: String,
    /// What was said; `None` where nobody was sure.
    pub(super) answered: Option<String>,
    /// Whether a lesson had said it.
    pub(super) by_lesson: bool,
    /// The newest frames of its window, the oldest first.
    pub(super) pictures: Vec<Arc<Frame>>,
}

impl Judgeable {
    fn bytes(&self) -> usize {
        self.pictures.iter().map(|picture| picture.pixels.len()).sum()
    }
}

/// All of them; clones are the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Kept(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    newest: HashMap<(CameraName, PromptName), Judgeable>,
    changes: VecDeque<Judgeable>,
    bytes: usize,
}

impl Kept {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps an answer that was published until the next to its prompt about its camera; one that an event was about
    /// (`told_of`) for a while.
    pub(super) fn keep(&self, answer: Judgeable, told_of: bool) {
        let mut inner = self.lock();
        if told_of {
            inner.bytes += answer.bytes();
            inner.changes.push_back(answer.clone());
            while inner.bytes > MOST_BYTES {
                let Some(oldest) = inner.changes.pop_front() else { break };
                inner.bytes -= oldest.bytes();
            }
        }
        inner.newest.insert((answer.camera.clone(), answer.prompt.clone()), answer);
    }

    /// Forgets the newest answer to a prompt about a camera: it is asked no more.
    pub(super) fn forget(&self, camera: &CameraName, prompt: &PromptName) {
        self.lock().newest.remove(&(camera.clone(), prompt.clone()));
    }

    /// The answer with this id, if it is still kept.
    pub(super) fn find(&self, id: &str) -> Option<Judgeable> {
        let inner = self.lock();
        inner.newest.values().chain(&inner.changes).find(|answer| answer.id == id).cloned()
    }
}

#[cfg(test)]
impl Kept {
    /// The newest answer to a prompt about a camera.
    pub(super) fn newest(&self, camera: &CameraName, prompt: &PromptName) -> Option<Judgeable> {
        self.lock().newest.get(&(camera.clone(), prompt.clone())).cloned()
    }

    /// The numbers of the newest pictures of those that changed a state.
    pub(super) fn changes(&self) -> Vec<u64> {
        let number = |answer: &Judgeable| answer.pictures.last().map(|picture| picture.number);
        self.lock().changes.iter().filter_map(number).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::frame::{Size, Stamp};

    fn answer(id: &str, prompt: &str, bytes: usize) -> Judgeable {
        let size = Size { width: 1, height: 1 };
        let taken = Stamp::after_origin(Duration::ZERO);
        Judgeable {
            id: id.to_owned(),
            camera: CameraName::new("yard").unwrap(),
            prompt: PromptName::new(prompt).unwrap(),
            ask: "is it open?".to_owned(),
            answered: Some("yes".to_owned()),
            by_lesson: false,
            pictures: vec![Arc::new(Frame { number: 0, taken, size, pixels: vec![0; bytes].into() })],
        }
    }

    #[test]
    fn the_newest_and_what_changed_a_state_can_be_judged() {
        let kept = Kept::default();
        kept.keep(answer("a", "gate", 3), true);
        kept.keep(answer("b", "gate", 3), false);
        kept.keep(answer("c", "light", 3), false);
        kept.keep(answer("d", "gate", 3), false);
        let found = ["a", "b", "c", "d"].map(|id| kept.find(id).is_some());
        assert_eq!(found, [true, false, true, true], "`b` changed nothing, and `d` came after it");
    }

    #[test]
    fn pictures_take_only_so_much_memory() {
        let kept = Kept::default();
        for id in ["a", "b", "c"] {
            kept.keep(answer(id, "gate", MOST_BYTES / 2), true);
        }
        assert_eq!(["a", "b", "c"].map(|id| kept.find(id).is_some()), [false, true, true]);
    }
}
