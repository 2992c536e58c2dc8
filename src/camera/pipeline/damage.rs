//! What libav says about damaged pictures, which it hides: it paints over what it could not decode, and hands the
//! picture on as if it were whole. It tells in its log only.
//!
//! Its lines come on the thread that decodes, while it decodes: with one thread a decoder, which is what cameras have,
//! they are about the picture in hand.

use std::{cell::Cell, sync::Once};

use gstreamer as gst;

/// GStreamer's category for what libav says.
const CATEGORY: &str = "libav";

/// What libav says, at any level, of a picture that is not what was sent: H.264 painted over or guessed, H.265 broken or
/// built on a picture that never came, JPEG with a hole.
const SAYS: [&str; 9] = [
    "concealing ",
    "error while decoding MB",
    "decode_slice_header error",
    "Could not find ref with POC",
    "Error constructing the frame RPS",
    "CABAC_MAX_BIN",
    "The cu_qp_delta",
    "overread",
    "error dc",
];

thread_local! {
    static DAMAGED: Cell<bool> = const { Cell::new(false) };
}

/// Begins to listen; once a process. The lines reach nobody else, unless `GST_DEBUG` asks for GStreamer's own log.
pub(super) fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if std::env::var_os("GST_DEBUG").is_none() {
            gst::log::remove_default_log_function();
        }
        gst::log::set_active(true);
        gst::log::set_threshold_for_name(CATEGORY, gst::DebugLevel::Info);
        gst::log::add_log_function(|category, _, _, _, _, _, message| {
            let tells = category.name() == CATEGORY;
            if tells && message.get().is_some_and(|text| SAYS.iter().any(|says| text.contains(says))) {
                DAMAGED.set(true);
            }
        });
    });
}

/// Whether damage was told on this thread since the last look.
pub(super) fn take() -> bool {
    DAMAGED.take()
}
