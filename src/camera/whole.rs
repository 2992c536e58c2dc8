//! Which coded pictures a decoder is given, and which of what it makes of them are whole.
//!
//! Pure. After something was lost or damaged nothing before the next key frame is whole, and decoders show it
//! nevertheless; what they were given before the damage may come out after it.

use std::time::Duration;

use crate::frame::Stamp;

/// Where only key frames are decoded, they may lie this many times as far apart as frames are wanted.
pub const KEYS_STRETCHED: f64 = 1.5;

/// One coded picture on its way to the decoder.
#[derive(Debug, Clone, Copy)]
pub(super) struct Coded {
    /// Whether it stands for itself.
    pub(super) is_key: bool,
    /// Whether the stream was interrupted before it.
    pub(super) is_interrupted: bool,
    /// Holes in the numbers of packets so far.
    pub(super) losses: u64,
    pub(super) pts: Option<Duration>,
    pub(super) arrival: Stamp,
}

/// Stands around one decoder.
#[derive(Debug)]
pub(super) struct Whole {
    /// The wish for key frames alone, and how far apart they may then be; zero is any distance.
    key_frames_only: Option<Duration>,
    awaits_key: bool,
    /// What comes out with an earlier time than this was given to the decoder before the damage.
    good_from: Option<Duration>,
    known_losses: u64,
    last_key: Option<Stamp>,
    keys_are_rare: bool,
    withheld: u64,
}

impl Whole {
    /// Around a decoder of a stream that begins. `key_frames_only` says how often frames are wanted, where key frames
    /// alone are to be decoded.
    pub(super) fn new(key_frames_only: Option<Duration>) -> Self {
        Self {
            key_frames_only: key_frames_only.map(|wanted| wanted.mul_f64(KEYS_STRETCHED)),
            // Nothing is whole before the first key frame.
            awaits_key: true,
            good_from: None,
            known_losses: 0,
            last_key: None,
            keys_are_rare: false,
            withheld: 0,
        }
    }

    /// Whether to give it to the decoder.
    pub(super) fn admits(&mut self, coded: Coded) -> bool {
        // The flag says where the stream was interrupted, the count whether anything is missing: a stream that begins
        // is interrupted, too.
        if coded.is_interrupted && std::mem::replace(&mut self.known_losses, coded.losses) != coded.losses {
            self.awaits_key = true;
        }
        if !coded.is_key {
            let wanted = self.key_frames_only.is_none() || self.keys_are_rare;
            let has_begun = self.last_key.is_some();
            self.withheld += u64::from(wanted && has_begun && self.awaits_key);
            return wanted && !self.awaits_key;
        }
        if std::mem::take(&mut self.awaits_key) {
            self.good_from = coded.pts;
        }
        if let (Some(longest), Some(last)) = (self.key_frames_only.filter(|longest| !longest.is_zero()), self.last_key)
        {
            // Known only now, at a key frame: what came since the last one was not decoded, and what comes can be.
            self.keys_are_rare = coded.arrival.since(last) > longest;
        }
        self.last_key = Some(coded.arrival);
        true
    }

    /// What the decoder was given last is damaged.
    pub(super) const fn damaged(&mut self) {
        self.awaits_key = true;
    }

    /// Whether a picture that comes out of the decoder is whole.
    pub(super) fn releases(&mut self, pts: Option<Duration>) -> bool {
        if self.awaits_key || pts.zip(self.good_from).is_some_and(|(pts, from)| pts < from) {
            self.withheld += 1;
            return false;
        }
        self.good_from = None;
        true
    }

    /// How many pictures were kept back so far, for what was lost or damaged.
    pub(super) const fn withheld(&self) -> u64 {
        self.withheld
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: bool = true;
    const DELTA: bool = false;

    fn coded(is_key: bool, ms: u64) -> Coded {
        let time = Duration::from_millis(ms);
        let arrival = Stamp::after_origin(time);
        Coded { is_key, is_interrupted: false, losses: 0, pts: Some(time), arrival }
    }

    fn released(whole: &mut Whole, ms: u64) -> bool {
        whole.releases(Some(Duration::from_millis(ms)))
    }

    #[test]
    fn nothing_is_whole_between_a_loss_and_the_next_key_frame() {
        let mut whole = Whole::new(None);
        assert!(!whole.admits(coded(DELTA, 0)), "a stream that begins in the middle");
        assert!(whole.admits(coded(KEY, 40)) && whole.admits(coded(DELTA, 80)));
        let interrupted = Coded { is_interrupted: true, ..coded(DELTA, 120) };
        assert!(whole.admits(interrupted), "interrupted, and nothing is missing");
        assert!(!whole.admits(Coded { losses: 1, ..interrupted }));
        assert!(!whole.admits(Coded { losses: 1, ..coded(DELTA, 160) }));
        assert!(whole.admits(Coded { losses: 1, ..coded(KEY, 200) }) && whole.admits(coded(DELTA, 240)));
        assert_eq!(whole.withheld(), 2, "what came before the first key frame was lost to nobody");
    }

    #[test]
    fn what_was_damaged_is_kept_back_also_when_it_comes_out_late() {
        let mut whole = Whole::new(None);
        assert!(whole.admits(coded(KEY, 0)) && released(&mut whole, 0));
        assert!(whole.admits(coded(DELTA, 40)));
        whole.damaged();
        assert!(!released(&mut whole, 40) && !whole.admits(coded(DELTA, 80)));
        assert!(whole.admits(coded(KEY, 120)));
        // The decoder puts pictures in order, and gives the damaged one only now.
        assert!(!released(&mut whole, 40) && released(&mut whole, 120));
        assert!(whole.admits(coded(DELTA, 160)) && released(&mut whole, 160));
        whole.damaged();
        assert!(whole.admits(coded(KEY, 200)));
        whole.damaged();
        assert!(!released(&mut whole, 200), "a key frame can be damaged, too");
        // A camera that sets its clock back is not shut out for long.
        assert!(whole.admits(coded(KEY, 10)) && released(&mut whole, 10) && released(&mut whole, 5));
    }

    #[test]
    fn key_frames_alone_are_decoded_while_they_come_often_enough() {
        let mut whole = Whole::new(Some(Duration::from_secs(1)));
        for second in [0, 1] {
            assert!(whole.admits(coded(KEY, second * 1000)) && !whole.admits(coded(DELTA, second * 1000 + 40)));
        }
        assert!(whole.admits(coded(KEY, 11_000)) && whole.admits(coded(DELTA, 11_040)), "ten seconds apart");
        assert!(whole.admits(coded(KEY, 12_000)) && !whole.admits(coded(DELTA, 12_040)));
        let mut any = Whole::new(Some(Duration::ZERO));
        assert!(any.admits(coded(KEY, 0)) && any.admits(coded(KEY, 60_000)) && !any.admits(coded(DELTA, 60_040)));
    }
}
