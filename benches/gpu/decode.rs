//! The decode loop: tokens a second and milliseconds a step, through the engine's worker and with bare runs.

use std::{hint::black_box, time::Instant};

use serde_json::json;
use wader::{model::Manifest, prompt::AnswerKind};

use super::{
    Options,
    bare::{Tensors, by_name, floats, integers},
    median,
    rig::{BATCH, Cameras, WRITTEN},
    say,
    throughput::{Calls, Graphs},
};

/// The most tokens of a text.
const TOKENS: usize = 20;

/// Seconds of the prefill and of each of so many steps after it, each row a token a step, K/V staying where they are.
fn bare(graphs: &mut Graphs, calls: &Calls, media: &Tensors, rows: usize, width: usize, steps: usize) -> Vec<f64> {
    let begun = Instant::now();
    let mut present = calls.decode(graphs, media);
    let first = begun.elapsed().as_secs_f64();
    let gate = floats(&[], vec![1.0]);
    let mut times = vec![first];
    for step in 0..steps {
        let begun = Instant::now();
        let total = width + step + 1;
        let one = |value: i64| integers(&[rows, 1], vec![value; rows]);
        let window: Vec<i64> = (0..rows as i64).map(|row| row % BATCH as i64).collect();
        let made = [
            ("input_ids", one(5)),
            ("attention_mask", integers(&[rows, total], vec![1; rows * total])),
            ("position_ids", one(total as i64 - 1)),
            ("media_index", integers(&[rows, 1], window)),
            ("logits_index", one(0)),
        ];
        let past: Vec<(String, &_)> = present
            .iter()
            .filter_map(|(name, value)| Some((format!("past_key_values.{}", name.strip_prefix("present.")?), value)))
            .collect();
        let mut inputs: Vec<_> = made.iter().map(|(name, value)| (*name, value)).collect();
        inputs.push(("gate_scale", &gate));
        inputs.extend(by_name(media));
        inputs.extend(past.iter().map(|(name, value)| (name.as_str(), *value)));
        let outputs = graphs.decoder.run(&inputs, Some("present."));
        present = black_box(outputs);
        times.push(begun.elapsed().as_secs_f64());
    }
    times
}

pub(crate) fn run(options: &Options) {
    let model = options.model();
    let manifest = Manifest::read(&options.folder).unwrap();
    let mut graphs = Graphs::open(&options.folder, &manifest, options.cuda);
    let suffix: Vec<i64> = model.template().question(WRITTEN[0]).suffix.iter().map(|&id| id.into()).collect();
    let mut cameras = Cameras::new(model.input_size());
    let (mut worker, names) = cameras.worker(model, &AnswerKind::Text { max_tokens: TOKENS });
    let shapes = [(1, 1), (4, 1), (16, 1), (16, 4)];
    let seconds = options.seconds / shapes.len() as f64;
    for (windows, texts) in shapes {
        let rows = windows * texts;
        let asked: Vec<_> = (0..rows).map(|row| (suffix.clone(), row % windows)).collect();
        let calls = Calls::new(&manifest, 1, windows, &asked);
        let media = calls.resample(&mut graphs);
        let (mut step, mut ratios, mut rates, mut alone) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (mut passes, mut tokens) = (0, 0);
        let begun = Instant::now();
        for round in 0.. {
            let batch = cameras.round(windows, &names[..texts]).remove(0);
            let before = worker.work();
            let replied = worker.answer(&batch);
            let after = worker.work();
            let spent = replied.first().map_or(0.0, |reply| reply.spent.decoding.as_secs_f64());
            // The end token of each text is chosen, and not run.
            passes = after.calls[2] - before.calls[2];
            tokens = after.prefill_rows - before.prefill_rows + after.decode_tokens - before.decode_tokens;
            assert!(passes > 0, "nothing was written: {:?}", replied.first().map(|reply| &reply.reply));
            let times = bare(&mut graphs, &calls, &media, rows, suffix.len(), passes as usize - 1);
            if round == 0 {
                continue;
            }
            let each = spent / passes as f64;
            let whole = times.iter().sum::<f64>() / passes as f64;
            let bare = median(times.get(1..).unwrap_or_default().to_vec());
            step.push(each * 1e3);
            alone.push(bare * 1e3);
            ratios.push(whole / each);
            rates.push(tokens as f64 / spent);
            if step.len() >= 5 && begun.elapsed().as_secs_f64() > seconds || step.len() >= 200 {
                break;
            }
        }
        let bare = median(alone);
        say(
            "decode",
            json!({
                "rows": rows, "passes": passes, "tokens": tokens, "rounds": step.len(),
                "ms_per_pass": median(step), "tokens_per_second": median(rates),
                "bare_ms_per_step": bare, "bare_tokens_per_second": rows as f64 / bare * 1e3,
                "of_bare": median(ratios),
            }),
        );
    }
}
