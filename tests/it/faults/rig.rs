//! The service between cameras that break and a subscriber that keeps the time.

use std::{collections::BTreeMap, fs, time::Duration};

use wader::{frame::Stamp, mqtt::Listener, scene};

use crate::support::{
    broker::{Mosquitto, within},
    model::oracle_folder,
    service::{Service, listen, until},
    video::drawn,
};

/// Asks about the newest frame twice a second, and publishes each answer.
const PROMPT: &str = r#"
[prompts.there]
ask = "is it there"
answer = "yes_no"
every = "500ms"
window = { frames = 1, span = "0s" }
publish = "always"
"#;

/// A scene that costs little: 160x120, 10 frames a second, a key frame each second.
pub(super) fn cheap(camera: u8) -> scene::Spec {
    let size = wader::frame::Size { width: 160, height: 120 };
    scene::Spec { size, frames_per_second: 10, key_frame_distance: 10, kbit_per_second: 200, ..drawn(camera) }
}

/// A running service, with its broker, and somebody who listens.
pub(super) struct Rig {
    pub(super) service: Service,
    pub(super) listener: Listener,
    pub(super) broker: Mosquitto,
}

/// The configuration of cameras by name and URL, with wader's own defaults but for the rate.
pub(super) fn config(port: u16, cameras: &[(String, String)]) -> String {
    let cameras: String = cameras.iter().map(|(name, url)| format!("{name} = \"{url}\"\n")).collect();
    format!(
        "[mqtt]\nurl = \"mqtt://127.0.0.1:{port}\"\n[model]\npath = \"{}\"\ndevice = \"cpu\"\n[defaults.camera]\n\
         frames_per_second = 5\n[cameras]\n{cameras}{PROMPT}",
        oracle_folder().display()
    )
}

impl Rig {
    /// Starts it.
    pub(super) async fn prepare(cameras: &[(String, String)]) -> Self {
        let broker = Mosquitto::start(&[]).await;
        let service = Service::start(&config(broker.port, cameras));
        let listener = listen(&format!("mqtt://127.0.0.1:{}", broker.port)).await;
        Self { service, listener, broker }
    }

    /// Starts it; all cameras are online.
    pub(super) async fn start(cameras: &[(String, String)]) -> Self {
        let mut rig = Self::prepare(cameras).await;
        let names: Vec<&str> = cameras.iter().map(|(name, _)| name.as_str()).collect();
        rig.all(&names, "online").await;
        rig
    }

    /// Waits until all of these have this status; when each told it.
    pub(super) async fn all(&mut self, cameras: &[&str], status: &str) -> BTreeMap<String, Stamp> {
        self.watch(cameras, status, &[]).await.0
    }

    /// The same, and when other cameras answered meanwhile.
    pub(super) async fn watch(
        &mut self,
        cameras: &[&str],
        status: &str,
        healthy: &[&str],
    ) -> (BTreeMap<String, Stamp>, Answers) {
        let (mut told, mut answers) = (BTreeMap::new(), Answers::default());
        within(&format!("{cameras:?} are {status}\n{}", self.service.log()), async {
            while told.len() < cameras.len() {
                let arrival = self.listener.next().await.unwrap();
                let parts: Vec<&str> = arrival.topic.split('/').collect();
                match parts[..] {
                    ["wader", camera, "status"] if arrival.text() == status && cameras.contains(&camera) => {
                        told.entry(camera.to_owned()).or_insert_with(Stamp::now);
                    }
                    ["wader", camera, "there", "answer"] if healthy.contains(&camera) => answers.came(camera),
                    _ => {}
                }
            }
        })
        .await;
        (told, answers)
    }

    /// Waits until each of these cameras has an answer again; when they had.
    pub(super) async fn answered(&mut self, cameras: &[&str]) -> Vec<Stamp> {
        let mut answered = BTreeMap::new();
        within("cameras answer", async {
            while answered.len() < cameras.len() {
                let arrival = self.listener.next().await.unwrap();
                let parts: Vec<&str> = arrival.topic.split('/').collect();
                let is_answer = || {
                    let said = wader::answer::wire::read_answer(&arrival.payload).unwrap();
                    said.outcome.as_str() != "stale" && !arrival.retained
                };
                if let ["wader", camera, "there", "answer"] = parts[..]
                    && cameras.contains(&camera)
                    && is_answer()
                {
                    answered.entry(camera.to_owned()).or_insert_with(Stamp::now);
                }
            }
        })
        .await;
        answered.into_values().collect()
    }

    /// Listens for so long.
    pub(super) async fn listen(&mut self, length: Duration, healthy: &[&str]) -> Answers {
        let mut answers = Answers::default();
        let listening = async {
            loop {
                let arrival = self.listener.next().await.unwrap();
                let parts: Vec<&str> = arrival.topic.split('/').collect();
                if let ["wader", camera, "there", "answer"] = parts[..]
                    && healthy.contains(&camera)
                {
                    answers.came(camera);
                }
            }
        };
        tokio::time::timeout(length, listening).await.ok();
        answers
    }

    /// Waits for a status of one camera.
    pub(super) async fn status(&mut self, camera: &str, status: &str) -> Stamp {
        let topic = format!("wader/{camera}/status");
        until(&mut self.listener, &topic, |a| a.topic == topic && a.text() == status).await;
        Stamp::now()
    }

    /// CPU time that the service has used.
    pub(super) fn cpu(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.service.pid().as_raw_nonzero())).unwrap();
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        let ticks: u64 = [fields[11], fields[12]].iter().map(|field| field.parse::<u64>().unwrap()).sum();
        Duration::from_millis(ticks * 10)
    }

    /// Ends it, which must go well.
    pub(super) async fn end(mut self) {
        assert!(self.service.terminate().await.success(), "{}", self.service.log());
    }
}

/// When cameras answered.
#[derive(Debug, Default)]
pub(super) struct Answers(BTreeMap<String, Vec<Stamp>>);

impl Answers {
    fn came(&mut self, camera: &str) {
        self.0.entry(camera.to_owned()).or_default().push(Stamp::now());
    }

    /// Takes in those that came later.
    pub(super) fn add(&mut self, later: Self) {
        for (camera, times) in later.0 {
            self.0.entry(camera).or_default().extend(times);
        }
    }

    /// The times between two answers of a camera, in order of their length.
    pub(super) fn gaps(&self) -> Vec<Duration> {
        let gaps = self.0.values().flat_map(|times| times.windows(2).map(|pair| pair[1].since(pair[0])));
        let mut gaps: Vec<Duration> = gaps.collect();
        gaps.sort();
        gaps
    }
}

/// The value that so many percent of the sorted ones do not exceed.
pub(super) fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let place = (sorted.len() * percent).div_ceil(100);
    sorted.get(place.saturating_sub(1)).copied().unwrap_or_default()
}

/// What a process holds: resident memory in kB, threads, open descriptors.
#[derive(Debug, Clone, Copy)]
pub(super) struct Held {
    pub(super) kilobytes: u64,
    pub(super) threads: u64,
    pub(super) descriptors: u64,
}

impl Held {
    /// By this process.
    pub(super) fn now() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let number = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap();
            line.split_whitespace().next().unwrap().parse().unwrap()
        };
        let descriptors = fs::read_dir("/proc/self/fd").unwrap().count() as u64;
        Self { kilobytes: number("VmRSS:"), threads: number("Threads:"), descriptors }
    }
}
