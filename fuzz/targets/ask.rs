//! What strangers write on the topics that wader listens to: questions, judgements, new prompts, and the topics themselves.
//! Nothing panics; who is refused is told so in a line of bounded length without control characters; what is accepted is
//! within the bounds, and the same once it is written and read again.
//!
//! An input is a message and a topic, parted by a byte 0xff.

#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use wader::{
    app::fuzzing::understood,
    config::{Sources, added},
    mqtt::{
        Topics, covers,
        wire::{read_ask, read_feedback},
    },
    name::PromptName,
    prompt::AnswerKind,
};
use wader_fuzz::{folder, parts};

fn told(refusal: &str) {
    assert!(refusal.len() <= 2048, "a refusal of {} bytes", refusal.len());
    assert!(!refusal.chars().any(char::is_control), "control characters in {refusal:?}");
}

fuzz_target!(|data: &[u8]| {
    thread_local! {
        static CONFIG: tempfile::TempDir = {
            let folder = folder();
            std::fs::write(folder.path().join("wader.toml"), "[cameras]\ndoor = \"rtsp://10.0.0.5/s\"\n").expect("a file");
            folder
        };
    }
    let [payload, topic] = parts(data);
    match understood(payload) {
        Err(refusal) => told(&refusal),
        Ok(kind) => {
            let asked = read_ask(payload).expect("it was understood");
            assert!((1..=1000).contains(&asked.question.trim().chars().count()), "{asked:?}");
            match kind {
                AnswerKind::Choice(choices) => assert!((2..=101).contains(&choices.len()), "{choices:?}"),
                AnswerKind::Number { min, max } => assert!(min < max && max - min <= 101, "{min} to {max}"),
                AnswerKind::Text { max_tokens } | AnswerKind::Json { max_tokens, .. } => assert!(max_tokens <= 256),
                AnswerKind::YesNo => {}
            }
            let written = serde_json::to_vec(&asked).expect("JSON");
            assert_eq!(read_ask(&written).expect("it was accepted"), asked);
        }
    }
    match read_feedback(payload) {
        Err(refusal) => told(&refusal),
        Ok(said) => {
            let written = serde_json::to_vec(&said).expect("JSON");
            assert_eq!(read_feedback(&written).expect("it was accepted"), said);
        }
    }
    CONFIG.with(|folder| {
        let sources = Sources::of_file(folder.path().join("wader.toml"));
        let name = PromptName::new("new").expect("a name");
        // libFuzzer sees what is compared with what, and puts it into inputs by itself: those tell nothing
        if String::from_utf8_lossy(payload).contains("cAnArY") {
            return;
        }
        let secret = |_: &str| Ok(Some("cAnArY-0123456789".to_owned()));
        match added(&sources, &secret, &name, payload, Path::new("wader/prompts/new/set")) {
            Ok(prompt) => {
                assert_eq!(prompt.prompt.name, name);
                assert!(!format!("{prompt:?}").contains("cAnArY"), "a stranger was given a secret: {prompt:?}");
                assert!(prompt.examples.is_empty(), "a stranger names files of this machine: {prompt:?}");
            }
            Err(report) => assert!(!report.to_string().contains("cAnArY"), "{report}"),
        }
    });
    if let Ok(topic) = std::str::from_utf8(topic) {
        let topics = Topics::default();
        let names =
            [topics.ask_of(topic), topics.new_prompt_of(topic), topics.enabled_set_of(topic).map(|(camera, _)| camera)];
        for name in names.into_iter().flatten().chain(topics.enabled_set_of(topic).and_then(|(_, prompt)| prompt)) {
            assert!(topic.starts_with("wader/") && topic.contains(name) && !name.contains('/'), "{topic}: {name}");
        }
        // an asker's answer never goes to a wildcard, nor anywhere but below what is allowed
        if covers("wader/response/#", topic) {
            assert!(topic == "wader/response" || topic.starts_with("wader/response/"), "{topic}");
            assert!(!topic.contains(['+', '#', '\0']), "{topic}");
        }
    }
});
