//! How many windows go through the graphs together: as many as are answered in good time, and as fit into memory.
//!
//! Pure: what a batch took is given.

use std::time::Duration;

/// No batch is to take longer. What comes meanwhile waits, and the newest picture of a camera grows older by so much.
const LONGEST: Duration = Duration::from_millis(500);

/// How much of what was learnt is left after a batch: about twenty of them are remembered.
const REMEMBERED: f64 = 0.95;

/// The size of the next batch, learnt from those before.
///
/// A batch costs something whatever it holds (a text is written token after token), and something for each window. Only
/// the second is saved by smaller batches, so a batch may take [`LONGEST`], or twice as long as it would with nothing in it.
#[derive(Debug)]
pub(super) struct BatchSize {
    most: usize,
    next: usize,
    seen: Seen,
    /// What a window adds, in seconds; `None` until batches of different sizes were seen.
    each: Option<f64>,
}

/// Sums over the batches that are remembered: how many, their windows and seconds, and products of these.
#[derive(Debug, Default)]
struct Seen {
    batches: f64,
    windows: f64,
    seconds: f64,
    windows_squared: f64,
    windows_seconds: f64,
}

impl BatchSize {
    /// Never more than this many.
    pub(super) fn new(most: usize) -> Self {
        Self { most: most.max(1), next: most.max(1), seen: Seen::default(), each: None }
    }

    /// How many windows the next batch may hold.
    pub(super) const fn next(&self) -> usize {
        self.next
    }

    /// Never more than this many from now on; what was learnt is forgotten, as it was learnt of another model or device.
    pub(super) fn limit(&mut self, most: usize) {
        *self = Self::new(self.most.min(most));
    }

    /// A batch of so many windows took so long.
    pub(super) fn took(&mut self, windows: usize, time: Duration) {
        let (taken, took) = (windows, time.as_secs_f64());
        let (windows, seconds) = (windows as f64, took);
        let seen = &mut self.seen;
        for (sum, new) in [
            (&mut seen.batches, 1.0),
            (&mut seen.windows, windows),
            (&mut seen.seconds, seconds),
            (&mut seen.windows_squared, windows * windows),
            (&mut seen.windows_seconds, windows * seconds),
        ] {
            *sum = *sum * REMEMBERED + new;
        }
        let (windows, seconds) = (seen.windows / seen.batches, seen.seconds / seen.batches);
        let spread = seen.windows_squared / seen.batches - windows * windows;
        if spread > 0.1 {
            self.each = Some(((seen.windows_seconds / seen.batches - windows * seconds) / spread).max(0.0));
        }
        // batches of one size alone do not say what a window more or less would cost
        let (each, least) = self.each.map_or((seconds / windows, taken.div_ceil(2).max(2)), |each| (each, 1));
        let always = (seconds - each * windows).max(0.0);
        let longest = LONGEST.as_secs_f64();
        let fit = ((longest.max(2.0 * always) - always) / each) as usize;
        // one more at a time, but for what would be in time even if each cost as much as its share of this batch
        let safe = (longest * taken as f64 / took) as usize;
        self.next = fit.min(safe.max(taken + 1)).clamp(least, self.most.max(least)).min(self.most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sizes of batches of a model that takes so many milliseconds for a batch and for each window.
    fn sizes(batch: u64, window: u64, waiting: &[usize]) -> Vec<usize> {
        let mut size = BatchSize::new(16);
        let take = |waiting: &usize| {
            let taken = size.next().min(*waiting);
            size.took(taken, Duration::from_millis(batch + window * taken as u64));
            taken
        };
        waiting.iter().map(take).collect()
    }

    #[test]
    fn a_model_that_is_slow_with_each_window_takes_few_at_a_time() {
        assert_eq!(sizes(0, 150, &[1, 16, 16, 16]), [1, 3, 3, 3]);
        assert_eq!(sizes(0, 2000, &[1, 16, 16, 16]), [1, 2, 1, 1], "one at least, however slow");
        assert_eq!(sizes(100, 100, &[1, 16, 16, 16]), [1, 2, 3, 4]);
    }

    #[test]
    fn where_smaller_batches_save_nothing_they_stay_large() {
        assert_eq!(sizes(3000, 0, &[1, 16, 16, 16]), [1, 2, 3, 4], "a long text for each");
        assert_eq!(sizes(3000, 1, &[16; 20])[..4], [16, 8, 9, 10]);
        assert_eq!(sizes(3000, 1, &[16; 20])[12..], [16; 8]);
        assert_eq!(sizes(10, 5, &[1, 16, 3, 16, 1, 16]), [1, 16, 3, 16, 1, 16]);
        assert_eq!(sizes(0, 0, &[16, 16]), [16, 16]);
    }

    #[test]
    fn what_did_not_fit_into_memory_is_not_tried_again() {
        let mut size = BatchSize::new(16);
        size.limit(4);
        size.limit(9);
        assert_eq!(size.next(), 4);
        size.took(4, Duration::from_millis(1));
        assert_eq!(size.next(), 4);
        size.limit(0);
        assert_eq!(size.next(), 1);
    }
}
