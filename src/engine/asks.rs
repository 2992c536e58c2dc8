//! Questions that are asked once: they wait behind standing prompts, but never longer than their patience.
//!
//! Pure: the present moment is given.

use std::collections::VecDeque;

use crate::{frame::Stamp, name::CameraName};

/// How many questions may wait about one camera, and in all.
const OF_A_CAMERA: usize = 4;
const IN_ALL: usize = 16;

/// There is no room for another question; the asker may try again later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{waiting} questions wait already")]
pub struct Busy {
    /// How many wait: about this camera, or in all.
    pub waiting: usize,
}

/// A question in the line.
#[derive(Debug)]
struct Place<T> {
    camera: CameraName,
    since: Stamp,
    until: Stamp,
    ask: T,
}

/// The line, oldest first.
#[derive(Debug)]
pub(super) struct Asks<T> {
    line: VecDeque<Place<T>>,
}

impl<T> Default for Asks<T> {
    fn default() -> Self {
        Self { line: VecDeque::new() }
    }
}

impl<T> Asks<T> {
    /// Takes a question about a camera that is of no use after `until`.
    pub(super) fn offer(&mut self, camera: CameraName, ask: T, now: Stamp, until: Stamp) -> Result<(), Busy> {
        // who has lost patience does not keep others out
        self.line.retain(|place| place.until > now);
        let of_camera = self.line.iter().filter(|place| place.camera == camera).count();
        if of_camera >= OF_A_CAMERA || self.line.len() >= IN_ALL {
            return Err(Busy { waiting: of_camera.max(self.line.len().min(IN_ALL)) });
        }
        self.line.push_back(Place { camera, since: now, until, ask });
        Ok(())
    }

    /// Throws away the questions about a camera.
    pub(super) fn forget(&mut self, camera: &CameraName) {
        self.line.retain(|place| place.camera != *camera);
    }

    /// The next question to ask, and since when it waited. While standing prompts wait (`others`) only one that has spent
    /// half of its patience comes before them. Questions whose time has passed are thrown away: nobody listens any more.
    pub(super) fn next(&mut self, now: Stamp, others: bool) -> Option<(T, Stamp)> {
        self.line.retain(|place| place.until > now);
        let hurries = |place: &Place<T>| now.since(place.since) * 2 >= place.until.since(place.since);
        let at = if others { self.line.iter().position(hurries)? } else { 0 };
        self.line.remove(at).map(|place| (place.ask, place.since))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.line.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.line.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(seconds: u64) -> Stamp {
        Stamp::after_origin(Duration::from_secs(seconds))
    }

    fn camera(name: &str) -> CameraName {
        CameraName::new(name).unwrap()
    }

    #[test]
    fn standing_prompts_come_first_until_half_of_the_patience_is_spent() {
        let mut asks = Asks::default();
        asks.offer(camera("door"), "patient", at(0), at(60)).unwrap();
        asks.offer(camera("door"), "hasty", at(1), at(5)).unwrap();
        assert_eq!(asks.next(at(2), true), None);
        assert_eq!(asks.next(at(3), true), Some(("hasty", at(1))));
        assert_eq!(asks.next(at(3), true), None);
        assert_eq!(asks.next(at(3), false), Some(("patient", at(0))));
        assert!(asks.is_empty());
    }

    #[test]
    fn who_has_lost_patience_is_not_asked_and_keeps_nobody_out() {
        let mut asks = Asks::default();
        for number in 0..OF_A_CAMERA {
            asks.offer(camera("door"), number, at(0), at(9)).unwrap();
        }
        assert_eq!(asks.offer(camera("door"), 9, at(1), at(9)), Err(Busy { waiting: OF_A_CAMERA }));
        asks.offer(camera("yard"), 7, at(1), at(60)).unwrap();
        assert_eq!(asks.next(at(9), false), Some((7, at(1))));
        asks.offer(camera("door"), 8, at(9), at(20)).unwrap();
        assert_eq!(asks.next(at(20), false), None);
    }

    #[test]
    fn all_cameras_together_have_a_bound_too() {
        let mut asks = Asks::default();
        for number in 0..IN_ALL {
            asks.offer(camera(&format!("c{}", number / OF_A_CAMERA)), number, at(0), at(9)).unwrap();
        }
        assert_eq!(asks.offer(camera("other"), 99, at(1), at(9)), Err(Busy { waiting: IN_ALL }));
    }
}
