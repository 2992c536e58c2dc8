//! Standing prompts over a recording: what they would have said, had a camera shown it.

use std::{
    collections::HashMap,
    ops::ControlFlow,
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};

use super::{
    Error,
    answers::{About, Standing},
    ask::out_of_time,
    assemble, lessons, prepare, served,
    watch::{asked_blind, schedule, unasked},
};
use crate::{
    answer::{Answer, Ids, ModelLabel, News, Outcome, Reading},
    camera,
    config::{CameraConfig, Config, PromptConfig},
    engine::{Replied, Seen, Waiting, Worker},
    frame::{Frame, Now, Stamp},
    model::Flamingo,
    name::{CameraName, PromptName},
    sight::Sight,
    window::Sampler,
};

/// What a prompt would have said at a moment of the recording.
#[derive(Debug, Clone)]
pub struct Replayed {
    /// Since the beginning of the recording.
    pub at: Duration,
    /// The answer. It has no times of the day.
    pub answer: Answer,
    /// What of it would have been published.
    pub news: News,
}

/// Asks the prompts of a camera about a recording, as fast as the model can, and hands everything over that they say, until
/// `take` wants no more. All is as if the camera had shown it live, to a model that is never late: the frames a second, the
/// windows, what is held and what is news. Only the hours of prompts count for nothing. Gives the time of the last frame.
///
/// Blocks.
pub fn replay(
    config: &Config,
    camera: &CameraConfig,
    file: &Path,
    mut take: impl FnMut(Replayed) -> ControlFlow<()>,
) -> Result<Duration, Error> {
    let model = served::load_model(config)?;
    let canvas = served::canvas(model.manifest());
    let mut replay = Replay::new(config, camera, model)?;
    let mut last = Duration::ZERO;
    camera::clip(file, canvas, camera.frames_per_second, |frame| {
        last = frame.taken.since_origin();
        replay.frame(&Arc::new(frame)).into_iter().try_for_each(&mut take)
    })?;
    Ok(last)
}

/// A camera's prompts, and how far they have come.
struct Replay {
    camera: CameraName,
    worker: Worker<Flamingo>,
    label: ModelLabel,
    sampler: Sampler,
    sight: Sight,
    asked_blind: Vec<PromptName>,
    standing: HashMap<PromptName, Standing>,
    ids: Ids,
    /// What the clock on the wall shows at the beginning of the recording.
    begun: SystemTime,
}

impl Replay {
    fn new(config: &Config, camera: &CameraConfig, model: Flamingo) -> Result<Self, Error> {
        let manifest = model.manifest();
        let (label, min_mass) = (served::model_label(manifest), manifest.prompt.min_mass);
        // as the camera is watched, whether or not it is at present
        let only = CameraConfig { enabled: true, ..camera.clone() };
        let watched = assemble::watched(&Config { cameras: vec![only], ..config.clone() }, manifest)?;
        let asked: Vec<_> = watched.iter().flat_map(assemble::Watched::asked).collect();
        let prompts: Vec<_> = asked.iter().map(|(_, prompt)| prompt.clone()).collect();
        if prompts.is_empty() {
            return Err(Error::Question(format!("no prompt asks about camera `{}`", camera.name)));
        }
        let prepared = prepare::worker(model, &asked, &[], &lessons::said(config)?)?;
        let standing = |prompt: &PromptConfig| {
            let key = (camera.name.clone(), prompt.prompt.name.clone());
            let shown = prepared.learnt.get(&key).or(prepared.digests.get(&key));
            let standing = assemble::standing(prompt, shown, min_mass);
            (key.1, standing)
        };
        Ok(Self {
            camera: camera.name.clone(),
            standing: prompts.iter().map(standing).collect(),
            worker: prepared.worker.skipping_unchanged(config.model.skip_unchanged),
            label,
            sampler: Sampler::new(camera.name.clone(), prompts.iter().map(schedule).collect()),
            sight: Sight::new(camera.frozen_after),
            asked_blind: asked_blind(&prompts),
            ids: Ids::new(fastrand::Rng::new()),
            begun: SystemTime::now(),
        })
    }

    /// What is said with the next frame.
    fn frame(&mut self, frame: &Arc<Frame>) -> Vec<Replayed> {
        self.sight.take(frame);
        let (mut said, mut waiting) = (Vec::new(), Vec::new());
        for mut window in self.sampler.offer(Arc::clone(frame)) {
            if let Some((reason, prompts)) = unasked(&mut self.sight, &mut window, &self.asked_blind) {
                let seen = Seen::of(&window);
                for prompt in prompts {
                    let reading = Reading { outcome: Outcome::Blind(reason), scores: None };
                    said.extend(self.say(&prompt, reading, seen, None));
                }
            }
            if !window.prompts.is_empty() {
                waiting.push(Waiting { window, since: Stamp::now() });
            }
        }
        for replied in self.worker.answer_standing(waiting, true).0 {
            let Some(standing) = self.standing.get(&replied.prompt) else { continue };
            let reading = standing.read(&replied.reply, Duration::ZERO);
            said.extend(self.say(&replied.prompt, reading, replied.seen, Some(&replied)));
        }
        said
    }

    fn say(
        &mut self,
        prompt: &PromptName,
        reading: Reading,
        seen: Seen,
        replied: Option<&Replied>,
    ) -> Option<Replayed> {
        let standing = self.standing.get_mut(prompt)?;
        let at = seen.last.since_origin();
        let now = Now { mono: seen.last, wall: self.begun + at };
        let news = standing.policy.take(&reading.outcome, now);
        if replied.is_some() && !standing.policy.is_settled(&reading.outcome) {
            self.worker.ask_again(&self.camera, prompt);
        }
        let about = About { seen: Some(seen), replied };
        let answer = standing.answer((self.ids.next(now.wall), &self.label), &self.camera, reading, &about, &now);
        Some(Replayed { at, answer: out_of_time(answer), news })
    }
}
