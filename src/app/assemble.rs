//! From the configuration to what each stage asks for.

use std::{sync::Arc, time::Duration};

use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use super::{
    Error,
    answers::{Answers, Input, Standing},
    control::Control,
    shown::Digests,
    switches::Switches,
    watch::Watch,
};
use crate::{
    answer::{self, Ids, ModelLabel, Policy, Thresholds},
    camera::{self, Address, Camera, Description},
    config::{self, CameraConfig, Config, LoginConfig, PromptConfig, TlsConfig},
    engine::Engine,
    frame::{Size, Stamp},
    model::{self, Flamingo, Manifest},
    mqtt::{self, Access, CameraStatus, Topics},
    name::CameraName,
    telemetry::Event,
    window::{self, Sampler, Schedule},
};

/// One camera that is watched, and who asks about it.
pub(super) struct Watched {
    pub(super) name: CameraName,
    spec: camera::Spec,
    prompts: Vec<PromptConfig>,
}

impl Watched {
    /// Each prompt that asks about this camera.
    pub(super) fn asked(&self) -> impl Iterator<Item = (CameraName, PromptConfig)> + '_ {
        self.prompts.iter().map(|prompt| (self.name.clone(), prompt.clone()))
    }

    /// The camera's task.
    pub(super) fn watch(self, engine: Arc<Engine>, answers: mpsc::Sender<Input>, switches: &Switches) -> Watch {
        let schedule = |p: &PromptConfig| Schedule {
            prompt: p.prompt.name.clone(),
            every: p.every,
            window: window::Spec { frames: p.frames, span: p.span },
        };
        let sampler = Sampler::new(self.name.clone(), self.prompts.iter().map(schedule).collect());
        let off = switches.of(&self.name);
        Watch { name: self.name, camera: Camera::new(self.spec), sampler, engine, answers, off }
    }
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
    Ok(access)
}

/// Loads the model where it is to run; on a thread of its own, because it takes seconds.
pub(super) async fn model(config: &Config) -> Result<(Flamingo, ModelLabel), Error> {
    let spec = model::Spec {
        device: match config.model.device {
            config::Device::Auto => model::Device::Auto,
            config::Device::Cuda(number) => model::Device::Cuda(number),
            config::Device::Cpu => model::Device::Cpu,
        },
        threads: config.model.threads.map_or(0, |n| n.get() as usize),
        onnxruntime: config.model.onnxruntime.clone(),
    };
    let folder = config.model.path.clone();
    let begun = Stamp::now();
    let loading = tokio::task::spawn_blocking(move || Flamingo::load(&folder, &spec));
    let model = loading.await.map_err(|_| Error::EngineBroke)?.map_err(Box::new)?;
    let manifest = model.manifest();
    let label = ModelLabel {
        name: manifest.name.clone(),
        version: manifest.version.clone(),
        hash: manifest.sha256.clone(),
        frame_mode: manifest.resampler.frame_mode.to_string(),
    };
    let provider = model.provider();
    let (used, took) = (provider.to_string(), Stamp::now().since(begun));
    Event::ModelLoaded { model: &label.name, provider: &used, took }.emit();
    if let Some(reason) = &provider.reason {
        Event::ProviderFallback { provider: &used, reason }.emit();
    }
    Ok((model, label))
}

/// Every enabled camera with its enabled prompts.
pub(super) fn watched(config: &Config, manifest: &Manifest) -> Result<Vec<Watched>, Error> {
    let enabled = config.cameras.iter().filter(|camera| camera.enabled);
    let size = Size { width: manifest.vision.width, height: manifest.vision.height };
    enabled
        .map(|camera| {
            let asks = |p: &&PromptConfig| p.enabled && p.cameras.contains(&camera.name);
            let prompts: Vec<PromptConfig> = config.prompts.iter().filter(asks).cloned().collect();
            if let Some(long) = prompts.iter().find(|p| p.frames > manifest.resampler.max_frames) {
                let (name, most) = (&long.prompt.name, manifest.resampler.max_frames);
                return Err(Error::Config(format!(
                    "prompt `{name}` asks for {} frames; the model `{}` takes {most} at most",
                    long.frames, manifest.name
                )));
            }
            Ok(Watched { name: camera.name.clone(), spec: camera_spec(config, camera, size)?, prompts })
        })
        .collect()
}

/// How a configured camera is received.
pub fn camera_spec(config: &Config, camera: &CameraConfig, size: Size) -> Result<camera::Spec, Error> {
    let wrong = |what: String| Error::Config(format!("camera `{}`: {what}", camera.name));
    let mut address = Address::parse(camera.url.as_str()).map_err(|e| wrong(e.to_string()))?;
    if let Some(login) = &camera.login {
        address = address.with_login(&login.user, login.password.reveal());
    }
    let folder = config.pipelines.as_deref();
    let pipeline = Description::find(&camera.pipeline, folder).map_err(|e| wrong(e.to_string()))?;
    Ok(camera::Spec {
        frames_per_second: camera.frames_per_second,
        latency: camera.latency,
        silence: camera.silence,
        ..camera::Spec::new(camera.name.clone(), address, pipeline, size)
    })
}

/// The connection to the broker.
pub(super) fn publisher(config: &Config, access: Access) -> mqtt::Spec {
    let mut spec = mqtt::Spec::new(access, config.mqtt.client_id.clone());
    spec.topics = topics(config);
    spec.limits.bytes = usize::try_from(config.mqtt.outbox.max_bytes).unwrap_or(usize::MAX);
    spec.limits.age = config.mqtt.outbox.max_age;
    spec.stop_within = Duration::from_secs(1);
    spec
}

pub(super) fn topics(config: &Config) -> Topics {
    // the configuration was checked for this
    Topics::new(&config.mqtt.prefix).unwrap_or_default()
}

impl Answers {
    /// The answer task's state for these cameras.
    ///
    /// `shown` names what is shown with prompts, `min_mass` is what the model says of itself; without it the default holds.
    pub(super) fn new(
        config: &Config,
        watched: &[Watched],
        shown: &Digests,
        model: ModelLabel,
        min_mass: Option<f64>,
        control: &Control,
    ) -> Self {
        let pairs = watched.iter().flat_map(|w| w.prompts.iter().map(|p| (w.name.clone(), p)));
        let standing =
            pairs.map(|(camera, p)| ((camera, p.prompt.name.clone()), standing(p, shown, min_mass))).collect();
        let (outbox, switches) = (control.outbox(), control.switches());
        let at_start = |c: &CameraConfig| match c.enabled && !switches.of(&c.name).borrow().camera {
            true => CameraStatus::Offline,
            false => CameraStatus::Disabled,
        };
        let cameras = config.cameras.iter().map(|c| (c.name.clone(), at_start(c))).collect();
        Self { standing, topics: topics(config), model, ids: Ids::new(fastrand::Rng::new()), outbox, cameras, switches }
    }
}

fn standing(prompt: &PromptConfig, shown: &Digests, min_mass: Option<f64>) -> Standing {
    let usual = Thresholds::default();
    let publish = match prompt.publish {
        config::Publish::OnChange => answer::Publish::OnChange,
        config::Publish::Always => answer::Publish::Always,
    };
    let mut asked = format!("{:?}", (&prompt.prompt, prompt.frames, prompt.span));
    if let Some(shown) = shown.get(&prompt.prompt.name) {
        asked.push_str(shown);
    }
    Standing {
        prompt: Arc::new(prompt.prompt.clone()),
        every: prompt.every,
        publish,
        policy: Policy::new(answer::Spec { publish, hold: prompt.hold.get() }),
        thresholds: Thresholds {
            min_probability: prompt.min_probability,
            min_mass: min_mass.unwrap_or(usual.min_mass),
        },
        hash: format!("{:x}", Sha256::digest(asked)),
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
