//! A picture file as a camera's pipeline would give it: scaled and converted by the same elements.

use std::{path::Path, sync::Arc, time::Duration};

use gstreamer::{self as gst, prelude::*};
use gstreamer_app::AppSink;

use super::{Owned, frames::pixels};
use crate::frame::{Size, Stamp};

/// A picture that is not decoded by then is none.
const DECODE_WITHIN: Duration = Duration::from_secs(20);

/// How long one look at the appsink waits before the bus is asked what is wrong.
const LOOK_AGAIN: gst::ClockTime = gst::ClockTime::from_mseconds(20);

/// Why a file is no picture.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{file}` cannot be decoded as a picture: {reason}")]
pub struct StillError {
    /// The file.
    pub file: String,
    /// What GStreamer said.
    pub reason: String,
}

/// Decodes a PNG or JPEG file to RGB of this size, as a camera's picture is brought to it: stretched, with the filter of
/// the pipelines. A picture of that size comes out as it is.
///
/// Blocks, and takes long the first time (GStreamer reads its plugins).
pub fn still(file: &Path, size: Size) -> Result<Arc<[u8]>, StillError> {
    decode(file, size).map_err(|reason| StillError { file: file.display().to_string(), reason })
}

fn decode(file: &Path, Size { width, height }: Size) -> Result<Arc<[u8]>, String> {
    gst::init().map_err(|error| error.to_string())?;
    let text = format!(
        "filesrc name=source ! decodebin force-sw-decoders=true ! videoscale method=bilinear2 add-borders=false \
         ! video/x-raw,width={width},height={height} ! videoconvert n-threads=1 ! video/x-raw,format=RGB \
         ! appsink name=frames sync=false"
    );
    let pipeline = gst::parse::launch(&text).map_err(|error| error.message().to_owned())?;
    let pipeline = pipeline.downcast::<gst::Pipeline>().map_err(|_| "it is not one pipeline")?;
    let owned = Owned(pipeline);
    let pipeline = &owned.0;
    let source = pipeline.by_name("source").ok_or("it has no source")?;
    source.set_property("location", file.as_os_str().to_str().ok_or("its path is not UTF-8")?);
    let sink = pipeline.by_name("frames").and_then(|sink| sink.downcast::<AppSink>().ok()).ok_or("it has no sink")?;
    let bus = pipeline.bus().ok_or("it has no bus")?;
    let complaint = || {
        let message = bus.pop_filtered(&[gst::MessageType::Error])?;
        let gst::MessageView::Error(error) = message.view() else { return None };
        Some(error.error().message().trim_end_matches('.').to_owned())
    };
    // What went wrong, if it did, stands on the bus.
    pipeline.set_state(gst::State::Playing).map_err(|_| complaint().unwrap_or_else(|| "it cannot start".to_owned()))?;
    let deadline = Stamp::now().later_by(DECODE_WITHIN);
    loop {
        if let Some(sample) = sink.try_pull_sample(LOOK_AGAIN) {
            return pixels(&sample).map(|(_, pixels)| pixels.into());
        }
        if let Some(reason) = complaint() {
            return Err(reason);
        }
        if sink.is_eos() || Stamp::now() > deadline {
            return Err("no picture came of it".to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufWriter;

    use super::*;

    const SIZE: Size = Size { width: 24, height: 16 };

    fn png(folder: &Path, Size { width, height }: Size, pixels: &[u8]) -> std::path::PathBuf {
        let file = folder.join("picture.png");
        let mut encoder = png::Encoder::new(BufWriter::new(std::fs::File::create(&file).unwrap()), width, height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.write_header().unwrap().write_image_data(pixels).unwrap();
        file
    }

    #[test]
    fn a_picture_of_the_models_size_comes_out_bit_by_bit() {
        let folder = tempfile::tempdir().unwrap();
        let pixels: Vec<u8> = (0..24 * 16 * 3).map(|place| (place * 7 % 251) as u8).collect();
        let decoded = still(&png(folder.path(), SIZE, &pixels), SIZE).unwrap();
        assert_eq!(*decoded, *pixels);
    }

    #[test]
    fn a_larger_picture_is_stretched_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let large = Size { width: 96, height: 80 };
        let half = |place: usize| if place / 3 % 96 < 48 { 10 } else { 200 };
        let pixels: Vec<u8> = (0..96 * 80 * 3).map(half).collect();
        let decoded = still(&png(folder.path(), large, &pixels), SIZE).unwrap();
        assert_eq!(decoded.len(), 24 * 16 * 3);
        for row in decoded.chunks(24 * 3) {
            let near = |part: &[u8], level: u8| part.iter().all(|value| value.abs_diff(level) <= 4); // its taps are rounded
            assert!(near(&row[..9 * 3], 10) && near(&row[15 * 3..], 200), "{row:?}");
        }
    }

    #[test]
    fn a_jpeg_is_a_picture_too() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("picture.jpg");
        gst::init().unwrap();
        let text = format!(
            "videotestsrc num-buffers=1 pattern=green ! video/x-raw,width=96,height=80 ! jpegenc ! filesink location={}",
            file.display()
        );
        let owned = Owned(gst::parse::launch(&text).unwrap().downcast().unwrap());
        owned.0.set_state(gst::State::Playing).unwrap();
        let done = [gst::MessageType::Eos, gst::MessageType::Error];
        let ended = owned.0.bus().unwrap().timed_pop_filtered(gst::ClockTime::from_seconds(20), &done).unwrap();
        assert_eq!(ended.type_(), gst::MessageType::Eos);
        let decoded = still(&file, SIZE).unwrap();
        assert_eq!(decoded.len(), 24 * 16 * 3);
        for pixel in decoded.chunks(3) {
            assert!(pixel[0] < 40 && pixel[1] > 200 && pixel[2] < 40, "{pixel:?}");
        }
    }

    #[test]
    fn what_is_no_picture_says_so_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("open.png");
        let whole = png(folder.path(), SIZE, &[7; 24 * 16 * 3]);
        let bytes = std::fs::read(whole).unwrap();
        for content in [b"no picture at all, only words".as_slice(), b"", &bytes[..bytes.len() / 2]] {
            std::fs::write(&file, content).unwrap();
            let begun = Stamp::now();
            let error = still(&file, SIZE).unwrap_err();
            assert!(error.to_string().contains("open.png` cannot be decoded as a picture: "), "{error}");
            assert!(Stamp::now().since(begun) < DECODE_WITHIN, "{error}");
        }
        assert_eq!(still(&folder.path().join("none.png"), SIZE).unwrap_err().reason, "Resource not found");
    }
}
