//! Writes a scene to a file (MKV or MP4) or as PNG pictures into a folder, as fast as it can be made.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use gstreamer::{self as gst, prelude::*};
use gstreamer_app::AppSrc;
use tiny_skia::{IntSize, Pixmap};

use super::{Error, Picture, Player, Spec, encode, server::caps};

/// How long GStreamer may take to finish a file.
const FINISH_WITHIN: gst::ClockTime = gst::ClockTime::from_seconds(60);

/// A recording to make.
#[derive(Debug, Clone, PartialEq)]
pub struct Clip {
    /// What it shows.
    pub scene: Spec,
    /// How long it is.
    pub length: Duration,
    /// A file ending in `.mkv` or `.mp4`, else a folder for `000000.png` and so on.
    pub to: PathBuf,
}

/// Writes a recording; `progress` is told how many frames are done and how many there will be.
pub fn clip(clip: &Clip, mut progress: impl FnMut(u64, u64)) -> Result<(), Error> {
    let spec = &clip.scene;
    spec.check()?;
    gst::init().map_err(|error| Error::Pipeline(error.message().to_owned()))?;
    let mut player = Player::new(spec)?;
    let ending = clip.to.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    let mut writer = match encode::for_file(spec, ending) {
        Some(text) => Writer::File(Recorder::open(&text, spec, &clip.to)?),
        None if ending.is_empty() => {
            fs::create_dir_all(&clip.to).map_err(|source| cannot_write(&clip.to, source))?;
            Writer::Folder(clip.to.clone())
        }
        None => return Err(Error::Spec("a clip without video, or one that is not .mkv, .mp4 or a folder")),
    };
    let rate = f64::from(spec.frames_per_second);
    let frames = (clip.length.as_secs_f64() * rate).round() as u64;
    for frame in 0..frames {
        // A microsecond into the frame: times are rounded.
        let showing = spec.showing(Duration::from_secs_f64(frame as f64 / rate) + Duration::from_micros(1));
        writer.write(frame, player.picture(showing, spec.size)?)?;
        progress(frame + 1, frames);
    }
    match writer {
        Writer::File(recorder) => recorder.finish(),
        Writer::Folder(_) => Ok(()),
    }
}

enum Writer {
    File(Recorder),
    Folder(PathBuf),
}

impl Writer {
    fn write(&mut self, frame: u64, picture: Picture) -> Result<(), Error> {
        match self {
            Self::File(recorder) => recorder.write(frame, picture),
            Self::Folder(folder) => write_png(&folder.join(format!("{frame:06}.png")), picture),
        }
    }
}

fn cannot_write(file: &Path, source: std::io::Error) -> Error {
    Error::Write { file: file.display().to_string(), source }
}

fn write_png(file: &Path, mut picture: Picture) -> Result<(), Error> {
    for pixel in picture.rgba.as_chunks_mut::<4>().0 {
        pixel[3] = 255;
    }
    let size = IntSize::from_wh(picture.size.width, picture.size.height);
    let pixmap = size.and_then(|size| Pixmap::from_vec(picture.rgba, size));
    let png = pixmap.and_then(|pixmap| pixmap.encode_png().ok());
    let png = png.ok_or_else(|| Error::Pipeline("a picture cannot be encoded as PNG".to_owned()))?;
    fs::write(file, png).map_err(|source| cannot_write(file, source))
}

/// A file being written.
struct Recorder {
    pipeline: gst::Pipeline,
    pictures: AppSrc,
    frame_time: gst::ClockTime,
}

impl Drop for Recorder {
    fn drop(&mut self) {
        // A running pipeline that is dropped aborts the process.
        let _: Result<_, _> = self.pipeline.set_state(gst::State::Null);
    }
}

impl Recorder {
    fn open(text: &str, spec: &Spec, to: &Path) -> Result<Self, Error> {
        let fail = |reason: &str| Error::Pipeline(reason.to_owned());
        // Told at once and plainly, which GStreamer does not.
        fs::File::create(to).map_err(|source| cannot_write(to, source))?;
        let pipeline = gst::parse::launch(text).map_err(|error| fail(error.message()))?;
        let pipeline = pipeline.downcast::<gst::Pipeline>().map_err(|_| fail("it built no pipeline"))?;
        let pictures = pipeline.by_name("pictures").and_then(|source| source.downcast::<AppSrc>().ok());
        let (Some(pictures), Some(file)) = (pictures, pipeline.by_name("file")) else {
            return Err(fail("it built another pipeline"));
        };
        file.set_property("location", to.display().to_string());
        pictures.set_caps(Some(&caps(spec.size, spec.frames_per_second)));
        let frame_time = gst::ClockTime::SECOND / u64::from(spec.frames_per_second);
        let recorder = Self { pipeline, pictures, frame_time };
        recorder.pipeline.set_state(gst::State::Playing).map_err(|_| recorder.complaint())?;
        Ok(recorder)
    }

    fn write(&self, frame: u64, picture: Picture) -> Result<(), Error> {
        let mut buffer = gst::Buffer::from_mut_slice(picture.rgba);
        if let Some(buffer) = buffer.get_mut() {
            buffer.set_pts(self.frame_time * frame);
            buffer.set_duration(self.frame_time);
        }
        self.pictures.push_buffer(buffer).map(|_| ()).map_err(|_| self.complaint())
    }

    fn finish(self) -> Result<(), Error> {
        self.pictures.end_of_stream().map_err(|_| self.complaint())?;
        let ends = [gst::MessageType::Eos, gst::MessageType::Error];
        let bus = self.pipeline.bus().ok_or_else(|| self.complaint())?;
        match bus.timed_pop_filtered(FINISH_WITHIN, &ends).as_ref().map(|message| message.view()) {
            Some(gst::MessageView::Eos(_)) => Ok(()),
            Some(gst::MessageView::Error(error)) => Err(Error::Pipeline(error.error().message().to_owned())),
            _ => Err(Error::Pipeline("the file was not finished in time".to_owned())),
        }
    }

    fn complaint(&self) -> Error {
        let message = self.pipeline.bus().and_then(|bus| bus.pop_filtered(&[gst::MessageType::Error]));
        match message.as_ref().map(|message| message.view()) {
            Some(gst::MessageView::Error(error)) => Error::Pipeline(error.error().message().to_owned()),
            _ => Error::Pipeline("it takes no pictures".to_owned()),
        }
    }
}
