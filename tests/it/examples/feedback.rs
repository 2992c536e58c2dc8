//! The whole way: a prompt that does not know better is corrected over MQTT while a real RTSP camera runs, and learns.

use std::fs;

use serde_json::json;
use wader::{answer::wire, mqtt::wire::ErrorMessage};

use super::service::{serve, truth_of};
use crate::support::{
    broker::{free_port, publish, within},
    service::{Service, config, listen, until, wader},
};

/// In words the oracle answers `count`, whatever it sees; the slots say which frames a window held.
const PROMPTS: &str = r#"
[prompts.gate]
ask = "count reference"
answer = "choice"
choices = ["count", "reference"]
region = [0.375, 0.34, 0.455, 0.5]
every = "1s"
window = { frames = 3, span = "1s" }
publish = "always"
[prompts.slots]
ask = "f0 g0 f1 g1 f2 g2 reference"
answer = "choice"
choices = ["f0", "g0", "f1", "g1", "f2", "g2", "reference"]
every = "1s"
window = { frames = 3, span = "1s" }
publish = "always"
min_probability = 0.0
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_prompt_learns_from_corrections_while_it_runs() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wader.toml");
    let (camera, port) = (serve(3, 48), free_port().await);
    let broker = format!("url = \"embedded\"\nlisten = \"127.0.0.1:{port}\"\n");
    let state = format!("[paths]\nstate = \"{}\"\n", folder.path().join("state").display());
    fs::write(&file, config(&broker, &[("yard", camera.url())], &format!("{PROMPTS}{state}"))).unwrap();
    let file = file.to_str().unwrap().to_owned();
    let mut service = Service::start_in(folder, &[]);
    let mut listener = listen(&format!("mqtt://127.0.0.1:{port}")).await;

    until(&mut listener, "it listens", |a| a.topic == "wader/yard/gate/answer").await;

    let complaint = async |listener: &mut _, payload: &str| {
        publish(port, "wader/feedback", payload, &[]).await;
        let arrival = until(listener, "it is told", |a| a.topic == "wader/error").await;
        serde_json::from_slice::<ErrorMessage>(&arrival.payload).unwrap()
    };
    let unknown = complaint(&mut listener, r#"{"answer_id": "0190", "right": true}"#).await;
    assert_eq!(unknown.code, "unknown_answer", "{unknown:?}");
    let wrong = complaint(&mut listener, r#"{"answer": "0190"}"#).await;
    assert!(wrong.code == "bad_payload" && wrong.message.contains("missing field `answer_id`"), "{wrong:?}");

    // told of four answers: `count` for an open gate is right, for a shut one `reference` would be
    let (mut gates, mut said, mut hashes) = (Vec::<wire::AnswerMessage>::new(), [0, 0], Vec::new());
    let mut learnt = [0, 0];
    let watch = async {
        while learnt.iter().any(|&count| count < 2) {
            let arrival = listener.next().await.unwrap();
            match arrival.topic.as_str() {
                "wader/yard/gate/answer" => gates.push(wire::read_answer(&arrival.payload).unwrap()),
                "wader/yard/slots/answer" => {
                    let slots = wire::read_answer(&arrival.payload).unwrap();
                    let Some(at) = gates.iter().position(|gate| gate.window == slots.window) else { continue };
                    let gate = gates.swap_remove(at);
                    let Some(open) = truth_of(&slots) else { continue };
                    let answered = gate.answer.as_ref().map(ToString::to_string);
                    if hashes.last() != Some(&gate.prompt_hash) {
                        hashes.push(gate.prompt_hash.clone());
                    }
                    let count = &mut said[usize::from(open)];
                    if *count < 2 {
                        *count += 1;
                        assert_eq!(answered.as_deref(), Some("count"), "in words: {gate:?}");
                        let payload = json!({ "answer_id": gate.id, "right": open }).to_string();
                        publish(port, "wader/feedback", &payload, &[]).await;
                    } else if hashes.len() > 1 {
                        let expected = if open { "count" } else { "reference" };
                        assert_eq!(answered.as_deref(), Some(expected), "{gate:?}");
                        learnt[usize::from(open)] += 1;
                    }
                }
                "wader/error" => panic!("{}", arrival.text()),
                _ => {}
            }
        }
    };
    within("it learns", watch).await;
    assert!(service.terminate().await.success(), "{}", service.log());
    assert_eq!(service.log().matches("the prompt is answered by it").count(), 1, "{}", service.log());

    let listed = wader(&["feedback", "list", "--config", &file]).await;
    assert_eq!((listed.code, listed.out.lines().count()), (0, 4), "{listed:?}");
    assert_eq!(listed.out.matches("yard/gate  `count` was wrong, `reference` is right").count(), 2, "{listed:?}");
    let measured = wader(&["feedback", "measure", "--config", &file]).await;
    assert_eq!(
        measured.out.trim(),
        "yard/gate: of 4 judged answers 2 were right, and 4 would be; used",
        "as it is at the next start: {measured:?}"
    );
    let removed = wader(&["feedback", "remove", "--config", &file, "--camera", "yard"]).await;
    assert!(removed.code == 0 && removed.err.contains("4 removed"), "{removed:?}");
    let listed = wader(&["feedback", "list", "--config", &file, "--json"]).await;
    assert_eq!((listed.code, listed.out.as_str()), (0, ""), "{listed:?}");
}
