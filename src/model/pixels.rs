//! Frames on the model's canvas: the input `pixels` of both encoders.

use std::sync::Arc;

use super::{Error, Fit, manifest::Vision, runtime::Tensor};
use crate::frame::{Frame, Size};

/// What a picture leaves free where a manifest names no colour.
const BLACK: [u8; 3] = [0; 3];

/// `pixels` `[frames, H, W, 3]`. A frame that keeps its proportions may be smaller than the canvas: it lies where `fit` says, and
/// the padding's colour is around it.
pub(super) fn pixels(vision: &Vision, frames: &[Arc<Frame>]) -> Result<Tensor, Error> {
    let dims = [frames.len(), vision.height as usize, vision.width as usize, 3];
    Tensor::bytes(&dims, canvases(vision, frames)?)
}

fn canvases(vision: &Vision, frames: &[Arc<Frame>]) -> Result<Vec<u8>, Error> {
    let (width, height) = (vision.width as usize, vision.height as usize);
    let mut pixels = Vec::with_capacity(frames.len() * width * height * 3);
    for frame in frames {
        let Size { width: wide, height: high } = frame.size;
        let may_be_smaller = matches!(vision.fit, Fit::Letterbox | Fit::LetterboxTopleft);
        let fits = wide == vision.width && high == vision.height
            || may_be_smaller && (1..=vision.width).contains(&wide) && (1..=vision.height).contains(&high);
        if !fits || frame.pixels.len() != wide as usize * high as usize * 3 {
            let most = if may_be_smaller { " at most" } else { "" };
            return Err(Error::request(format!(
                "a frame is {wide}x{high} ({} bytes), and the model takes {width}x{height}{most}",
                frame.pixels.len()
            )));
        }
        place(vision, frame, &mut pixels);
    }
    Ok(pixels)
}

/// Appends a canvas with a frame on it.
fn place(vision: &Vision, frame: &Frame, pixels: &mut Vec<u8>) {
    if frame.size == (Size { width: vision.width, height: vision.height }) {
        return pixels.extend_from_slice(&frame.pixels);
    }
    let free = [vision.width - frame.size.width, vision.height - frame.size.height].map(|free| free as usize);
    let [left, above] = if vision.fit == Fit::Letterbox { free.map(|free| free / 2) } else { [0; 2] };
    let [right, below] = [free[0] - left, free[1] - above];
    let padding = vision.canvas.as_ref().map_or(BLACK, |canvas| canvas.padding);
    let pad = |pixels: &mut Vec<u8>, many: usize| pixels.extend(std::iter::repeat_n(padding, many).flatten());
    pad(pixels, above * vision.width as usize);
    for row in frame.pixels.chunks_exact(frame.size.width as usize * 3) {
        pad(pixels, left);
        pixels.extend_from_slice(row);
        pad(pixels, right);
    }
    pad(pixels, below * vision.width as usize);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        frame::Stamp,
        model::manifest::{Canvas, Resize},
    };

    fn vision(fit: Fit) -> Vision {
        let canvas = Canvas { tiles: [1, 1], resize: Resize::BilinearAntialias, padding: [9, 8, 7], multiple: 1 };
        Vision { width: 4, height: 3, fit, canvas: Some(canvas), tokens: 1, dim: 1 }
    }

    fn frame(width: u32, height: u32) -> Arc<Frame> {
        let pixels = vec![1; (width * height * 3) as usize].into();
        Arc::new(Frame { number: 0, taken: Stamp::after_origin(Duration::ZERO), size: Size { width, height }, pixels })
    }

    /// The first colour of each pixel of the last of the frames, a row a text.
    fn placed(fit: Fit, frames: &[Arc<Frame>]) -> Result<Vec<String>, String> {
        let bytes = canvases(&vision(fit), frames).map_err(|error| error.to_string())?;
        assert_eq!(bytes.len(), frames.len() * 36);
        let last = &bytes[bytes.len() - 36..];
        Ok(last.chunks(12).map(|row| row.chunks(3).map(|pixel| pixel[0].to_string()).collect()).collect())
    }

    #[test]
    fn a_frame_lies_where_the_model_expects_it_with_the_padding_around() {
        let both = [frame(4, 3), frame(2, 2)];
        assert_eq!(placed(Fit::LetterboxTopleft, &both).unwrap(), ["1199", "1199", "9999"]);
        assert_eq!(placed(Fit::Letterbox, &both).unwrap(), ["9119", "9119", "9999"]);
        assert_eq!(placed(Fit::Letterbox, &[frame(4, 1)]).unwrap(), ["9999", "1111", "9999"]);
        for fit in [Fit::Stretch, Fit::Letterbox, Fit::LetterboxTopleft, Fit::Crop] {
            assert_eq!(placed(fit, &both[..1]).unwrap(), ["1111"; 3]);
        }
    }

    #[test]
    fn a_frame_of_another_size_is_refused() {
        for (fit, frame, says) in [
            (Fit::Stretch, frame(2, 2), "a frame is 2x2 (12 bytes), and the model takes 4x3"),
            (Fit::Crop, frame(5, 3), "a frame is 5x3 (45 bytes), and the model takes 4x3"),
            (Fit::Letterbox, frame(5, 3), "the model takes 4x3 at most"),
            (Fit::LetterboxTopleft, frame(0, 0), "the model takes 4x3 at most"),
        ] {
            let error = placed(fit, &[frame]).unwrap_err();
            assert!(error.contains(says), "{fit:?}: {error}");
        }
        let short = Arc::new(Frame { pixels: vec![1; 5].into(), ..Frame::clone(&frame(4, 3)) });
        assert!(placed(Fit::Stretch, &[short]).unwrap_err().contains("(5 bytes)"));
    }
}
