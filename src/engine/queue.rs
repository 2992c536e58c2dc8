//! Which windows next: the newest of each camera, the camera that waited longest first.
//!
//! Pure: the present moment is given.

use std::collections::BTreeMap;

use crate::{
    frame::Stamp,
    name::{CameraName, PromptName},
    window::Window,
};

/// A window that waits for the accelerator.
#[derive(Debug, Clone)]
pub struct Waiting {
    /// What to ask about.
    pub window: Window,
    /// Since when its camera has been waiting.
    pub since: Stamp,
}

/// One place per camera and window form; live input never waits behind older live input.
#[derive(Debug, Default)]
pub struct Queue {
    cameras: BTreeMap<CameraName, Vec<Waiting>>,
    tally: Tally,
}

/// What became of windows; those that were offered and neither replaced nor dropped were taken, or wait.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Put in.
    pub offered: u64,
    /// Replaced by a newer one before anybody took them: the accelerator is slower than the prompts ask.
    pub replaced: u64,
    /// Thrown away: their camera was switched off or is watched no more, or the end came.
    pub dropped: u64,
}

impl Queue {
    /// An empty queue.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a window in. One of the same camera and form that still waits is replaced by the newer pictures, and those of
    /// its prompts that `may_join` are asked about these. The place in the line stays: replacing starves nobody. Gives the one
    /// that was replaced.
    pub fn offer(&mut self, mut window: Window, now: Stamp, may_join: impl Fn(&PromptName) -> bool) -> Option<Window> {
        self.tally.offered += 1;
        let places = self.cameras.entry(window.camera.clone()).or_default();
        match places.iter_mut().find(|w| w.window.spec == window.spec) {
            Some(place) => {
                self.tally.replaced += 1;
                for prompt in &place.window.prompts {
                    if may_join(prompt) && !window.prompts.contains(prompt) {
                        window.prompts.push(prompt.clone());
                    }
                }
                Some(std::mem::replace(&mut place.window, window))
            }
            None => {
                places.push(Waiting { window, since: now });
                None
            }
        }
    }

    /// Takes at most `most` windows, those that waited longest first.
    pub fn take(&mut self, most: usize) -> Vec<Waiting> {
        let mut all: Vec<Waiting> = std::mem::take(&mut self.cameras).into_values().flatten().collect();
        all.sort_by_key(|w| w.since);
        let later = all.split_off(most.min(all.len()));
        for waiting in later {
            self.cameras.entry(waiting.window.camera.clone()).or_default().push(waiting);
        }
        all
    }

    /// Throws away what waits of this camera.
    pub fn forget(&mut self, camera: &CameraName) {
        let waited = self.cameras.remove(camera).unwrap_or_default();
        self.tally.dropped += waited.len() as u64;
    }

    /// Throws away what waits.
    pub fn clear(&mut self) {
        self.tally.dropped += self.cameras.values().map(|waiting| waiting.len() as u64).sum::<u64>();
        self.cameras.clear();
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.cameras.is_empty()
    }

    /// What became of windows so far.
    pub const fn tally(&self) -> Tally {
        self.tally
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::window::Spec;

    fn all(_: &PromptName) -> bool {
        true
    }

    fn window(camera: &str, frames: usize, prompts: &[&str]) -> Window {
        Window {
            camera: CameraName::new(camera).unwrap(),
            spec: Spec { frames, span: Duration::from_secs(1) },
            frames: vec![None; frames],
            prompts: prompts.iter().map(|p| PromptName::new(p).unwrap()).collect(),
        }
    }

    fn at(seconds: u64) -> Stamp {
        Stamp::after_origin(Duration::from_secs(seconds))
    }

    fn taken(queue: &mut Queue, most: usize) -> Vec<String> {
        let name = |w: &Waiting| {
            let prompts: Vec<&str> = w.window.prompts.iter().map(PromptName::as_str).collect();
            format!("{} {}", w.window.camera, prompts.join("+"))
        };
        queue.take(most).iter().map(name).collect()
    }

    #[test]
    fn the_newest_window_is_asked_for_all_that_waited() {
        let mut queue = Queue::new();
        queue.offer(window("a", 8, &["slow", "fast"]), at(0), all);
        let replaced = queue.offer(window("a", 8, &["fast"]), at(1), all).unwrap();
        assert_eq!(replaced.prompts.len(), 2, "what was asked of the one that nobody looks at");
        assert!(queue.offer(window("a", 4, &["other_form"]), at(2), all).is_none());
        let lens = |prompt: &PromptName| prompt.as_str() == "lens";
        let mut blind = Queue::new();
        blind.offer(window("a", 8, &["person", "lens"]), at(0), all);
        blind.offer(window("a", 8, &["cover"]), at(1), lens);
        let asked: Vec<String> = blind.take(9)[0].window.prompts.iter().map(PromptName::to_string).collect();
        assert_eq!(asked, ["cover", "lens"], "a person is not looked for where nothing is seen");
        assert_eq!(queue.tally(), Tally { offered: 3, replaced: 1, dropped: 0 });
        assert_eq!(taken(&mut queue, 9), ["a fast+slow", "a other_form"]);
        assert!(queue.is_empty());
    }

    #[test]
    fn each_window_that_nobody_looks_at_is_counted_with_its_reason() {
        let mut queue = Queue::new();
        for second in 0..3 {
            queue.offer(window("a", 8, &["p"]), at(second), all);
            queue.offer(window("b", 8, &["p"]), at(second), all);
            queue.offer(window("b", 4, &["q"]), at(second), all);
        }
        queue.forget(&CameraName::new("b").unwrap());
        queue.forget(&CameraName::new("nobody").unwrap());
        assert_eq!(taken(&mut queue, 9), ["a p"]);
        queue.offer(window("a", 8, &["p"]), at(4), all);
        queue.clear();
        assert_eq!(queue.tally(), Tally { offered: 10, replaced: 6, dropped: 3 });
    }

    #[test]
    fn who_waited_longest_comes_first_even_when_replaced() {
        let mut queue = Queue::new();
        queue.offer(window("quick", 8, &["p"]), at(0), all);
        queue.offer(window("slow", 8, &["p"]), at(1), all);
        queue.offer(window("quick", 8, &["p"]), at(2), all);
        assert_eq!(taken(&mut queue, 1), ["quick p"]);
        queue.offer(window("quick", 8, &["p"]), at(3), all);
        assert_eq!(taken(&mut queue, 1), ["slow p"]);
        assert_eq!(taken(&mut queue, 1), ["quick p"]);
    }
}
