//! Receives every camera for a while, as the service would, and tells what comes.

use std::time::Duration;

use futures_util::future::join_all;

use super::finding::Finding;
use crate::{
    app,
    camera::{self, Camera, Canvas, Latest, Stream},
    config::{CameraConfig, Config},
    frame::{Frame, Stamp},
    supervise::Stop,
};

/// Farther apart, key frames leave a camera unseen for long after each loss.
const FAR_KEYS: Duration = Duration::from_secs(5);

/// A camera may send a little less than it was asked for.
const ENOUGH: f64 = 0.9;

/// Looks at all enabled cameras at once, for so long.
pub(super) async fn look(config: &Config, canvas: Canvas, during: Duration) -> Vec<Finding> {
    let enabled = config.cameras.iter().filter(|camera| camera.enabled);
    join_all(enabled.map(|camera| one(config, camera, canvas, during))).await
}

async fn one(config: &Config, configured: &CameraConfig, canvas: Canvas, during: Duration) -> Finding {
    let part = format!("camera {}", configured.name);
    let spec = match app::camera_spec(config, configured, canvas) {
        Ok(spec) => spec,
        Err(error) => return Finding::bad(part, error.to_string(), None),
    };
    let source = Camera::new(spec);
    let (frames, stop, began) = (Latest::<Frame>::new(), Stop::new(), Stamp::now());
    let mut first = None;
    let run = source.run(&frames, &stop);
    tokio::pin!(run);
    let ended = loop {
        let left = during.saturating_sub(Stamp::now().since(began));
        tokio::select! {
            biased;
            ended = &mut run => break Some(ended),
            () = tokio::time::sleep(left) => break None,
            _ = frames.take() => {
                first.get_or_insert_with(|| Stamp::now().since(began));
            }
        }
    };
    if ended.is_none() {
        stop.give();
        run.await.ok(); // it was told to stop: how it ends is no news
    }
    match (ended.and_then(Result::err), first) {
        (Some(error), None) => Finding::bad(part, error.to_string(), None),
        // a recording that is over was received whole
        (Some(error), Some(_)) if error != camera::Error::Ended => {
            Finding::bad(part, format!("{}, then: {error}", told(&source.stream())), None)
        }
        (_, Some(first)) => judged(part, &source.stream(), first, configured),
        (None, None) => {
            let is = format!("it answers, and no picture came within {} s", during.as_secs());
            Finding::bad(part, is, Some("its first key frame may be farther off: try again with a longer `--seconds`"))
        }
    }
}

/// What a stream that was received is good for.
fn judged(part: String, stream: &Stream, first: Duration, configured: &CameraConfig) -> Finding {
    let wanted = configured.frames_per_second;
    let is = format!("{}; the first picture after {:.1} s", told(stream), first.as_secs_f64());
    if let Some(rate) = stream.rate().filter(|rate| *rate < wanted * ENOUGH) {
        let remedy = format!(
            "{wanted} are to be sampled: raise the camera's own rate, or set `frames_per_second = {:.1}`",
            (rate * 10.0).floor() / 10.0
        );
        return Finding::doubtful(part, is, remedy);
    }
    let between_keys = stream.between_keys().map(|(distance, _)| distance);
    let enough_apart = camera::KEYS_STRETCHED / wanted;
    if configured.key_frames_only && between_keys.is_some_and(|distance| distance.as_secs_f64() > enough_apart) {
        let remedy = format!(
            "`key_frames_only` saves nothing: all is decoded while they are more than {enough_apart:.1} s apart; set the \
             camera's key frame interval (GOP) to {:.1} s, or sample fewer `frames_per_second`",
            1.0 / wanted
        );
        return Finding::doubtful(part, is, remedy);
    }
    if between_keys.is_some_and(|distance| distance > FAR_KEYS) {
        let remedy = "after each loss nothing is seen until the next key frame: set the camera's key frame interval (GOP) to \
                      one or two seconds";
        return Finding::doubtful(part, is, remedy);
    }
    if stream.withheld > 0 {
        let remedy = "a faster network, the camera's smaller stream, or a longer `latency` for packets that are overtaken: what comes \
                      after a loss is not shown until the next key frame";
        let is = format!("{is}; {} pictures were lost or damaged on their way", stream.withheld);
        return Finding::doubtful(part, is, remedy);
    }
    Finding::good(part, is)
}

/// `H.264 1280x720, 25.0 pictures a second, key frames 2.0 s apart`
fn told(stream: &Stream) -> String {
    let mut parts = vec![stream.codec.unwrap_or("not coded").to_owned()];
    if let Some(size) = stream.size {
        parts[0] += &format!(" {}x{}", size.width, size.height);
    }
    if let Some(rate) = stream.rate() {
        parts.push(format!("{rate:.1} pictures a second"));
    }
    if let Some((distance, has_ended)) = stream.between_keys() {
        let at_least = if has_ended { "" } else { "more than " };
        parts.push(format!("key frames {at_least}{:.1} s apart", distance.as_secs_f64()));
    }
    parts.join(", ")
}
