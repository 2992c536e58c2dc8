//! What a camera's picture is brought to: which size, with which proportions, by which filter. Pure.

use crate::frame::Size;

/// What a picture is brought to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Canvas {
    /// The most that a frame measures.
    pub size: Size,
    /// How a picture of another shape is brought to it.
    pub fit: Fit,
    /// How it is scaled.
    pub filter: Filter,
}

impl From<Size> for Canvas {
    fn from(size: Size) -> Self {
        Self { size, fit: Fit::Stretch, filter: Filter::Bilinear }
    }
}

/// How a picture of another shape is brought to the canvas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// Both sides on their own; shapes change.
    Stretch,
    /// Whole and with its proportions, as large as the canvas lets it be. What it leaves free is no part of the frame.
    Inside {
        /// A smaller picture is enlarged only until one of its sides is as long as this one's.
        least: Size,
    },
    /// The middle, with its proportions and as large as fits.
    Crop,
}

/// How pictures are scaled: each pixel out of all that it takes the place of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filter {
    /// Linear, as the descriptions have it.
    Bilinear,
    /// Cubic (Catmull-Rom, a = -0.5), whatever the description says.
    Bicubic,
}

impl Filter {
    /// The name that GStreamer's `videoscale` has for it.
    pub(super) const fn method(self) -> &'static str {
        match self {
            Self::Bilinear => "bilinear2",
            Self::Bicubic => "catrom",
        }
    }
}

impl Canvas {
    /// What a picture (in square pixels) is scaled to: of `Crop` more than the canvas, of `Inside` often less.
    ///
    /// `Inside` is `get_image_size_fit_to_canvas` of transformers' image processor for Llama-3.2-Vision, `Crop` is the
    /// `Resize` of torchvision that stands before a `CenterCrop`: both round down.
    pub(super) fn scaled(&self, picture: Size) -> Size {
        let Size { width, height } = self.size;
        let [across, down] = [picture.width, picture.height].map(|side| f64::from(side.max(1)));
        let part = |side: f64, scale: f64, most: u32| ((side * scale) as u32).clamp(1, most);
        match self.fit {
            Fit::Stretch => self.size,
            Fit::Inside { least } => {
                let wide = picture.width.clamp(least.width.min(width), width);
                let high = picture.height.clamp(least.height.min(height), height);
                let (by_width, by_height) = (f64::from(wide) / across, f64::from(high) / down);
                if by_width < by_height {
                    Size { width: wide, height: part(down, by_width, high) }
                } else {
                    Size { width: part(across, by_height, wide), height: high }
                }
            }
            Fit::Crop if f64::from(width) / across > f64::from(height) / down => {
                Size { width, height: part(down * f64::from(width), 1.0 / across, u32::MAX).max(height) }
            }
            Fit::Crop => Size { width: part(across * f64::from(height), 1.0 / down, u32::MAX).max(width), height },
        }
    }

    /// The frame of a picture that was scaled: the picture itself, of `Crop` its middle. The error says what is wrong with
    /// its size.
    pub(super) fn cut(&self, picture: Size, pixels: Vec<u8>) -> Result<(Size, Vec<u8>), String> {
        let Size { width, height } = self.size;
        let expected = match self.fit {
            Fit::Stretch => picture == self.size,
            Fit::Inside { .. } => picture.width <= width && picture.height <= height,
            Fit::Crop => picture.width >= width && picture.height >= height,
        };
        if !expected {
            let Size { width: had, height: high } = picture;
            return Err(format!("a picture of {had}x{high} came out of it, which does not go with {width}x{height}"));
        }
        if self.fit != Fit::Crop || picture == self.size {
            return Ok((picture, pixels));
        }
        let [left, top] = [picture.width - width, picture.height - height]
            .map(|spare| (f64::from(spare) / 2.0).round_ties_even() as usize);
        let (row, from) = (picture.width as usize * 3, left * 3..(left + width as usize) * 3);
        let rows = pixels.chunks_exact(row).skip(top).take(height as usize);
        Ok((self.size, rows.flat_map(|row| &row[from.clone()]).copied().collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn size(width: u32, height: u32) -> Size {
        Size { width, height }
    }

    const fn canvas(width: u32, height: u32, fit: Fit) -> Canvas {
        Canvas { size: size(width, height), fit, filter: Filter::Bilinear }
    }

    /// What transformers 5.23 says for tiles of 560 pixels.
    #[test]
    fn a_picture_inside_is_as_large_as_the_processor_of_llama_3_2_vision_makes_it() {
        for (picture, tiles, expected) in [
            (size(1920, 1080), (1, 2), size(995, 560)),
            (size(1280, 720), (1, 1), size(560, 315)),
            (size(1280, 720), (2, 2), size(1120, 630)),
            (size(640, 360), (1, 2), size(640, 360)),
            (size(704, 576), (1, 2), size(684, 560)),
            (size(352, 288), (1, 2), size(560, 458)),
            (size(320, 180), (2, 2), size(560, 315)),
            (size(1080, 1920), (1, 2), size(315, 560)),
            (size(500, 375), (2, 2), size(560, 420)),
            (size(561, 1), (1, 2), size(561, 1)),
        ] {
            let canvas = canvas(560 * tiles.1, 560 * tiles.0, Fit::Inside { least: size(560, 560) });
            let scaled = canvas.scaled(picture);
            assert_eq!(scaled, expected, "{picture:?} on {tiles:?}");
            assert_eq!(canvas.scaled(scaled), scaled, "{picture:?}: what was brought to it stays as it is");
        }
    }

    #[test]
    fn without_tiles_a_picture_inside_reaches_two_sides_of_the_canvas() {
        let canvas = canvas(224, 224, Fit::Inside { least: size(224, 224) });
        for (picture, expected) in [
            (size(1280, 720), size(224, 125)), // 126 in whole numbers; the processor of transformers finds 125, too
            (size(100, 50), size(224, 112)),
            (size(50, 100), size(112, 224)),
            (size(0, 0), size(224, 224)),
        ] {
            assert_eq!(canvas.scaled(picture), expected, "{picture:?}");
        }
    }

    #[test]
    fn of_a_picture_that_is_cropped_the_middle_is_left() {
        let square = canvas(224, 224, Fit::Crop);
        for (picture, expected) in [
            (size(1280, 720), size(398, 224)),
            (size(720, 1280), size(224, 398)),
            (size(640, 480), size(298, 224)),
            (size(224, 224), size(224, 224)),
            (size(10, 9), size(248, 224)),
        ] {
            assert_eq!(square.scaled(picture), expected, "{picture:?}");
        }
        let small = canvas(2, 1, Fit::Crop);
        let pixels: Vec<u8> = (0..3 * 5).flat_map(|place| [place; 3]).collect();
        // of five columns and three rows: 1.5 is spare on the left, and a half goes to the even side
        let (cut, middle) = small.cut(size(5, 3), pixels).unwrap();
        assert_eq!((cut, middle), (size(2, 1), [[7; 3], [8; 3]].concat()));
    }

    #[test]
    fn a_picture_of_another_size_than_was_asked_for_is_an_error() {
        let inside = Fit::Inside { least: size(4, 4) };
        for (fit, picture, is_right) in [
            (Fit::Stretch, size(4, 4), true),
            (Fit::Stretch, size(4, 3), false),
            (inside, size(4, 3), true),
            (inside, size(5, 3), false),
            (Fit::Crop, size(5, 4), true),
            (Fit::Crop, size(5, 3), false),
        ] {
            let pixels = vec![0; picture.width as usize * picture.height as usize * 3];
            let cut = canvas(4, 4, fit).cut(picture, pixels);
            assert_eq!(cut.is_ok(), is_right, "{fit:?} {picture:?}: {cut:?}");
        }
    }
}
