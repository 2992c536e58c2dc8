//! What a reply says, and which replies are said at all.

use std::collections::BTreeMap;

use super::*;
use crate::{
    answer::Spec,
    frame::{Frame, Size},
    mqtt::{Access, Publisher, Spec as Broker},
    prompt::{AnswerKind, Period, Scored},
};

fn standing(held: Option<bool>) -> Standing {
    let prompt = Prompt {
        name: PromptName::new("person").unwrap(),
        ask: "Anybody?".to_owned(),
        also: Vec::new(),
        kind: AnswerKind::YesNo,
    };
    let mut policy = Policy::new(Spec::default());
    if let Some(held) = held {
        policy.take(&Outcome::Answer(Value::YesNo(held)), Now::read());
    }
    Standing {
        prompt: Arc::new(prompt),
        every: Duration::from_secs(2),
        publish: Publish::OnChange,
        policy,
        evidence: Evidence::default(),
        thresholds: Thresholds { min_probability: 0.7, keep_probability: 0.5, min_mass: 0.1 },
        hours: Hours::default(),
        image: false,
        hash: String::new(),
        holds_until: None,
        said_of: None,
        dated: None,
        told_why_unsure: false,
    }
}

fn closed(shares: &[(&str, f64)]) -> Reply {
    let scored = |(label, share): &(&str, f64)| Scored { label: (*label).to_owned(), share: *share };
    Reply::Closed { scores: shares.iter().map(scored).collect(), mass: 1.0, evidence: 1.0 }
}

fn yes(share: f64) -> Result<Reply, String> {
    Ok(closed(&[("yes", share), ("no", 1.0 - share)]))
}

#[test]
fn a_reply_counts_as_long_as_its_answer_would_be_valid_and_a_failure_always() {
    for (reply, milliseconds, expected) in [
        (yes(0.9), 0, "yes"),
        (yes(0.9), 6000, "yes"),
        (yes(0.9), 6001, "stale (late)"),
        (yes(0.6), 6001, "stale (late)"),
        (Err("out of memory".to_owned()), 6001, "failed (model_error)"),
    ] {
        let reading = standing(None).read(&reply, Duration::from_millis(milliseconds));
        assert_eq!(reading.outcome.to_string(), expected, "{reply:?} after {milliseconds} ms");
    }
}

#[test]
fn a_prompt_that_the_model_does_not_come_to_is_late_when_its_last_answer_holds_no_more() {
    let at = |seconds| Stamp::after_origin(Duration::from_secs(seconds));
    let mut first = standing(None);
    assert!(!first.is_late(at(10), at(11)), "nothing was said yet, and nothing could have been for long");
    assert!(!first.is_late(at(14), at(16)));
    assert!(first.is_late(at(16), at(17)), "three intervals of two seconds after the first window");
    let mut answered = standing(None);
    answered.holds_until = Some(at(30));
    assert!(!answered.is_late(at(29), at(30)));
    assert!(answered.is_late(at(31), at(32)));
}

#[test]
fn what_is_held_is_what_the_policy_holds() {
    for (held, expected) in
        [(None, "unsure (low_probability)"), (Some(false), "unsure (low_probability)"), (Some(true), "yes")]
    {
        assert_eq!(standing(held).read(&yes(0.6), Duration::ZERO).outcome.to_string(), expected, "{held:?}");
    }
}

/// The answer task about `yard/person`, of whom every second answer in a row becomes the state; its broker is nowhere.
struct Rig {
    answers: Answers,
    prompt: Arc<Prompt>,
    begun: Stamp,
}

impl Rig {
    fn new() -> Self {
        let access = Access::parse("mqtt://127.0.0.1:1").unwrap();
        let (_, outbox) = Publisher::new(Broker::new(access, "test")).unwrap();
        let policy = Policy::new(Spec { hold: 2, ..Spec::default() });
        let standing = Standing { policy, ..standing(None) };
        let (camera, prompt) = (yard(), Arc::clone(&standing.prompt));
        let answers = Answers {
            standing: HashMap::from([((camera.clone(), prompt.name.clone()), standing)]),
            topics: Topics::default(),
            model: ModelLabel {
                name: "test".to_owned(),
                version: "1".to_owned(),
                frame_mode: "timed".to_owned(),
                hash: String::new(),
            },
            ids: Ids::new(fastrand::Rng::with_seed(1)),
            outbox,
            history: None,
            kept: Kept::default(),
            holds: Holds::default(),
            zone: TimeZone::UTC,
            cameras: Vec::new(),
            up: HashMap::new(),
            switches: Switches::new([camera], &BTreeMap::new()),
            reminder: Reminder::default(),
            judged: Arc::default(),
        };
        Self { answers, prompt, begun: Stamp::now() }
    }

    /// So many milliseconds after the test began.
    fn at(&self, milliseconds: u64) -> Stamp {
        self.begun.later_by(Duration::from_millis(milliseconds))
    }

    /// The reply about a window whose newest picture was taken then.
    fn replied(&mut self, reply: Result<Reply, String>, taken: u64) {
        let last = self.at(taken);
        let size = Size { width: 1, height: 1 };
        self.answers.replied(&Replied {
            camera: yard(),
            prompt: self.prompt.name.clone(),
            asked: Some(self.prompt.clone()),
            reply,
            seen: seen(last),
            newest: vec![Arc::new(Frame { number: taken, taken: last, size, pixels: [0; 3].into() })],
            spent: Spent::default(),
            done: last,
            unchanged_since: None,
            by_lesson: false,
        });
    }

    /// What the answer topic says.
    fn said(&self) -> String {
        let topic = self.answers.topics.answer(&yard(), &self.prompt.name);
        let message = self.answers.outbox.retained().into_iter().find(|message| *message.topic == *topic);
        let Some(message) = message else { return String::new() };
        let json: serde_json::Value = serde_json::from_slice(&message.payload).unwrap();
        let reason = json["reason"].as_str().or_else(|| json["answer"].as_str()).unwrap_or_default().to_owned();
        format!("{} {reason}", json["outcome"].as_str().unwrap())
    }
}

fn yard() -> CameraName {
    CameraName::new("yard").unwrap()
}

fn seen(last: Stamp) -> Seen {
    Seen { first: last, last, asked: 1, present: 1 }
}

#[test]
fn what_was_asked_before_the_camera_broke_or_showed_nothing_is_not_said_after_it() {
    let mut rig = Rig::new();
    let (camera, prompts) = (yard(), vec![rig.prompt.name.clone()]);
    rig.replied(yes(0.9), 0);
    assert_eq!(rig.said(), "", "it is not connected");
    rig.answers.camera(Input::CameraUp { camera: camera.clone(), first: rig.at(10) });
    rig.replied(yes(0.9), 9);
    assert_eq!(rig.said(), "", "the picture is from an earlier connection");
    rig.replied(yes(0.9), 10);
    assert_eq!(rig.said(), "answer yes");
    let reason = BlindReason::Black;
    rig.answers.camera(Input::Blind { camera: camera.clone(), prompts, seen: seen(rig.at(30)), reason });
    rig.replied(yes(0.9), 20);
    assert_eq!(rig.said(), "blind black");
    rig.replied(yes(0.9), 40);
    assert_eq!(rig.said(), "answer yes");
    rig.answers.camera(Input::CameraDown { camera });
    rig.replied(yes(0.9), 50);
    rig.replied(Err("out of memory".to_owned()), 60);
    assert_eq!(rig.said(), "stale camera_offline");
}

#[test]
fn what_was_asked_before_the_question_became_another_is_not_said() {
    let mut rig = Rig::new();
    rig.answers.camera(Input::CameraUp { camera: yard(), first: rig.at(0) });
    let before = Arc::clone(&rig.prompt);
    rig.prompt = Arc::new(Prompt { ask: "Nobody?".to_owned(), ..Prompt::clone(&before) });
    rig.replied(yes(0.9), 1);
    assert_eq!(rig.said(), "");
    rig.prompt = before;
    rig.replied(yes(0.9), 2);
    assert_eq!(rig.said(), "answer yes");
}

#[test]
fn who_asks_the_same_question_by_other_rules_has_forgotten_nothing_and_who_asks_another_has() {
    for (ask, rings) in [("Anybody?", true), ("Nobody?", false)] {
        let mut rig = Rig::new();
        rig.answers.camera(Input::CameraUp { camera: yard(), first: rig.at(0) });
        rig.replied(yes(0.1), 1);
        rig.replied(yes(0.1), 2);
        let prompt = Arc::new(Prompt { ask: ask.to_owned(), ..Prompt::clone(&rig.prompt) });
        let edited = Standing { prompt: Arc::clone(&prompt), every: Duration::from_secs(5), ..standing(None) };
        let name = prompt.name.clone();
        rig.answers.camera(Input::Added { camera: yard(), prompt: name, standing: Box::new(edited) });
        rig.prompt = prompt;
        rig.replied(yes(0.9), 3);
        // by the rules of before a second answer would be needed
        assert_eq!(rig.answers.kept.changes(), if rings { vec![3] } else { vec![] }, "{ask}");
        let standing = rig.answers.standing.values().next().unwrap();
        assert_eq!((standing.every, standing.policy.state()), (Duration::from_secs(5), Some(&Value::YesNo(true))));
    }
}

#[test]
fn what_a_prompt_held_before_it_slept_has_not_lasted_when_its_hours_are_gone() {
    for (slept, changes) in [(true, vec![]), (false, vec![4])] {
        let mut rig = Rig::new();
        rig.answers.camera(Input::CameraUp { camera: yard(), first: rig.at(0) });
        for (at, share) in [(1, 0.1), (2, 0.1), (3, 0.9)] {
            rig.replied(yes(share), at);
        }
        let hours = if slept { Hours(vec![Period { days: Vec::new(), from: 0, to: 1 }]) } else { Hours::default() };
        rig.answers.standing.values_mut().for_each(|standing| standing.hours = hours.clone());
        let policy = Policy::new(Spec { hold: 2, ..Spec::default() });
        let edited = Standing { policy, prompt: Arc::clone(&rig.prompt), ..standing(None) };
        let prompt = rig.prompt.name.clone();
        rig.answers.camera(Input::Added { camera: yard(), prompt, standing: Box::new(edited) });
        rig.replied(yes(0.9), 4);
        assert_eq!(rig.answers.kept.changes(), changes, "a row of two answers, with a pause in it: {slept}");
    }
}

#[test]
fn of_a_still_scene_only_what_is_settled_is_said_again() {
    let mut rig = Rig::new();
    rig.answers.camera(Input::CameraUp { camera: yard(), first: rig.at(0) });
    for (at, reply, settled) in [
        (0, yes(0.9), false), // one answer is no state yet
        (1, yes(0.9), true),
        (2, yes(0.1), false),
        (3, yes(0.45), false), // not sure
        (4, yes(0.9), true),
        (5, Err("out of memory".to_owned()), false),
    ] {
        let before = rig.answers.reminder.said();
        rig.replied(reply, at);
        assert_eq!(rig.answers.reminder.said() == before, settled, "{at}");
    }
}

#[test]
fn an_answer_that_changes_the_state_is_published_and_can_be_judged_though_it_says_what_the_one_before_said() {
    let mut rig = Rig::new();
    rig.answers.camera(Input::CameraUp { camera: yard(), first: rig.at(0) });
    let newest = |rig: &Rig| rig.answers.kept.newest(&yard(), &rig.prompt.name).unwrap().pictures[0].number;
    for (at, reply, kept) in
        [(0, yes(0.1), 0), (1, yes(0.1), 1), (2, yes(0.1), 1), (3, yes(0.9), 3), (4, yes(0.9), 4), (5, yes(0.9), 4)]
    {
        rig.replied(reply, at);
        assert_eq!(newest(&rig), kept, "after {at}");
    }
    assert_eq!(rig.answers.kept.changes(), [4], "what changed the state, also when another answer stands");
    // and so can one that tells that a state lasts
    let escalate = Some(crate::answer::Escalate { after: Duration::ZERO, state: None });
    let standing = rig.answers.standing.values_mut().next().unwrap();
    standing.policy = Policy::new(Spec { escalate, ..Spec::default() });
    rig.replied(yes(0.9), 6);
    rig.replied(yes(0.9), 7);
    assert_eq!(rig.answers.kept.changes(), [4, 6]);
}

#[test]
fn a_prompt_that_wakes_while_its_camera_is_away_says_so() {
    let mut rig = Rig::new();
    let awake = |rig: &mut Rig| {
        let prompt = rig.prompt.name.clone();
        rig.answers.camera(Input::Awake { camera: yard(), prompt });
        rig.said()
    };
    assert_eq!(awake(&mut rig), "stale camera_offline");
    rig.answers.switches.turn(&yard(), None, false);
    assert_eq!(awake(&mut rig), "stale camera_disabled");
    rig.answers.switches.turn(&yard(), None, true);
    rig.answers.camera(Input::CameraUp { camera: yard(), first: rig.at(0) });
    rig.replied(yes(0.1), 1);
    assert_eq!(awake(&mut rig), "answer no", "the camera is there: nothing is said for it");
}

#[test]
fn a_reply_about_a_picture_that_was_said_to_show_nothing_is_no_answer() {
    let mut rig = Rig::new();
    rig.answers.camera(Input::CameraUp { camera: yard(), first: rig.at(0) });
    let (prompts, seen) = (vec![rig.prompt.name.clone()], seen(rig.at(5)));
    rig.answers.camera(Input::Blind { camera: yard(), prompts, seen, reason: BlindReason::Covered });
    rig.replied(yes(0.9), 5);
    assert_eq!(rig.said(), "blind covered");
    rig.replied(yes(0.1), 6);
    assert_eq!(rig.said(), "answer no");
}
