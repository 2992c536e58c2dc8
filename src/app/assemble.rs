//! From the configuration to what each stage asks for.

use std::{collections::HashMap, sync::Arc, time::Duration};

use jiff::tz::TimeZone;
use tokio::sync::{mpsc, watch};

use super::{
    Error,
    answers::{Answers, Input, Standing},
    asks::Asks,
    control::Control,
    holds::Holds,
    kept::Kept,
    memory,
    rations::Rations,
    roster::{Roster, View},
    served::{canvas, standing_hash},
    shown::Digests,
    switches::Switches,
    watch::Watch,
    windows,
};
use crate::{
    answer::{self, Escalate, Evidence, Ids, ModelLabel, Policy, Thresholds, Value},
    camera::{self, Address, Camera, Canvas, Description, Logins},
    config::{self, BrokerConfig, CameraConfig, Config, EscalateConfig, LoginConfig, PromptConfig, TlsConfig, WINDOW},
    engine::{Engine, Reminder},
    frame::Stamp,
    model::Manifest,
    mqtt::{self, Access, CameraStatus, Handle, Topics},
    name::{CameraName, PromptName},
    prompt::{AnswerKind, Hours},
    sight::Sight,
    store::History,
    supervise::Turns,
    telemetry::Event,
    window::{self, Sampler},
};

/// One camera that is watched, and who asks about it.
pub(super) struct Watched {
    pub(super) name: CameraName,
    spec: camera::Spec,
    frozen_after: Option<Duration>,
    prompts: Vec<PromptConfig>,
    /// The window that questions are about which are asked now.
    asked_about: window::Spec,
}

/// A camera may well give no frame for so many of its intervals.
const FRAMES_MISSED: f64 = 3.0;

impl Watched {
    /// Its prompts, with the windows that the model is given for them.
    pub(super) fn prompts(&self) -> &[PromptConfig] {
        &self.prompts
    }

    /// Asks these no more.
    pub(super) fn forget(&mut self, prompts: &[PromptName]) {
        self.prompts.retain(|prompt| !prompts.contains(&prompt.prompt.name));
    }

    /// Each prompt that asks about this camera.
    pub(super) fn asked(&self) -> impl Iterator<Item = (CameraName, PromptConfig)> + '_ {
        self.prompts.iter().map(|prompt| (self.name.clone(), prompt.clone()))
    }

    /// The camera's task.
    pub(super) fn watch(
        self,
        engine: Arc<Engine>,
        answers: mpsc::Sender<Input>,
        (switches, turns, logins): (&Switches, &Turns, &Logins),
        zone: TimeZone,
        (prompts, view): (watch::Receiver<Vec<PromptConfig>>, watch::Sender<View>),
    ) -> Watch {
        let sampler = Sampler::new(self.name.clone(), Vec::new()).keeping(self.asked_about);
        let patience = FRAMES_MISSED / self.spec.frames_per_second;
        let off = switches.of(&self.name);
        let mut watch = Watch {
            prompts,
            planned: Vec::new(),
            sampler,
            sight: Sight::new(self.frozen_after),
            blind: None,
            asked_blind: Vec::new(),
            hours: Vec::new(),
            zone,
            patience: Duration::try_from_secs_f64(patience).unwrap_or(Duration::ZERO),
            name: self.name,
            camera: Arc::new(Camera::new(self.spec)),
            turns: turns.clone(),
            logins: logins.clone(),
            up_since: None,
            losses_told: (Stamp::now(), 0),
            engine,
            answers,
            off,
            asked_about: self.asked_about,
            view,
        };
        watch.plan();
        watch
    }
}

/// The way in to the service's broker for another process of this machine.
pub fn broker_access(config: &Config) -> Result<Access, Error> {
    Ok(match &config.mqtt.broker {
        BrokerConfig::Embedded { listen } => access(&listen.ip().to_string(), listen.port(), None, None)?,
        BrokerConfig::Remote { host, port, tls, login } => access(host, *port, tls.as_ref(), login.as_ref())?,
    })
}

/// The way in to a broker that is not inside wader.
pub(super) fn access(
    host: &str,
    port: u16,
    tls: Option<&TlsConfig>,
    login: Option<&LoginConfig>,
) -> Result<Access, mqtt::AccessError> {
    let scheme = if tls.is_some() { "mqtts" } else { "mqtt" };
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() }; // an address of IPv6
    // the configuration has refused the passwords that nobody allowed to cross a network in the clear
    let mut access = Access::parse(&format!("{scheme}://{host}:{port}"))?.with_plaintext_password_allowed(true);
    if let Some(login) = login {
        access = access.with_login(&login.user, login.password.reveal());
    }
    if let Some(ca) = tls.and_then(|tls| tls.ca.clone()) {
        access = access.with_ca(ca);
    }
    if let Some(client) = tls.and_then(|tls| tls.client.clone()) {
        access = access.with_client_certificate(client.cert, client.key);
    }
    Ok(access)
}

/// Every enabled camera with its enabled prompts.
pub(super) fn watched(config: &Config, manifest: &Manifest) -> Result<Vec<Watched>, Error> {
    let enabled = config.cameras.iter().filter(|camera| camera.enabled);
    let canvas = canvas(manifest);
    enabled
        .map(|camera| {
            let prompts = config.prompts.iter().filter_map(|p| p.asked_of(&camera.name)).cloned();
            let prompts: Vec<PromptConfig> =
                prompts.map(|prompt| windows::fit(prompt, manifest)).collect::<Result<_, _>>()?;
            let (name, spec) = (camera.name.clone(), camera_spec(config, camera, canvas)?);
            let asked_about = window::Spec { frames: WINDOW.frames.min(manifest.resampler.max_frames), ..WINDOW };
            Ok(Watched { name, spec, frozen_after: camera.frozen_after, prompts, asked_about })
        })
        .collect()
}

/// How a configured camera is received.
pub fn camera_spec(config: &Config, camera: &CameraConfig, canvas: impl Into<Canvas>) -> Result<camera::Spec, Error> {
    let wrong = |what: String| Error::Config(format!("camera `{}`: {what}", camera.name));
    let mut address = Address::parse(camera.url.as_str()).map_err(|e| wrong(e.to_string()))?;
    if let Some(login) = &camera.login {
        address = address.with_login(&login.user, login.password.reveal());
    }
    address = address.hiding(camera.hidden.iter().map(|part| part.reveal().to_owned()));
    let folder = config.pipelines.as_deref();
    let pipeline = Description::find(&camera.pipeline, folder).map_err(|e| wrong(e.to_string()))?;
    Ok(camera::Spec {
        frames_per_second: camera.frames_per_second,
        latency: camera.latency,
        silence: camera.silence,
        key_frames_only: camera.key_frames_only,
        ..camera::Spec::new(camera.name.clone(), address, pipeline, canvas)
    })
}

/// The connection to the broker.
pub(super) fn publisher(config: &Config, access: Access) -> mqtt::Spec {
    let mut spec = mqtt::Spec::new(access, config.mqtt.client_id.clone());
    spec.topics = topics(config);
    spec.limits.bytes = usize::try_from(config.mqtt.outbox.max_bytes).unwrap_or(usize::MAX);
    spec.limits.age = config.mqtt.outbox.max_age;
    spec.outbox = memory::file(config.state.as_deref(), &config.mqtt.client_id, "outbox.db");
    if spec.outbox.is_none() {
        let problem = "what waits for the broker is in memory only: there is no folder for what outlives a restart; name one \
                       as `state` below `[paths]`";
        Event::OutboxProblem { problem }.emit();
    }
    spec.stop_within = Duration::from_secs(1);
    spec
}

/// The names of all topics.
pub fn topics(config: &Config) -> Topics {
    // the configuration was checked for this
    Topics::new(&config.mqtt.prefix).unwrap_or_default()
}

/// Where the clock on the wall hangs that the prompts' hours go by.
pub(super) fn zone(config: &Config) -> TimeZone {
    let zone = config.timezone.clone().unwrap_or_else(TimeZone::system);
    let has_hours =
        |p: &PromptConfig| p.active != Hours::default() || p.on.values().any(|p| p.active != Hours::default());
    if zone.is_unknown() && config.prompts.iter().any(has_hours) {
        let problem =
            "this machine does not say in which time zone it is: `active` hours are taken as UTC; set `timezone`";
        Event::ConfigProblem { problem }.emit();
    }
    zone
}

impl Answers {
    /// The answer task's state for these cameras.
    ///
    /// `shown` names what is shown with prompts, `min_mass` is what the model says of itself; without it the default holds.
    pub(super) fn new(
        config: &Config,
        watched: &[Watched],
        shown: &Digests,
        (model, min_mass): (ModelLabel, Option<f64>),
        (control, reminder): (&Control, Reminder),
        (zone, history, (kept, holds)): (TimeZone, Option<History>, (Kept, Holds)),
    ) -> Self {
        let pairs = watched.iter().flat_map(|w| w.prompts.iter().map(|p| (w.name.clone(), p)));
        let standing = pairs
            .map(|(camera, p)| {
                let key = (camera, p.prompt.name.clone());
                let standing = standing(p, shown.get(&key), min_mass);
                (key, standing)
            })
            .collect();
        let (outbox, switches) = (control.outbox(), control.switches());
        let at_start = |c: &CameraConfig| match c.enabled && !switches.of(&c.name).borrow().camera {
            true => CameraStatus::Offline,
            false => CameraStatus::Disabled,
        };
        let cameras = config.cameras.iter().map(|c| (c.name.clone(), at_start(c))).collect();
        let (topics, ids) = (topics(config), Ids::new(fastrand::Rng::new()));
        let (up, judged) = (HashMap::new(), Arc::default());
        Self {
            standing,
            topics,
            model,
            ids,
            outbox,
            history,
            kept,
            holds,
            zone,
            cameras,
            up,
            switches,
            reminder,
            judged,
        }
    }
}

impl Asks {
    /// The task that answers questions about these cameras.
    pub(super) fn new(
        config: &Config,
        engine: Arc<Engine>,
        (roster, switches): (Roster, Switches),
        (model, min_mass): (ModelLabel, Option<f64>),
        outbox: Handle,
    ) -> Self {
        let topics = topics(config);
        let own = format!("{}/#", topics.responses());
        Self {
            engine,
            roster,
            switches,
            allowed: std::iter::once(own).chain(config.mqtt.response_topics.iter().cloned()).collect(),
            topics,
            model,
            min_mass: min_mass.unwrap_or(Thresholds::default().min_mass),
            ids: Ids::new(fastrand::Rng::new()),
            outbox,
            rations: Rations::default(),
        }
    }
}

/// A prompt about a camera as the answer task keeps it.
pub(super) fn standing(prompt: &PromptConfig, shown: Option<&String>, min_mass: Option<f64>) -> Standing {
    let usual = Thresholds::default();
    let publish = match prompt.publish {
        config::Publish::OnChange => answer::Publish::OnChange,
        config::Publish::Always => answer::Publish::Always,
    };
    Standing {
        prompt: Arc::new(prompt.prompt.clone()),
        every: prompt.every,
        publish,
        policy: Policy::new(policy(prompt, publish)),
        evidence: Evidence::default(),
        hours: prompt.active.clone(),
        image: prompt.image,
        thresholds: Thresholds {
            min_probability: prompt.min_probability,
            keep_probability: prompt.keep_probability,
            min_mass: min_mass.unwrap_or(usual.min_mass),
        },
        hash: standing_hash(prompt, shown),
        holds_until: None,
        said_of: None,
        dated: None,
        told_why_unsure: false,
    }
}

fn policy(prompt: &PromptConfig, publish: answer::Publish) -> answer::Spec {
    let value = |state: &String| match prompt.prompt.kind {
        AnswerKind::YesNo => Value::YesNo(state == "yes"),
        AnswerKind::Choice(_) => Value::Choice(state.clone()),
        AnswerKind::Number { .. } => state.parse().map_or_else(|_| Value::Text(state.clone()), Value::Number),
        AnswerKind::Text { .. } | AnswerKind::Json { .. } => Value::Text(state.clone()),
    };
    let escalate =
        |escalate: &EscalateConfig| Escalate { after: escalate.after, state: escalate.state.as_ref().map(value) };
    answer::Spec {
        publish,
        hold: prompt.hold.get(),
        cooldown: prompt.cooldown,
        escalate: prompt.escalate.as_ref().map(escalate),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    #[test]
    fn what_the_configuration_allowed_is_not_refused_later() {
        let login = LoginConfig { user: "wader".to_owned(), password: Secret::new("hunter2") };
        for host in ["broker.lan", "10.0.0.2", "fd00::2"] {
            let access = access(host, 1883, None, Some(&login)).unwrap();
            assert_eq!((access.host(), access.check().is_ok()), (host, true));
        }
    }
}
