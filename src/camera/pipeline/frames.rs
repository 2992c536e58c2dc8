//! Which pictures become frames, and how: chosen behind the decoder, taken at the appsink.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use gstreamer::{self as gst, prelude::*};
use gstreamer_app::{AppSink, AppSinkCallbacks};
use gstreamer_video::{VideoFormat, VideoFrameExt, VideoFrameRef, VideoInfo};

use super::{IN_FLIGHT, Shared, lock, pipeline_error};
use crate::{
    camera::{BEHIND, Canvas, Fit},
    frame::{Frame, Size, Stamp},
};

/// Chooses frames behind the decoder: what is dropped here is neither scaled nor converted.
pub(super) fn choose(pad: &gst::Pad, shared: &Arc<Shared>) {
    let shared = Arc::clone(shared);
    pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        let Some(buffer) = info.buffer() else { return gst::PadProbeReturn::Ok };
        shared.saw(&shared.last_data);
        let arrival = shared.saw(&shared.last_picture);
        let time = buffer.pts().and_then(|pts| running_time(pad, pts));
        let mut sampling = lock(&shared.sampling);
        let taken = sampling.timeline.taken(time, arrival);
        let limit = shared.spec.latency + BEHIND;
        sampling.behind = sampling.timeline.behind().filter(|by| *by > limit).map(|by| {
            let since = sampling.behind.map_or(arrival, |(since, _)| since);
            (since, by)
        });
        if buffer.flags().contains(gst::BufferFlags::CORRUPTED) {
            return gst::PadProbeReturn::Drop;
        }
        if !sampling.pace.keep(taken.since_origin()) {
            return gst::PadProbeReturn::Drop;
        }
        if sampling.chosen.len() == IN_FLIGHT {
            sampling.chosen.pop_front();
        }
        sampling.chosen.push_back((buffer.pts(), taken));
        gst::PadProbeReturn::Ok
    });
}

/// The time since the stream began: of a PTS that counts from another moment, as that of a recording cut in pieces does.
pub(super) fn running_time(pad: &gst::Pad, pts: gst::ClockTime) -> Option<Duration> {
    let event = pad.sticky_event::<gst::event::Segment>(0)?;
    let running = event.segment().downcast_ref::<gst::ClockTime>()?.to_running_time(pts)?;
    Some(Duration::from_nanos(running.nseconds()))
}

/// Takes what reaches the appsink.
pub(super) fn receive(sink: &AppSink, shared: &Arc<Shared>) {
    let caps = gst::Caps::builder("video/x-raw").field("format", "RGB");
    let Canvas { size: Size { width, height }, fit, .. } = shared.spec.canvas;
    let side = |side: u32| i32::try_from(side).unwrap_or(i32::MAX);
    // A description may leave it to the appsink to say the size. Where proportions are kept, nobody knows it yet.
    let caps = match fit {
        Fit::Stretch => caps.field("width", side(width)).field("height", side(height)),
        Fit::Inside { .. } | Fit::Crop => caps,
    };
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
    let pts = sample.buffer().and_then(gst::BufferRef::pts);
    let (size, pixels) = picture(sample, shared.spec.canvas)?;
    let taken = {
        let mut sampling = lock(&shared.sampling);
        // Those before it were dropped on the way.
        match sampling.chosen.iter().position(|(chosen, _)| *chosen == pts) {
            Some(at) => sampling.chosen.drain(..=at).next_back(),
            None => sampling.chosen.pop_front(),
        }
    };
    Ok(Frame {
        number: shared.numbers.fetch_add(1, Ordering::Relaxed),
        taken: taken.map_or_else(Stamp::now, |(_, taken)| taken),
        size,
        pixels: pixels.into(),
    })
}

/// A sample's picture as a frame has it.
pub(super) fn picture(sample: &gst::Sample, canvas: Canvas) -> Result<(Size, Vec<u8>), String> {
    let (size, pixels) = pixels(sample)?;
    canvas.cut(size, pixels)
}

/// A sample's picture, rows without padding.
pub(super) fn pixels(sample: &gst::Sample) -> Result<(Size, Vec<u8>), String> {
    let (Some(buffer), Some(caps)) = (sample.buffer(), sample.caps()) else {
        return Err("a sample without a picture reached the appsink".to_owned());
    };
    let info = VideoInfo::from_caps(caps).map_err(|error| error.to_string())?;
    if !info.is_valid() || info.format() != VideoFormat::Rgb {
        return Err(format!("`{caps}` are no caps of an RGB picture"));
    }
    let picture = VideoFrameRef::from_buffer_ref_readable(buffer, &info).map_err(|error| error.to_string())?;
    let size = Size { width: picture.width(), height: picture.height() };
    let row = size.width as usize * 3;
    let stride = usize::try_from(picture.plane_stride()[0]).map_err(|_| "rows run upwards".to_owned())?;
    let plane = picture.plane_data(0).map_err(|error| error.to_string())?;
    let mut pixels = Vec::with_capacity(row * size.height as usize);
    for line in plane.chunks(stride.max(1)).take(size.height as usize) {
        pixels.extend_from_slice(line.get(..row).ok_or("a row is shorter than the picture is wide")?);
    }
    Ok((size, pixels))
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use super::*;

    #[test]
    fn what_is_no_picture_of_rgb_is_an_error_whatever_its_caps_say() {
        gst::init().unwrap();
        let read = |caps: &str, bytes: usize| {
            let (buffer, caps) = (gst::Buffer::from_slice(vec![7; bytes]), gst::Caps::from_str(caps).unwrap());
            pixels(&gst::Sample::builder().buffer(&buffer).caps(&caps).build())
        };
        let rgb = "video/x-raw,format=RGB,width=4,height=2";
        assert_eq!(read(rgb, 24), Ok((Size { width: 4, height: 2 }, vec![7; 24])));
        assert!(read(rgb, 23).is_err());
        for caps in ["video/x-raw,format=I420,width=4,height=2", "video/x-raftrm,width=4", "video/x-h264", "image/jpeg"]
        {
            assert!(read(caps, 24).is_err(), "{caps}");
        }
    }
}
