//! Every topic as AsyncAPI 3 describes them, made from the very functions that name the topics, so that it cannot rot.

use serde_json::{Map, Value, json};

use super::{OFF, ON, Topics, wire};
use crate::{
    answer::wire::{ANSWER_JSON_SCHEMA, EVENT_JSON_SCHEMA},
    name::{CameraName, PromptName},
};

/// One topic, or many of one form.
struct Channel {
    key: &'static str,
    /// With names in braces.
    address: String,
    says: &'static str,
    /// Whether the service publishes it; else it listens.
    sent: bool,
    retained: bool,
    content_type: &'static str,
    payload: Value,
}

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";

/// Stand in topics where names are.
const CAMERA: &str = "camera";
const PROMPT: &str = "prompt";

/// The description of all topics below a prefix, as an AsyncAPI 3.0 document.
pub fn document(topics: &Topics, version: &str) -> Value {
    let (mut all, mut operations, mut schemas) = (Map::new(), Map::new(), Map::new());
    for channel in channels(topics) {
        let parameters: Map<String, Value> = [(CAMERA, "a camera of the configuration"), (PROMPT, "a standing prompt")]
            .into_iter()
            .filter(|(name, _)| channel.address.contains(&format!("{{{name}}}")))
            .map(|(name, says)| (name.to_owned(), json!({ "description": says })))
            .collect();
        let payload = part_of_document(channel.payload, &mut schemas);
        let message = json!({ "contentType": channel.content_type, "payload": payload });
        let description = json!({
            "address": channel.address, "description": channel.says, "parameters": parameters,
            "messages": { channel.key: message },
        });
        all.insert(channel.key.to_owned(), description);
        let operation = json!({
            "action": if channel.sent { "send" } else { "receive" },
            "channel": { "$ref": format!("#/channels/{}", channel.key) },
            "bindings": { "mqtt": { "qos": 1, "retain": channel.retained, "bindingVersion": "0.2.0" } },
        });
        operations.insert(channel.key.to_owned(), operation);
    }
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "wader", "version": version, "license": { "name": "Apache-2.0" },
            "description": "Standing questions about live cameras, answered over MQTT 5.",
        },
        "defaultContentType": JSON,
        "channels": all,
        "operations": operations,
        "components": { "schemas": schemas },
    })
}

/// A schema as a part of the document, in which a reference is looked up from the document's root: what it defines goes to
/// `schemas`, and there its references point.
fn part_of_document(mut schema: Value, schemas: &mut Map<String, Value>) -> Value {
    point_at_document(&mut schema);
    if let Some(members) = schema.as_object_mut() {
        members.remove("$schema");
        members.remove("$id");
        if let Some(Value::Object(defined)) = members.remove("$defs") {
            schemas.extend(defined);
        }
    }
    schema
}

fn point_at_document(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            if let Some(Value::String(target)) = members.get_mut("$ref") {
                *target = target.replace("#/$defs/", "#/components/schemas/");
            }
            members.values_mut().for_each(point_at_document);
        }
        Value::Array(items) => items.iter_mut().for_each(point_at_document),
        _ => {}
    }
}

/// A topic with its names in braces.
fn form(topic: &str) -> String {
    let brace = |level: &str| match level {
        CAMERA | PROMPT => format!("{{{level}}}"),
        _ => level.to_owned(),
    };
    topic.split('/').map(brace).collect::<Vec<_>>().join("/")
}

fn schema(text: &str) -> Value {
    // a test reads each of them
    serde_json::from_str(text).unwrap_or_default()
}

fn channels(topics: &Topics) -> Vec<Channel> {
    let (Ok(camera), Ok(prompt)) = (CameraName::new(CAMERA), PromptName::new(PROMPT)) else { return Vec::new() };
    let (camera, prompt) = (&camera, &prompt);
    let text = |key, topic: String, says, values: &[&str]| Channel {
        key,
        address: form(&topic),
        says,
        sent: true,
        retained: true,
        content_type: TEXT,
        payload: json!({ "type": "string", "enum": values }),
    };
    let document = |key, topic: String, says, retained, payload| Channel {
        key,
        address: form(&topic),
        says,
        sent: true,
        retained,
        content_type: JSON,
        payload,
    };
    let heard = |channel: Channel| Channel { sent: false, retained: false, ..channel };
    let answer = || schema(ANSWER_JSON_SCHEMA);
    let question = json!({
        "anyOf": [
            { "type": "string", "minLength": 1, "description": "the question alone" },
            {
                "type": "object", "required": ["question"], "additionalProperties": false,
                "properties": {
                    "question": { "type": "string" }, "answer": { "enum": ["yes_no", "choice", "number", "text", "json"] },
                    "choices": { "type": "array", "items": { "type": "string" }, "minItems": 2 },
                    "schema": { "type": "object", "description": "a JSON Schema; the answer is JSON" },
                    "min": { "type": "integer", "minimum": 0 }, "max": { "type": "integer", "minimum": 0 },
                    "timeout": {
                        "type": "number", "exclusiveMinimum": 0, "description": "seconds, 10 where it is not said; more than 60 are 60",
                    },
                    "id": { "type": "string", "description": "comes back as the answer's `request`" },
                },
            },
        ],
    });
    let feedback = json!({
        "type": "object", "required": ["answer_id", "right"], "additionalProperties": false,
        "properties": {
            "answer_id": { "type": "string", "description": "the answer's `id`" },
            "right": { "type": "boolean" },
            "answer": { "type": "string", "description": "what is right, where that does not follow" },
        },
    });
    let added = json!({
        "type": "object", "required": ["ask", "answer"], "description": "the keys of `[prompts.NAME]`: `wader schema config`",
    });
    let about = json!({
        "type": "object", "required": ["schema", "version", "model", "model_version", "model_hash"],
        "properties": {
            "schema": { "const": wire::ABOUT_SCHEMA },
            "configuration_refused": {
                "type": "string", "description": "why the configuration in the files is not the one that is used",
            },
        },
    });
    let state = json!({ "type": "string", "maxLength": 255 });
    vec![
        text("status", topics.status(), "the service", &["online", "offline", "stopped"]),
        text("camera_status", topics.camera_status(camera), "a camera", &["online", "offline", "disabled"]),
        Channel { payload: state, ..text("state", topics.state(camera, prompt), "the word, number or text", &[]) },
        Channel {
            content_type: "image/jpeg",
            payload: json!({ "type": "string", "contentEncoding": "binary" }),
            ..text("image", topics.image(camera, prompt), "the newest picture that the last answer is about", &[])
        },
        document("answer", topics.answer(camera, prompt), "the whole answer", true, answer()),
        document("event", topics.event(camera, prompt), "a change", false, schema(EVENT_JSON_SCHEMA)),
        text("camera_enabled", topics.camera_enabled(camera), "whether it is watched", &[ON, OFF]),
        text("enabled", topics.enabled(camera, prompt), "whether it is asked", &[ON, OFF]),
        heard(text("set_camera_enabled", topics.camera_enabled_set(camera), "watch it, or not", &[ON, OFF])),
        heard(text("set_enabled", topics.enabled_set(camera, prompt), "ask it, or not", &[ON, OFF])),
        heard(document("ask", topics.ask(camera), "a question that is asked once", false, question)),
        document("ask_answer", topics.ask_answer(camera), "its answer", false, answer()),
        document("response", format!("{}/#", topics.responses()), "its answer, where asked for", false, answer()),
        heard(document("feedback", topics.feedback(), "whether an answer was right", false, feedback)),
        heard(document(
            "new_prompt",
            topics.new_prompt(prompt),
            "a standing prompt to add; empty: to take away",
            false,
            added,
        )),
        document("error", topics.error(), "what went wrong", false, schema(wire::ERROR_JSON_SCHEMA)),
        document("about", topics.about(), "what runs here", true, about),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_channel_has_one_operation_and_a_payload_of_its_own() {
        let document = document(&Topics::default(), "1.2.3");
        let channels = document["channels"].as_object().unwrap();
        assert_eq!(channels.len(), 17);
        for (key, channel) in channels {
            assert_eq!(document["operations"][key]["channel"]["$ref"], format!("#/channels/{key}"));
            assert!(
                channel["messages"][key]["payload"].as_object().is_some_and(|payload| !payload.is_empty()),
                "{key}"
            );
        }
        assert_eq!(channels["state"]["address"], "wader/{camera}/{prompt}/state");
        assert_eq!(channels["set_enabled"]["address"], "wader/{camera}/{prompt}/enabled/set");
        assert_eq!(document["operations"]["ask"]["action"], "receive");
    }

    /// Every reference below a value.
    fn references(value: &Value) -> Vec<&str> {
        match value {
            Value::Object(members) => {
                let own = members.get("$ref").and_then(Value::as_str);
                own.into_iter().chain(members.values().flat_map(references)).collect()
            }
            Value::Array(items) => items.iter().flat_map(references).collect(),
            _ => Vec::new(),
        }
    }

    #[test]
    fn each_reference_is_found_from_the_root_and_two_schemas_define_a_name_alike() {
        let document = document(&Topics::default(), "1.2.3");
        let references = references(&document);
        assert!(references.iter().any(|reference| reference.starts_with("#/components/")));
        for reference in references {
            assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
        }
        let of = |text| schema(text)["$defs"].as_object().unwrap().clone();
        let (answer, event) = (of(ANSWER_JSON_SCHEMA), of(EVENT_JSON_SCHEMA));
        assert!(answer.iter().all(|(name, defined)| event.get(name).is_none_or(|other| other == defined)));
    }
}
