//! From a frame in hand to its answer, through the engine's thread, at shares of its measured capacity.

use std::time::{Duration, Instant};

use serde_json::json;
use wader::{engine::Engine, frame::Stamp, prompt::AnswerKind};

use super::{
    Options,
    rig::{BATCH, CAMERAS, Cameras},
    say,
};

/// Questions about each window.
const ASKED: usize = 4;

pub(crate) fn run(options: &Options) {
    let model = options.model();
    let mut cameras = Cameras::new(model.input_size());
    let (mut worker, names) = cameras.worker(model, &AnswerKind::YesNo);
    let names = &names[..ASKED];
    // Batches of all sizes, so that what is chosen or reserved once for a shape is, before the clock runs.
    for count in (1..=BATCH).rev() {
        for batch in cameras.round(count, names) {
            worker.answer(&batch);
        }
    }
    for batch in cameras.round(CAMERAS, names) {
        worker.answer(&batch);
    }
    // The last one twice: sizes of batches that only overload brings are new the first time.
    let loads = [25_u32, 50, 75, 100, 150, 200, 200];
    let seconds = options.seconds / (loads.len() + 1) as f64;
    let (mut windows, begun) = (0_usize, Instant::now());
    while windows == 0 || begun.elapsed().as_secs_f64() < seconds {
        for batch in cameras.round(CAMERAS, names) {
            worker.answer(&batch);
        }
        windows += CAMERAS;
    }
    let capacity = windows as f64 / begun.elapsed().as_secs_f64();
    say("capacity", json!({ "windows_per_second": capacity, "cameras": CAMERAS, "prompts": ASKED }));

    let (replies, mut replied) = tokio::sync::mpsc::channel(4096);
    let engine = Engine::start(worker, BATCH, replies).unwrap();
    let collector = std::thread::spawn(move || {
        let mut all = Vec::new();
        while let Some(reply) = replied.blocking_recv() {
            assert!(reply.reply.is_ok(), "{:?}", reply.reply);
            all.push((reply.seen.last, reply.done.since(reply.seen.last).as_secs_f64() * 1e3, reply.spent));
        }
        all
    });
    let mut phases = Vec::new();
    for load in loads {
        let gap = Duration::from_secs_f64(100.0 / f64::from(load) / capacity);
        let (before, begun) = (engine.counts(), Instant::now());
        let start = Stamp::now();
        let mut offered = 0_usize;
        while begun.elapsed().as_secs_f64() < seconds {
            let due = gap * offered as u32;
            while begun.elapsed() < due {
                std::thread::sleep(due.saturating_sub(begun.elapsed()).min(Duration::from_micros(200)));
            }
            // In hand since it was due, even where this loop came late.
            let late = begun.elapsed() - due;
            let camera = offered % CAMERAS;
            cameras.take(camera, Stamp::now().earlier_by(late).unwrap_or(start));
            engine.offer(vec![cameras.window(camera, names)]);
            offered += 1;
        }
        let end = Stamp::now();
        // What waits is answered before the next load comes.
        let waiting = Instant::now();
        let mut settled = engine.counts();
        let done = |now: &wader::engine::Counts| {
            now.windows - before.windows + now.tally.replaced - before.tally.replaced >= offered as u64
        };
        while !done(&settled) && waiting.elapsed().as_secs_f64() < 5.0 {
            std::thread::sleep(Duration::from_millis(5));
            settled = engine.counts();
        }
        std::thread::sleep(Duration::from_millis(20));
        let dropped = settled.tally.replaced - before.tally.replaced;
        let taken = settled.windows - before.windows;
        phases.push((load, start, end, offered, dropped, taken, gap * CAMERAS as u32));
    }
    drop(engine);
    let all = collector.join().unwrap();
    for (load, start, end, offered, dropped, taken, stride) in phases {
        let inside = |seen: &Stamp| *seen >= start && *seen <= end;
        let mut times: Vec<f64> = all.iter().filter(|(seen, ..)| inside(seen)).map(|(_, time, _)| *time).collect();
        times.sort_by(f64::total_cmp);
        let at = |share: f64| times.get(((times.len() as f64 * share) as usize).min(times.len().saturating_sub(1)));
        let mut waited: Vec<f64> = all
            .iter()
            .filter(|(seen, ..)| inside(seen))
            .map(|(_, _, spent)| spent.waited.as_secs_f64() * 1e3)
            .collect();
        waited.sort_by(f64::total_cmp);
        say(
            "latency",
            json!({
                "load_percent": load, "offered_windows": offered, "replaced_windows": dropped,
                "answered_windows": taken, "answers": times.len(),
                "ms": { "p50": at(0.5), "p95": at(0.95), "p99": at(0.99), "most": times.last() },
                "stride_ms": stride.as_secs_f64() * 1e3,
                "waited_p50_ms": waited.get(waited.len() / 2),
                "counted": offered as u64 == taken + dropped,
            }),
        );
    }
}
