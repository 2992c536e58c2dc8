//! Picture and video files as a camera's pipeline would give them: scaled and converted by the same elements.

use std::{ops::ControlFlow, path::Path, sync::Mutex, time::Duration};

use gstreamer::{self as gst, prelude::*};
use gstreamer_app::AppSink;

use super::{
    Owned,
    frames::{picture, running_time},
    lock, tune,
};
use crate::{
    camera::{Canvas, pace::Pace},
    frame::{Frame, Size, Stamp},
};

/// A file that gives no picture for so long holds no more.
const PICTURE_WITHIN: Duration = Duration::from_secs(20);

/// How long one look at the appsink waits before the bus is asked what is wrong.
const LOOK_AGAIN: gst::ClockTime = gst::ClockTime::from_mseconds(20);

/// Why a file is no picture or recording, or not the one that is meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// It cannot be decoded.
    #[error("`{file}` cannot be decoded as a picture: {reason}")]
    Undecodable {
        /// The file.
        file: String,
        /// What GStreamer said.
        reason: String,
    },
    /// The recording begins after the moment that was meant.
    #[error("`{file}` has no picture before that moment")]
    Later {
        /// The file.
        file: String,
    },
    /// The recording is shorter than was believed.
    #[error("`{file}` ends at {:.1} s, before that moment", .ends.as_secs_f64())]
    Short {
        /// The file.
        file: String,
        /// When its last picture was taken.
        ends: Duration,
    },
}

/// Decodes a PNG or JPEG file to the frame that a camera's picture would be: scaled in the same way, with the filter of
/// the pipelines. A picture of that size comes out as it is. Its number is 0, and it was taken at the clock's origin.
///
/// Blocks, and takes long the first time (GStreamer reads its plugins).
pub fn still(file: &Path, canvas: impl Into<Canvas>) -> Result<Frame, FileError> {
    let mut first = None;
    clip(file, canvas, 0.0, |frame| {
        first = Some(Frame { taken: Stamp::after_origin(Duration::ZERO), ..frame });
        ControlFlow::Break(())
    })?;
    first.ok_or_else(|| undecodable(file, NO_PICTURE.to_owned()))
}

/// Decodes a recording as fast as it can and hands its pictures over in order, this many a second (zero: all), taken at
/// their place in the recording, until `take` wants no more.
///
/// Blocks. What is damaged ends the recording with an error, after its good pictures were handed over.
pub fn clip(
    file: &Path,
    canvas: impl Into<Canvas>,
    frames_per_second: f64,
    mut take: impl FnMut(Frame) -> ControlFlow<()>,
) -> Result<(), FileError> {
    let mut number = 0;
    let mut hand_over = |at: Duration, size: Size, pixels: Vec<u8>| {
        let frame = Frame { number, taken: Stamp::after_origin(at), size, pixels: pixels.into() };
        number += 1;
        take(frame)
    };
    let read = decode(file, canvas.into(), frames_per_second, &mut hand_over);
    let read = read.and_then(|()| if number == 0 { Err(NO_PICTURE.to_owned()) } else { Ok(()) });
    read.map_err(|reason| undecodable(file, reason))
}

/// As [`clip`], but only what was taken up to a moment; without one, all. A recording that ends before it, or begins after it, is
/// an error.
pub fn clip_until(
    file: &Path,
    canvas: impl Into<Canvas>,
    frames_per_second: f64,
    until: Option<Duration>,
    mut take: impl FnMut(Frame),
) -> Result<(), FileError> {
    let (mut ends, mut goes_on) = (None, false);
    clip(file, canvas, frames_per_second, |frame| {
        let at = frame.taken.since_origin();
        goes_on = until.is_some_and(|until| at > until);
        if goes_on {
            return ControlFlow::Break(());
        }
        ends = Some(at);
        take(frame);
        ControlFlow::Continue(())
    })?;
    // between two pictures nothing is missing
    let step = Duration::try_from_secs_f64(1.0 / frames_per_second).unwrap_or(Duration::from_secs(1));
    let file = || file.display().to_string();
    match (ends, until) {
        (None, _) => Err(FileError::Later { file: file() }),
        (Some(ends), Some(until)) if !goes_on && ends + step < until => Err(FileError::Short { file: file(), ends }),
        _ => Ok(()),
    }
}

fn undecodable(file: &Path, reason: String) -> FileError {
    FileError::Undecodable { file: file.display().to_string(), reason }
}

const NO_PICTURE: &str = "no picture came of it";

fn decode(
    file: &Path,
    canvas: Canvas,
    frames_per_second: f64,
    take: &mut dyn FnMut(Duration, Size, Vec<u8>) -> ControlFlow<()>,
) -> Result<(), String> {
    gst::init().map_err(|error| error.to_string())?;
    let Size { width, height } = canvas.size;
    let text = format!(
        "filesrc name=source ! decodebin force-sw-decoders=true ! video/x-raw ! identity name=sample \
         ! videoscale method={} add-borders=false ! video/x-raw,width={width},height={height} \
         ! videoconvert n-threads=1 ! video/x-raw,format=RGB ! appsink name=frames sync=false max-buffers=2",
        canvas.filter.method()
    );
    let pipeline = gst::parse::launch(&text).map_err(|error| error.message().to_owned())?;
    let pipeline = pipeline.downcast::<gst::Pipeline>().map_err(|_| "it is not one pipeline")?;
    let owned = Owned(pipeline);
    let pipeline = &owned.0;
    let source = pipeline.by_name("source").ok_or("it has no source")?;
    source.set_property("location", file.as_os_str().to_str().ok_or("its path is not UTF-8")?);
    let sampled = pipeline.by_name("sample").and_then(|sample| sample.static_pad("src")).ok_or("it has no sample")?;
    tune::fit(pipeline, &sampled, canvas);
    let pace = Mutex::new(Pace::new(frames_per_second));
    // What is dropped here is neither scaled nor converted.
    sampled.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        let at = info.buffer().and_then(|buffer| running_time(pad, buffer.pts()?));
        match at {
            Some(at) if !lock(&pace).keep(at) => gst::PadProbeReturn::Drop,
            _ => gst::PadProbeReturn::Ok,
        }
    });
    let sink = pipeline.by_name("frames").and_then(|sink| sink.downcast::<AppSink>().ok()).ok_or("it has no sink")?;
    let pad = sink.static_pad("sink").ok_or("it has no sink")?;
    let bus = pipeline.bus().ok_or("it has no bus")?;
    let complaint = || {
        let message = bus.pop_filtered(&[gst::MessageType::Error])?;
        let gst::MessageView::Error(error) = message.view() else { return None };
        Some(error.error().message().trim_end_matches('.').to_owned())
    };
    // What went wrong, if it did, stands on the bus.
    pipeline.set_state(gst::State::Playing).map_err(|_| complaint().unwrap_or_else(|| "it cannot start".to_owned()))?;
    let mut last = Stamp::now();
    loop {
        if let Some(sample) = sink.try_pull_sample(LOOK_AGAIN) {
            let pts = sample.buffer().and_then(gst::BufferRef::pts);
            let at = pts.and_then(|pts| running_time(&pad, pts)).unwrap_or_default();
            let (size, picture) = picture(&sample, canvas)?;
            if take(at, size, picture).is_break() {
                return Ok(());
            }
            last = Stamp::now();
            continue;
        }
        if let Some(reason) = complaint() {
            return Err(reason);
        }
        if sink.is_eos() {
            return Ok(());
        }
        if Stamp::now().since(last) > PICTURE_WITHIN {
            return Err(NO_PICTURE.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufWriter;

    use super::*;
    use crate::camera::{Filter, Fit};

    const SIZE: Size = Size { width: 24, height: 16 };

    fn png(folder: &Path, Size { width, height }: Size, pixels: &[u8]) -> std::path::PathBuf {
        let file = folder.join("picture.png");
        let mut encoder = png::Encoder::new(BufWriter::new(std::fs::File::create(&file).unwrap()), width, height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.write_header().unwrap().write_image_data(pixels).unwrap();
        file
    }

    /// Draws a test picture, or more of them, into a file.
    fn draw(what: &str, file: &Path) {
        gst::init().unwrap();
        let text = format!("videotestsrc {what} ! filesink location={}", file.display());
        let owned = Owned(gst::parse::launch(&text).unwrap().downcast().unwrap());
        owned.0.set_state(gst::State::Playing).unwrap();
        let done = [gst::MessageType::Eos, gst::MessageType::Error];
        let ended = owned.0.bus().unwrap().timed_pop_filtered(gst::ClockTime::from_seconds(20), &done).unwrap();
        assert_eq!(ended.type_(), gst::MessageType::Eos);
    }

    #[test]
    fn a_picture_of_the_models_size_comes_out_bit_by_bit() {
        let folder = tempfile::tempdir().unwrap();
        let pixels: Vec<u8> = (0..24 * 16 * 3).map(|place| (place * 7 % 251) as u8).collect();
        let decoded = still(&png(folder.path(), SIZE, &pixels), SIZE).unwrap();
        assert_eq!(*decoded.pixels, *pixels);
    }

    #[test]
    fn a_larger_picture_is_stretched_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let large = Size { width: 96, height: 80 };
        let half = |place: usize| if place / 3 % 96 < 48 { 10 } else { 200 };
        let pixels: Vec<u8> = (0..96 * 80 * 3).map(half).collect();
        let decoded = still(&png(folder.path(), large, &pixels), SIZE).unwrap().pixels;
        assert_eq!(decoded.len(), 24 * 16 * 3);
        for row in decoded.chunks(24 * 3) {
            let near = |part: &[u8], level: u8| part.iter().all(|value| value.abs_diff(level) <= 4); // its taps are rounded
            assert!(near(&row[..9 * 3], 10) && near(&row[15 * 3..], 200), "{row:?}");
        }
    }

    /// A picture scaled with a cubic filter (a = -0.5) as wide as what it takes together, as Pillow and torchvision do it for
    /// `antialias=True`, in floating point.
    fn bicubic(pixels: &[u8], from: Size, to: Size) -> Vec<f64> {
        let weight = |x: f64| match x.abs() {
            x if x < 1.0 => (1.5 * x - 2.5) * x * x + 1.0,
            x if x < 2.0 => ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0,
            _ => 0.0,
        };
        let taps = |from: u32, to: u32, place: u32| -> Vec<(usize, f64)> {
            let scale = f64::from(from) / f64::from(to);
            let centre = (f64::from(place) + 0.5) * scale;
            let all = (0..from).map(|at| (at as usize, weight((f64::from(at) + 0.5 - centre) / scale.max(1.0))));
            let taps: Vec<_> = all.filter(|(_, weight)| *weight != 0.0).collect();
            let sum: f64 = taps.iter().map(|(_, weight)| weight).sum();
            taps.into_iter().map(|(at, weight)| (at, weight / sum)).collect()
        };
        let at = |x: usize, y: usize, colour: usize| f64::from(pixels[(y * from.width as usize + x) * 3 + colour]);
        let mut scaled = Vec::new();
        for y in 0..to.height {
            for x in 0..to.width {
                for colour in 0..3 {
                    let row = |y: usize| {
                        taps(from.width, to.width, x).iter().map(|(x, w)| w * at(*x, y, colour)).sum::<f64>()
                    };
                    scaled.push(
                        taps(from.height, to.height, y).iter().map(|(y, w)| w * row(*y)).sum::<f64>().clamp(0.0, 255.0),
                    );
                }
            }
        }
        scaled
    }

    #[test]
    fn a_picture_is_scaled_with_the_filter_that_the_model_was_trained_with() {
        let folder = tempfile::tempdir().unwrap();
        let large = Size { width: 100, height: 72 };
        // edges, slopes and a grid that is finer than what it is scaled to
        let value = |place: usize| {
            let (x, y) = (place / 3 % 100, place / 300);
            if x < 40 {
                x * 5
            } else if (x + y) % 3 == 0 {
                250
            } else {
                20 + y * 2
            }
        };
        let pixels: Vec<u8> = (0..100 * 72 * 3).map(|place| value(place) as u8).collect();
        let file = png(folder.path(), large, &pixels);
        let expected = bicubic(&pixels, large, SIZE);
        let far = |filter| {
            let decoded = still(&file, Canvas { filter, ..SIZE.into() }).unwrap().pixels;
            let sum: f64 =
                decoded.iter().zip(&expected).map(|(got, expected)| (f64::from(*got) - expected).abs()).sum();
            sum / expected.len() as f64
        };
        let (bicubic, bilinear) = (far(Filter::Bicubic), far(Filter::Bilinear));
        assert!(bicubic < 1.0, "{bicubic} levels away on average");
        assert!(bilinear > 2.0 * bicubic, "the filters differ: {bilinear} against {bicubic}");
    }

    #[test]
    fn a_picture_keeps_its_proportions_where_the_model_wants_that() {
        let folder = tempfile::tempdir().unwrap();
        let wide = Size { width: 96, height: 48 };
        // black, with a white third in the middle
        let pixels: Vec<u8> =
            (0..96 * 48 * 3).map(|place| if (32..64).contains(&(place / 3 % 96)) { 255 } else { 0 }).collect();
        let file = png(folder.path(), wide, &pixels);
        let frame = |fit| still(&file, Canvas { fit, ..SIZE.into() }).unwrap();
        let bright = |frame: &Frame| {
            let row = &frame.pixels[..frame.size.width as usize * 3];
            row.chunks(3).filter(|pixel| pixel[0] > 127).count()
        };
        let inside = frame(Fit::Inside { least: SIZE });
        assert_eq!(
            (inside.size, bright(&inside)),
            (Size { width: 24, height: 12 }, 8),
            "the whole, a third of it white"
        );
        assert_eq!(inside.pixels.len(), 24 * 12 * 3);
        let middle = frame(Fit::Crop);
        assert_eq!((middle.size, bright(&middle)), (SIZE, 10), "24 of 32 columns, a third of 32 white");
        assert!(middle.pixels[..6 * 3].iter().all(|value| *value < 127), "cut on both sides alike");
        let stretched = frame(Fit::Stretch);
        assert_eq!((stretched.size, bright(&stretched)), (SIZE, 8));
    }

    #[test]
    fn a_picture_whose_pixels_are_no_squares_is_as_wide_as_it_is_shown() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("clip.avi");
        let anamorphic = "num-buffers=2 ! video/x-raw,width=48,height=48,pixel-aspect-ratio=2/1,framerate=5/1";
        draw(&format!("{anamorphic} ! jpegenc ! matroskamux"), &file);
        let inside = Canvas { fit: Fit::Inside { least: SIZE }, ..SIZE.into() };
        assert_eq!(still(&file, inside).unwrap().size, Size { width: 24, height: 12 });
    }

    #[test]
    fn a_jpeg_is_a_picture_too() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("picture.jpg");
        draw("num-buffers=1 pattern=green ! video/x-raw,width=96,height=80 ! jpegenc", &file);
        let decoded = still(&file, SIZE).unwrap().pixels;
        assert_eq!(decoded.len(), 24 * 16 * 3);
        for pixel in decoded.chunks(3) {
            assert!(pixel[0] < 40 && pixel[1] > 200 && pixel[2] < 40, "{pixel:?}");
        }
    }

    #[test]
    fn a_recording_is_its_pictures_in_order_at_the_pace_that_is_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("clip.avi");
        let moving = "num-buffers=40 pattern=ball ! video/x-raw,width=96,height=80,framerate=10/1";
        draw(&format!("{moving} ! jpegenc ! avimux"), &file);
        let read = |fps, most: u64| {
            let mut frames = Vec::new();
            clip(&file, SIZE, fps, |frame| {
                frames.push(frame);
                if frames.len() as u64 == most { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })
            .unwrap();
            frames
        };
        let all = read(0.0, u64::MAX);
        assert_eq!(all.len(), 40);
        assert!(all.windows(2).all(|pair| pair[0].number + 1 == pair[1].number && pair[0].taken < pair[1].taken));
        let slow = read(2.0, u64::MAX);
        assert_eq!(slow.len(), 8);
        let steps: Vec<u128> = slow.windows(2).map(|pair| pair[1].taken.since(pair[0].taken).as_millis()).collect();
        assert!(steps.iter().all(|step| step.abs_diff(500) <= 100), "{steps:?}");
        assert_eq!(read(0.0, 3).len(), 3);
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
            assert!(Stamp::now().since(begun) < PICTURE_WITHIN, "{error}");
        }
        let absent = still(&folder.path().join("none.png"), SIZE).unwrap_err();
        assert!(absent.to_string().ends_with(": Resource not found"), "{absent}");
    }
}
