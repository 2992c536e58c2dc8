//! What another prompt on the same window costs: a frame encoded, a window resampled and its prompts scored, for 1, 10 and
//! 100 prompts, with the counts of work done.
//!
//! `cargo bench --bench prompts` uses `models/wader-small`; `WADER_BENCH_MODEL` names another folder. Read the ratios.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot be set up ends")]
#![expect(clippy::print_stdout, reason = "the counts belong beside the times")]

use std::{hint::black_box, path::PathBuf, sync::Arc, time::Duration};

use criterion::{Criterion, criterion_group, criterion_main};
use wader::{
    engine::{Waiting, Worker},
    frame::{Frame, Size, Stamp},
    model::{Device, Flamingo, Spec},
    name::{CameraName, PromptName},
    prompt::{AnswerKind, Prompt},
    window,
};

const FRAMES: usize = 8;

fn model() -> Flamingo {
    let folder = std::env::var_os("WADER_BENCH_MODEL")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("models/wader-small"), PathBuf::from);
    Flamingo::load(&folder, &Spec { device: Device::Cpu, threads: 1, ..Spec::default() }).unwrap()
}

/// A camera that gives a frame a second, and so many prompts on each window.
struct Rig {
    worker: Worker<Flamingo>,
    prompts: Vec<PromptName>,
    frames: Vec<Arc<Frame>>,
    size: Size,
    /// Frames of a window.
    each: usize,
}

impl Rig {
    fn new(count: usize) -> Self {
        let model = model();
        let each = FRAMES.min(model.manifest().resampler.max_frames);
        let size = Size { width: model.manifest().vision.width, height: model.manifest().vision.height };
        let questions = ["is there a person?", "is a car parked?", "did somebody come in?", "is someone wearing red?"];
        let prompts: Vec<PromptName> = (0..count).map(|n| PromptName::new(&format!("p{n}")).unwrap()).collect();
        let asked: Vec<_> = prompts
            .iter()
            .zip(questions.into_iter().cycle())
            .map(|(name, ask)| Prompt {
                name: name.clone(),
                ask: ask.to_owned(),
                also: Vec::new(),
                kind: AnswerKind::YesNo,
            })
            .map(|prompt| (camera(), Arc::new(prompt)))
            .collect();
        Self { worker: Worker::new(model, &asked).unwrap(), prompts, frames: Vec::new(), size, each }
    }

    /// The next frame, and what all prompts have to say about the window that it ends.
    fn step(&mut self) -> usize {
        let number = self.frames.last().map_or(0, |frame| frame.number + 1);
        let taken = Stamp::after_origin(Duration::from_secs(number));
        let pixels = vec![(number * 7 % 251) as u8; self.size.width as usize * self.size.height as usize * 3];
        self.frames.push(Arc::new(Frame { number, taken, size: self.size, pixels: pixels.into() }));
        if self.frames.len() > self.each {
            self.frames.remove(0);
        }
        let mut frames: Vec<_> = self.frames.iter().cloned().map(Some).collect();
        frames.splice(0..0, std::iter::repeat_n(None, self.each - frames.len()));
        let spec = window::Spec { frames: self.each, span: Duration::from_secs(7) };
        let window = window::Window { camera: camera(), spec, frames, prompts: self.prompts.clone() };
        self.worker.answer(&[Waiting { window, since: taken }]).len()
    }
}

fn camera() -> CameraName {
    CameraName::new("c").unwrap()
}

fn all(bench: &mut Criterion) {
    let mut group = bench.benchmark_group("one frame more, a window of 8");
    for count in [1, 10, 100] {
        let mut rig = Rig::new(count);
        for _ in 0..FRAMES {
            rig.step();
        }
        let before = rig.worker.work();
        assert_eq!(rig.step(), count);
        let after = rig.worker.work();
        println!(
            "{count} prompts: {} frame encoded, {} window and {} frame resampled, {} tokens of its text once, {} rows of {} \
             tokens, {} decoder calls",
            after.frames_encoded - before.frames_encoded,
            after.windows_resampled - before.windows_resampled,
            after.frames_resampled - before.frames_resampled,
            after.window_tokens - before.window_tokens,
            after.prefill_rows - before.prefill_rows,
            after.prefill_tokens - before.prefill_tokens,
            after.calls[2] - before.calls[2],
        );
        group.bench_function(format!("{count} prompts"), |bench| bench.iter(|| black_box(rig.step())));
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(30).measurement_time(Duration::from_secs(6));
    targets = all
}
criterion_main!(benches);
