//! What a camera's stream is said to be: caps, and pictures of them, and descriptions of pipelines. Nothing panics, a picture
//! has the bytes that its size says, and a description holds no slot once it is filled.
//!
//! SDP is read by GStreamer alone; wader sees the caps that it makes of it.
//!
//! An input is caps and the bytes of a picture, or a description and nothing, parted by a byte 0xff.

#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use wader::{
    camera::{Description, Slots, fuzzing::picture},
    frame::Size,
};
use wader_fuzz::parts;

fuzz_target!(|data: &[u8]| {
    let [text, bytes] = parts(data);
    let Ok(text) = std::str::from_utf8(text) else { return };
    if let Ok(description) = Description::parse("fuzz", text) {
        let slots =
            Slots { size: Size { width: 64, height: 48 }, latency: Duration::from_millis(7), timeout: Duration::MAX };
        let filled = description.fill(&slots);
        for slot in ["{width}", "{height}", "{latency_ms}", "{timeout_us}"] {
            assert!(!filled.contains(slot), "{slot} is left: {filled:?}");
        }
        assert!(!filled.contains('\n') && filled.contains("name=frames"), "{filled:?}");
    }
    // GStreamer's own reader of caps ends the process where it is out of memory, and takes texts without zero bytes
    if !text.contains('\0')
        && let Some(Ok((size, pixels))) = picture(text, bytes)
    {
        assert_eq!(pixels.len(), size.width as usize * size.height as usize * 3, "{text}");
    }
});
