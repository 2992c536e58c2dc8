//! What Home Assistant is told: one device for the service and one for each camera, as its MQTT device discovery wants.
//!
//! The names of all keys, and which must be there, are those of its component `mqtt` (`schemas.py`, `discovery.py`, and
//! the file of each platform), read in version 2026.4. `tests/data/homeassistant` holds what is published, and
//! `./x homeassistant` what a running Home Assistant makes of it.

use serde_json::{Map, Value, json};

use super::{OFF, ON, Topics};
use crate::{
    name::{CameraName, PromptName},
    prompt::{AnswerKind, Prompt},
};

/// This service's name and version, as Home Assistant shows where an entity comes from.
const ORIGIN: &str = "wader";
/// Where its users find help; left out while the package names no such place.
const SUPPORT: &str = env!("CARGO_PKG_REPOSITORY");
/// Commands and states arrive once at least, and so does what Home Assistant hears.
const QOS: u8 = 1;
/// Anything but `online` is not there: Home Assistant would overlook `stopped` and `disabled`, which it does not know.
const IS_ONLINE: &str = "{{ 'online' if value == 'online' else 'offline' }}";
/// Home Assistant wants to find the kind of an event in it.
const TO_WORD: &str = "{{ dict(value_json, event_type=value_json.after | string) | to_json }}";
/// A topic that is cleared knows nothing any more. Without this, an empty word would be the state of a text, and a complaint
/// of Home Assistant's about all others; and what one kind of prompt leaves, it would hold against the next.
const OR_UNKNOWN: &str = "{{ value or 'None' }}";
/// The same of attributes.
const OR_NONE: &str = "{{ value or '{}' }}";
/// What the button asks, and what is shown of what comes: a state has 255 characters at most.
const DESCRIBE: &str = "Describe what happens.";
const TO_REPLY: &str = "{{ (value_json.answer if value_json.answer is not none else value_json.outcome) | string | truncate(255, True, '…', 0) }}";
/// Kinds must be listed beforehand, which texts and long ranges of numbers cannot be.
const TO_CHANGED: &str = "{{ dict(value_json, event_type='changed') | to_json }}";

/// As what Home Assistant shows a prompt's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Platform {
    /// On or off.
    BinarySensor,
    /// A word, a number or a text.
    Sensor,
}

impl Platform {
    /// Home Assistant's word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::BinarySensor => "binary_sensor",
            Self::Sensor => "sensor",
        }
    }
}

/// What a prompt's state may be. Where that changes, Home Assistant must not be left with a state of before, which it would
/// refuse together with all that comes with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum States {
    /// Yes or no.
    YesNo,
    /// One of these words.
    OneOf(Vec<String>),
    /// A number.
    Number,
    /// Any text.
    Text,
}

impl States {
    /// The states that answers of this kind make.
    pub fn of(kind: &AnswerKind) -> Self {
        match kind {
            AnswerKind::YesNo => Self::YesNo,
            AnswerKind::Choice(choices) => Self::OneOf(choices.clone()),
            AnswerKind::Number { .. } => Self::Number,
            AnswerKind::Text { .. } | AnswerKind::Json { .. } => Self::Text,
        }
    }

    /// As what they are shown.
    pub const fn platform(&self) -> Platform {
        match self {
            Self::YesNo => Platform::BinarySensor,
            Self::OneOf(_) | Self::Number | Self::Text => Platform::Sensor,
        }
    }
}

/// The service as a device.
pub fn service(topics: &Topics, version: &str) -> Vec<u8> {
    let id = topics.device();
    let diagnostic = |key: &str, rest: Value| {
        let about = json!({
            "platform": "sensor", "unique_id": unique(topics, &[key]), "name": title(key), "qos": QOS,
            "entity_category": "diagnostic", "state_topic": topics.about(),
            "value_template": format!("{{{{ value_json.{key} }}}}"),
        });
        merged(about, rest)
    };
    let state = json!({
        "state_topic": topics.status(), "value_template": null,
        "device_class": "enum", "options": ["online", "offline", "stopped"],
    });
    let components = json!({
        "status": diagnostic("status", state),
        "version": diagnostic("version", json!({})),
        "model": diagnostic("model", json!({ "json_attributes_topic": topics.about() })),
    });
    let device = json!({ "identifiers": [id], "name": topics.prefix(), "manufacturer": ORIGIN, "sw_version": version });
    write(&device, version, components)
}

/// What a camera had before and has not any more.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gone {
    /// Prompts, and as what their states were shown.
    pub prompts: Vec<(PromptName, Platform)>,
    /// Prompts that had pictures.
    pub images: Vec<PromptName>,
}

/// A camera as a device, with its prompts, each with whether it has pictures, and what it had before: Home Assistant takes
/// away what it is told to, and nothing else. Its button asks for a description, which the sensor beside it shows.
pub fn camera(
    topics: &Topics,
    camera: &CameraName,
    prompts: &[(&Prompt, bool)],
    gone: &Gone,
    version: &str,
) -> Vec<u8> {
    let service = json!({ "topic": topics.status(), "value_template": IS_ONLINE });
    let here = json!({ "topic": topics.camera_status(camera), "value_template": IS_ONLINE });
    let mut components = Map::new();
    components.insert(
        "status".to_owned(),
        json!({
            "platform": "binary_sensor", "unique_id": unique(topics, &[camera.as_str(), "status"]), "name": "Connection",
            "qos": QOS, "device_class": "connectivity", "entity_category": "diagnostic",
            "state_topic": topics.camera_status(camera),
            "value_template": IS_ONLINE, "payload_on": "online", "payload_off": "offline",
            "availability": [service],
        }),
    );
    components.insert("enabled".to_owned(), {
        let (state, set) = (topics.camera_enabled(camera), topics.camera_enabled_set(camera));
        switch(&unique(topics, &[camera.as_str(), "enabled"]), "Enabled", &state, &set, &service)
    });
    let there = json!([service, here]);
    components.insert(
        "describe".to_owned(),
        json!({
            "platform": "button", "unique_id": unique(topics, &[camera.as_str(), "describe"]), "name": "Describe", "qos": QOS,
            "command_topic": topics.ask(camera), "payload_press": DESCRIBE,
            "availability": there, "availability_mode": "all",
        }),
    );
    components.insert(
        "reply".to_owned(),
        json!({
            "platform": "sensor", "unique_id": unique(topics, &[camera.as_str(), "reply"]), "name": "Reply", "qos": QOS,
            "state_topic": topics.ask_answer(camera), "value_template": TO_REPLY,
            "availability": there, "availability_mode": "all",
        }),
    );
    for prompt in &gone.images {
        components.insert(key(prompt, "image"), json!({ "platform": "image" }));
    }
    for (prompt, platform) in &gone.prompts {
        for platform in [platform.word(), "event", "switch"] {
            components.insert(key(prompt, platform), json!({ "platform": platform }));
        }
    }
    for (prompt, has_images) in prompts {
        let asked = json!({
            "topic": topics.enabled(camera, &prompt.name), "payload_available": ON, "payload_not_available": OFF,
        });
        let there = json!([service, here, asked]);
        let id = |part: &str| unique(topics, &[camera.as_str(), prompt.name.as_str(), part]);
        let name = title(prompt.name.as_str());
        let states = States::of(&prompt.kind);
        let platform = states.platform().word();
        let common = json!({
            "platform": platform, "unique_id": id("state"), "name": name, "qos": QOS,
            "state_topic": topics.state(camera, &prompt.name), "availability": there, "availability_mode": "all",
        });
        let state = merged(common, shown_as(topics, camera, &prompt.name, &states));
        components.insert(key(&prompt.name, platform), state);
        components.insert(key(&prompt.name, "event"), {
            let (kinds, template) = kinds(&states);
            json!({
                "platform": "event", "unique_id": id("event"), "name": format!("{name} changed"), "qos": QOS,
                "state_topic": topics.event(camera, &prompt.name), "event_types": kinds, "value_template": template,
                "availability": there, "availability_mode": "all",
            })
        });
        if *has_images {
            let image = json!({
                "platform": "image", "unique_id": id("image"), "name": format!("{name} picture"), "qos": QOS,
                "image_topic": topics.image(camera, &prompt.name), "content_type": "image/jpeg",
                "availability": there, "availability_mode": "all",
            });
            components.insert(key(&prompt.name, "image"), image);
        }
        components.insert(key(&prompt.name, "switch"), {
            let (state, set) = (topics.enabled(camera, &prompt.name), topics.enabled_set(camera, &prompt.name));
            switch(&id("enabled"), &format!("{name} enabled"), &state, &set, &service)
        });
    }
    let device = json!({
        "identifiers": [topics.camera_device(camera)], "name": title(camera.as_str()), "manufacturer": ORIGIN,
        "via_device": topics.device(),
    });
    write(&device, version, components.into())
}

/// What a prompt's entity has by what its state may be.
fn shown_as(topics: &Topics, camera: &CameraName, prompt: &PromptName, states: &States) -> Value {
    match states {
        States::YesNo => json!({ "payload_on": "yes", "payload_off": "no" }),
        States::OneOf(choices) => json!({ "device_class": "enum", "options": choices, "value_template": OR_UNKNOWN }),
        States::Number => json!({ "state_class": "measurement", "value_template": OR_UNKNOWN }),
        // the state is cut at the 255 characters that a state may have; the whole text is here
        States::Text => json!({
            "json_attributes_topic": topics.answer(camera, prompt), "json_attributes_template": OR_NONE,
            "value_template": OR_UNKNOWN,
        }),
    }
}

/// The kinds of a prompt's event, and how its message is read.
fn kinds(states: &States) -> (Vec<String>, &'static str) {
    match states {
        States::YesNo => (vec!["yes".to_owned(), "no".to_owned()], TO_WORD),
        States::OneOf(choices) => (choices.clone(), TO_WORD),
        States::Number | States::Text => (vec!["changed".to_owned()], TO_CHANGED),
    }
}

/// A switch; there as long as the service is, or what it switched off could not be switched on again.
fn switch(id: &str, name: &str, state: &str, set: &str, service: &Value) -> Value {
    json!({
        "platform": "switch", "unique_id": id, "name": name, "qos": QOS, "entity_category": "config",
        "state_topic": state, "command_topic": set, "payload_on": ON, "payload_off": OFF,
        "availability": [service],
    })
}

/// A component's key. What is shown as something else from now on must not take the old one's place; no name holds a
/// dot.
fn key(prompt: &PromptName, platform: &str) -> String {
    format!("{prompt}.{platform}")
}

/// Parted by what stands in no name: else `a_b` and `c` would be `a` and `b_c`.
fn unique(topics: &Topics, parts: &[&str]) -> String {
    format!("{}/{}", topics.prefix(), parts.join("/"))
}

/// `person_at_door` as people write it.
fn title(name: &str) -> String {
    let words = name.replace(['_', '-'], " ");
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + letters.as_str())
}

/// The second object's values over the first one's; `null` takes a key away.
fn merged(mut base: Value, over: Value) -> Value {
    if let (Value::Object(base), Value::Object(over)) = (&mut base, over) {
        for (key, value) in over {
            if value.is_null() { _ = base.remove(&key) } else { _ = base.insert(key, value) }
        }
    }
    base
}

fn write(device: &Value, version: &str, components: Value) -> Vec<u8> {
    let support = if SUPPORT.is_empty() { Value::Null } else { SUPPORT.into() };
    let origin = merged(json!({ "name": ORIGIN, "sw_version": version }), json!({ "support_url": support }));
    let whole = json!({ "device": device, "origin": origin, "components": components });
    whole.to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_pairs_of_names_are_never_one_entity() {
        let topics = Topics::default();
        assert_ne!(unique(&topics, &["a_b", "c"]), unique(&topics, &["a", "b_c"]));
        assert_eq!((title("person_at-door"), title("a")), ("Person at door".to_owned(), "A".to_owned()));
    }

    #[test]
    fn the_place_for_help_appears_with_the_package() {
        let service: Value = serde_json::from_slice(&service(&Topics::default(), "1.2.3")).unwrap();
        assert_eq!(service["origin"].get("support_url").is_some(), !SUPPORT.is_empty());
    }
}
