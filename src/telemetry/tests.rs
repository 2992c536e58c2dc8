//! What comes out of each event, in each format.

use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use super::*;
use crate::name::{CameraName, PromptName};

/// Collects what is written.
#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The log of what `say` does.
fn logged(level: Level, format: Format, say: impl FnOnce()) -> String {
    let paper = Paper::default();
    let writer = {
        let paper = paper.clone();
        move || Scrubbed(paper.clone())
    };
    let lines = match format {
        Format::Json => json(writer),
        Format::Journald => journal_lines(writer),
        Format::Plain | Format::Auto => plain(writer, false),
    };
    tracing::subscriber::with_default(tracing_subscriber::registry().with(lines.with_filter(filter(level))), say);
    String::from_utf8(paper.0.lock().unwrap().clone()).unwrap()
}

fn emit_each_event() {
    let reason = "could not open rtsp://me:hunter2@10.0.0.5/sub";
    let camera = &CameraName::new("door").unwrap();
    let prompt = &PromptName::new("person").unwrap();
    let retry_in = Duration::from_millis(1500);
    for event in [
        Event::Ready { cameras: 1, prompts: 2 },
        Event::CameraOnline { camera },
        Event::CameraOffline { camera, reason, retry_in },
        Event::CameraStuck { camera, pipelines: 1 },
        Event::WindowReplaced { camera, total: 3 },
        Event::ModelLoaded { model: "wader-small", provider: "cpu", took: retry_in },
        Event::ProviderFallback { provider: "cpu", reason, has_gpu: true },
        Event::Answered { camera, prompt, outcome: "answer", state: Some("yes"), age: Some(retry_in) },
        Event::AnswerFailed { camera, prompt, reason },
        Event::UnknownWords { camera, prompt, words: "zebra" },
        Event::BrokerConnected { broker: "localhost:1883" },
        Event::BrokerLost { broker: "localhost:1883", reason, retry_in },
        Event::MessageDropped { topic: "wader/door/caption/answer", reason: "too large" },
        Event::OutboxDropped { messages: 4, reason: "too old" },
        Event::SubscriptionRefused { broker: "localhost:1883", filter: "wader/+/enabled/set", reason: "NotAuthorized" },
        Event::ArrivalDropped { topic: "wader/door/enabled/set", total: 1 },
        Event::Switched { camera, prompt: Some(prompt), on: false },
        Event::Complained { code: "bad_payload", message: reason, untold: 0 },
        Event::MemoryProblem { problem: reason },
        Event::HistoryProblem { problem: reason },
        Event::Asked { camera, outcome: "answer" },
        Event::CameraBlind { camera, reason: "black" },
        Event::CameraSees { camera },
        Event::PromptAsleep { camera, prompt },
        Event::PromptAwake { camera, prompt },
        Event::Worked { frames: 1, windows: 2, unchanged: 1, replaced: 4, dropped: 5, replies: 3 },
        Event::PrefixChanged { before: "wader", now: "home/wader" },
        Event::OtherMemory { file: Path::new("/var/lib/wader/wader.json") },
        Event::ConfigProblem { problem: reason },
        Event::Stopping { reason: "SIGTERM" },
        Event::StopLate { task: "camera door" },
        Event::Stopped { took: retry_in },
    ] {
        event.emit();
    }
}

/// `journalctl` shows the line and no field beside it.
#[test]
fn a_line_of_the_journal_has_its_priority_and_says_of_whom_it_is() {
    let camera = &CameraName::new("door").unwrap();
    let retry_in = Duration::from_millis(1500);
    let line = logged(Level::Info, Format::Journald, || {
        Event::CameraOffline { camera, reason: "rtsp://me:hunter2@10.0.0.5/sub is gone", retry_in }.emit();
    });
    assert!(
        line.starts_with("<4>") && line.contains("camera=door") && line.contains("***@10.0.0.5/sub is gone"),
        "{line}"
    );
    assert!(!line.contains("hunter2"), "{line}");
}

#[test]
fn each_event_is_one_line_with_its_code_and_no_password() {
    for format in [Format::Plain, Format::Json, Format::Journald] {
        let mut codes = std::collections::BTreeSet::new();
        let lines = logged(Level::Trace, format, emit_each_event);
        assert_eq!(lines.lines().count(), 32, "{lines}");
        for line in lines.lines() {
            assert!(!line.contains("hunter2"), "{line}");
            let code = match format {
                Format::Json => line.split("\"event\":\"").nth(1).and_then(|rest| rest.split('"').next()),
                _ => line.split("event=\"").nth(1).and_then(|rest| rest.split('"').next()),
            };
            assert!(codes.insert(code.unwrap_or_else(|| panic!("no code: {line}")).to_owned()), "twice: {line}");
        }
        assert!(lines.contains("rtsp://***@10.0.0.5/sub"), "{lines}");
    }
}

#[test]
fn a_level_hides_what_is_less_important_and_holds_libraries_to_one_step_less() {
    let at_info = logged(Level::Info, Format::Plain, emit_each_event);
    assert!(at_info.contains("camera_online") && !at_info.contains("\"answered\""), "{at_info}");
    let at_error = logged(Level::Error, Format::Plain, emit_each_event);
    assert!(at_error.contains("outbox_dropped") && !at_error.contains("camera_offline"), "{at_error}");
    let library = || {
        tracing::info!(target: "rumqttc", "chatter");
        tracing::warn!(target: "rumqttc", "trouble");
    };
    let of_library = logged(Level::Info, Format::Plain, library);
    assert!(of_library.contains("trouble") && !of_library.contains("chatter"), "{of_library}");
}

#[test]
fn a_librarys_line_loses_its_passwords_too() {
    for format in [Format::Plain, Format::Json] {
        let line = logged(Level::Info, format, || tracing::warn!(url = "mqtt://me:hunter2@broker", "lost"));
        assert!(line.contains("mqtt://***@broker") && !line.contains("hunter2"), "{line}");
    }
}
