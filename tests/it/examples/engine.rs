//! What the engine makes of examples: each thing looked at once, nothing for others, answers as exact as the oracle.

use std::{collections::HashMap, sync::Arc, time::Duration};

use wader::{
    engine::{Replied, Waiting, Worker},
    frame::{Frame, Stamp},
    model::{Flamingo, Work},
    name::{CameraName, PromptName},
    prompt::{AnswerKind, Example, Gain, Lacking, Origin, PlanError, Prompt, Region, Reply, Shown},
    window::{Spec, Window},
};

use crate::support::model::{FolderCopy, on_cpu, oracle, picture};

/// A frame of one grey.
pub(super) fn grey(number: u64, level: u8) -> Arc<Frame> {
    Arc::new(Frame { number, pixels: vec![level; 64 * 48 * 3].into(), ..Frame::clone(&picture(0, 0)) })
}

/// A frame whose right half is of another grey.
fn halves(number: u64, left: u8, right: u8) -> Arc<Frame> {
    let pixels = (0..64 * 48 * 3).map(|place| if place / 3 % 64 < 32 { left } else { right }).collect();
    Arc::new(Frame { pixels, ..Frame::clone(&grey(number, 0)) })
}

fn camera(name: &str) -> CameraName {
    CameraName::new(name).unwrap()
}

fn prompt(name: &str, kind: AnswerKind) -> Arc<Prompt> {
    // words that the oracle never learned: what is shown need not be told
    Arc::new(Prompt {
        name: PromptName::new(name).unwrap(),
        ask: "Is the zeppelin moored?".to_owned(),
        also: Vec::new(),
        kind,
    })
}

fn choice(labels: &[&str]) -> AnswerKind {
    AnswerKind::Choice(labels.iter().map(|label| (*label).to_owned()).collect())
}

/// Examples of one frame each: grey and state.
fn shown(examples: &[(u8, usize)]) -> Shown {
    let example =
        |&(level, state): &(u8, usize)| Example { frames: vec![grey(0, level)], state, origin: Origin::Configuration };
    Shown { region: None, examples: examples.iter().map(example).collect(), min_probability: 0.6 }
}

fn worker(asked: &[(CameraName, Arc<Prompt>)], shown: &[(&str, Shown)]) -> Worker<Flamingo> {
    let shown: HashMap<_, _> =
        shown.iter().map(|(name, shown)| (PromptName::new(name).unwrap(), shown.clone())).collect();
    Worker::showing(oracle(), asked, &shown).unwrap()
}

fn window(of: &str, frames: &[Option<Arc<Frame>>], prompts: &[&str]) -> Waiting {
    let window = Window {
        camera: camera(of),
        spec: Spec { frames: frames.len(), span: Duration::from_secs(frames.len() as u64) },
        frames: frames.to_vec(),
        prompts: prompts.iter().map(|name| PromptName::new(name).unwrap()).collect(),
    };
    Waiting { window, since: Stamp::after_origin(Duration::ZERO) }
}

fn share(replied: &Replied, label: &str) -> f64 {
    let Ok(Reply::Closed { scores, .. }) = &replied.reply else { panic!("{replied:?}") };
    scores.iter().find(|scored| scored.label == label).unwrap().share
}

/// The oracle's log-odds that a grey is like `one` rather than like `zero`.
fn log_odds(level: f64, one: f64, zero: f64) -> f64 {
    3.0 * ((level - zero).powi(2) - (level - one).powi(2)) / 256.0
}

fn close(a: f64, b: f64) {
    assert!((a - b).abs() < 1e-6, "{a} is not {b}");
}

const GATE: [(u8, usize); 4] = [(10, 0), (12, 0), (20, 1), (22, 1)];

#[test]
fn of_two_answers_the_first_is_state_one_whatever_its_words() {
    let gate = prompt("gate", choice(&["moored", "away"]));
    let lamp = prompt("lamp", AnswerKind::YesNo);
    let asked = [(camera("yard"), gate), (camera("yard"), lamp)];
    let mut worker = worker(&asked, &[("gate", shown(&GATE)), ("lamp", shown(&[(20, 1), (22, 1), (10, 0), (12, 0)]))]);
    assert!(worker.contradictions().is_empty(), "two of each are too few to see");
    for (level, number) in [(15, 1), (16, 2), (17, 3), (40, 4)] {
        let replied = worker.answer(&[window("yard", &[Some(grey(number, level))], &["gate", "lamp"])]);
        let odds = log_odds(f64::from(level), 11.0, 21.0);
        for (replied, [first, second]) in replied.iter().zip([["moored", "away"], ["yes", "no"]]) {
            close(share(replied, first), 1.0 / (1.0 + (-odds).exp()));
            close(share(replied, first) + share(replied, second), 1.0);
            let Ok(Reply::Closed { evidence, mass, .. }) = &replied.reply else { panic!() };
            assert_eq!(*mass, 1.0);
            // a share of all but one has a bound, and so has what is read from it
            close(*evidence, odds.abs().min((1.0 - 1e-9_f64).ln() - 1e-9_f64.ln()));
        }
    }
}

#[test]
fn each_frame_and_example_is_looked_at_once_and_nothing_is_looked_at_for_others() {
    let gate = prompt("gate", choice(&["moored", "away"]));
    let there =
        Arc::new(Prompt { ask: "is it there".to_owned(), ..Prompt::clone(&prompt("there", AnswerKind::YesNo)) });
    let asked = [
        (camera("yard"), gate.clone()),
        (camera("yard"), there.clone()),
        (camera("court"), gate.clone()),
        (camera("door"), there.clone()),
    ];
    let mut worker = worker(&asked, &[("gate", shown(&GATE))]);
    let start = worker.work();
    assert_eq!((start.appearance_frames, start.comparisons), (4, 0), "examples once, whatever the number of cameras");

    // Another camera's windows, and this camera's other prompt: nothing is looked at.
    let frames: Vec<_> = (0..9).map(|number| Some(picture(0, number))).collect();
    worker.answer(&[window("door", &frames[..4], &["there"]), window("yard", &frames[..4], &["there"])]);
    let after = worker.work();
    assert_eq!((after.appearance_frames, after.comparisons, after.calls[3], after.calls[4]), (4, 0, start.calls[3], 0));
    assert_eq!(after.frames_encoded, 8);

    // A window of nothing but examples goes through neither of the three graphs; its newest three frames are looked at.
    let replied = worker.answer(&[window("court", &frames[..6], &["gate"])]);
    assert!(replied[0].reply.is_ok());
    let expected = Work { appearance_frames: 7, comparisons: 1, ..after };
    assert_eq!(worker.work(), Work { calls: worker.work().calls, ..expected });
    assert_eq!(worker.work().calls[..3], after.calls[..3]);

    // Overlapping windows of both cameras in one batch: three frames of the yard, the two new ones of the court.
    let before = worker.work();
    let batch = [window("yard", &frames[2..5], &["gate", "there"]), window("court", &frames[2..8], &["gate"])];
    let replied = worker.answer(&batch);
    assert!(replied.len() == 3 && replied.iter().all(|replied| replied.reply.is_ok()), "{replied:?}");
    let after = worker.work();
    assert_eq!(after.appearance_frames - before.appearance_frames, 3 + 2);
    assert_eq!((after.comparisons - before.comparisons, after.calls[4] - before.calls[4]), (2, 1), "compared together");
    assert_eq!(
        (after.frames_encoded - before.frames_encoded, after.windows_resampled - before.windows_resampled),
        (1, 1)
    );
    // The same windows again: nothing is looked at again.
    worker.answer(&batch);
    assert_eq!(worker.work().appearance_frames, after.appearance_frames);
    assert_eq!(worker.work().frames_encoded, after.frames_encoded);
}

#[test]
fn replies_stay_with_their_prompts_whatever_kinds_are_mixed() {
    let gate = prompt("gate", choice(&["moored", "away"]));
    let slots = prompt("slots", choice(&["f0", "reference"]));
    let slots = Arc::new(Prompt { ask: "f0 reference".to_owned(), ..Prompt::clone(&slots) });
    let odd = prompt("odd", AnswerKind::YesNo);
    let asked: Vec<_> = ["a", "b", "c"]
        .iter()
        .flat_map(|name| [&gate, &slots, &odd].map(|prompt| (camera(name), prompt.clone())))
        .collect();
    let mut worker = worker(&asked, &[("gate", shown(&GATE))]);
    let frame = |number: u32, level: u8| {
        // the barcode tells the number, the rest below it the grey
        let coded = picture(0, number);
        let pixels =
            coded.pixels.iter().enumerate().map(|(place, &value)| if place < 64 * 12 * 3 { value } else { level });
        Some(Arc::new(Frame { pixels: pixels.collect(), ..Frame::clone(&coded) }))
    };
    let replied = worker.answer(&[
        window("a", &[frame(7, 10)], &["gate"]),
        window("b", &[frame(8, 22)], &["odd", "slots", "gate"]),
        window("c", &[frame(9, 10)], &["slots", "gate", "odd"]),
    ]);
    let names: Vec<_> = replied.iter().map(|r| format!("{} {}", r.camera, r.prompt)).collect();
    assert_eq!(names, ["a gate", "b odd", "b slots", "b gate", "c slots", "c gate", "c odd"]);
    let f0 = |at: usize| (share(&replied[at], "f0") / share(&replied[at], "reference")).ln();
    assert!((f0(2) - 8.0).abs() < 0.01 && (f0(4) - 9.0).abs() < 0.01, "{} {}", f0(2), f0(4));
    let moored = [0, 3, 5].map(|at| share(&replied[at], "moored") > share(&replied[at], "away"));
    // the barcode is bright, so that only the difference between the two greys tells
    assert!(share(&replied[0], "moored") > share(&replied[3], "moored"), "{moored:?}");
    assert!(
        matches!(replied[1].reply, Ok(Reply::UnknownWords(_)))
            && matches!(replied[6].reply, Ok(Reply::UnknownWords(_)))
    );
}

#[test]
fn who_walks_by_in_one_of_three_frames_is_not_seen() {
    let gate = prompt("gate", choice(&["moored", "away"]));
    let mut worker = worker(&[(camera("yard"), gate)], &[("gate", shown(&GATE))]);
    let mut ask = |frames: &[Option<Arc<Frame>>]| {
        let replied = worker.answer(&[window("yard", frames, &["gate"])]);
        let odds = share(&replied[0], "moored") / share(&replied[0], "away");
        odds.ln()
    };
    let here = log_odds(14.0, 11.0, 21.0);
    close(ask(&[Some(grey(1, 14)), Some(grey(2, 255)), Some(grey(3, 14))]), here);
    close(ask(&[Some(grey(4, 200)), Some(grey(5, 14)), None, Some(grey(6, 13)), Some(grey(7, 15))]), here);
    close(ask(&[None, Some(grey(8, 12)), Some(grey(9, 16))]), here);
    close(ask(&[None, None, Some(grey(10, 14))]), here);
    let none = worker.answer(&[window("yard", &[None, None], &["gate"])]);
    assert!(none[0].reply.is_err(), "no frame, no answer: {none:?}");
}

#[test]
fn a_window_reaches_back_beyond_what_is_kept() {
    let gate = prompt("gate", choice(&["moored", "away"]));
    let slots = Prompt {
        ask: "count f0 reference".to_owned(),
        ..Prompt::clone(&prompt("slots", choice(&["count", "f0", "reference"])))
    };
    let asked = [(camera("yard"), gate), (camera("yard"), Arc::new(slots))];
    let mut worker = worker(&asked, &[("gate", shown(&GATE))]);
    let frame = |number| Some(picture(0, number));
    for number in 0..300 {
        worker.answer(&[window("yard", &[frame(1000 + number)], &["gate", "slots"])]);
    }
    let before = worker.work();
    let replied = worker.answer(&[window("yard", &[frame(7), frame(400), frame(2000)], &["gate", "slots"])]);
    assert!(replied[0].reply.is_ok(), "{replied:?}");
    let read = |word| (share(&replied[1], word) / share(&replied[1], "reference")).ln().round();
    assert_eq!((read("count"), read("f0")), (3.0, 7.0), "each of its frames is seen");
    let after = worker.work();
    assert_eq!(
        (after.appearance_frames - before.appearance_frames, after.frames_encoded - before.frames_encoded),
        (3, 3)
    );
}

#[test]
fn an_example_is_the_median_of_its_newest_frames() {
    let gate = prompt("gate", choice(&["moored", "away"]));
    let examples = [
        (vec![grey(0, 90), grey(1, 10), grey(2, 255), grey(3, 12)], 0),
        (vec![grey(0, 10)], 0),
        (vec![grey(0, 20), grey(1, 20)], 1),
        (vec![grey(0, 22)], 1),
    ];
    let examples = examples.map(|(frames, state)| Example { frames, state, origin: Origin::Configuration }).into();
    let mut worker =
        worker(&[(camera("yard"), gate)], &[("gate", Shown { region: None, examples, min_probability: 0.6 })]);
    assert_eq!(worker.work().appearance_frames, 3 + 1 + 2 + 1);
    let replied = worker.answer(&[window("yard", &[Some(grey(1, 14))], &["gate"])]);
    // 10, 255 and 12 are 12
    close((share(&replied[0], "moored") / share(&replied[0], "away")).ln(), log_odds(14.0, 11.0, 21.0));
}

#[test]
fn a_region_decides_which_difference_is_meant() {
    let gate = prompt("gate", choice(&["moored", "away"]));
    let example =
        |left, right, state| Example { frames: vec![halves(0, left, right)], state, origin: Origin::Configuration };
    // the left half says one thing, the right half the other
    let examples = vec![example(10, 20, 0), example(20, 10, 1)];
    for (edges, moored) in [([0.0, 0.0, 0.5, 1.0], true), ([0.5, 0.2, 1.0, 0.9], false)] {
        let shown = Shown { region: Region::new(edges), examples: examples.clone(), min_probability: 0.6 };
        let mut worker = worker(&[(camera("yard"), gate.clone())], &[("gate", shown)]);
        let replied = worker.answer(&[window("yard", &[Some(halves(1, 11, 11))], &["gate"])]);
        assert_eq!(share(&replied[0], "moored") > 0.5, moored, "{edges:?}");
    }
}

#[test]
fn of_three_answers_each_is_held_against_the_rest() {
    let bin = prompt("bin", choice(&["here", "tipped", "away"]));
    let examples = [(10, 0), (10, 0), (20, 1), (20, 1), (30, 2), (30, 2)];
    let mut worker = worker(&[(camera("yard"), bin)], &[("bin", shown(&examples))]);
    for (level, best) in [(9, "here"), (31, "away")] {
        let before = worker.work();
        let replied = worker.answer(&[window("yard", &[Some(grey(u64::from(level), level))], &["bin"])]);
        let after = worker.work();
        assert_eq!((after.comparisons - before.comparisons, after.calls[4] - before.calls[4]), (3, 1));
        let level = f64::from(level);
        let each = [log_odds(level, 10.0, 25.0), log_odds(level, 20.0, 20.0), log_odds(level, 30.0, 15.0)]
            .map(|odds| 1.0 / (1.0 + (-odds).exp()));
        let sum: f64 = each.iter().sum();
        for (label, one) in ["here", "tipped", "away"].iter().zip(each) {
            close(share(&replied[0], label), one / sum);
        }
        assert!(["here", "tipped", "away"].iter().all(|label| share(&replied[0], label) <= share(&replied[0], best)));
    }
}

#[test]
fn examples_that_contradict_each_other_are_never_an_answer() {
    let (gate, lamp) = (prompt("gate", choice(&["moored", "away"])), prompt("lamp", AnswerKind::YesNo));
    let asked = [(camera("yard"), gate.clone()), (camera("door"), gate), (camera("yard"), lamp)];
    let mixed = [(10, 0), (41, 0), (12, 0), (43, 0), (40, 1), (11, 1), (42, 1), (13, 1)];
    let clear = [(10, 0), (11, 0), (12, 0), (13, 0), (40, 1), (41, 1), (42, 1), (43, 1)];
    let mut worker = worker(&asked, &[("gate", shown(&mixed)), ("lamp", shown(&clear))]);
    let contradictions: Vec<_> = worker.contradictions().into_iter().collect();
    let [(prompt, contradiction)] = &contradictions[..] else { panic!("{contradictions:?}") };
    assert_eq!((prompt.as_str(), contradiction.needed), ("gate", 80), "told once, whatever the number of cameras");
    assert!(contradiction.percent < 80, "{contradiction:?}");
    let before = worker.work();
    assert_eq!((before.appearance_frames, before.comparisons), (16, 64), "each of 16 pairs, from both sides");
    let replied = worker.answer(&[window("yard", &[Some(grey(1, 10))], &["gate", "lamp"])]);
    assert_eq!(replied[0].reply, Ok(Reply::ContradictingExamples(*contradiction)));
    let lamp = (share(&replied[1], "yes") / share(&replied[1], "no")).ln();
    assert!((lamp - log_odds(10.0, 11.5, 41.5)).abs() < 1e-3, "others notice nothing");
    let replied = worker.answer(&[window("door", &[Some(grey(1, 10))], &["gate"])]);
    assert!(matches!(replied[0].reply, Ok(Reply::ContradictingExamples(_))));
    assert_eq!(worker.work().appearance_frames, before.appearance_frames + 1, "nobody looks for a prompt in doubt");
}

#[test]
fn what_the_model_cannot_take_is_refused_by_name() {
    let refuse = |model: Flamingo, kind: AnswerKind, examples: &[(u8, usize)]| {
        let asked = [(camera("yard"), prompt("gate", kind))];
        let shown = HashMap::from([(PromptName::new("gate").unwrap(), shown(examples))]);
        Worker::showing(model, &asked, &shown).err().expect("it cannot be asked")
    };
    let two = choice(&["moored", "away"]);
    let copy = FolderCopy::without_comparer();
    let error = refuse(Flamingo::load(copy.path(), &on_cpu()).unwrap(), two.clone(), &GATE);
    assert!(matches!(*error.source, PlanError::NoComparer));
    assert!(error.to_string().starts_with("prompt `gate` for camera `yard`: the model cannot compare"), "{error}");
    let many: Vec<(u8, usize)> = (0..17).map(|number| (number, usize::from(number % 2))).collect();
    let error = refuse(oracle(), two, &many);
    assert!(error.to_string().contains("17 examples, and the model takes 16 at most"), "{error}");
    let error = refuse(oracle(), AnswerKind::Text { max_tokens: 9 }, &GATE);
    assert!(error.to_string().contains("ask with `yes_no` or `choice`"), "{error}");
}

/// What somebody said of an answer about a grey, and whether it had been right.
fn judged(level: u8, state: usize, right: bool) -> Example {
    Example { frames: vec![grey(0, level)], state, origin: Origin::Judged { right } }
}

#[test]
fn a_prompt_learns_from_what_was_said_of_its_answers_only_where_that_helps() {
    // asked in words, the oracle counts frames: it answers `count` whatever the picture
    let words = Arc::new(Prompt {
        ask: "count reference".to_owned(),
        ..Prompt::clone(&prompt("gate", choice(&["count", "reference"])))
    });
    let asked = [(camera("yard"), words.clone()), (camera("door"), words.clone())];
    let mut worker = worker(&asked, &[]);
    let best = |worker: &mut Worker<Flamingo>, of: &str, number: u64, level: u8| {
        let replied = worker.answer(&[window(of, &[Some(grey(number, level))], &["gate"])]);
        if share(&replied[0], "count") > 0.5 { "count" } else { "reference" }
    };
    let teach = |worker: &mut Worker<Flamingo>, examples: &[Example]| {
        let shown = Shown { region: None, examples: examples.to_vec(), min_probability: 0.6 };
        worker.teach(&camera("yard"), &words, &shown).unwrap()
    };
    assert_eq!(best(&mut worker, "yard", 1, 20), "count");

    let wrong = [judged(20, 1, false), judged(22, 1, false)];
    let lesson = teach(&mut worker, &wrong);
    assert_eq!(lesson.gain, Err(Lacking::Examples(0).into()));
    let unconfirmed = [wrong.to_vec(), vec![judged(10, 0, false), judged(12, 0, true)]].concat();
    let lesson = teach(&mut worker, &unconfirmed);
    assert_eq!(lesson.gain, Err(Lacking::Confirmed(1).into()), "what the examples would spoil cannot be seen");
    assert_eq!(best(&mut worker, "yard", 2, 20), "count", "nothing has changed");

    let enough = [wrong.to_vec(), vec![judged(10, 0, true), judged(12, 0, true)]].concat();
    let lesson = teach(&mut worker, &enough);
    assert_eq!(lesson.gain, Ok(Gain { judged: 4, before: 2, with: 4 }));
    assert!(lesson.is_learnt());
    assert_eq!([20, 10].map(|level| best(&mut worker, "yard", 3 + u64::from(level), level)), ["reference", "count"]);
    assert_eq!(best(&mut worker, "door", 4, 20), "count", "what was said of one camera is no other's");

    // that what the lesson says is right does not make it useless
    let of_lesson = |level, state| Example { origin: Origin::OfLesson, ..judged(level, state, true) };
    let confirmed = [enough.clone(), vec![of_lesson(10, 0), of_lesson(20, 1)]].concat();
    let lesson = teach(&mut worker, &confirmed);
    assert_eq!(lesson.gain, Ok(Gain { judged: 4, before: 2, with: 4 }));
    let replied = worker.answer(&[window("yard", &[Some(grey(80, 20))], &["gate"])]);
    assert!(replied[0].by_lesson, "whoever judges it says nothing of what is answered without it");

    // half of what was confirmed looks like what was corrected: as many would be spoilt as mended
    let spoils = [enough.clone(), vec![judged(21, 0, true), judged(21, 0, true), judged(20, 0, true)]].concat();
    let lesson = teach(&mut worker, &spoils);
    assert!(!lesson.is_learnt(), "{lesson:?}");
    assert_eq!(best(&mut worker, "yard", 90, 20), "count", "it goes on as before it was taught");
}

#[test]
fn what_was_said_joins_the_examples_of_the_configuration() {
    let gate = prompt("gate", choice(&["moored", "away"]));
    let mut worker = worker(&[(camera("yard"), Arc::clone(&gate))], &[("gate", shown(&GATE))]);
    let level = |worker: &mut Worker<Flamingo>, number| {
        share(&worker.answer(&[window("yard", &[Some(grey(number, 40))], &["gate"])])[0], "moored") > 0.5
    };
    assert!(!level(&mut worker, 1), "40 is nearer to 21 than to 11");
    let said = [judged(40, 0, false), judged(42, 0, false), judged(11, 0, true), judged(20, 1, true)];
    let own = shown(&GATE);
    let examples: Vec<Example> = own.examples.iter().cloned().chain(said).collect();
    let lesson = worker.teach(&camera("yard"), &gate, &Shown { examples, ..own.clone() }).unwrap();
    let gain = lesson.gain.unwrap();
    assert_eq!((gain.judged, gain.before), (4, 2), "the configuration's own were not judged");
    worker.teach(&camera("yard"), &gate, &own).unwrap();
    assert!(!level(&mut worker, 2), "taken back, only its own are left");
}
