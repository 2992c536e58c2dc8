//! What a picture is, and when it was taken.

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, SystemTime},
};

use rustix::time::{ClockId, clock_gettime};

/// A moment on this machine's monotonic clock, which goes on while the machine sleeps.
///
/// Cameras' clocks jump and drift, and the host's wall clock is set by others; windows are placed on this one only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp(Duration);

impl Stamp {
    /// The moment this long after the clock's origin (the process' first look at it).
    pub const fn after_origin(since_origin: Duration) -> Self {
        Self(since_origin)
    }

    /// The present moment. A machine's sleep counts: what came before it is hours old afterwards, not seconds.
    pub fn now() -> Self {
        static ORIGIN: OnceLock<Duration> = OnceLock::new();
        let read = clock_gettime(ClockId::Boottime);
        // neither is ever below 0
        let (seconds, nanoseconds) = (read.tv_sec.unsigned_abs(), read.tv_nsec.unsigned_abs());
        let now = Duration::from_secs(seconds) + Duration::from_nanos(nanoseconds);
        Self(now.saturating_sub(*ORIGIN.get_or_init(|| now)))
    }

    /// Time since the clock's origin.
    pub const fn since_origin(self) -> Duration {
        self.0
    }

    /// Time from `earlier` to this moment; zero when `earlier` is later.
    pub const fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    /// This moment moved back; `None` before the clock's origin.
    pub fn earlier_by(self, by: Duration) -> Option<Self> {
        self.0.checked_sub(by).map(Self)
    }

    /// This moment moved on.
    pub const fn later_by(self, by: Duration) -> Self {
        Self(self.0.saturating_add(by))
    }

    /// The wall-clock time of this moment, given what both clocks show now.
    pub fn wall(self, now: Self, wall_now: SystemTime) -> SystemTime {
        if self > now { wall_now + self.since(now) } else { wall_now - now.since(self) }
    }
}

/// What both clocks show, read together: the monotonic one, on which lengths of time are measured, and the wall's, which
/// others understand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// On the monotonic clock.
    pub mono: Stamp,
    /// On the wall clock.
    pub wall: SystemTime,
}

impl Now {
    /// The present moment.
    pub fn read() -> Self {
        Self { mono: Stamp::now(), wall: SystemTime::now() }
    }

    /// The wall-clock time of a moment.
    pub fn wall_of(&self, stamp: Stamp) -> SystemTime {
        stamp.wall(self.mono, self.wall)
    }
}

/// Width and height of a picture, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Size {
    /// Pixels from left to right.
    pub width: u32,
    /// Pixels from top to bottom.
    pub height: u32,
}

/// One sampled picture of a camera, already in the size the model asks for.
#[derive(Debug, Clone)]
pub struct Frame {
    /// Counts the sampled frames of this camera, also across reconnects; one that a new configuration has received anew counts
    /// from nothing.
    pub number: u64,
    /// When it was taken.
    pub taken: Stamp,
    /// Its size.
    pub size: Size,
    /// RGB, 8 bits a channel, rows from the top, no padding: `height * width * 3` bytes.
    pub pixels: Arc<[u8]>,
}

impl Frame {
    /// The picture as a PNG file.
    pub fn png(&self) -> Result<Vec<u8>, png::EncodingError> {
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, self.size.width, self.size.height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.write_header()?.write_image_data(&self.pixels)?;
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_has_a_wall_time_once_both_clocks_are_read() {
        let now = Stamp::after_origin(Duration::from_secs(10));
        let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(1000);
        let taken = now.earlier_by(Duration::from_millis(250)).unwrap();
        assert_eq!(taken.wall(now, wall), SystemTime::UNIX_EPOCH + Duration::from_millis(999_750));
        assert_eq!(now.since(taken), Duration::from_millis(250));
        assert_eq!(taken.since(now), Duration::ZERO);
    }
}
