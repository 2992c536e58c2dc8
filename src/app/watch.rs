//! One camera's task: runs it, tries again when it breaks, and hands its windows to the engine.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt;
use tokio::sync::mpsc;

use super::answers::Input;
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
}

impl Watch {
    /// Watches until `stop` is given. A fault, or a panic, of this camera stays here.
    pub(super) async fn run(mut self, stop: Stop) {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(30));
        while !stop.is_given() {
            let begun = Stamp::now();
            let ended = AssertUnwindSafe(self.attempt(&stop)).catch_unwind().await;
            let (reason, patience) = match ended {
                Ok(Ok(())) => break,
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
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// One connection, until it breaks.
    async fn attempt(&mut self, stop: &Stop) -> Result<(), camera::Error> {
        let frames = Latest::<Frame>::new();
        let run = self.camera.run(&frames, stop);
        tokio::pin!(run);
        let mut up = false;
        loop {
            tokio::select! {
                ended = &mut run => return ended,
                frame = frames.take() => {
                    if !up {
                        up = true;
                        Event::CameraOnline { camera: &self.name }.emit();
                        let up = Input::CameraUp { camera: self.name.clone() };
                        // the answer task outlives the cameras; when it is gone the process is ending
                        self.answers.send(up).await.ok();
                    }
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
