//! What leaving the model alone saves before quiet scenes, and what it misses: inference work at 0, 1, 10, 50 and 100 % of
//! motion, beside the model asked each time and a gate that knows what moves. Takes some minutes.
//!
//! `cargo bench --bench unchanged` uses `models/wader-small`; `WADER_BENCH_MODEL` names another folder. Counts, exact each time.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot be set up ends")]
#![expect(clippy::print_stdout, reason = "the table is what it is for")]

use std::{path::PathBuf, sync::Arc, time::Duration};

use wader::{
    engine::{Waiting, Worker},
    frame::{Frame, Size, Stamp},
    model::{Device, Flamingo, Spec, Work},
    name::{CameraName, PromptName},
    prompt::{AnswerKind, Prompt},
    window::{Sampler, Schedule, Spec as Form},
};

/// Pictures, one a second.
const SECONDS: u64 = 4000;
/// How long somebody walks about each time, in seconds.
const VISIT: u64 = 40;
/// Somebody is so tall and wide in the picture, and so much darker than the wall: hardly more than is found at all.
const PERSON: (u32, u32, u8) = (20, 8, 30);
const WINDOW: Form = Form { frames: 8, span: Duration::from_secs(7) };

/// Whether somebody walks about in this second, `percent` of the time.
const fn moves(second: u64, percent: u64) -> bool {
    match percent {
        0 => false,
        100 => true,
        // as many visits as that takes, evenly; the first not at once
        _ => (second + VISIT * 100 / percent / 2) % (VISIT * 100 / percent) < VISIT,
    }
}

/// A wall with a pattern and noise as large as a camera's after coding, and whoever walks before it.
fn frame(second: u64, percent: u64, size: Size) -> Arc<Frame> {
    let mut noise = fastrand::Rng::with_seed(second);
    let left = moves(second, percent).then(|| (second * 37 % u64::from(size.width - PERSON.1)) as u32);
    let pixel = |x: u32, y: u32| {
        let person =
            left.is_some_and(|left| (left..left + PERSON.1).contains(&x) && (100..100 + PERSON.0).contains(&y));
        let wall = 90 + (x / 16 * 13 + y / 16 * 29) as u8 % 60;
        wall - if person { PERSON.2 } else { 0 }
    };
    let grey = (0..size.height).flat_map(|y| (0..size.width).map(move |x| (x, y))).map(|(x, y)| pixel(x, y));
    let pixels: Vec<u8> = grey.flat_map(|grey| [grey; 3]).map(|grey| grey + noise.u8(0..10)).collect();
    Arc::new(Frame {
        number: second,
        taken: Stamp::after_origin(Duration::from_secs(second)),
        size,
        pixels: pixels.into(),
    })
}

/// What was done, and how late visits were noticed.
#[derive(Default)]
struct Done {
    asked: u64,
    frames: u64,
    rows: u64,
    visits: u64,
    /// Visits that the model was asked about, and how many windows went by before it was, at most.
    noticed: u64,
    late: u64,
}

fn run(
    worker: &mut Worker<Flamingo>,
    (camera, prompts): (&CameraName, &[PromptName]),
    percent: u64,
    size: Size,
) -> Done {
    let every = Duration::from_secs(1);
    let schedules = prompts.iter().map(|prompt| Schedule { prompt: prompt.clone(), every, window: WINDOW }).collect();
    let mut sampler = Sampler::new(camera.clone(), schedules);
    let (before, mut done, mut unnoticed) = (worker.work(), Done::default(), None);
    for second in 0..SECONDS {
        let comes = moves(second, percent) && (second == 0 || !moves(second - 1, percent));
        if comes {
            (done.visits, unnoticed) = (done.visits + 1, Some(0));
        }
        let windows = sampler.offer(frame(second, percent, size));
        let offered = windows.len() as u64;
        let waiting = windows.into_iter().map(|window| Waiting { window, since: Stamp::now() }).collect();
        let asked = worker.answer_standing(waiting, true).1 as u64;
        done.asked += asked;
        if let Some(late) = unnoticed.take_if(|_| asked > 0) {
            (done.noticed, done.late) = (done.noticed + 1, done.late.max(late));
        }
        unnoticed = unnoticed.map(|late| late + offered);
    }
    let Work { frames_encoded, prefill_rows, .. } = worker.work();
    Done { frames: frames_encoded - before.frames_encoded, rows: prefill_rows - before.prefill_rows, ..done }
}

/// Windows that a gate would have the model asked about that knows what moves: with a move in them, or the first without.
fn needed(percent: u64) -> u64 {
    let first = WINDOW.span.as_secs() / 2;
    let still = |second: u64| !(second.saturating_sub(WINDOW.span.as_secs())..=second).any(|s| moves(s, percent));
    let asked = |second: &u64| !still(*second) || *second == first || !still(second - 1);
    (first + 1..SECONDS).filter(asked).count() as u64
}

fn main() {
    let folder = std::env::var_os("WADER_BENCH_MODEL")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("models/wader-small"), PathBuf::from);
    let load = || Flamingo::load(&folder, &Spec { device: Device::Cpu, threads: 1, ..Spec::default() }).unwrap();
    let camera = CameraName::new("c").unwrap();
    let questions = ["is there a person?", "is a car parked?", "did somebody come in?", "is someone wearing red?"];
    let prompt = |(number, ask): (usize, &str)| Prompt {
        name: PromptName::new(&format!("p{number}")).unwrap(),
        ask: ask.to_owned(),
        also: Vec::new(),
        kind: AnswerKind::YesNo,
    };
    let asked: Vec<_> = questions.into_iter().enumerate().map(|one| (camera.clone(), Arc::new(prompt(one)))).collect();
    let prompts: Vec<_> = asked.iter().map(|(_, prompt)| prompt.name.clone()).collect();
    println!("{SECONDS} pictures, one a second, windows of {} frames, {} prompts", WINDOW.frames, prompts.len());
    let measured = |percent, skips| {
        let model = load();
        let vision = &model.manifest().vision;
        let size = Size { width: vision.width, height: vision.height };
        let mut worker = Worker::new(model, &asked).unwrap().skipping_unchanged(skips);
        run(&mut worker, (&camera, &prompts), percent, size)
    };
    let each = measured(100, false); // whatever moves
    println!("the model is asked each time: {} windows, {} frames, {} rows", each.asked, each.frames, each.rows);
    println!("| motion | windows | frames | rows | part of the windows | a gate that knows | noticed | windows late |");
    println!("|---|---|---|---|---|---|---|---|");
    for percent in [0, 1, 10, 50, 100] {
        let Done { asked, frames, rows, noticed, visits, late } = measured(percent, true);
        let (part, knows) = (asked as f64 / each.asked as f64, needed(percent) as f64 / each.asked as f64);
        println!(
            "| {percent} % | {asked} | {frames} | {rows} | {part:.3} | {knows:.3} | {noticed} of {visits} | {late} |"
        );
    }
}
