//! What every camera needs of its elements, whatever the description says: sets them up as they appear, and watches what
//! goes through them.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use gstreamer::{self as gst, prelude::*};

use super::{Shared, lock};

/// A camera that lets us in has described itself after this many requests: OPTIONS, DESCRIBE, and the one of them that
/// is repeated with the password. One more would be the wrong password again.
const REQUESTS_TO_DESCRIBE: u32 = 3;

/// Sees every element, now and as they appear (those inside `decodebin`).
pub(super) fn all(pipeline: &gst::Pipeline, shared: &Arc<Shared>) {
    let for_later = Arc::clone(shared);
    pipeline.connect_deep_element_added(move |_, _, element| one(element, &for_later));
    for element in pipeline.iterate_recurse().into_iter().flatten() {
        one(&element, shared);
    }
}

/// Sets what every camera needs, whatever the description says.
fn one(element: &gst::Element, shared: &Arc<Shared>) {
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
        name if name.starts_with("avdec_") => {
            // More threads cost memory and a frame of delay each; cameras are decoded side by side anyway.
            set("max-threads", "1");
            set("output-corrupt", "false");
        }
        _ => {}
    }
    let class = factory.metadata(gst::ELEMENT_METADATA_KLASS).unwrap_or_default();
    if class.contains("Depayloader") {
        watch_packets(element, shared);
    }
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

/// Counts holes in the numbers of RTP packets.
pub(super) fn watch_packets(depayloader: &gst::Element, shared: &Arc<Shared>) {
    let Some(pad) = depayloader.static_pad("sink") else { return };
    let shared = Arc::clone(shared);
    let last = Mutex::new(None);
    let check = move |buffer: &gst::BufferRef| {
        let Some(number) = number_of(buffer) else { return };
        let before = lock(&last).replace(number);
        if before.is_some_and(|before: u16| before.wrapping_add(1) != number) {
            shared.losses.fetch_add(1, Ordering::Relaxed);
        }
    };
    pad.add_probe(gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST, move |_, info| {
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

/// Sees what goes into a decoder. After lost packets nothing before the next key frame is whole, and decoders show it
/// nevertheless: it is kept from them. So are all frames but key frames where that is asked for.
pub(super) fn watch_decoder(decoder: &gst::Element, shared: &Arc<Shared>) {
    let Some(pad) = decoder.static_pad("sink") else { return };
    let shared = Arc::clone(shared);
    // Nothing is whole before the first key frame.
    let is_broken = AtomicBool::new(true);
    let known_losses = AtomicU64::new(0);
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        shared.saw(&shared.last_data);
        let Some(flags) = info.buffer().map(|buffer| buffer.flags()) else { return gst::PadProbeReturn::Ok };
        // The flag says where the stream was interrupted, the count whether anything is missing: a stream that begins
        // is interrupted, too.
        if flags.contains(gst::BufferFlags::DISCONT) {
            let losses = shared.losses.load(Ordering::Relaxed);
            let is_loss = known_losses.swap(losses, Ordering::Relaxed) != losses;
            is_broken.fetch_or(is_loss, Ordering::Relaxed);
        }
        if !flags.contains(gst::BufferFlags::DELTA_UNIT) {
            is_broken.store(false, Ordering::Relaxed);
            return gst::PadProbeReturn::Ok;
        }
        let unwanted = shared.spec.key_frames_only || is_broken.load(Ordering::Relaxed);
        if unwanted { gst::PadProbeReturn::Drop } else { gst::PadProbeReturn::Ok }
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
