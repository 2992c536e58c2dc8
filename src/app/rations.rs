//! How often others may have the model work for them about a camera: whoever floods a topic must not starve what is asked anyway.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use crate::{frame::Stamp, name::CameraName};

/// How often in a minute.
pub(super) const MOST_A_MINUTE: usize = 30;
const MINUTE: Duration = Duration::from_secs(60);

/// When each camera had its last ones.
#[derive(Debug, Default)]
pub(super) struct Rations(BTreeMap<CameraName, VecDeque<Stamp>>);

impl Rations {
    /// Whether there may be one more about a camera; counts it, if so.
    pub(super) fn allow(&mut self, camera: &CameraName, now: Stamp) -> bool {
        let lately = self.0.entry(camera.clone()).or_default();
        while lately.front().is_some_and(|&first| now.since(first) >= MINUTE) {
            lately.pop_front();
        }
        let allowed = lately.len() < MOST_A_MINUTE;
        if allowed {
            lately.push_back(now);
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_camera_has_so_many_a_minute() {
        let at = |seconds| Stamp::after_origin(Duration::from_secs(seconds));
        let [door, yard] = ["door", "yard"].map(|name| CameraName::new(name).unwrap());
        let mut rations = Rations::default();
        for _ in 0..MOST_A_MINUTE {
            assert!(rations.allow(&door, at(5)));
        }
        assert!(!rations.allow(&door, at(64)), "within the minute");
        assert!(rations.allow(&yard, at(64)), "another's");
        assert!(rations.allow(&door, at(65)));
        assert_eq!(rations.0[&door].len(), 1, "it forgets");
    }
}
