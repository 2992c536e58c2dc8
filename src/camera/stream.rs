//! What a camera sends, as far as it was seen: its codec and size, how often pictures come, and how far apart key frames are.
//!
//! Pure: what came and when is told to it.

use std::time::Duration;

use crate::frame::Size;

/// What was seen of a camera's stream so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stream {
    /// Its codec; `None` where nothing is decoded.
    pub codec: Option<&'static str>,
    /// The size of its pictures.
    pub size: Option<Size>,
    /// Pictures that came, coded.
    pub pictures: u64,
    /// Those of them that are not shown, as something of them or before them was lost or damaged on its way.
    pub withheld: u64,
    /// When the second picture came: a camera may keep the first one for whoever joins, so its time tells nothing of the rate.
    second: Option<Duration>,
    last: Option<Duration>,
    last_key: Option<Duration>,
    farthest_keys: Option<Duration>,
}

impl Stream {
    /// The decoder is told what it will get: GStreamer's name for it, and its size.
    pub(super) fn begins(&mut self, media: &str, size: Option<Size>) {
        self.codec = Some(match media {
            "video/x-h264" => "H.264",
            "video/x-h265" => "H.265",
            "image/jpeg" => "MJPEG",
            "video/x-av1" => "AV1",
            "video/mpeg" => "MPEG",
            _ => "another codec",
        });
        self.size = size.or(self.size);
    }

    /// One coded picture came; `at` is its time on any clock that goes on.
    pub(super) fn came(&mut self, is_key: bool, at: Duration) {
        self.pictures += 1;
        if self.pictures == 2 {
            self.second = Some(at);
        }
        self.last = self.last.max(Some(at));
        if is_key {
            let since = self.last_key.replace(at).and_then(|before| at.checked_sub(before));
            self.farthest_keys = self.farthest_keys.max(since);
        }
    }

    /// Pictures a second; `None` before the third one.
    pub fn rate(&self) -> Option<f64> {
        let seconds = self.last?.checked_sub(self.second?)?.as_secs_f64();
        (self.pictures > 2 && seconds > 0.0).then(|| (self.pictures - 2) as f64 / seconds)
    }

    /// The longest time from one key frame to the next, and whether it has ended: the present one may be longer still.
    pub fn between_keys(&self) -> Option<(Duration, bool)> {
        let going_on = self.last?.checked_sub(self.last_key?)?;
        match self.farthest_keys {
            Some(farthest) if farthest >= going_on => Some((farthest, true)),
            _ => Some((going_on, false)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(pictures: impl IntoIterator<Item = (bool, u64)>) -> Stream {
        let mut stream = Stream::default();
        for (is_key, milliseconds) in pictures {
            stream.came(is_key, Duration::from_millis(milliseconds));
        }
        stream
    }

    #[test]
    fn pictures_are_counted_over_their_own_time() {
        assert_eq!(seen([]).rate(), None);
        assert_eq!(seen([(true, 0)]).rate(), None);
        assert_eq!(seen((0..=50).map(|n| (n == 0, n * 40))).rate(), Some(25.0));
        assert_eq!(seen([(true, 40), (false, 40)]).rate(), None, "no time went by");
        assert_eq!(seen([(true, 300), (false, 500), (false, 1000), (false, 1500)]).rate(), Some(2.0));
    }

    #[test]
    fn the_farthest_key_frames_count_and_those_that_did_not_come_yet() {
        let seconds = Duration::from_secs;
        assert_eq!(seen([(false, 0)]).between_keys(), None);
        assert_eq!(seen([(true, 0), (false, 3000)]).between_keys(), Some((seconds(3), false)));
        let stream = seen([(true, 0), (true, 4000), (true, 6000), (false, 7000)]);
        assert_eq!(stream.between_keys(), Some((seconds(4), true)));
        let stream = seen([(true, 0), (true, 2000), (false, 9000)]);
        assert_eq!(stream.between_keys(), Some((seconds(7), false)));
    }

    #[test]
    fn a_size_that_is_known_is_not_forgotten() {
        let size = Size { width: 640, height: 480 };
        let mut stream = Stream::default();
        stream.begins("video/x-h264", Some(size));
        stream.begins("video/x-h264", None);
        assert_eq!((stream.codec, stream.size), (Some("H.264"), Some(size)));
    }
}
