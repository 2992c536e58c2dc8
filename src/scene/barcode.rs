//! The barcode of drawn frames: which camera and which frame a picture is, readable after H.264 and scaling to 64x48.
//!
//! Pure. The strip is the top quarter of the picture: two rows of 16 equal cells over the full width, white for 1 and
//! black for 0. In reading order, most significant bit first in each field: 6 bits of camera, 20 bits of frame number,
//! 6 bits of checksum.

use super::Picture;
use crate::frame::Size;

const COLUMNS: u32 = 16;
const ROWS: u32 = 2;
/// A row of cells is this part of the picture's height.
const ROWS_IN_PICTURE: u32 = 8;
const CAMERA_BITS: u32 = 6;
const FRAME_BITS: u32 = 20;
const CHECK_BITS: u32 = 6;

/// Makes sure that neither an all-black nor an all-white strip is a barcode.
const CHECK_SALT: u32 = 0b10_1010;

/// What a barcode says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Barcode {
    camera: u8,
    frame: u32,
}

impl Barcode {
    /// Cameras are 0 to 63; frame numbers wrap after 2^20, which is 11 hours at 25 a second. Larger ones wrap, too.
    pub const fn new(camera: u8, frame: u64) -> Self {
        // The mask makes it fit.
        Self { camera: camera & ((1 << CAMERA_BITS) - 1), frame: (frame & ((1 << FRAME_BITS) - 1)) as u32 }
    }

    /// The camera's number.
    pub const fn camera(self) -> u8 {
        self.camera
    }

    /// The frame's number: it was taken at number / rate seconds.
    pub const fn frame(self) -> u32 {
        self.frame
    }

    const fn checksum(self) -> u32 {
        let frame = self.frame;
        let folded = frame ^ (frame >> 6) ^ (frame >> 12) ^ (frame >> 18);
        (self.camera as u32 ^ folded ^ CHECK_SALT) & ((1 << CHECK_BITS) - 1)
    }

    /// All cells as one word; the first cell is the most significant bit.
    const fn word(self) -> u32 {
        (self.camera as u32) << (FRAME_BITS + CHECK_BITS) | self.frame << CHECK_BITS | self.checksum()
    }

    const fn from_word(word: u32) -> Option<Self> {
        let barcode = Self::new((word >> (FRAME_BITS + CHECK_BITS)) as u8, (word >> CHECK_BITS) as u64);
        if barcode.word() == word { Some(barcode) } else { None }
    }

    /// Paints the strip over the top quarter of a picture.
    pub fn write(self, picture: &mut Picture) {
        let Size { width, height } = picture.size;
        let word = self.word();
        let row_bytes = width as usize * 4;
        for (y, line) in (0..height / (ROWS_IN_PICTURE / ROWS)).zip(picture.rgba.chunks_exact_mut(row_bytes)) {
            let row = y * ROWS_IN_PICTURE / height;
            for column in 0..COLUMNS {
                let is_white = word >> (COLUMNS * ROWS - 1 - (row * COLUMNS + column)) & 1 == 1;
                let (from, to) = (column * width / COLUMNS, (column + 1) * width / COLUMNS);
                let shade = if is_white { [255; 4] } else { [0, 0, 0, 255] };
                line[from as usize * 4..to as usize * 4].as_chunks_mut::<4>().0.fill(shade);
            }
        }
    }

    /// Reads the strip of a picture of RGB rows without padding, as frames have them; `None` where there is none, or a
    /// damaged one.
    pub fn read(rgb: &[u8], size: Size) -> Option<Self> {
        if rgb.len() != size.width as usize * size.height as usize * 3 {
            return None;
        }
        let mut word = 0;
        for row in 0..ROWS {
            for column in 0..COLUMNS {
                let columns = central_half(column, COLUMNS, size.width);
                let rows = central_half(row, ROWS_IN_PICTURE, size.height);
                word = word << 1 | u32::from(luma(rgb, size, columns, rows)? >= 128.0);
            }
        }
        Self::from_word(word)
    }
}

/// The pixels whose centres lie strictly inside the central half of cell `index` of `cells` along a side of `length`
/// pixels.
fn central_half(index: u32, cells: u32, length: u32) -> std::ops::Range<usize> {
    // A pixel's centre is at its number + 1/2.
    let edge = |quarters: u32| f64::from(4 * index + quarters) * f64::from(length) / f64::from(4 * cells) - 0.5;
    (edge(1).floor() + 1.0) as usize..edge(3).ceil() as usize
}

/// Mean luma of a part of an RGB picture; `None` when the part is empty.
fn luma(rgb: &[u8], size: Size, columns: std::ops::Range<usize>, rows: std::ops::Range<usize>) -> Option<f64> {
    let count = columns.len() * rows.len();
    let mut sum = 0.0;
    for y in rows {
        let line = rgb.get(y * size.width as usize * 3..)?;
        for pixel in line.get(columns.start * 3..columns.end * 3)?.as_chunks::<3>().0 {
            let [r, g, b] = pixel.map(f64::from);
            sum += 0.299 * r + 0.587 * g + 0.114 * b;
        }
    }
    (count > 0).then(|| sum / count as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rgb(picture: &Picture) -> Vec<u8> {
        picture.rgba.as_chunks::<4>().0.iter().flat_map(|[r, g, b, _]| [*r, *g, *b]).collect()
    }

    #[test]
    fn what_is_written_is_read_at_any_size() {
        for (width, height) in [(64, 48), (640, 480), (384, 256), (224, 224), (322, 243)] {
            let size = Size { width, height };
            for (camera, frame) in [(0, 0), (5, 1234), (63, (1 << 20) - 1), (1, 0), (2, 300_000)] {
                let mut picture = Picture::filled(size, [90, 120, 60]);
                let barcode = Barcode::new(camera, frame);
                barcode.write(&mut picture);
                assert_eq!(Barcode::read(&rgb(&picture), size), Some(barcode), "{size:?}");
            }
        }
    }

    #[test]
    fn the_layout_is_the_documented_one() {
        for (camera, frame, word) in
            [(0, 0, 0x0000_002A), (5, 1234, 0x1401_34AE), (63, 1_048_575, 0xFFFF_FFE9), (2, 300_000, 0x0924_F80F)]
        {
            assert_eq!(Barcode::new(camera, frame).word(), word);
        }
        assert_eq!(central_half(3, 16, 64), 13..15);
        assert_eq!(central_half(1, 8, 48), 8..10);
        assert_eq!(central_half(0, 16, 224), 4..10);
        assert_eq!(central_half(1, 8, 224), 35..49);
    }

    #[test]
    fn no_strip_is_no_barcode() {
        let size = Size { width: 64, height: 48 };
        for shade in [0, 127, 255] {
            assert_eq!(Barcode::read(&rgb(&Picture::filled(size, [shade; 3])), size), None);
        }
        let mut picture = Picture::filled(size, [0; 3]);
        Barcode::new(9, 77).write(&mut picture);
        // One cell flipped.
        picture.rgba[..4 * 4].fill(255);
        for y in 0..6 {
            picture.rgba[y * 64 * 4..][..4 * 4].fill(255);
        }
        assert_eq!(Barcode::read(&rgb(&picture), size), None);
        assert_eq!(Barcode::read(&[0; 10], size), None);
    }
}
