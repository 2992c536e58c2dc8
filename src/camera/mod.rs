//! A description and a URL become frames, until they break; a picture or video file becomes pictures.
//!
//! Knows no window, prompt or configuration file; never retries by itself: whoever runs it does.

mod address;
mod canvas;
mod clock;
mod description;
mod error;
mod knock;
mod latest;
mod logins;
mod pace;
mod pipeline;
mod retry;
mod room;
mod stream;
mod whole;

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

pub use address::{Address, AddressError};
pub use canvas::{Canvas, Filter, Fit};
pub use description::{Description, DescriptionError, Slots};
pub use error::{Error, Patience};
pub use knock::worth_a_try;
pub use latest::Latest;
pub use logins::{Login, Logins};
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub use pipeline::fuzzing;
pub use pipeline::{FileError, JpegError, clip, clip_until, gstreamer, jpeg, still};
pub use retry::{Retry, Wait};
pub use stream::Stream;
pub use whole::KEYS_STRETCHED;

use crate::{
    frame::{Frame, Stamp},
    name::CameraName,
    supervise::Stop,
};
use pipeline::Pipeline;

/// How much longer than `silence` we wait for a first answer: GStreamer's own time-out then tells more than ours.
const CONNECT_GRACE: Duration = Duration::from_secs(1);

/// Data without a picture is endured for this many times `silence`: key frames may be that far apart.
const PICTURELESS: u32 = 6;

/// Pictures may come so much later than the jitter buffer explains before they count as behind...
const BEHIND: Duration = Duration::from_millis(400);

/// ...if they do for this long: what piled up in a stall is over sooner.
const BEHIND_FOR: Duration = Duration::from_millis(750);

/// A camera whose pipelines hang in their teardown is not given more than these: each holds a thread and sockets.
const STUCK_AT_MOST: usize = 3;

/// What a camera is, as far as receiving it goes. Printing it shows no password.
#[derive(Debug, Clone, PartialEq)]
pub struct Spec {
    /// Its name.
    pub name: CameraName,
    /// Where it is.
    pub address: Address,
    /// How it is received and decoded.
    pub pipeline: Description,
    /// How many frames a second to keep; zero keeps all.
    pub frames_per_second: f64,
    /// What frames are delivered in: what the model asks for.
    pub canvas: Canvas,
    /// The jitter buffer; what comes later is dropped.
    pub latency: Duration,
    /// Nothing received for this long means that the camera is down.
    pub silence: Duration,
    /// Decode key frames only, while the camera sends them often enough.
    pub key_frames_only: bool,
}

impl Spec {
    /// A camera with the defaults: one frame a second, a jitter buffer of 200 ms, down after 5 s of silence.
    pub fn new(name: CameraName, address: Address, pipeline: Description, canvas: impl Into<Canvas>) -> Self {
        Self {
            name,
            address,
            pipeline,
            frames_per_second: 1.0,
            canvas: canvas.into(),
            latency: Duration::from_millis(200),
            silence: Duration::from_secs(5),
            key_frames_only: false,
        }
    }
}

/// One camera. Lives as long as its [`Spec`]; its frames' numbers go on from run to run.
#[derive(Debug)]
pub struct Camera {
    spec: Spec,
    numbers: Arc<AtomicU64>,
    /// Its pipelines that have not yet stopped.
    alive: Arc<AtomicUsize>,
    stream: Arc<Mutex<Stream>>,
    /// No picture came where key frames alone were decoded: they are further apart than that is endured.
    keys_are_too_rare: AtomicBool,
}

impl Camera {
    /// A camera that is not yet received.
    pub fn new(spec: Spec) -> Self {
        Self {
            spec,
            numbers: Arc::default(),
            alive: Arc::default(),
            stream: Arc::default(),
            keys_are_too_rare: AtomicBool::new(false),
        }
    }

    /// How many of its pipelines hang in their teardown. Ask between two runs.
    pub fn stuck(&self) -> usize {
        self.alive.load(Ordering::Relaxed)
    }

    /// What was seen of the stream of its newest run.
    pub fn stream(&self) -> Stream {
        *self.stream.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What it was made of.
    pub const fn spec(&self) -> &Spec {
        &self.spec
    }

    /// Receives the camera until it breaks, which is an error, or until the signal is given. Tries once: retrying,
    /// with [`Error::patience`], is the caller's.
    pub async fn run(&self, frames: &Latest<Frame>, stop: &Stop) -> Result<(), Error> {
        let stuck = self.stuck();
        if stuck >= STUCK_AT_MOST {
            return Err(Error::Stuck { pipelines: stuck });
        }
        let (mut spec, numbers, alive) = (self.spec.clone(), Arc::clone(&self.numbers), Arc::clone(&self.alive));
        spec.key_frames_only &= !self.keys_are_too_rare.load(Ordering::Relaxed);
        let stream = Arc::clone(&self.stream);
        let starting = tokio::task::spawn_blocking(move || {
            room::check()?;
            Pipeline::start(&spec, numbers, alive, stream)
        });
        let pipeline = tokio::select! {
            // The pipeline, once started, stops where it is dropped.
            () = stop.given() => return Ok(()),
            started = starting => started.map_err(|error| self.broken(&error.to_string()))??,
        };
        let ending = tokio::select! {
            () = stop.given() => Ok(()),
            error = self.receive(&pipeline, frames) => Err(error),
        };
        pipeline.close().await;
        self.note_keys(&ending);
        ending
    }

    /// Notes whether key frames are too far apart to decode them alone: a stream whose pictures are damaged gives none, either.
    fn note_keys(&self, ending: &Result<(), Error>) {
        let limit = self.spec.silence * PICTURELESS;
        // from key frame to key frame: the time since the last one is short in each run that has just begun
        let come_often = |(apart, has_ended)| has_ended && apart < limit / 2;
        if self.stream().between_keys().is_some_and(come_often) {
            self.keys_are_too_rare.store(false, Ordering::Relaxed);
        } else if matches!(ending, Err(Error::NoPicture { .. })) {
            self.keys_are_too_rare.store(true, Ordering::Relaxed);
        }
    }

    async fn receive(&self, pipeline: &Pipeline, frames: &Latest<Frame>) -> Error {
        let began = Stamp::now();
        loop {
            let life = Life {
                began,
                last_data: pipeline.last_data(),
                last_picture: pipeline.last_picture(),
                behind: pipeline.behind(),
            };
            let look_again = match life.judge(&self.spec, Stamp::now()) {
                Ok(wait) => wait,
                Err(error) => return error,
            };
            tokio::select! {
                error = pipeline.fault() => return error,
                frame = pipeline.frame() => frames.offer(frame),
                () = tokio::time::sleep(look_again) => {}
            }
        }
    }

    fn broken(&self, reason: &str) -> Error {
        Error::Pipeline { pipeline: self.spec.pipeline.name().to_owned(), reason: reason.to_owned() }
    }
}

/// What was seen of a stream so far.
struct Life {
    began: Stamp,
    last_data: Option<Stamp>,
    last_picture: Option<Stamp>,
    /// Since when pictures come too late, and by how much now.
    behind: Option<(Stamp, Duration)>,
}

impl Life {
    /// How long to go on before looking again, or why the camera counts as down. RTSP over TCP tells of no camera that
    /// stays connected and says nothing: this does.
    fn judge(&self, spec: &Spec, now: Stamp) -> Result<Duration, Error> {
        let Some(last_data) = self.last_data else {
            let limit = spec.silence + CONNECT_GRACE;
            let reason = || {
                format!(
                    "no answer in {} s (a relay that begins when it is asked needs more `silence`)",
                    limit.as_secs_f64()
                )
            };
            return within(limit, now.since(self.began))
                .ok_or_else(|| Error::Unreachable { address: spec.address.to_string(), reason: reason() });
        };
        let silent = within(spec.silence, now.since(last_data)).ok_or(Error::Silent { r#for: spec.silence })?;
        let limit = spec.silence * PICTURELESS;
        let since_picture = now.since(self.last_picture.unwrap_or(self.began));
        let pictureless = within(limit, since_picture).ok_or(Error::NoPicture { r#for: limit })?;
        match self.behind {
            // of one late picture nobody knows whether the next ones are
            Some((since, by)) if self.last_picture.is_some_and(|last| last.since(since) >= BEHIND_FOR) => {
                Err(Error::Behind { by })
            }
            Some(_) => Ok(silent.min(pictureless).min(BEHIND_FOR / 4)),
            None => Ok(silent.min(pictureless)),
        }
    }
}

/// What is left of a limit.
fn within(limit: Duration, elapsed: Duration) -> Option<Duration> {
    limit.checked_sub(elapsed).filter(|left| !left.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Size;

    fn spec() -> Spec {
        Spec::new(
            CameraName::new("door").unwrap(),
            Address::parse("rtsp://cam/s").unwrap(),
            Description::built_in("rtsp-cpu").unwrap(),
            Size { width: 64, height: 48 },
        )
    }

    fn judge(last_data: Option<u64>, last_picture: Option<u64>, now: u64) -> Result<Duration, Error> {
        let at = |seconds| Stamp::after_origin(Duration::from_secs(seconds));
        let spec = spec();
        let (last_data, last_picture) = (last_data.map(at), last_picture.map(at));
        Life { began: at(100), last_data, last_picture, behind: None }.judge(&spec, at(now))
    }

    #[test]
    fn key_frames_are_too_rare_where_they_are_and_not_where_pictures_are_damaged() {
        let spec = spec();
        let limit = spec.silence * PICTURELESS;
        let camera = Camera::new(spec);
        let after = |keys: &[u64], last: u64, ending: Result<(), Error>| {
            let mut stream = Stream::default();
            keys.iter().for_each(|&at| stream.came(true, Duration::from_secs(at)));
            stream.came(false, Duration::from_secs(last));
            *camera.stream.lock().unwrap() = stream;
            camera.note_keys(&ending);
            camera.keys_are_too_rare.load(Ordering::Relaxed)
        };
        let pictureless = || Err(Error::NoPicture { r#for: limit });
        assert!(!after(&[0, 2, 4], 5, pictureless()), "damaged");
        assert!(after(&[0], limit.as_secs() - 1, pictureless()), "the next one did not come");
        assert!(after(&[0], 3, Err(Error::Ended)), "a run that broke soon tells nothing");
        assert!(after(&[0, 40], 41, Err(Error::Ended)));
        assert!(!after(&[0, 2, 4], 5, Err(Error::Ended)), "the camera was set otherwise");
    }

    #[test]
    fn silence_of_each_kind_has_its_own_name() {
        let seconds = Duration::from_secs;
        assert_eq!(judge(None, None, 102), Ok(seconds(4)));
        assert!(matches!(judge(None, None, 106), Err(Error::Unreachable { .. })));
        assert_eq!(judge(Some(110), Some(110), 112), Ok(seconds(3)));
        assert_eq!(judge(Some(110), Some(110), 115), Err(Error::Silent { r#for: seconds(5) }));
        // Data keeps coming, pictures do not: long distances of key frames are endured, not for ever.
        assert_eq!(judge(Some(128), None, 129), Ok(seconds(1)));
        assert_eq!(judge(Some(130), Some(100), 130), Err(Error::NoPicture { r#for: seconds(30) }));
    }

    #[test]
    fn pictures_that_come_ever_later_are_endured_for_a_moment() {
        let at = |milliseconds| Stamp::after_origin(Duration::from_millis(milliseconds));
        let spec = spec();
        let by = Duration::from_millis(1400);
        let judge = |picture, now| {
            let (last_data, last_picture) = (Some(at(now)), Some(at(picture)));
            Life { began: at(0), last_data, last_picture, behind: Some((at(20_000), by)) }.judge(&spec, at(now))
        };
        assert!(judge(20_700, 20_700).is_ok_and(|wait| wait < Duration::from_secs(1)));
        assert_eq!(judge(20_750, 20_750), Err(Error::Behind { by }));
        assert!(judge(20_000, 22_000).is_ok(), "one late picture of a camera that sends one in two seconds");
    }
}
