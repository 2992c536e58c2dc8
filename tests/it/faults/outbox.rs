//! Rows 36, 37 and 42: what was accepted outlives a kill, a full disk and a stop.
//!
//! The service itself is killed, not a part of it: it starts in less than half a second with test pictures and the oracle, so
//! fifty times are a minute, and what a kill could break (the camera's task, the engine's thread, two databases) is all there.

use std::{
    collections::HashMap,
    fs,
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
    path::Path,
    process::Command,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use tokio::task::JoinSet;
use wader::{
    frame::Stamp,
    mqtt::Listener,
    store::{
        self, Query,
        spool::{self, Spool},
    },
};

use crate::support::{
    broker::{Mosquitto, MosquittoSub, Proxy, Way, listen, within},
    faults::{Row, chance, of, record, say, seconds},
    service::{Service, answer, busy, until},
};

/// A small file system in memory, as long as this lives.
pub(super) struct Mount(std::path::PathBuf);

impl Drop for Mount {
    fn drop(&mut self) {
        Command::new("umount").arg("-l").arg(&self.0).status().ok();
    }
}

/// Mounts 1 MiB here; `None` where only root may.
pub(super) fn mounted(path: &Path) -> Option<Mount> {
    let mut mount = Command::new("mount");
    mount.args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(path);
    let mounted = mount.output().is_ok_and(|output| output.status.success());
    if !mounted {
        say("no small disk: only root may mount one");
    }
    mounted.then(|| Mount(path.to_owned()))
}

/// What the broker handed out, `topic payload`, as numbers, and how often.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<HashMap<u64, u32>>>);

/// The number of a line; the same in each run.
fn number(line: &str) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(line)
}

impl Heard {
    /// Listens with `mosquitto_sub` until the tasks are dropped.
    fn start(port: u16, tasks: &mut JoinSet<()>) -> Self {
        let (heard, mut sub) = (Self::default(), MosquittoSub::start(port, "5"));
        let lines = heard.clone();
        tasks.spawn(async move {
            loop {
                let line = sub.line().await;
                *lines.0.lock().unwrap().entry(number(&line)).or_insert(0) += 1;
            }
        });
        heard
    }
    fn has(&self, line: u64) -> bool {
        self.0.lock().unwrap().contains_key(&line)
    }
    /// Answers, alerts and states; with what is said again after each connection.
    fn twice(&self, of: impl Fn(u64) -> bool) -> u64 {
        let lines = self.0.lock().unwrap();
        lines.iter().filter(|(line, _)| of(**line)).map(|(_, times)| u64::from(times - 1)).sum()
    }
}

/// What is in the outbox of a service that does not run: the file is copied, so that the service will repair its own.
fn accepted(state: &Path) -> Vec<spool::Row> {
    let copy = tempfile::tempdir().unwrap();
    for name in ["wader.outbox.db", "wader.outbox.db-wal"] {
        if state.join(name).exists() {
            fs::copy(state.join(name), copy.path().join(name)).unwrap();
        }
    }
    Spool::open(&copy.path().join("wader.outbox.db")).unwrap().rows().unwrap()
}

/// Of a state only the newest is delivered, so an older one may never arrive.
fn is_delivered(row: &spool::Row) -> bool {
    row.class != "state"
}

fn line(row: &spool::Row) -> String {
    format!("{} {}", row.topic, String::from_utf8_lossy(&row.payload))
}

/// Each answer of the history as a line, and when it was given.
fn answered(state: &Path) -> Vec<(u64, SystemTime)> {
    let query = Query { limit: usize::MAX, ..Query::default() };
    let found = store::search(&state.join("wader.history.db"), &query).unwrap();
    let of = |found: store::Found| {
        let line = format!("wader/{}/{}/answer {}", found.camera, found.prompt, String::from_utf8_lossy(&found.json));
        (number(&line), SystemTime::UNIX_EPOCH + Duration::from_millis(found.at.cast_unsigned()))
    };
    found.into_iter().map(of).collect()
}

/// How often the service is killed: fifty times, or as `WADER_KILLS` says.
fn kills() -> u32 {
    std::env::var("WADER_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(50)
}

/// The least time after which an answer must be on the disk, or with the broker, whatever this machine does meanwhile.
const SAFE_AFTER: Duration = Duration::from_millis(600);

/// What the broker is in a life, and what it turns to at some moment: there, away, or there and acknowledging nothing.
const TURNS: [(Way, Way); 8] = [
    (Way::Up, Way::Up),
    (Way::Down, Way::Down),
    (Way::Up, Way::Down),
    (Way::Down, Way::Up),
    (Way::Up, Way::Stalled),
    // what is under way is neither with the broker nor waiting: twice as often
    (Way::Up, Way::Stalled),
    (Way::Stalled, Way::Up),
    (Way::Stalled, Way::Down),
];

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "one story, from the first life to the count")]
async fn row_36_what_was_accepted_arrives_however_often_the_service_is_killed() {
    let (mut chance, _) = chance();
    let mosquitto = Mosquitto::start(&["max_queued_messages 0", "max_inflight_messages 0"]).await;
    let mut tasks = JoinSet::new();
    let heard = Heard::start(mosquitto.port, &mut tasks);
    let proxy = Proxy::down(mosquitto.port).await;
    let broker = format!("url = \"mqtt://127.0.0.1:{}\"", proxy.port);
    let mut service = Service::start(&busy(&broker, ""));
    let state = service.path("state");
    // each accepted line, and the kill that found it
    let (mut owed, mut readys, mut killed) = (HashMap::new(), Vec::new(), Vec::new());
    let (mut torn, mut restored) = (0, 0);
    for kill in 0..kills() {
        let begun = Stamp::now();
        let life = Duration::from_millis(chance.u64(50..2400));
        let turn = life.mul_f64(chance.f64());
        let (early, late) = TURNS[chance.usize(0..TURNS.len())];
        proxy.go(early);
        let mut ready = None;
        while Stamp::now().since(begun) < life {
            tokio::time::sleep(Duration::from_millis(10)).await;
            if ready.is_none() && service.log().contains("event=\"ready\"") {
                ready = Some(Stamp::now().since(begun));
            }
            if Stamp::now().since(begun) > turn {
                proxy.go(late);
            }
        }
        service.kill().await;
        killed.push(SystemTime::now());
        readys.extend(ready);
        restored += u32::from(service.log().contains("outbox_restored"));
        if state.join("wader.outbox.db").exists() {
            owed.extend(accepted(&state).iter().filter(|row| is_delivered(row)).map(|row| (number(&line(row)), kill)));
            let log = state.join("wader.outbox.db-wal");
            // the last transaction was just being written
            if log.exists() && chance.u8(0..4) == 0 {
                torn += 1;
                let mut bytes = fs::read(&log).unwrap();
                let more = chance.usize(1..9000);
                bytes.extend(std::iter::repeat_with(|| chance.u8(..)).take(more));
                fs::write(&log, bytes).unwrap();
            }
        }
        service = service.started_again();
    }
    proxy.up();
    service.says("event=\"ready\"").await;
    let all = async {
        while !owed.keys().all(|line| heard.has(*line)) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let arrived = tokio::time::timeout(Duration::from_secs(60), all).await;
    assert!(service.terminate().await.success(), "{}", service.log());
    let lost: Vec<u32> = owed.iter().filter(|(line, _)| !heard.has(**line)).map(|(_, kill)| *kill).collect();
    // who looks from outside knows nothing of commits: one that is older than this is safe
    let left = accepted(&state).iter().map(line).map(|line| number(&line)).collect::<Vec<_>>();
    let history = answered(&state);
    let unsafe_ = |(line, at): &&(u64, SystemTime)| {
        let end = killed.iter().find(|end| *end >= at);
        let old = end.is_none_or(|end| end.duration_since(*at).is_ok_and(|age| age > SAFE_AFTER));
        old && !heard.has(*line) && !left.contains(line)
    };
    let vanished = history.iter().filter(unsafe_).count();
    let young = history.iter().filter(|(line, _)| !heard.has(*line)).count() - vanished;
    let answers: std::collections::HashSet<u64> = history.iter().map(|(line, _)| *line).collect();
    readys.sort();
    let ready_of = |percent: usize| readys.get(readys.len() * percent / 100).copied().unwrap_or_default();
    // one start in twenty may meet another work of this machine
    let met = lost.is_empty() && vanished == 0 && ready_of(95) <= Duration::from_secs(2);
    say(&format!(
        "{} accepted, {} in the history, lost after kills {lost:?}, in time: {}",
        owed.len(),
        history.len(),
        arrived.is_ok()
    ));
    let figures = Row {
        recovery: format!(
            "restart→ready p50 {}, p95 {}, worst {}, with the model; torn logs repaired: {torn}; {restored} starts found something",
            seconds(ready_of(50)),
            seconds(ready_of(95)),
            seconds(readys.last().copied().unwrap_or_default())
        ),
        lost: format!(
            "{}; of {} in the history {vanished} that were older than 0.6 s ({young} younger were not accepted yet)",
            of(lost.len(), owed.len()),
            history.len()
        ),
        duplicated: format!("{} in all", heard.twice(|line| answers.contains(&line))),
        met,
        ..Row::default()
    };
    let fault = format!("`kill -9` at {} moments of chance", kills());
    record(&Row {
        row: 36,
        fault: &fault,
        target: "accepted answers lost 0, torn tail repaired, restart→ready ≤2 s",
        run: "faults::outbox::row_36",
        ..figures.clone()
    });
    assert!(met, "{figures:?}\n{}", service.log());
}

async fn wait_until(what: &str, is: impl Fn() -> bool) {
    let wait = async {
        while !is() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    within(what, wait).await;
}

/// What a disk that takes nothing for a while cost.
struct Hindered {
    detection: Duration,
    recovery: Duration,
    /// What was kept once it took something again, and arrived after a kill.
    kept: usize,
    log: String,
}

/// A service whose disk is hindered and freed; its answers go on meanwhile, and outlive a kill afterwards.
async fn hindered(
    start: impl Fn(&str) -> Service,
    state: impl Fn(&Service) -> std::path::PathBuf,
    hinder: impl Fn(&Service),
    free: impl Fn(&Service),
) -> Hindered {
    let mosquitto = Mosquitto::start(&[]).await;
    let mut tasks = JoinSet::new();
    let heard = Heard::start(mosquitto.port, &mut tasks);
    let proxy = Proxy::down(mosquitto.port).await;
    let broker = format!("url = \"mqtt://127.0.0.1:{}\"\noutbox = {{ max_bytes = 262144 }}", proxy.port);
    // the outbox alone is to fill it
    let mut service = start(&busy(&broker, "[history]\nenabled = false\n"));
    service.says("event=\"ready\"").await;
    let begun = Stamp::now();
    hinder(&service);
    service.says("event=\"outbox_problem\"").await;
    let detection = Stamp::now().since(begun);
    let mut listener: Listener = listen(&mosquitto.access()).await;
    proxy.up();
    until(&mut listener, "the alarm", |a| a.topic == "wader/error" && a.text().contains("outbox_not_saved")).await;
    for _ in 0..20 {
        answer(&mut listener, "wader/left/p1/answer").await;
    }
    proxy.cut();
    // while the broker took everything there was nothing to keep, and a disk that takes nothing was enough
    let told = |service: &Service, event: &str| service.log().matches(event).count();
    let failing = |service: &Service| told(service, "\"outbox_problem\"") > told(service, "\"outbox_disk_back\"");
    wait_until("it fails again", || failing(&service)).await;
    free(&service);
    let freed = Stamp::now();
    wait_until("the disk is back", || !failing(&service)).await;
    let recovery = Stamp::now().since(freed);
    assert!(told(&service, "\"outbox_problem\"") <= 3, "told at each try: {}", service.log());
    // and now it outlives a kill again
    tokio::time::sleep(Duration::from_millis(700)).await;
    service.kill().await;
    let rows = accepted(&state(&service));
    let owed: Vec<u64> = rows.iter().filter(|row| is_delivered(row)).map(|row| number(&line(row))).collect();
    let log = service.log();
    proxy.up();
    let config = fs::read_to_string(service.path("wader.toml")).unwrap();
    let variables = [("STATE_DIRECTORY", state(&service))];
    let mut again =
        Service::start_with(&config, &variables.each_ref().map(|(name, path)| (*name, path.to_str().unwrap())));
    let all = async {
        while !owed.iter().all(|line| heard.has(*line)) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    within("all that was kept arrives", all).await;
    again.says("event=\"ready\"").await;
    assert!(again.terminate().await.success(), "{}", again.log());
    Hindered { detection, recovery, kept: owed.len(), log }
}

#[tokio::test(flavor = "multi_thread")]
async fn row_37_a_disk_that_is_full_or_fails_costs_no_answer_while_the_service_runs() {
    let failing = hindered(
        Service::start_limitable,
        |service| service.path("state"),
        // its writes fail, and not for want of room: for SQLite an error of the disk
        |service| service.limit_files(Some(24 << 10)),
        |service| service.limit_files(None),
    )
    .await;
    let folder = tempfile::tempdir().unwrap();
    let Some(_disk) = mounted(folder.path()) else {
        say("skipped: a disk cannot be filled");
        return;
    };
    let filler = folder.path().join("full");
    let full = hindered(
        |config| Service::start_with(config, &[("STATE_DIRECTORY", folder.path().to_str().unwrap())]),
        |_| folder.path().to_owned(),
        |_| drop(fs::write(&filler, vec![0; 2 << 20]).unwrap_err()),
        |_| fs::remove_file(&filler).unwrap(),
    )
    .await;
    let well = |run: &Hindered| !run.log.contains("panicked") && run.kept > 0 && run.recovery <= Duration::from_secs(1);
    let met = well(&full) && well(&failing);
    assert!(failing.log.contains("disk I/O error") && full.log.contains("disk is full"), "{}", failing.log);
    let figures = Row {
        detection: format!("full {}, failing {}", seconds(full.detection), seconds(failing.detection)),
        recovery: format!("full {}, failing {}", seconds(full.recovery), seconds(failing.recovery)),
        lost: format!("0; {} and {} kept after it was back, then killed, and delivered", full.kept, failing.kept),
        effect: "none: answers go on meanwhile".to_owned(),
        met,
        ..Row::default()
    };
    record(&Row {
        row: 37,
        fault: "disk full (1 MiB), writes fail (I/O error)",
        target: "crash 0, answers go on, an alarm, recovery ≤1 s after space",
        run: "faults::outbox::row_37",
        ..figures.clone()
    });
    assert!(met, "{figures:?}\n{}\n{}", full.log, failing.log);
}

/// What the log said that it left for the next start.
fn reported(log: &str) -> usize {
    let after = log.split("event=\"outbox_kept\" messages=").nth(1);
    after.and_then(|text| text.split_whitespace().next()).map_or(0, |count| count.parse().unwrap())
}

/// Stops a busy service whose broker is there, or frozen: how long it took, and what it left, reported and really.
async fn stopped(frozen: bool, mut chance: fastrand::Rng) -> (Duration, usize, usize, usize, usize) {
    let mut mosquitto = Mosquitto::start(&["max_queued_messages 0"]).await;
    let mut tasks = JoinSet::new();
    let heard = Heard::start(mosquitto.port, &mut tasks);
    let mut service = Service::start(&busy(&format!("url = \"mqtt://127.0.0.1:{}\"", mosquitto.port), ""));
    service.says("event=\"ready\"").await;
    let mut listener = listen(&mosquitto.access()).await;
    answer(&mut listener, "wader/left/p1/answer").await;
    if frozen {
        mosquitto.signal("STOP").await;
    }
    tokio::time::sleep(Duration::from_millis(chance.u64(500..2000))).await;
    let asked = Stamp::now();
    assert!(service.terminate().await.success(), "{}", service.log());
    let took = Stamp::now().since(asked);
    if frozen {
        mosquitto.signal("CONT").await;
    }
    until(&mut listener, "the end is told", |a| {
        a.topic == "wader/status" && a.text() == if frozen { "offline" } else { "stopped" }
    })
    .await;
    let state = service.path("state");
    let rows = accepted(&state);
    let left: Vec<u64> = rows.iter().map(|row| number(&line(row))).collect();
    let history = answered(&state);
    let arrived = async {
        while !history.iter().all(|(line, _)| heard.has(*line) || left.contains(line)) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), arrived).await.ok();
    let lost = history.iter().filter(|(line, _)| !heard.has(*line) && !left.contains(line)).count();
    (took, reported(&service.log()), rows.len(), lost, history.len())
}

#[tokio::test(flavor = "multi_thread")]
async fn row_42_a_stop_under_load_delivers_or_keeps_every_answer_and_says_which() {
    let (mut chance, _) = chance();
    let quick = stopped(false, chance.fork()).await;
    let slow = stopped(true, chance.fork()).await;
    let worst = quick.0.max(slow.0);
    let met = worst <= Duration::from_secs(5)
        && (quick.1, quick.2, quick.3) == (0, 0, 0)
        && (slow.1, slow.3) == (slow.2, 0)
        && slow.2 > 0;
    let figures = Row {
        recovery: format!("stopped in {}, with a frozen broker in {}", seconds(quick.0), seconds(slow.0)),
        lost: of(quick.3 + slow.3, quick.4 + slow.4),
        dropped: format!("none: {} kept, {} reported", slow.2, slow.1),
        met,
        ..Row::default()
    };
    record(&Row {
        row: 42,
        fault: "SIGTERM under load, the broker there and frozen",
        target: "drain ≤5 s, unacknowledged left = reported",
        run: "faults::outbox::row_42",
        ..figures.clone()
    });
    assert!(met, "{figures:?}");
}
