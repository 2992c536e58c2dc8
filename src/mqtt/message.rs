//! What leaves for the broker, and how: payload, retention, kind of content, and what it is worth.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;

use super::{Complaint, Topics, wire as own};
use crate::{
    answer::{Answer, ModelLabel, News, wire},
    name::{CameraName, PromptName},
    prompt::AnswerKind,
};

/// What a message is worth when there is no room for all: the first is dropped first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// What went wrong.
    Error,
    /// A picture; only the newest is of any use.
    Image,
    /// The whole answer to a text prompt.
    Caption,
    /// The whole answer to any other prompt.
    Answer,
    /// A prompt's state; only the newest is of any use.
    State,
    /// Whether something is there at all; only the newest is of any use.
    Status,
    /// A transition or an escalation: an alert.
    Event,
}

impl Class {
    /// All classes, the one that is dropped first first.
    pub const ALL: [Self; 7] =
        [Self::Error, Self::Image, Self::Caption, Self::Answer, Self::State, Self::Status, Self::Event];

    /// Whether a newer message on the same topic makes this one worthless.
    pub const fn newest_only(self) -> bool {
        matches!(self, Self::Image | Self::State | Self::Status)
    }
}

/// What kind of bytes a payload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// A bare word, number or line of text.
    Text,
    /// JSON.
    Json,
    /// A picture.
    Jpeg,
    /// Nothing: a retained topic is cleared.
    Nothing,
}

impl Content {
    /// The MQTT 5 content type.
    pub const fn mime(self) -> Option<&'static str> {
        match self {
            Self::Text => Some("text/plain; charset=utf-8"),
            Self::Json => Some(wire::CONTENT_TYPE),
            Self::Jpeg => Some("image/jpeg"),
            Self::Nothing => None,
        }
    }

    /// Whether it is UTF-8 (MQTT 5, payload format indicator).
    pub const fn is_text(self) -> bool {
        matches!(self, Self::Text | Self::Json)
    }
}

/// Whether the service is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServiceStatus {
    /// It runs and is connected.
    Online,
    /// The broker lost it (last will).
    Offline,
    /// It was stopped on purpose.
    Stopped,
}

impl ServiceStatus {
    /// The word that is published.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Offline => "offline",
            Self::Stopped => "stopped",
        }
    }
}

/// Whether a camera is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CameraStatus {
    /// Frames come.
    Online,
    /// No frames come; they are being sought.
    Offline,
    /// The configuration says to leave it alone.
    Disabled,
}

impl CameraStatus {
    /// The word that is published.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Offline => "offline",
            Self::Disabled => "disabled",
        }
    }
}

/// The payload of a switch that is on.
pub const ON: &str = "ON";
/// The payload of a switch that is off.
pub const OFF: &str = "OFF";

const fn switch(on: bool) -> &'static str {
    if on { ON } else { OFF }
}

/// One message; always delivered at least once (QoS 1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Where to.
    pub topic: Arc<str>,
    /// What.
    pub payload: Bytes,
    /// What it is worth.
    pub class: Class,
    /// Whether the broker keeps it for late subscribers.
    pub retain: bool,
    /// What kind of bytes.
    pub content: Content,
    /// How long after it reached the broker it is of use.
    pub expiry: Option<Duration>,
    /// What the asker knows the answer by, where this is one.
    pub correlation: Option<Bytes>,
}

impl Message {
    fn new(topic: String, payload: impl Into<Bytes>, class: Class, content: Content) -> Self {
        // All but events and errors are retained: a late subscriber wants to know how things stand, not what was.
        let retain = !matches!(class, Class::Event | Class::Error);
        Self { topic: topic.into(), payload: payload.into(), class, retain, content, expiry: None, correlation: None }
    }

    /// The answer to a question that was asked once, for whoever asked.
    pub fn reply(topic: String, answer: &Answer, asked: Option<&str>, correlation: Option<Bytes>) -> Self {
        let payload = wire::reply(answer, asked);
        // nobody waits for it longer; kept, it would answer the next who listens
        let expiry = Some(Duration::from_secs(60));
        Self { retain: false, expiry, correlation, ..Self::new(topic, payload, Class::Answer, Content::Json) }
    }

    /// Whether this answers a question that was asked once: of answers the only ones that are not retained.
    pub const fn is_reply(&self) -> bool {
        matches!(self.class, Class::Answer) && !self.retain
    }

    /// A camera came, went, or is left alone.
    pub fn camera_status(topics: &Topics, camera: &CameraName, status: CameraStatus) -> Self {
        Self::new(topics.camera_status(camera), status.word(), Class::Status, Content::Text)
    }

    /// A camera is watched, or not, as others want it.
    pub fn camera_enabled(topics: &Topics, camera: &CameraName, enabled: bool) -> Self {
        Self::new(topics.camera_enabled(camera), switch(enabled), Class::Status, Content::Text)
    }

    /// A prompt is asked, or not, as others want it.
    pub fn enabled(topics: &Topics, camera: &CameraName, prompt: &PromptName, enabled: bool) -> Self {
        Self::new(topics.enabled(camera, prompt), switch(enabled), Class::Status, Content::Text)
    }

    /// The newest picture that an answer is about, as JPEG.
    pub fn image(topics: &Topics, camera: &CameraName, prompt: &PromptName, jpeg: Vec<u8>) -> Self {
        Self::new(topics.image(camera, prompt), jpeg, Class::Image, Content::Jpeg)
    }

    /// Something went wrong; `untold`: how many complaints with this code were not told since the last one that was.
    pub fn error(topics: &Topics, complaint: &Complaint, untold: u64, at: SystemTime) -> Self {
        Self::new(topics.error(), own::error(complaint, untold, at), Class::Error, Content::Json)
    }

    /// What runs here; `refused` says why the configuration in the files is not the one that is used, where it is not.
    pub fn about(topics: &Topics, version: &str, model: &ModelLabel, refused: Option<&str>) -> Self {
        Self::new(topics.about(), own::about(version, model, refused), Class::Status, Content::Json)
    }

    /// A device for Home Assistant; [`discovery`](super::discovery) writes it.
    pub fn discovery(topic: String, device: Vec<u8>) -> Self {
        Self::new(topic, device, Class::Status, Content::Json)
    }

    /// Empties a retained topic.
    pub fn cleared(topic: String) -> Self {
        Self::new(topic, Bytes::new(), Class::Status, Content::Nothing)
    }

    /// All that is news about an answer, in the order to publish: whoever hears the event finds the rest in place.
    ///
    /// The whole answer expires after `expiry`, three intervals of the prompt as a rule; give none where answers come
    /// on change only, or the last one would be gone while it still holds. A state or an alert does not expire.
    pub fn news(topics: &Topics, answer: &Answer, news: &News, expiry: Option<Duration>) -> Vec<Self> {
        let (camera, prompt) = (&answer.camera, &answer.prompt);
        let mut messages = Vec::new();
        if news.answer {
            let class = if matches!(answer.kind, AnswerKind::Text { .. }) { Class::Caption } else { Class::Answer };
            let whole = Self::new(topics.answer(camera, prompt), wire::answer(answer), class, Content::Json);
            messages.push(Self { expiry, ..whole });
        }
        if let Some(state) = &news.state {
            messages.push(Self::new(topics.state(camera, prompt), state.state(), Class::State, Content::Text));
        }
        if let Some(transition) = &news.transition {
            let payload = wire::event(answer, transition);
            messages.push(Self::new(topics.event(camera, prompt), payload, Class::Event, Content::Json));
        }
        if let Some(escalation) = &news.escalation {
            let payload = wire::escalation(answer, escalation);
            messages.push(Self::new(topics.event(camera, prompt), payload, Class::Event, Content::Json));
        }
        messages
    }

    /// Upper bound of the bytes of its PUBLISH packet: headers, identifiers and properties included.
    pub fn packet_size(&self) -> usize {
        // Fixed header 5, two string lengths, packet id, properties' length 4, format 2, expiry 5, content type 3, correlation 3.
        const OVERHEAD: usize = 32;
        let correlation = self.correlation.as_ref().map_or(0, Bytes::len);
        OVERHEAD + self.topic.len() + self.payload.len() + correlation + self.content.mime().map_or(0, str::len)
    }
}
