//! What GStreamer complains about, in a camera's words.

use std::sync::{Arc, atomic::Ordering};

use gstreamer::{self as gst, glib, prelude::*};

use super::{Shared, lock, pipeline_error};
use crate::camera::{Error, Spec, error::remedy};

/// Hears what the pipeline says, on the threads that say it; nothing is queued.
pub(super) fn listen(pipeline: &gst::Pipeline, shared: &Arc<Shared>) {
    let Some(bus) = pipeline.bus() else { return };
    let shared = Arc::clone(shared);
    bus.set_sync_handler(move |_, message| {
        match message.view() {
            // rtspsrc tells each step before it takes it, on the thread that takes it: to ask for options, for the
            // description, for a stream, for all to begin. What it begins and gives up is told on others' threads.
            gst::MessageView::Progress(progress) => {
                let (kind, code, _) = progress.get();
                if kind == gst::ProgressType::Continue && (code == "open" || code == "request") {
                    shared.requests_of_step.store(0, Ordering::Relaxed);
                }
            }
            gst::MessageView::Eos(_) => shared.break_with(Error::Ended),
            gst::MessageView::Error(message) => shared.break_with(explain(&shared, message)),
            gst::MessageView::Element(message) => {
                if let Some(missing) = message.structure().filter(|structure| structure.name() == "missing-plugin")
                    && is_of_pictures(missing)
                {
                    shared.break_with(missing_plugin(missing));
                }
            }
            _ => {}
        }
        gst::BusSyncReply::Drop
    });
}

/// Whether what is missing may be needed: the sound of a recording is not.
fn is_of_pictures(missing: &gst::StructureRef) -> bool {
    let caps = missing.get::<gst::Caps>("detail").ok();
    !caps.is_some_and(|caps| {
        caps.iter().all(|one| ["audio/", "text/", "subpicture/"].iter().any(|kind| one.name().starts_with(kind)))
    })
}

/// A decoder or the like that `decodebin` looked for in vain.
fn missing_plugin(missing: &gst::StructureRef) -> Error {
    let text = |field: &str| missing.get::<String>(field).ok();
    let caps = missing.get::<gst::Caps>("detail").ok().and_then(|caps| Some(caps.structure(0)?.name().to_string()));
    let element = text("name").or_else(|| text("detail")).unwrap_or_else(|| "a plugin".to_owned());
    let remedy = match caps.as_deref() {
        Some("video/x-h264" | "video/x-h265") => {
            "install its parser and decoder with `apt-get install gstreamer1.0-plugins-bad gstreamer1.0-libav`"
                .to_owned()
        }
        Some(caps) => format!("install the plugin that decodes `{caps}`, perhaps in gstreamer1.0-libav"),
        None => remedy(&element),
    };
    Error::MissingElement { element, remedy }
}

/// What an error of GStreamer means for a camera.
fn explain(shared: &Shared, message: &gst::message::Error) -> Error {
    let error = message.error();
    let address = shared.spec.address.to_string();
    let status = message.details().and_then(|details| details.get::<u32>("rtsp-status-code").ok());
    let is_remote =
        message.src().is_some_and(|source| source.name() == "source") && shared.spec.address.path().is_none();
    let was_described = shared.is_described();
    if status == Some(401) || error.matches(gst::ResourceError::NotAuthorized) {
        Error::Credentials { address }
    } else if status == Some(404) || error.matches(gst::ResourceError::NotFound) {
        Error::NotFound { address }
    } else if let Some(code) = status.and_then(|code| u16::try_from(code).ok()) {
        Error::Refused { address, code }
    } else if was_described && !shared.video_streams.load(Ordering::Relaxed) {
        Error::NoVideo { address }
    } else if is_remote && !was_described && error.matches(gst::ResourceError::Settings) {
        Error::Malformed { address, reason: reason(&shared.spec, &error, message.debug()) }
    } else if is_remote && !was_described && error.is::<gst::ResourceError>() {
        let mut reason = reason(&shared.spec, &error, message.debug());
        if address.starts_with("rtsps:") {
            reason += "; `rtsps` needs a certificate that this machine trusts, else see pipelines/README.md";
        }
        Error::Unreachable { address, reason }
    } else if let Some(coded) = undecoded(shared, message.debug()) {
        let reason = format!(
            "the camera sends {coded}, which nothing in it decodes; use `rtsp-cpu`, or a copy of it with a decoder for that"
        );
        pipeline_error(&shared.spec, &reason)
    } else {
        pipeline_error(&shared.spec, &reason(&shared.spec, &error, message.debug()))
    }
}

/// What the camera sends, where the pipeline's elements do not fit together because of it: no decoder was given anything.
fn undecoded(shared: &Shared, debug: Option<glib::GString>) -> Option<String> {
    let is_unfit = debug.is_some_and(|debug| debug.contains("not-linked") || debug.contains("not-negotiated"));
    let was_given_any = lock(&shared.stream).codec.is_some();
    if is_unfit && !was_given_any { lock(&shared.announced).clone() } else { None }
}

/// What GStreamer said, with the useful end of its debug text: the part behind the place in its source.
fn reason(spec: &Spec, error: &glib::Error, debug: Option<glib::GString>) -> String {
    let detail = debug.as_deref().and_then(|debug| debug.lines().nth(1)).map(str::trim).unwrap_or_default();
    let message = error.message().trim_end_matches('.');
    let both = if detail.is_empty() { message.to_owned() } else { format!("{message} ({detail})") };
    spec.address.scrub(&both)
}
