//! One GStreamer pipeline: one attempt to receive one camera. The only part of `camera` that names GStreamer.
//!
//! A pipeline that lost its camera cannot be started again; each attempt builds its own. Nothing here waits, retries or
//! judges silence: it tells what came and when.

mod damage;
mod decoder;
mod elements;
mod faults;
mod file;
mod frames;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod jpeg;
mod tune;

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use gstreamer::{self as gst, prelude::*};
use gstreamer_app::AppSink;
use tokio::sync::Notify;

pub use elements::gstreamer;
pub use file::{FileError, clip, clip_until, still};
pub use jpeg::{JpegError, jpeg};

use super::{Error, Latest, Spec, Stream, clock::Timeline, description::Slots, error::remedy, pace::Pace};
use crate::frame::{Frame, Stamp};

/// How long the end of a run waits for a dead camera's pipeline; its thread goes on without us after that. Short: the
/// camera's loss is told after it.
const CLOSE_WITHIN: Duration = Duration::from_millis(800);

/// Chosen frames between `sample` and the appsink; more are only in flight where a description adds queues.
const IN_FLIGHT: usize = 32;

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
    /// Holes in the numbers of packets.
    losses: AtomicU64,
    stream: Arc<Mutex<Stream>>,
    /// RTSP requests of this attempt, and of its present step.
    requests: AtomicU32,
    requests_of_step: AtomicU32,
    /// We are leaving the camera, for whatever reason: the last step.
    is_leaving: AtomicBool,
    /// Streams that the camera announced and that are no video.
    other_streams: AtomicBool,
    video_streams: AtomicBool,
    /// How the video is coded, as the camera announced it.
    announced: Mutex<Option<String>>,
    /// Packets came.
    streams: AtomicBool,
}

/// State of the probe behind the decoder.
struct Sampling {
    timeline: Timeline,
    behind: Option<(Stamp, Duration)>,
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
    owned: Option<(Owned, Alive)>,
}

/// Dropping the last reference of a running GStreamer pipeline aborts the process: this never does.
struct Owned(gst::Pipeline);

/// Counts a pipeline for as long as it lives; one that hangs in its teardown stays counted.
struct Alive(Arc<AtomicUsize>);

impl Alive {
    fn one_of(count: Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        // May block on a dead camera. An error here is one of an element that is thrown away.
        self.0.set_state(gst::State::Null).ok();
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        let Some(owned) = self.leave() else { return };
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
    pub(super) fn start(
        spec: &Spec,
        numbers: Arc<AtomicU64>,
        alive: Arc<AtomicUsize>,
        stream: Arc<Mutex<Stream>>,
    ) -> Result<Self, Error> {
        let failed = |reason: String| pipeline_error(spec, &reason);
        gst::init().map_err(|error| failed(error.to_string()))?;
        let pipeline = parse(spec)?;
        let owned = (Owned(pipeline.clone()), Alive::one_of(alive));
        let shared = Arc::new(Shared::new(spec, numbers, stream));
        let lacks = |name: &str| failed(format!("it has no element named `{name}`"));
        set_address(&pipeline.by_name("source").ok_or_else(|| lacks("source"))?, spec)?;
        let sample = pipeline.by_name("sample").and_then(|element| element.static_pad("src"));
        let sample = sample.ok_or_else(|| lacks("sample"))?;
        frames::choose(&sample, &shared);
        let sink = pipeline.by_name("frames").and_then(|element| element.downcast::<AppSink>().ok());
        frames::receive(&sink.ok_or_else(|| lacks("frames"))?, &shared);
        tune::all(&pipeline, &shared);
        if !tune::scale(&pipeline, spec.canvas.filter) {
            let reason = "the model wants pictures that are scaled bicubically, and no element of it but `videoscale` can do \
                          that; use `rtsp-cpu`, or scale with `videoscale`";
            return Err(failed(reason.to_owned()));
        }
        if !tune::fit(&pipeline, &sample, spec.canvas) {
            let reason = "the model wants pictures with their proportions, and nothing in it says their size; scale to \
                          `video/x-raw,width={width},height={height}`, as `rtsp-cpu` does";
            return Err(failed(reason.to_owned()));
        }
        faults::listen(&pipeline, &shared);
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

    /// Since when pictures come later than the jitter buffer explains, and by how much now.
    pub(super) fn behind(&self) -> Option<(Stamp, Duration)> {
        lock(&self.shared.sampling).behind
    }

    /// What to drop, which may block, to stop the pipeline; once.
    fn leave(&mut self) -> Option<(Owned, Alive)> {
        self.shared.requests_of_step.store(0, Ordering::Relaxed);
        self.shared.is_leaving.store(true, Ordering::Relaxed);
        self.owned.take()
    }

    /// Stops the pipeline; waits for it, but not for ever.
    pub(super) async fn close(mut self) {
        if let Some(owned) = self.leave() {
            let closing = tokio::task::spawn_blocking(move || drop(owned));
            // Too late or not: the pipeline is off our hands, and nothing is left to tell.
            tokio::time::timeout(CLOSE_WITHIN, closing).await.ok();
        }
    }
}

fn read(moment: &AtomicU64) -> Option<Stamp> {
    let nanos = moment.load(Ordering::Relaxed);
    (nanos > 0).then(|| Stamp::after_origin(Duration::from_nanos(nanos)))
}

impl Shared {
    fn new(spec: &Spec, numbers: Arc<AtomicU64>, stream: Arc<Mutex<Stream>>) -> Self {
        *lock(&stream) = Stream::default();
        Self {
            spec: spec.clone(),
            numbers,
            frames: Latest::new(),
            sampling: Mutex::new(Sampling {
                timeline: Timeline::default(),
                behind: None,
                pace: Pace::new(spec.frames_per_second),
                chosen: VecDeque::with_capacity(IN_FLIGHT),
            }),
            fault: Mutex::new(None),
            faulted: Notify::new(),
            last_data: AtomicU64::new(0),
            last_picture: AtomicU64::new(0),
            losses: AtomicU64::new(0),
            stream,
            requests: AtomicU32::new(0),
            requests_of_step: AtomicU32::new(0),
            is_leaving: AtomicBool::new(false),
            other_streams: AtomicBool::new(false),
            video_streams: AtomicBool::new(false),
            announced: Mutex::new(None),
            streams: AtomicBool::new(false),
        }
    }

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
    let slots = Slots { size: spec.canvas.size, latency: spec.latency, timeout: spec.silence };
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
