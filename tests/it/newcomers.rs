//! Standing prompts that others add over MQTT, and take away again.

use serde_json::Value;
use wader::{
    mqtt::{Arrival, Listener, wire::ErrorMessage},
    scene,
};

use crate::support::{
    broker::{Mosquitto, publish, within},
    service::{Service, answer, config, listen, until},
    video::drawn,
};

const OWN: &str = r#"
[prompts.own]
ask = "count reference"
answer = "choice"
choices = ["count", "reference"]
every = "500ms"
window = { frames = 2, span = "1s" }
publish = "always"
"#;

const EXTRA: &str = r#"{"ask": "count reference", "answer": "choice", "choices": ["count", "reference"], "every": "500ms",
    "window": {"frames": 3, "span": "1s"}, "publish": "always"}"#;

async fn complaint(listener: &mut Listener, port: u16, name: &str, payload: &str) -> ErrorMessage {
    publish(port, &format!("wader/prompts/{name}/set"), payload, &[]).await;
    let arrival = until(listener, "it is told", |a| a.topic == "wader/error").await;
    let error: ErrorMessage = serde_json::from_slice(&arrival.payload).unwrap();
    assert_eq!(error.prompt.as_deref(), Some(name));
    error
}

fn is(arrival: &Arrival, topic: &str, payload: &str) -> bool {
    arrival.topic == topic && arrival.text() == payload
}

#[tokio::test(flavor = "multi_thread")]
async fn others_add_a_prompt_which_is_asked_at_once_and_after_a_restart_until_they_take_it_away() {
    let mosquitto = Mosquitto::start(&[]).await;
    let port = mosquitto.port;
    let camera = scene::serve(drawn(4), 0).unwrap();
    let broker = format!("url = \"mqtt://127.0.0.1:{port}\"\nnew_prompts = true\n");
    let mut service = Service::start(&config(&broker, &[("yard", camera.url())], OWN));
    let mut listener = listen(&format!("mqtt://127.0.0.1:{port}")).await;
    answer(&mut listener, "wader/yard/own/answer").await;

    for (name, payload, code, says) in [
        ("extra", r#"{"ask": "x", "anwser": "yes_no"}"#, "bad_prompt", "did you mean `answer`?"),
        ("extra", r#"{"ask": "${HOME}", "answer": "yes_no"}"#, "bad_prompt", "HOME"),
        ("extra", r#"{"ask": "x", "answer": "yes_no", "cameras": ["moon"]}"#, "bad_prompt", "moon"),
        ("extra", "", "unknown_prompt", "no prompt `extra` was added"),
        ("own", EXTRA, "bad_prompt", "stands in the configuration"),
        ("Extra", EXTRA, "bad_prompt", "`E`"),
    ] {
        let error = complaint(&mut listener, port, name, payload).await;
        assert!(error.code == code && error.message.contains(says), "{name} {payload}: {error:?}");
    }

    let homeassistant = device(&mosquitto).await;
    publish(port, "wader/prompts/extra/set", EXTRA, &[]).await;
    until(&mut listener, "it is switched on", |a| is(a, "wader/yard/extra/enabled", "ON")).await;
    let first = answer(&mut listener, "wader/yard/extra/answer").await;
    assert_eq!((first.window.asked, first.outcome.as_str()), (3, "answer"), "{first:?}");
    let announced = device(&mosquitto).await;
    assert!(
        homeassistant["components"].get("extra.sensor").is_none()
            && announced["components"]["extra.sensor"].is_object()
    );
    // it can be switched like any other
    publish(port, "wader/yard/extra/enabled/set", "OFF", &[]).await;
    until(&mut listener, "it is off", |a| is(a, "wader/yard/extra/enabled", "OFF")).await;
    publish(port, "wader/yard/extra/enabled/set", "ON", &[]).await;
    until(&mut listener, "it is on", |a| is(a, "wader/yard/extra/enabled", "ON")).await;
    // a prompt that comes while its camera is off is on: its own switch is
    publish(port, "wader/yard/enabled/set", "OFF", &[]).await;
    until(&mut listener, "the camera is off", |a| is(a, "wader/yard/enabled", "OFF")).await;
    publish(port, "wader/prompts/extra/set", &EXTRA.replace("500ms", "600ms"), &[]).await;
    let told = until(&mut listener, "it is told", |a| a.topic == "wader/yard/extra/enabled").await;
    assert_eq!(told.text(), "ON");
    publish(port, "wader/yard/enabled/set", "ON", &[]).await;
    answer(&mut listener, "wader/yard/extra/answer").await;
    // of another kind: what was said is cleared first, and what is said from then on stays
    publish(port, "wader/prompts/extra/set", &EXTRA.replace("[\"count\"", "[\"camera\", \"count\""), &[]).await;
    until(&mut listener, "its state is cleared", |a| is(a, "wader/yard/extra/state", "")).await;
    let state = |a: &Arrival| a.topic == "wader/yard/extra/state";
    assert_eq!(until(&mut listener, "it has a state again", state).await.text(), "count");
    for _ in 0..3 {
        let arrival =
            until(&mut listener, "it is asked on", |a| state(a) || a.topic == "wader/yard/extra/answer").await;
        assert!(!arrival.payload.is_empty(), "{arrival:?}");
    }
    // the camera was not touched by any of it, but for its switch
    assert_eq!(service.log().matches("camera is online").count(), 2, "{}", service.log());

    assert!(service.terminate().await.success(), "{}", service.log());
    // what does not fit any more is left out, and is no reason not to start
    let kept = service.path("state/wader.prompts");
    std::fs::write(kept.join("torn.json"), &EXTRA[..40]).unwrap();
    let list = r#"{"ask": "count", "answer": "json", "schema": {"type": "array", "items": {"type": "string"}}}"#;
    std::fs::write(kept.join("list.json"), list).unwrap();
    let mut service = service.started_again();
    until(&mut listener, "it runs again", |a| is(a, "wader/status", "online")).await;
    answer(&mut listener, "wader/yard/extra/answer").await;
    let log = service.log();
    assert!(log.contains("torn.json: ") && log.contains("`list`, which was added over MQTT, is left out"), "{log}");
    // what nobody is asked at present can be taken away all the same
    publish(port, "wader/prompts/torn/set", "", &[]).await;
    within("it is taken away", async {
        while kept.join("torn.json").exists() {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    })
    .await;

    // another configuration with which all begins anew, in this process: what others added is still theirs
    let whole = std::fs::read_to_string(service.path("wader.toml")).unwrap();
    service.rewrite(&format!("{whole}[history]\nenabled = false\n"));
    until(&mut listener, "all ends", |a| is(a, "wader/status", "stopped")).await;
    until(&mut listener, "and begins anew", |a| is(a, "wader/status", "online")).await;
    answer(&mut listener, "wader/yard/extra/answer").await;

    publish(port, "wader/prompts/extra/set", "", &[]).await;
    until(&mut listener, "it is taken away", |a| is(a, "wader/yard/extra/state", "")).await;
    let mut own = 0;
    let watch = async {
        while own < 3 {
            let arrival = listener.next().await.unwrap();
            assert!(!arrival.topic.starts_with("wader/yard/extra/") || arrival.payload.is_empty(), "{arrival:?}");
            own += usize::from(arrival.topic == "wader/yard/own/answer");
        }
    };
    within("the other is asked on", watch).await;
    assert!(service.terminate().await.success(), "{}", service.log());

    let closed = config(&broker.replace("new_prompts = true", ""), &[("yard", camera.url())], OWN);
    let mut service = service.restart_ended_with(&closed);
    answer(&mut listener, "wader/yard/own/answer").await;
    let error = complaint(&mut listener, port, "extra", EXTRA).await;
    assert!(error.code == "not_allowed" && error.message.contains("`new_prompts = true`"), "{error:?}");
    assert!(service.terminate().await.success(), "{}", service.log());
}

/// The camera's device as the broker keeps it for Home Assistant.
async fn device(mosquitto: &Mosquitto) -> Value {
    let topic = "homeassistant/device/wader_yard/config";
    let mut listener = Listener::connect(&mosquitto.access(), topic).await.unwrap();
    let arrival = within("the device is announced", listener.next()).await.unwrap();
    serde_json::from_slice(&arrival.payload).unwrap()
}
