//! Names for answers: unique, and sorted by time.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use uuid::{Builder, Uuid};

/// The name of an answer: a UUID of version 7 (RFC 9562), so that names sort by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AnswerId(Uuid);

impl fmt::Display for AnswerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Makes names that grow, also within a millisecond and when the wall clock is set back.
#[derive(Debug)]
pub struct Ids {
    millis: u64,
    counter: u16,
    random: fastrand::Rng,
}

/// The counter's place in a UUID of version 7 has 12 bits.
const COUNTERS: u16 = 1 << 12;

impl Ids {
    /// Names whose random part comes from `random`.
    pub const fn new(random: fastrand::Rng) -> Self {
        Self { millis: 0, counter: 0, random }
    }

    /// The next name, at this wall time.
    pub fn next(&mut self, wall: SystemTime) -> AnswerId {
        let since_epoch = wall.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let millis = u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX);
        if millis > self.millis {
            (self.millis, self.counter) = (millis, 0);
        } else if self.counter + 1 < COUNTERS {
            self.counter += 1;
        } else {
            // More names than the counter has in one millisecond: borrow from the next one.
            (self.millis, self.counter) = (self.millis + 1, 0);
        }
        let mut bytes = [0; 10];
        self.random.fill(&mut bytes);
        bytes[..2].copy_from_slice(&self.counter.to_be_bytes());
        AnswerId(Builder::from_unix_timestamp_millis(self.millis, &bytes).into_uuid())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_grow_within_a_millisecond_and_when_the_clock_is_set_back() {
        let mut ids = Ids::new(fastrand::Rng::with_seed(7));
        let wall = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_123);
        let mut names: Vec<AnswerId> = (0..5000).map(|_| ids.next(wall)).collect();
        names.push(ids.next(wall - Duration::from_secs(3600)));
        names.push(ids.next(wall + Duration::from_secs(1)));
        assert!(names.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(names.windows(2).all(|pair| pair[0].to_string() < pair[1].to_string()));
        assert_eq!(names[0].to_string().as_bytes()[14], b'7');
    }
}
