//! The answer task: from the engine's replies and the cameras' troubles to messages.

use std::{collections::HashMap, sync::Arc, time::SystemTime};

use tokio::sync::mpsc;

use super::switches::Switches;
use crate::{
    answer::{
        Answer, FailedReason, Frames, Ids, Latency, ModelLabel, Outcome, Policy, Publish, Reading, StaleReason,
        Thresholds, read,
    },
    engine::{Replied, Seen, Spent},
    frame::Stamp,
    mqtt::{CameraStatus, Handle, Message, Topics},
    name::{CameraName, PromptName},
    prompt::Prompt,
    telemetry::Event,
};

/// What happens to a camera besides replies.
#[derive(Debug)]
pub(super) enum Input {
    /// Its first picture arrived.
    CameraUp { camera: CameraName },
    /// It broke.
    CameraDown { camera: CameraName },
    /// It was switched off, and is left alone.
    SwitchedOff { camera: CameraName },
}

/// One prompt on one camera.
pub(super) struct Standing {
    pub(super) prompt: Arc<Prompt>,
    pub(super) every: std::time::Duration,
    pub(super) publish: Publish,
    pub(super) policy: Policy,
    pub(super) thresholds: Thresholds,
    pub(super) hash: String,
}

/// Everything the answer task knows.
pub(super) struct Answers {
    pub(super) standing: HashMap<(CameraName, PromptName), Standing>,
    pub(super) topics: Topics,
    pub(super) model: ModelLabel,
    pub(super) ids: Ids,
    pub(super) outbox: Handle,
    /// All configured cameras, as they are at the start.
    pub(super) cameras: Vec<(CameraName, CameraStatus)>,
    pub(super) switches: Switches,
}

impl Answers {
    /// Runs until the engine and all cameras are gone.
    ///
    /// Says first how things stand: whatever a broker has kept of the last run, no camera is online yet.
    pub(super) async fn run(mut self, mut replies: mpsc::Receiver<Replied>, mut cameras: mpsc::Receiver<Input>) {
        for (camera, status) in std::mem::take(&mut self.cameras) {
            self.outbox.offer(Message::camera_status(&self.topics, &camera, status));
        }
        loop {
            tokio::select! {
                Some(replied) = replies.recv() => self.replied(&replied),
                Some(input) = cameras.recv() => self.camera(&input),
                else => return,
            }
        }
    }

    fn replied(&mut self, replied: &Replied) {
        let key = (replied.camera.clone(), replied.prompt.clone());
        if !self.switches.asks(&key.0, &key.1) {
            return; // it was asked before it was switched off
        }
        let Some(standing) = self.standing.get(&key) else { return };
        let reading = match &replied.reply {
            Ok(reply) => read(reply, &standing.prompt.kind, &standing.thresholds),
            Err(reason) => {
                Event::AnswerFailed { camera: &replied.camera, prompt: &replied.prompt, reason }.emit();
                Reading { outcome: Outcome::Failed(FailedReason::ModelError(reason.clone())), scores: None }
            }
        };
        let now = Now { mono: Stamp::now(), wall: SystemTime::now() };
        self.publish(&key, reading, Some((replied.seen, latency(replied))), &now);
    }

    fn camera(&mut self, input: &Input) {
        let (camera, status) = match input {
            Input::CameraUp { camera } => (camera, CameraStatus::Online),
            Input::CameraDown { camera } => (camera, CameraStatus::Offline),
            Input::SwitchedOff { camera } => (camera, CameraStatus::Disabled),
        };
        self.outbox.offer(Message::camera_status(&self.topics, camera, status));
        if status != CameraStatus::Online {
            // the state topics keep their last answer, which is still the last thing known; the answer topics say
            // that nothing is known any more
            let keys: Vec<_> = self.standing.keys().filter(|(c, _)| c == camera).cloned().collect();
            let now = Now { mono: Stamp::now(), wall: SystemTime::now() };
            for key in keys {
                let reading = Reading { outcome: Outcome::Stale(StaleReason::CameraOffline), scores: None };
                self.publish(&key, reading, None, &now);
            }
        }
    }

    fn publish(&mut self, key: &(CameraName, PromptName), reading: Reading, about: Option<(Seen, Latency)>, now: &Now) {
        let Some(standing) = self.standing.get_mut(key) else { return };
        let news = standing.policy.take(&reading.outcome, now.wall);
        let newest = about.map_or(now.wall, |(seen, _)| now.wall_of(seen.last));
        let answer = Answer {
            id: self.ids.next(now.wall),
            camera: key.0.clone(),
            prompt: key.1.clone(),
            ask: standing.prompt.ask.clone(),
            kind: standing.prompt.kind.clone(),
            outcome: reading.outcome,
            scores: reading.scores,
            frames: about.map_or_else(Frames::default, |(seen, _)| now.frames(&seen)),
            answered: now.wall,
            newest_frame_age: about.map(|(seen, _)| now.mono.since(seen.last)),
            valid_until: newest + standing.every * 3,
            latency: about.map(|(_, latency)| latency),
            model: self.model.clone(),
            prompt_hash: standing.hash.clone(),
        };
        let expiry = (standing.publish == Publish::Always).then_some(standing.every * 3);
        if let (Some(state), Some(age)) = (&news.state, answer.newest_frame_age) {
            Event::AnswerPublished { camera: &key.0, prompt: &key.1, state: &state.state(), age }.emit();
        }
        for message in Message::news(&self.topics, &answer, &news, expiry) {
            self.outbox.offer(message);
        }
    }
}

/// Both clocks, read together.
struct Now {
    mono: Stamp,
    wall: SystemTime,
}

impl Now {
    fn wall_of(&self, stamp: Stamp) -> SystemTime {
        stamp.wall(self.mono, self.wall)
    }

    fn frames(&self, seen: &Seen) -> Frames {
        Frames {
            first: Some(self.wall_of(seen.first)),
            last: Some(self.wall_of(seen.last)),
            present: seen.present,
            asked: seen.asked,
        }
    }
}

fn latency(replied: &Replied) -> Latency {
    let Spent { waited, encoding, resampling, decoding } = replied.spent;
    let whole = replied.done.since(replied.seen.last);
    Latency {
        sampled: whole.saturating_sub(waited + encoding + resampling + decoding),
        queued: waited,
        encoded: encoding,
        resampled: resampling,
        decoded: decoding,
    }
}
