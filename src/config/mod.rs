//! Files become a value that cannot be wrong.
//!
//! Layers, later wins: built-in defaults, the first file (`/etc/wader/wader.toml`), `conf.d/*.toml` beside it by name,
//! variables of the environment `WADER__TABLE__KEY`. `${NAME}` in any text is filled in from secrets or the environment.
//! Every mistake of every file comes in one [`Report`]. The values here are plain: `app` hands them to the stages.

mod allowed;
mod check;
mod diff;
mod duration;
mod file;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod load;
mod print;
mod problem;
mod secret;
mod sources;
mod template;

use std::{collections::BTreeMap, net::SocketAddr, num::NonZeroU32, path::PathBuf, time::Duration};

use jiff::tz::TimeZone;
use url::Url;

pub use allowed::{LONGEST_ASK, LONGEST_LABEL, usual_pipeline};
pub use check::shipped_model;
pub use diff::Diff;
pub use file::json_schema;
pub use load::{added, load};
pub use print::{example, print};
pub use problem::{Place, Problem, Report};
pub use secret::Secret;
pub use sources::{DEFAULT_FILE, Sources, Written};
pub use template::{Found, lookup_beside_service, system_lookup};

use crate::{
    name::{CameraName, PromptName},
    prompt::{Hours, Prompt, Region},
    telemetry,
    window::Spec,
};

/// What a prompt looks at that says nothing of it, and a question that is asked once.
pub const WINDOW: Spec = Spec { frames: 8, span: Duration::from_secs(7) };

/// How probable an answer must be, likewise.
pub const MIN_PROBABILITY: f64 = 0.6;

/// What was loaded, and where each value came from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// The files that were read, in the order of their layers.
    pub files: Vec<PathBuf>,
    /// What is legal and yet hardly meant.
    pub warnings: Vec<Problem>,
    /// Where it came from.
    pub sources: Sources,
    /// How the files stood before they were read.
    pub written: Written,
    origins: file::Origins,
}

/// A whole configuration. Whatever it holds has been checked against everything but the world outside the files.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Where answers go.
    pub mqtt: MqttConfig,
    /// What answers.
    pub model: ModelConfig,
    /// What Home Assistant is told.
    pub homeassistant: HomeAssistantConfig,
    /// What is kept of answers.
    pub history: HistoryConfig,
    /// What is shown over HTTP.
    pub web: WebConfig,
    /// A folder of further pipeline descriptions, if there is one.
    pub pipelines: Option<PathBuf>,
    /// Where what outlives a restart is kept; `None` is where the system wants it.
    pub state: Option<PathBuf>,
    /// All cameras, disabled ones too, by name.
    pub cameras: Vec<CameraConfig>,
    /// The cameras of each group; prompts have them spelt out.
    pub groups: BTreeMap<String, Vec<CameraName>>,
    /// All standing prompts, disabled ones too, by name.
    pub prompts: Vec<PromptConfig>,
    /// The time zone of the prompts' hours; `None` is that of the machine.
    pub timezone: Option<TimeZone>,
    /// What is logged, and how.
    pub log: telemetry::Spec,
}

/// Where answers go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MqttConfig {
    /// The broker.
    pub broker: BrokerConfig,
    /// The first level (or levels) of each topic, without a slash at either end.
    pub prefix: String,
    /// Who we are to the broker; one session belongs to it.
    pub client_id: String,
    /// Topic filters, besides our own, on which askers may have their answers.
    pub response_topics: Vec<String>,
    /// Whether others may add standing prompts.
    pub new_prompts: bool,
    /// How much may wait while the broker is away.
    pub outbox: OutboxConfig,
}

/// The broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BrokerConfig {
    /// One inside wader.
    Embedded {
        /// The address it listens on; port 0 takes a free one.
        listen: SocketAddr,
    },
    /// One of the user's.
    Remote {
        /// Its host name or address.
        host: String,
        /// Its port.
        port: u16,
        /// TLS, when the URL says `mqtts`.
        tls: Option<TlsConfig>,
        /// User and password, when it asks for them.
        login: Option<LoginConfig>,
    },
}

/// How the broker proves who it is, and we to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsConfig {
    /// A PEM file of authorities to trust, in place of the system's.
    pub ca: Option<PathBuf>,
    /// Our own certificate, where the broker asks who we are.
    pub client: Option<ClientCertificate>,
}

/// How we prove to the broker who we are; the files are read anew for each connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// A PEM file of the certificate, and of those that lead to its authority.
    pub cert: PathBuf,
    /// A PEM file of its key.
    pub key: PathBuf,
}

/// Who we are to the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginConfig {
    /// The user.
    pub user: String,
    /// Its password.
    pub password: Secret,
}

/// How much may wait while the broker is away; the oldest is dropped first, and counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxConfig {
    /// Bytes of payload and topic.
    pub max_bytes: u64,
    /// The age at which a message is of no more use.
    pub max_age: Duration,
}

/// What is kept of answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryConfig {
    /// Whether anything is.
    pub enabled: bool,
    /// Bytes on disk.
    pub max_bytes: u64,
    /// Older answers are forgotten.
    pub max_age: Duration,
}

/// What is shown over HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WebConfig {
    /// The address it is shown at; port 0 takes a free one. `None` shows nothing.
    pub listen: Option<SocketAddr>,
}

/// What Home Assistant is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HomeAssistantConfig {
    /// Whether cameras and prompts are announced to it.
    pub discovery: bool,
    /// The first level (or levels) of the topics on which it listens for that.
    pub prefix: String,
}

/// What answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelConfig {
    /// A folder with `manifest.json`.
    pub path: PathBuf,
    /// What runs it.
    pub device: Device,
    /// Threads of the CPU for one inference; `None` lets wader choose.
    pub threads: Option<NonZeroU32>,
    /// ONNX Runtime's shared library; `None` looks where `./x setup` and packages put it.
    pub onnxruntime: Option<PathBuf>,
    /// Whether it is left alone while nothing changes before a camera.
    pub skip_unchanged: bool,
}

/// What runs the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Device {
    /// The first GPU if it can be used, else the CPU, and says so.
    Auto,
    /// This GPU, or an error.
    Cuda(u32),
    /// The CPU.
    Cpu,
}

/// One camera.
#[derive(Debug, Clone, PartialEq)]
pub struct CameraConfig {
    /// Its name.
    pub name: CameraName,
    /// Where it is, without user and password.
    pub url: Url,
    /// User and password, when it asks for them.
    pub login: Option<LoginConfig>,
    /// What `${…}` put into the URL's path, as it stands there: not to be shown.
    pub hidden: Vec<Secret>,
    /// The name of the pipeline description that decodes it.
    pub pipeline: String,
    /// How many frames are sampled a second.
    pub frames_per_second: f64,
    /// How long packets wait for those that were overtaken.
    pub latency: Duration,
    /// How long it may send nothing before it counts as offline.
    pub silence: Duration,
    /// How long it may send one and the same picture before it counts as frozen; `None` is for ever.
    pub frozen_after: Option<Duration>,
    /// Whether only its key frames are decoded, while they come often enough.
    pub key_frames_only: bool,
    /// Whether it is watched.
    pub enabled: bool,
}

/// The fewest examples of each answer; one is enough where the place is marked, since it then has one meaning.
pub const fn fewest_examples(is_marked: bool) -> usize {
    if is_marked { 1 } else { 2 }
}

/// One standing prompt and how it is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct PromptConfig {
    /// The question and its kind of answer.
    pub prompt: Prompt,
    /// The cameras it is asked about, by name, none twice.
    pub cameras: Vec<CameraName>,
    /// What it is shown, in place of being told; none for a prompt that is put into words.
    pub examples: Vec<ExampleConfig>,
    /// Where in the picture the examples differ; `None` is anywhere.
    pub region: Option<Region>,
    /// The time from one answer to the next.
    pub every: Duration,
    /// The frames that the model sees.
    pub window: Spec,
    /// Which answers are published.
    pub publish: Publish,
    /// That many equal answers in a row change the state.
    pub hold: NonZeroU32,
    /// An answer below this probability is `unsure`.
    pub min_probability: f64,
    /// The same for the answer that is the state already; at most `min_probability`.
    pub keep_probability: f64,
    /// The least time from one transition that is published as an event to the next.
    pub cooldown: Duration,
    /// Which state is an event once more when it lasts.
    pub escalate: Option<EscalateConfig>,
    /// When it is asked.
    pub active: Hours,
    /// Whether it is asked also where the picture is black, covered or frozen.
    pub ask_blind: bool,
    /// Whether the newest picture is published with each answer.
    pub image: bool,
    /// Whether it is asked.
    pub enabled: bool,
    /// What is different on some of its cameras: there this whole prompt stands in its place.
    pub on: BTreeMap<CameraName, PromptConfig>,
}

/// Which state is an event once more when it lasts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EscalateConfig {
    /// How long it must have lasted.
    pub after: Duration,
    /// Which one, one of the prompt's answers; `None` is whichever is held.
    pub state: Option<String>,
}

impl PromptConfig {
    /// So many examples of an answer there are.
    pub fn examples_of(&self, label: &str) -> usize {
        self.examples.iter().filter(|example| example.answer == label).count()
    }

    /// Whether windows are held against its examples. A prompt that has too few of some answer is put into words until it has more.
    pub fn is_shown(&self) -> bool {
        let needed = fewest_examples(self.region.is_some());
        !self.examples.is_empty() && self.prompt.kind.labels().iter().all(|label| self.examples_of(label) >= needed)
    }

    /// The prompt as it is for this camera; `None` where it does not ask about it.
    pub fn asked_of(&self, camera: &CameraName) -> Option<&Self> {
        let prompt = self.on.get(camera).unwrap_or(self);
        (self.cameras.contains(camera) && prompt.enabled).then_some(prompt)
    }

    /// The different ways in which it is asked about any camera.
    pub fn asked(&self) -> Vec<&Self> {
        let plain = self.cameras.iter().any(|camera| !self.on.contains_key(camera));
        let all = std::iter::once(self).filter(|_| plain).chain(self.on.values());
        all.filter(|prompt| prompt.enabled).collect()
    }
}

/// One example of a right answer: a moment of the camera.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExampleConfig {
    /// The file or folder that was named, from the root of the disk.
    pub path: PathBuf,
    /// Its pictures, the oldest first; one at least.
    pub pictures: Vec<PathBuf>,
    /// The right answer, one of the prompt's.
    pub answer: String,
}

/// Which answers are published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Publish {
    /// Those that change the state.
    OnChange,
    /// Every one.
    Always,
}

impl Config {
    /// The camera of this name.
    pub fn camera(&self, name: &CameraName) -> Option<&CameraConfig> {
        self.cameras.iter().find(|camera| camera.name == *name)
    }

    /// The prompt of this name.
    pub fn prompt(&self, name: &PromptName) -> Option<&PromptConfig> {
        self.prompts.iter().find(|prompt| prompt.prompt.name == *name)
    }
}
