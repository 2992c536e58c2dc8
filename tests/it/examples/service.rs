//! The whole way: a gate in the picture of a real RTSP camera, examples taken by `wader snapshot`, answers over MQTT.

use std::{fs, time::Duration};

use wader::{
    answer::wire::{self, AnswerMessage},
    mqtt::Arrival,
    scene::{self, Drawn, Served, Source},
};

use crate::support::{
    broker::{free_port, within},
    service::{Service, config, listen, until, wader},
    video::drawn,
};

/// The oracle's cells that the region of the prompt touches: left, top, right, bottom. The gate is there, below the
/// barcode.
const LOOKED_AT: [f64; 4] = [0.375, 1.0 / 3.0, 0.5, 0.5];

/// What the oracle is asked besides, to know which frames a window held.
const PROMPTS: &str = r#"
[prompts.gate]
ask = "Is the gate open, the oracle wonders?"
answer = "choice"
choices = ["open", "shut"]
region = [0.375, 0.34, 0.455, 0.5]
every = "500ms"
window = { frames = 3, span = "1s" }
publish = "always"
[prompts.slots]
ask = "f0 g0 f1 g1 f2 g2 reference"
answer = "choice"
choices = ["f0", "g0", "f1", "g1", "f2", "g2", "reference"]
every = "500ms"
window = { frames = 3, span = "1s" }
publish = "always"
min_probability = 0.0
"#;

fn street(gate: Duration) -> Drawn {
    Drawn { seed: 1, barcode: Some(4), gate: Some(gate) }
}

/// The drawn street with a gate, from some second on.
pub(super) fn serve(gate_s: u64, start_s: u64) -> Served {
    let source = Source::Drawn(street(Duration::from_secs(gate_s)));
    scene::serve(scene::Spec { source, start: Duration::from_secs(start_s), ..drawn(4) }, 0).unwrap()
}

/// Whether the gate was open in most of these frames; `None` where somebody walked before it.
fn truth(street: &Drawn, frames: &[u64]) -> Option<bool> {
    let truths: Vec<_> = frames.iter().map(|&number| street.truth(number as f64 / 25.0)).collect();
    let [left, top, right, bottom] = LOOKED_AT;
    let hides = |[l, t, r, b]: [f64; 4]| l < right + 0.02 && r > left - 0.02 && t < bottom + 0.02 && b > top - 0.02;
    let is_hidden = truths.iter().flat_map(|truth| &truth.objects).any(|object| hides(object.bounds));
    let open = truths.iter().filter(|truth| truth.gate_open == Some(true)).count();
    (!is_hidden).then_some(open * 2 > frames.len())
}

/// Whether the gate, which opens and shuts every three seconds, was open in most frames of the window that these slots are
/// about; `None` where that cannot be said.
pub(super) fn truth_of(slots: &AnswerMessage) -> Option<bool> {
    if slots.window.frames < 3 {
        return None;
    }
    let log = |word: &str| slots.candidates.iter().find(|c| c.answer == word).unwrap().log_share.unwrap();
    let read = |word: &str| (log(word) - log("reference")).round() as u64;
    let frames = [0, 1, 2].map(|slot| read(&format!("f{slot}")) + 64 * read(&format!("g{slot}")));
    truth(&street(Duration::from_secs(3)), &frames)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_follows_the_gate_that_was_shown_by_examples() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wader.toml");
    // It begins a little before the end of a minute, when nobody walks before the gate.
    let (camera, port) = (serve(3, 42), free_port().await);
    let broker = format!("url = \"embedded\"\nlisten = \"127.0.0.1:{port}\"\n");
    fs::write(&file, config(&broker, &[("yard", camera.url())], PROMPTS)).unwrap();
    let (file, out) = (file.to_str().unwrap(), folder.path().join("examples/gate"));
    let out = out.to_str().unwrap();
    // It runs while the examples are taken, and is asked in words until there are enough.
    let mut service = Service::start_in(folder, &[]);

    // At ends of minutes, when nobody walks: two moments with the gate open, two with the gate shut.
    for (label, start_s) in [("open", 54), ("shut", 1014), ("open", 114), ("shut", 1074)] {
        let still = serve(1000, start_s);
        let arguments = ["snapshot", still.url(), "--config", file, "--out", out, "--label", label, "--rate", "5"];
        let said = wader(&arguments).await;
        assert_eq!(said.code, 0, "{said:?}");
        // as the README says: >> wader.toml
        fs::write(file, fs::read_to_string(file).unwrap() + &said.out).unwrap();
    }
    let said = wader(&["check", "--config", file]).await;
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.err.contains("prompts.gate: examples: 2 of `open`, 2 of `shut`"), "{said:?}");

    // which it read again by itself, and refused while there were too few
    let mut listener = listen(&format!("mqtt://127.0.0.1:{port}")).await;
    let of_gate = |a: &Arrival| {
        let said = (a.topic == "wader/yard/gate/answer").then(|| wire::read_answer(&a.payload).unwrap());
        said.is_some_and(|said| said.outcome == "answer")
    };
    until(&mut listener, "the first answer by examples", of_gate).await;
    let (mut checked, mut changes, mut open_so_far) = ([0, 0], Vec::new(), None);
    let mut gates = Vec::new();
    let watch = async {
        while checked.iter().any(|&count| count < 3) || changes.len() < 2 {
            let arrival = listener.next().await.unwrap();
            match arrival.topic.as_str() {
                "wader/yard/gate/event" => {
                    let event = wire::read_event(&arrival.payload).unwrap();
                    changes.push((event.before.to_string(), event.after.to_string()));
                }
                "wader/yard/gate/answer" => gates.push(wire::read_answer(&arrival.payload).unwrap()),
                "wader/yard/gate/state" => open_so_far = Some(arrival.text() == "open"),
                "wader/yard/slots/answer" => {
                    let slots = wire::read_answer(&arrival.payload).unwrap();
                    // both are asked about one window
                    let Some(at) = gates.iter().position(|gate| gate.window == slots.window) else { continue };
                    let gate = gates.swap_remove(at);
                    let Some(open) = truth_of(&slots) else { continue };
                    let expected = if open { "open" } else { "shut" };
                    assert_eq!(gate.answer.as_ref().map(ToString::to_string).as_deref(), Some(expected), "{gate:?}");
                    assert!(gate.probability.unwrap() > 0.9 && gate.mass == Some(1.0), "{gate:?}");
                    checked[usize::from(open)] += 1;
                }
                _ => {}
            }
        }
    };
    within("the gate opens and shuts", watch).await;
    assert!(open_so_far.is_some());
    for pair in changes.windows(2) {
        assert_eq!(pair[0].1, pair[1].0, "each change begins where the last one ended: {changes:?}");
    }
    assert!(changes.iter().all(|(before, after)| before != after), "{changes:?}");
    let status = service.terminate().await;
    assert!(status.success(), "{status}\n{}", service.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn contradicting_examples_are_told_loudly_and_break_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let (camera, port) = (serve(1000, 0), free_port().await);
    let broker = format!("url = \"embedded\"\nlisten = \"127.0.0.1:{port}\"\n");
    let mut text = config(&broker, &[("yard", camera.url())], PROMPTS);
    let example = |number: u8| {
        let (name, label) = (format!("{number}.png"), ["open", "shut"][usize::from(number % 2)]);
        // what is open and what is shut looks alike
        super::command::write_png(&folder.path().join(&name), 40 + number / 2 * 50 + number % 2);
        format!("[[prompts.gate.examples]]\npath = \"{name}\"\nanswer = \"{label}\"\n")
    };
    let file = folder.path().join("wader.toml");
    let few = text.clone() + &example(0);
    text += &(0..8).map(example).collect::<String>();
    fs::write(&file, &text).unwrap();
    let check = wader(&["check", "--config", file.to_str().unwrap()]).await;
    let line = text.lines().position(|line| line == "[prompts.gate]").unwrap() + 1;
    let told =
        format!("wader.toml:{line}:1: prompts.gate will always be `unsure`: its examples contradict each other: ");
    assert!(check.err.lines().any(|line| line.starts_with("warning: ") && line.contains(&told)), "{check:?}");
    assert_eq!((check.code, check.err.matches("contradict").count()), (0, 1), "{check:?}");
    // the rest is added while it runs: until then the prompt is asked in words
    fs::write(&file, &few).unwrap();
    let mut service = Service::start_in(folder, &[]);
    let mut listener = listen(&format!("mqtt://127.0.0.1:{port}")).await;
    let said = crate::support::service::answer(&mut listener, "wader/yard/gate/answer").await;
    assert_ne!(said.reason.as_deref(), Some("contradicting_examples"), "{said:?}");
    fs::write(&file, &text).unwrap();
    let refuses = |a: &Arrival| a.topic == "wader/yard/gate/answer" && a.text().contains("contradicting_examples");
    let said = until(&mut listener, "the examples are held against each other", refuses).await;
    let said = wire::read_answer(&said.payload).unwrap();
    assert_eq!((said.outcome.as_str(), said.reason.as_deref()), ("unsure", Some("contradicting_examples")), "{said:?}");
    assert!(said.detail.as_ref().is_some_and(|detail| detail.contains("80 % are needed")), "{said:?}");
    assert_eq!((said.answer, said.latency_ms.is_some()), (None, true));
    let said = crate::support::service::answer(&mut listener, "wader/yard/slots/answer").await;
    assert_eq!(said.outcome, "answer", "{said:?}");
    assert!(service.terminate().await.success(), "{}", service.log());
    assert_eq!(service.log().matches("contradict each other").count(), 1, "once: {}", service.log());
}
