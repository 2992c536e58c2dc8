//! What stands just now, for people and for Prometheus: what is retained on the bus, so that both show the same.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::{holds::Holds, status::Status};
use crate::{
    answer::wire::{self, AnswerMessage},
    mqtt::{CameraStatus, Handle, Link, OFF, Topics, outbox::Loss, wire as own},
    store::Lost,
    telemetry::{Now, metrics},
    web::{Camera, Page, Prompt, Shown},
};

/// Messages that wait for the broker before that is a trouble: what came in the last moment is none.
const MANY: usize = 200;
/// The version that is shown.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Reads what was published.
pub(super) struct Board {
    pub(super) topics: Topics,
    pub(super) outbox: Handle,
    pub(super) status: Status,
    pub(super) holds: Holds,
    /// Answers that the history did not take; `None` where there is none.
    pub(super) unkept: Option<Lost>,
}

/// What the retained topics say, answers aside.
#[derive(Debug, Default)]
struct Standing {
    about: Option<own::AboutMessage>,
    cameras: BTreeMap<String, Camera>,
}

/// What they say of prompts.
#[derive(Debug, Default)]
struct Answers {
    /// By camera and name.
    prompts: BTreeMap<(String, String), Prompt>,
    /// What the model makes of several frames, as the answers tell it.
    frame_mode: Option<String>,
}

impl Board {
    fn standing(&self) -> Standing {
        let mut standing = Standing::default();
        for message in self.outbox.retained() {
            let Some(levels) = self.topics.levels(&message.topic) else { continue };
            let payload = &message.payload;
            match levels[..] {
                ["about"] => standing.about = own::read_about(payload).ok(),
                [camera, "status"] => {
                    let status = String::from_utf8_lossy(payload).into_owned();
                    let named = Camera { name: camera.to_owned(), status, prompts: Vec::new() };
                    standing.cameras.insert(camera.to_owned(), named);
                }
                _ => {}
            }
        }
        standing
    }

    fn answers(&self, now: Timestamp) -> Answers {
        let mut answers = Answers::default();
        for message in self.outbox.retained() {
            let Some(levels) = self.topics.levels(&message.topic) else { continue };
            let (camera, prompt, what) = match levels[..] {
                [camera, prompt, what @ ("enabled" | "answer")] => (camera, prompt, what),
                _ => continue,
            };
            let of = answers.prompts.entry((camera.to_owned(), prompt.to_owned())).or_default();
            if what == "enabled" {
                if *message.payload == *OFF.as_bytes() {
                    of.outcome = "off".to_owned();
                }
            } else if let Ok(answer) = wire::read_answer(&message.payload) {
                let until = self.holds.until(camera, prompt).and_then(|until| Timestamp::try_from(until).ok());
                *of = shown(&answer, of.outcome == "off", until.is_none_or(|until| now <= until), now);
                answers.frame_mode = Some(answer.model.frame_mode);
            }
        }
        answers
    }

    fn troubles(&self, refused: Option<&str>) -> Vec<String> {
        let mut troubles: Vec<String> = refused.map(str::to_owned).into_iter().chain(self.status.trouble()).collect();
        if let Link::Away { error, .. } = &*self.outbox.link().borrow() {
            troubles.push(format!("The broker is away: {error}"));
        }
        let (waiting, _) = self.outbox.waiting();
        if waiting > MANY {
            troubles.push(format!("{waiting} messages wait for the broker"));
        }
        troubles
    }
}

impl Shown for Board {
    fn page(&self) -> Page {
        let Standing { about, mut cameras } = self.standing();
        let Answers { prompts, frame_mode } = self.answers(Timestamp::now());
        for ((camera, name), mut prompt) in prompts {
            prompt.name = name;
            if prompt.outcome.is_empty() {
                prompt.outcome = "waiting".to_owned();
            }
            if let Some(camera) = cameras.get_mut(&camera) {
                camera.prompts.push(prompt);
            }
        }
        let refused = about.as_ref().and_then(|about| about.configuration_refused.as_deref());
        Page {
            prefix: self.topics.prefix().to_owned(),
            version: VERSION.to_owned(),
            troubles: self.troubles(refused),
            model: about.map_or_else(String::new, |about| format!("{} {}", about.model, about.model_version)),
            frame_mode: frame_mode.unwrap_or_default(),
            cameras: cameras.into_values().collect(),
        }
    }

    fn metrics(&self) -> String {
        let Standing { about, cameras } = self.standing();
        let (messages, bytes) = self.outbox.waiting();
        let losses = self.outbox.losses();
        // a camera that is off on purpose is no outage
        let watched = |camera: &Camera| camera.status != CameraStatus::Disabled.word();
        let online = |camera: Camera| (camera.name, camera.status == CameraStatus::Online.word());
        let now = Now {
            connected: *self.outbox.link().borrow() == Link::Connected,
            configuration_refused: about.is_some_and(|about| about.configuration_refused.is_some()),
            cameras: cameras.into_values().filter(watched).map(online).collect(),
            messages_waiting: messages as u64,
            bytes_waiting: bytes as u64,
            messages_lost: Loss::ALL.map(|loss| (loss.word(), losses.by(loss))).to_vec(),
            history_lost: self.unkept.as_ref().map_or(0, Lost::count),
        };
        metrics(VERSION, &now)
    }
}

/// An answer, as people read it; `holds`: whether it still does.
fn shown(answer: &AnswerMessage, off: bool, holds: bool, now: Timestamp) -> Prompt {
    let at = |text: &str| text.parse::<Timestamp>().ok();
    let outcome = match answer.outcome.as_str() {
        _ if off => "off",
        "answer" | "unsure" if !holds => "late",
        outcome => outcome,
    };
    let reason = answer.reason.as_deref().unwrap_or_default().replace('_', " ");
    let says = match (&answer.answer, &answer.detail) {
        (Some(value), _) => value.to_string(),
        (None, Some(detail)) => format!("{reason}: {detail}"),
        (None, None) => reason,
    };
    Prompt {
        name: answer.prompt.clone(),
        ask: answer.ask.clone(),
        outcome: outcome.to_owned(),
        says,
        probability: answer.sure().map_or_else(String::new, |p| format!("{:.0} %", p * 100.0)),
        answered: at(&answer.answered).map_or_else(String::new, |at| ago(now.duration_since(at))),
    }
}

/// A time that has passed, in the unit that people would take.
fn ago(passed: SignedDuration) -> String {
    match passed.as_secs().max(0) {
        seconds @ ..120 => format!("{seconds} s ago"),
        seconds @ ..7200 => format!("{} min ago", seconds / 60),
        seconds @ ..172_800 => format!("{} h ago", seconds / 3600),
        seconds => format!("{} days ago", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_in_the_unit_that_people_would_take() {
        for (seconds, text) in [
            (-1, "0 s ago"),
            (3, "3 s ago"),
            (119, "119 s ago"),
            (120, "2 min ago"),
            (7200, "2 h ago"),
            (200_000, "2 days ago"),
        ] {
            assert_eq!(ago(SignedDuration::from_secs(seconds)), text);
        }
    }
}
