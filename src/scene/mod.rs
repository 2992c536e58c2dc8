//! The test camera: real footage or a drawn street, served over RTSP as a camera would, or written to a file.
//!
//! Time in a scene is frames over its rate, from its start. What was shown when is always known: that is the point.

mod barcode;
mod chance;
mod clip;
mod drawn;
mod encode;
mod footage;
mod paint;
mod server;
mod spoilt;

use std::{path::PathBuf, time::Duration};

pub use barcode::Barcode;
pub use clip::{Clip, clip};
pub use drawn::{Colour, Heading, Kind, Object, Truth, truth};
pub use encode::Codec;
pub use server::{Served, serve};
pub use spoilt::Spoilt;

use crate::frame::Size;

/// What a scene shows and how it is encoded. Printing it shows no password.
#[derive(Debug, Clone, PartialEq)]
pub struct Spec {
    /// What is shown.
    pub source: Source,
    /// Pixels; even numbers, and multiples of 8 for MJPEG.
    pub size: Size,
    /// Frames a second.
    pub frames_per_second: u32,
    /// How the video is encoded; `None` serves no video at all.
    pub video: Option<Codec>,
    /// Whether a tone is served beside it, as most cameras do.
    pub sound: bool,
    /// Frames from one key frame to the next.
    pub key_frame_distance: u32,
    /// Bits a second of H.264 and H.265.
    pub kbit_per_second: u32,
    /// Where in the scene it begins.
    pub start: Duration,
    /// Who may watch; `None` is everybody.
    pub login: Option<Login>,
}

impl Spec {
    /// A scene of 640x480 at 10 frames a second in H.264, a key frame each second, for everybody.
    pub const fn new(source: Source) -> Self {
        Self {
            source,
            size: Size { width: 640, height: 480 },
            frames_per_second: 10,
            video: Some(Codec::H264),
            sound: false,
            key_frame_distance: 10,
            kbit_per_second: 2000,
            start: Duration::ZERO,
            login: None,
        }
    }

    /// What is shown this long after the beginning, `start` included.
    pub fn showing(&self, since_began: Duration) -> Showing {
        self.showing_at((self.start + since_began).as_secs_f64())
    }

    fn showing_at(&self, scene_s: f64) -> Showing {
        match &self.source {
            Source::Footage(footage) => footage.showing(scene_s),
            Source::Drawn(_) => {
                let rate = f64::from(self.frames_per_second.max(1));
                let frame = (scene_s * rate + 1e-6) as u64;
                Showing::Drawn { frame, at_s: frame as f64 / rate }
            }
        }
    }
}

/// What a scene shows.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// A stretch of a recording.
    Footage(Footage),
    /// The drawn street.
    Drawn(Drawn),
}

/// A stretch of a recording by a fixed camera, and its own empty background after it.
#[derive(Debug, Clone, PartialEq)]
pub struct Footage {
    /// A file that GStreamer can decode and seek in.
    pub file: PathBuf,
    /// Where the stretch begins, in seconds of the recording.
    pub from_s: f64,
    /// Where it ends.
    pub to_s: f64,
    /// How long the background is shown after each time through.
    pub background_gap_s: f64,
    /// The part shown: left, top, right, bottom in fractions of the picture.
    pub crop: Option<[f64; 4]>,
    /// Whether it begins again after that; else the background stays.
    pub repeat: bool,
}

impl Footage {
    /// The whole stretch over and over, with 10 s of background between.
    pub const fn new(file: PathBuf, from_s: f64, to_s: f64) -> Self {
        Self { file, from_s, to_s, background_gap_s: 10.0, crop: None, repeat: true }
    }

    fn showing(&self, scene_s: f64) -> Showing {
        let length_s = (self.to_s - self.from_s).max(0.0);
        let round_s = length_s + self.background_gap_s.max(0.0);
        let into_s = if self.repeat && round_s > 0.0 { scene_s % round_s } else { scene_s };
        if into_s < length_s { Showing::Footage { at_s: self.from_s + into_s } } else { Showing::Background }
    }
}

/// The drawn street of a seed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drawn {
    /// Other seeds, other people and cars.
    pub seed: u64,
    /// The camera's number (0 to 63) in the [`Barcode`] over the top quarter of the picture; `None` paints none.
    pub barcode: Option<u8>,
    /// A gate in the wall that is open for so long, then shut for as long, and so on; `None` draws none.
    pub gate: Option<Duration>,
}

impl Drawn {
    /// What is true at this second of the scene.
    pub fn truth(&self, at_s: f64) -> Truth {
        let rounds = |gate: Duration| (at_s / gate.as_secs_f64().max(1e-3) + 1e-6) as u64;
        Truth { gate_open: self.gate.map(|gate| rounds(gate) % 2 == 0), ..truth(self.seed, at_s) }
    }
}

/// What is shown at a moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Showing {
    /// The recording.
    Footage {
        /// At this second of it.
        at_s: f64,
    },
    /// The recording's empty background.
    Background,
    /// The drawn street.
    Drawn {
        /// This frame of it.
        frame: u64,
        /// The scene's time of that frame: [`truth`] tells what is there.
        at_s: f64,
    },
}

/// Who may watch a scene.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// The user.
    pub user: String,
    /// The password.
    pub password: String,
    /// Whether the password is proven by a digest (RFC 2617), else sent as it is.
    pub digest: bool,
}

impl Login {
    /// A user and a password, proven by a digest.
    pub fn new(user: &str, password: &str) -> Self {
        Self { user: user.to_owned(), password: password.to_owned(), digest: true }
    }
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login").field("digest", &self.digest).finish_non_exhaustive()
    }
}

/// A picture of a scene.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Its size.
    pub size: Size,
    /// RGB and an unused fourth byte, 8 bits each, rows from the top, no padding: `height * width * 4` bytes.
    pub rgba: Vec<u8>,
}

impl Picture {
    /// A picture of one colour.
    pub fn filled(size: Size, [r, g, b]: [u8; 3]) -> Self {
        Self { size, rgba: [r, g, b, 255].repeat(size.width as usize * size.height as usize) }
    }
}

/// Why a scene cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The recording cannot be played.
    #[error("cannot play `{file}`: {reason}")]
    Footage {
        /// The file.
        file: String,
        /// What GStreamer said.
        reason: String,
    },
    /// A value of the [`Spec`] that cannot be.
    #[error("a scene cannot have {0}")]
    Spec(&'static str),
    /// The port is taken.
    #[error("cannot serve on 127.0.0.1:{port}: {reason}; port 0 takes a free one")]
    Port {
        /// The port asked for.
        port: u16,
        /// What the system said.
        reason: String,
    },
    /// GStreamer lacks something, or an element failed.
    #[error("GStreamer cannot show the scene: {0}")]
    Pipeline(String),
    /// A file cannot be written.
    #[error("cannot write `{file}`")]
    Write {
        /// The file or folder.
        file: String,
        /// Why.
        source: std::io::Error,
    },
}

impl Spec {
    fn check(&self) -> Result<(), Error> {
        let Size { width, height } = self.size;
        let grid = if self.video == Some(Codec::Mjpeg) { 8 } else { 2 };
        match () {
            () if width == 0 || height == 0 || width > 4096 || height > 4096 => {
                Err(Error::Spec("a size outside 1 to 4096"))
            }
            () if width % grid != 0 || height % grid != 0 => {
                Err(Error::Spec("a size that is not even, or for MJPEG not a multiple of 8"))
            }
            () if !(1..=120).contains(&self.frames_per_second) => Err(Error::Spec("a rate outside 1 to 120")),
            () if self.key_frame_distance == 0 => Err(Error::Spec("a key-frame distance of 0")),
            () if matches!(&self.source, Source::Footage(f) if f.crop.is_some_and(|crop| !is_part(crop))) => {
                Err(Error::Spec("a crop that is not left, top, right, bottom within 0 to 1"))
            }
            () => Ok(()),
        }
    }
}

fn is_part([left, top, right, bottom]: [f64; 4]) -> bool {
    0.0 <= left && left < right && right <= 1.0 && 0.0 <= top && top < bottom && bottom <= 1.0
}

/// Makes the pictures of a scene, one after the other.
enum Player {
    Footage(Box<footage::Player>),
    Drawn(Drawn),
}

impl Player {
    fn new(spec: &Spec) -> Result<Self, Error> {
        match &spec.source {
            Source::Footage(footage) => {
                let mut player = footage::Player::new(footage.clone())?;
                if footage.background_gap_s > 0.0 || !footage.repeat {
                    // Takes seconds, which no viewer is to notice.
                    player.background(spec.size)?;
                }
                Ok(Self::Footage(Box::new(player)))
            }
            Source::Drawn(drawn) => Ok(Self::Drawn(drawn.clone())),
        }
    }

    /// The picture of what is shown. Footage is quick in order and slow across jumps.
    fn picture(&mut self, showing: Showing, size: Size) -> Result<Picture, Error> {
        match (self, showing) {
            (Self::Footage(player), Showing::Footage { at_s }) => player.picture(at_s, size),
            (Self::Footage(player), _) => player.background(size),
            (Self::Drawn(drawn), Showing::Drawn { frame, at_s }) => {
                let mut picture = paint::paint(&drawn.truth(at_s), size).ok_or(Error::Spec("a size beyond memory"))?;
                if let Some(camera) = drawn.barcode {
                    Barcode::new(camera, frame).write(&mut picture);
                }
                Ok(picture)
            }
            (Self::Drawn(_), _) => Err(Error::Spec("footage in a drawn scene")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn footage_loops_with_its_background_between() {
        let footage = Footage::new("street.avi".into(), 40.0, 70.0);
        let spec = Spec { start: Duration::from_secs(5), ..Spec::new(Source::Footage(footage.clone())) };
        let showing = |seconds| spec.showing(Duration::from_secs(seconds));
        assert_eq!(showing(0), Showing::Footage { at_s: 45.0 });
        assert_eq!(showing(24), Showing::Footage { at_s: 69.0 });
        assert_eq!(showing(25), Showing::Background);
        assert_eq!(showing(35), Showing::Footage { at_s: 40.0 });
        let once = Spec::new(Source::Footage(Footage { repeat: false, ..footage }));
        assert_eq!(once.showing(Duration::from_secs(1000)), Showing::Background);
    }

    #[test]
    fn a_drawn_frame_has_the_time_of_its_number() {
        let spec = Spec::new(Source::Drawn(Drawn { seed: 1, barcode: None, gate: None }));
        assert_eq!(spec.showing(Duration::from_millis(1234)), Showing::Drawn { frame: 12, at_s: 1.2 });
    }

    #[test]
    fn a_gate_is_open_as_long_as_it_is_shut() {
        let drawn = Drawn { seed: 1, barcode: None, gate: Some(Duration::from_millis(2500)) };
        let is_open = [0.0, 2.4, 2.5, 4.9, 5.0, 7.4, 7.5].map(|at_s| drawn.truth(at_s).gate_open.unwrap());
        assert_eq!(is_open, [true, true, false, false, true, true, false]);
        assert_eq!(Drawn { gate: None, ..drawn }.truth(0.0), truth(1, 0.0));
    }

    #[test]
    fn what_cannot_be_encoded_is_refused() {
        let spec = Spec::new(Source::Drawn(Drawn { seed: 1, barcode: None, gate: None }));
        assert!(spec.check().is_ok());
        let odd = Spec { size: Size { width: 641, height: 480 }, ..spec.clone() };
        assert!(odd.check().is_err());
        assert!(Spec { size: Size { width: 644, height: 480 }, video: Some(Codec::Mjpeg), ..spec }.check().is_err());
    }
}
