//! The files as they are written: a literal mirror that serde fills. The only place that names config, serde and toml.
//!
//! Nothing is judged here but the kind of each value (text, number, table) and that each key is known; every value may
//! be absent, since another file may give it. `config/wader.toml` explains each key; a test holds the two together.

mod added;
#[cfg(test)]
mod keys;
mod layer;
mod merge;

use std::{collections::BTreeMap, fmt, path::PathBuf, time::Duration};

use serde::{Deserialize, Deserializer, de};

pub(super) use added::prompt_text;
pub(super) use layer::{Layer, Lookup, spell};
pub(super) use merge::{Origins, merge};

use super::duration;

/// All files together.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    pub(super) timezone: Option<String>,
    pub(super) mqtt: Mqtt,
    pub(super) homeassistant: HomeAssistant,
    pub(super) history: History,
    pub(super) model: Model,
    pub(super) paths: Paths,
    pub(super) log: Log,
    pub(super) defaults: Defaults,
    pub(super) cameras: BTreeMap<String, Camera>,
    pub(super) prompts: BTreeMap<String, Prompt>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Mqtt {
    pub(super) url: Option<String>,
    pub(super) listen: Option<String>,
    pub(super) prefix: Option<String>,
    pub(super) client_id: Option<String>,
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
    pub(super) allow_plaintext_password: Option<bool>,
    pub(super) ca: Option<PathBuf>,
    pub(super) response_topics: Option<Vec<String>>,
    pub(super) new_prompts: Option<bool>,
    pub(super) outbox: Outbox,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Outbox {
    pub(super) max_bytes: Option<u64>,
    pub(super) max_age: Option<Span>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct History {
    pub(super) enabled: Option<bool>,
    pub(super) max_bytes: Option<u64>,
    pub(super) max_age: Option<Span>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct HomeAssistant {
    pub(super) discovery: Option<bool>,
    pub(super) prefix: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Model {
    pub(super) path: Option<PathBuf>,
    pub(super) device: Option<String>,
    pub(super) threads: Option<u32>,
    pub(super) onnxruntime: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Paths {
    pub(super) pipelines: Option<PathBuf>,
    pub(super) state: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Log {
    pub(super) level: Option<String>,
    pub(super) format: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Defaults {
    pub(super) camera: CameraDefaults,
    pub(super) prompt: PromptDefaults,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct CameraDefaults {
    pub(super) pipeline: Option<String>,
    pub(super) frames_per_second: Option<f64>,
    pub(super) latency: Option<Span>,
    pub(super) silence: Option<Span>,
    pub(super) frozen_after: Option<Limit>,
    pub(super) enabled: Option<bool>,
}

/// The long form of a camera; the short form, its URL alone, is made long before it comes here.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Camera {
    pub(super) url: Option<String>,
    pub(super) pipeline: Option<String>,
    pub(super) frames_per_second: Option<f64>,
    pub(super) latency: Option<Span>,
    pub(super) silence: Option<Span>,
    pub(super) frozen_after: Option<Limit>,
    pub(super) enabled: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct PromptDefaults {
    pub(super) max_tokens: Option<usize>,
    pub(super) max_time: Option<Span>,
    pub(super) every: Option<Span>,
    pub(super) window: Window,
    pub(super) publish: Option<String>,
    pub(super) hold: Option<u32>,
    pub(super) min_probability: Option<f64>,
    pub(super) keep_probability: Option<f64>,
    pub(super) cooldown: Option<Span>,
    pub(super) escalate: Escalate,
    pub(super) active: Option<Vec<Period>>,
    pub(super) ask_blind: Option<bool>,
    pub(super) image: Option<bool>,
    pub(super) enabled: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Prompt {
    pub(super) ask: Option<String>,
    pub(super) also: Option<Vec<String>>,
    pub(super) negation: Option<String>,
    pub(super) answer: Option<String>,
    pub(super) choices: Option<Vec<String>>,
    pub(super) min: Option<u32>,
    pub(super) max: Option<u32>,
    pub(super) schema: Option<SchemaText>,
    pub(super) max_tokens: Option<usize>,
    pub(super) max_time: Option<Span>,
    pub(super) cameras: Option<Vec<String>>,
    pub(super) region: Option<Vec<f64>>,
    pub(super) examples: Option<Vec<Example>>,
    pub(super) every: Option<Span>,
    pub(super) window: Window,
    pub(super) publish: Option<String>,
    pub(super) hold: Option<u32>,
    pub(super) min_probability: Option<f64>,
    pub(super) keep_probability: Option<f64>,
    pub(super) cooldown: Option<Span>,
    pub(super) escalate: Escalate,
    pub(super) active: Option<Vec<Period>>,
    pub(super) ask_blind: Option<bool>,
    pub(super) image: Option<bool>,
    pub(super) enabled: Option<bool>,
    pub(super) on: BTreeMap<String, PromptDefaults>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Example {
    pub(super) path: Option<PathBuf>,
    pub(super) answer: Option<String>,
}

#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Window {
    pub(super) frames: Option<usize>,
    pub(super) span: Option<Span>,
}

#[derive(Debug, Default, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Escalate {
    pub(super) after: Option<Limit>,
    pub(super) state: Option<Word>,
}

#[derive(Debug, Default, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Period {
    pub(super) days: Option<Vec<String>>,
    pub(super) from: Option<String>,
    pub(super) to: Option<String>,
}

/// An answer, written as a text or as a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word(pub(super) String);

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Word;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("one of the prompt's answers")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Word, E> {
                Ok(Word(text.to_owned()))
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Word, E> {
                Ok(Word(number.to_string()))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// A length of time, or the word `off`: there is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limit(pub(super) Option<Duration>);

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Limit;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "`\"off\"`, or {}", duration::EXAMPLES)
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Limit, E> {
                match text.trim() {
                    "off" => Ok(Limit(None)),
                    text => duration::parse(text)
                        .map(|time| Limit(Some(time)))
                        .ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self)),
                }
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

/// A length of time, written as a number and a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span(pub(super) Duration);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Span;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(duration::EXAMPLES)
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Span, E> {
                duration::parse(text).map(Span).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

/// A JSON Schema as JSON, or the path of a file that holds one; a table was made JSON long before it comes here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SchemaText(pub(super) String);

impl<'de> Deserialize<'de> for SchemaText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = SchemaText;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON Schema as a table, or the path of its file in quotes")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<SchemaText, E> {
                Ok(SchemaText(text.to_owned()))
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}
