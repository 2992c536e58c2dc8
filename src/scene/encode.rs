//! How pictures become a stream: GStreamer's text for each codec. Pure.

use super::Spec;

/// How video is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// H.264 (AVC).
    H264,
    /// H.265 (HEVC).
    H265,
    /// A JPEG a frame.
    Mjpeg,
}

/// The element that is given the pictures, and the encoder behind it. `is_live` keeps old pictures from piling up.
fn encoder(spec: &Spec, codec: Codec, is_live: bool) -> String {
    let source = if is_live {
        // Pictures that the network did not take in time are lost, not late.
        "appsrc name=pictures format=time is-live=true max-bytes=0 max-buffers=4 leaky-type=downstream"
    } else {
        "appsrc name=pictures format=time max-bytes=0 max-buffers=4 block=true"
    };
    let Spec { key_frame_distance: distance, kbit_per_second: rate, .. } = spec;
    let encode = match codec {
        Codec::H264 => format!(
            "video/x-raw,format=I420 ! x264enc tune=zerolatency speed-preset=veryfast threads=1 bitrate={rate} \
             key-int-max={distance} ! video/x-h264,profile=main ! h264parse"
        ),
        Codec::H265 => format!(
            "video/x-raw,format=I420 ! x265enc tune=zerolatency speed-preset=ultrafast bitrate={rate} \
             key-int-max={distance} option-string=pools=1:frame-threads=1:log-level=0 ! h265parse"
        ),
        Codec::Mjpeg => "video/x-raw,format=I420 ! jpegenc quality=85".to_owned(),
    };
    format!("{source} ! videoconvert n-threads=1 ! {encode}")
}

/// What an RTSP server streams: payloaders `pay0`, `pay1` as it expects them.
pub(super) fn for_rtsp(spec: &Spec) -> String {
    let video = spec.video.map(|codec| {
        let pay = match codec {
            // Parameter sets with each key frame: viewers come late, and the size may change.
            Codec::H264 => "rtph264pay config-interval=-1",
            Codec::H265 => "rtph265pay config-interval=-1",
            Codec::Mjpeg => "rtpjpegpay",
        };
        format!("{} ! {pay} name=pay0 pt=96", encoder(spec, codec, true))
    });
    let number = usize::from(video.is_some());
    let sound = (spec.sound || video.is_none())
        .then(|| format!("audiotestsrc is-live=true ! alawenc ! rtppcmapay name=pay{number} pt=8"));
    let parts: Vec<String> = video.into_iter().chain(sound).collect();
    format!("( {} )", parts.join("  "))
}

/// What writes a file; the container follows its ending. `None` for other endings, or without video.
pub(super) fn for_file(spec: &Spec, ending: &str) -> Option<String> {
    let muxer = match ending {
        "mkv" => "matroskamux",
        "mp4" => "mp4mux",
        _ => return None,
    };
    Some(format!("{} ! {muxer} ! filesink name=file", encoder(spec, spec.video?, false)))
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Drawn, Source},
        *,
    };

    #[test]
    fn each_stream_has_its_payloader() {
        let spec = Spec::new(Source::Drawn(Drawn { seed: 1, barcode: None, gate: None }));
        assert!(for_rtsp(&spec).contains("key-int-max=10"));
        assert!(!for_rtsp(&spec).contains("audiotestsrc"));
        let both = for_rtsp(&Spec { sound: true, ..spec.clone() });
        assert!(both.contains("rtph264pay config-interval=-1 name=pay0") && both.contains("rtppcmapay name=pay1"));
        let deaf = Spec { video: None, ..spec.clone() };
        assert!(for_rtsp(&deaf).contains("rtppcmapay name=pay0") && for_file(&deaf, "mkv").is_none());
        assert!(for_file(&spec, "mkv").is_some() && for_file(&spec, "avi").is_none());
    }
}
