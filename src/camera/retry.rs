//! When a camera that broke is tried again.
//!
//! Pure: the time that passed is an input, and so is chance.

use std::time::Duration;

use super::error::Patience;
use crate::supervise::Backoff;

/// After this long of pictures a camera counts as well again, and its next fault is tried again quickly.
const WELL_AFTER: Duration = Duration::from_secs(10);

/// The first wait and the longest of a camera that may be back at any time.
const SOON: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// A refused password is tried again once soon, since cameras that start up refuse the right one, too.
const SECOND_PASSWORD_TRY: Duration = Duration::from_secs(5 * 60);

/// After that so seldom that no half-hour sees more than two tries: three make many cameras lock the account.
const BETWEEN_PASSWORD_TRIES: Duration = Duration::from_secs(30 * 60);

/// A host that takes no connection is tried in earnest so seldom; until then knocking at its door tells more for less.
const CLOSED_DOOR: Duration = Duration::from_secs(5 * 60);

/// How long a camera is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    /// So long, while its host takes connections.
    pub open: Duration,
    /// So long, while its host takes none; a knock that is answered again ends it. `None`: nobody knocks.
    pub closed: Option<Duration>,
}

/// Remembers how often a camera failed. Lives as long as the camera's [`Spec`](super::Spec): with another one, which may
/// hold the right password, it begins anew.
#[derive(Debug)]
pub struct Retry {
    backoff: Backoff,
    refusals: u32,
}

impl Default for Retry {
    fn default() -> Self {
        Self { backoff: Backoff::new(SOON.0, SOON.1), refusals: 0 }
    }
}

impl Retry {
    /// Nothing has failed yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The camera broke after it had given pictures for so long; `draw` is uniform in 0..1.
    pub fn failed(&mut self, patience: Patience, gave_pictures: Duration, draw: f64) -> Wait {
        if gave_pictures > Duration::ZERO {
            self.refusals = 0;
        }
        if gave_pictures > WELL_AFTER {
            self.backoff.reset();
        }
        match patience {
            Patience::Soon => Wait { open: self.backoff.next(draw), closed: Some(CLOSED_DOOR) },
            Patience::Seldom => {
                self.refusals = self.refusals.saturating_add(1);
                Wait { open: refused_for(self.refusals), closed: None }
            }
            Patience::After(open) => Wait { open, closed: None },
        }
    }
}

/// For how long what was refused so many times in a row, once at least, is not tried.
pub(super) const fn refused_for(times: u32) -> Duration {
    if times <= 1 { SECOND_PASSWORD_TRY } else { BETWEEN_PASSWORD_TRIES }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEVER: Duration = Duration::ZERO;

    #[test]
    fn no_half_hour_sees_three_wrong_passwords() {
        let (mut retry, mut now, mut tries) = (Retry::new(), Duration::ZERO, Vec::new());
        for _ in 0..50 {
            tries.push(now);
            let wait = retry.failed(Patience::Seldom, NEVER, 0.0);
            assert_eq!(wait.closed, None, "a knock must not shorten it");
            now += wait.open;
        }
        for window in tries.windows(3) {
            assert!(window[2] - window[0] > Duration::from_secs(30 * 60), "{window:?}");
        }
        assert_eq!(tries[1], Duration::from_secs(300));
    }

    #[test]
    fn waits_grow_until_pictures_came_for_a_while() {
        let mut retry = Retry::new();
        let mut open = |pictures| retry.failed(Patience::Soon, Duration::from_secs(pictures), 1.0).open.as_secs();
        assert_eq!([0, 0, 2, 2, 9, 10].map(&mut open), [1, 2, 4, 8, 16, 30]);
        assert_eq!([11, 0].map(open), [1, 2]);
    }

    #[test]
    fn a_password_that_was_right_before_has_its_second_try() {
        let mut retry = Retry::new();
        let mut wait = |pictures| retry.failed(Patience::Seldom, Duration::from_secs(pictures), 0.0).open.as_secs();
        assert_eq!([0, 0, 0, 60, 0].map(&mut wait), [300, 1800, 1800, 300, 1800]);
    }
}
