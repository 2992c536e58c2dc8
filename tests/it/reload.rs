//! Another configuration while wader runs: a bad one changes nothing and is told of everywhere, a good one begins anew only
//! what it touches.

use std::collections::BTreeSet;

use wader::{
    answer::wire::{self, AnswerMessage},
    frame::Stamp,
    mqtt::{Arrival, Listener, wire::AboutMessage},
    scene,
};

use crate::support::{
    broker::{DEADLINE, Mosquitto, free_port, kept, within},
    faults::{Row, keep, of},
    model::family_folder,
    service::{Service, THERE, answer, config, listen, until},
    video::drawn,
    web::{ANY_PORT, address, get, until as until_page},
};

/// Asks the oracle for the camera and the number of the newest frame, with each of them.
const NUMBER: &str = r#"
[prompts.number]
ask = "f0 g0 camera reference"
answer = "choice"
choices = ["f0", "g0", "camera", "reference"]
every = "200ms"
window = { frames = 1, span = "1s" }
publish = "always"
min_probability = 0.0
"#;

fn read(answer: &AnswerMessage, word: &str) -> i64 {
    let log = |label: &str| answer.candidates.iter().find(|c| c.answer == label).unwrap().log_share.unwrap();
    (log(word) - log("reference")).round() as i64
}

/// The numbers of the frames that a camera's answers were about, one after the other.
#[derive(Default)]
struct Frames(Vec<i64>);

impl Frames {
    fn note(&mut self, arrival: &Arrival) {
        if arrival.topic == "wader/door/number/answer" {
            let said = wire::read_answer(&arrival.payload).unwrap();
            if said.outcome == "answer" {
                assert_eq!(read(&said, "camera"), 1, "{said:?}");
                self.0.push(read(&said, "f0") + 64 * read(&said, "g0"));
            }
        }
    }

    /// 25 frames a second, of which 5 are taken: none of those is missing.
    fn missing(&self) -> usize {
        let steps: Vec<i64> = self.0.windows(2).map(|pair| (pair[1] - pair[0]).rem_euclid(4096)).collect();
        assert!(steps.len() > 20, "{:?}", self.0);
        // the grid of the answers and that of the frames may meet once between two frames
        steps.iter().filter(|&&step| step > 6).count()
    }
}

/// Listens until something was heard, and notes the frames of the camera that nobody touches on the way.
async fn hear(listener: &mut Listener, frames: &mut Frames, what: &str, fits: impl Fn(&Arrival) -> bool) -> Arrival {
    let wait = async {
        loop {
            let arrival = listener.next().await.unwrap();
            frames.note(&arrival);
            if fits(&arrival) {
                return arrival;
            }
        }
    };
    within(what, wait).await
}

fn refused(arrival: &Arrival) -> Option<Option<String>> {
    let about: AboutMessage =
        serde_json::from_slice(&arrival.payload).ok().filter(|_| arrival.topic == "wader/about")?;
    Some(about.configuration_refused)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_edit_changes_nothing_and_is_told_of_and_a_good_one_begins_only_what_it_touches() {
    let served: Vec<_> = [1, 2, 3].map(|camera| scene::serve(drawn(camera), 0).unwrap()).into();
    let [door, yard, gate] = [0, 1, 2].map(|camera| served[camera].url());
    let mosquitto = Mosquitto::start(&[]).await;
    let url = format!("mqtt://127.0.0.1:{}", mosquitto.port);
    let broker = format!("url = \"{url}\"");
    let both = format!("{NUMBER}{THERE}{ANY_PORT}");
    let mut service = Service::start(&config(&broker, &[("door", door), ("yard", yard)], &both));
    let mut listener = listen(&url).await;
    let mut frames = Frames::default();
    for topic in ["wader/door/number/answer", "wader/yard/number/answer", "wader/yard/there/answer"] {
        hear(&mut listener, &mut frames, topic, |a| a.topic == topic).await;
    }
    frames.0.clear(); // the first window may have waited for the model

    // a word too many
    service.rewrite(&config(&broker, &[("door", door), ("yard", yard)], &both.replace("ask = \"is", "aks = \"is")));
    let about = hear(&mut listener, &mut frames, "the refusal", |a| refused(a).is_some_and(|r| r.is_some())).await;
    let problem = refused(&about).unwrap().unwrap();
    assert!(problem.contains("aks") && problem.contains("wader.toml"), "{problem}");
    assert!(about.retained || about.topic == "wader/about");
    let page = address(&service).await;
    let escaped = |html: &str| html.contains("the changed configuration is not used") && html.contains("aks");
    until_page(page, "/", "the page tells", escaped).await;
    until_page(page, "/metrics", "the figure tells", |figures| figures.contains("\nwader_configuration_refused 1\n"))
        .await;
    // a prompt that this model cannot be asked: the file alone is fine
    let long = both.replace("frames = 3, span = \"1s\"", "frames = 9, span = \"9s\"").replace("yes_no", "text");
    let unaskable = long.replace("is it there", &"is it there ".repeat(300));
    service.rewrite(&config(&broker, &[("door", door), ("yard", yard)], &unaskable));
    service.hang_up();
    let again = |a: &Arrival| refused(a).flatten().is_some_and(|problem| !problem.contains("aks"));
    hear(&mut listener, &mut frames, "the second refusal", again).await;
    for topic in ["wader/door/there/answer", "wader/yard/there/answer"] {
        hear(&mut listener, &mut frames, "both go on", |a| a.topic == topic).await;
    }

    // the yard moves, the gate is new, a prompt is new, one is gone
    let other = format!("{NUMBER}{}{ANY_PORT}", THERE.replace("prompts.there", "prompts.here"));
    service.rewrite(&config(&broker, &[("door", door), ("yard", gate), ("gate", yard)], &other));
    let mut wanted: BTreeSet<(&str, i64)> = [("wader/yard/number/answer", 3), ("wader/gate/number/answer", 2)].into();
    let mut cleared: BTreeSet<String> =
        ["state", "answer"].iter().flat_map(|t| ["door", "yard"].map(|c| format!("wader/{c}/there/{t}"))).collect();
    let mut here: BTreeSet<String> = ["door", "yard", "gate"].map(|c| format!("wader/{c}/here/answer")).into();
    let (begun, mut used) = (Stamp::now(), false);
    while !(used && wanted.is_empty() && cleared.is_empty() && here.is_empty()) {
        let arrival = hear(&mut listener, &mut frames, "anything", |_| true).await;
        let waited = Stamp::now().since(begun);
        assert!(waited < DEADLINE, "in vain: {wanted:?} {cleared:?} {here:?}\n{}", service.log());
        used |= refused(&arrival) == Some(None);
        if arrival.payload.is_empty() {
            cleared.remove(&arrival.topic.to_string());
        } else if arrival.topic.ends_with("/here/answer") {
            here.remove(&arrival.topic.to_string());
        } else if arrival.topic.ends_with("/number/answer") {
            let said = wire::read_answer(&arrival.payload).unwrap();
            if said.outcome == "answer" {
                let seen = (&*arrival.topic, read(&said, "camera"));
                wanted.retain(|wanted| *wanted != seen);
            }
        }
    }

    until_page(page, "/metrics", "the figure tells", |figures| figures.contains("\nwader_configuration_refused 0\n"))
        .await;
    until_page(page, "/", "the page tells no more", |html| !html.contains("is not used") && html.contains("gate"))
        .await;

    // the gate goes again
    service.rewrite(&config(&broker, &[("door", door), ("yard", gate)], &other));
    let gone = |a: &Arrival| a.topic == "wader/gate/status" && a.payload.is_empty();
    hear(&mut listener, &mut frames, "the gate's status is cleared", gone).await;
    let missing = frames.missing();
    println!("{} frames of the camera that nobody touched, {missing} missing", frames.0.len());
    assert_eq!(missing, 0, "{:?}", frames.0);
    assert!(service.terminate().await.success(), "{}", service.log());
    let log = service.log();
    assert_eq!(log.matches("camera_online").count(), 4, "door, yard, then yard and gate: {log}");
    assert!(log.contains("bad_configuration") && log.contains("received anew: `yard`"), "{log}");
    keep(&Row {
        row: 43,
        fault: "a configuration with a word too many, one that the model cannot serve, then good ones",
        target: "the old one goes on; the error names its place; interruption 0 frames",
        detection:
            "told on the topic, in the log, on the page, by a figure and to the service manager, with file and key"
                .to_owned(),
        recovery: String::new(),
        lost: of(missing, frames.0.len()),
        duplicated: String::new(),
        dropped: String::new(),
        effect: format!("a camera that nobody touched misses {missing} frames, also when others are begun anew"),
        met: missing == 0,
        run: "reload::a_bad_edit",
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn what_all_stands_on_begins_anew_in_the_same_process() {
    let door = scene::serve(drawn(1), 0).unwrap();
    let mosquitto = Mosquitto::start(&[]).await;
    let url = format!("mqtt://127.0.0.1:{}", mosquitto.port);
    let mut service = Service::start(&config(&format!("url = \"{url}\""), &[("door", door.url())], THERE));
    let mut listener = listen(&url).await;
    answer(&mut listener, "wader/door/there/answer").await;
    // a model that is not there does not end the one that is
    let text = config(&format!("url = \"{url}\""), &[("door", door.url())], THERE);
    service.rewrite(&text.replace("/oracle", "/nothing"));
    until(&mut listener, "the refusal", |a| refused(a).flatten().is_some()).await;
    answer(&mut listener, "wader/door/there/answer").await;
    // nor does an address that is taken
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    service.rewrite(&format!("{text}[web]\nlisten = \"{address}\"\n"));
    let names_it = |problem: String| problem.contains(&address.to_string());
    until(&mut listener, "the second refusal", |a| refused(a).flatten().is_some_and(names_it)).await;
    service.rewrite(&config(&format!("url = \"{url}\"\nclient_id = \"other\""), &[("door", door.url())], THERE));
    until(&mut listener, "the service stops", |a| a.topic == "wader/status" && a.text() == "stopped").await;
    until(&mut listener, "and is there again", |a| a.topic == "wader/status" && a.text() == "online").await;
    answer(&mut listener, "wader/door/there/answer").await;
    service.says("other_memory").await; // what was kept for the other name stays with it
    assert!(service.terminate().await.success(), "{}", service.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_camera_that_is_configured_no_more_leaves_nothing_on_the_broker() {
    let door = scene::serve(drawn(1), 0).unwrap();
    let mosquitto = Mosquitto::start(&[]).await;
    let url = format!("mqtt://127.0.0.1:{}", mosquitto.port);
    let with = |disabled: &[&str]| {
        let cameras = disabled.iter().map(|name| format!("[cameras.{name}]\nurl = \"test:x\"\nenabled = false\n"));
        config(&format!("url = \"{url}\""), &[("door", door.url())], &format!("{THERE}{}", cameras.collect::<String>()))
    };
    let service = Service::start(&with(&["attic", "gate"]));
    kept(mosquitto.port, &["wader/attic/status disabled", "wader/gate/status disabled"]).await;
    let mut listener = listen(&url).await;
    answer(&mut listener, "wader/door/there/answer").await;
    service.rewrite(&with(&["attic"]));
    until(&mut listener, "the gate is cleared", |a| a.topic == "wader/gate/status" && a.text().is_empty()).await;
    let mut service = service.restart_with(&with(&[])).await;
    until(&mut listener, "the attic is cleared", |a| a.topic == "wader/attic/status" && a.text().is_empty()).await;
    assert!(service.terminate().await.success(), "{}", service.log());
}

/// Asks the oracle for a number; it has words for those up to twenty.
const COUNT: &str = r#"
[prompts.count]
ask = "how many"
answer = "number"
max = 100
window = { frames = 3, span = "1s" }
"#;

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_that_cannot_run_ends_nothing_also_where_all_would_begin_anew() {
    let mosquitto = Mosquitto::start(&[]).await;
    let url = format!("mqtt://127.0.0.1:{}", mosquitto.port);
    let door = [("door", "test:pattern")];
    let text = config(&format!("url = \"{url}\""), &door, THERE);
    let mut service = Service::start(&text);
    let mut listener = listen(&url).await;
    answer(&mut listener, "wader/door/there/answer").await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let (oracle, span) = (family_folder("oracle"), family_folder("span"));
    let other_model = text.replace(oracle.to_str().unwrap(), span.to_str().unwrap());
    for (edit, says) in [
        (format!("{text}{COUNT}[history]\nmax_age = \"48h\"\n"), "the model cannot say the number `21`".to_owned()),
        (other_model.replace("frames = 3", "frames = 5"), "the model `span` takes 4 at most".to_owned()),
        (format!("{other_model}{COUNT}"), "the model cannot say the number `21`".to_owned()),
        (
            config(&format!("url = \"embedded\"\nlisten = \"{address}\""), &door, THERE),
            format!("cannot start a broker on `{address}`: Address already in use"),
        ),
    ] {
        service.rewrite(&edit);
        service.hang_up();
        let told = |a: &Arrival| refused(a).flatten().is_some_and(|problem| problem.contains(&says));
        until(&mut listener, &says, told).await;
        service.rewrite(&text);
        service.hang_up();
        until(&mut listener, "the old one is good", |a| refused(a) == Some(None)).await;
    }
    answer(&mut listener, "wader/door/there/answer").await;
    assert!(!service.log().contains("stopping"), "{}", service.log());
    assert!(service.terminate().await.success(), "{}", service.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_may_widen_and_where_it_cannot_the_one_before_is_taken_again() {
    let mosquitto = Mosquitto::start(&[]).await;
    let (url, port) = (format!("mqtt://127.0.0.1:{}", mosquitto.port), free_port().await);
    let text = config(&format!("url = \"{url}\""), &[("door", "test:pattern")], THERE);
    let on = |ip: &str| format!("{text}[web]\nlisten = \"{ip}:{port}\"\n");
    let one_more = THERE.replace("[prompts.there]", "[prompts.gone]");
    let mut service = Service::start(&(on("127.0.0.1") + &one_more));
    let mut listener = listen(&url).await;
    answer(&mut listener, "wader/door/gone/answer").await;
    // what is taken again below is what ran last, with its changes
    service.rewrite(&on("127.0.0.1"));
    let cleared = |a: &Arrival| a.topic == "wader/door/gone/answer" && a.payload.is_empty();
    until(&mut listener, "it is asked no more", cleared).await;
    answer(&mut listener, "wader/door/there/answer").await;
    // its own port is in the way of the trial, another's of the beginning
    let other = std::net::TcpListener::bind(("127.0.0.2", port)).unwrap();
    service.rewrite(&on("0.0.0.0"));
    let names_it = |problem: String| problem.contains(&format!("cannot listen on 0.0.0.0:{port}"));
    until(&mut listener, "the refusal", |a| refused(a).flatten().is_some_and(names_it)).await;
    for _ in 0..3 {
        let said = |a: &Arrival| a.topic.ends_with("/answer") && !a.payload.is_empty();
        assert_eq!(until(&mut listener, "an answer", said).await.topic, "wader/door/there/answer");
    }
    let here = address(&service).await;
    until_page(here, "/", "the page tells", |html| html.contains("cannot listen on 0.0.0.0")).await;
    drop(other);
    service.hang_up();
    service.says(&format!("shown at http://0.0.0.0:{port}")).await;
    until_page(here, "/", "the page is well", |html| !html.contains("cannot listen on")).await;
    assert!(get(here, "/metrics").await.contains("\nwader_configuration_refused 0\n"));
    assert!(service.terminate().await.success(), "{}", service.log());
}
