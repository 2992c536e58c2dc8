//! One GStreamer pipeline: one attempt to receive one camera. The only file of `camera` that names GStreamer.
//!
//! A pipeline that lost its camera cannot be started again; each attempt builds its own. Nothing here waits, retries or
//! judges silence: it tells what came and when.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use gstreamer::{self as gst, glib, prelude::*};
use gstreamer_app::{AppSink, AppSinkCallbacks};
use gstreamer_video::{VideoFrameExt, VideoFrameRef, VideoInfo};
use tokio::sync::Notify;

use super::{Error, Latest, Spec, clock::Timeline, description::Slots, error::remedy, pace::Pace};
use crate::frame::{Frame, Size, Stamp};

/// How long the end of a run waits for a dead camera's pipeline; its thread goes on without us after that.
const CLOSE_WITHIN: Duration = Duration::from_secs(3);

/// Chosen frames between `sample` and the appsink; more are only in flight where a description adds queues.
const IN_FLIGHT: usize = 32;

/// A camera that lets us in has described itself after this many requests: OPTIONS, DESCRIBE, and the one of them that
/// is repeated with the password. One more would be the wrong password again.
const REQUESTS_TO_DESCRIBE: u32 = 3;

/// What GStreamer's threads and the camera's task share.
struct Shared {
    spec: Spec,
    numbers: Arc<AtomicU64>,
    frames: Latest<Frame>,
    sampling: Mutex<Sampling>,
    fault: Mutex<Option<Error>>,
    faulted: Notify,
    /// [`Stamp`]s in nanoseconds; 0 is never.
    last_data: AtomicU64,
    last_picture: AtomicU64,
    /// RTSP requests of this attempt.
    requests: AtomicU32,
    /// Streams that the camera announced and that are no video.
    other_streams: AtomicBool,
    video_streams: AtomicBool,
}

/// State of the probe behind the decoder.
struct Sampling {
    timeline: Timeline,
    pace: Pace,
    /// When the chosen frames were taken, by their PTS, until they reach the appsink.
    chosen: VecDeque<(Option<gst::ClockTime>, Stamp)>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A running pipeline; stops when dropped.
pub(super) struct Pipeline {
    shared: Arc<Shared>,
    /// Taken only by `drop` and `close`.
    owned: Option<Owned>,
}

/// Dropping the last reference of a running GStreamer pipeline aborts the process: this never does.
struct Owned(gst::Pipeline);

impl Drop for Owned {
    fn drop(&mut self) {
        // May block on a dead camera. An error here is one of an element that is thrown away.
        let _: Result<_, _> = self.0.set_state(gst::State::Null);
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        let Some(owned) = self.owned.take() else { return };
        match tokio::runtime::Handle::try_current() {
            // The pool owns the thread, and a runtime that ends waits for it.
            Ok(runtime) => drop(runtime.spawn_blocking(move || drop(owned))),
            Err(_) => drop(owned),
        }
    }
}

impl Pipeline {
    /// Builds the pipeline and sets it playing. Takes long the first time (GStreamer reads its plugins): call it on a
    /// thread that may block.
    pub(super) fn start(spec: &Spec, numbers: Arc<AtomicU64>) -> Result<Self, Error> {
        let failed = |reason: String| pipeline_error(spec, &reason);
        gst::init().map_err(|error| failed(error.to_string()))?;
        let pipeline = parse(spec)?;
        let owned = Owned(pipeline.clone());
        let shared = Arc::new(Shared {
            spec: spec.clone(),
            numbers,
            frames: Latest::new(),
            sampling: Mutex::new(Sampling {
                timeline: Timeline::default(),
                pace: Pace::new(spec.frames_per_second),
                chosen: VecDeque::with_capacity(IN_FLIGHT),
            }),
            fault: Mutex::new(None),
            faulted: Notify::new(),
            last_data: AtomicU64::new(0),
            last_picture: AtomicU64::new(0),
            requests: AtomicU32::new(0),
            other_streams: AtomicBool::new(false),
            video_streams: AtomicBool::new(false),
        });
        let lacks = |name: &str| failed(format!("it has no element named `{name}`"));
        set_address(&pipeline.by_name("source").ok_or_else(|| lacks("source"))?, spec)?;
        let sample = pipeline.by_name("sample").and_then(|element| element.static_pad("src"));
        watch_samples(&sample.ok_or_else(|| lacks("sample"))?, &shared);
        let sink = pipeline.by_name("frames").and_then(|element| element.downcast::<AppSink>().ok());
        receive(&sink.ok_or_else(|| lacks("frames"))?, &shared);
        tune_all(&pipeline, &shared);
        listen(&pipeline, &shared);
        if pipeline.set_state(gst::State::Playing).is_err() {
            let fault = lock(&shared.fault).take();
            return Err(fault.unwrap_or_else(|| failed("an element cannot start".to_owned())));
        }
        Ok(Self { shared, owned: Some(owned) })
    }

    /// The newest frame that came since the last one taken.
    pub(super) async fn frame(&self) -> Frame {
        self.shared.frames.take().await
    }

    /// Waits for the pipeline to break.
    pub(super) async fn fault(&self) -> Error {
        loop {
            let fault = lock(&self.shared.fault).take();
            match fault {
                Some(fault) => return fault,
                None => self.shared.faulted.notified().await,
            }
        }
    }

    /// When the camera last sent anything.
    pub(super) fn last_data(&self) -> Option<Stamp> {
        read(&self.shared.last_data)
    }

    /// When the last picture came out of the decoder, kept or not.
    pub(super) fn last_picture(&self) -> Option<Stamp> {
        read(&self.shared.last_picture)
    }

    /// Stops the pipeline; waits for it, but not for ever.
    pub(super) async fn close(mut self) {
        if let Some(owned) = self.owned.take() {
            let closing = tokio::task::spawn_blocking(move || drop(owned));
            // Too late or not: the pipeline is off our hands, and nothing is left to tell.
            let _: Result<_, _> = tokio::time::timeout(CLOSE_WITHIN, closing).await;
        }
    }
}

fn read(moment: &AtomicU64) -> Option<Stamp> {
    let nanos = moment.load(Ordering::Relaxed);
    (nanos > 0).then(|| Stamp::after_origin(Duration::from_nanos(nanos)))
}

impl Shared {
    fn saw(&self, what: &AtomicU64) -> Stamp {
        let now = Stamp::now();
        what.store(u64::try_from(now.since_origin().as_nanos()).unwrap_or(u64::MAX).max(1), Ordering::Relaxed);
        now
    }

    /// Whether the camera has told which streams it has: it is there, and it let us in.
    fn is_described(&self) -> bool {
        self.video_streams.load(Ordering::Relaxed) || self.other_streams.load(Ordering::Relaxed)
    }

    /// The first fault is the cause; those after it are its consequences.
    fn break_with(&self, error: Error) {
        lock(&self.fault).get_or_insert(error);
        self.faulted.notify_one();
    }
}

fn pipeline_error(spec: &Spec, reason: &str) -> Error {
    Error::Pipeline { pipeline: spec.pipeline.name().to_owned(), reason: spec.address.scrub(reason) }
}

fn parse(spec: &Spec) -> Result<gst::Pipeline, Error> {
    let slots = Slots { size: spec.size, latency: spec.latency, timeout: spec.silence };
    let mut context = gst::ParseContext::new();
    let parsed =
        gst::parse::launch_full(&spec.pipeline.fill(&slots), Some(&mut context), gst::ParseFlags::FATAL_ERRORS);
    let element = parsed.map_err(|error| match context.missing_elements().into_iter().next() {
        Some(element) if error.matches(gst::ParseError::NoSuchElement) => {
            Error::MissingElement { remedy: remedy(&element), element }
        }
        _ => pipeline_error(spec, error.message()),
    })?;
    element.downcast::<gst::Pipeline>().map_err(|_| pipeline_error(spec, "it is not one pipeline"))
}

/// Gives the element `source` the address, by whichever properties it has.
fn set_address(source: &gst::Element, spec: &Spec) -> Result<(), Error> {
    let address = &spec.address;
    let location = match address.path() {
        Some(path) if !source.has_property("uri") => path.display().to_string(),
        _ => address.location().to_owned(),
    };
    let property = ["location", "uri"].into_iter().find(|property| source.has_property(property));
    match property {
        Some(property) => source.set_property_from_str(property, &location),
        None if address.scheme() == "test" => {}
        None => return Err(pipeline_error(spec, "its element `source` takes no address; use `test:pattern`")),
    }
    for (property, value) in [("user-id", address.user()), ("user-pw", address.password())] {
        let Some(value) = value else { continue };
        if !source.has_property(property) {
            return Err(pipeline_error(spec, "its element `source` takes no user and password"));
        }
        source.set_property(property, value);
    }
    Ok(())
}

/// Chooses frames behind the decoder: what is dropped here is neither scaled nor converted.
fn watch_samples(pad: &gst::Pad, shared: &Arc<Shared>) {
    let shared = Arc::clone(shared);
    pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        let Some(buffer) = info.buffer() else { return gst::PadProbeReturn::Ok };
        shared.saw(&shared.last_data);
        let arrival = shared.saw(&shared.last_picture);
        let time = buffer.pts().and_then(|pts| running_time(pad, pts));
        let mut sampling = lock(&shared.sampling);
        let taken = sampling.timeline.taken(time, arrival);
        if buffer.flags().contains(gst::BufferFlags::CORRUPTED) {
            return gst::PadProbeReturn::Drop;
        }
        // A stream without time stamps is paced by arrival.
        if !sampling.pace.keep(time.unwrap_or_else(|| arrival.since_origin())) {
            return gst::PadProbeReturn::Drop;
        }
        if sampling.chosen.len() == IN_FLIGHT {
            sampling.chosen.pop_front();
        }
        sampling.chosen.push_back((buffer.pts(), taken));
        gst::PadProbeReturn::Ok
    });
}

fn running_time(pad: &gst::Pad, pts: gst::ClockTime) -> Option<Duration> {
    let event = pad.sticky_event::<gst::event::Segment>(0)?;
    let running = event.segment().downcast_ref::<gst::ClockTime>()?.to_running_time(pts)?;
    Some(Duration::from_nanos(running.nseconds()))
}

/// Takes what reaches the appsink.
fn receive(sink: &AppSink, shared: &Arc<Shared>) {
    let Size { width, height } = shared.spec.size;
    let (width, height) = (i32::try_from(width).unwrap_or(i32::MAX), i32::try_from(height).unwrap_or(i32::MAX));
    let caps = gst::Caps::builder("video/x-raw").field("format", "RGB").field("width", width).field("height", height);
    sink.set_caps(Some(&caps.build()));
    sink.set_max_buffers(1);
    sink.set_drop(true);
    // Frames are wanted now, not when a screen would show them.
    sink.set_property("sync", false);
    let shared = Arc::clone(shared);
    let take = move |sink: &AppSink| {
        let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
        match frame(&sample, &shared) {
            Ok(frame) => shared.frames.offer(frame),
            Err(reason) => shared.break_with(pipeline_error(&shared.spec, &reason)),
        }
        Ok(gst::FlowSuccess::Ok)
    };
    sink.set_callbacks(AppSinkCallbacks::builder().new_sample(take).build());
}

fn frame(sample: &gst::Sample, shared: &Shared) -> Result<Frame, String> {
    let (Some(buffer), Some(caps)) = (sample.buffer(), sample.caps()) else {
        return Err("a sample without a picture reached the appsink".to_owned());
    };
    let info = VideoInfo::from_caps(caps).map_err(|error| error.to_string())?;
    let picture = VideoFrameRef::from_buffer_ref_readable(buffer, &info).map_err(|error| error.to_string())?;
    let size = Size { width: picture.width(), height: picture.height() };
    let taken = {
        let mut sampling = lock(&shared.sampling);
        // Those before it were dropped on the way.
        match sampling.chosen.iter().position(|(pts, _)| *pts == buffer.pts()) {
            Some(at) => sampling.chosen.drain(..=at).next_back(),
            None => sampling.chosen.pop_front(),
        }
    };
    let row = size.width as usize * 3;
    let stride = usize::try_from(picture.plane_stride()[0]).map_err(|_| "rows run upwards".to_owned())?;
    let plane = picture.plane_data(0).map_err(|error| error.to_string())?;
    let mut pixels = Vec::with_capacity(row * size.height as usize);
    for line in plane.chunks(stride.max(1)).take(size.height as usize) {
        pixels.extend_from_slice(line.get(..row).ok_or("a row is shorter than the picture is wide")?);
    }
    Ok(Frame {
        number: shared.numbers.fetch_add(1, Ordering::Relaxed),
        taken: taken.map_or_else(Stamp::now, |(_, taken)| taken),
        size,
        pixels: pixels.into(),
    })
}

/// Sees every element, now and as they appear (those inside `decodebin`).
fn tune_all(pipeline: &gst::Pipeline, shared: &Arc<Shared>) {
    let for_later = Arc::clone(shared);
    pipeline.connect_deep_element_added(move |_, _, element| tune(element, &for_later));
    for element in pipeline.iterate_recurse().into_iter().flatten() {
        tune(&element, shared);
    }
}

/// Sets what every camera needs, whatever the description says.
fn tune(element: &gst::Element, shared: &Arc<Shared>) {
    let Some(factory) = element.factory() else { return };
    let set = |property: &str, value: &str| {
        if element.has_property(property) {
            element.set_property_from_str(property, value);
        }
    };
    match factory.name().as_str() {
        "rtspsrc" => {
            select_video(element, shared);
            limit_requests(element, shared);
        }
        // After a lost packet nothing before the next key frame is whole.
        "rtph264depay" | "rtph265depay" => set("wait-for-keyframe", "true"),
        name if name.starts_with("avdec_") => {
            // More threads cost memory and a frame of delay each; cameras are decoded side by side anyway.
            set("max-threads", "1");
            set("output-corrupt", "false");
        }
        _ => {}
    }
    let class = factory.metadata(gst::ELEMENT_METADATA_KLASS).unwrap_or_default();
    if class.contains("Decoder/Video") || class.contains("Decoder/Image") {
        watch_decoder(element, shared);
    }
}

/// Asks the camera for its video only; sound and events are not even sent.
fn select_video(source: &gst::Element, shared: &Arc<Shared>) {
    let shared = Arc::clone(shared);
    source.connect("select-stream", false, move |arguments| {
        // The camera has described its streams: it is there.
        shared.saw(&shared.last_data);
        let caps = arguments.get(2).and_then(|caps| caps.get::<gst::Caps>().ok());
        let media = caps.and_then(|caps| caps.structure(0)?.get::<String>("media").ok());
        let is_video = media.as_deref() == Some("video");
        let seen = if is_video { &shared.video_streams } else { &shared.other_streams };
        seen.store(true, Ordering::Relaxed);
        Some(is_video.to_value())
    });
}

/// Ends rtspsrc's own retries of a wrong password: it would send it eight times, and cameras lock accounts after less.
fn limit_requests(source: &gst::Element, shared: &Arc<Shared>) {
    let shared = Arc::clone(shared);
    source.connect("before-send", false, move |_| {
        let is_described = shared.is_described();
        let sent = shared.requests.fetch_add(1, Ordering::Relaxed);
        Some((is_described || sent < REQUESTS_TO_DESCRIBE).to_value())
    });
}

/// Sees what goes into a decoder, and lets only key frames in where that is asked for.
fn watch_decoder(decoder: &gst::Element, shared: &Arc<Shared>) {
    let Some(pad) = decoder.static_pad("sink") else { return };
    let shared = Arc::clone(shared);
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        shared.saw(&shared.last_data);
        let is_delta = info.buffer().is_some_and(|buffer| buffer.flags().contains(gst::BufferFlags::DELTA_UNIT));
        let unwanted = shared.spec.key_frames_only && is_delta;
        if unwanted { gst::PadProbeReturn::Drop } else { gst::PadProbeReturn::Ok }
    });
}

/// Hears what the pipeline says, on the threads that say it; nothing is queued.
fn listen(pipeline: &gst::Pipeline, shared: &Arc<Shared>) {
    let Some(bus) = pipeline.bus() else { return };
    let shared = Arc::clone(shared);
    bus.set_sync_handler(move |_, message| {
        match message.view() {
            gst::MessageView::Eos(_) => shared.break_with(Error::Ended),
            gst::MessageView::Error(message) => shared.break_with(explain(&shared, message)),
            gst::MessageView::Element(message) => {
                if let Some(missing) = message.structure().filter(|structure| structure.name() == "missing-plugin") {
                    shared.break_with(missing_plugin(missing));
                }
            }
            _ => {}
        }
        gst::BusSyncReply::Drop
    });
}

/// A decoder or the like that `decodebin` looked for in vain.
fn missing_plugin(missing: &gst::StructureRef) -> Error {
    let text = |field: &str| missing.get::<String>(field).ok();
    let caps = missing.get::<gst::Caps>("detail").ok().and_then(|caps| Some(caps.structure(0)?.name().to_string()));
    let element = text("name").or_else(|| text("detail")).unwrap_or_else(|| "a plugin".to_owned());
    let remedy = match caps.as_deref() {
        Some("video/x-h264" | "video/x-h265") => {
            "install its parser and decoder with `apt-get install gstreamer1.0-plugins-bad gstreamer1.0-libav`"
                .to_owned()
        }
        Some(caps) => format!("install the plugin that decodes `{caps}`, perhaps in gstreamer1.0-libav"),
        None => remedy(&element),
    };
    Error::MissingElement { element, remedy }
}

/// What an error of GStreamer means for a camera.
fn explain(shared: &Shared, message: &gst::message::Error) -> Error {
    let error = message.error();
    let address = shared.spec.address.to_string();
    let status = message.details().and_then(|details| details.get::<u32>("rtsp-status-code").ok());
    let is_remote =
        message.src().is_some_and(|source| source.name() == "source") && shared.spec.address.path().is_none();
    let was_described = shared.is_described();
    if status == Some(401) || error.matches(gst::ResourceError::NotAuthorized) {
        Error::Credentials { address }
    } else if status == Some(404) || error.matches(gst::ResourceError::NotFound) {
        Error::NotFound { address }
    } else if let Some(code) = status.and_then(|code| u16::try_from(code).ok()) {
        Error::Refused { address, code }
    } else if was_described && !shared.video_streams.load(Ordering::Relaxed) {
        Error::NoVideo { address }
    } else if is_remote && !was_described && error.is::<gst::ResourceError>() {
        Error::Unreachable { address, reason: reason(&shared.spec, &error, message.debug()) }
    } else {
        pipeline_error(&shared.spec, &reason(&shared.spec, &error, message.debug()))
    }
}

/// What GStreamer said, with the useful end of its debug text: the part behind the place in its source.
fn reason(spec: &Spec, error: &glib::Error, debug: Option<glib::GString>) -> String {
    let detail = debug.as_deref().and_then(|debug| debug.lines().nth(1)).map(str::trim).unwrap_or_default();
    let message = error.message().trim_end_matches('.');
    let both = if detail.is_empty() { message.to_owned() } else { format!("{message} ({detail})") };
    spec.address.scrub(&both)
}
