//! What every camera needs of its elements, whatever the description says: sets them up as they appear, and watches what
//! goes through them.

use std::sync::{Arc, atomic::Ordering};

use gstreamer::{self as gst, prelude::*};

use super::{Shared, decoder, lock};
use crate::{
    camera::{Canvas, Filter, Fit},
    frame::Size,
};

/// What is asked of a camera is asked once without the password and once with it. A third time would be the wrong
/// password again.
const REQUESTS_A_STEP: u32 = 2;

/// A camera that lets us in has described itself after this many requests, also where it sends us elsewhere.
const REQUESTS_TO_DESCRIBE: u32 = 12;

/// Sees every element, now and as they appear (those inside `decodebin`).
pub(super) fn all(pipeline: &gst::Pipeline, shared: &Arc<Shared>) {
    let for_later = Arc::clone(shared);
    pipeline.connect_deep_element_added(move |_, _, element| one(element, &for_later));
    for element in pipeline.iterate_recurse().into_iter().flatten() {
        one(&element, shared);
    }
}

/// Makes a pipeline scale as the model wants it; whether it can.
pub(super) fn scale(pipeline: &gst::Pipeline, filter: Filter) -> bool {
    if filter == Filter::Bilinear {
        return true; // as the description says
    }
    let scalers = made_by(pipeline, "videoscale");
    scalers.iter().for_each(|scaler| scaler.set_property_from_str("method", filter.method()));
    !scalers.is_empty()
}

/// Makes a pipeline scale pictures with their proportions where the model wants that: once it is known what comes out of
/// `sampled`, behind which it is scaled, and anew whenever that changes. Whether it can.
pub(super) fn fit(pipeline: &gst::Pipeline, sampled: &gst::Pad, canvas: Canvas) -> bool {
    if canvas.fit == Fit::Stretch {
        return true; // as the description says
    }
    let mut sizing = made_by(pipeline, "capsfilter");
    sizing.retain(|filter| sizes(filter, canvas.size));
    let can = !sizing.is_empty();
    sampled.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
        if let Some(gst::EventView::Caps(event)) = info.event().map(|event| event.view())
            && let Some(picture) = event.caps().structure(0).and_then(size_of)
        {
            let Size { width, height } = canvas.scaled(picture);
            for filter in &sizing {
                let mut caps = filter.property::<gst::Caps>("caps");
                for structure in caps.make_mut().iter_mut() {
                    structure.set("width", i32::try_from(width).unwrap_or(i32::MAX));
                    structure.set("height", i32::try_from(height).unwrap_or(i32::MAX));
                }
                filter.set_property("caps", caps);
            }
        }
        gst::PadProbeReturn::Ok
    });
    can
}

/// The elements of a factory, wherever they are in a pipeline.
fn made_by(pipeline: &gst::Pipeline, factory: &str) -> Vec<gst::Element> {
    let is_wanted = |element: &gst::Element| element.factory().is_some_and(|made_by| made_by.name() == factory);
    pipeline.iterate_recurse().into_iter().flatten().filter(is_wanted).collect()
}

/// Whether a caps filter is what a description makes of `video/x-raw,width={width},height={height}`.
fn sizes(filter: &gst::Element, size: Size) -> bool {
    let caps = filter.property::<gst::Caps>("caps");
    !caps.is_empty() && caps.iter().all(|structure| size_of(structure) == Some(size))
}

/// The size that a picture of these caps is to be shown in, in square pixels.
fn size_of(structure: &gst::StructureRef) -> Option<Size> {
    let side = |name: &str| structure.get::<i32>(name).ok().and_then(|side| u32::try_from(side).ok());
    let pixel = structure.get::<gst::Fraction>("pixel-aspect-ratio").ok();
    let pixel = pixel
        .filter(|pixel| pixel.numer() > 0 && pixel.denom() > 0)
        .map_or(1.0, |pixel| f64::from(pixel.numer()) / f64::from(pixel.denom()));
    Some(Size { width: (f64::from(side("width")?) * pixel).round() as u32, height: side("height")? })
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
        decoder::watch_packets(element, shared);
    }
    if class.contains("Decoder/Video") || class.contains("Decoder/Image") {
        decoder::watch(element, shared);
    }
}

/// Asks the camera for its video only; sound and events are not even sent.
fn select_video(source: &gst::Element, shared: &Arc<Shared>) {
    let shared = Arc::clone(shared);
    source.connect("select-stream", false, move |arguments| {
        // The camera has described its streams: it is there.
        shared.saw(&shared.last_data);
        let caps = arguments.get(2).and_then(|caps| caps.get::<gst::Caps>().ok());
        let told = |field: &str| caps.as_ref().and_then(|caps| caps.structure(0)?.get::<String>(field).ok());
        let is_video = told("media").as_deref() == Some("video");
        if is_video {
            *lock(&shared.announced) = told("encoding-name");
        }
        let seen = if is_video { &shared.video_streams } else { &shared.other_streams };
        seen.store(true, Ordering::Relaxed);
        Some(is_video.to_value())
    });
}

/// Ends rtspsrc's own retries of a wrong password: it would send it eight times, and cameras lock accounts after less.
/// It also ends a camera's sending us round in circles.
///
/// Leaving is a step, too: where an answer was left unread (silence ends by two clocks, ours and rtspsrc's), each later one
/// is taken for the answer to the request before it, and each new nonce comes too late.
fn limit_requests(source: &gst::Element, shared: &Arc<Shared>) {
    let shared = Arc::clone(shared);
    source.connect("before-send", false, move |_| {
        let in_step = shared.requests_of_step.fetch_add(1, Ordering::Relaxed);
        let sent = shared.requests.fetch_add(1, Ordering::Relaxed);
        let may_send = if shared.is_leaving.load(Ordering::Relaxed) {
            in_step < REQUESTS_A_STEP
        } else {
            // what is sent now and then, so that a stream that runs goes on, is told by nobody
            let in_time = shared.is_described() || sent < REQUESTS_TO_DESCRIBE;
            shared.streams.load(Ordering::Relaxed) || (in_step < REQUESTS_A_STEP && in_time)
        };
        Some(may_send.to_value())
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_models_filter_is_set_wherever_a_description_scales_and_asked_of_no_other_element() {
        gst::init().unwrap();
        let parse = |text: &str| gst::parse::launch(text).unwrap().downcast::<gst::Pipeline>().unwrap();
        let scaling = parse("videotestsrc ! videoscale name=scale method=bilinear2 ! fakesink");
        let method = || {
            let method = scaling.by_name("scale").unwrap().property_value("method");
            gst::glib::EnumValue::from_value(&method).unwrap().1.nick().to_owned()
        };
        assert!(scale(&scaling, Filter::Bilinear));
        assert_eq!(method(), "bilinear2");
        assert!(scale(&scaling, Filter::Bicubic));
        assert_eq!(method(), "catrom");
        let other = parse("videotestsrc ! fakesink");
        assert!(scale(&other, Filter::Bilinear) && !scale(&other, Filter::Bicubic));
    }

    #[test]
    fn a_camera_that_changes_its_size_is_scaled_with_its_new_proportions() {
        gst::init().unwrap();
        // "delayed": where the change meets the source's first negotiation, the old size is still allowed.
        let text = "videotestsrc ! capsfilter name=camera caps-change-mode=delayed caps=video/x-raw,width=128,height=64 \
                    ! identity name=sample ! videoscale ! video/x-raw,width=32,height=32 \
                    ! appsink name=frames sync=false max-buffers=1";
        let pipeline = gst::parse::launch(text).unwrap().downcast::<gst::Pipeline>().unwrap();
        let sampled = pipeline.by_name("sample").unwrap().static_pad("src").unwrap();
        let size = Size { width: 32, height: 32 };
        assert!(fit(&pipeline, &sampled, Canvas { fit: Fit::Inside { least: size }, ..size.into() }));
        pipeline.set_state(gst::State::Playing).unwrap();
        let sink = pipeline.by_name("frames").unwrap().downcast::<gstreamer_app::AppSink>().unwrap();
        let mut seen = Vec::new();
        while seen.len() < 2 {
            let sample = sink.try_pull_sample(gst::ClockTime::from_seconds(10)).expect("a picture");
            let height = sample.caps().unwrap().structure(0).unwrap().get::<i32>("height").unwrap();
            if seen.last() != Some(&height) {
                seen.push(height);
                let caps = gst::Caps::builder("video/x-raw").field("width", 128).field("height", 96).build();
                pipeline.by_name("camera").unwrap().set_property("caps", caps);
            }
        }
        pipeline.set_state(gst::State::Null).unwrap();
        assert_eq!(seen, [16, 24]);
    }
}
