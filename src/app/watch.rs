//! One camera's task: runs it, tries again when it breaks, and hands its windows to the engine.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt;
use tokio::sync::{mpsc, watch};

use super::{answers::Input, switches::Off};
use crate::{
    camera::{self, Camera, Latest, Patience},
    engine::Engine,
    frame::{Frame, Stamp},
    name::CameraName,
    supervise::{Backoff, Stop, panic_message},
    telemetry::Event,
    window::Sampler,
};

/// After this long of pictures a camera counts as well again, and its next fault is tried again quickly.
const WELL_AFTER: Duration = Duration::from_secs(10);

/// Three wrong passwords within half an hour make many cameras lock the account.
const BETWEEN_PASSWORD_TRIES: Duration = Duration::from_secs(16 * 60);

/// A camera with everything its task needs.
pub(super) struct Watch {
    pub(super) name: CameraName,
    pub(super) camera: Camera,
    pub(super) sampler: Sampler,
    pub(super) engine: Arc<Engine>,
    pub(super) answers: mpsc::Sender<Input>,
    pub(super) off: watch::Receiver<Off>,
}

impl Watch {
    /// Watches until `stop` is given, while the camera is switched on. A fault, or a panic, of this camera stays here.
    pub(super) async fn run(mut self, stop: Stop) {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(30));
        while !stop.is_given() {
            if self.off.borrow().camera && !self.rest(&stop).await {
                break;
            }
            let begun = Stamp::now();
            let ended = AssertUnwindSafe(self.attempt(&stop)).catch_unwind().await;
            let (reason, patience) = match ended {
                Ok(Ok(())) => continue, // the end, or it was switched off
                Ok(Err(error)) => (error.to_string(), error.patience()),
                Err(panic) => (format!("wader's own fault: {}", panic_message(panic.as_ref())), Patience::Soon),
            };
            if Stamp::now().since(begun) > WELL_AFTER {
                backoff.reset();
            }
            let wait = match patience {
                Patience::Soon => backoff.next(fastrand::f64()),
                Patience::Seldom => BETWEEN_PASSWORD_TRIES,
            };
            Event::CameraOffline { camera: &self.name, reason: &reason, retry_in: wait }.emit();
            let down = Input::CameraDown { camera: self.name.clone() };
            tokio::select! {
                () = stop.given() => break,
                _ = self.answers.send(down) => {}
            }
            tokio::select! {
                () = stop.given() => break,
                () = turned(&mut self.off, true) => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Leaves the camera alone until it is switched on again; false when the end came first.
    async fn rest(&mut self, stop: &Stop) -> bool {
        self.engine.forget(&self.name);
        self.answers.send(Input::SwitchedOff { camera: self.name.clone() }).await.ok();
        tokio::select! {
            () = stop.given() => return false,
            () = turned(&mut self.off, false) => {}
        }
        self.answers.send(Input::CameraDown { camera: self.name.clone() }).await.ok();
        true
    }

    /// One connection, until it breaks or the camera is switched off.
    async fn attempt(&mut self, stop: &Stop) -> Result<(), camera::Error> {
        let frames = Latest::<Frame>::new();
        let pause = stop.child();
        let run = self.camera.run(&frames, &pause);
        tokio::pin!(run);
        let mut up = false;
        loop {
            tokio::select! {
                ended = &mut run => return ended,
                () = turned(&mut self.off, true), if !pause.is_given() => pause.give(),
                frame = frames.take(), if !pause.is_given() => {
                    if !up {
                        up = true;
                        Event::CameraOnline { camera: &self.name }.emit();
                        let up = Input::CameraUp { camera: self.name.clone() };
                        // the answer task outlives the cameras; when it is gone the process is ending
                        self.answers.send(up).await.ok();
                    }
                    self.sampler.leave_out(&self.off.borrow().prompts);
                    let replaced = self.engine.offer(self.sampler.offer(Arc::new(frame)));
                    if replaced > 0 {
                        let total = self.engine.counts().replaced;
                        Event::WindowReplaced { camera: &self.name, total }.emit();
                    }
                }
            }
        }
    }
}

/// Waits until the camera is switched off, or on; for ever when nobody is left to switch it.
async fn turned(switch: &mut watch::Receiver<Off>, off: bool) {
    if switch.wait_for(|now| now.camera == off).await.is_err() {
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
#[path = "watch/tests.rs"]
mod tests;
