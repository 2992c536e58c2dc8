//! When answers hold on, and when the model is asked again.

use super::*;
use crate::{frame::Size, prompt::Reply};

const SIZE: Size = Size { width: 100, height: 60 }; // no whole number of blocks

/// What stands before a grey wall: this much brighter than it is, so many pixels wide and high.
type Thing = (u8, u32, u32);

fn frame(number: u64, thing: Option<Thing>) -> Arc<Frame> {
    let mut noise = fastrand::Rng::with_seed(number);
    let mut pixel = |x: u32, y: u32| {
        let there = thing.filter(|(_, wide, high)| (40..40 + wide).contains(&x) && (20..20 + high).contains(&y));
        [100 + there.map_or(0, |(brighter, ..)| brighter); 3].map(|grey| grey + noise.u8(0..12))
    };
    let pixels: Vec<u8> =
        (0..SIZE.height).flat_map(|y| (0..SIZE.width).map(move |x| (x, y))).flat_map(|(x, y)| pixel(x, y)).collect();
    Arc::new(Frame { number, taken: at(number), size: SIZE, pixels: pixels.into() })
}

fn at(second: u64) -> Stamp {
    Stamp::after_origin(Duration::from_secs(second))
}

fn prompt(name: &str) -> PromptName {
    PromptName::new(name).unwrap()
}

/// A camera that gives a frame a second, windows of three, and a model that answers with the number of the newest frame.
struct Rig {
    unchanged: Unchanged,
    camera: CameraName,
    frames: Vec<Arc<Frame>>,
}

impl Rig {
    fn new() -> Self {
        Self { unchanged: Unchanged::default(), camera: CameraName::new("door").unwrap(), frames: Vec::new() }
    }

    /// The next frame, and what is answered of the window that it ends.
    fn next(&mut self, thing: Option<Thing>, prompts: &[&str]) -> Vec<String> {
        let number = self.frames.last().map_or(0, |frame| frame.number + 1);
        self.take(frame(number, thing), prompts)
    }

    fn take(&mut self, frame: Arc<Frame>, prompts: &[&str]) -> Vec<String> {
        self.frames.push(frame);
        let from = self.frames.len().saturating_sub(3);
        self.ask(self.frames[from..].iter().cloned().map(Some).collect(), prompts)
    }

    /// A window of these frames that these prompts ask about.
    fn waiting(&self, frames: Vec<Option<Arc<Frame>>>, prompts: &[&str]) -> Vec<Waiting> {
        let spec = Spec { frames: 3, span: Duration::from_secs(2) };
        let prompts = prompts.iter().map(|name| prompt(name)).collect();
        vec![Waiting { window: Window { camera: self.camera.clone(), spec, frames, prompts }, since: at(0) }]
    }

    /// The number of the newest frame that the model was asked about, for each prompt; with a star, if it was asked now.
    fn ask(&mut self, frames: Vec<Option<Arc<Frame>>>, prompts: &[&str]) -> Vec<String> {
        let mut waiting = self.waiting(frames, prompts);
        let mut all = self.unchanged.settle(&mut waiting);
        let replied =
            waiting.iter().flat_map(|waiting| waiting.window.prompts.iter().map(|p| answer(&waiting.window, p)));
        let replied: Vec<_> = replied.collect();
        self.unchanged.learn(&waiting, &replied);
        all.extend(replied);
        all.sort_by(|a, b| a.prompt.cmp(&b.prompt));
        all.iter().map(told).collect()
    }
}

fn answer(window: &Window, prompt: &PromptName) -> Replied {
    let text = window.newest().unwrap().number.to_string();
    let reply = match prompt.as_str() {
        "broken" => Err("out of memory".to_owned()),
        _ => Ok(Reply::Text { text, finished: true, probability: 1.0 }),
    };
    Replied {
        camera: window.camera.clone(),
        prompt: prompt.clone(),
        asked: None,
        reply,
        seen: Seen::of(window),
        newest: window.newest_of(1),
        spent: Spent::default(),
        done: at(0),
        unchanged_since: None,
        by_lesson: false,
    }
}

fn told(replied: &Replied) -> String {
    let star = if replied.unchanged_since.is_none() { "*" } else { "" };
    match &replied.reply {
        Ok(Reply::Text { text, .. }) => {
            if let Some(since) = replied.unchanged_since {
                assert_eq!(since, at(text.parse().unwrap()));
            }
            format!("{text}{star}")
        }
        other => format!("{other:?}{star}"),
    }
}

#[test]
fn what_holds_on_is_said_again_until_something_comes_and_after_it_has_gone() {
    let mut rig = Rig::new();
    let person = Some((40, 8, 20));
    let said: Vec<_> = [None, None, None, None, person, None, None, None, None]
        .into_iter()
        .flat_map(|thing| rig.next(thing, &["p"]))
        .collect();
    // the first two windows have fewer frames; then each window with the person, the first without, and no more
    assert_eq!(said, ["0*", "1*", "2*", "2", "4*", "5*", "6*", "7*", "7"]);
}

#[test]
fn a_reply_is_about_the_window_that_was_asked_about() {
    let mut rig = Rig::new();
    (0..3).for_each(|_| drop(rig.next(None, &["p"])));
    rig.frames.push(frame(3, None));
    let frames = rig.frames[1..].iter().cloned().map(Some).collect();
    let mut waiting = rig.waiting(frames, &["p"]);
    let replied = rig.unchanged.settle(&mut waiting).pop().unwrap();
    assert!(waiting.is_empty());
    assert_eq!((replied.seen.first, replied.seen.last, replied.seen.present), (at(1), at(3), 3));
    assert_eq!(replied.newest.iter().map(|frame| frame.number).collect::<Vec<_>>(), [3]);
}

#[test]
fn each_answer_is_held_against_the_picture_that_it_was_about() {
    let mut rig = Rig::new();
    let brighter = |by: u8| Some((by, 40, 30));
    (0..3).for_each(|_| drop(rig.next(None, &["early"])));
    assert_eq!(rig.next(brighter(15), &["early", "late"]), ["2", "3*"], "a step that noise could be");
    assert_eq!(rig.next(brighter(30), &["early", "late"]), ["4*", "3"], "two of them since the early one was asked");
}

#[test]
fn what_is_small_or_faint_is_a_change_unless_noise_could_be_it() {
    for (thing, changes) in [((60, 6, 12), true), ((30, 9, 16), true), ((60, 1, 1), false), ((12, 40, 40), false)] {
        let mut rig = Rig::new();
        (0..4).for_each(|_| drop(rig.next(None, &["p"])));
        assert_eq!(rig.next(Some(thing), &["p"]) == ["4*"], changes, "{thing:?}");
    }
}

#[test]
fn in_the_dark_less_is_a_change() {
    let dark = |thing| {
        let bright = frame(0, thing);
        let pixels: Vec<u8> = bright.pixels.iter().map(|pixel| pixel / 4).collect();
        Look::of(&Frame { pixels: pixels.into(), ..(*bright).clone() })
    };
    let empty = dark(None);
    assert!(!dark(Some((60, 8, 20))).is_like(&empty) && dark(Some((20, 8, 20))).is_like(&empty));
}

#[test]
fn light_that_changes_slowly_is_noticed_in_time() {
    let mut rig = Rig::new();
    let light = |second: u64| Some(((second / 8) as u8, SIZE.width, SIZE.height));
    let said: Vec<_> = (0..160).map(|second| rig.next(light(second), &["p"]).pop().unwrap()).collect();
    let asked = said.iter().filter(|said| said.ends_with('*')).count();
    assert!((4..=8).contains(&asked), "{said:?}");
}

#[test]
fn prompts_of_one_form_hold_on_each_for_itself_and_failures_do_not() {
    let mut rig = Rig::new();
    (0..3).for_each(|_| drop(rig.next(None, &["a"])));
    assert_eq!(rig.next(None, &["a", "b"]), ["2", "3*"]);
    assert_eq!(rig.next(None, &["a", "b"]), ["2", "3"]);
    for _ in 0..2 {
        let said = rig.next(None, &["a", "broken"]);
        assert!(said[0] == "2" && said[1].contains("out of memory") && said[1].ends_with('*'), "{said:?}");
    }
    rig.unchanged.forget_prompt(&rig.camera.clone(), &prompt("a"));
    assert_eq!(rig.next(None, &["a", "b"]), ["7*", "3"]);
    rig.unchanged.forget(&rig.camera.clone());
    assert_eq!(rig.next(None, &["a", "b"]), ["8*", "8*"]);
}

#[test]
fn the_model_is_asked_again_after_a_while_however_still_it_is() {
    let mut rig = Rig::new();
    let said: Vec<_> = (0..620).flat_map(|_| rig.next(None, &["p"])).collect();
    let asked: Vec<_> = said.iter().filter(|said| said.ends_with('*')).collect();
    assert_eq!(asked, ["0*", "1*", "2*", "302*", "602*"]);
    assert!(rig.unchanged.looks[&rig.camera].len() <= KEPT);
}

#[test]
fn a_camera_that_hangs_and_frames_that_are_missing_are_other_windows() {
    let mut rig = Rig::new();
    (0..4).for_each(|_| drop(rig.next(None, &["p"])));
    let same = |number: u64| {
        let like = frame(3, None);
        Arc::new(Frame { number, taken: at(number), size: SIZE, pixels: like.pixels.clone() })
    };
    assert_eq!(rig.take(same(4), &["p"]), ["4*"], "one is the same to the last bit");
    assert_eq!(rig.take(same(5), &["p"]), ["5*"], "all are");
    assert_eq!(rig.take(same(6), &["p"]), ["5"]);
    let frames = [None, Some(frame(7, None)), Some(frame(8, None))];
    assert_eq!(rig.ask(frames.to_vec(), &["p"]), ["8*"]);
    assert_eq!(rig.ask(frames.to_vec(), &["p"]), ["8"]);
}
