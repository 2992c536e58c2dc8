//! Answers and events as others read them: versioned JSON.
//!
//! A type here is a promise to someone outside. A new optional key keeps the version; anything else raises it, here,
//! in the schema beside this file, and in the changelog.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Answer, Escalation, PropertyReading, Transition, Value};
use crate::prompt::{AnswerKind, Scored};

/// The version of [`AnswerMessage`].
pub const ANSWER_SCHEMA: &str = "wader.answer/1";
/// The version of [`EventMessage`].
pub const EVENT_SCHEMA: &str = "wader.event/1";
/// JSON Schema (2020-12) of [`AnswerMessage`].
pub const ANSWER_JSON_SCHEMA: &str = include_str!("answer.schema.json");
/// JSON Schema (2020-12) of [`EventMessage`].
pub const EVENT_JSON_SCHEMA: &str = include_str!("event.schema.json");
/// The MQTT content type of both.
pub const CONTENT_TYPE: &str = "application/json";

/// Why bytes are not a message of ours.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not JSON, or not the shape of the schema.
    #[error("not a message of the schema `{schema}`")]
    Shape {
        /// The schema that was expected.
        schema: &'static str,
        /// What is wrong, and where.
        #[source]
        source: serde_json::Error,
    },
    /// Another schema, or another version of it.
    #[error("the message has the schema `{found}`; this program reads `{expected}`")]
    Schema {
        /// The schema the message names.
        found: String,
        /// The schema that was expected.
        expected: &'static str,
    },
}

/// An answer's value: a string (`yes`, `no`, a label, a text, compact JSON) or a number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ValueMessage {
    /// The answer to a number prompt.
    Number(u32),
    /// Any other answer, text whole.
    Word(String),
}

impl std::fmt::Display for ValueMessage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Word(word) => word.fmt(f),
        }
    }
}

impl From<&Value> for ValueMessage {
    fn from(value: &Value) -> Self {
        match value {
            Value::Number(number) => Self::Number(*number),
            Value::Text(text) => Self::Word(text.clone()),
            Value::Json(json) => Self::Word(json.to_string()),
            Value::YesNo(_) | Value::Choice(_) => Self::Word(value.state()),
        }
    }
}

/// One allowed answer and the model's belief in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CandidateMessage {
    /// The answer.
    pub answer: String,
    /// Its share of the probability of all allowed answers, to six places.
    pub share: f64,
    /// The natural logarithm of the exact share; null where the share is zero.
    pub log_share: Option<f64>,
}

/// What the model believes about one property of JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PropertyMessage {
    /// The property's name.
    pub name: String,
    /// Why it has no value of its own; null where it has one.
    pub reason: Option<String>,
    /// Probability of its best answer, to four places.
    pub probability: Option<f64>,
    /// Probability of all its allowed answers together, to four places.
    pub mass: Option<f64>,
    /// Log-odds that its best answer owes to the picture, to four places.
    pub evidence: Option<f64>,
    /// All its allowed answers; empty for a text.
    pub candidates: Vec<CandidateMessage>,
}

/// The frames an answer is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowMessage {
    /// When the first frame was taken, RFC 3339 in UTC with milliseconds, as all times here.
    pub first: Option<String>,
    /// When the last frame was taken.
    pub last: Option<String>,
    /// How many frames were there.
    pub frames: usize,
    /// How many frames the prompt asks for.
    pub asked: usize,
}

/// Milliseconds spent in each stage, in the order of the way; `total` is their sum.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "named as in `Latency`, which says what each is")]
pub struct LatencyMessage {
    pub sampled: f64,
    pub queued: f64,
    pub encoded: f64,
    pub resampled: f64,
    pub decoded: f64,
    pub total: f64,
}

/// Which model answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "named as in `ModelLabel`, which says what each is")]
pub struct ModelMessage {
    pub name: String,
    pub version: String,
    pub hash: String,
    pub frame_mode: String,
}

/// A whole answer, as published on the topic `…/answer`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AnswerMessage {
    /// [`ANSWER_SCHEMA`].
    pub schema: String,
    /// UUID of version 7.
    pub id: String,
    /// The camera's name.
    pub camera: String,
    /// The prompt's name.
    pub prompt: String,
    /// The question.
    pub ask: String,
    /// `yes_no`, `choice`, `number`, `text` or `json`.
    pub kind: String,
    /// `answer`, `unsure`, `blind`, `stale` or `failed`.
    pub outcome: String,
    /// The value; null unless the outcome is `answer`.
    pub answer: Option<ValueMessage>,
    /// The value of a `json` prompt; left out unless it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json: Option<serde_json::Value>,
    /// The code of the reason; null if the outcome is `answer`.
    pub reason: Option<String>,
    /// What a person should read besides the reason.
    pub detail: Option<String>,
    /// Probability of the best answer, to four places.
    pub probability: Option<f64>,
    /// Probability of all allowed answers together, to four places.
    pub mass: Option<f64>,
    /// Log-odds that the best answer owes to the picture, to four places.
    pub evidence: Option<f64>,
    /// All allowed answers; empty for a text.
    pub candidates: Vec<CandidateMessage>,
    /// What is believed of each property that was asked for by itself; left out where none was.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub properties: Vec<PropertyMessage>,
    /// Whether a text was cut at the prompt's limit.
    pub cut: bool,
    /// The frames.
    pub window: WindowMessage,
    /// Age of the newest frame when it was answered, in milliseconds.
    pub newest_frame_age_ms: Option<f64>,
    /// When it was answered.
    pub answered: String,
    /// Until when this answer, on its own, says something about the camera.
    pub valid_until: String,
    /// Milliseconds by stage; null where the model was not run.
    pub latency_ms: Option<LatencyMessage>,
    /// Of an answer that was given before and holds on, as the pictures still look the same: when the newest was taken that
    /// the model was asked about. Left out where it was asked about these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unchanged_since: Option<String>,
    /// The model.
    pub model: ModelMessage,
    /// SHA-256 of the prompt.
    pub prompt_hash: String,
    /// Of a question that was asked once, the `id` that the asker gave it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub request: Option<String>,
}

impl AnswerMessage {
    /// The probability as it is shown to people: none where the model would rather have said something else than any allowed
    /// answer, since how likely one is among those tells nobody how sure it is.
    pub fn sure(&self) -> Option<f64> {
        self.probability.filter(|_| self.reason.as_deref() != Some("low_mass"))
    }
}

/// A state became another, or has lasted long, as published on the topic `…/event`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventMessage {
    /// [`EVENT_SCHEMA`].
    pub schema: String,
    /// `transition` or `escalation`.
    #[serde(default = "transition")]
    pub kind: String,
    /// The id of the answer that changed the state, or showed it to last.
    pub id: String,
    /// The camera's name.
    pub camera: String,
    /// The prompt's name.
    pub prompt: String,
    /// The question.
    pub ask: String,
    /// The state before; of an escalation, the state that lasts.
    pub before: ValueMessage,
    /// The state after; of an escalation, the state that lasts.
    pub after: ValueMessage,
    /// Since when the state before was held.
    pub before_since: String,
    /// When it changed, or was shown to last.
    pub at: String,
    /// Probability of that answer, to four places.
    pub probability: Option<f64>,
    /// How many transitions since the last event were none, because they came within the prompt's cooldown.
    #[serde(default)]
    pub suppressed: u32,
}

/// What each event was before there were two kinds.
fn transition() -> String {
    "transition".to_owned()
}

impl From<&Answer> for AnswerMessage {
    fn from(answer: &Answer) -> Self {
        let scores = answer.scores.as_ref();
        Self {
            schema: ANSWER_SCHEMA.to_owned(),
            id: answer.id.to_string(),
            camera: answer.camera.to_string(),
            prompt: answer.prompt.to_string(),
            ask: answer.ask.clone(),
            kind: kind(&answer.kind).to_owned(),
            outcome: answer.outcome.word().to_owned(),
            answer: answer.outcome.value().map(ValueMessage::from),
            json: match answer.outcome.value() {
                Some(Value::Json(json)) => Some(json.value().clone()),
                _ => None,
            },
            reason: answer.outcome.reason().map(str::to_owned),
            detail: answer.outcome.detail(),
            probability: scores.map(|scores| rounded(scores.probability, 4)),
            mass: scores.and_then(|scores| scores.mass).map(|mass| rounded(mass, 4)),
            evidence: scores.and_then(|scores| scores.evidence).map(|evidence| rounded(evidence, 4)),
            candidates: scores.iter().flat_map(|scores| &scores.candidates).map(candidate).collect(),
            properties: scores.iter().flat_map(|scores| &scores.properties).map(property).collect(),
            cut: scores.is_some_and(|scores| scores.cut),
            window: WindowMessage {
                first: answer.frames.first.map(time),
                last: answer.frames.last.map(time),
                frames: answer.frames.present,
                asked: answer.frames.asked,
            },
            newest_frame_age_ms: answer.newest_frame_age.map(millis),
            answered: time(answer.answered),
            valid_until: time(answer.valid_until),
            latency_ms: answer.latency.map(|latency| LatencyMessage {
                sampled: millis(latency.sampled),
                queued: millis(latency.queued),
                encoded: millis(latency.encoded),
                resampled: millis(latency.resampled),
                decoded: millis(latency.decoded),
                total: millis(latency.total()),
            }),
            unchanged_since: answer.unchanged_since.map(time),
            model: ModelMessage {
                name: answer.model.name.clone(),
                version: answer.model.version.clone(),
                hash: answer.model.hash.clone(),
                frame_mode: answer.model.frame_mode.clone(),
            },
            prompt_hash: answer.prompt_hash.clone(),
            request: None,
        }
    }
}

/// Writes an answer as JSON.
pub fn answer(answer: &Answer) -> Vec<u8> {
    json(&AnswerMessage::from(answer))
}

/// Writes as JSON the answer to a question that was asked once, under the name that the asker gave it.
pub fn reply(answer: &Answer, asked: Option<&str>) -> Vec<u8> {
    json(&AnswerMessage { request: asked.map(str::to_owned), ..AnswerMessage::from(answer) })
}

/// Writes as JSON the transition that this answer brought about.
pub fn event(answer: &Answer, transition: &Transition) -> Vec<u8> {
    let Transition { before, after, before_since, at, suppressed } = transition;
    json(&EventMessage {
        suppressed: *suppressed,
        ..message("transition", answer, (before, after), *before_since, *at)
    })
}

/// Writes as JSON the escalation that this answer brought about.
pub fn escalation(answer: &Answer, escalation: &Escalation) -> Vec<u8> {
    let Escalation { state, since, at, suppressed } = escalation;
    json(&EventMessage { suppressed: *suppressed, ..message("escalation", answer, (state, state), *since, *at) })
}

fn message(
    kind: &str,
    answer: &Answer,
    (before, after): (&Value, &Value),
    before_since: SystemTime,
    at: SystemTime,
) -> EventMessage {
    EventMessage {
        schema: EVENT_SCHEMA.to_owned(),
        kind: kind.to_owned(),
        id: answer.id.to_string(),
        camera: answer.camera.to_string(),
        prompt: answer.prompt.to_string(),
        ask: answer.ask.clone(),
        before: ValueMessage::from(before),
        after: ValueMessage::from(after),
        before_since: time(before_since),
        at: time(at),
        probability: answer.scores.as_ref().map(|scores| rounded(scores.probability, 4)),
        suppressed: 0,
    }
}

/// Reads an answer.
pub fn read_answer(bytes: &[u8]) -> Result<AnswerMessage, Error> {
    let message: AnswerMessage =
        serde_json::from_slice(bytes).map_err(|source| Error::Shape { schema: ANSWER_SCHEMA, source })?;
    if message.schema != ANSWER_SCHEMA {
        return Err(Error::Schema { found: message.schema, expected: ANSWER_SCHEMA });
    }
    Ok(message)
}

/// Reads an event.
pub fn read_event(bytes: &[u8]) -> Result<EventMessage, Error> {
    let message: EventMessage =
        serde_json::from_slice(bytes).map_err(|source| Error::Shape { schema: EVENT_SCHEMA, source })?;
    if message.schema != EVENT_SCHEMA {
        return Err(Error::Schema { found: message.schema, expected: EVENT_SCHEMA });
    }
    Ok(message)
}

#[expect(clippy::expect_used, reason = "strings, finite numbers and lists of them always have a JSON form")]
fn json(message: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(message).expect("a message has a JSON form")
}

const fn kind(kind: &AnswerKind) -> &'static str {
    match kind {
        AnswerKind::YesNo => "yes_no",
        AnswerKind::Choice(_) => "choice",
        AnswerKind::Number { .. } => "number",
        AnswerKind::Text { .. } => "text",
        AnswerKind::Json { .. } => "json",
    }
}

fn candidate(scored: &Scored) -> CandidateMessage {
    let log_share = Some(scored.share.ln()).filter(|log| log.is_finite());
    CandidateMessage { answer: scored.label.clone(), share: rounded(scored.share, 6), log_share }
}

fn property(property: &PropertyReading) -> PropertyMessage {
    let scores = property.reading.scores.as_ref();
    PropertyMessage {
        name: property.name.clone(),
        reason: property.reading.outcome.reason().map(str::to_owned),
        probability: scores.map(|scores| rounded(scores.probability, 4)),
        mass: scores.and_then(|scores| scores.mass).map(|mass| rounded(mass, 4)),
        evidence: scores.and_then(|scores| scores.evidence).map(|evidence| rounded(evidence, 4)),
        candidates: scores.iter().flat_map(|scores| &scores.candidates).map(candidate).collect(),
    }
}

fn rounded(x: f64, places: i32) -> f64 {
    let scale = 10_f64.powi(places);
    (x * scale).round() / scale
}

fn millis(duration: Duration) -> f64 {
    rounded(duration.as_secs_f64() * 1000.0, 3)
}

/// RFC 3339, UTC, milliseconds.
fn time(wall: SystemTime) -> String {
    // A wall clock beyond the year 9999 is broken; the message still has to leave.
    format!("{:.3}", Timestamp::try_from(wall).unwrap_or(Timestamp::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rfc_3339_in_utc_with_milliseconds() {
        let wall = SystemTime::UNIX_EPOCH + Duration::from_micros(1_700_000_000_001_999);
        assert_eq!(time(wall), "2023-11-14T22:13:20.001Z");
        assert_eq!(time(SystemTime::UNIX_EPOCH), "1970-01-01T00:00:00.000Z");
    }

    #[test]
    fn a_share_of_zero_has_no_logarithm_and_others_keep_every_bit() {
        let zero = candidate(&Scored { label: "no".to_owned(), share: 0.0 });
        assert_eq!((zero.share, zero.log_share), (0.0, None));
        let third = CandidateMessage {
            log_share: Some((1.0_f64 / 3.0).ln()),
            ..candidate(&Scored { label: "no".to_owned(), share: 1.0 / 3.0 })
        };
        let read: CandidateMessage = serde_json::from_slice(&json(&third)).unwrap();
        assert_eq!(read, third);
        assert_eq!(read.share, 0.333_333);
    }

    #[test]
    fn another_version_is_refused_by_name() {
        let error = read_answer(b"[]").unwrap_err();
        assert_eq!(error.to_string(), "not a message of the schema `wader.answer/1`");
    }
}
