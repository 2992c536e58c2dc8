//! A door for fuzz targets: what is read of a camera's caps, packets and coded pictures. What of them is SDP, and which
//! of them are key frames, GStreamer reads.

use std::{
    str::FromStr,
    sync::{Arc, Mutex},
    time::Duration,
};

use gstreamer::{self as gst, prelude::*};

use super::{Shared, decoder, frames, lock};
use crate::{
    camera::{Address, Description, Spec, clock::Timeline, pace::Pace},
    frame::{Size, Stamp},
    name::CameraName,
};

/// A picture of these caps in these bytes, as it is taken at the end of a pipeline; `None` where the caps are none.
pub fn picture(caps: &str, bytes: &[u8]) -> Option<Result<(Size, Vec<u8>), String>> {
    gst::init().ok()?;
    let caps = gst::Caps::from_str(caps).ok().filter(|caps| caps.is_fixed())?;
    let buffer = gst::Buffer::from_slice(bytes.to_vec());
    Some(frames::pixels(&gst::Sample::builder().buffer(&buffer).caps(&caps).build()))
}

/// A stream from its packets to its decoder: what is seen of the packets, and which coded pictures are let through.
#[derive(Debug)]
pub struct Stream {
    packets: gst::Pad,
    units: gst::Pad,
    /// Those that were let through.
    passed: Arc<Mutex<usize>>,
    /// Kept, because what is linked holds nothing of each other.
    lines: [(gst::Element, gst::Pad); 2],
}

impl Stream {
    /// A stream that begins; `None` without GStreamer.
    pub fn new() -> Option<Self> {
        gst::init().ok()?;
        let address = Address::parse("rtsp://camera/stream").ok()?;
        let size = Size { width: 64, height: 48 };
        let spec = Spec::new(CameraName::new("fuzz").ok()?, address, Description::built_in("rtsp-cpu")?, size);
        let shared = Arc::new(Shared::new(&spec, Arc::default(), Arc::default()));
        let passed = Arc::new(Mutex::new(0));
        let (packets, first) = line(&Arc::default(), |element| decoder::watch_packets(element, &shared))?;
        let (units, second) = line(&passed, |element| decoder::watch(element, &shared))?;
        Some(Self { packets, units, passed, lines: [first, second] })
    }

    /// A packet of RTP arrives.
    pub fn packet(&self, bytes: &[u8]) {
        self.packets.push(gst::Buffer::from_slice(bytes.to_vec())).ok();
    }

    /// A coded picture reaches the decoder; whether it was let through.
    pub fn unit(&self, is_key: bool, interrupted: bool) -> bool {
        let mut buffer = gst::Buffer::from_slice([0]);
        let mut flags = gst::BufferFlags::empty();
        flags.set(gst::BufferFlags::DELTA_UNIT, !is_key);
        flags.set(gst::BufferFlags::DISCONT, interrupted);
        buffer.make_mut().set_flags(flags);
        let before = *lock(&self.passed);
        self.units.push(buffer).ok();
        *lock(&self.passed) > before
    }
}

/// A pad to push into, before an element that is watched, and which counts what comes out of it.
fn line(passed: &Arc<Mutex<usize>>, watch: impl FnOnce(&gst::Element)) -> Option<(gst::Pad, (gst::Element, gst::Pad))> {
    let element = gst::ElementFactory::make("identity").build().ok()?;
    watch(&element);
    let passed = Arc::clone(passed);
    let end = gst::Pad::builder(gst::PadDirection::Sink)
        .chain_function(move |_, _, _| {
            *lock(&passed) += 1;
            Ok(gst::FlowSuccess::Ok)
        })
        .build();
    let begin = gst::Pad::new(gst::PadDirection::Src);
    end.set_active(true).ok()?;
    begin.set_active(true).ok()?;
    element.static_pad("src")?.link(&end).ok()?;
    begin.link(&element.static_pad("sink")?).ok()?;
    element.set_state(gst::State::Playing).ok()?;
    begin.push_event(gst::event::StreamStart::new("fuzz"));
    begin.push_event(gst::event::Segment::new(&gst::FormattedSegment::<gst::ClockTime>::new()));
    Some((begin, (element, end)))
}

impl Drop for Stream {
    fn drop(&mut self) {
        for (element, _) in &self.lines {
            element.set_state(gst::State::Null).ok();
        }
    }
}

/// When frames were taken that have these time stamps and arrive so long after each other, and which of them are kept.
pub fn taken(frames_per_second: f64, frames: &[(Option<Duration>, Duration)]) -> Vec<(Stamp, Stamp, bool)> {
    let (mut timeline, mut pace) = (Timeline::default(), Pace::new(frames_per_second));
    let mut now = Duration::from_secs(1);
    let one = |&(pts, after): &(Option<Duration>, Duration)| {
        now = now.saturating_add(after);
        let arrival = Stamp::after_origin(now);
        (timeline.taken(pts, arrival), arrival, pace.keep(pts.unwrap_or(now)))
    };
    frames.iter().map(one).collect()
}
