//! Packets and coded pictures of a camera: nothing panics, after a loss no picture reaches the decoder before the next whole
//! one, and the moments at which frames were taken rise and are never in the future.
//!
//! wader has no reader of access units of its own: which of them are key frames, GStreamer's parsers say. This is what
//! wader makes of what they say, and of the numbers of packets, which it reads itself.

#![no_main]

use std::time::Duration;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use wader::camera::fuzzing::{Stream, taken};

#[derive(Arbitrary, Debug)]
enum Event<'a> {
    /// Any bytes in the place of a packet.
    Bytes(&'a [u8]),
    /// A packet with the next number, or some later one.
    Packet { skip: u8 },
    /// A coded picture.
    Unit { key: bool, interrupted: bool },
}

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    events: Vec<Event<'a>>,
    frames_per_second: u16,
    frames: Vec<(Option<u64>, u32)>,
}

fuzz_target!(|input: Input<'_>| {
    let stream = Stream::new().expect("GStreamer");
    // as it should be: no unit before the first key, none after an interruption with a loss
    let (mut last, mut losses, mut known, mut whole) = (None::<u16>, 0_u32, 0, false);
    for event in &input.events {
        match event {
            Event::Bytes(bytes) => {
                stream.packet(bytes);
                if let Some(&[high, low]) = bytes.get(2..4) {
                    let number = u16::from_be_bytes([high, low]);
                    losses += u32::from(last.is_some_and(|last| last.wrapping_add(1) != number));
                    last = Some(number);
                }
            }
            Event::Packet { skip } => {
                let number = last.unwrap_or_default().wrapping_add(1 + u16::from(*skip));
                let [high, low] = number.to_be_bytes();
                stream.packet(&[0x80, 96, high, low, 0, 0, 0, 0, 0, 0, 0, 0]);
                losses += u32::from(last.is_some_and(|last| last.wrapping_add(1) != number));
                last = Some(number);
            }
            Event::Unit { key, interrupted } => {
                if *interrupted {
                    whole &= known == losses;
                    known = losses;
                }
                whole |= key;
                assert_eq!(stream.unit(*key, *interrupted), whole, "{:?}", input.events);
            }
        }
    }
    let rate = 0.01 + f64::from(input.frames_per_second) / 2000.0;
    let frames = input
        .frames
        .iter()
        .map(|&(pts, after)| (pts.map(Duration::from_nanos), Duration::from_micros(u64::from(after) + 1)));
    let mut last = None;
    for (taken, arrival, _) in taken(rate, &frames.collect::<Vec<_>>()) {
        assert!(taken <= arrival, "{taken:?} after its arrival {arrival:?}");
        assert!(last < Some(taken), "{taken:?} not after {last:?}");
        last = Some(taken);
    }
});
