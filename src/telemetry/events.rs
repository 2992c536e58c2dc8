//! The events that operators see: one list, each makes one line of the log with a stable `event` code.
//!
//! Texts of others (reasons) lose their passwords here, so that no format can show them.

use std::{net::SocketAddr, path::Path, time::Duration};

use tracing::{debug, error, info, warn};

use super::redact;
use crate::name::{CameraName, PromptName};

/// Something an operator may want to know of.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// The process does all that its configuration says.
    Ready {
        /// Enabled cameras.
        cameras: usize,
        /// Enabled prompts.
        prompts: usize,
    },
    /// A camera gives frames.
    CameraOnline {
        /// Which.
        camera: &'a CameraName,
    },
    /// A camera gives no frames any more, or never did.
    CameraOffline {
        /// Which.
        camera: &'a CameraName,
        /// What its pipeline said.
        reason: &'a str,
        /// When it is tried again.
        retry_in: Duration,
    },
    /// Pipelines of a camera hang in their teardown; each holds a thread until it ends.
    CameraStuck {
        /// Which.
        camera: &'a CameraName,
        /// How many.
        pipelines: usize,
    },
    /// Pictures of a camera were lost or damaged on their way.
    CameraLoses {
        /// Which.
        camera: &'a CameraName,
        /// How many that came are not shown because of it.
        pictures: u64,
    },
    /// A camera's pictures show nothing any more.
    CameraBlind {
        /// Which.
        camera: &'a CameraName,
        /// The code of the reason.
        reason: &'a str,
    },
    /// A camera's pictures show something again.
    CameraSees {
        /// Which.
        camera: &'a CameraName,
    },
    /// A prompt's hours are over, or have not begun: it is not asked.
    PromptAsleep {
        /// About which camera.
        camera: &'a CameraName,
        /// Which.
        prompt: &'a PromptName,
    },
    /// A prompt's hours have begun.
    PromptAwake {
        /// About which camera.
        camera: &'a CameraName,
        /// Which.
        prompt: &'a PromptName,
    },
    /// A newer window took the place of one that had waited: the model is slower than the prompts ask.
    WindowReplaced {
        /// Whose.
        camera: &'a CameraName,
        /// How often since the process began.
        total: u64,
    },
    /// The model can be asked.
    ModelLoaded {
        /// Its name.
        model: &'a str,
        /// The provider that really runs it, read back.
        provider: &'a str,
        /// How long it took.
        took: Duration,
    },
    /// A GPU was wanted and cannot be used; another provider runs the model.
    ProviderFallback {
        /// The provider that runs it.
        provider: &'a str,
        /// What is missing.
        reason: &'a str,
        /// Whether there is one: without, nobody need be warned.
        has_gpu: bool,
    },
    /// A standing prompt was answered, published or not.
    Answered {
        /// About which camera.
        camera: &'a CameraName,
        /// To which prompt.
        prompt: &'a PromptName,
        /// Its outcome.
        outcome: &'a str,
        /// The state, where it is published.
        state: Option<&'a str>,
        /// From the newest frame to now, where one was seen.
        age: Option<Duration>,
    },
    /// A prompt could not be answered.
    AnswerFailed {
        /// About which camera.
        camera: &'a CameraName,
        /// To which prompt.
        prompt: &'a PromptName,
        /// Why.
        reason: &'a str,
    },
    /// A prompt has words that the model never learned: it will not be answered.
    UnknownWords {
        /// About which camera.
        camera: &'a CameraName,
        /// Which prompt.
        prompt: &'a PromptName,
        /// The words.
        words: &'a str,
    },
    /// A prompt's examples contradict each other: it will not be answered.
    ExamplesContradict {
        /// About which camera.
        camera: &'a CameraName,
        /// Which prompt.
        prompt: &'a PromptName,
        /// What an example's right answer got from the other examples on average, in percent.
        percent: u32,
        /// What the model wants it to get.
        needed: u32,
    },
    /// A prompt asks about windows that the model's weights never saw in training: what it makes of them is unknown.
    UntrainedWindow {
        /// Which prompt.
        prompt: &'a PromptName,
        /// What was trained, and what is asked.
        problem: &'a str,
    },
    /// The broker took us in.
    BrokerConnected {
        /// Its host and port.
        broker: &'a str,
    },
    /// The broker is not there.
    BrokerLost {
        /// Its host and port.
        broker: &'a str,
        /// What the connection said.
        reason: &'a str,
        /// When it is tried again.
        retry_in: Duration,
    },
    /// One message cannot be delivered, now or later.
    MessageDropped {
        /// Its topic.
        topic: &'a str,
        /// Why.
        reason: &'a str,
    },
    /// The broker does not let us hear what others say on these topics.
    SubscriptionRefused {
        /// Its host and port.
        broker: &'a str,
        /// The topics.
        filter: &'a str,
        /// What it said.
        reason: &'a str,
    },
    /// A message of others came while too many others waited, or while this process ended.
    ArrivalDropped {
        /// Its topic.
        topic: &'a str,
        /// How many since the process began.
        total: u64,
    },
    /// Messages were dropped before the broker had them.
    OutboxDropped {
        /// How many.
        messages: u64,
        /// Why.
        reason: &'a str,
    },
    /// Messages that the broker had not taken are kept on the disk, for the next start.
    OutboxKept {
        /// How many.
        messages: u64,
    },
    /// Messages that the broker had not taken before the last end wait again.
    OutboxRestored {
        /// How many.
        messages: u64,
    },
    /// What waits for the broker would not outlive this process, or some of it was lost.
    OutboxProblem {
        /// What is wrong.
        problem: &'a str,
    },
    /// The disk takes again what waits for the broker.
    OutboxDiskBack {
        /// How many it had missed.
        messages: u64,
    },
    /// A camera, or a prompt about it, was switched on or off by others.
    Switched {
        /// Which camera.
        camera: &'a CameraName,
        /// Which prompt; none where the camera itself was switched.
        prompt: Option<&'a PromptName>,
        /// Whether it is on now.
        on: bool,
    },
    /// Something was published on the error topic.
    Complained {
        /// Its code.
        code: &'a str,
        /// Its message.
        message: &'a str,
        /// How many with this code were not told before it.
        untold: u64,
    },
    /// What is to outlive a restart cannot be read or written.
    MemoryProblem {
        /// The file, what is wrong with it, and what follows.
        problem: &'a str,
    },
    /// A question that was asked once has its answer.
    Asked {
        /// About which camera.
        camera: &'a CameraName,
        /// What came of it.
        outcome: &'a str,
    },
    /// A picture cannot be published.
    ImageProblem {
        /// What is wrong.
        problem: &'a str,
    },
    /// Answers are not kept, or not all.
    HistoryProblem {
        /// What is wrong.
        problem: &'a str,
    },
    /// Somebody said whether an answer was right.
    Corrected {
        /// About which camera.
        camera: &'a CameraName,
        /// To which prompt.
        prompt: &'a PromptName,
        /// What is right.
        answer: &'a str,
        /// Whether that was answered.
        was_right: bool,
    },
    /// What somebody said was held against what a prompt would answer by it.
    Taught {
        /// About which camera.
        camera: &'a CameraName,
        /// Which prompt.
        prompt: &'a PromptName,
        /// Answers that were judged.
        judged: usize,
        /// How many were right when they were given.
        before: usize,
        /// How many would be right with what was said of the others.
        with: usize,
        /// Whether the prompt is answered by it.
        used: bool,
    },
    /// What was said of a prompt's answers cannot be used, or not yet.
    NotTaught {
        /// About which camera.
        camera: &'a CameraName,
        /// Which prompt.
        prompt: &'a PromptName,
        /// What is missing.
        why: &'a str,
    },
    /// What was said of answers cannot be read.
    FeedbackProblem {
        /// What is wrong.
        problem: &'a str,
    },
    /// A standing prompt was added by others.
    PromptAdded {
        /// About which camera.
        camera: &'a CameraName,
        /// Which.
        prompt: &'a PromptName,
    },
    /// A standing prompt was taken away by others.
    PromptRemoved {
        /// About which camera.
        camera: &'a CameraName,
        /// Which.
        prompt: &'a PromptName,
    },
    /// The topics are others than at the last start.
    PrefixChanged {
        /// What they began with.
        before: &'a str,
        /// What they begin with.
        now: &'a str,
    },
    /// This client id remembers nothing here, and another one does, or another folder.
    OtherMemory {
        /// Where.
        file: &'a Path,
    },
    /// Something in the configuration is hardly meant, or a changed one cannot be used.
    ConfigProblem {
        /// The problem with its place.
        problem: &'a str,
    },
    /// What stands is shown over HTTP.
    PageShown {
        /// Where.
        address: SocketAddr,
    },
    /// The configuration was read again, and is used.
    Reloaded {
        /// What is different.
        what: &'a str,
    },
    /// A task ended that nobody had asked to.
    TaskEnded {
        /// Which.
        task: &'a str,
        /// What it said.
        why: &'a str,
    },
    /// A stage has work, and has kept still for longer than it may.
    StageStill {
        /// Which.
        stage: &'a str,
        /// For how long.
        still: Duration,
    },
    /// The end was asked for.
    Stopping {
        /// By what.
        reason: &'a str,
    },
    /// The engine takes no more work; this is what it did.
    Worked {
        /// Frames that went through the vision encoder.
        frames: u64,
        /// Windows that were asked about.
        windows: u64,
        /// Those among them that got the answers of a window before, which looked the same.
        unchanged: u64,
        /// Windows that nobody looked at, because a newer one took their place.
        replaced: u64,
        /// Windows that nobody looked at, because their camera was switched off or left, or the end came.
        dropped: u64,
        /// Replies given, failures included.
        replies: u64,
    },
    /// A task did not end in its time and was left behind.
    StopLate {
        /// Which.
        task: &'a str,
    },
    /// Everything has ended.
    Stopped {
        /// How long it took.
        took: Duration,
    },
}

impl Event<'_> {
    /// Writes the event's line.
    #[rustfmt::skip] // A list: one event a line, or two.
    pub fn emit(self) {
        match self {
            Self::Ready { cameras, prompts } => info!(event = "ready", cameras, prompts, "watching"),
            Self::CameraOnline { camera } => info!(event = "camera_online", %camera, "camera is online"),
            Self::CameraOffline { camera, reason, retry_in } =>
                warn!(event = "camera_offline", %camera, reason = %redact(reason), ?retry_in, "camera is offline"),
            Self::CameraStuck { camera, pipelines } =>
                error!(event = "camera_stuck", %camera, pipelines, "pipelines of the camera do not stop"),
            Self::CameraLoses { camera, pictures } => warn!(
                event = "camera_loses",
                %camera,
                pictures,
                "pictures of the last minute were lost or damaged on their way, and what came after them is not shown until the \
                 next key frame: is the network too slow, or `latency` too short?"
            ),
            Self::CameraBlind { camera, reason } =>
                warn!(event = "camera_blind", %camera, reason, "the pictures show nothing"),
            Self::CameraSees { camera } => info!(event = "camera_sees", %camera, "the pictures show something again"),
            Self::PromptAsleep { camera, prompt } =>
                info!(event = "prompt_asleep", %camera, %prompt, "outside its `active` hours: the prompt is not asked"),
            Self::PromptAwake { camera, prompt } =>
                info!(event = "prompt_awake", %camera, %prompt, "its `active` hours have begun: the prompt is asked"),
            Self::WindowReplaced { camera, total } =>
                debug!(event = "window_replaced", %camera, total, "a window was replaced before the model took it"),
            Self::ModelLoaded { model, provider, took } =>
                info!(event = "model_loaded", model, provider, ?took, "model is loaded"),
            Self::ProviderFallback { provider, reason, has_gpu: true } =>
                warn!(event = "provider_fallback", provider, reason = %redact(reason), "the GPU cannot be used"),
            Self::ProviderFallback { provider, reason, has_gpu: false } =>
                info!(event = "provider_fallback", provider, reason = %redact(reason), "there is no GPU to use"),
            Self::Answered { camera, prompt, outcome, state, age } =>
                debug!(event = "answered", %camera, %prompt, outcome, state, age_ms = age.map(milliseconds), "a prompt is answered"),
            Self::AnswerFailed { camera, prompt, reason } =>
                warn!(event = "answer_failed", %camera, %prompt, reason = %redact(reason), "no answer"),
            Self::UnknownWords { camera, prompt, words } =>
                warn!(event = "unknown_words", %camera, %prompt, words, "the model never learned these words: each answer will be \
                    `unsure`; `wader check` says what to do"),
            Self::ExamplesContradict { camera, prompt, percent, needed } =>
                error!(event = "examples_contradict", %camera, %prompt, percent, needed, "the examples contradict each other: each answer \
                    will be `unsure`; look at them for a wrong answer, and mark the `region` where they differ"),
            Self::UntrainedWindow { prompt, problem } =>
                warn!(event = "untrained_window", %prompt, problem, "the model was never trained on such a window; set the \
                    prompt's `window` to what it was trained on"),
            Self::BrokerConnected { broker } => info!(event = "broker_connected", broker, "broker is connected"),
            Self::BrokerLost { broker, reason, retry_in } =>
                warn!(event = "broker_lost", broker, reason = %redact(reason), ?retry_in, "broker is lost"),
            Self::MessageDropped { topic, reason } =>
                warn!(event = "message_dropped", topic, reason = %redact(reason), "a message was dropped"),
            Self::SubscriptionRefused { broker, filter, reason } =>
                warn!(event = "subscription_refused", broker, filter, reason, "the broker refuses a subscription: commands on these \
                    topics are not heard; let wader's user read them"),
            Self::ArrivalDropped { topic, total } =>
                warn!(event = "arrival_dropped", topic, total, "a command was dropped: too many came at once, or wader was ending"),
            Self::OutboxDropped { messages, reason } =>
                error!(event = "outbox_dropped", messages, reason, "messages were dropped"),
            Self::OutboxKept { messages } =>
                info!(event = "outbox_kept", messages, "what the broker has not taken is kept for the next start"),
            Self::OutboxRestored { messages } =>
                info!(event = "outbox_restored", messages, "what the broker had not taken before waits again"),
            Self::OutboxProblem { problem } => error!(event = "outbox_problem", "{}", redact(problem)),
            Self::OutboxDiskBack { messages } =>
                info!(event = "outbox_disk_back", messages, "the disk takes again what waits for the broker"),
            Self::Switched { camera, prompt, on } =>
                info!(event = "switched", %camera, prompt = prompt.map(tracing::field::display), on, "switched by a command"),
            Self::Complained { code, message, untold: 0 } => warn!(event = "complained", code, "{}", redact(message)),
            Self::Complained { code, message, untold } =>
                warn!(event = "complained", code, untold, "{} (and {untold} that were not told)", redact(message)),
            Self::MemoryProblem { problem } => warn!(event = "memory_problem", "{}", redact(problem)),
            Self::Asked { camera, outcome } => info!(event = "asked", %camera, prompt = "ask", outcome, "a question is answered"),
            Self::ImageProblem { problem } => warn!(event = "image_problem", "{}", redact(problem)),
            Self::HistoryProblem { problem } => warn!(event = "history_problem", "{}", redact(problem)),
            Self::Corrected { camera, prompt, answer, was_right } =>
                info!(event = "corrected", %camera, %prompt, answer, was_right, "an answer was judged"),
            Self::Taught { camera, prompt, judged, before, with, used: true } =>
                info!(event = "taught", %camera, %prompt, judged, before, with, "what was said of answers helps: the prompt \
                    is answered by it"),
            Self::Taught { camera, prompt, judged, before, with, used: false } =>
                info!(event = "not_taught", %camera, %prompt, judged, before, with, "what was said of answers would not \
                    make them better: the prompt is answered as before"),
            Self::NotTaught { camera, prompt, why } =>
                info!(event = "not_taught", %camera, %prompt, why, "what was said of answers is kept, and not used yet"),
            Self::FeedbackProblem { problem } => warn!(event = "feedback_problem", "{}", redact(problem)),
            Self::PromptAdded { camera, prompt } =>
                info!(event = "prompt_added", %camera, %prompt, "a prompt is asked"),
            Self::PromptRemoved { camera, prompt } =>
                info!(event = "prompt_removed", %camera, %prompt, "a prompt is asked no more"),
            Self::PrefixChanged { before, now } =>
                warn!(event = "prefix_changed", before, now, "what the broker keeps below the old prefix stays there: \
                    `mosquitto_sub -t OLD/# --remove-retained --retained-only -W 5` clears it, and the same with each \
                    `homeassistant/device/OLD_CAMERA/config` takes the devices away"),
            Self::OtherMemory { file } =>
                warn!(event = "other_memory", file = %file.display(), "nothing is kept of this `client_id` in this state folder yet, \
                    and that file is of another: switches, history, lessons and prompts that others added stay with it. Its name as \
                    `client_id` below `[mqtt]` (which is as `prefix` where none is written) brings them back, or its folder's files \
                    copied to that of `state` below `[paths]` while wader is stopped"),
            Self::ConfigProblem { problem } => warn!(event = "config_problem", "{}", redact(problem)),
            Self::PageShown { address } => info!(event = "page_shown", %address, "what stands is shown at http://{address}"),
            Self::Reloaded { what } => info!(event = "reloaded", what, "the configuration was read again"),
            Self::TaskEnded { task, why } => error!(event = "task_ended", task, why, "a task ended by itself"),
            Self::StageStill { stage, still } =>
                error!(event = "stage_still", stage, ?still, "a stage has work and does not move; the watchdog is not fed"),
            Self::Stopping { reason } => info!(event = "stopping", reason, "stopping"),
            Self::Worked { frames, windows, unchanged, replaced, dropped, replies } =>
                info!(event = "worked", frames, windows, unchanged, replies, replaced, dropped, "the engine's work is done"),
            Self::StopLate { task } => error!(event = "stop_late", task, "a task did not end in its time"),
            Self::Stopped { took } => info!(event = "stopped", ?took, "stopped"),
        }
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
