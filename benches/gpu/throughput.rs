//! Answers a second in a closed loop, through the engine's worker, beside bare runs of the least calls and the naive way.

use std::{hint::black_box, path::Path, time::Instant};

use serde_json::json;
use wader::{
    model::{Flamingo, Manifest},
    prompt::AnswerKind,
};

use super::{
    Options,
    bare::{Bare, Tensors, by_name, bytes, floats, integers},
    median,
    rig::{BATCH, Cameras, FRAMES, QUESTIONS, picture},
    say,
};

/// The three graphs, and what they are given.
pub(crate) struct Graphs {
    pub(crate) encoder: Bare,
    pub(crate) resampler: Bare,
    pub(crate) decoder: Bare,
}

impl Graphs {
    pub(crate) fn open(folder: &Path, manifest: &Manifest, cuda: bool) -> Self {
        let open = |file: &str| Bare::open(&folder.join(file), cuda, None);
        let graphs = &manifest.graphs;
        Self {
            encoder: open(&graphs.vision_encoder),
            resampler: open(&graphs.resampler),
            decoder: open(&graphs.decoder),
        }
    }
}

/// Inputs of the calls that so many frames, windows and questions need at least; media K/V come from the resampler.
pub(crate) struct Calls {
    pixels: Tensors,
    bank: Tensors,
    pub(crate) rows: Tensors,
}

impl Calls {
    /// `rows`: the tokens of each row, and the window it is about.
    pub(crate) fn new(manifest: &Manifest, frames: usize, windows: usize, rows: &[(Vec<i64>, usize)]) -> Self {
        let (vision, decoder) = (&manifest.vision, &manifest.decoder);
        let size = wader::frame::Size { width: vision.width, height: vision.height };
        let shape = [frames, size.height as usize, size.width as usize, 3];
        let pixels = (0..frames).flat_map(|number| picture(size, number)).collect();
        let each = vision.tokens * vision.dim;
        let features = (0..windows * FRAMES * each).map(|place| (place % 97) as f32 / 97.0 - 0.5).collect();
        let seconds: Vec<f32> = (0..FRAMES).map(|place| place as f32 - 7.0).collect();
        let bank = vec![
            ("frame_bank".into(), floats(&[windows * FRAMES, vision.tokens, vision.dim], features)),
            ("frame_index".into(), integers(&[windows, FRAMES], (0..(windows * FRAMES) as i64).collect())),
            ("frame_pos".into(), floats(&[windows, FRAMES], seconds.repeat(windows))),
        ];
        let (count, width) = (rows.len(), rows.iter().map(|(ids, _)| ids.len()).max().unwrap_or(0));
        let spread = |of: &dyn Fn(&[i64], usize, usize) -> i64| -> Vec<i64> {
            rows.iter().flat_map(|(ids, window)| (0..width).map(|place| of(ids, *window, place))).collect()
        };
        let ids = spread(&|ids, _, place| ids.get(place).copied().unwrap_or(0));
        let mask = spread(&|ids, _, place| i64::from(place < ids.len()));
        let positions = spread(&|ids, _, place| place.min(ids.len() - 1) as i64);
        let media = spread(&|ids, window, place| if place < ids.len() { window as i64 } else { -1 });
        let mut decoding = vec![
            ("input_ids".into(), integers(&[count, width], ids)),
            ("attention_mask".into(), integers(&[count, width], mask)),
            ("position_ids".into(), integers(&[count, width], positions)),
            ("media_index".into(), integers(&[count, width], media)),
            ("logits_index".into(), integers(&[count, 1], rows.iter().map(|(ids, _)| ids.len() as i64 - 1).collect())),
            ("gate_scale".into(), floats(&[], vec![1.0])),
        ];
        for layer in 0..decoder.self_layers {
            for part in ["key", "value"] {
                let past = floats(&[count, decoder.kv_heads, 0, decoder.head_dim], Vec::new());
                decoding.push((format!("past_key_values.{layer}.{part}"), past));
            }
        }
        Self { pixels: vec![("pixels".into(), bytes(&shape, pixels))], bank, rows: decoding }
    }

    pub(crate) fn encode(&self, graphs: &mut Graphs) {
        black_box(graphs.encoder.run(&by_name(&self.pixels), None));
    }

    /// Media K/V, where the decoder reads them.
    pub(crate) fn resample(&self, graphs: &mut Graphs) -> Tensors {
        graphs.resampler.run(&by_name(&self.bank), Some("media_kv"))
    }

    pub(crate) fn decode(&self, graphs: &mut Graphs, media: &Tensors) -> Tensors {
        let inputs: Vec<_> = by_name(&self.rows).into_iter().chain(by_name(media)).collect();
        graphs.decoder.run(&inputs, Some("present."))
    }

    /// All of it; seconds of each graph.
    fn run(&self, graphs: &mut Graphs) -> [f64; 3] {
        let begun = Instant::now();
        self.encode(graphs);
        let encoded = Instant::now();
        let media = self.resample(graphs);
        let resampled = Instant::now();
        black_box(self.decode(graphs, &media));
        [encoded - begun, resampled - encoded, resampled.elapsed()].map(|part| part.as_secs_f64())
    }
}

/// Token rows of so many closed questions about each of so many windows.
pub(crate) fn questions(model: &Flamingo, windows: usize, prompts: usize) -> Vec<(Vec<i64>, usize)> {
    let ids = |ask: &str| -> Vec<i64> { model.template().question(ask).suffix.iter().map(|&id| id.into()).collect() };
    let asked: Vec<_> = QUESTIONS.into_iter().cycle().take(prompts).map(ids).collect();
    (0..windows).flat_map(|window| asked.iter().map(move |ids| (ids.clone(), window))).collect()
}

pub(crate) fn run(options: &Options) {
    let model = options.model();
    let manifest = Manifest::read(&options.folder).unwrap();
    let mut graphs = Graphs::open(&options.folder, &manifest, options.cuda);
    let mut grid = vec![(16, 4), (1, 1), (64, 4), (1, 4), (64, 16), (4, 4), (16, 16), (16, 1), (64, 1), (1, 16)];
    grid.truncate(if options.short { 4 } else { grid.len() });
    let seconds = options.seconds / (grid.len() + 1) as f64;

    let naive = Calls::new(&manifest, FRAMES, 1, &questions(&model, 1, 1));
    let calls: Vec<_> = grid
        .iter()
        .map(|&(cameras, prompts)| {
            let batch = BATCH.min(cameras);
            Calls::new(&manifest, batch, batch, &questions(&model, batch, prompts))
        })
        .collect();
    let mut alone = Vec::new();
    naive.run(&mut graphs);
    let begun = Instant::now();
    while alone.len() < 5 || begun.elapsed().as_secs_f64() < seconds / 2.0 {
        alone.push(naive.run(&mut graphs).iter().sum());
    }
    let alone = median(alone);
    say("naive", json!({ "answers_per_second": 1.0 / alone }));

    let size = model.input_size();
    let mut cameras = Cameras::new(size);
    let (mut worker, names) = cameras.worker(model, &AnswerKind::YesNo);
    for (&(count, prompts), calls) in grid.iter().zip(&calls) {
        let (mut ours, mut bare, mut ratios, mut parts) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut work = Vec::new();
        let mut begun = Instant::now();
        // The first two rounds encode whole windows and choose algorithms.
        for round in 0.. {
            if round == 2 {
                begun = Instant::now();
            }
            let batches = cameras.round(count, &names[..prompts]);
            let before = worker.work();
            let clock = Instant::now();
            let answers: usize = batches.iter().map(|batch| worker.answer(batch).len()).sum();
            let engine = clock.elapsed().as_secs_f64();
            let after = worker.work();
            assert_eq!(answers, count * prompts, "an answer to each prompt");
            let each: Vec<[f64; 3]> = batches.iter().map(|_| calls.run(&mut graphs)).collect();
            let least: f64 = each.iter().flatten().sum();
            if round < 2 {
                continue;
            }
            work = vec![
                after.frames_encoded - before.frames_encoded,
                after.windows_resampled - before.windows_resampled,
                after.prefill_rows - before.prefill_rows,
                after.calls.iter().zip(before.calls).map(|(after, before)| after - before).sum(),
            ];
            ours.push(engine);
            bare.push(least);
            ratios.push(least / engine);
            parts.extend(each);
            if ours.len() >= 5 && begun.elapsed().as_secs_f64() > seconds || ours.len() >= 400 {
                break;
            }
        }
        ratios.sort_by(f64::total_cmp);
        let rounds = ratios.len();
        let spread = [ratios[rounds / 10], ratios[rounds - 1 - rounds / 10]];
        let answers = (count * prompts) as f64;
        let part = |index: usize| median(parts.iter().map(|part| part[index] * 1e3).collect());
        say(
            "throughput",
            json!({
                "cameras": count, "prompts": prompts, "rounds": rounds,
                "answers_per_second": answers / median(ours.clone()),
                "windows_per_second": count as f64 / median(ours),
                "bare_answers_per_second": answers / median(bare),
                "of_bare": median(ratios), "of_bare_spread": spread,
                "naive_answers_per_second": 1.0 / alone,
                "bare_ms": { "encoder": part(0), "resampler": part(1), "decoder": part(2) },
                "frames_windows_rows_calls": work,
            }),
        );
    }
}
