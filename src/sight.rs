//! Whether a camera sees: pictures that are black, covered, or the same again and again show nothing to answer from.
//!
//! Pure: frames carry their times. When in doubt a camera sees; the model knows how to say that it cannot tell.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use crate::frame::{Frame, Stamp};

/// Why the picture shows nothing to answer from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BlindReason {
    /// The picture is black.
    Black,
    /// Something covers the lens: one colour, and at most a soft light in it.
    Covered,
    /// The camera sends the same picture again and again.
    Frozen,
}

impl BlindReason {
    /// The stable code of the reason.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Black => "black",
            Self::Covered => "covered",
            Self::Frozen => "frozen",
        }
    }
}

/// Cells across and down. Their means are free of the sensor's noise, and a person is still several cells high.
const CELLS: (usize, usize) = (32, 24);

/// The strongest edges are hot pixels and their like; the eighth strongest is part of a thing that is there. A lamp in
/// the night that is two cells wide and high has eight.
const EDGE_RANK: usize = 8;

/// Weaker edges than this, in grey levels, are noise.
///
/// Measured at 384x288 on the street footage and the photographs of `tests/footage`, darkened to a twentieth with noise of
/// 2 grey levels a pixel: the weakest of 125 has 1.9. Black with noise of 1 has 0.3 at most, coded black 0.8.
const NOISE_EDGE: f64 = 1.2;

/// Weaker edges than this fraction of the picture's brightness are no things but light on a cloth or a hand.
///
/// Measured on the same pictures: as they are, and darkened to a third, a tenth and a twentieth, the edges are 0.27 of the
/// brightness or more; out of focus 0.14; covered as `models/export` spoils pictures 0.03 or less, and never above 0.05
/// where the light falls three times as sharply.
const SOFT_EDGE: f64 = 0.05;

/// Pictures without edges are black below this brightness in grey levels, and else covered. Black is 16 where a camera
/// sends a smaller range than it says.
const BLACK: f64 = 32.0;

/// How much of a grey level is red, green and blue, in 256ths. Edges of colour alone do not count: coding makes some where
/// there are none.
const GREY: [u32; 3] = [77, 150, 29];

/// That few equal pictures prove nothing, however long they took to come.
const FROZEN_FRAMES: u32 = 3;

/// Frames whose statistics are kept, several windows' worth.
const KEPT: usize = 256;

/// A picture in two numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Statistics {
    /// The mean grey level, 0 to 255.
    pub brightness: f64,
    /// How much neighbouring parts of the picture differ where they differ most, in grey levels.
    pub edge: f64,
}

impl Statistics {
    /// Those of a frame; looks at each pixel once.
    pub fn of(frame: &Frame) -> Self {
        let (width, height) = (frame.size.width as usize, frame.size.height as usize);
        let (across, down) = (CELLS.0.min(width), CELLS.1.min(height));
        let mut cells = vec![0_u64; across * down];
        for (y, row) in frame.pixels.chunks_exact((width * 3).max(1)).enumerate().take(height) {
            let line = &mut cells[y * down / height * across..][..across];
            for (column, sum) in line.iter_mut().enumerate() {
                let (begin, end) = (bound(column, width, across), bound(column + 1, width, across));
                let pixels = row[begin * 3..end * 3].as_chunks::<3>().0;
                let grey =
                    |[r, g, b]: &[u8; 3]| GREY[0] * u32::from(*r) + GREY[1] * u32::from(*g) + GREY[2] * u32::from(*b);
                *sum += u64::from(pixels.iter().map(grey).sum::<u32>());
            }
        }
        let mean = |cell: usize| {
            let (column, line) = (cell % across, cell / across);
            let wide = bound(column + 1, width, across) - bound(column, width, across);
            let high = bound(line + 1, height, down) - bound(line, height, down);
            cells[cell] as f64 / (256 * wide * high) as f64
        };
        let means: Vec<f64> = (0..cells.len()).map(mean).collect();
        let aside =
            (0..means.len()).filter(|cell| cell % across + 1 < across).map(|cell| means[cell] - means[cell + 1]);
        let below = (across..means.len()).map(|cell| means[cell] - means[cell - across]);
        let mut edges: Vec<f64> = aside.chain(below).map(f64::abs).collect();
        edges.sort_by(|a, b| b.total_cmp(a));
        Self {
            brightness: means.iter().sum::<f64>() / means.len().max(1) as f64,
            edge: edges.get(EDGE_RANK - 1).or(edges.last()).copied().unwrap_or(0.0),
        }
    }

    /// Why such a picture shows nothing, if so.
    pub fn blind(&self) -> Option<BlindReason> {
        let has_things = self.edge >= NOISE_EDGE.max(SOFT_EDGE * self.brightness);
        (!has_things).then_some(if self.brightness < BLACK { BlindReason::Black } else { BlindReason::Covered })
    }
}

/// The first pixel of a cell; `y * cells / length` names the same cell for each of its pixels.
const fn bound(cell: usize, length: usize, cells: usize) -> usize {
    (cell * length).div_ceil(cells)
}

/// A row of equal pictures.
#[derive(Debug)]
struct Row {
    newest: Arc<Frame>,
    since: Stamp,
    frames: u32,
}

/// Watches the frames of one camera, and says of a window whether it shows anything.
#[derive(Debug)]
pub struct Sight {
    frozen_after: Option<Duration>,
    row: Option<Row>,
    /// By the frames' numbers; only of frames that a window held.
    known: BTreeMap<u64, Statistics>,
}

impl Sight {
    /// Equal pictures are frozen once they have come for so long; `None`: never.
    pub const fn new(frozen_after: Option<Duration>) -> Self {
        Self { frozen_after, row: None, known: BTreeMap::new() }
    }

    /// Takes the next frame. Live pictures differ in their first pixels, so this is next to nothing.
    pub fn take(&mut self, frame: &Arc<Frame>) {
        let row = self.row.take().filter(|row| row.newest.size == frame.size && row.newest.pixels == frame.pixels);
        let (since, frames) = row.map_or((frame.taken, 1), |row| (row.since, row.frames.saturating_add(1)));
        self.row = Some(Row { newest: Arc::clone(frame), since, frames });
    }

    /// Why these frames, the newest last, show nothing to answer from, if so: each of them must.
    pub fn judge<'a>(&mut self, frames: impl IntoIterator<Item = &'a Arc<Frame>> + Clone) -> Option<BlindReason> {
        let newest = frames.clone().into_iter().last()?;
        let oldest = frames.clone().into_iter().next()?;
        let mut reason = None;
        for frame in frames {
            // The newest picture's reason is the one that holds now.
            reason = self.statistics(frame).blind();
            if reason.is_none() {
                break;
            }
        }
        reason.or_else(|| self.is_frozen(oldest, newest).then_some(BlindReason::Frozen))
    }

    fn is_frozen(&self, oldest: &Frame, newest: &Frame) -> bool {
        let (Some(after), Some(row)) = (self.frozen_after, &self.row) else { return false };
        row.frames >= FROZEN_FRAMES && oldest.taken >= row.since && newest.taken.since(row.since) >= after
    }

    fn statistics(&mut self, frame: &Arc<Frame>) -> Statistics {
        while self.known.len() > KEPT {
            self.known.pop_first();
        }
        *self.known.entry(frame.number).or_insert_with(|| Statistics::of(frame))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Size;

    const SIZE: Size = Size { width: 384, height: 288 };

    /// Enough where it is about sameness, not about what is seen.
    const SMALL: Size = Size { width: 96, height: 72 };

    /// A frame whose pixels are a function of their place.
    fn frame(number: u64, second: u64, size: Size, pixel: impl Fn(u32, u32) -> [u8; 3]) -> Arc<Frame> {
        let places = (0..size.height).flat_map(|y| (0..size.width).map(move |x| (x, y)));
        let pixels: Vec<u8> = places.flat_map(|(x, y)| pixel(x, y)).collect();
        let taken = Stamp::after_origin(Duration::from_secs(second));
        Arc::new(Frame { number, taken, size, pixels: pixels.into() })
    }

    /// A noise of a few grey levels, the same for the same seed.
    fn noise(seed: u64, most: u8) -> impl Fn(u32, u32) -> u8 {
        move |x, y| {
            let place = u64::from(y * SIZE.width + x) + 1;
            let mixed = (place.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ seed).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            (mixed >> 40) as u8 % (most + 1)
        }
    }

    fn blind(pixel: impl Fn(u32, u32) -> [u8; 3]) -> Option<BlindReason> {
        Statistics::of(&frame(0, 0, SIZE, pixel)).blind()
    }

    #[test]
    fn what_is_black_or_covered_is_told_from_what_is_dark_or_quiet() {
        let grain = noise(7, 4);
        assert_eq!(blind(|_, _| [0; 3]), Some(BlindReason::Black));
        assert_eq!(blind(|x, y| [grain(x, y) / 2; 3]), Some(BlindReason::Black), "black with noise");
        assert_eq!(blind(|_, _| [190, 140, 115]), Some(BlindReason::Covered));
        let lit = |x: u32, y: u32| (x / 32 + y / 32) as u8;
        let hand = |x, y| [140 + lit(x, y), 100 + lit(x, y), 80 + lit(x, y)].map(|value| value + grain(x, y));
        assert_eq!(blind(hand), Some(BlindReason::Covered), "a hand with the light falling on it");
        assert_eq!(blind(|x, _| [if x < 160 { 100 } else { 130 }; 3]), None, "a wall and a door");
        // as dark as this nobody would notice the dial of a clock; a post is seen still
        let night = |x, y| [if (120..160).contains(&x) { 9 } else { 4 } + grain(x, y); 3];
        assert_eq!(blind(night), None, "a post in the night, with noise");
        let lamp = |x, y| [if x / 24 == 5 && y / 24 == 5 { 200 } else { grain(x, y) }; 3];
        assert_eq!(blind(lamp), None, "a lamp in the night");
        let hot = |x, y| [if (x, y) == (200, 120) { 255 } else { grain(x, y) / 2 }; 3];
        assert_eq!(blind(hot), Some(BlindReason::Black), "a hot pixel is no thing");
        // what coding makes of black: another colour here and there, and not quite zero
        let coded = |x, y| if (x / 16 + y / 16) % 3 == 0 { [16; 3] } else { [18, 15, 17] };
        assert_eq!(blind(coded), Some(BlindReason::Black));
    }

    #[test]
    fn a_picture_of_a_pixel_has_statistics_too() {
        let frame = |size: Size, pixels: Vec<u8>| Frame {
            number: 0,
            taken: Stamp::after_origin(Duration::ZERO),
            size,
            pixels: pixels.into(),
        };
        let one = Statistics::of(&frame(Size { width: 1, height: 1 }, vec![30, 60, 90]));
        assert_eq!(one, Statistics { brightness: 54.375, edge: 0.0 });
        // sizes that cells do not divide: each pixel counts once
        let odd = Statistics::of(&frame(Size { width: 101, height: 53 }, vec![77; 101 * 53 * 3]));
        assert_eq!(odd, Statistics { brightness: 77.0, edge: 0.0 });
        assert_eq!(Statistics::of(&frame(Size { width: 0, height: 0 }, Vec::new())).edge, 0.0);
    }

    fn street(number: u64, second: u64, seed: u64) -> Arc<Frame> {
        let grain = noise(seed, 2);
        frame(number, second, SMALL, move |x, y| [(x / 16 * 32) as u8 + grain(x, y); 3])
    }

    #[test]
    fn a_window_is_blind_only_where_each_of_its_frames_is() {
        let mut sight = Sight::new(None);
        let (seen, black) = (street(0, 0, 1), frame(1, 1, SMALL, |_, _| [0; 3]));
        let covered = frame(2, 2, SMALL, |_, _| [90; 3]);
        for (frames, expected) in [
            (vec![&seen], None),
            (vec![&seen, &black], None),
            (vec![&black, &seen], None),
            (vec![&black], Some(BlindReason::Black)),
            (vec![&black, &covered], Some(BlindReason::Covered)),
            (vec![], None),
        ] {
            assert_eq!(sight.judge(frames.iter().copied()), expected, "{frames:?}");
        }
    }

    /// Judges windows of three frames, one a second, whose pictures have these seeds.
    fn frozen(after: Option<u64>, seeds: &[u64]) -> Vec<bool> {
        let mut sight = Sight::new(after.map(Duration::from_secs));
        let frames: Vec<_> = (0..).zip(seeds).map(|(number, &seed)| street(number, number, seed)).collect();
        let judged = (0..frames.len()).map(|newest| {
            sight.take(&frames[newest]);
            sight.judge(&frames[newest.saturating_sub(2)..=newest]) == Some(BlindReason::Frozen)
        });
        judged.collect()
    }

    #[test]
    fn pictures_are_frozen_when_they_are_the_same_to_the_last_bit_for_long_enough() {
        let (yes, no) = (true, false);
        assert_eq!(frozen(Some(4), &[1, 1, 1, 1, 1, 1]), [no, no, no, no, yes, yes]);
        // one other picture, and it begins anew
        assert_eq!(frozen(Some(4), &[1, 1, 1, 1, 2, 2, 2, 2, 2]), [no, no, no, no, no, no, no, no, yes]);
        // a still photograph with the sensor's noise on it
        assert_eq!(frozen(Some(2), &[1, 2, 3, 4, 5, 6]), [no; 6]);
        assert_eq!(frozen(None, &[1; 6]), [no; 6]);
        // two pictures prove nothing, and each frame of the window must be one of them
        assert_eq!(frozen(Some(1), &[1, 1, 1]), [no, no, yes]);
        assert_eq!(frozen(Some(1), &[2, 1, 1, 1]), [no, no, no, yes]);
    }

    #[test]
    fn a_frame_is_looked_at_once() {
        let mut sight = Sight::new(None);
        let first = street(5, 0, 1);
        assert_eq!(sight.judge([&first]), None);
        // another picture of the same number would be a mistake elsewhere; here it shows that nothing is done twice
        let impostor = frame(5, 0, SMALL, |_, _| [0; 3]);
        assert_eq!(sight.judge([&impostor]), None);
    }
}
