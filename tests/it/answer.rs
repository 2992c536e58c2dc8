//! Answers as others see them: what is published fits its schema, numbers survive, and a failure is never a "no".

use std::time::{Duration, SystemTime};

use proptest::prelude::*;
use wader::{
    answer::{
        Answer, BlindReason, Escalate, FailedReason, Frames, Ids, Latency, ModelLabel, News, Outcome, Policy, Publish,
        Reading, Spec, StaleReason, Thresholds, Value, read,
        wire::{self, AnswerMessage, ValueMessage},
    },
    frame::{Now, Stamp},
    name::{CameraName, PromptName},
    prompt::{AnswerKind, Contradiction, Ended, Reply, Said, Schema, Scored},
};

/// The wall time at which all samples are answered.
pub(crate) fn wall() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(1_790_000_000_250)
}

/// So many seconds after that, on both clocks.
pub(crate) fn at(seconds: u64) -> Now {
    let since = Duration::from_secs(seconds);
    Now { mono: Stamp::after_origin(since), wall: wall() + since }
}

/// An answer of the camera `door` to the prompt `person`, with sensible numbers around this reading.
pub(crate) fn sample(kind: AnswerKind, reading: Reading) -> Answer {
    let asked = matches!(reading.outcome, Outcome::Answer(_) | Outcome::Unsure(_));
    let back = |millis| wall() - Duration::from_millis(millis);
    Answer {
        id: Ids::new(fastrand::Rng::with_seed(1)).next(wall()),
        camera: CameraName::new("door").unwrap(),
        prompt: PromptName::new("person").unwrap(),
        ask: "Is there a person at the door?".to_owned(),
        kind,
        outcome: reading.outcome,
        scores: reading.scores,
        frames: Frames {
            first: asked.then(|| back(7_300)),
            last: asked.then(|| back(300)),
            present: if asked { 8 } else { 0 },
            asked: 8,
        },
        answered: wall(),
        newest_frame_age: asked.then_some(Duration::from_millis(300)),
        valid_until: wall() + Duration::from_secs(6),
        latency: asked.then_some(Latency {
            sampled: Duration::from_micros(250_125),
            queued: Duration::from_micros(40_000),
            encoded: Duration::from_micros(7_800),
            resampled: Duration::from_micros(1_500),
            decoded: Duration::from_micros(575),
        }),
        unchanged_since: None,
        model: ModelLabel {
            name: "wader-small".to_owned(),
            version: "1".to_owned(),
            hash: "5e1f".repeat(16),
            frame_mode: "timed".to_owned(),
        },
        prompt_hash: "c0de".repeat(16),
    }
}

/// A reply of yes and no with this probability of yes.
pub(crate) fn yes_no(yes: f64) -> Reply {
    let scored = |label: &str, share| Scored { label: label.to_owned(), share };
    Reply::Closed { scores: vec![scored("yes", yes), scored("no", 1.0 - yes)], mass: 0.998, evidence: 3.2 }
}

/// Two wordings that were each sure of another answer.
fn inconsistent(mass: f64) -> Reply {
    let said = |ask: &str, percent| Said { ask: ask.to_owned(), answer: "yes".to_owned(), percent };
    let Reply::Closed { scores, evidence, .. } = yes_no(0.7) else { unreachable!() };
    Reply::Inconsistent { scores, mass, evidence, said: vec![said("Is it?", 93), said("Is it not?", 81)] }
}

fn assert_fits(schema: &str, bytes: &[u8]) {
    let schema = serde_json::from_str(schema).unwrap();
    let message = serde_json::from_slice(bytes).unwrap();
    let validator = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
    let errors: Vec<String> =
        validator.iter_errors(&message).map(|e| format!("{} at {}", e, e.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:?}\n{}", String::from_utf8_lossy(bytes));
}

/// Whether it is dark, which is required, whether it rains, and what happens.
fn json() -> AnswerKind {
    let schema = r#"{"type": "object", "required": ["dark"], "properties": {"dark": {"type": "boolean"}, "rain": {"type":
        ["boolean", "null"]}, "scene": {"type": "string"}}}"#;
    let schema = Schema::read(schema).unwrap();
    AnswerKind::Json { schema, max_tokens: 20, max_time: Duration::from_secs(10) }
}

/// JSON as a model wrote it that can spell.
fn written(ended: Ended) -> Reply {
    Reply::Json { text: r#"{"dark":true}"#.to_owned(), ended, probability: 0.9, mass: 0.8 }
}

/// One reading of each outcome and kind.
fn readings() -> Vec<(AnswerKind, Reading)> {
    let thresholds = Thresholds { min_probability: 0.7, keep_probability: 0.7, min_mass: 0.1 };
    let text = AnswerKind::Text { max_tokens: 20 };
    let caption = |text: &str| Reply::Text { text: text.to_owned(), finished: false, probability: 0.8 };
    let number = Reply::Closed {
        scores: (0..=3).map(|n| Scored { label: n.to_string(), share: f64::from(u8::from(n == 3)) }).collect(),
        mass: 1.0,
        evidence: -0.25,
    };
    let mut readings: Vec<(AnswerKind, Reading)> = [
        (AnswerKind::YesNo, yes_no(0.93)),
        (AnswerKind::YesNo, yes_no(0.6)),
        (AnswerKind::YesNo, Reply::UnknownWords(vec!["zebra".to_owned()])),
        (AnswerKind::YesNo, Reply::ContradictingExamples(Contradiction { percent: 61, needed: 80 })),
        (AnswerKind::YesNo, inconsistent(1.0)),
        (AnswerKind::Number { min: 0, max: 3 }, number),
        (text.clone(), caption("A man in a red coat walks a dog.")),
        (text, caption("")),
        (json(), Reply::Properties(vec![yes_no(0.8), yes_no(0.6), caption("Two cars.")])),
        (json(), Reply::Properties(vec![yes_no(0.6), yes_no(0.6), caption("Two cars.")])),
        (json(), written(Ended::Itself)),
        (json(), written(Ended::Tokens)),
        (json(), written(Ended::Time)),
    ]
    .into_iter()
    .map(|(kind, reply)| (kind.clone(), read(&reply, &kind, &thresholds, None)))
    .collect();
    for outcome in [
        Outcome::Blind(BlindReason::Black),
        Outcome::Stale(StaleReason::CameraOffline),
        Outcome::Stale(StaleReason::NoFrames),
        Outcome::Stale(StaleReason::Late),
        Outcome::Failed(FailedReason::ModelError("out of memory".to_owned())),
    ] {
        readings.push((AnswerKind::YesNo, Reading { outcome, scores: None }));
    }
    readings
}

#[test]
fn every_answer_fits_the_schema_and_reads_back() {
    for (kind, reading) in readings() {
        let answer = sample(kind, reading);
        let bytes = wire::answer(&answer);
        assert_fits(wire::ANSWER_JSON_SCHEMA, &bytes);
        let message = wire::read_answer(&bytes).unwrap();
        assert_eq!(message, AnswerMessage::from(&answer));
        assert_eq!(message.answer.is_some(), message.outcome == "answer", "{message:?}");
        assert_eq!(message.reason.is_none(), message.outcome == "answer", "{message:?}");
    }
}

#[test]
fn json_is_published_as_a_value_and_each_property_with_its_own_probability() {
    let scene = Reply::Text { text: "Two cars.".to_owned(), finished: true, probability: 0.9 };
    let reply = Reply::Properties(vec![yes_no(0.8), yes_no(0.6), scene]);
    let thresholds = Thresholds { min_probability: 0.7, keep_probability: 0.7, min_mass: 0.1 };
    let message = AnswerMessage::from(&sample(json(), read(&reply, &json(), &thresholds, None)));
    let text = r#"{"dark":true,"rain":null,"scene":"Two cars."}"#;
    assert_eq!(message.json.as_ref().map(ToString::to_string).as_deref(), Some(text));
    assert_eq!((message.kind.as_str(), message.answer), ("json", Some(ValueMessage::Word(text.to_owned()))));
    assert_eq!((message.probability, message.mass, message.evidence), (Some(0.8), Some(0.998), None));
    let told: Vec<_> =
        message.properties.iter().map(|p| (p.name.as_str(), p.probability, p.reason.as_deref())).collect();
    let expected =
        [("dark", Some(0.8), None), ("rain", Some(0.6), Some("low_probability")), ("scene", Some(0.9), None)];
    assert_eq!(told, expected);
    assert_eq!(message.properties[0].candidates.len(), 2);
}

#[test]
fn an_answer_says_what_when_and_how_surely() {
    let reading = read(&yes_no(0.931_25), &AnswerKind::YesNo, &Thresholds::default(), None);
    let message = AnswerMessage::from(&sample(AnswerKind::YesNo, reading));
    assert_eq!(message.schema, "wader.answer/1");
    assert_eq!(message.answer, Some(ValueMessage::Word("yes".to_owned())));
    assert_eq!((message.probability, message.mass, message.evidence), (Some(0.9313), Some(0.998), Some(3.2)));
    assert_eq!(message.window.first.as_deref(), Some("2026-09-21T14:13:12.950Z"));
    assert_eq!(message.window.last.as_deref(), Some("2026-09-21T14:13:19.950Z"));
    assert_eq!(message.valid_until, "2026-09-21T14:13:26.250Z");
    assert_eq!(message.newest_frame_age_ms, Some(300.0));
    assert_eq!(message.latency_ms.unwrap().total, 300.0);
}

#[test]
fn an_event_fits_its_schema() {
    let mut policy = Policy::new(Spec::default());
    let reading = |yes| read(&yes_no(yes), &AnswerKind::YesNo, &Thresholds::default(), None);
    policy.take(&reading(0.1).outcome, at(0));
    let after = reading(0.9);
    let news = policy.take(&after.outcome, at(60));
    let bytes = wire::event(&sample(AnswerKind::YesNo, after), &news.transition.unwrap());
    assert_fits(wire::EVENT_JSON_SCHEMA, &bytes);
    let event = wire::read_event(&bytes).unwrap();
    assert_eq!(
        (event.before, event.after),
        (ValueMessage::Word("no".to_owned()), ValueMessage::Word("yes".to_owned()))
    );
    assert_eq!(event.before_since, "2026-09-21T14:13:20.250Z");
}

#[test]
fn an_escalation_is_an_event_whose_state_stays() {
    let escalate = Some(Escalate { after: Duration::from_secs(60), state: Some(Value::YesNo(true)) });
    let mut policy = Policy::new(Spec { escalate, cooldown: Duration::from_secs(300), ..Spec::default() });
    let reading = |yes| read(&yes_no(yes), &AnswerKind::YesNo, &Thresholds::default(), None);
    let mut news = Vec::new();
    for (yes, second) in [(0.1, 0), (0.9, 10), (0.1, 20), (0.9, 30), (0.9, 90), (0.9, 100)] {
        news.push(policy.take(&reading(yes).outcome, at(second)));
    }
    let escalations: Vec<_> = news.iter().map(|news| news.escalation.is_some()).collect();
    assert_eq!(escalations, [false, false, false, false, true, false]);
    let bytes = wire::escalation(&sample(AnswerKind::YesNo, reading(0.9)), news[4].escalation.as_ref().unwrap());
    assert_fits(wire::EVENT_JSON_SCHEMA, &bytes);
    let event = wire::read_event(&bytes).unwrap();
    let yes = ValueMessage::Word("yes".to_owned());
    assert_eq!((event.kind.as_str(), &event.before, &event.after), ("escalation", &yes, &yes));
    assert_eq!((event.suppressed, event.before_since.as_str()), (2, "2026-09-21T14:13:50.250Z"));

    // as it was before there were two kinds
    let mut older: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    let keys = older.as_object_mut().unwrap();
    keys.retain(|key, _| !matches!(key.as_str(), "kind" | "suppressed"));
    let older = serde_json::to_vec(&older).unwrap();
    assert_fits(wire::EVENT_JSON_SCHEMA, &older);
    let event = wire::read_event(&older).unwrap();
    assert_eq!((event.kind.as_str(), event.suppressed), ("transition", 0));
}

#[test]
fn another_schema_is_refused_by_its_name() {
    let reading = read(&yes_no(0.9), &AnswerKind::YesNo, &Thresholds::default(), None);
    let text = String::from_utf8(wire::answer(&sample(AnswerKind::YesNo, reading))).unwrap();
    let newer = text.replace("wader.answer/1", "wader.answer/2");
    let error = wire::read_answer(newer.as_bytes()).unwrap_err();
    assert_eq!(error.to_string(), "the message has the schema `wader.answer/2`; this program reads `wader.answer/1`");
}

/// What may come of asking: replies sure and unsure, senseless ones, and no reply at all.
fn outcomes() -> impl Strategy<Value = Outcome> {
    let thresholds = Thresholds { min_probability: 0.7, keep_probability: 0.7, min_mass: 0.1 };
    let reply = prop_oneof![
        4 => (0.0..=1.0_f64).prop_map(yes_no),
        1 => Just(yes_no(f64::NAN)),
        1 => (0.0..0.1_f64).prop_map(|mass| match yes_no(0.0) {
            Reply::Closed { scores, evidence, .. } => Reply::Closed { scores, mass, evidence },
            other => other,
        }),
        1 => Just(Reply::UnknownWords(vec!["zebra".to_owned()])),
        1 => Just(Reply::ContradictingExamples(Contradiction { percent: 61, needed: 80 })),
        1 => (0.0..=1.0_f64).prop_map(inconsistent),
        1 => Just(Reply::Closed { scores: Vec::new(), mass: 1.0, evidence: 0.0 }),
    ];
    prop_oneof![
        4 => reply.prop_map(move |reply| read(&reply, &AnswerKind::YesNo, &thresholds, None).outcome),
        1 => Just(Outcome::Failed(FailedReason::ModelError("out of memory".to_owned()))),
        1 => Just(Outcome::Stale(StaleReason::CameraOffline)),
        1 => Just(Outcome::Blind(BlindReason::Frozen)),
    ]
}

/// The state by definition: the value of the last `hold` answers that came in an unbroken row.
fn expected_state(past: &[Outcome], hold: usize) -> Option<&Value> {
    past.windows(hold).rev().find_map(|row| {
        let value = row[0].value()?;
        row.iter().all(|outcome| outcome.value() == Some(value)).then_some(value)
    })
}

proptest! {
    #[test]
    fn a_failure_is_never_a_no(
        outcomes in prop::collection::vec(outcomes(), 1..40),
        hold in 1..4_usize,
        always in any::<bool>(),
    ) {
        let publish = if always { Publish::Always } else { Publish::OnChange };
        let mut policy = Policy::new(Spec { publish, hold: hold as u32, ..Spec::default() });
        for (n, outcome) in outcomes.iter().enumerate() {
            let before = policy.state().cloned();
            let News { state, answer, changed, transition, escalation } = policy.take(outcome, at(n as u64));
            if outcome.value().is_none() {
                prop_assert_eq!(policy.state(), before.as_ref(), "only an answer moves a state");
                prop_assert!(state.is_none() && transition.is_none() && escalation.is_none());
                prop_assert!(answer || n > 0, "the first failure is published");
            }
            prop_assert_eq!(changed, before.is_some() && policy.state() != before.as_ref());
            prop_assert!(!policy.is_settled(outcome) || outcome.value() == policy.state());
            prop_assert_eq!(policy.state(), expected_state(&outcomes[..=n], hold));
            if let Some(state) = state {
                prop_assert_eq!(Some(&state), policy.state());
            }
            if let Some(transition) = transition {
                prop_assert_eq!(Some(transition.before), before);
                prop_assert_eq!(Some(&transition.after), policy.state());
            }
        }
    }

    #[test]
    fn a_cooldown_hides_no_transition_and_no_state(
        outcomes in prop::collection::vec(outcomes(), 1..60),
        cooldown in 0..8_u64,
    ) {
        let mut plain = Policy::new(Spec::default());
        let mut cooled = Policy::new(Spec { cooldown: Duration::from_secs(cooldown), ..Spec::default() });
        let (mut transitions, mut told, mut last) = (0, 0, None);
        for (second, outcome) in (0..).zip(&outcomes) {
            let (all, news) = (plain.take(outcome, at(second)), cooled.take(outcome, at(second)));
            transitions += u32::from(all.transition.is_some());
            prop_assert_eq!((all.changed, news.changed), (all.transition.is_some(), all.changed));
            prop_assert_eq!((&news.state, news.answer), (&all.state, all.answer), "only events are held back");
            if let Some(event) = news.transition {
                told += 1 + event.suppressed;
                prop_assert_eq!(told, transitions, "each is an event or counted in the next one");
                prop_assert!(last.is_none_or(|last| second - last >= cooldown));
                last = Some(second);
                prop_assert_eq!(Some(&event.before), all.transition.as_ref().map(|transition| &transition.before));
            }
        }
    }

    #[test]
    fn log_shares_survive_to_the_last_bit(shares in prop::collection::vec(1e-300..1.0_f64, 1..6)) {
        let scores = shares.iter().enumerate().map(|(n, &share)| Scored { label: n.to_string(), share }).collect();
        let kind = AnswerKind::Number { min: 0, max: 9 };
        let reading = read(&Reply::Closed { scores, mass: 1.0, evidence: 0.0 }, &kind, &Thresholds::default(), None);
        let message = wire::read_answer(&wire::answer(&sample(kind, reading))).unwrap();
        let read: Vec<f64> = message.candidates.iter().map(|candidate| candidate.log_share.unwrap()).collect();
        let logs: Vec<f64> = shares.iter().map(|share| share.ln()).collect();
        prop_assert_eq!(read, logs);
    }
}
