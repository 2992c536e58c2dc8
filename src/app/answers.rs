//! The answer task: from the engine's replies and the cameras' troubles to messages.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use jiff::tz::TimeZone;
use tokio::sync::{mpsc, oneshot};

use super::{
    complain::complain,
    holds::Holds,
    kept::{Judgeable, Kept},
    switches::Switches,
};
use crate::{
    answer::{
        Answer, AnswerId, BlindReason, Evidence, FailedReason, Frames, Ids, Latency, ModelLabel, Outcome, Policy,
        Publish, Reading, StaleReason, Thresholds, UnsureReason, Value, read,
    },
    camera,
    engine::{Reminder, Replied, Seen, Spent},
    frame::{Now, Stamp},
    mqtt::{CameraStatus, Code, Complaint, Handle, Message, Topics},
    name::{CameraName, PromptName},
    prompt::{Contradiction, Hours, Prompt, Reply},
    store::{Entry, History},
    telemetry::Event,
};

/// What happens to a camera besides replies.
pub(super) enum Input {
    /// Its first picture arrived, which was taken then.
    CameraUp { camera: CameraName, first: Stamp },
    /// It broke.
    CameraDown { camera: CameraName },
    /// A window shows nothing, and these prompts were not asked about it.
    Blind { camera: CameraName, prompts: Vec<PromptName>, seen: Seen, reason: BlindReason },
    /// It is connected, and gave no frame for the windows of these prompts.
    NoFrames { camera: CameraName, prompts: Vec<PromptName> },
    /// Nobody will look at a window that these prompts asked about: a newer one took its place before the model was free.
    Replaced { camera: CameraName, prompts: Vec<PromptName>, seen: Seen },
    /// A prompt is asked again: its hours have begun, or it was switched on.
    Awake { camera: CameraName, prompt: PromptName },
    /// It was switched off, and is left alone.
    SwitchedOff { camera: CameraName },
    /// It was switched on again, and is sought.
    SwitchedOn { camera: CameraName },
    /// One more prompt is asked about a camera, or another of this name.
    Added { camera: CameraName, prompt: PromptName, standing: Box<Standing> },
    /// It is asked no more. `done` is told when nothing will be said of it any more.
    Removed { camera: CameraName, prompt: PromptName, done: oneshot::Sender<()> },
    /// A camera is watched no more: all of its prompts are gone. What it says of itself from now on is for others to say.
    Left { camera: CameraName, done: oneshot::Sender<()> },
    /// A prompt is answered by other examples from now on: its new hash.
    Taught { camera: CameraName, prompt: PromptName, hash: String },
}

/// One prompt on one camera.
pub(super) struct Standing {
    pub(super) prompt: Arc<Prompt>,
    pub(super) every: Duration,
    pub(super) publish: Publish,
    pub(super) policy: Policy,
    /// Whether its answers owe anything to the picture.
    pub(super) evidence: Evidence,
    pub(super) thresholds: Thresholds,
    /// When it is asked.
    pub(super) hours: Hours,
    /// Whether the newest picture is published with each answer.
    pub(super) image: bool,
    pub(super) hash: String,
    /// Until when what was said last holds, or what is asked first would; `None` where nothing is known.
    pub(super) holds_until: Option<Stamp>,
    /// When the newest picture was taken that anything was said of.
    pub(super) said_of: Option<Stamp>,
    /// The newest picture that the model was last asked about, and when that was by the wall's clock: while nothing changes the
    /// same time is said, whatever the clocks read by then.
    pub(super) dated: Option<(Stamp, SystemTime)>,
    /// Whether the log has what keeps it `unsure` for good: words that the model never learned, examples that contradict.
    pub(super) told_why_unsure: bool,
}

impl Standing {
    /// The same question, asked as this says from now on: what was known of it still is, so that its next answer is the next, and
    /// no first one.
    fn after(self, before: Self) -> Self {
        let Self { policy, evidence, holds_until, said_of, told_why_unsure, .. } = before;
        let told_why_unsure = told_why_unsure && self.hash == before.hash; // other examples are another reason
        Self { policy: self.policy.after(policy), evidence, holds_until, said_of, told_why_unsure, ..self }
    }

    /// Logs what keeps the prompt about this camera `unsure` for good, once.
    fn tell_why_unsure(&mut self, camera: &CameraName, reason: &UnsureReason) {
        let prompt = &self.prompt.name;
        let words;
        let event = match reason {
            UnsureReason::UnknownWords(unknown) => {
                words = unknown.join(", ");
                Event::UnknownWords { camera, prompt, words: &words }
            }
            &UnsureReason::ContradictingExamples(Contradiction { percent, needed }) => {
                Event::ExamplesContradict { camera, prompt, percent, needed }
            }
            _ => return,
        };
        if !std::mem::replace(&mut self.told_why_unsure, true) {
            event.emit();
        }
    }

    /// How long an answer says something about the camera, on its own.
    const fn valid(&self) -> Duration {
        self.every.saturating_mul(3)
    }

    /// Whether it is late at this moment, when a window is replaced whose newest frame was taken then: the model has not
    /// come to it for as long as what it said would hold.
    fn is_late(&mut self, replaced: Stamp, now: Stamp) -> bool {
        let valid = self.valid();
        now > *self.holds_until.get_or_insert_with(|| replaced.later_by(valid))
    }

    /// What a reply says about a window whose newest frame is so old by now.
    pub(super) fn read(&self, reply: &Result<Reply, String>, age: Duration) -> Reading {
        let without_scores = |outcome| Reading { outcome, scores: None };
        match reply {
            // whatever it says, it says it about another time; what broke is worth knowing at any
            Ok(_) if age > self.valid() => without_scores(Outcome::Stale(StaleReason::Late)),
            Ok(reply) => read(reply, &self.prompt.kind, &self.thresholds, self.policy.state()),
            Err(reason) => without_scores(Outcome::Failed(FailedReason::ModelError(reason.clone()))),
        }
    }

    /// The whole answer, about this camera.
    pub(super) fn answer(
        &self,
        (id, model): (AnswerId, &ModelLabel),
        camera: &CameraName,
        reading: Reading,
        about: &About<'_>,
        now: &Now,
    ) -> Answer {
        let newest = about.seen.map_or(now.wall, |seen| now.wall_of(seen.last));
        Answer {
            id,
            camera: camera.clone(),
            prompt: self.prompt.name.clone(),
            ask: self.prompt.ask.clone(),
            kind: self.prompt.kind.clone(),
            outcome: reading.outcome,
            scores: reading.scores,
            frames: about.seen.map_or_else(Frames::default, |seen| frames(now, &seen)),
            answered: now.wall,
            newest_frame_age: about.seen.map(|seen| now.mono.since(seen.last)),
            valid_until: newest + self.valid(),
            latency: about.replied.filter(|replied| replied.unchanged_since.is_none()).map(latency),
            unchanged_since: about.replied.and_then(|replied| replied.unchanged_since).map(|since| {
                let dated = self.dated.filter(|(picture, _)| *picture == since);
                dated.map_or_else(|| now.wall_of(since), |(_, wall)| wall)
            }),
            model: model.clone(),
            prompt_hash: self.hash.clone(),
        }
    }
}

/// What an outcome is about.
pub(super) struct About<'a> {
    /// The frames, where there were some.
    pub(super) seen: Option<Seen>,
    /// The model's reply, where it was asked.
    pub(super) replied: Option<&'a Replied>,
}

/// Everything the answer task knows.
pub(super) struct Answers {
    pub(super) standing: HashMap<(CameraName, PromptName), Standing>,
    pub(super) topics: Topics,
    pub(super) model: ModelLabel,
    pub(super) ids: Ids,
    pub(super) outbox: Handle,
    /// Where what was published is kept.
    pub(super) history: Option<History>,
    /// Where answers are kept for a while that others may judge.
    pub(super) kept: Kept,
    pub(super) holds: Holds,
    /// Where the clock on the wall hangs that the prompts' hours go by.
    pub(super) zone: TimeZone,
    /// All configured cameras, as they are at the start.
    pub(super) cameras: Vec<(CameraName, CameraStatus)>,
    /// The cameras that are connected, and when the first picture of each connection was taken.
    pub(super) up: HashMap<CameraName, Stamp>,
    pub(super) switches: Switches,
    pub(super) reminder: Reminder,
    /// How many inputs and replies were dealt with.
    pub(super) judged: Arc<AtomicU64>,
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
                // what happened to a camera happened before the replies that came after it
                biased;
                Some(input) = cameras.recv() => self.camera(input),
                Some(replied) = replies.recv() => {
                    self.replied(&replied);
                    self.reminder.heard();
                }
                else => return,
            }
            self.judged.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn replied(&mut self, replied: &Replied) {
        let key = (replied.camera.clone(), replied.prompt.clone());
        if !self.switches.asks(&key.0, &key.1) {
            return; // it was asked before it was switched off
        }
        let Some(standing) = self.standing.get(&key) else { return };
        if replied.asked.as_ref() != Some(&standing.prompt) {
            return; // it was asked before the question became another
        }
        let taken = replied.seen.last;
        if self.up.get(&key.0).is_none_or(|first| taken < *first) || standing.said_of.is_some_and(|said| taken <= said)
        {
            return; // it was asked before the camera broke, or showed nothing: what was said of that is newer
        }
        let now = Now::read();
        if let Err(reason) = &replied.reply {
            Event::AnswerFailed { camera: &replied.camera, prompt: &replied.prompt, reason }.emit();
        }
        let reading = standing.read(&replied.reply, now.mono.since(replied.seen.last));
        let about = About { seen: Some(replied.seen), replied: Some(replied) };
        self.publish(&key, reading, about, &now);
    }

    /// A camera shows nothing any more. The state topics keep their last answer, which is still the last thing known; the
    /// answer topics say that nothing is known any more.
    fn gone(&mut self, camera: &CameraName, status: CameraStatus, reason: StaleReason, now: &Now) {
        self.up.remove(camera);
        self.status(camera, status);
        let prompts = self.prompts_about(camera);
        self.unanswered(camera, prompts, &Outcome::Stale(reason), None, now);
    }

    fn camera(&mut self, input: Input) {
        let now = Now::read();
        match input {
            Input::CameraUp { camera, first } => {
                self.status(&camera, CameraStatus::Online);
                self.up.insert(camera, first);
            }
            Input::CameraDown { camera } => {
                self.gone(&camera, CameraStatus::Offline, StaleReason::CameraOffline, &now);
            }
            Input::SwitchedOn { camera } => {
                // nobody looked meanwhile, so that nothing lasted
                for prompt in self.prompts_about(&camera) {
                    self.awake(&(camera.clone(), prompt), now);
                }
                self.gone(&camera, CameraStatus::Offline, StaleReason::CameraOffline, &now);
            }
            Input::SwitchedOff { camera } => {
                self.gone(&camera, CameraStatus::Disabled, StaleReason::CameraDisabled, &now);
            }
            Input::Blind { camera, prompts, seen, reason } => {
                self.unanswered(&camera, prompts, &Outcome::Blind(reason), Some(seen), &now);
            }
            Input::NoFrames { camera, prompts } => {
                self.unanswered(&camera, prompts, &Outcome::Stale(StaleReason::NoFrames), None, &now);
            }
            Input::Replaced { camera, mut prompts, seen } => {
                prompts.retain(|prompt| {
                    let standing = self.standing.get_mut(&(camera.clone(), prompt.clone()));
                    self.switches.asks(&camera, prompt)
                        && standing.is_some_and(|standing| standing.is_late(seen.last, now.mono))
                });
                self.unanswered(&camera, prompts, &Outcome::Stale(StaleReason::Late), Some(seen), &now);
            }
            Input::Added { camera, prompt, standing } => {
                let key = (camera, prompt);
                let standing = match self.standing.remove(&key) {
                    Some(before) if before.prompt == standing.prompt => {
                        let slept = !before.hours.is_active_at(now.wall, &self.zone);
                        let mut standing = standing.after(before);
                        if slept {
                            // while it slept nobody looked, so that nothing lasted
                            standing.policy.resume(now);
                        }
                        standing
                    }
                    _ => *standing,
                };
                self.standing.insert(key, standing);
            }
            Input::Removed { camera, prompt, done } => {
                self.forget(&camera, &prompt);
                done.send(()).ok(); // or nobody waits for it
            }
            Input::Left { camera, done } => {
                self.prompts_about(&camera).iter().for_each(|prompt| self.forget(&camera, prompt));
                self.up.remove(&camera);
                done.send(()).ok();
            }
            Input::Taught { camera, prompt, hash } => {
                if let Some(standing) = self.standing.get_mut(&(camera, prompt)) {
                    standing.hash = hash;
                }
            }
            Input::Awake { camera, prompt } => {
                self.awake(&(camera.clone(), prompt.clone()), now);
                if !self.up.contains_key(&camera) {
                    // while it slept this was no news of it
                    let reason = self.switches.why_away(&camera);
                    self.unanswered(&camera, vec![prompt], &Outcome::Stale(reason), None, &now);
                }
            }
        }
    }

    /// A prompt is asked again after a pause, of which it is not late.
    fn awake(&mut self, key: &(CameraName, PromptName), now: Now) {
        if let Some(standing) = self.standing.get_mut(key) {
            standing.policy.resume(now);
            standing.holds_until = None;
        }
    }

    fn prompts_about(&self, camera: &CameraName) -> Vec<PromptName> {
        self.standing.keys().filter(|(of, _)| of == camera).map(|(_, prompt)| prompt.clone()).collect()
    }

    /// A prompt about a camera is asked no more.
    fn forget(&mut self, camera: &CameraName, prompt: &PromptName) {
        self.kept.forget(camera, prompt);
        self.holds.forget(camera, prompt);
        self.standing.remove(&(camera.clone(), prompt.clone()));
    }

    fn status(&self, camera: &CameraName, status: CameraStatus) {
        self.outbox.offer(Message::camera_status(&self.topics, camera, status));
    }

    /// The same outcome for some prompts that the model was not asked.
    fn unanswered(
        &mut self,
        camera: &CameraName,
        prompts: Vec<PromptName>,
        outcome: &Outcome,
        seen: Option<Seen>,
        now: &Now,
    ) {
        for prompt in prompts {
            let reading = Reading { outcome: outcome.clone(), scores: None };
            self.publish(&(camera.clone(), prompt), reading, About { seen, replied: None }, now);
        }
    }

    fn publish(
        &mut self,
        key: &(CameraName, PromptName),
        reading: Reading,
        About { seen, replied }: About<'_>,
        now: &Now,
    ) {
        let Some(standing) = self.standing.get_mut(key) else { return };
        let newest = seen.map_or(now.wall, |seen| now.wall_of(seen.last));
        // A camera that breaks while a prompt sleeps is no news of the prompt.
        if !standing.hours.is_active_at(newest, &self.zone) {
            return;
        }
        let evidence = reading.scores.as_ref().and_then(|scores| scores.evidence);
        if evidence.is_some_and(|evidence| standing.evidence.take(evidence)) {
            let message = format!(
                "the last answers to `{}` about `{}` would have been the same without the picture; word the question anew, or \
                 if it is shown examples, show others and mark the `region` where they differ",
                key.1, key.0
            );
            let (camera, prompt) = (Some(key.0.to_string()), Some(key.1.to_string()));
            let complaint = Complaint { camera, prompt, ..Complaint::new(Code::NoEvidence, message) };
            complain(&self.outbox, &self.topics, &complaint);
        }
        if let Outcome::Unsure(reason) = &reading.outcome {
            standing.tell_why_unsure(&key.0, reason);
        }
        standing.holds_until = match (&reading.outcome, seen) {
            // it is known to be late, and need not be told of it before as long again
            (Outcome::Stale(StaleReason::Late), _) => Some(now.mono.later_by(standing.valid())),
            (Outcome::Stale(_), _) | (_, None) => None,
            (_, Some(seen)) => Some(seen.last.later_by(standing.valid())),
        };
        if !matches!(reading.outcome, Outcome::Stale(_)) {
            standing.said_of = seen.map(|seen| seen.last).or(standing.said_of);
        }
        let news = standing.policy.take(&reading.outcome, *now);
        // what is said of a still scene is said again: that may only be what more looks at it would not change
        if replied.is_some() && !standing.policy.is_settled(&reading.outcome) {
            self.reminder.ask_again(&key.0, &key.1);
        }
        let id = self.ids.next(now.wall);
        let answer = standing.answer((id, &self.model), &key.0, reading, &About { seen, replied }, now);
        if replied.is_some_and(|replied| replied.unchanged_since.is_none()) {
            standing.dated = seen.map(|seen| seen.last).zip(answer.frames.last);
        }
        self.holds.set(&key.0, &key.1, answer.valid_until);
        let expiry = (standing.publish == Publish::Always).then_some(standing.valid());
        if news.answer
            && standing.image
            && let Some(newest) = replied.and_then(|replied| replied.newest.last())
        {
            // some milliseconds of work, which no other task of this thread has to wait for
            match tokio::task::block_in_place(|| camera::jpeg(newest)) {
                Ok(jpeg) => self.outbox.offer(Message::image(&self.topics, &key.0, &key.1, jpeg)),
                Err(problem) => Event::ImageProblem { problem: &problem.to_string() }.emit(),
            }
        }
        let (outcome, state) = (answer.outcome.word(), news.state.as_ref().map(Value::state));
        let age = answer.newest_frame_age;
        Event::Answered { camera: &key.0, prompt: &key.1, outcome, state: state.as_deref(), age }.emit();
        if news.answer
            && let Some(history) = &self.history
        {
            history.offer(Entry::of(&answer, news.changed));
        }
        if news.answer
            && let Some(replied) = replied
        {
            let judgeable = Judgeable {
                id: answer.id.to_string(),
                camera: key.0.clone(),
                prompt: key.1.clone(),
                ask: standing.prompt.ask.clone(),
                answered: answer.outcome.value().map(Value::state),
                by_lesson: replied.by_lesson,
                pictures: replied.newest.clone(),
            };
            self.kept.keep(judgeable, news.changed || news.escalation.is_some());
        }
        for message in Message::news(&self.topics, &answer, &news, expiry) {
            self.outbox.offer(message);
        }
    }
}

/// The frames that were seen, in the times of the wall.
pub(super) fn frames(now: &Now, seen: &Seen) -> Frames {
    Frames {
        first: Some(now.wall_of(seen.first)),
        last: Some(now.wall_of(seen.last)),
        present: seen.present,
        asked: seen.asked,
    }
}

/// Where the time of a reply went.
pub(super) fn latency(replied: &Replied) -> Latency {
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

#[cfg(test)]
#[path = "answers/tests.rs"]
mod tests;
