//! What the service says of itself, as others read it: versioned JSON.
//!
//! A type here is a promise to someone outside. A new optional key keeps the version; anything else raises it.

use std::time::SystemTime;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Complaint, in_a_line};
use crate::answer::ModelLabel;

/// The version of [`ErrorMessage`].
pub const ERROR_SCHEMA: &str = "wader.error/1";
/// JSON Schema (2020-12) of [`ErrorMessage`].
pub const ERROR_JSON_SCHEMA: &str = include_str!("error.schema.json");
/// The version of [`AboutMessage`].
pub const ABOUT_SCHEMA: &str = "wader.about/1";

/// What went wrong, as published on the topic `<prefix>/error`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorMessage {
    /// [`ERROR_SCHEMA`].
    pub schema: String,
    /// The stable code, see [`Code`](super::Code).
    pub code: String,
    /// What a person should read: what is wrong, and what would be right.
    pub message: String,
    /// The camera it is about, as the command named it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub camera: Option<String>,
    /// The prompt it is about, as the command named it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub prompt: Option<String>,
    /// The question it is about, by the `id` that the asker gave it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub id: Option<String>,
    /// How many more with this code were not told since the last one: too many came at once.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub untold: Option<u64>,
    /// When, RFC 3339 in UTC with milliseconds.
    pub at: String,
}

/// What runs here, as published on the topic `<prefix>/about`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AboutMessage {
    /// [`ABOUT_SCHEMA`].
    pub schema: String,
    /// wader's version.
    pub version: String,
    /// The model's name.
    pub model: String,
    /// The model's version.
    pub model_version: String,
    /// SHA-256 of the model's manifest.
    pub model_hash: String,
    /// Why the configuration in the files is not the one that is used; absent where it is.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub configuration_refused: Option<String>,
}

/// A question that is asked once, as others write it on `<prefix>/<camera>/ask`; plain text is the question alone.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AskMessage {
    /// The question.
    pub question: String,
    /// `yes_no`, `choice`, `number`, `text` or `json`; else the question's words decide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// The allowed answers of a choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub choices: Option<Vec<String>>,
    /// The JSON Schema of an answer that is JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<serde_json::Value>,
    /// The least number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<u32>,
    /// The largest number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<u32>,
    /// Seconds that the asker waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<f64>,
    /// Stands in the answer, and in the complaint where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// The longest question with all that belongs to it, in bytes: a schema is most of it. What somebody says of an answer is
/// shorter.
const LONGEST_ASK: usize = 16 << 10;
const LONGEST_FEEDBACK: usize = 4 << 10;

/// Reads a question: JSON, or the bare words. The error is for whoever asked.
pub fn read_ask(payload: &[u8]) -> Result<AskMessage, String> {
    if payload.len() > LONGEST_ASK {
        return Err(format!("a question has at most {LONGEST_ASK} bytes, and this one has {}", payload.len()));
    }
    let text = std::str::from_utf8(payload).map_err(|_| "a question is text in UTF-8".to_owned())?.trim();
    if text.starts_with('{') {
        return serde_json::from_str(text)
            .map_err(|error| in_a_line(&format!("the question is not as it should be: {error}")));
    }
    Ok(AskMessage { question: text.to_owned(), ..AskMessage::default() })
}

/// The `id` of a question that is not answered.
pub fn id_of_ask(payload: &[u8]) -> Option<String> {
    read_ask(payload).ok()?.id
}

/// What somebody says of an answer, as others write it on `<prefix>/feedback`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeedbackMessage {
    /// The `id` of the answer.
    pub answer_id: String,
    /// Whether it was right.
    pub right: bool,
    /// What is right; may be left out where only one other answer is left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
}

/// Reads what somebody says of an answer. The error is for them.
pub fn read_feedback(payload: &[u8]) -> Result<FeedbackMessage, String> {
    let like = r#"it is not like {"answer_id": "…", "right": false, "answer": "no"}"#;
    if payload.len() > LONGEST_FEEDBACK {
        return Err(format!("{like}: it has more than {LONGEST_FEEDBACK} bytes"));
    }
    let wrong = |error| in_a_line(&format!("{like}: {error}"));
    serde_json::from_slice(payload).map_err(wrong)
}

/// Writes a complaint as JSON, and how many with its code were not told before it.
pub fn error(complaint: &Complaint, untold: u64, at: SystemTime) -> Vec<u8> {
    json(&ErrorMessage {
        schema: ERROR_SCHEMA.to_owned(),
        code: complaint.code.word().to_owned(),
        message: complaint.message.clone(),
        camera: complaint.camera.clone(),
        prompt: complaint.prompt.clone(),
        id: complaint.id.clone(),
        untold: (untold > 0).then_some(untold),
        // A wall clock beyond the year 9999 is broken; the message still has to leave.
        at: format!("{:.3}", Timestamp::try_from(at).unwrap_or(Timestamp::MAX)),
    })
}

/// Writes as JSON what runs here.
pub fn about(version: &str, model: &ModelLabel, refused: Option<&str>) -> Vec<u8> {
    json(&AboutMessage {
        schema: ABOUT_SCHEMA.to_owned(),
        version: version.to_owned(),
        model: model.name.clone(),
        model_version: model.version.clone(),
        model_hash: model.hash.clone(),
        configuration_refused: refused.map(str::to_owned),
    })
}

/// Reads what runs here.
pub fn read_about(payload: &[u8]) -> Result<AboutMessage, serde_json::Error> {
    serde_json::from_slice(payload)
}

#[expect(clippy::expect_used, reason = "strings always have a JSON form")]
fn json(message: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(message).expect("a message has a JSON form")
}
