//! Why a camera broke, in words that its owner can act on.

use std::time::Duration;

/// The most pixels of a picture that is decoded, 16 million: a 4K camera has half of it, a damaged header anything.
pub(super) const LARGEST: u64 = 16 << 20;

/// How soon a camera is worth another try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// With the usual growing wait: it may be back at any time.
    Soon,
    /// At most twice in half an hour: cameras lock accounts after a few wrong passwords.
    Seldom,
    /// After this.
    After(Duration),
}

/// Why [`run`](super::Camera::run) ended. Holds no password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nobody answered at the address.
    #[error("cannot reach `{address}`: {reason}; is the camera on, and are host and port right?")]
    Unreachable {
        /// The address, redacted.
        address: String,
        /// What the network said.
        reason: String,
    },
    /// The camera answered with an error of its own.
    #[error("`{address}` refused with status {code}{}", meaning(*.code))]
    Refused {
        /// The address, redacted.
        address: String,
        /// RTSP status code.
        code: u16,
    },
    /// User or password are missing or wrong.
    #[error("`{address}` did not accept the user and password; set them in the camera's `url`")]
    Credentials {
        /// The address, redacted.
        address: String,
    },
    /// User and password were refused for another camera of the same host, and were not tried.
    #[error("`{address}`: its host refused this user and password for another camera; set them in the cameras' `url`")]
    Barred {
        /// The address, redacted.
        address: String,
        /// For so long they will not be tried.
        left: Duration,
    },
    /// What the camera answered is not RTSP, or describes no stream that can be.
    #[error("`{address}` answered what cannot be understood: {reason}")]
    Malformed {
        /// The address, redacted.
        address: String,
        /// What GStreamer said.
        reason: String,
    },
    /// There is no such stream or file.
    #[error("there is no `{address}`; check the path behind the host")]
    NotFound {
        /// The address, redacted.
        address: String,
    },
    /// The stream holds no video.
    #[error("`{address}` holds no video")]
    NoVideo {
        /// The address, redacted.
        address: String,
    },
    /// Connected, but nothing came.
    #[error("nothing came for {} s", .r#for.as_secs_f64())]
    Silent {
        /// How long.
        r#for: Duration,
    },
    /// Data came, but no picture.
    #[error(
        "data came for {} s, but not one whole picture: its key frames are farther apart, or the stream is damaged; set the \
         camera's key frame interval (GOP) to one or two seconds",
        .r#for.as_secs_f64()
    )]
    NoPicture {
        /// How long.
        r#for: Duration,
    },
    /// Pictures come ever later than they were taken.
    #[error(
        "pictures come {:.1} s late, and ever later: the network carries less than the camera sends; use its smaller stream",
        .by.as_secs_f64()
    )]
    Behind {
        /// How much later than at the beginning.
        by: Duration,
    },
    /// The picture is larger than any that is decoded.
    #[error("its picture of {width}x{height} is larger than {most} million pixels; use its smaller stream", most = LARGEST >> 20)]
    TooLarge {
        /// Pixels from left to right.
        width: u32,
        /// Pixels from top to bottom.
        height: u32,
    },
    /// Earlier pipelines of this camera hang in their teardown: another one would hang, too.
    #[error("{pipelines} earlier pipelines of this camera do not stop")]
    Stuck {
        /// How many.
        pipelines: usize,
    },
    /// The process has come near a limit of what it may have: with another camera, none would be safe.
    #[error(
        "no room for another camera: of {limit} {what}, {taken} are taken, and a camera wants {needed}; raise {remedy}"
    )]
    NoRoom {
        /// What there is too little of.
        what: &'static str,
        /// How many the process may have.
        limit: u64,
        /// How many it has.
        taken: u64,
        /// How many are to be free.
        needed: u64,
        /// What sets the limit.
        remedy: &'static str,
    },
    /// The stream ended: the camera hung up, or the file is over.
    #[error("the stream ended")]
    Ended,
    /// An element of GStreamer that the pipeline needs is not here.
    #[error("GStreamer has no `{element}`; {remedy}")]
    MissingElement {
        /// The element, or what kind of element.
        element: String,
        /// What to do about it.
        remedy: String,
    },
    /// The description is not a pipeline, or one of its elements failed.
    #[error("the pipeline `{pipeline}` failed: {reason}")]
    Pipeline {
        /// The description's name.
        pipeline: String,
        /// What GStreamer said, redacted.
        reason: String,
    },
}

impl Error {
    /// How soon to try again.
    pub const fn patience(&self) -> Patience {
        match self {
            Self::Credentials { .. } | Self::Refused { code: 403, .. } => Patience::Seldom,
            Self::Barred { left, .. } => Patience::After(*left),
            _ => Patience::Soon,
        }
    }
}

/// What a camera usually means by a status code.
const fn meaning(code: u16) -> &'static str {
    match code {
        403 => " (forbidden): this user may not see this stream",
        453 | 503 => " (busy): it serves as many viewers as it can",
        461 => " (unsupported transport): it does not speak RTP over TCP",
        454 => " (no such session)",
        500..=599 => " (an error inside the camera)",
        _ => "",
    }
}

/// What to do when GStreamer does not know an element.
pub(super) fn remedy(element: &str) -> String {
    const GPU: &str = "it is there only with that GPU and its driver; else use the pipeline `rtsp-cpu`";
    let package = match element {
        _ if element.starts_with("nv") || element.starts_with("cuda") => {
            return format!("install gstreamer1.0-plugins-bad and the NVIDIA driver: {GPU}");
        }
        _ if element.starts_with("va") && element != "valve" => {
            return format!("install gstreamer1.0-plugins-bad and a VA-API driver: {GPU}");
        }
        _ if element.starts_with("avdec_") || element.starts_with("avenc_") => "gstreamer1.0-libav",
        "rtspsrc" | "rtpjpegdepay" | "rtph264depay" | "rtph265depay" | "jpegdec" | "jpegenc" | "avidemux"
        | "qtdemux" | "matroskademux" | "matroskamux" | "mp4mux" | "rtph264pay" | "rtph265pay" | "rtpjpegpay" => {
            "gstreamer1.0-plugins-good"
        }
        "h264parse" | "h265parse" | "x265enc" | "openh264enc" | "openh264dec" => "gstreamer1.0-plugins-bad",
        "x264enc" => "gstreamer1.0-plugins-ugly",
        "decodebin" | "parsebin" | "videoscale" | "videoconvert" | "videorate" | "videotestsrc" | "appsink"
        | "appsrc" => "gstreamer1.0-plugins-base",
        _ => {
            return format!("check its spelling with `gst-inspect-1.0 {element}`, or install the plugin that holds it");
        }
    };
    format!("install it with `apt-get install {package}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_locks_accounts_is_tried_seldom() {
        let address = String::from("rtsp://cam/s");
        assert_eq!(Error::Credentials { address: address.clone() }.patience(), Patience::Seldom);
        assert_eq!(Error::Refused { address: address.clone(), code: 503 }.patience(), Patience::Soon);
        assert_eq!(Error::NotFound { address }.patience(), Patience::Soon);
    }

    #[test]
    fn a_missing_element_names_the_package() {
        for (element, package) in [
            ("rtspsrc", "gstreamer1.0-plugins-good"),
            ("h264parse", "gstreamer1.0-plugins-bad"),
            ("avdec_h265", "gstreamer1.0-libav"),
            ("x264enc", "gstreamer1.0-plugins-ugly"),
            ("nvh264dec", "NVIDIA driver"),
            ("vah264dec", "VA-API driver"),
            ("mything", "gst-inspect-1.0 mything"),
        ] {
            assert!(remedy(element).contains(package), "{element}: {}", remedy(element));
        }
    }
}
