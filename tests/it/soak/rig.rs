//! The running service, what surrounds it, and what is done to both.

use std::{collections::BTreeMap, fs, process::Stdio, time::Duration};

use tokio::{process::Command, time::sleep};

use super::{
    cameras::{Camera, WRONG, Wanted},
    fault::{Fault, Kind},
    gaps::Stretch,
    measure::Sample,
    witness::{Clock, Heard, Witness},
};
use crate::support::{
    broker::{self, Mosquitto, Way, within},
    interleaved::Harm,
    proxy::Mode,
    service::Service,
};

/// A camera that was away gives a picture so soon after it is back, and its answer comes a moment later.
const BACK: f64 = 6.0;
/// Where the host answers and the camera fails, the wait before the next try grows to half a minute.
const TRIED_AGAIN: f64 = 40.0;
/// The file is looked at each second, and cameras begin in turns.
const BEGUN_ANEW: f64 = 8.0;
/// The broker is tried again after half a minute at most.
const CONNECTED: f64 = 40.0;

/// A fault that was.
#[derive(Debug, Clone)]
pub(super) struct Suffered {
    pub(super) kind: Kind,
    /// The cameras that it concerns; none where it concerns no camera's answers.
    pub(super) cameras: Vec<String>,
    /// From its beginning to its end, in seconds of the run.
    pub(super) lasted: Stretch,
    /// When its cameras may be silent.
    pub(super) excuses: Vec<Stretch>,
}

/// What was, when all is over.
pub(super) struct Past {
    pub(super) cameras: Vec<String>,
    pub(super) suffered: Vec<Suffered>,
    pub(super) heard: Heard,
    /// When answers may have come late.
    pub(super) broker_away: Vec<Stretch>,
    /// When the camera that comes and goes was wanted.
    pub(super) extra_wanted: Vec<Stretch>,
    /// Identifiers of the answers in the history.
    pub(super) kept: Vec<u128>,
    pub(super) log: String,
    /// Whether wader ended as it should.
    pub(super) ended_well: bool,
}

/// All of it.
pub(super) struct Rig {
    pub(super) clock: Clock,
    pub(super) service: Service,
    witness: Witness,
    broker: Mosquitto,
    way: broker::Proxy,
    cameras: Vec<Camera>,
    extra: Camera,
    suffered: Vec<Suffered>,
}

impl Rig {
    /// Starts it; all cameras have been answered about.
    pub(super) async fn start(count: usize, seed: u64) -> Self {
        let (cameras, extra) = Camera::some(count, seed).await;
        let lines = ["persistence true", "persistence_location {folder}/", "max_queued_messages 0"];
        let broker = Mosquitto::start(&lines).await;
        let way = broker::Proxy::down(broker.port).await;
        way.up();
        let numbers: BTreeMap<String, i64> =
            cameras.iter().chain([&extra]).map(|camera| (camera.name.clone(), i64::from(camera.number))).collect();
        let clock = Clock::start();
        let mut witness = Witness::start(broker.access(), clock, numbers);
        witness.again(0).await;
        let text = Wanted::WELL.text(way.port, &cameras, &extra);
        let service = Service::start(&text);
        let rig = Self { clock, service, witness, broker, way, cameras, extra, suffered: Vec::new() };
        rig.settled().await;
        rig
    }

    fn names(&self) -> Vec<String> {
        self.cameras.iter().map(|camera| camera.name.clone()).collect()
    }

    /// Waits until all cameras are answered about, but not for ever; when.
    pub(super) async fn settled(&self) -> f64 {
        let since = self.clock.now();
        while !self.witness.missing(&self.names(), since).is_empty() && self.clock.now() < since + 60.0 {
            sleep(Duration::from_millis(100)).await;
        }
        self.clock.now()
    }

    /// What wader holds once nothing has happened for a while.
    pub(super) async fn quiet(&self) -> Sample {
        sleep(Duration::from_secs(5)).await;
        Sample::of(self.service.pid(), self.clock.now()).unwrap()
    }

    fn write(&self, wanted: Wanted) {
        self.service.rewrite(&wanted.text(self.way.port, &self.cameras, &self.extra));
    }

    /// One fault, from its beginning to its end.
    pub(super) async fn suffer(&mut self, fault: Fault) {
        let Fault { kind, cameras, length } = fault;
        let from = self.clock.now();
        match kind {
            Kind::Killed => self.network(&cameras, Mode::Refuse, length).await,
            Kind::Silent => self.network(&cameras, Mode::Stall, length).await,
            Kind::Unplugged => self.network(&cameras, Mode::BlackHole, length).await,
            Kind::Corrupted => {
                let harm = Harm { lose: 0.05, swap: 0.05, flip: 1e-5, drop: None };
                self.network(&cameras, Mode::Harm(harm), length).await;
            }
            Kind::Resets => {
                while self.clock.now() < from + length.as_secs_f64() {
                    self.network(&cameras, Mode::Reset, Duration::from_millis(100)).await;
                    sleep(Duration::from_millis(1900)).await;
                }
            }
            Kind::WrongPassword => self.configured(Wanted { password: WRONG, ..Wanted::WELL }, length).await,
            Kind::GoodEdit => self.configured(Wanted { edited: Some(cameras[0]), ..Wanted::WELL }, length).await,
            Kind::BadEdit => self.configured(Wanted { mistake: true, ..Wanted::WELL }, length).await,
            Kind::Added => self.configured(Wanted { extra: true, ..Wanted::WELL }, length).await,
            Kind::HangUp => self.service.hang_up(),
            Kind::BrokerFrozen => {
                self.way.go(Way::Stalled);
                sleep(length).await;
                self.way.up();
            }
            Kind::BrokerKilled | Kind::BrokerRestarted | Kind::BrokerWiped => self.broker_ends(kind, length).await,
            Kind::Load => load(length).await,
        }
        let until = self.clock.now();
        let named = |numbers: &[usize]| numbers.iter().map(|&number| self.cameras[number].name.clone()).collect();
        let (cameras, excuses): (Vec<String>, Vec<Stretch>) = match kind {
            Kind::Killed => (named(&cameras), vec![(from, until + BACK)]),
            Kind::Silent | Kind::Unplugged | Kind::Resets | Kind::Corrupted => {
                (named(&cameras), vec![(from, until + TRIED_AGAIN)])
            }
            Kind::WrongPassword => (named(&[0]), vec![(from, until + BEGUN_ANEW)]),
            Kind::GoodEdit => (named(&cameras[..1]), vec![(from, from + BEGUN_ANEW), (until, until + BEGUN_ANEW)]),
            Kind::Load => (self.names(), vec![(from, until + BACK)]),
            // Answers are given whether the broker takes them or not, and by all that an edit does not concern.
            _ => (Vec::new(), Vec::new()),
        };
        self.suffered.push(Suffered { kind, cameras, lasted: (from, until), excuses });
    }

    async fn network(&self, cameras: &[usize], mode: Mode, length: Duration) {
        cameras.iter().for_each(|&number| self.cameras[number].network.set(mode));
        sleep(length).await;
        cameras.iter().for_each(|&number| self.cameras[number].network.set(Mode::Pass));
    }

    async fn configured(&self, wanted: Wanted, length: Duration) {
        self.write(wanted);
        sleep(length).await;
        self.write(Wanted::WELL);
    }

    /// The witness is there again before wader is, so that what is missing was lost by nobody but wader.
    async fn broker_ends(&mut self, kind: Kind, length: Duration) {
        let subscriptions = self.witness.subscriptions();
        self.broker.signal(if kind == Kind::BrokerRestarted { "TERM" } else { "KILL" }).await;
        self.way.cut();
        if kind == Kind::BrokerWiped {
            fs::remove_file(self.broker.path("mosquitto.db")).ok();
        }
        sleep(length).await;
        self.broker.start_again().await;
        self.witness.again(subscriptions).await;
        self.way.up();
    }

    /// A line on how it goes.
    pub(super) fn so_far(&self, held: Sample) -> String {
        let (last, heard) = (self.suffered.last().unwrap(), self.witness.heard());
        format!(
            "{:7.0} s: {:16} {:4.1} s {:?}; {} answers, {:.1} MB, {} threads, {} descriptors, load {:.1}",
            last.lasted.0,
            last.kind.name(),
            last.lasted.1 - last.lasted.0,
            last.cameras,
            heard.ids.len(),
            held.resident,
            held.threads,
            held.descriptors,
            held.load
        )
    }

    /// Ends wader as the service manager would, and tells what was.
    pub(super) async fn end(mut self) -> Past {
        let ended_well = self.service.terminate().await.success();
        sleep(Duration::from_secs(2)).await;
        let kept = self.history().await;
        let lasted = |of: fn(Kind) -> bool, before: f64, after: f64| {
            let those = self.suffered.iter().filter(move |fault| of(fault.kind));
            those.map(|fault| (fault.lasted.0 + before, fault.lasted.1 + after)).collect::<Vec<_>>()
        };
        Past {
            cameras: self.names(),
            broker_away: lasted(Kind::is_of_broker, 0.0, CONNECTED),
            extra_wanted: lasted(|kind| kind == Kind::Added, BEGUN_ANEW, 0.0),
            heard: std::mem::take(&mut *self.witness.heard()),
            suffered: self.suffered,
            kept,
            log: self.service.log(),
            ended_well,
        }
    }

    /// The identifiers of all answers in the history, asked for in parts: a day of many cameras is more than one wants in memory.
    async fn history(&self) -> Vec<u128> {
        const PART: f64 = 600.0;
        let (mut kept, mut from) = (Vec::new(), 0.0);
        let file = self.service.path("wader.toml");
        while from < self.clock.now() {
            let mut command = Command::new(env!("CARGO_BIN_EXE_wader"));
            command.arg("history").arg("--config").arg(&file).args(["--json", "--limit", "1000000"]);
            command.arg("--since").arg(self.clock.written(from)).arg("--until").arg(self.clock.written(from + PART));
            command.env("STATE_DIRECTORY", self.service.path("state")).stdin(Stdio::null()).kill_on_drop(true);
            let output = within("the history is read", command.output()).await.unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            kept.extend(String::from_utf8(output.stdout).unwrap().lines().map(|line| {
                let answer: serde_json::Value = serde_json::from_str(line).unwrap();
                uuid::Uuid::parse_str(answer["id"].as_str().unwrap()).unwrap().as_u128()
            }));
            from += PART;
        }
        kept
    }
}

/// Keeps all processors busy, twice.
async fn load(length: Duration) {
    let count = 2 * std::thread::available_parallelism().unwrap().get();
    let busy = || Command::new("sh").args(["-c", "while :; do :; done"]).kill_on_drop(true).spawn().unwrap();
    let _busy: Vec<_> = (0..count).map(|_| busy()).collect();
    sleep(length).await;
}
