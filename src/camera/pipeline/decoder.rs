//! What goes into a decoder and comes out of it: only whole pictures, of a size that can be borne.

use std::{
    sync::{Arc, Mutex, atomic::Ordering},
    time::Duration,
};

use gstreamer::{self as gst, prelude::*};

use super::{Shared, damage, lock};
use crate::{
    camera::{
        Error,
        error::LARGEST,
        whole::{Coded, Whole},
    },
    frame::Size,
};

/// Sees RTP packets come, and counts holes in their numbers.
pub(super) fn watch_packets(depayloader: &gst::Element, shared: &Arc<Shared>) {
    let Some(pad) = depayloader.static_pad("sink") else { return };
    let (shared, seen) = (Arc::clone(shared), Arc::clone(shared));
    let last = Mutex::new(None);
    let check = move |buffer: &gst::BufferRef| {
        let Some(number) = number_of(buffer) else { return };
        let before = lock(&last).replace(number);
        if before.is_some_and(|before: u16| before.wrapping_add(1) != number) {
            shared.losses.fetch_add(1, Ordering::Relaxed);
        }
    };
    pad.add_probe(gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST, move |_, info| {
        // also where no decoder can begin yet: some cameras say what it needs only with a key frame, seconds later
        seen.saw(&seen.last_data);
        seen.streams.store(true, Ordering::Relaxed);
        if let Some(buffer) = info.buffer() {
            check(buffer);
        }
        for buffer in info.buffer_list().into_iter().flat_map(|list| list.iter()) {
            check(buffer);
        }
        gst::PadProbeReturn::Ok
    });
}

/// The number of an RTP packet: bytes 2 and 3 of its header (RFC 3550, 5.1).
fn number_of(packet: &gst::BufferRef) -> Option<u16> {
    let mut number = [0; 2];
    // to ask for more than there is would end in a panic
    let is_there = packet.size() >= 4 && packet.copy_to_slice(2, &mut number).is_ok();
    is_there.then(|| u16::from_be_bytes(number))
}

/// Stands around a decoder.
pub(super) fn watch(decoder: &gst::Element, shared: &Arc<Shared>) {
    let (Some(sink), Some(source)) = (decoder.static_pad("sink"), decoder.static_pad("src")) else { return };
    let spec = &shared.spec;
    let wanted = Duration::try_from_secs_f64(1.0 / spec.frames_per_second).unwrap_or(Duration::ZERO);
    let whole = Arc::new(Mutex::new(Whole::new(spec.key_frames_only.then_some(wanted))));
    damage::listen();
    read_caps(&sink, shared);
    let (before, shared) = (Arc::clone(&whole), Arc::clone(shared));
    sink.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let arrival = shared.saw(&shared.last_data);
        let Some(buffer) = info.buffer() else { return gst::PadProbeReturn::Ok };
        let (flags, mut whole) = (buffer.flags(), lock(&before));
        let is_key = !flags.contains(gst::BufferFlags::DELTA_UNIT);
        let pts = buffer.pts().map(|pts| Duration::from_nanos(pts.nseconds()));
        // Told after the last picture came out of it.
        if damage::take() {
            whole.damaged();
        }
        let admitted = whole.admits(Coded {
            is_key,
            is_interrupted: flags.contains(gst::BufferFlags::DISCONT),
            losses: shared.losses.load(Ordering::Relaxed),
            pts,
            arrival,
        });
        let mut stream = lock(&shared.stream);
        stream.came(is_key, pts.unwrap_or(arrival.since_origin()));
        stream.withheld = whole.withheld();
        keep(admitted)
    });
    source.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let mut whole = lock(&whole);
        if damage::take() {
            whole.damaged();
        }
        let pts = info.buffer().and_then(|buffer| buffer.pts()).map(|pts| Duration::from_nanos(pts.nseconds()));
        keep(whole.releases(pts))
    });
}

/// `Handled` frees the buffer as `Drop` does; of what was dropped on a sink pad GStreamer 1.22 complains that it is gone.
const fn keep(it: bool) -> gst::PadProbeReturn {
    if it { gst::PadProbeReturn::Ok } else { gst::PadProbeReturn::Handled }
}

/// Reads what a decoder will get, and breaks the pipeline before it makes room for a picture that is too large.
fn read_caps(sink: &gst::Pad, shared: &Arc<Shared>) {
    let shared = Arc::clone(shared);
    sink.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
        let Some(gst::EventView::Caps(caps)) = info.event().map(|event| event.view()) else {
            return gst::PadProbeReturn::Ok;
        };
        let side = |name| u32::try_from(caps.caps().structure(0)?.get::<i32>(name).ok()?).ok();
        let size = side("width").zip(side("height")).map(|(width, height)| Size { width, height });
        if let Some(structure) = caps.caps().structure(0) {
            lock(&shared.stream).begins(structure.name(), size);
        }
        let Some(Size { width, height }) = size else { return gst::PadProbeReturn::Ok };
        let pixels = u64::from(width) * u64::from(height);
        if pixels <= LARGEST {
            return gst::PadProbeReturn::Ok;
        }
        shared.break_with(Error::TooLarge { width, height });
        keep(false)
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_short_for_a_packet_has_no_number() {
        gst::init().unwrap();
        let number = |bytes: &[u8]| number_of(&gst::Buffer::from_slice(bytes.to_vec()));
        assert_eq!(number(&[0x80, 96, 1, 2, 0]), Some(0x0102));
        for short in [&[0x80, 96, 1][..], &[0x80], &[]] {
            assert_eq!(number(short), None);
        }
    }
}
