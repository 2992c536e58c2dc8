//! Messages reach the broker, whatever it does: against the broker inside wader, and against Debian's mosquitto.

use std::{collections::BTreeSet, time::Duration};

use wader::{
    answer::{Policy, Reading, Spec, Thresholds, read, wire},
    mqtt::{
        Access, Arrival, CameraStatus, Class, Content, Disk, Link, Listener, Message, Topics,
        broker::Embedded,
        outbox::{Limits, Loss},
    },
    name::CameraName,
    prompt::{AnswerKind, Reply},
};

use crate::{
    answer::{at, sample, yes_no},
    support::broker::{
        DEADLINE, Mosquitto, MosquittoSub, Proxy, Running, listen, read_until, within, write_certificates,
    },
};

pub(crate) fn door() -> CameraName {
    CameraName::new("door").unwrap()
}

fn reading(yes: f64) -> Reading {
    read(&yes_no(yes), &AnswerKind::YesNo, &Thresholds::default(), None)
}

/// What is published when the door's state goes from no to yes: answer, state, event.
fn person_came(expiry: Option<Duration>) -> Vec<Message> {
    let mut policy = Policy::new(Spec::default());
    policy.take(&reading(0.1).outcome, at(0));
    let news = policy.take(&reading(0.9).outcome, at(0));
    Message::news(&Topics::default(), &sample(AnswerKind::YesNo, reading(0.9)), &news, expiry)
}

/// A bare event with this text.
pub(crate) fn event(text: impl Into<String>) -> Message {
    message(Class::Event, "wader/door/person/event", text)
}

fn message(class: Class, topic: &str, text: impl Into<String>) -> Message {
    let retain = class != Class::Event;
    Message {
        topic: topic.into(),
        payload: text.into().into(),
        class,
        retain,
        content: Content::Text,
        expiry: None,
        correlation: None,
    }
}

fn is_event(arrival: &Arrival) -> bool {
    arrival.topic.ends_with("/event")
}

/// The texts of the events among these, in the order of their first arrival.
fn events(arrivals: &[Arrival]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    arrivals.iter().filter(|a| is_event(a)).map(Arrival::text).filter(|text| seen.insert(text.clone())).collect()
}

fn numbered(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|n| format!("event {n:04}")).collect()
}

async fn all_topics_are_read(access: &Access, port: u16) {
    let running = Running::start(access.clone(), |_| {});
    running.connected().await;
    let mut subs = [MosquittoSub::start(port, "5"), MosquittoSub::start(port, "311")];
    let mut listener = listen(access).await;
    for sub in &mut subs {
        // Retained: with this line the subscription stands.
        assert_eq!(sub.line().await, "wader/status online");
    }
    let messages = person_came(Some(Duration::from_secs(6)));
    let payloads: Vec<String> =
        messages.iter().map(|message| String::from_utf8(message.payload.to_vec()).unwrap()).collect();
    running.handle.offer(Message::camera_status(&Topics::default(), &door(), CameraStatus::Online));
    messages.into_iter().for_each(|message| running.handle.offer(message));
    let lines = [
        format!("wader/door/person/answer {}", payloads[0]),
        format!("wader/door/person/event {}", payloads[2]),
        "wader/door/person/state yes".to_owned(),
        "wader/door/status online".to_owned(),
    ];
    for sub in &mut subs {
        assert_eq!(sub.lines(4).await, lines);
    }
    let arrivals = read_until(&mut listener, "the event arrives", is_event).await;
    let find = |topic: &str| arrivals.iter().find(|arrival| arrival.topic == topic).unwrap();
    let answer = find("wader/door/person/answer");
    assert_eq!(wire::read_answer(&answer.payload).unwrap().camera, "door");
    assert_eq!(answer.content_type.as_deref(), Some("application/json"));
    assert!(answer.is_text);
    assert!(answer.expiry.is_some_and(|left| left <= Duration::from_secs(6)), "{:?}", answer.expiry);
    let state = find("wader/door/person/state");
    assert_eq!((state.content_type.as_deref(), state.expiry), (Some("text/plain; charset=utf-8"), None));
    assert_eq!(wire::read_event(&find("wader/door/person/event").payload).unwrap().camera, "door");
    // A late subscriber sees how things stand, and not that they changed.
    let retained = MosquittoSub::start(port, "5").lines(4).await;
    assert_eq!(retained, [&lines[0], &lines[2], &lines[3], "wader/status online"]);
    running.stop().await;
    let last = read_until(&mut listener, "`stopped` arrives", |arrival| arrival.topic == "wader/status").await;
    assert_eq!(last.last().unwrap().text(), "stopped");
}

#[tokio::test]
async fn mosquitto_sub_reads_every_topic_from_the_embedded_broker() {
    let broker = Embedded::start(([127, 0, 0, 1], 0).into()).await.unwrap();
    all_topics_are_read(&broker.access().unwrap(), broker.address().port()).await;
    broker.stop().await.unwrap();
}

#[tokio::test]
async fn mosquitto_sub_reads_every_topic_from_mosquitto() {
    let broker = Mosquitto::start(&[]).await;
    all_topics_are_read(&broker.access(), broker.port).await;
}

async fn the_last_will_tells_of_a_lost_connection(access: &Access, port: u16) {
    let proxy = Proxy::down(port).await;
    proxy.up();
    let running = Running::start(proxy.access(), |_| {});
    running.connected().await;
    let mut listener = listen(access).await;
    read_until(&mut listener, "`online` is kept", |a| a.retained && a.text() == "online").await;
    proxy.cut();
    read_until(&mut listener, "the last will is published", |a| a.text() == "offline").await;
    running.away().await;
    proxy.up();
    read_until(&mut listener, "`online` again", |a| a.text() == "online").await;
    running.stop().await;
    let words: Vec<String> =
        read_until(&mut listener, "`stopped`", |a| a.text() == "stopped").await.iter().map(Arrival::text).collect();
    assert_eq!(words, ["stopped"], "a stop in order publishes no last will");
}

#[tokio::test]
async fn the_last_will_tells_of_a_lost_connection_to_the_embedded_broker() {
    let broker = Embedded::start(([127, 0, 0, 1], 0).into()).await.unwrap();
    the_last_will_tells_of_a_lost_connection(&broker.access().unwrap(), broker.address().port()).await;
}

#[tokio::test]
async fn the_last_will_tells_of_a_lost_connection_to_mosquitto() {
    let broker = Mosquitto::start(&[]).await;
    the_last_will_tells_of_a_lost_connection(&broker.access(), broker.port).await;
}

#[tokio::test]
async fn what_was_said_before_the_broker_came_arrives_in_order() {
    let mut broker = Mosquitto::prepare(&[]).await;
    // The proxy stands for the broker's port: it lets the listener in first.
    let proxy = Proxy::down(broker.port).await;
    let running = Running::start(proxy.access(), |_| {});
    running.away().await;
    for n in 0..250 {
        running.handle.offer(event(format!("event {n:04}")));
        running.handle.offer(message(Class::State, "wader/door/person/state", format!("state {n}")));
    }
    broker.start_again().await;
    let mut listener = listen(&broker.access()).await;
    proxy.up();
    let arrivals = read_until(&mut listener, "the last event", |a| a.text() == "event 0249").await;
    assert_eq!(events(&arrivals), numbered(0..250));
    let states: Vec<String> = arrivals.iter().filter(|a| a.topic.ends_with("/state")).map(Arrival::text).collect();
    assert_eq!(states, ["state 249"], "of a state only the newest is of use");
    assert_eq!(running.handle.losses().by(Loss::Replaced), 249);
    let handle = running.stop().await;
    assert_eq!(handle.waiting(), (0, 0));
}

/// The broker dies with messages in its hands that it has not acknowledged, and remembers nothing.
#[tokio::test]
async fn every_event_survives_a_broker_that_is_killed() {
    let mut broker = Mosquitto::start(&[]).await;
    let proxy = Proxy::down(broker.port).await;
    proxy.up();
    let running = Running::start(proxy.access(), |_| {});
    running.connected().await;
    let mut listener = listen(&broker.access()).await;
    numbered(0..200).into_iter().for_each(|text| running.handle.offer(event(text)));
    let mut arrivals = read_until(&mut listener, "the first events", |a| a.text() == "event 0199").await;
    running.emptied().await;
    broker.signal("STOP").await;
    numbered(200..400).into_iter().for_each(|text| running.handle.offer(event(text)));
    broker.signal("KILL").await;
    running.away().await;
    proxy.cut();
    numbered(400..500).into_iter().for_each(|text| running.handle.offer(event(text)));
    broker.start_again().await;
    let mut listener = listen(&broker.access()).await;
    proxy.up();
    arrivals.extend(read_until(&mut listener, "the last event", |a| a.text() == "event 0499").await);
    assert_eq!(events(&arrivals), numbered(0..500));
    running.stop().await;
}

/// A subscriber whose session the broker keeps sees each event, though both were gone for a while.
#[tokio::test]
async fn every_event_survives_a_broker_that_is_restarted() {
    let mut broker = Mosquitto::start(&["persistence true", "persistence_location {folder}/"]).await;
    let running = Running::start(broker.access(), |_| {});
    running.connected().await;
    let mut witness = MosquittoSub::start_kept(broker.port);
    assert_eq!(witness.line().await, "wader/status online");
    numbered(0..300).into_iter().for_each(|text| running.handle.offer(event(text)));
    let mut lines = witness.lines_until("wader/door/person/event event 0050").await;
    broker.signal("TERM").await;
    running.away().await;
    numbered(300..400).into_iter().for_each(|text| running.handle.offer(event(text)));
    broker.start_again().await;
    lines.extend(witness.lines_until("wader/door/person/event event 0399").await);
    lines.retain(|line| line.starts_with("wader/door/person/event "));
    let mut seen = BTreeSet::new();
    let first: Vec<String> = lines.iter().filter(|line| seen.insert((*line).clone())).cloned().collect();
    assert_eq!(
        first,
        numbered(0..400).iter().map(|text| format!("wader/door/person/event {text}")).collect::<Vec<_>>()
    );
    assert!(lines.len() - first.len() <= 2 * Limits::default().in_flight, "{} lines", lines.len());
    running.stop().await;
}

#[tokio::test]
async fn a_broker_that_forgot_is_told_again_how_things_stand() {
    let mut broker = Mosquitto::start(&[]).await;
    let running = Running::start(broker.access(), |_| {});
    running.handle.offer(Message::camera_status(&Topics::default(), &door(), CameraStatus::Online));
    person_came(None).into_iter().for_each(|message| running.handle.offer(message));
    let topics = |arrivals: &[Arrival]| arrivals.iter().map(|a| a.topic.clone()).collect::<BTreeSet<_>>();
    let kept = ["wader/door/person/answer", "wader/door/person/state", "wader/door/status", "wader/status"];
    let all_kept = |listener: Listener| async {
        let (mut listener, mut seen) = (listener, BTreeSet::new());
        let arrivals = read_until(&mut listener, "all that is kept", |arrival| {
            seen.insert(arrival.topic.clone());
            kept.iter().all(|topic| seen.contains(*topic))
        });
        topics(&arrivals.await)
    };
    assert!(all_kept(listen(&broker.access()).await).await.len() >= 4);
    running.emptied().await;
    broker.signal("KILL").await;
    running.away().await;
    broker.start_again().await;
    let again = all_kept(listen(&broker.access()).await).await;
    assert_eq!(again, kept.map(str::to_owned).into(), "an event is not told twice");
    running.stop().await;
}

#[tokio::test]
async fn a_frozen_broker_is_left_and_loses_nothing() {
    let mut broker = Mosquitto::start(&[]).await;
    let running = Running::start(broker.access(), |spec| spec.acknowledge_within = Duration::from_millis(500));
    running.connected().await;
    let mut listener = listen(&broker.access()).await;
    broker.signal("STOP").await;
    numbered(0..500).into_iter().for_each(|text| running.handle.offer(event(text)));
    let Link::Away { error, .. } = running.away().await else { panic!("not away") };
    assert!(error.contains("has acknowledged nothing"), "{error}");
    assert_eq!(running.handle.waiting().0, 500, "nothing is given up while the broker is frozen");
    broker.signal("CONT").await;
    let arrivals = read_until(&mut listener, "the last event", |a| a.text() == "event 0499").await;
    assert_eq!(events(&arrivals), numbered(0..500));
    running.stop().await;
}

#[tokio::test]
async fn a_full_outbox_gives_up_the_oldest_captions_and_never_blocks() {
    let mut broker = Mosquitto::start(&[]).await;
    let limit = 100_000;
    let running = Running::start(broker.access(), |spec| spec.limits.bytes = limit);
    running.connected().await;
    let mut listener = listen(&broker.access()).await;
    broker.signal("STOP").await;
    for n in 0..1000 {
        running.handle.offer(message(Class::Caption, "wader/door/scene/answer", format!("{n:04} {}", "x".repeat(500))));
        if n % 10 == 0 {
            running.handle.offer(event(format!("event {:04}", n / 10)));
        }
        assert!(running.handle.waiting().1 <= limit);
    }
    let losses = running.handle.losses();
    assert!(losses.of(Loss::Full, Class::Caption) > 500);
    assert_eq!(losses.of(Loss::Full, Class::Event), 0);
    broker.signal("CONT").await;
    let arrivals = read_until(&mut listener, "the newest caption", |a| a.text().starts_with("0999")).await;
    assert_eq!(events(&arrivals), numbered(0..100));
    let captions = arrivals.iter().filter(|a| a.topic.ends_with("/answer")).count() as u64;
    assert_eq!(captions + losses.of(Loss::Full, Class::Caption), 1000, "each loss is counted");
    running.stop().await;
}

/// The broker announces its largest packet, or acknowledges with a reason the standard does not know there.
async fn a_message_too_large_is_dropped_once(line: &str) {
    let broker = Mosquitto::start(&[line]).await;
    let running = Running::start(broker.access(), |_| {});
    running.connected().await;
    let mut listener = listen(&broker.access()).await;
    running.handle.offer(event("event 0000"));
    running.handle.offer(message(Class::Answer, "wader/door/scene/answer", "x".repeat(5000)));
    running.handle.offer(event("event 0001"));
    let arrivals = read_until(&mut listener, "the event after it", |a| a.text() == "event 0001").await;
    assert_eq!(events(&arrivals), numbered(0..2));
    assert!(arrivals.iter().all(|a| a.payload.len() < 2000));
    running.emptied().await;
    assert_eq!(running.handle.losses().of(Loss::TooLarge, Class::Answer), 1);
    running.stop().await;
}

#[tokio::test]
async fn a_message_larger_than_the_broker_announces_is_dropped_once() {
    a_message_too_large_is_dropped_once("max_packet_size 2000").await;
}

#[tokio::test]
async fn a_message_larger_than_the_broker_acknowledges_poisons_nothing() {
    a_message_too_large_is_dropped_once("message_size_limit 2000").await;
}

#[tokio::test]
async fn what_the_broker_forbids_is_dropped_and_counted() {
    let broker = Mosquitto::prepare(&["acl_file {folder}/acl"]).await;
    std::fs::write(broker.path("acl"), "topic readwrite wader/#\ntopic deny wader/secret/#\n").unwrap();
    let broker = broker.started().await;
    let running = Running::start(broker.access(), |_| {});
    running.connected().await;
    let mut listener = listen(&broker.access()).await;
    running.handle.offer(message(Class::State, "wader/secret/person/state", "yes"));
    running.handle.offer(event("event 0000"));
    let arrivals = read_until(&mut listener, "the event after it", is_event).await;
    assert!(arrivals.iter().all(|a| !a.topic.starts_with("wader/secret")));
    let handle = running.stop().await;
    assert_eq!(handle.losses().of(Loss::Refused, Class::State), 1);
    assert_eq!(handle.waiting(), (0, 0));
}

#[tokio::test]
async fn a_wrong_password_is_not_tried_again_soon_unless_asked_to_and_not_shown() {
    let broker = Mosquitto::prepare(&["allow_anonymous false", "password_file {folder}/passwords"]).await;
    let passwords = broker.path("passwords");
    let give = |password| {
        let mut made = std::process::Command::new("mosquitto_passwd");
        assert!(made.args(["-b", "-c"]).arg(&passwords).args(["wader", password]).status().unwrap().success());
    };
    give("another");
    let mut broker = broker.started().await;
    let access = Access::parse(&format!("mqtt://wader:canary@127.0.0.1:{}", broker.port)).unwrap();
    let running = Running::start(access, |_| {});
    let Link::Away { error, retry_in } = running.away().await else { panic!("not away") };
    assert!(error.contains("refuses this user and password") && !error.contains("canary"), "{error}");
    assert!(retry_in >= Duration::from_secs(600), "{retry_in:?}");
    give("canary");
    broker.signal("HUP").await;
    let ask = async {
        loop {
            running.handle.connect_now(); // the broker may not have read its file yet
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::select! {
        () = ask => {}
        _ = running.connected() => {}
    }
    running.stop().await;
}

/// Mosquitto 2.0.11 parts them without a word, the broker inside wader says why.
#[tokio::test]
async fn two_of_one_name_who_put_each_other_out_are_told_so() {
    let mosquitto = Mosquitto::start(&[]).await;
    let embedded = Embedded::start("127.0.0.1:0".parse().unwrap()).await.unwrap();
    for access in [Access::parse(&format!("mqtt://127.0.0.1:{}", mosquitto.port)).unwrap(), embedded.access().unwrap()]
    {
        let start = || Running::start(access.clone(), |spec| spec.client_id = "twin".to_owned());
        let (first, second) = (start(), start());
        let told = |link: &Link| {
            let named = "again and again: is another client connected as `twin`? Give each its own `client_id`";
            matches!(link, Link::Away { error, .. } if error.contains(named))
        };
        first.link("told that there is another", told).await;
        second.stop().await;
        first.connected().await;
        first.stop().await;
    }
    embedded.stop().await.unwrap();
}

#[tokio::test]
async fn certificates_are_checked_on_both_sides() {
    let files = ["cafile {folder}/ca.pem", "certfile {folder}/server.pem", "keyfile {folder}/server.key"];
    let broker = Mosquitto::prepare(&[&files[..], &["require_certificate true"]].concat()).await;
    write_certificates(&broker);
    let broker = broker.started().await;
    let other = Mosquitto::prepare(&[]).await;
    write_certificates(&other);
    let access = |ca: &Mosquitto| {
        let access = Access::parse(&format!("mqtts://localhost:{}", broker.port)).unwrap().with_ca(ca.path("ca.pem"));
        access.with_client_certificate(ca.path("client.pem"), ca.path("client.key"))
    };
    let running = Running::start(access(&other), |_| {});
    let Link::Away { error, .. } = running.away().await else { panic!("not away") };
    assert!(error.to_lowercase().contains("certificate"), "{error}");
    running.stop().await;
    let running = Running::start(access(&broker), |_| {});
    running.connected().await;
    let mut listener = listen(&access(&broker)).await;
    running.handle.offer(event("event 0000"));
    read_until(&mut listener, "the event", is_event).await;
    running.stop().await;
}

#[tokio::test]
async fn a_stop_sends_what_waits_and_says_so_last() {
    let broker = Embedded::start(([127, 0, 0, 1], 0).into()).await.unwrap();
    let access = broker.access().unwrap();
    let running = Running::start(access.clone(), |spec| spec.stop_within = DEADLINE);
    running.connected().await;
    let mut listener = listen(&access).await;
    numbered(0..500).into_iter().for_each(|text| running.handle.offer(event(text)));
    let handle = running.stop().await;
    assert_eq!((handle.waiting(), handle.link().borrow().clone()), ((0, 0), Link::Stopped));
    let arrivals = read_until(&mut listener, "`stopped`", |a| a.text() == "stopped").await;
    assert_eq!(events(&arrivals), numbered(0..500));
}

#[tokio::test]
async fn a_stop_does_not_wait_for_a_frozen_broker() {
    let mut broker = Mosquitto::start(&[]).await;
    let running = Running::start(broker.access(), |spec| spec.stop_within = Duration::from_millis(200));
    running.connected().await;
    broker.signal("STOP").await;
    running.handle.offer(event("event 0000"));
    let handle = running.stop().await;
    assert_eq!(handle.waiting().0, 1, "what was not delivered is not forgotten");
    broker.signal("KILL").await;
}

/// Waits until the disk has all that was offered.
async fn saved(running: &Running) {
    within("the disk has it", async {
        while running.handle.unsaved() > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn what_waits_outlives_the_publisher_and_comes_before_what_is_new() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Mosquitto::start(&[]).await;
    let proxy = Proxy::down(broker.port).await;
    let durable = |spec: &mut wader::mqtt::Spec| spec.outbox = Some(folder.path().join("outbox.db"));
    let running = Running::start(proxy.access(), durable);
    numbered(0..300).into_iter().for_each(|text| running.handle.offer(event(text)));
    saved(&running).await;
    let handle = running.stop().await;
    assert_eq!(handle.waiting().0, 300);
    let running = Running::start(proxy.access(), durable);
    numbered(300..310).into_iter().for_each(|text| running.handle.offer(event(text)));
    let mut listener = listen(&broker.access()).await;
    proxy.up();
    running.connected().await;
    let arrivals = read_until(&mut listener, "the last event", |a| a.text() == "event 0309").await;
    assert_eq!(events(&arrivals), numbered(0..310));
    running.emptied().await;
    running.stop().await;
    let running = Running::start(proxy.access(), durable);
    assert_eq!(running.handle.waiting().0, 0, "nothing is told again that arrived");
    running.stop().await;
}

#[tokio::test]
async fn a_file_that_cannot_be_used_at_the_start_is_read_and_filled_once_it_can() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Mosquitto::prepare(&[]).await;
    let durable = |spec: &mut wader::mqtt::Spec| spec.outbox = Some(folder.path().join("state/outbox.db"));
    let running = Running::start(broker.access(), durable);
    numbered(0..10).into_iter().for_each(|text| running.handle.offer(event(text)));
    running.stop().await;
    // a file where the folder should be
    std::fs::rename(folder.path().join("state"), folder.path().join("elsewhere")).unwrap();
    std::fs::write(folder.path().join("state"), "").unwrap();
    let running = Running::start(broker.access(), durable);
    let mut disk = running.handle.disk();
    assert!(matches!(&*disk.borrow_and_update(), Disk::Failing(why) if why.contains("state")));
    numbered(10..20).into_iter().for_each(|text| running.handle.offer(event(text)));
    std::fs::remove_file(folder.path().join("state")).unwrap();
    std::fs::rename(folder.path().join("elsewhere"), folder.path().join("state")).unwrap();
    within("the disk is back", disk.wait_for(|disk| *disk == Disk::Well)).await.unwrap();
    saved(&running).await;
    running.stop().await;
    // and what is no database is moved away, and nobody waits for it
    std::fs::rename(folder.path().join("state/outbox.db"), folder.path().join("kept.db")).unwrap();
    std::fs::write(folder.path().join("state/outbox.db"), "a diary, and no database at all").unwrap();
    let running = Running::start(broker.access(), durable);
    within("another is begun", running.handle.disk().wait_for(|disk| *disk == Disk::Well)).await.unwrap();
    running.stop().await;
    assert!(folder.path().join("state/outbox.db.damaged").exists());
    std::fs::rename(folder.path().join("kept.db"), folder.path().join("state/outbox.db")).unwrap();
    let broker = broker.started().await;
    let mut listener = listen(&broker.access()).await;
    let running = Running::start(broker.access(), durable);
    let arrivals = read_until(&mut listener, "the last event", |a| a.text() == "event 0019").await;
    assert_eq!(events(&arrivals), numbered(0..20));
    running.stop().await;
}

#[tokio::test]
async fn the_topics_of_a_prompt_that_is_gone_are_emptied() {
    let broker = Embedded::start(([127, 0, 0, 1], 0).into()).await.unwrap();
    let access = broker.access().unwrap();
    let running = Running::start(access.clone(), |_| {});
    person_came(None).into_iter().for_each(|message| running.handle.offer(message));
    let mut listener = listen(&access).await;
    read_until(&mut listener, "the state", |a| a.topic.ends_with("/state")).await;
    let answer = sample(AnswerKind::YesNo, reading(0.9));
    running.handle.clear(Topics::default().retained_of_prompt(&answer.camera, &answer.prompt));
    read_until(&mut listener, "the state is emptied", |a| a.topic.ends_with("/state") && a.payload.is_empty()).await;
    running.stop().await;
    let kept = MosquittoSub::start(broker.address().port(), "5").line().await;
    assert_eq!(kept, "wader/status stopped", "nothing else is kept");
}

#[tokio::test]
async fn a_caption_is_cut_in_the_state_and_whole_in_the_answer() {
    let broker = Embedded::start(([127, 0, 0, 1], 0).into()).await.unwrap();
    let access = broker.access().unwrap();
    let running = Running::start(access.clone(), |_| {});
    let kind = AnswerKind::Text { max_tokens: 99 };
    let text = "a man walks a dog ".repeat(20).trim().to_owned();
    let reply = Reply::Text { text: text.clone(), finished: true, probability: 0.5 };
    let reading = read(&reply, &kind, &Thresholds::default(), None);
    let news = Policy::new(Spec::default()).take(&reading.outcome, at(0));
    let mut listener = listen(&access).await;
    for message in Message::news(&Topics::default(), &sample(kind, reading), &news, None) {
        running.handle.offer(message);
    }
    let arrivals = read_until(&mut listener, "the state", |a| a.topic.ends_with("/state")).await;
    let state = arrivals.last().unwrap().text();
    assert!(state.chars().count() <= 255 && text.starts_with(state.trim_end_matches('…')), "{state}");
    let whole = arrivals.iter().find(|a| a.topic.ends_with("/answer")).unwrap();
    assert!(String::from_utf8_lossy(&whole.payload).contains(&text));
    running.stop().await;
}

/// In ten minutes of the clock, which runs ahead as soon as everybody waits.
#[tokio::test(start_paused = true)]
async fn a_broker_that_hangs_up_at_once_is_tried_ever_more_seldom() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let access = Access::parse(&format!("mqtt://{}", listener.local_addr().unwrap())).unwrap();
    let running = Running::start(access, |spec| spec.retry = (Duration::from_secs(1), Duration::from_secs(30)));
    let mut tries = 0;
    let hang_up = async {
        loop {
            drop(listener.accept().await.unwrap());
            tries += 1;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(600), hang_up).await.is_err());
    // Five waits below 15 s, and then each between 15 and 30 s.
    assert!((10..=46).contains(&tries), "{tries} tries");
    let Link::Away { error, .. } = running.away().await else { panic!("not away") };
    assert!(!error.contains("another client"), "nobody was let in: {error}");
    running.stop().await;
}

#[tokio::test]
async fn the_embedded_broker_listens_where_it_is_told_and_on_loopback_only() {
    let broker = Embedded::start("127.0.0.2:0".parse().unwrap()).await.unwrap();
    assert_eq!(broker.address().ip().to_string(), "127.0.0.2");
    listen(&broker.access().unwrap()).await;
    let refused = Embedded::start("0.0.0.0:0".parse().unwrap()).await.unwrap_err();
    let why = std::error::Error::source(&refused).unwrap().to_string();
    assert!(why.contains("loopback only"), "{why}");
}
