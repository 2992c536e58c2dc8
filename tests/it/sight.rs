//! A camera that does not see: told from a dark or quiet one on real footage, and over RTSP no work and never a "no".

use std::{collections::HashMap, sync::Arc, time::Duration};

use wader::{
    answer::wire,
    frame::{Frame, Size, Stamp},
    mqtt::{Arrival, Listener},
    scene::{self, Codec, Footage, Served, Source, Spoilt},
    sight::{BlindReason, Sight, Statistics},
};

use crate::{
    scene::{pictures, street},
    support::{
        broker::{free_port, within},
        service::{Service, config, listen, until},
        video::drawn,
    },
};

/// The size of the footage's pictures.
const SIZE: Size = Size { width: 384, height: 288 };

/// The footage without its empty background, which takes long to make.
fn walkers() -> scene::Spec {
    let Source::Footage(footage) = street().source else { panic!("footage") };
    scene::Spec { source: Source::Footage(Footage { background_gap_s: 0.0, ..footage }), ..street() }
}

/// A picture of that size, made darker (or all of one colour and lit by it) and with a sensor's noise of so many grey levels.
struct Sensor {
    random: fastrand::Rng,
    number: u64,
}

impl Sensor {
    fn frame(&mut self, noise: f64, light: impl Fn(usize) -> f64) -> Arc<Frame> {
        let mut pixels = Vec::with_capacity(384 * 288 * 3);
        for value in 0..384 * 288 * 3 {
            // even chances with the same deviation: means of cells do not tell them from a sensor's
            let grain = (self.random.f64() - 0.5) * 12.0_f64.sqrt() * noise;
            pixels.push((light(value) + grain).round().clamp(0.0, 255.0) as u8);
        }
        self.number += 1;
        let taken = Stamp::after_origin(Duration::from_secs(self.number));
        Arc::new(Frame { number: self.number, taken, size: SIZE, pixels: pixels.into() })
    }
}

#[test]
fn a_street_by_day_and_by_night_is_seen_and_black_and_covered_pictures_are_not() {
    let mut sensor = Sensor { random: fastrand::Rng::with_seed(1), number: 0 };
    let seconds = pictures(scene::Spec { frames_per_second: 1, ..walkers() }, Duration::from_secs(6));
    // by day; at dusk; in a night in which a person looks hard to see anything
    for picture in [&seconds[0], &seconds[5]] {
        for (gain, noise) in [(1.0, 0.0), (0.3, 3.0), (0.1, 3.0), (0.05, 2.0)] {
            let frame = sensor.frame(noise, |value| f64::from(picture[value]) * gain);
            assert_eq!(Statistics::of(&frame).blind(), None, "light {gain}: {:?}", Statistics::of(&frame));
        }
    }
    for noise in [0.0, 1.0] {
        let frame = sensor.frame(noise, |_| 2.0);
        assert_eq!(Statistics::of(&frame).blind(), Some(BlindReason::Black), "{:?}", Statistics::of(&frame));
    }
    // hands, cloth, a cap, with a soft light on them from the left
    for tint in [[190, 140, 115], [70, 45, 35], [40, 42, 48], [150, 150, 145], [60, 80, 60], [120, 40, 40]] {
        let light = |value: usize| f64::from(tint[value % 3]) * (0.9 + 0.2 * (value / 3 % 384) as f64 / 384.0);
        let frame = sensor.frame(2.0, light);
        assert_eq!(Statistics::of(&frame).blind(), Some(BlindReason::Covered), "{tint:?} {:?}", Statistics::of(&frame));
    }
}

#[test]
fn a_street_where_nothing_moves_is_not_frozen_as_long_as_the_sensor_lives() {
    let mut sensor = Sensor { random: fastrand::Rng::with_seed(2), number: 0 };
    let still = pictures(walkers(), Duration::from_millis(100)).remove(0);
    let mut sight = Sight::new(Some(Duration::from_secs(2)));
    let mut judge = |noise| {
        let frame = sensor.frame(noise, |value| f64::from(still[value]));
        sight.take(&frame);
        sight.judge([&frame])
    };
    assert_eq!([0.3; 6].map(&mut judge), [None; 6]);
    let frozen = Some(BlindReason::Frozen);
    assert_eq!([0.0; 5].map(&mut judge), [None, None, frozen, frozen, frozen]);
    assert_eq!(judge(0.3), None);
}

/// Asks the oracle twice a second; `lens` asks about the camera itself.
const PROMPTS: &str = r#"
[defaults.prompt]
every = "500ms"
window = { frames = 3, span = "1s" }
publish = "always"
min_probability = 0.0
[prompts.there]
ask = "is it there"
answer = "yes_no"
"#;
const LENS: &str = "[prompts.lens]\nask = \"is it there\"\nanswer = \"yes_no\"\nask_blind = true\n";

/// A camera whose pictures are encoded each for itself, so that equal ones arrive equal.
fn camera() -> Served {
    scene::serve(scene::Spec { video: Some(Codec::Mjpeg), ..drawn(1) }, 0).unwrap()
}

async fn start(camera: &Served, rest: &str) -> (Service, Listener) {
    start_with(camera, CAMERA, rest).await
}

async fn start_with(camera: &Served, of_camera: &str, rest: &str) -> (Service, Listener) {
    let port = free_port().await;
    let broker = format!("url = \"embedded\"\nlisten = \"127.0.0.1:{port}\"\n");
    let text = config(&broker, &[("door", camera.url())], rest).replace("silence = \"3s\"", of_camera);
    (Service::start(&text), listen(&format!("mqtt://127.0.0.1:{port}")).await)
}

/// A camera that may be silent for long, and is soon frozen.
const CAMERA: &str = "silence = \"1h\"\nfrozen_after = \"2s\"";

#[tokio::test(flavor = "multi_thread")]
async fn a_window_that_shows_nothing_makes_no_work() {
    let camera = camera();
    camera.spoil(Some(Spoilt::Black));
    let (mut service, mut listener) = start(&camera, PROMPTS).await;
    for _ in 0..4 {
        let arrival = until(&mut listener, "an outcome", |a| {
            assert!(!a.topic.ends_with("/state"), "only an answer moves a state: {a:?}");
            a.topic == "wader/door/there/answer"
        });
        let said = wire::read_answer(&arrival.await.payload).unwrap();
        assert_eq!((said.outcome.as_str(), said.reason.as_deref(), said.answer), ("blind", Some("black"), None));
        assert!(said.window.frames > 0 && said.newest_frame_age_ms.is_some() && said.latency_ms.is_none());
    }
    assert!(service.terminate().await.success(), "{}", service.log());
    let log = service.log();
    assert!(log.contains("frames=0 windows=0 unchanged=0 replies=0"), "no frame of a blind window is encoded:\n{log}");
    assert!(log.contains("reason=\"black\"") && !log.contains("sees"), "{log}");
}

/// Checks while it waits that each state comes with an answer, and only then.
#[derive(Default)]
struct Honest {
    newest: HashMap<String, String>,
}

impl Honest {
    fn hear(&mut self, arrival: &Arrival) {
        let (prompt, kind) = arrival.topic.rsplit_once('/').unwrap_or_default();
        match kind {
            "answer" => {
                let said = wire::read_answer(&arrival.payload).unwrap();
                assert_eq!(said.answer.is_some(), said.outcome == "answer", "{said:?}");
                self.newest.insert(prompt.to_owned(), said.outcome);
            }
            "state" => assert_eq!(self.newest.get(prompt).map(String::as_str), Some("answer"), "{arrival:?}"),
            _ => {}
        }
    }

    /// Waits for an outcome of a prompt with this reason; an answer has none.
    async fn until(&mut self, listener: &mut Listener, prompt: &str, reason: Option<&str>) {
        let wait = async {
            loop {
                let arrival = listener.next().await.unwrap();
                self.hear(&arrival);
                if arrival.topic == format!("wader/door/{prompt}/answer")
                    && wire::read_answer(&arrival.payload).unwrap().reason.as_deref() == reason
                {
                    return;
                }
            }
        };
        within(&format!("{prompt}: {reason:?}"), wait).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_that_goes_blind_keeps_its_state_and_answers_again_when_it_sees() {
    let camera = camera();
    let (mut service, mut listener) = start(&camera, &format!("{PROMPTS}{LENS}")).await;
    let mut honest = Honest::default();
    honest.until(&mut listener, "there", None).await;
    for (how, reason) in [(Spoilt::Frozen, "frozen"), (Spoilt::Covered, "covered"), (Spoilt::Black, "black")] {
        camera.spoil(Some(how));
        honest.until(&mut listener, "there", Some(reason)).await;
        // who asks about the camera itself is answered
        honest.until(&mut listener, "lens", None).await;
        assert_eq!(honest.newest["wader/door/there"], "blind", "{reason}");
        camera.spoil(None);
        honest.until(&mut listener, "there", None).await;
    }
    assert!(service.terminate().await.success(), "{}", service.log());
    let log = service.log();
    for reason in ["frozen", "covered", "black"] {
        assert_eq!(log.matches(&format!("reason=\"{reason}\"")).count(), 1, "told once each time: {log}");
    }
    assert_eq!(log.matches("camera_sees").count(), 3, "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_nothing_changes_answers_hold_on_without_the_model() {
    let camera = camera();
    camera.spoil(Some(Spoilt::Frozen));
    let never_frozen = "silence = \"1h\"\nfrozen_after = \"off\"";
    let (mut service, mut listener) = start_with(&camera, never_frozen, PROMPTS).await;
    let said = async |listener: &mut Listener| {
        let arrival = until(listener, "an answer", |a| a.topic == "wader/door/there/answer").await;
        let said = wire::read_answer(&arrival.payload).unwrap();
        assert_eq!(said.outcome, "answer", "{said:?}");
        assert_eq!(said.unchanged_since.is_some(), said.latency_ms.is_none(), "{said:?}");
        said
    };
    let mut asked = said(&mut listener).await;
    let held = loop {
        let next = said(&mut listener).await;
        if next.unchanged_since.is_some() {
            break next;
        }
        asked = next; // the first windows have fewer frames
    };
    assert_eq!((&held.unchanged_since, &held.answer), (&asked.window.last, &asked.answer), "what was answered then");
    assert_eq!((&held.probability, &held.candidates), (&asked.probability, &asked.candidates));
    assert!(held.window.last > asked.window.last && held.valid_until > asked.valid_until && held.id != asked.id);
    assert_eq!(said(&mut listener).await.unchanged_since, held.unchanged_since);
    camera.spoil(None);
    while said(&mut listener).await.unchanged_since.is_some() {}
    assert!(service.terminate().await.success(), "{}", service.log());
    assert!(!service.log().contains("unchanged=0"), "{}", service.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connected_camera_without_frames_is_stale() {
    let camera = camera();
    let (mut service, mut listener) = start(&camera, PROMPTS).await;
    let mut honest = Honest::default();
    honest.until(&mut listener, "there", None).await;
    camera.go_silent();
    honest.until(&mut listener, "there", Some("no_frames")).await;
    honest.until(&mut listener, "there", Some("no_frames")).await;
    camera.speak();
    honest.until(&mut listener, "there", None).await;
    assert!(service.terminate().await.success(), "{}", service.log());
    assert!(!service.log().contains("camera is offline"), "{}", service.log());
}

/// Of two prompts with one question, one escalates whichever the oracle says; a third is asked on a day that is neither
/// today nor tomorrow.
fn policies(day: &str) -> String {
    let one =
        |name: &str, rest: &str| format!("[prompts.{name}]\nask = \"is it there\"\nanswer = \"yes_no\"\n{rest}\n");
    let escalates = |state: &str| format!("escalate = {{ after = \"1s\", state = \"{state}\" }}");
    [
        PROMPTS.to_owned(),
        one("as_yes", &escalates("yes")),
        one("as_no", &escalates("no")),
        one("later", ""),
        format!("[prompts.later.on.door]\nactive = [{{ days = [\"{day}\"] }}]\n"),
    ]
    .concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lasts_is_an_event_and_a_prompt_outside_its_hours_says_nothing() {
    let camera = camera();
    let days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let today = jiff::Zoned::now().weekday().to_monday_zero_offset().unsigned_abs();
    let day = days[usize::from(today + 3) % 7];
    let (mut service, mut listener) = start(&camera, &policies(day)).await;
    let silent = |arrival: &Arrival| {
        assert!(
            !arrival.topic.contains("/later/") || arrival.topic.ends_with("/enabled"),
            "it is not {day}: {arrival:?}"
        )
    };
    // what the oracle says may change, which is an event of the other kind
    let is_escalation = |arrival: &Arrival| wire::read_event(&arrival.payload).unwrap().kind == "escalation";
    let event = until(&mut listener, "an escalation", |arrival| {
        silent(arrival);
        arrival.topic.ends_with("/event") && is_escalation(arrival)
    });
    let event = wire::read_event(&event.await.payload).unwrap();
    assert_eq!((event.kind.as_str(), &event.before, event.suppressed), ("escalation", &event.after, 0));
    assert_eq!(event.prompt, format!("as_{}", event.after));
    camera.kill();
    until(&mut listener, "the camera is offline", |arrival| {
        silent(arrival);
        arrival.topic == "wader/door/status" && arrival.text() == "offline"
    })
    .await;
    let mut stale = Vec::new();
    while stale.len() < 3 {
        let arrival = until(&mut listener, "stale", |arrival| {
            silent(arrival);
            arrival.topic.ends_with("/answer")
        });
        let said = wire::read_answer(&arrival.await.payload).unwrap();
        if said.reason.as_deref() == Some("camera_offline") {
            stale.push(said.prompt);
        }
    }
    assert!(service.terminate().await.success(), "{}", service.log());
    assert_eq!(service.log().matches("prompt_asleep").count(), 1, "{}", service.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prompt_whose_hours_are_taken_away_while_it_sleeps_wakes() {
    let camera = camera();
    let never = "[prompts.later.on.door]\nactive = [{ days = [\"mon\"], from = \"03:00\", to = \"03:01\" }]\n";
    let asked = "[prompts.later]\nask = \"is it there\"\nanswer = \"yes_no\"\n";
    let (mut service, mut listener) = start(&camera, &[PROMPTS, asked, never].concat()).await;
    let others = |arrival: &Arrival| arrival.topic.ends_with("/answer");
    let first = until(&mut listener, "another prompt is answered", others).await;
    assert!(!first.topic.contains("/later/"), "{first:?}");
    let file = std::fs::read_to_string(service.path("wader.toml")).unwrap();
    assert!(file.contains(never));
    service.rewrite(&file.replace(never, ""));
    until(&mut listener, "it is asked", |arrival| arrival.topic == "wader/door/later/answer").await;
    assert!(service.terminate().await.success(), "{}", service.log());
}
