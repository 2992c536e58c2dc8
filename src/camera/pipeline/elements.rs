//! Which parts of GStreamer cameras need, and which of them are not here.

use gstreamer as gst;

use crate::camera::{Error, error::remedy};

/// What `rtsp-cpu` needs for H.264, H.265 and MJPEG.
const NEEDED: [&str; 14] = [
    "rtspsrc",
    "decodebin",
    "identity",
    "videoscale",
    "videoconvert",
    "appsink",
    "rtph264depay",
    "h264parse",
    "avdec_h264",
    "rtph265depay",
    "h265parse",
    "avdec_h265",
    "rtpjpegdepay",
    "avdec_mjpeg",
];

/// GStreamer's version, and an error with its remedy for each element that cameras need and that is not here.
///
/// # Errors
/// GStreamer itself cannot be used.
pub fn gstreamer() -> Result<(String, Vec<Error>), String> {
    gst::init().map_err(|error| error.to_string())?;
    let is_missing = |element: &&str| gst::ElementFactory::find(element).is_none();
    let missing = NEEDED.into_iter().filter(is_missing);
    let missing = missing.map(|element| Error::MissingElement { element: element.to_owned(), remedy: remedy(element) });
    Ok((gst::version_string().to_string(), missing.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tests_run_on_lacks_nothing_and_what_is_needed_has_a_package() {
        let (version, missing) = gstreamer().unwrap();
        assert!(version.starts_with("GStreamer "), "{version}");
        assert_eq!(missing, []);
        for element in NEEDED.into_iter().filter(|element| *element != "identity") {
            assert!(remedy(element).starts_with("install it with"), "{element}: {}", remedy(element));
        }
    }
}
