//! Proof that a stage goes on: it has moved, or it has nothing to do.

use std::{collections::BTreeMap, time::Duration};

/// How a stage stands at a moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pulse {
    /// Grows with each piece of work that is done.
    pub moved: u64,
    /// Whether there is work, in hand or waiting.
    pub busy: bool,
}

/// Judges stages by their pulses, read now and then.
///
/// A stage that has work and does not move keeps still. How long it may is learnt: a large model on a small machine needs
/// minutes for what another does in milliseconds, and slows down with the machine, so the longest stillness that ended by
/// itself counts ten times; never less than `least`, nor more than `most`.
#[derive(Debug)]
pub struct Progress {
    least: Duration,
    most: Duration,
    stages: BTreeMap<&'static str, Stage>,
}

#[derive(Debug)]
struct Stage {
    moved: u64,
    /// Since when it has kept still.
    since: Duration,
    /// When it was last read.
    read: Duration,
    /// The longest stillness that ended, as far as readings showed it.
    longest: Duration,
}

/// How much longer than ever before a stage may keep still.
const SLOWER: u32 = 10;

impl Progress {
    /// Judges by these bounds.
    pub const fn new(least: Duration, most: Duration) -> Self {
        Self { least, most, stages: BTreeMap::new() }
    }

    /// How long the stage has kept still, at this moment of any one clock, where that is longer than it may.
    pub fn still(&mut self, now: Duration, name: &'static str, pulse: Pulse) -> Option<Duration> {
        let begun = Stage { moved: pulse.moved, since: now, read: now, longest: Duration::ZERO };
        let stage = self.stages.entry(name).or_insert(begun);
        let still = now.saturating_sub(stage.since);
        let last_read = std::mem::replace(&mut stage.read, now);
        if !pulse.busy || pulse.moved != stage.moved {
            // when it moved after the last reading, nobody knows
            stage.longest = stage.longest.max(last_read.saturating_sub(stage.since));
            (stage.moved, stage.since) = (pulse.moved, now);
            return None;
        }
        let patience = stage.longest.saturating_mul(SLOWER).clamp(self.least, self.most);
        (still >= patience).then_some(still)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEVER: [u64; 0] = [];

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Reads a stage every second: for how many of these seconds was it found to keep still for too long?
    fn found_still(progress: &mut Progress, from: u64, pulses: impl Iterator<Item = Pulse>) -> Vec<u64> {
        let found = |(second, pulse)| progress.still(seconds(from + second), "engine", pulse).map(|_| from + second);
        (0..).zip(pulses).filter_map(found).collect()
    }

    #[test]
    fn who_has_work_and_does_not_move_keeps_still_and_who_rests_or_moves_does_not() {
        let pulse = |moved, busy| Pulse { moved, busy };
        let mut progress = Progress::new(seconds(5), seconds(40));
        assert_eq!(found_still(&mut progress, 0, (0..60).map(|_| pulse(7, false))), NEVER, "it rests");
        assert_eq!(found_still(&mut progress, 60, (0..60).map(|moved| pulse(moved, true))), NEVER, "it works");
        let hangs = found_still(&mut progress, 120, (0..11).map(|_| pulse(59, true)));
        assert_eq!(
            hangs,
            (124..=130).collect::<Vec<_>>(),
            "it kept still at 119, and never had for as long as a second"
        );
    }

    #[test]
    fn what_was_ever_slow_may_be_ten_times_slower_but_not_for_ever() {
        let slow = (0..24).map(|second| Pulse { moved: second / 3, busy: true }); // three seconds for each piece of work
        let mut progress = Progress::new(seconds(5), seconds(20));
        assert_eq!(found_still(&mut progress, 0, slow), NEVER);
        let hangs = found_still(&mut progress, 24, (0..30).map(|_| Pulse { moved: 7, busy: true }));
        assert_eq!(
            hangs.first(),
            Some(&41),
            "20 s after it last moved, at 21: ten times the two that were seen, and the most"
        );
    }
}
