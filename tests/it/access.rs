//! Who gets in at the broker, and how far: certificates that are renewed, and the roles of `config/mosquitto`, held
//! against Debian's mosquitto.

use std::{collections::BTreeSet, fs, process::Command};

use wader::{
    mqtt::{Access, Listener},
    scene,
};

use crate::{
    mqtt::event,
    support::{
        broker::{Mosquitto, Running, listen as listen_to, publish, read_until, within, write_certificates},
        config::root,
        service::{Service, answer, config, until},
        video::drawn,
    },
};

const CERTIFICATES: [&str; 3] =
    ["cafile {folder}/ca.pem", "certfile {folder}/server.pem", "keyfile {folder}/server.key"];

fn tls(broker: &Mosquitto) -> Access {
    let access = Access::parse(&format!("mqtts://localhost:{}", broker.port)).unwrap();
    let own = access.with_ca(broker.path("ca.pem"));
    own.with_client_certificate(broker.path("client.pem"), broker.path("client.key"))
}

/// Another authority, and certificates of both sides signed by it, at the same places: nothing of before is good any more.
#[tokio::test]
async fn renewed_certificates_are_used_without_a_restart() {
    let mut broker = Mosquitto::prepare(&[&CERTIFICATES[..], &["require_certificate true"]].concat()).await;
    write_certificates(&broker);
    broker.start_again().await;
    let running = Running::start(tls(&broker), |_| {});
    running.connected().await;
    broker.signal("KILL").await;
    running.away().await;
    write_certificates(&broker);
    broker.start_again().await;
    running.connected().await;
    let mut listener = listen_to(&tls(&broker)).await;
    running.handle.offer(event("event 0000"));
    read_until(&mut listener, "the event", |a| a.text() == "event 0000").await;
    running.stop().await;
}

/// A certificate that cannot be read is told, and tried again: somebody may be about to put it there.
#[tokio::test]
async fn a_certificate_that_comes_late_is_found() {
    let broker = Mosquitto::prepare(&[&CERTIFICATES[..], &["require_certificate true"]].concat()).await;
    write_certificates(&broker);
    let broker = broker.started().await;
    let (key, away) = (broker.path("client.key"), broker.path("elsewhere"));
    fs::rename(&key, &away).unwrap();
    let running = Running::start(tls(&broker), |_| {});
    let wader::mqtt::Link::Away { error, .. } = running.away().await else { panic!("not away") };
    assert!(error.contains("cannot read the certificate file") && error.contains("client.key"), "{error}");
    fs::rename(&away, &key).unwrap();
    running.connected().await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_shows_the_certificate_that_its_configuration_names() {
    let lines = ["require_certificate true", "use_identity_as_username true", "allow_anonymous false"];
    let broker = Mosquitto::prepare(&[&CERTIFICATES[..], &lines, &["acl_file {folder}/acl"]].concat()).await;
    // by its certificate it is the user `client`
    fs::write(broker.path("acl"), "user client\ntopic readwrite #\n").unwrap();
    write_certificates(&broker);
    let broker = broker.started().await;
    let path = |name| broker.path(name).display().to_string();
    let (ca, cert, key) = (path("ca.pem"), path("client.pem"), path("client.key"));
    let url = format!("url = \"mqtts://localhost:{}\"\nca = \"{ca}\"\ncert = \"{cert}\"\nkey = \"{key}\"", broker.port);
    let mut listener = listen_to(&tls(&broker)).await;
    let mut service = Service::start(&config(&url, &[("gate", "rtsp://127.0.0.1:9/none")], ""));
    until(&mut listener, "it is online", |a| a.topic == "wader/status" && a.text() == "online").await;
    assert!(service.terminate().await.success(), "{}", service.log());
}

// Roles ---------------------------------------------------------------------------------------------------------------

/// A mosquitto with the files of `config/mosquitto`, where each user's password is its name reversed. The user `witness`
/// may do all.
async fn with_roles() -> Mosquitto {
    let written = fs::read_to_string(root().join("config/mosquitto/wader.conf")).unwrap();
    let lines: Vec<String> = written
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty() && !line.starts_with("listener"))
        .map(|line| line.replace("/etc/mosquitto/", "{folder}/"))
        .collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    let broker = Mosquitto::prepare(&lines.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let acl = fs::read_to_string(root().join("config/mosquitto/wader.acl")).unwrap();
    fs::write(broker.path("wader.acl"), format!("{acl}\nuser witness\ntopic readwrite #\n")).unwrap();
    let passwords = broker.path("wader.passwords");
    fs::write(&passwords, "").unwrap();
    for user in ["wader", "wader-reader", "wader-asker", "homeassistant", "witness"] {
        let mut made = Command::new("mosquitto_passwd");
        made.arg("-b").arg(&passwords).args([user, &password(user)]);
        assert!(made.output().unwrap().status.success());
    }
    broker.started().await
}

fn password(user: &str) -> String {
    user.chars().rev().collect()
}

fn as_user(broker: &Mosquitto, user: &str) -> Access {
    broker.access().with_login(user, &password(user))
}

/// One topic of each kind that there is, and some that are none of wader's.
const TOPICS: &[&str] = &[
    "wader/status",
    "wader/about",
    "wader/error",
    "wader/feedback",
    "wader/yard/status",
    "wader/yard/enabled",
    "wader/yard/enabled/set",
    "wader/yard/ask",
    "wader/yard/ask/answer",
    "wader/yard/gate/state",
    "wader/yard/gate/answer",
    "wader/yard/gate/event",
    "wader/yard/gate/image",
    "wader/yard/gate/enabled",
    "wader/yard/gate/enabled/set",
    "wader/prompts/new/set",
    "wader/response/wader-asker/1",
    "wader/response/somebody/1",
    "homeassistant/status",
    "homeassistant/device/wader/config",
    "other/topic",
];

/// What may be heard, and what may be said, of [`TOPICS`].
fn allowed(user: &str) -> [BTreeSet<&'static str>; 2] {
    let of = |wanted: &dyn Fn(&str) -> bool| TOPICS.iter().copied().filter(|topic| wanted(topic)).collect();
    let ends = |topic: &str, ends: &[&str]| ends.iter().any(|end| topic.ends_with(end));
    let looks = |topic: &str| {
        let told = ["/status", "/about", "/enabled", "/state", "/answer", "/event"];
        topic.starts_with("wader/") && ends(topic, &told)
    };
    match user {
        "wader" => [
            of(&|topic| topic.starts_with("wader/") || topic == "homeassistant/status"),
            of(&|topic| topic.starts_with("wader/") || topic == "homeassistant/device/wader/config"),
        ],
        "wader-reader" => [of(&|topic| looks(topic) && topic != "wader/yard/ask/answer"), BTreeSet::new()],
        "wader-asker" => {
            let own = ["wader/error", "wader/yard/ask/answer", "wader/response/wader-asker/1"];
            let hears =
                |topic: &str| own.contains(&topic) || (topic.starts_with("wader/") && topic.ends_with("/status"));
            [of(&hears), of(&|topic| topic == "wader/yard/ask")]
        }
        "homeassistant" => [
            of(&|topic| looks(topic) || topic.ends_with("/image") || topic.starts_with("homeassistant/")),
            of(&|topic| topic.starts_with("homeassistant/") || ends(topic, &["/ask", "/enabled/set"])),
        ],
        _ => panic!("no role: {user}"),
    }
}

#[tokio::test]
async fn each_role_hears_and_says_what_it_must_and_nothing_else() {
    let broker = with_roles().await;
    let say = async |user: &str, topic: &str, text: &str| {
        publish(broker.port, topic, text, &["-u", user, "-P", &password(user)]).await;
    };
    for user in ["wader", "wader-reader", "wader-asker", "homeassistant"] {
        let [hears, says] = allowed(user);
        let mut role = within("it listens", Listener::connect(&as_user(&broker, user), "#")).await.unwrap();
        let mut witness =
            within("the witness listens", Listener::connect(&as_user(&broker, "witness"), "#")).await.unwrap();
        for topic in TOPICS {
            say("witness", topic, "heard").await;
        }
        // what each role may hear, last
        say("witness", "wader/status", "end").await;
        let heard = read_until(&mut role, "the end is heard", |a| a.text() == "end").await;
        let heard: BTreeSet<String> = heard.into_iter().filter(|a| a.text() == "heard").map(|a| a.topic).collect();
        assert_eq!(heard.iter().map(String::as_str).collect::<BTreeSet<_>>(), hears, "{user} hears");
        for topic in TOPICS {
            say(user, topic, "said").await;
        }
        say("witness", "wader/status", "over").await;
        let said = read_until(&mut witness, "it is over", |a| a.text() == "over").await;
        let said: BTreeSet<String> = said.into_iter().filter(|a| a.text() == "said").map(|a| a.topic).collect();
        assert_eq!(said.iter().map(String::as_str).collect::<BTreeSet<_>>(), says, "{user} says");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_and_those_around_it_live_with_their_roles() {
    let broker = with_roles().await;
    let camera = scene::serve(drawn(3), 0).unwrap();
    let prompt =
        "[prompts.there]\nask = \"is it there\"\nanswer = \"yes_no\"\nevery = \"500ms\"\npublish = \"always\"\n";
    let url =
        format!("url = \"mqtt://127.0.0.1:{}\"\nuser = \"wader\"\npassword = \"{}\"", broker.port, password("wader"));
    let mut service = Service::start(&config(&url, &[("yard", camera.url())], prompt));
    let connect = async |user: &str, filter: &str| {
        within("it listens", Listener::connect(&as_user(&broker, user), filter)).await.unwrap()
    };
    let mut reader = connect("wader-reader", "wader/#").await;
    assert!(answer(&mut reader, "wader/yard/there/answer").await.answer.is_some());
    let mut asker = connect("wader-asker", "wader/response/wader-asker/#").await;
    asker.ask("wader/yard/ask", b"is it there", "wader/response/wader-asker/1").unwrap();
    let reply = until(&mut asker, "the reply", |a| a.topic == "wader/response/wader-asker/1").await;
    assert_eq!(wader::answer::wire::read_answer(&reply.payload).unwrap().prompt, "ask");
    let mut house = connect("homeassistant", "#").await;
    until(&mut house, "it is announced", |a| a.topic == "homeassistant/device/wader_yard/config").await;
    house.ask("wader/yard/there/enabled/set", b"OFF", "none").unwrap();
    until(&mut house, "it is switched off", |a| a.topic == "wader/yard/there/enabled" && a.text() == "OFF").await;
    assert!(service.terminate().await.success(), "{}", service.log());
    let log = service.log();
    assert!(!log.contains("refuses") && !log.contains("_dropped"), "{log}");
}
