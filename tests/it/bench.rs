//! `wader bench`: the load of a configuration.

use std::fs;

use crate::support::{model::oracle_folder, service::wader};

#[tokio::test]
async fn what_is_measured_is_what_the_configuration_asks_for() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wader.toml");
    let text = format!(
        "[model]\npath = \"{}\"\ndevice = \"cpu\"\n[defaults.camera]\nframes_per_second = 4\n\
         [cameras]\nyard = \"rtsp://192.0.2.1/yard\"\ndoor = \"rtsp://192.0.2.1/door\"\n\
         [cameras.off]\nurl = \"rtsp://192.0.2.1/off\"\nenabled = false\n\
         [prompts.often]\nask = \"is it there\"\nanswer = \"yes_no\"\nevery = \"1s\"\nwindow = {{ frames = 5, span = \"2s\" }}\n\
         [prompts.seldom]\nask = \"is it there\"\nanswer = \"yes_no\"\nevery = \"4s\"\nwindow = {{ frames = 5, span = \"2s\" }}\n\
         cameras = [\"door\"]\n",
        oracle_folder().display()
    );
    fs::write(&file, text).unwrap();
    let said = wader(&["bench", "--config", file.to_str().unwrap(), "--seconds", "1", "--json"]).await;
    assert_eq!(said.code, 0, "{said:?}");
    let all: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!((all["cameras"].as_u64(), all["prompts"].as_u64()), (Some(2), Some(3)), "{all}");
    let (lasted, busy) = (all["lasted_s"].as_f64().unwrap(), all["busy_s"].as_f64().unwrap());
    assert!(busy >= 1.0 && lasted > busy, "{all}");
    // of four frames a second, every other one lies at a place of a window; both prompts about the door share a window where
    // they fall due together
    for (stage, a_second) in [("frames_encoded", 4.0), ("windows_resampled", 2.0), ("prompts_answered", 2.25)] {
        let stage = &all["stages"][stage];
        let counted = stage["count"].as_f64().unwrap();
        assert!((counted - a_second * lasted).abs() <= 8.0, "{a_second} a second: {all}");
        assert!(stage["busy_s"].as_f64().unwrap() > 0.0, "{all}");
    }
    let said = wader(&["bench", "--config", file.to_str().unwrap(), "--seconds", "1"]).await;
    assert!(said.out.starts_with("oracle ") && said.out.contains(": 2 cameras, 3 prompts\n"), "{said:?}");
    assert!(said.out.contains("The model has room for "), "{said:?}");
}

#[tokio::test]
async fn a_configuration_without_a_prompt_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wader.toml");
    let text = format!(
        "[model]\npath = \"{}\"\n[cameras.off]\nurl = \"rtsp://192.0.2.1/off\"\nenabled = false\n",
        oracle_folder().display()
    );
    fs::write(&file, text).unwrap();
    let said = wader(&["bench", "--config", file.to_str().unwrap()]).await;
    assert!(said.code == 69 && said.err.contains("no enabled prompt asks about an enabled camera"), "{said:?}");
}
