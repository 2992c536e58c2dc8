//! What a configuration costs on this machine: its cameras and prompts in a time that does not wait.

use std::{ops::ControlFlow, path::Path, sync::Arc, time::Duration};

use super::{Error, assemble, lessons, prepare, served, watch::schedule};
use crate::{
    answer::ModelLabel,
    camera::{self, Canvas},
    config::Config,
    engine::{Spent, Waiting, Worker},
    frame::{Frame, Stamp},
    model::Flamingo,
    window::Sampler,
};

/// How many pictures all cameras show, in a circle, and how many of a second of the recording.
const PICTURES: usize = 64;
const PICTURES_A_SECOND: f64 = 5.0;

/// Neighbouring cameras are so many pictures apart.
const APART: usize = 7;

/// A configuration that takes so much longer than wanted for one round of its prompts is not measured to the end.
const PATIENCE: u32 = 6;

/// What was done in a stretch of the cameras' time, and how long it took.
#[derive(Debug, Clone, Default)]
pub struct Load {
    /// The cameras' time.
    pub lasted: Duration,
    /// How long the model was busy in it.
    pub busy: Duration,
    /// Of this, in each stage; what is left is between them.
    pub spent: Spent,
    /// Frames through an encoder.
    pub frames: u64,
    /// Windows that were asked about.
    pub windows: u64,
    /// Answers of prompts.
    pub answers: u64,
}

/// Which model was measured, on what, and how many cameras and prompts it had.
#[derive(Debug, Clone)]
pub struct Measured {
    /// The model.
    pub model: ModelLabel,
    /// What it ran on.
    pub provider: String,
    /// Cameras that are watched.
    pub cameras: usize,
    /// Prompts, each counted once for each camera.
    pub prompts: usize,
    /// What they cost.
    pub load: Load,
}

/// Runs the model for at least so long under all enabled cameras and prompts. Each camera shows the recording's pictures;
/// each prompt is asked when it would be. What is due at the same moment is asked together, as it is where the model is
/// busy. Nothing is received and nothing published.
///
/// Blocks.
pub fn bench(config: &Config, recording: &Path, at_least: Duration) -> Result<Measured, Error> {
    let model = served::load_model(config)?;
    let manifest = model.manifest();
    let (label, provider, batch) =
        (served::model_label(manifest), model.provider().to_string(), served::batch(manifest));
    let pictures = pictures(recording, served::canvas(manifest))?;
    let watched = assemble::watched(config, manifest)?;
    let asked: Vec<_> = watched.iter().flat_map(assemble::Watched::asked).collect();
    if asked.is_empty() {
        return Err(Error::Question("no enabled prompt asks about an enabled camera".to_owned()));
    }
    let longest = asked.iter().map(|(_, prompt)| prompt.window.span.max(prompt.every)).max().unwrap_or_default();
    let cameras: Vec<Shown> = watched
        .iter()
        .filter_map(|watched| {
            let every = Duration::try_from_secs_f64(1.0 / config.camera(&watched.name)?.frames_per_second).ok()?;
            let schedules = watched.prompts().iter().map(schedule).collect();
            let sampler = Sampler::new(watched.name.clone(), schedules);
            Some(Shown { sampler, every, next: Duration::ZERO, number: 0 })
        })
        .collect();
    let worker = prepare::worker(model, &asked, &[], &lessons::said(config)?)?.worker;
    let mut bench = Bench { worker, cameras, pictures, batch, now: Duration::ZERO };
    // windows are full, and what is done once is done, after the longest of them
    let lasts_too_long = |load: &Load| load.busy >= at_least * PATIENCE && load.answers > 0;
    bench.run(|load, now| now >= longest || lasts_too_long(load));
    let load = bench.run(|load, _| (load.busy >= at_least && load.lasted >= longest) || lasts_too_long(load));
    Ok(Measured { model: label, provider, cameras: watched.len(), prompts: asked.len(), load })
}

/// The pictures of a recording, as the model gets them.
fn pictures(recording: &Path, canvas: Canvas) -> Result<Vec<Frame>, Error> {
    let mut pictures = Vec::new();
    camera::clip(recording, canvas, PICTURES_A_SECOND, |frame| {
        pictures.push(frame);
        if pictures.len() < PICTURES { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    Ok(pictures)
}

/// A camera that shows pictures.
struct Shown {
    sampler: Sampler,
    every: Duration,
    /// When its next frame is there.
    next: Duration,
    number: u64,
}

struct Bench {
    worker: Worker<Flamingo>,
    cameras: Vec<Shown>,
    pictures: Vec<Frame>,
    /// Windows that are asked about together at most.
    batch: usize,
    /// The cameras' time.
    now: Duration,
}

impl Bench {
    /// Goes on from moment to moment at which a camera has a frame, until there is enough.
    fn run(&mut self, enough: impl Fn(&Load, Duration) -> bool) -> Load {
        let (mut load, begun, before) = (Load::default(), self.now, self.worker.work());
        while !enough(&load, self.now) {
            let windows = self.moment();
            for together in windows.chunks(self.batch.max(1)) {
                let began = Stamp::now();
                let replied = self.worker.answer(together);
                load.busy += Stamp::now().since(began);
                load.windows += together.len() as u64;
                load.answers += replied.len() as u64;
                if let Some(spent) = replied.first().map(|replied| replied.spent) {
                    load.spent.encoding += spent.encoding;
                    load.spent.resampling += spent.resampling;
                    load.spent.decoding += spent.decoding;
                }
            }
            load.lasted = self.now.saturating_sub(begun);
        }
        let after = self.worker.work();
        load.frames = after.frames_encoded + after.appearance_frames - before.frames_encoded - before.appearance_frames;
        load
    }

    /// The windows that are due at the next moment at which any camera has a frame.
    fn moment(&mut self) -> Vec<Waiting> {
        let Some(now) = self.cameras.iter().map(|camera| camera.next).min() else { return Vec::new() };
        self.now = now;
        let mut windows = Vec::new();
        for (place, camera) in self.cameras.iter_mut().enumerate().filter(|(_, camera)| camera.next <= now) {
            let picture = &self.pictures[(camera.number as usize + APART * place) % self.pictures.len()];
            let frame = Frame { number: camera.number, taken: Stamp::after_origin(now), ..picture.clone() };
            camera.number += 1;
            camera.next += camera.every;
            windows.extend(camera.sampler.offer(Arc::new(frame)));
        }
        windows.into_iter().map(|window| Waiting { window, since: Stamp::now() }).collect()
    }
}
