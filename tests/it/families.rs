//! Models whose media are single frames (Llama-3.2-Vision's way, MOSS-VL's, OpenFlamingo's interleaved one), from frames to
//! replies: what each prompt was really asked about, bit by bit, and that nothing is done twice.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use wader::{
    engine::{Waiting, Worker},
    frame::{Frame, Stamp},
    model::{Ended, Flamingo, Gates, Manifest, Model, PromptIds, Row, Template, Work},
    name::{CameraName, PromptName},
    prompt::{AnswerKind, Prompt, Reply},
    window::{Spec, Window},
};

use crate::support::model::{FolderCopy, family_folder, on_cpu, picture, readouts, texts};

const FRAMES: usize = 4;

fn family(name: &str) -> Flamingo {
    Flamingo::load(&family_folder(name), &on_cpu()).unwrap()
}

/// A family's model whose manifest was changed.
fn changed(name: &str, change: impl FnOnce(&mut serde_json::Value)) -> Flamingo {
    let copy = FolderCopy::of(&family_folder(name));
    copy.change_manifest(change);
    Flamingo::load(copy.path(), &on_cpu()).unwrap()
}

/// The oracle that sees each frame by itself, the latest only, as OpenFlamingo's interleaved pictures.
fn interleaved() -> Flamingo {
    changed("oracle", |manifest| {
        manifest["resampler"]["scope"] = "frame".into();
        manifest["resampler"]["frame_mode"] = "interleaved".into();
        manifest["resampler"]["max_frames"] = 4.into();
        manifest["prompt"]["frame"] = serde_json::json!([{ "text": "scene" }, { "token": "<image>" }]);
        for text in ["question", "caption"] {
            manifest["prompt"][text][1] = serde_json::json!({ "slot": "frames" });
        }
    })
}

/// MOSS-VL's way with the question before the frames.
fn question_first() -> Flamingo {
    changed("position", |manifest| {
        manifest["prompt"]["question"] = serde_json::json!([
            { "token": "question:" }, { "slot": "question" }, { "slot": "frames" }, { "token": "answer:" },
        ]);
    })
}

fn camera(number: u32) -> CameraName {
    CameraName::new(&format!("camera{number}")).unwrap()
}

fn asking(name: &str, ask: &str, kind: AnswerKind) -> Arc<Prompt> {
    Arc::new(Prompt { name: PromptName::new(name).unwrap(), ask: ask.to_owned(), also: Vec::new(), kind })
}

/// Asks for these readouts of the oracle; `reference` reads 0, so the others can be told.
fn telling(name: &str, words: &[&str]) -> Arc<Prompt> {
    let labels: Vec<String> = words.iter().chain(&["reference"]).map(|w| (*w).to_owned()).collect();
    asking(name, &labels.join(" "), AnswerKind::Choice(labels))
}

fn read(reply: &Reply, word: &str) -> f64 {
    let Reply::Closed { scores, .. } = reply else { panic!("{reply:?} is not scored") };
    let share = |label: &str| scores.iter().find(|s| s.label == label).unwrap().share;
    (share(word) / share("reference")).ln()
}

/// What is seen of a window, and what was said of it, in the words of these prompts.
const SEEN: [&str; 5] = ["f0", "f1", "f2", "f3", "camera"];
const PLACES: [&str; 7] = ["t0", "t1", "t2", "t3", "prompt", "cached", "misplaced"];

thread_local! {
    /// The frames that were taken in this test, held as whoever makes windows of them holds them.
    static TAKEN: RefCell<HashMap<(u32, u32, u64), Arc<Frame>>> = RefCell::default();
}

/// A camera's frame, taken after so many milliseconds.
fn frame(camera: u32, number: u32, milliseconds: u64) -> Arc<Frame> {
    let taken = Stamp::after_origin(Duration::from_millis(milliseconds));
    let new = || Arc::new(Frame { taken, ..Frame::clone(&picture(camera, number)) });
    TAKEN.with_borrow_mut(|all| Arc::clone(all.entry((camera, number, milliseconds)).or_insert_with(new)))
}

/// A window of the frames with these numbers, each taken a second and a bit after the one before.
fn window(of: u32, numbers: &[Option<u32>], prompts: &[Arc<Prompt>]) -> Window {
    let taken = |number: u32| u64::from(number) * 1000 + u64::from(number * number * 37 % 300);
    Window {
        camera: camera(of),
        spec: Spec { frames: numbers.len(), span: Duration::from_secs(numbers.len() as u64 - 1) },
        frames: numbers.iter().map(|number| number.map(|number| frame(of, number, taken(number)))).collect(),
        prompts: prompts.iter().map(|prompt| prompt.name.clone()).collect(),
    }
}

/// Times in seconds from the newest frame, as the model is given them.
fn times(window: &Window) -> Vec<f32> {
    let newest = window.newest().unwrap().taken;
    window.frames.iter().flatten().map(|frame| -newest.since(frame.taken).as_secs_f32()).collect()
}

/// The position at which each picture begins, and what the oracle knows the text by: the sum of (id + 1)(position + 1).
fn places(model: &Flamingo, ids: &[u32]) -> (Vec<f64>, f64) {
    let (image, advance) = (model.manifest().tokens.image, model.manifest().positions.image_advance as u64);
    let (mut position, mut begins, mut sum) = (0, Vec::new(), 0);
    for &id in ids {
        if id == image {
            begins.push(position as f64);
        }
        position += if id == image { advance } else { 1 };
        sum += (u64::from(id) + 1) * position;
    }
    (begins, (sum % 61) as f64)
}

/// A worker, and the model again, to ask what texts it makes.
struct Rig {
    worker: Worker<Flamingo>,
    model: Flamingo,
    prompts: Vec<Arc<Prompt>>,
}

impl Rig {
    fn new(model: impl Fn() -> Flamingo, cameras: u32, prompts: &[Arc<Prompt>]) -> Self {
        let asked: Vec<_> = (0..cameras).flat_map(|c| prompts.iter().map(move |p| (camera(c), p.clone()))).collect();
        Self { worker: Worker::new(model(), &asked).unwrap(), model: model(), prompts: prompts.to_vec() }
    }

    fn ids(&self, prompt: &Prompt) -> PromptIds {
        self.model.template().question(&prompt.ask)
    }

    /// The text of a prompt about a window: all of it, and how much of it comes as K/V.
    fn text(&self, prompt: &Prompt, window: &Window, shared: bool) -> (Vec<u32>, usize) {
        let PromptIds { prefix, close, suffix } = self.ids(prompt);
        let frames = self.model.template().frames(&times(window));
        let window_text = [frames, close.unwrap_or_default()].concat();
        let cached = prefix.len() + if shared { window_text.len() } else { 0 };
        ([prefix, window_text, suffix].concat(), cached)
    }

    /// Asks about these windows together, and holds what each prompt was given against what it should be given.
    fn check(&mut self, windows: &[Window], shared: bool) {
        let since = Stamp::after_origin(Duration::ZERO);
        let waiting: Vec<_> = windows.iter().map(|window| Waiting { window: window.clone(), since }).collect();
        let mut replied = self.worker.answer(&waiting).into_iter();
        for window in windows {
            for name in &window.prompts {
                let reply = replied.next().unwrap().reply.unwrap();
                let prompt = self.prompts.iter().find(|prompt| prompt.name == *name).unwrap();
                self.check_one(prompt, window, &reply, shared);
            }
        }
    }

    fn check_one(&self, prompt: &Prompt, window: &Window, reply: &Reply, shared: bool) {
        let numbers: Vec<f64> =
            window.frames.iter().flatten().map(|frame| f64::from(frame.number as u32 & 63)).collect();
        let at = format!("`{}` of {} about {numbers:?}", prompt.name, window.camera);
        let (ids, cached) = self.text(prompt, window, shared);
        let (begins, sum) = places(&self.model, &ids);
        assert_eq!(begins.len(), numbers.len(), "{at}: a picture token for each frame");
        let is_close = |word: &str, expected: f64| {
            let said = read(reply, word);
            assert!((said - expected).abs() < 0.01, "{at}: {word} is {said}, not {expected}");
        };
        let slot = |values: &[f64], slot: usize| values.get(slot).copied().unwrap_or(-1.0);
        match prompt.name.as_str() {
            "seen" => {
                (0..FRAMES).for_each(|n| is_close(SEEN[n], slot(&numbers, n)));
                is_close("camera", window.camera.as_str().trim_start_matches("camera").parse().unwrap());
            }
            "places" => {
                if self.model.media().rule == wader::model::MediaRule::Position {
                    (0..FRAMES).for_each(|n| is_close(PLACES[n], slot(&begins, n)));
                }
                is_close("prompt", sum);
                is_close("cached", cached as f64);
                is_close("misplaced", 0.0);
            }
            "caption" => {
                let Reply::Text { text, finished, .. } = reply else { panic!("{at}: {reply:?}") };
                let counts = ["none", "one", "two", "three", "four"];
                assert_eq!(
                    (text.as_str(), *finished),
                    (format!("saw {} frames", counts[numbers.len()]).as_str(), true)
                );
            }
            other => panic!("{other}"),
        }
    }
}

fn all_prompts() -> [Arc<Prompt>; 3] {
    let caption = asking("caption", "describe the scene", AnswerKind::Text { max_tokens: 20 });
    [telling("seen", &SEEN), telling("places", &PLACES), caption]
}

/// Three cameras whose windows slide, one of them with a gap; each step is one batch.
fn steps(prompts: &[Arc<Prompt>]) -> Vec<Vec<Window>> {
    let of = |newest: u32, c: u32| {
        let number = |slot: u32| (newest + slot).checked_sub(3).filter(|n| c != 1 || *n != 5);
        window(c, &[0, 1, 2, 3].map(number), prompts)
    };
    (0..9).map(|newest| (0..3).map(|c| of(newest, c)).filter(|w| w.newest().is_some()).collect()).collect()
}

#[test]
fn each_prompt_is_asked_about_exactly_its_frames_in_their_order_at_their_places_and_nothing_is_done_twice() {
    for (name, shared) in [("span", true), ("position", true), ("question first", false)] {
        let model = || if name == "question first" { question_first() } else { family(name) };
        let prompts = all_prompts();
        let mut rig = Rig::new(model, 3, &prompts);
        let before = rig.worker.work();
        let prefixes: BTreeSet<Vec<u32>> = prompts.iter().map(|prompt| rig.ids(prompt).prefix).collect();
        assert_eq!(before.prefix_tokens, prefixes.iter().map(|ids| ids.len() as u64).sum::<u64>(), "{name}");
        assert_eq!(before.prefill_tokens, 0, "{name}: without a window there is no text to be blind to");

        let (mut windows, mut frames, mut forms) = (0, BTreeSet::new(), BTreeSet::new());
        let (mut of_windows, mut of_rows) = (0, 0);
        for batch in steps(&prompts) {
            rig.check(&batch, shared);
            for window in &batch {
                windows += 1;
                forms.insert(window.spec);
                frames.extend(window.frames.iter().flatten().map(|frame| (window.camera.clone(), frame.number)));
                let close = rig.ids(&prompts[0]).close.unwrap().len();
                let text = (rig.model.template().frames(&times(window)).len() + close) as u64;
                let suffixes: u64 = prompts.iter().map(|prompt| rig.ids(prompt).suffix.len() as u64).sum();
                of_windows += if shared { text } else { 0 };
                of_rows += suffixes + if shared { 0 } else { 3 * text };
            }
        }
        assert_eq!(forms.len(), 1);
        // with the gates shut each closed prompt is asked once, whatever the number of cameras and windows
        let even: Vec<f32> = (0..FRAMES).rev().map(|n| -(n as f32)).collect();
        let blind_text = rig.model.template().frames(&even).len();
        let of_blind = |prompt: &Arc<Prompt>| {
            let ids = rig.ids(prompt);
            (blind_text + ids.close.unwrap().len() + ids.suffix.len()) as u64
        };
        let blind: u64 = prompts[..2].iter().map(of_blind).sum();
        let after = rig.worker.work();
        let least = Work {
            frames_encoded: frames.len() as u64,
            frames_resampled: frames.len() as u64,
            prefix_tokens: before.prefix_tokens,
            window_tokens: of_windows,
            prefill_tokens: blind + of_rows,
            prefill_rows: 2 + 3 * windows,
            decode_tokens: 3 * windows,
            calls: after.calls,
            ..Work::default()
        };
        assert_eq!(after, least, "{name}");
    }
}

#[test]
fn of_interleaved_pictures_the_latest_is_seen_and_all_are_in_the_text() {
    let prompts = [telling("places", &["f0", "f1", "prompt", "cached", "misplaced"])];
    let mut worker = Worker::new(interleaved(), &[(camera(0), prompts[0].clone())]).unwrap();
    let model = interleaved();
    for newest in 3..8 {
        let window = window(0, &[0, 1, 2, 3].map(|slot| Some(newest + slot - 3)), &prompts);
        let since = Stamp::after_origin(Duration::ZERO);
        let reply = worker.answer(&[Waiting { window: window.clone(), since }]).remove(0).reply.unwrap();
        let PromptIds { prefix, close, suffix } = model.template().question(&prompts[0].ask);
        let cached = prefix.len() as f64;
        let text = [prefix, model.template().frames(&times(&window)), close.unwrap(), suffix].concat();
        let (begins, sum) = places(&model, &text);
        assert_eq!(begins.len(), 4);
        let expected =
            [("f0", f64::from(newest)), ("f1", -1.0), ("prompt", sum), ("cached", cached), ("misplaced", 0.0)];
        for (word, expected) in expected {
            let said = read(&reply, word);
            assert!((said - expected).abs() < 0.01, "{word} is {said}, not {expected}");
        }
    }
    let work = worker.work();
    assert_eq!((work.frames_encoded, work.frames_resampled, work.windows_resampled), (8, 8, 0));
    assert_eq!(work.window_tokens, 0, "a single prompt has nobody to share its window's text with");
}

/// One picture a window, as a model that was trained on pictures only is given.
#[test]
fn a_model_of_single_pictures_is_given_the_newest() {
    let single = || {
        changed("oracle", |manifest| {
            manifest["resampler"]["scope"] = "frame".into();
            manifest["resampler"]["frame_mode"] = "single".into();
            manifest["resampler"]["max_frames"] = 1.into();
            manifest["limits"]["max_media_per_call"] = 1.into();
        })
    };
    let prompts = [telling("one", &["f0", "f1", "camera", "misplaced"]), telling("two", &["f0", "count"])];
    let asked: Vec<_> = (0..2).flat_map(|c| prompts.iter().map(move |p| (camera(c), p.clone()))).collect();
    let mut worker = Worker::new(single(), &asked).unwrap();
    let before = worker.work();
    let since = Stamp::after_origin(Duration::ZERO);
    let waiting: Vec<_> = (0..2).map(|c| Waiting { window: window(c, &[Some(20 + c)], &prompts), since }).collect();
    let replied: Vec<Reply> = worker.answer(&waiting).into_iter().map(|replied| replied.reply.unwrap()).collect();
    for (c, pair) in replied.chunks(2).enumerate() {
        let said = ["f0", "f1", "camera", "misplaced"].map(|word| read(&pair[0], word).round());
        assert_eq!(said, [20.0 + c as f64, -1.0, c as f64, 0.0]);
        assert_eq!([read(&pair[1], "f0").round(), read(&pair[1], "count").round()], [20.0 + c as f64, 1.0]);
    }
    let work = worker.work();
    // each camera's picture in a call of its own: the model takes one medium a call
    assert_eq!(work.calls[2] - before.calls[2], 2);
    assert_eq!((work.frames_encoded, work.frames_resampled, work.prefill_rows - before.prefill_rows), (2, 2, 4));
}

#[test]
fn frames_that_windows_of_other_forms_hold_are_shared_too() {
    let prompts = all_prompts();
    let mut rig = Rig::new(|| family("position"), 1, &prompts);
    let long = window(0, &[Some(0), Some(2), Some(4), Some(6)], &prompts);
    let short =
        Window { spec: Spec { frames: 2, span: Duration::from_secs(2) }, ..window(0, &[Some(4), Some(6)], &prompts) };
    rig.check(&[long, short], true);
    let work = rig.worker.work();
    assert_eq!((work.frames_encoded, work.frames_resampled), (4, 4));
    // and what is kept serves the next window
    rig.check(&[window(0, &[Some(2), Some(4), Some(6), Some(8)], &prompts)], true);
    assert_eq!(rig.worker.work().frames_resampled, 5);
}

#[test]
fn frames_that_no_window_reaches_back_to_are_forgotten() {
    let prompts = [telling("seen", &SEEN)];
    let mut rig = Rig::new(|| family("span"), 1, &prompts);
    let frames = |first: u32| [0, 1, 2, 3].map(|slot| Some(first + slot));
    rig.check(&[window(0, &frames(0), &prompts)], false);
    rig.check(&[window(0, &frames(20), &prompts)], false);
    assert_eq!(rig.worker.work().frames_resampled, 8);
    // the same numbers again are other work: nothing was kept of them
    rig.check(&[window(0, &frames(0), &prompts)], false);
    assert_eq!(rig.worker.work().frames_resampled, 12);
}

#[test]
fn a_window_that_is_asked_about_once_is_answered_as_any_other() {
    let prompts = all_prompts();
    let mut rig = Rig::new(|| family("position"), 1, &prompts);
    let since = Stamp::after_origin(Duration::ZERO);
    let window = window(0, &[Some(7), None, Some(9), Some(10)], &[]);
    let replied = rig.worker.ask_once(window.clone(), &prompts[1], since).unwrap();
    rig.check_one(&prompts[1], &window, &replied.reply.unwrap(), false);
}

/// What a model of a family makes of a batch whose rows differ in all that can differ.
#[test]
fn a_batch_equals_its_rows_alone_whatever_the_padding_and_the_media_of_others() {
    for name in ["span", "position"] {
        let mut model = family(name);
        let frames: Vec<_> = (0..4).map(|number| picture(number % 2, 10 + number)).collect();
        let features = model.encode(&frames).unwrap();
        let media = model.resample_frames(&features).unwrap();
        let bank = model.bank(&media.iter().collect::<Vec<_>>()).unwrap();
        let image = model.manifest().tokens.image;
        let words = ["f0", "f1", "prompt", "misplaced", "seq"];
        let prompt = model.template().question(&format!("{} reference", words.join(" ")));
        let prefix = model.prefix(&prompt.prefix).unwrap();
        let rows: Vec<Row> = [vec![0, 1], vec![2], vec![], vec![1, 2, 3]]
            .into_iter()
            .map(|media: Vec<usize>| {
                let ids = [vec![image; media.len()], prompt.suffix.clone()].concat();
                Row { media, read: vec![ids.len() - 1], ids }
            })
            .collect();
        let together = model.score(&prefix, Some(&bank), &rows, Gates::Open).unwrap();
        let numbers = [[10.0, 11.0], [12.0, -1.0], [0.0, 0.0], [11.0, 12.0]];
        for ((row, scores), expected) in rows.iter().zip(&together).zip(numbers) {
            let alone = model.score(&prefix, Some(&bank), std::slice::from_ref(row), Gates::Open).unwrap();
            assert_eq!(scores, &alone[0], "{name}: {:?}", row.media);
            let said = readouts(&model, &scores[0], &words);
            assert_eq!(said[..2], expected, "{name}: {:?}", row.media);
            let whole = [prompt.prefix.as_slice(), &row.ids].concat();
            assert_eq!(said[2..4], [places(&model, &whole).1, 0.0], "{name}: {:?}", row.media);
            // run on from a window's text that was kept, it is the same
            let (head, rest) = row.ids.split_at(row.media.len());
            if !head.is_empty() {
                let head = Row { media: row.media.clone(), ids: head.to_vec(), read: Vec::new() };
                let kept = model.extend(&prefix, &bank, &head).unwrap();
                let rest = Row { media: Vec::new(), read: vec![rest.len() - 1], ids: rest.to_vec() };
                assert_eq!(model.score(&kept, Some(&bank), &[rest], Gates::Open).unwrap()[0], alone[0], "{name}");
            }
        }
        let shut = model.score(&prefix, None, &rows[..1], Gates::Shut);
        assert!(shut.unwrap_err().to_string().contains("names row 0 of the media, and 0 were given"));
        let blind = Row { media: Vec::new(), ..rows[0].clone() };
        let shut = model.score(&prefix, None, &[blind], Gates::Shut).unwrap();
        let seen = readouts(&model, &together[0][0], &words);
        assert_eq!(readouts(&model, &shut[0][0], &words), [&[0.0, 0.0], &seen[2..]].concat(), "{name}: the text stays");
    }
}

#[test]
fn a_text_ends_with_any_of_its_end_tokens_and_says_what_was_seen() {
    for name in ["span", "position"] {
        let mut model = family(name);
        let features = model.encode(&[picture(1, 5), picture(1, 6)]).unwrap();
        let media = model.resample_frames(&features).unwrap();
        let bank = model.bank(&media.iter().collect::<Vec<_>>()).unwrap();
        let PromptIds { prefix, close, suffix } = model.template().question("describe prompt");
        let ids = [model.template().frames(&[-1.0, 0.0]), close.unwrap(), suffix].concat();
        let kept = model.prefix(&prefix).unwrap();
        let row = Row { media: vec![0, 1], ids: ids.clone(), read: Vec::new() };
        let written = model.generate(&kept, &bank, &texts(&[row], 20)).unwrap().remove(0);
        assert_eq!(written.ended, Ended::Itself, "{name}");
        // the last word hangs on every token and position before it, those that were written among them
        let before = [prefix, ids, written.ids[..3].to_vec()].concat();
        let image = model.manifest().tokens.image;
        let advance = model.manifest().positions.image_advance as u64;
        let sum = before.iter().fold((0, 0), |(position, sum), &id| {
            let position = position + if id == image { advance } else { 1 };
            (position, sum + (u64::from(id) + 1) * position)
        });
        assert_eq!(model.template().decode(&written.ids), format!("saw two frames f{}", sum.1 % 16), "{name}");
    }
}

#[test]
fn times_are_written_into_the_text_as_the_manifest_says() {
    let model = family("position");
    let said = model.template().frames(&[-3.26, -1.0, 0.0]);
    let text: Vec<String> = said.iter().map(|&id| model.template().decode(&[id])).collect();
    let words: Vec<&str> = text.iter().map(String::as_str).filter(|word| !word.is_empty()).collect();
    assert_eq!(words, ["0", ".", "0", "seconds", "2", ".", "3", "seconds", "3", ".", "3", "seconds"]);
    assert_eq!(said.iter().filter(|&&id| id == model.manifest().tokens.image).count(), 3);
    // nothing a user writes becomes a frame
    let asked = model.template().question("<image> <time> is it there </time>");
    let image = model.manifest().tokens.image;
    assert!(!asked.prefix.iter().chain(&asked.suffix).any(|&id| id == image));
}

#[test]
fn media_that_do_not_fit_the_rule_or_the_call_are_refused_in_words() {
    let mut model = family("span");
    let features = model.encode(&[picture(0, 1), picture(0, 2), picture(0, 3)]).unwrap();
    let media = model.resample_frames(&features).unwrap();
    let bank = model.bank(&media.iter().collect::<Vec<_>>()).unwrap();
    let (image, empty) = (model.manifest().tokens.image, model.prefix(&[]).unwrap());
    let apart = Row { media: vec![0, 2], ids: vec![image, image], read: vec![1] };
    let refusal = model.score(&empty, Some(&bank), &[apart], Gates::Open).unwrap_err().to_string();
    assert!(refusal.contains("must be neighbours"), "{refusal}");
    let many: Vec<_> = media.iter().cycle().take(9).collect();
    assert!(model.bank(&many).unwrap_err().to_string().contains("9 media in one call, and 1 to 8 can be"));
    assert!(model.resample(&[]).unwrap_err().to_string().contains("takes single frames"));
    let mut oracle = crate::support::model::oracle();
    assert!(oracle.resample_frames(&features).unwrap_err().to_string().contains("takes whole windows"));
}

#[test]
fn manifests_whose_parts_do_not_go_together_are_refused() {
    let refusal = |name: &str, change: fn(&mut serde_json::Value)| {
        let copy = FolderCopy::of(&family_folder(name));
        copy.change_manifest(change);
        copy.refusal().to_string().replace(&copy.path().display().to_string(), "FOLDER")
    };
    let refusals: BTreeMap<&str, String> = [
        ("a grouped window of the latest", refusal("span", |m| m["decoder"]["media_rule"] = "latest".into())),
        ("another rule's graph", refusal("span", |m| m["decoder"]["media_rule"] = "position".into())),
        ("frames as one window", refusal("span", |m| m["resampler"]["frame_mode"] = "timed".into())),
        ("several frames of one", refusal("span", |m| m["resampler"]["frame_mode"] = "single".into())),
        ("windows that fit no call", refusal("span", |m| m["limits"]["max_media_per_call"] = 3.into())),
        ("no way to write frames", refusal("span", |m| m["prompt"]["frame"] = serde_json::json!([]))),
        (
            "a frame of two pictures",
            refusal("span", |m| {
                m["prompt"]["frame"] = serde_json::json!([{ "token": "<image>" }, { "token": "<image>" }]);
            }),
        ),
        (
            "stamps without a time",
            refusal("position", |m| {
                m["prompt"]["time"] = serde_json::Value::Null;
                m["prompt"]["frame"] = serde_json::json!([{ "token": "<image>" }]);
            }),
        ),
        (
            "a time in the question",
            refusal("position", |m| m["prompt"]["question"][0] = serde_json::json!({ "slot": "time" })),
        ),
        ("a picture of no length", refusal("position", |m| m["positions"]["image_advance"] = 0.into())),
        ("an end that cannot be written", refusal("span", |m| m["tokens"]["eos"][1] = m["tokens"]["image"].clone())),
        (
            "a picture that cannot be read",
            refusal("span", |m| m["decoder"]["embed_rows"] = m["decoder"]["vocab"].clone()),
        ),
        (
            "half a tile",
            refusal("span", |m| {
                m["vision"]["canvas"] = serde_json::json!({
                    "tiles": [1, 2], "resize": "bilinear_antialias", "padding": [0, 0, 0], "multiple": 30
                });
            }),
        ),
    ]
    .into();
    let all: Vec<String> = refusals.into_iter().map(|(what, words)| format!("{what}: {words}")).collect();
    insta::assert_snapshot!(all.join("\n"));
}

/// As in training, where the whole text is encoded in one: in a vocabulary of bytes `Question: yes` has the token `Ġyes`.
#[test]
fn a_space_before_the_question_is_encoded_with_its_first_word() {
    let question = |parts: serde_json::Value, asked: &str| {
        let copy = FolderCopy::of(&family_folder("random-open-flamingo"));
        copy.change_manifest(|manifest| manifest["prompt"]["question"] = parts);
        let manifest = Manifest::read(copy.path()).unwrap();
        Template::load(copy.path(), &manifest).unwrap().question(asked).suffix
    };
    let parts = |text: &str| serde_json::json!([{ "token": "<image>" }, { "text": text }, { "slot": "question" }]);
    let whole = question(serde_json::json!([{ "token": "<image>" }, { "slot": "question" }]), "Question: yes");
    assert_eq!(question(parts("Question: "), "yes"), whole);
    assert_eq!(question(parts("Question:"), " yes"), whole);
    assert_ne!(question(parts("Question:"), "yes"), whole);
}
