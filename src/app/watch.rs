//! One camera's task: runs it, tries again when it breaks, and hands its windows to the engine.

use std::{panic::AssertUnwindSafe, pin::pin, sync::Arc, time::Duration};

use futures_util::FutureExt;
use jiff::tz::TimeZone;
use tokio::sync::{mpsc, watch};

use super::{answers::Input, roster::View, switches::Off};
use crate::{
    camera::{self, Camera, Latest, Login, Logins, Patience, Retry, worth_a_try},
    config::PromptConfig,
    engine::{Engine, Seen},
    frame::{Frame, Now, Stamp},
    name::{CameraName, PromptName},
    prompt::Hours,
    sight::{BlindReason, Sight},
    supervise::{Stop, Turns, panic_message},
    telemetry::Event,
    window::{self, Sampler, Schedule, Window},
};

/// How often a camera is looked after that gives no frames: its prompts fall asleep and wake, and those that are due while it is
/// connected are told of it.
const LOOK_AFTER: Duration = Duration::from_secs(1);

/// How often it is told that pictures are lost on their way.
const TELL_LOSSES: Duration = Duration::from_secs(60);

/// A prompt that has hours, and whether it sleeps outside of them.
pub(super) struct Asked {
    pub(super) prompt: PromptName,
    pub(super) hours: Hours,
    pub(super) asleep: bool,
}

/// A camera with everything its task needs.
pub(super) struct Watch {
    pub(super) name: CameraName,
    pub(super) camera: Arc<Camera>,
    /// Cameras that return together begin in turns...
    pub(super) turns: Turns,
    /// ...and those that share a login share what becomes of it.
    pub(super) logins: Logins,
    /// Since when this connection gives pictures.
    pub(super) up_since: Option<Stamp>,
    /// When it was last told of pictures that were lost on their way, and how many this connection had withheld by then.
    pub(super) losses_told: (Stamp, u64),
    /// The prompts that ask about it.
    pub(super) prompts: watch::Receiver<Vec<PromptConfig>>,
    /// Those that the sampler plans for.
    pub(super) planned: Vec<PromptConfig>,
    pub(super) sampler: Sampler,
    pub(super) sight: Sight,
    /// Why its newest picture shows nothing, if so.
    pub(super) blind: Option<BlindReason>,
    /// The prompts that are asked also about pictures that show nothing.
    pub(super) asked_blind: Vec<PromptName>,
    pub(super) hours: Vec<Asked>,
    pub(super) zone: TimeZone,
    /// How long may well pass from one frame to the next.
    pub(super) patience: Duration,
    pub(super) engine: Arc<Engine>,
    pub(super) answers: mpsc::Sender<Input>,
    pub(super) off: watch::Receiver<Off>,
    /// The window that questions are about which are asked now.
    pub(super) asked_about: window::Spec,
    /// What it shows, for them.
    pub(super) view: watch::Sender<View>,
}

impl Watch {
    /// Watches until `stop` is given, while the camera is switched on. A fault, or a panic, of this camera stays here.
    pub(super) async fn run(mut self, stop: Stop) {
        let mut retry = Retry::new();
        while !stop.is_given() {
            if self.off.borrow().camera && !self.rest(&stop).await {
                break;
            }
            let pipelines = self.camera.stuck();
            if pipelines > 0 {
                Event::CameraStuck { camera: &self.name, pipelines }.emit();
            }
            let ended = AssertUnwindSafe(self.attempt(&stop)).catch_unwind().await;
            let (reason, patience) = match ended {
                Ok(Ok(())) => continue, // the end, or it was switched off
                Ok(Err(error)) => (error.to_string(), error.patience()),
                Err(panic) => (format!("wader's own fault: {}", panic_message(panic.as_ref())), Patience::Soon),
            };
            let gave_pictures = self.up_since.map_or(Duration::ZERO, |since| Stamp::now().since(since));
            let wait = retry.failed(patience, gave_pictures, fastrand::f64());
            Event::CameraOffline { camera: &self.name, reason: &reason, retry_in: wait.open }.emit();
            self.view.send_replace(View::default());
            let down = Input::CameraDown { camera: self.name.clone() };
            tokio::select! {
                () = stop.given() => break,
                _ = self.answers.send(down) => {}
            }
            let camera = Arc::clone(&self.camera);
            let wait = async {
                match wait.closed {
                    Some(closed) => worth_a_try(&camera.spec().address, wait.open, closed, fastrand::f64()).await,
                    None => tokio::time::sleep(wait.open).await,
                }
            };
            let mut wait = pin!(wait);
            let mut look = looks();
            loop {
                tokio::select! {
                    () = stop.given() => break, // as the loop around it will see
                    () = turned(&mut self.off, true) => break,
                    () = &mut wait => break,
                    _ = look.tick() => self.mind().await,
                }
            }
        }
    }

    /// Leaves the camera alone until it is switched on again; false when the end came first.
    async fn rest(&mut self, stop: &Stop) -> bool {
        self.engine.forget(&self.name);
        self.view.send_replace(View::default());
        self.tell(Input::SwitchedOff { camera: self.name.clone() }).await;
        let mut look = looks();
        loop {
            tokio::select! {
                () = stop.given() => return false,
                () = turned(&mut self.off, false) => break,
                _ = look.tick() => self.mind().await,
            }
        }
        self.tell(Input::SwitchedOn { camera: self.name.clone() }).await;
        true
    }

    /// One connection, until it breaks or the camera is switched off.
    async fn attempt(&mut self, stop: &Stop) -> Result<(), camera::Error> {
        let frames = Latest::<Frame>::new();
        let camera = Arc::clone(&self.camera);
        let pause = stop.child();
        self.up_since = None;
        let begin = async { (self.logins.enter(&camera.spec().address).await, self.turns.next().await) };
        let (login, mut turn) = tokio::select! {
            begun = begin => begun,
            () = stop.given() => return Ok(()),
            () = turned(&mut self.off, true) => return Ok(()),
        };
        let address = || camera.spec().address.to_string();
        let mut login = login.map_err(|left| camera::Error::Barred { address: address(), left })?;
        let run = camera.run(&frames, &pause);
        tokio::pin!(run);
        let mut look = looks();
        loop {
            tokio::select! {
                ended = &mut run => {
                    judge(&mut login, &ended);
                    return ended;
                }
                () = turn.grow_old() => {}
                () = login.grow_old() => {}
                () = turned(&mut self.off, true), if !pause.is_given() => pause.give(),
                frame = frames.take(), if !pause.is_given() => {
                    if self.up_since.is_none() {
                        self.up_since = Some(Stamp::now());
                        self.losses_told = (Stamp::now(), 0);
                        self.sampler.begin_anew();
                        turn.end();
                        login.is_good();
                        Event::CameraOnline { camera: &self.name }.emit();
                        let up = Input::CameraUp { camera: self.name.clone(), first: frame.taken };
                        self.tell(up).await;
                    }
                    self.frame(&Arc::new(frame)).await;
                }
                _ = look.tick(), if self.up_since.is_some() && !pause.is_given() => {
                    self.mind().await;
                    self.mind_losses();
                    let prompts = self.sampler.starved(Stamp::now(), self.patience);
                    if !prompts.is_empty() {
                        self.tell(Input::NoFrames { camera: self.name.clone(), prompts }).await;
                    }
                }
            }
        }
    }

    /// Hands on the windows that are due with a frame: to the engine what shows something, the rest as it is.
    async fn frame(&mut self, frame: &Arc<Frame>) {
        self.mind().await;
        let back = self.sampler.leave_out(&self.off.borrow().prompts);
        for prompt in back {
            self.tell(Input::Awake { camera: self.name.clone(), prompt }).await;
        }
        self.sight.take(frame);
        let (mut windows, mut blind_windows) = (Vec::new(), Vec::new());
        for mut window in self.sampler.offer(Arc::clone(frame)) {
            match unasked(&mut self.sight, &mut window, &self.asked_blind) {
                Some((reason, prompts)) => {
                    let (camera, seen) = (self.name.clone(), Seen::of(&window));
                    self.tell(Input::Blind { camera, prompts: prompts.clone(), seen, reason }).await;
                    blind_windows.push((window, reason, prompts));
                }
                None => windows.push(window),
            }
        }
        if !(windows.is_empty() && blind_windows.is_empty()) {
            let blind = self.sight.judge([frame]);
            self.tell_sight(blind);
        }
        blind_windows.retain(|(window, ..)| !window.prompts.is_empty());
        let window = self.sampler.newest(self.asked_about);
        let blind = window.as_ref().and_then(|window| self.sight.judge(window.frames.iter().flatten()));
        self.view.send_replace(View { window, blind });
        let mut replaced = self.engine.offer(windows);
        for (window, reason, told) in blind_windows {
            let seen = Seen::of(&window);
            for mut older in self.engine.offer_blind(vec![window], &self.asked_blind) {
                // what was to be asked while something was seen is not asked about nothing
                let (joined, left): (Vec<_>, Vec<_>) =
                    older.prompts.into_iter().partition(|prompt| self.asked_blind.contains(prompt));
                let prompts = left.into_iter().filter(|prompt| !told.contains(prompt)).collect();
                self.tell(Input::Blind { camera: self.name.clone(), prompts, seen, reason }).await;
                older.prompts = joined;
                replaced.push(older);
            }
        }
        if !replaced.is_empty() {
            let total = self.engine.counts().tally.replaced;
            Event::WindowReplaced { camera: &self.name, total }.emit();
        }
        for window in replaced {
            let (camera, seen) = (self.name.clone(), Seen::of(&window));
            self.tell(Input::Replaced { camera, prompts: window.prompts, seen }).await;
        }
    }

    /// Takes in the prompts as they are now.
    pub(super) fn plan(&mut self) {
        let prompts = self.prompts.borrow_and_update();
        self.sampler.plan(prompts.iter().map(schedule).collect());
        let before = std::mem::replace(&mut self.planned, prompts.clone());
        let is_another = |prompt: &&PromptConfig| {
            let same_name = before.iter().find(|other| other.prompt.name == prompt.prompt.name);
            same_name.is_some_and(|other| {
                (&other.prompt, &other.examples, other.region) != (&prompt.prompt, &prompt.examples, prompt.region)
            })
        };
        prompts.iter().filter(is_another).for_each(|prompt| self.sampler.ask_anew(&prompt.prompt.name));
        self.asked_blind = asked_blind(&prompts);
        let asleep: Vec<_> =
            std::mem::take(&mut self.hours).into_iter().filter(|a| a.asleep).map(|a| a.prompt).collect();
        let asked = |p: &PromptConfig| {
            let (prompt, hours) = (p.prompt.name.clone(), p.active.clone());
            Asked { asleep: asleep.contains(&prompt), prompt, hours }
        };
        self.hours = prompts.iter().filter(|p| p.active != Hours::default()).map(asked).collect();
        // one whose hours are gone is awake, whatever they said
        for asked in &self.hours {
            self.sampler.set_asleep(&asked.prompt, asked.asleep);
        }
    }

    /// Logs when the camera begins and ceases to see.
    fn tell_sight(&mut self, blind: Option<BlindReason>) {
        match (blind, self.blind) {
            (None, Some(_)) => Event::CameraSees { camera: &self.name }.emit(),
            (Some(reason), before) if before != blind => {
                Event::CameraBlind { camera: &self.name, reason: reason.code() }.emit();
            }
            _ => {}
        }
        self.blind = blind;
    }

    /// What is to be minded also while no frame comes.
    async fn mind(&mut self) {
        if self.prompts.has_changed().unwrap_or(false) {
            self.plan();
        }
        self.mind_hours().await;
    }

    /// Logs, once a minute, that pictures are lost on their way: nobody else would say why windows have empty places.
    fn mind_losses(&mut self) {
        let (told, before) = self.losses_told;
        let withheld = self.camera.stream().withheld;
        if withheld > before && Stamp::now().since(told) >= TELL_LOSSES {
            Event::CameraLoses { camera: &self.name, pictures: withheld - before }.emit();
            self.losses_told = (Stamp::now(), withheld);
        }
    }

    /// Lets prompts sleep and wake as their hours say, and logs each time.
    async fn mind_hours(&mut self) {
        let mut awake = Vec::new();
        if !self.hours.is_empty() {
            let now = Now::read().wall;
            for asked in &mut self.hours {
                let asleep = !asked.hours.is_active_at(now, &self.zone);
                if asleep == asked.asleep {
                    continue;
                }
                asked.asleep = asleep;
                self.sampler.set_asleep(&asked.prompt, asleep);
                let (camera, prompt) = (&self.name, &asked.prompt);
                if asleep {
                    Event::PromptAsleep { camera, prompt }.emit();
                } else {
                    Event::PromptAwake { camera, prompt }.emit();
                    awake.push(prompt.clone());
                }
            }
        }
        for prompt in awake {
            self.tell(Input::Awake { camera: self.name.clone(), prompt }).await;
        }
    }

    /// Tells the answer task; it outlives the cameras, and when it is gone the process is ending.
    async fn tell(&self, input: Input) {
        self.answers.send(input).await.ok();
    }
}

/// Tells all who share a login what became of it.
fn judge(login: &mut Login, ended: &Result<(), camera::Error>) {
    match ended {
        Ok(()) => {}
        Err(camera::Error::Credentials { .. }) => login.is_refused(),
        Err(_) => login.is_lost(),
    }
}

/// Once at first, then as often as a camera is looked after.
fn looks() -> tokio::time::Interval {
    let mut looks = tokio::time::interval(LOOK_AFTER);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    looks
}

/// When a prompt, fitted to the model, is asked about a camera.
pub(super) fn schedule(prompt: &PromptConfig) -> Schedule {
    Schedule { prompt: prompt.prompt.name.clone(), every: prompt.every, window: prompt.window }
}

/// Those that are asked also about pictures that show nothing: who asks about the camera itself wants to know what the model
/// makes of it.
pub(super) fn asked_blind(prompts: &[PromptConfig]) -> Vec<PromptName> {
    prompts.iter().filter(|prompt| prompt.ask_blind).map(|prompt| prompt.prompt.name.clone()).collect()
}

/// Where a window shows nothing: why, and the prompts that are not asked about it for that, which leave it.
pub(super) fn unasked(
    sight: &mut Sight,
    window: &mut Window,
    asked_blind: &[PromptName],
) -> Option<(BlindReason, Vec<PromptName>)> {
    let reason = sight.judge(window.frames.iter().flatten())?;
    let prompts = std::mem::take(&mut window.prompts);
    let (asked, unasked) = prompts.into_iter().partition(|prompt| asked_blind.contains(prompt));
    window.prompts = asked;
    Some((reason, unasked))
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
