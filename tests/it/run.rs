//! The whole service as a process: cameras over RTSP, the oracle, answers over MQTT, and what happens when parts fail.

use std::{collections::BTreeSet, time::Duration};

use wader::{answer::wire::AnswerMessage, frame::Stamp, scene};

use crate::support::{
    broker::{Mosquitto, MosquittoSub, free_port, within},
    evil_rtsp::{Evil, Manners},
    service::{Service, answer, config, listen, until},
    video::drawn,
};

/// Asks the oracle which camera and which frames it saw; `reference` reads 0.
const SLOTS: &str = r#"
[prompts.slots]
ask = "f0 f1 f2 g2 camera valid reference"
answer = "choice"
choices = ["f0", "f1", "f2", "g2", "camera", "valid", "reference"]
every = "500ms"
window = { frames = 3, span = "1s" }
publish = "always"
min_probability = 0.0
[prompts.there]
ask = "is it there"
answer = "yes_no"
every = "1s"
window = { frames = 3, span = "1s" }
publish = "always"
"#;

fn read(answer: &AnswerMessage, word: &str) -> f64 {
    let log = |label: &str| answer.candidates.iter().find(|c| c.answer == label).unwrap().log_share.unwrap();
    log(word) - log("reference")
}

/// Frame numbers modulo 64 that the oracle read in a window, oldest first.
fn slots(answer: &AnswerMessage) -> Vec<i64> {
    ["f0", "f1", "f2"].map(|word| read(answer, word).round() as i64).to_vec()
}

fn seconds(time: &Option<String>) -> f64 {
    let time: jiff::Timestamp = time.as_ref().unwrap().parse().unwrap();
    time.as_duration().as_secs_f64()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_about_its_own_cameras_own_frames() {
    let served: Vec<_> = [3, 9].map(|camera| scene::serve(drawn(camera), 0).unwrap()).into();
    let port = free_port().await;
    let cameras = [("left", served[0].url()), ("right", served[1].url())];
    let broker = format!("url = \"embedded\"\nlisten = \"127.0.0.1:{port}\"\n");
    let mut service = Service::start(&config(&broker, &cameras, SLOTS));
    let mut listener = listen(&format!("mqtt://127.0.0.1:{port}")).await;
    for (name, number) in [("left", 3.0), ("right", 9.0)] {
        let topic = format!("wader/{name}/slots/answer");
        let (mut whole, mut early) = (0, 3);
        while whole < 3 {
            let said = answer(&mut listener, &topic).await;
            assert!((read(&said, "camera") - number).abs() < 0.01, "{said:?}");
            let seen = slots(&said);
            let present = seen.iter().filter(|&&frame| frame >= 0).count();
            assert_eq!(said.window.frames, present, "{seen:?}");
            assert!((read(&said, "valid") - present as f64).abs() < 0.01, "each barcode was whole");
            if present < 3 {
                continue; // the first windows after the start
            }
            if early > 0 {
                early -= 1; // they hold the first frame, whose stamp nothing has corrected yet
                continue;
            }
            // the frames' own numbers, at 25 a second, tell the same time as their stamps
            let frames = (seen[2] - seen[0]).rem_euclid(64);
            let (first, last) = (seconds(&said.window.first), seconds(&said.window.last));
            assert!((frames as f64 / 25.0 - (last - first)).abs() < 0.2, "{frames} frames, {first} to {last}");
            assert_eq!(said.model.name, "oracle");
            assert!(said.latency_ms.is_some() && said.newest_frame_age_ms.is_some());
            whole += 1;
        }
    }
    let said = answer(&mut listener, "wader/left/there/answer").await;
    assert!(said.evidence.unwrap().abs() > 1.0, "{said:?}");
    // each answer says what its model makes of several frames, the log that it never saw three
    assert_eq!(said.model.frame_mode, "timed");
    assert!(service.log().contains("was trained on 16 frames (timed), and is given 3 frames"), "{}", service.log());
    let status = service.terminate().await;
    assert!(status.success(), "{status}\n{}", service.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_that_dies_is_reported_comes_back_and_disturbs_no_other() {
    let (door, yard) = (scene::serve(drawn(1), 0).unwrap(), scene::serve(drawn(2), 0).unwrap());
    let mosquitto = Mosquitto::start(&[]).await;
    let url = format!("mqtt://127.0.0.1:{}", mosquitto.port);
    let cameras = [("door", door.url()), ("yard", yard.url())];
    let mut service = Service::start(&config(&format!("url = \"{url}\""), &cameras, SLOTS));
    let mut listener = listen(&url).await;
    until(&mut listener, "the camera is online", |a| a.topic == "wader/door/status" && a.text() == "online").await;
    answer(&mut listener, "wader/door/slots/answer").await;

    let door_port = door.port();
    door.kill();
    let mut yard_answers = 0;
    until(&mut listener, "the dead camera is offline", |a| a.topic == "wader/door/status" && a.text() == "offline")
        .await;
    let stale = answer(&mut listener, "wader/door/there/answer").await;
    assert_eq!((stale.outcome.as_str(), stale.reason.as_deref()), ("stale", Some("camera_offline")), "{stale:?}");
    assert_eq!(stale.answer, None, "a failure is never a no");
    while yard_answers < 4 {
        let said = answer(&mut listener, "wader/yard/slots/answer").await;
        assert!((read(&said, "camera") - 2.0).abs() < 0.01);
        yard_answers += 1;
    }

    let _door = scene::serve(drawn(1), door_port).unwrap();
    until(&mut listener, "the camera is back", |a| a.topic == "wader/door/status" && a.text() == "online").await;
    let said = answer(&mut listener, "wader/door/slots/answer").await;
    assert!((read(&said, "camera") - 1.0).abs() < 0.01, "{said:?}");
    assert!(service.terminate().await.success(), "{}", service.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_topic_reaches_a_late_subscriber_and_a_stop_is_told() {
    let camera = scene::serve(drawn(5), 0).unwrap();
    let mosquitto = Mosquitto::start(&[]).await;
    let url = format!("mqtt://127.0.0.1:{}", mosquitto.port);
    let mut service = Service::start(&config(&format!("url = \"{url}\""), &[("gate", camera.url())], SLOTS));
    let mut listener = listen(&url).await;
    answer(&mut listener, "wader/gate/there/answer").await;
    answer(&mut listener, "wader/gate/slots/answer").await;
    for version in ["311", "5"] {
        let mut late = MosquittoSub::start(mosquitto.port, version);
        let mut missing = vec![
            "wader/status online",
            "wader/gate/status online",
            "wader/gate/there/state ",
            "wader/gate/there/answer {",
        ];
        while !missing.is_empty() {
            let line = within("a late subscriber is told", late.line()).await;
            missing.retain(|start| !line.starts_with(start));
        }
    }
    let status = service.terminate().await;
    assert_eq!(status.code(), Some(0), "{}", service.log());
    until(&mut listener, "the stop is told", |a| a.topic == "wader/status" && a.text() == "stopped").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_away_at_the_start_loses_no_answer_and_stops_no_inference() {
    let camera = scene::serve(drawn(7), 0).unwrap();
    let mosquitto = Mosquitto::prepare(&[]).await;
    let url = format!("mqtt://127.0.0.1:{}", mosquitto.port);
    let rest = format!("[log]\nlevel = \"debug\"\n{SLOTS}");
    let mut service = Service::start(&config(&format!("url = \"{url}\""), &[("gate", camera.url())], &rest));
    let lost = async {
        while !service.log().contains("broker is lost") && !service.log().contains("no connection to the broker") {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    within("the absent broker is logged", lost).await;
    let mosquitto = mosquitto.started().await;
    let mut listener = listen(&url).await;
    let said = answer(&mut listener, "wader/gate/slots/answer").await;
    assert!((read(&said, "camera") - 7.0).abs() < 0.01, "{said:?}");
    assert!(service.terminate().await.success(), "{}", service.log());
    drop(mosquitto);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_reported_and_hardly_tried_again() {
    let login = scene::Login { user: "owner".to_owned(), password: "right".to_owned(), digest: true };
    let camera = scene::serve(scene::Spec { login: Some(login), ..drawn(1) }, 0).unwrap();
    let url = camera.url().replace("rtsp://", "rtsp://owner:wrong-Secret@");
    let port = free_port().await;
    let broker = format!("url = \"embedded\"\nlisten = \"127.0.0.1:{port}\"\n");
    let mut service = Service::start(&config(&broker, &[("gate", &url)], SLOTS));
    let mut listener = listen(&format!("mqtt://127.0.0.1:{port}")).await;
    until(&mut listener, "the camera is offline", |a| a.topic == "wader/gate/status" && a.text() == "offline").await;
    let stale = answer(&mut listener, "wader/gate/there/answer").await;
    assert_eq!((stale.outcome.as_str(), stale.answer), ("stale", None));
    assert!(service.terminate().await.success(), "{}", service.log());
    let log = service.log();
    assert!(log.contains("retry_in=300s"), "the second try; then one each half-hour: {log}");
    assert!(log.contains("password") && !log.contains("wrong-Secret"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_sent_once_for_all_cameras_of_a_recorder() {
    let recorder = Evil::start(Manners::Password("owner", "right")).await;
    let url = recorder.url.replace("rtsp://", "rtsp://owner:wrong-Secret@");
    let port = free_port().await;
    let broker = format!("url = \"embedded\"\nlisten = \"127.0.0.1:{port}\"\n");
    let channels = ["gate", "yard", "hall", "roof"];
    let mut service = Service::start(&config(&broker, &channels.map(|name| (name, url.as_str())), SLOTS));
    let mut listener = listen(&format!("mqtt://127.0.0.1:{port}")).await;
    let mut left: BTreeSet<String> = channels.iter().map(|name| format!("wader/{name}/there/answer")).collect();
    until(&mut listener, "all are told to be away", |a| {
        left.remove(&a.topic);
        left.is_empty()
    })
    .await;
    assert_eq!(recorder.passwords(), 1);
    assert!(service.terminate().await.success(), "{}", service.log());
    let log = service.log();
    assert_eq!(log.matches("refused this user and password for another camera").count(), 3, "{log}");
    assert!(!log.contains("wrong-Secret"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_manager_hears_when_it_is_ready_and_when_it_ends() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let manager = tokio::net::UnixDatagram::bind(&path).unwrap();
    let port = free_port().await;
    let broker = format!("url = \"embedded\"\nlisten = \"127.0.0.1:{port}\"\n");
    let camera = [("gate", "rtsp://127.0.0.1:9/none")];
    let socket = [("NOTIFY_SOCKET", path.to_str().unwrap())];
    let mut service = Service::start_with(&config(&broker, &camera, SLOTS), &socket);
    let hear = async |wanted: &str| {
        let mut message = [0; 4096];
        loop {
            let length = manager.recv(&mut message).await.unwrap();
            if String::from_utf8_lossy(&message[..length]).lines().any(|line| line == wanted) {
                return;
            }
        }
    };
    within("it says that it is ready", hear("READY=1")).await;
    let begun = Stamp::now();
    assert!(service.terminate().await.success(), "{}", service.log());
    assert!(Stamp::now().since(begun) < Duration::from_secs(5), "{}", service.log());
    within("it says that it stops", hear("STOPPING=1")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_work_ends_with_its_own_code_and_says_what_to_do() {
    let camera = [("gate", "rtsp://127.0.0.1:9/none")];
    let broker = "url = \"mqtt://127.0.0.1:9\"";
    let good = config(broker, &camera, SLOTS);
    for (what, config, variables, code, says) in [
        ("unknown key", format!("{good}[modle]\n"), vec![], 78, "did you mean `model`"),
        (
            "no library",
            good.clone(),
            vec![("ORT_DYLIB_PATH", "/nowhere/libonnxruntime.so")],
            69,
            "/nowhere/libonnxruntime.so",
        ),
        ("no model", good.replace("tests/models/oracle", "tests/models/none"), vec![], 69, "manifest.json"),
        ("no GPU", good.replace("device = \"cpu\"", "device = \"cuda\""), vec![], 69, "CUDA"),
        ("unsayable", good.replace("answer = \"yes_no\"", "answer = \"number\"\nmax = 90"), vec![], 78, "`21`"),
    ] {
        let mut service = Service::start_with(&config, &variables);
        let status = service.ended().await;
        let log = service.log();
        assert_eq!(status.code(), Some(code), "{what}: {log}");
        assert!(log.contains(says), "{what}: {log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_says_once_that_a_prompt_has_words_which_the_model_never_learned() {
    let port = free_port().await;
    let broker = format!("url = \"embedded\"\nlisten = \"127.0.0.1:{port}\"\n");
    let odd =
        "[prompts.odd]\nask = \"is a zeppelin there\"\nanswer = \"yes_no\"\nevery = \"500ms\"\npublish = \"always\"\n";
    let window = "window = { frames = 3, span = \"1s\" }\n";
    let mut service = Service::start(&config(&broker, &[("door", "test:pattern")], &format!("{odd}{window}")));
    let mut listener = listen(&format!("mqtt://127.0.0.1:{port}")).await;
    for _ in 0..3 {
        let said = answer(&mut listener, "wader/door/odd/answer").await;
        assert_eq!(said.outcome, "unsure", "{said:?}");
    }
    assert!(service.terminate().await.success(), "{}", service.log());
    let log = service.log();
    let told: Vec<_> = log.lines().filter(|line| line.contains("event=\"unknown_words\"")).collect();
    assert!(matches!(told[..], [line] if line.contains("zeppelin") && line.contains("WARN")), "{log}");
}
