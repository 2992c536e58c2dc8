//! Windows held against the cameras that they are of.

use std::time::Duration;

use super::{
    super::{CameraConfig, PromptConfig, WINDOW, duration},
    checker::Checker,
};

/// Warns where a camera gives frames more seldom than a prompt asks, and where it gives fewer frames in a window's span than the window wants; where all but the newest are forgotten before
/// the next one comes, there would never be a window.
pub(super) fn find_thin(checker: &mut Checker<'_>, prompts: &[PromptConfig], cameras: &[CameraConfig]) {
    for camera in cameras.iter().filter(|camera| camera.enabled) {
        let asked = prompts.iter().filter_map(|prompt| prompt.asked_of(&camera.name));
        // as long as a question that is asked once may need them
        let kept = asked.clone().map(|prompt| prompt.window.reach()).fold(WINDOW.reach(), Duration::max).as_secs_f64();
        let apart = 1.0 / camera.frames_per_second;
        for prompt in asked.clone().filter(|prompt| prompt.every.as_secs_f64() * 3.0 < apart) {
            let every = duration::print(prompt.every);
            let wrong = format!(
                "asks every {every}, and camera `{}` gives a frame every {apart:.1} s: what is answered, which holds for three \
                 intervals, holds no more before the next",
                camera.name
            );
            let right = "raise `every`, or the camera's `frames_per_second`";
            checker.warn(&["prompts", prompt.prompt.name.as_str(), "every"], wrong, right);
        }
        for prompt in asked.filter(|prompt| prompt.window.frames > 1) {
            if apart > kept && !prompt.window.span.is_zero() {
                let wrong = format!("is never asked of camera `{}`, whose frames are {apart:.1} s apart", camera.name);
                let right = "write `window = { frames = 1 }`, widen `span`, or raise the camera's `frames_per_second`";
                checker.wrong_with(&["prompts", prompt.prompt.name.as_str(), "window"], wrong, right);
                continue;
            }
            let gives = (prompt.window.span.as_secs_f64() * camera.frames_per_second).floor() as usize + 1;
            if gives < prompt.window.frames {
                let (wants, span) = (prompt.window.frames, duration::print(prompt.window.span));
                let wrong = format!("wants {wants} frames in {span}, and camera `{}` gives {gives}", camera.name);
                let right = "widen `span`, lower `frames`, or raise the camera's `frames_per_second`";
                checker.warn(&["prompts", prompt.prompt.name.as_str(), "window"], wrong, right);
            }
        }
    }
}
