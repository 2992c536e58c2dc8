//! What a reply means over time.
//!
//! `reading` turns one reply into an outcome, `policy` decides what of it is news, `wire` writes it down for others.
//! A failure is never a "no": only [`Outcome::Answer`] carries a [`Value`], and only an answer moves a state.
//! Knows no broker and no topic.

mod evidence;
mod id;
mod policy;
mod reading;
pub mod wire;

use std::{
    fmt,
    time::{Duration, SystemTime},
};

pub use evidence::Evidence;
pub use id::{AnswerId, Ids};
pub use policy::{Escalate, Escalation, News, Policy, Publish, Spec, Transition};
pub use reading::{PropertyReading, Reading, Scores, Thresholds, read};

pub use crate::sight::BlindReason;
use crate::{
    name::{CameraName, PromptName},
    prompt::{AnswerKind, Contradiction, Json, Said},
};

/// What was answered.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Value {
    /// Yes (`true`) or no.
    YesNo(bool),
    /// One of the prompt's labels.
    Choice(String),
    /// A whole number.
    Number(u32),
    /// Free text, as decoded.
    Text(String),
    /// JSON of the prompt's schema.
    Json(Json),
}

/// The longest state in characters: what Home Assistant accepts as the state of an entity.
const LONGEST_STATE: usize = 255;

impl Value {
    /// The state as published: the bare word or number, or text on one line, cut at a word's end so that it holds at
    /// most 255 characters (the last is then an ellipsis). JSON is compact, and whole properties are left out of what is
    /// longer, so that it is JSON still.
    pub fn state(&self) -> String {
        match self {
            Self::YesNo(true) => "yes".to_owned(),
            Self::YesNo(false) => "no".to_owned(),
            Self::Choice(label) => label.clone(),
            Self::Number(number) => number.to_string(),
            Self::Text(text) => cut(text),
            Self::Json(json) => json.within(LONGEST_STATE),
        }
    }
}

fn cut(text: &str) -> String {
    // Captions are the model's words: control characters must not reach a line-based reader.
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let line = words.collect::<Vec<_>>().join(" ");
    let Some((end, _)) = line.char_indices().nth(LONGEST_STATE) else { return line };
    // One place is the ellipsis'; a space right after the kept part also ends a word.
    let room: usize = line[..end].char_indices().last().map_or(0, |(last, _)| last);
    let kept = match line[..end].rfind(' ') {
        Some(space) if space > 0 => &line[..space],
        _ => &line[..room],
    };
    format!("{kept}…")
}

/// Why there is a reply but no answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum UnsureReason {
    /// The best answer's probability is below the prompt's `min_probability`.
    LowProbability,
    /// The model put too little of its belief on the allowed answers together.
    LowMass,
    /// The question holds these words, which the model never saw.
    UnknownWords(Vec<String>),
    /// The prompt's examples contradict each other.
    ContradictingExamples(Contradiction),
    /// Two wordings of the question were each sure of another answer; what was said to each.
    Inconsistent(Vec<Said>),
    /// The model ended a text before its first word.
    NoText,
    /// JSON, or the text of a property, was not whole at the prompt's `max_tokens`.
    TokenLimit,
    /// JSON was not whole after the prompt's `max_time`.
    TimeLimit,
}

/// Why what we have is too old to answer from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StaleReason {
    /// The camera is not connected.
    CameraOffline,
    /// The camera is switched off.
    CameraDisabled,
    /// The camera is connected, but the window holds no frame.
    NoFrames,
    /// The answer came after the window had lost its meaning.
    Late,
}

/// What broke.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum FailedReason {
    /// The model did not run; its own words.
    ModelError(String),
    /// The model ran, but its reply cannot be read; what is wrong with it.
    BadReply(String),
    /// A question that was asked once found no place in the line.
    Busy,
    /// A question that was asked once was not answered in its time.
    TimedOut,
    /// The model cannot be asked this; why not.
    Unaskable(String),
}

/// What came of asking a prompt about a window.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The model answered.
    Answer(Value),
    /// The model replied, but not surely enough.
    Unsure(UnsureReason),
    /// The camera shows nothing.
    Blind(BlindReason),
    /// The camera or the model is late.
    Stale(StaleReason),
    /// Something broke.
    Failed(FailedReason),
}

impl Outcome {
    /// The stable word for the outcome: `answer`, `unsure`, `blind`, `stale`, `failed`.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Answer(_) => "answer",
            Self::Unsure(_) => "unsure",
            Self::Blind(_) => "blind",
            Self::Stale(_) => "stale",
            Self::Failed(_) => "failed",
        }
    }

    /// The stable code of the reason; an answer needs none.
    pub const fn reason(&self) -> Option<&'static str> {
        Some(match self {
            Self::Answer(_) => return None,
            Self::Unsure(UnsureReason::LowProbability) => "low_probability",
            Self::Unsure(UnsureReason::LowMass) => "low_mass",
            Self::Unsure(UnsureReason::UnknownWords(_)) => "unknown_words",
            Self::Unsure(UnsureReason::ContradictingExamples(_)) => "contradicting_examples",
            Self::Unsure(UnsureReason::Inconsistent(_)) => "inconsistent",
            Self::Unsure(UnsureReason::NoText) => "no_text",
            Self::Unsure(UnsureReason::TokenLimit) => "token_limit",
            Self::Unsure(UnsureReason::TimeLimit) => "time_limit",
            Self::Blind(reason) => reason.code(),
            Self::Stale(StaleReason::CameraOffline) => "camera_offline",
            Self::Stale(StaleReason::CameraDisabled) => "camera_disabled",
            Self::Stale(StaleReason::NoFrames) => "no_frames",
            Self::Stale(StaleReason::Late) => "late",
            Self::Failed(FailedReason::ModelError(_)) => "model_error",
            Self::Failed(FailedReason::BadReply(_)) => "bad_reply",
            Self::Failed(FailedReason::Busy) => "busy",
            Self::Failed(FailedReason::TimedOut) => "timeout",
            Self::Failed(FailedReason::Unaskable(_)) => "unaskable",
        })
    }

    /// What a person should read besides the reason's code.
    pub fn detail(&self) -> Option<String> {
        match self {
            Self::Unsure(UnsureReason::UnknownWords(words)) => Some(words.join(", ")),
            Self::Unsure(UnsureReason::ContradictingExamples(contradiction)) => Some(contradiction.to_string()),
            Self::Unsure(UnsureReason::Inconsistent(said)) => {
                let one = |Said { ask, answer, percent }: &Said| format!("`{ask}` {answer} ({percent} %)");
                Some(said.iter().map(one).collect::<Vec<_>>().join(", "))
            }
            Self::Failed(
                FailedReason::ModelError(why) | FailedReason::BadReply(why) | FailedReason::Unaskable(why),
            ) => Some(why.clone()),
            _ => None,
        }
    }

    /// The value, if this is an answer.
    pub const fn value(&self) -> Option<&Value> {
        match self {
            Self::Answer(value) => Some(value),
            _ => None,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.value(), self.reason()) {
            (Some(value), _) => f.write_str(&value.state()),
            (None, Some(reason)) => write!(f, "{} ({reason})", self.word()),
            (None, None) => f.write_str(self.word()),
        }
    }
}

/// The frames an answer is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Frames {
    /// When the first frame present was taken.
    pub first: Option<SystemTime>,
    /// When the last frame present was taken.
    pub last: Option<SystemTime>,
    /// How many frames were there.
    pub present: usize,
    /// How many frames the prompt asks for.
    pub asked: usize,
}

/// Time spent in each stage, from taking the window's newest frame to having the reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Latency {
    /// From the newest frame's stamp until its window was made.
    pub sampled: Duration,
    /// Waiting for the accelerator.
    pub queued: Duration,
    /// Vision encoder, over the frames that were not encoded before.
    pub encoded: Duration,
    /// Resampler.
    pub resampled: Duration,
    /// Decoder, until the reply.
    pub decoded: Duration,
}

impl Latency {
    /// All stages together.
    pub const fn total(&self) -> Duration {
        self.sampled
            .saturating_add(self.queued)
            .saturating_add(self.encoded)
            .saturating_add(self.resampled)
            .saturating_add(self.decoded)
    }
}

/// Which model answered.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ModelLabel {
    /// The manifest's name for it.
    pub name: String,
    /// The manifest's version of it.
    pub version: String,
    /// SHA-256 of the manifest, which itself holds the hash of every file.
    pub hash: String,
    /// How frames become visual tokens: the manifest's `frame_mode`.
    pub frame_mode: String,
}

/// What we tell the world about one prompt and one window.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Names this answer; sorts by time.
    pub id: AnswerId,
    /// Whose frames.
    pub camera: CameraName,
    /// Which prompt.
    pub prompt: PromptName,
    /// The question, in the user's words.
    pub ask: String,
    /// The kind of answer asked for.
    pub kind: AnswerKind,
    /// What came of it.
    pub outcome: Outcome,
    /// The numbers behind it; absent where the model did not score anything.
    pub scores: Option<Scores>,
    /// The frames it is about.
    pub frames: Frames,
    /// When it was answered.
    pub answered: SystemTime,
    /// How old the newest frame was then; absent without a frame.
    pub newest_frame_age: Option<Duration>,
    /// Until when this answer, on its own, says something about the camera.
    pub valid_until: SystemTime,
    /// Where the time went; absent where the model was not run.
    pub latency: Option<Latency>,
    /// Where the model was not run as the pictures look as they did: when the newest was taken that it was asked about.
    pub unchanged_since: Option<SystemTime>,
    /// Which model.
    pub model: ModelLabel,
    /// SHA-256 of the prompt: answers with different hashes do not compare.
    pub prompt_hash: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_one_line_of_at_most_255_characters_ending_with_a_word() {
        assert_eq!(Value::YesNo(false).state(), "no");
        assert_eq!(Value::Number(3).state(), "3");
        assert_eq!(Value::Text(" a man\n\tand\u{7} a dog ".to_owned()).state(), "a man and a dog");
        let exact = "x".repeat(255);
        assert_eq!(Value::Text(exact.clone()).state(), exact);
        for (text, kept) in [
            ("größe ".repeat(60), 251),
            ("y".repeat(300), 254),
            (format!("{} {}", "a".repeat(254), "b".repeat(9)), 254),
            (format!("{} {}", "a".repeat(255), "b"), 254),
        ] {
            let state = Value::Text(text).state();
            assert!(state.ends_with('…') && !state.ends_with(" …"), "{state}");
            assert_eq!(state.chars().count(), kept + 1, "{state}");
        }
    }

    #[test]
    fn every_outcome_but_an_answer_has_a_reason() {
        assert_eq!(Outcome::Answer(Value::YesNo(true)).reason(), None);
        let words = Outcome::Unsure(UnsureReason::UnknownWords(vec!["zebra".to_owned(), "gnu".to_owned()]));
        assert_eq!(words.detail().as_deref(), Some("zebra, gnu"));
        assert_eq!(words.to_string(), "unsure (unknown_words)");
        assert_eq!(Outcome::Answer(Value::Number(2)).to_string(), "2");
        let contradicting =
            Outcome::Unsure(UnsureReason::ContradictingExamples(Contradiction { percent: 61, needed: 80 }));
        assert_eq!(contradicting.to_string(), "unsure (contradicting_examples)");
        assert!(contradicting.detail().is_some_and(|detail| detail.contains("got 61 % from the others")));
        let said = |ask: &str, answer: &str, percent| Said { ask: ask.to_owned(), answer: answer.to_owned(), percent };
        let inconsistent = vec![said("Is anybody there?", "yes", 93), said("Is nobody there?", "yes", 81)];
        let inconsistent = Outcome::Unsure(UnsureReason::Inconsistent(inconsistent));
        assert_eq!(inconsistent.to_string(), "unsure (inconsistent)");
        let detail = "`Is anybody there?` yes (93 %), `Is nobody there?` yes (81 %)";
        assert_eq!(inconsistent.detail().as_deref(), Some(detail));
    }
}
