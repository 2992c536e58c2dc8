//! What others say to wader over MQTT: that it is heard, and that cameras and prompts are switched by it.

use std::time::Duration;

use wader::{
    mqtt::{
        Arrival, Listener, Message, Topics,
        broker::Embedded,
        wire::{ERROR_JSON_SCHEMA, ErrorMessage},
    },
    scene,
};

use crate::support::{
    broker::{Mosquitto, Running, kept, listen as listen_to, publish, read_until, within},
    service::{Service, answer, config, listen, until, wader as wader_command},
    video::drawn,
};

const SETS: &[&str] = &["wader/+/enabled/set", "wader/+/+/enabled/set"];

/// Two prompts that are answered all the time.
const PROMPTS: &str = r#"
[prompts.there]
ask = "is it there"
answer = "yes_no"
every = "500ms"
window = { frames = 2, span = "500ms" }
publish = "always"
[prompts.other]
ask = "is it there"
answer = "yes_no"
every = "500ms"
window = { frames = 2, span = "500ms" }
publish = "always"
"#;

async fn heard(arrivals: &mut tokio::sync::mpsc::Receiver<Arrival>) -> Arrival {
    within("it is heard", arrivals.recv()).await.unwrap()
}

async fn what_others_say_is_heard(access: wader::mqtt::Access, port: u16) {
    let (running, mut arrivals) = Running::hearing(access, SETS, 8, |_| {});
    running.connected().await;
    // the subscription stands once something of it was heard
    publish(port, "wader/door/enabled/set", "OFF", &["-r"]).await;
    let first = heard(&mut arrivals).await;
    assert_eq!((first.topic.as_str(), first.text().as_str()), ("wader/door/enabled/set", "OFF"));
    assert!(first.retained, "that the broker keeps it is seen at once, or when it is sent for being kept");
    publish(port, "wader/door/person/enabled/set", "ON", &[]).await;
    publish(port, "wader/door/person/enabled", "ON", &[]).await;
    publish(port, "wader/yard/enabled/set", "x", &[]).await;
    let second = heard(&mut arrivals).await;
    assert_eq!((second.topic.as_str(), second.retained), ("wader/door/person/enabled/set", false));
    assert_eq!(heard(&mut arrivals).await.topic, "wader/yard/enabled/set", "its own topics are not heard");
    running.stop().await;
}

#[tokio::test]
async fn what_others_say_is_heard_over_the_embedded_broker() {
    let broker = Embedded::start(([127, 0, 0, 1], 0).into()).await.unwrap();
    what_others_say_is_heard(broker.access().unwrap(), broker.address().port()).await;
}

#[tokio::test]
async fn what_others_say_is_heard_over_mosquitto() {
    let broker = Mosquitto::start(&[]).await;
    what_others_say_is_heard(broker.access(), broker.port).await;
}

#[tokio::test]
async fn what_others_say_is_heard_after_a_broker_that_forgot_who_listens() {
    let mut broker = Mosquitto::start(&[]).await;
    let (running, mut arrivals) = Running::hearing(broker.access(), SETS, 8, |_| {});
    running.connected().await;
    for round in ["ON", "OFF"] {
        // retained: whichever comes first, this or the subscription
        publish(broker.port, "wader/door/enabled/set", round, &["-r"]).await;
        assert_eq!(heard(&mut arrivals).await.text(), round);
        if round == "ON" {
            broker.signal("KILL").await;
            running.away().await;
            broker.start_again().await;
            running.connected().await;
        }
    }
    running.stop().await;
}

#[tokio::test]
async fn whoever_says_too_much_is_not_heard_and_holds_up_nothing() {
    let broker = Mosquitto::start(&[]).await;
    let (running, mut arrivals) = Running::hearing(broker.access(), SETS, 1, |_| {});
    running.connected().await;
    let mut listener = listen_to(&broker.access()).await;
    // once this is heard the subscription stands
    publish(broker.port, "wader/door/enabled/set", "0", &["-r"]).await;
    assert_eq!(heard(&mut arrivals).await.text(), "0");
    let lines: String = (1..=51).map(|n| format!("{n}\n")).collect();
    let file = broker.path("lines");
    std::fs::write(&file, lines).unwrap();
    let flood =
        format!("mosquitto_pub -h 127.0.0.1 -p {} -q 1 -t wader/door/enabled/set -l < {}", broker.port, file.display());
    let status = tokio::process::Command::new("sh").args(["-c", &flood]).status();
    assert!(within("the flood is over", status).await.unwrap().success());
    running.handle.offer(Message::camera_enabled(&Topics::default(), &crate::mqtt::door(), true));
    read_until(&mut listener, "the answer", |a| a.topic == "wader/door/enabled").await;
    within("the flood is counted", async {
        while running.handle.unheard() < 50 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await;
    assert_eq!((heard(&mut arrivals).await.text().as_str(), arrivals.try_recv().is_ok()), ("1", false));
    running.stop().await;
}

#[tokio::test]
async fn a_broker_that_lets_nobody_listen_still_gets_answers() {
    let broker = Mosquitto::prepare(&["acl_file {folder}/acl"]).await;
    std::fs::write(broker.path("acl"), "topic readwrite wader/door/#\ntopic readwrite wader/status\n").unwrap();
    let broker = broker.started().await;
    let (running, _arrivals) = Running::hearing(broker.access(), &["secret/#"], 1, |_| {});
    running.handle.offer(Message::camera_enabled(&Topics::default(), &crate::mqtt::door(), true));
    running.emptied().await;
    running.stop().await;
}

#[tokio::test]
async fn the_schema_of_an_error_is_printed() {
    let said = wader_command(&["schema", "error"]).await;
    assert_eq!((said.code, said.out.trim_end()), (0, ERROR_JSON_SCHEMA.trim_end()));
}

fn error(arrival: &Arrival) -> ErrorMessage {
    let value: serde_json::Value = serde_json::from_slice(&arrival.payload).unwrap();
    let schema: serde_json::Value = serde_json::from_str(ERROR_JSON_SCHEMA).unwrap();
    jsonschema::validate(&schema, &value).unwrap();
    serde_json::from_value(value).unwrap()
}

/// Waits for a retained or live message of this payload.
async fn says(listener: &mut Listener, topic: &str, payload: &str) {
    until(listener, &format!("{topic} {payload}"), |a| a.topic == topic && a.text() == payload).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_is_switched_off_and_on_and_a_restart_forgets_neither() {
    let served: Vec<_> = [1, 2].map(|camera| scene::serve(drawn(camera), 0).unwrap()).into();
    let mosquitto = Mosquitto::start(&[]).await;
    let port = mosquitto.port;
    let url = format!("mqtt://127.0.0.1:{port}");
    let cameras = [("door", served[0].url()), ("yard", served[1].url())];
    let config = config(&format!("url = \"{url}\""), &cameras, PROMPTS);
    let mut service = Service::start(&config);
    let mut listener = listen(&url).await;
    says(&mut listener, "wader/door/enabled", "ON").await;
    answer(&mut listener, "wader/door/there/answer").await;

    publish(port, "wader/door/enabled/set", "OFF", &[]).await;
    says(&mut listener, "wader/door/enabled", "OFF").await;
    says(&mut listener, "wader/door/status", "disabled").await;
    let mut said = answer(&mut listener, "wader/door/there/answer").await;
    if said.outcome != "stale" {
        said = answer(&mut listener, "wader/door/there/answer").await; // that one was on its way
    }
    assert_eq!((said.outcome.as_str(), said.reason.as_deref()), ("stale", Some("camera_disabled")));
    let asked = ["ask", "door", "Is anybody there?", "--json", "--config"];
    let refused = wader_command(&[&asked[..], &[service.path("wader.toml").to_str().unwrap()]].concat()).await;
    assert!(refused.code == 1 && refused.out.contains("camera_disabled"), "{refused:?}");
    // of two cameras one is left, which tells the time
    let mut others = 0;
    while others < 4 {
        let arrival = until(&mut listener, "answers go on", |a| a.topic.ends_with("/there/answer")).await;
        assert!(arrival.topic.starts_with("wader/yard/"), "{}: {}", arrival.topic, arrival.text());
        others += 1;
    }

    service = service.restart_with(&config).await;
    drop(listener);
    let mut listener = listen(&url).await;
    // all that is said after the start, up to an answer of the other camera
    until(&mut listener, "it was stopped", |a| a.topic == "wader/status" && a.text() == "online").await;
    says(&mut listener, "wader/door/status", "disabled").await;
    answer(&mut listener, "wader/yard/there/answer").await;
    kept(port, &["wader/door/status disabled", "wader/door/enabled OFF", "wader/yard/enabled ON"]).await;

    publish(port, "wader/door/enabled/set", "ON", &[]).await;
    says(&mut listener, "wader/door/enabled", "ON").await;
    says(&mut listener, "wader/door/status", "online").await;
    let said = until(&mut listener, "it is asked about again", |a| {
        a.topic == "wader/door/there/answer" && !a.text().contains("\"stale\"")
    });
    said.await;
    assert!(service.terminate().await.success(), "{}", service.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prompt_is_switched_off_and_what_is_wrong_is_told() {
    let camera = scene::serve(drawn(5), 0).unwrap();
    let mosquitto = Mosquitto::start(&[]).await;
    let port = mosquitto.port;
    let url = format!("mqtt://127.0.0.1:{port}");
    let rest = format!("{PROMPTS}[prompts.never]\nask = \"is it there\"\nanswer = \"yes_no\"\nenabled = false\n");
    let config = config(&format!("url = \"{url}\""), &[("gate", camera.url())], &rest);
    let mut service = Service::start(&config);
    let mut listener = listen(&url).await;
    answer(&mut listener, "wader/gate/there/answer").await;

    for (topic, payload, flags, code) in [
        ("wader/gate/enabled/set", "off", &[][..], "bad_payload"),
        ("wader/gate/there/enabled/set", "OFF", &["-r"][..], "retained_command"),
        ("wader/shed/enabled/set", "OFF", &[], "unknown_camera"),
        ("wader/gate/nobody/enabled/set", "OFF", &[], "unknown_prompt"),
        ("wader/gate/never/enabled/set", "ON", &[], "disabled_in_configuration"),
    ] {
        publish(port, topic, payload, flags).await;
        let error = error(&until(&mut listener, code, |a| a.topic == "wader/error").await);
        assert_eq!(error.code, code, "{error:?}");
        assert!(topic.contains(error.camera.as_deref().unwrap()), "{error:?}");
        assert!(error.message.len() > 20, "{error:?}");
    }
    // clearing the topic where that command is kept is no command
    publish(port, "wader/gate/there/enabled/set", "", &["-r"]).await;

    publish(port, "wader/gate/there/enabled/set", "OFF", &[]).await;
    says(&mut listener, "wader/gate/there/enabled", "OFF").await;
    let (mut late, mut others) = (0, 0);
    while others < 4 {
        let arrival = until(&mut listener, "the other prompt is asked", |a| a.topic.ends_with("/answer")).await;
        if arrival.topic.ends_with("/there/answer") { late += 1 } else { others += 1 }
    }
    assert!(late <= 1, "only the one that was under way: {late}");

    // what cannot be written is obeyed all the same, and told
    let in_the_way = service.path("state/wader.json.new");
    std::fs::create_dir(&in_the_way).unwrap();
    publish(port, "wader/gate/other/enabled/set", "OFF", &[]).await;
    says(&mut listener, "wader/gate/other/enabled", "OFF").await;
    let told = error(&until(&mut listener, "it is told", |a| a.topic == "wader/error").await);
    assert_eq!((told.code.as_str(), told.prompt.as_deref()), ("not_saved", Some("other")), "{told:?}");
    std::fs::remove_dir(&in_the_way).unwrap();
    // and is written once it can be, whether or not it is sent again
    let written = || std::fs::read_to_string(service.path("state/wader.json")).unwrap();
    within("the switch is written", async {
        while !written().contains("\"other\"") {
            publish(port, "wader/gate/other/enabled/set", "OFF", &[]).await;
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    })
    .await;

    // what was written cannot be read any more: said, and done without
    assert!(service.terminate().await.success(), "{}", service.log());
    let memory = service.path("state/wader.json");
    assert!(std::fs::read_to_string(&memory).unwrap().contains("\"there\""));
    std::fs::write(&memory, "{").unwrap();
    let mut service = service.started_again();
    says(&mut listener, "wader/gate/there/enabled", "ON").await;
    answer(&mut listener, "wader/gate/there/answer").await;
    assert!(service.terminate().await.success(), "{}", service.log());
    assert!(service.log().contains("memory_problem") && service.log().contains("is damaged"), "{}", service.log());
}
