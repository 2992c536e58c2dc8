//! Rows 23 to 29: the broker is killed, freezes, forgets, acknowledges wrongly, refuses, or stays away too long.
//!
//! The publisher with its outbox on the disk runs in the test, so that each message that was accepted is known; where the
//! service's own behaviour counts (rows 27 and 28), the service does.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use wader::{
    frame::Stamp,
    mqtt::{Access, Arrival, Class, Content, Disk, Link, Listener, Message, outbox::Loss},
};

use super::broker::{Evil, Manner};
use crate::support::{
    broker::{Mosquitto, Proxy, Running, listen, publish, read_until, within},
    faults::{Row, chance, long, of, record, seconds},
    service::{Service, busy, until},
};

/// A message whose payload nobody else sends, of a length of chance.
fn message(class: Class, number: usize, chance: &mut fastrand::Rng) -> Message {
    let topic = match class {
        Class::Event => "wader/door/person/event",
        Class::Caption => "wader/door/scene/answer",
        _ => "wader/door/person/answer",
    };
    Message {
        topic: topic.into(),
        payload: format!("{class:?} {number:06} {}", "x".repeat(chance.usize(100..900))).into(),
        class,
        retain: class != Class::Event,
        content: Content::Text,
        expiry: None,
        correlation: None,
    }
}

/// The class and number of a message.
fn name(arrival: &Arrival) -> String {
    arrival.text().split(' ').take(2).collect::<Vec<_>>().join(" ")
}

/// How often each message arrived, of those that this test sent, and in which order for the first time.
#[derive(Default)]
struct Seen(BTreeMap<String, u32>, Vec<String>);

impl Seen {
    fn take<'a>(&mut self, arrivals: impl IntoIterator<Item = &'a Arrival>) {
        for arrival in arrivals.into_iter().filter(|arrival| !arrival.retained) {
            let times = self.0.entry(name(arrival)).or_insert(0);
            *times += 1;
            if *times == 1 {
                self.1.push(name(arrival));
            }
        }
    }
    fn in_order(&self, class: Class) -> bool {
        let class = format!("{class:?} ");
        self.1.iter().filter(|name| name.starts_with(&class)).is_sorted()
    }
    fn missing(&self, class: Class, numbers: std::ops::Range<usize>) -> usize {
        numbers.filter(|number| !self.0.contains_key(&format!("{class:?} {number:06}"))).count()
    }
    fn twice(&self) -> u32 {
        self.0.iter().filter(|(name, _)| !name.starts_with("online")).map(|(_, times)| times - 1).sum()
    }
}

/// Where a publisher of these tests keeps what waits.
fn file(folder: &tempfile::TempDir) -> Option<PathBuf> {
    Some(folder.path().join("outbox.db"))
}

#[tokio::test(flavor = "multi_thread")]
async fn row_23_a_broker_that_is_killed_and_comes_back_loses_nothing() {
    let (mut chance, _) = chance();
    let outage = Duration::from_secs(if long() { 60 } else { 6 });
    let (mut mosquitto, folder) = (Mosquitto::start(&["max_queued_messages 0"]).await, tempfile::tempdir().unwrap());
    let proxy = Proxy::down(mosquitto.port).await;
    proxy.up();
    let running = Running::start(proxy.access(), |spec| {
        spec.outbox = file(&folder);
        spec.retry = (Duration::from_secs(1), Duration::from_secs(30));
    });
    running.connected().await;
    let mut listener = listen(&mosquitto.access()).await;
    let (mut seen, mut number) = (Seen::default(), 0);
    let mut offer = |chance: &mut fastrand::Rng| {
        running.handle.offer(message(Class::Answer, number, chance));
        number += 1;
        number
    };
    // 20 answers a second, before, while and after the broker is there
    let every = Duration::from_millis(50);
    let mut tick = tokio::time::interval(every);
    let before = chance.usize(10..40);
    for _ in 0..before {
        tick.tick().await;
        offer(&mut chance);
    }
    let all = format!("Answer {:06}", before - 1);
    seen.take(&read_until(&mut listener, "the answers before", |arrival| name(arrival) == all).await);
    // some are under way when it dies, and nobody else reads what it took with it
    mosquitto.signal("STOP").await;
    (0..chance.usize(1..50)).for_each(|_| _ = offer(&mut chance));
    let killed = Stamp::now();
    mosquitto.signal("KILL").await;
    running.away().await;
    let detection = Stamp::now().since(killed);
    proxy.cut();
    while Stamp::now().since(killed) < outage {
        tick.tick().await;
        offer(&mut chance);
    }
    let waiting = running.handle.waiting().0;
    mosquitto.start_again().await;
    let mut listener = listen(&mosquitto.access()).await;
    proxy.up();
    let back = Stamp::now();
    running.connected().await;
    let connected = Stamp::now();
    let last = offer(&mut chance);
    let all = format!("Answer {:06}", last - 1);
    seen.take(&read_until(&mut listener, "the last answer", |arrival| name(arrival) == all).await);
    running.emptied().await;
    let drained = Stamp::now().since(connected);
    let lost = seen.missing(Class::Answer, 0..last);
    let rate = waiting as f64 / drained.as_secs_f64() * every.as_secs_f64();
    let met = lost == 0 && seen.twice() <= 100 && rate >= 10.0 && seen.in_order(Class::Answer);
    let figures = Row {
        detection: seconds(detection),
        recovery: format!(
            "connected {} after it was back, {waiting} messages drained in order in {} ({rate:.0}x their arrival)",
            seconds(connected.since(back)),
            seconds(drained)
        ),
        lost: of(lost, last),
        duplicated: seen.twice().to_string(),
        met,
        ..Row::default()
    };
    let fault = format!("broker `kill -9`, back after {} s", outage.as_secs());
    record(&Row {
        row: 23,
        fault: &fault,
        target: "lost 0, duplicates ≤100, drain ≥10x arrival",
        run: "faults::mqtt::row_23",
        ..figures.clone()
    });
    assert!(met, "{figures:?}");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn row_24_a_frozen_broker_is_left_in_time_with_and_without_answers_under_way() {
    let (mut chance, _) = chance();
    let keep_alive = Duration::from_secs(if long() { 15 } else { 2 });
    let mut detections = Vec::new();
    for busy in [false, true] {
        let mut mosquitto = Mosquitto::start(&[]).await;
        let running = Running::start(mosquitto.access(), |spec| {
            spec.keep_alive = keep_alive;
            // not this one's turn: it must be seen that nothing is heard
            spec.acknowledge_within = Duration::from_secs(600);
        });
        running.connected().await;
        tokio::time::sleep(Duration::from_millis(chance.u64(0..2000))).await;
        mosquitto.signal("STOP").await;
        let frozen = Stamp::now();
        if busy {
            (0..10).for_each(|number| running.handle.offer(message(Class::Event, number, &mut chance)));
        }
        let Link::Away { error, .. } = running.away().await else { panic!("not away") };
        detections.push(Stamp::now().since(frozen));
        assert!(error.contains("nothing was heard"), "{error}");
        mosquitto.signal("CONT").await;
        let thawed = Stamp::now();
        running.connected().await;
        running.emptied().await;
        assert!(Stamp::now().since(thawed) < Duration::from_secs(5));
        running.stop().await;
    }
    let worst = *detections.iter().max().unwrap();
    // the margin is the machine's
    let met = worst <= keep_alive.mul_f64(1.5) + Duration::from_millis(250);
    let figures = Row {
        detection: format!("{} ({:.2}x keep-alive)", seconds(worst), worst.as_secs_f64() / keep_alive.as_secs_f64()),
        lost: "0".to_owned(),
        met,
        ..Row::default()
    };
    let fault = format!("broker frozen (SIGSTOP), keep-alive {} s", keep_alive.as_secs());
    record(&Row {
        row: 24,
        fault: &fault,
        target: "detect ≤1.5x keep-alive",
        run: "faults::mqtt::row_24",
        ..figures.clone()
    });
    assert!(met, "{figures:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn row_25_a_broker_that_lost_its_session_is_told_and_heard_again() {
    let (mut chance, _) = chance();
    let mut mosquitto = Mosquitto::start(&["persistence true", "persistence_location {folder}/"]).await;
    let folder = tempfile::tempdir().unwrap();
    let proxy = Proxy::down(mosquitto.port).await;
    proxy.up();
    let change = |spec: &mut wader::mqtt::Spec| spec.outbox = file(&folder);
    let (running, mut arrivals) = Running::hearing(proxy.access(), &["wader/+/ask"], 16, change);
    running.connected().await;
    let before = chance.usize(50..300);
    let mut listener = listen(&mosquitto.access()).await;
    mosquitto.signal("STOP").await;
    (0..before).for_each(|number| running.handle.offer(message(Class::Event, number, &mut chance)));
    mosquitto.signal("KILL").await;
    running.away().await;
    proxy.cut();
    std::fs::remove_file(mosquitto.path("mosquitto.db")).ok();
    drop(listener);
    mosquitto.start_again().await;
    listener = listen(&mosquitto.access()).await;
    proxy.up();
    running.connected().await;
    let connected = Stamp::now();
    let heard = async {
        // what is said before the subscription stands is nobody's
        let mut again = tokio::time::interval(Duration::from_millis(50));
        loop {
            tokio::select! {
                _ = again.tick() => publish(mosquitto.port, "wader/door/ask", "What happens?", &[]).await,
                Some(_) = arrivals.recv() => return Stamp::now().since(connected),
            }
        }
    };
    let subscribed = within("a question is heard", heard).await;
    let mut seen = Seen::default();
    let last = format!("Event {:06}", before - 1);
    seen.take(&read_until(&mut listener, "the last event", |arrival| name(arrival) == last).await);
    let lost = seen.missing(Class::Event, 0..before);
    let met = lost == 0 && subscribed <= Duration::from_secs(1);
    let figures = Row {
        recovery: format!("a question is heard {} after the connection", seconds(subscribed)),
        lost: of(lost, before),
        duplicated: seen.twice().to_string(),
        met,
        ..Row::default()
    };
    record(&Row {
        row: 25,
        fault: "broker lost its session (persistence wiped)",
        target: "lost 0, subscriptions back ≤1 s",
        run: "faults::mqtt::row_25",
        ..figures.clone()
    });
    assert!(met, "{figures:?}");
    running.stop().await;
}

/// With the waits that a service has: how long until such a broker has acknowledged everything.
async fn acknowledged_by(manner: Manner, mut chance: fastrand::Rng) -> (Duration, usize, u32, u32) {
    let evil = Evil::start(manner, chance.fork()).await;
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(evil.access(), |spec| {
        spec.outbox = file(&folder);
        spec.retry = (Duration::from_secs(1), Duration::from_secs(30));
    });
    running.connected().await;
    let begun = Stamp::now();
    // with the status of the service whole tens, so that the shuffled ones end with an acknowledgement
    let count = 299;
    (0..count).for_each(|number| running.handle.offer(message(Class::Event, number, &mut chance)));
    running.emptied().await;
    let took = Stamp::now().since(begun);
    let seen = evil.seen.borrow().clone();
    let events = seen.keys().filter(|text| text.starts_with("Event")).count();
    let twice = seen.iter().filter(|(text, _)| text.starts_with("Event")).map(|(_, times)| times - 1).sum();
    let connections = *evil.connections.borrow();
    (took, count - events, twice, connections)
}

#[tokio::test(flavor = "multi_thread")]
async fn row_26_acknowledgements_that_never_come_or_out_of_order_stop_nothing() {
    let (mut chance, _) = chance();
    let manners = [Manner::Never, Manner::AllButOne, Manner::Shuffled];
    let runs = manners.map(|manner| acknowledged_by(manner, chance.fork()));
    let runs = futures_util::future::join_all(runs).await;
    let worst = runs.iter().map(|run| run.0).max().unwrap();
    let (lost, twice) = (runs.iter().map(|run| run.1).sum::<usize>(), runs.iter().map(|run| run.2).max().unwrap());
    assert_eq!(runs[2].3, 1, "an order is no reason to leave");
    let met = lost == 0 && twice <= 100 && worst <= Duration::from_secs(10);
    let figures = Row {
        detection: "8 s without an acknowledgement, or after one was passed over".to_owned(),
        recovery: format!(
            "never: {}, one passed over: {}, out of order: {}",
            seconds(runs[0].0),
            seconds(runs[1].0),
            seconds(runs[2].0)
        ),
        lost: of(lost, 3 * 299),
        duplicated: twice.to_string(),
        met,
        ..Row::default()
    };
    record(&Row {
        row: 26,
        fault: "PUBACK never, or out of order",
        target: "recovers ≤10 s, no deadlock",
        run: "faults::mqtt::row_26",
        ..figures.clone()
    });
    assert!(met, "{figures:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn row_27_an_answer_larger_than_the_broker_takes_is_told_once_and_poisons_nothing() {
    let mosquitto = Mosquitto::start(&["max_packet_size 700"]).await;
    let broker = format!("url = \"mqtt://127.0.0.1:{}\"", mosquitto.port);
    let mut service = Service::start(&busy(&broker, ""));
    let mut listener = listen(&mosquitto.access()).await;
    // states fit, whole answers do not
    until(&mut listener, "a state", |a| a.topic == "wader/left/p1/state").await;
    let lost =
        until(&mut listener, "the loss is told", |a| a.topic == "wader/error" && a.text().contains("messages_lost"));
    let lost = lost.await.text();
    until(&mut listener, "a state afterwards", |a| a.topic == "wader/right/p2/state").await;
    assert!(service.terminate().await.success());
    let log = service.log();
    let connections = log.matches("broker_connected").count();
    let told = log.matches("message_dropped").count();
    assert!(lost.contains("too_large"), "{lost}");
    let met = connections == 1 && told == 6;
    let figures = Row {
        detection: "before it is sent".to_owned(),
        lost: "0 that fit".to_owned(),
        dropped: format!("each whole answer, counted; told once for each of 6 topics ({told} lines)"),
        effect: "none: states go on".to_owned(),
        met,
        ..Row::default()
    };
    record(&Row {
        row: 27,
        fault: "broker's limit smaller than an answer",
        target: "loops 0, error published",
        run: "faults::mqtt::row_27",
        ..figures.clone()
    });
    assert!(met, "{connections} connections, {told} lines: {log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn row_28_a_refused_password_is_hardly_tried_again_and_never_shown() {
    let watched = Duration::from_secs(if long() { 60 } else { 5 });
    let lines =
        ["allow_anonymous false", "password_file {folder}/passwords", "log_type all", "log_dest file {folder}/log"];
    let mosquitto = Mosquitto::prepare(&lines).await;
    let mut made = std::process::Command::new("mosquitto_passwd");
    made.args(["-b", "-c"]).arg(mosquitto.path("passwords")).args(["wader", "right"]);
    assert!(made.status().unwrap().success());
    let mosquitto = mosquitto.started().await;
    let broker = format!(
        "url = \"mqtt://127.0.0.1:{}\"\nuser = \"wader\"\npassword = \"canary-{:x}\"\noutbox = {{ max_bytes = 65536 }}",
        mosquitto.port,
        fastrand::u64(..)
    );
    let mut service = Service::start(&busy(&broker, ""));
    service.says("broker_lost").await;
    tokio::time::sleep(watched).await;
    service.terminate().await;
    let log = service.log();
    let broker_log = std::fs::read_to_string(mosquitto.path("log")).unwrap();
    let attempts = broker_log.matches("not authorised").count();
    let bytes = std::fs::metadata(service.path("state/wader.outbox.db")).unwrap().len();
    let secrets = log.matches("canary").count();
    // certificates: those of another authority
    let tls = refused_certificate().await;
    let met = attempts as f64 <= 1.0 + watched.as_secs_f64() / 10.0
        && tls >= Duration::from_secs(12)
        && secrets == 0
        && bytes < 1 << 20;
    let figures = Row {
        detection: "at once".to_owned(),
        recovery: format!("next try after 12 to 24 min; after a refused certificate ≥12 s ({})", seconds(tls)),
        dropped: format!("the outbox stays at its bound ({} KiB of file for 64 KiB of messages)", bytes >> 10),
        lost: "each drop counted".to_owned(),
        effect: "none: answers go on".to_owned(),
        met,
        ..Row::default()
    };
    let fault = format!("password refused ({attempts} tries in {} s), certificate refused", watched.as_secs());
    record(&Row {
        row: 28,
        fault: &fault,
        target: "tries ≤6/min, secrets in the log 0, outbox bounded",
        run: "faults::mqtt::row_28",
        ..figures.clone()
    });
    assert!(met, "{attempts} attempts, {secrets} secrets, {bytes} bytes, {tls:?}: {log}");
}

/// How long a publisher waits that does not know the broker's authority.
async fn refused_certificate() -> Duration {
    use crate::support::broker::write_certificates;
    let files = ["cafile {folder}/ca.pem", "certfile {folder}/server.pem", "keyfile {folder}/server.key"];
    let (broker, other) = (Mosquitto::prepare(&files).await, Mosquitto::prepare(&[]).await);
    write_certificates(&broker);
    write_certificates(&other);
    let broker = broker.started().await;
    let access = Access::parse(&format!("mqtts://localhost:{}", broker.port)).unwrap().with_ca(other.path("ca.pem"));
    let running = Running::start(access, |_| {});
    let Link::Away { error, retry_in } = running.away().await else { panic!("not away") };
    assert!(error.contains("no encrypted connection"), "{error}");
    running.stop().await;
    retry_in
}

/// Bytes of this process that are in memory.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap();
    status.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

#[tokio::test(flavor = "multi_thread")]
async fn row_29_an_outage_longer_than_the_outbox_drops_what_it_counts_and_alerts_last() {
    let (mut chance, _) = chance();
    let folder = tempfile::tempdir().unwrap();
    let _small = super::outbox::mounted(folder.path());
    let mut mosquitto = Mosquitto::start(&["max_queued_messages 0"]).await;
    let limit = 256 << 10;
    let running = Running::start(mosquitto.access(), |spec| {
        spec.outbox = file(&folder);
        spec.limits.bytes = limit;
        spec.acknowledge_within = Duration::from_secs(600);
        spec.keep_alive = Duration::from_secs(600);
    });
    running.connected().await;
    let mut listener: Listener = listen(&mosquitto.access()).await;
    mosquitto.signal("STOP").await;
    let mut counts = [0_usize; 3];
    let classes = [Class::Caption, Class::Answer, Class::Event];
    let (mut full, rounds) = (0, if long() { 100 } else { 10 });
    for round in 0..rounds {
        for _ in 0..500 {
            let which = if counts[2] < 200 && chance.u8(0..100) < 5 { 2 } else { chance.usize(0..2) };
            running.handle.offer(message(classes[which], counts[which], &mut chance));
            counts[which] += 1;
        }
        assert!(running.handle.waiting().1 <= limit);
        within("the disk has it", async {
            while running.handle.unsaved() > 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await;
        if round == 2 {
            full = resident();
        }
    }
    let grown = resident().saturating_sub(full);
    assert_eq!(*running.handle.disk().borrow(), Disk::Well, "1 MiB is room enough for 256 KiB");
    let size = |name| std::fs::metadata(folder.path().join(name)).map_or(0, |file| file.len());
    let bytes = size("outbox.db") + size("outbox.db-wal");
    mosquitto.signal("CONT").await;
    let thawed = Stamp::now();
    let mut seen = Seen::default();
    let last = format!("Answer {:06}", counts[1] - 1);
    seen.take(&read_until(&mut listener, "the last answer", |arrival| name(arrival) == last).await);
    running.emptied().await;
    running.handle.offer(message(Class::Event, counts[2], &mut chance));
    let last = format!("Event {:06}", counts[2]);
    seen.take(&read_until(&mut listener, "all the rest", |arrival| name(arrival) == last).await);
    let losses = running.handle.losses();
    let missing: Vec<usize> = (0..3).map(|which| seen.missing(classes[which], 0..counts[which])).collect();
    let counted: Vec<usize> = classes.iter().map(|class| losses.of(Loss::Full, *class) as usize).collect();
    let met = missing == counted && missing[2] == 0 && missing[0] > 0 && grown < 4 << 20 && bytes < 1 << 20;
    let figures = Row {
        recovery: format!("drained {} after it thawed", seconds(Stamp::now().since(thawed))),
        lost: format!("0 uncounted (missing {missing:?}, counted {counted:?})"),
        duplicated: seen.twice().to_string(),
        dropped: format!(
            "captions {}, answers {}, alerts {}; RSS +{} KiB, file {} KiB",
            of(missing[0], counts[0]),
            of(missing[1], counts[1]),
            of(missing[2], counts[2]),
            grown >> 10,
            bytes >> 10
        ),
        met,
        ..Row::default()
    };
    record(&Row {
        row: 29,
        fault: "outage longer than the outbox (256 KiB, on a disk of 1 MiB)",
        target: "counted = missing exactly, alerts last, RSS flat",
        run: "faults::mqtt::row_29",
        ..figures.clone()
    });
    assert!(met, "{figures:?}");
    running.stop().await;
}
