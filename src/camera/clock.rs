//! When a frame was taken: its arrival on the monotonic clock, corrected by the stream's own time stamps.
//!
//! Pure. Arrival alone is late by whatever the network, the decoder or a busy machine added; the stream's time stamps
//! (PTS) are even, but their origin and speed are the camera's. The smallest delay seen lately ties one to the other.

use std::time::Duration;

use crate::frame::Stamp;

/// The smallest delay is looked for in this long a stretch and the one before it: long enough to hold a frame that
/// was not held up, short enough for the drift of a camera's clock to stay far below a frame (100 ppm: 2 ms).
const STRETCH: Duration = Duration::from_secs(10);

/// A picture that comes sooner after its PTS than any before it, by more than this, is of a PTS that has jumped. A burst after a
/// stall is none: however far apart its pictures are, they come later than others did, not sooner.
const JUMP: Duration = Duration::from_secs(1);

/// A PTS that stands still for this long while pictures arrive says nothing.
const STANDSTILL: Duration = Duration::from_secs(1);

/// How much faster or slower than ours a camera's clock is believed to run: cheap ones stamp a rate that they do not
/// reach. What grows quicker than that is delay.
const PARTS_WRONG: i128 = 33;

/// Ties the PTS of one stream to the monotonic clock. Make a new one for each connection.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    /// Smallest arrival minus PTS, in nanoseconds, of the stretch before this one and of this one.
    before: Option<i128>,
    current: Option<i128>,
    stretch_began: Option<Stamp>,
    last: Option<Duration>,
    last_taken: Option<Stamp>,
    /// Where the PTS stood when it last moved on.
    moved: Option<(Duration, Stamp)>,
    /// The least delay since the stream began, which rises no quicker than a wrong clock makes it, and when it did.
    least: Option<(i128, Stamp)>,
    behind: Duration,
}

impl Timeline {
    /// When the frame with this PTS was taken, having arrived at `arrival`: never after its arrival, and always after
    /// the frame before it. Call it for every frame that arrives, in order, also for those that are not kept.
    pub(super) fn taken(&mut self, pts: Option<Duration>, arrival: Stamp) -> Stamp {
        let taken = match pts {
            Some(pts) => self.place(pts, arrival),
            None => arrival,
        };
        let after_last = self.last_taken.map(|last| last.later_by(Duration::from_nanos(1)));
        let taken = after_last.map_or(taken, |least| taken.max(least));
        self.last_taken = Some(taken);
        taken
    }

    fn place(&mut self, pts: Duration, arrival: Stamp) -> Stamp {
        if self.has_jumped(pts, arrival) {
            (self.before, self.current, self.stretch_began) = (None, None, None);
            (self.moved, self.least) = (None, None);
        }
        self.last = Some(pts);
        if self.moved.is_none_or(|(at, _)| at != pts) {
            self.moved = Some((pts, arrival));
        }
        if self.stretch_began.is_none_or(|began| arrival.since(began) >= STRETCH) {
            self.before = self.current.take();
            self.stretch_began = Some(arrival);
        }
        let delay = nanos(arrival.since_origin()) - nanos(pts);
        let current = self.current.map_or(delay, |smallest| smallest.min(delay));
        self.current = Some(current);
        let least = self.least.map_or(delay, |(least, at)| delay.min(least + nanos(arrival.since(at)) / PARTS_WRONG));
        self.least = Some((least, arrival));
        self.behind = Duration::from_nanos(u64::try_from(delay - least).unwrap_or(u64::MAX));
        let smallest = self.before.map_or(current, |before| before.min(current));
        let late = u64::try_from(delay - smallest).unwrap_or(u64::MAX);
        arrival.earlier_by(Duration::from_nanos(late)).unwrap_or(arrival)
    }

    /// How much later than the quickest the last frame came. Small for every stream that keeps up.
    pub(super) const fn behind(&self) -> Option<Duration> {
        if self.behind.is_zero() { None } else { Some(self.behind) }
    }

    /// Whether the camera's clock was set, its time stamps wrapped, or it stands.
    fn has_jumped(&self, pts: Duration, arrival: Stamp) -> bool {
        let stands = |&(at, since): &(Duration, Stamp)| at == pts && arrival.since(since) > STANDSTILL;
        if self.moved.as_ref().is_some_and(stands) {
            return true;
        }
        let delay = nanos(arrival.since_origin()) - nanos(pts);
        let smallest = [self.before, self.current].into_iter().flatten().min();
        self.last.is_some_and(|last| pts < last) || smallest.is_some_and(|smallest| delay + nanos(JUMP) < smallest)
    }
}

fn nanos(duration: Duration) -> i128 {
    // At most 2^64 s in ns: fits i128.
    duration.as_nanos().try_into().unwrap_or(i128::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stamps, in ms, of frames given as (PTS, arrival) in ms.
    fn taken(frames: &[(u64, u64)]) -> Vec<u64> {
        let mut timeline = Timeline::default();
        let frames = frames.iter().map(|&(pts, arrival)| {
            let arrival = Stamp::after_origin(Duration::from_millis(arrival));
            (timeline.taken(Some(Duration::from_millis(pts)), arrival), arrival)
        });
        let mut last = None;
        frames
            .map(|(taken, arrival)| {
                assert!(taken <= arrival, "{taken:?} after its arrival {arrival:?}");
                assert!(last < Some(taken), "{taken:?} not after {last:?}");
                last = Some(taken);
                u64::try_from(taken.since_origin().as_millis()).unwrap()
            })
            .collect()
    }

    #[test]
    fn jitter_is_taken_out_once_a_frame_came_without_delay() {
        let frames = [(0, 1000), (40, 1055), (80, 1080), (120, 1190), (160, 1195), (200, 1200)];
        assert_eq!(taken(&frames), [1000, 1040, 1080, 1120, 1160, 1200]);
    }

    #[test]
    fn a_burst_after_a_stall_keeps_its_true_times() {
        assert_eq!(taken(&[(0, 1000), (500, 1500), (1000, 5000), (1500, 5001)]), [1000, 1500, 2000, 2500]);
    }

    #[test]
    fn time_stamps_that_jump_or_begin_again_start_over_at_arrival() {
        assert_eq!(taken(&[(5000, 1000), (5500, 1510), (0, 2000), (500, 2500)]), [1000, 1500, 2000, 2500]);
        assert_eq!(taken(&[(0, 1000), (900_000, 1500), (900_500, 2000)]), [1000, 1500, 2000]);
        // One damaged time stamp harms no frame after it.
        assert_eq!(taken(&[(0, 1000), (900_000, 1500), (1000, 2000), (1500, 2500)]), [1000, 1500, 2000, 2500]);
    }

    #[test]
    fn pictures_that_come_late_together_are_late_however_far_apart_they_were_taken() {
        let seldom = [(0, 1000), (2000, 3000), (4000, 8500), (6000, 8501), (8000, 9000)];
        assert_eq!(taken(&seldom), [1000, 3000, 5000, 7000, 9000]);
    }

    #[test]
    fn a_slow_camera_clock_is_followed() {
        // 0.1 % slow: after 100 s its stamps are 100 ms behind arrival.
        let frames: Vec<(u64, u64)> = (0..1000).map(|n| (n * 100, 1000 + n * 100 + n / 10)).collect();
        let taken = taken(&frames);
        assert!(frames.iter().zip(&taken).all(|((_, arrival), taken)| arrival - taken <= 21), "{taken:?}");
    }

    #[test]
    fn time_stamps_that_stand_still_hold_no_frame_back_for_long() {
        // 25 a second, all with one time stamp.
        let frames: Vec<(u64, u64)> = (0..500).map(|n| (7000, 1000 + n * 40)).collect();
        let taken = taken(&frames);
        assert!(frames.iter().zip(&taken).all(|((_, arrival), taken)| arrival - taken <= 1000), "{taken:?}");
    }

    /// By how many ms the last of so many frames, 25 a second, is behind, which arrive this many ms apart.
    fn behind(count: u32, apart_ms: f64) -> u128 {
        let mut timeline = Timeline::default();
        for n in 0..count {
            let arrival = Stamp::after_origin(Duration::from_secs(1) + Duration::from_secs_f64(apart_ms / 1000.0) * n);
            timeline.taken(Some(Duration::from_millis(40) * n), arrival);
        }
        timeline.behind().unwrap_or_default().as_millis()
    }

    #[test]
    fn a_network_that_is_too_slow_shows_and_a_wrong_clock_does_not() {
        assert_eq!(behind(1000, 40.0), 0);
        assert_eq!(behind(15_000, 39.0), 0, "a clock that runs slow");
        assert_eq!(behind(15_000, 41.0), 0, "one that runs fast, by 2.4 %");
        assert!(behind(100, 80.0) > 3500, "half of the frames' rate");
        assert!(behind(15_000, 42.0) > 10_000, "5 % too few");
        // What piled up in a stall is behind for as long as it takes to come.
        let mut timeline = Timeline::default();
        let mut frame = |pts, arrival| {
            timeline.taken(Some(Duration::from_millis(pts)), Stamp::after_origin(Duration::from_millis(arrival)));
            timeline.behind().unwrap_or_default().as_millis()
        };
        assert_eq!([frame(0, 1000), frame(40, 1040)], [0, 0]);
        assert!(frame(80, 4000) > 2800);
        assert_eq!(frame(3000, 4001), 0);
    }

    #[test]
    fn without_a_time_stamp_arrival_counts() {
        let mut timeline = Timeline::default();
        let arrival = Stamp::after_origin(Duration::from_secs(3));
        assert_eq!(timeline.taken(None, arrival), arrival);
        assert!(timeline.taken(None, arrival) > arrival.earlier_by(Duration::from_nanos(1)).unwrap());
    }

    proptest::proptest! {
        #[test]
        fn whatever_arrives_stamps_rise_and_never_run_ahead(
            steps in proptest::collection::vec((0_u64..100_000, 1_u64..5_000), 1..200),
        ) {
            let mut arrival = 0;
            let frames: Vec<(u64, u64)> = steps
                .iter()
                .map(|&(pts, after)| {
                    arrival += after;
                    (pts, arrival)
                })
                .collect();
            // The assertions are in `taken`.
            proptest::prop_assert_eq!(taken(&frames).len(), frames.len());
        }
    }
}
