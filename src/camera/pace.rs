//! Which decoded frames are kept, so that as many a second remain as were asked for.
//!
//! Pure, by the stream's own time stamps: a burst after a stall is thinned as the even stream would have been.

use std::time::Duration;

/// Keeps the frames nearest to an even beat.
#[derive(Debug)]
pub(super) struct Pace {
    beat: Duration,
    /// When the next frame is due.
    due: Option<Duration>,
    last: Option<Duration>,
}

impl Pace {
    /// Keeps this many frames a second; a rate that is not above zero keeps all.
    pub(super) fn new(frames_per_second: f64) -> Self {
        let beat = Duration::try_from_secs_f64(1.0 / frames_per_second).unwrap_or(Duration::ZERO);
        Self { beat, due: None, last: None }
    }

    /// Whether to keep the frame of this time; call it for every frame, in order.
    pub(super) fn keep(&mut self, at: Duration) -> bool {
        let gap = match self.last.replace(at) {
            // Began again: so does the beat.
            Some(last) if at < last => {
                self.due = None;
                Duration::ZERO
            }
            Some(last) => at - last,
            None => Duration::ZERO,
        };
        let Some(due) = self.due else {
            self.due = Some(at + self.beat);
            return true;
        };
        // The next frame comes a gap later: this one is kept when it is the nearer to the beat. Jitter of time stamps
        // would otherwise cost a whole frame now and then.
        let slack = (gap / 2).min(self.beat / 4);
        if at + slack < due {
            return false;
        }
        let next = due + self.beat;
        // After a hole the beat starts over: frames missed are not caught up.
        self.due = Some(if at + slack < next { next } else { at + self.beat });
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(frames_per_second: f64, times_ms: impl IntoIterator<Item = u64>) -> Vec<u64> {
        let mut pace = Pace::new(frames_per_second);
        times_ms.into_iter().filter(|&ms| pace.keep(Duration::from_millis(ms))).collect()
    }

    #[test]
    fn every_nth_frame_of_an_even_stream() {
        assert_eq!(kept(5.0, (0..25).map(|n| n * 40)), [0, 200, 400, 600, 800]);
        assert_eq!(kept(0.5, (0..50).map(|n| n * 100)), [0, 2000, 4000]);
    }

    #[test]
    fn jitter_and_uneven_ratios_keep_the_average() {
        let jitter = [0, 41, 79, 121, 159, 199, 241, 280, 321, 359, 398];
        assert_eq!(kept(5.0, jitter), [0, 199, 398]);
        // 15 a second out of 25: three of five.
        assert_eq!(kept(15.0, (0..250).map(|n| n * 40)).len(), 150);
        assert_eq!(kept(25.0, (0..10).map(|n| n * 40)).len(), 10);
    }

    #[test]
    fn a_slower_stream_is_kept_whole_and_a_hole_is_not_caught_up() {
        assert_eq!(kept(5.0, (0..5).map(|n| n * 500)).len(), 5);
        assert_eq!(kept(1.0, [0, 1000, 9300, 9340, 9400, 10_300, 11_300]), [0, 1000, 9300, 10_300, 11_300]);
    }

    #[test]
    fn a_stream_that_begins_again_is_kept_at_once() {
        assert_eq!(kept(1.0, [5000, 5500, 0, 500, 1000]), [5000, 0, 1000]);
    }
}
