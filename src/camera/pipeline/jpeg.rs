//! A frame as a JPEG file, by GStreamer's encoder.

use gstreamer as gst;

use crate::frame::Frame;

/// So long may it take; a few milliseconds are usual.
const WITHIN: gst::ClockTime = gst::ClockTime::from_seconds(2);

/// Why there is no JPEG of a frame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the picture cannot be written as JPEG: {0}")]
pub struct JpegError(String);

/// Encodes a frame as JPEG. Blocks.
pub fn jpeg(frame: &Frame) -> Result<Vec<u8>, JpegError> {
    let wrong = |reason: &dyn std::fmt::Display| JpegError(reason.to_string());
    gst::init().map_err(|error| wrong(&error))?;
    let (width, height) = (frame.size.width, frame.size.height);
    let info = gstreamer_video::VideoInfo::builder(gstreamer_video::VideoFormat::Rgb, width, height)
        .fps(gst::Fraction::new(1, 1))
        .build();
    let info = info.map_err(|error| wrong(&error))?;
    let caps = info.to_caps().map_err(|error| wrong(&error))?;
    // GStreamer's rows begin at multiples of four bytes
    let (row, stride) = (width as usize * 3, info.stride()[0].unsigned_abs() as usize);
    let mut padded = vec![0; info.size()];
    for (from, to) in frame.pixels.chunks_exact(row).zip(padded.chunks_exact_mut(stride)) {
        to[..row].copy_from_slice(from);
    }
    let sample = gst::Sample::builder().buffer(&gst::Buffer::from_slice(padded)).caps(&caps).build();
    let wanted = gst::Caps::builder("image/jpeg").build();
    let encoded =
        gstreamer_video::convert_sample(&sample, &wanted, Some(WITHIN)).map_err(|error| wrong(&error.message()))?;
    let buffer = encoded.buffer().ok_or_else(|| wrong(&"the encoder gave nothing"))?;
    Ok(buffer.map_readable().map_err(|error| wrong(&error))?.to_vec())
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use super::*;
    use crate::{
        camera::still,
        frame::{Size, Stamp},
    };

    #[test]
    fn a_frame_of_any_width_is_what_it_was_but_for_the_coding() {
        for width in [64, 63, 62] {
            let size = Size { width, height: 48 };
            let halves =
                (0..width * 48).flat_map(|place| if place % width < width / 2 { [200, 30, 30] } else { [20, 40, 220] });
            let pixels: Arc<[u8]> = halves.collect();
            let frame = Frame { number: 0, taken: Stamp::after_origin(Duration::ZERO), size, pixels: pixels.clone() };
            let file = jpeg(&frame).unwrap();
            assert!(file.starts_with(b"\xff\xd8\xff"), "a JPEG file");
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("frame.jpg");
            std::fs::write(&path, file).unwrap();
            let again = still(&path, size).unwrap().pixels;
            let far = pixels.iter().zip(again.iter()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum::<u64>();
            assert!(far < 8 * pixels.len() as u64, "{} of 255 on average", far as f64 / pixels.len() as f64);
        }
    }
}
