//! The figures that Prometheus asks for: each [`Event`](super::Event) is counted as it becomes a line of the log, whatever the
//! log's level, and what stands just now is given by whoever knows it.

use std::{
    fmt::Debug,
    sync::{LazyLock, atomic::AtomicU64},
    time::Duration,
};

use prometheus_client::{
    encoding::text,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::{Registry, Unit},
};
use tracing::{
    Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{Layer, layer::Context};

/// The media type of [`metrics`].
pub const METRICS_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Upper bounds of the ages of answers' newest frames, in seconds: from a GPU's hurry to a CPU's patience.
const AGES: [f64; 9] = [0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 60.0];

/// What stands just now, and is not counted by events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Now {
    /// Whether the broker is connected.
    pub connected: bool,
    /// Whether the configuration in the files is refused, and an earlier one runs.
    pub configuration_refused: bool,
    /// Cameras by name, and whether frames come.
    pub cameras: Vec<(String, bool)>,
    /// Messages that wait for the broker.
    pub messages_waiting: u64,
    /// Their bytes.
    pub bytes_waiting: u64,
    /// Messages that the broker never got, by the word of the reason.
    pub messages_lost: Vec<(&'static str, u64)>,
    /// Answers that the history never got.
    pub history_lost: u64,
}

type Labels = Vec<(&'static str, String)>;

/// What was counted since the process began.
struct Counted {
    events: Family<Labels, Counter>,
    answers: Family<Labels, Counter>,
    ages: Family<Labels, Histogram>,
}

static COUNTED: LazyLock<Counted> = LazyLock::new(|| Counted {
    events: Family::default(),
    answers: Family::default(),
    ages: Family::new_with_constructor(|| Histogram::new(AGES)),
});

/// All figures, as Prometheus reads them (OpenMetrics 1.0).
pub fn metrics(version: &str, now: &Now) -> String {
    let mut registry = Registry::with_prefix("wader");
    registry.register("build", "What runs", Info::new(vec![("version", version.to_owned())]));
    let Counted { events, answers, ages } = &*COUNTED;
    registry.register("events", "Events by their code, as the log has them", events.clone());
    registry.register("answers", "Answers by their outcome", answers.clone());
    let age = "Age of an answer's newest frame when it was answered";
    registry.register_with_unit("answer_age", age, Unit::Seconds, ages.clone());
    let refused = "Whether the configuration in the files is refused and an earlier one runs";
    for (name, help, value) in [
        ("broker_connected", "Whether the broker is connected", u64::from(now.connected)),
        ("configuration_refused", refused, u64::from(now.configuration_refused)),
        ("outbox_messages", "Messages that wait for the broker", now.messages_waiting),
        ("outbox_bytes", "Bytes of messages that wait for the broker", now.bytes_waiting),
    ] {
        let gauge = Gauge::<u64, AtomicU64>::default();
        gauge.set(value);
        registry.register(name, help, gauge);
    }
    let cameras = Family::<Labels, Gauge<u64, AtomicU64>>::default();
    for (camera, online) in &now.cameras {
        cameras.get_or_create(&vec![("camera", camera.clone())]).set(u64::from(*online));
    }
    registry.register("camera_online", "Whether the camera's frames come", cameras);
    let lost = Family::<Labels, Counter>::default();
    for (reason, messages) in &now.messages_lost {
        lost.get_or_create(&vec![("reason", (*reason).to_owned())]).inc_by(*messages);
    }
    registry.register("messages_lost", "Messages given up before the broker had them", lost);
    let unkept = Counter::<u64>::default();
    unkept.inc_by(now.history_lost);
    registry.register("history_lost", "Answers that the history did not take", unkept);
    let mut page = String::new();
    // a text takes whatever is written
    _ = text::encode(&mut page, &registry);
    page
}

/// Counts each event that passes.
pub(super) struct Count;

impl<S: Subscriber> Layer<S> for Count {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let mut seen = Seen::default();
        event.record(&mut seen);
        let Some(code) = seen.event else { return };
        let about = || {
            let named = [("camera", &seen.camera), ("prompt", &seen.prompt)];
            named.into_iter().filter_map(|(label, name)| Some((label, name.clone()?)))
        };
        COUNTED.events.get_or_create(&std::iter::once(("event", code)).chain(about()).collect()).inc();
        let Some(outcome) = seen.outcome else { return };
        COUNTED.answers.get_or_create(&about().chain([("outcome", outcome)]).collect()).inc();
        if let Some(age) = seen.age_ms {
            COUNTED.ages.get_or_create(&about().collect()).observe(Duration::from_millis(age).as_secs_f64());
        }
    }
}

/// The fields of an event that are counted by.
#[derive(Default)]
struct Seen {
    event: Option<String>,
    camera: Option<String>,
    prompt: Option<String>,
    outcome: Option<String>,
    age_ms: Option<u64>,
}

impl Seen {
    fn of(&mut self, name: &str) -> Option<&mut Option<String>> {
        Some(match name {
            "event" => &mut self.event,
            "camera" => &mut self.camera,
            "prompt" => &mut self.prompt,
            "outcome" => &mut self.outcome,
            _ => return None,
        })
    }
}

impl Visit for Seen {
    fn record_str(&mut self, field: &Field, value: &str) {
        if let Some(field) = self.of(field.name()) {
            *field = Some(value.to_owned());
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if let Some(field) = self.of(field.name()) {
            *field = Some(format!("{value:?}"));
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "age_ms" {
            self.age_ms = Some(value);
        }
    }
}
