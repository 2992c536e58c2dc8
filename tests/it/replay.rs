//! Standing prompts over a recording.

use std::{fs, path::Path, time::Duration};

use serde_json::Value;
use wader::scene::{self, Clip};

use crate::support::{
    model::oracle_folder,
    service::{Said, wader},
    video::drawn,
};

/// What the oracle is asked reads which frames it was given: of `count`, how many.
const PROMPTS: &str = r#"
[prompts.frames]
ask = "count reference"
answer = "choice"
choices = ["count", "reference"]
every = "2s"
window = { frames = 5, span = "4s" }
[prompts.often]
ask = "camera reference"
answer = "choice"
choices = ["camera", "reference"]
every = "1s"
window = { frames = 1, span = "0s" }
active = [{ from = "03:00", to = "03:01" }]
"#;

/// A configuration with these cameras, and a recording of twelve seconds.
fn prepare(folder: &Path, cameras: &[&str]) -> (String, String) {
    let (config, recording) = (folder.join("wader.toml"), folder.join("clip.mkv"));
    let cameras: String = cameras.iter().map(|name| format!("{name} = \"rtsp://192.0.2.1/{name}\"\n")).collect();
    let model = oracle_folder();
    let text = format!(
        "[model]\npath = \"{}\"\ndevice = \"cpu\"\n[defaults.camera]\nframes_per_second = 4\n[cameras]\n{cameras}{PROMPTS}",
        model.display()
    );
    fs::write(&config, text).unwrap();
    let clip = Clip { scene: drawn(9), length: Duration::from_secs(12), to: recording.clone() };
    scene::clip(&clip, |_, _| {}).unwrap();
    (config.display().to_string(), recording.display().to_string())
}

/// The answers to a prompt: the moment, and the answer.
fn answers<'a>(lines: &'a [Value], prompt: &str) -> Vec<(f64, &'a Value)> {
    let of_prompt = lines.iter().filter(|line| line["answer"]["prompt"] == prompt);
    of_prompt.map(|line| (line["at_s"].as_f64().unwrap(), &line["answer"])).collect()
}

fn lines(said: &Said) -> Vec<Value> {
    said.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn prompts_are_asked_about_each_window_of_a_recording_as_of_a_camera() {
    let folder = tempfile::tempdir().unwrap();
    let (config, recording) = prepare(folder.path(), &["yard"]);
    let said = wader(&["replay", &recording, "--config", &config, "--all", "--json"]).await;
    assert_eq!(said.code, 0, "{said:?}");
    let all = lines(&said);
    let share = |answer: &Value, label: &str| {
        let candidates = answer["candidates"].as_array().unwrap();
        candidates.iter().find(|c| c["answer"] == label).unwrap()["share"].as_f64().unwrap()
    };
    // one a slot of its interval, from the moment that half of its span is there: at 2 s of a grid of 2 s
    let frames = answers(&all, "frames");
    let moments: Vec<f64> = frames.iter().map(|(at, _)| at.round()).collect();
    assert_eq!(moments, [2.0, 4.0, 6.0, 8.0, 10.0], "{said:?}");
    let counts: Vec<f64> =
        frames.iter().map(|(_, answer)| (share(answer, "count") / share(answer, "reference")).ln().round()).collect();
    assert_eq!(counts, [3.0, 5.0, 5.0, 5.0, 5.0], "the frames of a step of 1 s");
    // hours are of the day, which a recording has none of
    let often = answers(&all, "often");
    assert_eq!(often.len(), 12, "{said:?}");
    for (_, answer) in often {
        assert!(((share(answer, "camera") / share(answer, "reference")).ln() - 9.0).abs() < 0.05, "{answer}");
        assert_eq!((&answer["camera"], &answer["window"]["first"]), (&Value::from("yard"), &Value::Null));
        assert_eq!(answer["latency_ms"]["sampled"], 0.0, "{answer}");
    }
    assert!(said.err.contains("often: camera 12; changed 0 times, 0 events"), "{said:?}");
    assert!(said.err.contains(" of recording in "), "{said:?}");
}

#[tokio::test]
async fn what_would_not_have_been_published_is_not_printed() {
    let folder = tempfile::tempdir().unwrap();
    let (config, recording) = prepare(folder.path(), &["yard"]);
    let said = wader(&["replay", &recording, "--config", &config]).await;
    assert_eq!(said.code, 0, "{said:?}");
    let printed: Vec<&str> = said.out.lines().collect();
    assert_eq!(printed.len(), 2, "each prompt says one thing all along: {said:?}");
    assert!(printed[0].starts_with("0:00:00.0  often  camera reference  camera  1.00"), "{said:?}");
}

#[tokio::test]
async fn a_recording_that_stands_for_no_camera_or_is_none_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (config, recording) = prepare(folder.path(), &["yard", "door"]);
    let said = wader(&["replay", &recording, "--config", &config]).await;
    assert!(said.code == 1 && said.err.contains("with --camera: door, yard"), "{said:?}");
    let said = wader(&["replay", &recording, "--config", &config, "--camera", "roof"]).await;
    assert!(said.code == 1 && said.err.contains("no camera `roof`; there are door, yard"), "{said:?}");
    let said = wader(&["replay", &config, "--config", &config, "--camera", "door"]).await;
    assert!(said.code == 1 && said.err.contains("wader.toml` cannot be decoded"), "{said:?}");
    let broken = folder.path().join("broken.toml");
    fs::write(&broken, "cameras = 5").unwrap();
    let said = wader(&["replay", &recording, "--config", broken.to_str().unwrap()]).await;
    assert_eq!(said.code, 78, "{said:?}");
}
