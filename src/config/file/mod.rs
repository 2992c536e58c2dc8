//! The files as they are written: a literal mirror that serde fills. The only place that names config, serde,
//! schemars and toml.
//!
//! Nothing is judged here but the kind of each value (text, number, table) and that each key is known; every value may
//! be absent, since another file may give it. `config/wader.toml` explains each key; a test holds the two together. What
//! stands over a key is for editors, which show it: [`json_schema`] is made of this file, and `schema.rs` says how.

mod added;
#[cfg(test)]
mod keys;
mod layer;
mod merge;
mod schema;

use std::{collections::BTreeMap, fmt, path::PathBuf, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de};

pub(super) use added::prompt_text;
pub(super) use layer::{Layer, Lookup, spell};
pub(super) use merge::{Origins, merge};
pub use schema::json_schema;

use super::duration;

/// All files together.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    /// The time zone of the hours in which prompts are asked, such as `Europe/Berlin`; without it, the machine's.
    #[schemars(schema_with = "schema::filled")]
    pub(super) timezone: Option<String>,
    /// Where answers go.
    pub(super) mqtt: Mqtt,
    /// What Home Assistant is told.
    pub(super) homeassistant: HomeAssistant,
    /// What is kept of answers, for `wader history`.
    pub(super) history: History,
    /// What is shown over HTTP.
    pub(super) web: Web,
    /// What answers.
    pub(super) model: Model,
    /// Folders.
    pub(super) paths: Paths,
    /// What is logged, and how.
    pub(super) log: Log,
    /// What cameras and prompts leave out.
    pub(super) defaults: Defaults,
    /// The cameras, each by a name of a-z, 0-9, `_` and `-`: its URL alone, or a table.
    #[schemars(extend("propertyNames" = schema::name()))]
    pub(super) cameras: BTreeMap<String, Camera>,
    /// Cameras under one name, which prompts may write in their place.
    #[schemars(schema_with = "schema::groups")]
    pub(super) groups: BTreeMap<String, Option<Vec<String>>>,
    /// The standing prompts, each by a name of a-z, 0-9, `_` and `-`; without any, each camera gets a `caption`.
    #[schemars(extend("propertyNames" = schema::name()))]
    pub(super) prompts: BTreeMap<String, Prompt>,
}

/// Where answers go.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("allOf" = schema::brokers()))]
pub(super) struct Mqtt {
    /// The broker: `mqtt://host:port`, `mqtts://host:port` with TLS, or `embedded` for one inside wader.
    #[schemars(schema_with = "schema::broker", extend("default" = "mqtt://localhost:1883"))]
    pub(super) url: Option<String>,
    /// Where the embedded broker listens: an address of this machine's loopback and a port; port 0 takes a free one.
    #[schemars(extend("default" = "127.0.0.1:1883"))]
    pub(super) listen: Option<String>,
    /// The beginning of each topic, as in `wader/<camera>/<prompt>/state`.
    #[schemars(schema_with = "schema::prefix", extend("default" = "wader"))]
    pub(super) prefix: Option<String>,
    /// Who wader is to the broker; without it the prefix, its `/` made `-`.
    #[schemars(schema_with = "schema::client_id", extend("default" = "wader"))]
    pub(super) client_id: Option<String>,
    /// The user, where the broker asks for one; a password belongs to it.
    pub(super) user: Option<String>,
    /// The user's password, best taken from a secret: `${MQTT_PASSWORD}`.
    pub(super) password: Option<String>,
    /// Whether the password may go to another machine without TLS.
    #[schemars(extend("default" = false))]
    pub(super) allow_plaintext_password: Option<bool>,
    /// A PEM file of the authorities that may vouch for the broker, with `mqtts`; without it, the system's.
    pub(super) ca: Option<PathBuf>,
    /// A PEM file with a certificate of wader's own, and those that lead from it to its authority; `key` and `ca` belong to it.
    pub(super) cert: Option<PathBuf>,
    /// A PEM file with the key of that certificate.
    pub(super) key: Option<PathBuf>,
    /// Topic filters on which askers may have their answers, besides `wader/response/#`.
    #[schemars(schema_with = "schema::response_topics", extend("default" = []))]
    pub(super) response_topics: Option<Vec<String>>,
    /// Whether others may add standing prompts over MQTT, and take those away again.
    #[schemars(extend("default" = false))]
    pub(super) new_prompts: Option<bool>,
    /// What waits while the broker is away; the oldest is dropped first.
    pub(super) outbox: Outbox,
}

/// What waits while the broker is away; the oldest is dropped first.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Outbox {
    /// Bytes of topics and payloads, 65536 (64 KiB) to 17179869184 (16 GiB).
    #[schemars(range(min = 65_536, max = 17_179_869_184_u64), extend("default" = 16_777_216))]
    pub(super) max_bytes: Option<u64>,
    /// The age at which a message is of no more use, `1s` to `168h`.
    #[schemars(extend("default" = "1h"))]
    pub(super) max_age: Option<Span>,
}

/// What is kept of answers, for `wader history`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct History {
    /// Whether published answers are kept in a file of the state folder.
    #[schemars(extend("default" = true))]
    pub(super) enabled: Option<bool>,
    /// Bytes of that file, 1048576 (1 MiB) to 1099511627776 (1 TiB); the oldest answers are forgotten first.
    #[schemars(range(min = 1_048_576, max = 1_099_511_627_776_u64), extend("default" = 268_435_456))]
    pub(super) max_bytes: Option<u64>,
    /// Older answers are forgotten, `1h` to `87840h`.
    #[schemars(extend("default" = "720h"))]
    pub(super) max_age: Option<Span>,
}

/// What is shown over HTTP.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Web {
    /// Where a page shows what stands just now, and `/metrics` is for Prometheus: an IP address and a port, such as
    /// `127.0.0.1:8470`; without it, nowhere.
    #[schemars(schema_with = "schema::listen")]
    pub(super) listen: Option<String>,
}

/// What Home Assistant is told.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct HomeAssistant {
    /// Whether Home Assistant finds cameras and prompts by itself (MQTT discovery).
    #[schemars(extend("default" = true))]
    pub(super) discovery: Option<bool>,
    /// Where Home Assistant listens for that.
    #[schemars(schema_with = "schema::prefix", extend("default" = "homeassistant"))]
    pub(super) prefix: Option<String>,
}

/// What answers.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Model {
    /// A folder with `manifest.json`.
    #[schemars(schema_with = "schema::filled", extend("default" = "models/wader-small"))]
    pub(super) path: Option<PathBuf>,
    /// `cpu`; `cuda` or `cuda:1` for one GPU or an error; `auto` for the first GPU if it works, else the CPU.
    #[schemars(schema_with = "schema::device", extend("default" = "auto"))]
    pub(super) device: Option<String>,
    /// Threads of the CPU for one inference, 1 to 256; without it, wader chooses by the machine.
    #[schemars(range(min = 1, max = 256))]
    pub(super) threads: Option<u32>,
    /// ONNX Runtime's shared library; without it, wader looks where `./x setup` and packages put it.
    pub(super) onnxruntime: Option<PathBuf>,
    /// Whether a window that looks like one that was answered, and in which nothing moves, gets the same answers without the
    /// model being asked; after five minutes it is asked again.
    #[schemars(extend("default" = true))]
    pub(super) skip_unchanged: Option<bool>,
}

/// Folders.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Paths {
    /// A folder of your own pipeline descriptions; without it `pipelines` beside the first file, if it is there.
    pub(super) pipelines: Option<PathBuf>,
    /// A folder for what outlives a restart; without it that of the service manager, else of the user.
    #[schemars(schema_with = "schema::filled")]
    pub(super) state: Option<PathBuf>,
}

/// What is logged, and how.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Log {
    /// The least important that is still logged.
    #[schemars(schema_with = "schema::level", extend("default" = "info"))]
    pub(super) level: Option<String>,
    /// `plain` text or `json` on standard error, `journald` with fields; `auto` is plain, and under systemd each line has its priority.
    #[schemars(schema_with = "schema::format", extend("default" = "auto"))]
    pub(super) format: Option<String>,
}

/// What cameras and prompts leave out.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Defaults {
    /// What cameras leave out.
    pub(super) camera: CameraDefaults,
    /// What prompts leave out.
    pub(super) prompt: PromptDefaults,
}

/// What cameras leave out.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct CameraDefaults {
    /// How the stream is decoded, or the name of a description of your own; without it, what fits the URL.
    #[schemars(schema_with = "schema::pipeline")]
    pub(super) pipeline: Option<String>,
    /// Frames sampled a second, 0.01 to 30; only these are resized, converted and seen by the model.
    #[schemars(range(min = 0.01, max = 30), extend("default" = 2))]
    pub(super) frames_per_second: Option<f64>,
    /// How long packets wait for those that were overtaken on the network, `0s` to `10s`.
    #[schemars(extend("default" = "200ms"))]
    pub(super) latency: Option<Span>,
    /// A camera that sends nothing for so long is offline, `500ms` to `1h`.
    #[schemars(extend("default" = "4s"))]
    pub(super) silence: Option<Span>,
    /// With one and the same picture for so long the camera is frozen, `1s` to `24h`, or `off`.
    #[schemars(extend("default" = "1m"))]
    pub(super) frozen_after: Option<Limit>,
    /// Whether only key frames are decoded, while they are at most half as far apart again as frames are sampled.
    #[schemars(extend("default" = false))]
    pub(super) key_frames_only: Option<bool>,
    /// Whether the camera is watched.
    #[schemars(extend("default" = true))]
    pub(super) enabled: Option<bool>,
}

/// The long form of a camera; the short form is its URL alone.
// The short form is made long before it comes here; its schema is in the one of the table. The schema of all keys but `url` is that of the defaults.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("type" = ["object", "string"], "pattern" = schema::short_camera()))]
pub(super) struct Camera {
    /// Where the camera is, with user and password if it asks for them.
    #[schemars(schema_with = "schema::url")]
    pub(super) url: Option<String>,
    pub(super) pipeline: Option<String>,
    pub(super) frames_per_second: Option<f64>,
    pub(super) latency: Option<Span>,
    pub(super) silence: Option<Span>,
    pub(super) frozen_after: Option<Limit>,
    pub(super) key_frames_only: Option<bool>,
    pub(super) enabled: Option<bool>,
}

/// What prompts leave out.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct PromptDefaults {
    /// Where written answers are cut, in tokens, 1 to 256; without it 32 for text, 256 for JSON.
    #[schemars(range(min = 1, max = 256), extend("default" = 32))]
    pub(super) max_tokens: Option<usize>,
    /// JSON that is not written after so long is `unsure`, `100ms` to `1h`.
    #[schemars(extend("default" = "10s"))]
    pub(super) max_time: Option<Span>,
    /// The time from one answer to the next, `100ms` to `24h`.
    #[schemars(extend("default" = "2s"))]
    pub(super) every: Option<Span>,
    /// What the model sees: so many frames, the oldest so long before the newest.
    #[schemars(extend("default" = { "frames": 8, "span": "7s" }))]
    pub(super) window: Window,
    /// Which answers are published: `on_change`, those that differ from the one before or change the state, or `always`.
    #[schemars(schema_with = "schema::publish", extend("default" = "on_change"))]
    pub(super) publish: Option<String>,
    /// That many equal answers in a row change the state, 1 to 1000; a text needs one.
    #[schemars(range(min = 1, max = 1000), extend("default" = 1))]
    pub(super) hold: Option<u32>,
    /// An answer that is less probable than this, 0 to 1, is `unsure`; of a text, its words on average.
    #[schemars(range(min = 0, max = 1), extend("default" = 0.6))]
    pub(super) min_probability: Option<f64>,
    /// The same for the answer that is the state already; without it, as `min_probability`.
    #[schemars(range(min = 0, max = 1))]
    pub(super) keep_probability: Option<f64>,
    /// For so long after a transition that was an event, further ones are none, `0s` to `24h`.
    #[schemars(extend("default" = "0s"))]
    pub(super) cooldown: Option<Span>,
    /// Which state is an event once more when it lasts.
    #[schemars(extend("default" = { "after": "off" }))]
    pub(super) escalate: Escalate,
    /// When the prompt is asked, for example `[{ from = "22:00", to = "06:00" }]`; an empty list is always.
    #[schemars(extend("default" = []))]
    pub(super) active: Option<Vec<Period>>,
    /// Whether the prompt is asked also where the picture is black, covered or frozen.
    #[schemars(extend("default" = false))]
    pub(super) ask_blind: Option<bool>,
    /// Whether the newest picture that the model judged is published with each answer, as JPEG.
    #[schemars(extend("default" = false))]
    pub(super) image: Option<bool>,
    /// Whether the prompt is asked.
    #[schemars(extend("default" = true))]
    pub(super) enabled: Option<bool>,
}

/// A standing prompt.
// The schema of the keys that `PromptDefaults` has is that of the defaults.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("allOf" = schema::answers()))]
pub(super) struct Prompt {
    /// The question, at most 1000 characters.
    #[schemars(schema_with = "schema::question")]
    pub(super) ask: Option<String>,
    /// The same question in other words; all wordings, eight at most, are asked together and give one answer.
    #[schemars(schema_with = "schema::wordings")]
    pub(super) also: Option<Vec<String>>,
    /// The contrary of a `yes_no` question: its yes is this prompt's no.
    #[schemars(schema_with = "schema::question")]
    pub(super) negation: Option<String>,
    /// How the question is answered.
    #[schemars(schema_with = "schema::answer")]
    pub(super) answer: Option<String>,
    /// The answers that a `choice` is made from, two at least; these very words are published.
    #[schemars(schema_with = "schema::choices")]
    pub(super) choices: Option<Vec<String>>,
    /// The smallest `number`; at most 101 numbers are answers.
    #[schemars(extend("default" = 0))]
    pub(super) min: Option<u32>,
    /// The largest `number`; at most 101 numbers are answers.
    #[schemars(range(min = 1), extend("default" = 10))]
    pub(super) max: Option<u32>,
    /// What `json` must be: a JSON Schema as a table, as JSON in quotes, or the path of its file.
    pub(super) schema: Option<SchemaText>,
    pub(super) max_tokens: Option<usize>,
    pub(super) max_time: Option<Span>,
    /// The cameras, or groups of them, that the prompt is asked about; without it, all cameras.
    #[schemars(schema_with = "schema::camera_names")]
    pub(super) cameras: Option<Vec<String>>,
    /// Where the examples differ: left, top, right, bottom in fractions of the picture; without it, anywhere.
    #[schemars(length(equal = 4), inner(range(min = 0, max = 1)))]
    pub(super) region: Option<Vec<f64>>,
    /// Moments of the camera with their right answers, two of each answer at least; four are better.
    #[schemars(length(max = 16))]
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
    /// What is different on one camera, or on all of a group, by its name.
    #[schemars(schema_with = "schema::on")]
    pub(super) on: BTreeMap<String, PromptDefaults>,
}

/// A moment of the camera with its right answer.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
// A list is written whole, whatever other files say of the prompt.
#[schemars(extend("required" = ["path", "answer"]))]
pub(super) struct Example {
    /// A PNG or JPEG picture, or a folder of pictures of one moment, from the folder of this file.
    pub(super) path: Option<PathBuf>,
    /// What it shows, one of the prompt's answers.
    pub(super) answer: Option<String>,
}

/// What the model sees: so many frames, the oldest so long before the newest.
#[derive(Debug, Default, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Window {
    /// How many frames, 1 to 16, fewer if the model says so.
    #[schemars(range(min = 1, max = 16))]
    pub(super) frames: Option<usize>,
    /// The time from the oldest frame to the newest, `0s` to `1h`.
    pub(super) span: Option<Span>,
}

/// Which state is an event once more when it lasts.
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Escalate {
    /// How long it must have lasted, `1s` to `168h`, or `off`.
    pub(super) after: Option<Limit>,
    /// Which one, an answer of the prompt; without it `yes` of a `yes_no` prompt, of others whichever is held.
    pub(super) state: Option<Word>,
}

/// A part of the week.
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Period {
    /// The days on which it begins; without it, all.
    #[schemars(schema_with = "schema::days")]
    pub(super) days: Option<Vec<String>>,
    /// When it begins, such as `22:00`; without it, at midnight.
    #[schemars(schema_with = "schema::time_of_day")]
    pub(super) from: Option<String>,
    /// When it ends, such as `06:00`, on the next day if that is earlier; without it, at midnight.
    #[schemars(schema_with = "schema::time_of_day")]
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
