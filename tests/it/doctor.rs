//! `wader doctor`: what works is told, and what does not is told with what mends it.

use serde_json::Value;
use wader::scene;

use crate::support::{
    broker::{Mosquitto, free_port},
    service::{Said, config, wader},
    video::drawn,
};

async fn doctor(text: &str, rest: &[&str]) -> Said {
    let folder = tempfile::tempdir().unwrap();
    let (file, state) = (folder.path().join("wader.toml"), folder.path().join("state"));
    std::fs::write(&file, format!("{text}\n[paths]\nstate = \"{}\"\n", state.display())).unwrap();
    let said = wader(&[&["doctor", "--config", file.to_str().unwrap(), "--seconds", "3"], rest].concat()).await;
    assert!(!state.exists(), "it looks, and makes nothing");
    said
}

/// What is said of a part: whether it is well, what is so, and the remedy.
fn part<'a>(findings: &'a Value, name: &str) -> (&'a str, &'a str, &'a str) {
    let of_part = |finding: &&Value| finding["part"] == name;
    let finding = findings.as_array().unwrap().iter().find(of_part).unwrap_or_else(|| panic!("{name}: {findings:#}"));
    let text = |key: &str| finding[key].as_str().unwrap_or_default();
    (text("health"), text("is"), text("remedy"))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_works_is_told_with_what_each_camera_sends() {
    let broker = Mosquitto::start(&["allow_anonymous true"]).await;
    let served = scene::serve(scene::Spec { key_frame_distance: 25, ..drawn(3) }, 0).unwrap();
    let url = format!("url = \"{}\"", broker.access());
    let said = doctor(&config(&url, &[("yard", served.url())], ""), &[]).await;
    assert_eq!(said.code, 0, "{said:?}");
    let lines: Vec<&str> = said.out.lines().collect();
    assert!(lines[0].starts_with("ok    gstreamer        GStreamer 1."), "{said:?}");
    assert!(lines[1].starts_with("ok    model            ") && lines[1].contains("CPUExecutionProvider"), "{said:?}");
    assert_eq!(lines[2], "ok    prompts          the model can be asked 1 standing prompt", "{said:?}");
    assert!(lines[3].starts_with("ok    disk             "), "{said:?}");
    assert!(lines[4].starts_with("ok    broker           ") && lines[4].contains("gives it back in"), "{said:?}");
    assert!(lines[5].starts_with("ok    camera yard      H.264 320x240, 2"), "{said:?}");
    assert!(lines[5].contains("key frames 1.0 s apart; the first picture after "), "{said:?}");
    assert_eq!(lines.len(), 6, "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn key_frames_that_come_too_seldom_to_be_decoded_alone_are_told() {
    let broker = Mosquitto::start(&["allow_anonymous true"]).await;
    let served = scene::serve(scene::Spec { key_frame_distance: 25, ..drawn(3) }, 0).unwrap();
    let url = format!("url = \"{}\"", broker.access());
    let text = config(&url, &[("yard", served.url())], "").replace("[cameras]", "key_frames_only = true\n[cameras]");
    let said = doctor(&text, &["--json"]).await;
    assert_eq!(said.code, 0, "{said:?}");
    let findings = serde_json::from_str(&said.out).unwrap();
    let (health, is, remedy) = part(&findings, "camera yard");
    assert!(health == "warn" && is.contains("key frames 1.0 s apart"), "{said:?}");
    // five frames a second are sampled there
    assert!(remedy.contains("more than 0.3 s apart") && remedy.contains("(GOP) to 0.2 s"), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_work_is_told_with_what_mends_it() {
    let served = scene::serve(scene::Spec { frames_per_second: 2, key_frame_distance: 100, ..drawn(3) }, 0).unwrap();
    let (nobody, taken) = (free_port().await, std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    let gone = format!("rtsp://127.0.0.1:{nobody}/x");
    let broker = format!("url = \"embedded\"\nlisten = \"{}\"", taken.local_addr().unwrap());
    let cameras = [("slow", served.url()), ("gone", &gone)];
    // the oracle has words for numbers up to twenty
    let rest =
        "[prompts.count]\nask = \"how many\"\nanswer = \"number\"\nmax = 100\n[web]\nlisten = \"192.0.2.1:80\"\n";
    let said = doctor(&config(&broker, &cameras, rest), &["--json"]).await;
    assert_eq!(said.code, 69, "{said:?}");
    let findings = serde_json::from_str(&said.out).unwrap();
    assert_eq!(part(&findings, "prompts").0, "fail", "{said:?}");
    let (health, is, remedy) = part(&findings, "page");
    assert!(health == "fail" && is.contains("192.0.2.1:80") && remedy.contains("`[web]`"), "{said:?}");
    let (health, is, _) = part(&findings, "camera gone");
    assert!(health == "fail" && is.contains("is the camera on"), "{said:?}");
    let (health, is, remedy) = part(&findings, "camera slow");
    assert!(health == "warn" && is.contains(", 2.0 pictures a second"), "{said:?}");
    let lower = ["`frames_per_second = 1.9`", "`frames_per_second = 2.0`"]; // its time stamps differ by milliseconds
    assert!(remedy.contains("5 are to be sampled") && lower.iter().any(|l| remedy.contains(l)), "{said:?}");
    let (health, is, remedy) = part(&findings, "broker");
    assert!(health == "fail" && is.contains("cannot listen on 127.0.0.1:"), "{said:?}");
    assert!(remedy.contains("something else is there"), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_not_there_and_a_model_that_is_broken_are_told() {
    let broker = format!("url = \"mqtt://127.0.0.1:{}\"", free_port().await);
    let text = config(&broker, &[("pattern", "test:pattern")], "");
    let model = text.lines().find(|line| line.starts_with("path = ")).unwrap();
    let said = doctor(&text.replace(model, "path = \"/nowhere/at-all\""), &["--json"]).await;
    assert_eq!(said.code, 69, "{said:?}");
    let findings = serde_json::from_str(&said.out).unwrap();
    let (health, is, remedy) = part(&findings, "broker");
    assert!(health == "fail" && is.starts_with("no connection to the broker"), "{said:?}");
    assert!(remedy.contains("mosquitto_sub"), "{said:?}");
    let (health, is, _) = part(&findings, "model");
    assert!(health == "fail" && is.starts_with("`/nowhere/at-all`: "), "{said:?}");
    assert_eq!(part(&findings, "camera pattern").0, "ok", "{said:?}");
}
