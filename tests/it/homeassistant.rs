//! What Home Assistant is told: the payloads, held equal to files whose keys were checked against its own schemas; when
//! they are said; and that what is gone is cleared.

use std::{fs, path::PathBuf};

use serde_json::Value;
use wader::{
    mqtt::{
        Access, Listener, Topics,
        discovery::{self, Gone, Platform},
        wire::AboutMessage,
    },
    name::{CameraName, PromptName},
    prompt::{AnswerKind, Prompt},
};

use crate::support::{
    broker::{Mosquitto, kept, publish, within},
    config::root,
    service::{Service, config, until},
};

/// `UPDATE_GOLDEN=1` writes the files anew; check each new key against Home Assistant's schemas before you keep it.
fn golden(name: &str, payload: &[u8]) {
    let file: PathBuf = root().join("tests/data/homeassistant").join(name);
    let value: Value = serde_json::from_slice(payload).unwrap();
    let text = format!("{}\n", serde_json::to_string_pretty(&value).unwrap());
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&file, &text).unwrap();
    }
    let kept = fs::read_to_string(&file).unwrap_or_default();
    // the order of keys is nobody's promise
    assert!(serde_json::from_str(&kept).is_ok_and(|kept: Value| kept == value), "{name}: {text}\nis not {kept}");
    follows_the_schemas(&value);
}

/// What Home Assistant refuses: the rules of its `schemas.py` and of the platforms' files, as far as they are about us.
fn follows_the_schemas(device: &Value) {
    let topic = |value: &Value| {
        let topic = value.as_str().unwrap();
        assert!(!topic.is_empty() && !topic.contains(['+', '#']), "{topic}");
    };
    assert!(!device["device"]["identifiers"].as_array().unwrap().is_empty());
    assert!(device["origin"]["name"].is_string());
    for (key, component) in device["components"].as_object().unwrap() {
        // a space would part the component's id from the device's
        assert!(!key.contains(' '), "{key}");
        let component = component.as_object().unwrap();
        let platform = component["platform"].as_str().unwrap();
        if component.len() == 1 {
            continue; // is taken away
        }
        assert!(component["unique_id"].is_string() && component["name"].is_string(), "{key}");
        topic(
            &component[match platform {
                "image" => "image_topic",
                "button" => "command_topic",
                _ => "state_topic",
            }],
        );
        let of_platform: &[&str] = match platform {
            "binary_sensor" => &["device_class", "payload_on", "payload_off"],
            "sensor" => {
                &["device_class", "options", "state_class", "json_attributes_topic", "json_attributes_template"]
            }
            "event" => &["event_types"],
            "image" => &["image_topic", "content_type"],
            "button" => &["command_topic", "payload_press"],
            "switch" => &["command_topic", "payload_on", "payload_off"],
            other => panic!("{other}"),
        };
        let common = [
            "platform",
            "unique_id",
            "name",
            "qos",
            "state_topic",
            "value_template",
            "entity_category",
            "availability",
            "availability_mode",
        ];
        for own in component.keys() {
            assert!(common.contains(&own.as_str()) || of_platform.contains(&own.as_str()), "{key}: {own}");
        }
        for entry in component.get("availability").into_iter().flat_map(|list| list.as_array().unwrap()) {
            topic(&entry["topic"]);
        }
        if component.contains_key("options") {
            assert_eq!(component["device_class"], "enum", "{key}");
            assert!(!component.contains_key("state_class"), "{key}");
        }
        assert_eq!(platform == "event", component.contains_key("event_types"), "{key}");
        assert_eq!(matches!(platform, "switch" | "button"), component.contains_key("command_topic"), "{key}");
    }
}

fn name(text: &str) -> PromptName {
    PromptName::new(text).unwrap()
}

#[test]
fn each_kind_of_prompt_is_an_entity_of_its_kind() {
    let prompt = |name: &str, kind| Prompt { name: self::name(name), ask: "Is it?".to_owned(), also: Vec::new(), kind };
    let prompts = [
        prompt("person_at_door", AnswerKind::YesNo),
        prompt("light", AnswerKind::Choice(vec!["bright".to_owned(), "dark".to_owned()])),
        prompt("people", AnswerKind::Number { min: 0, max: 5 }),
        prompt("scene", AnswerKind::Text { max_tokens: 32 }),
    ];
    let prompts: Vec<(&Prompt, bool)> =
        prompts.iter().map(|prompt| (prompt, prompt.name.as_str() == "light")).collect();
    let gone = Gone {
        prompts: vec![(name("light"), Platform::BinarySensor), (name("old"), Platform::Sensor)],
        images: vec![name("people")],
    };
    let door = CameraName::new("front_door").unwrap();
    golden("camera.json", &discovery::camera(&Topics::default(), &door, &prompts, &gone, "1.2.3"));
    golden("service.json", &discovery::service(&Topics::default(), "1.2.3"));
}

const PERSON: &str = "[prompts.person]\nask = \"is it there\"\nanswer = \"yes_no\"\n";
const SCENE: &str = "[prompts.scene]\nask = \"is it there\"\nanswer = \"yes_no\"\ncameras = [\"door\"]\n";
const NOWHERE: &str = "rtsp://127.0.0.1:9/none";

/// Listens to what is announced.
async fn homeassistant(port: u16) -> Listener {
    let access = Access::parse(&format!("mqtt://127.0.0.1:{port}")).unwrap();
    within("subscribed", Listener::connect(&access, "homeassistant/#")).await.unwrap()
}

const DOOR: &str = "homeassistant/device/wader_door/config";
const YARD: &str = "homeassistant/device/wader_yard/config";

#[tokio::test(flavor = "multi_thread")]
async fn home_assistant_hears_all_again_when_it_begins_and_what_is_gone_is_cleared() {
    let mosquitto = Mosquitto::start(&[]).await;
    let port = mosquitto.port;
    let broker = format!("url = \"mqtt://127.0.0.1:{port}\"");
    let mut listener = homeassistant(port).await;
    let mut service =
        Service::start(&config(&broker, &[("door", NOWHERE), ("yard", NOWHERE)], &format!("{PERSON}{SCENE}")));
    let payload = until(&mut listener, "the door is announced", |a| a.topic == DOOR).await;
    let device: Value = serde_json::from_slice(&payload.payload).unwrap();
    follows_the_schemas(&device);
    assert!(device["components"]["person.binary_sensor"]["state_topic"] == "wader/door/person/state", "{device}");
    assert!(!payload.retained && payload.content_type.as_deref() == Some("application/json"));
    until(&mut listener, "the yard is announced", |a| a.topic == YARD).await;

    publish(port, "homeassistant/status", "online", &[]).await;
    for topic in ["homeassistant/device/wader/config", DOOR, YARD] {
        let again = until(&mut listener, "it is announced again", |a| a.topic == topic && !a.payload.is_empty()).await;
        assert!(!again.retained, "said, not only kept");
    }

    // what others keep below the same prefix, in shapes like ours, is theirs
    let theirs = ["wader/garage/person/state", "wader/garage/status", "wader/door/notes/state"];
    for topic in theirs {
        publish(port, topic, "theirs", &["-r"]).await;
    }
    publish(port, "wader/yard/person/state", "yes", &["-r"]).await;
    publish(port, "wader/door/scene/state", "yes", &["-r"]).await;
    let log = service.log();
    service = service.restart_with(&config(&broker, &[("door", NOWHERE)], PERSON)).await;
    until(&mut listener, "the yard is gone", |a| a.topic == YARD && a.payload.is_empty()).await;
    let payload = until(&mut listener, "the door is announced", |a| a.topic == DOOR).await;
    let device: Value = serde_json::from_slice(&payload.payload).unwrap();
    let taken_away = serde_json::json!({ "platform": "binary_sensor" });
    assert_eq!(device["components"]["scene.binary_sensor"], taken_away, "{device}");
    let about = r#"wader/about {"schema":"wader.about/1""#;
    let wanted = [about, "wader/door/status offline", "wader/status online", "wader/door/person/enabled ON"];
    let lines = kept(port, &wanted).await;
    let gone = ["wader/yard/", "wader/door/scene/"];
    let left: Vec<&String> = lines.iter().filter(|line| gone.iter().any(|gone| line.starts_with(gone))).collect();
    assert!(left.is_empty(), "{left:?} of {lines:?}\n{log}");
    kept(port, &theirs.map(|topic| format!("{topic} theirs")).each_ref().map(String::as_str)).await;

    let about =
        lines.iter().find_map(|line| line.strip_prefix("wader/about ")).map(serde_json::from_str::<AboutMessage>);
    assert_eq!(about.unwrap().unwrap().model, "oracle");

    // once the broker has it, it is forgotten: what others may put there is not cleared again
    let memory = service.path("state/wader.json");
    within("the memory is of what is here", async {
        while fs::read_to_string(&memory).unwrap().contains("yard") {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await;
    let off = format!("[homeassistant]\ndiscovery = false\n{PERSON}");
    service = service.restart_with(&config(&broker, &[("door", NOWHERE)], &off)).await;
    for topic in [DOOR, "homeassistant/device/wader/config"] {
        until(&mut listener, "nothing is announced", |a| a.topic == topic && a.payload.is_empty()).await;
    }
    assert!(service.terminate().await.success(), "{}", service.log());
}
