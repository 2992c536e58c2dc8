//! From frames to replies, with the oracle: what a prompt was really asked about, and that nothing is done twice.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use tokio::sync::mpsc;
use wader::{
    engine::{Added, Counts, Engine, Replied, Waiting, Worker},
    frame::{Frame, Stamp},
    model::{Flamingo, Work},
    name::{CameraName, PromptName},
    prompt::{AnswerKind, Prompt, Reply},
    window::{Sampler, Schedule, Spec, Window},
};

use crate::support::model::{FolderCopy, on_cpu, oracle, picture};

const FRAMES: usize = 4;

fn camera(number: u32) -> CameraName {
    CameraName::new(&format!("camera{number}")).unwrap()
}

fn prompt(name: &str, ask: &str, kind: AnswerKind) -> Arc<Prompt> {
    Arc::new(Prompt { name: PromptName::new(name).unwrap(), ask: ask.to_owned(), also: Vec::new(), kind })
}

/// Asks for these readouts of the oracle; `reference` reads 0, so the others can be told.
fn readouts(name: &str, words: &[&str]) -> Arc<Prompt> {
    let labels: Vec<String> = words.iter().chain(&["reference"]).map(|w| (*w).to_owned()).collect();
    prompt(name, &labels.join(" "), AnswerKind::Choice(labels))
}

fn read(reply: &Reply, word: &str) -> f64 {
    let Reply::Closed { scores, .. } = reply else { panic!("{reply:?} is not scored") };
    let share = |label: &str| scores.iter().find(|s| s.label == label).unwrap().share;
    (share(word) / share("reference")).ln()
}

/// The `number`th frame of a camera, taken at this time.
fn frame(camera: u32, number: u32, milliseconds: u64) -> Arc<Frame> {
    let taken = Stamp::after_origin(Duration::from_millis(milliseconds));
    Arc::new(Frame { taken, ..Frame::clone(&picture(camera, number)) })
}

struct Rig {
    engine: Engine,
    replies: mpsc::Receiver<Replied>,
}

impl Rig {
    fn new(cameras: u32, prompts: &[Arc<Prompt>]) -> Self {
        let asked: Vec<_> = (0..cameras).flat_map(|c| prompts.iter().map(move |p| (camera(c), p.clone()))).collect();
        let worker = Worker::new(oracle(), &asked).unwrap();
        let (sender, replies) = mpsc::channel(64);
        Self { engine: Engine::start(worker, 16, sender).unwrap(), replies }
    }

    /// Hands windows over and waits for all their replies, so that none replaces another.
    fn ask(&mut self, windows: Vec<Window>) -> Vec<Replied> {
        let wanted: usize = windows.iter().map(|w| w.prompts.len()).sum();
        self.engine.offer(windows);
        (0..wanted).map(|_| self.replies.blocking_recv().expect("the engine lives")).collect()
    }

    /// Counts once the last batch has been counted too.
    fn counts(&self, replies: u64) -> Counts {
        loop {
            let counts = self.engine.counts();
            if counts.replies == replies {
                return counts;
            }
            std::thread::yield_now();
        }
    }
}

fn schedules(prompts: &[Arc<Prompt>], every_ms: u64) -> Vec<Schedule> {
    let window = Spec { frames: FRAMES, span: Duration::from_millis(3000) };
    let every = Duration::from_millis(every_ms);
    prompts.iter().map(|p| Schedule { prompt: p.name.clone(), every, window }).collect()
}

#[test]
fn each_prompt_is_asked_about_exactly_its_frames_at_their_true_times() {
    let slots = readouts("slots", &["f0", "f1", "f2", "f3", "camera", "count"]);
    let times = readouts("times", &["t0", "t1", "t2", "t3", "misplaced"]);
    let prompts = [slots, times];
    let mut rig = Rig::new(3, &prompts);
    let mut checked = 0;
    for c in 0..3 {
        let mut sampler = Sampler::new(camera(c), schedules(&prompts, 1000));
        // uneven, and one frame of the second camera never arrives
        for number in (0..14).filter(|&n| !(c == 1 && n == 6)) {
            let at = u64::from(number) * 1000 + u64::from(number * number * 37 % 300) + 20_000;
            let windows = sampler.offer(frame(c, number, at));
            let expected: Vec<_> = windows.iter().map(|w| w.frames.clone()).collect();
            for replied in rig.ask(windows) {
                let reply = replied.reply.unwrap();
                let newest = expected[0].last().unwrap().as_ref().unwrap().taken;
                for (slot, place) in expected[0].iter().enumerate() {
                    let of_prompt = replied.prompt.as_str();
                    let (word, truth) = match (of_prompt, place) {
                        ("slots", Some(frame)) => (format!("f{slot}"), frame.number as f64),
                        ("slots", None) => (format!("f{slot}"), -1.0),
                        (_, Some(frame)) => (format!("t{slot}"), -newest.since(frame.taken).as_secs_f64()),
                        (_, None) => (format!("t{slot}"), 1.0),
                    };
                    let said = read(&reply, &word);
                    assert!((said - truth).abs() < 0.01, "camera {c}, {of_prompt}, {word}: {said} is not {truth}");
                    checked += 1;
                }
                if replied.prompt.as_str() == "slots" {
                    assert!((read(&reply, "camera") - f64::from(c)).abs() < 0.01);
                    let present = expected[0].iter().flatten().count();
                    assert!((read(&reply, "count") - present as f64).abs() < 0.01);
                    assert_eq!((replied.seen.present, replied.seen.asked), (present, FRAMES));
                } else {
                    assert!(read(&reply, "misplaced").abs() < 0.01);
                }
            }
        }
    }
    assert!(checked > 200, "{checked} slots were checked");
}

/// The formula of the least work (frames encoded f, windows resampled w, prefill tokens Σ suffixes, and nothing else),
/// held equal to what was counted, whatever the number of prompts and windows.
#[test]
fn the_work_done_is_exactly_the_least_work() {
    for prompts in [1, 2, 5] {
        for cameras in [1, 3] {
            work_is_least(cameras, prompts);
        }
    }
}

fn work_is_least(cameras: u32, prompts: usize) {
    let closed = ["is it there", "is it here now", "is anybody at the door", "is this the scene please"];
    let mut asked: Vec<Arc<Prompt>> = closed[..prompts.min(4)]
        .iter()
        .enumerate()
        .map(|(i, ask)| prompt(&format!("p{i}"), ask, AnswerKind::YesNo))
        .collect();
    if prompts > 4 {
        asked.push(prompt("caption", "describe the scene", AnswerKind::Text { max_tokens: 20 }));
    }
    let mut rig = Rig::new(cameras, &asked);
    let before = rig.counts(0).work;
    let model = oracle();
    let language = model.template();
    let suffix = |p: &Arc<Prompt>| language.question(&p.ask).suffix.len() as u64;
    let prefix = language.question("").prefix.len() as u64;
    let blind: u64 = asked.iter().filter(|p| p.kind == AnswerKind::YesNo).map(suffix).sum();
    assert_eq!(before.prefix_tokens, prefix, "the text before the picture is run once, for all prompts and cameras");
    assert_eq!(before.prefill_tokens, blind, "the answer without the picture is computed once for each prompt");

    let mut samplers: BTreeMap<u32, Sampler> =
        (0..cameras).map(|c| (c, Sampler::new(camera(c), schedules(&asked, 2000)))).collect();
    let (mut windows, mut frames, mut replies, mut written) = (0, BTreeSet::new(), 0, 0);
    for number in 0..20 {
        let due: Vec<Window> = samplers
            .iter_mut()
            .flat_map(|(&c, sampler)| sampler.offer(frame(c, number, 1000 * u64::from(number) + 50_000)))
            .collect();
        windows += due.len() as u64;
        for window in &due {
            frames.extend(window.frames.iter().flatten().map(|f| (window.camera.clone(), f.number)));
        }
        for replied in rig.ask(due) {
            replies += 1;
            match replied.reply.unwrap() {
                Reply::Text { text, finished, .. } => {
                    assert!(finished && text.starts_with("saw "), "{text}");
                    written += text.split(' ').count() as u64;
                }
                Reply::Closed { evidence, .. } => assert!(evidence.abs() > 1.0, "the oracle answers from what it sees"),
                other => panic!("{other:?}"),
            }
        }
    }
    let after = rig.counts(replies);
    let suffixes: u64 = asked.iter().map(suffix).sum();
    let done = Work { calls: [0; 5], ..after.work };
    let least = Work {
        frames_encoded: frames.len() as u64,
        windows_resampled: windows,
        frames_resampled: 0,
        prefix_tokens: prefix,
        window_tokens: 0,
        prefill_tokens: blind + windows * suffixes,
        prefill_rows: before.prefill_rows + windows * asked.len() as u64,
        decode_tokens: written,
        forced_tokens: 0,
        appearance_frames: 0,
        comparisons: 0,
        calls: [0; 5],
    };
    assert_eq!(done, least, "{cameras} cameras, {prompts} prompts");
    assert_eq!(after.tally.replaced, 0);
    // cameras whose windows came together went through the graphs together
    assert!(after.work.calls[1] <= windows);
}

#[test]
fn words_the_model_never_saw_are_not_asked() {
    let prompts =
        [prompt("odd", "is a zeppelin there", AnswerKind::YesNo), prompt("even", "is it there", AnswerKind::YesNo)];
    let mut rig = Rig::new(1, &prompts);
    let mut sampler = Sampler::new(camera(0), schedules(&prompts, 1000));
    let mut replied = Vec::new();
    for number in 0..8 {
        let windows = sampler.offer(frame(0, number, 1000 * u64::from(number) + 9000));
        replied.extend(rig.ask(windows));
    }
    assert!(replied.len() > 4);
    for replied in replied {
        match (replied.prompt.as_str(), replied.reply.unwrap()) {
            ("odd", Reply::UnknownWords(words)) => assert_eq!(words, ["zeppelin"]),
            ("even", Reply::Closed { .. }) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_question_asked_once_is_answered_from_its_window_and_leaves_nothing_behind() {
    let standing = [readouts("slots", &["f0", "f3"])];
    let mut rig = Rig::new(1, &standing);
    let mut sampler = Sampler::new(camera(0), schedules(&standing, 1000));
    let mut replies = 0;
    for number in 0..6 {
        replies += rig.ask(sampler.offer(frame(0, number, 1000 * u64::from(number) + 20_000))).len() as u64;
    }
    let before = rig.counts(replies).work;
    let window = sampler.newest(Spec { frames: 2, span: Duration::from_millis(2000) }).unwrap();
    let frames: Vec<u32> = window.frames.iter().flatten().map(|frame| frame.number as u32).collect();
    assert_eq!(frames, [3, 5]);
    // under the name of a standing prompt even, which is then asked as before
    let once = readouts("slots", &["f0", "f1"]);
    let until = Stamp::now().later_by(Duration::from_secs(60));
    let replied = rig.engine.ask(window, Prompt::clone(&once), until).unwrap().blocking_recv().unwrap().unwrap();
    let reply = replied.reply.unwrap();
    assert!((read(&reply, "f0") - 3.0).abs() < 0.01 && (read(&reply, "f1") - 5.0).abs() < 0.01, "{reply:?}");
    assert_eq!(replied.seen.present, 2);
    let after = rig.counts(replies);
    assert_eq!(after.asks, 1);
    let encoded = after.work.frames_encoded - before.frames_encoded;
    assert_eq!((encoded, after.work.windows_resampled - before.windows_resampled), (0, 1), "its frames were known");
    let replied = rig.ask(sampler.offer(frame(0, 6, 26_000))).remove(0);
    assert!((read(&replied.reply.unwrap(), "f0") - 3.0).abs() < 0.01);

    let unknown = prompt("once", "is a zeppelin there", AnswerKind::YesNo);
    let window = sampler.newest(Spec { frames: 1, span: Duration::ZERO }).unwrap();
    let replied = rig.engine.ask(window, Prompt::clone(&unknown), until).unwrap().blocking_recv().unwrap().unwrap();
    assert_eq!(replied.reply.unwrap(), Reply::UnknownWords(vec!["zeppelin".to_owned()]));
}

#[test]
fn what_two_prompts_ask_alike_about_a_window_is_asked_once() {
    let [one, other, two] = [("one", ["f0", "camera"]), ("other", ["f0", "valid"]), ("two", ["f0", "camera"])]
        .map(|(n, w)| readouts(n, &w));
    let prompts = [&one, &other, &two];
    let asked: Vec<_> = (0..2).flat_map(|number| prompts.map(|prompt| (camera(number), Arc::clone(prompt)))).collect();
    let mut worker = Worker::new(oracle(), &asked).unwrap();
    assert_eq!(worker.work().prefill_rows, 2, "with the gates shut");
    let window = |number: u32| Window {
        camera: camera(number),
        spec: Spec { frames: 1, span: Duration::ZERO },
        frames: vec![Some(frame(number, 7, 9000))],
        prompts: prompts.map(|prompt| prompt.name.clone()).to_vec(),
    };
    let replied = worker.answer(&[0, 1].map(|number| Waiting { window: window(number), since: Stamp::now() }));
    assert_eq!(worker.work().prefill_rows, 2 + 4);
    for (number, of_camera) in (0..).zip(replied.chunks(3)) {
        let names: Vec<_> = of_camera.iter().map(|replied| replied.prompt.as_str()).collect();
        assert_eq!(names, ["one", "other", "two"]);
        for replied in [&of_camera[0], &of_camera[2]] {
            assert!((read(replied.reply.as_ref().unwrap(), "camera") - f64::from(number)).abs() < 0.01, "{replied:?}");
        }
        assert!((read(of_camera[1].reply.as_ref().unwrap(), "valid") - 1.0).abs() < 0.01, "{:?}", of_camera[1]);
    }
}

#[test]
fn a_text_before_the_picture_is_kept_for_as_long_as_a_prompt_has_it() {
    // the question stands before the picture, so each has a text of its own
    let copy = FolderCopy::with_manifest(|manifest| {
        manifest["prompt"]["question"] = serde_json::json!([
            { "token": "question:" }, { "slot": "question" }, { "token": "<image>" }, { "token": "answer:" }
        ]);
    });
    let model = Flamingo::load(copy.path(), &on_cpu()).unwrap();
    let [one, two, other] = [("one", "f0"), ("two", "count"), ("one", "valid")].map(|(n, word)| readouts(n, &[word]));
    let asked = [&one, &two].map(|prompt| (camera(0), Arc::clone(prompt)));
    let mut worker = Worker::new(model, &asked).unwrap();
    let ran = |worker: &mut Worker<Flamingo>, work: &dyn Fn(&mut Worker<Flamingo>)| {
        let before = worker.work().prefix_tokens;
        work(worker);
        worker.work().prefix_tokens > before
    };
    let once = |prompt: &Arc<Prompt>| {
        let prompt = Arc::clone(prompt);
        move |worker: &mut Worker<Flamingo>| {
            let window = Window {
                camera: camera(0),
                spec: Spec { frames: 1, span: Duration::ZERO },
                frames: vec![Some(frame(0, 1, 1000))],
                prompts: Vec::new(),
            };
            let replied = worker.ask_once(window, &prompt, Stamp::now()).unwrap();
            assert!(matches!(replied.reply, Ok(Reply::Closed { .. })), "{replied:?}");
        }
    };
    assert!(!ran(&mut worker, &once(&one)), "a standing prompt has it");
    for _ in 0..2 {
        assert!(ran(&mut worker, &once(&other)), "what was asked once is not kept");
    }
    let added = [Added { camera: camera(0), prompt: Arc::clone(&other), shown: None, taught: None }];
    worker.try_out(&added).unwrap();
    assert!(ran(&mut worker, &once(&other)), "nor what was tried out");
    worker.remove(&camera(0), &two.name);
    assert!(ran(&mut worker, &once(&two)), "nor what is asked no more");
    worker.add(&added).unwrap();
    assert!(!ran(&mut worker, &once(&other)));
    assert!(ran(&mut worker, &once(&one)), "nor what another prompt took the name of");
}

#[test]
fn a_window_whose_media_are_no_numbers_fails_alone() {
    // frames some seconds old get infinite times, and single frames, whose time is zero, do not
    let copy = FolderCopy::with_manifest(|manifest| {
        manifest["resampler"]["time"]["units_per_second"] = serde_json::json!(3e38);
    });
    let model = Flamingo::load(copy.path(), &on_cpu()).unwrap();
    let prompt = readouts("seen", &["f0", "camera"]);
    let asked: Vec<_> = (0..4).map(|number| (camera(number), Arc::clone(&prompt))).collect();
    let mut worker = Worker::new(model, &asked).unwrap();
    let window = |number: u32| {
        let older = (number == 2).then(|| frame(number, 1, 1000));
        let frames: Vec<_> = older.into_iter().chain([frame(number, 7, 9000)]).map(Some).collect();
        let spec = Spec { frames: frames.len(), span: Duration::from_secs(8) };
        let window = Window { camera: camera(number), spec, frames, prompts: vec![prompt.name.clone()] };
        Waiting { window, since: Stamp::now() }
    };
    let replied = worker.answer(&(0..4).map(window).collect::<Vec<_>>());
    assert_eq!(replied.len(), 4);
    for (number, Replied { camera: of, reply, .. }) in (0..).zip(&replied) {
        assert_eq!(*of, camera(number));
        match reply {
            Err(reason) => assert!(number == 2 && reason.contains("media is not a number"), "{number}: {reason}"),
            Ok(reply) => {
                assert_ne!(number, 2, "{reply:?}");
                assert!((read(reply, "camera") - f64::from(number)).abs() < 0.01, "{number}: {reply:?}");
            }
        }
    }
}
