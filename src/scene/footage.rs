//! Plays a recording: the picture of any of its seconds, and its background without the people in it.

use std::time::Duration;

use gstreamer::{self as gst, prelude::*};
use gstreamer_app::AppSink;
use gstreamer_video::{VideoFrameExt, VideoFrameRef, VideoInfo};

use super::{Error, Footage, Picture};
use crate::frame::Size;

/// How long GStreamer may take for a picture.
const PATIENCE: gst::ClockTime = gst::ClockTime::from_seconds(20);

/// A gap longer than this is jumped over, a shorter one decoded.
const JUMP_S: f64 = 3.0;

/// The background is the median of this many pictures spread over the recording: odd, and many enough that nobody
/// stands anywhere in half of them.
const BACKGROUND_PICTURES: u32 = 31;

/// Plays one recording.
pub(super) struct Player {
    footage: Footage,
    decoder: Option<Decoder>,
    background: Option<Picture>,
}

impl Player {
    /// A player of a file that exists.
    pub(super) fn new(footage: Footage) -> Result<Self, Error> {
        if !footage.file.is_file() {
            return Err(failed(&footage, "there is no such file"));
        }
        Ok(Self { footage, decoder: None, background: None })
    }

    /// The picture shown at a second of the recording.
    pub(super) fn picture(&mut self, at_s: f64, size: Size) -> Result<Picture, Error> {
        if self.decoder.as_ref().is_none_or(|decoder| decoder.size != size) {
            self.decoder = Some(Decoder::open(&self.footage, size)?);
        }
        let result = match &mut self.decoder {
            Some(decoder) => decoder.picture(at_s).map_err(|reason| failed(&self.footage, &reason)),
            None => Err(failed(&self.footage, "it is not open")),
        };
        if result.is_err() {
            self.decoder = None;
        }
        result
    }

    /// What all pictures of the recording have in common: the median of each of their pixels' channels.
    pub(super) fn background(&mut self, size: Size) -> Result<Picture, Error> {
        if let Some(background) = self.background.as_ref().filter(|background| background.size == size) {
            return Ok(background.clone());
        }
        let mut decoder = Decoder::open(&self.footage, size)?;
        let pictures = decoder.spread(BACKGROUND_PICTURES).map_err(|reason| failed(&self.footage, &reason))?;
        let background = median(&pictures, size);
        self.background = Some(background.clone());
        Ok(background)
    }
}

fn failed(footage: &Footage, reason: &str) -> Error {
    Error::Footage { file: footage.file.display().to_string(), reason: reason.to_owned() }
}

fn median(pictures: &[Picture], size: Size) -> Picture {
    let mut values = vec![0; pictures.len()];
    let length = size.width as usize * size.height as usize * 4;
    let channel = |at: usize| {
        for (value, picture) in values.iter_mut().zip(pictures) {
            *value = picture.rgba.get(at).copied().unwrap_or_default();
        }
        let middle = values.len() / 2;
        if values.is_empty() { 0 } else { *values.select_nth_unstable(middle).1 }
    };
    Picture { size, rgba: (0..length).map(channel).collect() }
}

/// An open recording that delivers pictures of one size.
struct Decoder {
    pipeline: gst::Pipeline,
    sink: AppSink,
    size: Size,
    /// The newest decoded picture and where in the recording it begins.
    newest: Option<(f64, Picture)>,
    /// The picture after it, decoded to know where `newest` ends.
    next: Option<(f64, Picture)>,
}

impl Drop for Decoder {
    fn drop(&mut self) {
        // A running pipeline that is dropped aborts the process.
        let _: Result<_, _> = self.pipeline.set_state(gst::State::Null);
    }
}

impl Decoder {
    fn open(footage: &Footage, size: Size) -> Result<Self, Error> {
        let fail = |reason: &str| failed(footage, reason);
        gst::init().map_err(|error| fail(error.message()))?;
        let text = format!(
            "filesrc name=source ! decodebin force-sw-decoders=true ! video/x-raw ! videocrop name=crop \
             ! videoscale method=bilinear2 add-borders=false ! videoconvert n-threads=1 \
             ! video/x-raw,format=RGBx,width={},height={} ! appsink name=pictures sync=false max-buffers=2",
            size.width, size.height
        );
        let pipeline = gst::parse::launch(&text).map_err(|error| fail(error.message()))?;
        let pipeline = pipeline.downcast::<gst::Pipeline>().map_err(|_| fail("GStreamer built no pipeline"))?;
        let sink = pipeline.by_name("pictures").and_then(|sink| sink.downcast::<AppSink>().ok());
        let (Some(source), Some(crop), Some(sink)) = (pipeline.by_name("source"), pipeline.by_name("crop"), sink)
        else {
            return Err(fail("GStreamer built another pipeline"));
        };
        source.set_property("location", footage.file.display().to_string());
        let decoder = Self { pipeline, sink, size, newest: None, next: None };
        decoder.set_state(gst::State::Paused).map_err(|reason| fail(&reason))?;
        if let Some(part) = footage.crop {
            cut(&crop, part).ok_or_else(|| fail("it has no video size"))?;
        }
        // The picture that came before the crop was set goes.
        decoder.seek(0.0, gst::SeekFlags::ACCURATE).map_err(|reason| fail(&reason))?;
        decoder.set_state(gst::State::Playing).map_err(|reason| fail(&reason))?;
        Ok(decoder)
    }

    fn set_state(&self, state: gst::State) -> Result<(), String> {
        let reached = self.pipeline.set_state(state).is_ok() && self.pipeline.state(PATIENCE).0.is_ok();
        if reached { Ok(()) } else { Err(self.complaint()) }
    }

    /// What the pipeline says is wrong.
    fn complaint(&self) -> String {
        let bus = self.pipeline.bus();
        let message = bus.and_then(|bus| bus.pop_filtered(&[gst::MessageType::Error]));
        match message.as_ref().map(|message| message.view()) {
            Some(gst::MessageView::Error(error)) => error.error().message().to_owned(),
            _ => "it does not play".to_owned(),
        }
    }

    fn seek(&self, at_s: f64, how: gst::SeekFlags) -> Result<(), String> {
        let at = Duration::try_from_secs_f64(at_s.max(0.0)).map_err(|error| error.to_string())?;
        let at = gst::ClockTime::try_from(at).map_err(|error| error.to_string())?;
        self.pipeline.seek_simple(gst::SeekFlags::FLUSH | how, at).map_err(|_| "it cannot be sought in".to_owned())
    }

    /// The picture shown at a second; behind the end it is the last one.
    fn picture(&mut self, at_s: f64) -> Result<Picture, String> {
        let starts_s = self.newest.as_ref().map(|(starts_s, _)| *starts_s);
        if starts_s.is_none_or(|starts_s| at_s < starts_s || at_s > starts_s + JUMP_S) {
            (self.newest, self.next) = (None, None);
            self.seek(at_s, gst::SeekFlags::ACCURATE)?;
        }
        loop {
            if self.next.is_none() {
                self.next = self.pull()?;
            }
            match &self.next {
                // A hair early, as times are rounded on both sides.
                Some((starts_s, _)) if *starts_s <= at_s + 1e-3 || self.newest.is_none() => {
                    self.newest = self.next.take();
                }
                _ => break,
            }
        }
        self.newest.as_ref().map(|(_, picture)| picture.clone()).ok_or_else(|| "it has no picture there".to_owned())
    }

    /// Pictures at even distances over the whole recording, each from the key frame before.
    fn spread(&mut self, count: u32) -> Result<Vec<Picture>, String> {
        let length = self.pipeline.query_duration::<gst::ClockTime>().ok_or("its length is not known")?;
        let step_s = length.nseconds() as f64 / 1e9 / f64::from(count);
        let mut pictures = Vec::new();
        for number in 0..count {
            self.seek((f64::from(number) + 0.5) * step_s, gst::SeekFlags::KEY_UNIT)?;
            pictures.extend(self.pull()?.map(|(_, picture)| picture));
        }
        if pictures.is_empty() { Err("it has no pictures".to_owned()) } else { Ok(pictures) }
    }

    /// The next picture and when it begins; `None` at the end.
    fn pull(&self) -> Result<Option<(f64, Picture)>, String> {
        let Some(sample) = self.sink.try_pull_sample(PATIENCE) else {
            return if self.sink.is_eos() { Ok(None) } else { Err(self.complaint()) };
        };
        let (Some(buffer), Some(caps)) = (sample.buffer(), sample.caps()) else {
            return Err("a picture without pixels".to_owned());
        };
        let info = VideoInfo::from_caps(caps).map_err(|error| error.to_string())?;
        let frame = VideoFrameRef::from_buffer_ref_readable(buffer, &info).map_err(|error| error.to_string())?;
        let stride = usize::try_from(frame.plane_stride()[0]).map_err(|error| error.to_string())?;
        let plane = frame.plane_data(0).map_err(|error| error.to_string())?;
        let row = self.size.width as usize * 4;
        let lines = plane.chunks(stride.max(1)).take(self.size.height as usize);
        let rgba: Vec<u8> = lines.filter_map(|line| line.get(..row)).flatten().copied().collect();
        let starts_s = buffer.pts().map_or(0.0, |pts| pts.nseconds() as f64 / 1e9);
        Ok(Some((starts_s, Picture { size: self.size, rgba })))
    }
}

/// Cuts a part, in fractions, out of whatever size the recording has.
fn cut(crop: &gst::Element, [left, top, right, bottom]: [f64; 4]) -> Option<()> {
    let caps = crop.static_pad("sink")?.current_caps()?;
    let info = VideoInfo::from_caps(&caps).ok()?;
    let (width, height) = (f64::from(info.width()), f64::from(info.height()));
    for (side, pixels) in [
        ("left", left * width),
        ("top", top * height),
        ("right", (1.0 - right) * width),
        ("bottom", (1.0 - bottom) * height),
    ] {
        crop.set_property(side, pixels.round() as i32);
    }
    Some(())
}
