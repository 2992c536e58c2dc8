//! Which windows next: the newest of each camera, the camera that waited longest first.
//!
//! Pure: the present moment is given.

use std::collections::BTreeMap;

use crate::{frame::Stamp, name::CameraName, window::Window};

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
    replaced: u64,
}

impl Queue {
    /// An empty queue.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a window in. One of the same camera and form that still waits is replaced by the newer pictures, and
    /// its prompts are asked about those. The place in the line stays: replacing starves nobody. Says whether one was.
    pub fn offer(&mut self, mut window: Window, now: Stamp) -> bool {
        let places = self.cameras.entry(window.camera.clone()).or_default();
        match places.iter_mut().find(|w| w.window.spec == window.spec) {
            Some(place) => {
                self.replaced += 1;
                for prompt in &place.window.prompts {
                    if !window.prompts.contains(prompt) {
                        window.prompts.push(prompt.clone());
                    }
                }
                place.window = window;
                true
            }
            None => {
                places.push(Waiting { window, since: now });
                false
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
        self.cameras.remove(camera);
    }

    /// Throws away what waits.
    pub fn clear(&mut self) {
        self.cameras.clear();
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.cameras.is_empty()
    }

    /// How many windows were replaced before the engine came to them.
    pub const fn replaced(&self) -> u64 {
        self.replaced
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{name::PromptName, window::Spec};

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
        queue.offer(window("a", 8, &["slow", "fast"]), at(0));
        queue.offer(window("a", 8, &["fast"]), at(1));
        queue.offer(window("a", 4, &["other_form"]), at(2));
        assert_eq!(queue.replaced(), 1);
        assert_eq!(taken(&mut queue, 9), ["a fast+slow", "a other_form"]);
        assert!(queue.is_empty());
    }

    #[test]
    fn who_waited_longest_comes_first_even_when_replaced() {
        let mut queue = Queue::new();
        queue.offer(window("quick", 8, &["p"]), at(0));
        queue.offer(window("slow", 8, &["p"]), at(1));
        queue.offer(window("quick", 8, &["p"]), at(2));
        assert_eq!(taken(&mut queue, 1), ["quick p"]);
        queue.offer(window("quick", 8, &["p"]), at(3));
        assert_eq!(taken(&mut queue, 1), ["slow p"]);
        assert_eq!(taken(&mut queue, 1), ["quick p"]);
    }
}
